"""Recoded values, chosen rows, transformed outcomes, rows set aside, and what is missing where."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy import stats

from groupwise.data.errors import InputError
from groupwise.data.ingest import ingest, missing_by_arm
from groupwise.data.prepare import recode, where
from groupwise.data.validate import Roles
from groupwise.diagnostics.missingness import differential_missingness

ROLES = Roles("y", "arm", "g")
PUPILS = pd.DataFrame(
    {
        "grade": ["K", "K", "1", None, "2", "1"],
        "age": [5.0, 6.0, 6.5, 7.0, np.nan, 7.5],
        "school": [7, 7, 8, 8, 9, 9],
    }
)


def raw(n_groups: int = 6, size: int = 3, **columns: Any) -> pd.DataFrame:
    g = np.repeat(np.arange(n_groups), size)
    table = {"g": g, "arm": np.where(g % 2, "b", "a"), "y": np.arange(1.0, g.size + 1)}
    return pd.DataFrame(table | columns)


@pytest.mark.parametrize(
    ("conditions", "rows"),
    [
        ({"grade": "K"}, [0, 1]),
        ({"grade": 1}, [2, 5]),
        ({"grade": ["K", "2"]}, [0, 1, 4]),
        ({"grade": {"not": "K"}}, [2, 4, 5]),
        ({"grade": {"not": ["K", "1"]}}, [4]),
        ({"grade": {"missing": True}}, [3]),
        ({"grade": {"missing": False}}, [0, 1, 2, 4, 5]),
        ({"age": {"min": 6}}, [1, 2, 3, 5]),
        ({"age": {"min": 6, "max": 7}}, [1, 2, 3]),
        ({"age": {"max": 7}, "grade": "K"}, [0, 1]),
        ({"school": 8}, [2, 3]),
        ({"school": 8.0}, [2, 3]),
        ({"school": ["7", 9]}, [0, 1, 4, 5]),
    ],
)
def test_rows_that_meet_every_condition(conditions: dict[str, Any], rows: list[int]) -> None:
    assert list(np.flatnonzero(where(PUPILS, conditions))) == rows


@pytest.mark.parametrize(
    ("conditions", "said"),
    [
        ({"grad": "K"}, "where.grad: the data have no column 'grad'; did you mean 'grade'?"),
        ({"grade": "k"}, "where.grade: no row has the value 'k' in column 'grade'; did you mean"),
        ({"grade": {"not": "3"}}, "where.grade.not: no row has the value '3'"),
        (
            {"grade": {"min": 3}},
            "where.grade: column 'grade' has a text among its numbers: 'K' (2); write `missing",
        ),
        ({"age": {"min": 30}}, "where: no row of 6 meets the conditions"),
    ],
)
def test_conditions_that_nothing_meets_are_mistakes(conditions: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError) as caught:
        where(PUPILS, conditions)
    assert str(caught.value).startswith(said)


@given(st.lists(st.sampled_from("abc"), min_size=1), st.sampled_from("abc"))
def test_a_condition_and_its_negation_split_the_rows(values: list[str], wanted: str) -> None:
    table = pd.DataFrame({"v": [*values, wanted, "d"]})
    chosen = where(table, {"v": wanted})
    assert (chosen ^ where(table, {"v": {"not": wanted}})).all()
    assert list(table.loc[chosen, "v"].unique()) == [wanted]


def test_recoded_values_stay_numbers_where_they_can() -> None:
    found = recode(PUPILS, {"grade": {"K": 0, 2: None}, "school": {7: 17}})
    assert list(found["grade"].fillna("-")) == ["0", "0", "1", "-", "-", "1"]
    assert found["school"].dtype.kind in "if" and list(found["school"])[:2] == [17, 17]
    assert list(PUPILS["school"])[:2] == [7, 7]  # the input is as it was
    assert recode(PUPILS, {"school": {7: "north"}})["school"].iloc[0] == "north"


def test_recoding_a_value_that_is_not_there_is_a_mistake() -> None:
    with pytest.raises(InputError, match=r"recode\.grade: no row has the value 'k'"):
        recode(PUPILS, {"grade": {"k": "K"}})


def test_recodes_come_before_conditions_and_levels() -> None:
    table = raw(9, 2, arm=np.repeat(["1", "2", "9"], 6))
    found = ingest(
        table,
        ROLES,
        recode={"arm": {9: None}},
        where={"g": {"not": 0}},
        levels={"1": "old", "2": "new"},
        reference="old",
    )
    assert list(found.table["arm"].cat.categories) == ["old", "new"]
    assert found.dropped == {"left out by the conditions": 2, "arm missing": 6}


def test_log_and_standardized_outcomes_can_be_undone() -> None:
    table = raw()
    log = ingest(table, ROLES, outcome_as="log")
    assert_allclose(np.exp(log.table["y"]), table["y"])
    z = ingest(table, ROLES, outcome_as="standardized")
    assert_allclose([z.table["y"].mean(), z.table["y"].std()], [0, 1], atol=1e-12)
    assert_allclose(z.table["y"] * z.outcome["sd"] + z.outcome["mean"], table["y"])


def test_log_of_zero_is_a_mistake() -> None:
    with pytest.raises(InputError, match="outcome_as: column 'y' has the value 0"):
        ingest(raw(y=np.arange(18.0)), ROLES, outcome_as="log")


def test_singletons_and_blocks_with_one_arm_are_set_aside_when_asked_for() -> None:
    table = pd.DataFrame(
        {
            "g": [1, 1, 2, 2, 3, 4, 4, 5, 5, 6, 6],
            "arm": list("aabbbaabbaa"),
            "b": ["n"] * 7 + ["s"] * 2 + ["t"] * 2,
            "y": range(11),
        }
    )
    roles = Roles("y", "arm", "g", "b")
    assert len(ingest(table, Roles("y", "arm", "g")).table) == 11
    found = ingest(table, Roles("y", "arm", "g"), singletons="drop")
    assert found.dropped == {"in groups of one member": 1}
    found = ingest(table, roles, one_arm_blocks="drop")
    assert found.dropped == {"in blocks with one arm": 4}
    assert set(found.table["b"]) == {"n"}


def test_a_covariate_is_what_it_is_declared_to_be() -> None:
    roles = Roles("y", "arm", "g", covariates=("x",))
    table = raw(x=np.arange(18) % 3)
    assert ingest(table, roles).table["x"].dtype == float
    assert set(ingest(table, roles, categorical=["x"]).table["x"]) == {"0", "1", "2"}
    typed = raw(x=[str(i) for i in range(30)] + ["x"], n_groups=31, size=1)
    assert "taken as a category with 31 levels" in ingest(typed, roles).warnings[0]
    assert not ingest(typed, roles, categorical=["x"]).warnings
    with pytest.raises(
        InputError, match=r"roles.covariates\[0\]: column 'x' has a text among its n"
    ):
        ingest(typed, roles, numeric=["x"])
    with pytest.raises(InputError, match=r"numeric\[0\]: 'z' is none of the covariates"):
        ingest(typed, roles, numeric=["z"])


# Missing values -------------------------------------------------------------------------------------


def counted(rates: dict[str, list[int]], size: int = 10) -> pd.DataFrame:
    """Counts of groups that miss so many of their `size` outcomes, by arm."""
    rows, g = [], 0
    for arm, numbers in rates.items():
        for number in numbers:
            y = [np.nan] * number + list(range(size - number))
            rows += [{"g": g, "arm": arm, "y": value, "x": 1.0} for value in y]
            g += 1
    return ingest(pd.DataFrame(rows), Roles("y", "arm", "g", covariates=("x",))).missing


def test_missing_values_are_counted_by_role_and_arm() -> None:
    counts = counted({"a": [1, 2, 0], "b": [3, 4, 5]})
    assert missing_by_arm(counts) == [{"role": "outcome", "column": "y", "arms": {"a": 3, "b": 12}}]
    assert counts.loc[counts["role"] == "any", "n"].sum() == 60


def test_differential_missingness_is_the_f_test_of_the_groups_shares() -> None:
    groups = {"a": [1, 2, 0, 3], "b": [3, 4, 5, 5], "c": [0, 1, 1, 2]}
    found = differential_missingness(counted(groups))
    wanted = stats.f_oneway(*([n / 10 for n in each] for each in groups.values()))
    assert_allclose([found.statistic, found.p_value], [wanted.statistic, wanted.pvalue])
    assert found.verdict == "look" and "42.5% in 'b'" in found.message
    same = differential_missingness(counted({"a": [1, 2, 0, 3], "b": [2, 1, 3, 0]}))
    assert same.verdict == "ok" and same.p_value > 0.9


def test_groups_in_several_arms_are_compared_within() -> None:
    rng = np.random.default_rng(3)
    g, arm = np.repeat(np.arange(8), 20), np.tile(["a", "b"], 80)
    y = np.where(rng.random(160) < 0.1 + 0.1 * (g % 4), np.nan, 1.0 * g)
    counts = ingest(pd.DataFrame({"g": g, "arm": arm, "y": y}), ROLES).missing
    cells = counts[counts["role"] == "any"].pivot_table("n_missing", "group", "arm")
    wanted = stats.ttest_rel(cells["a"], cells["b"])
    found = differential_missingness(counts)
    assert_allclose([found.statistic, found.p_value], [wanted.statistic**2, wanted.pvalue])


def test_nothing_missing_and_nothing_to_compare() -> None:
    assert differential_missingness(counted({"a": [0, 0], "b": [0, 0]})).verdict == "ok"
    assert differential_missingness(counted({"a": [1, 1], "b": [5, 5]})).verdict == "unknown"
