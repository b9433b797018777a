"""The rules of the verdict: thresholds, and a table of judgements, in one place.

A method is judged by the first row of `JUDGEMENTS` that is true of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from groupwise.catalogue.methods import PREFERENCE, method_phrase
from groupwise.words import capital


@dataclass(frozen=True)
class Rules:
    """Thresholds of the verdict.

    Attributes
    ----------
    level : of the tests: .10, .05 or .01
    conf_level : of the intervals that were simulated
    allowance
        A rate this far beyond the level still holds it. Where a rate's Monte Carlo error is as large,
        there are too few replicates to judge one that is further off.
    careful : a rate this far below the level is called careful
    standard_errors : by how many Monte Carlo standard errors a rate has to be off to be off
    most_failed : largest share of outcomes without an answer
    as_powerful : powers that differ by this, or by their Monte Carlo error, are equal
    dgps : processes the level is to hold under
    preference : of equally powerful methods, the first of these
    """

    level: float = 0.05
    conf_level: float = 0.95
    allowance: float = 0.01
    careful: float = 0.02
    standard_errors: float = 3.0
    most_failed: float = 0.05
    as_powerful: float = 0.01
    dgps: tuple[str, ...] = ("normal",)
    preference: tuple[str, ...] = PREFERENCE


@dataclass(frozen=True)
class Evidence:
    """What the calibration table says of one method.

    Standard errors are those of a rate at its nominal value.

    Attributes
    ----------
    failed : share of outcomes without an answer, in the worst scenario
    highest, lowest : rejection rates of true nulls, at the extremes
    icc_highest, icc_lowest : where they are
    excess, noise
        How far the worst rate, of rejection or coverage, is off on the liberal side, and its Monte
        Carlo standard error.
    significant : Monte Carlo standard errors, of the rates beyond the allowance the most significant
    below : by how many the lowest rate is below the level
    power, power_mcse : mean over contrasts with an effect; NaN where there is none
    """

    method: str
    failed: float
    highest: float
    lowest: float
    icc_highest: float
    icc_lowest: float
    excess: float
    noise: float
    significant: float
    below: float
    power: float
    power_mcse: float


def _no_answer(e: Evidence, rules: Rules) -> bool:
    return bool(np.isnan(e.excess))


def _fails(e: Evidence, rules: Rules) -> bool:
    return e.failed > rules.most_failed


def _liberal(e: Evidence, rules: Rules) -> bool:
    return e.significant > rules.standard_errors


def _undecided(e: Evidence, rules: Rules) -> bool:
    return e.excess > rules.allowance + ROUNDING and e.noise >= rules.allowance


def _careful(e: Evidence, rules: Rules) -> bool:
    low = e.lowest < rules.level - rules.careful - ROUNDING
    return low and e.below > rules.standard_errors


def _holds(e: Evidence, rules: Rules) -> bool:
    return True


ROUNDING = 1e-12
"""A rate that is exactly at a threshold has not crossed it."""

JUDGEMENTS: tuple[tuple[str, Callable[[Evidence, Rules], bool], bool, str], ...] = (
    ("no answer", _no_answer, False, "{method} does not apply to this design."),
    ("fails", _fails, False, "{method} gives no answer to {failed} of outcomes in one scenario."),
    ("liberal", _liberal, False, "{method} does not hold its level: {rate}."),
    (
        "undecided",
        _undecided,
        False,
        "Whether {method} holds its level is open: {rate}, which so few replicates do not tell "
        "from {nominal}.",
    ),
    (
        "careful",
        _careful,
        True,
        "{method} holds its level, and errs on the careful side: it rejects a true null {highest} of "
        "the time at most, and {lowest} where the intraclass correlation is {icc_lowest}.",
    ),
    (
        "holds",
        _holds,
        True,
        "{method} holds its level within Monte Carlo error: it rejects a true null {highest} of the "
        "time at most.",
    ),
)
"""Name, rule, whether the level holds, sentence; in order: the first that is true is the judgement."""


def judge(evidence: Evidence, rules: Rules) -> tuple[str, bool, str]:
    """The judgement, whether the level holds, and a sentence that says so."""
    name, _, holds, sentence = next(row for row in JUDGEMENTS if row[1](evidence, rules))
    said = sentence.format(
        method=method_phrase(evidence.method),
        failed=percent(evidence.failed),
        rate=_rate(evidence, rules),
        nominal=percent(rules.level if _rejects(evidence, rules) else rules.conf_level),
        highest=percent(evidence.highest),
        lowest=percent(evidence.lowest),
        icc_lowest=f"{evidence.icc_lowest:.2f}",
    )
    return name, holds, capital(said)


def _rejects(evidence: Evidence, rules: Rules) -> bool:
    """Is it the rejection rate that is off, and not coverage alone?"""
    return evidence.highest - rules.level > rules.allowance + ROUNDING


def _rate(evidence: Evidence, rules: Rules) -> str:
    """The rate that is off, in words."""
    if _rejects(evidence, rules):
        return (
            f"it rejects a true null {percent(evidence.highest)} of the time where the intraclass "
            f"correlation is {evidence.icc_highest:.2f}"
        )
    covered = percent(rules.conf_level - evidence.excess)
    return f"its intervals cover the true effect {covered} of the time"


def percent(share: float) -> str:
    """One decimal: 4.9%."""
    return f"{100 * share:.1f}%"
