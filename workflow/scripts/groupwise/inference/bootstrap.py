"""Parametric bootstrap of mixed models: studentised intervals, tests of contrasts.

Every replicate redraws all random effects and residuals at the REML estimates, and is fitted by REML
by the same engine. What is bootstrapped is t* = (l'beta* - l'beta) / se*. Its distribution does not
depend on beta or on the scale, only on theta. The spread of l'beta* - l'beta is that of the estimates
taken as known: percentile intervals are as short as normal ones where groups are few, which
studentised ones are not (Hall 1992, section 3). Normal errors are symmetric, so t* is, and quantiles
are those of |t*|: twice the draws for each tail.

Where only the decision counts, as in simulations, draws stop as soon as it is certain: once so many are
extreme that the p-value is above every level (Besag and Clifford 1991, Biometrika 78, 301-304).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np

from groupwise.inference import wald
from groupwise.inference.profile import Restriction
from groupwise.models.interface import Fit, Model
from groupwise.tidy import Inference, JointTest

ROUNDS = (20, 28, 40, 60)
"""After so many draws of a batch, and at its end, it is seen which outcomes are decided."""

AHEAD = 3
"""Outcomes whose draws are made together: a multiple of those whose first rounds are fitted together."""


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


def bootstrap_decisions(
    fit: Fit,
    L: np.ndarray,
    conf_level: float,
    *,
    n_draws: int,
    seeds: np.ndarray,
    searched: int,
    truth: np.ndarray,
    level: float,
) -> Inference:
    """What `bootstrap` decides of B outcomes: whether tests reject, and intervals hold `truth`.

    Parameters
    ----------
    seeds : (B,)
    searched : number of outcomes, the first ones, that get intervals; draws for others may stop
    truth : (k,) values of the rows
    level
        p-values (B, k) up to this are those of `bootstrap`. Greater ones are from the draws that were
        made until it was certain that they are greater.
    """
    k, rows = len(L), wald.wald_of_fit(fit, L, np.inf, conf_level)
    observed = np.abs(np.hstack([rows.statistic, (rows.estimate - truth) / rows.std_error]))
    enough = np.repeat([reach(level, n_draws), reach(1 - conf_level, n_draws)], k)
    whole = fit.converged & (np.arange(len(observed)) < searched)
    drawn = draw_t(fit, L, n_draws=n_draws, seeds=seeds, which=whole)
    half = np.where(whole[:, None], critical_values(drawn, conf_level) * rows.std_error, np.nan)
    reached = (np.tile(drawn, 2) >= observed[:, None]).sum(axis=1) * whole[:, None]
    made = np.where(whole, n_draws, 0)[:, None]
    undecided = fit.converged & ~whole
    refitted = _refitted(fit.model, fit.theta, _absolute_t(L), n_draws, seeds, undecided, ROUNDS)
    for who, more in refitted:
        reached[who] += (np.tile(more, 2) >= observed[who, None]).sum(axis=1)
        made[who] += more.shape[1]
        undecided[who] = (reached[who] < enough).any(axis=1)
    fitted = fit.converged[:, None]
    return replace(
        rows,
        df=np.full(rows.estimate.shape, np.nan),
        p_value=np.where(fitted, (1 + reached[:, :k]) / (1 + made), np.nan),
        conf_low=rows.estimate - half,
        conf_high=rows.estimate + half,
        covers=np.where(fitted, reached[:, k:] >= enough[k:], np.nan),
    )


def _refitted(
    model: Model,
    theta: np.ndarray,
    statistic: Callable[[Fit], np.ndarray],
    n_draws: int,
    seeds: np.ndarray,
    undecided: np.ndarray,
    rounds: Sequence[int] = (),
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Some of B outcomes, (w,), and a statistic of fits to further draws at theta (B, ...): (w, b, ...).

    It is infinite where a draw has no fit. The caller may strike outcomes off `undecided` (B,), for
    which no more is drawn: after so many draws of a batch as `rounds` says, and at its end.
    """
    step = max(1, AHEAD * model.at_a_time // ROUNDS[0])
    for start in range(0, len(seeds), step):
        streams = {
            i: model.draw(theta[i], n_draws=n_draws, seed=int(seeds[i]))
            for i in range(start, min(start + step, len(seeds)))
        }
        made, least = 0, 1 if rounds else model.at_a_time // len(streams)
        while made < n_draws:
            batch = [(i, _next(stream, least)) for i, stream in streams.items() if undecided[i]]
            if not batch:
                break
            drawn_for = np.array([i for i, _ in batch])
            sums, n = type(batch[0][1]).joined([each for _, each in batch]), len(batch[0][1])
            del batch
            made += n
            for first, last in pairwise([0, *(each for each in rounds if each < n), n]):
                place = np.flatnonzero(undecided[drawn_for])
                if len(place):
                    who, rows = drawn_for[place], n * place[:, None] + np.arange(first, last)
                    near = np.repeat(theta[who], last - first, axis=0)
                    drawn = _statistics(model, sums, rows.ravel(), near, statistic)
                    yield who, drawn.reshape(len(who), last - first, *drawn.shape[1:])


def _next(stream: Iterator[Any], least: int) -> Any:
    """Sums of the next draws, `least` of them or more where there are as many."""
    parts = [next(stream)]
    while sum(map(len, parts)) < least and (more := next(stream, None)) is not None:
        parts.append(more)
    return parts[0] if len(parts) == 1 else type(parts[0]).joined(parts)


def _statistics(
    model: Model,
    sums: Any,
    rows: np.ndarray,
    near: np.ndarray,
    statistic: Callable[[Fit], np.ndarray],
) -> np.ndarray:
    """A statistic of fits to some rows of drawn sums, as many at a time as are fitted together.

    rows (b,) of `sums`, drawn at `near` (b, ...).
    """
    parts = []
    for start in range(0, len(rows), model.at_a_time):
        some = slice(start, start + model.at_a_time)
        parts.append(statistic(model.fit_sums(sums.take(rows[some]), near=near[some])))
    values = np.concatenate(parts)
    return np.where(np.isnan(values), np.inf, values)


def _absolute_t(L: np.ndarray) -> Callable[[Fit], np.ndarray]:
    """|t*| (b, k) of the rows of L."""

    def absolute_t(refit: Fit) -> np.ndarray:
        variance = np.diagonal(refit.covariance(L), axis1=1, axis2=2)
        return np.abs(refit.combination(L)) / np.sqrt(variance)

    return absolute_t


def draw_t(
    fit: Fit,
    L: np.ndarray,
    *,
    n_draws: int,
    seeds: int | np.ndarray,
    which: bool | np.ndarray = True,
) -> np.ndarray:
    """|t*| of every row of L, shape (..., n_draws, k); infinite where a replicate has no fit.

    `which` (...) are the outcomes for which draws are made; of others all are infinite.
    """
    theta = _flat(fit.theta, fit.shape)
    return refits(fit, theta, _absolute_t(L), (len(L),), n_draws, seeds, which)


def refits(
    fit: Fit,
    theta: np.ndarray,
    statistic: Callable[[Fit], np.ndarray],
    shape: tuple[int, ...],
    n_draws: int,
    seeds: int | np.ndarray,
    which: bool | np.ndarray = True,
) -> np.ndarray:
    """A statistic of REML fits to draws at theta (B, ...): (..., n_draws, *shape).

    `statistic` of b fits has shape (b, *shape). What has no fit is infinite: it counts as extreme.
    """
    fitted = (fit.converged & which).ravel()
    values, made = np.full((len(fitted), n_draws, *shape), np.inf), np.zeros(len(fitted), dtype=int)
    seed_of = np.broadcast_to(seeds, fit.shape).ravel()
    for who, drawn in _refitted(fit.model, theta, statistic, n_draws, seed_of, fitted):
        first = made[who[0]]  # as many draws were made for each
        values[who, first : first + drawn.shape[1]] = drawn
        made[who] += drawn.shape[1]
    return values.reshape((*fit.shape, n_draws, *shape))


def bootstrap_joint(fit: Fit, L: np.ndarray, *, n_draws: int, seeds: int | np.ndarray) -> JointTest:
    """Tests (...) that every row of L beta is zero: the Wald F under the REML fit restricted to it."""
    rank = int(np.linalg.matrix_rank(L))

    def wald_f(each: Fit) -> np.ndarray:
        return _wald(each.combination(L), each.covariance(L), rank)

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
