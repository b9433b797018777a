"""Values of data and of settings, compared as values: 0, 0.0, "0" and "0,0" are one code."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

NUMBER = re.compile(r"[+-]?(?:(?:0|[1-9]\d*)(?:[.,]\d*)?|[.,]\d+)(?:[eE][+-]?\d+)?")
"""A number with a decimal point or comma. What has leading zeros is an identifier: 07 is not 7."""
PLAIN = re.compile(r"[^\W\d][\w .()/+-]*(?<! )")
"""A text that YAML takes for a text, within brackets too, without quotes."""
SPECIAL = frozenset(["yes", "no", "on", "off", "true", "false", "null"])
"""Words that YAML takes for something else."""


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


def as_plain(value: Any) -> Any:
    """A value as YAML is to write it: what is a number as a number, whole if it is."""
    text = as_value(value)
    try:
        number = float(text)
    except ValueError:
        return str(value)
    return int(number) if number.is_integer() else number


def matching(value: Any, choices: Iterable[str]) -> str | None:
    """The one of these labels that a value of a setting means: the same text, else the same value.

    None where no label has that value, or where several have.
    """
    labels = list(choices)
    if str(value) in labels:
        return str(value)
    wanted = as_value(value)
    same = [label for label in labels if as_value(label) == wanted]
    return same[0] if len(same) == 1 else None


def in_yaml(value: Any) -> str:
    """A value as a message writes it for config.yaml: in one line, in quotes where YAML wants them.

    >>> in_yaml({"arm": {"not": "no"}}), in_yaml({"score": [-99, "absent", "k.A."]})
    ("{arm: {not: 'no'}}", '{score: [-99, absent, k.A.]}')
    """
    if isinstance(value, dict):
        pairs = (f"{in_yaml(key)}: {in_yaml(each)}" for key, each in value.items())
        return f"{{{', '.join(pairs)}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(in_yaml, value))}]"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if not isinstance(value, str):
        return str(value)
    return value if PLAIN.fullmatch(value) and value.casefold() not in SPECIAL else quoted(value)


def quoted(text: str) -> str:
    """A text in YAML's quotes: single ones, or double ones for what is not printed as it is."""
    if text.isprintable():
        return "'" + text.replace("'", "''") + "'"
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    plain = (each if each.isprintable() else f"\\U{ord(each):08x}" for each in escaped)
    return f'"{"".join(plain)}"'
