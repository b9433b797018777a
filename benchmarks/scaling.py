"""What each stage of the workflow costs, from a thousand to ten million rows, and each replicate.

    python benchmarks/scaling.py [--rows 1000 10000 ...] [--replicates 100 1000 ...] [--write]

The workflow itself runs, in a folder of its own, on tables made by make_large.py; what counts is the
whole process of each script, start and imports included. Costs are processor seconds, which other work
on a machine disturbs less than the clock, and the least of several runs. `--write` adds them
to docs/scaling.csv, in the place of earlier ones of the same sizes, and writes docs/scaling.md.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path

for library in ("OMP", "OPENBLAS", "MKL"):  # read when they are loaded
    os.environ[f"{library}_NUM_THREADS"] = "1"
ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "workflow" / "scripts"))

import pandas as pd  # noqa: E402
import scaling_page  # noqa: E402
from calibration import FAST, OTHERS, RESAMPLING, scenario  # noqa: E402
from experiments import experiment  # noqa: E402
from make_large import write_large  # noqa: E402
from timing import process  # noqa: E402

from groupwise.catalogue.methods import costs  # noqa: E402
from groupwise.methods import Request  # noqa: E402
from groupwise.sample import Resampling  # noqa: E402
from groupwise.simulation.blocks import blocks, run_block  # noqa: E402
from groupwise.simulation.options import Amount  # noqa: E402
from groupwise.simulation.scenarios import BLOCK  # noqa: E402
from groupwise.simulation.sums import gather  # noqa: E402

TABLE = ROOT / "docs" / "scaling.csv"
PARTS = ("Snakefile", "environment.yml", "workflow", "tools", "reports")
ROWS = tuple(10**k for k in range(3, 8))
REPLICATES = tuple(10**k for k in range(2, 7))
GROUP_SIZE, MOST_GROUPS = 50, 20_000
SERIES = {"fast methods": FAST} | {method: (method,) for method in (*OTHERS, *RESAMPLING)}
AT_MOST = dict.fromkeys(OTHERS, 10_000) | dict.fromkeys(RESAMPLING, 1000)
"""Replicates at most, where a million would take hours and say nothing new."""


@dataclass(frozen=True)
class Measured:
    """A stage's cost: processor and clock seconds, peak of memory.

    `size` is a number of rows or of replicates, `input_mb` the size of the table's file; the least of
    so many `runs` counts.
    """

    part: str
    stage: str
    size: int
    cpu: float
    wall: float
    runs: int = 1
    peak_mb: float | None = None
    input_mb: float | None = None


def main() -> None:
    options = arguments()
    for each in chain(workflow(options.rows), replicates(options.replicates)):
        print(f"{each.stage:32} {each.size:>12,} {each.cpu:10.3f} s", flush=True)
        if options.write:
            keep(each)
    if options.write:
        scaling_page.write(pd.read_csv(TABLE), TABLE.with_suffix(".md"))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="*", default=ROWS)
    parser.add_argument("--replicates", type=int, nargs="*", default=REPLICATES)
    parser.add_argument("--write", action="store_true", help="write docs/scaling.csv and .md")
    return parser.parse_args()


def keep(found: Measured) -> None:
    """Write a measurement into the table, in the place of an earlier one, at once: some take hours."""
    keys = ["part", "stage", "size"]
    table = pd.DataFrame([asdict(found) | {"machine": scaling_page.processor()}])
    if TABLE.exists():
        table = pd.concat([pd.read_csv(TABLE), table.astype({"peak_mb": float, "input_mb": float})])
    table = table.drop_duplicates(keys, keep="last").sort_values(keys)
    table.to_csv(TABLE, index=False, float_format="%.6g")


# Rows -----------------------------------------------------------------------------------------------


def runs(n: int) -> int:
    """How often a table of n rows is analysed; the least counts."""
    return 2 if n <= 100_000 else 1


def workflow(rows: Sequence[int]) -> Iterator[Measured]:
    """Every job of one dataset's report, for tables of these numbers of rows."""
    for n in rows:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            project(folder, n)
            input_mb = (folder / "large.parquet").stat().st_size / 1e6
            jobs = pd.concat([run(folder) for _ in range(runs(n))])
            yield from least(jobs, n, input_mb)
            dry = [process(snakemake(folder, "--dry-run"))[0] for _ in range(runs(n))]
            start = min(dry, key=lambda cost: cost.cpu)
            yield Measured("start", "Snakemake's start", n, start.cpu, start.wall, runs(n))


