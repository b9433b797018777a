"""The first picture: every outcome, by group, coloured by arm."""

from __future__ import annotations

import numpy as np
import pandas as pd
from plotnine import (
    aes,
    element_blank,
    facet_wrap,
    geom_linerange,
    geom_point,
    geom_segment,
    ggplot,
    labs,
    scale_color_manual,
    scale_shape_manual,
    scale_x_continuous,
)

from groupwise.figures import Figure, Tables
from groupwise.figures.style import (
    INK,
    MANY_GROUPS,
    WIDTH,
    GroupAxis,
    arm_colors,
    arm_shapes,
    clear_legend,
    jitter,
    look,
    wrap,
)
from groupwise.words import number


def draw(tables: Tables) -> Figure:
    """Groups side by side, ordered by their mean within arms, with each arm's mean as a line."""
    roles, arms = tables.design["roles"], list(tables.design["arms"])
    data = pd.DataFrame(
        {
            "outcome": tables.data[roles["outcome"]].to_numpy(dtype=float),
            "group": tables.data[roles["group"]].astype(str).to_numpy(),
            "arm": pd.Categorical(tables.data[roles["treatment"]].astype(str), categories=arms),
        }
    )
    groups = _summarise(data)
    many = len(groups) > MANY_GROUPS
    axis = GroupAxis.of([] if many else list(groups["group"]))
    plot = _overview(groups) if many else _individuals(data, groups, axis.labels)
    settings = (
        {"axis_text_x": element_blank(), "legend_position": "none"} if many else axis.settings
    )
    plot = (
        plot
        + scale_color_manual(arm_colors(arms), labels=[wrap(arm) for arm in arms])
        + clear_legend(arms)
        + labs(x=roles["group"], y=roles["outcome"])
        + look(panel_grid_major_x=element_blank(), **settings)
    )
    return Figure(plot, WIDTH, 4.4 + axis.height, _alt(tables, data, groups))


def _summarise(data: pd.DataFrame) -> pd.DataFrame:
    """One row per group (and arm, where groups hold several): mean, quartiles, place on the axis."""
    by = data.groupby(["arm", "group"], observed=True)["outcome"]
    groups = by.agg(mean="mean", low=lambda v: v.quantile(0.25), high=lambda v: v.quantile(0.75))
    groups = groups.reset_index().sort_values(["arm", "mean", "group"], ignore_index=True)
    gap = groups["arm"].cat.codes.diff().fillna(0).clip(lower=0).cumsum()
    groups["x"] = np.arange(len(groups)) + 1 + 0.7 * gap
    groups["rank"] = groups.groupby("arm", observed=True).cumcount() + 1
    groups["arm_mean"] = groups.groupby("arm", observed=True)["mean"].transform("mean")
    return groups


def _individuals(data: pd.DataFrame, groups: pd.DataFrame, labels: list[str]) -> ggplot:
    points = data.merge(groups[["arm", "group", "x"]], on=["arm", "group"])
    points["x"] = points["x"] + jitter(len(points), 0.55)
    means = groups.groupby("arm", observed=True).agg(
        left=("x", "min"), right=("x", "max"), mean=("arm_mean", "first")
    )
    means = means.reset_index()
    colors, arms = {"color": "arm"}, list(data["arm"].cat.categories)
    return (
        ggplot(points, aes("x", "outcome", **colors))
        + geom_point(aes(shape="arm"), size=2, alpha=0.55, stroke=0)
        + geom_segment(
            aes(x="left-0.45", xend="right+0.45", y="mean", yend="mean", **colors),
            data=means,
            size=1.1,
            linetype="dashed",
        )
        + geom_segment(
            aes(x="x-0.36", xend="x+0.36", y="mean", yend="mean"), data=groups, color=INK, size=1.6
        )
        + scale_x_continuous(breaks=list(groups["x"]), labels=labels)
        + scale_shape_manual(arm_shapes(arms), labels=[wrap(arm) for arm in arms])
    )


def _overview(groups: pd.DataFrame) -> ggplot:
    arms = list(groups["arm"].cat.categories)
    strips = {arm: wrap(arm, 66 // len(arms)) for arm in arms}
    groups = groups.assign(strip=groups["arm"].cat.rename_categories(strips))
    means = groups.groupby("strip", observed=True).agg(
        right=("rank", "max"), mean=("arm_mean", "first")
    )
    return (
        ggplot(groups, aes("rank", "mean", color="arm"))
        + geom_linerange(aes(ymin="low", ymax="high"), alpha=0.35, size=0.7)
        + geom_segment(
            aes(x=0, xend="right+1", y="mean", yend="mean"),
            data=means.reset_index(),
            linetype="dashed",
            size=0.9,
            color=INK,
        )
        + geom_point(size=1.6)
        + facet_wrap("strip", nrow=1 if len(arms) <= 5 else 2, scales="free_x")
    )


def _alt(tables: Tables, data: pd.DataFrame, groups: pd.DataFrame) -> str:
    roles = tables.design["roles"]
    spread = groups["mean"].max() - groups["mean"].min()
    means = "; ".join(
        f"{arm} {number(part['arm_mean'].iloc[0])}"
        for arm, part in groups.groupby("arm", observed=True)
    )
    return (
        f"{roles['outcome']} of {len(data):,} individuals in {groups['group'].nunique()} groups "
        f"({roles['group']}), coloured by {roles['treatment']}. Group means lie between "
        f"{number(groups['mean'].min())} and {number(groups['mean'].max())}, a range of "
        f"{number(spread)}. Mean of the group means by arm: {means}."
    )
