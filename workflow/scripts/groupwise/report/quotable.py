"""Sentences to copy into a paper, in the style of the American Psychological Association."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from groupwise.catalogue.methods import method_phrase
from groupwise.report import events, periods
from groupwise.report.facts import Facts
from groupwise.report.markdown import bullets, escape
from groupwise.words import capital, count, decimals_for, equals_p, fixed

SYMBOLS = {
    ("continuous", "difference"): "*b*",
    ("binary", "difference"): "*RD*",
    ("binary", "ratio"): "*RR*",
    ("binary", "odds_ratio"): "*OR*",
    ("count", "ratio"): "*IRR*",
    ("count", "difference"): "*IRD*",
}
"""Symbols of effects, by family and scale."""


MANY = 10_000
"""With more degrees of freedom t is written as z."""


def sentences(facts: Facts) -> str:
    """The headline method's results, the test of all arms, and how the design was simulated."""
    if facts.headline not in facts.answering:
        return ""
    rows = facts.estimates(facts.headline)
    comparisons = [_contrast(facts, str(contrast), row) for contrast, row in rows.iterrows()]
    return bullets([_model(facts), *comparisons, *_omnibus(facts), *_calibration(facts)])


def _model(facts: Facts) -> str:
    d, group = facts.design, escape(facts.role("group"))
    text = (
        f"{_outcome(facts)} of {facts.size} in "
        f"{count(d['n_groups'], group)} was compared between {len(facts.arms)} arms by "
        f"{method_phrase(facts.headline)}"
    )
    text += periods.in_passing(facts)
    if np.isfinite(facts.icc):
        text += f" (intraclass correlation {_bare(facts.icc, 2)})"
    return f"{text}."


def _outcome(facts: Facts) -> str:
    """At the start of a sentence: the score, or the outcome under a name that is no noun."""
    if facts.words.response.family == "binary":
        return f"The event {escape(facts.role('outcome'))} = {escape(str(facts.design['event']))}"
    if facts.words.response.family == "count":
        return f"The rate of {escape(facts.outcome)}"
    is_noun = facts.outcome == facts.role("outcome")
    return f"The {escape(facts.outcome)}" if is_noun else capital(escape(facts.outcome))


def _contrast(facts: Facts, contrast: str, row: pd.Series) -> str:
    words = facts.words
    k = (
        words.decimals(row["std_error"])
        if words.in_percent
        else max(decimals_for(row["std_error"]), 2)
    )
    estimate, low, high = (words.effect(row[x], k) for x in ("estimate", "conf_low", "conf_high"))
    name = SYMBOLS[words.response.family, words.response.scale]
    text = (
        f"{escape(facts.comparison(contrast))}: {events.levels(facts, contrast)}{name} = {estimate}"
        f"{words.unit}, {facts.interval} CI \\[{low}, {high}\\]"
    )
    return f"{text}{_test(row)}, {_italic_p(row['p_value'])}."


def _test(row: pd.Series) -> str:
    """The statistic with its degrees of freedom, where it is compared with t or the normal."""
    if not np.isfinite(row["statistic"]) or np.isnan(row["df"]):
        return ""
    if row["df"] > MANY:  # t and the normal then agree to all digits shown
        return f", *z* = {fixed(row['statistic'], 2)}"
    df = fixed(row["df"], 0 if row["df"] == np.round(row["df"]) else 1)
    return f", *t*({df}) = {fixed(row['statistic'], 2)}"


def _omnibus(facts: Facts) -> list[str]:
    table = facts.results["omnibus"]
    tests = table[(table["method"] == facts.headline) & table["p_value"].notna()]
    if tests.empty or len(facts.arms) < 3 or not np.isfinite(tests["df_den"].iloc[0]):
        return []
    row = tests.iloc[0]
    df = fixed(row["df_den"], 0 if row["df_den"] == np.round(row["df_den"]) else 1)
    return [
        f"All arms together: *F*({row['df_num']:.0f}, {df}) = {fixed(row['statistic'], 2)}, "
        f"{_italic_p(row['p_value'])}."
    ]


def _calibration(facts: Facts) -> list[str]:
    judged = facts.results["verdict"]
    headline = judged[(judged["dgp"] == "normal") & (judged["method"] == facts.headline)]
    if headline.empty or not np.isfinite(headline["highest"].iloc[0]):
        return []
    row, simulation = headline.iloc[0], facts.calibration
    return [
        f"In simulations of this design without an effect (up to "
        f"{simulation['replicates']['most']:,} replicates at each of {_iccs(simulation)}), the "
        f"greatest type I error rate of {method_phrase(facts.headline)} was between "
        f"{100 * row['rate_low']:.1f}% and {100 * row['rate_high']:.1f}% at a nominal "
        f"{100 * facts.verdict['rules']['level']:g}%."
    ]


def _iccs(simulation: Mapping[str, Any]) -> str:
    """How many intraclass correlations were simulated: `4 intraclass correlations`."""
    scenarios = [each for each in simulation["scenarios"] if each["dgp"] == "normal"]
    return count(len({each["icc"] for each in scenarios}), "intraclass correlation")


def _italic_p(value: float) -> str:
    return capital(equals_p(value)).replace("P", "*p*", 1)


def _bare(value: float, decimals: int) -> str:
    """A number that cannot exceed 1, without the zero before its decimal point."""
    return fixed(value, decimals).replace("0.", ".", 1)
