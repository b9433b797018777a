"""Simulated events and counts have the risks, rates, spread and exposures of their recipe."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest
import simulate_data
from scipy import integrate, special, stats

from groupwise.data.errors import InputError
from groupwise.data.simulate import Recipe, simulate, truth
from groupwise.data.simulated_events import icc_of, level_for, sd_for

RISKS: dict[str, Any] = {
    "seed": 5,
    "groups_per_arm": {"old": 400, "new": 400},
    "group_size": 30,
    "risks": {"old": 0.3, "new": 0.2},
    "sd_group": 0.8,
}
RATES = {k: v for k, v in RISKS.items() if k != "risks"} | {
    "rates": {"old": 0.4, "new": 0.6},
    "exposure": {"min": 2, "max": 6},
}
NAMES = {"outcome": "y", "treatment": "arm", "group": "g"}


def made(settings: dict[str, Any], **changes: Any) -> pd.DataFrame:
    recipe = {k: v for k, v in (settings | changes).items() if v is not None}
    return simulate(Recipe.from_settings(recipe), **NAMES, exposure="days")


def estimated_icc(table: pd.DataFrame) -> float:
    """By analysis of variance of groups of one size."""
    groups = table.groupby("g")["y"]
    n = int(groups.size().iloc[0])
    between, within = n * groups.mean().var(), groups.var().mean()
    return float((between - within) / (between + (n - 1) * within))


def test_risks_are_those_of_all_groups() -> None:
    table = made(RISKS)
    assert set(table["y"]) == {0, 1} and list(table.columns) == ["g", "arm", "y"]
    for arm, risk in RISKS["risks"].items():
        groups = table[table["arm"] == arm].groupby("g")["y"].mean()
        assert abs(groups.mean() - risk) < 4 * groups.std() / np.sqrt(len(groups))


def test_counts_follow_rates_and_exposures() -> None:
    table = made(RATES)
    assert set(table["days"]) == {2, 3, 4, 5, 6} and (table["y"] % 1 == 0).all()
    for arm, rate in RATES["rates"].items():
        sums = table[table["arm"] == arm].groupby("g")[["y", "days"]].sum()
        rates = sums["y"] / sums["days"]
        assert abs(rates.mean() - rate) < 4 * rates.std() / np.sqrt(len(rates))
    by_days = table.groupby("days")["y"].mean() / np.arange(2, 7)
    assert by_days.std() < 0.03


def test_exposures_are_constant_drawn_from_an_interval_or_not_there() -> None:
    few = {"groups_per_arm": {"old": 2, "new": 2}}
    assert set(made(RATES, exposure=2.5, **few)["days"]) == {2.5}
    drawn = made(RATES, exposure={"min": 0.5, "max": 2}, **few)["days"]
    assert drawn.between(0.5, 2).all() and drawn.nunique() == len(drawn)
    assert "days" not in made(RATES, exposure=None, **few)


@pytest.mark.parametrize(
    "settings",
    [
        RISKS | {"risks": {"old": 0.3, "new": 0.3}},
        RATES | {"rates": {"old": 0.5, "new": 0.5}, "exposure": 3},
    ],
    ids=["risks", "rates"],
)
def test_an_icc_is_that_of_the_outcome(settings: dict[str, Any]) -> None:
    table = made(settings, icc=0.15, sd_group=None)
    assert estimated_icc(table) == pytest.approx(0.15, abs=0.025)


@pytest.mark.parametrize("family", ["binary", "count"])
@pytest.mark.parametrize("icc", [0.0, 0.01, 0.2, 0.6])
def test_sd_and_icc_are_inverse(family: str, icc: float) -> None:
    sd = sd_for(icc, 0.1, family, exposure=3)
    exposure = 3.0 if family == "count" else 1.0
    assert icc_of(sd, 0.1, family, exposure) == pytest.approx(icc, abs=1e-8)


@pytest.mark.parametrize("sd", [0.0, 0.5, 1.5])
@pytest.mark.parametrize("risk", [0.02, 0.4])
def test_the_level_gives_the_mean_risk(risk: float, sd: float) -> None:
    level = level_for(risk, sd, "binary")
    if sd == 0:
        assert special.expit(level) == pytest.approx(risk)
        return
    mean, _ = integrate.quad(
        lambda u: special.expit(level + u) * stats.norm.pdf(u, scale=sd), -12 * sd, 12 * sd
    )
    assert mean == pytest.approx(risk, abs=1e-8)


def test_covariates_and_periods_act_on_the_scale_of_the_link() -> None:
    sequences = [
        {"arms": ["old", "new", "new"], "groups": 300},
        {"arms": ["old", "old", "new"], "groups": 300},
    ]
    recipe = {k: v for k, v in RISKS.items() if k != "groups_per_arm"} | {
        "sequences": sequences,
        "sd_group": 0.0,
        "risks": {"old": 0.3, "new": 0.3},
        "trend": 1.0,
        "group_covariate": {"name": "x", "slope": 2.0, "sd": 0.5},
    }
    table = made(recipe)
    odds = special.logit(table[table["x"].abs() < 0.1].groupby("period")["y"].mean())
    assert [b - a for a, b in pairwise(odds)] == pytest.approx([1, 1], abs=0.15)
    first = table[table["period"] == 1].assign(high=table["x"] > 0)
    assert first.groupby("high")["y"].mean().diff().iloc[-1] > 0.2


def test_truth_has_effects_on_every_scale() -> None:
    recipe = Recipe.from_settings(RISKS)
    effects = {
        scale: truth(recipe, [("new", "old")], scale)["effects"]["new - old"]
        for scale in (None, "difference", "ratio", "odds_ratio")
    }
    assert effects[None] == effects["difference"] == pytest.approx(-0.1)
    assert effects["ratio"] == pytest.approx(2 / 3)
    assert effects["odds_ratio"] == pytest.approx((0.2 / 0.8) / (0.3 / 0.7))
    values = truth(recipe, [("new", "old")], "odds_ratio")
    within = values["effects_within_groups"]["new - old"]
    assert (
        within < effects["odds_ratio"] < 1
    )  # groups differ, so odds ratios in one are farther from 1
    assert values["icc"] == pytest.approx(icc_of(0.8, 0.3, "binary"))
    rates = truth(Recipe.from_settings(RATES), [("new", "old")])
    assert rates["scale"] == "ratio"
    assert rates["effects"]["new - old"] == pytest.approx(1.5)
    assert rates["effects_within_groups"]["new - old"] == pytest.approx(1.5)


def test_the_script_draws_the_column_of_exposures() -> None:
    roles = {"outcome": "visits", "treatment": "care", "group": "ward", "exposure": "days"}
    table, values = simulate_data.run(RATES, roles, "old", "difference")
    assert list(table.columns) == ["ward", "care", "visits", "days"]
    assert values["effects"] == {"new - old": pytest.approx(0.2)}


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"risks": {"old": 0.3}}, "simulate.risks: it has no value for the arm 'new'; add one."),
        (
            {"risks": {"old": 0.3, "new": 0.2, "newer": 0.1}},
            "simulate.risks: 'newer' is not an arm of groups_per_arm; did you mean 'new'?",
        ),
        (
            {"risks": {"old": 0.3, "new": 1.0}},
            "simulate.risks.new: 1.0 is no risk; give a number between 0 and 1.",
        ),
        (
            {"rates": {"old": 1, "new": 1}},
            "simulate.rates: `risks` says already how often events happen; remove one of the two.",
        ),
        (
            {"mean": 3},
            "simulate.mean: it is for numbers, and `risks` describes events; remove it.",
        ),
        (
            {"icc": 0.1},
            "simulate.icc: `sd_group` says already how much groups differ; remove one of the two.",
        ),
        (
            {"sd_group": None},
            "simulate.sd_group: nothing says how much groups differ; give `sd_group`, the standard "
            "deviation of their log odds, or the `icc` of the outcome.",
        ),
        (
            {"exposure": 3},
            "simulate.exposure: it is for rates, and this simulation has risks; remove it.",
        ),
        (
            {"risks": None},
            "simulate.mean: a simulation of numbers needs it; add it, or describe events by `risks` "
            "or `rates`.",
        ),
    ],
)
def test_a_mistake_is_one_sentence(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError) as caught:
        made(RISKS, **changes)
    assert str(caught.value) == says


def test_exposures_of_nothing_are_refused() -> None:
    with pytest.raises(InputError, match=r"^simulate\.exposure: 0 is no time at risk"):
        made(RATES, exposure={"min": 0, "max": 3})
    with pytest.raises(InputError, match=r"^simulate\.exposure: min 4 is above max 3; exchange"):
        made(RATES, exposure={"min": 4, "max": 3})
