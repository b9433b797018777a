"""Mixed models are what dense n x n matrices give, and the optimum is the optimum."""

from __future__ import annotations

from itertools import product
from typing import NamedTuple

import numpy as np
import pytest
from experiments import mixed_by_codes, predictions, theta_for
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from groupwise.inference.mixed import MixedModel


class Data(NamedTuple):
    X: np.ndarray
    y: np.ndarray
    group: np.ndarray
    block: np.ndarray | None

    @property
    def model(self) -> MixedModel:
        return mixed_by_codes(self.X, self.group, self.block)


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
    one = Data(X, y, group, block if nested else None)
    try:
        _ = one.model
    except ValueError:  # too few members to tell two variances apart
        assume(False)
    return one


class Dense(NamedTuple):
    """The textbook: V as a matrix, the residual variance profiled out."""

    beta: np.ndarray
    vcov: np.ndarray
    sigma2: float
    ml: float
    reml: float
    blup: dict[str, np.ndarray]
    sd_blup: dict[str, np.ndarray]


def dense(one: Data, relative: dict[str, float], *, reml: bool = True, factor: float = 1) -> Dense:
    """At relative variances, with the residual variance at its optimum times `factor`."""
    X, y, n, p = one.X, one.y, len(one.y), one.X.shape[1]
    codes = {"group": one.group} | ({} if one.block is None else {"block": one.block})
    Z = {k: (v[:, None] == np.arange(v.max() + 1)) * 1.0 for k, v in codes.items()}
    H = np.eye(n) + sum(relative[name] * z @ z.T for name, z in Z.items())
    W = np.linalg.inv(H)
    Phi = np.linalg.inv(X.T @ W @ X)
    beta = Phi @ X.T @ W @ y
    left = y - X @ beta
    sigma2 = float(factor * (left @ W @ left) / (n - p if reml else n))
    logdet = np.linalg.slogdet(H)[1] + n * np.log(sigma2)
    ml = -0.5 * (n * np.log(2 * np.pi) + logdet + left @ W @ left / sigma2)
    restricted = ml + 0.5 * (p * np.log(2 * np.pi) + np.linalg.slogdet(sigma2 * Phi)[1])
    blup, sd = {}, {}
    for name, z in Z.items():
        blup[name] = relative[name] * z.T @ W @ left
        # Given the data, the variances and the fixed effects: lme4's postVar.
        own = relative[name] * np.eye(z.shape[1]) - relative[name] ** 2 * z.T @ W @ z
        sd[name] = np.sqrt(sigma2 * np.maximum(np.diag(own), 0))
    return Dense(beta, sigma2 * Phi, sigma2, ml, restricted, blup, sd)


relative_sd = st.sampled_from([0.0, 0.1, 0.7, 1.0, 4.5])


@given(data(), relative_sd, relative_sd)
def test_a_fit_at_given_variances_is_dense_gls(one: Data, group: float, block: float) -> None:
    model = one.model
    fit = model.fit(one.y, theta=theta_for(model, group=group, block=block))
    relative = {"group": group**2, "block": block**2}
    expected = dense(one, relative)
    assert_allclose(fit.beta, expected.beta, rtol=1e-8, atol=1e-9)
    assert_allclose(fit.vcov, expected.vcov, rtol=1e-8, atol=1e-11)
    assert_allclose(fit.std_dev["residual"] ** 2, expected.sigma2, rtol=1e-9)
    assert_allclose(fit.loglik, expected.reml, rtol=1e-10)
    for name, (blup, sd) in predictions(fit).items():
        assert_allclose(blup, expected.blup[name], rtol=1e-7, atol=1e-8)
        # A sd is a root: where it is 0, rounding of 1e-16 shows as 1e-8.
        assert_allclose(sd, expected.sd_blup[name], rtol=1e-7, atol=1e-7)
    full = model.fit(one.y, reml=False, theta=theta_for(model, group=group, block=block))
    assert_allclose(full.loglik, dense(one, relative, reml=False).ml, rtol=1e-10)
    for factor in (0.9, 1.1):  # and no other residual variance does better
        assert dense(one, relative, factor=factor).reml < fit.loglik


@given(data(blocks=False))
def test_theta_zero_is_ordinary_least_squares(one: Data) -> None:
    X, y = one.X, one.y
    beta = np.linalg.lstsq(X, y, rcond=None)[0]
    s2 = float(((y - X @ beta) ** 2).sum() / (len(y) - X.shape[1]))
    fit = one.model.fit(y, theta=np.array(0.0))
    assert_allclose(fit.beta, beta, rtol=1e-8, atol=1e-10)
    assert_allclose(fit.vcov, s2 * np.linalg.inv(X.T @ X), rtol=1e-8, atol=1e-12)
    assert not any(values.any() for values in predictions(fit)["group"])


@given(data())
def test_optimum_is_not_beaten_on_a_grid(one: Data) -> None:
    model = one.model
    best = model.fit(one.y)
    k = 1 if one.block is None else 2
    grid = np.append(0, np.geomspace(0.02, 20, 12 if k == 2 else 60))
    for point in product(grid, repeat=k):
        at = dict(zip(("group", "block"), np.square(point), strict=False))
        assert dense(one, at).reml < best.loglik + 1e-6


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
    model = mixed_by_codes(X, group, None)
    fit = model.fit(y)
    assert not fit.singular
    assert fit.loglik > model.fit(y, theta=np.array(0.0)).loglik + 5e-5
