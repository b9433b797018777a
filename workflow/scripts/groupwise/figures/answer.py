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
    ggplot,
    labs,
    scale_y_continuous,
)

from groupwise.catalogue.methods import method_phrase
from groupwise.effect_words import EffectWords
from groupwise.figures import Figure, Tables
from groupwise.figures.style import (
    INK,
    OKABE_ITO,
    WIDTH,
    drawable,
    effect_axis,
    effect_title,
    look,
    sentence,
    wrap,
)
from groupwise.words import equals_p

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
    words = EffectWords.of(tables.design)
    rows["y"] = np.arange(len(rows), 0, -1)
    rows["label"] = [_label(words, row) for _, row in rows.iterrows()]
    labels = [wrap(words.comparison(each), 32) for each in shown]
    drawn = drawable(words, rows)
    row = max(0.62, 0.15 + 0.22 * max(1 + label.count("\n") for label in labels))
    plot = (
        ggplot(drawn, aes("estimate", "y"))
        + effect_axis(words, drawn, 0.14)
        + geom_segment(aes(x="conf_low", xend="conf_high", yend="y"), size=1.8, color=OKABE_ITO[0])
        + geom_point(size=4.4, color=OKABE_ITO[0])
        + geom_text(aes(label="label"), nudge_y=0.34, size=11.5, color=INK)
        + scale_y_continuous(
            breaks=rows["y"].tolist(),
            labels=labels,
            limits=(0.5, len(rows) + 0.62),
        )
        + labs(x=effect_title(words), y="")
        + look(panel_grid_major_y=element_blank())
    )
    plot = _with_truth(plot, tables, rows)
    return Figure(plot, WIDTH, max(2.0, 0.8 + row * len(rows)), _alt(tables, words, rows))


def _label(words: EffectWords, row: pd.Series) -> str:
    """The estimate and its p-value, as the text above the interval."""
    estimate = words.effect(row["estimate"], words.decimals(row["std_error"]))
    return f"{estimate}{words.unit}, {equals_p(row['p_value'])}"


def _with_truth(plot: ggplot, tables: Tables, rows: pd.DataFrame) -> ggplot:
    if tables.truth is None:
        return plot
    effects = [tables.truth["effects"][contrast] for contrast in rows["contrast"]]
    truth = rows.assign(truth=effects)
    return plot + geom_point(
        aes(x="truth"), data=truth, shape="D", size=3.2, color=OKABE_ITO[1], fill="white", stroke=1
    )


def _alt(tables: Tables, words: EffectWords, rows: pd.DataFrame) -> str:
    effects = "; ".join(
        f"{words.comparison(row.contrast)} {words.short(row.estimate)} ({words.bare(row.conf_low)} to "
        f"{words.bare(row.conf_high)}, {equals_p(row.p_value)})"
        for row in rows.itertuples()
    )
    text = f"{words.of_arms()} by {method_phrase(tables.headline)}, with intervals: {effects}."
    return f"{text} Diamonds mark the {words.true_effect}s." if tables.truth is not None else text
