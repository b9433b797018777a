"""What planning takes from an experiment that is there: its shape, and how its outcome varies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from groupwise import tidy
from groupwise.design import PERIODS, Design
from groupwise.planning.plans import Plan, Variation
from groupwise.planning.power_tables import Asked, at_hand, needed, power_curves, table_of

NEEDED = ("groups_needed", "size_needed")

CURVE_POINTS = 12

CURVE_SIZES = (0.5, 1.0, 2.0)
"""Group sizes of the power curves, as multiples of the data's mean group size."""

FEWEST_GROUPS, MOST_GROUPS = 2, 200
"""Range of the number of groups of the reference arm on a power curve."""

IN_PERIODS = (
    "Not planned for method by method: arms of whole groups change from period to period (see "
    "planning_periods)."
)


@dataclass(frozen=True)
class Goal:
    """The effect that is to be found, in units of the outcome, how often, by tests of what level."""

    effect: float
    power: float = 0.8
    level: float = 0.05


def plan_like(design: Design) -> Plan:
    """The plan of a design's shape: as many groups an arm, sizes as unequal, blocks as large.

    Raises
    ------
    ValueError
        For a treatment that varies within some groups only, or from period to period.
    """
    size = design.group_size
    mean, cv = float(size.mean()), float(size.std() / size.mean())
    if design.kind == "mixed":
        raise ValueError("Not planned for: a treatment that varies within some groups only.")
    if design.kind == PERIODS:
        raise ValueError(IN_PERIODS)
    if design.kind == "within":
        members = np.bincount(design.arm)
        shares, slopes = _shares(members), design.random_slopes != "none"
        return Plan(design.n_groups, mean, shares, cv, kind="within", random_slopes=slopes)
    groups = np.bincount(design.arm_of_group)
    if design.block is None:
        return Plan(int(groups[0]), mean, _shares(groups), cv)
    in_block = np.maximum(1, np.rint(groups / len(design.block_labels)))
    per_block = int(in_block[0])
    whole = max(1, round(groups[0] / per_block)) * per_block
    return Plan(whole, mean, _shares(in_block), cv, per_block)


def _shares(numbers: np.ndarray) -> tuple[float, ...]:
    return tuple(float(share) for share in numbers / numbers[0])


def variations(
    design: Design, sd: float, iccs: Mapping[str, float], sd_effect: float, *, planned: bool
) -> dict[str, Variation]:
    """How the outcome varies, by scenario: what covariates leave, `planned` ones counted.

    Parameters
    ----------
    sd : of groups and individuals together, covariates and blocks apart
    iccs : intraclass correlations by scenario; those that are not known are left out

    Raises
    ------
    ValueError
        If effects vary more between groups than the groups themselves do.
    """
    covariates = {}
    if planned:
        X = design.X[:, design.columns("covariate")]
        constant = (design.X[design.first_of_group][design.group] == design.X).all(axis=0)
        of_groups = int(constant[design.columns("covariate")].sum())
        covariates = {
            "group_covariates": of_groups,
            "individual_covariates": X.shape[1] - of_groups,
        }
    finite_iccs = {name: float(icc) for name, icc in iccs.items() if np.isfinite(icc)}
    return {
        name: Variation(sd, min(max(icc, 0.0), 0.99), sd_effect=sd_effect, **covariates)
        for name, icc in finite_iccs.items()
    }


def planning_table(
    design: Design,
    sd: float,
    iccs: Mapping[str, float],
    goal: Goal,
    *,
    sd_effect: float = 0.0,
    methods: Sequence[str],
    curves: Sequence[str],
    in_periods: str = IN_PERIODS,
) -> pd.DataFrame:
    """Table `planning`: the power at hand, groups and sizes needed, and curves.

    Where an experiment like this cannot be planned, a row per method and question says why. Of
    `curves`, methods in order of preference, the first that has an answer is drawn. Methods are planned
    for as if there was one period: where arms change with periods `in_periods` is said instead.
    """
    if design.kind == PERIODS:
        return _no_plan(("at_hand", *NEEDED), methods, goal, in_periods)
    try:
        here = variations(design, sd, iccs, sd_effect, planned=False)
        parts = [at_hand(design, here, methods=methods, **vars(goal))]
    except ValueError as error:
        parts = [_no_plan(("at_hand",), methods, goal, str(error))]
    try:
        plan = plan_like(design)
        planned = variations(design, sd, iccs, sd_effect, planned=True)
        parts += _planned(plan, planned, goal, methods, curves)
    except ValueError as error:
        parts.append(_no_plan(NEEDED, methods, goal, str(error)))
    return tidy.concat("planning", parts)


def _planned(
    plan: Plan,
    planned: Mapping[str, Variation],
    goal: Goal,
    methods: Sequence[str],
    curves: Sequence[str],
) -> list[pd.DataFrame]:
    """Of every method what it needs in the first scenario, of those with curves in the others too."""
    first, *_ = planned
    here, others = {first: planned[first]}, {k: v for k, v in planned.items() if k != first}
    drawn = [method for method in curves if method in methods]
    groups = needed(plan, here, methods=methods, what="groups", **vars(goal))
    more = needed(plan, others, methods=drawn, what="groups", **vars(goal))
    sizes = needed(plan, here, methods=methods, what="size", **vars(goal))
    return [groups, more, sizes, *_curves(plan, planned, goal, groups, curves)]


def _curves(
    plan: Plan,
    planned: Mapping[str, Variation],
    goal: Goal,
    groups: pd.DataFrame,
    curves: Sequence[str],
) -> list[pd.DataFrame]:
    """Power by number of groups: every scenario at the size at hand, the first at other sizes.

    By the first of `curves` that was found an answer for; no curve without one.
    """
    answers = groups.set_index("method")["groups"]
    method = next((each for each in curves if np.isfinite(answers.get(each, np.nan))), None)
    if method is None:
        return []
    first, *_ = planned
    parts = []
    for factor in CURVE_SIZES:
        size = (
            plan.size if factor == 1 else max(2.0 * len(plan.allocation), round(factor * plan.size))
        )
        scenarios = planned if factor == 1 else {first: planned[first]}
        plans = _plans(plan.with_size(size), answers[method])
        parts.append(power_curves(plans, scenarios, methods=[method], **vars(goal)))
    return parts


def _plans(plan: Plan, needed_groups: float) -> list[Plan]:
    """Plans along the curve: from few groups to beyond those at hand and those needed."""
    fewest = max(FEWEST_GROUPS, plan.step)
    most = max(2 * fewest, min(1.5 * max(plan.groups, needed_groups), MOST_GROUPS))
    steps = np.unique(np.rint(np.geomspace(fewest, most, CURVE_POINTS) / plan.step))
    return [plan.with_groups(int(step) * plan.step) for step in steps]


def _no_plan(
    questions: Sequence[str],
    methods: Sequence[str],
    goal: Goal,
    message: str,
) -> pd.DataFrame:
    cases = [Asked(each, "", goal.effect, goal.power, goal.level, 0) for each in questions]
    unknown = {"sd": np.nan, "icc": np.nan, "message": message}
    return table_of(
        [each.plain_row() | unknown | {"method": method} for each in cases for method in methods]
    )
