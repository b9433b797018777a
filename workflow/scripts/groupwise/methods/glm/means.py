"""Groups as single observations on the scale of logarithms or log odds.

Least squares of the log odds, log risks or log rates of groups on the group means of X, unweighted: the
cluster-level analysis (Hayes and Moulton 2017, Cluster Randomised Trials, chapter 10), with as many
degrees of freedom as groups less the rank.

Where a group of an outcome has no events, or for log odds nothing else, a half is added to the events e
of every group of n individuals with exposure T: log((e + 1/2) / (n - e + 1/2)) (Haldane 1956, Annals of
Human Genetics 20, 309-311; Gart and Zweifel 1967, Biometrika 54, 181-187), log((e + 1/2) / (n + 1/2))
(Pettigrew, Gart and Thomas 1986, Biometrika 73, 425-435), log((e + 1/2) / T).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from groupwise.design import Design
from groupwise.inference.classical import classical_f, classical_t
from groupwise.methods import About, DoesNotApply, Procedure, Request, of_events
from groupwise.methods.glm.unanswered import arms_without_spread
from groupwise.models.event_rows import EventRows
from groupwise.models.glm import without_spread
from groupwise.models.least_squares import Basis, basis_of_means
from groupwise.sample import Sample
from groupwise.tidy import Answers, Inference, JointTest

NOT_CONSTANT = "Does not apply: the treatment varies within groups."
NOT_COMPARED = "Group means do not identify every comparison of arms."

HALF = 0.5
"""What is added to events where the logarithm of a group is infinite."""


def no_df(groups: int, rank: int) -> str:
    """The sentence that groups are as many as coefficients."""
    return (
        f"Does not apply: {groups} group means leave no degrees of freedom for the "
        f"variance in a model of rank {rank}."
    )


@dataclass(frozen=True)
class GroupLogs:
    """The regression of logarithms of G groups on the means of X.

    Attributes
    ----------
    rows : EventRows
    arm : (m,) codes of arms
    arms : number of arms
    basis : Basis of the means of X
    size, exposure : (G,) individuals of groups, and the sums of their exposures
    """

    rows: EventRows
    arm: np.ndarray
    arms: int
    basis: Basis
    size: np.ndarray
    exposure: np.ndarray

    @property
    def df(self) -> int:
        return self.rows.n_groups - self.basis.rank

    def logs(self, events: np.ndarray, added: np.ndarray) -> np.ndarray:
        """Log odds, log risks or log rates (R, G), with so much (R,) added to numbers of events."""
        response, plus = self.rows.response, added[:, None]
        if response.link == "logit":
            return np.log((events + plus) / (self.size - events + plus))
        if response.family == "binary":
            return np.log((events + plus) / (self.size + plus))
        return np.log((events + plus) / self.exposure)


@dataclass(frozen=True)
class LogsFit:
    """Least squares of the logarithms of R outcomes.

    coordinates (R, r); variance (R,), NaN where an arm has no finite logarithm; added (R,) to events;
    extreme (R, J), see `models.glm.without_spread`.
    """

    prepared: GroupLogs
    coordinates: np.ndarray
    variance: np.ndarray
    added: np.ndarray
    extreme: np.ndarray


def prepare(design: Design) -> GroupLogs:
    """The means of X; DoesNotApply for treatments within groups, and where no variance is left."""
    if not design.assigns_groups:
        raise DoesNotApply(NOT_CONSTANT)
    rows = EventRows.of(design)
    size = rows.by_group(rows.trials)
    means = rows.by_group(rows.X.T * rows.trials) / size
    basis = basis_of_means(means, rows.X, np.ones(rows.n_groups))
    if rows.n_groups <= basis.rank:
        raise DoesNotApply(no_df(rows.n_groups, basis.rank))
    exposure = rows.by_group(rows.exposure)
    return GroupLogs(rows, design.arm[rows.first], len(design.arm_labels), basis, size, exposure)


def fit(prepared: GroupLogs, y: np.ndarray) -> LogsFit:
    """Least squares of logarithms of outcomes y (R, n)."""
    rows = prepared.rows
    by_row = rows.events(y)
    extreme = without_spread(rows, prepared.arm, prepared.arms, by_row)
    events = rows.by_group(by_row)
    infinite = events == 0
    if rows.response.link == "logit":
        infinite |= events == prepared.size
    added = np.where(infinite.any(axis=1), HALF, 0.0)
    coordinates, residual = prepared.basis.project(prepared.logs(events, added))
    variance = (residual**2).sum(axis=-1) / prepared.df
    variance = np.where(extreme.any(axis=1), np.nan, variance)
    return LogsFit(prepared, coordinates, variance, added, extreme)


def _infer(fit: LogsFit, L: np.ndarray, request: Request) -> Inference:
    basis, df = fit.prepared.basis, fit.prepared.df
    return classical_t(basis, fit.coordinates, fit.variance, df, L, request.conf_level)


def _joint(fit: LogsFit, L: np.ndarray, request: Request) -> JointTest:
    return classical_f(fit.prepared.basis, fit.coordinates, fit.variance, fit.prepared.df, L)


def _message(sample: Sample, fit: LogsFit, answers: Answers) -> str:
    """Arms without a finite logarithm, what was added to events, and what is not compared."""
    if fit.extreme[0].any():
        arms = arms_without_spread(sample.design.arm_labels, fit.extreme[0])
        return f"No answer: {arms}, so that a logarithm is infinite."
    if fit.variance[0] == 0:
        return "The model explains the logarithms completely: there is no variance to divide."
    notes = [] if np.isfinite(answers.contrasts.p_value).all() else [NOT_COMPARED]
    if fit.added[0]:
        notes.append(_what_is_added(fit.prepared))
    return " ".join(notes)


def _what_is_added(prepared: GroupLogs) -> str:
    response = prepared.rows.response
    if response.link == "logit":
        return (
            "Because a group has no events, or nothing else, 1/2 is added to the events of every "
            "group and to its individuals without."
        )
    if response.family == "binary":
        return "Because a group has no events, 1/2 is added to events and size of every group."
    return "Because a group has no events, 1/2 is added to the events of every group."


def _about(prepared: Any, request: Request) -> About:
    return About("group-average", "classical", "groups (G - rank)")


METHODS: Mapping[str, Procedure] = {
    "group_logs": Procedure(
        about=_about,
        prepare=prepare,
        fit=fit,
        infer=_infer,
        joint=_joint,
        message=_message,
        needs=of_events,
        families=("binary", "count"),
        scales=("ratio", "odds_ratio"),
        takes_events=True,
        is_conditional=True,
    ),
}
