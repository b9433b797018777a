"""One random intercept, any number of replicates at once: REML and ML from group sums.

    y = X beta + u_group + e,   Var(y) = s2_e H,   H = I + lambda Z Z',   lambda = theta^2 = s2_u / s2_e

With M the projection off X, the criterion needs of y only its projections on the eigenvectors of
Z'MZ (Crainiceanu and Ruppert 2004, J. R. Statist. Soc. B 66, theorem 1):

    log|H| + log|X'H^-1 X| - log|X'X| = sum_k mult_k log(1 + lambda mu_k)
    y'(H^-1 - H^-1 X (X'H^-1 X)^-1 X'H^-1) y = rest + sum_k ss_k / (1 + lambda mu_k)

The mu_k are a property of the design. Groups of one size m share the eigenvalue m in every
direction that X does not touch, at most p directions a size are left to be computed, and equal
eigenvalues are merged. Where many differ, sums over them are made at fewer nodes (`_nodes`): an
evaluation costs a few operations per node and replicate.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any, Protocol, Self, cast

import numpy as np
from numpy.polynomial import chebyshev
from scipy import sparse

from groupwise.algebra import Bordered, chi_squared, semidefinite_cholesky
from groupwise.models.information import Information, bordered, for_last_combinations
from groupwise.models.interface import parts_of_draws
from groupwise.models.least_squares import orthonormal_basis
from groupwise.rows import Rows

LARGEST_EIGENPROBLEM = 1000
"""Above this order the criterion is evaluated from cross-products by group size instead."""

GRID = np.concatenate([[0.0], np.logspace(-4, 10, 57)])
"""Trial values of lambda times the typical eigenvalue: they bracket the global minimum."""

MOST_STEPS = 100
"""Newton needs about five; bisection alone would need some 40."""

BLOCK = 2**16
"""Numbers of y that are worked on at a time, so that they stay in the processor's cache."""

ROUNDING = 1e-13
"""Eigenvalues of a part of the identity below this, times its order, are 0."""

INTERPOLATED = 1e-16
"""The error of 1 / (1 + lambda mu) between nodes, relative to it."""

EXPLAINED = 1e-12
"""A share of the outcome's sum of squares this small is rounding, not variation."""


@dataclass(frozen=True)
class CriterionSlopes:
    """Derivatives at lambda, every array (B,): of l = log-determinant and q = quadratic form."""

    l1: np.ndarray
    l2: np.ndarray
    q: np.ndarray
    q1: np.ndarray
    q2: np.ndarray


