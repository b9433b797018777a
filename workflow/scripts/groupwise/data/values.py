"""Values of data and of settings, compared as values: 0, 0.0, "0" and "0,0" are one code."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

NUMBER = re.compile(r"[+-]?(?:(?:0|[1-9]\d*)(?:[.,]\d*)?|[.,]\d+)(?:[eE][+-]?\d+)?")
"""A number with a decimal point or comma. What has leading zeros is an identifier: 07 is not 7."""


def as_value(value: Any) -> str:
    """A value as a text that is the same for all ways in which it may be written.

    >>> as_value(-99), as_value(-99.0), as_value("-99.0"), as_value(" 0,50"), as_value("07")
    ('-99', '-99', '-99', '0.5', '07')
    >>> as_value(True), as_value("TRUE"), as_value("Yes")
    ('true', 'true', 'Yes')
    """
    text = str(value).strip()
    if text.casefold() in ("true", "false"):
        return text.casefold()
    if not NUMBER.fullmatch(text):
        return text
    number = float(text.replace(",", "."))
    return str(int(number)) if number.is_integer() and abs(number) < 2**53 else repr(number)


def matching(value: Any, known: Iterable[str]) -> str | None:
    """The one of these labels that a value of a setting means: the same text, else the same value.

    None where no label has that value, or where several have.
    """
    labels = list(known)
    if str(value) in labels:
        return str(value)
    wanted = as_value(value)
    same = [label for label in labels if as_value(label) == wanted]
    return same[0] if len(same) == 1 else None
