"""Effects by exposure time: how long a group has been in its new arm."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from plotnine import (
    aes,
    element_blank,
    geom_hline,
    geom_point,
    geom_rect,
    geom_segment,
    ggplot,
    labs,
    scale_color_manual,
    scale_fill_manual,
    scale_shape_manual,
    scale_x_continuous,
)

from groupwise.figures import Figure, Tables
from groupwise.figures.style import MUTED, OKABE_ITO, WIDTH, look, sentence, wrap
from groupwise.words import count, equals_p, named, number

NEEDS_ROLE = "period"
"""Only data in which a column plays this role have the figure."""

CONSTANT = "mixed_kenward_roger"
"""The method whose effect is the same at every exposure time."""

EACH, AVERAGE, SAME = "by exposure time", "their average", "constant effect"
MOST_LABELS, MOST_SIZES = 24, 8
"""Marks of the axis that have a label, and that say how many cells they have."""


def draw(tables: Tables) -> Figure:
    """Plot of effects with intervals by exposure time, their average, and the constant effect."""
    rows = _rows(tables)
    if rows.empty:
        n = count(tables.design["n_groups"], "group")
        text = f"No effects by exposure time were estimated from these {n}."
        return Figure(sentence(text), WIDTH, 2, text)
    band, right = _constant(tables), float(rows["x"].max() + _room(rows) / 2)
    plot = (
        ggplot(rows, aes("x", "estimate", color="kind", shape="kind"))
        + geom_hline(yintercept=0, color=MUTED, size=0.7, linetype="dotted")
        + _band(band, right)
        + geom_segment(aes(xend="x", y="conf_low", yend="conf_high"), size=1.4, show_legend=False)
        + geom_point(size=4)
        + scale_color_manual({EACH: OKABE_ITO[0], AVERAGE: OKABE_ITO[1]})
        + scale_shape_manual({EACH: "o", AVERAGE: "D"})
        + scale_x_continuous(
            breaks=list(rows["x"]), labels=_ticks(rows), limits=(0.4, right), expand=(0, 0)
        )
        + labs(
            x="exposure time (1: the first period in the new arm)",
            y=wrap(f"difference in {named(tables.design['roles']['outcome'], 'outcome')}", 36),
        )
        + look(panel_grid_major_x=element_blank(), legend_box="horizontal")
    )
    return Figure(plot, WIDTH, 4.8, _alt(rows, band))


def _rows(tables: Tables) -> pd.DataFrame:
    """The estimates there are, by exposure time, and last their average; `x` is their place."""
    table = tables.results["exposure"]
    rows = table[np.isfinite(table["std_error"])].sort_values("exposure_time")
    average = rows["exposure_time"] == 0
    return pd.concat([rows[~average], rows[average]], ignore_index=True).assign(
        kind=lambda t: pd.Categorical(
            np.where(t["exposure_time"] == 0, AVERAGE, EACH), categories=[EACH, AVERAGE]
        ),
        x=lambda t: t["exposure_time"].where(
            t["exposure_time"] > 0, t["exposure_time"].max() + _room(t)
        ),
    )


def _room(rows: pd.DataFrame) -> float:
    """Between the last exposure time and the average, on the axis: that its label has room."""
    return max(1.2, float(rows["exposure_time"].max()) / 8)


def _constant(tables: Tables) -> pd.DataFrame:
    """The row of the constant effect; none where its method was not asked or has no answer."""
    table = tables.results["estimates"]
    return table[(table["method"] == CONSTANT) & table["std_error"].notna()].assign(kind=SAME)


def _band(constant: pd.DataFrame, right: float) -> list[Any]:
    """The constant effect and its interval, over all exposure times."""
    if constant.empty:
        return []
    rect = geom_rect(
        aes(xmin="left", xmax="right", ymin="conf_low", ymax="conf_high", fill="kind"),
        data=constant.assign(left=0.4, right=right),
        alpha=0.25,
        inherit_aes=False,
    )
    line = geom_hline(
        aes(yintercept="estimate"), data=constant, color=OKABE_ITO[2], size=0.9, linetype="dashed"
    )
    return [rect, line, scale_fill_manual({SAME: OKABE_ITO[2]})]


def _ticks(rows: pd.DataFrame) -> list[str]:
    """Exposure times, with the number of their cells where there is room; of many, every second, ..."""
    step = -(-len(rows) // MOST_LABELS)
    texts = []
    for row in rows.itertuples():
        time, cells = int(row.exposure_time), count(int(row.n_cells), "cell")
        text = f"{time}\n{cells}" if len(rows) <= MOST_SIZES else str(time)
        texts.append("average" if time == 0 else text if time % step == 0 else "")
    return texts


def _alt(rows: pd.DataFrame, constant: pd.DataFrame) -> str:
    each = [
        f"{row.exposure_time}: {_effect(row)}, {count(row.n_cells, 'cell')}"
        for row in rows[rows["exposure_time"] > 0].itertuples()
    ]
    texts = [f"Effects with intervals by exposure time. {'; '.join(each)}."]
    for start, part in (
        ("Their average, a diamond", rows[rows["exposure_time"] == 0]),
        ("A constant effect, a band", constant),
    ):
        texts += [f"{start}: {_effect(row)}." for row in part.itertuples()]
    return " ".join(texts)


def _effect(row: Any) -> str:
    """An estimate, its interval and p-value."""
    low, high = number(row.conf_low), number(row.conf_high)
    return f"{number(row.estimate)} ({low} to {high}, {equals_p(row.p_value)})"
