"""The parametric bootstrap of mixed models: tails given the residuals of draws, beside counted draws."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from experiments import draw, roles_of, sample_of
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import stats

from groupwise.design import Design
from groupwise.inference import mixed
from groupwise.inference.bootstrap import Tails, bootstrap, bootstrap_decisions, draw_t
from groupwise.models.random_intercept import RandomInterceptFit

RECIPES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "unequal": ({"groups": 12, "sizes": range(2, 14), "covariates": ("x",)}, {}),
    "blocked": ({"kind": "blocked", "groups": 18, "sizes": [3, 5, 4] * 6}, {}),
    "no group variance": ({"groups": 9, "sizes": 6, "sd_group": 0.0, "seed": 3}, {}),
    "random blocks": (
        {"kind": "blocked", "arms": 2, "groups": 12, "sizes": 4},
        {"blocks_as": "random"},
    ),
    "slopes": ({"kind": "within", "groups": 8, "sizes": 6}, {"random_slopes": "diagonal"}),
}
DRAWS = dict.fromkeys(("unequal", "blocked", "no group variance"), (4_000, 40_000))
"""With their probabilities, and to be counted; fewer of models with several random terms."""

each_recipe = pytest.mark.parametrize("recipe", RECIPES)


def made(recipe: str) -> tuple[Design, np.ndarray]:
    data, options = RECIPES[recipe]
    table = draw(**data)
    sample = sample_of(table, roles_of(table), **options)
    return sample.design, sample.y


def counted(fit: Any, L: np.ndarray, n_draws: int, seed: int) -> np.ndarray:
    """|t*| (n_draws, k) of refits, infinite where there is none."""
    parts = []
    for sums in fit.model.draw(fit.theta, n_draws=n_draws, seed=seed):
        refit = fit.model.fit_sums(sums)
        std_error = np.sqrt(np.diagonal(refit.covariance(L), axis1=1, axis2=2))
        parts.append(np.abs(refit.combination(L)) / std_error)
    return np.nan_to_num(np.concatenate(parts), nan=np.inf)


@each_recipe
def test_tails_are_those_of_counted_draws(recipe: str) -> None:
    design, y = made(recipe)
    fit, (drawn, n) = mixed.mixed_model(design).fit(y), DRAWS.get(recipe, (600, 3_000))
    tails, t = draw_t(fit, design.L, n_draws=drawn, seeds=5), counted(fit, design.L, n, seed=6)
    for level in (0.2, 0.05):
        at = tails.critical_value(level)
        share = (t >= at).mean(axis=0)
        error = np.sqrt(level * (1 - level) / n + tails.beyond(at).var(axis=-1) / drawn)
        assert (np.abs(share - level) < 4 * error).all()


@each_recipe
def test_p_values_vary_less_than_those_of_counted_draws(recipe: str) -> None:
    design, y = made(recipe)
    fit = mixed.mixed_model(design).fit(y)
    tails = draw_t(fit, design.L, n_draws=400, seeds=1)
    beyond = tails.beyond(tails.critical_value(0.05))
    assert (beyond.var(axis=-1) < 0.05 * 0.95 / 8).all()


@each_recipe
def test_a_shift_is_the_change_of_effects_from_those_at_another_theta(recipe: str) -> None:
    design, y = made(recipe)
    model = mixed.mixed_model(design)
    fit = model.fit(np.stack([y, np.roll(y, 1), y[::-1] ** 2]))
    theta = np.full(fit.theta.shape, 0.4)
    there = model.fit_sums(fit.sums, theta=theta)
    change = fit.combination(design.L) - there.combination(design.L)
    np.testing.assert_allclose(fit.shift(design.L, theta), change, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(fit.shift(design.L, fit.theta), 0, atol=1e-9)


def test_what_a_draw_is_reduced_to_does_not_depend_on_its_effects() -> None:
    design, y = made("unequal")
    model = mixed.mixed_model(design)
    moved = y + design.X @ np.arange(1.0, design.X.shape[1] + 1)
    first, second = model.fit(y[None]), model.fit(moved[None])
    assert not np.allclose(first.beta, second.beta)
    theta = np.array([0.4])
    np.testing.assert_allclose(first.shift(design.L, theta), second.shift(design.L, theta))
    np.testing.assert_allclose(first.covariance(design.L), second.covariance(design.L))


def test_with_one_standard_error_the_bootstrap_is_normal() -> None:
    tails = Tails(np.zeros((2, 7)), np.array([[1.0], [0.5]]) * np.ones(7))
    np.testing.assert_allclose(tails.critical_value(0.05), stats.norm.isf(0.025) / [1, 0.5])
    p_value = tails.p_value(np.array([-1.5, 3.0]))
    np.testing.assert_allclose(p_value, 2 * stats.norm.sf(1.5))
    np.testing.assert_array_equal(tails.p_value(np.array([50.0, -90.0])), 1 / 8)


def test_draws_without_a_fit_are_beyond_every_value() -> None:
    scale = np.ones((2, 10))
    scale[0, :1] = scale[1, :3] = 0.0
    tails = Tails(np.zeros((2, 10)), scale)
    np.testing.assert_allclose(tails.p_value(np.array([40.0, 40.0])), [0.1, 0.3])
    at = tails.critical_value(0.2)
    assert at[0] == pytest.approx(stats.norm.isf(0.1 / 0.9 / 2)) and at[1] == np.inf


def test_draws_go_on_where_some_have_no_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of ten draws often none is one of the eighth that has no fit, which p-values count as extreme."""
    design, y = made("unequal")
    fit = mixed.mixed_model(design).fit(y + np.outer(np.linspace(0, 3, 60), design.X[:, 1]))
    shift = RandomInterceptFit.shift

    def without(self: RandomInterceptFit, L: np.ndarray, theta: np.ndarray) -> np.ndarray:
        fails = self.var_residual > np.quantile(self.var_residual, 7 / 8)
        return np.where(fails[:, None], np.nan, shift(self, L, theta))

    monkeypatch.setattr(RandomInterceptFit, "shift", without)
    rows = bootstrap_decisions(
        fit,
        design.L,
        0.95,
        n_draws=199,
        seeds=np.arange(60),
        searched=0,
        truth=np.zeros(len(design.L)),
        levels=[0.1],
    )
    assert (rows.p_value > 0.1).all() and (rows.covers == 1).all()


values = st.floats(-2, 2)


@given(
    arrays.arrays(float, (3, 8), elements=values),
    arrays.arrays(float, (3, 8), elements=st.floats(0.05, 5)),
    st.floats(0.12, 0.9),
)
def test_a_critical_value_is_where_the_p_value_is_the_level(
    shift: np.ndarray, scale: np.ndarray, level: float
) -> None:
    tails = Tails(shift, scale)
    at = tails.critical_value(level)
    np.testing.assert_allclose(tails.p_value(at), level, rtol=1e-7)
    assert (tails.p_value(1.01 * at) < level).all() and (tails.p_value(0.99 * at) > level).all()


@each_recipe
def test_p_values_are_below_the_level_where_intervals_leave_out_zero(recipe: str) -> None:
    design, y = made(recipe)
    outcomes = y + np.outer([0, 0.5, 1, 2], design.L[0] @ np.linalg.pinv(design.X))
    fit = mixed.mixed_model(design).fit(outcomes)
    rows = bootstrap(fit, design.L, 0.8, n_draws=99, seeds=np.arange(4))
    left_out = (rows.conf_low > 0) | (rows.conf_high < 0)
    np.testing.assert_array_equal(rows.p_value < 0.2, left_out)
