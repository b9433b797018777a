"""Checks of a table against the roles of its columns; each failure is an InputError."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from groupwise.data.errors import InputError, nearest
from groupwise.data.labels import combined, in_order
from groupwise.data.remedies import why_text
from groupwise.data.values import as_plain, in_yaml, matching
from groupwise.response import CONTINUOUS, Response

ROLES = (
    *("outcome", "treatment", "group", "block", "second_group", "period", "exposure"),
    "individual",
)
"""Roles that one column plays."""
IDENTIFIERS = ("group", "block", "second_group", "individual")
"""Roles that several columns together may play: a patient's number within a center."""


@dataclass(frozen=True)
class Roles:
    """Which column plays which part.

    `individual` names individuals where rows are several measurements of each; it may be the group.
    `period` says when a row was measured, `exposure` how long events could happen.
    `parts` lists the columns of each identifier that several columns make together.
    """

    outcome: str
    treatment: str
    group: str
    block: str | None = None
    covariates: tuple[str, ...] = ()
    second_group: str | None = None
    period: str | None = None
    individual: str | None = None
    exposure: str | None = None
    parts: tuple[tuple[str, tuple[str, ...]], ...] = ()

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> Roles:
        """Roles as a configuration, or design.json, has them; a list of columns is an identifier."""
        fields = {key: value for key, value in settings.items() if value is not None}
        covariates = tuple(fields.pop("covariates", ()))
        parts = dict(fields.pop("parts", {}))
        for role in IDENTIFIERS:
            if isinstance(fields.get(role), list | tuple):
                columns = tuple(fields[role])
                fields[role] = "_".join(columns)
                if len(columns) > 1:
                    parts[fields[role]] = columns
        listed = tuple((name, tuple(columns)) for name, columns in parts.items())
        return cls(**fields, covariates=covariates, parts=listed)

    def items(self) -> list[tuple[str, str]]:
        """(setting, column) for every column in use, in a fixed order."""
        named = [(role, getattr(self, role)) for role in ROLES]
        if self.individual in (self.group, self.block, self.second_group):
            named = named[:-1]  # (individual is the last)
        named += [(f"covariates[{i}]", column) for i, column in enumerate(self.covariates)]
        return [(f"roles.{role}", column) for role, column in named if column is not None]

    @property
    def columns(self) -> list[str]:
        return [column for _, column in self.items()]

    @property
    def columns_read(self) -> list[str]:
        """The columns that the data must have: the parts of an identifier in place of it."""
        parts = dict(self.parts)
        return list(
            dict.fromkeys(each for name in self.columns for each in parts.get(name, (name,)))
        )


def check_columns(table: pd.DataFrame, roles: Roles) -> None:
    """Every role's column exists, plays one part only, and the table has rows."""
    seen: dict[str, str] = {}
    parts = dict(roles.parts)
    for key, column in roles.items():
        for each in parts.get(column, (column,)):
            if each not in table.columns:
                raise InputError(key, f"the data have no column '{each}'", nearest(each, table))
        if column in seen:
            problem = f"column '{column}' already is {seen[column]}"
            raise InputError(key, problem, "give each role a column of its own")
        seen[column] = key
    for name, columns in roles.parts:
        for each in columns:
            if each in (roles.outcome, roles.treatment):
                problem = f"'{each}' is the outcome or the treatment, and tells no units apart"
                raise InputError(f"roles: '{name}'", problem, "leave it out of the list")
    if table.empty:
        raise InputError("file", "the data have a header but no rows", "add the data")


def composed(table: pd.DataFrame, roles: Roles) -> pd.DataFrame:
    """The table with a column for each identifier that several columns make together."""
    identifiers = {
        name: combined([table[each] for each in columns]).rename(name)
        for name, columns in roles.parts
    }
    return table.assign(**identifiers) if identifiers else table


