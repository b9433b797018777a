"""Which methods can be trusted for this design, and which to lead with.

Judged (see `rules`) are scenarios without any effect in which outcomes are as the models have them
(`Rules.dgps`), over all intraclass correlations. The lead is the first method of the preference for the
kind of design that is not shown to be invalid; another takes its place only if it is shown to be valid
and more powerful. Neither estimates nor p-values of the data enter. A method that was chosen beforehand
stays, and the verdict only comments.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy import special

from groupwise import tidy
from groupwise.catalogue.methods import method_order, method_phrase
from groupwise.catalogue.processes import PROCESSES
from groupwise.verdict.disagreements import Disagreement, disagreements
from groupwise.verdict.rules import EXCLUDED, VALID, Evidence, Rules, judge, percent
from groupwise.words import capital


@dataclass(frozen=True)
class Verdict:
    """What can be said of all methods.

    Attributes
    ----------
    headline : the method to lead with; None where none is left
    chosen : whether it was chosen beforehand
    most_powerful : valid methods that are not shown to be less powerful than the best of them
    methods : table `verdict` of the schema: judgement, evidence and a sentence, for every process
    sentences : about the headline, to be quoted
    departures : about the headline where outcomes are not as the models have them
    calibrated : whether there was a simulation to judge by
    """

    headline: str | None
    chosen: bool
    most_powerful: tuple[str, ...]
    methods: pd.DataFrame
    disagreements: tuple[Disagreement, ...]
    sentences: tuple[str, ...]
    departures: tuple[str, ...] = ()
    calibrated: bool = True

    def lead(self, estimates: pd.DataFrame, rules: Rules) -> str:
        """The headline, or what is shown in its place: some method has to come first."""
        first = str(estimates["method"].iloc[0])
        return self.headline or _preferred(answering(estimates), rules) or first


def verdict(
    calibration: pd.DataFrame,
    estimates: pd.DataFrame,
    rules: Rules | None = None,
    *,
    chosen: str | None = None,
    icc: float | None = None,
) -> Verdict:
    """Judge every method of the calibration table.

    Parameters
    ----------
    calibration : table `measures.CALIBRATION`
    estimates : rows of estimates.csv: methods without an answer to the data are no headline
    chosen : a headline chosen before the data were seen
    icc : power is compared in the scenarios whose ICC is nearest to it; in all, if left out
    """
    rules = rules or Rules()
    table = _judged(calibration, rules, icc)
    answers = answering(estimates)
    candidates = table[table["method"].isin(answers)]
    first = _first(candidates, answers, rules)
    leading = _giving_way(candidates, first, rules)
    headline = chosen if chosen is not None else leading
    others = [name for name in dict.fromkeys(calibration["dgp"]) if name not in rules.dgps]
    departed = [_judged(calibration, replace(rules, dgps=(name,)), icc) for name in others]
    invalid = _names(table, table["judgement"] == "invalid")
    best = _most_powerful(candidates, rules)
    return Verdict(
        headline=headline,
        chosen=chosen is not None,
        most_powerful=best,
        methods=tidy.concat("verdict", [table, *departed]),
        disagreements=disagreements(estimates, invalid, headline, rules),
        sentences=_sentences(table, headline, chosen is not None, answers, first, rules),
        departures=tuple(departure(rows, headline) for rows in departed),
    )


def uncalibrated(
    estimates: pd.DataFrame, reason: str, rules: Rules | None = None, *, chosen: str | None = None
) -> Verdict:
    """The verdict where nothing was simulated: none, and why."""
    rules = rules or Rules()
    headline = chosen or _preferred(answering(estimates), rules)
    sentences = ["Nothing was simulated for this design, so no method was judged.", reason]
    if chosen is None and headline is not None:
        sentences.append(f"{capital(method_phrase(headline))} leads by default.")
    return Verdict(
        headline=headline,
        chosen=chosen is not None,
        most_powerful=(),
        methods=tidy.table("verdict", []),
        disagreements=disagreements(estimates, (), headline, rules),
        sentences=tuple(sentences),
        calibrated=False,
    )


def answering(estimates: pd.DataFrame) -> tuple[str, ...]:
    """Methods with a p-value and an estimate of every contrast; if there are none, with a p-value."""
    finite = np.isfinite(estimates[["p_value", "estimate"]].astype(float))
    for has in (finite.all(axis=1), finite["p_value"]):
        complete = has.groupby(estimates["method"], sort=False).all()
        if complete.any():
            return tuple(complete.index[complete])
    return ()


def departure(rows: pd.DataFrame, headline: str | None) -> str:
    """What becomes of the headline, and of the others, under one process that is not the models'."""
    name = str(rows["dgp"].iloc[0])
    judged = rows[rows["judgement"] != "no answer"]
    invalid = int((judged["judgement"] == "invalid").sum())
    sentences = [
        f"If {PROCESSES.get(name, name)}, {invalid or 'none'} of {len(judged)} methods "
        f"{'is' if invalid == 1 else 'are'} shown to be invalid."
    ]
    sentences += [str(each) for each in judged.loc[judged["method"] == headline, "sentence"]]
    return " ".join(sentences)


