"""Parametric bootstrap of mixed models: studentised intervals, tests of contrasts.

Every replicate redraws all random effects and residuals at the REML estimates, and is fitted by REML
by the same engine. What is bootstrapped is t* = (l'beta* - l'beta) / se*. Its distribution does not
depend on beta or on the scale, only on theta. The spread of l'beta* - l'beta is that of the estimates
taken as known: percentile intervals are as short as normal ones where groups are few, which
studentised ones are not (Hall 1992, section 3). Normal errors are symmetric, so t* is, and quantiles
are those of |t*|: twice the draws for each tail.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from groupwise.inference import wald
from groupwise.inference.profile import Restriction
from groupwise.models.interface import Fit, Model
from groupwise.tidy import Inference, JointTest


def bootstrap(
    fit: Fit, L: np.ndarray, conf_level: float, *, n_draws: int, seeds: int | np.ndarray
) -> Inference:
    """Studentised intervals of the rows of L beta, L (k, p), and their p-values: (..., k).

    A p-value is at most 1 - conf_level exactly when the interval excludes 0. `df` is NaN, there being
    no t distribution.

    Parameters
    ----------
    fit : REML fits (...)
    n_draws
        n_draws + 1 should be a multiple of 2 / (1 - conf_level), as 1999 is for 0.95.
    seeds : broadcasts to (...)
        Each outcome's draws come from streams of its own seed.
    """
    drawn = draw_t(fit, L, n_draws=n_draws, seeds=seeds)
    rows = wald.wald_of_fit(fit, L, np.inf, conf_level)
    fitted = fit.converged[..., None]
    half = critical_values(drawn, conf_level) * rows.std_error
    return replace(
        rows,
        df=np.full(rows.estimate.shape, np.nan),
        p_value=np.where(fitted, exceedance(drawn, rows.statistic), np.nan),
        conf_low=np.where(fitted, rows.estimate - half, np.nan),
        conf_high=np.where(fitted, rows.estimate + half, np.nan),
    )


def draw_t(fit: Fit, L: np.ndarray, *, n_draws: int, seeds: int | np.ndarray) -> np.ndarray:
    """|t*| of every row of L, shape (..., n_draws, k); infinite where a replicate has no fit."""

    def absolute_t(refit: Fit) -> np.ndarray:
        variance = np.diagonal(refit.covariance(L), axis1=1, axis2=2)
        return np.abs(refit.beta @ L.T) / np.sqrt(variance)

    return refits(fit, _flat(fit.theta, fit.shape), absolute_t, (len(L),), n_draws, seeds)


def refits(
    fit: Fit,
    theta: np.ndarray,
    statistic: Callable[[Fit], np.ndarray],
    shape: tuple[int, ...],
    n_draws: int,
    seeds: int | np.ndarray,
) -> np.ndarray:
    """A statistic of REML fits to draws at theta (B, ...): (..., n_draws, *shape).

    `statistic` of b fits has shape (b, *shape). What has no fit is infinite: it counts as extreme.
    """
    seed_of, fitted = np.broadcast_to(seeds, fit.shape).ravel(), fit.converged.ravel()
    values = np.full((len(fitted), n_draws, *shape), np.inf)
    parts = [
        statistic(fit.model.fit_sums(sums, near=near))
        for sums, near in _piled(fit.model, theta[fitted], n_draws, seed_of[fitted])
    ]
    if parts:
        drawn = np.concatenate(parts).reshape(-1, n_draws, *shape)
        values[fitted] = np.where(np.isnan(drawn), np.inf, drawn)
    return values.reshape((*fit.shape, n_draws, *shape))


def _piled(
    model: Model, theta: np.ndarray, n_draws: int, seeds: np.ndarray
) -> Iterator[tuple[Any, np.ndarray]]:
    """Draws of one outcome after the other, with their theta, as many as are fitted together."""
    pile: list[Any] = []
    near: list[np.ndarray] = []
    for at, seed in zip(theta, seeds, strict=True):
        for sums in model.draw(at, n_draws=n_draws, seed=int(seed)):
            pile.append(sums)
            near.append(np.broadcast_to(at, (len(sums), *at.shape)))
            if sum(map(len, pile)) >= model.at_a_time:
                yield type(sums).joined(pile), np.concatenate(near)
                pile, near = [], []
    if pile:
        yield type(pile[0]).joined(pile), np.concatenate(near)


def bootstrap_joint(fit: Fit, L: np.ndarray, *, n_draws: int, seeds: int | np.ndarray) -> JointTest:
    """Tests (...) that every row of L beta is zero: the Wald F under the REML fit restricted to it."""
    rank = int(np.linalg.matrix_rank(L))

    def wald_f(each: Fit) -> np.ndarray:
        return _wald(each.beta @ L.T, each.covariance(L), rank)

    restriction = Restriction.of(fit.model, L)
    smaller = restriction.sums(fit.sums, np.zeros(len(L)))
    near = _flat(fit.theta, fit.shape)
    theta = restriction.smaller.fit_sums(smaller, near=near).theta
    drawn = refits(fit, theta, wald_f, (), n_draws, seeds)
    statistic = wald_f(fit)
    p_value = exceedance(drawn[..., None], statistic[..., None])[..., 0]
    p_value = np.where(fit.converged, p_value, np.nan)
    return JointTest(statistic, float(rank), np.full(fit.shape, np.nan), p_value)


def _flat(theta: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """(..., k) or (...) as (B, k) or (B,)."""
    return theta.reshape(-1, *theta.shape[len(shape) :])


def critical_values(drawn: np.ndarray, conf_level: float) -> np.ndarray:
    """The values (..., k) that a share 1 - conf_level of n + 1 draws (..., n, k) reach or exceed."""
    n = drawn.shape[-2]
    reach = max(int(np.floor((1 - conf_level) * (n + 1) + 1e-9)), 1)
    values: np.ndarray = np.sort(drawn, axis=-2)[..., n - reach, :]
    return values


def exceedance(drawn: np.ndarray, statistic: np.ndarray) -> np.ndarray:
    """(1 + number of draws (..., n, k) at least as large as |statistic| (..., k)) / (1 + n)."""
    reached = (drawn >= np.abs(statistic)[..., None, :]).sum(axis=-2)
    p_value: np.ndarray = (1 + reached) / (1 + drawn.shape[-2])
    return p_value


def _wald(contrast: np.ndarray, vcov: np.ndarray, rank: int) -> np.ndarray:
    """contrast' vcov^+ contrast / rank, (...); NaN without a fit. Rows may depend on each other."""
    ok = np.isfinite(vcov).all(axis=(-1, -2))
    inverse = np.linalg.pinv(
        np.where(ok[..., None, None], vcov, np.eye(vcov.shape[-1])), hermitian=True
    )
    value = np.einsum("...i,...ij,...j->...", contrast, inverse, contrast)
    return np.where(ok, value / rank, np.nan)
