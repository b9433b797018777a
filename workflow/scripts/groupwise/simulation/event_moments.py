"""What the outcomes of events are drawn from: risks or rates, and how much they vary within groups."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special

from groupwise.design import Design
from groupwise.response import Response


@dataclass(frozen=True)
class EventMoments:
    """Moments of an outcome that is an event, or a number of events by exposure.

    Attributes
    ----------
    response
    overall : risk, or rate by unit of exposure, of all individuals
    means : (J,) of the arms, inside the range of a risk or rate
    per_exposure : mean of 1 / exposure; 1 without any
    excess
        Of counts: variance of individuals in a group beyond that of Poisson counts, over the square of
        the rate; 0 where there is no more of it than chance makes.
    """

    response: Response
    overall: float
    means: np.ndarray
    per_exposure: float = 1.0
    excess: float = 0.0

    @classmethod
    def of(cls, design: Design, y: np.ndarray, within: float) -> EventMoments:
        """Moments of events y (n,), whose rates have the variance `within` groups."""
        exposure = np.ones(len(y)) if design.exposure is None else design.exposure
        events, total = (np.bincount(design.arm, each) for each in (y, exposure))
        # Half an event, or all but half of one, where there is none or nothing else.
        most = total - 0.5 if design.response.family == "binary" else np.full(len(total), np.inf)
        means = np.clip(events, 0.5, most) / total
        overall = float((means * total).sum() / total.sum())
        per_exposure = float((1 / exposure).mean())
        excess = 0.0
        if design.response.family == "count":
            poisson = overall * per_exposure
            beyond_chance = within > poisson * (1 + 2 * np.sqrt(2 / len(y)))
            excess = (within - poisson) / overall**2 if beyond_chance else 0.0
        return cls(design.response, overall, means, per_exposure, excess)

    @property
    def is_binary(self) -> bool:
        return self.response.family == "binary"

    @property
    def link(self) -> str:
        """The link in which effects of groups are added, whatever the scale of effects."""
        return "logit" if self.is_binary else "log"

    def linked(self, mean: np.ndarray | float) -> np.ndarray:
        """Log odds of risks, logarithms of rates."""
        return np.asarray(special.logit(mean) if self.is_binary else np.log(mean))

    def unlinked(self, value: np.ndarray | float) -> np.ndarray:
        """Risks of log odds, rates of logarithms."""
        return np.asarray(special.expit(value) if self.is_binary else np.exp(value))

    @property
    def slope(self) -> float:
        """Derivative of the link at the overall mean: from differences of means to those of links."""
        return 1 / (self.overall * (1 - self.overall)) if self.is_binary else 1 / self.overall

    @property
    def inwards(self) -> int:
        """The sign of effects that lead the first arm away from the nearer end of its range."""
        return -1 if self.is_binary and self.means[0] > 0.5 else 1

    def within(self, mean: float) -> float:
        """Variance of an individual's outcome, or rate, in groups that do not differ."""
        if self.is_binary:
            return mean * (1 - mean)
        return mean * self.per_exposure + self.excess * mean**2

    def rare(self, factor: float) -> float:
        """A mean with so many times fewer events, or of risks above a half, of what is no event."""
        if self.is_binary and self.overall > 0.5:
            return 1 - (1 - self.overall) / factor
        return self.overall / factor

    def reached(self, effects: np.ndarray) -> np.ndarray:
        """(J,) means of arms of which the first has its estimate, and others effects on its scale.

        Effects are differences, ratios or odds ratios to the first arm, by `response.scale`; NaN where
        they lead to no risk or rate.
        """
        first = self.means[0]
        scale = self.response.scale
        if scale == "difference":
            means = first + effects
        elif scale == "ratio":
            means = first * effects
        else:
            with np.errstate(invalid="ignore", divide="ignore"):
                means = special.expit(special.logit(first) + np.log(effects))
        inside = (means > 0) & (means < (1 if self.is_binary else np.inf))
        return np.where(inside, means, np.nan)

    def effects(self, means: np.ndarray) -> np.ndarray:
        """(J,) effects of arms with these means, to the first of them, on their scale."""
        if not self.response.is_ratio:
            return means - means[0]
        odds = self.response.scale == "odds_ratio"
        log = special.logit(means) if odds else np.log(means)
        return np.asarray(np.exp(log - log[0]))

    def content(self, arms: tuple[str, ...]) -> dict[str, Any]:
        """As JSON."""
        return {
            **vars(self.response),
            "overall": self.overall,
            "means": dict(zip(arms, map(float, self.means), strict=True)),
            "per_exposure": self.per_exposure,
            "excess": self.excess,
        }

    @classmethod
    def read(cls, content: Mapping[str, Any]) -> EventMoments:
        """From what `content` made."""
        return cls(
            response=Response(content["family"], content["scale"]),
            overall=content["overall"],
            means=np.array(list(content["means"].values())),
            per_exposure=content["per_exposure"],
            excess=content["excess"],
        )
