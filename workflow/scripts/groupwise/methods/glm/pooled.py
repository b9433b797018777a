"""Regression of events that takes individuals for independent, with sandwiches that do not.

Odds ratios by logistic regression; ratios of risks and rates by a log link with the score of Poisson
regression. Without a sandwich, standard errors are those of the model, but for ratios of risks: there
the variance is not Poisson's, and they are of the sandwich of individuals (Zou 2004, American Journal of
Epidemiology 159, 702-706).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

from groupwise.design import Design
from groupwise.inference.event_sandwich import event_inference, event_joint
from groupwise.inference.wald import f_test, t_inference
from groupwise.methods import About, DoesNotApply, Procedure, Request, of_events
from groupwise.methods.glm.unanswered import infinite, no_std_error
from groupwise.models.event_rows import exposure_varies
from groupwise.models.glm import EventFit, EventModel
from groupwise.rows import INDIVIDUALS
from groupwise.sample import Sample
from groupwise.tidy import Answers, Inference, JointTest

ESTIMAND = "individual-average"


def prepare(design: Design) -> EventModel:
    """The regression of a design; DoesNotApply where effects are differences."""
    if not design.response.is_ratio:
        raise DoesNotApply("Does not apply: differences are compared by least squares.")
    return EventModel.of(design)


def fit(model: EventModel, y: np.ndarray) -> EventFit:
    """Maximum likelihood for outcomes y (R, n)."""
    return model.fit(model.rows.events(y))


def needs(design: Design) -> str:
    """Numbers of events; those of individuals where these differ in exposure, and so in weight."""
    return INDIVIDUALS if exposure_varies(design) else of_events(design)


def _takes_individuals(model: EventModel) -> bool:
    """Whether the variance is not the model's: that of 0 and 1, with the score of Poisson regression."""
    return not model.is_logit and model.rows.response.family == "binary"


def _covariance(fit: EventFit, Lambda: np.ndarray) -> np.ndarray:
    """(R, k, k): inverse information, or the sandwich of individuals (HC0)."""
    across = Lambda @ fit.inverse_information
    if not _takes_individuals(fit.model):
        return np.asarray(across @ Lambda.T)
    mean = fit.expected / fit.model.rows.trials
    others = fit.model.rows.trials - fit.events
    meat = fit.model.information(fit.events * (1 - mean) ** 2 + others * mean**2)
    return np.asarray(across @ meat @ np.swapaxes(across, 1, 2))


def _wald(fit: EventFit, L: np.ndarray, request: Request) -> Inference:
    Lambda, _ = fit.model.basis.coordinates(L)
    variance = np.diagonal(_covariance(fit, Lambda), axis1=1, axis2=2)
    return t_inference(fit.estimate(Lambda), np.sqrt(variance), np.inf, request.conf_level)


def _wald_joint(fit: EventFit, L: np.ndarray, request: Request) -> JointTest:
    Lambda, _ = fit.model.basis.coordinates(L)
    return f_test(fit.estimate(Lambda), _covariance(fit, Lambda), np.inf)


def _sandwich(fit: EventFit, L: np.ndarray, request: Request, *, kind: str) -> Inference:
    return event_inference(fit, L, kind, request.conf_level)


def _sandwich_joint(fit: EventFit, L: np.ndarray, request: Request, *, kind: str) -> JointTest:
    return event_joint(fit, L, kind)


def _about_wald(model: Any, request: Request) -> About:
    name = "model-based (inverse information)"
    if isinstance(model, EventModel) and _takes_individuals(model):
        name = "HC0 of individuals"
    return About(ESTIMAND, name, "normal")


def _message(sample: Sample, fit: EventFit, answers: Answers) -> str:
    """Which coefficients are infinite, or which comparisons have no standard error."""
    return infinite(sample, fit) or no_std_error(sample.design, answers)


def _cr(kind: str, name: str, df_method: str) -> Procedure:
    return Procedure(
        about=lambda model, request: About(ESTIMAND, name, df_method),
        prepare=prepare,
        fit=fit,
        infer=partial(_sandwich, kind=kind),
        joint=partial(_sandwich_joint, kind=kind),
        **SHARED,
    )


SHARED: dict[str, Any] = {
    "message": _message,
    "needs": needs,
    "families": ("binary", "count"),
    "scales": ("ratio", "odds_ratio"),
    "takes_events": True,
}

METHODS: Mapping[str, Procedure] = {
    "glm_wald": Procedure(
        about=_about_wald, prepare=prepare, fit=fit, infer=_wald, joint=_wald_joint, **SHARED
    ),
    "glm_cr1": _cr("CR1", "CR1 (Stata): G/(G-1) (n-1)/(n-p)", "G - 1"),
    "glm_cr2": _cr("CR2", "CR2 (bias-reduced linearisation)", "Bell-McCaffrey (Satterthwaite)"),
    "glm_cr3": _cr("CR3", "CR3 (cluster jackknife)", "G - 1"),
}
