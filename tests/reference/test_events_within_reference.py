"""Dummies for groups of events and conditional logistic regression, beside R (events/within.R)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from groupwise.data.ingest import ingest
from groupwise.data.validate import Roles
from groupwise.design import make_design
from groupwise.methods import fit_tables
from groupwise.response import Response
from groupwise.sample import Sample

FOLDER = Path(__file__).parent / "events"
VALUES = pd.read_csv(FOLDER / "within.out", comment="#")
ASKED = {
    "conditional": ("conditional_logit", Response("binary", "odds_ratio")),
    "mantelhaen_exact": ("conditional_logit", Response("binary", "odds_ratio")),
    "unconditional": ("glm_dummies", Response("binary", "odds_ratio")),
    "modified_poisson": ("glm_dummies", Response("binary", "ratio")),
    "poisson": ("glm_dummies", Response("count", "ratio")),
}
TOLERANCE = {"mantelhaen_exact": 1e-4}
"""`mantelhaen.test` stops its search early; all else agrees to 1e-8."""


def tables(data: str, response: Response) -> dict[str, pd.DataFrame]:
    """Tables of the specification for one file."""
    raw = pd.read_csv(FOLDER / "within" / f"{data}.csv")
    roles = Roles(
        "y",
        "arm",
        "g",
        covariates=("x",) if "x" in raw else (),
        period="t" if "t" in raw else None,
        exposure="exposure" if response.family == "count" else None,
    )
    table = ingest(raw, roles, outcome_kind=response.family).table
    design = make_design(table, roles, response=response)
    sample = Sample(design, table["y"].to_numpy(dtype=float), data, "g", None)
    return fit_tables("dummy", sample)


@pytest.mark.parametrize(("data", "name"), list(VALUES.groupby(["data", "method"]).groups))
def test_coefficients_and_standard_errors_are_those_of_r(data: str, name: str) -> None:
    expected = VALUES[(VALUES["data"] == data) & (VALUES["method"] == name)]
    method, response = ASKED[name]
    result = tables(data, response)
    coefficients = result["coefficients"]
    coefficients = coefficients[coefficients["method"] == method]
    terms = coefficients["term"].str.replace("^t: ", "t", regex=True)
    rows = coefficients.set_index(terms).loc[expected["term"]]
    tolerance = TOLERANCE.get(name, 1e-8)
    assert rows["estimate"].to_numpy() == pytest.approx(expected["estimate"], rel=tolerance)
    if expected["std_error"].notna().all():
        assert rows["std_error"].to_numpy() == pytest.approx(expected["std_error"], rel=tolerance)
    estimates = result["estimates"]
    estimates = estimates[estimates["method"] == method].set_index("contrast")
    ratio = np.exp(expected.set_index("term")["estimate"]["B"])
    assert estimates["estimate"]["B - A"] == pytest.approx(ratio, rel=tolerance)
