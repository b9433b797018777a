"""Who is a row, and what was assigned to arms, as the columns without a role tell it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from groupwise.data.errors import InputError
from groupwise.data.looks import Looks, look
from groupwise.data.validate import Roles, composed
from groupwise.intake import Intake, take_in

RNG = np.random.default_rng(12)
SETTINGS: dict[str, Any] = {"blocks_as": "fixed", "random_slopes": False, "rank_deficient": "error"}


def trial(n_groups: int = 12, size: int = 6) -> pd.DataFrame:
    """Arms of whole classes."""
    c = np.repeat(np.arange(n_groups), size)
    columns = {"class": c, "arm": np.where(c % 2, "b", "a"), "score": RNG.normal(50, 9, c.size)}
    return pd.DataFrame(columns)


def within(n_groups: int = 8, size: int = 12) -> pd.DataFrame:
    """Pupils assigned one by one within classes."""
    table = trial(n_groups, size)
    return table.assign(arm=np.tile(["a", "b"], len(table) // 2))


def before_and_after() -> pd.DataFrame:
    """Two rows a pupil."""
    table = trial().loc[lambda t: t.index.repeat(2)].reset_index(drop=True)
    return table.assign(pupil=np.repeat(np.arange(72), 2), time=np.tile(["pre", "post"], 72))


def stepped_wedge() -> pd.DataFrame:
    """12 clusters, 4 periods, 5 members at a time; three clusters switch each period."""
    cluster, period = np.repeat(np.arange(12), 20), np.tile(np.repeat(np.arange(1, 5), 5), 12)
    on = (period > 1 + cluster // 4).astype(int)
    return pd.DataFrame({"cluster": cluster, "period": period, "on": on, "y": RNG.normal(size=240)})


def two_centers() -> pd.DataFrame:
    """Patients 1 to 10 in each of two centers, four visits; patients were assigned."""
    center, patient = np.repeat([1, 2], 40), np.tile(np.repeat(np.arange(1, 11), 4), 2)
    arm = RNG.permutation(20) % 2
    return pd.DataFrame(
        {
            "center": center,
            "patient": patient,
            "arm": arm[(center - 1) * 10 + patient - 1],
            "visit": np.tile(np.arange(1, 5), 20),
            "y": RNG.normal(size=80),
        }
    )


CLASSES = Roles("score", "arm", "class")
CLUSTERS = Roles("y", "on", "cluster")


def test_nothing_is_said_of_a_plain_experiment() -> None:
    assert look(trial(), CLASSES) == look(within(), CLASSES) == Looks()
    assert look(trial().assign(pupil=range(72)), CLASSES) == Looks()
    assert look(trial().assign(pupil=list(range(6)) * 12), CLASSES) == Looks(), "anew in each class"


def test_shared_ids_leave_open_what_a_row_is() -> None:
    found = look(before_and_after().drop(columns="time"), CLASSES)
    assert found.row == "row" and not found.alerts
    (said,) = found.warnings
    assert "144 rows, 72 values" in said and "`individual: pupil` under `roles`" in said


def test_named_individuals_make_rows_measurements() -> None:
    roles = Roles("score", "arm", "class", individual="pupil")
    assert look(before_and_after().drop(columns="time"), roles) == Looks("measurement")
    assert look(trial().assign(pupil=range(72)), roles) == Looks("individual")


def test_rows_from_before_and_after_lead_to_a_baseline() -> None:
    (said,) = look(before_and_after(), CLASSES).alerts
    assert "write `individual: pupil` under `roles` and `baseline: {time: pre}`" in said
    roles = Roles("score", "arm", "class", individual="pupil")
    (said,) = look(before_and_after(), roles).alerts
    assert "write `baseline: {time: pre}`" in said
    done = taken(before_and_after(), roles, baseline={"time": "pre"}).understood
    assert (done["alerts"], done["row"], done["n_obs"]) == ([], "individual", 72)


def test_what_comes_after_a_baseline_has_no_other() -> None:
    """Of visits 0, 1 and 2 the first was taken: visit 1 is no baseline of visit 2."""
    table = trial().loc[lambda t: t.index.repeat(3)].reset_index(drop=True)
    table["pupil"], table["visit"] = np.repeat(np.arange(72), 3), np.tile([0, 1, 2], 72)
    roles = Roles("score", "arm", "class", individual="pupil")
    assert len(taken(table, roles).understood["alerts"]) == 1
    done = taken(table, roles, baseline={"visit": 0}).understood
    assert (done["alerts"], done["row"], done["n_obs"]) == ([], "measurement", 144)


def test_members_of_a_person_are_measurements() -> None:
    assert look(
        trial().rename(columns={"class": "worker"}), Roles("score", "arm", "worker")
    ) == Looks("measurement")


def test_treatment_that_goes_with_time_is_told_first() -> None:
    found = look(stepped_wedge(), CLUSTERS)
    assert found.assigned_with == "period"
    (said,) = found.alerts
    assert said.startswith(
        "The treatment 'on' varies within 'cluster', but not within 'cluster' and"
    )
    assert "write `period: period` under `roles`. Then each 'period' has its own mean" in said


def test_adjusting_for_time_does_not_make_rows_assigned() -> None:
    roles = Roles("y", "on", "cluster", covariates=("period",))
    found = look(stepped_wedge(), roles)
    assert found.assigned_with == "period" and "in place of the covariate" in found.alerts[0]
    with pytest.raises(InputError, match="individuals were not assigned; write `period: period` "):
        look(stepped_wedge(), roles, "individual")


def by_the_day(*, numbers: bool = False, one_by_one: bool = False) -> pd.DataFrame:
    """Wards that change their arm on one day, with one row to a day; or rows assigned one by one."""
    ward, day = np.repeat(np.arange(10), 60), np.tile(np.arange(0, 360, 6), 10)
    on = RNG.permutation(600) % 2 if one_by_one else (day > 60 + 25 * ward).astype(int)
    dates = day if numbers else pd.Timestamp("2024-01-03") + pd.to_timedelta(day, unit="D")
    written = dates if numbers else dates.strftime("%Y-%m-%d")
    columns = {"ward": ward, "day": written, "on": on, "y": RNG.normal(size=600)}
    return pd.DataFrame(columns).sample(frac=1, random_state=3).reset_index(drop=True)


WARDS = Roles("y", "on", "ward")


@pytest.mark.parametrize("numbers", [False, True])
def test_arms_that_follow_each_other_in_time_are_told(numbers: bool) -> None:
    table = by_the_day(numbers=numbers)
    (alert,) = look(table, WARDS).alerts
    assert alert.startswith(
        "In order of 'day' a 'ward' has one arm after the other: the arm changes "
    )
    assert " 10 times, and would about 2" in alert
    assert not look(table, WARDS, "individual").alerts
    assert not look(by_the_day(numbers=numbers, one_by_one=True), WARDS).alerts


def test_the_column_of_months_that_is_asked_for_settles_it() -> None:
    table = by_the_day()
    table = table.assign(month=table["day"].str[:7])
    table = table[table.groupby(["ward", "month"])["on"].transform("nunique") == 1]
    assert look(table, WARDS).assigned_with == "month"
    assert not look(table, replace(WARDS, period="month")).alerts


def test_a_second_group_of_times_does_not_settle_it() -> None:
    settings = {"outcome": "y", "treatment": "on", "group": "cluster", "covariates": ["period"]}
    roles = Roles.from_settings(settings | {"second_group": ["cluster", "period"]})
    found = look(composed(stepped_wedge(), roles), roles)
    assert found.assigned_with == "period" and "`period: period` under `roles`" in found.alerts[0]


def test_naming_the_period_settles_it() -> None:
    assert look(stepped_wedge(), Roles("y", "on", "cluster", period="period")) == Looks()


def test_a_period_that_the_treatment_does_not_go_with_settles_nothing() -> None:
    table = stepped_wedge().assign(wave=np.tile([1, 2, 3, 4, 5], 48))
    found = look(table, Roles("y", "on", "cluster", period="wave"))
    assert found.assigned_with == "period" and len(found.alerts) == 1


def test_ids_that_restart_are_told_with_what_to_write() -> None:
    found = look(two_centers(), Roles("y", "arm", "patient"))
    assert found.assigned_with == "center"
    assert "write `group: [center, patient]` under `roles`" in found.alerts[0]
    roles = Roles.from_settings(
        {"outcome": "y", "treatment": "arm", "group": ["center", "patient"]}
    )
    assert look(composed(two_centers(), roles), roles) == Looks("measurement")


def test_classes_that_restart_in_schools_are_told_though_arms_do_not_differ() -> None:
    school = np.repeat(np.arange(1, 7), 20)
    label = np.tile(np.repeat(["A", "B", "C", "D"], 5), 6)
    table = pd.DataFrame({"school": school, "class": label, "score": RNG.normal(size=120)})
    table["arm"] = np.where(table["class"].isin(["A", "B"]), "old", "new")
    (said,) = look(table, CLASSES).alerts
    assert "`group: [school, class]`" in said


def test_a_smaller_unit_that_was_assigned_is_told() -> None:
    table = trial(16, 5).assign(school=lambda t: t["class"] // 4)
    found = look(table, Roles("score", "arm", "school"))
    assert found.assigned_with == "class"
    assert (
        "`group: [school, class]` under `roles` and `block: school` under `roles`"
        in found.alerts[0]
    )


def test_individuals_that_were_measured_again_were_assigned_as_such() -> None:
    roles = Roles.from_settings(
        {"outcome": "y", "treatment": "arm", "group": "center", "individual": ["center", "patient"]}
    )
    for assigned in (None, "individual"):
        assert look(composed(two_centers(), roles), roles, assigned) == Looks("measurement")


def test_a_dose_received_is_no_unit() -> None:
    table = within(8, 24)
    minutes = np.where(table["arm"] == "a", 0, RNG.integers(10, 14, len(table)))
    assert look(table.assign(minutes=minutes), CLASSES) == Looks()
    assert look(table.assign(code=(table["arm"] == "b").astype(int)), CLASSES) == Looks()


@pytest.mark.parametrize("seed", range(20))
def test_chance_does_not_make_a_unit(seed: int) -> None:
    rng = np.random.default_rng(seed)
    table = within(10, 8).assign(
        sex=rng.integers(0, 2, 80), school=rng.integers(0, 30, 80), age=rng.integers(6, 12, 80)
    )
    assert look(table, CLASSES) == Looks()


def test_members_of_an_id_are_rows() -> None:
    table = trial().rename(columns={"class": "id"})
    assert look(table, Roles("score", "arm", "id")) == Looks("row")
    twice = before_and_after().rename(columns={"pupil": "ID"}).drop(columns="time")
    assert look(twice, CLASSES).row == "row"
    assert look(trial().assign(id=range(72)), CLASSES).row == "individual"


def test_spellings_of_a_group_and_strays_are_told() -> None:
    table = trial().assign(**{"class": lambda t: "Class " + t["class"].astype(str)})
    table.loc[0, "class"] = "class  0"
    assert (
        "`recode: {class: {class  0: Class 0}}` makes one of them."
        in look(table, CLASSES).alerts[0]
    )
    table = trial(12, 20)
    table.loc[3, "arm"] = "b"
    (said,) = look(table, CLASSES).alerts
    assert said.startswith("1 row is in another arm than all others of the same 'class' ('0'):")


def taken(table: pd.DataFrame, roles: Roles, **reading: Any) -> Intake:
    return take_in(table, roles, conf_level=0.95, reading=reading, modelling=SETTINGS)


def test_design_says_who_is_counted() -> None:
    found = taken(before_and_after(), Roles("score", "arm", "class", individual="pupil")).understood
    assert (found["row"], found["n_obs"], found["n_individuals"]) == ("measurement", 144, 72)
    found = taken(trial(), CLASSES).understood
    assert (found["row"], found["n_obs"], found["n_individuals"]) == ("individual", 72, None)


def test_rows_left_out_by_conditions_are_not_looked_at() -> None:
    found = taken(before_and_after(), CLASSES, where={"time": "post"}).understood
    assert (found["row"], found["warnings"], found["alerts"]) == ("individual", [], [])
