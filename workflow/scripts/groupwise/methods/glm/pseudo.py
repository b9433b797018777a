"""Mixed models of events by restricted pseudo-likelihood."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from groupwise.design import Design
from groupwise.inference import small_sample
from groupwise.inference.pseudo_likelihood import PseudoModel, PseudoModelFit, pseudo_model
from groupwise.inference.wald import f_test, wald_of_fit
from groupwise.methods import About, Procedure, Request, of_events
from groupwise.methods.glm.unanswered import infinite
from groupwise.models.event_rows import EventRows
from groupwise.sample import Sample
from groupwise.tidy import Answers, Inference, JointTest
from groupwise.words import listing

ESTIMAND = "conditional on the group"
MODEL_BASED = "restricted pseudo-likelihood, model-based"
ADJUSTED = "restricted pseudo-likelihood, Kenward-Roger adjusted"

BOUNDARY_NOTES = {
    "glmm_wald": "",
    "glmm_satterthwaite": " Satterthwaite's df take it as known, and are infinite.",
    "glmm_kenward_roger": " Kenward-Roger's df do not take it as known.",
    "glmm_groups": "",
}
NOT_PARALLEL = (
    "Degrees of freedom by the number of groups are defined where every group keeps one arm."
)
NO_DF = "There are no more groups than parameters that are the same for all members of a group."
NO_OPTIMUM = "The restricted pseudo-likelihood has no optimum, or the search did not reach it."


@dataclass(frozen=True)
class PreparedEvents:
    """The model of a design, and the df (NaN for none) by the number of groups."""

    design: Design
    model: PseudoModel
    df_groups: float

    @property
    def reason(self) -> str:
        """Why there are no df by the number of groups."""
        return NO_DF if self.design.assigns_groups else NOT_PARALLEL


@dataclass(frozen=True)
class FittedEvents:
    """Fits of R outcomes."""

    prepared: PreparedEvents
    fit: PseudoModelFit


def prepare(design: Design) -> PreparedEvents:
    """The model; ValueError where there is none, with the reason."""
    return PreparedEvents(design, pseudo_model(design), groups_less_parameters(design))


def groups_less_parameters(design: Design) -> float:
    """Groups less columns of X that are the same for all members of each group.

    Source: Thompson, Leyrat, Fielding and Hayes (2022), BMC Med. Res. Methodol. 22:222. NaN where the
    treatment varies in groups, for which these df are not meant, and where there are none left.
    """
    if not design.assigns_groups:
        return np.nan
    rows = EventRows.of(design)
    _, first = np.unique(rows.group, return_index=True)
    constant = np.isclose(rows.X, rows.X[first][rows.group]).all(axis=0)
    df = rows.n_groups - int(constant.sum())
    return float(df) if df > 0 else np.nan


def fit(prepared: PreparedEvents, y: np.ndarray) -> FittedEvents:
    """Fits of outcomes y (R, n), or of numbers of events (R, m)."""
    return FittedEvents(prepared, prepared.model.fit(y))


def _wald(fit: FittedEvents, L: np.ndarray, request: Request) -> Inference:
    return wald_of_fit(fit.fit, L, np.inf, request.conf_level)


def _wald_joint(fit: FittedEvents, L: np.ndarray, request: Request) -> JointTest:
    return f_test(fit.fit.beta @ L.T, fit.fit.covariance(L), np.inf)


def _satterthwaite(fit: FittedEvents, L: np.ndarray, request: Request) -> Inference:
    return small_sample.satterthwaite(fit.fit, L, request.conf_level)


def _satterthwaite_joint(fit: FittedEvents, L: np.ndarray, request: Request) -> JointTest:
    return small_sample.satterthwaite_joint(fit.fit, L)


def _kenward_roger(fit: FittedEvents, L: np.ndarray, request: Request) -> Inference:
    return small_sample.kenward_roger(fit.fit, L, request.conf_level)


def _kenward_roger_joint(fit: FittedEvents, L: np.ndarray, request: Request) -> JointTest:
    return small_sample.kenward_roger_joint(fit.fit, L)


def _groups(fit: FittedEvents, L: np.ndarray, request: Request) -> Inference:
    return wald_of_fit(fit.fit, L, fit.prepared.df_groups, request.conf_level)


def _groups_joint(fit: FittedEvents, L: np.ndarray, request: Request) -> JointTest:
    return f_test(fit.fit.beta @ L.T, fit.fit.covariance(L), fit.prepared.df_groups)


# ---- what the rows say ----------------------------------------------------------------------------


def _about(vcov_type: str, df_method: str) -> Callable[[Any, Request], About]:
    return lambda prepared, request: About(ESTIMAND, vcov_type, df_method)


def _message(name: str) -> Callable[[Sample, FittedEvents, Answers], str]:
    """Why there is no answer, or what a variance on the boundary means for a method."""

    def message(sample: Sample, fit: FittedEvents, answers: Answers) -> str:
        if why := infinite(sample, fit.fit.pooled):
            return why
        if not fit.fit.converged[0]:
            return NO_OPTIMUM
        if name == "glmm_groups" and np.isnan(fit.prepared.df_groups):
            return fit.prepared.reason
        if not fit.fit.singular[0]:
            return ""
        zero = [sample.level_name(term) for term, sd in fit.fit.std_dev.items() if sd[0] == 0]
        return f"The variance between levels of {listing(zero)} is estimated as 0.{BOUNDARY_NOTES[name]}"

    return message


def _singular(fit: FittedEvents) -> np.ndarray:
    return fit.fit.singular


def _method(
    name: str,
    about: Callable[[Any, Request], About],
    infer: Callable[[FittedEvents, np.ndarray, Request], Inference],
    joint: Callable[[FittedEvents, np.ndarray, Request], JointTest],
) -> Procedure:
    return Procedure(
        about=about,
        prepare=prepare,
        fit=fit,
        infer=infer,
        joint=joint,
        singular=_singular,
        message=_message(name),
        needs=of_events,
        families=("binary", "count"),
        scales=("odds_ratio", "ratio"),
        concerns=has_canonical_link,
        takes_events=True,
        is_conditional=True,
    )


def has_canonical_link(design: Design) -> bool:
    """Odds ratios of binary outcomes, ratios of rates: the logit, and the logarithm."""
    response = design.response
    return (response.family, response.scale) in (("binary", "odds_ratio"), ("count", "ratio"))


METHODS: Mapping[str, Procedure] = {
    "glmm_wald": _method("glmm_wald", _about(MODEL_BASED, "none (normal)"), _wald, _wald_joint),
    "glmm_satterthwaite": _method(
        "glmm_satterthwaite",
        _about(MODEL_BASED, "Satterthwaite"),
        _satterthwaite,
        _satterthwaite_joint,
    ),
    "glmm_kenward_roger": _method(
        "glmm_kenward_roger",
        _about(ADJUSTED, "Kenward-Roger"),
        _kenward_roger,
        _kenward_roger_joint,
    ),
    "glmm_groups": _method(
        "glmm_groups",
        _about(MODEL_BASED, "groups - parameters of groups"),
        _groups,
        _groups_joint,
    ),
}
