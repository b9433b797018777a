"""Satterthwaite and Kenward-Roger inference for effects in mixed models, whatever their random terms.

Both take the variance l'vcov l of a contrast for a scaled chi-squared: df = 2 (l'vcov l)^2 / var, with
var by the delta method from the variance parameters and their asymptotic covariance.

- Satterthwaite, as lmerTest (Giesbrecht and Burns 1985; Kuznetsova, Brockhoff and Christensen 2017):
  observed information on (theta, sigma). Where a variance is 0, l'vcov l does not change with its
  theta: that parameter drops out, and with a single random intercept df is n - p.
- Kenward and Roger (1997), as pbkrtest (Halekoh and Hojsgaard 2014): expected information on the
  variances themselves, in which V is linear; it stays positive where variances are 0, and a boundary
  fit keeps the df of its groups. The covariance of the effects is adjusted for the estimation of the
  variances, and Wald's F scaled and given df that match its approximate mean and variance.

Kenward and Roger's results do not depend on which linear combinations of the variances are the
parameters. With s2 (I + sum omega_r G_r) in the directions G_r and V itself, every term that involves
V is known, and no adjustment has it.
"""

from __future__ import annotations

import numpy as np

from groupwise.inference.wald import f_tail, f_test, t_inference
from groupwise.models.information import Information
from groupwise.models.interface import Informed
from groupwise.tidy import Inference, JointTest

EQUAL_DF = 1e-8
"""lmerTest averages degrees of freedom that differ by less than this."""

NEGLIGIBLE = 1e-13
"""With a known residual variance, vcov may not depend on any parameter: A2 below this is rounding."""


# ---- one combination at a time -----------------------------------------------------------------------


def satterthwaite(fit: Informed, L: np.ndarray, conf_level: float) -> Inference:
    """t tests of the rows of L beta, L (k, p), with Satterthwaite's df: (..., k); `fit` is REML."""
    at = fit.information(L)
    std_error = np.sqrt(np.diagonal(at.vcov, axis1=-2, axis2=-1))
    return t_inference(fit.beta @ L.T, std_error, satterthwaite_df(at), conf_level)


def kenward_roger(fit: Informed, L: np.ndarray, conf_level: float) -> Inference:
    """t tests of the rows of L beta, L (k, p), with Kenward-Roger's variances and df: (..., k)."""
    at = fit.information(L)
    variance = np.diagonal(adjusted_vcov(at), axis1=-2, axis2=-1)
    return t_inference(fit.beta @ L.T, np.sqrt(variance), kenward_roger_df(at), conf_level)


def satterthwaite_df(at: Information) -> np.ndarray:
    """Degrees of freedom (..., k) of each combination."""
    return df_of_variances(at.vcov, _in_theta(at), at.observed_inverse)


def kenward_roger_df(at: Information) -> np.ndarray:
    """Degrees of freedom (..., k) of each combination: pbkrtest's Lb_ddf of single rows."""
    return df_of_variances(at.vcov, _with_scale(at.slopes, at.vcov), at.expected_inverse)


def adjusted_vcov(at: Information) -> np.ndarray:
    """Kenward and Roger's (1997, eq. 5) covariance of L beta, (..., k, k)."""
    W = 2 * at.expected_inverse[..., :-1, :-1]
    vcov = at.vcov + 2 * np.einsum("...rs,...rsij->...ij", W, at.curvature)
    symmetric: np.ndarray = (vcov + vcov.swapaxes(-1, -2)) / 2
    return symmetric


def _in_theta(at: Information) -> np.ndarray:
    """Derivatives (..., r + 1, k, k) of `vcov` in (theta, log s2)."""
    slopes = np.einsum("...rm,...rij->...mij", at.chain, at.slopes)
    return _with_scale(slopes, at.vcov)


def _with_scale(slopes: np.ndarray, vcov: np.ndarray) -> np.ndarray:
    return np.concatenate([slopes, vcov[..., None, :, :]], axis=-3)


