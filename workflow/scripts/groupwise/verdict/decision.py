"""Which methods can be trusted for this design, and which to lead with.

Judged (see `rules`) are scenarios in which outcomes are as the models have them (`Rules.dgps`), over
all intraclass correlations: under true nulls by the rejection rate, everywhere by coverage. The
headline is the most powerful of the methods that hold their level; one that was chosen beforehand
stays, and the verdict only comments.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from groupwise import tidy
from groupwise.catalogue.methods import method_order, method_phrase
from groupwise.verdict.disagreements import Disagreement, disagreements
from groupwise.verdict.rules import ROUNDING, Evidence, Rules, judge, percent
from groupwise.words import capital

PROCESSES = {
    "normal": "outcomes are as the mixed model has them",
    "t_residuals": "residuals have heavy tails (t with 3 degrees of freedom)",
    "t_groups": "group effects have heavy tails (t with 3 degrees of freedom)",
    "skewed_groups": "group effects are skewed (exponential)",
    "unequal_variance": "arms differ in spread (by a factor of 2 in standard deviation)",
    "varying_effects": "the effect differs between groups (standard deviation .3 of the outcome's)",
    "informative_sizes": "group effects go with group sizes (correlation .7)",
}
"""Processes of the simulations, as the end of a sentence that begins with "if"."""


@dataclass(frozen=True)
class Verdict:
    """What can be said of all methods.

    Attributes
    ----------
    headline : the method to lead with; None where no method holds its level
    chosen : whether it was chosen beforehand
    most_powerful : those that hold their level and are as powerful as the best
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
    answered = answering(estimates)
    candidates = table[table["holds"] & table["method"].isin(answered)]
    best = _most_powerful(candidates, rules)
    headline = chosen if chosen is not None else _preferred(best, rules)
    said = _sentences(table, headline, chosen is not None, best, rules)
    holds = dict(zip(table["method"], table["holds"], strict=True))
    found = disagreements(estimates, holds, headline, rules)
    others = [name for name in dict.fromkeys(calibration["dgp"]) if name not in rules.dgps]
    departed = [_judged(calibration, replace(rules, dgps=(name,)), icc) for name in others]
    return Verdict(
        headline=headline,
        chosen=chosen is not None,
        most_powerful=best,
        methods=tidy.concat("verdict", [table, *departed]),
        disagreements=found,
        sentences=said,
        departures=tuple(departure(rows, headline) for rows in departed),
    )


def uncalibrated(
    estimates: pd.DataFrame, reason: str, rules: Rules | None = None, *, chosen: str | None = None
) -> Verdict:
    """The verdict where nothing was simulated: none, and why."""
    rules = rules or Rules()
    headline = chosen or _preferred(answering(estimates), rules)
    said = ["Nothing was simulated for this design, so no method was judged.", reason]
    if chosen is None and headline is not None:
        said.append(f"{capital(method_phrase(headline))} leads by default.")
    return Verdict(
        headline=headline,
        chosen=chosen is not None,
        most_powerful=(),
        methods=tidy.table("verdict", []),
        disagreements=disagreements(estimates, {}, headline, rules, calibrated=False),
        sentences=tuple(said),
        calibrated=False,
    )


def answering(estimates: pd.DataFrame) -> tuple[str, ...]:
    """Methods with a p-value for every contrast."""
    known = np.isfinite(estimates["p_value"]).groupby(estimates["method"], sort=False).all()
    return tuple(known.index[known])


def departure(rows: pd.DataFrame, headline: str | None) -> str:
    """What becomes of the headline, and of the others, under one process that is not the models'."""
    name = str(rows["dgp"].iloc[0])
    judged = rows[rows["judgement"] != "no answer"]
    holding = int(judged["holds"].sum())
    said = [f"If {PROCESSES.get(name, name)}, {holding} of {len(judged)} methods hold their level."]
    said += [str(each) for each in judged.loc[judged["method"] == headline, "sentence"]]
    return " ".join(said)


# ---- evidence ------------------------------------------------------------------------------------


def _judged(calibration: pd.DataFrame, rules: Rules, icc: float | None) -> pd.DataFrame:
    wide = _wide(calibration, rules)
    wide, rows = wide[wide["dgp"].isin(rules.dgps)], []
    for method in sorted(wide["method"].unique(), key=method_order):
        evidence = _evidence(wide[wide["method"] == method], method, rules, icc)
        name, holds, said = judge(evidence, rules)
        judged = {"dgp": rules.dgps[0], "judgement": name, "holds": holds, "sentence": said}
        rows.append(judged | vars(evidence))
    return tidy.table("verdict", rows)


