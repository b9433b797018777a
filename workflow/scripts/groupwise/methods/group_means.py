"""Group means: each group is one observation, the mean of its members, or each group in one period.

The exact analysis of a between-groups design whose groups have one size. Where sizes differ there
are two: groups count equally (`group_means`), or by their size (`group_means_weighted`), whose
classical standard error takes the variance of a mean to be inverse to its group's size.

Where whole groups change their arm from period to period, the means are those of groups in periods, and
have a parameter for each group: the exact analysis where these have one size, whatever the groups'
effects, if effects of groups in periods are independent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from groupwise.algebra import sum_by
from groupwise.design import PERIODS, Design
from groupwise.inference.absorbed import absorbed_f, absorbed_t, of_average_group
from groupwise.inference.classical import classical_f, classical_t
from groupwise.methods import About, DoesNotApply, Procedure, Request, of_kinds
from groupwise.methods.glm import means
from groupwise.methods.glm.means import NOT_COMPARED, NOT_CONSTANT, no_df
from groupwise.models.absorbed import AbsorbedFit, GroupParameters
from groupwise.models.least_squares import Basis, basis_of_means
from groupwise.rows import Rows
from groupwise.sample import Sample
from groupwise.tidy import Answers, Inference, JointTest

EXPLAINED = "The model explains the group means completely: there is no variance to divide."


@dataclass(frozen=True)
class Means:
    """The regression of group means on the means of X: its basis, and roots (G,) of the weights."""

    design: Design
    basis: Basis
    root: np.ndarray

    @property
    def df(self) -> int:
        return self.design.n_groups - self.basis.rank


@dataclass(frozen=True)
class MeansFit:
    """Least squares of the group means of R outcomes.

    coordinates (R, r) on the basis; variance (R,) of a mean (of weight 1).
    """

    prepared: Means
    coordinates: np.ndarray
    variance: np.ndarray


@dataclass(frozen=True)
class CellMeans:
    """The regression of the means of groups in periods on the means of X and a parameter per group.

    root (C,) of the weights; `model` of the weighted means.
    """

    design: Design
    model: GroupParameters
    root: np.ndarray

    def means(self, values: np.ndarray) -> np.ndarray:
        """Weighted means (..., C) of values (..., n)."""
        design = self.design
        return sum_by(values * design.rows.ones, design.cell, len(self.root)) / self.root


@dataclass(frozen=True)
class CellMeansFit:
    """Least squares of the means of groups in periods of R outcomes."""

    prepared: CellMeans
    model: AbsorbedFit

    @property
    def variance(self) -> np.ndarray:
        return self.model.variance


def cell_means(design: Design) -> CellMeans:
    """Means of X in groups by periods, unweighted; DoesNotApply where no variance is left."""
    size = design.cell_size.astype(float)
    means = sum_by(design.X.T * design.rows.ones, design.cell, len(size)) / size
    group = design.group[design.first_of_cell]
    model = GroupParameters.of(means.T, group, Rows.individuals(len(size)))
    if len(size) <= model.basis.rank:
        raise DoesNotApply(
            f"Does not apply: {len(size)} means leave no degrees of freedom for the variance."
        )
    return CellMeans(design, model, size)


def means_basis(design: Design, *, weighted: bool) -> Means:
    """Means of X, groups counting equally or by their sizes."""
    root = np.sqrt(design.group_size) if weighted else np.ones(len(design.group_size))
    basis = basis_of_means(design.group_means(design.X.T), design.X, root)
    return Means(design, basis, root)


def prepare(design: Design, *, weighted: bool) -> Means | CellMeans:
    """`means_basis`, or `cell_means` where groups change their arm from period to period.

    DoesNotApply for treatments within these, and where no variance is left.
    """
    if design.kind == PERIODS and not weighted:
        return cell_means(design)
    if not design.assigns_groups:
        raise DoesNotApply(NOT_CONSTANT)
    prepared = means_basis(design, weighted=weighted)
    if prepared.df <= 0:
        raise DoesNotApply(no_df(design.n_groups, prepared.basis.rank))
    return prepared


def fit(prepared: Means | CellMeans, y: np.ndarray) -> MeansFit | CellMeansFit:
    """Least squares of the means of outcomes y (R, n)."""
    if isinstance(prepared, CellMeans):
        return CellMeansFit(prepared, prepared.model.fit(prepared.means(y)))
    coordinates, residual = prepared.basis.project(prepared.design.group_means(y) * prepared.root)
    return MeansFit(prepared, coordinates, (residual**2).sum(axis=-1) / prepared.df)


def _infer(fit: MeansFit | CellMeansFit, L: np.ndarray, request: Request) -> Inference:
    """t with as many degrees of freedom as means less the rank; NaN for rows they do not identify."""
    if isinstance(fit, CellMeansFit):
        return absorbed_t(fit.model, of_average_group(fit.prepared.model, L), request.conf_level)
    basis, df = fit.prepared.basis, fit.prepared.df
    return classical_t(basis, fit.coordinates, fit.variance, df, L, request.conf_level)


def _joint(fit: MeansFit | CellMeansFit, L: np.ndarray, request: Request) -> JointTest:
    if isinstance(fit, CellMeansFit):
        return absorbed_f(fit.model, of_average_group(fit.prepared.model, L))
    return classical_f(fit.prepared.basis, fit.coordinates, fit.variance, fit.prepared.df, L)


def _message(sample: Sample, fit: MeansFit | CellMeansFit, answers: Answers) -> str:
    if np.isfinite(answers.contrasts.p_value).all():
        return ""
    return NOT_COMPARED if fit.variance[0] > 0 else EXPLAINED


def _method(estimand: str, vcov_type: str, *, weighted: bool) -> Procedure:
    def about(prepared: Any, request: Request) -> About:
        if isinstance(prepared, CellMeans):
            return About("cell-average, within groups", "classical", "cells (C - rank)")
        return About(estimand, vcov_type, "groups (G - rank)")

    return Procedure(
        about=about,
        prepare=partial(prepare, weighted=weighted),
        fit=fit,
        infer=_infer,
        joint=_joint,
        message=_message,
        needs=of_kinds,
    )


METHODS: Mapping[str, Procedure] = {
    "group_means": _method("group-average", "classical", weighted=False),
    "group_means_weighted": _method("individual-average", "classical, weights n_g", weighted=True),
    **means.METHODS,
}
