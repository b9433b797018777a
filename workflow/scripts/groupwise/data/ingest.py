"""From a raw table to the analysis table: typed, complete, arms ordered with the reference first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from groupwise.data.errors import InputError
from groupwise.data.validate import (
    Roles,
    arm_order,
    check_columns,
    check_groups,
    check_numeric,
)


@dataclass(frozen=True)
class Ingested:
    """The analysis table, and how many rows were dropped for which reason."""

    table: pd.DataFrame
    n_read: int
    dropped: Mapping[str, int]


def ingest(
    raw: pd.DataFrame,
    roles: Roles,
    *,
    reference: str | None = None,
    levels: Sequence[str] | Mapping[str, str] | None = None,
    missing: str = "drop",
) -> Ingested:
    """Check and type the columns in use; drop incomplete rows, or refuse them.

    Parameters
    ----------
    raw
        One row per individual.
    reference
        The arm the others are compared with; the first of `levels` if not given.
    levels
        The arms in order, or a mapping from the values in the data to labels.
    missing
        `drop` drops rows with a missing value in any role; `error` refuses them.

    Raises
    ------
    InputError
        For every mistake in the data or the settings, with the setting to change.
    """
    check_columns(raw, roles)
    table = raw[roles.columns].reset_index(drop=True)
    table[roles.outcome] = check_numeric(table[roles.outcome], "roles.outcome")
    for role, column in roles.items():
        if role.startswith("roles.covariates"):
            table[column] = _covariate(table[column], role)
        elif column != roles.outcome:
            table[column] = _identifier(table[column])
    if isinstance(levels, Mapping):
        table[roles.treatment] = _relabel(table[roles.treatment], levels)
        levels = list(dict.fromkeys(levels.values()))

    dropped = _missing(table, roles, missing)
    table = table.dropna(ignore_index=True)
    if table.empty:
        problem = "no row has a value in every column in use"
        raise InputError("roles", problem, "look for a column that is always missing")
    order = arm_order(table[roles.treatment], levels=levels, reference=reference)
    table[roles.treatment] = pd.Categorical(table[roles.treatment], categories=order, ordered=True)
    check_groups(table, roles)
    return Ingested(table, len(raw), dropped)


def _identifier(values: pd.Series) -> pd.Series:
    """Labels as text: 7, 7.0 and '7' are one label, '07' is another."""
    if pd.api.types.is_float_dtype(values) and (values.dropna() % 1 == 0).all():
        values = values.astype("Int64")
    return values.astype("string").astype(object).where(values.notna(), None)


def _covariate(values: pd.Series, key: str) -> pd.Series:
    """Numbers stay numbers; anything else is a category."""
    if pd.api.types.is_bool_dtype(values) or not pd.api.types.is_numeric_dtype(values):
        return _identifier(values)
    return check_numeric(values, key)


def _relabel(values: pd.Series, labels: Mapping[str, str]) -> pd.Series:
    labels = {str(value): label for value, label in labels.items()}
    unknown = sorted(set(values.dropna()) - set(labels))
    if unknown:
        problem = f"the data have a treatment '{unknown[0]}' that has no label"
        raise InputError("levels", problem, "give every value a label")
    return values.map(labels)


def _missing(table: pd.DataFrame, roles: Roles, missing: str) -> dict[str, int]:
    """Rows lost to each column, counting a row for the first column that misses it."""
    counts, gone = {}, pd.Series(False, index=table.index)
    for key, column in roles.items():
        new = table[column].isna() & ~gone
        gone |= new
        if new.any():
            if missing == "error":
                n = int(table[column].isna().sum())
                problem = f"column '{column}' has {n} missing value{'' if n == 1 else 's'}"
                fix = "complete them, or set `missing: drop` to analyse the complete rows"
                raise InputError(key, problem, fix)
            counts[f"{column} missing"] = int(new.sum())
    return counts
