"""What in a table may not be data: codes for missing values, duplicated rows, constants."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from groupwise.data.labels import labels
from groupwise.data.values import NUMBER, as_value

CODE = re.compile(r"-?(?:9{1,5}|8{1,5}|7{1,5}|9{1,4}[678])")
"""Numbers that surveys write for a value that is missing: -9, 99, -98, 777, 9999 and so on."""
ABSENT = frozenset(
    [
        *(
            "absent",
            "missing",
            "refused",
            "n/a",
            "n.a.",
            "n. a.",
            "na",
            "nd",
            "n.d.",
            "nr",
            "dk",
            "s/o",
        ),
        *("no data", "no answer", "no response", "not available", "not applicable", "don't know"),
        *(
            "k.a.",
            "k. a.",
            "k.a",
            "keine angabe",
            "abwesend",
            "fehlt",
            "fehlend",
            "wei\u00df nicht",
        ),
        *("weiss nicht", "ausente", ".", "-", "--", "---", "\u2013", "\u2014", "?", "??"),
        *("#n/v", "#nv", "#value!", "#wert!", "#div/0!", "#ref!", "#null!", "#num!", "#name?"),
        "#bezug!",
    ]
)
"""Texts that stand for a missing value wherever they are met, in lower case."""
FEW_TEXTS = 5
"""Of a column of numbers so many different texts at most count as codes."""
MANY_STEPS = 4
"""A scale of whole numbers has so many steps at least."""
RARE = 0.2
"""Codes such as -1 stand in no larger share of the rows than this."""
REPEATED = 3
"""A code inside the reach of the values is suspected only if it stands so often."""
STEADY = 0.95
"""A column with one value in more than this share of its rows is nearly constant."""
LEAST_RUN = 3
"""So many rows in a row that stand elsewhere in the same order were copied."""
NEARLY_ALL = 0.9
"""A column with another value in more than this share of the rows tells them apart."""


def codes(table: pd.DataFrame, columns: Iterable[str] | None = None) -> dict[str, dict[str, int]]:
    """Values that may stand for missing ones: column -> code -> number of rows.

    In numbers a code is suspected where it lies far from all other values: below 0 where nothing
    else is, or as far beyond the others as these reach. In labels, and among numbers, it is a text
    such as `absent`.
    """
    by_column = {}
    for column in table.columns if columns is None else columns:
        suspected = column_codes(table[column])
        if suspected:
            by_column[str(column)] = suspected
    return by_column


def column_codes(values: pd.Series) -> dict[str, int]:
    """The suspected codes of one column, with the number of rows of each."""
    if pd.api.types.is_bool_dtype(values) or not values.notna().any():
        return {}
    labelled = labels(values)
    counts = {str(label): int(n) for label, n in labelled.value_counts(sort=False).items() if n}
    numbers = {label: n for label, n in counts.items() if NUMBER.fullmatch(label)}
    texts = {label: n for label, n in counts.items() if label not in numbers}
    suspected = _text_codes(texts, n_numbers=sum(numbers.values()))
    return suspected | _number_codes(numbers)


def sentences(table: pd.DataFrame) -> list[str]:
    """Remarks on duplicated rows and nearly constant columns of a table."""
    return [*copied_rows(table), *steady_columns(table)]


def code_sentence(column: str, counts: Mapping[str, int]) -> str:
    """`-99 (2 rows) and absent (1 row)`: the codes of a column, in the middle of a sentence."""
    parts = [f"'{code}' in {n:,} row{'' if n == 1 else 's'}" for code, n in counts.items()]
    return f"column '{column}' has {' and '.join(parts)}"


def _text_codes(texts: Mapping[str, int], *, n_numbers: int) -> dict[str, int]:
    """Texts among numbers, if they are few; else those that mean missing (`ABSENT`)."""
    if texts and len(texts) <= FEW_TEXTS and n_numbers > sum(texts.values()):
        return {text: n for text, n in texts.items() if not any(map(str.isdigit, text))}
    return {text: n for text, n in texts.items() if text.casefold() in ABSENT}


def _number_codes(counts: Mapping[str, int]) -> dict[str, int]:
    """Codes among numbers, by where they lie: outwards from the values that are no codes."""
    rows = {float(as_value(label)): n for label, n in counts.items()}
    coded = sorted(
        (value for value in rows if CODE.fullmatch(as_value(value))), key=lambda each: abs(each)
    )
    kept = {value: n for value, n in rows.items() if value not in coded}
    suspected = {}
    for code in coded:
        if len(kept) > 1 and _is_far(code, rows[code], kept):
            suspected[code] = rows[code]
        else:
            kept[code] = rows[code]
    low = {value: n for value, n in kept.items() if -9 <= value < 0 and value.is_integer()}
    rest = {value: n for value, n in kept.items() if value not in low}
    below_all = bool(low and rest) and min(rest, default=-1) >= 0
    # Then -1, -2 and so on are codes if others are, or if they are rare.
    if below_all and (any(code < 0 for code in suspected) or _are_rare(low, rest)):
        suspected |= low
    return {as_value(code): n for code, n in sorted(suspected.items())}


def _are_rare(low: Mapping[float, int], rest: Mapping[float, int]) -> bool:
    """Whether -1 and -2 stand below whole numbers, 0 or more, that they cannot well go on."""
    whole = all(value.is_integer() for value in rest) and max(rest) - min(rest) >= MANY_STEPS
    few = sum(low.values()) <= RARE * sum(rest.values())
    gap = min(rest) > 0 or all(n < rest[min(rest)] for n in low.values())
    return whole and few and len(low) <= 2 and gap


def _is_far(code: float, n: int, kept: Mapping[float, int]) -> bool:
    """Whether a code, which stands in n rows, cannot well be one of the values that are kept."""
    low, high = min(kept), max(kept)
    reach = high - low
    if code < 0:
        small = [value for value in kept if value < 0]
        none_below = all(value >= -9 and value.is_integer() for value in small) and len(small) < 4
        return (none_below and high > 0 and code < min(small, default=0)) or code <= low - reach
    if code >= high + max(reach, 2):
        return code > 9 or n > 1
    is_scale = low == 1 and len(kept) == high <= 10 and all(value % 1 == 0 for value in kept)
    if is_scale and code > high + 1 and n > 1:
        return True
    often = float(np.mean(list(kept.values())))
    return code > max(high + 0.1 * reach, 9) and n >= REPEATED and n >= 3 * often


def copied_rows(table: pd.DataFrame) -> list[str]:
    """Rows that are the same in every column as another: where that is no play of chance."""
    if len(table) < 2 or table.shape[1] < 2:
        return []
    rows, same = _shared_rows(table)
    n = len(rows) - len(np.unique(same))
    if n and not any(_tells_rows_apart(values) for _, values in table.items()):
        n = _rows_in_runs(rows, same) if n < 0.2 * len(table) else 0
    if n == 0:
        return []
    what, verb, was = ("row", "is", "it was") if n == 1 else ("rows", "are", "they were")
    return [
        f"{n:,} {what} {verb} the same in every column as an earlier one: perhaps {was} entered twice. "
        "They count twice here; remove them from the file if so."
    ]


def _tells_rows_apart(values: pd.Series) -> bool:
    """Whether nearly every row has another label; measurements may differ, or agree, by chance."""
    if pd.api.types.is_float_dtype(values) and (values.dropna() % 1 != 0).any():
        return False
    return bool(values.nunique() > NEARLY_ALL * len(values))


def _shared_rows(table: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Places of the rows that are not alone, and for each a number that equal rows share.

    Column by column only rows that are still the same as another are looked at, numbers first:
    few are left after the first columns, which makes long tables quick.
    """
    numeric = [pd.api.types.is_numeric_dtype(dtype) for dtype in table.dtypes]
    rows, same = np.arange(len(table)), np.zeros(len(table), dtype=np.int64)
    for place in sorted(range(len(numeric)), key=lambda each: not numeric[each]):
        values = table.iloc[:, place]
        codes = pd.factorize(values if len(rows) == len(table) else values.iloc[rows])[0]
        same = pd.factorize(same * (codes.max(initial=0) + 2) + codes + 1)[0]
        shared = np.bincount(same)[same] > 1
        rows, same = rows[shared], same[shared]
        if not len(rows):
            break
    return rows, same


