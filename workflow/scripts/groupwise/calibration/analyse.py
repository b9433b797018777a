"""Every method's answer to every replicate, by the code that answers for the data."""

from __future__ import annotations

import numpy as np

from groupwise.calibration import gee, means_and_dummies, mixed, pooled, randomization
from groupwise.calibration.replicates import Batch, Effort, Family, Replicates
from groupwise.design import Design

FAMILIES: tuple[tuple[tuple[str, ...], Family], ...] = (
    (pooled.METHODS, pooled.answers),
    (means_and_dummies.METHODS, means_and_dummies.answers),
    (mixed.METHODS, mixed.answers),
    (gee.METHODS, gee.answers),
    (randomization.METHODS, randomization.answers),
)

NAMES = tuple(name for names, _ in FAMILIES for name in names)


def analyse(
    design: Design,
    y: np.ndarray,
    *,
    methods: tuple[str, ...] = NAMES,
    effects: np.ndarray | None = None,
    conf_level: float = 0.95,
    effort: Effort | None = None,
    first: int = 0,
) -> dict[str, Replicates]:
    """The answers to outcomes y (R, n), by method in the order of `NAMES`.

    Parameters
    ----------
    effects : (J,) true effects of the arms, 0 if left out: what intervals are to cover
    first : number of the first replicate, for the seeds of methods that draw

    Raises
    ------
    ValueError
        For a method there is not.
    """
    unknown = sorted(set(methods) - set(NAMES))
    if unknown:
        raise ValueError(f"{unknown[0]} is not one of {', '.join(NAMES)}")
    if effects is None:
        effects = np.zeros(len(design.arm_labels))
    batch = Batch(design, y, np.asarray(effects), conf_level, effort or Effort(), first)
    found: dict[str, Replicates] = {}
    for names, answers in FAMILIES:
        wanted = frozenset(names) & frozenset(methods)
        if wanted:
            found |= answers(batch, wanted)
    return {method: found[method] for method in NAMES if method in found}
