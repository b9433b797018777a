"""Measures of performance with their Monte Carlo standard errors, from gathered sums.

Formulas and names follow Morris, White and Crowther (2019), Statistics in Medicine 38, 2074-2102,
table 6. Measures are of the replicates a method answered; how many it did not answer is in every
row, and a measure of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from groupwise import tidy
from groupwise.simulation.processes import ScenarioSetting
from groupwise.simulation.sums import LEVELS, totals

MEASURES = (
    "truth",
    "bias",
    "empirical_se",
    "model_se",
    *(f"rejection_{name}" for name in LEVELS),
    "coverage",
    "width",
    "singular",
    "failed",
)
"""`truth` is the true value itself: where it is 0, rejection is an error, elsewhere it is power. Of
ratios it, bias, standard errors and widths are those of the logarithm, as methods infer them."""


def measures(
    partial: pd.DataFrame, settings: Iterable[ScenarioSetting], *, methods: Sequence[str]
) -> pd.DataFrame:
    """Table `calibration` of gathered partial sums: a row per scenario, method, contrast and measure.

    Rows stand in the order of the settings, of `methods`, and of each design's contrasts.

    Raises
    ------
    ValueError
        For sums of a scenario that is not among the settings.
    """
    by_name = {setting.case.name: setting for setting in settings}
    rows = []
    for sums in totals(partial).to_dict("records"):
        setting = by_name.get(sums["scenario"])
        if setting is None:
            raise ValueError(f"There are sums of a scenario that is not known: {sums['scenario']}")
        rows += _rows(setting, sums)
    table = tidy.table("calibration", rows)
    contrasts = {
        label: i for setting in by_name.values() for i, label in enumerate(setting.contrasts)
    }
    place = pd.DataFrame(
        {
            "scenario": table["scenario"].map({name: i for i, name in enumerate(by_name)}),
            "method": table["method"].map({name: i for i, name in enumerate(methods)}),
            "contrast": table["contrast"].map(contrasts),
        }
    )
    return table.loc[place.sort_values(list(place), kind="stable").index].reset_index(drop=True)


def _rows(setting: ScenarioSetting, sums: Mapping[str, Any]) -> list[dict[str, object]]:
    where = {
        "scenario": setting.case.name,
        "icc": setting.case.icc,
        "n_groups": setting.n_groups,
        "group_size": setting.n_obs / setting.n_groups,
        "dgp": setting.case.dgp,
        "method": sums["method"],
        "contrast": sums["contrast"],
    }
    values = {"truth": (sums["truth"], 0.0)} | _performance(sums)
    rows = []
    for measure, (value, mcse) in values.items():
        n = {"n_replicates": sums["n"], "n_failed": sums["failed"]}
        if measure in ("coverage", "width"):
            # Intervals by test inversion are made for some replicates only.
            n["n_replicates"] = sums[REPLICATES_WITH[measure]] + sums["failed"]
        rows.append(where | {"measure": measure, "value": value, "mcse": mcse} | n)
    return rows


REPLICATES_WITH = {"coverage": "known_cover", "width": "known_width"}


def _performance(sums: Mapping[str, float]) -> dict[str, tuple[float, float]]:
    """Value and Monte Carlo standard error of every measure but the truth."""
    answered = sums["n"] - sums["failed"]
    bias, spread = _mean_and_sd(sums["error"], sums["error2"], answered)
    n_variances = sums["known_variance"]
    variance, spread_of_variance = _mean_and_sd(sums["variance"], sums["variance2"], n_variances)
    width, spread_of_width = _mean_and_sd(sums["width"], sums["width2"], sums["known_width"])
    model_se = float(np.sqrt(variance))
    measured = {
        "bias": (bias, _ratio(spread, np.sqrt(answered))),
        "empirical_se": (spread, _ratio(spread, np.sqrt(2 * max(answered - 1, 0)))),
        "model_se": (model_se, _ratio(spread_of_variance, 2 * np.sqrt(n_variances) * model_se)),
    }
    for name in LEVELS:
        measured[f"rejection_{name}"] = _share(sums[f"reject_{name}"], answered)
    measured["coverage"] = _share(sums["covered"], sums["known_cover"])
    measured["width"] = (width, _ratio(spread_of_width, np.sqrt(sums["known_width"])))
    measured["singular"] = _share(sums["singular"], sums["n"])
    measured["failed"] = _share(sums["failed"], sums["n"])
    return measured


def _mean_and_sd(total: float, squares: float, n: float) -> tuple[float, float]:
    """Mean and standard deviation (with n - 1); NaN where there are too few."""
    if n < 1:
        return np.nan, np.nan
    mean = total / n
    if n < 2:
        return mean, np.nan
    return mean, float(np.sqrt(max(squares - n * mean**2, 0.0) / (n - 1)))


def _share(count: float, n: float) -> tuple[float, float]:
    if n < 1:
        return np.nan, np.nan
    share = count / n
    return share, float(np.sqrt(share * (1 - share) / n))


def _ratio(value: float, by: float) -> float:
    return float(value / by) if by > 0 else np.nan
