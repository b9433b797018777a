"""What profiles, bootstraps and variance tests of any mixed model must be, without R.

The engine for one random intercept is another algorithm throughout: where both speak they agree.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import statsmodels.api as sm
from experiments import draw, sample_of
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from groupwise.inference import lmm_bootstrap, variance_profile, variance_test
from groupwise.inference.engines import Draws, GeneralEngine, OneIntercept, engine, random_terms
from groupwise.inference.profile import group_variance_test
from groupwise.inference.variance_intervals import Component
from groupwise.inference.variance_profile import Estimate
from groupwise.models.lmm import fit_lmm, search
from groupwise.models.lmm_batch import fit_many
from groupwise.models.pls import objective
from groupwise.sample import Sample

CUTOFF = stats.chi2.ppf(0.95, 1)
KINDS = {
    "one": sample_of(draw(sizes=[3, 5, 4, 7, 3, 6, 4, 5, 8], sd_group=1.5, covariates=["x"])),
    "boundary": sample_of(draw(sizes=[3, 5, 4, 7, 3, 6, 4, 5, 8], sd_group=0, seed=4)),
    "blocks": sample_of(draw("blocked", groups=18, sd_group=2, seed=3), blocks_as="random"),
    "slopes": sample_of(draw("within", arms=2, groups=10, sizes=8, seed=5), random_slopes=True),
    "diagonal": sample_of(draw("within", groups=8, sizes=9), random_slopes="diagonal"),
}
each_kind = pytest.mark.parametrize("kind", KINDS)
intercepts = pytest.mark.parametrize("kind", ["one", "boundary"])
few = settings(max_examples=5, deadline=None)


def general(sample: Sample) -> GeneralEngine:
    return GeneralEngine(fit_lmm(sample.design.X, sample.y, random_terms(sample.design)))


@cache
def fitted(kind: str) -> GeneralEngine:
    return general(KINDS[kind])


def one(kind: str) -> OneIntercept:
    found = engine(KINDS[kind].design, KINDS[kind].y)
    assert isinstance(found, OneIntercept)
    return found


def limits(parts: list[Component]) -> np.ndarray:
    """All numbers of these components, NaN as -1."""
    values = [
        value.item()
        for part in parts
        for each in (part.std_dev, part.icc, part.design_effect)
        for value in vars(each).values()
    ]
    return np.nan_to_num(np.array(values), nan=-1)


# The two engines ----------------------------------------------------------------------------------


@intercepts
def test_profiles_of_effects_agree(kind: str) -> None:
    L = KINDS[kind].design.L
    a, b = fitted(kind).profile(L, 0.9), one(kind).profile(L, 0.9)
    for name, values in a.columns().items():
        np.testing.assert_allclose(values, getattr(b, name), rtol=1e-6, err_msg=name)
    a, b = (each.likelihood_ratio(KINDS[kind].design.omnibus) for each in (fitted(kind), one(kind)))
    np.testing.assert_allclose(list(vars(a).values()), list(vars(b).values()), rtol=1e-7)


@intercepts
@pytest.mark.parametrize("reml", [True, False])
def test_variance_intervals_agree(kind: str, reml: bool) -> None:
    found = [each.components(reml=reml, conf_level=0.9) for each in (fitted(kind), one(kind))]
    np.testing.assert_allclose(limits(found[0]), limits(found[1]), rtol=1e-6, atol=1e-12)


@intercepts
def test_the_variance_test_is_the_exact_one(kind: str) -> None:
    found = variance_test.group_variance_test_lmm(
        fitted(kind).fit, n_draws=2000, n_refits=0, seed=1
    )
    expected = group_variance_test(one(kind).model, KINDS[kind].y, n_draws=2000, seed=1)
    np.testing.assert_allclose(found.statistic, expected.statistic, atol=1e-8)
    assert found.p_drawn == expected.p_drawn
    np.testing.assert_allclose(found.p_mixture, expected.p_mixture, rtol=1e-6)


@intercepts
def test_unusual_groups_agree(kind: str) -> None:
    a, b = fitted(kind).unusual_groups(), one(kind).unusual_groups()
    np.testing.assert_allclose(a.t, b.t, rtol=1e-5)
    np.testing.assert_allclose(a.df, b.df, rtol=1e-6)


@intercepts
def test_bootstrap_statistics_of_the_same_draws_agree(kind: str) -> None:
    fit, L = fitted(kind).fit, KINDS[kind].design.L
    theta = np.full(1, 0.8)
    y = np.array(list(lmm_bootstrap.simulate(fit.structure, theta, n_draws=50, seed=2)))
    many = fit_many(fit.structure, y, near=theta)
    single = one(kind).model.fit(y)
    t = single.beta @ L.T / np.sqrt(np.einsum("ki,bij,kj->bk", L, single.vcov, L))
    found = lmm_bootstrap.absolute_t(many, fit.in_Q(L))
    np.testing.assert_allclose(found, np.abs(t), rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(many.criterion, single.criterion, rtol=1e-11)


# Likelihoods --------------------------------------------------------------------------------------


@each_kind
def test_many_fits_are_single_fits(kind: str) -> None:
    fit = fitted(kind).fit
    theta = np.where(fit.structure.parameters.diagonal, 0.6, 0.1)
    y = list(lmm_bootstrap.simulate(fit.structure, theta, n_draws=12, seed=1))
    many = fit_many(fit.structure, iter(y), near=theta)
    single = [search(fit.structure.cross_products(each).products, True) for each in y]
    value = np.array([each.value for each in single])
    assert np.all(many.criterion <= value + 1e-7)
    same = np.abs(many.criterion - value) < 1e-7  # else the batch has found a better minimum
    assert same.mean() > 0.8
    omega = fit.structure.parameters.omega
    for i in np.flatnonzero(same):
        np.testing.assert_allclose(omega(many.theta[i]), omega(single[i].x), rtol=1e-3, atol=1e-4)


@each_kind
def test_limits_lie_on_the_cutoff_and_nest(kind: str) -> None:
    found, L = fitted(kind), KINDS[kind].design.L[:1]
    wide, narrow = found.profile(L, 0.95), found.profile(L, 0.8)
    assert wide.conf_low[0] < narrow.conf_low[0] < narrow.conf_high[0] < wide.conf_high[0]
    rows, minimum = found.fit.in_Q(L), found.ml.found.value
    for end in (wide.conf_low, wide.conf_high):
        assert found.ml.bound(rows, end).value - minimum == pytest.approx(CUTOFF, abs=1e-8)
    ratio = found.likelihood_ratio(L)
    assert ratio.statistic == pytest.approx(wide.statistic[0] ** 2, rel=1e-9, abs=1e-12)
    assert ratio.p_value == pytest.approx(wide.p_value[0], rel=1e-6)


@each_kind
@pytest.mark.parametrize("reml", [True, False])
def test_variance_limits_lie_on_the_cutoff_and_nest(kind: str, reml: bool) -> None:
    fit = fitted(kind).fit
    at = Estimate.of(fit, reml=reml)
    wide, narrow = (variance_profile.effect_sd(at, 0, 0, conf_level=level) for level in (0.95, 0.8))
    assert wide.conf_low <= narrow.conf_low <= narrow.estimate <= narrow.conf_high < wide.conf_high
    unit = at.outcome.scale / fit.structure.parameters.scale[0]
    for end in (wide.conf_low.item(), wide.conf_high.item()):
        hold = variance_profile.hold_sd(0, end / unit, at.k)
        rise = at.least(hold, at.without(0)).value - at.deviance
        assert rise == pytest.approx(CUTOFF, abs=1e-7) if end > 0 else rise <= CUTOFF


@pytest.mark.parametrize("reml", [True, False])
@pytest.mark.parametrize("kind", ["slopes", "blocks"])
def test_held_parameters_have_the_derivatives_of_the_deviance(kind: str, reml: bool) -> None:
    at = Estimate.of(fitted(kind).fit, reml=reml)
    k, rng = at.k, np.random.default_rng(1)
    holds = {
        variance_profile.hold_residual(0.1, k): k,
        variance_profile.hold_sd(0, 0.7, k): k,
        variance_profile.hold_share(k - 1, 0.2, k): k,
        variance_profile.hold_total(0.3, k): k + 1,
    }
    for hold, m in holds.items():
        x = 0.6 + 0.3 * rng.normal(size=m)
        here, step = at._slopes(hold(x)), 1e-5 * np.eye(m)
        ends = [(at._slopes(hold(x + e)), at._slopes(hold(x - e))) for e in step]
        gradient = np.array([(a.value - b.value) / 2e-5 for a, b in ends])
        hessian = np.array([(a.gradient - b.gradient) / 2e-5 for a, b in ends])
        np.testing.assert_allclose(here.gradient, gradient, rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(here.hessian, hessian, rtol=1e-5, atol=1e-5)


def test_the_order_of_effects_does_not_matter() -> None:
    """The sd of a slope is found by putting it first: the same model."""
    at = Estimate.of(fitted("slopes").fit, reml=True)
    again = variance_profile._first(at, 0, 1)
    assert again.deviance == pytest.approx(at.deviance, abs=1e-8)
    sd = variance_profile.effect_sd(at, 0, 1, conf_level=0.95).estimate
    np.testing.assert_allclose(sd, fitted("slopes").fit.components[0].std_dev[1], rtol=1e-5)


def test_limits_at_the_boundary_are_exactly_0() -> None:
    for reml in (True, False):
        group, residual = fitted("boundary").components(reml=reml, conf_level=0.95)
        assert group.std_dev.estimate == group.std_dev.conf_low == group.icc.conf_low == 0
        assert group.design_effect.conf_low == 1 and residual.icc.conf_high == 1
        assert group.std_dev.conf_high > 0 and group.icc.conf_high > 0


@few
@given(st.sampled_from(sorted(KINDS)), st.floats(-1e3, 1e3), st.sampled_from([1e-6, -2.0, 1e5]))
def test_shift_and_scale(kind: str, shift: float, scale: float) -> None:
    design, y = KINDS[kind].design, KINDS[kind].y
    moved = GeneralEngine(fit_lmm(design.X, shift * abs(scale) + scale * y, random_terms(design)))
    a, b = fitted(kind).profile(design.L[:1], 0.95), moved.profile(design.L[:1], 0.95)
    ends = [a.conf_low * scale, a.conf_high * scale]
    np.testing.assert_allclose(sorted([b.conf_low, b.conf_high]), sorted(ends), rtol=1e-5)
    a, b = (each.components(reml=True, conf_level=0.95)[0] for each in (fitted(kind), moved))
    for name, value in vars(a.std_dev).items():
        expected = abs(scale) * value
        np.testing.assert_allclose(getattr(b.std_dev, name), expected, rtol=1e-5)
    np.testing.assert_allclose(b.icc.conf_high, a.icc.conf_high, rtol=1e-5)


# Draws --------------------------------------------------------------------------------------------


def test_simulated_outcomes_have_the_covariance_of_the_model() -> None:
    fit = fitted("slopes").fit
    theta = np.array([1.0, -0.5, 0.7])
    y = np.array(list(lmm_bootstrap.simulate(fit.structure, theta, n_draws=4000, seed=1)))
    Z = fit.structure.Z[0].toarray()
    (G,) = fit.structure.parameters.covariance(fit.structure.parameters.omega(theta))
    V = np.eye(len(Z)) + Z @ np.kron(np.eye(Z.shape[1] // 2), G) @ Z.T
    spread = np.sqrt((np.outer(np.diag(V), np.diag(V)) + V**2) / len(y))
    z = (y.T @ y / len(y) - V) / spread
    assert abs(z).max() < 6 and 0.9 < z.std() < 1.1


def test_the_first_draws_of_a_longer_bootstrap_are_those_of_a_shorter_one() -> None:
    fit, L = fitted("blocks").fit, KINDS["blocks"].design.L
    long = lmm_bootstrap.draw_t_lmm(fit, L, n_draws=40, seed=3)
    np.testing.assert_allclose(lmm_bootstrap.draw_t_lmm(fit, L, n_draws=15, seed=3), long[:15])
    assert not np.allclose(lmm_bootstrap.draw_t_lmm(fit, L, n_draws=40, seed=4), long)


def test_intervals_and_p_values_of_the_bootstrap_say_the_same() -> None:
    design, found = KINDS["blocks"].design, fitted("blocks")
    rows = found.bootstrap(design.L, 0.95, Draws(199, 1))
    assert ((rows.p_value <= 0.05) == (rows.conf_low * rows.conf_high > 0)).all()
    joint = found.bootstrap_joint(design.omnibus, Draws(199, 1))
    assert joint.p_value * 200 == pytest.approx(round(joint.p_value * 200))
    kr = found.kenward_roger_joint(design.omnibus)
    assert abs(joint.p_value - kr.p_value) < 0.1


def test_the_null_of_slopes_is_that_of_models_without_groups() -> None:
    fit = fitted("slopes").fit
    found = variance_test.group_variance_test_lmm(fit, n_refits=99, seed=1)
    assert found.null == "bootstrap" and found.n_draws == 99 and np.isnan(found.p_mixture)
    zero = objective(fit.products, np.zeros(3), True)
    assert found.statistic == pytest.approx(zero - fit.criterion, abs=1e-8)


# Unusual groups -----------------------------------------------------------------------------------


def test_unusual_groups_of_a_balanced_design_are_deleted_residuals_of_group_means() -> None:
    sample = sample_of(draw(groups=12, sizes=6, sd_group=2, seed=2))
    found = engine(sample.design, sample.y).unusual_groups()
    means = np.bincount(sample.design.group, weights=sample.y) / 6
    X = sample.design.X[sample.design.first_of_group]
    expected = sm.OLS(means, X).fit().get_influence().resid_studentized_external
    np.testing.assert_allclose(found.t, expected, rtol=1e-6)
    assert found.df == pytest.approx(12 - 3 - 1)


def test_a_wild_group_does_not_hide_itself() -> None:
    table = draw(groups=12, sizes=6, sd_group=1, seed=2)
    wild = table.assign(y=table["y"] + 50 * (table["g"] == 5))
    sample = sample_of(wild)
    found = engine(sample.design, sample.y).unusual_groups()
    assert np.argmax(abs(found.t)) == 4 and abs(found.t[4]) > 15
