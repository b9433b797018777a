"""Every method's answer to every replicate, by the code that answers for the data."""

from __future__ import annotations

import numpy as np

from groupwise.calibration import gee, means_and_dummies, mixed, pooled, randomization
from groupwise.calibration.replicates import Batch, Effort, Family, Replicates
from groupwise.design import Design
from groupwise.inference.mixed import has_one_intercept
from groupwise.words import METHODS

FAMILIES: tuple[tuple[tuple[str, ...], Family], ...] = (
    (pooled.METHODS, pooled.answers),
    (means_and_dummies.METHODS, means_and_dummies.answers),
    (mixed.METHODS, mixed.answers),
    (gee.METHODS, gee.answers),
    (randomization.METHODS, randomization.answers),
)

RESAMPLING = ("ols_wild_bootstrap", "mixed_bootstrap", "randomization")
"""Methods whose cost is that of their draws: they are asked of fewer replicates."""

ONE_BY_ONE = mixed.METHODS
"""Methods that go through replicates one by one where there are more random terms than groups."""


SLOWEST = ("mixed_profile", "mixed_bootstrap")
"""Those of them that fit many models to each replicate."""


def slow_methods(design: Design) -> tuple[str, ...]:
    """Those that are asked of fewer replicates in this design."""
    if has_one_intercept(design):
        return RESAMPLING
    return tuple(dict.fromkeys((*RESAMPLING, *ONE_BY_ONE)))


def slowest_methods(design: Design) -> tuple[str, ...]:
    """Those of the slow ones that are asked of half as many replicates as the others."""
    return () if has_one_intercept(design) else SLOWEST


def analyse(
    design: Design,
    y: np.ndarray,
    *,
    methods: tuple[str, ...] = tuple(METHODS),
    effects: np.ndarray | None = None,
    conf_level: float = 0.95,
    effort: Effort | None = None,
    first: int = 0,
) -> dict[str, Replicates]:
    """The answers to outcomes y (R, n), by method in the order of `words.METHODS`.

    Parameters
    ----------
    effects : (J,) true effects of the arms, 0 if left out: what intervals are to cover
    first : number of the first replicate, for the seeds of methods that draw

    Raises
    ------
    ValueError
        For a method there is not.
    """
    unknown = sorted(set(methods) - set(METHODS))
    if unknown:
        raise ValueError(f"{unknown[0]} is not one of {', '.join(METHODS)}")
    if effects is None:
        effects = np.zeros(len(design.arm_labels))
    batch = Batch(design, y, np.asarray(effects), conf_level, effort or Effort(), first)
    found: dict[str, Replicates] = {}
    for names, answers in FAMILIES:
        wanted = frozenset(names) & frozenset(methods)
        if wanted:
            found |= answers(batch, wanted)
    return {method: found[method] for method in METHODS if method in found}
