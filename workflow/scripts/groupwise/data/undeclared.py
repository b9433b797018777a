"""Codes for missing values that nothing is said of: refused among numbers, told among arms."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NoReturn

import pandas as pd

from groupwise.data.codes import Codes
from groupwise.data.errors import InputError
from groupwise.data.suspect import code_sentence, column_codes
from groupwise.data.validate import Roles
from groupwise.data.values import as_plain, in_yaml


def check_undeclared(table: pd.DataFrame, roles: Roles, declared: Codes | None) -> list[str]:
    """Numbers in use that are far from all others, and arms that are named as codes.

    Returns
    -------
    Sentences that must lead the results: on codes beside those that are declared, and on arms.

    Raises
    ------
    InputError
        Where nothing is declared of a column of numbers, and it has suspected codes.
    """
    numbers = [roles.outcome, *(c for c in roles.covariates if _is_number(table[c]))]
    found = {column: column_codes(table[column]) for column in numbers}
    open_, known = {}, {}
    for column, counts in found.items():
        if counts and _is_declared(declared, column):
            known[column] = counts
        elif counts:
            open_[column] = counts
    if open_:
        _refuse(open_)
    said = {column: counts for column, counts in known.items() if _codes_of(declared, column)}
    if not _is_declared(declared, roles.treatment) and (n := column_codes(table[roles.treatment])):
        said[roles.treatment] = n
    return [
        f"C{code_sentence(column, counts)[1:]}, which may mean a missing value: "
        f"`missing_codes: {in_yaml({column: [*_codes_of(declared, column), *_plain(counts)]})}` says so."
        for column, counts in said.items()
    ]


def _plain(codes: Iterable[str]) -> list[Any]:
    return [as_plain(code) for code in codes]


def _refuse(found: Mapping[str, Mapping[str, int]]) -> NoReturn:
    said = "; ".join(code_sentence(column, counts) for column, counts in found.items())
    codes = {column: _plain(counts) for column, counts in found.items()}
    none: dict[str, list[Any]] = {column: [] for column in found}
    fix = f"write `missing_codes: {in_yaml(codes)}` if that means a missing value, or "
    fix += f"`missing_codes: {in_yaml(none)}` if it is a value like the others"
    raise InputError("missing_codes", f"{said}, far from the other values", fix)


def _is_declared(declared: Codes | None, column: str) -> bool:
    return column in declared if isinstance(declared, Mapping) else declared is not None


def _codes_of(declared: Codes | None, column: str) -> Sequence[Any]:
    if isinstance(declared, Mapping):
        return declared.get(column, ())
    return declared or ()


def _is_number(values: pd.Series) -> bool:
    return bool(pd.api.types.is_numeric_dtype(values))
