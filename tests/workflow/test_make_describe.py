"""`make describe` and the target behind it."""

from __future__ import annotations

import yaml
from tiny_project import TINY_CSV, Project, Run


def make_describe(project: Project, *arguments: str) -> Run:
    (project.folder / ".venv").exists() or project.make_command()
    return project.run(["make", "-o", ".venv/.lock-stamp", "describe", *arguments])


def test_draft_can_be_pasted_and_read(fresh: Project) -> None:
    run = make_describe(fresh, f"FILE={TINY_CSV}")
    assert run.code == 0 and run.console.startswith(f"{TINY_CSV}: 30 rows, 5 columns\n")
    draft = run.console[run.console.index("datasets:") :]
    assert list(yaml.safe_load(draft)["datasets"]) == ["tiny"]
    fresh.write("more.yaml", draft)
    done = fresh.make_report("data/processed/checked/tiny.json --configfile more.yaml")
    assert done.code == 0, done.console


def test_target_writes_what_make_prints(fresh: Project) -> None:
    page = "results/describe/tiny.csv.txt"
    run = fresh.snakemake("--cores", "1", page)
    assert run.code == 0, run.console
    assert fresh.read(page) == make_describe(fresh, f"FILE={TINY_CSV}").console


def test_unfinished_configuration_is_in_nobodys_way(fresh: Project) -> None:
    fresh.write("config.yaml", "datasets: {tiny: ")
    assert make_describe(fresh, f"FILE={TINY_CSV}").code == 0


def test_mistake_is_one_sentence_and_leaves_nothing(fresh: Project) -> None:
    fresh.write(TINY_CSV, "")
    says = f"{TINY_CSV}: the file is empty; put the data in it, with a header line."
    page = "results/describe/tiny.csv.txt"
    for run in (make_describe(fresh, f"FILE={TINY_CSV}"), fresh.snakemake("--cores", "1", page)):
        assert run.code != 0 and run.sentences == [says], run.console
        assert "Traceback" not in run.console
    assert not (fresh.folder / page).exists()


def test_names_of_files_are_not_run(fresh: Project) -> None:
    name = "data/raw/a b;$(touch oops)'\".csv"
    fresh.write(name, fresh.read(TINY_CSV))
    run = make_describe(fresh, "FILE=" + name.replace("$", "$$"), "FORMAT={delimiter: ','}")
    assert run.code == 0, run.console
    assert name in run.console and not (fresh.folder / "oops").exists()
