"""Wald tests and intervals for linear combinations L beta, with t, F or their normal limits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.polynomial import Chebyshev
from scipy import special  # scipy.stats gives the same, but takes half a second to import

from groupwise.tidy import Answers, Inference, JointTest

if TYPE_CHECKING:
    from groupwise.design import Design


def wald_answers(
    design: Design, beta: np.ndarray, vcov: np.ndarray, *, df: float, conf_level: float
) -> Answers:
    """Every question of a design answered from the coefficients of its X, shape (p,)."""

    def infer(L: np.ndarray) -> Inference:
        return wald(L, beta, vcov, df=df, conf_level=conf_level)

    return Answers(
        contrasts=infer(design.L),
        means=infer(design.L_means),
        coefficients=infer(np.eye(len(beta))),
        omnibus=wald_joint(design.omnibus, beta, vcov, df=df),
    )


def wald(
    L: np.ndarray, beta: np.ndarray, vcov: np.ndarray, *, df: float | np.ndarray, conf_level: float
) -> Inference:
    """One test and interval per row of L, shape (k, p); `df` infinite is the normal.

    `beta` (..., p) and `vcov` (..., p, p) may have replicates in front; `df` is one number, or one
    per row and replicate, (..., k).
    """
    estimate = beta @ L.T
    std_error = np.sqrt(np.maximum(np.einsum("...ij,ij->...i", L @ vcov, L), 0))
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = estimate / std_error
    half = t_quantile(0.5 + conf_level / 2, df) * std_error
    return Inference(
        estimate=estimate,
        std_error=std_error,
        statistic=statistic,
        df=np.broadcast_to(np.asarray(df, dtype=float), estimate.shape).copy(),
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


def wald_joint(L: np.ndarray, beta: np.ndarray, vcov: np.ndarray, *, df: float) -> JointTest:
    """F test that every row of L beta is zero; with `df` infinite, F times q is chi-squared."""
    estimate = L @ beta
    q = len(L)
    F = float(estimate @ np.linalg.solve(L @ vcov @ L.T, estimate)) / q
    p_value = special.fdtrc(q, df, F) if np.isfinite(df) else special.chdtrc(q, q * F)
    return JointTest(F, float(q), float(df), float(p_value))
