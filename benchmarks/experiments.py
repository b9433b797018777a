"""Experiments to time: three arms given to whole groups, in memory or as a Parquet file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

MEAN, SD_GROUP, SD_RESIDUAL = 70.0, 5.0, 8.0


@dataclass(frozen=True)
class Experiment:
    """X (n, p): intercept, two arms, perhaps a covariate; group (n,); y (replicates, n)."""

    X: np.ndarray
    group: np.ndarray
    y: np.ndarray

    @property
    def arm(self) -> np.ndarray:
        return self.group % 3

    @property
    def L(self) -> np.ndarray:
        """(3, p): every pair of arms."""
        L = np.zeros((3, self.X.shape[1]))
        L[0, 1] = L[1, 2] = L[2, 2] = 1
        L[2, 1] = -1
        return L


def experiment(
    n: int, n_groups: int, *, covariate: bool, balanced: bool, replicates: int = 1
) -> Experiment:
    """n individuals in groups of one size, or of random sizes of 2 and more; rows in random order."""
    rng = np.random.default_rng(1)
    size = np.full(n_groups, n // n_groups)
    if not balanced:
        size = 2 + rng.multinomial(n - 2 * n_groups, np.full(n_groups, 1 / n_groups))
    group = np.repeat(np.arange(n_groups), size)
    if n > 1000:
        group = rng.permutation(group)
    X = np.empty((n, 4 if covariate else 3))
    X[:, 0], X[:, 1], X[:, 2] = 1, group % 3 == 1, group % 3 == 2
    if covariate:
        X[:, 3] = rng.standard_normal(n)
    y = MEAN + SD_RESIDUAL * rng.standard_normal((replicates, n))
    y += SD_GROUP * rng.standard_normal((replicates, n_groups))[:, group]
    return Experiment(X, group, y)


def write_parquet(path: Path, some: Experiment) -> None:
    """A file as a user has it: text for arms and groups, and a column that is not needed."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    labels = [f"clinic {g:07d}" for g in range(some.group.max() + 1)]
    columns = {
        "outcome": some.y[0],
        "arm": pa.DictionaryArray.from_arrays(pa.array(some.arm), pa.array(["a", "b", "c"])),
        "clinic": pa.DictionaryArray.from_arrays(pa.array(some.group), pa.array(labels)),
        "x": some.X[:, 3],
        "unused": some.X[:, 3],
    }
    pq.write_table(pa.table(columns), path)
