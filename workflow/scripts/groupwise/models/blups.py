"""Best linear unbiased predictions of random effects, with their conditional covariances."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from groupwise.models.cross_products import Segment
from groupwise.models.lmm_likelihood import Eliminated, Weighted
from groupwise.models.lmm_structure import LmmStructure


@dataclass(frozen=True)
class RandomEffects:
    """BLUPs (L, q) of one term, and their covariances (L, q, q) given y, variances and beta.

    `spread` (L, q) is the sd of the predictions themselves over outcomes, beta estimated: what tells
    an unusual one.
    """

    name: str
    labels: tuple[str, ...]
    colnames: tuple[str, ...]
    estimate: np.ndarray
    covariance: np.ndarray
    spread: np.ndarray

    @property
    def std_error(self) -> np.ndarray:
        """(L, q)"""
        return np.sqrt(np.maximum(np.einsum("lqq->lq", self.covariance), 0))


def predict(
    structure: LmmStructure,
    e: Eliminated,
    w: Weighted,
    Phi: np.ndarray,
    scale: float,
    sigma: float,
) -> tuple[tuple[RandomEffects, ...], np.ndarray]:
    """BLUPs G Z'V^-1(y - X beta) of one outcome, one set a term, and what they add to each row, (n,).

    Their covariance given y is s2 (G - G Z'V^-1Z G), lme4's postVar (Bates et al. 2015, eq. 56).
    `scale` is the unit of y in the cross-products; `Phi` (p, p) as in `Gls`.
    """
    x, G = structure.layout, [each[0] for each in e.G]
    (F,), (FR,), (NR,) = w.F, w.FR, e.NR
    lead = scale * F[..., -1] @ G[x.lead]
    rest = np.zeros(FR.shape[:2])
    covariance = e.N[0] + G[x.lead] @ w.Y[0] @ G[x.lead]
    reduction = _variance_reduction(G[x.lead] @ F[..., :-1], Phi)
    by_factor = {x.lead: tuple(each[x.lead_level] for each in (lead, covariance, reduction))}
    for segment, home, place in zip(x.segments, x.home, x.place, strict=True):
        F = FR[:, segment.slots].reshape(len(FR), segment.levels, segment.q, -1)
        b = scale * F[..., -1] @ G[segment.factor]
        rest[:, segment.slots] = b.reshape(len(b), -1)
        covariance = _diagonal_blocks(NR[:, segment.slots, segment.slots], segment)
        reduction = _variance_reduction(G[segment.factor] @ F[..., :-1], Phi)
        by_factor[segment.factor] = (
            b[home, place],
            covariance[place, home],
            reduction[home, place],
        )
    Z, Z_rest = structure.Z
    shift = Z @ lead.ravel() + Z_rest @ rest.ravel()
    return _by_term(structure, by_factor, G, sigma), shift


def _variance_reduction(GF: np.ndarray, Phi: np.ndarray) -> np.ndarray:
    """(..., q) by which estimating beta reduces the variance of predictions, in units of s2."""
    reduction: np.ndarray = np.einsum("...qi,ij,...qj->...q", GF, Phi, GF, optimize=True)
    return reduction


def _diagonal_blocks(N: np.ndarray, segment: Segment) -> np.ndarray:
    """The block of each level with itself: (levels, K, q, q)."""
    blocks = N.reshape(len(N), segment.levels, segment.q, segment.levels, segment.q)
    each = np.arange(segment.levels)
    return blocks[:, each, :, each, :]


def _by_term(
    structure: LmmStructure,
    by_factor: dict[int, tuple[np.ndarray, ...]],
    G: list[np.ndarray],
    sigma: float,
) -> tuple[RandomEffects, ...]:
    """Effects of factors divided among their terms, in the units of the data."""
    effects = {}
    for f, factor in enumerate(structure.factors):
        estimate = by_factor[f][0] / factor.scale
        covariance = sigma**2 * by_factor[f][1] / np.outer(factor.scale, factor.scale)
        variance = np.diag(G[f]) - np.einsum("lqq->lq", by_factor[f][1]) - by_factor[f][2]
        spread = sigma * np.sqrt(np.maximum(variance, 0)) / factor.scale
        for t, start in zip(factor.terms, factor.offset, strict=True):
            term = structure.terms[t]
            columns = slice(start, start + term.q)
            effects[t] = RandomEffects(
                name=term.name,
                labels=term.labels,
                colnames=term.colnames,
                estimate=estimate[:, columns],
                covariance=covariance[:, columns, columns],
                spread=spread[:, columns],
            )
    return tuple(effects[t] for t in range(len(structure.terms)))
