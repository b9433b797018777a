"""The general study in one number per design and method: its rate of rejections, and a judgement.

Without an effect all comparisons are alike, and the rate is their mean; with one it is the power for
the comparison of the two arms that differ most. Comparisons of one simulated experiment are not
independent: Monte Carlo standard errors are those of a single comparison, which are too large rather
than too small.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from groupwise import tidy
from groupwise.catalogue.methods import method_order
from groupwise.verdict.rules import Evidence, Rules, judge


def study_rates(calibration: pd.DataFrame, axes: pd.DataFrame, rules: Rules) -> pd.DataFrame:
    """Table `study_rates` of the schema: a row per scenario of `axes` and method.

    Scenarios with an effect are not judged: their judgement is empty.
    """
    cells = {row["scenario"]: row for row in axes.to_dict("records")}
    order = {name: i for i, name in enumerate(cells)}
    keys = ["scenario", "method", "contrast"]
    by_measure = calibration.set_index(keys).groupby("measure")["value"]
    measured = pd.DataFrame({str(name): values for name, values in by_measure})
    counted = calibration[calibration["measure"] == _rejection(rules)]
    counts = counted.set_index(keys)[["n_replicates", "n_failed"]]
    rows = []
    for (scenario, method), contrasts in measured.join(counts).groupby(
        level=["scenario", "method"]
    ):
        cell = {str(name): value for name, value in cells[scenario].items()}
        rows.append(cell | {"method": method} | _rate(contrasts, method, cell, rules))
    rows.sort(key=lambda row: (order[row["scenario"]], method_order(str(row["method"]))))
    return tidy.table("study_rates", rows)


def _rejection(rules: Rules) -> str:
    return f"rejection_{100 * rules.level:02.0f}"


def _rate(
    contrasts: pd.DataFrame, method: str, cell: Mapping[str, object], rules: Rules
) -> dict[str, object]:
    """The numbers of one method in one scenario, whose contrasts are the rows."""
    largest_truth = contrasts[contrasts["truth"] == contrasts["truth"].max()]
    rate, coverage = (_mean(largest_truth[name]) for name in (_rejection(rules), "coverage"))
    replicates, failed = (
        int(largest_truth["n_replicates"].min()),
        int(largest_truth["n_failed"].max()),
    )
    answered = replicates - failed
    judgement = "" if cell["effect"] else _judgement(method, rate, replicates, failed, rules)
    return {
        "rate": rate,
        "mcse": np.sqrt(rate * (1 - rate) / answered) if answered else np.nan,
        "coverage": coverage,
        "n_replicates": replicates,
        "n_failed": failed,
        "judgement": judgement,
    }


def _mean(values: pd.Series) -> float:
    """The mean of what is known; NaN where nothing is."""
    return float(values.mean()) if values.notna().any() else np.nan


def _judgement(method: str, rate: float, replicates: int, failed: int, rules: Rules) -> str:
    """By the rules of the verdict, applied to the rate of a single scenario."""
    answers = replicates - failed
    count, n = np.array([rate * answers if answers else 0.0]), np.array([answers])
    low, high = rules.criterion.bounds(count, n, 1)
    failed_low, _ = rules.criterion.bounds(np.array([failed]), np.array([replicates]), 1)
    evidence = Evidence(
        method=method,
        answers=answers,
        failed=failed / replicates,
        failed_low=float(failed_low[0]),
        highest=rate,
        lowest=rate,
        icc_highest=np.nan,
        icc_lowest=np.nan,
        rate_low=float(low[0]),
        rate_high=float(high[0]),
        lowest_high=float(high[0]),
        power=np.nan,
        power_mcse=np.nan,
    )
    return judge(evidence, rules)[0]
