"""Ordinary least squares, also where the columns of X are linearly dependent."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import statsmodels
import statsmodels.api as sm
from statsmodels.tools.sm_exceptions import SingularMatrixWarning

from groupwise.models.least_squares import normal_loglik, orthonormal_basis, sum_of_squares

SOFTWARE = f"statsmodels {statsmodels.__version__}"

MANY_ROWS = 1_000_000
"""statsmodels holds some eight copies of X: above this many rows the engine answers instead."""


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
    software: str


def fit_ols(X: np.ndarray, y: np.ndarray) -> LinearFit:
    """Ordinary least squares; with very many rows X needs full rank."""
    return _statsmodels(X, y) if len(y) <= MANY_ROWS else fit_engine(X, y)


def fit_engine(X: np.ndarray, y: np.ndarray) -> LinearFit:
    """Least squares by QR; `beta` and `vcov` are NaN for coefficients that X does not identify."""
    basis = orthonormal_basis(X)
    coordinates, residual = basis.project(y)
    Lambda, _ = basis.coordinates(np.eye(X.shape[1]))
    df_resid, ssr = len(y) - basis.rank, sum_of_squares(float(residual @ residual), y)
    variance = ssr / df_resid if df_resid > 0 else np.nan
    return LinearFit(
        beta=Lambda @ coordinates,
        vcov=variance * (Lambda @ Lambda.T),
        rank=basis.rank,
        df_resid=float(df_resid),
        variance=variance,
        loglik=normal_loglik(ssr, len(y)),
        fitted=y - residual,
        residual=residual,
        software="groupwise",
    )


def _statsmodels(X: np.ndarray, y: np.ndarray) -> LinearFit:
    """By statsmodels (pseudo-inverse)."""
    with warnings.catch_warnings():
        # Dependent columns are expected of the dummy model; `rank` reports them.
        warnings.simplefilter("ignore", SingularMatrixWarning)
        fit = sm.OLS(y, X).fit()
    ssr, df_resid = sum_of_squares(float(fit.ssr), y), float(fit.df_resid)
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
        software=SOFTWARE,
    )
