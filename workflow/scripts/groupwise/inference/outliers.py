"""Predicted group effects, each judged by a spread that it has no part in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Studentised:
    """Predicted effects (G,) as t statistics with `df` degrees of freedom."""

    t: np.ndarray
    df: float


def studentise(blup: np.ndarray, sd_given_beta: np.ndarray, spread: np.ndarray) -> Studentised:
    """Externally studentised BLUPs (Cook and Weisberg 1982, section 2.2.1, on group means).

    A wild group inflates the variance that it is measured by, and masks itself. Left out of the sum
    of squares that the variance rests on, it does not.

    Parameters
    ----------
    blup, spread : (G,)
        Predictions and their sds over outcomes, effects estimated.
    sd_given_beta : (G,)
        Their sds with the fixed effects known: (spread / sd_given_beta)^2 is 1 less the leverage.
    """
    if not np.all(spread > 0):
        return Studentised(np.full(len(blup), np.nan), np.nan)
    df = float(((spread / sd_given_beta) ** 2).sum()) - 1
    internal = blup / spread
    rss = np.maximum(((blup / sd_given_beta) ** 2).sum() - internal**2, np.finfo(float).tiny)
    return Studentised(internal * np.sqrt(df / rss), df)
