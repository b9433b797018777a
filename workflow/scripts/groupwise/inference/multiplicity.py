"""P-values and intervals that allow for comparing several arms: Holm, and Tukey-Kramer.

The studentized range of k means with df degrees of freedom is W / S: the range W of k standard
normal values, over an independent S with df S^2 chi-squared. Its upper tail is the mean of W's at
q S, here the trapezoidal rule over log S, which converges fast for such smooth integrands.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd
from numpy.polynomial import chebyshev, legendre
from scipy import special

from groupwise.tidy import Inference

ADJUSTMENTS = ("none", "holm", "tukey")

WIDEST = 16.0
"""Normal values do not spread this far: even of 100, with probability 1e-26."""

NODES = 192
"""Number of nodes of the quadrature over log S."""

AT_ONCE = 20_000
"""Tail probabilities computed together, so that the arrays stay small."""


@dataclass(frozen=True)
class Adjusted:
    """P-values and simultaneous intervals of all contrasts, shape (..., k)."""

    p_value: np.ndarray
    conf_low: np.ndarray
    conf_high: np.ndarray


def adjust(inference: Inference, n_arms: int) -> dict[str, Adjusted]:
    """The p-values and intervals of pairwise contrasts by every one of `ADJUSTMENTS`.

    Holm multiplies the p-values whatever they come from. It has no intervals of its own: they are
    Bonferroni's, which cover simultaneously (emmeans does the same) but may hold 0 where Holm
    rejects. Tukey-Kramer and these intervals need t statistics: with df NaN (randomisation,
    bootstrap) they are NaN.

    Parameters
    ----------
    inference : arrays of shape (..., k), the pairwise contrasts of `n_arms` arms
    """
    k = np.isfinite(inference.p_value).sum(axis=-1, keepdims=True)
    tail = (1 - inference.conf_level) / 2 / np.maximum(k, 1)
    bonferroni = -special.stdtrit(inference.df, tail)
    tukey = range_isf(1 - inference.conf_level, n_arms, inference.df) / np.sqrt(2)
    return {
        "none": Adjusted(inference.p_value, inference.conf_low, inference.conf_high),
        "holm": Adjusted(holm(inference.p_value), *_interval(inference, bonferroni)),
        "tukey": Adjusted(
            range_sf(np.abs(inference.statistic) * np.sqrt(2), n_arms, inference.df),
            *_interval(inference, tukey),
        ),
    }


def adjusted(inference: Inference, n_arms: int) -> pd.DataFrame:
    """`adjust` as a table for k contrasts.

    Returns
    -------
    DataFrame
        A row for each adjustment and contrast: `adjustment`, `contrast` (its number), `p_value`,
        `conf_low`, `conf_high`.
    """
    tables = [
        pd.DataFrame(
            {"adjustment": name, "contrast": np.arange(len(columns.p_value))} | vars(columns),
        )
        for name, columns in adjust(inference, n_arms).items()
    ]
    return pd.concat(tables, ignore_index=True)


def holm(p_value: np.ndarray) -> np.ndarray:
    """Step-down Bonferroni (Holm 1979) along the last axis, shape (..., k); NaN is left out."""
    order = np.argsort(p_value, axis=-1)
    p = np.take_along_axis(p_value, order, axis=-1)
    multiplier = np.isfinite(p).sum(axis=-1, keepdims=True) - np.arange(p.shape[-1])
    stepped = np.minimum(
        np.maximum.accumulate(np.where(np.isnan(p), 0, multiplier * p), axis=-1), 1
    )
    adjusted_p = np.empty_like(p)
    np.put_along_axis(adjusted_p, order, np.where(np.isnan(p), np.nan, stepped), axis=-1)
    return adjusted_p


def range_sf(q: np.ndarray, n_arms: int, df: np.ndarray) -> np.ndarray:
    """P(studentized range > q); `q` and `df` (infinite: normal) broadcast, absolute error 1e-10."""
    q, df = np.broadcast_arrays(np.asarray(q, dtype=float), np.asarray(df, dtype=float))
    flat_q, flat_df = q.ravel(), df.ravel()
    tail = np.full(flat_q.shape, np.nan)
    normal = np.isposinf(flat_df) & ~np.isnan(flat_q)
    tail[normal] = _normal_range_sf(flat_q[normal], n_arms)
    t = np.flatnonzero(np.isfinite(flat_df) & (flat_df > 0) & ~np.isnan(flat_q))
    for part in np.array_split(t, max(1, -(-len(t) // AT_ONCE))):
        tail[part] = _finite_df_sf(flat_q[part], n_arms, flat_df[part])
    return tail.reshape(q.shape)


def range_isf(p: float, n_arms: int, df: np.ndarray) -> np.ndarray:
    """The q that the studentized range exceeds with probability p; NaN where `df` is.

    Between the critical values of one pair alone and of Bonferroni's inequality.
    """
    df = np.asarray(df, dtype=float)
    quantile, valid = np.full(df.shape, np.nan), df > 0
    if not valid.any():
        return quantile
    from scipy.optimize import elementwise  # slow to load, and needed by searches alone

    unique, where = np.unique(df[valid], return_inverse=True)
    pairs = n_arms * (n_arms - 1) / 2
    low = -0.999 * np.sqrt(2) * special.stdtrit(unique, p / 2)
    high = -1.001 * np.sqrt(2) * special.stdtrit(unique, p / 2 / pairs)
    root = elementwise.find_root(
        lambda q, each: range_sf(q, n_arms, each) - p,
        (low, high),
        args=(unique,),
        tolerances={"xrtol": 1e-12, "fatol": 1e-14},
    )
    quantile[valid] = root.x[where]
    return quantile


def _interval(inference: Inference, critical: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    half = critical * inference.std_error
    return inference.estimate - half, inference.estimate + half


def _finite_df_sf(q: np.ndarray, n_arms: int, df: np.ndarray) -> np.ndarray:
    """Mean over S of the upper tail of the normal range at q S; q and df have shape (c,).

    With x = log S the density is proportional to exp(df (x - exp(2 x) / 2)); it is cut where
    chi-squared leaves 1e-16 below and above, and its constant is the sum of its values.
    """
    least = 2 * special.gammaincinv(df / 2, 1e-16) / df  # rounds to 0 where df is tiny
    low = np.log(np.maximum(least, np.finfo(float).tiny)) / 2
    high = np.log(2 * special.gammainccinv(df / 2, 1e-16) / df) / 2
    x = low[:, None] + (high - low)[:, None] * np.linspace(0, 1, NODES)
    density = np.exp(df[:, None] * (x - np.expm1(2 * x) / 2))
    tail = _normal_range_sf(q[:, None] * np.exp(x), n_arms)
    mean_tail: np.ndarray = (density * tail).sum(axis=1) / density.sum(axis=1)
    return mean_tail


def _normal_range_sf(w: np.ndarray, n_arms: int) -> np.ndarray:
    """P(range of `n_arms` standard normal values > w)."""
    scaled = 2 * np.clip(w, 0, WIDEST) / WIDEST - 1
    return np.clip(chebyshev.chebval(scaled, _tail_series(n_arms)), 0, 1)


@lru_cache(maxsize=32)
def _tail_series(n_arms: int) -> np.ndarray:
    """Chebyshev coefficients on [0, WIDEST] of the upper tail of the range of normal values."""
    degree = 120
    w = WIDEST * (chebyshev.chebpts1(degree + 1) + 1) / 2
    series = chebyshev.chebfit(2 * w / WIDEST - 1, _tail_by_quadrature(w, n_arms), degree)
    return chebyshev.chebtrim(series, 1e-15)


def _tail_by_quadrature(w: np.ndarray, k: int) -> np.ndarray:
    """P(range > w) = k int phi(z) [Phi(z)^(k-1) - (Phi(z) - Phi(z - w))^(k-1)] dz, z the largest."""
    node, weight = legendre.leggauss(256)
    z, weight = 10 * node, 10 * weight
    below, within = special.ndtr(z), special.ndtr(z) - special.ndtr(z - w[:, None])
    density = weight * np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    tail: np.ndarray = k * (below ** (k - 1) - within ** (k - 1)) @ density
    return tail
