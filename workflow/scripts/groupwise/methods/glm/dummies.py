"""A parameter for each group of events, estimated or conditioned away.

`glm_dummies` estimates the parameters of groups: of the odds ratio by logistic regression, which with
few members a group overstates it (with pairs the estimate is the square of the conditional one); of
ratios by Poisson regression, where estimated parameters and conditioning on a group's number of events
give the same answer. 0 and 1 are no Poisson counts, so risk ratios have the sandwich of individuals
(Zou 2004, American Journal of Epidemiology 159, 702), with squared residuals over 1 less their leverage
(HC2), which the parameters of small groups make large. `conditional_logit` is the regression given each
group's number of events (Breslow and Day 1980, chapter 7), whose standard errors are from the
conditional information.

Arms are compared within groups: in a design that gives whole groups to arms nothing is identified.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from groupwise.design import Design
from groupwise.inference.wald import f_test, t_inference
from groupwise.methods import About, Procedure, Request, of_events
from groupwise.models.event_rows import EventRows
from groupwise.models.within_events import WithinFit, WithinRows, fit_within
from groupwise.sample import Sample
from groupwise.tidy import Answers, Inference, JointTest
from groupwise.words import count, role_word

ESTIMAND = "conditional on the group, precision-weighted within groups"

FULL_LEVERAGE = 1 - 1e-9
"""An individual with this leverage has no residual."""

NO_MEANS = "Conditioning leaves no risks of arms."


@dataclass(frozen=True)
class WithinEvents:
    """A design whose groups of events have parameters of their own."""

    design: Design
    rows: EventRows
    model: WithinRows

    @property
    def is_conditional(self) -> bool:
        """Whether the parameters of groups are conditioned away."""
        return self.model.likelihood == "conditional"

    @property
    def is_robust(self) -> bool:
        """Whether 0 and 1 are fitted as if they were Poisson counts."""
        return self.model.likelihood == "poisson" and self.design.response.family == "binary"


@dataclass(frozen=True)
class WithinEventsFit:
    """The fits of outcomes y (R, n).

    Attributes
    ----------
    prepared
    model : WithinFit
    """

    prepared: WithinEvents
    model: WithinFit

    @cached_property
    def levels(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Parameters of groups (R, G), expected events and their variances (R, G, J)."""
        gamma = np.nan_to_num(self.model.gamma)
        return self.model.likelihood.moments(np.arange(len(gamma)), gamma)

    @cached_property
    def squares(self) -> np.ndarray:
        """(R, G, J) variances of events: the model's, or squared residuals of 0 and 1 (HC2)."""
        likelihood = self.model.likelihood
        _, mean, variance = self.levels
        if not self.prepared.is_robust:
            return variance
        trials, events = likelihood.rows.trials, likelihood.events
        risk = mean / np.maximum(trials, 1)
        squares = events * (1 - risk) ** 2 + (trials - events) * risk**2
        z, total = self.deviations, np.maximum(likelihood.total, 1)[..., None]
        extra = np.einsum("bgjr,brs,bgjs->bgj", z, self.model.vcov, z, optimize=True)
        leverage = risk * (1 / total + extra)
        full = leverage > FULL_LEVERAGE
        return np.asarray(np.where(full, 0, squares / np.where(full, 1, 1 - leverage)))

    @cached_property
    def deviations(self) -> np.ndarray:
        """(R, G, J, r) coordinates of X less the groups' weighted means; 0 in groups left out."""
        likelihood = self.model.likelihood
        z = likelihood.deviations(self.levels[2])
        return np.where(likelihood.informative[..., None, None], z, 0.0)

    @cached_property
    def vcov(self) -> np.ndarray:
        """(R, r, r) covariance of the coordinates of the coefficients."""
        if not self.prepared.is_robust:
            return self.model.vcov
        z, V = self.deviations, self.model.vcov
        meat = np.einsum("bgjr,bgj,bgjs->brs", z, self.squares, z, optimize=True)
        return np.asarray(V @ meat @ V)


def _prepare(design: Design, likelihood: str) -> WithinEvents:
    rows = EventRows.of(design)
    return WithinEvents(design, rows, WithinRows.of(rows, likelihood))


