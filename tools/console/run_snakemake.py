"""Run Snakemake as `make report` does: the plugin beside this file on `sys.path`, two faults mended.

Snakemake 9 writes `sys.executable` into the shell command of each script without quotes, so that
no script runs where the path to .venv has a space. Quoted here, it does; other paths stay as
they are.

Its scheduler looks for jobs again a second after each look, and after each job that ends; so every job
that ends adds one look a second until all have started (github.com/snakemake/snakemake/pull/3744). A
hundred jobs later that is most of what Snakemake costs. Here one such timer runs at a time.
"""

import shlex
import sys
import threading
from typing import Any

from snakemake.cli import main
from snakemake.scheduling.job_scheduler import JobScheduler


def look_again_once(scheduler: Any, delay: float) -> None:
    """In `delay` seconds the scheduler looks for jobs, unless it is already going to."""
    if getattr(scheduler, "will_look_again", False):
        return
    scheduler.will_look_again = True

    def look_again() -> None:
        scheduler.will_look_again = False
        scheduler._open_jobs.release()

    timer = threading.Timer(delay, look_again)
    timer.daemon = True  # an end of the run does not wait for it
    timer.start()


def mend_scheduler() -> None:
    """Put `look_again_once` in the place of Snakemake's function, which must be there."""
    assert callable(JobScheduler._schedule_reevalutation), "Snakemake's scheduler has changed"
    JobScheduler._schedule_reevalutation = look_again_once


if __name__ == "__main__":
    sys.executable = shlex.quote(sys.executable)
    mend_scheduler()
    main()