def _wide(calibration: pd.DataFrame, rules: Rules) -> pd.DataFrame:
    """A row per scenario, method and contrast: the measures rules need, and of how many answers."""
    keys = ["scenario", "icc", "dgp", "method", "contrast"]
    by_measure = dict(list(calibration.set_index(keys).groupby("measure")))
    rejection = f"rejection_{100 * rules.level:02.0f}"
    if rejection not in by_measure:
        raise ValueError(f"The rates of tests at the level {rules.level:g} were not measured.")
    columns = {name: by_measure[name]["value"] for name in ("truth", "coverage", "failed")}
    columns["rejection"] = by_measure[rejection]["value"]
    for name, measure in (("n", rejection), ("n_cover", "coverage")):
        rows = by_measure[measure]
        columns[name] = rows["n_replicates"] - rows["n_failed"]
    return pd.DataFrame(columns).reset_index()


def _evidence(own: pd.DataFrame, method: str, rules: Rules, icc: float | None) -> Evidence:
    null = own[own["truth"] == 0]
    rejection = null["rejection"].to_numpy()
    rates = np.concatenate([rejection - rules.level, rules.conf_level - own["coverage"]])
    n = np.concatenate([null["n"], own["n_cover"]])
    nominal = np.repeat([rules.level, rules.conf_level], [len(null), len(own)])
    noise = np.sqrt(nominal * (1 - nominal) / np.maximum(n, 1))
    beyond = rates > rules.allowance + ROUNDING
    worst, highest, lowest = (
        _where(*each) for each in ((rates, 1), (rejection, 1), (rejection, -1))
    )
    power, power_mcse = _power(own, icc)
    return Evidence(
        method=method,
        failed=float(own["failed"].max()),
        highest=_at(rejection, highest),
        lowest=_at(rejection, lowest),
        icc_highest=_at(null["icc"].to_numpy(), highest),
        icc_lowest=_at(null["icc"].to_numpy(), lowest),
        excess=_at(rates, worst),
        noise=_at(noise, worst),
        significant=float((rates / noise)[beyond].max(initial=-np.inf)),
        below=-_at(rates / noise, lowest),
        power=power,
        power_mcse=power_mcse,
    )


def _where(values: np.ndarray, sign: int) -> int | None:
    """The place of the largest (sign 1) or the smallest (-1); None where nothing is known."""
    if not np.isfinite(values).any():
        return None
    return int(np.nanargmax(sign * values))


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


def _most_powerful(candidates: pd.DataFrame, rules: Rules) -> tuple[str, ...]:
    """The best, and those that are not behind it by more than what counts as equal."""
    if not len(candidates):
        return ()
    if not np.isfinite(candidates["power"]).any():
        return tuple(candidates["method"])
    best = candidates.loc[candidates["power"].idxmax()]
    noise = 2 * np.hypot(candidates["power_mcse"], best["power_mcse"])
    close = best["power"] - candidates["power"] <= np.maximum(noise, rules.as_powerful)
    return tuple(candidates.loc[close, "method"])


def _preferred(methods: Sequence[str], rules: Rules) -> str | None:
    ordered = [*rules.preference, *sorted(methods, key=method_order)]
    return next((method for method in ordered if method in methods), None)


def _sentences(
    table: pd.DataFrame, headline: str | None, chosen: bool, best: tuple[str, ...], rules: Rules
) -> tuple[str, ...]:
    if headline is None:
        return ("No method holds its level for this design; none is recommended.",)
    rows = table.set_index("method")
    if headline not in rows.index:
        return (
            f"{capital(method_phrase(headline))} was chosen beforehand; it was not calibrated.",
        )
    own, label = rows.loc[headline], method_phrase(headline)
    said = [f"{capital(label)} was chosen beforehand, and stays the headline."] if chosen else []
    said.append(str(own["sentence"]))
    said += _about_power(own, rows, best, rules)
    return tuple(said)


def _about_power(
    own: pd.Series, rows: pd.DataFrame, best: tuple[str, ...], rules: Rules
) -> list[str]:
    """How the headline compares with the methods that hold their level, `best` being the best."""
    others = [method for method in best if method != own.name]
    if not others and own.name not in best:
        return ["No other method holds its level either."]
    if not np.isfinite(own["power"]):
        good = method_phrase(str(_preferred(best, rules)))
        return [] if own["holds"] else [f"{capital(good)} holds its level."]
    if own.name in best:
        first = f"It finds {percent(own['power'])} of the assumed effects"
        return [f"{first}; no method that holds its level finds more{_as_many(others)}."]
    first = rows.loc[_preferred(best, rules)]
    found = f"finds {percent(first['power'])} of the assumed effects"
    if not own["holds"]:
        return [f"{capital(method_phrase(str(first.name)))} holds its level, and {found}."]
    return [
        f"{capital(method_phrase(str(first.name)))} holds its level too, and {found}, "
        f"the headline {percent(own['power'])}."
    ]


def _as_many(others: list[str]) -> str:
    if not others:
        return ""
    if len(others) > 2:
        return f", and {len(others)} find about as many"
    names = " and ".join(method_phrase(method) for method in others)
    return f", and {names} {'finds' if len(others) == 1 else 'find'} about as many"
