"""The probability that an indefinite quadratic form of normal variables is positive.

Imhof (1961, Biometrika 48, 419-426) inverts the characteristic function by one integral. In the
logarithm of its variable the integrand is analytic in a strip and dies off at both ends, so that
the trapezoidal rule with a fixed step is accurate to rounding.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

NEGLIGIBLE = 1e-13
"""An eigenvalue this small, relative to the largest, is rounding."""

REACH = 40.0
"""The integrand falls by a factor e per unit of the logarithm, at least, outside the weights' range."""

STEP = 0.1

FAR = 3000.0
"""Noncentralities, in sds, beyond which nothing is distinguished."""


@dataclass(frozen=True)
class QuadraticForm:
    """sum_i weight_i chi^2(multiplicity_i, noncentral (effect * direction_i)^2); arrays (d,)."""

    weight: np.ndarray
    multiplicity: np.ndarray
    direction: np.ndarray

    @classmethod
    def of(
        cls, cov: np.ndarray, sign: np.ndarray, *, rest: float = 0.0, rest_df: float = 0.0
    ) -> QuadraticForm:
        """sum_i sign_i w_i^2 + rest chi^2(rest_df), for normal w with this covariance (d, d).

        The mean of w is `effect` in its first element and 0 elsewhere.
        """
        values, vectors = np.linalg.eigh(cov)
        kept = values > NEGLIGIBLE * values[-1]
        root = vectors[:, kept] * np.sqrt(values[kept])
        weight, turn = np.linalg.eigh((root.T * sign) @ root)
        direction = turn.T @ (vectors[0, kept] / np.sqrt(values[kept]))
        multiplicity = np.ones(len(weight))
        if rest_df > 0:
            weight, direction = np.append(weight, rest), np.append(direction, 0.0)
            multiplicity = np.append(multiplicity, rest_df)
        kept = np.abs(weight) > NEGLIGIBLE * np.abs(weight).max()
        return cls(weight[kept], multiplicity[kept], direction[kept])

    def positive(self, effect: float) -> float:
        """P(form > 0)."""
        size = np.abs(self.weight)
        ncp = self.direction * effect
        far = float(np.linalg.norm(ncp))
        ncp, far = (ncp * FAR / far, FAR) if far > FAR else (ncp, far)
        step = min(STEP, 1 / (1 + far))
        x = np.arange(-REACH - np.log(size.max()), REACH - np.log(size.min()), step)
        phase, log_modulus = np.zeros_like(x), np.zeros_like(x)
        u = np.exp(x)
        for weight, multiplicity, shift in zip(self.weight, self.multiplicity, ncp**2, strict=True):
            wu = weight * u
            square = wu**2
            phase += multiplicity * np.arctan(wu) + shift * wu / (1 + square)
            log_modulus += multiplicity * np.log1p(square) / 2 + shift * square / (1 + square)
        total = (np.sin(phase / 2) * np.exp(-log_modulus / 2)).sum() * step
        return float(np.clip(0.5 + total / np.pi, 0, 1))
