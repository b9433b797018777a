"""Derivatives of a mixed model's likelihood with respect to its relative covariances omega.

V / s2 = I + sum_r omega_r G_r, G_r = Z (I kron E_r) Z'. All derivatives come from four sets of
moments of V^-1 and F = [X, r], V^-1 F taken whole (r is y - X beta):

    t_r = tr(V^-1 G_r)               T_rs = tr(V^-1 G_r V^-1 G_s)
    P_r = F'V^-1 G_r V^-1 F          Q_rs = F'V^-1 G_r V^-1 G_s V^-1 F

Kenward and Roger's (1997) P and Q are the blocks of X, P with its sign changed. With K = Z'V^-1Z of
the rest and CV, NR as in `Eliminated`, the lead's block of Z'V^-1Z is D - CV NR CV', D = W A.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from groupwise.models.pls import (
    CrossProducts,
    Eliminated,
    Gls,
    Segment,
    eliminate,
    level_times,
    profiled,
    segment_apply,
    segment_gram,
    solve_gls,
    times,
)


@dataclass(frozen=True)
class Moments:
    """`t` (k,), `T` (k, k), `P` (k, p + 1, p + 1), `Q` (k, k, p + 1, p + 1): see the module."""

    t: np.ndarray
    T: np.ndarray
    P: np.ndarray
    Q: np.ndarray


@dataclass(frozen=True)
class Weighted:
    """Z'V^-1Z and Z'V^-1[X, r] of lead and rest, each in the shapes of `CrossProducts`.

    `D` (G, q, q) is the lead's own block before the rest is taken out, `Y` (G, q, q) what the rest
    takes out of it; `F` (G, q, p + 1); `K` (K, m, m); `FR` (K, m, p + 1).
    """

    D: np.ndarray
    Y: np.ndarray
    F: np.ndarray
    K: np.ndarray
    FR: np.ndarray


def weighted(x: CrossProducts, e: Eliminated, gls: Gls) -> Weighted:
    """The random effects' columns under V^-1."""
    CN = segment_apply(x, e.CV, e.NR)
    F = e.BV - segment_apply(x, CN, e.DV)
    FR = e.WR @ e.DV
    for each in (F, FR):
        each[..., -1] -= each[..., :-1] @ gls.beta
    return Weighted(e.W @ x.A, CN @ e.CV.swapaxes(1, 2), F, e.WR @ e.RV, FR)


def moments(x: CrossProducts, e: Eliminated, gls: Gls) -> Moments:
    """t, T, P and Q of every parameter and pair of parameters."""
    w = weighted(x, e, gls)
    k, p1 = x.parameters.k, x.p + 1
    found = Moments(np.empty(k), np.empty((k, k)), np.empty((k, p1, p1)), np.empty((k, k, p1, p1)))
    parts = [_part(x, e, w, r) for r in range(k)]
    for r, part in enumerate(parts):
        found.t[r], found.P[r] = part.t, part.P
        for s in range(r, k):
            T, Q = _pair(part, parts[s], w, e)
            found.T[r, s] = found.T[s, r] = T
            found.Q[r, s], found.Q[s, r] = Q, Q.T
    return found


@dataclass(frozen=True)
class _Lead:
    """What one parameter of the lead contributes: sums over levels g of E_r between columns."""

    t: float
    P: np.ndarray
    ED: np.ndarray
    EY: np.ndarray
    EF: np.ndarray
    NCC: np.ndarray
    WCCW: np.ndarray
    U: np.ndarray
    WU: np.ndarray


@dataclass(frozen=True)
class _Rest:
    """What one parameter of another factor contributes; `E` acts on the slots of its segment."""

    t: float
    P: np.ndarray
    E: np.ndarray
    EF: np.ndarray
    segment: Segment


def _part(x: CrossProducts, e: Eliminated, w: Weighted, r: int) -> _Lead | _Rest:
    E = x.parameters.pattern[r]
    if x.parameters.factor[r] == x.lead:
        return _lead(x, e, w, E)
    segment = next(s for s in x.segments if s.factor == x.parameters.factor[r])
    slots = segment.slots
    EF = level_times(segment, E, w.FR[:, slots])
    EK = level_times(segment, E, w.K[:, slots, slots])
    t = float(np.trace(EK, axis1=1, axis2=2).sum())
    return _Rest(t, _sum_product(w.FR[:, slots], EF), E, EF, segment)


