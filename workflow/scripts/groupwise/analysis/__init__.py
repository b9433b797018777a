"""From a data frame to the tables and figures of a report, as in a notebook."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from groupwise.analysis import arguments
from groupwise.analysis.formula import with_formula
from groupwise.analysis.result import Analysis
from groupwise.catalogue.methods import NAMES
from groupwise.catalogue.tables import MODEL_TABLES, PER_METHOD
from groupwise.data.codes import Codes, without_codes
from groupwise.data.simulate import simulate as draw
from groupwise.data.validate import check_effects
from groupwise.diagnostics.checks import run_checks
from groupwise.diagnostics.missingness import differential_missingness
from groupwise.intake import take_in
from groupwise.methods import fitted_tables
from groupwise.response import Response
from groupwise.results import as_written
from groupwise.sample import sample_of
from groupwise.witness import agreement

__all__ = ["Analysis", "analyse", "simulate"]


def analyse(
    table: pd.DataFrame,
    formula: str | None = None,
    *,
    outcome: str | None = None,
    treatment: str | None = None,
    group: str | Sequence[str] | None = None,
    reference: str | float | None = None,
    block: str | Sequence[str] | None = None,
    second_group: str | Sequence[str] | None = None,
    period: str | None = None,
    individual: str | Sequence[str] | None = None,
    exposure: str | None = None,
    covariates: Sequence[str] = (),
    levels: Sequence[str | float] | Mapping[Any, str] | None = None,
    periods: Sequence[str | float] | None = None,
    untreated_periods: Sequence[str | float] = (),
    where: Mapping[str, Any] | None = None,
    recode: Mapping[str, Mapping[Any, Any]] | None = None,
    missing_codes: Codes | None = None,
    baseline: Mapping[str, Any] | None = None,
    assigned: str | None = None,
    ungrouped: str = "drop",
    most_dropped: float = 0.3,
    outcome_kind: str | None = None,
    event: str | float | None = None,
    effect_as: str | None = None,
    outcome_as: str = "raw",
    categorical: Sequence[str] = (),
    numeric: Sequence[str] = (),
    blocks_as: str = "fixed",
    random_slopes: bool | str = False,
    rank_deficient: str = "error",
    singletons: str = "keep",
    one_arm_blocks: str = "keep",
    missing: str = "drop",
    conf_level: float = 0.95,
    methods: Sequence[str] | None = None,
    headline: str = "auto",
    resampling: Mapping[str, int] | None = None,
    assumed_effects: Mapping[str, float] | None = None,
    effect_to_find: float | None = None,
    true_effects: Mapping[str, float] | None = None,
    dataset: str = "data",
) -> Analysis:
    """Everything the report says of a dataset, by the code that makes the report.

    Options have the names, meanings and defaults of config.yaml (docs/settings.md lists them).

    Parameters
    ----------
    table
        One row per individual, or per measurement of one; it is not changed.
    formula
        In place of names of columns, such as `score ~ style + pretest + (1 | professor)`: the outcome,
        the treatment (the first term, or the one that `treatment` names), covariates and the group.
        `(1 | school/teacher)` names random blocks, and `(1 + style | professor)` random slopes. The
        arm compared with is then the first if `reference` does not name one.
    outcome, treatment, group, block, second_group, period, individual, exposure, covariates
        Names of its columns; lists of them where several make one identifier of a group, block,
        second group or individual.
    reference
        The arm the others are compared with; the first of `levels` if not given.
    levels
        The arms in order, or a mapping from the values in the data to labels.
    periods
        The labels of the periods in order, where these do not tell it.
    untreated_periods
        Periods in which no group had its treatment yet: their rows are in the reference arm.
    outcome_kind, event
        `continuous`, `binary` or `count`; if not given, two values are a binary outcome. `event` is
        the one of them that counts, where they do not tell it themselves.
    effect_as
        `difference`, `ratio` or `odds_ratio`; of risks a difference if not given, of rates a ratio.
    methods
        Those to ask, all if not given. The wild bootstrap, the parametric bootstrap, profile
        likelihood and randomisation take longest.
    headline
        The method the summary leads with. With auto it is the first in the order for this kind of
        design that has an answer; after `calibrate` the verdict's.
    resampling
        Seed and effort of the methods that draw, as in config.yaml.
    assumed_effects, effect_to_find
        Of arms, and the difference between two, for the power that `calibrate` and `plan` tell. On
        scales of ratios effects are ratios, and an arm not listed has 1.
    true_effects
        Of arms, where data were simulated: figures show them. An arm not listed has none.
    dataset
        What the column `dataset` of every table says.

    Raises
    ------
    InputError
        A ValueError: for every mistake in the data or the arguments, one sentence that names the
        argument.
    """
    settings = dict(locals())  # every argument by its name
    with arguments.named():
        settings = with_formula(settings)
        arguments.check(settings)
        chosen_methods = arguments.methods(methods)
        chosen = arguments.headline(headline, chosen_methods)
        arguments.check_resampling(resampling)
        intake = take_in(
            without_codes(table, missing_codes),
            arguments.roles(settings),
            conf_level=conf_level,
            reading=arguments.reading(settings),
            modelling=arguments.modelling(settings),
            assigned=assigned,
        )
        arms = list(intake.understood["arms"])
        response = Response(**intake.understood["response"])
        truth = arguments.truth(true_effects, arms, response)
        check_effects("assumed_effects", assumed_effects or {}, arms, response)
    understood = {"dataset": dataset, "title": dataset, "note": ""} | dict(intake.understood)
    # Checks of the mixed model look at its first fit, asked or not.
    sample = sample_of(intake.table, understood, resampling, (*chosen_methods, "mixed_wald"))
    with arguments.named():
        arguments.check_listed(methods, chosen, sample.design)
    tables = fitted_tables(sample, NAMES)
    tables["agreement"] = as_written(agreement(sample, tables))
    further = {"differential_missingness": differential_missingness(intake.missing)}
    return Analysis(
        data=intake.table,
        design=understood,
        truth=truth,
        chosen=chosen,
        effects=_effects(assumed_effects, true_effects),
        effect_to_find=effect_to_find,
        sample=sample,
        diagnostics=as_written(run_checks(dataset, tables, further, sample)),
        **{name: _of(chosen_methods, name, tables[name]) for name in (*MODEL_TABLES, "agreement")},
    )


def simulate(
    *,
    outcome: str = "outcome",
    treatment: str = "arm",
    group: str = "group",
    period: str = "period",
    individual: str = "individual",
    **recipe: Any,
) -> pd.DataFrame:
    """Draw a grouped experiment; `recipe` is what config.yaml says under `simulate`.

    These are seed, groups_per_arm, group_size, mean, effects, sd_group and sd_residual, and if you
    like sd_effect, noise, group_covariate, individual_covariate and decimals. For events, risks or
    rates of arms take the place of mean, effects and sd_residual, and icc may take that of
    sd_group; with rates there may be an exposure, of everybody or a range, and a column `exposure`.
    With sequences in place of groups_per_arm the table has a column `period`, and cac, decay, trend
    and cohort say how periods and their measurements are related; a cohort has a column
    `individual`, and if you like sd_individual.

    Raises
    ------
    InputError
        A ValueError, for a recipe that is incomplete or contradicts itself.
    """
    with arguments.named():
        settings = arguments.recipe(recipe)
        named = {"outcome": outcome, "treatment": treatment, "group": group}
        return draw(settings, **named, period=period, individual=individual)


def _effects(
    assumed: Mapping[str, float] | None, true: Mapping[str, float] | None
) -> tuple[str, Mapping[str, float] | None]:
    """Those that power is computed for, and where they are from."""
    if assumed is not None:
        return "assumed", assumed
    return ("detectable", None) if true is None else ("true", true)


def _of(methods: tuple[str, ...], name: str, table: pd.DataFrame) -> pd.DataFrame:
    """A table without the answers of methods that were not asked."""
    if name not in PER_METHOD:
        return table
    return table[table["method"].isin(methods)].reset_index(drop=True)
