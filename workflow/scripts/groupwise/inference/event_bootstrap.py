"""Parametric bootstrap of mixed models of events: studentised intervals, tests of effects.

Every replicate draws the effects of groups and the events at the maximum likelihood estimates, and is
fitted like the data, with fewer nodes. Quantiles are of |t*|, t* = (estimate* - estimate) / se*, as in
`inference.bootstrap`: an interval leaves out 0 exactly where the test rejects. A draw without estimates,
such as one without events in an arm, counts as extreme: where these are many, intervals are infinite.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from groupwise.inference.bootstrap import counted
from groupwise.inference.wald import t_inference, wald_statistic
from groupwise.models.quadrature import SMALL, QuadratureFit
from groupwise.tidy import Inference, JointTest

Estimates = Callable[[QuadratureFit], tuple[np.ndarray, np.ndarray]]
"""Estimates (B, k) and their covariance (B, k, k)."""


@dataclass(frozen=True)
class Redrawn:
    """Fits to draws of the outcomes of a fit; those of a single outcome are kept.

    Attributes
    ----------
    fit : (B,)
    n_draws : of each outcome
    seeds : (B,)
    """

    fit: QuadratureFit
    n_draws: int
    seeds: np.ndarray
    _kept: dict[int, QuadratureFit] = field(default_factory=dict, repr=False)

    def refits(self) -> Iterator[tuple[int, QuadratureFit]]:
        """Each outcome that has a fit, with the fits of its draws."""
        for i in np.flatnonzero(self.fit.converged):
            yield int(i), self.refit(int(i))

    def refit(self, i: int) -> QuadratureFit:
        """The fits of the draws of one outcome."""
        if i in self._kept:
            return self._kept[i]
        model, at = self.fit.model.for_draws, self.fit.parameters[i]
        y = model.draw(at, self.n_draws, int(self.seeds[i]))
        start = np.tile(at, (self.n_draws, 1))
        start[:, model.p] = np.maximum(start[:, model.p], SMALL)
        refit = model.fit(y, start=start)
        if len(self.fit.y) == 1:
            self._kept[i] = refit
        return refit

    def statistics(
        self, statistic: Callable[[int, QuadratureFit], np.ndarray], k: int
    ) -> np.ndarray:
        """Statistics (B, n_draws, k) of draws, infinite where there is none.

        `statistic` of an outcome's number and the fits of its draws is (n_draws, k).
        """
        values = np.full((len(self.fit.y), self.n_draws, k), np.inf)
        for i, refit in self.refits():
            drawn = statistic(i, refit)
            values[i] = np.where(np.isnan(drawn), np.inf, drawn)
        return values


def bootstrap(drawn: Redrawn, estimates: Estimates, conf_level: float) -> Inference:
    """Studentised intervals (B, k) and p-values; `df` is NaN, there being no t distribution."""
    estimate, vcov = estimates(drawn.fit)
    variance = np.diagonal(vcov, axis1=1, axis2=2)
    rows = t_inference(estimate, np.sqrt(variance), np.inf, conf_level)

    def absolute_t(i: int, refit: QuadratureFit) -> np.ndarray:
        value, spread = estimates(refit)
        return np.abs(value - estimate[i]) / np.sqrt(np.diagonal(spread, axis1=1, axis2=2))

    t = drawn.statistics(absolute_t, estimate.shape[1])
    usable = np.isfinite(rows.statistic)
    half = critical_values(t, conf_level) * np.where(usable, rows.std_error, 1.0)
    return replace(
        rows,
        df=np.full(estimate.shape, np.nan),
        p_value=np.where(usable, exceedance(t, rows.statistic), np.nan),
        conf_low=np.where(usable, estimate - half, np.nan),
        conf_high=np.where(usable, estimate + half, np.nan),
    )


def bootstrap_joint(drawn: Redrawn, estimates: Estimates) -> JointTest:
    """Tests (B,) that all estimates are 0: Wald's statistic of draws, centred at the estimates."""
    estimate, vcov = estimates(drawn.fit)
    statistic = wald_statistic(estimate, vcov)

    def centred(i: int, refit: QuadratureFit) -> np.ndarray:
        value, spread = estimates(refit)
        return wald_statistic(value - estimate[i], spread)[:, None]

    reference = drawn.statistics(centred, 1)
    p_value = exceedance(reference, statistic[:, None])[:, 0]
    q = estimate.shape[1]
    no_df = np.full(len(estimate), np.nan)
    p_value = np.where(np.isfinite(statistic), p_value, np.nan)
    return JointTest(statistic / q, float(q), no_df, p_value)


def reach(level: float, n_draws: int) -> int:
    """How many draws as extreme as a statistic make its p-value greater than `level`, at least."""
    return max(int(np.floor(level * (n_draws + 1) + 1e-9)), 1)


def critical_values(drawn: np.ndarray, conf_level: float) -> np.ndarray:
    """The values (..., k) that a share 1 - conf_level of n + 1 draws (..., n, k) reach or exceed."""
    n = drawn.shape[-2]
    values: np.ndarray = np.sort(drawn, axis=-2)[..., n - reach(1 - conf_level, n), :]
    return values


def exceedance(drawn: np.ndarray, statistic: np.ndarray) -> np.ndarray:
    """(1 + number of draws (..., n, k) at least as large as |statistic| (..., k)) / (1 + n)."""
    reached = (drawn >= np.abs(statistic)[..., None, :]).sum(axis=-2)
    return counted(reached, drawn.shape[-2])
