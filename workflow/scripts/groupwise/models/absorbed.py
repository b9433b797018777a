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
from groupwise.models.least_squares import Basis, orthonormal_basis, without_rounding
from groupwise.rows import Rows

CANCELLED = 1e-12
"""A difference this small, relative to what it is the difference of, is 0."""


@dataclass(frozen=True)
class GroupParameters:
    """The model with a parameter for each of G groups, for X (n, p): what no outcome changes.

    Attributes
    ----------
    basis : Basis
        Of X within groups, with rank r.
    X : (G, p)
        Means of the groups, which have `size` (G,) members.
    frequency : (G,)
        For how many groups each stands; `size` is of all of them.
    """

    basis: Basis
    X: np.ndarray
    size: np.ndarray
    frequency: np.ndarray

    @classmethod
    def of(cls, X: np.ndarray, group: np.ndarray, rows: Rows | None = None) -> GroupParameters:
        """X holds the constant, and `group` has codes from 0 without gaps; `rows`: individuals."""
        basis = orthonormal_basis(X, group, rows)
        means = basis.C / np.sqrt(basis.size)[:, None]
        frequency = basis.rows.frequencies(group, len(means))
        return cls(basis, means, basis.size, frequency)

    @property
    def columns(self) -> int:
        """Number of columns of X and of indicators of every group but the first."""
        return self.X.shape[1] + len(self.size) - 1

    def combination(self, L: np.ndarray, w: np.ndarray) -> Combination:
        """L beta + w gamma for L (k, p) and w (k, G)."""
        at_means = w @ self.X
        row = L - at_means
        row[np.abs(row) <= CANCELLED * (np.abs(L) + np.abs(at_means))] = 0
        return Combination(*self.basis.within(row), w, self.size)

    def fit(self, y: np.ndarray) -> AbsorbedFit:
        """Least squares of outcomes y (R, n)."""
        coordinates, residual = self.basis.project(y)
        G = len(self.size)
        means = coordinates[:, :G] / np.sqrt(self.size)
        squares = without_rounding(np.einsum("ri,ri->r", residual, residual), y)
        rank = int(np.rint(self.frequency.sum())) + self.basis.Q.shape[1]
        df = self.basis.rows.n_obs - rank
        return AbsorbedFit(self, coordinates[:, G:], means, squares, residual, df)


@dataclass(frozen=True)
class Combination:
    """k combinations of coefficients and group parameters, and which are `estimable` (k,).

    Lambda (k, r) are weights of the coordinates within groups, w (k, G) of the group means.
    """

    Lambda: np.ndarray
    estimable: np.ndarray
    w: np.ndarray
    size: np.ndarray

    @property
    def vcov(self) -> np.ndarray:
        """(k, k) in units of the residual variance: the two parts are independent."""
        vcov = self.Lambda @ self.Lambda.T + (self.w / self.size) @ self.w.T
        return np.where(self.estimable[:, None] & self.estimable, vcov, np.nan)

    @property
    def length(self) -> np.ndarray:
        """(k,) standard errors in units of the residual standard deviation."""
        squares = (self.Lambda**2).sum(axis=1) + (self.w**2 / self.size).sum(axis=1)
        return np.where(self.estimable, np.sqrt(squares), np.nan)


@dataclass(frozen=True)
class AbsorbedFit:
    """Fits of R outcomes; the parameter of the first group is 0.

    `within` (R, r) are coordinates on `basis`, `means` (R, G) of the groups, `squares` (R,) residual
    sums of squares, `residual` (R, n), `df` n - rank.
    """

    model: GroupParameters
    within: np.ndarray
    means: np.ndarray
    squares: np.ndarray
    residual: np.ndarray
    df: int

    @property
    def variance(self) -> np.ndarray:
        """(R,) of the residuals; NaN where no degree of freedom is left."""
        return self.squares / self.df if self.df > 0 else np.full(len(self.squares), np.nan)

    def estimate(self, combination: Combination) -> np.ndarray:
        """Estimates (R, k) of the combinations; NaN where one is not estimable."""
        estimate = self.means @ combination.w.T + self.within @ combination.Lambda.T
        return np.where(combination.estimable, estimate, np.nan)


@dataclass(frozen=True)
class Conventions:
    """Coefficients of X that programs print for one outcome though groups are aliased with X.

    `within` (r,) and `means` (G,) are those of one outcome of an `AbsorbedFit`.
    """

    model: GroupParameters
    within: np.ndarray
    means: np.ndarray

    def without_last_groups(self) -> np.ndarray:
        """Coefficients if a group has no parameter whose indicator X and earlier groups span.

        NaN for these; beta (p,) stands before the parameters of all groups but the first, (G - 1,).
        """
        X = self.model.X
        scale = np.maximum(np.abs(X).max(axis=0), np.finfo(float).tiny)
        spanned = linalg.orth((self.model.basis.R / scale).T)
        rows = X / scale
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        dropped = [0]  # no model has an indicator of the first group
        while True:
            residual = rows[dropped[-1]]
            for _ in range(2):
                residual = residual - spanned @ (spanned.T @ residual)
            spanned = np.column_stack([spanned, residual / np.linalg.norm(residual)])
            if spanned.shape[1] == rows.shape[1]:
                break
            outside = np.linalg.norm(rows - (rows @ spanned) @ spanned.T, axis=1)
            dropped.append(int(np.flatnonzero(outside > RANK_TOLERANCE)[-1]))
        beta = self._solved(np.arange(X.shape[1]), dropped)
        return self._with_groups(beta, dropped)

    def without_first_columns(self) -> np.ndarray:
        """Coefficients without columns of X that the groups and later columns span: NaN for these."""
        independent = independent_columns(
            self.model.basis.R, np.arange(self.model.X.shape[1])[:0:-1]
        )
        independent[0] = True  # the intercept, which stands for the first group
        beta = np.zeros(len(independent))
        beta[independent] = self._solved(np.flatnonzero(independent), [0])
        coefficients = self._with_groups(beta, [0])
        coefficients[: len(independent)][~independent] = np.nan
        return coefficients

    def shortest(self) -> np.ndarray:
        """Coefficients of the solution with the least sum of squares: a pseudo-inverse's."""
        X = self.model.X
        fixed = np.vstack([self.model.basis.R, X[:1]])
        beta = self._solved(np.arange(X.shape[1]), [0])
        free = np.linalg.svd(fixed)[2][len(fixed) :].T
        target = np.concatenate([-beta, self.means - X @ beta])
        step = np.linalg.lstsq(np.vstack([free, X @ free]), target, rcond=None)[0]
        return self._with_groups(beta + free @ step, [0])

    def _solved(self, columns: np.ndarray, groups: list[int]) -> np.ndarray:
        """The shortest beta of these columns that agrees within groups, and with these groups' means."""
        equations = np.vstack([self.model.basis.R, self.model.X[groups]])[:, columns]
        length = np.linalg.norm(equations, axis=1)
        target = np.concatenate([self.within, self.means[groups]]) / length
        beta: np.ndarray = np.linalg.lstsq(equations / length[:, None], target, rcond=None)[0]
        return beta

    def _with_groups(self, beta: np.ndarray, dropped: list[int]) -> np.ndarray:
        """beta and the parameters of the groups, NaN for those that were dropped."""
        gamma = self.means - self.model.X @ beta
        gamma[dropped] = np.nan
        return np.concatenate([beta, gamma[1:]])
