"""Numbers as people write them: units taken off, nothing between thousands."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import pyarrow as pa

from groupwise.data.codes import Codes, ColumnCodes, codes_of
from groupwise.data.errors import InputError
from groupwise.data.names import plain_name
from groupwise.data.remedies import APOSTROPHES, FEW, GROUPED, SPACES, is_number, suspects
from groupwise.data.values import as_value

BETWEEN = {".": ".", ",": ",", " ": SPACES, "'": APOSTROPHES}
"""The signs that a setting of `thousands` means."""
OTHER = {".": ",", ",": "."}


def without_codes(text: pa.Array, name: str, codes: Codes | None) -> tuple[pa.Array, ColumnCodes]:
    """A column of text without values that mean missing, before it becomes numbers."""
    wanted = codes_of(codes, name)
    met: ColumnCodes = set()

    def unless_code(value: str) -> str | None:
        code = as_value(value)
        if code not in wanted:
            return value
        met.add((name, code))
        return None

    return (mapped(text, unless_code) if wanted else text), met


def without_unit(text: pa.Array, name: str, form: Mapping[str, Any]) -> pa.Array:
    """A column without the unit that is named for it; every value has that unit or none."""
    units = {plain_name(column): unit for column, unit in form.get("units", {}).items()}
    if name not in units:
        return text
    pattern = _with_unit(units[name].strip())
    odd: Counter[str] = Counter()

    def taken_off(value: str) -> str:
        match = pattern.fullmatch(value)
        number = match["sign"] + (match["one"] or match["two"]).strip() if match else value
        if not is_number(number):
            odd[value] += 1
        return number

    new = mapped(text, taken_off)
    if odd:
        raise _other_unit(name, units[name], _counted(text, odd))
    return new


def _other_unit(name: str, unit: str, odd: Mapping[str, int]) -> InputError:
    first = next(iter(odd))
    problem = f"column '{name}' has '{first}', which is no number with or without '{unit}'"
    fix = "write all its numbers in one unit, in the file"
    if re.match(r"[<>\u2264\u2265~]", first):
        problem = f"column '{name}' has '{first}', which is a limit and no number"
        fix = "write a number in its place, in the file, or leave it empty if it is missing"
    if len(odd) <= FEW and not any(re.search(r"\d", text) for text in odd):
        problem, fix = suspects(name, odd)
    return InputError(f"format.units.{name}", problem, fix)


def without_thousands(text: pa.Array, name: str, sign: str, *, strict: bool) -> pa.Array:
    """A column with nothing between thousands, if at least half of it is numbers.

    With `strict`, a number that has the sign somewhere else, where it would count as decimal, is
    refused.
    """
    pattern, counts = GROUPED[sign], _counted(text)
    odd = [
        value
        for value in counts
        if sign in value and is_number(value) and not pattern.fullmatch(value)
    ]
    if odd and strict:
        problem = f"in '{odd[0]}' of column '{name}' the sign '{sign}' separates no thousands"
        raise InputError("format.thousands", problem, "leave the setting out, or correct the value")
    numbers = sum(n for value, n in counts.items() if is_number(value))
    if odd or 2 * numbers < sum(counts.values()):
        return text

    def joined(value: str) -> str:
        match = pattern.fullmatch(value)
        return re.sub(f"[{BETWEEN[sign]}]", "", value) if match else value

    return mapped(text, joined)


def decimal_of(form: Mapping[str, Any]) -> str | None:
    """The decimal sign as declared, or as the sign between thousands implies."""
    decimal, thousands = form.get("decimal"), form.get("thousands")
    if decimal not in (None, ".", ","):
        raise InputError("format.decimal", f"'{decimal}' is no decimal sign", "use . or ,")
    if decimal is not None and decimal == thousands:
        problem = f"'{decimal}' cannot be the decimal sign too"
        raise InputError("format.thousands", problem, "write two different signs")
    return decimal or OTHER.get(thousands or "")


def mapped(text: pa.Array, function: Callable[[str], str | None]) -> pa.Array:
    """A column of text with each value changed; equal values are looked at once."""
    coded = text.dictionary_encode()
    new = [function(value) for value in coded.dictionary.to_pylist()]
    return pa.array(new, pa.large_string()).take(coded.indices)


def _counted(text: pa.Array, among: Mapping[str, int] | None = None) -> dict[str, int]:
    """How often each value of a column is met, in the order of the rows."""
    counts = {each["values"]: each["counts"] for each in text.value_counts().to_pylist()}
    return {
        value: n
        for value, n in counts.items()
        if value is not None and (among is None or value in among)
    }


def _with_unit(unit: str) -> re.Pattern[str]:
    """A number with this unit, before or after it; any white space fits a space."""
    written = r"\s*".join(map(re.escape, unit.split()))
    number = rf"[\d.,{SPACES}{APOSTROPHES}eE+-]*?\d[.,]?"
    return re.compile(
        rf"(?P<sign>[+-]?)\s*(?:{written}\s*(?P<one>{number})|(?P<two>{number})\s*{written})"
    )
