"""Restricted pseudo-likelihood with several random intercepts: nested, crossed, of cells, of people.

As `pseudo_likelihood`, whose model and convention these are. The term with most levels, the lead, is
integrated out by sums over its levels, as the only term is there: with V_1 of the lead alone, and the
indicators Z of all other terms beside Q as columns, there are A = [Q, Z]'V_1^-1 [Q, Z] and
C = Z_lead'V_1^-1 Z. The other terms follow, with S the diagonal of their variances,

    N = (I + A_ZZ S)^-1,   H = S N,   Z'V^-1 Z = N A_ZZ,   Z'V^-1 Q = N A_ZQ
    Z_lead'V^-1 Z_lead = D - C H C',   Z_lead'V^-1 Z = C N',   Z_lead'V^-1 Q = b - C H A_ZQ

All outcomes are fitted together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from groupwise.algebra import invert
from groupwise.design import Design
from groupwise.models.event_rows import EventRows
from groupwise.models.glm import EventFit, EventModel
from groupwise.models.information import Information, KnownScale, for_last_combinations, inverse
from groupwise.models.pseudo_likelihood import (
    FURTHEST,
    INVISIBLE,
    MOST_ITERATIONS,
    MOST_SCORING,
    ROUGH,
    RUNAWAY,
    Working,
    equations,
    joined,
    of_rows,
    regression_of,
    times,
    working_sums,
)
from groupwise.models.random_terms import RandomTerm

CLOSE = 1e-10
"""Largest change of a linear predictor, and of a variance relative to 1 + it, in the last iteration."""

START = 0.1
"""Of the search for the variances of the first working model."""

TRUSTED = 0.3
"""Newton's method in place of scoring where curvatures are above this share of the expected ones."""

LARGEST = 250_000_000
"""Numbers of the largest array (2 GB); crossed factors beyond it are refused."""

AT_A_TIME = 2**18
"""Numbers of the largest arrays that are worked on together."""


@dataclass(frozen=True)
class Moments:
    """The restricted likelihood of working models at variances (B, k), those of the lead first.

    Attributes
    ----------
    step : (B, p) estimate of gamma less that of the linear predictors
    u, v : (B, G), (B, r) predictions of the effects of the lead, and of all others
    Phi : (B, p, p) covariance of gamma
    gradient, hessian, expected : (B, k), (B, k, k)
        Of -2 log-likelihood in the variances: derivatives, and the mean of the second.
    P, Q : (B, k, p, p), (B, k, k, p, p)
        Q'V^-1 G_s V^-1 Q and Q'V^-1 G_s V^-1 G_t V^-1 Q, with G_s = Z_s Z_s'.
    Pr : (B, k, p) Q'V^-1 G_s V^-1 (z - Q gamma)
    lead, rest : (B, G, p + 1), (B, r, p + 1) Z'V^-1 [Q, z - Q gamma]
    D, C, H, CN, ZZ : (B, G), (B, G, r), (B, r, r), (B, G, r), (B, r, r)
        As above; CN = Z_lead'V^-1 Z, ZZ = Z'V^-1 Z.
    """

    step: np.ndarray
    u: np.ndarray
    v: np.ndarray
    Phi: np.ndarray
    gradient: np.ndarray
    hessian: np.ndarray
    expected: np.ndarray
    P: np.ndarray
    Q: np.ndarray
    Pr: np.ndarray
    lead: np.ndarray
    rest: np.ndarray
    D: np.ndarray
    C: np.ndarray
    H: np.ndarray
    CN: np.ndarray
    ZZ: np.ndarray


