"""What a trial with periods can find: sentences and a table, from `planning.period_tables`."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from groupwise.effect_words import EffectWords
from groupwise.report.facts import Facts
from groupwise.report.markdown import escape, table
from groupwise.response import CONTINUOUS
from groupwise.words import article, count, listing, number, percent, plural, signed

PLAIN = EffectWords(CONTINUOUS, "the outcome")
"""The words of a numeric outcome."""

LAYOUT_NAMES = {
    "parallel": "parallel design",
    "baseline": "parallel design with a baseline period",
    "stepped_wedge": "stepped wedge",
    "crossover": "crossover",
    "": "design",
}
"""Layouts as nouns; without a name, one that is none of the standard ones."""

SCENARIO_NAMES = {
    "one": "it were 1 (groups do not change over time)",
    "half": "it were 0.5",
    "decay": "it held between neighbouring periods and fell with the time between them",
}

IN_FIRST = 3
"""Sentences of the first paragraph: on the design at hand."""


def applies(facts: Facts) -> bool:
    """Whether groups have arms in several periods, and that was planned for."""
    return len(facts.results["planning_periods"]) > 0


def paragraphs(facts: Facts) -> str:
    """The sentences of a dataset: what its design finds, and what others would."""
    sentences = period_plan_sentences(
        facts.results["planning_periods"],
        group=escape(facts.role("group")),
        individual=facts.row,
        words=facts.words,
    )
    return "\n\n".join([" ".join(sentences[:IN_FIRST]), " ".join(sentences[IN_FIRST:])]).strip()


def designs(facts: Facts) -> str:
    """Table of the design at hand and others, with as many groups, periods and individuals."""
    data = facts.results["planning_periods"]
    rows = data[data["scenario"] == "estimate"].set_index("question")
    here, needed = rows.loc["at_hand"], rows.loc["groups_needed"]
    if np.isnan(here["detectable"]):
        return ""
    others = {row["design"]: row for _, row in rows.loc[["design"]].iterrows()}
    others_need = {row["design"]: row for _, row in rows.loc[["design_needed"]].iterrows()}
    others[here["design"]], others_need[here["design"]] = here, needed
    body = [
        [
            LAYOUT_NAMES[name] + (" (at hand)" if name == here["design"] else ""),
            f"{others[name]['n_sequences']:.0f}",
            _or_dash(others[name]["std_error"], number),
            _or_dash(others[name]["power"], percent),
            _or_dash(others_need[name]["n_groups"], "{:,.0f}".format),
        ]
        for name in LAYOUT_NAMES
        if name in others
    ]
    group, individuals = escape(facts.role("group")), plural(facts.row)
    caption = (
        f"Designs with as many {plural(group)} and periods, and as many {individuals} in "
        f"{_every_cell(here)}, at the estimated correlations: standard error of the difference, power "
        f"to find one of {_effect(facts.words, here)}, and how many {plural(group)} in all, as many in "
        "every "
        f"sequence, would find it with a power of {percent(here['wanted_power'])}."
    )
    if any("–" in row for row in body):
        caption += " A dash: there are too few, or no number up to 2,000 in every sequence does."
    headers = ["design", "sequences", "std. error", "power", f"{plural(group)} needed"]
    path = f"results/{facts.design['dataset']}/planning_periods.csv"
    return table(headers, body, label="period-designs", caption=caption, data=data, path=path)


def _or_dash(value: float, shown: Callable[[float], str]) -> str:
    return "–" if np.isnan(value) else shown(value)


def _every_cell(here: pd.Series) -> str:
    """Cells of other designs, of which none is left out as in some at hand."""
    complete = here["n_cells"] == here["n_groups"] * here["n_periods"]
    return "every cell" if complete else "every cell, none left out"


def period_plan_sentences(
    plans: pd.DataFrame,
    *,
    group: str = "group",
    individual: str = "individual",
    words: EffectWords = PLAIN,
) -> list[str]:
    """Sentences in the order of the questions; none from an empty table.

    `group` and `individual` are the nouns for units, escaped where they are a user's words; `words`
    those of effects.
    """
    if plans.empty:
        return []
    first = plans[plans["scenario"] == "estimate"]
    here = _one(first, "at_hand")
    if np.isnan(here["detectable"]):
        reason = (
            "two arms never meet in a period" if np.isinf(here["std_error"]) else "too few groups"
        )
        return [f"No power is computed for this design: {reason}."]
    sentences = [
        _at_hand(words, here, group, individual),
        _calculation(here, group),
        _autocorrelations(plans),
        _groups_needed(_one(first, "groups_needed"), here, group),
        _size_needed(first, here, group, individual),
        _designs(first, here, group, individual),
        _sequences(first, group, individual),
    ]
    return [sentence for sentence in sentences if sentence]


def _one(rows: pd.DataFrame, question: str) -> pd.Series:
    return rows[rows["question"] == question].iloc[0]


def _for(n: float, word: str) -> str:
    """The word for so many."""
    return word if n == 1 else plural(word)


def _effect(words: EffectWords, row: pd.Series) -> str:
    if words.response.has_events:
        return words.short(row["effect"])
    return signed(float(f"{row['effect']:.4g}"))


def _at_hand(words: EffectWords, here: pd.Series, group: str, individual: str) -> str:
    shape = (
        f"{count(int(here['n_groups']), group)} in {count(int(here['n_sequences']), 'sequence')} and "
        f"{count(int(here['n_periods']), 'period')}"
    )
    cells = (
        f"{here['cell_size']:.3g} {_for(here['cell_size'], individual)} per cell ({article(group)} in "
        f"one period)"
    )
    return (
        f"This {LAYOUT_NAMES[here['design']]}, {shape} with {cells}, finds {article(words.noun)} of "
        f"{_effect(words, here)} with a power of {percent(here['power'])}, and one of "
        f"{words.short(here['detectable'])} with a power of {percent(here['wanted_power'])} (the "
        f"minimum detectable effect)."
    )


def _calculation(here: pd.Series, group: str) -> str:
    correlations = [f"a within-period intraclass correlation of {number(here['icc'], 2)}"]
    if here["icc"] > 0:
        correlations.append(f"a cluster autocorrelation of {number(here['cac'], 2)}")
    if here["iac"] > 0:
        correlations.append(f"an individual autocorrelation of {number(here['iac'], 2)}")
    text = (
        f"That is computed for generalised least squares with {listing(correlations)}, as estimated, "
        f"and a t test with {here['df']:,.0f} degrees of freedom, the number of {plural(group)} less 2"
    )
    if here["df_model"] < here["df"] + 0.5:
        return f"{text}, which are those of the mixed model, too."
    return (
        f"{text}. The mixed model has {here['df_model']:,.0f} if its correlations are the true ones, "
        f"and then the power is {percent(here['power_model'])}; its type I error rate is simulated."
    )


def _autocorrelations(plans: pd.DataFrame) -> str:
    rows = plans[(plans["question"] == "at_hand") & (plans["scenario"] != "estimate")]
    cases = [
        f"{percent(row['power'])} if {SCENARIO_NAMES[row['scenario']]}"
        for _, row in rows.iterrows()
    ]
    if not cases:
        return ""
    return f"The cluster autocorrelation is seldom well known: the power would be {listing(cases)}."


def _groups_needed(needed: pd.Series, here: pd.Series, group: str) -> str:
    power = percent(needed["wanted_power"])
    if needed["message"]:
        return f"A power of {power} is out of reach with these periods: {_lower(needed['message'])}"
    of_each = count(int(needed["groups_per_sequence"]), group)
    return (
        f"A power of {power} takes {of_each} in every sequence, {int(needed['n_groups']):,} in all; "
        f"there are {int(here['n_groups']):,}."
    )


def _size_needed(first: pd.DataFrame, here: pd.Series, group: str, individual: str) -> str:
    needed = _one(first, "size_needed")
    if here["power"] >= here["wanted_power"]:
        return ""
    if not needed["message"]:
        return (
            f"With as many {plural(group)} as now, {count(int(needed['cell_size']), individual)} per "
            f"cell would do."
        )
    larger = first[first["question"] == "larger_cells"].iloc[0]
    factor = number(larger["cell_size"] / here["cell_size"], 1)
    return (
        f"Larger cells would not suffice: with {factor} times as many {plural(individual)} in each the "
        f"power is {percent(larger['power'])}."
    )


def _designs(first: pd.DataFrame, here: pd.Series, group: str, individual: str) -> str:
    rows = first[(first["question"] == "design") & first["power"].notna()]
    cases = [
        f"{percent(row['power'])} in {article(LAYOUT_NAMES[row['design']])}"
        for _, row in rows.iterrows()
    ]
    if not cases:
        return ""
    return (
        f"With as many {plural(group)} and periods, and as many {plural(individual)} in "
        f"{_every_cell(here)}, the power would be {listing(cases)}."
    )


def _sequences(first: pd.DataFrame, group: str, individual: str) -> str:
    rows = first[first["question"] == "sequences"]
    if len(rows) < 2:
        return ""
    cases = [f"{percent(row['power'])} with {row['n_sequences']:.0f}" for _, row in rows.iterrows()]
    return (
        f"By the number of sequences, with as many {plural(individual)} of each {group} in all, a "
        f"stepped wedge of these {plural(group)} has a power of {listing(cases)}."
    )


def _lower(message: str) -> str:
    return message[:1].lower() + message[1:]
