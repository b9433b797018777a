"""Which column is the treatment, and what holds its rows together: the readings, with marks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from groupwise.data import vocabulary as say
from groupwise.data.repeats import assigned_pair, numbers_members, period_of_treatment, restarted
from groupwise.data.structure import Key, Structure
from groupwise.data.units import (
    begins_at_one,
    is_attribute,
    is_label,
    is_unit,
    name_marks,
    rank,
    sized,
    unit_marks,
)
from groupwise.data.vocabulary import says

MAX_ARMS = 10
LEAST_ROWS = 1.5
"""Groups hold so many rows on average: a label of one row is that of the row."""
NEARLY = 0.98
"""Groups of one arm but for fewer rows than this leaves are groups of one arm with mistakes."""


@dataclass(frozen=True)
class Reading:
    """A treatment with its group and block. `marks`: how well all of it fits together."""

    treatment: str
    group: Key | None
    block: str | None
    marks: float
    why: str
    group_why: str
    block_why: str
    close: tuple[Key, ...] = ()
    """What could be the group as well: columns, or a pair where labels may start again."""
    named: bool = False
    """Whether the name or an arm says that it is a treatment."""
    ungrouped: bool = False
    """Whether the rows of whole arms have no group."""
    dealt: bool = True
    """Whether its values lie as a design deals them, and not as traits fall."""


def readings(found: Structure, times: Sequence[str]) -> list[Reading]:
    """Every column that may be the treatment, best first."""
    made = [
        _reading(found, name, times)
        for name in found.repeated
        if 2 <= found.n_levels(name) <= MAX_ARMS and name not in times
    ]
    return sorted(made, key=lambda each: -each.marks)


def name_of_arms(found: Structure, name: str) -> tuple[float, str]:
    """How much a column sounds like a treatment, by its name and by those of its values."""
    column = found.columns[name]
    texts = _arm_texts(found, name)
    control = any(says(each, say.CONTROL) for each in texts)
    bare = any(says(each, say.BARE) for each in texts) and not texts <= say.YES | say.NO
    if says(name, say.TREATMENT):
        return 4.0 if control else 3.0, "named so"
    if control:
        return 3.0, "an arm sounds like a control"
    traits = texts and texts <= say.words("male female m f boy girl man woman mannlich weiblich w")
    if says(name, say.TRAIT) or traits or (column.kind == "text" and _is_interval(texts)):
        return -4.0, ""
    if says(name, say.FACTOR):
        return 1.75 if bare else 1.5, "named so"
    if says(name, say.OUTCOME | say.BEFORE) or is_label(name):
        return -3.0, ""
    if says(name, say.MEASURE) and not bare:
        return -2.0, ""
    return (1.0, "an arm sounds like a control") if bare else (0.0, "")


def _arm_texts(found: Structure, name: str) -> set[str]:
    if found.columns[name].kind != "text":
        return set()
    return {say.folded(each) for each in found.table[name].dropna().unique()}


def _is_interval(texts: set[str]) -> bool:
    """Whether values are ranges, as of an age that was cut into classes."""
    ranges = all(any(c.isdigit() for c in t) and t[0] in "<>0123456789" for t in texts)
    return bool(texts) and ranges and not all(map(str.isdigit, texts))


def _reading(found: Structure, name: str, times: Sequence[str]) -> Reading:
    marks, words = name_of_arms(found, name)
    group, group_why, close = _group(found, name, times)
    between = group is not None and one_arm_each(found, group, name)
    crossed = not between and group is not None and _is_crossed(found, group, name)
    block, block_why = _block(found, name, group, times) if between else (None, "")
    shares = found.counts(name)
    marks += float(shares.min() / shares.sum()) * len(shares)
    marks += 1.0 * (group is not None) + 2.0 * between + 0.5 * (block is not None)
    marks += 1.0 * crossed
    marks += 2.0 * _alternates(found, name)
    marks -= 1.0 * (not words and found.columns[name].kind != "text" and found.n_levels(name) > 2)
    if marks and (is_attribute(name) or rank(name)) and not says(name, say.TREATMENT):
        marks -= 2.0 if rank(name) and name.casefold() not in ("group", "gruppe") else 0.0
    reasons = [f"{found.n_levels(name)} levels"]
    if group is not None:
        reasons.append(
            f"constant within {sized(group)}" + _but(found, group, name)
            if between
            else "it varies within groups"
        )
    reasons += [words] if words else []
    return Reading(
        name, group, block, marks, ", ".join(reasons), group_why, block_why, close, bool(words),
        group is not None and lacks_groups(found, group, name),
        between or crossed or _goes_with_time(found, name, group, times),
    )  # fmt: skip


def _goes_with_time(
    found: Structure, treatment: str, group: Key | None, times: Sequence[str]
) -> bool:
    return group is not None and period_of_treatment(found, treatment, group, times) is not None


def one_arm_each(found: Structure, group: Key, treatment: str) -> bool:
    """Whether each group has one arm, but for a few rows as mistakes leave them."""
    if found.follows(group, treatment):
        return True
    return _mixed_rows(found, group, treatment) > 0


def _mixed_rows(found: Structure, group: Key, treatment: str) -> int:
    """Rows in the wrong arm, where nearly all are in the right one; else 0."""
    cells = found.crossed(group, treatment)
    if cells is None or cells.sum() < 5 * len(cells):
        return 0
    wrong = cells.sum(axis=1) - cells.max(axis=1)
    few = (wrong > 0).sum() <= 0.1 * len(cells) and wrong.sum() <= (1 - NEARLY) * cells.sum()
    return int(wrong.sum()) if few else 0


def _but(found: Structure, group: Key, treatment: str) -> str:
    if found.follows(group, treatment):
        return ""
    n = _mixed_rows(found, group, treatment)
    return f" but for {n} row{'' if n == 1 else 's'}"


def _is_crossed(found: Structure, group: Key, treatment: str) -> bool:
    """Whether nearly every group has each arm, and as often: as a design deals, not as traits fall."""
    cells = found.crossed(group, treatment)
    if cells is None:
        return False
    low, high = cells.min(axis=1), cells.max(axis=1)
    return bool(np.mean((low > 0) & (low >= 0.75 * high)) >= 0.9)


def _alternates(found: Structure, name: str) -> bool:
    """Whether the file is in order of a unit that holds several arms each time."""
    return any(
        found.runs(other) <= found.columns[other].levels
        and found.runs(name) >= 3 * found.runs(other)
        and found.columns[other].levels <= MAX_ARMS
        for other in found.repeated
        if other != name and found.columns[other].kind != "number"
    )


def _group(
    found: Structure, treatment: str, times: Sequence[str]
) -> tuple[Key | None, str, tuple[Key, ...]]:
    """The coarsest unit that has one arm each; else the finest that holds several rows."""
    units = [
        name
        for name in _units(found, times)
        if name != treatment and not found.follows(treatment, name)
    ]
    single = [name for name in units if one_arm_each(found, name, treatment)]
    units = [name for name in units if name not in single]
    if whole := [name for name in single if _has_two_each(found, name, treatment)]:
        return _coarsest(found, whole, treatment, times)
    pair = assigned_pair(found, treatment, times)
    if pair is not None:
        why = (
            f"{found.n_levels(pair)} pairs, each with one {treatment}: labels of {pair[1]} restart"
        )
        return pair, f"{why} in each {pair[0]}", ()
    if not units:
        return None, _why_no_group(found, single, treatment), ()
    return _finest(found, units)


def _why_no_group(found: Structure, single: list[str], treatment: str) -> str:
    if single:
        name = max(single, key=lambda each: unit_marks(found, each))
        return f"each {name} has one {treatment}, but an arm has only one {name}; it takes two at least"
    return "no column looks like labels of more than two groups with several rows each"


def _has_two_each(found: Structure, group: str, treatment: str) -> bool:
    """Whether every arm has two groups at least, those apart that have no group at all."""
    cells = found.crossed(group, treatment)
    if cells is None:
        return found.columns[group].levels >= 2 * found.n_levels(treatment)
    n = (cells > 0).sum(axis=0)
    return bool(n[n > 0].min() >= 2)


def any_group(found: Structure, times: Sequence[str]) -> tuple[Key | None, str, tuple[Key, ...]]:
    """The group where no column can be the treatment."""
    units = _units(found, times)
    return _finest(found, units) if units else (None, "no column holds several rows each", ())


def _units(found: Structure, times: Sequence[str]) -> list[str]:
    """Columns that may be groups, whatever the treatment is."""
    return [
        name
        for name in found.repeated
        if name not in times
        and found.columns[name].levels > 2
        and found.columns[name].per_level >= LEAST_ROWS
        and is_unit(found, name)
        and not _is_cell(found, name, times)
        and not numbers_members(found, name)
    ]


def _coarsest(
    found: Structure, whole: list[str], treatment: str, times: Sequence[str]
) -> tuple[Key | None, str, tuple[Key, ...]]:
    partial = [name for name in whole if lacks_groups(found, name, treatment)]
    if partial:
        best = max(partial, key=lambda name: (unit_marks(found, name), found.columns[name].levels))
        n = found.columns[best].levels
        why = f"{n} levels, each with one {treatment}; the rows of whole arms have none"
        return best, why, ()
    top = max(unit_marks(found, name) for name in whole)
    good = [name for name in whole if unit_marks(found, name) >= top - 3.0]
    best = min(good, key=lambda name: (found.columns[name].levels, -unit_marks(found, name)))
    close: tuple[Key, ...] = _perhaps_restarted(found, best)
    if name_marks(best) <= 0:
        close = _crossed_units(found, best, treatment, times)
    return best, f"{found.columns[best].levels} levels, each with one {treatment}", close


def _perhaps_restarted(found: Structure, group: str) -> tuple[Key, ...]:
    """The pair that is the group if its labels, 1, 2, 3 in each larger unit, start again there."""
    if not rank(group) > 0 or not begins_at_one(found, group):
        return ()
    for higher in sorted(found.repeated, key=rank):
        place = any(says(higher, each) for each in (say.PLACE, say.HOUSE, say.ROOM))
        if not place or rank(higher) <= rank(group) or found.follows(group, higher):
            continue
        cells = found.crossed(higher, group)
        if cells is None or len(cells) < 2 or not is_unit(found, higher):
            continue
        held, shared = (cells > 0).sum(axis=1), (cells > 0).sum(axis=0)
        full = found.counts((higher, group)).mean() >= LEAST_ROWS
        if full and held.min() >= 2 and shared.mean() >= 1.5:
            return ((higher, group),)
    return ()


def _crossed_units(
    found: Structure, group: str, treatment: str, times: Sequence[str]
) -> tuple[str, ...]:
    """Units that are crossed with the group, whose name says nothing: it may be one of items."""
    return tuple(
        name
        for name in found.repeated
        if name not in (treatment, *times)
        and is_unit(found, name)
        and not _is_cell(found, name, times)
        and not found.follows(group, name)
        and not found.follows(name, group)
    )


def _finest(found: Structure, units: list[str]) -> tuple[Key | None, str, tuple[Key, ...]]:
    top = max(unit_marks(found, name) for name in units)
    good = [name for name in units if unit_marks(found, name) >= top - 2.0]
    best: str = max(good, key=lambda name: (found.columns[name].levels, unit_marks(found, name)))
    column = found.columns[best]
    key: Key = best
    for higher in sorted(units, key=rank):
        together = (higher, best)
        if higher == best or found.counts(together).mean() < LEAST_ROWS:
            continue
        if restarted(found, best, higher):
            key = (higher, best)
            break
    close = tuple(
        name
        for name in good
        if name != best
        and rank(name) == rank(best)
        and not found.follows(best, name)
        and abs(unit_marks(found, name) - unit_marks(found, best)) < 0.75
    )
    if isinstance(key, tuple):
        why = f"{found.n_levels(key)} pairs: labels of {best} restart in each {key[0]}"
        return key, why, close
    return key, f"{column.levels} levels with {column.per_level:.0f} rows on average", close


def _is_cell(found: Structure, name: str, times: Sequence[str]) -> bool:
    """Whether a column numbers combinations of a unit with times: it is no unit of its own."""
    return any(
        found.follows(name, time)
        and any(
            found.follows(name, other) and not found.follows(other, time)
            for other in found.repeated
            if other not in (name, *times) and is_unit(found, other)
        )
        for time in times
    )


def lacks_groups(found: Structure, group: Key, treatment: str) -> bool:
    """Whether rows have no group just where they are of certain arms."""
    lone = found.codes(group) < 0
    if not lone.any() or lone.all():
        return False
    arms = found.codes(treatment)
    without, within = (set(np.unique(arms[rows & (arms >= 0)])) for rows in (lone, ~lone))
    return bool(without) and not without & within and lone.sum() >= 0.05 * len(lone)


def _block(
    found: Structure, treatment: str, group: Key | None, times: Sequence[str]
) -> tuple[str | None, str]:
    """What holds whole groups, and more than one arm: the finest, or what sounds like it."""
    if group is None or lacks_groups(found, group, treatment):
        return None, ""
    lower = (group,) if isinstance(group, str) else group[-1:]
    held = [
        name
        for name in found.repeated
        if name not in (treatment, *lower, *times)
        and found.columns[name].kind != "number"
        and found.follows(group, name)
        and not found.follows(name, treatment)
        and 2 <= found.columns[name].levels <= found.n_levels(group) / 1.5
        and _is_blockish(found, name)
    ]
    if not held:
        return None, "no column holds whole groups of several arms"
    best = max(held, key=lambda name: (says(name, say.BLOCK), found.columns[name].levels))
    of = "groups" if isinstance(group, tuple) else f"levels of {group}"
    return best, f"{found.columns[best].levels} levels that hold whole {of}, and several arms"


def _is_blockish(found: Structure, name: str) -> bool:
    if (is_attribute(name) and not says(name, say.BLOCK)) or says(name, say.TRAIT | say.ITEM):
        return False
    levels = found.columns[name].levels
    named = rank(name) >= 2 and levels > 2
    return says(name, say.BLOCK) or named or (levels > MAX_ARMS and is_unit(found, name))