def least(jobs: pd.DataFrame, n: int, input_mb: float) -> Iterator[Measured]:
    """Of each stage, the least of what all its runs cost."""
    for stage, runs_of_it in jobs.groupby("stage", sort=False):
        cpu, wall, peak = runs_of_it[["cpu", "wall", "peak_mb"]].min()
        yield Measured("rows", str(stage), n, cpu, wall, len(runs_of_it), peak, input_mb)


def project(folder: Path, n: int) -> None:
    """The workflow with one dataset of n rows."""
    for part in PARTS:
        source = ROOT / part
        ignored = shutil.ignore_patterns("__pycache__", "rendered", ".quarto")
        if source.is_dir():
            shutil.copytree(source, folder / part, ignore=ignored)
        else:
            shutil.copy2(source, folder / part)
    (folder / "data" / "raw").mkdir(parents=True)
    (folder / "data" / "raw" / "SHA256SUMS").touch()
    write_large(folder, n, max(6, min(n // GROUP_SIZE, MOST_GROUPS)))
    (folder / "large.yaml").rename(folder / "config.yaml")


def snakemake(folder: Path, *options: str) -> list[str]:
    """The command that makes the report, on one core."""
    account = str(folder / "account.jsonl")
    own = [sys.executable, str(ROOT / "benchmarks" / "timed_jobs.py"), account]
    where = ["--directory", str(folder), "--snakefile", str(folder / "Snakefile")]
    how = ["--workflow-profile", "none", "--cores", "1", "--quiet", "all", "--forceall"]
    made = [f"reports/rendered/large.{kind}" for kind in ("html", "json")]
    return [*own, *where, *how, *options, "--", *made]


def run(folder: Path) -> pd.DataFrame:
    """One run: a row per job."""
    account = folder / "account.jsonl"
    account.unlink(missing_ok=True)
    process(snakemake(folder))
    return read_account(account)


def read_account(account: Path) -> pd.DataFrame:
    """A row per job, with its stage: the rule, and what tells its jobs apart."""
    lines = account.read_text(encoding="utf-8").splitlines()
    jobs = pd.DataFrame([json.loads(line) for line in lines])
    jobs["stage"] = jobs["rule"].where(jobs["which"] == "", jobs["rule"] + " " + jobs["which"])
    return jobs


# Replicates -----------------------------------------------------------------------------------------


def replicates(numbers: Sequence[int]) -> Iterator[Measured]:
    """Simulation and analysis of so many replicates of 15 groups of 25, and gathering them."""
    made = scenario(experiment(375, 15, covariate=False, balanced=True, replicates=1))
    request = Request(resampling=Resampling(1, 999, 999, 999, max_assignments=1), searched=0)
    for series, methods in SERIES.items():
        slow = BLOCK if series in RESAMPLING else 0
        warm = blocks(Amount.of(BLOCK, slow))[0]
        run_block(made, warm, methods=costs(methods), request=request)
        for n in numbers:
            if n > AT_MOST.get(series, n):
                continue
            cpu, wall = time.process_time(), time.perf_counter()
            wanted = blocks(Amount.of(n, n if slow else 0))
            parts = [
                run_block(made, each, methods=costs(methods), request=request) for each in wanted
            ]
            middle = time.process_time()
            yield Measured("replicates", series, n, middle - cpu, time.perf_counter() - wall)
            start = time.perf_counter()
            table = gather(parts)
            cost = time.process_time() - middle, time.perf_counter() - start
            if series == "fast methods":
                yield Measured("gathering", "rows of partial sums", len(table), *cost)


if __name__ == "__main__":
    main()
