"""P-values of several outcomes are adjusted together, method by method."""

from __future__ import annotations

import numpy as np
import pandas as pd
from adjust_families import run, text
from experiments import draw, fit_all, only, sample_of
from job import csv_text
from numpy.testing import assert_allclose

from groupwise import tidy
from groupwise.catalogue.methods import NAMES

FAMILIES = {"a": "one", "b": "one", "c": "other"}


def estimates() -> pd.DataFrame:
    parts = [
        fit_all(sample_of(draw(seed=seed), dataset=name), ["pooled", "dummy"])["estimates"]
        for seed, name in enumerate(FAMILIES)
    ]
    return tidy.concat("estimates", parts)


def test_holm_over_every_contrast_of_the_datasets_of_a_family() -> None:
    found = run(estimates(), FAMILIES, NAMES)
    rows = only(found, family="one", method="ols_classical")
    assert set(rows["dataset"]) == {"a", "b"} and (rows["n_tests"] == 6).all()
    p = np.sort(rows["p_value"])
    stepped = np.minimum(np.maximum.accumulate(p * np.arange(6, 0, -1)), 1)
    assert_allclose(np.sort(rows["p_holm"]), stepped)
    alone = only(found, family="other", method="ols_classical")
    assert (alone["n_tests"] == 3).all()


def test_what_a_method_does_not_answer_is_not_counted() -> None:
    rows = only(run(estimates(), FAMILIES, NAMES), method="dummy")
    assert rows["p_holm"].isna().all() and (rows["n_tests"] == 0).all()


def test_without_families_the_table_is_empty() -> None:
    found = run(tidy.concat("estimates", []), {}, NAMES)
    assert found.empty and list(found) == list(tidy.TABLES["families"])


def test_without_families_there_is_a_header_alone() -> None:
    assert text({}, [], []) == csv_text(tidy.table("families", []))
