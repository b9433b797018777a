"""Regressions of events give what glm, clubSandwich, geepack and lm give (events/glm.R).

R's glm has its covariance from the step before the last, so standard errors agree to 1e-7 or so.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from experiments import answers_by, sample_of_events

from groupwise.methods import Fits, method_of
from groupwise.sample import Sample
from groupwise.tidy import Answers

HERE = Path(__file__).parent / "events"
VALUES = pd.read_csv(HERE / "glm.csv")
TIGHT, LAST_STEP = 1e-9, 1e-7

CORRECTIONS = {
    "gee_mancl_derouen": "MD",
    "gee_kauermann_carroll": "KC",
    "gee_fay_graubard": "FG",
}
SANDWICHES = {"glm_cr1": "CR1S", "glm_cr2": "CR2", "glm_cr3": "CR3"}


def cases(statistic: str) -> list[tuple[str, str]]:
    """Datasets and scales for which there are values."""
    some = VALUES[VALUES.statistic == statistic]
    return list(some[["dataset", "scale"]].drop_duplicates().itertuples(index=False, name=None))


def value(dataset: str, scale: str, statistic: str) -> np.ndarray:
    some = VALUES[(VALUES.dataset == dataset) & (VALUES.scale == scale)]
    values = some.value[some.statistic == statistic].to_numpy()
    assert len(values)
    return np.asarray(values)


@cache
def sample(dataset: str, scale: str) -> Sample:
    table = pd.read_csv(HERE / "glm" / f"{dataset}.csv")
    family = VALUES.family[VALUES.dataset == dataset].iloc[0]
    return sample_of_events(table, family, scale, group="group", block="block", outcome="y")


def answers(method: str, dataset: str, scale: str) -> Answers:
    design = sample(dataset, scale)
    return answers_by(method, design.design, design.y)


def close(values: np.ndarray, expected: np.ndarray, tolerance: float) -> None:
    np.testing.assert_allclose(values, expected, rtol=tolerance, atol=1e-12)


@pytest.mark.parametrize(("dataset", "scale"), cases("estimate"))
def test_pooled_regression(dataset: str, scale: str) -> None:
    rows = answers("glm_wald", dataset, scale).coefficients
    close(rows.estimate, value(dataset, scale, "estimate"), TIGHT)
    close(rows.std_error, value(dataset, scale, "se"), LAST_STEP)
    assert np.isinf(rows.df).all()


@pytest.mark.parametrize("method", SANDWICHES)
@pytest.mark.parametrize(("dataset", "scale"), cases("estimate"))
def test_sandwiches(dataset: str, scale: str, method: str) -> None:
    kind, result = SANDWICHES[method], answers(method, dataset, scale)
    rows, omnibus = result.coefficients, result.omnibus
    close(rows.estimate, value(dataset, scale, "estimate"), TIGHT)
    close(rows.std_error, value(dataset, scale, f"se_{kind}"), LAST_STEP)
    close(omnibus.statistic, value(dataset, scale, f"omnibus_F_{kind}")[0], LAST_STEP)
    groups = sample(dataset, scale).design.n_groups
    df = value(dataset, scale, "df_CR2") if kind == "CR2" else np.full(len(rows.df), groups - 1)
    df_omnibus = value(dataset, scale, "omnibus_df_CR2")[0] if kind == "CR2" else groups - 1
    close(rows.df, df, LAST_STEP)
    close(omnibus.df_den, df_omnibus, LAST_STEP)


@pytest.mark.parametrize("method", CORRECTIONS)
@pytest.mark.parametrize(("dataset", "scale"), cases("gee_estimate"))
def test_estimating_equations(dataset: str, scale: str, method: str) -> None:
    case = sample(dataset, scale)
    rows = answers(method, dataset, scale).coefficients
    close(rows.estimate, value(dataset, scale, "gee_estimate"), TIGHT)
    close(rows.std_error, value(dataset, scale, f"se_{CORRECTIONS[method]}"), TIGHT)
    close(rows.df, np.full(len(rows.df), case.design.n_groups - len(rows.df)), TIGHT)
    fit = Fits(case.design, case.y[None]).of(method_of(method))
    close(fit.correlation, value(dataset, scale, "gee_alpha"), TIGHT)


@pytest.mark.parametrize(("dataset", "scale"), cases("logs_estimate"))
def test_logarithms_of_groups(dataset: str, scale: str) -> None:
    case = sample(dataset, scale)
    rows = answers("group_logs", dataset, scale).coefficients
    close(rows.estimate, value(dataset, scale, "logs_estimate"), TIGHT)
    close(rows.std_error, value(dataset, scale, "logs_se"), TIGHT)
    close(rows.df, np.full(len(rows.df), value(dataset, scale, "logs_df")[0]), TIGHT)
    fit = Fits(case.design, case.y[None]).of(method_of("group_logs"))
    close(fit.added, value(dataset, scale, "logs_added"), TIGHT)
