"""Power and sample size are those of R (planning.R), of statsmodels, and of a published example."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats
from statsmodels.stats.power import FTestAnovaPower, TTestIndPower

from groupwise.planning import periods
from groupwise.planning.experiments import plan_experiment
from groupwise.planning.layouts import stepped_wedge
from groupwise.planning.noncentral import noncentral_f_sf, two_sided_power
from groupwise.planning.periods import PeriodPlan
from groupwise.planning.plans import Plan, Variation
from groupwise.planning.power import omnibus_power, power
from groupwise.planning.sample_size import groups_needed

REFERENCE: dict[str, Any] = json.loads(
    (Path(__file__).parent / "planning.json").read_text(encoding="utf-8")
)
EXACT = ("group_means", "mixed_satterthwaite", "mixed_kenward_roger")
each_exact = pytest.mark.parametrize("method", EXACT)


@each_exact
@pytest.mark.parametrize("design", ["two_sample", "pairs"])
def test_power_t_test(design: str, method: str) -> None:
    for row in REFERENCE[design]:
        plan = Plan(row["groups"], row["size"], per_block=int(design == "pairs"))
        made = plan_experiment(plan, Variation(10, row["icc"]))
        found = power(made, method, row["effect"], level=row["level"])
        assert_allclose(found, row["power"], rtol=1e-7, err_msg=str(row))


@pytest.mark.parametrize("method", ["ols_cr2", *EXACT[1:]])
def test_power_t_test_within_groups(method: str) -> None:
    for row in REFERENCE["effects_vary"]:
        plan = Plan(row["groups"], 20, kind="within", random_slopes=True)
        made = plan_experiment(plan, Variation(10, 0.3, sd_effect=row["sd_effect"]))
        found = power(made, method, row["effect"])
        assert_allclose(found, row["power"], rtol=1e-6, err_msg=str(row))


@each_exact
def test_power_anova_test(method: str) -> None:
    for row in REFERENCE["anova"]:
        made = plan_experiment(
            Plan(row["groups"], row["size"], (1, 1, 1, 1)), Variation(10, row["icc"])
        )
        effects = row["effect"] * np.array([1, 0.5, -1])
        found = omnibus_power(made, method, effects, level=row["level"])
        assert_allclose(found, row["power"], rtol=1e-7, err_msg=str(row))


def test_groups_needed_are_those_of_power_t_test_rounded_up() -> None:
    for row in REFERENCE["needed"]:
        found = groups_needed(
            Plan(2, row["size"]),
            Variation(10, row["icc"]),
            "group_means",
            row["effect"],
            power=row["power"],
        )
        assert found is not None and found.groups == math.ceil(row["groups"])


def test_noncentral_f() -> None:
    for row in REFERENCE["f"]:
        found = noncentral_f_sf(row["f"], row["q"], row["df"], row["ncp"])
        assert_allclose(found, row["tail"], rtol=1e-8, atol=1e-12, err_msg=str(row))


@pytest.mark.parametrize("groups", [4, 15])
@pytest.mark.parametrize("effect", [0.2, 0.9])
def test_statsmodels(groups: int, effect: float) -> None:
    df = 2 * groups - 2
    wanted = TTestIndPower().power(effect, groups, 0.05)
    found = two_sided_power(effect * np.sqrt(groups / 2), stats.t.isf(0.025, df), df)
    assert_allclose(found, wanted, rtol=1e-9)
    wanted = FTestAnovaPower().power(effect, 3 * groups, 0.05, k_groups=3)
    f = stats.f.isf(0.05, 2, 3 * groups - 3)
    found = noncentral_f_sf(f, 2, 3 * groups - 3, effect**2 * 3 * groups)
    assert_allclose(found, wanted, rtol=1e-9)


def test_published_example() -> None:
    """The example in the manual of R's clusterPower (Kleinman, Sakrejda, Moyer et al.), `cpa.normal`.

    10 members, difference 1, ICC .1, total variance 5: "suggests 16 clusters per condition", with
    which "the power is 0.801766". It leaves out the far tail, which is below 1e-6 here.
    """
    plan, variation = Plan(2, 10), Variation(np.sqrt(5), 0.1)
    found = groups_needed(plan, variation, "mixed_kenward_roger", 1.0)
    assert found is not None and found.groups == 16
    made = plan_experiment(found, variation)
    assert_allclose(power(made, "mixed_kenward_roger", 1.0), 0.801766, atol=2e-6)


def test_published_stepped_wedge_with_cluster_autocorrelation() -> None:
    """The example in the manual of clusterPower, `cpa.sw.normal`: formulas of Hooper et al. (2016).

    50 members in each of 6 periods, difference 1.5, ICC .2, autocorrelation .8, variance 16: "nclusters
    = 1.288772, suggests 2 clusters switching per time point". By the normal, without the far tail, and
    with a root that R's `uniroot` finds to 1e-4.
    """
    plan = PeriodPlan(stepped_wedge(6), np.ones(5, dtype=int), 50, sd=4.0, icc=0.2, cac=0.8)
    quantiles = stats.norm.isf(0.025) + stats.norm.ppf(0.8)
    assert_allclose(quantiles**2 * plan.variance / 1.5**2, 1.288772, atol=1e-4)
    found = periods.groups_needed(plan, 1.5, df=np.inf)
    assert found is not None and found.groups_per_sequence.tolist() == [2] * 5


def test_published_stepped_wedge_of_proportions() -> None:
    """The example in the README of swCRTdesign (Hughes, Hakhu, Voldal and Xia), `swPwr`.

    24 clusters in 4 sequences, 120 members in each of 5 periods, proportions .05 and .035, sd between
    clusters .01: power 0.7861896, by the normal and the variance of the mean proportion.
    """
    within, between = 0.0425 * 0.9575, 0.01**2
    total = within + between
    plan = PeriodPlan(stepped_wedge(5), np.full(4, 6), 120, np.sqrt(total), between / total)
    assert_allclose(plan.power(0.015, df=np.inf), 0.7861896, atol=5e-8)
