"""Events, members and time at risk of every group, in each of its arms."""

from __future__ import annotations

import numpy as np
import pandas as pd

from groupwise.effect_words import EffectWords
from groupwise.figures import Tables


def events_by_group(tables: Tables) -> pd.DataFrame:
    """One row per group and arm, ordered by arm and level: events, members, exposure and levels.

    `level` is the share or the rate of events, `arm_level` its mean over the arm's groups.
    """
    roles, arms = tables.design["roles"], list(tables.design["arms"])
    exposure = roles.get("exposure")
    data = pd.DataFrame(
        {
            "arm": tables.data[roles["treatment"]].cat.set_categories(arms, ordered=False),
            "group": tables.data[roles["group"]].astype("category"),
            "events": tables.data[roles["outcome"]].to_numpy(dtype=float),
            "exposure": 1.0 if not exposure else tables.data[exposure].to_numpy(dtype=float),
        }
    )
    by = data.groupby(["arm", "group"], observed=True)
    groups = by.agg(
        events=("events", "sum"), members=("events", "size"), exposure=("exposure", "sum")
    ).reset_index()
    groups["level"] = groups["events"] / groups["exposure"]
    groups = groups.astype({"group": str}).sort_values(["arm", "level", "group"], ignore_index=True)
    groups["arm_level"] = groups.groupby("arm", observed=True)["level"].transform("mean")
    return groups


def chance_limits(
    words: EffectWords, groups: pd.DataFrame, expected: pd.Series, level: float
) -> tuple[np.ndarray, np.ndarray]:
    """Limits of the levels of groups, were each of them as `expected`: binomial, or Poisson.

    `level` is the probability between them, `expected` a risk or a rate.
    """
    from scipy import stats  # slow to load, and needed for data of events alone

    tail = (1 - level) / 2
    if words.response.family == "binary":
        n, p = groups["members"].to_numpy(), np.clip(expected.to_numpy(), 0, 1)
        low, high = (stats.binom.ppf(q, n, p) for q in (tail, 1 - tail))
        return low / n, high / n
    mean = expected.to_numpy() * groups["exposure"].to_numpy()
    low, high = (stats.poisson.ppf(q, mean) for q in (tail, 1 - tail))
    return low / groups["exposure"].to_numpy(), high / groups["exposure"].to_numpy()
