"""What `groupwise.analyse` gives: the tables, the figures, and a summary in words."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import pandas as pd
from plotnine import ggplot

from groupwise.analysis.arguments import several
from groupwise.analysis.studies import Calibration, Studies, calibrated, not_calibrated, plan_for
from groupwise.catalogue.methods import method_label
from groupwise.catalogue.tables import OF_DATASETS, made_by
from groupwise.data.errors import InputError, nearest
from groupwise.diagnostics.influence import influence
from groupwise.diagnostics.profile_curves import profile_table
from groupwise.diagnostics.refit import Dataset
from groupwise.diagnostics.sensitivity import sensitivity
from groupwise.figures import Figure, Tables, draw, names, needed_role
from groupwise.report import answer, calibration, effects, prose
from groupwise.report.facts import Facts
from groupwise.report.markdown import bullets, escape, escape_note
from groupwise.results import as_written
from groupwise.sample import Sample, sample_of
from groupwise.simulation.estimation import estimate_process
from groupwise.simulation.options import Options
from groupwise.simulation.processes import EstimatedProcess, NoProcess
from groupwise.words import contrast_label, grouped


@dataclass(frozen=True, eq=False, repr=False)
class Analysis:
    """One analysed dataset; displayed by itself it is a summary.

    Tables are those of results/ by the same names, columns and numbers.

    Attributes
    ----------
    data : the rows that were analysed, typed, the reference arm first
    design : what was understood of the experiment, as in design.json
    estimates : a row per method and contrast
    marginal_means : a row per method and arm
    omnibus : a row per method, the test of no treatment effect at all
    coefficients, variance_components, random_effects : of the models
    adjusted : p-values and intervals of all contrasts together, by Holm and Tukey
    aliasing : what different conventions make of the dummy model
    agreement : statsmodels beside the engine
    fit_statistics, residuals, diagnostics : what checks of the models look at, and say
    randomization : the distribution over the assignments that chance could have made
    truth : true effects, where they were given
    chosen : the method that was chosen to lead, or `auto`
    effects : where the effects come from that power is computed for, and those of arms if given
    effect_to_find : the difference that `plan` is for
    """

    data: pd.DataFrame
    design: Mapping[str, Any]
    estimates: pd.DataFrame
    marginal_means: pd.DataFrame
    coefficients: pd.DataFrame
    omnibus: pd.DataFrame
    adjusted: pd.DataFrame
    agreement: pd.DataFrame
    variance_components: pd.DataFrame
    random_effects: pd.DataFrame
    aliasing: pd.DataFrame
    exposure: pd.DataFrame
    fit_statistics: pd.DataFrame
    randomization: pd.DataFrame
    residuals: pd.DataFrame
    diagnostics: pd.DataFrame
    truth: Mapping[str, Any] | None
    chosen: str
    effects: tuple[str, Mapping[str, float] | None]
    effect_to_find: float | None
    sample: Sample
    studies: Studies = field(default_factory=Studies)

    @property
    def tables(self) -> Mapping[str, pd.DataFrame]:
        """Every results table by its name; those of refits are computed when they are asked for."""
        return Results(self)

    @property
    def headline(self) -> str:
        """The method the summary leads with."""
        return str(self._judged.content["lead"])

    @cached_property
    def influence(self) -> pd.DataFrame:
        """The effects without each group; some seconds, the first time."""
        return as_written(influence(self._dataset))

    @cached_property
    def sensitivity(self) -> pd.DataFrame:
        """The effects without covariates, with other blocks, for other group variances."""
        return as_written(sensitivity(self._dataset))

    @cached_property
    def profile(self) -> pd.DataFrame:
        """The likelihood of other standard deviations of groups."""
        return as_written(profile_table(self._dataset))

    @property
    def calibration(self) -> pd.DataFrame:
        """How the methods behaved in what `calibrate` simulated."""
        if self.studies.calibration is None:
            raise InputError("calibration", "nothing is simulated yet", "call `calibrate()` first")
        return self.studies.calibration.calibration

    @property
    def verdict(self) -> pd.DataFrame:
        """Which methods are valid here; no rows before `calibrate` was called."""
        return as_written(self._judged.verdict.methods)

    @property
    def planning(self) -> pd.DataFrame:
        """What `plan` found."""
        if self.studies.planning is None:
            raise InputError("planning", "nothing is planned yet", "call `plan()` first")
        return self.studies.planning

    @property
    def planning_periods(self) -> pd.DataFrame:
        """What `plan` found where groups have arms in several periods; else no rows."""
        if self.studies.planning_periods is None:
            raise InputError("planning_periods", "nothing is planned yet", "call `plan()` first")
        return self.studies.planning_periods

    @property
    def warnings(self) -> list[str]:
        """Sentences a reader of the results should know."""
        return list(self.design["warnings"])

    @property
    def figures(self) -> list[str]:
        """Names of the figures there are of these data."""
        return names(self.design["roles"])

    def figure(self, name: str) -> ggplot:
        """A figure of the report; it displays itself, and other layers can be added to it.

        Raises
        ------
        InputError
            A ValueError, for a figure there is not, or one that shows what is not computed yet.
        """
        return self._drawn(name).sized()

    def alt_text(self, name: str) -> str:
        """What a figure shows, in words."""
        return self._drawn(name).alt

    def _drawn(self, name: str) -> Figure:
        if name in names() and name not in self.figures:
            role = needed_role(name)
            problem = f"the figure '{name}' is of data with a column of the role `{role}`"
            raise InputError("name", problem, f"name it as `{role}`")
        if name not in self.figures:
            hint = nearest(str(name), self.figures)
            raise InputError("name", f"there is no figure '{name}'", hint)
        is_ratio = self.sample.response.is_ratio
        needed = "randomization_residuals" if is_ratio else "randomization"
        if name == "randomization_distribution" and not self.sample.asks(needed):
            problem = f"the figure '{name}' is of a method that was not asked"
            raise InputError("name", problem, f"add '{needed}' to `methods` of analyse")
        shown = ("outcome", "treatment", "group", "block", "period", "individual", "exposure")
        columns = dict.fromkeys(self.design["roles"].get(role) for role in shown)
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
        replicates: int = 10_000,
        slow_replicates: int = 0,
        draws: int = 199,
        most_outcomes: int = 40_000_000,
        iccs: Sequence[float] = (),
        departures: Sequence[str] = (),
        assumed_effects: Mapping[str, float] | None = None,
        seed: int = 1,
    ) -> Calibration:
        """Ask every method of data simulated for this design, and say which can be trusted.

        What it finds is kept: if the headline is `auto` the verdict's leads from then on.

        Parameters
        ----------
        replicates, slow_replicates
            Of each scenario at most, until a method's rate of errors is settled; of the latter methods
            that draw are asked, by default of none.
        draws
            That these methods make for each of them.
        most_outcomes
            Replicates are fewer where those of a scenario would hold more numbers than this.
        iccs
            Besides 0, the estimate and the ends of its interval.
        departures
            From the mixed model, names of `simulation.processes.PROCESSES`.
        assumed_effects
            Of arms, in place of those `analyse` was given.

        Raises
        ------
        InputError
            A ValueError, for an argument that makes no sense.
        """
        source, effects = self.effects if assumed_effects is None else ("assumed", assumed_effects)
        self.studies.calibration = calibrated(
            self.sample,
            self.design,
            self._process,
            self.estimates,
            Options(
                replicates=replicates,
                slow_replicates=slow_replicates,
                draws=draws,
                most_outcomes=most_outcomes,
                iccs=tuple(iccs),
                departures=tuple(departures),
                effects=effects,
                seed=seed,
            ),
            headline=self.chosen,
            effects_are=source,
        )
        return self.studies.calibration

    def plan(
        self,
        effect: float | None = None,
        *,
        power: float = 0.8,
        methods: Sequence[str] | None = None,
    ) -> pd.DataFrame:
        """The power of this design, the least effect it detects, and how many groups would do.

        What it finds is kept, for `planning` and the figure `power_curves`. For designs in which whole
        groups have arms in several periods, `planning_periods` has what it finds without regard to
        methods: also other designs, such as a crossover in place of a stepped wedge.

        Parameters
        ----------
        effect
            The difference to find, in units of the outcome; if left out `effect_to_find`, or the
            largest of the assumed effects.
        methods
            Those to plan for, by default all that were asked, which may take minutes.

        Raises
        ------
        ValueError
            If the mixed model cannot be fitted, or for an argument that makes no sense.
        """
        estimated = list(dict.fromkeys(self.estimates["method"]))
        chosen = estimated if methods is None else several(methods)
        for method in chosen:
            if method not in estimated:
                raise InputError("methods", f"'{method}' was not asked", nearest(method, estimated))
        tables = plan_for(
            self.sample,
            self._process,
            Options(effects=self.effects[1]),
            self.effect_to_find if effect is None else effect,
            power=power,
            methods=[method for method in estimated if method in chosen],
        )
        self.studies.planning = tables["planning"]
        self.studies.planning_periods = tables["planning_periods"]
        return tables["planning"]

    @property
    def summary(self) -> str:
        """The first alert, the headline, whether the methods agree, and warnings, in Markdown."""
        facts = self._facts
        size = escape(f"{facts.size} in {grouped(self.design)}")
        how = (
            f"{escape(facts.words.heading())} with {facts.interval} intervals by the headline method,"
            f" {method_label(self.headline)}; {size}."
        )
        parts = [*_alert(facts.alerts), how, _answer(facts)]
        parts += [effects.disagreement(facts), calibration.verdict(facts)]
        return "\n\n".join([*parts, *(escape(each) for each in self.warnings)])

    @property
    def _facts(self) -> Facts:
        return Facts(
            design=self.design,
            results=self.tables,
            provenance={},
            alt={},
            verdict=self._judged.content,
            calibration=self._judged.overview,
            truth=self.truth,
        )

    @property
    def _judged(self) -> Calibration:
        return self.studies.calibration or self._unjudged

    @cached_property
    def _unjudged(self) -> Calibration:
        return not_calibrated(self.estimates, self.chosen, self.design)

    @cached_property
    def _process(self) -> EstimatedProcess | NoProcess:
        """What is simulated and planned from."""
        sample = self.sample
        return estimate_process(sample.design, sample.y, conf_level=sample.conf_level)

    @cached_property
    def _dataset(self) -> Dataset:
        return Dataset(self.data, self.design, sample_of)

    def _repr_markdown_(self) -> str:
        return self.summary

    def __repr__(self) -> str:
        return plain(self.summary)


class Results(Mapping[str, pd.DataFrame]):
    """The tables of an analysis by name; what is listed grows with `calibrate` and `plan`."""

    def __init__(self, analysis: Analysis) -> None:
        self._analysis = analysis

    def __getitem__(self, name: str) -> pd.DataFrame:
        if name not in OF_DATASETS:
            raise KeyError(name)
        table: pd.DataFrame = getattr(self._analysis, name)
        return table

    def __iter__(self) -> Iterator[str]:
        studies = self._analysis.studies
        missing = {"calibration"} if studies.calibration is None else set()
        missing |= set() if studies.planning is not None else set(made_by("plan_experiment"))
        return (name for name in OF_DATASETS if name not in missing)

    def __len__(self) -> int:
        return len(list(iter(self)))

    def __contains__(self, name: object) -> bool:
        return name in list(iter(self))


def plain(markdown: str) -> str:
    """Text without marks of emphasis, and without the backslashes that guard a user's words."""
    unmarked = re.sub(r"(?<!\\)\*\*", "", markdown)
    return re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", unmarked)


def _alert(alerts: Sequence[str]) -> list[str]:
    """The first alert, and how many there are besides."""
    if not alerts:
        return []
    rest = f" (The first of {len(alerts)} in `design['alerts']`.)" if len(alerts) > 1 else ""
    return [f"**Warning**: {escape_note(alerts[0])}{rest}"]


def _answer(facts: Facts) -> str:
    rows = facts.estimates(facts.headline)
    if rows["estimate"].isna().any():
        return answer.no_estimate(facts)
    items = [
        f"{prose.bold(contrast_label(str(contrast)))}: {prose.effect(facts, row)}"
        for contrast, row in rows.iterrows()
    ]
    return bullets(items).strip()
