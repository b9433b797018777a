"""Parametric bootstrap for one random intercept: studentised intervals, tests of contrasts.

Every replicate redraws the group effects, u* ~ N(0, s2_u), and the residuals at the REML estimates,
and is fitted by REML by the same engine. What is bootstrapped is t* = (l'beta* - l'beta) / se*. Its
distribution does not depend on beta or on the scale, only on theta. The spread of l'beta* - l'beta
is that of the estimates taken as known: percentile intervals are as short as normal ones where
groups are few, which studentised ones are not (Hall 1992, section 3). Normal errors are symmetric,
so t* is, and quantiles are those of |t*|: twice the draws for each tail.

A replicate is drawn as the sums the engine needs of it, not as n values: its cost does not depend
on the number of individuals.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from scipy import linalg

from groupwise.inference.wald import wald
from groupwise.models.random_intercept import OutcomeSums, RandomIntercept, RandomInterceptFit
from groupwise.tidy import Inference, JointTest

BLOCK = 500
"""Replicates per random stream: results do not depend on how the blocks are spread."""


@dataclass(frozen=True)
class BootstrapTests:
    """Parametric bootstrap of the rows of L, shape (k, p), for one dataset.

    Attributes
    ----------
    inference
        Studentised intervals and the p-values that go with them: p <= 1 - conf_level exactly when
        the interval excludes 0. `df` is NaN, there being no t distribution. REML estimates.
    p_value_null : (k,)
        From draws under the REML fit that is restricted to l'beta = 0, one fit per row.
    n_draws, n_failed : replicates drawn, and those without a fit, which count as extreme
    """

    inference: Inference
    p_value_null: np.ndarray
    n_draws: int
    n_failed: int


def bootstrap_contrasts(
    fit: RandomInterceptFit,
    y: np.ndarray,
    L: np.ndarray,
    *,
    conf_level: float,
    n_draws: int,
    seed: int,
) -> BootstrapTests:
    """Bootstraps a REML `fit` of one outcome y, shape (n,).

    `n_draws` + 1 should be a multiple of 2 / (1 - conf_level), as 1999 is for 0.95.
    """
    drawn = draw_t(fit.model, float(fit.theta), L, n_draws=n_draws, seed=seed)
    found = wald(L, fit.beta, fit.vcov, df=np.inf, conf_level=conf_level)
    inference = studentised(found, drawn)
    p_value_null = [
        _null_p_value(fit.model, y, row[None, :], t, n_draws=n_draws, seed=seed)
        for row, t in zip(L, inference.statistic, strict=True)
    ]
    failed = int(np.isinf(drawn).any(axis=1).sum())
    return BootstrapTests(inference, np.array(p_value_null), n_draws, failed)


def studentised(found: Inference, drawn: np.ndarray) -> Inference:
    """The rows of `found` (k,) with intervals and p-values from |t*| (n_draws, k); `df` is NaN."""
    half = critical_values(drawn, found.conf_level) * found.std_error
    return replace(
        found,
        df=np.full(len(found.estimate), np.nan),
        p_value=exceedance(drawn, found.statistic),
        conf_low=found.estimate - half,
        conf_high=found.estimate + half,
    )


def _null_p_value(
    model: RandomIntercept,
    y: np.ndarray,
    row: np.ndarray,
    statistic: float,
    *,
    n_draws: int,
    seed: int,
) -> float:
    """Two-sided p-value of one t statistic, drawn where `row`, shape (1, p), times beta is zero."""
    theta = restricted_theta(model, y, row)
    drawn = draw_t(model, theta, row, n_draws=n_draws, seed=seed)
    return float(exceedance(drawn, np.array([statistic]))[0])


def bootstrap_joint(
    fit: RandomInterceptFit, y: np.ndarray, L: np.ndarray, *, n_draws: int, seed: int
) -> JointTest:
    """Test that every row of L beta is zero: the Wald F under the REML fit restricted to it."""
    statistic = _wald(fit, L)
    theta = restricted_theta(fit.model, y, L)
    drawn = [_wald(draw, L) for draw in draws(fit.model, theta, n_draws=n_draws, seed=seed)]
    p_value = exceedance(_failed_is_extreme(np.concatenate(drawn))[:, None], statistic[None])
    return JointTest(float(statistic), float(np.linalg.matrix_rank(L)), np.nan, float(p_value[0]))


def draws(
    model: RandomIntercept, theta: float, *, n_draws: int, seed: int
) -> Iterator[RandomInterceptFit]:
    """REML fits to outcomes drawn at beta = 0, s2_e = 1 and this theta, block by block."""
    for block, start in enumerate(range(0, n_draws, BLOCK)):
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(0, block)))
        sums = draw_sums(model, theta, rng, size=BLOCK)
        yield model.fit_sums(sums.take(np.arange(min(BLOCK, n_draws - start))))


def draw_sums(
    model: RandomIntercept, theta: float, rng: np.random.Generator, *, size: int
) -> OutcomeSums:
    """`size` outcomes with beta = 0 and s2_e = 1, as the sums the engine needs of them.

    Group sums of y, the within-groups part of Q'y and what is left of the within-groups sum of
    squares are independent: normal, normal with covariance `within`, and chi-squared.
    """
    m = model.group_size
    values, vectors = np.linalg.eigh(model.within)
    kept = values > 0
    root = vectors[:, kept] * np.sqrt(values[kept])
    group = rng.standard_normal((size, len(m))) * np.sqrt(m * (1 + theta**2 * m))
    inner = rng.standard_normal((size, root.shape[1]))
    left = rng.chisquare(model.n_obs - len(m) - root.shape[1], size=size)
    gamma = (group / m) @ model.S + inner @ root.T
    total = (group**2 / m).sum(axis=1) + (inner**2).sum(axis=1) + left
    return OutcomeSums(gamma, group - gamma @ model.S.T, total - (gamma**2).sum(axis=1), total)


def draw_t(
    model: RandomIntercept, theta: float, L: np.ndarray, *, n_draws: int, seed: int
) -> np.ndarray:
    """|t*| of every row of L, shape (n_draws, k); infinite where a replicate has no fit."""
    parts = []
    for fit in draws(model, theta, n_draws=n_draws, seed=seed):
        variance = np.einsum("...ij,ij->...i", L @ fit.vcov, L)
        parts.append(np.abs(fit.beta @ L.T) / np.sqrt(variance))
    return _failed_is_extreme(np.concatenate(parts))


def restricted_theta(model: RandomIntercept, y: np.ndarray, L: np.ndarray) -> float:
    """theta of the REML fit under L beta = 0."""
    smaller = RandomIntercept.of(model.X @ linalg.null_space(L), model.group)
    return float(smaller.fit(y).theta)


def critical_values(drawn: np.ndarray, conf_level: float) -> np.ndarray:
    """The value that a share 1 - conf_level of n + 1 draws reach or exceed, by column."""
    n = len(drawn)
    reach = max(int(np.floor((1 - conf_level) * (n + 1) + 1e-9)), 1)
    values: np.ndarray = np.sort(drawn, axis=0)[n - reach]
    return values


def exceedance(drawn: np.ndarray, statistic: np.ndarray) -> np.ndarray:
    """(1 + number of draws at least as large as |statistic|) / (1 + n), by column."""
    reached = (drawn >= np.abs(statistic)).sum(axis=0)
    p_value: np.ndarray = (1 + reached) / (1 + len(drawn))
    return p_value


def _wald(fit: RandomInterceptFit, L: np.ndarray) -> np.ndarray:
    """(L beta)' (L vcov L')^+ L beta / rank, shape (...)."""
    contrast = (L @ fit.beta[..., None])[..., 0]
    vcov = L @ fit.vcov @ L.T
    ok = np.isfinite(vcov).all(axis=(-1, -2))
    inverse = np.linalg.pinv(np.where(ok[..., None, None], vcov, np.eye(len(L))), hermitian=True)
    value = np.einsum("...i,...ij,...j->...", contrast, inverse, contrast)
    return np.where(ok, value / np.linalg.matrix_rank(L), np.nan)


def _failed_is_extreme(values: np.ndarray) -> np.ndarray:
    return np.where(np.isnan(values), np.inf, values)
