"""Events of individuals who are alike in all that a model can see, counted together.

For a binary outcome the number of events among individuals of one group with the same row of X says all
that their outcomes say; for a Poisson count their sum does, beside the sum of their exposures. Pairs of
members, and what varies beyond Poisson, need the sum of squares as well. Where weights of individuals
matter, which depend on their exposure, individuals who are alike also share that.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import sparse

from groupwise.design import GROUPINGS, Design
from groupwise.response import Response


@dataclass(frozen=True)
class EventRows:
    """m rows of individuals who are alike in group, arm, every other grouping, and X.

    Attributes
    ----------
    X : (m, p)
    group : (m,) codes, 0 to G - 1
    n_groups
    trials : (m,) individuals of each row
    exposure : (m,) the sum of their exposures; without any, their number
    response
    row : (n,) the row of each individual; None where the design has these rows already
    first : (m,) one individual of each row
    individual_exposure : (n,) exposures of individuals; None where all are 1
    """

    X: np.ndarray
    group: np.ndarray
    n_groups: int
    trials: np.ndarray
    exposure: np.ndarray
    response: Response
    row: np.ndarray | None
    first: np.ndarray
    individual_exposure: np.ndarray | None

    @classmethod
    def of(cls, design: Design, *, by_exposure: bool = False) -> EventRows:
        """The rows of a design of individuals, or of one that has numbers of events.

        With `by_exposure`, individuals of one row have one exposure.
        """
        response, n_groups = design.response, len(design.group_labels)
        if design.rows.trials is not None:
            trials = design.rows.trials.astype(float)
            exposure = trials if design.exposure is None else design.exposure
            every = np.arange(len(trials))
            return cls(
                design.X, design.group, n_groups, trials, exposure, response, None, every, None
            )
        row, first = alike(design, by_exposure=by_exposure)
        exposure = np.ones(len(row)) if design.exposure is None else design.exposure
        return cls(
            X=design.X[first],
            group=design.group[first],
            n_groups=n_groups,
            trials=np.bincount(row).astype(float),
            exposure=np.bincount(row, exposure),
            response=response,
            row=row,
            first=first,
            individual_exposure=design.exposure,
        )

    @classmethod
    def each(cls, design: Design) -> EventRows:
        """A row for each individual.

        Raises
        ------
        ValueError
            Where the design has sums over several individuals.
        """
        trials = design.rows.trials
        if trials is not None and (trials > 1).any():
            raise ValueError("sums of counts do not say how counts of individuals vary")
        n = len(design.X)
        ones, every = np.ones(n), np.arange(n)
        exposure = ones if design.exposure is None else design.exposure
        groups = len(design.group_labels)
        return cls(
            design.X, design.group, groups, ones, exposure, design.response, None, every, exposure
        )

    @cached_property
    def _indicator(self) -> sparse.csr_array:
        """(n, m) which row an individual is in."""
        assert self.row is not None
        n = len(self.row)
        return sparse.csr_array((np.ones(n), (np.arange(n), self.row)), shape=(n, len(self.trials)))

    def events(self, y: np.ndarray) -> np.ndarray:
        """Numbers of events (R, m) of outcomes y (R, n) of individuals, or (R, m) as they are."""
        return y if self.row is None else np.asarray(y @ self._indicator)

    def squares(self, y: np.ndarray) -> np.ndarray:
        """Sums of squares (R, m) of outcomes y (R, n) of individuals.

        Raises
        ------
        ValueError
            Where rows hold the sums of counts of several individuals.
        """
        if self.response.family == "binary":
            return self.events(y)
        if self.row is None and (self.trials > 1).any():
            raise ValueError("sums of counts do not say how counts of individuals vary")
        return self.events(y**2)

    @cached_property
    def _order(self) -> np.ndarray:
        return np.argsort(self.group, kind="stable")

    @cached_property
    def _is_sorted(self) -> bool:
        return bool((np.diff(self.group) >= 0).all())

    @cached_property
    def _starts(self) -> np.ndarray:
        return np.searchsorted(self.group[self._order], np.arange(self.n_groups))

    def by_group(self, values: np.ndarray) -> np.ndarray:
        """Sums (..., G) over the rows of each group, of values (..., m)."""
        in_order = values if self._is_sorted else values[..., self._order]
        if len(self.group) == self.n_groups:
            return np.asarray(in_order)
        return np.asarray(np.add.reduceat(in_order, self._starts, axis=-1))

    @cached_property
    def cuts(self) -> tuple[tuple[np.ndarray, np.ndarray], ...]:
        """Groups of one number of rows together: their codes (b,), and their rows (b, k)."""
        size = np.bincount(self.group, minlength=self.n_groups)
        cuts = []
        for k in np.unique(size):
            member = np.flatnonzero(size == k)
            cuts.append((member, self._order[self._starts[member][:, None] + np.arange(k)]))
        return tuple(cuts)


def exposure_varies(design: Design) -> bool:
    """Whether individuals who are alike otherwise differ in their exposure."""
    if design.exposure is None or design.rows.trials is not None:
        return False
    return len(alike(design)[1]) < len(alike(design, by_exposure=True)[1])


def alike(design: Design, *, by_exposure: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """The row of individuals who are alike that each of n is in, and one individual of each row.

    They are in the order of groups. With `by_exposure`, they also have one exposure.
    """
    names = ("group", "arm", *GROUPINGS, *(("exposure",) if by_exposure else ()))
    codes = [each for name in names if (each := getattr(design, name)) is not None]
    columns = np.column_stack([*codes, design.X])
    _, first, row = np.unique(columns, axis=0, return_index=True, return_inverse=True)
    return row.reshape(-1), first
