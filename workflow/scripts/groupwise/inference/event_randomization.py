"""Randomisation of the residuals of events, of the model without treatments.

A model of all covariates, blocks and periods but no treatment has expected events; what was observed
less what was expected, summed over a unit of assignment, is the unit's residual. These are permuted as
the design assigned units to arms (Gail, Mark, Carroll, Green and Pee 1996, Statistics in Medicine 15,
1069), with the studentised statistics of `randomization` and `sequence_permutation`. Under the sharp
null of no effect the residuals do not depend on the assignment, so the test is exact, whether the model
holds or not. For a pair of arms the model is fitted to their units alone.

An effect theta, a log odds ratio or the logarithm of a ratio, is tested with the offset theta in the
arm that has it; the interval holds the values that are not rejected (Rabideau and Wang 2021,
Biostatistics 22, 913), and the estimate is the value at which the statistic is 0. It is that of the
regression with the treatment that takes individuals for independent, where units are compared in blocks
whose indicators the model has; permuted values are then the scores of that regression.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from groupwise.algebra import independent_columns
from groupwise.inference.assignments import AssignmentPlan, Effort
from groupwise.inference.randomization import Compared, Randomized, ShiftCurve, Units
from groupwise.inference.sequence_permutation import SequenceUnits
from groupwise.models.offset_events import OffsetModel
from groupwise.rows import Rows

FURTHEST = 30.0
"""No effect on a logarithmic scale is looked for beyond."""

OBSERVED_ALONE = Effort(max_assignments=0, draws=1)
"""Where only the assignment that was made is asked about."""

STEP = 1e-4
"""Half the distance between effects whose statistics give the slope of the statistic."""

TOLERANCE = 1e-8
"""How certain ends of intervals are, relative to the step that first went beyond."""

PARTS = 7
"""Effects between two that are tested at once."""

MOST_AT_A_TIME = 10_000_000
"""Statistics, over tested effects and assignments, that are held at a time."""


@dataclass(frozen=True)
class EventUnits:
    """Rows of events of the units that were randomised.

    Attributes
    ----------
    units : the units, without covariates; their rows are the m rows
    X : (m, c) columns of the model without treatments
    arm : (m,) codes
    exposure : (m,) individuals, or their exposures
    is_logit
    """

    units: Randomized
    X: np.ndarray
    arm: np.ndarray
    exposure: np.ndarray
    is_logit: bool

    @classmethod
    def of(
        cls,
        units: Units | SequenceUnits,
        X: np.ndarray,
        arm: np.ndarray,
        exposure: np.ndarray,
        first: np.ndarray,
        is_logit: bool,
    ) -> EventUnits:
        """From the units of a design of n individuals, of whom `first` (m,) are one of each row."""
        rows = Rows.individuals(len(first))
        if isinstance(units, SequenceUnits):
            none = np.zeros((*units.sequences.observed.shape, 0))
            events = replace(units, covariates=none, cell=units.cell[first], rows=rows)
            return cls(events, X, arm, exposure, is_logit)
        none = np.zeros((len(units.arm), 0))
        return cls(
            replace(units, covariates=none, unit=units.unit[first], rows=rows),
            X,
            arm,
            exposure,
            is_logit,
        )

    @cached_property
    def code(self) -> np.ndarray:
        """(m,) the unit, or the cell, of each row among the values of units."""
        units: Any = self.units
        return np.asarray(units.cell if isinstance(units, SequenceUnits) else units.unit)

    def sums(self, residual: np.ndarray) -> np.ndarray:
        """(..., u) sums over units, or cells, of values of rows (..., m)."""
        rows = np.bincount(self.code, minlength=len(self.units.arm))
        return np.asarray(self.units.values(residual) * rows)

    def relabelled(self, places: np.ndarray) -> EventUnits:
        """The same with arm j called places[j]."""
        return replace(self, units=self.units.relabelled(places), arm=places[self.arm])

    def sorted(self, events: np.ndarray) -> EventUnits:
        """Units in an order that neither rows nor names determine, from events (m,).

        Units of equal residuals, which are many where events are few, are in the order of their arms
        and of their sizes.
        """
        arms = tuple(range(int(self.arm.max()) + 1))
        values = EventComparison.of(self, arms).values(events[None], np.zeros(1))[0]
        values = (values / max(np.abs(values).max(), 1e-300)).round(9)  # rounding is no order
        units: Any = self.units
        if isinstance(units, Units):
            size = np.bincount(units.unit, self.exposure)
            units = replace(units, covariates=np.column_stack([size, units.arm]))
            in_order = units.sorted(values)[0]
            return replace(self, units=replace(in_order, covariates=np.zeros((len(size), 0))))
        return replace(self, units=units.sorted(values)[0])


@dataclass(frozen=True)
class EventComparison:
    """Arms compared by residuals; of two arms, effects of the second against the first are tested.

    Attributes
    ----------
    units : EventUnits
    compared : the fixed part of the test between units
    used : (l,) indices of the rows of units, or cells, in the comparison
    has_effect : (l,) 1 for rows in the second arm
    model : OffsetModel
        Of the rows that are used.
    """

    units: EventUnits
    compared: Compared
    used: np.ndarray
    has_effect: np.ndarray
    model: OffsetModel

    @classmethod
    def of(cls, units: EventUnits, arms: tuple[int, ...]) -> EventComparison:
        """The comparison of these arms, those of an effect last."""
        compared = units.units.comparison(arms)
        used = np.flatnonzero(_in_use(compared, len(units.units.arm))[units.code])
        X = units.X[used]
        if len(used):
            X = X[:, independent_columns(X, np.arange(X.shape[1]))]
        model = OffsetModel(X, units.exposure[used], units.is_logit)
        has_effect = (units.arm[used] == arms[-1]).astype(float)
        return cls(units, compared, used, has_effect, model)

    def values(self, events: np.ndarray, effect: np.ndarray) -> np.ndarray:
        """(b, u) residuals of units for events (b, m) of all rows, where these effects (b,) are true."""
        y = events[:, self.used]
        residual = np.zeros(events.shape)
        if len(self.used):
            offset = effect[:, None] * self.has_effect
            residual[:, self.used] = y - self.model.expected(y, offset)
        return self.units.sums(residual)

    def curve(self, events: np.ndarray, effect: np.ndarray, effort: Effort) -> ShiftCurve:
        """The statistic of the residuals under every assignment; see `ShiftCurve`, at shift 0."""
        return self.compared.curve(self.values(events, effect), effort)

    def effects(self, events: np.ndarray, effect: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(b,) differences of residuals between arms, and their variances, at tested effects."""
        curve = self.curve(events, effect, OBSERVED_ALONE)
        return curve.estimate, curve.variance

    def estimates(self, events: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(R,) effects at which the statistic is 0, and their standard errors by the delta method.

        NaN where the statistic has one sign at all effects: an arm without events, or with nothing else.
        """
        from scipy.optimize import elementwise  # slow to load, and needed by searches alone

        R = len(events)

        def difference(effect: np.ndarray, index: np.ndarray) -> np.ndarray:
            return self.effects(events[index.astype(int)], effect)[0]

        every, estimate = np.arange(R), np.full(R, np.nan)
        which = every[self._varies(events)]
        if len(which):
            crude = self._crude(events)[which]
            wide = elementwise.bracket_root(
                difference, crude - 1, crude + 1, xmin=-FURTHEST, xmax=FURTHEST, args=(which,)
            )
            estimate[which] = elementwise.find_root(
                difference,
                wide.bracket,
                args=(which,),
                tolerances={"xatol": 1e-11, "xrtol": 1e-11, "fatol": 1e-300, "frtol": 0},
            ).x
            estimate[which[~wide.success]] = np.nan
        centre = np.nan_to_num(estimate)
        slope = (difference(centre + STEP, every) - difference(centre - STEP, every)) / (2 * STEP)
        variance = self.effects(events, centre)[1]
        with np.errstate(divide="ignore", invalid="ignore"):
            std_error = np.sqrt(variance) / np.abs(slope)
        return estimate, np.where(np.isnan(estimate), np.nan, std_error)

    def _totals(self, events: np.ndarray) -> np.ndarray:
        """(2, 2, R) events, and the rest of the exposure, without and with the effect."""
        y, arms = events[:, self.used], (self.has_effect == 0, self.has_effect > 0)
        happened = np.array([y[:, arm].sum(axis=1) for arm in arms])
        exposure = np.array([[self.model.exposure[arm].sum()] for arm in arms])
        rest = exposure - happened if self.units.is_logit else exposure + 0 * happened
        return np.array([happened, rest])

    def _varies(self, events: np.ndarray) -> np.ndarray:
        """(R,) both arms have some events, and of odds some individuals without."""
        return np.asarray((self._totals(events) > 1e-12).all(axis=(0, 1)))

    def _crude(self, events: np.ndarray) -> np.ndarray:
        """(R,) logarithms of ratios of totals, near which estimates are looked for."""
        (none, some), (rest, other) = self._totals(events) + 0.5
        return np.asarray(np.log(some / other) - np.log(none / rest))

    def plan(self, effort: Effort) -> AssignmentPlan:
        """The assignments that a test goes through."""
        return AssignmentPlan.of(self.compared.assignments, effort)

    def interval(
        self, events: np.ndarray, estimate: float, step: float, effort: Effort, conf_level: float
    ) -> tuple[float, float]:
        """Ends of the values around the estimate with p-values of 1 - conf_level or more.

        For events (m,), both ends at once: outwards from the estimate in steps that double from `step`,
        as far as FURTHEST, where an end is infinite; then the place between the last value that is not
        rejected and the next is divided until it is certain to TOLERANCE of their distance.
        """
        alpha, sign = 1 - conf_level - 1e-12, np.array([[-1.0], [1.0]])

        def accepted(distance: np.ndarray) -> np.ndarray:
            effect = estimate + sign * distance
            y = np.tile(events, (effect.size, 1))
            p_value = self.curve(y, effect.ravel(), effort).p_value()
            return np.asarray(p_value >= alpha).reshape(effect.shape)

        parts = int(np.clip(MOST_AT_A_TIME // (2 * self.plan(effort).count), 1, PARTS))
        inside, outside = np.zeros((2, 1)), np.full((2, 1), step)
        endless = np.ones(2, dtype=bool)
        while endless.any() and outside[endless].min() < FURTHEST:
            within = accepted(outside)[:, 0] & endless
            inside[within] = outside[within]
            outside[within] *= 2
            endless = within
        shares = np.arange(parts + 2) / (parts + 1)
        for _ in range(int(np.ceil(-np.log(TOLERANCE) / np.log(parts + 1)))):
            grid = inside + (outside - inside) * shares
            kept = np.logical_and.accumulate(accepted(grid[:, 1:-1]), axis=1).sum(axis=1)[:, None]
            inside = np.take_along_axis(grid, kept, axis=1)
            outside = np.take_along_axis(grid, kept + 1, axis=1)
        low, high = np.where(endless, np.inf, inside[:, 0]) * sign[:, 0] + estimate
        return float(low), float(high)


def _in_use(compared: Any, u: int) -> np.ndarray:
    """(u,) mask of the units, or cells, of a comparison."""
    mask = np.zeros(u, dtype=bool)
    present = getattr(compared, "present", None)
    if present is None:
        mask[compared.index] = True
        return mask
    T = present.shape[1]
    mask.reshape(-1, T)[compared.index] = present
    return mask
