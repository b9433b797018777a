"""The first picture: every outcome, by group, coloured by arm."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from plotnine import (
    aes,
    element_blank,
    facet_wrap,
    geom_line,
    geom_linerange,
    geom_point,
    geom_segment,
    geom_text,
    ggplot,
    labs,
    scale_color_manual,
    scale_shape_manual,
    scale_x_continuous,
)

from groupwise.effect_words import EffectWords
from groupwise.figures import Figure, Tables
from groupwise.figures.events.levels import group_levels
from groupwise.figures.style import (
    INK,
    MANY_GROUPS,
    MANY_POINTS,
    MOST_GROUPS,
    MOST_POINTS,
    MUTED,
    WIDTH,
    GroupAxis,
    arm_colors,
    arm_shapes,
    arms_abreast,
    clear_legend,
    drawn,
    jitter,
    look,
    sample,
    wrap,
)
from groupwise.words import grouped, named, noun, number, sized

SHOWS_INDIVIDUALS = True
"""Where data are not shared, the archive leaves this figure out."""

NAMED_GROUPS = 12
"""Up to so many lines carry the name of their group at their end."""


def draw(tables: Tables) -> Figure:
    """Plot of outcomes by group: side by side within arms, or joined across a group's arms."""
    roles, arms = tables.design["roles"], list(tables.design["arms"])
    words = EffectWords.of(tables.design)
    if words.response.has_events:
        return group_levels(tables, words)
    data = pd.DataFrame(
        {
            "outcome": tables.data[roles["outcome"]].to_numpy(dtype=float),
            "group": tables.data[roles["group"]].astype("category"),
            "arm": tables.data[roles["treatment"]].cat.set_categories(arms, ordered=False),
        }
    )
    groups = _summarise(data)
    names = pd.DataFrame({"group": groups["group"].unique()})
    drawn_groups = sample(names, MOST_GROUPS)["group"]
    points = sample(data, MOST_POINTS).astype({"group": str})
    shown, many = groups[groups["group"].isin(drawn_groups)], len(groups) > MANY_GROUPS
    note = drawn(len(drawn_groups), len(names), "groups") or drawn(
        len(points), len(data), "rows"
    ) * (not many)
    alt = f"{_alt(tables, groups)} {note}".rstrip()
    if tables.design["kind"] in ("within", "mixed", "periods"):
        plot = _followed(points, shown) + labs(
            x=roles["treatment"], y=roles["outcome"], caption=note
        )
        return Figure(plot, WIDTH, 4.6, alt)
    axis = GroupAxis.of([] if many else list(groups["group"]))
    plot = _overview(shown) if many else _individuals(points, groups, axis.labels)
    settings = (
        {"axis_text_x": element_blank(), "legend_position": "none"} if many else axis.settings
    )
    plot = (
        plot
        + scale_color_manual(arm_colors(arms), labels=[wrap(arm) for arm in arms])
        + clear_legend(arms)
        + labs(x=roles["group"], y=roles["outcome"], caption=note)
        + look(panel_grid_major_x=element_blank(), **settings)
    )
    return Figure(plot, WIDTH, 4.4 + axis.height, alt)


def _summarise(data: pd.DataFrame) -> pd.DataFrame:
    """One row per group (and arm, where groups hold several): mean, quartiles, place on the axis."""
    by = data.groupby(["arm", "group"], observed=True)["outcome"]
    groups = pd.DataFrame({"mean": by.mean(), "low": by.quantile(0.25), "high": by.quantile(0.75)})
    groups = (
        groups.reset_index()
        .astype({"group": str})
        .sort_values(["arm", "mean", "group"], ignore_index=True)
    )
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
        + geom_point(
            aes(shape="arm"), size=2, alpha=0.55, stroke=0, raster=len(points) > MANY_POINTS
        )
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


def _followed(data: pd.DataFrame, groups: pd.DataFrame) -> ggplot:
    """An arm at each place; a line joins the means of one group, the dashed line is the arm's."""
    arms, many = list(data["arm"].cat.categories), groups["group"].nunique() > MANY_GROUPS
    points = data.assign(x=data["arm"].cat.codes + 1 + jitter(len(data), 0.18))
    means = groups.assign(x=groups["arm"].cat.codes + 1)
    plot = ggplot(means, aes("x", "mean"))
    if not many:
        plot += geom_point(
            aes(y="outcome", color="arm", shape="arm"),
            data=points,
            size=2,
            alpha=0.55,
            stroke=0,
            raster=len(points) > MANY_POINTS,
        )
    height = np.ptp(means["mean"] if many else points["outcome"])
    return (
        plot
        + _lines(means, many=many)
        + geom_text(
            aes(x="x+0.14", y="place", label="group"),
            data=_line_ends(means, height),
            ha="left",
            size=10.5,
            color=INK,
        )
        + arms_abreast(arms)
    )


def _lines(means: pd.DataFrame, *, many: bool) -> list[Any]:
    """A line through the means of each group, and the mean of each arm."""
    return [
        geom_line(
            aes(group="group"),
            data=means[means["group"].duplicated(keep=False)],
            color=MUTED,
            alpha=0.3 if many else 1,
            size=0.3 if many else 0.7,
        ),
        geom_point(size=0.8 if many else 1.8, color=MUTED),
        geom_segment(
            aes(x="x-0.3", xend="x+0.3", y="arm_mean", yend="arm_mean", color="arm"),
            data=means.drop_duplicates("arm"),
            size=1.4,
            linetype="dashed",
        ),
    ]


def _line_ends(means: pd.DataFrame, height: float) -> pd.DataFrame:
    """Where the name of each group stands: beside its mean in the last arm, apart from the others.

    `height` is what the picture spans, in units of the outcome.
    """
    ends = means[means["x"] == means["x"].max()].sort_values("mean", ignore_index=True)
    if means["group"].nunique() > NAMED_GROUPS:
        ends = ends.iloc[:0]
    gap, place = 0.055 * height, ends["mean"].to_numpy(dtype=float).copy()
    for j in range(1, len(place)):
        place[j] = max(place[j], place[j - 1] + gap)
    return ends.assign(place=place - (place - ends["mean"]).mean())


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


def _alt(tables: Tables, groups: pd.DataFrame) -> str:
    roles = tables.design["roles"]
    spread = groups["mean"].max() - groups["mean"].min()
    means = "; ".join(
        f"{arm} {number(part['arm_mean'].iloc[0])}"
        for arm, part in groups.groupby("arm", observed=True)
    )
    return (
        f"Values of {named(roles['outcome'], 'outcome')} for {sized(tables.design)} in "
        f"{grouped(tables.design)}, coloured by the treatment ({noun(roles['treatment'])}). "
        f"Group means lie between {number(groups['mean'].min())} and "
        f"{number(groups['mean'].max())}, a range of {number(spread)}. "
        f"Mean of the group means by arm: {means}."
    )
