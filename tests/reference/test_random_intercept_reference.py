"""One random intercept against lme4, lmerTest and pbkrtest: inference.R made the values.

Tolerances are relative. Where R stops short of what it computes, ours are compared with its answer to
the precision of R's: lmerTest differentiates numerically (1e-6), profile limits of `root` are uniroot's.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from groupwise.inference.one_intercept_profile import OneInterceptVariances
from groupwise.inference.profile import likelihood_ratio, profile
from groupwise.inference.small_sample import (
    kenward_roger,
    kenward_roger_joint,
    kenward_roger_scaling,
    satterthwaite,
    satterthwaite_joint,
)
from groupwise.inference.variance_test import group_variance_test
from groupwise.models import random_intercept
from groupwise.models.random_intercept import RandomIntercept, RandomInterceptFit
from groupwise.tidy import Inference

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
LEVEL = 0.95
CASES = [
    ("flipped_classroom", "group"),
    ("unbalanced", "group"),
    ("boundary", "group"),
    ("within", "group"),
    ("blocked", "blocked"),
    ("star_math", "blocked"),
    ("star_math", "school"),
    ("hsb82", "group"),
]
each_case = pytest.mark.parametrize(("dataset", "name"), CASES, ids=lambda value: value)


@dataclass(frozen=True)
class Case:
    """A dataset, one of its models, and what R says of it."""

    X: np.ndarray
    y: np.ndarray
    group: np.ndarray
    labels: list[str]
    n_arms: int
    r: dict[str, Any]

    @property
    def L(self) -> np.ndarray:
        """Every pair of arms, those with the reference first."""
        means = np.vstack([np.zeros(self.X.shape[1]), self.omnibus])
        return np.array([means[b] - means[a] for a, b in combinations(range(self.n_arms), 2)])

    @property
    def omnibus(self) -> np.ndarray:
        return np.eye(self.X.shape[1])[1 : self.n_arms]


@cache
def case(dataset: str, name: str) -> Case:
    content = json.loads((HERE / "inference" / f"{dataset}.json").read_text(encoding="utf-8"))
    about, r = content["dataset"], content["mixed"][name]
    table = pd.read_csv(ROOT / about["file"])
    table = table[table[about["outcome"]].notna()]
    factors = [(about["treatment"], about["levels"])]
    if name == "blocked":
        factors.append((about["block"], sorted(table[about["block"]].unique())))
    indicators = [(table[f] == level).to_numpy() for f, levels in factors for level in levels[1:]]
    covariates = [table[column].to_numpy() for column in about["covariates"]]
    (group,) = r["n_levels"]
    codes, labels = pd.factorize(table[group].astype(str), sort=True)
    return Case(
        X=np.column_stack([np.ones(len(table)), *indicators, *covariates]).astype(float),
        y=table[about["outcome"]].to_numpy(dtype=float),
        group=codes,
        labels=list(labels),
        n_arms=len(about["levels"]),
        r=r,
    )


@cache
def fitted(dataset: str, name: str) -> tuple[RandomIntercept, RandomInterceptFit]:
    each = case(dataset, name)
    model = RandomIntercept.of(each.X, each.group)
    return model, model.fit(each.y)


def compare(ours: Inference, rows: list[dict[str, Any]], tolerance: dict[str, float]) -> None:
    for column, rtol in tolerance.items():
        expected = [row[column] for row in rows]
        np.testing.assert_allclose(getattr(ours, column), expected, rtol=rtol, err_msg=column)


@each_case
@pytest.mark.parametrize("largest", [1000, 0], ids=["spectral", "by size"])
@pytest.mark.parametrize("estimator", ["reml", "ml"])
def test_criterion_at_fixed_theta(dataset, name, estimator, largest, monkeypatch) -> None:
    monkeypatch.setattr(random_intercept, "LARGEST_EIGENPROBLEM", largest)
    each = case(dataset, name)
    model = RandomIntercept.of(each.X, each.group)
    for row in each.r[estimator]["criterion_at"]:
        theta = np.ravel(row["theta"])[0]
        fit = model.fit(each.y, reml=estimator == "reml", theta=theta)
        np.testing.assert_allclose(fit.criterion, row["criterion"], rtol=1e-10)


@each_case
@pytest.mark.parametrize("estimator", ["reml", "ml"])
def test_estimates(dataset, name, estimator) -> None:
    each = case(dataset, name)
    expected = each.r[estimator]
    fit = RandomIntercept.of(each.X, each.group).fit(each.y, reml=estimator == "reml")
    np.testing.assert_allclose(fit.theta, expected["theta"][0], rtol=1e-6)
    np.testing.assert_allclose(np.sqrt(fit.var_residual), expected["sigma"], rtol=1e-7)
    np.testing.assert_allclose(fit.criterion, expected["criterion"], rtol=1e-12)
    np.testing.assert_allclose(fit.loglik, expected["loglik"], rtol=1e-12)
    assert bool(fit.singular) == expected["is_singular"]
    effects = np.array(list(expected["fixef"].values()))
    np.testing.assert_allclose(fit.beta[: len(effects)], effects, rtol=1e-6)


@each_case
def test_blups_and_their_sds(dataset, name) -> None:
    each, (_, fit) = case(dataset, name), fitted(dataset, name)
    (expected,) = each.r["random"].values()
    rows = [each.labels.index(str(level)) for level in expected["levels"]]
    blup, sd = fit.blups()
    np.testing.assert_allclose(blup[rows], np.ravel(expected["blup"]), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(sd[rows] ** 2, np.ravel(expected["cond_var"]), rtol=1e-5)


@each_case
def test_satterthwaite(dataset, name) -> None:
    each, fit = case(dataset, name), fitted(dataset, name)[1]
    expected = each.r["satterthwaite"]
    tolerance = {"estimate": 1e-6, "std_error": 1e-6, "df": 1e-5, "p_value": 1e-5}
    compare(satterthwaite(fit, each.L, LEVEL), expected["contrasts"], tolerance)
    test, omnibus = satterthwaite_joint(fit, each.omnibus), expected["omnibus"]
    np.testing.assert_allclose(test.statistic, omnibus["statistic"], rtol=1e-6)
    np.testing.assert_allclose(test.df_den, omnibus["df_den"], rtol=1e-5)
    np.testing.assert_allclose(test.p_value, omnibus["p_value"], rtol=1e-5)
    assert test.df_num == omnibus["df_num"]


@each_case
def test_kenward_roger(dataset, name) -> None:
    each, fit = case(dataset, name), fitted(dataset, name)[1]
    expected = each.r["kenward_roger"]
    if expected is None:
        pytest.skip("pbkrtest was not asked: it needs n x n matrices")
    tolerance = {"estimate": 1e-6, "std_error": 1e-6, "df": 1e-6, "p_value": 1e-5}
    compare(kenward_roger(fit, each.L, LEVEL), expected["contrasts"], tolerance)
    test, omnibus = kenward_roger_joint(fit, each.omnibus), expected["omnibus"]
    scale, _ = kenward_roger_scaling(fit.information(each.omnibus))
    np.testing.assert_allclose(scale, omnibus["f_scaling"], rtol=1e-6)
    np.testing.assert_allclose(test.statistic / scale, omnibus["statistic_unscaled"], rtol=1e-6)
    np.testing.assert_allclose(test.statistic, omnibus["statistic"], rtol=1e-6)
    np.testing.assert_allclose(test.df_den, omnibus["df_den"], rtol=1e-6)
    np.testing.assert_allclose(test.p_value, omnibus["p_value"], rtol=1e-5)


@each_case
def test_profile_limits(dataset, name) -> None:
    each, (_, fit) = case(dataset, name), fitted(dataset, name)
    expected = each.r["profile"]["root"]
    if not isinstance(expected, list):
        pytest.skip(f"R gave no profile of these effects: {expected}")
    effects = [row for row in expected if not row["parameter"].startswith("sd_")]
    k = min(len(effects), each.n_arms)
    ours = profile(fit, np.eye(each.X.shape[1])[:k], LEVEL)
    pairs = [
        (ours.conf_low[j], ours.conf_high[j], row)
        for j, row in enumerate(effects[:k])
        if row["parameter"] == "intercept" or j
    ]
    group, residual = (row for row in expected if row["parameter"].startswith("sd_"))
    at = OneInterceptVariances.of(fit, reml=False)
    for parameter, row in ((at.effect_sd(0, 0), group), (at.residual_sd(), residual)):
        interval = parameter.limits(LEVEL)
        pairs.append((interval.conf_low.item(), interval.conf_high.item(), row))
    for low, high, row in pairs:
        width = row["conf_high"] - row["conf_low"]
        np.testing.assert_allclose(low, row["conf_low"], rtol=0, atol=1e-5 * width)
        np.testing.assert_allclose(high, row["conf_high"], rtol=0, atol=1e-5 * width)
        assert row["conf_low"] != 0 or low == 0


@each_case
def test_likelihood_ratio_tests(dataset, name) -> None:
    each, (_, fit) = case(dataset, name), fitted(dataset, name)
    expected = each.r["lrt_treatment"]
    ours = likelihood_ratio(fit, each.omnibus)
    np.testing.assert_allclose(ours.statistic * ours.df_num, expected["statistic"], rtol=1e-7)
    np.testing.assert_allclose(ours.p_value, expected["p_value"], rtol=1e-7)
    expected = each.r["lrt_group"]
    test = group_variance_test(fit, n_draws=1000)
    np.testing.assert_allclose(test.statistic, expected["statistic"], rtol=1e-7, atol=1e-8)
    np.testing.assert_allclose(test.p_mixture, expected["p_value"], rtol=1e-6)
