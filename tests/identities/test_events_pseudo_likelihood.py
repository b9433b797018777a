"""Identities of mixed models of events by restricted pseudo-likelihood."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from groupwise.data.ingest import ingest
from groupwise.data.validate import Roles
from groupwise.design import Design, make_design
from groupwise.inference.pseudo_likelihood import components, pseudo_model
from groupwise.inference.small_sample import adjusted_vcov, kenward_roger_df, satterthwaite_df
from groupwise.methods import Fits, Request, answer, answers_of, method_of, method_result
from groupwise.models.event_rows import EventRows
from groupwise.models.general_pseudo_likelihood import GeneralPseudoLikelihood
from groupwise.models.pseudo_likelihood import PseudoFit, restricted
from groupwise.models.pseudo_likelihood import deviance as restricted_deviance
from groupwise.models.random_terms import RandomTerm
from groupwise.response import Response
from groupwise.rows import Rows
from groupwise.sample import Sample

BINARY, COUNT = Response("binary", "odds_ratio"), Response("count", "ratio")
METHODS = ("glmm_wald", "glmm_satterthwaite", "glmm_kenward_roger", "glmm_groups")
LEVEL = 0.95


def experiment(
    response: Response = BINARY,
    *,
    sizes: tuple[int, ...] = (4, 9, 12, 30, 41, 6, 17, 23, 8, 35),
    sd: float = 0.8,
    covariates: tuple[str, ...] = (),
    within: bool = False,
    periods: bool = False,
    seed: int = 1,
) -> tuple[Design, np.ndarray]:
    """A design of individuals, and its outcome (n,)."""
    rng = np.random.default_rng(seed)
    g = np.repeat(np.arange(len(sizes)), sizes)
    arm = (rng.permutation(len(g)) if within else g) % 2
    table = pd.DataFrame({"g": g, "arm": np.array(["A", "B"])[arm]})
    eta = -0.3 + 0.7 * arm + sd * rng.normal(size=len(sizes))[g]
    for name in covariates:
        table[name] = rng.normal(40, 7, size=len(g)).round(1)
        eta += 0.03 * (table[name] - 40)
    if periods:
        table["p"] = rng.integers(0, 3, size=len(g)).astype(str)
    exposure = rng.uniform(0.3, 2, size=len(g)).round(2)
    if response.family == "count":
        table["t"], table["y"] = exposure, rng.poisson(exposure * np.exp(eta))
    else:
        table["y"] = (rng.random(len(g)) < 1 / (1 + np.exp(-eta))).astype(int)
    roles = Roles(
        "y",
        "arm",
        "g",
        covariates=covariates,
        exposure="t" if "t" in table else None,
        period="p" if periods else None,
    )
    data = ingest(table, roles, reference="A", outcome_kind=response.family).table
    return make_design(data, roles, response=response), data["y"].to_numpy(dtype=float)


def fit_of(design: Design, y: np.ndarray) -> PseudoFit:
    fit = pseudo_model(design).fit(np.atleast_2d(y))
    assert isinstance(fit, PseudoFit)
    return fit


@pytest.mark.parametrize("response", [BINARY, COUNT], ids=["binary", "count"])
@pytest.mark.parametrize("covariates", [(), ("x",)], ids=["none", "covariate"])
def test_a_variance_of_zero_gives_the_pooled_regression(
    response: Response, covariates: tuple[str, ...]
) -> None:
    sizes, rng = (12,) * 10, np.random.default_rng(2)
    design, _ = experiment(response, sizes=sizes, sd=0, covariates=covariates)
    exposure = 1 if design.exposure is None else design.exposure
    draws = rng.random((60, design.n_obs)) < 0.4
    y = draws.astype(float) if response is BINARY else rng.poisson(0.8 * exposure, draws.shape)
    singular = answer(design, y, ["glmm_wald"])["glmm_wald"].singular
    assert 5 < singular.sum() < 60
    fits = Fits(design, y[singular])
    mixed, pooled = (
        answers_of(method_of(name), fits.of(method_of(name)), design, Request())
        for name in ("glmm_wald", "glm_wald")
    )
    for name in ("contrasts", "means", "coefficients"):
        for field in ("estimate", "std_error", "p_value"):
            ours, theirs = (getattr(getattr(each, name), field) for each in (mixed, pooled))
            np.testing.assert_allclose(ours, theirs, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("covariates", [(), ("x",)], ids=["none", "covariate"])
def test_swapping_event_and_non_event_inverts(method: str, covariates: tuple[str, ...]) -> None:
    design, y = experiment(covariates=covariates)
    one, other = (answer(design, each[None], [method])[method].inference for each in (y, 1 - y))
    np.testing.assert_allclose(one.estimate, -other.estimate, atol=1e-9)
    for name in ("std_error", "df", "p_value"):
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), rtol=1e-7)
    np.testing.assert_allclose(one.conf_low, -other.conf_high, atol=1e-8)


@pytest.mark.parametrize("response", [BINARY, COUNT], ids=["binary", "count"])
@pytest.mark.parametrize("periods", [False, True], ids=["one", "cells"])
def test_alone_as_in_a_batch(response: Response, periods: bool) -> None:
    design, y = experiment(response, periods=periods, covariates=("x",))
    rng = np.random.default_rng(4)
    batch = np.stack([y, rng.permutation(y), rng.permutation(y)])
    together = answer(design, batch, METHODS)
    for i, outcome in enumerate(batch):
        for name, alone in answer(design, outcome[None], METHODS).items():
            for field in ("estimate", "std_error", "df", "p_value"):
                np.testing.assert_allclose(
                    getattr(alone.inference, field)[0],
                    getattr(together[name].inference, field)[i],
                    rtol=1e-7,
                    atol=1e-9,
                )


def test_an_outcome_without_answer_leaves_others_as_they_are() -> None:
    design, y = experiment()
    nothing = np.where(design.arm == 0, 0.0, y)
    alone = answer(design, y[None], METHODS)
    for name, both in answer(design, np.stack([nothing, y]), METHODS).items():
        assert both.failed[0].all()
        np.testing.assert_allclose(
            both.inference.estimate[1], alone[name].inference.estimate[0], atol=1e-11
        )


@pytest.mark.parametrize("response", [BINARY, COUNT], ids=["binary", "count"])
@pytest.mark.parametrize("within", [False, True], ids=["between", "within"])
@pytest.mark.parametrize("periods", [False, True], ids=["one", "cells"])
def test_individuals_as_numbers_of_events(response: Response, within: bool, periods: bool) -> None:
    design, y = experiment(response, within=within, periods=periods)
    rows = EventRows.of(design)
    shuffled = np.random.default_rng(0).permutation(len(rows.trials))
    fewer = replace(
        design,
        X=rows.X[shuffled],
        rows=Rows.events(rows.trials[shuffled]),
        arm=design.arm[rows.first][shuffled],
        group=rows.group[shuffled],
        period=None if design.period is None else design.period[rows.first][shuffled],
        exposure=None if design.exposure is None else rows.exposure[shuffled],
    )
    events = rows.events(y[None])[:, shuffled]
    for name, each in answer(design, y[None], METHODS).items():
        same = answer(fewer, events, [name])[name]
        for field in ("estimate", "std_error", "df"):
            np.testing.assert_allclose(
                getattr(each.inference, field), getattr(same.inference, field), rtol=1e-7
            )


@pytest.mark.parametrize("response", [BINARY, COUNT], ids=["binary", "count"])
def test_units_of_a_covariate_do_not_matter(response: Response) -> None:
    design, y = experiment(response, covariates=("x",))
    X = design.X.copy()
    X[:, -1] = 1e4 * X[:, -1] + 3e6
    moved = replace(design, X=X)
    for name, each in answer(design, y[None], METHODS).items():
        same = answer(moved, y[None], [name])[name]
        for field in ("estimate", "std_error", "df"):
            np.testing.assert_allclose(
                getattr(each.inference, field), getattr(same.inference, field), rtol=1e-6
            )


@pytest.mark.parametrize("response", [BINARY, COUNT], ids=["binary", "count"])
def test_general_terms_with_one_intercept_are_the_closed_form(response: Response) -> None:
    design, y = experiment(response, covariates=("x",))
    one = fit_of(design, y)
    term = RandomTerm(design.group, np.ones((len(y), 1)))
    general = GeneralPseudoLikelihood.of(design, [term]).fit(y[None])
    np.testing.assert_allclose(general.beta, one.beta, rtol=1e-8)
    np.testing.assert_allclose(general.tau2[:, 0], one.tau2, rtol=1e-7)
    a, b = one.information(design.L), general.information(design.L)
    for function in (satterthwaite_df, kenward_roger_df, adjusted_vcov):
        np.testing.assert_allclose(function(a), function(b), rtol=1e-6)


@pytest.mark.parametrize("response", [BINARY, COUNT], ids=["binary", "count"])
def test_derivatives_are_those_of_the_deviance(response: Response) -> None:
    design, y = experiment(response, covariates=("x",))
    working = fit_of(design, y).working
    at = restricted(working, np.array([0.4]))
    h = 1e-3
    low, mid, high = (restricted_deviance(working, np.array([0.4 + k * h])) for k in (-1, 0, 1))
    np.testing.assert_allclose(at.gradient, (high - low) / (2 * h), rtol=1e-4)
    np.testing.assert_allclose(at.hessian, (high - 2 * mid + low) / h**2, rtol=1e-3)


def test_the_interval_of_the_sd_holds_what_the_profile_does_not_reject() -> None:
    design, y = experiment(sd=2.0)
    fit = fit_of(design, y)
    (each,) = components(fit, LEVEL)
    sd = np.array([each.std_dev.conf_low[0], each.std_dev.estimate[0], each.std_dev.conf_high[0]])
    low, least, high = (restricted_deviance(fit.working, np.array([v**2])).item() for v in sd)
    cutoff = 3.841458820694124
    assert 0 < sd[0] < sd[1] < sd[2]
    assert sd[1] == pytest.approx(np.sqrt(fit.tau2[0]))
    np.testing.assert_allclose([low - least, high - least], cutoff, rtol=1e-6)


def test_groups_less_their_parameters() -> None:
    design, y = experiment(covariates=("x",))
    rows = answer(design, y[None], ["glmm_groups"])["glmm_groups"].inference
    assert rows.df == pytest.approx(len(design.group_labels) - 2)


def messages(design: Design, y: np.ndarray) -> dict[str, str]:
    sample = Sample(design, y, "test", "clinic", None, period_name="p")
    fits, request = Fits(design, y[None]), Request()
    return {name: method_result(sample, "mixed", name, fits, request).message for name in METHODS}


def test_rows_say_why_there_is_no_answer() -> None:
    design, y = experiment(covariates=("x",))
    no_events = messages(design, np.where(design.arm == 1, 0.0, y))
    assert all("no events in B" in text for text in no_events.values())
    separated = messages(design, (design.X[:, -1] > np.median(design.X[:, -1])).astype(float))
    assert all("x separates" in text for text in separated.values())
    within, y = experiment(within=True)
    texts = messages(within, y)
    assert "every group keeps one arm" in texts["glmm_groups"]
    assert texts["glmm_wald"] == ""


def test_rows_say_that_a_variance_is_zero() -> None:
    design, _ = experiment(sizes=(12,) * 10)
    y = (np.arange(120) % 12 < 5).astype(float)
    texts = messages(design, y)
    assert texts["glmm_wald"] == "The variance between levels of clinic is estimated as 0."
    assert "infinite" in texts["glmm_satterthwaite"]


def test_effects_that_vary_between_groups_are_refused_in_words() -> None:
    design, y = experiment(within=True)
    texts = messages(replace(design, random_slopes="unstructured"), y)
    assert all("vary between groups" in text for text in texts.values())
