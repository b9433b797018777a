"""The first picture of events: the share or the rate of every group, as large as the group."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from plotnine import (
    aes,
    element_blank,
    geom_line,
    geom_point,
    geom_segment,
    ggplot,
    labs,
    scale_color_manual,
    scale_shape_manual,
    scale_size_area,
    scale_x_continuous,
)

from groupwise.effect_words import EffectWords
from groupwise.figures import Figure, Tables
from groupwise.figures.events.by_group import events_by_group
from groupwise.figures.style import (
    INK,
    MANY_GROUPS,
    MOST_GROUPS,
    MUTED,
    WIDTH,
    GroupAxis,
    arm_colors,
    arm_shapes,
    arms_abreast,
    clear_legend,
    drawn,
    level_axis,
    level_title,
    look,
    sample,
    wrap,
)
from groupwise.words import grouped, named, noun, sized

LARGEST, SMALLEST_LARGEST = 7.0, 3.0
"""Size of the largest group's mark, with few and with many groups."""


def group_levels(tables: Tables, words: EffectWords) -> Figure:
    """Plot of shares or rates by group: side by side within arms, or joined across arms."""
    groups = events_by_group(tables)
    names = pd.DataFrame({"group": groups["group"].unique()})
    shown = groups[groups["group"].isin(sample(names, MOST_GROUPS)["group"])]
    note = drawn(shown["group"].nunique(), len(names), "groups")
    alt = f"{_alt(tables, words, groups)} {note}".rstrip()
    roles, kind = tables.design["roles"], tables.design["kind"]
    followed = kind in ("within", "mixed", "periods")
    axis = GroupAxis.of([] if followed or len(groups) > MANY_GROUPS else list(groups["group"]))
    plot = _followed(shown) if followed else _side_by_side(shown, axis)
    title = level_title(words, noun(roles["outcome"]))
    plot = (
        plot
        + level_axis(words)
        + labs(x=roles["treatment" if followed else "group"], y=wrap(title, 40), caption=note)
        + _area(shown)
    )
    return Figure(plot, WIDTH, 4.4 + axis.height, alt)


def _area(groups: pd.DataFrame) -> list[Any]:
    """Marks with areas in proportion to the members of groups; no legend of them."""
    largest = LARGEST if len(groups) <= MANY_GROUPS else SMALLEST_LARGEST
    return [scale_size_area(max_size=largest, guide=None)]


def _side_by_side(groups: pd.DataFrame, axis: GroupAxis) -> ggplot:
    """Groups in order within their arm; the dashed line is the mean of the arm's groups."""
    arms, many = list(groups["arm"].cat.categories), len(groups) > MANY_GROUPS
    gap = groups["arm"].cat.codes.diff().fillna(0).clip(lower=0).cumsum()
    points = groups.assign(x=np.arange(len(groups)) + 1 + 0.7 * gap)
    lines = points.groupby("arm", observed=True).agg(
        left=("x", "min"), right=("x", "max"), level=("arm_level", "first")
    )
    settings: dict[str, Any] = axis.settings
    if many:
        settings = {"axis_text_x": element_blank()}
    return (
        ggplot(points, aes("x", "level", color="arm"))
        + geom_segment(
            aes(x="left-0.45", xend="right+0.45", y="level", yend="level"),
            data=lines.reset_index(),
            size=1.1,
            linetype="dashed",
            show_legend=False,
        )
        + geom_point(aes(size="members", shape="arm"), alpha=0.75, stroke=0)
        + scale_x_continuous(breaks=list(points["x"])[: len(axis.labels)], labels=axis.labels)
        + scale_color_manual(arm_colors(arms), labels=[wrap(arm) for arm in arms])
        + scale_shape_manual(arm_shapes(arms), labels=[wrap(arm) for arm in arms])
        + clear_legend(arms)
        + look(panel_grid_major_x=element_blank(), **settings)
    )


def _followed(groups: pd.DataFrame) -> ggplot:
    """An arm at each place; a line joins the shares or rates of one group."""
    arms, many = list(groups["arm"].cat.categories), groups["group"].nunique() > MANY_GROUPS
    points = groups.assign(x=groups["arm"].cat.codes + 1)
    return (
        ggplot(points, aes("x", "level"))
        + geom_line(
            aes(group="group"),
            data=points[points["group"].duplicated(keep=False)],
            color=MUTED,
            alpha=0.3 if many else 1,
            size=0.3 if many else 0.7,
        )
        + geom_point(aes(size="members", color="arm", shape="arm"), alpha=0.75, stroke=0)
        + geom_segment(
            aes(x="x-0.3", xend="x+0.3", y="arm_level", yend="arm_level"),
            data=points.drop_duplicates("arm"),
            size=1.2,
            linetype="dashed",
            color=INK,
        )
        + arms_abreast(arms)
    )


def _alt(tables: Tables, words: EffectWords, groups: pd.DataFrame) -> str:
    roles = tables.design["roles"]
    what = {"binary": "Shares", "count": "Rates"}[words.response.family]
    size = groups["members"]
    sizes = f"{size.min():,}" if size.min() == size.max() else f"{size.min():,} to {size.max():,}"
    means = "; ".join(
        f"{arm} {words.shown(part['arm_level'].iloc[0])}"
        for arm, part in groups.groupby("arm", observed=True)
    )
    return (
        f"{what} of {named(roles['outcome'], 'outcome')}{words.per} by group, for "
        f"{sized(tables.design)} in {grouped(tables.design)}, coloured by the treatment "
        f"({noun(roles['treatment'])}), with marks as large as the group ({sizes} members). They lie "
        f"between {words.shown(groups['level'].min())} and {words.shown(groups['level'].max())}. "
        f"Mean over the groups of each arm: {means}."
    )
