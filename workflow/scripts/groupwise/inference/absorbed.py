"""t and F tests in least squares with a parameter per group (`models.absorbed`)."""

from __future__ import annotations

import numpy as np

from groupwise.inference.wald import f_test, t_inference
from groupwise.models.absorbed import AbsorbedFit, Combination, GroupParameters
from groupwise.tidy import Inference, JointTest


def absorbed_t(fit: AbsorbedFit, rows: Combination, conf_level: float) -> Inference:
    """t tests (R, k) of combinations with n - rank degrees of freedom; NaN for those not estimable."""
    std_error = np.sqrt(fit.variance)[:, None] * rows.length
    return t_inference(fit.estimate(rows), std_error, fit.df, conf_level)


def absorbed_f(fit: AbsorbedFit, rows: Combination) -> JointTest:
    """F test (R,) that all combinations are 0."""
    return f_test(fit.estimate(rows), fit.variance[:, None, None] * rows.vcov, fit.df)


def of_average_group(model: GroupParameters, L: np.ndarray) -> Combination:
    """L beta for rows L (k, p), with the intercept of the average group."""
    share = model.frequency / model.frequency.sum()
    return model.combination(L, L[:, :1] * share)
