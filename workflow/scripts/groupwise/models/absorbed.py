"""Least squares with a parameter per group and no column for it: y = X beta + gamma_group + e.

What is estimable is known from the spread within groups and from their means: L beta + w gamma has
the estimate w ybar + (L - w Xbar) beta, where L - w Xbar must be identified within groups, and the
two parts are independent. Exact, and the cost does not grow with the square of the groups.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import linalg

from groupwise.algebra import RANK_TOLERANCE, independent_columns
from groupwise.models.least_squares import (
    Basis,
    normal_loglik,
    orthonormal_basis,
    sum_by,
    sum_of_squares,
)

CANCELLED = 1e-12
"""A difference this small, relative to what it is the difference of, is 0."""


@dataclass(frozen=True)
class Absorbed:
    """The fit of y (n,) on X (n, p) and G groups; the parameter of the first group is 0.

    Attributes
    ----------
    basis : Basis
        Of X within groups, with rank r; `within` (r,) are the coordinates of y on it.
    X, y : (G, p), (G,)
        Means of the groups, which have `size` (G,) members.
    variance, loglik, df_resid, residual
        As in `linear.LinearFit`.
    """

    basis: Basis
    within: np.ndarray
    X: np.ndarray
    y: np.ndarray
    size: np.ndarray
    variance: float
    loglik: float
    df_resid: float
    residual: np.ndarray

    @classmethod
    def of(cls, X: np.ndarray, y: np.ndarray, group: np.ndarray) -> Absorbed:
        """The fit; X is constant in one column, and `group` has codes from 0 without gaps."""
        basis = orthonormal_basis(X, group)
        size = basis.size
        coordinates, residual = basis.project(y)
        means = sum_by(y, group, len(size)) / size
        df, ssr = len(y) - basis.rank, sum_of_squares(float(residual @ residual), y)
        variance = ssr / df if df > 0 else np.nan
        X_means = basis.C / np.sqrt(size)[:, None]
        within = coordinates[len(size) :]
        loglik = normal_loglik(ssr, len(y))
        return cls(basis, within, X_means, means, size, variance, loglik, float(df), residual)

    @property
    def columns(self) -> int:
        """Of the model as it is written down: X and an indicator for every group but the first."""
        return self.X.shape[1] + len(self.size) - 1

    def combine(self, L: np.ndarray, w: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """L beta + w gamma for L (k, p) and w (k, G): estimates and standard errors, and known ones.

        NaN where the combination is not estimable; all three have shape (k,).
        """
        at_means = w @ self.X
        row = L - at_means
        row[np.abs(row) <= CANCELLED * (np.abs(L) + np.abs(at_means))] = 0
        Lambda, known = self.basis.within(row)
        variance = (Lambda**2).sum(axis=1) + (w**2 / self.size).sum(axis=1)
        estimate = w @ self.y + Lambda @ self.within
        std_error = np.sqrt(self.variance * variance)
        return np.where(known, estimate, np.nan), np.where(known, std_error, np.nan), known

    def vcov(self, L: np.ndarray) -> np.ndarray:
        """Covariance (k, k) of combinations L beta that are identified within groups."""
        Lambda, _ = self.basis.within(L)
        return np.asarray(self.variance * (Lambda @ Lambda.T))

    def without_last_groups(self) -> np.ndarray:
        """beta (p,) if a group has no parameter whose indicator X and earlier groups span."""
        scale = np.maximum(np.abs(self.X).max(axis=0), np.finfo(float).tiny)
        spanned = linalg.orth((self.basis.R / scale).T)
        rows = self.X / scale
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        dropped = [0]  # no model has an indicator of the first group
        while True:
            left = rows[dropped[-1]]
            for _ in range(2):
                left = left - spanned @ (spanned.T @ left)
            spanned = np.column_stack([spanned, left / np.linalg.norm(left)])
            if spanned.shape[1] == rows.shape[1]:
                break
            outside = np.linalg.norm(rows - (rows @ spanned) @ spanned.T, axis=1)
            dropped.append(int(np.flatnonzero(outside > RANK_TOLERANCE)[-1]))
        return _solve(np.vstack([self.basis.R, self.X[dropped]]), self.within, self.y[dropped])

    def without_first_columns(self) -> np.ndarray:
        """beta (p,) without columns of X that the groups and later columns span: NaN for these."""
        kept = independent_columns(self.basis.R, np.arange(self.X.shape[1])[:0:-1])
        kept[0] = True  # the intercept, which stands for the first group
        beta = np.full(len(kept), np.nan)
        equations = np.vstack([self.basis.R, self.X[:1]])[:, kept]
        beta[kept] = _solve(equations, self.within, self.y[:1])
        return beta

    def shortest(self) -> np.ndarray:
        """beta (p,) of the solution with the least sum of squares of beta and gamma."""
        fixed = np.vstack([self.basis.R, self.X[:1]])
        beta = _solve(fixed, self.within, self.y[:1])
        free = np.linalg.svd(fixed)[2][len(fixed) :].T
        target = np.concatenate([-beta, self.y - self.X @ beta])
        step = np.linalg.lstsq(np.vstack([free, self.X @ free]), target, rcond=None)[0]
        return np.asarray(beta + free @ step)


def _solve(equations: np.ndarray, *right: np.ndarray) -> np.ndarray:
    """The shortest solution of equations that agree, with rows brought to one length."""
    length = np.linalg.norm(equations, axis=1)
    target = np.concatenate(right) / length
    found: np.ndarray = np.linalg.lstsq(equations / length[:, None], target, rcond=None)[0]
    return found
