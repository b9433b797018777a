"""Densities of events and counts with their derivatives by the linear predictor.

Rows lead: outcomes y are (m, B), predictors eta (m, B) or (m, B, K), trials and exposures (m,).
A residual is the first derivative of a log density by eta, a weight its second, with the sign changed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

from groupwise.models.event_rows import EventRows


@dataclass(frozen=True)
class Derivatives:
    """Log densities and their derivatives by eta, each of eta's shape.

    `loglik` is up to a constant of y. `by_shape` is None for a density without a shape; else its first
    and second derivatives of the log density by the logarithm of the shape, and that of the residual.
    """

    loglik: np.ndarray
    residual: np.ndarray
    weight: np.ndarray
    by_shape: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None


def along(values: np.ndarray, like: np.ndarray) -> np.ndarray:
    """Values (m,) or (m, B) with axes of length 1 at the end, as many as `like` has."""
    return values.reshape(values.shape + (1,) * (like.ndim - values.ndim))


def without_rounding(mean: np.ndarray) -> np.ndarray:
    """Risks or means to draw at: numpy's algorithms change at 1/2 and at 10.

    Estimates are often exactly there; what is drawn must not depend on their rounding.
    """
    return np.round(mean, 12)


@dataclass(frozen=True)
class Binomial:
    """y events of `trials` (m,), with log odds eta."""

    trials: np.ndarray
    has_shape = False

    def derivatives(
        self, eta: np.ndarray, y: np.ndarray, shape: np.ndarray | None = None
    ) -> Derivatives:
        n, y = along(self.trials, eta), along(y, eta)
        small = np.exp(-np.abs(eta))
        loglik = y * eta - n * (np.maximum(eta, 0) + np.log1p(small))
        risk = np.where(eta >= 0, 1, small) / (1 + small)
        return Derivatives(loglik, y - n * risk, n * small / (1 + small) ** 2)

    def of_mode(
        self, eta: np.ndarray, y: np.ndarray, shape: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Residuals and weights alone."""
        risk = special.expit(eta)
        expected = along(self.trials, eta) * risk
        return along(y, eta) - expected, expected * (1 - risk)

    def of_weight(
        self, eta: np.ndarray, y: np.ndarray, shape: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Derivatives of weights by eta, and by the logarithm of the shape."""
        _, weight = self.of_mode(eta, y)
        return -weight * np.tanh(eta / 2), None

    def draw(self, eta: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Outcomes (m, B)."""
        risk = without_rounding(special.expit(eta))
        return rng.binomial(self.trials.astype(int)[:, None], risk).astype(float)


@dataclass(frozen=True)
class Poisson:
    """Counts y with rates exp(eta) and `exposure` (m,)."""

    exposure: np.ndarray
    has_shape = False

    def derivatives(
        self, eta: np.ndarray, y: np.ndarray, shape: np.ndarray | None = None
    ) -> Derivatives:
        expected = along(self.exposure, eta) * np.exp(eta)
        # Less its maximum over eta: of large counts the rest would be lost in rounding.
        best = along(np.log(np.maximum(y, 1)) - np.log(self.exposure)[:, None], eta)
        residual = along(y, eta) - expected
        return Derivatives(along(y, eta) * (eta - best) + residual, residual, expected)

    def of_mode(
        self, eta: np.ndarray, y: np.ndarray, shape: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Residuals and weights alone."""
        expected = along(self.exposure, eta) * np.exp(eta)
        return along(y, eta) - expected, expected

    def of_weight(
        self, eta: np.ndarray, y: np.ndarray, shape: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Derivatives of weights by eta, and by the logarithm of the shape."""
        return self.of_mode(eta, y)[1], None

    def draw(self, eta: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Outcomes (m, B)."""
        mean = without_rounding(self.exposure[:, None] * np.exp(eta))
        return rng.poisson(mean).astype(float)


@dataclass(frozen=True)
class NegativeBinomial:
    """Counts y with mean `exposure` exp(eta), mu, and variance mu + mu^2 / shape (NB2).

    The shape is theta of `MASS::glm.nb`; here arguments `shape` are its logarithm, (B,).
    """

    exposure: np.ndarray
    has_shape = True

    def derivatives(
        self, eta: np.ndarray, y: np.ndarray, shape: np.ndarray | None = None
    ) -> Derivatives:
        mu, k, total, y = self._parts(eta, y, shape)
        loglik = y * eta - y * np.log(total) - k * np.log1p(mu / k) + _log_rising(y, k)
        ratio = (y + k) / total
        first = -np.log1p(mu / k) - ratio + 1 + special.digamma(y + k) - special.digamma(k)
        second = -2 / total + ratio / total + 1 / k
        second = second + special.polygamma(1, y + k) - special.polygamma(1, k)
        by_shape = (k * first, k * first + k**2 * second, k * (y - mu) * mu / total**2)
        return Derivatives(loglik, k * (y - mu) / total, k * mu * ratio / total, by_shape)

    def of_mode(
        self, eta: np.ndarray, y: np.ndarray, shape: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Residuals and weights alone."""
        mu, k, total, y = self._parts(eta, y, shape)
        return k * (y - mu) / total, k * mu * (y + k) / total**2

    def of_weight(
        self, eta: np.ndarray, y: np.ndarray, shape: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Derivatives of weights by eta, and by the logarithm of the shape."""
        mu, k, total, y = self._parts(eta, y, shape)
        weight = k * mu * (y + k) / total**2
        by_shape = k * mu * ((y + 2 * k) / total**2 - 2 * k * (y + k) / total**3)
        return weight * (k - mu) / total, by_shape

    def residual_by_shape(self, eta: np.ndarray, y: np.ndarray, shape: np.ndarray) -> np.ndarray:
        """Derivative of the residual by the logarithm of the shape."""
        mu, k, total, y = self._parts(eta, y, shape)
        return k * (y - mu) * mu / total**2

    def _parts(
        self, eta: np.ndarray, y: np.ndarray, shape: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Expected counts, shapes, their sum, and outcomes."""
        assert shape is not None
        mu = along(self.exposure, eta) * np.exp(eta)
        k = along(np.exp(shape)[None], eta)
        return mu, k, mu + k, along(y, eta)


def _log_rising(y: np.ndarray, k: np.ndarray) -> np.ndarray:
    """log Gamma(y + k) - log Gamma(k)."""
    return np.asarray(special.gammaln(y + k) - special.gammaln(k))


Density = Binomial | Poisson | NegativeBinomial


def density_of(rows: EventRows) -> Binomial | Poisson:
    """Binomial with log odds for a binary outcome, Poisson with log rates for counts."""
    return Binomial(rows.trials) if rows.response.family == "binary" else Poisson(rows.exposure)
