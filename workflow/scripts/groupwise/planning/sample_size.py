"""How many groups, of what size, for the wanted power."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from groupwise.planning.plan_curves import plan_curves, typical
from groupwise.planning.plans import Plan, Variation
from groupwise.planning.power import why_not

MOST_GROUPS = 2_000
"""Groups of the reference arm beyond which no plan is looked for."""

LARGEST_SIZE = 2_000


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

    `plan.groups` itself does not matter. With `n_draws` the answer by noncentral t is where the
    search among drawn ones begins.
    """

    def larger(multiple: int) -> Plan:
        return plan.with_groups(multiple * plan.step)

    ask = partial(plan_power, variation=variation, method=method, effect=effect, level=level)
    return _search(larger, ask, power, most // plan.step, n_draws)


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

    Often there is none: the variance between groups does not shrink with their size.
    """
    ask = partial(plan_power, variation=variation, method=method, effect=effect, level=level)
    return _search(plan.with_size, ask, power, largest, n_draws)


def _search(
    make: Callable[[int], Plan], ask: Callable[..., float], power: float, most: int, n_draws: int
) -> Plan | None:
    """The plan of the smallest number up to `most` with the power, by `n_draws` if there are any."""

    def enough(n_draws: int, number: int) -> bool:
        return ask(make(number), n_draws=n_draws) >= power

    number = smallest(partial(enough, 0), most)
    if number is not None and n_draws:
        number = _nearby(partial(enough, n_draws), number, most)
    return None if number is None else make(number)


def smallest(enough: Callable[[int], bool], most: int) -> int | None:
    """The smallest number from 1 to `most` that is enough, where more is never less; None: none is."""
    high = 1
    while not enough(high):
        if high >= most:
            return None
        high = min(2 * high, most)
    return _between(enough, high // 2, high)


def _between(enough: Callable[[int], bool], low: int, high: int) -> int:
    """The smallest number that is enough, where `low` is not (or is 0) and `high` is."""
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def _nearby(enough: Callable[[int], bool], start: int, most: int) -> int | None:
    """The smallest number that is enough, sought from `start`: doubling steps, then bisection."""
    step = 1
    if enough(start):
        high, low = start, start - 1
        while low > 0 and enough(low):
            high, step = low, 2 * step
            low = max(0, low - step)
    else:
        low, high = start, start + 1
        while high <= most and not enough(high):
            low, step = high, 2 * step
            high = min(high + step, most) if high < most else most + 1
        if high > most:
            return None
    return _between(enough, low, high)


def too_small(plan: Plan, variation: Variation) -> bool:
    """Whether too few groups, or members, are left to estimate two variances from."""
    arms = len(plan.allocation)
    if plan.kind == "within":
        return plan.groups <= (arms if plan.random_slopes else 1) or plan.size < arms
    df = plan.n_groups - arms - max(0, plan.n_blocks - 1) - variation.planned_covariates
    return df < 1 or round(plan.size) < 2
