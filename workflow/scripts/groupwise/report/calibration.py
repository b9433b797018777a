"""How the methods behave in this design, and what an experiment like it would need."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from groupwise.catalogue.methods import METHODS, method_label, method_phrase
from groupwise.catalogue.processes import PROCESSES
from groupwise.report.facts import Facts
from groupwise.report.markdown import bullets, escape, escape_note, table
from groupwise.words import (
    article,
    count,
    fixed,
    listing,
    number,
    percent,
    plural,
    signed,
    span,
)

JUDGEMENTS = {
    "no answer": "does not apply",
    "fails": "often no answer",
    "invalid": "no",
    "open": "open",
    "conservative": "yes, conservative",
    "valid": "yes",
}
"""Is it valid here? By the names in `verdict.rules.JUDGEMENTS`."""

SOURCES = {
    "assumed": "the assumed effects",
    "true": "the true effects",
    "detectable": "effects such as a design like this should find",
}

SHOWN_VALID = tuple(name for name, word in JUDGEMENTS.items() if word.startswith("yes"))
"""Judgements of methods that are shown to be valid."""

MOST_FAILED_SHOWN = 0.0005


def verdict(facts: Facts) -> str:
    """Why this method is the headline method, in sentences that can be quoted."""
    return " ".join(escape(sentence) for sentence in facts.verdict["sentences"])


def counted(facts: Facts) -> str:
    """How many methods are valid in this design, and how many are not."""
    judged = facts.results["verdict"]
    judged = judged[(judged["dgp"] == "normal") & judged["method"].isin(facts.answering)]
    if judged.empty:
        return ""
    invalid = judged[judged["judgement"] == "invalid"]
    n_valid = int(judged["judgement"].isin(SHOWN_VALID).sum())
    n_open = int((judged["judgement"] == "open").sum())
    verb = "is" if n_valid < 2 else "are"
    text = (
        f"Of {count(len(judged), 'method')} that answer, {n_valid or 'none'} {verb} shown to be "
        f"valid here"
    )
    if n_open:
        text += f", for {n_open} it is open"
    if invalid.empty:
        return f"{text}, and none is shown to be invalid."
    worst = invalid.loc[invalid["highest"].idxmax()]
    low, high = (fixed(100 * worst[end], 1) for end in ("rate_low", "rate_high"))
    are = "is" if len(invalid) == 1 else "are"
    return (
        f"{text}, and {len(invalid)} {are} not. The highest type I error rate is that of "
        f"{method_phrase(worst['method'])}: between {low}% and {high}% in the worst scenario."
    )


def caption(facts: Facts) -> str:
    """The caption of the simulated rates."""
    return (
        "Simulated rates, a dot for each comparison and intraclass correlation. Left: type I error "
        "rates; the bands are two Monte Carlo standard errors about the nominal level. Right: power for "
        f"the simulated effects. Power counts only where the type I error rate is at the nominal level "
        f"({percent(facts.verdict['rules']['level'])}) or below."
    )


def curves_caption(facts: Facts) -> str:
    """The caption of the power curves."""
    group = plural(escape(facts.role("group")))
    return (
        f"Power by the number of {group}, by calculation. Colours are intraclass correlations, the "
        f"estimate and the ends of its interval; dashes are other sizes of {group}. The dotted line is "
        f"the experiment at hand, the level line the wanted power."
    )


def simulated(facts: Facts) -> str:
    """The simulation behind the calibration: what was held fixed, scenarios, replicates."""
    simulation = facts.calibration
    if not simulation["simulated"]:
        return f"Nothing was simulated. {escape(simulation['message'])}"
    group, outcome = plural(escape(facts.role("group"))), escape(facts.outcome)
    scenarios = [each for each in simulation["scenarios"] if each["dgp"] == "normal"]
    iccs = sorted({each["icc"] for each in scenarios})
    values = listing([f"{icc:.2f}" for icc in iccs])
    kept = [f"{group}, their sizes and arms"]
    if facts.design["n_blocks"]:
        kept[0] += f", {plural(escape(facts.role('block')))}"
    if facts.design["roles"]["covariates"]:
        kept[0] += " and covariates"
    if facts.periods is not None:
        kept[0] += ", periods with their estimated means"
    effects = listing(
        [
            f"{escape(facts.comparison(f'{arm} - {facts.arms[0]}'))}: {_simulated_effect(facts, value)}"
            for arm, value in simulation["effects"].items()
            if arm != facts.arms[0]
        ]
    )
    return (
        f"The design was held fixed ({kept[0]}), new values of {outcome} were drawn {_drawn(facts)}, "
        f"and every method answered by the code that answered for the data: "
        f"{_amount(simulation['replicates'])} times in each scenario without an effect"
        f"{_amounts_of_slow(simulation, facts.has_one_intercept)}, up to "
        f"{simulation['effect_replicates']['most']:,} times with one. Scenarios are intraclass "
        f"correlations of {values} (0, the estimate and the ends of its interval), each without any "
        f"effect and with {SOURCES[simulation['effects_are']]} ({effects}). {_rule(facts)}"
        f"{_left_out(simulation['left_out'])}{_two_values(facts)}"
    )


def _drawn(facts: Facts) -> str:
    """What new outcomes were drawn from."""
    scale = {"continuous": "", "binary": "log odds", "count": "logarithm of their rate"}
    if not facts.words.response.has_events:
        return "by the mixed model"
    groups = plural(escape(facts.role("group")))
    return f"as events, with effects of {groups} on the {scale[facts.words.response.family]}"


def _simulated_effect(facts: Facts, value: float) -> str:
    """An effect of the simulation: in its shortest form, of events to three digits."""
    words = facts.words
    return words.short(value) if words.response.has_events else signed(round(value, 4))


def _two_values(facts: Facts) -> str:
    """What the rates are not about, where the outcome happened or did not."""
    if facts.words.response.has_events or not facts.design["outcome"].get("two_values"):
        return ""
    return (
        f" Simulated outcomes are normal, and {escape(facts.outcome)} has two values only: these rates "
        f"are those of a normal outcome with the same variances."
    )


def _amounts_of_slow(simulation: Mapping[str, Any], one_intercept: bool) -> str:
    """How often methods were asked whose replicates cost more."""
    slow = "methods that draw at random"
    slowest = "the bootstrap of the mixed model"
    if not one_intercept:
        slow += " and mixed models"
        slowest = f"profile likelihood and {slowest}"
    first, last = simulation["slow_replicates"], simulation["slowest_replicates"]
    if first["most"] == 0:
        return f" ({slow} were not simulated)"
    if simulation["replicates"] == first == last:
        return ""
    among = "" if first == last else f", {slowest} {_amount(last)}"
    return f" ({slow}: {_amount(first)}{among}; draws: {simulation['draws']:,} each)"


def _amount(replicates: Mapping[str, int]) -> str:
    least, most = replicates["least"], replicates["most"]
    return f"{most:,}" if least == most else f"{least:,} to {most:,}"


def _rule(facts: Facts) -> str:
    """How a rate becomes a judgement, and what `open` means."""
    rules = facts.verdict["rules"]
    level, once = rules["level"], round(1 / rules["error"])
    return (
        f"A method is valid if its type I error rate is at the nominal level ({percent(level)}) or "
        f"below: a scenario without an effect is simulated until the rate is shown to be above "
        f"{fixed(100 * rules['invalid_above'], 1)}% (not valid) or below "
        f"{fixed(100 * rules['valid_below'], 1)}% (valid); each of the two errs in at most one of "
        f"{once:,} runs. Where the replicates end before that, the judgement is open, which does not "
        f"count against a method. Rates are given as intervals that allow for the number of "
        f"replicates, of scenarios and of comparisons."
    )


def _left_out(departures: Sequence[str]) -> str:
    if not departures:
        return ""
    named = listing([PROCESSES[each] for each in departures])
    return f" The design is too large to simulate it where {named}."


def methods(facts: Facts) -> str:
    """Table by method: whether it is valid, error rate, coverage, power, width, failures."""
    judged = facts.results["verdict"]
    judged = judged[judged["dgp"] == "normal"]
    if judged.empty:
        return ""
    cover, width = _coverage(facts), _widths(facts)
    rows = []
    for row in judged.to_dict("records"):
        method = row["method"]
        rows.append(
            [
                method_label(method),
                JUDGEMENTS[row["judgement"]],
                _range(row["rate_low"], row["rate_high"]),
                cover.get(method, "–"),
                "–" if np.isnan(row["power"]) else f"{100 * row['power']:.0f}%",
                width.get(method, "–"),
                _failed(row),
            ]
        )
    silent = [method for method in facts.methods if method not in set(judged["method"])]
    rows += [[method_label(method), "not simulated", *["–"] * 5] for method in silent]
    headers = [
        "method",
        "valid here",
        "type I error rate",
        "coverage",
        "power",
        "width of intervals (logarithm)" if facts.words.response.is_ratio else "width of intervals",
        "no answer",
    ]
    caption = (
        f"Behaviour in this design: Monte Carlo interval of the greatest type I error rate over "
        f"scenarios and comparisons (nominally {percent(facts.verdict['rules']['level'])}); least and "
        f"greatest coverage (nominally {facts.interval}); power and mean width of "
        f"intervals{facts.words.in_brackets()} at the "
        f"intraclass correlation next to the estimate, means over comparisons. Each rate with its "
        f"Monte Carlo standard error and number of replicates stands in `calibration.csv`."
    )
    data = {"data": judged, "path": f"results/{facts.design['dataset']}/verdict.csv"}
    return table(headers, rows, label="calibration", caption=caption, text_columns=2, **data)


def _failed(row: dict[str, Any]) -> str:
    """The share of outcomes without an answer, of methods that give any."""
    if row["judgement"] == "no answer" or row["failed"] < MOST_FAILED_SHOWN:
        return "–"
    return f"{100 * row['failed']:.1f}%"


def _normal(facts: Facts, measure: str) -> pd.DataFrame:
    data = facts.results["calibration"]
    return data[(data["dgp"] == "normal") & (data["measure"] == measure) & data["value"].notna()]


def _coverage(facts: Facts) -> dict[str, str]:
    by = _normal(facts, "coverage").groupby("method")["value"]
    return {str(name): _range(values.min(), values.max()) for name, values in by}


def _widths(facts: Facts) -> dict[str, str]:
    rows = _normal(facts, "width")
    if rows.empty or not np.isfinite(facts.icc):
        return {}
    near = rows["icc"].iloc[(rows["icc"] - facts.icc).abs().argmin()]
    words = facts.words
    return {
        str(name): number(100 * values.mean() if words.in_percent else values.mean())
        for name, values in rows[rows["icc"] == near].groupby("method")["value"]
    }


def _range(low: float, high: float) -> str:
    if not np.isfinite([low, high]).all():
        return "–"
    ends = [f"{100 * each:.1f}" for each in (low, high)]
    return f"{ends[0]}%" if ends[0] == ends[1] else span(ends[0], f"{ends[1]}%")


def departures(facts: Facts) -> str:
    """Error rates of the headline method where outcomes break the model's assumptions."""
    sentences = facts.verdict["departures"]
    if not sentences:
        return ""
    return (
        "Outcomes need not be as the mixed model has them. Simulated without an effect, at the "
        f"estimated intraclass correlation:\n{bullets([escape(each) for each in sentences])}"
    )


