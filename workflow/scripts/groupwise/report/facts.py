"""The facts of one report: one dataset's tables, and the numbers its sentences need."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from groupwise.effect_words import EffectWords
from groupwise.words import has_word, named, plural, role_word, row_word, sized


@dataclass(frozen=True)
class Facts:
    """One dataset: design.json, the results tables, and the other files of its folder.

    `verdict` says which method leads, `calibration` what was simulated; `truth` holds the
    true effects of simulated data.
    """

    design: Mapping[str, Any]
    results: Mapping[str, pd.DataFrame]
    provenance: Mapping[str, Any]
    alt: Mapping[str, str]
    verdict: Mapping[str, Any]
    calibration: Mapping[str, Any]
    truth: Mapping[str, Any] | None = None

    @property
    def headline(self) -> str:
        """The method that comes first."""
        return str(self.verdict["lead"])

    def role(self, name: str) -> str:
        """The column that plays a role, as a word: of units a noun in every case."""
        return role_word(self.design["roles"], name)

    def has_word(self, name: str) -> bool:
        """Whether the units of a role are called as their column is."""
        return has_word(self.design["roles"], name)

    @cached_property
    def words(self) -> EffectWords:
        """How effects and means of the outcome are written."""
        return EffectWords.of(self.design)

    @property
    def outcome(self) -> str:
        """The outcome within a sentence."""
        return named(self.design["roles"]["outcome"], "outcome")

    @property
    def row(self) -> str:
        """What a row of the data is: individual, measurement or row."""
        return row_word(self.design)

    @property
    def rows(self) -> str:
        return plural(self.row)

    @property
    def size(self) -> str:
        """How many rows there are, and of how many individuals where these have several."""
        return sized(self.design)

    def of_rows(self, sentence: str) -> str:
        """A method's message, with the word for the rows of these data for `individuals`."""
        return sentence.replace(" count individuals,", f" count {self.rows},")

    @property
    def repeated(self) -> bool:
        """Whether individuals, who are not the groups, have several rows each."""
        roles = self.design["roles"]
        who = roles.get("individual")
        return self.row == "measurement" and bool(who) and who != roles["group"]

    @property
    def alerts(self) -> list[str]:
        """What a reader must know before any number."""
        return list(self.design.get("alerts", ()))

    @property
    def assigned(self) -> str | None:
        """The unit of randomisation that was declared, or simulated; None where it is not known."""
        unit = self.design.get("assigned")
        simulated = self.design.get("source", {}).get("simulated")
        if unit is None and simulated and (self.between or self.changes):
            return str(self.design["unit"]["unit"])
        return unit

    @property
    def arms(self) -> list[str]:
        return list(self.design["arms"])

    @property
    def contrasts(self) -> list[str]:
        return list(self.design["contrasts"])

    def comparison(self, contrast: str) -> str:
        """A contrast as a reader sees it: `B − A`, of ratios `B vs A`."""
        return self.words.comparison(contrast)

    def against_reference(self, arm: str) -> str:
        """The contrast of an arm with the reference, as a reader sees it."""
        return self.comparison(f"{arm} - {self.arms[0]}")

    @property
    def between(self) -> bool:
        """Is the treatment the same for all members of a group?"""
        return self.design["kind"] in ("between", "blocked")

    @property
    def changes(self) -> bool:
        """Do whole groups change their arm from period to period?"""
        return self.design["kind"] == "periods"

    @property
    def periods(self) -> Mapping[str, Any] | None:
        """Periods, sequences and cells, as in design.json; None without periods."""
        periods: Mapping[str, Any] | None = self.design.get("periods")
        return periods

    @property
    def has_cells(self) -> bool:
        """Whether the mixed model has effects of groups in periods."""
        return self.periods is not None and bool(self.periods["cell_effects"])

    @property
    def has_individuals(self) -> bool:
        """Whether the mixed model has effects of individuals, who have several rows."""
        return bool(self.design.get("individual_level"))

    @property
    def random_blocks(self) -> bool:
        return self.design["blocks_as"] == "random"

    @property
    def slopes(self) -> bool:
        """Do groups differ in the effect of the treatment, in the mixed model?"""
        return self.design["random_slopes"] != "none"

    @property
    def has_one_intercept(self) -> bool:
        """Whether the groups are the only random effect of the mixed model."""
        further = self.random_blocks or self.design["second_group"]
        return not (self.slopes or further or self.has_cells or self.has_individuals)

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
        return self._estimates[method]

    @cached_property
    def _estimates(self) -> dict[str, pd.DataFrame]:
        """The estimates of each method, which sentences ask for hundreds of times."""
        table = self.results["estimates"].set_index("contrast")
        methods = table.groupby("method", sort=False)
        return {str(method): rows.loc[self.contrasts] for method, rows in methods}

    @property
    def methods(self) -> list[str]:
        return list(self._estimates)

    @cached_property
    def answering(self) -> list[str]:
        """Methods that give an estimate for every contrast."""
        return [m for m in self.methods if self.estimates(m)["estimate"].notna().all()]

    @cached_property
    def components(self) -> pd.DataFrame:
        """Variance components by REML."""
        table = self.results["variance_components"]
        return table[(table["estimator"] == "reml") & (table["method"] == "mixed_wald")]

    def means(self, method: str) -> pd.DataFrame:
        """Marginal means of a method, one row per arm, in order; no rows where it has none."""
        table = self.results["marginal_means"]
        rows = table[(table["method"] == method) & table["estimate"].notna()].set_index("arm")
        return rows.loc[self.arms] if set(self.arms) <= set(rows.index) else rows.iloc[:0]

    @property
    def plain_methods(self) -> tuple[str, str]:
        """The plain methods of the pooled and of the mixed model."""
        ratio = self.words.response.is_ratio
        return ("glm_wald", "glmm_wald") if ratio else ("ols_classical", "mixed_wald")

    def component(self, group: str) -> pd.Series | None:
        """The variance component of a level (`Residual` for the noise), None without a fit.

        With random slopes that of the intercept, which comes first.
        """
        table = self.components
        rows = table[table["group"] == group]
        return rows.iloc[0] if len(rows) else None

    @property
    def group_component(self) -> pd.Series | None:
        return self.component(self.design["roles"]["group"])

    @property
    def slope_components(self) -> pd.DataFrame:
        """Variance components of the random slopes, one row per arm but the reference."""
        table = self.components
        is_slope = (table["group"] == self.design["roles"]["group"]) & table["term"].isin(self.arms)
        return table[is_slope]

    @property
    def group_effects(self) -> pd.DataFrame:
        """One row per group; with random slopes in the reference arm."""
        table = self.results["random_effects"]
        table = table[table["method"] == "mixed_wald"]
        of_groups = table["group"] == self.design["roles"]["group"]
        return table[of_groups & (table["term"] == "Intercept")]

    @property
    def icc(self) -> float:
        """Intraclass correlation: share of the variance between groups of one arm (and block).

        sigma_u^2 / (sigma_u^2 + sigma_e^2) by REML, between 0 and 1; NaN where there is no fit. With
        periods it is that of one period: sigma_u^2 includes effects of groups in periods, and sigma_e^2
        those of individuals.

        Not the share of the total in the variance components: random blocks are part of that. With
        random slopes in the reference arm.
        """
        if self.group_component is None or self.component("Residual") is None:
            return float("nan")
        between = self.variance_between
        within = self._variance("Residual") + self._variance(
            str(self.design["roles"]["individual"])
        )
        return between / (between + within)

    @property
    def variance_between(self) -> float:
        """Variance between groups in one period, by REML; NaN without a fit."""
        group = self.design["roles"]["group"]
        return self._variance(group, np.nan) + self._variance(self.cell_level)

    @property
    def cac(self) -> float:
        """Cluster autocorrelation: share of the variance between groups that lasts over periods."""
        between = self.variance_between
        lasting = self._variance(self.design["roles"]["group"], np.nan)
        return lasting / between if between > 0 else 1.0

    @property
    def cell_level(self) -> str:
        """What tables call the level of groups in periods."""
        return f"{self.design['roles']['group']} by {self.design['roles'].get('period')}"

    def _variance(self, group: str, otherwise: float = 0.0) -> float:
        component = self.component(group)
        return otherwise if component is None else float(component["variance"])

    @cached_property
    def design_effect(self) -> float:
        """Design effect, by which grouping multiplies the variance of a mean; NaN without a fit.

        1 + (m - 1) ICC with m = sum n_g^2 / n, the size-weighted mean group size (Kish 1965).
        """
        size = self.group_effects["n_obs"].to_numpy(dtype=float)
        return float(1 + ((size**2).sum() / size.sum() - 1) * self.icc) if len(size) else np.nan

    def statistic(self, method: str, name: str) -> float:
        """A fit statistic of a method, by its name in `fit_statistics`; NaN where there is none."""
        table = self.results["fit_statistics"]
        values = table.loc[(table["method"] == method) & (table["statistic"] == name), "value"]
        return float(values.iloc[0]) if len(values) else float("nan")
