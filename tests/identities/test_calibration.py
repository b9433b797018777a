"""What is simulated is what analyses the data: an outcome has the same answers alone and in a batch."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from experiments import beside_statsmodels, draw, fit_all, roles_of, sample_of
from hypothesis import given, settings
from hypothesis import strategies as st

from groupwise.algebra import pairwise_differences
from groupwise.catalogue.methods import METHODS, costs
from groupwise.design import Design
from groupwise.inference.sandwich import design_clusters, make_contrasts, robust
from groupwise.inference.wild_bootstrap import Pieces, Weights, p_values
from groupwise.methods import Fits, Replicates, Request, answer, concerning, method_of
from groupwise.models import exchangeable
from groupwise.models.clusters import Projected
from groupwise.sample import Resampling, Sample
from groupwise.simulation.grid import between_design
from groupwise.simulation.processes import Process
from groupwise.simulation.scenarios import Background, Scenario, simulate

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

FEW = Resampling(
    wild_draws=199, bootstrap_draws=199, randomization_draws=199, max_assignments=5_000
)
COLUMNS = ("estimate", "std_error", "df", "p_value", "conf_low", "conf_high")
OTHER_TERMS = [{"blocks_as": "random"}, {"random_slopes": True}, {"random_slopes": "diagonal"}]


def sample_with(design: str, **options: Any) -> Sample:
    table = draw(**DESIGNS[design])
    return replace(sample_of(table, roles_of(table), **options), resampling=FEW)


def outcomes(design: Design, R: int, *, icc: float = 0.2, seed: int = 5) -> np.ndarray:
    background = Background.plain(design)
    effects = np.zeros(len(design.arm_labels))
    made = Scenario("", design, background, effects, icc, Process(), "normal", seed)
    return simulate(made, 0, R)


def assert_same(ours: Replicates, i: int, theirs: Replicates, j: int, tolerance: float) -> None:
    """Outcome i of one batch and j of another; estimates in units of the largest standard error."""
    scale = np.nanmax(np.append(theirs.inference.std_error[j], 1e-300))
    for name in COLUMNS:
        unit = scale if name in ("estimate", "std_error", "conf_low", "conf_high") else 1.0
        left, right = (getattr(each.inference, name) for each in (ours, theirs))
        np.testing.assert_allclose(
            left[i] / unit, right[j] / unit, rtol=tolerance, atol=tolerance, err_msg=name
        )
    np.testing.assert_array_equal(ours.covers[i], theirs.covers[j])
    assert ours.singular[i] == theirs.singular[j]


@pytest.mark.parametrize("design", DESIGNS)
def test_an_outcome_has_the_same_answers_alone_and_in_a_batch(design: str) -> None:
    sample = sample_with(design)
    y = np.stack([sample.y, np.roll(sample.y, 1), sample.y[::-1]])
    request = Request(resampling=FEW)
    listed = concerning(sample.design, METHODS)
    together = answer(sample.design, y, listed, request=request)
    alone = answer(sample.design, y[:1], listed, request=request)
    assert list(together) == listed and set(listed) <= set(METHODS)
    for method, replicates in together.items():
        assert_same(replicates, 0, alone[method], 0, 1e-8)


@pytest.mark.parametrize("options", OTHER_TERMS, ids=str)
def test_other_random_terms_have_too(options: dict[str, Any]) -> None:
    sample = sample_with("blocked" if "blocks_as" in options else "within", **options)
    y = np.stack([sample.y, np.roll(sample.y, 1), sample.y[::-1]])
    mixed = [name for name in METHODS if name.startswith("mixed")]
    request = Request(resampling=replace(FEW, bootstrap_draws=19))
    together = answer(sample.design, y, mixed, request=request)
    for i in range(3):
        alone = answer(sample.design, y[i : i + 1], mixed, request=replace(request, first=i))
        for method in mixed:
            assert_same(together[method], i, alone[method], 0, 1e-7)


@pytest.mark.parametrize("options", OTHER_TERMS[:2], ids=str)
def test_profiles_without_limits_reject_and_cover_as_those_with(options: dict[str, Any]) -> None:
    sample = sample_with("blocked" if "blocks_as" in options else "within", **options)
    design, rng = sample.design, np.random.default_rng(4)
    effects = np.linspace(0, 0.4, len(design.arm_labels)) * sample.y.std()
    y = rng.permuted(np.tile(sample.y, (6, 1)), axis=1) + effects[design.arm]
    asked = {"truth": pairwise_differences(effects)}
    searched, tested = (
        answer(design, y, ["mixed_profile"], request=Request(0.5, searched=n), **asked)
        for n in (6, 2)
    )
    with_limits, without = searched["mixed_profile"], tested["mixed_profile"]
    np.testing.assert_array_equal(without.covers, with_limits.covers)
    p_value = with_limits.inference.p_value
    np.testing.assert_allclose(without.inference.p_value, p_value, rtol=1e-9)
    assert 0 < with_limits.covers.mean() < 1
    low = without.inference.conf_low
    assert np.isfinite(low[:2]).all() and np.isnan(low[2:]).all()


@pytest.mark.parametrize("options", [{}, *OTHER_TERMS[:2]], ids=str)
def test_bootstraps_that_stop_decide_as_those_that_go_on(options: dict[str, Any]) -> None:
    sample = sample_with("blocked" if "blocks_as" in options else "within", **options)
    design, rng = sample.design, np.random.default_rng(4)
    effects = np.linspace(0, 0.25, len(design.arm_labels)) * sample.y.std()
    y = rng.permuted(np.tile(sample.y, (16, 1)), axis=1) + effects[design.arm]
    y[3] = np.nan
    few, levels = replace(FEW, bootstrap_draws=119), (0.1, 0.3)
    whole, stopped = (
        answer(
            design,
            y,
            ["mixed_bootstrap"],
            truth=pairwise_differences(effects),
            request=Request(0.8, few, searched=n, levels=levels),
        )["mixed_bootstrap"]
        for n in (16, 4)
    )
    np.testing.assert_array_equal(stopped.covers, whole.covers)
    exact, p_value = whole.inference.p_value, stopped.inference.p_value
    np.testing.assert_array_equal(np.isnan(p_value), np.isnan(exact))
    answered = ~np.isnan(exact)
    for level in levels:
        np.testing.assert_array_equal(p_value < level, exact < level)
        assert 0 < (exact < level)[answered].mean() < 1
    assert 0 < whole.covers[answered].mean() < 1
    np.testing.assert_allclose(p_value[:4], exact[:4], rtol=1e-12)
    assert (p_value[4:] != exact[4:])[answered[4:]].any()  # some did stop
    np.testing.assert_allclose(stopped.inference.conf_low[:4], whole.inference.conf_low[:4])
    assert np.isnan(stopped.inference.conf_low[4:]).all()


@pytest.mark.parametrize("method", ["ols_wild_bootstrap", "randomization"])
def test_tests_of_the_true_value_cover_as_intervals_do(method: str) -> None:
    design = between_design(2, 5, 4)
    y = outcomes(design, 12) + 0.5 * design.arm
    asked = {"truth": np.array([0.5]), "request": Request(conf_level=0.6, resampling=FEW)}
    answers = answer(design, y, [method], **asked)[method]
    low, high = answers.inference.conf_low, answers.inference.conf_high
    np.testing.assert_array_equal(answers.covers, ((low <= 0.5) & (high >= 0.5)).astype(float))
    assert 0 < answers.covers.mean() < 1


def test_a_method_there_is_not_is_an_error() -> None:
    design = between_design(2, 4, 3)
    with pytest.raises(ValueError, match="magic is not one of"):
        answer(design, outcomes(design, 2), ["magic"])


# ---- fast ways of batches --------------------------------------------------------------------------


@pytest.mark.parametrize("groups", [4, 9])
@pytest.mark.parametrize("kind", ["all signs", "some signs", "Webb"])
def test_counts_of_weights_in_matrix_products_are_those_of_samples(groups: int, kind: str) -> None:
    """Each sample's contributions written out, vector by vector."""
    design = between_design(2, groups, 3, imbalance=0.4)
    y = outcomes(design, 4)
    y[2] = np.round(y[2])
    outcome = Projected.of(design_clusters(design), y)
    most, signs = 2**18 if kind == "all signs" else 1, 1 if kind == "Webb" else 2**18
    weights = Weights(design.n_groups, 49, 1, enumerate_up_to=most, signs_up_to=signs)
    contrasts = make_contrasts(outcome.clusters, design.L, "CR1")
    fit, pieces = robust(contrasts, outcome), Pieces.of(outcome.clusters, contrasts.Lambda)
    expected = np.empty(fit.estimate.shape)
    for i in range(len(y)):
        q = outcome.scores[i] + fit.estimate[i, 0] * pieces.k_g[0]
        made = fit.estimate[i, 0] ** 2 / (pieces.along(0, outcome.scores[i]) ** 2).sum()
        extreme = 0
        for v in weights.blocks():
            variance = (pieces.contributions(0, v, q) ** 2).sum(axis=1)
            extreme += int(((v @ pieces.along(0, q)) ** 2 >= (1 - 1e-9) * made * variance).sum())
        expected[i, 0] = weights.p_value(extreme)
    np.testing.assert_allclose(p_values(outcome, design.L, weights), expected, rtol=1e-12)


