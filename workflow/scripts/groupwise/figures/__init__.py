"""Figures: one module each, found by its file name, all with one function.

draw(tables: Tables) -> Figure

A figure that concerns only data in which a column plays a role names it: `NEEDS_ROLE = "period"`.
"""

from __future__ import annotations

import importlib
import io
import pkgutil
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib
import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.text import Text
from matplotlib.ticker import Formatter
from plotnine import ggplot, theme
from plotnine._mpl.layout_manager._spaces import GridSpecParams
from plotnine._mpl.text import StripText

from groupwise import svg
from groupwise.words import MINUS

PNG_DPI, SVG_DPI = 200, 72  # Matplotlib lays out every SVG at 72
PNG_EFFORT = 3
"""Of zlib's 9: half the time of its usual 6, for files a seventh larger."""

CANVASES = {"svg": FigureCanvasSVG, "png": FigureCanvasAgg}
UNLAID = GridSpecParams(left=0, right=1, top=1, bottom=0, wspace=0, hspace=0)
"""Where the panels are in a new drawing: all over it."""


NEGATIVE = re.compile(r"^-(?=[\d.])")
"""The sign of a negative number, where labels of axes have a hyphen."""


class MinusSigns(Formatter):  # type: ignore[misc, unused-ignore]
    """The labels of an axis, with true minus signs."""

    def __init__(self, labels: Formatter) -> None:
        self.labels = labels

    def __call__(self, x: float, pos: int | None = None) -> str:
        return NEGATIVE.sub(MINUS, self.labels(x, pos))

    def set_locs(self, locs: Any) -> None:
        self.labels.set_locs(locs)


@dataclass(frozen=True)
class Tables:
    """What a figure may look at; `truth` where the data were simulated."""

    data: pd.DataFrame
    design: Mapping[str, Any]
    results: Mapping[str, pd.DataFrame]
    headline: str
    truth: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Figure:
    """A plot, its size in inches, and a sentence for those who do not see it."""

    plot: ggplot
    width: float
    height: float
    alt: str

    def sized(self) -> ggplot:
        """The plot with its size in it, to be displayed by itself."""
        return self.plot + theme(figure_size=(self.width, self.height))


def names(roles: Mapping[str, Any] | None = None) -> list[str]:
    """Names of the figures of datasets, or of one with these roles; the study's are in `study`."""
    modules = {each.name for each in pkgutil.iter_modules(__path__) if not each.ispkg} - {"style"}
    return sorted(name for name in modules if roles is None or _concerns(name, roles))


def needed_role(name: str) -> str | None:
    """The role that a column has to play for this figure; None where it needs none."""
    return getattr(_module(name), "NEEDS_ROLE", None)


def _concerns(name: str, roles: Mapping[str, Any]) -> bool:
    role = needed_role(name)
    return role is None or bool(roles.get(role))


def _module(name: str) -> Any:
    return importlib.import_module(f"{__name__}.{name}")


def draw(name: str, tables: Tables) -> Figure:
    """Draw the figure of this name for one dataset."""
    figure: Figure = _module(name).draw(tables)
    return figure


def render(figure: Figure, file_format: str) -> bytes:
    """The figure as `svg` or `png`: the same bytes each time."""
    return rendered(figure, [file_format])[file_format]


def rendered(figure: Figure, formats: Sequence[str] = ("svg", "png")) -> dict[str, bytes]:
    """The figure in each of these formats, from one drawing: building a plot takes longest."""
    settings = {
        "svg.hashsalt": "groupwise",
        "svg.fonttype": "path",
        "text.parse_math": False,  # a dollar in a label is a dollar
    }
    with matplotlib.rc_context(settings):
        drawing = figure.plot.save_helper(
            width=figure.width, height=figure.height, dpi=PNG_DPI, verbose=False, limitsize=False
        ).figure
        with matplotlib.rc_context(figure.plot.theme.rcParams):
            for axes in drawing.axes:
                for axis in (axes.xaxis, axes.yaxis):
                    axis.set_major_formatter(MinusSigns(axis.get_major_formatter()))
                    axis.get_ticklabels()  # which are made anew, to be laid out
            layout = drawing.get_layout_engine()
            texts = [(text, *_place(text)) for text in drawing.findobj(Text)]
            return {each: _printed(drawing, layout, texts, each) for each in formats}


def _printed(drawing: Any, layout: Any, texts: Sequence[Any], file_format: str) -> bytes:
    """A drawing laid out and written; `savefig` would draw all of it once more for its layout."""
    buffer, canvas = io.BytesIO(), CANVASES[file_format](drawing)
    drawing.set_dpi(SVG_DPI if file_format == "svg" else PNG_DPI)
    _unlay(drawing, texts)
    layout.execute(drawing)
    drawing.set_layout_engine("none")
    drawing.set_dpi(PNG_DPI)
    if file_format == "png":
        canvas.print_png(
            buffer, metadata={"Software": None}, pil_kwargs={"compress_level": PNG_EFFORT}
        )
        return buffer.getvalue()
    canvas.print_svg(buffer, metadata={"Date": None})
    return svg.themed(buffer.getvalue().decode()).encode()


def _unlay(drawing: Any, texts: Sequence[Any]) -> None:
    """Undo an earlier layout, which the next one would read: where panels and texts are, and strips
    that are as tall as the tallest.
    """
    for axes in drawing.axes[:1]:
        axes.get_gridspec().layout(UNLAID)
    for text, position, ha, va in texts:
        text.set(position=position, ha=ha, va=va)
    for strip in drawing.findobj(StripText):
        strip.patch.expand = 1


def _place(text: Text) -> tuple[Any, str, str]:
    """Where a text is, and how it is aligned there."""
    return text.get_position(), text.get_horizontalalignment(), text.get_verticalalignment()