def prepare(design: Design) -> WithinEvents:
    """What varies within groups, for a likelihood whose parameters of groups are estimated."""
    return _prepare(design, "unconditional" if design.response.link == "logit" else "poisson")


def prepare_conditional(design: Design) -> WithinEvents:
    """What varies within groups, for the likelihood given their numbers of events."""
    return _prepare(design, "conditional")


def fit(prepared: WithinEvents, y: np.ndarray) -> WithinEventsFit:
    """The fits of outcomes y (R, n)."""
    return WithinEventsFit(prepared, fit_within(prepared.model, prepared.rows.events(y)))


def _estimates(fit: WithinEventsFit, L: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """L beta (R, k) and (R, k, k), NaN for what groups that say something do not identify."""
    inner, whole = fit.prepared.model.coordinates(L)
    estimable = whole & fit.model.estimable(inner)
    estimate = np.where(estimable, fit.model.gamma @ inner.T, np.nan)
    return estimate, inner @ fit.vcov @ inner.T


def _infer(fit: WithinEventsFit, L: np.ndarray, request: Request) -> Inference:
    estimate, vcov = _estimates(fit, L)
    variance = np.diagonal(vcov, axis1=-2, axis2=-1)
    return t_inference(estimate, np.sqrt(np.maximum(variance, 0)), np.inf, request.conf_level)


def _joint(fit: WithinEventsFit, L: np.ndarray, request: Request) -> JointTest:
    estimate, vcov = _estimates(fit, L)
    return f_test(estimate, vcov, np.inf)


def _means(fit: WithinEventsFit, L: np.ndarray, request: Request) -> Inference:
    """Linear predictors of arms in the average group, of the groups that are not left out.

    With the parameters of groups the estimate is a sum of residuals times u = 1 / (I W_g) + c'V z, for
    I groups with sums of weights W_g and deviations z of X from its weighted means.
    """
    model, likelihood = fit.prepared.model, fit.model.likelihood
    keep = likelihood.informative
    n_kept = np.where(keep.any(axis=1), keep.sum(axis=1), np.nan)[:, None]
    level, _, weight = fit.levels
    contrasts = np.where(model.varies, L, 0) - (keep @ model.means / n_kept)[:, None]
    inner, whole = model.coordinates(contrasts)
    estimable = fit.model.estimable(inner)
    average = np.where(keep, level, 0).sum(axis=1, keepdims=True) / n_kept
    estimate = average + np.einsum("bkr,br->bk", inner, fit.model.gamma)
    sums = np.maximum(weight.sum(axis=2), 1e-300)
    shift = np.where(keep[..., None], np.einsum("bgj,gjr->bgr", weight, model.x), 0)
    shift = (shift / sums[..., None]).sum(axis=1) / n_kept
    c = np.einsum("bkr,brs->bks", inner - shift[:, None], fit.model.vcov)
    of_group = np.where(keep, 1 / sums, 0) / n_kept
    u = of_group[:, :, None, None] + np.einsum("bgjr,bkr->bgjk", fit.deviations, c)
    squares = np.where(keep[..., None], fit.squares, 0)
    std_error = np.sqrt(np.einsum("bgjk,bgj->bk", u**2, squares))
    estimate = np.where(whole & estimable & (n_kept > 0), estimate, np.nan)
    return t_inference(estimate, std_error, np.inf, request.conf_level)


def _answers(fit: WithinEventsFit, design: Design, request: Request) -> Answers:
    """Of the coefficients those that vary within groups."""
    varying = np.eye(len(design.terms))[fit.prepared.model.varies]
    means = Inference.missing(len(design.L_means), request.conf_level)
    means = means.repeated(len(fit.model.gamma))
    if not fit.prepared.is_conditional:
        means = _means(fit, design.L_means, request)
    return Answers(
        contrasts=_infer(fit, design.L, request),
        means=means,
        coefficients=_infer(fit, varying, request),
        omnibus=_joint(fit, design.omnibus, request),
    )


# ---- what the rows say ---------------------------------------------------------------------------


def not_identified(group: str, treatment: str, columns: int, rank: int) -> str:
    """Why no parameter per group can stand beside the arms."""
    return (
        f"Not identified. {treatment} {group}, so its columns are sums of the {group} indicators: "
        f"{columns} columns, rank {rank}."
    )


def _terms(sample: Sample, fit: WithinEventsFit) -> tuple[str, ...]:
    varies = fit.prepared.model.varies
    return tuple(np.array(sample.design.terms, dtype=object)[varies])


def _message(sample: Sample, fit: WithinEventsFit, answers: Answers) -> str:
    """Why a comparison has no answer, and which groups are left out."""
    group = role_word({"group": sample.group_name}, "group")
    sentences = [_reason(sample, fit, group)]
    if fit.prepared.model.coordinates(sample.design.L)[1].any():
        sentences.append(_left_out(fit, group))
        sentences.append(NO_MEANS if fit.prepared.is_conditional else "")
    return " ".join(filter(None, sentences))


def _reason(sample: Sample, fit: WithinEventsFit, group: str) -> str:
    """Why contrasts of the one outcome have no estimate; empty where they have."""
    design, model = sample.design, fit.prepared.model
    inner, whole = model.coordinates(design.L)
    if not whole.all():
        treatment = "The treatment is constant within each"
        if not design.assigns_groups:
            treatment = "Not every pair of arms meets within a"
        columns, rank = len(model.varies) + len(model.size) - 1, len(model.size) + len(model.basis)
        return not_identified(group, treatment, columns, rank)
    if fit.model.infinite[0]:
        return _infinite(sample, fit, group)
    if not fit.model.estimable(inner)[0].all():
        return (
            f"Not every pair of arms meets within a {group} that is not left out: not every effect is "
            "identified."
        )
    return ""


def _infinite(sample: Sample, fit: WithinEventsFit, group: str) -> str:
    """Which arm or covariate goes with events without exception, within groups."""
    design, model, rows = sample.design, fit.prepared.model, fit.prepared.rows
    likelihood = fit.model.likelihood
    events = likelihood.events[0].ravel()[model.place]
    kept, arm = likelihood.informative[0][rows.group], design.arm[rows.first]
    inside = f"in any {group} that is not left out: its effect has no finite estimate."
    for j, label in enumerate(design.arm_labels):
        in_arm = kept & (arm == j)
        if in_arm.any() and not events[in_arm].any():
            return f"In arm '{label}' there is no event {inside}"
        full = (events == rows.trials)[in_arm].all() and model.likelihood != "poisson"
        if in_arm.any() and full:
            return f"In arm '{label}' there is nothing but events {inside}"
    term = design.terms[int(np.abs(fit.model.drift[0] @ model.basis).argmax())]
    return (
        f"Within each {group} '{term}' goes with the events without exception: its coefficient has no "
        "finite estimate, so there is no answer."
    )


def _left_out(fit: WithinEventsFit, group: str) -> str:
    """How many groups say nothing of the effects."""
    likelihood = fit.model.likelihood
    out = int((~likelihood.informative[0]).sum())
    if not out:
        return ""
    n = likelihood.informative.shape[1]
    alike = "no member with an event"
    if likelihood.rows.likelihood != "poisson":
        alike = "members with the same outcome only"
    verb = "is" if out == 1 else "are"
    return (
        f"{count(out, group)} of {n} {verb} left out: {alike}, or all in one arm and with the same "
        "covariates."
    )


def _about(vcov_type: str) -> Callable[[WithinEvents | None, Request], About]:
    def about(prepared: WithinEvents | None, request: Request) -> About:
        robust = prepared is not None and prepared.is_robust
        return About(ESTIMAND, "HC2" if robust else vcov_type, "none (normal)")

    return about


METHODS: Mapping[str, Procedure] = {
    "glm_dummies": Procedure(
        about=_about("model-based"),
        prepare=prepare,
        fit=fit,
        infer=_infer,
        joint=_joint,
        answers=_answers,
        terms=_terms,
        message=_message,
        needs=of_events,
        families=("binary", "count"),
        scales=("ratio", "odds_ratio"),
        takes_events=True,
        is_conditional=True,
    ),
    "conditional_logit": Procedure(
        about=_about("conditional information"),
        prepare=prepare_conditional,
        fit=fit,
        infer=_infer,
        joint=_joint,
        answers=_answers,
        terms=_terms,
        message=_message,
        needs=of_events,
        families=("binary",),
        scales=("odds_ratio",),
        takes_events=True,
        is_conditional=True,
    ),
}
