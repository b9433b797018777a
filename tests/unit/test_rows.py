"""Rows that are lost, rows without a group, rows before the treatment, identifiers of two columns."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from numpy.testing import assert_array_equal

from groupwise.data.errors import InputError
from groupwise.data.ingest import Ingested, ingest
from groupwise.data.validate import Roles

ROLES = Roles("y", "arm", "g")
RNG = np.random.default_rng(3)


def trial(**columns: Any) -> pd.DataFrame:
    """Ten groups of ten in two arms."""
    g = np.repeat(np.arange(10), 10)
    table = {"g": g, "arm": np.where(g % 2, "b", "a"), "y": RNG.normal(size=100).round(3)}
    return pd.DataFrame(table | columns)


def gappy(n: int, column: str = "x") -> pd.DataFrame:
    """n values missing."""
    table = trial(x=np.arange(100.0))
    table.loc[np.arange(n) * 3 % 100, column] = np.nan
    return table


def advice(error: InputError, which: int = 0) -> dict[str, Any]:
    """A setting that a message names, as it is read from config.yaml."""
    setting: dict[str, Any] = yaml.safe_load(re.findall(r"`(\w+: [^`]+)`", error.fix)[which])
    return setting


def refused(table: pd.DataFrame, roles: Roles = ROLES, **settings: Any) -> InputError:
    with pytest.raises(InputError) as caught:
        ingest(table, roles, **settings)
    return caught.value


# Losses -------------------------------------------------------------------------------------------


WITH_X = Roles("y", "arm", "g", covariates=("x",))


def test_few_lost_rows_are_counted_and_no_more() -> None:
    found = ingest(gappy(5), WITH_X)
    assert found.dropped == {"x missing": 5} and not found.alerts


def test_more_than_a_twentieth_is_told_before_any_result() -> None:
    found = ingest(gappy(6), WITH_X)
    assert found.alerts == ["6 of 100 rows (6%) are left out: 6 with x missing."]


def test_a_third_is_refused_until_it_is_allowed() -> None:
    error = refused(gappy(31), WITH_X)
    assert error.key == "most_dropped"
    assert error.problem == "31 of 100 rows (31%) would be left out: 31 with x missing"
    found = ingest(gappy(31), WITH_X, **advice(error))
    assert len(found.table) == 69 and "31 of 100" in found.alerts[0]
    assert len(ingest(gappy(30), WITH_X).table) == 70


def test_missing_outcomes_are_no_loss_of_this_kind() -> None:
    found = ingest(gappy(50, "y"), ROLES)
    assert found.dropped == {"y missing": 50} and not found.alerts


def test_rows_left_out_on_purpose_are_no_loss() -> None:
    found = ingest(trial(), ROLES, where={"g": {"max": 3}})
    assert len(found.table) == 40 and not found.alerts
    table = trial(arm=np.repeat(["a", "b", "9"], [40, 40, 20]))
    found = ingest(table, ROLES, recode={"arm": {9: None}}, reference="a")
    assert found.dropped == {"arm missing": 20} and not found.alerts


def test_an_arm_that_goes_is_named_with_the_cause() -> None:
    table = trial(arm=np.repeat(["a", "b", "c"], [40, 40, 20]), x=1.0 * np.arange(100))
    table.loc[80:, "x"] = np.nan
    found = ingest(table, WITH_X, reference="a")
    assert found.alerts[1] == (
        "The arm 'c' is not in the results: none of its 20 rows is complete, most of them for want of "
        "'x'."
    )


def test_a_block_that_goes_is_named() -> None:
    table = trial(b=np.repeat(["n", "s", "e", "w", "z"], 20), x=1.0 * np.arange(100))
    table.loc[80:, "x"] = np.nan
    found = ingest(table, Roles("y", "arm", "g", "b", ("x",)))
    assert found.alerts[1].startswith("The block 'z' is not in the results")


# Rows without a group -----------------------------------------------------------------------------


def partially_nested() -> pd.DataFrame:
    """Five groups of ten in one arm; fifty controls in no group."""
    g = np.repeat([*"stuvw", None], [10] * 5 + [50])
    table = {"g": g, "arm": np.repeat(["group", "control"], 50), "y": RNG.normal(size=100)}
    return pd.DataFrame(table | {"id": np.arange(100)})


def test_an_arm_without_groups_is_refused_with_both_ways_on() -> None:
    error = refused(partially_nested(), reference="control")
    assert error.problem == "all 50 rows of the arm 'control' have no value in column 'g'"
    assert "`ungrouped: own_group`" in error.fix
    assert "`where: {arm: {not: control}}`" in error.fix
    assert "one level only, 'group'" in str(
        refused(partially_nested(), reference="group", **advice(error, 1))
    )


def test_rows_without_a_group_become_groups() -> None:
    found = ingest(partially_nested(), ROLES, reference="control", ungrouped="own_group")
    assert len(found.table) == 100 and found.table["g"].nunique() == 55
    assert found.table["g"].iloc[-1] == "row 100"
    (said,) = found.warnings
    assert said.startswith(
        "50 rows of 'control' are in no 'g', and each is taken as a group by itself"
    )


def test_individuals_without_a_group_keep_their_rows_together() -> None:
    table = pd.concat([partially_nested()] * 2)
    roles = Roles("y", "arm", "g", individual="id")
    found = ingest(table, roles, reference="control", ungrouped="own_group")
    assert found.table["g"].nunique() == 55 and "id 99" in set(found.table["g"])
    assert found.warnings[0].startswith("50 ids of 'control'")


def test_nothing_to_ungroup_is_a_mistake() -> None:
    assert "remove the setting" in str(refused(trial(), ungrouped="own_group"))


# Baseline -----------------------------------------------------------------------------------------


def rows_of_two_times() -> tuple[pd.DataFrame, pd.DataFrame]:
    """The same data with two rows a pupil, and with two columns."""
    wide = trial(pupil=np.arange(100), pre=RNG.normal(size=100)).rename(columns={"y": "post"})
    long = wide.melt(["g", "arm", "pupil"], ["pre", "post"], var_name="time", value_name="y")
    return long.sample(frac=1, random_state=1), wide


LONG = Roles("y", "arm", "g", individual="pupil")


def test_baseline_rows_become_a_column() -> None:
    long, wide = rows_of_two_times()
    found = ingest(long, LONG, baseline={"time": "pre"})
    assert found.roles.covariates == ("y_baseline",)
    assert found.dropped == {"that are the baseline of others": 100} and not found.alerts
    table = found.table.assign(pupil=found.table["pupil"].astype(int)).sort_values("pupil")
    assert_array_equal(table["y"], wide["post"])
    assert_array_equal(table["y_baseline"], wide["pre"])


def test_individuals_without_a_baseline_are_lost_aloud() -> None:
    long, _ = rows_of_two_times()
    long = long[(long["time"] == "post") | (long["pupil"] >= 10)]
    found = ingest(long, LONG, baseline={"time": "pre"})
    assert found.alerts == ["10 of 100 rows (10%) are left out: 10 with y_baseline missing."]


@pytest.mark.parametrize(
    ("roles", "conditions", "says"),
    [
        (
            ROLES,
            {"time": "pre"},
            "baseline: nothing says which rows are of one individual; name the ",
        ),
        (LONG, {"time": "befor"}, "baseline.time: no row has the value 'befor'"),
        (LONG, {"times": "pre"}, "baseline.times: the data have no column 'times'; did you mean"),
        (LONG, {"time": ["pre", "post"]}, "baseline: every row meets the conditions"),
        (LONG, {"arm": "a"}, "baseline: 'pupil' "),
    ],
)
def test_baselines_that_cannot_be(roles: Roles, conditions: dict[str, Any], says: str) -> None:
    assert str(refused(rows_of_two_times()[0], roles, baseline=conditions)).startswith(says)


# Identifiers of several columns -------------------------------------------------------------------


def restarted() -> pd.DataFrame:
    center, patient = np.repeat([1, 2], 40), np.tile(np.repeat(np.arange(1, 11), 4), 2)
    arm = np.where((patient + center) % 2, "P", "A")
    table = {"center": center, "patient": patient, "arm": arm, "y": RNG.normal(size=80)}
    return pd.DataFrame(table)


def roles_of(**roles: Any) -> Roles:
    return Roles.from_settings({"outcome": "y", "treatment": "arm", **roles})


def test_two_columns_make_one_identifier() -> None:
    roles = roles_of(group=["center", "patient"], block="center")
    assert roles.columns == ["y", "arm", "center_patient", "center"]
    assert roles.columns_read == ["y", "arm", "center", "patient"]
    found = ingest(restarted(), roles).table["center_patient"]
    assert found.nunique() == 20 and list(found.cat.categories[:2]) == ["1 / 1", "1 / 2"]
    assert found.cat.categories[9] == "1 / 10"


def test_an_identifier_is_the_same_as_a_column_of_pasted_labels() -> None:
    table = restarted()
    table["both"] = table["center"].astype(str) + " / " + table["patient"].astype(str)
    pairs = ingest(table, roles_of(group=["center", "patient"])).table
    pasted = ingest(table, roles_of(group="both")).table
    assert list(pairs["center_patient"].astype(str)) == list(pasted["both"].astype(str))


def test_an_identifier_is_missing_where_a_part_is() -> None:
    table = restarted().astype({"patient": float})
    table.loc[[0, 1], "patient"] = np.nan
    found: Ingested = ingest(table, roles_of(group=["center", "patient"]))
    assert found.dropped == {"center_patient missing": 2}


def test_a_list_of_one_column_is_that_column() -> None:
    assert roles_of(group=["g"]) == ROLES
    assert Roles.from_settings(vars(roles_of(group=["a", "b"]))) == roles_of(group=["a", "b"])


@pytest.mark.parametrize(
    ("roles", "says"),
    [
        (
            {"group": ["centre", "patient"]},
            "the data have no column 'centre'; did you mean 'center'?",
        ),
        ({"group": ["arm", "patient"]}, "'arm' is the outcome or the treatment"),
        (
            {"group": ["center", "patient"], "block": ["center", "patient"]},
            "already is roles.group",
        ),
    ],
)
def test_identifiers_that_cannot_be(roles: dict[str, Any], says: str) -> None:
    assert says in str(refused(restarted(), roles_of(**roles)))


# Codes and constants ------------------------------------------------------------------------------


def coded(column: str = "y") -> pd.DataFrame:
    table = trial(x=RNG.uniform(20, 80, 100), y=RNG.uniform(20, 80, 100))
    table.loc[[3, 50], column] = -99
    return table


@pytest.mark.parametrize("column", ["y", "x"])
def test_codes_among_numbers_are_refused_until_something_is_said_of_them(column: str) -> None:
    error = refused(coded(column), WITH_X)
    assert error.problem == f"column '{column}' has '-99' in 2 rows, far from the other values"
    assert advice(error) == {"missing_codes": {column: [-99]}}
    assert advice(error, 1) == {"missing_codes": {column: []}}
    for nothing in ([], {column: []}):
        assert not ingest(coded(column), WITH_X, missing_codes=nothing).alerts


def test_further_codes_beside_those_declared_lead_the_results() -> None:
    found = ingest(coded(), WITH_X, missing_codes=["absent"])
    assert found.alerts == [
        "Column 'y' has '-99' in 2 rows, which may mean a missing value: `missing_codes: {y: [absent, "
        "-99]}` says so."
    ]


def test_an_arm_that_looks_like_a_code_leads_the_results() -> None:
    table = trial(arm=np.repeat([0, 1, 9], [40, 40, 20]))
    assert ingest(table, ROLES).alerts == [
        "Column 'arm' has '9' in 20 rows, which may mean a missing value: `missing_codes: {arm: [9]}` "
        "says so."
    ]


def test_an_outcome_that_does_not_vary_is_refused() -> None:
    error = refused(trial(y=5))
    assert str(error) == (
        "roles.outcome: column 'y' has the value 5 in every row in use; name an outcome that varies."
    )
