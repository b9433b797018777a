"""How much is simulated for a dataset: what is asked for, and what its size allows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from groupwise.data.validate import check_effects

LEAST_REPLICATES = 100
"""Fewer tell nothing; then nothing is simulated."""

SLOW_SHARE = 10
"""A replicate of a slow method costs as much as so many others, where replicates are rationed."""


class NotSimulated(Exception):
    """Nothing is simulated for a design; the message says why."""


@dataclass(frozen=True)
class Options:
    """What is simulated for a dataset, and how much.

    Attributes
    ----------
    replicates, slow_replicates
        Of every scenario, and of those the slow methods are asked of; the slowest, of half of these.
    draws : that methods which draw at random make for each replicate
    most_outcomes
        Replicates are fewer where those of a scenario would have more individuals than this; for
        slow methods, more than a tenth of it.
    iccs : besides 0, the estimate and the ends of its interval
    departures : names of `processes.PROCESSES`
    effects : of arms, by label, an arm not named has 0; None takes the estimated ones
    """

    replicates: int = 1000
    slow_replicates: int = 500
    draws: int = 199
    most_outcomes: int = 4_000_000
    iccs: tuple[float, ...] = ()
    departures: tuple[str, ...] = ()
    effects: Mapping[str, float] | None = None
    seed: int = 1

    def replicates_for(self, n_obs: int) -> tuple[int, int]:
        """Replicates of a scenario with n rows, and those of them that slow methods are asked of.

        Raises
        ------
        NotSimulated
            If none are asked for, or fewer than `LEAST_REPLICATES` can be afforded.
        """
        if not self.replicates:
            raise NotSimulated("No replicates are asked for (`calibration.replicates` is 0).")
        replicates = min(self.replicates, self.most_outcomes // n_obs)
        if replicates < min(LEAST_REPLICATES, self.replicates):
            raise NotSimulated(
                f"With {n_obs:,} rows, {LEAST_REPLICATES} replicates are more than "
                f"`calibration.most_outcomes` allows ({self.most_outcomes:,})."
            )
        slow = min(self.slow_replicates, self.most_outcomes // SLOW_SHARE // n_obs)
        return replicates, min(slow, replicates)

    def effects_of(self, arm_labels: Sequence[str]) -> np.ndarray | None:
        """(J,) the assumed effects of arms; None where they are to be estimated.

        Raises
        ------
        InputError
            For an arm there is not.
        """
        if self.effects is None:
            return None
        check_effects("assumed_effects", self.effects, arm_labels)
        return np.array([self.effects.get(label, 0.0) for label in arm_labels])
