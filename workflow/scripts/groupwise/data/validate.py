"""Checks of a table against the roles its columns are given; each failure is an InputError."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from groupwise.data.errors import InputError, nearest

ROLES = ("outcome", "treatment", "group", "block", "second_group")
"""Roles that one column plays."""


@dataclass(frozen=True)
class Roles:
    """Which column plays which part."""

    outcome: str
    treatment: str
    group: str
    block: str | None = None
    covariates: tuple[str, ...] = ()
    second_group: str | None = None

    @classmethod
    def from_settings(cls, settings: Mapping[str, object]) -> Roles:
        given = {key: value for key, value in settings.items() if value is not None}
        covariates = given.pop("covariates", ())
        return cls(**given, covariates=tuple(covariates))  # type: ignore[arg-type]

    def items(self) -> list[tuple[str, str]]:
        """(setting, column) for every column in use, in a fixed order."""
        named = [(role, getattr(self, role)) for role in ROLES]
        named += [(f"covariates[{i}]", column) for i, column in enumerate(self.covariates)]
        return [(f"roles.{role}", column) for role, column in named if column is not None]

    @property
    def columns(self) -> list[str]:
        return [column for _, column in self.items()]


def check_columns(table: pd.DataFrame, roles: Roles) -> None:
    """Every role's column exists, plays one part only, and the table has rows."""
    seen: dict[str, str] = {}
    for key, column in roles.items():
        if column not in table.columns:
            raise InputError(key, f"the data have no column '{column}'", nearest(column, table))
        if column in seen:
            problem = f"column '{column}' already is {seen[column]}"
            raise InputError(key, problem, "give each role a column of its own")
        seen[column] = key
    if table.empty:
        raise InputError("file", "the data have a header but no rows", "add the data")


def check_numeric(values: pd.Series, key: str) -> pd.Series:
    """The column as floats; text and infinities are named with the row they stand in."""
    if pd.api.types.is_bool_dtype(values):
        problem = f"column '{values.name}' holds true and false, not numbers"
        raise InputError(key, problem, "write 1 and 0 if that is meant")
    numeric = pd.to_numeric(values, errors="coerce").astype(float)
    bad = (numeric.isna() & values.notna()) | np.isinf(numeric)
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        problem = (
            f"column '{values.name}' is not numeric: data row {row + 1} has '{values.iloc[row]}'"
        )
        raise InputError(key, problem, _numeric_fix(str(values.iloc[row])))
    return numeric


def _numeric_fix(text: str) -> str:
    if re.fullmatch(r"[+-]?[\d.]*\d(,\d+)+(\.\d+)?", text):
        return "write numbers with a decimal point, and nothing between thousands"
    return "correct the value or leave it empty if it is missing"


def arm_order(
    values: pd.Series, *, levels: Sequence[str] | None, reference: str | None
) -> list[str]:
    """The arms in order, reference first; `levels` must name exactly the arms that occur."""
    present = sorted(values.dropna().unique())
    _check_spelling(present)
    order = list(levels) if levels else present
    for arm in order:
        if arm not in present:
            problem = f"no row has the treatment '{arm}'"
            raise InputError("levels", problem, nearest(arm, present))
    for arm in present:
        if arm not in order:
            problem = f"the data have a treatment '{arm}' that is not listed"
            raise InputError("levels", problem, "list every arm, or leave `levels` out")
    reference = order[0] if reference is None else reference
    if reference not in order:
        problem = f"column '{values.name}' has no level '{reference}'"
        raise InputError("reference", problem, nearest(reference, order))
    if len(order) < 2:
        problem = f"column '{values.name}' has one level only, '{order[0]}'"
        raise InputError("roles.treatment", problem, "a comparison needs two arms")
    return [reference] + [arm for arm in order if arm != reference]


def _check_spelling(arms: Sequence[str]) -> None:
    folded: dict[str, str] = {}
    for arm in arms:
        twin = folded.setdefault(arm.casefold(), arm)
        if twin != arm:
            problem = f"the arms '{twin}' and '{arm}' differ in upper and lower case only"
            raise InputError("roles.treatment", problem, "write each arm in one way")


def check_groups(table: pd.DataFrame, roles: Roles) -> None:
    """Groups lie in one block each, and every arm has two groups at least."""
    n_groups = table[roles.group].nunique()
    if n_groups < 2:
        problem = f"column '{roles.group}' has one level only"
        raise InputError("roles.group", problem, "inference needs several groups")
    if roles.block is not None:
        blocks = table.groupby(roles.group, observed=True)[roles.block].nunique()
        if (blocks > 1).any():
            problem = f"group '{blocks.idxmax()}' lies in {blocks.max()} blocks"
            fix = "a group must lie in one block: give groups of different blocks different labels"
            raise InputError("roles.block", problem, fix)
    arms = table.groupby(roles.treatment, observed=False)[roles.group].nunique()
    if (arms < 2).any():
        arm, n = arms.idxmin(), int(arms.min())
        problem = f"the arm '{arm}' has {n} group{'' if n == 1 else 's'}"
        fix = "the spread between groups needs two groups in every arm: drop the arm or merge arms"
        raise InputError("roles.treatment", problem, fix)


def check_effects(key: str, effects: Iterable[str], arms: Sequence[str]) -> None:
    """Effects are given for arms that there are."""
    for arm in effects:
        if arm not in arms:
            raise InputError(key, f"'{arm}' is not an arm", nearest(arm, arms))
