"""Slurm on this machine alone: one node on the loopback interface, without accounting.

From Debian's packages slurm-wlm and munge, started by hand as root. The configuration must lie in
/etc/slurm, as Slurm does not pass SLURM_CONF on to the steps of a job; one that is there already is
another's, and nothing is started.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

CONFIGURATION = Path("/etc/slurm/slurm.conf")
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scontrol", "runuser")
MUNGE_FOLDER = Path("/run/munge")
CPUS, MEMORY = 4, 16_000
SECONDS = 60
"""For each of the daemons to answer."""

# What the machine has is not asked for (config_overrides): jobs are small, whatever they request.
# The gatherer of accounting data for Linux ends slurmd's steps with a crash on some kernels.
MARK = "# Written by tests/workflow/loopback_slurm.py.\n"
TEXT = """\
ClusterName=loopback
SlurmctldHost=localhost(127.0.0.1)
SlurmctldPort={controller}
SlurmdPort={node}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SlurmdParameters=config_overrides
ReturnToService=2
MinJobAge=3600
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
NodeName=localhost NodeAddr=127.0.0.1 CPUs={cpus} RealMemory={memory} State=UNKNOWN
PartitionName=main Nodes=localhost Default=YES MaxTime=INFINITE State=UP
"""


def why_not() -> str:
    """Why Slurm cannot be started here; empty where it can."""
    if os.geteuid() != 0:
        return "only root can start Slurm"
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing:
        return f"not installed: {', '.join(missing)} (Debian: slurm-wlm, munge)"
    if CONFIGURATION.exists() and not CONFIGURATION.read_text().startswith(MARK):
        return f"{CONFIGURATION} is another Slurm's"
    if CONFIGURATION.exists() and answers("scontrol", "ping"):
        return "another run of these tests has started Slurm"
    return ""


@dataclass(frozen=True)
class SlurmJob:
    """One submission, as Slurm remembers it: its state, what was asked for, and Snakemake's comment."""

    number: int
    state: str
    cpus: int
    memory_mb: int
    minutes: int
    comment: str


def numbers() -> list[int]:
    """Of all submissions so far, the oldest first."""
    listed = said("squeue", "--states=all", "--noheader", "--format=%i")
    return sorted(int(number) for number in listed.split())


def slurm_job(number: int) -> SlurmJob:
    """What Slurm remembers of a submission that has a limit of time, below a day, and of memory."""
    text = said("scontrol", "--oneliner", "show", "job", str(number))
    found = dict(word.split("=", 1) for word in text.split() if "=" in word)
    hours, minutes, _ = found["TimeLimit"].split(":")
    amount, unit = found["MinMemoryNode"][:-1], found["MinMemoryNode"][-1]
    return SlurmJob(
        number,
        found["JobState"],
        int(found["NumCPUs"]),
        round(float(amount) * {"M": 1, "G": 1024}[unit]),
        60 * int(hours) + int(minutes),
        found["Comment"],
    )


def said(*command: str) -> str:
    """What a command prints."""
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@contextlib.contextmanager
def running_slurm(folder: Path) -> Iterator[None]:
    """Start Slurm with its files in `folder`, and stop it at the end."""
    started: list[subprocess.Popen[bytes]] = []
    for part in ("state", "spool"):
        (folder / part).mkdir(parents=True)
    controller, node = free_ports(2)
    CONFIGURATION.write_text(
        MARK
        + TEXT.format(folder=folder, controller=controller, node=node, cpus=CPUS, memory=MEMORY)
    )
    try:
        if not answers("munge", "--no-input"):
            MUNGE_FOLDER.mkdir(exist_ok=True)
            shutil.chown(MUNGE_FOLDER, "munge", "munge")
            started.append(start(folder, "runuser", "-u", "munge", "--", "munged", "-F", "--force"))
            wait_for("munge", "--no-input")
        started.append(start(folder, "slurmctld", "-D"))
        wait_for("scontrol", "ping")
        started.append(start(folder, "slurmd", "-D", "-N", "localhost"))
        wait_for("srun", "--immediate=1", "true")
        yield
    finally:
        for process in reversed(started):
            stop(process)
        CONFIGURATION.unlink()


def start(folder: Path, *command: str) -> subprocess.Popen[bytes]:
    """A daemon in the foreground, in a session of its own."""
    with (folder / "console.log").open("ab") as log:
        return subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a daemon, and what it started."""
    process.terminate()
    try:
        process.wait(timeout=20)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def answers(*command: str) -> bool:
    """Whether a command succeeds; `scontrol ping` does so too where it finds nobody."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode == 0 and "DOWN" not in done.stdout


def wait_for(*command: str) -> None:
    """Until a command succeeds."""
    end = time.monotonic() + SECONDS
    while True:
        if answers(*command):
            return
        if time.monotonic() > end:
            raise TimeoutError(f"{' '.join(command)} does not succeed")
        time.sleep(0.2)


def free_ports(count: int) -> list[int]:
    """Ports of the loopback interface that nothing listens on."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
