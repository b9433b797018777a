"""The general study is the same however it is cut, and is what simulating and analysing gives."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from experiments import analyse

from groupwise.catalogue.methods import NAMES, costs
from groupwise.methods import concerning
from groupwise.rows import KINDS
from groupwise.simulation.grid import (
    LECTURE,
    Grid,
    example_cell,
    group_sizes,
    study_axes,
    study_workload,
)
from groupwise.simulation.measures import measures
from groupwise.simulation.scenarios import outcomes
from groupwise.simulation.sums import gather
from groupwise.simulation.workload import Workload
from groupwise.verdict.rules import Rules
from groupwise.verdict.study_rates import study_rates

SMALL = Grid(groups_per_arm=(3, 5), group_size=(4,), icc=(0.0, 0.2), imbalance=(0.6,))
LECTURE_ONLY = Grid(groups_per_arm=(5,), group_size=(25,), icc=(0.2,), imbalance=(0.0,))


def workload(grid: Grid, replicates: int = 600) -> Workload:
    amounts = {"replicates": replicates, "slow_replicates": 5, "draws": 99, "seed": 3}
    return study_workload(grid, **amounts, methods=costs())


@pytest.mark.parametrize("chunks", [2, 5, 40])
def test_shares_gather_to_what_one_job_gives(chunks: int) -> None:
    work = workload(SMALL)
    whole = work.run_share(1, 1)
    shares = [work.run_share(chunk, chunks) for chunk in range(chunks, 0, -1)]
    pd.testing.assert_frame_equal(gather(shares), whole, check_exact=True)


def test_a_design_is_the_same_in_any_grid() -> None:
    """Its random numbers belong to its name: other designs can be added later."""
    alone = workload(Grid(groups_per_arm=(5,), group_size=(4,), icc=(0.2,), imbalance=(0.6,)))
    among = workload(SMALL).run_share(1, 1)
    own = alone.run_share(1, 1)
    part = among[among["scenario"].isin(set(own["scenario"]))].reset_index(drop=True)
    pd.testing.assert_frame_equal(part, own, check_exact=True)


def test_the_lectures_cell_is_what_simulating_and_analysing_gives() -> None:
    work, axes = workload(LECTURE_ONLY, replicates=500), study_axes(LECTURE_ONLY)
    settings = [scenario.setting for scenario in work.scenarios]
    table = measures(work.run_share(1, 1), settings, methods=NAMES)
    found = study_rates(table, axes, Rules()).set_index(["effect", "method"])
    for scenario in work.scenarios:
        drawn = outcomes(scenario, 0, 500, groups=5)
        y = np.concatenate([each.y[KINDS] for each in drawn])
        design = scenario.forms.design[KINDS]
        fast = concerning(design, [name for name, (cost, _) in costs().items() if cost == "fast"])
        answers = analyse(design, y, methods=fast, effects=scenario.effects, request=work.request)
        effect = float(scenario.effects.max())
        for method, each in answers.items():
            if method == "dummy":
                continue
            rejected = each.inference.p_value < 0.05
            rate = rejected.mean() if effect == 0 else rejected[:, 1].mean()
            row = found.loc[(effect, method)]
            assert row["rate"] == pytest.approx(rate, abs=1e-12), method
            assert row["mcse"] == pytest.approx(np.sqrt(rate * (1 - rate) / 500)), method
            assert row["n_replicates"] == 500 and row["n_failed"] == 0
    assert found.loc[(0.0, "ols_wild_bootstrap"), "n_replicates"] == 5
    assert found.loc[(0.0, "dummy"), "judgement"] == "no answer"
    assert found.loc[(0.0, "ols_classical"), "judgement"] == "invalid"
    assert set(found.loc[0.5, "judgement"]) == {""}


def test_the_example_is_the_lectures_where_the_grid_has_it() -> None:
    assert example_cell(Grid()) == LECTURE
    assert example_cell(SMALL) == {"groups_per_arm": 5, "size": 4, "imbalance": 0.6, "icc": 0.2}


@pytest.mark.parametrize("groups", [2, 7, 40])
def test_sizes_keep_their_mean_where_groups_are_tiny(groups: int) -> None:
    sizes = group_sizes(groups, 2, 1.0)
    assert sizes.sum() == 2 * groups and sizes.min() == 2