def disagreements(facts: Facts) -> str:
    """Comparisons on whose significance the methods disagree, each with the reason."""
    comparisons = facts.verdict["disagreements"]
    if not comparisons:
        return ""
    return bullets([escape(each["sentence"]) for each in comparisons])


# ---- planning ------------------------------------------------------------------------------------


def detectable(facts: Facts) -> str:
    """Power of the headline method at the estimated ICC, and its minimum detectable effect."""
    rows = _planned(facts, "at_hand")
    headline = rows[(rows["method"] == facts.headline) & rows["power"].notna()]
    if headline.empty:
        reason = rows.loc[rows["method"] == facts.headline, "message"]
        if reason.empty:
            return "No power was computed for this design."
        return f"No power is computed for {method_phrase(facts.headline)}. {escape(reason.iloc[0])}"
    first, words = headline.iloc[0], facts.words
    what = article(words.noun)
    effects = _furthest(facts, headline)
    planned = _planned_from(facts, first)
    text = (
        f"By {method_phrase(facts.headline)} this design has a power of {_chance(headline, 'estimate')} "
        f"for {what} of {_effect(facts, first)}. {f'{planned} ' if planned else ''}Its minimum "
        f"detectable effect, with a power of {percent(first['wanted_power'])}, is {what} of "
        f"{words.short(effects['estimate'])}."
    )
    if {"low", "high"} <= set(effects.index):
        text += (
            f" Over the interval of the intraclass correlation it runs from "
            f"{words.bare(effects['low'])} to {words.short(effects['high'])}."
        )
    return text


