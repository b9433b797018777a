"""Other models for the same data: without covariates, with other blocks, with other variances."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from groupwise import tidy
from groupwise.data.errors import InputError
from groupwise.diagnostics.refit import Answer, Dataset, Refit, methods_for, mixed_for
from groupwise.inference.limits import Limits
from groupwise.inference.mixed import MixedFit, group_effects, hold_sd, sd_limits
from groupwise.inference.wald import wald_of_fit
from groupwise.sample import Sample

BETWEEN = 8
"""Values of a standard deviation besides 0, the estimate and the ends of its interval."""

MOST_NUMBERS = 50_000_000
"""Of the indicators of blocks in X: a model with more is not tried."""

MOST_SLOPES = 3
"""With more arms the standard deviations of so many effects are held: those of the first arms."""

TAKEN_AS_KNOWN = "Normal reference: the variances are taken as known."
NO_END = "Its interval has no end, and is cut at twice the estimate."


Rows = list[dict[str, Any]]


def sensitivity(dataset: Dataset) -> pd.DataFrame:
    """A row per kind of change, variant, method and contrast."""
    rows = [*_covariates(dataset), *_blocks(dataset), *_group_variance(dataset)]
    return tidy.table("sensitivity", rows)


def _covariates(dataset: Dataset) -> Rows:
    """With and without them; nothing where there are none."""
    roles = dataset.settings["roles"]
    if not roles["covariates"]:
        return []
    without = dataset.changed(roles=dict(roles) | {"covariates": []})
    variants = {"with covariates": dataset.whole, "without covariates": without}
    rows = []
    for method in methods_for(dataset.whole.design):
        for variant, sample in variants.items():
            rows += _rows(sample, Refit(sample).answer(method), "covariates", variant, method)
    return rows


def _blocks(dataset: Dataset) -> Rows:
    """As fixed indicators and as a random term of the mixed model; nothing without either."""
    whole, rows = dataset.whole, []
    method = mixed_for(whole.design)
    if whole.design.block is None or method is None:
        return []
    for way in ("fixed", "random"):
        answer_ = _with_blocks(dataset, way, method)
        rows += _rows(whole, answer_, "blocks", f"{way} blocks", method)
    return rows


def _with_blocks(dataset: Dataset, way: str, method: str) -> Answer:
    design = dataset.whole.design
    if design.blocks_as == way:
        return Refit(dataset.whole).answer(method)
    numbers = design.n_obs * len(design.block_labels)
    if way == "fixed" and numbers > MOST_NUMBERS:
        return Answer.missing(len(design.L), f"Not tried: indicators of {numbers:,} numbers.")
    try:
        return Refit(dataset.changed(blocks_as=way)).answer(method)
    except InputError as error:
        return Answer.missing(len(design.L), f"No answer: {error.problem}.")


def _group_variance(dataset: Dataset) -> Rows:
    """The mixed model with a standard deviation between groups held over its profile interval.

    It is the linear one: where effects are ratios, nothing.
    """
    sample, fitted = dataset.whole, dataset.fitted
    if sample.response.is_ratio:
        return []
    if isinstance(fitted, str):
        answer_ = Answer.missing(len(sample.design.L), fitted)
        return _rows(sample, answer_, "group_variance", "estimate", "mixed_wald")
    names = group_effects(fitted.model)
    # With slopes it is theirs that comparisons of arms depend on.
    effects = range(len(names)) if len(names) == 1 else range(1, min(len(names), MOST_SLOPES + 1))
    return [row for i in effects for row in _held(sample, fitted, i)]


def _held(sample: Sample, fitted: MixedFit, effect: int) -> Rows:
    """One effect's standard deviation at 0, the estimate, both ends and in between."""
    L, conf_level, name = sample.design.L, sample.conf_level, group_effects(fitted.model)[effect]
    limits = sd_limits(fitted, effect, reml=True, conf_level=conf_level)
    points, note = _points(limits)
    profile = hold_sd(fitted, effect, np.array([value for _, value in points]), reml=True)
    inference, rows = wald_of_fit(profile, L, np.inf, conf_level), []
    for j, (variant, value) in enumerate(points):
        text = variant if effect == 0 else f"{name}: {variant}"
        answer = Answer(inference.outcome(j), note)
        rows += _rows(sample, answer, "group_variance", text, "mixed_wald", value)
    return rows


def _points(limits: Limits) -> tuple[list[tuple[str, float]], str]:
    """Names and values of standard deviations, ascending, and what there is to say of them."""
    low, estimate, high = (
        float(each[0]) for each in (limits.conf_low, limits.estimate, limits.conf_high)
    )
    note = TAKEN_AS_KNOWN
    if not np.isfinite(high):
        high, note = 2 * estimate, f"{TAKEN_AS_KNOWN} {NO_END}"
    named = [("0", 0.0), ("lower limit", low), ("estimate", estimate), ("upper limit", high)]
    inner = np.linspace(low, high, BETWEEN + 2)[1:-1]
    points = [*named, *(("between", float(value)) for value in inner)]
    return sorted(points, key=lambda point: point[1]), note


def _rows(
    sample: Sample, answer_: Answer, kind: str, variant: str, method: str, value: float = np.nan
) -> Rows:
    who = {"dataset": sample.dataset, "kind": kind, "variant": variant, "value": value}
    labels = sample.design.contrast_labels
    return [who | {"method": method} | row for row in answer_.rows(labels, labels)]
