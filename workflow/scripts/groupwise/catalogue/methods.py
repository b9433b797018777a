"""Every method: its name, its words, what a simulated replicate costs, and where it is shown.

Words are here and nowhere else, and no module that fits or simulates imports this one: rules hand
over the names and costs such modules need. So rewording a label fits and simulates nothing again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

POOLED, MIXED = "Pooled OLS", "Mixed model"
MEANS, OTHERS = "Group means and dummies", "GEE and randomisation"
PANELS = (POOLED, MIXED, MEANS, OTHERS)
"""Panels of the general study's figures, from top to bottom."""

DESIGN_KINDS = ("between", "blocked", "periods", "within", "mixed")
"""Kinds of designs: arms of whole groups, in blocks or not; arms of whole groups that change from period
to period; arms that meet in all groups, or in some."""

FAST, SLOW, SLOWEST = "fast", "slow", "slowest"
"""Costs of a replicate: slow methods are asked of fewer replicates, the slowest of fewer still."""


@dataclass(frozen=True)
class Method:
    """One complete inferential procedure, as it is listed and shown under its name.

    Attributes
    ----------
    specification : the module of the model for the mean and the covariance
    label, phrase : its name in tables and figures, and as a noun in the middle of a sentence
    assumption
        What has to hold for its inference to be valid; {group}, {groups}, {Groups}, {a_group} and
        {Rows} stand for the words of the data.
    panel : one of `PANELS`
    cost, general_cost
        Of a replicate, where the mixed model has one random intercept, and where it has other terms.
    in_periods : the same where whole groups change their arm from period to period, if it differs
    leads
        Its place in the order in which methods lead reports, by kind of design (`DESIGN_KINDS`); a
        kind that is not named leaves it out.
    curve : its place among the methods whose power is drawn by the number of groups; None: not drawn
    large_sample : whether its reference distribution is a limit for many groups
    of_events : whether it is for outcomes that are events or counts, and for no others
    """

    specification: str
    label: str
    phrase: str
    assumption: str
    panel: str
    in_periods: str = field(default="", kw_only=True)
    cost: str = FAST
    general_cost: str = FAST
    leads: Mapping[str, int] = field(default_factory=dict)
    curve: int | None = None
    large_sample: bool = False
    of_events: bool = False


