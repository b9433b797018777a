"""What reports show of planning, as tables with `COLUMNS`.

`question` says what a row answers: `at_hand`, the power of the design that is there; `groups_needed`
and `size_needed`, the smallest plan that has the wanted power; `curve`, the power of a plan. A method
without an answer has its row, with a `message` that says why.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from groupwise import tidy
from groupwise.compression import Compression
from groupwise.design import Design
from groupwise.planning.experiments import DesignFrame, Experiment
from groupwise.planning.plan_curves import (
    EXTRAPOLATED,
    is_extrapolated,
    plan_curves,
    typical,
)
from groupwise.planning.plans import Plan, Variation
from groupwise.planning.power import APPROXIMATE, Curve, detectable, why_not
from groupwise.planning.rejection import N_DRAWS, best_curves
from groupwise.planning.sample_size import (
    LARGEST_SIZE,
    MOST_GROUPS,
    groups_needed,
    size_needed,
    too_small,
)

COLUMNS = tuple(tidy.TABLES["planning"])
"""groups: in the reference arm; size: mean members of a group; scenario: which ICC this is, e.g.
`estimate`, `low`, `high`; power, level: probabilities to reject where there is an effect, and none.
effect and minimum_detectable_effect are as effects are reported, of events also ratios; sd is that of an
outcome on the scale on which they are differences (see `event_plans`)."""

WEAKEST = "weakest"
"""In place of a contrast: the one with the least power."""

NEEDED_DRAWS = 2048
"""Of every plan that is tried."""

NOT_FOUND = {
    "groups_needed": f"Not even {MOST_GROUPS:,} groups in the reference arm give this power.",
    "size_needed": f"With so few groups not even {LARGEST_SIZE:,} members each give this power.",
}

UNKNOWN = "No standard error: one group alone determines it, or no degrees of freedom are left."

TOO_SMALL = "Too few groups or members to estimate a variance from."


def at_hand(
    design: Design,
    variations: Mapping[str, Variation],
    effect: float,
    *,
    power: float = 0.8,
    level: float = 0.05,
    methods: Sequence[str],
    n_draws: int = N_DRAWS,
) -> pd.DataFrame:
    """A row per scenario, method and contrast for the design of the data.

    Variations are what the covariates in its X leave, as a mixed model estimates them.
    """
    groups = int(np.unique(design.group[design.arm == 0]).size)
    rows, frame = [], DesignFrame(Compression.of(design).design)
    for scenario, variation in variations.items():
        case = Asked("at_hand", scenario, effect, power, level, n_draws)
        columns = case.row(variation)
        columns |= {"groups": groups, "size": float(design.group_size.mean())}
        of_method = _rows(Experiment(frame, variation), methods, case)
        rows += [columns | row for method in methods for row in of_method[method]]
    return table_of(rows)


def needed(
    plan: Plan,
    variations: Mapping[str, Variation],
    effect: float,
    *,
    power: float = 0.8,
    level: float = 0.05,
    methods: Sequence[str],
    n_draws: int = NEEDED_DRAWS,
    what: str = "groups",
) -> pd.DataFrame:
    """A row per scenario and method: the smallest plan like this one, for its weakest contrast.

    `what` there are to be more of: `groups`, or members in as many groups (`size`). The answer for a
    method is where the search for the next one begins.
    """
    rows = []
    for scenario, variation in variations.items():
        case = Asked(f"{what}_needed", scenario, effect, power, level, n_draws)
        columns = case.row(variation) | {"contrast": WEAKEST}
        columns |= {"size": plan.size} if what == "groups" else {"groups": plan.groups}
        near = plan
        for method in methods:
            row, near = _needed(near, variation, method, case)
            rows.append(columns | {"method": method} | row)
    return table_of(rows)


def power_curves(
    plans: Sequence[Plan],
    variations: Mapping[str, Variation],
    effect: float,
    *,
    power: float = 0.8,
    level: float = 0.05,
    methods: Sequence[str],
    n_draws: int = 0,
) -> pd.DataFrame:
    """A row per plan, scenario and method, for the weakest contrast of each."""
    rows = []
    for plan in plans:
        for scenario, variation in variations.items():
            case = Asked("curve", scenario, effect, power, level, n_draws)
            columns = case.row(variation) | {"size": plan.size, "contrast": WEAKEST}
            columns |= {"groups": plan.groups, "n_groups": plan.n_groups}
            if too_small(plan, variation):
                rows += [columns | {"method": method, "message": TOO_SMALL} for method in methods]
                continue
            of_method = _plan_rows(plan, variation, methods, case)
            rows += [columns | _weakest(of_method[method]) for method in methods]
    return table_of(rows)


def table_of(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Rows of the schema: numbers that a row does not have are NaN, texts are empty."""
    empty = {name: "" for name, kind in tidy.TABLES["planning"].items() if kind is str}
    filled = [empty | dict(row) for row in rows]
    return tidy.table("planning", pd.DataFrame(filled, columns=list(COLUMNS)))


