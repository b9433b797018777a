"""Simulated sequences: who is measured when and in which arm, and the moments of what is drawn."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import simulate_data
from configuration import load_schema
from settings import Settings

import groupwise
from groupwise.data.errors import InputError
from groupwise.data.simulate import Recipe, truth
from groupwise.data.simulated_sequences import arms_of, n_groups, planned

WEDGE: list[dict[str, Any]] = [
    {"arms": ["control", "new", "new", "new"], "groups": 3},
    {"arms": ["control", "control", "new", "new"], "groups": 4},
    {"arms": ["control", "control", "control", "new"], "groups": 3},
]
TRIAL: dict[str, Any] = {
    "seed": 5,
    "sequences": WEDGE,
    "group_size": 6,
    "mean": 50,
    "effects": {"new": 2},
    "sd_group": 3,
    "sd_residual": 9,
}
MANY = 2000
"""Groups of the trials whose moments are looked at."""
CROSSOVER = [
    {"arms": ["control", "new", "control"], "groups": MANY // 2},
    {"arms": ["new", "control", "new"], "groups": MANY // 2},
]
FIVE = 5
"""Standard errors that a moment may be away from theory."""


def make(**changes: Any) -> pd.DataFrame:
    given = {k: v for k, v in (TRIAL | changes).items() if v is not None}
    return groupwise.simulate(
        **given, outcome="score", group="clinic", period="month", individual="patient"
    )


def cell_means(table: pd.DataFrame) -> np.ndarray:
    """The mean score of each clinic (rows) in each month."""
    return table.pivot_table("score", "clinic", "month").to_numpy()


def arms(table: pd.DataFrame) -> pd.DataFrame:
    """The arm of each clinic (rows) in each month, NaN where it was not measured."""
    cells = table.groupby(["clinic", "month"])["arm"]
    assert cells.nunique().eq(1).all()
    return table.pivot_table("arm", "clinic", "month", aggfunc="first")


# Layout -------------------------------------------------------------------------------------------


def test_groups_go_through_the_sequences() -> None:
    table = make()
    assert list(table.columns) == ["clinic", "month", "arm", "score"]
    assert len(table) == 10 * 4 * 6
    assert set(table["month"]) == {1, 2, 3, 4}
    found = [tuple(row) for row in arms(table).to_numpy()]
    assert {each: found.count(each) for each in found} == {
        tuple(each["arms"]): each["groups"] for each in WEDGE
    }
    assert table.groupby(["clinic", "month"]).size().eq(6).all()


def test_sequences_are_assigned_at_random_and_seeds_tell_them() -> None:
    drawn = {tuple(arms(make(seed=seed))[2]) for seed in range(20)}
    assert len(drawn) > 15
    assert make().equals(make())


def test_group_is_not_measured_in_a_transition_period() -> None:
    waiting = [{"arms": ["control", "-", "new", "new"], "groups": 3}, *WEDGE[1:]]
    for cohort in (False, True):
        table = make(sequences=waiting, cohort=cohort)
        assert set(table["arm"]) == {"control", "new"}
        absent = arms(table).isna()
        assert absent.sum().tolist() == [0, 3, 0, 0]
        assert len(table) == (40 - 3) * 6


def test_sizes_are_those_in_each_period() -> None:
    sizes = list(range(2, 12))
    for cohort in (False, True):
        table = make(group_size=sizes, cohort=cohort)
        found = table.pivot_table("score", "month", "clinic", aggfunc="count")
        assert (found == sizes).all(axis=None)
    assert set(make(group_size={"min": 2, "max": 3}).groupby("clinic").size()) == {8, 12}


def test_members_of_a_cohort_are_measured_in_every_period() -> None:
    table = make(
        group_size=list(range(2, 12)),
        cohort=True,
        individual_covariate={"name": "age", "slope": 1},
        group_covariate={"name": "beds", "slope": 1},
    )
    columns = ["clinic", "month", "patient", "arm", "score", "beds", "age"]
    assert list(table.columns) == columns
    patients = table.groupby("patient")
    assert patients["clinic"].nunique().eq(1).all() and patients["age"].nunique().eq(1).all()
    assert patients["month"].apply(lambda months: list(months) == [1, 2, 3, 4]).all()
    assert set(table["patient"]) == set(range(1, sum(range(2, 12)) + 1))
    assert table.groupby("clinic")["beds"].nunique().eq(1).all()


def test_covariate_of_individuals_has_a_value_per_row_without_a_cohort() -> None:
    table = make(individual_covariate={"name": "age", "slope": 1}, decimals=0)
    assert table["age"].nunique() == len(table)
    assert (table["score"] % 1 == 0).all()


def test_arms_are_in_the_order_in_which_they_appear() -> None:
    recipe = {"sequences": [{"arms": ["-", "b", "a"], "groups": 2}, WEDGE[0]]}
    assert arms_of(recipe) == ["b", "a", "control", "new"]
    assert n_groups(recipe) == 5
    assert planned({"groups_per_arm": {"x": 3, "y": 2}}) == [(("x",), 3), (("y",), 2)]


# Moments: five standard errors from theory ----------------------------------------------------------


def residuals(table: pd.DataFrame, trend: list[float]) -> pd.DataFrame:
    """The table with what is left of the outcome without mean, trend and effect, as `score`."""
    fixed = 50 + np.array(trend)[table["month"] - 1] + 2 * (table["arm"] == "new")
    return table.assign(score=table["score"] - fixed)


def assert_covariance(sample: np.ndarray, theory: np.ndarray) -> None:
    """The covariance matrix of rows (n, T) of mean 0, against theory (T, T)."""
    found = sample.T @ sample / len(sample)
    variances = np.diag(theory)
    error = np.sqrt((np.outer(variances, variances) + theory**2) / len(sample))
    assert (np.abs(found - theory) <= FIVE * error).all(), (found, theory)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"cac": 0.6},
        {"cac": 0},
        {"cac": 0.7, "decay": True},
        {"cac": 0, "decay": True},
        {"cac": 1, "decay": True},
        {"cac": 0.5, "cohort": True},
        {"cac": 0.5, "cohort": True, "sd_individual": 7},
        {"sd_group": 0, "cohort": True, "sd_individual": 7},
        {"cac": 0.5, "noise": {"distribution": "t", "df": 8}},
    ],
)
def test_variances_and_correlations_between_periods_are_those_of_the_recipe(
    changes: dict[str, Any],
) -> None:
    m, lag = 6, np.abs(np.subtract.outer(range(3), range(3)))
    recipe = TRIAL | changes
    table = residuals(make(**{"sequences": CROSSOVER, "trend": [0, 4, 1]} | changes), [0, 4, 1])
    cac, individual = recipe.get("cac", 1), recipe.get("sd_individual", 0) ** 2
    lasting = float(cac) ** lag if recipe.get("decay") else np.where(lag == 0, 1, cac)
    within = np.where(lag == 0, individual + 81, individual)
    means = cell_means(table)
    assert_covariance(means, recipe["sd_group"] ** 2 * lasting + within / m)
    deviation = table["score"] - table.groupby(["clinic", "month"])["score"].transform("mean")
    # (groups, periods, members); contrasts of two members are independent of the group's mean.
    rows = deviation.to_numpy().reshape(MANY, 3, m)
    contrasts = (rows[:, :, 0::2] - rows[:, :, 1::2]) / np.sqrt(2)
    assert_covariance(contrasts.transpose(0, 2, 1).reshape(-1, 3), within)


@pytest.mark.parametrize(
    ("trend", "means"), [(1.5, [0, 1.5, 3]), ([4, -2, 0], [4, -2, 0]), (0, [0] * 3)]
)
def test_trend_is_added_in_each_period(trend: Any, means: list[float]) -> None:
    table = residuals(make(sequences=CROSSOVER, trend=trend), means)
    found = table.groupby(["month", "arm"])["score"].mean()
    error = np.sqrt((9 + 81 / 6) / (MANY / 2))
    assert (found.abs() < FIVE * error).all()


def test_effects_of_several_arms_vary_by_group_and_last() -> None:
    sequences = [
        {"arms": ["new", "newer", "new"], "groups": MANY // 2},
        {"arms": ["control", "new", "newer"], "groups": MANY // 2},
    ]
    table = make(
        sequences=sequences,
        effects={"new": 2, "newer": 2},
        sd_group=0,
        sd_effect=4,
        sd_residual={"control": 1, "new": 2, "newer": 3},
    )
    table["score"] -= 50 + 2 * (table["arm"] != "control")
    means = cell_means(table)
    first = arms(table)[1].eq("new").to_numpy()
    theory = 16 * np.array([[1, 0, 1], [0, 1, 0], [1, 0, 1]]) + np.diag([4, 9, 4]) / 6
    assert_covariance(means[first], theory)
    assert_covariance(means[~first], np.diag([0, 16, 16]) + np.diag([1, 4, 9]) / 6)


def test_analysis_finds_what_was_simulated() -> None:
    wedge = [each | {"groups": 12} for each in WEDGE]
    table = make(sequences=wedge, cac=0.8, trend=1, cohort=True, sd_individual=4, sd_residual=5)
    result = groupwise.analyse(
        table,
        outcome="score",
        treatment="arm",
        group="clinic",
        period="month",
        individual="patient",
        reference="control",
        methods=["mixed_kenward_roger"],
    )
    assert result.design["periods"]["layout"] == "stepped_wedge"
    assert result.design["periods"]["cohort"] == "closed"
    row = result.tables["estimates"].iloc[0]
    assert abs(row["estimate"] - 2) < 4 * row["std_error"]


# Truth, and the script ------------------------------------------------------------------------------


def test_truth_tells_what_lasts() -> None:
    settings = TRIAL | {"cac": 0.8, "trend": [0, 1, 1, 2], "cohort": True, "sd_individual": 4}
    found = truth(Recipe.from_settings(settings), [("new", "control")])
    assert found["effects"] == {"new - control": 2.0}
    assert found["arm_means"] == {"control": 51.0, "new": 53.0}
    assert found["icc"] == pytest.approx(9 / (9 + 81 + 16))
    assert (found["cac"], found["decay"], found["sd_individual"]) == (0.8, False, 4)
    assert found["trend"] == [0.0, 1.0, 1.0, 2.0]


def test_script_names_columns_by_their_roles() -> None:
    roles = {
        "outcome": "score",
        "treatment": "arm",
        "group": "clinic",
        "period": "month",
        "individual": "patient",
    }
    table, true = simulate_data.run(TRIAL | {"cohort": True}, roles, "new")
    assert list(table.columns) == ["clinic", "month", "patient", "arm", "score"]
    assert true["effects"] == {"control - new": -2.0}


def test_order_of_arms_is_that_of_the_sequences() -> None:
    dataset = load_schema()["$defs"]["dataset"]["properties"]
    defaults = {key: node["default"] for key, node in dataset.items() if "default" in node}
    block = defaults | {"simulate": TRIAL, "roles": {}, "reference": "control"}
    settings = Settings({"datasets": {"drawn": block}}, [])
    assert settings.ingest(SimpleNamespace(dataset="drawn"))["ingest"]["levels"] == [
        "control",
        "new",
    ]


# Mistakes -----------------------------------------------------------------------------------------


def sequences(*rows: str, groups: Any = 3) -> list[dict[str, Any]]:
    """Sequences from rows of arms, as in "c c n"."""
    return [{"arms": row.split(), "groups": groups} for row in rows]


MISTAKES: dict[str, tuple[dict[str, Any], str]] = {
    "both": ({"groups_per_arm": {"control": 3, "new": 3}}, "sequences: `groups_per_arm` says "),
    "neither": ({"sequences": None}, "groups_per_arm: nothing says how many groups there are"),
    "empty": ({"sequences": []}, "sequences: it is no list of sequences; list mappings"),
    "no list": ({"sequences": {"arms": ["a", "b"], "groups": 2}}, "sequences: it is no list of"),
    "no groups": ({"sequences": [{"arms": ["a", "b"]}]}, "sequences[0]: it is no sequence of arms"),
    "one period": ({"sequences": sequences("a", "b")}, "sequences[0].arms: it is no list of arms"),
    "a number": ({"sequences": [{"arms": [0, 1], "groups": 3}]}, "sequences[0].arms: an arm is no"),
    "groups": ({"sequences": sequences("a b", groups=0)}, "sequences[0].groups: 0 is no number of"),
    "lengths": (
        {"sequences": sequences("a b b", "a b")},
        "sequences[1].arms: it has 2 periods, and the first has 3; list one arm for each period, "
        "'-' where a group is not measured.",
    ),
    "never": ({"sequences": sequences("a b", "- -")}, "sequences[1].arms: its groups are not "),
    "nobody": (
        {"sequences": sequences("a - b", "b - a")},
        "sequences: no group is measured in period 2",
    ),
    "time": (
        {"sequences": sequences("a a b", "a - b")},
        "sequences: no period holds two arms, so ",
    ),
    "one arm": ({"sequences": sequences("a a", "a a")}, "sequences: no period holds two arms, so "),
    "few": (
        {"sequences": sequences("a b", "b a", groups=1)},
        "sequences: 2 groups do not show how",
    ),
    "cac": ({"cac": 1.2}, "cac: 1.2 is no share of a variance; give a number from 0 to 1."),
    "decay": ({"decay": True}, "decay: nothing decays while `cac` is 1, as it is if left out; "),
    "trend": ({"trend": [1, 2, 3]}, "trend: 3 numbers are listed for 4 periods; list one number "),
    "no cohort": ({"sd_individual": 3}, "sd_individual: every individual is measured once, so "),
    "effect": (
        {"effects": {"nw": 1}},
        "effects: 'nw' is not an arm of the sequences; did you mean",
    ),
    "sizes": ({"group_size": [3, 4]}, "group_size: 2 sizes are listed for 10 groups; list one "),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_mistake_is_one_sentence(case: str) -> None:
    changes, said = MISTAKES[case]
    with pytest.raises(InputError) as caught:
        make(**changes)
    message = str(caught.value)
    assert message.startswith(said), message
    assert message.endswith((".", "?")) and "\n" not in message


@pytest.mark.parametrize(
    ("key", "value"),
    [("cac", 1), ("decay", False), ("trend", 0), ("cohort", True), ("sd_individual", 1)],
)
def test_settings_of_periods_need_sequences(key: str, value: Any) -> None:
    with pytest.raises(
        InputError, match=rf"^{key}: it is for periods, and this simulation has none"
    ):
        make(sequences=None, groups_per_arm={"control": 3, "new": 3}, **{key: value})
