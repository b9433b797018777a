"""REML fits of one mixed-model design to many outcomes at once: what bootstraps need.

The same likelihood as `pls`, evaluated for B outcomes at a theta of their own each, and minimised by
Newton's method with the average information (Gilmour, Thompson and Cullis 1995) for the second
derivatives of the likelihood: they need no traces of products, and a few more steps.

Shapes as in `pls`, with the B outcomes in front.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from groupwise.models.lmm import RUNAWAY, STARTS
from groupwise.models.lmm_structure import LmmStructure
from groupwise.models.newton import AWAY, FLAT, LARGEST_STEP
from groupwise.models.pls import CrossProducts

CHUNK = 2_000_000
"""Numbers in the largest array worked on at a time."""

DONE = 1e-12
"""A step that promises to gain less than this many units of deviance is the last."""

MOST_STEPS = 200


@dataclass(frozen=True)
class ManyFits:
    """REML fits of B outcomes; effects are those of Q. NaN where a search has not converged.

    `theta` (B, k) of scaled columns; `beta` (B, p), `vcov` (B, p, p); `criterion` (B,) as in `pls`.
    """

    theta: np.ndarray
    beta: np.ndarray
    vcov: np.ndarray
    criterion: np.ndarray


@dataclass(frozen=True)
class Outcomes:
    """Cross-products with outcomes that OLS has left, in sds: `lead` (B, G, q), `rest` (B, K, m).

    `b` (B, p) and `scale` (B,) lead back to the outcomes themselves.
    """

    x: CrossProducts
    lead: np.ndarray
    rest: np.ndarray
    b: np.ndarray
    scale: np.ndarray

    @classmethod
    def of(cls, structure: LmmStructure, x: CrossProducts, y: np.ndarray) -> Outcomes:
        """`y` (B, n); `x` are the cross-products of any outcome of the design."""
        Z, Z_rest = structure.Z
        b = y @ structure.Q
        left = y - b @ structure.Q.T
        scale = np.sqrt(np.einsum("bi,bi->b", left, left) / (x.n - x.p))
        left = (left / scale[:, None]).T
        lead = (Z.T @ left).T.reshape(len(y), *x.A.shape[:2])
        rest = (Z_rest.T @ left).T.reshape(len(y), *x.R.shape[:2])
        return cls(x, lead, rest, b, scale)

    def take(self, which: np.ndarray) -> Outcomes:
        return Outcomes(
            self.x, self.lead[which], self.rest[which], self.b[which], self.scale[which]
        )


@dataclass(frozen=True)
class Points:
    """The criterion (B,) at theta, with beta and sigma profiled out; first and second derivatives."""

    value: np.ndarray
    gradient: np.ndarray
    hessian: np.ndarray
    beta: np.ndarray
    Phi: np.ndarray
    rss: np.ndarray


def fit_many(structure: LmmStructure, outcomes: Iterable[np.ndarray], near: np.ndarray) -> ManyFits:
    """REML fits to outcomes (n,), sought from `near` (k,), a theta of scaled columns, among others."""
    outcomes = iter(outcomes)
    first = next(outcomes)
    x = structure.cross_products(first).products
    G, q, m = x.C.shape
    widest = max(G * q * (x.p + 1 + m + q), G * m * (m + x.p + 1), x.n)
    size = max(1, CHUNK // widest)
    parts, chunk = [], [first]
    for y in outcomes:
        if len(chunk) == size:
            parts.append(_fit_chunk(Outcomes.of(structure, x, np.array(chunk)), near))
            chunk = []
        chunk.append(y)
    parts.append(_fit_chunk(Outcomes.of(structure, x, np.array(chunk)), near))
    columns = zip(*(vars(part).values() for part in parts), strict=True)
    return ManyFits(*(np.concatenate(column) for column in columns))


def _fit_chunk(outcomes: Outcomes, near: np.ndarray) -> ManyFits:
    theta, at, converged = _minimise(outcomes, _start(outcomes, near))
    df = outcomes.x.n - outcomes.x.p
    variance = outcomes.scale**2 * at.rss / df
    beta = outcomes.b + outcomes.scale[:, None] * at.beta
    vcov = variance[:, None, None] * at.Phi
    bad = ~converged
    beta[bad], vcov[bad] = np.nan, np.nan
    criterion = at.value + 2 * df * np.log(outcomes.scale) + outcomes.x.log_det_X
    return ManyFits(theta, beta, vcov, np.where(bad, np.nan, criterion))


def _start(outcomes: Outcomes, near: np.ndarray) -> np.ndarray:
    """The best of a few thetas for each outcome, (B, k); none is at a saddle point."""
    diagonal = outcomes.x.parameters.diagonal
    trials = [np.where(diagonal & (near == 0), 0.1, near), *(c * diagonal for c in STARTS)]
    B = len(outcomes.b)
    values = [evaluate(outcomes, np.tile(each, (B, 1))).value for each in trials]
    return np.array(trials)[np.argmin(values, axis=0)]


def _minimise(outcomes: Outcomes, theta: np.ndarray) -> tuple[np.ndarray, Points, np.ndarray]:
    """Newton's method with step halving, each outcome until it is done: theta, the point, success."""
    theta = theta.copy()
    at = evaluate(outcomes, theta)
    step = _steps(theta, at)
    done = np.zeros(len(theta), dtype=bool)
    for _ in range(MOST_STEPS):
        active = np.flatnonzero(~done)
        if not len(active):
            break
        trial = evaluate(outcomes.take(active), theta[active] + step[active])
        better = trial.value <= at.value[active] + 1e-13 * (1 + np.abs(at.value[active]))
        moved, stuck = active[better], active[~better]
        theta[moved] += step[moved]
        for name, values in vars(at).items():
            values[moved] = getattr(trial, name)[better]
        some = Points(*(each[moved] for each in vars(at).values()))
        step[moved] = _steps(theta[moved], some)
        gain = -np.einsum("bk,bk->b", some.gradient, step[moved])
        done[moved] = gain <= DONE
        step[stuck] /= 2
        done[stuck] = np.abs(step[stuck]).max(axis=1) < 1e-12
    return theta, at, done & (np.abs(theta).max(axis=1) < 0.1 * RUNAWAY)


