"""Power and sample size: exact where theory is, and what the package's own tests do elsewhere."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from experiments import draw, robust_of, sample_of
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy import integrate, stats

from groupwise.catalogue.methods import NAMES
from groupwise.compression import Compression
from groupwise.inference.mixed import (
    kenward_roger,
    mixed_model,
)
from groupwise.inference.sandwich import make_contrasts
from groupwise.methods import Fits, Request, method_of
from groupwise.models.clusters import cluster_design
from groupwise.models.least_squares import orthonormal_basis
from groupwise.planning.experiments import DesignFrame, Experiment, plan_experiment
from groupwise.planning.least_squares import sandwich
from groupwise.planning.noncentral import beta_nodes, noncentral_f_sf, two_sided_power
from groupwise.planning.plan_curves import EXTRAPOLATED, plan_curves, typical
from groupwise.planning.plans import Plan, Variation, group_sizes
from groupwise.planning.power import (
    lost_df,
    minimum_detectable_effect,
    noncentral_curves,
    omnibus_power,
    power,
    why_not,
)
from groupwise.planning.power_tables import COLUMNS, at_hand, needed, power_curves
from groupwise.planning.precision import JOINT_METHODS, METHODS, MIXED, QUADRATIC, precision
from groupwise.planning.quadratic_forms import QuadraticForm
from groupwise.planning.rejection import DRAWN, best_curves, draw_outcomes, drawn_curves
from groupwise.planning.sample_size import groups_needed, plan_power, size_needed, smallest
from groupwise.tidy import Inference

LECTURE = Plan(5, 25, (1, 1, 1))
USUAL = Variation(sd=10, icc=0.25)
HOLDS_LEVEL = ("group_means", "mixed_satterthwaite", "mixed_kenward_roger")


def experiment(plan: Plan = LECTURE, variation: Variation = USUAL) -> Experiment:
    return plan_experiment(plan, variation)


def of_individuals(plan: Plan = LECTURE, variation: Variation = USUAL) -> Experiment:
    """The same, each row of the design an individual."""
    return Experiment(DesignFrame(plan.design), variation)


# ---- distributions -------------------------------------------------------------------------------


@pytest.mark.parametrize("q", [1, 2, 5])
@pytest.mark.parametrize("df", [1, 2.7, 12, 400])
@pytest.mark.parametrize("noncentrality", [0.0, 0.3, 7.8, 60.0])
def test_noncentral_f_is_scipys_where_scipy_can(q: int, df: float, noncentrality: float) -> None:
    f = stats.f.isf(0.05, q, df)
    wanted = stats.ncf.sf(f, q, df, noncentrality) if noncentrality else 0.05
    assert_allclose(noncentral_f_sf(f, q, df, noncentrality), wanted, rtol=1e-9)


def test_noncentral_f_without_denominator_is_noncentral_chi_squared() -> None:
    wanted = stats.ncx2.sf(2 * 3.1, 2, 5.5)
    assert_allclose(noncentral_f_sf(3.1, 2, np.inf, 5.5), wanted, rtol=1e-12)
    assert_allclose(two_sided_power(2.5, 1.96, np.inf), stats.norm.sf(-0.54) + stats.norm.sf(4.46))


@pytest.mark.parametrize("noncentrality", [1e3, 1e5, 1e8, 1e12])
def test_large_noncentralities_do_no_harm(noncentrality: float) -> None:
    assert noncentral_f_sf(4.0, 1, 12, noncentrality) == pytest.approx(1, abs=1e-13)
    # F / (1 + noncentrality) is then nearly df / chi^2(df): a threshold there gives a middling power.
    middle = noncentrality * 12 / stats.chi2.median(12)
    found = noncentral_f_sf(middle, 1, 12, noncentrality)
    assert_allclose(found, 0.5, atol=2 / np.sqrt(noncentrality))


@pytest.mark.parametrize(("a", "b"), [(0.5, 0.5), (5, 0.5), (6.5, 1), (2000, 1.5), (1, 0)])
def test_beta_nodes_have_the_moments_of_beta(a: float, b: float) -> None:
    x, weight = beta_nodes(a, b)
    for k in (0, 1, 2, 5):
        wanted = np.prod([(a + i) / (a + b + i) for i in range(k)])
        assert_allclose(weight @ x**k, wanted, rtol=1e-12)


@pytest.mark.parametrize("df", [1, 3, 40, 5783, 1_000_000])
@pytest.mark.parametrize("effect", [0.0, 0.4, 3.0, 30.0])
def test_a_quadratic_form_of_two_variances_is_an_f_test(df: int, effect: float) -> None:
    f = stats.f.isf(0.05, 1, df)
    negative = np.full(2, -f / df)  # twice: as one it would be calculated as an F test
    form = QuadraticForm(np.array([1, *negative]), np.array([1, df / 3, df / 1.5]), np.eye(3)[0])
    assert_allclose(form.positive(effect), noncentral_f_sf(f, 1, df, effect**2), atol=1e-12)


@pytest.mark.parametrize("df", [1, 3, 40])
@pytest.mark.parametrize("effect", [0.0, 0.4, 3.0, 30.0])
def test_a_quadratic_form_of_many_normals_is_an_f_test(df: int, effect: float) -> None:
    f = stats.f.isf(0.05, 1, df)
    form = QuadraticForm.of(np.diag([1.0, *np.full(df, f / df)]))
    assert_allclose(form.positive(effect), noncentral_f_sf(f, 1, df, effect**2), atol=1e-12)


@pytest.mark.parametrize(
    ("weights", "df"), [((2.0, 0.5), (2, 6)), ((0.3, 0.001), (14, 5783)), ((1e-4, 2e-4), (3000, 9))]
)
@pytest.mark.parametrize("effect", [0.0, 1.5])
def test_quadratic_form_with_unequal_weights_by_conditioning(
    weights: tuple[float, float], df: tuple[int, int], effect: float
) -> None:
    """P(Z^2 > a A + b B), A and B chi-squared, by quadrature over A and B."""
    x, share = np.polynomial.legendre.leggauss(400)
    nodes, density = [], []
    for each in df:
        low, high = stats.chi2.ppf(1e-15, each), stats.chi2.isf(1e-15, each)
        nodes.append(low + (high - low) * (x + 1) / 2)
        density.append((high - low) / 2 * share * stats.chi2.pdf(nodes[-1], each))
    root = np.sqrt(weights[0] * nodes[0][:, None] + weights[1] * nodes[1])
    wanted = (
        density[0] @ (stats.norm.sf(root - effect) + stats.norm.cdf(-root - effect)) @ density[1]
    )
    form = QuadraticForm(
        np.array([1.0, *np.negative(weights)]), np.array([1.0, *df]), np.array([1.0, 0, 0])
    )
    assert_allclose(form.positive(effect), wanted, atol=1e-9)


def imhof(form: QuadraticForm, effect: float, step: float = 0.002) -> float:
    """P(form > 0) along the imaginary axis (Imhof 1961), in the logarithm of its variable."""
    ncp, size = (form.direction * effect) ** 2, np.abs(form.weight)
    total = 0.0
    for start in np.arange(-40 - np.log(size.max()), 40 - np.log(size.min()), 10.0):
        x = np.multiply.outer(form.weight, np.exp(np.arange(start, start + 10 - step / 2, step)))
        square = x**2
        phase = form.multiplicity @ np.arctan(x) + ncp @ (x / (1 + square))
        log_modulus = form.multiplicity @ np.log1p(square) / 2 + ncp @ (square / (1 + square))
        total += (np.sin(phase / 2) * np.exp(-log_modulus / 2)).sum() * step
        if log_modulus[-1] > 90:
            break
    return float(np.clip(0.5 + total / np.pi, 0, 1))


@settings(max_examples=60)
@given(
    weight=st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=6),
    df=st.lists(st.sampled_from([1, 2, 7, 300, 20_000]), min_size=6, max_size=6),
    direction=st.lists(st.sampled_from([0.0, 0.0, 0.7, -2.0]), min_size=6, max_size=6),
    effect=st.sampled_from([0.0, 0.3, 1.0, 2.8, 8.0, 30.0]),
    share=st.booleans(),
    scale=st.sampled_from([1e-6, 1.0, 1e9]),
)
def test_a_quadratic_form_is_positive_as_often_along_another_path(
    weight: list[float],
    df: list[int],
    direction: list[float],
    effect: float,
    share: bool,
    scale: float,
) -> None:
    d = len(weight)
    negative = -np.array(weight) / (sum(df[:d]) if share else 1)
    form = QuadraticForm(
        np.array([1.0, *negative]), np.array([1.0, *df[:d]]), np.array([1.0, *direction[:d]])
    )
    wanted = imhof(form, effect)
    assert_allclose(form.positive(effect), wanted, atol=2e-11)
    assert_allclose(replace(form, weight=scale * form.weight).positive(effect), wanted, atol=2e-11)


def test_a_quadratic_form_without_numbers_has_no_probability() -> None:
    one = np.ones(2)
    assert np.isnan(QuadraticForm(np.array([1, -2.0]), one, one).positive(np.inf))
    assert np.isnan(QuadraticForm(np.array([1, np.nan]), one, one).positive(0.5))
    assert QuadraticForm(np.array([2.0]), one[:1], one[:1]).positive(0.5) == 1
    assert QuadraticForm(np.array([-2.0]), one[:1], one[:1]).positive(0.5) == 0


def test_level_of_pooled_least_squares_with_thousands_of_individuals() -> None:
    """The variance it believes is that within groups mostly, which thousands of residuals tell."""
    size, groups, variation = 200, 6, Variation(sd=1, icc=0.1)
    made = experiment(Plan(groups, size, (1, 1)), variation)
    between = variation.var_group + variation.var_residual / size
    df, n = 2 * groups - 2, 2 * groups * size
    form = QuadraticForm(
        np.array([between, -size * between, -variation.var_residual]),
        np.array([1.0, df, n - 2 * groups]),
        np.zeros(3),
    )
    critical = stats.f.isf(0.05, 1, n - 2) / size / (n - 2)
    form = replace(form, weight=form.weight * np.array([1, critical, critical]))
    x, share = np.polynomial.legendre.leggauss(400)
    within = critical * variation.var_residual * (n - 2 * groups)  # hardly varies
    squares = 30 * df * (x + 1) / 2
    root = np.sqrt(critical * size * between * squares + within)
    density = 15 * df * share * stats.chi2.pdf(squares, df)
    assert_allclose(
        density @ (2 * stats.norm.sf(root / np.sqrt(between))), form.positive(0), rtol=1e-3
    )
    assert_allclose(power(made, "ols_classical", 0.0), form.positive(0), rtol=1e-9)


# ---- balanced designs: textbook answers ----------------------------------------------------------


@pytest.mark.parametrize("effect", [0.0, 2.0, 9.0])
@pytest.mark.parametrize("method", HOLDS_LEVEL)
def test_balanced_power_is_that_of_noncentral_t_and_f(method: str, effect: float) -> None:
    plan, made = LECTURE, experiment()
    variance = 2 / plan.groups * (USUAL.var_group + USUAL.var_residual / plan.size)
    wanted = noncentral_f_sf(stats.f.isf(0.05, 1, 12), 1, 12, effect**2 / variance)
    assert_allclose(power(made, method, effect), wanted, rtol=1e-10)
    effects = np.array([effect, effect / 2])
    means = np.append(0, effects)
    noncentrality = plan.groups * ((means - means.mean()) ** 2).sum() / (plan.groups * variance / 2)
    wanted = stats.ncf.sf(stats.f.isf(0.05, 2, 12), 2, 12, noncentrality) if effect else 0.05
    assert_allclose(omnibus_power(made, method, effects), wanted, rtol=1e-9)


def test_sandwiches_of_equal_arms_have_the_df_of_the_arms_compared() -> None:
    """Only their 2 (5 - 1) = 8, whatever the method believes: CR1 uses t with G - 1 = 14."""
    made, n, G, g = experiment(), 375, 15, 5
    variance = 2 / g * (USUAL.var_group + USUAL.var_residual / 25)
    factor = G / (G - 1) * (n - 1) / (n - 3) * (g - 1) / g
    cases = {"ols_cr1": (14, factor), "ols_cr2": (8, 1.0), "ols_cr3": (14, g / (g - 1))}
    for method, (df, ratio) in cases.items():
        threshold = stats.f.isf(0.05, 1, df) * ratio
        for effect in (0.0, 7.0):
            wanted = noncentral_f_sf(threshold, 1, 8, effect**2 / variance)
            assert_allclose(power(made, method, effect), wanted, rtol=1e-8)


def test_pooled_ols_rejects_what_the_design_effect_says() -> None:
    """SE^2 of OLS is a mixture of variances between and within groups."""
    made, n, G = experiment(), 375, 15
    between = 25 * USUAL.var_group + USUAL.var_residual
    mean = (12 * between + (n - G) * USUAL.var_residual) / (n - 3)
    found = precision(made, "ols_classical", made.design.L)
    assert_allclose(found.ratio, mean / between, rtol=1e-12)
    assert power(made, "ols_classical", 0.0)[0] > 0.4


@pytest.mark.parametrize("icc", [0.0, 0.02, 0.25])
def test_mixed_models_of_equal_groups_by_integration(icc: float) -> None:
    """Rejection depends on the mean squares between and within only; below one the fit is singular."""
    plan, effect = Plan(4, 6), 6.0
    made = experiment(plan, Variation(10, icc))
    G, m, df_b, df_w = 8, 6, 6, 40
    between = m * made.variation.var_group + made.variation.var_residual
    within = made.variation.var_residual
    sd = np.sqrt(2 / 4 / m * between)

    x, weight = np.polynomial.legendre.leggauss(200)
    msb = between * stats.chi2.ppf((x + 1) / 2, df_b)[:, None] / df_b
    msw = within * stats.chi2.ppf((x + 1) / 2, df_w) / df_w
    pooled = (df_b * msb + df_w * msw) / (df_b + df_w)
    se = np.sqrt(2 / 4 / m * np.where(msb > msw, msb, pooled))
    half = stats.t.isf(0.025, np.where(msb > msw, df_b, G * m - 2)) * se / sd
    rejects = stats.norm.sf(half - effect / sd) + stats.norm.sf(half + effect / sd)
    wanted = weight / 2 @ rejects @ (weight / 2)
    (curve, *_), variance = drawn_curves(made, ["mixed_satterthwaite"])["mixed_satterthwaite"]
    found = curve(effect**2 / variance[0])
    assert_allclose(found, wanted, atol=1e-3)
    assert abs(found - wanted) < 4 * curve.mcse(effect**2 / variance[0])


def test_unequal_arms_are_welchs_problem() -> None:
    """CR2 with equal groups is Welch's test with fixed df: one integral over the two variances."""
    made = experiment(Plan(4, 10, (1, 2.5)))
    one = USUAL.var_group + USUAL.var_residual / 10
    variance = one / 4 + one / 10
    df = variance**2 / ((one / 4) ** 2 / 3 + (one / 10) ** 2 / 9)
    crit = stats.t.isf(0.025, df)
    x, weight = np.polynomial.legendre.leggauss(400)
    share = stats.beta.ppf((x + 1) / 2, 1.5, 4.5)
    for effect in (0.0, 8.0):
        each = [
            noncentral_f_sf(
                crit**2 * 12 * (b / 3 / 4 + (1 - b) / 9 / 10) / (1 / 4 + 1 / 10),
                1,
                12,
                effect**2 / variance,
            )
            for b in share
        ]
        assert_allclose(power(made, "ols_cr2", effect)[0], weight / 2 @ each, rtol=1e-5)
    assert tuple(np.bincount(made.design.arm_of_group)) == (4, 10)


