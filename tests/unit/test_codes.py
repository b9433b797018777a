"""Values that mean missing, in a table of any types."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from groupwise.data.codes import check_codes, drop_codes, without_codes
from groupwise.data.errors import InputError
from groupwise.data.names import plain_name


@pytest.mark.parametrize(
    ("values", "codes", "left"),
    [
        ([1.5, -99, 3], [-99], [1.5, np.nan, 3]),
        ([1.5, -99, 3], ["-99.0"], [1.5, np.nan, 3]),
        ([1, -99, 3], ["-99"], [1, np.nan, 3]),
        ([1.5, "absent", "3"], ["absent"], [1.5, np.nan, 3]),
        (["1.5", "-99,0", "3"], [-99], [1.5, np.nan, 3]),
        ([1.5, "absent", -99], ["absent", -99], [1.5, np.nan, np.nan]),
        (pd.array([1, -99, 3], "Int64"), [-99], [1, np.nan, 3]),
    ],
)
def test_column_that_then_holds_numbers_only_is_numeric(
    values: Any, codes: list[Any], left: list[float]
) -> None:
    table = pd.DataFrame({"score": values})
    for given in (codes, {"score": codes}):
        found = without_codes(table, given)["score"]
        assert pd.api.types.is_numeric_dtype(found)
        np.testing.assert_array_equal(found.astype(float), left)
    assert table["score"].notna().all(), "the table that was given stays as it is"


@pytest.mark.parametrize(
    ("values", "codes", "left"),
    [
        (["07", "absent", "7"], ["absent"], ["07", None, "7"]),
        (["a", "n/a", "b"], ["n/a"], ["a", None, "b"]),
        (["07", "7", "b"], [7], ["07", None, "b"]),
        ([True, False, True], ["false"], [True, None, True]),
        (["1,5", "absent", "2,5"], ["absent"], ["1,5", None, "2,5"]),
        (pd.Categorical(["a", "x", "b"]), ["x"], ["a", None, "b"]),
        (pd.array([2**60 + 1, -9, 2**60 + 3], "int64"), [-9], [2**60 + 1, None, 2**60 + 3]),
    ],
)
def test_other_columns_keep_what_they_hold(values: Any, codes: list[Any], left: list[Any]) -> None:
    found = without_codes(pd.DataFrame({"arm": values}), codes)["arm"]
    assert [None if pd.isna(value) else value for value in found] == left


def test_codes_by_column_leave_others_alone() -> None:
    table = pd.DataFrame({"score": [9, 1], "stage": [9, 2]})
    found = without_codes(table, {"stage": [9]})
    assert found["score"].tolist() == [9, 1] and found["stage"].isna().tolist() == [True, False]


@pytest.mark.parametrize("codes", [None, [], {}, {"score": []}])
def test_without_codes_a_table_stays_as_it_is(codes: Any) -> None:
    table = pd.DataFrame({"score": [-99, 1]})
    pd.testing.assert_frame_equal(without_codes(table, codes), table)


@pytest.mark.parametrize(
    ("codes", "key", "words"),
    [
        ({"score": ["absnt"]}, "missing_codes.score", "did you mean 'absent'?"),
        ({"score": [-99]}, "missing_codes.score", "there are: absent, 1, 2"),
        ({"scor": [-99]}, "missing_codes", "no column 'scor'; did you mean 'score'?"),
        (["absent", -98], "missing_codes", "no column in use has the value '-98'"),
    ],
)
def test_code_that_nothing_has_is_refused(codes: Any, key: str, words: str) -> None:
    table = pd.DataFrame({"score": [1.0, "absent", 2.0], "arm": ["a", "b", "c"]})
    with pytest.raises(InputError) as caught:
        without_codes(table, codes)
    assert caught.value.key == key and words in str(caught.value)


def test_column_that_is_not_in_use_needs_no_check() -> None:
    table = pd.DataFrame({"score": [1.0, 2.0]})
    check_codes(table, {"mood": [9]}, set(), names=["score", "mood"])
    assert drop_codes(table, {"mood": [9]})[1] == set()


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("Kosten\n(in EUR)", "Kosten (in EUR)"),
        (" a \t\n b ", "a b"),
        ("a\u00a0b", "a b"),
        ("a  b", "a  b"),
        ("a", "a"),
    ],
)
def test_plain_name_is_one_line(written: str, name: str) -> None:
    assert plain_name(written) == name and plain_name(name) == name
