"""Timings of the random-intercept engine beside lme4 + lmerTest + pbkrtest and statsmodels.

    python benchmarks/random_intercept.py [--no-r] [--rows 1000000]

One core throughout, and processor time, which other work on the machine disturbs less than the clock.
Ratios are of one run on one machine; R's rows appear where Rscript is.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "workflow" / "scripts"))

from groupwise.inference.random_intercept_df import SmallSample  # noqa: E402
from groupwise.models.random_intercept import RandomIntercept  # noqa: E402

LEVEL = 0.95
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")

R_ANALYSE = """
suppressPackageStartupMessages({library(lmerTest); library(pbkrtest)})
args <- commandArgs(TRUE)
d <- read.csv(args[1]); d$arm <- factor(d$arm); d$group <- factor(d$group)
outcomes <- grep("^y", names(d), value = TRUE)
covariates <- intersect("x", names(d))
p <- 3 + length(covariates)
L <- rbind(c(0, 1, 0, rep(0, p - 3)), c(0, 0, 1, rep(0, p - 3)), c(0, -1, 1, rep(0, p - 3)))
if (args[2] == "hsb") L <- rbind(c(0, 1, 0))
analyse <- function(name) {
  formula <- reformulate(c("arm", covariates, "(1 | group)"), name)
  fit <- suppressMessages(lmerTest::lmer(formula, d))
  for (i in seq_len(nrow(L))) contest1D(fit, L[i, ])
  adjusted <- vcovAdj(fit)
  for (i in seq_len(nrow(L))) Lb_ddf(L[i, ], vcov(fit), adjusted)
}
if (args[2] == "fit") { analyse <- function(name) lme4::lmer(y1 ~ arm + x + (1 | group), d) }
if (args[2] != "fit") analyse(outcomes[1]) # loads what is loaded lazily
seconds <- function() sum(system.time(for (name in outcomes) analyse(name))[c("user.self", "sys.self")])
cat(if (args[2] == "fit") seconds() else min(replicate(3, seconds())))
"""


def main() -> None:
    options = arguments()
    if options.child:
        print(json.dumps(from_parquet(options.child)))
        return
    with_r = shutil.which("Rscript") is not None and not options.no_r
    if not with_r:
        print("R's rows are left out.")
    batches(with_r)
    hsb(with_r)
    million(options.rows, with_r)
    growth()


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--no-r", action="store_true", help="leave out R")
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows of the large experiment")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    return parser.parse_args()


# ---- experiments ---------------------------------------------------------------------------------


def experiment(
    n: int, n_groups: int, *, covariate: bool, balanced: bool, replicates: int = 1
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """X (n, p), group (n,) and outcomes (replicates, n) of a three-arm between-groups design."""
    rng = np.random.default_rng(1)
    least = 2
    size = np.full(n_groups, n // n_groups)
    if not balanced:
        size = least + rng.multinomial(n - least * n_groups, np.full(n_groups, 1 / n_groups))
    group = np.repeat(np.arange(n_groups), size)
    if n > 1000:
        group = rng.permutation(group)
    columns = [np.ones(n), group % 3 == 1, group % 3 == 2]
    if covariate:
        columns.append(rng.standard_normal(n))
    y = 70 + 8 * rng.standard_normal((replicates, n))
    y += 5 * rng.standard_normal((replicates, n_groups))[:, group]
    return np.column_stack(columns).astype(float), group, y


def pairs(p: int) -> np.ndarray:
    L = np.zeros((3, p))
    L[0, 1] = L[1, 2] = L[2, 2] = 1
    L[2, 1] = -1
    return L


def analyse(X: np.ndarray, group: np.ndarray, y: np.ndarray, L: np.ndarray) -> None:
    """Design, fits, Satterthwaite and Kenward-Roger tests and intervals of every row of L."""
    small = SmallSample(RandomIntercept.of(X, group).fit(y))
    small.satterthwaite(L, conf_level=LEVEL)
    small.kenward_roger(L, conf_level=LEVEL)


# ---- tables --------------------------------------------------------------------------------------


def batches(with_r: bool) -> None:
    """Replicates a second: 375 rows, 15 groups, 3 arms, every pair of arms by both methods."""
    for label, balanced in (("balanced", True), ("unbalanced, with a covariate", False)):
        X, group, y = experiment(
            375, 15, covariate=not balanced, balanced=balanced, replicates=10_000
        )
        L = pairs(X.shape[1])
        rates = {"groupwise": len(y) / best(lambda a=(X, group, y, L): analyse(*a), 5)}
        rates["groupwise, one by one"] = 200 / best(
            lambda a=(X, group, L), some=y[:200]: [analyse(*a[:2], each, a[2]) for each in some], 2
        )
        rates["statsmodels, fit alone"] = 20 / best(
            lambda a=(X, group), some=y[:20]: [statsmodels_fit(*a, each) for each in some], 2
        )
        if with_r:
            rates["lmerTest + pbkrtest"] = 30 / r_seconds(X, group, y[:30], "pairs")
        title = f"375 rows, 15 groups, {label}: replicates a second"
        table(title, rates, "{:12,.0f}", faster=lambda value, top: top / value)


def hsb(with_r: bool) -> None:
    """7,185 pupils in 160 schools: fit, Satterthwaite, Kenward-Roger."""
    import pandas as pd

    data = pd.read_csv(ROOT / "tests" / "reference" / "data" / "hsb82.csv")
    group = pd.factorize(data["school"])[0]
    catholic = (data["sector"] == "Catholic").to_numpy()
    X = np.column_stack([np.ones(len(data)), catholic, data["cses"]]).astype(float)
    y, L = data["mAch"].to_numpy(), np.array([[0.0, 1.0, 0.0]])
    times = {"groupwise": 1000 * best(lambda: analyse(X, group, y, L), 20)}
    times["statsmodels, fit alone"] = 1000 * best(lambda: statsmodels_fit(X, group, y), 1)
    if with_r:
        times["lmerTest + pbkrtest"] = 1000 * r_seconds(X, group, y[None, :], "hsb")
    table(
        "HSB, 7,185 rows, 160 groups: ms", times, "{:12.1f}", faster=lambda value, top: value / top
    )


def million(n: int, with_r: bool) -> None:
    """Many rows in many groups: the fit in memory, and from Parquet to p-values in a new process."""
    X, group, y = experiment(n, n // 50, covariate=True, balanced=False)
    L = pairs(4)
    times = {"fit, in memory": best(lambda: RandomIntercept.of(X, group).fit(y[0]), 3)}
    times["fit + Satterthwaite + Kenward-Roger, in memory"] = best(
        lambda: analyse(X, group, y[0], L), 3
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "experiment.parquet"
        write_parquet(path, X, group, y[0])
        command = [sys.executable, __file__, "--child", str(path)]
        child = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    times["Parquet to Kenward-Roger p-values"] = child["seconds"]
    times["the same, by the clock"] = child["wall"]
    if with_r:
        times["lme4, fit alone, in memory"] = r_seconds(X, group, y, "fit")
    title = f"{n:,} rows, {n // 50:,} groups, 3 arms, a covariate: s"
    table(title, times, "{:12.3f}", faster=lambda value, top: value / top)
    print(f"  peak memory of the process from Parquet: {child['peak_mb']:,.0f} MB")
    print(f"  (of which before any data was read: {child['start_mb']:,.0f} MB)\n")


def growth() -> None:
    """Cost against rows, 50 to a group: linear once there are many."""
    print("Rows and seconds, fit + Satterthwaite + Kenward-Roger")
    for n in (10**3, 10**4, 10**5, 10**6, 10**7):
        X, group, y = experiment(n, n // 50, covariate=True, balanced=False)
        seconds = best(lambda a=(X, group, y[0]): analyse(*a, pairs(4)), 2)
        print(f"  {n:12,} {seconds:10.4f}   {1e9 * seconds / n:8.1f} ns a row")


# ---- one process from Parquet --------------------------------------------------------------------


def write_parquet(path: Path, X: np.ndarray, group: np.ndarray, y: np.ndarray) -> None:
    """A file as a user has it: text for arms and groups, and a column that is not needed."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    arm = pa.DictionaryArray.from_arrays(pa.array(group % 3), pa.array(["a", "b", "c"]))
    labels = pa.array([f"clinic {g:06d}" for g in range(group.max() + 1)])
    columns = {
        "outcome": y,
        "arm": arm,
        "clinic": pa.DictionaryArray.from_arrays(pa.array(group), labels),
        "x": X[:, 3],
        "unused": X[:, 3],
    }
    pq.write_table(pa.table(columns), path)


