"""What the sandwiches have to be by their definitions, checked with explicit n x n matrices."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from experiments import cr_answers, draw, fit_all, only, robust_of, roles_of, sample_of
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.genmod.cov_struct import Exchangeable
from statsmodels.genmod.generalized_estimating_equations import GEE

from groupwise.design import make_design
from groupwise.inference.sandwich import (
    KINDS,
    hotelling_df,
    joint_tests,
    make_contrasts,
    satterthwaite_df,
    working_variance,
)
from groupwise.models.clusters import cluster_design
from groupwise.models.least_squares import coefficients, orthonormal_basis

ROUNDING = 1e-9
each_kind = pytest.mark.parametrize("kind", KINDS)


def random_design(seed: int, *, groups: int = 8, largest: int = 9) -> tuple[np.ndarray, np.ndarray]:
    """X (n, 4), intercept, arm of three at random to groups, covariate, and groups of unequal size."""
    rng = np.random.default_rng(seed)
    group = np.repeat(np.arange(groups), rng.integers(1, largest, size=groups))
    arm = (rng.permutation(groups) % 3)[group]
    x = rng.normal(size=group.size) + group / 4
    return np.column_stack([np.ones(group.size), arm == 1, arm == 2, x]), group


def power(A: np.ndarray, exponent: float) -> np.ndarray:
    """Symmetric power, generalised where A is singular."""
    values, vectors = np.linalg.eigh(A)
    positive = values > 1e-10
    return (vectors[:, positive] * values[positive] ** exponent) @ vectors[:, positive].T


def brute_force(X: np.ndarray, group: np.ndarray, L: np.ndarray, kind: str) -> np.ndarray:
    """The (k, G, n) matrices whose products with y are the groups' contributions."""
    n = len(X)
    M = np.linalg.pinv(X.T @ X)
    H = X @ M @ X.T
    parts = []
    for g in np.unique(group):
        rows = group == g
        I_H = np.eye(rows.sum()) - H[np.ix_(rows, rows)]
        A = {"CR2": power(I_H, -0.5), "CR3": power(I_H, -1.0)}.get(kind, np.eye(rows.sum()))
        parts.append(L @ M @ X[rows].T @ A @ (np.eye(n) - H)[rows])
    factor = 1.0
    if kind == "CR1":
        G, rank = len(parts), np.linalg.matrix_rank(X)
        factor = G / (G - 1) * (n - 1) / (n - rank)
    return np.sqrt(factor) * np.stack(parts, axis=1)


@each_kind
@pytest.mark.parametrize("largest", [2, 4, 12], ids=["single", "small", "large"])
def test_explicit_matrices(kind: str, largest: int) -> None:
    X, group = random_design(3, groups=14, largest=largest)
    y, L = np.random.default_rng(4).normal(size=len(X)), np.eye(4)[1:]
    made = make_contrasts(cluster_design(X, group), L, kind)
    p = brute_force(X, group, L, kind)
    contributions = p @ y
    np.testing.assert_allclose(
        robust_of(made, y).vcov, contributions @ contributions.T, rtol=ROUNDING
    )
    P = np.einsum("sgi,thi->stgh", p, p)  # covariances of contributions under independence
    expected = np.einsum("stgg->st", P)
    np.testing.assert_allclose(working_variance(made), expected, rtol=ROUNDING, atol=1e-12)
    df = np.diag(expected) ** 2 / np.einsum("ssgh,ssgh->s", P, P)
    np.testing.assert_allclose(satterthwaite_df(made), df, rtol=ROUNDING)
    root = power(expected, -0.5)
    Z = np.einsum("as,bt,stgh->abgh", root, root, P, optimize=True)
    total = np.einsum("ssgh,ttgh->", Z, Z) + np.einsum("stgh,tsgh->", Z, Z)
    assert hotelling_df(made) == pytest.approx(len(L) * (len(L) + 1) / total, rel=ROUNDING)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6))
def test_cr2_is_unbiased_under_independence(seed: int) -> None:
    """The trace identity: expectation over independent errors, exactly, not by simulation."""
    X, group = random_design(seed)
    made = make_contrasts(cluster_design(X, group), np.eye(4), "CR2")
    known = np.ix_(made.has_variance, made.has_variance)
    np.testing.assert_allclose(
        working_variance(made)[known], np.linalg.pinv(X.T @ X)[known], rtol=1e-7, atol=1e-9
    )


