"""Integrals over the effects of groups by adaptive Gauss-Hermite quadrature, with their derivatives.

A column of X that is constant in groups needs of residuals at the nodes only their sum in a group: one
set of moments serves all such columns. Arrays have rows first, (m, b); at K nodes (m, b, K), in groups
(G, b, K).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import sparse, special

from groupwise.models.event_densities import Binomial, Density, Derivatives, NegativeBinomial
from groupwise.models.newton import Slopes


@dataclass(frozen=True)
class Frame:
    """m rows in G groups, p columns: all that does not depend on outcomes.

    Attributes
    ----------
    X : (m, p)
    group : (m,) codes, 0 to G - 1
    density : of outcomes given eta
    n_nodes
    """

    X: np.ndarray
    group: np.ndarray
    density: Density
    n_nodes: int

    @property
    def n_groups(self) -> int:
        return int(self.group.max()) + 1

    @property
    def p(self) -> int:
        return self.X.shape[1]

    @property
    def n_parameters(self) -> int:
        """Coefficients, sigma, and the logarithm of the shape where there is one."""
        return self.p + 1 + self.density.has_shape

    @cached_property
    def nodes(self) -> tuple[np.ndarray, np.ndarray]:
        """Nodes x (K,) of the standard normal density, and logarithms of weight times exp(x^2 / 2)."""
        x, weight = special.roots_hermitenorm(self.n_nodes)
        return x, np.log(weight / np.sqrt(2 * np.pi)) + x**2 / 2

    @cached_property
    def indicator(self) -> sparse.csr_array | None:
        """(G, m) which rows a group has; None where row g is group g."""
        m = len(self.group)
        if np.array_equal(self.group, np.arange(m)):
            return None
        return sparse.csr_array((np.ones(m), (self.group, np.arange(m))), shape=(self.n_groups, m))

    def by_group(self, values: np.ndarray) -> np.ndarray:
        """Sums (G, ...) over the rows of groups of values (m, ...)."""
        if self.indicator is None:
            return values
        flat = self.indicator @ values.reshape(len(values), -1)
        return np.asarray(flat).reshape(self.n_groups, *values.shape[1:])

    @cached_property
    def first(self) -> np.ndarray:
        """(G,) one row of each group."""
        return np.unique(self.group, return_index=True)[1]

    @cached_property
    def varying(self) -> np.ndarray:
        """Indices of the columns that vary within groups."""
        return np.flatnonzero((np.abs(self.X - self.X[self.first][self.group]) > 1e-12).any(axis=0))

    @cached_property
    def constant(self) -> np.ndarray:
        """Indices of the columns that are constant in groups."""
        return np.setdiff1d(np.arange(self.p), self.varying)

    @property
    def others(self) -> list[int]:
        """Places of sigma, of the shape, and of varying columns among the parameters."""
        return [*range(self.p, self.n_parameters), *map(int, self.varying)]

    @cached_property
    def group_X(self) -> np.ndarray:
        """(G, c) columns that are constant in groups."""
        return self.X[np.ix_(self.first, self.constant)]

    @cached_property
    def squares(self) -> np.ndarray:
        """(m, p^2) products of columns."""
        return (self.X[:, :, None] * self.X[:, None, :]).reshape(len(self.X), -1)


MOST_STEPS = 60
PRECISION = 1e-13
LONGEST_STEP = 2.0
"""No step changes linear predictors of counts by more: expected counts of longer ones can overflow."""


def modes_of(
    frame: Frame,
    eta: np.ndarray,
    sigma: np.ndarray,
    y: np.ndarray,
    shape: np.ndarray | None,
    near: np.ndarray,
) -> np.ndarray:
    """Where log density less u^2 / 2 has its maximum in each group, (G, b).

    Newton's method inside a bracket: the derivative falls in u, and so does the sum of residuals,
    hence the mode lies between 0 and sigma times that sum at u = 0.
    """

    def residual_and_weight(u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        at = frame.density.of_mode(eta + sigma * u[frame.group], y, shape)
        return frame.by_group(at[0]), frame.by_group(at[1])

    far = sigma * residual_and_weight(np.zeros_like(near))[0]
    low, high = np.minimum(far, 0), np.maximum(far, 0)
    u = np.clip(near, low, high)
    bounded = isinstance(frame.density, Binomial)
    most = np.inf if bounded else LONGEST_STEP / np.maximum(np.abs(sigma), 1e-3)
    for _ in range(MOST_STEPS):
        residual, weight = residual_and_weight(u)
        slope = sigma * residual - u
        low, high = np.where(slope >= 0, u, low), np.where(slope <= 0, u, high)
        step = slope / (1 + sigma**2 * weight)
        new = u + np.clip(step, -most, most)
        inside = (new >= low) & (new <= high)
        new = np.where(inside, new, (low + high) / 2)
        close = np.abs(step) <= PRECISION * (1 + np.abs(u))
        done = close | ~np.isfinite(slope) | (low >= high)
        u = np.where(inside | ~close, new, u)
        if done.all():
            break
    return u


@dataclass(frozen=True)
class Integrals:
    """The integrals of b outcomes at given parameters.

    Attributes
    ----------
    y, eta : (m, b) outcomes, and the fixed part of their predictors
    sigma, shape : (b,)
    mode, scale : (G, b) centre of the nodes, and the unit of their distances from it
    u, probability : (G, b, K) nodes, and the share of each in the integral
    log_integral : (G, b)
    at : log densities and their derivatives at the nodes, (m, b, K)
    """

    frame: Frame
    y: np.ndarray
    eta: np.ndarray
    sigma: np.ndarray
    shape: np.ndarray | None
    mode: np.ndarray
    scale: np.ndarray
    u: np.ndarray
    probability: np.ndarray
    log_integral: np.ndarray
    at: Derivatives

    @classmethod
    def of(
        cls,
        frame: Frame,
        y: np.ndarray,
        eta: np.ndarray,
        sigma: np.ndarray,
        shape: np.ndarray | None,
        near: np.ndarray,
    ) -> Integrals:
        """`near` (G, b): where the search of the modes begins."""
        mode = modes_of(frame, eta, sigma, y, shape, near)
        _, weight = frame.density.of_mode(eta + sigma * mode[frame.group], y, shape)
        scale = 1 / np.sqrt(1 + sigma**2 * frame.by_group(weight))
        x, log_weight = frame.nodes
        u = mode[..., None] + scale[..., None] * x
        at = frame.density.derivatives(eta[..., None] + sigma[:, None] * u[frame.group], y, shape)
        h = frame.by_group(at.loglik) - u**2 / 2 + log_weight
        most = h.max(axis=-1, keepdims=True)
        share = np.exp(h - most)
        total = share.sum(axis=-1, keepdims=True)
        log_integral = np.log(scale) + (most + np.log(total))[..., 0]
        return cls(frame, y, eta, sigma, shape, mode, scale, u, share / total, log_integral, at)

    def slopes(self, *, hessian: bool) -> Slopes:
        """The deviance of each outcome (b,) by coefficients, sigma, and the logarithm of the shape."""
        gradient = self._mean_score + self._of_nodes
        P = gradient.shape[1]
        second = np.zeros((len(gradient), P, P))
        if hessian:
            second = self._mean_curvature + self._spread_of_score
        return Slopes(-2 * self.log_integral.sum(axis=0), -2 * gradient, -2 * second)

    # ---- scores at the nodes --------------------------------------------------------------------------

    @cached_property
    def residual(self) -> np.ndarray:
        """(G, b, K) sums of residuals."""
        return self.frame.by_group(self.at.residual)

    @cached_property
    def scores(self) -> list[np.ndarray]:
        """Scores (G, b, K): of what is constant in groups, sigma, the shape, what varies in groups."""
        frame = self.frame
        scores = [self.residual, self.u * self.residual]
        if self.at.by_shape is not None:
            scores.append(frame.by_group(self.at.by_shape[0]))
        for j in frame.varying:
            scores.append(frame.by_group(frame.X[:, j, None, None] * self.at.residual))
        return scores

    @cached_property
    def means(self) -> list[np.ndarray]:
        """(G, b) means of scores over the nodes."""
        return [_mean(self.probability, each) for each in self.scores]

    def _coefficients_first(self, constant: np.ndarray, others: list[np.ndarray]) -> np.ndarray:
        """(b, P) from those of constant columns (b, c), and one (b,) for each other score."""
        frame = self.frame
        out = np.empty((len(self.sigma), frame.n_parameters))
        out[:, frame.constant] = constant
        for place, values in zip(frame.others, others, strict=True):
            out[:, place] = values
        return out

    @property
    def _mean_score(self) -> np.ndarray:
        """(b, P)"""
        constant = self.means[0].T @ self.frame.group_X
        return self._coefficients_first(constant, [each.sum(axis=0) for each in self.means[1:]])

    @property
    def _of_nodes(self) -> np.ndarray:
        """(b, P): what moving nodes add to the gradient; next to nothing where they are many."""
        frame, sigma = self.frame, self.sigma
        slope = sigma[:, None] * self.residual - self.u
        by_mode = _mean(self.probability, slope)
        by_scale = _mean(self.probability, slope * frame.nodes[0]) + 1 / self.scale
        eta = self.eta + sigma * self.mode[frame.group]
        residual, weight = frame.density.of_mode(eta, self.y, self.shape)
        third, by_shape = frame.density.of_weight(eta, self.y, self.shape)
        R, V, W = (frame.by_group(each) for each in (residual, weight, third))
        # d mode = slope_by / curvature; d scale = scale^3 / 2 times the change of -curvature.
        through_mode = self.scale**2 * (by_mode - by_scale * self.scale**3 / 2 * sigma**3 * W)
        through_scale = -by_scale * self.scale**3 / 2
        of_row = -sigma * through_mode[frame.group] * weight
        of_row = of_row + sigma**2 * through_scale[frame.group] * third
        of_sigma = through_mode * (R - sigma * V * self.mode)
        of_sigma += through_scale * (2 * sigma * V + sigma**2 * W * self.mode)
        out = np.empty((len(sigma), frame.n_parameters))
        out[:, : frame.p] = of_row.T @ frame.X
        out[:, frame.p] = of_sigma.sum(axis=0)
        if isinstance(frame.density, NegativeBinomial):
            assert self.shape is not None and by_shape is not None
            cross = frame.density.residual_by_shape(eta, self.y, self.shape)
            shaped = sigma * through_mode * frame.by_group(cross)
            shaped += through_scale * sigma**2 * frame.by_group(by_shape)
            out[:, frame.p + 1] = shaped.sum(axis=0)
        return out

    # ---- second derivatives ---------------------------------------------------------------------------

    @property
    def _mean_curvature(self) -> np.ndarray:
        """(b, P, P): means of second derivatives of log densities over the nodes."""
        frame = self.frame
        p, P, b = frame.p, frame.n_parameters, len(self.sigma)
        share, u = self.probability[frame.group], self.u[frame.group]
        out = np.zeros((b, P, P))
        weighted = share * self.at.weight
        out[:, :p, :p] = -(weighted.sum(axis=-1).T @ frame.squares).reshape(b, p, p)
        out[:, p, :p] = -_mean(weighted, u).T @ frame.X
        out[:, p, p] = -_mean(weighted, u * u).sum(axis=0)
        if self.at.by_shape is not None:
            _, second, cross = self.at.by_shape
            out[:, p + 1, p + 1] = _mean(share, second).sum(axis=0)
            out[:, p + 1, :p] = _mean(share, cross).T @ frame.X
            out[:, p + 1, p] = out[:, p, p + 1] = _mean(share, cross * u).sum(axis=0)
        out[:, :p, p:] = out[:, p:, :p].swapaxes(1, 2)
        return out

    @property
    def _spread_of_score(self) -> np.ndarray:
        """(b, P, P): covariances of scores over the nodes, summed over groups."""
        frame, Z = self.frame, self.frame.group_X
        out = np.empty((len(self.sigma), frame.n_parameters, frame.n_parameters))
        c, o = frame.constant, frame.others
        centred = [s - m[..., None] for s, m in zip(self.scores, self.means, strict=True)]
        weighted = [self.probability * each for each in centred]
        covariance = _mean(weighted[0], centred[0])
        products = (Z[:, :, None] * Z[:, None, :]).reshape(len(Z), len(c) ** 2)
        out[np.ix_(np.arange(len(out)), c, c)] = (covariance.T @ products).reshape(
            len(out), len(c), len(c)
        )
        for i, place in enumerate(o, start=1):
            across = _mean(weighted[0], centred[i]).T @ Z
            out[:, c, place] = out[:, place, c] = across
            for j, other in enumerate(o[:i], start=1):
                covariance = _mean(weighted[i], centred[j]).sum(axis=0)
                out[:, place, other] = out[:, other, place] = covariance
        return out


def _mean(weight: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Sums of products over the last axis."""
    return np.asarray(np.einsum("...k,...k->...", weight, values))
