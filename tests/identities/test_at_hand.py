"""Planning for a design that is there: its shape as a plan, and what a table says of it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from groupwise.catalogue.methods import CURVES, NAMES
from groupwise.data.validate import Roles
from groupwise.design import Design, make_design
from groupwise.planning.at_hand import Goal, plan_like, planning_table, variations
from groupwise.planning.experiments import plan_experiment
from groupwise.planning.power import power
from groupwise.simulation.grid import between_design

ICCS = {"estimate": 0.2, "low": 0.05, "high": 0.5}


def blocked(blocks: int, of_reference: int, of_other: int, size: int) -> Design:
    rows = [
        (b, f"{b}.{arm}.{g}", arm)
        for b in range(blocks)
        for arm, n in (("A", of_reference), ("B", of_other))
        for g in range(n)
        for _ in range(size)
    ]
    table = pd.DataFrame(rows, columns=["block", "group", "arm"])
    table["arm"] = pd.Categorical(table["arm"])
    return make_design(table, Roles("y", "arm", "group", "block", ()))


def within(groups: int, members: tuple[int, ...], *, only: int = 0) -> Design:
    """Members of every arm in each group; in the first `only` groups of arm A alone."""
    rows = [
        (g, "ABC"[j])
        for g in range(groups)
        for j, n in enumerate(members)
        for _ in range(n)
        if j == 0 or g >= only
    ]
    table = pd.DataFrame(rows, columns=["group", "arm"])
    table["arm"] = pd.Categorical(table["arm"])
    return make_design(table, Roles("y", "arm", "group", None, ()))


@pytest.mark.parametrize(
    "design",
    [
        between_design(3, 5, 8),
        between_design(2, 6, 10, 0.5),
        blocked(4, 1, 2, 5),
        within(7, (3, 6)),
    ],
    ids=["equal", "unequal", "blocked", "within"],
)
def test_plan_has_the_shape_of_the_design(design: Design) -> None:
    made = plan_like(design).design
    assert (made.kind, made.n_groups) == (design.kind, design.n_groups)
    assert made.n_obs == pytest.approx(design.n_obs, rel=0.02)
    np.testing.assert_array_equal(np.bincount(made.arm) > 0, np.bincount(design.arm) > 0)
    if design.group_size.std() == 0:
        np.testing.assert_array_equal(np.bincount(made.arm), np.bincount(design.arm))


def test_power_of_the_plan_is_that_of_the_design_where_shapes_are_equal() -> None:
    """The same experiment, once as data and once as a plan."""
    design = between_design(3, 5, 8)
    table = planning_table(
        design, 2.0, ICCS, Goal(1.5), methods=("group_means", "ols_cr2"), curves=CURVES
    )
    varied = variations(design, 2.0, ICCS, 0.0, planned=True)
    here = table[table["question"] == "at_hand"]
    for (scenario, method), rows in here.groupby(["scenario", "method"]):
        exact = power(plan_experiment(plan_like(design), varied[scenario]), method, 1.5)
        np.testing.assert_allclose(rows["power"], exact, atol=1e-6)


def test_table_answers_every_question_and_each_method() -> None:
    table = planning_table(
        between_design(2, 4, 5), 1.0, ICCS, Goal(1.4), curves=CURVES, methods=NAMES
    )
    assert set(table["question"]) == {"at_hand", "groups_needed", "size_needed", "curve"}
    for question in ("at_hand", "groups_needed", "size_needed"):
        own = table[(table["question"] == question) & (table["scenario"] == "estimate")]
        assert set(own["method"]) == set(NAMES)
        assert (own["power"].notna() | (own["message"] != "")).all()
    curve = table[table["question"] == "curve"]
    assert set(curve["scenario"]) == set(ICCS) and curve["size"].nunique() == 3
    for _, line in curve.groupby(["scenario", "size"]):
        assert line.sort_values("groups")["power"].is_monotonic_increasing


def test_groups_needed_have_the_power_and_one_fewer_has_not() -> None:
    design = between_design(2, 4, 5)
    table = planning_table(
        design, 1.0, {"estimate": 0.2}, Goal(0.9), methods=("group_means",), curves=CURVES
    )
    found = table[table["question"] == "groups_needed"].iloc[0]
    plan = plan_like(design).with_groups(int(found["groups"]))
    variation = variations(design, 1.0, {"estimate": 0.2}, 0.0, planned=True)["estimate"]
    powers = [
        power(plan_experiment(each, variation), "group_means", 0.9).min()
        for each in (plan, plan.with_groups(plan.groups - 1))
    ]
    assert powers[0] >= 0.8 > powers[1]
    assert powers[0] == pytest.approx(found["power"], abs=1e-6)


def test_covariates_of_the_design_are_planned_for() -> None:
    rng = np.random.default_rng(1)
    plain = between_design(2, 5, 6)
    table = pd.DataFrame(
        {
            "group": plain.group,
            "arm": pd.Categorical.from_codes(plain.arm, ["A", "B"]),
            "x": rng.normal(size=plain.n_obs),
            "z": rng.normal(size=plain.n_groups)[plain.group],
        }
    )
    design = make_design(table, Roles("y", "arm", "group", None, ("x", "z")))
    found = variations(design, 1.0, {"estimate": 0.1}, 0.0, planned=True)["estimate"]
    assert (found.group_covariates, found.individual_covariates) == (1, 1)
    assert (
        variations(design, 1.0, {"estimate": 0.1}, 0.0, planned=False)[
            "estimate"
        ].planned_covariates
        == 0
    )


def test_what_cannot_be_planned_says_why() -> None:
    mixed = within(6, (3, 3), only=2)
    assert mixed.kind == "mixed"
    table = planning_table(
        mixed, 1.0, {"estimate": 0.2}, Goal(0.5), methods=("mixed_wald",), curves=CURVES
    )
    needed = table[table["question"].isin(["groups_needed", "size_needed"])]
    assert len(needed) == 2 and needed["message"].str.contains("some groups only").all()
    slopes = planning_table(
        within(6, (3, 3)),
        1.0,
        {"estimate": 0.1},
        Goal(0.5),
        sd_effect=5.0,
        curves=CURVES,
        methods=NAMES,
    )
    assert slopes["message"].str.contains("sd_effect is too large").all()


def test_unknown_ends_of_an_interval_are_left_out() -> None:
    iccs = {"estimate": 0.2, "low": np.nan, "high": 1.0}
    assert variations(between_design(2, 3, 4), 1.0, iccs, 0.0, planned=False).keys() == {
        "estimate",
        "high",
    }
