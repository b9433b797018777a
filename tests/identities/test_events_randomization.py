"""Randomisation of residuals of events: exact by brute force, true to the design, invariant."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations, product

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from event_designs import ODDS, RATES, RATIOS, RISKS, aggregated, events_sample, events_table
from experiments import analyse, answers_by

from groupwise.data.ingest import ingest
from groupwise.data.validate import Roles
from groupwise.design import Design, make_design
from groupwise.inference.assignments import Effort
from groupwise.inference.event_randomization import EventComparison
from groupwise.inference.randomization import compare_pair
from groupwise.methods import Fits, Request, fit_tables, method_of
from groupwise.methods.glm.permuted import prepare
from groupwise.response import Response
from groupwise.sample import Resampling, Sample

METHOD = "randomization_residuals"
BETWEEN = {"groups": 8, "sizes": [7, 6, 5, 9, 8, 4, 10, 5], "covariates": ["v"], "arms": 2}


def answered(sample: Sample) -> pd.DataFrame:
    """The rows of the method."""
    tables = fit_tables("randomization", replace(sample, methods=(METHOD,)))
    return tables["estimates"].set_index("contrast")


def residuals(y: np.ndarray, X: np.ndarray, offset: np.ndarray, response: Response) -> np.ndarray:
    """What a regression of statsmodels without treatments leaves."""
    family = sm.families.Binomial() if response is ODDS else sm.families.Poisson()
    return y - sm.GLM(y, X, family=family, offset=offset).fit(tol=1e-13).fittedvalues


def hc2_t(values: np.ndarray, arm: np.ndarray, block: np.ndarray) -> float:
    """t of the arm beside indicators of blocks, with the HC2 covariance."""
    X = np.column_stack([arm, block[:, None] == np.unique(block)]).astype(float)
    fit = sm.OLS(values, X).fit()
    return float(fit.params[0] / np.sqrt(fit.cov_HC2[0, 0]))


def assignments_in(arm: np.ndarray, block: np.ndarray) -> list[np.ndarray]:
    """Every assignment of two arms that keeps their counts in each block, by itertools."""
    members = [np.flatnonzero(block == b) for b in np.unique(block)]
    ways = [list(combinations(index, int(arm[index].sum()))) for index in members]
    made = []
    for chosen in product(*ways):
        labels = np.zeros(len(arm))
        labels[[i for part in chosen for i in part]] = 1
        made.append(labels)
    return made


def brute_force(design: Design, y: np.ndarray, effect: float) -> float:
    """The p-value of an effect in a design of two arms that assigned groups, or individuals in them."""
    whole = design.assigns_groups
    X = design.X[:, np.array(design.role) != "treatment"]
    left = residuals(y, X, effect * design.arm, design.response)
    if whole:
        values, first = np.bincount(design.group, left), design.first_of_group
        arm = design.arm[first]
        block = np.zeros_like(arm) if design.block is None else design.block[first]
    else:
        values, arm, block = left, design.arm, design.group
    observed = abs(hc2_t(values, arm, block))
    every = [abs(hc2_t(values, labels, block)) for labels in assignments_in(arm, block)]
    return float(np.mean(np.array(every) >= observed * (1 - 1e-9)))


@pytest.mark.parametrize("response", RATIOS, ids=str)
@pytest.mark.parametrize("kind", ["between", "blocked", "within"])
def test_p_values_equal_those_of_all_assignments_one_by_one(kind: str, response: Response) -> None:
    more = (
        BETWEEN if kind != "within" else {"groups": 3, "sizes": 4, "arms": 2, "covariates": ["v"]}
    )
    sample = events_sample(events_table(kind, response, seed=5, **more), response)
    row = answered(sample).loc["B - A"]
    assert row["p_value"] == pytest.approx(brute_force(sample.design, sample.y, 0.0), abs=1e-12)
    comparison = prepare(sample.design).pairs[0]
    events = prepare(sample.design).counted(sample.y[None])
    for effect in (-0.6, 0.4):
        curve = comparison.curve(events, np.array([effect]), Effort())
        expected = brute_force(sample.design, sample.y, effect)
        assert curve.p_value()[0] == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("response", RATIOS, ids=str)
def test_the_estimate_is_that_of_the_pooled_regression(response: Response) -> None:
    for kind in ("between", "blocked"):
        sample = events_sample(events_table(kind, response, **BETWEEN), response)
        pooled = answers_by("glm_wald", sample.design, sample.y).contrasts.estimate[0]
        assert np.log(answered(sample)["estimate"].iloc[0]) == pytest.approx(pooled, abs=1e-7)


@pytest.mark.parametrize("response", RATIOS, ids=str)
def test_intervals_end_where_effects_are_rejected(response: Response) -> None:
    table = events_table("between", response, seed=3, groups=10, sizes=7, arms=2, sd_group=0.0)
    sample = events_sample(table, response)
    row = answered(sample).loc["B - A"]
    assert 0 < row["conf_low"] < row["estimate"] < row["conf_high"] < np.inf
    prepared = prepare(sample.design)
    events = prepared.counted(sample.y[None])
    for limit, outwards in ((row["conf_low"], -1), (row["conf_high"], 1)):
        for step, kept in ((-1e-5, True), (1e-5, False)):
            effect = np.array([np.log(limit) + outwards * step])
            p = prepared.pairs[0].curve(events, effect, Effort()).p_value()[0]
            assert (p >= 0.05) == kept
    assert (row["p_value"] < 0.05) == (not row["conf_low"] <= 1 <= row["conf_high"])


@pytest.mark.parametrize("response", RATIOS, ids=str)
def test_names_order_and_events_in_rows_change_nothing(response: Response) -> None:
    table = events_table("between", response, seed=4, **(BETWEEN | {"covariates": ["c"]}))
    sample = events_sample(table, response)
    first = answered(sample).loc["B - A"]
    renamed = table.assign(arm=table["arm"].map({"A": "z", "B": "k"}), g=100 - table["g"])
    renamed = renamed.sample(frac=1, random_state=1)
    second = answered(events_sample(renamed, response, reference="z")).loc["k - z"]
    other_way = answered(events_sample(table, response, reference="B")).loc["A - B"]
    for column in ("estimate", "std_error", "statistic", "p_value", "conf_low", "conf_high"):
        assert second[column] == pytest.approx(first[column], rel=1e-6)
    assert other_way["p_value"] == first["p_value"]
    assert other_way["estimate"] == pytest.approx(1 / first["estimate"], rel=1e-6)
    assert other_way["conf_low"] == pytest.approx(1 / first["conf_high"], rel=1e-6)
    fewer, events = aggregated(sample.design, sample.y[None])
    by_events = analyse(fewer, events, methods=[METHOD])[METHOD].inference
    assert by_events.p_value[0, 0] == pytest.approx(first["p_value"])
    assert by_events.estimate[0, 0] == pytest.approx(np.log(first["estimate"]), abs=1e-7)


def test_drawn_assignments_do_not_depend_on_names_or_order() -> None:
    table = events_table("between", ODDS, arms=2, groups=14, sizes=3, seed=2)
    few = Resampling(randomization_draws=199, max_assignments=1)
    first = answered(replace(events_sample(table, ODDS), resampling=few)).loc["B - A"]
    other = table.sample(frac=1, random_state=3).assign(g=lambda t: 50 - t["g"])
    second = answered(replace(events_sample(other, ODDS), resampling=few)).loc["B - A"]
    for column in ("p_value", "conf_low", "conf_high"):
        assert second[column] == pytest.approx(first[column], rel=1e-6)


@pytest.mark.parametrize("response", RATIOS, ids=str)
def test_many_outcomes_are_answered_as_each_alone(response: Response) -> None:
    sample = events_sample(events_table("blocked", response, **BETWEEN), response)
    rng = np.random.default_rng(2)
    y = np.array([rng.permutation(sample.y) for _ in range(5)])
    y[3, sample.design.arm == 1] = 0
    procedure = method_of(METHOD)
    fit = Fits(sample.design, y).of(procedure)
    truth = np.array([0.3])
    batch = procedure.infer(fit, sample.design.L, Request(searched=0, truth=truth))
    searched = procedure.infer(fit, sample.design.L, Request())
    for name in ("estimate", "std_error", "statistic", "p_value"):
        values = getattr(searched, name)
        assert getattr(batch, name) == pytest.approx(values, rel=1e-6, nan_ok=True)
    assert np.isnan(batch.estimate[3, 0]) and np.isfinite(batch.p_value[3, 0])
    others = [0, 1, 2, 4]
    inside = (searched.conf_low <= 0.3) & (searched.conf_high >= 0.3)
    assert batch.covers is not None
    assert (batch.covers[others] == inside[others]).all()


def test_an_arm_without_events_has_a_test_and_says_why_there_is_no_estimate() -> None:
    table = events_table("between", RISKS, **BETWEEN)
    table.loc[table["arm"] == "B", "y"] = 0
    row = answered(events_sample(table, RISKS)).loc["B - A"]
    assert 0 < row["p_value"] < 0.1
    assert np.isnan(row[["estimate", "std_error", "conf_low", "conf_high"]].astype(float)).all()
    assert "no event" in row["message"]


def wedge(response: Response) -> Sample:
    """Six groups in four periods that take up B one after the other."""
    rng = np.random.default_rng(12)
    g, t, _ = (part.ravel() for part in np.meshgrid(range(6), range(4), range(3), indexing="ij"))
    arm = np.where(t > g % 3, "B", "A")
    eta = 0.3 * t + 0.8 * (arm == "B") + rng.normal(size=6)[g] - 0.5
    y = rng.random(len(g)) < 1 / (1 + np.exp(-eta))
    if response is RATES:
        y = rng.poisson(np.exp(eta))
    table = pd.DataFrame({"g": g, "t": t, "arm": arm, "y": y.astype(float)})
    roles = Roles("y", "arm", "g", period="t")
    data = ingest(table, roles).table
    design = make_design(data, roles, response=response)
    return Sample(design, data["y"].to_numpy(dtype=float), "test", "g", None)


@pytest.mark.parametrize("response", RATIOS, ids=str)
def test_sequences_are_permuted_with_sums_of_residuals_by_cell(response: Response) -> None:
    sample = wedge(response)
    design = sample.design
    left = residuals(
        sample.y,
        design.X[:, np.array(design.role) != "treatment"],
        np.zeros(len(sample.y)),
        response,
    )
    prepared = prepare(design)
    values = np.bincount(design.cell, left)
    units = prepared.events.units
    expected = compare_pair(units, values, (0, 1), effort=Effort())
    row = answered(sample).loc["B - A"]
    assert row["p_value"] == pytest.approx(float(expected.p_value), abs=1e-12)
    assert row["statistic"] == pytest.approx(float(expected.statistic), rel=1e-6)
    assert "90 assignments" in row["df_method"]
    assert row["conf_low"] < row["estimate"] < row["conf_high"]


def test_all_arms_are_compared_at_once() -> None:
    """Of all assignments of three arms: Wald statistics of the sums of residuals, one by one."""
    table = events_table("between", ODDS, groups=7, sizes=5, arms=3, covariates=["v"])
    sample = events_sample(table, ODDS)
    design = sample.design
    X = np.column_stack([np.ones(len(sample.y)), table["v"]])
    left = residuals(sample.y, X, np.zeros(len(sample.y)), ODDS)
    values, arm = np.bincount(design.group, left), design.arm[design.first_of_group]

    def wald(labels: np.ndarray) -> float:
        X = np.column_stack([labels == j for j in range(3)]).astype(float)
        fit = sm.OLS(values, X).fit()
        L = np.array([[-1.0, 1, 0], [-1, 0, 1]])
        effects = L @ fit.params
        return float(effects @ np.linalg.solve(L @ fit.cov_HC2 @ L.T, effects))

    every = []
    counts = np.bincount(arm)
    for first in combinations(range(7), counts[0]):
        rest = [i for i in range(7) if i not in first]
        for second in combinations(rest, counts[1]):
            labels = np.full(7, 2)
            labels[list(first)], labels[list(second)] = 0, 1
            every.append(wald(labels))
    expected = np.mean(np.array(every) >= wald(arm) * (1 - 1e-9))
    tables = fit_tables("randomization", replace(sample, methods=(METHOD,)))
    assert tables["omnibus"]["p_value"][0] == pytest.approx(expected, abs=1e-12)


def test_a_comparison_takes_the_model_of_its_own_arms() -> None:
    """What happens in a third arm changes nothing between two."""
    sample = events_sample(events_table("between", RISKS, groups=9, sizes=6, arms=3), RISKS)
    other = np.where(sample.design.arm == 2, 1 - sample.y, sample.y)
    first, second = answered(sample), answered(replace(sample, y=other))
    columns = ["estimate", "std_error", "statistic", "p_value"]
    assert first.loc["B - A", columns].to_numpy(dtype=float) == pytest.approx(
        second.loc["B - A", columns].to_numpy(dtype=float), rel=1e-7
    )
    assert EventComparison.of(prepare(sample.design).events, (0, 1)).has_effect.sum() > 0
