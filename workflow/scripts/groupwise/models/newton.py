"""Minimisation of a smooth function of a few parameters with exact derivatives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

MAX_ITERATIONS = 200
LARGEST_STEP = 2.0
"""No element moves further at once, or than the largest is from 0."""

AWAY = 0.05
"""Length of a step away from a saddle point."""

FLAT = 1e-10
"""A direction with this little curvature, relative to the largest, is not followed."""

CLOSE = 1e-8
"""Newton steps that promise to gain less than this many units of deviance are near the minimum,
where convergence is quadratic: two more reach rounding error."""


class Slope(Protocol):
    """Value, gradient (k,) and Hessian (k, k)."""

    @property
    def value(self) -> float: ...
    @property
    def gradient(self) -> np.ndarray: ...
    @property
    def hessian(self) -> np.ndarray: ...


@dataclass(frozen=True)
class Minimum:
    """Where Newton's method stopped; `decrement` is what a further step promises to gain."""

    x: np.ndarray
    value: float
    gradient: np.ndarray
    hessian: np.ndarray
    decrement: float
    iterations: int

    @property
    def min_curvature(self) -> float:
        """The smallest eigenvalue of the Hessian, relative to the largest."""
        values = np.linalg.eigvalsh(self.hessian)
        return float(values[0] / max(np.abs(values).max(), np.finfo(float).tiny))

    @property
    def converged(self) -> bool:
        return self.decrement <= CLOSE and self.min_curvature >= -1e-6


def minimise(slopes: Callable[[np.ndarray], Slope], start: np.ndarray) -> Minimum:
    """Newton's method that turns away from saddle points, with backtracking."""
    x, at, close = start, slopes(start), 0
    for iteration in range(MAX_ITERATIONS):
        step = newton_step(at.gradient, at.hessian)
        step = step / max(1.0, np.abs(step).max() / max(LARGEST_STEP, np.abs(x).max()))
        decrement = float(-at.gradient @ step - 0.5 * step @ at.hessian @ step)
        found = Minimum(x, at.value, at.gradient, at.hessian, decrement, iteration)
        close = close + 1 if decrement <= CLOSE else 0
        moved = _backtrack(slopes, found, step) if close <= 2 else None
        if moved is None:
            break
        x, at = moved
    return found


def newton_step(gradient: np.ndarray, hessian: np.ndarray) -> np.ndarray:
    """-|H|^-1 g: downhill whatever the signs of the curvatures.

    Along negative curvature it has some length even where the gradient is 0, at a saddle point.
    """
    values, vectors = np.linalg.eigh(hessian)
    size = np.abs(values)
    follow = size > FLAT * size.max()
    values, along = values[follow], vectors[:, follow]
    length = -(along.T @ gradient) / np.abs(values)
    away = (values < 0) & (np.abs(length) < AWAY)
    step: np.ndarray = along @ np.where(away, np.copysign(AWAY, length), length)
    return step


def _backtrack(
    slopes: Callable[[np.ndarray], Slope], here: Minimum, step: np.ndarray
) -> tuple[np.ndarray, Slope] | None:
    """The first of x + step, x + step / 2, ... that gains enough; None where nothing does.

    Near the minimum what a step gains is lost in rounding, and it need only be no worse.
    """
    rounding = 1e-13 * (1 + abs(here.value)) if here.decrement <= CLOSE else 0.0
    for halving in range(40):
        enough = 1e-4 * here.decrement / 2**halving
        x = here.x + step / 2**halving
        at = slopes(x)
        if at.value <= here.value + (rounding or -enough):
            return x, at
    return None
