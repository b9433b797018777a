"""The columns of a table: their kinds and levels, and which nest in which."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from groupwise.data.prepare import identifier

FIRST_ROWS = 20_000
"""Rows of a quick check: a dependency that fails in them fails in all rows."""


@dataclass(frozen=True)
class Column:
    """One column. `levels`: distinct values; `examples`: the first few of them, as text.

    `kind` is `number`, `whole number`, `true/false`, `text` or `empty`.
    """

    name: str
    kind: str
    n: int
    missing: int
    levels: int
    examples: tuple[str, ...]

    @property
    def is_key(self) -> bool:
        """Whether it identifies rows: a text or whole number, different in each."""
        return self.levels == self.n - self.missing > 1 and self.kind in ("text", "whole number")

    @property
    def per_level(self) -> float:
        """Rows per level."""
        return (self.n - self.missing) / max(self.levels, 1)


def profile(table: pd.DataFrame, n_examples: int = 4) -> list[Column]:
    """Kind, levels and missing values of each column of a table."""
    return [
        Column(
            name=str(name),
            kind=_kind(values),
            n=len(values),
            missing=int(values.isna().sum()),
            levels=int(values.nunique()),
            examples=tuple(identifier(pd.Series(values.dropna().unique()[:n_examples]))),
        )
        for name, values in table.items()
    ]


def groupings(columns: Sequence[Column]) -> list[str]:
    """Columns that can hold rows together: several levels, with two rows each on average."""
    return [
        column.name
        for column in columns
        if column.levels > 1 and column.kind != "number" and column.per_level >= 2
    ]


def constant_within(table: pd.DataFrame, names: Sequence[str]) -> dict[str, set[str]]:
    """For each of these columns, the others that are constant within each of its levels.

    Rows that miss one of the two values do not count. Columns that say the same under other
    labels are constant within one another. On rows without missing values the relation is
    reflexive and transitive; here a column is left out of its own set.
    """
    codes = {name: pd.factorize(table[name])[0] for name in names}
    n_levels = {name: int(each.max(initial=-1)) + 1 for name, each in codes.items()}
    return {
        outer: {
            inner
            for inner in names
            if inner != outer
            and n_levels[inner] <= n_levels[outer]
            and is_function(codes[outer][:FIRST_ROWS], codes[inner][:FIRST_ROWS])
            and is_function(codes[outer], codes[inner])
        }
        for outer in names
    }


def nesting(constant: Mapping[str, set[str]]) -> list[tuple[list[str], list[str]]]:
    """Nesting without redundancy: (equivalent columns, other columns constant within them).

    A column that is constant through a third column is listed with the third only.
    """
    lines, done = [], set()
    for name, inner in constant.items():
        same = [name, *(each for each in constant if each in inner and name in constant[each])]
        if name in done or not inner:
            continue
        done.update(same)
        above = [each for each in constant if each in inner - set(same)]
        between = {
            each
            for by in above
            for each in constant[by]
            if by not in constant[each] or above.index(by) < above.index(each)
        }
        lines.append((same, [each for each in above if each not in between]))
    return lines


def is_function(outer: np.ndarray, inner: np.ndarray) -> bool:
    """Whether `inner` is a function of `outer`, both integer codes, -1 missing. O(rows)."""
    complete = (outer >= 0) & (inner >= 0)
    outer, inner = outer[complete], inner[complete]
    one = np.full(outer.max(initial=-1) + 1, -1)
    one[outer] = inner
    return bool((one[outer] == inner).all())


def _kind(values: pd.Series) -> str:
    present = values.dropna()
    if present.empty:
        return "empty"
    if pd.api.types.is_bool_dtype(present.infer_objects()):
        return "true/false"
    if pd.api.types.is_numeric_dtype(values):
        whole = (present % 1 == 0).all() if pd.api.types.is_float_dtype(present) else True
        return "whole number" if whole else "number"
    return "text"