@given(
    st.sampled_from([k for k, v in DESIGNS.items() if v.get("kind") != "blocked"]),
    st.integers(0, 99),
)
@settings(max_examples=15)
def test_estimating_equations_from_group_sums_are_those_of_statsmodels(
    name: str, seed: int
) -> None:
    sample = sample_with(name)
    sample = replace(sample, y=outcomes(sample.design, 1, seed=seed)[0])
    beside = beside_statsmodels(sample, ["gee"])
    assert (beside["difference"] < 1e-6).all() and not beside["alarm"].any()


def test_methods_without_ties_to_units_or_order() -> None:
    """a + b y moves estimates by b, and no p-value; the order of outcomes moves nothing."""
    design = sample_with("unequal, covariates").design
    y, listed = outcomes(design, 6), concerning(design, METHODS)
    fast = [name for name, (cost, _) in costs(listed).items() if cost == "fast"]
    plain, moved = answer(design, y, fast), answer(design, 100 - 3 * y[::-1], fast)
    for method, answers in plain.items():
        back, here = moved[method].inference, answers.inference
        np.testing.assert_allclose(back.p_value[::-1], here.p_value, rtol=1e-6, atol=1e-12)
        np.testing.assert_allclose(back.estimate[::-1], -3 * here.estimate, rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(moved[method].covers[::-1], answers.covers)


@pytest.mark.parametrize(
    ("sizes", "alike"), [([1, 1, 2, 1, 1, 2], False), ([2, 3, 2, 3, 2, 3], True)]
)
def test_estimating_equations_without_an_answer_say_why(sizes: list[int], alike: bool) -> None:
    table = draw(arms=2, groups=6, sizes=sizes, seed=3)
    if alike:
        table["y"] = table.groupby("g")["y"].transform("first")
    row = fit_all(sample_of(table), ["gee"])["estimates"].iloc[0]
    assert np.isnan(row["estimate"]) and len(row["message"]) > 10


def test_what_methods_share_is_made_once() -> None:
    design = between_design(2, 4, 3)
    fits = Fits(design, outcomes(design, 2))
    names = [name for name in concerning(design, METHODS) if name.startswith("mixed")]
    mixed = [method_of(name) for name in names]
    assert len({id(fits.of(each)) for each in mixed}) == 1


@pytest.mark.parametrize("name", ["unequal", "unequal, covariates", "blocked, many"])
def test_extrapolated_steps_of_estimating_equations_end_where_all_steps_do(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    design = sample_with(name).design
    clusters = design_clusters(design)
    model = exchangeable.Exchangeable.of(clusters)
    some = Projected.of(clusters, outcomes(design, 40, icc=0.3))
    steps: list[int] = []
    inverse_bread = exchangeable.Exchangeable._inverse_bread

    def counted(self: exchangeable.Exchangeable, c: np.ndarray) -> Any:
        steps[-1] += len(c)
        return inverse_bread(self, c)

    monkeypatch.setattr(exchangeable.Exchangeable, "_inverse_bread", counted)
    fits = []
    for steady in (exchangeable.STEADY, 0.0):  # with 0 nothing is extrapolated
        monkeypatch.setattr(exchangeable, "STEADY", steady)
        steps.append(0)
        fits.append(model.fit(some))
    fast, slow = fits
    assert fast.converged.all() and slow.converged.all()
    np.testing.assert_allclose(fast.correlation, slow.correlation, atol=1e-11)
    scale = np.abs(some.coordinates).max()
    np.testing.assert_allclose(fast.gamma, slow.gamma, atol=1e-11 * scale)
    assert steps[0] < 0.8 * steps[1]
