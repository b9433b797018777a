"""Bounds of a rate from simulations that may stop after any number of replicates, and what they decide.

A rate r is in doubt as long as the counts do not speak against it: the likelihood of rates on one side
of r, averaged over a beta distribution cut off there, has not grown to 1 / error times that of r. Under
a rate on the other side that ratio is a supermartingale which starts at 1, so whatever the rule by
which one stops it ever gets there with probability `error` at most (Ville 1939; Robbins 1970, Annals
of Mathematical Statistics 41, 1397-1409). So bounds hold for all numbers of replicates together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special

PRIOR = 100.0
"""Replicates that the beta distribution, whose mean is the level, is worth."""

STEPS = 60
"""Bisections of a bound."""


@dataclass(frozen=True)
class Criterion:
    """When a rate of errors is shown to be too high, or not to be.

    Attributes
    ----------
    level : nominal rate
    allowance : a rate up to level + allowance is called too high with probability `error` at most
    tolerance : one of level + tolerance or more is called acceptable with probability `error` at most
    careful : a rate that is shown to be below level - careful is conservative
    error : of a judgement over all numbers of replicates, and over all rates it is made from
    """

    level: float = 0.05
    allowance: float = 0.01
    tolerance: float = 0.025
    careful: float = 0.02
    error: float = 0.001

    def too_high(self, count: np.ndarray, n: np.ndarray, rates: int) -> np.ndarray:
        """Which of several rates, whose number is `rates`, are shown to be above level + allowance."""
        evidence = evidence_above(count, n, self.level + self.allowance, self.level)
        return np.asarray(evidence >= np.log(rates / self.error))

    def acceptable(self, count: np.ndarray, n: np.ndarray) -> np.ndarray:
        """Which are shown to be below level + tolerance.

        A method is acceptable where all its rates are: if one is not, that one decides, so errors
        need not be divided by the number of rates.
        """
        evidence = evidence_below(count, n, self.level + self.tolerance, self.level)
        return np.asarray(evidence >= -np.log(self.error))

    def settled(self, count: np.ndarray, n: np.ndarray, rates: int) -> bool:
        """Whether more replicates can change no judgement of a method with these rates."""
        return bool(self.too_high(count, n, rates).any() or self.acceptable(count, n).all())

    def bounds(self, count: np.ndarray, n: np.ndarray, rates: int) -> tuple[np.ndarray, np.ndarray]:
        """Bounds of the rates above and below which no judgement puts them: those of its errors.

        A lower bound is missed with probability `error` / `rates`, an upper one with `error`.
        """
        low = _bound(evidence_above, count, n, np.log(rates / self.error), self.level)
        high = self.highest(count, n, 1)
        return low, high

    def highest(self, count: np.ndarray, n: np.ndarray, rates: int) -> np.ndarray:
        """Upper bounds of rates, each missed with probability `error` / `rates`."""
        return _bound(evidence_below, count, n, np.log(rates / self.error), self.level)


def evidence_below(
    count: np.ndarray, n: np.ndarray, rate: np.ndarray | float, level: float
) -> np.ndarray:
    """Logarithm of the likelihood of rates below `rate`, averaged, over that of `rate` itself."""
    a, b = PRIOR * level + count, PRIOR * (1 - level) + n - count
    inside = _log_below(a, b, rate) - _log_below(PRIOR * level, PRIOR * (1 - level), rate)
    return np.asarray(inside - special.xlogy(count, rate) - special.xlog1py(n - count, -rate))


def evidence_above(
    count: np.ndarray, n: np.ndarray, rate: np.ndarray | float, level: float
) -> np.ndarray:
    """The same of rates above `rate`."""
    return evidence_below(n - count, n, 1 - np.asarray(rate), 1 - level)


def _log_below(
    a: np.ndarray | float, b: np.ndarray | float, rate: np.ndarray | float
) -> np.ndarray:
    """Logarithm of the integral of x^(a - 1) (1 - x)^(b - 1) from 0 to `rate`."""
    with np.errstate(divide="ignore"):
        return np.asarray(special.betaln(a, b) + np.log(special.betainc(a, b, rate)))


def _bound(
    evidence: Any, count: np.ndarray, n: np.ndarray, limit: float, level: float
) -> np.ndarray:
    """The rate between count / n and 0 (or 1) at which the evidence reaches its limit, by bisection."""
    count, n = np.broadcast_arrays(np.asarray(count, dtype=float), np.asarray(n, dtype=float))
    with np.errstate(divide="ignore", invalid="ignore"):
        inside = np.where(n > 0, count / n, level)
    outside = np.full(n.shape, 0.0 if evidence is evidence_above else 1.0)
    for _ in range(STEPS):
        middle = (inside + outside) / 2
        with np.errstate(invalid="ignore"):
            beyond = evidence(count, n, middle, level) >= limit
        inside, outside = np.where(beyond, inside, middle), np.where(beyond, middle, outside)
    return np.asarray(outside)
