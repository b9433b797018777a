"""Dummy: a parameter per group.

Where the treatment is constant within groups it is aliased with the group indicators: the model
does not identify it, and what a program prints depends on which columns it drops. `aliasing`
shows what three conventions would print. `dummy_nested` is the identified alternative.

The indicators are never written down: the spread within groups and the group means say the same
(`models.absorbed`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from groupwise import tidy
from groupwise.design import Design
from groupwise.inference.absorbed import absorbed_f, absorbed_t
from groupwise.methods import About, DoesNotApply, Fits, Procedure, Request, of_kinds
from groupwise.methods.glm import dummies
from groupwise.models.absorbed import AbsorbedFit, Combination, Conventions, GroupParameters
from groupwise.models.least_squares import normal_loglik
from groupwise.sample import Sample, fit_statistics, residual_table
from groupwise.tidy import Answers, Inference, JointTest
from groupwise.words import role_word

CONVENTIONS: Mapping[str, Callable[[Conventions], np.ndarray]] = {
    "drop_last": Conventions.without_last_groups,
    "drop_first": Conventions.without_first_columns,
    "minimum_norm": Conventions.shortest,
}
"""`drop_last` takes columns as written (intercept, treatment, groups) and drops one in the span of
those before it, as R does; `drop_first` takes them from the other end, so that the treatment goes;
`minimum_norm` keeps all and uses the pseudo-inverse, as statsmodels does."""

MOST_CELLS = 20_000_000
"""Size of a model matrix above which the parameters of groups are not listed."""

NOT_LISTED = (
    f"The model has more than {MOST_CELLS:,} numbers in its columns: the coefficients of groups are "
    "not listed."
)
VARIES = "Does not apply: the treatment varies within groups, so `dummy` answers."
NOTHING_VARIES = "Does not apply: nothing varies within groups, so no residual variance is left."
NOT_WITHIN = "Does not apply: the covariates cannot be told apart within groups."
ALL_EXPLAINED = "Does not apply: the model explains the outcome completely."


@dataclass(frozen=True)
class Dummies:
    """A design with a parameter for each of its groups."""

    design: Design
    model: GroupParameters

    @property
    def lists_groups(self) -> bool:
        """Whether the parameters of groups stand among the coefficients."""
        return self.design.n_obs * (self.design.X.shape[1] + self.design.n_groups) <= MOST_CELLS

    @cached_property
    def grid(self) -> np.ndarray:
        """The reference grid (J, p) with blocks and covariates of groups at their mean over groups."""
        design = self.design
        between = design.constant_in_groups & np.isin(design.role, ("block", "covariate"))
        X, share = self.model.X, self.model.frequency / design.n_groups
        return np.where(between, share @ X, design.L_means)

    def terms(self, group: str) -> tuple[tuple[str, ...], list[str]]:
        """Names and roles of the coefficients."""
        design = self.design
        labels = design.group_labels[1:] if self.lists_groups else ()
        names = tuple(f"{group}: {label}" for label in labels)
        return design.terms + names, [*design.role, *("group" for _ in names)]

    def coefficients(self) -> Combination:
        """The coefficients of X, the intercept being the first group's, and of all other groups."""
        p, G = self.model.X.shape[1], len(self.model.X)
        w = np.zeros((p, G))
        w[0, 0] = 1
        L = np.eye(p)
        if self.lists_groups:
            others = np.eye(G)[1:]
            others[:, 0] = -1
            w, L = np.vstack([w, others]), np.vstack([L, np.zeros((G - 1, p))])
        return self.model.combination(L, w)


@dataclass(frozen=True)
class DummyFit:
    """Least squares of outcomes y (R, n) with a parameter per group."""

    prepared: Dummies
    model: AbsorbedFit


def prepare(design: Design) -> Dummies:
    """The spread of X within groups, and its group means."""
    return Dummies(design, GroupParameters.of(design.X, design.group, design.rows))


def fit(prepared: Dummies, y: np.ndarray) -> DummyFit:
    """Least squares of outcomes y (R, n)."""
    return DummyFit(prepared, prepared.model.fit(y))


# ---- comparisons within groups -------------------------------------------------------------------


def _within(fit: DummyFit, L: np.ndarray) -> Combination:
    """L beta, where the spread within groups identifies it."""
    model = fit.prepared.model
    return model.combination(L, np.zeros((len(L), len(model.size))))


def _infer(fit: DummyFit, L: np.ndarray, request: Request) -> Inference:
    return absorbed_t(fit.model, _within(fit, L), request.conf_level)


def _joint(fit: DummyFit, L: np.ndarray, request: Request) -> JointTest:
    return absorbed_f(fit.model, _within(fit, L))


def _answers(fit: DummyFit, design: Design, request: Request) -> Answers:
    """Means of arms weight groups equally, hence also the blocks and covariates that are theirs."""
    prepared, contrasts = fit.prepared, _infer(fit, design.L, request)
    grid, share = prepared.grid, prepared.model.frequency / design.n_groups
    means = prepared.model.combination(grid, np.tile(share, (len(grid), 1)))
    joint = _joint(fit, design.omnibus, request)
    if not np.isfinite(contrasts.estimate).all():
        joint = tidy.JointTest.missing(len(contrasts.estimate))
    return Answers(
        contrasts=contrasts,
        means=absorbed_t(fit.model, means, request.conf_level),
        coefficients=absorbed_t(fit.model, prepared.coefficients(), request.conf_level),
        omnibus=joint,
    )


def _terms(sample: Sample, fit: DummyFit) -> tuple[str, ...]:
    return fit.prepared.terms(sample.group_name)[0]


