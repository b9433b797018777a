"""Every group beside what chance alone would make of its arm's risk or rate."""

from __future__ import annotations

from typing import Any

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

from groupwise.effect_words import EffectWords
from groupwise.figures import Figure, Tables
from groupwise.figures.events.by_group import chance_limits, events_by_group
from groupwise.figures.style import (
    INK,
    MANY_GROUPS,
    MOST_GROUPS,
    OKABE_ITO,
    WIDTH,
    clear_legend,
    drawn,
    level_axis,
    level_title,
    look,
    sample,
    wrap,
)
from groupwise.words import noun

INSIDE, OUTSIDE = "as chance could make it", "further off"
LAWS = {"binary": "binomial", "count": "Poisson"}


def against_chance(tables: Tables, words: EffectWords) -> Figure:
    """Plot of shares or rates by group, a panel per arm; grey bars hold what chance would give."""
    groups = _placed(tables, words)
    points = sample(groups, MOST_GROUPS)
    note = drawn(len(points), len(groups), "groups")
    many = len(groups) > MANY_GROUPS
    level = f"{100 * float(tables.design['conf_level']):g}%"
    law = LAWS[words.response.family]
    caption = f"Grey: {level} limits of {law} chance about the arm's {words.mean}."
    lines = points.drop_duplicates("panel")
    plot = (
        ggplot(points, aes("rank", "level"))
        + geom_linerange(aes(ymin="low", ymax="high"), size=1 if many else 4, color="#cfcfcf")
        + geom_segment(
            aes(x=0.4, xend="last+0.6", y="expected", yend="expected"),
            data=lines,
            linetype="dashed",
            color=INK,
            size=0.8,
        )
        + geom_point(aes(color="kind", shape="kind"), size=1.4 if many else 2.8)
        + facet_wrap("panel", nrow=1 if lines.shape[0] <= 5 else 2, scales="free_x")
        + scale_color_manual({INSIDE: OKABE_ITO[0], OUTSIDE: OKABE_ITO[1]})
        + scale_shape_manual({INSIDE: "o", OUTSIDE: "D"})
        + scale_x_continuous(breaks=[])
        + level_axis(words)
        + labs(
            x=f"{noun(tables.design['roles']['group'])}, in order",
            y=wrap(level_title(words, noun(tables.design["roles"]["outcome"])), 40),
            caption=" ".join(filter(None, [caption, note])),
        )
        + clear_legend()
        + look(panel_grid_major_x=element_blank())
    )
    return Figure(plot, WIDTH, 4.4, f"{_alt(words, groups, level)} {note}".rstrip())


def _placed(tables: Tables, words: EffectWords) -> pd.DataFrame:
    """Groups with the level of their whole arm, limits of chance about it, and their place."""
    groups = events_by_group(tables)
    arms = list(tables.design["arms"])
    of_arm = groups.groupby("arm", observed=True)[["events", "exposure"]].transform("sum")
    expected = of_arm["events"] / of_arm["exposure"]
    low, high = chance_limits(words, groups, expected, float(tables.design["conf_level"]))
    outside = (groups["level"] < low - 1e-12) | (groups["level"] > high + 1e-12)
    titles = {arm: wrap(arm, 66 // len(arms)) for arm in arms}
    rank = groups.groupby("arm", observed=True).cumcount() + 1
    kinds: dict[str, Any] = {"categories": [INSIDE, OUTSIDE]}
    return groups.assign(
        expected=expected,
        low=low,
        high=high,
        rank=rank,
        last=rank.groupby(groups["arm"], observed=True).transform("max"),
        panel=groups["arm"].cat.rename_categories(titles),
        kind=pd.Categorical(np.where(outside, OUTSIDE, INSIDE), **kinds),
    )


def _alt(words: EffectWords, groups: pd.DataFrame, level: str) -> str:
    parts = [
        f"{arm}, {words.mean} {words.shown(part['expected'].iloc[0])}: "
        f"{int((part['kind'] == OUTSIDE).sum()):,} of {len(part):,} groups outside"
        for arm, part in groups.groupby("arm", observed=True)
    ]
    return (
        f"{words.mean.capitalize()}s of groups beside the {level} limits that "
        f"{LAWS[words.response.family]} chance alone would give about that of their arm. "
        f"{'; '.join(parts)}."
    )
