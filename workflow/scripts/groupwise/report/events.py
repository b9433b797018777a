"""What the report says of outcomes that are events or counts, beside what it says of every outcome."""

from __future__ import annotations

import numpy as np
import pandas as pd

from groupwise.catalogue.methods import method_label
from groupwise.effect_words import needed_to_treat, whole
from groupwise.report.facts import Facts
from groupwise.report.markdown import escape
from groupwise.words import article, capital, fixed, plural


def kind(facts: Facts) -> str:
    """Which family the outcome is of, and what counts; empty for one that is just a number."""
    family = facts.words.response.family
    name = escape(facts.outcome)
    if family == "binary":
        event, other = (escape(str(facts.design.get(x))) for x in ("event", "no_event"))
        return (
            f"The outcome is an event: “{event}” counts, “{other}” does not. The mean of an arm is a "
            f"risk, the share of {facts.rows} with the event, and effects are "
            f"{plural(facts.words.noun)}{_asked(facts)}."
        )
    if family == "count":
        exposure = facts.design["roles"].get("exposure")
        per = f"events{escape(facts.words.per)}" if exposure else f"events per {facts.row}"
        return (
            f"The outcome, {name}, is a number of events. The mean of an arm is a rate, {per}, and "
            f"effects are {plural(facts.words.noun)}{_asked(facts)}."
        )
    return ""


def _asked(facts: Facts) -> str:
    return ", each arm over the one it is compared with" if facts.words.response.is_ratio else ""


# ---- the answer ----------------------------------------------------------------------------------


def levels(facts: Facts, contrast: str) -> str:
    """`12.3% against 18.9%, `: the risks or rates that a comparison is of, by the headline method."""
    words, means = facts.words, facts.means(facts.headline)
    if not words.response.has_events or means.empty:
        return ""
    arms = dict(zip(facts.contrasts, pairs(facts), strict=True))[contrast]
    k = max(words.mean_decimals(means.loc[arm, "std_error"]) for arm in arms)
    if not np.isfinite(means["std_error"]).all():
        k = 1 if words.response.family == "binary" else 2
    first, second = (words.level(means.loc[arm, "estimate"], k) for arm in arms)
    return f"{first} against {second}{escape(words.per)}, "


def given(facts: Facts) -> str:
    """Whether the headline's odds ratios are conditional on the group; empty for other effects."""
    if facts.words.response.scale != "odds_ratio":
        return ""
    if _is_conditional(facts.headline):
        return f" within {article(escape(facts.role('group')))} (conditional)"
    return f" over all {plural(escape(facts.role('group')))} (population-averaged)"


def pairs(facts: Facts) -> list[tuple[str, str]]:
    """The arms (B, A) of each contrast."""
    arms = facts.arms
    return [(arms[j], arms[i]) for i in range(len(arms)) for j in range(i + 1, len(arms))]


def to_treat(facts: Facts, row: pd.Series) -> str:
    """The number needed to treat with its interval; empty where the difference may be 0."""
    if not facts.words.in_percent:
        return ""
    ends = needed_to_treat(row["conf_low"], row["estimate"], row["conf_high"])
    if ends is None:
        return ""
    low, number_, high = map(whole, ends)
    more = "more" if row["estimate"] > 0 else "fewer"
    return f"; number needed to treat for one event {more}: {number_} ({low} to {high})"


# ---- what effects are conditional on ---------------------------------------------------------------


def conditional_methods(facts: Facts) -> tuple[list[str], list[str]]:
    """Methods with an answer whose effects are conditional on the group, and the others."""
    conditional = [m for m in facts.answering if _is_conditional(m)]
    return conditional, [m for m in facts.answering if m not in conditional]


def _is_conditional(method: str) -> bool:
    """Whether its effects compare members of one group (see `Procedure.is_conditional`)."""
    from groupwise.methods import method_of  # for ratios only: loading all methods takes a while

    return method_of(method).is_conditional


def estimand(facts: Facts) -> str:
    """That conditional and population-averaged ratios differ; empty where effects are differences."""
    words = facts.words
    if not words.response.is_ratio:
        return ""
    if words.response.scale == "ratio":
        return _collapsible(facts)
    group = escape(facts.role("group"))
    conditional, averaged = conditional_methods(facts)
    text = (
        f"Odds ratios are of two kinds. A **conditional** one (mixed models, dummies, mean log odds of "
        f"{plural(group)}) compares members of one {group}, or of {plural(group)} that are alike; a "
        f"**population-averaged** one (pooled regression, GEE) compares the risks of all "
        f"{plural(group)} taken together. Where {plural(group)} differ, the conditional one lies "
        f"further from 1, "
        f"though both describe the same risks, and neither is wrong: they answer two questions "
        f"[@neuhaus1991]."
    )
    if not conditional or not averaged:
        return text
    return f"{text}{_both_kinds(facts, conditional, averaged)} Say which one you report."


