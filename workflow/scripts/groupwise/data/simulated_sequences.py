"""Which arms the groups of a simulation go through, and what is wrong with such a description.

Light on imports: the configuration is checked with it at every start.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from numbers import Integral
from typing import Any

UNMEASURED = "-"
"""Stands for an arm in a period in which a group is not measured."""

OF_PERIODS = ("cac", "decay", "trend", "cohort", "sd_individual")
"""Settings that mean something with sequences only."""

FEWEST_GROUPS = 4

Mistake = tuple[tuple[str | int, ...], str, str]
"""(key below `simulate`, as its parts; problem; fix)."""


def planned(recipe: Mapping[str, Any]) -> list[tuple[tuple[str, ...], int]]:
    """(the arm in each of T periods, number of groups) of each sequence; without sequences T = 1."""
    if recipe.get("sequences"):
        return [(tuple(each["arms"]), each["groups"]) for each in recipe["sequences"]]
    return [((arm,), groups) for arm, groups in recipe["groups_per_arm"].items()]


def arms_of(recipe: Mapping[str, Any]) -> list[str]:
    """The arms in order: as listed, those of sequences as they first appear."""
    met = dict.fromkeys(arm for arms, _ in planned(recipe) for arm in arms)
    return [arm for arm in met if arm != UNMEASURED]


def n_groups(recipe: Mapping[str, Any]) -> int:
    """The number of groups in all."""
    return sum(groups for _, groups in planned(recipe))


def where_arms_are(recipe: Mapping[str, Any]) -> str:
    """What names the arms, for messages."""
    return "the sequences" if recipe.get("sequences") else "groups_per_arm"


def sequence_mistakes(recipe: Mapping[str, Any]) -> Iterator[Mistake]:
    """What makes a recipe's groups, their sequences or what goes with periods impossible.

    Each is looked for only when there are none before it.
    """
    sequences = recipe.get("sequences")
    if sequences is not None and recipe.get("groups_per_arm"):
        problem = "`groups_per_arm` says already which groups there are"
        yield ("sequences",), problem, "remove one of the two"
    if sequences is None:
        if not recipe.get("groups_per_arm"):
            problem = "nothing says how many groups there are in each arm"
            fix = "add the key, or `sequences` if arms change from period to period"
            yield ("groups_per_arm",), problem, fix
        for key in OF_PERIODS:
            if key in recipe:
                problem = "it is for periods, and this simulation has none"
                yield (key,), problem, "remove it, or describe `sequences`"
        return
    yield from _shape_mistakes(sequences)
    yield from _layout_mistakes(planned(recipe))
    yield from _value_mistakes(recipe, len(sequences[0]["arms"]))


def _shape_mistakes(sequences: Any) -> Iterator[Mistake]:
    """Sequences that are none, or of several lengths."""
    if not isinstance(sequences, Sequence) or not sequences:
        fix = "list mappings with `arms` and `groups`"
        yield ("sequences",), "it is no list of sequences", fix
    for i, each in enumerate(sequences):
        here = ("sequences", i)
        if not isinstance(each, Mapping) or set(each) != {"arms", "groups"}:
            fix = "give it `arms`, a list of one for each period, and `groups`, their number"
            yield here, "it is no sequence of arms with its number of groups", fix
        arms, groups = each["arms"], each["groups"]
        if isinstance(arms, str) or len(arms) < 2:
            fix = "list the arm in each of two periods or more"
            yield (*here, "arms"), "it is no list of arms in several periods", fix
        if not all(isinstance(arm, str) for arm in arms):
            yield (*here, "arms"), "an arm is no text", "put it in quotes"
        if isinstance(groups, bool) or not isinstance(groups, Integral) or groups < 1:
            fix = "give a whole number, 1 or more"
            yield (*here, "groups"), f"{groups!r} is no number of groups", fix
        if len(arms) != len(sequences[0]["arms"]):
            problem = f"it has {len(arms)} periods, and the first has {len(sequences[0]['arms'])}"
            fix = f"list one arm for each period, '{UNMEASURED}' where a group is not measured"
            yield (*here, "arms"), problem, fix


def _layout_mistakes(plan: Sequence[tuple[tuple[str, ...], int]]) -> Iterator[Mistake]:
    """Groups and periods without measurements, and effects that cannot be told from time."""
    for i, (arms, _) in enumerate(plan):
        if set(arms) == {UNMEASURED}:
            problem = "its groups are not measured in any period"
            yield ("sequences", i, "arms"), problem, "name an arm, or remove the sequence"
    periods = [{*arms} - {UNMEASURED} for arms in zip(*(arms for arms, _ in plan), strict=True)]
    for t, arms_then in enumerate(periods, start=1):
        if not arms_then:
            problem = f"no group is measured in period {t}"
            yield ("sequences",), problem, "leave this period out of all sequences"
    if max(map(len, periods)) < 2:
        problem = "no period holds two arms, so that effects cannot be told from changes over time"
        yield ("sequences",), problem, "let some groups be in another arm at the same time"
    total = sum(groups for _, groups in plan)
    if total < FEWEST_GROUPS:
        problem = f"{total} groups do not show how much groups differ"
        yield ("sequences",), problem, f"simulate {FEWEST_GROUPS} groups or more in all"


def _value_mistakes(recipe: Mapping[str, Any], n_periods: int) -> Iterator[Mistake]:
    """Settings of the periods that contradict these or each other."""
    cac, trend = recipe.get("cac", 1), recipe.get("trend", 0)
    if not 0 <= cac <= 1:
        yield ("cac",), f"{cac!r} is no share of a variance", "give a number from 0 to 1"
    if recipe.get("decay") and "cac" not in recipe:
        problem = "nothing decays while `cac` is 1, as it is if left out"
        yield ("decay",), problem, "give `cac` too, or remove the key"
    if hasattr(trend, "__len__") and len(trend) != n_periods:
        problem = f"{len(trend)} numbers are listed for {n_periods} periods"
        fix = "list one number for each period, or give one, the rise from period to period"
        yield ("trend",), problem, fix
    if recipe.get("sd_individual") and not recipe.get("cohort"):
        problem = "every individual is measured once, so that nothing of individuals lasts"
        yield ("sd_individual",), problem, "make a `cohort`, or remove the key"
