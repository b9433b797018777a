"""What Snakemake would run: in a fresh copy, and after each kind of change."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
import yaml
from figure_list import needed_roles
from settings import METHODS_PACKAGE
from tiny_project import ROOT, TINY_CSV, Project

DRY = "--dry-run"
DATASETS = ("drawn", "measured")
PACKAGE = "workflow/scripts/groupwise"
POOLED = f"workflow/scripts/{METHODS_PACKAGE.replace('.', '/')}/pooled.py"
COMMENT = "\n# An edit.\n"
PER_DATASET = {
    "ingest_data",
    "check_data",
    "fit_models",
    "check_model",
    "simulate_calibration",
    "judge_methods",
    "plan_experiment",
    "check_sensitivity",
    "draw_figures",
    "record_provenance",
    "render_report",
    "write_exports",
}


READ = {"check_data", "ingest_data"}
JUDGED = {
    *(
        "judge_methods",
        "draw_figures",
        "render_report",
        "render_index",
        "write_exports",
    ),
}
"""What follows from another verdict."""


def append(project: Project, name: str, text: str = COMMENT) -> None:
    project.write(name, project.read(name) + text)


def plan(project: Project) -> dict[str, set[str]]:
    return project.make_report(DRY).plan


def datasets_in(jobs: dict[str, set[str]]) -> set[str]:
    return {each.partition("/")[0] for wildcards in jobs.values() for each in wildcards}


@pytest.mark.parametrize("way", ["make report", "snakemake"])
def test_fresh_copy_has_a_plan(fresh: Project, way: str) -> None:
    assert not (fresh.folder / ".git").exists()
    run = fresh.make_report(DRY) if way == "make report" else fresh.snakemake("-n")
    assert run.code == 0, run.console
    for rule in PER_DATASET:
        assert re.search(rf"^ *{rule} ", run.console, re.MULTILINE), rule
    assert list((fresh.folder / "results").glob("*")) == []


def test_plan_of_the_projects_own_datasets(fresh: Project) -> None:
    for name in ("config.yaml", "data/raw/SHA256SUMS", "data/raw/star_kindergarten.csv"):
        fresh.write(name, (ROOT / name).read_bytes())
    jobs = plan(fresh)
    named = set(yaml.safe_load(fresh.read("config.yaml"))["datasets"])
    assert {*DATASETS} != named == jobs["ingest_data"] == jobs["render_report"]
    assert jobs["simulate_data"] == {"flipped_classroom"}
    assert PER_DATASET | {
        "simulate_data",
        "adjust_families",
        "render_index",
        "write_schema",
    } == set(jobs)


def test_plan_has_every_dataset_and_figure(fresh: Project) -> None:
    listed = fresh.snakemake("--summary").console
    jobs = plan(fresh)
    assert jobs["fit_models"] == {*DATASETS}
    assert jobs["draw_figures"] == {*DATASETS}
    for name, role in needed_roles().items():
        for dataset in DATASETS:
            assert (f"results/{dataset}/figures/{name}.svg" in listed) == (not role)


def test_no_figure_needs_a_role_that_no_rule_draws_for() -> None:
    assert set(needed_roles().values()) == {"", "period"}


def test_figures_of_periods_are_planned_where_a_column_says_when_rows_were_measured(
    fresh: Project,
) -> None:
    text = fresh.read("config.yaml")
    head, mark, block = text.partition("  measured:")
    block = block.replace("group: class}", "group: class, period: age}")
    fresh.write("config.yaml", head + mark + block)
    jobs = plan(fresh)
    assert jobs["draw_period_figures"] == {"measured"}
    assert jobs["draw_figures"] == {*DATASETS}


def test_nothing_to_do_where_nothing_changed(copied: Project) -> None:
    assert plan(copied) == {}


@pytest.mark.parametrize(
    ("dataset", "old", "new"),
    [
        ("drawn", "mean: 50", "mean: 60"),
        ("drawn", "title: Tiny, simulated", "title: Renamed"),
        ("measured", "title: Tiny, from a file", "title: Renamed"),
        ("measured", "file: data/raw/tiny.csv", "file: data/raw/tiny.csv\n    conf_level: 0.9"),
        ("measured", "file: data/raw/tiny.csv", "file: data/raw/tiny.csv\n    note: A note."),
    ],
)
def test_changed_block_reruns_its_dataset_only(
    copied: Project, dataset: str, old: str, new: str
) -> None:
    copied.edit("config.yaml", old, new)
    jobs = plan(copied)
    assert datasets_in(jobs) == {dataset}
    assert {"ingest_data", "render_report", "render_index"} <= set(jobs)


def test_changed_simulation_is_drawn_anew(copied: Project) -> None:
    copied.edit("config.yaml", "seed: 1", "seed: 2")
    assert plan(copied)["simulate_data"] == {"drawn"}


def test_changed_raw_file_is_read_anew(copied: Project) -> None:
    text = copied.read(TINY_CSV)
    value = text.splitlines()[1].split(",")[3]
    copied.write(TINY_CSV, text.replace(value, "44.4", 1))
    jobs = plan(copied)
    assert datasets_in(jobs) == {"measured"}
    assert PER_DATASET | {"render_index"} == set(jobs)


def test_dataset_taken_out_leaves_the_others(copied: Project) -> None:
    head, _, _ = copied.read("config.yaml").partition("  measured:")
    copied.write("config.yaml", head)
    assert set(plan(copied)) == {"render_index"}


def test_dataset_put_in_leaves_the_others(copied: Project) -> None:
    head, mark, block = copied.read("config.yaml").partition("  measured:")
    copied.write("config.yaml", f"{head}{mark}{block}\n  more:{block}")
    assert datasets_in(plan(copied)) == {"more"}


def test_another_configfile_adds_a_dataset(copied: Project) -> None:
    _, _, block = copied.read("config.yaml").partition("  measured:")
    copied.write("more.yaml", f"datasets:\n  more:{block}")
    jobs = copied.make_report(f"{DRY} --configfile more.yaml").plan
    assert datasets_in(jobs) == {"more"}


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        (f"{PACKAGE}/figures/arm_means.py", {"draw_figures", "render_report", "render_index"}),
        ("reports/report.qmd", {"render_report", "render_index"}),
        ("reports/index.qmd", {"render_index"}),
        ("reports/theme.scss", {"render_report", "render_index"}),
        (
            POOLED,
            PER_DATASET - READ | {"render_index"},
        ),
        (
            f"{PACKAGE}/diagnostics/checks.py",
            {
                *("check_model", "record_provenance", "render_report", "render_index"),
                "write_exports",
            },
        ),
        (
            f"{PACKAGE}/diagnostics/influence.py",
            {
                *("check_sensitivity", "draw_figures", "render_report", "render_index"),
                "write_exports",
            },
        ),
        (
            f"{PACKAGE}/data/simulate.py",
            PER_DATASET | {"simulate_data", "render_index"},
        ),
        (
            f"{PACKAGE}/simulation/measures.py",
            JUDGED,
        ),
        (
            f"{PACKAGE}/simulation/estimation.py",
            PER_DATASET - READ - {"check_sensitivity"} | {"render_index"},
        ),
        # Words of methods, of the verdict and of the report fit nothing and simulate nothing.
        (f"{PACKAGE}/catalogue/methods.py", JUDGED | {"write_schema"}),
        (f"{PACKAGE}/verdict/rules.py", JUDGED),
        (f"{PACKAGE}/report/prose.py", {"render_report", "render_index"}),
    ],
    ids=lambda value: Path(value).name if isinstance(value, str) else "",
)
def test_edited_code_reruns_what_uses_it(copied: Project, file: str, expected: set[str]) -> None:
    append(copied, file)
    assert set(plan(copied)) == expected


def test_code_counts_by_its_content_and_not_by_its_times(copied: Project) -> None:
    package = copied.folder / PACKAGE
    for path in package.rglob("*.py"):
        path.touch()
    assert plan(copied) == {}
    edited = copied.folder / POOLED
    long_ago = (edited.stat().st_mtime - 1e6,) * 2
    append(copied, POOLED)
    os.utime(edited, long_ago)
    assert "fit_models" in plan(copied)


def test_reworded_sentence_of_the_verdict_fits_and_simulates_nothing(copied: Project) -> None:
    copied.edit(
        f"{PACKAGE}/verdict/rules.py",
        "{method} does not apply to this design.",
        "To this design {method} does not apply.",
    )
    assert set(plan(copied)) == JUDGED


def test_relabelled_method_fits_and_simulates_nothing(copied: Project) -> None:
    copied.edit(f"{PACKAGE}/catalogue/methods.py", 'label="Mixed model, z"', 'label="Mixed, z"')
    assert set(plan(copied)) == JUDGED | {"write_schema"}


def test_another_headline_fits_nothing(copied: Project) -> None:
    copied.edit("config.yaml", "headline: mixed_wald", "headline: ols_classical")
    assert set(plan(copied)) == JUDGED


@pytest.mark.parametrize(
    ("file", "rule", "job"),
    [
        ("reports/rendered/drawn.html", "render_report", "drawn"),
        ("results/drawn/figures/arm_means.png", "draw_figures", "drawn"),
        ("results/drawn/estimates.csv", "fit_models", "drawn"),
        ("results/drawn/residuals.parquet", "fit_models", "drawn"),
        ("results/drawn/influence.csv", "check_sensitivity", "drawn"),
        ("data/processed/measured.parquet", "ingest_data", "measured"),
        ("data/processed/checked/measured.json", "check_data", "measured"),
        ("data/processed/simulated/drawn.csv", "simulate_data", "drawn"),
    ],
    ids=lambda value: Path(value).name if "." in value else "",
)
def test_removed_file_is_missed(copied: Project, file: str, rule: str, job: str) -> None:
    (copied.folder / file).unlink()
    jobs = plan(copied)
    assert jobs[rule] == {job}
    assert "render_index" in jobs


def test_checksum_of_another_file_changes_nothing(copied: Project) -> None:
    copied.write("data/raw/SHA256SUMS", f"{'0' * 64}  another.csv\n")
    assert plan(copied) == {}


def test_another_number_of_jobs_simulates_anew_and_changes_nothing_else(copied: Project) -> None:
    copied.edit("config.yaml", "jobs: 2", "jobs: 3")
    assert plan(copied)["simulate_calibration"] == {
        f"{dataset}/{chunk}/3" for dataset in DATASETS for chunk in (1, 2, 3)
    }


def test_rules_of_the_verdict_simulate_nothing(copied: Project) -> None:
    copied.edit("config.yaml", "headline: mixed_wald", "verdict: {as_powerful: 0.02}")
    assert set(plan(copied)) == JUDGED


def test_rates_that_decide_are_simulated_until_they_are_settled(copied: Project) -> None:
    copied.edit("config.yaml", "headline: mixed_wald", "verdict: {allowance: 0.02}")
    jobs = plan(copied)
    assert set(jobs) == JUDGED | {"simulate_calibration"}


def test_assumed_effects_are_simulated_anew_for_their_dataset(copied: Project) -> None:
    before = "file: data/raw/tiny.csv"
    copied.edit("config.yaml", before, f"{before}\n    assumed_effects: {{treated: 5}}")
    jobs = plan(copied)
    assert datasets_in(jobs) == {"measured"}
    assert {"simulate_calibration", "plan_experiment"} <= set(jobs)
    assert not {"fit_models", "ingest_data"} & set(jobs)
