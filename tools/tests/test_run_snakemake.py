"""Snakemake's scheduler, as `make report` has it: one look for jobs a second, however many ended."""

import threading
from types import SimpleNamespace

import pytest
from run_snakemake import look_again_once, mend_scheduler
from snakemake.scheduling.job_scheduler import JobScheduler

SOON, LONG = 0.05, 60


def test_one_look_is_pending_at_a_time_and_the_next_can_follow() -> None:
    scheduler = SimpleNamespace(_open_jobs=threading.Semaphore(0))
    for _ in range(2):
        for _ in range(20):
            look_again_once(scheduler, SOON)
        assert scheduler._open_jobs.acquire(timeout=LONG)
        assert not scheduler._open_jobs.acquire(timeout=4 * SOON)


def test_snakemake_has_the_function_that_is_put_right(monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = JobScheduler._schedule_reevalutation
    monkeypatch.setattr(JobScheduler, "_schedule_reevalutation", theirs)  # and back afterwards
    mend_scheduler()
    assert JobScheduler._schedule_reevalutation is look_again_once