def _collapsible(facts: Facts) -> str:
    """That ratios of risks and rates, unlike odds ratios, survive being averaged."""
    noun, group = facts.words.noun, escape(facts.role("group"))
    return (
        f"{capital(article(noun))} that is the same in every {group} is the same over all of them: "
        f"unlike odds ratios, conditional and population-averaged {plural(noun)} differ only in how "
        f"they weight {plural(group)}."
    )


def _both_kinds(facts: Facts, conditional: list[str], averaged: list[str]) -> str:
    """One odds ratio of each kind, for the first comparison."""
    contrast, first = facts.contrasts[0], [_representative(conditional), _representative(averaged)]
    value = [facts.words.effect(facts.estimates(m).loc[contrast, "estimate"], 2) for m in first]
    labels = [method_label(m) for m in first]
    return (
        f" Here, for {escape(facts.comparison(contrast))}, it is {value[0]} given the "
        f"{escape(facts.role('group'))} ({labels[0]}) and {value[1]} over all of them ({labels[1]})."
    )


PREFERRED = ("glmm_kenward_roger", "glmm_likelihood", "gee_fay_graubard", "glm_cr2")


def _representative(methods: list[str]) -> str:
    return next((m for m in PREFERRED if m in methods), methods[0])


# ---- members of one group ----------------------------------------------------------------------


def correlation(facts: Facts) -> str:
    """What an intraclass correlation of 0 and 1, or of counts, means; empty for other outcomes."""
    family, group = facts.words.response.family, escape(facts.role("group"))
    if family == "continuous" or not np.isfinite(facts.icc):
        return ""
    interval = _icc_interval(facts)
    if family == "count":
        return (
            f"The ICC{interval} is that of {_counted(facts)}, and it grows with the rate: rare "
            f"events say little of what {plural(group)} have in common. "
        )
    return (
        f"The ICC{interval} is that of the events themselves, coded 0 and 1: the correlation of two "
        f"members' outcomes. It depends on the risk: the same spread between {plural(group)} in "
        f"log odds makes it smaller where the event is rare or nearly certain. "
    )


def _counted(facts: Facts) -> str:
    """What the linear mixed model of counts is of: with an exposure of rates."""
    if not facts.words.per:
        return "the counts as they are"
    return (
        f"the rates{escape(facts.words.per)}, each {facts.row} counting once whatever its "
        f"{escape(facts.role('exposure'))}"
    )


def _icc_interval(facts: Facts) -> str:
    component = facts.group_component
    if component is None or not np.isfinite([component["icc_low"], component["icc_high"]]).all():
        return ""
    low, high = fixed(component["icc_low"], 2), fixed(component["icc_high"], 2)
    return f" ({facts.interval} interval {low} to {high})"


def spread_within(facts: Facts) -> str:
    """What members of one group differ in, and that the risk or the rate says how much."""
    group = escape(facts.role("group"))
    if facts.words.response.family == "binary":
        return (
            f"whether the event happens to one of the {facts.rows} of {article(group)} and not to "
            f"another. How much they differ follows from the risk p: their variance is p(1 − p)"
        )
    same = f", at the same {escape(facts.role('exposure'))}," if facts.words.per else ""
    return (
        f"the {facts.rows} of {article(group)} have different numbers of events. Where these come at "
        f"random, the variance is{same} as large as the mean"
    )


def pooled_model(facts: Facts) -> str:
    """What a coefficient of the pooled model is; empty where it is a difference."""
    scale = facts.words.response.scale
    if scale == "difference":
        return ""
    return (
        f" A coefficient is the logarithm of {article(facts.words.noun)}: "
        r"$e^{\beta_1}$ "
        f"is that of {escape(facts.against_reference(facts.arms[1]))}."
    )


def anatomy(facts: Facts) -> str:
    """On which scale the mixed model is taken apart, where effects are ratios; else empty."""
    if not facts.words.response.is_ratio:
        return ""
    what = {"binary": "risks", "count": "rates"}[facts.words.response.family]
    group = escape(facts.role("group"))
    return (
        f"What {plural(group)} differ in is shown here on the scale of {what}: the figures and tables "
        f"of this section are of a linear mixed model of the outcomes, not of @eq-mixed. Shares of the "
        f"variance, and deviations from the mean of an arm, mean something there without a logarithm."
    )


