"""What a paper needs, to copy: items to report, a methods paragraph, results, two tables.

Items are those of the extension of CONSORT to cluster randomised trials (Campbell et al. 2012)
that follow from the data; the others are the author's.
"""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from groupwise.catalogue.methods import METHODS, method_phrase
from groupwise.report import events, participants, quotable
from groupwise.report.facts import Facts
from groupwise.report.markdown import escape, table
from groupwise.words import capital, count, fixed, listing, number, p_value, plural, span

SOURCES = {
    "kenward_roger": "kenward1997; @halekoh2014",
    "satterthwaite": "kuznetsova2017",
    "wild_bootstrap": "cameron2008; @mackinnon2023",
    "cr2": "imbens2016; @pustejovsky2018",
    "cr3": "pustejovsky2018",
    "mancl_derouen": "mancl2001",
    "bias_reduced": "mancl2001",
    "kauermann_carroll": "kauermann2001",
    "fay_graubard": "faygraubard2001",
    "randomization_residuals": "gail1996",
    "randomization": "wuding2021",
    "likelihood": "pinheirobates1995",
    "profile": "pinheirobates2000",
}
"""Where a method comes from, by the end of its name; the first that fits."""

ROUNDED = 3
"""Decimals of an intraclass correlation."""


# ---- items ---------------------------------------------------------------------------------------


def consort(facts: Facts) -> str:
    """The items for cluster trials that follow from the data, as a table."""
    items = [
        ("Numbers at each stage (13a)", "@tbl-flow, by arm"),
        ("Losses after assignment (13b)", _losses(facts)),
        ("Baseline data (15)", "@tbl-paper-arms"),
        ("Numbers analysed (16)", _analysed(facts)),
        (f"Size of {plural(escape(facts.role('group')))}", _sizes(facts)),
        ("Intraclass correlation (17a)", _correlation(facts)),
        ("Effects with precision (17a)", "@tbl-paper-effects"),
        ("Unadjusted effects (17a, 18)", _unadjusted(facts)),
        ("Design and clustering in the analysis (12a)", capital(method_phrase(facts.headline))),
    ]
    if facts.words.response.family == "binary":
        items.insert(-1, ("Absolute and relative effects (17b)", _absolute(facts)))
    caption = (
        "Items of CONSORT for cluster trials that follow from the data, with their numbers "
        "[@campbell2012]."
    )
    rows = [list(item) for item in items]
    return table(["item", "to report"], rows, label="consort", caption=caption, text_columns=2)


def _losses(facts: Facts) -> str:
    reasons = facts.design["dropped"]
    if not reasons:
        return f"No losses: all {facts.design['n_read']:,} rows were analysed"
    return listing([f"{n:,} {_why(reason)}" for reason, n in reasons.items()])


def _why(reason: str) -> str:
    return f"with {escape(reason)}" if reason.endswith(" missing") else escape(reason)


def _analysed(facts: Facts) -> str:
    group = escape(facts.role("group"))
    return "; ".join(
        f"{escape(arm)}: {count(size['n_groups'], group)}, {count(size['n_obs'], facts.row)}"
        for arm, size in facts.design["arms"].items()
    )


def _sizes(facts: Facts) -> str:
    """Mean, range and coefficient of variation of the sizes of groups."""
    size, n = facts.design["group_size"], facts.group_effects["n_obs"].to_numpy(dtype=float)
    if size["min"] == size["max"]:
        return f"{size['min']:,} {facts.rows} each"
    text = f"mean {number(size['mean'])}, range {size['min']:,} to {size['max']:,}"
    if len(n) > 1:
        text += f", coefficient of variation {fixed(n.std(ddof=1) / n.mean(), 2)}"
    return text


def _correlation(facts: Facts) -> str:
    component = facts.group_component
    if component is None or not np.isfinite(facts.icc):
        return "not estimated"
    text = fixed(facts.icc, ROUNDED)
    limits = [component["icc_low"], component["icc_high"]]
    if np.isfinite(limits).all() and facts.has_one_intercept:
        text += f" ({facts.interval} interval {span(*(fixed(x, ROUNDED) for x in limits))})"
    return text + ", by REML"


def _unadjusted(facts: Facts) -> str:
    """The effects without covariates, where there are any."""
    covariates = facts.design["roles"]["covariates"]
    if not covariates:
        return "No covariates: effects are unadjusted"
    rows = facts.results["sensitivity"]
    rows = rows[(rows["kind"] == "covariates") & (rows["variant"] == "without covariates")]
    rows = rows[rows["estimate"].notna()]
    if rows.empty:
        return "No method gives them here"
    method = facts.headline if facts.headline in set(rows["method"]) else rows["method"].iloc[0]
    return "; ".join(
        f"{escape(facts.comparison(str(row['contrast'])))} {_effect(facts, row)}"
        for _, row in rows[rows["method"] == method].iterrows()
    )


def _absolute(facts: Facts) -> str:
    if facts.words.response.scale == "difference":
        return "Risks of the arms and their difference: @tbl-paper-effects"
    return f"Risks of the arms and their {facts.words.noun}: @tbl-paper-effects"


def _effect(facts: Facts, row: pd.Series) -> str:
    words = facts.words
    k = words.decimals(row["std_error"])
    low, high = (words.effect(row[end], k) for end in ("conf_low", "conf_high"))
    return f"{words.effect(row['estimate'], k)}{words.unit} ({span(low, high)})"


