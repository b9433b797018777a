"""The wild bootstrap against explicit refits of every sample, and its p-value against its interval."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from experiments import answers_by, draw, fit_all, robust_of, sample_of
from hypothesis import given, settings
from hypothesis import strategies as st

from groupwise.inference.assignments import TOGETHER
from groupwise.inference.sandwich import make_contrasts
from groupwise.inference.wald import wald_statistic
from groupwise.inference.wild_bootstrap import BLOCK, ENUMERATE, Weights, inference, joint, p_values
from groupwise.models.clusters import Clusters, Projected, cluster_design
from groupwise.tidy import Inference

TIE = 1e-9


def wild_inference(
    clusters: Clusters, y: np.ndarray, L: np.ndarray, weights: Weights, conf_level: float
) -> Inference:
    """Tests and intervals of one outcome y (n,)."""
    outcome = Projected.of(clusters, y[None])
    return inference(outcome, L, weights, conf_level, 1).outcome(0)


def weights_of(
    clusters: Clusters, draws: int, seed: int, first: int, enumerate_up_to: int
) -> Weights:
    return Weights(
        clusters.n_groups, draws, seed, first, enumerate_up_to, signs_up_to=enumerate_up_to
    )


def wild_p_values(
    clusters: Clusters,
    y: np.ndarray,
    L: np.ndarray,
    *,
    draws: int = 999,
    seed: int = 0,
    first: int = 0,
    enumerate_up_to: int = ENUMERATE,
) -> np.ndarray:
    weights = weights_of(clusters, draws, seed, first, enumerate_up_to)
    return p_values(Projected.of(clusters, y), L, weights)


def wild_joint_p_values(
    clusters: Clusters,
    y: np.ndarray,
    L: np.ndarray,
    *,
    draws: int = 999,
    seed: int = 0,
    first: int = 0,
    enumerate_up_to: int = ENUMERATE,
) -> np.ndarray:
    weights = weights_of(clusters, draws, seed, first, enumerate_up_to)
    return joint(Projected.of(clusters, y), L, weights).p_value


def random_design(seed: int, groups: int = 7) -> tuple[np.ndarray, np.ndarray]:
    """X (n, 4), intercept, arm of three at random to groups, covariate, and groups of unequal size."""
    rng = np.random.default_rng(seed)
    group = np.repeat(np.arange(groups), rng.integers(1, 7, size=groups))
    arm = (rng.permutation(groups) % 3)[group]
    return np.column_stack(
        [np.ones(group.size), arm == 1, arm == 2, rng.normal(size=group.size)]
    ), group


def outcome(seed: int, group: np.ndarray, *shape: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    effect = rng.normal(size=(*shape, group.max() + 1))
    return np.asarray(effect[..., group] + rng.normal(size=(*shape, group.size)))


def statistics(clusters: Clusters, L: np.ndarray, null: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Wald statistics (CR1) of L beta = null for outcomes y (..., n)."""
    found = robust_of(make_contrasts(clusters, L, "CR1"), y)
    return wald_statistic(found.estimate - null, found.vcov)


def refits(
    X: np.ndarray, group: np.ndarray, y: np.ndarray, L: np.ndarray, null: np.ndarray
) -> float:
    """The p-value of L beta = null by refitting the sample of every sign vector."""
    M = np.linalg.inv(X.T @ X)
    beta = M @ X.T @ y
    restricted = X @ (beta - M @ L.T @ np.linalg.solve(L @ M @ L.T, L @ beta - null))
    signs = np.array(list(product([1, -1], repeat=group.max() + 1)))
    samples = restricted + signs[:, group] * (y - restricted)
    clusters = cluster_design(X, group)
    found, data = statistics(clusters, L, null, samples), statistics(clusters, L, null, y)
    return float(np.mean(found >= data * (1 - TIE)))


