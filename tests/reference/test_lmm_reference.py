"""The general mixed-model engine gives what lme4, lmerTest and pbkrtest give (inference.R).

The criterion at a fixed theta is a closed form and held tightly. The optimum is where lme4 stopped plus
Newton steps, which leaves its theta uncertain by a few times 1e-8; lmerTest differentiates numerically,
and so do `satterthwaite` references. Differences are relative to the value or, for what may be near
0, to its standard error.
"""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from groupwise.inference.small_sample import (
    kenward_roger,
    kenward_roger_joint,
    satterthwaite,
    satterthwaite_joint,
)
from groupwise.models.lmm import LinearMixedModel, LmmFit
from groupwise.models.random_terms import RandomTerm
from groupwise.tidy import JointTest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
CLOSED_FORM = 1e-10
OPTIMUM = 1e-6
KENWARD_ROGER = 1e-6
SATTERTHWAITE = 1e-4


@cache
def reference(name: str) -> dict[str, Any]:
    path = HERE / "inference" / f"{name}.json"
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


MODELS = [
    (path.stem, model)
    for path in sorted((HERE / "inference").glob("*.json"))
    for model in reference(path.stem)["mixed"]
]
SLOW = {"insteval"}
each_model = pytest.mark.parametrize(
    ("name", "model"),
    [pytest.param(*m, marks=[pytest.mark.slow] if m[0] in SLOW else []) for m in MODELS],
)


@cache
def table(name: str) -> pd.DataFrame:
    about = reference(name)["dataset"]
    data = pd.read_csv(ROOT / about["file"])
    return data[data[about["outcome"]].notna()].reset_index(drop=True)


def column(name: str, model: str, term: str) -> np.ndarray:
    """A column of X by the name it has in the reference."""
    data, about = table(name), reference(name)["dataset"]
    if term == "intercept":
        return np.ones(len(data))
    if "=" in term:
        factor, level = term.split("=")
        values = data[about["block"] if factor == "block" else factor]
        return (values.astype(str) == level).to_numpy(dtype=float)
    if term in data and term != reference(name)["mixed"][model]["treatment"]:
        return data[term].to_numpy(dtype=float)
    treatment = data[reference(name)["mixed"][model]["treatment"]]
    return (treatment.astype(str) == term).to_numpy(dtype=float)


def random_terms(name: str, model: str) -> list[RandomTerm]:
    """The terms in parentheses of lme4's formula, `a / b` written out."""
    found = []
    formula = reference(name)["mixed"][model]["formula"]
    for columns, bar, groups in re.findall(r"\(([^|()]+?) *(\|\|?) *([^()]+)\)", formula):
        outer, *inner = groups.split("/")
        for group in [outer, *([f"{inner[0]}:{outer}"] if inner else [])]:
            found.append(random_term(name, model, columns, group.replace(" ", ""), bar == "|"))
    return found


def random_term(name: str, model: str, columns: str, group: str, correlated: bool) -> RandomTerm:
    data = table(name)
    values = data[group.split(":")].astype(str).agg(":".join, axis=1)
    labels, codes = np.unique(values, return_inverse=True)
    Z = [np.ones(len(data))]
    if columns != "1":
        about = reference(name)["mixed"][model]
        slopes = about["levels"][1:] if columns == about["treatment"] else [columns]
        Z += [column(name, model, slope) for slope in slopes]
    return RandomTerm(codes, np.column_stack(Z), correlated, group, tuple(labels))


@cache
def mixed_model(name: str, model: str) -> LinearMixedModel:
    X = np.column_stack([column(name, model, term) for term in terms_of(name, model)])
    return LinearMixedModel.of(X, random_terms(name, model))


def terms_of(name: str, model: str) -> list[str]:
    return list(reference(name)["mixed"][model]["reml"]["fixef"])


def outcome(name: str) -> np.ndarray:
    return table(name)[reference(name)["dataset"]["outcome"]].to_numpy(dtype=float)


@cache
def fit(name: str, model: str, reml: bool = True) -> LmmFit:
    return mixed_model(name, model).fit(outcome(name), reml=reml)


def rows(name: str, model: str, answers: dict[str, Any]) -> tuple[np.ndarray, pd.DataFrame]:
    """L and the reference's rows: coefficients, then contrasts."""
    terms = terms_of(name, model)
    unit = dict(zip(terms, np.eye(len(terms)), strict=True))
    L = [unit[row["term"]] for row in answers["coefficients"]]
    for row in answers["contrasts"] or []:
        left, right = row["contrast"].split(" - ")
        zero = np.zeros(len(terms))
        L.append(unit.get(left, zero) - unit.get(right, zero))
    return np.array(L), pd.DataFrame(answers["coefficients"] + (answers["contrasts"] or []))


def omnibus(name: str, model: str) -> np.ndarray:
    terms = terms_of(name, model)
    arms = reference(name)["mixed"][model]["levels"][1:]
    return np.eye(len(terms))[[terms.index(arm) for arm in arms]]