@pytest.mark.parametrize(("kind", "power_of"), [("CR0", 0), ("CR2", 1), ("CR3", 2)])
def test_groups_of_one_give_hc(kind: str, power_of: int) -> None:
    """HC0, HC2 and HC3, with squared residuals divided by powers of 1 - leverage."""
    X = random_design(1)[0]
    y = np.random.default_rng(2).normal(size=len(X))
    found = robust_of(make_contrasts(cluster_design(X, np.arange(len(X))), np.eye(4), kind), y)
    M = np.linalg.inv(X.T @ X)
    h = np.einsum("ij,jk,ik->i", X, M, X)
    weight = (y - X @ M @ X.T @ y) ** 2 / (1 - h) ** power_of
    np.testing.assert_allclose(found.vcov, M @ (X.T * weight) @ X @ M, rtol=ROUNDING)


@pytest.mark.parametrize("sizes", [(6, 6), (4, 11)])
def test_two_samples_of_single_rows_give_welch(sizes: tuple[int, int]) -> None:
    """HC2 is Welch's standard error, and its df is Welch's where variances are what is assumed.

    Welch and Satterthwaite put the sample variances into the formula that Bell and McCaffrey
    evaluate under equal ones.
    """
    y = np.random.default_rng(5).normal(size=sum(sizes))
    arm = np.repeat([0.0, 1.0], sizes)
    y = np.where(arm, (y - y[arm == 1].mean()) / y[arm == 1].std(ddof=1) + 1, 0) + np.where(
        arm, 0, (y - y[arm == 0].mean()) / y[arm == 0].std(ddof=1)
    )
    X = np.column_stack([np.ones(len(y)), arm])
    made = make_contrasts(cluster_design(X, np.arange(len(y))), np.array([[0.0, 1.0]]), "CR2")
    welch = stats.ttest_ind(y[arm == 1], y[arm == 0], equal_var=False)
    found = robust_of(made, y)
    assert found.estimate[0] / found.std_error[0] == pytest.approx(welch.statistic, rel=ROUNDING)
    assert satterthwaite_df(made)[0] == pytest.approx(welch.df, rel=ROUNDING)


def test_groups_of_one_size_give_the_t_test_on_means() -> None:
    """Two arms: CR2 is Welch's test on group means, whatever happens inside groups."""
    group = np.repeat(np.arange(11), 5)
    arm = (group >= 4).astype(float)
    y = np.random.default_rng(6).normal(size=55) + np.random.default_rng(7).normal(size=11)[group]
    X = np.column_stack([np.ones(55), arm])
    found = robust_of(make_contrasts(cluster_design(X, group), np.array([[0.0, 1.0]]), "CR2"), y)
    means = y.reshape(11, 5).mean(axis=1)
    welch = stats.ttest_ind(means[4:], means[:4], equal_var=False)
    assert found.estimate[0] / found.std_error[0] == pytest.approx(welch.statistic, rel=ROUNDING)


@each_kind
def test_row_order_and_labels_do_not_matter(kind: str) -> None:
    X, group = random_design(8)
    rng = np.random.default_rng(9)
    y, order = rng.normal(size=len(X)), rng.permutation(len(X))
    made = make_contrasts(cluster_design(X, group), np.eye(4), kind)
    names = np.array([f"class {7 * g % 8}" for g in range(8)])
    other = make_contrasts(cluster_design(X[order], names[group][order]), np.eye(4), kind)
    np.testing.assert_allclose(
        robust_of(other, y[order]).vcov, robust_of(made, y).vcov, rtol=ROUNDING
    )
    np.testing.assert_allclose(satterthwaite_df(other), satterthwaite_df(made), rtol=ROUNDING)


@each_kind
def test_a_batch_is_its_singles(kind: str) -> None:
    X, group = random_design(10, groups=12)
    made = make_contrasts(cluster_design(X, group), np.eye(4)[1:3], kind)
    y = np.random.default_rng(11).normal(size=(2, 3, len(X)))
    batch = robust_of(made, y)
    tests = joint_tests(made, batch)
    for i in np.ndindex(2, 3):
        single = robust_of(made, y[i])
        np.testing.assert_allclose(batch.estimate[i], single.estimate, rtol=ROUNDING)
        np.testing.assert_allclose(batch.vcov[i], single.vcov, rtol=ROUNDING)
        assert tests.p_value[i] == pytest.approx(joint_tests(made, single).p_value, rel=ROUNDING)


