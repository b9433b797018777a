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

from groupwise.inference import mixed, variance_profile
from groupwise.inference.bootstrap import draw_t
from groupwise.inference.profile import Restriction
from groupwise.inference.variance_intervals import Component
from groupwise.inference.variance_profile import GeneralVariances
from groupwise.models.lmm import LinearMixedModel, LmmFit
from groupwise.models.lmm_likelihood import objective
from groupwise.models.random_intercept import RandomInterceptFit
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


def general(sample: Sample) -> LmmFit:
    return LinearMixedModel.of(sample.design.X, mixed.random_terms(sample.design)).fit(sample.y)


@cache
def fitted(kind: str) -> LmmFit:
    return general(KINDS[kind])


@cache
def one(kind: str) -> RandomInterceptFit:
    fit = mixed.fit_one(KINDS[kind].design, KINDS[kind].y)
    assert isinstance(fit, RandomInterceptFit)
    return fit


def ratio_of(fit: LmmFit, row: np.ndarray, value: float) -> float:
    """Twice what the log-likelihood loses where l'beta is `value`."""
    restriction = Restriction.of(fit.model, row[None])
    sums = restriction.sums(fit.sums, np.array([value]))
    least, _ = restriction.smaller.least_deviance(sums)
    return float(least[0] - fit.maximum_likelihood.criterion[0])


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
def test_fits_agree(kind: str) -> None:
    a, b = fitted(kind), one(kind)
    np.testing.assert_allclose(a.theta[0], b.theta, rtol=1e-7)
    for name in ("beta", "vcov", "criterion"):
        np.testing.assert_allclose(getattr(a, name), getattr(b, name), rtol=1e-8, err_msg=name)
    assert a.singular == b.singular
    for level, sd in b.std_dev.items():
        np.testing.assert_allclose(a.std_dev[level], sd, rtol=1e-7)


@intercepts
def test_small_sample_inference_agrees(kind: str) -> None:
    L = np.vstack([KINDS[kind].design.L, np.eye(len(one(kind).beta))])
    for infer in (mixed.wald, mixed.satterthwaite, mixed.kenward_roger):
        a, b = infer(fitted(kind), L, 0.9), infer(one(kind), L, 0.9)
        for name, values in a.columns().items():
            np.testing.assert_allclose(values, getattr(b, name), rtol=1e-6, err_msg=name)
    for test in (mixed.satterthwaite_joint, mixed.kenward_roger_joint):
        a, b = (test(fit, KINDS[kind].design.omnibus) for fit in (fitted(kind), one(kind)))
        np.testing.assert_allclose(list(vars(a).values()), list(vars(b).values()), rtol=1e-6)


@intercepts
def test_profiles_of_effects_agree(kind: str) -> None:
    L = KINDS[kind].design.L
    a, b = mixed.profile(fitted(kind), L, 0.9), mixed.profile(one(kind), L, 0.9)
    for name, values in a.columns().items():
        np.testing.assert_allclose(values, getattr(b, name), rtol=1e-6, err_msg=name)
    fits = (fitted(kind), one(kind))
    a, b = (mixed.likelihood_ratio(fit, KINDS[kind].design.omnibus) for fit in fits)
    np.testing.assert_allclose(list(vars(a).values()), list(vars(b).values()), rtol=1e-7)


@intercepts
@pytest.mark.parametrize("reml", [True, False])
def test_variance_intervals_agree(kind: str, reml: bool) -> None:
    found = [mixed.components(fit, reml=reml, conf_level=0.9) for fit in (fitted(kind), one(kind))]
    np.testing.assert_allclose(limits(found[0]), limits(found[1]), rtol=1e-6, atol=1e-12)


@intercepts
def test_the_variance_test_is_the_exact_one(kind: str) -> None:
    found, expected = (
        mixed.group_variance_test(fit, n_draws=2000, seed=1) for fit in (fitted(kind), one(kind))
    )
    assert found.null == expected.null == "exact"
    np.testing.assert_allclose(found.statistic, expected.statistic, atol=1e-8)
    assert found.p_drawn == expected.p_drawn
    np.testing.assert_allclose(found.p_mixture, expected.p_mixture, rtol=1e-6)


