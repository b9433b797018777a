"""What an outcome is: its family, and the scale on which the effect of a treatment is told."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Response:
    """The kind of an outcome.

    Attributes
    ----------
    family : `continuous`
    scale
        What an effect is: `difference` of means, in units of the outcome. It stands in every table
        of effects.
    """

    family: str
    scale: str


CONTINUOUS = Response("continuous", "difference")
"""A numeric outcome, compared by differences of means."""
