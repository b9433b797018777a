"""`make study`: a page of its own, which nothing else makes and to which the index leads."""

from __future__ import annotations

import shutil
from pathlib import Path

import in_process
import pandas as pd
import pytest
from tiny_project import CONFIG, Project

from groupwise import tidy

STUDY = "study.yaml"
PAGE = "reports/rendered/study.html"
TABLES = ("results/study/calibration.csv", "results/study/axes.csv", "results/study/rates.csv")
RULES = {"simulate_study", "gather_study", "draw_study", "render_study"}
DRY = "--dry-run"


@pytest.fixture(scope="module")
def studied(finished: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A finished project in which `make study` ran to its end; its console is in console.txt."""
    project = finished.copy(tmp_path_factory.mktemp("studied") / "project")
    shutil.copy2(CONFIG / STUDY, project.folder / STUDY)
    run = project.make_study(config=STUDY)
    assert run.code == 0, run.console
    project.write("console.txt", run.console)
    return project


@pytest.fixture
def project(studied: Project, tmp_path: Path) -> Project:
    """A copy of the test's own."""
    return studied.copy(tmp_path / "project")


@pytest.mark.slow
def test_study_from_nothing_to_its_page_and_the_link_to_it(project: Project) -> None:
    console = project.read("console.txt")
    assert f"Open {PAGE}" in console
    assert "study: simulate, part 3 of 3" in console
    axes = pd.read_csv(project.folder / "results/study/axes.csv")
    assert list(axes.columns) == list(tidy.TABLES["study_axes"]) and len(axes) == 8
    calibration = pd.read_csv(project.folder / "results/study/calibration.csv")
    assert set(calibration["scenario"]) == set(axes["scenario"])
    assert "in all 4 designs" in project.read(PAGE)
    assert project.make_study(DRY, config=STUDY).plan == {}

    # The index leads there now; and no longer once the page is gone.
    index = "reports/rendered/index.html"
    assert "study.html" not in project.read(index)
    assert set(project.make_report(DRY).plan) == {"render_index"}
    assert project.make_report().code == 0
    assert 'href="study.html"' in project.read(index)
    (project.folder / PAGE).unlink()
    assert set(project.make_report(DRY).plan) == {"render_index"}


@pytest.mark.slow
def test_numbers_do_not_depend_on_jobs_or_cores_and_what_is_done_is_kept(project: Project) -> None:
    before = [project.read(name) for name in TABLES]
    project.edit(STUDY, "jobs: 3", "jobs: 2")
    again = project.make_study("--until gather_study", config=STUDY, cores=1)
    assert again.code == 0, again.console
    assert "study: simulate, part 2 of 2" in again.console
    assert [project.read(name) for name in TABLES] == before
    (project.folder / "results/study/parts/2-of-2.parquet").unlink()
    (project.folder / "results/study/rates.csv").unlink()
    plan = project.make_study(f"{DRY} --until gather_study", config=STUDY).plan
    assert plan["simulate_study"] == {"2/2"}


def test_report_does_not_make_the_study(fresh: Project) -> None:
    assert not RULES & set(fresh.make_report(DRY).plan)
    assert set(fresh.make_study(DRY).plan) >= RULES


def test_full_profile_brings_its_own_amounts(fresh: Project) -> None:
    shutil.copy2(CONFIG / STUDY, fresh.folder / STUDY)
    plan = fresh.make_study(f"{DRY} --workflow-profile profiles/full").plan
    assert len(plan["simulate_study"]) == 64


@pytest.mark.parametrize("name", ["study", "Study"])
def test_no_dataset_is_called_study(bare: Project, name: str) -> None:
    bare.edit("config.yaml", "  measured:", f"  {name}:")
    assert in_process.check(bare).sentences == [
        f"config.yaml: datasets.{name}: the page of the general study has this name; choose another."
    ]


def test_a_mistake_in_the_study_is_one_sentence(copied: Project) -> None:
    copied.write(STUDY, "study: {group_sizes: [5]}\n")
    run = copied.make_study(DRY, config=STUDY)
    assert run.code != 0
    assert run.sentences == [
        "study.yaml: study.group_sizes: unknown key; did you mean 'group_size'?"
    ]
