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
LARGEST_CODE = 100_000
"""Codes are less than this, of either sign."""
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
    numbers, texts = _numbers(values) if _is_measured(values) else _numbers_among_labels(values)
    suspected = _text_codes(texts, n_numbers=int(numbers.sum()))
    return suspected | _number_codes(numbers.index.to_numpy(), numbers.to_numpy())


def _is_plain(values: pd.Series) -> bool:
    """Whether a column holds numbers of numpy: others have values that cannot be sorted as these."""
    return isinstance(values.dtype, np.dtype) and values.dtype.kind in "iuf"


def _is_measured(values: pd.Series) -> bool:
    return pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_complex_dtype(values)


def _numbers(values: pd.Series) -> tuple[pd.Series, dict[str, int]]:
    """Rows of each number of a column of numbers, in order; and of what is infinite, as text."""
    rows = _counts(values.dropna().astype(float))
    finite = np.isfinite(rows.index.to_numpy())
    return rows[finite], {str(value): int(n) for value, n in rows[~finite].items()}


def _counts(numbers: pd.Series) -> pd.Series:
    """Rows of each number, in order: sorted, since most can be different."""
    number, n = np.unique(numbers.to_numpy(), return_counts=True)
    return pd.Series(n, number)


def _numbers_among_labels(values: pd.Series) -> tuple[pd.Series, dict[str, int]]:
    """Rows of each number among labels, in order, and of each other text."""
    rows = labels(values).value_counts(sort=False)
    counts = {str(label): int(n) for label, n in rows.items() if n}
    numbers = {label: n for label, n in counts.items() if NUMBER.fullmatch(label)}
    texts = {label: n for label, n in counts.items() if label not in numbers}
    value = pd.Index([float(as_value(label)) for label in numbers], dtype=float)
    return pd.Series(list(numbers.values()), value, dtype=int).groupby(level=0).sum(), texts


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


def _number_codes(values: np.ndarray, counts: np.ndarray) -> dict[str, int]:
    """Codes among distinct numbers (n,), in order, by where they lie: outwards from the other values."""
    whole = np.flatnonzero(_are_whole(values) & (abs(values) < LARGEST_CODE))
    coded = np.array([i for i in whole if CODE.fullmatch(as_value(values[i]))], dtype=int)
    coded = coded[np.argsort(abs(values[coded]), kind="stable")]
    kept = np.ones(len(values), dtype=bool)
    kept[coded] = False
    for i in coded:
        is_value = kept.sum() < 2 or not _is_far(values[i], counts[i], values[kept], counts[kept])
        kept[i] = is_value
    low = kept & (values >= -9) & (values < 0) & _are_whole(values)
    rest, suspected = kept & ~low, ~kept
    below_all = bool(low.any() and rest.any() and values[rest].min() >= 0)
    # Then -1, -2 and so on are codes if others are, or if they are rare.
    if below_all and (
        (values[suspected] < 0).any() or _are_rare(counts[low], values[rest], counts[rest])
    ):
        suspected |= low
    return {as_value(values[i]): int(counts[i]) for i in np.flatnonzero(suspected)}


def _are_whole(values: np.ndarray) -> np.ndarray:
    """Which are whole numbers; texts such as 47e9876 are infinite as numbers, and are not."""
    return np.asarray(np.isfinite(values) & (np.floor(values) == values))


def _are_rare(low: np.ndarray, rest: np.ndarray, rest_counts: np.ndarray) -> bool:
    """Whether -1 and -2, in `low` rows, stand below whole numbers, 0 or more, that they cannot well
    go on."""
    whole = bool(_are_whole(rest).all()) and rest[-1] - rest[0] >= MANY_STEPS
    few = low.sum() <= RARE * rest_counts.sum()
    gap = rest[0] > 0 or (low < rest_counts[0]).all()
    return bool(whole and few and len(low) <= 2 and gap)


def _is_far(code: float, n: int, kept: np.ndarray, counts: np.ndarray) -> bool:
    """Whether a code, which stands in n rows, cannot well be one of the values `kept`, in order."""
    low, high = kept[0], kept[-1]
    reach = high - low
    if code < 0:
        small = kept[kept < 0]
        none_below = bool(((small >= -9) & _are_whole(small)).all()) and len(small) < 4
        below = small[0] if len(small) else 0
        return bool((none_below and high > 0 and code < below) or code <= low - reach)
    if code >= high + max(reach, 2):
        return bool(code > 9 or n > 1)
    is_scale = low == 1 and len(kept) == high <= 10 and bool(_are_whole(kept).all())
    if is_scale and code > high + 1 and n > 1:
        return True
    return bool(code > max(high + 0.1 * reach, 9) and n >= REPEATED and n >= 3 * counts.mean())


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
        counts = _counts(values.dropna()) if _is_plain(values) else values.value_counts()
        if len(counts) < 2 or counts.max() <= STEADY * counts.sum():
            continue
        (value,) = labels(pd.Series([counts.idxmax()]))
        n, total = int(counts.max()), int(counts.sum())
        messages.append(
            f"Column '{column}' is nearly constant: {n:,} of {total:,} values are '{value}'."
        )
    return messages
