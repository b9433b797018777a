"""Restricted likelihood-ratio test that groups do not differ.

For one random intercept it is exact. With other terms the null distribution depends on their
variances: for an intercept it is approximated by that of the design without the other terms (Greven,
Crainiceanu, Kuechenhoff and Peters 2008, J. Comput. Graph. Stat. 17, section 4: as if the other
effects were known), for intercept and slopes drawn by a parametric bootstrap of the model without the
groups.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special

from groupwise.inference.binomial import exact_limits
from groupwise.models.lmm import LinearMixedModel, LmmFit, search
from groupwise.models.lmm_likelihood import objective
from groupwise.models.random_intercept import (
    Profiled,
    RandomIntercept,
    RandomInterceptFit,
    Spectral,
    deviance_at,
    minimise,
)

NULL_DRAWS = 20_000
"""Draws of the null distribution of the variance test: a p-value of .05 is precise to .002."""

SIMULATION_BLOCK = 10_000
"""Draws per random stream: results do not depend on how the blocks are spread."""


@dataclass(frozen=True)
class GroupVarianceTest:
    """Restricted likelihood-ratio test of no group variance; arrays (...).

    `p_mixture` is from 0.5 chi2_0 + 0.5 chi2_1 (Self and Liang 1987), which needs many groups;
    `p_drawn` from draws of the null distribution, `p_low` and `p_high` its 99% Monte Carlo limits
    (Clopper and Pearson); NaN where the design's eigenvalues are not at hand. `null` says what the
    draws are of: `exact`, the finite-sample distribution; `pseudo-likelihood` and `bootstrap`
    where there are other random effects.
    """

    statistic: np.ndarray
    p_mixture: np.ndarray
    p_drawn: np.ndarray
    p_low: np.ndarray
    p_high: np.ndarray
    n_draws: int
    null: str


def group_variance_test(
    fit: RandomInterceptFit | LmmFit,
    *,
    name: str = "group",
    n_draws: int = NULL_DRAWS,
    n_refits: int = 0,
    seed: int = 0,
) -> GroupVarianceTest:
    """Tests that the term of this name has no variance; `fit` is REML, of outcomes (...).

    `n_draws` of a null distribution that depends on the design alone, where the term has one
    effect; else `n_refits` of a bootstrap for a single outcome, and no mixture of chi-squareds.
    """
    assert fit.y is not None
    null = Null.of(fit.model, name)
    y, every = fit.y.reshape(-1, fit.model.n_obs), np.atleast_1d(fit.criterion)
    theta = null.theta(y[0])
    gain = null.criteria(y, fit.sums, theta) - every.reshape(-1)
    statistic = np.maximum(gain, 0.0).reshape(fit.shape)
    if null.intercept is None:
        return tail_probability(
            statistic, np.nan, _drawn(fit, null, theta, n_refits, seed), "bootstrap"
        )
    mixture = np.where(statistic > 0, 0.5 * special.chdtrc(1, statistic), 1.0)
    drawn = null_distribution(null.intercept, n_draws=n_draws, seed=seed)
    kind = "exact" if null.smaller is None else "pseudo-likelihood"
    return tail_probability(statistic, mixture, drawn, kind)


def _drawn(
    fit: RandomInterceptFit | LmmFit, null: Null, theta: np.ndarray, n_refits: int, seed: int
) -> np.ndarray:
    """Sorted draws of the statistic where the term has no variance, for one outcome."""
    assert isinstance(fit, LmmFit) and len(fit.sums) == 1
    gain = []
    for y in fit.model.draw_outcomes(theta, n_draws=n_refits, seed=seed):
        sums = fit.model.sums(y)
        # Without a fit of the whole model there is no statistic, and the draw counts as extreme.
        whole = np.nan_to_num(fit.model.fit_sums(sums, near=theta).criterion, nan=-np.inf)
        gain.append(np.maximum(null.criteria(y, sums, theta) - whole, 0.0))
    return np.sort(np.concatenate(gain))


@dataclass(frozen=True)
class Null:
    """A model without one of its terms.

    `smaller` is None if no other term is left; `kept` (k,) are the thetas of the others;
    `intercept` is the model with the term alone, where it has one effect.
    """

    whole: RandomIntercept | LinearMixedModel
    kept: np.ndarray
    smaller: LinearMixedModel | None
    intercept: RandomIntercept | None

    @classmethod
    def of(cls, model: RandomIntercept | LinearMixedModel, name: str) -> Null:
        if isinstance(model, RandomIntercept):
            return cls(model, np.zeros(1, dtype=bool), None, model)
        t = [term.name for term in model.terms].index(name)
        rest = [term for s, term in enumerate(model.terms) if s != t]
        X, rows = model.structure.X, model.structure.rows
        smaller = LinearMixedModel.of(X, rest, rows) if rest else None
        codes, q = model.terms[t].codes, model.terms[t].q
        alone = RandomIntercept.of(X, codes, rows) if q == 1 else None
        return cls(model, model.parameters.term != t, smaller, alone)

    def theta(self, y: np.ndarray) -> np.ndarray:
        """The REML theta (k,) of the whole model for y (n,), 0 for the term that is left out."""
        theta = np.zeros(len(self.kept))
        if self.smaller is not None:
            best = search(self.smaller.sums(y[None]), True).x[0]
            theta[self.kept] = best / self.smaller.parameters.scale
        return theta

    def criteria(self, y: np.ndarray, sums: Any, theta: np.ndarray) -> np.ndarray:
        """The least REML criterion of outcomes y (B, n), whose sums for the whole are `sums`."""
        if self.smaller is not None:
            return self.smaller.fit_sums(self.smaller.sums(y), near=theta[self.kept]).criterion
        if isinstance(self.whole, RandomIntercept):
            return self.whole.fit_sums(sums, theta=np.zeros(len(sums))).criterion
        return objective(sums, np.zeros((len(sums), len(theta))), True)


def tail_probability(
    statistic: np.ndarray | float,
    p_mixture: np.ndarray | float,
    drawn: np.ndarray | None,
    null: str,
) -> GroupVarianceTest:
    """The test of these statistics (...) from sorted draws of the null distribution."""
    statistic, p_mixture = np.asarray(statistic), np.asarray(p_mixture)
    if drawn is None:
        no_draws = np.full(statistic.shape, np.nan)
        return GroupVarianceTest(statistic, p_mixture, no_draws, no_draws, no_draws, 0, null)
    n = len(drawn)
    reached = n - np.searchsorted(drawn, statistic - 1e-9, side="left")
    low, high = exact_limits(np.asarray(reached), n, level=0.99)
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
