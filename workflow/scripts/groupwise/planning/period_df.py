"""Degrees of freedom of the mixed model in a trial with periods, if its correlations are the true ones.

Satterthwaite's, at the planned variances and from means of cells, by the expected information of REML:
twice the squared variance of the effect over the variance of its estimate. `PeriodPlan.df` are fewer,
and hold whatever the correlations are.
"""

from __future__ import annotations

import numpy as np

from groupwise.inference.small_sample import df_of_variances
from groupwise.models.information import inverse
from groupwise.planning.periods import NOT_MEASURED, PeriodPlan


def model_df(plan: PeriodPlan) -> float:
    """Satterthwaite's df of the effect by generalised least squares; NaN if it is not identified.

    Where all periods are alike there are two variances to estimate, of what cells of a group share and
    of the rest; with decay the autocorrelation is a third unknown. In parallel designs, and in
    crossovers of two periods, these df are the groups less 2.
    """
    if np.isinf(plan.variance):
        return np.nan
    derivatives, T = _derivatives(plan), plan.n_periods
    k = len(derivatives)
    information, A = np.zeros((T + 1, T + 1)), np.zeros((k, T + 1, T + 1))
    B, traces = np.zeros((k, k, T + 1, T + 1)), np.zeros((k, k))
    for arms, groups in zip(plan.sequences, plan.groups_per_sequence, strict=True):
        (at,) = np.nonzero(arms != NOT_MEASURED)
        X = plan.cell_design(arms)
        W = np.linalg.inv(plan.cell_cov[np.ix_(at, at)])
        WX = W @ X
        WD = [W @ D[np.ix_(at, at)] for D in derivatives]
        information += groups * (X.T @ WX)
        for i in range(k):
            A[i] += groups * (X.T @ WD[i] @ WX)
            for j in range(k):
                product = WD[i] @ WD[j]
                traces[i, j] += groups * np.trace(product)
                B[i, j] += groups * (X.T @ product @ WX)
    C = np.linalg.pinv(information, hermitian=True)
    CA = C @ A
    reml = traces - 2 * np.einsum("ab,ijba->ij", C, B) + np.einsum("iab,jba->ij", CA, CA)
    slopes = np.einsum("a,iab,b->i", C[-1], A, C[-1])
    return df_of_variances(np.array([[plan.variance]]), slopes[:, None, None], inverse(reml)).item()


def _derivatives(plan: PeriodPlan) -> list[np.ndarray]:
    """Matrices (T, T), by which the covariance of a group's cells changes with what is estimated."""
    T = plan.n_periods
    if not plan.decay:
        return [np.ones((T, T)), np.eye(T)]
    period = np.arange(T)
    apart = np.abs(period[:, None] - period)
    slope = apart * plan.cac ** np.maximum(apart - 1, 0)
    within = np.asarray(plan.iac, dtype=float) ** apart
    return [plan.cac**apart, plan.icc * plan.sd**2 * slope, within]
