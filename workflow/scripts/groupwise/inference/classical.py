"""t and F tests after least squares with one variance: of individuals, of means, of logarithms."""

from __future__ import annotations

import numpy as np

from groupwise.inference.wald import f_test, t_inference
from groupwise.models.least_squares import Basis
from groupwise.tidy import Inference, JointTest


def classical_t(
    basis: Basis,
    coordinates: np.ndarray,
    variance: np.ndarray,
    df: int,
    L: np.ndarray,
    conf_level: float,
) -> Inference:
    """t tests (R, k) of rows of L beta, L (k, p); NaN for rows that the basis does not identify.

    Parameters
    ----------
    coordinates : (R, r) of outcomes on the basis
    variance : (R,) of an observation, estimated with `df` degrees of freedom
    """
    Lambda, _ = basis.coordinates(L)
    std_error = np.sqrt(variance)[:, None] * np.linalg.norm(Lambda, axis=1)
    return t_inference(coordinates @ Lambda.T, std_error, df, conf_level)


def classical_f(
    basis: Basis, coordinates: np.ndarray, variance: np.ndarray, df: int, L: np.ndarray
) -> JointTest:
    """F tests (R,) that all rows of L beta are 0; parameters as for `classical_t`."""
    Lambda, _ = basis.coordinates(L)
    vcov = variance[:, None, None] * (Lambda @ Lambda.T)
    return f_test(coordinates @ Lambda.T, vcov, df)