@each_kind
@pytest.mark.parametrize("factor", ["block", "group"])
def test_absorbed_indicators_are_the_full_dummy_model(kind: str, factor: str) -> None:
    rng = np.random.default_rng(12)
    group = np.repeat(np.arange(24), rng.integers(1, 7, size=24))
    block = group // 4
    arm = rng.integers(0, 3, size=group.size) if factor == "group" else group % 3
    level = group if factor == "group" else block
    D = (level[:, None] == np.arange(1, level.max() + 1)).astype(float)
    X = np.column_stack([np.ones(group.size), arm == 1, arm == 2, rng.normal(size=group.size), D])
    y = rng.normal(size=(3, group.size))
    L = np.eye(X.shape[1])[1:6]
    full = make_contrasts(cluster_design(X, group), L, kind)
    less = make_contrasts(cluster_design(X, group, level), L, kind)
    short = make_contrasts(cluster_design(X[:, :4], group, level), L[:3, :4], kind)
    np.testing.assert_array_equal(full.has_variance, less.has_variance)
    for made, rows in ((less, slice(None)), (short, slice(3))):
        found, expected = robust_of(made, y), robust_of(full, y)
        np.testing.assert_allclose(found.estimate, expected.estimate[:, rows], atol=1e-9)
        np.testing.assert_allclose(found.std_error, expected.std_error[:, rows], rtol=ROUNDING)
        df = satterthwaite_df(full)[rows]
        np.testing.assert_allclose(satterthwaite_df(made), df, rtol=ROUNDING)
    arms = [make_contrasts(made.clusters, L[:2, : X.shape[1]], kind) for made in (full, less)]
    assert hotelling_df(arms[0]) == pytest.approx(hotelling_df(arms[1]), rel=ROUNDING)


@pytest.mark.parametrize("scale", [1e-12, -3.0, 1e12])
@each_kind
def test_shift_and_scale(kind: str, scale: float) -> None:
    sample = sample_of(draw(covariates=["x"], sizes=[2, 3, 9, 4, 4, 5, 6, 1, 7]))
    once = cr_answers(sample.design, sample.y, kind)
    again = cr_answers(sample.design, 5 * scale + scale * sample.y, kind)
    for name in ("contrasts", "means"):
        was, now = getattr(once, name), getattr(again, name)
        shift = 0 if name == "contrasts" else 5 * scale
        np.testing.assert_allclose(now.estimate, shift + scale * was.estimate, rtol=1e-8)
        np.testing.assert_allclose(now.std_error, abs(scale) * was.std_error, rtol=1e-8)
        np.testing.assert_allclose(now.df, was.df, rtol=ROUNDING)
    assert again.omnibus.p_value == pytest.approx(once.omnibus.p_value, rel=1e-8)


def test_dependent_columns_change_no_estimable_answer() -> None:
    X, group = random_design(13)
    y = np.random.default_rng(14).normal(size=len(X))
    wide = np.column_stack([X, X[:, 1] + X[:, 2], 1e6 * X[:, 3]])
    L = np.zeros((2, 6))
    L[0, [1, 2]] = 1, -1  # estimable: the new column adds the same to both
    L[1, 1] = 1
    found = robust_of(make_contrasts(cluster_design(wide, group), L, "CR2"), y)
    expected = robust_of(make_contrasts(cluster_design(X, group), L[:1, :4], "CR2"), y)
    np.testing.assert_allclose(found.estimate[0], expected.estimate[0], rtol=ROUNDING)
    np.testing.assert_allclose(found.std_error[0], expected.std_error[0], rtol=ROUNDING)
    assert np.isnan(found.estimate[1])
    assert np.isnan(found.std_error[1])


def test_one_group_in_an_arm_has_no_standard_error() -> None:
    table = draw(groups=9)
    arm = np.where(table["g"] == 1, "Z", np.where(table["g"] < 6, "A", "B"))
    table["arm"] = pd.Categorical(arm, ["A", "B", "Z"])
    design, y = make_design(table, roles_of(table)), table["y"].to_numpy()
    for kind in KINDS:
        answers = cr_answers(design, y, kind)
        alone = np.array(["Z" in pair for pair in design.contrasts])
        np.testing.assert_array_equal(np.isnan(answers.contrasts.estimate), alone)
        np.testing.assert_array_equal(np.isnan(answers.contrasts.std_error), alone)
        assert np.isnan(answers.omnibus.p_value)
    sample = replace(sample_of(draw(groups=9)), design=design, y=y)
    rows = fit_all(sample, ["pooled"])["estimates"]
    assert rows.loc[rows["method"] == "ols_cr2", "message"].str.contains("Z - A").all()


@each_kind
def test_outcomes_without_spread_have_no_standard_error(kind: str) -> None:
    sample = sample_of(draw())
    for y in (np.full(sample.y.shape, 70.1), sample.design.X @ np.array([0.1, 0.7, 1e3])):
        answers = cr_answers(sample.design, y, kind)
        assert np.isnan(answers.contrasts.p_value).all()
        assert np.isnan(answers.omnibus.p_value)


def test_least_squares_of_a_batch() -> None:
    X = random_design(15)[0]
    y = np.random.default_rng(16).normal(size=(4, 2, len(X)))
    basis, wide = orthonormal_basis(X), orthonormal_basis(np.column_stack([X, X[:, 1]]))
    coordinates, residual = basis.project(y)
    expected = np.linalg.lstsq(X, y.reshape(8, -1).T, rcond=None)
    beta = coefficients(basis, coordinates)
    np.testing.assert_allclose(beta.reshape(8, -1).T, expected[0], rtol=ROUNDING, atol=1e-12)
    np.testing.assert_allclose((residual**2).sum(-1).ravel(), expected[1], rtol=ROUNDING)
    along, left = wide.project(y)
    np.testing.assert_allclose(left, residual, atol=1e-12)
    unknown = np.isnan(coefficients(wide, along)[0, 0])
    np.testing.assert_array_equal(unknown, [False, True, False, False, True])