def _steps(theta: np.ndarray, at: Points) -> np.ndarray:
    """-|H|^-1 g (B, k), as `newton.newton_step`, no longer than it lets them be."""
    values, vectors = np.linalg.eigh(at.hessian)
    size = np.abs(values)
    follow = size > FLAT * size.max(axis=1, keepdims=True)
    slope = np.einsum("bij,bi->bj", vectors, at.gradient)
    length = np.where(follow, -slope / np.where(follow, size, 1.0), 0.0)
    away = follow & (values < 0) & (np.abs(length) < AWAY)
    step = np.einsum("bij,bj->bi", vectors, np.where(away, np.copysign(AWAY, length), length))
    most = np.maximum(LARGEST_STEP, np.abs(theta).max(axis=1))
    shrunk: np.ndarray = step / np.maximum(1.0, np.abs(step).max(axis=1) / most)[:, None]
    return shrunk


@dataclass(frozen=True)
class Weighted:
    """The cross-products under V^-1 at theta (s2 = 1), named as in `pls` and `pls_moments`."""

    D: np.ndarray
    CV: np.ndarray
    CN: np.ndarray
    NR: np.ndarray
    WR: np.ndarray
    K: np.ndarray
    F: np.ndarray
    FR: np.ndarray
    cross: np.ndarray
    log_det_V: np.ndarray


def weigh(outcomes: Outcomes, theta: np.ndarray) -> Weighted:
    """Integrates the random effects out, the lead first; F and FR still hold y, not y - X beta."""
    x = outcomes.x
    lead, rest = (np.tensordot(_omega(x, theta), E, 1) for E in _patterns(x))
    B = _with_y(x.B, outcomes.lead)
    W, log_det = _resolvent(x.A @ lead[:, None])
    N = lead[:, None] @ W
    CV, NB = W @ x.C, N @ B
    RV = x.R - _gram(x, x.C, N @ x.C)
    DV = _with_y(x.D, outcomes.rest) - _gram(x, x.C, NB)
    WR, log_det_rest = _resolvent(RV @ rest[:, None])
    NR = rest[:, None] @ WR
    CN = CV @ NR[:, x.component]
    own = np.tile(x.E, (len(theta), 1, 1))
    return Weighted(
        D=W @ x.A,
        CV=CV,
        CN=CN,
        NR=NR,
        WR=WR,
        K=WR @ RV,
        F=W @ B - CN @ DV[:, x.component],
        FR=WR @ DV,
        cross=own - _over_batch(B, NB) - _over_batch(DV, NR @ DV),
        log_det_V=log_det + log_det_rest,
    )


