"""How the columns of a table nest and cross: which repeat, and which are functions of others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property, wraps

import numpy as np
import pandas as pd

from groupwise.data.profile import FIRST_ROWS, Column, is_function, profile

Key = str | tuple[str, ...]
"""A column, or several that make one identifier together."""

MOST_CELLS = 20_000_000
"""A table of two columns' levels is not counted if it had more cells."""


def memoized(function: Callable[..., float]) -> Callable[..., float]:
    """Decorates a function of a structure and a column: its values are cached in the structure."""

    @wraps(function)
    def looked_up(structure: Structure, name: str) -> float:
        if name not in structure.marks:
            structure.marks[name] = function(structure, name)
        return structure.marks[name]

    return looked_up


class Structure:
    """Integer codes of a table's columns, and how their levels nest and cross; computed when needed."""

    def __init__(self, table: pd.DataFrame, columns: Sequence[Column] | None = None) -> None:
        self.table = table
        self.columns = {each.name: each for each in columns or profile(table)}
        self._codes: dict[Key, np.ndarray] = {}
        self._follows: dict[tuple[Key, str], bool] = {}
        self._counts: dict[Key, np.ndarray] = {}
        self._runs: dict[Key, int] = {}
        self.marks: dict[str, float] = {}

    @cached_property
    def repeated(self) -> list[str]:
        """Columns with several values, each of which stands in several rows."""
        return [
            each.name
            for each in self.columns.values()
            if each.levels > 1
            and each.per_level >= (1.3 if each.kind != "number" else 2)
            and (each.kind != "number" or each.levels <= 60)
        ]

    def codes(self, key: Key) -> np.ndarray:
        """The integer code of each row's label, shape (n_rows,); -1 where it is missing."""
        if key not in self._codes:
            self._codes[key] = self._pair(key) if isinstance(key, tuple) else self._single(key)
        return self._codes[key]

    def counts(self, key: Key) -> np.ndarray:
        """The number of rows of each label, shape (n_levels,)."""
        if key not in self._counts:
            codes = self.codes(key)
            self._counts[key] = np.bincount(codes[codes >= 0])
        return self._counts[key]

    def n_levels(self, key: Key) -> int:
        return len(self.counts(key))

    def follows(self, outer: Key, inner: str) -> bool:
        """Whether each label of `outer` has one value of `inner` only, in all rows that have both."""
        if (outer, inner) not in self._follows:
            self._follows[outer, inner] = self.may_follow(outer, inner) and is_function(
                self.codes(outer), self.codes(inner)
            )
        return self._follows[outer, inner]

    def may_follow(self, outer: Key, inner: str) -> bool:
        """Whether `follows` holds in the first rows: a quick necessary condition."""
        return is_function(self._first(outer), self.codes(inner)[:FIRST_ROWS])

    def crossed(self, outer: Key, inner: str) -> np.ndarray | None:
        """Row counts by label of `outer` and `inner`, (n_outer, n_inner); None if that is too large."""
        a, b = self.codes(outer), self.codes(inner)
        n, k = self.n_levels(outer), self.n_levels(inner)
        if n * k > MOST_CELLS or not n * k:
            return None
        complete = (a >= 0) & (b >= 0)
        return np.bincount(a[complete] * k + b[complete], minlength=n * k).reshape(n, k)

    def tells_apart(self, outer: Key, inner: str) -> bool:
        """Whether nearly all rows with one label of `outer` have different labels of `inner`."""
        a, b = self.codes(outer), self.codes(inner)
        complete = (a >= 0) & (b >= 0)
        pairs = a[complete].astype(np.int64) * (self.n_levels(inner) + 1) + b[complete]
        return bool(len(pairs)) and len(pd.unique(pairs)) >= 0.98 * len(pairs)

    def n_rows_most(self, key: Key, column: str, value: object) -> int:
        """The largest number of rows of one label with this value of a column."""
        codes = self.codes(key)[(self.table[column] == value).to_numpy(dtype=bool, na_value=False)]
        return int(np.bincount(codes[codes >= 0]).max(initial=0))

    def runs(self, key: Key) -> int:
        """The number of runs of rows with the same label: 1 plus the changes from row to row."""
        if key not in self._runs:
            codes = self.codes(key)
            self._runs[key] = int((codes[1:] != codes[:-1]).sum()) + 1 if len(codes) else 0
        return self._runs[key]

    def _single(self, name: str) -> np.ndarray:
        codes, distinct = pd.factorize(self.table[name])
        if self.columns[name].kind == "text" and 1 < len(distinct) <= 30:
            same = [str(each).strip() for each in distinct]
            same = [each.casefold() if len(each) > 3 else each for each in same]
            codes = np.append(pd.factorize(np.array(same, dtype=object))[0], -1)[codes]
        return codes.astype(np.int64)

    def _first(self, key: Key) -> np.ndarray:
        """Codes of the first `FIRST_ROWS` rows: enough to refute most dependencies."""
        if key in self._codes or isinstance(key, str):
            return self.codes(key)[:FIRST_ROWS]
        return self._pair(key, FIRST_ROWS)

    def _pair(self, key: tuple[str, ...], rows: int | None = None) -> np.ndarray:
        together = self.codes(key[0])[:rows]
        for name in key[1:]:
            codes = self.codes(name)[:rows]
            complete = (together >= 0) & (codes >= 0)
            pairs = together[complete] * (codes.max(initial=0) + 1) + codes[complete]
            together = np.full(len(codes), -1, dtype=np.int64)
            together[complete] = pd.factorize(pairs)[0]
        return together
