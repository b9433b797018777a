"""Parametric bootstrap of mixed models: studentised intervals, tests of contrasts.

Every replicate redraws all random effects and residuals at the REML estimates, and is fitted by REML
by the same engine. What is bootstrapped is t* = (l'beta* - l'beta) / se*. Its distribution does not
depend on beta or on the scale, only on theta. The spread of l'beta* - l'beta is that of the estimates
taken as known: percentile intervals are as short as normal ones where groups are few, which
studentised ones are not (Hall 1992, section 3).

A draw gives a probability that |t*| is as large as |t|, not a yes or no. With beta~ the estimate at
the theta of the draws, l'beta~ is normal and independent of what X does not explain of the outcome,
which alone determines theta*, se* and l'(beta* - beta~) (Kackar and Harville 1984, J. Am. Stat. Assoc.
79, 853-862). Given that, t* is normal, and the bootstrap distribution is the mean of the draws' normal
ones (conditional Monte Carlo: Asmussen and Glynn 2007, Stochastic Simulation, section V.4).

Where only decisions count, as in simulations, draws stop once these are clear. It is seen after the
first ones, and whenever they have doubled.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import special

from groupwise.inference import wald
from groupwise.inference.profile import Restriction
from groupwise.models.interface import FEWEST_DRAWS, Fit, Model
from groupwise.tidy import Inference, JointTest

CLEAR = 3.0
"""A p-value so many Monte Carlo standard errors from a level is on its side of it."""

RARE = 0.001
"""With more draws without a fit, all are made: each adds to the p-value, and few draws show none."""

AHEAD = 3
"""Outcomes whose draws are made together: a multiple of those whose first draws are fitted together."""

Statistic = Callable[[Fit, np.ndarray], np.ndarray]
"""Of b fits to outcomes that were drawn at theta (b, ...): (b, ...)."""


@dataclass(frozen=True)
class Tails:
    """Bootstrap distributions of t* (...), each from n draws (..., n).

    Given a draw, t* is normal with mean `shift` / `scale` and sd 1 / `scale`. Where there is no fit both
    are 0: |t*| is beyond every value.
    """

    shift: np.ndarray
    scale: np.ndarray

    def beyond(self, t: np.ndarray) -> np.ndarray:
        """P(|t*| >= |t|) given each draw, (..., n), of values t (...)."""
        at = self.scale * np.abs(t)[..., None]
        return np.asarray(special.ndtr(self.shift - at) + special.ndtr(-self.shift - at))

    def p_value(self, t: np.ndarray) -> np.ndarray:
        """P(|t*| >= |t|), (...)."""
        return _at_least(self.beyond(t).mean(axis=-1), self.shift.shape[-1])

    def critical_value(self, level: float) -> np.ndarray:
        """What |t*| reaches with probability `level`, (...); infinite where more have no fit."""
        from scipy.optimize import elementwise  # slow to load, and needed by intervals alone

        n = self.shift.shape[-1]
        flat = Tails(self.shift.reshape(-1, n), self.scale.reshape(-1, n))

        def excess(t: np.ndarray, which: np.ndarray) -> np.ndarray:
            some = which.astype(int)
            return Tails(flat.shift[some], flat.scale[some]).beyond(t).mean(axis=-1) - level

        left = level - (flat.scale == 0).mean(axis=-1)
        which, value = np.flatnonzero(left > 0), np.full(len(left), np.inf)
        if len(which):
            # With the probability that is left for each draw, the mean is below the level.
            z = -special.ndtri(left[which, None] / 2)
            shift, scale = np.abs(flat.shift[which]), flat.scale[which]
            ends = np.divide(shift + z, scale, out=np.zeros_like(scale), where=scale > 0)
            bracket = (np.zeros(len(which)), 1.01 * ends.max(axis=-1))
            value[which] = elementwise.find_root(excess, bracket, args=(which,)).x
        return value.reshape(self.shift.shape[:-1])


def bootstrap(
    fit: Fit, L: np.ndarray, conf_level: float, *, n_draws: int, seeds: int | np.ndarray
) -> Inference:
    """Studentised intervals of the rows of L beta, L (k, p), and their p-values: (..., k).

    A p-value is at most 1 - conf_level exactly when the interval excludes 0. `df` is NaN, there being
    no t distribution.

    Parameters
    ----------
    fit : REML fits (...)
    n_draws : at least conf_level / (1 - conf_level), 19 for 0.95
    seeds : broadcasts to (...)
        Each outcome's draws come from streams of its own seed.
    """
    drawn = draw_t(fit, L, n_draws=n_draws, seeds=seeds)
    rows = wald.wald_of_fit(fit, L, np.inf, conf_level)
    fitted = fit.converged[..., None]
    half = drawn.critical_value(1 - conf_level) * rows.std_error
    return replace(
        rows,
        df=np.full(rows.estimate.shape, np.nan),
        p_value=np.where(fitted, drawn.p_value(rows.statistic), np.nan),
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
    levels: Sequence[float],
) -> Inference:
    """What `bootstrap` decides of B outcomes: whether tests reject, and intervals hold `truth`.

    Parameters
    ----------
    seeds : (B,)
    searched : number of outcomes, the first ones, that get all draws and intervals
    truth : (k,) values of the rows
    levels
        Draws for others stop when it is clear which of these p-values (B, k) are below, and whether
        intervals hold `truth`.
    """
    rows, few = wald.wald_of_fit(fit, L, np.inf, conf_level), slice(searched)
    t = np.stack([rows.statistic, (rows.estimate - truth) / rows.std_error])
    p_values, half = np.full(t.shape, np.nan), np.full(rows.estimate.shape, np.nan)

    def goes_on(who: np.ndarray, drawn: Tails) -> np.ndarray:
        beyond = drawn.beyond(t[:, who])
        p_values[:, who] = beyond.mean(axis=-1)
        if (drawn.scale == 0).mean() > RARE:
            return np.ones(len(who), dtype=bool)
        return (who < searched) | _near(beyond[0], levels) | _near(beyond[1], [1 - conf_level])

    drawn = draw_t(fit, L, n_draws=n_draws, seeds=seeds, goes_on=goes_on)
    some = Tails(drawn.shift[few], drawn.scale[few])
    half[few] = some.critical_value(1 - conf_level) * rows.std_error[few]
    p_value, of_truth = p_values
    return replace(
        rows,
        df=np.full(rows.estimate.shape, np.nan),
        p_value=_at_least(p_value, n_draws),
        conf_low=rows.estimate - half,
        conf_high=rows.estimate + half,
        covers=np.where(fit.converged[:, None], of_truth >= 1 - conf_level, np.nan),
    )


def _near(beyond: np.ndarray, levels: Sequence[float]) -> np.ndarray:
    """(w,): whether a mean of draws (w, k, b) may be on the other side of a level than all draws' is."""
    mean, error = beyond.mean(axis=-1), beyond.std(axis=-1) / np.sqrt(beyond.shape[-1])
    distance = np.abs(mean[..., None] - np.asarray(levels))
    return np.asarray((distance <= CLEAR * error[..., None]).any(axis=(-2, -1)))


