"""How much is simulated for a dataset: what is asked for, and what its size allows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from groupwise.data.validate import check_effects

LEAST_REPLICATES = 100
"""Fewer tell nothing; then nothing is simulated."""

LEAST = 1000
"""Replicates before a method may stop."""

CHEAP, LEAST_CHEAP = 100_000, 3000
"""Up to so many numbers, more replicates are made before: up to the latter."""

MOST_SLOW = 1000
"""Replicates of the slowest methods at most; of slow ones, besides as many as are cheap."""

MOST_SLOWEST = 100
"""The same where the mixed model has effects of groups in periods, or of individuals, and of events."""

POWER, FEW_SLOW = 2000, 250
"""Replicates of the scenario in which powers are compared; of slow methods in others with an effect."""

SLOW_SHARE = 10
"""A replicate of a slow method costs as much as so many others, where replicates are rationed."""


class NotSimulated(Exception):
    """Nothing is simulated for a design; the message says why."""


@dataclass(frozen=True)
class Amount:
    """Numbers of replicates, by what one of them costs a method (`catalogue.methods`)."""

    fast: int
    slow: int
    slowest: int

    @classmethod
    def of(cls, replicates: int, slow: int) -> Amount:
        """So many, and of methods that are not fast so many at most."""
        return cls(replicates, min(slow, replicates), min(slow, replicates))

    def atmost(self, other: Amount) -> Amount:
        """The smaller of both."""
        return Amount(*map(min, vars(self).values(), vars(other).values()))

    def between(self, start: int, end: int) -> Amount:
        """How many of them have a number from `start` to `end`, counting from 0."""
        return Amount(*(int(np.clip(n - start, 0, end - start)) for n in vars(self).values()))


@dataclass(frozen=True)
class Budget:
    """Replicates of one scenario: at least and at most."""

    least: Amount
    most: Amount


@dataclass(frozen=True)
class Options:
    """What is simulated for a dataset, and how much.

    Attributes
    ----------
    replicates, slow_replicates
        Of every scenario at most, and of methods that are not fast. Methods stop earlier where
        their rates of errors are settled.
    draws : that methods which draw at random make for each replicate
    most_outcomes
        Replicates are fewer where those of a scenario would have more numbers than this; for slow
        methods, more than a tenth of it.
    iccs : besides 0, the estimate and the ends of its interval
    departures : names of `processes.PROCESSES`
    effects
        Of arms, by label, on the scale of the outcome's effects; an arm not named has none. None takes
        `processes.detectable` ones.
    """

    replicates: int = 10_000
    slow_replicates: int = 10_000
    draws: int = 199
    most_outcomes: int = 40_000_000
    iccs: tuple[float, ...] = ()
    departures: tuple[str, ...] = ()
    effects: Mapping[str, float] | None = None
    seed: int = 1

    def budget(
        self,
        numbers: int,
        slow_numbers: int,
        wanted: tuple[int, int] | None = None,
        *,
        of_groups: int | None = None,
        slowest: int = MOST_SLOW,
    ) -> Budget:
        """Replicates of a scenario with so many numbers in each, and in each of a slow method.

        `of_groups` are the numbers of the sums of groups, by which more replicates are cheap; if left
        out, those of slow methods. `slowest` is the most that the slowest methods are asked of.

        `wanted` of them, and of methods that are not fast, are made whatever they say; None goes on
        while judgements are open.

        Raises
        ------
        NotSimulated
            If none are asked for, or fewer than `LEAST_REPLICATES` can be afforded.
        """
        if not self.replicates:
            raise NotSimulated("No replicates are asked for (`calibration.replicates` is 0).")
        most = min(self.replicates, self.most_outcomes // numbers)
        if most < min(LEAST_REPLICATES, self.replicates):
            raise NotSimulated(
                f"{LEAST_REPLICATES} replicates of {numbers:,} numbers each are more than "
                f"`calibration.most_outcomes` allows ({self.most_outcomes:,})."
            )
        slow = min(self.slow_replicates, self.most_outcomes // SLOW_SHARE // slow_numbers)
        affordable = Amount.of(most, slow).atmost(
            Amount(most, MOST_SLOW + CHEAP // (of_groups or slow_numbers), slowest)
        )
        if wanted is not None:
            exactly = affordable.atmost(Amount.of(*wanted))
            return Budget(exactly, exactly)
        least = Amount.of(max(LEAST, min(CHEAP // numbers, LEAST_CHEAP)), LEAST)
        return Budget(least.atmost(affordable), affordable)

    def effects_of(self, arm_labels: Sequence[str], none: float = 0.0) -> np.ndarray | None:
        """(J,) the assumed effects of arms, of one not named `none`; None where none are assumed.

        Raises
        ------
        InputError
            For an arm there is not.
        """
        if self.effects is None:
            return None
        check_effects("assumed_effects", self.effects, arm_labels)
        return np.array([self.effects.get(label, none) for label in arm_labels])
