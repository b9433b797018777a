"""What each specification must equal, from first principles."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from experiments import draw, fit_all, only, sample_of
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy import stats

from groupwise.algebra import estimable, independent_columns, pivoted_rank, row_space
from groupwise.sample import Sample

seeds = st.integers(0, 10**6)
some_sizes = st.lists(st.integers(1, 6), min_size=8, max_size=8).filter(lambda s: max(s) > 1)


def rows(sample: Sample, specification: str, method: str, table: str = "estimates") -> pd.DataFrame:
    return only(fit_all(sample, [specification])[table], method=method)


def group_means(sample: Sample) -> np.ndarray:
    design = sample.design
    return np.bincount(design.group, weights=sample.y) / design.group_size


# Balanced experiments -----------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize(("arms", "groups", "size"), [(2, 8, 5), (3, 15, 25), (4, 12, 3)])
def test_balanced_mixed_model_is_the_analysis_of_group_means(
    arms: int, groups: int, size: int, seed: int
) -> None:
    sample = sample_of(draw(arms=arms, groups=groups, sizes=size, sd_group=2, seed=seed))
    found = rows(sample, "mixed", "mixed_wald")
    means, arm = group_means(sample), sample.design.arm_of_group
    inside = [means[arm == j] for j in range(arms)]
    spread = sum(((m - m.mean()) ** 2).sum() for m in inside) / (groups - arms)
    of_arm = dict(zip(sample.design.arm_labels, (m.mean() for m in inside), strict=True))
    assert rows(sample, "mixed", "mixed_wald", "variance_components")["variance"].min() > 0
    for (b, a), row in zip(sample.design.contrasts, found.itertuples(), strict=True):
        assert_allclose(row.estimate, of_arm[b] - of_arm[a], rtol=1e-9)
        # Of the variances' optimum, not a closed form for the optimiser: half the digits.
        assert_allclose(row.std_error**2, spread * 2 * arms / groups, rtol=1e-5)
    f = stats.f_oneway(*inside).statistic
    assert_allclose(rows(sample, "mixed", "mixed_wald", "omnibus")["statistic"], f, rtol=1e-5)


@settings(max_examples=12)
@given(seeds, st.booleans())
def test_pooled_contrasts_are_differences_of_arm_means(seed: int, blocked: bool) -> None:
    sample = sample_of(draw("blocked" if blocked else "between", seed=seed))
    found = rows(sample, "pooled", "ols_classical", "marginal_means").set_index("arm")["estimate"]
    contrasts = rows(sample, "pooled", "ols_classical")
    for (b, a), estimate in zip(sample.design.contrasts, contrasts["estimate"], strict=True):
        assert_allclose(estimate, found[b] - found[a], atol=1e-10)
    if not blocked:
        arms = np.array(sample.design.arm_labels)[sample.design.arm]
        assert_allclose(pd.Series(sample.y).groupby(arms).mean(), found)


def test_pooled_with_two_arms_is_students_t_test() -> None:
    sample = sample_of(draw(arms=2, groups=6, sizes=[2, 3, 4, 5, 6, 7], seed=3))
    row = next(rows(sample, "pooled", "ols_classical").itertuples())
    y, arm = sample.y, sample.design.arm
    test = stats.ttest_ind(y[arm == 1], y[arm == 0])
    low, high = test.confidence_interval(0.95)
    expected = [test.statistic, test.df, test.pvalue, low, high]
    found = [row.statistic, row.df, row.p_value, row.conf_low, row.conf_high]
    assert_allclose(found, expected)
    omnibus = rows(sample, "pooled", "ols_classical", "omnibus").iloc[0]
    assert_allclose([omnibus["statistic"], omnibus["p_value"]], [test.statistic**2, test.pvalue])


# Groups on the boundary ---------------------------------------------------------------------------


def without_group_effect(seed: int) -> pd.DataFrame:
    """Groups whose means in an arm are equal: the best group variance is 0."""
    table = draw(groups=9, sizes=[2, 3, 4, 5, 6, 2, 3, 4, 5], sd_group=0, seed=seed)
    spread = table.groupby("g")["y"].transform("mean")
    return table.assign(y=table["y"] - spread + table.groupby("arm")["y"].transform("mean"))


@settings(max_examples=6)
@given(seeds)
def test_on_the_boundary_the_mixed_model_says_so_and_equals_ols(seed: int) -> None:
    tables = fit_all(sample_of(without_group_effect(seed)), ["mixed", "pooled"])
    for row in only(tables["variance_components"], group="g").itertuples():
        assert row.variance == row.conf_low == row.icc == row.icc_low == 0
        assert row.conf_high > 0 and row.icc_high > 0
    mixed = only(tables["estimates"], method="mixed_wald")
    pooled = only(tables["estimates"], method="ols_classical")
    assert mixed["singular"].all() and mixed["converged"].all()
    assert mixed["message"].str.contains("estimated as 0, the boundary").all()
    for column in ("estimate", "std_error"):
        assert_allclose(mixed[column], pooled[column], rtol=1e-9)
    assert not tables["random_effects"][["estimate", "std_error"]].to_numpy().any()


# Dummies ------------------------------------------------------------------------------------------


@settings(max_examples=12)
@given(seeds, some_sizes, st.booleans())
def test_dummy_regression_is_the_within_estimator(
    seed: int, sizes: list[int], covariate: bool
) -> None:
    sizes = [size + 3 for size in sizes]
    table = draw("within", groups=8, sizes=sizes, covariates=["x"] * covariate, seed=seed)
    sample = sample_of(table)
    design = sample.design

    def demean(values: np.ndarray) -> np.ndarray:
        sums = np.array([np.bincount(design.group, weights=v) for v in values.T])
        return values - (sums / design.group_size).T[design.group]

    X, y = demean(design.X[:, 1:]), demean(sample.y[:, None])[:, 0]
    beta = np.linalg.solve(X.T @ X, X.T @ y)
    df = design.n_obs - design.n_groups - X.shape[1]
    s2 = ((y - X @ beta) ** 2).sum() / df
    L = design.L[:, 1:]
    sd = np.sqrt(s2 * np.diag(L @ np.linalg.inv(X.T @ X) @ L.T))
    found = rows(sample, "dummy", "dummy")
    assert_allclose(found["estimate"], L @ beta, rtol=1e-7, atol=1e-9)
    assert_allclose(found["std_error"], sd, rtol=1e-7)
    assert (found["df"] == df).all() and found["converged"].all()


@settings(max_examples=12)
@given(seeds, some_sizes)
def test_nested_dummies_compare_unweighted_means_of_group_means(
    seed: int, sizes: list[int]
) -> None:
    sample = sample_of(draw(arms=2, groups=8, sizes=sizes, seed=seed))
    means, arm = group_means(sample), sample.design.arm_of_group
    row = rows(sample, "dummy", "dummy_nested").iloc[0]
    assert_allclose(row["estimate"], means[arm == 1].mean() - means[arm == 0].mean(), atol=1e-9)
    size = sample.design.group_size
    df = sample.design.n_obs - 8
    s2 = ((sample.y - means[sample.design.group]) ** 2).sum() / df
    assert_allclose(row["std_error"], np.sqrt(s2 * (1 / size).sum() / 16), rtol=1e-8)
    assert row["df"] == df


@settings(max_examples=12)
@given(seeds, some_sizes)
def test_nested_dummies_in_blocks_fit_the_group_means_unweighted(
    seed: int, sizes: list[int]
) -> None:
    sample = sample_of(draw("blocked", arms=2, groups=8, sizes=sizes, seed=seed))
    design, mu = sample.design, group_means(sample)
    A = np.linalg.pinv(design.X[design.first_of_group])
    s2 = ((sample.y - mu[design.group]) ** 2).sum() / (design.n_obs - 8)
    vcov = s2 * (A / design.group_size) @ A.T
    found = rows(sample, "dummy", "dummy_nested", "coefficients")
    assert_allclose(found["estimate"], A @ mu, atol=1e-8)
    assert_allclose(found["std_error"], np.sqrt(np.diag(vcov)), rtol=1e-8)


@pytest.mark.parametrize("blocks_as", ["fixed", "random"])
@pytest.mark.parametrize("kind", ["between", "blocked", "within", "mixed"])
def test_aliasing_conventions_print_different_numbers_of_one_fit(kind: str, blocks_as: str) -> None:
    sample = sample_of(draw(kind, covariates=["x"], seed=5), blocks_as=blocks_as)
    tables = fit_all(sample, ["dummy"])
    design = sample.design
    X = np.hstack([design.X, design.group[:, None] == np.arange(1, design.n_groups)])
    fitted = only(tables["residuals"], method="dummy")["fitted"].to_numpy()
    printed = {}
    for convention, part in tables["aliasing"].groupby("convention"):
        assert (part["estimate"].isna() == part["aliased"]).all()
        beta = part["estimate"].fillna(0).to_numpy()
        assert_allclose(X @ beta, fitted, atol=1e-8)
        printed[convention] = beta[part["role"] == "treatment"]
    identified = kind in ("within", "mixed")
    for other in ("drop_first", "minimum_norm"):
        assert np.allclose(printed["drop_last"], printed[other]) == identified


def test_means_of_arms_within_blocks_weight_groups_equally() -> None:
    table = draw("within", arms=2, groups=6, sizes=6, seed=2)
    table["b"] = np.where(table["g"] <= 2, "north", "south")
    found = rows(sample_of(table), "dummy", "dummy", "marginal_means")
    expected = table.groupby(["g", "arm"])["y"].mean().groupby("arm").mean()
    assert_allclose(found["estimate"], expected)
    assert found["converged"].all()


# Rank ---------------------------------------------------------------------------------------------


@given(seeds, st.integers(1, 4), st.integers(0, 3), st.sampled_from([1e-3, 1.0, 1e5]))
def test_every_order_of_columns_keeps_as_many_as_the_rank(
    seed: int, rank: int, extra: int, scale: float
) -> None:
    rng = np.random.default_rng(seed)
    base = rng.normal(size=(12, rank))
    X = np.hstack([base, base @ rng.integers(-2, 3, size=(rank, extra))])
    X = X[:, rng.permutation(rank + extra)] * scale ** rng.integers(0, 2, size=rank + extra)
    found, pivot = pivoted_rank(X)
    assert found == rank == len(row_space(X))
    assert sorted(pivot) == list(range(rank + extra))
    for _ in range(3):
        kept = independent_columns(X, rng.permutation(rank + extra))
        assert kept.sum() == rank == np.linalg.matrix_rank(X[:, kept])
    in_span = rng.normal(size=12) @ X
    assert estimable(row_space(X), in_span[None]).all()


def test_combinations_outside_the_row_space_are_not_estimable() -> None:
    X = np.array([[1, 1, 0], [1, 1, 0], [1, 0, 1], [1, 0, 1]], dtype=float)
    L = np.array([[0, 1, -1], [1, 1, 0], [0, 1, 0], [1, 0, 0], [2, 1, 1]], dtype=float)
    assert list(estimable(row_space(X), L)) == [True, True, False, False, True]


def test_r_drops_the_later_of_dependent_columns() -> None:
    x = np.arange(5.0)
    X = np.column_stack([np.ones(5), x, 2 * x + 1, x**2])
    assert list(independent_columns(X, np.arange(4))) == [True, True, False, True]
    assert list(independent_columns(X, np.array([0, 3, 2, 1]))) == [True, False, True, True]
