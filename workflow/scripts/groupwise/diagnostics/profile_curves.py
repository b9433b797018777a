"""The profile likelihood of standard deviations between groups, restricted and full."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import special

from groupwise import tidy
from groupwise.diagnostics.refit import Dataset
from groupwise.inference.mixed import MixedFit, group_effects, hold_sd, sd_limits, work
from groupwise.sample import Sample

POINTS, SEARCHED, FEW = 60, 24, 12
"""Values between the ends of a curve; fewer where each needs a search, or one among many effects."""

EASY, HARD = 0, 100_000_000
"""`mixed.work` up to which there are so many."""

MOST_TERMS = 4
"""With more effects a group, so many standard deviations are profiled: the first."""

BEYOND = 0.6
"""A curve goes so far beyond the ends of the interval, as a share of their distance from the middle."""


def profile_table(dataset: Dataset) -> pd.DataFrame:
    """A row per estimator, effect and value: the deviance above its least, and where it is cut."""
    sample, fitted = dataset.whole, dataset.fitted
    if isinstance(fitted, str):
        return tidy.table("profile", [])
    effects = range(min(len(group_effects(fitted.model)), MOST_TERMS))
    parts = [_curve(sample, fitted, i, reml=reml) for reml in (True, False) for i in effects]
    return tidy.concat("profile", parts)


def _curve(sample: Sample, fitted: MixedFit, effect: int, *, reml: bool) -> pd.DataFrame:
    limits = sd_limits(fitted, effect, reml=reml, conf_level=sample.conf_level)
    low, estimate, high = (
        float(x[0]) for x in (limits.conf_low, limits.estimate, limits.conf_high)
    )
    n_points, note = _how_fine(fitted)
    profile = hold_sd(fitted, effect, _values(low, estimate, high, n_points), reml=reml)
    rows = {
        "dataset": sample.dataset,
        "estimator": "reml" if reml else "ml",
        "group": sample.group_name,
        "term": group_effects(fitted.model)[effect],
        "sd_group": profile.sd,
        "icc": profile.icc,
        "deviance": profile.deviance,
        "cutoff": float(special.chdtri(1, 1 - sample.conf_level)),
        "estimate": estimate,
        "conf_low": low,
        "conf_high": high,
        "conf_level": sample.conf_level,
        "message": note,
    }
    return tidy.table("profile", rows)


def _values(low: float, estimate: float, high: float, n_points: int) -> np.ndarray:
    """0, both ends, the estimate, and evenly spaced values around them."""
    if not np.isfinite(high):
        high = max(4 * estimate, 1e-9)
    first = max(0.0, low - BEYOND * (estimate - low))
    last = high + BEYOND * (high - estimate)
    ends, near_zero = [low, estimate, high], np.linspace(0.0, first, 6)
    return np.unique(np.concatenate([near_zero, ends, np.linspace(first, last, n_points)]))


def _how_fine(fitted: MixedFit) -> tuple[int, str]:
    """How many values, and a sentence where they are few."""
    if work(fitted.model) <= EASY:
        return POINTS, ""
    if work(fitted.model) <= HARD:
        return SEARCHED, ""
    return FEW, f"At {FEW} values only, because there are so many random effects."
