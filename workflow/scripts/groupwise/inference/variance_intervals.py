"""Intervals for the standard deviations of a random-intercept model."""

from __future__ import annotations

import numpy as np
from scipy import stats

from groupwise.models.mixed import GroupSums, Variances, gls


def sd_intervals(
    sums: GroupSums, variances: Variances, *, conf_level: float
) -> dict[str, tuple[float, float]]:
    """Wald intervals on the log scale from the curvature of the REML likelihood.

    The approximation of nlme's `intervals` (Pinheiro and Bates 2000, section 2.4.3). A variance
    on the boundary has no curvature in its logarithm: its interval is NaN.
    """
    names = [name for name in ("group", "block", "residual") if getattr(variances, name) > 0]
    centre = np.log(np.sqrt([getattr(variances, name) for name in names]))

    def loglik(log_sd: np.ndarray) -> float:
        given = dict.fromkeys(("group", "block", "residual"), 0.0)
        given |= dict(zip(names, np.exp(2 * log_sd), strict=True))
        return gls(sums, Variances(**given)).loglik_reml

    information = -_hessian(loglik, centre)
    intervals = dict.fromkeys(("group", "block", "residual"), (np.nan, np.nan))
    if np.all(np.linalg.eigvalsh(information) > 0):
        half = stats.norm.ppf(0.5 + conf_level / 2) * np.sqrt(np.diag(np.linalg.inv(information)))
        with np.errstate(over="ignore"):  # an interval without an upper end
            low, high = np.exp(centre - half), np.exp(centre + half)
        intervals |= {n: (float(a), float(b)) for n, a, b in zip(names, low, high, strict=True)}
    return intervals


def _hessian(f, x: np.ndarray, step: float = 1e-3) -> np.ndarray:  # type: ignore[no-untyped-def]
    """Second derivatives by central differences, shape (k, k)."""
    k = len(x)
    steps = step * np.eye(k)
    H = np.empty((k, k))
    for i in range(k):
        for j in range(i, k):
            a, b = steps[i], steps[j]
            H[i, j] = H[j, i] = (f(x + a + b) - f(x + a - b) - f(x - a + b) + f(x - a - b)) / (
                4 * step**2
            )
    return H
