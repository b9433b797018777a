"""Dummy: a parameter per group.

Where the treatment is constant within groups it is aliased with the group indicators: the model
does not identify it, and what a program prints depends on which columns it drops. `aliasing`
shows what three conventions would print. `dummy_nested` is the identified alternative.

A model with very many columns is never written down: the same answers come from the spread within
groups and the group means (`models.absorbed`), and only the design's own terms are listed.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import linalg

from groupwise import tidy
from groupwise.algebra import estimable, independent_columns, pivoted_rank, row_space
from groupwise.design import Design
from groupwise.inference.absorbed_answers import dummy_answers, nested_answers
from groupwise.inference.wald import f_test, wald, wald_answers
from groupwise.models.absorbed import Absorbed
from groupwise.models.linear import SOFTWARE, LinearFit, fit_ols
from groupwise.specifications import Sample, SpecificationFit, fit_statistics, residual_table
from groupwise.words import role_word

CONVENTIONS = ("drop_last", "drop_first", "minimum_norm")


MOST_CELLS = 20_000_000
"""With more numbers in its matrix the model is fitted without indicators of groups."""

NOT_LISTED = (
    f"The model has more than {MOST_CELLS:,} numbers in its columns: it is fitted from the spread "
    "within groups, and the coefficients of groups are not listed."
)
VARIES = "Does not apply: the treatment varies within groups, so `dummy` answers."
NOTHING_VARIES = "Does not apply: nothing varies within groups, so no residual variance is left."
NOT_WITHIN = "Does not apply: the covariates cannot be told apart within groups."


def fit(sample: Sample) -> SpecificationFit:
    """Both dummy methods, and what three conventions make of the aliased columns."""
    design = sample.design
    if design.n_obs * (design.X.shape[1] + design.n_groups) > MOST_CELLS:
        return _fit_absorbed(sample)
    X, terms, role = _columns(design, sample.group_name)
    model = fit_ols(X, sample.y)
    tables = {
        "aliasing": _aliasing(sample, X, terms, role),
        "fit_statistics": fit_statistics(
            sample,
            "dummy",
            "dummy",
            loglik=model.loglik,
            sd_residual=np.sqrt(model.variance) if model.df_resid > 0 else np.nan,
            columns=X.shape[1],
            rank=pivoted_rank(X)[0],
        ),
        "residuals": residual_table(sample, "dummy", "dummy", model.fitted, model.residual),
    }
    return SpecificationFit([_dummy(sample, model, X, terms), _nested(sample)], tables)


def _fit_absorbed(sample: Sample) -> SpecificationFit:
    """The same where the model has very many columns."""
    design = sample.design
    model = Absorbed.of(design.X, sample.y, design.group)
    answers = dummy_answers(design, model, _grid(design), sample.conf_level)
    known = bool(np.isfinite(answers.contrasts.estimate).all())
    why = "" if known else _why_not(sample, model.variance, model.columns, model.basis.rank)
    method = _method(
        sample, answers, design.terms, "groupwise", " ".join([why, NOT_LISTED]).strip()
    )
    estimates = {
        "drop_last": model.without_last_groups(),
        "drop_first": model.without_first_columns(),
        "minimum_norm": model.shortest(),
    }
    tables = {
        "aliasing": tidy.concat(
            "aliasing",
            [
                _aliasing_rows(sample, convention, design.terms, design.role, estimate)
                for convention, estimate in estimates.items()
            ],
        ),
        "fit_statistics": fit_statistics(
            sample,
            "dummy",
            "dummy",
            loglik=model.loglik,
            sd_residual=np.sqrt(model.variance),
            columns=model.columns,
            rank=model.basis.rank,
        ),
        "residuals": residual_table(
            sample, "dummy", "dummy", sample.y - model.residual, model.residual
        ),
    }
    return SpecificationFit([method, _nested_absorbed(sample, model)], tables)


def _columns(design: Design, group: str) -> tuple[np.ndarray, tuple[str, ...], list[str]]:
    """The design's columns and an indicator for every group but the first."""
    indicators = (design.group[:, None] == np.arange(1, design.n_groups)).astype(float)
    names = tuple(f"{group}: {label}" for label in design.group_labels[1:])
    role = [*design.role, *("group" for _ in names)]
    return np.hstack([design.X, indicators]), design.terms + names, role