@pytest.mark.parametrize("seed", range(4))
def test_every_sample_refitted(seed: int) -> None:
    X, group = random_design(seed)
    y = outcome(seed, group)
    L = np.eye(4)[1:3]
    clusters = cluster_design(X, group)
    found = wild_inference(clusters, y, L, Weights(7), 0.9)
    expected = [refits(X, group, y, row[None], np.zeros(1)) for row in L]
    np.testing.assert_array_equal(found.p_value, expected)
    np.testing.assert_array_equal(wild_p_values(clusters, y[None], L)[0], expected)
    together = wild_joint_p_values(clusters, y[None], L)[0]
    assert together == refits(X, group, y, L, np.zeros(2))


@pytest.mark.parametrize("seed", range(4))
def test_interval_ends_where_the_refitted_test_starts_to_reject(seed: int) -> None:
    X, group = random_design(seed, groups=8)
    y, L = outcome(seed, group), np.eye(4)[3:]
    found = wild_inference(cluster_design(X, group), y, L, Weights(8), 0.9)
    assert not found.gaps.any()
    for end, outwards in ((found.conf_low, -1), (found.conf_high, 1)):
        step = 1e-6 * outwards * found.std_error
        assert refits(X, group, y, L, end - step) >= 0.1
        assert refits(X, group, y, L, end + step) < 0.1


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([0.5, 0.8, 0.9, 0.95]), st.booleans())
def test_interval_excludes_zero_exactly_when_the_test_rejects(
    seed: int, conf_level: float, drawn: bool
) -> None:
    X, group = random_design(seed, groups=11)
    signs = 0 if drawn else 2**16
    weights = Weights(11, draws=399, seed=seed, enumerate_up_to=signs, signs_up_to=signs)
    clusters = cluster_design(X, group)
    found = wild_inference(clusters, outcome(seed, group), np.eye(4)[1:], weights, conf_level)
    rejects = found.p_value < 1 - conf_level
    excludes = (found.conf_low > 0) | (found.conf_high < 0)
    judged = np.isfinite(found.p_value) & ~found.gaps
    np.testing.assert_array_equal(rejects[judged], excludes[judged])
    assert not (excludes & ~rejects).any()


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([1e-9, 20.0, -1e9]))
def test_shift_and_scale(seed: int, scale: float) -> None:
    X, group = random_design(seed, groups=9)
    y, clusters = outcome(seed, group), cluster_design(X, group)
    was = wild_inference(clusters, y, np.eye(4)[3:], Weights(9), 0.9)
    now = wild_inference(clusters, scale * y + X[:, 3] * scale, np.eye(4)[3:], Weights(9), 0.9)
    ends = np.sort(scale * (1 + np.concatenate([was.conf_low, was.conf_high])))
    np.testing.assert_allclose([*now.conf_low, *now.conf_high], ends, rtol=1e-7)


def test_row_order_does_not_matter_and_labels_do_not_with_all_signs() -> None:
    X, group = random_design(1, groups=9)
    y, order = outcome(1, group), np.random.default_rng(2).permutation(len(X))
    found = wild_p_values(cluster_design(X, group), y[None], np.eye(4)[1:])
    labels = (4 * group % 9)[order]
    again = wild_p_values(cluster_design(X[order], labels), y[order][None], np.eye(4)[1:])
    np.testing.assert_array_equal(again, found)


def test_a_batch_is_its_singles() -> None:
    """Whatever the outcome that a call begins with: which share their draws depends on numbers."""
    X, group = random_design(3, groups=9)
    y, L = outcome(3, group, TOGETHER + 2), np.eye(4)[1:3]
    clusters = cluster_design(X, group)
    for test in (wild_p_values, wild_joint_p_values):
        batch = test(clusters, y, L, draws=BLOCK + 87, seed=5, enumerate_up_to=0)
        for i in (0, 1, TOGETHER, TOGETHER + 1):
            single = test(clusters, y[[i]], L, draws=BLOCK + 87, seed=5, first=i, enumerate_up_to=0)
            np.testing.assert_allclose(single[0], batch[i], atol=1e-12)


