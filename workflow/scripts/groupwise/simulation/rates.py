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
    careful
        A rate that is shown to be below level - careful is conservative; up to level - careful -
        allowance it is simulated until that is shown.
    error : of a judgement over all numbers of replicates, and over all rates it is made from
    """

    level: float = 0.05
    allowance: float = 0.01
    tolerance: float = 0.025
    careful: float = 0.02
    error: float = 0.001

    @property
    def most_valid(self) -> float:
        """The highest rate that is not called too high."""
        return self.level + self.allowance

    @property
    def least_invalid(self) -> float:
        """The lowest rate that is not called acceptable."""
        return self.level + self.tolerance

    @property
    def conservative_below(self) -> float:
        """The rate below which a method is conservative."""
        return self.level - self.careful

    def too_high(self, count: np.ndarray, n: np.ndarray, rates: int) -> np.ndarray:
        """Which of several rates, whose number is `rates`, are shown to be above level + allowance."""
        evidence = evidence_above(count, n, self.most_valid, self.level)
        return np.asarray(evidence >= np.log(rates / self.error))

    def acceptable(self, count: np.ndarray, n: np.ndarray) -> np.ndarray:
        """Which are shown to be below level + tolerance.

        A method is acceptable where all its rates are: if one is not, that one decides, so errors
        need not be divided by the number of rates.
        """
        evidence = evidence_below(count, n, self.least_invalid, self.level)
        return np.asarray(evidence >= -np.log(self.error))

    def conservative(self, count: np.ndarray, n: np.ndarray, rates: int) -> np.ndarray:
        """Which of several rates, whose number is `rates`, are shown to be below level - careful."""
        evidence = evidence_below(count, n, self.conservative_below, self.level)
        return np.asarray(evidence >= np.log(rates / self.error))

    def not_conservative(self, count: np.ndarray, n: np.ndarray) -> np.ndarray:
        """Which are shown to be above level - careful - allowance."""
        least = self.conservative_below - self.allowance
        if least <= 0:
            return np.full(np.shape(count), True)
        return np.asarray(evidence_above(count, n, least, self.level) >= -np.log(self.error))

    def settled(self, count: np.ndarray, n: np.ndarray, rates: int) -> bool:
        """Whether these rates are done with: one is too high; or all are acceptable, and it is
        shown whether one of them is conservative.
        """
        if self.too_high(count, n, rates).any():
            return True
        careful = self.conservative(count, n, rates).any()
        return bool(
            self.acceptable(count, n).all() and (careful or self.not_conservative(count, n).all())
        )

    def bounds(
        self, count: np.ndarray, n: np.ndarray, rates: int | np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Bounds of the rates above and below which no judgement puts them: those of its errors.

        `rates` is the number of rates that each is judged with. A lower bound is missed with
        probability `error` / `rates`, an upper one with `error`.
        """
        low = _bound(evidence_above, count, n, np.log(rates / self.error), self.level)
        high = self.highest(count, n, 1)
        return low, high

    def highest(self, count: np.ndarray, n: np.ndarray, rates: int) -> np.ndarray:
        """Upper bounds of rates, each missed with probability `error` / `rates`."""
        return _bound(evidence_below, count, n, np.log(rates / self.error), self.level)


def criterion_at(
    level: float,
    *,
    allowance: float = Criterion.allowance,
    tolerance: float = Criterion.tolerance,
    careful: float = Criterion.careful,
    error: float = Criterion.error,
) -> Criterion:
    """The criterion at a level, from thresholds for a level of .05, which are in proportion to it."""
    share = level / Criterion.level
    return Criterion(level, share * allowance, share * tolerance, share * careful, error)


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
    evidence: Any, count: np.ndarray, n: np.ndarray, limit: float | np.ndarray, level: float
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
