"""The first screen of a report: the question, the effects, which analysis to trust, the naive one."""

from __future__ import annotations

import numpy as np
import pandas as pd

from groupwise.catalogue.methods import method_label, method_phrase
from groupwise.report import calibration, events
from groupwise.report.facts import Facts
from groupwise.report.markdown import bullets, callout, escape, escape_note
from groupwise.words import capital, count, equals_p, fixed, listing, plural

MOST_SHOWN = 3
"""So many comparisons are in the answer; with more, those with the reference."""


def answer(facts: Facts) -> str:
    """The answer in one callout; what a reader must know before any number stands before it."""
    return alerts(facts) + _answer(facts)


def alerts(facts: Facts) -> str:
    """Callout with the warnings that come before any number; empty without any."""
    sentences = [escape_note(sentence) for sentence in facts.alerts]
    return callout("warning", "Before you read any number", bullets(sentences)) if sentences else ""


def caption(facts: Facts) -> str:
    """The caption of the picture of the answer."""
    truth = (
        f" Diamonds are the {facts.words.true_effect}s of the simulation." if facts.truth else ""
    )
    by = method_phrase(facts.headline)
    return f"Every comparison by {by}, with {facts.interval} intervals.{truth}"


def shown(facts: Facts) -> list[str]:
    """The comparisons of the answer."""
    few = len(facts.contrasts) <= MOST_SHOWN
    return facts.contrasts if few else facts.contrasts[: min(len(facts.arms) - 1, 2 * MOST_SHOWN)]


def _answer(facts: Facts) -> str:
    rows = facts.estimates(facts.headline)
    if rows["estimate"].isna().any():
        return callout("warning", "The answer", no_estimate(facts))
    contrasts = shown(facts)
    items = [f"{sentence(facts, contrast, rows.loc[contrast])}." for contrast in contrasts]
    more = len(facts.contrasts) - len(contrasts)
    if more:
        items.append(f"The other {count(more, 'comparison')} are in @tbl-estimates.")
    parts = [_question(facts), bullets(items), trust(facts), naive(facts, contrasts)]
    return callout("important", "The answer", "\n\n".join(filter(None, parts)))


def no_estimate(facts: Facts) -> str:
    """That the headline method has no estimate, why, and its p-values where it has these."""
    rows, label = facts.estimates(facts.headline), method_label(facts.headline)
    message = escape(rows["message"].iloc[0] or "It does not apply to this design.")
    if not rows["p_value"].notna().all():
        return f"{label} gives no answer here. {message}"
    tests = [
        f"**{escape(facts.comparison(str(contrast)))}**: {equals_p(p)}"
        for contrast, p in rows["p_value"].items()
    ]
    return f"{label} gives a test here, but not every estimate. {listing(tests)}. {message}"


def _question(facts: Facts) -> str:
    """What was asked, of whom."""
    group = escape(facts.role("group"))
    what = count(facts.design["n_groups"], group)
    return (
        f"Does **{escape(facts.role('treatment'))}** change {_outcome(facts)}? "
        f"The data are {facts.size} of {what}."
    )


def _outcome(facts: Facts) -> str:
    """What the treatment may change: an outcome, or the risk, odds or rate of an event."""
    name = escape(facts.role("outcome"))
    if not facts.words.response.has_events:
        return f"**{name}**"
    measure = _measure(facts).partition(" of ")[0].lower()
    if facts.words.response.family == "count":
        return f"{measure} of **{name}**"
    return f"{measure} of **{name} = {escape(str(facts.design['event']))}**"


