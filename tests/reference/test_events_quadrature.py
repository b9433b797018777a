"""Adaptive quadrature agrees with lme4's deviance function and R's integrals at polished optima."""

from __future__ import annotations

import json
from functools import cache
from hashlib import md5
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from groupwise.data.validate import Roles
from groupwise.design import Design, make_design
from groupwise.methods import Fits, Request, method_of
from groupwise.methods.glm.likelihood import LikelihoodFit
from groupwise.models.event_rows import EventRows
from groupwise.models.glm import EventModel
from groupwise.models.quadrature import QuadratureFit, QuadratureModel
from groupwise.response import Response

HERE = Path(__file__).parent / "events"
BINARY = {
    "between": [],
    "boundary": [],
    "unbalanced": ["x", "w"],
    "within": ["x"],
    "spread": [],
    "cbpp": [],
}
COUNTS: dict[str, list[str]] = {"visits": [], "rates": ["x"]}
OVERDISPERSED: dict[str, list[str]] = {"overdispersed": ["x"], "overdispersed_alone": []}
COVARIATES = BINARY | COUNTS | OVERDISPERSED

CLOSE = {"rtol": 1e-6, "atol": 1e-6}
"""Ours has converged to more digits; R's numerical derivatives have about 8."""


@cache
def expected() -> dict[str, Any]:
    content: dict[str, Any] = json.loads((HERE / "quadrature.json").read_text(encoding="utf-8"))
    return content


@cache
def experiment(name: str, scale: str) -> tuple[Design, np.ndarray]:
    table = pd.read_csv(HERE / "quadrature" / f"{name}.csv")
    table["arm"] = pd.Categorical(table["arm"])
    roles = {
        "outcome": "y",
        "treatment": "arm",
        "group": "group",
        "block": None,
        "second_group": None,
        "covariates": COVARIATES[name],
        "exposure": "time" if name not in BINARY else None,
    }
    family = "binary" if name in BINARY else "count"
    design = make_design(table, Roles.from_settings(roles), response=Response(family, scale))
    return design, table["y"].to_numpy(dtype=float)[None]


@cache
def fitted(name: str, method: str = "glmm_likelihood", scale: str | None = None) -> LikelihoodFit:
    default = "odds_ratio" if name in BINARY else "ratio"
    design, y = experiment(name, scale or default)
    fit: LikelihoodFit = Fits(design, y).of(method_of(method))
    return fit


def laplace(name: str) -> QuadratureFit:
    design, y = experiment(name, "odds_ratio" if name in BINARY else "ratio")
    rows = EventRows.of(design)
    return QuadratureModel.of(EventModel.of(design, rows), n_nodes=1).fit(rows.events(y))


def std_errors(fit: QuadratureFit) -> np.ndarray:
    return np.sqrt(np.diagonal(fit.covariance(np.eye(fit.model.p))[0]))


@pytest.mark.parametrize("name", COVARIATES)
def test_values_are_of_these_data(name: str) -> None:
    data = (HERE / "quadrature" / f"{name}.csv").read_bytes()
    assert md5(data, usedforsecurity=False).hexdigest() == expected()[name]["md5"]


@pytest.mark.parametrize("kind", ["agq25", "laplace"])
@pytest.mark.parametrize("name", [*BINARY, *COUNTS])
def test_estimates_and_standard_errors_are_those_of_the_polished_optimum(
    name: str, kind: str
) -> None:
    fit = fitted(name).fit if kind == "agq25" else laplace(name)
    theirs = expected()[name][kind]
    assert fit.converged[0] and fit.singular[0] == (theirs["sd"] == 0)
    np.testing.assert_allclose(fit.beta[0], theirs["beta"], **CLOSE)
    np.testing.assert_allclose(fit.sigma[0], theirs["sd"], **CLOSE)
    np.testing.assert_allclose(std_errors(fit), theirs["se"], **CLOSE)


@pytest.mark.parametrize("name", [*BINARY, *COUNTS])
def test_one_node_is_near_that_of_lme4(name: str) -> None:
    """Its search for the modes stops early, at weights of the step before: with one node that shows."""
    fit, theirs = laplace(name), expected()[name]["agq1"]
    np.testing.assert_allclose(fit.beta[0], theirs["beta"], atol=1e-5)
    np.testing.assert_allclose(std_errors(fit), theirs["se"], rtol=1e-4)


