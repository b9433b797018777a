"""What adaptive quadrature of events has to satisfy, whatever the data."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, special, stats

from groupwise.data.validate import Roles
from groupwise.design import Design, make_design
from groupwise.methods import (
    DoesNotApply,
    Fits,
    Request,
    answer,
    answers_of,
    method_of,
    method_result,
)
from groupwise.models.event_densities import Binomial, Density, NegativeBinomial, Poisson
from groupwise.models.event_rows import EventRows
from groupwise.models.glm import EventModel
from groupwise.models.quadrature import Likelihood, QuadratureFit, QuadratureModel
from groupwise.response import Response
from groupwise.rows import Rows
from groupwise.sample import Resampling, Sample

ODDS = Response("binary", "odds_ratio")
RATES = Response("count", "ratio")
FEW = Request(resampling=Resampling(seed=3, bootstrap_draws=39))


def design_of(
    sizes: list[int] | np.ndarray,
    arms: str,
    response: Response = ODDS,
    *,
    covariate: bool = False,
    exposure: bool = False,
    **columns: Any,
) -> Design:
    """Groups of these sizes, with arms by the letters of `arms`."""
    rng = np.random.default_rng(8)
    n = int(np.sum(sizes))
    table = pd.DataFrame({"y": np.zeros(n), "group": np.repeat(np.arange(len(sizes)), sizes)})
    table["arm"] = pd.Categorical(np.array(list(arms))[table["group"]])
    table["x"], table["time"] = rng.normal(size=n).round(2), rng.uniform(0.5, 3, n).round(2)
    table = table.assign(**columns)
    roles = {
        "outcome": "y",
        "treatment": "arm",
        "group": "group",
        "block": None,
        "second_group": None,
        "covariates": ["x"] if covariate else [],
        "exposure": "time" if exposure else None,
    }
    return make_design(table, Roles.from_settings(roles), response=response)


def outcomes(design: Design, sigma: float, n: int, seed: int = 1) -> np.ndarray:
    """n outcomes with effects of arms and groups."""
    rng = np.random.default_rng(seed)
    u = rng.standard_normal((n, design.n_groups))
    eta = -0.4 + 0.5 * design.arm + sigma * u[:, design.group]
    if design.response.family == "binary":
        return rng.binomial(1, special.expit(eta)).astype(float)
    exposure = 1.0 if design.exposure is None else design.exposure
    return rng.poisson(exposure * np.exp(eta)).astype(float)


def model_of(design: Design, n_nodes: int = 25, density: Density | None = None) -> QuadratureModel:
    rows = EventRows.each(design) if density else EventRows.of(design)
    return QuadratureModel.of(EventModel.of(design, rows), density, n_nodes)


def fit_of(design: Design, y: np.ndarray, method: str = "glmm_likelihood") -> QuadratureFit:
    fit: QuadratureFit = Fits(design, y).of(method_of(method)).fit
    return fit


# ---- the likelihood -------------------------------------------------------------------------------


def log_density(name: str, y: float, eta: np.ndarray, shape: float) -> np.ndarray:
    mu = np.exp(eta)
    if name == "binary":
        return stats.bernoulli.logpmf(y, special.expit(eta))
    if name == "count":
        return stats.poisson.logpmf(y, mu)
    return stats.nbinom.logpmf(y, shape, shape / (shape + mu))


@pytest.mark.parametrize("name", ["binary", "count", "nb"])
def test_deviance_is_that_of_integrals_by_scipy(name: str) -> None:
    """Up to a constant of the outcomes, which differences between parameters do not have."""
    design = design_of([3, 7, 5, 6], "ABAB", ODDS if name == "binary" else RATES, covariate=True)
    y = outcomes(design, 0.8, 1)
    density = NegativeBinomial(np.ones(design.n_obs)) if name == "nb" else None
    model = model_of(design, density=density)
    shape = 1.7
    points = np.array([[-0.3, 0.4, 0.2, 0.9], [0.1, -0.2, 0.5, 0.4]])

    def brute(x: np.ndarray) -> float:
        eta, total = design.X @ x[:3], 0.0
        for g in range(4):
            rows = np.flatnonzero(design.group == g)

            def integrand(u: float, rows: np.ndarray = rows) -> float:
                each = [log_density(name, y[0, i], eta[i] + x[3] * u, shape) for i in rows]
                return float(np.exp(np.sum(each)) * stats.norm.pdf(u))

            total += np.log(integrate.quad(integrand, -9, 9, epsabs=0, epsrel=1e-11, limit=200)[0])
        return -2 * total

    inner = np.column_stack([np.linalg.solve(model.to_beta, points[:, :3].T).T, points[:, 3]])
    if name == "nb":
        inner = np.column_stack([inner, np.full(2, np.log(shape))])
    events = model.pooled.rows.events(y)
    ours = Likelihood.of(model.frame, np.tile(events, (2, 1)))(np.arange(2), inner).value
    assert ours[1] - ours[0] == pytest.approx(brute(points[1]) - brute(points[0]), abs=1e-7)


def test_one_node_is_laplace() -> None:
    design = design_of([9], "A", RATES)
    design = replace(design, X=design.X[:, :1], terms=("(Intercept)",), role=("intercept",))
    y = outcomes(design, 0.5, 1)
    model, sigma, total = model_of(design, 1), 0.7, y.sum()
    at = Likelihood.of(model.frame, model.pooled.rows.events(y))
    both = [float(at(np.array([0]), np.array([[b, sigma]])).value[0]) for b in (0.2, -0.1)]

    def by_hand(b: float) -> float:
        u = 0.0
        for _ in range(50):
            mu = 9 * np.exp(b + sigma * u)
            u += (sigma * (total - mu) - u) / (1 + sigma**2 * mu)
        mu = 9 * np.exp(b + sigma * u)
        return float(-2 * (total * (b + sigma * u) - mu - u**2 / 2 - np.log1p(sigma**2 * mu) / 2))

    assert both[0] - both[1] == pytest.approx(by_hand(0.2) - by_hand(-0.1), abs=1e-10)


@pytest.mark.parametrize("n_nodes", [1, 25])
@pytest.mark.parametrize("name", ["binary", "count", "nb"])
def test_gradients_and_hessians_are_differences(name: str, n_nodes: int) -> None:
    response = ODDS if name == "binary" else RATES
    design = design_of([3, 7, 5, 6], "ABAB", response, covariate=True, exposure=name != "binary")
    density = NegativeBinomial(design.exposure) if name == "nb" else None  # type: ignore[arg-type]
    model = model_of(design, n_nodes, density)
    y = model.pooled.rows.events(outcomes(design, 0.8, 1))
    likelihood = Likelihood.of(model.frame, y)
    x = np.array([-0.3, 0.4, 0.2, 0.6, 0.5])[: model.frame.n_parameters]
    P, step = len(x), 1e-5
    points = np.vstack([x + step * np.eye(P), x - step * np.eye(P), x])
    at = Likelihood.of(model.frame, np.tile(y, (2 * P + 1, 1)))(np.arange(2 * P + 1), points)
    gradient = (at.value[:P] - at.value[P:-1]) / (2 * step)
    hessian = (at.gradient[:P] - at.gradient[P:-1]) / (2 * step)
    one = likelihood(np.array([0]), x[None])
    np.testing.assert_allclose(one.gradient[0], gradient, atol=1e-6)
    np.testing.assert_allclose(one.hessian[0], hessian, atol=2e-5)


# ---- identities of fits -----------------------------------------------------------------------------


def balanced(*shares: int) -> tuple[Design, np.ndarray]:
    """Groups of ten with these numbers of events, arms in turn."""
    design = design_of([10] * len(shares), "AB" * (len(shares) // 2))
    return design, np.concatenate([np.arange(10) < k for k in shares]).astype(float)[None]


def test_without_group_variance_it_is_the_pooled_logistic() -> None:
    design, y = balanced(4, 6, 5, 7, 4, 6)
    ours = answer(design, y, ["glmm_likelihood", "glm_wald"])
    assert ours["glmm_likelihood"].singular[0]
    for name in ("estimate", "std_error", "p_value"):
        values = [getattr(each.inference, name) for each in ours.values()]
        np.testing.assert_allclose(values[0], values[1], rtol=1e-7)


def test_without_group_variance_standardised_risks_are_those_of_arms() -> None:
    design, y = balanced(4, 6, 5, 7, 4, 6)
    design = replace(design, response=Response("binary", "difference"))
    method = method_of("glmm_standardized")
    fit = Fits(design, y).of(method)
    means = method.infer(fit, design.L_means, Request())
    shares = np.array([13 / 30, 19 / 30])
    np.testing.assert_allclose(means.estimate[0], shares, rtol=1e-8)
    np.testing.assert_allclose(means.std_error[0], np.sqrt(shares * (1 - shares) / 30), rtol=1e-7)


def test_standardised_ratio_and_difference_agree_with_the_risks() -> None:
    design = design_of([12] * 8, "AB" * 4, covariate=True)
    y = outcomes(design, 0.8, 3)
    risks, effects = {}, {}
    for scale in ("difference", "ratio"):
        scaled = replace(design, response=Response("binary", scale))
        method = method_of("glmm_standardized")
        fit = Fits(scaled, y).of(method)
        risks[scale] = method.infer(fit, design.L_means, Request()).estimate
        effects[scale] = method.infer(fit, design.L, Request()).estimate[:, 0]
    np.testing.assert_allclose(risks["difference"], np.exp(risks["ratio"]), rtol=1e-12)
    low, high = risks["difference"].T
    np.testing.assert_allclose(effects["difference"], high - low, rtol=1e-10)
    np.testing.assert_allclose(effects["ratio"], np.log(high / low), rtol=1e-10)


def test_risks_of_a_spread_out_model_are_drawn_towards_a_half() -> None:
    design = design_of([12] * 20, "AB" * 10)
    y = outcomes(design, 2.0, 1, seed=5)
    fits = Fits(replace(design, response=Response("binary", "difference")), y)
    method = method_of("glmm_standardized")
    averaged = method.infer(fits.of(method), design.L_means, Request()).estimate[0]
    conditional = special.expit(fit_of(design, y).beta[0] @ design.L_means.T)
    assert (np.abs(averaged - 0.5) < np.abs(conditional - 0.5)).all()


def test_swapping_event_and_non_event_inverts_odds_ratios() -> None:
    design = design_of([6, 9, 12, 7, 8, 10], "ABCABC", covariate=True)
    y = outcomes(design, 0.9, 4)
    fit, swapped = fit_of(design, y), fit_of(design, 1 - y)
    np.testing.assert_allclose(swapped.beta, -fit.beta, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(swapped.vcov, fit.vcov, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("response", [ODDS, RATES])
def test_alone_as_in_a_batch(response: Response) -> None:
    design = design_of([6, 9, 12, 7, 8, 10], "ABCABC", response)
    y = outcomes(design, 0.4, 40)
    together = fit_of(design, y)
    assert together.singular.any() and not together.singular.all()
    for i in range(0, 40, 7):
        alone = fit_of(design, y[i : i + 1])
        for name in ("parameters", "vcov", "deviance"):
            np.testing.assert_allclose(
                getattr(alone, name)[0], getattr(together, name)[i], rtol=1e-7, atol=1e-9
            )


@pytest.mark.parametrize("response", [ODDS, RATES])
def test_sums_of_rows_say_what_individuals_say(response: Response) -> None:
    design = design_of([6, 9, 12, 7], "ABAB", response)
    y = outcomes(design, 0.8, 3)
    rows = EventRows.of(design)
    summed = replace(
        design,
        X=rows.X,
        rows=Rows.events(rows.trials),
        arm=design.arm[rows.first],
        group=rows.group,
    )
    scale = "difference" if response == ODDS else "ratio"
    for method in ("glmm_likelihood", "glmm_standardized"):
        if method == "glmm_standardized":
            if response == RATES:
                continue
            design, summed = (
                replace(each, response=Response("binary", scale)) for each in (design, summed)
            )
        whole = answer(design, y, [method])[method].inference
        sums = answer(summed, rows.events(y), [method])[method].inference
        np.testing.assert_allclose(whole.estimate, sums.estimate, rtol=1e-9)
        np.testing.assert_allclose(whole.std_error, sums.std_error, rtol=1e-9)


def test_units_of_covariates_and_of_time_do_not_matter() -> None:
    design = design_of([8] * 6, "ABABAB", RATES, covariate=True, exposure=True)
    y = outcomes(design, 0.6, 2)
    column = design.terms.index("x")
    X = design.X.copy()
    X[:, column] = 1e7 + 1e5 * X[:, column]
    assert design.exposure is not None
    other = fit_of(replace(design, X=X, exposure=60 * design.exposure), y)
    fit = fit_of(design, y)
    np.testing.assert_allclose(other.beta[:, 1], fit.beta[:, 1], rtol=1e-6)
    np.testing.assert_allclose(1e5 * other.beta[:, column], fit.beta[:, column], rtol=1e-6)
    np.testing.assert_allclose(other.sigma, fit.sigma, rtol=1e-6)


def test_order_of_rows_does_not_matter() -> None:
    design = design_of([8] * 6, "ABABAB", RATES, covariate=True)
    y = outcomes(design, 0.6, 1)
    order = np.random.default_rng(2).permutation(design.n_obs)
    for method in ("glmm_likelihood", "negative_binomial"):
        shuffled = replace(
            design, X=design.X[order], arm=design.arm[order], group=design.group[order]
        )
        np.testing.assert_allclose(
            fit_of(shuffled, y[:, order], method).beta, fit_of(design, y, method).beta, rtol=1e-6
        )


# ---- profile and bootstrap ---------------------------------------------------------------------------


def test_profile_limits_are_where_the_test_is_at_its_level() -> None:
    design = design_of([10] * 8, "AB" * 4)
    y = outcomes(design, 0.7, 3)
    method = method_of("glmm_profile")
    fit = Fits(design, y).of(method)
    rows = method.infer(fit, design.L, Request())
    for limit, inside in ((rows.conf_low, 1e-6), (rows.conf_high, -1e-6)):
        for shift in (inside, -inside):
            for i in range(3):
                request = Request(truth=limit[i] + shift, searched=0)
                covers = method.infer(fit, design.L, request).covers
                assert covers is not None and covers[i, 0] == (shift == inside)
    rejects = rows.p_value < 0.05
    np.testing.assert_array_equal(rejects, (rows.conf_low > 0) | (rows.conf_high < 0))
    one_df = method.joint(fit, design.L, Request())
    np.testing.assert_allclose(one_df.p_value, rows.p_value[:, 0], rtol=1e-6)


def test_profile_of_every_coefficient_where_arms_vary_within_groups() -> None:
    """Held at 0, the intercept leaves no column that is constant in groups."""
    design = design_of([12] * 6, "AB" * 3)
    arm = np.arange(design.n_obs) % 2
    X = np.column_stack([np.ones_like(arm), arm]).astype(float)
    design = replace(design, X=X, arm=arm)
    y = outcomes(design, 0.8, 2)
    method = method_of("glmm_profile")
    fit = Fits(design, y).of(method)
    rows = method.infer(fit, np.eye(2), Request())
    assert (rows.conf_low < rows.estimate).all() and (rows.estimate < rows.conf_high).all()
    alone = replace(design, X=X[:, 1:], terms=design.terms[1:], role=design.role[1:])
    gain = fit_of(alone, y).deviance - fit_of(design, y).deviance
    np.testing.assert_allclose(rows.statistic[:, 0] ** 2, gain, rtol=1e-6)


@pytest.mark.parametrize(
    "density", [Binomial(np.full(3, 6.0)), Poisson(np.full(3, 10.0))], ids=repr
)
def test_draws_do_not_depend_on_rounding(density: Binomial | Poisson) -> None:
    """A risk of 1/2 and a mean of 10 are where numpy's algorithms change."""
    below, above = (
        density.draw(np.full((3, 50), eta), np.random.default_rng(1)) for eta in (-1e-15, 1e-15)
    )
    np.testing.assert_array_equal(below, above)
    assert below.std() > 0


