"""What an experiment like one that is there can find: its data say how much outcomes vary."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from groupwise.design import Design
from groupwise.methods import concerning
from groupwise.planning.at_hand import Goal, planning_table
from groupwise.simulation.options import Options
from groupwise.simulation.processes import EstimatedProcess, NoProcess


class NotPlanned(Exception):
    """Nothing is planned for a dataset; the message says why."""


def planned(
    design: Design,
    process: EstimatedProcess | NoProcess,
    options: Options,
    *,
    effect: float | None,
    power: float,
    methods: Sequence[str],
    curves: Sequence[str],
) -> pd.DataFrame:
    """Table `planning` for an effect, by default the largest difference of those assumed.

    Parameters
    ----------
    methods : those that are planned for, in the order of the table
    curves : the power of the first of these that has an answer is drawn by the number of groups

    Raises
    ------
    NotPlanned
        Where the mixed model says nothing of how outcomes vary, or there is nothing to find.
    InputError
        For the effect of an arm there is not.
    """
    if isinstance(process, NoProcess):
        raise NotPlanned(process.message)
    effects = options.effects_of(design.arm_labels)
    effects = process.effects if effects is None else effects
    largest = float(np.ptp(effects)) if effect is None else effect
    if largest == 0:
        raise NotPlanned("The assumed effects are all 0: there is nothing to find.")
    return planning_table(
        design,
        float(np.sqrt(process.variance)),
        {"estimate": process.icc, "low": process.icc_low, "high": process.icc_high},
        Goal(largest, power, round(1 - process.conf_level, 10)),
        sd_effect=float(process.sd_slope[1:].mean()),
        methods=concerning(design, methods),
        curves=curves,
    )
