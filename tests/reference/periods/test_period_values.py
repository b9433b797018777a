"""Designs in which the treatment goes with time: every method against R (see README.md here)."""

import json
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from groupwise.data.validate import Roles
from groupwise.design import Design
from groupwise.inference import mixed
from groupwise.inference.period_models import by_exposure
from groupwise.intake import take_in
from groupwise.methods import Fits, Request, method_of
from groupwise.sample import Resampling, Sample, sample_of

HERE = Path(__file__).parent
R = json.loads((HERE / "periods.json").read_text())["datasets"]
REQUEST = Request(resampling=Resampling(max_assignments=10**6))
TIGHT, SEARCHED = 1e-9, 2e-6
"""Relative, for closed formulas, and for what ends in a search in R."""


@cache
def sample(name: str) -> Sample:
    d = R[name]["dataset"]
    table = pd.read_csv(HERE / "data" / Path(d["file"]).name)
    named = {"outcome": d["outcome"], "treatment": d["arm"], "group": d["cluster"]}
    named |= {"period": d["period"], "individual": d["person"]}
    covariates = [d["covariate"]] if d["covariate"] else []
    reading = {"reference": d["levels"][0], "missing_codes": []}
    modelling = {"blocks_as": "fixed", "random_slopes": False, "rank_deficient": "error"}
    taken = take_in(
        table,
        Roles.from_settings(named | {"covariates": covariates}),
        conf_level=0.95,
        reading=reading,
        modelling=modelling,
    )
    return sample_of(taken.table, taken.understood | {"dataset": name})


@cache
def fits(name: str) -> Fits:
    return Fits(sample(name).design, sample(name).y[None])


def design(name: str) -> Design:
    return sample(name).design


def rows(name: str, method: str):
    """Inference on every contrast, in the order of R's."""
    asked = method_of(method)
    return asked.infer(fits(name).of(asked), design(name).L, REQUEST).outcome(0)


def of(values: dict, *path: str) -> np.ndarray:
    """One number of R for each contrast."""
    found = []
    for each in values.values():
        for key in path:
            each = each[key]
        found.append(each)
    return np.array(found, dtype=float)


def close(ours: np.ndarray, theirs: np.ndarray, tolerance: float) -> None:
    np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance * 1e-2)


@pytest.mark.parametrize("name", R)
def test_mixed_model(name: str) -> None:
    theirs = R[name]["mixed"]
    assert list(theirs["contrasts"]) == list(design(name).contrast_labels)
    ours = rows(name, "mixed_satterthwaite")
    close(ours.estimate, of(theirs["contrasts"], "estimate"), SEARCHED)
    close(ours.std_error, of(theirs["contrasts"], "std_error"), SEARCHED)
    close(ours.df, of(theirs["contrasts"], "satterthwaite", "df"), SEARCHED)
    ours = rows(name, "mixed_kenward_roger")
    for column in ("std_error", "df", "p_value"):
        close(getattr(ours, column), of(theirs["contrasts"], "kenward_roger", column), SEARCHED)
    close(rows(name, "mixed_profile").p_value, of(theirs["contrasts"], "lrt", "p_value"), SEARCHED)
    d = R[name]["dataset"]
    names = {"group": "cluster", "cell": "cluster:period"}
    names |= {"individual": str(d["person"]), "residual": "Residual"}
    fit = mixed.single(fits(name).of(method_of("mixed_wald")))
    ours_sd = {names[term]: float(value) for term, value in fit.std_dev.items()}
    assert set(ours_sd) == set(theirs["sds"])
    for term, value in theirs["sds"].items():
        assert ours_sd[term] == pytest.approx(value, rel=2e-6, abs=1e-6)


@pytest.mark.parametrize("name", R)
@pytest.mark.parametrize(
    ("method", "key"), [("ols_cr1", "CR1S"), ("ols_cr2", "CR2"), ("ols_cr3", "CR3")]
)
def test_sandwich_by_group(name: str, method: str, key: str) -> None:
    theirs, ours = R[name]["ols"][key]["contrasts"], rows(name, method)
    close(ours.std_error, of(theirs, "std_error"), TIGHT)
    if key == "CR2":
        close(ours.df, of(theirs, "df"), TIGHT)


@pytest.mark.parametrize("name", R)
@pytest.mark.parametrize(
    ("method", "key"),
    [("ols_classical", "ols"), ("dummy", "dummy"), ("group_means", "cell_means")],
)
def test_least_squares(name: str, method: str, key: str) -> None:
    theirs, ours = R[name][key]["contrasts"], rows(name, method)
    for column in ("estimate", "std_error", "p_value"):
        close(getattr(ours, column), of(theirs, column), TIGHT)
    assert (np.broadcast_to(ours.df, len(theirs)) == of(theirs, "df")).all()


