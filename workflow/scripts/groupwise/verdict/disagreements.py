"""Methods that disagree about significance, and where that comes from."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import pandas as pd

from groupwise.verdict.rules import Rules
from groupwise.words import contrast_label, equals_p


@dataclass(frozen=True)
class Disagreement:
    """Methods that differ in whether a contrast is significant, and where that comes from."""

    contrast: str
    significant: tuple[str, ...]
    not_significant: tuple[str, ...]
    sources: tuple[str, ...]
    sentence: str


SOURCES = {
    "level": "All of these are shown to be invalid for this design.",
    "reference": (
        "Some methods share their estimate and standard error, and differ in the distribution they "
        "compare the statistic with."
    ),
    "estimate": "Methods weight groups and individuals differently, and their estimates differ.",
    "threshold": "The p-values lie close to the level, on both sides of it.",
    "standard_error": "The standard errors differ.",
}
"""Where a disagreement comes from; all that apply, the last where no other does."""

SAME = 0.01
"""Numbers that differ relatively by less than this are the same."""

CLOSE = 3.0
"""p-values within this factor of the level lie close to it."""

APART = 0.5
"""Estimates that differ by more than this share of a standard error are different answers."""


def disagreements(
    estimates: pd.DataFrame,
    invalid: Collection[str],
    headline: str | None,
    rules: Rules,
) -> tuple[Disagreement, ...]:
    """One for every contrast that some methods find significant and others do not.

    `estimates` are rows of estimates.csv; `invalid` are the methods that are shown to be.
    """
    answered = estimates[np.isfinite(estimates["p_value"])]
    disagreeing = []
    for contrast, rows in answered.groupby("contrast", sort=False):
        significant = rows["p_value"] < rules.level
        if significant.all() or not significant.any():
            continue
        sources = _sources(rows, invalid, rules)
        disagreeing.append(_disagreement(str(contrast), rows, significant, sources, headline))
    return tuple(disagreeing)


def _disagreement(
    contrast: str,
    rows: pd.DataFrame,
    significant: pd.Series,
    sources: tuple[str, ...],
    headline: str | None,
) -> Disagreement:
    yes, no = (tuple(rows.loc[which, "method"]) for which in (significant, ~significant))
    p_value = dict(zip(rows["method"], rows["p_value"], strict=True))
    sentences = [
        f"{_named(contrast, rows)}: {len(yes)} of {len(rows)} methods "
        f"{'finds' if len(yes) == 1 else 'find'} it significant.",
        *(SOURCES[name] for name in sources),
    ]
    if headline in p_value:
        sentences.append(f"The headline has {equals_p(p_value[headline])}.")
    sentence = " ".join(sentences)
    return Disagreement(contrast, yes, no, sources, sentence)


def _named(contrast: str, rows: pd.DataFrame) -> str:
    """The contrast as a difference, or where effects are ratios as one arm against another."""
    return contrast_label(contrast) if _differences(rows) else contrast.replace(" - ", " vs ")


def _differences(rows: pd.DataFrame) -> bool:
    return bool((rows["scale"] == "difference").all())


def _sources(rows: pd.DataFrame, invalid: Collection[str], rules: Rules) -> tuple[str, ...]:
    significant = rows["p_value"] < rules.level
    yes, no = rows[significant], rows[~significant]
    near = rows["p_value"].between(rules.level / CLOSE, rules.level * CLOSE)
    estimate = rows["estimate"] if _differences(rows) else np.log(rows["estimate"])
    spread = estimate.max() - estimate.min()
    apply = {
        "level": all(method in invalid for method in yes["method"]),
        "reference": any(_same(a, b) for _, a in yes.iterrows() for _, b in no.iterrows()),
        "estimate": spread > APART * rows["std_error"].median(),
        "threshold": bool(near.all()),
    }
    return tuple(name for name, true in apply.items() if true) or ("standard_error",)


def _same(a: pd.Series, b: pd.Series) -> bool:
    """Do two methods share estimate and standard error?"""
    tolerance = SAME * a["std_error"]
    return bool(
        abs(a["estimate"] - b["estimate"]) < tolerance
        and abs(a["std_error"] - b["std_error"]) < tolerance
    )
