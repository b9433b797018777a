"""Generalised linear mixed models with one random intercept by restricted pseudo-likelihood.

    g(mu) = X beta + u_group,   u ~ N(0, tau2),   events ~ binomial(trials, mu) or Poisson(exposure mu)

Wolfinger and O'Connell (1993, J. Statist. Comput. Simul. 48) alternate a working response
z = eta + (y - mu) g'(mu) at the present beta and u with REML of the linear mixed model

    z = X beta + u_group + e,   Var(e) = 1 / w,   V_g = tau2 11' + diag(1 / w)

in which the residual variances are known: tau2 is the only variance parameter, as with METHOD=RSPL of
SAS's GLIMMIX for binary and Poisson data. The search begins at the pooled regression: where its working
model has tau2 = 0, the pooled regression is the answer.

All is from sums a, b and c over groups of w, w X and w z, and from what is left of cross-products within
groups, X less its weighted mean there. With s = 1 / (1 + tau2 a), without loss where tau2 a is large,

    X'V^-1 X = within + sum_g (s / a) b b',   1'V^-1 X = s b',   1'V^-1 1 = s a
"""

from __future__ import annotations

from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

import numpy as np

from groupwise.algebra import invert
from groupwise.design import Design
from groupwise.models.event_rows import EventRows
from groupwise.models.glm import EventFit, EventModel
from groupwise.models.information import Information, KnownScale, for_last_combinations
from groupwise.models.least_squares import orthonormal_basis

MOST_ITERATIONS = 200
"""Of working models; convergence is linear, and some ten are usual."""

CLOSE = 1e-11
"""Largest change of a linear predictor, and of tau2 relative to 1 + tau2, in the last iteration."""

MOST_SCORING = 50
"""Steps to tau2 of the first working model; later ones need one each."""

ROUGH = 1e-3
"""Accuracy of that tau2, relative to 1 + tau2."""

FURTHEST = 5.0
"""No linear predictor changes by more in one iteration."""

INVISIBLE = 1e-10
"""A variance this small, in units of a group's sampling variance, is 0: as numbers of events are whole,
the restricted likelihood can be exactly level there."""

RUNAWAY = 1e4
"""A variance of this size on the logit or log scale is no estimate."""

AT_A_TIME = 2**16
"""Numbers of events that are worked on together, so that they stay in the processor's cache."""


@dataclass(frozen=True)
class Working:
    """Sums of the working model of B outcomes, about the linear predictors that it was made at.

    a (B, G): w; b (B, G, p): w Q; c (B, G): w (z - Q beta); C (B, p, p), d (B, p): products w Q Q' and
    w Q (z - Q beta) of deviations from the weighted means of groups.
    """

    a: np.ndarray
    b: np.ndarray
    c: np.ndarray
    C: np.ndarray
    d: np.ndarray

    def take(self, which: np.ndarray) -> Working:
        """The working models of some outcomes."""
        return Working(*(each[which] for each in vars(self).values()))


@dataclass(frozen=True)
class Restricted:
    """The restricted likelihood of working models at tau2 (B,): effects, derivatives, moments.

    Attributes
    ----------
    step : (B, p) estimate of beta less that of the linear predictors
    u : (B, G) predictions of the groups' effects
    step_slope, u_slope : (B, p), (B, G) their derivatives in tau2
    Phi : (B, p, p) covariance of beta
    gradient, hessian, expected : (B,)
        Of -2 log-likelihood in tau2: derivatives, and the mean of the second.
    P, Q : (B, p, p) sums over groups of qq' and Dqq', q' = 1'V^-1 X and D = 1'V^-1 1
    """

    step: np.ndarray
    u: np.ndarray
    step_slope: np.ndarray
    u_slope: np.ndarray
    Phi: np.ndarray
    gradient: np.ndarray
    hessian: np.ndarray
    expected: np.ndarray
    P: np.ndarray
    Q: np.ndarray


