"""How precisely a method estimates, and how well it knows that, before there are data.

The variance of an estimate is exact, given the design and V. SE^2 is taken for
`ratio` * variance * chi^2(df_true) / df_true, with its own mean and variance, whatever df the method
believes in: exact for means of equal groups, else Satterthwaite's approximation. It gives the true
level of a method, too, which need not be the nominal one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from groupwise.inference.sandwich import hotelling_df, make_contrasts, working_variance
from groupwise.inference.small_sample import (
    adjusted_vcov,
    combined_df,
    kenward_roger_df,
    kenward_roger_scaling,
)
from groupwise.planning import least_squares, moments
from groupwise.planning.experiments import Experiment
from groupwise.planning.least_squares import QuadraticTest, means_basis
from groupwise.planning.moments import Precision


@dataclass(frozen=True)
class JointPrecision:
    """q combinations at once.

    vcov (q, q): of the estimates. The method rejects where a noncentral F(q, df_true) exceeds
    `factor` times the quantile of F(q, df).
    """

    vcov: np.ndarray
    factor: float
    df: float
    df_true: float


def precision(experiment: Experiment, method: str, L: np.ndarray) -> Precision:
    """Of the combinations L beta, shape (k, p), by a method of `METHODS`."""
    return {**APPROXIMATE, **MIXED}[method](experiment, L)


def joint_precision(experiment: Experiment, method: str, L: np.ndarray) -> JointPrecision:
    """Of all rows of L (q, p), which are independent, by a method of `JOINT_METHODS`."""
    return JOINT_METHODS[method](experiment, L)


# ---- mixed models --------------------------------------------------------------------------------


def _mixed(experiment: Experiment, L: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Variance of GLS at the true variances, its share that is added by estimating them, df."""
    at = experiment.mixed_information(L)
    variance, adjusted = np.diag(at.vcov), np.diag(adjusted_vcov(at))
    added = adjusted / variance / 2 - 0.5
    return variance, np.maximum(added, 0), kenward_roger_df(at)


def _kenward_roger(experiment: Experiment, L: np.ndarray) -> Precision:
    variance, added, df = _mixed(experiment, L)
    return Precision(variance * (1 + added), np.ones(len(L)), df, df)


def _satterthwaite(experiment: Experiment, L: np.ndarray) -> Precision:
    """Its SE leaves out what Kenward and Roger's adjustment puts in, once for each of two biases."""
    variance, added, df = _mixed(experiment, L)
    return Precision(variance * (1 + added), (1 - added) / (1 + added), df, df)


def _wald(experiment: Experiment, L: np.ndarray) -> Precision:
    as_t = _satterthwaite(experiment, L)
    return Precision(as_t.variance, as_t.ratio, np.full(len(L), np.inf), as_t.df_true)


# ---- all contrasts at once -----------------------------------------------------------------------


def _joint_means(*, weighted: bool) -> Callable[[Experiment, np.ndarray], JointPrecision]:
    def of(experiment: Experiment, L: np.ndarray) -> JointPrecision:
        basis, variances = means_basis(experiment, weighted=weighted)
        Lambda = basis.coordinates(L)[0]
        vcov = Lambda @ ((basis.Q.T * variances) @ basis.Q) @ Lambda.T
        single = moments.means(weighted=weighted)(experiment, L[:1])
        df, df_true = float(single.df[0]), float(single.df_true[0])
        mean = float(single.ratio[0] * single.variance[0]) / float((Lambda[0] ** 2).sum())
        factor = mean * float(np.trace(np.linalg.solve(vcov, Lambda @ Lambda.T))) / len(L)
        return JointPrecision(vcov, factor, df, df_true)

    return of


def _joint_mixed(kind: str) -> Callable[[Experiment, np.ndarray], JointPrecision]:
    """Kenward and Roger's scaled F is taken for the truth; the others forgo scale or df."""

    def of(experiment: Experiment, L: np.ndarray) -> JointPrecision:
        vcov, scale, df = _scaled_f(experiment, L)
        if kind == "kenward_roger":
            return JointPrecision(vcov, 1.0, df, df)
        if kind == "wald":
            return JointPrecision(vcov, scale, np.inf, df)
        rows = np.linalg.eigh(vcov)[1].T @ L
        df_estimated = float(combined_df(_mixed(experiment, rows)[2]))
        return JointPrecision(vcov, scale, df_estimated, df)

    return of


def _scaled_f(experiment: Experiment, L: np.ndarray) -> tuple[np.ndarray, float, float]:
    """Covariance of L beta by GLS, and Kenward and Roger's scale and df."""
    at = experiment.mixed_information(L)
    scale, df = kenward_roger_scaling(at)
    return at.vcov, float(scale), float(df)


def _joint_cr2(experiment: Experiment, L: np.ndarray) -> JointPrecision:
    """Hotelling's T^2 with the df of independent errors (HTZ), as the test itself has them."""
    contrasts = make_contrasts(experiment.clusters, L, "CR2")
    half = experiment.root.T @ (experiment.basis.Q @ contrasts.Lambda.T)
    vcov = experiment.variation.var_residual * working_variance(contrasts) + half.T @ half
    df = hotelling_df(contrasts) - len(L) + 1
    df = df if df > 0 else np.nan
    return JointPrecision(vcov, 1.0, df, df)


def _by_method(module: ModuleType) -> dict[str, Any]:
    """The tests of least squares, exact or by moments, under the names of the methods.

    Randomisation is taken for the t test of group means, which its studentised statistic is close to.
    """
    return {
        "ols_classical": module.classical,
        "ols_cr1": module.sandwich("CR1"),
        "ols_cr2": module.sandwich("CR2"),
        "ols_cr3": module.sandwich("CR3"),
        "group_means": module.means(weighted=False),
        "group_means_weighted": module.means(weighted=True),
        "dummy": module.dummy,
        "randomization": module.means(weighted=False),
    }


QUADRATIC: dict[str, Callable[[Experiment, np.ndarray], QuadraticTest]] = _by_method(least_squares)

APPROXIMATE: dict[str, Callable[[Experiment, np.ndarray], Precision]] = _by_method(moments)
"""The same by two moments."""

MIXED: dict[str, Callable[[Experiment, np.ndarray], Precision]] = {
    "mixed_wald": _wald,
    "mixed_satterthwaite": _satterthwaite,
    "mixed_kenward_roger": _kenward_roger,
}

METHODS = (*QUADRATIC, *MIXED)

JOINT_METHODS: dict[str, Callable[[Experiment, np.ndarray], JointPrecision]] = {
    "ols_cr2": _joint_cr2,
    "group_means": _joint_means(weighted=False),
    "group_means_weighted": _joint_means(weighted=True),
    "mixed_wald": _joint_mixed("wald"),
    "mixed_satterthwaite": _joint_mixed("satterthwaite"),
    "mixed_kenward_roger": _joint_mixed("kenward_roger"),
    "randomization": _joint_means(weighted=False),
}
