"""One look for every figure: theme, colours, axes, words and numbers."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator
from mizani.palettes import hue_pal
from plotnine import (
    annotate,
    element_blank,
    element_line,
    element_rect,
    element_text,
    geom_vline,
    ggplot,
    guide_legend,
    guides,
    scale_color_manual,
    scale_shape_manual,
    scale_x_continuous,
    scale_x_log10,
    scale_y_continuous,
    theme,
    theme_minimal,
    theme_void,
)

from groupwise.data.sampling import counted, sampled_rows
from groupwise.effect_words import POINTS, EffectWords
from groupwise.words import MINUS

OKABE_ITO = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#5D5D5D")
"""Told apart with every common colour blindness (Okabe and Ito 2008); the darkest ones first."""

SHAPES = ("o", "s", "^", "D", "v", "P", "X")

INK, MUTED, GREYED, GRID = "#1a1a1a", "#5a5a5a", "#9a9a9a", "#e4e4e4"

REFERENCE_TINT, TINTS = 0.75, (0.5, 0.62)
"""Relative luminance of the colours behind text, of the reference arm and in turn of the others: they
differ in grey too."""

WIDTH = 7.5
"""Width of a figure in inches; text is set so that it stays readable at half of it."""

MANY_GROUPS = 40
"""Above this many groups a figure shows a group as a mark, not its members."""

MANY_POINTS = 2000
"""Above this many points their layer is drawn as an image inside the SVG."""

MOST_GROUPS, MOST_POINTS = 500, 20_000
"""Of more groups, or points, a figure draws a random sample of so many, and says so."""


def sample(table: pd.DataFrame, most: int) -> pd.DataFrame:
    """The table, or a sample of its rows in their order: the same every time."""
    return table if len(table) <= most else table.iloc[sampled_rows(len(table), most)]


def drawn(shown: int, total: int, things: str) -> str:
    """The note that a random sample is drawn; empty where all are."""
    return "" if shown == total else f"Drawn: {counted(shown, total, things)}."


class Plain(theme_minimal):
    """`theme_minimal` without math text: a dollar in a label is a dollar, in a notebook too."""

    def __init__(self, **settings: object) -> None:
        super().__init__(**settings)
        self._rcParams["text.parse_math"] = False


def look(**more: object) -> theme:
    """The theme of every figure, with a figure's own settings over it."""
    return (
        Plain(base_size=13, base_family="DejaVu Sans")
        + theme(
            text=element_text(color=INK),
            axis_text=element_text(color=INK, size=11.5),
            axis_title=element_text(size=12.5),
            strip_text=element_text(size=12.5, weight="bold", ha="left"),
            panel_grid_major=element_line(color=GRID, size=0.6),
            panel_grid_minor=element_blank(),
            panel_spacing=0.03,
            plot_background=element_rect(fill="white", color="white"),
            legend_position="top",
            legend_title=element_blank(),
            legend_text=element_text(size=12),
            legend_key_size=16,
        )
        + theme(**more)
    )


def arm_colors(arms: Sequence[str]) -> dict[str, str]:
    """A colour per arm; beyond seven arms hues at even steps, which fewer people can tell apart."""
    colors = OKABE_ITO if len(arms) <= len(OKABE_ITO) else hue_pal(l=45)(len(arms))
    return dict(zip(arms, colors, strict=False))


def arm_tints(arms: Sequence[str]) -> dict[str, str]:
    """A background per arm on which text is readable: the reference, the first one, is the lightest."""
    first, *others = arm_colors(arms).items()
    tints = zip(others, cycle(TINTS), strict=False)
    return {
        arm: _mixed_with_white(color, luminance)
        for (arm, color), luminance in [(first, REFERENCE_TINT), *tints]
    }


