"""Experiments that strain figures and reports, made and analysed in memory."""

from __future__ import annotations

import contextlib
import fcntl
import pickle
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from ingest_data import run as ingest_and_describe
from plan_experiment import run as plan

from groupwise import methods as procedures
from groupwise import tidy
from groupwise.catalogue.methods import CURVES, NAMES, costs, method_order
from groupwise.catalogue.tables import MODEL_TABLES
from groupwise.diagnostics import refit
from groupwise.diagnostics.checks import run_checks
from groupwise.diagnostics.influence import influence
from groupwise.diagnostics.missingness import differential_missingness
from groupwise.diagnostics.profile_curves import profile_table
from groupwise.diagnostics.sensitivity import sensitivity
from groupwise.sample import Sample, sample_of
from groupwise.simulation.estimation import estimate_process
from groupwise.simulation.gathering import gathered
from groupwise.simulation.options import NotSimulated, Options
from groupwise.simulation.workload import dataset_workload
from groupwise.verdict.judgement import judged, rules_for, verdict_content
from groupwise.witness import agreement


@dataclass(frozen=True)
class Recipe:
    """`size` members in each of `groups` groups of each arm; `kind` as in design.json.

    Blocks hold `per_block` groups of each arm.
    """

    arms: tuple[str, ...] = ("No flip", "Some flip", "Fully flipped")
    groups: int = 5
    size: int = 6
    sd_group: float = 5.0
    kind: str = "between"
    blocks_as: str = "fixed"
    random_slopes: bool = False
    per_block: int = 2
    label: Callable[[int], str] = "group {}".format
    columns: tuple[str, str, str, str] = ("score", "style", "professor", "school")
    true: bool = False
    level_groups: bool = False
    """Give all groups of an arm one mean: the group variance is estimated as 0."""
    fails: bool = False
    """Let the mixed model fail."""
    declared: Mapping[str, Any] = field(default_factory=dict)
    """What the configuration says of rows and values: arguments of `ingest`."""
    gaps: bool = False
    """Let scores be missing, more of them in the last arm."""
    second: str | None = None
    """A second grouping, crossed with the groups."""
    covariates: tuple[str, ...] = ()
    """Numeric covariates, which have some effect."""
    understood: Mapping[str, Any] = field(default_factory=dict)
    """What design.json says besides: what a row is, alerts, what was assigned."""
    individual: str | None = None
    """The role that tells individuals apart who have several rows."""
    sequences: tuple[str, ...] = ()
    """With kind `periods`: the arm of each period, by number; `groups` groups have each sequence."""
    response: tuple[str, str] = ("continuous", "difference")
    """Family and scale of outcomes; events are yes and no, counts have years at risk."""


