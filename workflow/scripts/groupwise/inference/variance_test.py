"""Restricted likelihood-ratio test that groups do not differ, beside other random-effects terms.

`profile.group_variance_test` is exact for one random intercept. With other terms the null
distribution depends on their variances: for an intercept it is approximated by that of the design
without the other terms (Greven, Crainiceanu, Kuechenhoff and Peters 2008, J. Comput. Graph. Stat.
17, section 4: as if the other effects were known), for intercept and slopes drawn by a parametric
bootstrap of the model without the groups.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from scipy import stats

from groupwise.inference.lmm_bootstrap import simulate
from groupwise.inference.profile import (
    NULL_DRAWS,
    GroupVarianceTest,
    null_distribution,
    tail_probability,
)
from groupwise.models.lmm import LmmFit, search
from groupwise.models.lmm_batch import fit_many
from groupwise.models.lmm_structure import LmmStructure
from groupwise.models.pls import objective
from groupwise.models.random_intercept import RandomIntercept


def group_variance_test_lmm(
    fit: LmmFit, *, name: str = "group", n_draws: int = NULL_DRAWS, n_refits: int, seed: int
) -> GroupVarianceTest:
    """Tests that the term of this name has no variance; `fit` is REML.

    `n_draws` of a null distribution that is known, `n_refits` of a bootstrap. There is no mixture
    of chi-squared distributions for more than one effect.
    """
    t = next(t for t, term in enumerate(fit.structure.terms) if term.name == name)
    null = Null.of(fit.structure, t)
    theta = null.theta(fit.outcome.y)
    (criterion,) = null.criteria([fit.outcome.y], theta)
    statistic = max(criterion - fit.criterion, 0.0)
    if fit.structure.terms[t].q == 1:
        model = RandomIntercept.of(fit.structure.X, fit.structure.terms[t].codes)
        drawn = null_distribution(model, n_draws=n_draws, seed=seed)
        mixture = 0.5 * float(stats.chi2.sf(statistic, 1)) if statistic > 0 else 1.0
        return tail_probability(statistic, mixture, drawn, "pseudo-likelihood")

    def outcomes() -> Iterator[np.ndarray]:
        return simulate(fit.structure, theta, n_draws=n_refits, seed=seed)

    # Without a fit of the whole model there is no statistic, and the draw counts as extreme.
    whole = np.nan_to_num(fit_many(fit.structure, outcomes(), theta).criterion, nan=-np.inf)
    gain = np.maximum(null.criteria(outcomes(), theta) - whole, 0.0)
    return tail_probability(statistic, np.nan, np.sort(gain), "bootstrap")


@dataclass(frozen=True)
class Null:
    """A model without one of its terms: `kept` (k,) thetas, None of `smaller` if none is left."""

    whole: LmmStructure
    kept: np.ndarray
    smaller: LmmStructure | None

    @classmethod
    def of(cls, structure: LmmStructure, t: int) -> Null:
        rest = [term for s, term in enumerate(structure.terms) if s != t]
        smaller = LmmStructure.of(structure.X, rest) if rest else None
        return cls(structure, structure.parameters.term != t, smaller)

    def theta(self, y: np.ndarray) -> np.ndarray:
        """The REML theta (k,) of the whole model, 0 for the term that is left out."""
        theta = np.zeros(len(self.kept))
        if self.smaller is not None:
            theta[self.kept] = search(self.smaller.cross_products(y).products, True).x
        return theta

    def criteria(self, outcomes: Iterable[np.ndarray], theta: np.ndarray) -> np.ndarray:
        """The least REML criterion of each outcome (n,)."""
        if self.smaller is not None:
            return fit_many(self.smaller, outcomes, theta[self.kept]).criterion
        products = (self.whole.cross_products(y).products for y in outcomes)
        return np.array([objective(each, theta, True) for each in products])
