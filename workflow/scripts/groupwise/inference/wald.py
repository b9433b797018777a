"""Wald tests and intervals for linear combinations L beta, with t, F or their normal limits."""

from __future__ import annotations

import numpy as np
from scipy import stats

from groupwise.design import Design
from groupwise.tidy import Answers, Inference, JointTest


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
