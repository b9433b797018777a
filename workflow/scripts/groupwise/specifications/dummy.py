"""Dummy: a parameter per group.

Where the treatment is constant within groups it is aliased with the group indicators: the model
does not identify it, and what a program prints depends on which columns it drops. `aliasing`
shows what three conventions would print. `dummy_nested` is the identified alternative.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import linalg

from groupwise import tidy
from groupwise.algebra import estimable, independent_columns, pivoted_rank, row_space
from groupwise.design import Design
from groupwise.inference.wald import wald, wald_answers, wald_joint
from groupwise.models.linear import SOFTWARE, LinearFit, fit_ols
from groupwise.specifications import Sample, SpecificationFit, fit_statistics, residual_table

CONVENTIONS = ("drop_last", "drop_first", "minimum_norm")


def fit(sample: Sample) -> SpecificationFit:
    """Both dummy methods, and what three conventions make of the aliased columns."""
    design = sample.design
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
    return tidy.MethodResult(
        specification="dummy",
        method="dummy",
        answers=answers,
        terms=terms,
        estimand="precision-weighted, within groups",
        vcov_type="classical",
        df_method="residual (n - rank)",
        software=SOFTWARE,
        converged=known,
        message="" if known else _why_not(sample, model, X),
    )


def _identified_answers(sample: Sample, model: LinearFit, X: np.ndarray) -> tidy.Answers:
    """Answers with NaN for every combination of coefficients that the data do not identify.

    The means of arms weight groups equally, hence also the blocks and covariates that are theirs.
    """
    design, k = sample.design, X.shape[1] - sample.design.X.shape[1]
    basis = row_space(X)
    L = np.hstack([design.L, np.zeros((len(design.L), k))])
    grid = np.where(
        _adjusted_at_group_level(design), _by_group(design).mean(axis=0), design.L_means
    )
    L_means = np.hstack([grid, np.full((len(grid), k), 1 / design.n_groups)])

    def infer(rows: np.ndarray) -> tidy.Inference:
        found = wald(rows, model.beta, model.vcov, df=model.df_resid, conf_level=sample.conf_level)
        return found.mask(estimable(basis, rows) & (model.variance > 0))

    contrasts = infer(L)
    omnibus = tidy.NO_TEST
    if np.isfinite(contrasts.estimate).all():
        joint = L[: len(design.omnibus)]
        omnibus = wald_joint(joint, model.beta, model.vcov, df=model.df_resid)
    return tidy.Answers(contrasts, infer(L_means), infer(np.eye(X.shape[1])), omnibus)


def _why_not(sample: Sample, model: LinearFit, X: np.ndarray) -> str:
    rank = pivoted_rank(X)[0]
    treatment = "The treatment is constant within each"
    if sample.design.kind not in ("between", "blocked"):
        if not model.variance > 0:
            return "Does not apply: the model explains the outcome completely."
        treatment = "Not every pair of arms meets within a"
    return (
        f"Not identified. {treatment} {sample.group_name}, so its columns are sums of the "
        f"{sample.group_name} indicators: {X.shape[1]} columns, rank {rank}."
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
        rows = {"convention": convention, "term": list(terms), "role": role, "estimate": estimate}
        tables.append(
            tidy.table("aliasing", sample.who("dummy", "dummy") | rows | {"aliased": ~kept})
        )
    return tidy.concat("aliasing", tables)


def _nested(sample: Sample) -> tidy.MethodResult:
    """Group effects that sum to zero within each arm (and block): the average group of each arm.

    Groups count equally; only the spread of individuals enters the standard error, so the answer
    holds for these groups and not for new ones.
    """
    design, answers, message = sample.design, sample.no_answers(), ""
    if design.kind in ("between", "blocked"):
        model, p = fit_ols(_nested_columns(design), sample.y), design.X.shape[1]
        if model.variance > 0:
            answers = wald_answers(
                design,
                model.beta[:p],
                model.vcov[:p, :p],
                df=model.df_resid,
                conf_level=sample.conf_level,
            )
        else:
            message = (
                "Does not apply: nothing varies within groups, so no residual variance is left."
            )
    else:
        message = "Does not apply: the treatment varies within groups, so `dummy` answers."
    return tidy.MethodResult(
        specification="dummy",
        method="dummy_nested",
        answers=answers,
        terms=design.terms,
        estimand="group-average, these groups only",
        vcov_type="classical",
        df_method="residual (n - rank)",
        software=SOFTWARE,
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
    spread = _by_group(design)[design.group]
    return np.array([np.allclose(*pair) for pair in zip(design.X.T, spread.T, strict=True)])


def _adjusted_at_group_level(design: Design) -> np.ndarray:
    """Which columns of X are blocks or covariates that are constant within groups; shape (p,)."""
    return _is_group_level(design) & np.isin(design.role, ("block", "covariate"))
