"""The sandwich with its degrees of freedom, and the wild cluster bootstrap."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
from experiments import Experiment, experiment
from rivals import R
from sizes import Sizes
from timing import Row, best

from groupwise.inference.sandwich import (
    hotelling_df,
    joint_tests,
    make_contrasts,
    robust,
    satterthwaite_df,
)
from groupwise.inference.wild_bootstrap import Weights, inference, joint, p_values
from groupwise.models.clusters import Projected, cluster_design

LEVEL = 0.95


def rows(sizes: Sizes, r: R) -> Iterator[Row]:
    yield from sandwiches(sizes, r)
    yield from lecture(sizes)
    yield from batches(sizes)


def cr2(some: Experiment) -> None:
    """CR2, Bell-McCaffrey df of every pair of arms, and HTZ."""
    clusters = cluster_design(some.X, some.group)
    made, together = (make_contrasts(clusters, L, "CR2") for L in (some.L, some.L[:2]))
    outcome = Projected.of(clusters, some.y[0])
    robust(made, outcome)
    satterthwaite_df(made)
    joint_tests(together, robust(together, outcome))
    hotelling_df(together)


def sandwiches(sizes: Sizes, r: R) -> Iterator[Row]:
    for groups in (sizes.clusters // 10, sizes.clusters, 10 * sizes.clusters):
        some = experiment(50 * groups, groups, covariate=True, balanced=False)
        cost = best(partial(cr2, some), sizes.repeats)
        small = groups == sizes.clusters // 10  # clubSandwich needs very long for more
        theirs = r.seconds("cr2", some).get("each") if small else None
        task = f"CR2, Bell-McCaffrey, HTZ: {50 * groups:,} rows, {groups:,} groups"
        limit = 2.0 if groups == 2000 else None
        yield Row(task, cost.cpu, cost.wall, "clubSandwich" if small else "", theirs, at_most=limit)


def lecture(sizes: Sizes) -> Iterator[Row]:
    """All 2^15 sign vectors of 15 groups with 25 members each."""
    some = experiment(375, 15, covariate=False, balanced=True)
    clusters = cluster_design(some.X, some.group)

    def everything() -> None:
        outcome = Projected.of(clusters, some.y[:1])
        inference(outcome, some.L, Weights(15), LEVEL, 1)
        joint(outcome, some.L[:2], Weights(15))

    cost = best(everything, sizes.repeats)
    task = "wild bootstrap, 375 rows, 2^15 sign vectors: 3 p-values, 3 intervals, joint test"
    yield Row(task, cost.cpu, cost.wall, at_most=0.5)


def batches(sizes: Sizes) -> Iterator[Row]:
    some = experiment(375, 15, covariate=False, balanced=True, replicates=sizes.draws)
    clusters = cluster_design(some.X, some.group)
    weights = Weights(15, draws=999, enumerate_up_to=0)
    label = f"wild bootstrap, {sizes.draws:,} outcomes of 375 rows x 999 draws"
    cost = best(lambda: p_values(Projected.of(clusters, some.y), some.L, weights), 1)
    yield Row(f"{label}: 3 p-values", cost.cpu, cost.wall)
    cost = best(lambda: joint(Projected.of(clusters, some.y), some.L[:2], weights), 1)
    yield Row(f"{label}: joint test", cost.cpu, cost.wall)
    made = make_contrasts(clusters, some.L, "CR2")
    many = np.tile(some.y, (10, 1))
    cost = best(lambda: robust(made, Projected.of(clusters, many)), sizes.repeats)
    yield Row(f"CR2, {len(many):,} outcomes of 375 rows", cost.cpu, cost.wall)
