"""Seconds and memory of each job, from Snakemake's benchmark files: measured, so never compared."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from archive.plan import Job, Plan

HEADER = ("rule", "job", "seconds", "cpu_seconds", "peak_mb")


@dataclass(frozen=True)
class Runtime:
    """One job as it ran last; memory in megabytes, NaN where the job was too short to measure."""

    rule: str
    job: str
    seconds: float
    cpu_seconds: float
    peak_mb: float


@dataclass(frozen=True)
class RuleRuntime:
    """The jobs of one rule together."""

    rule: str
    jobs: int
    seconds: float
    longest: float
    peak_mb: float


def read_runtimes(folder: Path, plan: Plan) -> list[Runtime]:
    """The runtimes of all jobs whose benchmark file is there."""
    runtimes = (_runtime(folder, job) for job in plan.jobs if job.benchmark)
    return sorted(filter(None, runtimes), key=lambda each: (each.rule, each.job))


def by_rule(runtimes: Sequence[Runtime]) -> Iterator[RuleRuntime]:
    """Sums and maxima over the jobs of each rule."""
    for rule in sorted({each.rule for each in runtimes}):
        jobs = [each for each in runtimes if each.rule == rule]
        peaks = [each.peak_mb for each in jobs if each.peak_mb == each.peak_mb]
        yield RuleRuntime(
            rule=rule,
            jobs=len(jobs),
            seconds=sum(each.seconds for each in jobs),
            longest=max(each.seconds for each in jobs),
            peak_mb=max(peaks, default=float("nan")),
        )


def write_runtimes(runtimes: Sequence[Runtime]) -> bytes:
    """runtimes.csv."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEADER)
    for each in runtimes:
        numbers = (f"{value:.2f}" for value in (each.seconds, each.cpu_seconds, each.peak_mb))
        writer.writerow([each.rule, each.job, *numbers])
    return text.getvalue().encode("utf-8")


def _runtime(folder: Path, job: Job) -> Runtime | None:
    """The last repeat in a benchmark file, JSON lines or a table by its name."""
    path = folder / job.benchmark
    if not path.is_file():
        return None
    lines = path.read_text(encoding="utf-8").splitlines()
    if path.suffix == ".jsonl":
        measured = json.loads(lines[-1])
    else:
        measured = list(csv.DictReader(lines, delimiter="\t"))[-1]
    return Runtime(
        rule=job.rule,
        job="/".join(job.wildcards.values()),
        seconds=_number(measured.get("s")),
        cpu_seconds=_number(measured.get("cpu_time")),
        peak_mb=_number(measured.get("max_rss")),
    )


def _number(value: object) -> float:
    try:
        return float(str(value))
    except ValueError:  # Snakemake writes NA or None where it had no time to look
        return float("nan")
