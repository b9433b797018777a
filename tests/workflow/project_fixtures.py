"""Projects to run: a fresh one, and one in which everything was made."""

from __future__ import annotations

import contextlib
import fcntl
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from tiny_project import (
    ELSEWHERE,
    MADE_ELSEWHERE,
    Project,
    commit_all,
    make_data,
    make_project,
)


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    """A folder that all workers of pytest-xdist share."""
    folder = tmp_path_factory.getbasetemp()
    return folder.parent if hasattr(request.config, "workerinput") else folder


@pytest.fixture(scope="session")
def template(shared: Path) -> Project:
    """A project in which nothing was run. Copy it to run it."""
    with _made_once(shared / "template") as (folder, missing):
        if missing:
            make_project(folder)
    return Project(folder)


@pytest.fixture(scope="session")
def finished(shared: Path, template: Project) -> Project:
    """A project in which `make report` ran to its end. Copy it to change it.

    What the run wrote to the console is in console.txt, its exit status in the last line.
    """
    with _made_once(shared / "finished") as (folder, missing):
        if missing:
            run = template.copy(folder).make_report()
            (folder / "console.txt").write_text(f"{run.console}{run.code}\n", encoding="utf-8")
    console = (folder / "console.txt").read_text(encoding="utf-8")
    assert console.endswith("\n0\n"), console
    return Project(folder)


@pytest.fixture(scope="session")
def elsewhere(shared: Path, template: Project) -> Project:
    """The same project, made with everything different that may not matter: see ELSEWHERE.

    One dataset as far as its page; of the other what families of outcomes are made of.
    """
    with _made_once(shared / "elsewhere" / "a folder, with a space") as (folder, missing):
        if missing:
            project = template.copy(folder)
            env = {key: value for each in ELSEWHERE.values() for key, value in each.env.items()}
            command = project.make_command(" ".join(MADE_ELSEWHERE), ELSEWHERE["cores"].cores)
            run = project.run(command, env)
            assert run.code == 0, run.console
    return Project(folder)


@pytest.fixture(scope="session")
def archived(shared: Path, finished: Project) -> Project:
    """A finished project in a repository of its own, with one archive of it."""
    with _made_once(shared / "archived") as (folder, missing):
        if missing:
            project = finished.copy(folder)
            commit_all(folder)
            run = project.make("archive")
            assert run.code == 0, run.console
            project.write(".git/console.txt", run.console)
    return Project(folder)


@pytest.fixture
def bare(tmp_path: Path) -> Project:
    """The files that a user writes, and no workflow: for the checks of in_process.py."""
    return make_data(tmp_path / "project")


@pytest.fixture
def fresh(template: Project, tmp_path: Path) -> Project:
    """A project of the test's own, in which nothing was run."""
    return template.copy(tmp_path / "project")


@pytest.fixture
def copied(finished: Project, tmp_path: Path) -> Project:
    """A finished project of the test's own."""
    return finished.copy(tmp_path / "project")


@contextlib.contextmanager
def _made_once(folder: Path) -> Iterator[tuple[Path, bool]]:
    """A folder for the first worker that comes to fill, and whether this is the first."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    done = folder.with_suffix(".done")
    with folder.with_suffix(".lock").open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        missing = not done.exists()
        if missing:
            shutil.rmtree(folder, ignore_errors=True)
        yield folder, missing
        done.touch()
