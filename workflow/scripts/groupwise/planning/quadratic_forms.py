"""The probability that an indefinite quadratic form of normal variables is positive.

With M(s) = E exp(s Q) it is 1 / (2 pi i) times the integral of M(s) / s along a path that crosses the
real axis right of 0, or 1 more than that along one that crosses it left of 0, between the poles of M
on either side (Rice 1980, SIAM J. Sci. Stat. Comput. 1, 438-448). The path here crosses at the saddle
point, and is the branch of a hyperbola that bends to where M dies off without turning: along the
straight line, and along the imaginary axis (Imhof 1961), M turns hundreds of times where some weight
has thousands of degrees of freedom. The trapezoidal rule converges geometrically. A form of two weights
is an F test.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from groupwise.planning.noncentral import noncentral_f_sf

NEGLIGIBLE = 1e-13
"""An eigenvalue this small, relative to the largest, is rounding."""

STEP = 0.2
"""The first step of the trapezoidal rule, which is halved until its answer stays."""

SETTLED = 1e-7
"""A relative change, as the step is halved, whose square is rounding: errors are squared each time."""

MOST_HALVINGS = 12
"""One is enough but for noncentralities of hundreds."""

BEND = 0.7
"""The tangent of the angle by which the path bends, in the end, from the imaginary axis."""

AHEAD = np.arange(0.0, 16.0)
"""Where on the two paths M is compared: it is 200 widths away in the end."""

RISE = 4.0
"""The logarithm of how much larger than at the saddle point M may be on the usual path."""

CLOSE = 0.01
"""So near the saddle point, in widths of the integrand there, is near enough."""

END = -39.0
"""The logarithm of a share of the integrand at the saddle point that is rounding."""

PART = 32
"""Steps that are made at least before it is seen whether the integrand has ended."""

ALIKE = 1e-13
"""Weights that differ by no more than this share of the largest are one."""

FAR = 3000.0
"""Noncentralities, in sds, beyond which nothing is distinguished."""


@dataclass(frozen=True)
class Contour:
    """The upper half of a branch of a hyperbola that crosses the real axis upright at `saddle`."""

    saddle: float
    width: float
    bend: float

    def at(self, t: np.ndarray) -> np.ndarray:
        """Its points at t (u,)."""
        turned = self.bend * (np.cosh(t) - 1) + 1j * np.sinh(t)
        return np.asarray(self.saddle + self.width * turned)

    def slope(self, t: np.ndarray) -> np.ndarray:
        """Their derivative in t, over i."""
        return np.asarray(self.width * (np.cosh(t) - 1j * self.bend * np.sinh(t)))


@dataclass(frozen=True)
class QuadraticForm:
    """sum_i weight_i chi^2(multiplicity_i, noncentral (effect * direction_i)^2); arrays (d,).

    One of the weights is positive at most, with multiplicity 1: a squared estimate less its variance.
    """

    weight: np.ndarray
    multiplicity: np.ndarray
    direction: np.ndarray

    @classmethod
    def of(cls, cov: np.ndarray, *, rest: float = 0.0, rest_df: float = 0.0) -> QuadraticForm:
        """w_1^2 - w_2^2 - ... - w_d^2 - rest chi^2(rest_df), for normal w with this covariance (d, d).

        The mean of w is `effect` in its first element and 0 elsewhere.
        """
        root, mean = _root(cov)
        weight, turn = np.linalg.eigh(2 * np.outer(root[0], root[0]) - root.T @ root)
        direction = turn.T @ mean
        multiplicity = np.ones(len(weight))
        if rest_df > 0:
            weight, direction = np.append(weight, -rest), np.append(direction, 0.0)
            multiplicity = np.append(multiplicity, rest_df)
        kept = np.abs(weight) > NEGLIGIBLE * np.abs(weight).max()
        return cls(*_distinct(weight[kept], multiplicity[kept], direction[kept]))

    def positive(self, effect: float) -> float:
        """P(form > 0); NaN for an effect without end, or weights that are not numbers."""
        if not np.isfinite([effect, *self.weight]).all():
            return np.nan
        if not self.weight.min(initial=0) < 0 < self.weight.max(initial=0):
            return float(self.weight.max(initial=0) > 0)
        far = abs(effect) * float(np.linalg.norm(self.direction))
        ncp = (self.direction * effect * min(1.0, FAR / max(far, FAR))) ** 2
        negative, positive = np.argsort(self.weight)[[0, -1]]
        if len(ncp) == 2 and ncp[negative] <= NEGLIGIBLE * ncp[positive]:
            df = float(self.multiplicity[negative])
            f = -self.weight[negative] / self.weight[positive] * df
            return noncentral_f_sf(float(f), 1, df, float(ncp[positive]))
        saddle, width = self._saddle(ncp)
        integral = self._integral(ncp, saddle, width) / np.pi
        return float(np.clip(integral if saddle > 0 else 1 + integral, 0, 1))

    def _slopes(self, s: float, ncp: np.ndarray) -> tuple[float, float]:
        """First and second derivative of log M at a real s."""
        left = 1 - 2 * s * self.weight
        a = self.weight / left
        first = self.multiplicity @ a + ncp @ (a / left)
        return float(first), float(2 * self.multiplicity @ a**2 + 4 * ncp @ (a**2 / left))

    def _saddle(self, ncp: np.ndarray) -> tuple[float, float]:
        """About where log M(s) - log |s| is least between 0 and a pole, and 1 / sqrt(curvature) there.

        On the side of 0 where the probability is the smaller one. Newton, kept inside by bisection.
        """
        mean, variance = self._slopes(0.0, ncp)
        upper = mean < 0
        low, high = (0.0, 0.5 / self.weight.max()) if upper else (0.5 / self.weight.min(), 0.0)
        s = (np.sqrt(mean**2 + 4 * variance) * (1 if upper else -1) - mean) / (2 * variance)
        while True:
            s = s if low < s < high else (low + high) / 2
            first, second = self._slopes(s, ncp)
            first, second = first - 1 / s, second + 1 / s**2
            if abs(first) <= CLOSE * np.sqrt(second):
                return s, 1 / np.sqrt(second)
            low, high = (low, s) if first > 0 else (s, high)
            s -= first / second

    def _integral(self, ncp: np.ndarray, saddle: float, width: float) -> float:
        """The integral of the imaginary part of M(s) / s ds over the upper half of the path."""
        path = Contour(saddle, width, self._bend(ncp, saddle, width))
        end = float(self._log_values(np.zeros(1), path, ncp)[0].real) + END
        step, total = STEP, self._sum(ncp, path, 0.0, STEP, end)
        for _ in range(MOST_HALVINGS):
            halved = total + self._sum(ncp, path, step / 2, step, end)
            if abs(halved / 2 - total) <= SETTLED * abs(halved):
                return halved * step / 2
            step, total = step / 2, halved
        raise ArithmeticError("The probability of a quadratic form does not settle.")

    def _sum(self, ncp: np.ndarray, path: Contour, first: float, step: float, end: float) -> float:
        """The sum of the integrand at first, first + step, ... until its logarithm is below `end`."""
        n, total, start = PART + 256 // len(self.weight), 0.0, 0
        while True:
            t = first + step * np.arange(start, start + n)
            log_values = self._log_values(t, path, ncp)
            kept = _before_end(log_values.real, end)
            values = np.exp(log_values[kept]).real
            total, start = total + float(values @ np.where(t[kept] > 0, 1, 0.5)), start + n
            if not kept.all():
                return total

    def _log_values(self, t: np.ndarray, path: Contour, ncp: np.ndarray) -> np.ndarray:
        """The logarithm of the integrand at t (u,), which is even in t."""
        s = path.at(t)
        return np.asarray(self._log_moments(s, ncp) + np.log(path.slope(t) / s))

    def _bend(self, ncp: np.ndarray, saddle: float, width: float) -> float:
        """`BEND` or its negative: where M is smaller on the way from the saddle point."""
        paths = [Contour(saddle, width, bend).at(AHEAD) for bend in (BEND, -BEND)]
        logs = self._log_moments(np.concatenate(paths), ncp).real.reshape(2, -1)
        right, left = (each[_before_end(each, each[0] + END)].max() for each in logs)
        return BEND if right <= max(left, float(logs[0, 0]) + RISE) else -BEND

    def _log_moments(self, s: np.ndarray, ncp: np.ndarray) -> np.ndarray:
        """log M at complex s (u,), by real logarithms and angles, which are faster than complex ones."""
        real, imaginary = 1 - np.outer(s.real, 2 * self.weight), np.outer(s.imag, -2 * self.weight)
        square = real**2 + imaginary**2
        log_modulus = -np.log(square) @ self.multiplicity / 4
        phase = -np.arctan2(imaginary, real) @ self.multiplicity / 2
        pull = ncp * self.weight
        shift = (real / square) @ pull - 1j * ((imaginary / square) @ pull)
        return np.asarray(log_modulus + 1j * phase + s * shift)


def _before_end(log_size: np.ndarray, end: float) -> np.ndarray:
    """(u,): whether a value and all before it are above what is rounding."""
    return np.asarray(np.logical_and.accumulate(log_size > end))


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
