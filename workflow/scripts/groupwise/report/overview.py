"""The index page: every dataset with its headline."""

from __future__ import annotations

from collections.abc import Sequence

from groupwise.report import prose
from groupwise.report.facts import Facts
from groupwise.report.markdown import escape, figure, table
from groupwise.words import (
    contrast_label,
    count,
    decimals_for,
    fixed,
    method_label,
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
            k = decimals_for(row["std_error"])
            rows.append(
                [
                    f"[{escape(facts.design['title'])}]({facts.design['dataset']}.html)",
                    escape(contrast_label(contrast)),
                    fixed(row["estimate"], k),
                    span(fixed(row["conf_low"], k), fixed(row["conf_high"], k)),
                    p_value(row["p_value"]),
                ]
            )
    method = method_label(every[0].headline)
    caption = f"Treatment effects against the reference arm by the headline method ({method})."
    headers = ["report", "comparison", "estimate", "interval", "p"]
    return table(headers, rows, label="summary", caption=caption, text_columns=2)


def entry(facts: Facts) -> str:
    """A dataset's title, size, verdict and forest."""
    name, d = facts.design["dataset"], facts.design
    groups = f"{count(d['n_groups'], 'group')} ({escape(facts.role('group'))})"
    size = f"{count(d['n_obs'], 'individual')} in {groups}, {count(len(facts.arms), 'arm')}"
    icc = f", intraclass correlation {number(facts.icc, 2)}" if facts.icc == facts.icc else ""
    text = f"\n## {escape(d['title'])}\n\n{size}{icc}. {prose.disagreement(facts)}\n"
    text += f"\n[Read the report]({name}.html)\n"
    return text + figure(
        f"results/{name}/figures/effects_forest.svg",
        label=f"forest-{name.replace('_', '-')}",
        caption=f"{escape(d['title'])}: the effect by every method.",
        alt=facts.alt["effects_forest"],
    )
