"""Restricted pseudo-likelihood agrees with R's dense matrices: see `events/pseudo.R`."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from groupwise import methods
from groupwise.data.ingest import ingest
from groupwise.data.validate import Roles
from groupwise.design import make_design
from groupwise.methods import Request, answers_of
from groupwise.response import Response
from groupwise.tidy import Answers

HERE = Path(__file__).parent / "events"
REFERENCE: dict[str, Any] = json.loads((HERE / "pseudo.json").read_text(encoding="utf-8"))
NAMES = [name for name in REFERENCE if name != "versions"]
SPECIAL = {"g", "arm", "y", "b", "p", "id", "t"}


@cache
def fits(name: str) -> tuple[methods.Fits, np.ndarray]:
    table = pd.read_csv(HERE / "pseudo" / f"{name}.csv")
    covariates = tuple(c for c in table if c not in SPECIAL)
    roles = Roles(
        "y",
        "arm",
        "g",
        block="b" if "b" in table else None,
        covariates=covariates,
        period="p" if "p" in table else None,
        individual="id" if "id" in table else None,
        exposure="t" if "t" in table else None,
    )
    if "p" in table:
        table["p"] = table["p"].astype(str)
    family = "count" if REFERENCE[name]["count"] else "binary"
    data = ingest(table, roles, reference="A", outcome_kind=family).table
    design = make_design(
        data,
        roles,
        blocks_as="random" if "block" in REFERENCE[name]["random"] else "fixed",
        response=Response("count", "ratio")
        if family == "count"
        else Response("binary", "odds_ratio"),
    )
    y = data["y"].to_numpy(dtype=float)
    return methods.Fits(design, y[None]), y


@cache
def answers(name: str, method: str) -> Answers:
    procedure, (each, _) = methods.method_of(method), fits(name)
    answer = answers_of(procedure, each.of(procedure), each.design, Request())
    return answer.outcome(0)


def close(value: Any, expected: Any, tolerance: float) -> None:
    expected = np.array([np.inf if each is None else each for each in np.ravel(expected)])
    np.testing.assert_allclose(np.ravel(value), expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("name", NAMES)
def test_variances(name: str) -> None:
    procedure, (each, _) = methods.method_of("glmm_wald"), fits(name)
    fit = each.of(procedure).fit
    by_term = {term: float(sd[0]) ** 2 for term, sd in fit.std_dev.items()}
    close([by_term[term] for term in REFERENCE[name]["random"]], REFERENCE[name]["tau2"], 1e-7)
    assert bool(fit.singular[0]) == (0 in REFERENCE[name]["tau2"])


@pytest.mark.parametrize("name", NAMES)
def test_coefficients(name: str) -> None:
    rows = answers(name, "glmm_wald").coefficients
    close(rows.estimate, REFERENCE[name]["beta"], 1e-7)
    close(rows.std_error, REFERENCE[name]["std_error"], 1e-7)


@pytest.mark.parametrize("name", NAMES)
def test_contrasts(name: str) -> None:
    expected = REFERENCE[name]
    assert list(fits(name)[0].design.contrast_labels) == expected["contrasts"]
    for method in ("glmm_wald", "glmm_satterthwaite"):
        rows = answers(name, method).contrasts
        close(rows.estimate, expected["estimate"], 1e-7)
        close(rows.std_error, expected["std_error_contrast"], 1e-7)
    close(answers(name, "glmm_satterthwaite").contrasts.df, expected["df_satterthwaite"], 1e-6)
    adjusted = answers(name, "glmm_kenward_roger").contrasts
    close(adjusted.std_error, expected["std_error_kr"], 1e-7)
    close(adjusted.df, expected["df_kr"], 1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_joint_tests(name: str) -> None:
    by_satterthwaite = answers(name, "glmm_satterthwaite").omnibus
    close(
        [by_satterthwaite.statistic, by_satterthwaite.df_den],
        REFERENCE[name]["satterthwaite_joint"],
        1e-6,
    )
    scaled = answers(name, "glmm_kenward_roger").omnibus
    close([scaled.statistic, scaled.df_den], REFERENCE[name]["kenward_roger_joint"][:2], 1e-6)
