"""What settings say of the kind of an outcome, and which of them contradict each other.

Light on imports: the configuration is checked with it at every start.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from groupwise.response import SCALES_OF

SCALE_NAMES = {"difference": "difference", "ratio": "ratio", "odds_ratio": "odds ratio"}

Mistake = tuple[tuple[str, ...], str, str]
"""(key below the dataset, as its parts; problem; fix)."""


@dataclass(frozen=True)
class DeclaredKind:
    """What settings say of an outcome; None where they say nothing.

    Attributes
    ----------
    outcome_kind : `continuous`, `binary` or `count`
    event : of a binary outcome, the value that counts
    effect_as : the scale of effects, see `response.SCALES`
    """

    outcome_kind: str | None = None
    event: Any = None
    effect_as: str | None = None

    @property
    def family(self) -> str | None:
        """The family that settings say or imply: only a binary outcome has an `event`."""
        return (
            "binary" if self.outcome_kind is None and self.event is not None else self.outcome_kind
        )

    @property
    def scale(self) -> str | None:
        """The scale of effects, where settings tell it."""
        return self.effect_as or (SCALES_OF[self.family][0] if self.family else None)


def contradictions(settings: Mapping[str, Any]) -> Iterator[Mistake]:
    """Settings of a dataset's block that cannot go together, as far as no data are needed."""
    names = ("outcome_kind", "event", "effect_as")
    kind = DeclaredKind(**{name: settings.get(name) for name in names})
    family = kind.family
    if kind.event is not None and family != "binary":
        problem = f"only a binary outcome has an event, and `outcome_kind` is {family}"
        yield ("event",), problem, "remove it, or write `outcome_kind: binary`"
    if settings.get("roles", {}).get("exposure") and family != "count":
        yield ("roles", "exposure"), *without_counts(family)
    if family is None:
        return
    if kind.effect_as is not None and kind.effect_as not in SCALES_OF[family]:
        yield ("effect_as",), *no_such_scale(kind.effect_as, family)
    if family != "continuous":
        yield from event_contradictions(settings, str(kind.scale))


def event_contradictions(settings: Mapping[str, Any], scale: str) -> Iterator[Mistake]:
    """What cannot be done with events, or with the scale of their effects."""
    outcome_as = settings.get("outcome_as", "raw")
    if outcome_as != "raw":
        problem = f"events are counted, and have no {outcome_as} scale"
        fix = "remove it, or write `outcome_kind: continuous` to take the outcome as a number"
        yield ("outcome_as",), problem, fix
    if settings.get("random_slopes", False) and scale != "difference":
        name = SCALE_NAMES[scale]
        problem = f"no model here lets groups differ in an effect that is {a(name)}"
        yield ("random_slopes",), problem, "remove it, or write `effect_as: difference`"


def without_counts(family: str | None) -> tuple[str, str]:
    """Problem and fix of an exposure, where no events are counted."""
    has = "nothing says that the outcome counts events"
    if family is not None:
        has = f"the outcome is {family}"
    fix = "write `outcome_kind: count`, or remove the role"
    return f"an exposure is for numbers of events, and {has}", fix


def no_such_scale(scale: str, family: str) -> tuple[str, str]:
    """Problem and fix of a scale that effects on outcomes of this family have not."""
    scales = SCALES_OF[family]
    problem = f"effects on a {family} outcome are no {SCALE_NAMES[scale]}s"
    if family == "count":
        problem += ": an event can happen more than once, so that it has no odds"
    wanted = f"write `effect_as: {scales[0]}`"
    if len(scales) > 1:
        wanted += "".join(f" or `effect_as: {each}`" for each in scales[1:])
    return problem, wanted


def a(name: str) -> str:
    """A noun with its article."""
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"
