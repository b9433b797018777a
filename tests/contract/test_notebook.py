"""examples/notebook.ipynb runs from top to bottom, and shows the numbers that R gives."""

from __future__ import annotations

import json
import re
from typing import Any

import nbformat
import pytest
from experiments import ROOT
from nbclient import NotebookClient

from preview.kernel import kernel_environment, kernel_manager

NOTEBOOK = ROOT / "examples" / "notebook.ipynb"
R = json.loads((ROOT / "tests" / "reference" / "flipped_classroom.json").read_text("utf-8"))
PLOTS, LAST = 3, "Fully flipped - Some flip"


@pytest.fixture(scope="module")
def notebook(tmp_path_factory: pytest.TempPathFactory) -> nbformat.NotebookNode:
    """The notebook, executed where it lies by the Python of these tests."""
    folder = tmp_path_factory.mktemp("kernel")
    made = nbformat.read(NOTEBOOK, as_version=4)
    manager = kernel_manager(folder)
    where = {"metadata": {"path": str(NOTEBOOK.parent)}}
    client = NotebookClient(made, km=manager, timeout=600, resources=where)
    client.owns_km = True  # else nbclient leaves the kernel running
    path = {"PYTHONPATH": str(ROOT / "workflow" / "scripts")}  # in place of an installation
    client.execute(env=kernel_environment(folder, path))
    return made


def shows(text: str, value: float) -> bool:
    """Is a number among those of a text, to the decimals it has there?"""
    found = [number for number in re.findall(r"-?\d+\.\d+", text) if len(number) > 4]
    return any(f"{value:.{len(number.partition('.')[2])}f}" == number for number in found)


def outputs(notebook: nbformat.NotebookNode, kind: str) -> list[str]:
    """What cells display, of one MIME type."""
    found = [each for cell in notebook.cells for each in cell.get("outputs", ())]
    return [each.data[kind] for each in found if kind in each.get("data", {})]


def test_it_is_kept_without_outputs_and_without_a_machines_paths() -> None:
    made = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(made)
    code = [cell for cell in made.cells if cell.cell_type == "code"]
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)
    assert not any(place in NOTEBOOK.read_text("utf-8") for place in ("/home", "/work/", "/Users"))


@pytest.mark.slow
def test_figures_display_themselves(notebook: nbformat.NotebookNode) -> None:
    assert len(outputs(notebook, "image/png")) == PLOTS


@pytest.mark.slow
def test_pooled_and_mixed_are_those_of_r(notebook: nbformat.NotebookNode) -> None:
    (table,) = (text for text in outputs(notebook, "text/plain") if "mixed_kenward_roger" in text)
    for model in ("ols", "reml"):
        (row,) = (row for row in R[model]["contrasts"] if row["contrast"] == LAST)
        assert shows(table, row["estimate"]) and shows(table, row["std_error"]), model
    assert "372.0" in table and "12.0" in table


@pytest.mark.slow
def test_conventions_of_the_dummy_model_are_those_of_r(notebook: nbformat.NotebookNode) -> None:
    (table,) = (text for text in outputs(notebook, "text/plain") if "convention" in text)
    for value in R["dummy"]["treatment_coefficients"].values():
        assert shows(table, value)
    assert shows(table, R["dummy"]["minimum_norm"]["Some flip"]) and "NaN" in table


@pytest.mark.slow
def test_summaries_and_the_mistake_are_sentences(notebook: nbformat.NotebookNode) -> None:
    first, second = outputs(notebook, "text/markdown")
    assert "p = .386" in first.replace("\xa0", " ") and "375 individuals in 15 groups" in first
    assert "337 groups" in second
    said: list[Any] = [each for cell in notebook.cells for each in cell.get("outputs", ())]
    (mistake,) = (each["text"] for each in said if each["output_type"] == "stream")
    assert mistake == "outcome: the data have no column 'scores'; did you mean 'score'?\n"
