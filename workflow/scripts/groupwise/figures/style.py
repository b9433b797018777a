"""One look for every figure: theme, colours, words and numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from plotnine import (
    element_blank,
    element_line,
    element_rect,
    element_text,
    guide_legend,
    guides,
    theme,
    theme_minimal,
)

OKABE_ITO = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#5D5D5D")
"""Told apart with every common colour blindness (Okabe and Ito 2008); the darkest ones first."""

SHAPES = ("o", "s", "^", "D", "v", "P", "X")

INK, MUTED, GRID = "#1a1a1a", "#5a5a5a", "#e4e4e4"

WIDTH = 7.5
"""Width of a figure in inches; text is set so that it stays readable at half of it."""

MANY_GROUPS = 40
"""Above this many groups a figure shows a group as a mark, not its members."""

MANY_POINTS = 2000
"""Above this many points their layer is drawn as an image inside the SVG."""


def look(**more: object) -> theme:
    """The theme of every figure, with a figure's own settings over it."""
    return (
        theme_minimal(base_size=13, base_family="DejaVu Sans")
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
    """A colour per arm; beyond seven arms colours repeat and the labels must tell."""
    return {arm: OKABE_ITO[j % len(OKABE_ITO)] for j, arm in enumerate(arms)}


def arm_shapes(arms: Sequence[str]) -> dict[str, str]:
    return {arm: SHAPES[j % len(SHAPES)] for j, arm in enumerate(arms)}


def jitter(n: int, width: float) -> np.ndarray:
    """Offsets that look random, spread evenly, and are the same every time (Weyl sequence)."""
    golden = (np.sqrt(5) - 1) / 2
    return width * ((np.arange(n) * golden) % 1 - 0.5)


def clear_legend() -> guides:
    """Keys of a legend large and opaque, whatever the marks they stand for."""
    return guides(color=guide_legend(override_aes={"size": 4, "alpha": 1}))
