"""Every method's answer to every comparison of arms, side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from plotnine import (
    aes,
    element_blank,
    facet_wrap,
    geom_label,
    geom_point,
    geom_segment,
    geom_vline,
    ggplot,
    labs,
    scale_color_manual,
    scale_shape_manual,
    scale_y_continuous,
)

from groupwise.catalogue.methods import method_label, method_order
from groupwise.effect_words import EffectWords
from groupwise.figures import Figure, Tables
from groupwise.figures.style import (
    GREYED,
    INK,
    MUTED,
    OKABE_ITO,
    WIDTH,
    drawable,
    effect_axis,
    effect_title,
    look,
    wrap,
)

UNIDENTIFIED, MANY_CONTRASTS = "not identified", 6
MOST_COLUMNS, TITLE_WIDTH = 3, 42
"""Panels side by side, and the letters of a title that is as wide as all of them."""
ROW, LEAST_ROW = 0.29, 0.19
"""Height of a method's row in inches: as it should be, and as it may be where there are many."""
SCREEN = 9.5
"""Height in inches that a screen of 1,000 pixels shows at the page's width."""

HEADLINE, OTHER, OFF = "headline", "other", "not valid"
COLORS = {HEADLINE: OKABE_ITO[0], OTHER: INK, OFF: GREYED}
SHAPES = {HEADLINE: "o", OTHER: "o", OFF: "X"}


def _shown(tables: Tables) -> list[str]:
    """Every comparison, or with many arms only those with the reference."""
    contrasts = list(tables.design["contrasts"])
    if len(contrasts) <= MANY_CONTRASTS:
        return contrasts
    return contrasts[: len(tables.design["arms"]) - 1]


def _off_level(tables: Tables) -> set[str]:
    """Methods that are shown to be invalid for this design."""
    verdict = tables.results["verdict"]
    off = (verdict["dgp"] == "normal") & (verdict["judgement"] == "invalid")
    return set(verdict.loc[off, "method"])


def _mark(method: str, tables: Tables, off: set[str]) -> str:
    if method == tables.headline:
        return HEADLINE
    return OFF if method in off else OTHER


def _panel(words: EffectWords, contrast: str, columns: int) -> str:
    """A panel's title, on several lines if it must be."""
    return wrap(words.comparison(contrast), TITLE_WIDTH // columns)


def draw(tables: Tables) -> Figure:
    """Forest plot: a row per method, a panel per contrast beside the others; the lead stands out."""
    contrasts, words = _shown(tables), EffectWords.of(tables.design)
    rows = tables.results["estimates"]
    rows, off = rows[rows["contrast"].isin(contrasts)].copy(), _off_level(tables)
    methods = sorted(rows["method"].unique(), key=method_order)
    columns = min(len(contrasts), MOST_COLUMNS)
    titles = {contrast: _panel(words, contrast, columns) for contrast in contrasts}
    panels = list(titles.values())
    rows["panel"] = pd.Categorical(rows["contrast"].map(titles), categories=panels)
    rows["y"] = [len(methods) - methods.index(method) for method in rows["method"]]
    rows["lead"] = [_mark(method, tables, off) for method in rows["method"]]
    answered, silent = rows[rows["estimate"].notna()], rows[rows["estimate"].isna()]
    drawn = drawable(words, answered)
    missing = silent.assign(
        label=np.where(
            silent["message"].str.startswith("Not identified"), UNIDENTIFIED, "no estimate"
        ),
        x=drawn["conf_low"].min(),
    )
    plot = (
        ggplot(drawn, aes("estimate", "y", color="lead", shape="lead"))
        + effect_axis(words, drawn, 0.06)
        + geom_segment(aes(x="conf_low", xend="conf_high", yend="y"), size=1.4)
        + geom_point(size=3.4)
        + geom_label(
            aes(x="x", label="label"), data=missing, color=MUTED, size=10.5, ha="left", label_size=0
        )
        + facet_wrap("panel", ncol=columns)
        + scale_color_manual(COLORS, guide=None)
        + scale_shape_manual(SHAPES, guide=None)
        + scale_y_continuous(
            breaks=list(range(len(methods), 0, -1)),
            labels=[method_label(method) for method in methods],
            limits=(0.6, len(methods) + 0.4),
        )
        + labs(x=effect_title(words), y="")
        + look(panel_grid_major_y=element_blank())
    )
    plot = _with_truth(plot, tables, titles)
    height = _height(panels, columns, len(methods))
    return Figure(plot, WIDTH, height, _alt(tables, words, answered, silent))


def _height(panels: Sequence[str], columns: int, n_methods: int) -> float:
    """Inches; rows come closer where the panels of many comparisons would not fit on a screen."""
    tiers = -(-len(panels) // columns)
    lines = max(1 + panel.count("\n") for panel in panels)
    frame = 0.9 + tiers * (0.25 + 0.25 * lines)
    row = (SCREEN - frame) / (tiers * n_methods)
    return frame + tiers * n_methods * min(ROW, max(LEAST_ROW, row))


def _with_truth(plot: ggplot, tables: Tables, titles: Mapping[str, str]) -> ggplot:
    """A dashed line at the true effect, where the data were simulated."""
    if tables.truth is None:
        return plot
    panels = list(titles.values())
    truth = pd.DataFrame(
        {
            "panel": pd.Categorical(panels, categories=panels),
            "truth": [tables.truth["effects"][contrast] for contrast in titles],
        }
    )
    line = geom_vline(
        aes(xintercept="truth"), data=truth, color=OKABE_ITO[1], linetype="dashed", size=1.1
    )
    return plot + line


def _alt(tables: Tables, words: EffectWords, answered: pd.DataFrame, silent: pd.DataFrame) -> str:
    parts = []
    for contrast, rows in answered.groupby("contrast", sort=False):
        estimates = "; ".join(
            f"{method_label(row.method)} {words.bare(row.estimate)} "
            f"({words.bare(row.conf_low)} to {words.bare(row.conf_high)})"
            for row in rows.itertuples()
        )
        parts.append(f"{words.comparison(str(contrast))}: {estimates}.")
    text = (
        f"{words.estimates()}{words.in_brackets()} with intervals by method, one panel per comparison. "
        + " ".join(parts)
    )
    off = [method_label(method) for method in sorted(_off_level(tables), key=method_order)]
    if off:
        text += f" Crosses mark methods that are not valid here: {', '.join(off)}."
    if len(silent):
        names = dict.fromkeys(method_label(method) for method in silent["method"])
        text += f" No estimate: {', '.join(names)}."
    if tables.truth is not None:
        text += f" Dashed lines mark the {words.true_effect}s of the simulation."
    return text