def _furthest(facts: Facts, rows: pd.DataFrame) -> pd.Series:
    """The minimum detectable effect of each scenario: of several comparisons the largest."""
    effects = rows.assign(size=facts.words.steps(rows["minimum_detectable_effect"], 1.0, 1.0).abs())
    if not facts.words.response.is_ratio:
        effects = rows.assign(size=rows["minimum_detectable_effect"].abs())
    largest = effects.sort_values("size", kind="stable").groupby("scenario", sort=False).last()
    return largest["minimum_detectable_effect"]


def _planned_from(facts: Facts, row: pd.Series) -> str:
    """From which risk or rate to which the effect leads; empty for other outcomes."""
    if not facts.words.response.has_events:
        return ""
    mean = facts.words.mean
    return (
        f"{escape_note(str(row['message']))} Unless an effect was named beforehand, these are the "
        f"{plural(mean)} of the arms in these data."
    )


def _effect(facts: Facts, row: pd.Series) -> str:
    words = facts.words
    return (
        words.short(row["effect"])
        if words.response.has_events
        else signed(float(f"{row['effect']:.4g}"))
    )


def _chance(rows: pd.DataFrame, scenario: str) -> str:
    power = rows.loc[rows["scenario"] == scenario, "power"]
    low, high = percent(power.min()), percent(power.max())
    return low if low == high else f"{low} to {high}"


