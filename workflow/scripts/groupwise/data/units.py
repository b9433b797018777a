"""Whether a column is a unit, a time or an identifier, by its name, values and repetition."""

from __future__ import annotations

import re

import numpy as np

from groupwise.data import vocabulary as say
from groupwise.data.profile import Column
from groupwise.data.structure import Key, Structure, memoized
from groupwise.data.values import as_value
from groupwise.data.vocabulary import says

DATE = re.compile(r"\d{4}-\d\d?-\d\d?.*|\d\d?[./]\d\d?[./]\d{2,4}")
SPAN = r"(?:year|week|day|month|hour|minute|jahr|woche|tag|monat|stunde)(?:s|e|en|n)?"
STAGE = re.compile(r"(?:tp|time|wave|visit|year|week|day|month)[ _-]?\d+")
LOOSE_STAGE = re.compile(rf"t[ _-]?\d+|\d+[ _-]?{SPAN}(?:[ _-]?(?:later|follow-?up))?")
"""What may be a stage, and may be a treatment or a dose: T1, 3 months."""
START = re.compile(rf"(?:tp?|v|w|time|visit|wave|{SPAN})[ _-]?0+|0+[ _-]?{SPAN}")
NUMBERED = re.compile(r"(.*?\D)[ _-]?\d+")
NO_ID = re.compile(r"(?:paid|aid|oid|valid|covid|humid|acid|rapid|fluid|grid|lipid|hybrid)$")
"""Words that end with id and say nothing of an identifier: loan_repaid."""
LEAST_UNIT = 1.5
"""A column whose marks add up to less does not count as a unit."""
LEAST_UNNAMED = 2.5
"""The same for a column whose name does not say so."""
FEW_UNITS = 4
"""So few labels without a name that says so are the levels of a factor."""
MOST_TIMES = 60


def is_unit(structure: Structure, name: str) -> bool:
    """Whether a column may name groups, blocks or individuals."""
    if name_marks(name) > 0:
        return unit_marks(structure, name) >= LEAST_UNIT
    return (
        structure.columns[name].levels > FEW_UNITS and unit_marks(structure, name) >= LEAST_UNNAMED
    )


@memoized
def unit_marks(structure: Structure, name: str) -> float:
    """How much a column looks like labels of units, from its name, labels and repetition together.

    Labels of units come with words for units, in text or as numbers without gaps, in groups of
    like sizes, in consecutive rows, and other columns follow from them. Measurements do not.
    """
    column = structure.columns[name]
    if name not in structure.repeated or column.kind in ("number", "true/false"):
        return -9.0
    counts = structure.counts(name)
    even = counts.std() / counts.mean()
    return (
        name_marks(name)
        + _label_marks(structure, column)
        + (1.0 if even < 0.35 else -0.5 if even > 0.9 else 0.0)
        + (1.0 if structure.runs(name) <= 1.1 * column.levels else 0.0)
        + (1.0 if column.levels > 4 and _is_followed(structure, name) else 0.0)
    )


def name_marks(name: str) -> float:
    """Marks of a name as that of a unit: above 0 if it sounds like one."""
    unit = any(says(name, each) for each in (say.PLACE, say.HOUSE, say.ROOM, say.SELF))
    unit = unit or says(name, say.BLOCK)
    if unit and is_attribute(name):
        return -3.0
    if says(name, say.TRAIT) or says(name, say.OUTCOME) or says(name, say.TREATMENT):
        return -3.0 if not unit else 0.0
    if unit:
        return 3.0
    if is_label(name):
        return 2.0
    return -3.0 if says(name, say.MEASURE | say.BEFORE | say.FACTOR) else 0.0


def is_attribute(name: str) -> bool:
    """Whether a name is that of a trait of a unit: school_type, teacher_experience."""
    return says(name, say.ATTRIBUTE)


def is_label(name: str) -> bool:
    """Whether a name says that it identifies something: order_id, schoolNR."""
    tokens = [part for part in say.parts(name) if "_" not in part]
    if not say.LABEL.isdisjoint(tokens):
        return True
    return bool(re.search(r"[a-z](?:ID|Id|id|NR|Nr|nr)$", name)) and not NO_ID.search(name)


def rank(name: str) -> int:
    """The level of a unit by its name: 4 region, 3 school, 2 class, 1 pupil; 0 for no unit."""
    ranks = ((1, say.SELF), (2, say.ROOM), (3, say.HOUSE | say.BLOCK), (4, say.PLACE))
    return max((height for height, vocabulary in ranks if says(name, vocabulary)), default=0)


