"""Randomisation inference and adjusted p-values."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import combinations

import numpy as np
from rivals import R
from sizes import Sizes
from timing import Row, best

from groupwise.inference.assignments import Effort
from groupwise.inference.multiplicity import range_sf
from groupwise.inference.randomization import Units, compare_all, compare_pair
from groupwise.rows import Rows


def rows(sizes: Sizes, r: R) -> Iterator[Row]:
    rng = np.random.default_rng(1)
    lecture, star = units([5, 5, 5]), units([2, 1, 1], 84)
    y, df = rng.normal(size=336), np.linspace(5, 15, 3000)
    draws = sizes.draws
    tasks: list[tuple[str, Callable[[], object], str]] = [
        ("all arms at once, 756,756 assignments of 5+5+5 groups",
         lambda: compare_all(lecture, y[:15], effort=Effort()), "randomization"),
        ("the same, and every pair with its interval", lambda: everything(lecture, y[:15]), ""),
        ("336 groups in 84 blocks, 9,999 draws: everything", lambda: everything(star, y), ""),
        (f"{draws:,} outcomes of 15 groups x 999 draws: all p-values",
         partial(simulation, lecture, rng.normal(size=(draws, 15))), ""),
    ]  # fmt: skip
    for what, run, task in tasks if sizes.replicates > 100 else tasks[-1:]:
        cost = best(run, 1)
        theirs = r.seconds(task).get("each") if task else None
        name = "a loop in R" if task else ""
        yield Row(f"randomisation: {what}", cost.cpu, cost.wall, name, theirs)
    cost = best(lambda: range_sf(np.linspace(1, 5, 3000), 3, df), sizes.repeats)
    theirs = r.seconds("tukey").get("each")
    yield Row("Tukey: 3,000 p-values", cost.cpu, cost.wall, "R's ptukey", theirs)


def units(arms: list[int], n_blocks: int = 1) -> Units:
    """Groups of one value each: arms[j] of them in arm j of every block."""
    arm = np.tile(np.repeat(np.arange(len(arms)), arms), n_blocks)
    block = np.repeat(np.arange(n_blocks), sum(arms))
    return Units(
        arm, block, np.empty((len(arm), 0)), np.arange(len(arm)), Rows.individuals(len(arm))
    )


def everything(some: Units, y: np.ndarray) -> None:
    """All pairs with intervals, and all arms at once."""
    for pair in combinations(range(some.arm.max() + 1), 2):
        compare_pair(some, y, pair, effort=Effort())
    compare_all(some, y, effort=Effort())


def simulation(some: Units, Y: np.ndarray) -> None:
    """P-values of all pairs and of all arms, 999 draws, no intervals."""
    effort = Effort(max_assignments=1, draws=999)
    for pair in combinations(range(some.arm.max() + 1), 2):
        compare_pair(some, Y, pair, effort=effort, conf_level=None)
    compare_all(some, Y, effort=effort)
