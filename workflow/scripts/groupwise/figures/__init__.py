"""Figures: one module each, found by its file name, all with one function.

draw(tables: Tables) -> Figure

A figure that concerns only data in which a column plays a role names it: `NEEDS_ROLE = "period"`.
"""

from __future__ import annotations

import importlib
import io
import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import matplotlib
import pandas as pd
from plotnine import ggplot, theme

from groupwise import svg

PNG_DPI = 200


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
    metadata = {"Date": None} if file_format == "svg" else {"Software": None}
    settings = {
        "svg.hashsalt": "groupwise",
        "svg.fonttype": "path",
        "savefig.dpi": PNG_DPI,
        "text.parse_math": False,  # a dollar in a label is a dollar
    }
    buffer = io.BytesIO()
    with matplotlib.rc_context(settings):
        figure.plot.save(
            buffer,
            format=file_format,
            width=figure.width,
            height=figure.height,
            dpi=PNG_DPI,
            verbose=False,
            limitsize=False,
            metadata=metadata,
        )
    if file_format == "svg":
        return svg.themed(buffer.getvalue().decode()).encode()
    return buffer.getvalue()
