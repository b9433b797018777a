"""The arms that a unit goes through, period by period, and the kinds of designs that they make.

A cell is a unit in a period. A unit without rows in some periods went through the sequence of complete
units that fits its other periods, if there is one and no other. Else the arms of these periods are not
known: they are taken over from the next period with rows, at the end from the last.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

STEPPED_WEDGE = "stepped_wedge"
BASELINE = "baseline"
CROSSOVER = "crossover"
PARALLEL = "parallel"
WITHDRAWAL = "withdrawal"
LAYOUTS = (STEPPED_WEDGE, BASELINE, WITHDRAWAL, CROSSOVER, PARALLEL)
"""Units that change from the reference to another arm at different times, never back; at one time, or
never; units that change from another arm to the reference, never back; units that change in both
directions, or back; units that stay in one arm."""

NO_ROWS = -1

CROSS_SECTIONAL, CLOSED, OPEN, GROUPS = "cross-sectional", "closed", "open", "groups"
"""Other individuals in each period; the same in all; cohorts that some join or leave; groups are the
individuals, with one row in each period."""

MOSTLY = 0.8
"""Share of the individuals of a closed cohort who miss no period."""


@dataclass(frozen=True)
class Sequences:
    """The arms of U units in T periods.

    Attributes
    ----------
    observed : (U, T) arm of each cell, -1 where it has no rows
    sequence : (U,) number of the sequence of each unit, from 0, in the order of their arms
    arms : (S, T) of each sequence, in every period
    uncertain : (U,) units whose sequence is not known
    """

    observed: np.ndarray
    sequence: np.ndarray
    arms: np.ndarray
    uncertain: np.ndarray

    @classmethod
    def of(
        cls, arm: np.ndarray, unit: np.ndarray, period: np.ndarray, n_periods: int
    ) -> Sequences | None:
        """The sequences of units, from codes (n,) of rows; None where a cell has rows of two arms."""
        n_units = int(unit.max()) + 1
        cell = unit * n_periods + period
        flat = np.full(n_units * n_periods, NO_ROWS)
        flat[cell] = arm
        if (flat[cell] != arm).any():
            return None
        observed = flat.reshape(n_units, n_periods)
        whole, uncertain = completed(observed)
        arms, sequence = np.unique(whole, axis=0, return_inverse=True)
        # In the order of arms by period; in a wedge those that change last come last.
        sequences = cls(observed, sequence.reshape(-1), arms, uncertain)
        if sequences.layout in (STEPPED_WEDGE, BASELINE):
            last = len(arms) - 1
            return replace(sequences, sequence=last - sequences.sequence, arms=arms[::-1])
        return sequences

    @property
    def present(self) -> np.ndarray:
        """(U, T) which cells have rows."""
        return self.observed != NO_ROWS

    @cached_property
    def n_units(self) -> np.ndarray:
        """(S,) units of each sequence."""
        return np.bincount(self.sequence, minlength=len(self.arms))

    @property
    def measured(self) -> np.ndarray:
        """(S, T) in which periods some unit of a sequence has rows."""
        rows = [self.present[self.sequence == s].any(axis=0) for s in range(len(self.arms))]
        return np.array(rows)

    @cached_property
    def go_with_rows(self) -> bool:
        """Whether all units of a sequence have rows in the same periods, which differ by sequence."""
        patterns = [
            np.unique(self.present[self.sequence == s], axis=0) for s in range(len(self.arms))
        ]
        if self.complete or any(len(pattern) > 1 for pattern in patterns):
            return False
        return len(np.unique(np.concatenate(patterns), axis=0)) > 1

    @property
    def complete(self) -> bool:
        """Whether every unit has rows in every period."""
        return bool(self.present.all())

    @cached_property
    def arm_of_unit(self) -> np.ndarray:
        """(U, T) arm of every cell, with or without rows."""
        return np.asarray(self.arms[self.sequence])

    @cached_property
    def layout(self) -> str:
        """One of `LAYOUTS`."""
        changes = np.diff(self.arms, axis=1)
        moving = (changes != 0).any(axis=1)
        if not moving.any():
            return PARALLEL
        once = (np.count_nonzero(changes, axis=1) <= 1).all()
        if once and (self.arms[moving, -1] == 0).all():
            return WITHDRAWAL
        if not (once and (self.arms[moving, 0] == 0).all()):
            return CROSSOVER
        starts = {int(np.flatnonzero(row)[0]) for row in changes[moving]}
        stays_treated = (~moving & (self.arms[:, 0] != 0)).any()
        if len(starts) == 1 and not stays_treated:
            return BASELINE
        return STEPPED_WEDGE

    @cached_property
    def exposure(self) -> np.ndarray:
        """(U, T) number of the period since a unit was first seen in another arm than the reference.

        1 in the first such period with rows, and then by position, whether or not periods have rows; 0
        before. Of units that do not go back.
        """
        treated = self.observed > 0
        first = np.where(treated.any(axis=1), treated.argmax(axis=1), self.observed.shape[1])
        return np.maximum(np.arange(self.observed.shape[1]) - first[:, None] + 1, 0)


def completed(observed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(U, T) arms of all cells, from those that have rows, and (U,) where they are not known.

    See the module.
    """
    arms, complete = _from_neighbours(observed), (observed != NO_ROWS).all(axis=1)
    sequences, uncertain = (
        np.unique(observed[complete], axis=0),
        np.zeros(len(observed), dtype=bool),
    )
    for u in np.flatnonzero(~complete):
        there = observed[u] != NO_ROWS
        fitting = sequences[(sequences[:, there] == observed[u, there]).all(axis=1)]
        if len(fitting) == 1:
            arms[u] = fitting[0]
        else:
            uncertain[u] = True
    return arms, uncertain


def _from_neighbours(observed: np.ndarray) -> np.ndarray:
    """(U, T) arms, in cells without rows those of the next cell with rows, at the end of the last."""
    arms = observed.copy()
    for t in range(arms.shape[1] - 2, -1, -1):
        arms[:, t] = np.where(arms[:, t] == NO_ROWS, arms[:, t + 1], arms[:, t])
    for t in range(1, arms.shape[1]):
        arms[:, t] = np.where(arms[:, t] == NO_ROWS, arms[:, t - 1], arms[:, t])
    return arms


def cohort(individual: np.ndarray | None, group: np.ndarray, period: np.ndarray) -> str:
    """`cross-sectional`, a `closed` or `open` cohort, or `groups`; from codes (n,) of rows.

    `groups` have one row in each period: they are the individuals.

    In a closed cohort individuals were measured in each period in which their group was, but for few.
    """
    if individual is None:
        cells = np.unique(np.column_stack([group, period]), axis=0)
        return GROUPS if len(cells) == len(group) else CROSS_SECTIONAL
    seen = Counter(
        map(tuple, np.unique(np.column_stack([group, individual, period]), axis=0)[:, :2])
    )
    periods = Counter(np.unique(np.column_stack([group, period]), axis=0)[:, 0])
    full = np.mean([n == periods[g] for (g, _), n in seen.items()])
    return CLOSED if full >= MOSTLY else OPEN


def written(arms: Sequence[int], labels: Sequence[str]) -> str:
    """A sequence as text: `control, control, new`."""
    return ", ".join(labels[arm] for arm in arms)
