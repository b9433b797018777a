"""Power of trials whose groups are measured in several periods: stepped wedges, crossovers, parallel.

Means of groups in periods (cells) have the precision of generalised least squares at known variances,
with a parameter per period and one effect of the treatment (Hussey and Hughes 2007). Cells of a group
are correlated alike, or less the further apart (Hooper et al. 2016; Kasza et al. 2019). Every sequence
adds its information, a matrix over the periods: nothing is as large as the number of individuals.

Tests compare with t on the number of groups less 2. In parallel designs and in crossovers of two
periods that is exact: the estimate is a difference of two means of independent groups. In others the
mixed model has more df if the correlations are what it takes them for (`period_df`), and fewer are
cautious. For stepped wedges Ouyang et al. (2026, arXiv 2604.18323) found coverage most consistent
with this number and robust standard errors, where random effects are not what the model says.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from groupwise.planning.layouts import share_out, stepped_wedge
from groupwise.planning.noncentral import critical_f
from groupwise.planning.power import NoncentralF, detectable
from groupwise.planning.sample_size import LARGEST_SIZE, MOST_GROUPS, smallest

NOT_MEASURED = -1

MOST_SEQUENCES = 12
"""A stepped wedge of more has as many periods, of which few trials have more."""

VANISHES = 1e-10
"""An effect with this share of its information left, given the periods, is not identified."""


@dataclass(frozen=True)
class PeriodPlan:
    """Groups that go through sequences of two arms, with as many individuals in every cell.

    Attributes
    ----------
    sequences : (S, T)
        Arms 0 and 1 by period; negative or NaN is a cell that is not measured.
    groups_per_sequence : (S,)
    cell_size : float
        Individuals of a group in a period.
    sd : float
        Of individuals over all groups in one period, in units of the outcome.
    icc : float
        Correlation of two individuals of a group in one period, at least 0 and below 1.
    cac : float
        Cluster autocorrelation, from 0 to 1: the ICC of individuals in two periods over `icc`.
    decay : bool
        Whether correlations of periods t and s are powers |t - s| of `cac` and `iac`, which are then
        those of neighbours; else all periods are alike.
    iac : float
        Individual autocorrelation, at least 0 and below 1, of what individuals differ by within their
        groups: 0 where every period has other individuals, above it in closed cohorts.

    Raises
    ------
    ValueError
        For shapes, arms and correlations that are none of these.
    """

    sequences: np.ndarray
    groups_per_sequence: np.ndarray
    cell_size: float
    sd: float
    icc: float
    cac: float = 1.0
    decay: bool = False
    iac: float = 0.0

    def __post_init__(self) -> None:
        arms = np.atleast_2d(np.asarray(self.sequences, dtype=float))
        measured = arms >= 0
        object.__setattr__(self, "sequences", np.where(measured, arms, NOT_MEASURED).astype(int))
        object.__setattr__(self, "groups_per_sequence", np.asarray(self.groups_per_sequence))
        if not np.isin(arms[measured], (0, 1)).all():
            raise ValueError("sequences have arms 0 and 1, and -1 where nothing is measured")
        groups = self.groups_per_sequence
        if groups.shape != (len(arms),) or (groups < 0).any() or groups.sum() == 0:
            raise ValueError("groups_per_sequence has a number for each sequence, none below 0")
        if not (self.sd > 0 and self.cell_size > 0):
            raise ValueError("sd and cell_size are positive")
        if not (0 <= self.icc < 1 and 0 <= self.cac <= 1 and 0 <= self.iac < 1):
            raise ValueError("icc and iac are at least 0 and below 1, cac is from 0 to 1")

    @property
    def n_sequences(self) -> int:
        return len(self.sequences)

    @property
    def n_periods(self) -> int:
        return self.sequences.shape[1]

    @property
    def n_groups(self) -> int:
        return int(self.groups_per_sequence.sum())

    @property
    def n_cells(self) -> int:
        """Groups by periods that are measured."""
        cells = (self.sequences != NOT_MEASURED).sum(axis=1)
        return int(cells @ self.groups_per_sequence)

    @property
    def df(self) -> float:
        """Groups less 2; see the module."""
        return float(self.n_groups - 2)

    @cached_property
    def cell_cov(self) -> np.ndarray:
        """(T, T) covariance of the means of a group's cells."""
        period = np.arange(self.n_periods)
        apart = np.abs(period[:, None] - period)
        power = apart if self.decay else np.minimum(apart, 1)
        between = self.icc * self.cac**power
        within = (1 - self.icc) / self.cell_size * self.iac**power
        return np.asarray(self.sd**2 * (between + within))

    def cell_design(self, arms: np.ndarray) -> np.ndarray:
        """(t, T + 1): the t cells that are measured of a sequence (T,) by period, and their arm."""
        (at,) = np.nonzero(arms != NOT_MEASURED)
        X = np.zeros((len(at), self.n_periods + 1))
        X[np.arange(len(at)), at], X[:, -1] = 1, arms[at]
        return X

    @cached_property
    def variance(self) -> float:
        """Of the effect of the treatment by generalised least squares; infinite if not identified."""
        T = self.n_periods
        information = np.zeros((T + 1, T + 1))
        for arms, groups in zip(self.sequences, self.groups_per_sequence, strict=True):
            (at,) = np.nonzero(arms != NOT_MEASURED)
            X = self.cell_design(arms)
            information += groups * (X.T @ np.linalg.solve(self.cell_cov[np.ix_(at, at)], X))
        seen = np.diag(information)[:T] > 0
        periods, cross = information[:T, :T][np.ix_(seen, seen)], information[:T, T][seen]
        alone = information[T, T]
        left = alone - cross @ np.linalg.solve(periods, cross)
        return float(1 / left) if left > VANISHES * alone else np.inf

    @property
    def std_error(self) -> float:
        return float(np.sqrt(self.variance))

    def power(self, effect: float, *, level: float = 0.05, df: float | None = None) -> float:
        """P(reject "no effect") where it is `effect`, two-sided; 0 where there is no test.

        `df` infinite is the normal; by default those of the plan.
        """
        curve = self._curve(level, df)
        return 0.0 if curve is None else curve(effect**2 / self.variance)

    def detectable(
        self, power: float = 0.8, *, level: float = 0.05, df: float | None = None
    ) -> float:
        """The effect that is found with this probability; NaN where there is no test."""
        curve = self._curve(level, df)
        if curve is None:
            return np.nan
        return float(detectable([curve], np.array([self.variance]), power)[0])

    def _curve(self, level: float, df: float | None) -> NoncentralF | None:
        df = self.df if df is None else df
        if not df > 0 or np.isinf(self.variance):
            return None
        return NoncentralF(critical_f(level, 1, df), 1.0, df)

    def with_groups(self, multiple: int) -> PeriodPlan:
        """The smallest numbers of groups in the same ratios, times `multiple`.

        With as many groups in all sequences, `multiple` is the groups of each.
        """
        groups = self.groups_per_sequence.astype(int)
        return replace(self, groups_per_sequence=groups // np.gcd.reduce(groups) * multiple)

    def with_size(self, cell_size: float) -> PeriodPlan:
        return replace(self, cell_size=cell_size)


def groups_needed(
    plan: PeriodPlan,
    effect: float,
    *,
    power: float = 0.8,
    level: float = 0.05,
    df: float | None = None,
    most: int = MOST_GROUPS,
) -> PeriodPlan | None:
    """The plan with the fewest groups that has the power, in the ratios of this one.

    None where `most` times the smallest such plan are not enough. `df` as in `PeriodPlan.power`.
    """

    def power_of(multiple: int) -> float:
        return plan.with_groups(multiple).power(effect, level=level, df=df)

    multiple = smallest(power_of, power, most)
    return None if multiple is None else plan.with_groups(multiple)


def size_needed(
    plan: PeriodPlan,
    effect: float,
    *,
    power: float = 0.8,
    level: float = 0.05,
    largest: int = LARGEST_SIZE,
) -> PeriodPlan | None:
    """The plan with the smallest cells that has the power, whole numbers; None up to `largest`.

    Often there is none: what groups and periods differ by does not average out within a cell.
    """

    def power_of(size: int) -> float:
        return plan.with_size(size).power(effect, level=level)

    size = smallest(power_of, power, largest)
    return None if size is None else plan.with_size(size)


def stepped_wedges(plan: PeriodPlan, members: float | None = None) -> list[PeriodPlan]:
    """Stepped wedges of 2 to `MOST_SEQUENCES` sequences, numbers that divide that of the groups.

    S sequences have S + 1 periods. Cells are as large as those of `plan`; or of each group there are
    `members` altogether, in equal parts. Correlations do not depend on how long a period is.
    """
    G = plan.n_groups
    plans = []
    for n_sequences in (S for S in range(2, MOST_SEQUENCES + 1) if G % S == 0):
        size = plan.cell_size if members is None else members / (n_sequences + 1)
        arms = stepped_wedge(n_sequences + 1)
        groups = share_out(G, n_sequences)
        plans.append(replace(plan, sequences=arms, groups_per_sequence=groups, cell_size=size))
    return plans
