"""Kenward-Roger inference for effects in mixed models, as in pbkrtest.

The covariance of the effects is adjusted for the estimation of the variances, and Wald's F scaled
and given denominator df that match its approximate mean and variance (Kenward and Roger 1997;
Halekoh and Hojsgaard 2014). V = sum_r gamma_r G_r is linear in its parameters gamma: the entries of
the covariance matrices and, last, the residual variance with G = I. W, their covariance, is the
inverse of the expected information, which stays positive where variances are 0: a boundary fit keeps
the df of its groups.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from groupwise.models.lmm import LmmFit
from groupwise.models.pls import eliminate, solve_gls
from groupwise.models.pls_moments import Moments, moments
from groupwise.tidy import JointTest


@dataclass(frozen=True)
class KenwardRoger:
    """What Kenward-Roger tests need of a fit.

    Attributes
    ----------
    beta : (p,)
    vcov : (p, p)
        Phi, not adjusted.
    vcov_adjusted : (p, p)
    PhiPPhi : (k + 1, p, p)
        Phi P_r Phi: derivative of vcov with respect to gamma_r.
    W : (k + 1, k + 1)
        Asymptotic covariance of gamma.
    """

    beta: np.ndarray
    vcov: np.ndarray
    vcov_adjusted: np.ndarray
    PhiPPhi: np.ndarray
    W: np.ndarray

    def df(self, L: np.ndarray) -> np.ndarray:
        """Degrees of freedom (k,) of each row of L (k, p): pbkrtest's Lb_ddf of single rows."""
        L = np.atleast_2d(L)
        variance = np.einsum("ki,ij,kj->k", L, self.vcov, L)
        slopes = np.einsum("ki,rij,kj->kr", L, self.PhiPPhi, L)
        df: np.ndarray = 2 * variance**2 / np.einsum("kr,rs,ks->k", slopes, self.W, slopes)
        return df

    def joint(self, L: np.ndarray) -> JointTest:
        """Scaled F test that all rows of L beta are 0; dependent rows count once."""
        rows = _row_basis(np.atleast_2d(L))
        q = len(rows)
        scaling, df = self._scaling(rows)
        estimate = rows @ self.beta
        inverse = np.linalg.inv(rows @ self.vcov_adjusted @ rows.T)
        statistic = scaling * float(estimate @ inverse @ estimate) / q
        return JointTest(statistic, float(q), df, float(stats.f.sf(statistic, q, df)))

    def _scaling(self, L: np.ndarray) -> tuple[float, float]:
        """Factor of Wald's F, and denominator df (Kenward and Roger 1997, section 3)."""
        root = np.linalg.inv(np.linalg.cholesky(L @ self.vcov @ L.T)) @ L
        slopes = root @ self.PhiPPhi @ root.T
        traces = np.einsum("rii->r", slopes)
        A1 = float(traces @ self.W @ traces)
        A2 = float(np.einsum("rs,rij,sji->", self.W, slopes, slopes))
        return f_scaling(A1, A2, len(L))


def f_scaling(A1: float, A2: float, q: int) -> tuple[float, float]:
    """lambda and m of Kenward and Roger (1997): lambda F is about F(q, m).

    Limits where two numbers vanish together, and lambda = 1 next to m = 2, are pbkrtest's.
    """
    B = (A1 + 6 * A2) / (2 * q)
    g = ((q + 1) * A1 - (q + 4) * A2) / ((q + 2) * A2)
    c = np.array([g, q - g, q + 2 - g]) / (3 * q + 2 * (1 - g))
    V0, V1, V2 = 1 + c[0] * B, 1 - c[1] * B, 1 - c[2] * B
    V0 = 0.0 if abs(V0) < 1e-10 else V0
    mean = 1 - A2 / q
    ratio = 1.0 if abs(mean) < 1e-14 and abs(V1) < 1e-14 else mean / V1
    rho = ratio**2 * V0 / V2 / q
    m = 4 + (q + 2) / (q * rho - 1)
    scaling = 1.0 if abs(m - 2) < 1e-2 else m * mean / (m - 2)
    return float(scaling), float(m)


def kenward_roger(fit: LmmFit) -> KenwardRoger:
    """Adjusted covariance of a REML fit, with all that its tests need.

    Raises
    ------
    ValueError
        If the fit is not REML: the adjustment is derived for its variances.
    """
    if not fit.reml:
        raise ValueError("Kenward-Roger's adjustment is for REML fits.")
    x = fit.products
    omega = x.parameters.omega(fit.scaled_theta)
    e = eliminate(x, omega)
    gls = solve_gls(e.cross)
    found = with_residual(moments(x, e, gls), omega, n=x.n, XVX=e.cross[:-1, :-1])
    Phi = gls.Phi
    PPhi = found.P @ Phi
    products = np.einsum("rij,sjk->rsik", PPhi, found.P)
    W = _covariance(found, PPhi, Phi)
    U = np.einsum("rs,rsij->ij", W, found.Q - products)
    adjusted = Phi + 2 * Phi @ U @ Phi
    root = fit.structure.R_inverse
    vcov_adjusted = fit.sigma**2 * root @ adjusted @ root.T
    return KenwardRoger(
        beta=fit.beta,
        vcov=fit.vcov,
        vcov_adjusted=0.5 * (vcov_adjusted + vcov_adjusted.T),
        PhiPPhi=fit.sigma**2 * root @ Phi @ PPhi @ root.T,
        W=W,
    )


def _covariance(found: Moments, PPhi: np.ndarray, Phi: np.ndarray) -> np.ndarray:
    """W: twice the inverse of tr(V^-1 G_r V^-1 G_s) - tr(2 Phi Q_rs - Phi P_r Phi P_s)."""
    information = (
        found.T - 2 * np.einsum("rsij,ji->rs", found.Q, Phi) + np.einsum("rij,sji->rs", PPhi, PPhi)
    )
    scale = 1 / np.sqrt(np.diag(information))
    inverse = np.linalg.pinv(information * np.outer(scale, scale), rcond=1e-12, hermitian=True)
    W: np.ndarray = 2 * inverse * np.outer(scale, scale)
    return W


def with_residual(found: Moments, omega: np.ndarray, *, n: int, XVX: np.ndarray) -> Moments:
    """Moments of X with a last parameter for the residual variance, whose G is I (s2 = 1).

    I = V - sum_r omega_r G_r, so its moments follow from V's, which are simple, and the others'.
    """
    X = slice(None, -1)
    P, Q = found.P[:, X, X], found.Q[:, :, X, X]
    t0 = n - omega @ found.t
    T0 = found.t - omega @ found.T
    P0 = XVX - np.tensordot(omega, P, 1)
    Q0 = P - np.tensordot(omega, Q, 1)
    Q00 = P0 - np.tensordot(omega, Q0, 1)
    return Moments(
        t=np.append(found.t, t0),
        T=np.block([[found.T, T0[:, None]], [T0[None], np.array([[t0 - omega @ T0]])]]),
        P=np.concatenate([P, P0[None]]),
        Q=np.concatenate(
            [
                np.concatenate([Q, Q0.swapaxes(1, 2)[:, None]], axis=1),
                np.concatenate([Q0, Q00[None]])[None],
            ]
        ),
    )


def _row_basis(L: np.ndarray) -> np.ndarray:
    """L where its rows are independent, else orthonormal rows of the same span."""
    _, s, Vt = np.linalg.svd(L, full_matrices=False)
    rank = int((s > 1e-10 * s[0]).sum())
    return L if rank == len(L) else Vt[:rank]
