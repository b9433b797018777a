"""An experiment analysed again: without some rows, or with other settings, by a few methods."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from groupwise.design import Design
from groupwise.inference.mixed import MixedFit, fit_one, kenward_roger
from groupwise.inference.sandwich import cr_inference, design_clusters
from groupwise.methods import group_means
from groupwise.sample import Sample
from groupwise.tidy import Inference

Build = Callable[[pd.DataFrame, Mapping[str, Any]], Sample]
"""What makes a sample of an ingested table, given the content of design.json."""

SHOWN = ("estimate", "std_error", "df", "p_value", "conf_low", "conf_high")
"""Columns of an answer in the tables of refits."""

AT_ZERO = "A variance is estimated as 0, or a correlation as 1."
ALONE = "No standard error: one group alone determines it at least in part, or nothing varies."


@dataclass(frozen=True)
class Experiment:
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
        found = {name: getattr(self.inference, name) for name in SHOWN}
        return [
            {"contrast": label, "message": self.message}
            | {
                name: float(values[place[label]]) if label in place else np.nan
                for name, values in found.items()
            }
            for label in wanted
        ]


def answer(method: str, sample: Sample) -> Answer:
    """Every contrast of a sample by one of the `METHODS`: what its specification says of it."""
    try:
        return METHODS[method](sample)
    except (ValueError, np.linalg.LinAlgError) as error:
        return Answer.missing(len(sample.design.L), f"{str(error).rstrip('.')}.")


def _kenward_roger(sample: Sample) -> Answer:
    fitted = fit_one(sample.design, sample.y)
    found = kenward_roger(fitted, sample.design.L, sample.conf_level)
    return Answer(found, AT_ZERO if fitted.singular else "")


def _group_means(sample: Sample) -> Answer:
    method = group_means.fit(sample).methods[0]
    return Answer(method.answers.contrasts, method.message)


def _cr2(sample: Sample) -> Answer:
    design = sample.design
    clusters = design_clusters(design)
    found = cr_inference(clusters, design.L, sample.y, "CR2", sample.conf_level)
    return Answer(found, "" if np.isfinite(found.p_value).all() else ALONE)


METHODS: dict[str, Callable[[Sample], Answer]] = {
    "mixed_kenward_roger": _kenward_roger,
    "group_means": _group_means,
    "ols_cr2": _cr2,
}
"""One of the mixed model, one of the groups as units, one that models no covariance."""


def methods_for(design: Design) -> list[str]:
    """Those that apply: group means need a treatment that is constant in groups."""
    constant = design.kind in ("between", "blocked")
    return [name for name in METHODS if constant or name != "group_means"]
