"""Tests that compare a linear estimate with a standard error that is a quadratic form.

Classical and cluster-robust standard errors after least squares, and the t test of group means:
everything about them is known before the data, also their level where V is not what they believe.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from groupwise.inference.sandwich import Contrasts, degrees_of_freedom, make_contrasts
from groupwise.methods import group_means
from groupwise.models.least_squares import Basis
from groupwise.planning.experiments import Experiment
from groupwise.planning.quadratic_forms import QuadraticForm


@dataclass(frozen=True)
class QuadraticTest:
    """k tests by estimate / SE, SE^2 = sum_i u_i^2 + rest chi^2(rest_df), against t with `df`.

    Attributes
    ----------
    cov : (k, 1 + m, 1 + m)
        Of the estimate and u, normal; u has mean 0. NaN where there is no test.
    rest, df : (k,)
    rest_df : float
        Of a part of SE^2 that is independent of everything else.
    """

    cov: np.ndarray
    rest: np.ndarray
    rest_df: float
    df: np.ndarray

    @property
    def variance(self) -> np.ndarray:
        return self.cov[:, 0, 0]

    def form(self, c: int, critical: float) -> QuadraticForm:
        """What is positive where test c rejects: estimate^2 - critical^2 SE^2."""
        scale = np.full(self.cov.shape[1], critical)
        scale[0] = 1.0
        cov = self.cov[c] * np.outer(scale, scale)
        return QuadraticForm.of(cov, rest=float(self.rest[c]) * critical**2, rest_df=self.rest_df)


def classical(experiment: Experiment, L: np.ndarray) -> QuadraticTest:
    """Pooled least squares that takes individuals for independent."""
    return _one_variance(experiment, experiment.basis, experiment.root, L)


def dummy(experiment: Experiment, L: np.ndarray) -> QuadraticTest:
    """The same with a parameter per group."""
    return _one_variance(experiment, *experiment.centred, L)


def _one_variance(
    experiment: Experiment, basis: Basis, root: sparse.csr_array, L: np.ndarray
) -> QuadraticTest:
    """In an orthonormal basis of residuals that diagonalises their covariance.

    The residual maker M leaves root B-orthogonal: directions M root U_i / sqrt(mu_i), B = root'M root
    = U mu U', have variances s2_e + mu_i, all others s2_e. `root` is as absorbed levels leave it.
    """
    variance_e = experiment.variation.var_residual
    Lambda = basis.coordinates(L)[0][:, len(basis.size) :]
    T = root.T @ basis.Q
    mu, U = np.linalg.eigh((root.T @ root).toarray() - T @ T.T)
    real = mu > 1e-12 * max(mu[-1], variance_e)
    mu, U = mu[real], U[:, real]
    df = experiment.design.n_obs - basis.rank
    length = (Lambda**2).sum(axis=1)
    seen = Lambda @ T.T
    variance = variance_e * length + (seen**2).sum(axis=1)
    scale = length / df
    cross = (seen @ U) * np.sqrt(mu) * np.sqrt(scale)[:, None]
    squares = scale[:, None, None] * np.diag(variance_e + mu)
    return QuadraticTest(
        _join(variance, cross, squares),
        variance_e * scale,
        float(df - len(mu)),
        np.full(len(L), float(df)),
    )


def sandwich(kind: str) -> Callable[[Experiment, np.ndarray], QuadraticTest]:
    """Least squares with a cluster-robust standard error."""

    def of(experiment: Experiment, L: np.ndarray) -> QuadraticTest:
        contrasts = make_contrasts(experiment.clusters, L, kind)
        T = experiment.root.T @ experiment.basis.Q
        variance_e = experiment.variation.var_residual
        Lambda = np.where(contrasts.has_variance[:, None], contrasts.Lambda, np.nan)
        seen = Lambda @ T.T
        variance = variance_e * (Lambda**2).sum(axis=1) + (seen**2).sum(axis=1)
        parts = [_contributions(contrasts, c, T, variance_e) for c in range(len(L))]
        root_factor = np.sqrt(contrasts.factor)
        cross = np.array([seen[c] @ H for c, (H, _) in enumerate(parts)]) * root_factor
        squares = np.array([P for _, P in parts]) * contrasts.factor
        cov = _join(variance, cross, squares)
        return QuadraticTest(cov, np.zeros(len(L)), 0.0, degrees_of_freedom(contrasts))

    return of


def _contributions(
    contrasts: Contrasts, c: int, T: np.ndarray, variance_e: float
) -> tuple[np.ndarray, np.ndarray]:
    """H = root'C (G q, G) and P = C'VC (G, G), for contributions c_g'y of the groups, T = root'Q.

    c_g = M Q_g a_g, with Q_g zero outside its group.
    """
    a, w = contrasts.a[:, c], contrasts.w[:, c]
    G = len(a)
    projections = np.einsum("gqr,gr->gq", T.reshape(G, -1, T.shape[1]), a)
    H = (-T @ w.T).reshape(G, -1, G)
    H[np.arange(G), :, np.arange(G)] += projections
    H = H.reshape(-1, G)
    P = variance_e * (np.diag((a * w).sum(axis=1)) - w @ w.T) + H.T @ H
    return H, P


def means(*, weighted: bool) -> Callable[[Experiment, np.ndarray], QuadraticTest]:
    """The t test of group means, which count equally or by their groups' sizes."""

    def of(experiment: Experiment, L: np.ndarray) -> QuadraticTest:
        basis, variances = means_basis(experiment, weighted=weighted)
        Lambda = basis.coordinates(L)[0]
        df = len(variances) - basis.rank
        M = np.eye(len(variances)) - basis.Q @ basis.Q.T
        a = Lambda @ basis.Q.T
        scale = (Lambda**2).sum(axis=1) / df if df > 0 else np.full(len(L), np.nan)
        cross = (a * variances) @ M * np.sqrt(scale)[:, None]
        squares = scale[:, None, None] * ((M * variances) @ M)
        cov = _join((a**2) @ variances, cross, squares)
        return QuadraticTest(cov, np.zeros(len(L)), 0.0, np.full(len(L), float(df)))

    return of


def means_basis(experiment: Experiment, *, weighted: bool) -> tuple[Basis, np.ndarray]:
    """The basis of the means of X, and the variances (G,) of the group means, both weighted."""
    design, variation = experiment.design, experiment.variation
    means = group_means.means_basis(design, weighted=weighted)
    variances = variation.var_group + variation.var_residual / design.group_size
    return means.basis, means.root**2 * variances


def _join(variance: np.ndarray, cross: np.ndarray, squares: np.ndarray) -> np.ndarray:
    """(k,), (k, m) and (k, m, m) as symmetric matrices (k, 1 + m, 1 + m)."""
    k, m = cross.shape
    cov = np.empty((k, 1 + m, 1 + m))
    cov[:, 0, 0], cov[:, 0, 1:], cov[:, 1:, 0], cov[:, 1:, 1:] = variance, cross, cross, squares
    return cov
