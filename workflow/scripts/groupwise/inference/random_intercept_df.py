"""Satterthwaite and Kenward-Roger for one random intercept, in closed form, for every replicate.

Both need the variance of the two variance estimates, and how the covariance of L beta depends on
them. In the parameters tau = (s2_u - lambda s2_e, s2_e), with lambda held at its estimate, V stays
linear in tau (so Kenward and Roger's formulas hold as they are) and dV / d tau_2 = V / s2_e: every
term that involves tau_2 is known. With H = V / s2_e, F = (X'H^-1 X)^-1 and all derivatives taken in
lambda at a fixed scale, what is left to compute is

    D = -d(F^-1) = X'H^-1 ZZ' H^-1 X     = sum m t^2 B_m,     t = 1 / (1 + lambda m)
    E = X'H^-1 ZZ' H^-1 ZZ' H^-1 X       = sum m^2 t^3 B_m

where B_m is the cross-product of group means of X over groups of size m, weighted by m.
The information on (lambda, log s2_e) is [[h, b], [b, N]] / 2, N = n - p, b = sum_k nu_k, with
nu_k = mu_k / (1 + lambda mu_k); h is expected, sum_k nu_k^2, for Kenward-Roger, and observed,
q''/s2_e - sum_k nu_k^2, for Satterthwaite.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import special

from groupwise.inference.wald import wald
from groupwise.models.random_intercept import RandomInterceptFit
from groupwise.tidy import Inference, JointTest

EQUAL_DF = 1e-8
"""lmerTest averages degrees of freedom that differ by less than this."""


@dataclass(frozen=True)
class JointTests:
    """Tests that several combinations are all zero, one per replicate: arrays (...).

    The p-value is that of `statistic` * `scale` under F(df_num, df_den).
    """

    statistic: np.ndarray
    scale: np.ndarray
    df_num: float
    df_den: np.ndarray

    @property
    def p_value(self) -> np.ndarray:
        value: np.ndarray = special.fdtrc(self.df_num, self.df_den, self.scale * self.statistic)
        return value

    def single(self) -> JointTest:
        """The one test of a single dataset, as a row of the results schema: F is scaled."""
        statistic = float(self.scale * self.statistic)
        return JointTest(statistic, self.df_num, float(self.df_den), float(self.p_value))


@dataclass(frozen=True)
class SmallSample:
    """A REML fit with what both methods need of it; arrays have its leading axes `...`.

    Rows L, shape (k, p), are combinations of the coefficients of X. A fit at theta = 0 has no
    information on lambda from within the parameter space: Satterthwaite's df is then n - p, as in
    lmerTest, whereas Kenward-Roger's keeps its count of groups.
    """

    fit: RandomInterceptFit

    def __post_init__(self) -> None:
        if not self.fit.reml:
            raise ValueError("Satterthwaite and Kenward-Roger are defined for REML fits.")

    @cached_property
    def D(self) -> np.ndarray:
        """(..., p, p) in the basis Q."""
        return self.fit.model.weigh(self.fit.model.size * self.fit.mean_weight**2)

    @cached_property
    def FD(self) -> np.ndarray:
        return self.fit.F @ self.D

    @cached_property
    def FDF(self) -> np.ndarray:
        """(..., p, p): the derivative of F in lambda."""
        return self.FD @ self.fit.F

    def expected(self) -> tuple[np.ndarray, np.ndarray, float]:
        """h, b and N of the expected information."""
        return -self.fit.slopes.l2, self.fit.slopes.l1, float(self.fit.df)

    def observed(self) -> tuple[np.ndarray, np.ndarray, float]:
        """h, b and N of the observed information, as lmerTest has it from numerical derivatives."""
        slopes = self.fit.slopes
        return slopes.l2 + slopes.q2 / self.fit.var_residual, slopes.l1, float(self.fit.df)

    def relative_slopes(self, L: np.ndarray) -> np.ndarray:
        """(..., k): d log Var(L beta) / d lambda."""
        L = L @ self.fit.model.R_inv
        return _quadratic(L, self.FDF) / _quadratic(L, self.fit.F)

    def adjusted_vcov(self) -> np.ndarray:
        """Kenward and Roger's (1997) covariance of beta, eq. 5, shape (..., p, p)."""
        h, b, N = self.expected()
        model, F = self.fit.model, self.fit.F
        E = model.weigh(model.size**2 * self.fit.mean_weight**3)
        more = F @ E @ F - self.FD @ self.FDF
        with np.errstate(divide="ignore", invalid="ignore"):
            factor = 4 * N / (h * N - b**2) * self.fit.var_residual
        vcov = self.fit.vcov + model.R_inv @ (factor[..., None, None] * more) @ model.R_inv.T
        symmetric: np.ndarray = (vcov + np.swapaxes(vcov, -1, -2)) / 2
        return symmetric

    # ---- one combination at a time -----------------------------------------------------------

    def satterthwaite_df(self, L: np.ndarray) -> np.ndarray:
        """Degrees of freedom of each row, shape (..., k), as lmerTest (Kuznetsova et al. 2017)."""
        df = _df(self.relative_slopes(L), *self.observed())
        return np.where(self.fit.singular[..., None], float(self.fit.df), df)

    def kenward_roger_df(self, L: np.ndarray) -> np.ndarray:
        """Degrees of freedom of each row, shape (..., k), as pbkrtest."""
        return _df(self.relative_slopes(L), *self.expected())

    def satterthwaite(self, L: np.ndarray, *, conf_level: float) -> Inference:
        fit, df = self.fit, self.satterthwaite_df(L)
        return wald(L, fit.beta, fit.vcov, df=df, conf_level=conf_level)

    def kenward_roger(self, L: np.ndarray, *, conf_level: float) -> Inference:
        df = self.kenward_roger_df(L)
        return wald(L, self.fit.beta, self.adjusted_vcov(), df=df, conf_level=conf_level)

    # ---- all rows of L at once ---------------------------------------------------------------

    def satterthwaite_joint(self, L: np.ndarray) -> JointTests:
        """The F test of L beta = 0, with the df of lmerTest's `contestMD`."""
        q = int(np.linalg.matrix_rank(L))
        variances, vectors = np.linalg.eigh(_finite(L @ self.fit.vcov @ L.T))
        variances, vectors = variances[..., -q:], vectors[..., -q:]
        rows = np.swapaxes(vectors, -1, -2) @ L
        t = (rows @ self.fit.beta[..., None])[..., 0]
        statistic = (t**2 / variances).mean(axis=-1)
        rows = rows @ self.fit.model.R_inv
        slopes = _quadratic(rows, self.FDF) / _quadratic(rows, self.fit.F)
        df = combined_df(_df(slopes, *self.observed()))
        df = np.where(self.fit.singular, float(self.fit.df), df)
        return JointTests(_where_fitted(self.fit, statistic), np.ones_like(df), float(q), df)

    def kenward_roger_joint(self, L: np.ndarray) -> JointTests:
        """The scaled F test of L beta = 0, as pbkrtest's `KRmodcomp`."""
        L = _independent_rows(L)
        q = len(L)
        contrast = L @ self.fit.beta[..., None]
        adjusted = _finite(L @ self.adjusted_vcov() @ L.T)
        wald_statistic = (np.swapaxes(contrast, -1, -2) @ np.linalg.solve(adjusted, contrast))[
            ..., 0, 0
        ]
        A1, A2 = self._moments(L)
        df, scale = scaled_f(A1, A2, q)
        return JointTests(_where_fitted(self.fit, wald_statistic / q), scale, float(q), df)

    def _moments(self, L: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Kenward and Roger's A1 and A2, shape (...)."""
        h, b, N = self.expected()
        L = L @ self.fit.model.R_inv
        F, FDF = _finite(L @ self.fit.F @ L.T), L @ self.FDF @ L.T
        M = np.linalg.solve(F, FDF)
        trace = np.trace(M, axis1=-2, axis2=-1)
        square = np.einsum("...ij,...ji->...", M, M)
        q = len(L)
        with np.errstate(divide="ignore", invalid="ignore"):
            factor = 2 / (h * N - b**2)
            A1 = factor * (N * trace**2 - 2 * b * q * trace + h * q**2)
            A2 = factor * (N * square - 2 * b * trace + h * q)
        return A1, A2


def combined_df(df: np.ndarray) -> np.ndarray:
    """The df of an F made of independent t's with these df, shape (..., q): (...).

    Matches the mean of F (Fai and Cornelius 1996), with lmerTest's conventions: nearly equal ones
    are averaged, and 2 where one of them is 2 or less.
    """
    q = df.shape[-1]
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = (df / (df - 2)).sum(axis=-1)
        combined = np.where((df <= 2).any(axis=-1), 2.0, 2 * mean / (mean - q))
    equal = (np.abs(np.diff(df, axis=-1)) < EQUAL_DF).all(axis=-1)
    return np.where(equal, df.mean(axis=-1), combined)


def scaled_f(A1: np.ndarray, A2: np.ndarray, q: int) -> tuple[np.ndarray, np.ndarray]:
    """Kenward and Roger's denominator df and scale of F from their A1 and A2 (1997, section 3)."""
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
    return df, scale


def _df(slope: np.ndarray, h: np.ndarray, b: np.ndarray, N: float) -> np.ndarray:
    """2 over the variance of log Var(L beta), whose gradient in (lambda, log s2_e) is (slope, 1)."""
    h, b = np.asarray(h)[..., None], np.asarray(b)[..., None]
    with np.errstate(divide="ignore", invalid="ignore"):
        df: np.ndarray = (h * N - b**2) / (N * slope**2 - 2 * b * slope + h)
    return df


def _quadratic(L: np.ndarray, A: np.ndarray) -> np.ndarray:
    """l'Al for the rows of L, shape (..., k, p), and matrices (..., p, p): (..., k)."""
    if L.ndim == 2:
        p = L.shape[1]
        outer = (L[:, :, None] * L[:, None, :]).reshape(-1, p * p)
        value: np.ndarray = A.reshape(*A.shape[:-2], p * p) @ outer.T
        return value
    return ((L @ A) * L).sum(axis=-1)


def _independent_rows(L: np.ndarray) -> np.ndarray:
    """L itself, or an orthonormal basis of its rows where they depend on each other."""
    _, s, Vt = np.linalg.svd(L, full_matrices=False)
    rank = int((s > 1e-10 * s[0]).sum())
    return L if rank == len(L) else Vt[:rank]


def _finite(A: np.ndarray) -> np.ndarray:
    """Matrices (..., q, q) with the identity in place of those of replicates without a fit."""
    ok = np.isfinite(A).all(axis=(-1, -2))[..., None, None]
    return np.where(ok, A, np.eye(A.shape[-1]))


def _where_fitted(fit: RandomInterceptFit, values: np.ndarray) -> np.ndarray:
    return np.where(np.isfinite(fit.theta), values, np.nan)
