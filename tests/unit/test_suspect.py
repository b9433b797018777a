"""What may be no data: codes for missing values, copied rows, columns that hardly vary."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from groupwise.data import suspect

AGES = list(range(18, 81))


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ([20.5, 30, -99, 80], {"-99": 1}),
        ([20.5, 30, -99.0, -99.0, 80], {"-99": 2}),
        ([0, 10, -9, -8, -1, 5], {"-1": 1, "-8": 1, "-9": 1}),
        ([-20, 30, -999, 5], {"-999": 1}),
        ([1, 2, 3, 4, 5, 9, 9], {"9": 2}),
        ([1, 2, 3, 4, 5, 6, 7, 9, 9], {"9": 2}),
        ([1, 2, 7, 8, 9, 7, 8, 9], {"7": 2, "8": 2, "9": 2}),
        ([*AGES, 99, 99, 99], {"99": 3}),
        ([1, 2, 3, "absent", 4, 5], {"absent": 1}),
        (["1", "2", "k.A."], {"k.A.": 1}),
        (["a", "b", "n/a", "n/a"], {"n/a": 2}),
        ([0, 1, 9, 0, 1, 9], {"9": 2}),
        ([1, 2, 3, 4, 5, 3, 4, 2, 3, -1], {"-1": 1}),
        ([*range(11), *range(11), -2, -1], {"-2": 1, "-1": 1}),
    ],
)
def test_codes_are_suspected(values: list[Any], found: dict[str, int]) -> None:
    assert suspect.column_codes(pd.Series(values)) == found


@pytest.mark.parametrize(
    "values",
    [
        [-20, 30, -9, 5],  # a change of score
        [0, 1, 2, 3, 5, 7, 9],  # a count
        [1, 2, 3, 4, 5, 9],  # the same, once
        range(1, 100),
        range(1, 11),  # labels of groups, and ratings up to ten
        ["17156075", "46e9876", "12201e13", "46e9876"],  # identifiers, infinite as numbers
        [1, 2, 3, 4, 5, 6, 7],
        [70, 85, 98, 99, 100, 99, 99],  # a test with a ceiling
        [*AGES, 85, 91, 99],
        [0, 1],
        [-1, 0, 1],
        [-1, -1, 0, 1, 2, 3, 4, 5],  # a change, as often below 0 as at 0
        [-3, -2, -1, 0, 1, 2, 3, 4, 5, 6],
        [-1, 0.5, 1.5, 2.5, 3.5, 7.5],
        ["A", "B", "none"],  # the name of an arm
        ["12 kg", "14 kg", "15 kg"],  # a unit is no code
        [True, False],
        [np.nan, np.nan],
        ["", "x"],
    ],
)
def test_values_are_left_alone(values: Any) -> None:
    assert suspect.column_codes(pd.Series(list(values))) == {}


def test_codes_are_counted_by_column() -> None:
    table = pd.DataFrame({"a": [1.5, 2.5, -9], "b": ["x", "y", "absent"], "c": [1, 2, 3]})
    assert suspect.codes(table) == {"a": {"-9": 1}, "b": {"absent": 1}}
    assert suspect.codes(table, ["b"]) == {"b": {"absent": 1}}


# Rows that stand twice ----------------------------------------------------------------------------


def classes() -> pd.DataFrame:
    """375 scores with one decimal in 15 classes: several pairs of rows agree by chance."""
    rng = np.random.default_rng(279)
    group = np.repeat(np.arange(15), 25)
    score = rng.normal(70, 9, 375).round(1)
    return pd.DataFrame({"class": group, "arm": group % 3, "score": score})


def test_agreement_by_chance_is_no_copy() -> None:
    table = classes()
    assert table.duplicated().sum() > 5
    assert suspect.sentences(table) == []


def test_a_block_of_rows_that_was_pasted_twice_is_counted() -> None:
    table = pd.concat([classes(), classes()[100:105]], ignore_index=True)
    (sentence,) = suspect.sentences(table)
    assert sentence.startswith("5 rows are the same in every column as an earlier one")


def test_a_row_with_an_id_is_a_copy_by_itself() -> None:
    table = classes().assign(pupil=np.arange(375))
    assert suspect.sentences(table) == []
    twice = pd.concat([table, table[7:8]], ignore_index=True)
    (sentence,) = suspect.sentences(twice)
    assert sentence.startswith("1 row is the same in every column as an earlier one")


def test_ratings_agree_all_the_time() -> None:
    rng = np.random.default_rng(1)
    table = pd.DataFrame({"ward": np.repeat(np.arange(16), 12), "q": rng.integers(1, 6, 192)})
    assert suspect.sentences(table) == []


# Columns that hardly vary -------------------------------------------------------------------------


def test_a_column_that_is_nearly_constant_is_named() -> None:
    table = pd.DataFrame({"x": [5] * 99 + [4], "y": range(100), "z": [1] * 100})
    assert suspect.sentences(table) == ["Column 'x' is nearly constant: 99 of 100 values are '5'."]
