"""Rows lost to missing values: how many, and whether an arm or a block is lost with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from groupwise.data.errors import InputError
from groupwise.data.labels import in_order
from groupwise.data.validate import Roles
from groupwise.data.values import in_yaml

LOUD = 0.05
"""A larger share of rows lost for other reasons than a missing outcome is reported before any result."""


@dataclass(frozen=True)
class Losses:
    """Incomplete rows of a table.

    Attributes
    ----------
    n : rows before any was lost
    reasons : rows lost to each column but the outcome, each row counted once
    gone : (role, label, column, rows) of arms and blocks that are gone, and the column that most of
        their rows miss
    """

    n: int
    reasons: Mapping[str, int]
    gone: tuple[tuple[str, str, str, int], ...]

    @classmethod
    def of(cls, table: pd.DataFrame, roles: Roles, incomplete: Mapping[str, int]) -> Losses:
        """The losses of a table, with labels as categoricals, whose columns lose `incomplete` rows."""
        outcome = f"{roles.outcome} missing"
        reasons = {reason: n for reason, n in incomplete.items() if reason != outcome}
        kept = table.notna().all(axis="columns")
        gone = [
            (role, label, *_cause(table[table[column] == label]))
            for role, column in (("arm", roles.treatment), ("block", roles.block))
            if column is not None and incomplete
            for label in in_order(table[column])
            if label not in set(table.loc[kept, column])
        ]
        return cls(len(table), reasons, tuple(gone))

    @property
    def total(self) -> int:
        return sum(self.reasons.values())

    @property
    def share(self) -> float:
        return self.total / max(self.n, 1)

    def sentence(self) -> str:
        """How many rows were lost, and to what, as half a sentence."""
        why = ", ".join(f"{n:,} with {reason}" for reason, n in self.reasons.items())
        rows = "row" if self.n == 1 else "rows"
        return f"{self.total:,} of {self.n:,} {rows} ({self.share:.0%}) are left out: {why}"


def check_losses(losses: Losses, roles: Roles, most_dropped: float) -> list[str]:
    """Sentences that must lead the results; an InputError where too much is lost."""
    for role, label, column, n in losses.gone:
        if column == roles.group and role == "arm":
            _refuse_ungrouped(label, n, roles)
    if losses.share > most_dropped:
        problem = losses.sentence().replace(" are left out", " would be left out")
        fix = f"complete them, or allow it by `most_dropped: {_next_share(losses.share)}`"
        raise InputError("most_dropped", problem, fix)
    sentences = [f"{losses.sentence()}."] if losses.share > LOUD else []
    for role, label, column, n in losses.gone:
        sentences.append(
            f"The {role} '{label}' is not in the results: none of its {n:,} rows is complete, most "
            f"of them for want of '{column}'."
        )
    return sentences


def _refuse_ungrouped(arm: str, n: int, roles: Roles) -> None:
    """Raise InputError for an arm all of whose rows lack a group."""
    rows = "the one row" if n == 1 else f"all {n:,} rows"
    problem = f"{rows} of the arm '{arm}' have no value in column '{roles.group}'"
    kept = {roles.treatment: {"not": arm}}
    fix = (
        "if its members were in no group, write `ungrouped: own_group`, which takes each of them as a "
        f"group by itself; or leave the arm out by `where: {in_yaml(kept)}`"
    )
    raise InputError("roles.group", problem, fix)


def _cause(rows: pd.DataFrame) -> tuple[str, int]:
    """The column that most of these rows miss, and how many rows there are."""
    return str(rows.isna().sum().idxmax()), len(rows)


def _next_share(share: float) -> float:
    """The next twentieth that allows a share, at most 1."""
    return min(round((int(share * 20) + 1) / 20, 2), 1.0)
