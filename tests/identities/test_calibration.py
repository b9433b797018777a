"""What is calibrated is what analyses the data: both give the same answers to the same outcome."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import pandas as pd
import pytest
from experiments import draw, roles_of, sample_of
from hypothesis import given, settings
from hypothesis import strategies as st

from groupwise import tidy
from groupwise.calibration.analyse import FAMILIES, RESAMPLING, analyse
from groupwise.calibration.mixed import METHODS as MIXED
from groupwise.calibration.randomization import shift_curves
from groupwise.calibration.replicates import COLUMNS, Effort, Replicates
from groupwise.calibration.scenario import Background, Process, Scenario, simulate
from groupwise.calibration.study import between_design
from groupwise.design import Design
from groupwise.inference.assignments import Effort as Randomisations
from groupwise.inference.mixed import fit_one, random_terms
from groupwise.inference.randomization import Comparison, Units, shift_curve
from groupwise.inference.sandwich import design_clusters
from groupwise.inference.wild_bootstrap import wild_p_values
from groupwise.methods import fit_tables
from groupwise.methods.gee import fit_gee
from groupwise.methods.mixed import ANSWERS
from groupwise.models.mixed_terms import fit_terms
from groupwise.sample import Resampling, Sample
from groupwise.words import METHODS

DESIGNS: dict[str, dict[str, Any]] = {
    "between": {"groups": 9, "sizes": 4},
    "between, two arms": {"arms": 2, "groups": 8, "sizes": 5},
    "blocked": {"kind": "blocked", "arms": 2, "groups": 12, "sizes": 4},
    "blocked, many": {"kind": "blocked", "groups": 18, "sizes": [3, 5, 4] * 6},
    "within": {"kind": "within", "groups": 8, "sizes": 6},
    "within, unequal": {
        "kind": "within",
        "groups": 7,
        "sizes": [6, 7, 8, 9, 6, 7, 12],
        "covariates": ("x",),
    },
    "mixed": {"kind": "mixed", "groups": 12, "sizes": 6},
    "unequal": {"groups": 12, "sizes": range(2, 14)},
    "unequal, covariates": {
        "groups": 15,
        "sizes": [3, 9, 4, 5, 6] * 3,
        "covariates": ("x", "w", "c"),
    },
    "no spread between groups": {"groups": 9, "sizes": 6, "sd_group": 0.0, "seed": 3},
    "many groups": {"arms": 2, "groups": 20, "sizes": 3},
}
"""Arguments of `experiments.draw`."""

TOLERANCE = {"mixed_wald": 2e-3, "mixed_profile": 1e-6, "ols_wild_bootstrap": 1e-9}
"""Relative to the standard error. statsmodels, which reports mixed_wald, stops near the optimum."""


def sample_with(design: str, **options: object) -> Sample:
    table = draw(**DESIGNS[design])
    sample = sample_of(table, roles_of(table), **options)
    resampling = Resampling(
        wild_draws=199, bootstrap_draws=199, randomization_draws=199, max_assignments=5_000
    )
    return Sample(**(vars(sample) | {"resampling": resampling}))


def effort_of(sample: Sample) -> Effort:
    given = vars(sample.resampling)
    return Effort(**given, inverted=1)


def estimates_rows(sample: Sample) -> pd.DataFrame:
    """The rows that `fit_tables` puts into estimates.csv, without its other tables."""
    design, methods = sample.design, []
    for name in names():
        fit = importlib.import_module(f"groupwise.methods.{name}").fit(sample)
        methods += fit.methods
    return tidy.method_tables(
        methods,
        dataset=sample.dataset,
        contrasts=design.contrast_labels,
        arms=design.arm_labels,
        n_obs=design.n_obs,
        n_groups=design.n_groups,
    )["estimates"]


def in_a_batch(sample: Sample) -> dict[str, Replicates]:
    """The answers to a batch of outcomes, of which the data are the first."""
    y = np.stack([sample.y, np.roll(sample.y, 1), sample.y[::-1]])
    effort = effort_of(sample)
    return analyse(sample.design, y, conf_level=sample.conf_level, effort=effort)


def same(rows: pd.DataFrame, found: Replicates, tolerance: float) -> None:
    """Estimates and standard errors in units of the largest standard error."""
    scale = np.nanmax(np.append(rows["std_error"], 1e-300))
    for name in COLUMNS:
        unit = scale if name in ("estimate", "std_error", "conf_low", "conf_high") else 1.0
        ours, reported = getattr(found, name)[0] / unit, rows[name].to_numpy() / unit
        np.testing.assert_allclose(ours, reported, rtol=tolerance, atol=tolerance, err_msg=name)


@pytest.mark.parametrize("design", DESIGNS)
def test_every_method_answers_as_it_does_for_the_data(design: str) -> None:
    sample = sample_with(design)
    rows, found = estimates_rows(sample), in_a_batch(sample)
    assert list(found) == list(METHODS)
    for method, answers in found.items():
        own = rows[rows["method"] == method]
        assert len(own) == len(sample.design.L)
        same(own, answers, TOLERANCE.get(method, 1e-8))
        assert bool(answers.singular[0]) == bool(own["singular"].any())


@pytest.mark.parametrize("options", [{"blocks_as": "random"}, {"random_slopes": True}], ids=str)
def test_profiles_without_limits_reject_and_cover_as_those_with(options: dict[str, Any]) -> None:
    sample = sample_with("blocked" if "blocks_as" in options else "within", **options)
    design, rng = sample.design, np.random.default_rng(4)
    effects = np.linspace(0, 0.4, len(design.arm_labels)) * sample.y.std()
    y = rng.permuted(np.tile(sample.y, (6, 1)), axis=1) + effects[design.arm]
    asked = {"methods": ("mixed_profile",), "effects": effects, "conf_level": 0.5}
    searched, tested = (
        analyse(design, y, effort=Effort(inverted=n), **asked)["mixed_profile"] for n in (6, 2)
    )
    np.testing.assert_array_equal(tested.covers, searched.covers)
    np.testing.assert_array_equal(tested.p_value, searched.p_value)
    assert 0 < searched.covers.mean() < 1
    assert np.isfinite(tested.conf_low[:2]).all() and np.isnan(tested.conf_low[2:]).all()


@pytest.mark.parametrize(
    "options",
    [{"blocks_as": "random"}, {"random_slopes": True}, {"random_slopes": "diagonal"}],
    ids=str,
)
def test_other_random_terms_are_fitted_as_the_data_are(options: dict[str, Any]) -> None:
    """By what the specification calls; the rest of its tables takes a while."""
    sample = sample_with("blocked" if "blocks_as" in options else "within", **options)
    design, fitted = sample.design, fit_one(sample.design, sample.y)
    effort = Effort(bootstrap_draws=19, inverted=1)
    found = analyse(design, sample.y[None], methods=MIXED, effort=effort)
    for method, answers in ANSWERS.items():
        more = {"n_draws": 19, "seed": 1} if method == "mixed_bootstrap" else {}
        expected = answers(design, fitted, 0.95, **more).contrasts
        same(pd.DataFrame(expected.columns()), found[method], 1e-9)
    reported = fit_terms if "random_slopes" in options else None
    if reported is not None:
        wald = found["mixed_wald"].estimate[0]
        model = reported(design.X, sample.y, random_terms(design))
        np.testing.assert_allclose(wald, design.L @ model.beta, atol=2e-3)


def test_every_method_belongs_to_one_family() -> None:
    listed = [name for methods, _ in FAMILIES for name in methods]
    assert sorted(listed) == sorted(METHODS)


# ---- batches of methods that answer for the data one at a time -------------------------------------


def outcomes(design: Design, R: int, *, icc: float = 0.2, seed: int = 5) -> np.ndarray:
    background = Background.plain(design)
    effects = np.zeros(len(design.arm_labels))
    made = Scenario("", design, background, effects, icc, Process(), "normal", seed)
    return simulate(made, 0, R)


@pytest.mark.parametrize("groups", [4, 9])
def test_sign_vectors_of_all_replicates_together_are_those_of_each(groups: int) -> None:
    design = between_design(2, groups, 3, imbalance=0.4)
    y = outcomes(design, 8)
    y[2] = np.round(y[2])
    found = analyse(design, y, methods=("ols_wild_bootstrap",), effort=Effort(wild_draws=49))
    one_by_one = wild_p_values(design_clusters(design), y, design.L, draws=49, seed=1)
    np.testing.assert_allclose(found["ols_wild_bootstrap"].p_value, one_by_one, rtol=1e-12)


@given(
    st.sampled_from([k for k, v in DESIGNS.items() if v.get("kind") != "blocked"]),
    st.floats(0, 0.6),
    st.integers(0, 99),
)
@settings(max_examples=15)
def test_gee_from_group_sums_is_statsmodels(name: str, icc: float, seed: int) -> None:
    design = sample_with(name).design
    y = outcomes(design, 3, icc=icc, seed=seed)
    found = analyse(design, y, methods=("gee_bias_reduced",))["gee_bias_reduced"]
    for i in range(3):
        try:
            theirs = fit_gee(design.X, y[i], design.group)
        except ValueError as error:  # a correlation there cannot be; or only statsmodels gave up
            assert found.failed[i].all() or "did not converge" in str(error)
            continue
        std_error = np.sqrt(np.einsum("ki,ij,kj->k", design.L, theirs.vcov, design.L))
        np.testing.assert_allclose(found.std_error[i], std_error, rtol=1e-8)
        unit = std_error.max()
        np.testing.assert_allclose(
            found.estimate[i] / unit, design.L @ theirs.beta / unit, atol=1e-8
        )


@pytest.mark.parametrize("name", ["between", "blocked", "unequal, covariates", "within"])
def test_shift_curves_of_all_replicates_together_are_those_of_each(name: str) -> None:
    design = sample_with(name).design
    units = Units.of(design)
    comparison = Comparison.of(units, (0, 1))
    values = units.values(outcomes(design, 5))
    ours = shift_curves(comparison, values, Randomisations(2000, 99))
    theirs = shift_curve(comparison, values, Randomisations(2000, 99))
    for field in ("estimate", "variance", "a", "v0", "v1", "r", "v2"):
        np.testing.assert_allclose(getattr(ours, field), getattr(theirs, field), atol=1e-10)
    np.testing.assert_allclose(ours.p_value(0.3), theirs.p_value(0.3))


def test_methods_without_ties_to_units_or_order() -> None:
    """a + b y moves estimates by b, and no p-value; the order of replicates moves nothing."""
    design = sample_with("unequal, covariates").design
    y, effort = outcomes(design, 6), Effort(19, 19, 19)
    deterministic = tuple(m for m in METHODS if m not in RESAMPLING)
    plain = analyse(design, y, methods=deterministic, effort=effort)
    moved = analyse(design, 100 - 3 * y[::-1], methods=deterministic, effort=effort)
    for method, found in plain.items():
        back = moved[method]
        np.testing.assert_allclose(back.p_value[::-1], found.p_value, rtol=1e-6, atol=1e-12)
        np.testing.assert_allclose(back.estimate[::-1], -3 * found.estimate, rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(back.covers[::-1], found.covers)


@pytest.mark.parametrize(
    ("sizes", "alike"), [([1, 1, 2, 1, 1, 2], False), ([2, 3, 2, 3, 2, 3], True)]
)
def test_gee_has_no_answer_where_the_specification_has_none(sizes: list[int], alike: bool) -> None:
    table = draw(arms=2, groups=6, sizes=sizes, seed=3)
    if alike:
        table["y"] = table.groupby("g")["y"].transform("first")
    sample = sample_of(table)
    row = fit_tables("gee", sample)["estimates"].iloc[0]
    found = analyse(sample.design, sample.y[None], methods=("gee_bias_reduced",))
    assert np.isnan(row["estimate"]) and len(row["message"]) > 10
    assert np.isnan(found["gee_bias_reduced"].estimate).all()