METHODS = {
    "ols_classical": Method(
        specification="pooled",
        label="Pooled OLS",
        phrase="pooled OLS",
        assumption="{Rows} are independent, also within {a_group}: there are no {group} effects.",
        panel=POOLED,
    ),
    "ols_cr1": Method(
        specification="pooled",
        label="Pooled OLS, CR1",
        phrase="pooled OLS with CR1",
        assumption="{Groups} are independent of each other, and there are many of them.",
        panel=POOLED,
        large_sample=True,
    ),
    "ols_cr2": Method(
        specification="pooled",
        label="Pooled OLS, CR2",
        phrase="pooled OLS with CR2",
        assumption="{Groups} are independent of each other; few are enough.",
        panel=POOLED,
        leads=dict.fromkeys(DESIGN_KINDS, 4),
        curve=2,
    ),
    "ols_cr3": Method(
        specification="pooled",
        label="Pooled OLS, CR3",
        phrase="pooled OLS with CR3",
        assumption="{Groups} are independent of each other; conservative with few of them.",
        panel=POOLED,
    ),
    "ols_wild_bootstrap": Method(
        specification="pooled",
        label="Pooled OLS, wild bootstrap",
        phrase="the wild cluster bootstrap",
        assumption=(
            "{Groups} are independent of each other; their residuals might as well have the other sign."
        ),
        panel=POOLED,
        cost=SLOW,
        general_cost=SLOW,
    ),
    "glm_wald": Method(
        specification="pooled",
        label="Pooled regression of events, z",
        phrase="the pooled regression of events",
        assumption="{Rows} are independent, also within {a_group}; there are many of them.",
        panel=POOLED,
        large_sample=True,
        of_events=True,
    ),
    "glm_cr1": Method(
        specification="pooled",
        label="Pooled regression of events, CR1",
        phrase="the pooled regression of events with CR1",
        assumption="{Groups} are independent of each other, and there are many of them.",
        panel=POOLED,
        large_sample=True,
        of_events=True,
    ),
    "glm_cr2": Method(
        specification="pooled",
        label="Pooled regression of events, CR2",
        phrase="the pooled regression of events with CR2",
        assumption="{Groups} are independent of each other; few are enough.",
        panel=POOLED,
        leads=dict.fromkeys(DESIGN_KINDS, 14),
        of_events=True,
    ),
    "glm_cr3": Method(
        specification="pooled",
        label="Pooled regression of events, CR3",
        phrase="the pooled regression of events with CR3",
        assumption="{Groups} are independent of each other; conservative with few of them.",
        panel=POOLED,
        of_events=True,
    ),
    "group_means": Method(
        specification="group_means",
        label="Group means",
        phrase="the t test of group means",
        assumption="Each {group} is one observation; the means of {groups} have one variance.",
        in_periods=(
            "Each {group} in a period is one observation, with a parameter for the {group}; these "
            "means have one variance."
        ),
        panel=MEANS,
        leads={"between": 2, "blocked": 2, "periods": 2},
    ),
    "group_means_weighted": Method(
        specification="group_means",
        label="Group means, weighted by size",
        phrase="the t test of weighted group means",
        assumption="Each {group} is one observation, and counts in proportion to its size.",
        panel=MEANS,
    ),
    "group_logs": Method(
        specification="group_means",
        label="Logarithms by group",
        phrase="the t test of the logarithms of groups",
        assumption=(
            "Each {group} is one observation, the logarithm of its odds, risk or rate; these have one "
            "variance."
        ),
        panel=MEANS,
        leads={"between": 12, "blocked": 12},
        of_events=True,
    ),
    "dummy": Method(
        specification="dummy",
        label="Dummies",
        phrase="the dummy model",
        assumption="Each {group} has a parameter of its own; arms are compared within {a_group}.",
        in_periods=(
            "Each {group} has a parameter of its own; members share nothing else, not even in one "
            "period."
        ),
        panel=MEANS,
        leads={"within": 2},
        curve=3,
    ),
    "dummy_nested": Method(
        specification="dummy",
        label="Dummies, averaged by arm",
        phrase="the dummy model averaged by arm",
        assumption=(
            "Each {group} has a parameter of its own; the answer is about these {groups} only."
        ),
        panel=MEANS,
    ),
    "glm_dummies": Method(
        specification="dummy",
        label="Regression of events, dummies",
        phrase="the regression of events with dummies",
        assumption=(
            "Each {group} has a parameter of its own, and many members; arms are compared within "
            "{a_group}."
        ),
        panel=MEANS,
        large_sample=True,
        of_events=True,
    ),
    "conditional_logit": Method(
        specification="dummy",
        label="Conditional logistic regression",
        phrase="conditional logistic regression",
        assumption=(
            "Arms are compared within {a_group}, given its number of events; there are many {groups}."
        ),
        panel=MEANS,
        leads={"within": 12},
        large_sample=True,
        of_events=True,
    ),
    "mixed_wald": Method(
        specification="mixed",
        label="Mixed model, z",
        phrase="the mixed model with z",
        assumption=(
            "{Groups} are a sample; their effects are normal with one variance, taken as known."
        ),
        in_periods=(
            "{Groups} are a sample, and so are their periods; effects of both are normal, with "
            "variances that are taken as known."
        ),
        panel=MIXED,
        general_cost=SLOW,
        large_sample=True,
    ),
    "mixed_satterthwaite": Method(
        specification="mixed",
        label="Mixed model, Satterthwaite",
        phrase="the mixed model with Satterthwaite df",
        assumption="As above, but the variances are estimated, so t with the df they leave.",
        panel=MIXED,
        general_cost=SLOW,
        leads=dict.fromkeys(DESIGN_KINDS, 3),
    ),
    "mixed_kenward_roger": Method(
        specification="mixed",
        label="Mixed model, Kenward-Roger",
        phrase="the mixed model with Kenward-Roger df",
        assumption="As above, with standard errors corrected for the estimated variances as well.",
        panel=MIXED,
        general_cost=SLOW,
        leads=dict.fromkeys(DESIGN_KINDS, 1),
        curve=1,
    ),
    "mixed_profile": Method(
        specification="mixed",
        label="Mixed model, profile likelihood",
        phrase="the profile likelihood of the mixed model",
        assumption="As above; the likelihood ratio is compared with its limit for many {groups}.",
        panel=MIXED,
        general_cost=SLOWEST,
        large_sample=True,
    ),
    "mixed_bootstrap": Method(
        specification="mixed",
        label="Mixed model, bootstrap",
        phrase="the bootstrap of the mixed model",
        assumption="As above; the model itself draws the data the estimate is compared with.",
        panel=MIXED,
        cost=SLOWEST,
        general_cost=SLOWEST,
    ),
    "mixed_decay": Method(
        specification="mixed",
        label="Mixed model, decay",
        phrase="the mixed model with decay",
        assumption=(
            "What members of {a_group} share in two periods is correlated the less, the longer the time "
            "between them."
        ),
        panel=MIXED,
        cost=SLOW,
        general_cost=SLOW,
    ),
    "mixed_exposure": Method(
        specification="mixed",
        label="Mixed model, by exposure time",
        phrase="the mixed model by exposure time",
        assumption="The effect may differ with the time since {a_group} began its treatment.",
        panel=MIXED,
        cost=SLOW,
        general_cost=SLOW,
    ),
    "mixed_no_periods": Method(
        specification="mixed",
        label="Mixed model, periods left out",
        phrase="the mixed model without periods",
        assumption="Nothing changes over time, and {a_group} is the same in all periods.",
        panel=MIXED,
    ),
    "glmm_wald": Method(
        specification="mixed",
        label="Mixed model of events, z",
        phrase="the mixed model of events with z",
        assumption=(
            "{Groups} are a sample; their effects on the log odds or log rate are normal, with a "
            "variance that is taken as known. Fitted by restricted pseudo-likelihood."
        ),
        panel=MIXED,
        large_sample=True,
        of_events=True,
    ),
    "glmm_satterthwaite": Method(
        specification="mixed",
        label="Mixed model of events, Satterthwaite",
        phrase="the mixed model of events with Satterthwaite df",
        assumption="The same, but the variance is estimated, so t with the df it leaves.",
        panel=MIXED,
        leads=dict.fromkeys(DESIGN_KINDS, 16),
        of_events=True,
    ),
    "glmm_kenward_roger": Method(
        specification="mixed",
        label="Mixed model of events, Kenward-Roger",
        phrase="the mixed model of events with Kenward-Roger df",
        assumption="The same, with standard errors corrected for the estimated variance as well.",
        panel=MIXED,
        leads={"between": 13, "blocked": 13, "periods": 11, "within": 11, "mixed": 11},
        of_events=True,
    ),
    "glmm_groups": Method(
        specification="mixed",
        label="Mixed model of events, t by groups",
        phrase="the mixed model of events with a t by the number of groups",
        assumption="The same, with t and as many df as {groups} less parameters.",
        panel=MIXED,
        leads={"between": 11, "blocked": 11},
        of_events=True,
    ),
    "glmm_likelihood": Method(
        specification="mixed",
        label="Mixed model of events, likelihood, z",
        phrase="the maximum likelihood of the mixed model of events with z",
        assumption=(
            "{Groups} are a sample; their effects are normal. The likelihood is integrated by adaptive "
            "quadrature; many {groups}."
        ),
        panel=MIXED,
        cost=SLOW,
        general_cost=SLOW,
        large_sample=True,
        of_events=True,
    ),
    "glmm_profile": Method(
        specification="mixed",
        label="Mixed model of events, profile likelihood",
        phrase="the profile likelihood of the mixed model of events",
        assumption="The same; the likelihood ratio is compared with its limit for many {groups}.",
        panel=MIXED,
        cost=SLOW,
        general_cost=SLOW,
        large_sample=True,
        of_events=True,
    ),
    "glmm_bootstrap": Method(
        specification="mixed",
        label="Mixed model of events, bootstrap",
        phrase="the bootstrap of the mixed model of events",
        assumption="The same; the model itself draws the data the estimate is compared with.",
        panel=MIXED,
        cost=SLOWEST,
        general_cost=SLOWEST,
        of_events=True,
    ),
    "glmm_standardized": Method(
        specification="mixed",
        label="Mixed model of events, standardised",
        phrase="the standardised risks of the mixed model of events",
        assumption=(
            "The same; risks are averaged over {groups} and members, with intervals by the delta method."
        ),
        panel=MIXED,
        cost=SLOW,
        general_cost=SLOW,
        large_sample=True,
        of_events=True,
    ),
    "glmm_standardized_bootstrap": Method(
        specification="mixed",
        label="Mixed model of events, standardised, bootstrap",
        phrase="the bootstrap of standardised risks of the mixed model of events",
        assumption="The same, with intervals from data that the model draws.",
        panel=MIXED,
        cost=SLOWEST,
        general_cost=SLOWEST,
        of_events=True,
    ),
    "negative_binomial": Method(
        specification="mixed",
        label="Negative binomial mixed model, z",
        phrase="the negative binomial mixed model",
        assumption=(
            "{Groups} are a sample; counts vary more than Poisson counts, by gamma factors."
        ),
        panel=MIXED,
        cost=SLOW,
        general_cost=SLOW,
        large_sample=True,
        of_events=True,
    ),
    "gee_bias_reduced": Method(
        specification="gee",
        label="GEE, bias-reduced",
        phrase="bias-reduced GEE",
        assumption=(
            "{Groups} are independent of each other; members of {a_group} are about equally alike."
        ),
        panel=OTHERS,
    ),
    "gee_mancl_derouen": Method(
        specification="gee",
        label="GEE of events, Mancl-DeRouen",
        phrase="GEE of events with Mancl and DeRouen's correction",
        assumption=(
            "{Groups} are independent of each other; residuals are corrected in full for the fit."
        ),
        panel=OTHERS,
        of_events=True,
    ),
    "gee_kauermann_carroll": Method(
        specification="gee",
        label="GEE of events, Kauermann-Carroll",
        phrase="GEE of events with Kauermann and Carroll's correction",
        assumption=(
            "{Groups} are independent of each other; residuals are corrected by half, as in CR2."
        ),
        panel=OTHERS,
        of_events=True,
    ),
    "gee_fay_graubard": Method(
        specification="gee",
        label="GEE of events, Fay-Graubard",
        phrase="GEE of events with Fay and Graubard's correction",
        assumption=(
            "{Groups} are independent of each other; each coefficient's scores are corrected by "
            "themselves."
        ),
        panel=OTHERS,
        leads=dict.fromkeys(DESIGN_KINDS, 15),
        of_events=True,
    ),
    "randomization": Method(
        specification="randomization",
        label="Randomisation",
        phrase="the randomisation test",
        assumption=(
            "Chance alone decided who got which arm, as the design says; nothing else is assumed."
        ),
        in_periods=(
            "Chance alone decided who went through which sequence of arms; nothing else is assumed."
        ),
        panel=OTHERS,
        cost=SLOW,
        general_cost=SLOW,
        leads=dict.fromkeys(DESIGN_KINDS, 5),
    ),
    "randomization_residuals": Method(
        specification="randomization",
        label="Randomisation of residuals",
        phrase="the randomisation test of residuals",
        assumption=(
            "Chance alone decided who got which arm, as the design says; nothing else is assumed."
        ),
        panel=OTHERS,
        cost=SLOW,
        general_cost=SLOW,
        leads=dict.fromkeys(DESIGN_KINDS, 17),
        of_events=True,
    ),
}
"""By name, in the order in which tables and figures show them."""

