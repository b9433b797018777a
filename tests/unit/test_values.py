"""Values of data and settings: compared as values, and written as YAML reads them."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from groupwise.data.errors import InputError
from groupwise.data.ingest import ingest
from groupwise.data.labels import labels
from groupwise.data.prepare import recode, where
from groupwise.data.validate import Roles
from groupwise.data.values import as_value, in_yaml, matching

ZEROS = [0, 0.0, "0", "0.0", "0,0", "0.00", "-0", " 0 "]
ROLES = Roles("y", "arm", "g")


@pytest.mark.parametrize("value", ZEROS)
def test_ways_to_write_a_code_are_one_value(value: Any) -> None:
    assert as_value(value) == "0"
    assert matching(value, ["0", "1"]) == "0"
    assert matching(value, ["0.0", "1.0"]) == "0.0"


@pytest.mark.parametrize(
    ("value", "known"),
    [
        ("7", ["07"]),
        ("07", ["7"]),
        ("no", ["No"]),
        (1, ["1.0", "1.00"]),
        (True, ["1"]),
        ("", ["0"]),
    ],
)
def test_other_values_do_not_match(value: Any, known: list[str]) -> None:
    assert matching(value, known) is None


def test_the_same_text_comes_before_the_same_value() -> None:
    assert matching("1.0", ["1", "1.0"]) == "1.0"
    assert matching(True, ["True", "False"]) == "True"
    assert matching(False, ["TRUE", "FALSE"]) == "FALSE"


@pytest.mark.parametrize(
    "texts", [["0.0", "1.0", "2"], ["0,0", "1,00", "2"], [0.0, 1.0, 2.0], [0, 1, 2]]
)
def test_codes_with_decimals_are_labels_without(texts: list[Any]) -> None:
    assert list(labels(pd.Series(texts)).cat.categories) == ["0", "1", "2"]


@pytest.mark.parametrize("texts", [["0.5", "1.0"], ["01.0", "1.0"], ["1.1", "1.10"], ["a", "1.0"]])
def test_other_labels_stay_as_they_are_written(texts: list[str]) -> None:
    assert set(labels(pd.Series(texts)).cat.categories) == set(texts)


def table(arms: list[Any]) -> pd.DataFrame:
    g = [i // 3 for i in range(18)]
    return pd.DataFrame(
        {"g": g, "arm": [arms[i % 2] for i in g], "y": [i * 1.5 for i in range(18)]}
    )


@pytest.mark.parametrize("arms", [[0, 1], [0.0, 1.0], ["0.0", "1.0"], ["0,0", "1,0"], ["0", "1"]])
@pytest.mark.parametrize("zero", [0, 0.0, "0", "0.0", "0,0"])
def test_a_code_is_named_in_any_way_in_every_setting(arms: list[Any], zero: Any) -> None:
    data = table(arms)
    found = ingest(data, ROLES, reference=zero)
    assert list(found.table["arm"].cat.categories) == ["0", "1"]
    found = ingest(data, ROLES, reference="old", levels={zero: "old", "1": "new"})
    assert list(found.table["arm"].cat.categories) == ["old", "new"]
    found = ingest(data, ROLES, reference=1, levels=[1.0, zero])
    assert list(found.table["arm"].cat.categories) == ["1", "0"]
    found = ingest(data, ROLES, reference="old", recode={"arm": {zero: "old"}})
    assert list(found.table["arm"].cat.categories) == ["old", "1"]
    assert where(data, {"arm": zero}).sum() == where(data, {"arm": {"not": zero}}).sum() == 9


@pytest.mark.parametrize("code", [-99, -99.0, "-99", "-99.0"])
@pytest.mark.parametrize("values", [[-99, 1, 2], [-99.0, 1.5, 2], ["-99", "absent", "2"]])
def test_a_code_among_measurements_is_recoded_however_it_is_written(
    code: Any, values: list[Any]
) -> None:
    found = recode(pd.DataFrame({"x": values}), {"x": {code: None}})
    assert list(found["x"].isna()) == [True, False, False]


def test_arms_are_in_the_order_of_numbers() -> None:
    g = [i // 2 for i in range(12)]
    data = pd.DataFrame({"g": g, "arm": [[2, 10, 1][i % 3] for i in g], "y": range(12)})
    assert list(ingest(data, ROLES).table["arm"].cat.categories) == ["1", "2", "10"]


def test_a_value_that_is_not_there_is_named_with_those_near_it() -> None:
    with pytest.raises(
        InputError, match=r"reference: column 'arm' has no level '2'; there are: 0, 1\."
    ):
        ingest(table([0, 1]), ROLES, reference=2)


SCALARS = st.one_of(
    st.integers(-10_000, 10_000),
    st.text(st.characters(blacklist_categories=("Cs", "Cc")), max_size=8),
    st.sampled_from(["no", "Yes", "null", "1e3", "007", "-", "k.A.", "n/a", "2026-01-31", "a: b",
                     "# x", "=", "~", "12:30", "0x1F", "1_000", "a\nb", "it's", "[a]", "*a", "&a",
                     "!a", "%a", "@a", "`a`", "a ", " a", "on", "NaN", ".inf", "a #b", "Q1: I", "?"]),
)  # fmt: skip


@given(st.dictionaries(SCALARS, st.lists(SCALARS, max_size=3), min_size=1, max_size=3))
def test_what_a_message_writes_for_a_configuration_is_read_as_it_is_meant(value: Any) -> None:
    assert yaml.safe_load(f"key: {in_yaml(value)}") == {"key": value}


def test_a_message_is_one_line_whatever_the_data_hold() -> None:
    error = InputError("roles.outcome", "column 'Kosten\n(in\t\u20ac)' has '1\r\n2'", "correct it")
    assert str(error) == "roles.outcome: column 'Kosten (in \u20ac)' has '1 2'; correct it."
