"""The examples' reports show what lmerTest, pbkrtest, clubSandwich and lm give (inference.R)."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
from experiments import fit_all, only
from shipped_examples import sample

HERE = Path(__file__).parent
ROW = ["estimate", "std_error", "df", "p_value", "conf_low", "conf_high"]
OPTIMUM, NUMERICAL, CLOSED_FORM = 1e-6, 1e-4, 1e-9


class Case(NamedTuple):
    """A method of an example, and the keys of R's answer."""

    example: str
    specification: str
    method: str
    keys: tuple[str, ...]
    rtol: float = OPTIMUM


CASES = [
    Case("machines", "mixed", "mixed_kenward_roger", ("mixed", "slopes", "kenward_roger")),
    Case(
        "machines", "mixed", "mixed_satterthwaite", ("mixed", "slopes", "satterthwaite"), NUMERICAL
    ),
    Case("machines", "pooled", "ols_cr2", ("sandwich", "plain", "CR2"), CLOSED_FORM),
    Case("oats", "mixed", "mixed_kenward_roger", ("mixed", "split_plot", "kenward_roger")),
    Case(
        "oats", "mixed", "mixed_satterthwaite", ("mixed", "split_plot", "satterthwaite"), NUMERICAL
    ),
    Case("kiwi_shading", "mixed", "mixed_kenward_roger", ("mixed", "blocked", "kenward_roger")),
    Case(
        *("kiwi_shading", "mixed", "mixed_satterthwaite"),
        ("mixed", "blocked", "satterthwaite"),
        NUMERICAL,
    ),
    Case("kiwi_shading", "pooled", "ols_cr2", ("sandwich", "blocked", "CR2"), CLOSED_FORM),
    Case(
        *("kiwi_shading", "group_means", "group_means"),
        ("group_means", "unweighted"),
        CLOSED_FORM,
    ),
    Case(
        *("speeding_signs", "mixed", "mixed_kenward_roger"),
        ("mixed", "period_paired", "kenward_roger"),
    ),
    Case(
        *("speeding_signs", "mixed", "mixed_satterthwaite"),
        ("mixed", "period_paired", "satterthwaite"),
        NUMERICAL,
    ),
    Case("speeding_signs", "pooled", "ols_cr2", ("sandwich", "period_paired", "CR2"), CLOSED_FORM),
    Case("inhaler_leaflets", "mixed", "mixed_kenward_roger", ("mixed", "period", "kenward_roger")),
    Case(
        *("inhaler_leaflets", "mixed", "mixed_satterthwaite"),
        ("mixed", "period", "satterthwaite"),
        NUMERICAL,
    ),
    Case("inhaler_leaflets", "pooled", "ols_cr2", ("sandwich", "period", "CR2"), CLOSED_FORM),
]


@cache
def tables(example: str, specification: str) -> dict[str, pd.DataFrame]:
    return fit_all(sample(example), [specification])


@cache
def reference(example: str) -> dict[str, Any]:
    path = HERE / "inference" / f"{example}.json"
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.example}-{case.method}")
def test_comparisons_of_arms_are_rs(case: Case) -> None:
    answers: Any = reference(case.example)
    for key in case.keys:
        answers = answers[key]
    expected = pd.DataFrame(answers["contrasts"]).set_index("contrast")[ROW]
    rows = only(tables(case.example, case.specification)["estimates"], method=case.method)
    found = rows.set_index("contrast")[ROW]
    assert list(found.index) == list(expected.index)
    size = np.maximum(np.abs(expected.to_numpy()), expected[["std_error"]].to_numpy())
    size[:, ROW.index("p_value")] = expected["p_value"]
    gap = np.abs(found.to_numpy() - expected.to_numpy()) / size
    assert gap.max() <= 10 * case.rtol


def test_machines_are_known_as_well_as_six_workers_let_them_be() -> None:
    """54 runs, but 5 degrees of freedom: with one effect for all workers they would be 46."""
    slopes = only(tables("machines", "mixed")["estimates"], method="mixed_kenward_roger")
    one_effect = reference("machines")["mixed"]["group"]["kenward_roger"]["contrasts"]
    assert slopes["df"].round(6).tolist() == [5, 5, 5]
    assert [round(row["df"], 6) for row in one_effect] == [46, 46, 46]
    assert slopes["p_value"].iloc[2] > 0.05 > 0.001 > one_effect[2]["p_value"]


def test_eight_assignments_of_a_pair_of_seasons_cannot_be_significant() -> None:
    rows = only(tables("kiwi_shading", "randomization")["estimates"], method="randomization")
    assert (rows["p_value"] >= 0.25).all()
    assert np.isinf(rows[["conf_low", "conf_high"]]).all().all()
    omnibus = only(tables("kiwi_shading", "randomization")["omnibus"], method="randomization")
    assert omnibus["p_value"].iloc[0] < 0.05
