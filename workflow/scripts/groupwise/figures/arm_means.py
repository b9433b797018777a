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

from groupwise.catalogue.methods import method_phrase
from groupwise.effect_words import EffectWords
from groupwise.figures import Figure, Tables
from groupwise.figures.events.by_group import events_by_group
from groupwise.figures.style import (
    INK,
    MOST_GROUPS,
    MUTED,
    WIDTH,
    arm_colors,
    arm_shapes,
    drawn,
    jitter,
    level_axis,
    level_title,
    look,
    sample,
    wrap,
)
from groupwise.words import capital, noun


def draw(tables: Tables) -> Figure:
    """Plot of arm means with intervals; dots are group means, the line the overall mean."""
    arms, roles = list(tables.design["arms"]), tables.design["roles"]
    words, means = EffectWords.of(tables.design), tables.results["marginal_means"]
    method = tables.headline if words.response.has_events else "mixed_wald"
    means = means[means["method"] == method].assign(x=lambda t: t["arm"].map(arms.index) + 1)
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
        + level_axis(words)
        + labs(x=roles["treatment"], y=level_title(words, noun(roles["outcome"])), caption=note)
        + look(panel_grid_major_x=element_blank())
    )
    return Figure(plot, WIDTH, 4.2, f"{_alt(words, method, means)} {note}".rstrip())


def _group_means(tables: Tables, arms: list[str]) -> pd.DataFrame:
    roles = tables.design["roles"]
    if EffectWords.of(tables.design).response.has_events:
        groups = events_by_group(tables).assign(mean=lambda t: t["level"])
        return groups.assign(x=_places(groups))[["arm", "x", "mean"]]
    by = [roles["treatment"], roles["group"]]
    groups = (
        tables.data.groupby(by, observed=True)[roles["outcome"]].mean().reset_index(name="mean")
    )
    groups["arm"] = pd.Categorical(groups[roles["treatment"]].astype(str), categories=arms)
    return groups.assign(x=_places(groups))[["arm", "x", "mean"]]


def _places(groups: pd.DataFrame) -> np.ndarray:
    """Where the dots of groups stand, beside their arm."""
    codes = groups["arm"].cat.codes.to_numpy()
    return np.asarray(codes + 1 + 0.28 + jitter(len(groups), 0.24))


def _alt(words: EffectWords, method: str, means: pd.DataFrame) -> str:
    events = words.response.has_events
    if means.empty or not np.isfinite(means["estimate"]).all():
        if events:
            return f"{capital(method_phrase(method))} gives no {words.mean}s of arms to show."
        return "The mixed model could not be fitted: there are no arm means to show."
    arms = "; ".join(
        f"{row.arm} {words.shown(row.estimate)} ({words.shown(row.conf_low)} to "
        f"{words.shown(row.conf_high)})"
        for row in means.itertuples()
    )
    by = method_phrase(method) if events else "the mixed model"
    return f"{capital(words.mean)}s of the arms by {by}, with intervals: {arms}."
