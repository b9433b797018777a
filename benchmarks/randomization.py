"""Randomisation inference and adjusted p-values: seconds of one run each, and R's where R is.

R's omnibus test is a plain loop over 10,000 assignments, scaled up to all of them.

python benchmarks/randomization.py
"""

# ruff: noqa: E402 (threads and the path are set before anything is imported)
from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import combinations
from pathlib import Path

for library in ("OPENBLAS", "OMP", "MKL"):
    os.environ.setdefault(f"{library}_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parents[1] / "workflow" / "scripts"))

import numpy as np

from groupwise.inference.assignments import Effort
from groupwise.inference.multiplicity import range_isf, range_sf
from groupwise.inference.randomization import Units, compare_all, compare_pair

R_OMNIBUS = """
set.seed(1); a <- rep(1:3, each = 5); y <- rnorm(15); draws <- 10000
f <- function(a) { m <- tapply(y, a, mean); w <- 5 / tapply(y, a, var)
                   sum(w * (m - sum(w * m) / sum(w))^2) }
t <- system.time(replicate(draws, f(sample(a))))[["elapsed"]]; cat(t / draws * 756756)
"""
R_TUKEY = """
q <- seq(1, 5, length.out = 3000); df <- seq(5, 15, length.out = 3000)
cat(system.time(ptukey(q, 3, df))[["elapsed"]])
"""


def units(arms: list[int], n_blocks: int = 1, n_covariates: int = 0) -> Units:
    """Groups of one value each: arms[j] of them in arm j of every block."""
    arm = np.tile(np.repeat(np.arange(len(arms)), arms), n_blocks)
    C = np.random.default_rng(0).normal(size=(len(arm), n_covariates))
    return Units(arm, np.repeat(np.arange(n_blocks), sum(arms)), C, np.arange(len(arm)))


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


def seconds(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def in_r(code: str) -> str:
    if shutil.which("Rscript") is None:
        return ""
    done = subprocess.run(["Rscript", "-e", code], capture_output=True, text=True, check=True)
    return f"{float(done.stdout):10.2f}"


def main() -> None:
    rng = np.random.default_rng(1)
    lecture, adjusted, star = units([5, 5, 5]), units([5, 5, 5], 1, 1), units([2, 1, 1], 84)
    large = units([11, 11])
    df = np.linspace(5, 15, 3000)
    y = rng.normal(size=336)
    Y, Z = rng.normal(size=(1000, 15)), rng.normal(size=(1000, 336))
    rows = [
        ("5+5+5 groups: all arms, 756,756 assignments", R_OMNIBUS,
         lambda: compare_all(lecture, y[:15], effort=Effort())),
        ("the same with a covariate", "",
         lambda: compare_all(adjusted, y[:15], effort=Effort())),
        ("5+5+5 groups: all pairs, intervals, all arms", "", lambda: everything(lecture, y[:15])),
        ("11+11 groups: 705,432 assignments, interval", "",
         lambda: compare_pair(large, y[:22], (0, 1), effort=Effort())),
        ("336 groups in 84 blocks, 9,999 draws: everything", "", lambda: everything(star, y)),
        ("1,000 replicates x 999 draws, 15 groups: all p-values", "", lambda: simulation(lecture, Y)),
        ("1,000 replicates x 999 draws, 336 groups: all p-values", "", lambda: simulation(star, Z)),
        ("Tukey: 3,000 p-values", R_TUKEY, lambda: range_sf(np.linspace(1, 5, 3000), 3, df)),
        ("Tukey: 3,000 critical values", "", lambda: range_isf(0.05, 3, df)),
    ]  # fmt: skip
    print(f"{'seconds':58}{'here':>10}{'R':>10}")
    for label, code, run in rows:
        print(f"{label:58}{seconds(run):10.3f}{in_r(code) if code else '':>10}")


if __name__ == "__main__":
    main()
