"""What a trial with periods can find, and what others like it could: a table with `COLUMNS`.

`question` says what a row answers: `at_hand`, the design that is there; `more_groups` and
`larger_cells`, the same with more of either; `groups_needed` and `size_needed`, the smallest that has
the wanted power; `design`, another layout with as many groups, periods and individuals, all of its cells
measured, and `design_needed`, the smallest of that layout; `sequences`, stepped wedges of other numbers
of sequences, with as many individuals of each group in all.

`scenario` says how cells of a group are correlated: `estimate`, the estimated cluster autocorrelation
between any two periods; `one` and `half`, an autocorrelation of 1 and of 0.5; `decay`, the estimated
one between neighbours, and less the further apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from groupwise import tidy
from groupwise.planning.layouts import LAYOUTS, layout_of, share_out
from groupwise.planning.period_df import model_df
from groupwise.planning.periods import PeriodPlan, groups_needed, size_needed, stepped_wedges
from groupwise.planning.sample_size import LARGEST_SIZE, MOST_GROUPS
from groupwise.sequences import STEPPED_WEDGE

COLUMNS = tidy.TABLES["planning_periods"]
"""groups_per_sequence: their mean; n_cells: groups by periods that are measured; cell_size: individuals
of a group in a period; icc: of two individuals of a group in one period; cac, iac: cluster and
individual autocorrelation; df, power, detectable: with the groups less 2 as df; df_model, power_model:
with those of the mixed model if its correlations are the true ones."""

MORE_GROUPS = (1.5, 2.0)
"""Factors of the groups of every sequence, rounded up."""

LARGER_CELLS = (2.0, 4.0)

ROLES = ("group", "cell", "individual", "residual")
"""Random terms that are planned for: groups, groups by periods, individuals in groups, the rest."""

EXCHANGEABLE, DECAY = "exchangeable", "decay"
"""Names of correlations of a group's cells: alike between all periods, or less the further apart."""

NOT_SHARED = "The groups do not divide evenly among the sequences."
NO_GROUPS = f"Not even {MOST_GROUPS:,} groups in every sequence give this power."
NO_SIZE = f"With so few groups not even {LARGEST_SIZE:,} individuals in every cell give this power."


@dataclass(frozen=True)
class PeriodGoal:
    """The difference between two arms that is to be found, how often, by tests of what level."""

    effect: float
    power: float
    level: float


def plan_periods(
    sequences: np.ndarray,
    groups_per_sequence: np.ndarray,
    cell_size: float,
    std_dev: Mapping[str, float],
    effects: Sequence[float] | np.ndarray,
    conf_level: float,
    *,
    power: float = 0.8,
) -> pd.DataFrame:
    """The table for a design of two arms, whose outcome varies as a mixed model has estimated.

    Parameters
    ----------
    sequences : (S, T) arms 0 and 1 by period, at least 2; negative: not measured
    groups_per_sequence : (S,)
    cell_size : individuals of a group in a period; of unequal numbers their harmonic mean
    std_dev : by random term, `ROLES`; `cell` and `individual` only if the model has them
    effects : (2,) of the arms; their difference is to be found
    power : the wanted power

    Raises
    ------
    ValueError
        For other numbers of arms, one period, other random terms, or nothing to find.
    """
    if len(effects) != 2:
        raise ValueError("Not planned for: more than two arms in a design with periods.")
    goal = PeriodGoal(float(np.ptp(effects)), power, round(1 - conf_level, 10))
    if goal.effect == 0:
        raise ValueError("The assumed effects are all 0: there is nothing to find.")
    here = planned_from(sequences, groups_per_sequence, cell_size, std_dev)
    if here.n_periods < 2:
        raise ValueError("Not planned for: a design with periods that has only one.")
    rows = [
        row | {"scenario": scenario}
        for scenario, plan in scenarios(here).items()
        for row in _rows(plan, goal)
    ]
    if layout_of(here.sequences) == STEPPED_WEDGE:
        members = here.cell_size * here.n_cells / here.n_groups
        rows += [
            _row("sequences", plan, goal) | {"scenario": "estimate"}
            for plan in stepped_wedges(here, members)
        ]
    return tidy.table("planning_periods", rows)


def planned_from(
    sequences: np.ndarray,
    groups_per_sequence: np.ndarray,
    cell_size: float,
    std_dev: Mapping[str, float],
) -> PeriodPlan:
    """The plan of a design with the correlations that standard deviations of random terms make.

    Where groups do not vary at all their autocorrelation is taken for 1.

    Raises
    ------
    ValueError
        For random terms that are none of `ROLES`, and where residuals do not vary.
    """
    others = sorted(set(std_dev) - set(ROLES))
    if others:
        raise ValueError(f"Not planned for: periods with random terms {', '.join(others)}.")
    group, cell, individual, residual = (std_dev.get(name, 0.0) ** 2 for name in ROLES)
    between, within = group + cell, individual + residual
    return PeriodPlan(
        sequences,
        groups_per_sequence,
        cell_size,
        sd=float(np.sqrt(between + within)),
        icc=between / (between + within),
        cac=group / between if between > 0 else 1.0,
        iac=individual / within if within > 0 else 0.0,
    )