def sentence(facts: Facts, contrast: str, row: pd.Series) -> str:
    """One effect with its interval, as a colleague can repeat it."""
    first, second = events.pairs(facts)[facts.contrasts.index(contrast)]
    words = facts.words
    k = words.decimals(row["std_error"])
    low, high = (words.effect(row[end], k) for end in ("conf_low", "conf_high"))
    size = _size(facts, row["estimate"], k)
    than = "as with" if words.response.is_ratio else "than with"
    text = (
        f"{_measure(facts)} {size} with **{escape(first)}** {than} **{escape(second)}** "
        f"({facts.interval} interval {low} to {high}; {equals_p(row['p_value'])})"
    )
    levels = events.levels(facts, contrast).removesuffix(", ")
    return text + (f": {levels}" if levels else "") + events.to_treat(facts, row)


def _measure(facts: Facts) -> str:
    """What an effect is an effect on and its verb, at the start of a sentence."""
    words, name = facts.words, escape(facts.outcome)
    if words.response.family == "continuous":
        log = "the logarithm of " if facts.design["outcome"]["as"] == "log" else ""
        is_noun = facts.outcome == facts.role("outcome")
        return f"Mean {name} was" if is_noun and not log else f"The mean of {log}{name} was"
    if words.response.family == "count":
        return f"The rate of {name}{escape(words.per)} was"
    event = f"{name} = {escape(str(facts.design['event']))}"
    if words.response.scale == "odds_ratio":
        return f"The odds of {event} were"
    return f"The risk of {event} was"


def _size(facts: Facts, value: float, decimals: int) -> str:
    """`2.4 higher`, `less than 0.1 higher`, `1.31 times as high`, `3.1 percentage points lower`."""
    words = facts.words
    if words.response.is_ratio:
        return f"{words.effect(value, decimals)} times as high"
    if value == 0:
        return "neither higher nor lower"
    size = words.effect(abs(value), decimals)
    if not size.strip("0."):  # the last digit is what it is less than
        size = f"less than {size[:-1]}1"
    unit = " standard deviations" if facts.design["outcome"]["as"] == "standardized" else words.unit
    return f"{size}{unit} {'lower' if value < 0 else 'higher'}"


def trust(facts: Facts) -> str:
    """The analysis to trust, and why in two sentences."""
    judgement = calibration.verdict(facts)
    of_odds = f" Odds ratios are{events.given(facts)}." if events.given(facts) else ""
    lead = capital(method_phrase(facts.headline))
    named = "" if judgement.replace("\\", "").startswith(lead) else f" {lead}."
    return f"**Which analysis to trust:**{named} {judgement}{of_odds}"


def naive(facts: Facts, contrasts: list[str]) -> str:
    """What an analysis that ignores groups would have claimed; empty where it leads or is silent."""
    method = facts.plain_methods[0]
    if method == facts.headline or method not in facts.methods:
        return ""
    rows = facts.estimates(method)
    if rows["p_value"].isna().any():
        return ""
    significant = [c for c in contrasts if rows.loc[c, "p_value"] < facts.alpha]
    claims = [
        f"{escape(facts.comparison(c))} {equals_p(rows.loc[c, 'p_value'])}" for c in significant
    ]
    n = len(claims)
    effects = {0: "no significant effect", 1: "one significant effect"}
    how_many = effects.get(n, f"{n} significant effects") + (f" ({listing(claims)})" if n else "")
    groups = plural(escape(facts.role("group")))
    return (
        f"**The naive analysis**, {method_phrase(method)}, ignores {groups}. It would have claimed "
        f"{how_many}.{_error_rate(facts, method)}"
    )


def _error_rate(facts: Facts, method: str) -> str:
    judged = facts.results["verdict"]
    rows = judged[(judged["dgp"] == "normal") & (judged["method"] == method)]
    if rows.empty or not np.isfinite(rows["rate_low"].iloc[0]):
        return ""
    low, high = (fixed(100 * rows[end].iloc[0], 1) for end in ("rate_low", "rate_high"))
    level = f"{100 * facts.verdict['rules']['level']:g}%"
    return (
        f" Its type I error rate in this design is between {low}% and {high}% in the worst scenario "
        f"(nominal level {level})."
    )
