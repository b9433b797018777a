"""What the rows of a design are: individuals, or fewer numbers that say as much of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

INDIVIDUALS, GROUPS, KINDS, EVENTS = "individuals", "groups", "kinds", "events"
"""Forms of a design by what they keep of outcomes: all; the sums of groups, and what is like them
(`compression.Compression`); of groups that are alike their mean and spread (`compression.Kinds`);
numbers of events of individuals who are alike (`models.event_rows`)."""


FORMS = (INDIVIDUALS, GROUPS, KINDS, EVENTS)


@dataclass(frozen=True)
class Rows:
    """The m rows of a model matrix, in orthonormal coordinates of n individuals.

    Least squares and normal mixed models need of outcomes only inner products with the columns of X,
    with indicators, and with themselves: these are the same in any such coordinates.

    Attributes
    ----------
    ones : (m,)
        Coordinates of the vector of ones: a group's sum is the sum of `ones` y over its rows.
    n_obs : individuals
    frequency : (m,)
        A row may stand for those of several groups. X and outcomes are then multiplied by the root
        of their number, so that squares and products count each group; `ones` are of one group.
    trials : (m,)
        Individuals of whom a row has the number of events; None where rows are nothing of the kind.
    remainder
        The last row holds the length of what is in no other: X and `ones` are 0 there, and its square
        has so many degrees of freedom. 0 where there is no such row.
    """

    ones: np.ndarray
    n_obs: int
    frequency: np.ndarray
    remainder: int = 0
    trials: np.ndarray | None = None

    @classmethod
    def individuals(cls, n: int) -> Rows:
        """n rows that are n individuals."""
        return cls(np.ones(n), n, np.ones(n))

    @classmethod
    def events(cls, trials: np.ndarray) -> Rows:
        """Rows that are numbers of events of so many individuals, (m,)."""
        ones = np.sqrt(trials)  # of a row's mean, times the root of its size
        return cls(ones, int(trials.sum()), np.ones(len(trials)), trials=trials)

    @property
    def scaled_ones(self) -> np.ndarray:
        """(m,) the vector of ones, scaled as X and outcomes are."""
        return self.ones * np.sqrt(self.frequency)

    def frequencies(self, group: np.ndarray, groups: int) -> np.ndarray:
        """(groups,) for how many groups each stands, from their codes (m,)."""
        members = np.bincount(group, self.ones**2, groups)
        return np.asarray(np.bincount(group, self.scaled_ones**2, groups) / members)

    def sizes(self, group: np.ndarray, groups: int) -> np.ndarray:
        """(groups,) members of each group, from their codes (m,)."""
        return np.rint(np.bincount(group, self.ones**2, groups)).astype(int)