# ---- blocks, covariates, treatments within groups ------------------------------------------------


def test_matched_pairs_are_a_paired_t_test() -> None:
    plan = Plan(9, 12, per_block=1)
    variance = 2 / 9 * (USUAL.var_group + USUAL.var_residual / 12)
    wanted = two_sided_power(8 / np.sqrt(variance), stats.t.isf(0.025, 8), 8)
    for method in HOLDS_LEVEL:
        assert_allclose(power(experiment(plan), method, 8.0), wanted, rtol=1e-9)


def test_covariates_of_groups_cost_a_df_and_explain_variance() -> None:
    """One covariate in two arms: conditional on its imbalance T the noncentrality is known."""
    variation = replace(USUAL, group_covariates=1, r2_group=0.5)
    plan = Plan(6, 20)
    variance = 2 / 6 * (USUAL.var_group / 2 + USUAL.var_residual / 20)
    crit = stats.t.isf(0.025, 9)

    def given(t: float) -> float:
        ncp = 8 / np.sqrt(variance * (1 + t**2 / 10))
        return float(stats.t.pdf(t, 10) * two_sided_power(ncp, crit, 9))

    wanted = integrate.quad(given, -60, 60, limit=300, epsabs=1e-12)[0]
    for method in HOLDS_LEVEL:
        assert_allclose(power(experiment(plan, variation), method, 8.0), wanted, rtol=1e-8)
        assert_allclose(power(experiment(plan, variation), method, 0.0), 0.05, rtol=1e-9)


