"""The crate: its structure, what is found wrong with one, and that it never changes by itself."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from experiments import ROOT

from archive import crate, roc, run
from archive.citation import read_citation
from archive.crate import NAME, Described, check_crate, write_crate

NAMES = {
    "LICENSE": 10,
    "README.md": 20,
    "results/one/a table.csv": 30,
    "source/Snakefile": 40,
    "source/data/raw/one.csv": 50,
    "source/workflow/scripts/fit.py": 60,
    "source/other.py": 70,
}


def described() -> Described:
    return Described(
        citation=read_citation((ROOT / "CITATION.cff").read_text(encoding="utf-8")),
        commit="c" * 40,
        moment=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        snakemake="9.27.1",
        sizes=NAMES,
        inputs=["source/data/raw/one.csv"],
        outputs=["results/one/a table.csv"],
        scripts=["source/workflow/scripts/fit.py"],
        withheld={"data/raw/closed.csv": "f" * 64},
    )


@pytest.fixture
def unpacked(tmp_path: Path) -> Path:
    for name in NAMES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("text\n", encoding="utf-8")
    (tmp_path / NAME).write_bytes(write_crate(described()))
    return tmp_path


def test_crate_has_its_workflow_its_run_and_its_files() -> None:
    content = write_crate(described())
    assert content == write_crate(described())
    assert check_crate(content, NAMES) == []
    entities = {each["@id"]: each for each in json.loads(content)["@graph"]}
    assert entities["#run"]["object"] == [
        {"@id": "source/data/raw/one.csv"},
        {"@id": "#not-shared-closed.csv"},
    ]
    assert entities["#run"]["result"] == [{"@id": "results/one/a%20table.csv"}]
    assert "source/other.py" not in entities


def without(name: str) -> Callable[[list[dict[str, Any]]], list[dict[str, Any]]]:
    return lambda graph: [each for each in graph if each["@id"] != name]


def changed(
    name: str, key: str, value: Any
) -> Callable[[list[dict[str, Any]]], list[dict[str, Any]]]:
    return lambda graph: [each | {key: value} if each["@id"] == name else each for each in graph]


WRONG = {
    "no root": (without("./"), "there is no entity './'"),
    "no run": (changed("#run", "@type", "Action"), "it holds no run of its workflow"),
    "no workflow": (changed("source/Snakefile", "@type", "File"), "its main entity is no workflow"),
    "other version": (
        changed(NAME, "conformsTo", {"@id": "https://w3id.org/ro/crate/1.3"}),
        "it does not say that it conforms to RO-Crate 1.1",
    ),
    "dangling": (without("LICENSE"), "'LICENSE' is referred to and not described"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_with_a_crate_is_said(case: str) -> None:
    change, says = WRONG[case]
    made = crate.crate(described())
    content = json.dumps(made | {"@graph": change(made["@graph"])}).encode()
    assert f"{NAME}: {says}" in check_crate(content, NAMES)


def test_file_that_is_listed_and_not_there_is_named() -> None:
    names = set(NAMES) - {"results/one/a table.csv"}
    (said,) = check_crate(write_crate(described()), names)
    assert said == f"{NAME}: it lists 'results/one/a table.csv', which is not in the archive"


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"@graph": [1]}'])
def test_what_is_no_crate_is_said(content: bytes) -> None:
    assert check_crate(content, NAMES) == [f"{NAME}: it is not JSON-LD with a graph of entities"]


validator = pytest.mark.skipif(
    run.python_of_tools() is None, reason=f"roc-validator is not installed: {run.INSTALL}"
)


@validator
def test_validator_passes_every_required_check(unpacked: Path) -> None:
    said: list[str] = []
    assert roc.validate(unpacked, said.append) == []
    assert "workflow-run-crate-0.5: all required checks pass" in said[0]


@validator
def test_validator_finds_what_is_wrong(unpacked: Path) -> None:
    made = json.loads((unpacked / NAME).read_text(encoding="utf-8"))
    text = json.dumps(made | {"@graph": WRONG["no run"][0](made["@graph"])})
    (unpacked / NAME).write_text(text, encoding="utf-8")
    said = roc.validate(unpacked, lambda _: None)
    assert said and all(line.partition(":")[0].endswith(("-0.5", "-1.0", "-1.1")) for line in said)


def test_missing_validator_is_said_and_is_no_error(
    unpacked: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(run.PYTHON_OF_TOOLS, str(unpacked / "nowhere"))
    said: list[str] = []
    assert roc.validate(unpacked, said.append) == []
    assert "not validated, because roc-validator is not installed (make validator)" in said[0]
