"""Profile likelihood for one random intercept: intervals; tests of effects and of the variance.

An effect is profiled by fixing l'beta = delta: X loses one column, y becomes y - delta z, and the
smaller model is fitted by the engine. Limits are where the profile deviance exceeds its minimum by
the chi-squared quantile, found by bracketing and Chandrupatla's method (1997, Adv. Eng. Softw. 28),
for every replicate and both limits at once; they are not interpolated.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import linalg, special, stats
from scipy.optimize import elementwise

from groupwise.models.random_intercept import (
    Objective,
    OutcomeSums,
    Profile,
    Profiled,
    RandomIntercept,
    RandomInterceptFit,
    Slopes,
    Spectral,
    minimise,
)
from groupwise.tidy import Inference, JointTest

Deviance = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Profile deviance at parameter values x of the outcomes with these indices, each shape (m,)."""

NULL_DRAWS = 20_000
"""Of the null distribution of the variance test: a p-value of .05 is known to within .002."""

SIMULATION_BLOCK = 10_000
"""Draws per random stream: results do not depend on how the blocks are spread."""


@dataclass(frozen=True)
class LikelihoodRatio:
    """Twice the gain in log-likelihood (...) of `df` more parameters, and its p-value (...)."""

    statistic: np.ndarray
    df: int
    p_value: np.ndarray

    def single(self) -> JointTest:
        """The one test of a single dataset, as a row of the results schema: chi-squared / df."""
        statistic = float(self.statistic) / self.df
        return JointTest(statistic, float(self.df), np.inf, float(self.p_value))


@dataclass(frozen=True)
class Limits:
    """An interval per replicate, each (...); `estimate` is where the profile is least."""

    estimate: np.ndarray
    conf_low: np.ndarray
    conf_high: np.ndarray

    def reshape(self, shape: tuple[int, ...]) -> Limits:
        return Limits(*(each.reshape(shape) for each in vars(self).values()))


# ---- effects -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Constrained:
    """ML deviance of B outcomes when l'beta is fixed: X0 = X K, z = X l / l'l, y - delta z.

    `model` is that of X0; `y` and `z` are the sums of what X0 leaves, `cross` (B,) their product.
    """

    model: RandomIntercept
    y: OutcomeSums
    z: OutcomeSums
    cross: np.ndarray

    @classmethod
    def of(cls, X: np.ndarray, group: np.ndarray, y: np.ndarray, row: np.ndarray) -> Constrained:
        """`y` (B, n); `row` (p,) is l."""
        model = RandomIntercept.of(X @ linalg.null_space(row[None, :]), group)
        z = X @ (row / (row @ row))
        left = z - model.X @ np.linalg.lstsq(model.X, z, rcond=None)[0]
        return cls(model, model.sums(y), model.sums(left[None, :]), y @ left)

    def deviance(self, delta: np.ndarray, which: np.ndarray) -> np.ndarray:
        """The ML deviance at these values, least over lambda."""
        y = self.y.take(which)
        moved = OutcomeSums(
            gamma=y.gamma,
            group=y.group - delta[:, None] * self.z.group,
            rss=y.rss - 2 * delta * self.cross[which] + delta**2 * self.z.rss,
            total=y.total,
        )
        profile = self.model.profile(moved, reml=False)
        return deviance_at(profile, minimise(profile, Profiled(profile.df)).lam)


def profile_contrasts(
    model: RandomIntercept, y: np.ndarray, L: np.ndarray, *, conf_level: float
) -> Inference:
    """Profile-likelihood inference for the rows of L beta, shape (k, p); y (..., n).

    Estimates and standard errors are those of ML. `statistic` is the signed root of the likelihood
    ratio, its reference the normal: the p-value is below 1 - conf_level exactly when the interval
    excludes 0.
    """
    flat = _with_a_fit(model, y)
    fit = model.fit(flat, reml=False)
    estimate = fit.beta @ L.T
    std_error = np.sqrt(np.einsum("...ij,ij->...i", L @ fit.vcov, L))
    columns = [
        _profile_row(model, flat, fit, row, estimate[:, j], std_error[:, j], conf_level)
        for j, row in enumerate(L)
    ]
    low, high, ratio = (np.stack(each, axis=-1) for each in zip(*columns, strict=True))
    root = np.sign(estimate) * np.sqrt(np.maximum(ratio, 0))
    shape = (*y.shape[:-1], len(L))
    return Inference(
        estimate=estimate.reshape(shape),
        std_error=std_error.reshape(shape),
        statistic=root.reshape(shape),
        df=np.full(shape, np.inf),
        p_value=2 * stats.norm.sf(np.abs(root)).reshape(shape),
        conf_low=low.reshape(shape),
        conf_high=high.reshape(shape),
        conf_level=conf_level,
    )


