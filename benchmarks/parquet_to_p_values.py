"""Kenward-Roger tests of every pair of arms, straight from a Parquet file, for tables of many rows.

    python benchmarks/parquet_to_p_values.py clinics.parquet --outcome y --treatment arm --group clinic

The random-intercept model of the pipeline, fitted by the same engine, but without its data checks,
report and data frames: only the columns in use are read, and labels stay codes. The answer is a table
as in estimates.csv on standard output; `--timings FILE` writes seconds by step and peak memory, as JSON.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import resource
import sys
import time
from itertools import combinations
from pathlib import Path
from typing import Any

for library in ("OMP", "OPENBLAS", "MKL"):  # one core, also for Arrow; read when they are loaded
    os.environ.setdefault(f"{library}_NUM_THREADS", "1")
gc.disable()  # looking for cycles while modules load takes a tenth of so short a process
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "workflow" / "scripts"))

import numpy as np  # noqa: E402
from pyarrow.parquet import ParquetFile  # noqa: E402

from groupwise.inference.small_sample import kenward_roger  # noqa: E402
from groupwise.models.random_intercept import RandomIntercept  # noqa: E402

COLUMNS = ("estimate", "std_error", "statistic", "df", "p_value", "conf_low", "conf_high")


def main() -> None:
    options = arguments()
    steps = Steps()
    X, group, y, arms = read(options)
    steps.done("read")
    fit = RandomIntercept.of(X, group).fit(y)
    steps.done("fit")
    L, names = pairs(arms, X.shape[1])
    answer = kenward_roger(fit, L, options.conf_level)
    steps.done("kenward_roger")
    print("contrast", *COLUMNS, sep=",")
    for name, *row in zip(names, *(getattr(answer, column) for column in COLUMNS), strict=True):
        print(name, *(f"{value:.12g}" for value in row), sep=",")
    if options.timings:
        found = {"steps": steps.seconds, "peak_mb": peak_mb()}
        options.timings.write_text(json.dumps(found), encoding="utf-8")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", help="a Parquet file, one row per individual, nothing missing")
    for role in ("outcome", "treatment", "group"):
        parser.add_argument(f"--{role}", required=True, help="a column")
    parser.add_argument("--covariates", nargs="*", default=[], help="numeric columns")
    parser.add_argument("--reference", help="the arm others are compared with (default: the first)")
    parser.add_argument("--conf-level", type=float, default=0.95)
    parser.add_argument("--timings", type=Path, help="a file for the seconds of each step")
    return parser.parse_args()


def peak_mb() -> float:
    """Largest resident size of this process; Linux's rusage would count its parent's too."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(row for row in status.read_text().splitlines() if row.startswith("VmHWM"))
        return int(line.split()[1]) * 1024 / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


class Steps:
    """Processor and clock seconds of the steps of this process, from here on."""

    def __init__(self) -> None:
        self.seconds: dict[str, dict[str, float]] = {}
        self.last = time.process_time(), time.perf_counter()

    def done(self, step: str) -> None:
        now = time.process_time(), time.perf_counter()
        cpu, wall = (b - a for a, b in zip(self.last, now, strict=True))
        self.seconds[step], self.last = {"cpu": cpu, "wall": wall}, now


def read(options: argparse.Namespace) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[str]]:
    """X (intercept, an indicator per arm but the reference, covariates), group, y, arms."""
    factors = [options.treatment, options.group]
    columns = [options.outcome, *factors, *options.covariates]
    file = ParquetFile(options.file, read_dictionary=factors)
    for column in columns:
        if column not in file.schema_arrow.names:
            sys.exit(f"{options.file}: there is no column '{column}'; name one that there is.")
    table = file.read(columns=columns)
    for column in columns:
        if table[column].null_count:
            sys.exit(
                f"{options.file}: column '{column}' has missing values; drop those rows first."
            )
    arm, labels = codes(table[options.treatment])
    arms = ordered(labels, options)
    X = np.empty((len(arm), len(columns) + len(arms) - 3))
    X[:, 0] = 1
    for j, label in enumerate(arms[1:], 1):
        X[:, j] = arm == labels.index(label)
    for j, name in enumerate(options.covariates, len(arms)):
        X[:, j] = numbers(table[name].combine_chunks())
    y = numbers(table[options.outcome].combine_chunks())
    return X, codes(table[options.group])[0], y.astype(float, copy=False), arms


def numbers(column: Any) -> np.ndarray:
    """A numeric Arrow array without missing values; its own `to_numpy` would import pandas."""
    return np.from_dlpack(column)


def codes(column: Any) -> tuple[np.ndarray, list[str]]:
    """Codes from 0 without a gap, and labels; those of the file's own dictionary where it has one."""
    if hasattr(column.type, "index_type"):
        encoded = column.unify_dictionaries().combine_chunks()
    else:
        encoded = column.combine_chunks().dictionary_encode()
    code, labels = numbers(encoded.indices), np.array(encoded.dictionary.to_pylist(), dtype=str)
    used = np.bincount(code, minlength=len(labels)) > 0
    return (
        (code, labels.tolist())
        if used.all()
        else ((used.cumsum() - 1)[code], labels[used].tolist())
    )


def ordered(labels: list[str], options: argparse.Namespace) -> list[str]:
    """The arms in alphabetical order, the reference first."""
    arms = sorted(labels)
    if options.reference is None:
        return arms
    if options.reference not in arms:
        sys.exit(
            f"--reference: there is no arm '{options.reference}'; the arms are {', '.join(arms)}."
        )
    return sorted(arms, key=lambda label: label != options.reference)


def pairs(arms: list[str], p: int) -> tuple[np.ndarray, list[str]]:
    """A row of L, shape (k, p), per pair of arms, those against the reference first: `B - A`."""
    effects = np.eye(p)
    effects[0] = 0  # the reference
    both = list(combinations(range(len(arms)), 2))
    L = np.array([effects[b] - effects[a] for a, b in both])
    return L, [f"{arms[b]} - {arms[a]}" for a, b in both]


if __name__ == "__main__":
    main()
