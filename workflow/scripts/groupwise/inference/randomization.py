"""Randomisation tests and intervals that re-randomise what the experiment randomised.

Units are groups (means of their members) where the treatment is constant in groups, and individuals
where it varies in them; they are permuted among arms inside blocks (inside groups, for individuals),
arm sizes kept. For a pair of arms only the units of these two arms are permuted: that the two
treatments do not differ says nothing of a third, and given who is in it every assignment of the
others is equally likely. Of a block that lacks one of the arms nothing is permuted, or used.

The statistic is the t (for all arms: Wald) statistic of the regression of the outcome on arms,
blocks and covariates among these units, with the HC2 covariance, computed anew for every assignment.
Without blocks and covariates that is Welch's t; with matched pairs the paired t. The test is exact
under the sharp null of no effect on any unit, whatever the statistic; this one also makes it
asymptotically valid for an average effect of zero (Wu and Ding 2021; with covariates, Zhao and Ding
2021). Intervals hold the constant effects that are not rejected.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from scipy import linalg
from scipy.special import comb

from groupwise.algebra import RANK_TOLERANCE, sum_by
from groupwise.design import Design
from groupwise.inference.assignments import AssignmentPlan, Assignments, Effort
from groupwise.inference.binomial import exact_limits
from groupwise.rows import Rows

TIE = 1e-10
"""Statistics tie when their 1 / (1 + t^2) is this close, whatever the units of the outcome."""

CONSTANT = 1e-14
"""Residuals this small, relative to the outcome, are 0."""

FAR = 1e5
"""An end of an interval this many standard errors away is infinite."""

FULL_LEVERAGE = 1 - 1e-9
"""A unit with this leverage has no residual, and no part in the HC2 covariance."""

FEW = 5_000
"""With fewer assignments an interval looks at every root of every polynomial."""

BINS = 30
"""Bins of a histogram on either side of 0."""

TAILS = 8.0
"""A histogram ends so many times the median distance from 0 at most: few statistics lie further out."""

MONTE_CARLO_LEVEL = 0.95
"""Confidence level of the interval of a p-value that was estimated from random draws."""


@dataclass(frozen=True)
class Units:
    """The u units that were randomised, with their arm, their block, and c covariates.

    Attributes
    ----------
    arm, block : (u,) codes from 0
    covariates : (u, c) periods included
    unit : (n,) the unit of each row
    rows : what the rows are
    problem : why these units were not assigned; empty where they may have been
    """

    arm: np.ndarray
    block: np.ndarray
    covariates: np.ndarray
    unit: np.ndarray
    rows: Rows
    problem: str = ""

    @classmethod
    def of(cls, design: Design) -> Units:
        """What the design assigned, whole: groups, groups in one period, individuals, or rows.

        Groups are permuted in their blocks, all others in their groups.
        """
        X = design.X[:, design.columns("covariate", "period")]
        bearer = design.assignment.bearer
        if bearer == "row":
            unit = np.arange(len(design.X))
            return cls(design.arm, design.group, X, unit, design.rows, _problem(design))
        unit = design.codes_of(bearer)
        block = design.group
        if bearer == "group":
            block = np.zeros_like(unit) if design.block is None else design.block
        first = np.unique(unit, return_index=True)[1]
        size = design.rows.sizes(unit, len(first))
        covariates = sum_by(X.T * design.rows.ones, unit, len(first)) / size
        return cls(design.arm[first], block[first], covariates.T, unit, design.rows)

    def relabelled(self, places: np.ndarray) -> Units:
        """The same units with arm j called places[j]."""
        return replace(self, arm=places[self.arm])

    def comparison(self, arms: tuple[int, ...]) -> Comparison:
        """The fixed part of a test between these arms."""
        return Comparison.of(self, arms)

    def values(self, y: np.ndarray) -> np.ndarray:
        """Outcomes of the units, shape (..., u), from those in the rows, shape (..., n)."""
        size = self.rows.sizes(self.unit, len(self.arm))
        return sum_by(y * self.rows.ones, self.unit, len(self.arm)) / size

    def sorted(self, values: np.ndarray) -> tuple[Units, np.ndarray]:
        """Units and outcomes (u,) in an order that neither rows nor names nor scale determine.

        Random draws are then the same however a table was sorted, and for outcomes a + b y. They
        stay valid: whatever the order, every assignment is equally likely to be drawn.
        """
        centred = values - values.mean()
        upwards = np.where(
            np.power(centred / max(np.abs(centred).max(), 1e-300), 3).sum() < 0, -1, 1
        )
        key = upwards * centred
        order = np.lexsort((*self.covariates.T, key, _means(key, self.block)[self.block]))
        place = np.empty_like(order)
        place[order] = np.arange(len(order))
        units = Units(
            self.arm[order],
            self.block[order],
            self.covariates[order],
            place[self.unit],
            self.rows,
            self.problem,
        )
        return units, values[order]


def _problem(design: Design) -> str:
    """Why rows cannot be permuted inside groups; empty where they can."""
    if design.assigned_with is None:
        return ""
    return (
        f"Inside a group the treatment goes with '{design.assigned_with}': rows were not assigned one "
        "by one, and what was assigned is not known."
    )


@dataclass(frozen=True)
class Comparison:
    """The fixed part of a test between q + 1 arms: m units that are permuted, and how.

    Attributes
    ----------
    index : (m,) of the units
    assignments : arms recoded 0 ... q, blocks recoded
    Q : (m, c) orthonormal basis of the covariates after blocks
    problem : why there can be no test; empty when there can
    """

    index: np.ndarray
    assignments: Assignments
    Q: np.ndarray
    problem: str

    @classmethod
    def of(cls, units: Units, arms: tuple[int, ...]) -> Comparison:
        """The units of these arms, in blocks that hold two of them at least."""
        code = np.full(units.arm.max() + 1, -1)
        code[list(arms)] = np.arange(len(arms))
        arms_of_block = np.zeros((units.block.max() + 1, len(arms)), dtype=bool)
        arm = code[units.arm]
        arms_of_block[units.block[arm >= 0], arm[arm >= 0]] = True
        arms_of_block = arms_of_block & (np.count_nonzero(arms_of_block, axis=1)[:, None] > 1)
        index = np.flatnonzero((arm >= 0) & arms_of_block.any(axis=1)[units.block])
        if units.problem or not _connected(arms_of_block):
            problem = (
                units.problem or "The arms do not meet in any block, not even through a third arm."
            )
            return cls(index, Assignments(arm[index], index), np.zeros((len(index), 0)), problem)
        block = np.unique(units.block[index], return_inverse=True)[1]
        Q = _basis(units.covariates[index], block)
        comparison = cls(index, Assignments(arm[index], block), Q, "")
        df = len(index) - (block.max() + 1) - Q.shape[1] - comparison.q
        if df > 0 and comparison.observed.defined[0]:
            return comparison
        return replace(comparison, problem="There are too few units for a standard error.")

    @property
    def q(self) -> int:
        return self.assignments.counts.shape[1] - 1

    @cached_property
    def observed(self) -> Forms:
        """The forms of the observed assignment."""
        return Forms.of(self, self.assignments.arm[None])

    @cached_property
    def _size(self) -> np.ndarray:
        return self.assignments.counts.sum(axis=1)

    @cached_property
    def leverage(self) -> np.ndarray:
        """(m,) of blocks and covariates."""
        return 1 / self._size[self.assignments.block] + np.square(self.Q).sum(axis=1)

    def outcome(self, values: np.ndarray) -> np.ndarray:
        """(..., m): what blocks and covariates leave of the outcomes of all units, (..., u)."""
        return self._without_covariates(_centred_by_block(values[..., self.index], self._block))

    def indicators(self, labels: np.ndarray) -> np.ndarray:
        """(q, a, m): what they leave of the indicators of arms 1 ... q in a assignments."""
        share = (self.assignments.counts / self._size[:, None])[self._block]
        return np.array(
            [self._without_covariates((labels == j) - share[:, j]) for j in range(1, self.q + 1)]
        )

    @property
    def observed_labels(self) -> np.ndarray:
        """(1, m): the assignment that was made."""
        return self.assignments.arm[None]

    def curve(self, values: np.ndarray, effort: Effort) -> ShiftCurve:
        """See `shift_curve`."""
        return shift_curve(self, values, effort)

    def wald(self, labels: np.ndarray, Y: np.ndarray) -> np.ndarray:
        """Wald statistics (R, a) of outcomes (R, m) under a assignments."""
        return _wald(Forms.of(self, labels), Y)

    @property
    def _block(self) -> np.ndarray:
        return self.assignments.block

    def _without_covariates(self, values: np.ndarray) -> np.ndarray:
        if not self.Q.shape[1]:
            return values
        return values - (values @ self.Q) @ self.Q.T


@dataclass(frozen=True)
class Forms:
    """Effects and HC2 covariances under a assignments, as functions of the outcome y, shape (m,).

    Attributes
    ----------
    D : (q, a, m) indicators of the arms after blocks and covariates
    B : (q, a, m) effects are the sums of B y
    W : (q (q + 1) / 2, a, m) covariances, of the lower triangle, are sums of W e^2, e residuals
    defined : (a,) are arms and covariates told apart, and has every unit in use a residual?
    """

    D: np.ndarray
    B: np.ndarray
    W: np.ndarray
    defined: np.ndarray

    @classmethod
    def of(cls, comparison: Comparison, labels: np.ndarray) -> Forms:
        """The forms of assignments `labels`, shape (a, m); where arms are aliased they are 0."""
        D = comparison.indicators(labels)
        same = not comparison.Q.shape[1]  # without covariates D'D is the same for all assignments
        S_inv = _inverse(D[:, :1] if same else D)
        B = np.einsum("apr,ram->pam", np.broadcast_to(S_inv, (len(labels), len(D), len(D))), D)
        leverage = comparison.leverage + (D * B).sum(axis=0)
        full = leverage > FULL_LEVERAGE
        weight = np.where(full, 0, 1 / np.maximum(1 - leverage, 1e-10))
        defined = B.any(axis=2).all(axis=0) & ~(full & (np.abs(D).max(axis=0) > 1e-9)).any(axis=1)
        rows, columns = np.tril_indices(len(D))
        W = np.empty((len(rows), *weight.shape))
        for w, p, r in zip(W, rows, columns, strict=True):
            np.multiply(B[p], B[r], out=w)
            w *= weight
        return cls(D, B, W, defined)

    def effects(self, y: np.ndarray) -> np.ndarray:
        """(q, a)"""
        return self.B @ y

    def residuals(self, y: np.ndarray, effects: np.ndarray) -> np.ndarray:
        """(a, m)"""
        e = y - self.D[0] * effects[0][:, None]
        for d, effect in zip(self.D[1:], effects[1:], strict=True):
            e -= d * effect[:, None]
        return e

    def covariance(self, e: np.ndarray, f: np.ndarray) -> np.ndarray:
        """(q, q, a); the bilinear form of two sets of residuals."""
        lower = np.einsum("tam,am->ta", self.W, e * f)
        rows, columns = np.tril_indices(len(self.D))
        V = np.empty((len(self.D), *self.D.shape[:2]))
        V[rows, columns] = V[columns, rows] = lower
        return V


@dataclass(frozen=True)
class ShiftCurve:
    """The statistic of a pair of arms under every assignment, as a function of the tested effect.

    At the effect `estimate` + s, assignment i has the effect a_i - s r_i with the variance
    v0_i + s v1_i + s^2 v2_i; the assignment that was made has -s and `variance`.

    Attributes
    ----------
    estimate, variance : (R,) for R replicates
    a, v0, v1 : (R, k) for k assignments
    r, v2 : (k,)
    plan : where the assignments come from
    """

    estimate: np.ndarray
    variance: np.ndarray
    a: np.ndarray
    v0: np.ndarray
    v1: np.ndarray
    r: np.ndarray
    v2: np.ndarray
    plan: AssignmentPlan

    def statistics(self, effect: float | np.ndarray = 0.0) -> tuple[np.ndarray, np.ndarray]:
        """t of the assignment made, (R,), and of all assignments, (R, k), at a tested effect."""
        s = np.broadcast_to(effect, self.estimate.shape)[:, None] - self.estimate[:, None]
        variance = self.v0 + s * self.v1 + s**2 * self.v2
        return _ratio(-s[:, 0], self.variance), _ratio(self.a - s * self.r, variance)

    def exceedances(self, effect: float | np.ndarray = 0.0) -> np.ndarray:
        """(R,) assignments with a statistic as large as the observed one, at a tested effect."""
        observed, all_ = self.statistics(effect)
        return _as_large(observed[:, None] ** 2, all_**2).sum(axis=1)

    def p_value(self, effect: float | np.ndarray = 0.0) -> np.ndarray:
        """(R,) two-sided p-values of a tested effect."""
        return _p_value(self.exceedances(effect), self.plan)

    def intervals(self, conf_level: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Ends of the hull of {effect: p_value >= 1 - conf_level}, and whether that set has gaps."""
        limits = [self._interval(i, conf_level) for i in range(len(self.estimate))]
        low, high, gaps = np.array(limits, dtype=float).reshape(-1, 3).T
        return low, high, gaps.astype(bool)

    def _interval(self, i: int, conf_level: float) -> tuple[float, float, bool]:
        """In units of the standard error, assignments are as extreme where a quartic is positive:

        (A - x r)^2 >= x^2 (v0 + x v1 + x^2 v2).
        """
        se = np.sqrt(self.variance[i])
        if not np.isfinite(se):
            return np.nan, np.nan, False
        needed = int(np.ceil((1 - conf_level) * self.plan.count - 1e-9))
        if not se > 0:
            return self._no_spread(i, needed)
        A, v0, v1 = self.a[i] / se, self.v0[i] / se**2, self.v1[i] / se
        quartic = np.array([-self.v2, -v1, self.r**2 - v0, -2 * A * self.r, A**2]).T
        always = (np.abs(quartic) < 1e-8).all(axis=1)
        base = int(always.sum()) + (not self.plan.exact)
        quartic = quartic[~always]
        high, gap_high = _outermost(quartic, base, needed)
        low, gap_low = _outermost(quartic * [1, -1, 1, -1, 1], base, needed)
        return self.estimate[i] - low * se, self.estimate[i] + high * se, gap_high or gap_low

    def _no_spread(self, i: int, needed: int) -> tuple[float, float, bool]:
        """The arms do not vary: any other effect is infinitely far off, but for the same arms."""
        always = int((self.v2 < 1e-12).sum()) + (not self.plan.exact)
        if always >= needed:
            return -np.inf, np.inf, False
        return float(self.estimate[i]), float(self.estimate[i]), False