def test_covariates_of_individuals_cost_mixed_models_nothing_between_groups() -> None:
    more = replace(USUAL, individual_covariates=2, r2_individual=0.3)
    made = experiment(LECTURE, more)
    assert (lost_df(made, "mixed_kenward_roger"), lost_df(made, "group_means")) == (0, 2)
    plain = experiment(LECTURE, replace(USUAL, r2_individual=0.3))
    of = ("mixed_kenward_roger", 8.0)
    assert_allclose(power(made, *of), power(plain, *of), rtol=1e-12)
    assert (power(made, "group_means", 8.0) < power(plain, "group_means", 8.0)).all()


def test_treatment_within_groups_with_and_without_varying_effects() -> None:
    """The same effect in every group: residual df. Effects that vary: the paired t test."""
    same = experiment(Plan(8, 20, kind="within"))
    variance = 2 * USUAL.var_residual / (8 * 10)
    wanted = two_sided_power(3 / np.sqrt(variance), stats.t.isf(0.025, 151), 151)
    for method in ("dummy", "mixed_kenward_roger", "mixed_satterthwaite"):
        assert_allclose(power(same, method, 3.0), wanted, rtol=1e-8)
    plan = Plan(8, 20, kind="within", random_slopes=True)
    vary = experiment(plan, replace(USUAL, sd_effect=4.0))
    variance = (4.0**2 + 2 * USUAL.var_residual / 10) / 8
    wanted = two_sided_power(6 / np.sqrt(variance), stats.t.isf(0.025, 7), 7)
    for method in ("ols_cr2", "mixed_kenward_roger", "mixed_satterthwaite"):
        assert_allclose(power(vary, method, 6.0), wanted, rtol=1e-7)
    assert power(vary, "dummy", 0.0)[0] > 0.1
    wrong = experiment(replace(plan, random_slopes=False), vary.variation)
    assert "not in both" in why_not(wrong, "mixed_wald")
    wanted = stats.f.sf(stats.f.isf(0.05, 1, 7), 1, 7)
    assert_allclose(omnibus_power(vary, "mixed_kenward_roger", np.zeros(1)), wanted, rtol=1e-9)