@dataclass(frozen=True)
class Asked:
    """What rows are computed for; `level` is the nominal one."""

    question: str
    scenario: str
    effect: float
    power: float
    level: float
    n_draws: int

    def row(self, variation: Variation) -> dict[str, Any]:
        return self.plain_row() | {"sd": variation.sd, "icc": variation.icc}

    def plain_row(self) -> dict[str, Any]:
        return {
            "question": self.question,
            "scenario": self.scenario,
            "effect": self.effect,
            "wanted_power": self.power,
            "nominal_level": self.level,
        }


def _rows(
    experiment: Experiment, methods: Sequence[str], case: Asked
) -> dict[str, list[dict[str, Any]]]:
    """A row for each contrast, by method."""
    reasons = {method: why_not(experiment, method) for method in methods}
    possible = [method for method in methods if not reasons[method]]
    of_method = best_curves(experiment, possible, level=case.level, n_draws=case.n_draws)
    return _contrast_rows(experiment.design, experiment.design.n_groups, reasons, of_method, case)


def _plan_rows(
    plan: Plan, variation: Variation, methods: Sequence[str], case: Asked
) -> dict[str, list[dict[str, Any]]]:
    """A row for each contrast of a planned experiment, by method."""
    experiment = typical(plan, variation)
    reasons = {method: why_not(experiment, method) for method in methods}
    possible = [method for method in methods if not reasons[method]]
    of_method = plan_curves(plan, experiment, possible, level=case.level, n_draws=case.n_draws)
    rows = _contrast_rows(experiment.design, plan.n_groups, reasons, of_method, case)
    if is_extrapolated(plan):
        for row in (row for method in possible for row in rows[method]):
            row["message"] = " ".join(filter(None, (row["message"], EXTRAPOLATED)))
    return rows


def _contrast_rows(
    design: Design,
    n_groups: int,
    reasons: Mapping[str, str],
    of_method: Mapping[str, tuple[Sequence[Curve], np.ndarray, str]],
    case: Asked,
) -> dict[str, list[dict[str, Any]]]:
    """Rows by method: numbers, or the reason why there are none."""
    labels = design.contrast_labels
    rows = {}
    for method, reason in reasons.items():
        columns = {"method": method, "n_groups": n_groups, "message": reason}
        numbers = (
            _numbers(method, *of_method[method], case)
            if method in of_method
            else [{}] * len(labels)
        )
        rows[method] = [
            columns | {"contrast": label} | each
            for label, each in zip(labels, numbers, strict=True)
        ]
    return rows


def _numbers(
    method: str, curves: Sequence[Curve], variance: np.ndarray, how: str, case: Asked
) -> list[dict[str, Any]]:
    levels = [curve(0.0) for curve in curves]
    effects = detectable(curves, variance, case.power)
    return [
        {
            "power": curve(case.effect**2 / v),
            "level": level,
            "minimum_detectable_effect": smallest,
            "how": how,
            "message": UNKNOWN if np.isnan(level) else APPROXIMATE.get(method, ""),
        }
        for curve, level, v, smallest in zip(curves, levels, variance, effects, strict=True)
    ]


def _needed(
    near: Plan, variation: Variation, method: str, case: Asked
) -> tuple[dict[str, Any], Plan]:
    """What is particular to the smallest plan that is enough, or why there is none; and that plan, or
    where the search ended.
    """
    if reason := why_not(typical(near, variation), method):
        return {"message": reason}, near
    asked: dict[str, Any] = {"power": case.power, "level": case.level, "n_draws": case.n_draws}
    if case.question == "groups_needed":
        enough = groups_needed(near, variation, method, case.effect, **asked)
        end = near.with_groups(MOST_GROUPS // near.step * near.step)
    else:
        enough = size_needed(near, variation, method, case.effect, **asked)
        end = near.with_size(LARGEST_SIZE)
    if enough is None:
        return {"message": NOT_FOUND[case.question]}, end
    rows = _plan_rows(enough, variation, [method], case)[method]
    return _weakest(rows) | {"groups": enough.groups, "size": enough.size}, enough


def _weakest(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The row of the contrast with the least power."""
    weakest = min(rows, key=lambda row: row.get("power", np.nan))
    return weakest | {"contrast": WEAKEST}
