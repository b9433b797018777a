"""Which column is the outcome: the candidates, with marks."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from groupwise.data import vocabulary as say
from groupwise.data.profile import Column
from groupwise.data.remedies import Remedy, why_text
from groupwise.data.structure import Key, Structure
from groupwise.data.units import is_attribute, is_key, is_label, is_unit, name_marks, rank
from groupwise.data.values import NUMBER
from groupwise.data.vocabulary import names_it, says
from groupwise.data.yes_no import no_and_yes

FEW = 10
"""Numbers of no more values than this are codes as well as measurements."""
MOST_LABELS = 7
"""Labels of an outcome that is no number: more are hardly in an order."""
MOSTLY = 0.7
"""A column of texts of which more than this share are numbers holds numbers."""
SIGNED = re.compile(
    r"[+-]?(?:[^\w\s]|kr\.?|Fr\.?|Rs\.?|(?:EUR|USD|GBP|CHF|SEK|NOK|DKK|PLN|JPY|CAD|AUD|INR|CNY)\b|"
    r"[A-Z]{1,2}\$)?\s*[+-]?\d"
)
"""How a number begins, with a sign of a currency before it or none; SCH1 is a label."""
STEM = re.compile(r"(.*?)[ _.]?(t|tp|w|wave|time|time_|m|month|week|)[ _.]?(\d+)$")
WHEN = re.compile(
    r"(t|tp|w|wk|week|wave|m|mo|month|y|year|v|visit|time|d|day)?\d+(wk|w|mo|m|month|y|d)?s?"
)


@dataclass(frozen=True)
class Candidate:
    """A column that may be the outcome; `marks`: how well it fits."""

    name: str
    marks: float
    why: str
    named: bool
    levels: int
    kind: str
    place: int
    """How many columns stand to the left of it."""
    is_late: bool
    """Whether its name says that it was measured afterwards, or it has a baseline."""
    ruled_out: bool = False
    """Whether it has one value in each unit, or names rows."""

    @property
    def sure(self) -> bool:
        """Whether the name says that it is the outcome, and not only that it may be one."""
        strong = says(self.name, say.OUTCOME)
        return say.folded(self.name) in say.OUTCOME or self.is_late or (strong and self.is_plain)

    @property
    def is_plain(self) -> bool:
        """Whether all words of the name are in the vocabulary: another may say when, or of what."""
        split = [part for part in re.split(r"[\W_\d]+", say.folded(self.name)) if part]
        return bool(split) and all(says(part, say.OUTCOME | say.MEASURE) for part in split)


def candidates(
    structure: Structure, used: Iterable[str], units: Iterable[Key], times: Iterable[str]
) -> list[Candidate]:
    """Columns that could be the outcome, best first. `units`: group, individual and treatment."""
    skipped = {*used, *times}
    columns = [each for name, each in structure.columns.items() if name not in skipped]
    early = _first_of_series(structure.columns)
    late = _with_baseline(structure.columns, early)
    ranked = []
    for column in columns:
        kind = measured(structure, column)
        if kind is None:
            continue
        marks, named = _marks(structure, column, kind, early)
        has_baseline = column.name in late and not says(column.name, say.AFTER)
        marks += 1.5 if has_baseline else 0.0
        named = named or has_baseline
        fixed = [unit for unit in units if _is_fixed(structure, unit, column.name)]
        marks -= 4.0 if fixed else 0.0
        why = _why(structure, column, kind) + (", named so" if named else "")
        place = list(structure.columns).index(column.name)
        is_late = has_baseline or says(column.name, say.AFTER)
        ruled_out = bool(fixed) or _names_rows(structure, column.name, kind)
        ranked.append(
            Candidate(
                column.name, marks, why, named, column.levels, kind, place, is_late, ruled_out
            )
        )
    return sorted(ranked, key=lambda each: (-each.marks, -each.levels))


def only_one(
    structure: Structure, possible: Sequence[Candidate], used: Collection[str]
) -> Candidate | None:
    """The only candidate, if no other column can be the outcome; else None."""
    left = [each for each in possible if not each.ruled_out]
    if len(left) != 1 or (says(left[0].name, say.TRAIT) and len(possible) > 1):
        return None
    judged = {each.name for each in possible}
    others = [
        name
        for name, column in structure.columns.items()
        if name not in judged
        and name not in used
        and column.levels > 1
        and not column.is_key
        and name_marks(name) <= 0
        and not says(name, say.TRAIT)
    ]
    return None if others else left[0]


def measured_after(names: Collection[str], columns: Mapping[str, Column]) -> list[str]:
    """Of these columns those that were measured after the treatment, by their names."""
    late = _with_baseline(columns, _first_of_series(columns))
    return [name for name in names if name in late or says(name, say.AFTER)]


def measured(structure: Structure, column: Column) -> str | None:
    """The kind of an outcome: number, text (with numbers), signs, two, labels; None if unfit."""
    if column.levels < 2:
        return None
    if column.kind in ("number", "whole number"):
        return "two" if column.levels == 2 and column.kind == "whole number" else "number"
    if column.kind == "true/false" or (column.levels == 2 and two_values(structure, column.name)):
        return "two"
    if column.kind == "text" and is_mostly_numbers(structure.table[column.name]):
        return "text"
    if format_remedy(column, structure.table[column.name]) is not None:
        return "signs"
    few = column.kind == "text" and column.levels <= MOST_LABELS
    return "labels" if few and names_it(column.name, say.RESULT) else None


def is_mostly_numbers(values: pd.Series) -> bool:
    """Whether most distinct values of a column are numbers, at least 5 of the first 2,000."""
    texts = values.dropna().unique()[:2000]
    numbers = sum(bool(NUMBER.fullmatch(str(each).strip())) for each in texts)
    return numbers >= 5 and numbers > MOSTLY * len(texts)


def format_remedy(column: Column, values: pd.Series) -> Remedy | None:
    """(problem, fix) for a column of text that one setting of `format` reads as numbers; else None.

    Labels such as 1a and 2a are none, nor are few values: doses, or times.
    """
    if column.kind != "text" or column.levels <= FEW or name_marks(column.name) > 0:
        return None
    texts = [str(each).strip() for each in values.dropna().unique()[:200]]
    if 2 * sum(bool(SIGNED.match(text)) for text in texts) < len(texts):
        return None
    remedy = why_text(values)
    return remedy if remedy is not None and remedy[1].count("`format: ") == 1 else None


def two_values(structure: Structure, name: str) -> dict[str, int] | None:
    """Which of two texts stands for no (0) and which for yes (1); None where they do not say."""
    values = [str(each) for each in structure.table[name].dropna().unique()]
    if len(values) != 2:
        return None
    pair = no_and_yes(values)
    return None if pair is None else {pair[0]: 0, pair[1]: 1}


def _marks(
    structure: Structure, column: Column, kind: str, early: frozenset[str]
) -> tuple[float, bool]:
    """Marks of a column as an outcome, and whether it is named as one."""
    name = column.name
    by_name, named = _name_marks(name, kind, is_early=name in early)
    marks = {"number": 2.0, "text": 1.5, "signs": 1.5, "two": 0.0, "labels": 0.0}[kind] + by_name
    if column.kind == "whole number" and kind == "number":
        marks -= 0.5 if column.levels > FEW else 1.25
    if _names_rows(structure, name, kind):
        marks -= 7.0
    if not named and (is_unit(structure, name) or _is_dealt(structure, column)):
        marks -= 3.0
    place = list(structure.columns).index(name) / max(len(structure.columns) - 1, 1)
    return marks + 0.3 * place, named


def _names_rows(structure: Structure, name: str, kind: str) -> bool:
    key = is_key(structure, name) and kind != "signs"
    return key or (is_label(name) and not says(name, say.OUTCOME))


def _name_marks(name: str, kind: str, *, is_early: bool) -> tuple[float, bool]:
    strong, medium = says(name, say.OUTCOME), says(name, say.MEASURE)
    marks = 4.0 if names_it(name, say.OUTCOME) else 3.0 if strong else 2.0 if medium else 0.0
    marks += 1.0 if say.folded(name) in say.OUTCOME else 0.0
    marks += 1.5 if says(name, say.AFTER) else 0.0
    is_before = (says(name, say.BEFORE) or is_early) and not says(name, say.AFTER)
    named = (strong or medium) and not is_before
    marks -= 4.5 if is_before else 0.0
    marks -= 4.0 if says(name, say.TRAIT) and not strong else 0.0
    if not named and (says(name, say.TREATMENT | say.FACTOR) or rank(name)):
        marks -= 2.0
    if not named and (say.parts(name) <= say.TIME or is_attribute(name)):
        marks -= 1.0 if say.parts(name) <= say.TIME else 2.0
    if names_it(name, say.SURELY_AT_RISK):
        marks -= 4.0
    if kind == "two" and not strong:
        marks += 1.5 if says(name, say.EVENT) else -2.0 if rank(name) else 0.0
    return marks, named


def _is_dealt(structure: Structure, column: Column) -> bool:
    """Whether the values are balanced, as those of a factor or of a time are."""
    if column.name not in structure.repeated or not 3 <= column.levels <= 20:
        return False
    counts = structure.counts(column.name)
    return bool(counts.mean() >= 6 and counts.std() < 0.05 * counts.mean())


def _first_of_series(names: Mapping[str, Column]) -> frozenset[str]:
    """Of columns that are one measurement several times (bdi_t0, bdi_t1), the first one."""
    series: dict[str, list[tuple[int, str, str]]] = defaultdict(list)
    for name in names:
        parts = STEM.fullmatch(name.casefold())
        if parts and parts[1]:
            series[parts[1]].append((int(parts[3]), parts[2], name))
    first = set()
    for each in series.values():
        number, by, name = min(each)
        if 2 <= len(each) <= 6 and (number == 0 or by):
            first.add(name)
    return frozenset(first)


def _with_baseline(names: Iterable[str], early: frozenset[str]) -> frozenset[str]:
    """Columns that repeat, at a later time, the measurement of a baseline column."""
    stems = {name: _stem(name) for name in names}
    first = {name for name in stems if name in early or says(name, say.BEFORE)}
    measured_before = {stems[name] for name in first} - {""}
    return frozenset(
        name
        for name, stem in stems.items()
        if name not in first and not measured_before.isdisjoint({stem, *_shortened(name)} - {""})
    )


def measured_before(structure: Structure, outcome: str) -> str | None:
    """The only column with the outcome as measured before the treatment, if there is one."""
    stems = {_stem(outcome), *_shortened(outcome)} - {""}
    if not _stem(outcome) and says(outcome, say.AFTER):  # posttest says nothing else
        stems = {""}
    fitting = [
        name
        for name, column in structure.columns.items()
        if column.kind in ("number", "whole number")
        and name != outcome
        and says(name, say.BEFORE)
        and not says(name, say.AFTER)
        and _stem(name) in stems
    ]
    return fitting[0] if len(fitting) == 1 else None


def _split(name: str) -> list[str]:
    return [part for part in re.split(r"[\W_]+", say.folded(name)) if part]


def _shortened(name: str) -> tuple[str, str]:
    """A name, and the name without its last part: pain and pain_el beside pain_bl."""
    parts = _split(name)
    return "_".join(parts), "_".join(parts[:-1])


def _stem(name: str) -> str:
    """A name without its words for a time; empty if it has none."""
    parts = _split(name)
    left = [
        part for part in parts if not WHEN.fullmatch(part) and part not in say.BEFORE | say.AFTER
    ]
    return "_".join(left) if len(left) < len(parts) else ""


def _is_fixed(structure: Structure, unit: Key, name: str) -> bool:
    """Whether a column has one value in each unit, where units have several rows."""
    return structure.counts(unit).mean() >= 1.3 and structure.follows(unit, name)


def _why(structure: Structure, column: Column, kind: str) -> str:
    if kind == "two":
        examples = " and ".join(column.examples)
        return f"two values, {examples}"
    if kind == "labels":
        return f"{column.levels} labels"
    if kind == "signs":
        return f"text that may be read as numbers, {column.levels} values"
    if kind == "text":
        return f"numbers and a few texts, {column.levels} values"
    return f"a number with {column.levels} values"
