"""Least squares cut by groups: what sandwiches and estimating equations need of a design.

In the orthonormal basis of `least_squares` H_gg = Q_g Q_g', and one eigenproblem of the smaller of n_g
and r columns a group is enough. An absorbed factor that holds the groups costs one column more, since a
group touches one of its indicators only.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from groupwise.models.least_squares import Basis, orthonormal_basis
from groupwise.rows import Rows


@dataclass(frozen=True)
class Stack:
    """Groups of one size: K_g = D_g D_g', H_gg with these eigenvalues.

    member (b,) codes of the groups; D (b, w, m); leverage (b, m).
    """

    member: np.ndarray
    D: np.ndarray
    leverage: np.ndarray


@dataclass(frozen=True)
class Clusters:
    """The basis of a design, divided among its groups: what every sandwich of it shares.

    Attributes
    ----------
    basis : Basis
        Of all n rows.
    order, starts : (n,), (G,)
        Rows sorted by group, and where each group starts among them.
    Q : (n, w)
        Sorted rows; the columns of the basis a group can touch: with an absorbed factor its own
        indicator comes first.
    level : (G,) or None
        The level of the absorbed factor each group lies in.
    stacks : tuple of Stack
    """

    basis: Basis
    order: np.ndarray
    starts: np.ndarray
    Q: np.ndarray
    level: np.ndarray | None
    stacks: tuple[Stack, ...]

    @property
    def n_obs(self) -> int:
        return self.basis.rows.n_obs

    @property
    def n_groups(self) -> int:
        """Groups there are, which can be more than the cuts."""
        return int(np.rint(self.frequency.sum()))

    @property
    def frequency(self) -> np.ndarray:
        """(G,) for how many groups each stands."""
        return self.basis.rows.frequency[self.order][self.starts]

    @property
    def size(self) -> np.ndarray:
        """(G,) individuals of each group."""
        return np.rint(self.sums(self.basis.rows.ones)).astype(int)

    def sums(self, values: np.ndarray) -> np.ndarray:
        """Sums (..., G) over the individuals of each group, of values in the rows (..., n)."""
        weighted = (values * self.basis.rows.ones)[..., self.order]
        return np.asarray(np.add.reduceat(weighted, self.starts, axis=-1))

    def local(self, Lambda: np.ndarray) -> np.ndarray:
        """Coordinates (k, B + r) as each group sees them: (G, k, w)."""
        B = len(self.basis.size)
        shared = np.broadcast_to(Lambda[:, B:], (len(self.starts), *Lambda[:, B:].shape))
        if self.level is None:
            return shared
        return np.concatenate([Lambda.T[self.level][..., None], shared], axis=-1)

    def scores(self, residual: np.ndarray) -> np.ndarray:
        """Q_g' e_g of residuals (..., n): (..., G, w)."""
        e = residual[..., self.order]
        columns = [np.add.reduceat(e * q, self.starts, axis=-1) for q in self.Q.T]
        return np.stack(columns, axis=-1)

    def leverages(self, x: np.ndarray) -> np.ndarray:
        """K_g x_g for x (G, k, w)."""
        out = np.empty(x.shape)
        for stack in self.stacks:
            out[stack.member] = (x[stack.member] @ stack.D) @ stack.D.transpose(0, 2, 1)
        return out


def cluster_design(
    X: np.ndarray,
    group: np.ndarray,
    absorb: np.ndarray | None = None,
    rows: Rows | None = None,
) -> Clusters:
    """Cut a design by groups, once for all outcomes.

    Parameters
    ----------
    X : (n, p)
        May be rank-deficient; only estimable combinations then have answers.
    group : (n,)
        Labels of the clusters.
    absorb : (n,), optional
        Labels of a factor whose indicators belong to the model, whether X has them or not (see
        `Basis.coordinates`). It has to hold the groups: each within one level.
    rows : what the n rows are; individuals, if left out

    Raises
    ------
    ValueError
        If a group lies in several levels of the absorbed factor.
    """
    codes, starts, order = _sorted_codes(group)
    levels = None if absorb is None else np.unique(absorb, return_inverse=True)[1]
    rows = rows or Rows.individuals(len(X))
    basis = orthonormal_basis(X, levels, rows)
    # Of one of the groups that a row stands for: K_g is its own, and scores are scaled as y is.
    one = 1 / np.sqrt(rows.frequency[order])
    Q, level = basis.Q[order] * one[:, None], None
    if levels is not None:
        level = levels[order][starts]
        if (levels != level[codes]).any():
            raise ValueError("a group lies in several levels of the absorbed factor")
        Q = np.column_stack([rows.ones[order] / np.sqrt(basis.size[levels[order]]), Q])
    return Clusters(basis, order, starts, Q, level, _stacks(Q, starts))


def _sorted_codes(group: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    codes = np.unique(group, return_inverse=True)[1]
    order = np.argsort(codes, kind="stable")
    return codes, np.searchsorted(codes[order], np.arange(codes.max() + 1)), order


def _stacks(Q: np.ndarray, starts: np.ndarray) -> tuple[Stack, ...]:
    """Eigenvalues of H_gg from the smaller of Q_g Q_g' and Q_g' Q_g, groups of one size together."""
    size, w = np.diff(np.append(starts, len(Q))), Q.shape[1]
    stacks = []
    for n_g in np.unique(size):
        member = np.flatnonzero(size == n_g)
        Q_g = Q[starts[member][:, None] + np.arange(n_g)]
        across = Q_g.transpose(0, 2, 1)
        leverage, V = np.linalg.eigh(Q_g @ across if n_g <= w else across @ Q_g)
        leverage = np.clip(leverage, 0, 1)
        D = across @ V if n_g <= w else V * np.sqrt(leverage)[:, None, :]
        stacks.append(Stack(member, D, leverage))
    return tuple(stacks)


@dataclass(frozen=True)
class Projected:
    """Outcomes y (..., n) in the coordinates of their design.

    coordinates (..., B + r) on the basis, residual (..., n), scores (..., G, w): Q_g'e_g.
    """

    clusters: Clusters
    coordinates: np.ndarray
    residual: np.ndarray
    scores: np.ndarray

    @classmethod
    def of(cls, clusters: Clusters, y: np.ndarray) -> Projected:
        coordinates, residual = clusters.basis.project(y)
        return cls(clusters, coordinates, residual, clusters.scores(residual))
