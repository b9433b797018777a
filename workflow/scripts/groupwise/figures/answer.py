"""The answer in one picture: every comparison by the method that leads the report."""

from __future__ import annotations

import numpy as np
import pandas as pd
from plotnine import (
    aes,
    element_blank,
    geom_point,
    geom_segment,
    geom_text,
    geom_vline,
    ggplot,
    labs,
    scale_x_continuous,
    scale_y_continuous,
)

from groupwise.catalogue.methods import method_phrase
from groupwise.figures import Figure, Tables
from groupwise.figures.style import INK, MUTED, OKABE_ITO, WIDTH, look, sentence, wrap
from groupwise.words import contrast_label, decimals_for, equals_p, fixed, named, number

MOST_CONTRASTS = 10


def draw(tables: Tables) -> Figure:
    """Plot by comparison: estimate, interval, p-value; a diamond at the true effect if known."""
    rows = tables.results["estimates"]
    rows = rows[rows["method"] == tables.headline]
    contrasts = list(tables.design["contrasts"])
    shown = (
        contrasts
        if len(contrasts) <= MOST_CONTRASTS
        else contrasts[: len(tables.design["arms"]) - 1]
    )
    rows = rows.set_index("contrast").loc[shown].reset_index()
    if not np.isfinite(rows["estimate"]).any():
        text = f"{len(shown)} comparisons without an answer by {method_phrase(tables.headline)}."
        return Figure(sentence(text), WIDTH, 2, text)
    rows["y"] = np.arange(len(rows), 0, -1)
    rows["label"] = [_label(row) for _, row in rows.iterrows()]
    labels = [wrap(contrast_label(each), 32) for each in shown]
    row = max(0.62, 0.15 + 0.22 * max(1 + label.count("\n") for label in labels))
    plot = (
        ggplot(rows, aes("estimate", "y"))
        + geom_vline(xintercept=0, color=MUTED, size=0.7)
        + geom_segment(aes(x="conf_low", xend="conf_high", yend="y"), size=1.8, color=OKABE_ITO[0])
        + geom_point(size=4.4, color=OKABE_ITO[0])
        + geom_text(aes(label="label"), nudge_y=0.34, size=11.5, color=INK)
        + scale_y_continuous(
            breaks=rows["y"].tolist(),
            labels=labels,
            limits=(0.5, len(rows) + 0.62),
        )
        + scale_x_continuous(expand=(0.14, 0))
        + labs(
            x=wrap(f"difference in {named(tables.design['roles']['outcome'], 'outcome')}", 66), y=""
        )
        + look(panel_grid_major_y=element_blank())
    )
    plot = _with_truth(plot, tables, rows)
    return Figure(plot, WIDTH, max(2.0, 0.8 + row * len(rows)), _alt(tables, rows))


def _label(row: pd.Series) -> str:
    """The estimate and its p-value, as the text above the interval."""
    return f"{fixed(row['estimate'], decimals_for(row['std_error']))}, {equals_p(row['p_value'])}"


def _with_truth(plot: ggplot, tables: Tables, rows: pd.DataFrame) -> ggplot:
    if tables.truth is None:
        return plot
    effects = [tables.truth["effects"][contrast] for contrast in rows["contrast"]]
    truth = rows.assign(truth=effects)
    return plot + geom_point(
        aes(x="truth"), data=truth, shape="D", size=3.2, color=OKABE_ITO[1], fill="white", stroke=1
    )


def _alt(tables: Tables, rows: pd.DataFrame) -> str:
    effects = "; ".join(
        f"{contrast_label(row.contrast)} {number(row.estimate)} ({number(row.conf_low)} to "
        f"{number(row.conf_high)}, {equals_p(row.p_value)})"
        for row in rows.itertuples()
    )
    text = (
        f"Differences between arms by {method_phrase(tables.headline)}, with intervals: {effects}."
    )
    return f"{text} Diamonds mark the true effects." if tables.truth is not None else text
