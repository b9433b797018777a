"""What the project says of its citation and of the packages it uses agrees with what they are."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from importlib.metadata import distributions
from pathlib import Path

import pytest
import yaml

from archive import citation
from archive.errors import ArchiveError
from archive.run import INSTALL, PYTHON_OF_TOOLS, python_of_tools
from archive.sbom import bill_of_materials

ROOT = Path(__file__).parents[2]
CITED = citation.read_citation((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
MOMENT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
REWRITE = "run `PYTHONPATH=tools .venv/bin/python -m archive."

needs_cyclonedx = pytest.mark.skipif(
    python_of_tools() is None, reason=f"cyclonedx-py is not installed: {INSTALL}"
)


def test_zenodo_is_made_from_the_citation() -> None:
    made = json.loads((ROOT / ".zenodo.json").read_text(encoding="utf-8"))
    assert made == citation.zenodo(CITED), f"{REWRITE}citation --write .zenodo.json`"
    assert made["license"] in (ROOT / "LICENSE").read_text(encoding="utf-8")


def test_people_are_cited_by_family_name_and_orcid() -> None:
    author = {
        "family-names": "Lovelace",
        "given-names": "Ada",
        "orcid": "https://orcid.org/0000-0001-2345-6789",
    }
    made = citation.creator(author)
    assert made == {"name": "Lovelace, Ada", "orcid": "0000-0001-2345-6789"}


@needs_cyclonedx
def test_bill_lists_what_is_installed_with_the_licences_that_are_declared() -> None:
    bill = json.loads(bill_of_materials(sys.executable, MOMENT) or "")
    components = {(each["name"], each["version"]): each for each in bill["components"]}
    installed = {(each.metadata["Name"], each.version): each for each in distributions()}
    assert set(components) == set(installed)
    for package, component in components.items():
        if declared := installed[package].metadata.get("License-Expression"):
            (licence,) = component["licenses"]
            assert declared == (licence.get("expression") or licence["license"]["id"]), package
    assert bill["bomFormat"] == "CycloneDX" and bill["metadata"]["timestamp"] == MOMENT.isoformat()


@needs_cyclonedx
def test_bill_is_always_the_same_and_names_no_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    bill = bill_of_materials(sys.executable, MOMENT)
    for name, value in {"TZ": "Pacific/Auckland", "LC_ALL": "C", "PYTHONHASHSEED": "7"}.items():
        monkeypatch.setenv(name, value)
    assert bill is not None and bill == bill_of_materials(sys.executable, MOMENT)
    assert sys.prefix not in bill.decode() and str(ROOT) not in bill.decode()


def test_missing_tool_gives_no_bill_and_a_failing_one_is_an_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(PYTHON_OF_TOOLS, str(tmp_path / "nowhere"))
    assert bill_of_materials(sys.executable, MOMENT) is None
    monkeypatch.setenv(PYTHON_OF_TOOLS, sys.executable)  # which has no cyclonedx-py
    with pytest.raises(ArchiveError, match=f"No module named cyclonedx_py.*; install .*{INSTALL}"):
        bill_of_materials(sys.executable, MOMENT)


def test_archive_names_its_tolerances_by_columns_that_there_are() -> None:
    from groupwise import tidy

    path = ROOT / "tools" / "archive" / "tolerances.yaml"
    declared = yaml.safe_load(path.read_text(encoding="utf-8"))["columns"]
    columns = {column for table in tidy.TABLES.values() for column in table}
    assert set(declared) <= columns
