"""A run that is stopped leaves nothing half-written that passes for finished."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tiny_project import Project, Run

TARGET = "results/drawn/diagnostics.csv"
SEEN = "results/drawn/estimates.csv"  # the first table of the models, the others not yet written
SMALL = "results/drawn/design.json"  # three jobs: simulate, check, read
LOCK = ".snakemake/locks/*"
PATIENCE = 300.0  # seconds


def _heed_interrupts() -> None:
    """What a shell starts in the background ignores Ctrl-C, and so do its children."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@contextlib.contextmanager
def started(project: Project, seen: str, target: str) -> Iterator[subprocess.Popen[bytes]]:
    """A run under way, as soon as a file of this pattern appears; it ends with the block."""
    process = subprocess.Popen(
        project.make_command(target),
        cwd=project.folder,
        env=project.environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=_heed_interrupts,
    )
    try:
        end = time.monotonic() + PATIENCE
        while not any(project.folder.glob(seen)):
            assert process.poll() is None, "the run ended before it could be stopped"
            assert time.monotonic() < end
            time.sleep(0.005)
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def stop_during(project: Project, seen: str, how: signal.Signals, target: str = TARGET) -> None:
    """Start a run, and signal all of its processes once a file of this pattern appears."""
    with started(project, seen, target) as process:
        os.killpg(process.pid, how)
        process.wait(timeout=PATIENCE)


def visible(project: Project) -> dict[str, bytes]:
    """Digest of what was made, but for the hidden files that tables are written to at first."""
    return {name: digest for name, digest in project.made().items() if "/." not in name}


def run_again(project: Project, how: signal.Signals, target: str = TARGET) -> Run:
    """The next run; after a kill, Snakemake asks first whether no other run is under way."""
    run = project.make_report(target)
    if how == signal.SIGKILL:
        assert run.code != 0
        assert "--unlock" in run.console
        assert project.make_report("--unlock").code == 0
        run = project.make_report(target)
    return run


def hidden(project: Project) -> list[str]:
    """Files that were not finished."""
    return [name for name in project.made() if "/." in name]


def test_failed_job_is_not_forgotten(copied: Project) -> None:
    """Not even where its tables are gone and those made of them are still there: `all` asks for both."""
    module = "workflow/scripts/groupwise/methods/pooled.py"
    copied.write(module, copied.read(module) + "\nraise RuntimeError('a defect')\n")
    for run in (copied.make_report(), copied.make_report(), copied.snakemake()):
        assert run.code != 0
        assert "RuntimeError: a defect" in run.console
        assert "up to date" not in run.console


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL], ids=["Ctrl-C", "kill"])
def test_stopped_run_is_completed_by_the_next(
    finished: Project, fresh: Project, how: signal.Signals
) -> None:
    stop_during(fresh, SEEN, how)
    expected = finished.made()
    assert visible(fresh).items() <= expected.items()
    assert TARGET not in visible(fresh)

    run = run_again(fresh, how)
    assert run.code == 0, run.console
    made = visible(fresh)
    assert TARGET in made
    assert made.items() <= expected.items()


@pytest.mark.slow
def test_crash_between_jobs_keeps_what_was_finished(finished: Project, fresh: Project) -> None:
    stop_during(fresh, "data/processed/checked/drawn.json", signal.SIGKILL, SMALL)
    truth = fresh.folder / "results/drawn/truth.json"
    before = truth.stat().st_mtime_ns
    assert SMALL not in visible(fresh)

    run = run_again(fresh, signal.SIGKILL, SMALL)
    assert run.code == 0, run.console
    assert truth.stat().st_mtime_ns == before
    made = visible(fresh)
    assert SMALL in made and made.items() <= finished.made().items()


@pytest.mark.slow
def test_second_run_at_the_same_time_is_refused_and_harms_nothing(
    finished: Project, fresh: Project
) -> None:
    with started(fresh, LOCK, SMALL) as first:
        os.killpg(first.pid, signal.SIGSTOP)
        second = fresh.make_report(SMALL)
        os.killpg(first.pid, signal.SIGCONT)
        assert first.wait(timeout=PATIENCE) == 0
    assert second.code != 0
    assert second.sentences == [
        "this folder: another run is under way in it; wait for its end, or if it was killed, "
        "say `make report ARGS=--unlock` and run again."
    ]
    assert "Traceback" not in second.console
    made = visible(fresh)
    assert SMALL in made and made.items() <= finished.made().items()


@pytest.fixture
def small_disk(fresh: Project) -> Iterator[Path]:
    """results/ on a disk with room for one small file; the test may make it larger."""
    folder = fresh.folder / "results"
    folder.mkdir()
    size = ["-o", "size=4k,mode=755"]
    command = ["mount", "-t", "tmpfs", *size, "tmpfs", str(folder)]
    if os.getuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("a small disk cannot be made here: it takes root, and a system that mounts")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.slow
def test_full_disk_is_one_sentence_and_room_is_enough_to_go_on(
    finished: Project, fresh: Project, small_disk: Path
) -> None:
    run = fresh.make_report(SMALL)
    assert run.code != 0
    says = f"{SMALL}: the disk is full; make room, then run again."
    assert run.sentences == [says], run.console
    assert "Traceback" not in run.console
    assert SMALL not in visible(fresh) and hidden(fresh) == []
    assert "results/drawn/truth.json" in visible(fresh)

    subprocess.run(["mount", "-o", "remount,size=1m", str(small_disk)], check=True)
    run = fresh.make_report(SMALL)
    assert run.code == 0, run.console
    made = visible(fresh)
    assert SMALL in made and made.items() <= finished.made().items()


@contextlib.contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """A folder in which nobody, root included, makes or removes a file."""
    if os.getuid() != 0:
        folder.chmod(0o555)
    elif (
        not shutil.which("chattr")
        or subprocess.run(
            ["chattr", "+i", str(folder)], capture_output=True, check=False
        ).returncode
    ):
        pytest.skip("root writes into any folder here: chattr +i does not work on this disk")
    try:
        yield
    finally:
        if os.getuid() != 0:
            folder.chmod(0o755)
        else:
            subprocess.run(["chattr", "-i", str(folder)], check=True)


@pytest.mark.slow
def test_read_only_folder_keeps_earlier_results(finished: Project, fresh: Project) -> None:
    assert fresh.make_report(SMALL).code == 0
    before = visible(fresh)
    module = "workflow/scripts/ingest_data.py"
    fresh.write(module, fresh.read(module) + "\n# An edit.\n")
    with read_only(fresh.folder / "results/drawn"):
        run = fresh.make_report(SMALL)
        assert run.code != 0
        assert len(run.sentences) == 1 and "Traceback" not in run.console, run.console
        assert run.sentences[0].startswith("results/drawn")
        results = {name for name in before if name.startswith("results/")}
        assert SMALL in results <= visible(fresh).keys()
        assert fresh.read(SMALL) == finished.read(SMALL)

    run = fresh.make_report(SMALL)
    assert run.code == 0, run.console
    assert visible(fresh) == before
