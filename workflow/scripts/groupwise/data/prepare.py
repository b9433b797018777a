"""What is declared of a file before its columns take their roles: recoded values, chosen rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from groupwise.data.errors import InputError, nearest
from groupwise.data.labels import labels, relabelled
from groupwise.data.validate import check_numeric


def identifier(values: pd.Series) -> pd.Series:
    """Labels (see `labels`) as text, a text for each row; missing is None."""
    return labels(values).astype(object).where(values.notna(), None)


def recode(table: pd.DataFrame, recodes: Mapping[str, Mapping[Any, Any]]) -> pd.DataFrame:
    """Values written another way; what is not listed stays, and None makes a value missing.

    Raises
    ------
    InputError
        For a column or a value that the data do not have.
    """
    table = table.copy()
    for column, pairs in recodes.items():
        values = labels(_column(table, column, f"recode.{column}"))
        known = set(values.cat.categories)
        for old in map(_text, pairs):
            if old not in known:
                problem = f"no row has the value '{old}' in column '{column}'"
                raise InputError(f"recode.{column}", problem, nearest(old, sorted(known)))
        new = {_text(old): None if value is None else _text(value) for old, value in pairs.items()}
        table[column] = _as_before(relabelled(values, new), table[column])
    return table


def where(table: pd.DataFrame, conditions: Mapping[str, Any]) -> pd.Series:
    """Which rows meet every condition, a mask.

    A condition is a value, a list of values, or a mapping with some of `min` and `max` (numbers,
    included), `not` (a value or a list) and `missing` (true or false). A missing value meets no
    other condition than `missing: true`.
    """
    mask = pd.Series(True, index=table.index)
    for column, condition in conditions.items():
        key = f"where.{column}"
        mask &= _meets(_column(table, column, key), condition, key)
    if not mask.any():
        problem = f"no row of {len(table)} meets the conditions"
        raise InputError("where", problem, "check the values they ask for")
    return mask


def _meets(values: pd.Series, condition: Any, key: str) -> pd.Series:
    if not isinstance(condition, Mapping):
        return _is_one_of(values, condition, key)
    mask = pd.Series(True, index=values.index)
    if "min" in condition or "max" in condition:
        numbers = check_numeric(values, key)
        mask &= numbers.ge(condition.get("min", -np.inf)) & numbers.le(condition.get("max", np.inf))
    if "not" in condition:
        mask &= ~_is_one_of(values, condition["not"], f"{key}.not") & values.notna()
    if "missing" in condition:
        mask &= values.isna() == condition["missing"]
    return mask


def _is_one_of(values: pd.Series, wanted: Any, key: str) -> pd.Series:
    """Rows with one of these values, each of which some row has."""
    wanted = wanted if isinstance(wanted, list) else [wanted]
    texts = labels(values)
    found = set(texts.cat.categories)
    for text in map(_text, wanted):
        if text not in found:
            problem = f"no row has the value '{text}' in column '{values.name}'"
            raise InputError(key, problem, nearest(text, sorted(found)))
    mask: pd.Series = texts.isin([_text(each) for each in wanted])
    return mask


def _column(table: pd.DataFrame, column: str, key: str) -> pd.Series:
    if column not in table.columns:
        raise InputError(key, f"the data have no column '{column}'", nearest(column, table))
    return table[column]


def _text(value: Any) -> str:
    """A value of the configuration as `identifier` writes the same value of the data."""
    return str(int(value) if isinstance(value, float) and value.is_integer() else value)


def _as_before(values: pd.Series, old: pd.Series) -> pd.Series:
    """Labels as numbers again, where the column was numeric and still can be."""
    if pd.api.types.is_numeric_dtype(old) and not pd.api.types.is_bool_dtype(old):
        numbers = pd.to_numeric(values.cat.categories, errors="coerce")
        if numbers.notna().all():
            by_code = numbers.to_numpy() if values.notna().all() else np.append(numbers, np.nan)
            return pd.Series(by_code[values.cat.codes], index=old.index, name=old.name)
    return values.astype(object).where(values.notna(), None)
