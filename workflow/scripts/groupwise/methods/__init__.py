"""Methods: one module per specification, found by its file name.

A method is one complete procedure: an estimate, a variance, a reference distribution. It is a few
functions, which the data, simulations, planning, sensitivity and the notebook all call:

    prepare(design)            what depends on the design alone, made once
    fit(prepared, y)           what its inference needs of outcomes y (R, n)
    infer(fit, L, request)     estimates, tests and intervals of L beta for rows L (k, p): (R, k)

Methods of a module that name the same `prepare` and `fit` share them. The data are a batch of one.
A module lists its methods in `METHODS`; if it has further tables of the data, `tables` makes them.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from groupwise import tidy
from groupwise.catalogue.tables import MODEL_TABLES
from groupwise.design import Design
from groupwise.inference.multiplicity import adjusted
from groupwise.inference.scales import as_reported
from groupwise.response import FAMILIES
from groupwise.results import as_written, combined
from groupwise.rows import EVENTS, GROUPS, INDIVIDUALS, KINDS
from groupwise.sample import Resampling, Sample
from groupwise.tidy import Answers, Inference, JointTest


class DoesNotApply(ValueError):
    """A method has no answer for a design; the message says why, in a sentence for users."""


@dataclass(frozen=True)
class Request:
    """Settings of inference for a batch of outcomes.

    Attributes
    ----------
    first : number of the first outcome, for the seeds of methods that draw
    searched
        Intervals that need a search, by inversion of a test or along a profile, or all draws of a
        bootstrap are made for so many outcomes of the batch; None is all of them.
    truth
        True values (k,) of the rows, for the coverage of intervals, where that is wanted:
        a method that searches its intervals tests these values instead.
    levels
        It is enough to know which of these a p-value without an interval is below; None is not enough.
    """

    conf_level: float = 0.95
    resampling: Resampling = field(default_factory=Resampling)
    first: int = 0
    searched: int | None = None
    truth: np.ndarray | None = None
    levels: tuple[float, ...] | None = None

    def seed(self, i: int) -> int:
        """The seed of outcome i of the batch."""
        return self.resampling.seed + self.first + i

    def n_searched(self, n_outcomes: int) -> int:
        """Number of outcomes that get intervals which need a search."""
        return n_outcomes if self.searched is None else min(self.searched, n_outcomes)


@dataclass(frozen=True)
class About:
    """Estimand, covariance and df of a method, as result tables name them."""

    estimand: str
    vcov_type: str
    df_method: str


@dataclass(frozen=True)
class Prepared:
    """Outcomes y (R, n) beside what was prepared for their design."""

    prepared: Any
    y: np.ndarray


def _singular_nowhere(fit: Any) -> np.ndarray:
    return np.zeros(1, dtype=bool)


def _terms_of_design(sample: Sample, fit: Any) -> tuple[str, ...]:
    return sample.design.terms


def _no_message(sample: Sample, fit: Any, answers: Answers) -> str:
    return ""


def _everywhere(design: Design) -> bool:
    return True


def of_individuals(design: Design) -> str:
    """Every outcome of an individual matters."""
    return INDIVIDUALS


def of_groups(design: Design) -> str:
    """Sums of groups are enough, and what varies within them."""
    return GROUPS


def of_kinds(design: Design) -> str:
    """Means and spreads of groups of one kind are enough."""
    return KINDS


def of_events(design: Design) -> str:
    """Numbers of events of individuals who are alike are enough."""
    return EVENTS


@dataclass(frozen=True)
class Procedure:
    """The functions of one method; R outcomes, rows L (k, p) on the coefficients of X.

    Attributes
    ----------
    about : (prepared or None, request) -> About
    prepare : (design) -> prepared; raises DoesNotApply
    infer : (fit, L, request) -> Inference (R, k), NaN where an outcome has no answer
    joint : (fit, L, request) -> JointTest (R,) that all rows of L beta are 0
    fit : (prepared, y) -> fit
    answers
        (fit, design, request) -> Answers; None asks `infer` and `joint` for every row of the design.
    singular : (fit) -> (R,) or (1,) whether a variance is estimated as 0
    terms : (sample, fit) -> names of the coefficients that `answers` gives
    message : (sample, fit, answers) -> what a reader of the rows has to know, for one outcome
    skips_blocks : whether coefficients of blocks, of which there can be many, are left out
    needs : (design) -> the most compressed form of a design that it answers in, see `rows`
    concerns
        (design) -> whether the method is one of those that a report of such a design lists; not to be
        listed is not to apply, which has a row with the reason.
    families, scales
        Of the outcomes and effects that it is for, see `Response`; it is listed for no others.
    takes_events
        Whether outcomes reach it as numbers of events, with the exposure in the design; else counts are
        divided by their exposure. Of ratios it infers logarithms.
    is_conditional
        Whether its effects compare members of one group, or of groups with equal effects, rather than
        the populations of all groups: of odds ratios these differ.
    """

    about: Callable[[Any, Request], About]
    prepare: Callable[[Design], Any]
    infer: Callable[[Any, np.ndarray, Request], Inference]
    joint: Callable[[Any, np.ndarray, Request], JointTest]
    fit: Callable[[Any, np.ndarray], Any] = Prepared
    answers: Callable[[Any, Design, Request], Answers] | None = None
    singular: Callable[[Any], np.ndarray] = _singular_nowhere
    terms: Callable[[Sample, Any], tuple[str, ...]] = _terms_of_design
    message: Callable[[Sample, Any, Answers], str] = _no_message
    skips_blocks: bool = False
    needs: Callable[[Design], str] = of_individuals
    concerns: Callable[[Design], bool] = _everywhere
    families: tuple[str, ...] = FAMILIES
    scales: tuple[str, ...] = ("difference",)
    takes_events: bool = False
    is_conditional: bool = False

    def is_listed(self, design: Design) -> bool:
        """Whether a report of the design lists the method."""
        response = design.response
        fits = response.family in self.families and response.scale in self.scales
        return fits and self.concerns(design)


@dataclass(frozen=True)
class Fits:
    """Outcomes y (R, n) of a design; what methods share is prepared and fitted once."""

    design: Design
    y: np.ndarray
    _prepared: dict[Any, Any] = field(default_factory=dict, repr=False)
    _fitted: dict[Any, Any] = field(default_factory=dict, repr=False)

    def prepared(self, method: Procedure) -> Any:
        """What `method` computes from the design alone; DoesNotApply where it has no answer."""
        if method.prepare not in self._prepared:
            try:
                self._prepared[method.prepare] = method.prepare(self.design)
            except (ValueError, np.linalg.LinAlgError) as reason:
                self._prepared[method.prepare] = DoesNotApply(str(reason))
        prepared = self._prepared[method.prepare]
        if isinstance(prepared, DoesNotApply):
            raise prepared
        return prepared

    def of(self, method: Procedure) -> Any:
        """The fit of `method`; DoesNotApply where it has no answer."""
        key = (method.prepare, method.fit, method.takes_events)
        if key not in self._fitted:
            y = self.y if method.takes_events else self.design.measured(self.y)
            self._fitted[key] = method.fit(self.prepared(method), y)
        return self._fitted[key]


@dataclass(frozen=True)
class Replicates:
    """Inference and coverage of a method for R outcomes and k contrasts; NaN without an answer.

    Attributes
    ----------
    inference : arrays (R, k)
    covers : (R, k) 1 where the interval holds the true value, 0 where not
    singular : (R,) was a variance estimated as 0?
    """

    inference: Inference
    covers: np.ndarray
    singular: np.ndarray

    @property
    def failed(self) -> np.ndarray:
        """(R, k): no p-value, whatever the reason."""
        return np.isnan(self.inference.p_value)


def answer(
    design: Design,
    y: np.ndarray,
    methods: Iterable[str],
    *,
    truth: np.ndarray | Mapping[str, np.ndarray] | None = None,
    request: Request | None = None,
    prepared: dict[Any, Any] | None = None,
) -> dict[str, Replicates]:
    """Inference on the contrasts of a design for outcomes y (R, n), by name of the method.

    Parameters
    ----------
    truth : (k,) values that intervals are to hold, of all methods or by method; 0 if left out
    prepared : where what depends on the design alone is kept from one batch to the next

    Raises
    ------
    ValueError
        If a name is not that of a method.
    """
    methods, request = tuple(methods), request or Request()
    truth = np.zeros(len(design.L)) if truth is None else truth
    by_name = truth if isinstance(truth, Mapping) else dict.fromkeys(methods, truth)
    fits = Fits(design, y, {} if prepared is None else prepared)
    return {
        name: _replicates(method_of(name), fits, replace(request, truth=by_name[name]))
        for name in methods
    }


def _replicates(method: Procedure, fits: Fits, request: Request) -> Replicates:
    L, R = fits.design.L, len(fits.y)
    try:
        fit = fits.of(method)
    except DoesNotApply:
        missing = Inference.missing(len(L), request.conf_level).repeated(R)
        return Replicates(missing, missing.estimate, np.zeros(R, dtype=bool))
    inference = method.infer(fit, L, request)
    inference = inference.mask(np.isfinite(inference.p_value))
    covers = inference.covers
    if covers is None:
        covers = inside(inference.conf_low, request.truth, inference.conf_high)
    return Replicates(inference, covers, np.broadcast_to(method.singular(fit), (R,)))


def inside(low: np.ndarray, value: np.ndarray | None, high: np.ndarray) -> np.ndarray:
    """1 where low <= value <= high, 0 where not, NaN where there is no interval."""
    covers = ((low <= value) & (value <= high)).astype(float)
    return np.where(np.isnan(low) | np.isnan(high), np.nan, covers)


def answers_of(method: Procedure, fit: Any, design: Design, request: Request) -> Answers:
    """Inference of one method on the contrasts, arm means, coefficients and omnibus of a design."""
    if method.answers is not None:
        return method.answers(fit, design, request)
    p, first, second = len(design.terms), len(design.L), len(design.L) + len(design.L_means)
    inferred = np.ones(p, dtype=bool)
    if method.skips_blocks:
        inferred[design.columns("block")] = False
    rows = np.vstack([design.L, design.L_means, np.eye(p)[inferred]])
    unique, place = _distinct(rows)
    inference = method.infer(fit, rows[unique], request)
    coefficients = np.zeros(p, dtype=int)
    coefficients[inferred] = place[second:]
    return Answers(
        contrasts=inference.rows(place[:first]),
        means=inference.rows(place[first:second]),
        coefficients=inference.rows(coefficients).mask(inferred),
        omnibus=method.joint(fit, design.omnibus, request),
    )


def _distinct(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Indices of distinct rows, and which of these each row is, so that none is computed twice."""
    _, first, place = np.unique(rows.round(12), axis=0, return_index=True, return_inverse=True)
    return first, place.reshape(-1)


