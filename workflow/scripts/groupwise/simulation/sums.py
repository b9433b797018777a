"""Sums over blocks of replicates: what scattered jobs write, and what is gathered from them.

A row is one block's sums for a scenario, method and contrast, so that gathering is adding up; blocks
are added in their own order, and the result does not depend on who computed them, or when.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from groupwise.calibration.analyse import analyse, slow_methods, slowest_methods
from groupwise.calibration.replicates import Effort, Replicates
from groupwise.simulation.scenarios import BLOCK, Scenario, outcomes
from groupwise.words import METHODS

LEVELS = {"10": 0.10, "05": 0.05, "01": 0.01}
"""Levels of the tests, by the end of a column's name."""

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
PARTIAL: dict[str, type] = KEYS | dict.fromkeys(COUNTS, int) | dict.fromkeys(SUMS, float)
"""Columns of a table of partial sums. Sums are to be written in full: as Parquet, not as CSV."""


@dataclass(frozen=True)
class Block:
    """Replicates that share a random stream: `size` of them, the first `slow_size` for slow methods.

    The slowest methods see half of these.
    """

    number: int
    size: int
    slow_size: int


def blocks(replicates: int, slow_replicates: int) -> list[Block]:
    """The blocks of a scenario; slow methods are asked of the first `slow_replicates`."""
    if not 0 <= slow_replicates <= replicates:
        raise ValueError("Slow methods cannot be asked of more replicates than there are.")
    found = []
    for number, start in enumerate(range(0, replicates, BLOCK)):
        size = min(BLOCK, replicates - start)
        found.append(Block(number, size, int(np.clip(slow_replicates - start, 0, size))))
    return found


def run_block(
    scenario: Scenario,
    block: Block,
    *,
    methods: Sequence[str] = tuple(METHODS),
    conf_level: float = 0.95,
    effort: Effort | None = None,
) -> pd.DataFrame:
    """Simulate one block, analyse it by every method, and sum up: a table `PARTIAL`.

    `effort.inverted` counts from the scenario's first replicate.
    """
    effort = effort or Effort()
    slow, slowest = slow_methods(scenario.design), slowest_methods(scenario.design)
    groups = (
        (tuple(name for name in methods if name not in slow), block.size),
        (tuple(name for name in methods if name in slow and name not in slowest), block.slow_size),
        (tuple(name for name in methods if name in slowest), (block.slow_size + 1) // 2),
    )
    parts, start = [], 0
    for y in outcomes(scenario, block.number, block.size):
        for wanted, size in groups:
            some, first = y[: max(size - start, 0)], block.number * BLOCK + start
            if wanted and len(some):
                inverted = max(0, effort.inverted - first)
                found = analyse(
                    scenario.design,
                    some,
                    methods=wanted,
                    effects=scenario.effects,
                    conf_level=conf_level,
                    effort=replace(effort, inverted=inverted),
                    first=first,
                )
                parts.append(partial_sums(found, scenario, block.number))
        start += len(y)
    return _added(parts)


def partial_sums(
    found: Mapping[str, Replicates], scenario: Scenario, block: int = 0
) -> pd.DataFrame:
    """The sums of one block of replicates, by method and contrast."""
    rows = []
    for method, answers in found.items():
        sums = _sums(answers, scenario.truth)
        for c, contrast in enumerate(scenario.design.contrast_labels):
            who = {"scenario": scenario.name, "block": block, "method": method}
            rows.append(
                who | {"contrast": contrast} | {name: values[c] for name, values in sums.items()}
            )
    return _typed(pd.DataFrame(rows, columns=list(PARTIAL)))


def _sums(found: Replicates, truth: np.ndarray) -> dict[str, np.ndarray]:
    """Every sum, each (k,), over replicates that have the number in question."""
    known = ~found.failed
    error = np.where(known, found.estimate - truth, 0.0)
    variance = np.where(np.isfinite(found.std_error), found.std_error, 0.0) ** 2
    width = found.conf_high - found.conf_low
    bounded = np.isfinite(width)
    width = np.where(bounded, width, 0.0)
    sums = {
        "n": np.full(len(truth), len(known)),
        "failed": found.failed.sum(axis=0),
        "singular": np.full(len(truth), int(found.singular.sum())),
        "known_variance": np.isfinite(found.std_error).sum(axis=0),
        "known_cover": np.isfinite(found.covers).sum(axis=0),
        "covered": (found.covers == 1).sum(axis=0),
        "known_width": bounded.sum(axis=0),
        "error": error.sum(axis=0),
        "error2": (error**2).sum(axis=0),
        "variance": variance.sum(axis=0),
        "variance2": (variance**2).sum(axis=0),
        "width": width.sum(axis=0),
        "width2": (width**2).sum(axis=0),
    }
    for name, level in LEVELS.items():
        sums[f"reject_{name}"] = (found.p_value < level).sum(axis=0)
    return sums


def _added(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """The sums of parts of one block, one row per method and contrast."""
    if not parts:
        return gather(parts)
    sums = pd.concat(parts, ignore_index=True).groupby(list(KEYS), sort=False).sum()
    return gather([sums.reset_index()])


def gather(parts: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """Partial sums of many jobs as one table, sorted; what was computed twice is an error."""
    filled = [part for part in parts if len(part)]
    if not filled:
        return _typed(pd.DataFrame(columns=list(PARTIAL)))
    table = _typed(pd.concat(filled, ignore_index=True))
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
    sums = gather([table]).drop(columns="block").groupby(keys, sort=False)
    return sums.sum().reset_index()


def _typed(frame: pd.DataFrame) -> pd.DataFrame:
    return frame[list(PARTIAL)].astype(PARTIAL)
