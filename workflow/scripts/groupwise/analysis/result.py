"""What `groupwise.analyse` gives: the tables, the figures, and a summary in words."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import pandas as pd
from plotnine import ggplot

from groupwise.analysis.studies import Calibration, calibrated, planned
from groupwise.data.errors import InputError, nearest
from groupwise.data.validate import ROLES
from groupwise.figures import Figure, Tables, draw, names
from groupwise.report import prose
from groupwise.report.facts import Facts
from groupwise.report.markdown import bullets, escape
from groupwise.specifications import Sample
from groupwise.words import contrast_label, count, method_label


@dataclass(frozen=True, eq=False, repr=False)
class Analysis:
    """One analysed dataset; displayed by itself it is a summary.

    Tables are those of results/ by the same names, columns and numbers.

    Attributes
    ----------
    data : the rows that were analysed, typed, the reference arm first
    design : what was understood of the experiment, as in design.json
    headline : the method the summary leads with
    estimates : a row per method and contrast
    marginal_means : a row per method and arm
    omnibus : a row per method, the test of no treatment effect at all
    coefficients, variance_components, random_effects : of the models
    adjusted : p-values and intervals of all contrasts together, by Holm and Tukey
    aliasing : what different conventions make of the dummy model
    agreement : statsmodels beside the engine
    fit_statistics, residuals, diagnostics : what checks of the models look at, and say
    truth : true effects, where they were given
    """

    data: pd.DataFrame
    design: Mapping[str, Any]
    headline: str
    estimates: pd.DataFrame
    marginal_means: pd.DataFrame
    coefficients: pd.DataFrame
    omnibus: pd.DataFrame
    adjusted: pd.DataFrame
    agreement: pd.DataFrame
    variance_components: pd.DataFrame
    random_effects: pd.DataFrame
    aliasing: pd.DataFrame
    fit_statistics: pd.DataFrame
    residuals: pd.DataFrame
    diagnostics: pd.DataFrame
    truth: Mapping[str, Any] | None
    sample: Sample = field(repr=False)

    @cached_property
    def tables(self) -> dict[str, pd.DataFrame]:
        """Every results table by its name."""
        values = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {
            name: value
            for name, value in values.items()
            if isinstance(value, pd.DataFrame) and name != "data"
        }

    @property
    def warnings(self) -> list[str]:
        """Sentences a reader of the results should know."""
        return list(self.design["warnings"])

    @property
    def figures(self) -> list[str]:
        """Names of the figures there are."""
        return names()

    def figure(self, name: str) -> ggplot:
        """A figure of the report; it displays itself, and other layers can be added to it.

        Raises
        ------
        InputError
            A ValueError, for a figure there is not.
        """
        return self._drawn(name).sized()

    def alt_text(self, name: str) -> str:
        """What a figure shows, in words."""
        return self._drawn(name).alt

    def _drawn(self, name: str) -> Figure:
        if name not in self.figures:
            hint = nearest(str(name), self.figures)
            raise InputError("name", f"there is no figure '{name}'", hint)
        columns = [self.design["roles"][role] for role in ROLES if role != "second_group"]
        tables = Tables(
            data=self.data[list(filter(None, columns))],
            design=self.design,
            results=self.tables,
            headline=self.headline,
            truth=self.truth,
        )
        return draw(name, tables)

    def calibrate(
        self,
        *,
        replicates: int = 1000,
        slow_replicates: int = 0,
        effects: Mapping[str, float] | None = None,
        iccs: Sequence[float] = (),
        processes: Sequence[str] = (),
        seed: int = 1,
    ) -> Calibration:
        """Ask every method of data simulated for this design, and say which can be trusted.

        Parameters
        ----------
        replicates, slow_replicates
            Of each scenario; of the latter methods that draw are asked, by default of none.
        effects
            Of arms, where they are not to be the estimated ones; an arm not listed has effect 0.
        iccs
            Besides 0, the estimate and the ends of its interval.
        processes
            Departures from the model, names of `calibration.scenario.PROCESSES`.

        Raises
        ------
        ValueError
            If the mixed model cannot be fitted, or for an argument that makes no sense.
        """
        return calibrated(
            self.sample,
            self.estimates,
            headline=self.headline,
            replicates=replicates,
            slow_replicates=slow_replicates,
            effects=effects,
            iccs=iccs,
            processes=processes,
            seed=seed,
        )

    def plan(self, effect: float, *, power: float = 0.8) -> pd.DataFrame:
        """Power of this design for an effect, in units of the outcome, and the least it detects.

        A row per method, contrast, and ICC: the estimated one and the ends of its interval.
        """
        return planned(self.sample, self.estimates, effect=effect, power=power)

    @property
    def summary(self) -> str:
        """The headline, whether the methods agree, and warnings, in Markdown."""
        facts = self._facts
        outcome, group = escape(facts.role("outcome")), escape(facts.role("group"))
        size = f"{count(self.design['n_obs'], 'individual')} in {self.design['n_groups']:,} groups"
        how = (
            f"Differences in {outcome} with {facts.interval} intervals by the headline method, "
            f"{method_label(self.headline)}; {size} ({group})."
        )
        parts = [how, _answer(facts), prose.disagreement(facts)]
        return "\n\n".join([*parts, *(escape(each) for each in self.warnings)])

    @property
    def _facts(self) -> Facts:
        return Facts(self.design, self.tables, {}, {}, self.headline, self.truth)

    def _repr_markdown_(self) -> str:
        return self.summary

    def __repr__(self) -> str:
        return plain(self.summary)


def plain(markdown: str) -> str:
    """Text without marks of emphasis, and without the backslashes that guard a user's words."""
    unmarked = re.sub(r"(?<!\\)\*\*", "", markdown)
    return re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", unmarked)


def _answer(facts: Facts) -> str:
    rows = facts.estimates(facts.headline)
    if rows["estimate"].isna().any():
        return f"It gives no answer here. {escape(rows['message'].iloc[0])}"
    items = [
        f"{prose.bold(contrast_label(str(contrast)))}: {prose.effect(facts, row)}"
        for contrast, row in rows.iterrows()
    ]
    return bullets(items).strip()
