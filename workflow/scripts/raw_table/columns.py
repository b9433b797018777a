"""Columns of a table as numbers, true and false, or text: nothing else leaves this package."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from groupwise.data.errors import InputError
from raw_table.wanted import MISSING, Wanted

NUMBER = r"^[+-]?([0-9]+(D[0-9]*)?|D[0-9]+)([eE][+-]?[0-9]+)?$|^[+-]?(?i:inf|infinity)$"
"""A number; D stands for the decimal sign."""
PADDED = r"^[+-]?0[0-9]"
WHOLE = r"^-?[0-9]{1,18}$"
TRUTH = r"^(?i:true|false)$"
POINT = r"[0-9][.]|[.][0-9]"
COMMA = r"^[+-]?[0-9]*,[0-9]"
MAYBE_THOUSANDS = r"^[+-]?[1-9][0-9]{0,2},[0-9]{3}$"


def to_pandas(table: pa.Table, wanted: Wanted) -> pd.DataFrame:
    """An Arrow table with plain columns: dates become text, exact decimals floats."""
    columns = {
        i: _plain(column.combine_chunks(), name, label=name in wanted.labels).to_pandas()
        for i, (name, column) in enumerate(zip(table.column_names, table.columns, strict=True))
    }
    frame = pd.DataFrame(columns, index=pd.RangeIndex(table.num_rows))
    return frame.set_axis(pd.Index(table.column_names, dtype=object), axis="columns")


def cleaned(text: pa.Array) -> pa.Array:
    """Text without the spaces around it; what then is a sign for a missing value is missing."""
    text = pc.utf8_trim_whitespace(text.cast(pa.large_string()))
    absent = pc.is_in(text, value_set=pa.array(MISSING, pa.large_string()))
    return pc.if_else(absent, pa.scalar(None, pa.large_string()), text)


def from_text(text: pa.Array, decimal: str = ".") -> pa.Array:
    """Numbers, or true and false, if all of a column is; text otherwise, and with leading zeros."""
    if text.null_count == len(text):
        return text.cast(pa.float64())
    if _all(text, TRUTH):
        return pc.equal(pc.utf8_lower(text), "true")
    if _any(text, PADDED):
        return text
    if decimal == ",":
        text = _with_points(text)
    if _all(text, WHOLE):
        return text.cast(pa.int64())
    return text.cast(pa.float64()) if _all(text, _number(".")) else text


def has_decimal_commas(text: pa.Array) -> bool | None:
    """Whether a column holds numbers with decimal commas; None if they may separate thousands."""
    numbers = text.filter(pc.fill_null(pc.match_substring_regex(text, _number(",")), False))
    commas = numbers.filter(pc.match_substring_regex(numbers, COMMA))
    if len(commas) == 0 or 2 * len(numbers) < len(text) - text.null_count:
        return False
    return None if _all(commas, MAYBE_THOUSANDS) else True


def _with_points(text: pa.Array) -> pa.Array:
    """A column of numbers with points for commas. A point that is at a digit stays no number."""
    points = pc.fill_null(pc.match_substring_regex(text, POINT), False)
    commas = pc.fill_null(pc.match_substring_regex(text, _number(",")), False)
    if 2 * pc.sum(commas).as_py() < len(text) - text.null_count:
        return text
    if pc.any(points).as_py():
        return text
    return pc.if_else(commas, pc.replace_substring(text, ",", "."), text)


def _number(decimal: str) -> str:
    return NUMBER.replace("D", "[.]" if decimal == "." else decimal)


def _all(text: pa.Array, pattern: str) -> bool:
    return bool(pc.all(pc.match_substring_regex(text, pattern)).as_py())


def _any(text: pa.Array, pattern: str) -> bool:
    return bool(pc.any(pc.match_substring_regex(text, pattern)).as_py())


def _plain(column: Any, name: str, *, label: bool) -> Any:
    kind = column.type
    if pa.types.is_dictionary(kind):
        return _plain(column.cast(kind.value_type), name, label=label)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return cleaned(column)
    if pa.types.is_temporal(kind):
        return column.cast(pa.large_string())
    if pa.types.is_decimal(kind) or pa.types.is_null(kind):
        return column.cast(pa.float64())
    if pa.types.is_integer(kind) and column.null_count and label:
        return column.cast(pa.large_string())  # as floats, long numbers would lose digits
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind):
        return column
    problem = f"column '{name}' holds {kind}, neither numbers nor text"
    raise InputError("file", problem, "write one number or text per row")
