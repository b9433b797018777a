"""The fixed part of the mixed model: the mean of each arm, beside the groups it is made from."""

from __future__ import annotations

import numpy as np
import pandas as pd
from plotnine import (
    aes,
    element_blank,
    geom_errorbar,
    geom_hline,
    geom_point,
    ggplot,
    labs,
    scale_color_manual,
    scale_shape_manual,
    scale_x_continuous,
)

from groupwise.figures import Figure, Tables
from groupwise.figures.style import (
    INK,
    MOST_GROUPS,
    MUTED,
    WIDTH,
    arm_colors,
    arm_shapes,
    drawn,
    jitter,
    look,
    sample,
    wrap,
)
from groupwise.words import number


def draw(tables: Tables) -> Figure:
    """Plot of arm means with intervals; dots are group means, the line the overall mean."""
    arms, roles = list(tables.design["arms"]), tables.design["roles"]
    means = tables.results["marginal_means"]
    means = means[means["method"] == "mixed_wald"].assign(x=lambda t: t["arm"].map(arms.index) + 1)
    groups, answered = _group_means(tables, arms), means[means["estimate"].notna()]
    points = sample(groups, MOST_GROUPS)
    note = drawn(len(points), len(groups), "means")
    positions = [j + 1.14 for j in range(len(arms))]
    plot = (
        ggplot(points, aes("x", "mean"))
        + geom_hline(yintercept=groups["mean"].mean(), color=MUTED, linetype="dotted", size=0.8)
        + geom_point(aes(color="arm", shape="arm"), size=2.6, alpha=0.6, stroke=0)
        + geom_errorbar(
            aes(y="estimate", ymin="conf_low", ymax="conf_high"),
            data=answered,
            width=0.16,
            size=1.2,
            color=INK,
        )
        + geom_point(aes(y="estimate"), data=answered, size=4, color=INK)
        + scale_color_manual(arm_colors(arms), guide=None)
        + scale_shape_manual(arm_shapes(arms), guide=None)
        + scale_x_continuous(breaks=positions, labels=[wrap(arm, 66 // len(arms)) for arm in arms])
        + labs(x=roles["treatment"], y=roles["outcome"], caption=note)
        + look(panel_grid_major_x=element_blank())
    )
    return Figure(plot, WIDTH, 4.2, f"{_alt(means)} {note}".rstrip())


def _group_means(tables: Tables, arms: list[str]) -> pd.DataFrame:
    roles = tables.design["roles"]
    by = [roles["treatment"], roles["group"]]
    groups = (
        tables.data.groupby(by, observed=True)[roles["outcome"]].mean().reset_index(name="mean")
    )
    groups["arm"] = pd.Categorical(groups[roles["treatment"]].astype(str), categories=arms)
    groups["x"] = groups["arm"].cat.codes + 1 + 0.28 + jitter(len(groups), 0.24)
    return groups[["arm", "x", "mean"]]


def _alt(means: pd.DataFrame) -> str:
    if not np.isfinite(means["estimate"]).all():
        return "The mixed model could not be fitted: there are no arm means to show."
    arms = "; ".join(
        f"{row.arm} {number(row.estimate)} ({number(row.conf_low)} to {number(row.conf_high)})"
        for row in means.itertuples()
    )
    return f"Means of the arms by the mixed model, with intervals: {arms}."
