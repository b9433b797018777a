"""Leaving each group out gives what lme4, pbkrtest and clubSandwich give for the other groups."""

from __future__ import annotations

import json
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from groupwise.data.ingest import ingest
from groupwise.data.validate import Roles
from groupwise.diagnostics.influence import influence
from groupwise.diagnostics.refit import Dataset
from groupwise.sample import sample_of

HERE = Path(__file__).parent
ROLES: dict[str, dict[str, Any]] = {
    "unbalanced": {"outcome": "y", "treatment": "arm", "group": "clinic", "covariates": ["x"]},
    "blocked": {"outcome": "y", "treatment": "arm", "group": "ward", "block": "site"},
}
REFERENCE = {"unbalanced": "A", "blocked": "usual"}


@cache
def expected() -> dict[str, Any]:
    content: dict[str, Any] = json.loads((HERE / "influence.json").read_text(encoding="utf-8"))
    return content


@cache
def found(name: str) -> pd.DataFrame:
    roles = {"block": None, "covariates": [], "second_group": None} | ROLES[name]
    raw = pd.read_csv(HERE / "data" / f"{name}.csv")
    table = ingest(raw, Roles.from_settings(roles), reference=REFERENCE[name]).table
    settings = {
        "dataset": name,
        "roles": roles,
        "blocks_as": "fixed",
        "random_slopes": "none",
        "rank_deficient": "error",
        "conf_level": 0.95,
    }
    return influence(Dataset(table, settings, partial(sample_of, resampling={})))


@pytest.mark.parametrize("method", ["mixed_kenward_roger", "ols_cr2"])
@pytest.mark.parametrize("name", ROLES)
def test_each_group_left_out(name: str, method: str) -> None:
    ours = found(name)
    ours = ours[ours["method"] == method].set_index(["left_out", "contrast"])
    groups = expected()[name]
    assert set(groups) == set(ours.index.get_level_values("left_out"))
    for label, arms in groups.items():
        for arm, theirs in arms.items():
            row = ours.loc[(label, f"{arm} - {REFERENCE[name]}")]
            assert row["n_obs"] == theirs["n_obs"]
            # lme4's optimiser stops up to 1e-5 short of the optimum; least squares has none.
            close = 2e-5 if method.startswith("mixed") else 1e-7
            for column in ("estimate", "std_error", "df"):
                np.testing.assert_allclose(
                    row[column], theirs[method][column], rtol=close, atol=close, err_msg=label
                )
