"""Maximum likelihood of events with one normal random intercept, by adaptive Gauss-Hermite quadrature.

    eta_i = x_i'beta + sigma u_g,  u_g ~ N(0, 1);  the density of y_i given eta_i is of `event_densities`

The likelihood of a group is an integral over u. It is computed at nodes that are centred at the mode of
the integrand and scaled by its curvature there (Pinheiro and Bates 1995, J. Comput. Graph. Stat. 4:12);
with one node that is Laplace's approximation. The gradient is that of the approximated likelihood, with
the dependence of the nodes on the parameters. The Hessian is Louis's (1982, JRSS B 44:226), with
moments at the nodes; with few nodes, where these are inaccurate, it is differenced from the gradient.
Arrays have rows first, outcomes next: (m, B), at K nodes (m, B, K), in groups (G, B, K).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from scipy import linalg

from groupwise.models.event_densities import Density, NegativeBinomial, Poisson, density_of
from groupwise.models.glm import EventFit, EventModel
from groupwise.models.least_squares import coefficients
from groupwise.models.newton import Minima, Slopes, minimise
from groupwise.models.quadrature_integrals import Frame, Integrals

NODES = 25
"""Nodes, unless asked otherwise: those of lme4::glmer's most accurate setting."""

NODES_OF_DRAWS = 11
"""Nodes for outcomes that are drawn: their error is far below that of the draws."""

MANY_NODES = 7
"""From so many nodes on, their moments serve for the Hessian."""

STEP = 1e-4
"""Relative step by which gradients are differenced."""

AT_A_TIME = 2**16
"""Numbers (m, B, K) that are computed together."""

SMALL = 0.1
"""Estimates of sigma below this are compared with the fit at 0."""

LARGEST = 30.0
"""An estimate of sigma beyond this is infinite."""

ESTIMATES = ("parameters", "vcov", "deviance", "converged", "singular")
"""Arrays of a fit that are NaN, or false, where there is none."""


@dataclass(frozen=True)
class OffsetEvents:
    """Outcomes y (B, m), and what is added to the p coefficients of a design, (B, p)."""

    y: np.ndarray
    offset: np.ndarray

    def __len__(self) -> int:
        return len(self.y)

    def take(self, which: np.ndarray | slice) -> OffsetEvents:
        return OffsetEvents(self.y[which], self.offset[which])


