"""Whether some arms lost more values than others: what is missing by arm, compared over groups."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import special

from groupwise.algebra import pivoted_rank
from groupwise.diagnostics.checks import LEVEL
from groupwise.diagnostics.finding import Check


def differential_missingness(counts: pd.DataFrame) -> Check:
    """F test that groups of all arms lose the same share of rows, groups counting equally.

    `counts` is `data.ingest.missing_counts`. Where groups hold several arms, arms are compared
    within groups. Rows that miss the arm or the group are in no arm, and not counted.
    """
    rows = counts[counts["role"] == "any"]
    rate = (rows["n_missing"] / rows["n"]).to_numpy()
    if not rate.any():
        return Check(np.nan, np.nan, "ok", "No value is missing in any arm.")
    arm = pd.get_dummies(rows["arm"]).to_numpy(float)
    crossed = rows["group"].duplicated().any()
    within = pd.factorize(rows["group"])[0] if crossed else np.zeros(len(rows), dtype=int)
    statistic, p_value = _f_test(rate, arm, within)
    shares = ", ".join(f"{share:.1%} in '{label}'" for label, share in _shares(rows).items())
    if np.isnan(p_value):
        return Check(np.nan, np.nan, "unknown", f"Rows with a missing value: {shares}.")
    if p_value >= LEVEL:
        end = "the arms do not differ by more than chance would give"
        return Check(statistic, p_value, "ok", f"Rows with a missing value: {shares}; {end}.")
    end = "the arms differ, so the complete rows may not be comparable"
    return Check(statistic, p_value, "look", f"Rows with a missing value: {shares}; {end}.")


def _shares(rows: pd.DataFrame) -> dict[str, float]:
    sums = rows.groupby("arm", sort=False)[["n", "n_missing"]].sum()
    shares: dict[str, float] = (sums["n_missing"] / sums["n"]).to_dict()
    return shares


def _f_test(y: np.ndarray, X: np.ndarray, within: np.ndarray) -> tuple[float, float]:
    """F and p of X (n, q) beside an intercept per level of `within` (n,), which is taken off first.

    NaN where nothing is left to judge by.
    """
    y, X = _centred(y[:, None], within)[:, 0], _centred(X, within)
    if not np.abs(X).max() > 1e-9:
        return np.nan, np.nan
    rank = pivoted_rank(X)[0]
    left = y - X @ np.linalg.lstsq(X, y, rcond=None)[0]
    rss, df = float(left @ left), len(y) - len(np.unique(within)) - rank
    if df < 1 or rss <= 1e-12 * float(y @ y):
        return np.nan, np.nan
    statistic = (float(y @ y) - rss) / rank / (rss / df)
    return float(statistic), float(special.fdtrc(rank, df, statistic))


def _centred(values: np.ndarray, within: np.ndarray) -> np.ndarray:
    size = np.bincount(within)
    means = np.stack([np.bincount(within, weights=v) / size for v in values.T], axis=1)
    centred: np.ndarray = values - means[within]
    return centred
