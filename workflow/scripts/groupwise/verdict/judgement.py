"""From the simulations of a dataset to its verdict, and to the content of verdict.json."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

import pandas as pd

from groupwise.catalogue.methods import PREFERENCES, method_phrase
from groupwise.simulation.sums import level_of
from groupwise.verdict.decision import Verdict, uncalibrated, verdict
from groupwise.verdict.rules import Rules
from groupwise.words import capital


def rules_for(
    conf_level: float, kind: str = "between", settings: Mapping[str, Any] | None = None
) -> Rules:
    """The rules for a kind of design, at the level that belongs to its intervals.

    `settings` are those of the section `verdict` of the configuration.
    """
    options = dict(settings or {})
    preference = options.pop("preference", None) or PREFERENCES
    if isinstance(preference, Mapping):
        preference = (PREFERENCES | dict(preference))[kind]
    return Rules(
        level=level_of(conf_level), conf_level=conf_level, preference=tuple(preference), **options
    )


def judged(
    calibration: pd.DataFrame,
    overview: Mapping[str, Any],
    estimates: pd.DataFrame,
    rules: Rules,
    headline: str,
) -> Verdict:
    """The verdict; `headline` is a method that was chosen beforehand, or `auto`.

    `overview` is the content of calibration.json. A method that is not for effects such as these, and
    so has no rows, cannot lead: then the verdict is that of `auto`, and says so.
    """
    if headline != "auto" and headline not in set(estimates["method"]):
        reached = judged(calibration, overview, estimates, rules, "auto")
        sentence = (
            f"{capital(method_phrase(headline))} was chosen beforehand, but is not for effects such as "
            "these, so the choice was left to the verdict."
        )
        return replace(reached, sentences=(sentence, *reached.sentences))
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
        "rules": rules.content(),
    }
