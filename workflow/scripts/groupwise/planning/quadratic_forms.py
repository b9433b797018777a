"""The probability that an indefinite quadratic form of normal variables is positive.

Imhof (1961, Biometrika 48, 419-426) inverts the characteristic function by one integral. In the
logarithm of its variable the integrand is analytic in a strip and dies off at both ends, so that
the trapezoidal rule with a fixed step is accurate to rounding.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

NEGLIGIBLE = 1e-13
"""An eigenvalue this small, relative to the largest, is rounding."""

REACH = 40.0
"""The integrand falls by a factor e per unit of the logarithm, at least, outside the weights' range."""

STEP = 0.1

SMALLEST = 46.0
"""An integrand below the exponential of minus this is rounding."""

ALIKE = 1e-13
"""Weights that differ by no more than this share of the largest are one."""

FAR = 3000.0
"""Noncentralities, in sds, beyond which nothing is distinguished."""


TINY = np.finfo(float).tiny


@dataclass(frozen=True)
class Integrand:
    """The integrand at steps of the logarithm of u: phase and twice the logarithm of the modulus (2, u).

    `central` without an effect, and `slope`, what a noncentrality of 1 adds in all.
    """

    central: np.ndarray
    slope: np.ndarray


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
        return cls(*_distinct(weight[kept], multiplicity[kept], direction[kept]))

    def positive(self, effect: float) -> float:
        """P(form > 0)."""
        ncp = self.direction * effect
        far = float(np.linalg.norm(ncp))
        ncp, far = (ncp * FAR / far, FAR) if far > FAR else (ncp, far)
        step = min(STEP, 1 / (1 + far))
        grid = self._usual if step == STEP else self._grid(step)
        phase, log_modulus = grid.central + (ncp @ ncp) * grid.slope
        total = (np.sin(phase / 2) * np.exp(-log_modulus / 2)).sum() * step
        return float(np.clip(0.5 + total / np.pi, 0, 1))

    @cached_property
    def _usual(self) -> Integrand:
        return self._grid(STEP)

    def _grid(self, step: float) -> Integrand:
        size = np.abs(self.weight)
        start, end = -REACH - np.log(size.max()), REACH - np.log(size.min())
        coarse = np.arange(start, end, 1.0)
        squares = (self.weight[:, None] * np.exp(coarse)) ** 2
        small = self.multiplicity @ np.log1p(squares) > 4 * SMALLEST
        end = min(end, coarse[small].min(initial=end))  # the modulus falls with u
        u = np.exp(np.arange(start, end, step))
        central, slope = np.zeros((2, len(u))), np.zeros((2, len(u)))
        share = self.direction**2 / max(float(self.direction @ self.direction), TINY)
        for weight, multiplicity, part in zip(self.weight, self.multiplicity, share, strict=True):
            wu = weight * u
            square = wu**2
            central[0] += multiplicity * np.arctan(wu)
            central[1] += multiplicity * np.log1p(square) / 2
            if part:
                slope[0] += part * wu / (1 + square)
                slope[1] += part * square / (1 + square)
        return Integrand(central, slope)


def _distinct(
    weight: np.ndarray, multiplicity: np.ndarray, direction: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The weights, ascending, of which none are alike: multiplicities and noncentralities add up."""
    order = np.argsort(weight, kind="stable")
    new = np.diff(weight[order], prepend=-np.inf) > ALIKE * np.abs(weight).max()
    which = np.empty(len(order), dtype=int)
    which[order] = np.cumsum(new) - 1
    count = np.bincount(which, multiplicity)
    mean = np.bincount(which, weight * multiplicity) / count
    return mean, count, np.sqrt(np.bincount(which, direction**2))
