"""Codes for missing values that are not declared: refused among numbers, reported among arms."""

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
    suspected = {column: column_codes(table[column]) for column in numbers}
    undeclared, additional = {}, {}
    for column, counts in suspected.items():
        if counts and _is_declared(declared, column):
            additional[column] = counts
        elif counts:
            undeclared[column] = counts
    if undeclared:
        _refuse(undeclared)
    reported = {
        column: counts for column, counts in additional.items() if _codes_of(declared, column)
    }
    if not _is_declared(declared, roles.treatment) and (n := column_codes(table[roles.treatment])):
        reported[roles.treatment] = n
    return [
        f"C{code_sentence(column, counts)[1:]}, which may mean a missing value: "
        f"`missing_codes: {in_yaml({column: [*_codes_of(declared, column), *_plain(counts)]})}` says so."
        for column, counts in reported.items()
    ]


def _plain(codes: Iterable[str]) -> list[Any]:
    return [as_plain(code) for code in codes]


def _refuse(suspected: Mapping[str, Mapping[str, int]]) -> NoReturn:
    problem = "; ".join(code_sentence(column, counts) for column, counts in suspected.items())
    codes = {column: _plain(counts) for column, counts in suspected.items()}
    none: dict[str, list[Any]] = {column: [] for column in suspected}
    fix = f"write `missing_codes: {in_yaml(codes)}` if that means a missing value, or "
    fix += f"`missing_codes: {in_yaml(none)}` if it is a value like the others"
    raise InputError("missing_codes", f"{problem}, far from the other values", fix)


def _is_declared(declared: Codes | None, column: str) -> bool:
    return column in declared if isinstance(declared, Mapping) else declared is not None


def _codes_of(declared: Codes | None, column: str) -> Sequence[Any]:
    if isinstance(declared, Mapping):
        return declared.get(column, ())
    return declared or ()


def _is_number(values: pd.Series) -> bool:
    return bool(pd.api.types.is_numeric_dtype(values))
