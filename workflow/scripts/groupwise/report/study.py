"""The page of the general study: which methods keep the nominal level, and in which designs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from groupwise.catalogue.methods import LARGE_SAMPLE, method_label, method_order, method_phrase
from groupwise.report.markdown import bullets, figure, table
from groupwise.report.tables import commit
from groupwise.words import capital, contrast_label, count, fixed, listing, signed, span

JUDGED = {
    "invalid": "no",
    "fails": "often no answer",
    "open": "open",
    "conservative": "yes, conservative",
    "valid": "yes",
}
"""Is it valid in a design?"""


@dataclass(frozen=True)
class StudyFacts:
    """The study: table `study_rates`, study.json, and the figures' alt texts."""

    rates: pd.DataFrame
    overview: Mapping[str, Any]
    alt: Mapping[str, str]

    @property
    def level(self) -> float:
        return float(self.overview["rules"]["level"])

    @cached_property
    def null(self) -> pd.DataFrame:
        """Rejection rates of every method in every design without an effect."""
        rows = self.rates[(self.rates["effect"] == 0) & self.rates["rate"].notna()]
        return rows.reset_index(drop=True)

    @cached_property
    def power(self) -> pd.DataFrame:
        """Power of every method in every design, with the judgement of its level there."""
        rows = self.rates[(self.rates["effect"] != 0) & self.rates["rate"].notna()]
        keys = [*CELL, "method"]
        judged = self.null.set_index(keys)["judgement"].rename("level_judged")
        return rows.join(judged, on=keys).reset_index(drop=True)

    @property
    def designs(self) -> int:
        """Designs that were simulated, effects apart."""
        return len(self.rates.loc[self.rates["effect"] == 0, list(CELL)].drop_duplicates())

    @property
    def methods(self) -> list[str]:
        """Methods with an answer, in their order."""
        return sorted(self.null["method"].unique(), key=method_order)

    def invalid(self, method: str) -> pd.DataFrame:
        """The designs in which a method does not keep the nominal level, the worst first."""
        rows = self._judged(method, "invalid")
        return rows.sort_values("rate", ascending=False, kind="stable")

    def silent(self, method: str) -> pd.DataFrame:
        """The designs in which a method too often has no answer."""
        return self._judged(method, "fails")

    def _judged(self, method: str, judgement: str) -> pd.DataFrame:
        of_method = self.null["method"] == method
        return self.null[of_method & (self.null["judgement"] == judgement)]

    @property
    def sound(self) -> list[str]:
        """Methods that no design shows to be invalid."""
        bad = self.null.loc[self.null["judgement"].isin(("invalid", "fails")), "method"]
        return [method for method in self.methods if method not in set(bad)]

    @property
    def example(self) -> Mapping[str, float]:
        example: Mapping[str, float] = self.overview["example"]
        return example

    def in_example(self, rows: pd.DataFrame) -> pd.DataFrame:
        """The rows of the example design, by method."""
        for name in CELL:
            rows = rows[rows[name] == self.example[name]]
        return rows.set_index("method")


CELL = ("groups_per_arm", "size", "imbalance", "icc")


def percent(share: float) -> str:
    """One decimal: 4.9%."""
    return f"{fixed(100 * share, 1)}%"


def cell(row: Mapping[str, Any]) -> str:
    """A design in words: `3 groups of 5 an arm of unequal size, ICC 0.2`."""
    unequal = f", sizes varying by {row['imbalance']:g}" if row["imbalance"] else ""
    groups = count(int(row["groups_per_arm"]), "group")
    return f"{groups} of {row['size']:g} an arm{unequal}, ICC {row['icc']:g}"


# ---- the answer ----------------------------------------------------------------------------------


def answer(facts: StudyFacts) -> str:
    """Which methods keep the nominal level everywhere, and how far the others are off at worst."""
    sound, designs = facts.sound, _in_every(facts)
    if not facts.methods:
        return "No method gave an answer."
    if not sound:
        return (
            f"**No method keeps the nominal level of {_level(facts)} {designs}.** {_worst(facts)}"
        )
    names = capital(listing([method_phrase(method) for method in sound]))
    verb = "keep the nominal level" if len(sound) > 1 else "keeps the nominal level"
    text = f"**{names} {verb} of {_level(facts)} {designs}, as far as these simulations show.**"
    if len(sound) == len(facts.methods):
        return f"{text} No method fails."
    return f"{text} {_others(facts)} {_worst(facts)}"