@pytest.mark.parametrize("name", [*BINARY, *COUNTS])
def test_glmer_is_as_close_as_its_optimiser_comes(name: str) -> None:
    theirs = expected()[name]["agq25"]["glmer"]
    np.testing.assert_allclose(fitted(name).fit.beta[0], theirs["beta"], atol=2e-3)


@pytest.mark.parametrize("name", OVERDISPERSED)
def test_negative_binomial_is_that_of_integrals_by_r(name: str) -> None:
    fit, theirs = fitted(name, "negative_binomial").fit, expected()[name]["nb"]
    assert fit.singular[0] == (theirs["sd"] == 0)
    np.testing.assert_allclose(fit.beta[0], theirs["beta"], **CLOSE)
    np.testing.assert_allclose(fit.sigma[0], theirs["sd"], **CLOSE)
    np.testing.assert_allclose(np.exp(fit.parameters[0, -1]), theirs["size"], rtol=1e-5)
    np.testing.assert_allclose(std_errors(fit), theirs["se"], rtol=1e-5)


def test_negative_binomial_without_group_variance_is_glm_nb() -> None:
    fit = fitted("overdispersed_alone", "negative_binomial").fit
    theirs = expected()["overdispersed_alone"]["nb"]["glm_nb"]
    np.testing.assert_allclose(fit.beta[0], theirs["beta"], **CLOSE)
    np.testing.assert_allclose(np.exp(fit.parameters[0, -1]), theirs["size"], rtol=1e-6)


def test_glmer_nb_is_near() -> None:
    """It is Laplace's approximation, stops early, and alternates between the shape and the rest."""
    fit = fitted("overdispersed", "negative_binomial").fit
    theirs = expected()["overdispersed"]["nb"]["glmer_nb"]
    np.testing.assert_allclose(fit.beta[0], theirs["beta"], atol=0.03)
    np.testing.assert_allclose(np.exp(fit.parameters[0, -1]), theirs["size"], rtol=0.02)


@pytest.mark.parametrize("scale", ["difference", "ratio"])
@pytest.mark.parametrize("name", BINARY)
def test_standardised_risks_are_integrals_by_r(name: str, scale: str) -> None:
    design, _ = experiment(name, scale)
    method = method_of("glmm_standardized")
    fit, theirs = fitted(name, "glmm_standardized", scale), expected()[name]["standardised"]
    ours = method.infer(fit, design.L, Request())
    pairs = [
        f"{b} - {a}" for i, a in enumerate(design.arm_labels) for b in design.arm_labels[i + 1 :]
    ]
    order = [pairs.index(label) for label in design.contrast_labels]
    prefix = "difference" if scale == "difference" else "log_ratio"
    value, se = (np.atleast_1d(theirs[key])[order] for key in (prefix, f"{prefix}_se"))
    np.testing.assert_allclose(ours.estimate[0], value, **CLOSE)
    np.testing.assert_allclose(ours.std_error[0], se, **CLOSE)
    if scale == "difference":
        means = method.infer(fit, design.L_means, Request())
        np.testing.assert_allclose(means.estimate[0], theirs["risk"], **CLOSE)
        np.testing.assert_allclose(means.std_error[0], theirs["risk_se"], **CLOSE)


@pytest.mark.parametrize("name", ["between", "unbalanced", "visits"])
def test_profile_limits_and_likelihood_ratios(name: str) -> None:
    design, _ = experiment(name, "odds_ratio" if name in BINARY else "ratio")
    method, theirs = method_of("glmm_profile"), expected()[name]["profile"]
    fit = fitted(name, "glmm_profile")
    row = method.infer(fit, design.L[:1], Request())
    joint = method.joint(fit, design.omnibus, Request())
    np.testing.assert_allclose(row.conf_low[0, 0], theirs["low"], rtol=1e-5)
    np.testing.assert_allclose(row.conf_high[0, 0], theirs["high"], rtol=1e-5)
    np.testing.assert_allclose(row.statistic[0, 0] ** 2, theirs["ratio_of_row"], rtol=1e-5)
    df = len(design.omnibus)
    np.testing.assert_allclose(joint.statistic[0] * df, theirs["ratio_of_all"], rtol=1e-5)
