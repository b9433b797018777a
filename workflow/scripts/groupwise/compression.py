"""A design in fewer rows: what least squares and normal mixed models need of its individuals.

Individuals alike in group, arm, block and second group form a cell. In each cell an orthonormal basis U_c
of the vector of ones and of the columns of X that vary there takes the place of individuals: X becomes
U'X, an outcome U'y, and one more row holds the length of what U leaves of it. Every inner product of
outcomes, columns of X and indicators is what it was, so every method that needs nothing else has the
same answer. Without covariates of individuals a cell is one row.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse

from groupwise.algebra import RANK_TOLERANCE
from groupwise.design import Design
from groupwise.rows import Rows

AT_A_TIME = 2**22
"""Outcomes that are compressed at a time."""


@dataclass(frozen=True)
class Compression:
    """A design in m rows, and the way there.

    Attributes
    ----------
    design : of m rows
    U : (n, m) or, where a row for the remainder follows, (n, m - 1): orthonormal columns
    remaining : (J,) degrees of freedom that U leaves of the individuals of each arm
    """

    design: Design
    U: sparse.csr_array
    remaining: np.ndarray

    @classmethod
    def of(cls, design: Design) -> Compression:
        """The compressed form of a design of individuals."""
        cell, first = _cells(design)
        U, cell_of = _basis(design.X, cell)
        codes = {
            name: None if each is None else each[first][cell_of]
            for name, each in _codes(design).items()
        }
        used = np.bincount(codes["arm"], minlength=len(design.arm_labels))
        remaining = np.bincount(design.arm, minlength=len(design.arm_labels)) - used
        X, ones = U.T @ design.X, U.T @ np.ones(len(cell))
        if remaining.sum():
            X, ones = np.vstack([X, np.zeros(X.shape[1])]), np.append(ones, 0.0)
            codes = {name: None if each is None else np.append(each, each[0]) for name, each in codes.items()}
        rows = Rows(ones, design.n_obs, int(remaining.sum()))
        return cls(replace(design, X=X, rows=rows, **codes), U, remaining)

    def compress(self, y: np.ndarray) -> np.ndarray:
        """Outcomes (R, m) of the rows, from outcomes (R, n) of individuals."""
        step = max(1, AT_A_TIME // y.shape[-1])
        parts = [self._compress(y[start : start + step]) for start in range(0, len(y), step)]
        return np.concatenate(parts)

    def _compress(self, y: np.ndarray) -> np.ndarray:
        z = np.asarray(y @ self.U)
        if not self.design.rows.remainder:
            return z
        length = np.linalg.norm(y - np.asarray(z @ self.U.T), axis=-1)
        return np.column_stack([z, length])


def _codes(design: Design) -> dict[str, np.ndarray | None]:
    return {name: getattr(design, name) for name in ("group", "arm", "block", "second")}


def _cells(design: Design) -> tuple[np.ndarray, np.ndarray]:
    """The cell of each individual (n,), and one individual of each cell."""
    cell = np.zeros(design.n_obs, dtype=int)
    first = cell[:1]
    for codes in filter(lambda each: each is not None, _codes(design).values()):
        number = cell * (codes.max() + 1) + codes
        _, first, cell = np.unique(number, return_index=True, return_inverse=True)
    return cell, first


def _basis(X: np.ndarray, cell: np.ndarray) -> tuple[sparse.csr_array, np.ndarray]:
    """U (n, m), and the cell of each of its columns: first those of the vector of ones, by cell."""
    n, size = len(cell), np.bincount(cell)
    order = np.argsort(cell, kind="stable")
    starts = np.cumsum(size) - size
    means = np.add.reduceat(X[order], starts) / size[:, None]
    centred = X - means[cell]
    scale = np.maximum(np.abs(X).max(axis=0), np.finfo(float).tiny)
    varies = np.abs(centred).max(axis=0) > RANK_TOLERANCE * scale
    rows, columns, values = [np.arange(n)], [cell], [1 / np.sqrt(size[cell])]
    cell_of = [np.arange(len(size))]
    width = len(size)
    for n_c in np.unique(size[size > 1]) if varies.any() else ():
        which = np.flatnonzero(size == n_c)
        member = order[starts[which][:, None] + np.arange(n_c)]
        left, s, _ = np.linalg.svd(centred[member][:, :, varies] / scale[varies], full_matrices=False)
        c, j = np.nonzero(s > RANK_TOLERANCE * np.sqrt(n_c))
        rows.append(member[c].ravel())
        columns.append(np.repeat(width + np.arange(len(c)), n_c))
        values.append(left[c, :, j].ravel())
        cell_of.append(which[c])
        width += len(c)
    where = (np.concatenate(rows), np.concatenate(columns))
    U = sparse.csr_array((np.concatenate(values), where), shape=(n, width))
    return U, np.concatenate(cell_of)