def _planned(facts: Facts, question: str) -> pd.DataFrame:
    data = facts.results["planning"]
    return data[data["question"] == question]


def needed(facts: Facts) -> str:
    """Table by method: power at hand, minimum detectable effect, groups or members needed."""
    first = "estimate"
    here, groups, size = (_planned(facts, f"{name}") for name in QUESTIONS)
    parts = [
        dict(list(part[part["scenario"] == first].groupby("method")))
        for part in (here, groups, size)
    ]
    rows = []
    for method in METHODS:
        at, more, larger = (part.get(method, here[:0]) for part in parts)
        if at.empty or at["power"].isna().all():
            continue
        rows.append(
            [
                method_label(method),
                fixed(100 * at["level"].max(), 1) + "%",
                _chance(at, first),
                facts.words.bare(_furthest(facts, at)[first]),
                _whole(more, "n_groups"),
                _whole(larger, "size"),
            ]
        )
    if not rows:
        return ""
    one, group = here.iloc[0], escape(facts.role("group"))
    headers = [
        "method",
        "true level",
        "power at hand",
        "minimum detectable effect",
        f"{plural(group)} needed",
        f"or members of each {group}",
    ]
    caption = (
        f"Planning by calculation, not simulation: the power to find {article(facts.words.noun)} of "
        f"{_effect(facts, one)}, "
        f"the effect found with a power of {percent(one['wanted_power'])}, and how many "
        f"{plural(group)} of the present size in all, or how large as many {plural(group)} as there "
        f"are, would give that power. A dash: no number up to 2,000 does. A method whose true level "
        f"is above {percent(one['nominal_level'])} only seems to need less."
    )
    path = f"results/{facts.design['dataset']}/planning.csv"
    data = pd.concat([here, groups, size], ignore_index=True)
    return table(headers, rows, label="planning", caption=caption, data=data, path=path)


QUESTIONS = ("at_hand", "groups_needed", "size_needed")


def _whole(rows: pd.DataFrame, column: str) -> str:
    values = rows[column].dropna()
    return f"{values.iloc[0]:,.0f}" if len(values) and rows["power"].notna().any() else "–"


def plan(facts: Facts) -> str:
    """Groups needed for the wanted power, at the estimated ICC and over its interval."""
    rows = _planned(facts, "groups_needed").set_index("scenario")
    headline = rows[(rows["method"] == facts.headline) & rows["power"].notna()]
    if "estimate" not in headline.index:
        return ""
    group, row = escape(facts.role("group")), headline.loc["estimate"]
    text = (
        f"To find {article(facts.words.noun)} of {_effect(facts, row)} with a power of "
        f"{percent(row['wanted_power'])}, an "
        f"experiment like this one would need {count(int(row['n_groups']), group)} in all"
    )
    if {"low", "high"} <= set(headline.index):
        ends = sorted(int(headline.loc[name, "n_groups"]) for name in ("low", "high"))
        text += f" ({ends[0]:,} to {ends[1]:,} over the interval of the intraclass correlation)"
    return f"{text}; it has {facts.design['n_groups']:,}. {_more_members(facts)}"


def _more_members(facts: Facts) -> str:
    rows = _planned(facts, "size_needed")
    headline = rows[(rows["method"] == facts.headline) & (rows["scenario"] == "estimate")]
    group = escape(facts.role("group"))
    if headline.empty or not facts.between:
        return ""
    if np.isfinite(headline["power"].iloc[0]):
        size = headline["size"].iloc[0]
        return (
            f"With as many {plural(group)} as now, {size:,.0f} {facts.rows} in each would suffice."
        )
    return (
        f"More {facts.rows} in each {group} would not suffice: differences between {plural(group)} do "
        f"not average out within {article(group)}."
    )
