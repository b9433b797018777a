"""GEE: the mean model with exchangeable errors within groups, and a bias-reduced sandwich.

Mancl and DeRouen (2001), Biometrics 57, 126-134: residuals are divided by I - H_gg before they
enter the sandwich. Tests are t with G - rank degrees of freedom, as is common for few groups;
statsmodels itself would take the normal.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import statsmodels
from statsmodels.genmod.cov_struct import Exchangeable
from statsmodels.genmod.generalized_estimating_equations import GEE
from statsmodels.tools.sm_exceptions import (
    ConvergenceWarning,
    DomainWarning,
    IterationLimitWarning,
)

from groupwise import tidy
from groupwise.design import Design
from groupwise.inference.sandwich import cluster_design, make_contrasts
from groupwise.inference.wald import wald_answers
from groupwise.models.least_squares import orthonormal_basis
from groupwise.specifications import Sample, SpecificationFit

SOFTWARE = f"statsmodels {statsmodels.__version__}"

LARGEST_GROUP = 4000
"""statsmodels solves a system of the size of every group: beyond this it takes minutes."""


@dataclass(frozen=True)
class GeeFit:
    """beta (p,), its covariance (p, p), and the exchangeable correlation."""

    beta: np.ndarray
    vcov: np.ndarray
    correlation: float
    converged: bool


def fit(sample: Sample) -> SpecificationFit:
    """One method; where it fails the row says why."""
    answers, message, converged = sample.no_answers(), "", False
    try:
        _check(sample.design)
        found = fit_gee(sample.design.X, sample.y, sample.design.group)
        df = sample.design.n_groups - sample.design.X.shape[1]
        answers = wald_answers(
            sample.design, found.beta, found.vcov, df=df, conf_level=sample.conf_level
        )
        converged = found.converged
        message = "" if converged else "statsmodels' iterations did not converge."
    except (ValueError, np.linalg.LinAlgError) as error:
        message = str(error)
    return SpecificationFit([_method(sample, answers, converged=converged, message=message)])


def _method(
    sample: Sample, answers: tidy.Answers, *, converged: bool, message: str
) -> tidy.MethodResult:
    return tidy.MethodResult(
        specification="gee",
        method="gee_bias_reduced",
        answers=answers,
        terms=sample.design.terms,
        estimand="precision-weighted",
        vcov_type="Mancl-DeRouen",
        df_method="groups (G - rank)",
        software=SOFTWARE,
        converged=converged,
        message=message,
    )


def _check(design: Design) -> None:
    """Raise ValueError where the method has no answer, or statsmodels none in reasonable time."""
    if design.group_size.max() > LARGEST_GROUP:
        raise ValueError(
            f"Not computed: statsmodels needs a matrix as large as the largest group, "
            f"{design.group_size.max():,} x {design.group_size.max():,}."
        )
    if design.n_groups <= design.X.shape[1]:
        raise ValueError(
            f"Does not apply: {design.n_groups} groups leave no degrees of freedom for "
            f"{design.X.shape[1]} coefficients."
        )
    clusters = cluster_design(design.X, design.group)
    if not make_contrasts(clusters, design.L, "CR2").known.all():
        raise ValueError(
            "Does not apply: one group alone determines an arm, so that no variance between "
            "groups can be estimated there."
        )


def fit_gee(X: np.ndarray, y: np.ndarray, group: np.ndarray) -> GeeFit:
    """GEE with exchangeable errors by statsmodels, for X (n, p) of full rank.

    statsmodels' stopping rule knows no units: it sees what least squares leaves, in units of its
    own standard deviation, on orthonormal columns of the same span.

    Raises
    ------
    ValueError
        If X explains y completely, or the estimated correlation is below what exists for groups
        of this size: the working covariance would have negative variances.
    """
    basis = orthonormal_basis(X)
    coordinates, residual = basis.project(y)
    scale = float(np.sqrt((residual**2).mean()))
    if scale == 0:
        raise ValueError("The fixed effects explain the outcome completely.")
    unit = np.sqrt(len(y))
    structure = Exchangeable()
    with warnings.catch_warnings():
        # All three say that the iterations did not end well, which `converged` reports.
        for category in (ConvergenceWarning, IterationLimitWarning, DomainWarning):
            warnings.simplefilter("ignore", category)
        model = GEE(residual / scale, basis.Q * unit, groups=group, cov_struct=structure)
        found = model.fit(cov_type="bias_reduced", maxiter=200, ctol=1e-10)
    correlation = float(structure.dep_params)
    least = -1 / max(int(np.bincount(group).max()) - 1, 1)
    if not correlation > least:
        raise ValueError(
            f"No answer: the estimated correlation within groups, {correlation:.3f}, is below the "
            f"least that groups of this size can have, {least:.3f}."
        )
    Lambda, _ = basis.coordinates(np.eye(X.shape[1]))
    beta = Lambda @ (coordinates + scale * unit * found.params)
    vcov = (scale * unit) ** 2 * Lambda @ found.cov_params() @ Lambda.T
    return GeeFit(beta, vcov, correlation, bool(found.converged))
