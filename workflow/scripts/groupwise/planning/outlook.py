"""What an experiment like one that is there can find: its data say how much outcomes vary."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from groupwise import tidy
from groupwise.design import PERIODS, Design
from groupwise.methods import concerning
from groupwise.planning.at_hand import IN_PERIODS, Goal, planning_table
from groupwise.planning.event_plans import EventGoal, as_means, planned_as, reported
from groupwise.planning.layouts import measured
from groupwise.planning.period_tables import plan_periods
from groupwise.sequences import CLOSED, cohort
from groupwise.simulation.event_moments import EventMoments
from groupwise.simulation.options import NotSimulated, Options
from groupwise.simulation.processes import EstimatedProcess, NoProcess, assumed_means

NO_PERIODS = "Arms are not those of whole groups in several periods."

BLOCKS = "Not planned for: blocks, where groups stay in one arm over several periods."
"""Their parameters take degrees of freedom; where arms change within groups they hardly matter."""


class NotPlanned(Exception):
    """Nothing is planned for a dataset; the message says why."""


def plans(
    design: Design,
    process: EstimatedProcess | NoProcess,
    options: Options,
    *,
    effect: float | None,
    power: float,
    methods: Sequence[str],
    curves: Sequence[str],
) -> dict[str, pd.DataFrame]:
    """Tables `planning` and `planning_periods`, by name; see `planned` and `planned_periods`.

    The second is empty where it does not apply.

    Raises
    ------
    NotPlanned, InputError
        As `planned`.
    """
    asked = (design, process, options)
    try:
        periods = planned_periods(*asked, effect=effect, power=power)
        reason = IN_PERIODS
    except NotPlanned as error:
        periods, reason = tidy.table("planning_periods", []), str(error)
    ordinary = planned(
        *asked, effect=effect, power=power, methods=methods, curves=curves, in_periods=reason
    )
    return {"planning": ordinary, "planning_periods": periods}


def planned(
    design: Design,
    process: EstimatedProcess | NoProcess,
    options: Options,
    *,
    effect: float | None,
    power: float,
    methods: Sequence[str],
    curves: Sequence[str],
    in_periods: str = IN_PERIODS,
) -> pd.DataFrame:
    """Table `planning` for an effect, by default the largest difference of those assumed.

    Parameters
    ----------
    methods : those that are planned for, in the order of the table
    curves : the power of the first of these that has an answer is drawn by the number of groups
    in_periods : what is said of every method where arms change from period to period

    Raises
    ------
    NotPlanned
        Where the mixed model says nothing of how outcomes vary, or there is nothing to find.
    InputError
        For the effect of an arm there is not.
    """
    if isinstance(process, NoProcess):
        raise NotPlanned(process.message)
    methods = concerning(design, methods)
    spread, event_goal, shown = 1.0, None, methods
    if process.events is not None:
        event_goal = _event_goal(process.events, options, design, effect)
        largest, spread = abs(event_goal.effect), event_goal.spread
        as_named = {method: planned_as(design, method) for method in methods}
        methods = [name for name in dict.fromkeys(as_named.values()) if name is not None]
    else:
        largest = float(np.ptp(_effects(design, process, options, effect)))
    if largest == 0:
        raise NotPlanned("The assumed effects are all 0: there is nothing to find.")
    table = planning_table(
        design if event_goal is None else as_means(design),
        spread * float(np.sqrt(process.variance)),
        {"estimate": process.icc, "low": process.icc_low, "high": process.icc_high},
        Goal(largest, power, round(1 - process.conf_level, 10)),
        sd_effect=spread * float(process.sd_slope[1:].mean()),
        methods=methods,
        curves=curves,
        in_periods=in_periods,
    )
    return table if event_goal is None else reported(table, design, event_goal, shown)


def _event_goal(
    moments: EventMoments, options: Options, design: Design, effect: float | None
) -> EventGoal:
    """The risks or rates that are to be told apart: those assumed, or else those estimated."""
    if effect is None:
        try:
            means = assumed_means(moments, options, design.arm_labels)
        except NotSimulated as reason:
            raise NotPlanned(str(reason)) from None
        return EventGoal.of(moments, moments.means if means is None else means)
    others = np.full(len(design.arm_labels) - 1, effect)
    means = np.append(moments.means[0], moments.reached(others))
    if not np.isfinite(means).all():
        which = "risk" if moments.is_binary else "rate"
        raise NotPlanned(
            f"With the effect to be found an arm has no {which}: the reference has "
            f"{moments.means[0]:.3g}."
        )
    return EventGoal.of(moments, means)


def planned_periods(
    design: Design,
    process: EstimatedProcess | NoProcess,
    options: Options,
    *,
    effect: float | None,
    power: float,
) -> pd.DataFrame:
    """Table `planning_periods` for an effect, where whole groups have arms in several periods.

    Raises
    ------
    NotPlanned
        Where they have not, and for what `plan_periods` does not plan for; else as `planned`.
    InputError
        For the effect of an arm there is not.
    """
    sequences = design.group_sequences
    if sequences is None or not (design.kind == PERIODS or design.assigns_groups):
        raise NotPlanned(NO_PERIODS)
    if isinstance(process, NoProcess):
        raise NotPlanned(process.message)
    if design.kind == "blocked":
        raise NotPlanned(BLOCKS)
    std_dev, goal = _std_dev(design, process), None
    if process.events is None:
        effects = _effects(design, process, options, effect)
    else:
        goal = _event_goal(process.events, options, design, effect)
        effects = np.linspace(0, goal.effect, len(design.arm_labels))
        std_dev = {term: goal.spread * sd for term, sd in std_dev.items()}
    try:
        table = plan_periods(
            measured(sequences.arms, sequences.sequence, sequences.present),
            sequences.n_units,
            float(len(design.cell_size) / np.sum(1 / design.cell_size)),
            std_dev,
            effects,
            process.conf_level,
            power=power,
        )
    except ValueError as error:
        raise NotPlanned(str(error)) from None
    return table if goal is None else goal.reported(table, ("effect", "detectable"))


def _effects(
    design: Design, process: EstimatedProcess, options: Options, effect: float | None
) -> np.ndarray:
    """(J,) of the arms; their largest difference is `effect`, where that is given."""
    if effect is not None:
        return np.linspace(0, effect, len(design.arm_labels))
    effects = options.effects_of(design.arm_labels)
    return process.effects if effects is None else effects


def _std_dev(design: Design, process: EstimatedProcess) -> dict[str, float]:
    """Of the random terms; only individuals of closed cohorts are the same from period to period."""
    std_dev = dict(process.std_dev)
    assert design.period is not None
    if cohort(design.individual, design.group, design.period) != CLOSED:
        std_dev["residual"] = float(np.hypot(std_dev["residual"], std_dev.pop("individual", 0.0)))
    return std_dev
