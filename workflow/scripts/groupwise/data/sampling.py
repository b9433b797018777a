"""Samples of rows, for what does not need all of very many: figures and checks of residuals."""

from __future__ import annotations

import numpy as np

MOST_ROWS = 200_000
"""Of more rows a table of rows keeps a random sample of this size."""

SEED = 279


def sampled_rows(n: int, most: int = MOST_ROWS) -> np.ndarray:
    """Indices of all of n rows in order, or of a random sample of `most`: the same every time."""
    if n <= most:
        return np.arange(n)
    return np.sort(np.random.default_rng(SEED).choice(n, size=most, replace=False))


def counted(n_sampled: int, total: int, things: str) -> str:
    """How many there are, in words: `375 rows`, or `a sample of 200,000 of 10,000,000 rows`."""
    if n_sampled == total:
        return f"{total:,} {things}"
    return f"a sample of {n_sampled:,} of {total:,} {things}"