def _profile_row(
    model: RandomIntercept,
    y: np.ndarray,
    fit: RandomInterceptFit,
    row: np.ndarray,
    estimate: np.ndarray,
    std_error: np.ndarray,
    conf_level: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Lower and upper limits, and the likelihood ratio of l'beta = 0, each (B,)."""
    constrained = Constrained.of(model.X, model.group, y, row)
    minimum = fit.criterion - len(y.T) * np.log(2 * np.pi)
    step = stats.norm.ppf(0.5 + conf_level / 2) * std_error
    low, high = both_sides(constrained.deviance, estimate, step, minimum, conf_level)
    ratio = constrained.deviance(np.zeros(len(y)), np.arange(len(y))) - minimum
    return low, high, ratio


def likelihood_ratio_test(model: RandomIntercept, y: np.ndarray, L: np.ndarray) -> LikelihoodRatio:
    """ML likelihood-ratio test that every row of L beta is zero; y (..., n)."""
    smaller = RandomIntercept.of(model.X @ linalg.null_space(L), model.group)
    df = model.X.shape[1] - smaller.X.shape[1]
    gain = smaller.fit(y, reml=False).criterion - model.fit(y, reml=False).criterion
    statistic = np.maximum(gain, 0)
    return LikelihoodRatio(statistic, df, stats.chi2.sf(statistic, df))


# ---- standard deviations and their ratio -----------------------------------------------------------


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
    profile, lam = _optimum(model, y, reml=reml)
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
    profile, lam = _optimum(model, y, reml=reml)

    def deviance(log_sd: np.ndarray, which: np.ndarray) -> np.ndarray:
        some = profile.take(which)
        return _least(some, GivenResidual(np.exp(2 * log_sd), some.df))

    estimate, minimum = np.log(_sigma(profile, lam)), deviance_at(profile, lam)
    step = np.full_like(estimate, 2 / np.sqrt(2 * profile.df))
    low, high = both_sides(deviance, estimate, step, minimum, conf_level)
    return Limits(np.exp(estimate), np.exp(low), np.exp(high)).reshape(y.shape[:-1])


def profile_icc(
    model: RandomIntercept, y: np.ndarray, *, conf_level: float, reml: bool = False
) -> Limits:
    """Profile interval of the intraclass correlation lambda / (1 + lambda); y (..., n)."""
    profile, lam = _optimum(model, y, reml=reml)

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


# ---- the group variance against 0 ------------------------------------------------------------------


@dataclass(frozen=True)
class GroupVarianceTest:
    """Restricted likelihood-ratio test of no group variance; arrays (...).

    `p_mixture` is from 0.5 chi2_0 + 0.5 chi2_1 (Self and Liang 1987), which needs many groups;
    `p_drawn` from draws of the null distribution, `p_low` and `p_high` its 99% Monte Carlo limits
    (Clopper and Pearson); NaN where the design's eigenvalues are not at hand. `null` says what the
    draws are of: `exact`, the finite-sample distribution; `pseudo-likelihood` and `bootstrap`
    where there are other random effects (see `variance_test`).
    """

    statistic: np.ndarray
    p_mixture: np.ndarray
    p_drawn: np.ndarray
    p_low: np.ndarray
    p_high: np.ndarray
    n_draws: int
    null: str


def group_variance_test(
    model: RandomIntercept, y: np.ndarray, *, n_draws: int = NULL_DRAWS, seed: int = 0
) -> GroupVarianceTest:
    """Tests lambda = 0 for y (..., n). The null distribution depends on the design alone."""
    profile, lam = _optimum(model, y, reml=True)
    gain = deviance_at(profile, np.zeros(len(lam))) - deviance_at(profile, lam)
    statistic = np.maximum(gain, 0).reshape(y.shape[:-1])
    p_mixture = np.where(statistic > 0, 0.5 * stats.chi2.sf(statistic, 1), 1.0)
    drawn = null_distribution(model, n_draws=n_draws, seed=seed)
    return tail_probability(statistic, p_mixture, drawn, "exact")


def tail_probability(
    statistic: np.ndarray | float,
    p_mixture: np.ndarray | float,
    drawn: np.ndarray | None,
    null: str,
) -> GroupVarianceTest:
    """The test of these statistics (...) from sorted draws of the null distribution."""
    statistic, p_mixture = np.asarray(statistic), np.asarray(p_mixture)
    if drawn is None:
        nothing = np.full(statistic.shape, np.nan)
        return GroupVarianceTest(statistic, p_mixture, nothing, nothing, nothing, 0, null)
    n = len(drawn)
    reached = n - np.searchsorted(drawn, statistic - 1e-9, side="left")
    low, high = _clopper_pearson(np.asarray(reached), n, level=0.99)
    p_drawn = np.asarray((1 + reached) / (1 + n))
    return GroupVarianceTest(statistic, p_mixture, p_drawn, low, high, n, null)


def null_distribution(model: RandomIntercept, *, n_draws: int, seed: int) -> np.ndarray | None:
    """Sorted draws of the restricted likelihood ratio under lambda = 0.

    Under the null the sums of squares of `Spectral` are independent chi-squared variables
    (Crainiceanu and Ruppert 2004, theorem 1); each draw is then maximised by the engine.
    """
    basis = model.basis
    if basis is None:
        return None
    df = model.n_obs - model.X.shape[1]
    parts = []
    for block, start in enumerate(range(0, n_draws, SIMULATION_BLOCK)):
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(0, block)))
        ss = rng.chisquare(basis.mult, size=(SIMULATION_BLOCK, len(basis.mult)))
        rest = rng.chisquare(df - basis.mult.sum(), size=SIMULATION_BLOCK)
        profile = Spectral(basis.mu, ss, rest, basis.mu, basis.mult, df)
        lam = minimise(profile, Profiled(df)).lam
        gain = deviance_at(profile, np.zeros(len(lam))) - deviance_at(profile, lam)
        parts.append(gain[: n_draws - start])
    return np.sort(np.maximum(np.concatenate(parts), 0))


