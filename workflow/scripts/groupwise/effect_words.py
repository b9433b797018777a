"""How effects and means of an outcome are written: as differences, risks in per cent, rates or ratios.

Tables have shares and ratios as they are; what a reader sees of risks are per cent and percentage
points.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from groupwise.response import CONTINUOUS, Response
from groupwise.words import (
    MINUS,
    capital,
    decimals_for,
    fixed,
    named,
    noun,
    number,
    plural,
    singular,
)

POINTS = " percentage points"

NOUNS = {
    ("continuous", "difference"): "difference",
    ("binary", "difference"): "risk difference",
    ("binary", "ratio"): "risk ratio",
    ("binary", "odds_ratio"): "odds ratio",
    ("count", "ratio"): "rate ratio",
    ("count", "difference"): "rate difference",
}
"""What an effect is called, by family and scale."""

REGRESSIONS = {
    ("continuous", "difference"): "linear regression",
    ("binary", "difference"): "linear regression",
    ("binary", "ratio"): "regression with a logarithmic link",
    ("binary", "odds_ratio"): "logistic regression",
    ("count", "ratio"): "Poisson regression",
    ("count", "difference"): "linear regression",
}
"""The model of the mean without groups, by family and scale."""


@dataclass(frozen=True)
class EffectWords:
    """The words and numbers of one outcome.

    Attributes
    ----------
    response
    outcome : the outcome within a sentence
    per : what a rate is per: the unit of exposure, or empty
    """

    response: Response
    outcome: str
    per: str = ""

    @classmethod
    def of(cls, design: Mapping[str, Any]) -> EffectWords:
        """Those of a dataset, from what design.json says of it."""
        response = Response(**design.get("response") or vars(CONTINUOUS))
        exposure = design["roles"].get("exposure")
        per = f" per {singular(noun(exposure))}" if exposure and response.family == "count" else ""
        return cls(response, named(design["roles"]["outcome"], "outcome"), per)

    @property
    def noun(self) -> str:
        """What an effect is called."""
        return NOUNS[self.response.family, self.response.scale]

    @property
    def plural_noun(self) -> str:
        """The same in the plural; plain differences are estimates."""
        return plural(self.noun) if self.response.has_events else "estimates"

    def estimates(self) -> str:
        """`Estimates`, `Odds ratios`, at the start of a sentence."""
        return capital(self.plural_noun)

    @property
    def regression(self) -> str:
        """What the model of the mean without groups is called."""
        return REGRESSIONS[self.response.family, self.response.scale]

    @property
    def null(self) -> float:
        """The value of no effect: 0, of ratios 1."""
        return 1.0 if self.response.is_ratio else 0.0

    @property
    def true_effect(self) -> str:
        """What the true effect of simulated data is called: of odds ratios there are two kinds."""
        averaged = self.response.scale == "odds_ratio"
        return "true population-averaged odds ratio" if averaged else "true effect"

    @property
    def in_percent(self) -> bool:
        """Whether effects are differences of shares."""
        return self.response.family == "binary" and not self.response.is_ratio

    @property
    def unit(self) -> str:
        """What stands behind a difference of shares; else nothing."""
        return POINTS if self.in_percent else ""

    def in_brackets(self) -> str:
        """The unit of differences of shares, in brackets; else nothing."""
        return f" ({self.unit.strip()})" if self.unit else ""

    @property
    def mean(self) -> str:
        """What the mean of an arm is called."""
        return {"continuous": "mean", "binary": "risk", "count": "rate"}[self.response.family]

    def cell_mean(self) -> str:
        """`mean of score`, `share with recovered`: what a number for several rows is."""
        return f"{'share with' if self.response.family == 'binary' else 'mean of'} {self.outcome}"

    def comparison(self, contrast: str) -> str:
        """`B - A` with a true minus sign, of ratios `B vs A`."""
        sign = "vs" if self.response.is_ratio else MINUS
        return contrast.replace(" - ", f" {sign} ")

    def of_outcome(self) -> str:
        """`difference in score`, `odds ratio of passed`, `risk difference in passed`."""
        preposition = "of" if self.response.is_ratio else "in"
        return f"{self.noun} {preposition} {self.outcome}"

    def heading(self) -> str:
        """The same in the plural, at the start of a sentence."""
        start, _, rest = self.of_outcome().partition(self.noun)
        return capital(f"{start}{plural(self.noun)}{rest}")

    def of_arms(self) -> str:
        """`Differences between arms`, `Odds ratios of arms`, at the start of a sentence."""
        preposition = "of" if self.response.is_ratio else "between"
        return f"{capital(plural(self.noun))} {preposition} arms"

    # ---- effects ---------------------------------------------------------------------------------

    def decimals(self, std_error: float) -> int:
        """Decimals for differences with this standard error, and of ratios for their logarithm's."""
        return decimals_for(100 * std_error if self.in_percent else std_error)

    def effect(self, value: float, decimals: int) -> str:
        """An effect, or the end of its interval, without its unit."""
        if np.isinf(value):
            return f"{MINUS if value < 0 else ''}\u221e"
        if self.response.is_ratio:
            return ratio(value, max(2, decimals - 1))
        return fixed(100 * value if self.in_percent else value, decimals)

    def short(self, value: float) -> str:
        """An effect to three digits, with its unit."""
        return f"{self.bare(value)}{self.unit}"

    def bare(self, value: float) -> str:
        """An effect to three digits without its unit; an interval may have no end."""
        if np.isinf(value):
            return "without end"
        if self.response.is_ratio:
            return ratio(value)
        return number(100 * value if self.in_percent else value)

    def error(self, value: float, decimals: int) -> str:
        """A standard error in the units of effects; of ratios it is the logarithm's."""
        if self.response.is_ratio:
            return fixed(value, 3)
        return fixed(100 * value if self.in_percent else value, decimals)

    def steps(self, value: Any, other: Any, std_error: Any) -> Any:
        """How far effects lie apart in standard errors, of ratios on the scale of logarithms."""
        if self.response.is_ratio:
            with np.errstate(divide="ignore"):
                return (np.log(value) - np.log(other)) / std_error
        return (value - other) / std_error

    def excludes_null(self, low: float, high: float) -> bool:
        """Whether an interval leaves out the value of no effect."""
        return bool(low > self.null or high < self.null)

    # ---- means -----------------------------------------------------------------------------------

    def mean_decimals(self, std_error: float) -> int:
        """Decimals for means with this standard error."""
        if self.response.family == "binary":
            return int(np.clip(decimals_for(100 * std_error), 1, 3))
        return decimals_for(std_error)

    def level(self, value: float, decimals: int) -> str:
        """The mean of an arm or a group: a risk in per cent, a rate, or a mean."""
        if self.response.family == "binary":
            return f"{fixed(100 * value, decimals)}%" if np.isfinite(value) else "\u2013"
        return fixed(value, decimals)

    def spread(self, value: float) -> str:
        """A standard deviation of means: of risks in percentage points."""
        if self.response.family == "binary":
            return f"{number(100 * value)}{POINTS}"
        return f"{number(value)}{self.per}"

    def shown(self, value: float) -> str:
        """A mean to three digits."""
        if self.response.family == "binary":
            return f"{number(100 * value)}%" if value != 0 else "0%"
        return number(value)


def ratio(value: float, decimals: int = 2) -> str:
    """A ratio to two decimals or more; a large one to three digits, a small one to two."""
    if not np.isfinite(value):
        return "\u2013" if np.isnan(value) else "\u221e"
    if value >= 10:
        return number(value)
    return fixed(value, decimals) if value >= 0.1 else number(value, 2)


def needed_to_treat(low: float, estimate: float, high: float) -> tuple[float, float, float] | None:
    """One over a difference of risks, with the ends of its interval; None where that holds 0.

    As in Altman (1998), BMJ 317:1309: where the interval holds 0, that of the number needed to treat
    goes through infinity, and there is none to be told.
    """
    if not (low > 0 or high < 0):
        return None
    ends = sorted((1 / abs(low), 1 / abs(high)))
    return ends[0], 1 / abs(estimate), ends[1]


def whole(value: float) -> str:
    """A number needed to treat: one decimal below 10, else a whole number."""
    return fixed(value, 1 if value < 10 else 0)