def _lead(x: CrossProducts, e: Eliminated, w: Weighted, E: np.ndarray) -> _Lead:
    ED, EY, EF = times(E, w.D), times(E, w.Y), times(E, w.F)
    CC = segment_gram(x, e.CV, times(E, e.CV))
    U = segment_gram(x, e.CV, EF)
    return _Lead(
        t=float(np.trace(ED - EY, axis1=1, axis2=2).sum()),
        P=_sum_product(w.F, EF),
        ED=ED,
        EY=EY,
        EF=EF,
        NCC=e.NR @ CC,
        WCCW=e.WR @ CC @ e.WR.swapaxes(1, 2),
        U=U,
        WU=e.WR @ U,
    )


def _pair(
    a: _Lead | _Rest, b: _Lead | _Rest, w: Weighted, e: Eliminated
) -> tuple[float, np.ndarray]:
    """T and Q of two parameters."""
    if isinstance(a, _Lead) and isinstance(b, _Lead):
        T = _trace(a.ED, b.ED) - _trace(a.ED, b.EY) - _trace(a.EY, b.ED) + _trace(a.NCC, b.NCC)
        return T, _sum_product(a.EF, w.D @ b.EF) - _sum_product(a.U, e.NR @ b.U)
    if isinstance(a, _Rest) and isinstance(b, _Rest):
        i, j = a.segment.slots, b.segment.slots
        left = level_times(a.segment, a.E, w.K[:, i, j])
        right = level_times(b.segment, b.E, w.K[:, j, i])
        return _trace(left, right), _sum_product(a.EF, w.K[:, i, j] @ b.EF)
    if isinstance(a, _Lead):
        assert isinstance(b, _Rest)
        slots = b.segment.slots
        own = level_times(b.segment, b.E, a.WCCW[:, slots, slots])
        return float(np.trace(own, axis1=1, axis2=2).sum()), _sum_product(a.WU[:, slots], b.EF)
    T, Q = _pair(b, a, w, e)
    return T, Q.T


def _sum_product(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """sum over a batch of left' right."""
    a, b = left.shape[-1], right.shape[-1]
    product: np.ndarray = left.reshape(-1, a).T @ right.reshape(-1, b)
    return product


def _trace(left: np.ndarray, right: np.ndarray) -> float:
    """sum over a batch of tr(left right)."""
    return float(np.einsum("gij,gji->", left, right))


@dataclass(frozen=True)
class Slopes:
    """The profiled criterion at theta: value, gradient (k,) and Hessian (k, k)."""

    value: float
    gradient: np.ndarray
    hessian: np.ndarray


@dataclass(frozen=True)
class Curves:
    """Derivatives with respect to omega that likelihoods are made of (s2 = 1).

    `trace` (k,) and `trace2` (k, k): of log |V| (+ log |X'V^-1X| for REML), first and minus second
    order; `u` (k,) and `u2` (k, k): of the residual sum of squares y'Py, minus first and (halved)
    second order.
    """

    trace: np.ndarray
    trace2: np.ndarray
    u: np.ndarray
    u2: np.ndarray


def curves(found: Moments, Phi: np.ndarray, reml: bool) -> Curves:
    """Moments with beta projected out."""
    X = slice(None, -1)
    P, Q = found.P[:, X, X], found.Q[:, :, X, X]
    PPhi, Pr = P @ Phi, found.P[:, X, -1]
    trace, trace2 = found.t, found.T
    if reml:
        trace = trace - np.einsum("rii->r", PPhi)
        products = np.einsum("rij,sji->rs", PPhi, PPhi)
        trace2 = trace2 - 2 * np.einsum("rsij,ji->rs", Q, Phi) + products
    u2 = found.Q[:, :, -1, -1] - Pr @ Phi @ Pr.T
    return Curves(trace, trace2, found.P[:, -1, -1], u2)


def slopes(x: CrossProducts, theta: np.ndarray, reml: bool) -> Slopes:
    """Value and exact derivatives of `pls.objective`."""
    e = eliminate(x, x.parameters.omega(theta))
    gls = solve_gls(e.cross)
    c = curves(moments(x, e, gls), gls.Phi, reml)
    s2 = gls.rss / x.df(reml)
    gradient = c.trace - c.u / s2
    hessian = -c.trace2 + 2 * c.u2 / s2 - np.outer(c.u, c.u) / (s2 * gls.rss)
    J = x.parameters.jacobian(theta)
    return Slopes(
        value=profiled(x, e, gls, reml),
        gradient=J.T @ gradient,
        hessian=J.T @ hessian @ J + np.tensordot(gradient, x.parameters.T, 1),
    )
