"""From the simulations of a dataset to its verdict, and to the content of verdict.json."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import pandas as pd

from groupwise.simulation.sums import LEVELS
from groupwise.verdict.decision import Verdict, uncalibrated, verdict
from groupwise.verdict.rules import Rules


def rules_for(conf_level: float, settings: Mapping[str, Any] | None = None) -> Rules:
    """The rules at the level that belongs to the dataset's intervals, if tests were counted at it."""
    level = next((each for each in LEVELS.values() if abs(1 - conf_level - each) < 1e-9), 0.05)
    options = dict(settings or {})
    if "preference" in options:
        options["preference"] = tuple(options["preference"])
    return Rules(**options | {"level": level, "conf_level": conf_level})


def judged(
    calibration: pd.DataFrame,
    overview: Mapping[str, Any],
    estimates: pd.DataFrame,
    rules: Rules,
    headline: str,
) -> Verdict:
    """The verdict; `headline` is a method that was chosen beforehand, or `auto`.

    `overview` is the content of calibration.json.
    """
    chosen = None if headline == "auto" else headline
    if not overview["simulated"]:
        return uncalibrated(estimates, overview["message"], rules, chosen=chosen)
    icc = overview["icc"]["estimate"]
    return verdict(calibration, estimates, rules, chosen=chosen, icc=icc)


def verdict_content(reached: Verdict, estimates: pd.DataFrame, rules: Rules) -> dict[str, Any]:
    """The content of verdict.json: all but the table of methods."""
    return {
        "headline": reached.headline,
        "lead": reached.lead(estimates, rules),
        "chosen": reached.chosen,
        "calibrated": reached.calibrated,
        "most_powerful": list(reached.most_powerful),
        "sentences": list(reached.sentences),
        "departures": list(reached.departures),
        "disagreements": [asdict(each) for each in reached.disagreements],
        "rules": asdict(rules),
    }