def _clopper_pearson(count: np.ndarray, n: int, *, level: float) -> tuple[np.ndarray, np.ndarray]:
    """Exact limits of a proportion, each of the shape of `count`."""
    tail, inverse = (1 - level) / 2, special.betaincinv
    low = np.where(count > 0, inverse(np.maximum(count, 1), n - count + 1, tail), 0.0)
    high = np.where(count < n, inverse(count + 1, np.maximum(n - count, 1), 1 - tail), 1.0)
    return low, high


# ---- deviances and their limits ----------------------------------------------------------------------


def deviance_at(profile: Profile, lam: np.ndarray) -> np.ndarray:
    """-2 log-likelihood, less constants of the design, with the residual variance profiled out."""
    logdet, q = profile.value(lam)
    deviance: np.ndarray = logdet + profile.df * (np.log(q / profile.df) + 1)
    return deviance


def _least(profile: Profile, objective: Objective) -> np.ndarray:
    """The least value of the objective over lambda, on the scale of `deviance_at`."""
    lam = minimise(profile, objective).lam
    return objective.value(lam, *profile.value(lam))


def _optimum(model: RandomIntercept, y: np.ndarray, *, reml: bool) -> tuple[Profile, np.ndarray]:
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


def from_zero(
    deviance: Deviance,
    estimate: np.ndarray,
    unit: np.ndarray,
    minimum: np.ndarray,
    conf_level: float,
) -> Limits:
    """Limits of a parameter that is at least 0; `unit` (B,) is a first step above the estimate."""
    every = np.arange(len(estimate))
    above = deviance(np.zeros(len(estimate)), every) - minimum > stats.chi2.ppf(conf_level, 1)
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
    """Lower and upper limits (B,) of an unbounded parameter, sought at the same time."""
    B = len(estimate)

    def either(x: np.ndarray, which: np.ndarray) -> np.ndarray:
        return deviance(x, which % B)

    steps = np.concatenate([-step, step])
    limits = _outward(either, np.tile(estimate, 2), steps, np.tile(minimum, 2), conf_level)
    return limits[:B], limits[B:]


def _outward(
    deviance: Deviance,
    estimate: np.ndarray,
    step: np.ndarray,
    minimum: np.ndarray,
    conf_level: float,
) -> np.ndarray:
    """Where the deviance crosses the cutoff in the direction of `step`, every array (B,)."""
    cutoff = stats.chi2.ppf(conf_level, 1)
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
    target = np.sqrt(stats.chi2.ppf(conf_level, 1))

    def excess(x: np.ndarray, index: np.ndarray) -> np.ndarray:
        index = index.astype(int)
        # The root of the deviance is nearly linear: few steps.
        return np.sqrt(np.maximum(deviance(x, index) - minimum[index], 0)) - target

    if not len(which):
        return np.empty(0)
    bracket = (inside[which], outside[which])
    root: np.ndarray = elementwise.find_root(
        excess, bracket, args=(which,), tolerances={"xrtol": 1e-11, "fatol": 1e-10}
    ).x
    return root
