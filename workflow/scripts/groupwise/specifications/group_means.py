"""Group means: each group is one observation, the mean of its members.

The exact analysis of a between-groups design whose groups have one size. Where sizes differ there
are two: groups count equally (`group_means`), or by their size (`group_means_weighted`), whose
classical standard error takes the variance of a mean to be inverse to its group's size.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from groupwise import tidy
from groupwise.design import Design
from groupwise.inference.wald import f_test, t_inference
from groupwise.models.least_squares import Basis, orthonormal_basis, sum_by
from groupwise.specifications import Sample, SpecificationFit

VANISHES = 1e-12
"""A column whose group means are this small, relative to its values, has means of 0."""

ESTIMANDS = {"group_means": "group-average", "group_means_weighted": "individual-average"}


@dataclass(frozen=True)
class MeansFit:
    """Least squares of the group means of outcomes y (..., n).

    coordinates (..., r) on `basis`, variance (...) of a mean (of weight 1), df = G - rank.
    """

    basis: Basis
    coordinates: np.ndarray
    variance: np.ndarray
    df: int

    def inference(self, L: np.ndarray, conf_level: float) -> tidy.Inference:
        """t tests of every row of L beta, shape (..., k); NaN where group means do not identify it."""
        Lambda, _ = self.basis.coordinates(L)
        length = np.linalg.norm(Lambda, axis=1)
        std_error = np.sqrt(self.variance)[..., None] * length
        df = np.full(len(L), self.df if self.df > 0 else np.nan)
        return t_inference(self.coordinates @ Lambda.T, std_error, df, conf_level)

    def joint(self, L: np.ndarray) -> tidy.JointTest:
        """F test that every row of L beta is 0."""
        Lambda, _ = self.basis.coordinates(L)
        vcov = self.variance[..., None, None] * (Lambda @ Lambda.T)
        return f_test(self.coordinates @ Lambda.T, vcov, self.df)


def fit_means(design: Design, y: np.ndarray, *, weighted: bool) -> MeansFit:
    """Ordinary least squares, or weighted by group sizes, of means of y (..., n) on means of X."""
    root = np.sqrt(design.group_size) if weighted else np.ones(design.n_groups)
    X = group_means(design, design.X.T)
    X[np.abs(X).max(axis=1) <= VANISHES * np.abs(design.X).max(axis=0)] = 0
    basis = orthonormal_basis((X * root).T)
    coordinates, residual = basis.project(group_means(design, y) * root)
    df = design.n_groups - basis.rank
    squares = (residual**2).sum(axis=-1)
    variance = squares / df if df > 0 else np.full(squares.shape, np.nan)
    return MeansFit(basis, coordinates, variance, df)


def group_means(design: Design, values: np.ndarray) -> np.ndarray:
    """Means (..., G) of values (..., n)."""
    return sum_by(values, design.group, design.n_groups) / design.group_size


def fit(sample: Sample) -> SpecificationFit:
    """Both means of group means, equal where all groups have one size."""
    return SpecificationFit([_method(sample, method) for method in ESTIMANDS])


def _method(sample: Sample, method: str) -> tidy.MethodResult:
    weighted = method == "group_means_weighted"
    answers, message = _answers(sample, weighted=weighted)
    return tidy.MethodResult(
        specification="group_means",
        method=method,
        answers=answers,
        terms=sample.design.terms,
        estimand=ESTIMANDS[method],
        vcov_type="classical, weights n_g" if weighted else "classical",
        df_method="groups (G - rank)",
        software="groupwise",
        converged=bool(np.isfinite(answers.contrasts.p_value).all()),
        message=message,
    )


def _answers(sample: Sample, *, weighted: bool) -> tuple[tidy.Answers, str]:
    """Every answer, and why there is none."""
    design, conf_level = sample.design, sample.conf_level
    if design.kind not in ("between", "blocked"):
        return sample.no_answers(), "Does not apply: the treatment varies within groups."
    means = fit_means(design, sample.y, weighted=weighted)
    if means.df <= 0:
        return sample.no_answers(), (
            f"Does not apply: {design.n_groups} group means leave no degrees of freedom for the "
            f"variance in a model of rank {means.basis.rank}."
        )
    answers = tidy.Answers(
        contrasts=means.inference(design.L, conf_level),
        means=means.inference(design.L_means, conf_level),
        coefficients=means.inference(np.eye(len(design.terms)), conf_level),
        omnibus=means.joint(design.omnibus),
    )
    if np.isfinite(answers.contrasts.p_value).all():
        return answers, ""
    if means.variance > 0:
        return answers, "Group means do not identify every comparison of arms."
    return answers, "The model explains the group means completely: there is no variance to divide."
