"""Wald tests and intervals for linear combinations L beta, with t, F or their normal limits."""

from __future__ import annotations

import numpy as np
from scipy import stats

from groupwise.tidy import Inference, JointTest


def wald(
    L: np.ndarray, beta: np.ndarray, vcov: np.ndarray, *, df: float, conf_level: float
) -> Inference:
    """One test and interval per row of L, shape (k, p); `df` infinite is the normal."""
    estimate = L @ beta
    std_error = np.sqrt(np.maximum(np.einsum("ij,jk,ik->i", L, vcov, L), 0))
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = estimate / std_error
    half = stats.t.ppf(0.5 + conf_level / 2, df) * std_error
    return Inference(
        estimate=estimate,
        std_error=std_error,
        statistic=statistic,
        df=np.full(len(L), float(df)),
        p_value=2 * stats.t.sf(np.abs(statistic), df),
        conf_low=estimate - half,
        conf_high=estimate + half,
        conf_level=conf_level,
    )


def wald_joint(L: np.ndarray, beta: np.ndarray, vcov: np.ndarray, *, df: float) -> JointTest:
    """F test that every row of L beta is zero; with `df` infinite, F times q is chi-squared."""
    estimate = L @ beta
    q = len(L)
    statistic = float(estimate @ np.linalg.solve(L @ vcov @ L.T, estimate)) / q
    p_value = stats.f.sf(statistic, q, df) if np.isfinite(df) else stats.chi2.sf(q * statistic, q)
    return JointTest(statistic, float(q), float(df), float(p_value))
