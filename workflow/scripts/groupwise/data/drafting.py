"""What a draft of a configuration says besides the roles: settings of the data, and remarks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import pandas as pd

from groupwise.data import suspect
from groupwise.data.aside import codes_in_labels
from groupwise.data.guess import GuessedLayout, rows_each
from groupwise.data.labels import labels
from groupwise.data.outcomes import format_remedy, is_mostly_numbers
from groupwise.data.profile import Column
from groupwise.data.structure import Key
from groupwise.data.units import is_label, name_marks, sized
from groupwise.data.values import as_plain
from groupwise.data.vocabulary import AT_RISK, COUNTED, names_it
from groupwise.data.yes_no import no_and_yes

MOST_LABELS = 1000
"""Texts with more different values than this are not searched for codes, if they are no numbers."""
CODES = [sign * int(digit * n) for sign in (1, -1) for digit in "987" for n in range(1, 6)]
CODES += [sign * int("9" * n + digit) for sign in (1, -1) for n in range(1, 5) for digit in "678"]
MOST_REMEDIES = 5
"""At most so many columns of text are reported as numbers in disguise."""
LABELLED = ("treatment", "group", "block")
FILL_IN = "FILL IN a number"
WHICH = "FILL IN the value that counts"


@dataclass(frozen=True)
class DraftSetting:
    """A setting of a dataset, its value, and why it was guessed."""

    key: str
    value: Any
    why: str


def settings(
    table: pd.DataFrame, layout: GuessedLayout, suspected: Mapping[str, Mapping[str, int]]
) -> list[DraftSetting]:
    """Settings that the guessed roles need, each a guess with its reason.

    `suspected`: codes for missing values, by column (see `suspected_codes`).
    """
    recodes: dict[str, dict[Any, Any]] = recoded_arms(table, layout.roles["treatment"].name)
    if layout.empty_group is not None:
        column, label = layout.empty_group
        recodes[column] = {as_plain(label): None}
    outcome = layout.roles["outcome"].name
    drafted = []
    if isinstance(outcome, str):
        drafted += kind_of_events(table[outcome], suspected.get(outcome, {}))
        if not drafted and _is_labelled(table[outcome]):
            recodes[outcome] = dict.fromkeys(labels(table[outcome]).cat.categories, FILL_IN)
    if recodes:
        drafted.append(DraftSetting("recode", recodes, "guess: how the values are meant"))
    if codes := missing_codes(table, suspected, layout):
        drafted.append(DraftSetting("missing_codes", codes, "guess: values that mean missing"))
    if layout.baseline is not None:
        time, value = layout.baseline
        why = f"guess: the outcome at {time} {value} becomes a covariate"
        drafted.append(DraftSetting("baseline", {time: as_plain(value)}, why))
    if layout.ungrouped:
        why = "guess: each row without a group is a group of its own, independent of all others"
        drafted.append(DraftSetting("ungrouped", "own_group", why))
    if layout.untreated is not None:
        time, value = layout.untreated
        why = f"guess: at {time} {value} no group had its treatment yet"
        drafted.append(DraftSetting("untreated_periods", [as_plain(value)], why))
    return drafted


def kind_of_events(values: pd.Series, codes: Iterable[str]) -> list[DraftSetting]:
    """What an outcome of two values is, with the one that counts; nothing of any other.

    `codes` are values that may mean missing.
    """
    left = [each for each in labels(values).cat.categories if each not in codes]
    if len(left) != 2:
        return []
    kind = DraftSetting("outcome_kind", "binary", f"guess: two values, {left[0]} and {left[1]}")
    pair = no_and_yes(left)
    if pair is None:
        return [kind, DraftSetting("event", WHICH, f"not guessed: {left[0]} or {left[1]}")]
    why = "guess: the value that counts"
    return [kind, DraftSetting("event", as_plain(pair[1]), why)]


def alternatives(
    table: pd.DataFrame, layout: GuessedLayout, columns: Iterable[Column]
) -> list[tuple[str, Any, str]]:
    """(key, value, when) of settings that would be right if the outcome counts events."""
    outcome = layout.roles["outcome"].name
    if not isinstance(outcome, str) or not names_it(outcome, COUNTED):
        return []
    values = table[outcome].dropna()
    if not pd.api.types.is_numeric_dtype(values) or pd.api.types.is_bool_dtype(values):
        return []
    if values.nunique() < 3 or (values < 0).any() or (values % 1 != 0).any():
        return []
    used = {name for guess in layout.roles.values() for name in _names(guess.name)}
    at_risk = [
        column.name
        for column in columns
        if column.name not in used
        and column.kind in ("number", "whole number")
        and names_it(column.name, AT_RISK)
        and table[column.name].min() > 0
    ]
    count = ("outcome_kind", "count", f"if {outcome} counts events")
    when = "below roles, if it is how long they could happen"
    return [count, *(("exposure", name, when) for name in at_risk[:2])]


def remarks(layout: GuessedLayout) -> list[str]:
    """Sentences on what the draft cannot settle: periods, and who is a row."""
    period = layout.roles["period"].name if "period" in layout.roles else None
    sentences = [
        f"{name}: looks like a period; it is no group, no block and no outcome"
        for name in layout.times
        if name != period
    ]
    if layout.period is not None:
        sentences.append(
            f"{layout.period}: whole groups change their arm with it, as in a stepped wedge or a "
            "crossover of groups. Rows were not randomised within groups, and what changes over time "
            "must not count as an effect"
        )
    who = layout.individual
    if who is not None:
        sentences.append(_on_individuals(who.key, rows_each(who), sure=who.sure))
    return sentences


def recoded_arms(table: pd.DataFrame, treatment: Key | None) -> dict[str, dict[str, Any]]:
    """Arms that differ in capitals or spaces only, as the most frequent spelling."""
    if not isinstance(treatment, str):
        return {}
    counts = Counter(labels(table[treatment]).dropna().astype(object))
    spelling: dict[str, str] = {}
    for arm, _ in counts.most_common():
        spelling.setdefault(str(arm).strip().casefold(), str(arm))
    new = {arm: spelling[str(arm).strip().casefold()] for arm in counts}
    changed = {arm: to for arm, to in new.items() if arm != to}
    return {treatment: changed} if changed else {}


def missing_codes(
    table: pd.DataFrame, suspected: Mapping[str, Mapping[str, int]], layout: GuessedLayout
) -> dict[str, list[Any]]:
    """Suspected codes of measurements; of arms and groups only those that cannot be labels."""
    roles = layout.roles
    apart = {name for role in roles if role != "outcome" for name in _names(roles[role].name)}
    labelled = [name for role in LABELLED if role in roles for name in _names(roles[role].name)]
    by_column: dict[str, Iterable[str]] = {
        name: codes
        for name, codes in suspected.items()
        if name not in apart | {*layout.times} and name_marks(name) <= 0
    }
    by_column |= codes_in_labels(table, suspected, labelled)
    return {
        name: [as_plain(code) for code in by_column[name]]
        for name in suspected
        if name in by_column
    }


def suspected_codes(table: pd.DataFrame) -> dict[str, dict[str, int]]:
    """See `suspect.codes`; columns that have none for sure are passed over, which is quicker."""
    names = [name for name in table if not is_label(str(name))]
    return suspect.codes(table, [name for name in names if _may_have_codes(table[name])])


def _may_have_codes(values: pd.Series) -> bool:
    """Whether texts may be codes, or numbers of that kind lie outside of all others."""
    if pd.api.types.is_bool_dtype(values):
        return False
    if not pd.api.types.is_numeric_dtype(values):
        return is_mostly_numbers(values) or values.nunique() <= MOST_LABELS
    numbers = values.dropna().to_numpy(dtype=float)
    coded = np.isin(numbers, CODES)
    if not coded.any() or coded.all():
        return False
    low, high = numbers[~coded].min(), numbers[~coded].max()
    return bool(((numbers[coded] < low) | (numbers[coded] > high)).any())


def _on_individuals(key: Key, rows: str, *, sure: bool) -> str:
    name = sized(key)
    if sure:
        return f"each {name} has {rows}: rows are taken for measurements of one individual"
    written = f"[{', '.join(key)}]" if isinstance(key, tuple) else key
    return (
        f"each {name} has {rows}: if these are measurements of one individual, write "
        f"individual: {written} below roles"
    )


def _is_labelled(values: pd.Series) -> bool:
    text = not pd.api.types.is_numeric_dtype(values) or pd.api.types.is_bool_dtype(values)
    return bool(text) and not is_mostly_numbers(values)


def _names(key: Key | None) -> tuple[str, ...]:
    return key if isinstance(key, tuple) else () if key is None else (key,)


def text_numbers(table: pd.DataFrame, columns: Iterable[Column]) -> list[str]:
    """Sentences on columns of text that are numbers with signs, with the setting that reads them."""
    remedies = (format_remedy(column, table[column.name]) for column in columns)
    return [
        f"{_begun(problem)}: {fix}."
        for problem, fix in islice(filter(None, remedies), MOST_REMEDIES)
    ]


def _begun(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]


def suspicions(table: pd.DataFrame, suspected: Mapping[str, Mapping[str, int]]) -> list[str]:
    """Remarks on rows and columns of a table, and on its suspected codes for missing values."""
    sentences = [
        f"Perhaps codes for missing values (missing_codes): {suspect.code_sentence(name, codes)}."
        for name, codes in suspected.items()
    ]
    return [*suspect.sentences(table), *sentences]