# ---- evidence ------------------------------------------------------------------------------------


def _judged(calibration: pd.DataFrame, rules: Rules, icc: float | None) -> pd.DataFrame:
    wide = _wide(calibration, rules)
    wide, rows = wide[wide["dgp"].isin(rules.dgps)], []
    wide = _with_bounds(wide, rules)
    for method in sorted(wide["method"].unique(), key=method_order):
        evidence = _evidence(wide[wide["method"] == method], method, icc)
        name, sentence = judge(evidence, rules)
        judged = {"dgp": rules.dgps[0], "judgement": name, "sentence": sentence}
        rows.append(judged | vars(evidence))
    return tidy.table("verdict", rows)


def _wide(calibration: pd.DataFrame, rules: Rules) -> pd.DataFrame:
    """A row per scenario, method and contrast: the measures rules need, and of how many answers.

    `null` says whether no contrast of the scenario has an effect.
    """
    keys = ["scenario", "icc", "dgp", "method", "contrast"]
    by_measure = dict(list(calibration.set_index(keys).groupby("measure")))
    rejection = f"rejection_{100 * rules.level:02.0f}"
    if rejection not in by_measure:
        raise ValueError(f"The rates of tests at the level {rules.level:g} were not measured.")
    columns = {name: by_measure[name]["value"] for name in ("truth", "failed")}
    columns["rejection"] = by_measure[rejection]["value"]
    columns["replicates"] = by_measure[rejection]["n_replicates"]
    columns["n"] = columns["replicates"] - by_measure[rejection]["n_failed"]
    wide = pd.DataFrame(columns).reset_index()
    return wide.assign(null=(wide["truth"] == 0).groupby(wide["scenario"]).transform("all"))


def _with_bounds(wide: pd.DataFrame, rules: Rules) -> pd.DataFrame:
    """Of all rates at once: bounds `low` and `high`, `lowest_high` over all, and `failed_low`."""
    criterion, replicates = rules.criterion, wide["replicates"].to_numpy()
    n_rates = len(wide.loc[wide["null"], ["scenario", "contrast"]].drop_duplicates())
    count, n = np.rint(wide["rejection"] * wide["n"]).to_numpy(), wide["n"].to_numpy()
    low, high = criterion.bounds(count, n, n_rates)
    failed = np.rint(wide["failed"] * replicates).to_numpy()
    of_method = wide.groupby("method")["method"].transform("size").to_numpy()
    return wide.assign(
        low=low,
        high=high,
        lowest_high=criterion.highest(count, n, n_rates),
        failed_low=criterion.bounds(failed, replicates, of_method)[0],
    )


def _evidence(rows: pd.DataFrame, method: str, icc: float | None) -> Evidence:
    null = rows[rows["null"] & (rows["n"] > 0)]
    rejection, n = null["rejection"].to_numpy(), null["n"].to_numpy()
    highest, lowest = _extreme(rejection, np.argmax), _extreme(rejection, np.argmin)
    power, power_mcse = _power(rows, icc)
    return Evidence(
        method=method,
        answers=int(n.min(initial=rows["n"].max())) if len(n) else 0,
        failed=float(rows["failed"].max()),
        failed_low=float(rows["failed_low"].max()),
        highest=_at(rejection, highest),
        lowest=_at(rejection, lowest),
        icc_highest=_at(null["icc"].to_numpy(), highest),
        icc_lowest=_at(null["icc"].to_numpy(), lowest),
        rate_low=float(null["low"].max()),
        rate_high=float(null["high"].max()),
        lowest_high=float(null["lowest_high"].min()),
        power=power,
        power_mcse=power_mcse,
    )


def _extreme(values: np.ndarray, place: Callable[[np.ndarray], np.intp]) -> int | None:
    """The place of an extreme value; None where there is none."""
    return int(place(values)) if len(values) else None


def _at(values: np.ndarray, place: int | None) -> float:
    return np.nan if place is None else float(values[place])


def _power(rows: pd.DataFrame, icc: float | None) -> tuple[float, float]:
    """Mean rejection rate of false nulls, and its Monte Carlo error as if contrasts were one."""
    effect = rows[(rows["truth"] != 0) & np.isfinite(rows["rejection"])]
    if icc is not None and len(effect):
        distance = (effect["icc"] - icc).abs()
        effect = effect[distance == distance.min()]
    if not len(effect):
        return np.nan, np.nan
    power = float(effect["rejection"].mean())
    return power, float(np.sqrt(power * (1 - power) / effect["n"].min()))


# ---- the headline --------------------------------------------------------------------------------


