"""Tails of the noncentral F, and averages over a beta distribution.

A two-sided t test is an F test with one numerator df. The noncentral F is a Poisson mixture of
central ones (Johnson, Kotz and Balakrishnan 1995, ch. 30): a sum of positive terms, so that no
noncentrality, however large, costs digits.
"""

from __future__ import annotations

import numpy as np
from scipy import linalg, special

REACH = 12
"""Sds of the Poisson distribution on either side of its mean that are summed."""

MOST_TERMS = 20_000
"""Beyond so many terms every second one, or every third, stands for its neighbours."""

NODES = 24


def noncentral_f_sf(f: float, df_num: float, df_den: float, noncentrality: float) -> float:
    """P(F > f) for F with these df and noncentrality; `df_den` infinite is chi-squared / df_num."""
    if not np.isfinite([f, df_num, noncentrality]).all() or np.isnan(df_den):
        return np.nan
    j, weight = _poisson(noncentrality / 2)
    if np.isinf(df_den):
        tails = special.gammaincc(df_num / 2 + j, df_num * f / 2)
    else:
        share = df_den / (df_num * f + df_den)  # 1 - x, without cancellation
        tails = special.betainc(df_den / 2, df_num / 2 + j, share)
    return float(weight @ tails)


def two_sided_power(ncp: float, critical: float, df: float) -> float:
    """P(|T| > critical) for T noncentral t; `df` infinite is the normal."""
    return noncentral_f_sf(critical**2, 1, df, ncp**2)


def beta_nodes(a: float, b: float) -> tuple[np.ndarray, np.ndarray]:
    """Nodes in (0, 1) and weights that average polynomials over Beta(a, b) exactly.

    Golub and Welsch (1969) with the weights' sum known to be 1, which no large parameter overflows;
    Beta(a, 0) is the constant 1.
    """
    if b == 0:
        return np.ones(1), np.ones(1)
    alpha, beta, k = b - 1, a - 1, np.arange(NODES)
    total = 2 * k + alpha + beta
    with np.errstate(divide="ignore", invalid="ignore"):
        diagonal = (beta**2 - alpha**2) / (total * (total + 2))
    diagonal[0] = (beta - alpha) / (alpha + beta + 2)
    k, total = k[1:], total[1:]
    squares = 4 * k * (k + alpha) * (k + beta) / (total**2 * (total + 1))
    # k + alpha + beta and total - 1 cancel at k = 1, where both may be 0.
    squares[1:] *= (k[1:] + alpha + beta) / (total[1:] - 1)
    nodes, vectors = linalg.eigh_tridiagonal(diagonal, np.sqrt(squares))
    return (1 + nodes) / 2, vectors[0] ** 2


def critical_f(level: float, df_num: float, df_den: float) -> float:
    """The value that F exceeds with probability `level`; NaN where the df are unknown."""
    if np.isinf(df_den):
        return float(special.chdtri(df_num, level)) / df_num
    return float(special.fdtri(df_num, df_den, 1 - level))


def _poisson(mean: float) -> tuple[np.ndarray, np.ndarray]:
    """Counts that carry the Poisson distribution, and their probabilities."""
    half = REACH * np.sqrt(mean) + 40
    low, high = max(0, int(mean - half)), int(mean + half) + 1
    stride = (high - low) // MOST_TERMS + 1
    j = np.arange(low, high + 1, stride, dtype=float)
    log = special.xlogy(j, mean) - special.gammaln(j + 1)
    weight = np.exp(log - log.max())
    return j, weight / weight.sum()
