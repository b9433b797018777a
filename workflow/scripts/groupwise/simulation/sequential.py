"""A scenario is simulated block by block, every method until its rate of errors is settled.

What is drawn depends on the block alone, and when a method stops on its counts alone: results depend
neither on the number of jobs nor on which other methods there are.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from groupwise.methods import Request
from groupwise.simulation.blocks import Block, Costs, costs_in, run_block
from groupwise.simulation.options import Budget
from groupwise.simulation.rates import Criterion
from groupwise.simulation.scenarios import BLOCK, Scenario
from groupwise.simulation.sums import LEVELS, gather, totals


def run_scenario(
    scenario: Scenario,
    budget: Budget,
    criterion: Criterion,
    rates: int,
    *,
    methods: Costs,
    request: Request,
) -> pd.DataFrame:
    """Partial sums, a block after the other: a table `PARTIAL`.

    Parameters
    ----------
    rates : number of rates that the judgement of a method is made from, in all scenarios
    """
    by_cost = costs_in(scenario.design, methods)
    active, parts = dict(methods), []
    for number, start in enumerate(range(0, budget.most.fast, BLOCK)):
        sizes = budget.most.between(start, start + BLOCK)
        left = vars(sizes)
        active = {name: each for name, each in active.items() if left[by_cost[name]]}
        if not active:
            break
        block = Block(number, replace(sizes, fast=max(left[by_cost[name]] for name in active)))
        parts.append(run_block(scenario, block, methods=active, request=request, drawn_for=methods))
        counts, done = totals(gather(parts)), start + BLOCK
        for name in tuple(active):
            rows = counts[counts["method"] == name]
            if done >= vars(budget.least)[by_cost[name]] and settled(rows, criterion, rates):
                del active[name]
    return gather(parts)


def settled(counts: pd.DataFrame, criterion: Criterion, rates: int) -> bool:
    """Whether a method's rates in a scenario, a row of sums per contrast, can change no judgement.

    A contrast that it never answers has no rate.
    """
    count, n = errors(counts, criterion.level)
    return criterion.settled(count[n > 0], n[n > 0], rates)


def errors(counts: pd.DataFrame, level: float) -> tuple[np.ndarray, np.ndarray]:
    """Wrong rejections of true nulls, by contrast, and out of how many answers."""
    name = next(name for name, each in LEVELS.items() if each == level)
    n = (counts["n"] - counts["failed"]).to_numpy()
    return counts[f"reject_{name}"].to_numpy(), n
