"""Randomisation of residuals of the model without treatments; `methods.randomization` lists it.

Everything about the design, the reference distribution and what is said of it is that of the test on
means; only outcomes are residuals of events, and effects logarithms of ratios.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from groupwise.design import Design
from groupwise.inference.assignments import AssignmentPlan, Effort, sharing
from groupwise.inference.event_randomization import EventComparison, EventUnits
from groupwise.inference.randomised import Randomization, units_of
from groupwise.inference.randomization import (
    Histogram,
    OmnibusTest,
    PairTest,
    compare_all,
    pair_test,
)
from groupwise.methods import Request
from groupwise.models.event_rows import EventRows
from groupwise.models.glm import EventModel
from groupwise.tidy import Inference

ESTIMAND = "population-averaged, individual-average"

NO_ESTIMATE = (
    "an arm has no event, or nothing but events: there is a test, but no finite estimate, "
    "and no interval."
)


def effort_of(request: Request, i: int) -> Effort:
    """What the test of outcome i of a batch goes through."""
    effort = request.resampling
    return Effort(effort.max_assignments, effort.randomization_draws, request.seed(i))


def shared(prepared: Randomization, c: int, n: int, request: Request) -> list[tuple[slice, Effort]]:
    """Which of n outcomes share their assignments in contrast c: all, where these are all there are."""
    exact = AssignmentPlan.of(prepared.comparisons[c].assignments, effort_of(request, 0)).exact
    pair = prepared.arms[c]
    if exact:
        return [(slice(n), effort_of(request, 0).apart(*pair))]
    return [
        (some, effort_of(request, number - request.first).apart(*pair))
        for some, number in sharing(request.first, n)
    ]


def vcov_type(design: Design) -> str:
    """The variance in the statistic."""
    assigned = design.assignment
    if assigned.unit == "sequence":
        return f"sandwich of residuals by {assigned.bearer}"
    return "HC2 of residuals"


@dataclass(frozen=True)
class ResidualRandomization(Randomization):
    """A design with its randomised units, and its rows of events."""

    @cached_property
    def rows(self) -> EventRows | None:
        """Individuals who are alike; None where rows of individuals were assigned one by one."""
        if self.design.assignment.bearer == "row":
            return None
        return EventRows.of(self.design)

    @cached_property
    def events(self) -> EventUnits:
        """The units with their rows of events."""
        design, rows = self.design, self.rows
        others = np.flatnonzero(np.array(design.role) != "treatment")
        first = np.arange(len(design.X)) if rows is None else rows.first
        if rows is not None:
            by_events = design.response.family == "binary"
            exposure = rows.trials if by_events else rows.exposure
        else:
            exposure = np.ones(len(first)) if design.exposure is None else design.exposure
        is_logit = design.response.link == "logit"
        return EventUnits.of(
            self.units, design.X[first][:, others], design.arm[first], exposure, first, is_logit
        )

    @cached_property
    def pairs(self) -> list[EventComparison]:
        """The comparison of each contrast."""
        return [EventComparison.of(self.events, arms) for arms in self.arms]

    def counted(self, y: np.ndarray) -> np.ndarray:
        """(R, m) events of the rows."""
        return y if self.rows is None else self.rows.events(y)


@dataclass(frozen=True)
class ResidualsFit:
    """Outcomes y (R, n), with the tests that were made of single ones."""

    prepared: ResidualRandomization
    y: np.ndarray
    _tests: dict[Any, Any] = field(default_factory=dict, repr=False)

    @cached_property
    def counted(self) -> np.ndarray:
        """(R, m) events of the rows."""
        return self.prepared.counted(self.y)

    def sorted_units(self, i: int) -> EventUnits:
        """Units of outcome i in an order that neither rows nor names determine."""
        return self.prepared.events.relabelled(self.prepared.places).sorted(self.counted[i])

    def pair(self, c: int, i: int, request: Request) -> PairTest:
        """The test and the interval of contrast c in outcome i."""
        key = (c, request.seed(i), request.conf_level, request.resampling)
        if key not in self._tests:
            a, b = (int(place) for place in self.prepared.places[list(self.prepared.arms[c])])
            comparison = EventComparison.of(self.sorted_units(i), (min(a, b), max(a, b)))
            effort = effort_of(request, i).apart(min(a, b), max(a, b))
            test = _pair(comparison, self.counted[i : i + 1], effort, request.conf_level)
            self._tests[key] = test if a < b else test.reversed()
        made: PairTest = self._tests[key]
        return made

    def omnibus(self, i: int, request: Request) -> PairTest | OmnibusTest:
        """All arms at once in outcome i; with two arms the test of the pair."""
        if len(self.prepared.arms) == 1:
            return self.pair(0, i, request)
        key = (request.seed(i), request.resampling)
        if key not in self._tests:
            units = self.sorted_units(i)
            arms = tuple(range(len(self.prepared.places)))
            values = EventComparison.of(units, arms).values(self.counted[i : i + 1], np.zeros(1))[0]
            self._tests[key] = compare_all(units.units, values, effort=effort_of(request, i))
        made: OmnibusTest = self._tests[key]
        return made

    def batches(
        self, c: int, truth: float | None, request: Request
    ) -> Iterator[tuple[slice, dict[str, np.ndarray], np.ndarray]]:
        """Outcomes that share assignments: slice, tests of contrast c, and coverage of `truth`."""
        comparison = self.prepared.pairs[c]
        if comparison.compared.problem:
            return
        estimate, std_error = comparison.estimates(self.counted)
        for batch, effort in shared(self.prepared, c, len(self.y), request):
            events = self.counted[batch]
            curve = comparison.curve(events, np.zeros(len(events)), effort)
            test_columns = {
                "estimate": estimate[batch],
                "std_error": std_error[batch],
                "statistic": curve.statistics()[0],
                "p_value": curve.p_value(),
            }
            covered = np.full(len(events), np.nan)
            if truth is not None:
                at_truth = comparison.curve(events, np.full(len(events), truth), effort)
                covered = (at_truth.p_value() >= 1 - request.conf_level).astype(float)
            yield batch, test_columns, covered

    def means(self, request: Request) -> Inference:
        """Linear predictors of arms, of the regression that takes individuals for independent.

        Randomisation gives them no interval.
        """
        design = self.prepared.design
        model = EventModel.of(design)
        Lambda, _ = model.basis.coordinates(design.L_means)
        estimate = model.fit(model.rows.events(self.y)).estimate(Lambda)
        missing = Inference.missing(len(Lambda), request.conf_level).repeated(len(self.y))
        return replace(missing, estimate=estimate)


def _pair(
    comparison: EventComparison, events: np.ndarray, effort: Effort, conf_level: float
) -> PairTest:
    """The test of one outcome, events (1, m), with its estimate and its interval."""
    if comparison.compared.problem:
        no = np.array(np.nan)
        return PairTest(None, comparison.compared.problem, np.array(False), *[no] * 8)
    curve = comparison.curve(events, np.zeros(1), effort)
    test = pair_test(curve, (), None)
    (observed,), (statistics,) = curve.statistics()
    estimate, std_error = (each[0] for each in comparison.estimates(events))
    low = high = np.nan
    if np.isfinite(estimate + std_error):
        step = float(np.clip(std_error, 1e-3, 2.0))
        low, high = comparison.interval(events[0], float(estimate), step, effort, conf_level)
    return replace(
        test,
        estimate=np.array(estimate),
        std_error=np.array(std_error),
        conf_low=np.array(low),
        conf_high=np.array(high),
        histogram=Histogram.of(float(observed), statistics),
    )


def prepare(design: Design) -> ResidualRandomization:
    """The design with its randomised units and rows of events."""
    return ResidualRandomization(design, units_of(design))
