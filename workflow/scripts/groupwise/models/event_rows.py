"""Events of individuals who are alike in all that a model can see, counted together.

For a binary outcome the number of events among individuals of one group with the same row of X says all
that their outcomes say; for a Poisson count their sum does, beside the sum of their exposures. Pairs of
members, and what varies beyond Poisson, need the sum of squares as well.
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
    def of(cls, design: Design) -> EventRows:
        """The rows of a design of individuals, or of one that has numbers of events."""
        response, n_groups = design.response, len(design.group_labels)
        if design.rows.trials is not None:
            trials = design.rows.trials.astype(float)
            exposure = trials if design.exposure is None else design.exposure
            every = np.arange(len(trials))
            return cls(
                design.X, design.group, n_groups, trials, exposure, response, None, every, None
            )
        row, first = alike(design)
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

    @cached_property
    def _indicator(self) -> sparse.csr_array:
        """(n, m) which row an individual is in."""
        assert self.row is not None
        n = len(self.row)
        return sparse.csr_array((np.ones(n), (np.arange(n), self.row)), shape=(n, len(self.trials)))

    def events(self, y: np.ndarray) -> np.ndarray:
        """Numbers of events (R, m) of outcomes y (R, n) of individuals, or (R, m) as they are."""
        return y if self.row is None else np.asarray(y @ self._indicator)

    def by_group(self, values: np.ndarray) -> np.ndarray:
        """Sums (..., G) over the rows of each group, of values (..., m)."""
        out = np.zeros((*values.shape[:-1], self.n_groups))
        order = np.argsort(self.group, kind="stable")
        starts = np.searchsorted(self.group[order], np.arange(self.n_groups))
        out[...] = np.add.reduceat(values[..., order], starts, axis=-1)
        return out


def alike(design: Design) -> tuple[np.ndarray, np.ndarray]:
    """The row of individuals who are alike that each of n is in, and one individual of each row.

    They are in the order of groups.
    """
    names = ("group", "arm", *GROUPINGS)
    codes = [each for name in names if (each := getattr(design, name)) is not None]
    columns = np.column_stack([*codes, design.X])
    _, first, row = np.unique(columns, axis=0, return_index=True, return_inverse=True)
    return row.reshape(-1), first
