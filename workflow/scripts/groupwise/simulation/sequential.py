"""A scenario is simulated block by block, every method until its rate of errors is settled.

What is drawn depends on the block and on which methods are asked, and when a method stops on its
counts alone: results do not depend on the number of jobs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from groupwise.methods import Request
from groupwise.simulation.blocks import Block, Costs, costs_in, run_block
from groupwise.simulation.options import Budget
from groupwise.simulation.rates import Criterion
from groupwise.simulation.scenarios import BLOCK, Scenario
from groupwise.simulation.sums import LEVELS, gather

Tally = dict[str, dict[str, np.ndarray]]
"""By method and contrast: wrong rejections of true nulls, and out of how many answers."""


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
    methods = {name: methods[name] for name in by_cost}
    active, parts = dict(methods), []
    tally: Tally = {}
    for number, start in enumerate(range(0, budget.most.fast, BLOCK)):
        sizes = budget.most.between(start, start + BLOCK)
        left = vars(sizes)
        active = {name: each for name, each in active.items() if left[by_cost[name]]}
        if not active:
            break
        block = Block(number, replace(sizes, fast=max(left[by_cost[name]] for name in active)))
        parts.append(run_block(scenario, block, methods=active, request=request, drawn_for=methods))
        count(tally, parts[-1], criterion.level)
        for name in tuple(active):
            enough = start + BLOCK >= vars(budget.least)[by_cost[name]]
            if enough and settled(tally[name], criterion, rates):
                del active[name]
    return gather(parts)


def settled(tally: Mapping[str, np.ndarray], criterion: Criterion, rates: int) -> bool:
    """Whether a method's rates in a scenario can change no judgement.

    A contrast that it never answers has no rate.
    """
    errors, n = np.array(list(tally.values())).T
    return criterion.settled(errors[n > 0], n[n > 0], rates)


def count(tally: Tally, part: pd.DataFrame, level: float) -> None:
    """Add the counts of a table `PARTIAL` to those of earlier blocks."""
    rejected = next(f"reject_{name}" for name, each in LEVELS.items() if each == level)
    columns = [part[name].tolist() for name in ("method", "contrast", "n", "failed", rejected)]
    for method, contrast, n, failed, errors in zip(*columns, strict=True):
        counts = tally.setdefault(method, {}).setdefault(contrast, np.zeros(2, dtype=int))
        counts += (errors, n - failed)