# ---- any design: brute force ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "plan",
    [
        LECTURE,
        Plan(4, 7, (1, 1.5, 1), size_cv=0.6),
        Plan(6, 9, (1, 0.5), size_cv=0.4, per_block=2),
        Plan(7, 9, (1, 1.4), size_cv=0.5, kind="within"),
    ],
    ids=["equal", "unequal", "blocks", "within"],
)
def test_rows_of_groups_say_what_rows_of_individuals_do(plan: Plan) -> None:
    """Of powers, by all methods; by draws those of the same rows, which have other numbers in others."""
    few, many = experiment(plan), of_individuals(plan)
    compressed = Experiment(DesignFrame(Compression.of(plan.design).design), USUAL)
    assert len(few.design.X) < len(many.design.X) == many.design.n_obs == few.design.n_obs
    for method in (*QUADRATIC, *MIXED):
        assert why_not(few, method) == why_not(many, method)
        if why_not(few, method):
            continue
        for other, n_draws in ((many, 0), (compressed, 0), (compressed, 64)):
            made, variance, _ = best_curves(few, [method], n_draws=n_draws)[method]
            curves, variances, _ = best_curves(other, [method], n_draws=n_draws)[method]
            assert_allclose(variances, variance, rtol=1e-9)
            for noncentrality in (0.0, 8.0):
                wanted = [curve(noncentrality) for curve in made]
                assert_allclose([c(noncentrality) for c in curves], wanted, rtol=1e-8)


@pytest.mark.parametrize("of_groups", [True, False], ids=["means", "individuals"])
def test_drawn_outcomes_vary_as_planned(of_groups: bool) -> None:
    """Rows have the covariance V of the model; squares of what is left are chi-squared by themselves."""
    plan = Plan(2, 5, (1, 1.5), size_cv=0.6)
    made = experiment(plan) if of_groups else at_hand_with_covariates()
    design, variation, n = made.design, made.variation, 2**14
    if not of_groups:
        made = Experiment(DesignFrame(Compression.of(design).design), variation)
        design = made.design
    y = draw_outcomes(made, n_draws=n, seed=5)
    m, left = len(design.X) - 1, design.rows.remainder
    assert y.shape == (n, m + 1) and left == design.n_obs - m
    V = (made.root @ made.root.T).toarray()[:m, :m] + variation.var_residual * np.eye(m)
    error = np.sqrt((V**2 + np.outer(V.diagonal(), V.diagonal())) / n)
    assert_allclose(y[:, :m].mean(axis=0) / np.sqrt(V.diagonal() / n), 0, atol=4)
    assert_allclose((y[:, :m].T @ y[:, :m] / n - V) / error, 0, atol=4.5)
    squares = y[:, m] ** 2 / variation.var_residual
    assert stats.kstest(squares, stats.chi2(left).cdf).statistic < 1.9 / np.sqrt(n)
    of_rows = (y[:, :m] ** 2) @ (1 / V.diagonal())
    assert abs(np.corrcoef(squares, of_rows)[0, 1]) < 4 / np.sqrt(n)


def uneven(slopes: bool = False) -> Experiment:
    if slopes:
        plan = Plan(6, 11, (1, 1.4), size_cv=0.5, kind="within", random_slopes=True)
        return of_individuals(plan, replace(USUAL, sd_effect=5.0))
    return of_individuals(Plan(4, 7, (1, 1.5, 1), size_cv=0.6))


def dense_covariance(made: Experiment) -> np.ndarray:
    design, variation = made.design, made.variation
    effects = variation.effects_covariance(made.n_arms)[np.ix_(design.arm, design.arm)]
    together = design.group[:, None] == design.group
    return together * effects + variation.var_residual * np.eye(design.n_obs)


@pytest.mark.parametrize("slopes", [False, True])
def test_variances_are_those_of_dense_algebra(slopes: bool) -> None:
    made = uneven(slopes)
    X, L, V = made.design.X, made.design.L, dense_covariance(made)
    gls = L @ np.linalg.inv(X.T @ np.linalg.solve(V, X)) @ L.T
    found = precision(made, "mixed_kenward_roger", L).variance
    assert (found >= np.diag(gls) * (1 - 1e-9)).all()
    assert_allclose(found, np.diag(gls), rtol=0.05)
    a = L @ np.linalg.pinv(X)
    M = np.eye(len(X)) - X @ np.linalg.pinv(X)
    for method in ("ols_classical", "ols_cr1", "ols_cr2"):
        assert_allclose(precision(made, method, L).variance, np.diag(a @ V @ a.T), rtol=1e-9)
    classical = precision(made, "ols_classical", L)
    square = np.trace(M @ V) ** 2 / np.trace(M @ V @ M @ V)
    assert_allclose(classical.df_true, square, rtol=1e-8)
    contrasts = make_contrasts(cluster_design(X, made.design.group), L, "CR2")
    C = robust_of(contrasts, np.eye(len(X))).contribution
    test = sandwich("CR2")(made, L)
    for c in range(len(L)):
        own = np.column_stack([a[c], C[:, :, c]])
        assert_allclose(test.cov[c], own.T @ V @ own, atol=1e-9 * test.cov[c].max())