def _dummy(
    sample: Sample, model: LinearFit, X: np.ndarray, terms: tuple[str, ...]
) -> tidy.MethodResult:
    """The within-group comparison where there is one, else rows that say "not identified"."""
    answers = _identified_answers(sample, model, X)
    known = bool(np.isfinite(answers.contrasts.estimate).all())
    rank = pivoted_rank(X)[0]
    why = "" if known else _why_not(sample, model.variance, X.shape[1], rank)
    return _method(sample, answers, terms, SOFTWARE, why)


def _method(
    sample: Sample, answers: tidy.Answers, terms: tuple[str, ...], software: str, message: str
) -> tidy.MethodResult:
    return tidy.MethodResult(
        specification="dummy",
        method="dummy",
        answers=answers,
        terms=terms,
        estimand="precision-weighted, within groups",
        vcov_type="classical",
        df_method="residual (n - rank)",
        software=software,
        converged=bool(np.isfinite(answers.contrasts.estimate).all()),
        message=message,
    )


def _identified_answers(sample: Sample, model: LinearFit, X: np.ndarray) -> tidy.Answers:
    """Answers with NaN for every combination of coefficients that the data do not identify.

    The means of arms weight groups equally, hence also the blocks and covariates that are theirs.
    """
    design, k = sample.design, X.shape[1] - sample.design.X.shape[1]
    basis = row_space(X)
    L = np.hstack([design.L, np.zeros((len(design.L), k))])
    grid = _grid(design)
    L_means = np.hstack([grid, np.full((len(grid), k), 1 / design.n_groups)])

    def infer(rows: np.ndarray) -> tidy.Inference:
        found = wald(rows, model.beta, model.vcov, df=model.df_resid, conf_level=sample.conf_level)
        return found.mask(estimable(basis, rows) & (model.variance > 0))

    contrasts = infer(L)
    omnibus = tidy.NO_TEST
    if np.isfinite(contrasts.estimate).all():
        joint = L[: len(design.omnibus)]
        omnibus = f_test(joint @ model.beta, joint @ model.vcov @ joint.T, model.df_resid)
    return tidy.Answers(contrasts, infer(L_means), infer(np.eye(X.shape[1])), omnibus)


def _grid(design: Design) -> np.ndarray:
    """The reference grid (J, p) with blocks and covariates of groups at their mean over groups."""
    return np.where(
        _adjusted_at_group_level(design), _by_group(design).mean(axis=0), design.L_means
    )


def _why_not(sample: Sample, variance: float, columns: int, rank: int) -> str:
    treatment = "The treatment is constant within each"
    if sample.design.kind not in ("between", "blocked"):
        if not variance > 0:
            return "Does not apply: the model explains the outcome completely."
        treatment = "Not every pair of arms meets within a"
    group = role_word({"group": sample.group_name}, "group")
    return (
        f"Not identified. {treatment} {group}, so its columns are sums of the {group} indicators: "
        f"{columns} columns, rank {rank}."
    )


