"""Group sums give what dense n x n matrices give, and the optimum is the optimum."""

from __future__ import annotations

from itertools import product
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from groupwise.models.mixed import (
    GroupSums,
    Levels,
    Variances,
    fit_reml,
    gls,
    maximise_reml,
    profiled_reml,
)


class Data(NamedTuple):
    X: np.ndarray
    y: np.ndarray
    levels: Levels

    @property
    def sums(self) -> GroupSums:
        return GroupSums.of(self.X, self.y, self.levels)


@st.composite
def data(draw: st.DrawFn, *, blocks: bool | None = None) -> Data:
    """Unequal groups, nested in blocks or not, two arms and a covariate, rows in random order."""
    sizes = draw(st.lists(st.integers(1, 6), min_size=6, max_size=10).filter(lambda s: max(s) > 1))
    nested = draw(st.booleans()) if blocks is None else blocks
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    sd = draw(st.sampled_from([0.0, 0.3, 1.0, 5.0]))
    group = rng.permutation(np.repeat(np.arange(len(sizes)), sizes))
    block = group % 3
    X = np.column_stack([np.ones(group.size), group // 3 % 2, rng.normal(size=group.size)])
    y = 3 + sd * rng.normal(size=len(sizes))[group] + rng.normal(size=group.size)
    y = y + nested * sd * rng.normal(size=3)[block]
    return Data(X, y, Levels(group, block if nested else None))


class Dense(NamedTuple):
    """The textbook: V as a matrix."""

    beta: np.ndarray
    vcov: np.ndarray
    ml: float
    reml: float
    blup: list[np.ndarray]
    sd_blup: list[np.ndarray]


def dense(one: Data, variances: Variances) -> Dense:
    X, y, levels = one
    indicator = {"group": levels.group, "block": levels.block}
    Z = {
        k: (v[:, None] == np.arange(v.max() + 1)) * 1.0
        for k, v in indicator.items()
        if v is not None
    }
    V = variances.residual * np.eye(len(y))
    for name, z in Z.items():
        V += getattr(variances, name) * z @ z.T
    W = np.linalg.inv(V)
    vcov = np.linalg.inv(X.T @ W @ X)
    beta = vcov @ X.T @ W @ y
    left = y - X @ beta
    logdet = np.linalg.slogdet(V)[1]
    ml = -0.5 * (len(y) * np.log(2 * np.pi) + logdet + left @ W @ left)
    reml = ml + 0.5 * (X.shape[1] * np.log(2 * np.pi) + np.linalg.slogdet(vcov)[1])
    blup, sd = [], []
    for name, z in Z.items():
        s2 = getattr(variances, name)
        blup.append(s2 * z.T @ W @ left)
        # Given the data, the variances and the fixed effects: lme4's postVar.
        sd.append(np.sqrt(np.maximum(np.diag(s2 * np.eye(z.shape[1]) - s2**2 * z.T @ W @ z), 0)))
    return Dense(beta, vcov, ml, reml, blup, sd)


variance = st.sampled_from([0.0, 0.01, 0.5, 1.0, 20.0])


@given(data(), variance, variance, st.sampled_from([0.2, 1.0, 9.0]))
def test_gls_from_group_sums_is_dense_gls(
    one: Data, group: float, block: float, residual: float
) -> None:
    variances = Variances(group, residual, block if one.levels.block is not None else 0.0)
    found, expected = gls(one.sums, variances), dense(one, variances)
    assert_allclose(found.beta, expected.beta, rtol=1e-8, atol=1e-9)
    assert_allclose(found.vcov, expected.vcov, rtol=1e-8, atol=1e-11)
    assert_allclose(found.loglik_ml, expected.ml, rtol=1e-10)
    assert_allclose(found.loglik_reml, expected.reml, rtol=1e-10)
    blups, sds = [found.blup_group, found.blup_block], [found.sd_blup_group, found.sd_blup_block]
    for i, (blup, sd) in enumerate(zip(expected.blup, expected.sd_blup, strict=True)):
        assert_allclose(blups[i], blup, rtol=1e-7, atol=1e-8)
        # A sd is a root: where it is 0, rounding of 1e-16 shows as 1e-8.
        assert_allclose(sds[i], sd, rtol=1e-7, atol=1e-7)


@given(data(), st.sampled_from([0.0, 0.2, 1.0, 4.0]), st.sampled_from([0.0, 0.3, 2.0]))
def test_profiled_criterion_is_the_dense_likelihood_at_its_own_residual_variance(
    one: Data, group: float, block: float
) -> None:
    theta = np.array([group, block][: 1 if one.levels.block is None else 2])
    criterion, residual = profiled_reml(one.sums, theta)
    relative = np.append(theta**2, 0.0)
    variances = Variances(residual * relative[0], residual, residual * relative[1])
    assert_allclose(criterion, -2 * dense(one, variances).reml, rtol=1e-10)
    for factor in (0.9, 1.1):  # and no other residual variance does better
        assert -2 * dense(one, variances.scaled(factor)).reml > criterion


@given(data())
def test_theta_zero_is_ordinary_least_squares(one: Data) -> None:
    X, y, _ = one
    beta = np.linalg.lstsq(X, y, rcond=None)[0]
    s2 = float(((y - X @ beta) ** 2).sum() / (len(y) - X.shape[1]))
    found = gls(one.sums, Variances(0.0, s2))
    assert_allclose(found.beta, beta, rtol=1e-8, atol=1e-10)
    assert_allclose(found.vcov, s2 * np.linalg.inv(X.T @ X), rtol=1e-8, atol=1e-12)
    assert not found.blup_group.any() and not found.sd_blup_group.any()
    assert_allclose(profiled_reml(one.sums, np.zeros(1))[1], s2, rtol=1e-9)


@given(data(), variance, variance)
def test_optimum_is_not_beaten_on_a_grid_wherever_it_starts(
    one: Data, group: float, block: float
) -> None:
    k = 1 if one.levels.block is None else 2
    found = maximise_reml(one.sums, Variances(group, 1.0, block if k == 2 else 0.0))
    best = -2 * gls(one.sums, found).loglik_reml
    grid = np.append(0, np.geomspace(0.02, 20, 12 if k == 2 else 60))
    for theta in product(grid, repeat=k):
        assert profiled_reml(one.sums, np.array(theta))[0] > best - 1e-6


# Seeds of a design where a simplex that starts at 1 ends at 0, though the optimum is inside.
@pytest.mark.parametrize("seed", [40, 42, 85, 694, 749])
def test_optimum_inside_is_not_taken_for_the_boundary(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n_groups = int(rng.integers(4, 16))
    group = np.repeat(np.arange(n_groups), rng.integers(1, 12, n_groups))
    arm = (rng.permutation(n_groups) % 2)[group]
    X = np.column_stack([np.ones(group.size), arm])
    sd = rng.choice([0, 0, 0.1, 0.3, 1, 10])
    y = (rng.normal(size=n_groups) * sd)[group] + rng.normal(size=group.size)
    sums = GroupSums.of(X, y, Levels(group))
    found = maximise_reml(sums, Variances(1.0, 1.0))
    assert found.group > 0
    assert -2 * gls(sums, found).loglik_reml < profiled_reml(sums, np.zeros(1))[0] - 1e-4


@given(data(blocks=False))
def test_fitted_model_is_gls_at_its_variances(one: Data) -> None:
    found = fit_reml(*one)
    expected = dense(one, found.variances)
    sd = np.sqrt(np.diag(expected.vcov))
    assert np.max(np.abs(found.beta - expected.beta) / sd) < 1e-3
    assert_allclose(found.gls.vcov, expected.vcov, rtol=1e-7, atol=1e-10)
    assert_allclose(found.fitted + found.residual, one.y)
    best = maximise_reml(one.sums, found.variances)
    assert gls(one.sums, best).loglik_reml - expected.reml < 2e-5


def test_no_residual_variance_is_refused() -> None:
    one = Data(np.ones((4, 1)), np.arange(4.0), Levels(np.array([0, 0, 1, 1])))
    with pytest.raises(ValueError, match="residual variance must be positive"):
        gls(one.sums, Variances(1.0, 0.0))


@pytest.mark.parametrize(
    ("y", "group", "words"),
    [
        ([1, 1, 2, 2], [0, 0, 1, 1], "explain the outcome completely"),
        ([1, 3, 2, 5], [0, 1, 2, 3], "Every group has one member"),
    ],
)
def test_what_no_mixed_model_can_answer_is_an_error_in_words(
    y: list[float], group: list[int], words: str
) -> None:
    X = np.column_stack([np.ones(4), [0, 0, 1, 1]])
    with pytest.raises(ValueError, match=words):
        fit_reml(X, np.array(y, dtype=float), Levels(np.array(group)))
