"""How many groups, of what size, for the wanted power."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from scipy import special

from groupwise.planning.plan_curves import plan_curves, typical
from groupwise.planning.plans import Plan, Variation
from groupwise.planning.power import TYPICAL, why_not
from groupwise.planning.precision import MIXED

MOST_GROUPS = 2_000
"""Groups of the reference arm beyond which no plan is looked for."""

LARGEST_SIZE = 2_000

MOST_TIMES = 8.0
"""A number that is expected to be enough is at most so many times one that was tried."""


def plan_power(
    plan: Plan,
    variation: Variation,
    method: str,
    effect: float,
    *,
    level: float = 0.05,
    n_draws: int = 0,
) -> float:
    """Power of the contrast that has the least of it; 0 where the plan leaves no df.

    Blocks, unequal arms and unequal sizes make contrasts differ. `n_draws` is for mixed models; see
    `rejection.best_curves`.

    Raises
    ------
    ValueError
        If the method has no power for such a plan.
    """
    if too_small(plan, variation):
        return 0.0
    experiment = typical(plan, variation)
    if reason := why_not(experiment, method):
        raise ValueError(f"{method}: {reason}")
    of_method = plan_curves(plan, experiment, [method], level=level, n_draws=n_draws)
    power_curves, variance, _ = of_method[method]
    return min(curve(effect**2 / v) for curve, v in zip(power_curves, variance, strict=True))


def groups_needed(
    plan: Plan,
    variation: Variation,
    method: str,
    effect: float,
    *,
    power: float = 0.8,
    level: float = 0.05,
    most: int = MOST_GROUPS,
    n_draws: int = 0,
) -> Plan | None:
    """The smallest plan like this one, in groups, whose contrasts have the power; None up to `most`.

    The search begins at `plan.groups`, best near the answer. With `n_draws` the answer by noncentral t
    is where the search among drawn ones begins.
    """

    def larger(multiple: int) -> Plan:
        return plan.with_groups(multiple * plan.step)

    ask = partial(plan_power, variation=variation, method=method, effect=effect, level=level)
    start, n_draws = plan.groups // plan.step, n_draws if method in MIXED else 0
    return _search(larger, ask, power, most // plan.step, start, n_draws)


def size_needed(
    plan: Plan,
    variation: Variation,
    method: str,
    effect: float,
    *,
    power: float = 0.8,
    level: float = 0.05,
    largest: int = LARGEST_SIZE,
    n_draws: int = 0,
) -> Plan | None:
    """The plan with the smallest groups that has the power with so many groups; None up to `largest`.

    Often there is none: the variance between groups does not shrink with their size. The search begins
    at `plan.size`.
    """
    ask = partial(plan_power, variation=variation, method=method, effect=effect, level=level)
    n_draws = n_draws if method in MIXED else 0
    return _search(plan.with_size, ask, power, largest, round(plan.size), n_draws)


def _search(
    make: Callable[[int], Plan],
    ask: Callable[..., float],
    power: float,
    most: int,
    start: int,
    n_draws: int,
) -> Plan | None:
    """The plan of the smallest number up to `most` with the power; by `n_draws`, if any, in the end."""

    def power_of(n_draws: int, number: int) -> float:
        return ask(make(number), n_draws=n_draws)

    number = smallest(partial(power_of, 0), power, most, start)
    if number is not None and n_draws:
        number = smallest(partial(power_of, n_draws), power, most, number)
    return None if number is None else make(number)


def smallest(
    power_of: Callable[[int], float], power: float, most: int, start: int = 1
) -> int | None:
    """The smallest number from 1 to `most` that has the power, where more never have less; None: none.

    Sought from `start`, where each that is tried lets one expect it: by steps that double until it lies
    between two of them, then by bisection where expectations do no better.
    """
    low, high, number, step = 0, most + 1, min(max(start, 1), most), 1
    while high - low > 1:
        reached, width = power_of(number), high - low
        low, high = (low, number) if reached >= power else (number, high)
        expected, way = _expected(number, reached, power), -1 if high == number else 1
        if low > 0 and high <= most and 2 * (high - low) > width:
            expected = (low + high) // 2
        elif low == 0 or high > most:
            expected, step = number + way * max(step, way * (expected - number)), 2 * step
        number = min(max(expected, low + 1), high - 1)
    return None if high > most else high


def _expected(number: int, reached: float, power: float) -> int:
    """About how many have the power, if so many reach so much: probits are linear in their root."""
    probits = special.ndtri(reached) + TYPICAL
    if not probits > 0:
        return 2 * number
    wanted = special.ndtri(power) + TYPICAL
    return int(np.ceil(number * min((wanted / probits) ** 2, MOST_TIMES)))


def too_small(plan: Plan, variation: Variation) -> bool:
    """Whether too few groups, or members, are left to estimate two variances from."""
    arms = len(plan.allocation)
    if plan.kind == "within":
        return plan.groups <= (arms if plan.random_slopes else 1) or plan.size < arms
    df = plan.n_groups - arms - max(0, plan.n_blocks - 1) - variation.planned_covariates
    return df < 1 or round(plan.size) < 2
