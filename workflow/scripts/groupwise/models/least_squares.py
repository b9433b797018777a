"""Least squares in an orthonormal basis of the columns: one design, any number of outcomes.

Every quantity of the sandwich, of the wild bootstrap and of the fit itself is simple in the
coordinates of an orthonormal basis Q of the columns of X: H = Q Q', and a combination of
coefficients is L beta = Lambda Q'y. Indicators of the levels of one factor (blocks, groups) need no
columns: their part of Q is known, 1/sqrt(n_b) in level b and 0 elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import linalg

from groupwise.algebra import RANK_TOLERANCE, ROWS_AT_A_TIME, sum_by, triangle
from groupwise.rows import Rows

ESTIMABLE_TOLERANCE = 1e-7
"""A combination of coefficients whose part outside the row space is this small is estimable."""

VANISHES = 1e-12
"""A column whose group means are this small, relative to its values, has means of 0."""

ROUNDING = 1e-13
"""Residuals this small, relative to the outcome, are rounding: X explains the outcome completely."""


@dataclass(frozen=True)
class Basis:
    """An orthonormal basis [Q_B, Q] of the columns of X (n, p), n rows, and of B absorbed indicators.

    Without a factor to absorb, B is 0 and Q spans X.

    Attributes
    ----------
    Q : (n, r)
        Spans what the absorbed indicators leave of X.
    R : (r, p)
        Coordinates of X on Q.
    level : (n,) or None
        Codes 0 to B - 1 of the absorbed factor.
    size : (B,)
        Individuals in each of its levels.
    rows : what the n rows are
    C : (B, p)
        Coordinates of X on Q_B.
    """

    Q: np.ndarray
    R: np.ndarray
    level: np.ndarray | None
    size: np.ndarray
    C: np.ndarray
    rows: Rows

    @property
    def rank(self) -> int:
        """Rank of the model matrix, absorbed indicators included."""
        return len(self.size) + self.Q.shape[1]

    def coordinates(self, L: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Lambda, shape (k, B + r), with L beta = Lambda [Q_B, Q]'y, and which rows are estimable.

        Where the absorbed indicators are not in the span of X they are parameters besides beta,
        so that L has to be estimable from the spread within levels. Where they are, X is taken
        for the model and the other rows of L, shape (k, p), follow from all of it.
        """
        Lambda = np.zeros((len(L), self.rank))
        Lambda[:, len(self.size) :], estimable = self.within(L)
        if self.level is not None and not estimable.all() and self.rank == L.shape[1]:
            S = np.vstack([self.C, self.R])
            Lambda[~estimable], estimable[~estimable] = _solve_rows(S, L[~estimable])
        return np.where(estimable[:, None], Lambda, np.nan), estimable

    def within(self, L: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Lambda, shape (k, r), with L beta = Lambda Q'y, and which rows Q alone identifies."""
        return _solve_rows(self.R, L)

    def project(self, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Coordinates [Q_B, Q]'y, shape (..., B + r), and residuals (..., n) of y, shape (..., n)."""
        residual = y
        levels = np.zeros((*y.shape[:-1], 0))
        if self.level is not None:
            ones = self.rows.scaled_ones
            sums = sum_by(y * ones, self.level, len(self.size))
            levels = sums / np.sqrt(self.size)
            residual = y - (sums / self.size)[..., self.level] * ones
        coordinates = residual @ self.Q
        residual = residual - coordinates @ self.Q.T
        length = np.linalg.norm(residual, axis=-1, keepdims=True)
        nothing = length <= ROUNDING * np.linalg.norm(y, axis=-1, keepdims=True)
        residual = np.where(nothing, 0.0, residual)
        return np.concatenate([levels, coordinates], axis=-1), residual


def orthonormal_basis(
    X: np.ndarray, level: np.ndarray | None = None, rows: Rows | None = None
) -> Basis:
    """A basis of the columns of X, shape (n, p), by QR with column pivoting.

    `level`, codes from 0 without gaps, names a factor whose indicators join the model
    without columns of their own; the part of X in their span is taken out first. Rows are
    individuals unless `rows` says otherwise.
    """
    rows = rows or Rows.individuals(len(X))
    size: np.ndarray = np.zeros(0)
    C = np.zeros((0, X.shape[1]))
    rest = X
    if level is not None:
        ones, levels = rows.scaled_ones, int(level.max()) + 1
        size = np.bincount(level, ones**2, levels)
        means = sum_by(X.T * ones, level, levels).T / size[:, None]
        rest, C = X - means[level] * ones[:, None], means * np.sqrt(size)[:, None]
    length = np.linalg.norm(X, axis=0)
    qr = _pivoted_qr if len(X) <= ROWS_AT_A_TIME else _pivoted_qr_by_blocks
    Q, R, pivot = qr(rest, np.where(length > 0, length, 1))
    coordinates = np.zeros(R.shape)
    coordinates[:, pivot] = R
    coordinates[:, np.linalg.norm(coordinates, axis=0) < RANK_TOLERANCE] = 0  # rounding
    return Basis(np.ascontiguousarray(Q), coordinates * length, level, size, C, rows)


def _pivoted_qr(X: np.ndarray, scale: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Q (n, r), R (r, p) and pivot (p,) with (X / scale)[:, pivot] = Q R, for X of rank r."""
    Q, R, pivot = linalg.qr(X / scale, mode="economic", pivoting=True)
    r = _rank(R)
    return Q[:, :r], R[:r], pivot


def _pivoted_qr_by_blocks(
    X: np.ndarray, scale: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`_pivoted_qr` for very many rows: R from blocks of rows, Q as X R^-1, made orthonormal once more.

    Source: Benson, Gleich and Demmel (2013), Direct QR factorizations for tall-and-skinny
    matrices in MapReduce architectures, section II (indirect TSQR with iterative refinement).
    """
    R, pivot = linalg.qr(triangle(X, scale), mode="r", pivoting=True)
    r = _rank(R)
    T = np.zeros((X.shape[1], r))
    T[pivot[:r]] = linalg.solve_triangular(R[:r, :r], np.eye(r))
    Q = X @ (T / scale[:, None])
    R_of_Q = triangle(Q, np.ones(r))
    return Q @ linalg.solve_triangular(R_of_Q, np.eye(r)), R_of_Q @ R[:r], pivot


def _rank(R: np.ndarray) -> int:
    return int((np.abs(np.diag(R)) > RANK_TOLERANCE).sum())


def basis_of_means(means: np.ndarray, X: np.ndarray, root: np.ndarray) -> Basis:
    """A basis of group means (p, G) of the columns of X (n, p), times roots (G,) of weights.

    A column whose means are rounding, next to its values, has means of 0.
    """
    zero = np.abs(means).max(axis=1) <= VANISHES * np.abs(X).max(axis=0)
    return orthonormal_basis((np.where(zero[:, None], 0.0, means) * root).T)


def coefficients(basis: Basis, coordinates: np.ndarray) -> np.ndarray:
    """beta (..., p) from coordinates (..., B + r); NaN where X does not identify a coefficient."""
    Lambda, _ = basis.coordinates(np.eye(basis.R.shape[1]))
    beta: np.ndarray = coordinates @ Lambda.T
    return beta


def _solve_rows(S: np.ndarray, L: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Lambda (k, r) with Lambda S = L for S (r, p) of full row rank, and which rows have one.

    Columns of S are brought to one length, so that a covariate's unit does not matter.
    """
    scale = np.linalg.norm(S, axis=0)
    inside = scale > 0
    unit = np.where(inside, scale, 1)
    Q, R = linalg.qr((S / unit).T, mode="economic")
    if np.abs(np.diag(R)).min(initial=1) < RANK_TOLERANCE:
        return np.full((len(L), len(S)), np.nan), np.zeros(len(L), dtype=bool)
    target = L / unit
    Lambda = np.linalg.solve(R, (target @ Q).T).T
    outside = target - (target @ Q) @ Q.T
    outside[:, ~inside] = L[:, ~inside]
    size = np.maximum(np.linalg.norm(target, axis=1), np.finfo(float).tiny)
    estimable = np.linalg.norm(outside, axis=1) < ESTIMABLE_TOLERANCE * size
    return Lambda, estimable


def without_rounding(squares: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Residual sums of squares (R,) of outcomes y (R, n), 0 where they are rounding errors."""
    rounding = y.shape[-1] * (1e-12 * np.abs(y).max(axis=-1)) ** 2
    return np.where(squares <= rounding, 0.0, squares)


def normal_loglik(ssr: float, n: int) -> float:
    """The log-likelihood of n normal residuals at its maximum over their variance."""
    return -n / 2 * (np.log(2 * np.pi * ssr / n) + 1) if ssr > 0 else np.inf