def from_parquet(path: str) -> dict[str, Any]:
    """Reads the columns a model needs and tests every pair of arms."""
    import pyarrow.parquet as pq

    start_mb, start, clock = peak_mb(), time.process_time(), time.perf_counter()
    data = pq.read_table(path, columns=["outcome", "arm", "clinic", "x"])
    group, arm = codes(data["clinic"]), codes(data["arm"])
    columns = [np.ones(len(group)), arm == 1, arm == 2, data["x"].to_numpy()]
    X, y = np.column_stack(columns), data["outcome"].to_numpy()
    del data, columns, arm
    L = pairs(4)
    answer = SmallSample(RandomIntercept.of(X, group).fit(y)).kenward_roger(L, conf_level=LEVEL)
    return {
        "seconds": time.process_time() - start,
        "wall": time.perf_counter() - clock,
        "peak_mb": peak_mb(),
        "start_mb": start_mb,
        "p_value": answer.p_value.tolist(),
    }


def codes(column: Any) -> np.ndarray:
    """Codes from 0 of a text column; those of the file's own dictionary where it has one."""
    encoded = column.combine_chunks()
    if hasattr(encoded, "unify_dictionaries"):
        encoded = encoded.unify_dictionaries().combine_chunks()
    if not hasattr(encoded, "indices"):
        encoded = encoded.dictionary_encode()
    return encoded.indices.to_numpy(zero_copy_only=False)


