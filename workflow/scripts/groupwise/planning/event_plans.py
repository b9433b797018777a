"""Planning for two risks, or two rates: as for means, on the scale of the effect.

An estimated risk p of an arm has the variance p (1 - p) D / n, with D the design effect of the groups at
the outcome's intraclass correlation; a difference of log odds, or of logarithms, that of both arms
divided by the squared derivative (Donner and Klar 2000, Design and Analysis of Cluster Randomization
Trials in Health Research, chapter 5). That is the variance of a difference of means whose outcome has
the average of both variances, so all that is calculated for means, noncentral t with the degrees of
freedom of each method among it, holds for effects of events.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from groupwise import tidy
from groupwise.design import Design
from groupwise.planning.power import SIMULATE
from groupwise.response import CONTINUOUS
from groupwise.simulation.event_moments import EventMoments

PLANNED_AS = {
    "glm_wald": "ols_classical",
    "glm_cr1": "ols_cr1",
    "glm_cr2": "ols_cr2",
    "glm_cr3": "ols_cr3",
    "group_logs": "group_means",
    "glm_dummies": "dummy",
    "glmm_wald": "mixed_wald",
    "glmm_satterthwaite": "mixed_satterthwaite",
    "glmm_kenward_roger": "mixed_kenward_roger",
    "randomization_residuals": "randomization",
}
"""The method for means whose standard error and degrees of freedom a method for events has."""

PLANNED_BETWEEN = {
    "glmm_groups": "group_means",
    "gee_kauermann_carroll": "group_means",
    "gee_fay_graubard": "group_means",
}
"""The same where whole groups have an arm: t with the groups less the parameters, as of group means."""

NOT_WITHIN = (
    "Not planned for where the treatment varies within groups; the calibration simulates it."
)


@dataclass(frozen=True)
class EventGoal:
    """Two risks, or rates, that are to be told apart.

    Attributes
    ----------
    first, second : the means of the two arms
    """

    moments: EventMoments
    first: float
    second: float

    @classmethod
    def of(cls, moments: EventMoments, means: np.ndarray) -> EventGoal:
        """Those of arms with these means (J,) that differ most."""
        extremes = sorted([int(np.argmin(means)), int(np.argmax(means))])
        return cls(moments, *(float(means[j]) for j in extremes))

    def linked(self, mean: float) -> float:
        """A mean on the scale on which effects are differences."""
        link = self.moments.response.link
        if link == "logit":
            return float(np.log(mean / (1 - mean)))
        return float(np.log(mean)) if link == "log" else mean

    def _slope(self, mean: float) -> float:
        """Derivative of that scale."""
        link = self.moments.response.link
        if link == "logit":
            return 1 / (mean * (1 - mean))
        return 1 / mean if link == "log" else 1.0

    @property
    def effect(self) -> float:
        """The difference of both on that scale."""
        return self.linked(self.second) - self.linked(self.first)

    @property
    def spread(self) -> float:
        """Standard deviation of an outcome on that scale, over that at the mean of all individuals."""
        variances = [
            self.moments.within(p) * self._slope(p) ** 2 for p in (self.first, self.second)
        ]
        return float(np.sqrt(np.mean(variances) / self.moments.within(self.moments.overall)))

    def as_reported(self, difference: np.ndarray) -> np.ndarray:
        """Sizes of differences as effects: of ratios their exponential, in the direction sought."""
        if not self.moments.response.is_ratio:
            return difference
        with np.errstate(over="ignore"):  # of too few groups, which detect nothing
            return np.asarray(np.exp(np.sign(self.effect) * difference))

    def reported(self, table: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
        """A table with some columns of differences as effects are reported."""
        return table.assign(**{name: self.as_reported(table[name].to_numpy()) for name in columns})

    @property
    def sentence(self) -> str:
        """What a row is planned for."""
        which = "risk" if self.moments.is_binary else "rate"
        scale = {"logit": " on the scale of log odds", "log": " on the scale of logarithms"}
        return (
            f"Planned for {which}s of {self.first:.3g} and {self.second:.3g}, by the formulas for means"
            f"{scale.get(self.moments.response.link, '')}."
        )


def planned_as(design: Design, method: str) -> str | None:
    """The method for means that a method is planned as; None where it is not planned for."""
    if not design.response.has_events:
        return method
    if method in PLANNED_BETWEEN:
        return PLANNED_BETWEEN[method] if design.assigns_groups else None
    if method.startswith(("glm", "gee", "conditional", "negative")):
        return PLANNED_AS.get(method)
    return PLANNED_AS.get(method, method)


def as_means(design: Design) -> Design:
    """The design of an outcome whose means are compared."""
    return replace(design, response=CONTINUOUS, exposure=None)


def reported(
    table: pd.DataFrame, design: Design, goal: EventGoal, methods: Sequence[str]
) -> pd.DataFrame:
    """Table `planning` of methods for events, from that of the methods that they are planned as."""
    table = goal.reported(table, ("effect", "minimum_detectable_effect"))
    place = {method: planned_as(design, method) for method in methods}
    parts, drawn = [], set(table.loc[table["question"] == "curve", "method"])
    for (question, scenario), rows in table.groupby(["question", "scenario"], sort=False):
        blank = rows.drop_duplicates("scenario").assign(**_nothing(table))
        for method, like in place.items():
            if question == "curve" and like not in drawn:
                continue
            if like is None and scenario != table["scenario"].iloc[0]:
                continue  # the reason is the same in all of them
            of_method = blank.assign(message=_why_not(method))
            if like is not None:
                of_method = rows[rows["method"] == like]
                answered = of_method["power"].notna() & (of_method["message"] == "")
                message = of_method["message"].where(~answered, goal.sentence)
                of_method = of_method.assign(message=message)
            parts.append(of_method.assign(method=method))
            if question == "curve":
                break
    return tidy.concat("planning", parts)


def _why_not(method: str) -> str:
    return NOT_WITHIN if method in PLANNED_BETWEEN else f"Not planned for: {SIMULATE}"


def _nothing(table: pd.DataFrame) -> dict[str, object]:
    """Columns of a row without an answer."""
    unknown = ("groups", "n_groups", "size", "power", "level", "minimum_detectable_effect")
    return dict.fromkeys(unknown, np.nan) | {"contrast": "", "how": ""}