def _aliasing(
    sample: Sample, X: np.ndarray, terms: tuple[str, ...], role: list[str]
) -> pd.DataFrame:
    """What each convention prints: NaN for a dropped column, which `aliased` marks.

    `drop_last` takes columns as written (intercept, treatment, groups) and drops one in the span
    of those before it, as R does; `drop_first` takes them from the other end, so that the
    treatment goes; `minimum_norm` keeps all and uses the pseudo-inverse, as statsmodels does.
    """
    p = X.shape[1]
    orders = {"drop_last": np.arange(p), "drop_first": np.append(0, np.arange(p)[:0:-1])}
    tables = []
    for convention in CONVENTIONS:
        kept = np.ones(p, dtype=bool)
        if convention in orders:
            kept = independent_columns(X, orders[convention])
        estimate = np.full(p, np.nan)
        estimate[kept] = np.linalg.lstsq(X[:, kept], sample.y, rcond=None)[0]
        tables.append(_aliasing_rows(sample, convention, terms, role, estimate))
    return tidy.concat("aliasing", tables)


def _aliasing_rows(
    sample: Sample,
    convention: str,
    terms: Sequence[str],
    role: Sequence[str],
    estimate: np.ndarray,
) -> pd.DataFrame:
    rows = sample.who("dummy", "dummy") | {
        "convention": convention,
        "term": list(terms),
        "role": list(role),
        "estimate": estimate,
        "aliased": np.isnan(estimate),
    }
    return tidy.table("aliasing", rows)


def _nested(sample: Sample) -> tidy.MethodResult:
    """Group effects that sum to zero within each arm (and block): the average group of each arm.

    Groups count equally; only the spread of individuals enters the standard error, so the answer
    holds for these groups and not for new ones.
    """
    design = sample.design
    if design.kind not in ("between", "blocked"):
        return _nested_method(sample, None, VARIES, SOFTWARE)
    model, p = fit_ols(_nested_columns(design), sample.y), design.X.shape[1]
    if not model.variance > 0:
        return _nested_method(sample, None, NOTHING_VARIES, SOFTWARE)
    beta, vcov = model.beta[:p], model.vcov[:p, :p]
    answers = wald_answers(design, beta, vcov, df=model.df_resid, conf_level=sample.conf_level)
    return _nested_method(sample, answers, "", SOFTWARE)


def _nested_absorbed(sample: Sample, model: Absorbed) -> tidy.MethodResult:
    """The same, from the spread within groups and the group means."""
    design = sample.design
    if design.kind not in ("between", "blocked"):
        return _nested_method(sample, None, VARIES, "groupwise")
    if not model.variance > 0:
        return _nested_method(sample, None, NOTHING_VARIES, "groupwise")
    answers = nested_answers(design, model, _is_group_level(design), sample.conf_level)
    return _nested_method(sample, answers, "" if answers else NOT_WITHIN, "groupwise")


def _nested_method(
    sample: Sample, answers: tidy.Answers | None, message: str, software: str
) -> tidy.MethodResult:
    return tidy.MethodResult(
        specification="dummy",
        method="dummy_nested",
        answers=sample.no_answers() if answers is None else answers,
        terms=sample.design.terms,
        estimand="group-average, these groups only",
        vcov_type="classical",
        df_method="residual (n - rank)",
        software=software,
        converged=not message,
        message=message,
    )


def _nested_columns(design: Design) -> np.ndarray:
    """X and a basis of the group effects that are orthogonal to every group-level column of X.

    Without blocks and covariates that is exactly: effects sum to zero within each arm.
    """
    M = _by_group(design)[:, _is_group_level(design)]
    return np.hstack([design.X, linalg.null_space(M.T)[design.group]])


def _by_group(design: Design) -> np.ndarray:
    """One row of X for each group, shape (G, p)."""
    return design.X[design.first_of_group]


def _is_group_level(design: Design) -> np.ndarray:
    """Which columns of X are constant within every group; a mask of shape (p,)."""
    means = _by_group(design)
    return np.array(
        [np.allclose(x, m[design.group]) for x, m in zip(design.X.T, means.T, strict=True)]
    )


def _adjusted_at_group_level(design: Design) -> np.ndarray:
    """Which columns of X are blocks or covariates that are constant within groups; shape (p,)."""
    return _is_group_level(design) & np.isin(design.role, ("block", "covariate"))
