"""Minimisation of smooth functions of a few parameters with exact derivatives, many at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

MAX_ITERATIONS = 200
MOST_HALVINGS = 40
LARGEST_STEP = 2.0
"""No element moves further at once, or than the largest is from 0."""

AWAY = 0.05
"""Length of a step away from a saddle point."""

FLAT = 1e-10
"""A direction with this little curvature, relative to the largest, is not followed."""

ENOUGH = 0.1
"""Share of what it promises that a step has to gain. Criteria are even in a sd: with less, a step from
one side of 0 to the same place on the other is good enough, and so is the step back."""

CLOSE = 1e-8
"""Newton steps that promise to gain less than this many units of deviance are near the minimum,
where convergence is quadratic: two more reach rounding error."""

LAST = 1e-11
"""A step that promises so little is the last: where it ends the next would be rounding error."""


@dataclass(frozen=True)
class Slopes:
    """Value (B,), gradient (B, k) and Hessian (B, k, k) of B functions."""

    value: np.ndarray
    gradient: np.ndarray
    hessian: np.ndarray

    def take(self, which: np.ndarray) -> Slopes:
        return Slopes(*(each[which] for each in vars(self).values()))

    def put(self, which: np.ndarray, others: Slopes) -> None:
        for name, values in vars(self).items():
            values[which] = getattr(others, name)


Function = Callable[[np.ndarray, np.ndarray], Slopes]
"""Value and derivatives of the functions with these indices (b,) at x (b, k)."""


@dataclass(frozen=True)
class Minima:
    """Where the search of B minima stopped; `decrement` (B,) is what a further step promises to gain.

    `x` (B, k), `at` the function there, `iterations` (B,).
    """

    x: np.ndarray
    at: Slopes
    decrement: np.ndarray
    iterations: np.ndarray

    @property
    def value(self) -> np.ndarray:
        return self.at.value

    @property
    def min_curvature(self) -> np.ndarray:
        """(B,) the smallest eigenvalue of the Hessian, relative to the largest."""
        return relative_curvature(self.at.hessian)

    @property
    def converged(self) -> np.ndarray:
        near = (self.decrement <= CLOSE) & np.isfinite(self.value)
        return near & (self.min_curvature >= -1e-6)

    def take(self, which: np.ndarray) -> Minima:
        return Minima(
            self.x[which], self.at.take(which), self.decrement[which], self.iterations[which]
        )

    def put(self, which: np.ndarray, others: Minima) -> None:
        self.x[which], self.decrement[which] = others.x, others.decrement
        self.iterations[which] = others.iterations
        self.at.put(which, others.at)

    @classmethod
    def joined(cls, parts: list[Minima]) -> Minima:
        """The batches `parts`, concatenated along the first axis."""
        if len(parts) == 1:
            return parts[0]
        at = Slopes(
            *(
                np.concatenate([getattr(part.at, name) for part in parts])
                for name in ("value", "gradient", "hessian")
            )
        )
        return cls(
            np.concatenate([part.x for part in parts]),
            at,
            np.concatenate([part.decrement for part in parts]),
            np.concatenate([part.iterations for part in parts]),
        )


def relative_curvature(hessian: np.ndarray) -> np.ndarray:
    """(B,) smallest eigenvalues of (B, k, k), relative to the largest in size."""
    values = np.linalg.eigvalsh(_finite(hessian))
    largest = np.maximum(np.abs(values).max(axis=-1), np.finfo(float).tiny)
    return np.asarray(values[:, 0] / largest)


def minimise(function: Function, start: np.ndarray) -> Minima:
    """Newton's method that turns away from saddle points, with backtracking; start (B, k).

    Of x + step, x + step / 2, ... the first that gains enough is taken; near the minimum what a
    step gains is lost in rounding, and it need only be no worse.
    """
    B = len(start)
    minima = Minima(
        start.copy(), function(np.arange(B), start), np.empty(B), np.zeros(B, dtype=int)
    )
    step, halvings = newton_steps(minima.x, minima.at), np.zeros(B, dtype=int)
    minima.decrement[:] = promised(minima.at, step)
    n_close = (minima.decrement <= CLOSE).astype(int)
    active = np.flatnonzero(np.isfinite(minima.value))
    while len(active):
        shorter = step[active] / 2.0 ** halvings[active, None]
        x = minima.x[active] + shorter
        trial = function(active, x)
        moves = trial.value <= minima.value[active] + _slack(minima.take(active), shorter)
        moved, stuck = active[moves], active[~moves]
        finished = minima.decrement <= LAST
        halvings[stuck] += 1
        finished[stuck] = halvings[stuck] >= MOST_HALVINGS
        minima.x[moved], halvings[moved] = x[moves], 0
        minima.at.put(moved, trial.take(moves))
        minima.iterations[moved] += 1
        at = minima.at.take(moved)
        step[moved] = newton_steps(x[moves], at)
        minima.decrement[moved] = promised(at, step[moved])
        n_close[moved] = np.where(minima.decrement[moved] <= CLOSE, n_close[moved] + 1, 0)
        finished |= (n_close > 2) | (minima.iterations >= MAX_ITERATIONS)
        active = active[~finished[active]]
    return minima


def _slack(minima: Minima, step: np.ndarray) -> np.ndarray:
    """(B,) largest change of value at which a step is accepted; negative: what it has to gain."""
    rounding = 1e-13 * (1 + np.abs(minima.value))
    return np.where(minima.decrement <= CLOSE, rounding, -ENOUGH * promised(minima.at, step))


def promised(at: Slopes, step: np.ndarray) -> np.ndarray:
    """(B,) decrease of the functions by steps (B, k), to second order."""
    slope = np.einsum("bi,bi->b", _gradient(at), step)
    curvature = np.einsum("bi,bij,bj->b", step, _finite(at.hessian), step)
    return np.asarray(-slope - 0.5 * curvature)


def _gradient(at: Slopes) -> np.ndarray:
    return np.where(np.isfinite(at.gradient), at.gradient, 0.0)


def newton_steps(x: np.ndarray, at: Slopes) -> np.ndarray:
    """-|H|^-1 g (B, k): downhill whatever the signs of the curvatures.

    Along negative curvature it has some length even where the gradient is 0, at a saddle point.
    """
    values, vectors = np.linalg.eigh(_finite(at.hessian))
    size = np.abs(values)
    follow = size > FLAT * size.max(axis=1, keepdims=True)
    slope = np.einsum("bij,bi->bj", vectors, _gradient(at))
    length = np.where(follow, -slope / np.where(follow, size, 1.0), 0.0)
    away = follow & (values < 0) & (np.abs(length) < AWAY)
    step = np.einsum("bij,bj->bi", vectors, np.where(away, np.copysign(AWAY, length), length))
    most = np.maximum(LARGEST_STEP, np.abs(x).max(axis=1))
    return np.asarray(step / np.maximum(1.0, np.abs(step).max(axis=1) / most)[:, None])


def _finite(hessian: np.ndarray) -> np.ndarray:
    """Matrices (B, k, k) with the identity in place of those that are not finite."""
    ok = np.isfinite(hessian).all(axis=(-1, -2), keepdims=True)
    return np.where(ok, hessian, np.eye(hessian.shape[-1]))
