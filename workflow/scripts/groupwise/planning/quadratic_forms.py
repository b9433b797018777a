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

LINEAR = 1e-8
"""The square of this is rounding beside 1."""

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
        root, mean = _root(cov)
        weight, turn = np.linalg.eigh((root.T * sign) @ root)
        direction = turn.T @ mean
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
        share = self.direction**2 / max(float(self.direction @ self.direction), TINY)
        # Where all weights times u are small: arctan x = x, log(1 + x^2) = x^2.
        powers = np.stack([u, u**2])
        central = np.array(
            [self.weight @ self.multiplicity, self.weight**2 @ self.multiplicity / 2]
        )
        central = central[:, None] * powers
        slope = np.array([self.weight @ share, self.weight**2 @ share])[:, None] * powers
        large = slice(int(np.searchsorted(u, LINEAR / size.max())), None)
        u, central[:, large], slope[:, large] = u[large], 0, 0
        for weight, multiplicity, part in zip(self.weight, self.multiplicity, share, strict=True):
            wu = weight * u
            square = wu**2
            central[0, large] += multiplicity * np.arctan(wu)
            central[1, large] += multiplicity * np.log1p(square) / 2
            if part:
                slope[0, large] += part * wu / (1 + square)
                slope[1, large] += part * square / (1 + square)
        return Integrand(central, slope)


def _root(cov: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of a covariance (d, d) of rank r: F (d, r), cov = F F', and m (r,), F m the first unit vector.

    Cholesky's, with pivots (Higham 1990, in Reliable Numerical Computation, 161-185). The first element
    varies by itself, so that there is such a vector.
    """
    from scipy.linalg import lapack, solve_triangular

    factor, pivot, rank, _ = lapack.dpstrf(cov, tol=NEGLIGIBLE * cov.diagonal().max(), lower=1)
    factor, order = np.tril(factor[:, :rank]), pivot - 1
    first = (order == 0).astype(float)[:rank]
    root = np.empty_like(factor)
    root[order] = factor
    return root, solve_triangular(factor[:rank], first, lower=True)


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
