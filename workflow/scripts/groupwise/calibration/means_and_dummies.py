"""Group means, and a parameter per group, for every replicate."""

from __future__ import annotations

import numpy as np

from groupwise.calibration.replicates import Batch, Replicates
from groupwise.design import Design
from groupwise.inference.wald import t_inference
from groupwise.models.least_squares import Basis, orthonormal_basis
from groupwise.specifications.group_means import fit_means, group_means

METHODS = ("group_means", "group_means_weighted", "dummy", "dummy_nested")


def answers(batch: Batch, wanted: frozenset[str]) -> dict[str, Replicates]:
    """Answers by the methods of `METHODS` that are wanted."""
    between = batch.design.kind in ("between", "blocked")
    applies = {
        "group_means": between,
        "group_means_weighted": between,
        "dummy": not between,
        "dummy_nested": between,
    }
    solve = {"dummy": _dummy, "dummy_nested": _nested}
    return {
        method: solve.get(method, _means)(batch, method)
        if applies[method]
        else Replicates.missing(batch)
        for method in wanted
    }


def _means(batch: Batch, method: str) -> Replicates:
    fit = fit_means(batch.design, batch.y, weighted=method == "group_means_weighted")
    if fit.df <= 0:
        return Replicates.missing(batch)
    return Replicates.of(batch, fit.inference(batch.design.L, batch.conf_level))


def _dummy(batch: Batch, method: str) -> Replicates:
    """The within-group comparison; no answer at all where one pair of arms never meets."""
    design = batch.design
    basis = orthonormal_basis(design.X, design.group)
    Lambda, _ = basis.within(design.L)
    coordinates, residual = basis.project(batch.y)
    estimate = coordinates[:, design.n_groups :] @ Lambda.T
    return _classical(batch, basis, estimate, residual, np.linalg.norm(Lambda, axis=1))


def _nested(batch: Batch, method: str) -> Replicates:
    """Effects of groups orthogonal to the columns M of group-level terms: alpha_g = M beta + delta.

    So beta is the least-squares solution of alpha, unweighted, with alpha_g the mean of a group
    less what the other columns, W, explain of it within groups.
    """
    design, L = batch.design, batch.design.L
    basis = orthonormal_basis(design.X, design.group)
    coordinates, residual = basis.project(batch.y)
    own = _is_group_level(design)
    X_means = group_means(design, design.X.T).T
    share = L[:, own] @ np.linalg.pinv(X_means[:, own])
    rest = np.where(own, 0.0, L - share @ X_means)
    Lambda, _ = basis.within(rest)
    estimate = group_means(design, batch.y) @ share.T
    estimate = estimate + coordinates[:, design.n_groups :] @ Lambda.T
    length = np.sqrt((share**2 / design.group_size).sum(axis=1) + (Lambda**2).sum(axis=1))
    return _classical(batch, basis, estimate, residual, length)


def _classical(
    batch: Batch, basis: Basis, estimate: np.ndarray, residual: np.ndarray, length: np.ndarray
) -> Replicates:
    """t with n - rank, for standard errors `length` (k,) times the residual sd."""
    df = batch.design.n_obs - basis.rank
    if df <= 0:
        return Replicates.missing(batch)
    sd = np.sqrt(np.einsum("ri,ri->r", residual, residual) / df)
    degrees = np.full(len(length), float(df))
    found = t_inference(estimate, sd[:, None] * length, degrees, batch.conf_level)
    return Replicates.of(batch, found)


def _is_group_level(design: Design) -> np.ndarray:
    """Which columns of X are constant within every group; a mask of shape (p,)."""
    spread = design.X[design.first_of_group][design.group]
    return np.isclose(design.X, spread).all(axis=0)
