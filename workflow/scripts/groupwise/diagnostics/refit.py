"""An experiment analysed again: without some rows, or with other settings, by a few methods."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from groupwise.compression import Compression
from groupwise.design import PERIODS, Design
from groupwise.inference.mixed import MixedFit, fit_one
from groupwise.inference.scales import ratios
from groupwise.methods import Fits, Procedure, Request, concerning, method_of
from groupwise.rows import GROUPS, KINDS
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
        """The linear mixed model's fit to the whole, or why there is none."""
        try:
            return fit_one(self.whole.design, self.whole.values)
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


@dataclass(frozen=True)
class Refit:
    """A sample for which several methods answer: what they share of its outcomes is made once."""

    sample: Sample

    def answer(self, method: str) -> Answer:
        """Every contrast by one of the `METHODS`, as the method answers for any data.

        Of ratios, estimates and limits are the ratios, and standard errors those of the logarithm.
        """
        sample, design, procedure = self.sample, self.sample.design, method_of(method)
        request = Request(sample.conf_level, sample.resampling)
        try:
            fit = self._fits(procedure).of(procedure)
            rows = procedure.infer(fit, np.vstack([design.L, design.L_means]), request).outcome(0)
        except (ValueError, np.linalg.LinAlgError) as error:
            return Answer.missing(len(design.L), f"{str(error).rstrip('.')}.")
        k = np.arange(len(rows.estimate))
        contrasts, means = rows.rows(k[: len(design.L)]), rows.rows(k[len(design.L) :])
        coefficients = Inference.missing(len(design.terms), sample.conf_level)
        answers = Answers(contrasts, means, coefficients, NO_TEST)
        message = procedure.message(sample, fit, answers)
        return Answer(ratios(contrasts) if design.response.is_ratio else contrasts, message)

    def _fits(self, procedure: Procedure) -> Fits:
        """The outcomes in as few rows as the method needs."""
        enough = procedure.needs(self.sample.design) in (GROUPS, KINDS)
        return self._of_groups if enough else self._of_individuals

    @cached_property
    def _of_individuals(self) -> Fits:
        return Fits(self.sample.design, self.sample.y[None])

    @cached_property
    def _of_groups(self) -> Fits:
        compression = Compression.of(self.sample.design)
        return Fits(compression.design, compression.compress(self.sample.values[None]))


MIXED = ("mixed_kenward_roger", "glmm_kenward_roger")
"""The mixed model of means, and of events."""

UNITS = ("group_means", "group_logs")
"""Groups as units."""

METHODS = (*MIXED, *UNITS, "ols_cr2", "glm_cr2")
"""One of the mixed model, one of the groups as units, one that models no covariance: of each the one
that is listed for the outcome. Of risk ratios no mixed model is."""


def methods_for(design: Design) -> list[str]:
    """Those that apply: groups as units need a treatment constant in them, or in their periods."""
    units = design.assigns_groups or design.kind == PERIODS
    return [name for name in concerning(design, METHODS) if units or name not in UNITS]


def mixed_for(design: Design) -> str | None:
    """The mixed model among them, if there is one."""
    return next((name for name in concerning(design, MIXED)), None)
