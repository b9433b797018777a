"""The simulator draws what its recipe says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from groupwise.data.errors import InputError
from groupwise.data.simulate import Recipe, simulate, truth

LECTURE = {
    "seed": 279,
    "groups_per_arm": {"No flip": 5, "Some flip": 5, "Fully flipped": 5},
    "group_size": 25,
    "mean": 70,
    "effects": {"Some flip": 4, "Fully flipped": 2},
    "sd_group": 5,
    "sd_residual": 8,
}
LARGE = {"groups_per_arm": {"A": 400, "B": 400}, "group_size": 20, "effects": {"B": 3}}


def make(**changes: Any) -> pd.DataFrame:
    recipe = Recipe.from_settings(LECTURE | changes)
    return simulate(recipe, outcome="score", treatment="style", group="professor")


def group_table(table: pd.DataFrame) -> pd.DataFrame:
    """One row per group: arm, size, mean."""
    named = {"style": ("style", "first"), "n": ("score", "size"), "mean": ("score", "mean")}
    return table.groupby("professor").agg(**named)


def test_lecture_has_375_rows_and_its_three_columns() -> None:
    table = make()
    assert table.shape == (375, 3)
    assert list(table.columns) == ["professor", "style", "score"]
    assert list(table["professor"].unique()) == list(range(1, 16))
    assert table.groupby("professor")["style"].nunique().eq(1).all()
    assert group_table(table)["style"].value_counts().to_dict() == LECTURE["groups_per_arm"]


def test_arms_are_assigned_at_random() -> None:
    drawn = {tuple(group_table(make(seed=seed))["style"]) for seed in range(20)}
    assert len(drawn) == 20


def test_same_seed_same_bytes() -> None:
    first = make().to_csv(index=False)
    assert make().to_csv(index=False) == first
    assert make(seed=280).to_csv(index=False) != first


def test_group_sizes_are_one_number_a_list_or_a_range() -> None:
    sizes = list(range(3, 18))
    assert list(group_table(make(group_size=sizes))["n"]) == sizes
    ranged = make(group_size={"min": 2, "max": 4}, groups_per_arm={"A": 30, "B": 30}, effects={})
    assert set(group_table(ranged)["n"]) == {2, 3, 4}


@pytest.mark.parametrize("arms", [2, 4, 7])
def test_arms_may_be_many_and_of_unequal_size(arms: int) -> None:
    groups = {f"arm {i}": i + 2 for i in range(arms)}
    table = make(groups_per_arm=groups, effects={"arm 1": 1.5})
    assert group_table(table)["style"].value_counts().to_dict() == groups


@pytest.mark.parametrize("decimals", [0, 1, 3])
def test_outcome_is_rounded_to_decimals(decimals: int) -> None:
    score = make(decimals=decimals)["score"]
    assert (score == score.round(decimals)).all()
    assert score.nunique() > 20
    assert (make(decimals=decimals)["score"] - make()["score"]).abs().max() <= 0.5 * 10**-decimals


def test_covariates_follow_in_columns_of_their_own_at_their_level() -> None:
    table = make(
        group_covariate={"name": "years", "slope": 2, "mean": 10, "sd": 3},
        individual_covariate={"name": "hours", "slope": -1},
    )
    assert list(table.columns) == ["professor", "style", "score", "years", "hours"]
    assert table.groupby("professor")["years"].nunique().eq(1).all()
    assert table["hours"].nunique() == 375


def test_draws_are_those_of_earlier_versions() -> None:
    table = make(
        group_size={"min": 2, "max": 4},
        group_covariate={"name": "w", "slope": 2, "mean": 10, "sd": 3},
        individual_covariate={"name": "x", "slope": -1.5, "mean": 4, "sd": 2},
        sd_effect=2.5,
        noise={"distribution": "t", "df": 4},
        decimals=4,
    )
    assert len(table) == 45
    assert list(table["score"][:4]) == [58.8167, 63.6234, 70.6847, 59.6657]
    assert list(table["score"][-2:]) == [95.0917, 70.3553]


# Moments: 800 groups of 20; five Monte Carlo standard errors ---------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"sd_group": 0},
        {"noise": {"distribution": "t", "df": 5}},
        {"sd_residual": {"A": 4, "B": 12}},
        {"sd_effect": 6},
    ],
)
def test_means_and_spreads_are_those_of_the_recipe(changes: dict[str, Any]) -> None:
    recipe = LECTURE | LARGE | changes
    table = make(**LARGE, **changes)
    groups = group_table(table)
    for arm, effect in (("A", 0), ("B", 3)):
        sd = recipe["sd_residual"]
        sd = sd[arm] if isinstance(sd, dict) else sd
        extra = recipe.get("sd_effect", 0) if arm == "B" else 0
        between = np.sqrt(recipe["sd_group"] ** 2 + extra**2 + sd**2 / 20)
        mean = groups.loc[groups["style"] == arm, "mean"]
        assert abs(mean.mean() - (70 + effect)) < 5 * between / np.sqrt(400)
        assert mean.std() == pytest.approx(between, rel=5 / np.sqrt(2 * 399))
        within = table[table["style"] == arm].groupby("professor")["score"].var().mean()
        # The variance of a t's sample variance is that of a kurtosis of 9 (t with 5 df).
        assert np.sqrt(within) == pytest.approx(sd, rel=5 * np.sqrt(10 / (4 * 400 * 19)))


def test_t_noise_has_heavy_tails() -> None:
    def kurtosis(**changes: Any) -> float:
        table = make(**LARGE, sd_group=0, **changes)
        return float(table.groupby("style")["score"].apply(pd.Series.kurt).mean())

    assert abs(kurtosis()) < 0.3 < 1 < kurtosis(noise={"distribution": "t", "df": 5})


def test_covariates_change_the_outcome_by_their_slopes() -> None:
    table = make(
        **LARGE,
        sd_group=1,
        group_covariate={"name": "w", "slope": 2, "mean": 10, "sd": 3},
        individual_covariate={"name": "x", "slope": -1.5, "mean": 4, "sd": 2},
    )
    arm = (table["style"] == "B").astype(float)
    X = np.column_stack([np.ones(len(table)), arm, table["w"] - 10, table["x"] - 4])
    beta = np.linalg.lstsq(X, table["score"], rcond=None)[0]
    assert beta == pytest.approx([70, 3, 2, -1.5], abs=0.6)
    assert beta[2:] == pytest.approx([2, -1.5], abs=0.2)
    described = table[["w", "x"]].agg(["mean", "std"])
    assert described.to_numpy() == pytest.approx(np.array([[10, 4], [3, 2]]), abs=0.6)


# Truth --------------------------------------------------------------------------------------------


def test_truth_names_every_contrast_arm_and_spread() -> None:
    contrasts = [("Some flip", "No flip"), ("Fully flipped", "Some flip")]
    found = truth(Recipe.from_settings(LECTURE), contrasts)
    assert found["effects"] == {"Some flip - No flip": 4.0, "Fully flipped - Some flip": -2.0}
    assert found["arm_means"] == {"No flip": 70.0, "Some flip": 74.0, "Fully flipped": 72.0}
    assert found["sd_residual"] == dict.fromkeys(LECTURE["groups_per_arm"], 8.0)
    assert (found["sd_group"], found["seed"]) == (5, 279)
    assert found["icc"] == pytest.approx(25 / (25 + 64))


def test_truth_of_uneven_noise_averages_the_variances() -> None:
    recipe = Recipe.from_settings(LECTURE | LARGE | {"sd_residual": {"A": 3, "B": 4}})
    assert truth(recipe, [])["icc"] == pytest.approx(25 / (25 + 12.5))


# Mistakes -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "key", "words"),
    [
        ({"effects": {"Sme flip": 4}}, "effects", ["'Sme flip'", "did you mean 'Some flip'?"]),
        ({"sd_residual": {"None": 1}}, "sd_residual", ["'None'", "there are: No flip"]),
        ({"sd_residual": {"No flip": 1}}, "sd_residual", ["'Some flip'", "one for every arm"]),
        ({"group_size": [3, 4]}, "group_size", ["2 sizes", "15 groups", "one size per group"]),
        ({"group_size": {"min": 5, "max": 4}}, "group_size", ["min is larger", "exchange"]),
        ({"noise": {"distribution": "t", "df": 2}}, "noise.df", ["no variance", "more than 2"]),
    ],
)
def test_impossible_recipe_names_key_problem_and_fix(
    changes: dict[str, Any], key: str, words: list[str]
) -> None:
    with pytest.raises(InputError) as caught:
        make(**changes)
    assert caught.value.key == f"simulate.{key}"
    for word in words:
        assert word in str(caught.value)
