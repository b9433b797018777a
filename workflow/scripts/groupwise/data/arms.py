"""Which column is the treatment, and which its group and block: the readings, with marks."""

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
    """Whether its values are nested in or crossed with groups as in a design, unlike a trait."""


def readings(structure: Structure, times: Sequence[str]) -> list[Reading]:
    """The reading of every column that may be the treatment, best first."""
    candidates = [
        _reading(structure, name, times)
        for name in structure.repeated
        if 2 <= structure.n_levels(name) <= MAX_ARMS and name not in times
    ]
    return sorted(candidates, key=lambda each: -each.marks)


def name_of_arms(structure: Structure, name: str) -> tuple[float, str]:
    """Marks of a column as a treatment, by its name and the names of its values; and the reason."""
    column = structure.columns[name]
    texts = _arm_texts(structure, name)
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


def _arm_texts(structure: Structure, name: str) -> set[str]:
    if structure.columns[name].kind != "text":
        return set()
    return {say.folded(each) for each in structure.table[name].dropna().unique()}


def _is_interval(texts: set[str]) -> bool:
    """Whether all texts are ranges of numbers, as of an age in classes."""
    ranges = all(any(c.isdigit() for c in t) and t[0] in "<>0123456789" for t in texts)
    return bool(texts) and ranges and not all(map(str.isdigit, texts))


def _reading(structure: Structure, name: str, times: Sequence[str]) -> Reading:
    marks, words = name_of_arms(structure, name)
    group, group_why, close = _group(structure, name, times)
    between = group is not None and one_arm_each(structure, group, name)
    crossed = not between and group is not None and _is_crossed(structure, group, name)
    block, block_why = _block(structure, name, group, times) if between else (None, "")
    shares = structure.counts(name)
    marks += float(shares.min() / shares.sum()) * len(shares)
    marks += 1.0 * (group is not None) + 2.0 * between + 0.5 * (block is not None)
    marks += 1.0 * crossed
    marks += 2.0 * _alternates(structure, name)
    marks -= 1.0 * (
        not words and structure.columns[name].kind != "text" and structure.n_levels(name) > 2
    )
    if marks and (is_attribute(name) or rank(name)) and not says(name, say.TREATMENT):
        marks -= 2.0 if rank(name) and name.casefold() not in ("group", "gruppe") else 0.0
    reasons = [f"{structure.n_levels(name)} levels"]
    if group is not None:
        reasons.append(
            f"constant within {sized(group)}" + _exceptions(structure, group, name)
            if between
            else "it varies within groups"
        )
    reasons += [words] if words else []
    return Reading(
        name, group, block, marks, ", ".join(reasons), group_why, block_why, close, bool(words),
        group is not None and lacks_groups(structure, group, name),
        between or crossed or _goes_with_time(structure, name, group, times),
    )  # fmt: skip


def _goes_with_time(
    structure: Structure, treatment: str, group: Key | None, times: Sequence[str]
) -> bool:
    return group is not None and period_of_treatment(structure, treatment, group, times) is not None


def one_arm_each(structure: Structure, group: Key, treatment: str) -> bool:
    """Whether each group is in one arm, but for a few rows that may be errors."""
    if structure.follows(group, treatment):
        return True
    return _mixed_rows(structure, group, treatment) > 0


def _mixed_rows(structure: Structure, group: Key, treatment: str) -> int:
    """The number of rows in another arm than most of their group, if these are few; else 0."""
    cells = structure.crossed(group, treatment)
    if cells is None or cells.sum() < 5 * len(cells):
        return 0
    wrong = cells.sum(axis=1) - cells.max(axis=1)
    few = (wrong > 0).sum() <= 0.1 * len(cells) and wrong.sum() <= (1 - NEARLY) * cells.sum()
    return int(wrong.sum()) if few else 0


def _exceptions(structure: Structure, group: Key, treatment: str) -> str:
    if structure.follows(group, treatment):
        return ""
    n = _mixed_rows(structure, group, treatment)
    return f" but for {n} row{'' if n == 1 else 's'}"


def _is_crossed(structure: Structure, group: Key, treatment: str) -> bool:
    """Whether nearly every group has each arm about equally often, as a crossed design does."""
    cells = structure.crossed(group, treatment)
    if cells is None:
        return False
    low, high = cells.min(axis=1), cells.max(axis=1)
    return bool(np.mean((low > 0) & (low >= 0.75 * high)) >= 0.9)