# ---- which methods there are ---------------------------------------------------------------------


@cache
def specifications() -> tuple[str, ...]:
    """Every specification there is, by name."""
    return tuple(sorted(each.name for each in pkgutil.iter_modules(__path__) if not each.ispkg))


@cache
def methods_in(specification: str) -> Mapping[str, Procedure]:
    """The methods of one specification, by name."""
    module = importlib.import_module(f"{__name__}.{specification}")
    methods: Mapping[str, Procedure] = module.METHODS
    return methods


@cache
def all_methods() -> Mapping[str, Procedure]:
    """The methods of all specifications, by name."""
    return {name: m for each in specifications() for name, m in methods_in(each).items()}


def method_of(name: str) -> Procedure:
    """The method of this name; ValueError where there is none."""
    if name not in all_methods():
        raise ValueError(f"{name} is not one of {', '.join(all_methods())}")
    return all_methods()[name]


def concerning(design: Design, names: Iterable[str]) -> list[str]:
    """Those of some methods that a report of the design lists."""
    return [name for name in names if method_of(name).is_listed(design)]


# ---- the tables of one dataset -------------------------------------------------------------------


def fitted_tables(sample: Sample, methods: Sequence[str]) -> dict[str, pd.DataFrame]:
    """The tables that all specifications fill, as they stand in files; methods in the given order."""
    parts: dict[str, list[pd.DataFrame]] = {name: [] for name in MODEL_TABLES}
    for specification in specifications():  # one after another: of each only its tables are kept
        for name, table in fit_tables(specification, sample).items():
            # Rows of individuals are written in full.
            parts[name].append(table if name == "residuals" else as_written(table))
    return {name: combined(name, parts.pop(name), methods) for name in MODEL_TABLES}