@pytest.mark.parametrize(
    ("name", "scale"),
    [("glmm_bootstrap", "odds_ratio"), ("glmm_standardized_bootstrap", "difference")],
)
def test_bootstrap_depends_on_the_seed_of_each_outcome_alone(name: str, scale: str) -> None:
    design = design_of([10] * 8, "AB" * 4, Response("binary", scale))
    y = outcomes(design, 0.7, 3)
    together = answer(design, y, [name], request=FEW)[name].inference
    for i in range(3):
        alone = answer(design, y[i : i + 1], [name], request=replace(FEW, first=i))[name].inference
        np.testing.assert_allclose(alone.conf_low[0], together.conf_low[i], rtol=1e-6)
        np.testing.assert_array_equal(alone.p_value[0], together.p_value[i])
    excludes = (together.conf_low > 0) | (together.conf_high < 0)
    np.testing.assert_array_equal(together.p_value <= 0.05, excludes)
    other = replace(FEW, resampling=Resampling(seed=4, bootstrap_draws=39))
    assert (
        answer(design, y, [name], request=other)[name].inference.conf_low != together.conf_low
    ).all()


def test_bootstrap_of_two_arms_is_one_test() -> None:
    design = design_of([10] * 8, "AB" * 4)
    fits = Fits(design, outcomes(design, 0.7, 1))
    method = method_of("glmm_bootstrap")
    answers = answers_of(method, fits.of(method), design, FEW)
    np.testing.assert_allclose(answers.omnibus.p_value, answers.contrasts.p_value[:, 0])


