"""Exact limits of a proportion: how precisely draws tell a p-value."""

from __future__ import annotations

import numpy as np
from scipy import special


def exact_limits(count: np.ndarray, n: int, level: float) -> tuple[np.ndarray, np.ndarray]:
    """Limits of the proportion of `count` (...) in n, each (...), by Clopper and Pearson (1934)."""
    tail, inverse = (1 - level) / 2, special.betaincinv
    low = np.where(count > 0, inverse(np.maximum(count, 1), n - count + 1, tail), 0.0)
    high = np.where(count < n, inverse(count + 1, np.maximum(n - count, 1), 1 - tail), 1.0)
    return low, high
