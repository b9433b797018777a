"""What is planned for a dataset: method by method, or where arms have periods by the design alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy.stats import hmean

from groupwise import tidy
from groupwise.catalogue.methods import CURVES
from groupwise.data.validate import Roles
from groupwise.design import Design, make_design
from groupwise.planning.layouts import baseline, crossover, parallel, stepped_wedge
from groupwise.planning.outlook import NotPlanned, planned_periods, plans
from groupwise.planning.period_tables import plan_periods, planned_from
from groupwise.simulation.options import Options
from groupwise.simulation.processes import EstimatedProcess, NoProcess

METHODS = ("group_means", "mixed_kenward_roger")
GOAL = {"effect": None, "power": 0.8}
ROLES = {"outcome": "y", "treatment": "arm", "group": "group", "period": "period"}
STD_DEV = {"group": 0.5, "cell": 0.3, "residual": 1.2}


def rows(
    arms: np.ndarray, groups: int = 3, sizes: tuple[int, ...] = (3, 5), **columns: Any
) -> pd.DataFrame:
    """Groups go through the sequences of `arms`; cells have these sizes in turn."""
    in_groups = np.repeat(arms, groups, axis=0)
    group, period = (codes.ravel() for codes in np.indices(in_groups.shape))
    cells = pd.DataFrame({"group": group, "period": period, "arm": in_groups.ravel()}).assign(
        **columns
    )
    table = cells.loc[np.repeat(cells.index, np.resize(sizes, len(cells)))].reset_index(drop=True)
    labels = list("ABC")[: in_groups.max() + 1]
    table["arm"] = pd.Categorical.from_codes(table["arm"], labels)
    return table.assign(period=pd.Categorical(table["period"]))


def design_of(table: pd.DataFrame, **roles: str) -> Design:
    return make_design(table, Roles.from_settings(ROLES | roles))


def process_of(design: Design, std_dev: dict[str, float] = STD_DEV) -> EstimatedProcess:
    """A process with these standard deviations, in which the last arm has the effect 0.8."""
    J = len(design.arm_labels)
    return EstimatedProcess(
        arms=design.arm_labels,
        terms=(),
        coefficients=np.zeros(0),
        effects=np.linspace(0, 0.8, J),
        std_dev=std_dev,
        icc=0.19,
        icc_low=0.1,
        icc_high=0.3,
        conf_level=0.9,
        std_error=np.ones(J - 1),
        numbers={},
        slow_form="individuals",
        n_periods=design.n_periods,
    )


def period_table(design: Design, **changes: Any) -> pd.DataFrame:
    std_dev = changes.pop("std_dev", STD_DEV)
    options = changes.pop("options", Options())
    return planned_periods(design, process_of(design, std_dev), options, **GOAL | changes)


@pytest.mark.parametrize("arms", [stepped_wedge(4), crossover(3), baseline(2), parallel(3)])
def test_design_with_periods_is_planned_from_its_data(arms: np.ndarray) -> None:
    design = design_of(rows(arms))
    table = period_table(design)
    expected = plan_periods(
        design.group_sequences.arms,
        np.full(len(arms), 3),
        float(hmean(design.cell_size)),
        STD_DEV,
        [0, 0.8],
        0.9,
    )
    pd.testing.assert_frame_equal(table, expected)
    here = table.iloc[0]
    assert here["question"] == "at_hand" and here["n_groups"] == 3 * len(arms)
    assert here["nominal_level"] == 0.1 and here["effect"] == 0.8


def test_effect_and_power_are_those_asked_for() -> None:
    design = design_of(rows(stepped_wedge(4)))
    assert (period_table(design, effect=0.3)["effect"] == 0.3).all()
    assert (period_table(design, options=Options(effects={"B": -0.4}))["effect"] == 0.4).all()
    needed = period_table(design, power=0.9).query("question == 'groups_needed'")
    assert (needed["power"] >= 0.9).all()


def test_cells_that_no_group_of_a_sequence_has_are_not_measured() -> None:
    table = rows(stepped_wedge(4))
    kept = ~((table["group"] < 3) & (table["period"] == 3))
    here = period_table(design_of(table[kept])).iloc[0]
    assert here["n_cells"] == 9 * 4 - 3


@pytest.mark.parametrize("closed", [True, False])
def test_only_individuals_of_closed_cohorts_stay(closed: bool) -> None:
    table = rows(stepped_wedge(3), sizes=(4,))
    place = table.groupby(["group", "period"], observed=True).cumcount()
    shift = 0 if closed else 2 * table["period"].astype(int)
    table["person"] = table["group"].astype(str) + "." + (place + shift).astype(str)
    design = design_of(table, individual="person")
    std_dev = STD_DEV | {"individual": 0.7}
    here = period_table(design, std_dev=std_dev).iloc[0]
    within = 0.7**2 + 1.2**2
    assert_allclose(here["iac"], 0.7**2 / within if closed else 0, rtol=1e-12)
    assert_allclose(here["sd"] ** 2, 0.5**2 + 0.3**2 + within)
    as_planned = planned_from(stepped_wedge(3), np.full(2, 3), 4, std_dev)
    assert (here["std_error"] < 1.001 * as_planned.std_error) == closed


OTHERS: dict[str, tuple[pd.DataFrame, dict[str, str], str]] = {
    "one period": (rows(parallel(1)), {}, "several periods"),
    "treatment within cells": (
        rows(parallel(2)).assign(arm=lambda t: pd.Categorical(list("AB") * (len(t) // 2))),
        {},
        "several periods",
    ),
    "three arms": (rows(np.array([[0, 1, 2], [1, 2, 0], [2, 0, 1]])), {}, "more than two arms"),
    "blocks": (
        rows(parallel(2), groups=4, block=np.repeat(["n", "s"], 2).tolist() * 4),
        {"block": "block"},
        "Not planned for: blocks",
    ),
}


@pytest.mark.parametrize("name", OTHERS)
def test_others_are_not_and_say_why(name: str) -> None:
    table, roles, reason = OTHERS[name]
    design = design_of(table, **roles)
    for effect in (None, 0.5):
        with pytest.raises(NotPlanned, match=reason):
            period_table(design, effect=effect)


def test_what_the_mixed_model_does_not_say_is_not_planned() -> None:
    design = design_of(rows(stepped_wedge(3)))
    with pytest.raises(NotPlanned, match="No fit"):
        planned_periods(design, NoProcess("No fit."), Options(), **GOAL)
    with pytest.raises(NotPlanned, match="nothing to find"):
        period_table(design, options=Options(effects={"B": 0.0}))
    with pytest.raises(NotPlanned, match="random terms block"):
        period_table(design, std_dev=STD_DEV | {"block": 0.1})


def both(design: Design) -> tuple[pd.DataFrame, pd.DataFrame]:
    tables = plans(design, process_of(design), Options(), methods=METHODS, curves=CURVES, **GOAL)
    for name, table in tables.items():
        pd.testing.assert_series_equal(table.dtypes, tidy.table(name, []).dtypes)
    return tables["planning"], tables["planning_periods"]


def test_a_stepped_wedge_has_a_plan_of_its_design_in_place_of_methods() -> None:
    ordinary, periods = both(design_of(rows(stepped_wedge(4))))
    assert len(periods) and ordinary["power"].isna().all()
    assert set(ordinary["question"]) == {"at_hand", "groups_needed", "size_needed"}
    assert list(ordinary["method"]) == [*METHODS] * 3
    assert ordinary["message"].str.contains("see planning_periods").all()


def test_where_periods_are_not_planned_for_methods_say_why() -> None:
    ordinary, periods = both(design_of(OTHERS["three arms"][0]))
    assert periods.empty and ordinary["message"].str.contains("more than two arms").all()


def test_other_designs_are_planned_method_by_method() -> None:
    ordinary, periods = both(design_of(OTHERS["one period"][0]))
    assert periods.empty and ordinary["power"].notna().any()
    assert "curve" in set(ordinary["question"])
