"""What an outcome is: its family, and the scale on which effects of a treatment are reported."""

from __future__ import annotations

from dataclasses import dataclass

FAMILIES = ("continuous", "binary", "count")
SCALES = ("difference", "ratio", "odds_ratio")

SCALES_OF = {
    "continuous": ("difference",),
    "binary": ("difference", "ratio", "odds_ratio"),
    "count": ("ratio", "difference"),
}
"""Scales of effects by family; the first is taken where none is asked for."""


@dataclass(frozen=True)
class Response:
    """The kind of an outcome.

    Attributes
    ----------
    family
        `continuous`; `binary`, 1 where the event happened and 0 where not; `count`, a number of events.
    scale
        What an effect is: `difference` of means, risks or rates; `ratio` of risks or rates;
        `odds_ratio`. It stands in every table of effects.
    """

    family: str
    scale: str

    @classmethod
    def of(cls, family: str, scale: str | None = None) -> Response:
        """A family with a scale of effects, or with the one that is usual for it."""
        return cls(family, scale or SCALES_OF[family][0])

    @property
    def has_events(self) -> bool:
        """Whether the outcome counts events."""
        return self.family != "continuous"

    @property
    def is_ratio(self) -> bool:
        """Whether effects are ratios: of these, standard errors and statistics are of the logarithm."""
        return self.scale != "difference"

    @property
    def link(self) -> str:
        """The function of a mean in which effects are differences: `identity`, `log` or `logit`."""
        return {"difference": "identity", "ratio": "log", "odds_ratio": "logit"}[self.scale]


CONTINUOUS = Response("continuous", "difference")
"""A numeric outcome, compared by differences of means."""
