"""Profile likelihood of the standard deviations of one random intercept, and of their ratio.

For every replicate and both limits at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from groupwise.inference.limits import Parameter, as_it_is, as_share
from groupwise.inference.variance_intervals import HeldSd, Level
from groupwise.models.random_intercept import (
    CriterionSlopes,
    DrawnSums,
    Objective,
    OutcomeSums,
    Profile,
    RandomIntercept,
    RandomInterceptFit,
    deviance_at,
    minimise,
)


@dataclass(frozen=True)
class FixedResidualVariance:
    """Deviance at a fixed residual variance (B,), as a function of lambda."""

    variance: np.ndarray
    n: int

    def value(self, lam: np.ndarray, logdet: np.ndarray, q: np.ndarray) -> np.ndarray:
        v = self.variance.reshape(-1, *(1,) * (q.ndim - 1))
        total: np.ndarray = logdet + self.n * np.log(v) + q / v
        return total

    def derivatives(self, lam: np.ndarray, s: CriterionSlopes) -> tuple[np.ndarray, np.ndarray]:
        return s.l1 + s.q1 / self.variance, s.l2 + s.q2 / self.variance

    def take(self, which: np.ndarray) -> FixedResidualVariance:
        return FixedResidualVariance(self.variance[which], self.n)


@dataclass(frozen=True)
class FixedGroupVariance:
    """Deviance at a fixed, positive group variance (B,), as a function of lambda."""

    variance: np.ndarray
    n: int

    def value(self, lam: np.ndarray, logdet: np.ndarray, q: np.ndarray) -> np.ndarray:
        v = self.variance.reshape(-1, *(1,) * (q.ndim - 1))
        with np.errstate(divide="ignore"):  # lambda = 0 is an infinite residual variance
            total: np.ndarray = logdet + self.n * np.log(v / lam) + lam * q / v
        return total

    def derivatives(self, lam: np.ndarray, s: CriterionSlopes) -> tuple[np.ndarray, np.ndarray]:
        first = s.l1 - self.n / lam + (s.q + lam * s.q1) / self.variance
        second = s.l2 + self.n / lam**2 + (2 * s.q1 + lam * s.q2) / self.variance
        return first, second

    def take(self, which: np.ndarray) -> FixedGroupVariance:
        return FixedGroupVariance(self.variance[which], self.n)


@dataclass(frozen=True)
class OneInterceptVariances:
    """The variance parameters of fits (B,) with one random intercept; NaN where there is no fit.

    `profile` is the likelihood of the outcomes, full or restricted, and lam (B,) its optimum.
    """

    model: RandomIntercept
    sums: OutcomeSums | DrawnSums
    reml: bool
    profile: Profile
    lam: np.ndarray

    @classmethod
    def of(cls, fit: RandomInterceptFit, *, reml: bool) -> OneInterceptVariances:
        """The variance parameters for the outcomes of REML fits, by REML or ML."""
        best = fit if reml else fit.maximum_likelihood
        lam = np.where(best.converged & fit.converged, best.theta**2, np.nan).reshape(-1)
        profile = fit.model.profile(fit.sums, reml=reml)
        return cls(fit.model, fit.sums, reml, profile, lam)

    @property
    def terms(self) -> list[Level]:
        return [Level("group", ("Intercept",), self.model.group_size)]

    @property
    def intercepts_only(self) -> bool:
        return True

    @property
    def minimum(self) -> np.ndarray:
        return deviance_at(self.profile, self.lam)

    @property
    def sigma(self) -> np.ndarray:
        sigma: np.ndarray = np.sqrt(self.profile.value(self.lam)[1] / self.profile.df)
        return sigma

    def effect_sd(self, t: int, i: int) -> Parameter:
        """The groups' standard deviation."""

        def deviance(sd: np.ndarray, which: np.ndarray) -> np.ndarray:
            profile = self.profile.take(which)
            objective = FixedGroupVariance(np.where(sd > 0, sd, 1.0) ** 2, profile.df)
            return np.where(
                sd > 0, _least(profile, objective), deviance_at(profile, np.zeros(len(sd)))
            )

        step = self.sigma / np.sqrt(self.profile.scale)
        estimate = self.sigma * np.sqrt(self.lam)
        return Parameter(deviance, estimate, step, self.minimum, True, as_it_is)

    def residual_sd(self) -> Parameter:
        """The residual standard deviation, followed as its logarithm."""

        def deviance(log_sd: np.ndarray, which: np.ndarray) -> np.ndarray:
            profile = self.profile.take(which % len(self.lam))
            return _least(profile, FixedResidualVariance(np.exp(2 * log_sd), profile.df))

        estimate = np.log(self.sigma)
        step = np.full_like(estimate, 2 / np.sqrt(2 * self.profile.df))
        return Parameter(deviance, estimate, step, self.minimum, False, np.exp)

    def share(self, t: int | None) -> Parameter:
        """The intraclass correlation lambda / (1 + lambda)."""

        def deviance(theta: np.ndarray, which: np.ndarray) -> np.ndarray:
            return deviance_at(self.profile.take(which), theta**2)

        step = np.full_like(self.lam, 1 / np.sqrt(self.profile.scale))
        return Parameter(deviance, np.sqrt(self.lam), step, self.minimum, True, as_share)

    def hold_sd(self, t: int, i: int, sd: np.ndarray) -> HeldSd:
        """The groups' standard deviation held at `sd` (m,), for a single outcome."""
        same = np.zeros(len(sd), dtype=int)
        profile, positive = self.profile.take(same), sd > 0
        objective = FixedGroupVariance(np.where(positive, sd, 1.0) ** 2, profile.df)
        lam = np.where(positive, minimise(profile, objective).lam, 0.0)
        logdet, q = profile.value(lam)
        fit = self.model.fit_sums(self.sums.take(same), reml=self.reml, theta=np.sqrt(lam))
        with np.errstate(divide="ignore", invalid="ignore"):
            residual = np.where(positive, sd**2 / lam, q / profile.df)
            value = np.where(positive, objective.value(lam, logdet, q), deviance_at(profile, lam))
        vcov = fit.vcov * (residual / fit.var_residual)[:, None, None]
        rise = np.maximum(value - self.minimum[0], 0)
        return HeldSd(sd, rise, lam / (1 + lam), fit.beta, vcov)


def _least(profile: Profile, objective: Objective) -> np.ndarray:
    """The least value of the objective over lambda, on the scale of `deviance_at`."""
    lam = minimise(profile, objective).lam
    return objective.value(lam, *profile.value(lam))
