"""A standard deviation between groups held at given values: the likelihood, and the effects given it.

All other variances are at their optimum given the one that is held, so that at the estimate the
effects and their covariance are those of the fit itself, and at 0 those of a model without it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class HeldSd:
    """What the model says with the sd held at m values.

    Attributes
    ----------
    sd : (m,)
    deviance : (m,) twice what the log-likelihood is below its maximum
    icc : (m,) share of the groups in the variance; NaN where there is no one share
    beta, vcov : (m, p), (m, p, p)
    """

    sd: np.ndarray
    deviance: np.ndarray
    icc: np.ndarray
    beta: np.ndarray
    vcov: np.ndarray


@dataclass(frozen=True)
class Level:
    """A random term: its name, its q columns, and how many rows each of its levels has, (L,)."""

    name: str
    colnames: tuple[str, ...]
    size: np.ndarray