# ---- paragraphs ----------------------------------------------------------------------------------


def methods(facts: Facts) -> str:
    """A methods paragraph with citations."""
    group, groups = escape(facts.role("group")), plural(escape(facts.role("group")))
    d = facts.design
    covariates = [escape(name) for name in d["roles"]["covariates"]]
    adjusted = f", adjusted for {listing(covariates)}" if covariates else ""
    blocks = ""
    if d["n_blocks"]:
        blocks = (
            f" {capital(plural(escape(facts.role('block'))))} entered as {d['blocks_as']} effects."
        )
    has_events = facts.words.response.has_events
    effects = facts.words.plural_noun if has_events else "differences"
    text = (
        f"**Methods.** Arms were compared by {method_phrase(facts.headline)}{_source(facts.headline)}, "
        f"which allows for the correlation of {facts.rows} of one {group}{adjusted}.{blocks} Effects "
        f"are {effects} with {facts.interval} confidence intervals; p-values are two-sided, at a level "
        f"of {100 * facts.alpha:g}%."
    )
    if facts.verdict["calibrated"] and not facts.verdict["chosen"]:
        text += (
            f" The method was selected by its type I error rate and power in simulations of this "
            f"design [@morris2019], which use the sizes and arms of the {groups} and the estimated "
            f"variances, but neither estimates nor p-values of the effects."
        )
    return f"{text} Analyses were made with Groupwise{_versions(facts)}.\n"


def _source(method: str) -> str:
    source = next((key for end, key in SOURCES.items() if method.endswith(end)), None)
    if source is None and METHODS[method].specification == "mixed":
        source = "bates2015"
    return f" [@{source}]" if source else ""


def _versions(facts: Facts) -> str:
    python = facts.provenance.get("python")
    return f" in Python {python}" if python else ""


def results(facts: Facts) -> str:
    """Sentences on results, each with its statistic."""
    sentences = quotable.sentences(facts)
    return f"**Results.**\n{sentences}" if sentences else ""


# ---- tables --------------------------------------------------------------------------------------


def table_1(facts: Facts) -> str:
    """Baseline by arm."""
    headers = ["characteristic", *(escape(arm) for arm in facts.arms)]
    caption = "Table 1. " + _caption_1(facts)
    return table(headers, participants.baseline_rows(facts), label="paper-arms", caption=caption)


def _caption_1(facts: Facts) -> str:
    return (
        f"Baseline by {escape(facts.role('treatment'))}: mean (standard deviation) of numbers, number "
        f"(share of the {facts.rows}) of categories."
    )


def table_2(facts: Facts) -> str:
    """Means of both arms, effect with interval and p-value, by comparison."""
    estimates, means = facts.estimates(facts.headline), facts.means(facts.headline)
    rows = []
    for contrast, arms in zip(facts.contrasts, events.pairs(facts), strict=True):
        row = estimates.loc[contrast]
        levels = [_level(facts, means, arm) for arm in arms]
        effect = "–" if np.isnan(row["estimate"]) else _effect(facts, row)
        rows.append([escape(facts.comparison(contrast)), *levels, effect, p_value(row["p_value"])])
    words = facts.words
    headers = ["comparison", "first arm", "second arm", f"{words.noun} ({facts.interval} CI)", "p"]
    adjusted = " Adjusted for covariates." if facts.design["roles"]["covariates"] else ""
    caption = (
        f"Table 2. Effects of {escape(facts.role('treatment'))} on {escape(facts.outcome)} by "
        f"{method_phrase(facts.headline)}: {words.mean}s of both arms, {words.noun} and confidence "
        f"interval (CI).{adjusted}"
    )
    return table(headers, rows, label="paper-effects", caption=caption)


def _level(facts: Facts, means: pd.DataFrame, arm: str) -> str:
    if means.empty or not np.isfinite(means.loc[arm, "estimate"]):
        return "–"
    error = means.loc[arm, "std_error"]
    k = facts.words.mean_decimals(error) if np.isfinite(error) else 2
    return facts.words.level(means.loc[arm, "estimate"], k)


def files(facts: Facts) -> str:
    """Where the same stands as Word and LaTeX."""
    dataset = facts.design["dataset"]
    return (
        f"The same for a word processor and for LaTeX: `reports/rendered/{dataset}_tables.docx` and "
        f"`reports/rendered/{dataset}_tables.tex`.\n"
    )


# ---- a document of its own -------------------------------------------------------------------------

REFERENCE = re.compile(r"@tbl-([a-z-]+)")
NAMES = {"flow": "Table 3", "paper-arms": "Table 1", "paper-effects": "Table 2"}


def document(facts: Facts) -> str:
    """Markdown of the items, paragraphs and tables as a document without cross-references."""
    parts = [
        f"# {escape(str(facts.design['title']))}",
        methods(facts),
        results(facts),
        table_1(facts),
        table_2(facts),
        participants.flow(facts).replace(": From the file", ": Table 3. From the file"),
        consort(facts),
    ]
    text = "\n\n".join(filter(None, parts))
    text = REFERENCE.sub(lambda match: NAMES.get(match[1], "the report"), text)
    return re.sub(r" \{#tbl-[a-z-]+\}$", "", text, flags=re.MULTILINE)
