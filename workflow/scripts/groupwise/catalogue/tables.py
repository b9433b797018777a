"""Every table of results: its columns, its file, the rule that makes it, and where it is shown.

Column names follow broom's glossary (estimate, std_error, statistic, df, p_value, conf_low, ...). Where
`scale` is `ratio` or `odds_ratio`, estimates and limits are ratios (of `marginal_means` risks or rates),
and standard errors and statistics are those of the logarithm, or of the log odds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

MANY_ROWS, MANY_GROUPS = 1_000_000, 5_000
"""Of larger data `agreement` has no mixed models and no GEE: statsmodels holds some eight copies of X,
and goes through groups in Python."""

RECORDS, COLUMNS, NOT_IN_JSON = "records", "columns", ""
"""How a table stands in the JSON of a dataset: a list of records, or where it may be long an object
of columns; tables of individuals and those that are not about one dataset are not in it."""


@dataclass(frozen=True)
class Table:
    """One table of results.

    Attributes
    ----------
    rule : the rule of the workflow that makes it
    columns : types by name, in the order in which they are written
    file : `csv`, or `parquet` where numbers have to be written in full
    shown : whether reports of datasets read it
    json : one of `RECORDS`, `COLUMNS`, `NOT_IN_JSON`
    per_method : whether every method has rows in it
    of_dataset : whether it is about one dataset
    """

    rule: str
    columns: Mapping[str, type]
    file: str = "csv"
    shown: bool = True
    json: str = COLUMNS
    per_method: bool = False
    of_dataset: bool = True


INFERENCE: dict[str, type] = {
    "estimate": float,
    "std_error": float,
    "statistic": float,
    "df": float,
    "p_value": float,
    "conf_low": float,
    "conf_high": float,
    "conf_level": float,
}
_EFFECT = {name: INFERENCE[name] for name in INFERENCE if name not in ("statistic", "conf_level")}
FIT: dict[str, type] = {
    "vcov_type": str,
    "df_method": str,
    "n_obs": int,
    "n_groups": int,
    "converged": bool,
    "singular": bool,
    "message": str,
    "software": str,
}
_METHOD: dict[str, type] = {"dataset": str, "specification": str, "method": str}
_CELL: dict[str, type] = {
    "groups_per_arm": int,
    "size": int,
    "imbalance": float,
    "icc": float,
    "effect": float,
}

TABLES: dict[str, Table] = {
    "estimates": Table(
        "fit_models",
        _METHOD | {"contrast": str, "estimand": str, "scale": str} | INFERENCE | FIT,
        json=RECORDS,
        per_method=True,
    ),
    "marginal_means": Table(
        "fit_models",
        _METHOD | {"arm": str, "estimand": str, "scale": str} | INFERENCE | FIT,
        json=RECORDS,
        per_method=True,
    ),
    "coefficients": Table(
        "fit_models",
        _METHOD | {"term": str} | INFERENCE | {"message": str},
        per_method=True,
    ),
    "omnibus": Table(
        "fit_models",
        _METHOD
        | {"statistic": float, "df_num": float, "df_den": float, "p_value": float, "message": str},
        json=RECORDS,
        per_method=True,
    ),
    "adjusted": Table(
        "fit_models",
        _METHOD
        | {
            "contrast": str,
            "adjustment": str,
            "p_value": float,
            "conf_low": float,
            "conf_high": float,
            "conf_level": float,
        },
        json=RECORDS,
        per_method=True,
    ),
    "agreement": Table(
        "check_model",
        _METHOD
        | {
            "quantity": str,
            "statsmodels": float,
            "groupwise": float,
            "difference": float,
            "alarm": bool,
            "message": str,
        },
        json=RECORDS,
    ),
    "variance_components": Table(
        "fit_models",
        _METHOD
        | {
            "estimator": str,
            "group": str,
            "term": str,
            "variance": float,
            "std_dev": float,
            "conf_low": float,
            "conf_high": float,
            "conf_level": float,
            "icc": float,
            "icc_low": float,
            "icc_high": float,
            "design_effect": float,
            "design_effect_low": float,
            "design_effect_high": float,
            "message": str,
        },
        json=RECORDS,
    ),
    "random_effects": Table(
        "fit_models",
        _METHOD
        | {
            "group": str,
            "level": str,
            "arm": str,
            "term": str,
            "estimate": float,
            "std_error": float,
            "raw": float,
            "n_obs": int,
        },
    ),
    "aliasing": Table(
        "fit_models",
        _METHOD | {"convention": str, "term": str, "role": str, "estimate": float, "aliased": bool},
    ),
    "exposure": Table(
        "fit_models",
        _METHOD
        | {"exposure_time": int, "n_cells": int}
        | {name: kind for name, kind in INFERENCE.items() if name != "statistic"},
        json=RECORDS,
    ),
    "fit_statistics": Table(
        "fit_models",
        _METHOD | {"statistic": str, "value": float},
        json=RECORDS,
    ),
    "randomization": Table(
        "fit_models",
        _METHOD
        | {
            "contrast": str,
            "bin_low": float,
            "bin_high": float,
            "count": int,
            "extreme": bool,
            "statistic": float,
            "p_value": float,
            "n_assignments": int,
            "exact": bool,
            "message": str,
        },
    ),
    "residuals": Table(
        "fit_models",
        _METHOD | {"row": int, "group": str, "arm": str, "fitted": float, "residual": float},
        file="parquet",
        shown=False,
        json=NOT_IN_JSON,
    ),
    "diagnostics": Table(
        "check_model",
        {
            "dataset": str,
            "check": str,
            "statistic": float,
            "p_value": float,
            "verdict": str,
            "message": str,
        },
        json=RECORDS,
    ),
    "calibration": Table(
        "judge_methods",
        {
            "scenario": str,
            "icc": float,
            "n_groups": int,
            "group_size": float,
            "dgp": str,
            "method": str,
            "contrast": str,
            "measure": str,
            "value": float,
            "mcse": float,
            "n_replicates": int,
            "n_failed": int,
        },
    ),
    "verdict": Table(
        "judge_methods",
        {
            "dgp": str,
            "method": str,
            "judgement": str,
            "sentence": str,
            "answers": int,
            "failed": float,
            "failed_low": float,
            "highest": float,
            "lowest": float,
            "icc_highest": float,
            "icc_lowest": float,
            "rate_low": float,
            "rate_high": float,
            "lowest_high": float,
            "power": float,
            "power_mcse": float,
        },
        json=RECORDS,
    ),
    "planning": Table(
        "plan_experiment",
        {
            "question": str,
            "scenario": str,
            "method": str,
            "contrast": str,
            "sd": float,
            "icc": float,
            "groups": float,
            "n_groups": float,
            "size": float,
            "effect": float,
            "wanted_power": float,
            "nominal_level": float,
            "power": float,
            "level": float,
            "minimum_detectable_effect": float,
            "how": str,
            "message": str,
        },
    ),
    "planning_periods": Table(
        "plan_experiment",
        {
            "question": str,
            "scenario": str,
            "design": str,
            "n_sequences": float,
            "groups_per_sequence": float,
            "n_groups": float,
            "n_periods": float,
            "n_cells": float,
            "cell_size": float,
            "sd": float,
            "icc": float,
            "cac": float,
            "iac": float,
            "correlation": str,
            "effect": float,
            "wanted_power": float,
            "nominal_level": float,
            "std_error": float,
            "df": float,
            "power": float,
            "detectable": float,
            "df_model": float,
            "power_model": float,
            "message": str,
        },
    ),
    "influence": Table(
        "check_sensitivity",
        {
            "dataset": str,
            "method": str,
            "left_out": str,
            "n_obs": int,
            "contrast": str,
        }
        | _EFFECT
        | {"message": str},
    ),
    "sensitivity": Table(
        "check_sensitivity",
        {
            "dataset": str,
            "kind": str,
            "variant": str,
            "value": float,
            "method": str,
            "contrast": str,
        }
        | _EFFECT
        | {"message": str},
    ),
    "profile": Table(
        "check_sensitivity",
        {
            "dataset": str,
            "estimator": str,
            "group": str,
            "term": str,
            "sd_group": float,
            "icc": float,
            "deviance": float,
            "cutoff": float,
            "estimate": float,
            "conf_low": float,
            "conf_high": float,
            "conf_level": float,
            "message": str,
        },
    ),
    "families": Table(
        "adjust_families",
        {"family": str}
        | _METHOD
        | {
            "contrast": str,
            "estimate": float,
            "std_error": float,
            "p_value": float,
            "p_holm": float,
            "n_tests": int,
        },
        of_dataset=False,
        shown=False,
        json=NOT_IN_JSON,
    ),
    "study_axes": Table(
        "gather_study",
        {"scenario": str} | _CELL,
        of_dataset=False,
        shown=False,
        json=NOT_IN_JSON,
    ),
    "study_rates": Table(
        "gather_study",
        {"scenario": str}
        | _CELL
        | {
            "method": str,
            "rate": float,
            "mcse": float,
            "coverage": float,
            "n_replicates": int,
            "n_failed": int,
            "judgement": str,
        },
        of_dataset=False,
        shown=False,
        json=NOT_IN_JSON,
    ),
}
"""In `calibration`, `n_replicates` counts failures too, and `group_size` is the mean size."""


def made_by(rule: str) -> dict[str, str]:
    """The files of the tables that a rule makes, by the table's name."""
    return {name: file_of(name) for name, table in TABLES.items() if table.rule == rule}


def file_of(name: str) -> str:
    """The file of a table in the folder of its dataset."""
    return f"{name}.{TABLES[name].file}"


OF_DATASETS = tuple(name for name, table in TABLES.items() if table.of_dataset)

SHOWN = tuple(name for name, table in TABLES.items() if table.shown)
"""Tables that reports of datasets read."""

IN_JSON = tuple(name for name, table in TABLES.items() if table.json != NOT_IN_JSON)

AS_RECORDS = tuple(name for name, table in TABLES.items() if table.json == RECORDS)

PER_METHOD = tuple(name for name, table in TABLES.items() if table.per_method)
"""Tables with rows for every method; of the others each is one specification's."""

MODEL_TABLES = tuple(made_by("fit_models"))
"""Tables that specifications fill."""