def test_draws_without_estimates_are_counted() -> None:
    design, y = balanced(1, 6, 0, 7, 0, 6)  # one event of 30: many draws have none
    sample = Sample(design, y[0], "data", "group", None, resampling=FEW.resampling)
    result = method_result(sample, "mixed", "glmm_bootstrap", Fits(design, y), FEW)
    assert result.singular and "The draws have none either." in result.message
    assert " of 39." in result.message
    assert result.answers.contrasts.conf_high[0] == np.inf


def test_nodes_of_draws_are_enough() -> None:
    design = design_of([10] * 8, "AB" * 4)
    model = model_of(design)
    y = model.pooled.rows.events(outcomes(design, 1.0, 50))
    fit, drawn = model.fit(y), model.for_draws.fit(y)
    L = design.L
    t = [f.beta @ L.T / np.sqrt(f.covariance(L)[..., 0]) for f in (fit, drawn)]
    np.testing.assert_allclose(t[0], t[1], atol=2e-3)


# ---- no answer -------------------------------------------------------------------------------------


def message(design: Design, y: np.ndarray, name: str) -> str:
    sample = Sample(design, y[0], "data", "group", None)
    result = method_result(sample, "mixed", name, Fits(design, y), Request())
    assert not result.converged and np.isnan(result.answers.contrasts.estimate).all()
    return result.message


