"""Mixed models of designs with periods beside that of the design itself.

Each is fitted to a model matrix that replaces the design's, X* = X with other columns for periods or for
the treatment. Rows L on the coefficients of X become rows L M on those of X*.

- decay: effects of a group in two periods have a correlation that falls with the time between them
  (Kasza, Hemming, Hooper, Matthews and Forbes 2019, Statistical Methods in Medical Research 28, 703).
- exposure: an effect for each number of periods since a group left the reference, and their average
  (Kenny, Voldal, Xia, Heagerty and Hughes 2022, Statistics in Medicine 41, 4311).
- no periods: one mean for all periods, and what members of a group share in all of them, nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from groupwise.algebra import pivoted_rank
from groupwise.design import Design
from groupwise.inference.mixed import (
    MixedFit,
    MixedModel,
    kenward_roger,
    kenward_roger_joint,
    mixed_model,
    random_terms,
)
from groupwise.models.lmm import LinearMixedModel, LmmFit
from groupwise.models.random_terms import DecayParameters, RandomTerm
from groupwise.sequences import BASELINE, STEPPED_WEDGE
from groupwise.tidy import Inference, JointTest

NO_PERIODS = "Does not apply: the design has no periods."
NO_CHANGE = "Does not apply: groups do not leave the reference for another arm and stay there."
ONE_TIME = "Does not apply: no group was exposed for more than one period."
TREATED_BEFORE = (
    "Does not apply: some groups are in the other arm from the first period on, so nothing says for how "
    "long."
)
TWO_ARMS = "Does not apply: exposure times are those of one treatment, and there are several."
WITH_PERIODS = "Does not apply: exposure times cannot be told apart from periods and covariates."
SLOPES = (
    "Does not apply: with random slopes effects of a group in two periods have no one correlation."
)
TWO_PERIODS = (
    "Does not apply: with two periods this is the model of the other rows of mixed models."
)


@dataclass(frozen=True)
class PeriodModel:
    """A mixed model of X* in place of X.

    Attributes
    ----------
    M : (p, p*) rows L on the coefficients of X are L M on those of X*
    times : (e,) exposure times that have an effect each, in columns from `first_time` on
    """

    model: MixedModel
    M: np.ndarray
    times: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=int))
    first_time: int = 0

    def fit(self, y: np.ndarray) -> PeriodFit:
        """REML fits of outcomes y (R, n)."""
        return PeriodFit(self, self.model.fit(y))

    @property
    def each_time(self) -> np.ndarray:
        """(e, p*): the effect at each exposure time."""
        return np.eye(self.M.shape[1])[self.first_time : self.first_time + len(self.times)]

    def all_equal(self, fit: MixedFit) -> JointTest:
        """F test (R,) that the effects at all exposure times are equal, by Kenward and Roger."""
        return kenward_roger_joint(fit, np.diff(self.each_time, axis=0))

    def rows(self, L: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """L M (k, p*), and which of its rows the model has (k,)."""
        rows = L @ self.M
        return rows, np.abs(rows).max(axis=1) > 0


@dataclass(frozen=True)
class PeriodFit:
    """Fits of a `PeriodModel` to R outcomes."""

    prepared: PeriodModel
    fitted: MixedFit

    @property
    def singular(self) -> np.ndarray:
        return self.fitted.singular

    def kenward_roger(self, L: np.ndarray, conf_level: float) -> Inference:
        """Rows L (k, p) on the design's coefficients: (R, k), NaN for what the model does not have."""
        rows, there = self.prepared.rows(L)
        answers = kenward_roger(self.fitted, rows[there], conf_level)
        place = np.cumsum(there) - 1
        return answers.rows(np.maximum(place, 0)).mask(there)

    def kenward_roger_joint(self, L: np.ndarray) -> JointTest:
        """F test (R,) that all rows of L beta are 0."""
        return kenward_roger_joint(self.fitted, self.prepared.rows(L)[0])

    @cached_property
    def decaying(self) -> LmmFit | None:
        """The fit, where its model has decay."""
        fit = self.fitted
        if isinstance(fit, LmmFit) and isinstance(fit.model.parameters, DecayParameters):
            return fit
        return None

    @property
    def correlation(self) -> np.ndarray | None:
        """(R,) correlation of a group's effects in neighbouring periods; None without decay.

        NaN where their variance is 0.
        """
        fit = self.decaying
        if fit is None or not isinstance(fit.model.parameters, DecayParameters):
            return None
        parameters = fit.model.parameters
        varies = fit.theta[..., parameters.sd] > 0
        return np.where(varies, parameters.correlation(fit.theta), np.nan)

    @property
    def std_dev(self) -> dict[str, np.ndarray]:
        """(R,) standard deviations by term: `group`, `cell`, `individual`, `residual`."""
        fit = self.decaying
        if fit is None:
            return dict(self.fitted.std_dev)
        parameters = fit.model.parameters
        sd = fit.theta * fit.sigma[..., None]
        named = {
            fit.model.terms[t].name: sd[..., j]
            for j, t in enumerate(parameters.term)
            if not parameters.angles[j]
        }
        return named | {"residual": fit.sigma}


