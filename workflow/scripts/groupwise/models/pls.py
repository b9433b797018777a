"""Cross-products of a mixed model, and everything that V^-1 enters computed from them.

y = X beta + Z u + e,  V = s2 (I + Z G Z'),  G block-diagonal with one Lambda Lambda' a level

One factor, the `lead`, has its random effects eliminated level by level, in one batch. What is left
of the other factors falls apart into components that share no level of the lead (blocks in which
groups are nested; all in one where factors are crossed): dense, in a batch over components.
With W = (I + Z'Z G)^-1 for either stage, Z'V^-1 Z = W Z'Z and log |V| = -log |W|. Nothing here is
n x n, and G may be singular. The elimination is that of Bates, Maechler, Bolker and Walker (2015,
section 3), written in G in place of its root, as derivatives with respect to G are wanted too.

Shapes: lead level g of G, q effects each; component c of K, m effects each (levels that some
components lack are empty); columns X and y: p + 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import linalg, sparse

from groupwise.models.random_terms import Parameters

SMALL = 64
"""Up to so many numbers a level, products over segments are formed for all levels at once."""

LARGE = 500_000
"""Matrices of so many numbers are looked at for zeros before they are multiplied."""


@dataclass(frozen=True)
class Segment:
    """Where a factor is found among the m effects of a component: `levels` x `q`, from `start`."""

    factor: int
    start: int
    levels: int
    q: int

    @property
    def slots(self) -> slice:
        return slice(self.start, self.start + self.levels * self.q)


@dataclass(frozen=True)
class CrossProducts:
    """All a fit needs to know of the data. X is orthonormal and y is what OLS leaves, in sds.

    Attributes
    ----------
    n : rows
    A : (G, q, q), C : (G, q, m), B : (G, q, p + 1)
        Z_g'Z_g, Z_g'Z_rest (within the component of g) and Z_g'[X, y] of the lead.
    R : (K, m, m), D : (K, m, p + 1)
        Z_rest'Z_rest and Z_rest'[X, y].
    E : (p + 1, p + 1)
        [X, y]'[X, y].
    starts : (K,), component : (G,)
        First lead level of each component, and the component of each lead level.
    lead : index of the lead factor
    segments : where each other factor is found in a component
    log_det_X : log |X'X| of X as it was given
    log_scale : log of the sd that y was divided by
    """

    n: int
    A: np.ndarray
    C: np.ndarray
    B: np.ndarray
    R: np.ndarray
    D: np.ndarray
    E: np.ndarray
    starts: np.ndarray
    component: np.ndarray
    lead: int
    segments: tuple[Segment, ...]
    parameters: Parameters
    log_det_X: float
    log_scale: float

    @property
    def p(self) -> int:
        return self.E.shape[0] - 1

    def df(self, reml: bool) -> int:
        """What the residual sum of squares is divided by."""
        return self.n - self.p if reml else self.n


@dataclass(frozen=True)
class Eliminated:
    """The cross-products weighted by V^-1 at given relative covariances, with s2 = 1.

    `W`, `N` = G W: (G, q, q) of the lead; `CV`, `BV`: lead with rest, [X, y] under the lead's V_1;
    `RV`, `DV`: the same of the rest; `WR`, `NR`: (K, m, m) of the rest; `cross` = [X, y]'V^-1[X, y].
    """

    W: np.ndarray
    N: np.ndarray
    CV: np.ndarray
    BV: np.ndarray
    RV: np.ndarray
    DV: np.ndarray
    WR: np.ndarray
    NR: np.ndarray
    cross: np.ndarray
    log_det_V: float


@dataclass(frozen=True)
class Gls:
    """Effects given V (s2 = 1): `beta` (p,), `Phi` = (X'V^-1X)^-1 (p, p), `rss` = y'P y."""

    beta: np.ndarray
    Phi: np.ndarray
    rss: float
    log_det_XVX: float


def eliminate(products: CrossProducts, omega: np.ndarray) -> Eliminated:
    """Integrate the random effects out, the lead first."""
    x = products
    G = x.parameters.covariance(omega)
    W, log_det = _resolvent(x.A @ G[x.lead])
    N = G[x.lead] @ W
    CV, BV, NB = W @ x.C, W @ x.B, N @ x.B
    RV = x.R - segment_gram(x, x.C, N @ x.C)
    DV = x.D - segment_gram(x, x.C, NB)
    RG = rest_times(x, G, RV.swapaxes(1, 2)).swapaxes(1, 2)
    WR, log_det_rest = _resolvent(RG)
    NR = rest_times(x, G, WR)
    cross = x.E - np.tensordot(x.B, NB, ((0, 1), (0, 1)))
    cross -= np.tensordot(DV, NR @ DV, ((0, 1), (0, 1)))
    cross = 0.5 * (cross + cross.T)
    return Eliminated(W, N, CV, BV, RV, DV, WR, NR, cross, log_det + log_det_rest)


def solve_gls(cross: np.ndarray) -> Gls:
    """Effects and residual sum of squares from [X, y]'V^-1[X, y], shape (p + 1, p + 1)."""
    L = np.linalg.cholesky(cross[:-1, :-1])
    root = np.linalg.inv(L)
    half = root @ cross[:-1, -1]
    log_det = 2 * float(np.log(np.diag(L)).sum())
    return Gls(root.T @ half, root.T @ root, float(cross[-1, -1] - half @ half), log_det)


def profiled(products: CrossProducts, eliminated: Eliminated, gls: Gls, reml: bool) -> float:
    """-2 log-likelihood, full or restricted, with beta and s2 profiled out.

    Bates et al. (2015, eq. 34 and 42), with all constants, log |X'X| left out as in lme4.
    """
    df = products.df(reml)
    if not gls.rss > 0:
        return np.inf
    value = eliminated.log_det_V + df * (1 + np.log(2 * np.pi * gls.rss / df))
    if reml:
        value += gls.log_det_XVX + products.log_det_X
    return float(value + 2 * df * products.log_scale)


def objective(products: CrossProducts, theta: np.ndarray, reml: bool) -> float:
    """`profiled` at theta in units of the scaled columns of Z."""
    eliminated = eliminate(products, products.parameters.omega(theta))
    return profiled(products, eliminated, solve_gls(eliminated.cross), reml)


def criterion(products: CrossProducts, theta: np.ndarray, reml: bool = True) -> float:
    """The profiled REML or ML criterion at theta in lme4's units and order: a pure function."""
    return objective(products, np.asarray(theta) * products.parameters.scale, reml)


def segment_gram(products: CrossProducts, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """sum of left_g' right_g over the lead levels g of each component: (K, a, b)."""
    (G, q, a), b = left.shape, right.shape[2]
    starts = products.starts
    if len(starts) == 1:
        return _product(left.reshape(G * q, a).T, right.reshape(G * q, b))[None]
    if a * b <= SMALL:
        return np.add.reduceat(left.swapaxes(1, 2) @ right, starts, axis=0)
    parts = np.empty((len(starts), a, b))
    for c, rows in enumerate(_segments(products)):
        parts[c] = left[rows].reshape(-1, a).T @ right[rows].reshape(-1, b)
    return parts


def segment_apply(products: CrossProducts, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """left_g right_c for the component c of each lead level g: (G, q, b)."""
    (G, q, m), b = left.shape, right.shape[2]
    if len(right) == 1:
        return _product(left.reshape(G * q, m), right[0]).reshape(G, q, b)
    if m * b <= SMALL:
        return left @ right[products.component]
    parts = np.empty((G, q, b))
    for c, rows in enumerate(_segments(products)):
        parts[rows] = (left[rows].reshape(-1, m) @ right[c]).reshape(-1, q, b)
    return parts


def _segments(products: CrossProducts) -> list[slice]:
    ends = np.append(products.starts[1:], len(products.component))
    return [slice(a, b) for a, b in zip(products.starts, ends, strict=True)]


def times(E: np.ndarray, M: np.ndarray) -> np.ndarray:
    """E M for one small matrix E (q, q) and a batch M (..., q, b)."""
    return E[0, 0] * M if E.shape == (1, 1) else E @ M


def rest_times(products: CrossProducts, G: list[np.ndarray], M: np.ndarray) -> np.ndarray:
    """(I kron G) M for the rest, M of shape (K, m, b)."""
    out = np.empty_like(M)
    for segment in products.segments:
        out[:, segment.slots] = level_times(segment, G[segment.factor], M[:, segment.slots])
    return out


def level_times(segment: Segment, E: np.ndarray, M: np.ndarray) -> np.ndarray:
    """E times the rows of each level, M of shape (K, levels x q, b)."""
    if segment.q == 1:
        return E[0, 0] * M
    return (E @ M.reshape(len(M), segment.levels, segment.q, -1)).reshape(M.shape)


def _product(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """left right; crossed factors with many levels meet in few cells, and zeros are skipped."""
    product = _without_zeros(left) @ _without_zeros(right)
    return product.toarray() if sparse.issparse(product) else np.asarray(product)


def _without_zeros(M: np.ndarray) -> np.ndarray | sparse.csr_array:
    if M.size < LARGE or np.count_nonzero(M) > 0.1 * M.size:
        return M
    return sparse.csr_array(M.T).T.tocsr() if M.flags.f_contiguous else sparse.csr_array(M)


def _resolvent(AG: np.ndarray) -> tuple[np.ndarray, float]:
    """(I + A G)^-1 and the sum of the log determinants of I + A G, for a batch (..., q, q)."""
    if AG.shape[-1] == 1:
        return 1 / (1 + AG), float(np.log1p(AG).sum())
    plus = np.eye(AG.shape[-1]) + AG
    if len(plus) == 1 and plus.size > LARGE:
        factors = linalg.lu_factor(plus[0], check_finite=False)
        log_det = float(np.log(np.abs(np.diag(factors[0]))).sum())
        return linalg.lu_solve(factors, np.eye(plus.shape[-1]), check_finite=False)[None], log_det
    return np.linalg.inv(plus), float(np.linalg.slogdet(plus)[1].sum())
