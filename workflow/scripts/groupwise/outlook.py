"""What an experiment like one that is there can find: its data say how much outcomes vary."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from groupwise.calibration.scenario import estimate_process
from groupwise.calibration.workload import Options, assumed_effects
from groupwise.planning.at_hand import Goal, planning_table
from groupwise.sample import Sample
from groupwise.words import METHODS


class NotPlanned(Exception):
    """Nothing is planned for a dataset; the message says why."""


def planned(
    sample: Sample,
    options: Options,
    effect: float | None,
    power: float,
    methods: Sequence[str] = tuple(METHODS),
) -> pd.DataFrame:
    """Table `planning` for an effect, by default the largest difference of those assumed.

    Raises
    ------
    NotPlanned
        Where the mixed model says nothing of how outcomes vary, or there is nothing to find.
    InputError
        For the effect of an arm there is not.
    """
    design = sample.design
    try:
        found = estimate_process(design, sample.y, conf_level=sample.conf_level)
    except ValueError as reason:
        raise NotPlanned(str(reason)) from reason
    effects = assumed_effects(design, options)
    effects = found.effects if effects is None else effects
    largest = float(np.ptp(effects)) if effect is None else effect
    if largest == 0:
        raise NotPlanned("The assumed effects are all 0: there is nothing to find.")
    slopes = found.background.sd_slope[1:]
    return planning_table(
        design,
        float(np.sqrt(found.background.variance)),
        {"estimate": found.icc, "low": found.icc_low, "high": found.icc_high},
        Goal(largest, power, round(1 - sample.conf_level, 10)),
        sd_effect=float(slopes.mean()),
        methods=methods,
    )
