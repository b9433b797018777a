"""Randomization: no model; what the experiment randomised is randomised again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from groupwise import tidy
from groupwise.algebra import estimable, row_space
from groupwise.design import Design
from groupwise.inference.assignments import AssignmentPlan, Effort
from groupwise.inference.randomised import Randomization
from groupwise.inference.randomization import (
    Compared,
    OmnibusTest,
    PairTest,
    Randomized,
    compare_all,
    compare_pair,
)
from groupwise.inference.sequence_permutation import SequenceUnits
from groupwise.methods import (
    About,
    Fits,
    Procedure,
    Request,
    of_events,
    of_groups,
    of_individuals,
)
from groupwise.methods.glm import permuted
from groupwise.methods.glm.permuted import effort_of, shared
from groupwise.sample import Sample
from groupwise.tidy import Answers, Inference, JointTest
from groupwise.words import article, capital, role_word

COLUMNS = ("estimate", "std_error", "statistic", "p_value", "conf_low", "conf_high")

ESTIMANDS = {
    "between": "group-average",
    "blocked": "group-average, precision-weighted over blocks",
}
WITHIN = "individual-average, precision-weighted over groups"
SEQUENCES = "cell-average, weighted within periods and within {}s"


@dataclass(frozen=True)
class RandomizationFit:
    """Outcomes y (R, n), with the tests that were made of single ones."""

    prepared: Randomization
    y: np.ndarray
    _tests: dict[Any, Any] = field(default_factory=dict, repr=False)

    def sorted_units(self, i: int) -> tuple[Randomized, np.ndarray]:
        """Units and values of outcome i in an order that neither rows nor names determine."""
        units: Randomized = self.prepared.units.relabelled(self.prepared.places)
        return units.sorted(units.values(self.y[i]))

    def pair(self, c: int, i: int, request: Request) -> PairTest:
        """The test and the interval of contrast c in outcome i."""
        key = (c, request.seed(i), request.conf_level, request.resampling)
        if key not in self._tests:
            units, values = self.sorted_units(i)
            a, b = self.prepared.places[list(self.prepared.arms[c])]
            self._tests[key] = compare_pair(
                units,
                values,
                (int(a), int(b)),
                effort=effort_of(request, i),
                conf_level=request.conf_level,
                histogram=len(self.y) == 1,  # of a dataset, not of simulated outcomes
            )
        test: PairTest = self._tests[key]
        return test

    def omnibus(self, i: int, request: Request) -> PairTest | OmnibusTest:
        """All arms at once in outcome i; with two arms the test of the pair."""
        if len(self.prepared.arms) == 1:
            return self.pair(0, i, request)
        key = (request.seed(i), request.resampling)
        if key not in self._tests:
            self._tests[key] = compare_all(*self.sorted_units(i), effort=effort_of(request, i))
        test: OmnibusTest = self._tests[key]
        return test

    def batches(
        self, c: int, truth: float | None, request: Request
    ) -> Iterator[tuple[slice, dict[str, np.ndarray], np.ndarray]]:
        """Outcomes that share assignments: slice, tests of contrast c, and coverage of `truth`."""
        comparison = self.prepared.comparisons[c]
        if comparison.problem:
            return
        values = self.prepared.units.values(self.y)
        for batch, effort in shared(self.prepared, c, len(self.y), request):
            curve = comparison.curve(values[batch], effort)
            std_error, p_value = np.sqrt(curve.variance), curve.p_value()
            test_columns = {
                "estimate": curve.estimate,
                "std_error": std_error,
                "statistic": curve.statistics()[0],
                "p_value": p_value,
            }
            covered = np.full(len(std_error), np.nan)
            if truth is not None:
                at_truth = curve.p_value(truth) if truth else p_value
                covered = (at_truth >= 1 - request.conf_level).astype(float)
            yield batch, test_columns, covered


AnyFit = RandomizationFit | permuted.ResidualsFit


def _infer(fit: AnyFit, L: np.ndarray, request: Request) -> Inference:
    """Studentised tests; the interval of the first outcomes by inversion, with separate draws.

    An interval holds the values that the test does not reject: `request.truth` is tested for coverage.
    """
    R, searched = len(fit.y), request.n_searched(len(fit.y))
    columns = {name: np.full((R, len(L)), np.nan) for name in COLUMNS}
    covers, gaps = np.full((R, len(L)), np.nan), np.zeros((R, len(L)), dtype=bool)
    for j, c in enumerate(fit.prepared.contrasts_in(L)):
        for i in range(searched):
            test = fit.pair(c, i, request)
            gaps[i, j] = test.gaps
            for name in COLUMNS:
                columns[name][i, j] = getattr(test, name)
        if searched < R or request.truth is not None:
            truth = None if request.truth is None else float(request.truth[j])
            for batch, test_columns, covered in fit.batches(c, truth, request):
                unsearched = np.arange(R)[batch] >= searched
                covers[batch, j] = covered
                for name, values in test_columns.items():
                    columns[name][np.arange(R)[batch][unsearched], j] = values[unsearched]
    no_df = np.full((R, len(L)), np.nan)
    coverage = None if request.truth is None else covers
    return Inference(**columns, df=no_df, conf_level=request.conf_level, gaps=gaps, covers=coverage)


def _joint(fit: AnyFit, L: np.ndarray, request: Request) -> JointTest:
    """All arms at once; with two arms the test of the pair, whose t squared is F."""
    tests = [fit.omnibus(i, request) for i in range(len(fit.y))]
    no_df = np.full(len(tests), np.nan)
    p_value = np.array([float(test.p_value) for test in tests])
    statistic = np.array([float(test.statistic) for test in tests])
    if tests[0].problem:
        return JointTest.missing(len(tests))
    if isinstance(tests[0], PairTest):
        return JointTest(statistic**2, 1.0, no_df, p_value)
    return JointTest(statistic, float(tests[0].df_num), no_df, p_value)


def _answers(fit: AnyFit, design: Design, request: Request) -> Answers:
    contrasts = _infer(fit, design.L, request)
    return Answers(
        contrasts=contrasts,
        means=_means(fit, request),
        coefficients=contrasts.rows(np.arange(len(design.omnibus))),
        omnibus=_joint(fit, design.omnibus, request),
    )


def _means(fit: AnyFit, request: Request) -> Inference:
    """Means of the arms by least squares on the units; randomisation gives them no interval."""
    design, units = fit.prepared.design, fit.prepared.units
    if isinstance(fit, permuted.ResidualsFit):
        return fit.means(request)
    if isinstance(units, SequenceUnits):  # compared within periods and units, not by means of arms
        return Inference.missing(len(design.L_means), request.conf_level).repeated(len(fit.y))
    X, rows = units.values(design.X.T).T, design.L_means
    values = units.values(fit.y)
    estimate = np.linalg.lstsq(X, values.T, rcond=None)[0].T @ rows.T
    estimate = np.where(estimable(row_space(X), rows), estimate, np.nan)
    missing = Inference.missing(len(rows), request.conf_level).repeated(len(fit.y))
    return replace(missing, estimate=estimate)


# ---- what the rows say ---------------------------------------------------------------------------


def _about(prepared: Randomization, request: Request) -> About:
    design = prepared.design
    effort = effort_of(request, 0)
    pairs = [_assignments(each, effort) for each in prepared.comparisons]
    omnibus = pairs[0]
    if len(pairs) > 1:
        arms = prepared.units.comparison(tuple(range(len(design.arm_labels))))
        omnibus = _assignments(arms, effort)
    reference = _reference(pairs, omnibus)
    assigned = design.assignment
    if isinstance(prepared, permuted.ResidualRandomization):
        return About(permuted.ESTIMAND, permuted.vcov_type(design), reference)
    if assigned.unit == "sequence":
        return About(SEQUENCES.format(assigned.bearer), f"sandwich by {assigned.bearer}", reference)
    return About(ESTIMANDS.get(design.kind, WITHIN), "HC2", reference)


def _assignments(comparison: Compared, effort: Effort) -> AssignmentPlan | None:
    """The assignments that a test goes through, if there is a test."""
    return None if comparison.problem else AssignmentPlan.of(comparison.assignments, effort)


def _reference(pairs: list[AssignmentPlan | None], omnibus: AssignmentPlan | None) -> str:
    """The reference distribution: how many assignments there were, or were drawn."""
    plans = sorted({plan.size: str(plan) for plan in pairs if plan is not None}.items())
    text = " or ".join(each for _, each in plans) or "no assignments"
    if omnibus is None or len(pairs) == 1 or [str(omnibus)] == [each for _, each in plans]:
        return f"randomization, {text}"
    return f"randomization, {text} (all arms: {omnibus})"


def _terms(sample: Sample, fit: AnyFit) -> tuple[str, ...]:
    return sample.design.arm_labels[1:]


def _message(sample: Sample, fit: AnyFit, answers: Answers) -> str:
    """Remarks on the tests, a sentence each, with the contrasts they are about."""
    request = Request(sample.conf_level, sample.resampling)
    labels = sample.design.contrast_labels
    tests: list[tuple[str, PairTest | OmnibusTest]] = [
        (label, fit.pair(c, 0, request)) for c, label in enumerate(labels)
    ]
    if len(labels) > 1:
        tests.append(("all arms", fit.omnibus(0, request)))
    about: dict[str, list[str]] = {}
    for label, each in tests:
        for sentence in _remarks(each, 1 - sample.conf_level):
            about.setdefault(sentence, []).append(label)
    sentences = [f"{', '.join(named)}: {sentence}" for sentence, named in about.items()]
    if sample.design.kind == "mixed":
        group = role_word({"group": sample.group_name}, "group")
        sentences.append(f"{capital(article(group))} that holds one arm only is left out.")
    return " ".join([*sentences, *_approximate(fit.prepared.units), *_monte_carlo(tests)])


def _approximate(units: Randomized) -> list[str]:
    """Why a permutation of sequences is not exact, where it is not."""
    if not isinstance(units, SequenceUnits):
        return []
    sequences, sentences = units.sequences, []
    if sequences.go_with_rows:
        sentences.append(
            "Which cells have no rows goes with the sequence, and stays as it is when sequences are "
            "permuted: the test is approximate."
        )
    elif sequences.uncertain.any():
        n = int(sequences.uncertain.sum())
        sentences.append(
            f"The sequence of {n} of {len(sequences.sequence)} units is taken from the periods in which "
            "they have rows: the test is approximate."
        )
    return sentences


def _remarks(test: PairTest | OmnibusTest, alpha: float) -> list[str]:
    """Why there is no answer, or what is odd about it."""
    if test.problem:
        return [test.problem]
    sentences: list[str] = []
    if isinstance(test, OmnibusTest):
        return sentences
    if np.isnan(test.estimate):
        sentences.append(permuted.NO_ESTIMATE)
    if np.isinf([test.conf_low, test.conf_high]).any():
        sentences.append(
            f"with {test.plan} not even the largest effect has a p-value below {alpha:.3g}, "
            "so the interval has no end."
        )
    if test.gaps:
        sentences.append("some effects inside the interval are rejected.")
    return sentences


def _monte_carlo(tests: list[tuple[str, PairTest | OmnibusTest]]) -> list[str]:
    """The sentence on Monte Carlo intervals of p-values from random draws; none if all are exact."""
    drawn = [
        f"{label} {float(each.p_low):.2g} to {float(each.p_high):.2g}"
        for label, each in tests
        if each.plan is not None and not each.plan.exact
    ]
    if not drawn:
        return []
    return [f"Random draws leave these 95% intervals of the p-values: {'; '.join(drawn)}."]


def _needs(design: Design) -> str:
    """Where rows were assigned within groups, they are permuted."""
    return of_individuals(design) if design.assignment.bearer == "row" else of_groups(design)


def _needs_of_events(design: Design) -> str:
    """The same of numbers of events."""
    return of_individuals(design) if design.assignment.bearer == "row" else of_events(design)


METHODS: Mapping[str, Procedure] = {
    "randomization": Procedure(
        about=_about,
        prepare=Randomization.of,
        fit=RandomizationFit,
        infer=_infer,
        joint=_joint,
        answers=_answers,
        terms=_terms,
        message=_message,
        needs=_needs,
    ),
    "randomization_residuals": Procedure(
        about=_about,
        prepare=permuted.prepare,
        fit=permuted.ResidualsFit,
        infer=_infer,
        joint=_joint,
        answers=_answers,
        terms=_terms,
        message=_message,
        needs=_needs_of_events,
        families=("binary", "count"),
        scales=("ratio", "odds_ratio"),
        takes_events=True,
    ),
}


def tables(sample: Sample, fits: Fits) -> dict[str, pd.DataFrame]:
    """The statistics of all assignments as histograms, a row per bin; of no test one row."""
    listed = [
        name for name in METHODS if sample.asks(name) and METHODS[name].is_listed(sample.design)
    ]
    if not listed:
        return {}
    fit: AnyFit = fits.of(METHODS[listed[0]])
    request = Request(sample.conf_level, sample.resampling)
    parts = [
        _distribution(sample, listed[0], label, fit.pair(c, 0, request))
        for c, label in enumerate(sample.design.contrast_labels)
    ]
    return {"randomization": tidy.concat("randomization", parts)}


def _distribution(sample: Sample, method: str, label: str, test: PairTest) -> pd.DataFrame:
    """The histogram of the statistics of one contrast, a row per bin."""
    rows: dict[str, Any] = sample.who("randomization", method) | {"contrast": label}
    rows |= {"statistic": float(test.statistic), "p_value": float(test.p_value)}
    if test.histogram is None or test.plan is None:
        empty_bin = {"bin_low": np.nan, "bin_high": np.nan, "count": 0, "extreme": False}
        no_plan = {"n_assignments": 0, "exact": False, "message": test.problem}
        return tidy.table("randomization", [rows | empty_bin | no_plan])
    edges = test.histogram.edges
    rows |= {"bin_low": edges[:-1], "bin_high": edges[1:], "count": test.histogram.count}
    rows |= {"extreme": test.histogram.extreme, "message": ""}
    rows |= {"n_assignments": test.plan.size, "exact": test.plan.exact}
    return tidy.table("randomization", rows)
