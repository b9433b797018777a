"""Residuals of the mixed model against its fitted values; of events, groups against chance."""

from __future__ import annotations

import numpy as np
import pandas as pd
from plotnine import (
    aes,
    geom_hline,
    geom_line,
    geom_point,
    ggplot,
    labs,
    scale_color_manual,
    scale_shape_manual,
)

from groupwise.data.sampling import counted
from groupwise.effect_words import EffectWords
from groupwise.figures import Figure, Tables
from groupwise.figures.events.against_chance import against_chance
from groupwise.figures.style import (
    INK,
    MANY_POINTS,
    MOST_POINTS,
    MUTED,
    WIDTH,
    arm_colors,
    arm_shapes,
    clear_legend,
    drawn,
    look,
    sample,
    sentence,
    wrap,
)
from groupwise.words import number, plural, row_word

SHOWS_INDIVIDUALS = True
"""Where data are not shared, the archive leaves this figure out."""

NOTHING = "The mixed model could not be fitted: there are 0 residuals to show."


def draw(tables: Tables) -> Figure:
    """Plot of residuals against fitted values, the running mean over them; of events see `events`."""
    arms, words = list(tables.design["arms"]), EffectWords.of(tables.design)
    if words.response.has_events:
        return against_chance(tables, words)
    residuals = tables.results["residuals"]
    points = residuals[residuals["method"] == "mixed_wald"].copy()
    points["arm"] = pd.Categorical(points["arm"], categories=arms)
    if points.empty:
        return Figure(sentence(NOTHING), WIDTH, 2, NOTHING)
    running, total = _running_mean(points), int(tables.design["n_obs"])
    all_points, points = points, sample(points, MOST_POINTS)
    note = drawn(len(points), total, "rows")
    many = len(points) > MANY_POINTS
    plot = (
        ggplot(points, aes("fitted", "residual"))
        + geom_hline(yintercept=0, color=MUTED, size=0.7)
        + geom_point(
            aes(color="arm", shape="arm"),
            size=1.3 if many else 2.2,
            alpha=0.35 if many else 0.55,
            stroke=0,
            raster=many,
        )
        + geom_line(data=running, color=INK, size=1)
        + scale_color_manual(arm_colors(arms), labels=[wrap(arm) for arm in arms])
        + scale_shape_manual(arm_shapes(arms), labels=[wrap(arm) for arm in arms])
        + clear_legend(arms)
        + labs(x="fitted value", y="residual", caption=note)
        + look()
    )
    return Figure(plot, WIDTH, 4.2, f"{_alt(tables, all_points, running)} {note}".rstrip())


def _running_mean(points: pd.DataFrame) -> pd.DataFrame:
    """Means in at most 20 bins of equal count."""
    ordered = points.sort_values("fitted", kind="stable")
    bins = np.array_split(
        ordered[["fitted", "residual"]].to_numpy(), max(2, min(20, len(points) // 15))
    )
    means = np.array([part.mean(axis=0) for part in bins if len(part)])
    return pd.DataFrame(means.reshape(-1, 2), columns=["fitted", "residual"])


def _alt(tables: Tables, points: pd.DataFrame, running: pd.DataFrame) -> str:
    total, rows = int(tables.design["n_obs"]), plural(row_word(tables.design))
    return (
        f"Residuals of {counted(len(points), total, rows)} against fitted values from "
        f"{number(points['fitted'].min())} to {number(points['fitted'].max())}. Residuals have a "
        f"standard deviation of {number(points['residual'].std())}; their running mean stays "
        f"between {number(running['residual'].min())} and {number(running['residual'].max())}."
    )
