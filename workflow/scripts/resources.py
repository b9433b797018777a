"""What the jobs of each rule ask of a machine: memory, and time at most.

A cluster's scheduler has to know both before a job starts. They grow with the data, and double with each
attempt, so that a job that ran out of either is given more (`retries` in profiles/slurm). On one machine
nobody asks for them. They say nothing of results, and changing them reruns nothing.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from groupwise.catalogue.tables import MANY_GROUPS, MANY_ROWS

HEADROOM = 1.5
"""So many times what was measured is asked for; a test holds it against docs/scaling.csv."""

PACKED = {".gz": 8, ".xlsx": 8}
"""Megabytes that one of such a file stands for, beside a plain one."""


@dataclass(frozen=True)
class Need:
    """Peaks of a rule's jobs as measured, in megabytes and minutes.

    Attributes
    ----------
    mb, minutes : with a small table
    mb_each, minutes_each : what a million rows add; or what 18 MB of a raw file add
    """

    mb: float
    minutes: float
    mb_each: float = 0
    minutes_each: float = 0


NEEDS = {
    "simulate_data": Need(150, 2),
    "check_data": Need(230, 2, 240, 0.5),
    "ingest_data": Need(230, 2, 240, 0.5),
    "fit_models": Need(450, 6, 350, 4),
    "check_model": Need(450, 4, 150, 1),
    "record_provenance": Need(100, 1),
    "check_sensitivity": Need(400, 10, 600, 10),
    "check_effects": Need(120, 1),
    "simulate_calibration": Need(550, 30, 440, 10),
    "judge_methods": Need(200, 6),
    "plan_experiment": Need(300, 10, 350, 5),
    "simulate_study": Need(450, 60),
    "gather_study": Need(300, 5),
    "draw_study": Need(300, 3),
    "render_study": Need(340, 5),
    "draw_figures": Need(300, 3, 60, 0.2),
    "render_report": Need(340, 5),
    "adjust_families": Need(180, 2),
    "render_index": Need(340, 5),
    "write_exports": Need(250, 2, 10),
    "write_schema": Need(150, 1),
    "describe_file": Need(200, 3, 240, 0.5),
}

WITNESS = Need(0, 0, 3000, 10)
"""What `check_model` needs besides where statsmodels fits mixed models."""


def memory(rule: str) -> Callable[..., int]:
    """Megabytes, as Snakemake asks for `mem_mb`."""
    return lambda wildcards, input, attempt: asked(
        sum(each.mb + each.mb_each * n for each, n in needs(rule, wildcards, input)), attempt
    )


def minutes(rule: str) -> Callable[..., int]:
    """Minutes at most, as Snakemake asks for `runtime`."""
    return lambda wildcards, input, attempt: asked(
        sum(each.minutes + each.minutes_each * n for each, n in needs(rule, wildcards, input)),
        attempt,
    )


def needs(rule: str, wildcards: Any, input: Any) -> list[tuple[Need, float]]:
    """What a job needs, each with millions of rows."""
    of_rule, size = NEEDS[rule], millions(wildcards, input)
    if rule != "check_model" or not has_witness(understood(wildcards)):
        return [(of_rule, size)]
    return [(of_rule, size), (WITNESS, size)]


def has_witness(design: Mapping[str, Any]) -> bool:
    """Whether data are small enough for statsmodels' mixed models, see `catalogue.tables`."""
    small = design.get("n_obs", 0) <= MANY_ROWS
    return bool(small and design.get("n_groups", 0) <= MANY_GROUPS)


def asked(measured: float, attempt: int) -> int:
    return math.ceil(HEADROOM * measured) * 2 ** (attempt - 1)


def millions(wildcards: Any, input: Any) -> float:
    """Millions of rows of a job's dataset: by its raw file until it was read, 0 if that is to come."""
    raw = input.get("raw")
    if raw is not None:
        return of_file(Path(raw))
    return float(understood(wildcards).get("n_obs", 0)) / 1e6


def understood(wildcards: Any) -> dict[str, Any]:
    """The content of design.json; nothing where that is to come."""
    design = Path(f"results/{wildcards.get('dataset')}/design.json")
    if not design.is_file():
        return {}
    content: dict[str, Any] = json.loads(design.read_text(encoding="utf-8"))
    return content


def of_file(path: Path) -> float:
    """Millions of rows in a raw file, of which one takes about 18 bytes."""
    if not path.is_file():
        return 0
    return PACKED.get(path.suffix, 1) * path.stat().st_size / 18e6