@dataclass(frozen=True)
class Histogram:
    """Statistics of all assignments, counted; the outer bins also hold all that lies beyond them.

    The statistic of the assignment made and its opposite are edges, so that the assignments as
    extreme as it are those in the bins beyond these two.

    Attributes
    ----------
    edges : (b + 1,) from the lowest to the highest
    count : (b,)
    extreme : (b,) is the bin beyond the statistic of the assignment made?
    """

    edges: np.ndarray
    count: np.ndarray
    extreme: np.ndarray

    @classmethod
    def of(cls, observed: float, statistics: np.ndarray) -> Histogram:
        """The histogram of the statistics (k,) of all assignments."""
        edges, inner = _edges(abs(observed), np.abs(statistics))
        as_large, size = _as_large(np.square(observed), np.square(statistics)), np.abs(statistics)
        # What is as large within rounding stands outside, whatever its last digits are.
        inside = np.minimum(size, np.nextafter(edges[inner], 0))
        size = np.where(as_large, np.clip(size, edges[inner], edges[-1]), inside)
        below, above = (
            np.histogram(size[side], edges)[0] for side in (statistics < 0, statistics >= 0)
        )
        extreme = np.arange(len(above)) >= inner
        return cls(
            edges=np.concatenate([-edges[:0:-1], edges]),
            count=np.concatenate([below[::-1], above]),
            extreme=np.concatenate([extreme[::-1], extreme]),
        )

    def reversed(self) -> Histogram:
        """The histogram of the statistics with the other sign."""
        return Histogram(-self.edges[::-1], self.count[::-1], self.extreme[::-1])