@pytest.mark.parametrize("slopes", [False, True])
@pytest.mark.parametrize("method", QUADRATIC)
def test_moments_are_those_of_the_quadratic_form(method: str, slopes: bool) -> None:
    made = uneven(slopes)
    if why_not(made, method):
        pytest.skip(why_not(made, method))
    test, L = QUADRATIC[method](made, made.design.L), made.design.L
    P = test.cov[:, 1:, 1:]
    mean = np.trace(P, axis1=1, axis2=2) + test.rest * test.rest_df
    half = (P**2).sum(axis=(1, 2)) + test.rest**2 * test.rest_df
    found = precision(made, method, L)
    assert_allclose(found.variance, test.variance, rtol=1e-10)
    assert_allclose(found.ratio * found.variance, mean, rtol=1e-9)
    assert_allclose(found.df_true, mean**2 / half, rtol=1e-9)
    assert_allclose(found.df, test.df, rtol=1e-12)


def test_many_groups_are_near_the_exact_answer_and_use_no_large_matrix() -> None:
    """Just below the limit of the exact calculation both agree; far above it there is an answer."""
    made = experiment(Plan(150, 6, size_cv=0.5))
    effect = 3 * np.sqrt(precision(made, "ols_cr2", made.design.L).variance[0])
    for method in ("ols_cr1", "ols_cr2", "group_means", "ols_classical"):
        found = precision(made, method, made.design.L)
        threshold = found.ratio[0] * stats.f.isf(0.05, 1, found.df[0])
        near = noncentral_f_sf(threshold, 1, found.df_true[0], effect**2 / found.variance[0])
        assert_allclose(power(made, method, effect), near, atol=1e-3)
    large = experiment(Plan(4000, 3))
    assert 0.79 < power(large, "ols_cr2", 2.8 * np.sqrt(2 / 4000 * 50))[0] < 0.81


def test_covariances_of_slopes_are_what_was_asked_for() -> None:
    made = uneven(slopes=True)
    arms = made.variation.effects_covariance(3)
    assert_allclose(np.diag(arms), made.variation.var_group)
    assert_allclose(arms[0, 0] + arms[1, 1] - 2 * arms[0, 1], 5.0**2)
    found = (made.root @ made.root.T).toarray()
    found += made.variation.var_residual * np.eye(made.design.n_obs)
    assert_allclose(found, dense_covariance(made), atol=1e-10)


# ---- laws ----------------------------------------------------------------------------------------

plans = st.builds(
    Plan,
    groups=st.integers(3, 12),
    size=st.integers(2, 20),
    allocation=st.sampled_from([(1.0, 1.0), (1.0, 2.0), (1.0, 1.0, 1.0)]),
    size_cv=st.sampled_from([0.0, 0.4]),
)
methods = st.sampled_from([m for m in METHODS if m not in ("dummy", "ols_classical")])
iccs = st.floats(0.02, 0.6)


@given(plan=plans, method=methods, icc=iccs, effect=st.floats(0, 12), more=st.floats(0.5, 12))
def test_power_rises_with_the_effect(
    plan: Plan, method: str, icc: float, effect: float, more: float
) -> None:
    made = experiment(plan, Variation(10, icc))
    low, high = power(made, method, effect), power(made, method, effect + more)
    assert (high >= low - 1e-10).all()
    assert ((low >= 0) & (high <= 1)).all()


@given(plan=plans, icc=iccs, method=st.sampled_from(HOLDS_LEVEL), effect=st.floats(1, 12))
def test_power_rises_with_groups_and_falls_with_icc(
    plan: Plan, icc: float, method: str, effect: float
) -> None:
    equal = replace(plan, size_cv=0.0)
    variation = Variation(10, icc)
    base = plan_power(equal, variation, method, effect)
    assert plan_power(equal.with_groups(plan.groups + 1), variation, method, effect) > base - 1e-12
    assert plan_power(equal.with_size(plan.size + 1), variation, method, effect) > base - 1e-12
    assert plan_power(equal, Variation(10, icc + 0.1), method, effect) < base + 1e-12


@given(plan=plans, method=st.sampled_from(METHODS), icc=iccs, wanted=st.floats(0.6, 0.95))
def test_minimum_detectable_effect_inverts_power(
    plan: Plan, method: str, icc: float, wanted: float
) -> None:
    made = experiment(plan, Variation(10, icc))
    effects = minimum_detectable_effect(made, method, power=wanted)
    assert np.isnan(effects).all() == bool(why_not(made, method))
    for c, effect in enumerate(effects):
        if np.isfinite(effect):
            assert abs(power(made, method, float(effect))[c] - wanted) < 1e-8


def test_drawn_curves_are_inverted_too() -> None:
    found = at_hand(LECTURE.design, {"estimate": USUAL}, 5.0, methods=["mixed_wald"])
    made = drawn_curves(experiment(), ["mixed_wald"])["mixed_wald"]
    for row, curve, variance in zip(found.itertuples(), *made, strict=True):
        again = curve(row.minimum_detectable_effect**2 / variance)
        assert abs(again - 0.8) < 1e-8


# ---- many blocks ---------------------------------------------------------------------------------

