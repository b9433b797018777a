"""What a mixed model needs of a design and of outcomes: cross-products of X, Z and y.

One factor, the `lead`, has its random effects eliminated level by level, in one batch. What is left
of the other factors falls apart into components that share no level of the lead (blocks in which
groups are nested; all in one where factors are crossed): dense, in a batch over components.

Shapes: outcome b of B; lead level g of G, q effects each; component c of K, m effects each (levels
that some components lack are empty); p columns of X.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy import sparse

from groupwise.models.random_terms import Parameters

SMALL = 64
"""Up to so many numbers a level, products over segments are formed for all levels at once."""

LARGE = 500_000
"""Matrices of so many numbers are looked at for zeros before they are multiplied."""

CHUNK = 200_000
"""Numbers in the largest array that is worked on at a time, where there are several outcomes."""


@dataclass(frozen=True)
class Segment:
    """Position of a factor among the m effects of a component: `levels` x `q`, from `start`."""

    factor: int
    start: int
    levels: int
    q: int

    @property
    def slots(self) -> slice:
        return slice(self.start, self.start + self.levels * self.q)


@dataclass(frozen=True)
class CrossProducts:
    """Cross-products of a design, whose X has orthonormal columns.

    Attributes
    ----------
    n : rows
    A : (G, q, q), C : (G, q, m), B : (G, q, p)
        Z_g'Z_g, Z_g'Z_rest (within the component of g) and Z_g'X of the lead.
    R : (K, m, m), D : (K, m, p)
        Z_rest'Z_rest and Z_rest'X.
    starts : (K,), component : (G,)
        First lead level of each component, and the component of each lead level.
    lead : index of the lead factor
    segments : position of each other factor in a component
    log_det_X : log |X'X| of X as it was given
    """

    n: int
    A: np.ndarray
    C: np.ndarray
    B: np.ndarray
    R: np.ndarray
    D: np.ndarray
    starts: np.ndarray
    component: np.ndarray
    lead: int
    segments: tuple[Segment, ...]
    parameters: Parameters
    log_det_X: float

    @cached_property
    def kinds(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The distinct matrices of A (J, q, q), which of them each level has (G,), how many do (J,)."""
        flat_A = self.A.reshape(len(self.A), -1)
        first, kind, count = np.unique(
            flat_A, axis=0, return_index=True, return_inverse=True, return_counts=True
        )[1:]
        return self.A[first], kind.reshape(-1), count

    @property
    def p(self) -> int:
        return self.B.shape[2]

    def df(self, reml: bool) -> int:
        """Divisor of the residual sum of squares: n - p for REML, n for ML."""
        return self.n - self.p if reml else self.n

    @property
    def at_a_time(self) -> int:
        """Number of outcomes that are processed together."""
        (G, q, m), (K, _, p) = self.C.shape, self.D.shape
        over_levels = m * max(m, p + 1) if m * (p + 1) <= SMALL else 0
        widest = max(G * q * max(p + 1, m, q), G * over_levels, K * m * max(m, p + 1), self.n)
        return max(1, CHUNK // widest)


@dataclass(frozen=True)
class Outcomes:
    """B outcomes, each Q b + scale (what OLS leaves, in sds): all but `b` is of what OLS leaves.

    `lead` (B, G, q) and `rest` (B, K, m) are Z'y, `square` (B,) is y'y, `b` (B, p), `scale` (B,).
    An outcome that is not finite, or that X explains completely, is NaN throughout.
    """

    x: CrossProducts
    lead: np.ndarray
    rest: np.ndarray
    square: np.ndarray
    b: np.ndarray
    scale: np.ndarray

    def __len__(self) -> int:
        return len(self.scale)

    def take(self, which: np.ndarray | slice | list[int]) -> Outcomes:
        return Outcomes(
            self.x,
            self.lead[which],
            self.rest[which],
            self.square[which],
            self.b[which],
            self.scale[which],
        )

    @classmethod
    def joined(cls, parts: Sequence[Outcomes]) -> Outcomes:
        """The batches `parts`, concatenated along the first axis."""
        if len(parts) == 1:
            return parts[0]
        names = ("lead", "rest", "square", "b", "scale")
        columns = (np.concatenate([getattr(part, name) for part in parts]) for name in names)
        return cls(parts[0].x, *columns)

    def chunks(self) -> list[slice]:
        """Slices of as many outcomes as are worked on together."""
        size = self.x.at_a_time
        return [slice(start, start + size) for start in range(0, len(self), size)]


def restrict(x: CrossProducts, K: np.ndarray) -> CrossProducts:
    """The cross-products of X K in place of X; K (p, p0) has orthonormal columns."""
    return replace(x, B=x.B @ K, D=x.D @ K)


# ---- products over levels --------------------------------------------------------------------------


def product(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """left right for batches of small matrices."""
    return left * right if left.shape[-1] == 1 else left @ right


def gram(x: CrossProducts, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Sums of left_g' right_g over the lead levels g of each component: (B, K, a, b).

    `left` (1 or B, G, q, a), `right` (B, G, q, b).
    """
    a, b = left.shape[-1], right.shape[-1]
    if len(x.starts) == 1:
        if len(right) == 1:
            return _sparse_product(flat(left)[0].T, flat(right)[0])[None, None]
        return over_levels(left, right)[:, None]
    if a * b <= SMALL:
        return np.add.reduceat(product(left.swapaxes(-1, -2), right), x.starts, axis=1)
    sums = np.empty((len(right), len(x.starts), a, b))
    for c, rows in enumerate(_levels(x)):
        sums[:, c] = over_levels(left[:, rows], right[:, rows])
    return sums


def apply(x: CrossProducts, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """left_g right_c for the component c of each lead level g: (B, G, q, b)."""
    (B, G, q, m), b = left.shape, right.shape[-1]
    if len(x.starts) == 1:
        if B == 1:
            return _sparse_product(left.reshape(G * q, m), right[0, 0]).reshape(1, G, q, b)
        return (left.reshape(B, G * q, m) @ right[:, 0]).reshape(B, G, q, b)
    if m * b <= SMALL:
        return product(left, right[:, x.component])
    parts = np.empty((B, G, q, b))
    for c, rows in enumerate(_levels(x)):
        some = left[:, rows]
        parts[:, rows] = (some.reshape(B, -1, m) @ right[:, c]).reshape(*some.shape[:3], b)
    return parts


def _levels(x: CrossProducts) -> list[slice]:
    ends = np.append(x.starts[1:], len(x.component))
    return [slice(a, b) for a, b in zip(x.starts, ends, strict=True)]


def flat(each: np.ndarray) -> np.ndarray:
    """(B, L, q, a) as (B, L q, a)."""
    B, levels, q, a = each.shape
    return each.reshape(B, levels * q, a)


def over_levels(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Sums of left' right over all levels: (B, a, b)."""
    return np.asarray(flat(left).swapaxes(-1, -2) @ flat(right))


def level_times(segment: Segment, E: np.ndarray, M: np.ndarray) -> np.ndarray:
    """E (q, q) or (B, q, q) times the rows of each level, M (B, K, levels x q, b)."""
    E = E.reshape(-1, 1, 1, segment.q, segment.q)
    if segment.q == 1:
        return E[:, :, :, 0] * M
    B, K, _, b = M.shape
    return (E @ M.reshape(B, K, segment.levels, segment.q, b)).reshape(M.shape)


def rest_times(x: CrossProducts, G: list[np.ndarray], M: np.ndarray) -> np.ndarray:
    """(I kron G) M for the rest, M (B, K, m, b)."""
    out = np.empty_like(M)
    for segment in x.segments:
        out[:, :, segment.slots] = level_times(segment, G[segment.factor], M[:, :, segment.slots])
    return out


def _sparse_product(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """left right; crossed factors with many levels meet in few cells, and zeros are skipped."""
    both = _without_zeros(left) @ _without_zeros(right)
    return both.toarray() if sparse.issparse(both) else np.asarray(both)


def _without_zeros(M: np.ndarray) -> np.ndarray | sparse.csr_array:
    if M.size < LARGE or np.count_nonzero(M) > 0.1 * M.size:
        return M
    return sparse.csr_array(M.T).T.tocsr() if M.flags.f_contiguous else sparse.csr_array(M)
