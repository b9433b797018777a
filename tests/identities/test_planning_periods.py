"""Designs with periods: closed formulas of the literature, and what no formula may depend on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy import stats
from scipy.linalg import block_diag

from groupwise.data.validate import Roles
from groupwise.design import Design, make_design
from groupwise.inference.mixed import random_terms
from groupwise.inference.small_sample import kenward_roger_df
from groupwise.models.lmm import LinearMixedModel
from groupwise.planning.experiments import plan_experiment
from groupwise.planning.layouts import (
    LAYOUTS,
    baseline,
    crossover,
    layout_of,
    parallel,
    share_out,
    stepped_wedge,
)
from groupwise.planning.period_df import model_df
from groupwise.planning.period_tables import planned_from
from groupwise.planning.periods import PeriodPlan, groups_needed, size_needed, stepped_wedges
from groupwise.planning.plans import Plan, Variation
from groupwise.planning.power import minimum_detectable_effect, power

CORRELATIONS = [
    {"icc": 0.05},
    {"icc": 0.3, "cac": 0.7},
    {"icc": 0.1, "cac": 0.8, "iac": 0.4},
    {"icc": 0.0, "iac": 0.6},
    {"icc": 0.2, "cac": 0.0},
]
each_correlation = pytest.mark.parametrize("correlation", CORRELATIONS)
each_layout = pytest.mark.parametrize("layout", LAYOUTS)


def planned(sequences: np.ndarray, groups: int | list[int] = 3, **correlation: float) -> PeriodPlan:
    per_sequence = np.broadcast_to(groups, len(sequences))
    return PeriodPlan(sequences, per_sequence, cell_size=12, sd=2.0, **correlation)


def dense(plan: PeriodPlan) -> float:
    """Var(effect) by the n x n covariance matrix of individuals, each measured in every cell."""
    m, T = int(plan.cell_size), plan.n_periods
    lag = np.abs(np.subtract.outer(np.arange(T), np.arange(T)))
    lag = lag if plan.decay else np.minimum(lag, 1)
    of_group = np.kron(plan.icc * plan.cac**lag, np.ones((m, m)))
    of_individual = np.kron((1 - plan.icc) * plan.iac**lag, np.eye(m))
    V = plan.sd**2 * (of_group + of_individual)
    parts, designs = [], []
    for arms, n in zip(plan.sequences, plan.groups_per_sequence, strict=True):
        kept = np.repeat(arms >= 0, m)
        X = np.column_stack([np.repeat(np.eye(T), m, axis=0), np.repeat(arms, m)])
        parts += [V[np.ix_(kept, kept)]] * int(n)
        designs += [X[kept]] * int(n)
    X, V = np.vstack(designs), block_diag(*parts)
    return float(np.linalg.inv(X.T @ np.linalg.solve(V, X))[-1, -1])


def rows_of_groups(plan: PeriodPlan) -> np.ndarray:
    return np.repeat(plan.sequences, plan.groups_per_sequence, axis=0)


def hussey_hughes(X: np.ndarray, var_cell: float, var_group: float) -> float:
    """Hussey and Hughes (2007): groups (I, T) by arm, one variance of cells, one of groups."""
    I, T = X.shape  # noqa: E741
    U, W, V = X.sum(), (X.sum(axis=0) ** 2).sum(), (X.sum(axis=1) ** 2).sum()
    above = I * var_cell * (var_cell + T * var_group)
    return float(above / ((I * U - W) * var_cell + (U**2 + I * T * U - T * W - I * V) * var_group))


def design_effect(plan: PeriodPlan) -> tuple[float, float]:
    """Hooper et al. (2016): the design effect of clustering, and the correlation of cell means."""
    m, rho = plan.cell_size, plan.icc
    clustering = 1 + (m - 1) * rho
    return clustering, (m * rho * plan.cac + (1 - rho) * plan.iac) / clustering


# ---- against individuals -------------------------------------------------------------------------


@each_layout
@each_correlation
@pytest.mark.parametrize("decay", [False, True])
def test_variance_is_that_of_individuals(
    layout: str, correlation: dict[str, float], decay: bool
) -> None:
    arms = LAYOUTS[layout](4)
    plan = replace(planned(arms, [1, 2, 1][: len(arms)], **correlation), decay=decay, cell_size=3)
    assert_allclose(plan.variance, dense(plan), rtol=1e-9)


def test_variance_where_cells_are_not_measured() -> None:
    arms = stepped_wedge(5).astype(float)
    arms[np.abs(np.subtract.outer(np.arange(4), np.arange(5)) + 0.5) > 2] = np.nan
    plan = replace(planned(arms, [2, 1, 1, 2], icc=0.1, cac=0.7), cell_size=4, decay=True)
    assert (plan.sequences == -1).sum() == np.isnan(arms).sum() > 0
    assert_allclose(plan.variance, dense(plan), rtol=1e-9)
    # A period without cells has no parameter.
    longer = np.column_stack([arms, np.full(4, np.nan)])
    assert_allclose(replace(plan, sequences=longer).variance, plan.variance, rtol=1e-12)


# ---- closed formulas -----------------------------------------------------------------------------


@each_layout
@pytest.mark.parametrize("decay", [False, True])
def test_without_decay_of_correlations_it_is_hussey_and_hughes(layout: str, decay: bool) -> None:
    plan = replace(planned(LAYOUTS[layout](5), icc=0.08), decay=decay)
    found = hussey_hughes(rows_of_groups(plan), 4 * 0.92 / 12, 4 * 0.08)
    assert_allclose(plan.variance, found, rtol=1e-10)


@each_layout
@each_correlation
def test_exchangeable_periods_are_hussey_and_hughes_with_other_variances(
    layout: str, correlation: dict[str, float]
) -> None:
    """What individuals keep counts for groups, what groups change by for cells."""
    plan = planned(LAYOUTS[layout](4), **correlation)
    kept, all_of_it = plan.cell_cov[0, 1], plan.cell_cov[0, 0]
    found = hussey_hughes(rows_of_groups(plan), all_of_it - kept, kept)
    assert_allclose(plan.variance, found, rtol=1e-9)


@pytest.mark.parametrize("steps", [2, 3, 6])
@each_correlation
def test_stepped_wedge_has_the_design_effect_of_hooper_et_al(
    steps: int, correlation: dict[str, float]
) -> None:
    plan = planned(stepped_wedge(steps + 1), **correlation)
    clustering, r = design_effect(plan)
    repeated = 3 * steps * (1 - r) * (1 + steps * r) / ((steps**2 - 1) * (2 + steps * r))
    in_parallel = 4 * plan.sd**2 / (plan.n_groups * plan.cell_size)
    assert_allclose(plan.variance, in_parallel * clustering * repeated, rtol=1e-10)


@each_correlation
def test_baseline_and_crossover_have_their_design_effects(correlation: dict[str, float]) -> None:
    """1 - r^2 with a baseline (Teerenstra et al. 2012), (1 - r) / 2 in a crossover of two periods."""
    for arms, repeated in (
        (baseline(2), lambda r: 1 - r**2),
        (crossover(2), lambda r: (1 - r) / 2),
    ):
        plan = planned(arms, **correlation)
        clustering, r = design_effect(plan)
        in_parallel = 4 * plan.sd**2 / (plan.n_groups * plan.cell_size)
        assert_allclose(plan.variance, in_parallel * clustering * repeated(r), rtol=1e-10)


@pytest.mark.parametrize(("icc", "cac"), [(0.05, 1.0), (0.1, 0.6), (0.3, 0.0)])
def test_cluster_crossover_is_that_of_giraudeau_et_al(icc: float, cac: float) -> None:
    """2 sd^2 (1 + (m - 1) icc - m icc') / (G m), icc' of individuals in two periods (2008)."""
    plan = planned(crossover(2), 4, icc=icc, cac=cac)
    m, G = plan.cell_size, plan.n_groups
    expected = 2 * plan.sd**2 * (1 + (m - 1) * icc - m * icc * cac) / (G * m)
    assert_allclose(plan.variance, expected, rtol=1e-10)


@pytest.mark.parametrize("n_periods", [3, 5])
@pytest.mark.parametrize(("icc", "r"), [(0.05, 0.9), (0.1, 0.4)])
def test_proportional_decay_is_that_of_li(n_periods: int, icc: float, r: float) -> None:
    """Li (2020): stepped wedges of closed cohorts, in which both correlations decay at one rate."""
    plan = replace(planned(stepped_wedge(n_periods), icc=icc, cac=r, iac=r), decay=True)
    X, m = rows_of_groups(plan), plan.cell_size
    n, U, W = len(X), X.sum(), (X.sum(axis=0) ** 2).sum()
    P, Q = (X[:, 1:] * X[:, :-1]).sum(), (X.sum(axis=0)[1:] * X.sum(axis=0)[:-1]).sum()
    above = plan.sd**2 * n / m * (1 - r**2) * (1 + (m - 1) * icc)
    below = (n * U - W) * (1 + r**2) - 2 * (n * P - Q) * r
    assert_allclose(plan.variance, above / below, rtol=1e-10)


# ---- against the planning of designs without periods ---------------------------------------------


@pytest.mark.parametrize("groups", [2, 4, 11])
@pytest.mark.parametrize("icc", [0.0, 0.2])
def test_one_period_is_a_plan_of_group_means(groups: int, icc: float) -> None:
    plan = planned(parallel(1), groups, icc=icc)
    made = plan_experiment(Plan(groups, 12), Variation(2.0, icc))
    for level in (0.05, 0.01):
        assert_allclose(
            plan.power(1.3, level=level), power(made, "group_means", 1.3, level=level), rtol=1e-7
        )
    wanted = minimum_detectable_effect(made, "group_means", power=0.9)
    assert_allclose(plan.detectable(0.9), wanted, rtol=1e-6)


def test_two_period_crossover_is_a_t_test_of_differences() -> None:
    plan = planned(crossover(2), 5, icc=0.1, cac=0.6)
    sd_difference = np.sqrt(np.array([1, -1]) @ plan.cell_cov @ np.array([1, -1]))
    # Half the difference between the sequences' mean differences.
    ncp = 2 * 1.0 / (sd_difference * np.sqrt(2 / 5))
    critical = stats.t.isf(0.025, 8)
    expected = stats.nct.sf(critical, 8, ncp) + stats.nct.cdf(-critical, 8, ncp)
    assert_allclose(plan.power(1.0), expected, rtol=1e-9)


# ---- degrees of freedom --------------------------------------------------------------------------


def dense_df(plan: PeriodPlan) -> float:
    """Satterthwaite's df from all groups at once, two variances of cells to estimate."""
    T, G = plan.n_periods, plan.n_groups
    arms = rows_of_groups(plan).ravel()
    X = np.column_stack([np.tile(np.eye(T), (G, 1)), arms])[arms >= 0]
    kept = np.ix_(arms >= 0, arms >= 0)
    parts = [np.kron(np.eye(G), np.ones((T, T)))[kept], np.eye(G * T)[kept]]
    W = np.linalg.inv(np.kron(np.eye(G), plan.cell_cov)[kept])
    C = np.linalg.inv(X.T @ W @ X)
    P = W - W @ X @ C @ X.T @ W
    information = np.array([[np.trace(P @ D @ P @ E) / 2 for E in parts] for D in parts])
    slopes = np.array([(C @ X.T @ W @ D @ W @ X @ C)[-1, -1] for D in parts])
    return float(2 * C[-1, -1] ** 2 / (slopes @ np.linalg.solve(information, slopes)))


@each_layout
@each_correlation
def test_df_of_the_model(layout: str, correlation: dict[str, float]) -> None:
    plan = planned(LAYOUTS[layout](4), **correlation)
    assert_allclose(model_df(plan), dense_df(plan), rtol=1e-7)


@each_correlation
def test_df_of_the_model_in_an_incomplete_design(correlation: dict[str, float]) -> None:
    arms = stepped_wedge(4)
    arms[0, 3] = arms[2, 0] = -1
    plan = planned(arms, [2, 3, 2], **correlation)
    assert_allclose(model_df(plan), dense_df(plan), rtol=1e-7)


@each_correlation
@pytest.mark.parametrize("decay", [False, True])
def test_groups_less_two_are_exact_where_two_means_are_compared(
    correlation: dict[str, float], decay: bool
) -> None:
    for arms in (parallel(1), parallel(2), crossover(2)):
        plan = replace(planned(arms, 4, **correlation), decay=decay)
        assert plan.df == 6
        assert_allclose(model_df(plan), 6, rtol=1e-6)
    assert_allclose(model_df(planned(parallel(5), 4, **correlation)), 6, rtol=1e-6)


@pytest.mark.parametrize("layout", ["stepped_wedge", "crossover", "baseline"])
@each_correlation
@pytest.mark.parametrize("decay", [False, True])
def test_groups_less_two_are_cautious_elsewhere(
    layout: str, correlation: dict[str, float], decay: bool
) -> None:
    plan = replace(planned(LAYOUTS[layout](4), **correlation), decay=decay)
    assert model_df(plan) >= plan.df


def test_groups_that_differ_without_end_are_blocks() -> None:
    """Then effects are estimated within groups, on cells less groups, periods and the treatment."""
    plan = planned(stepped_wedge(4), icc=0.999).with_size(1e5)
    assert_allclose(model_df(plan), 9 * 4 - 9 - 3 - 1, rtol=1e-3)
    assert np.isnan(model_df(planned(np.array([[0, 1], [0, 1]]), icc=0.1)))


def individuals(arms: np.ndarray, size: int) -> Design:
    """The design of groups with arms (G, T) and `size` individuals in every cell, others each time."""
    group, period, _ = (codes.ravel() for codes in np.indices((*arms.shape, size)))
    table = pd.DataFrame({"group": group, "period": pd.Categorical(period)})
    table["arm"] = pd.Categorical.from_codes(arms[group, period], ["reference", "treated"])
    return make_design(table, Roles("y", "arm", "group", period="period"))


@pytest.mark.parametrize(
    ("layout", "groups"), [("stepped_wedge", 4), ("crossover", 3), ("baseline", 6), ("parallel", 5)]
)
@pytest.mark.parametrize("theta", [(0.2, 0.3), (0.05, 0.5), (0.4, 0.1)])
def test_a_plan_is_the_mixed_model_at_its_variances(
    layout: str, groups: int, theta: tuple[float, float]
) -> None:
    """Variance and df are those of a fit to individuals, whose df are Kenward and Roger's."""
    arms = LAYOUTS[layout](4)
    per_sequence = np.full(len(arms), groups)
    design = individuals(np.repeat(arms, groups, axis=0), 5)
    model = LinearMixedModel.of(design.X, random_terms(design))
    outcome = np.random.default_rng(0).normal(size=design.n_obs)
    fit = model.fit(outcome, theta=np.array(theta))
    at = fit.information(design.L)
    plan = planned_from(
        arms, per_sequence, 5, {term: float(value) for term, value in fit.std_dev.items()}
    )
    assert plan.icc > 0 and 0 < plan.cac < 1
    assert_allclose(plan.variance, at.vcov.item(), rtol=1e-9)
    assert_allclose(model_df(plan), kenward_roger_df(at).item(), rtol=1e-7)


def simulated(plan: PeriodPlan, effect: float, dfs: list[float], n: int = 2000) -> list[float]:
    """How often REML of n experiments rejects, by t tests on so many df."""
    T, G, arms = plan.n_periods, plan.n_groups, rows_of_groups(plan).ravel()
    X = np.column_stack([np.tile(np.eye(T), (G, 1)), arms])
    root = np.linalg.cholesky(plan.cell_cov)
    errors = np.random.default_rng(0).normal(size=(n, G, T)) @ root.T
    y = errors.reshape(n, -1) + effect * arms
    left, same = len(arms) - T - 1, np.kron(np.eye(G), np.ones((T, T)))
    best, statistic = np.full(n, -np.inf), np.empty(n)
    for ratio in (0, *np.geomspace(0.01, 100, 50)):
        W = np.linalg.inv(ratio * same + np.eye(len(arms)))
        information = X.T @ W @ X
        B = np.linalg.solve(information, X.T @ W)
        rss = np.einsum("ni,ij,nj->n", y, W - W @ X @ B, y)
        logdet = np.linalg.slogdet(W)[1] - np.linalg.slogdet(information)[1]
        likelihood = logdet / 2 - left / 2 * np.log(rss)
        t = y @ B[-1] / np.sqrt(rss / left * np.linalg.inv(information)[-1, -1])
        statistic = np.where(likelihood > best, t, statistic)
        best = np.maximum(best, likelihood)
    return [float((np.abs(statistic) > stats.t.isf(0.025, df)).mean()) for df in dfs]


def test_power_of_the_mixed_model_is_what_simulation_gives() -> None:
    plan = planned(stepped_wedge(4), 4, icc=0.115, cac=0.69)
    effect, dfs = plan.detectable(0.7), [plan.df, model_df(plan)]
    expected = [plan.power(effect, df=df) for df in dfs]
    assert_allclose(simulated(plan, effect, dfs), expected, atol=0.025)
    cautious, as_modelled = simulated(plan, 0.0, dfs)
    assert cautious < 0.05 and as_modelled == pytest.approx(0.05, abs=0.015)


# ---- what must not matter, and what must ---------------------------------------------------------

plans = st.builds(
    lambda T, layout, icc, cac, iac, decay, m: PeriodPlan(
        LAYOUTS[layout](T), np.full(len(LAYOUTS[layout](T)), 2), m, 1.0, icc, cac, decay, iac
    ),
    st.integers(2, 6),
    st.sampled_from(list(LAYOUTS)),
    st.floats(0, 0.9),
    st.floats(0, 1),
    st.floats(0, 0.9),
    st.booleans(),
    st.integers(1, 200),
)


@settings(max_examples=60, deadline=None)
@given(plans, st.randoms(use_true_random=False))
def test_labels_do_not_matter(plan: PeriodPlan, random: object) -> None:
    order = np.random.default_rng(0).permutation(plan.n_sequences)
    assert_allclose(replace(plan, sequences=plan.sequences[order]).variance, plan.variance)
    # A sequence twice with one group, or once with two.
    twice = replace(
        plan,
        sequences=np.repeat(plan.sequences, 2, axis=0),
        groups_per_sequence=np.ones(2 * plan.n_sequences, dtype=int),
    )
    assert_allclose(twice.variance, plan.variance)
    # Arms, and the direction of time.
    assert_allclose(replace(plan, sequences=1 - plan.sequences).variance, plan.variance)
    assert_allclose(replace(plan, sequences=plan.sequences[:, ::-1]).variance, plan.variance)
    # The unit of the outcome.
    assert_allclose(replace(plan, sd=10.0).variance, 100 * plan.variance)
    assert_allclose(replace(plan, sd=10.0).power(5.0), plan.power(0.5))


@settings(max_examples=60, deadline=None)
@given(plans)
def test_more_is_not_less(plan: PeriodPlan) -> None:
    assert plan.with_size(plan.cell_size + 1).variance <= plan.variance * (1 + 1e-9)
    assert_allclose(plan.with_groups(6).variance, plan.variance / 3)
    assert plan.power(0.5) <= plan.power(0.5, df=np.inf) + 1e-9
    two = replace(plan, sequences=plan.sequences[:, :2])
    if np.isfinite(two.variance):
        assert plan.variance <= two.variance * (1 + 1e-9)


@given(plans, st.floats(0.2, 0.95))
@settings(max_examples=30, deadline=None)
def test_detectable_is_found_with_the_power(plan: PeriodPlan, wanted: float) -> None:
    assert_allclose(plan.power(plan.detectable(wanted)), wanted, rtol=1e-6)


def test_power_with_no_effect_is_the_level() -> None:
    plan = planned(stepped_wedge(4), icc=0.1, cac=0.8)
    assert_allclose(plan.power(0.0, level=0.03), 0.03, rtol=1e-9)


def test_nothing_is_identified_without_two_arms_in_a_period() -> None:
    plan = planned(np.array([[0, 1], [0, 1]]), icc=0.1)
    assert np.isinf(plan.variance) and plan.power(9.0) == 0 and np.isnan(plan.detectable())
    assert groups_needed(plan, 9.0) is None
    # Two groups have a variance, and no df.
    alone = planned(stepped_wedge(3), 1, icc=0.1)
    assert np.isfinite(alone.variance) and alone.power(9.0) == 0 and np.isnan(alone.detectable())


@pytest.mark.parametrize(
    "change",
    [
        {"icc": 1.0},
        {"icc": -0.1},
        {"cac": 1.1},
        {"iac": 1.0},
        {"sd": 0.0},
        {"cell_size": 0},
        {"groups_per_sequence": np.array([1])},
        {"groups_per_sequence": np.array([0, 0, 0])},
        {"groups_per_sequence": np.array([1, -1, 2])},
        {"sequences": 2 * stepped_wedge(4)},
    ],
)
def test_what_is_no_plan(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"sequence|sd and|icc and"):
        replace(planned(stepped_wedge(4), icc=0.1), **change)


# ---- searches ------------------------------------------------------------------------------------


@pytest.mark.parametrize("effect", [0.5, 1.0, 3.0])
def test_groups_needed_are_the_fewest(effect: float) -> None:
    plan = planned(stepped_wedge(4), 7, icc=0.1, cac=0.8)
    found = groups_needed(plan, effect)
    assert found is not None and found.power(effect) >= 0.8
    k = int(found.groups_per_sequence[0])
    assert (found.groups_per_sequence == k).all()
    assert k == 1 or plan.with_groups(k - 1).power(effect) < 0.8


def test_groups_needed_keep_the_ratios() -> None:
    found = groups_needed(planned(stepped_wedge(4), [4, 2, 4], icc=0.1, cac=0.8), 0.6)
    assert found is not None
    assert (found.groups_per_sequence == found.groups_per_sequence[1] * np.array([2, 1, 2])).all()


def test_larger_cells_help_only_so_far() -> None:
    plan = planned(stepped_wedge(4), icc=0.1, cac=0.8)
    limit = plan.with_size(1e9)
    within, beyond = 1.05 * limit.detectable(), 0.95 * limit.detectable()
    found = size_needed(plan, within)
    assert found is not None and found.power(within) >= 0.8
    assert plan.with_size(found.cell_size - 1).power(within) < 0.8
    assert size_needed(plan, beyond) is None


def test_stepped_wedges_of_so_many_groups() -> None:
    plan = planned(stepped_wedge(4), 4, icc=0.1, cac=0.8)
    made = stepped_wedges(plan)
    assert [each.n_sequences for each in made] == [2, 3, 4, 6, 12]
    assert all(each.n_groups == 12 and each.n_periods == each.n_sequences + 1 for each in made)
    assert made[1].variance == plan.variance
    in_all = stepped_wedges(plan, members=48.0)
    assert [each.cell_size * each.n_periods for each in in_all] == pytest.approx([48.0] * 5)


# ---- layouts -------------------------------------------------------------------------------------


def test_layouts() -> None:
    assert stepped_wedge(3).tolist() == [[0, 1, 1], [0, 0, 1]]
    assert baseline(3).tolist() == [[0, 0, 0], [0, 1, 1]]
    assert crossover(3).tolist() == [[0, 1, 0], [1, 0, 1]]
    assert parallel(2).tolist() == [[0, 0], [1, 1]]


@each_layout
@pytest.mark.parametrize("n_periods", [3, 5])
def test_a_layout_knows_its_name(layout: str, n_periods: int) -> None:
    arms = LAYOUTS[layout](n_periods)
    assert layout_of(arms) == layout_of(arms[::-1]) == layout
    some = arms.copy()
    some[0, -1] = -1
    assert layout_of(some) == layout


def test_what_is_no_standard_layout() -> None:
    assert layout_of(np.array([[0, 1, 1], [1, 1, 0]])) == ""
    assert layout_of(np.array([[0, 1, 1]])) == ""


def test_groups_are_shared_out_evenly() -> None:
    assert share_out(12, 4).tolist() == [3, 3, 3, 3]
    assert share_out(6, 4).tolist() == [2, 1, 1, 2]
    with pytest.raises(ValueError, match="too few"):
        share_out(3, 4)
