"""Random slopes and a second grouping, from a table to every results table."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import pytest
from experiments import ROOT, draw, fit_all, only, sample_of

from groupwise import tidy, witness
from groupwise.data.validate import Roles
from groupwise.diagnostics.checks import run_checks
from groupwise.sample import Resampling, Sample
from groupwise.witness import agreement

FEW = Resampling(bootstrap_draws=199)
METHODS = ("mixed_satterthwaite", "mixed_kenward_roger", "mixed_profile", "mixed_bootstrap")


def varying(*, arms: int = 2, sd: float = 2.0, groups: int = 10, seed: int = 5) -> pd.DataFrame:
    """Effects of the treatment that vary from group to group."""
    table = draw("within", arms=arms, groups=groups, sizes=12, sd_group=2, seed=seed)
    slope = sd * np.random.default_rng(seed).normal(size=(groups, arms))
    return table.assign(
        y=table["y"] + slope[table["g"] - 1, pd.factorize(table["arm"], sort=True)[0]]
    )


def sample(table: pd.DataFrame, roles: Roles | None = None, **settings: str | bool) -> Sample:
    return replace(sample_of(table, roles, **settings), resampling=FEW)  # type: ignore[arg-type]


@cache
def slopes(arms: int = 2, kind: str = "unstructured") -> dict[str, pd.DataFrame]:
    return fit_all(sample(varying(arms=arms), random_slopes=kind), ["mixed"])


@pytest.mark.parametrize("kind", ["unstructured", "diagonal"])
@pytest.mark.parametrize("arms", [2, 3])
def test_every_table_is_filled(arms: int, kind: str) -> None:
    tables = slopes(arms, kind)
    effects = ["Intercept", *"BC"[: arms - 1]]
    rows = tables["estimates"]
    assert rows["converged"].all() and rows[["estimate", "conf_low", "conf_high"]].notna().all(
        axis=None
    )
    components = only(tables["variance_components"], estimator="reml")
    assert list(components["term"]) == [*effects, ""]
    assert (components["conf_low"] <= components["std_dev"]).all()
    assert (components["std_dev"] < components["conf_high"]).all()
    assert components["icc"].isna().all() and components["message"].str.contains("no one ICC").all()
    predicted = tables["random_effects"]
    assert list(predicted["term"].unique()) == effects and len(predicted) == 10 * arms
    assert predicted[["estimate", "std_error", "raw"]].notna().all(axis=None)
    # Shrunken predictions go with what was seen.
    for _, part in predicted.groupby("term"):
        assert np.corrcoef(part["estimate"], part["raw"])[0, 1] > 0.8
    statistics = tables["fit_statistics"].set_index("statistic")["value"]
    assert ("correlation: Intercept, B" in statistics) == (kind == "unstructured")
    assert statistics["group_variance_p_bootstrap"] <= 0.01


def test_statsmodels_is_the_witness_of_slopes() -> None:
    beside = agreement(sample(varying(), random_slopes=True), slopes())
    assert list(beside["quantity"]) == [
        "B - A",
        "sd of group",
        "sd of group: B",
        "sd of residual",
    ]
    assert not beside["alarm"].any() and beside["difference"].max() < 1e-4
    assert not beside["message"].any()


def test_slopes_widen_intervals_of_the_treatment() -> None:
    without = fit_all(sample(varying()), ["mixed"])
    for method in METHODS:
        wide, narrow = (only(t["estimates"], method=method) for t in (slopes(), without))
        assert (
            wide["conf_high"] - wide["conf_low"] > narrow["conf_high"] - narrow["conf_low"]
        ).all()
    df = only(slopes()["estimates"], method="mixed_kenward_roger")["df"]
    assert df.between(8, 10).all()  # it counts the ten groups


def test_a_fit_that_statsmodels_does_not_find_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise np.linalg.LinAlgError("Singular matrix")

    monkeypatch.setattr(witness.MixedLM, "fit", fail)
    beside = agreement(sample(varying(), random_slopes=True), slopes())
    assert beside["message"].str.contains("statsmodels met a singular matrix").all()
    assert not beside["alarm"].any()


def test_statsmodels_is_not_asked_for_slopes_beside_random_blocks() -> None:
    table = varying(groups=12).assign(b=lambda t: "site " + (t["g"] % 4).astype(str))
    one = sample(table, Roles("y", "arm", "g", "b"), blocks_as="random", random_slopes=True)
    tables = fit_all(one, ["mixed"])
    wald = only(tables["estimates"], method="mixed_wald")
    assert wald["converged"].all()
    tables["agreement"] = agreement(one, tables)
    assert tables["agreement"].empty
    groups = only(tables["variance_components"], estimator="reml")["group"]
    assert list(groups) == ["g", "g", "b", "Residual"]
    checks = run_checks("test", tables).set_index("check")
    assert (checks["verdict"] != "unknown").all()
    assert "12 predicted group effects" in checks.loc["normal_group_effects", "message"]


def test_a_second_grouping_is_a_term_of_its_own() -> None:
    rng = np.random.default_rng(1)
    table = draw(groups=12, sizes=10, sd_group=2, seed=3)
    table["rater"] = np.array(list("pqrstu"))[rng.integers(0, 6, len(table))]
    table["y"] += 2 * rng.normal(size=6)[pd.factorize(table["rater"], sort=True)[0]]
    roles = Roles("y", "arm", "g", second_group="rater")
    tables = fit_all(sample(table, roles), ["mixed"])
    components = only(tables["variance_components"], estimator="reml").set_index("group")
    assert list(components.index) == ["g", "rater", "g + rater", "Residual"]
    parts = components.loc[["g", "rater"], "icc"].sum()
    assert parts == pytest.approx(components.loc["g + rater", "icc"])
    assert parts + components.loc["Residual", "icc"] == pytest.approx(1)
    together = components.loc["g + rater"]
    assert together["icc_low"] < together["icc"] < together["icc_high"]
    assert list(tables["random_effects"]["group"].unique()) == ["g", "rater"]
    assert only(tables["estimates"], method="mixed_bootstrap")["converged"].all()


def test_one_member_of_each_arm_leaves_nothing_for_the_residual() -> None:
    table = draw("within", arms=3, groups=8, sizes=3)
    rows = fit_all(sample(table, random_slopes=True), ["mixed"])["estimates"]
    assert not rows["converged"].any() and rows["estimate"].isna().all()
    assert rows["message"].str.contains("cannot be told apart from the residual").all()


def test_machines_has_the_variances_of_lme4() -> None:
    """nlme's Machines: every worker on every machine, three times."""
    table = pd.read_csv(ROOT / "data" / "raw" / "machines.csv")
    roles = Roles("score", "machine", "worker")
    tables = fit_all(sample(table, roles, random_slopes=True), ["mixed"])
    components = only(tables["variance_components"], estimator="reml").set_index("term")
    expected = {"Intercept": 4.07928, "B": 5.87763, "C": 3.68985, "": 0.96158}
    for term, sd in expected.items():
        assert components.loc[term, "std_dev"] == pytest.approx(sd, rel=1e-4)
    statistics = tables["fit_statistics"].set_index("statistic")["value"]
    assert statistics["correlation: Intercept, B"] == pytest.approx(0.48398, abs=2e-5)


def test_the_variance_table_has_reml_first() -> None:
    components = slopes()["variance_components"]
    assert list(components["estimator"].unique()) == ["reml", "ml"]
    assert list(components.columns) == list(tidy.TABLES["variance_components"])
