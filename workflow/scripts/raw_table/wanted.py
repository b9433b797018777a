"""What the readers of all formats share: columns in use, signs for a missing value, what they give."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from groupwise.data.codes import Codes
from groupwise.data.errors import InputError
from groupwise.data.names import plain_name
from groupwise.data.validate import Roles

MISSING = ("", "NA", "N/A", "NaN", "nan", "null", "NULL", ".", "#N/A")
SHOWN = 60
"""So many rows say what the others are like."""
EMPTY = ("the file is empty", "put the data in it, with a header line")


class Found(NamedTuple):
    """A table, sentences on how its file was read, and on what its layout suggests."""

    table: pd.DataFrame
    notes: list[str]
    suspicions: list[str]


@dataclass(frozen=True)
class Wanted:
    """Columns in use, None for all; those of them that are labels; the outcome; missing codes."""

    used: tuple[str, ...] | None = None
    labels: frozenset[str] = frozenset()
    outcome: str | None = None
    codes: Codes | None = None

    @classmethod
    def of(
        cls, roles: Roles | None, also: Iterable[str] = (), codes: Codes | None = None
    ) -> Wanted:
        if roles is None:
            return cls(codes=codes)
        numbers = {plain_name(name) for name in (roles.outcome, *roles.covariates)}
        columns = [plain_name(name) for name in roles.columns_read]
        used = tuple(dict.fromkeys([*columns, *map(plain_name, also)]))
        return cls(used, frozenset(set(columns) - numbers), plain_name(roles.outcome), codes)

    def missing_from(self, names: Sequence[str]) -> bool:
        """Whether a column in use is not there."""
        return self.used is not None and not set(self.used) <= set(names)

    def may_be_labels(self, name: str, values: pd.Series) -> bool:
        """Whether a column is one of labels; if all are read, whatever has no fractions may be."""
        if self.used is not None:
            return name in self.labels
        if not pd.api.types.is_float_dtype(values):
            return True
        return bool((values.dropna() == np.floor(values.dropna())).all())

    def among(self, names: Sequence[str]) -> list[str]:
        """The columns to read, in the order of the file: all, if one in use is not there.

        A check further on then says which one, and what there is.
        """
        for name in names if self.used is None else self.used:
            if names.count(name) > 1:
                problem = f"the header has the column '{name}' {names.count(name)} times"
                raise InputError("file", problem, "rename all but one")
        if self.used is None or self.missing_from(names):
            return list(names)
        return [name for name in names if name in self.used]


def renamed(written: Sequence[str], names: Sequence[str]) -> list[str]:
    """A note on names that stand in several lines in the file."""
    changed = [new for old, new in zip(written, names, strict=True) if old.strip() != new]
    listed = ", ".join(f"'{name}'" for name in changed)
    return [f"Line breaks in names of columns count as spaces: {listed}."] if changed else []