@dataclass(frozen=True)
class PairTest:
    """Two arms compared; arrays have the shape (...) of the replicates.

    `p_low`, `p_high`: Monte Carlo interval of the p-value, the p-value itself where every
    assignment was enumerated. `gaps`: the set of effects that are not rejected is no interval;
    the one given is its hull. `histogram` of the statistics of all assignments, where asked for.
    """

    plan: AssignmentPlan | None
    problem: str
    gaps: np.ndarray
    estimate: np.ndarray
    std_error: np.ndarray
    statistic: np.ndarray
    p_value: np.ndarray
    p_low: np.ndarray
    p_high: np.ndarray
    conf_low: np.ndarray
    conf_high: np.ndarray
    histogram: Histogram | None = field(default=None, kw_only=True)

    def reversed(self) -> PairTest:
        """The same test of a - b."""
        return replace(
            self,
            histogram=None if self.histogram is None else self.histogram.reversed(),
            estimate=-self.estimate,
            statistic=-self.statistic,
            conf_low=-self.conf_high,
            conf_high=-self.conf_low,
        )


@dataclass(frozen=True)
class OmnibusTest:
    """All arms at once; F is the Wald statistic over `df_num`, arrays have shape (...)."""

    plan: AssignmentPlan | None
    problem: str
    df_num: int
    statistic: np.ndarray
    p_value: np.ndarray
    p_low: np.ndarray
    p_high: np.ndarray


