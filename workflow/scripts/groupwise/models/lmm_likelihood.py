"""The likelihood of linear mixed models for a batch of outcomes, with exact derivatives.

y = X beta + Z u + e,  V = s2 (I + Z G Z'),  G block-diagonal with one Lambda Lambda' a level

Random effects are eliminated in two stages, the lead factor first (`cross_products`). With
W = (I + Z'Z G)^-1 for either stage, Z'V^-1 Z = W Z'Z and log |V| = -log |W|. Nothing here is n x n,
and G may be singular. The elimination is that of Bates, Maechler, Bolker and Walker (2015, section 3),
written in G in place of its root, as derivatives with respect to G are wanted too.

V / s2 = I + sum_r omega_r G_r, G_r = Z (I kron E_r) Z'. All derivatives come from four sets of
moments of V^-1 and columns F of V^-1 [X, r], r = y - X beta (s2 = 1):

    t_r = tr(V^-1 G_r)               T_rs = tr(V^-1 G_r V^-1 G_s)
    P_r = F'V^-1 G_r V^-1 F          Q_rs = F'V^-1 G_r V^-1 G_s V^-1 F
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import linalg

from groupwise.models.cross_products import (
    LARGE,
    CrossProducts,
    Outcomes,
    Segment,
    apply,
    gram,
    level_times,
    over_levels,
    product,
    rest_times,
)
from groupwise.models.newton import Slopes


@dataclass(frozen=True)
class Eliminated:
    """The cross-products of B outcomes weighted by V^-1 at theta, with s2 = 1.

    `G`: relative covariances (B, q_f, q_f) of each factor; `W`, `N` = G W: (B, G, q, q) of the lead;
    `CV`, `BV`: lead with rest, [X, y] under the lead's V_1; `RV`, `DV`: the same of the rest; `WR`,
    `NR`: (B, K, m, m) of the rest; `cross` (B, p + 1, p + 1) = [X, y]'V^-1[X, y]; `log_det_V` (B,).
    """

    G: list[np.ndarray]
    W: np.ndarray
    N: np.ndarray
    CV: np.ndarray
    BV: np.ndarray
    RV: np.ndarray
    DV: np.ndarray
    WR: np.ndarray
    NR: np.ndarray
    cross: np.ndarray
    log_det_V: np.ndarray


@dataclass(frozen=True)
class Gls:
    """Effects given V (s2 = 1): `beta` (B, p), `root`'`root` = (X'V^-1X)^-1, (B, p, p), `rss` (B,).

    NaN where X'V^-1X is not positive definite to rounding.
    """

    beta: np.ndarray
    root: np.ndarray
    rss: np.ndarray
    log_det_XVX: np.ndarray

    @property
    def Phi(self) -> np.ndarray:
        """(B, p, p) = (X'V^-1X)^-1"""
        return np.asarray(self.root.swapaxes(-1, -2) @ self.root)


def eliminate(y: Outcomes, theta: np.ndarray) -> Eliminated:
    """Integrate the random effects out, the lead first; theta (B, k) of scaled columns."""
    x = y.x
    G = x.parameters.covariance(x.parameters.omega(theta))
    lead, C = G[x.lead][:, None], x.C[None]
    A, kind, count = x.kinds
    W, log_det = _resolvent(product(A[None], lead), count)
    N, W = product(lead, W)[:, kind], W[:, kind]
    B = _with_y(x.B, y.lead)
    NB = product(N, B)
    RV = x.R - gram(x, C, product(N, C))
    DV = _with_y(x.D, y.rest) - gram(x, C, NB)
    WR, log_det_rest = _resolvent(rest_times(x, G, RV.swapaxes(-1, -2)).swapaxes(-1, -2))
    NR = rest_times(x, G, WR)
    cross = -over_levels(B, NB) - over_levels(DV, NR @ DV)
    diagonal = np.arange(x.p)
    cross[:, diagonal, diagonal] += 1
    cross[:, -1, -1] += y.square
    cross = 0.5 * (cross + cross.swapaxes(-1, -2))
    CV, BV = product(W, C), product(W, B)
    return Eliminated(G, W, N, CV, BV, RV, DV, WR, NR, cross, log_det + log_det_rest)


def _with_y(columns: np.ndarray, y: np.ndarray) -> np.ndarray:
    """[X, y] (B, ..., p + 1) of every outcome."""
    of_X = np.broadcast_to(columns, (*y.shape, columns.shape[-1]))
    return np.concatenate([of_X, y[..., None]], axis=-1)


def _resolvent(AG: np.ndarray, count: float | np.ndarray = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """(I + A G)^-1 of (B, L, q, q), and sums (B,) of the log determinants of I + A G.

    Each of the L matrices stands for as many equal ones as `count` says.
    """
    if AG.shape[-1] == 1:
        return 1 / (1 + AG), (count * np.log1p(AG[..., 0, 0])).sum(axis=1)
    plus = np.eye(AG.shape[-1]) + AG
    if AG.shape[-1] == 2:
        det = plus[..., 0, 0] * plus[..., 1, 1] - plus[..., 0, 1] * plus[..., 1, 0]
        adjoint = np.negative(plus)
        adjoint[..., 0, 0], adjoint[..., 1, 1] = plus[..., 1, 1], plus[..., 0, 0]
        return adjoint / det[..., None, None], (count * np.log(det)).sum(axis=1)
    if plus.shape[0] == plus.shape[1] == 1 and plus.size > LARGE:
        factors = linalg.lu_factor(plus[0, 0], check_finite=False)
        log_det = np.log(np.abs(np.diag(factors[0]))).sum()
        inverse = linalg.lu_solve(factors, np.eye(plus.shape[-1]), check_finite=False)
        return inverse[None, None], (count * log_det).reshape(1)
    return np.linalg.inv(plus), (count * np.linalg.slogdet(plus)[1]).sum(axis=1)


def solve_gls(cross: np.ndarray) -> Gls:
    """Effects and residual sums of squares from [X, y]'V^-1[X, y], (B, p + 1, p + 1)."""
    L = _cholesky(cross[:, :-1, :-1])
    root = np.linalg.inv(L)
    half = (root @ cross[:, :-1, -1:])[..., 0]
    log_det = 2 * np.log(np.diagonal(L, axis1=1, axis2=2)).sum(axis=-1)
    beta = np.einsum("bij,bi->bj", root, half)
    rss = cross[:, -1, -1] - np.einsum("bi,bi->b", half, half)
    return Gls(beta, root, rss, log_det)


def _cholesky(A: np.ndarray) -> np.ndarray:
    """Roots of (B, p, p); NaN for those that are not positive definite."""
    try:
        return np.linalg.cholesky(A)
    except np.linalg.LinAlgError:
        if len(A) == 1:
            return np.full_like(A, np.nan)
        return np.concatenate([_cholesky(each[None]) for each in A])


def profiled(y: Outcomes, e: Eliminated, gls: Gls, reml: bool) -> np.ndarray:
    """-2 log-likelihood (B,), full or restricted, with beta and s2 profiled out; infinite for none.

    Bates et al. (2015, eq. 34 and 42), with all constants, log |X'X| left out as in lme4.
    """
    df = y.x.df(reml)
    rss = np.where(gls.rss > 0, gls.rss, np.nan)
    value = e.log_det_V + df * (1 + np.log(2 * np.pi * rss / df)) + 2 * df * np.log(y.scale)
    if reml:
        value += gls.log_det_XVX + y.x.log_det_X
    return np.where(np.isfinite(value), value, np.inf)


def objective(y: Outcomes, theta: np.ndarray, reml: bool) -> np.ndarray:
    """`profiled` (B,) at theta (B, k) of scaled columns."""
    e = eliminate(y, theta)
    return profiled(y, e, solve_gls(e.cross), reml)


# ---- moments ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Weighted:
    """Z'V^-1Z and Z'V^-1[X, r] of lead and rest.

    `D` (B, G, q, q) is the lead's own block before the rest is taken out, `Y` (B, G, q, q) what the
    rest takes out of it; `F` (B, G, q, p + 1); `K` (B, K, m, m); `FR` (B, K, m, p + 1).
    """

    D: np.ndarray
    Y: np.ndarray
    F: np.ndarray
    K: np.ndarray
    FR: np.ndarray


def weigh(x: CrossProducts, e: Eliminated, gls: Gls) -> Weighted:
    """The random effects' columns under V^-1."""
    CN = apply(x, e.CV, e.NR)
    F = e.BV - apply(x, CN, e.DV)
    FR = e.WR @ e.DV
    for each in (F, FR):
        each[..., -1] -= (each[..., :-1] @ gls.beta[:, None, :, None])[..., 0]
    Y = product(CN, e.CV.swapaxes(-1, -2))
    return Weighted(product(e.W, x.A[None]), Y, F, e.WR @ e.RV, FR)


def _place(x: CrossProducts, r: int) -> Segment | None:
    """The segment of parameter r; None if it is the lead's."""
    factor = x.parameters.factor[r]
    return None if factor == x.lead else next(s for s in x.segments if s.factor == factor)


@dataclass(frozen=True)
class _Trace:
    """Contribution of one parameter to T from other levels; `E` acts on its segment, if any."""

    segment: Segment | None
    E: np.ndarray
    NCC: np.ndarray
    WCCW: np.ndarray


def traces(x: CrossProducts, e: Eliminated, w: Weighted) -> tuple[np.ndarray, np.ndarray]:
    """t (B, k) and T (B, k, k)."""
    k, lead = x.parameters.n_omega, np.flatnonzero(x.parameters.factor == x.lead)
    E = np.array([x.parameters.pattern[r] for r in lead])
    t, T = np.empty((len(w.D), k)), np.zeros((len(w.D), k, k))
    t[:, lead] = np.einsum("rij,bji->br", E, (w.D - w.Y).sum(axis=1))
    T[:, lead[:, None], lead] = level_traces(E, w.D, w.D)
    if not x.segments:
        return t, T
    DY = level_traces(E, w.D, w.Y)
    T[:, lead[:, None], lead] -= DY + DY.swapaxes(-1, -2)
    parts = [_trace_part(x, e, r) for r in range(k)]
    for r, part in enumerate(parts):
        if part.segment is not None:
            slots = part.segment.slots
            t[:, r] = _trace(level_times(part.segment, part.E, w.K[:, :, slots, slots]))
        for s in range(r, k):
            T[:, r, s] = T[:, s, r] = T[:, r, s] + _trace_pair(part, parts[s], w)
    return t, T


def level_traces(E: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Sums over lead levels of tr(E_r left E_s right), (B, k, k), of E (k, q, q) and (B, G, q, q)."""
    k, (B, G, q, _) = len(E), left.shape
    sums = left.reshape(B, G, -1).swapaxes(-1, -2) @ right.reshape(B, G, -1)
    # Of left_jh right_li, to be multiplied by (E_r)_ij and (E_s)_hl.
    sums = sums.reshape(B, q, q, q, q).transpose(0, 4, 1, 2, 3).reshape(B, q * q, q * q)
    return np.asarray(E.reshape(k, -1) @ sums @ E.reshape(k, -1).T)


def _trace_part(x: CrossProducts, e: Eliminated, r: int) -> _Trace:
    E, segment, nothing = x.parameters.pattern[r], _place(x, r), np.empty(0)
    if segment is not None:
        return _Trace(segment, E, nothing, nothing)
    CC = gram(x, e.CV, _pattern_times(E, e.CV))
    return _Trace(None, E, e.NR @ CC, e.WR @ CC @ e.WR.swapaxes(-1, -2))


def _trace_pair(a: _Trace, b: _Trace, w: Weighted) -> np.ndarray:
    if a.segment is None and b.segment is None:
        return _trace(a.NCC, b.NCC)
    if a.segment is None and b.segment is not None:
        slots = b.segment.slots
        return _trace(level_times(b.segment, b.E, a.WCCW[:, :, slots, slots]))
    if a.segment is None or b.segment is None:
        return _trace_pair(b, a, w)
    i, j = a.segment.slots, b.segment.slots
    left = level_times(a.segment, a.E, w.K[:, :, i, j])
    return _trace(left, level_times(b.segment, b.E, w.K[:, :, j, i]))


def _trace(left: np.ndarray, right: np.ndarray | None = None) -> np.ndarray:
    """Sums (B,) over components of tr(left) or tr(left right)."""
    if right is None:
        return np.einsum("bgii->b", left)
    return np.einsum("bgij,bgji->b", left, right)


Pairing = Callable[[np.ndarray, np.ndarray], np.ndarray]


def by_column(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """The diagonal (B, c) of `over_levels`."""
    return np.einsum("bgqc,bgqc->bc", left, right)


@dataclass(frozen=True)
class _Form:
    """Contribution of one parameter to Q of columns F: E F, and V^-1 E F where it is the lead's."""

    segment: Segment | None
    EF: np.ndarray
    DEF: np.ndarray
    U: np.ndarray
    NU: np.ndarray
    WU: np.ndarray


def forms(
    x: CrossProducts,
    e: Eliminated,
    w: Weighted,
    F: tuple[np.ndarray, np.ndarray],
    pairing: Pairing,
) -> tuple[np.ndarray, np.ndarray]:
    """P (B, k, c, c) and Q (B, k, k, ...) of columns F of lead and rest, by `pairing` of them.

    F are (B, G, q, c) and (B, K, m, c); `over_levels` gives all of Q, `by_column` its diagonal.
    """
    k = x.parameters.n_omega
    parts = [_form_part(x, e, w, F, r) for r in range(k)]
    P = np.stack([_quadratic_form(part, F) for part in parts], axis=1)
    shape = pairing(F[0][:, :0], F[0][:, :0]).shape[1:]
    Q = np.empty((len(w.D), k, k, *shape))
    for r in range(k):
        for s in range(r, k):
            Q[:, r, s] = _form_pair(parts[r], parts[s], w, pairing)
            Q[:, s, r] = Q[:, r, s].swapaxes(-1, -2) if len(shape) == 2 else Q[:, r, s]
    return P, Q


def _form_part(
    x: CrossProducts, e: Eliminated, w: Weighted, F: tuple[np.ndarray, np.ndarray], r: int
) -> _Form:
    E, segment, nothing = x.parameters.pattern[r], _place(x, r), np.empty(0)
    if segment is not None:
        EF = level_times(segment, E, F[1][:, :, segment.slots])
        return _Form(segment, EF, nothing, nothing, nothing, nothing)
    EF = _pattern_times(E, F[0])
    if not x.segments:
        return _Form(None, EF, product(w.D, EF), nothing, nothing, nothing)
    U = gram(x, e.CV, EF)
    return _Form(None, EF, product(w.D, EF), U, e.NR @ U, e.WR @ U)


def _pattern_times(E: np.ndarray, M: np.ndarray) -> np.ndarray:
    """E M for M (..., q, b) and E (q, q); where E has one 1 a row at most, without products."""
    if E.shape == (1, 1):
        return M
    rows, columns = np.nonzero(E)
    if len(rows) != len(np.unique(rows)) or (E[rows, columns] != 1).any():
        return np.asarray(E @ M)
    out = np.zeros_like(M)
    out[..., rows, :] = M[..., columns, :]
    return out


def _quadratic_form(part: _Form, F: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """F'E F, (B, c, c)."""
    if part.segment is None:
        return over_levels(F[0], part.EF)
    return over_levels(F[1][:, :, part.segment.slots], part.EF)


def _form_pair(a: _Form, b: _Form, w: Weighted, pairing: Pairing) -> np.ndarray:
    if a.segment is None and b.segment is None:
        direct = pairing(a.EF, b.DEF)
        return direct - pairing(a.U, b.NU) if a.U.size else direct
    if a.segment is None and b.segment is not None:
        return pairing(a.WU[:, :, b.segment.slots], b.EF)
    if a.segment is None or b.segment is None:
        assert a.segment is not None
        return pairing(a.EF, b.WU[:, :, a.segment.slots])
    return pairing(a.EF, w.K[:, :, a.segment.slots, b.segment.slots] @ b.EF)


# ---- derivatives -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Curves:
    """Derivatives with respect to omega that likelihoods are made of (s2 = 1).

    `trace` (B, k) and `trace2` (B, k, k): of log |V| (+ log |X'V^-1X| for REML), first and minus
    second order; `u` (B, k) and `u2` (B, k, k): of the residual sum of squares y'Py, minus first and
    (halved) second order; `P` (B, k, p, p): P_r of X turned by `Gls.root`.
    """

    trace: np.ndarray
    trace2: np.ndarray
    u: np.ndarray
    u2: np.ndarray
    P: np.ndarray


def curves(x: CrossProducts, e: Eliminated, w: Weighted, gls: Gls, reml: bool) -> Curves:
    """Moments with beta projected out."""
    trace, trace2 = traces(x, e, w)
    turn = gls.root.swapaxes(-1, -2)[:, None]
    F, FR = (
        np.concatenate([each[..., :-1] @ turn, each[..., -1:]], axis=-1) for each in (w.F, w.FR)
    )
    P, Q = forms(x, e, w, (F, FR), by_column)
    PX, Pr = P[..., :-1, :-1], P[..., :-1, -1]
    if reml:
        trace = trace - np.einsum("brii->br", PX)
        PX_flat = PX.reshape(*PX.shape[:2], -1)
        trace2 = trace2 - 2 * Q[..., :-1].sum(axis=-1) + PX_flat @ PX_flat.swapaxes(-1, -2)
    u2 = Q[..., -1] - Pr @ Pr.swapaxes(-1, -2)
    return Curves(trace, trace2, P[..., -1, -1], u2, PX)


def slopes(y: Outcomes, theta: np.ndarray, reml: bool) -> Slopes:
    """Value and exact derivatives of `objective`."""
    x, e = y.x, eliminate(y, theta)
    gls = solve_gls(e.cross)
    c = curves(x, e, weigh(x, e, gls), gls, reml)
    gradient = c.trace - c.u * (x.df(reml) / gls.rss)[:, None]
    hessian = profiled_hessian(x, c, gls, reml)
    return Slopes(profiled(y, e, gls, reml), *in_theta(x, theta, gradient, hessian))


def profiled_hessian(x: CrossProducts, c: Curves, gls: Gls, reml: bool) -> np.ndarray:
    """(B, k, k) of the criterion in omega."""
    rss = gls.rss[:, None, None]
    uu = c.u[:, :, None] * c.u[:, None, :]
    return np.asarray(-c.trace2 + (2 * c.u2 - uu / rss) * x.df(reml) / rss)


def in_theta(
    x: CrossProducts, theta: np.ndarray, gradient: np.ndarray, hessian: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Gradient (B, k) and Hessian (B, k, k) with respect to theta, from those in omega."""
    J, Jt = x.parameters.jacobian(theta), x.parameters.jacobian(theta).swapaxes(-1, -2)
    slope = (Jt @ gradient[..., None])[..., 0]
    return slope, Jt @ hessian @ J + x.parameters.second(theta, gradient)
