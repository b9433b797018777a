"""Regression of events with an offset of each outcome: what is expected where an effect is given.

Binary outcomes with log odds are fitted by logistic regression, ratios of risks or rates by the score of
Poisson regression. A fitted mean at the end of its range, such as that of a block without events, is a
limit like any other: means are asked for, not coefficients.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import special

from groupwise.models.least_squares import Basis, orthonormal_basis
from groupwise.models.newton import Slopes, minimise

FURTHEST = 500.0
"""Log rates are cut there, so that a step too far is finite: it is halved."""


@dataclass(frozen=True)
class OffsetModel:
    """m rows with the columns X (m, c), which hold the constant.

    Attributes
    ----------
    X : (m, c)
    exposure : (m,) individuals, or their exposures
    is_logit : log odds of binary outcomes, or the logarithm
    """

    X: np.ndarray
    exposure: np.ndarray
    is_logit: bool

    @cached_property
    def basis(self) -> Basis:
        """Of X, rows times the root of their exposure."""
        return orthonormal_basis(self.X * np.sqrt(self.exposure)[:, None])

    @cached_property
    def Z(self) -> np.ndarray:
        """(m, r) X in coordinates whose mean squares over individuals are 1."""
        root = np.sqrt(self.exposure / self.exposure.sum())
        return self.basis.Q / root[:, None]

    def moments(self, eta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Expected events (b, m) and their variances at linear predictors (b, m)."""
        if not self.is_logit:
            mean = self.exposure * np.exp(np.minimum(eta, FURTHEST))
            return mean, mean
        mean = special.expit(eta)
        return self.exposure * mean, self.exposure * mean * special.expit(-eta)

    def expected(self, events: np.ndarray, offset: np.ndarray) -> np.ndarray:
        """(b, m) expected events by the likelihood of events, given offsets, each (b, m)."""

        def function(index: np.ndarray, gamma: np.ndarray) -> Slopes:
            y, eta = events[index], gamma @ self.Z.T + offset[index]
            mean, weight = self.moments(eta)
            total = mean
            if self.is_logit:
                total = self.exposure * np.logaddexp(0, eta)
            value = (total - y * eta).sum(axis=1)
            hessian = (weight[:, None, :] * self.Z.T) @ self.Z
            return Slopes(value, (mean - y) @ self.Z, hessian)

        gamma = minimise(function, self._start(events, offset)).x
        return self.moments(gamma @ self.Z.T + offset)[0]

    def _start(self, events: np.ndarray, offset: np.ndarray) -> np.ndarray:
        """(b, r) the constant that the mean of all, and the mean offset, ask for."""
        total, size = events.sum(axis=1), self.exposure.sum()
        share = (total + 0.5) / (size + 1)
        level = special.logit(share) if self.is_logit else np.log(share)
        level = level - offset @ self.exposure / size
        constant = (self.exposure / size) @ self.Z  # coordinates of a column of ones
        return np.asarray(level[:, None] * constant)
