"""Profile likelihood of the standard deviations of one random intercept, and of their ratio.

For every replicate and both limits at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from groupwise.inference.limits import Limits, both_sides, from_zero
from groupwise.models.random_intercept import (
    Objective,
    Profile,
    Profiled,
    RandomIntercept,
    Slopes,
    deviance_at,
    minimise,
)


@dataclass(frozen=True)
class GivenResidual:
    """Deviance at a fixed residual variance (B,), as a function of lambda."""

    variance: np.ndarray
    n: int

    def value(self, lam: np.ndarray, logdet: np.ndarray, q: np.ndarray) -> np.ndarray:
        v = self.variance.reshape(-1, *(1,) * (q.ndim - 1))
        total: np.ndarray = logdet + self.n * np.log(v) + q / v
        return total

    def derivatives(self, lam: np.ndarray, s: Slopes) -> tuple[np.ndarray, np.ndarray]:
        return s.l1 + s.q1 / self.variance, s.l2 + s.q2 / self.variance

    def take(self, which: np.ndarray) -> GivenResidual:
        return GivenResidual(self.variance[which], self.n)


@dataclass(frozen=True)
class GivenGroup:
    """Deviance at a fixed, positive group variance (B,), as a function of lambda."""

    variance: np.ndarray
    n: int

    def value(self, lam: np.ndarray, logdet: np.ndarray, q: np.ndarray) -> np.ndarray:
        v = self.variance.reshape(-1, *(1,) * (q.ndim - 1))
        with np.errstate(divide="ignore"):  # lambda = 0 is an infinite residual variance
            total: np.ndarray = logdet + self.n * np.log(v / lam) + lam * q / v
        return total

    def derivatives(self, lam: np.ndarray, s: Slopes) -> tuple[np.ndarray, np.ndarray]:
        first = s.l1 - self.n / lam + (s.q + lam * s.q1) / self.variance
        second = s.l2 + self.n / lam**2 + (2 * s.q1 + lam * s.q2) / self.variance
        return first, second

    def take(self, which: np.ndarray) -> GivenGroup:
        return GivenGroup(self.variance[which], self.n)


def profile_sd_group(
    model: RandomIntercept, y: np.ndarray, *, conf_level: float, reml: bool = False
) -> Limits:
    """Profile interval of the groups' standard deviation; y (..., n).

    The lower limit is exactly 0 where the profile does not reach the cutoff above 0.
    """
    profile, lam = optimum(model, y, reml=reml)
    sigma = _sigma(profile, lam)

    def deviance(sd: np.ndarray, which: np.ndarray) -> np.ndarray:
        some = profile.take(which)
        given = GivenGroup(np.where(sd > 0, sd, 1.0) ** 2, some.df)
        return np.where(sd > 0, _least(some, given), deviance_at(some, np.zeros(len(sd))))

    unit = sigma / np.sqrt(profile.scale)
    minimum = deviance_at(profile, lam)
    limits = from_zero(deviance, sigma * np.sqrt(lam), unit, minimum, conf_level)
    return limits.reshape(y.shape[:-1])


def profile_sd_residual(
    model: RandomIntercept, y: np.ndarray, *, conf_level: float, reml: bool = False
) -> Limits:
    """Profile interval of the residual standard deviation; y (..., n)."""
    profile, lam = optimum(model, y, reml=reml)

    def deviance(log_sd: np.ndarray, which: np.ndarray) -> np.ndarray:
        some = profile.take(which % len(lam))
        return _least(some, GivenResidual(np.exp(2 * log_sd), some.df))

    estimate, minimum = np.log(_sigma(profile, lam)), deviance_at(profile, lam)
    step = np.full_like(estimate, 2 / np.sqrt(2 * profile.df))
    low, high = both_sides(deviance, estimate, step, minimum, conf_level)
    return Limits(np.exp(estimate), np.exp(low), np.exp(high)).reshape(y.shape[:-1])


def profile_icc(
    model: RandomIntercept, y: np.ndarray, *, conf_level: float, reml: bool = False
) -> Limits:
    """Profile interval of the intraclass correlation lambda / (1 + lambda); y (..., n)."""
    profile, lam = optimum(model, y, reml=reml)

    def deviance(theta: np.ndarray, which: np.ndarray) -> np.ndarray:
        return deviance_at(profile.take(which), theta**2)

    unit = np.full_like(lam, 1 / np.sqrt(profile.scale))
    minimum = deviance_at(profile, lam)
    theta = from_zero(deviance, np.sqrt(lam), unit, minimum, conf_level)
    squares = [np.square(each) for each in vars(theta).values()]
    return Limits(*(each / (1 + each) for each in squares)).reshape(y.shape[:-1])


def design_effect(icc: Limits, group_size: np.ndarray) -> Limits:
    """1 + (m - 1) icc with m = sum n_g^2 / n (Kish 1965): how groups inflate a mean's variance.

    It increases with the icc, so the limits carry over.
    """
    m = float((group_size.astype(float) ** 2).sum() / group_size.sum())
    return Limits(*(1 + (m - 1) * each for each in vars(icc).values()))


def _least(profile: Profile, objective: Objective) -> np.ndarray:
    """The least value of the objective over lambda, on the scale of `deviance_at`."""
    lam = minimise(profile, objective).lam
    return objective.value(lam, *profile.value(lam))


def optimum(model: RandomIntercept, y: np.ndarray, *, reml: bool) -> tuple[Profile, np.ndarray]:
    """The profile of outcomes (..., n), flattened to (B, n), and its optimal lambda (B,)."""
    profile = model.profile(model.sums(_with_a_fit(model, y)), reml=reml)
    found = minimise(profile, Profiled(profile.df))
    return profile, np.where(found.converged, found.lam, np.nan)


def _with_a_fit(model: RandomIntercept, y: np.ndarray) -> np.ndarray:
    """Outcomes (..., n) as (B, n), with NaN for those that cannot be fitted."""
    flat = np.asarray(y, dtype=float).reshape(-1, y.shape[-1])
    return np.where(model.fit(flat).converged[:, None], flat, np.nan)


def _sigma(profile: Profile, lam: np.ndarray) -> np.ndarray:
    sigma: np.ndarray = np.sqrt(profile.value(lam)[1] / profile.df)
    return sigma
