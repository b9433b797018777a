"""What a design randomised, and which comparisons of arms its units allow."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from groupwise.design import Design
from groupwise.inference.randomization import Compared, Units
from groupwise.inference.sequence_permutation import SequenceUnits


@dataclass(frozen=True)
class Randomization:
    """A design and the units that it randomised."""

    design: Design
    units: Units | SequenceUnits

    @cached_property
    def arms(self) -> list[tuple[int, int]]:
        """Codes (a, b) of the arms of every contrast b - a."""
        code = {label: j for j, label in enumerate(self.design.arm_labels)}
        return [(code[a], code[b]) for b, a in self.design.contrasts]

    @cached_property
    def places(self) -> np.ndarray:
        """(J,) the place of each arm in the order of labels, on which random draws depend."""
        return np.argsort(np.argsort(self.design.arm_labels))

    @cached_property
    def comparisons(self) -> list[Compared]:
        """The comparison, hence the units that are permuted, of each contrast."""
        return [self.units.comparison(arms) for arms in self.arms]

    def contrasts_in(self, L: np.ndarray) -> list[int]:
        """Which contrasts of the design the rows L (k, p) are; ValueError for any other row."""
        same = [np.flatnonzero((row == self.design.L).all(axis=1)) for row in L]
        if not all(len(which) for which in same):
            raise ValueError("Randomisation compares pairs of arms, and answers nothing else.")
        return [int(which[0]) for which in same]

    @classmethod
    def of(cls, design: Design) -> Randomization:
        """The design with its randomised units."""
        return cls(design, units_of(design))


def units_of(design: Design) -> Units | SequenceUnits:
    """What the design assigned: sequences of arms, or arms, to groups, individuals or rows."""
    assigned = design.assignment
    if assigned.unit != "sequence":
        return Units.of(design)
    by_group = assigned.bearer == "group"
    sequences = design.group_sequences if by_group else design.individual_sequences
    assert sequences is not None and design.period is not None
    unit = design.codes_of(assigned.bearer)
    unit_first = np.unique(unit, return_index=True)[1]
    outer = design.block if by_group else design.group
    block = np.zeros(len(unit_first), dtype=int) if outer is None else outer[unit_first]
    T = design.n_periods
    cell = unit * T + design.period
    X = design.X[:, design.columns("covariate")]
    units = SequenceUnits(
        sequences, block, np.zeros((*sequences.observed.shape, 0)), cell, design.rows
    )
    covariates = units.values(X.T).T.reshape(*sequences.observed.shape, -1)
    return replace(units, covariates=covariates)
