"""From a raw table to the analysis table, and every mistake on the way in one sentence."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from groupwise.data.errors import InputError, nearest, sentence
from groupwise.data.ingest import Ingested, ingest
from groupwise.data.validate import Roles, check_numeric

ROLES = Roles("y", "arm", "g")


def raw(**columns: Any) -> pd.DataFrame:
    table = {
        "g": ["1", "1", "2", "2", "3", "3", "4", "4"],
        "arm": ["a", "a", "b", "b", "a", "a", "b", "b"],
        "y": [1.0, 2, 3, 4, 5, 6, 7, 8],
    }
    return pd.DataFrame(table | columns)


def take(table: pd.DataFrame, roles: Roles = ROLES, **settings: Any) -> Ingested:
    return ingest(table, roles, **settings)


# Types --------------------------------------------------------------------------------------------


def test_table_has_the_columns_in_use_typed_and_in_the_order_of_roles() -> None:
    found = take(raw(other=1, x=range(8)), Roles("y", "arm", "g", covariates=("x",))).table
    assert list(found.columns) == ["y", "arm", "g", "x"]
    assert found["y"].dtype == float and found["x"].dtype == float
    assert isinstance(found["arm"].dtype, pd.CategoricalDtype) and found["arm"].cat.ordered
    assert set(map(type, found["g"])) == {str}


def test_leading_zeros_of_identifiers_stay() -> None:
    found = take(raw(g=["07", "07", "7", "7", "007", "007", "8", "8"]))
    assert list(found.table["g"].unique()) == ["07", "7", "007", "8"]


@pytest.mark.parametrize(
    "labels",
    [
        [7, 7, 8, 8, 9, 9, 10, 10],
        [7.0, 7.0, 8.0, 8.0, 9.0, 9.0, 10.0, 10.0],
        ["7", "7", "8", "8", "9", "9", "10", "10"],
        pd.array([7, 7, 8, 8, 9, 9, 10, 10], dtype="Int64"),
        pd.Categorical([7, 7, 8, 8, 9, 9, 10, 10]),
        [7, "7", 8, "8", 9, "9", 10, "10"],
    ],
)
def test_7_and_7_point_0_and_text_7_are_one_label(labels: Any) -> None:
    assert list(take(raw(g=labels)).table["g"].unique()) == ["7", "8", "9", "10"]


def test_numeric_identifiers_with_gaps_keep_their_labels() -> None:
    found = take(raw(g=[7, 7, 8, 8, 9, 9, 10, np.nan]))
    assert list(found.table["g"].unique()) == ["7", "8", "9", "10"]
    assert found.dropped == {"g missing": 1}


@pytest.mark.parametrize(
    ("values", "kept"),
    [
        ([1, 2, 3, 4, 5, 6, 7, 8], float),
        (["u", "v"] * 4, str),
        ([True, False] * 4, str),
    ],
)
def test_covariates_are_numbers_or_categories(values: list[Any], kept: type) -> None:
    found = take(raw(x=values), Roles("y", "arm", "g", covariates=("x",))).table
    assert {type(value) for value in found["x"]} == {kept}


def test_numbers_written_as_text_are_numbers() -> None:
    assert list(take(raw(y=list("12345678"))).table["y"]) == [1, 2, 3, 4, 5, 6, 7, 8]


def test_numbers_of_nullable_columns_are_floats() -> None:
    found = check_numeric(pd.Series([1, None, 3], dtype="Int64", name="y"), "roles.outcome")
    assert found.dtype == float and found.isna().tolist() == [False, True, False]


# Missing values -----------------------------------------------------------------------------------


def test_missing_rows_are_counted_once_for_the_first_column_that_misses_them() -> None:
    table = pd.concat([raw(), raw()], ignore_index=True).assign(b="only", x=range(16))
    table.loc[[0, 1, 2], "y"] = np.nan
    table.loc[[2, 4], "g"] = None
    table.loc[[0, 5], "b"] = None
    table.loc[[4, 5, 6, 7], "x"] = np.nan
    found = take(table, Roles("y", "arm", "g", "b", ("x",)))
    assert found.dropped == {"y missing": 3, "g missing": 1, "b missing": 1, "x missing": 2}
    assert (found.n_read, len(found.table)) == (16, 9)
    assert list(found.table.index) == list(range(9)) and not found.table.isna().any().any()


@pytest.mark.parametrize(
    ("gaps", "words"), [([2], "1 missing value;"), ([2, 5], "2 missing values;")]
)
def test_missing_rows_are_refused_on_request(gaps: list[int], words: str) -> None:
    table = raw()
    table.loc[gaps, "y"] = np.nan
    with pytest.raises(InputError, match=words) as caught:
        take(table, missing="error")
    assert caught.value.key == "roles.outcome" and "missing: drop" in caught.value.fix
    assert take(raw(), missing="error").dropped == {}


# Arms ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "order"),
    [
        ({}, ["a", "b", "c"]),
        ({"reference": "b"}, ["b", "a", "c"]),
        ({"levels": ["c", "a", "b"]}, ["c", "a", "b"]),
        ({"levels": ["c", "a", "b"], "reference": "b"}, ["b", "c", "a"]),
        ({"levels": {"b": "old", "a": "new", "c": "newest"}}, ["old", "new", "newest"]),
        ({"levels": {"b": "old", "a": "new", "c": "new"}}, ["old", "new"]),
        ({"levels": {"b": "old", "a": "new", "c": "new"}, "reference": "new"}, ["new", "old"]),
    ],
)
def test_arms_stand_in_the_order_asked_for_reference_first(
    settings: dict[str, Any], order: list[str]
) -> None:
    table = pd.concat([raw(), raw(g=["5", "5", "6", "6"] * 2, arm="c")])
    assert list(take(table, **settings).table["arm"].cat.categories) == order


def test_mapping_of_levels_relabels_numbers_too() -> None:
    found = take(raw(arm=[0, 0, 1, 1, 0, 0, 1, 1]), levels={0: "usual", 1: "new"}).table
    assert list(found["arm"].astype(str)) == ["usual", "usual", "new", "new"] * 2


# Mistakes -----------------------------------------------------------------------------------------

MISTAKES: list[tuple[str, pd.DataFrame, Roles, dict[str, Any], str, list[str]]] = [
    ("no such column", raw(score=1), Roles("scor", "arm", "g"), {}, "roles.outcome",
     ["no column 'scor'", "did you mean 'score'?"]),
    ("nothing near", raw(), Roles("y", "zzzz", "g"), {}, "roles.treatment",
     ["no column 'zzzz'", "there are: g, arm, y"]),
    ("no such covariate", raw(), Roles("y", "arm", "g", covariates=("q",)), {},
     "roles.covariates[0]", ["no column 'q'"]),
    ("column used twice", raw(), Roles("y", "arm", "arm"), {}, "roles.group",
     ["'arm' already is roles.treatment", "a column of its own"]),
    ("no rows", raw().iloc[:0], ROLES, {}, "file", ["a header but no rows", "add the data"]),
    ("text outcome", raw(y=[1, 2, "n/a?", 4, 5, 6, 7, 8]), ROLES, {}, "roles.outcome",
     ["'y' has a text among its numbers: 'n/a?' (1)", "`missing_codes: {y: ['n/a?']}`"]),
    ("infinite outcome", raw(y=[1, 2, 3, 4, 5, np.inf, 7, 8]), ROLES, {}, "roles.outcome",
     ["data row 6"]),
    ("nothing complete", raw(y=np.nan), ROLES, {}, "roles", ["no row", "always missing"]),
    ("unknown reference", raw(), ROLES, {"reference": "A "}, "reference",
     ["'arm' has no level 'A '", "did you mean 'a'?"]),
    ("level without rows", raw(), ROLES, {"levels": ["a", "b", "c"]}, "levels",
     ["no row has the treatment 'c'"]),
    ("rows without level", raw(), ROLES, {"levels": {"a": "x"}}, "levels",
     ["treatment 'b' that has no label", "every value"]),
    ("arm not listed", raw(), ROLES, {"levels": ["a"]}, "levels",
     ["treatment 'b' that is not listed", "leave `levels` out"]),
    ("one arm", raw(arm="a"), ROLES, {}, "roles.treatment", ["one level only, 'a'", "two arms"]),
    ("one group", raw(g="1"), ROLES, {}, "roles.group", ["one level only", "several groups"]),
    ("arm of one group", raw(g=list("11223344"), arm=list("aaaaaabb")), ROLES, {},
     "roles.treatment", ["the arm 'b' has 1 group;", "smaller units than 'g' were assigned"]),
    ("group in two blocks", raw(b=list("ststuuvv")), Roles("y", "arm", "g", "b"), {},
     "roles.block", ["group '1' lies in 2 blocks", "different labels"]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("table", "roles", "settings", "key", "words"),
    [case[1:] for case in MISTAKES],
    ids=[case[0] for case in MISTAKES],
)
def test_mistake_names_key_problem_and_fix_in_one_sentence(
    table: pd.DataFrame, roles: Roles, settings: dict[str, Any], key: str, words: list[str]
) -> None:
    with pytest.raises(InputError) as caught:
        take(table, roles, **settings)
    message = str(caught.value)
    assert caught.value.key == key and message.startswith(f"{key}: ")
    assert caught.value.problem in message and caught.value.fix in message
    assert message.endswith((".", "?")) and "\n" not in message and ".." not in message
    for word in words:
        assert word in message


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        (("a", "it is wrong", "mend it"), "a: it is wrong; mend it."),
        (("a", "b", "it is wrong", "mend it."), "a: b: it is wrong; mend it."),
        (("a", "it is wrong", "did you mean 'x'?"), "a: it is wrong; did you mean 'x'?"),
    ],
)
def test_sentences_end_with_one_mark(parts: tuple[str, ...], expected: str) -> None:
    assert sentence(*parts) == expected


@pytest.mark.parametrize(
    ("word", "known", "hint"),
    [
        ("Score", ["score", "style"], "did you mean 'score'?"),
        ("proffesor", ["professor"], "did you mean 'professor'?"),
        ("q", ["score", 7], "there are: score, 7"),
        ("q", [], "there are: none"),
        ("q", [f"column{i}" for i in range(30)], "column19, and more"),
    ],
)
def test_hint_is_the_nearest_word_or_what_there_is(word: str, known: list[Any], hint: str) -> None:
    assert nearest(word, known).endswith(hint)


def test_roles_come_from_settings_that_may_leave_things_empty() -> None:
    settings = {"outcome": "y", "treatment": "arm", "group": "g", "block": None}
    assert Roles.from_settings(settings | {"covariates": None}) == ROLES
    assert Roles.from_settings(settings | {"covariates": ["x"]}).columns == ["y", "arm", "g", "x"]
