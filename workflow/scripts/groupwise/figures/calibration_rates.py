"""Simulated type I error and power of every method in the design of this dataset."""

from __future__ import annotations

import numpy as np
import pandas as pd
from plotnine import (
    aes,
    element_blank,
    facet_wrap,
    geom_point,
    geom_rect,
    ggplot,
    labs,
    scale_color_manual,
    scale_shape_manual,
    scale_x_sqrt,
    scale_y_continuous,
)

from groupwise.catalogue.methods import method_label, method_order
from groupwise.figures import Figure, Tables
from groupwise.figures.style import MUTED, OKABE_ITO, WIDTH, look, sentence
from groupwise.words import percent

VALID, INVALID, OPEN = "valid", "not valid", "open"
COLORS = {VALID: OKABE_ITO[0], INVALID: OKABE_ITO[1], OPEN: MUTED}
SHAPES = {VALID: "o", INVALID: "X", OPEN: "D"}
MARKS = {"valid": VALID, "conservative": VALID, "open": OPEN}
WRONG, POWER = "Type I error rate", "Power"
BREAKS = (0.01, 0.05, 0.2, 0.5, 0.9)
LEAST = 0.001
"""A rate below this is drawn here: the axis has no room to the left of it."""


def draw(tables: Tables) -> Figure:
    """Plot by method: simulated rejection rates; bands are +-2 Monte Carlo SE about the level."""
    level, rates = _level(tables), _rates(tables)
    if rates.empty:
        text = f"Nothing was simulated for this design of {tables.design['n_groups']:,} groups."
        return Figure(sentence(text), WIDTH, 2, text)
    methods = sorted(rates["method"].unique(), key=method_order)
    rates["y"] = [len(methods) - methods.index(method) for method in rates["method"]]
    rates["judged"] = pd.Categorical(rates["judged"], categories=_used(rates["judged"]))
    rates["panel"] = pd.Categorical(rates["kind"], categories=[WRONG, POWER])
    band = _band(rates[rates["kind"] == WRONG], level)
    plot = (
        ggplot(rates, aes("rate", "y", color="judged", shape="judged"))
        + geom_rect(
            aes(xmin="low", xmax="high", ymin="y - 0.45", ymax="y + 0.45"),
            data=band,
            fill=OKABE_ITO[2],
            alpha=0.3,
            inherit_aes=False,
        )
        + geom_point(size=2.6, alpha=0.75, stroke=0.4)
        + facet_wrap("panel", ncol=2, scales="free_x")
        + scale_color_manual(COLORS)
        + scale_shape_manual(SHAPES)
        + scale_x_sqrt(breaks=BREAKS, labels=lambda shares: [f"{100 * each:g}%" for each in shares])
        + scale_y_continuous(
            breaks=list(range(len(methods), 0, -1)),
            labels=[method_label(method) for method in methods],
            limits=(0.4, len(methods) + 0.6),
        )
        + labs(x="share of outcomes rejected", y="")
        + look(panel_grid_major_y=element_blank(), panel_spacing_x=0.04)
    )
    return Figure(plot, WIDTH, 1.5 + 0.3 * len(methods), _alt(rates, methods, level))


def _used(judged: pd.Series) -> list[str]:
    """The judgements that occur, in the order of the legend."""
    return [each for each in COLORS if (judged == each).any()]


def _level(tables: Tables) -> float:
    return round(1 - float(tables.design["conf_level"]), 10)


def _rates(tables: Tables) -> pd.DataFrame:
    """A row per method, contrast and scenario as the models have it: kind, rate, n, judged.

    Power at the intraclass correlation next to the estimate, as the verdict compares it.
    """
    data, verdict = tables.results["calibration"], tables.results["verdict"]
    data = data[data["dgp"] == "normal"]
    if data.empty or verdict.empty:
        return pd.DataFrame()
    name = f"rejection_{100 * _level(tables):02.0f}"
    measured = data["measure"] == (name if (data["measure"] == name).any() else "rejection_05")
    keys = ["scenario", "method", "contrast"]
    truth = data[data["measure"] == "truth"].set_index(keys)["value"]
    rows = data[measured & data["value"].notna()].set_index(keys)
    rows = rows.assign(truth=truth.reindex(rows.index)).reset_index()
    rows["kind"] = np.where(rows["truth"] == 0, WRONG, POWER)
    near = _nearest_icc(tables, rows)
    rows = rows[(rows["kind"] == WRONG) | (rows["icc"] == near)]
    rows = rows.assign(
        rate=rows["value"].clip(lower=LEAST), n=rows["n_replicates"] - rows["n_failed"]
    )
    normal = verdict[verdict["dgp"] == "normal"].set_index("method")
    marks = normal["judgement"].map(MARKS).fillna(INVALID)
    rows["judged"] = rows["method"].map(marks)
    return rows[["method", "contrast", "icc", "kind", "rate", "n", "judged"]]


def _nearest_icc(tables: Tables, rows: pd.DataFrame) -> float:
    """Of those simulated with an effect, the correlation next to the estimated one."""
    components = tables.results["variance_components"]
    reml = components[(components["estimator"] == "reml") & (components["term"] == "Intercept")]
    group = reml.loc[reml["group"] == tables.design["roles"]["group"], "variance"]
    residual = components.loc[
        (components["estimator"] == "reml") & (components["group"] == "Residual"), "variance"
    ]
    values = np.sort(rows.loc[rows["kind"] == POWER, "icc"].unique())
    if not len(values) or not len(group) or not len(residual):
        return float(values[0]) if len(values) else np.nan
    icc = group.iloc[0] / (group.iloc[0] + residual.iloc[0])
    return float(values[np.argmin(np.abs(values - icc))])


def _band(null: pd.DataFrame, level: float) -> pd.DataFrame:
    """Per method: two Monte Carlo standard errors about the nominal level."""
    rows = null.groupby(["method", "y", "panel"], observed=True)["n"].min().reset_index()
    error = 2 * np.sqrt(level * (1 - level) / rows["n"])
    return rows.assign(low=(level - error).clip(lower=LEAST), high=level + error)


def _alt(rates: pd.DataFrame, methods: list[str], level: float) -> str:
    ranges = []
    for method in methods:
        of_method = rates[rates["method"] == method]
        wrong, power = (of_method.loc[of_method["kind"] == kind, "rate"] for kind in (WRONG, POWER))
        text = f"{method_label(method)} {100 * wrong.min():.1f} to {100 * wrong.max():.1f}%"
        if len(power):
            text += f", power {percent(power.mean())}"
        ranges.append(f"{text} ({of_method['judged'].iloc[0]})")
    return (
        f"Type I error rates over the simulated scenarios, nominally {percent(level)}, and "
        f"power, by method: {'; '.join(ranges)}."
    )
