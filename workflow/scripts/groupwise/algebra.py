"""Linear algebra of rank-deficient models, sums, inverses of many matrices, autoregressive series."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

RANK_TOLERANCE = 1e-9
"""A column whose part outside the span of others is this small, relative to it, is in the span."""

ROWS_AT_A_TIME = 2**18
"""Rows that a QR decomposition has in hand; with fewer it is the usual one."""


def pivoted_rank(X: np.ndarray) -> tuple[int, np.ndarray]:
    """Rank by QR with column pivoting after scaling columns to length 1, and the pivots.

    The columns `pivot[rank:]` lie in the span of the others.
    """
    from scipy import linalg  # slow to load, and not needed by all that sums

    R, pivot = linalg.qr(_triangle(X), mode="r", pivoting=True)
    diagonal = np.abs(np.diag(R))
    return int((diagonal > RANK_TOLERANCE * diagonal[0]).sum()), pivot


def independent_columns(X: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Which columns a regression program keeps that takes them in this order.

    A column in the span of those kept before it is dropped: what R calls aliased, by
    Gram-Schmidt with one reorthogonalisation. Returns a mask of shape (p,).
    """
    unit = _triangle(X)
    basis = np.empty((unit.shape[0], unit.shape[0]), order="F")
    independent, r = np.zeros(X.shape[1], dtype=bool), 0
    for j in order:
        column = unit[:, j]
        for _ in range(2):
            column = column - basis[:, :r] @ (basis[:, :r].T @ column)
        length = np.linalg.norm(column)
        if length > RANK_TOLERANCE and r < basis.shape[1]:
            basis[:, r] = column / length
            independent[j], r = True, r + 1
    return independent


def row_space(X: np.ndarray) -> np.ndarray:
    """An orthonormal basis, shape (r, p), of the combinations of columns that X identifies."""
    R = triangle(X, np.ones(X.shape[1]))
    _, s, Vt = np.linalg.svd(R, full_matrices=False)
    basis: np.ndarray = Vt[s > RANK_TOLERANCE * s[0]]
    return basis


def estimable(basis: np.ndarray, L: np.ndarray) -> np.ndarray:
    """Which rows of L, shape (k, p), lie in a row space; a mask of shape (k,)."""
    outside = L - (L @ basis.T) @ basis
    scale = np.maximum(np.linalg.norm(L, axis=1), np.finfo(float).tiny)
    mask: np.ndarray = np.linalg.norm(outside, axis=1) < 1e-7 * scale
    return mask


def _triangle(X: np.ndarray) -> np.ndarray:
    """R of QR = X with columns scaled to length 1: they depend as those of X do, in p rows at most."""
    return triangle(X, np.maximum(np.linalg.norm(X, axis=0), np.finfo(float).tiny))


