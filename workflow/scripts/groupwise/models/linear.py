"""Ordinary least squares, also where the columns of X are linearly dependent."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import statsmodels
import statsmodels.api as sm
from statsmodels.tools.sm_exceptions import SingularMatrixWarning

SOFTWARE = f"statsmodels {statsmodels.__version__}"


@dataclass(frozen=True)
class LinearFit:
    """Least squares of y, shape (n,), on X, shape (n, p) of rank r.

    `beta` (p,) is the solution of smallest norm when r < p; `vcov` (p, p) is right for every
    estimable combination of it. `variance` is NaN where no residual degree of freedom is left, and
    0 where the residuals are rounding errors: there is no inference then.
    """

    beta: np.ndarray
    vcov: np.ndarray
    rank: int
    df_resid: float
    variance: float
    loglik: float
    fitted: np.ndarray
    residual: np.ndarray


def fit_ols(X: np.ndarray, y: np.ndarray) -> LinearFit:
    """Ordinary least squares by statsmodels (pseudo-inverse)."""
    with warnings.catch_warnings():
        # Dependent columns are expected of the dummy model; `rank` reports them.
        warnings.simplefilter("ignore", SingularMatrixWarning)
        fit = sm.OLS(y, X).fit()
    ssr, df_resid = float(fit.ssr), float(fit.df_resid)
    if ssr <= len(y) * (1e-12 * np.abs(y).max()) ** 2:
        ssr = 0.0
    variance = ssr / df_resid if df_resid > 0 else np.nan
    return LinearFit(
        beta=fit.params,
        vcov=variance * fit.normalized_cov_params,
        rank=int(fit.model.rank),
        df_resid=df_resid,
        variance=variance,
        loglik=float(fit.llf) if ssr > 0 else np.inf,
        fitted=fit.fittedvalues,
        residual=fit.resid,
    )
