"""The general mixed-model engine against dense matrices, and in ways that need no other software."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import linalg

from groupwise.inference.small_sample import (
    adjusted_vcov,
    combined_df,
    kenward_roger,
    kenward_roger_df,
    kenward_roger_joint,
    satterthwaite_df,
    satterthwaite_joint,
)
from groupwise.models.cross_products import CrossProducts
from groupwise.models.lmm import LinearMixedModel, LmmFit
from groupwise.models.lmm_likelihood import objective, slopes
from groupwise.models.lmm_structure import LmmStructure
from groupwise.models.random_terms import RandomTerm, lme4_order, random_intercept


@dataclass(frozen=True, eq=False)
class Case:
    """A small mixed model: X (n, p), y (n,), its terms."""

    X: np.ndarray
    y: np.ndarray
    terms: tuple[RandomTerm, ...]

    @property
    def model(self) -> LinearMixedModel:
        return LinearMixedModel.of(self.X, self.terms)

    def fit(self, **options: bool) -> LmmFit:
        return self.model.fit(self.y, **options)


def codes(values: np.ndarray) -> np.ndarray:
    return np.unique(values, return_inverse=True)[1]


def make(kind: str, seed: int = 0, n: int = 60) -> Case:
    """Random data for the models people write: the names are lme4's formulas."""
    rng = np.random.default_rng(seed)
    a = codes(rng.integers(0, 14, n))
    b = codes(rng.integers(0, 8, n))
    block = codes(a // 3)
    region = codes(block // 2)
    x, z, one = rng.normal(size=n), rng.normal(size=n) * 3 + 1, np.ones(n)
    slope = np.column_stack([one, x])
    intercepts = {"a": a, "b": b, "block": block, "region": region}
    ri = {name: random_intercept(level, name=name) for name, level in intercepts.items()}
    terms = {
        "a": (ri["a"],),
        "x|a": (RandomTerm(a, slope, name="a"),),
        "x||a": (RandomTerm(a, slope, correlated=False, name="a"),),
        "1|a + 0+x|a": (ri["a"], RandomTerm(a, x[:, None], name="a2")),
        "x+z|a": (RandomTerm(a, np.column_stack([one, x, z]), name="a"),),
        "block/a": (ri["a"], ri["block"]),
        "region/block/a": (ri["region"], ri["block"], ri["a"]),
        "x|a + x|block": (RandomTerm(a, slope, name="a"), RandomTerm(block, slope, name="block")),
        "a + b": (ri["b"], ri["a"]),
        "x|a + x||b": (RandomTerm(a, slope), RandomTerm(b, slope, correlated=False)),
        "block/a + b": (ri["a"], ri["block"], ri["b"]),
    }[kind]
    effects = sum(t.Zcols @ np.full(t.q, 1.0) * rng.normal(size=t.n_levels)[t.codes] for t in terms)
    y = 50 + 2 * x + effects + rng.normal(size=n)
    return Case(np.column_stack([one, x, rng.normal(size=n)]), y, terms)


KINDS = (
    "a", "x|a", "x||a", "1|a + 0+x|a", "x+z|a", "block/a", "region/block/a", "x|a + x|block",
    "a + b", "x|a + x||b", "block/a + b",
)  # fmt: skip
each_kind = pytest.mark.parametrize("kind", KINDS)


def thetas(case: Case, rng: np.random.Generator) -> np.ndarray:
    """Any theta: diagonals may be 0, other entries of any sign."""
    structure = LmmStructure.of(case.X, case.terms)
    theta = rng.normal(size=structure.parameters.k)
    theta[structure.parameters.diagonal] = np.abs(theta[structure.parameters.diagonal])
    return np.where(rng.random(len(theta)) < 0.2, 0.0, theta)


@cache
def dense_columns(case: Case) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Z (n, levels x q) of each term, and G_r (n, n) of each entry of Lambda Lambda'."""
    Zs, G = [], []
    for term in LmmStructure.of(case.X, case.terms).terms:
        Z = np.zeros((len(case.y), term.n_levels, term.q))
        Z[np.arange(len(case.y)), term.codes] = term.Zcols
        for i, j in term.entries:
            left, right = Z[:, :, i], Z[:, :, j]
            G.append(left @ right.T if i == j else left @ right.T + right @ left.T)
        Zs.append(Z.reshape(len(case.y), -1))
    return Zs, G


def dense_parts(case: Case, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """Z (n, q), the relative covariance of its effects, and the G_r."""
    Zs, G = dense_columns(case)
    blocks, first = [], 0
    for term in LmmStructure.of(case.X, case.terms).terms:
        Lambda = np.zeros((term.q, term.q))
        for i, j in term.entries:
            Lambda[i, j] = theta[first]
            first += 1
        blocks.append(np.kron(np.eye(term.n_levels), Lambda @ Lambda.T))
    return np.hstack(Zs), linalg.block_diag(*blocks), G


def dense_V(case: Case, theta: np.ndarray) -> np.ndarray:
    Z, covariance, _ = dense_parts(case, theta)
    return np.eye(len(case.y)) + Z @ covariance @ Z.T


def dense_deviance(case: Case, theta: np.ndarray, s2: float | None, reml: bool) -> float:
    """-2 log-likelihood with beta profiled out, and s2 too where it is None; log |X'X| left out."""
    X, y, V = case.X, case.y, dense_V(case, theta)
    VX = np.linalg.solve(V, X)
    beta = np.linalg.solve(X.T @ VX, VX.T @ y)
    rss = (y - X @ beta) @ np.linalg.solve(V, y - X @ beta)
    df = len(y) - X.shape[1] * reml
    s2 = rss / df if s2 is None else s2
    value = np.linalg.slogdet(V)[1] + df * np.log(2 * np.pi * s2) + rss / s2
    return float(value + (np.linalg.slogdet(X.T @ VX)[1] if reml else 0.0))


def differences(f, x: np.ndarray, step: float) -> np.ndarray:  # type: ignore[no-untyped-def]
    """Derivatives by central differences of fourth order, one row for each x."""
    rows = []
    for e in np.eye(len(x)) * step:
        rows.append((8 * (f(x + e) - f(x - e)) - (f(x + 2 * e) - f(x - 2 * e))) / (12 * step))
    return np.array(rows)


def criterion(model: LinearMixedModel, y: np.ndarray, theta: np.ndarray, reml: bool) -> float:
    """At theta in lme4's units."""
    scaled = (theta * model.parameters.scale)[None]
    return float(objective(model.sums(y[None]), scaled, reml)[0])


def satterthwaite(fit: LmmFit, L: np.ndarray) -> np.ndarray:
    return satterthwaite_df(fit.information(L))


def kr_df(fit: LmmFit, L: np.ndarray) -> np.ndarray:
    return kenward_roger_df(fit.information(L))


@given(st.sampled_from(KINDS), st.integers(0, 10_000), st.booleans())
def test_the_criterion_is_that_of_dense_matrices(kind: str, seed: int, reml: bool) -> None:
    case = make(kind, seed)
    theta = thetas(case, np.random.default_rng(seed))
    value = criterion(case.model, case.y, theta, reml)
    assert value == pytest.approx(dense_deviance(case, theta, None, reml), rel=1e-11)


@given(st.sampled_from(KINDS), st.integers(0, 10_000), st.booleans())
def test_derivatives_are_those_of_the_criterion(kind: str, seed: int, reml: bool) -> None:
    case = make(kind, seed)
    model = case.model
    sums = model.sums(case.y[None])
    scaled = thetas(case, np.random.default_rng(seed)) * model.parameters.scale
    at = slopes(sums, scaled[None], reml)

    def value(scaled: np.ndarray) -> np.ndarray:
        return objective(sums, scaled[None], reml)[0]

    def gradient(scaled: np.ndarray) -> np.ndarray:
        return slopes(sums, scaled[None], reml).gradient[0]

    size = 1 + np.abs(at.hessian).max()
    np.testing.assert_allclose(at.gradient[0], differences(value, scaled, 1e-3), atol=1e-6 * size)
    np.testing.assert_allclose(at.hessian[0], differences(gradient, scaled, 1e-3), atol=1e-6 * size)


@given(st.sampled_from(KINDS), st.integers(0, 10_000))
def test_effects_and_predictions_are_those_of_dense_matrices(kind: str, seed: int) -> None:
    case = make(kind, seed)
    theta = thetas(case, np.random.default_rng(seed))
    fit = case.model.fit(case.y, theta=theta)
    Z, G, _ = dense_parts(case, theta)
    V = dense_V(case, theta)
    vcov = np.linalg.inv(case.X.T @ np.linalg.solve(V, case.X))
    beta = vcov @ case.X.T @ np.linalg.solve(V, case.y)
    left = case.y - case.X @ beta
    b = G @ Z.T @ np.linalg.solve(V, left)
    conditional = fit.sigma**2 * (G - G @ Z.T @ np.linalg.solve(V, Z @ G))
    sigma2 = left @ np.linalg.solve(V, left) / (len(left) - 3)
    assert fit.sigma**2 == pytest.approx(sigma2, rel=1e-10)
    np.testing.assert_allclose(fit.beta, beta, rtol=1e-10)
    np.testing.assert_allclose(fit.vcov, sigma2 * vcov, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(fit.fitted, case.X @ beta + Z @ b, atol=1e-9)
    found = np.concatenate([each.estimate.ravel() for each in fit.random_effects])
    np.testing.assert_allclose(found, b, atol=1e-9)
    variances = np.concatenate([each.std_error.ravel() ** 2 for each in fit.random_effects])
    np.testing.assert_allclose(variances, np.diag(conditional), atol=1e-9)
    first = fit.random_effects[0].covariance[-1]
    at = slice((fit.model.terms[0].n_levels - 1) * len(first), None)
    np.testing.assert_allclose(first, conditional[at, at][: len(first), : len(first)], atol=1e-9)


@given(st.sampled_from(KINDS), st.integers(0, 10_000))
def test_kenward_roger_is_that_of_dense_matrices(kind: str, seed: int) -> None:
    """Kenward and Roger (1997), sections 2 and 3, written with n x n matrices."""
    case = make(kind, seed)
    theta = thetas(case, np.random.default_rng(seed))
    fit = case.model.fit(case.y, theta=theta)
    X, (_, _, G) = case.X, dense_parts(case, theta)
    G = [*G, np.eye(len(case.y))]
    inverse = np.linalg.inv(fit.sigma**2 * dense_V(case, theta))
    Phi = np.linalg.inv(X.T @ inverse @ X)
    Pm = inverse - inverse @ X @ Phi @ X.T @ inverse
    P = [-X.T @ inverse @ g @ inverse @ X for g in G]
    W = np.linalg.inv(0.5 * np.array([[np.trace(Pm @ g @ Pm @ h) for h in G] for g in G]))
    adjusted = Phi.copy()
    for r, g in enumerate(G):
        for s, h in enumerate(G):
            Q = X.T @ inverse @ g @ inverse @ h @ inverse @ X
            adjusted += 2 * W[r, s] * Phi @ (Q - P[r] @ Phi @ P[s]) @ Phi
    at = fit.information(np.eye(3))
    size = np.sqrt(np.outer(np.diag(Phi), np.diag(Phi)))
    assert np.abs((adjusted_vcov(at) - adjusted) / size).max() < 1e-7
    slope = np.array([[(Phi @ p @ Phi)[j, j] for p in P] for j in range(3)])
    df = 2 * np.diag(Phi) ** 2 / np.einsum("jr,rs,js->j", slope, W, slope)
    np.testing.assert_allclose(kenward_roger_df(at), df, rtol=1e-6)
    one = kenward_roger_joint(fit, np.eye(3)[[1]])
    assert one.df_den == pytest.approx(df[1], rel=1e-6)
    assert one.statistic == pytest.approx(fit.beta[1] ** 2 / adjusted[1, 1], rel=1e-6)


@each_kind
def test_satterthwaite_is_the_delta_method(kind: str) -> None:
    """With derivatives by differences, at the optimum, where some kinds end on the boundary."""
    case = make(kind, seed=3)
    fit = case.fit()
    L = np.vstack([np.eye(3), [1.0, -1.0, 0.5]])
    at = np.append(fit.theta, fit.sigma)

    def deviance(x: np.ndarray) -> float:
        return dense_deviance(case, x[:-1], x[-1] ** 2, reml=True)

    def vcov(x: np.ndarray) -> np.ndarray:
        return x[-1] ** 2 * np.linalg.inv(case.X.T @ np.linalg.solve(dense_V(case, x[:-1]), case.X))

    hessian = differences(lambda x: differences(deviance, x, 2e-3), at, 2e-3)
    slope = np.einsum("vij,ki,kj->kv", differences(vcov, at, 1e-3), L, L)
    covariance = 2 * np.linalg.pinv(hessian, rcond=1e-8, hermitian=True)
    variance = np.einsum("ki,ij,kj->k", L, fit.vcov, L)
    df = 2 * variance**2 / np.einsum("kv,vw,kw->k", slope, covariance, slope)
    np.testing.assert_allclose(satterthwaite(fit, L), df, rtol=2e-5)


@each_kind
@pytest.mark.parametrize("reml", [True, False])
def test_the_optimum_is_a_minimum(kind: str, reml: bool) -> None:
    case = make(kind, seed=5)
    fit = case.fit(reml=reml)
    assert fit.converged
    assert fit.gradient_norm < 1e-6
    assert fit.min_curvature > -1e-9
    assert np.all(fit.theta[fit.model.parameters.diagonal] >= 0)
    assert fit.criterion == pytest.approx(dense_deviance(case, fit.theta, None, reml), rel=1e-11)
    for nearby in np.random.default_rng(0).normal(size=(20, len(fit.theta))):
        for step in (0.01, 0.3):
            value = criterion(fit.model, case.y, fit.theta + step * nearby, reml)
            assert value >= fit.criterion - 1e-9


@each_kind
def test_theta_zero_is_ordinary_least_squares(kind: str) -> None:
    case = make(kind)
    fit = case.model.fit(case.y, theta=np.zeros(case.model.parameters.k))
    beta, rss, *_ = np.linalg.lstsq(case.X, case.y)
    s2 = rss[0] / (len(case.y) - 3)
    np.testing.assert_allclose(fit.beta, beta, rtol=1e-12)
    np.testing.assert_allclose(fit.vcov, s2 * np.linalg.inv(case.X.T @ case.X), rtol=1e-11)
    assert fit.sigma == pytest.approx(np.sqrt(s2), rel=1e-12)
    assert all(np.all(each.estimate == 0) for each in fit.random_effects)
    assert fit.singular


def answers(fit: LmmFit) -> np.ndarray:
    """Numbers that do not depend on the unit of the outcome."""
    L = np.eye(len(fit.beta))
    at = fit.information(L)
    joint = [satterthwaite_joint(fit, L[1:]), kenward_roger_joint(fit, L[1:])]
    return np.concatenate(
        [
            fit.theta,
            satterthwaite_df(at),
            kenward_roger_df(at),
            np.sqrt(np.diag(adjusted_vcov(at))) / fit.sigma,
            [value for test in joint for value in (test.statistic, test.df_den)],
        ]
    )


@each_kind
def test_rows_labels_and_order_of_terms_do_not_matter(kind: str) -> None:
    case = make(kind, seed=7)
    rng = np.random.default_rng(1)
    order = rng.permutation(len(case.y))
    terms = [
        RandomTerm(rng.permutation(t.n_levels)[t.codes][order], t.Zcols[order], t.correlated)
        for t in case.terms
    ]
    fit, again = case.fit(), Case(case.X[order], case.y[order], tuple(terms)).fit()
    np.testing.assert_allclose(again.fitted, fit.fitted[order], rtol=1e-7)
    np.testing.assert_allclose(answers(again), answers(fit), rtol=1e-6, atol=1e-6)
    assert again.criterion == pytest.approx(fit.criterion, rel=1e-12)


@each_kind
@pytest.mark.parametrize("scale", [1e-12, -3.0, 1e12])
def test_the_unit_of_the_outcome_does_not_matter(kind: str, scale: float) -> None:
    case, shift = make(kind, seed=11), np.array([5.0, -2.0, 1.0])
    fit = case.fit()
    again = Case(case.X, scale * (case.y + case.X @ shift), case.terms).fit()
    np.testing.assert_allclose(answers(again)[:-4], answers(fit)[:-4], rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(again.beta, scale * (fit.beta + shift), rtol=1e-8)
    assert again.sigma == pytest.approx(abs(scale) * fit.sigma, rel=1e-8)


@pytest.mark.parametrize("unit", [1e-8, 1e6])
def test_the_unit_of_a_slope_does_not_matter(unit: float) -> None:
    case = make("x|a", seed=4)
    X, Z = case.X * [1, unit, 1], case.terms[0].Zcols * [1, unit]
    again = Case(X, case.y, (RandomTerm(case.terms[0].codes, Z),)).fit()
    fit = case.fit()
    np.testing.assert_allclose(again.theta * [1, unit, unit], fit.theta, rtol=1e-6)
    np.testing.assert_allclose(again.fitted, fit.fitted, rtol=1e-8)
    np.testing.assert_allclose(kr_df(again, np.eye(3)), kr_df(fit, np.eye(3)), rtol=1e-6)


def one_way(rng: np.random.Generator, groups: int, size: int, sd: float) -> Case:
    """Three arms given to whole groups of one size."""
    g = np.repeat(np.arange(groups), size)
    arm = (g[:, None] % 3 == [1, 2]).astype(float)
    y = arm @ [1.0, 2.0] + sd * rng.normal(size=groups)[g] + rng.normal(size=len(g))
    return Case(np.column_stack([np.ones(len(g)), arm]), y, (random_intercept(g),))


@given(st.integers(2, 6), st.integers(2, 8), st.integers(0, 100))
def test_balanced_groups_give_the_group_means_t_test(per_arm: int, size: int, seed: int) -> None:
    case = one_way(np.random.default_rng(seed), 3 * per_arm, size, sd=2.0)
    fit = case.fit()
    L = np.vstack([np.eye(3), [0, 1, -1]])
    at = fit.information(L)
    np.testing.assert_allclose(adjusted_vcov(at), at.vcov, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(kenward_roger_df(at), 3 * per_arm - 3, rtol=1e-7)
    if not fit.singular:
        np.testing.assert_allclose(satterthwaite(fit, L), 3 * per_arm - 3, rtol=1e-7)
        joint = satterthwaite_joint(fit, np.eye(3)[1:])
        same = kenward_roger_joint(fit, np.eye(3)[1:])
        assert joint.df_den == pytest.approx(3 * per_arm - 3)
        np.testing.assert_allclose(same.statistic, joint.statistic)
        np.testing.assert_allclose(same.df_den, joint.df_den)


def test_no_group_variance_is_an_exact_answer() -> None:
    case = one_way(np.random.default_rng(0), 12, 10, sd=0.0)
    y = case.y - np.repeat(case.y.reshape(12, 10).mean(axis=1), 10) + case.X @ [1.0, 2.0, 3.0]
    fit = Case(case.X, y, case.terms).fit()
    assert fit.theta[0] == 0.0
    assert fit.singular and fit.converged
    assert "Intercept by group" in fit.message
    np.testing.assert_allclose(fit.beta, [1.0, 2.0, 3.0])
    np.testing.assert_allclose(satterthwaite(fit, np.eye(3)), 117, rtol=1e-10)
    np.testing.assert_allclose(kr_df(fit, np.eye(3)), 9, rtol=1e-8)


def test_perfect_correlation_is_the_boundary() -> None:
    """Slopes that are the intercepts' effects once more, and a little less variable than chance."""
    case = make("x|a", seed=0, n=400)
    a, x = case.terms[0].codes, case.X[:, 1]
    rng = np.random.default_rng(1)
    effect, noise = rng.normal(size=14), rng.normal(size=400)
    Z = (np.eye(14)[a][:, :, None] * case.terms[0].Zcols[:, None]).reshape(400, -1)
    noise -= Z @ np.linalg.lstsq(Z, noise)[0]
    fit = Case(case.X, effect[a] * (1 + 0.8 * x) + noise, case.terms).fit()
    assert fit.singular and fit.converged
    assert fit.theta[2] == 0
    assert fit.theta[1] / fit.theta[0] == pytest.approx(0.8, abs=0.1)
    assert "slope1 by a" in fit.message
    assert np.all(np.isfinite(answers(fit)))


def test_dependent_rows_of_a_joint_test_count_once() -> None:
    fit = make("block/a", seed=1).fit()
    L = np.array([[0.0, 1, 0], [0, 0, 1], [0, 1, -1]])
    every, some = kenward_roger_joint(fit, L), kenward_roger_joint(fit, L[:2])
    for test, same in [
        (satterthwaite_joint(fit, L), satterthwaite_joint(fit, L[:2])),
        (every, some),
    ]:
        assert test.df_num == 2
        assert test.statistic == pytest.approx(same.statistic, rel=1e-8)
    # lmerTest's df depend on the directions the rows span unevenly; Kenward and Roger's do not.
    np.testing.assert_allclose(list(vars(every).values()), list(vars(some).values()), rtol=1e-8)


def test_df_of_a_joint_test() -> None:
    assert combined_df(np.array([7.0])) == 7.0
    assert combined_df(np.array([5.0, 5.0, 5.0])) == pytest.approx(5.0)
    assert combined_df(np.array([1.5, 20.0])) == 2.0
    total = 6 / 4 + 12 / 10
    assert combined_df(np.array([6.0, 12.0])) == pytest.approx(2 * total / (total - 2))


def test_another_outcome_of_the_same_design() -> None:
    case, other = make("block/a + b", seed=1), make("block/a + b", seed=1).y ** 1.01
    model = case.model
    model.fit(case.y)
    again, fresh = model.fit(other), LinearMixedModel.of(case.X, case.terms).fit(other)
    np.testing.assert_array_equal(again.theta, fresh.theta)


@each_kind
@pytest.mark.parametrize("reml", [True, False])
def test_a_batch_is_its_single_fits(kind: str, reml: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is worked on together; one that has no fit leaves the others alone."""
    case, rng = make(kind, seed=9), np.random.default_rng(0)
    y = case.y + 3 * rng.normal(size=(6, len(case.y)))
    y[2] = np.nan
    monkeypatch.setattr(CrossProducts, "at_a_time", 4)
    model, L = case.model, np.vstack([np.eye(3), [1.0, -1.0, 0.5]])
    batch = model.fit(y.reshape(2, 3, -1), reml=reml)
    assert batch.converged.tolist() == [[True, True, False], [True] * 3]
    many = [kenward_roger(batch, L, 0.9), satterthwaite_df(batch.information(L))] if reml else []
    for b in (0, 1, 3, 4, 5):
        one, at = model.fit(y[b], reml=reml), divmod(b, 3)
        for name in ("theta", "beta", "vcov", "criterion", "sigma"):
            size = np.abs(getattr(one, name)).max()
            gap = np.abs(getattr(batch, name)[at] - getattr(one, name)).max()
            assert gap <= 1e-10 * size, name
        if reml:
            rows = kenward_roger(one, L, 0.9)
            np.testing.assert_allclose(many[0].p_value[at], rows.p_value, rtol=1e-8)
            df = satterthwaite_df(one.information(L))
            np.testing.assert_allclose(many[1][at], df, rtol=1e-8)
    assert np.isnan(batch.beta[0, 2]).all()
    assert not reml or np.isnan(many[0].p_value[0, 2]).all()


def test_many_small_groups_in_blocks() -> None:
    """Nested levels stay cheap: no array of all groups by all blocks."""
    rng = np.random.default_rng(0)
    group = np.repeat(np.arange(4000), 3)
    block = group // 20
    y = rng.normal(size=4000)[group] + rng.normal(size=200)[block] + rng.normal(size=12000)
    X = np.column_stack([np.ones(12000), group % 2])
    terms = (random_intercept(group, name="group"), random_intercept(block, name="block"))
    fit = LinearMixedModel.of(X, terms).fit(y)
    assert fit.model.products.C.shape == (4000, 1, 1)
    assert fit.converged
    L = np.array([[0.0, 1.0]])
    np.testing.assert_allclose(satterthwaite(fit, L), kr_df(fit, L), rtol=0.01)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda c: Case(c.X[:, [0, 1, 1]], c.y, c.terms), "combination"),
        (lambda c: Case(c.X, c.y, (random_intercept(np.arange(60)),)), "random effects for 60"),
        (lambda c: Case(c.X, c.y, (random_intercept(np.zeros(60, dtype=int)),)), "one level"),
        (lambda c: Case(c.X * [1, 0, 1], c.y, c.terms), "combination"),
        (lambda c: Case(c.X * [1, np.nan, 1], c.y, c.terms), "missing or infinite"),
        (lambda c: Case(c.X, c.y, ()), "needs a random-effects term"),
        (lambda c: Case(c.X, c.y, (random_intercept(c.terms[0].codes[1:]),)), "rows"),
    ],
)
def test_models_that_cannot_be_fitted_say_why(change, says: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=says):
        change(make("a")).fit()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda c: c.X @ [1.0, 2.0, 3.0], "completely"),
        (lambda c: np.where(c.y > 50, np.inf, c.y), "missing or infinite"),
        (lambda c: 0 * c.y + 7, "completely"),
    ],
)
def test_outcomes_that_cannot_be_fitted_say_why(change, says: str) -> None:  # type: ignore[no-untyped-def]
    case = make("a")
    fit = case.model.fit(change(case))
    assert not fit.converged and np.isnan(fit.beta).all()
    assert says in fit.message


def test_terms_are_in_the_order_of_lme4() -> None:
    few, many = np.arange(6) % 2, np.arange(6) % 3
    terms = {"few": few, "many": many, "also": many[::-1]}
    named = [random_intercept(code, name=name) for name, code in terms.items()]
    assert [term.name for term in lme4_order(named)] == ["also", "many", "few"]
    assert [term.name for term in lme4_order(named[1:])] == ["many", "also"]


def test_codes_have_no_gaps() -> None:
    with pytest.raises(ValueError, match="without gaps"):
        random_intercept(np.array([0, 2, 2]))


def test_an_outcome_without_residual_variance_is_reported() -> None:
    case = make("a")
    y = np.random.default_rng(0).normal(size=14)[case.terms[0].codes]
    fit = Case(case.X[:, :1], y, case.terms).fit()
    assert not fit.converged
    assert "no residual variance" in fit.message


@pytest.mark.parametrize("how", ["in X", "in another term"])
def test_a_variance_that_is_not_identified_is_reported(how: str) -> None:
    case = make("a", seed=1)
    a = case.terms[0].codes
    X, terms = np.eye(a.max() + 1)[a], case.terms
    if how == "in another term":
        X, terms = case.X, (*terms, random_intercept(a.max() - a, name="again"))
    fit = Case(X, case.y, terms).fit()
    assert not fit.converged
    assert "do not identify" in fit.message


def test_tests_and_intervals_of_effects() -> None:
    fit = make("x|a", seed=1).fit()
    L = np.eye(3)
    rows = kenward_roger(fit, L, 0.9)
    joint = kenward_roger_joint(fit, L[[1]])
    answer = (rows.statistic[1] ** 2, rows.df[1], rows.p_value[1])
    np.testing.assert_allclose((joint.statistic, joint.df_den, joint.p_value), answer)


def test_kenward_roger_is_for_reml() -> None:
    with pytest.raises(ValueError, match="REML"):
        kenward_roger(make("a").fit(reml=False), np.eye(3), 0.9)