def triangle(X: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """R of QR = X / scale, shape (min(n, p), p), for X (n, p): rows are reduced block by block."""
    from scipy import linalg

    R = np.zeros((0, X.shape[1]))
    for start in range(0, len(X), ROWS_AT_A_TIME):
        block = np.vstack([R, X[start : start + ROWS_AT_A_TIME] / scale])
        R = linalg.qr(block, mode="r", overwrite_a=True, check_finite=False)[0][: X.shape[1]]
    return R


def sum_by(values: np.ndarray, codes: np.ndarray, k: int) -> np.ndarray:
    """Sums over the last axis, shape (..., n), by code: shape (..., k)."""
    if (codes[1:] < codes[:-1]).any():
        order = np.argsort(codes, kind="stable")
        values, codes = values[..., order], codes[order]
    totals: np.ndarray = np.add.reduceat(values, np.searchsorted(codes, np.arange(k)), axis=-1)
    return totals


def invert(A: np.ndarray) -> np.ndarray:
    """Inverses (B, p, p) of positive definite matrices; numpy's own loop where they are large or few."""
    p = A.shape[-1]
    if p > 12 or len(A) < 8:
        inverse: np.ndarray = np.linalg.inv(A)
        return inverse
    return sweep(A)[0]


def solved(A: np.ndarray, b: np.ndarray) -> np.ndarray:
    """A^-1 b (..., p) of matrices (..., p, p) and vectors (..., p); numbers are divided."""
    if A.shape[-1] == 1:
        return np.asarray(b / A[..., 0])
    return np.asarray(np.linalg.solve(A, b[..., None])[..., 0])


def products(A: np.ndarray, B: np.ndarray) -> np.ndarray:
    """A B of matrices (..., m, p) and (..., p, q): where q = 1 a call of BLAS for each takes longer."""
    return np.asarray(A @ B if B.shape[-1] > 1 else np.einsum("...ij,...jk->...ik", A, B))


def sweep(A: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Inverses (B, p, p) of symmetric matrices and their pivots (B, p), one pivot at a time for all.

    The sweep operator (Goodnight 1979). Pivots are all positive where a matrix is positive definite;
    their product is its determinant.
    """
    A = A.copy()
    pivots = np.empty(A.shape[:-1])
    for k in range(A.shape[-1]):
        pivot = pivots[:, k] = A[:, k, k].copy()
        row = A[:, k, :] / pivot[:, None]
        column = A[:, :, k].copy()
        A -= column[:, :, None] * row[:, None, :]
        A[:, k, :] = row
        A[:, :, k] = -column / pivot[:, None]
        A[:, k, k] = 1 / pivot
    return A, pivots


def autoregressive(z: np.ndarray, r: float) -> np.ndarray:
    """Series (..., T) with variance 1 and autocorrelation r, from standard normal z (..., T)."""
    series = np.array(z)
    for t in range(1, series.shape[-1]):
        series[..., t] = r * series[..., t - 1] + np.sqrt(1 - r**2) * series[..., t]
    return series


@dataclass(frozen=True)
class Bordered:
    """Positive definite matrices (R, b + r, b + r) whose first b rows and columns are diagonal.

    Attributes
    ----------
    diagonal : (R, b)
    edge : (R, b, r)
    rest : (R, r, r)
    """

    diagonal: np.ndarray
    edge: np.ndarray
    rest: np.ndarray

    @cached_property
    def scaled(self) -> np.ndarray:
        """(R, b, r): `edge` over `diagonal`."""
        return np.asarray(self.edge / self.diagonal[..., None])

    @cached_property
    def inner(self) -> np.ndarray:
        """(R, r, r): the inverse's part for the last r rows and columns."""
        return invert(self.rest - self.scaled.swapaxes(-1, -2) @ self.edge)

    def solve(self, right: np.ndarray) -> np.ndarray:
        """Their inverses times `right`, (R, b + r, c) or of all of them (b + r, c)."""
        b = self.diagonal.shape[-1]
        first, last = right[..., :b, :], right[..., b:, :]
        inner = self.inner @ (last - self.scaled.swapaxes(-1, -2) @ first)
        outer = first / self.diagonal[..., None] - self.scaled @ inner
        return np.concatenate([outer, inner], axis=1)

    def inverse_form(self, rows: np.ndarray) -> np.ndarray:
        """(R, k, k): rows (k, b + r) times their inverses times the transposed rows."""
        b = self.diagonal.shape[-1]
        left = rows[:, b:] - rows[:, :b] @ self.scaled
        form = left @ self.inner @ left.swapaxes(-1, -2)
        return np.asarray(form + (rows[:, :b] / self.diagonal[:, None]) @ rows[:, :b].T)

    def inverse_by_row(self) -> np.ndarray:
        """(R, b, 1 + r, 1 + r): of the inverses what is of each of the first b rows and the last r."""
        b, r = self.edge.shape[-2:]
        inverse = np.empty((len(self.rest), b, 1 + r, 1 + r))
        across = -self.scaled @ self.inner
        inverse[..., 0, 0] = 1 / self.diagonal - (across * self.scaled).sum(axis=-1)
        inverse[..., 0, 1:] = inverse[..., 1:, 0] = across
        inverse[..., 1:, 1:] = self.inner[:, None]
        return inverse


def pairwise_differences(values: np.ndarray) -> np.ndarray:
    """Differences (..., k) of all pairs of values (..., J), later less earlier, in lexicographic order.

    Of the effects of arms these are the true values of a design's contrasts.
    """
    earlier, later = np.triu_indices(values.shape[-1], 1)
    return np.asarray(values[..., later] - values[..., earlier])


def semidefinite_cholesky(S: np.ndarray, rounding: float = 0.0) -> np.ndarray:
    """Lower-triangular L with L L' = S; a pivot that is rounding error makes a column of 0."""
    S, L = S.copy(), np.zeros_like(S)
    floor = np.maximum(1e-14 * np.diag(S), rounding)
    for j in range(len(S)):
        if S[j, j] > floor[j]:
            L[j:, j] = S[j:, j] / np.sqrt(S[j, j])
            S -= np.outer(L[:, j], L[:, j])
    return L


def chi_squared(rng: np.random.Generator, df: np.ndarray, size: int) -> np.ndarray:
    """(size, d) draws; 0 where there are no degrees of freedom."""
    drawn = np.zeros((size, len(df)))
    drawn[:, df > 0] = rng.chisquare(df[df > 0], (size, int((df > 0).sum())))
    return drawn
