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

from groupwise.models.event_densities import Density, NegativeBinomial
from groupwise.models.newton import Slopes, minimise
from groupwise.models.quadrature_integrals import Frame, Integrals

NODES = 25
"""Nodes, unless asked otherwise: those of lme4::glmer's most accurate setting."""

MANY_NODES = 15
"""From so many nodes on, their moments serve for the Hessian."""

STEP = 1e-4
"""Relative step by which gradients are differenced."""

AT_A_TIME = 2**18
"""Numbers (m, B, K) that are computed together."""

SMALL = 0.1
"""Estimates of sigma below this are compared with the fit at 0."""

LARGEST = 30.0
"""A standard deviation, or a coefficient of a column of length 1, beyond this is infinite."""


@dataclass(frozen=True)
class QuadratureModel:
    """A design with the number of nodes: all that does not depend on outcomes."""

    frame: Frame

    @classmethod
    def of(
        cls, X: np.ndarray, group: np.ndarray, density: Density, n_nodes: int = NODES
    ) -> QuadratureModel:
        """X (m, p), group (m,) codes of G groups; one node is Laplace's approximation."""
        return cls(Frame(X, group, density, n_nodes))

    @property
    def p(self) -> int:
        return self.frame.p

    @property
    def at_a_time(self) -> int:
        """Number of outcomes that are fitted together."""
        return max(AT_A_TIME // (len(self.frame.X) * self.frame.n_nodes), 1)

    def restricted(self, K: np.ndarray) -> QuadratureModel:
        """The model with columns X K, K (p, p0)."""
        return replace(self, frame=replace(self.frame, X=self.frame.X @ K))

    # ---- fits -----------------------------------------------------------------------------------------

    def fit(
        self, y: np.ndarray, *, offset: np.ndarray | None = None, start: np.ndarray | None = None
    ) -> QuadratureFit:
        """Maximum likelihood of outcomes y (B, m).

        Parameters
        ----------
        offset : (B, m) or (1, m), added to eta
        start : (B, p + 1) or with the logarithm of the shape (B, p + 2), where the search begins
        """
        step = self.at_a_time
        return QuadratureFit.joined(
            [
                self._fit(*(None if a is None else _some(a, i, step) for a in (y, offset, start)))
                for i in range(0, max(len(y), 1), step)
            ]
        )

    def _fit(
        self, y: np.ndarray | None, offset: np.ndarray | None, start: np.ndarray | None
    ) -> QuadratureFit:
        assert y is not None
        likelihood = Likelihood.of(self.frame, y, offset)
        if start is None:
            start = likelihood.start(likelihood.pooled().x)
        best = minimise(likelihood, start)
        x, at, converged = best.x, best.at, best.converged
        x[:, self.p] = np.abs(x[:, self.p])
        small = np.flatnonzero((x[:, self.p] < SMALL) | ~converged)
        singular = np.zeros(len(x), dtype=bool)
        if len(small):
            without = likelihood.take(small).pooled(near=x[small])
            value = without.at.value
            least = without.converged & ~(value > at.value[small] + 1e-9)
            chosen = small[least]
            x[chosen] = without.x[least]
            singular[chosen], converged[chosen] = True, True
        return self._at(likelihood, x, converged & (x[:, self.p] < LARGEST), singular)

    def _at(
        self, likelihood: Likelihood, x: np.ndarray, converged: np.ndarray, singular: np.ndarray
    ) -> QuadratureFit:
        """The fit at parameters x (B, p + 1), or with a shape (B, p + 2)."""
        at = likelihood(np.arange(len(x)), x)
        information = np.where(converged[:, None, None], at.hessian / 2, np.eye(x.shape[1]))
        # On the boundary the standard deviation has no standard error, and no effect on others.
        free = np.arange(x.shape[1]) != self.p
        held = ~(free[:, None] & free) & singular[:, None, None]
        information = np.where(held, np.eye(x.shape[1]), information)
        positive = np.linalg.eigvalsh(information)[:, 0] > 0
        usable = converged & positive
        information[~usable] = np.eye(x.shape[1])
        vcov = np.where(held, 0.0, np.linalg.inv(information))
        return QuadratureFit(
            model=self,
            y=likelihood.y.T,
            parameters=np.where(usable[:, None], x, np.nan),
            vcov=np.where(usable[:, None, None], vcov, np.nan),
            deviance=np.where(usable, at.value, np.nan),
            converged=usable,
            singular=singular & usable,
        )

    def least_deviance(
        self, y: np.ndarray, offset: np.ndarray, near: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """-2 log-likelihood (B,), maximised, and the parameters there; the search begins at `near`."""
        values, places = [], []
        for i in range(0, len(y), self.at_a_time):
            some = (_some(each, i, self.at_a_time) for each in (y, offset, near))
            outcome, shift, start = some
            best = minimise(Likelihood.of(self.frame, outcome, shift), start)
            values.append(np.where(best.converged, best.value, np.nan))
            places.append(best.x)
        return np.concatenate(values), np.concatenate(places)

    def draw(self, parameters: np.ndarray, n_draws: int, seed: int) -> np.ndarray:
        """Outcomes (n_draws, m) at parameters (p + 1,)."""
        frame, rng = self.frame, np.random.default_rng(seed)
        u = rng.standard_normal((frame.n_groups, n_draws))
        eta = (frame.X @ parameters[: self.p])[:, None] + parameters[self.p] * u[frame.group]
        assert not isinstance(frame.density, NegativeBinomial)
        return frame.density.draw(eta, rng).T


def _some(values: np.ndarray, start: int, step: int) -> np.ndarray:
    return values if len(values) == 1 else values[start : start + step]


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
    def joined(cls, parts: list[QuadratureFit]) -> QuadratureFit:
        """The batches `parts` in one."""
        names = ("y", "parameters", "vcov", "deviance", "converged", "singular")
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

    def keep(self, which: np.ndarray) -> QuadratureFit:
        """The same without the fits of outcomes that are not marked in `which` (B,)."""
        return replace(
            self,
            parameters=np.where(which[:, None], self.parameters, np.nan),
            vcov=np.where(which[:, None, None], self.vcov, np.nan),
            deviance=np.where(which, self.deviance, np.nan),
            converged=self.converged & which,
            singular=self.singular & which,
        )


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
    def of(cls, frame: Frame, y: np.ndarray, offset: np.ndarray | None) -> Likelihood:
        """y (B, m), offset (B, m) or (1, m)."""
        shift = np.zeros((1, 1)) if offset is None else offset
        return cls(
            frame,
            np.ascontiguousarray(y.T),
            np.broadcast_to(shift, y.shape).T,
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

    def pooled(self, near: np.ndarray | None = None) -> Pooled:
        """The fit with sigma = 0; the search begins at the outcomes, or `near` parameters (B, ...)."""
        frame = self.frame
        free = np.arange(frame.n_parameters) != frame.p
        if near is None:
            near = np.zeros((self.y.shape[1], frame.n_parameters))
            target = frame.density.start(self.y) - self.offset
            near[:, : frame.p] = (np.linalg.pinv(frame.X) @ target).T
        start = np.where(np.isfinite(near), near, 0.0)[:, free]
        best = minimise(self._without_groups, start)
        x = np.zeros((len(start), frame.n_parameters))
        x[:, free] = best.x
        return Pooled(x, best.at, best.converged)

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


@dataclass(frozen=True)
class Pooled:
    """Parameters x (B, ...) with sigma = 0, the deviance of the others there, and `converged` (B,)."""

    x: np.ndarray
    at: Slopes
    converged: np.ndarray


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
