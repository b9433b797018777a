"""Theorems and invariances of the random-intercept engine, for one dataset and for batches."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from groupwise.algebra import invert
from groupwise.inference.bootstrap import bootstrap
from groupwise.inference.one_intercept_profile import OneInterceptVariances
from groupwise.inference.profile import likelihood_ratio, profile
from groupwise.inference.small_sample import (
    adjusted_vcov,
    kenward_roger,
    kenward_roger_df,
    kenward_roger_joint,
    satterthwaite,
    satterthwaite_df,
    satterthwaite_joint,
)
from groupwise.inference.variance_test import group_variance_test, null_distribution
from groupwise.inference.wald import t_quantile, wald
from groupwise.models import random_intercept
from groupwise.models.random_intercept import RandomIntercept, RandomInterceptFit

LEVEL = 0.95


@st.composite
def experiments(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """X (n, p), group (n,) and outcomes (5, n): unequal groups, two or three arms, a covariate."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    arms = draw(st.integers(2, 3))
    size = rng.integers(1, draw(st.integers(3, 12)), size=arms * draw(st.integers(2, 6)))
    size[:arms] += 2
    group = rng.permutation(np.repeat(np.arange(len(size)), size))
    arm = group % arms
    X = np.column_stack([np.ones(len(group)), *(arm == j for j in range(1, arms))]).astype(float)
    if draw(st.booleans()):
        X = np.column_stack([X, rng.normal(3, 2, len(group)) + rng.normal(size=len(size))[group]])
    sd = draw(st.sampled_from([0.0, 0.3, 1.0, 4.0]))
    u = sd * rng.standard_normal((5, len(size)))
    return X, group, 10 + u[:, group] + rng.standard_normal((5, len(group)))


