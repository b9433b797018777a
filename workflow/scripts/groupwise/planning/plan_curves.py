"""Power curves of plans: by their designs, and for many blocks by how precision grows with blocks.

A parameter per block makes the design of a thousand blocks large, and it says nothing new: every block
adds the same information. With B blocks, B times the variance of an estimate, the bias of its squared
standard error and df / B tend to constants, and what is missing is of order 1 / B. So beyond
`MOST_BLOCKS` they are extrapolated in 1 / B from the designs of `FROM_BLOCKS`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from groupwise.planning.experiments import Experiment, plan_experiment
from groupwise.planning.moments import Precision
from groupwise.planning.plans import Plan, Variation
from groupwise.planning.power import Curve, lost_df, noncentral_curves
from groupwise.planning.precision import precision
from groupwise.planning.rejection import best_curves

MOST_BLOCKS = 100

FROM_BLOCKS = (50, 100)

EXTRAPOLATED = (
    f"Extrapolated from plans with {FROM_BLOCKS[0]} and {FROM_BLOCKS[1]} blocks, as this one has "
    f"more than {MOST_BLOCKS}."
)


def is_extrapolated(plan: Plan) -> bool:
    return plan.n_blocks > MOST_BLOCKS


def typical(plan: Plan, variation: Variation) -> Experiment:
    """The experiment of the plan, or where it is extrapolated one of the same shape."""
    if is_extrapolated(plan):
        return plan_experiment(_with_blocks(plan, FROM_BLOCKS[0]), variation)
    return plan_experiment(plan, variation)


def plan_curves(
    plan: Plan, experiment: Experiment, methods: Sequence[str], *, level: float, n_draws: int
) -> dict[str, tuple[Sequence[Curve], np.ndarray, str]]:
    """`rejection.best_curves` of a plan, whose `typical` experiment this is."""
    if not is_extrapolated(plan):
        return best_curves(experiment, methods, level=level, n_draws=n_draws)
    of_method: dict[str, tuple[Sequence[Curve], np.ndarray, str]] = {}
    for method in methods:
        precise = extrapolated(plan, experiment.variation, method)
        curves_and_variance = noncentral_curves(precise, lost_df(experiment, method), level=level)
        of_method[method] = (*curves_and_variance, "noncentral t")
    return of_method


def extrapolated(plan: Plan, variation: Variation, method: str) -> Precision:
    """Precision of the design's contrasts (k,), linear in one over the number of blocks."""
    few, more = (_for_one_block(_with_blocks(plan, n), variation, method, n) for n in FROM_BLOCKS)
    x, (x_few, x_more) = 1 / plan.n_blocks, (1 / n for n in FROM_BLOCKS)
    weight = (x - x_few) / (x_more - x_few)
    variance, ratio, df, df_true = (
        more_of if np.isinf(more_of).any() else (1 - weight) * few_of + weight * more_of
        for few_of, more_of in zip(few, more, strict=True)
    )
    B = plan.n_blocks
    return Precision(variance / B, ratio, df * B, df_true * B)


@lru_cache(maxsize=256)
def _for_one_block(
    plan: Plan, variation: Variation, method: str, n_blocks: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Variance times blocks, ratio, and df per block: each (k,)."""
    experiment = plan_experiment(plan, variation)
    precision_ = precision(experiment, method, experiment.design.L)
    return (
        precision_.variance * n_blocks,
        precision_.ratio,
        precision_.df / n_blocks,
        precision_.df_true / n_blocks,
    )


def _with_blocks(plan: Plan, n_blocks: int) -> Plan:
    return plan.with_groups(n_blocks * plan.per_block)
