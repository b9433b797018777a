"""An experiment analysed again: without some rows, or with other settings, by a few methods."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from groupwise.design import PERIODS, Design
from groupwise.inference.mixed import MixedFit, fit_one
from groupwise.methods import Fits, Request, method_of
from groupwise.sample import Sample
from groupwise.tidy import NO_TEST, Answers, Inference

Build = Callable[[pd.DataFrame, Mapping[str, Any]], Sample]
"""What makes a sample of an ingested table, given the content of design.json."""

SHOWN = ("estimate", "std_error", "df", "p_value", "conf_low", "conf_high")
"""Columns of an answer in the tables of refits."""


@dataclass(frozen=True)
class Dataset:
    """The ingested table of a dataset, the content of its design.json, and what makes samples."""

    table: pd.DataFrame
    settings: Mapping[str, Any]
    build: Build

    @cached_property
    def whole(self) -> Sample:
        return self.build(self.table, self.settings)

    @cached_property
    def fitted(self) -> MixedFit | str:
        """The mixed model's fit to the whole, or why there is none."""
        try:
            return fit_one(self.whole.design, self.whole.y)
        except (ValueError, np.linalg.LinAlgError) as error:
            return f"{str(error).rstrip('.')}."

    def without(self, rows: np.ndarray) -> Sample:
        """The sample without some rows, a mask (n,).

        An arm that loses all its members is gone, and so are columns of X that others then say.

        Raises
        ------
        InputError
            If that leaves no comparison of arms.
        """
        treatment = self.settings["roles"]["treatment"]
        table = self.table.loc[~rows]
        arm = table[treatment].cat.remove_unused_categories()
        table = table.assign(**{treatment: arm})
        return self.build(table, dict(self.settings) | {"rank_deficient": "drop"})

    def changed(self, **settings: Any) -> Sample:
        """The sample under other settings."""
        return self.build(self.table, dict(self.settings) | settings)


@dataclass(frozen=True)
class Answer:
    """Every contrast of a design by one method, and what there is to say of it."""

    inference: Inference
    message: str = ""

    @classmethod
    def missing(cls, k: int, message: str) -> Answer:
        """NaN for k contrasts."""
        return cls(Inference.missing(k, np.nan), message)

    def rows(self, labels: Sequence[str], wanted: Sequence[str]) -> list[dict[str, Any]]:
        """A row per wanted contrast; `labels` (k,) are those that were asked for, others are NaN."""
        place = {label: j for j, label in enumerate(labels)}
        statistics = {name: getattr(self.inference, name) for name in SHOWN}
        return [
            {"contrast": label, "message": self.message}
            | {
                name: float(values[place[label]]) if label in place else np.nan
                for name, values in statistics.items()
            }
            for label in wanted
        ]


def answer(method: str, sample: Sample) -> Answer:
    """Every contrast of a sample by one of the `METHODS`, as the method answers for any data."""
    design, procedure = sample.design, method_of(method)
    request = Request(sample.conf_level, sample.resampling)
    try:
        fit = Fits(design, sample.y[None]).of(procedure)
        rows = procedure.infer(fit, np.vstack([design.L, design.L_means]), request).outcome(0)
    except (ValueError, np.linalg.LinAlgError) as error:
        return Answer.missing(len(design.L), f"{str(error).rstrip('.')}.")
    k = np.arange(len(rows.estimate))
    contrasts, means = rows.rows(k[: len(design.L)]), rows.rows(k[len(design.L) :])
    coefficients = Inference.missing(len(design.terms), sample.conf_level)
    answers = Answers(contrasts, means, coefficients, NO_TEST)
    return Answer(contrasts, procedure.message(sample, fit, answers))


METHODS = ("mixed_kenward_roger", "group_means", "ols_cr2")
"""One of the mixed model, one of the groups as units, one that models no covariance."""


def methods_for(design: Design) -> list[str]:
    """Those that apply: group means need a treatment that is constant in groups, or in their periods."""
    means = design.assigns_groups or design.kind == PERIODS
    return [name for name in METHODS if means or name != "group_means"]
