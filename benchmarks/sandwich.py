"""Times of the sandwich and of the wild bootstrap; clubSandwich's beside them where R has it.

python benchmarks/sandwich.py
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

for threads in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(threads, "1")  # one core, as R's reference BLAS

import numpy as np  # noqa: E402

sys.path.insert(0, str(Path(__file__).parents[1] / "workflow" / "scripts"))

from groupwise.inference.sandwich import (  # noqa: E402
    cluster_design,
    hotelling_df,
    joint_tests,
    make_contrasts,
    robust,
    satterthwaite_df,
)
from groupwise.inference.wild_bootstrap import (  # noqa: E402
    Weights,
    wild_inference,
    wild_joint_p_values,
    wild_p_values,
)

L = np.array([[0.0, 1, 0, 0], [0, 0, 1, 0], [0, -1, 1, 0]])

CLUBSANDWICH = """
suppressPackageStartupMessages(library(clubSandwich))
d <- read.csv(commandArgs(TRUE)[1])
d$arm <- factor(d$arm)
fit <- lm(y ~ arm + x, d)
took <- system.time({
  V <- vcovCR(fit, cluster = d$g, type = "CR2")
  rows <- coef_test(fit, V, test = "Satterthwaite")
  wald <- Wald_test(fit, constrain_zero(2:3), V, test = "HTZ")
})[["elapsed"]]
cat(sprintf("%.17g", c(took, rows$SE[2], rows$df[2], wald$df_denom)))
"""


def make(
    groups: int, size: int, seed: int = 1
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """X (n, 4), group, arm and y; sizes vary between half and one and a half times `size`."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(size // 2, size + size // 2 + 1, size=groups)
    group = np.repeat(np.arange(groups), sizes)
    arm = (np.arange(groups) % 3)[group]
    x = rng.normal(size=group.size)
    y = rng.normal(size=groups)[group] + 0.3 * x + 2 * rng.normal(size=group.size)
    X = np.column_stack([np.ones(group.size), arm == 1, arm == 2, x])
    return X, group, arm, y


def timed(run: Callable[[], object], repeats: int = 3) -> float:
    """The shortest of several runs, in seconds."""
    best = np.inf
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        best = min(best, time.perf_counter() - start)
    return best


def cr2(X: np.ndarray, group: np.ndarray, y: np.ndarray) -> tuple[float, float, float]:
    """CR2, Bell-McCaffrey df of three contrasts and HTZ: (se, df) of the first, and HTZ's df."""
    clusters = cluster_design(X, group)
    made, joint = (make_contrasts(clusters, rows, "CR2") for rows in (L, L[:2]))
    found = robust(made, y)
    joint_tests(joint, robust(joint, y))
    return found.std_error[0], satterthwaite_df(made)[0], hotelling_df(joint) - 1


def clubsandwich(
    group: np.ndarray, arm: np.ndarray, X: np.ndarray, y: np.ndarray
) -> list[float] | None:
    """Seconds, se and df as clubSandwich has them; None without R or the package."""
    if shutil.which("Rscript") is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data.csv"
        columns = np.column_stack([group, arm, X[:, 3], y])
        np.savetxt(data, columns, delimiter=",", header="g,arm,x,y", comments="", fmt="%.17g")
        command = ["Rscript", "-e", CLUBSANDWICH, str(data)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    return [float(word) for word in done.stdout.split()] if done.returncode == 0 else None


def row(what: str, seconds: float, note: str = "") -> None:
    print(f"{what:<58}{seconds:>10.4f} s   {note}", flush=True)


def sandwiches() -> None:
    for n, groups in ((375, 15), (10_000, 200), (100_000, 2_000), (1_000_000, 20_000)):
        X, group, _, y = make(groups, n // groups)
        target = "target 2 s" if groups == 2_000 else ""
        seconds = timed(partial(cr2, X, group, y))
        row(f"CR2 + df + HTZ, {len(y):,} rows, {groups:,} groups", seconds, target)
    X, group, _, y = make(12, 100_000)
    row(f"CR2 + df + HTZ, {len(y):,} rows, 12 groups", timed(partial(cr2, X, group, y), 1))
    X, group, _, _ = make(15, 25)
    batch = np.random.default_rng(2).normal(size=(10_000, len(X)))
    made = make_contrasts(cluster_design(X, group), L, "CR2")
    row("CR2, 10,000 outcomes of 375 rows", timed(partial(robust, made, batch)))


def against_clubsandwich() -> None:
    X, group, arm, y = make(200, 50)
    theirs, ours = clubsandwich(group, arm, X, y), timed(partial(cr2, X, group, y))
    if theirs is None:
        print("clubSandwich: R or the package is not there")
        return
    values = np.array(cr2(X, group, y)) / theirs[1:] - 1
    note = f"{theirs[0] / ours:,.0f} times ours; differs by {np.abs(values).max():.0e}"
    row(f"clubSandwich, {len(y):,} rows, 200 groups (100,000 take too long)", theirs[0], note)


def bootstraps() -> None:
    X, group, _, y = make(15, 25)
    clusters = cluster_design(X[:, :3], group)
    rows = np.array([[0.0, 1, 0], [0, 0, 1], [0, -1, 1]])

    def everything() -> None:
        wild_inference(clusters, y, rows, Weights(15), 0.95)
        wild_joint_p_values(clusters, y[None], rows[:2])

    row(
        "wild bootstrap, 2^15 signs: 3 p-values, 3 intervals, joint",
        timed(everything),
        "target 0.5 s",
    )
    batch = np.random.default_rng(3).normal(size=(1000, len(X)))
    run = {"draws": 999, "enumerate_up_to": 0}
    seconds = timed(partial(wild_p_values, clusters, batch, rows, **run), 1)
    row("wild bootstrap, 1,000 outcomes x 999 draws x 3 contrasts", seconds, "target 10 s")
    seconds = timed(partial(wild_joint_p_values, clusters, batch, rows[:2], **run), 1)
    row("wild bootstrap, 1,000 outcomes x 999 draws, joint", seconds)
    X, group, _, y = make(337, 17)
    clusters = cluster_design(X, group)
    seconds = timed(partial(wild_inference, clusters, y, L, Weights(337), 0.95), 1)
    row("wild bootstrap, 337 groups, 9,999 draws: 3 p-values, 3 intervals", seconds)


if __name__ == "__main__":
    sandwiches()
    against_clubsandwich()
    bootstraps()
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB")
