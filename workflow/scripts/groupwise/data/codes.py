"""Values that mean missing: cells that hold one of them become missing."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from groupwise.data.errors import InputError, nearest
from groupwise.data.names import plain_name
from groupwise.data.values import NUMBER, as_value

Codes = Sequence[Any] | Mapping[str, Any]
"""Values for every column, or lists of values by column."""
ColumnCodes = set[tuple[str, str]]
"""(column, value) of the codes that occur in a table."""

KEY = "missing_codes"
EXACT = 2**53
"""Whole numbers below this are exact as floats."""


def without_codes(table: pd.DataFrame, codes: Codes | None) -> pd.DataFrame:
    """The table with missing values in place of codes, which are compared by value.

    A column of text that then holds numbers only becomes numeric.

    Raises
    ------
    InputError
        For a code that nothing in the table has.
    """
    cleaned, occurring = drop_codes(table, codes)
    check_codes(table, codes, occurring)
    return cleaned


def codes_of(codes: Codes | None, column: str) -> set[str]:
    """The codes of one column, as values that can be compared."""
    if isinstance(codes, Mapping):
        named = {plain_name(name): listed for name, listed in codes.items()}
        codes = _listed(named.get(plain_name(column), ()))
    return {as_value(code) for code in codes or ()}


def drop_codes(table: pd.DataFrame, codes: Codes | None) -> tuple[pd.DataFrame, ColumnCodes]:
    """The table without codes, and the codes that occurred. A table without codes is not copied."""
    occurring: ColumnCodes = set()
    new: dict[str, pd.Series] = {}
    for name in table.columns if codes else ():
        values = table[name]
        wanted = codes_of(codes, str(name))
        met = {value: as_value(value) for value in _distinct(values, wanted)}
        met = {value: code for value, code in met.items() if code in wanted}
        if met:
            occurring |= {(str(name), code) for code in met.values()}
            new[name] = _without(values, met)
    return (table.assign(**new) if new else table), occurring


def check_codes(
    table: pd.DataFrame,
    codes: Codes | None,
    occurring: ColumnCodes,
    names: Iterable[str] | None = None,
) -> None:
    """Raise InputError for a code that does not occur: in its column, or in any if not by column.

    `names` are the columns of the data, if the table has only some of them.
    """
    if isinstance(codes, Mapping):
        columns = list(map(str, table.columns if names is None else names))
        for column, listed in codes.items():
            name = plain_name(column)
            if name not in columns:
                problem = f"the data have no column '{name}'"
                raise InputError(KEY, problem, nearest(name, columns))
            for code in _listed(listed) if name in table else ():
                if (name, as_value(code)) not in occurring:
                    problem = f"no row has the value '{code}' in column '{name}'"
                    fix = nearest(str(code), _texts([table[name]]))
                    raise InputError(f"{KEY}.{name}", problem, fix)
        return
    met = {code for _, code in occurring}
    for code in codes or ():
        if as_value(code) not in met:
            problem = f"no column in use has the value '{code}'"
            fix = nearest(str(code), _texts(table[name] for name in table))
            raise InputError(KEY, problem, fix)


def as_numbers(values: pd.Series) -> pd.Series:
    """A column of objects as floats if all its values are numbers; 07 and long identifiers are not."""
    left = values.dropna()
    if pd.api.types.is_numeric_dtype(values) or not len(left) or left.map(_is_other).any():
        return values
    return values.astype(object).where(values.notna(), np.nan).astype(float)


def _is_other(value: Any) -> bool:
    """Whether a value is no number, or one that a float does not hold."""
    if isinstance(value, bool | np.bool_):
        return True
    if isinstance(value, int | float | np.number):
        return bool(abs(float(value)) >= EXACT)
    return "," in str(value) or not NUMBER.fullmatch(str(value)) or abs(float(value)) >= EXACT


def _listed(codes: Any) -> Sequence[Any]:
    return codes if isinstance(codes, list | tuple | set) else [codes]  # type: ignore[return-value]


def _distinct(values: pd.Series, wanted: Collection[str]) -> Iterable[Any]:
    """Values of a column that may be codes: of numbers only those that are equal to one."""
    if isinstance(values.dtype, pd.CategoricalDtype):
        return list(values.cat.categories)
    if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values):
        numbers = [float(code) for code in wanted if NUMBER.fullmatch(code)]
        values = values[values.isin(numbers)]
    return list(values.dropna().unique())


def _without(values: pd.Series, met: Collection[Any]) -> pd.Series:
    if isinstance(values.dtype, pd.CategoricalDtype):
        return values.cat.remove_categories(list(met))
    gone = values.isin(list(met))
    if not pd.api.types.is_integer_dtype(values):
        return (
            as_numbers(values.astype(object).where(~gone, None))
            if _mixed(values)
            else (values.mask(gone))
        )
    left = values[~gone]
    if len(left) and int(left.abs().max()) >= EXACT:  # as floats, they would lose digits
        return values.astype(object).where(~gone, None)
    return values.astype(float).mask(gone)


def _mixed(values: pd.Series) -> bool:
    """Whether a column may hold text, true and false, or whatever else is no number."""
    return not pd.api.types.is_numeric_dtype(values) or pd.api.types.is_bool_dtype(values)


def _texts(columns: Iterable[pd.Series]) -> list[str]:
    """Values that a code may have been meant to be, text first."""
    distinct = [value for values in columns for value in values.dropna().unique()[:1000]]
    distinct.sort(key=lambda value: not isinstance(value, str))
    return list(dict.fromkeys(v if isinstance(v, str) else as_value(v) for v in distinct))