@pytest.mark.parametrize("name", R)
def test_decay(name: str) -> None:
    theirs = R[name]["decay"]
    if design(name).n_periods == 2:
        with pytest.raises(ValueError, match="with two periods"):
            rows(name, "mixed_decay")
        return
    ours, fit = rows(name, "mixed_decay"), fits(name).of(method_of("mixed_decay"))
    close(fit.fitted.criterion, theirs["reml_criterion"], TIGHT)
    close(fit.correlation, theirs["r"], SEARCHED)
    close(fit.std_dev["group"], theirs["s_u"], SEARCHED)
    close(fit.std_dev["residual"], theirs["s_e"], SEARCHED)
    close(ours.estimate, of(theirs["contrasts"], "estimate"), SEARCHED)
    close(ours.std_error, of(theirs["contrasts"], "kr_se_first_order"), SEARCHED)
    close(ours.df, of(theirs["contrasts"], "kr_df"), SEARCHED)
    satterthwaite = mixed.satterthwaite(fit.fitted, design(name).L, 0.95).outcome(0)
    close(satterthwaite.std_error, of(theirs["contrasts"], "std_error"), SEARCHED)
    close(satterthwaite.df, of(theirs["contrasts"], "satterthwaite_df"), SEARCHED)


def test_decay_agrees_with_nlme() -> None:
    theirs, fit = R["crossover"]["nlme"], fits("crossover").of(method_of("mixed_decay"))
    ours = mixed.wald(fit.fitted, design("crossover").L, 0.95).outcome(0)
    close(ours.estimate, of(theirs["contrasts"], "estimate"), 1e-5)
    close(ours.std_error, of(theirs["contrasts"], "std_error"), 1e-5)


@pytest.mark.parametrize("name", [name for name in R if R[name]["exposure"]])
def test_exposure_times(name: str) -> None:
    theirs = R[name]["exposure"]["effects"]
    ours, average = rows(name, "mixed_exposure"), theirs["average"]
    close(ours.estimate, [average["estimate"]], SEARCHED)
    close(ours.std_error, [average["kenward_roger"]["std_error"]], SEARCHED)
    close(ours.df, [average["kenward_roger"]["df"]], SEARCHED)
    fit, model = fits(name).of(method_of("mixed_exposure")), by_exposure(design(name))
    times = {k: v for k, v in theirs.items() if k != "average"}
    assert list(model.times) == [int(time) for time in times]
    each = mixed.kenward_roger(fit.fitted, model.each_time, 0.95).outcome(0)
    close(each.estimate, of(times, "estimate"), SEARCHED)
    close(each.std_error, of(times, "kenward_roger", "std_error"), SEARCHED)
    equal, joint = R[name]["exposure"]["all_equal"], model.all_equal(fit.fitted).outcome(0)
    close(joint.statistic, equal["statistic"], SEARCHED)
    close(joint.df_den, equal["df_den"], SEARCHED)
    close(joint.p_value, equal["p_value"], SEARCHED)


@pytest.mark.parametrize("name", R)
def test_periods_left_out(name: str) -> None:
    theirs, ours = R[name]["no_periods"]["contrasts"], rows(name, "mixed_no_periods")
    close(ours.estimate, of(theirs, "estimate"), SEARCHED)
    close(ours.std_error, of(theirs, "kenward_roger", "std_error"), SEARCHED)
    close(ours.df, of(theirs, "kenward_roger", "df"), SEARCHED)


@pytest.mark.parametrize("name", [name for name in R if R[name]["permutation"]])
def test_permutation_by_brute_force(name: str) -> None:
    theirs, ours = R[name]["permutation"], rows(name, "randomization")
    assert ours.p_value[0] == theirs["p_value"]
    close(ours.estimate, [theirs["observed"]["tau"]], TIGHT)
    close(ours.statistic, [theirs["observed"]["t"]], TIGHT)


def test_three_arms_together() -> None:
    for method, path in (
        ("mixed_kenward_roger", ("mixed", "omnibus", "kenward_roger")),
        ("mixed_decay", ("decay", "omnibus", "kr_first_order")),
    ):
        theirs = R["crxo3"]
        for key in path:
            theirs = theirs[key]
        asked = method_of(method)
        joint = asked.joint(fits("crxo3").of(asked), design("crxo3").omnibus, REQUEST).outcome(0)
        close(joint.statistic, theirs["statistic"], SEARCHED)
        close(joint.p_value, theirs["p_value"], SEARCHED)