def scenarios(plan: PeriodPlan) -> dict[str, PeriodPlan]:
    """The plan at its cluster autocorrelation and at others, by name, each different from the rest."""
    several = {"estimate": plan}
    if plan.icc > 0:
        several |= {
            name: replace(plan, cac=cac)
            for name, cac in (("one", 1.0), ("half", 0.5))
            if cac != plan.cac
        }
    decays = 0 < plan.cac < 1 and plan.icc > 0 and plan.n_periods > 2
    return several | ({"decay": replace(plan, decay=True)} if decays else {})


def _rows(plan: PeriodPlan, goal: PeriodGoal) -> Iterator[dict[str, Any]]:
    """All but the numbers of sequences, of one scenario."""
    yield _row("at_hand", plan, goal)
    for factor in MORE_GROUPS:
        groups = np.ceil(factor * plan.groups_per_sequence).astype(int)
        yield _row("more_groups", replace(plan, groups_per_sequence=groups), goal)
    for factor in LARGER_CELLS:
        yield _row("larger_cells", plan.with_size(factor * plan.cell_size), goal)
    yield _groups_needed("groups_needed", plan, goal)
    yield _size_needed(plan, goal)
    for layout in LAYOUTS:
        wedge_of_one = layout == STEPPED_WEDGE and plan.n_periods < 3
        if layout != layout_of(plan.sequences) and not wedge_of_one:
            yield from _alternative(layout, plan, goal)


def _groups_needed(question: str, plan: PeriodPlan, goal: PeriodGoal) -> dict[str, Any]:
    """The plan with the fewest groups that has the power, as many in all sequences."""
    equal = replace(plan, groups_per_sequence=np.ones(plan.n_sequences, dtype=int))
    enough = groups_needed(equal, goal.effect, power=goal.power, level=goal.level)
    if enough is not None:
        return _row(question, enough, goal)
    unknown = dict.fromkeys(("groups_per_sequence", "n_groups", "n_cells"), np.nan)
    return _about(question, equal, goal) | unknown | {"message": NO_GROUPS}


def _size_needed(plan: PeriodPlan, goal: PeriodGoal) -> dict[str, Any]:
    """The plan with the smallest cells that has the power."""
    enough = size_needed(plan, goal.effect, power=goal.power, level=goal.level)
    if enough is not None:
        return _row("size_needed", enough, goal)
    return _about("size_needed", plan, goal) | {"cell_size": np.nan, "message": NO_SIZE}


def _alternative(layout: str, plan: PeriodPlan, goal: PeriodGoal) -> Iterator[dict[str, Any]]:
    """Another layout with as many groups, periods and individuals, or why there is none; and needed."""
    arms = LAYOUTS[layout](plan.n_periods)
    one_each = replace(plan, sequences=arms, groups_per_sequence=np.ones(len(arms), dtype=int))
    try:
        groups = share_out(plan.n_groups, len(arms))
    except ValueError as error:
        unknown = {"groups_per_sequence": np.nan, "n_cells": np.nan, "message": str(error)}
        yield _about("design", one_each, goal) | {"n_groups": plan.n_groups} | unknown
    else:
        made = replace(one_each, groups_per_sequence=groups)
        yield _row("design", made, goal) | {"message": NOT_SHARED if np.ptp(groups) else ""}
    yield _groups_needed("design_needed", one_each, goal)


def _row(question: str, plan: PeriodPlan, goal: PeriodGoal) -> dict[str, Any]:
    df = model_df(plan)
    return _about(question, plan, goal) | {
        "std_error": plan.std_error,
        "df": plan.df,
        "power": plan.power(goal.effect, level=goal.level),
        "detectable": plan.detectable(goal.power, level=goal.level),
        "df_model": df,
        "power_model": plan.power(goal.effect, level=goal.level, df=df),
    }


def _about(question: str, plan: PeriodPlan, goal: PeriodGoal) -> dict[str, Any]:
    """What a row says of its plan and of what was asked."""
    return {
        "question": question,
        "design": layout_of(plan.sequences),
        "n_sequences": plan.n_sequences,
        "groups_per_sequence": float(plan.groups_per_sequence.mean()),
        "n_groups": plan.n_groups,
        "n_periods": plan.n_periods,
        "n_cells": plan.n_cells,
        "cell_size": plan.cell_size,
        "sd": plan.sd,
        "icc": plan.icc,
        "cac": plan.cac,
        "iac": plan.iac,
        "correlation": DECAY if plan.decay else EXCHANGEABLE,
        "effect": goal.effect,
        "wanted_power": goal.power,
        "nominal_level": goal.level,
        "message": "",
    }
