"""Every predicted effect with its interval, in order: which groups stand out, and which do not."""

from __future__ import annotations

import numpy as np
import pandas as pd
from plotnine import (
    aes,
    element_blank,
    facet_wrap,
    geom_blank,
    geom_point,
    geom_segment,
    geom_vline,
    ggplot,
    labs,
    scale_color_manual,
    scale_shape_manual,
    scale_y_continuous,
)
from scipy import special

from groupwise.effect_words import EffectWords
from groupwise.figures import Figure, Tables
from groupwise.figures.style import (
    MANY_GROUPS,
    MOST_GROUPS,
    MUTED,
    OKABE_ITO,
    WIDTH,
    clear_legend,
    drawn,
    look,
    row_label,
    sample,
    sentence,
    spread_axis,
    spread_title,
    wrap,
)
from groupwise.words import contrast_label, noun

NOTHING = "The mixed model could not be fitted: there are 0 predicted effects to show."
APART, ORDINARY = "interval without 0", "interval with 0"
MOST_PANELS = 6


def draw(tables: Tables) -> Figure:
    """Caterpillar plot of BLUPs: a panel per grouping and random slope, sorted by prediction."""
    effects, words = _effects(tables), EffectWords.of(tables.design)
    if effects.empty:
        return Figure(sentence(NOTHING), WIDTH, 2, NOTHING)
    panels = list(effects["panel"].cat.categories)
    parts = [sample(part, MOST_GROUPS) for _, part in effects.groupby("panel", observed=True)]
    points = pd.concat(parts)
    labelled = [part for part in parts if len(part) <= MANY_GROUPS]
    names = {
        y: row_label(x) for part in labelled for y, x in zip(part["y"], part["level"], strict=True)
    }
    many = len(labelled) < len(parts)
    note = drawn(len(points), len(effects), "predicted effects")
    plot = (
        ggplot(points, aes("estimate", "y", color="kind"))
        + geom_vline(xintercept=0, color=MUTED, size=0.7)
        + geom_blank(aes(y="bottom"))
        + geom_segment(
            aes(x="low", xend="high", yend="y"), size=0.3 if many else 1.1, show_legend=False
        )
        + geom_point(aes(shape="kind"), size=0.9 if many else 2.4)
        + facet_wrap("panel", ncol=min(2, len(panels)), scales="free")
        + scale_color_manual({APART: OKABE_ITO[1], ORDINARY: OKABE_ITO[0]})
        + scale_shape_manual({APART: "D", ORDINARY: "o"})
        + scale_y_continuous(breaks=list(names), labels=list(names.values()))
        + labs(
            x=wrap(spread_title(words, "predicted effect on"), 66),
            y="",
            caption=note,
        )
        + spread_axis(words)
        + clear_legend()
        + look(panel_grid_major_y=element_blank())
    )
    lines = max((1 + name.count("\n") for name in names.values()), default=1)
    rows = max((0.2 * lines * max(len(part), 3) for part in labelled), default=0.0)
    heads = max(1 + panel.count("\n") for panel in panels)
    height = 1.1 + -(-len(panels) // 2) * (0.3 + 0.2 * heads + max(rows, 3.2 if many else 0.0))
    return Figure(plot, WIDTH, height, f"{_alt(tables, effects)} {note}".rstrip())


def _effects(tables: Tables) -> pd.DataFrame:
    """One row per predicted effect, from the lowest up; `y` is its place, counted over all panels.

    Panels have as many places, from `bottom` on; the highest prediction stands in the last.
    """
    table = tables.results["random_effects"]
    table = table[table["method"] == "mixed_wald"]
    reference = next(iter(tables.design["arms"]))
    half = special.ndtri(0.5 + float(tables.design["conf_level"]) / 2)
    panels = list(table.groupby(["group", "term"], sort=False))[:MOST_PANELS]
    n_places, parts, start = max((len(part) for _, part in panels), default=0), [], 0
    for (group, term), part in panels:
        part = part.sort_values(["estimate", "level"], ignore_index=True)
        low, high = (part["estimate"] + sign * half * part["std_error"] for sign in (-1, 1))
        kind = np.where((low > 0) | (high < 0), APART, ORDINARY)
        kinds = pd.Categorical(kind, categories=[APART, ORDINARY])
        title = _title(str(group), str(term), reference, 24 if len(panels) > 1 else 50)
        place = start + n_places - len(part) + part.index
        part = part.assign(low=low, high=high, kind=kinds, panel=title, y=place, bottom=start)
        parts.append(part)
        start += n_places + 1
    if not parts:
        return table.assign(panel=pd.Categorical([]))
    every = pd.concat(parts)
    titles = list(dict.fromkeys(every["panel"]))
    return every.assign(panel=pd.Categorical(every["panel"], categories=titles))


def _title(group: str, term: str, reference: str, width: int) -> str:
    effect = "" if term == "Intercept" else f", {contrast_label(f'{term} - {reference}')}"
    return wrap(f"{noun(group)}{effect}", width)


def _alt(tables: Tables, effects: pd.DataFrame) -> str:
    level = f"{100 * float(tables.design['conf_level']):g}%"
    shown, parts = EffectWords.of(tables.design).spread, []
    for title, part in effects.groupby("panel", observed=True):
        low, high = part.iloc[0], part.iloc[-1]
        apart = int((part["kind"] == APART).sum())
        parts.append(
            f"{' '.join(str(title).split())}: from {shown(low['estimate'])} ({low['level']}) to "
            f"{shown(high['estimate'])} ({high['level']}), {apart:,} of {len(part):,} intervals "
            "without 0."
        )
    return f"Predicted effects (BLUPs) in order, with {level} intervals. {' '.join(parts)}"
