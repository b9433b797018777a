"""t rows and F tests: the one place where an estimate and its covariance become a p-value.

Arrays lead with any number of replicates, (...); one dataset is a batch of one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.polynomial import Chebyshev
from scipy import special  # scipy.stats gives the same, but takes half a second to import

from groupwise.tidy import Answers, Inference, JointTest

if TYPE_CHECKING:
    from groupwise.design import Design

SINGULAR = 1e-12
"""A correlation matrix with an eigenvalue below this has no inverse."""


class Fitted(Protocol):
    """Estimates beta (..., p), and the covariance (..., k, k) of combinations L beta, L (k, p)."""

    @property
    def beta(self) -> np.ndarray: ...
    def covariance(self, L: np.ndarray) -> np.ndarray: ...


def wald_of_fit(fit: Fitted, L: np.ndarray, df: float | np.ndarray, conf_level: float) -> Inference:
    """t tests and intervals (..., k) of linear combinations L beta, rows L (k, p), of fits (...).

    `df` is one number, or (..., k); infinite is the normal.
    """
    variance = np.diagonal(fit.covariance(L), axis1=-2, axis2=-1)
    return t_inference(fit.beta @ L.T, np.sqrt(np.maximum(variance, 0)), df, conf_level)


def wald(
    L: np.ndarray, beta: np.ndarray, vcov: np.ndarray, *, df: float | np.ndarray, conf_level: float
) -> Inference:
    """The same from estimates beta (..., p) and their covariance vcov (..., p, p)."""
    variance = np.einsum("...ij,ij->...i", L @ vcov, L)
    return t_inference(beta @ L.T, np.sqrt(np.maximum(variance, 0)), df, conf_level)


def t_inference(
    estimate: np.ndarray, std_error: np.ndarray, df: float | np.ndarray, conf_level: float
) -> Inference:
    """t tests that estimates (..., k) are 0, and intervals; `df` infinite is the normal.

    A row without an estimate, a positive standard error or positive df is NaN throughout.
    """
    df = np.broadcast_to(np.asarray(df, dtype=float), estimate.shape)
    usable = (std_error > 0) & np.isfinite(estimate) & (df > 0)
    estimate, std_error, df = (np.where(usable, each, np.nan) for each in (estimate, std_error, df))
    statistic = estimate / std_error
    half = t_quantile(0.5 + conf_level / 2, df) * std_error
    return Inference(
        estimate=estimate,
        std_error=std_error,
        statistic=statistic,
        df=df,
        p_value=2 * special.stdtr(df, -np.abs(statistic)),
        conf_low=estimate - half,
        conf_high=estimate + half,
        conf_level=conf_level,
    )


def t_quantile(p: float, df: float | np.ndarray) -> np.ndarray:
    """Quantiles p > 0.5 of t distributions, the shape of `df`.

    Many are interpolated: as a function of 1/df in [0, 1], the logarithm of the quantile is so
    smooth that a polynomial of degree 32 has it to rounding, some 20 times as fast.
    """
    df = np.asarray(df, dtype=float)
    if df.size < 1000:
        return np.asarray(special.stdtrit(df, p))
    log_quantile = Chebyshev.interpolate(
        lambda s: np.log(special.stdtrit(1 / np.maximum(s, 1e-300), p)), 32, domain=[0, 1]
    )
    smooth = df >= 1
    quantile = np.exp(log_quantile(1 / np.where(smooth, df, 1.0)))
    quantile[~smooth] = special.stdtrit(df[~smooth], p)
    return quantile


def f_test(
    estimate: np.ndarray,
    vcov: np.ndarray,
    df: float | np.ndarray,
    *,
    scale: float | np.ndarray = 1.0,
) -> JointTest:
    """F tests that q combinations are all 0: Wald's statistic over q, times `scale`.

    Parameters
    ----------
    estimate, vcov : (..., q), (..., q, q)
        Where the covariance has no inverse the test is NaN.
    df, scale : (...) or numbers
        Denominator degrees of freedom; infinite makes q F chi-squared.
    """
    q = estimate.shape[-1]
    statistic = scale * wald_statistic(estimate, vcov) / q
    return f_tail(statistic, q, df)


def f_tail(statistic: np.ndarray, q: float, df: float | np.ndarray) -> JointTest:
    """The test of F statistics (...) with q and `df` degrees of freedom; NaN without positive df."""
    df = np.broadcast_to(np.asarray(df, dtype=float), np.shape(statistic))
    statistic, df = (np.where(df > 0, each, np.nan) for each in (statistic, df))
    finite = special.fdtrc(q, np.where(np.isinf(df), 1.0, df), statistic)
    p_value = np.where(np.isinf(df), special.chdtrc(q, q * statistic), finite)
    return JointTest(statistic, float(q), df, p_value)


def wald_statistic(estimate: np.ndarray, vcov: np.ndarray) -> np.ndarray:
    """estimate' vcov^-1 estimate, (...), of (..., q) and (..., q, q); NaN where vcov is singular."""
    finite = np.isfinite(vcov).all(axis=(-2, -1)) & np.isfinite(estimate).all(axis=-1)
    scale = np.sqrt(np.diagonal(np.where(finite[..., None, None], vcov, 0), axis1=-2, axis2=-1))
    usable = finite & (scale > 0).all(axis=-1)
    scale = np.where(usable[..., None], scale, 1)
    correlation = vcov / (scale[..., None] * scale[..., None, :])
    correlation = np.where(usable[..., None, None], correlation, np.eye(estimate.shape[-1]))
    values, vectors = np.linalg.eigh(correlation)
    usable = usable & (values[..., 0] > SINGULAR)
    unit = np.where(usable[..., None], estimate / scale, 0)
    rotated = np.einsum("...i,...ij->...j", unit, vectors)
    statistic = (rotated**2 / np.where(usable[..., None], values, 1)).sum(axis=-1)
    return np.where(usable, statistic, np.nan)


def wald_answers(
    design: Design, beta: np.ndarray, vcov: np.ndarray, *, df: float, conf_level: float
) -> Answers:
    """Every question of a design answered from the coefficients of its X, shape (p,)."""

    def infer(L: np.ndarray) -> Inference:
        return wald(L, beta, vcov, df=df, conf_level=conf_level)

    L = design.omnibus
    return Answers(
        contrasts=infer(design.L),
        means=infer(design.L_means),
        coefficients=infer(np.eye(len(beta))),
        omnibus=f_test(L @ beta, L @ vcov @ L.T, df),
    )