def restricted(at: Working, tau2: np.ndarray) -> Restricted:
    """Effects and derivatives of -2 log restricted likelihood at tau2 (B,), which may be 0."""
    s = 1 / (1 + tau2[:, None] * at.a)
    A, right = equations(at, s)
    Phi = invert(A)
    step = times(Phi, right)
    q, D = at.b * s[..., None], at.a * s
    r = s * (at.c - times(at.b, step))
    qt, Dq = q.swapaxes(-1, -2), q * D[..., None]
    P, Q = qt @ q, qt @ Dq
    PhiP, Pr = Phi @ P, times(qt, r)
    PhiPr = times(Phi, Pr)
    expected = (D * D).sum(axis=-1) - 2 * _trace(Phi, Q) + _trace(PhiP, PhiP)
    curvature = (D * r * r).sum(axis=-1) - (Pr * PhiPr).sum(axis=-1)
    return Restricted(
        step=step,
        u=tau2[:, None] * r,
        step_slope=-PhiPr,
        u_slope=r + tau2[:, None] * (times(q, PhiPr) - D * r),
        Phi=Phi,
        gradient=D.sum(axis=-1) - _trace(Phi, P) - (r * r).sum(axis=-1),
        hessian=2 * curvature - expected,
        expected=expected,
        P=P,
        Q=Q,
    )


def deviance(at: Working, tau2: np.ndarray) -> np.ndarray:
    """-2 log restricted likelihood (B,) of working models at tau2 (B,), without what does not vary."""
    s = 1 / (1 + tau2[:, None] * at.a)
    A, right = equations(at, s)
    squares = (s / at.a * at.c**2).sum(axis=-1) - (right * times(invert(A), right)).sum(axis=-1)
    return np.asarray(-np.log(s).sum(axis=-1) + np.linalg.slogdet(A)[1] + squares)