NAMES = tuple(METHODS)


def costs(names: Iterable[str] = NAMES) -> dict[str, tuple[str, str]]:
    """(cost, general cost) of methods by name, which is what simulations are told of a method."""
    return {name: (METHODS[name].cost, METHODS[name].general_cost) for name in names}


def _placed(places: Mapping[str, int | None]) -> tuple[str, ...]:
    """Names of the methods that have a place, in order."""
    listed = [(place, name) for name, place in places.items() if place is not None]
    return tuple(name for _, name in sorted(listed, key=lambda each: each[0]))


PREFERENCES = {
    kind: _placed({name: method.leads.get(kind) for name, method in METHODS.items()})
    for kind in DESIGN_KINDS
}
"""By kind of design, the methods in the order in which they lead a report (docs/verdict.md says why)."""

CURVES = _placed({name: method.curve for name, method in METHODS.items()})
"""The methods whose power is drawn by the number of groups, those of them that apply."""

LARGE_SAMPLE = tuple(name for name, method in METHODS.items() if method.large_sample)


def method_order(method: str) -> int:
    """Place of a method in tables; one that is not listed stands last."""
    return NAMES.index(method) if method in NAMES else len(NAMES)


def method_label(method: str) -> str:
    """A method's name in tables and figures."""
    return METHODS[method].label if method in METHODS else method


def method_phrase(method: str) -> str:
    """A method as a noun, in the middle of a sentence."""
    return METHODS[method].phrase if method in METHODS else method
