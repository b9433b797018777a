"""The parts of the archive that need no workflow: what needs what, pages, platforms, runtimes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from archive import environment, exhibits, runtimes
from archive.checkout import read_checkout
from archive.codebook import section
from archive.container import write_zip
from archive.errors import ArchiveError
from archive.plan import Job, Plan


def job(
    rule: str,
    inputs: list[str],
    outputs: list[str],
    *,
    code: tuple[str, ...] = (),
    **wildcards: str,
) -> Job:
    return Job(
        rule=rule,
        script=f"workflow/scripts/{rule}.py",
        wildcards=wildcards,
        inputs=tuple(inputs),
        code=code,
        outputs=tuple(outputs),
        benchmark=f"benchmarks/jobs/{rule}.jsonl",
        missing=False,
    )


DRAWN_BY = ("figures/points.py", "figures/style.py")
PLAN = Plan(
    config={"datasets": {"a": {"file": "data/raw/a.csv"}, "b": {"file": "b.csv"}, "c": {}}},
    config_files=("config.yaml",),
    jobs=(
        job("read", ["data/raw/a.csv"], ["a.parquet"], code=("code.py",), dataset="a"),
        job("read", ["b.csv"], ["b.parquet"], dataset="b"),
        job("draw", ["a.parquet"], ["a/points.svg"], code=DRAWN_BY, figure="points"),
        job("simulate", [], ["c.csv"], dataset="c"),
        job("index", ["a/points.svg", "b.parquet", "c.csv", "index.qmd"], ["index.html"]),
    ),
    quarto=None,
)


def test_files_need_the_raw_files_of_all_they_are_made_from() -> None:
    assert PLAN.needs("a/points.svg") == {"data/raw/a.csv"}
    assert PLAN.needs("index.html") == {"data/raw/a.csv", "b.csv"}
    assert PLAN.needs("c.csv") == frozenset()


def test_exhibits_name_rule_script_and_code(tmp_path: Path) -> None:
    found = exhibits.list_exhibits(PLAN, tmp_path, {"a.parquet": "a copy"})
    assert [each.file for each in found] == sorted(PLAN.makers)
    by_name = {each.file: each for each in found}
    assert by_name["a/points.svg"].code == "figures/points.py"
    assert by_name["index.html"].code == "index.qmd"
    assert by_name["index.html"].needs == "b.csv data/raw/a.csv"
    assert (by_name["a.parquet"].archived, by_name["b.parquet"].archived) == ("a copy", "yes")
    assert exhibits.read_exhibits(exhibits.write_exhibits(found)) == found


def test_folder_that_a_job_makes_is_listed_by_its_files(tmp_path: Path) -> None:
    (tmp_path / "made/deep").mkdir(parents=True)
    (tmp_path / "made/deep/x.csv").touch()
    plan = Plan(PLAN.config, (), (job("many", [], ["made"]),), None)
    (found,) = exhibits.list_exhibits(plan, tmp_path, {})
    assert (found.file, found.kind) == ("made/deep/x.csv", "table")


def test_runtimes_are_those_of_the_last_repeat(tmp_path: Path) -> None:
    folder = tmp_path / "benchmarks/jobs"
    folder.mkdir(parents=True)
    lines = [{"s": 9.0, "cpu_time": 9, "max_rss": 9}, {"s": 1.5, "cpu_time": 1, "max_rss": "NA"}]
    (folder / "index.jsonl").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    (found,) = runtimes.read_runtimes(tmp_path, PLAN)
    assert (found.rule, found.seconds) == ("index", 1.5)
    assert runtimes.write_runtimes([found]).decode().splitlines()[1] == "index,,1.50,1.00,nan"
    (rule,) = runtimes.by_rule([found])
    assert (rule.jobs, rule.longest) == (1, 1.5)


def test_section_of_a_page_is_found_by_the_name_of_the_file() -> None:
    page = "# Data\n\n## one.csv\n\nFirst.\n\n### Rights\n\nNone.\n\n## two.csv\n\nSecond.\n"
    assert section(page, "data/raw/one.csv") == "First.\n\n### Rights\n\nNone."
    assert section(page, "two.csv") == "Second."
    assert section(page, "three.csv") == ""


def test_platform_is_the_same_where_all_that_counts_is() -> None:
    here = environment.describe(None)
    assert environment.differences(here, here, "numpy==1.0 \\\n") == []
    more = {"packages": here["packages"] | {"numpy": "1.0", "unlocked": "1"}, "cores": 99}
    assert environment.differences(here | more, here, "numpy==1.0 \\\n") == ["packages (numpy)"]
    assert environment.differences(here | more, here, "scipy==1.0 \\\n") == []
    (said,) = environment.differences(here | {"machine": "riscv"}, here, "")
    assert said.startswith("machine (riscv; here ")


def test_environment_names_no_folder() -> None:
    text = json.dumps(environment.describe(None))
    assert sys.prefix not in text and str(Path.cwd()) not in text


def test_what_a_killed_process_left_is_removed_and_a_living_ones_is_not(tmp_path: Path) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    left, kept = (tmp_path / f".a.zip.{pid}.partial" for pid in (dead.pid, os.getppid()))
    for path in (left, kept):
        path.write_bytes(b"PK half")
    write_zip(tmp_path / "a.zip", {"x": b"1"}, datetime(2026, 1, 2, tzinfo=UTC))
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["a.zip", kept.name])


def test_repository_around_the_project_is_not_its_own(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    (tmp_path / "project").mkdir()
    for folder in (tmp_path, tmp_path / "project"):
        with pytest.raises(ArchiveError, match="is no git repository with a commit; run `git init"):
            read_checkout(folder, dirty=False)


def test_link_in_the_source_is_refused(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    (tmp_path / "link").symlink_to("/etc/passwd")
    who = ["-c", "user.name=n", "-c", "user.email=n@example.org"]
    for command in (["add", "-A"], [*who, "commit", "-q", "-m", "x"]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    with pytest.raises(ArchiveError, match="link: it is a symbolic link"):
        read_checkout(tmp_path, dirty=False)