class Compared(Protocol):
    """What a test asks of the fixed part of a comparison: `Comparison` has it, and that of sequences."""

    @property
    def assignments(self) -> Assignments: ...
    @property
    def problem(self) -> str:
        """Why there can be no test; empty when there can."""

    @property
    def q(self) -> int:
        """Arms that are compared with the first."""

    @property
    def observed_labels(self) -> np.ndarray:
        """(1, m): the assignment that was made."""

    def outcome(self, values: np.ndarray) -> np.ndarray:
        """(R, ...) what blocks, periods and covariates leave of the outcomes of units, (R, u)."""

    def curve(self, values: np.ndarray, effort: Effort) -> ShiftCurve:
        """The statistic of a pair of arms under every assignment."""

    def wald(self, labels: np.ndarray, Y: np.ndarray) -> np.ndarray:
        """Wald statistics (R, a) of outcomes (R, ...) under a assignments."""


class Randomized(Protocol):
    """What a test asks of units: `Units` and `sequence_permutation.SequenceUnits` have it."""

    @property
    def arm(self) -> np.ndarray: ...

    def values(self, y: np.ndarray) -> np.ndarray:
        """Outcomes of the units, (..., u), from those of rows (..., n)."""

    def sorted(self, values: np.ndarray) -> tuple[Any, np.ndarray]:
        """Units and outcomes (u,) in an order that neither rows nor names nor scale determine."""

    def relabelled(self, places: np.ndarray) -> Any:
        """The same units with arm j called places[j]."""

    def comparison(self, arms: tuple[int, ...]) -> Compared:
        """The fixed part of a test between these arms."""