def evaluate(outcomes: Outcomes, theta: np.ndarray) -> Points:
    """The REML criterion (less constants of the design) and its derivatives at theta (B, k)."""
    x, w = outcomes.x, weigh(outcomes, theta)
    XVX, XVy = w.cross[:, :-1, :-1], w.cross[:, :-1, -1]
    Phi = np.linalg.inv(XVX)
    beta = np.einsum("bij,bj->bi", Phi, XVy)
    rss = w.cross[:, -1, -1] - np.einsum("bi,bi->b", XVy, beta)
    df = x.df(reml=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        value = df * (1 + np.log(2 * np.pi * rss / df))
    value += w.log_det_V + np.linalg.slogdet(XVX)[1]
    for each in (w.F, w.FR):
        each[..., -1] -= (each[..., :-1] @ beta.reshape(len(beta), *(1,) * (each.ndim - 3), -1, 1))[
            ..., 0
        ]
    first, u, u2 = _curves(x, w, Phi)
    s2 = (rss / df)[:, None]
    gradient = first - u / s2
    hessian = u2 / s2[..., None] - u[:, :, None] * u[:, None, :] / (s2 * rss[:, None])[..., None]
    J = (x.parameters.T @ theta.T).transpose(2, 0, 1)
    turned = J.swapaxes(1, 2) @ hessian @ J + np.tensordot(gradient, x.parameters.T, 1)
    slope = np.einsum("brm,br->bm", J, gradient)
    return Points(np.where(np.isfinite(value), value, np.inf), slope, turned, beta, Phi, rss)


def _curves(
    x: CrossProducts, w: Weighted, Phi: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`trace` (B, k), `u` (B, k) and `u2` (B, k, k) of `pls_moments.Curves`, REML."""
    E_lead, E_rest = _patterns(x)
    lead = w.D - w.CN @ w.CV.swapaxes(-1, -2) - _taken(w.F[..., :-1], Phi)
    rest = w.K - _taken(w.FR[..., :-1], Phi)
    first = np.einsum("kuv,bvu->bk", E_lead, lead.sum(axis=1))
    first += np.einsum("kuv,bvu->bk", E_rest, rest.sum(axis=1))
    f, f_rest = w.F[..., -1], w.FR[..., -1]
    X = np.einsum("kuv,bgv->bguk", E_lead, f)
    X_rest = np.einsum("kuv,bcv->bcuk", E_rest, f_rest)
    u = np.einsum("bgu,bguk->bk", f, X) + np.einsum("bcu,bcuk->bk", f_rest, X_rest)
    U = _gram(x, w.CV, X)
    half = _over_batch(w.WR @ U, X_rest)
    u2 = _over_batch(X, w.D @ X) - _over_batch(U, w.NR @ U) + _over_batch(X_rest, w.K @ X_rest)
    P = _over_batch(w.F[..., :-1], X) + _over_batch(w.FR[..., :-1], X_rest)
    return first, u, u2 + half + half.swapaxes(-1, -2) - P.swapaxes(-1, -2) @ Phi @ P


def _omega(x: CrossProducts, theta: np.ndarray) -> np.ndarray:
    """(B, k) entries of Lambda Lambda'."""
    omega: np.ndarray = 0.5 * np.einsum(
        "rab,na,nb->nr", x.parameters.T, theta, theta, optimize=True
    )
    return omega


def _patterns(x: CrossProducts) -> tuple[np.ndarray, np.ndarray]:
    """E_r of the lead's effects (k, q, q), and of all effects of a component (k, m, m)."""
    q, m = x.C.shape[1:]
    lead, rest = np.zeros((x.parameters.k, q, q)), np.zeros((x.parameters.k, m, m))
    segments = {segment.factor: segment for segment in x.segments}
    for r, (factor, E) in enumerate(zip(x.parameters.factor, x.parameters.pattern, strict=True)):
        if factor == x.lead:
            lead[r] = E
        else:
            segment = segments[int(factor)]
            rest[r, segment.slots, segment.slots] = np.kron(np.eye(segment.levels), E)
    return lead, rest


def _with_y(columns: np.ndarray, y: np.ndarray) -> np.ndarray:
    """[X, y] of every outcome: the last of `columns` (..., p + 1) replaced by y (B, ...)."""
    own = np.broadcast_to(columns[..., :-1], (*y.shape, columns.shape[-1] - 1))
    return np.concatenate([own, y[..., None]], axis=-1)


def _resolvent(AG: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(I + A G)^-1, and the sum (B,) of the log determinants of I + A G."""
    if AG.shape[-1] == 1:
        return 1 / (1 + AG), np.log1p(AG).sum(axis=(1, 2, 3))
    plus = np.eye(AG.shape[-1]) + AG
    return np.linalg.inv(plus), np.linalg.slogdet(plus)[1].sum(axis=1)


def _gram(x: CrossProducts, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """sum of left_g' right_g over the lead levels g of each component: (B, K, a, b)."""
    if len(x.starts) == 1:
        a, b = _flat(left), _flat(right)
        return (a.swapaxes(-1, -2) @ b)[:, None]
    sums: np.ndarray = np.add.reduceat(left.swapaxes(-1, -2) @ right, x.starts, axis=1)
    return sums


def _over_batch(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """sum of left' right over all levels: (B, a, b)."""
    return np.asarray(_flat(left).swapaxes(-1, -2) @ _flat(right))


def _flat(each: np.ndarray) -> np.ndarray:
    """(..., L, q, a) as (..., L q, a)."""
    *front, levels, q, a = each.shape
    return each.reshape(*front, levels * q, a)


def _taken(F: np.ndarray, Phi: np.ndarray) -> np.ndarray:
    """F Phi F' for each level."""
    return np.asarray(F @ Phi[:, None] @ F.swapaxes(-1, -2))
