"""Limits of a parameter from its profile deviance, for any number of outcomes at once.

They are where the deviance exceeds its minimum by the chi-squared quantile, found by bracketing and
Chandrupatla's method (1997, Adv. Eng. Softw. 28); they are not interpolated.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import special

Deviance = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Profile deviance at parameter values x of the outcomes with these indices, each shape (m,)."""


@dataclass(frozen=True)
class Limits:
    """An interval per replicate, each (...); `estimate` is where the profile is least."""

    estimate: np.ndarray
    conf_low: np.ndarray
    conf_high: np.ndarray

    def mapped(self, function: Callable[[np.ndarray], np.ndarray]) -> Limits:
        """The interval of an increasing function of the parameter."""
        return Limits(*(function(each) for each in vars(self).values()))


@dataclass(frozen=True)
class Parameter:
    """A parameter of B outcomes, on a scale that its profile deviance is followed on.

    Attributes
    ----------
    deviance
        Least deviance at values of the parameter.
    estimate, step, minimum : (B,)
        Where the deviance is least, a first step away from there, and the least deviance.
    at_least_0 : bool
        Whether it is a standard deviation or the like, whose lower limit may be exactly 0.
    report : what is reported of values on this scale
    """

    deviance: Deviance
    estimate: np.ndarray
    step: np.ndarray
    minimum: np.ndarray
    at_least_0: bool
    report: Callable[[np.ndarray], np.ndarray]

    def limits(self, conf_level: float) -> Limits:
        """The estimate and its profile interval, each (B,)."""
        where = (self.deviance, self.estimate, self.step, self.minimum)
        if self.at_least_0:
            return from_zero(*where, conf_level).mapped(self.report)
        low, high = both_sides(*where, conf_level)
        return Limits(self.estimate, low, high).mapped(self.report)


def as_it_is(value: np.ndarray) -> np.ndarray:
    """The identity: the report of a parameter that is profiled on its own scale."""
    return value


def as_share(theta: np.ndarray) -> np.ndarray:
    """A share of the variance that is followed as theta = sqrt(share / (1 - share))."""
    return np.asarray(theta**2 / (1 + theta**2))


def from_zero(
    deviance: Deviance,
    estimate: np.ndarray,
    unit: np.ndarray,
    minimum: np.ndarray,
    conf_level: float,
) -> Limits:
    """Limits of a parameter that is at least 0; `unit` (B,) is a first step above the estimate."""
    every = np.arange(len(estimate))
    above = deviance(np.zeros(len(estimate)), every) - minimum > special.chdtri(1, 1 - conf_level)
    low = np.where(np.isfinite(minimum), 0.0, np.nan)
    low[above] = _root(deviance, estimate, np.zeros_like(estimate), minimum, conf_level, above)
    return Limits(estimate, low, _outward(deviance, estimate, unit, minimum, conf_level))


def both_sides(
    deviance: Deviance,
    estimate: np.ndarray,
    step: np.ndarray,
    minimum: np.ndarray,
    conf_level: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper limits (B,) of an unbounded parameter, sought at the same time.

    The deviance is asked of indices up to 2B: B + i is outcome i again, on its upper side.
    """
    B = len(estimate)
    steps = np.concatenate([-step, step])
    limits = _outward(deviance, np.tile(estimate, 2), steps, np.tile(minimum, 2), conf_level)
    return limits[:B], limits[B:]


def _outward(
    deviance: Deviance,
    estimate: np.ndarray,
    step: np.ndarray,
    minimum: np.ndarray,
    conf_level: float,
) -> np.ndarray:
    """Where the deviance crosses the cutoff in the direction of `step`, every array (B,)."""
    cutoff = special.chdtri(1, 1 - conf_level)
    possible = np.isfinite(estimate + step + minimum)
    far = np.where(possible, estimate + step, np.nan)
    short = np.flatnonzero(possible)
    for _ in range(60):
        short = short[deviance(far[short], short) - minimum[short] <= cutoff]
        if not len(short):
            break
        far[short] += far[short] - estimate[short]
    limit = np.full(len(estimate), np.nan)
    limit[possible] = _root(deviance, estimate, far, minimum, conf_level, possible)
    return limit


def _root(
    deviance: Deviance,
    inside: np.ndarray,
    outside: np.ndarray,
    minimum: np.ndarray,
    conf_level: float,
    some: np.ndarray,
) -> np.ndarray:
    """The crossing between `inside` and `outside`, arrays (B,), of those marked in `some`."""
    which = np.flatnonzero(some)
    target = np.sqrt(special.chdtri(1, 1 - conf_level))

    def excess(x: np.ndarray, index: np.ndarray) -> np.ndarray:
        index = index.astype(int)
        # The root of the deviance is nearly linear: few steps.
        return np.sqrt(np.maximum(deviance(x, index) - minimum[index], 0)) - target

    if not len(which):
        return np.empty(0)
    from scipy.optimize import elementwise  # slow to load, and needed by searches alone

    bracket = (inside[which], outside[which])
    root: np.ndarray = elementwise.find_root(
        excess, bracket, args=(which,), tolerances={"xrtol": 1e-11, "fatol": 1e-10}
    ).x
    return root
