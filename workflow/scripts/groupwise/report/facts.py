"""What a report is about: one dataset's tables, and the numbers its sentences need."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from groupwise.words import noun


@dataclass(frozen=True)
class Facts:
    """One dataset: design.json, the results tables, provenance, and the truth if it is known."""

    design: Mapping[str, Any]
    results: Mapping[str, pd.DataFrame]
    provenance: Mapping[str, Any]
    alt: Mapping[str, str]
    headline: str
    truth: Mapping[str, Any] | None = None

    def role(self, name: str) -> str:
        """The column that plays a role, as a word."""
        return noun(self.design["roles"][name])

    @property
    def arms(self) -> list[str]:
        return list(self.design["arms"])

    @property
    def contrasts(self) -> list[str]:
        return list(self.design["contrasts"])

    @property
    def between(self) -> bool:
        """Is the treatment the same for all members of a group?"""
        return self.design["kind"] in ("between", "blocked")

    @property
    def level(self) -> float:
        return float(self.design["conf_level"])

    @property
    def alpha(self) -> float:
        return round(1 - self.level, 10)

    @property
    def interval(self) -> str:
        return f"{100 * self.level:g}%"

    def estimates(self, method: str) -> pd.DataFrame:
        """One row per contrast, in order."""
        table = self.results["estimates"]
        return table[table["method"] == method].set_index("contrast").loc[self.contrasts]

    @property
    def methods(self) -> list[str]:
        return list(dict.fromkeys(self.results["estimates"]["method"]))

    @property
    def answering(self) -> list[str]:
        """Methods that give an estimate for every contrast."""
        return [m for m in self.methods if self.estimates(m)["estimate"].notna().all()]

    def component(self, group: str) -> pd.Series | None:
        """The variance component of a level (`Residual` for the noise), None without a fit."""
        table = self.results["variance_components"]
        found = table[table["group"] == group]
        return found.iloc[0] if len(found) else None

    @property
    def group_component(self) -> pd.Series | None:
        return self.component(self.design["roles"]["group"])

    @property
    def group_effects(self) -> pd.DataFrame:
        table = self.results["random_effects"]
        return table[table["group"] == self.design["roles"]["group"]]

    @property
    def icc(self) -> float:
        """Share of the variance that lies between groups of one arm (and block)."""
        component = self.group_component
        return float("nan") if component is None else float(component["icc"])

    @cached_property
    def design_effect(self) -> float:
        """1 + (m - 1) ICC with Kish's m = sum n_g^2 / n: how much the variance of a mean grows."""
        size = self.group_effects["n_obs"].to_numpy(dtype=float)
        return float(1 + ((size**2).sum() / size.sum() - 1) * self.icc) if len(size) else np.nan

    def statistic(self, method: str, name: str) -> float:
        table = self.results["fit_statistics"]
        found = table.loc[(table["method"] == method) & (table["statistic"] == name), "value"]
        return float(found.iloc[0]) if len(found) else float("nan")
