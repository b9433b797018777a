"""What the mixed model makes of each group: its raw deviation, and the shrunken one."""

from __future__ import annotations

import numpy as np
import pandas as pd
from plotnine import (
    aes,
    element_blank,
    geom_hline,
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
from groupwise.figures.style import (
    MANY_GROUPS,
    MOST_GROUPS,
    MUTED,
    OKABE_ITO,
    WIDTH,
    GroupAxis,
    clear_legend,
    drawn,
    look,
    sample,
    sentence,
    spread_axis,
    spread_title,
    wrap,
)
from groupwise.words import number, role_word

RAW, BLUP = "raw deviation", "shrunken (BLUP)"


NOTHING = "The mixed model could not be fitted: there are 0 group effects to show."


def draw(tables: Tables) -> Figure:
    """Plot of raw and shrunken group effects (BLUPs), in the order of the predictions."""
    roles = tables.design["roles"]
    effects, words = _group_effects(tables), EffectWords.of(tables.design)
    if effects.empty:
        return Figure(sentence(NOTHING), WIDTH, 2, NOTHING)
    effects = effects.sort_values(["estimate", "level"], ignore_index=True)
    effects["x"] = np.arange(1, len(effects) + 1)
    points = sample(effects, MOST_GROUPS)
    long = pd.concat(
        [
            points.assign(kind=RAW, value=points["raw"]),
            points.assign(kind=BLUP, value=points["estimate"]),
        ]
    )
    note = drawn(len(points), len(effects), "groups")
    many = len(effects) > MANY_GROUPS
    axis = GroupAxis.of([] if many else list(effects["level"]))
    plot = (
        ggplot(points, aes("x"))
        + geom_hline(yintercept=0, color=MUTED, size=0.7)
        + geom_segment(
            aes(xend="x", y="raw", yend="estimate"), color=MUTED, size=0.25 if many else 0.6
        )
        + geom_point(aes(y="value", color="kind", shape="kind"), data=long, size=1.1 if many else 3)
        + scale_color_manual({RAW: OKABE_ITO[1], BLUP: OKABE_ITO[0]})
        + scale_shape_manual({RAW: "D", BLUP: "o"})
        + labs(
            x=_axis_title(roles["group"], many),
            y=wrap(_deviation(words, roles["outcome"]), 44),
            caption=note,
        )
        + clear_legend()
        + look(panel_grid_major_x=element_blank(), **axis.settings)
    )
    plot = plot + spread_axis(words, "y")
    plot = plot + scale_x_continuous(
        breaks=list(effects["x"])[: len(axis.labels)], labels=axis.labels
    )
    return Figure(plot, WIDTH, 4.2 + axis.height, _alt(tables, effects, note))


def _group_effects(tables: Tables) -> pd.DataFrame:
    """One row per group; the raw deviation without what is predicted for a random block."""
    roles, every = tables.design["roles"], tables.results["random_effects"]
    every = every[(every["term"] == "Intercept") & (every["method"] == "mixed_wald")]
    effects = every[every["group"] == roles["group"]]
    if tables.design["blocks_as"] != "random" or effects.empty:
        return effects
    blocks = every[every["group"] == roles["block"]].set_index("level")["estimate"]
    pairs = tables.data[[roles["group"], roles["block"]]].drop_duplicates().astype(str)
    block_of = pairs.set_index(roles["group"])[roles["block"]]
    return effects.assign(raw=effects["raw"] - effects["level"].map(block_of).map(blocks))


def _deviation(words: EffectWords, outcome: str) -> str:
    return (
        spread_title(words, "deviation in")
        if words.response.has_events
        else f"deviation in {outcome}"
    )


def _axis_title(group: str, many: bool) -> str:
    return f"{group}, in order of the predicted effect" + ("" if not many else " (labels left out)")


def _alt(tables: Tables, effects: pd.DataFrame, note: str) -> str:
    group, shown = role_word(tables.design["roles"], "group"), EffectWords.of(tables.design).spread
    lowest, highest = effects.iloc[0], effects.iloc[-1]
    with np.errstate(divide="ignore", invalid="ignore"):
        kept = np.nanmedian(effects["estimate"] / effects["raw"])
    return (
        f"Raw and shrunken deviation of each {group}. The predicted effects run from "
        f"{shown(lowest.estimate)} ({group} {lowest.level}) to {shown(highest.estimate)} "
        f"({group} {highest.level}); at the median a group keeps {number(100 * kept, 2)}% of its "
        f"raw deviation. {note}"
    ).rstrip()