ALERT = "70 of 142 rows were dropped: what is left may be no sample of what was meant."
LONG = "A rather long description of what was done in this arm of the experiment"
USUAL = Recipe(true=True)
RECIPES = {
    "usual": USUAL,
    "tiny": Recipe(arms=("A", "B"), groups=2, size=2),
    "many_groups": replace(USUAL, groups=67, size=3),
    "many_arms": Recipe(arms=tuple(f"Arm {j}" for j in range(1, 10)), groups=3, size=4),
    "singular": replace(USUAL, level_groups=True),
    "failed": replace(USUAL, fails=True),
    "long_labels": Recipe(arms=tuple(f"{LONG}, number {j}" for j in range(1, 4))),
    "long_groups": replace(USUAL, label="Professor Hieronymus Longname the {}th".format),
    "within": replace(USUAL, kind="within", sd_group=3.0),
    "blocked": replace(USUAL, kind="blocked", groups=8),
    "nested": replace(USUAL, kind="blocked", groups=8, blocks_as="random"),
    "random_crossed": replace(USUAL, groups=8, second="marker"),
    "few_groups": replace(USUAL, kind="blocked", groups=3, size=4, per_block=1),
    "slopes": replace(USUAL, kind="within", size=6, random_slopes=True),
    "some_within": replace(USUAL, kind="mixed", groups=4),
    "many_within": replace(USUAL, kind="within", groups=20),
    "covariate": replace(USUAL, covariates=("age", "ability"), groups=4),
    "pairs": replace(USUAL, kind="blocked", arms=("control", "treated"), groups=9, per_block=1),
    "declared": replace(
        USUAL,
        size=9,
        gaps=True,
        second="marker*",
        declared={
            "where": {"school": {"not": "school 1"}, "marker*": ["<m0>", "<m1>", "<m3>"]},
            "recode": {"school": {"school 0": "north_1", "school 2": None}},
            "outcome_as": "log",
        },
    ),
    "repeated": Recipe(
        arms=("control", "tutoring"),
        groups=6,
        columns=("math_score", "programme", "class_id", "school"),
        individual="pupil_id",
        understood={"row": "measurement", "n_individuals": 36, "alerts": [ALERT, "Ids restart."]},
    ),
    "stepped_wedge": Recipe(
        arms=("usual care", "new care"),
        groups=3,
        size=4,
        kind="periods",
        columns=("pain", "care", "clinic", "region"),
        sequences=("0111", "0011", "0001"),
        true=True,
    ),
    "crossover": Recipe(
        arms=("placebo", "drug"),
        groups=6,
        size=1,
        kind="periods",
        columns=("rating", "treatment", "patient", "site"),
        sequences=("01", "10"),
    ),
    "baseline": Recipe(
        arms=("no sign", "sign"),
        groups=5,
        size=3,
        kind="periods",
        columns=("speed", "sign", "site", "pair"),
        sequences=("000", "011"),
    ),
    "rows": Recipe(
        arms=("A", "B"),
        kind="within",
        columns=("Q1: I feel safe", "TRT01P", "x1", "school"),
        understood={"row": "row", "n_individuals": None},
    ),
    "odd_names": Recipe(
        arms=("0", "1"),
        groups=8,
        kind="blocked",
        label=str,
        columns=("got", "any", "g_id", "does"),
        second="%",
    ),
    "risks": Recipe(
        arms=("usual care", "new care"),
        groups=8,
        size=20,
        columns=("recovered", "care", "clinic", "region"),
        response=("binary", "difference"),
        true=True,
    ),
    "odds": Recipe(
        arms=("usual care", "new care", "both"),
        groups=5,
        size=12,
        columns=("recovered", "care", "clinic", "region"),
        response=("binary", "odds_ratio"),
    ),
    "odds_within": Recipe(
        arms=("usual care", "new care"),
        groups=5,
        size=12,
        kind="within",
        columns=("recovered", "care", "clinic", "region"),
        response=("binary", "odds_ratio"),
    ),
    "rates": Recipe(
        arms=("usual care", "new care"),
        groups=7,
        size=12,
        columns=("falls", "care", "clinic", "region"),
        response=("count", "ratio"),
    ),
    "awkward": Recipe(
        arms=("control_*", "a|b & <b>$x$</b>", r'Ü "q" \alpha^{2} $5 or $\frac'),
        label=lambda i: f"$g_{i}|<i>",
        columns=("out_come ($)", "kind of_$class$", "klass_id", "scho|ol"),
    ),
}
CHOSEN = ("mixed_wald", "glmm_kenward_roger", "gee_fay_graubard")
"""The headline is the first of these that is listed."""

SANDWICH_PLANNED = ("usual", "within", "blocked")


@dataclass(frozen=True)
class Experiment:
    """What the workflow would have in data/processed and results for one dataset."""

    data: pd.DataFrame
    design: dict[str, Any]
    results: dict[str, pd.DataFrame]
    truth: Mapping[str, Any] | None
    verdict: Mapping[str, Any]
    calibration: Mapping[str, Any]


SHARED: Path | None = None
"""A folder that all processes of a test run share; conftest.py says which."""


def make(name: str) -> Experiment:
    """The experiment of this name, with every table of the results: made once for all processes."""
    if SHARED is None:
        return analysed(name)
    path = SHARED / f"{name}.pickle"
    with path.with_suffix(".lock").open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        if not path.exists():
            path.write_bytes(pickle.dumps(analysed(name)))
    found: Experiment = pickle.loads(path.read_bytes())
    return found


