"""A run that is stopped leaves nothing half-written that passes for finished."""

from __future__ import annotations

import os
import signal
import subprocess
import time

import pytest
from tiny_project import Project, Run

TARGET = "results/drawn/diagnostics.csv"
SEEN = "results/drawn/specifications/*/*.csv"  # a model's first table, its others not yet written
PATIENCE = 300.0  # seconds


def stop_during(project: Project, seen: str, how: signal.Signals) -> None:
    """Start a run, and signal all of its processes once a file of this pattern appears."""
    process = subprocess.Popen(
        project.make_command(TARGET),
        cwd=project.folder,
        env=project.environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        end = time.monotonic() + PATIENCE
        while not any(project.folder.glob(seen)):
            assert process.poll() is None, "the run ended before it could be stopped"
            assert time.monotonic() < end
            time.sleep(0.001)
        os.killpg(process.pid, how)
        process.wait(timeout=PATIENCE)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def visible(project: Project) -> dict[str, bytes]:
    """Digest of what was made, but for the hidden files that tables are written to at first."""
    return {name: digest for name, digest in project.made().items() if "/." not in name}


def run_again(project: Project, how: signal.Signals) -> Run:
    """The next run; after a kill, Snakemake asks first whether no other run is under way."""
    run = project.make_report(TARGET)
    if how == signal.SIGKILL:
        assert run.code != 0
        assert "--unlock" in run.console
        assert project.make_report("--unlock").code == 0
        run = project.make_report(TARGET)
    return run


def test_failed_job_is_not_forgotten(copied: Project) -> None:
    module = "workflow/scripts/groupwise/specifications/pooled.py"
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
