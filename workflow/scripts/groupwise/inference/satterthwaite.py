"""Satterthwaite degrees of freedom of effects in mixed models, as lmerTest defines them.

The variance l'vcov l of a contrast is treated as a scaled chi-squared: df = 2 (l'vcov l)^2 / var, with
var from the delta method over the variance parameters (theta, sigma) and their asymptotic
covariance 2 H^-1, H the Hessian of the deviance (Giesbrecht and Burns 1985; Kuznetsova, Brockhoff
and Christensen 2017). All derivatives are exact. Where a variance is 0, l'vcov l does not change
with its theta: that parameter drops out, and with a single random intercept df is n - p.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from groupwise.models.lmm import LmmFit
from groupwise.models.pls import eliminate, solve_gls
from groupwise.models.pls_moments import curves, moments
from groupwise.tidy import JointTest

UNIDENTIFIED = 1e-10
"""Eigenvalues of the Hessian below this share of the largest carry no information."""


@dataclass(frozen=True)
class VarianceInformation:
    """How vcov depends on (theta, sigma), and how well these are known; sigma is the last.

    `vcov` (p, p) and its derivatives `jacobian` (k + 1, p, p), in terms of the orthonormal columns
    of X and in their units of y; `covariance` (k + 1, k + 1) of the parameters.
    """

    vcov: np.ndarray
    jacobian: np.ndarray
    covariance: np.ndarray


def variance_information(fit: LmmFit) -> VarianceInformation:
    """Derivatives at the fit, of the deviance with beta profiled out and sigma not."""
    x, theta = fit.products, fit.scaled_theta
    e = eliminate(x, x.parameters.omega(theta))
    gls = solve_gls(e.cross)
    found = moments(x, e, gls)
    c = curves(found, gls.Phi, fit.reml)
    df = x.df(fit.reml)
    s2 = gls.rss / df
    J, k = x.parameters.jacobian(theta), len(theta)
    hessian = np.empty((k + 1, k + 1))
    hessian[:k, :k] = J.T @ (2 * c.u2 / s2 - c.trace2) @ J
    hessian[:k, :k] += np.tensordot(c.trace - c.u / s2, x.parameters.T, 1)
    hessian[:k, k] = hessian[k, :k] = J.T @ (2 * c.u / s2**1.5)
    hessian[k, k] = 4 * df / s2
    slopes = gls.Phi @ found.P[:, :-1, :-1] @ gls.Phi
    jacobian = np.concatenate([s2 * np.tensordot(J.T, slopes, 1), 2 * np.sqrt(s2) * gls.Phi[None]])
    return VarianceInformation(s2 * gls.Phi, jacobian, 2 * _positive_inverse(hessian))


def _positive_inverse(H: np.ndarray) -> np.ndarray:
    """The inverse over eigenvectors of positive curvature: lmerTest's way with a flat deviance."""
    scale = 1 / np.sqrt(np.maximum(np.abs(np.diag(H)), np.finfo(float).tiny))
    scale = np.where(np.diag(H) > 0, scale, 1.0)
    values, vectors = np.linalg.eigh(H * np.outer(scale, scale))
    keep = values > UNIDENTIFIED * values[-1]
    root = scale[:, None] * vectors[:, keep] / np.sqrt(values[keep])
    inverse: np.ndarray = root @ root.T
    return inverse


def satterthwaite(fit: LmmFit, L: np.ndarray) -> np.ndarray:
    """Degrees of freedom, shape (k,), of each row of L, shape (k, p)."""
    return _df(variance_information(fit), fit.in_Q(L))


def _df(information: VarianceInformation, L: np.ndarray) -> np.ndarray:
    variance = np.einsum("ki,ij,kj->k", L, information.vcov, L)
    slopes = np.einsum("ki,vij,kj->kv", L, information.jacobian, L)
    spread = np.einsum("kv,vw,kw->k", slopes, information.covariance, slopes)
    df: np.ndarray = 2 * variance**2 / spread
    return df


def satterthwaite_joint(fit: LmmFit, L: np.ndarray) -> JointTest:
    """F test that all rows of L beta are 0: lmerTest's contestMD.

    L beta is turned to its principal directions; F is the mean of their squared t statistics, and
    the denominator df follow from theirs (Fai and Cornelius 1996). Dependent rows count once.
    """
    information, L = variance_information(fit), np.atleast_2d(L)
    values, vectors = np.linalg.eigh(L @ fit.vcov @ L.T)
    keep = values > np.sqrt(np.finfo(float).eps) * values[-1]
    rows = vectors[:, keep].T @ L
    q = len(rows)
    statistic = float(np.sum((rows @ fit.beta) ** 2 / values[keep]) / q)
    df = combined_df(_df(information, fit.in_Q(rows)))
    return JointTest(statistic, float(q), df, float(stats.f.sf(statistic, q, df)))


def combined_df(df: np.ndarray) -> float:
    """Denominator df of a mean of independent squared t's, shape (q,): matches the mean of F.

    Each has mean df / (df - 2); 2 where one of them has no mean (Fai and Cornelius 1996, eq. 9).
    """
    if len(df) == 1 or np.ptp(df) < 1e-8:
        return float(df.mean())
    if np.any(df <= 2):
        return 2.0
    total = float(np.sum(df / (df - 2)))
    return 2 * total / (total - len(df))


def boundary_note(fit: LmmFit) -> str:
    """What to say of these df where a variance is on the boundary; empty elsewhere."""
    if not fit.singular:
        return ""
    return (
        "Satterthwaite's df leave out a variance that is estimated as 0, as lmerTest does: with "
        "no group variance they count individuals, not groups."
    )
