"""From X and random-effects terms to cross-products: the one pass over the data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import sparse
from scipy.sparse import csgraph

from groupwise.algebra import RANK_TOLERANCE
from groupwise.models.cross_products import CHUNK, CrossProducts, Outcomes, Segment
from groupwise.models.random_terms import (
    Factor,
    Parameters,
    RandomTerm,
    factors_of,
    lme4_order,
    parameters_of,
)
from groupwise.rows import Rows

LARGEST = 250_000_000
"""Numbers in the largest array of cross-products (2 GB); crossed factors beyond it are refused."""

EXPLAINED = 1e-12
"""What OLS leaves of an outcome is rounding below this share of its largest value."""


@dataclass(frozen=True)
class EffectsLayout:
    """Numbering of the random effects: see `cross_products`.

    Attributes
    ----------
    lead : index of the factor eliminated first
    lead_level : (G,)
        New number of each of its levels: those of one component follow each other.
    component : (G,)
        Component of each lead level, newly numbered.
    segments : one for each other factor
    home, place : one array (L,) for each other factor
        Component of a level, and its place in the segment there.
    """

    lead: int
    lead_level: np.ndarray
    component: np.ndarray
    segments: tuple[Segment, ...]
    home: tuple[np.ndarray, ...]
    place: tuple[np.ndarray, ...]

    @property
    def m(self) -> int:
        return sum(s.levels * s.q for s in self.segments)

    @property
    def n_components(self) -> int:
        return int(self.component[-1]) + 1

    def slots(self) -> list[np.ndarray]:
        """For each other factor, (L,): where the effects of a level start among all K m."""
        return [
            home * self.m + segment.start + place * segment.q
            for segment, home, place in zip(self.segments, self.home, self.place, strict=True)
        ]


@dataclass(frozen=True)
class LmmStructure:
    """The fixed part of a mixed model: X (n, p) of full rank and random-effects terms.

    Terms are kept in lme4's order. Cross-products that do not involve the outcome are computed
    once, so that refitting another y costs one pass over it.

    Raises
    ------
    ValueError
        If X is not finite or a column of it a combination of others, a term has one level or as
        many random effects as there are rows, or crossed factors are too large for dense
        cross-products.
    """

    X: np.ndarray
    terms: tuple[RandomTerm, ...]
    rows: Rows

    @classmethod
    def of(
        cls, X: np.ndarray, terms: Sequence[RandomTerm], rows: Rows | None = None
    ) -> LmmStructure:
        """Rows are individuals unless `rows` says otherwise."""
        rows = rows or Rows.individuals(len(X))
        structure = cls(np.asarray(X, dtype=float), lme4_order(terms), rows)
        structure._check()
        return structure

    def _check(self) -> None:
        n, p = self.X.shape
        if not self.terms:
            raise ValueError("A mixed model needs a random-effects term.")
        if not np.all(np.isfinite(self.X)):
            raise ValueError("X has missing or infinite values.")
        for term in self.terms:
            if len(term.codes) != n:
                raise ValueError(f"'{term.name}' has {len(term.codes)} rows, X has {n}.")
            if term.n_levels < 2:
                raise ValueError(f"'{term.name}' has one level only: nothing varies over it.")
            if term.n_levels * term.q >= self.rows.n_obs and not term.decay:
                raise ValueError(
                    f"'{term.name}' has {term.n_levels * term.q} random effects for "
                    f"{self.rows.n_obs} rows: "
                    "they cannot be told apart from the residual."
                )
        diagonal = np.abs(np.diag(self.R)) / np.maximum(np.linalg.norm(self.X, axis=0), 1e-300)
        if self.rows.n_obs <= p or np.any(diagonal < RANK_TOLERANCE):
            raise ValueError("A column of X is a combination of the others.")

    @cached_property
    def _qr(self) -> tuple[np.ndarray, np.ndarray]:
        return orthonormal(self.X)

    @property
    def Q(self) -> np.ndarray:
        """(n, p) orthonormal columns: X = Q R."""
        return self._qr[0]

    @property
    def R(self) -> np.ndarray:
        return self._qr[1]

    @cached_property
    def R_inverse(self) -> np.ndarray:
        """(p, p): effects of X are R^-1 times those of Q."""
        return np.linalg.inv(self.R)

    @cached_property
    def factors(self) -> tuple[Factor, ...]:
        return factors_of(self.terms, self.rows.n_obs)

    @cached_property
    def parameters(self) -> Parameters:
        return parameters_of(self.terms, self.factors)

    @cached_property
    def layout(self) -> EffectsLayout:
        return make_layout(self.factors)

    @cached_property
    def Z(self) -> tuple[sparse.csr_array, sparse.csr_array]:
        """Z of the lead, (n, G q), and of the rest, (n, K m), in the order of the layout."""
        x, lead = self.layout, self.factors[self.layout.lead]
        first = _indicator(lead, x.lead_level[lead.codes] * lead.q, len(x.component) * lead.q)
        width = x.n_components * x.m
        others = [self.factors[segment.factor] for segment in x.segments]
        parts = [
            _indicator(f, slot[f.codes], width) for f, slot in zip(others, x.slots(), strict=True)
        ]
        rest = sum(parts[1:], parts[0]) if parts else sparse.csr_array((len(self.X), 0))
        return first, rest

    @cached_property
    def products(self) -> CrossProducts:
        """All that does not involve outcomes."""
        A, C, R = self._random()
        B, D = self._with(self.Q)
        return CrossProducts(
            n=self.rows.n_obs,
            A=A,
            C=C,
            B=B,
            R=R,
            D=D,
            starts=np.flatnonzero(np.diff(self.layout.component, prepend=-1)),
            component=self.layout.component,
            lead=self.layout.lead,
            segments=self.layout.segments,
            parameters=self.parameters,
            log_det_X=2 * float(np.log(np.abs(np.diag(self.R))).sum()),
        )

    def _random(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """A, C and R of `CrossProducts`."""
        (Z, rest), x = self.Z, self.layout
        G, q, K = len(x.component), self.factors[x.lead].q, x.n_components
        if max(G * q, K * x.m) * x.m > LARGEST:
            raise ValueError(
                f"Crossed factors of {G * q} and {x.m} random effects are too large for this engine."
            )
        A = _dense_blocks(Z.T @ Z, G, q, q)
        C = _dense_blocks(Z.T @ rest, G, q, x.m)
        return A, C, _dense_blocks(rest.T @ rest, K, x.m, x.m)

    def _with(self, columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Z' columns, of shape (n, k): (G, q, k) of the lead and (K, m, k) of the rest."""
        (Z, rest), x, k = self.Z, self.layout, columns.shape[1]
        lead = (Z.T @ columns).reshape(len(x.component), -1, k)
        return lead, (rest.T @ columns).reshape(x.n_components, x.m, k)

    def outcomes(self, y: np.ndarray) -> Outcomes:
        """Cross-products of outcomes y (B, n) with X and Z, computed some outcomes at a time."""
        step = max(1, CHUNK // y.shape[1])
        parts = [self._outcomes(y[start : start + step]) for start in range(0, len(y), step)]
        return Outcomes.joined(parts)

    def _outcomes(self, y: np.ndarray) -> Outcomes:
        n, p = self.rows.n_obs, self.X.shape[1]
        with np.errstate(invalid="ignore", over="ignore"):  # y that is not finite becomes NaN
            b = y @ self.Q
            residual = y - b @ self.Q.T
            step = residual @ self.Q  # removes the rounding errors of the first projection
            residual, b = residual - step @ self.Q.T, b + step
            scale = np.sqrt(np.einsum("bi,bi->b", residual, residual) / (n - p))
            usable = np.isfinite(scale) & (scale > EXPLAINED * np.abs(y).max(axis=1))
        scale = np.where(usable, scale, np.nan)
        lead, rest = self._with((residual / scale[:, None]).T)
        return Outcomes(
            x=self.products,
            lead=np.moveaxis(lead, -1, 0),
            rest=np.moveaxis(rest, -1, 0),
            square=np.where(usable, float(n - p), np.nan),
            b=b,
            scale=scale,
        )


def orthonormal(X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Q (n, p) with orthonormal columns and R (p, p) upper triangular: X = Q R.

    By Cholesky of X'X, twice: as accurate as Householder's method where X is not nearly of lower
    rank (Yamamoto, Nakatsukasa, Yanagisawa and Fukaya 2015), and much faster; else by Householder's.
    """
    scale = np.maximum(np.linalg.norm(X, axis=0), np.finfo(float).tiny)
    try:
        Q, R = X / scale, np.diag(scale)
        for _ in range(2):
            L = np.linalg.cholesky(Q.T @ Q)
            if np.diag(L).min() < 1e-4:
                raise np.linalg.LinAlgError
            Q, R = Q @ np.linalg.inv(L).T, L.T @ R
    except np.linalg.LinAlgError:
        Q, R = np.linalg.qr(X)
    return Q, R


def make_layout(factors: Sequence[Factor]) -> EffectsLayout:
    """The factor with most random effects leads; the rest is divided into components."""
    lead = int(np.argmax([factor.n_effects for factor in factors]))
    others = [f for f in range(len(factors)) if f != lead]
    lead_home, homes = _components(factors[lead], [factors[f] for f in others])
    largest = [int(np.bincount(home).max()) for home in homes]
    widths = [factors[f].q for f in others]
    padded = sum(n * q for n, q in zip(largest, widths, strict=True))
    total = sum(factors[f].n_effects for f in others)
    # Padding components to one size must not cost more than taking them all as one.
    if total**3 <= (lead_home.max() + 1) * padded**3:
        lead_home, homes = np.zeros_like(lead_home), [np.zeros_like(home) for home in homes]
        largest = [factors[f].n_levels for f in others]
    order = np.argsort(lead_home, kind="stable")
    lead_level = np.empty_like(order)
    lead_level[order] = np.arange(len(order))
    starts = np.cumsum([0, *(n * q for n, q in zip(largest, widths, strict=True))])
    segments = tuple(
        Segment(f, int(start), n, q)
        for f, start, n, q in zip(others, starts, largest, widths, strict=False)
    )
    places = tuple(_place(home) for home in homes)
    return EffectsLayout(lead, lead_level, lead_home[order], segments, tuple(homes), places)


def _components(lead: Factor, others: Sequence[Factor]) -> tuple[np.ndarray, list[np.ndarray]]:
    """Component of each lead level, and of each level of the others: what shares rows is in one."""
    offsets = np.cumsum([lead.n_levels, *(factor.n_levels for factor in others)])
    total = int(offsets[-1])
    edges = [
        sparse.coo_array(
            (np.ones(len(lead.codes)), (lead.codes, offset + factor.codes)), shape=(total, total)
        )
        for offset, factor in zip(offsets, others, strict=False)
    ]
    if not edges:
        return np.zeros(lead.n_levels, dtype=int), []
    _, home = csgraph.connected_components(sum(edges[1:], edges[0]).tocsr(), directed=False)
    first, *homes = np.split(home, offsets[:-1])
    return first, homes


def _place(home: np.ndarray) -> np.ndarray:
    """Number of each level among those of its component, from 0."""
    order = np.argsort(home, kind="stable")
    counts = np.bincount(home)
    place = np.empty_like(order)
    place[order] = np.arange(len(home)) - np.repeat(np.cumsum(counts) - counts, counts)
    return place


def _indicator(factor: Factor, first: np.ndarray, width: int) -> sparse.csr_array:
    """(n, width): each row holds the factor's Z from column `first` (n,) on."""
    n, q = factor.Z.shape
    indices = first[:, None] + np.arange(q)
    pointers = np.arange(0, n * q + 1, q)
    return sparse.csr_array((factor.Z.ravel(), indices.ravel(), pointers), shape=(n, width))


def _dense_blocks(product: sparse.sparray, batch: int, rows: int, columns: int) -> np.ndarray:
    """(batch, rows, columns) of a sparse matrix with one non-zero block in each block row."""
    out = np.zeros((batch, rows, columns))
    entries = product.tocoo()
    i, j = entries.coords
    if columns:
        out.reshape(-1, columns)[i, j % columns] = entries.data
    return out
