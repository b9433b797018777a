"""What a call or a process costs, and the rows of the table of measurements."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Cost:
    """Processor seconds (user and system), clock seconds, and the peak of resident memory in MB."""

    cpu: float
    wall: float
    peak_mb: float | None = None


def best(run: Callable[[], Any], times: int) -> Cost:
    """The least of several runs in this process, after one that warms up."""
    run()
    costs = []
    for _ in range(times):
        cpu, wall = time.process_time(), time.perf_counter()
        run()
        costs.append((time.process_time() - cpu, time.perf_counter() - wall))
    return Cost(*(min(each) for each in zip(*costs, strict=True)))


def process(command: Sequence[str], env: Mapping[str, str] | None = None) -> tuple[Cost, str]:
    """A whole process, from its start to its end, and what it prints.

    `env` is added to the variables of the environment.

    `peak_mb` is the operating system's figure, which on Linux is never below that of this process.

    Raises
    ------
    RuntimeError
        If the command fails, with the end of what it said.
    """
    wall = time.perf_counter()
    variables = {**os.environ, **(env or {})}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=variables
    ) as child:
        assert child.stdout is not None
        said = child.stdout.read()
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise RuntimeError(f"{command[0]} failed: {said.strip()[-500:]}")
    unit = 1e-6 if sys.platform == "darwin" else 1024e-6
    cpu = usage.ru_utime + usage.ru_stime
    return Cost(cpu, time.perf_counter() - wall, usage.ru_maxrss * unit), said


@dataclass(frozen=True)
class Row:
    """One line of the table: a cost of ours, and a target it is held to.

    Attributes
    ----------
    what : the task
    ours : seconds, or megabytes if `unit` is "MB"
    wall : the same by the clock, where it was measured
    rival, theirs : another program and its cost of the same; None where it is not installed
    at_least : theirs / ours must not be below this
    at_most : ours must not be above this
    """

    what: str
    ours: float
    wall: float | None = None
    rival: str = ""
    theirs: float | None = None
    at_least: float | None = None
    at_most: float | None = None
    unit: str = "s"

    @property
    def ratio(self) -> float | None:
        return None if self.theirs is None else self.theirs / self.ours

    @property
    def target(self) -> str:
        if self.at_least is not None:
            return f"≥ {self.at_least:g} x"
        return "" if self.at_most is None else f"< {quantity(self.at_most, self.unit)}"

    @property
    def met(self) -> str:
        if self.at_most is not None:
            return "yes" if self.ours < self.at_most else "NO"
        if self.at_least is None:
            return ""
        return "not run" if self.ratio is None else "yes" if self.ratio >= self.at_least else "NO"

    def cells(self) -> list[str]:
        """What the table prints."""
        return [
            self.what,
            self.target,
            quantity(self.ours, self.unit),
            "" if self.wall is None else quantity(self.wall, self.unit),
            self.rival,
            "" if self.theirs is None else quantity(self.theirs, self.unit),
            "" if self.ratio is None else f"{self.ratio:,.{1 if self.ratio < 100 else 0}f} x",
            self.met,
        ]


HEADER = ["task", "target", "groupwise", "by the clock", "beside", "takes", "ratio", "met"]


def quantity(value: float, unit: str) -> str:
    """Three digits with the unit that fits: 0.0123 s is 12.3 ms."""
    if unit == "MB":
        return f"{value:,.0f} MB"
    for factor, name in ((1, "s"), (1e3, "ms"), (1e6, "µs")):
        if value * factor >= 1 or name == "µs":
            break
    scaled = value * factor
    return f"{scaled:,.{2 if scaled < 10 else 1 if scaled < 100 else 0}f} {name}"
