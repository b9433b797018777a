"""What was simulated for a dataset, and how every method behaved: calibration.json and .csv."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from groupwise import tidy
from groupwise.simulation.measures import measures
from groupwise.simulation.options import NotSimulated, Options
from groupwise.simulation.processes import (
    EstimatedProcess,
    NoProcess,
    Outline,
    ScenarioSetting,
    outline,
)
from groupwise.simulation.sums import gather


def gathered(
    understood: Mapping[str, Any],
    process: EstimatedProcess | NoProcess,
    options: Options,
    effects_are: str,
    parts: Iterable[pd.DataFrame],
    *,
    methods: Sequence[str],
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Table `calibration` from the partial sums of every job, and the content of calibration.json.

    Parameters
    ----------
    understood : the content of design.json
    effects_are : where effects come from: `assumed`, `true` or `detectable`
    methods : in the order of the table
    """
    n_obs, n_groups = understood["n_obs"], understood["n_groups"]
    try:
        plan = outline(process, options, arms=tuple(understood["arms"]))
    except NotSimulated as reason:
        return tidy.table("calibration", []), not_simulated(str(reason))
    contrasts = tuple(understood["contrasts"])
    settings = [ScenarioSetting(case, contrasts, n_obs, n_groups) for case in plan.cases]
    sums = gather(parts)
    if not len(sums):
        return tidy.table("calibration", []), not_simulated(NONE_ASKED)
    table = measures(sums, settings, methods=methods)
    return table, simulated(plan, options, effects_are)


NONE_ASKED = (
    "The methods that were asked draw at random, and no replicates are asked of those "
    "(`calibration.slow_replicates`), or can be afforded for a design of this size."
)


def not_simulated(message: str) -> dict[str, Any]:
    """The content of calibration.json where nothing was simulated."""
    return {"simulated": False, "message": message}


def simulated(plan: Outline, options: Options, effects_are: str) -> dict[str, Any]:
    """What was simulated, for the report: the content of calibration.json."""
    process = plan.process
    effects = next(case.effects for case in plan.cases if case.name.startswith("effect"))
    icc = {"estimate": process.icc, "low": process.icc_low, "high": process.icc_high}
    return {
        "simulated": True,
        "message": "",
        "replicates": _least_and_most(plan, "fast"),
        "effect_replicates": _least_and_most(plan, "fast", null=False),
        "slow_replicates": _least_and_most(plan, "slow"),
        "slowest_replicates": _least_and_most(plan, "slowest"),
        "left_out": list(plan.left_out),
        "draws": options.draws,
        "seed": options.seed,
        "effects": dict(zip(process.arms, map(float, _as_reported(process, effects)), strict=True)),
        "effects_are": effects_are,
        "sd": float(np.sqrt(process.variance)),
        "icc": {name: value if np.isfinite(value) else None for name, value in icc.items()},
        "scenarios": [
            {
                "name": case.name,
                "icc": case.icc,
                "dgp": case.dgp,
                "effect": bool(np.any(case.effects != 0)),
            }
            for case in plan.cases
        ],
    }


def _as_reported(process: EstimatedProcess, effects: np.ndarray) -> np.ndarray:
    """(J,) effects of a case on the scale of the outcome's effects."""
    moments = process.events
    if moments is None:
        return effects
    means = moments.unlinked(moments.linked(moments.means[0]) + effects)
    return moments.effects(means)


def _least_and_most(plan: Outline, cost: str, *, null: bool = True) -> dict[str, int]:
    """The least and the greatest number of replicates of a scenario without effects, or with."""
    planned = zip(plan.cases, plan.budgets, strict=True)
    budgets = [budget for case, budget in planned if case.name.startswith("null") == null]
    return {
        "least": min(vars(each.least)[cost] for each in budgets),
        "most": max(vars(each.most)[cost] for each in budgets),
    }