def balanced(seed: int, *, sd_group: float = 2.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    group = np.repeat(np.arange(12), 7)
    X = np.column_stack([np.ones(84), group % 3 == 1, group % 3 == 2]).astype(float)
    return X, group, rng.standard_normal(84) + sd_group * rng.standard_normal(12)[group]


def contrasts(X: np.ndarray) -> np.ndarray:
    return np.eye(X.shape[1])[1:]


def brute_force(X: np.ndarray, group: np.ndarray, y: np.ndarray, theta: float, reml: bool) -> float:
    """-2 log-likelihood with the residual variance profiled out, from the n x n matrix."""
    n, p = X.shape
    H = np.eye(n) + theta**2 * (group[:, None] == group)
    XH = np.linalg.solve(H, X).T
    left = y - X @ np.linalg.solve(XH @ X, XH @ y)
    df = n - p if reml else n
    sigma2 = left @ np.linalg.solve(H, left) / df
    extra = np.linalg.slogdet(XH @ X)[1] if reml else 0.0
    return float(np.linalg.slogdet(H)[1] + extra + df * (1 + np.log(2 * np.pi * sigma2)))


@pytest.mark.parametrize("largest", [1000, 0], ids=["spectral", "by size"])
@pytest.mark.parametrize("reml", [True, False], ids=["reml", "ml"])
@settings(max_examples=25, deadline=None)
@given(experiment=experiments())
def test_criterion_is_the_dense_one_and_least(experiment, reml: bool, largest: int) -> None:
    X, group, y = experiment
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(random_intercept, "LARGEST_EIGENPROBLEM", largest)
        model = RandomIntercept.of(X, group)
        for theta in (0.0, 0.4, 2.5):
            ours = model.fit(y, reml=reml, theta=theta).criterion
            dense = [brute_force(X, group, each, theta, reml) for each in y]
            np.testing.assert_allclose(ours, dense, rtol=1e-9)
        fit = model.fit(y, reml=reml)
        assert fit.converged.all()
        for step in (-1e-3, 1e-3, 0.3, 3.0):
            there = model.fit(y, reml=reml, theta=np.abs(fit.theta + step)).criterion
            assert (fit.criterion <= there + 1e-9).all()


@settings(max_examples=50, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    low=st.floats(1e-3, 1e3),
    ratio=st.floats(1 + 1e-6, 1e3),
    lam=st.sampled_from([0.0]) | st.floats(-8, 12).map(lambda power: 10.0**power),
)
def test_sums_at_nodes_are_those_over_eigenvalues(
    seed: int, low: float, ratio: float, lam: float
) -> None:
    rng = np.random.default_rng(seed)
    mu = np.unique(np.concatenate([[1.0, ratio], rng.uniform(1, ratio, 1500)])) * low
    nodes, weights = random_intercept._nodes(mu)
    ss, lam = rng.chisquare(1, (2, len(mu))), lam / mu.max()
    for f in (
        lambda x: 1 / (1 + lam * x),
        lambda x: x / (1 + lam * x) ** 2,
        lambda x: x**2 / (1 + lam * x) ** 3,
        lambda x: np.log1p(lam * x),
    ):
        np.testing.assert_allclose(ss @ weights @ f(nodes), ss @ f(mu), rtol=1e-12)


def test_nodes_are_fewer_or_the_eigenvalues_themselves() -> None:
    few, many = np.arange(1.0, 10), np.linspace(1, 40, 300)
    assert len(random_intercept._nodes(many)[0]) < 60
    for mu in (few, few[:1]):
        nodes, weights = random_intercept._nodes(mu)
        np.testing.assert_array_equal(nodes, mu)
        np.testing.assert_array_equal(weights, np.eye(len(mu)))


@pytest.mark.parametrize("reml", [True, False], ids=["reml", "ml"])
def test_fits_of_groups_of_many_sizes_are_those_by_size(reml: bool) -> None:
    rng = np.random.default_rng(5)
    group = np.repeat(np.arange(80), rng.permutation(np.arange(2, 82)))
    arm, n = group % 3, len(group)
    X = np.column_stack([np.ones(n), arm == 1, arm == 2, rng.normal(size=n)])
    y = rng.normal(size=(6, n)) + rng.normal(size=(6, 80))[:, group] * np.arange(6)[:, None] / 4
    model = RandomIntercept.of(X, group)
    assert model.basis is not None and len(model.basis.nodes) < len(model.basis.mu)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(random_intercept, "LARGEST_EIGENPROBLEM", 0)
        by_size = RandomIntercept.of(X, group).fit(y, reml=reml)
    fit = model.fit(y, reml=reml)
    np.testing.assert_allclose(fit.theta, by_size.theta, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(fit.criterion, by_size.criterion, rtol=1e-12)
    np.testing.assert_allclose(fit.beta, by_size.beta, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(fit.vcov, by_size.vcov, rtol=1e-9, atol=1e-13)


@settings(max_examples=25, deadline=None)
@given(experiment=experiments())
def test_a_batch_is_its_single_fits(experiment) -> None:
    X, group, y = experiment
    model = RandomIntercept.of(X, group)
    batch, L = model.fit(y), contrasts(X)
    at = batch.information(L)
    adjusted, df = adjusted_vcov(at), satterthwaite_df(at)
    for b, each in enumerate(y):
        one = model.fit(each)
        assert one.theta.shape == ()
        np.testing.assert_allclose(one.theta, batch.theta[b], rtol=1e-7, atol=1e-9)
        np.testing.assert_allclose(one.beta, batch.beta[b], rtol=1e-7, atol=1e-9)
        at = one.information(L)
        np.testing.assert_allclose(adjusted_vcov(at), adjusted[b], rtol=1e-6, atol=1e-12)
        np.testing.assert_allclose(satterthwaite_df(at), df[b], rtol=1e-6)
    shaped = model.fit(y.reshape(1, 5, -1))
    np.testing.assert_array_equal(shaped.vcov[0], batch.vcov)


@settings(max_examples=25, deadline=None)
@given(experiment=experiments())
def test_effects_likelihood_and_blups_are_those_of_gls(experiment) -> None:
    X, group, y = experiment
    fit = RandomIntercept.of(X, group).fit(y[0])
    Z = (group[:, None] == np.arange(group.max() + 1)).astype(float)
    V = fit.var_group * Z @ Z.T + fit.var_residual * np.eye(len(group))
    inverse = np.linalg.inv(V)
    vcov = np.linalg.inv(X.T @ inverse @ X)
    beta = vcov @ X.T @ inverse @ y[0]
    blup, sd = fit.blups()
    np.testing.assert_allclose(fit.beta, beta, rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(fit.vcov, vcov, rtol=1e-7, atol=1e-10)
    left = y[0] - X @ beta
    loglik = -0.5 * (
        (len(group) - X.shape[1]) * np.log(2 * np.pi)
        + np.linalg.slogdet(V)[1]
        - np.linalg.slogdet(vcov)[1]
        + left @ inverse @ left
    )
    np.testing.assert_allclose(fit.loglik, loglik, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(blup, fit.var_group * Z.T @ inverse @ left, atol=1e-8)
    given = fit.var_group - fit.var_group**2 * np.diag(Z.T @ inverse @ Z)
    np.testing.assert_allclose(sd, np.sqrt(np.maximum(given, 0)), atol=1e-7)


def test_balanced_between_design_is_the_t_test_of_group_means() -> None:
    X, group, y = balanced(1)
    fit = RandomIntercept.of(X, group).fit(y)
    means = np.bincount(group, weights=y) / 7
    a, b = means[0::3], means[1::3]
    pooled = np.sqrt(sum(((m - m.mean()) ** 2).sum() for m in (a, b, means[2::3])) / 9)
    t = (b.mean() - a.mean()) / (pooled * np.sqrt(2 / 4))
    for infer in (satterthwaite, kenward_roger):
        inference = infer(fit, contrasts(X), LEVEL)
        np.testing.assert_allclose(inference.df, 9, rtol=1e-10)
        np.testing.assert_allclose(inference.statistic[0], t, rtol=1e-10)
    anova = stats.f_oneway(means[0::3], means[1::3], means[2::3])
    for joint in (satterthwaite_joint, kenward_roger_joint):
        test = joint(fit, contrasts(X))
        np.testing.assert_allclose(
            [test.statistic, test.df_den, test.p_value], [anova.statistic, 9, anova.pvalue]
        )


def test_at_the_boundary_everything_is_ols() -> None:
    X, group, y = balanced(3, sd_group=0.0)
    y = y - np.bincount(group, weights=y)[group] / 7  # no variation between groups at all
    fit = RandomIntercept.of(X, group).fit(y)
    ols = np.linalg.lstsq(X, y, rcond=None)[0]
    assert fit.theta == 0
    assert fit.singular
    assert fit.converged
    np.testing.assert_allclose(fit.beta, ols, atol=1e-12)
    sigma2 = ((y - X @ ols) ** 2).sum() / 81
    np.testing.assert_allclose(fit.vcov, sigma2 * np.linalg.inv(X.T @ X), rtol=1e-10)
    at = fit.information(contrasts(X))
    np.testing.assert_allclose(satterthwaite_df(at), 81, rtol=1e-12)
    np.testing.assert_allclose(kenward_roger_df(at), 9, rtol=1e-10)
    assert (fit.blups()[0] == 0).all()


@settings(max_examples=25, deadline=None)
@given(
    experiment=experiments(),
    shift=st.sampled_from([0.0, -1e3, 1e6]),
    scale=st.sampled_from([1e-9, -1.0, 1e9]),
)
def test_shift_scale_row_order_and_labels_change_nothing(experiment, shift, scale) -> None:
    X, group, y = experiment
    L, fit = contrasts(X), RandomIntercept.of(X, group).fit(y)
    rng = np.random.default_rng(0)
    order, label = rng.permutation(len(group)), rng.permutation(group.max() + 1)
    away = shift * abs(scale) + scale * y[:, order]  # what is far off in its own unit is rounded
    moved = RandomIntercept.of(X[order], label[group[order]]).fit(away)
    np.testing.assert_allclose(moved.theta, fit.theta, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(
        moved.beta @ L.T, scale * fit.beta @ L.T, rtol=1e-5, atol=1e-5 * abs(scale)
    )
    clear = np.abs(fit.theta) > 0.02  # closer to 0 the shift's rounding shows in the df
    ours, theirs = kenward_roger(fit, L, LEVEL), kenward_roger(moved, L, LEVEL)
    np.testing.assert_allclose(theirs.df[clear], ours.df[clear], rtol=1e-4)
    np.testing.assert_allclose(theirs.p_value[clear], ours.p_value[clear], rtol=1e-3, atol=1e-9)


def test_a_local_optimum_at_zero_hides_no_better_one() -> None:
    """Two eigenvalues far apart: the criterion has minima at 0 and inside."""
    profile = random_intercept.Spectral(
        mu=np.array([1.0, 1000.0]),
        ss=np.array([[0.5, 60_000.0]]),
        rest=np.array([20.0]),
        det_mu=np.array([1.0, 1000.0]),
        det_mult=np.array([30.0, 1.0]),
        df=60,
    )
    objective = random_intercept.Profiled(60)
    found = random_intercept.minimise(profile, objective)
    grid = np.concatenate([[0.0], np.logspace(-6, 4, 20_001)])
    values = objective.value(grid, *profile.grid(grid))[0]
    at = objective.value(found.lam, *profile.value(found.lam))
    assert at <= values.min() + 1e-9


def test_kenward_roger_does_not_depend_on_how_the_variances_are_written() -> None:
    """Against the definition: both variances, dense matrices, expected information."""
    rng = np.random.default_rng(5)
    group = np.repeat(np.arange(8), [2, 3, 5, 7, 2, 6, 4, 9])
    n = len(group)
    X = np.column_stack([np.ones(n), group % 2, rng.normal(size=n)])
    y = rng.normal(size=n) + 2 * rng.normal(size=8)[group]
    fit = RandomIntercept.of(X, group).fit(y)
    G = [(group[:, None] == group).astype(float), np.eye(n)]
    inverse = np.linalg.inv(fit.var_group * G[0] + fit.var_residual * G[1])
    Phi = np.linalg.inv(X.T @ inverse @ X)
    project = inverse - inverse @ X @ Phi @ X.T @ inverse
    information = [[np.trace(project @ a @ project @ b) / 2 for b in G] for a in G]
    W = np.linalg.inv(information)
    P = [-X.T @ inverse @ a @ inverse @ X for a in G]
    inner = sum(
        W[r, s] * (X.T @ inverse @ G[r] @ inverse @ G[s] @ inverse @ X - P[r] @ Phi @ P[s])
        for r in range(2)
        for s in range(2)
    )
    adjusted = Phi + 2 * Phi @ inner @ Phi
    at = fit.information(np.eye(3))
    np.testing.assert_allclose(adjusted_vcov(at), adjusted, rtol=1e-8)
    for row, df in zip(np.eye(3), kenward_roger_df(at), strict=True):
        slope = np.array([row @ Phi @ each @ Phi @ row for each in P])
        np.testing.assert_allclose(df, 2 * (row @ Phi @ row) ** 2 / (slope @ W @ slope), rtol=1e-8)


@pytest.mark.parametrize("q", [1, 2])
def test_joint_tests_of_one_row_are_the_squared_t(q: int) -> None:
    X, group, y = balanced(7)
    X = np.column_stack([X, np.random.default_rng(1).normal(size=84)])
    fit = RandomIntercept.of(X, group).fit(y)
    row = np.eye(4)[1:2]
    L = np.vstack([row] * q)  # a repeated row adds nothing
    for one, joint in (
        (satterthwaite, satterthwaite_joint),
        (kenward_roger, kenward_roger_joint),
    ):
        inference, test = one(fit, row, LEVEL), joint(fit, L)
        assert test.df_num == 1
        np.testing.assert_allclose(test.statistic, inference.statistic[0] ** 2, rtol=1e-9)
        np.testing.assert_allclose(test.df_den, inference.df[0], rtol=1e-9)


@settings(max_examples=10, deadline=None)
@given(experiment=experiments())
def test_profile_limits_lie_on_the_cutoff(experiment) -> None:
    X, group, y = experiment
    model = RandomIntercept.of(X, group)
    inference = profile(model.fit(y), contrasts(X), LEVEL)
    excluded = (inference.conf_low > 0) | (inference.conf_high < 0)
    np.testing.assert_array_equal(excluded, inference.p_value < 1 - LEVEL)
    row = np.eye(X.shape[1])[1]
    for limit in (inference.conf_low[:, 0], inference.conf_high[:, 0]):
        moved = y - limit[:, None] * X[:, 1]
        ratio = likelihood_ratio(model.fit(moved), row[None, :]).statistic
        np.testing.assert_allclose(ratio, stats.chi2.ppf(LEVEL, 1), rtol=1e-6)
    at = OneInterceptVariances.of(model.fit(y), reml=False)
    for parameter in (at.effect_sd(0, 0), at.residual_sd(), at.share(0)):
        interval = parameter.limits(LEVEL)
        assert (interval.conf_low <= interval.estimate).all()
        assert (interval.estimate <= interval.conf_high).all()


def test_profile_of_the_icc_starts_at_zero_when_the_likelihood_ratio_does() -> None:
    X, group, y = balanced(11, sd_group=0.3)
    model = RandomIntercept.of(X, group)
    fit = model.fit(y)
    at = OneInterceptVariances.of(fit, reml=True)
    interval = at.share(0).limits(LEVEL)
    statistic = group_variance_test(fit, n_draws=1000).statistic
    assert (interval.conf_low == 0) == (statistic <= stats.chi2.ppf(LEVEL, 1))
    assert (interval.conf_low == 0) == (at.effect_sd(0, 0).limits(LEVEL).conf_low == 0)


def test_exact_null_of_the_group_variance_is_that_of_simulated_outcomes() -> None:
    rng = np.random.default_rng(2)
    group = np.repeat(np.arange(7), [3, 4, 9, 2, 5, 8, 6])
    X = np.column_stack([np.ones(37), group % 2, rng.normal(size=37)])
    model = RandomIntercept.of(X, group)
    draws_ = null_distribution(model, n_draws=20_000, seed=1)
    test = group_variance_test(model.fit(rng.normal(size=(20_000, 37))), n_draws=1000, seed=1)
    assert draws_ is not None
    assert abs((draws_ == 0).mean() - (test.statistic == 0).mean()) < 0.02
    positive = stats.ks_2samp(draws_[draws_ > 0], test.statistic[test.statistic > 0])
    assert positive.pvalue > 1e-3


def test_drawn_sums_have_the_distribution_of_drawn_outcomes() -> None:
    rng = np.random.default_rng(4)
    group = np.repeat(np.arange(6), [1, 3, 4, 9, 2, 5])
    X = np.column_stack([np.ones(24), group % 2, rng.normal(size=24)])
    model, theta = RandomIntercept.of(X, group), 0.8
    y = rng.normal(size=(20_000, 24)) + theta * rng.normal(size=(20_000, 6))[:, group]
    slow = model.fit(y)
    fast = model.fit_sums(model.draw_sums(theta, rng, size=20_000))
    for name in ("theta", "var_residual", "criterion"):
        assert stats.ks_2samp(getattr(slow, name), getattr(fast, name)).pvalue > 1e-3
    for j in range(3):
        assert stats.ks_2samp(slow.beta[:, j], fast.beta[:, j]).pvalue > 1e-3


def test_bootstrap_repeats_itself_and_agrees_with_the_exact_t_test() -> None:
    X, group, y = balanced(1)
    fit = RandomIntercept.of(X, group).fit(y)
    first = bootstrap(fit, contrasts(X), LEVEL, n_draws=3999, seeds=3)
    again = bootstrap(fit, contrasts(X), LEVEL, n_draws=3999, seeds=3)
    np.testing.assert_array_equal(first.p_value, again.p_value)
    exact = kenward_roger(fit, contrasts(X), LEVEL)
    np.testing.assert_allclose(first.p_value, exact.p_value, atol=0.04)
    np.testing.assert_allclose(first.conf_low, exact.conf_low, rtol=0.1)
    excluded = (first.conf_low > 0) | (first.conf_high < 0)
    np.testing.assert_array_equal(excluded, first.p_value <= 1 - LEVEL)


def test_the_first_draws_of_a_longer_bootstrap_are_those_of_a_shorter_one() -> None:
    X, group, _ = balanced(1)
    model = RandomIntercept.of(X, group)

    def theta(n: int) -> np.ndarray:
        drawn = model.draw(np.array(1.0), n_draws=n, seed=9)
        return np.concatenate([model.fit_sums(sums).theta for sums in drawn])

    np.testing.assert_allclose(theta(1200)[:700], theta(700), rtol=1e-9)


@pytest.mark.parametrize(
    ("y", "why"),
    [
        (np.full(84, 3.0), "constant"),
        (np.r_[np.nan, np.ones(83)], "missing"),
        (np.r_[np.inf, np.ones(83)], "infinite"),
        (np.repeat(np.arange(12.0) ** 2, 7), "no residual variance"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_outcome_without_a_fit_is_nan_and_leaves_the_others_alone(y, why) -> None:
    X, group, good = balanced(1)
    model = RandomIntercept.of(X, group)
    fit = model.fit(np.stack([good, y, good]))
    np.testing.assert_array_equal(fit.converged, [True, False, True])
    L = contrasts(X)
    for inference in (
        satterthwaite(fit, L, LEVEL),
        kenward_roger(fit, L, LEVEL),
        profile(fit, L, LEVEL),
        bootstrap(fit, L, LEVEL, n_draws=19, seeds=1),
    ):
        assert np.isnan(inference.p_value[1]).all()
        assert np.isfinite(inference.p_value[[0, 2]]).all()
    for test in (satterthwaite_joint, kenward_roger_joint, likelihood_ratio):
        joint = test(fit, L)
        assert np.isnan(joint.p_value[1])
        assert np.isfinite(joint.p_value[[0, 2]]).all()


@pytest.mark.parametrize(
    ("X", "group", "message"),
    [
        (np.ones((6, 1)), np.zeros(6, dtype=int), "every group's mean"),
        (np.ones((6, 1)), np.arange(6), "Every group has one member"),
        (np.ones((6, 2)), np.repeat([0, 1, 2], 2), "linearly dependent"),
        (np.ones((6, 1)), np.repeat([0, 2, 3], 2), "without a gap"),
        (
            np.column_stack([np.ones(6), [0, 0, 0, 1, 1, 1]]),
            np.repeat([0, 1], 3),
            "every group's mean",
        ),
    ],
)
def test_a_design_that_cannot_be_fitted_says_why(X, group, message) -> None:
    with pytest.raises(ValueError, match=message):
        RandomIntercept.of(X, group)


def test_a_model_of_the_mean_alone_has_every_answer() -> None:
    """Fixing the only effect leaves no column at all."""
    rng = np.random.default_rng(0)
    group = np.repeat(np.arange(8), [2, 3, 4, 5, 6, 7, 1, 3])
    y = 3 + rng.normal(size=31) + rng.normal(size=8)[group]
    model, L = RandomIntercept.of(np.ones((31, 1)), group), np.eye(1)
    fit = model.fit(y)
    profiled = profile(fit, L, LEVEL)
    drawn = bootstrap(fit, L, LEVEL, n_draws=199, seeds=1)
    ratio = likelihood_ratio(fit, L)
    np.testing.assert_allclose(profiled.p_value, ratio.p_value, rtol=1e-8)
    assert drawn.p_value[0] < 0.05


def test_small_sample_methods_want_reml() -> None:
    X, group, y = balanced(1)
    with pytest.raises(ValueError, match="REML"):
        kenward_roger(RandomIntercept.of(X, group).fit(y, reml=False), contrasts(X), LEVEL)


def test_fits_keep_their_parts() -> None:
    X, group, y = balanced(1)
    fit = RandomIntercept.of(X, group).fit(y)
    assert isinstance(fit, RandomInterceptFit)
    np.testing.assert_allclose(fit.icc, fit.var_group / (fit.var_group + fit.var_residual))


@pytest.mark.parametrize("p", [1, 4, 12, 13])
def test_invert_is_the_inverse(p: int) -> None:
    A = np.random.default_rng(p).normal(size=(20, p + 3, p))
    A = np.swapaxes(A, 1, 2) @ A
    np.testing.assert_allclose(invert(A) @ A, np.broadcast_to(np.eye(p), A.shape), atol=1e-8)


@pytest.mark.parametrize("p", [0.95, 0.975, 0.9995])
def test_many_t_quantiles_are_single_ones(p: float) -> None:
    df = np.concatenate([1 / np.linspace(1e-9, 2, 2000), [np.inf, np.nan]])
    np.testing.assert_allclose(t_quantile(p, df), stats.t.ppf(p, df), rtol=1e-11)


def test_wald_takes_replicates_in_front() -> None:
    rng = np.random.default_rng(0)
    L, beta, df = rng.normal(size=(3, 2)), rng.normal(size=(4, 2)), rng.uniform(3, 9, (4, 3))
    A = rng.normal(size=(4, 2, 5))
    vcov = A @ np.swapaxes(A, 1, 2)
    many = wald(L, beta, vcov, df=df, conf_level=LEVEL)
    for b in range(4):
        one = wald(L, beta[b], vcov[b], df=df[b], conf_level=LEVEL)
        for name, column in one.columns().items():
            if name != "conf_level":
                np.testing.assert_allclose(getattr(many, name)[b], column, rtol=1e-12)