def shift_curve(comparison: Comparison, values: np.ndarray, effort: Effort) -> ShiftCurve:
    """Go through the assignments of two arms once; `values` (R, u) are the outcomes of the units.

    The outcome less an effect tau of the assignment made is e - s o, with the residuals e, the
    indicator o and s = tau - estimate; all follows from what an assignment makes of e and of o, in
    matrix products. With f = e - D a and g = o - D r the residuals of an assignment, sums of W f f and
    W f g are expanded in e, D and g.
    """
    plan = AssignmentPlan.of(comparison.assignments, effort)
    y = without_rounding(comparison.outcome(values), values)
    o, W = comparison.observed.D[0, 0], comparison.observed.W[0, 0]
    estimate = y @ comparison.observed.B[0, 0]
    e = without_rounding(y - estimate[:, None] * o, values)
    chunks = [_curve_chunk(Forms.of(comparison, labels), e, o) for labels in plan.chunks()]
    a, v0, v1, r, v2 = (np.concatenate(part, axis=-1) for part in zip(*chunks, strict=True))
    return ShiftCurve(estimate, e**2 @ W, a, v0, v1, r, v2, plan)


def _curve_chunk(forms: Forms, e: np.ndarray, o: np.ndarray) -> tuple[np.ndarray, ...]:
    """a, v0, v1 of shape (R, k) and r, v2 of shape (k,) for k assignments."""
    B, D, W = forms.B[0], forms.D[0], forms.W[0]
    r = B @ o
    g = o - D * r[:, None]
    WD, Wg = W * D, W * g
    a = e @ B.T
    v0 = e**2 @ W.T - 2 * a * (e @ WD.T) + a**2 * (WD * D).sum(axis=1)
    v1 = -2 * (e @ Wg.T - a * (WD * g).sum(axis=1))
    return a, v0, v1, r, (Wg * g).sum(axis=1)


