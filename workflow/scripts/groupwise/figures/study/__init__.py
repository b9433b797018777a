"""Figures of the general study: one module each, found by its file name, all with one function.

draw(tables: StudyTables) -> Figure
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from groupwise.figures import Figure


@dataclass(frozen=True)
class StudyTables:
    """What a figure may look at: table `study_rates`, and what was simulated (study.json)."""

    rates: pd.DataFrame
    overview: Mapping[str, Any]

    @property
    def level(self) -> float:
        return float(self.overview["rules"]["level"])

    @property
    def example(self) -> Mapping[str, float]:
        """The cell that stands for others: the lecture's, or the one next to it."""
        example: Mapping[str, float] = self.overview["example"]
        return example

    @property
    def null(self) -> pd.DataFrame:
        """Scenarios without an effect."""
        return self.rates[self.rates["effect"] == 0]

    def curves(self, *, effect: bool) -> pd.DataFrame:
        """Rejection rates by number of groups, other factors as in the example; NaN left out."""
        rows = self.rates[(self.rates["effect"] != 0) == effect]
        for name in ("size", "imbalance", "icc"):
            rows = rows[rows[name] == self.example[name]]
        return rows[rows["rate"].notna()].sort_values(["method", "groups_per_arm"])

    def invalid(self) -> set[str]:
        """Methods that are shown to be invalid somewhere along these curves."""
        rows = self.curves(effect=False)
        return set(rows.loc[rows["judgement"] == "invalid", "method"])

    @property
    def where(self) -> str:
        """The factors held fixed along the curves, in words."""
        cell = self.example
        return f"{members(cell['size'], cell['imbalance'])}, ICC {cell['icc']:g}"


def members(size: float, imbalance: float) -> str:
    """Groups of one size, or of sizes that vary, in words."""
    if imbalance == 0:
        return f"groups of {size:g}"
    return f"groups of {size:g} on average, sizes varying by {imbalance:g}"


def draw(name: str, tables: StudyTables) -> Figure:
    """Draw the study's figure of this name."""
    figure: Figure = importlib.import_module(f"{__name__}.{name}").draw(tables)
    return figure
