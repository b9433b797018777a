"""Randomization: no model; what the experiment randomised is randomised again."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from groupwise import tidy
from groupwise.algebra import estimable, row_space
from groupwise.inference.assignments import Effort, Plan
from groupwise.inference.randomization import (
    OmnibusTest,
    PairTest,
    Units,
    compare_all,
    compare_pair,
)
from groupwise.specifications import Sample, SpecificationFit
from groupwise.words import article, capital, role_word


def fit(sample: Sample) -> SpecificationFit:
    """Randomisation tests of all pairs of arms and of all arms at once, intervals by inversion."""
    if not sample.asks("randomization"):
        return SpecificationFit([])
    design, resampling = sample.design, sample.resampling
    effort = Effort(
        max_assignments=resampling.max_assignments,
        draws=resampling.randomization_draws,
        seed=resampling.seed,
    )
    units, values = _units(sample)
    place = np.argsort(np.argsort(design.arm_labels))
    pairs = [
        compare_pair(
            units,
            values,
            (place[a], place[b]),
            effort=effort,
            conf_level=sample.conf_level,
            histogram=True,
        )
        for a, b in combinations(range(len(design.arm_labels)), 2)
    ]
    omnibus = pairs[0] if len(pairs) == 1 else compare_all(units, values, effort=effort)
    contrasts = _inference(pairs, sample.conf_level)
    method = tidy.MethodResult(
        specification="randomization",
        method="randomization",
        answers=tidy.Answers(
            contrasts=contrasts,
            means=_means(sample, units, values),
            coefficients=_inference(pairs[: len(design.omnibus)], sample.conf_level),
            omnibus=_joint(omnibus),
        ),
        terms=design.arm_labels[1:],
        estimand=_estimand(sample),
        vcov_type="HC2",
        df_method=_how([each.plan for each in pairs], omnibus.plan),
        software="groupwise",
        converged=bool(np.isfinite(contrasts.p_value).all()),
        message=_message(sample, pairs, omnibus),
    )
    return SpecificationFit([method], {"randomization": _distributions(sample, pairs)})


def _distributions(sample: Sample, pairs: list[PairTest]) -> pd.DataFrame:
    """The statistics of all assignments as histograms, a row per bin; of no test one row."""
    tables = []
    for label, each in zip(sample.design.contrast_labels, pairs, strict=True):
        rows: dict[str, Any] = sample.who("randomization", "randomization") | {"contrast": label}
        rows |= {"statistic": float(each.statistic), "p_value": float(each.p_value)}
        if each.histogram is None or each.plan is None:
            nothing = {"bin_low": np.nan, "bin_high": np.nan, "count": 0, "extreme": False}
            none = {"n_assignments": 0, "exact": False, "message": each.problem}
            tables.append(tidy.table("randomization", [rows | nothing | none]))
            continue
        edges = each.histogram.edges
        rows |= {"bin_low": edges[:-1], "bin_high": edges[1:], "count": each.histogram.count}
        rows |= {"extreme": each.histogram.extreme, "message": ""}
        rows |= {"n_assignments": each.plan.size, "exact": each.plan.exact}
        tables.append(tidy.table("randomization", rows))
    return tidy.concat("randomization", tables)


def _units(sample: Sample) -> tuple[Units, np.ndarray]:
    """What is randomised, and its outcomes; random draws depend on no order of rows or arms."""
    units = Units.of(sample.design)
    arm = np.argsort(np.argsort(sample.design.arm_labels))[units.arm]
    return replace(units, arm=arm).sorted(units.values(sample.y))


def _inference(pairs: list[PairTest], conf_level: float) -> tidy.Inference:
    def column(name: str) -> np.ndarray:
        return np.array([float(getattr(each, name)) for each in pairs])

    return tidy.Inference(
        estimate=column("estimate"),
        std_error=column("std_error"),
        statistic=column("statistic"),
        df=np.full(len(pairs), np.nan),
        p_value=column("p_value"),
        conf_low=column("conf_low"),
        conf_high=column("conf_high"),
        conf_level=conf_level,
    )


def _joint(test: PairTest | OmnibusTest) -> tidy.JointTest:
    """All arms; with two arms the test of the pair, whose t squared is F."""
    if test.problem:
        return tidy.NO_TEST
    if isinstance(test, PairTest):
        return tidy.JointTest(float(test.statistic) ** 2, 1.0, np.nan, float(test.p_value))
    return tidy.JointTest(float(test.statistic), float(test.df_num), np.nan, float(test.p_value))


def _means(sample: Sample, units: Units, values: np.ndarray) -> tidy.Inference:
    """Means of the arms by least squares on the units; randomisation gives them no interval."""
    design = sample.design
    X = units.values(design.X.T).T
    missing = tidy.Inference.missing(len(design.L_means), sample.conf_level)
    estimate = design.L_means @ np.linalg.lstsq(X, values, rcond=None)[0]
    known = estimable(row_space(X), design.L_means)
    return tidy.Inference(
        **vars(missing) | {"estimate": np.where(known, estimate, np.nan)},
    )


def _estimand(sample: Sample) -> str:
    if sample.design.kind == "between":
        return "group-average"
    if sample.design.kind == "blocked":
        return "group-average, precision-weighted over blocks"
    return "individual-average, precision-weighted over groups"


def _how(pairs: list[Plan | None], omnibus: Plan | None) -> str:
    """The reference distribution: how many assignments there were, or were drawn."""
    plans = sorted({plan.size: str(plan) for plan in pairs if plan is not None}.items())
    said = " or ".join(text for _, text in plans) or "no assignments"
    if omnibus is None or len(pairs) == 1 or [str(omnibus)] == [text for _, text in plans]:
        return f"randomization, {said}"
    return f"randomization, {said} (all arms: {omnibus})"


def _message(sample: Sample, pairs: list[PairTest], omnibus: PairTest | OmnibusTest) -> str:
    """What a reader of the numbers has to know, a sentence each."""
    labels = sample.design.contrast_labels
    tests: list[tuple[str, PairTest | OmnibusTest]] = list(zip(labels, pairs, strict=True))
    if len(pairs) > 1:
        tests.append(("all arms", omnibus))
    said: dict[str, list[str]] = {}
    for label, each in tests:
        for sentence in _remarks(each, 1 - sample.conf_level):
            said.setdefault(sentence, []).append(label)
    sentences = [f"{', '.join(about)}: {sentence}" for sentence, about in said.items()]
    if sample.design.kind == "mixed":
        group = role_word({"group": sample.group_name}, "group")
        sentences.append(f"{capital(article(group))} that holds one arm only is left out.")
    return " ".join([*sentences, *_monte_carlo(tests)])


def _remarks(test: PairTest | OmnibusTest, alpha: float) -> list[str]:
    """Why there is no answer, or what is odd about it."""
    if test.problem:
        return [test.problem]
    said: list[str] = []
    if isinstance(test, OmnibusTest):
        return said
    if np.isinf([test.conf_low, test.conf_high]).any():
        said.append(
            f"with {test.plan} not even the largest effect has a p-value below {alpha:.3g}, "
            "so the interval has no end."
        )
    if test.gaps:
        said.append("some effects inside the interval are rejected.")
    return said


def _monte_carlo(tests: list[tuple[str, PairTest | OmnibusTest]]) -> list[str]:
    """How far random draws leave the p-values uncertain."""
    drawn = [
        f"{label} {float(each.p_low):.2g} to {float(each.p_high):.2g}"
        for label, each in tests
        if each.plan is not None and not each.plan.exact
    ]
    if not drawn:
        return []
    return [f"Random draws leave these 95% intervals of the p-values: {'; '.join(drawn)}."]
