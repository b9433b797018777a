"""Simulation and analysis by every method, beside loops over R and over statsmodels.

Targets are the issue's, which are by the clock on two cores: twice as much time on one.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from experiments import Experiment, experiment
from rivals import R
from sizes import Sizes
from timing import Cost, Row, best

from groupwise.catalogue.methods import METHODS, costs
from groupwise.data.validate import Roles
from groupwise.design import make_design
from groupwise.methods import Request, answer, concerning
from groupwise.sample import Resampling
from groupwise.simulation.blocks import blocks, run_block
from groupwise.simulation.options import Amount
from groupwise.simulation.processes import Process
from groupwise.simulation.scenarios import Background, Scenario, simulate
from groupwise.simulation.sums import gather

FAST = (
    "ols_classical",
    "ols_cr1",
    "ols_cr2",
    "ols_cr3",
    "group_means",
    "mixed_wald",
    "mixed_satterthwaite",
    "mixed_kenward_roger",
)
OTHERS = ("dummy_nested", "gee_bias_reduced", "mixed_profile")
RESAMPLING = {
    "ols_wild_bootstrap": (10, "all 2^15 sign vectors"),
    "randomization": (10, "999 assignments"),
    "mixed_bootstrap": (None, "999 draws"),
}
"""Methods that draw, with their targets, and what they go through for every replicate."""

CORES = 2


def rows(sizes: Sizes, r: R) -> Iterator[Row]:
    for label, target, options in (
        ("15 groups of 25", 3, {"covariate": False, "balanced": True}),
        ("15 unequal groups, a covariate", 10, {"covariate": True, "balanced": False}),
    ):
        some = experiment(375, 15, replicates=1, **options)
        yield from every_method(scenario(some), some, label, target, sizes, r)
    many = scenario(experiment(525, 21, covariate=False, balanced=True))
    yield resampling("21 groups of 25", many, "ols_wild_bootstrap", 10, "999 Webb draws", sizes)
    yield from many_groups(sizes)


def scenario(some: Experiment) -> Scenario:
    """The null, with an intraclass correlation of .2."""
    table = pd.DataFrame({"group": some.group, "arm": pd.Categorical(some.arm)})
    covariates = ("x",) if some.X.shape[1] == 4 else ()
    return of_individuals(table.assign(**dict.fromkeys(covariates, some.X[:, -1])), 3)


def every_method(
    made: Scenario, some: Experiment, label: str, target: float, sizes: Sizes, r: R
) -> Iterator[Row]:
    n, few = sizes.replicates, sizes.few
    limit = CORES * target if sizes.targets else None
    some = replace(some, y=simulate(made, 0, few))
    cost = timed(made, n, FAST)
    each = r.seconds("small_sample", some).get("each")
    of_r = None if each is None else each * n
    task = f"{label}: {rate(n, cost)}, simulated and analysed by {len(FAST)} methods"
    theirs = "a loop over lmerTest + pbkrtest, two of them"
    yield Row(task, cost.cpu, cost.wall, theirs, of_r, at_most=limit)
    loop = best(partial(statsmodels_loop, some), 1).cpu / few * n
    yield Row(task, cost.cpu, cost.wall, "a loop over statsmodels, three of them", loop)
    for method in OTHERS:
        cost = timed(made, n, (method,))
        yield Row(f"{label}: {rate(n, cost)} by {method}", cost.cpu, cost.wall)
    for method, (seconds, what) in RESAMPLING.items():
        yield resampling(label, made, method, seconds, what, sizes)


def many_groups(sizes: Sizes) -> Iterator[Row]:
    """Outcomes drawn as the sums that methods need, beside the same drawn as individuals."""
    made, n = of_individuals(customers(), 2), sizes.replicates
    asked = concerning(made.design, METHODS)
    names = tuple(name for name in asked if METHODS[name].cost == "fast")
    cost = timed(made, n, names)
    few = min(n, 4 * sizes.few)
    beside = best(partial(individuals, made, few, names), 1).cpu * n / few
    task = f"2,892 groups of 1 to 12: {rate(n, cost)} by {len(names)} methods, as sums"
    least = 20 if sizes.targets else None
    yield Row(task, cost.cpu, cost.wall, "the same as individuals", beside, at_least=least)
    for method in RESAMPLING:
        cost = timed(made, sizes.draws, (method,), slow=True)
        task = f"2,892 groups of 1 to 12: {rate(sizes.draws, cost)} by {method}, 999 draws"
        yield Row(task, cost.cpu, cost.wall)


def customers() -> pd.DataFrame:
    """10,000 orders of 2,892 customers, 1 to 12 each, few of whom have many; two arms in turn."""
    rng = np.random.default_rng(5)
    share = 1 / np.arange(1, 13)
    size = rng.choice(np.arange(1, 13), 2892, p=share / share.sum())
    while (missing := 10_000 - size.sum()) != 0:
        one = rng.integers(len(size))
        size[one] = np.clip(size[one] + np.sign(missing), 1, 12)
    group = np.repeat(np.arange(2892), size)
    return pd.DataFrame({"group": group, "arm": pd.Categorical(group % 2)})


def of_individuals(table: pd.DataFrame, arms: int) -> Scenario:
    """The null in the design of these rows, with an intraclass correlation of .2."""
    covariates = ("x",) if "x" in table else ()
    design = make_design(table, Roles("y", "arm", "group", None, covariates))
    background = Background.plain(design)
    return Scenario("null", design, background, np.zeros(arms), 0.2, Process(), "normal", 1)


def individuals(made: Scenario, n: int, methods: tuple[str, ...]) -> None:
    """So many outcomes of individuals, drawn and answered."""
    prepared: dict[Any, Any] = {}
    for block in blocks(Amount.of(n, 0)):
        y = simulate(made, block.number, block.sizes.fast)
        answer(made.design, y, methods, request=Request(searched=0), prepared=prepared)


def resampling(
    label: str, made: Scenario, method: str, seconds: float | None, what: str, sizes: Sizes
) -> Row:
    cost = timed(made, sizes.draws, (method,), slow=True)
    task = f"{label}: {rate(sizes.draws, cost)} by {method}, {what}"
    limit = CORES * seconds if sizes.targets and seconds else None
    return Row(task, cost.cpu, cost.wall, at_most=limit)


def rate(n: int, cost: Cost) -> str:
    return f"{n:,} replicates ({n / cost.cpu:,.0f} a second)"


def timed(made: Scenario, n: int, methods: tuple[str, ...], slow: bool = False) -> Cost:
    return best(partial(run, made, n, methods, slow), 1)


def run(made: Scenario, n: int, methods: tuple[str, ...], slow: bool) -> pd.DataFrame:
    wanted = blocks(Amount.of(n, n if slow else 0))
    request = Request(resampling=Resampling(1, 999, 999, 999, max_assignments=1), searched=0)
    asked = costs(methods)
    return gather(run_block(made, block, methods=asked, request=request) for block in wanted)


def statsmodels_loop(some: Experiment) -> None:
    """Pooled OLS, cluster-robust, and the mixed model with z: what it has of these methods."""
    import statsmodels.api as sm
    from statsmodels.regression.mixed_linear_model import MixedLM

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for y in some.y:
            fit = sm.OLS(y, some.X).fit()
            fit.t_test(some.L)
            groups = {"groups": some.group, "use_correction": True}
            fit.get_robustcov_results("cluster", **groups).t_test(some.L)
            MixedLM(y, some.X, groups=some.group).fit(reml=True)
