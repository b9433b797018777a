"""A dataset of many rows (Parquet) with the configuration that analyses it.

    python benchmarks/make_large.py FOLDER [--rows 10000000] [--groups 20000] [--integer-labels]
    make report CONFIG=FOLDER/large.yaml ARGS="-- reports/rendered/large.html"

Three arms are given to whole groups whose sizes lie between half and one and a half times their
mean; the outcome depends on one covariate. Rows are written in blocks, each from a seed of its own.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

ARMS = ("control", "low dose", "high dose")
EFFECTS = np.array([0.0, 0.3, 0.5])
SLOPE, SD_GROUP, SD_RESIDUAL = 0.8, 1.0, 3.0
SEED = 279
BLOCK = 1_000_000
"""Rows that are drawn and written at a time."""

CONFIG = """\
datasets:
  large:
    title: {rows:,} rows in {groups:,} groups
    file: {file}
    roles: {{outcome: score, treatment: arm, group: clinic, covariates: [baseline]}}
    reference: {reference}
{levels}"""
LEVELS = "    levels: {0: control, 1: low dose, 2: high dose}\n"


def group_of_row(rows: int, groups: int, rng: np.random.Generator) -> np.ndarray:
    """Codes (rows,): every group at least twice, where there are rows enough, in random order."""
    weight = rng.uniform(0.5, 1.5, groups)
    cuts = np.floor(np.cumsum(weight) / weight.sum() * rows).astype(np.int64)
    cuts[-1] = rows
    codes = np.repeat(np.arange(groups, dtype=np.int32), np.diff(cuts, prepend=0))
    rng.shuffle(codes)
    return codes


def write_table(path: Path, rows: int, groups: int, *, integers: bool, seed: int) -> None:
    """The Parquet file; labels are text, or with `integers` numbers."""
    rng = np.random.default_rng(seed)
    group = group_of_row(rows, groups, rng)
    arm_of_group = rng.permutation(np.arange(groups) % len(ARMS))
    effect = EFFECTS[arm_of_group] + rng.normal(0, SD_GROUP, groups)
    clinics = pa.array(
        np.arange(groups) if integers else [f"clinic {g:06d}" for g in range(groups)]
    )
    arms = pa.array(np.arange(len(ARMS)) if integers else list(ARMS))
    writer = None
    for start in range(0, rows, BLOCK):
        own = np.random.default_rng([seed, start])
        codes = group[start : start + BLOCK]
        baseline = own.normal(50, 10, len(codes))
        noise = own.normal(0, SD_RESIDUAL, len(codes))
        table = pa.table(
            {
                "clinic": clinics.take(pa.array(codes)),
                "arm": arms.take(pa.array(arm_of_group[codes])),
                "baseline": baseline,
                "score": 20 + effect[codes] + SLOPE * baseline + noise,
            }
        )
        writer = writer or pq.ParquetWriter(path, table.schema)
        writer.write_table(table)
    writer.close()


def write_large(
    folder: Path, rows: int, groups: int, *, integers: bool = False, seed: int = SEED
) -> None:
    """large.parquet with large.yaml, which describes it."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder.resolve() / "large.parquet"
    write_table(file, rows, groups, integers=integers, seed=seed)
    text = CONFIG.format(
        rows=rows,
        groups=groups,
        file=file,
        reference=ARMS[0],
        levels=LEVELS if integers else "",
    )
    (folder / "large.yaml").write_text(text, encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--groups", type=int, default=20_000)
    parser.add_argument("--integer-labels", action="store_true")
    parser.add_argument("--seed", type=int, default=SEED)
    given = parser.parse_args()
    write_large(
        given.folder, given.rows, given.groups, integers=given.integer_labels, seed=given.seed
    )


if __name__ == "__main__":
    main()
