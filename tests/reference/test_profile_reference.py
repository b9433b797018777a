"""Profile intervals of any mixed model are those found by root-finding on lme4's deviance.

`inference.R` profiles effects and ML's standard deviations, `variance_profiles.R` standard deviations
and shares of the variance by both likelihoods. Both solve for the limits, to some 1e-9 of the width.
"""

from __future__ import annotations

import json
import math
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pandas.api.types import is_numeric_dtype
from test_lmm_reference import HERE, MODELS, fit, reference, terms_of

from groupwise.inference.limits import Limits
from groupwise.inference.profile import likelihood_ratio, profile
from groupwise.inference.variance_intervals import RESIDUAL, TOTAL, Component, components_of
from groupwise.inference.variance_profile import GeneralVariances
from groupwise.models.lmm import LinearMixedModel
from groupwise.models.random_terms import RandomTerm, random_intercept

OF_WIDTH = 1e-6
LEVEL = 0.95


def profiled(name: str, model: str) -> list[dict[str, Any]]:
    said = reference(name)["mixed"][model]["profile"]
    return said["root"] if said else []


PROFILED = [m for m in MODELS if profiled(*m)]
LARGE = ("insteval", "crossed")
"""Takes more than a minute."""
TESTED = [
    pytest.param(*m, marks=[pytest.mark.slow] if m == LARGE else [])
    for m in MODELS
    if reference(m[0])["mixed"][m[1]]["lrt_treatment"]
]


def close(found: Limits | tuple[float, float], expected: dict[str, Any]) -> None:
    """Limits within a share of the interval's width; 0 is 0."""
    low, high = (
        found if isinstance(found, tuple) else (found.conf_low.item(), found.conf_high.item())
    )
    width = expected["conf_high"] - expected["conf_low"]
    assert math.isclose(low, expected["conf_low"], abs_tol=OF_WIDTH * width)
    assert math.isclose(high, expected["conf_high"], abs_tol=OF_WIDTH * width)
    assert low == 0 or expected["conf_low"] != 0


@pytest.mark.parametrize(("name", "model"), PROFILED)
def test_limits_of_effects(name: str, model: str) -> None:
    terms = terms_of(name, model)
    rows = [row for row in profiled(name, model) if row["parameter"] in terms]
    L = np.array([np.eye(len(terms))[terms.index(row["parameter"])] for row in rows])
    found = profile(fit(name, model), L, LEVEL)
    for ends, row in zip(zip(found.conf_low, found.conf_high, strict=True), rows, strict=True):
        close(ends, row)


@pytest.mark.parametrize(("name", "model"), TESTED)
def test_likelihood_ratio_of_the_treatment(name: str, model: str) -> None:
    about, terms = reference(name)["mixed"][model], terms_of(name, model)
    L = np.array([np.eye(len(terms))[terms.index(arm)] for arm in about["levels"][1:]])
    found = likelihood_ratio(fit(name, model), L)
    expected = about["lrt_treatment"]
    statistic = found.statistic * found.df_num
    np.testing.assert_allclose(statistic, expected["statistic"], rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(found.p_value, expected["p_value"], rtol=1e-5)
    assert found.df_num == expected["df"]


@cache
def profiles() -> dict[str, Any]:
    path = HERE / "variance_profiles.json"
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def codes(data: pd.DataFrame, name: str) -> np.ndarray:
    return np.unique(data[name.split(":")].astype(str).agg(":".join, axis=1), return_inverse=True)[
        1
    ]


TERMS = {
    "flipped_classroom": ["professor"],
    "unbalanced": ["clinic"],
    "boundary": ["region"],
    "blocked": ["ward:site", "site"],
    "oats": ["Variety:Block", "Block"],
    "penicillin": ["plate", "sample"],
}
FIXED = {
    "flipped_classroom": ["style"],
    "unbalanced": ["arm", "x"],
    "boundary": ["arm"],
    "blocked": ["arm"],
    "within": ["arm"],
    "sleepstudy": ["Days"],
    "oats": ["Variety", "nitro"],
    "penicillin": [],
}


@cache
def components(name: str, estimator: str) -> dict[str, Component]:
    """The intervals of one of R's models, by R's names."""
    data = pd.read_csv(HERE / "data" / f"{name}.csv")
    fixed = [
        data[[each]]
        if is_numeric_dtype(data[each])
        else pd.get_dummies(data[each], drop_first=True)
        for each in FIXED[name]
    ]
    X = np.column_stack([np.ones(len(data)), *fixed]).astype(float)
    y = data[{"flipped_classroom": "score", "sleepstudy": "Reaction", "oats": "yield",
              "penicillin": "diameter"}.get(name, "y")].to_numpy(dtype=float)  # fmt: skip
    if name in TERMS:
        terms = [random_intercept(codes(data, term), name=term) for term in TERMS[name]]
    else:
        group = {"within": "cluster", "sleepstudy": "Subject"}[name]
        slope = data["Days"] if name == "sleepstudy" else data["arm"] == "treated"
        Z = np.column_stack([np.ones(len(data)), slope.to_numpy(dtype=float)])
        terms = [RandomTerm(codes(data, group), Z, name != "sleepstudy", group)]
    at = GeneralVariances.of(LinearMixedModel.of(X, terms).fit(y), reml=estimator == "reml")
    found = components_of(at, LEVEL)
    return {f"{each.level} {each.term}".strip(): each for each in found}


CASES = [(name, estimator) for name in FIXED for estimator in ("reml", "ml")]


@pytest.mark.parametrize(("name", "estimator"), CASES)
def test_limits_of_standard_deviations(name: str, estimator: str) -> None:
    found = components(name, estimator)
    slope = {"Days": "slope1", "armtreated": "slope1", "(Intercept)": "Intercept"}
    for parameter, expected in profiles()[name][estimator]["sd"].items():
        if parameter == RESIDUAL:
            close(found[RESIDUAL].std_dev, expected)
            continue
        group, _, effect = parameter.rpartition(".")
        group = {"Subject.1": "Subject"}.get(group, group)  # lme4 numbers terms of one group
        close(found[f"{group} {slope[effect]}"].std_dev, expected)


@pytest.mark.parametrize(("name", "estimator"), [case for case in CASES if case[0] in TERMS])
def test_limits_of_shares_of_the_variance(name: str, estimator: str) -> None:
    found = components(name, estimator)
    for parameter, expected in profiles()[name][estimator]["share"].items():
        one = TOTAL if len(TERMS[name]) > 1 and parameter == TOTAL else parameter
        one = TERMS[name][0] if one == TOTAL and len(TERMS[name]) == 1 else one
        close(found[f"{one} Intercept"].icc, expected)
