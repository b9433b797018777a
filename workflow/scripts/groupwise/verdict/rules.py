"""The rules of the verdict: thresholds, and a table of judgements, in one place.

A method is judged by the first row of `JUDGEMENTS` that is true of it. What is compared are bounds of
its type I error rate, not the simulated rate itself (`simulation.rates`), so that the judgement does
not hang on the seed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from groupwise.catalogue.methods import PREFERENCES, method_phrase
from groupwise.simulation.rates import Criterion, criterion_at
from groupwise.words import capital


@dataclass(frozen=True)
class Rules:
    """Thresholds of the verdict.

    Attributes
    ----------
    level : of the tests: .10, .05 or .01
    conf_level : of the intervals that were simulated
    allowance, tolerance, careful : see `Criterion`, for a level of .05; in proportion at others
    error : see `Criterion`
    most_failed : largest share of outcomes without an answer
    as_powerful : powers that differ by no more than this are equal
    dgps : processes the level is to hold under
    preference : methods in the order in which they are to lead
    """

    level: float = 0.05
    conf_level: float = 0.95
    allowance: float = 0.01
    tolerance: float = 0.025
    careful: float = 0.02
    error: float = 0.001
    most_failed: float = 0.05
    as_powerful: float = 0.01
    dgps: tuple[str, ...] = ("normal",)
    preference: tuple[str, ...] = PREFERENCES["between"]

    @property
    def criterion(self) -> Criterion:
        """The thresholds for rates of errors."""
        return criterion_at(
            self.level,
            allowance=self.allowance,
            tolerance=self.tolerance,
            careful=self.careful,
            error=self.error,
        )

    def content(self) -> dict[str, Any]:
        """As JSON, with the rates above and below which methods are judged."""
        criterion = self.criterion
        thresholds = {
            "invalid_above": criterion.most_valid,
            "valid_below": criterion.least_invalid,
            "conservative_below": criterion.conservative_below,
        }
        return asdict(self) | thresholds


@dataclass(frozen=True)
class Evidence:
    """What the calibration table says of one method.

    Attributes
    ----------
    answers : least number of replicates that a rate is made from; 0 is no answer at all
    failed, failed_low : share of outcomes without an answer in the worst scenario, and its lower bound
    highest, lowest : rejection rates of true nulls, at the extremes
    icc_highest, icc_lowest : where they are
    rate_low, rate_high : bounds of the greatest rate over all scenarios and comparisons
    lowest_high : upper bound of the least rate
    power, power_mcse : mean over contrasts with an effect; NaN where there is none
    """

    method: str
    answers: int
    failed: float
    failed_low: float
    highest: float
    lowest: float
    icc_highest: float
    icc_lowest: float
    rate_low: float
    rate_high: float
    lowest_high: float
    power: float
    power_mcse: float


def _no_answer(e: Evidence, rules: Rules) -> bool:
    return e.answers == 0


def _fails(e: Evidence, rules: Rules) -> bool:
    return e.failed_low > rules.most_failed


def _invalid(e: Evidence, rules: Rules) -> bool:
    return e.rate_low > rules.criterion.most_valid


def _open(e: Evidence, rules: Rules) -> bool:
    return not e.rate_high < rules.criterion.least_invalid


def _conservative(e: Evidence, rules: Rules) -> bool:
    return e.lowest_high < rules.criterion.conservative_below


def _valid(e: Evidence, rules: Rules) -> bool:
    return True


JUDGEMENTS: tuple[tuple[str, Callable[[Evidence, Rules], bool], str], ...] = (
    ("no answer", _no_answer, "{method} does not apply to this design."),
    (
        "fails",
        _fails,
        "{method} gives no answer to {failed} of the outcomes of a scenario, for one comparison.",
    ),
    (
        "invalid",
        _invalid,
        "{method} is not valid for this design: in the worst scenario its type I error rate is between "
        "{low} and {high} (nominal: {nominal}; simulated highest at an intraclass correlation of "
        "{icc_highest}).",
    ),
    (
        "open",
        _open,
        "Whether {method} is valid for this design is open: in the worst scenario its type I error rate "
        "is between {low} and {high} (nominal: {nominal}).",
    ),
    (
        "conservative",
        _conservative,
        "{method} is valid for this design, and conservative: its type I error rate is between {low} "
        "and {high} in the worst scenario (nominal: {nominal}), and {lowest} where the intraclass "
        "correlation is {icc_lowest}.",
    ),
    (
        "valid",
        _valid,
        "{method} is valid for this design: in the worst scenario its type I error rate is between "
        "{low} and {high} (nominal: {nominal}).",
    ),
)
"""Name, rule, sentence; in order: the first that is true is the judgement."""

VALID = ("valid", "conservative")
"""Judgements of methods that are shown to be valid."""

EXCLUDED = ("no answer", "fails", "invalid")
"""Judgements of methods that cannot lead; an open one can."""


def judge(evidence: Evidence, rules: Rules) -> tuple[str, str]:
    """The judgement, and a sentence that says so."""
    name, _, sentence = next(row for row in JUDGEMENTS if row[1](evidence, rules))
    text = sentence.format(
        method=method_phrase(evidence.method),
        failed=percent(evidence.failed),
        low=percent(evidence.rate_low),
        high=percent(evidence.rate_high),
        nominal=percent(rules.level),
        lowest=percent(evidence.lowest),
        icc_highest=f"{evidence.icc_highest:.2f}",
        icc_lowest=f"{evidence.icc_lowest:.2f}",
    )
    return name, capital(text)


def percent(share: float) -> str:
    """One decimal: 4.9%."""
    return f"{100 * share:.1f}%"
