"""Parametric bootstrap of mixed models with any random-effects terms.

As `bootstrap` for one random intercept: every replicate redraws all random effects and residuals at
the REML estimates, is fitted by REML, and gives t* = (l'beta* - l'beta) / se*, whose distribution
depends on theta alone. Replicates are drawn row by row, each from a random stream of its own, reduced
to cross-products, and fitted many at a time.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from groupwise.inference.bootstrap import exceedance
from groupwise.models.lmm import LmmFit, search
from groupwise.models.lmm_batch import ManyFits, fit_many
from groupwise.models.lmm_structure import LmmStructure
from groupwise.models.restricted import restrict
from groupwise.tidy import JointTest


def simulate(
    structure: LmmStructure, theta: np.ndarray, *, n_draws: int, seed: int
) -> Iterator[np.ndarray]:
    """Outcomes (n,) with beta = 0, sigma = 1 and this theta (k,) of scaled columns."""
    parameters, layout = structure.parameters, structure.layout
    roots = [_root(G) for G in parameters.covariance(parameters.omega(theta))]
    Z, Z_rest = structure.Z
    for draw in range(n_draws):
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(0, draw)))
        y = rng.standard_normal(len(structure.X))
        root = roots[layout.lead]
        y += Z @ (rng.standard_normal((len(layout.component), len(root))) @ root).ravel()
        u = np.zeros((layout.n_components, layout.m))
        for segment in layout.segments:
            drawn = rng.standard_normal((len(u) * segment.levels, segment.q))
            u[:, segment.slots] = (drawn @ roots[segment.factor]).reshape(len(u), -1)
        yield y + Z_rest @ u.ravel()


def _root(G: np.ndarray) -> np.ndarray:
    """A matrix R with R'R = G, which may be singular."""
    values, vectors = np.linalg.eigh(G)
    root: np.ndarray = np.sqrt(np.maximum(values, 0))[:, None] * vectors.T
    return root


def draw_t_lmm(fit: LmmFit, L: np.ndarray, *, n_draws: int, seed: int) -> np.ndarray:
    """|t*| of every row of L (k, p) under the REML fit, shape (n_draws, k)."""
    return absolute_t(_draws(fit, fit.scaled_theta, n_draws, seed), fit.in_Q(L))


def _draws(fit: LmmFit, theta: np.ndarray, n_draws: int, seed: int) -> ManyFits:
    outcomes = simulate(fit.structure, theta, n_draws=n_draws, seed=seed)
    return fit_many(fit.structure, outcomes, near=theta)


def absolute_t(fits: ManyFits, rows: np.ndarray) -> np.ndarray:
    """|t| (B, k) of rows (k, p) in Q's basis; infinite where there is no fit."""
    t = np.abs(fits.beta @ rows.T) / np.sqrt(np.einsum("ki,bij,kj->bk", rows, fits.vcov, rows))
    return np.where(np.isnan(t), np.inf, t)


def bootstrap_joint_lmm(fit: LmmFit, L: np.ndarray, *, n_draws: int, seed: int) -> JointTest:
    """Test that every row of L beta is zero: the Wald F under the REML fit restricted to it."""
    rows = fit.in_Q(L)
    rank = int(np.linalg.matrix_rank(rows))
    restricted = restrict(fit.outcome, rows, np.zeros(len(rows)))
    theta = search(restricted, True, near=fit.scaled_theta).x
    drawn = _draws(fit, theta, n_draws, seed)
    statistic = _wald((L @ fit.beta)[None], (L @ fit.vcov @ L.T)[None], rank)
    reached = _wald(drawn.beta @ rows.T, rows @ drawn.vcov @ rows.T, rank)
    p_value = exceedance(reached[:, None], statistic)
    return JointTest(float(statistic[0]), float(rank), np.nan, float(p_value[0]))


def _wald(estimate: np.ndarray, vcov: np.ndarray, rank: int) -> np.ndarray:
    """Wald's F (B,); infinite without a fit."""
    ok = np.isfinite(vcov).all(axis=(1, 2))
    inverse = np.linalg.pinv(np.where(ok[:, None, None], vcov, 0.0), hermitian=True)
    value = np.einsum("bi,bij,bj->b", estimate, inverse, estimate) / rank
    return np.where(ok, value, np.inf)
