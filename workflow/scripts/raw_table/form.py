"""What `format` may say of a file: which settings there are for its kind, and what fits them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from groupwise.data.errors import InputError, nearest
from groupwise.data.names import plain_name

LAYOUT = ("header", "skip", "skip_last", "fill_down", "thousands", "units")
"""Settings of every file that a person may have laid out."""
TEXT = ("delimiter", "decimal", "encoding", *LAYOUT)
WORKBOOK = ("sheet", "decimal", *LAYOUT)
STATISTICAL = ("labels", "encoding")


def _is_row(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _is_list(value: object, of: Callable[[object], bool]) -> bool:
    return isinstance(value, list | tuple) and bool(value) and all(map(of, value))


def _is_text(value: object) -> bool:
    return isinstance(value, str)


class Setting(NamedTuple):
    """What fits a setting, and what to write."""

    fits: Callable[[Any], bool]
    write: str


TEXTUAL = Setting(_is_text, "write a text, in quotes")
SETTINGS = {
    "delimiter": TEXTUAL,
    "encoding": TEXTUAL,
    "sheet": TEXTUAL,
    "decimal": Setting(_is_text, 'write "." or ","'),
    "thousands": Setting(
        lambda value: value in (".", ",", " ", "'"), """write ".", ",", " " or "'", in quotes"""
    ),
    "labels": Setting(lambda value: isinstance(value, bool), "write true or false"),
    "header": Setting(
        lambda value: _is_row(value) or _is_list(value, _is_row),
        "write the number of the row with the names, or a list of several",
    ),
    "skip": Setting(lambda value: _is_list(value, _is_row), "write a list of row numbers"),
    "skip_last": Setting(_is_row, "write how many rows at the end are no data"),
    "fill_down": Setting(lambda value: _is_list(value, _is_text), "write a list of columns"),
    "units": Setting(
        lambda value: (
            isinstance(value, Mapping)
            and all(map(_is_text, value))
            and _is_list([*value.values()], lambda unit: _is_text(unit) and bool(str(unit).strip()))
        ),
        'write a unit for each column, as {weight: kg, share: "%"}',
    ),
}


def checked_form(
    form: Mapping[str, Any] | None, form_keys: Sequence[str], file: str
) -> dict[str, Any]:
    """The settings that are given, each of them one of this kind of file."""
    given = {key: value for key, value in (form or {}).items() if value is not None}
    for key, value in given.items():
        if key not in form_keys:
            problem = f"a file like '{file}' has no such setting"
            fix = (
                f"its settings are: {', '.join(form_keys)}"
                if form_keys
                else "remove it: it has none"
            )
            raise InputError(f"format.{key}", problem, fix)
        if not SETTINGS[key].fits(value):
            raise InputError(f"format.{key}", f"{value!r} does not fit", SETTINGS[key].write)
    return given


def named_columns(form: Mapping[str, Any], names: Iterable[str]) -> None:
    """Every column that a setting names is in the file."""
    there = list(names)
    for key in ("fill_down", "units"):
        for column in map(plain_name, form.get(key, ())):
            if column not in there:
                problem = f"the file has no column '{column}'"
                raise InputError(f"format.{key}", problem, nearest(column, filter(None, there)))


def filled_down(form: Mapping[str, Any]) -> set[str]:
    return set(map(plain_name, form.get("fill_down", ())))


def merged(old: Any, new: Any, key: str = "") -> Any:
    """A setting added to what there is: mappings in one another, lists of values joined.

    The rows of a header take the place of those that were named.
    """
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        return {**old, **{name: merged(old.get(name), new[name], name) for name in new}}
    if isinstance(old, list) and isinstance(new, list) and key != "header":
        return [*old, *(each for each in new if each not in old)]
    return new