def compare_pair(
    units: Randomized,
    values: np.ndarray,
    pair: tuple[int, int],
    *,
    effort: Effort,
    conf_level: float | None = 0.95,
    histogram: bool = False,
) -> PairTest:
    """Arm b against arm a, for pair = (a, b): test of no effect and interval of a constant one.

    Parameters
    ----------
    values : (..., u) outcomes of the units, see `Units.values`
    conf_level : None leaves the intervals out, which saves time in simulations
    histogram : keep the statistics of all assignments, counted, for values (u,)

    Returns
    -------
    PairTest
        Its estimate is b - a: the difference of unit means, within blocks and adjusted for
        covariates where there are any; blocks count by n_a n_b / (n_a + n_b).
    """
    if pair[0] > pair[1]:
        other_way = (pair[1], pair[0])
        test = compare_pair(
            units, values, other_way, effort=effort, conf_level=conf_level, histogram=histogram
        )
        return test.reversed()
    shape, comparison = values.shape[:-1], units.comparison(pair)
    if comparison.problem:
        no, gaps = np.full(shape, np.nan), np.zeros(shape, dtype=bool)
        return PairTest(None, comparison.problem, gaps, *[no] * 8)
    curve = comparison.curve(values.reshape(-1, values.shape[-1]), effort.apart(*pair))
    test = pair_test(curve, shape, conf_level)
    if not histogram:
        return test
    (observed,), (statistics,) = curve.statistics()
    return replace(test, histogram=Histogram.of(float(observed), statistics))


def pair_test(curve: ShiftCurve, shape: tuple[int, ...], conf_level: float | None) -> PairTest:
    """The test of no effect from the curve, and the interval unless `conf_level` is None."""
    low = high = np.full(len(curve.estimate), np.nan)
    gaps = np.zeros(len(curve.estimate), dtype=bool)
    if conf_level is not None:
        low, high, gaps = curve.intervals(conf_level)
    exceed = curve.exceedances()
    results = (
        gaps,
        curve.estimate,
        np.sqrt(curve.variance),
        curve.statistics()[0],
        _p_value(exceed, curve.plan),
        *_monte_carlo(exceed, curve.plan),
        low,
        high,
    )
    return PairTest(curve.plan, "", *(each.reshape(shape) for each in results))


def compare_all(units: Randomized, values: np.ndarray, *, effort: Effort) -> OmnibusTest:
    """Test that no arm has an effect on any unit; `values` (..., u) are the units' outcomes."""
    shape, arms = values.shape[:-1], tuple(range(units.arm.max() + 1))
    q, comparison = len(arms) - 1, units.comparison(arms)
    if comparison.problem:
        return OmnibusTest(None, comparison.problem, q, *[np.full(shape, np.nan)] * 4)
    values = values.reshape(-1, values.shape[-1])
    Y = without_rounding(comparison.outcome(values), values)
    observed = comparison.wald(comparison.observed_labels, Y)[:, 0]
    plan, exceed = (
        AssignmentPlan.of(comparison.assignments, effort.apart(*arms)),
        np.zeros(len(Y), dtype=int),
    )
    for labels in plan.chunks():
        exceed += _as_large(observed[:, None], comparison.wald(labels, Y)).sum(axis=1)
    results = (observed / q, _p_value(exceed, plan), *_monte_carlo(exceed, plan))
    return OmnibusTest(plan, "", q, *(each.reshape(shape) for each in results))


def _wald(forms: Forms, Y: np.ndarray) -> np.ndarray:
    """Wald statistics, shape (R, a), of outcomes (R, m) under a assignments."""
    statistics = []
    for y in Y:
        effects = forms.effects(y)
        e = forms.residuals(y, effects)
        statistics.append(quadratic_form(forms.covariance(e, e), effects))
    wald = np.array(statistics)
    return np.where(wald > FAR**4, np.inf, wald)  # residuals that are rounding errors