def is_time(structure: Structure, name: str) -> bool:
    """Whether a column says when a row was measured: pre and post, visits, weeks, dates."""
    column = structure.columns[name]
    if name not in structure.repeated or says(name, say.TRAIT):
        return False
    if (rank(name) and not says(name, say.TIME)) or _holds_units(structure, name):
        return False
    if column.levels == 2 and say.parts(name) <= say.AFTER | say.TIME:
        return True
    values = stages(structure, name)
    if values and all(_is_stage(each) or LOOSE_STAGE.fullmatch(each) for each in values):
        loose = any(LOOSE_STAGE.fullmatch(each) for each in values)
        return not loose or _has_stages(structure, name)
    if all(DATE.fullmatch(each) for each in column.examples):
        return True
    timed = says(name, say.TIME) and not says(name, say.TREATMENT | say.OUTCOME)
    if not timed or rank(name) or column.levels > MOST_TIMES:
        return False
    counts = structure.counts(name)
    return column.levels <= 12 or bool(counts.std() / counts.mean() < 0.5)


def _holds_units(structure: Structure, name: str) -> bool:
    """Whether units nest in a column and none crosses it: a session that groups attended once."""
    units = [
        other
        for other in structure.repeated
        if other != name and 0 < rank(other) < 4 and structure.columns[other].levels > FEW_UNITS
    ]
    inside = [other for other in units if structure.follows(other, name)]
    across = [
        other for other in units if other not in inside and not structure.follows(name, other)
    ]
    return bool(inside) and not across


def stages(structure: Structure, name: str) -> frozenset[str]:
    """The values of a column of at most 12 texts, folded; empty for any other column."""
    column = structure.columns[name]
    if column.kind != "text" or column.levels > 12:
        return frozenset()
    return frozenset(say.folded(each) for each in structure.table[name].dropna().unique())


def _has_stages(structure: Structure, name: str) -> bool:
    """Whether values such as T1, which may be treatments too, are times by the other evidence."""
    if says(name, say.TREATMENT | say.FACTOR):
        return False
    if says(name, say.TIME):
        return True
    persons = [each for each in structure.repeated if rank(each) == 1 and each != name]
    starts = any(map(is_start, stages(structure, name)))
    return starts and any(structure.tells_apart(each, name) for each in persons)


def is_start(value: object) -> bool:
    """Whether a value says that it was measured before: pre, baseline, T0, week 0."""
    text = say.folded(value)
    return text in say.BEFORE_VALUES or bool(START.fullmatch(text))


def _is_stage(value: str) -> bool:
    stage_names = say.BEFORE_VALUES | say.AFTER_VALUES
    return (
        value in stage_names
        or bool(STAGE.fullmatch(value))
        or bool(re.fullmatch(r"fup?\d*", value))
    )


def is_key(structure: Structure, name: str) -> bool:
    """Whether a column numbers or names the rows."""
    column = structure.columns[name]
    if not column.is_key:
        return False
    if column.kind == "text" or is_label(name) or says(name, say.SELF):
        return True
    values = structure.table[name].dropna().to_numpy(dtype=float)
    steps = np.diff(values)
    return bool((steps > 0).all() or np.ptp(values) + 1 == len(values))


def begins_at_one(structure: Structure, name: str) -> bool:
    """Whether labels are numbers or letters from the first on: 1, 2, 3, or 01, 02, or A, B, C."""
    values = structure.table[name].dropna().unique()
    texts = [as_value(str(each).strip().lstrip("0") or "0") for each in values]
    letters = {chr(ord("a") + i) for i in range(min(len(texts), 26))}
    numbers = {str(i + 1) for i in range(len(texts))}
    return set(texts) == numbers or {each.casefold() for each in texts} == letters


def _label_marks(structure: Structure, column: Column) -> float:
    if column.kind == "text":
        numbered = all(NUMBERED.fullmatch(each) for each in column.examples)
        return 1.5 if numbered else 0.5 if column.levels > 4 else 0.0
    values = structure.table[column.name]
    low, high = float(values.min()), float(values.max())
    return 0.5 if low in (0, 1) and high - low + 1 == column.levels else 0.0


def _is_followed(structure: Structure, name: str) -> bool:
    """Whether some other, coarser column of several values is a function of this one."""
    return any(
        2 <= structure.columns[other].levels < structure.columns[name].levels
        and structure.columns[other].kind != "number"
        and structure.follows(name, other)
        for other in structure.repeated
        if other != name
    )


def sized(key: Key) -> str:
    """The name of a key for messages: `school and class`."""
    return " and ".join(key) if isinstance(key, tuple) else key