MANY_BLOCKS = {
    "pairs": (Plan(160, 6, per_block=1), 1e-9, 1e-4),
    "pairs, unequal": (Plan(160, 6, size_cv=0.6, per_block=1), 0.02, 5e-3),
    "two and one": (Plan(320, 6, (1, 0.5), per_block=2), 1e-9, 1e-4),
    "three arms, unequal": (Plan(160, 6, (1, 1, 1), size_cv=0.4, per_block=1), 0.02, 5e-3),
}


@pytest.mark.parametrize("case", MANY_BLOCKS)
@pytest.mark.parametrize("icc", [0.02, 0.3])
@pytest.mark.parametrize("method", METHODS)
def test_many_blocks_are_extrapolated_to_what_their_design_says(
    case: str, icc: float, method: str
) -> None:
    """With equal sizes to four digits; unequal ones are rounded in each plan by themselves."""
    (plan, of_variance, of_power), variation = MANY_BLOCKS[case], Variation(10, icc)
    whole, small = experiment(plan, variation), typical(plan, variation)
    assert small.design.n_obs < whole.design.n_obs
    assert why_not(small, method) == why_not(whole, method)
    if why_not(whole, method):
        return
    made, variance, _ = plan_curves(plan, small, [method], level=0.05, n_draws=0)[method]
    found = precision(whole, method, whole.design.L)
    exact, wanted = noncentral_curves(found, 0, level=0.05)
    assert_allclose(variance, wanted, rtol=of_variance)
    for curve, true, v, w in zip(made, exact, variance, wanted, strict=True):
        for effect in (0.0, 1.5, 2.5):
            assert abs(curve(effect**2 / v) - true(effect**2 / w)) < of_power


def test_blocks_needed_beyond_those_that_are_designed_say_so() -> None:
    """A thousand pairs are searched through without ever making them."""
    plan, variation = Plan(9, 6, per_block=1), Variation(10, 0.3)
    methods = ["group_means", "mixed_kenward_roger"]
    table = needed(plan, {"estimate": variation}, 0.7, methods=methods)
    assert table["groups"].between(400, 2000).all() and (table["power"] >= 0.8).all()
    assert (table["message"] == EXTRAPOLATED).all() and (table["how"] == "noncentral t").all()
    # As for n independent differences of pairs: n = (z_.975 + z_.8)^2 sd^2 / effect^2.
    of_pair = 2 * (variation.var_group + variation.var_residual / 6)
    normal = (stats.norm.isf(0.025) + stats.norm.isf(0.2)) ** 2 * of_pair / 0.7**2
    assert (abs(table["groups"] - normal) < 5).all()


@given(
    plan=plans,
    method=st.sampled_from(["group_means", "mixed_kenward_roger", "ols_cr2"]),
    icc=iccs,
    effect=st.floats(4, 12),
)
def test_groups_needed_is_the_least(plan: Plan, method: str, icc: float, effect: float) -> None:
    plan, variation = replace(plan, size_cv=0.0), Variation(10, icc)
    found = groups_needed(plan, variation, method, effect)
    assert found is not None
    assert plan_power(found, variation, method, effect) >= 0.8
    if found.groups > 1:
        fewer = found.with_groups(found.groups - 1)
        assert plan_power(fewer, variation, method, effect) < 0.8


@given(
    powers=st.lists(st.one_of(st.floats(0, 1), st.sampled_from([0.0, 0.8, 1.0])), min_size=1),
    start=st.integers(1, 150),
    flat=st.integers(1, 40),
)
def test_the_smallest_number_is_it_however_power_grows(
    powers: list[float], start: int, flat: int
) -> None:
    of_number = np.repeat(np.sort(powers), flat)
    tried = []

    def power_of(number: int) -> float:
        tried.append(number)
        return float(of_number[number - 1])

    found = smallest(power_of, 0.8, len(of_number), start)
    enough = np.flatnonzero(of_number >= 0.8)
    assert found == (enough[0] + 1 if len(enough) else None)
    assert len(tried) == len(set(tried)) <= 4 * np.log2(len(of_number)) + 4


def test_numbers_that_are_enough_are_expected_after_few_are_tried() -> None:
    plan, variation, tried = Plan(40, 10), Variation(10, 0.1), []

    def power_of(groups: int) -> float:
        tried.append(groups)
        return plan_power(plan.with_groups(groups), variation, "group_means", 2.0)

    found = smallest(power_of, 0.8, 2000, 40)
    assert found is not None and power_of(found) >= 0.8 > power_of(found - 1)
    assert len(tried) <= 7  # doubling and bisection try a dozen


def test_groups_needed_by_draws_and_in_blocks() -> None:
    plan, variation = Plan(4, 8, per_block=2, size_cv=0.5), Variation(10, 0.05)
    found = groups_needed(plan, variation, "mixed_kenward_roger", 6.0, n_draws=1024)
    assert found is not None and found.groups % 2 == 0
    of = {"level": 0.05, "n_draws": 1024}
    assert plan_power(found, variation, "mixed_kenward_roger", 6.0, **of) >= 0.8
    fewer = found.with_groups(found.groups - 2)
    assert plan_power(fewer, variation, "mixed_kenward_roger", 6.0, **of) < 0.8


def test_size_needed_is_the_least_and_may_not_exist() -> None:
    plan = Plan(12, 10)
    found = size_needed(plan, Variation(10, 0.05), "group_means", 5.0)
    assert found is not None
    assert plan_power(found, Variation(10, 0.05), "group_means", 5.0) >= 0.8
    smaller = found.with_size(found.size - 1)
    assert plan_power(smaller, Variation(10, 0.05), "group_means", 5.0) < 0.8
    assert size_needed(plan, Variation(10, 0.3), "group_means", 5.0, largest=300) is None
    assert groups_needed(plan, USUAL, "group_means", 0.1, most=50) is None
    with pytest.raises(ValueError, match="no formula"):
        groups_needed(plan, USUAL, "mixed_profile", 5.0)


# ---- what the package's own tests do, 20,000 times -----------------------------------------------

N_REPLICATES = 20_000


def at_hand_with_covariates() -> Experiment:
    """A covariate of the groups and one of individuals, both in X."""
    sample = sample_of(draw(groups=14, arms=2, sizes=9, covariates=["w", "x"], seed=4))
    return Experiment(DesignFrame(sample.design), Variation(10, 0.3))