@intercepts
def test_unusual_groups_agree(kind: str) -> None:
    design = KINDS[kind].design
    a, b = (mixed.unusual_groups(fit, design) for fit in (fitted(kind), one(kind)))
    np.testing.assert_allclose(a.t, b.t, rtol=1e-5)
    np.testing.assert_allclose(a.df, b.df, rtol=1e-6)


@intercepts
def test_fits_to_the_same_draws_agree(kind: str) -> None:
    drawn = fitted(kind).model.draw_outcomes(np.full(1, 0.8), n_draws=50, seed=2)
    y = np.concatenate(list(drawn))
    many, single = fitted(kind).model.fit(y), one(kind).model.fit(y)
    np.testing.assert_allclose(many.beta, single.beta, rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(many.vcov, single.vcov, rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(many.criterion, single.criterion, rtol=1e-11)


# Likelihoods --------------------------------------------------------------------------------------


@each_kind
def test_where_a_search_begins_does_not_matter(kind: str) -> None:
    model = fitted(kind).model
    theta = np.where(model.parameters.diagonal, 0.6, 0.1)
    y = np.concatenate(list(model.draw_outcomes(theta, n_draws=40, seed=1)))
    sums = model.sums(y)
    near, far = model.fit_sums(sums, near=theta), model.fit_sums(sums)
    same = np.abs(near.criterion - far.criterion) < 1e-7
    assert same.mean() >= 0.9  # a few have several minima
    np.testing.assert_allclose(near.beta[same], far.beta[same], rtol=1e-6, atol=1e-6)


@each_kind
def test_limits_lie_on_the_cutoff_and_nest(kind: str) -> None:
    fit, L = fitted(kind), KINDS[kind].design.L[:1]
    wide, narrow = mixed.profile(fit, L, 0.95), mixed.profile(fit, L, 0.8)
    assert wide.conf_low[0] < narrow.conf_low[0] < narrow.conf_high[0] < wide.conf_high[0]
    for (end,) in (wide.conf_low, wide.conf_high):
        assert ratio_of(fit, L[0], end) == pytest.approx(CUTOFF, abs=1e-8)
        inwards, outwards = end + 1e-5 * (wide.estimate - end), end - 1e-5 * (wide.estimate - end)
        for value, held in ((inwards, 1), (outwards, 0)):
            assert mixed.profile(fit, L, 0.95, limits=False, truth=value).covers == held
    ratio = mixed.likelihood_ratio(fit, L)
    assert ratio.statistic == pytest.approx(wide.statistic[0] ** 2, rel=1e-9, abs=1e-12)
    assert ratio.p_value == pytest.approx(wide.p_value[0], rel=1e-6)


@each_kind
def test_profiles_of_a_batch_are_single_ones(kind: str) -> None:
    design, y = KINDS[kind].design, KINDS[kind].y
    other = np.random.default_rng(1).permutation(y)
    model = mixed.mixed_model(design)
    batch = mixed.profile(model.fit(np.stack([y, other, y * np.nan])), design.L, 0.9)
    for b, outcome in enumerate((y, other)):
        single = mixed.profile(model.fit(outcome), design.L, 0.9)
        for name, values in single.columns().items():
            if name != "conf_level":
                ours = getattr(batch, name)[b]
                np.testing.assert_allclose(ours, values, rtol=1e-8, atol=1e-10, err_msg=name)
    assert np.isnan(batch.p_value[2]).all()
    some = mixed.profile(
        model.fit(np.stack([y, other])), design.L, 0.9, limits=np.array([True, False])
    )
    np.testing.assert_allclose(some.conf_high[0], batch.conf_high[0], rtol=1e-9)
    np.testing.assert_array_equal(some.p_value, batch.p_value[:2])
    assert np.isnan(some.conf_high[1]).all()


@each_kind
@pytest.mark.parametrize("reml", [True, False])
def test_variance_limits_lie_on_the_cutoff_and_nest(kind: str, reml: bool) -> None:
    fit = fitted(kind)
    at = GeneralVariances.of(fit, reml=reml)
    wide, narrow = (at.effect_sd(0, 0).limits(level) for level in (0.95, 0.8))
    assert wide.conf_low <= narrow.conf_low <= narrow.estimate <= narrow.conf_high < wide.conf_high
    unit = at.scale / fit.model.parameters.scale[0]
    for end in (wide.conf_low.item(), wide.conf_high.item()):
        hold = variance_profile.hold_sd(0, end / unit, at.k)
        rise = at.least(hold, at.without(0))[0] - at.deviance
        assert rise == pytest.approx(CUTOFF, abs=1e-7) if end > 0 else rise <= CUTOFF


@pytest.mark.parametrize("reml", [True, False])
@pytest.mark.parametrize("kind", ["slopes", "blocks"])
def test_held_parameters_have_the_derivatives_of_the_deviance(kind: str, reml: bool) -> None:
    at = GeneralVariances.of(fitted(kind), reml=reml)
    k, rng = at.k, np.random.default_rng(1)
    holds = {
        variance_profile.hold_residual(0.1, k): k,
        variance_profile.hold_sd(0, 0.7, k): k,
        variance_profile.hold_share(k - 1, 0.2, k): k,
        variance_profile.hold_total(0.3, k): k + 1,
    }
    for hold, m in holds.items():
        x = 0.6 + 0.3 * rng.normal(size=m)
        step = 1e-5 * np.eye(m)
        here = at._slopes([hold(x)])
        after, before = (at._slopes([hold(each) for each in x + s * step]) for s in (1, -1))
        gradient = (after.value - before.value) / 2e-5
        hessian = (after.gradient - before.gradient) / 2e-5
        np.testing.assert_allclose(here.gradient[0], gradient, rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(here.hessian[0], hessian, rtol=1e-5, atol=1e-5)


def test_the_order_of_effects_does_not_matter() -> None:
    """The sd of a slope is found by putting it first: the same model."""
    at = GeneralVariances.of(fitted("slopes"), reml=True)
    again = variance_profile._first(at, 0, 1)
    assert again.deviance == pytest.approx(at.deviance, abs=1e-8)
    sd = at.effect_sd(0, 1).limits(0.95).estimate
    np.testing.assert_allclose(sd, fitted("slopes").components[0].std_dev[1], rtol=1e-5)


def test_limits_at_the_boundary_are_exactly_0() -> None:
    for reml in (True, False):
        group, residual = mixed.components(fitted("boundary"), reml=reml, conf_level=0.95)
        assert group.std_dev.estimate == group.std_dev.conf_low == group.icc.conf_low == 0
        assert group.design_effect.conf_low == 1 and residual.icc.conf_high == 1
        assert group.std_dev.conf_high > 0 and group.icc.conf_high > 0


@few
@given(st.sampled_from(sorted(KINDS)), st.floats(-1e3, 1e3), st.sampled_from([1e-6, -2.0, 1e5]))
def test_shift_and_scale(kind: str, shift: float, scale: float) -> None:
    design, y = KINDS[kind].design, KINDS[kind].y
    terms = mixed.random_terms(design)
    moved = LinearMixedModel.of(design.X, terms).fit(shift * abs(scale) + scale * y)
    a, b = (mixed.profile(each, design.L[:1], 0.95) for each in (fitted(kind), moved))
    ends = [a.conf_low * scale, a.conf_high * scale]
    np.testing.assert_allclose(sorted([b.conf_low, b.conf_high]), sorted(ends), rtol=1e-5)
    a, b = (mixed.components(each, reml=True, conf_level=0.95)[0] for each in (fitted(kind), moved))
    for name, value in vars(a.std_dev).items():
        expected = abs(scale) * value
        np.testing.assert_allclose(getattr(b.std_dev, name), expected, rtol=1e-5)
    np.testing.assert_allclose(b.icc.conf_high, a.icc.conf_high, rtol=1e-5)


# Draws --------------------------------------------------------------------------------------------


def test_simulated_outcomes_have_the_covariance_of_the_model() -> None:
    model = fitted("slopes").model
    scaled = np.array([1.0, -0.5, 0.7])
    y = np.concatenate(
        list(model.draw_outcomes(scaled / model.parameters.scale, n_draws=4000, seed=1))
    )
    Z = model.structure.Z[0].toarray()
    (G,) = model.parameters.covariance(model.parameters.omega(scaled))
    V = np.eye(len(Z)) + Z @ np.kron(np.eye(Z.shape[1] // 2), G) @ Z.T
    spread = np.sqrt((np.outer(np.diag(V), np.diag(V)) + V**2) / len(y))
    z = (y.T @ y / len(y) - V) / spread
    assert abs(z).max() < 6 and 0.9 < z.std() < 1.1


def test_the_first_draws_of_a_longer_bootstrap_are_those_of_a_shorter_one() -> None:
    fit, L = fitted("blocks"), KINDS["blocks"].design.L
    short, long, other = (
        draw_t(fit, L, n_draws=n, seeds=seed) for n, seed in ((15, 3), (40, 3), (40, 4))
    )
    np.testing.assert_allclose(short.scale, long.scale[..., :15])
    np.testing.assert_allclose(short.shift, long.shift[..., :15], atol=1e-12)
    assert not np.allclose(other.scale, long.scale)


def test_draws_of_several_outcomes_are_those_of_each() -> None:
    design, y = KINDS["blocks"].design, KINDS["blocks"].y
    model, other = mixed.mixed_model(design), np.random.default_rng(2).permutation(y)
    seeds = np.array([5, 6, 7])
    batch = model.fit(np.stack([y, y * np.nan, other]))
    rows = mixed.bootstrap(batch, design.L, 0.9, n_draws=39, seeds=seeds)
    joint = mixed.bootstrap_joint(batch, design.omnibus, n_draws=39, seeds=seeds)
    for b, outcome in ((0, y), (2, other)):
        draws = {"n_draws": 39, "seeds": int(seeds[b])}
        single = mixed.bootstrap(model.fit(outcome), design.L, 0.9, **draws)
        np.testing.assert_allclose(rows.conf_low[b], single.conf_low, rtol=1e-8)
        np.testing.assert_allclose(rows.p_value[b], single.p_value, rtol=1e-10)
        one_joint = mixed.bootstrap_joint(model.fit(outcome), design.omnibus, **draws)
        assert joint.p_value[b] == one_joint.p_value
    assert np.isnan(rows.p_value[1]).all() and np.isnan(joint.p_value[1])


def test_intervals_and_p_values_of_the_bootstrap_say_the_same() -> None:
    design, found = KINDS["blocks"].design, fitted("blocks")
    rows = mixed.bootstrap(found, design.L, 0.95, n_draws=199, seeds=1)
    assert ((rows.p_value <= 0.05) == (rows.conf_low * rows.conf_high > 0)).all()
    joint = mixed.bootstrap_joint(found, design.omnibus, n_draws=199, seeds=1)
    assert joint.p_value * 200 == pytest.approx(round(joint.p_value * 200))
    kr = mixed.kenward_roger_joint(found, design.omnibus)
    assert abs(joint.p_value - kr.p_value) < 0.1


def test_the_null_of_slopes_is_that_of_models_without_groups() -> None:
    fit = fitted("slopes")
    found = mixed.group_variance_test(fit, n_refits=99, seed=1)
    assert found.null == "bootstrap" and found.n_draws == 99 and np.isnan(found.p_mixture)
    (zero,) = objective(fit.sums, np.zeros((1, 3)), True)
    assert found.statistic == pytest.approx(zero - fit.criterion, abs=1e-8)


# Unusual groups -----------------------------------------------------------------------------------


def test_unusual_groups_of_a_balanced_design_are_deleted_residuals_of_group_means() -> None:
    sample = sample_of(draw(groups=12, sizes=6, sd_group=2, seed=2))
    found = mixed.unusual_groups(mixed.fit_one(sample.design, sample.y), sample.design)
    means = np.bincount(sample.design.group, weights=sample.y) / 6
    X = sample.design.X[sample.design.first_of_group]
    expected = sm.OLS(means, X).fit().get_influence().resid_studentized_external
    np.testing.assert_allclose(found.t, expected, rtol=1e-6)
    assert found.df == pytest.approx(12 - 3 - 1)


def test_a_wild_group_does_not_hide_itself() -> None:
    table = draw(groups=12, sizes=6, sd_group=1, seed=2)
    wild = table.assign(y=table["y"] + 50 * (table["g"] == 5))
    sample = sample_of(wild)
    found = mixed.unusual_groups(mixed.fit_one(sample.design, sample.y), sample.design)
    assert np.argmax(abs(found.t)) == 4 and abs(found.t[4]) > 15
