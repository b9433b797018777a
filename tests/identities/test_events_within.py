"""Dummies of events and conditional logistic regression: textbook ratios, symmetry, what is left out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from event_designs import ODDS, RATES, RATIOS, RISKS, aggregated, events_sample, events_table
from experiments import analyse
from scipy.stats.contingency import odds_ratio

from groupwise.methods import fit_tables
from groupwise.response import Response
from groupwise.sample import Sample

METHODS = ("glm_dummies", "conditional_logit")
WITHIN = {"groups": 8, "sizes": [7, 6, 5, 9, 8, 4, 10, 5], "covariates": ["v"], "arms": 3}


def rows_of(sample: Sample, method: str, table: str = "estimates") -> pd.DataFrame:
    """The rows of a method in a table of the specification."""
    tables = fit_tables("dummy", sample)[table]
    return tables[tables["method"] == method].reset_index(drop=True)


def pairs(both: int, first: int, second: int, neither: int) -> pd.DataFrame:
    """So many pairs of a member in A and one in B by who had the event."""
    outcomes = [(1, 1)] * both + [(1, 0)] * first + [(0, 1)] * second + [(0, 0)] * neither
    return pd.DataFrame(
        {
            "g": np.repeat(np.arange(len(outcomes)), 2) + 1,
            "arm": ["A", "B"] * len(outcomes),
            "y": np.ravel(outcomes).astype(float),
        }
    )


def one_group(y: np.ndarray, arm: np.ndarray) -> pd.DataFrame:
    """A group, and another that says nothing, as every design has two."""
    table = pd.DataFrame({"g": 1, "arm": arm, "y": y})
    return pd.concat([table, pd.DataFrame({"g": 2, "arm": ["A", "B"], "y": 0.0})])


def test_pairs_have_the_ratio_of_discordant_pairs() -> None:
    sample = events_sample(pairs(both=7, first=5, second=12, neither=9), ODDS)
    conditional = rows_of(sample, "conditional_logit").loc[0]
    assert conditional["estimate"] == pytest.approx(12 / 5, rel=1e-9)
    assert conditional["std_error"] == pytest.approx(np.sqrt(1 / 12 + 1 / 5), rel=1e-8)
    assert "16 groups of 33 are left out" in conditional["message"]
    dummies = rows_of(sample, "glm_dummies").loc[0]
    assert dummies["estimate"] == pytest.approx((12 / 5) ** 2, rel=1e-8)


@pytest.mark.parametrize("table", [[[7, 3], [2, 9]], [[1, 8], [4, 4]], [[30, 40], [35, 12]]])
def test_one_group_has_the_conditional_odds_ratio_of_its_table(table: list[list[int]]) -> None:
    """Given both margins the number of events of an arm is noncentral hypergeometric."""
    (a, b), (c, d) = table
    y = np.repeat([1.0, 0.0, 1.0, 0.0], [a, b, c, d])
    arm = np.repeat(["B", "A"], [a + b, c + d])
    sample = events_sample(one_group(y, arm), ODDS)
    expected = odds_ratio(table, kind="conditional").statistic
    assert rows_of(sample, "conditional_logit")["estimate"][0] == pytest.approx(expected, rel=1e-6)
    dummies = rows_of(sample, "glm_dummies").loc[0]
    assert dummies["estimate"] == pytest.approx(a * d / (b * c), rel=1e-9)
    assert dummies["std_error"] == pytest.approx(np.sqrt(sum(1 / x for x in (a, b, c, d))))


@pytest.mark.parametrize("response", [RISKS, RATES])
def test_ratios_equal_a_regression_with_indicators_of_groups(response: Response) -> None:
    table = events_table("within", response, **WITHIN)
    sample = events_sample(table, response)
    design = sample.design
    indicators = (design.group[:, None] == np.arange(design.n_groups)).astype(float)
    Z = np.column_stack([design.X[:, 1:], indicators])
    fit = sm.GLM(sample.y, Z, family=sm.families.Poisson()).fit(tol=1e-14)
    coefficients = rows_of(sample, "glm_dummies", "coefficients")
    assert coefficients["estimate"].to_numpy() == pytest.approx(fit.params[:3], rel=1e-7)
    means = rows_of(sample, "glm_dummies", "marginal_means")
    share = np.full((3, design.n_groups), 1 / design.n_groups)
    L = np.column_stack([design.L_means[:, 1:], share])
    assert np.log(means["estimate"].to_numpy()) == pytest.approx(L @ fit.params, rel=1e-6)
    if response is RATES:
        assert coefficients["std_error"].to_numpy() == pytest.approx(fit.bse[:3], rel=1e-7)
        expected = np.sqrt(np.diag(L @ fit.cov_params() @ L.T))
        assert means["std_error"].to_numpy() == pytest.approx(expected, rel=1e-6)


def test_means_of_odds_equal_those_with_indicators_of_groups_that_are_kept() -> None:
    table = events_table("within", ODDS, **WITHIN)
    kept = table.groupby("g")["y"].transform("nunique") > 1
    assert kept.all(), "a group is to be left out below"
    alike = pd.DataFrame({"g": 99, "arm": list("ABC"), "y": 1.0, "v": 0.0})
    sample = events_sample(table, ODDS)
    design = sample.design
    indicators = (design.group[:, None] == np.arange(design.n_groups)).astype(float)
    fit = sm.GLM(
        sample.y, np.column_stack([design.X[:, 1:], indicators]), family=sm.families.Binomial()
    ).fit(tol=1e-14)
    L = np.column_stack([design.L_means[:, 1:], np.full((3, 8), 1 / 8)])
    means = rows_of(sample, "glm_dummies", "marginal_means")
    expected = 1 / (1 + np.exp(-L @ fit.params))
    assert means["estimate"].to_numpy() == pytest.approx(expected, rel=1e-7)
    assert means["std_error"].to_numpy() == pytest.approx(
        np.sqrt(np.diag(L @ fit.cov_params() @ L.T)), rel=1e-6
    )
    more = events_sample(pd.concat([table, alike]), ODDS)
    for method in METHODS:
        first, second = rows_of(sample, method), rows_of(more, method)
        assert second["estimate"].to_numpy() == pytest.approx(first["estimate"].to_numpy())
        assert second["std_error"].to_numpy() == pytest.approx(first["std_error"].to_numpy())
        assert "1 group of 9 is left out" in second["message"][0]


@pytest.mark.parametrize("method", METHODS)
def test_swapping_event_and_non_event_inverts(method: str) -> None:
    sample = events_sample(events_table("within", ODDS, **WITHIN), ODDS)
    other = replace(sample, y=1 - sample.y)
    first, second = rows_of(sample, method), rows_of(other, method)
    assert first["estimate"].to_numpy() == pytest.approx(1 / second["estimate"], rel=1e-7)
    assert first["std_error"].to_numpy() == pytest.approx(second["std_error"], rel=1e-7)
    assert first["conf_low"].to_numpy() == pytest.approx(1 / second["conf_high"], rel=1e-7)


@pytest.mark.parametrize("response", RATIOS, ids=str)
def test_many_outcomes_are_answered_as_each_alone_and_as_events(response: Response) -> None:
    more = {name: value for name, value in WITHIN.items() if name != "covariates"}
    sample = events_sample(events_table("within", response, **more), response)
    rng = np.random.default_rng(3)
    y = np.array([rng.permutation(sample.y) for _ in range(6)])
    y[2, sample.design.arm == 1] = 0  # an arm without events: no finite estimate
    y[4] = 0
    names = METHODS if response is ODDS else METHODS[:1]
    together = analyse(sample.design, y, methods=names)
    fewer, events = aggregated(sample.design, y)
    assert events.shape[1] < y.shape[1]
    by_events = analyse(fewer, events, methods=names)
    for name in names:
        estimate = together[name].inference.estimate
        assert np.isnan(estimate[[2, 4]]).all()
        assert np.isfinite(estimate[[0, 1, 3, 5]]).all()
        for i in range(len(y)):
            alone = analyse(sample.design, y[i : i + 1], methods=[name])[name].inference
            for column in ("estimate", "std_error", "p_value"):
                expected = getattr(alone, column)[0]
                for batch in (together, by_events):
                    values = getattr(batch[name].inference, column)[i]
                    assert values == pytest.approx(expected, rel=1e-7, nan_ok=True)


def test_two_arms_have_a_finite_estimate_inside_the_support_of_their_events() -> None:
    """Given the totals the events of arm B lie between sums of least and of most possible numbers."""
    sample = events_sample(events_table("within", ODDS, groups=3, sizes=4, arms=2), ODDS)
    design = sample.design
    y = ((np.arange(2**12)[::37, None] >> np.arange(12)) % 2).astype(float)
    answers = analyse(design, y, methods=METHODS)
    exposed = design.arm == 1
    total = np.array([y[:, design.group == g].sum(axis=1) for g in range(3)])
    most, least = np.minimum(total, 2).sum(axis=0), np.maximum(total - 2, 0).sum(axis=0)
    events = y[:, exposed].sum(axis=1)
    inside = (events > least) & (events < most)
    assert 10 < inside.sum() < len(y) - 10
    for name in METHODS:
        finite = np.isfinite(answers[name].inference.estimate[:, 0])
        assert (finite == inside).all()


@pytest.mark.parametrize("response", RATIOS, ids=str)
def test_between_groups_nothing_is_identified_in_the_words_of_dummies(response: Response) -> None:
    table = events_table("between", response, covariates=["v"])
    sample = events_sample(table, response)
    words = fit_tables(
        "dummy",
        replace(sample, design=replace(sample.design, response=Response("binary", "difference"))),
    )
    expected = words["estimates"].set_index("method")["message"]["dummy"].iloc[0]
    assert expected.startswith("Not identified.")
    estimates = fit_tables("dummy", sample)["estimates"]
    assert estimates["estimate"].isna().all() and not estimates["converged"].any()
    assert set(estimates["message"]) == {expected}
    coefficients = fit_tables("dummy", sample)["coefficients"]
    assert set(coefficients["term"]) == {"v"} and coefficients["estimate"].notna().all()


def test_infinite_estimates_say_which_arm_or_covariate() -> None:
    table = events_table("within", ODDS, groups=6, sizes=6, arms=2, covariates=["v"])
    empty = table.assign(y=np.where(table["arm"] == "B", 0.0, table["y"]))
    separated = table.assign(y=(table["v"] > 0).astype(float))
    for method in METHODS:
        none = rows_of(events_sample(empty, ODDS), method)
        assert none["estimate"].isna().all()
        assert "no event" in none["message"][0] and "'B'" in none["message"][0]
        split = rows_of(events_sample(separated, ODDS), method)
        assert split["estimate"].isna().all()
        assert "'v' goes with the events" in split["message"][0]


def test_large_groups_neither_overflow_nor_lose_accuracy() -> None:
    """The conditional and the unconditional odds ratio of a large table hardly differ."""
    y = np.repeat([1.0, 0.0, 1.0, 0.0], [1500, 1000, 1200, 1300])
    arm = np.repeat(["B", "A"], 2500)
    sample = events_sample(one_group(y, arm), ODDS)
    conditional = rows_of(sample, "conditional_logit").loc[0]
    expected = odds_ratio([[1500, 1000], [1200, 1300]], kind="conditional").statistic
    assert conditional["estimate"] == pytest.approx(expected, rel=1e-6)
    assert conditional["estimate"] == pytest.approx(1500 * 1300 / (1000 * 1200), rel=1e-3)