def _message(sample: Sample, fit: DummyFit, answers: Answers) -> str:
    """Why a comparison is not identified, and that groups are not listed."""
    identified = bool(np.isfinite(answers.contrasts.estimate).all())
    reason = "" if identified else _not_identified(sample, fit)
    return " ".join(filter(None, (reason, "" if fit.prepared.lists_groups else NOT_LISTED)))


def _not_identified(sample: Sample, fit: DummyFit) -> str:
    treatment = "The treatment is constant within each"
    if not sample.design.assigns_groups:
        if not fit.model.variance[0] > 0:
            return ALL_EXPLAINED
        treatment = "Not every pair of arms meets within a"
    group, model = role_word({"group": sample.group_name}, "group"), fit.prepared.model
    return dummies.not_identified(group, treatment, model.columns, model.basis.rank)


# ---- the average group of each arm ---------------------------------------------------------------


@dataclass(frozen=True)
class Nested:
    """Group effects that sum to zero within each arm (and block).

    alpha_g = M beta + delta_g for the columns M of X that are constant in groups, delta orthogonal to
    M: beta is the least-squares solution of alpha, groups counting equally, with alpha_g the mean of
    a group less what the other columns of X explain of it within groups. Only the spread of
    individuals enters the standard error, so the answer holds for these groups and not for new ones.
    """

    dummies: Dummies
    between: np.ndarray
    inverse: np.ndarray

    def combination(self, L: np.ndarray) -> Combination:
        """L beta for L (k, p)."""
        model = self.dummies.model
        w = L[:, self.between] @ self.inverse
        within = np.where(self.between, 0.0, L - w @ model.X)
        return Combination(*model.basis.within(within), w, model.size)


@dataclass(frozen=True)
class NestedFit:
    """Least squares of outcomes y (R, n), for the average group of each arm."""

    prepared: Nested
    model: AbsorbedFit


def prepare_nested(design: Design) -> Nested:
    """Which columns of X tell groups apart; DoesNotApply where the treatment varies within groups."""
    if not design.assigns_groups:
        raise DoesNotApply(VARIES)
    dummies, between = prepare(design), design.constant_in_groups
    if not dummies.model.basis.within(np.eye(len(between))[~between])[1].all():
        raise DoesNotApply(NOT_WITHIN)
    root = np.sqrt(dummies.model.frequency)
    inverse = np.linalg.pinv(root[:, None] * dummies.model.X[:, between]) * root
    return Nested(dummies, between, inverse)


def fit_nested(prepared: Nested, y: np.ndarray) -> NestedFit:
    """Least squares of outcomes y (R, n)."""
    return NestedFit(prepared, prepared.dummies.model.fit(y))


def _infer_nested(fit: NestedFit, L: np.ndarray, request: Request) -> Inference:
    return absorbed_t(fit.model, fit.prepared.combination(L), request.conf_level)


def _joint_nested(fit: NestedFit, L: np.ndarray, request: Request) -> JointTest:
    return absorbed_f(fit.model, fit.prepared.combination(L))


def _message_nested(sample: Sample, fit: NestedFit, answers: Answers) -> str:
    return "" if fit.model.variance[0] > 0 else NOTHING_VARIES


def _about(estimand: str) -> Callable[[Any, Request], About]:
    return lambda prepared, request: About(estimand, "classical", "residual (n - rank)")


METHODS: Mapping[str, Procedure] = {
    "dummy": Procedure(
        about=_about("precision-weighted, within groups"),
        prepare=prepare,
        fit=fit,
        infer=_infer,
        joint=_joint,
        answers=_answers,
        terms=_terms,
        message=_message,
        needs=of_kinds,
    ),
    "dummy_nested": Procedure(
        about=_about("group-average, these groups only"),
        prepare=prepare_nested,
        fit=fit_nested,
        infer=_infer_nested,
        joint=_joint_nested,
        message=_message_nested,
        needs=of_kinds,
    ),
    **dummies.METHODS,
}


# ---- tables --------------------------------------------------------------------------------------


def tables(sample: Sample, fits: Fits) -> dict[str, pd.DataFrame]:
    """Coefficients by three conventions for aliased columns, fit statistics and residuals."""
    fitted: DummyFit = fits.of(METHODS["dummy"])
    model, parameters, who = fitted.model, fitted.prepared.model, ("dummy", "dummy")
    residual = model.residual[0]
    statistics = {
        "loglik": normal_loglik(float(model.squares[0]), sample.design.n_obs),
        "sd_residual": float(np.sqrt(model.variance[0])),
        "columns": parameters.columns,
        "rank": parameters.basis.rank,
    }
    return {
        "aliasing": _aliasing(sample, fitted),
        "fit_statistics": fit_statistics(sample, *who, statistics),
        "residuals": residual_table(sample, *who, sample.values - residual, residual),
    }


def _aliasing(sample: Sample, fit: DummyFit) -> pd.DataFrame:
    """Coefficients by each convention: NaN for a dropped column, which `aliased` marks."""
    terms, role = fit.prepared.terms(sample.group_name)
    printed = Conventions(fit.prepared.model, fit.model.within[0], fit.model.means[0])
    parts = []
    for convention, coefficients in CONVENTIONS.items():
        estimate = coefficients(printed)[: len(terms)]
        rows = sample.who("dummy", "dummy") | {
            "convention": convention,
            "term": list(terms),
            "role": role,
            "estimate": estimate,
            "aliased": np.isnan(estimate),
        }
        parts.append(tidy.table("aliasing", rows))
    return tidy.concat("aliasing", parts)
