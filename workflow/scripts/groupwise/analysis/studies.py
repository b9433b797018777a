"""Simulation and planning on top of an analysis, kept beside it for its tables, figures and words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from groupwise import tidy
from groupwise.catalogue.methods import CURVES, costs
from groupwise.data.errors import InputError, nearest
from groupwise.planning.outlook import NotPlanned, plans
from groupwise.results import as_written
from groupwise.sample import Sample
from groupwise.simulation.gathering import gathered, not_simulated
from groupwise.simulation.options import NotSimulated, Options
from groupwise.simulation.processes import PROCESSES, EstimatedProcess, NoProcess
from groupwise.simulation.workload import dataset_workload
from groupwise.verdict.decision import Verdict
from groupwise.verdict.judgement import judged, rules_for, verdict_content

NOT_YET = "Call calibrate() to simulate it."

FEWEST_DRAWS = 99
"""The smallest number of resampling draws, as in config.yaml."""


@dataclass(frozen=True, eq=False, repr=False)
class Calibration:
    """How every method fares on data simulated for a design.

    Attributes
    ----------
    calibration : a row per scenario, method, contrast and measure, with its Monte Carlo error
    overview : what was simulated, as in calibration.json
    verdict : which methods can be trusted
    content : the verdict as in verdict.json
    """

    calibration: pd.DataFrame
    overview: Mapping[str, Any]
    verdict: Verdict
    content: Mapping[str, Any]

    def _repr_markdown_(self) -> str:
        methods = self.verdict.methods
        each = methods.loc[methods["dgp"] == "normal", "sentence"]
        lines = [f"- {sentence}" for sentence in [*each, *self.verdict.departures]]
        return "\n".join([" ".join(self.verdict.sentences), *(["", *lines] if lines else [])])

    def __repr__(self) -> str:
        return self._repr_markdown_()


@dataclass
class Studies:
    """What was computed beyond the analysis: nothing at first."""

    calibration: Calibration | None = None
    planning: pd.DataFrame | None = None
    planning_periods: pd.DataFrame | None = None


def not_calibrated(
    estimates: pd.DataFrame, headline: str, understood: Mapping[str, Any]
) -> Calibration:
    """What there is to say before anything was simulated."""
    nothing = tidy.table("calibration", [])
    return _concluded(nothing, not_simulated(NOT_YET), estimates, headline, understood)


def calibrated(
    sample: Sample,
    understood: Mapping[str, Any],
    process: EstimatedProcess | NoProcess,
    estimates: pd.DataFrame,
    options: Options,
    *,
    headline: str,
    effects_are: str,
) -> Calibration:
    """Simulate, analyse and judge; the methods are those that have rows in `estimates`.

    `understood` is the content of design.json.
    """
    _check(options)
    methods = tuple(dict.fromkeys(estimates["method"]))
    try:
        workload = dataset_workload(
            sample.design,
            process,
            options,
            conf_level=sample.conf_level,
            methods=costs(methods),
        )
        parts = [workload.run_share(1, 1)]
    except NotSimulated:
        parts = []  # `gathered` says why
    table, overview = gathered(understood, process, options, effects_are, parts, methods=methods)
    return _concluded(as_written(table), overview, estimates, headline, understood)


def plan_for(
    sample: Sample,
    process: EstimatedProcess | NoProcess,
    options: Options,
    effect: float | None,
    *,
    power: float,
    methods: Sequence[str],
) -> dict[str, pd.DataFrame]:
    """Tables `planning` and `planning_periods`, by name."""
    if not 0 < power < 1:
        raise InputError("power", f"{power!r} is no power", "give a number such as 0.8")
    if effect is not None and not (np.isfinite(effect) and effect > 0):
        raise InputError("effect", f"{effect!r} is no effect", "give one in units of the outcome")
    try:
        tables = plans(
            sample.design,
            process,
            options,
            effect=effect,
            power=power,
            methods=methods,
            curves=CURVES,
        )
    except NotPlanned as reason:
        raise ValueError(str(reason)) from None
    return {name: as_written(table) for name, table in tables.items()}


def _concluded(
    table: pd.DataFrame,
    overview: Mapping[str, Any],
    estimates: pd.DataFrame,
    headline: str,
    understood: Mapping[str, Any],
) -> Calibration:
    rules = rules_for(understood["conf_level"], understood["kind"])
    verdicts = judged(table, overview, estimates, rules, headline)
    return Calibration(table, overview, verdicts, verdict_content(verdicts, estimates, rules))


def _check(options: Options) -> None:
    """What a schema says of the same settings in a configuration."""
    for name in options.departures:
        if name not in PROCESSES:
            hint = nearest(str(name), PROCESSES)
            raise InputError("departures", f"there is no process '{name}'", hint)
    replicates, slow = options.replicates, options.slow_replicates
    if not 0 <= slow <= replicates or replicates < 2:
        problem = f"{replicates} replicates, and {slow} for methods that draw"
        raise InputError("replicates", problem, "2 or more are needed, and the latter no more")
    if options.draws < FEWEST_DRAWS:
        raise InputError(
            "draws", f"{options.draws!r} is too little", f"give {FEWEST_DRAWS} or more"
        )