def test_arm_without_events_is_named() -> None:
    design, y = balanced(0, 6, 0, 7, 0, 6)
    assert "no events in A" in message(design, y, "glmm_likelihood")
    other = fit_of(design, np.vstack([y, balanced(2, 6, 3, 7, 1, 6)[1]]))
    np.testing.assert_array_equal(other.converged, [False, True])
    design, y = balanced(3, 10, 2, 10, 4, 10)
    assert "nothing but events in B" in message(design, y, "glmm_likelihood")


def test_separating_covariate_is_named() -> None:
    design = design_of([10] * 4, "ABAB", covariate=True)
    y = (design.X[:, design.terms.index("x")] > 0.1).astype(float)[None]
    assert "x separates" in message(design, y, "glmm_likelihood")


def test_groups_that_are_all_of_one_kind_have_no_finite_variance() -> None:
    design, y = balanced(0, 10, 10, 0, 0, 10, 10, 0)
    assert "no maximum at a finite variance" in message(design, y, "glmm_likelihood")


def test_what_needs_more_effects_of_groups_does_not_apply() -> None:
    design = design_of([10] * 4, "ABAB")
    slopes = replace(design, random_slopes="unstructured")
    with pytest.raises(DoesNotApply, match="effects of the treatment that differ"):
        method_of("glmm_likelihood").prepare(slopes)
    second = replace(design, second=design.arm, second_labels=("1", "2"))
    with pytest.raises(DoesNotApply, match="a second grouping"):
        method_of("glmm_standardized").prepare(second)
    singles = design_of([1] * 20, "AB" * 10)
    with pytest.raises(DoesNotApply, match="every group has one member"):
        method_of("glmm_likelihood").prepare(singles)


def test_counts_like_poisson_have_its_answer() -> None:
    design = design_of([10] * 6, "AB" * 3, RATES)
    y = np.tile([1.0, 2, 1, 2, 1, 2, 1, 2, 1, 2], 6)[None]  # less spread than Poisson counts
    ours = answer(design, y, ["negative_binomial", "glmm_likelihood"])
    assert ours["negative_binomial"].singular[0]
    estimates = [each.inference.std_error for each in ours.values()]
    np.testing.assert_allclose(estimates[0], estimates[1], rtol=1e-9)


def test_methods_are_listed_for_their_scales() -> None:
    design = design_of([10] * 4, "ABAB")
    listed = {
        scale: method_of("glmm_likelihood").is_listed(replace(design, response=Response(*scale)))
        for scale in [("binary", "odds_ratio"), ("binary", "ratio"), ("count", "ratio")]
    }
    assert list(listed.values()) == [True, False, True]
