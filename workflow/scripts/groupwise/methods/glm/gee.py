"""Generalised estimating equations for events, with corrections for few groups.

Exchangeable within groups. Tests are t with G - p degrees of freedom, as Thompson, Leyrat, Fielding and
Hayes (2022), BMC Medical Research Methodology 22, 222, recommend for few groups.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

from groupwise.design import Design
from groupwise.inference.equation_corrections import (
    FAY_GRAUBARD,
    KAUERMANN_CARROLL,
    MANCL_DEROUEN,
    corrected_covariance,
)
from groupwise.inference.sandwich import make_contrasts
from groupwise.inference.wald import f_test, t_inference
from groupwise.methods import About, DoesNotApply, Procedure, Request, of_events
from groupwise.methods.glm.unanswered import arms_without_spread, infinite
from groupwise.models.clusters import cluster_design
from groupwise.models.event_equations import EquationsFit, EventEquations
from groupwise.models.exchangeable import least_correlation
from groupwise.models.glm import EventModel
from groupwise.rows import INDIVIDUALS
from groupwise.sample import Sample
from groupwise.tidy import Answers, Inference, JointTest

ALL_ALIKE = "No answer: the members of a group are estimated to be all alike."
NOT_CONVERGED = "No answer: the iterations did not converge."
OUT_OF_RANGE = (
    "No answer: no coefficients with risks between 0 and 1, or rates above 0, for all individuals "
    "solve the equations."
)


def prepare(design: Design) -> EventEquations:
    """The equations of a design; DoesNotApply with too few groups, or where one group is an arm."""
    rows, p = EventModel.of(design), design.X.shape[1]
    df = rows.rows.n_groups - p
    if df <= 0:
        raise DoesNotApply(
            f"Does not apply: {rows.rows.n_groups} groups leave no degrees of freedom for "
            f"{p} coefficients."
        )
    clusters = cluster_design(rows.rows.X, rows.rows.group)
    if not make_contrasts(clusters, design.L, "CR2").has_variance.all():
        raise DoesNotApply(
            "Does not apply: one group alone determines an arm, so that no variance between "
            "groups can be estimated there."
        )
    return EventEquations.of(rows)


def needs(design: Design) -> str:
    """Numbers of events; counts of individuals, whose squares matter."""
    return INDIVIDUALS if design.response.family == "count" else of_events(design)


def fit(equations: EventEquations, y: np.ndarray) -> EquationsFit:
    """Solutions for outcomes y (R, n)."""
    rows = equations.model.rows
    return equations.fit(rows.events(y), rows.squares(y))


def _df(equations: EventEquations) -> float:
    return float(equations.model.rows.n_groups - equations.model.rows.X.shape[1])


def _infer(fit: EquationsFit, L: np.ndarray, request: Request, *, correction: str) -> Inference:
    Lambda, _ = fit.equations.model.basis.coordinates(L)
    variance = np.diagonal(corrected_covariance(fit, Lambda, correction), axis1=1, axis2=2)
    df = _df(fit.equations)
    return t_inference(fit.estimate(Lambda), np.sqrt(variance), df, request.conf_level)


def _joint(fit: EquationsFit, L: np.ndarray, request: Request, *, correction: str) -> JointTest:
    Lambda, _ = fit.equations.model.basis.coordinates(L)
    vcov = corrected_covariance(fit, Lambda, correction)
    return f_test(fit.estimate(Lambda), vcov, _df(fit.equations))


def _message(sample: Sample, fit: EquationsFit, answers: Answers) -> str:
    """Why there is no answer."""
    if fit.answered[0]:
        return ""
    if not fit.is_finite[0]:
        return _no_coefficients(sample, fit)
    rho, least = float(fit.correlation[0]), least_correlation(fit.equations.size)
    if not fit.converged[0]:
        return NOT_CONVERGED if sample.response.is_ratio else OUT_OF_RANGE
    if not rho > least:
        return (
            f"No answer: the estimated correlation within groups, {rho:.3f}, is below the least "
            f"that groups of this size can have, {least:.3f}."
        )
    return ALL_ALIKE


def _no_coefficients(sample: Sample, fit: EquationsFit) -> str:
    """Infinite coefficients; of differences, arms whose outcomes all are one."""
    model = fit.equations.model
    if sample.response.is_ratio:
        return infinite(sample, model.fit(fit.events))
    arms = arms_without_spread(sample.design.arm_labels, model.without_spread(fit.events)[0])
    return f"No answer: {arms}, where the variance of the model is 0."


def _method(correction: str) -> Procedure:
    def about(equations: Any, request: Request) -> About:
        name = correction
        if isinstance(equations, EventEquations):
            name += ", binomial variance" if equations.is_binomial else ", Poisson variance"
        return About("precision-weighted", name, "groups (G - p)")

    return Procedure(
        about=about,
        prepare=prepare,
        fit=fit,
        infer=partial(_infer, correction=correction),
        joint=partial(_joint, correction=correction),
        message=_message,
        needs=needs,
        families=("binary", "count"),
        scales=("difference", "ratio", "odds_ratio"),
        takes_events=True,
    )


METHODS: Mapping[str, Procedure] = {
    "gee_mancl_derouen": _method(MANCL_DEROUEN),
    "gee_kauermann_carroll": _method(KAUERMANN_CARROLL),
    "gee_fay_graubard": _method(FAY_GRAUBARD),
}
