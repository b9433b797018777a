"""A study in a folder of its own uses the workflow as a module."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import rendering
from tiny_project import CONFIG, TINY_CSV, Project, commit_all

NOTHING_ELSE = {"config.yaml", "data", "Snakefile"}
ESTIMATES, PROVENANCE = "results/measured/estimates.csv", "results/measured/provenance.json"


@pytest.fixture
def tool(fresh: Project) -> Project:
    """A checkout of the tool, with no data of its own."""
    (fresh.folder / "config.yaml").unlink()
    shutil.rmtree(fresh.folder / "data")
    return fresh


@pytest.fixture
def study(tool: Project, tmp_path: Path) -> Project:
    """A study beside the tool: the tiny datasets, and the Snakefile that `make new` writes."""
    folder = tmp_path / "studies" / "mine"
    script = tool.folder / "tools" / "setup" / "new_study.py"
    subprocess.run([sys.executable, script, folder], check=True, capture_output=True)
    snakefile = (folder / "Snakefile").read_text(encoding="utf-8")
    shutil.rmtree(folder)
    (folder / "data" / "raw").mkdir(parents=True)
    shutil.copy(CONFIG / "tiny.csv", folder / TINY_CSV)
    shutil.copy(CONFIG / "tiny.yaml", folder / "config.yaml")
    (folder / "Snakefile").write_text(snakefile, encoding="utf-8")
    assert {path.name for path in folder.iterdir()} == NOTHING_ELSE
    return Project(folder)


def report(tool: Project, study: Project, arguments: str) -> list[str]:
    """The command of `make report STUDY=...`, in the folder of the tool."""
    return [*tool.make_command(arguments), f"STUDY={study.folder}"]


def files(project: Project) -> list[Path]:
    """All but what Python keeps beside its sources."""
    return sorted(p for p in project.folder.rglob("*") if "__pycache__" not in p.parts)


def test_plan_is_that_of_a_project(tool: Project, study: Project, template: Project) -> None:
    plan = tool.run(report(tool, study, "-n")).plan
    assert plan == template.copy(study.folder.parent / "project").make_report("-n").plan
    assert {"render_report", "render_index"} <= set(plan)


@pytest.mark.slow
def test_results_are_made_in_the_study_and_nothing_in_the_tool(
    tool: Project, study: Project
) -> None:
    tool.ready_make()  # links the environment
    commit_all(tool.folder)
    before = files(tool)
    run = tool.run(report(tool, study, f"{ESTIMATES} {PROVENANCE}"))
    assert run.code == 0, run.console
    assert files(tool) == before
    estimates = pd.read_csv(study.folder / ESTIMATES)
    assert estimates["estimate"].notna().sum() > 10
    made = json.loads(study.read(PROVENANCE))
    assert made["code"]["commit"] is not None
    assert made["study"] == {"commit": None, "changed": None}
    again = study.snakemake("-n", "--quiet", "host", "--", ESTIMATES, PROVENANCE)
    assert "Nothing to be done" in again.console


def test_mistakes_are_sentences_that_name_the_studys_files(tool: Project, study: Project) -> None:
    study.edit("config.yaml", "file: data/raw/tiny.csv", "file: data/raw/tine.csv")
    run = tool.run(report(tool, study, "-n"))
    assert run.code != 0
    problem = "there is no file 'data/raw/tine.csv'"
    assert next(each for each in run.sentences if problem in each).startswith("config.yaml: ")


def test_sums_are_checked_where_they_are_listed(tool: Project, study: Project) -> None:
    study.write("data/raw/SHA256SUMS", f"{'0' * 64}  tiny.csv\n")
    checked = "data/processed/checked/measured.json"
    run = tool.run(report(tool, study, checked))
    assert run.code != 0
    assert any("the file has changed" in each for each in run.sentences), run.console
    (study.folder / "data/raw/SHA256SUMS").unlink()
    run = tool.run(report(tool, study, checked))
    assert run.code == 0, run.console


def test_file_is_described_in_the_study(tool: Project, study: Project) -> None:
    command = [*tool.ready_make(), "describe", f"STUDY={study.folder}"]
    run = tool.run(command, {"FILE": TINY_CSV, "FORMAT": ""})
    assert run.code == 0, run.console
    assert f"file: {TINY_CSV}" in run.console


def test_tool_may_stand_inside_the_study(tool: Project, study: Project) -> None:
    """As a submodule of git."""
    inside = study.folder / "groupwise"
    os.rename(tool.folder, inside)
    text = study.read("Snakefile")
    path = text.partition('snakefile:\n        "')[2].partition('"')[0]
    study.write("Snakefile", text.replace(path, "groupwise/Snakefile"))
    run = study.snakemake("-n", "--quiet", "host")
    assert run.code == 0, run.console


def test_references_of_a_study_come_after_those_of_reports(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared, study = tmp_path / "shared.bib", tmp_path / "study"
    study.mkdir()
    monkeypatch.chdir(study)
    shared.write_text("@book{a}\n", encoding="utf-8")
    rendering._add_references(shared)
    assert shared.read_text(encoding="utf-8") == "@book{a}\n"
    (study / "references.bib").write_text("@book{b}\n", encoding="utf-8")
    rendering._add_references(shared)
    assert shared.read_text(encoding="utf-8").split() == ["@book{a}", "@book{b}"]