def assert_near(actual: object, expected: object, rtol: float, scale: object = 0.0) -> None:
    """Relative to the larger of the expected value and `scale`."""
    actual, expected = np.asarray(actual, dtype=float), np.asarray(expected, dtype=float)
    size = np.maximum(np.abs(expected), np.asarray(scale, dtype=float))
    gap = np.abs(actual - expected) / np.where(size > 0, size, 1.0)
    assert gap.max() <= rtol, f"relative difference {gap.max():.3g}"


def assert_joint(test: JointTest, expected: dict[str, float], rtol: float) -> None:
    assert test.df_num == expected["df_num"]
    assert_near(test.statistic, expected["statistic"], rtol)
    assert_near(test.df_den, expected["df_den"], rtol)


@each_model
@pytest.mark.parametrize("estimator", ["reml", "ml"])
def test_criterion_at_fixed_theta(name: str, model: str, estimator: str) -> None:
    for point in reference(name)["mixed"][model][estimator]["criterion_at"]:
        theta = np.array(point["theta"])
        there = mixed_model(name, model).fit(outcome(name), reml=estimator == "reml", theta=theta)
        assert_near(there.criterion, point["criterion"], CLOSED_FORM)


@each_model
@pytest.mark.parametrize("estimator", ["reml", "ml"])
def test_optimum(name: str, model: str, estimator: str) -> None:
    expected = reference(name)["mixed"][model][estimator]
    ours = fit(name, model, estimator == "reml")
    assert ours.converged
    assert ours.singular == expected["is_singular"]
    assert_near(ours.criterion, expected["criterion"], CLOSED_FORM)
    assert_near(ours.sigma, expected["sigma"], OPTIMUM)
    assert_near(ours.theta, expected["theta"], OPTIMUM, scale=np.max(expected["theta"]))
    V = expected["vcov"]
    kept = [terms_of(name, model).index(term) for term in V["names"]]
    sd = np.sqrt(np.diag(V["values"]))
    beta = np.array(list(expected["fixef"].values()))
    assert_near(ours.beta[kept], beta[kept], OPTIMUM, scale=sd)
    assert_near(ours.vcov[np.ix_(kept, kept)], V["values"], OPTIMUM, scale=np.outer(sd, sd))


@each_model
def test_variance_components(name: str, model: str) -> None:
    expected = [
        row
        for row in reference(name)["mixed"][model]["reml"]["varcorr"]
        if row["grp"] != "Residual"
    ]
    ours: list[float] = []
    for part in fit(name, model).components:
        ours += list(np.diag(part.covariance))
        if part.correlated:
            ours += list(part.covariance[np.tril_indices(len(part.covariance), -1)])
    values = [row["vcov"] for row in expected]
    assert_near(ours, values, 2 * OPTIMUM, scale=1e-3 * max(values))


@each_model
def test_predictions(name: str, model: str) -> None:
    """BLUPs and their covariances of the levels that are stored; terms of a factor side by side."""
    ours = fit(name, model)
    for group, expected in reference(name)["mixed"][model]["random"].items():
        mine = [each for each in ours.random_effects if each.name == group]
        keep = [mine[0].labels.index(level) for level in expected["levels"]]
        estimate = np.hstack([each.estimate for each in mine])[keep]
        sd = np.hstack([each.std_error for each in mine])[keep]
        assert_near(estimate, expected["blup"], 10 * OPTIMUM, scale=sd)
        variance = np.einsum("lqq->lq", np.array(expected["cond_var"], dtype=float))
        assert_near(sd**2, variance, 10 * OPTIMUM)


@each_model
def test_satterthwaite(name: str, model: str) -> None:
    expected = reference(name)["mixed"][model]["satterthwaite"]
    L, table = rows(name, model, expected)
    assert_near(satterthwaite(fit(name, model), L, 0.95).df, table["df"], SATTERTHWAITE)
    if expected.get("omnibus"):
        test = satterthwaite_joint(fit(name, model), omnibus(name, model))
        assert_joint(test, expected["omnibus"], SATTERTHWAITE)


@each_model
def test_kenward_roger(name: str, model: str) -> None:
    expected = reference(name)["mixed"][model]["kenward_roger"]
    if expected is None:
        pytest.skip("pbkrtest would need too much memory for it")
    L, table = rows(name, model, expected)
    ours = kenward_roger(fit(name, model), L, 0.95)
    assert_near(ours.df, table["df"], 10 * KENWARD_ROGER)
    assert_near(ours.std_error, table["std_error"], KENWARD_ROGER)
    if expected.get("omnibus"):
        joint = kenward_roger_joint(fit(name, model), omnibus(name, model))
        assert_joint(joint, expected["omnibus"], 10 * KENWARD_ROGER)


@each_model
def test_kenward_roger_given_the_variances(name: str, model: str) -> None:
    """At the reference's own theta: nothing here depends on an optimiser."""
    expected = reference(name)["mixed"][model]["kenward_roger"]
    if expected is None:
        pytest.skip("pbkrtest would need too much memory for it")
    theta = np.array(reference(name)["mixed"][model]["reml"]["theta"])
    L, table = rows(name, model, expected)
    ours = kenward_roger(mixed_model(name, model).fit(outcome(name), theta=theta), L, 0.95)
    assert_near(ours.df, table["df"], KENWARD_ROGER)
    assert_near(ours.std_error, table["std_error"], KENWARD_ROGER)