def _level(facts: StudyFacts) -> str:
    return f"{100 * facts.level:g}%"


def _in_every(facts: StudyFacts) -> str:
    designs = facts.designs
    return "in the one design simulated" if designs == 1 else f"in all {designs:,} designs"


def _others(facts: StudyFacts) -> str:
    """What is wrong with the methods that are not sound."""
    invalid = sum(not facts.invalid(method).empty for method in facts.methods)
    silent = len(facts.methods) - len(facts.sound) - invalid
    failings = []
    if invalid:
        failings.append(f"{invalid} {'does' if invalid == 1 else 'do'} not")
    if silent:
        failings.append(f"{silent} {_has(silent)} too often no answer in some design")
    return f"Of the others {listing(failings)}."


def _has(n: int) -> str:
    return "has" if n == 1 else "have"


def _worst(facts: StudyFacts) -> str:
    """The highest rate of type I error rate over all methods and designs."""
    row = facts.null.loc[facts.null["rate"].idxmax()]
    return (
        f"The highest type I error rate is that of {method_phrase(row['method'])}: "
        f"{percent(row['rate'])} ({cell(row)})."
    )


def simulated(facts: StudyFacts) -> str:
    """What was simulated, how often, and what a rate has to be to hold."""
    study, rules = facts.overview, facts.overview["rules"]
    slow = ""
    if study["slow_replicates"] < study["replicates"]:
        slow = (
            f" (methods that draw at random: {study['slow_replicates']:,}, with {study['draws']:,} "
            f"draws each)"
        )
    values = {name: sorted(facts.rates[name].unique()) for name in CELL}
    text = {name: listing([f"{each:g}" for each in levels]) for name, levels in values.items()}
    return (
        f"Experiments of {count(study['arms'], 'arm')}, given to whole groups: {text['groups_per_arm']} "
        f"groups an arm, {text['size']} members a group on average, group sizes with a coefficient of "
        f"variation of {text['imbalance']}, intraclass correlations (ICC) of {text['icc']}. That "
        f"makes {count(facts.designs, 'design')}, each without any effect and with one of "
        f"{signed(study['effect'])} standard deviations between the arms that differ most. Outcomes are "
        f"normal, by the mixed model, and drawn {study['replicates']:,} times for each{slow}. A method "
        f"is valid in a design if its type I error rate is shown to be below "
        f"{percent(rules['valid_below'])}, and invalid if it is shown to be above "
        f"{percent(rules['invalid_above'])}; each of the two errs in at most one of "
        f"{round(1 / rules['error']):,} runs, and what is not shown is open. Without an effect rates "
        f"are means over comparisons; their standard errors, {_noise(facts)}, are those of a single "
        f"comparison, so rather too large."
    )


def _noise(facts: StudyFacts) -> str:
    """Monte Carlo standard errors of a rate at its nominal value, in percentage points."""
    spread = facts.level * (1 - facts.level)
    amounts = [facts.overview["replicates"], facts.overview["slow_replicates"]]
    points = [fixed(100 * float(np.sqrt(spread / each)), 1) for each in amounts if each]
    if len(set(points)) == 1:
        return f"{points[0]} points at the level"
    return f"{points[0]} points at the level ({points[1]} for methods that draw)"


# ---- who fails where -----------------------------------------------------------------------------


def failing(facts: StudyFacts) -> str:
    """One line per method that exceeds the nominal level: in how many designs, where, how far off."""
    sentences = []
    for method in facts.methods:
        invalid, silent = facts.invalid(method), facts.silent(method)
        if len(invalid):
            sentences.append(_failure(facts, method, invalid))
        if len(silent):
            sentences.append(_silence(method, silent))
    if not sentences:
        return ""
    return f"Type I error rates above the nominal level, and missing answers:\n{bullets(sentences)}"


def _silence(method: str, rows: pd.DataFrame) -> str:
    """Where a method has too often no answer."""
    share = rows["n_failed"] / rows["n_replicates"]
    worst = rows.loc[share.idxmax()]
    return (
        f"{capital(method_phrase(method))}: too often no answer in {count(len(rows), 'design')}, for "
        f"{percent(share.max())} of experiments at worst ({cell(worst)})."
    )


