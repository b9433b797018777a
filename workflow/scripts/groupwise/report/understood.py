"""What was understood of a file and its settings, and what an average is an average of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from groupwise.report.facts import Facts
from groupwise.report.markdown import bullets, escape, escape_note
from groupwise.words import (
    count,
    decimals_for,
    equals_p,
    fixed,
    listing,
    number,
    percent,
    plural,
)

APART = 0.5
"""Estimates that differ by more than this share of a standard error differ."""


def settings(facts: Facts) -> str:
    """What was declared of the file, as a list; nothing if nothing was."""
    sentences = [
        *_source(facts),
        *_conditions(facts.design["where"]),
        *_recodes(facts.design["recode"]),
        *_codes(facts.design.get("missing_codes", {})),
        *_baseline(facts),
        *_scale(facts),
        *_second_group(facts),
        *_missing(facts),
    ]
    return f"What was understood, besides:\n{bullets(sentences)}" if sentences else ""


def _source(facts: Facts) -> list[str]:
    return [escape_note(note) for note in facts.design["source"].get("read_as", ())]


def _conditions(where: Mapping[str, Any]) -> list[str]:
    conditions = [f"{escape(column)} {_condition(rule)}" for column, rule in where.items()]
    return [f"Only rows are used whose {listing(conditions)}."] if conditions else []


def _condition(rule: Any) -> str:
    if not isinstance(rule, Mapping):
        return f"is {_values(rule)}"
    parts = []
    if "min" in rule:
        parts.append(f"is at least {rule['min']:g}")
    if "max" in rule:
        parts.append(f"is at most {rule['max']:g}")
    if "not" in rule:
        parts.append(f"is not {_values(rule['not'])}")
    if "missing" in rule:
        parts.append("is missing" if rule["missing"] else "is known")
    return " and ".join(parts)


def _values(codes: Any) -> str:
    values = [escape(str(each)) for each in (codes if isinstance(codes, list) else [codes])]
    return values[0] if len(values) == 1 else f"{', '.join(values[:-1])} or {values[-1]}"


def _recodes(recodes: Mapping[str, list[list[Any]]]) -> list[str]:
    sentences = []
    for column, pairs in recodes.items():
        changes = [
            f"{escape(str(old))} is read as {'missing' if new is None else escape(str(new))}"
            for old, new in pairs
        ]
        sentences.append(f"In {escape(column)}, {listing(changes)}.")
    return sentences


def _codes(codes: Mapping[str, list[Any]]) -> list[str]:
    sentences = []
    for column, values in codes.items():
        where = f"in {escape(column)}" if column else "in every column"
        verb = "means" if len(values) == 1 else "mean"
        sentences.append(f"{listing([escape(str(v)) for v in values])} {verb} missing {where}.")
    return sentences


def _baseline(facts: Facts) -> list[str]:
    conditions = facts.design.get("baseline", {})
    if not conditions:
        return []
    rules = [f"{escape(column)} {_condition(rule)}" for column, rule in conditions.items()]
    name = escape(f"{facts.design['roles']['outcome']}_baseline")
    return [f"Rows whose {listing(rules)} are the baseline: their outcome is the covariate {name}."]


def _scale(facts: Facts) -> list[str]:
    """The unit of every effect."""
    scale = facts.design["outcome"]
    if scale["as"] == "log":
        return [
            "The outcome is analysed as its natural logarithm: an effect of d multiplies it by "
            "exp(d), and small effects are shares (0.05 is about 5%)."
        ]
    if scale["as"] == "standardized":
        mean, sd = number(scale["mean"]), number(scale["sd"])
        return [
            "The outcome is standardized: effects are in standard deviations of the rows used, "
            f"one of which is {sd} (the mean is {mean})."
        ]
    return []


def _second_group(facts: Facts) -> list[str]:
    second = facts.design["second_group"]
    if second is None:
        return []
    name = escape(facts.role("second_group"))
    relation = second["relation"].replace("the groups", plural(escape(facts.role("group"))))
    levels = count(second["n_levels"], name)
    if not facts.has_word("second_group"):
        column = escape(facts.design["roles"]["second_group"])
        levels = f"{count(second['n_levels'], 'level')} of the column “{column}”"
    return [
        f"A second grouping, {levels}, {_is(relation)}. It enters the mixed "
        "model alone; every other method counts groups as before."
    ]


def _is(relation: str) -> str:
    return relation if relation.startswith("holds") else f"is {relation}"


def _missing(facts: Facts) -> list[str]:
    """Missing values by arm, and whether arms differ in them."""
    counts = [
        f"{escape(each['column'])}: "
        + ", ".join(f"{n:,} in {escape(arm)}" for arm, n in each["arms"].items())
        for each in facts.design["missing"]
    ]
    if not counts:
        return []
    text = f"Missing values, {'; '.join(counts)}."
    checks = facts.results["diagnostics"].set_index("check")
    p_value = checks["p_value"].get("differential_missingness", np.nan)
    if np.isfinite(p_value):
        verdict = "differ" if p_value < facts.alpha else "are not shown to differ"
        text += f" The shares of the arms {verdict} ({equals_p(p_value)})."
    return [text]


def estimands(facts: Facts) -> str:
    """Effects averaged over individuals and over groups compared, in standard errors."""
    size, group = facts.design["group_size"], escape(facts.role("group"))
    if facts.changes or not {"ols_cr2", "group_means"} <= set(facts.answering):
        return ""
    start = (
        f"An effect can be averaged over {facts.rows}, each counting once (pooled OLS), or over "
        f"{plural(group)}, each counting once (group means); the mixed model lies between."
    )
    if size["min"] == size["max"]:
        return f"{start} All {plural(group)} have one size here, so these are the same."
    rows = {m: facts.estimates(m) for m in ("ols_cr2", "group_means")}
    gap = (rows["ols_cr2"]["estimate"] - rows["group_means"]["estimate"]).abs()
    share = gap / rows["group_means"]["std_error"]
    widest = share.idxmax()
    k = decimals_for(rows["group_means"].loc[widest, "std_error"])
    both = [fixed(rows[m].loc[widest, "estimate"], k) for m in rows]
    sizes = f"Sizes run from {size['min']:,} to {size['max']:,}"
    where = (
        f"for {escape(facts.comparison(widest))} ({both[0]} over {facts.rows}, {both[1]} over "
        f"{plural(group)})"
    )
    if share[widest] < APART:
        return (
            f"{start} {sizes}, yet the two stay within {percent(share[widest])} of a standard error of "
            f"each other, and differ most {where}."
        )
    return (
        f"{start} {sizes}, and the two differ by {fixed(share[widest], 1)} standard errors {where}: "
        f"large and small {plural(group)} answer differently, by chance or because the effect depends "
        "on size. Say which average you mean before you choose a method."
    )
