"""How the columns of a table lie in one another: what repeats, and what follows from what."""

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


def kept(function: Callable[..., float]) -> Callable[..., float]:
    """A function of a structure and a column whose values are kept with the structure."""

    @wraps(function)
    def looked_up(found: Structure, name: str) -> float:
        if name not in found.marks:
            found.marks[name] = function(found, name)
        return found.marks[name]

    return looked_up


class Structure:
    """Codes of a table's columns, made once when they are asked for."""

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
        """A number for each row's label, -1 where it is missing."""
        if key not in self._codes:
            self._codes[key] = self._pair(key) if isinstance(key, tuple) else self._single(key)
        return self._codes[key]

    def counts(self, key: Key) -> np.ndarray:
        """Rows of each label."""
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
        """The same in the first rows."""
        return is_function(self._first(outer), self.codes(inner)[:FIRST_ROWS])

    def crossed(self, outer: Key, inner: str) -> np.ndarray | None:
        """Rows by label of `outer` and of `inner`; None if the table would be too large."""
        a, b = self.codes(outer), self.codes(inner)
        n, k = self.n_levels(outer), self.n_levels(inner)
        if n * k > MOST_CELLS or not n * k:
            return None
        known = (a >= 0) & (b >= 0)
        return np.bincount(a[known] * k + b[known], minlength=n * k).reshape(n, k)

    def tells_apart(self, outer: Key, inner: str) -> bool:
        """Whether rows that share `outer` have another `inner` each, but for a few."""
        a, b = self.codes(outer), self.codes(inner)
        known = (a >= 0) & (b >= 0)
        pairs = a[known].astype(np.int64) * (self.n_levels(inner) + 1) + b[known]
        return bool(len(pairs)) and len(pd.unique(pairs)) >= 0.98 * len(pairs)

    def n_rows_most(self, key: Key, column: str, value: object) -> int:
        """The most rows that one label has with this value of a column."""
        codes = self.codes(key)[(self.table[column] == value).to_numpy(dtype=bool, na_value=False)]
        return int(np.bincount(codes[codes >= 0]).max(initial=0))

    def runs(self, key: Key) -> int:
        """How often the label changes from row to row, and once for the first."""
        if key not in self._runs:
            codes = self.codes(key)
            self._runs[key] = int((codes[1:] != codes[:-1]).sum()) + 1 if len(codes) else 0
        return self._runs[key]

    def _single(self, name: str) -> np.ndarray:
        codes, found = pd.factorize(self.table[name])
        if self.columns[name].kind == "text" and 1 < len(found) <= 30:
            same = [str(each).strip() for each in found]
            same = [each.casefold() if len(each) > 3 else each for each in same]
            codes = np.append(pd.factorize(np.array(same, dtype=object))[0], -1)[codes]
        return codes.astype(np.int64)

    def _first(self, key: Key) -> np.ndarray:
        """Codes of the first rows: enough to see most of what does not hold."""
        if key in self._codes or isinstance(key, str):
            return self.codes(key)[:FIRST_ROWS]
        return self._pair(key, FIRST_ROWS)

    def _pair(self, key: tuple[str, ...], rows: int | None = None) -> np.ndarray:
        together = self.codes(key[0])[:rows]
        for name in key[1:]:
            codes = self.codes(name)[:rows]
            known = (together >= 0) & (codes >= 0)
            pairs = together[known] * (codes.max(initial=0) + 1) + codes[known]
            together = np.full(len(codes), -1, dtype=np.int64)
            together[known] = pd.factorize(pairs)[0]
        return together
