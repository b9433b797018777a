"""How often every method rejects a true null: a map over groups per arm, correlation and size."""

from __future__ import annotations

import numpy as np
import pandas as pd
from plotnine import (
    aes,
    element_blank,
    element_text,
    facet_grid,
    geom_text,
    geom_tile,
    ggplot,
    labs,
    scale_color_identity,
    scale_fill_gradient2,
    scale_x_discrete,
    scale_y_discrete,
)

from groupwise.catalogue.methods import method_label, method_order
from groupwise.figures import Figure
from groupwise.figures.study import StudyTables
from groupwise.figures.style import GRID, INK, OKABE_ITO, WIDTH, look, sentence

FULL_COLOR = 6.0
"""A rate so many times the nominal one, or that fraction of it, has the full colour."""

DARK = 0.75
"""Beyond this share of the full colour, numbers are white."""

MOST_COLUMNS = 12
"""More columns of tiles than this do not fit side by side."""


def draw(tables: StudyTables) -> Figure:
    """Heat map of type I error for the designs of the most equal group sizes."""
    return heat_map(tables, float(tables.rates["imbalance"].min()))


def heat_map(tables: StudyTables, imbalance: float) -> Figure:
    """Heat map of type I error by method and design: blue too low, orange too high."""
    rows = tables.null[tables.null["imbalance"] == imbalance].copy()
    answered = rows[rows["rate"].notna()]
    if answered.empty:
        text = "No method gave an answer."
        return Figure(sentence(text), WIDTH, 2, text)
    methods = sorted(answered["method"].unique(), key=method_order, reverse=True)
    rows = _tiles(rows[rows["method"].isin(methods)], tables.level)
    columns = rows["groups"].nunique() * rows["members"].nunique()
    across = columns <= MOST_COLUMNS
    panels = rows["correlation"].nunique() * (1 if across else rows["members"].nunique())
    plot = (
        ggplot(rows, aes("groups", "method", fill="shade"))
        + geom_tile(color="white", size=0.8)
        + geom_text(aes(label="shown", color="ink"), size=10.5)
        + facet_grid("correlation ~ members" if across else "correlation + members ~ .")
        + scale_fill_gradient2(
            low=OKABE_ITO[0],
            mid="#f4f4f4",
            high=OKABE_ITO[1],
            midpoint=0,
            limits=(-1, 1),
            na_value=GRID,
            guide=None,
        )
        + scale_color_identity()
        + scale_x_discrete(expand=(0, 0))
        + scale_y_discrete(limits=methods, labels=[method_label(each) for each in methods])
        + labs(x="groups per arm", y="")
        + look(
            panel_grid_major=element_blank(),
            strip_text_x=element_text(size=12.5, weight="bold", ha="center"),
            strip_text_y=element_text(size=12.5, weight="bold", rotation=270),
            axis_text_y=element_text(size=11, color=INK),
        )
    )
    height = 1.0 + panels * (0.27 * len(methods) + 0.1)
    return Figure(plot, WIDTH, max(2.0, height), _alt(answered, tables.level))


def _tiles(rows: pd.DataFrame, level: float) -> pd.DataFrame:
    """The rows with their colour (log ratio to the level, -1 to 1), number and ink."""
    ratio = np.log(rows["rate"].clip(lower=level / FULL_COLOR) / level) / np.log(FULL_COLOR)
    rows["shade"] = ratio.clip(-1, 1)
    rows["shown"] = rows["rate"].map(_percent)
    rows["ink"] = np.where(rows["shade"].abs() > DARK, "white", INK)
    rows["groups"] = pd.Categorical(
        rows["groups_per_arm"].astype(str),
        categories=[str(each) for each in sorted(rows["groups_per_arm"].unique())],
    )
    rows["correlation"] = _labelled(rows["icc"], "ICC {:g}")
    rows["members"] = _labelled(rows["size"], "groups of {:g}")
    return rows


def _percent(rate: float) -> str:
    """Percent, without a decimal from ten on: tiles are small."""
    if np.isnan(rate):
        return "\u2013"
    return f"{100 * rate:.1f}" if round(100 * rate, 1) < 10 else f"{100 * rate:.0f}"


def _labelled(values: pd.Series, words: str) -> pd.Categorical:
    """Numbers as labels, in their order."""
    labels = {value: words.format(value) for value in sorted(values.unique())}
    return pd.Categorical(values.map(labels), categories=list(labels.values()))


def _alt(rows: pd.DataFrame, level: float) -> str:
    ranges = []
    for method in sorted(rows["method"].unique(), key=method_order):
        rates = 100 * rows.loc[rows["method"] == method, "rate"]
        ranges.append(f"{method_label(method)} {rates.min():.1f} to {rates.max():.1f}%")
    return (
        f"Type I error rates, nominally {100 * level:g}%, by method, groups per arm, "
        f"intraclass correlation and size of groups. Least and greatest: {'; '.join(ranges)}."
    )
