"""Randomisation tests that permute sequences of arms among the units that go through them.

A unit is a group, or an individual, whose arm may change from period to period; a cell is a unit in a
period. What was randomised is which unit has which sequence, so sequences are permuted among units,
inside blocks, and every cell keeps its outcome. For a pair of arms cells of other arms are left out,
and sequences are permuted among units that are in other arms in the same periods: given these, every
assignment is equally likely.

The statistic is the coefficient of the arm in a regression of the cells' means on periods, blocks and
covariates, by generalised least squares with a fixed working covariance, over its sandwich standard
error with units as clusters. The test is exact under the sharp null of no effect on any cell, if which
cells have rows does not depend on the assignment, whatever the working covariance: that must only be
the same for all assignments, so it is not estimated. In it two cells of a unit have the correlation
1/2, halfway between comparing within periods alone (0) and within units alone (1). Permutations of
sequences: Wang and De Gruttola (2017), Statistics in Medicine 36, 2831; robust studentised statistics:
Wu and Ding (2021), JASA 116, 1898.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from groupwise.algebra import independent_columns, sum_by
from groupwise.inference.assignments import AssignmentPlan, Assignments, Effort
from groupwise.inference.randomization import ShiftCurve, quadratic_form, without_rounding
from groupwise.rows import Rows
from groupwise.sequences import Sequences

CORRELATION = 0.5
"""Working correlation of two cells of a unit."""

AT_A_TIME = 2**21
"""Numbers in the largest array that is worked on at a time."""

ALIASED = 1e-9
"""An assignment whose arms keep this share of their squares beside periods is aliased with them."""


@dataclass(frozen=True)
class SequenceUnits:
    """U units with their sequences of arms, in T periods.

    Attributes
    ----------
    sequences : arms of the units by period
    block : (U,) codes from 0; sequences are permuted inside
    covariates : (U, T, c) means of the cells, 0 in those without rows
    cell : (n,) of each row: unit times T plus period
    rows : what the rows are
    """

    sequences: Sequences
    block: np.ndarray
    covariates: np.ndarray
    cell: np.ndarray
    rows: Rows
    problem: str = ""

    @property
    def arm(self) -> np.ndarray:
        """(U T,) arm of every cell, with or without rows."""
        return self.sequences.arm_of_unit.ravel()

    def relabelled(self, places: np.ndarray) -> SequenceUnits:
        """The same units with arm j called places[j]."""
        s = self.sequences
        observed = np.where(s.present, places[s.observed], s.observed)
        return replace(self, sequences=replace(s, observed=observed, arms=places[s.arms]))

    def values(self, y: np.ndarray) -> np.ndarray:
        """Means (..., U T) of the cells, 0 in those without rows, from outcomes (..., n)."""
        n_cells = self.sequences.observed.size
        used, cell = np.unique(self.cell, return_inverse=True)
        values = np.zeros((*y.shape[:-1], n_cells))
        size = self.rows.sizes(cell.reshape(-1), len(used))
        values[..., used] = sum_by(y * self.rows.ones, cell.reshape(-1), len(used)) / size
        return values

    def sorted(self, values: np.ndarray) -> tuple[SequenceUnits, np.ndarray]:
        """Units and values (U T,) in an order that rows, names, scale and trends do not determine."""
        present = self.sequences.present
        grid = np.where(present, values.reshape(present.shape), np.nan)
        grid = grid - np.nanmean(grid, axis=0)  # so that a trend of all units changes no order
        mean = np.nanmean(grid, axis=1)
        centred = mean - mean.mean()
        upwards = -1 if np.power(centred / max(np.abs(centred).max(), 1e-300), 3).sum() < 0 else 1
        in_block = np.bincount(self.block, centred) / np.bincount(self.block)
        cells = np.nan_to_num(upwards * grid, nan=np.inf)
        order = np.lexsort((*cells.T[::-1], upwards * centred, upwards * in_block[self.block]))
        place = np.empty_like(order)
        place[order] = np.arange(len(order))
        T, s = present.shape[1], self.sequences
        units = replace(
            self,
            sequences=replace(
                s,
                observed=s.observed[order],
                sequence=s.sequence[order],
                uncertain=s.uncertain[order],
            ),
            block=self.block[order],
            covariates=self.covariates[order],
            cell=place[self.cell // T] * T + self.cell % T,
        )
        return units, values.reshape(present.shape)[order].ravel()

    def comparison(self, arms: tuple[int, ...]) -> SequenceComparison:
        """The fixed part of a test between these arms."""
        return SequenceComparison.of(self, arms)


@dataclass(frozen=True)
class SequenceComparison:
    """The fixed part of a test between q + 1 arms: m units, T periods.

    Attributes
    ----------
    index : (m,) of the units
    assignments : numbers of the sequences, recoded, in blocks
    arms : (S, T) arms of the sequences, recoded 0 ... q; -1 for others
    present : (m, T) cells in use
    X : (m, T, c) independent columns: periods, blocks, covariates; 0 where there is no cell
    problem : why there can be no test; empty when there can
    """

    index: np.ndarray
    assignments: Assignments
    arms: np.ndarray
    present: np.ndarray
    X: np.ndarray
    problem: str

    @classmethod
    def of(cls, units: SequenceUnits, arms: tuple[int, ...]) -> SequenceComparison:
        """Units that are in one of these arms in some period, by their periods in others."""
        s = units.sequences
        code = np.full(max(s.arms.max(), *arms) + 1, -1)
        code[list(arms)] = np.arange(len(arms))
        recoded = code[s.arms]
        index = np.flatnonzero((recoded[s.sequence] >= 0).any(axis=1))
        others = np.unique(recoded < 0, axis=0, return_inverse=True)[1].reshape(-1)
        strata = np.column_stack([units.block[index], others[s.sequence[index]]])
        block = np.unique(strata, axis=0, return_inverse=True)[1].reshape(-1)
        used, sequence = np.unique(recoded, axis=0, return_inverse=True)
        number = sequence.reshape(-1)[s.sequence[index]]
        present = s.present[index] & (recoded[s.sequence[index]] >= 0)
        X = _columns(present, units.block[index], units.covariates[index])
        assignments = Assignments(number, block)
        comparison = cls(index, assignments, used, present, X, "")
        return replace(comparison, problem=comparison._why_not())

    def _why_not(self) -> str:
        if self.assignments.total == 1:
            return "No two units could have exchanged sequences that differ in these arms alone."
        if len(self.index) <= self.q + 1:
            return "There are too few units for a standard error."
        scores = self._made(self.observed_labels)
        if scores.defined[0]:
            return ""
        return "The periods leave nothing of these arms to compare."

    @property
    def q(self) -> int:
        return int(self.arms.max())

    @property
    def observed_labels(self) -> np.ndarray:
        """(1, m): the assignment that was made."""
        return self.assignments.arm[None]

    def outcome(self, values: np.ndarray) -> np.ndarray:
        """(R, m, T) what periods, blocks and covariates leave of cells' means, of all units (R, U T)."""
        U = values.shape[-1] // self.present.shape[1]
        y = values.reshape(-1, U, self.present.shape[1])[:, self.index] * self.present
        return self._left(y)

    def indicators(self, labels: np.ndarray) -> np.ndarray:
        """(q, a, m, T) what they leave of indicators of the arms 1 ... q in a assignments."""
        arms = self.arms[labels]
        return np.array([self._left((arms == j) & self.present) for j in range(1, self.q + 1)])

    def weighted(self, values: np.ndarray) -> np.ndarray:
        """V^-1 times values (..., m, T), up to a factor, which are 0 without a cell.

        Of V = (1 - r) I + r J for the k cells of a unit: values less their sum r / (1 - r + r k).
        """
        k = self.present.sum(axis=1)
        share = CORRELATION / (1 - CORRELATION + CORRELATION * k)
        return (values - (values.sum(axis=-1) * share)[..., None]) * self.present

    @cached_property
    def _projection(self) -> np.ndarray:
        """(c, m, T): (X'WX)^-1 X'W."""
        WX = self.weighted(np.moveaxis(self.X, -1, 0)).reshape(self.X.shape[-1], -1)
        inner = WX @ self.X.reshape(-1, self.X.shape[-1])
        return np.linalg.solve(inner, WX).reshape(-1, *self.present.shape)

    def _left(self, values: np.ndarray) -> np.ndarray:
        flat = values.reshape(len(values), -1).astype(float)
        b = flat @ self._projection.reshape(len(self._projection), -1).T
        X = self.X.reshape(-1, self.X.shape[-1])
        return (flat - b @ X.T).reshape(values.shape)

    def _made(self, labels: np.ndarray) -> Scores:
        return Scores.of(self, labels)

    def curve(self, values: np.ndarray, effort: Effort) -> ShiftCurve:
        """The statistic of a pair under every assignment; `values` (R, U T) are cells' means.

        As `randomization.shift_curve`: the outcome less the tested effect of the assignment made is
        e - s o. Scores of a unit are sums over its cells, and linear in s.
        """
        plan = AssignmentPlan.of(self.assignments, effort)
        y = without_rounding(self.outcome(values), values)
        made = self._made(self.observed_labels)
        o = made.D[0, 0]
        estimate = np.einsum("rut,ut->r", y, made.C[0, 0])
        e = without_rounding(y - estimate[:, None, None] * o, values)
        variance = np.square((e * made.C[0, 0]).sum(axis=-1)).sum(axis=-1)
        parts = [self._curve_chunk(labels, e, o) for labels in self._chunks(plan, len(y))]
        a, v0, v1, r, v2 = (np.concatenate(part, axis=-1) for part in zip(*parts, strict=True))
        return ShiftCurve(estimate, variance, a, v0, v1, r, v2, plan)

    def _chunks(self, plan: AssignmentPlan, outcomes: int) -> Iterator[np.ndarray]:
        """Labels of the plan, as many at a time as there is room for."""
        size = max(1, AT_A_TIME // (self.present.size * max(1, outcomes // 4)))
        for labels in plan.chunks():
            for start in range(0, len(labels), size):
                yield labels[start : start + size]

    def _curve_chunk(
        self, labels: np.ndarray, e: np.ndarray, o: np.ndarray
    ) -> tuple[np.ndarray, ...]:
        """a, v0, v1 of shape (R, k) and r, v2 of shape (k,) for k assignments."""
        made = self._made(labels)
        C, D = made.C[0], made.D[0]
        CD = (C * D).sum(axis=-1)
        Co = np.einsum("kut,ut->ku", C, o)
        r = Co.sum(axis=-1)
        gamma = Co - CD * r[:, None]
        Ce = (e.transpose(1, 0, 2) @ C.transpose(1, 2, 0)).transpose(1, 2, 0)  # (R, k, m)
        a = Ce.sum(axis=-1)
        alpha = Ce - a[..., None] * CD
        v1 = -2 * np.einsum("rku,ku->rk", alpha, gamma)
        return a, np.square(alpha).sum(axis=-1), v1, r, np.square(gamma).sum(axis=-1)

    def wald(self, labels: np.ndarray, Y: np.ndarray) -> np.ndarray:
        """Wald statistics (R, a) that no arm has an effect, of outcomes (R, m, T)."""
        made, statistics = self._made(labels), []
        for y in Y:
            effects = np.einsum("paut,ut->pa", made.C, y)
            e = y - np.einsum("paut,pa->aut", made.D, effects)
            scores = (made.C * e).sum(axis=-1)
            V = np.einsum("pau,qau->pqa", scores, scores)
            statistics.append(quadratic_form(V, effects))
        return np.array(statistics)


@dataclass(frozen=True)
class Scores:
    """Indicators of the arms of a assignments, and effects, as functions of the outcome.

    Attributes
    ----------
    D : (q, a, m, T) indicators, after periods, blocks and covariates
    C : (q, a, m, T) effects are the sums of C y; 0 where arms are aliased
    defined : (a,) whether they are not
    """

    D: np.ndarray
    C: np.ndarray
    defined: np.ndarray

    @classmethod
    def of(cls, comparison: SequenceComparison, labels: np.ndarray) -> Scores:
        """Of assignments `labels` (a, m)."""
        D = comparison.indicators(labels)
        WD = comparison.weighted(D)
        S = np.einsum("paut,qaut->apq", D, WD)
        size = np.sqrt(np.maximum(np.einsum("app->ap", S), 1e-300))
        R = S / (size[:, :, None] * size[:, None, :])
        most = comparison.present.sum()
        defined = (np.linalg.det(R) > ALIASED) & (size.min(axis=1) ** 2 > ALIASED * most)
        R[~defined] = np.eye(len(D))
        inverse = np.linalg.inv(R) / (size[:, :, None] * size[:, None, :])
        C = np.einsum("apq,qaut->paut", inverse * defined[:, None, None], WD)
        return cls(D, C, defined)


def _columns(present: np.ndarray, block: np.ndarray, covariates: np.ndarray) -> np.ndarray:
    """(m, T, c) independent columns: indicators of periods and blocks, and covariates."""
    m, T = present.shape
    periods = np.broadcast_to(np.eye(T), (m, T, T))
    of_block = (block[:, None] == np.unique(block)[1:])[:, None]
    blocks = np.broadcast_to(of_block, (m, T, of_block.shape[-1]))
    X = np.concatenate([periods, blocks, covariates], axis=-1) * present[..., None]
    flat = X.reshape(m * T, -1)
    flat = flat[:, np.abs(flat).max(axis=0) > 0]
    kept = independent_columns(flat, np.arange(flat.shape[1]))
    return flat[:, kept].reshape(m, T, -1)
