"""Mixed models of events by maximum likelihood, integrated by adaptive Gauss-Hermite quadrature.

Odds ratios of a binary outcome by the logistic model, ratios of rates by the Poisson or the negative
binomial one: these are conditional on the group. Differences and ratios of risks from the logistic model
by standardisation: these are of all groups.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from groupwise.design import Design
from groupwise.inference import event_bootstrap, profile, wald
from groupwise.inference.event_bootstrap import Estimates, Redrawn
from groupwise.inference.standardised import Standardised
from groupwise.methods import (
    About,
    DoesNotApply,
    Procedure,
    Request,
    of_events,
    of_individuals,
)
from groupwise.methods.glm.unanswered import infinite
from groupwise.models.event_rows import EventRows
from groupwise.models.glm import EventFit, EventModel
from groupwise.models.negative_binomial import fit_negative_binomial
from groupwise.models.quadrature import QuadratureFit, QuadratureModel
from groupwise.response import Response
from groupwise.sample import Sample
from groupwise.tidy import Answers, Inference, JointTest

CONDITIONAL = "conditional on the group"
AVERAGED = "population-averaged, individual-average"
VCOV = "ML, observed information"
LOGISTIC = Response("binary", "odds_ratio")
"""The model of a binary outcome, whatever the scale of effects."""


@dataclass(frozen=True)
class LikelihoodModel:
    """The model of a design, and what standardised risks need where the outcome is binary."""

    model: QuadratureModel
    standardised: Standardised | None


@dataclass(frozen=True)
class LikelihoodFit:
    """Fits of R outcomes, with the draws of a bootstrap once these are made."""

    prepared: LikelihoodModel
    fit: QuadratureFit
    drawn: dict[int, Redrawn] = field(default_factory=dict, repr=False)

    def redrawn(self, request: Request) -> Redrawn:
        """As many draws of each outcome as are asked for."""
        n = request.resampling.bootstrap_draws
        if n not in self.drawn:
            seeds = request.seed(0) + np.arange(len(self.fit.y))
            self.drawn[n] = Redrawn(self.fit, n, seeds)
        return self.drawn[n]


def prepare(design: Design) -> LikelihoodModel:
    """The model; DoesNotApply where groups differ in more than an intercept."""
    _check(design)
    if design.response.family == "binary":
        design_of_odds = replace(design, response=LOGISTIC)
        model = _model(design_of_odds, EventRows.of(design_of_odds))
        return LikelihoodModel(model, Standardised.of(design, model))
    return LikelihoodModel(_model(design, EventRows.of(design)), None)


def _check(design: Design) -> None:
    """DoesNotApply where outcomes are no events, or groups differ in more than an intercept."""
    if not design.response.has_events:
        raise DoesNotApply("Does not apply: the outcome is neither an event nor a count.")
    more = beyond_one_intercept(design)
    if more:
        raise DoesNotApply(
            f"Does not apply: the quadrature is over one effect of each group; {more} would need more."
        )


def _model(design: Design, rows: EventRows) -> QuadratureModel:
    if design.response.family == "binary" and (design.group_size == 1).all():
        raise DoesNotApply(
            "Does not apply: every group has one member, so that nothing tells the variance of groups."
        )
    return QuadratureModel.of(EventModel.of(design, rows))


def beyond_one_intercept(design: Design) -> str:
    """What a mixed model of the design has beside one intercept of each group; empty if nothing."""
    parts = {
        "effects of the treatment that differ between groups": design.random_slopes != "none",
        "random blocks": design.block is not None and design.blocks_as == "random",
        "a second grouping": design.second is not None,
        "effects of groups in periods": design.has_cells,
        "effects of individuals with several rows": design.individual is not None,
    }
    return " and ".join(name for name, there in parts.items() if there)


def fit(prepared: LikelihoodModel, y: np.ndarray) -> LikelihoodFit:
    """Maximum likelihood of outcomes y (R, n)."""
    model = prepared.model
    return LikelihoodFit(prepared, model.fit(model.pooled.rows.events(y)))


# ---- effects conditional on the group ---------------------------------------------------------------


def _wald(fit: LikelihoodFit, L: np.ndarray, request: Request) -> Inference:
    return wald.wald_of_fit(fit.fit, L, np.inf, request.conf_level)


def _wald_joint(fit: LikelihoodFit, L: np.ndarray, request: Request) -> JointTest:
    return wald.f_test(fit.fit.beta @ L.T, fit.fit.covariance(L), np.inf)


def _profile(fit: LikelihoodFit, L: np.ndarray, request: Request) -> Inference:
    """Likelihood-ratio tests, with profile limits of the first outcomes."""
    n = len(fit.fit.y)
    limits = np.arange(n) < request.n_searched(n)
    truth = None if limits.all() else request.truth
    return profile.profile(fit.fit, L, request.conf_level, limits=limits, truth=truth)


def _profile_joint(fit: LikelihoodFit, L: np.ndarray, request: Request) -> JointTest:
    return profile.likelihood_ratio(fit.fit, L)


def _coefficients(L: np.ndarray) -> Estimates:
    return lambda fit: (fit.beta @ L.T, fit.covariance(L))


def _bootstrap(fit: LikelihoodFit, L: np.ndarray, request: Request) -> Inference:
    drawn = fit.redrawn(request)
    return event_bootstrap.bootstrap(drawn, _coefficients(L), request.conf_level)


def _bootstrap_joint(fit: LikelihoodFit, L: np.ndarray, request: Request) -> JointTest:
    return event_bootstrap.bootstrap_joint(fit.redrawn(request), _coefficients(L))


# ---- risks of all groups ----------------------------------------------------------------------------


def _risks(fit: LikelihoodFit) -> Standardised:
    assert fit.prepared.standardised is not None
    return fit.prepared.standardised


def _standardised(fit: LikelihoodFit, L: np.ndarray, request: Request) -> Inference:
    return _risks(fit).wald(fit.fit, L, request.conf_level)


def _standardised_joint(fit: LikelihoodFit, L: np.ndarray, request: Request) -> JointTest:
    return _risks(fit).wald_joint(fit.fit, L)


def _averaged(fit: LikelihoodFit, L: np.ndarray) -> Estimates:
    risks = _risks(fit)
    C = risks.combinations(L)
    return lambda fits: risks.estimates(fits, C)


def _standardised_bootstrap(fit: LikelihoodFit, L: np.ndarray, request: Request) -> Inference:
    estimates = _averaged(fit, L)
    return event_bootstrap.bootstrap(fit.redrawn(request), estimates, request.conf_level)


def _standardised_bootstrap_joint(fit: LikelihoodFit, L: np.ndarray, request: Request) -> JointTest:
    return event_bootstrap.bootstrap_joint(fit.redrawn(request), _averaged(fit, L))


InferenceFunction = Callable[[LikelihoodFit, np.ndarray, Request], Inference]
JointFunction = Callable[[LikelihoodFit, np.ndarray, Request], JointTest]


def _answers_of_risks(
    infer: InferenceFunction, joint: JointFunction
) -> Callable[[LikelihoodFit, Design, Request], Answers]:
    """Contrasts and risks of arms; coefficients are of log odds, and have no answer on this scale."""

    def answers(fit: LikelihoodFit, design: Design, request: Request) -> Answers:
        first = len(design.L)
        rows = infer(fit, np.vstack([design.L, design.L_means]), request)
        nothing = Inference.missing(len(design.terms), request.conf_level)
        return Answers(
            contrasts=rows.rows(np.arange(first)),
            means=rows.rows(np.arange(first, first + len(design.L_means))),
            coefficients=nothing.repeated(len(fit.fit.y)),
            omnibus=joint(fit, design.omnibus, request),
        )

    return answers


# ---- negative binomial counts -----------------------------------------------------------------------


def prepare_individuals(design: Design) -> LikelihoodModel:
    """The Poisson model whose rows are individuals."""
    _check(design)
    rows = EventRows.each(design)
    return LikelihoodModel(_model(design, rows), None)


def fit_individuals(prepared: LikelihoodModel, y: np.ndarray) -> LikelihoodFit:
    """Maximum likelihood of the negative binomial model for counts y (R, n)."""
    model = prepared.model
    return LikelihoodFit(prepared, fit_negative_binomial(model, model.pooled.rows.events(y)))


# ---- what the rows say ------------------------------------------------------------------------------


def _message(sample: Sample, fit: LikelihoodFit, answers: Answers) -> str:
    """Why there is no fit, or that variances are estimated as 0."""
    likelihood, pooled = fit.fit, fit.prepared.model.pooled
    if not likelihood.converged[0]:
        alone: EventFit = pooled.fit(likelihood.y[:1])
        return infinite(sample, alone) or (
            "No answer: the likelihood has no maximum at a finite variance of groups."
        )
    parts = []
    if likelihood.model.frame.density.has_shape and np.isinf(likelihood.parameters[0, -1]):
        parts.append(
            "Counts vary no more than Poisson counts with effects of groups: these are the estimates "
            "of that model."
        )
    if likelihood.sigma[0] == 0:
        parts.append("The group variance is estimated as 0, the boundary of its range.")
    return " ".join(parts)


def _message_of_draws(sample: Sample, fit: LikelihoodFit, answers: Answers) -> str:
    """The same, and what that means for draws; how many of these have no estimates."""
    parts = [_message(sample, fit, answers)]
    if fit.fit.converged[0]:
        if fit.fit.sigma[0] == 0:
            parts.append("The draws have none either.")
        for redrawn in fit.drawn.values():
            failed = int((~redrawn.refit(0).converged).sum())
            if failed:
                parts.append(
                    f"Draws without finite estimates, which count as extreme: {failed:,} of "
                    f"{redrawn.n_draws:,}."
                )
    return " ".join(filter(None, parts))


def _singular(fit: LikelihoodFit) -> np.ndarray:
    return fit.fit.singular


def _about(estimand: str, df_method: str) -> Callable[[Any, Request], About]:
    return lambda model, request: About(estimand, VCOV, df_method)


def _about_bootstrap(estimand: str) -> Callable[[Any, Request], About]:
    def about(model: Any, request: Request) -> About:
        draws = f"{request.resampling.bootstrap_draws:,} draws (seed {request.resampling.seed})"
        return About(estimand, VCOV, f"studentised bootstrap, {draws}")

    return about


def has_link_of_its_family(design: Design) -> bool:
    """Whether effects are odds ratios of a binary outcome, or ratios of rates."""
    response = design.response
    return response.link == {"binary": "logit", "count": "log"}.get(response.family)


def _conditional(
    about: Callable[[Any, Request], About],
    infer: InferenceFunction,
    joint: JointFunction,
    **others: Any,
) -> Procedure:
    return Procedure(
        **{
            "about": about,
            "prepare": prepare,
            "fit": fit,
            "infer": infer,
            "joint": joint,
            "singular": _singular,
            "message": _message,
            "needs": of_events,
            "concerns": has_link_of_its_family,
            "families": ("binary", "count"),
            "scales": ("ratio", "odds_ratio"),
            "takes_events": True,
            "is_conditional": True,
            **others,
        }
    )


def _averaging(
    about: Callable[[Any, Request], About],
    infer: InferenceFunction,
    joint: JointFunction,
    message: Callable[[Sample, LikelihoodFit, Answers], str] = _message,
) -> Procedure:
    return Procedure(
        about=about,
        prepare=prepare,
        fit=fit,
        infer=infer,
        joint=joint,
        answers=_answers_of_risks(infer, joint),
        singular=_singular,
        message=message,
        needs=of_events,
        families=("binary",),
        scales=("difference", "ratio"),
        takes_events=True,
    )


METHODS: Mapping[str, Procedure] = {
    "glmm_likelihood": _conditional(_about(CONDITIONAL, "none (normal)"), _wald, _wald_joint),
    "glmm_profile": _conditional(
        _about(CONDITIONAL, "profile likelihood, chi-squared"),
        _profile,
        _profile_joint,
        skips_blocks=True,
    ),
    "glmm_bootstrap": _conditional(
        _about_bootstrap(CONDITIONAL),
        _bootstrap,
        _bootstrap_joint,
        message=_message_of_draws,
        skips_blocks=True,
    ),
    "glmm_standardized": _averaging(
        _about(AVERAGED, "none (normal)"), _standardised, _standardised_joint
    ),
    "glmm_standardized_bootstrap": _averaging(
        _about_bootstrap(AVERAGED),
        _standardised_bootstrap,
        _standardised_bootstrap_joint,
        _message_of_draws,
    ),
    "negative_binomial": _conditional(
        _about(CONDITIONAL, "none (normal)"),
        _wald,
        _wald_joint,
        prepare=prepare_individuals,
        fit=fit_individuals,
        needs=of_individuals,
        families=("count",),
        scales=("ratio",),
    ),
}