def df_of_variances(
    vcov: np.ndarray, slopes: np.ndarray, half_covariance: np.ndarray
) -> np.ndarray:
    """Satterthwaite's df 2 v^2 / var(v), shape (..., k), of the variances v on the diagonal of `vcov`.

    Parameters
    ----------
    vcov : (..., k, k) of k combinations
    slopes : (..., r, k, k) derivatives of `vcov` in r parameters
    half_covariance : (..., r, r) half the covariance of their estimates
    """
    v = np.diagonal(vcov, axis1=-2, axis2=-1)
    slope = np.diagonal(slopes, axis1=-2, axis2=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        relative = slope / v[..., None, :]
        df: np.ndarray = 1 / (relative * (half_covariance @ relative)).sum(axis=-2)
    return df


# ---- all rows of L at once ---------------------------------------------------------------------------


def satterthwaite_joint(fit: Informed, L: np.ndarray) -> JointTest:
    """F test that all rows of L beta are 0: lmerTest's contestMD.

    L beta is turned to its principal directions; F is the mean of their squared t statistics, and
    the denominator df follow from theirs (Fai and Cornelius 1996). Dependent rows count once.
    """
    at, q = fit.information(L), int(np.linalg.matrix_rank(L))
    ok = np.isfinite(at.vcov).all(axis=(-1, -2))
    variances, vectors = np.linalg.eigh(np.where(ok[..., None, None], at.vcov, np.eye(len(L))))
    variances, vectors = variances[..., -q:], vectors[..., -q:]
    t = np.einsum("...ki,...k->...i", vectors, fit.beta @ L.T) / np.sqrt(variances)
    turned = vectors[..., None, :, :]
    slopes = (turned * (_in_theta(at) @ turned)).sum(axis=-2)
    relative = slopes / variances[..., None, :]
    spread = (relative * (at.observed_inverse @ relative)).sum(axis=-2)
    with np.errstate(divide="ignore", invalid="ignore"):
        df = combined_df(1 / spread)
    return f_tail(np.where(ok, (t**2).mean(axis=-1), np.nan), q, df)


def kenward_roger_joint(fit: Informed, L: np.ndarray) -> JointTest:
    """Scaled F test that all rows of L beta are 0: pbkrtest's KRmodcomp. Dependent rows count once."""
    rows = _independent_rows(L)
    at = fit.information(rows)
    scale, df = kenward_roger_scaling(at)
    return f_test(fit.beta @ rows.T, adjusted_vcov(at), df, scale=scale)


def kenward_roger_scaling(at: Information) -> tuple[np.ndarray, np.ndarray]:
    """Factor of Wald's F of all combinations, and denominator df, each (...)."""
    ok = np.isfinite(at.vcov).all(axis=(-1, -2))[..., None, None]
    vcov = np.where(ok, at.vcov, np.eye(at.vcov.shape[-1]))
    M = np.linalg.solve(vcov[..., None, :, :], _with_scale(at.slopes, at.vcov))
    W, trace = 2 * at.expected_inverse, np.trace(M, axis1=-2, axis2=-1)
    A1 = (trace * (W @ trace[..., None])[..., 0]).sum(axis=-1)
    A2 = np.einsum("...rij,...rji->...", M, np.einsum("...rs,...sij->...rij", W, M))
    return scaled_f(A1, A2, at.vcov.shape[-1])


def scaled_f(A1: np.ndarray, A2: np.ndarray, q: int) -> tuple[np.ndarray, np.ndarray]:
    """lambda and m of Kenward and Roger (1997, section 3): lambda F is about F(q, m).

    Limits where two numbers vanish together, and lambda = 1 next to m = 2, are pbkrtest's.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        B = (A1 + 6 * A2) / (2 * q)
        g = ((q + 1) * A1 - (q + 4) * A2) / ((q + 2) * A2)
        c = np.stack([g, q - g, q + 2 - g]) / (3 * q + 2 * (1 - g))
        v0, v1, v2 = 1 + c[0] * B, 1 - c[1] * B, 1 - c[2] * B
        v0 = np.where(np.abs(v0) < 1e-10, 0.0, v0)
        both_zero = (np.abs(1 - A2 / q) < 1e-14) & (np.abs(v1) < 1e-14)
        ratio = np.where(both_zero, 1.0, (1 - A2 / q) / v1)
        rho = ratio**2 * v0 / v2 / q
        df = 4 + (q + 2) / (q * rho - 1)
        scale = np.where(np.abs(df - 2) < 0.01, 1.0, df * (1 - A2 / q) / (df - 2))
    no_variance = A2 < NEGLIGIBLE
    return np.where(no_variance, 1.0, scale), np.where(no_variance, np.inf, df)


def combined_df(df: np.ndarray) -> np.ndarray:
    """Denominator df (...) of a mean of independent squared t's with df (..., q).

    Matches the mean of F, each having mean df / (df - 2) (Fai and Cornelius 1996, eq. 9), with
    lmerTest's conventions: nearly equal ones are averaged, and 2 where one of them is 2 or less.
    """
    q = df.shape[-1]
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = np.where(np.isinf(df), 1.0, df / (df - 2)).sum(axis=-1)
        combined = np.where((df <= 2).any(axis=-1), 2.0, 2 * mean / (mean - q))
        equal = (np.abs(np.diff(df, axis=-1)) < EQUAL_DF).all(axis=-1)
    return np.where(equal, df.mean(axis=-1), combined)


def _independent_rows(L: np.ndarray) -> np.ndarray:
    """L itself, or an orthonormal basis of its rows where they depend on each other."""
    _, s, Vt = np.linalg.svd(L, full_matrices=False)
    rank = int((s > 1e-10 * s[0]).sum())
    return L if rank == len(L) else Vt[:rank]
