"""Exact limits of proportions are scipy's, one proportion at a time."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from groupwise.inference.binomial import exact_limits


@pytest.mark.parametrize("n", [1, 7, 199, 20_000])
@pytest.mark.parametrize("level", [0.95, 0.99])
def test_limits_are_those_of_clopper_and_pearson(n: int, level: float) -> None:
    counts = np.unique(np.linspace(0, n, 9).astype(int))
    low, high = exact_limits(counts, n, level)
    expected = [stats.binomtest(k, n).proportion_ci(level, method="exact") for k in counts]
    np.testing.assert_allclose(low, [each.low for each in expected], rtol=1e-10, atol=1e-15)
    np.testing.assert_allclose(high, [each.high for each in expected], rtol=1e-10)
    assert low[0] == 0 and high[-1] == 1
