"""Labels that are made missing before roles are guessed: codes, and words for no group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from groupwise.data import vocabulary as say
from groupwise.data.arms import MAX_ARMS, name_of_arms
from groupwise.data.codes import without_codes
from groupwise.data.labels import labels
from groupwise.data.outcomes import is_mostly_numbers
from groupwise.data.structure import Structure
from groupwise.data.suspect import ABSENT
from groupwise.data.units import name_marks
from groupwise.data.values import NUMBER
from groupwise.data.vocabulary import folded

Codes = Mapping[str, Mapping[str, int]]
"""Suspected codes for missing values: column -> code -> number of rows."""

FEW = 0.5
"""A number that labels less than this share of the rows of any other label is no label."""
MANY = 2.0
"""A label of so many times the rows of other groups is none of a group."""
NO_GROUP = ABSENT | say.words(
    "none no nein kein keine keiner ohne aucun aucune sans ninguno ninguna sin nessuno geen "
    "no_group nogroup ungrouped individual einzeln single"
)
"""What stands in place of a group where there is none."""


def label_codes(values: pd.Series, codes: Mapping[str, int]) -> list[str]:
    """The suspected codes of a column of labels that can hardly be labels themselves.

    A text must be one of `ABSENT`; a number above 0 must be rarer than the other labels.
    """
    counts = labels(values).value_counts()
    others = [n for label, n in counts.items() if n and str(label) not in codes]
    rare = FEW * min(others, default=0)
    return [
        code
        for code, n in codes.items()
        if (
            n < rare or code.startswith("-")
            if NUMBER.fullmatch(code)
            else code.casefold() in ABSENT
        )
    ]


def without_label_codes(table: pd.DataFrame, suspected: Codes) -> pd.DataFrame:
    """The table with suspected codes that cannot be labels made missing."""
    by_column = {
        name: label_codes(table[name], codes)
        for name, codes in suspected.items()
        if pd.api.types.is_numeric_dtype(table[name]) or not is_mostly_numbers(table[name])
    }
    return without_codes(table, {name: codes for name, codes in by_column.items() if codes})


def empty_group(structure: Structure) -> tuple[str, str] | None:
    """A column of groups and the label that all rows of an arm have in place of one, if there is one.

    Such a label says so (`none`), or it is 0 or a text and has far more rows than any group.
    """
    arms = [
        name
        for name in structure.repeated
        if structure.n_levels(name) <= MAX_ARMS and name_of_arms(structure, name)[0] >= 3.0
    ]
    units = [name for name in structure.repeated if name not in arms and name_marks(name) > 0]
    for group in units:
        for arm in arms:
            label = _label_of_arm(structure, group, arm)
            if label is not None:
                return group, label
    return None


def _label_of_arm(structure: Structure, group: str, arm: str) -> str | None:
    """The label that is the only one of an arm, where other arms have several."""
    cells = structure.crossed(arm, group)
    if cells is None or not structure.follows(group, arm):
        return None
    n = (cells > 0).sum(axis=1)
    if sorted(n)[0] != 1 or (n == 1).sum() > 1 or len(n) < 2:
        return None
    (place,) = np.flatnonzero(cells[int(n.argmin())])
    rows = structure.codes(group) == place
    others = np.delete(structure.counts(group), place)
    text = str(labels(structure.table.loc[rows, group]).iloc[0])
    if folded(text) in NO_GROUP:
        return text
    is_named = not NUMBER.fullmatch(text) or float(text.replace(",", ".")) <= 0
    return text if is_named and rows.sum() >= MANY * others.max() else None


def without_groups(table: pd.DataFrame, empty: tuple[str, str]) -> pd.DataFrame:
    """The table with the label of `empty`, (column, label), made missing."""
    column, label = empty
    return table.assign(**{column: table[column].mask((labels(table[column]) == label).to_numpy())})


def codes_in_labels(
    table: pd.DataFrame, suspected: Codes, names: Sequence[str]
) -> dict[str, list[str]]:
    """Suspected codes of the columns `names`, of identifiers and arms, that cannot be labels."""
    by_column = {
        name: label_codes(table[name], suspected[name]) for name in names if name in suspected
    }
    return {name: codes for name, codes in by_column.items() if codes}
