"""What is simulated for a dataset: shares of it add up, and there is no more of it than allowed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from groupwise.catalogue.methods import NAMES, costs
from groupwise.data.errors import InputError
from groupwise.data.validate import Roles
from groupwise.design import make_design
from groupwise.simulation.estimation import estimate_process
from groupwise.simulation.gathering import gathered
from groupwise.simulation.grid import between_design
from groupwise.simulation.measures import measures
from groupwise.simulation.options import LEAST_REPLICATES, NotSimulated, Options
from groupwise.simulation.processes import EstimatedProcess, outline
from groupwise.simulation.rates import Criterion
from groupwise.simulation.sequential import Tally, count, settled
from groupwise.simulation.sums import gather, totals
from groupwise.simulation.workload import SEARCHED, Workload, dataset_workload, searches

DESIGN = between_design(3, 4, 6)
Y = np.random.default_rng(5).normal(size=4)[DESIGN.group % 4] + np.random.default_rng(6).normal(
    size=DESIGN.n_obs
)
FEW = Options(replicates=1100, slow_replicates=3, draws=19, departures=("skewed_groups",))


PROCESS = estimate_process(DESIGN, Y)


def work(options: Options) -> Workload:
    """What is simulated for the design and its outcomes."""
    return dataset_workload(DESIGN, PROCESS, options, methods=costs())


@pytest.fixture(scope="module")
def whole() -> pd.DataFrame:
    return work(FEW).run_share(1, 1)


@pytest.mark.parametrize("chunks", [2, 7])
def test_shares_of_any_number_of_jobs_are_the_whole(whole: pd.DataFrame, chunks: int) -> None:
    workload = work(FEW)
    parts = [workload.run_share(chunk, chunks) for chunk in range(chunks, 0, -1)]
    pd.testing.assert_frame_equal(gather(parts), whole, check_exact=True)
    settings = [scenario.setting for scenario in workload.scenarios]
    tables = [measures(sums, settings, methods=NAMES) for sums in (gather(parts), whole)]
    pd.testing.assert_frame_equal(*tables, check_exact=True)


def test_every_method_has_a_width_and_says_of_how_many_replicates(whole: pd.DataFrame) -> None:
    """A search, or every draw of a bootstrap, is for the first replicates without an effect."""
    answered = whole[(whole["failed"] < whole["n"]) & whole["scenario"].str.startswith("null")]
    sums = answered.groupby(["scenario", "method", "contrast"])[["n", "known_width"]].sum()
    assert (sums["known_width"] > 0).all()
    searching = ["mixed_bootstrap", "ols_wild_bootstrap", "randomization"]
    workload = work(replace(FEW, slow_replicates=SEARCHED + 10))
    few = replace(workload, methods=costs(searching)).run(*workload.tasks()[0])
    assert (few["n"] == SEARCHED + 10).all() and few["known_width"].between(1, SEARCHED).all()


@pytest.mark.parametrize(("numbers", "searched"), [(13, 40), (400, 20), (2892, 5)])
def test_intervals_are_searched_less_often_in_large_designs(numbers: int, searched: int) -> None:
    assert isinstance(PROCESS, EstimatedProcess)
    assert searches(replace(PROCESS, numbers=dict.fromkeys(NUMBERS, numbers))) == searched


def test_more_jobs_than_tasks_leave_some_without_work() -> None:
    workload = work(FEW)
    n = len(workload.tasks())
    assert workload.share(n + 1, n + 1) == [] and workload.run_share(n + 1, n + 1).empty
    with pytest.raises(ValueError, match="no chunk 3 of 2"):
        workload.share(3, 2)


def test_scenarios_do_not_depend_on_one_another(whole: pd.DataFrame) -> None:
    """One more intraclass correlation, and the numbers of the others stay."""
    more = work(replace(FEW, iccs=(0.77,)))
    table = more.run_share(1, 1)
    kept = table[table["scenario"].isin(whole["scenario"])].reset_index(drop=True)
    assert set(table["scenario"]) - set(whole["scenario"]) == {
        "null, icc 0.770",
        "effect, icc 0.770",
    }
    pd.testing.assert_frame_equal(kept, whole, check_exact=True)


def test_more_replicates_keep_the_first_blocks(whole: pd.DataFrame) -> None:
    more = work(replace(FEW, replicates=1500))
    table = more.run_share(1, 1)
    for number in (0, 1):
        same = [each[each["block"] == number].reset_index(drop=True) for each in (table, whole)]
        pd.testing.assert_frame_equal(*same, check_exact=True)


def test_scenarios_are_those_of_the_issue() -> None:
    workload, found = work(FEW), PROCESS
    iccs = {each.icc for each in workload.scenarios}
    wanted = {0.0, found.icc, found.icc_low, min(found.icc_high, 0.95)}
    assert iccs == {round(each, 3) for each in wanted}
    for icc in iccs:
        effects = [each.effects for each in workload.scenarios if each.icc == icc]
        assert any(each.any() for each in effects) and not all(each.any() for each in effects)
    effects = workload.scenarios[1].effects
    np.testing.assert_allclose(effects, 2.8 * found.std_error[-1] * np.array([0, 0.5, 1]))


def test_assumed_effects_take_the_place_of_the_estimated_ones() -> None:
    workload = work(replace(FEW, effects={"C": 3.0}))
    assert workload.scenarios[1].truth_of("ols_cr2").tolist() == [0.0, 3.0, 3.0]


def test_effect_of_no_arm_is_refused() -> None:
    with pytest.raises(InputError, match="assumed_effects: 'D' is not an arm; there are: A, B, C"):
        work(replace(FEW, effects={"D": 3.0}))


NUMBERS = PROCESS.numbers if isinstance(PROCESS, EstimatedProcess) else {}
"""Of an outcome: of 72 individuals 12 sums of groups and what is left; groups are alike by arm."""


def test_an_outcome_has_as_few_numbers_as_methods_need() -> None:
    assert NUMBERS == {"individuals": 72, "groups": 13, "kinds": 7}


@pytest.mark.parametrize(
    ("most", "replicates", "slow"), [(10**6, 1100, 3), (7 * 300, 300, 3), (7 * 10, 0, 0)]
)
def test_replicates_are_rationed(most: int, replicates: int, slow: int) -> None:
    options = replace(FEW, most_outcomes=most)
    if not replicates:
        with pytest.raises(NotSimulated, match=f"{LEAST_REPLICATES} replicates of 7 numbers each"):
            work(options)
        return
    budget = work(options).budgets[0]
    assert (budget.most.fast, budget.most.slow) == (replicates, slow)


def test_slow_methods_are_rationed_first() -> None:
    options = replace(FEW, slow_replicates=1000, most_outcomes=13 * 2000)
    budget = work(options).budgets[0]
    assert (budget.most.fast, budget.most.slow) == (1100, 200)


def test_methods_that_draw_go_on_where_that_is_cheap() -> None:
    few, many = (Options().budget(numbers, numbers).most for numbers in (20, 2892))
    assert (few.fast, few.slow, few.slowest) == (10_000, 6000, 1000)
    assert (many.fast, many.slow, many.slowest) == (10_000, 1034, 1000)


def test_departures_without_room_are_left_out() -> None:
    """Effects of groups that are not normal are drawn group by group."""
    options = replace(FEW, most_outcomes=13 * 90, departures=("skewed_groups", "unequal_variance"))
    plan = outline(PROCESS, options, arms=DESIGN.arm_labels)
    assert plan.left_out == ("skewed_groups",)
    assert [each.dgp for each in plan.cases][-1] == "unequal_variance"


def test_replicates_end_when_every_rate_is_settled() -> None:
    """Without an effect; with one there are as many as power is worth."""
    workload = work(replace(FEW, replicates=4000, departures=()))
    sums = totals(workload.run_share(1, 1))
    n = sums.pivot_table("n", "scenario", "method")
    assert n.max(axis=None) <= 4000 and n["ols_classical"].min() == 1000
    for scenario, rows in sums[sums["scenario"].str.startswith("null")].groupby("scenario"):
        for method, counts in rows.groupby("method"):
            stopped = counts["n"].iloc[0]
            tally: Tally = {}
            count(tally, counts, 0.05)
            done = settled(tally[method], Criterion(), workload.rates[0])
            assert done or stopped in (4000, 3), (scenario, method)
    middle = f"effect, icc {PROCESS.icc:.3f}"
    assert (n.loc[[name for name in n.index if name.startswith("effect")], "ols_cr2"] >= 1000).all()
    assert n.loc[middle, "ols_cr2"] == 2000


@pytest.mark.parametrize(("slopes", "kenward_roger", "profile"), [(False, 30, 30), (True, 9, 9)])
def test_mixed_models_that_are_fitted_one_by_one_are_rationed(
    slopes: bool, kenward_roger: int, profile: int
) -> None:
    table = pd.DataFrame({"group": np.repeat(np.arange(6), 6), "arm": np.tile(np.arange(2), 18)})
    table["arm"] = pd.Categorical.from_codes(table["arm"], ["A", "B"])
    design = make_design(table, Roles("y", "arm", "group", None, ()), random_slopes=slopes)
    rng = np.random.default_rng(1)
    y = rng.normal(size=36) + rng.normal(size=6)[design.group]
    options = Options(replicates=30, slow_replicates=9, draws=19)
    workload = dataset_workload(design, estimate_process(design, y), options, methods=costs())
    asked = workload.run(*workload.tasks()[0]).groupby("method")["n"].first()
    assert asked["ols_cr2"] == 30 and asked["mixed_kenward_roger"] == kenward_roger
    assert asked["mixed_profile"] == profile
    assert asked["mixed_bootstrap"] == (profile if slopes else 9)


def test_nothing_is_simulated_where_nothing_is_asked_for() -> None:
    with pytest.raises(NotSimulated, match=r"calibration\.replicates"):
        work(replace(FEW, replicates=0))


def test_nothing_is_judged_where_no_method_that_was_asked_is_simulated() -> None:
    understood = {
        "n_obs": 72,
        "n_groups": 12,
        "arms": list(DESIGN.arm_labels),
        "contrasts": list(DESIGN.contrast_labels),
    }
    options = replace(FEW, slow_replicates=0)
    asked = dataset_workload(DESIGN, PROCESS, options, methods=costs(["randomization"]))
    parts = [asked.run_share(1, 1)]
    for methods, simulated in ((["randomization"], False), (["ols_cr2"], True)):
        parts = parts if not simulated else [work(options).run(0, None)]
        table, overview = gathered(
            understood, PROCESS, options, "detectable", parts, methods=methods
        )
        assert overview["simulated"] is simulated and table.empty is not simulated
        assert simulated or "calibration.slow_replicates" in overview["message"]
