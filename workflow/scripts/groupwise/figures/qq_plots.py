"""Are the noise and the group effects normal? Quantiles beside those of the normal distribution."""

from __future__ import annotations

import numpy as np
import pandas as pd
from plotnine import aes, facet_wrap, geom_abline, geom_point, ggplot, labs
from scipy import special

from groupwise.data.sampling import counted
from groupwise.effect_words import EffectWords
from groupwise.figures import Figure, Tables
from groupwise.figures.style import (
    MANY_POINTS,
    MUTED,
    OKABE_ITO,
    WIDTH,
    look,
    sentence,
    wrap,
)
from groupwise.words import number

SHOWS_INDIVIDUALS = True
"""Where data are not shared, the archive leaves this figure out."""

NOTHING = "The mixed model could not be fitted: there are 0 residuals to show."

NO_GROUPS = "The mixed model could not be fitted: there are 0 deviations of groups to show."

MOST_QUANTILES = 2_000
"""Of more values so many quantiles are drawn, the extremes among them."""


def draw(tables: Tables) -> Figure:
    """Normal Q-Q plots of standardised residuals and predicted group effects (BLUPs)."""
    group = tables.design["roles"]["group"]
    residuals = tables.results["residuals"]
    residuals = residuals.loc[residuals["method"] == "mixed_wald", "residual"]
    effects = tables.results["random_effects"]
    of_groups = (effects["group"] == group) & (effects["method"] == "mixed_wald")
    effects = effects.loc[of_groups, "estimate"]
    if EffectWords.of(tables.design).response.has_events:
        return _of_groups(tables)
    if residuals.empty:
        return Figure(sentence(NOTHING), WIDTH, 2, NOTHING)
    total = int(tables.design["n_obs"])
    parts = {f"noise: {wrap(counted(len(residuals), total, 'residuals'), 30)}": residuals}
    if effects.std() > 0:
        parts[f"group effects: {len(effects):,} BLUPs"] = effects
    points = pd.concat([_quantiles(v, panel) for panel, v in parts.items()], ignore_index=True)
    points["panel"] = pd.Categorical(points["panel"], categories=list(parts))
    plot = (
        ggplot(points, aes("normal", "observed"))
        + geom_abline(intercept=0, slope=1, color=MUTED, size=0.8)
        + geom_point(
            color=OKABE_ITO[0], size=2.2, alpha=0.6, stroke=0, raster=len(points) > MANY_POINTS
        )
        + facet_wrap("panel", nrow=1)
        + labs(x="normal quantile", y="standardised value")
        + look()
    )
    return Figure(plot, WIDTH, 3.9, _alt(points))


def _of_groups(tables: Tables) -> Figure:
    """Of events: groups' deviations from their arm, each over the standard deviation it should have."""
    group, every = tables.design["roles"]["group"], tables.results["random_effects"]
    of_groups = (every["group"] == group) & (every["method"] == "mixed_wald")
    effects = every[of_groups & (every["term"] == "Intercept")]
    table = tables.results["variance_components"]
    table = table[(table["estimator"] == "reml") & (table["method"] == "mixed_wald")]
    variance = table.drop_duplicates("group").set_index("group")["variance"]
    if effects.empty or variance.empty:
        return Figure(sentence(NO_GROUPS), WIDTH, 2, NO_GROUPS)
    expected = variance[group] + variance["Residual"] / effects["n_obs"]
    points = _quantiles(effects["raw"] / np.sqrt(expected), f"{len(effects):,} groups")
    plot = (
        ggplot(points, aes("normal", "observed"))
        + geom_abline(intercept=0, slope=1, color=MUTED, size=0.8)
        + geom_point(color=OKABE_ITO[0], size=2.6, alpha=0.75, stroke=0)
        + labs(x="normal quantile", y="standardised deviation of the group")
        + look()
    )
    return Figure(plot, 0.7 * WIDTH, 3.9, _alt(points))


def _quantiles(values: pd.Series, panel: str) -> pd.DataFrame:
    """Standardised order statistics at Blom's plotting positions (k - 3/8) / (n + 1/4)."""
    ordered = np.sort(values.to_numpy(dtype=float))
    sd = ordered.std(ddof=1) if len(ordered) > 1 else 0.0
    if not sd > 0:
        return pd.DataFrame({"normal": [0.0], "observed": [0.0], "panel": panel})
    rank = np.unique(np.linspace(1, len(ordered), min(len(ordered), MOST_QUANTILES)).round())
    position = (rank - 0.375) / (len(ordered) + 0.25)
    return pd.DataFrame(
        {
            "normal": special.ndtri(position),
            "observed": (ordered[rank.astype(int) - 1] - ordered.mean()) / sd,
            "panel": panel,
        }
    )


def _alt(points: pd.DataFrame) -> str:
    parts = []
    for panel, part in points.groupby("panel", observed=True):
        distance = (part["observed"] - part["normal"]).abs().max()
        parts.append(f"{panel}, at most {number(distance, 2)} from the line")
    return f"Normal quantile plots. {'; '.join(parts)}."
