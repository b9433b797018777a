"""Type I error rates by the number of groups, a panel for each kind of model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from plotnine import (
    aes,
    element_text,
    expand_limits,
    facet_wrap,
    geom_line,
    geom_point,
    geom_ribbon,
    geom_text,
    ggplot,
    labs,
    scale_color_identity,
    scale_fill_identity,
    scale_x_log10,
    scale_y_sqrt,
)

from groupwise.catalogue.methods import METHODS, PANELS, method_label, method_order
from groupwise.figures import Figure
from groupwise.figures.study import StudyTables
from groupwise.figures.style import MUTED, OKABE_ITO, WIDTH, look, sentence
from groupwise.words import capital

BREAKS = (0, 0.05, 0.1, 0.2, 0.4, 0.7, 1)
PANEL = 2.5
"""Height of a panel in inches."""

APART = 0.105
"""Least distance of two labels, as a share of a panel's height."""


def draw(tables: StudyTables) -> Figure:
    """Plot of type I error by groups per arm, with bands of +-2 Monte Carlo SE and the level."""
    rows = colored(tables.curves(effect=False))
    if rows.empty:
        text = "No method gave an answer."
        return Figure(sentence(text), WIDTH, 2, text)
    level = rows[["groups_per_arm", "panel"]].assign(rate=tables.level)
    plot = curves(rows, level, "solid") + scale_y_sqrt(breaks=BREAKS, labels=percentages)
    plot = plot + labs(x="groups per arm", y="type I error rate")
    return Figure(plot, WIDTH, height(rows), _alt(rows, tables))


def percentages(shares: Sequence[float]) -> list[str]:
    """Shares as percentages, for the labels of an axis."""
    return [f"{100 * each:g}%" for each in shares]


def height(rows: pd.DataFrame) -> float:
    """Height of the figure in inches."""
    return 0.8 + PANEL * rows["panel"].nunique()


def colored(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows with each method's panel and colour, and the ends of its Monte Carlo band."""
    place: dict[str, tuple[str, str]] = {}
    for panel in PANELS:
        members = [
            name
            for name, method in METHODS.items()
            if method.panel == panel and not method.of_events
        ]
        place |= {name: (panel, OKABE_ITO[j % len(OKABE_ITO)]) for j, name in enumerate(members)}
    rows = rows[rows["method"].isin(place)].copy()
    panels = [panel for panel in PANELS if panel in {place[each][0] for each in rows["method"]}]
    rows["panel"] = pd.Categorical([place[each][0] for each in rows["method"]], categories=panels)
    rows["color"] = [place[each][1] for each in rows["method"]]
    rows["low"] = (rows["rate"] - 2 * rows["mcse"]).clip(lower=0)
    rows["high"] = (rows["rate"] + 2 * rows["mcse"]).clip(upper=1)
    return rows


def curves(rows: pd.DataFrame, beside: pd.DataFrame, linetype: str, power: float = 0.5) -> ggplot:
    """The lines of `colored` rows, each with its name at its right end, and a line to compare with.

    `power` is that of the y axis: 0.5 for a square root, 1 for none.
    """
    groups = sorted(rows["groups_per_arm"].unique())
    room = groups[-1] * (groups[-1] / groups[0]) ** 0.62 if len(groups) > 1 else 4 * groups[0]
    return (
        ggplot(rows, aes("groups_per_arm", "rate", color="color", group="method"))
        + (_lines(beside, linetype) if len(groups) > 1 else [])
        + geom_point(size=1.8)
        + geom_text(
            aes("groups_per_arm", "y", label="label"),
            data=end_labels(rows, power),
            ha="left",
            nudge_x=0.02,
            size=11,
        )
        + facet_wrap("panel", ncol=1, scales="free_y")
        + expand_limits(y=0)
        + scale_color_identity()
        + scale_fill_identity()
        + scale_x_log10(breaks=groups, limits=(groups[0], room), minor_breaks=[])
        + look(axis_title_x=element_text(ha="left", size=12.5))
    )


def _lines(beside: pd.DataFrame, linetype: str) -> list[geom_line | geom_ribbon]:
    """Layers: the line and Monte Carlo band of each method, and the line to compare with."""
    compared = geom_line(
        aes("groups_per_arm", "rate"),
        data=beside,
        inherit_aes=False,
        color=MUTED,
        linetype=linetype,
        size=0.9,
    )
    band = geom_ribbon(aes(ymin="low", ymax="high", fill="color"), alpha=0.15, color="none")
    return [compared, band, geom_line(size=1.1)]


def end_labels(rows: pd.DataFrame, power: float) -> pd.DataFrame:
    """Names of methods at the right ends of their lines, moved apart where they would meet."""
    last = rows.sort_values("groups_per_arm").groupby("method", sort=False).tail(1).copy()
    last["label"] = [_short(row.method, str(row.panel)) for row in last.itertuples()]
    last["y"] = 0.0
    tops = rows.groupby("panel", observed=True)["high"].max()
    for panel, of_panel in last.groupby("panel", observed=True):
        places = (of_panel["rate"].to_numpy() / tops[panel]) ** power
        last.loc[of_panel.index, "y"] = tops[panel] * moved_apart(places, APART) ** (1 / power)
    return last


def moved_apart(places: np.ndarray, least: float) -> np.ndarray:
    """(k,) places in [0, 1], moved by least squares so that neighbours are `least` apart.

    Isotonic regression of the sorted places less even steps, by pooling adjacent violators.
    """
    order = np.argsort(places, kind="stable")
    steps = least * np.arange(len(places))
    blocks: list[list[float]] = []
    for value in places[order] - steps:
        blocks.append([value])
        while len(blocks) > 1 and np.mean(blocks[-2]) > np.mean(blocks[-1]):
            blocks[-2:] = [blocks[-2] + blocks[-1]]
    level = np.concatenate([np.full(len(each), np.mean(each)) for each in blocks])
    low, high = least / 2, max(1 - least / 2 - steps[-1], least / 2)
    moved = np.empty(len(places))
    moved[order] = np.clip(level, low, high) + steps
    return moved


def _short(method: str, panel: str) -> str:
    """A method's label without what its panel says already."""
    label = method_label(method)
    short = label.removeprefix(f"{panel}, ")
    return capital(short) if len(short) > 1 else short


def _alt(rows: pd.DataFrame, tables: StudyTables) -> str:
    return (
        f"Type I error rates, nominally {100 * tables.level:g}%, by groups per arm "
        f"({tables.where}). {ends(rows)}."
    )


def ends(rows: pd.DataFrame) -> str:
    """Each method's rates with the fewest and the most groups, in words."""
    sentences = []
    for method in sorted(rows["method"].unique(), key=method_order):
        curve = rows[rows["method"] == method]
        first, last = curve.iloc[0], curve.iloc[-1]
        sentences.append(
            f"{method_label(method)}: {100 * first['rate']:.1f}% with {first['groups_per_arm']}, "
            f"{100 * last['rate']:.1f}% with {last['groups_per_arm']}"
        )
    return "; ".join(sentences)
