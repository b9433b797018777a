"""The general study: designs over a grid of groups per arm, size, intraclass correlation, imbalance."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product

import numpy as np
import pandas as pd

from groupwise import tidy
from groupwise.data.validate import Roles
from groupwise.design import Design, make_design
from groupwise.simulation.blocks import Costs
from groupwise.simulation.options import Amount, Budget
from groupwise.simulation.processes import Process
from groupwise.simulation.scenarios import Background, Scenario
from groupwise.simulation.sizes import group_sizes
from groupwise.simulation.workload import Workload, request_of


@dataclass(frozen=True)
class Grid:
    """Values that are crossed; the lecture's design is 3 arms of 5 groups of 25.

    Attributes
    ----------
    groups_per_arm, group_size, icc : of every design
    imbalance : coefficients of variation of group sizes
    effect : of the last arm, in standard deviations of the outcome; 0 is added for the level
    """

    arms: int = 3
    groups_per_arm: tuple[int, ...] = (3, 5, 10, 20, 40)
    group_size: tuple[int, ...] = (5, 25)
    icc: tuple[float, ...] = (0.0, 0.05, 0.2)
    imbalance: tuple[float, ...] = (0.0, 0.6)
    effect: float = 0.5


def study_scenarios(grid: Grid, *, seed: int = 1) -> Iterator[Scenario]:
    """Null and effect for every cell of the grid, in the order of `study_axes`."""
    design = between_design(grid.arms, 2, 2)
    for cell in study_axes(grid).to_dict("records"):
        wanted = (cell["groups_per_arm"], cell["size"], cell["imbalance"])
        if cell["effect"] == 0 and cell["icc"] == grid.icc[0]:
            design = between_design(grid.arms, *wanted)
        yield Scenario(
            name=cell["scenario"],
            design=design,
            background=Background.plain(design),
            effects=cell["effect"] * np.arange(grid.arms) / (grid.arms - 1),
            icc=cell["icc"],
            process=Process(),
            dgp="normal",
            seed=seed,
        )


def study_axes(grid: Grid) -> pd.DataFrame:
    """A row per scenario: its name and its place in the grid, to be joined to the calibration table."""
    names = ("groups_per_arm", "size", "imbalance", "icc", "effect")
    axes = product(grid.groups_per_arm, grid.group_size, grid.imbalance, grid.icc, (0, grid.effect))
    table = pd.DataFrame(list(axes), columns=list(names))
    label = "{} groups of {} an arm, sizes varying by {:g}, icc {:g}, effect {:g}".format
    table.insert(0, "scenario", [label(*row) for row in table.itertuples(index=False)])
    return tidy.table("study_axes", table)


def study_workload(
    grid: Grid,
    *,
    replicates: int,
    slow_replicates: int,
    draws: int,
    seed: int,
    methods: Costs,
) -> Workload:
    """Every scenario of the study, and how often each is simulated; tests at 5%, intervals of 95%."""
    scenarios = tuple(study_scenarios(grid, seed=seed))
    amount = Amount.of(replicates, slow_replicates)
    return Workload(
        scenarios=scenarios,
        budgets=(Budget(amount, amount),) * len(scenarios),
        rates=(1,) * len(scenarios),
        criterion=None,
        request=request_of(draws, seed, searched=0),
        methods=methods,
    )


LECTURE = {"groups_per_arm": 5, "size": 25, "imbalance": 0.0, "icc": 0.2}
"""The cell that is shown by itself, with 3 arms the design of the lecture."""


def example_cell(grid: Grid) -> dict[str, float]:
    """The lecture's cell, or on every axis the value of the grid that is nearest to it."""
    axes: Mapping[str, tuple[float, ...]] = {
        "groups_per_arm": grid.groups_per_arm,
        "size": grid.group_size,
        "imbalance": grid.imbalance,
        "icc": grid.icc,
    }
    wanted = LECTURE.items()
    return {name: min(axes[name], key=lambda each: abs(each - value)) for name, value in wanted}


def between_design(arms: int, groups_per_arm: int, size: int, imbalance: float = 0.0) -> Design:
    """Treatments of whole groups, every arm with the same sizes; arms are named A, B, ..."""
    sizes = np.tile(group_sizes(groups_per_arm, size, imbalance), arms)
    arm = np.repeat(np.arange(arms), groups_per_arm)
    labels = [chr(ord("A") + j) for j in range(arms)]
    group = np.repeat(np.arange(len(sizes)), sizes)
    treatment = pd.Categorical.from_codes(arm[group], labels)
    table = pd.DataFrame({"group": group, "arm": treatment})
    return make_design(table, Roles("outcome", "arm", "group", None, ()))
