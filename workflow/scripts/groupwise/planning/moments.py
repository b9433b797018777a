"""Mean and variance of squared standard errors, by cross-products: never a G x G matrix.

Of the tests in `least_squares`, for designs of any number of groups, and for planned covariates.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from groupwise.inference.sandwich import degrees_of_freedom, make_contrasts
from groupwise.models.least_squares import Basis
from groupwise.planning.experiments import Experiment
from groupwise.planning.least_squares import means_basis


@dataclass(frozen=True)
class Precision:
    """k combinations by one method; arrays (k,), NaN where it has no answer.

    variance: of the estimate. ratio: E(SE^2) / variance. df: of the method's t, infinite for z.
    df_true: the degrees of freedom that SE^2 has.
    """

    variance: np.ndarray
    ratio: np.ndarray
    df: np.ndarray
    df_true: np.ndarray


def classical(experiment: Experiment, L: np.ndarray) -> Precision:
    """Pooled least squares that takes individuals for independent."""
    return _one_variance(experiment, experiment.basis, experiment.root, L)


def dummy(experiment: Experiment, L: np.ndarray) -> Precision:
    """The same with a parameter per group."""
    return _one_variance(experiment, *experiment.centred, L)


def _one_variance(
    experiment: Experiment, basis: Basis, root: sparse.csr_array, L: np.ndarray
) -> Precision:
    """tr(MV) and tr(MVMV) of the residual maker M, from root'root and root'Q."""
    variance_e = experiment.variation.var_residual
    Lambda = basis.coordinates(L)[0][:, len(basis.size) :]
    T = root.T @ basis.Q
    length = (Lambda**2).sum(axis=1)
    variance = variance_e * length + ((T @ Lambda.T) ** 2).sum(axis=0)
    df = experiment.design.n_obs - basis.rank
    gram = (root.T @ root).tocsr()
    trace = gram.diagonal().sum() - (T**2).sum()
    square = gram.multiply(gram).sum() - 2 * (T * (gram @ T)).sum() + ((T.T @ T) ** 2).sum()
    mean = variance_e * df + trace
    half = variance_e**2 * df + 2 * variance_e * trace + square
    k = len(L)
    df_true = np.full(k, mean**2 / half)
    return Precision(variance, length * mean / df / variance, np.full(k, float(df)), df_true)


def sandwich(kind: str) -> Callable[[Experiment, np.ndarray], Precision]:
    """Least squares with a cluster-robust standard error."""

    def of(experiment: Experiment, L: np.ndarray) -> Precision:
        contrasts = make_contrasts(experiment.clusters, L, kind)
        T = experiment.root.T @ experiment.basis.Q
        variance_e = experiment.variation.var_residual
        Lambda = np.where(contrasts.has_variance[:, None], contrasts.Lambda, np.nan)
        variance = variance_e * (Lambda**2).sum(axis=1) + ((T @ Lambda.T) ** 2).sum(axis=0)
        pieces = [
            _trace_and_square(contrasts.a[:, c], contrasts.w[:, c], T, variance_e)
            for c in range(len(L))
        ]
        mean, square = np.array(pieces).T
        with np.errstate(divide="ignore", invalid="ignore"):
            df_true = np.where(contrasts.has_variance, mean**2 / square, np.nan)
        df = degrees_of_freedom(contrasts)
        return Precision(variance, contrasts.factor * mean / variance, df, df_true)

    return of


def _trace_and_square(
    a: np.ndarray, w: np.ndarray, T: np.ndarray, variance_e: float
) -> tuple[float, float]:
    """tr P and tr P^2 of the contributions' covariance P = diag(d) + U S U', U = [w, b] (G, 2r)."""
    r, root = a.shape[1], T.reshape(len(a), -1, T.shape[1])
    projections = np.einsum("gqr,gr->gq", root, a)
    b = np.einsum("gqr,gq->gr", root, projections)
    d = variance_e * (a * w).sum(axis=1) + (projections**2).sum(axis=1)
    S = np.block([[T.T @ T - variance_e * np.eye(r), -np.eye(r)], [-np.eye(r), np.zeros((r, r))]])
    U = np.hstack([w, b])
    low = ((U @ S) * U).sum(axis=1)
    SUU = S @ (U.T @ U)
    return float((d + low).sum()), float((d**2 + 2 * d * low).sum() + (SUU * SUU.T).sum())


def means(*, weighted: bool) -> Callable[[Experiment, np.ndarray], Precision]:
    """The t test of group means, which count equally or by their groups' sizes."""

    def of(experiment: Experiment, L: np.ndarray) -> Precision:
        basis, variances = means_basis(experiment, weighted=weighted)
        Lambda = basis.coordinates(L)[0]
        inner = (basis.Q.T * variances) @ basis.Q
        variance = np.einsum("ki,ij,kj->k", Lambda, inner, Lambda)
        leverage = (basis.Q**2).sum(axis=1)
        df, k = len(variances) - basis.rank, len(L)
        mean = variances @ (1 - leverage)
        half = variances**2 @ (1 - 2 * leverage) + (inner**2).sum()
        if df <= 0:
            return Precision(variance, *np.full((3, k), np.nan))
        ratio = (Lambda**2).sum(axis=1) * mean / df / variance
        return Precision(variance, ratio, np.full(k, float(df)), np.full(k, mean**2 / half))

    return of