def test_one_outcome_alone_has_the_draws_of_the_first_of_a_batch() -> None:
    X, group = random_design(4, groups=18)
    y, clusters = outcome(4, group), cluster_design(X, group)
    found = wild_inference(clusters, y, np.eye(4)[1:], Weights(18, draws=999, seed=3), 0.95)
    batch = wild_p_values(clusters, y[None], np.eye(4)[1:], draws=999, seed=3)
    np.testing.assert_array_equal(found.p_value, batch[0])
    assert ((found.p_value * 1000).round(9) % 1 == 0).all()


def test_absorbed_blocks_are_the_full_dummy_model() -> None:
    group = np.repeat(np.arange(12), [1, 2, 3, 4, 5, 6] * 2)
    block, arm = group // 4, group % 2
    D = (block[:, None] == np.arange(1, 3)).astype(float)
    X, y = np.column_stack([np.ones(len(group)), arm, D]), outcome(5, group, 2)
    clusters = [cluster_design(X, group), cluster_design(X, group, block)]
    each_p = [wild_p_values(each, y, np.eye(4)) for each in clusters]
    np.testing.assert_array_equal(*each_p)
    joints = [wild_joint_p_values(each, y, np.eye(4)[1:3]) for each in clusters]
    np.testing.assert_array_equal(*joints)
    ends = [wild_inference(each, y[0], np.eye(4)[1:2], Weights(12), 0.9) for each in clusters]
    np.testing.assert_allclose(ends[1].conf_low, ends[0].conf_low, rtol=1e-7)


def test_blocks_of_draws_do_not_depend_on_how_many_there_are() -> None:
    few, many = Weights(20, draws=700, seed=1), Weights(20, draws=3000, seed=1)
    drawn = [np.concatenate(list(each.blocks())) for each in (few, many)]
    np.testing.assert_array_equal(drawn[0], drawn[1][:700])
    points, counts = np.unique(drawn[1].round(12), return_counts=True)
    np.testing.assert_allclose(points**2, [1.5, 1, 0.5, 0.5, 1, 1.5])
    np.testing.assert_allclose(counts / counts.sum(), 1 / 6, atol=0.01)
    signs = np.concatenate(list(Weights(11).blocks()))
    assert len(np.unique(signs, axis=0)) == 2**10
    assert (np.abs(signs) == 1).all()
    assert not (signs == -signs[0]).all(axis=1).any()


def test_few_groups_leave_the_interval_unbounded() -> None:
    """With two groups in each of two arms no p-value is below 2/16."""
    sample = sample_of(draw(arms=2, groups=4))
    answers = answers_by("ols_wild_bootstrap", sample.design, sample.y)
    assert answers.contrasts.p_value[0] >= 2 / 16
    assert answers.contrasts.conf_low[0] == -np.inf
    assert answers.contrasts.conf_high[0] == np.inf
    message = fit_all(sample, ["pooled"])["estimates"].set_index("method")["message"]
    assert "unbounded: B - A" in message["ols_wild_bootstrap"]


@pytest.mark.parametrize("kind", ["between", "blocked", "within", "mixed"])
def test_answers_of_every_kind_of_design(kind: str) -> None:
    sample = sample_of(draw(kind, groups=12, sizes=6, covariates=["x"]))
    answers = answers_by("ols_wild_bootstrap", sample.design, sample.y, 0.8)
    clusters = cluster_design(sample.design.X, sample.design.group)
    once = robust_of(make_contrasts(clusters, sample.design.L, "CR1"), sample.y)
    np.testing.assert_allclose(answers.contrasts.estimate, once.estimate, rtol=1e-9)
    np.testing.assert_allclose(answers.contrasts.std_error, once.std_error, rtol=1e-9)
    assert ((answers.contrasts.p_value > 0) & (answers.contrasts.p_value <= 1)).all()
    assert 0 < answers.omnibus.p_value <= 1
    covariate = list(sample.design.terms).index("x")
    assert np.isfinite(answers.coefficients.p_value[covariate])


def test_outcomes_without_spread_have_no_p_value() -> None:
    sample = sample_of(draw())
    answers = answers_by("ols_wild_bootstrap", sample.design, np.full(sample.y.shape, 3.7))
    assert np.isnan(answers.contrasts.p_value).all()
    assert np.isnan(answers.omnibus.p_value)
