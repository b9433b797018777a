"""Sums over blocks of replicates: what scattered jobs write, and what is gathered from them.

A row is one block's sums for a scenario, method and contrast, so that gathering is adding up; blocks
are added in their own order, and the result does not depend on who computed them, or when.
"""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from groupwise.tidy import typed

LEVELS = {"10": 0.10, "05": 0.05, "01": 0.01}
"""Levels of the tests, by the end of a column's name."""


def level_of(conf_level: float) -> float:
    """The level that belongs to intervals of this confidence, if tests are counted at it; else .05."""
    return next((each for each in LEVELS.values() if abs(1 - conf_level - each) < 1e-9), 0.05)


KEYS = {"scenario": str, "block": int, "method": str, "contrast": str}
COUNTS = (
    "n",  # replicates
    "failed",  # without a p-value
    "singular",  # with a variance estimated as 0
    "known_variance",
    "reject_10",
    "reject_05",
    "reject_01",
    "known_cover",
    "covered",
    "known_width",
)
SUMS = (
    "error",  # estimate less true value
    "error2",
    "variance",  # squares of standard errors
    "variance2",
    "width",
    "width2",
)
PARTIAL: dict[str, type] = (
    KEYS | {"truth": float} | dict.fromkeys(COUNTS, int) | dict.fromkeys(SUMS, float)
)
"""Columns of a table of partial sums; `truth` is the true value of the contrast for the method.
 Sums are to be written in full: as Parquet, not as CSV."""


def gather(parts: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """Partial sums of many jobs as one table, sorted; what was computed twice is an error."""
    filled = [part for part in parts if len(part)]
    if not filled:
        return typed(pd.DataFrame(columns=list(PARTIAL)), PARTIAL)
    table = typed(pd.concat(filled, ignore_index=True), PARTIAL)
    twice = table.duplicated(list(KEYS))
    if twice.any():
        row = table[twice].iloc[0]
        raise ValueError(
            f"Block {row['block']} of '{row['scenario']}' was counted twice for {row['method']}."
        )
    return table.sort_values(list(KEYS), ignore_index=True)


def totals(table: pd.DataFrame) -> pd.DataFrame:
    """Sums over the blocks of gathered partial sums, a row per scenario, method and contrast."""
    keys = [key for key in KEYS if key != "block"]
    sums = gather([table]).drop(columns="block").groupby([*keys, "truth"], sort=False)
    return sums.sum().reset_index()
