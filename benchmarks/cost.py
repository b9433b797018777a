"""How cost grows with rows: the fit, Kenward-Roger, and the whole process from Parquet to p-values."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from experiments import experiment, write_parquet
from mixed import WholeProcess, from_parquet
from plotnine import (
    aes,
    facet_wrap,
    geom_line,
    geom_point,
    ggplot,
    labs,
    scale_color_manual,
    scale_shape_manual,
    scale_x_log10,
    scale_y_log10,
)

from groupwise.figures import Figure, render
from groupwise.figures.style import OKABE_ITO, SHAPES, look

SECONDS, MEMORY = "Processor seconds", "Peak memory, MB"
SERIES = (
    "whole process, Parquet to p-values",
    "the same once the program is loaded",
    "fit",
    "Kenward-Roger",
)
LAST = 2
"""Growth is that between so many of the largest sizes: below, fixed costs are what counts."""


def measure(numbers: Sequence[int], times: int) -> pd.DataFrame:
    """A row per number of rows, series and panel: columns rows, series, panel, value."""
    parts = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "experiment.parquet"
        for n in numbers:
            write_parquet(path, experiment(n, n // 50, covariate=True, balanced=False))
            parts += points(n, from_parquet(path, times))
    return pd.DataFrame(parts, columns=["rows", "series", "panel", "value"])


def points(n: int, whole: WholeProcess) -> list[tuple[int, str, str, float]]:
    steps = whole.steps
    seconds = (whole.total.cpu, whole.inside.cpu, steps["fit"], steps["kenward_roger"])
    made = [(n, name, SECONDS, value) for name, value in zip(SERIES, seconds, strict=True)]
    return [*made, (n, SERIES[0], MEMORY, whole.peak_mb)]


def exponents(costs: pd.DataFrame) -> dict[tuple[str, str], float]:
    """The power of the number of rows that each cost grows with, by panel and series."""
    found = {}
    for (panel, series), part in costs.groupby(["panel", "series"]):
        large = part.nlargest(LAST, "rows")
        slope = np.polyfit(np.log(large["rows"]), np.log(large["value"]), 1)[0]
        found[str(panel), str(series)] = float(slope)
    return found


def draw(costs: pd.DataFrame) -> Figure:
    """Both panels on logarithmic scales, with the exponents in the legend."""
    power = exponents(costs)
    names = {series: f"{series}: rows^{power[SECONDS, series]:.2f}" for series in SERIES}
    labels = list(names.values())
    frame = costs.assign(
        series=pd.Categorical(costs["series"].map(names), categories=labels),
        panel=pd.Categorical(costs["panel"], categories=[SECONDS, MEMORY]),
    )
    plot = (
        ggplot(frame, aes("rows", "value", color="series", shape="series"))
        + geom_line(size=0.8)
        + geom_point(size=2.6)
        + facet_wrap("panel", scales="free_y", ncol=2)
        + scale_x_log10(labels=lambda breaks: [power_of_ten(b) for b in breaks])
        + scale_y_log10(labels=lambda breaks: [f"{b:,.4g}" for b in breaks])
        + scale_color_manual(values=dict(zip(labels, OKABE_ITO, strict=False)))
        + scale_shape_manual(values=dict(zip(labels, SHAPES, strict=False)))
        + labs(x="Rows", y="")
        + look(legend_direction="vertical")
    )
    return Figure(plot, 8.5, 4.6, describe(costs, power))


def describe(costs: pd.DataFrame, power: dict[tuple[str, str], float]) -> str:
    """The alternative text."""
    rows = costs["rows"]
    last = costs[rows == rows.max()].set_index(["panel", "series"])["value"]
    return (
        f"Two panels on logarithmic scales, from {rows.min():,} to {rows.max():,} rows. Processor "
        f"seconds at the right end: {last[SECONDS, SERIES[0]]:.2g} for the whole process, "
        f"{last[SECONDS, 'fit']:.2g} for the fit, {last[SECONDS, 'Kenward-Roger']:.1g} for "
        f"Kenward-Roger; peak memory {last[MEMORY, SERIES[0]]:,.0f} MB. For many rows the fit grows "
        f"with their number to the power {power[SECONDS, 'fit']:.2f}."
    )


def power_of_ten(value: float) -> str:
    return "10" + str(round(np.log10(value))).translate(str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹"))


def write(figure: Figure, path: Path) -> None:
    path.write_bytes(render(figure, "svg"))