def moments(at: Working, tau2: np.ndarray, member: np.ndarray) -> Moments:
    """Effects and derivatives at tau2 (B, k); member (k - 1, r): which columns are of which term."""
    p = at.b.shape[-1] - member.shape[1]
    s, S = 1 / (1 + tau2[:, :1] * at.a), tau2[:, 1:] @ member
    A, right = equations(at, s)
    A_rest = np.concatenate([A[:, p:, :p], right[:, p:, None]], axis=-1)
    N = np.linalg.inv(np.eye(len(S[0])) + A[:, p:, p:] * S[:, None, :])
    H = S[..., None] * N
    HA = H @ A_rest
    across = A_rest[..., :p].swapaxes(-1, -2)
    Phi = invert(A[:, :p, :p] - across @ HA[..., :p])
    step = times(Phi, right[:, :p] - (across @ HA[..., p:])[..., 0])
    C = at.b[..., p:] * s[..., None]
    lead = np.concatenate([at.b[..., :p], at.c[..., None]], axis=-1) * s[..., None] - C @ HA
    rest = N @ A_rest
    for each in (lead, rest):
        each[..., -1] -= times(each[..., :-1], step)
    half = _GivenVariances(at.a * s, C, H, C @ N.swapaxes(-1, -2), N @ A[:, p:, p:])
    trace, trace2 = half.traces(member)
    P, Q = half.forms(lead, rest, N, member)
    PX, Pr = P[..., :-1, :-1], P[..., :-1, -1]
    PhiP, QX = Phi[:, None] @ PX, Q[..., :-1, :-1]
    expected = trace2 - 2 * np.einsum("bij,bstji->bst", Phi, QX)
    expected = expected + np.einsum("bsij,btji->bst", PhiP, PhiP)
    curvature = Q[..., -1, -1] - Pr @ Phi @ Pr.swapaxes(-1, -2)
    return Moments(
        step=step,
        u=tau2[:, :1] * lead[..., -1],
        v=S * rest[..., -1],
        Phi=Phi,
        gradient=trace - np.einsum("bsii->bs", PhiP) - P[..., -1, -1],
        hessian=2 * curvature - expected,
        expected=expected,
        P=PX,
        Q=QX,
        Pr=Pr,
        lead=lead,
        rest=rest,
        **vars(half),
    )