def _failure(facts: StudyFacts, method: str, rows: pd.DataFrame) -> str:
    worst = rows.iloc[0]
    tried = count(len(facts.null[facts.null["method"] == method]), "design")
    text = f"{capital(method_phrase(method))} fails in {len(rows):,} of {tried}"
    at_worst = f"{percent(worst['rate'])} ({cell(worst)})"
    if len(rows) == 1:
        return f"{text}: {at_worst}."
    return f"{text}, {_bounds(facts, rows)}; at worst {at_worst}."


def _bounds(facts: StudyFacts, rows: pd.DataFrame) -> str:
    """From which correlation on, and up to how many groups, a method fails."""
    icc, iccs = rows["icc"].min(), facts.null["icc"]
    where = f"with an ICC of {icc:g} or more"
    if icc == iccs.min():
        where = "whatever the ICC" if icc < iccs.max() else f"with an ICC of {icc:g}"
    elif icc == iccs.max():
        where = f"with an ICC of {icc:g}"
    most = rows["groups_per_arm"].max()
    if most == facts.null["groups_per_arm"].max():
        return f"{where}, also with {most} groups an arm"
    return f"{where} and up to {most} groups an arm"


def few_groups(facts: StudyFacts) -> str:
    """By large-sample method, the number of groups up to which its level does not hold."""
    sentences = []
    for method in LARGE_SAMPLE:
        if method in facts.methods:
            sentences.append(f"{capital(method_phrase(method))} {_too_few(facts, method)}")
    return bullets(sentences) if sentences else ""


def _too_few(facts: StudyFacts, method: str) -> str:
    rows, groups = facts.invalid(method), sorted(facts.null["groups_per_arm"].unique())
    if rows.empty:
        return f"keeps the nominal level in every design, also with {groups[0]} groups an arm."
    most = int(rows["groups_per_arm"].max())
    worst = rows[rows["groups_per_arm"] == most].iloc[0]
    text = (
        f"exceeds the nominal level with {most} groups an arm: {percent(worst['rate'])} at worst "
        f"({cell(worst)})"
    )
    enough = [int(each) for each in groups if each > most]
    if enough:
        return f"{text}. With {enough[0]} it does not."
    return f"{text}, and more were not simulated."


# ---- power ---------------------------------------------------------------------------------------


def power(facts: StudyFacts) -> str:
    """Power lost against the most powerful of the methods that keep the nominal level everywhere."""
    rows = facts.power[facts.power["method"].isin(facts.sound)]
    if len(facts.sound) < 2 or rows.empty:
        return "There are no two methods that keep the nominal level everywhere, whose power to compare."
    best = rows.groupby("scenario")["rate"].transform("max")
    lost = rows.assign(lost=best - rows["rate"])
    mean = lost.groupby("method")["lost"].mean().sort_values(kind="stable")
    return f"{_average(mean)} {_greatest_loss(lost)}"


def _average(mean: pd.Series) -> str:
    """Mean power loss by method over all designs."""
    losses = [f"{method_phrase(str(name))} {fixed(100 * value, 1)}" for name, value in mean.items()]
    return (
        "Of the methods that keep the nominal level everywhere, how much less power than the best of "
        f"them in the same design, on average, in percentage points: {listing(losses)}."
    )


def _greatest_loss(lost: pd.DataFrame) -> str:
    row = lost.loc[lost["lost"].idxmax()]
    best = row["rate"] + row["lost"]
    return (
        f"The greatest loss is {method_phrase(row['method'])}'s: it finds {percent(row['rate'])} where "
        f"the best finds {percent(best)} ({cell(row)})."
    )


# ---- the lecture's design ------------------------------------------------------------------------


def example_title(facts: StudyFacts) -> str:
    """The name of the design that is shown by itself."""
    return "The lecture's design" if facts.overview["example_is_lecture"] else "One design"


def example(facts: StudyFacts) -> str:
    """Table by method for the example design: error rate, coverage, power, failures."""
    null, power = facts.in_example(facts.null), facts.in_example(facts.power)
    rows = []
    for method in sorted(null.index, key=method_order):
        row, power_rate = null.loc[method], power["rate"].get(method, np.nan)
        rows.append(
            [
                method_label(method),
                JUDGED[row["judgement"]],
                percent(row["rate"]),
                fixed(100 * row["mcse"], 1),
                _percent_or_dash(row["coverage"]),
                _percent_or_dash(power_rate),
                f"{row['n_replicates']:,}",
                f"{row['n_failed']:,}",
            ]
        )
    headers = [
        *("method", "keeps the nominal level", "type I error rate", "standard error"),
        *("coverage", "power", "replicates", "no answer"),
    ]
    caption = (
        f"{count(facts.overview['arms'], 'arm')}, {cell(facts.example)}: type I error rate (nominally "
        f"{_level(facts)}) with their Monte Carlo standard error in points, coverage where there is no "
        f"effect, power for {contrast_label(facts.overview['power_of'])} of "
        f"{signed(facts.overview['effect'])} standard deviations."
    )
    return table(headers, rows, label="example", caption=caption, text_columns=2)