def _names(table: pd.DataFrame, which: pd.Series) -> tuple[str, ...]:
    return tuple(table.loc[which, "method"])


def _ahead(table: pd.DataFrame, row: pd.Series, rules: Rules) -> pd.Series:
    """Which methods are shown to be more powerful than that of the row, by more than counts as equal.

    That errs, over all methods of the table, with the probability of the rules.
    """
    z = -special.ndtri(rules.error / max(len(table), 1))
    noise = z * np.hypot(table["power_mcse"], row["power_mcse"])
    return table["power"] - row["power"] > rules.as_powerful + noise


def _first(candidates: pd.DataFrame, answers: Sequence[str], rules: Rules) -> str | None:
    """The first of the preference that is not excluded, simulated or not.

    If all of these are, the first other method that is shown to be valid, then one that is open.
    """
    excluded = _names(candidates, candidates["judgement"].isin(EXCLUDED))
    left = [method for method in answers if method not in excluded]
    valid = _names(candidates, candidates["judgement"].isin(VALID))
    preferred = next((method for method in rules.preference if method in left), None)
    return preferred or _preferred(valid, rules) or _preferred(left, rules)


def _giving_way(candidates: pd.DataFrame, first: str | None, rules: Rules) -> str | None:
    """The first of the preference, or what it gives way to: valid methods shown to be more powerful."""
    valid, leading = candidates[candidates["judgement"].isin(VALID)], first
    while leading is not None and (candidates["method"] == leading).any():
        row = candidates[candidates["method"] == leading].iloc[0]
        stronger = _preferred(_names(valid, _ahead(valid, row, rules)), rules)
        if stronger is None:
            break
        leading = stronger
    return leading


def _most_powerful(candidates: pd.DataFrame, rules: Rules) -> tuple[str, ...]:
    """The most powerful valid method, and those that it is not shown to be ahead of."""
    valid = candidates[candidates["judgement"].isin(VALID)]
    if not np.isfinite(valid["power"]).any():
        return _names(valid, valid["method"].notna())
    best = int(valid["power"].argmax())
    behind = [bool(_ahead(valid, row, rules).iloc[best]) for _, row in valid.iterrows()]
    return tuple(name for name, off in zip(valid["method"], behind, strict=True) if not off)


def _preferred(methods: Sequence[str], rules: Rules) -> str | None:
    ordered = [*rules.preference, *sorted(methods, key=method_order)]
    return next((method for method in ordered if method in methods), None)


# ---- in words ------------------------------------------------------------------------------------


def _sentences(
    table: pd.DataFrame,
    headline: str | None,
    chosen: bool,
    answers: Sequence[str],
    first: str | None,
    rules: Rules,
) -> tuple[str, ...]:
    if headline is None:
        return (
            "No method is recommended: each is shown to be invalid for this design, or gives no answer.",
        )
    rows = table.set_index("method")
    label = capital(method_phrase(headline))
    if headline not in rows.index:
        why = "was chosen beforehand" if chosen else "usually leads for designs of this kind"
        return (f"{label} {why}; it was not simulated.",)
    sentences = [str(rows.loc[headline, "sentence"])]
    if chosen:
        sentences.insert(0, f"{label} was chosen beforehand, and stays the headline.")
    else:
        sentences += _why_not_first(rows, headline, first, rules)
    return (*sentences, *_about_power(table[table["method"].isin(answers)], rows, headline, rules))


def _why_not_first(rows: pd.DataFrame, headline: str, first: str | None, rules: Rules) -> list[str]:
    """Why the method that leads designs of this kind, if there is no reason against it, does not."""
    usual = next((method for method in rules.preference if method in rows.index), headline)
    if usual == headline:
        return []
    usually = f"{capital(method_phrase(usual))} usually leads for designs of this kind"
    if usual == first:
        power, more = (percent(rows.loc[method, "power"]) for method in (usual, headline))
        return [
            f"{usually}; here its power is {power}, and that of {method_phrase(headline)} {more}."
        ]
    if rows.loc[usual, "judgement"] in EXCLUDED:
        return [f"{usually}. {rows.loc[usual, 'sentence']}"]
    return [f"{usually}; it has no answer to these data."]


def _about_power(
    candidates: pd.DataFrame, rows: pd.DataFrame, headline: str, rules: Rules
) -> list[str]:
    """The power of the headline, and whether a valid method is shown to have more."""
    power = rows.loc[headline, "power"]
    if not np.isfinite(power):
        return []
    first = f"Its power to find the simulated effects is {percent(power)}"
    valid = candidates[candidates["judgement"].isin(VALID)]
    stronger = valid[_ahead(valid, rows.loc[headline], rules)]
    if stronger.empty:
        return [f"{first}; no valid method is shown to have more."]
    other = stronger.loc[stronger["power"].idxmax()]
    return [f"{first}, that of {method_phrase(other['method'])} {percent(other['power'])}."]