def test_a_group_in_two_levels_cannot_be_absorbed() -> None:
    X, group = random_design(17)
    with pytest.raises(ValueError, match="several levels"):
        cluster_design(X, group, np.arange(len(X)) % 2)


def test_group_means_of_one_size_are_a_t_test() -> None:
    sample = sample_of(draw(arms=2, groups=9, sizes=4))
    rows = fit_all(sample, ["group_means"])["estimates"]
    means = sample.y.reshape(9, 4).mean(axis=1)
    first = sample.design.arm_of_group == 0
    expected = stats.ttest_ind(means[~first], means[first])
    for method in ("group_means", "group_means_weighted"):
        row = only(rows, method=method).iloc[0]
        assert row["statistic"] == pytest.approx(expected.statistic, rel=ROUNDING)
        assert row["df"] == expected.df
        assert row["p_value"] == pytest.approx(expected.pvalue, rel=ROUNDING)


@pytest.mark.parametrize("kind", ["between", "blocked", "within", "mixed"])
def test_gee_is_that_of_statsmodels(kind: str) -> None:
    sample = sample_of(draw(kind, groups=12, sizes=[3, 4, 5, 6] * 3, covariates=["x"]))
    design = sample.design
    model = GEE(sample.y, design.X, groups=design.group, cov_struct=Exchangeable())
    expected = model.fit(cov_type="bias_reduced", ctol=1e-9, maxiter=200)
    found = only(fit_all(sample, ["gee"])["coefficients"], method="gee_bias_reduced")
    np.testing.assert_allclose(found["estimate"], expected.params, rtol=1e-6)
    np.testing.assert_allclose(found["std_error"], expected.bse, rtol=1e-6)
    assert (found["df"] == design.n_groups - design.X.shape[1]).all()


def test_gee_with_groups_of_one_size_is_cr3() -> None:
    """Equal sizes make exchangeable weights those of OLS, and Mancl and DeRouen's sandwich CR3."""
    sample = sample_of(draw(groups=12, sizes=5))
    found = fit_all(sample, ["gee"])["estimates"]
    expected = cr_answers(sample.design, sample.y, "CR3")
    np.testing.assert_allclose(found["estimate"], expected.contrasts.estimate, rtol=1e-8)
    np.testing.assert_allclose(found["std_error"], expected.contrasts.std_error, rtol=1e-8)


@pytest.mark.parametrize("factor", [1e-12, 1e12])
def test_gee_knows_no_units(factor: float) -> None:
    sample = sample_of(draw(groups=12, sizes=[3, 4, 5, 6] * 3))
    once = fit_all(sample, ["gee"])["coefficients"]
    again = fit_all(replace(sample, y=factor * sample.y), ["gee"])["coefficients"]
    for column in ("estimate", "std_error"):
        np.testing.assert_allclose(again[column], factor * once[column], rtol=1e-9)


def test_gee_refuses_a_correlation_that_cannot_be() -> None:
    """Group means that are all equal: members of a group are as different as can be."""
    sample = sample_of(draw(groups=9, sizes=[3, 4, 9] * 3))
    centred = (
        sample.y
        - (np.bincount(sample.design.group, sample.y) / sample.design.group_size)[
            sample.design.group
        ]
    )
    row = fit_all(replace(sample, y=centred), ["gee"])["estimates"].iloc[0]
    assert not row["converged"]
    assert "correlation" in row["message"]


@pytest.mark.parametrize("kind", ["between", "within"])
@pytest.mark.parametrize("specification", ["pooled", "group_means", "gee"])
def test_every_method_has_its_rows(kind: str, specification: str) -> None:
    sample = sample_of(draw(kind, groups=12, sizes=6))
    rows = fit_all(sample, [specification])["estimates"]
    assert (rows.groupby("method").size() == 3).all()
    assert (rows["converged"] | (rows["message"] != "")).all()
    assert (rows["p_value"].notna() == rows["converged"]).all()


@pytest.mark.parametrize("specification", ["group_means", "gee"])
def test_a_constant_outcome_has_no_p_value_and_a_reason(specification: str) -> None:
    sample = sample_of(draw(groups=12, sizes=6))
    constant = replace(sample, y=np.full(sample.y.shape, 2.5))
    rows = fit_all(constant, [specification])["estimates"]
    assert not rows["converged"].any()
    assert rows["p_value"].isna().all()
    assert (rows["message"] != "").all()
