"""Rows that belong together in time: individuals measured again, ids that restart, crossovers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from groupwise.data import vocabulary as say
from groupwise.data.structure import Key, Structure
from groupwise.data.units import (
    is_label,
    is_start,
    is_unit,
    name_marks,
    rank,
    stages,
    unit_marks,
)
from groupwise.data.vocabulary import says

LEAST_SHARING = 6
"""So many groups besides one in each larger unit must have the arms of another one."""
TOGETHER = 3
"""So many units go through each sequence of a crossover on average."""
MOST_STAGES = 12
"""A time of more values is no before and after."""


@dataclass(frozen=True)
class Individual:
    """Rows that share an individual. `time` tells them apart; `sure`: the name or the time says so."""

    key: Key
    per: float
    time: str | None
    sure: bool


def restarted(structure: Structure, inner: str, outer: str) -> bool:
    """Whether the labels of `inner` start again in each `outer`: 1, 2, 3 here, 1, 2, 3 there.

    Two crossed columns look the same, so the names decide: a pupil belongs to one school, while an
    item or a week has no unit's name.
    """
    if says(outer, say.BLOCK) or not 0 < rank(inner) < rank(outer):
        return False
    if structure.follows(inner, outer):
        return False
    cells = structure.crossed(outer, inner)
    if cells is None:
        return False
    shared = (cells > 0).sum(axis=0)
    return bool(np.mean(shared) >= 1.5 and unit_marks(structure, inner) > 0)


def numbers_members(structure: Structure, name: str) -> bool:
    """Whether a column numbers the members of a larger unit anew in each: pupil 1, 2, 3 of a class.

    Such a number tells the rows of the larger unit apart, so it is the individual and no group.
    """
    if rank(name) > 1 or not (rank(name) == 1 or is_label(name)):
        return False
    if structure.columns[name].kind != "whole number":
        return False
    return any(
        rank(outer) > 1
        and outer != name
        and is_unit(structure, outer)
        and not structure.follows(name, outer)
        and structure.counts(outer).mean() >= 2
        and structure.tells_apart(outer, name)
        and _starts_anew(structure, name, outer)
        for outer in structure.repeated
    )


def _starts_anew(structure: Structure, name: str, outer: str) -> bool:
    """Whether the numbers begin at the first in nearly every larger unit."""
    values = structure.table[name]
    lowest = values.groupby(structure.codes(outer)).min()
    return bool(values.min() in (0, 1) and (lowest <= values.min() + 1).mean() >= 0.8)


def pairs(structure: Structure, times: Sequence[str]) -> list[tuple[str, str]]:
    """(higher, lower) columns that may make one identifier together."""
    units = [
        name
        for name in structure.repeated
        if name not in times and structure.columns[name].levels > 1
    ]
    units = [name for name in units if is_unit(structure, name) and not says(name, say.ITEM)]
    order = {name: i for i, name in enumerate(structure.columns)}
    identifiers = []
    for lower in units:
        for higher in units:
            above = (rank(higher), -order[higher]) > (rank(lower), -order[lower])
            if higher == lower or not above or structure.follows(lower, higher):
                continue
            if structure.follows(higher, lower):
                continue
            identifiers.append((higher, lower))
    return identifiers


def assigned_pair(
    structure: Structure, treatment: str, times: Sequence[str]
) -> tuple[str, str] | None:
    """The (higher, lower) pair in one arm each, where labels of the lower alone have several arms."""
    fitting = []
    for higher, lower in pairs(structure, times):
        if treatment in (higher, lower) or structure.follows(lower, treatment):
            continue
        if structure.follows(higher, treatment) or not structure.may_follow(
            (higher, lower), treatment
        ):
            continue
        per = structure.counts((higher, lower)).mean()
        both = structure.n_levels((higher, lower))
        if per < 1.5 or both < 1.3 * structure.columns[lower].levels:
            continue
        if structure.follows((higher, lower), treatment):
            fitting.append((higher, lower))
    return min(fitting, key=lambda pair: structure.n_levels(pair), default=None)


def individual(
    structure: Structure, group: Key | None, used: set[str], times: Sequence[str]
) -> Individual | None:
    """The finest unit below the group with several rows each: the individual, measured again."""
    above = set(group) if isinstance(group, tuple) else {group}
    keys: list[Key] = [
        name
        for name in structure.repeated
        if name not in used | above | set(times) and is_unit(structure, name)
        and (group is None or isinstance(group, tuple) or _is_within(structure, name, group))
    ]  # fmt: skip
    if isinstance(group, str):
        keys += [
            (group, name)
            for name in structure.repeated
            if name not in used | above | set(times)
            and rank(name) == 1
            and restarted(structure, name, group)
            and not structure.follows(name, group)
        ]
    nested = isinstance(group, str)
    ranked = [each for key in keys if (each := _measured(structure, key, times, nested=nested))]
    return max(ranked, key=lambda each: (each.sure, structure.n_levels(each.key)), default=None)


def of_group(structure: Structure, group: Key | None, times: Sequence[str]) -> Individual | None:
    """The group as the individual, where groups are persons; sure where a time tells rows apart."""
    name = group[-1] if isinstance(group, tuple) else group
    if name is None or not (rank(name) == 1 or (rank(name) == 0 and is_label(name))):
        return None
    measured = _measured(structure, group, times) if group is not None else None
    return replace(measured, sure=measured.time is not None) if measured else None


def _measured(
    structure: Structure, key: Key, times: Sequence[str], *, nested: bool = False
) -> Individual | None:
    """The unit `key` as an individual measured again; None if it has one row, or holds individuals.

    `nested` says that it lies in a group: ids that restart do not.
    """
    counts = structure.counts(key)
    per = float(counts.mean())
    if per < 1.3 or per > 0.5 * len(structure.table):
        return None
    name = key[-1] if isinstance(key, tuple) else key
    time = next((each for each in times if structure.tells_apart(key, each)), None)
    person = rank(name) == 1
    if time is None and (isinstance(key, tuple) or not (person or per <= 4)):
        return None
    sure = time is not None or (person and nested)
    return Individual(key, per, time, sure)


def _is_within(structure: Structure, name: str, group: str) -> bool:
    return structure.columns[name].levels > structure.columns[group].levels and structure.follows(
        name, group
    )


def before(structure: Structure, time: str) -> object | None:
    """The value of a time that is before the treatment, as in the file; None if it is unclear.

    Of two values it is the first; of more, one must say so: visits 1 to 4 may all come after it.
    """
    column = structure.columns[time]
    if not 2 <= column.levels <= MOST_STAGES:
        return None
    values = list(structure.table[time].dropna().unique())
    if stages(structure, time):
        early = [each for each in values if is_start(each)]
        if len(early) == 1:
            return early[0]
        return _first_stage(values) if len(values) == 2 else None
    if column.kind == "whole number" and says(time, say.TIME):
        first, second, *_ = sorted(int(each) for each in values)
        starts = (first, second) in ((0, 1), (1, 2)) if len(values) == 2 else first == 0
        return first if starts else None
    return None


def _first_stage(values: Sequence[object]) -> object | None:
    late = [each for each in values if say.folded(each) in say.AFTER_VALUES]
    rest = [each for each in values if each not in late]
    return rest[0] if len(late) == 1 and say.folded(rest[0]) in say.BEFORE_VALUES else None


def measured_before_treatment(
    structure: Structure, group: Key, times: Iterable[str]
) -> tuple[str, object] | None:
    """The time and its value before the treatment, where most groups were measured at all times.

    The value must say that it is before: pre, baseline, T0, 0.
    """
    for time in times:
        early = before(structure, time)
        if early is None or not (early == 0 or is_start(early)):
            continue
        keys = group if isinstance(group, tuple) else (group,)
        cells = structure.n_levels((*keys, time))
        everywhere = cells >= 0.8 * structure.n_levels(group) * structure.columns[time].levels
        if everywhere and not structure.follows(group, time):
            return time, early
    return None


def period_of_treatment(
    structure: Structure, treatment: str, group: Key, times: Sequence[str]
) -> str | None:
    """The period with which whole groups change their arm: a stepped wedge, a crossover of groups."""
    if structure.follows(group, treatment):
        return None
    keys = group if isinstance(group, tuple) else (group,)
    for time in times:
        cell = (*keys, time)
        if structure.follows(time, treatment) or not structure.follows(cell, treatment):
            continue
        together = structure.counts(cell).mean() >= 1.5
        if (
            together
            or _only_starts(structure, treatment, group, time)
            or _share_sequences(structure, treatment, group, time)
        ):
            return time
    return None


def _share_sequences(structure: Structure, treatment: str, group: Key, time: str) -> bool:
    """Whether groups go through few sequences of arms, several of them through each: a crossover."""
    if not 2 <= structure.columns[time].levels <= MOST_STAGES:
        return False
    if not structure.tells_apart(group, time):
        return False
    order = structure.table[time].rank(method="dense").to_numpy()
    g, arm = structure.codes(group), structure.codes(treatment)
    rows = np.lexsort((order, g))
    rows = rows[g[rows] >= 0]
    parts = np.split(arm[rows], np.flatnonzero(np.diff(g[rows])) + 1)
    sequences = Counter(tuple(part) for part in parts)
    crossing = sum(n for arms, n in sequences.items() if len(set(arms)) > 1)
    return crossing >= 0.8 * len(parts) and len(sequences) <= len(parts) / TOGETHER


def whole_unit(
    structure: Structure, treatment: str, group: Key, period: str, columns: Iterable[str]
) -> str | None:
    """The largest unit of several groups that share their arm in every period: wards of patients.

    So many groups share it that this is no play of chance.
    """
    n_groups = structure.n_levels(group)
    fitting = [
        (structure.n_levels(name), name)
        for name in columns
        if name not in (group, period, treatment)
        and name_marks(name) > 0
        and 1 < structure.n_levels(name) <= n_groups - LEAST_SHARING
        and structure.follows(group, name)
        and structure.follows((name, period), treatment)
    ]
    return min(fitting)[1] if fitting else None


def _only_starts(structure: Structure, treatment: str, group: Key, time: str) -> bool:
    """Whether groups only cross over from one arm to the other, at most once each."""
    if structure.n_levels(treatment) != 2 or structure.columns[time].levels < 3:
        return False
    order = structure.table[time].rank(method="dense").to_numpy()
    arm = structure.codes(treatment)
    rows = np.lexsort((order, structure.codes(group)))
    g, a = structure.codes(group)[rows], arm[rows]
    changes = (g[1:] == g[:-1]) & (a[1:] != a[:-1])
    ways = {(int(x), int(y)) for x, y in zip(a[:-1][changes], a[1:][changes], strict=True)}
    return len(ways) == 1 and bool(changes.sum() <= structure.n_levels(group))