def _percent_or_dash(share: float) -> str:
    return "–" if np.isnan(share) else percent(share)


def everywhere(facts: StudyFacts) -> str:
    """Table by method over all designs: error rates, designs that are invalid, least coverage."""
    rows = []
    for method in facts.methods:
        designs = facts.null[facts.null["method"] == method]
        rates, coverages = designs["rate"], designs["coverage"].dropna()
        unsettled = int((designs["judgement"] == "open").sum())
        rows.append(
            [
                method_label(method),
                span(fixed(100 * rates.min(), 1), percent(rates.max())),
                percent(rates.mean()),
                f"{len(facts.invalid(method)):,}",
                f"{unsettled:,}",
                "–" if coverages.empty else percent(coverages.min()),
            ]
        )
    headers = [
        *("method", "type I error rate", "mean", "designs with a level that does not hold"),
        *("open", "least coverage"),
    ]
    caption = (
        f"Over {count(facts.designs, 'design')}: least, greatest and mean rate of type I error rate, "
        f"in how many designs the level does not hold, in how many replicates are too few to tell, and "
        f"the least coverage of 95% intervals."
    )
    return table(headers, rows, label="everywhere", caption=caption)


def coverage(facts: StudyFacts) -> str:
    """The greatest distance between a method's non-coverage and its rate of type I error rate."""
    rows = facts.null[facts.null["coverage"].notna()]
    if rows.empty:
        return ""
    apart = (1 - rows["coverage"] - rows["rate"]).abs()
    text = "Intervals that miss the truth and tests that reject it are the same thing"
    if apart.max() < 0.0005:
        return f"{text} for every method and design here, so coverage needs no map of its own."
    row = rows.loc[apart.idxmax()]
    return (
        f"{text} for most methods here, so coverage needs no map of its own: the two rates are "
        f"{fixed(100 * apart.max(), 1)} points apart at most ({method_phrase(row['method'])}; "
        f"{cell(row)})."
    )


def failures(facts: StudyFacts) -> str:
    """Methods that gave no estimate in some replicates, and in how many."""
    rates, sentences = facts.rates, []
    never = [name for name in _ordered(rates) if name not in facts.methods]
    if never:
        phrases = capital(listing([method_phrase(method) for method in never]))
        sentences.append(f"{phrases} {_has(len(never))} no answer in any of these designs.")
    by_method = rates[rates["method"].isin(facts.methods)].groupby("method")[
        ["n_failed", "n_replicates"]
    ]
    sums = by_method.sum()
    for method in sorted(sums.index[sums["n_failed"] > 0], key=method_order):
        failed, replicates = sums.loc[method]
        sentences.append(
            f"{capital(method_phrase(method))} had none for {failed:,} of {replicates:,} simulated "
            f"experiments."
        )
    others = "Every other answer was given." if sentences else "Every method answered always."
    return " ".join([*sentences, others])


def _ordered(rates: pd.DataFrame) -> list[str]:
    return sorted(rates["method"].unique(), key=method_order)


# ---- figures and how it was made -----------------------------------------------------------------


def picture(facts: StudyFacts, name: str, caption: str) -> str:
    """A figure of the study, with the alt text made beside it."""
    path = f"results/study/figures/{name}.svg"
    return figure(path, label=name.replace("_", "-"), caption=caption, alt=facts.alt[name])


def provenance(facts: StudyFacts) -> str:
    """Seed, replicates and versions."""
    study = facts.overview
    rows = [
        ["seed", str(study["seed"])],
        ["replicates of every scenario", f"{study['replicates']:,}"],
        ["of methods that draw", f"{study['slow_replicates']:,}"],
        ["their draws", f"{study['draws']:,}"],
        ["code (commit)", commit(study["code"])],
        ["Python", study["python"]],
        *([name, version] for name, version in study["packages"].items()),
    ]
    caption = "What this study was made with."
    return table(["what", "value"], rows, label="provenance", caption=caption, text_columns=2)