def quadratic_form(V: np.ndarray, b: np.ndarray) -> np.ndarray:
    """b' V^-1 b for V (q, q, a) and b (q, a), by elimination; infinite where V has no inverse."""
    V, b, total = V.copy(), b.copy(), np.zeros(b.shape[1])
    for p in range(len(b)):
        total += _ratio(b[p], V[p, p]) ** 2
        with np.errstate(divide="ignore", invalid="ignore"):
            factor = np.nan_to_num(V[p, p + 1 :] / V[p, p], posinf=0, neginf=0)
        b[p + 1 :] -= factor * b[p]
        V[p + 1 :] -= factor[:, None] * V[p]
    return total


def _ratio(effect: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """Effect over standard error: infinite without a variance, 0 if there is no effect either."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = effect / np.sqrt(np.maximum(variance, 0))
    return np.where(np.isnan(ratio), 0.0, ratio)


def _inverse(D: np.ndarray) -> np.ndarray:
    """(a, q, q): inverses of D'D for D (q, a, m); 0 where the columns are aliased."""
    S = np.einsum("pam,ram->apr", D, D)
    length = np.sqrt(np.maximum(np.einsum("app->ap", S), np.finfo(float).tiny))
    scale = length[:, :, None] * length[:, None, :]
    R = S / scale
    invertible = (np.linalg.det(R) > 1e-9) & (length.min(axis=1) > 1e-6)
    R[~invertible] = np.eye(len(D))
    inverse: np.ndarray = np.linalg.inv(R) / scale * invertible[:, None, None]
    return inverse


def _as_large(observed: np.ndarray, squared: np.ndarray) -> np.ndarray:
    """Is a squared statistic as large as the observed squared statistic, ties included?"""
    as_large: np.ndarray = 1 / (1 + squared) <= 1 / (1 + observed) + TIE
    return as_large


def _edges(observed: float, distances: np.ndarray) -> tuple[np.ndarray, int]:
    """Edges (BINS + 1,) of distances from 0, and the index among them of the observed distance.

    Bins are equally wide up to there, and beyond. A statistic without end has the last bin.
    """
    finite = distances[distances < FAR]
    top = min(finite.max(initial=0), TAILS * float(np.median(finite)) if len(finite) else 0)
    if not observed < FAR:
        return np.linspace(0, max(top, 1e-9), BINS + 1), BINS - 1
    top = max(top, 1.15 * observed, 1e-9)
    inner = int(np.clip(round(BINS * observed / top), 1, BINS - 1)) if observed > 1e-9 * top else 0
    inside = np.linspace(0, observed, inner + 1)[:-1] if inner else np.empty(0)
    first = observed if inner else 0.0
    return np.concatenate([inside, np.linspace(first, top, BINS - inner + 1)]), inner


def _p_value(exceed: np.ndarray, plan: AssignmentPlan) -> np.ndarray:
    """The share of assignments as extreme; the one made counts among random ones, too."""
    p_value: np.ndarray = (exceed + (not plan.exact)) / plan.count
    return p_value


def _monte_carlo(exceed: np.ndarray, plan: AssignmentPlan) -> tuple[np.ndarray, np.ndarray]:
    """Exact interval of the share of all assignments that are as extreme."""
    if plan.exact:
        p_value = _p_value(exceed, plan)
        return p_value, p_value
    return exact_limits(exceed, plan.size, MONTE_CARLO_LEVEL)


def _outermost(quartic: np.ndarray, base: int, needed: int) -> tuple[float, bool]:
    """The largest x at which `needed` assignments are as extreme, and whether fewer are below it.

    Each of the assignments of `quartic` (k, 5) is as extreme where its polynomial is positive:
    none far out, so each enters at its largest root, leaves at the next, and so on. `base` more
    are as extreme everywhere.
    """
    if base >= needed:
        return np.inf, False
    start = _inside(quartic, 2 * needed - base)
    roots = -np.sort(-_real_roots(quartic[_may_be_positive(quartic, start)]), axis=1)
    step = np.broadcast_to([1, -1, 1, -1], roots.shape)
    beyond = roots > max(start, 1e-9)
    x, step = roots[beyond], step[beyond]
    order = np.argsort(-x, kind="stable")
    x, count = x[order], base + np.cumsum(step[order])
    enough = np.flatnonzero(count >= needed)
    if not len(enough):
        return 0.0, False
    first = enough[0]
    width = -np.diff(x[first:], append=start)
    gap = bool(((count[first:] < needed) & (width > 1e-6)).any())
    return (float(x[first]) if x[first] < FAR else np.inf), gap


def _inside(quartic: np.ndarray, needed: int) -> float:
    """A point up to which, as far as steps show, `needed` polynomials are positive; it saves roots."""
    start, step = 0.0, 0.25
    if len(quartic) < FEW:
        return start
    while (_shifted(quartic, start + step)[:, -1] >= 0).sum() >= needed and start < FAR:
        start, step = start + step, 1.25 * step
    return start


def _may_be_positive(quartic: np.ndarray, start: float) -> np.ndarray:
    """False where the polynomial is negative beyond `start`: no coefficient around it is positive."""
    highest: np.ndarray = _shifted(quartic, start).max(axis=1)
    return highest > 0


def _shifted(quartic: np.ndarray, x: float) -> np.ndarray:
    """Coefficients (k, 5), highest power first, around x in place of 0."""
    powers = np.arange(4, -1, -1)
    shift = comb(powers[:, None], powers) * x ** np.maximum(powers[:, None] - powers, 0)
    shifted: np.ndarray = quartic @ shift
    return shifted


def _real_roots(quartic: np.ndarray) -> np.ndarray:
    """(k, 4) real roots of polynomials (k, 5), highest power first; NaN for complex ones."""
    lead = np.minimum(quartic[:, 0], -1e-13)  # one that is 0 puts a root at infinity, or very far
    companion = np.zeros((len(quartic), 4, 4))
    companion[:, 0] = -quartic[:, 1:] / lead[:, None]
    companion[:, [1, 2, 3], [0, 1, 2]] = 1
    roots = np.linalg.eigvals(companion)
    return np.where(roots.imag == 0, roots.real, np.nan)


def _connected(arms_of_block: np.ndarray) -> bool:
    """Do blocks link all arms? `arms_of_block` (n_blocks, n_arms): which block holds which arm."""
    met = arms_of_block.T.astype(float) @ arms_of_block
    reached = np.linalg.matrix_power(np.minimum(met, 1), len(met))[0]
    return bool(reached.min() > 0)


def _basis(C: np.ndarray, block: np.ndarray) -> np.ndarray:
    """Orthonormal basis (m, rank) of covariates C (m, c) centred within blocks."""
    residual = _centred_by_block(C.T, block).T
    residual = residual[
        :, np.abs(residual).max(axis=0, initial=0) > 1e-9 * np.abs(C).max(axis=0, initial=0)
    ]
    if not residual.shape[1]:
        return residual
    residual = residual / np.linalg.norm(residual, axis=0)
    Q, R, _ = linalg.qr(residual, mode="economic", pivoting=True)
    basis: np.ndarray = Q[:, np.abs(np.diag(R)) > RANK_TOLERANCE * np.abs(R[0, 0])]
    return basis


def _centred_by_block(values: np.ndarray, block: np.ndarray) -> np.ndarray:
    """Values (..., m) less the mean of their block (m,)."""
    return values - _means(values, block)[..., block]


def _means(values: np.ndarray, code: np.ndarray) -> np.ndarray:
    """(..., k) means of values (..., n) by code 0 ... k - 1; each code occurs."""
    order = np.argsort(code, kind="stable")
    size = np.bincount(code)
    starts = np.concatenate([[0], np.cumsum(size)[:-1]])
    means: np.ndarray = np.add.reduceat(values[..., order], starts, axis=-1) / size
    return means


def without_rounding(residual: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Residuals (R, ...), those of an outcome set to 0 that are rounding errors of values (R, u)."""
    scale = np.abs(values).max(axis=-1, initial=0)
    largest = np.abs(residual.reshape(len(residual), -1)).max(axis=-1, initial=0)
    rounding = (largest <= CONSTANT * scale).reshape(-1, *(1,) * (residual.ndim - 1))
    return np.where(rounding, 0.0, residual)
