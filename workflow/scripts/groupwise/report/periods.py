"""Sentences of a report about periods: what was assigned, who changed when, what it means."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from groupwise.report.facts import Facts
from groupwise.report.markdown import escape, table
from groupwise.sequences import (
    BASELINE,
    CLOSED,
    CROSS_SECTIONAL,
    CROSSOVER,
    GROUPS,
    OPEN,
    PARALLEL,
    STEPPED_WEDGE,
    WITHDRAWAL,
)
from groupwise.words import article, count, decimals_for, equals_p, fixed, listing, plural

COHORTS = {
    CLOSED: "The same {whos} were measured in all periods, but for few (a closed cohort).",
    OPEN: "Some {whos} were measured in several periods, others in one (an open cohort).",
}
"""Who was measured again, by the names in design.json."""

CLOSE = 0.25
"""Estimates that differ by less than this share of a standard error are close."""

MANY_SEQUENCES = 12
"""A table lists no more sequences than this."""


def assigned(facts: Facts) -> str:
    """What chance assigned to arms, as it was declared or as the data have it: a sentence."""
    group, groups = escape(facts.role("group")), plural(escape(facts.role("group")))
    unit, bearer = facts.design["unit"]["unit"], facts.design["unit"]["bearer"]
    person = escape(facts.role("individual"))
    several = f"every {group}" if facts.design["kind"] == "within" else f"some {groups}"
    declared = facts.assigned is not None
    if unit == "unknown":
        goes = escape(facts.design["assigned_with"])
        return (
            f"The treatment varies within {several}, and goes with “{goes}” there: what was assigned "
            "is not known."
        )
    if unit == "group":
        same = f"The treatment is the same for all {facts.rows} of {article(group)}"
        return f"{same}: it was given to {groups}." if declared else _taken(same, groups)
    if unit == "individual" and bearer == "individual":
        same = f"Each {person} is in one arm, and {several} in several"
        return _stated(same, f"{plural(person)} within {groups}", declared)
    if unit == "individual":
        what = (
            f"The treatment varies within {several}: {facts.rows} of the same {group} can be compared "
            "with one another"
        )
        return _stated(what, f"{facts.rows} within {groups}", declared)
    who = person if bearer == "individual" else group
    who_change = changing(facts)
    same = (
        f"All {facts.rows} of {article(group)} in one period are in one arm, and "
        f"{who_change[:1].lower()}{who_change[1:]} change their arm over time"
    )
    if bearer == "individual":
        same = f"{plural(who)[:1].upper()}{plural(who)[1:]} change their arm over time"
    what = f"the sequence of arms of each {who}"
    if unit == "group_period":
        what = f"the arm of each {who} in each period"
    return _stated(same, what, declared)


def _stated(pattern: str, unit: str, declared: bool) -> str:
    return f"{pattern}; what was assigned is {unit}." if declared else _taken(pattern, unit)


def _taken(pattern: str, unit: str) -> str:
    """What the data have, and what is taken from it."""
    return f"{pattern}; so what was assigned is taken to be {unit}."


def layout(facts: Facts) -> str:
    """The design by its name, its sequences, periods and cohort; empty without periods."""
    periods = facts.periods
    if periods is None:
        return ""
    who = escape(facts.role("individual" if periods["bearer"] == "individual" else "group"))
    T = len(periods["labels"])
    text = f"There are {count(T, 'period')} ({_span(facts, periods['labels'])}). "
    if periods["layout"] is not None:
        text += _named(facts, periods, who)
    return text + _measured_again(facts, periods["cohort"])


def _measured_again(facts: Facts, cohort: str) -> str:
    """Whether individuals were measured again; empty where the groups are the individuals."""
    who, rows = escape(facts.role("individual")), facts.rows
    if cohort in COHORTS:
        return COHORTS[cohort].format(whos=plural(who)) + " "
    if cohort == GROUPS:
        return ""
    assert cohort == CROSS_SECTIONAL
    if facts.design["roles"]["individual"] is None:
        return f"Nothing says who was measured again: {rows} of two periods count as different. "
    if facts.design["n_individuals"] == facts.design["n_obs"]:
        return f"Each {who} was measured once. "
    return ""


def _span(facts: Facts, labels: list[str]) -> str:
    name = escape(facts.design["roles"]["period"])
    return f"“{name}” from {escape(labels[0])} to {escape(labels[-1])}"


def _named(facts: Facts, periods: Mapping[str, Any], who: str) -> str:
    n = len(periods["sequences"])
    whos = plural(who)
    reference = escape(facts.arms[0])
    if periods["layout"] == STEPPED_WEDGE:
        complete = "" if periods["complete"] else ", incomplete: some cells have no rows"
        return (
            f"This is a stepped wedge with {count(n, 'sequence')}{complete}: {whos} leave {reference} "
            "at different times and do not go back. "
        )
    if periods["layout"] == BASELINE:
        return (
            f"This is a parallel design with baseline periods: all {whos} begin in {reference}, some "
            "leave it at one time and do not go back, the others stay. "
        )
    if periods["layout"] == WITHDRAWAL:
        return (
            f"This is a stepped wedge towards the reference, with {count(n, 'sequence')}: {whos} change "
            f"to {reference} and do not go back. "
        )
    if periods["layout"] == CROSSOVER:
        return (
            f"This is a crossover with {count(n, 'sequence')}: {whos} change their arm more than once, "
            "or in different directions. "
        )
    assert periods["layout"] == PARALLEL
    return f"Every {who} is in one arm in all its periods: a parallel design, measured repeatedly. "


def caption(facts: Facts) -> str:
    """The caption of the picture of who was in which arm when."""
    return (
        "Who was in which arm when. Rows with the same sequence of arms stand together. Each cell has "
        f"the {facts.words.cell_mean()} and, in brackets, the number of {facts.rows}; a white cell has "
        "none."
    )


def sequences(facts: Facts) -> str:
    """Table of the sequences: the arm in each period, and how many units have it."""
    periods = facts.periods
    if periods is None or not periods["sequences"]:
        return ""
    labels, listed = periods["labels"], periods["sequences"]
    if len(listed) > MANY_SEQUENCES or len(labels) > MANY_SEQUENCES:
        return ""
    who = "individual" if periods["bearer"] == "individual" else "group"
    rows = [
        [
            str(i),
            *("\u2013" if arm is None else escape(arm) for arm in each["arms"]),
            f"{each['n_units']:,}",
        ]
        for i, each in enumerate(listed, start=1)
    ]
    name = escape(facts.design["roles"]["period"])
    headers = ["sequence", *(f"{name} {escape(label)}" for label in labels)]
    headers.append(escape(plural(facts.role(who))))
    caption = "Sequences: the arm in each period, and how many go through it."
    return table(headers, rows, label="sequences", caption=caption, text_columns=len(labels) + 1)


def changing(facts: Facts) -> str:
    """Who changes arms: all groups, or some of them."""
    groups = plural(escape(facts.role("group")))
    periods = facts.periods
    stay = periods is not None and any(len(set(s["arms"])) == 1 for s in periods["sequences"])
    return f"Some {groups}" if stay else f"{groups[:1].upper()}{groups[1:]}"


def carried(facts: Facts) -> str:
    """What a comparison over time takes for granted; empty where no unit changes its arm."""
    periods = facts.periods
    if periods is None or periods["layout"] in (None, PARALLEL):
        return ""
    group = escape(facts.role("group"))
    text = (
        "What changes over time for all alike is in the means of the periods; a change that comes to "
        f"some {plural(group)} and not to others would count as an effect."
    )
    if periods["layout"] == CROSSOVER:
        text += (
            " An arm is taken to have no effect in later periods (no carry-over), which is not tested "
            "here."
        )
    return text


def ignored(facts: Facts) -> str:
    """How a standard error that ignores groups errs where these change their arm."""
    group = escape(facts.role("group"))
    text = (
        f"{carried(facts)} A standard error that takes all {facts.rows} to be independent counts as "
        f"noise what lasts of {article(group)} and cancels where its periods are compared"
    )
    if facts.has_cells:
        return (
            f"{text}, and does not count what {article(group)} has in one period only: it may be too "
            "large or too small."
        )
    return f"{text}."


def trap(facts: Facts) -> str:
    """What the dummy model compares, and what its standard error leaves out."""
    group = escape(facts.role("group"))
    text = (
        f"There is no trap here: {changing(facts)[:1].lower()}{changing(facts)[1:]} change their arm "
        f"over time, so the dummy model compares periods of the same {group}, less what changes over "
        "time for all."
    )
    if facts.has_cells:
        text += (
            f" Its standard error knows only the spread of {facts.rows}: it takes what {article(group)} "
            "has in one period alone for a part of the effect."
        )
    return text


def in_passing(facts: Facts) -> str:
    """The design in a sentence about something else: `, in a stepped wedge of 4 sequences ...,`."""
    periods = facts.periods
    if periods is None:
        return ""
    T = count(len(periods["labels"]), "period")
    if periods["layout"] in (None, PARALLEL):
        return f" in {T}, each with its own mean"
    name = {
        STEPPED_WEDGE: "a stepped wedge",
        BASELINE: "a parallel design with baseline periods",
        WITHDRAWAL: "a stepped wedge towards the reference",
        CROSSOVER: "a crossover",
    }[periods["layout"]]
    sequences = count(len(periods["sequences"]), "sequence")
    return f", in {name} of {sequences} and {T} with fixed effects of periods"


def means(facts: Facts) -> str:
    """Table of what changed over time, by the mixed model."""
    periods = facts.periods
    table_ = facts.results["coefficients"]
    if periods is None or "mixed_kenward_roger" not in facts.answering:
        return ""
    rows = table_[table_["method"] == "mixed_kenward_roger"].set_index("term")
    name = facts.design["roles"]["period"]
    terms = [f"{name}: {label}" for label in periods["labels"][1:]]
    terms = [term for term in terms if term in rows.index]
    if not terms or len(terms) > MANY_SEQUENCES:
        return ""
    k = decimals_for(rows.loc[terms, "std_error"].median())
    cells = [
        [
            escape(term.removeprefix(f"{name}: ")),
            fixed(rows.loc[term, "estimate"], k),
            fixed(rows.loc[term, "std_error"], k),
            fixed(rows.loc[term, "conf_low"], k),
            fixed(rows.loc[term, "conf_high"], k),
        ]
        for term in terms
    ]
    what = "logarithm of the ratio" if facts.words.response.is_ratio else "difference"
    headers = [escape(name), what, "std. error", "from", "to"]
    first = escape(periods["labels"][0])
    caption = (
        f"What changed over time: {_levels(facts)} of the periods less that of {first}, by the mixed "
        f"model, with {facts.interval} intervals."
    )
    return table(headers, cells, label="period-means", caption=caption)


def autocorrelation(facts: Facts) -> str:
    """How alike members of a group are in one period and in two; empty without cells."""
    if not facts.has_cells or not np.isfinite(facts.icc):
        return ""
    group, cac = escape(facts.role("group")), facts.cac
    between = fixed(facts.icc * cac, 2)
    text = (
        f"Of that, {fixed(100 * cac, 0)}% lasts from period to period (the cluster autocorrelation, "
        f"CAC, is {fixed(cac, 2)}): two {facts.rows} of one {group} in different periods correlate by "
        f"about {between}."
    )
    decay = facts.statistic("mixed_decay", "correlation of neighbouring periods")
    if np.isfinite(decay) and facts.statistic("mixed_decay", "sd: group") > 0:
        text += (
            f" If the correlation of {article(group)}'s effects falls with the time between them "
            f"instead, it is {fixed(decay, 2)} from one period to the next (the method with decay)."
        )
    return text


def _levels(facts: Facts) -> str:
    """What differs between periods: means, risks or rates."""
    return plural(facts.words.mean)


def exposure(facts: Facts) -> str:
    """The effect by exposure time beside the constant one; empty where it does not apply."""
    effects = facts.results["exposure"]
    if effects.empty:
        return ""
    average = effects[effects["exposure_time"] == 0].iloc[0]
    constant = facts.estimates("mixed_kenward_roger").iloc[0]
    words = facts.words
    k = words.decimals(average["std_error"])
    p = facts.statistic("mixed_exposure", "equal_effects_p")
    times = int((effects["exposure_time"] > 0).sum())
    both = (
        f"Taken as constant the effect is {words.effect(constant['estimate'], k)} (standard error "
        f"{words.error(constant['std_error'], k)}); as an average over "
        f"{count(times, 'exposure time')}, each counting the same, "
        f"{words.effect(average['estimate'], k)} ({words.error(average['std_error'], k)})"
        f"{words.unit}."
    )
    if not np.isfinite(p):
        return both
    if p < facts.alpha:
        return (
            f"{both} **The effect seems to change with the time since it began** ({equals_p(p)}). If "
            "it does, a constant effect is a weighted mean of the effects at all exposure times, with "
            "weights that may be negative [@kenny2022]: report the average, or the effects by exposure "
            "time."
        )
    return (
        f"{both} The data do not show that the effect changes with exposure time ({equals_p(p)})."
    )


def estimand(facts: Facts) -> str:
    """What the effects of a design with periods are averages of."""
    if not facts.changes:
        return ""
    group = escape(facts.role("group"))
    rows = [
        f"over {facts.rows} (pooled OLS)",
        f"over cells of {article(group)} and a period (group means, randomisation)",
        "weighted by precision (mixed models, GEE, dummies)",
    ]
    text = f"An effect is an average over periods and {plural(group)}: {listing(rows)}."
    if len(facts.results["exposure"]):
        text += " The method by exposure time averages over the time since the treatment began."
    return text


def left_out(facts: Facts) -> str:
    """What an analysis without periods would have said; empty where the design has none."""
    if "mixed_no_periods" not in facts.answering:
        return ""
    row = facts.estimates("mixed_no_periods").iloc[0]
    with_periods = facts.estimates("mixed_kenward_roger").iloc[0]
    words = facts.words
    k = words.decimals(row["std_error"])
    apart = abs(row["estimate"] - with_periods["estimate"]) / with_periods["std_error"]
    p = (equals_p(row["p_value"]), equals_p(with_periods["p_value"]))
    if apart < CLOSE and abs(row["std_error"] / with_periods["std_error"] - 1) < CLOSE:
        return (
            f"Leaving the periods out changes little here: the estimate would be "
            f"{words.effect(row['estimate'], k)} ({p[0]}). Where the outcome changes over time it "
            "may be wrong."
        )
    if apart < CLOSE:
        return (
            "Leaving out the periods, and what members of a group share in one of them, hardly changes "
            f"the estimate here, but its standard error: {words.error(row['std_error'], k)} in place of "
            f"{words.error(with_periods['std_error'], k)} ({p[0]} in place of {p[1]})."
        )
    return (
        "An analysis that leaves the periods out, and what members of a group share in one of them, "
        f"would estimate {words.effect(row['estimate'], k)} ({p[0]}) in place of "
        f"{words.effect(with_periods['estimate'], k)} ({p[1]}): it cannot tell the effect from "
        "what changes over time."
    )
