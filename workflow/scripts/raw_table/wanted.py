"""What the readers of all formats share: columns in use, and signs for a missing value."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from groupwise.data.errors import InputError
from groupwise.data.validate import Roles

MISSING = ("", "NA", "N/A", "NaN", "nan", "null", "NULL", ".", "#N/A")
EMPTY = ("the file is empty", "put the data in it, with a header line")


@dataclass(frozen=True)
class Wanted:
    """Columns in use, None for all; those of them that are labels; and the outcome."""

    used: tuple[str, ...] | None = None
    labels: frozenset[str] = frozenset()
    outcome: str | None = None

    @classmethod
    def of(cls, roles: Roles | None, also: Iterable[str] = ()) -> Wanted:
        if roles is None:
            return cls()
        numbers = {roles.outcome, *roles.covariates}
        used = tuple(dict.fromkeys([*roles.columns, *also]))
        return cls(used, frozenset(set(roles.columns) - numbers), roles.outcome)

    def missing_from(self, names: Sequence[str]) -> bool:
        """Whether a column in use is not there."""
        return self.used is not None and not set(self.used) <= set(names)

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
