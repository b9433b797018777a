"""Randomisation tests of every replicate: assignments are made once, and applied to all."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from groupwise.calibration.replicates import COLUMNS, Batch, Replicates
from groupwise.inference.assignments import Effort, Plan
from groupwise.inference.randomization import (
    Comparison,
    Forms,
    PairTest,
    ShiftCurve,
    Units,
    compare_pair,
)
from groupwise.tidy import Inference

METHODS = ("randomization",)

TOGETHER = 50
"""Replicates that share random assignments: few, so that their errors hardly go together."""


def answers(batch: Batch, wanted: frozenset[str]) -> dict[str, Replicates]:
    """The one method; the interval covers the true value where that is not rejected.

    The first `inverted` replicates are tested as the data are, intervals included, with random
    assignments of their own.
    """
    design = batch.design
    units = Units.of(design)
    values = units.values(batch.y)
    place = {label: j for j, label in enumerate(design.arm_labels)}
    shape = (len(COLUMNS), batch.n_replicates, len(design.contrasts))
    columns, covers = np.full(shape, np.nan), np.full(shape[1:], np.nan)
    for c, (b, a) in enumerate(design.contrasts):
        pair = (place[a], place[b])
        comparison = Comparison.of(units, pair)
        if comparison.problem:
            continue
        truth = batch.truth[c]
        for own, effort in _chunks(batch, comparison):
            curve = shift_curves(comparison, values[own], effort.apart(*pair))
            tested = (curve.estimate, np.sqrt(curve.variance), curve.p_value())
            for name, found in zip(("estimate", "std_error", "p_value"), tested, strict=True):
                columns[COLUMNS.index(name), own, c] = found
            covers[own, c] = curve.p_value(truth) >= 1 - batch.conf_level
        for i in range(min(batch.effort.inverted, batch.n_replicates)):
            one = _as_the_data(batch, pair, i)
            columns[:, i, c] = [float(getattr(one, name, np.nan)) for name in COLUMNS]
    found = Inference(
        **dict(zip(COLUMNS, columns, strict=True)),
        statistic=columns[0] / columns[1],
        conf_level=batch.conf_level,
    )
    return {METHODS[0]: Replicates.of(batch, found, covers=covers)}


def _chunks(batch: Batch, comparison: Comparison) -> list[tuple[slice, Effort]]:
    """Which replicates share their assignments: all of them where these are all there are."""
    exact = Plan.of(comparison.assignments, _effort(batch, 0)).exact
    step = batch.n_replicates if exact else TOGETHER
    starts = range(0, batch.n_replicates, step)
    return [(slice(i, i + step), _effort(batch, i)) for i in starts]


def _effort(batch: Batch, i: int) -> Effort:
    effort = batch.effort
    return Effort(effort.max_assignments, effort.randomization_draws, batch.seed_of(i))


def _as_the_data(batch: Batch, pair: tuple[int, int], i: int) -> PairTest:
    """What the specification does with one dataset."""
    design = batch.design
    place = np.argsort(np.argsort(design.arm_labels))
    units = Units.of(design)
    units, values = replace(units, arm=place[units.arm]).sorted(units.values(batch.y[i]))
    a, b = (int(place[j]) for j in pair)
    effort = _effort(batch, i)
    return compare_pair(units, values, (a, b), effort=effort, conf_level=batch.conf_level)


def shift_curves(comparison: Comparison, values: np.ndarray, effort: Effort) -> ShiftCurve:
    """`randomization.shift_curve` of outcomes of the units (R, u), in matrix products.

    With f = e - D a and g = o - D r the residuals of an assignment, of the outcome and of the
    indicator o of the assignment made, sums of W f f and W f g are expanded in e, D and g.
    """
    plan = Plan.of(comparison.assignments, effort)
    y = comparison.outcome(values)
    o, W = comparison.made.D[0, 0], comparison.made.W[0, 0]
    estimate = y @ comparison.made.B[0, 0]
    e = y - estimate[:, None] * o
    chunks = [_curve_chunk(Forms.of(comparison, labels), e, o) for labels in plan.chunks()]
    a, v0, v1, r, v2 = (np.concatenate(part, axis=-1) for part in zip(*chunks, strict=True))
    return ShiftCurve(estimate, e**2 @ W, a, v0, v1, r, v2, plan)


def _curve_chunk(forms: Forms, e: np.ndarray, o: np.ndarray) -> tuple[np.ndarray, ...]:
    """a, v0, v1 (R, k) and r, v2 (k,) for k assignments."""
    B, D, W = forms.B[0], forms.D[0], forms.W[0]
    r = B @ o
    g = o - D * r[:, None]
    WD, Wg = W * D, W * g
    a = e @ B.T
    v0 = e**2 @ W.T - 2 * a * (e @ WD.T) + a**2 * (WD * D).sum(axis=1)
    v1 = -2 * (e @ Wg.T - a * (WD * g).sum(axis=1))
    return a, v0, v1, r, (Wg * g).sum(axis=1)
