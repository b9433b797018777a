"""From two tiny datasets to their pages."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pandas as pd
import pytest
import yaml
from figure_list import figures_for, needed_roles
from tiny_project import Project

from groupwise import tidy
from groupwise.catalogue.methods import METHODS
from groupwise.catalogue.tables import IN_JSON

DATASETS = ("drawn", "measured")
SPECIFICATIONS = sorted({method.specification for method in METHODS.values()})
FIGURES = figures_for({}, needed_roles())
TABLES = list(IN_JSON)


@pytest.fixture(params=DATASETS)
def results(finished: Project, request: pytest.FixtureRequest) -> Path:
    """The results of one dataset."""
    return finished.folder / "results" / str(request.param)


def test_console_is_a_line_per_job(finished: Project) -> None:
    first, *lines, last, _ = finished.read("console.txt").splitlines()
    ready = [line for line in lines if line.startswith("Ready to open")]
    assert ready == [
        f"Ready to open while the rest goes on: reports/rendered/{name}.html" for name in DATASETS
    ]
    lines = [line for line in lines if line not in ready]
    total = re.fullmatch(r"(\d+) jobs to run on 2 cores", first)
    assert total is not None, first
    counts = [re.match(r"\[ *(\d+)/(\d+)\] .+ {2}\([\d.]+ s\)$", line) for line in lines]
    assert [each and each.groups() for each in counts] == [
        (str(i + 1), total[1]) for i in range(int(total[1]))
    ]
    assert last.endswith("Open reports/rendered/index.html")


def test_logs_are_empty(finished: Project) -> None:
    """But for the progress of simulations."""
    progress = re.compile(r"(\d+ of \d+: .*: [\d.]+ s\n)*")
    logs = [path for path in (finished.folder / "logs").rglob("*.log") if path.stat().st_size]
    said = {path: path.read_text(encoding="utf-8") for path in logs}
    own = {path for path in logs if path.parts[-3:-2] == ("simulate_calibration",)}
    assert own and all(progress.fullmatch(said[path]) for path in own)
    assert {str(path): said[path] for path in set(logs) - own} == {}
    assert len(list((finished.folder / "logs").rglob("*.log"))) > 2 * len(FIGURES)


OF_PERIODS = {"exposure", "planning_periods"}
"""Tables without rows where nothing says when a row was measured."""


@pytest.mark.parametrize("name", TABLES)
def test_table_has_the_columns_of_the_schema(results: Path, name: str) -> None:
    table = pd.read_csv(results / f"{name}.csv")
    assert list(table.columns) == list(tidy.TABLES[name])
    assert len(table) > 0 or name in OF_PERIODS
    assert set(table.get("dataset", [])) <= {results.name}


def test_residuals_have_the_columns_of_the_schema(results: Path) -> None:
    table = pd.read_parquet(results / "residuals.parquet")
    assert list(table.columns) == list(tidy.TABLES["residuals"])


def test_estimates_have_a_row_for_each_method_of_each_specification(results: Path) -> None:
    table = pd.read_csv(results / "estimates.csv")
    assert set(table["specification"]) == set(SPECIFICATIONS)
    assert set(table["contrast"]) == {"treated - control"}
    assert table["method"].is_unique


def test_unidentified_estimates_have_no_numbers(results: Path) -> None:
    table = pd.read_csv(results / "estimates.csv").set_index("method")
    assert table.loc["dummy", ["estimate", "std_error", "p_value"]].isna().all()
    assert "not identified" in str(table.loc["dummy", "message"]).lower()


def test_design_says_what_was_understood(results: Path) -> None:
    design = json.loads((results / "design.json").read_text(encoding="utf-8"))
    sizes = {"min": 5, "median": 5.0, "mean": 5.0, "max": 5}
    arm = {"n_groups": 3, "n_obs": 15, "group_size": sizes}
    assert design["arms"] == {"control": arm, "treated": arm}
    assert (design["kind"], design["n_obs"], design["n_groups"]) == ("between", 30, 6)
    assert design["group_size"] == {"min": 5, "median": 5.0, "mean": 5.0, "max": 5}
    assert design["dropped"] == {}


def test_truth_is_kept_beside_simulated_data_only(finished: Project) -> None:
    truth = json.loads(finished.read("results/drawn/truth.json"))
    assert truth["effects"] == {"treated - control": 4.0}
    assert not (finished.folder / "results/measured/truth.json").exists()


def test_processed_data_are_ordered_reference_first(finished: Project) -> None:
    for dataset in DATASETS:
        table = pd.read_parquet(finished.folder / f"data/processed/{dataset}.parquet")
        assert list(table.columns) == ["score", "arm", "class"]
        assert list(table["arm"].cat.categories) == ["control", "treated"]
        assert len(table) == 30


@pytest.mark.parametrize("figure", FIGURES)
def test_figure_is_there_with_its_alt_text(results: Path, figure: str) -> None:
    folder = results / "figures"
    assert (folder / f"{figure}.svg").read_text(encoding="utf-8").rstrip().endswith("</svg>")
    assert (folder / f"{figure}.png").read_bytes().startswith(b"\x89PNG")
    assert len((folder / f"{figure}.txt").read_text(encoding="utf-8").strip()) > 20


def test_index_leads_to_each_report(finished: Project) -> None:
    index = finished.read("reports/rendered/index.html")
    blocks = yaml.safe_load(finished.read("config.yaml"))["datasets"]
    for dataset, block in blocks.items():
        assert f'href="{dataset}.html"' in index
        assert block["title"] in index
        assert block["title"] in finished.read(f"reports/rendered/{dataset}.html")


def test_nothing_is_made_that_has_no_place_in_the_design(finished: Project) -> None:
    parts = ("results", "data/processed", "reports/rendered")
    found = [path for part in parts for path in (finished.folder / part).rglob("*")]
    assert [path for path in found if path.name.startswith((".", "_", "tmp"))] == []


@pytest.mark.parametrize("way", ["make report", "snakemake"])
def test_second_run_does_nothing(copied: Project, way: str) -> None:
    before = copied.times()
    run = copied.make_report() if way == "make report" else copied.snakemake()
    assert run.code == 0, run.console
    assert copied.times() == before
    if way == "make report":
        said = "Nothing to do: every report is up to date. Open reports/rendered/index.html\n"
        assert run.console == said
    else:
        assert "Nothing to be done" in run.console


@pytest.mark.slow
def test_results_name_no_folder_of_this_machine(finished: Project, elsewhere: Project) -> None:
    for project in (finished, elsewhere):
        folder = str(project.folder).encode()
        named = [name for name in project.made() if folder in (project.folder / name).read_bytes()]
        assert named == []
