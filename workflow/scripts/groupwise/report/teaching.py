"""Questions of a lecture on grouped data, each with its answer for this dataset, folded away."""

from __future__ import annotations

from groupwise.catalogue.methods import method_phrase
from groupwise.report.facts import Facts
from groupwise.report.markdown import callout, escape
from groupwise.words import article, count, equals_p, fixed, plural


def _question(title: str, answer: str) -> str:
    return callout("tip", title, answer, folded=True)


def picture(facts: Facts) -> str:
    """Question before any model: which effects can explain the differences between arms."""
    group = escape(facts.role("group"))
    first = escape(facts.comparison(facts.contrasts[-1]))
    who = (
        "the individuals"
        if facts.row == "individual"
        else f"what differs from {facts.row} to {facts.row}"
    )
    return _question(
        "What do you notice, and what could explain it?",
        f"The outcome differs from arm to arm, and so it does from {group} to "
        f"{group}. Take any gap between two arms, say {first}. The treatment may be the cause. So may "
        f"the {plural(group)}: one arm may have got the better ones. So may {who}. A model "
        f"is a way to tell these three apart.",
    )


def pooled(facts: Facts) -> str:
    """Question on the pooled model, which has no group effect."""
    group = escape(facts.role("group"))
    return _question(
        f"Which of the three effects has this model, and what does it say about two {facts.rows} of one "
        f"{group}?",
        f"Its coefficients are the treatment effect: the intercept is {_intercept(facts)} of "
        f"{escape(facts.arms[0])}, the others say how far each arm is from it. {_noise(facts)} is the "
        f"individual effect. It has nothing that members of {article(group)} share, so it takes "
        f"two of them to be as unlike as any two {facts.rows}: no {group} effects, no correlation. "
        f"Where {plural(group)} do differ, that is wrong, and the treatment is what pays for it.",
    )


def _intercept(facts: Facts) -> str:
    """What the intercept of the pooled model is, without covariates."""
    response = facts.words.response
    if not response.is_ratio:
        return "the mean outcome"
    return (
        f"the {'log odds' if response.link == 'logit' else f'logarithm of the {facts.words.mean}'}"
    )


def _noise(facts: Facts) -> str:
    is_ratio = facts.words.response.is_ratio
    return "The chance with which events happen" if is_ratio else "Its noise"


def dummies(facts: Facts) -> str:
    """Question on the number of parameters that group dummies cost."""
    group = escape(facts.role("group"))
    n = facts.design["n_groups"]
    return _question(
        f"How many parameters did the {plural(group)} cost, and do you want inference on them?",
        f"One for every {group} but the first: {n - 1:,}. Hardly: the question is about the "
        f"treatment, and tomorrow's {plural(group)} will be others. It would be enough to know "
        f"how much {plural(group)} vary, which is one number. That is the step to the mixed model.",
    )


def mixed(facts: Facts) -> str:
    """Question on which term of the mixed model is which effect."""
    group = escape(facts.role("group"))
    return _question(
        "Which part of this model stands for which effect?",
        f"The coefficients are the fixed part, the treatment effects. $u_i$ is the random part, "
        f"what all members of {article(group)} have in common; it is seen once per {group}. "
        f"{_left_over(facts)} makes one member differ from the next. "
        "Treatment, group, individual: all three are there, and the groups cost one parameter, a "
        "variance.",
    )


def _left_over(facts: Facts) -> str:
    if facts.words.response.is_ratio:
        return "There is no noise beside it: chance, given the risk or the rate,"
    return r"$\varepsilon_{ij}$ is the noise, what"


def results(facts: Facts) -> str:
    """Question on choosing between the p-values of several methods."""
    group = escape(facts.role("group"))
    contrast = facts.contrasts[-1]
    plain, _ = facts.plain_methods
    naive = facts.estimates(plain).loc[contrast, "p_value"]
    lead = facts.estimates(facts.headline).loc[contrast, "p_value"]
    return _question(
        "Which of all these p-values goes into the paper?",
        f"For {escape(facts.comparison(contrast))}, {method_phrase(plain)} says {equals_p(naive)} and "
        f"{method_phrase(facts.headline)} says {equals_p(lead)}. Not the one you like best, and not the "
        f"smallest: one whose assumptions fit the way these data came about, chosen before you looked. "
        f"@sec-calibration shows the type I error rates of the methods with "
        f"{count(facts.design['n_groups'], group)}.",
    )


def trap(facts: Facts) -> str:
    """Question on aliasing in the dummy model; empty where treatment varies within groups."""
    if not facts.between:
        return ""
    group = escape(facts.role("group"))
    return _question(
        "A program prints a coefficient and a p-value for the treatment in the dummy model. What "
        "are they?",
        f"A comparison of single {plural(group)} that the program picked by leaving columns out. With "
        f"another order of the {plural(group)} it would be another number. The treatment never varies "
        f"within {article(group)}, so no amount of data on these {plural(group)} tells the two apart.",
    )


def correlation(facts: Facts) -> str:
    """Question on the effective sample size; empty unless ICC > 0 between groups."""
    group = escape(facts.role("group"))
    if not facts.between or not facts.icc > 0:
        return ""
    n = facts.design["n_obs"]
    return _question(
        f"Why do {n:,} {facts.rows} tell so little?",
        f"Because they come in bundles. Two members of {article(group)} are alike (their "
        f"correlation is about {fixed(facts.icc, 2)}), so the second tells less than a new "
        f"{group} would. If members of {article(group)} were copies of each other, there would be "
        f"{facts.design['n_groups']:,} observations, however many {facts.rows} there were.",
    )