@dataclass(frozen=True)
class QuadratureModel:
    """A design of m rows in G groups: all that does not depend on outcomes.

    Attributes
    ----------
    pooled
        Regression of the same rows without groups: where it has no finite maximum, there is none here.
    X : (m, p) columns, those of the design to_beta, in like units
    to_beta : (p, p) times coefficients of these columns: coefficients of the design
    frame : columns X K in groups
    K : (p, p0)
        Coefficients are K times those of the frame, plus an offset; the identity where nothing is
        restricted.
    """

    pooled: EventModel
    X: np.ndarray
    to_beta: np.ndarray
    frame: Frame
    K: np.ndarray

    @classmethod
    def of(
        cls, pooled: EventModel, density: Density | None = None, n_nodes: int = NODES
    ) -> QuadratureModel:
        """One node is Laplace's approximation; the density is that of the family unless given."""
        rows = pooled.rows
        X, to_beta = in_like_units(rows.X)
        frame = Frame(X, rows.group, density or density_of(rows), n_nodes)
        return cls(pooled, X, to_beta, frame, np.eye(len(to_beta)))

    @property
    def p(self) -> int:
        """Number of coefficients of the design."""
        return self.X.shape[1]

    @property
    def at_a_time(self) -> int:
        """Number of outcomes that are fitted together."""
        return max(AT_A_TIME // (len(self.X) * self.frame.n_nodes), 1)

    @cached_property
    def for_draws(self) -> QuadratureModel:
        """The model with the nodes that serve for draws."""
        return replace(self, frame=replace(self.frame, n_nodes=NODES_OF_DRAWS))

    def with_density(self, density: Density) -> QuadratureModel:
        """The model with another density of the same rows."""
        return replace(self, frame=replace(self.frame, density=density))

    # ---- restrictions, as `models.interface` has them -------------------------------------------------

    def effects_of(self, sums: OffsetEvents) -> np.ndarray:
        """(B, p): those from which offsets are counted."""
        return sums.offset

    def restricted(self, K: np.ndarray) -> QuadratureModel:
        """The model with coefficients K c, K (p, p0); columns stay as sparse as they can."""
        pivot = linalg.qr(K.T, mode="r", pivoting=True)[1][: K.shape[1]]
        basis = K @ np.linalg.inv(K[pivot])
        basis[np.abs(basis) < 1e-12] = 0
        return replace(self, frame=replace(self.frame, X=self.X @ basis), K=basis)

    def restricted_sums(
        self, sums: OffsetEvents, smaller: QuadratureModel, K: np.ndarray, offset: np.ndarray
    ) -> OffsetEvents:
        """Outcomes with coefficients of `smaller` plus `offset`, (B, p)."""
        return OffsetEvents(sums.y, np.broadcast_to(offset, (len(sums), self.p)))

    def least_deviance(
        self, sums: OffsetEvents, near: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """-2 log-likelihood (B,), maximised, and the parameters (B, p + 1) there."""
        values, places = np.full(len(sums), np.nan), np.full((len(sums), self.p + 1), np.nan)
        near = np.zeros_like(places) if near is None else near
        to_frame = np.linalg.pinv(self.K).T
        for i in range(0, len(sums), self.at_a_time):
            some = slice(i, i + self.at_a_time)
            part = sums.take(some)
            likelihood = Likelihood.of(self.frame, part.y, part.offset @ self.X.T)
            beta, sigma = near[some, : self.p], near[some, self.p :]
            start = np.hstack([(beta - part.offset) @ to_frame, np.maximum(sigma, SMALL)])
            best = minimise(likelihood, start)
            values[some] = np.where(best.converged, best.value, np.nan)
            places[some, : self.p] = best.x[:, :-1] @ self.K.T + part.offset
            places[some, self.p] = np.abs(best.x[:, -1])
        return values, places

    # ---- fits -----------------------------------------------------------------------------------------

    def fit(self, y: np.ndarray, *, start: np.ndarray | None = None) -> QuadratureFit:
        """Maximum likelihood of outcomes y (B, m).

        The search begins at parameters `start` (B, P), or where the fit without groups ends.
        """
        fit = QuadratureFit.missing(self, y)
        pooled = self.pooled.fit(y)
        for i in range(0, len(y), self.at_a_time):
            which = i + np.flatnonzero(pooled.is_finite[i : i + self.at_a_time])
            if not len(which):
                continue
            likelihood = Likelihood.of(self.frame, y[which])
            if start is None:
                near = likelihood.start(self._without_groups(pooled.take(which)))
            else:
                near = start[which]
            best, singular = _best(likelihood, near)
            fit.put(which, *_estimates(likelihood, best, singular))
        return fit

    def _without_groups(self, pooled: EventFit) -> np.ndarray:
        """Parameters (B, p + 1) of regressions without groups."""
        beta = coefficients(pooled.model.basis, pooled.gamma)
        inner = np.linalg.solve(self.to_beta, beta.T).T
        return np.hstack([inner, np.zeros((len(beta), 1))])

    def draw(self, parameters: np.ndarray, n_draws: int, seed: int) -> np.ndarray:
        """Outcomes (n_draws, m) at parameters (p + 1,)."""
        frame, rng = self.frame, np.random.default_rng(seed)
        u = rng.standard_normal((frame.n_groups, n_draws))
        eta = (self.X @ parameters[: self.p])[:, None] + parameters[self.p] * u[frame.group]
        assert not isinstance(frame.density, NegativeBinomial)
        return frame.density.draw(eta, rng).T


def in_like_units(X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Columns of X (m, p) in like units, and T (p, p) with X T = these.

    Numeric columns have mean 0 and standard deviation 1 over rows, indicators and the intercept stay.
    """
    p = X.shape[1]
    centre, scale, to_beta = np.zeros(p), np.ones(p), np.eye(p)
    numeric = ~np.isin(X, (0.0, 1.0)).all(axis=0)
    scale[numeric] = X[:, numeric].std(axis=0)
    scale[scale == 0] = 1.0
    if (X[:, 0] == 1).all():
        centre[numeric] = X[:, numeric].mean(axis=0)
    to_beta /= scale
    to_beta[0, 1:] -= (centre / scale)[1:]
    return (X - centre) / scale, to_beta


def _best(likelihood: Likelihood, start: np.ndarray) -> tuple[Minima, np.ndarray]:
    """Minima of the deviance with sigma at 0 or above, and whether it is 0 (B,)."""
    p = likelihood.frame.p
    best = minimise(likelihood, start)
    best.x[:, p] = np.abs(best.x[:, p])
    small = np.flatnonzero((best.x[:, p] < SMALL) | ~best.converged)
    singular = np.zeros(len(best.x), dtype=bool)
    if len(small):
        without = likelihood.take(small).pooled(near=best.x[small])
        at_zero = likelihood.at_zero(small, without.x)
        is_minimum = best.converged[small] | (at_zero.at.hessian[:, p, p] >= 0)
        least = without.converged & is_minimum & ~(without.value > best.value[small] + 1e-9)
        best.put(small[least], at_zero.take(least))
        singular[small[least]] = True
    return best, singular


def _estimates(
    likelihood: Likelihood, best: Minima, singular: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Parameters, their covariance, deviances, which have converged, and which have sigma = 0."""
    x, p, P = best.x, likelihood.frame.p, best.x.shape[1]
    at = likelihood(np.arange(len(x)), x)
    # On the boundary the standard deviation has no standard error, and no effect on others.
    of_sigma = (np.arange(P) == p) | (np.arange(P) == p)[:, None]
    held = of_sigma & singular[:, None, None]
    information = np.where(held, np.eye(P), at.hessian / 2)
    finite = np.isfinite(information).all(axis=(1, 2)) & np.isfinite(at.value)
    information[~finite] = np.eye(P)
    usable = finite & (np.linalg.eigvalsh(information)[:, 0] > 0) & (x[:, p] < LARGEST)
    usable &= singular | best.converged
    information[~usable] = np.eye(P)
    vcov = np.where(held, 0.0, np.linalg.inv(information))
    return (
        np.where(usable[:, None], x, np.nan),
        np.where(usable[:, None, None], vcov, np.nan),
        np.where(usable, at.value, np.nan),
        usable,
        singular & usable,
    )


@dataclass(frozen=True)
class QuadratureFit:
    """Fits of B outcomes y (B, m); NaN and not `converged` where there is none.

    Attributes
    ----------
    parameters : (B, p + 1) or (B, p + 2)
        Coefficients of the columns of the model; the groups' standard deviation sigma, 0 or above; the
        logarithm of the shape.
    vcov : of them; inverse of the observed information
        On the boundary, sigma = 0, that of the others, and 0 for sigma.
    deviance : (B,) -2 log-likelihood up to a constant of y
    singular : (B,) whether sigma is estimated as 0
    """

    model: QuadratureModel
    y: np.ndarray
    parameters: np.ndarray
    vcov: np.ndarray
    deviance: np.ndarray
    converged: np.ndarray
    singular: np.ndarray

    @classmethod
    def missing(cls, model: QuadratureModel, y: np.ndarray) -> QuadratureFit:
        """NaN for outcomes y (B, m)."""
        B, P = len(y), model.frame.n_parameters
        no = np.zeros(B, dtype=bool)
        nothing = np.full((B, P, P), np.nan)
        return cls(model, y, nothing[:, 0].copy(), nothing, nothing[:, 0, 0].copy(), no, no.copy())

    def put(self, which: np.ndarray, *values: np.ndarray) -> None:
        """Set the estimates of some outcomes."""
        for name, each in zip(ESTIMATES, values, strict=True):
            getattr(self, name)[which] = each

    @property
    def beta(self) -> np.ndarray:
        """(B, p)"""
        return np.asarray(self.parameters[:, : self.model.p] @ self.model.to_beta.T)

    @property
    def sigma(self) -> np.ndarray:
        """(B,) standard deviation of groups on the scale of the link."""
        return np.asarray(self.parameters[:, self.model.p])

    def covariance(self, L: np.ndarray) -> np.ndarray:
        """(B, k, k) of L beta, L (k, p)."""
        p, rows = self.model.p, L @ self.model.to_beta
        return np.asarray(rows @ self.vcov[:, :p, :p] @ rows.T)

    # ---- as `models.interface` has it ----------------------------------------------------------------

    @property
    def sums(self) -> OffsetEvents:
        return OffsetEvents(self.y, np.zeros((len(self.y), self.model.p)))

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self.y),)

    @property
    def theta(self) -> np.ndarray:
        return self.parameters

    @property
    def criterion(self) -> np.ndarray:
        return self.deviance

    @property
    def maximum_likelihood(self) -> QuadratureFit:
        return self


# ---- the likelihood -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Likelihood:
    """The deviance of outcomes y (m, B), as a function of the parameters.

    `offset` (m, B); `modes` (G, B) are where the integrands of the last parameters had their maxima.
    """

    frame: Frame
    y: np.ndarray
    offset: np.ndarray
    modes: np.ndarray = field(repr=False)

    @classmethod
    def of(cls, frame: Frame, y: np.ndarray, offset: np.ndarray | None = None) -> Likelihood:
        """y, offset (B, m)."""
        shift = np.broadcast_to(0.0, y.shape) if offset is None else offset
        return cls(
            frame,
            np.ascontiguousarray(y.T),
            shift.T,
            np.zeros((frame.n_groups, len(y))),
        )

    def take(self, which: np.ndarray) -> Likelihood:
        """That of some outcomes."""
        return Likelihood(
            self.frame, self.y[:, which], self.offset[:, which], self.modes[:, which].copy()
        )

    def __call__(self, which: np.ndarray, x: np.ndarray) -> Slopes:
        """Value, gradient and Hessian at parameters x (b, ...) of the outcomes `which` (b,)."""
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            if self.frame.n_nodes >= MANY_NODES:
                return self.integrals(which, x).slopes(hessian=True)
            return _differenced(lambda at: self.integrals(which, at).slopes(hessian=False), x)

    def integrals(self, which: np.ndarray, x: np.ndarray) -> Integrals:
        eta, sigma, shape = self.split(which, x)
        integrals = Integrals.of(
            self.frame, self.y[:, which], eta, sigma, shape, self.modes[:, which]
        )
        self.modes[:, which] = np.nan_to_num(integrals.mode)
        return integrals

    def split(
        self, which: np.ndarray, x: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """Fixed parts of eta (m, b), sigma (b,), and logarithms of the shape (b,)."""
        p = self.frame.p
        eta = self.frame.X @ x[:, :p].T + self.offset[:, which]
        return eta, x[:, p], x[:, p + 1] if self.frame.density.has_shape else None

    # ---- without groups -------------------------------------------------------------------------------

    def pooled(self, near: np.ndarray) -> Minima:
        """The fit with sigma = 0; the search begins at parameters `near` (B, P).

        Minima have 0 in the place of sigma; the slopes are those of the other parameters.
        """
        p = self.frame.p
        free = np.arange(self.frame.n_parameters) != p
        best = minimise(self._without_groups, np.where(np.isfinite(near), near, 0.0)[:, free])
        return replace(best, x=np.insert(best.x, p, 0.0, axis=1))

    def at_zero(self, which: np.ndarray, x: np.ndarray) -> Minima:
        """Minima of these outcomes at parameters x, which have 0 in the place of sigma."""
        at = self(which, x)
        return Minima(x, at, np.zeros(len(x)), np.zeros(len(x), dtype=int))

    def _without_groups(self, which: np.ndarray, x: np.ndarray) -> Slopes:
        """Deviance at coefficients, and logarithms of the shape, (b, ...), where sigma is 0."""
        frame = self.frame
        p, y = frame.p, self.y[:, which]
        eta = frame.X @ x[:, :p].T + self.offset[:, which]
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            at = frame.density.derivatives(eta, y, x[:, p] if frame.density.has_shape else None)
            gradient = np.empty_like(x)
            hessian = np.empty((*x.shape, x.shape[1]))
            gradient[:, :p] = at.residual.T @ frame.X
            hessian[:, :p, :p] = -(at.weight.T @ frame.squares).reshape(-1, p, p)
            if at.by_shape is not None:
                first, second, cross = at.by_shape
                gradient[:, p], hessian[:, p, p] = first.sum(axis=0), second.sum(axis=0)
                hessian[:, p, :p] = hessian[:, :p, p] = cross.T @ frame.X
            return Slopes(-2 * at.loglik.sum(axis=0), -2 * gradient, -2 * hessian)

    def start(self, x: np.ndarray) -> np.ndarray:
        """Parameters with a moment estimate of sigma, from those of the fit without groups.

        Where counts of groups are far apart, the largest govern that fit: then logarithms do better.
        """
        frame, p = self.frame, self.frame.p
        eta, _, shape = self.split(np.arange(len(x)), x)
        residual, weight = frame.density.of_mode(eta, self.y, shape)
        S, V = frame.by_group(residual), frame.by_group(weight)
        square = (S**2 - V).sum(axis=0) / np.maximum((V**2).sum(axis=0), 1e-12)
        start = x.copy()
        start[:, p] = np.sqrt(np.clip(np.nan_to_num(square), 0.04, 2.0))
        if isinstance(frame.density, Poisson):
            apart = square > 1
            target = np.log((self.y + 0.5) / frame.density.exposure[:, None]) - self.offset
            beta = np.linalg.pinv(frame.X) @ target
            size = frame.by_group(np.ones((len(target), 1)))
            means = frame.by_group(target - frame.X @ beta) / size
            start[apart, :p] = beta.T[apart]
            start[apart, p] = means.std(axis=0)[apart]
        return start


def _differenced(slopes: Callable[[np.ndarray], Slopes], x: np.ndarray) -> Slopes:
    """Slopes with a Hessian by central differences of the gradient."""
    at = slopes(x)
    hessian = np.empty((*x.shape, x.shape[1]))
    for j in range(x.shape[1]):
        step = STEP * np.maximum(1.0, np.abs(x[:, j]))
        ahead, behind = x.copy(), x.copy()
        ahead[:, j] += step
        behind[:, j] -= step
        change = slopes(ahead).gradient - slopes(behind).gradient
        hessian[:, :, j] = change / (2 * step)[:, None]
    return Slopes(at.value, at.gradient, (hessian + hessian.swapaxes(1, 2)) / 2)
