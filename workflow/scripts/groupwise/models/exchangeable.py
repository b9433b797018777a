"""Generalised estimating equations with a linear mean and exchangeable errors, from group sums.

The correlation and its divisors are those of statsmodels' `Exchangeable`, and so is the covariance
of Mancl and DeRouen (2001), Biometrics 57, 126-134: with A_g = X_g'R_g^-1 X_g, u_g = X_g'R_g^-1 e_g
and B the sum of the A_g, it is the sum of w_g w_g' with w_g = (B - A_g)^-1 u_g, because
X'R^-1 (I - H_gg)^-1 = B (B - A_g)^-1 X'R^-1. Nothing has the size of a group.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

MOST_STEPS, TOLERANCE = 200, 1e-12

ALIKE = 1 - 1e-6
"""A correlation above this leaves nothing to weight the members of a group by."""


def least_correlation(size: np.ndarray) -> float:
    """The correlation below which the largest of groups of these sizes has no covariance matrix."""
    return -1 / max(int(size.max()) - 1, 1)


def pairs_of_members(size: np.ndarray) -> int:
    """Pairs within groups of these sizes, which the correlation is estimated from."""
    return int((size * (size - 1)).sum()) // 2


def has_too_few_pairs(size: np.ndarray, p: int) -> bool:
    """Whether the correlation has no estimate beside p coefficients; without any pair it needs none."""
    return 0 < pairs_of_members(size) <= p


@dataclass(frozen=True)
class Products:
    """Sums over each group for X (n, p) and y (n,): size (G,), x (G, p), y (G,), and products."""

    size: np.ndarray
    x: np.ndarray
    y: np.ndarray
    xx: np.ndarray
    xy: np.ndarray
    yy: np.ndarray

    @classmethod
    def of(cls, X: np.ndarray, y: np.ndarray, group: np.ndarray) -> Products:
        """`group` has codes from 0 without gaps."""

        def total(values: np.ndarray) -> np.ndarray:
            return np.bincount(group, weights=values)

        xx = np.empty((int(group.max()) + 1, X.shape[1], X.shape[1]))
        for i, column in enumerate(X.T):
            for j, other in enumerate(X.T[: i + 1]):
                xx[:, i, j] = xx[:, j, i] = total(column * other)
        return cls(
            size=np.bincount(group),
            x=np.column_stack([total(column) for column in X.T]),
            y=total(y),
            xx=xx,
            xy=np.column_stack([total(column * y) for column in X.T]),
            yy=total(y * y),
        )


@dataclass(frozen=True)
class ExchangeableFit:
    """beta (p,), bias-reduced covariance (p, p), correlation within groups."""

    beta: np.ndarray
    vcov: np.ndarray
    correlation: float
    converged: bool


def fit_exchangeable(sums: Products) -> ExchangeableFit:
    """Alternate between the correlation and the coefficients, from least squares, until both stay.

    X has full rank, and the scale of y is about 1.
    """
    beta = np.linalg.solve(sums.xx.sum(axis=0), sums.xy.sum(axis=0))
    converged = False
    for _ in range(MOST_STEPS):
        correlation = _correlation(sums, beta)
        A, u = _weighted(sums, beta, correlation)
        step = np.linalg.solve(A.sum(axis=0), u.sum(axis=0))
        beta = beta + step
        converged = bool(np.abs(step).max() <= TOLERANCE * max(1.0, float(np.abs(beta).max())))
        if converged or not np.isfinite(beta).all():
            break
    A, u = _weighted(sums, beta, correlation)
    w = np.linalg.solve(A.sum(axis=0) - A, u[..., None])[..., 0]
    return ExchangeableFit(beta, w.T @ w, correlation, converged)


def _correlation(sums: Products, beta: np.ndarray) -> float:
    """Mean product of two residuals of a group over their mean square, p taken off both counts."""
    squares = sums.yy - 2 * sums.xy @ beta + np.einsum("i,gij,j->g", beta, sums.xx, beta)
    of_sum = (sums.y - sums.x @ beta) ** 2
    pairs, p = pairs_of_members(sums.size), len(beta)
    scale = squares.sum() / (sums.size.sum() - p)
    return float((of_sum - squares).sum() / 2 / scale / (pairs - p))


def _weighted(
    sums: Products, beta: np.ndarray, correlation: float
) -> tuple[np.ndarray, np.ndarray]:
    """A_g (G, p, p) and u_g (G, p): R_g^-1 is (I - c J) / (1 - rho), c = rho / (1 + (n - 1) rho)."""
    c = correlation / (1 + (sums.size - 1) * correlation)
    A = sums.xx - c[:, None, None] * sums.x[:, :, None] * sums.x[:, None, :]
    u = sums.xy - sums.xx @ beta - (c * (sums.y - sums.x @ beta))[:, None] * sums.x
    return A / (1 - correlation), u / (1 - correlation)