CASES = {
    "balanced": lambda: of_individuals(Plan(5, 8, (1, 1, 1))),
    "unbalanced": lambda: of_individuals(Plan(6, 9, size_cv=0.6)),
    "three unequal arms": lambda: of_individuals(Plan(5, 8, (1, 1.4, 0.8), size_cv=0.3)),
    "blocks": lambda: of_individuals(Plan(8, 7, per_block=2, size_cv=0.4)),
    "covariates": at_hand_with_covariates,
    "small icc": lambda: of_individuals(Plan(5, 8, size_cv=0.5), Variation(10, 0.03)),
    "within": lambda: of_individuals(Plan(9, 12, (1, 2), kind="within", size_cv=0.3)),
}


@cache
def simulated(case: str) -> tuple[Experiment, np.ndarray, np.ndarray]:
    """The experiment, its outcomes without effects, and 3 standard errors of GLS."""
    made = CASES[case]()
    design, variation = made.design, made.variation
    rng = np.random.default_rng(1)
    u = rng.normal(size=(N_REPLICATES, design.n_groups)) * np.sqrt(variation.var_group)
    e = rng.normal(size=(N_REPLICATES, design.n_obs)) * np.sqrt(variation.var_residual)
    se = np.sqrt(precision(made, "mixed_kenward_roger", design.L).variance)
    return made, u[:, design.group] + e, 3 * se


def monte_carlo_error(p: np.ndarray) -> np.ndarray:
    return np.sqrt(np.maximum(p * (1 - p), 1e-4) / N_REPLICATES)


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("method", DRAWN)
def test_power_and_level_are_those_of_simulation(case: str, method: str) -> None:
    made, y, effects = simulated(case)
    if why_not(made, method):
        pytest.skip(why_not(made, method))
    test = rows_of(method, made, y)
    made_curves, variance, how = best_curves(made, [method])[method]
    assert how == ("conditional draws" if method in MIXED else "exact")
    for factor in (0.0, 1.0):
        t = (test.estimate + factor * effects) / test.std_error
        simulated_power = (2 * stats.t.sf(np.abs(t), test.df) < 0.05).mean(axis=0)
        noncentrality = (factor * effects) ** 2 / variance
        found = np.array([c(x) for c, x in zip(made_curves, noncentrality, strict=True)])
        error = monte_carlo_error(found)
        assert (np.abs(simulated_power - found) < 4 * error).all(), (simulated_power, found)
        if method in MIXED and case != "small icc":
            formula = np.array([power(made, method, factor * e)[c] for c, e in enumerate(effects)])
            assert (np.abs(simulated_power - formula) < 4 * error + 0.006).all()


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("method", [m for m in JOINT_METHODS if m != "randomization"])
def test_omnibus_power_is_that_of_simulation(case: str, method: str) -> None:
    """Balanced within 4 Monte Carlo errors; elsewhere F approximates, worst where fits are singular."""
    made, y, effects = simulated(case)
    if why_not(made, method):
        pytest.skip(why_not(made, method))
    L = made.design.omnibus
    true = effects[: len(L)] * np.linspace(1, -0.3, len(L))
    y = y + made.design.X[:, made.design.columns("treatment")] @ true
    found = omnibus_power(made, method, true)
    p_value = joint_p_values(made, method, y, L)
    simulated_power = (p_value < 0.05).mean()
    slack = {"balanced": 0.0, "small icc": 0.06}.get(case, 0.012)
    if method == "ols_cr2":
        slack = 0.04
    error = 4 * monte_carlo_error(np.array(found)) + slack
    assert abs(simulated_power - found) < error, (simulated_power, found)


def joint_p_values(made: Experiment, method: str, y: np.ndarray, L: np.ndarray) -> np.ndarray:
    procedure = method_of(method)
    return procedure.joint(Fits(made.design, y).of(procedure), L, Request()).p_value


def rows_of(method: str, made: Experiment, y: np.ndarray) -> Inference:
    """The tests of outcomes y (R, n) by a method."""
    procedure = method_of(method)
    fit = Fits(made.design, y).of(procedure)
    return procedure.infer(fit, made.design.L, Request(searched=0))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("plan", "variation"),
    [
        (Plan(6, 10), Variation(10, 0.25, r2_group=0.4, r2_individual=0.2, group_covariates=1)),
        (Plan(5, 10, (1, 1, 1)), Variation(10, 0.25, group_covariates=2)),
        (Plan(6, 10, per_block=2), Variation(10, 0.25, group_covariates=1)),
        (Plan(6, 10), Variation(10, 0.25, individual_covariates=1)),
    ],
    ids=["one", "two in three arms", "in blocks", "of individuals"],
)
def test_power_with_covariates_to_come_is_that_of_simulation(
    plan: Plan, variation: Variation
) -> None:
    """Covariates are drawn anew 400 times, 50 replicates each: 20,000 in all."""
    rng, effect = np.random.default_rng(2), 9.0
    made = of_individuals(plan, variation)
    tested = [m for m in (*MIXED, "group_means") if not why_not(made, m)]
    rejected: dict[str, list[np.ndarray]] = {method: [] for method in tested}
    for _ in range(400):
        with_covariates = add_covariates(made, rng)
        G, n = made.design.n_groups, made.design.n_obs
        u = rng.normal(size=(50, G)) * np.sqrt(variation.var_group)
        y = u[:, made.design.group] + rng.normal(size=(50, n)) * np.sqrt(variation.var_residual)
        for method in tested:
            test = rows_of(method, with_covariates, y)
            t = np.abs((test.estimate[:, 0] + effect) / test.std_error[:, 0])
            rejected[method].append((2 * stats.t.sf(t, test.df[:, 0]) < 0.05).mean())
    for method in tested:
        error = np.std(rejected[method]) / np.sqrt(400)
        difference = np.mean(rejected[method]) - power(made, method, effect)[0]
        assert abs(difference) < 4 * error, (method, difference, error)


