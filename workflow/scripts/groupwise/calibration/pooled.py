"""Pooled least squares: classical, sandwich and wild bootstrap, for every replicate."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from groupwise.calibration.replicates import Batch, Replicates
from groupwise.inference.sandwich import (
    Clusters,
    Contrasts,
    degrees_of_freedom,
    design_clusters,
    make_contrasts,
    robust,
)
from groupwise.inference.wald import t_inference
from groupwise.inference.wild_bootstrap import BLOCK as SIGN_VECTORS
from groupwise.inference.wild_bootstrap import Pieces, Weights, wild_inference, wild_p_values
from groupwise.models.least_squares import orthonormal_basis
from groupwise.tidy import Inference

SANDWICHES = {"ols_cr1": "CR1", "ols_cr2": "CR2", "ols_cr3": "CR3"}
METHODS = ("ols_classical", *SANDWICHES, "ols_wild_bootstrap")

TIE = 1e-9
"""As in `wild_bootstrap`: statistics that differ relatively by less than this are equal."""

MOST_NUMBERS = 2**20
"""Products of signs that are worked on at a time."""


def answers(batch: Batch, wanted: frozenset[str]) -> dict[str, Replicates]:
    """Answers by the methods of `METHODS` that are wanted."""
    found = {}
    if "ols_classical" in wanted:
        found["ols_classical"] = _classical(batch)
    if wanted == {"ols_classical"}:
        return found
    clusters = design_clusters(batch.design)
    for method in wanted & set(SANDWICHES):
        contrasts = make_contrasts(clusters, batch.design.L, SANDWICHES[method])
        found[method] = Replicates.of(batch, _robust(batch, contrasts))
    if "ols_wild_bootstrap" in wanted:
        found["ols_wild_bootstrap"] = _wild(batch, clusters)
    return found


def _classical(batch: Batch) -> Replicates:
    basis = orthonormal_basis(batch.design.X)
    coordinates, residual = basis.project(batch.y)
    df = batch.design.n_obs - basis.rank
    if df <= 0:
        return Replicates.missing(batch)
    Lambda, _ = basis.coordinates(batch.design.L)
    sd = np.sqrt(np.einsum("ri,ri->r", residual, residual) / df)
    std_error = sd[:, None] * np.linalg.norm(Lambda, axis=1)
    degrees = np.full(len(Lambda), float(df))
    found = t_inference(coordinates @ Lambda.T, std_error, degrees, batch.conf_level)
    return Replicates.of(batch, found)


def _robust(batch: Batch, contrasts: Contrasts) -> Inference:
    found = robust(contrasts, batch.y)
    df = degrees_of_freedom(contrasts)
    return t_inference(found.estimate, found.std_error, df, batch.conf_level)


# ---- wild bootstrap ------------------------------------------------------------------------------


def _wild(batch: Batch, clusters: Clusters) -> Replicates:
    """The interval covers the true value where that is not rejected."""
    found = _robust(batch, make_contrasts(clusters, batch.design.L, "CR1"))
    nothing = np.full(found.estimate.shape, np.nan)
    p_value = wild_tests(batch, clusters, batch.y)
    at_truth = p_value
    if batch.effects.any():
        at_truth = wild_tests(batch, clusters, batch.without_effects)
    low, high = nothing.copy(), nothing.copy()
    for i in range(min(batch.effort.inverted, batch.n_replicates)):
        one = wild_inference(
            clusters, batch.y[i], batch.design.L, _weights(batch, clusters, i), batch.conf_level
        )[0]
        low[i], high[i] = one.conf_low, one.conf_high
    found = replace(found, df=nothing, p_value=p_value, conf_low=low, conf_high=high)
    return Replicates.of(batch, found, covers=at_truth >= 1 - batch.conf_level)


def _weights(batch: Batch, clusters: Clusters, i: int) -> Weights:
    effort = batch.effort
    return Weights(clusters.n_groups, effort.wild_draws, effort.seed, batch.first + i)


def wild_tests(batch: Batch, clusters: Clusters, y: np.ndarray) -> np.ndarray:
    """p-values (R, k) of no effect in outcomes y (R, n), by `wild_p_values`.

    Where every sign vector is used, all replicates share them, and go through them together.
    """
    L = batch.design.L
    if not _weights(batch, clusters, 0).enumerated or clusters.level is not None:
        effort = batch.effort
        return wild_p_values(
            clusters, y, L, draws=effort.wild_draws, seed=effort.seed, first=batch.first
        )
    contrasts = make_contrasts(clusters, L, "CR1")
    found, scores = robust(contrasts, y), clusters.scores(clusters.basis.project(y)[1])
    pieces = Pieces.of(clusters, np.where(contrasts.known[:, None], contrasts.Lambda, 0))
    counts = [
        _count_extreme(pieces, c, scores, found.estimate[:, c], _weights(batch, clusters, 0))
        for c in range(len(L))
    ]
    p_value = _weights(batch, clusters, 0).p_value(np.stack(counts, axis=-1))
    return np.where(np.isfinite(found.std_error), p_value, np.nan)


def _count_extreme(
    pieces: Pieces, c: int, z: np.ndarray, estimate: np.ndarray, weights: Weights
) -> np.ndarray:
    """(R,) sign vectors as extreme as the data, for scores z (R, G, w) and estimates (R,).

    With signs v_g the variance, sum_g (v_g a_g - K_g's)^2, is sum a_g^2 - 2 s'sum v_g a_g K_g +
    s'(sum K_g K_g')s: matrix products of the signs, and a few operations on what they give.
    """
    K = pieces.K_Lambda[c]
    R, G, w = z.shape
    q = z + estimate[:, None, None] * pieces.k_g[c]
    a = np.einsum("gw,rgw->rg", pieces.Lambda[c], q)
    limit = estimate**2 / np.square(np.einsum("gw,rgw->rg", pieces.Lambda[c], z)).sum(axis=1)
    KK, fixed = K.T @ K, (a**2).sum(axis=1)
    total, aK = np.zeros(R, dtype=int), a[..., None] * K
    step = max(1, MOST_NUMBERS // (SIGN_VECTORS * (2 * w + 1)))
    for start in range(0, R, step):
        own = slice(start, start + step)
        r = len(fixed[own])
        right = np.concatenate([q[own], aK[own], a[own, :, None]], axis=2)
        right = right.transpose(1, 2, 0).reshape(G, -1)
        for v in weights.blocks():
            product = (v @ right).reshape(len(v), 2 * w + 1, r)
            s, by_a, along = product[:, :w], product[:, w : 2 * w], product[:, 2 * w]
            variance = fixed[own] + ((np.einsum("ij,vjr->vir", KK, s) - 2 * by_a) * s).sum(axis=1)
            total[own] += (along**2 >= (1 - TIE) * limit[own] * variance).sum(axis=0)
    return total
