"""Each verdict of each check can be reached, and says why."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from experiments import draw, fit_all, sample_of

from groupwise import tidy
from groupwise.diagnostics.checks import CHECKS, run_checks
from groupwise.sample import Sample
from groupwise.witness import agreement


def checks_of(table: pd.DataFrame, **settings: str) -> pd.DataFrame:
    return run_checks("test", tables_of(sample_of(table, **settings))).set_index("check")


def tables_of(sample: Sample) -> dict[str, pd.DataFrame]:
    """The tables of the mixed model, with statsmodels beside it."""
    tables = fit_all(sample, ["mixed"])
    return tables | {"agreement": agreement(sample, tables)}


def good() -> pd.DataFrame:
    return draw(groups=24, sizes=8, sd_group=2, seed=8)


def heavy_tails() -> pd.DataFrame:
    noise = np.random.default_rng(0).standard_t(2, size=192)
    return good().assign(y=lambda t: t["y"] + 5 * noise)


def one_wild_group() -> pd.DataFrame:
    return good().assign(y=lambda t: t["y"] + 60 * (t["g"] == 5))


def wide_arm() -> pd.DataFrame:
    noise = np.random.default_rng(0).normal(size=192)
    return good().assign(y=lambda t: t["y"] + 6 * noise * (t["arm"] == "B"))


def still_arm() -> pd.DataFrame:
    return good().assign(y=lambda t: t["y"].where(t["arm"] != "B", 20.0 + t["g"] % 2))


def no_groups() -> pd.DataFrame:
    table = draw(groups=24, sizes=8, sd_group=0, seed=1)
    return table.assign(y=table["y"] - table.groupby("g")["y"].transform("mean"))


def explained() -> pd.DataFrame:
    return good().assign(y=lambda t: t["arm"].map({"A": 1.0, "B": 2.0, "C": 4.0}))


def singles() -> pd.DataFrame:
    return draw(groups=12, sizes=1)


def few() -> pd.DataFrame:
    return draw(arms=2, groups=4, sizes=[2, 3, 4, 4], sd_group=3, seed=2)


CASES: list[tuple[Callable[[], pd.DataFrame], str, str, str]] = [
    (good, "convergence", "ok", "statsmodels agrees within"),
    (no_groups, "convergence", "look", "the boundary of its range"),
    (explained, "convergence", "problem", "explain the outcome completely"),
    (singles, "convergence", "problem", "Every group has one member"),
    (good, "group_variance", "ok", "they cannot be ignored"),
    (no_groups, "group_variance", "ok", "do not show that groups differ"),
    (explained, "group_variance", "unknown", "could not be fitted"),
    (good, "normal_residuals", "ok", "near enough to normal"),
    (heavy_tails, "normal_residuals", "look", "see the QQ plot"),
    (few, "normal_residuals", "unknown", "Too few residuals"),
    (good, "normal_group_effects", "ok", "24 predicted group effects look normal"),
    (one_wild_group, "normal_group_effects", "look", "do not look normal"),
    (no_groups, "normal_group_effects", "unknown", "no group effects"),
    (explained, "normal_group_effects", "unknown", "no group effects"),
    (good, "equal_spread", "ok", "times the smallest"),
    (wide_arm, "equal_spread", "look", "largest in 'B'"),
    (still_arm, "equal_spread", "look", "'B'"),
    (explained, "equal_spread", "unknown", "could not be fitted"),
    (good, "outlying_groups", "ok", "within what chance gives"),
    (one_wild_group, "outlying_groups", "look", "g 5,"),
    (no_groups, "outlying_groups", "unknown", "no group effects"),
]


@pytest.mark.parametrize(
    ("table", "check", "verdict", "words"),
    CASES,
    ids=[f"{check}-{verdict}-{table.__name__}" for table, check, verdict, _ in CASES],
)
def test_verdict(table: Callable[[], pd.DataFrame], check: str, verdict: str, words: str) -> None:
    row = checks_of(table()).loc[check]
    assert row["verdict"] == verdict, row["message"]
    assert words in row["message"] and row["message"].endswith(".")


def test_every_check_has_one_row_of_the_schema() -> None:
    found = run_checks("test", tables_of(sample_of(good())))
    assert list(found["check"]) == list(CHECKS)
    assert list(found.columns) == list(tidy.TABLES["diagnostics"])
    assert {verdict for _, _, verdict, _ in CASES} == {"ok", "look", "problem", "unknown"}


@pytest.mark.parametrize("kind", ["within", "mixed"])
def test_group_effects_are_checked_also_where_treatment_varies_in_groups(kind: str) -> None:
    found = checks_of(draw(kind, groups=24, sizes=8, sd_group=2))
    assert found.loc[["normal_group_effects", "outlying_groups"], "verdict"].ne("unknown").all()


def test_groups_are_checked_not_the_random_blocks_that_hold_them() -> None:
    found = checks_of(draw("blocked", groups=24, sizes=8, sd_group=2), blocks_as="random")
    assert "24 predicted group effects" in found.loc["normal_group_effects", "message"]
    assert "unusual is g " in found.loc["outlying_groups", "message"]


def test_likelihood_ratio_of_the_boundary_has_p_value_one() -> None:
    row = checks_of(no_groups()).loc["group_variance"]
    assert (row["statistic"], row["p_value"]) == (pytest.approx(0, abs=1e-6), 1.0)


def test_checks_of_a_sample_say_so() -> None:
    tables = tables_of(sample_of(good()))
    n = len(tables["residuals"])
    tables["residuals"] = tables["residuals"].iloc[: n // 2]
    found = run_checks("test", tables).set_index("check")["message"]
    said = f"From a sample of {n // 2:,} of {n:,} residuals."
    assert found["normal_residuals"].endswith(said) and found["equal_spread"].endswith(said)
    assert not found["convergence"].endswith(said)
