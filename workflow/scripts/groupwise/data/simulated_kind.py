"""Whether a simulation draws numbers or events, and what is wrong with such a description.

Light on imports: the configuration is checked with it at every start.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any

from groupwise.data.errors import nearest
from groupwise.data.simulated_sequences import (
    Mistake,
    arms_of,
    sequence_mistakes,
    where_arms_are,
)
from groupwise.response import Response

FAMILY = {"risks": "binary", "rates": "count"}
"""Keys that describe events, with the family of their outcome."""
OF_NUMBERS = ("mean", "effects", "sd_residual", "noise", "sd_effect", "decimals")
"""Settings of outcomes that are no events."""
NEEDED = ("mean", "effects", "sd_group", "sd_residual")
"""What a simulation of numbers cannot do without."""


def means_key(recipe: Mapping[str, Any]) -> str | None:
    """`risks` or `rates`, whichever a simulation has; None where it draws numbers."""
    return next((key for key in FAMILY if recipe.get(key) is not None), None)


def first_mistake(recipe: Mapping[str, Any]) -> Mistake | None:
    """What makes a simulation impossible, the first of all."""
    return next(chain(sequence_mistakes(recipe), kind_mistakes(recipe)), None)


def kind_mistakes(recipe: Mapping[str, Any]) -> Iterator[Mistake]:
    """What is missing of a description of numbers or of events, or belongs to the other kind."""
    key = means_key(recipe)
    if key is None:
        for needed in NEEDED:
            if needed not in recipe:
                fix = "add it, or describe events by `risks` or `rates`"
                yield (needed,), "a simulation of numbers needs it", fix
        for odd in ("icc", "exposure"):
            if recipe.get(odd) is not None:
                yield (odd,), "it is for events, and this simulation draws numbers", "remove it"
        return
    if key == "risks" and recipe.get("rates") is not None:
        yield ("rates",), "`risks` says already how often events happen", "remove one of the two"
    for odd in OF_NUMBERS:
        if odd in recipe and not (odd == "sd_effect" and not recipe[odd]):
            yield (odd,), f"it is for numbers, and `{key}` describes events", "remove it"
    yield from _mean_mistakes(recipe, key)
    yield from _spread_mistakes(recipe, key)
    yield from _exposure_mistakes(recipe, key)


def _mean_mistakes(recipe: Mapping[str, Any], key: str) -> Iterator[Mistake]:
    """Every arm has a risk between 0 and 1, or a rate above 0, and no other arm has one."""
    arms = arms_of(recipe)
    for arm in recipe[key]:
        if arm not in arms:
            problem = f"'{arm}' is not an arm of {where_arms_are(recipe)}"
            yield (key,), problem, nearest(arm, arms)
    for arm in arms:
        if arm not in recipe[key]:
            yield (key,), f"it has no value for the arm '{arm}'", "add one"
        value = recipe[key][arm]
        if not 0 < value < (1 if key == "risks" else float("inf")):
            fix = "give a number between 0 and 1" if key == "risks" else "give a number above 0"
            yield (key, arm), f"{value!r} is no {key.removesuffix('s')}", fix


def _spread_mistakes(recipe: Mapping[str, Any], key: str) -> Iterator[Mistake]:
    """The spread of groups is told in one way."""
    sd, icc = recipe.get("sd_group"), recipe.get("icc")
    if sd is None and icc is None:
        of = "log odds" if key == "risks" else "logarithms of rates"
        fix = f"give `sd_group`, the standard deviation of their {of}, or the `icc` of the outcome"
        yield ("sd_group",), "nothing says how much groups differ", fix
    if sd is not None and icc is not None:
        yield ("icc",), "`sd_group` says already how much groups differ", "remove one of the two"
    if icc is not None and not 0 <= icc < 1:
        yield ("icc",), f"{icc!r} is no intraclass correlation", "give a number from 0 to below 1"


def _exposure_mistakes(recipe: Mapping[str, Any], key: str) -> Iterator[Mistake]:
    """Exposures are of rates, and above 0."""
    exposure = recipe.get("exposure")
    if exposure is None:
        return
    if key == "risks":
        yield ("exposure",), "it is for rates, and this simulation has risks", "remove it"
    least = most = exposure
    if isinstance(exposure, Mapping):
        least, most = exposure["min"], exposure["max"]
    if min(least, most) <= 0:
        yield ("exposure",), f"{min(least, most)!r} is no time at risk", "give a number above 0"
    if least > most:
        yield ("exposure",), f"min {least} is above max {most}", "exchange them"


def true_effect(recipe: Mapping[str, Any], arm: str, other: str, scale: str) -> float:
    """The effect of an arm compared with another, of all individuals: a difference or a ratio."""
    key = means_key(recipe)
    if key is None:
        effects = recipe["effects"]
        return float(effects.get(arm, 0.0)) - float(effects.get(other, 0.0))
    high, low = float(recipe[key][arm]), float(recipe[key][other])
    if scale == "difference":
        return high - low
    return high * (1 - low) / (low * (1 - high)) if scale == "odds_ratio" else high / low


def true_effects(recipe: Mapping[str, Any], reference: str, scale: str) -> dict[str, float]:
    """The effects of arms by label, as `assumed_effects` has them."""
    if means_key(recipe) is None:
        return dict(recipe["effects"])
    arms = (arm for arm in arms_of(recipe) if arm != reference)
    return {arm: true_effect(recipe, arm, reference, scale) for arm in arms}


def simulated_response(recipe: Mapping[str, Any], scale: str | None) -> Response:
    """The outcome that a simulation draws, with the scale that is asked for or the usual one."""
    key = means_key(recipe)
    return Response.of("continuous" if key is None else FAMILY[key], scale)
