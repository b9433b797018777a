"""Scenarios times replicates, cut into tasks that any number of jobs can share."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from groupwise.design import Design
from groupwise.methods import Request
from groupwise.sample import Resampling
from groupwise.simulation.blocks import Block, Costs, blocks, run_block
from groupwise.simulation.options import Options
from groupwise.simulation.processes import EstimatedProcess, NoProcess, outline
from groupwise.simulation.scenarios import Scenario, dataset_scenarios
from groupwise.simulation.sums import gather

SEARCHED = 40
"""Replicates of a scenario for which methods that search their intervals give them."""

MAX_ASSIGNMENTS = 10_000
"""With more of them a randomisation test of a replicate draws some."""


def request_of(draws: int, seed: int, *, conf_level: float = 0.95, searched: int) -> Request:
    """What is asked of every replicate; each method that draws makes `draws`."""
    resampling = Resampling(seed, draws, draws, draws, MAX_ASSIGNMENTS)
    return Request(conf_level, resampling, searched=searched)


@dataclass(frozen=True)
class Workload:
    """Every scenario is simulated `replicates` times; slow methods see the first `slow_replicates`.

    `methods` says which are slow, and which slowest.
    """

    scenarios: tuple[Scenario, ...]
    replicates: int
    slow_replicates: int
    request: Request
    methods: Costs

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
            request=self.request,
        )

    def run_share(self, chunk: int, chunks: int) -> pd.DataFrame:
        """The partial sums of one job's tasks."""
        return gather([self.run(*task) for task in self.share(chunk, chunks)])


def dataset_workload(
    design: Design,
    process: EstimatedProcess | NoProcess,
    options: Options,
    *,
    conf_level: float = 0.95,
    methods: Costs,
) -> Workload:
    """What is simulated for a design from the process that was estimated for it.

    Raises
    ------
    NotSimulated
        With the reason.
    InputError
        For the effect of an arm there is not.
    """
    plan = outline(process, options, n_obs=design.n_obs, arms=design.arm_labels)
    return Workload(
        scenarios=dataset_scenarios(design, plan.process, plan.cases, seed=options.seed),
        replicates=plan.replicates,
        slow_replicates=plan.slow_replicates,
        request=request_of(options.draws, options.seed, conf_level=conf_level, searched=SEARCHED),
        methods=methods,
    )
