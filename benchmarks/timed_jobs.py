"""Run Snakemake, and write down what the script of each job costs; called by scaling.py.

    PYTHONPATH=tools/console python benchmarks/timed_jobs.py ACCOUNT [Snakemake's options]

Snakemake runs scripts with `sys.executable`. Here that is this file again, which runs the script by
the real Python and adds a line of JSON to ACCOUNT, in the order in which jobs end: the whole process,
from its start to its end, as the operating system saw it. Nothing large is imported: a child's peak of
memory is never reported below that of the process it comes from.
"""

import importlib.util
import json
import os
import re
import shlex
import subprocess
import sys
import time

JOB = "--job"


def written_log(script: str) -> list[str]:
    """Rule, dataset and what else tells a job from others, from the log its script names."""
    with open(script, "rb") as stream:
        found = re.search(rb"logs/([\w/-]+)\.log", stream.read())
    assert found is not None, script
    return found[1].decode().split("/")


def run_job(account: str, command: list[str]) -> int:
    """Run a script, and write down its rule, processor and clock seconds, and peak of memory."""
    rule, *which = written_log(command[-1])
    start = time.perf_counter()
    with subprocess.Popen([sys.executable, *command]) as child:
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    unit = 1e-6 if sys.platform == "darwin" else 1024e-6
    found = {
        "rule": rule,
        "which": " ".join(which[1:]),
        "cpu": usage.ru_utime + usage.ru_stime,
        "wall": time.perf_counter() - start,
        "peak_mb": usage.ru_maxrss * unit,
    }
    with open(account, "a", encoding="utf-8") as stream:
        stream.write(json.dumps(found) + "\n")
    return child.returncode


if __name__ == "__main__":
    if sys.argv[1] == JOB:
        sys.exit(run_job(sys.argv[2], sys.argv[3:]))
    from snakemake.cli import main

    if importlib.util.find_spec("run_snakemake"):  # tools/console of the checkout, on the path
        from run_snakemake import mend_scheduler

        mend_scheduler()
    own, account = os.path.abspath(__file__), os.path.abspath(sys.argv[1])
    sys.executable = shlex.join([sys.executable, own, JOB, account])
    main(sys.argv[2:])
