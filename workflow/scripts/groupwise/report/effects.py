"""What every method says: a row a method, a column a comparison; and whether methods agree."""

from __future__ import annotations

import numpy as np
import pandas as pd

from groupwise.catalogue.methods import method_label
from groupwise.report.calibration import JUDGEMENTS
from groupwise.report.facts import Facts
from groupwise.report.markdown import bullets, escape, table, tabset
from groupwise.words import count, equals_p, listing, p_value, span

FEW_DISPUTES = 2
"""So many fit into a sentence; more are listed."""

MOST_COLUMNS = 3
"""Comparisons in one table; more are divided among tabs."""

MOST_IN_TABS = 9
"""With more comparisons, the story has those with the reference; the details have all."""

WITHOUT_PERIODS = "mixed_no_periods"
"""Shown as a warning; no judge of other methods."""


def summary(facts: Facts) -> str:
    """On how many comparisons the methods agree, and where to read why they do not."""
    answering = _judges(facts)
    if len(answering) < 2:
        return _nothing_to_compare(answering)
    disputed = [c for c in facts.contrasts if len({bool(v) for v in _significant(facts, c)}) > 1]
    level = f"{100 * facts.alpha:g}% level"
    start = f"{len(answering)} methods answer (@tbl-effects, @fig-effects-forest)."
    if not disputed:
        return f"{start} At the {level} they agree on every comparison."
    which = f"on {len(disputed)} of {count(len(facts.contrasts), 'comparison')}"
    if len(facts.contrasts) == 1:
        which = "on its significance"
    return f"{start} At the {level} they disagree {which}; @sec-estimates says why."


def _nothing_to_compare(answering: list[str]) -> str:
    """That one method answers at most."""
    if answering:
        return "Only one method gives an answer here."
    return "No method gives an estimate of every comparison here."


def _judges(facts: Facts) -> list[str]:
    return [method for method in facts.answering if method != WITHOUT_PERIODS]


def _significant(facts: Facts, contrast: str) -> list[bool]:
    return [facts.estimates(m).loc[contrast, "p_value"] < facts.alpha for m in _judges(facts)]


def disagreement(facts: Facts) -> str:
    """Whether the methods agree on which comparisons are significant, and the dissenters."""
    answering = _judges(facts)
    if len(answering) < 2:
        return _nothing_to_compare(answering)
    disputed = []
    for contrast in facts.contrasts:
        p = {m: facts.estimates(m).loc[contrast, "p_value"] for m in answering}
        yes = [m for m in answering if p[m] < facts.alpha]
        no = [m for m in answering if m not in yes]
        if yes and no:
            disputed.append(
                f"**{escape(facts.comparison(contrast))}** is significant by {_with_p(yes, p)}, "
                f"not by {_with_p(no, p)}"
            )
    level = f"At the {100 * facts.alpha:g}% level"
    if not disputed:
        return f"{level} the {len(answering)} methods that answer agree on every comparison."
    if len(disputed) <= FEW_DISPUTES:
        return f"{level} the methods disagree: {'; '.join(disputed)}."
    return f"{level} the methods disagree:\n{bullets([f'{each}.' for each in disputed])}"


def _with_p(methods: list[str], p: dict[str, float]) -> str:
    """Methods with their p-values; many are counted, with the range of their p-values."""
    if len(methods) <= 3:
        return listing([f"{method_label(m)} ({equals_p(p[m])})" for m in methods])
    values = [p[m] for m in methods]
    return f"{len(methods)} methods (p from {p_value(min(values))} to {p_value(max(values))})"


def tabulated(facts: Facts) -> list[str]:
    """The comparisons of the story's table: all, or of very many those with the reference."""
    few = len(facts.contrasts) <= MOST_IN_TABS
    return facts.contrasts if few else facts.contrasts[: len(facts.arms) - 1]


def table_of_methods(facts: Facts) -> str:
    """Estimate, interval and p-value of every method that answers, by comparison; tabs where many."""
    tabled = tabulated(facts)
    parts = [tabled[j : j + MOST_COLUMNS] for j in range(0, len(tabled), MOST_COLUMNS)]
    if len(parts) == 1:
        return _table(facts, parts[0], "effects") + _silent(facts)
    tabs = []
    for j, contrasts in enumerate(parts):
        label = "effects" if j == 0 else f"effects-{chr(ord('a') + j)}"
        title = "; ".join(escape(facts.comparison(contrast)) for contrast in contrasts)
        tabs.append((title, _table(facts, contrasts, label)))
    return tabset(tabs) + _further(facts) + _silent(facts)


def _further(facts: Facts) -> str:
    """Where the comparisons are that the table leaves out."""
    left = len(facts.contrasts) - len(tabulated(facts))
    if not left:
        return ""
    reference = escape(facts.arms[0])
    return f"\nComparisons are those with {reference}; the other {left} are in @tbl-estimates.\n"


def _table(facts: Facts, contrasts: list[str], label: str) -> str:
    words = facts.words
    k = words.decimals(facts.results["estimates"]["std_error"].median())
    rows = []
    for method in facts.methods:
        at = facts.estimates(method).loc[contrasts]
        if at["estimate"].isna().all():
            continue
        name = method_label(method)
        cells = [_cell(facts, row, k) for _, row in at.iterrows()]
        rows.append(
            [f"**{name}**" if method == facts.headline else name, *cells, _valid(facts, method)]
        )
    headers = ["method", *(escape(facts.comparison(c)) for c in contrasts), "valid here"]
    caption = (
        f"{words.estimates()}{words.in_brackets()} with {facts.interval} intervals and p-values by "
        f"method, the method that leads in bold; and whether the method is valid in this design "
        f"(@sec-calibration)."
    )
    return table(headers, rows, label=label, caption=caption, text_columns=(0, len(contrasts) + 1))


def _cell(facts: Facts, row: pd.Series, decimals: int) -> str:
    words = facts.words
    if np.isnan(row["estimate"]):
        return "–"
    text = words.effect(row["estimate"], decimals)
    if not np.isnan(row["conf_low"]):
        ends = (words.effect(row[end], decimals) for end in ("conf_low", "conf_high"))
        text += f" ({span(*ends)})"
    return text if np.isnan(row["p_value"]) else f"{text}, {equals_p(row['p_value'])}"


def _valid(facts: Facts, method: str) -> str:
    judged = facts.results["verdict"]
    rows = judged[(judged["dgp"] == "normal") & (judged["method"] == method)]
    return "not simulated" if rows.empty else JUDGEMENTS[rows["judgement"].iloc[0]]


def _silent(facts: Facts) -> str:
    """Methods that have no row in the table."""
    names = [method_label(m) for m in facts.methods if facts.estimates(m)["estimate"].isna().all()]
    return f"\nNo answer: {listing(names)} (@sec-estimates says why).\n" if names else ""


def forest_caption(facts: Facts) -> str:
    """The caption of the forest."""
    true = facts.words.true_effect
    truth = f" The dashed line is the {true} of the simulation." if facts.truth else ""
    return (
        f"{facts.words.estimates()} with {facts.interval} intervals by method, the method that leads in "
        f"blue; crosses mark methods that are not valid in this design.{truth}"
    )