class Profile(Protocol):
    """What the criterion needs of B outcomes: l(lambda) and q(lambda), with two derivatives.

    `df` is n - p for REML and n for ML; `scale` is a typical eigenvalue, which gives lambda a unit.
    """

    @property
    def df(self) -> int: ...

    @property
    def scale(self) -> float: ...

    @property
    def n_outcomes(self) -> int: ...

    def logdet(self, lam: np.ndarray) -> np.ndarray:
        """l at lambda, shape (B,)."""

    def value(self, lam: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """l and q at lambda, shape (B,)."""

    def grid(self, lam: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """l, shape (g,) or (B, g), and q, shape (B, g), at g values shared by all outcomes."""

    def slopes(self, lam: np.ndarray) -> CriterionSlopes:
        """Derivatives at lambda, shape (B,)."""

    def take(self, which: np.ndarray) -> Profile:
        """The profile of the outcomes with these indices."""


@dataclass(frozen=True)
class Spectral:
    """`Profile` from eigenvalues: mu (K,), ss (B, K), rest (B,); det_mu and det_mult make l.

    Or from nodes in place of eigenvalues, see `Eigenbasis`: there ss and det_mult can be negative.
    """

    mu: np.ndarray
    ss: np.ndarray
    rest: np.ndarray
    det_mu: np.ndarray
    det_mult: np.ndarray
    df: int

    @property
    def scale(self) -> float:
        return float(self.det_mu @ self.det_mult / self.det_mult.sum())

    @property
    def n_outcomes(self) -> int:
        return len(self.rest)

    def logdet(self, lam: np.ndarray) -> np.ndarray:
        return np.asarray(np.log1p(lam[:, None] * self.det_mu) @ self.det_mult)

    def value(self, lam: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        q = self.rest + np.einsum("bk,bk->b", self.ss, _reciprocal(lam, self.mu))
        return self.logdet(lam), q

    def grid(self, lam: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return self.logdet(lam), self.rest[:, None] + self.ss @ _reciprocal(self.mu, lam)

    def slopes(self, lam: np.ndarray) -> CriterionSlopes:
        # In place: temporary arrays of all outcomes and eigenvalues take longer than the arithmetic.
        t = _reciprocal(lam, self.mu)
        w = self.ss * t
        q = self.rest + w.sum(axis=1)
        nu = np.multiply(t, self.mu, out=t)
        w *= nu
        q1, q2 = -w.sum(axis=1), 2 * np.einsum("bk,bk->b", w, nu)
        if self.det_mu is not self.mu:
            nu = _reciprocal(lam, self.det_mu)
            nu *= self.det_mu
        l1 = nu @ self.det_mult
        nu *= nu
        return CriterionSlopes(l1=l1, l2=-(nu @ self.det_mult), q=q, q1=q1, q2=q2)

    def take(self, which: np.ndarray) -> Spectral:
        return replace(self, ss=self.ss[which], rest=self.rest[which])


@dataclass(frozen=True)
class BySize:
    """`Profile` from cross-products by group size, for designs with very many distinct sizes.

    size (d,), count (d,); of A = [X, residual of y]: xx (d, p, p), xy (B, d, p), yy (B, d) sum
    the products of group sums over the groups of a size; rss (B,).
    """

    size: np.ndarray
    count: np.ndarray
    xx: np.ndarray
    xy: np.ndarray
    yy: np.ndarray
    rss: np.ndarray
    reml: bool
    df: int

    @property
    def scale(self) -> float:
        return float(self.size @ self.count / self.count.sum())

    @property
    def n_outcomes(self) -> int:
        return len(self.rss)

    def logdet(self, lam: np.ndarray) -> np.ndarray:
        return self.value(lam)[0]

    def value(self, lam: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        t = 1 / (1 + lam[:, None] * self.size)
        k = lam[:, None] * t
        C, c, rest = self._cross(k, identity=1.0)
        logdet = -np.log(t) @ self.count
        if self.reml:
            logdet = logdet + np.linalg.slogdet(C)[1]
        v = np.linalg.solve(C, c[..., None])[..., 0]
        return logdet, self.rss + rest - np.einsum("bp,bp->b", c, v)

    def grid(self, lam: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        values = [self.value(np.full(len(self.rss), each)) for each in lam]
        return (
            np.stack([each[0] for each in values], axis=1),
            np.stack([each[1] for each in values], axis=1),
        )

    def slopes(self, lam: np.ndarray) -> CriterionSlopes:
        t = 1 / (1 + lam[:, None] * self.size)
        C, c, rest = self._cross(lam[:, None] * t, identity=1.0)
        C1, c1, rest1 = self._cross(t**2)
        C2, c2, rest2 = self._cross(-2 * self.size * t**3)
        F = np.linalg.inv(C)
        v, nu = _times(F, c), self.size * t
        turn = c1 - _times(C1, v)
        l1, l2 = nu @ self.count, -(nu**2) @ self.count
        if self.reml:
            FC1 = F @ C1
            l1 = l1 + np.trace(FC1, axis1=1, axis2=2)
            l2 = l2 + np.einsum("bij,bji->b", F, C2) - np.einsum("bij,bji->b", FC1, FC1)
        return CriterionSlopes(
            l1=l1,
            l2=l2,
            q=self.rss + rest - _dot(c, v),
            q1=rest1 - 2 * _dot(c1, v) + _dot(v, _times(C1, v)),
            q2=rest2 - 2 * _dot(c2, v) + _dot(v, _times(C2, v)) - 2 * _dot(turn, _times(F, turn)),
        )

    def take(self, which: np.ndarray) -> BySize:
        return replace(self, xy=self.xy[which], yy=self.yy[which], rss=self.rss[which])

    def _cross(
        self, k: np.ndarray, *, identity: float = 0.0
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Q'H^-1 Q (B, p, p), Q'H^-1 e (B, p) and e'H^-1 e - e'e (B,) for weights k (B, d) of sizes,
        k = lambda / (1 + lambda m), or their derivatives in lambda for the derivatives of k.
        """
        p = self.xx.shape[-1]
        reduction = k @ self.xx.reshape(len(self.size), p * p)
        C = identity * np.eye(p) - reduction.reshape(len(k), p, p)
        return C, -np.einsum("bd,bdp->bp", k, self.xy), -np.einsum("bd,bd->b", k, self.yy)


class Sums:
    """What `OutcomeSums` and `DrawnSums` share: each array starts with the B outcomes."""

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """The batches of outcomes `parts`, concatenated along the first axis."""
        return parts[0]._each(lambda *of_parts: np.concatenate(of_parts), parts)

    def take(self, which: np.ndarray | slice) -> Self:
        """Some of the outcomes."""
        return self._each(lambda values: values[which], [self])

    def _each(self, change: Callable[..., np.ndarray], parts: Sequence[Self]) -> Self:
        names = [each.name for each in fields(cast(Any, self))]
        arrays = [name for name in names if isinstance(getattr(self, name), np.ndarray)]
        changed = {name: change(*(getattr(part, name) for part in parts)) for name in arrays}
        return cast(Self, replace(cast(Any, self), **changed))


@dataclass(frozen=True)
class OutcomeSums(Sums):
    """Sufficient statistics of B outcomes for a random-intercept model.

    gamma (B, p): OLS effects in the basis Q; along (B, r) and beside (B, d): the group sums of the OLS
    residual along `Directions`, and the sum of squares of what they leave of those of each size; rss
    (B,): its sum of squares; total (B,): y'y.
    """

    gamma: np.ndarray
    along: np.ndarray
    beside: np.ndarray
    rss: np.ndarray
    total: np.ndarray

    def __len__(self) -> int:
        return len(self.rss)

    @property
    def usable(self) -> np.ndarray:
        """(B,) whether they are finite, and not explained by X completely."""
        return np.isfinite(self.rss) & (self.rss > EXPLAINED**2 * self.total)

    def effects(self, rows: np.ndarray) -> np.ndarray:
        """(B, k): OLS combinations, `rows` (k, p) of the basis Q."""
        return np.asarray(self.gamma @ rows.T)

    def roots(self, basis: Eigenbasis) -> np.ndarray:
        """(B, r'): the projections on the eigenvectors among the directions."""
        return np.asarray(self.along @ basis.turn)

    def rest(self, ss: np.ndarray) -> np.ndarray:
        """(B,): the residual sum of squares without those of the eigenvectors, ss (B, d' + r')."""
        return np.maximum(self.rss - ss.sum(axis=1), 0)


@dataclass(frozen=True)
class DrawnSums(Sums):
    """The same of B outcomes that were drawn at beta = 0, as independent parts: what is not asked for
    is not computed.

    means (B, r): of groups, times their size the sums along the directions; beside (B, d): as in
    `OutcomeSums`; inner (B, q): Q'y less its part between groups is `within_root` times this; left
    (B,): what neither Q nor the groups explain of the sum of squares.
    """

    model: RandomIntercept
    means: np.ndarray
    beside: np.ndarray
    inner: np.ndarray
    left: np.ndarray

    def __len__(self) -> int:
        return len(self.left)

    @property
    def usable(self) -> np.ndarray:
        """(B,) all are: X never explains what was drawn."""
        return np.ones(len(self), dtype=bool)

    def effects(self, rows: np.ndarray) -> np.ndarray:
        """(B, k): OLS combinations, `rows` (k, p) of the basis Q."""
        model = self.model
        return np.asarray(
            self.means @ (model.turned @ rows.T) + self.inner @ (model.within_root.T @ rows.T)
        )

    def roots(self, basis: Eigenbasis) -> np.ndarray:
        """(B, r'): the projections on the eigenvectors b, by Z'MZ b = mu b."""
        between, within = self.model.root_maps
        return np.asarray(self.means @ between - self.inner @ within)

    def rest(self, ss: np.ndarray) -> np.ndarray:
        """(B,): the residual sum of squares without those of the eigenvectors."""
        return self.left

    @cached_property
    def gamma(self) -> np.ndarray:
        """(B, p): see `OutcomeSums`."""
        return self.effects(np.eye(self.model.p))

    @cached_property
    def along(self) -> np.ndarray:
        """(B, r): see `OutcomeSums`."""
        sums = self.means * self.model.size[self.model.directions.size_of]
        return np.asarray(sums - self.gamma @ self.model.turned.T)

    @cached_property
    def total(self) -> np.ndarray:
        """(B,): y'y."""
        size = self.model.size
        between = self.means**2 @ size[self.model.directions.size_of]
        beside = (self.beside / size).sum(axis=1)
        return np.asarray(between + beside + _dot(self.inner, self.inner) + self.left)

    @cached_property
    def rss(self) -> np.ndarray:
        """(B,): see `OutcomeSums`."""
        return np.asarray(self.total - _dot(self.gamma, self.gamma))


@dataclass(frozen=True)
class Directions:
    """An orthonormal basis, groups of one size at a time, of the sums over groups of the columns of X.

    rotate (G, r): the basis; same_size (G, d): which group has which size; size_of (r,): the size of
    each direction, as an index; left (d,): how many dimensions the groups of a size have besides.
    """

    rotate: sparse.csr_array
    same_size: sparse.csr_array
    size_of: np.ndarray
    left: np.ndarray

    @classmethod
    def of(cls, S: np.ndarray, size_of: np.ndarray, count: np.ndarray) -> Directions:
        """The directions of the sums S (G, p) of groups with sizes `size_of`, `count` (d,) of each.

        Those of X itself, and in its order, so that draws along them do not depend on a choice of Q.
        """
        G, d = len(size_of), len(count)
        members = _members(size_of)
        blocks = [_orthonormal(S[who]) for who in members]
        each = np.array([block.shape[1] for block in blocks])
        first = np.cumsum(each) - each
        rows = [np.repeat(who, k) for who, k in zip(members, each, strict=True)]
        columns = [
            np.tile(start + np.arange(k), len(who))
            for start, k, who in zip(first, each, members, strict=True)
        ]
        values = np.concatenate([block.ravel() for block in blocks])
        where = (np.concatenate(rows), np.concatenate(columns))
        rotate = sparse.csr_array((values, where), shape=(G, int(each.sum())))
        same_size = sparse.csr_array((np.ones(G), size_of, np.arange(G + 1)), shape=(G, d))
        return cls(rotate, same_size, np.repeat(np.arange(d), each), count - each)

    def split(self, group: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Group sums (B, G) along the directions (B, r), and squares (B, d) of what is beside them."""
        along = _by_sparse(group, self.rotate)
        beside = _by_sparse(group**2, self.same_size) - self.by_size(along**2)
        return along, np.maximum(beside, 0)

    def by_size(self, values: np.ndarray) -> np.ndarray:
        """(B, d): sums over the directions of each size of values (B, r)."""
        return np.asarray(values @ (self.size_of[:, None] == np.arange(len(self.left))))


@dataclass(frozen=True)
class Eigenbasis:
    """Maps `OutcomeSums` to `Spectral`.

    beside, size_beside (d',): sizes with groups besides the directions, as indices and themselves;
    turn (r, r'): eigenvectors among the directions, over the roots of their eigenvalues mu_of_turn
    (r',); fixed (r, r0): those of eigenvalue 0; mu, mult (K,): the distinct eigenvalues, and how often
    each occurs; nodes, count (J,): the same, or fewer that serve as well, see `_nodes`; gather
    (d' + r', J): what of each square stands at each node.
    """

    beside: np.ndarray
    size_beside: np.ndarray
    turn: np.ndarray
    mu_of_turn: np.ndarray
    fixed: np.ndarray
    mu: np.ndarray
    mult: np.ndarray
    nodes: np.ndarray
    count: np.ndarray
    gather: np.ndarray

    def squares(self, beside: np.ndarray, roots: np.ndarray) -> np.ndarray:
        """Sums of squares (B, d' + r') from `OutcomeSums.beside` (B, d) and `roots` (B, r')."""
        d = len(self.beside)
        squares = np.empty((len(roots), d + roots.shape[1]))
        squares[:, :d] = beside[:, self.beside] / self.size_beside
        np.square(roots, out=squares[:, d:])
        return squares


@dataclass(frozen=True)
class RandomIntercept:
    """A design with one random intercept: everything that does not depend on the outcome.

    X = Q R with Q orthonormal, or (see `restricted`) Q spans a part of X; S are the group sums of Q.

    Attributes
    ----------
    X : (m, p), group : (m,) codes from 0
    rows : what the m rows are
    Z : (m, G) indicators, sparse
    to_beta : (p, p)
        R^-1: effects of Q times this are effects of X; logdet_R : log|X'X| / 2.
    n_blocks
        So many columns of Q are the indicators of blocks that hold the groups, scaled: they stand first,
        and there `within` is 0 and `between` is diagonal.
    group_size : (G,), size : (d,) distinct sizes, count : (d,) groups of each
    size_of : (G,) index into `size`
    S : (G, p)
    frequency : (G,) for how many groups each stands
    directions : in which the group sums of outcomes matter
    between : (d, p, p)
        Sums of S_g S_g' over the groups of a size, divided by the size.
    within : (p, p)
        I - sum of `between`: what X'X keeps when group means are removed.
    """

    X: np.ndarray
    group: np.ndarray
    rows: Rows
    Z: sparse.csr_array
    to_beta: np.ndarray
    logdet_R: float
    n_blocks: int
    group_size: np.ndarray
    size: np.ndarray
    count: np.ndarray
    size_of: np.ndarray
    S: np.ndarray
    frequency: np.ndarray
    directions: Directions
    between: np.ndarray
    within: np.ndarray

    @classmethod
    def of(
        cls,
        X: np.ndarray,
        group: np.ndarray,
        rows: Rows | None = None,
        block: np.ndarray | None = None,
    ) -> RandomIntercept:
        """The model of X (m, p) and of groups (m,), coded from 0: all that does not depend on outcomes.

        Rows are individuals unless `rows` says otherwise. `block` (m,) are codes, from 0, of a factor
        of which X has the indicators (one may be left out for the intercept), each group in one level.

        Raises
        ------
        ValueError
            If X has dependent columns, if codes leave a group empty, or if the design cannot tell
            the two variances apart.
        """
        m, p = X.shape
        rows = rows or Rows.individuals(m)
        if np.bincount(group).min() == 0:
            raise ValueError("The codes of the groups must run from 0 without a gap.")
        group_size = rows.sizes(group, int(group.max()) + 1)
        R, n_blocks = _basis(X, rows, block)
        to_beta = np.linalg.solve(R, np.eye(p))
        Z = sparse.csr_array((rows.ones, group, np.arange(m + 1)), shape=(m, len(group_size)))
        of_X = np.asarray((X.T @ Z).T)
        S = of_X @ to_beta
        size, size_of = np.unique(group_size, return_inverse=True)
        frequency = rows.frequencies(group, len(group_size))
        count = np.rint(np.bincount(size_of, frequency)).astype(int)
        between = _by_size(S, size_of) / size[:, None, None]
        model = cls(
            X=X,
            group=group,
            rows=rows,
            Z=Z,
            to_beta=to_beta,
            logdet_R=float(np.linalg.slogdet(R)[1]),
            n_blocks=n_blocks,
            group_size=group_size,
            size=size.astype(float),
            count=count,
            size_of=size_of,
            S=S,
            frequency=frequency,
            directions=Directions.of(of_X / np.linalg.norm(X, axis=0), size_of, count),
            between=between,
            within=_without_rounding(np.eye(p) - between.sum(axis=0)),
        )
        model._check_identified()
        return model

    def _check_identified(self) -> None:
        G, p = int(self.count.sum()), self.p
        between = G - p + int((np.linalg.eigvalsh(self.within) > ROUNDING * p).sum())
        if between <= 0:
            raise ValueError(
                "The fixed effects determine every group's mean: there is no variation between "
                "groups to estimate their variance from."
            )
        if self.group_size.max() == 1:
            raise ValueError(
                "Every group has one member: its own variance and its member's cannot be told apart."
            )
        if self.n_obs - p - between <= 0:
            raise ValueError(
                "No group varies within itself, apart from what the fixed effects explain: the "
                "residual variance cannot be told from that of the groups."
            )

    @property
    def n_obs(self) -> int:
        return self.rows.n_obs

    @property
    def at_a_time(self) -> int:
        """Number of draws that are fitted together: more do not fit the cache, fewer cost more calls."""
        return 2 * BLOCK // max(len(GRID), len(self.directions.size_of))

    @property
    def p(self) -> int:
        """Columns of Q."""
        return self.S.shape[1]

    @cached_property
    def basis(self) -> Eigenbasis | None:
        """The eigenvalues, or None where the eigenproblem would be too large."""
        if len(self.directions.size_of) > LARGEST_EIGENPROBLEM:
            return None
        return _eigenbasis(self.turned, self.size, self.directions)

    @cached_property
    def within_root(self) -> np.ndarray:
        """(p, r) with `within` = root root': that of X's own columns, which no choice of Q changes."""
        R = np.linalg.inv(self.to_beta)
        length = np.linalg.norm(R, axis=0)
        unit = R / length
        root = semidefinite_cholesky(unit.T @ self.within @ unit, ROUNDING * self.p)
        return np.linalg.solve(unit.T, root[:, np.diag(root) > 0])

    @cached_property
    def turned(self) -> np.ndarray:
        """(r, p): S along the directions, of which it is all."""
        return np.asarray(self.directions.rotate.T @ self.S)

    @cached_property
    def root_maps(self) -> tuple[np.ndarray, np.ndarray]:
        """(r, r') and (q, r'): what `DrawnSums.roots` multiplies `means` and `inner` by."""
        basis = self.basis
        assert basis is not None
        within = self.within_root.T @ (self.turned.T @ basis.turn)
        return basis.turn * basis.mu_of_turn, within

    def combinations(self, L: np.ndarray) -> Combinations:
        """What fits need of the eigenvectors for L beta; kept for the L (k, p) that was asked last."""
        if (key := L.tobytes()) not in self._combinations:
            self._combinations.clear()
            self._combinations[key] = Combinations.of(self, L)
        return self._combinations[key]

    @cached_property
    def _combinations(self) -> dict[bytes, Combinations]:
        return {}

    def sums(self, y: np.ndarray) -> OutcomeSums:
        """Sufficient statistics of outcomes y, shape (B, n), computed a block of rows at a time."""
        step = max(1, BLOCK // y.shape[1])
        parts = [self._sums(y[start : start + step]) for start in range(0, len(y), step)]
        return OutcomeSums.joined(parts)

    def _sums(self, y: np.ndarray) -> OutcomeSums:
        gamma, residual = np.zeros((len(y), self.p)), y
        with np.errstate(invalid="ignore", over="ignore"):  # y that is not finite becomes NaN
            for _ in range(2):  # the second step removes the rounding errors of the first
                step = (residual @ self.X) @ self.to_beta
                residual = residual - (step @ self.to_beta.T) @ self.X.T
                gamma += step
            split = self.directions.split(_by_sparse(residual, self.Z))
            return OutcomeSums(gamma, *split, rss=_dot(residual, residual), total=_dot(y, y))

    def df(self, reml: bool) -> int:
        """Divisor of the residual sum of squares: n - p for REML, n for ML."""
        return self.n_obs - self.p if reml else self.n_obs

    def profile(self, sums: OutcomeSums | DrawnSums, *, reml: bool) -> Profile:
        """The criterion's two functions of lambda for these outcomes."""
        return self._profile(sums, self._roots(sums), reml=reml)

    def _roots(self, sums: OutcomeSums | DrawnSums) -> np.ndarray:
        """(B, r'): projections on the eigenvectors; none where there is no basis."""
        return np.empty((len(sums), 0)) if self.basis is None else sums.roots(self.basis)

    def _profile(self, sums: OutcomeSums | DrawnSums, roots: np.ndarray, *, reml: bool) -> Profile:
        df = self.df(reml)
        if self.basis is None:
            return self._profile_by_size(sums, reml=reml, df=df)
        basis, squares = self.basis, self.basis.squares(sums.beside, roots)
        det = (basis.nodes, basis.count) if reml else (self.size, self.count)
        return Spectral(basis.nodes, squares @ basis.gather, sums.rest(squares), *det, df)

    def _profile_by_size(self, sums: OutcomeSums | DrawnSums, *, reml: bool, df: int) -> BySize:
        of, d = self.directions.size_of, len(self.size)
        xy = [_sum_rows(row[:, None] * self.turned, of, d) for row in sums.along]
        return BySize(
            size=self.size,
            count=self.count,
            xx=self.between * self.size[:, None, None],
            xy=np.array(xy),
            yy=sums.beside + self.directions.by_size(sums.along**2),
            rss=sums.rss,
            reml=reml,
            df=df,
        )

    def fit(
        self, y: np.ndarray, *, reml: bool = True, theta: np.ndarray | float | None = None
    ) -> RandomInterceptFit:
        """Fits to outcomes y, shape (..., n), all replicates together.

        A replicate that cannot be fitted (values that are not finite, an outcome the fixed effects
        explain completely, no residual variance) is NaN and not `converged`.

        Parameters
        ----------
        theta : broadcasts to (...), optional
            Evaluates there in place of the optimum.
        """
        y = np.asarray(y, dtype=float)
        sums = self.sums(y.reshape(-1, y.shape[-1]))
        fixed = None if theta is None else np.broadcast_to(theta, y.shape[:-1]).ravel()
        return replace(self.fit_sums(sums, reml=reml, theta=fixed).reshape(y.shape[:-1]), y=y)

    def fit_sums(
        self,
        sums: OutcomeSums | DrawnSums,
        *,
        reml: bool = True,
        theta: np.ndarray | None = None,
        near: np.ndarray | None = None,
    ) -> RandomInterceptFit:
        """Fits by REML or ML from the sums of B outcomes; every array of the fit starts with B.

        The search is global: it ignores the starting value `near`.
        """
        roots = self._roots(sums)
        profile = self._profile(sums, roots, reml=reml)
        if theta is not None:
            count = np.zeros(len(sums), dtype=int)
            minimum = Minimum(np.square(np.asarray(theta, dtype=float)), sums.usable, count)
        else:
            minimum = minimise(profile, Profiled(profile.df), usable=sums.usable)
        lam = np.where(minimum.converged, minimum.lam, np.nan)
        return _assemble(self, sums, roots, profile, replace(minimum, lam=lam), reml=reml)

    def least_deviance(
        self, sums: OutcomeSums | DrawnSums, near: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """-2 log-likelihood (B,), full and maximised, and theta (B,) there."""
        profile = self.profile(sums, reml=False)
        lam = minimise(profile, Profiled(profile.df)).lam
        return deviance_at(profile, lam) + profile.df * np.log(2 * np.pi), np.sqrt(lam)

    def restricted(self, K: np.ndarray) -> RandomIntercept:
        """The model of Q K in place of Q; K (p, p0) has orthonormal columns. Those of 8 K are kept."""
        if (key := K.tobytes()) not in self._restricted:
            if len(self._restricted) == 8:
                self._restricted.clear()
            self._restricted[key] = self._restriction(K)
        return self._restricted[key]

    @cached_property
    def _restricted(self) -> dict[bytes, RandomIntercept]:
        return {}

    def _restriction(self, K: np.ndarray) -> RandomIntercept:
        return replace(
            self,
            to_beta=self.to_beta @ K,
            n_blocks=0,
            S=self.S @ K,
            between=K.T @ self.between @ K,
            within=_without_rounding(K.T @ self.within @ K),
        )

    def restricted_sums(
        self,
        sums: OutcomeSums | DrawnSums,
        smaller: RandomIntercept,
        K: np.ndarray,
        offset: np.ndarray,
    ) -> OutcomeSums:
        """Sums for `smaller`, of Q K, of outcomes less Q `offset`, (B, p); K'`offset` is 0."""
        return OutcomeSums(
            gamma=sums.gamma @ K,
            along=sums.along - offset @ self.turned.T,
            beside=sums.beside,
            rss=sums.rss + _dot(offset, offset),
            total=sums.total,
        )

    def effects_of(self, sums: OutcomeSums | DrawnSums) -> np.ndarray:
        """(B, p): OLS effects in the basis Q."""
        return sums.gamma

    def draw(self, theta: np.ndarray, *, n_draws: int, seed: int) -> Iterator[DrawnSums]:
        """Outcomes drawn at beta = 0, s2_e = 1 and this theta, as their sums, some at a time."""
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(0,)))
        for part in parts_of_draws(n_draws):
            sums = self.draw_sums(float(theta), rng, size=len(part))
            yield sums if part.stop <= n_draws else sums.take(slice(n_draws - part.start))

    def draw_sums(self, theta: float, rng: np.random.Generator, *, size: int) -> DrawnSums:
        """`size` outcomes with beta = 0 and s2_e = 1, as the sums the engine needs of them.

        Sums along the directions, squares beside them, the within-groups part of Q'y and what is left
        of the within-groups sum of squares are independent: normal, chi-squared, normal with
        covariance `within`, and chi-squared.
        """
        m, of = self.size, self.directions.size_of
        within, q = self.n_obs - self.count.sum(), self.within_root.shape[1]
        variance = m * (1 + theta**2 * m)
        means = rng.standard_normal((size, len(of)))
        means *= (np.sqrt(variance) / m)[of]
        return DrawnSums(
            model=self,
            means=means,
            beside=variance * chi_squared(rng, self.directions.left, size),
            inner=rng.standard_normal((size, q)),
            left=rng.chisquare(within - q, size=size),
        )

    @cached_property
    def roots(self) -> tuple[np.ndarray, np.ndarray]:
        """T (r, p), and (r,) which size: T'T over the rows of a size is its part of `between`."""
        of = self.directions.size_of
        return self.turned / np.sqrt(self.size[of])[:, None], of

    def precision(self, weight: np.ndarray) -> Bordered:
        """Q'H^-1 Q of B outcomes for weights (B, d) of the sizes."""
        b, r = self.n_blocks, self.p - self.n_blocks
        rest = (weight @ self.between[:, b:, b:].reshape(len(self.size), -1)).reshape(-1, r, r)
        diagonal = weight @ np.diagonal(self.between, axis1=1, axis2=2)[:, :b]
        edge = weight @ self.between[:, :b, b:].reshape(len(self.size), b * r)
        edge = edge.reshape(len(weight), b, r)
        return Bordered(diagonal, edge, rest + self.within[b:, b:])

    def weigh(self, weights: np.ndarray) -> np.ndarray:
        """Sums over sizes of weights (B, d) times `between`: shape (B, p, p)."""
        p = self.S.shape[1]
        flat = self.between.reshape(len(self.size), p * p)
        return (weights @ flat).reshape(*weights.shape[:-1], p, p)


@dataclass(frozen=True)
class Combinations:
    """L beta, L (k, p), in terms of the eigenvectors b of Z'MZ, with eigenvalue mu; those of 0 are b0.

    With c the sums over groups of Q L', L beta changes from OLS by the sum over b of
    lambda (c'b) (b'Z'My) / (1 + lambda mu), and in residual variances

        L (Q'H^-1 Q)^-1 L' = L L' + lambda sum (b0'c)(b0'c)' + lambda sum (b'c)(b'c)' / (1 + lambda mu)

    Attributes
    ----------
    basis : of the model
    rows : (k, p) L on the effects of Q
    c, fixed : (r', k) and (r0, k) of b'c over the root of mu, and of b0'c
    """

    basis: Eigenbasis
    rows: np.ndarray
    c: np.ndarray
    fixed: np.ndarray

    @classmethod
    def of(cls, model: RandomIntercept, L: np.ndarray) -> Combinations:
        """Of rows L (k, p) on beta."""
        basis, rows = model.basis, L @ model.to_beta
        assert basis is not None
        along = model.turned @ rows.T
        return cls(basis, rows, basis.turn.T @ along, basis.fixed.T @ along)

    @cached_property
    def change(self) -> np.ndarray:
        """(r', k): b'c times the root of mu."""
        return np.asarray(self.basis.mu_of_turn[:, None] * self.c)

    @cached_property
    def sums(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(k * k,): the first sum and the second; (J, k * k): the third's, at the nodes of the basis."""
        c = np.sqrt(self.basis.mu_of_turn)[:, None] * self.c
        products = (c[:, :, None] * c[:, None, :]).reshape(len(c), len(self.rows) ** 2)
        gathered = self.basis.gather[len(self.basis.beside) :].T @ products
        return (self.rows @ self.rows.T).ravel(), (self.fixed.T @ self.fixed).ravel(), gathered


@dataclass(frozen=True)
class RandomInterceptFit:
    """B fits, or with leading axes `...` in place of B.

    Attributes
    ----------
    theta, var_group, var_residual : (...)
    singular : (...) theta is exactly 0
    converged, iterations : (...)
    slopes : derivatives of the criterion's parts at theta, each (...)
    sums, profile : of the B outcomes; y : (..., n), where the fit is of outcomes
    roots : (..., r') projections of the outcomes on the eigenvectors
    """

    model: RandomIntercept
    sums: OutcomeSums | DrawnSums
    reml: bool
    theta: np.ndarray
    var_group: np.ndarray
    var_residual: np.ndarray
    singular: np.ndarray
    converged: np.ndarray
    iterations: np.ndarray
    slopes: CriterionSlopes
    profile: Profile
    roots: np.ndarray
    y: np.ndarray | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """The leading axes."""
        return self.converged.shape

    @property
    def criterion(self) -> np.ndarray:
        """(...) -2 log-likelihood, restricted if `reml`, with lme4's constants."""
        logdet = self.profile.logdet(self.theta.reshape(-1) ** 2).reshape(self.shape)
        with np.errstate(invalid="ignore", divide="ignore"):
            scale = self.df * (1 + np.log(2 * np.pi * self.var_residual))
        return np.asarray(logdet + scale + (2 * self.model.logdet_R if self.reml else 0.0))

    @property
    def loglik(self) -> np.ndarray:
        """(...)"""
        return -self.criterion / 2

    @property
    def F(self) -> np.ndarray:
        """(..., p, p): (Q'H^-1 Q)^-1, the covariance of effects of Q in residual variances."""
        return self._solve(np.eye(self.model.p))

    @property
    def vcov(self) -> np.ndarray:
        """(..., p, p) of beta."""
        return self.covariance(np.eye(self.beta.shape[-1]))

    @cached_property
    def beta(self) -> np.ndarray:
        """(..., p) of X."""
        return self.combination(np.eye(len(self.model.to_beta)))

    def combination(self, L: np.ndarray) -> np.ndarray:
        """(..., k): L beta, L (k, p): OLS effects less what the weights of the groups change."""
        lam, basis = self.theta.reshape(-1) ** 2, self.model.basis
        rows = L @ self.model.to_beta
        if basis is None:
            weight = lam[:, None] * self.mean_weight.reshape(len(lam), -1)
            pulled = weight[:, self.model.directions.size_of] * self.sums.along
            pull = pulled @ self.model.turned
            change = self.precision.solve(pull[..., None])[..., 0] @ rows.T
        else:
            share = _reciprocal(lam, basis.mu_of_turn) * lam[:, None]
            share *= self.roots.reshape(len(lam), -1)
            change = share @ self.model.combinations(L).change
        return np.asarray(self.sums.effects(rows) - change).reshape(*self.shape, len(L))

    def shift(self, L: np.ndarray, theta: np.ndarray) -> np.ndarray:
        """(B, k): L beta of B fits, less what it is at `theta` (B,) in place of the optimum."""
        lam, other, basis = self.theta**2, theta**2, self.model.basis
        if basis is None:
            there = self.model.fit_sums(self.sums, reml=self.reml, theta=theta)
            return self.combination(L) - there.combination(L)
        share = _reciprocal(lam, basis.mu_of_turn)
        share *= _reciprocal(other, basis.mu_of_turn)
        share *= (other - lam)[:, None]
        share *= self.roots
        return np.asarray(share @ self.model.combinations(L).change)

    def covariance(self, L: np.ndarray) -> np.ndarray:
        """(..., k, k) of L beta, L (k, p)."""
        k, variance = len(L), self.var_residual[..., None, None]
        basis, lam = self.model.basis, self.theta.reshape(-1) ** 2
        if basis is None:
            of_unit = self.precision.inverse_form(L @ self.model.to_beta)
        else:
            ols, fixed, products = self.model.combinations(L).sums
            of_unit = ols + lam[:, None] * (fixed + _reciprocal(lam, basis.nodes) @ products)
        return np.asarray(variance * of_unit.reshape(*self.shape, k, k))

    @cached_property
    def precision(self) -> Bordered:
        """Q'H^-1 Q of the B outcomes."""
        return self.model.precision(self.mean_weight.reshape(-1, len(self.model.size)))

    def _solve(self, right: np.ndarray) -> np.ndarray:
        """(Q'H^-1 Q)^-1 `right`, (p, c) or (..., p, c): (..., p, c)."""
        solved = self.precision.solve(right.reshape(-1, *right.shape[-2:]))
        return solved.reshape(*self.shape, *solved.shape[-2:])

    @property
    def df(self) -> int:
        """n - p for REML, n for ML: the divisor of the residual variance."""
        return self.model.df(self.reml)

    @property
    def std_dev(self) -> dict[str, np.ndarray]:
        """(...) of groups and of the residual."""
        return {"group": np.sqrt(self.var_group), "residual": np.sqrt(self.var_residual)}

    @property
    def message(self) -> str:
        """Why there is no fit of a single outcome; empty where there is one."""
        if self.converged:
            return ""
        rss, total = float(self.sums.rss.item()), float(self.sums.total.item())
        if not rss > EXPLAINED**2 * total:
            return "The fixed effects explain the outcome completely."
        size, of = self.model.size, self.model.directions.size_of
        along = float((self.sums.along**2 / size[of]).sum())
        between = along + float((self.sums.beside / size).sum())
        if rss - between <= 1e-9 * rss:
            return "All members of a group have one outcome: nothing varies within groups."
        return "The mixed model could not be fitted to these values."

    @property
    def icc(self) -> np.ndarray:
        """(...) share of the variance that lies between groups."""
        return self.theta**2 / (1 + self.theta**2)

    @property
    def mean_weight(self) -> np.ndarray:
        """(..., d): 1 / (1 + lambda m), the weight of a mean of m members relative to OLS."""
        return 1 / (1 + self.theta[..., None] ** 2 * self.model.size)

    def blups(self) -> tuple[np.ndarray, np.ndarray]:
        """Predicted group effects and their sds given data, variances and effects: (..., G)."""
        assert self.y is not None
        weight = (self.theta[..., None] ** 2 * self.mean_weight)[..., self.model.size_of]
        residual = self.y - self.beta @ self.model.X.T
        sums = _by_sparse(residual.reshape(-1, residual.shape[-1]), self.model.Z)
        blup = weight * sums.reshape(*self.shape, -1)
        return blup, np.sqrt(self.var_residual[..., None] * weight)

    def reshape(self, shape: tuple[int, ...]) -> RandomInterceptFit:
        """The fits with leading axes of this shape in place of B."""

        lead = len(self.shape)

        def shaped(values: np.ndarray) -> np.ndarray:
            return values.reshape((*shape, *values.shape[lead:]))

        values = {each.name: getattr(self, each.name) for each in fields(self)}
        arrays: dict[str, Any] = {
            name: shaped(v)
            for name, v in values.items()
            if isinstance(v, np.ndarray) and name != "y"
        }
        slopes = CriterionSlopes(**{name: shaped(v) for name, v in vars(self.slopes).items()})
        return replace(self, slopes=slopes, **arrays)

    @cached_property
    def maximum_likelihood(self) -> RandomInterceptFit:
        """The ML fits (B,) to the same outcomes."""
        return self.model.fit_sums(self.sums, reml=False)

    @for_last_combinations
    def information(self, L: np.ndarray) -> Information:
        """Variances of L beta, L (k, p), their derivatives, and the information matrices of a REML fit.

        With H = V / s2, F = (X'H^-1 X)^-1 and derivatives in lambda at a fixed scale,

            D = -d(F^-1) = X'H^-1 ZZ' H^-1 X     = sum m t^2 B_m,     t = 1 / (1 + lambda m)
            E = X'H^-1 ZZ' H^-1 ZZ' H^-1 X       = sum m^2 t^3 B_m

        where B_m is `between`. All are multiplied by L F before they are summed over sizes.

        Raises
        ------
        ValueError
            If the fit is not REML.
        """
        if not self.reml:
            raise ValueError("Satterthwaite and Kenward-Roger are defined for REML fits.")
        rows, (T, which) = L @ self.model.to_beta, self.model.roots
        m, t = self.model.size[which], self.mean_weight[..., which]
        LF = self._solve(rows.T).swapaxes(-1, -2)
        LFT = LF @ T.T
        D, E = LFT * (m * t**2)[..., None, :], LFT * (m**2 * t**3)[..., None, :]
        LFD, LFT = D @ T, LFT.swapaxes(-1, -2)
        s, N, s2 = self.slopes, float(self.df), self.var_residual[..., None, None]
        turned = self._solve(LFD.swapaxes(-1, -2))
        curvature = E @ LFT - LFD @ turned
        observed = s.l2 + s.q2 / self.var_residual
        chain = 2 * self.theta
        return Information(
            vcov=s2 * (LF @ rows.T),
            slopes=(s2 * (D @ LFT))[..., None, :, :],
            curvature=(s2 * curvature)[..., None, None, :, :],
            expected=bordered(-s.l2[..., None, None], s.l1[..., None], N),
            observed=bordered((chain**2 * observed)[..., None, None], (chain * s.l1)[..., None], N),
            chain=chain[..., None, None],
        )


def deviance_at(profile: Profile, lam: np.ndarray) -> np.ndarray:
    """-2 log-likelihood, less constants of the design, with the residual variance profiled out."""
    logdet, q = profile.value(lam)
    with np.errstate(invalid="ignore", divide="ignore"):
        deviance: np.ndarray = logdet + profile.df * (np.log(q / profile.df) + 1)
    return deviance


def _assemble(
    model: RandomIntercept,
    sums: OutcomeSums | DrawnSums,
    roots: np.ndarray,
    profile: Profile,
    minimum: Minimum,
    *,
    reml: bool,
) -> RandomInterceptFit:
    """The fit (B,) at the minimum: effects, variances and criterion follow from lambda."""
    lam, slopes = minimum.lam, profile.slopes(minimum.lam)
    sigma2 = slopes.q / profile.df
    return RandomInterceptFit(
        model=model,
        sums=sums,
        reml=reml,
        theta=np.sqrt(lam),
        var_group=lam * sigma2,
        var_residual=sigma2,
        singular=lam == 0,
        converged=minimum.converged,
        iterations=minimum.iterations,
        slopes=slopes,
        profile=profile,
        roots=roots,
    )


# ---- the optimiser -------------------------------------------------------------------------------


class Objective(Protocol):
    """A function of lambda made of l and q."""

    def value(self, lam: np.ndarray, logdet: np.ndarray, q: np.ndarray) -> np.ndarray: ...

    def derivatives(self, lam: np.ndarray, s: CriterionSlopes) -> tuple[np.ndarray, np.ndarray]: ...

    def take(self, which: np.ndarray) -> Objective: ...


@dataclass(frozen=True)
class Profiled:
    """l + df log q: the criterion with effects and residual variance profiled out."""

    df: int

    def value(self, lam: np.ndarray, logdet: np.ndarray, q: np.ndarray) -> np.ndarray:
        return logdet + self.df * np.log(q)

    def derivatives(self, lam: np.ndarray, s: CriterionSlopes) -> tuple[np.ndarray, np.ndarray]:
        ratio = s.q1 / s.q
        return s.l1 + self.df * ratio, s.l2 + self.df * (s.q2 / s.q - ratio**2)

    def take(self, which: np.ndarray) -> Profiled:
        return self


@dataclass(frozen=True)
class Minimum:
    """Where B objectives are least: `lam`, `converged` and `iterations`, each (B,)."""

    lam: np.ndarray
    converged: np.ndarray
    iterations: np.ndarray


def minimise(
    profile: Profile, objective: Objective, *, usable: np.ndarray | bool = True
) -> Minimum:
    """The global minimum over lambda >= 0 of every objective, shape (B,).

    A grid finds the lowest cell, so that a local optimum at 0 does not hide a better one; Newton's
    method on log(1 + scale lambda), kept inside the cell by bisection, finds the minimum in it.
    The answer is exactly 0 where 0 is the lowest point of the grid and the slope there is not
    negative. One at the upper end of the grid has not converged.
    """
    cell, vertex = _lowest_cell(profile, objective)
    lam, iterations = np.zeros(len(cell)), np.zeros(len(cell), dtype=int)
    converged = usable & (cell < len(GRID) - 1)
    at_zero = np.flatnonzero(converged & (cell == 0))
    inside = converged & (cell > 0)
    inside[at_zero] = _slope_at_zero(profile.take(at_zero), objective.take(at_zero)) < 0
    which = np.flatnonzero(inside)
    x, cell = np.log1p(GRID), cell[which]
    low, high = x[np.maximum(cell - 1, 0)], x[cell + 1]
    start = np.where(cell > 0, vertex[which], x[1] / 2)
    lam[which], converged[which], iterations[which] = _newton(
        profile.take(which), objective.take(which), start, low, high
    )
    return Minimum(lam, converged, iterations)


def _lowest_cell(profile: Profile, objective: Objective) -> tuple[np.ndarray, np.ndarray]:
    """Index of the lowest point of the grid for every outcome, and log(1 + scale lambda) near the
    minimum around it, each (B,).

    The latter is the vertex of the parabola through the point and its neighbours.
    """
    lam = GRID / profile.scale
    with np.errstate(divide="ignore", invalid="ignore"):
        values = objective.value(lam, *profile.grid(lam))
        lowest: np.ndarray = np.argmin(np.where(np.isfinite(values), values, np.inf), axis=-1)
        x, middle = np.log1p(GRID), np.clip(lowest, 1, len(GRID) - 2)
        left, right = x[middle] - x[middle - 1], x[middle + 1] - x[middle]
        below, least, above = values[np.arange(len(lowest)), middle + np.array([[-1], [0], [1]])]
        fall, rise = (below - least) / left, (above - least) / right
        vertex = x[middle] - left / 2 + (left + right) / 2 * fall / (fall + rise)
    inside = np.isfinite(vertex) & (lowest == middle)
    return lowest, np.where(inside, vertex, x[lowest])


def _slope_at_zero(profile: Profile, objective: Objective) -> np.ndarray:
    slopes = profile.slopes(np.zeros(profile.n_outcomes))
    with np.errstate(divide="ignore", invalid="ignore"):
        return objective.derivatives(np.zeros(profile.n_outcomes), slopes)[0]


def _newton(
    profile: Profile, objective: Objective, x: np.ndarray, low: np.ndarray, high: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Newton's method on x = log(1 + scale lambda) in [`low`, `high`]: lambda, converged, steps."""
    scale = profile.scale
    x_stop, steps = x.copy(), np.zeros(len(x), dtype=int)
    converged = np.zeros(len(x), dtype=bool)
    active = np.arange(len(x))
    for step in range(1, MOST_STEPS + 1):
        if not len(active):
            break
        first, second = _in_logs(profile, objective, x)
        low, high = np.where(first < 0, x, low), np.where(first > 0, x, high)
        new = _newton_or_middle(x, first, second, low, high)
        stop = np.abs(new - x) <= 1e-8 * x
        x_stop[active], steps[active] = new, step
        converged[active[stop]] = True
        x = new
        if stop.any():
            x, low, high, active = x[~stop], low[~stop], high[~stop], active[~stop]
            profile, objective = profile.take(~stop), objective.take(~stop)
    return np.expm1(x_stop) / scale, converged, steps


def _in_logs(
    profile: Profile, objective: Objective, x: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """First and second derivatives in x = log(1 + scale lambda)."""
    jacobian, lam = np.exp(x) / profile.scale, np.expm1(x) / profile.scale
    first, second = objective.derivatives(lam, profile.slopes(lam))
    return first * jacobian, second * jacobian**2 + first * jacobian


def _newton_or_middle(
    x: np.ndarray, first: np.ndarray, second: np.ndarray, low: np.ndarray, high: np.ndarray
) -> np.ndarray:
    """Newton's step where it is one towards a minimum inside the cell, else the cell's middle.

    A step too short to leave x, which is an end of the cell by now, is one: x is the minimum.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        new = x - first / second
    good = (second > 0) & (new >= low) & (new <= high)
    return np.where(first == 0, x, np.where(good, new, (low + high) / 2))


# ---- algebra -------------------------------------------------------------------------------------


def _triangle(X: np.ndarray, n_obs: int) -> np.ndarray:
    """R of X = Q R by Householder, in slices that fit the cache; ValueError if columns depend.

    Its diagonal is positive, which makes it unique.
    """
    n, p = X.shape
    if p == 0:
        return np.empty((0, 0))
    step = max(4000, 4 * p)
    n_sliced = n // step * step
    slices = _qr_triangles(X[:n_sliced].reshape(-1, step, p)).reshape(-1, p)
    R = _qr_triangles(np.vstack([slices, X[n_sliced:]]))
    length = np.linalg.norm(R, axis=0)
    if n_obs <= p or not np.all(np.abs(np.diag(R)) > 1e-10 * length):
        raise ValueError("The columns of X are linearly dependent.")
    return R * np.sign(np.diag(R))[:, None]


def _basis(X: np.ndarray, rows: Rows, block: np.ndarray | None) -> tuple[np.ndarray, int]:
    """R (p, p) of X = Q R, and how many columns of Q are the indicators of blocks, scaled."""
    if block is not None:
        basis = orthonormal_basis(X, block, rows)
        R = np.vstack([basis.C, basis.R])
        if R.shape[0] == R.shape[1]:  # else X lacks some of the blocks
            return R, len(basis.C)
    return _triangle(X, rows.n_obs), 0


def _qr_triangles(A: np.ndarray) -> np.ndarray:
    """The R of every matrix of A, shape (..., n, p)."""
    R: Any = np.linalg.qr(A, mode="r")
    return np.asarray(R)


def _eigenbasis(turned: np.ndarray, size: np.ndarray, directions: Directions) -> Eigenbasis:
    """The eigenvalues of Z'MZ = diag(size) - S S' and what finds their sums of squares."""
    mu, turn = np.linalg.eigh(np.diag(size[directions.size_of]) - turned @ turned.T)
    real = mu > 1e-11 * size.max()
    fixed, beside = turn[:, ~real], np.flatnonzero(directions.left)
    mu, turn = mu[real], turn[:, real]
    mult = np.concatenate([directions.left[beside], np.ones(len(mu))])
    which, distinct = _merge(np.concatenate([size[beside], mu]), mult)
    each = np.bincount(which, weights=mult)
    nodes, weights = _nodes(distinct)
    return Eigenbasis(
        beside=beside,
        size_beside=distinct[which[: len(beside)]],
        turn=turn / np.sqrt(mu),
        mu_of_turn=distinct[which[len(beside) :]],
        fixed=fixed,
        mu=distinct,
        mult=each,
        nodes=nodes,
        count=each @ weights,
        gather=weights[which],
    )


def _nodes(mu: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Nodes (J,) at which sums over mu (K,) can be made in place of these, and weights (K, J).

    What is summed are 1 / (1 + lambda mu), its derivatives, and log(1 + lambda mu). With g the geometric
    mean of the least and the greatest mu, u = (mu - g) / (mu + g) is within h of 0, and there is no pole
    within 1 of 0, whatever lambda. So a polynomial in u through J Chebyshev nodes has an error of
    1 / T_J(1 / h), up to the distances from the pole (Trefethen 2013, Approximation Theory and
    Approximation Practice, chapter 8). Where J would not be below K, nodes are mu itself.
    """
    middle = np.sqrt(mu.min() * mu.max())
    u = (mu - middle) / (mu + middle)
    half = float(u.max())
    J = np.ceil(np.arccosh(1 / INTERPOLATED) / np.arccosh(1 / half)) if half > 0 else np.inf
    if len(mu) <= J:
        return mu, np.eye(len(mu))
    zeros = chebyshev.chebpts1(int(J))
    lagrange = chebyshev.chebvander(zeros, len(zeros) - 1) / len(zeros)
    lagrange[:, 1:] *= 2
    nodes = middle * (1 + half * zeros) / (1 - half * zeros)
    return nodes, chebyshev.chebvander(u / half, len(zeros) - 1) @ lagrange.T


def _members(size_of: np.ndarray) -> list[np.ndarray]:
    """The groups of each size."""
    ends = np.cumsum(np.bincount(size_of))[:-1]
    return np.split(np.argsort(size_of, kind="stable"), ends)


def _orthonormal(S: np.ndarray) -> np.ndarray:
    """An orthonormal basis of the space of the columns of S: of each column what the earlier leave.

    By Gram-Schmidt, twice; unique, so that what is drawn in it does not depend on rounding.
    """
    basis, smallest = np.empty((len(S), min(S.shape))), ROUNDING * len(S)
    r = 0
    for column in S.T[S.any(axis=0)]:
        if r == basis.shape[1]:
            break
        length = np.sqrt(column @ column)
        for _ in range(2):
            column = column - basis[:, :r] @ (basis[:, :r].T @ column)
        left = np.sqrt(column @ column)
        if left > smallest * max(length, 1.0):
            basis[:, r], r = column / left, r + 1
    return basis[:, :r]


def _merge(values: np.ndarray, mult: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which distinct value each of `values` is, and the distinct values, ascending."""
    order = np.argsort(values, kind="stable")
    new = np.diff(values[order], prepend=-np.inf) > 1e-12 * values.max()
    which = np.empty(len(values), dtype=int)
    which[order] = np.cumsum(new) - 1
    weighted = np.bincount(which, weights=values * mult)
    return which, weighted / np.bincount(which, weights=mult)


def _without_rounding(W: np.ndarray) -> np.ndarray:
    """W with eigenvalues that are rounding set to 0: between-groups columns have exactly none."""
    values, vectors = np.linalg.eigh(W)
    values = np.where(values > ROUNDING * len(W), values, 0.0)
    cleaned: np.ndarray = (vectors * values) @ vectors.T
    return cleaned


def _by_size(S: np.ndarray, size_of: np.ndarray) -> np.ndarray:
    """Sums of S_g S_g' by size, shape (d, p, p)."""
    return np.array([S[who].T @ S[who] for who in _members(size_of)])


def _sum_rows(A: np.ndarray, codes: np.ndarray, k: int) -> np.ndarray:
    """Sums of the rows of A, shape (n, q), by code: (k, q)."""
    return np.column_stack([np.bincount(codes, a, k) for a in A.T])


def _by_sparse(A: np.ndarray, B: sparse.csr_array) -> np.ndarray:
    """A B of a dense A, shape (B, n): dense where B is small, since sparse products are slower."""
    return A @ (B.toarray() if B.shape[0] * B.shape[1] < 20_000 and len(A) > 1 else B)


def _reciprocal(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """1 / (1 + a_i b_j), of shape (len(a), len(b))."""
    t = np.multiply.outer(a, b)
    t += 1
    return np.divide(1, t, out=t)


def _dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Products of the rows of a and b, shape (B,)."""
    product: np.ndarray = np.einsum("bi,bi->b", a, b)
    return product


def _times(A: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Matrices (B, p, p) times vectors (B, p)."""
    product: np.ndarray = (A @ b[..., None])[..., 0]
    return product