def _alternates(structure: Structure, name: str) -> bool:
    """Whether rows are sorted by a unit within which the arms alternate."""
    return any(
        structure.runs(other) <= structure.columns[other].levels
        and structure.runs(name) >= 3 * structure.runs(other)
        and structure.columns[other].levels <= MAX_ARMS
        for other in structure.repeated
        if other != name and structure.columns[other].kind != "number"
    )


def _group(
    structure: Structure, treatment: str, times: Sequence[str]
) -> tuple[Key | None, str, tuple[Key, ...]]:
    """The group: the coarsest unit in one arm each; else the finest with several rows."""
    units = [
        name
        for name in _units(structure, times)
        if name != treatment and not structure.follows(treatment, name)
    ]
    single = [name for name in units if one_arm_each(structure, name, treatment)]
    units = [name for name in units if name not in single]
    if whole := [name for name in single if _has_two_each(structure, name, treatment)]:
        return _coarsest(structure, whole, treatment, times)
    pair = assigned_pair(structure, treatment, times)
    if pair is not None:
        why = f"{structure.n_levels(pair)} pairs, each with one {treatment}: labels of {pair[1]} restart"
        return pair, f"{why} in each {pair[0]}", ()
    if not units:
        return None, _why_no_group(structure, single, treatment), ()
    return _finest(structure, units)


def _why_no_group(structure: Structure, single: list[str], treatment: str) -> str:
    if single:
        name = max(single, key=lambda each: unit_marks(structure, each))
        return f"each {name} has one {treatment}, but an arm has only one {name}; it takes two at least"
    return "no column looks like labels of more than two groups with several rows each"


def _has_two_each(structure: Structure, group: str, treatment: str) -> bool:
    """Whether every arm that has groups has two at least."""
    cells = structure.crossed(group, treatment)
    if cells is None:
        return structure.columns[group].levels >= 2 * structure.n_levels(treatment)
    n = (cells > 0).sum(axis=0)
    return bool(n[n > 0].min() >= 2)


def any_group(
    structure: Structure, times: Sequence[str]
) -> tuple[Key | None, str, tuple[Key, ...]]:
    """The group where no column can be the treatment."""
    units = _units(structure, times)
    return _finest(structure, units) if units else (None, "no column holds several rows each", ())


def _units(structure: Structure, times: Sequence[str]) -> list[str]:
    """Columns that may be groups, whatever the treatment is."""
    return [
        name
        for name in structure.repeated
        if name not in times
        and structure.columns[name].levels > 2
        and structure.columns[name].per_level >= LEAST_ROWS
        and is_unit(structure, name)
        and not _is_cell(structure, name, times)
        and not numbers_members(structure, name)
    ]


def _coarsest(
    structure: Structure, whole: list[str], treatment: str, times: Sequence[str]
) -> tuple[Key | None, str, tuple[Key, ...]]:
    partial = [name for name in whole if lacks_groups(structure, name, treatment)]
    if partial:
        best = max(
            partial, key=lambda name: (unit_marks(structure, name), structure.columns[name].levels)
        )
        n = structure.columns[best].levels
        why = f"{n} levels, each with one {treatment}; the rows of whole arms have none"
        return best, why, ()
    top = max(unit_marks(structure, name) for name in whole)
    good = [name for name in whole if unit_marks(structure, name) >= top - 3.0]
    best = min(
        good, key=lambda name: (structure.columns[name].levels, -unit_marks(structure, name))
    )
    close: tuple[Key, ...] = _perhaps_restarted(structure, best)
    if name_marks(best) <= 0:
        close = _crossed_units(structure, best, treatment, times)
    return best, f"{structure.columns[best].levels} levels, each with one {treatment}", close


