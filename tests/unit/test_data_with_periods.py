"""Periods: their order, the arms that groups go through, what was assigned, and what can be wrong."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from one_dataset import Read, advised, read_dataset_of

from groupwise.data.errors import InputError
from groupwise.data.period_order import MOST_PERIODS, ordered_periods
from groupwise.sequences import NO_ROWS, Sequences, cohort, completed, written

RNG = np.random.default_rng(21)
ROLES = {"outcome": "score", "treatment": "arm", "group": "ward", "period": "month"}

# The order of periods -----------------------------------------------------------------------------

ORDERS = [
    ["2", "10", "11"],
    ["-1", "0", "0.5"],
    ["9", "010", "11"],
    ["False", "True"],
    ["2019-12-31", "2020-02-01", "2020-10-01"],
    ["2020-2", "2020-10"],
    ["2020/02/01", "2020/10/01"],
    ["31.12.2019", "1.2.2020", "01.10.2020"],
    ["31.12.19", "01.02.20"],
    ["12.2019", "02.2020"],
    ["12.2019", "2.202", "3.202"],  # the same, read as numbers
    ["1.5", "12.25"],
    ["13/2/2020", "1/3/2020"],
    ["1/3/2020", "1/20/2020"],
    ["13/2/20", "1/3/20"],
    ["Dec 2019", "Feb 2020"],
    ["December 2019", "February 2020"],
    ["2 February 2020", "1 March 2020"],
    ["2020-01-01 23:00:00", "2020-01-02 08:30:00", "2020-01-02 08:30:01"],
    ["2020-01-01T08:30:00", "2020-01-01T23:00:00"],
    ["2020-01-01 08:30", "2020-01-01 23:00"],
    ["January", "march", "APR", "July", "Sept."],
    ["Mar", "Jun", "Sep", "Dec"],
    ["T1", "t2", "T12"],
    ["week 2", "week 10"],
    ["2 weeks", "1 week"][::-1],
    ["wave_2", "wave_10"],
    ["2020Q1", "2020Q2", "2020Q3"],
    ["baseline", "month 3", "month 6"],
    ["Baseline", "3 months", "6 months"],
    ["pre", "post"],
    ["before", "after"],
    ["pre", "mid", "post", "Follow-up"],
    ["pre", "post", "fup"],
    ["baseline", "midline", "endline"],
]


@pytest.mark.parametrize("order", ORDERS, ids=[" ".join(each) for each in ORDERS])
def test_order_is_told_from_labels(order: list[str]) -> None:
    for seed in range(3):
        assert ordered_periods(random.Random(seed).sample(order, len(order))) == order


def test_days_and_months_that_may_be_exchanged_are_no_matter_if_the_order_is_one() -> None:
    assert ordered_periods(["03/04/2020", "01/02/2020"]) == ["01/02/2020", "03/04/2020"]


UNCLEAR = [
    ["October", "November", "January", "February"],  # one year, or two
    ["01/02/2020", "02/01/2020"],  # January 2nd and February 1st, or the other way round
    ["01/02/20", "02/01/20"],
    ["Spring", "Summer", "Autumn"],
    ["pre", "during the flood", "post"],
    ["1", "01"],
    ["week 1", "visit 2"],
    ["2019/20", "2020/21"],
    ["Ma", "Ju"],
    ["post", "after"],
]


@pytest.mark.parametrize("labels", UNCLEAR, ids=[" ".join(each) for each in UNCLEAR])
def test_order_that_labels_do_not_tell_is_asked_for(labels: list[str]) -> None:
    with pytest.raises(InputError, match=r"^roles\.period: the order of the periods '") as caught:
        ordered_periods(labels)
    listed = yaml.safe_load(caught.value.fix.split("`")[1])["periods"]
    assert sorted(listed) == sorted(labels)
    assert ordered_periods(labels, listed) == listed
    assert ordered_periods(labels, listed[::-1]) == listed[::-1]


def test_many_values_are_no_periods() -> None:
    labels = [str(i) for i in range(MOST_PERIODS + 1)]
    assert ordered_periods(labels[1:])
    with pytest.raises(InputError, match="it has 121 values, which are no periods; name a column"):
        ordered_periods(labels)
    assert ordered_periods(labels, labels) == labels, "they are listed, and so they are meant"


@pytest.mark.parametrize(
    ("listed", "said"),
    [
        (["T1", "T3"], "no row has the period 'T3'; there are: T1, T2."),
        (["T1"], "the data have a period 'T2' that is not listed; list every period, or leave"),
        (["T1", "T2", "T1"], "'T1' is listed twice; list each period once"),
    ],
)
def test_list_of_periods_has_each_of_them(listed: list[str], said: str) -> None:
    with pytest.raises(InputError) as caught:
        ordered_periods(["T1", "T2"], listed)
    assert caught.value.key == "periods" and said in str(caught.value)


def test_listed_periods_may_be_numbers() -> None:
    assert ordered_periods(["1", "2.0"], [2, 1.0]) == ["2.0", "1"]


# Sequences of arms --------------------------------------------------------------------------------

X = NO_ROWS
LAYOUTS = {
    "stepped wedge": ("stepped_wedge", [[0, 0, 1], [0, 1, 1]]),
    "stepped wedge with one that stays": ("stepped_wedge", [[0, 0, 0], [0, 0, 1], [0, 1, 1]]),
    "stepped wedge with one that is treated": ("stepped_wedge", [[1, 1, 1], [0, 0, 1]]),
    "stepped wedge, incomplete": ("stepped_wedge", [[0, 1, X, X], [X, 0, 1, X], [X, X, 0, 1]]),
    "stepped wedge of three arms": ("stepped_wedge", [[0, 1, 1], [0, 0, 2]]),
    "baseline": ("baseline", [[0, 1, 1], [0, 0, 0]]),
    "baseline of three arms": ("baseline", [[0, 1], [0, 0], [0, 2]]),
    "crossover": ("crossover", [[0, 1], [1, 0]]),
    "a group that goes back": ("crossover", [[0, 0, 1], [0, 1, 0]]),
    "to the reference": ("withdrawal", [[1, 1, 0], [1, 0, 0], [0, 0, 0]]),
    "two steps": ("crossover", [[0, 1, 2], [0, 0, 1]]),
    "parallel": ("parallel", [[0, 0], [1, 1]]),
    "parallel with gaps": ("parallel", [[0, X, 0], [X, 1, 1]]),
}


def sequences(observed: list[list[int]], copies: int = 1) -> Sequences:
    """From rows in any order, with two in each cell."""
    cells = np.repeat(np.array(observed), copies, axis=0)
    unit, period = (each.repeat(2) for each in np.nonzero(cells != X))
    rows = RNG.permutation(len(unit))
    arm = cells[unit, period]
    found = Sequences.of(arm[rows], unit[rows], period[rows], cells.shape[1])
    assert found is not None
    return found


@pytest.mark.parametrize("name", LAYOUTS)
def test_layout_is_told_from_the_arms(name: str) -> None:
    layout, observed = LAYOUTS[name]
    found = sequences(observed, 2)
    assert found.layout == layout
    assert found.complete == (X not in np.array(observed))
    assert found.n_units.sum() == 2 * len(observed) and len(found.arms) <= len(observed)
    assert (found.observed == np.repeat(observed, 2, axis=0)).all()
    assert (found.arm_of_unit == completed(found.observed)[0]).all()
    assert (found.arm_of_unit[found.present] == found.observed[found.present]).all()


def test_those_that_change_last_come_last() -> None:
    found = sequences([[0, 0, 0, 1], [0, 1, 1, 1], [0, 0, 1, 1]])
    assert found.arms.tolist() == [[0, 1, 1, 1], [0, 0, 1, 1], [0, 0, 0, 1]]
    assert found.sequence.tolist() == [2, 0, 1]
    assert written(found.arms[0], ("old", "new")) == "old, new, new, new"


def test_arms_are_taken_over_into_cells_without_rows() -> None:
    observed = np.array([[X, 0, X, 1, X], [0, X, X, 0, 1], [X, X, 1, X, X]])
    arms, uncertain = completed(observed)
    assert arms.tolist() == [[0, 0, 1, 1, 1], [0, 0, 0, 0, 1], [1, 1, 1, 1, 1]]
    assert uncertain.all(), "no unit is complete"


def test_a_unit_had_the_one_sequence_that_fits() -> None:
    """Of ABA and BAB, AB? was ABA; of 0011 and 0111, 0??1 is open."""
    arms, uncertain = completed(np.array([[0, 1, 0], [1, 0, 1], [0, 1, X], [X, 0, X]]))
    assert arms.tolist() == [[0, 1, 0], [1, 0, 1], [0, 1, 0], [1, 0, 1]] and not uncertain.any()
    arms, uncertain = completed(np.array([[0, 0, 1, 1], [0, 1, 1, 1], [0, X, X, 1]]))
    assert arms[2].tolist() == [0, 1, 1, 1] and uncertain.tolist() == [False, False, True]


def test_cells_that_go_with_the_sequence_are_told() -> None:
    transition = sequences([[0, X, 1, 1], [0, 0, X, 1]], 3)
    assert transition.go_with_rows and transition.uncertain.all()
    by_chance = sequences([[0, 1, 1, 1], [0, X, 1, 1], [0, 0, 1, 1], [0, 0, 1, 1]])
    assert not by_chance.go_with_rows
    assert not sequences([[0, 1], [1, 0]], 2).go_with_rows


def test_exposure_counts_periods_from_the_first_that_was_seen() -> None:
    found = sequences([[0, 1, X, 1], [0, X, 1, 1], [0, 0, 0, 0], [1, 1, X, 1], [X, 0, X, 1]])
    assert found.exposure.tolist() == [
        [0, 1, 2, 3], [0, 0, 1, 2], [0, 0, 0, 0], [1, 2, 3, 4], [0, 0, 0, 1]
    ]  # fmt: skip


def test_cells_of_several_arms_have_no_sequences() -> None:
    zeros = np.zeros(4, dtype=int)
    assert Sequences.of(np.array([0, 1, 0, 1]), zeros, np.array([0, 0, 1, 1]), 2) is None


def test_cohorts_are_closed_if_few_miss_a_period() -> None:
    group, person, period = (each.ravel() for each in np.indices((2, 10, 3)))
    person = group * 10 + person
    assert cohort(None, group, period) == "cross-sectional"
    assert cohort(person, group, period) == "closed"
    some = (person % 10 > 2) | (period > 0)
    assert cohort(person[some], group[some], period[some]) == "open"
    later = (group == 0) | (period > 0)  # a group that began later misses nothing
    assert cohort(person[later], group[later], period[later]) == "closed"


# What was assigned --------------------------------------------------------------------------------


def wedge(size: int = 5) -> pd.DataFrame:
    """12 wards in 4 months; four of them change each month."""
    ward, month = np.repeat(np.arange(12), 4 * size), np.tile(np.repeat(np.arange(1, 5), size), 12)
    arm = np.where(month > 1 + ward // 4, "new", "old")
    table = pd.DataFrame({"ward": ward, "month": month, "arm": arm})
    return table.assign(score=RNG.normal(50, 9, len(table)).round(2))


def parallel() -> pd.DataFrame:
    """The wards in one arm each."""
    return wedge().assign(arm=lambda t: np.where(t["ward"] % 2, "new", "old"))


def of_patients(arms: Callable[[pd.DataFrame], np.ndarray], **more: Any) -> pd.DataFrame:
    """Five patients of each ward in each month."""
    table = wedge().assign(patient=lambda t: 5 * t["ward"] + np.tile(np.arange(5), 48), **more)
    return table.assign(arm=np.where(arms(table), "new", "old"))


def crossed(table: pd.DataFrame) -> np.ndarray:
    """Patients change their arm after the second month, half of each ward first to the one."""
    return np.asarray((table["patient"] + (table["month"] > 2)) % 2 == 1)


def of_one_arm(table: pd.DataFrame) -> np.ndarray:
    return np.asarray(table["patient"] % 2 == 1)


def drawn(table: pd.DataFrame) -> np.ndarray:
    return np.random.default_rng(2).random(len(table)) < 0.5


def block_of(folder: Path, table: pd.DataFrame, **settings: Any) -> dict[str, Any]:
    """A block of config.yaml for the table, which is written; `roles` are added to `ROLES`."""
    table.to_csv(folder / "a.csv", index=False)
    roles = ROLES | settings.pop("roles", {})
    roles = {role: column for role, column in roles.items() if column is not None}
    block = {"title": "A", "file": str(folder / "a.csv"), "roles": roles, "reference": "old"}
    return block | settings


def read(folder: Path, table: pd.DataFrame, **settings: Any) -> Read:
    return read_dataset_of(folder, block_of(folder, table, **settings))


PATIENT = {"individual": "patient"}
ASSIGNED: dict[str, tuple[pd.DataFrame, Mapping[str, Any], list[str | None], tuple[str, str]]] = {
    "whole wards": (parallel(), {}, [None, "group"], ("group", "group")),
    "sequences": (wedge(), {}, [None, "sequence"], ("sequence", "group")),
    "wards in months": (wedge(), {}, ["group_period"], ("group_period", "cell")),
    "one row a cell": (wedge(1), {}, [None, "sequence"], ("sequence", "group")),
    "rows": (wedge().assign(arm=lambda t: np.where(drawn(t), "new", "old")), {},
        [None, "individual"], ("individual", "row")),
    "patients": (of_patients(of_one_arm), PATIENT, [None, "individual"],
        ("individual", "individual")),
    "sequences of patients": (of_patients(crossed), PATIENT, [None, "sequence"],
        ("sequence", "individual")),
}  # fmt: skip


@pytest.mark.parametrize("name", ASSIGNED)
def test_what_was_assigned_is_found_and_may_be_said(tmp_path: Path, name: str) -> None:
    table, roles, assigned, (unit, bearer) = ASSIGNED[name]
    for each in assigned:
        settings = {} if each is None else {"assigned": each}
        design = read(tmp_path, table, roles=roles, **settings).design
        assert design["unit"] == {"unit": unit, "bearer": bearer}, each
        assert design["assigned"] == each and not design["alerts"]


def test_periods_are_described(tmp_path: Path) -> None:
    found = read(tmp_path, of_patients(crossed), roles=PATIENT).design
    assert found["individual_level"] and found["periods"] == {
        "labels": ["1", "2", "3", "4"],
        "n_cells": 48,
        "cell_size": {"min": 5, "median": 5.0, "mean": 5.0, "max": 5},
        "cohort": "closed",
        "cell_effects": True,
        "layout": "crossover",
        "bearer": "individual",
        "complete": True,
        "sequences": [
            {"arms": ["old", "old", "new", "new"], "n_units": 30},
            {"arms": ["new", "new", "old", "old"], "n_units": 30},
        ],
    }
    found = read(tmp_path, wedge(1)).design
    assert found["periods"]["layout"] == "stepped_wedge" and not found["periods"]["cell_effects"]
    assert [each["n_units"] for each in found["periods"]["sequences"]] == [4, 4, 4]


REFUSED: dict[str, tuple[pd.DataFrame, dict[str, Any], str, str | None]] = {
    "sequences without periods": (wedge(), {"assigned": "sequence", "roles": {"period": None}},
        "assigned: nothing says in which period a row was measured; name the column as `period`",
        None),
    "wards in months without months": (
        parallel(), {"assigned": "group_period", "roles": {"period": None}},
        "assigned: nothing says in which period a row was measured; name the column as `period`",
        None),
    "wards of several arms": (wedge(), {"assigned": "group"},
        "assigned: group '0' holds several arms, so groups were not assigned; its arm changes with "
        "'month': write `assigned: sequence`.", "sequence"),
    "wards, of which patients were assigned": (
        of_patients(of_one_arm), {"assigned": "group", "roles": PATIENT},
        "assigned: group '0' holds several arms, so groups were not assigned; write `assigned: "
        "individual`, or name another group.", "individual"),
    "individuals in whole wards": (parallel(), {"assigned": "individual"},
        "assigned: every group holds one arm, so individuals were not assigned within groups; write "
        "`assigned: group`, or name another group.", "group"),
    "individuals in a wedge": (wedge(), {"assigned": "individual"},
        "assigned: all of a group in one 'month' are in one arm, so individuals were not assigned "
        "within groups; write `assigned: sequence`, or `assigned: group_period`.", "sequence"),
    "sequences of whole wards": (parallel(), {"assigned": "sequence"},
        "assigned: every group is in one arm in all periods, so there are no sequences of arms; write "
        "`assigned: group`, or leave it out.", "group"),
    "sequences of rows": (of_patients(drawn), {"assigned": "sequence"},
        "assigned: '0 / 1', a group in a period, holds several arms; write `assigned: individual`, or "
        "name another column of periods.", "individual"),
    "wards in months of several arms": (
        of_patients(crossed), {"assigned": "group_period", "roles": PATIENT},
        "assigned: '0 / 1', a group in a period, holds several arms; write `assigned: sequence`, or "
        "name another column of periods.", "sequence"),
    "individuals who change": (of_patients(crossed), {"assigned": "individual", "roles": PATIENT},
        "assigned: individuals change their arm with 'month'; write `assigned: sequence`.", "sequence"),
    "group-periods of whole wards": (parallel(), {"assigned": "group_period"},
        "assigned: every group is in one arm in all periods, so there are no sequences of arms; write "
        "`assigned: group`, or leave it out.", "group"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_have_been_assigned_is_refused_and_the_fix_followed(
    tmp_path: Path, name: str
) -> None:
    table, settings, said, leads_to = REFUSED[name]
    block = block_of(tmp_path, table, **settings)
    with pytest.raises(InputError) as caught:
        read_dataset_of(tmp_path, block)
    assert said in str(caught.value)
    if leads_to is None:
        assert str(caught.value).endswith("name the column as `period` under `roles`.")
        block["roles"]["period"] = "month"
        block["assigned"] = "sequence" if "sequence" in name else "group"
    else:
        block = advised(block, str(caught.value), 0)
        assert block["assigned"] == leads_to
    assert not read_dataset_of(tmp_path, block).design["alerts"]


def test_the_other_way_out_is_group_period(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        read(tmp_path, wedge(), assigned="individual")
    block = advised(block_of(tmp_path, wedge()), str(caught.value), 1)
    assert read_dataset_of(tmp_path, block).design["unit"]["unit"] == "group_period"


# Arms that meet in periods ------------------------------------------------------------------------


def test_arms_that_meet_in_no_period_are_refused(tmp_path: Path) -> None:
    """An interrupted time series: the effect is a change over time."""
    table = wedge().assign(arm=lambda t: np.where(t["month"] > 2, "new", "old"))
    said = (
        "no 'month' holds two arms, so an effect of the treatment and a change over time are one;"
    )
    with pytest.raises(InputError, match=said):
        read(tmp_path, table)
    never = table.assign(ward=table["ward"] + 20, arm="old")
    mended = read(tmp_path, pd.concat([table, never])).design
    assert mended["periods"]["layout"] == "baseline"


@pytest.mark.parametrize("settings", [{}, {"rank_deficient": "drop"}])
def test_an_arm_that_has_a_period_to_itself_is_refused(
    tmp_path: Path, settings: dict[str, Any]
) -> None:
    """Left out of the model as well: to drop the period would make its change over time an effect."""
    table = parallel()
    table["arm"] = np.where(table["month"] == 4, "third", table["arm"])
    with pytest.raises(InputError, match="no 'month' holds 'third' and an arm that leads to 'old'"):
        read(tmp_path, table, **settings)


def test_arms_may_meet_by_way_of_another(tmp_path: Path) -> None:
    table = parallel()
    late = table["month"] > 2
    table["arm"] = np.where(late, np.where(table["arm"] == "old", "third", "new"), table["arm"])
    assert read(tmp_path, table).design["contrasts"] == ["new - old", "third - old", "third - new"]


# One period, and those before the treatment ---------------------------------------------------------


def test_one_period_is_none(tmp_path: Path) -> None:
    table = parallel().assign(month="May")
    with_it = read(tmp_path, table).design
    without = read(tmp_path, table, roles={"period": None}).design
    said = "All rows are of one 'month', 'May': nothing changes over time here."
    assert with_it["warnings"] == [*without["warnings"], said]
    same = {"roles", "warnings"}
    assert {k: v for k, v in with_it.items() if k not in same} == {
        k: v for k, v in without.items() if k not in same
    }
    assert with_it["periods"] is None


def test_rows_of_untreated_periods_are_in_the_reference_arm(tmp_path: Path) -> None:
    found = read(tmp_path, parallel(), untreated_periods=[1, 2])
    assert (found.table.loc[found.table["month"].isin(["1", "2"]), "arm"] == "old").all()
    assert found.design["periods"]["layout"] == "baseline"
    assert found.design["unit"] == {"unit": "sequence", "bearer": "group"}
    assert found.design["arms"]["new"]["n_obs"] == 60


def test_rows_of_untreated_periods_are_in_the_reference_arm_also_within_wards(
    tmp_path: Path,
) -> None:
    found = read(tmp_path, of_patients(of_one_arm), roles=PATIENT, untreated_periods=[1]).design
    assert found["unit"] == {"unit": "sequence", "bearer": "individual"}
    assert found["periods"]["layout"] == "baseline" and not found["alerts"]


# What can be wrong ----------------------------------------------------------------------------------


def test_setting_of_periods_without_periods_is_refused(tmp_path: Path) -> None:
    for setting in ({"periods": [1, 2, 3, 4]}, {"untreated_periods": [1]}):
        block = block_of(tmp_path, parallel(), roles={"period": None}, **setting)
        with pytest.raises(InputError, match="nothing says in which period a row was measured"):
            read_dataset_of(tmp_path, block)
        block["roles"]["period"] = "month"
        assert read_dataset_of(tmp_path, block).design["periods"]["labels"] == ["1", "2", "3", "4"]


def test_group_and_period_that_are_exchanged_are_told(tmp_path: Path) -> None:
    for roles in ({"group": "month", "period": "ward"}, {"group": "month", "period": None}):
        block = block_of(tmp_path, wedge(), roles=roles)
        (said,) = read_dataset_of(tmp_path, block).design["alerts"]
        assert "'month' says when a row was measured and is no group" in said
        after = read_dataset_of(tmp_path, advised(block, said, 0, 1)).design
        assert after["periods"]["layout"] == "stepped_wedge" and not after["alerts"]


def test_patients_of_wards_that_change_together_are_no_groups(tmp_path: Path) -> None:
    """A cohort: all patients of a ward have its arm in each month."""
    table = of_patients(lambda t: np.asarray(t["month"] > 1 + t["ward"] // 4))
    block = block_of(tmp_path, table, roles={"group": "patient"})
    (said,) = read_dataset_of(tmp_path, block).design["alerts"]
    assert said.startswith("In each 'month' all of one 'ward' are in one arm. If each 'ward' was ")
    design = read_dataset_of(tmp_path, advised(block, said, 0, 1)).design
    assert design["n_groups"] == 12 and design["periods"]["cohort"] == "closed"
    assert not design["alerts"]
    declared = read_dataset_of(tmp_path, advised(block, said, 2)).design
    assert declared["n_groups"] == 60 and not declared["alerts"]
    blocks = block_of(tmp_path, table, roles={"group": "patient", "block": "ward"})
    (said,) = read_dataset_of(tmp_path, blocks).design["alerts"]
    assert "`group: ward` under `roles` in place of the block and `individual: patient`" in said


def test_patients_that_change_by_themselves_are_groups(tmp_path: Path) -> None:
    found = read(tmp_path, of_patients(crossed), roles={"group": "patient", "block": "ward"})
    assert not found.design["alerts"] and found.design["n_groups"] == 60


def one_stray() -> pd.DataFrame:
    table = wedge()
    table.loc[42, "arm"] = "new"
    return table


def in_transition() -> pd.DataFrame:
    """In its first month with the treatment half of a ward has it."""
    table = wedge()
    first = table["month"] == 2 + table["ward"] // 4
    return table.assign(first=first, arm=table["arm"].where(~first | (table.index % 2 == 0), "old"))


def test_a_row_in_another_arm_does_not_make_a_trial_of_individuals(tmp_path: Path) -> None:
    design = read(tmp_path, one_stray()).design
    assert design["unit"]["unit"] == "unknown"
    (said,) = design["alerts"]
    assert "In 47 of 48 cases all rows of a 'ward' that have one 'month' are in one arm" in said
    assert "in 1 in several (first '2' in '1')" in said


def test_months_of_transition_are_told_and_may_be_left_out(tmp_path: Path) -> None:
    table = in_transition()
    (said,) = read(tmp_path, table).design["alerts"]
    assert "and in 12 in several (first '0' in '2')" in said and "leave out rows of a" in said
    left = read(tmp_path, table, where={"first": {"not": True}}).design
    assert not left["alerts"] and left["periods"]["layout"] == "stepped_wedge"
    assert not left["periods"]["complete"]
    assert any(
        each == "12 of 48 cells of a group and a period have no rows." for each in left["warnings"]
    )
    block = advised(block_of(tmp_path, table), said, 0)
    single = read_dataset_of(tmp_path, block).design
    assert not single["alerts"] and single["unit"] == {"unit": "individual", "bearer": "row"}


def test_months_that_are_too_long_are_told(tmp_path: Path) -> None:
    table = wedge().assign(half=lambda t: (t["month"] + 1) // 2)
    (said,) = read(tmp_path, table.drop(columns="month"), roles={"period": "half"}).design["alerts"]
    assert "or name shorter periods" in said
    assert not read(tmp_path, table).design["alerts"]


@pytest.mark.parametrize("size", [2, 3, 5])
def test_chance_within_wards_is_not_told(tmp_path: Path, size: int) -> None:
    for seed in range(5):
        arm = np.random.default_rng(seed).choice(["old", "new"], 48 * size)
        assert not read(tmp_path, wedge(size).assign(arm=arm)).design["alerts"]


def test_groups_that_go_back_are_told(tmp_path: Path) -> None:
    table = wedge()
    table.loc[(table["ward"] == 0) & (table["month"] == 4), "arm"] = "old"
    (said,) = read(tmp_path, table).design["warnings"]
    assert said == (
        "1 of 12 groups goes back to 'old' ('0': old, new, new, old): if that is an error, correct the "
        "file."
    )


def test_individuals_in_two_groups_are_told(tmp_path: Path) -> None:
    table = of_patients(of_one_arm)
    table.loc[(table["patient"] == 3) & (table["month"] == 4), "ward"] = 5
    design = read(tmp_path, table, roles=PATIENT).design
    assert design["warnings"] == [
        "1 of 60 values of 'patient' is in several groups ('3' in '0' and '5'), and counted as another "
        "individual in each: correct the file if that is an error."
    ]
    assert design["n_individuals"] == 61
    table.loc[(table["patient"] == 7) & (table["month"] == 4), "ward"] = 5
    (said,) = read(tmp_path, table, roles=PATIENT).design["warnings"]
    assert said.startswith("2 of 60 values of 'patient' are in several groups")


def test_ids_that_begin_anew_in_each_group_are_no_individuals_in_several(tmp_path: Path) -> None:
    table = of_patients(of_one_arm)
    anew = table.assign(patient=table["patient"] % 5)
    design, once = (read(tmp_path, each, roles=PATIENT).design for each in (anew, table))
    assert design["warnings"] == once["warnings"] == []
    assert design["n_individuals"] == once["n_individuals"] == 60
    for key in ("unit", "periods", "individual_level"):
        assert design[key] == once[key]


@pytest.mark.parametrize("columns", [["ward", "month"], "cell"])
def test_second_group_that_periods_have_anyway_is_refused(tmp_path: Path, columns: Any) -> None:
    table = wedge().assign(cell=lambda t: 10 * t["ward"] + t["month"])
    block = block_of(tmp_path, table, roles={"second_group": columns})
    with pytest.raises(InputError) as caught:
        read_dataset_of(tmp_path, block)
    assert str(caught.value) == (
        "roles.second_group: it is each 'ward' in each 'month', which have an effect of their own in "
        "any case; remove it."
    )
    del block["roles"]["second_group"]
    assert read_dataset_of(tmp_path, block).design["periods"]["cell_effects"]


def test_another_second_group_may_stand_beside_periods(tmp_path: Path) -> None:
    table = wedge().assign(nurse=lambda t: t.index // 2)
    assert read(tmp_path, table, roles={"second_group": "nurse"}).design["second_group"]


def test_dates_in_place_of_periods_are_told(tmp_path: Path) -> None:
    table = wedge()
    days = pd.to_timedelta(30 * table["month"] + RNG.integers(0, 25, len(table)), unit="D")
    (said,) = read(tmp_path, table.assign(month=pd.Timestamp("2021-01-01") + days)).design[
        "warnings"
    ]
    assert "periods are dates, a column of weeks, months or waves says more" in said
    seconds = pd.to_timedelta(np.arange(len(table)) * 86_401, unit="s")
    with pytest.raises(InputError, match="it has 240 values, which are no periods; name a column"):
        read(tmp_path, table.assign(month=pd.Timestamp("2021-01-01") + seconds))


def test_rows_without_a_period_are_left_out_and_counted(tmp_path: Path) -> None:
    table = wedge().astype({"month": float})
    table.loc[::40, "month"] = np.nan
    design = read(tmp_path, table).design
    assert design["dropped"] == {"month missing": 6} and design["n_obs"] == 234
    assert design["periods"]["labels"] == ["1", "2", "3", "4"]


def test_treatment_that_began_already_is_not_untreated(tmp_path: Path) -> None:
    block = block_of(tmp_path, wedge(), untreated_periods=[1, 2])
    with pytest.raises(InputError) as caught:
        read_dataset_of(tmp_path, block)
    assert str(caught.value) == (
        "untreated_periods: in '2' the group '0' is in the arm 'new', and groups change their arm with "
        "time in the data; remove the period from the list, or correct the arm in the file."
    )
    block["untreated_periods"] = [1]
    assert read_dataset_of(tmp_path, block).design["periods"]["layout"] == "stepped_wedge"


@pytest.mark.parametrize(
    ("listed", "said"),
    [
        ([9], "untreated_periods: no row has the period '9'; there are: 1, 2, 3, 4."),
        ([1, "1"], "untreated_periods: '1' is listed twice; list each period once."),
        ([1, 2, 3, 4], "untreated_periods: every period is listed, so no row would have a treatment; "
            "list those before the treatment only."),
    ],
)  # fmt: skip
def test_untreated_periods_are_some_of_the_periods(
    tmp_path: Path, listed: list[object], said: str
) -> None:
    with pytest.raises(InputError) as caught:
        read(tmp_path, parallel(), untreated_periods=listed)
    assert str(caught.value) == said
