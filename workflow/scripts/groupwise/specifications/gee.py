"""GEE: the mean model with exchangeable errors within groups, and a bias-reduced sandwich.

Mancl and DeRouen (2001), Biometrics 57, 126-134: residuals are divided by I - H_gg before they
enter the sandwich. Tests are t with G - rank degrees of freedom, as is common for few groups;
statsmodels itself would take the normal.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace

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
from groupwise.models.exchangeable import (
    ALIKE,
    Products,
    fit_exchangeable,
    has_too_few_pairs,
    least_correlation,
    pairs_of_members,
)
from groupwise.models.least_squares import orthonormal_basis
from groupwise.models.linear import MANY_ROWS
from groupwise.specifications import Sample, SpecificationFit

SOFTWARE = f"statsmodels {statsmodels.__version__}"

LARGEST_GROUP, MOST_WORK, MANY_GROUPS = 4000, 1e11, 20_000
"""statsmodels solves a system of the size of every group, one after the other: beyond this size, this
sum of the cubes of the sizes, or so many groups it takes minutes."""

ENGINE = (
    "By Groupwise's own estimating equations, from group sums: statsmodels would take minutes for "
    "so many or so large groups."
)


@dataclass(frozen=True)
class GeeFit:
    """beta (p,), its covariance (p, p), the exchangeable correlation, and who computed them."""

    beta: np.ndarray
    vcov: np.ndarray
    correlation: float
    converged: bool
    software: str


def fit(sample: Sample) -> SpecificationFit:
    """One method; where it fails the row says why."""
    answers, message, converged, software = sample.no_answers(), "", False, SOFTWARE
    try:
        _check(sample.design)
        found = fit_gee(sample.design.X, sample.y, sample.design.group)
        df = sample.design.n_groups - sample.design.X.shape[1]
        answers = wald_answers(
            sample.design, found.beta, found.vcov, df=df, conf_level=sample.conf_level
        )
        converged, software = True, found.software
        message = "" if software == SOFTWARE else ENGINE
    except (ValueError, np.linalg.LinAlgError) as error:
        message = str(error)
    method = _method(sample, answers, converged=converged, software=software, message=message)
    return SpecificationFit([method])


def _method(
    sample: Sample, answers: tidy.Answers, *, converged: bool, software: str, message: str
) -> tidy.MethodResult:
    return tidy.MethodResult(
        specification="gee",
        method="gee_bias_reduced",
        answers=answers,
        terms=sample.design.terms,
        estimand="precision-weighted",
        vcov_type="Mancl-DeRouen",
        df_method="groups (G - rank)",
        software=software,
        converged=converged,
        message=message,
    )


def _check(design: Design) -> None:
    """Raise ValueError where the method has no answer."""
    if design.n_groups <= design.X.shape[1]:
        raise ValueError(
            f"Does not apply: {design.n_groups} groups leave no degrees of freedom for "
            f"{design.X.shape[1]} coefficients."
        )
    if has_too_few_pairs(design.group_size, design.X.shape[1]):
        raise ValueError(
            f"Does not apply: the groups have {pairs_of_members(design.group_size)} pairs of members, "
            f"too few to estimate a correlation beside {design.X.shape[1]} coefficients."
        )
    clusters = cluster_design(design.X, design.group)
    if not make_contrasts(clusters, design.L, "CR2").known.all():
        raise ValueError(
            "Does not apply: one group alone determines an arm, so that no variance between "
            "groups can be estimated there."
        )


def fit_gee(X: np.ndarray, y: np.ndarray, group: np.ndarray) -> GeeFit:
    """GEE with exchangeable errors for X (n, p) of full rank: by statsmodels, or from group sums.

    Stopping rules know no units: they see what least squares leaves, in units of its own standard
    deviation, on orthonormal columns of the same span.

    Raises
    ------
    ValueError
        If X explains y completely, the iterations do not converge, or the estimated correlation is
        1, or below what exists for groups of this size: the working covariance would have
        negative variances.
    """
    basis = orthonormal_basis(X)
    coordinates, residual = basis.project(y)
    scale = float(np.sqrt((residual**2).mean()))
    if scale == 0:
        raise ValueError("The fixed effects explain the outcome completely.")
    unit, size = np.sqrt(len(y)), np.bincount(group).astype(float)
    few = len(size) <= MANY_GROUPS and len(y) <= MANY_ROWS
    few = few and size.max() <= LARGEST_GROUP and (size**3).sum() <= MOST_WORK
    solve = _statsmodels if few else _engine
    found = solve(residual / scale, basis.Q * unit, group)
    least = least_correlation(size)
    if not found.correlation > least:
        raise ValueError(
            f"No answer: the estimated correlation within groups, {found.correlation:.3f}, is below "
            f"the least that groups of this size can have, {least:.3f}."
        )
    if found.correlation > ALIKE:
        raise ValueError("No answer: the members of a group are estimated to be all alike.")
    if not found.converged:
        raise ValueError("No answer: the iterations did not converge.")
    Lambda, _ = basis.coordinates(np.eye(X.shape[1]))
    beta = Lambda @ (coordinates + scale * unit * found.beta)
    vcov = (scale * unit) ** 2 * Lambda @ found.vcov @ Lambda.T
    return replace(found, beta=beta, vcov=vcov)


def _statsmodels(y: np.ndarray, X: np.ndarray, group: np.ndarray) -> GeeFit:
    structure = Exchangeable()
    with warnings.catch_warnings():
        # All three say that the iterations did not end well, which `converged` reports.
        for category in (ConvergenceWarning, IterationLimitWarning, DomainWarning):
            warnings.simplefilter("ignore", category)
        model = GEE(y, X, groups=group, cov_struct=structure)
        found = model.fit(cov_type="bias_reduced", maxiter=200, ctol=1e-10)
    return GeeFit(
        beta=found.params,
        vcov=found.cov_params(),
        correlation=float(structure.dep_params),
        converged=bool(found.converged),
        software=SOFTWARE,
    )


def _engine(y: np.ndarray, X: np.ndarray, group: np.ndarray) -> GeeFit:
    found = fit_exchangeable(Products.of(X, y, group))
    return GeeFit(found.beta, found.vcov, found.correlation, found.converged, "groupwise")