def analysed(name: str) -> Experiment:
    """An experiment, simulated and analysed."""
    recipe = RECIPES[name]
    raw = simulate(recipe)
    settings = settings_of(recipe)
    table, missing, design = ingest_and_describe(raw, settings)
    header = {
        "dataset": name,
        "title": f"The experiment {name}",
        "note": "A note.",
        "source": {"simulated": True, "file": "data/raw/some.csv", "sha256": "0" * 64},
    }
    sample = sample_of(table, header | design, {})
    results = fit_all(sample, fails=recipe.fails)
    further = {"differential_missingness": differential_missingness(missing)}
    results["diagnostics"] = run_checks(name, results, further, sample)
    results |= fit_again(table, header | design, fails=recipe.fails)
    effect = 2.0 if recipe.response[0] == "continuous" else 0.1
    truth = {"effects": dict.fromkeys(design["contrasts"], effect)} if recipe.true else None
    verdict, overview = calibrate(
        sample, header | design, results, planned_for(name), fails=recipe.fails
    )
    roles = {"roles": design["roles"] | {"individual": recipe.individual}}
    shown = header | design | roles | dict(recipe.understood)
    return Experiment(table, shown, results, truth, verdict, overview)


def planned_for(name: str) -> tuple[str, ...]:
    """Methods to plan for: a sandwich, whose search for a number of groups takes long, for few."""
    return ("mixed_wald", "ols_cr2" if name in SANDWICH_PLANNED else "group_means", "dummy")