@dataclass(frozen=True)
class _GivenVariances:
    """What of `Moments` does not depend on the fixed effects."""

    D: np.ndarray
    C: np.ndarray
    H: np.ndarray
    CN: np.ndarray
    ZZ: np.ndarray

    def traces(self, member: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """tr(V^-1 G_s) (B, k) and tr(V^-1 G_s V^-1 G_t) (B, k, k)."""
        D, C, Ct = self.D, self.C, self.C.swapaxes(-1, -2)
        HG = self.H @ (Ct @ C)
        k = len(member) + 1
        t, T = np.empty((len(D), k)), np.empty((len(D), k, k))
        t[:, 0] = D.sum(axis=-1) - np.einsum("bii->b", HG)
        t[:, 1:] = np.einsum("bii->bi", self.ZZ) @ member.T
        weighted = np.einsum("bij,bji->b", self.H, Ct @ (D[..., None] * C))
        T[:, 0, 0] = (D * D).sum(axis=-1) - 2 * weighted + np.einsum("bij,bji->b", HG, HG)
        T[:, 0, 1:] = T[:, 1:, 0] = (self.CN**2).sum(axis=1) @ member.T
        T[:, 1:, 1:] = member @ self.ZZ**2 @ member.T
        return t, T

    def forms(
        self, lead: np.ndarray, rest: np.ndarray, N: np.ndarray, member: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """F'G_s F (B, k, c, c) and F'G_s V^-1 G_t F (B, k, k, c, c) of F = V^-1 [Q, z - Q gamma]."""
        B, c = len(lead), lead.shape[-1]
        k = len(member) + 1
        P, Q = np.empty((B, k, c, c)), np.empty((B, k, k, c, c))
        U = self.C.swapaxes(-1, -2) @ lead
        across = lead.swapaxes(-1, -2)
        P[:, 0] = across @ lead
        Q[:, 0, 0] = across @ (self.D[..., None] * lead) - U.swapaxes(-1, -2) @ self.H @ U
        mine = [each[:, None] * rest for each in member]
        for s, left in enumerate(mine, 1):
            P[:, s] = left.swapaxes(-1, -2) @ rest
            Q[:, 0, s] = (N @ U).swapaxes(-1, -2) @ left
            Q[:, s, 0] = Q[:, 0, s].swapaxes(-1, -2)
            for t, right in enumerate(mine, 1):
                Q[:, s, t] = left.swapaxes(-1, -2) @ self.ZZ @ right
        return P, Q


def at_variances(
    fit: Moments, tau2: np.ndarray, more: np.ndarray, member: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Step, u and v at tau2 + more, each (B, k), to first order."""
    PhiPr = times(fit.Phi, (more[..., None] * fit.Pr).sum(axis=1))
    S, w = tau2[:, 1:] @ member, more[:, :1] * fit.lead[..., -1]
    w_rest = (more[:, 1:] @ member) * fit.rest[..., -1]
    across = fit.C.swapaxes(-1, -2)
    slope = fit.D * w - times(fit.C, times(fit.H, times(across, w))) + times(fit.CN, w_rest)
    slope_rest = times(fit.CN.swapaxes(-1, -2), w) + times(fit.ZZ, w_rest)
    u = fit.u + w + tau2[:, :1] * (times(fit.lead[..., :-1], PhiPr) - slope)
    v = fit.v + w_rest + S * (times(fit.rest[..., :-1], PhiPr) - slope_rest)
    return fit.step - PhiPr, u, v


def scored(fit: Moments, tau2: np.ndarray) -> np.ndarray:
    """tau2 (B, k) after a step of Newton's method, or of scoring; none below 0.

    Variances that are 0 stay there while the likelihood decreases with them.
    """
    free = (tau2 > 0) | (fit.gradient < 0)
    both = free[:, :, None] & free[:, None, :]
    eye = np.eye(tau2.shape[-1])
    hessian, expected = (np.where(both, each, eye) for each in (fit.hessian, fit.expected))
    trusted = np.linalg.eigvalsh(_finite(hessian - TRUSTED * expected))[:, 0] > 0
    curvature = np.where(trusted[:, None, None], hessian, expected)
    step = times(inverse(curvature), np.where(free, fit.gradient, 0.0))
    return np.maximum(tau2 - step, 0)


def _finite(matrices: np.ndarray) -> np.ndarray:
    return np.where(np.isfinite(matrices).all(axis=(-1, -2), keepdims=True), matrices, 0.0)


@dataclass(frozen=True)
class GeneralPseudoLikelihood:
    """A design of events with random intercepts: all that does not depend on outcomes.

    Attributes
    ----------
    rows, order : rows of individuals who are alike, and (m,) the order of these by levels of the lead
    regression : the model without random effects, its rows in that order
    to_beta : (p, p) effects of the basis of `regression` times this are effects of X
    names : k random terms, the lead first
    starts : (G,) the first row of each level of the lead
    columns : (m, p + r) the basis, and indicators of the levels of all other terms
    member : (k - 1, r) which indicators are of which of these
    """

    rows: EventRows
    order: np.ndarray
    regression: EventModel
    to_beta: np.ndarray
    names: tuple[str, ...]
    starts: np.ndarray
    columns: np.ndarray
    member: np.ndarray

    @classmethod
    def of(cls, design: Design, terms: Sequence[RandomTerm]) -> GeneralPseudoLikelihood:
        """The model of a design with the random intercepts `terms` of its rows.

        Raises
        ------
        ValueError
            If columns of X depend on each other, or a term has one level.
        """
        rows = EventRows.of(design)
        lead, *others = sorted(terms, key=lambda term: -term.n_levels)
        for term in terms:
            if term.n_levels < 2:
                raise ValueError(f"There is one {term.name} only: nothing varies between levels.")
        if len(rows.first) * sum(term.n_levels for term in others) > LARGEST:
            raise ValueError("Crossed random effects of so many levels are too large to be fitted.")
        codes = lead.codes[rows.first]
        order = np.argsort(codes, kind="stable")
        regression = regression_of(design, rows, order)
        indicators = [np.eye(term.n_levels)[term.codes[rows.first][order]] for term in others]
        sizes = [term.n_levels for term in others]
        return cls(
            rows=rows,
            order=order,
            regression=regression,
            to_beta=np.linalg.inv(regression.basis.R),
            names=(lead.name, *(term.name for term in others)),
            starts=np.searchsorted(codes[order], np.arange(lead.n_levels)),
            columns=np.hstack([regression.Z, *indicators]),
            member=np.repeat(np.eye(len(others)), sizes, axis=1),
        )

    @property
    def p(self) -> int:
        return self.regression.Z.shape[1]

    def fit(self, y: np.ndarray) -> GeneralPseudoFit:
        """Fits of outcomes y (R, n) of individuals, or of numbers of events (R, m)."""
        events = self.rows.events(np.asarray(y, dtype=float))[:, self.order]
        pooled, r = self.regression.fit(events), self.member.shape[1]
        step = max(1, AT_A_TIME // (self.columns.size + r * r))
        parts = [self._fit(pooled.take(slice(i, i + step))) for i in range(0, len(events), step)]
        return replace(joined(parts), pooled=pooled)

    def predictors(self, gamma: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
        """(B, m) linear predictors of gamma (B, p) and effects u (B, G), v (B, r)."""
        fixed = np.hstack([gamma, v]) @ self.columns.T
        return np.asarray(fixed + of_rows(u, self.starts, len(self.columns)))

    def working(
        self, events: np.ndarray, gamma: np.ndarray, u: np.ndarray, v: np.ndarray
    ) -> Working:
        """Sums of the working model at these effects."""
        mu, w = self.regression.moments(self.predictors(gamma, u, v))
        at = working_sums(self.columns, self.starts, w, events - mu, u)
        c, d = (each[..., self.p :] @ v[..., None] for each in (at.b, at.C))
        return replace(at, c=at.c + c[..., 0], d=at.d + d[..., 0])

    def _fit(self, pooled: EventFit) -> GeneralPseudoFit:
        B, k = len(pooled.events), len(self.names)
        state = _Iterates(
            gamma=np.where(pooled.is_finite[:, None], pooled.gamma, 0.0),
            u=np.zeros((B, len(self.starts))),
            v=np.zeros((B, self.member.shape[1])),
            tau2=np.full((B, k), START),
            converged=np.zeros(B, dtype=bool),
        )
        alive = np.flatnonzero(pooled.is_finite)
        for iteration in range(MOST_ITERATIONS):
            if not len(alive):
                break
            done, broken = _iterate(self, pooled.events, state, alive, first=iteration == 0)
            state.converged[alive[done]] = True
            alive = alive[~(done | broken)]
        return _assemble(self, pooled, state)


@dataclass(frozen=True)
class _Iterates:
    """What the iteration changes of B outcomes."""

    gamma: np.ndarray
    u: np.ndarray
    v: np.ndarray
    tau2: np.ndarray
    converged: np.ndarray


def _iterate(
    model: GeneralPseudoLikelihood,
    events: np.ndarray,
    state: _Iterates,
    which: np.ndarray,
    *,
    first: bool,
) -> tuple[np.ndarray, np.ndarray]:
    """One working model of some outcomes, with new effects and variances; which converged or broke."""
    gamma, u, v, tau2 = (e[which] for e in (state.gamma, state.u, state.v, state.tau2))
    at = model.working(events[which], gamma, u, v)
    if first:
        tau2 = _maximised(at, tau2, model.member)
    fit = moments(at, tau2, model.member)
    new = scored(fit, tau2)
    step, to_u, to_v = at_variances(fit, tau2, new - tau2, model.member)
    largest = np.abs(model.predictors(step, to_u - u, to_v - v)).max(axis=-1)
    share = (FURTHEST / np.maximum(largest, FURTHEST))[:, None]
    state.gamma[which] = gamma + share * step
    state.u[which] = u + share * (to_u - u)
    state.v[which] = v + share * (to_v - v)
    state.tau2[which] = new
    moved = (np.abs(new - tau2) / (1 + new)).max(axis=-1)
    return np.maximum(largest, moved) < CLOSE, ~np.isfinite(largest) | ~(new.max(axis=-1) < RUNAWAY)


def _maximised(at: Working, tau2: np.ndarray, member: np.ndarray) -> np.ndarray:
    """tau2 (B, k) of the restricted likelihood of working models."""
    tau2, alive = tau2.copy(), np.arange(len(tau2))
    for _ in range(MOST_SCORING):
        new = scored(moments(at.take(alive), tau2[alive], member), tau2[alive])
        close = (np.abs(new - tau2[alive]) < ROUGH * (1 + new)).all(axis=-1)
        tau2[alive] = new
        alive = alive[~close & (new.max(axis=-1) < RUNAWAY)]
        if not len(alive):
            break
    return tau2


@dataclass(frozen=True)
class GeneralPseudoFit:
    """Fits of B outcomes by restricted pseudo-likelihood; NaN without an answer.

    Attributes
    ----------
    gamma, tau2 : (B, p), (B, k) effects of the basis, and variances of the random terms
    converged : (B,)
    pooled : the regression without random effects
    at : the restricted likelihood of the working model at these values
    """

    model: GeneralPseudoLikelihood
    gamma: np.ndarray
    tau2: np.ndarray
    converged: np.ndarray
    pooled: EventFit
    at: Moments

    @property
    def beta(self) -> np.ndarray:
        """(B, p)"""
        return np.asarray(self.gamma @ self.model.to_beta.T)

    @property
    def singular(self) -> np.ndarray:
        """(B,) is a variance estimated as 0?"""
        return np.asarray((self.tau2 == 0).any(axis=-1))

    @property
    def std_dev(self) -> dict[str, np.ndarray]:
        """(B,) by random term."""
        return dict(zip(self.model.names, np.sqrt(self.tau2).T, strict=True))

    def covariance(self, L: np.ndarray) -> np.ndarray:
        """(B, k, k) of L beta, L (k, p), with the variances taken as known."""
        rows = L @ self.model.to_beta
        return np.asarray(rows @ self.at.Phi @ rows.T)

    @for_last_combinations
    def information(self, L: np.ndarray) -> Information:
        """Variances of L beta, L (k, p), and information on the variances of the random effects."""
        at, rows = self.at, L @ self.model.to_beta
        columns = at.Phi @ rows.T
        turned = columns.swapaxes(-1, -2)
        PhiP = (at.P @ at.Phi[:, None])[:, :, None] @ at.P[:, None]
        chain = 2 * np.sqrt(self.tau2)[..., None] * np.eye(self.tau2.shape[-1])
        observed = chain @ at.hessian @ chain + 2 * at.gradient[..., None] * np.eye(len(chain[0]))
        return KnownScale(
            vcov=rows @ columns,
            slopes=turned[:, None] @ at.P @ columns[:, None],
            curvature=turned[:, None, None] @ (at.Q - PhiP) @ columns[:, None, None],
            expected=at.expected,
            observed=observed,
            chain=chain,
        )


def _assemble(
    model: GeneralPseudoLikelihood, pooled: EventFit, state: _Iterates
) -> GeneralPseudoFit:
    """The fit with its working model at the last effects."""
    mask = np.where(state.converged, 1.0, np.nan)[:, None]
    gamma, u, v, tau2 = (e * mask for e in (state.gamma, state.u, state.v, state.tau2))
    working = model.working(pooled.events, gamma, u, v)
    tau2 = np.where(tau2 * working.a.max(axis=-1)[:, None] < INVISIBLE, 0.0, tau2)
    at = moments(working, tau2, model.member)
    return GeneralPseudoFit(model, gamma, tau2, state.converged, pooled, at)