def trap(facts: Facts) -> str:
    """What is added to the dummy trap by events; empty for effects that are differences."""
    words, group = facts.words, escape(facts.role("group"))
    if not words.response.is_ratio:
        return ""
    if facts.between:
        regression = article(words.regression)
        return (
            f" Those numbers are coefficients of a linear model of the outcomes; in {regression} the "
            f"same columns are aliased, and besides, the parameter of {article(group)} without any "
            f"event{_or_only(facts)} is infinite."
        )
    if words.response.family == "count":
        return (
            f" {capital(article(words.regression))} with a parameter for each {group} answers as one "
            f"does that holds the number of events of each {group} fixed: nothing is lost. "
            f"{capital(plural(group))} without any event say nothing."
        )
    return (
        f" With events there is another trap: a logistic regression that estimates a parameter for each "
        f"{group} from few members overstates odds ratios (with pairs it squares them), and more "
        f"{plural(group)} do not mend that. Conditional logistic regression holds the number of "
        f"events of each {group} fixed instead, so that the parameters cancel [@breslowday1980]; "
        f"{plural(group)} in which all members have the same outcome say nothing."
    )


def _or_only(facts: Facts) -> str:
    return " or with nothing else" if facts.words.response.family == "binary" else ""


def why_methods_differ(facts: Facts) -> str:
    """The same as of means, for methods of ratios."""
    words, group = facts.words, plural(escape(facts.role("group")))
    text = (
        f"{capital(article(words.regression))} over all {facts.rows} with z takes them as independent. "
        f"Sandwich standard errors and GEE let members of one group resemble each other and count "
        f"{group}; "
        f"with few of them they are too small, which corrections of the residuals and degrees of "
        f"freedom "
        f"mend (CR2, CR3; Mancl and DeRouen, Kauermann and Carroll, Fay and Graubard) [@mancl2001; "
        f"@kauermann2001; @faygraubard2001; @liredden2015]. Logarithms by group count every one once."
    )
    if "glmm_wald" in facts.methods:
        text += (
            f" Mixed models say how members of a group resemble each other: by restricted "
            f"pseudo-likelihood [@wolfinger1993], where Kenward-Roger and Satterthwaite pay for the "
            f"estimated variance, or by the likelihood, integrated numerically, whose z and profile "
            f"need "
            f"many {group}."
        )
    return f"{text} Randomisation asks what chance alone could have done [@gail1996]."


def against_chance(facts: Facts) -> str:
    """What the picture of groups and the limits of chance shows."""
    level = 100 * (1 - facts.level)
    return (
        f"Outcomes that are events have no residuals to look at one by one. @fig-residuals-fitted sets "
        f"each "
        f"group beside what chance alone would make of its arm's {facts.words.mean}: about {level:g}% "
        f"of "
        f"the groups lie outside the bars by chance; more of them do where groups differ."
    )


def checks(facts: Facts) -> str:
    """That checks of normal outcomes are approximate for events; empty for others."""
    if not facts.words.response.has_events:
        return ""
    return (
        "Its null distribution is that of normal outcomes: of events it is an approximation, good where "
        "groups are not small and events not rare."
    )


def methods(facts: Facts) -> str:
    """The methods of ratios in formulas; empty where effects are differences."""
    if not facts.words.response.is_ratio:
        return ""
    return (
        "**Events.** With a link $g$ (the logit for odds ratios, the logarithm for ratios of risks and "
        "rates) "
        r"$g(\mu) = X\beta$ is fitted by maximum likelihood, or by quasi-likelihood for risk ratios "
        r"[@zou2004]; in @eq-sandwich $X$ becomes $D = \partial\mu/\partial\beta'$, weighted by the "
        "variance of the outcome. Mixed models by restricted pseudo-likelihood fit the linear mixed "
        "model "
        r"to the working outcome $g(\mu) + (y - \mu)\,g'(\mu)$, with residual variances fixed by the "
        "binomial or Poisson distribution, again and again until it does not move [@wolfinger1993]; the "
        r"likelihood is $\prod_i \int \prod_j f(y_{ij} \mid u)\,\phi(u / \sigma_u)\,du / \sigma_u$ by "
        "adaptive Gauss-Hermite quadrature [@pinheirobates1995]. All inference is on the scale of the "
        "link: estimates and limits in tables are exponentials, standard errors are those of the "
        "logarithm."
    )
