"""Scenarios times replicates, cut into tasks that any number of jobs can share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from groupwise.calibration.replicates import Effort
from groupwise.data.validate import check_effects
from groupwise.design import Design
from groupwise.simulation.scenarios import (
    Estimated,
    Scenario,
    dataset_scenarios,
    estimate_process,
)
from groupwise.simulation.sums import Block, blocks, gather, run_block
from groupwise.words import METHODS

LEAST_REPLICATES = 100
"""Fewer tell nothing; then nothing is simulated."""

INVERTED = 40
"""Replicates of a scenario for which methods that invert a test, which is a search, give intervals."""

SLOW_SHARE = 10
"""A replicate of a method that draws costs as much as so many others, where replicates are rationed."""


class NotSimulated(Exception):
    """Nothing is simulated for a design; the message says why."""


@dataclass(frozen=True)
class Options:
    """What is simulated for a dataset, and how much.

    Attributes
    ----------
    replicates, slow_replicates
        Of every scenario, and of those the slow methods are asked of; the slowest, of half of these.
    draws : that these methods make for each replicate
    most_outcomes
        Replicates are fewer where those of a scenario would have more individuals than this; for
        methods that draw, more than a tenth of it.
    iccs : besides 0, the estimate and the ends of its interval
    departures : names of `scenario.PROCESSES`
    effects : of arms, by label, an arm not named has 0; None takes the estimated ones
    """

    replicates: int = 1000
    slow_replicates: int = 500
    draws: int = 199
    most_outcomes: int = 4_000_000
    iccs: tuple[float, ...] = ()
    departures: tuple[str, ...] = ()
    effects: Mapping[str, float] | None = None
    seed: int = 1


@dataclass(frozen=True)
class Workload:
    """Every scenario is simulated `replicates` times; slow methods see the first `slow_replicates`.

    Which are slow, and which slowest: `analyse.slow_methods`, `analyse.slowest_methods`.
    """

    scenarios: tuple[Scenario, ...]
    replicates: int
    slow_replicates: int
    conf_level: float
    effort: Effort
    methods: tuple[str, ...] = tuple(METHODS)

    def tasks(self) -> list[tuple[Scenario, Block]]:
        """One per scenario and block: the first blocks, which hold the slow methods' work, first."""
        some = blocks(self.replicates, self.slow_replicates)
        return [(scenario, block) for block in some for scenario in self.scenarios]

    def share(self, chunk: int, chunks: int) -> list[tuple[Scenario, Block]]:
        """The tasks of one of several jobs, `chunk` counting from 1."""
        if not 1 <= chunk <= chunks:
            raise ValueError(f"There is no chunk {chunk} of {chunks}.")
        return self.tasks()[chunk - 1 :: chunks]

    def run(self, scenario: Scenario, block: Block) -> pd.DataFrame:
        """The partial sums of one task."""
        return run_block(
            scenario,
            block,
            methods=self.methods,
            conf_level=self.conf_level,
            effort=self.effort,
        )

    def run_share(self, chunk: int, chunks: int) -> pd.DataFrame:
        """The partial sums of one job's tasks."""
        return gather([self.run(*task) for task in self.share(chunk, chunks)])


def dataset_workload(
    design: Design, y: np.ndarray, options: Options, *, conf_level: float = 0.95
) -> tuple[Workload, Estimated]:
    """What is simulated for outcomes y (n,) of a design, and the process that was estimated.

    Raises
    ------
    NotSimulated
        With the reason.
    InputError
        For the effect of an arm there is not.
    """
    effects = assumed_effects(design, options)
    if not options.replicates:
        raise NotSimulated("No replicates are asked for (`calibration.replicates` is 0).")
    replicates = _affordable(options.replicates, design.n_obs, options.most_outcomes)
    if not replicates:
        raise NotSimulated(
            f"With {design.n_obs:,} rows, {LEAST_REPLICATES} replicates are more than "
            f"`calibration.most_outcomes` allows ({options.most_outcomes:,})."
        )
    slow = min(options.slow_replicates, options.most_outcomes // SLOW_SHARE // design.n_obs)
    try:
        estimated = estimate_process(design, y, conf_level=conf_level)
    except ValueError as reason:
        raise NotSimulated(
            f"The mixed model that is simulated from has no fit. {reason}"
        ) from reason
    scenarios = dataset_scenarios(
        design,
        estimated,
        effects=effects,
        iccs=options.iccs,
        processes=options.departures,
        seed=options.seed,
    )
    draws = options.draws
    effort = Effort(draws, draws, draws, inverted=INVERTED, seed=options.seed)
    slow = min(slow, replicates)
    return Workload(tuple(scenarios), replicates, slow, conf_level, effort), estimated


def assumed_effects(design: Design, options: Options) -> np.ndarray | None:
    """(J,) the effects that are given; None where they are to be estimated.

    Raises
    ------
    InputError
        For an arm there is not.
    """
    if options.effects is None:
        return None
    check_effects("assumed_effects", options.effects, design.arm_labels)
    return np.array([options.effects.get(label, 0.0) for label in design.arm_labels])


def _affordable(wanted: int, n_obs: int, most: int) -> int:
    """As many replicates as wanted, or as there may be; 0 where that is too few to tell anything."""
    found = min(wanted, most // n_obs)
    return found if found >= min(LEAST_REPLICATES, wanted) else 0