def equations(at: Working, s: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Q'V^-1 Q (B, p, p) and Q'V^-1 (z - Q beta) (B, p) for s = 1 / (1 + tau2 a), (B, G)."""
    weighted = (at.b * (s / at.a)[..., None]).swapaxes(-1, -2)
    return at.C + weighted @ at.b, at.d + times(weighted, at.c)


def times(A: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Products (B, i) of matrices (B, i, j) and vectors (B, j)."""
    return np.asarray((A @ v[..., None])[..., 0])


def _trace(A: np.ndarray, B: np.ndarray) -> np.ndarray:
    """Traces (B,) of products of matrices (B, i, j) and (B, j, i)."""
    return np.asarray((A * B.swapaxes(-1, -2)).sum(axis=(-1, -2)))


@dataclass(frozen=True)
class PseudoLikelihood:
    """A design of events with one random intercept: all that does not depend on outcomes.

    Attributes
    ----------
    rows, order : rows of individuals who are alike, and (m,) the order of these by group
    regression : the model without groups' effects, its rows in that order
    to_beta : (p, p) effects of the basis of `regression` times this are effects of X
    starts : (G,) the first row of each group
    """

    rows: EventRows
    order: np.ndarray
    regression: EventModel
    to_beta: np.ndarray
    starts: np.ndarray

    @classmethod
    def of(cls, design: Design) -> PseudoLikelihood:
        """The model of a design with one random intercept.

        Raises
        ------
        ValueError
            If columns of X depend on each other, or there is no second group.
        """
        rows = EventRows.of(design)
        if rows.n_groups < 2:
            raise ValueError("The variance between groups needs more than one group.")
        order = np.argsort(rows.group, kind="stable")
        regression = regression_of(design, rows, order)
        starts = np.searchsorted(rows.group[order], np.arange(rows.n_groups))
        return cls(rows, order, regression, np.linalg.inv(regression.basis.R), starts)

    @property
    def basis(self) -> np.ndarray:
        """(m, p)"""
        return self.regression.Z

    def fit(self, y: np.ndarray) -> PseudoFit:
        """Fits of outcomes y (R, n) of individuals, or of numbers of events (R, m)."""
        events = self.rows.events(np.asarray(y, dtype=float))[:, self.order]
        pooled = self.regression.fit(events)
        step = max(1, AT_A_TIME // self.basis.size)
        parts = [self._fit(pooled.take(slice(i, i + step))) for i in range(0, len(events), step)]
        return replace(joined(parts), pooled=pooled)

    def working(self, events: np.ndarray, eta: np.ndarray, u: np.ndarray) -> Working:
        """Sums of the working model at linear predictors eta (B, m) with groups' effects u (B, G)."""
        mu, w = self.regression.moments(eta)
        return working_sums(self.basis, self.starts, w, events - mu, u)

    def _fit(self, pooled: EventFit) -> PseudoFit:
        events = pooled.events
        B, G = len(events), len(self.starts)
        gamma = np.where(pooled.is_finite[:, None], pooled.gamma, 0.0)
        state = _State(gamma, np.zeros((B, G)), np.zeros(B), np.zeros(B, dtype=bool))
        alive = np.flatnonzero(pooled.is_finite)
        for iteration in range(MOST_ITERATIONS):
            if not len(alive):
                break
            done, broken = _iterate(self, events, state, alive, first=iteration == 0)
            state.converged[alive[done]] = True
            alive = alive[~(done | broken)]
        return _assemble(self, pooled, events, state)


def working_sums(
    basis: np.ndarray, starts: np.ndarray, w: np.ndarray, error: np.ndarray, u: np.ndarray
) -> Working:
    """Sums over groups of rows, the first at `starts` (G,), about effects u (B, G) of these groups.

    Of columns `basis` (m, k), weights w (B, m), and events less their expectations `error` (B, m).
    """
    a, b = by_group(w, starts), w[..., None] * basis
    c = a * u + by_group(error, starts)
    if len(basis) == len(starts):
        B, k = len(w), basis.shape[1]
        return Working(a, b, c, np.zeros((B, k, k)), np.zeros((B, k)))
    b = np.add.reduceat(b, starts, axis=1)
    deviation = basis - of_rows(b / a[..., None], starts, len(basis))
    across = deviation.swapaxes(-1, -2)
    return Working(a, b, c, across @ (w[..., None] * deviation), times(across, error))


def by_group(values: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Sums (B, G) of values (B, m) over the rows of groups."""
    if values.shape[-1] == len(starts):
        return values
    return np.asarray(np.add.reduceat(values, starts, axis=-1))


def of_rows(values: np.ndarray, starts: np.ndarray, m: int) -> np.ndarray:
    """Values (B, G, ...) of groups, repeated for their rows: (B, m, ...)."""
    if m == len(starts):
        return values
    return np.repeat(values, np.diff(np.append(starts, m)), axis=1)


def regression_of(design: Design, rows: EventRows, order: np.ndarray) -> EventModel:
    """The regression of events without random effects, for numbers of events of rows in an order (m,).

    Raises
    ------
    ValueError
        If columns of X depend on each other.
    """
    basis = orthonormal_basis(rows.X[order] * np.sqrt(rows.trials[order])[:, None])
    if basis.rank < rows.X.shape[1]:
        raise ValueError("Some columns of the model depend on each other.")
    sorted_rows = replace(
        rows,
        X=rows.X[order],
        group=rows.group[order],
        trials=rows.trials[order],
        exposure=rows.exposure[order],
        first=rows.first[order],
        row=None,
        individual_exposure=None,
    )
    return EventModel(
        rows=sorted_rows,
        arm=design.arm[sorted_rows.first],
        arms=len(design.arm_labels),
        basis=basis,
        Z=basis.Q / np.sqrt(sorted_rows.trials)[:, None],
    )


@dataclass(frozen=True)
class _State:
    """What the iteration changes of B outcomes: gamma (B, p) in the basis, u (B, G), tau2 (B,)."""

    gamma: np.ndarray
    u: np.ndarray
    tau2: np.ndarray
    converged: np.ndarray


def _predictors(model: PseudoLikelihood, gamma: np.ndarray, u: np.ndarray) -> np.ndarray:
    """(B, m) linear predictors of effects of the basis (B, p), and of groups (B, G)."""
    return np.asarray(gamma @ model.basis.T + of_rows(u, model.starts, len(model.basis)))


def _iterate(
    model: PseudoLikelihood, events: np.ndarray, state: _State, which: np.ndarray, *, first: bool
) -> tuple[np.ndarray, np.ndarray]:
    """One working model of some outcomes, with new effects and tau2; which have converged or broken."""
    gamma, u, tau2 = state.gamma[which], state.u[which], state.tau2[which]
    at = model.working(events[which], _predictors(model, gamma, u), u)
    if first:
        tau2 = _maximised(at)
    fit = restricted(at, tau2)
    new = _scored(fit, tau2)
    more = (new - tau2)[:, None]
    step, step_u = fit.step + more * fit.step_slope, fit.u + more * fit.u_slope - u
    largest = np.abs(_predictors(model, step, step_u)).max(axis=-1)
    share = (FURTHEST / np.maximum(largest, FURTHEST))[:, None]
    state.gamma[which] = gamma + share * step
    state.u[which] = u + share * step_u
    state.tau2[which] = new
    done = (largest < CLOSE) & (np.abs(new - tau2) < CLOSE * (1 + new))
    broken = ~np.isfinite(largest) | ~(new < RUNAWAY)
    return done, broken


def _scored(fit: Restricted, tau2: np.ndarray) -> np.ndarray:
    """tau2 (B,) after a step of Newton's method, or of scoring far from a minimum; not below 0."""
    curvature = np.where(fit.hessian > 0.5 * fit.expected, fit.hessian, fit.expected)
    return np.maximum(tau2 - fit.gradient / curvature, 0)


def _maximised(at: Working) -> np.ndarray:
    """tau2 (B,) of the restricted likelihood of working models, from 0 on."""
    tau2 = np.zeros(len(at.a))
    alive = np.arange(len(tau2))
    for _ in range(MOST_SCORING):
        some = at if len(alive) == len(tau2) else at.take(alive)
        new = _scored(restricted(some, tau2[alive]), tau2[alive])
        close = np.abs(new - tau2[alive]) < ROUGH * (1 + new)
        tau2[alive] = new
        alive = alive[~close & (new < RUNAWAY)]
        if not len(alive):
            break
    return tau2


@dataclass(frozen=True)
class PseudoFit:
    """Fits of B outcomes by restricted pseudo-likelihood; NaN without an answer.

    Attributes
    ----------
    gamma, beta : (B, p) effects of the basis, and of X
    Phi : (B, p, p) covariance of gamma
    u : (B, G) predictions of the groups' effects, on the link scale
    tau2 : (B,) variance of these effects; 0 is the boundary, and the pooled regression
    converged : (B,)
    pooled : the regression without groups' effects
    working, at : the working model at these values, and its restricted likelihood
    """

    model: PseudoLikelihood
    gamma: np.ndarray
    u: np.ndarray
    tau2: np.ndarray
    converged: np.ndarray
    pooled: EventFit
    working: Working
    at: Restricted

    @property
    def beta(self) -> np.ndarray:
        """(B, p)"""
        return np.asarray(self.gamma @ self.model.to_beta.T)

    @property
    def singular(self) -> np.ndarray:
        """(B,) is tau2 estimated as 0?"""
        return self.converged & (self.tau2 == 0)

    @property
    def std_dev(self) -> dict[str, np.ndarray]:
        """(B,) by random term."""
        return {"group": np.sqrt(self.tau2)}

    def covariance(self, L: np.ndarray) -> np.ndarray:
        """(B, k, k) of L beta, L (k, p), with tau2 taken as known."""
        rows = L @ self.model.to_beta
        return np.asarray(rows @ self.at.Phi @ rows.T)

    @for_last_combinations
    def information(self, L: np.ndarray) -> Information:
        """Variances of L beta, L (k, p), and information on tau2, as of a linear mixed model."""
        at, rows = self.at, L @ self.model.to_beta
        columns = at.Phi @ rows.T
        turned = columns.swapaxes(-1, -2)
        inner = at.Q - at.P @ at.Phi @ at.P
        chain = 2 * np.sqrt(self.tau2)[:, None, None]
        observed = chain**2 * at.hessian[:, None, None] + 2 * at.gradient[:, None, None]
        return KnownScale(
            vcov=rows @ columns,
            slopes=(turned @ at.P @ columns)[:, None],
            curvature=(turned @ inner @ columns)[:, None, None],
            expected=at.expected[:, None, None],
            observed=observed,
            chain=chain,
        )


def _assemble(
    model: PseudoLikelihood, pooled: EventFit, events: np.ndarray, state: _State
) -> PseudoFit:
    """The fit with its working model at the last effects."""
    mask = np.where(state.converged, 1.0, np.nan)
    gamma, u, tau2 = state.gamma * mask[:, None], state.u * mask[:, None], state.tau2 * mask
    working = model.working(events, _predictors(model, gamma, u), u)
    tau2 = np.where(tau2 * working.a.max(axis=-1) < INVISIBLE, 0.0, tau2)
    at = restricted(working, tau2)
    return PseudoFit(model, gamma, u, tau2, state.converged, pooled, working, at)


def joined(parts: Any) -> Any:
    """One dataclass of arrays, and of others of arrays, from several with the same model."""
    names = [field.name for field in fields(parts[0])]
    columns = ([getattr(part, name) for part in parts] for name in names)
    return parts[0] if len(parts) == 1 else type(parts[0])(*map(_together, columns))


def _together(values: list[Any]) -> Any:
    """Arrays, and dataclasses of nothing else, one after the other; of all else the first."""
    if isinstance(values[0], np.ndarray):
        return np.concatenate(values)
    arrays = vars(values[0]).values() if is_dataclass(values[0]) else [None]
    return joined(values) if all(isinstance(e, np.ndarray) for e in arrays) else values[0]