def peak_mb() -> float:
    """Largest resident size of this process; Linux's rusage would count its parent's too."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(row for row in status.read_text().splitlines() if row.startswith("VmHWM"))
        return int(line.split()[1]) * 1024 / 1e6
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


# ---- the others ----------------------------------------------------------------------------------


def statsmodels_fit(X: np.ndarray, group: np.ndarray, y: np.ndarray) -> None:
    from statsmodels.regression.mixed_linear_model import MixedLM

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        MixedLM(y, X, groups=group).fit(reml=True)


def r_seconds(X: np.ndarray, group: np.ndarray, y: np.ndarray, what: str) -> float:
    """Seconds R takes for all outcomes, without starting, reading and compiling."""
    import pandas as pd

    arm = X[:, 1] if what == "hsb" else group % 3
    table = {"arm": arm, "group": group} | {f"y{j}": each for j, each in enumerate(y, 1)}
    if what == "hsb":
        table["x"] = X[:, 2]
    elif X.shape[1] > 3:
        table["x"] = X[:, 3]
    with tempfile.TemporaryDirectory() as folder:
        path, script = Path(folder) / "data.csv", Path(folder) / "analyse.R"
        pd.DataFrame(table).to_csv(path, index=False)
        script.write_text(R_ANALYSE, encoding="utf-8")
        command = ["Rscript", str(script), str(path), what]
        return float(subprocess.run(command, capture_output=True, check=True, text=True).stdout)


# ---- printing ------------------------------------------------------------------------------------


def best(run: Callable[[], Any], times: int) -> float:
    """The shortest of several runs, in seconds, after one that warms up."""
    run()
    seconds = []
    for _ in range(times):
        start = time.process_time()
        run()
        seconds.append(time.process_time() - start)
    return min(seconds)


def table(
    title: str, rows: dict[str, float], form: str, *, faster: Callable[[float, float], float]
) -> None:
    """Rows beside how many times as fast the first of them is."""
    print(title)
    top = next(iter(rows.values()))
    for name, value in rows.items():
        ratio = "" if value == top else f"   {faster(value, top):10,.1f} x"
        print(f"  {name:48}{form.format(value)}{ratio}")
    print()


if __name__ == "__main__":
    if not ONE_THREAD.items() <= os.environ.items():  # BLAS reads them when it is loaded
        os.execve(sys.executable, [sys.executable, *sys.argv], os.environ | ONE_THREAD)
    main()