def calibrate(
    sample: Sample,
    understood: Mapping[str, Any],
    results: dict[str, pd.DataFrame],
    methods: tuple[str, ...],
    *,
    fails: bool,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Add a small calibration, its verdict and a plan to the results; verdict.json and calibration.json.

    Nothing is simulated from a model that fails.
    """
    options = Options(
        replicates=0 if fails else 20,
        slow_replicates=1,
        draws=19,
        departures=("skewed_groups",),
    )
    process = estimate_process(sample.design, sample.values, conf_level=sample.conf_level)
    parts = []
    with contextlib.suppress(NotSimulated):
        workload = dataset_workload(
            sample.design, process, options, conf_level=sample.conf_level, methods=costs()
        )
        parts = [workload.run_share(1, 1)]
    results["calibration"], overview = gathered(
        understood, process, options, "detectable", parts, methods=NAMES
    )
    rules = rules_for(sample.conf_level, sample.design.kind)
    listed = set(results["estimates"]["method"])
    chosen = next(name for name in CHOSEN if name in listed)
    found = judged(results["calibration"], overview, results["estimates"], rules, chosen)
    results["verdict"] = found.methods
    results |= plan(
        sample.design,
        process,
        options,
        effect=None,
        power=0.8,
        methods=methods,
        curves=CURVES,
    )
    return verdict_content(found, results["estimates"], rules), overview


def settings_of(recipe: Recipe) -> dict[str, Any]:
    """What `Settings.ingest` would make of a configuration."""
    outcome, treatment, group, block = recipe.columns
    roles: dict[str, Any] = {"outcome": outcome, "treatment": treatment, "group": group}
    if recipe.kind == "blocked":
        roles["block"] = block
    if recipe.second:
        roles["second_group"] = recipe.second
    if recipe.covariates:
        roles["covariates"] = list(recipe.covariates)
    if recipe.sequences:
        roles["period"] = "month"
    family, scale = recipe.response
    if family == "count":
        roles["exposure"] = "person_years"
    kind = {"outcome_kind": family, "effect_as": scale} if family != "continuous" else {}
    named = {"reference": recipe.arms[0], "levels": recipe.arms, "where": None, "recode": None}
    return {
        "roles": roles,
        "conf_level": 0.95,
        "design": {
            "blocks_as": recipe.blocks_as,
            "random_slopes": recipe.random_slopes,
            "rank_deficient": "error",
        },
        "ingest": named | kind | dict(recipe.declared),
    }


def simulate(recipe: Recipe) -> pd.DataFrame:
    """A raw table with scores of a few decimals."""
    if recipe.sequences:
        return through_periods(recipe)
    draw = np.random.default_rng(279)
    n_groups = recipe.groups * len(recipe.arms)
    group = np.repeat(np.arange(n_groups), recipe.size)
    arm = group % len(recipe.arms)
    if recipe.kind == "within":
        arm = np.arange(group.size) % len(recipe.arms)
    if recipe.kind == "mixed":
        arm = np.where(group < n_groups // 2, arm, np.arange(group.size) % len(recipe.arms))
    score = 70 + arm + recipe.sd_group * draw.standard_normal(n_groups)[group]
    score = score + 8 * draw.standard_normal(group.size)
    if recipe.level_groups:
        score -= (np.bincount(group, weights=score) / recipe.size)[group] - 70 - arm
    outcome, treatment, groups, block = recipe.columns
    if recipe.gaps:
        score[draw.random(group.size) < 0.05 + 0.1 * (arm == arm.max())] = np.nan
    second = {recipe.second: [f"<m{i % 4}>" for i in range(group.size)]} if recipe.second else {}
    more = {name: draw.normal(size=group.size).round(3) for name in recipe.covariates}
    score = score + 2 * sum(more.values(), np.zeros(group.size))
    outcomes = {outcome: score.round(6)} | events_of(score, recipe, draw)
    return pd.DataFrame(
        second
        | more
        | outcomes
        | {
            treatment: np.asarray(recipe.arms, dtype=object)[arm],
            groups: [recipe.label(i + 1) for i in group],
            block: [f"school {i}" for i in group // len(recipe.arms) // recipe.per_block],
        }
    )


def events_of(score: np.ndarray, recipe: Recipe, draw: np.random.Generator) -> dict[str, Any]:
    """Columns of events or counts whose log odds or logarithms of rates differ as scores do."""
    family, _ = recipe.response
    if family == "binary":
        happened = draw.random(score.size) < 1 / (1 + np.exp(-(score - 75) / 9))
        return {recipe.columns[0]: np.where(happened, "yes", "no")}
    if family == "count":
        years = draw.uniform(0.5, 2, score.size).round(2)
        rate = np.exp((score - 68) / 15)
        return {recipe.columns[0]: draw.poisson(rate * years), "person_years": years}
    return {}


def through_periods(recipe: Recipe) -> pd.DataFrame:
    """`size` rows of each group in each period; scores rise from period to period."""
    draw = np.random.default_rng(279)
    outcome, treatment, groups, _ = recipe.columns
    rows = []
    for g in range(recipe.groups * len(recipe.sequences)):
        level = recipe.sd_group * draw.standard_normal()
        for t, arm in enumerate(map(int, recipe.sequences[g % len(recipe.sequences)])):
            score = 70 + 3 * t + arm + level + 2 * draw.standard_normal()
            rows += [
                {
                    outcome: round(score + 8 * draw.standard_normal(), 4),
                    treatment: recipe.arms[arm],
                    groups: recipe.label(g + 1),
                    "month": t + 1,
                }
                for _ in range(recipe.size)
            ]
    return pd.DataFrame(rows)


def fit_all(sample: Sample, *, fails: bool) -> dict[str, pd.DataFrame]:
    """The tables of all specifications, methods in the order of the report."""
    parts = [procedures.fit_tables(name, sample) for name in procedures.specifications()]
    if fails:
        parts = [without_answer(part) if "mixed" in methods(part) else part for part in parts]
    tables = {}
    for name in MODEL_TABLES:
        table = tidy.concat(name, [part[name] for part in parts])
        tables[name] = table.sort_values(
            "method", key=lambda column: column.map(method_order), kind="stable", ignore_index=True
        )
    tables["agreement"] = agreement(sample, tables)
    return tables


def fit_again(
    table: pd.DataFrame, design: Mapping[str, Any], *, fails: bool
) -> dict[str, pd.DataFrame]:
    """What the models say without each group, under other settings, with their variance held."""
    experiment = refit.Dataset(table, design, sample_of)
    tables = {
        "influence": influence(experiment),
        "sensitivity": sensitivity(experiment),
        "profile": profile_table(experiment),
    }
    if not fails:
        return tables
    emptied = {"profile": tidy.table("profile", [])}
    for name in ("influence", "sensitivity"):
        part = tables[name].copy()
        own = part["method"].str.startswith("mixed")
        part.loc[own, list(refit.SHOWN)] = np.nan
        part.loc[own, "message"] = "The likelihood has no maximum."
        emptied[name] = part
    return emptied


def methods(tables: Mapping[str, pd.DataFrame]) -> set[str]:
    return set(tables["estimates"]["specification"])


def without_answer(tables: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """What a specification leaves that could not be fitted: rows of NaN that say why."""
    emptied = {}
    for name, table in tables.items():
        inference = ["estimate", "std_error", "statistic", "df", "p_value", "conf_low", "conf_high"]
        if name in ("estimates", "marginal_means", "coefficients", "omnibus"):
            numbers = [column for column in (*inference, "df_num", "df_den") if column in table]
            said = {"message": "The likelihood has no maximum.", "converged": False}
            known = {key: value for key, value in said.items() if key in table}
            emptied[name] = table.assign(**dict.fromkeys(numbers, np.nan), **known)
        else:
            emptied[name] = tidy.table(name, [])
    return emptied