def check_numeric(values: pd.Series, key: str) -> pd.Series:
    """The column as floats; InputError for text and infinities, with the cause and the fix."""
    text = pd.api.types.is_bool_dtype(values)
    numeric = pd.to_numeric(values, errors="coerce").astype(float)
    bad = (numeric.isna() & values.notna()) | np.isinf(numeric)
    if not (text or bad.any()):
        return numeric
    remedy = why_text(values)
    if remedy is not None:
        raise InputError(key, *remedy)
    row = int(np.flatnonzero(bad)[0])
    problem = f"column '{values.name}' is not numeric: data row {row + 1} has '{values.iloc[row]}'"
    raise InputError(key, problem, "correct the value or leave it empty if it is missing")


def arm_order(
    values: pd.Series, *, levels: Sequence[str] | None, reference: str | None
) -> list[str]:
    """The arms in order, reference first; `levels` must name exactly the arms that occur.

    Without `levels` they are in natural order: 2 before 10.
    """
    present = in_order(values)
    _check_spelling(present)
    order = present
    if levels:
        order = [_arm(level, present, "levels", "no row has the treatment") for level in levels]
    for arm in present:
        if arm not in order:
            problem = f"the data have a treatment '{arm}' that is not listed"
            raise InputError("levels", problem, "list every arm, or leave `levels` out")
    if reference is not None:
        reference = _arm(reference, order, "reference", f"column '{values.name}' has no level")
    else:
        reference = order[0]
    if len(order) < 2:
        problem = f"column '{values.name}' has one level only, '{order[0]}'"
        raise InputError("roles.treatment", problem, "a comparison needs two arms")
    return [reference] + [arm for arm in order if arm != reference]


def _arm(value: object, arms: Sequence[str], key: str, problem: str) -> str:
    """The arm that a setting means: by its text, or by its value."""
    arm = matching(value, arms)
    if arm is None:
        raise InputError(key, f"{problem} '{value}'", nearest(str(value), arms))
    return arm


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
    check_arms(table, roles)


def check_arms(table: pd.DataFrame, roles: Roles) -> None:
    """Every arm has two groups at least."""
    arms = table.groupby(roles.treatment, observed=False)[roles.group].nunique()
    if (arms >= 2).all():
        return
    arm, n = str(arms.idxmin()), int(arms.min())
    problem = f"the arm '{arm}' has {n} group{'' if n == 1 else 's'}"
    if (arms >= 2).sum() >= 2:
        kept = {roles.treatment: {"not": arm}}
        fix = (
            "the spread between groups needs two groups in every arm: leave the arm out by "
            f"`where: {in_yaml(kept)}`, or merge it with another by `recode`"
        )
        raise InputError("roles.treatment", problem, fix)
    alone = table.loc[table[roles.treatment] == arm, roles.group]
    fix = (
        "with one group in an arm nothing tells the effect of the treatment from that of the group: if "
        f"smaller units than '{roles.group}' were assigned, name them as the group"
    )
    if n == 1 and roles.group not in dict(roles.parts):
        emptied = in_yaml({roles.group: {as_plain(alone.iloc[0]): None}})
        fix += (
            f"; if the members of '{arm}' were in no group, write `recode: {emptied}` and "
            "`ungrouped: own_group`"
        )
    raise InputError("roles.treatment", problem, fix)


def check_effects(
    key: str,
    effects: Mapping[str, float],
    arms: Sequence[str],
    response: Response = CONTINUOUS,
) -> None:
    """Raise InputError for an effect of an arm that does not exist, or of a size that none can have."""
    for arm, effect in effects.items():
        if arm not in arms:
            raise InputError(key, f"'{arm}' is not an arm", nearest(arm, arms))
        if response.is_ratio and effect <= 0:
            problem = f"{effect:g} is no ratio, and effects are ratios here"
            raise InputError(f"{key}.{arm}", problem, "give a number above 0; 1 is no effect")
        if response == Response("binary", "difference") and abs(effect) >= 1:
            problem = f"{effect:g} is no difference of two risks, which lie between 0 and 1"
            raise InputError(
                f"{key}.{arm}", problem, "give it as a share: 0.05 is 5 percentage points"
            )
