"""The index page: every dataset with its headline."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import pandas as pd

from groupwise.catalogue.methods import method_label, method_phrase
from groupwise.effect_words import EffectWords
from groupwise.report import effects
from groupwise.report.calibration import JUDGEMENTS, verdict
from groupwise.report.facts import Facts
from groupwise.report.markdown import escape, escape_note, figure, table
from groupwise.words import (
    count,
    grouped,
    number,
    p_value,
    span,
)


def summary(every: Sequence[Facts]) -> str:
    """One row per dataset and comparison with the reference."""
    rows = []
    for facts in every:
        estimates = facts.estimates(facts.headline)
        for contrast in facts.contrasts[: len(facts.arms) - 1]:
            row = estimates.loc[contrast]
            words = facts.words
            k = words.decimals(row["std_error"])
            rows.append(
                [
                    f"[{escape(facts.design['title'])}]({facts.design['dataset']}.html)"
                    + (" (**warning**)" if facts.alerts else ""),
                    escape(facts.comparison(contrast)),
                    _with_kind(words, words.effect(row["estimate"], k)),
                    span(words.effect(row["conf_low"], k), words.effect(row["conf_high"], k)),
                    p_value(row["p_value"]),
                    method_label(facts.headline),
                    _valid(facts),
                ]
            )
    caption = (
        "Treatment effects against the reference arm by each report's headline method, and whether "
        "it is valid for that design."
    )
    headers = ["report", "comparison", "estimate", "interval", "p", "method", "valid"]
    return table(headers, rows, label="summary", caption=caption, text_columns=(0, 1, 5, 6))


def _with_kind(words: EffectWords, estimate: str) -> str:
    """An estimate, with what it is where that is no plain difference."""
    if not words.response.has_events:
        return estimate
    return f"{words.noun} {estimate}{words.unit}"


def _valid(facts: Facts) -> str:
    """The verdict on the headline method, in a word."""
    judged = facts.results["verdict"]
    rows = judged[(judged["dgp"] == "normal") & (judged["method"] == facts.headline)]
    return "not simulated" if rows.empty else JUDGEMENTS[rows["judgement"].iloc[0]]


def _warned(facts: Facts) -> str:
    """A mark that a report begins with a warning, and the first sentence of it."""
    if not facts.alerts:
        return ""
    more = f" (and {len(facts.alerts) - 1} more)" if len(facts.alerts) > 1 else ""
    return f"**Warning**{more}: {escape_note(facts.alerts[0])}\n\n"


def families(every: Sequence[Facts], adjusted: pd.DataFrame) -> str:
    """Per family, p-values as they are and by Holm over all tests, by its first headline method."""
    by_name, family_tables = {facts.design["dataset"]: facts for facts in every}, []
    for name, rows in adjusted.groupby("family"):
        lead = by_name[rows["dataset"].iloc[0]].headline
        family_tables.append(_family(str(name), rows[rows["method"] == lead], by_name))
    return "\n".join(family_tables)


def _family(name: str, part: pd.DataFrame, every: Mapping[str, Facts]) -> str:
    rows = []
    for row in part.to_dict("records"):
        words = every[row["dataset"]].words
        k = words.decimals(row["std_error"])
        rows.append(
            [
                escape(every[row["dataset"]].design["title"]),
                escape(words.comparison(row["contrast"])),
                _with_kind(words, words.effect(row["estimate"], k)),
                p_value(row["p_value"]),
                p_value(row["p_holm"]),
            ]
        )
    tests = count(int(part["n_tests"].iloc[0]), "comparison")
    caption = (
        f"Family {escape(name)}: {tests} tested together, by {method_phrase(part['method'].iloc[0])}; "
        f"the last column allows for all of them."
    )
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower())
    headers = ["outcome or subset", "comparison", "estimate", "p", "p (Holm)"]
    return table(headers, rows, label=f"family-{slug}", caption=caption, text_columns=2)


def entry(facts: Facts) -> str:
    """A dataset's title, size, disagreement, verdict and answer."""
    name, d = facts.design["dataset"], facts.design
    groups = escape(grouped(facts.design))
    size = f"{facts.size} in {groups}, {count(len(facts.arms), 'arm')}"
    icc = f", intraclass correlation {number(facts.icc, 2)}" if facts.icc == facts.icc else ""
    text = (
        f"\n## {escape(d['title'])}\n\n{_warned(facts)}{size}{icc}. {effects.disagreement(facts)}\n"
    )
    text += f"\n{verdict(facts)}\n\n[Read the report]({name}.html)\n"
    return text + figure(
        f"results/{name}/figures/answer.svg",
        label=f"answer-{name.replace('_', '-')}",
        caption=f"{escape(d['title'])}: every comparison by {method_phrase(facts.headline)}.",
        alt=facts.alt["answer"],
    )
