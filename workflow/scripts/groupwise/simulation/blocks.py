"""Blocks of replicates: simulated, analysed by every method, and summed up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from groupwise.design import Design
from groupwise.methods import Replicates, Request, answer, concerning, method_of
from groupwise.rows import FORMS, GROUPS, INDIVIDUALS
from groupwise.simulation.options import Amount
from groupwise.simulation.scenarios import BLOCK, Scenario, outcomes
from groupwise.simulation.sums import KEYS, LEVELS, PARTIAL, gather
from groupwise.tidy import typed

Costs = Mapping[str, tuple[str, str]]
"""Methods by name with what a replicate costs, where the mixed model has one random intercept, and
where it has other terms: fast, slow or slowest."""


@dataclass(frozen=True)
class Block:
    """Replicates that share a random stream; methods that are not fast see the first of them."""

    number: int
    sizes: Amount


def blocks(replicates: Amount) -> list[Block]:
    """The blocks of a scenario."""
    if max(replicates.slow, replicates.slowest) > replicates.fast:
        raise ValueError("Slow methods cannot be asked of more replicates than there are.")
    return [
        Block(number, replicates.between(start, start + BLOCK))
        for number, start in enumerate(range(0, replicates.fast, BLOCK))
    ]


def run_block(
    scenario: Scenario,
    block: Block,
    *,
    methods: Costs,
    request: Request | None = None,
    drawn_for: Costs | None = None,
) -> pd.DataFrame:
    """Simulate one block, analyse it by every method, and sum up: a table `PARTIAL`.

    `request.searched` counts from the scenario's first replicate. Outcomes are drawn in a form that
    serves all methods of `drawn_for`, so that they are the same for some of them.
    """
    request = request or Request(searched=0)
    sizes = vars(block.sizes)
    by_cost = _by_cost(scenario.design, methods)
    cost_of = costs_in(scenario.design, drawn_for or methods)
    batches: list[dict[str, Replicates]] = []
    start = 0
    needs = {name: method_of(name).needs(scenario.design) for name in cost_of}
    first_of = {
        form: max((sizes[cost_of[name]] for name in cost_of if needs[name] == form), default=0)
        for form in FORMS
    }
    truth = {name: scenario.truth_of(name) for name in cost_of}
    prepared: dict[str, dict[Any, Any]] = {form: {} for form in FORMS}
    drawn = outcomes(
        scenario,
        block.number,
        block.sizes.fast,
        individuals=max(first_of[form] for form in scenario.from_individuals),
        groups=max(first_of[INDIVIDUALS], first_of[GROUPS]),
    )
    for batch in drawn:
        for cost, names in by_cost.items():
            some, first = min(max(sizes[cost] - start, 0), len(batch)), block.number * BLOCK + start
            for form in dict.fromkeys(needs[name] for name in names) if some else ():
                searched = max(0, request.n_searched(first + some) - first)
                answers = answer(
                    scenario.forms.design[form],
                    batch.y[form][:some],
                    [name for name in names if needs[name] == form],
                    truth=truth,
                    request=replace(request, first=first, searched=searched),
                    prepared=prepared[form],
                )
                batches.append(answers)
        start += len(batch)
    return partial_sums(batches, scenario, block.number)


def costs_in(design: Design, methods: Costs) -> dict[str, str]:
    """What a replicate of each method costs in this design."""
    general = not design.has_one_intercept
    return {name: methods[name][general] for name in concerning(design, methods)}


def _by_cost(design: Design, methods: Costs) -> dict[str, tuple[str, ...]]:
    """The methods of each cost that some have in this design."""
    by_cost: dict[str, tuple[str, ...]] = {}
    for name, cost in costs_in(design, methods).items():
        by_cost[cost] = (*by_cost.get(cost, ()), name)
    return by_cost


def partial_sums(
    batches: Iterable[Mapping[str, Replicates]], scenario: Scenario, block: int = 0
) -> pd.DataFrame:
    """The sums of one block of replicates, some of each method after the others: a table `PARTIAL`."""
    sums: dict[str, dict[str, np.ndarray]] = {}
    for answers in batches:
        for method, replicates in answers.items():
            truth = scenario.truth_of(method)
            more, before = _sums(replicates, truth), sums.get(method)
            sums[method] = more if before is None else {k: before[k] + more[k] for k in more}
    if not sums:
        return gather([])
    contrasts, methods = scenario.design.contrast_labels, list(sums)
    keys = {
        "scenario": scenario.name,
        "block": block,
        "method": np.repeat(methods, len(contrasts)),
        "contrast": np.tile(contrasts, len(methods)),
        "truth": np.concatenate([scenario.truth_of(method) for method in methods]),
    }
    names = [name for name in PARTIAL if name not in keys]
    values = {name: np.concatenate([sums[each][name] for each in methods]) for name in names}
    table = typed(pd.DataFrame(keys | values), PARTIAL)
    return table.sort_values(list(KEYS), ignore_index=True)


def _sums(answers: Replicates, truth: np.ndarray) -> dict[str, np.ndarray]:
    """Every sum, each (k,), over replicates that have the number in question."""
    answered, rows = ~answers.failed, answers.inference
    error = np.where(answered, rows.estimate - truth, 0.0)
    variance = np.where(np.isfinite(rows.std_error), rows.std_error, 0.0) ** 2
    with np.errstate(invalid="ignore"):  # an interval without ends
        width = rows.conf_high - rows.conf_low
    bounded = np.isfinite(width)
    width = np.where(bounded, width, 0.0)
    sums = {
        "n": np.full(len(truth), len(answered)),
        "failed": answers.failed.sum(axis=0),
        "singular": np.full(len(truth), int(answers.singular.sum())),
        "known_variance": np.isfinite(rows.std_error).sum(axis=0),
        "known_cover": np.isfinite(answers.covers).sum(axis=0),
        "covered": (answers.covers == 1).sum(axis=0),
        "known_width": bounded.sum(axis=0),
        "error": error.sum(axis=0),
        "error2": (error**2).sum(axis=0),
        "variance": variance.sum(axis=0),
        "variance2": (variance**2).sum(axis=0),
        "width": width.sum(axis=0),
        "width2": (width**2).sum(axis=0),
    }
    for name, level in LEVELS.items():
        sums[f"reject_{name}"] = (rows.p_value < level).sum(axis=0)
    return sums
