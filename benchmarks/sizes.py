"""How large the measured tasks are: in full, quick, and so small that a test can run them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Sizes:
    """Sizes and numbers of runs.

    Attributes
    ----------
    large : rows of the large experiment
    replicates, few : outcomes of a batch; those given to programs that take one at a time
    clusters : groups of 50 for the sandwich
    draws : outcomes of the batches of bootstrap and randomisation tests
    repeats, processes : runs, of which the least counts
    cost, cost_runs : rows of the experiments on the curve of costs; runs of each
    install : whether lme-python may be installed to be timed
    targets : whether these are the sizes that the targets are about
    """

    large: int
    replicates: int
    few: int
    clusters: int
    draws: int
    repeats: int
    processes: int
    cost: tuple[int, ...]
    cost_runs: int
    install: bool
    targets: bool


FULL = Sizes(
    large=1_000_000,
    replicates=10_000,
    few=30,
    clusters=2000,
    draws=1000,
    repeats=5,
    processes=7,
    cost=tuple(10**k for k in range(3, 8)),
    cost_runs=3,
    install=True,
    targets=True,
)
QUICK = Sizes(
    large=100_000,
    replicates=2000,
    few=10,
    clusters=400,
    draws=100,
    repeats=2,
    processes=2,
    cost=tuple(10**k for k in range(3, 6)),
    cost_runs=2,
    install=False,
    targets=False,
)
TINY = Sizes(
    large=2000,
    replicates=20,
    few=2,
    clusters=60,
    draws=2,
    repeats=1,
    processes=1,
    cost=(1000, 2000),
    cost_runs=1,
    install=False,
    targets=False,
)