def _at_least(p_value: np.ndarray, n_draws: int) -> np.ndarray:
    """P-values that are at least 1 / (n + 1): n draws say little of what is rarer."""
    return np.maximum(p_value, 1 / (n_draws + 1))


def _refitted(
    model: Model,
    theta: np.ndarray,
    statistic: Statistic,
    n_draws: int,
    seeds: np.ndarray,
    undecided: np.ndarray,
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Some of B outcomes, (w,), and a statistic of fits to further draws at theta (B, ...): (w, b, ...).

    The caller may strike outcomes off `undecided` (B,), for which no more is drawn.
    """
    step = max(1, AHEAD * model.at_a_time // FEWEST_DRAWS)
    for start in range(0, len(seeds), step):
        who = start + np.flatnonzero(undecided[start : start + step])
        streams = {i: model.draw(theta[i], n_draws=n_draws, seed=int(seeds[i])) for i in who}
        made = 0
        while made < n_draws and len(who):
            parts = [next(streams[i]) for i in who]
            sums, n = type(parts[0]).joined(parts), len(parts[0])
            drawn = _statistics(model, sums, np.repeat(theta[who], n, axis=0), statistic)
            made += n
            yield who, drawn.reshape(len(who), -1, *drawn.shape[1:])
            who = who[undecided[who]]


def _statistics(model: Model, sums: Any, near: np.ndarray, statistic: Statistic) -> np.ndarray:
    """A statistic of fits to sums drawn at `near` (b, ...), as many at a time as are fitted together."""
    values = []
    for start in range(0, len(sums), model.at_a_time):
        some = slice(start, start + model.at_a_time)
        values.append(statistic(model.fit_sums(sums.take(some), near=near[some]), near[some]))
    return np.concatenate(values)


def draw_t(
    fit: Fit,
    L: np.ndarray,
    *,
    n_draws: int,
    seeds: int | np.ndarray,
    goes_on: Callable[[np.ndarray, Tails], np.ndarray] | None = None,
) -> Tails:
    """The bootstrap distributions (..., k) of the rows of L beta; |t*| is beyond all without a fit.

    `goes_on` of some outcomes (w,), of (...) as (B,), and their draws so far, (w, k, b), says for which
    more are made; without it all are.
    """
    flat = fit.reshape((fit.converged.size,))
    values = np.zeros((2, *flat.shape, len(L), n_draws))
    undecided, made = flat.converged.copy(), np.zeros(flat.shape, dtype=int)
    seed_of = np.broadcast_to(seeds, fit.shape).ravel()
    variance = np.diagonal(flat.covariance(L), axis1=1, axis2=2)
    unit = np.sqrt(variance) / flat.std_dev["residual"][:, None]

    def given_residuals(refit: Fit, theta: np.ndarray) -> np.ndarray:
        """(b, 2, k): how far effects are from those at theta, and standard errors."""
        std_error = np.sqrt(np.diagonal(refit.covariance(L), axis1=1, axis2=2))
        return np.stack([refit.shift(L, theta), std_error], axis=1)

    for who, drawn in _refitted(
        flat.model, flat.theta, given_residuals, n_draws, seed_of, undecided
    ):
        parts = np.moveaxis(drawn, 1, -1) / unit[who, None, :, None]
        first, last = made[who[0]], made[who[0]] + drawn.shape[1]
        usable = np.isfinite(parts).all(axis=1, keepdims=True)
        values[:, who, :, first:last] = np.where(usable, parts, 0.0).swapaxes(0, 1)
        made[who] = last
        if goes_on is not None:
            undecided[who] = goes_on(who, Tails(*values[:, who, :, :last]))
    return Tails(*values.reshape(2, *fit.shape, len(L), n_draws))


def bootstrap_joint(fit: Fit, L: np.ndarray, *, n_draws: int, seeds: int | np.ndarray) -> JointTest:
    """Tests (...) that every row of L beta is zero: the Wald F under the REML fit restricted to it."""
    rank = int(np.linalg.matrix_rank(L))

    def wald_f(each: Fit) -> np.ndarray:
        return _wald(each.combination(L), each.covariance(L), rank)

    restriction = Restriction.of(fit.model, L)
    smaller = restriction.sums(fit.sums, np.zeros(len(L)))
    near = _flat(fit.theta, fit.shape)
    theta = restriction.smaller.fit_sums(smaller, near=near).theta
    statistic = wald_f(fit)
    reached, fitted = np.zeros(fit.shape, dtype=int).reshape(-1), fit.converged.reshape(-1)
    seed_of = np.broadcast_to(seeds, fit.shape).reshape(-1)
    refitted = _refitted(
        fit.model, theta, lambda each, near: wald_f(each), n_draws, seed_of, fitted
    )
    for who, drawn in refitted:  # what has no fit counts as extreme
        reached[who] += (~(drawn < statistic.reshape(-1)[who, None])).sum(axis=1)
    p_value = np.where(fit.converged, counted(reached.reshape(fit.shape), n_draws), np.nan)
    return JointTest(statistic, float(rank), np.full(fit.shape, np.nan), p_value)


def _flat(theta: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """(..., k) or (...) as (B, k) or (B,)."""
    return theta.reshape(-1, *theta.shape[len(shape) :])


def counted(reached: np.ndarray, n_draws: int) -> np.ndarray:
    """p-values, if so many of the draws are at least as extreme as the statistic, which counts too."""
    return np.asarray((1 + reached) / (1 + n_draws))


def _wald(contrast: np.ndarray, vcov: np.ndarray, rank: int) -> np.ndarray:
    """contrast' vcov^+ contrast / rank, (...); NaN without a fit. Rows may depend on each other."""
    ok = np.isfinite(vcov).all(axis=(-1, -2))
    inverse = np.linalg.pinv(
        np.where(ok[..., None, None], vcov, np.eye(vcov.shape[-1])), hermitian=True
    )
    value = np.einsum("...i,...ij,...j->...", contrast, inverse, contrast)
    return np.where(ok, value / rank, np.nan)