def fit_tables(specification: str, sample: Sample) -> dict[str, pd.DataFrame]:
    """Fit one specification; every table of the schema that models fill, empty where it has none."""
    module = importlib.import_module(f"{__name__}.{specification}")
    request = Request(sample.conf_level, sample.resampling)
    fits = Fits(sample.design, sample.y[None])
    requested = {
        name: method
        for name, method in methods_in(specification).items()
        if sample.asks(name) and method.is_listed(sample.design)
    }
    results = [method_result(sample, specification, name, fits, request) for name in requested]
    tables = tidy.method_tables(
        [replace(each, answers=as_reported(each.answers, sample.response)) for each in results],
        dataset=sample.dataset,
        contrasts=sample.design.contrast_labels,
        arms=sample.design.arm_labels,
        n_obs=sample.design.n_obs,
        n_groups=sample.design.n_groups,
    )
    tables["adjusted"] = _adjusted(sample, results)
    further = module.tables(sample, fits) if hasattr(module, "tables") else {}
    for name in MODEL_TABLES:
        if name not in tables:
            tables[name] = further.get(name, tidy.table(name, []))
    return tables


def method_result(
    sample: Sample, specification: str, name: str, fits: Fits, request: Request
) -> tidy.MethodResult:
    """The result of one method for one sample; without an answer NaN, with the reason as message.

    Answers are on the scale on which the method infers (see `inference.scales`).
    """
    method, design = methods_in(specification)[name], sample.design
    prepared, singular, terms = None, False, design.terms
    try:
        prepared = fits.prepared(method)
        fit = fits.of(method)
        answers = answers_of(method, fit, design, request).outcome(0)
        message = method.message(sample, fit, answers)
        singular = bool(method.singular(fit)[0])
        terms = method.terms(sample, fit)
    except (ValueError, np.linalg.LinAlgError) as reason:
        answers = Answers.missing(
            len(design.L), len(design.L_means), len(design.terms), request.conf_level
        )
        message = f"{str(reason).rstrip('.')}."
    about = method.about(prepared, request)
    answered = np.isfinite([*answers.contrasts.p_value, *answers.means.estimate])
    return tidy.MethodResult(
        specification=specification,
        method=name,
        answers=answers,
        terms=terms,
        scale=sample.response.scale,
        software="groupwise",
        converged=bool(answered.all()),
        singular=singular,
        message=message,
        **vars(about),
    )


def _adjusted(sample: Sample, results: list[tidy.MethodResult]) -> pd.DataFrame:
    """Pairwise p-values and intervals as they are, by Holm and by Tukey-Kramer."""
    labels = np.asarray(sample.design.contrast_labels, dtype=object)
    tables = []
    for each in results:
        rows = adjusted(each.answers.contrasts, len(sample.design.arm_labels))
        if sample.response.is_ratio:
            limits = ["conf_low", "conf_high"]
            rows[limits] = np.exp(rows[limits])
        rows["contrast"] = labels[rows["contrast"]]
        who = sample.who(each.specification, each.method) | {"conf_level": sample.conf_level}
        tables.append(tidy.table("adjusted", rows.assign(**who)))
    return tidy.concat("adjusted", tables)