def _rows_in_runs(rows: np.ndarray, same: np.ndarray) -> int:
    """How many rows stand in runs that repeat an earlier run of rows in the same order."""
    order = np.argsort(same, kind="stable")
    before = np.where(np.diff(same[order], prepend=-1) == 0, np.roll(rows[order], 1), -1)
    earlier = np.empty_like(before)
    earlier[order] = before
    goes_on = (np.diff(rows) == 1) & (np.diff(earlier) == 1) & (earlier[:-1] >= 0)
    edges = np.diff(np.concatenate([[False], goes_on, [False]]).astype(int))
    lengths = np.flatnonzero(edges < 0) - np.flatnonzero(edges > 0) + 1
    return int(lengths[lengths >= LEAST_RUN].sum())


def steady_columns(table: pd.DataFrame) -> list[str]:
    """Columns with nearly the same value in every row."""
    messages = []
    for column, values in table.items():
        counts = values.value_counts()
        if len(counts) < 2 or counts.iloc[0] <= STEADY * counts.sum():
            continue
        (value,) = labels(pd.Series([counts.index[0]]))
        n, total = int(counts.iloc[0]), int(counts.sum())
        messages.append(
            f"Column '{column}' is nearly constant: {n:,} of {total:,} values are '{value}'."
        )
    return messages