def _mixed_with_white(color: str, luminance: float) -> str:
    """The colour (as #rrggbb) with as much white as gives it this relative luminance."""
    srgb = np.array([int(color[j : j + 2], 16) for j in (1, 3, 5)]) / 255
    mixed = 1 - np.linspace(0, 1, 101)[:, None] * (1 - srgb)  # from white to the colour
    linear = np.where(mixed <= 0.04045, mixed / 12.92, ((mixed + 0.055) / 1.055) ** 2.4)
    nearest = np.abs(linear @ (0.2126, 0.7152, 0.0722) - luminance).argmin()
    return "#" + "".join(f"{round(255 * channel):02x}" for channel in mixed[nearest])


def arm_shapes(arms: Sequence[str]) -> dict[str, str]:
    return {arm: SHAPES[j % len(SHAPES)] for j, arm in enumerate(arms)}


def arms_abreast(arms: Sequence[str]) -> list[Any]:
    """Arms side by side at 1, 2, ..., each with its colour and shape: scales and look of a plot."""
    return [
        scale_x_continuous(
            breaks=list(range(1, len(arms) + 1)),
            labels=[wrap(arm, 66 // len(arms)) for arm in arms],
            limits=(0.6, len(arms) + 0.6),
        ),
        scale_color_manual(arm_colors(arms), guide=None),
        scale_shape_manual(arm_shapes(arms), guide=None),
        look(panel_grid_major_x=element_blank()),
    ]


def jitter(n: int, width: float) -> np.ndarray:
    """(n,) offsets in [-width/2, width/2): the Weyl sequence of the golden ratio, deterministic."""
    golden = (np.sqrt(5) - 1) / 2
    return width * ((np.arange(n) * golden) % 1 - 0.5)


def clear_legend(labels: Sequence[str] = ()) -> guides:
    """A legend with large opaque keys; in one column where labels are long."""
    stacked = {"ncol": 1} if sum(map(len, labels)) > 60 else {}
    return guides(color=guide_legend(override_aes={"size": 4, "alpha": 1}, **stacked))


def wrap(label: str, width: int = 24) -> str:
    """A label on several lines."""
    return textwrap.fill(label, width)


def row_label(label: str, width: int = 20, lines: int = 2) -> str:
    """The name of a row: on a few lines, and shortened in its middle where these do not hold it."""
    most = width * lines
    if len(label) > most:
        label = f"{label[: most // 2 - 1]}\u2026{label[-(most // 2) :]}"
    return "\n".join(textwrap.wrap(label, width)[:lines]) if len(label) > width else label


@dataclass(frozen=True)
class GroupAxis:
    """Labels of a crowded axis: upright and shortened where they would run into one another."""

    labels: list[str]
    upright: bool

    @classmethod
    def of(cls, labels: Sequence[str]) -> GroupAxis:
        upright = max(map(len, labels), default=0) * len(labels) > 70
        short = [label if len(label) <= 16 else f"{label[:15]}\u2026" for label in labels]
        return cls(short if upright else list(labels), upright)

    @property
    def settings(self) -> dict[str, element_text]:
        if not self.upright:
            return {}
        return {"axis_text_x": element_text(color=INK, size=10, rotation=90, ha="center", va="top")}

    @property
    def height(self) -> float:
        """Inches that upright labels need beyond a line."""
        return 0.09 * max(map(len, self.labels)) if self.upright else 0.0


def sentence(text: str) -> ggplot:
    """An empty plot with a sentence that says why there is nothing to draw."""
    words = annotate("text", x=0, y=0, label=wrap(text, 60), size=12, color=MUTED)
    return ggplot() + words + theme_void()


# ---- axes ----------------------------------------------------------------------------------------

LIMITS = ["conf_low", "conf_high"]

WIDEST = 50.0
"""A limit is drawn at most so many times beyond the outermost estimate of a ratio."""

RATIO_STEPS = ((1,), (1, 2, 5), (1, 1.5, 2, 3, 5, 7))
"""Breaks within each power of ten: the first that give enough are taken."""

LEAST_BREAKS = 4


def effect_axis(
    words: EffectWords, shown: pd.DataFrame, expand: float, linetype: str = "solid"
) -> list[Any]:
    """The x axis of effects with its line at no effect; `shown` has the limits that are drawn."""
    line = geom_vline(xintercept=words.null, color=MUTED, size=0.7, linetype=linetype)
    if words.response.is_ratio:
        ends = shown[[*LIMITS, "estimate"]].to_numpy(dtype=float)
        scale = scale_x_log10(
            breaks=ratio_breaks(float(np.nanmin(ends)), float(np.nanmax(ends))),
            labels=lambda values: [f"{value:g}" for value in values],
            expand=(expand, 0),
        )
    elif words.in_percent:
        scale = scale_x_continuous(labels=_hundredths, expand=(expand, 0))
    else:
        scale = scale_x_continuous(expand=(expand, 0))
    return [line, scale]


def effect_title(words: EffectWords) -> str:
    """The title of an axis of effects."""
    unit = f",{words.unit}" if words.unit else ""
    scale = " (logarithmic axis)" if words.response.is_ratio else ""
    return wrap(f"{words.of_outcome()}{unit}{scale}", 66)


def drawable(words: EffectWords, rows: pd.DataFrame) -> pd.DataFrame:
    """Rows whose limits can be drawn: of ratios none is 0, infinite or far beyond all estimates."""
    if not words.response.is_ratio or rows.empty:
        return rows
    estimate = rows["estimate"].to_numpy(dtype=float)
    low, high = np.nanmin(estimate) / WIDEST, np.nanmax(estimate) * WIDEST
    return rows.assign(**{name: rows[name].clip(lower=low, upper=high) for name in LIMITS})


def ratio_breaks(low: float, high: float) -> list[float]:
    """Breaks of a logarithmic axis, 1 among them where it is there: steps by the width of the axis."""
    ends = (low / 1.05, high * 1.05)
    if high / low < 2:  # nearly linear
        ticks = MaxNLocator(5, steps=[1, 2, 5, 10]).tick_values(low, high)
        return [float(f"{tick:g}") for tick in ticks if ends[0] <= tick <= ends[1]]
    powers = range(int(np.floor(np.log10(low))) - 1, int(np.ceil(np.log10(high))) + 2)
    for steps in RATIO_STEPS:
        breaks = [float(f"{step * 10.0**power:g}") for power in powers for step in steps]
        inside = [each for each in breaks if ends[0] <= each <= ends[1]]
        if len(inside) >= LEAST_BREAKS:
            break
    return inside


def level_axis(words: EffectWords) -> list[Any]:
    """The y axis of means: of risks in per cent."""
    return [scale_y_continuous(labels=_percents)] if words.response.family == "binary" else []


def spread_axis(words: EffectWords, axis: str = "x") -> list[Any]:
    """The axis of deviations between means: of risks in percentage points."""
    if words.response.family != "binary":
        return []
    scale = scale_x_continuous if axis == "x" else scale_y_continuous
    return [scale(labels=_hundredths)]


def spread_title(words: EffectWords, what: str) -> str:
    """The title of an axis of deviations: `predicted effect on score`, of risks with their unit."""
    if words.response.family == "continuous":
        return f"{what} {words.outcome}"
    unit = f",{POINTS}" if words.response.family == "binary" else ""
    return f"{what} the {words.mean} of {words.outcome}{unit}"


def level_title(words: EffectWords, outcome: str) -> str:
    """The title of an axis of means: of events the share or the rate of them."""
    family = words.response.family
    if family == "binary":
        return f"share with {outcome}"
    return f"rate of {outcome}{words.per}" if family == "count" else outcome


def _percents(values: list[float]) -> list[str]:
    return [f"{round(100 * value, 6):g}%" for value in values]


def _hundredths(values: list[float]) -> list[str]:
    return [f"{round(100 * value, 6):g}".replace("-", MINUS) for value in values]
