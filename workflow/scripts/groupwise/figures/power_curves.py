"""Power by the number of groups, for an experiment like the one at hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
from plotnine import (
    aes,
    geom_hline,
    geom_line,
    geom_point,
    geom_vline,
    ggplot,
    labs,
    scale_color_manual,
    scale_linetype_manual,
    scale_x_log10,
    scale_y_continuous,
)

from groupwise.catalogue.methods import method_phrase
from groupwise.effect_words import EffectWords
from groupwise.figures import Figure, Tables
from groupwise.figures.style import INK, MUTED, OKABE_ITO, WIDTH, look, sentence, wrap
from groupwise.words import article, percent, plural, role_word, signed

SCENARIOS = ("low", "estimate", "high")
BREAKS = (2, 3, 5, 10, 20, 30, 50, 100, 200, 500)


def draw(tables: Tables) -> Figure:
    """Plot of power by number of groups: a line per intraclass correlation and group size."""
    rows = tables.results["planning"]
    rows = rows[(rows["question"] == "curve") & rows["power"].notna()].copy()
    if rows.empty:
        n = tables.design["n_groups"]
        text = f"There is no power curve for an experiment like this one with {n:,} groups."
        return Figure(sentence(text), WIDTH, 2, text)
    group, n_groups = role_word(tables.design["roles"], "group"), _actual_groups(tables)
    actual_size = _actual_size(rows)
    rows["correlation"] = _ordered(rows["icc"], "ICC {:.2f}")
    rows["members"] = _ordered(rows["size"], "groups of {:.0f}")
    first = rows.iloc[0]
    where = "groups" if tables.design["kind"] == "within" else "groups in the reference arm"
    others = iter(("dashed", "dotted", "dashdot"))
    styles = [
        "solid" if np.isclose(size, actual_size) else next(others)
        for size in sorted(rows["size"].unique())
    ]
    plot = (
        ggplot(rows, aes("groups", "power", color="correlation", linetype="members"))
        + geom_hline(yintercept=first["wanted_power"], color=MUTED, size=0.7)
        + geom_vline(xintercept=n_groups, color=INK, linetype="dotted", size=0.9)
        + geom_line(size=1.2)
        + geom_point(size=1.6)
        + scale_color_manual(OKABE_ITO)
        + scale_linetype_manual(styles)
        + scale_x_log10(breaks=BREAKS, labels=lambda breaks: [f"{each:g}" for each in breaks])
        + scale_y_continuous(
            limits=(0, 1),
            breaks=(0, 0.2, 0.4, 0.6, 0.8, 1),
            labels=lambda v: [percent(x) for x in v],
        )
        + labs(
            x=f"{where} ({plural(group)})" if group != "group" else where,
            y=wrap(f"power for {_what(tables, first['effect'])}", 40),
        )
        + look(legend_box="vertical", legend_box_spacing=0.01)
    )
    return Figure(plot, WIDTH, 4.8, _alt(tables, rows, n_groups, where))


def _what(tables: Tables, effect: float) -> str:
    """The effect that is to be found, with what it is."""
    words = EffectWords.of(tables.design)
    size = words.short(effect) if words.response.has_events else signed(float(f"{effect:.3g}"))
    return f"{article(words.noun)} of {size}"


def _actual_groups(tables: Tables) -> int:
    """Groups of the actual experiment: all of them, or those of the reference arm."""
    design = tables.design
    if design["kind"] == "within":
        return int(design["n_groups"])
    return int(next(iter(design["arms"].values()))["n_groups"])


def _actual_size(rows: pd.DataFrame) -> float:
    """The actual mean group size, which is the one that all scenarios are computed for."""
    several = rows.groupby("size")["scenario"].nunique()
    return float(several.idxmax())


def _ordered(values: pd.Series, words: str) -> pd.Categorical:
    """Numbers as labels, in their order."""
    labels = [words.format(value) for value in np.sort(values.unique())]
    return pd.Categorical(values.map(words.format), categories=list(dict.fromkeys(labels)))


def _alt(tables: Tables, rows: pd.DataFrame, n_groups: int, where: str) -> str:
    first, lines = rows.iloc[0], []
    for (icc, members), curve in rows.groupby(["correlation", "members"], observed=True):
        low, high = curve.loc[curve["groups"].idxmin()], curve.loc[curve["groups"].idxmax()]
        lines.append(
            f"{icc}, {members}: {percent(low['power'])} with {low['groups']:.0f}, "
            f"{percent(high['power'])} with {high['groups']:.0f}"
        )
    return (
        f"Power of {method_phrase(first['method'])} for {_what(tables, first['effect'])} by "
        f"the number of {where}. {'; '.join(lines)}. A dotted line marks the {n_groups} at hand, a line "
        f"the wanted {percent(first['wanted_power'])}."
    )
