"""Scenarios times replicates, cut into tasks that any number of jobs can share."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import chain, zip_longest

import pandas as pd

from groupwise.design import Design
from groupwise.methods import Request
from groupwise.sample import Resampling
from groupwise.simulation.blocks import Block, Costs, blocks, run_block
from groupwise.simulation.options import Budget, Options
from groupwise.simulation.processes import EstimatedProcess, NoProcess, outline
from groupwise.simulation.rates import Criterion, criterion_at
from groupwise.simulation.scenarios import Scenario, dataset_scenarios
from groupwise.simulation.sequential import run_scenario
from groupwise.simulation.sums import LEVELS, gather, level_of

SEARCHED, FEWEST_SEARCHED, SEARCHED_NUMBERS = 40, 5, 8000
"""Replicates of a scenario for which methods that search their intervals give them; fewer where these
have more numbers, since intervals of many groups are all about as wide."""

MAX_ASSIGNMENTS = 1_000
"""With more assignments, or sign vectors, a test of a replicate draws some."""


def request_of(draws: int, seed: int, *, conf_level: float = 0.95, searched: int) -> Request:
    """What is asked of every replicate; each method that draws makes `draws`."""
    resampling = Resampling(seed, draws, draws, draws, MAX_ASSIGNMENTS)
    return Request(conf_level, resampling, searched=searched, levels=tuple(LEVELS.values()))


def searches(process: EstimatedProcess) -> int:
    """Replicates of a scenario for which intervals are searched."""
    affordable = SEARCHED_NUMBERS // process.numbers[process.slow_form]
    return max(FEWEST_SEARCHED, min(SEARCHED, affordable))


@dataclass(frozen=True)
class Workload:
    """Scenarios, each simulated so many times, or until the methods' rates of errors are settled.

    Attributes
    ----------
    budgets : replicates of each scenario
    rates : for each scenario, how many rates a method is judged by together with those of it
    criterion : when a rate is settled; None makes the most replicates of every scenario
    methods : with what they cost
    """

    scenarios: tuple[Scenario, ...]
    budgets: tuple[Budget, ...]
    rates: tuple[int, ...]
    criterion: Criterion | None
    request: Request
    methods: Costs

    def tasks(self) -> list[tuple[int, Block | None]]:
        """Scenarios by number with one of their blocks, or whole where blocks depend on earlier ones.

        The first blocks, which hold the slow methods' work, come first.
        """
        if self.criterion is not None:
            return [(i, None) for i in range(len(self.scenarios))]
        of_each = [blocks(budget.most) for budget in self.budgets]
        in_order = chain.from_iterable(zip_longest(*of_each))
        return [(k % len(of_each), block) for k, block in enumerate(in_order) if block is not None]

    def share(self, chunk: int, chunks: int) -> list[tuple[int, Block | None]]:
        """The tasks of one of several jobs, `chunk` counting from 1."""
        if not 1 <= chunk <= chunks:
            raise ValueError(f"There is no chunk {chunk} of {chunks}.")
        return self.tasks()[chunk - 1 :: chunks]

    def run(self, number: int, block: Block | None) -> pd.DataFrame:
        """The partial sums of one task."""
        scenario = self.scenarios[number]
        request = self.request if scenario.null else replace(self.request, searched=0)
        if block is not None:
            return run_block(scenario, block, methods=self.methods, request=request)
        assert self.criterion is not None
        return run_scenario(
            scenario,
            self.budgets[number],
            self.criterion,
            self.rates[number],
            methods=self.methods,
            request=request,
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
    criterion: Criterion | None = None,
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
    plan = outline(process, options, arms=design.arm_labels)
    return Workload(
        scenarios=dataset_scenarios(design, plan.process, plan.cases, seed=options.seed),
        budgets=plan.budgets,
        rates=tuple(plan.rates(case) for case in plan.cases),
        criterion=criterion or criterion_at(level_of(conf_level)),
        request=request_of(
            options.draws, options.seed, conf_level=conf_level, searched=searches(plan.process)
        ),
        methods=methods,
    )
