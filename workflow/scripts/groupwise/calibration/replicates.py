"""A batch of simulated outcomes, and what one method answers to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from groupwise.algebra import pairwise_differences
from groupwise.design import Design
from groupwise.tidy import Inference


@dataclass(frozen=True)
class Effort:
    """What resampling methods do for each replicate; replicate i has the seed `seed` + i.

    Attributes
    ----------
    wild_draws, bootstrap_draws, randomization_draws, max_assignments
        As `specifications.Resampling` has them.
    inverted
        So many replicates of a batch get their intervals by test inversion too, where that is a
        search; for all of them the test of the true value says whether the interval covers it.
    """

    wild_draws: int = 999
    bootstrap_draws: int = 999
    randomization_draws: int = 999
    max_assignments: int = 10_000
    inverted: int = 0
    seed: int = 1


@dataclass(frozen=True)
class Batch:
    """R outcomes of a design.

    Attributes
    ----------
    y : (R, n)
    effects : (J,) true effects of the arms
    first : number of the first replicate, for the seeds of resampling methods
    """

    design: Design
    y: np.ndarray
    effects: np.ndarray
    conf_level: float
    effort: Effort
    first: int

    @property
    def n_replicates(self) -> int:
        return len(self.y)

    @cached_property
    def truth(self) -> np.ndarray:
        """(k,)"""
        return pairwise_differences(self.effects)

    @cached_property
    def without_effects(self) -> np.ndarray:
        """(R, n): outcomes whose null hypotheses of no effect are those of the true effects."""
        return self.y - self.effects[self.design.arm]

    def seed_of(self, i: int) -> int:
        return self.effort.seed + self.first + i


@dataclass(frozen=True)
class Replicates:
    """The answers of a method to R replicates and k contrasts; NaN where it has none.

    Attributes
    ----------
    estimate, std_error, df, p_value, conf_low, conf_high : (R, k)
    covers : (R, k) 1 where the interval holds the true value, 0 where not
    singular : (R,) was a variance estimated as 0?
    """

    estimate: np.ndarray
    std_error: np.ndarray
    df: np.ndarray
    p_value: np.ndarray
    conf_low: np.ndarray
    conf_high: np.ndarray
    covers: np.ndarray
    singular: np.ndarray

    @property
    def failed(self) -> np.ndarray:
        """(R, k): no p-value, whatever the reason."""
        return np.isnan(self.p_value)

    @classmethod
    def of(
        cls,
        batch: Batch,
        found: Inference,
        *,
        covers: np.ndarray | None = None,
        singular: np.ndarray | None = None,
        keep: np.ndarray | None = None,
    ) -> Replicates:
        """From inference of shape (R, k), NaN in replicates that are not to be kept (R,)."""
        known = np.isfinite(found.p_value)
        if keep is not None:
            known = known & keep[:, None]
        if covers is None:
            covers = inside(found.conf_low, batch.truth, found.conf_high)
        columns = {name: getattr(found, name) for name in COLUMNS}
        arrays = {name: np.where(known, value, np.nan) for name, value in columns.items()}
        if singular is None:
            singular = np.zeros(batch.n_replicates, dtype=bool)
        return cls(**arrays, covers=np.where(known, covers, np.nan), singular=singular)

    @classmethod
    def missing(cls, batch: Batch) -> Replicates:
        """The answer of a method that does not apply."""
        nothing = np.full((batch.n_replicates, len(batch.truth)), np.nan)
        columns = dict.fromkeys(COLUMNS, nothing)
        singular = np.zeros(batch.n_replicates, dtype=bool)
        return cls(**columns, covers=nothing, singular=singular)


COLUMNS = ("estimate", "std_error", "df", "p_value", "conf_low", "conf_high")

Family = Callable[[Batch, frozenset[str]], dict[str, Replicates]]
"""Answers by those of its methods that are asked for."""


def inside(low: np.ndarray, value: np.ndarray, high: np.ndarray) -> np.ndarray:
    """1 where low <= value <= high, 0 where not, NaN where there is no interval."""
    held = ((low <= value) & (value <= high)).astype(float)
    return np.where(np.isnan(low) | np.isnan(high), np.nan, held)


def stacked(rows: list[Inference], conf_level: float) -> Inference:
    """Inference of single replicates, each (k,), as one of shape (R, k)."""
    names = [name for name in Inference.__dataclass_fields__ if name != "conf_level"]
    columns = {name: np.array([getattr(row, name) for row in rows]) for name in names}
    return Inference(**columns, conf_level=conf_level)
