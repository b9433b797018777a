"""Bordered matrices against numpy's inverses of the same matrices in full."""

from __future__ import annotations

import numpy as np
import pytest

from groupwise.algebra import Bordered, autoregressive


@pytest.mark.parametrize(("b", "r"), [(0, 1), (0, 3), (1, 1), (4, 2), (7, 5)])
def test_bordered_matrices_are_inverted_as_the_full_ones(b: int, r: int) -> None:
    rng = np.random.default_rng(b + 10 * r)
    edge = rng.normal(size=(3, b, r))
    diagonal = 1 + rng.exponential(size=(3, b)) + (edge**2).sum(axis=-1)
    root = rng.normal(size=(3, r, r))
    rest = root @ root.swapaxes(-1, -2) + b * np.eye(r)
    bordered = Bordered(diagonal, edge, rest)
    full = np.zeros((3, b + r, b + r))
    full[:, np.arange(b), np.arange(b)] = diagonal
    full[:, :b, b:], full[:, b:, :b], full[:, b:, b:] = edge, edge.swapaxes(-1, -2), rest
    inverse = np.linalg.inv(full)
    right = rng.normal(size=(b + r, 2))
    np.testing.assert_allclose(bordered.solve(right), inverse @ right, rtol=1e-11, atol=1e-12)
    each = rng.normal(size=(3, b + r, 2))
    np.testing.assert_allclose(bordered.solve(each), inverse @ each, rtol=1e-11, atol=1e-12)
    by_row = bordered.inverse_by_row()
    for i in range(b):
        which = [i, *range(b, b + r)]
        np.testing.assert_allclose(
            by_row[:, i], inverse[:, which][:, :, which], rtol=1e-11, atol=1e-12
        )


@pytest.mark.parametrize("r", [0.0, 0.6, 1.0])
def test_autoregressive_series_have_the_powers_of_r_as_correlations(r: float) -> None:
    """The series are linear in the normal numbers: their covariance is known without any draw."""
    weights = autoregressive(np.eye(5), r).T
    apart = np.abs(np.subtract.outer(np.arange(5), np.arange(5)))
    np.testing.assert_allclose(weights @ weights.T, r**apart, atol=1e-14)