def add_covariates(made: Experiment, rng: np.random.Generator) -> Experiment:
    design, variation = made.design, made.variation
    group = rng.normal(size=(design.n_groups, variation.group_covariates))[design.group]
    individual = rng.normal(size=(design.n_obs, variation.individual_covariates))
    X = np.hstack([design.X, group, individual])
    more = X.shape[1] - design.X.shape[1]
    wider = replace(
        design,
        X=X,
        terms=(*design.terms, *(f"w{j}" for j in range(more))),
        role=(*design.role, *["covariate"] * more),
        L=np.pad(design.L, ((0, 0), (0, more))),
        L_means=np.pad(design.L_means, ((0, 0), (0, more))),
    )
    return Experiment(DesignFrame(wider), variation)


def test_effects_that_vary_in_unequal_groups_by_simulation() -> None:
    """Kenward and Roger's test with slopes; 1,000 replicates."""
    plan = Plan(9, 14, (1, 1.5), size_cv=0.6, kind="within", random_slopes=True)
    made = of_individuals(plan, Variation(10, 0.3, sd_effect=6.0))
    design, effect = made.design, 7.0
    rng = np.random.default_rng(3)
    y = rng.normal(size=(1000, made.root.shape[1])) @ made.root.T + effect * (design.arm == 1)
    y += rng.normal(size=y.shape) * np.sqrt(made.variation.var_residual)
    rejected = kenward_roger(mixed_model(design).fit(y), design.L, 0.95).p_value[:, 0] < 0.05
    expected = power(made, "mixed_kenward_roger", effect)[0]
    assert abs(np.mean(rejected) - expected) < 4 * np.sqrt(expected * (1 - expected) / 1000)


# ---- plans and tables ----------------------------------------------------------------------------


@given(n=st.integers(2, 40), mean=st.integers(10, 60), cv=st.floats(0.05, 0.5))
def test_group_sizes_have_their_mean_and_spread(n: int, mean: int, cv: float) -> None:
    sizes = group_sizes(n, mean, cv)
    assert len(sizes) == n and sizes.min() >= 1
    assert abs(sizes.mean() - mean) < 0.6 + 0.05 * mean
    assert abs(sizes.std() / mean - cv) < 0.1


def test_plans_become_designs() -> None:
    design = Plan(6, 10, (1, 2), per_block=2, size_cv=0.3).design
    assert design.kind == "blocked" and len(design.block_labels) == 3
    counts = np.bincount(design.arm_of_group)
    assert counts.tolist() == [6, 12]
    within = Plan(5, 12, (1, 2), kind="within").design
    assert within.kind == "within" and np.bincount(within.arm).tolist() == [20, 40]
    basis = orthonormal_basis(design.X)
    assert basis.rank == 1 + 1 + 2


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"groups": 0}, "at least 1"),
        ({"kind": "crossed"}, "kind"),
        ({"allocation": (2.0, 1.0)}, "allocation"),
        ({"per_block": 2, "groups": 5}, "divide"),
        ({"per_block": 1, "allocation": (1.0, 1.5)}, "whole"),
        ({"per_block": 1, "kind": "within"}, "blocks"),
    ],
)
def test_impossible_plans_are_refused(settings: dict[str, object], word: str) -> None:
    with pytest.raises(ValueError, match=word):
        Plan(**({"groups": 4, "size": 10} | settings))  # type: ignore[arg-type]


def test_impossible_variation_is_refused() -> None:
    with pytest.raises(ValueError, match="icc"):
        Variation(10, 1.0)
    with pytest.raises(ValueError, match="sd_effect"):
        Variation(10, 0.05, sd_effect=8.0)
    with pytest.raises(ValueError, match="no formula"):
        drawn_curves(experiment(), ["mixed_profile"])


def test_designs_a_method_cannot_answer_for_are_explained() -> None:
    """Groups of one member, and as many groups as arms."""
    single = at_hand(Plan(4, 1).design, {"estimate": USUAL}, 5.0, n_draws=64, methods=NAMES)
    mixed = single[single["method"] == "mixed_kenward_roger"]
    assert mixed["message"].str.contains("Every group has one member").all()
    assert single[single["method"] == "group_means"]["power"].notna().all()
    few = at_hand(Plan(1, 4, (1, 1, 1)).design, {"estimate": USUAL}, 5.0, n_draws=64, methods=NAMES)
    assert (few[few["power"].isna()]["message"] != "").all()
    assert few[few["method"] == "group_means"]["power"].isna().all()


def test_tables_have_a_row_for_every_method() -> None:
    scenarios = {"low": Variation(10, 0.1), "estimate": USUAL}
    hand = at_hand(LECTURE.design, scenarios, 6.0, n_draws=256, methods=NAMES)
    assert tuple(hand) == COLUMNS and len(hand) == 2 * len(NAMES) * 3
    sizes_needed = needed(Plan(12, 8), scenarios, 9.0, n_draws=256, methods=NAMES, what="size")
    assert (sizes_needed.dropna(subset=["power"])["groups"] == 12).all()
    assert (sizes_needed.dropna(subset=["power"])["power"] >= 0.8).all()
    plans_needed = needed(Plan(2, 8), scenarios, 9.0, n_draws=256, methods=NAMES)
    assert tuple(plans_needed) == COLUMNS and len(plans_needed) == 2 * len(NAMES)
    curve = power_curves([Plan(g, 8) for g in (1, 4, 8)], scenarios, 9.0, methods=NAMES)
    assert tuple(curve) == COLUMNS and len(curve) == 3 * 2 * len(NAMES)
    for table in (hand, plans_needed, sizes_needed, curve):
        empty = table["power"].isna()
        assert (table.loc[empty, "message"] != "").all() and not empty.all()
        assert table.loc[~empty, "how"].isin(["exact", "noncentral t", "conditional draws"]).all()
    enough = plans_needed.dropna(subset=["power"])
    assert (enough["power"] >= 0.8).all() and (enough["n_groups"] == 2 * enough["groups"]).all()
