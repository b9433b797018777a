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

import numpy as np
from scipy import linalg

from groupwise.algebra import sum_by
from groupwise.models.event_densities import Binomial, Density, NegativeBinomial
from groupwise.models.newton import Minima, Slopes, minimise
from groupwise.models.quadrature_integrals import Frame, Integrals

NODES = 25
"""Nodes, unless asked otherwise: those of lme4::glmer's most accurate setting."""

NODES_OF_DRAWS = 9
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
    X : (m, p)
    arm : (m,) codes; an outcome with an arm that has no events, or nothing else, has no estimates
    frame : columns X K in groups
    K : (p, p0)
        Coefficients are K times those of the frame, plus an offset; the identity where nothing is
        restricted.
    """

    X: np.ndarray
    arm: np.ndarray
    frame: Frame
    K: np.ndarray

    @classmethod
    def of(
        cls,
        X: np.ndarray,
        group: np.ndarray,
        arm: np.ndarray,
        density: Density,
        n_nodes: int = NODES,
    ) -> QuadratureModel:
        """X (m, p); group, arm (m,) codes; one node is Laplace's approximation."""
        return cls(X, arm, Frame(X, group, density, n_nodes), np.eye(X.shape[1]))

    @property
    def p(self) -> int:
        """Number of coefficients of the design."""
        return self.X.shape[1]

    @property
    def at_a_time(self) -> int:
        """Number of outcomes that are fitted together."""
        return max(AT_A_TIME // (len(self.X) * self.frame.n_nodes), 1)

    @property
    def with_fewer_nodes(self) -> QuadratureModel:
        """The model with the nodes that serve for draws."""
        return replace(self, frame=replace(self.frame, n_nodes=NODES_OF_DRAWS))

    # ---- restrictions, as `models.interface` has them -------------------------------------------------

    @property
    def to_beta(self) -> np.ndarray:
        return np.eye(self.p)

    def effects_of(self, sums: OffsetEvents) -> np.ndarray:
        """(B, p): nothing is known of effects before a fit, and restrictions need nothing."""
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
        to_frame = np.linalg.pinv(self.K).T
        for i in range(0, len(sums), self.at_a_time):
            some = slice(i, i + self.at_a_time)
            part = sums.take(some)
            likelihood = Likelihood.of(self.frame, part.y, part.offset @ self.X.T)
            if near is None:
                start = likelihood.start(likelihood.pooled().x)
            else:
                beta, sigma = near[some, : self.p], near[some, self.p :]
                start = np.hstack([(beta - part.offset) @ to_frame, np.maximum(sigma, SMALL)])
            best = minimise(likelihood, start)
            values[some] = np.where(best.converged, best.value, np.nan)
            places[some, : self.p] = best.x[:, :-1] @ self.K.T + part.offset
            places[some, self.p] = np.abs(best.x[:, -1])
        return values, places

    # ---- fits -----------------------------------------------------------------------------------------

    def fit(self, y: np.ndarray, *, start: np.ndarray | None = None) -> QuadratureFit:
        """Maximum likelihood of outcomes y (B, m); the search begins at `start` (B, ...) if given."""
        chunks = [slice(i, i + self.at_a_time) for i in range(0, max(len(y), 1), self.at_a_time)]
        parts = [self._fit(y[some], None if start is None else start[some]) for some in chunks]
        return QuadratureFit.joined(parts)

    def _fit(self, y: np.ndarray, start: np.ndarray | None) -> QuadratureFit:
        """The fits of outcomes that can have one, among NaN."""
        possible = np.flatnonzero((self.one_sided(y) == 0).all(axis=1))
        near = None if start is None else start[possible]
        likelihood = Likelihood.of(self.frame, y[possible])
        best, singular = _best(likelihood, near)
        P = self.frame.n_parameters
        fit = QuadratureFit.missing(self, y, P)
        if len(possible):
            fit.put(possible, *_estimates(likelihood, best, singular))
        return fit

    def one_sided(self, y: np.ndarray) -> np.ndarray:
        """(B, J): -1 where an arm has no event in outcomes y (B, m), 1 where nothing else, else 0."""
        density, n_arms = self.frame.density, int(self.arm.max()) + 1
        events = sum_by(y, self.arm, n_arms)
        side = np.where(events == 0, -1, 0)
        if isinstance(density, Binomial):
            side[events == sum_by(density.trials, self.arm, n_arms)] = 1
        return side

    def draw(self, parameters: np.ndarray, n_draws: int, seed: int) -> np.ndarray:
        """Outcomes (n_draws, m) at parameters (p + 1,)."""
        frame, rng = self.frame, np.random.default_rng(seed)
        u = rng.standard_normal((frame.n_groups, n_draws))
        eta = (self.X @ parameters[: self.p])[:, None] + parameters[self.p] * u[frame.group]
        assert not isinstance(frame.density, NegativeBinomial)
        return frame.density.draw(eta, rng).T


def _best(likelihood: Likelihood, start: np.ndarray | None) -> tuple[Minima, np.ndarray]:
    """Minima of the deviance with sigma at 0 or above, and whether it is 0 (B,)."""
    p = likelihood.frame.p
    if start is None:
        start = likelihood.start(likelihood.pooled().x)
    best = minimise(likelihood, start)
    best.x[:, p] = np.abs(best.x[:, p])
    small = np.flatnonzero((best.x[:, p] < SMALL) | ~best.converged)
    singular = np.zeros(len(best.x), dtype=bool)
    if len(small):
        without = likelihood.take(small).pooled(near=best.x[small])
        least = without.converged & ~(without.value > best.value[small] + 1e-9)
        at_zero = likelihood.at_zero(small[least], without.x[least])
        best.put(small[least], at_zero)
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
        Coefficients; the groups' standard deviation sigma, 0 or above; the logarithm of the shape.
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
    def missing(cls, model: QuadratureModel, y: np.ndarray, P: int) -> QuadratureFit:
        """NaN for outcomes y (B, m) of a model with P parameters."""
        B = len(y)
        no = np.zeros(B, dtype=bool)
        nothing = np.full((B, P, P), np.nan)
        return cls(model, y, nothing[:, 0].copy(), nothing, nothing[:, 0, 0].copy(), no, no.copy())

    def put(self, which: np.ndarray, *values: np.ndarray) -> None:
        """Set the estimates of some outcomes."""
        for name, each in zip(ESTIMATES, values, strict=True):
            getattr(self, name)[which] = each

    @classmethod
    def joined(cls, parts: list[QuadratureFit]) -> QuadratureFit:
        """The batches `parts` in one."""
        names = ("y", *ESTIMATES)
        arrays = {name: np.concatenate([getattr(p, name) for p in parts]) for name in names}
        return cls(parts[0].model, **arrays)

    @property
    def beta(self) -> np.ndarray:
        """(B, p)"""
        return self.parameters[:, : self.model.p]

    @property
    def sigma(self) -> np.ndarray:
        """(B,) standard deviation of groups on the scale of the link."""
        return np.asarray(self.parameters[:, self.model.p])

    def covariance(self, L: np.ndarray) -> np.ndarray:
        """(B, k, k) of L beta, L (k, p)."""
        p = self.model.p
        return np.asarray(L @ self.vcov[:, :p, :p] @ L.T)

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
                return self._integrals(which, x).slopes(hessian=True)
            return _differenced(lambda at: self._integrals(which, at).slopes(hessian=False), x)

    def _integrals(self, which: np.ndarray, x: np.ndarray) -> Integrals:
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

    def pooled(self, near: np.ndarray | None = None) -> Minima:
        """The fit with sigma = 0; the search begins at the outcomes, or `near` parameters (B, ...).

        Minima have 0 in the place of sigma; the slopes are those of the other parameters.
        """
        frame = self.frame
        free = np.arange(frame.n_parameters) != frame.p
        if near is None:
            near = np.zeros((self.y.shape[1], frame.n_parameters))
            target = frame.density.start(self.y) - self.offset
            near[:, : frame.p] = (np.linalg.pinv(frame.X) @ target).T
        best = minimise(self._without_groups, np.where(np.isfinite(near), near, 0.0)[:, free])
        return replace(best, x=np.insert(best.x, frame.p, 0.0, axis=1))

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
        """Parameters with a moment estimate of sigma, from those of the fit without groups."""
        eta, _, shape = self.split(np.arange(len(x)), x)
        residual, weight = self.frame.density.of_mode(eta, self.y, shape)
        S, V = self.frame.by_group(residual), self.frame.by_group(weight)
        square = (S**2 - V).sum(axis=0) / np.maximum((V**2).sum(axis=0), 1e-12)
        start = x.copy()
        start[:, self.frame.p] = np.sqrt(np.clip(np.nan_to_num(square), 0.04, 2.0))
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