def without_periods(design: Design) -> PeriodModel:
    """The mixed model of groups alone; ValueError without periods."""
    if design.period is None:
        raise ValueError(NO_PERIODS)
    kept = np.ones(design.X.shape[1], dtype=bool)
    kept[design.columns("period")] = False
    plain = replace(
        design,
        X=design.X[:, kept],
        terms=tuple(np.array(design.terms, dtype=object)[kept]),
        role=tuple(np.array(design.role, dtype=object)[kept]),
        L=design.L[:, kept],
        L_means=design.L_means[:, kept],
        period=None,
        period_labels=(),
        individual=None,
        individual_labels=(),
    )
    return PeriodModel(mixed_model(plain), np.eye(len(kept))[:, kept])


def with_decay(design: Design) -> PeriodModel:
    """The model of discrete-time decay in place of effects of groups, and of groups in periods.

    Raises
    ------
    ValueError
        With the reason, where it does not apply.
    """
    if design.period is None:
        raise ValueError(NO_PERIODS)
    if design.random_slopes != "none":
        raise ValueError(SLOPES)
    if design.n_periods < 3:
        raise ValueError(TWO_PERIODS)
    ones, T = design.rows.ones[:, None], design.n_periods
    Z = ones * (design.period[:, None] == np.arange(T))
    decay = RandomTerm(
        design.group,
        Z,
        decay=True,
        name="group",
        labels=design.group_labels,
        colnames=("Intercept",) * T,
    )
    others = [term for term in random_terms(design) if term.name not in ("group", "cell")]
    model = LinearMixedModel.of(design.X, [decay, *others], design.rows)
    return PeriodModel(model, np.eye(design.X.shape[1]))


def exposures(design: Design) -> np.ndarray:
    """(n,) periods since the group of a row left the reference, 0 in the reference.

    Raises
    ------
    ValueError
        With the reason, where groups do not leave the reference for one other arm, and stay there.
    """
    sequences = design.group_sequences
    if sequences is None:
        raise ValueError(NO_PERIODS if design.period is None else NO_CHANGE)
    if sequences.layout not in (STEPPED_WEDGE, BASELINE):
        raise ValueError(NO_CHANGE)
    if len(design.arm_labels) > 2:
        raise ValueError(TWO_ARMS)
    assert design.period is not None
    time: np.ndarray = sequences.exposure[design.group, design.period]
    if (sequences.observed[:, 0] > 0).any() or (sequences.exposure[:, 0] > 0).any():
        raise ValueError(TREATED_BEFORE)
    if time.max() < 2:
        raise ValueError(ONE_TIME)
    return time


def by_exposure(design: Design) -> PeriodModel:
    """An effect for each exposure time; the treatment's is their average, each counting the same.

    Raises
    ------
    ValueError
        With the reason, where it does not apply.
    """
    time = exposures(design)
    times = np.unique(time[time > 0])
    E = design.rows.ones[:, None] * (time[:, None] == times)
    (treatment,) = design.columns("treatment")
    X = np.hstack([design.X[:, :treatment], E, design.X[:, treatment + 1 :]])
    if pivoted_rank(X)[0] < X.shape[1]:
        raise ValueError(WITH_PERIODS)
    p, e = design.X.shape[1], len(times)
    M = np.zeros((p, X.shape[1]))
    M[:treatment, :treatment] = np.eye(treatment)
    M[treatment, treatment : treatment + e] = 1 / e
    M[treatment + 1 :, treatment + e :] = np.eye(p - treatment - 1)
    wider = replace(
        design,
        X=X,
        role=(*design.role[:treatment], *("treatment",) * e, *design.role[treatment + 1 :]),
        terms=(
            *design.terms[:treatment],
            *(f"{design.terms[treatment]}, period {t}" for t in times),
            *design.terms[treatment + 1 :],
        ),
    )
    return PeriodModel(mixed_model(wider), M, times, treatment)


def has_periods(design: Design) -> bool:
    """Whether rows were measured in several periods."""
    return design.period is not None


def leaves_reference(design: Design) -> bool:
    """Whether groups leave the reference for one other arm at some time, and none goes back."""
    sequences = design.group_sequences
    one_way = sequences is not None and sequences.layout in (STEPPED_WEDGE, BASELINE)
    return one_way and len(design.arm_labels) == 2