def _perhaps_restarted(structure: Structure, group: str) -> tuple[Key, ...]:
    """(larger unit, group), the true group if the labels 1, 2, 3 restart in each larger unit."""
    if not rank(group) > 0 or not begins_at_one(structure, group):
        return ()
    for higher in sorted(structure.repeated, key=rank):
        place = any(says(higher, each) for each in (say.PLACE, say.HOUSE, say.ROOM))
        if not place or rank(higher) <= rank(group) or structure.follows(group, higher):
            continue
        cells = structure.crossed(higher, group)
        if cells is None or len(cells) < 2 or not is_unit(structure, higher):
            continue
        labels_per_unit, units_per_label = (cells > 0).sum(axis=1), (cells > 0).sum(axis=0)
        full = structure.counts((higher, group)).mean() >= LEAST_ROWS
        if full and labels_per_unit.min() >= 2 and units_per_label.mean() >= 1.5:
            return ((higher, group),)
    return ()


def _crossed_units(
    structure: Structure, group: str, treatment: str, times: Sequence[str]
) -> tuple[str, ...]:
    """Units crossed with the group, which are alternatives if its name is uninformative."""
    return tuple(
        name
        for name in structure.repeated
        if name not in (treatment, *times)
        and is_unit(structure, name)
        and not _is_cell(structure, name, times)
        and not structure.follows(group, name)
        and not structure.follows(name, group)
    )


def _finest(structure: Structure, units: list[str]) -> tuple[Key | None, str, tuple[Key, ...]]:
    top = max(unit_marks(structure, name) for name in units)
    good = [name for name in units if unit_marks(structure, name) >= top - 2.0]
    best: str = max(
        good, key=lambda name: (structure.columns[name].levels, unit_marks(structure, name))
    )
    column = structure.columns[best]
    key: Key = best
    for higher in sorted(units, key=rank):
        together = (higher, best)
        if higher == best or structure.counts(together).mean() < LEAST_ROWS:
            continue
        if restarted(structure, best, higher):
            key = (higher, best)
            break
    close = tuple(
        name
        for name in good
        if name != best
        and rank(name) == rank(best)
        and not structure.follows(best, name)
        and abs(unit_marks(structure, name) - unit_marks(structure, best)) < 0.75
    )
    if isinstance(key, tuple):
        why = f"{structure.n_levels(key)} pairs: labels of {best} restart in each {key[0]}"
        return key, why, close
    return key, f"{column.levels} levels with {column.per_level:.0f} rows on average", close


def _is_cell(structure: Structure, name: str, times: Sequence[str]) -> bool:
    """Whether a column numbers combinations of a unit with times, and so is no unit itself."""
    return any(
        structure.follows(name, time)
        and any(
            structure.follows(name, other) and not structure.follows(other, time)
            for other in structure.repeated
            if other not in (name, *times) and is_unit(structure, other)
        )
        for time in times
    )


def lacks_groups(structure: Structure, group: Key, treatment: str) -> bool:
    """Whether the group is missing in all rows of some arms, and in no row of the others."""
    lone = structure.codes(group) < 0
    if not lone.any() or lone.all():
        return False
    arms = structure.codes(treatment)
    without, within = (set(np.unique(arms[rows & (arms >= 0)])) for rows in (lone, ~lone))
    return bool(without) and not without & within and lone.sum() >= 0.05 * len(lone)


def _block(
    structure: Structure, treatment: str, group: Key | None, times: Sequence[str]
) -> tuple[str | None, str]:
    """The block: the column that groups nest in, with several arms per level; and the reason."""
    if group is None or lacks_groups(structure, group, treatment):
        return None, ""
    lower = (group,) if isinstance(group, str) else group[-1:]
    blocks = [
        name
        for name in structure.repeated
        if name not in (treatment, *lower, *times)
        and structure.columns[name].kind != "number"
        and structure.follows(group, name)
        and not structure.follows(name, treatment)
        and 2 <= structure.columns[name].levels <= structure.n_levels(group) / 1.5
        and _is_blockish(structure, name)
    ]
    if not blocks:
        return None, "no column holds whole groups of several arms"
    best = max(blocks, key=lambda name: (says(name, say.BLOCK), structure.columns[name].levels))
    of = "groups" if isinstance(group, tuple) else f"levels of {group}"
    return best, f"{structure.columns[best].levels} levels that hold whole {of}, and several arms"


def _is_blockish(structure: Structure, name: str) -> bool:
    if (is_attribute(name) and not says(name, say.BLOCK)) or says(name, say.TRAIT | say.ITEM):
        return False
    levels = structure.columns[name].levels
    named = rank(name) >= 2 and levels > 2
    return says(name, say.BLOCK) or named or (levels > MAX_ARMS and is_unit(structure, name))
