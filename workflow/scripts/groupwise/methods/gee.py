"""GEE: the mean model with exchangeable errors within groups, and a bias-reduced sandwich.

Mancl and DeRouen (2001), Biometrics 57, 126-134. Tests are t with G - rank degrees of freedom, as is
common for few groups; statsmodels itself would take the normal.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from groupwise.design import Design
from groupwise.inference.sandwich import make_contrasts
from groupwise.inference.wald import f_test, t_inference
from groupwise.methods import About, DoesNotApply, Procedure, Request, of_kinds
from groupwise.methods.glm import gee
from groupwise.models.clusters import Clusters, Projected, cluster_design
from groupwise.models.exchangeable import (
    ALIKE,
    Exchangeable,
    ExchangeableFit,
    least_correlation,
    pairs_of_members,
)
from groupwise.sample import Sample
from groupwise.tidy import Answers, Inference, JointTest

EXPLAINED = "The fixed effects explain the outcome completely."
ALL_ALIKE = "No answer: the members of a group are estimated to be all alike."
NO_SPREAD = (
    "No answer: groups do not differ beyond what the model explains, so nothing has an error."
)
NOT_CONVERGED = "No answer: the iterations did not converge."


@dataclass(frozen=True)
class Equations:
    """The estimating equations of a design; df = G - rank."""

    clusters: Clusters
    model: Exchangeable
    df: int


def prepare(design: Design) -> Equations:
    """The clusters of a design; DoesNotApply where there are too few groups, or pairs of members."""
    df, p = design.n_groups - design.X.shape[1], design.X.shape[1]
    if df <= 0:
        raise DoesNotApply(
            f"Does not apply: {design.n_groups} groups leave no degrees of freedom for "
            f"{p} coefficients."
        )
    clusters = cluster_design(design.X, design.group, design.nesting_block, design.rows)
    pairs = pairs_of_members(clusters.size, clusters.frequency)
    if 0 < pairs <= p:
        raise DoesNotApply(
            f"Does not apply: the groups have {pairs} pairs of members, too few to estimate a "
            f"correlation beside {p} coefficients."
        )
    if not make_contrasts(clusters, design.L, "CR2").has_variance.all():
        raise DoesNotApply(
            "Does not apply: one group alone determines an arm, so that no variance between "
            "groups can be estimated there."
        )
    return Equations(clusters, Exchangeable.of(clusters), df)


@dataclass(frozen=True)
class GeeFit:
    """The estimating equations, solved for R outcomes."""

    prepared: Equations
    solution: ExchangeableFit

    def coordinates(self, L: np.ndarray) -> np.ndarray:
        """Coordinates of rows L (k, p) on the basis of X."""
        return self.prepared.clusters.basis.coordinates(L)[0]


def fit(prepared: Equations, y: np.ndarray) -> GeeFit:
    """Solutions for outcomes y (R, n)."""
    return GeeFit(prepared, prepared.model.fit(Projected.of(prepared.clusters, y)))


def _infer(fit: GeeFit, L: np.ndarray, request: Request) -> Inference:
    Lambda = fit.coordinates(L)
    variance = np.einsum("rkk->rk", fit.solution.vcov(Lambda))
    estimate = fit.solution.estimate(Lambda)
    return t_inference(estimate, np.sqrt(variance), fit.prepared.df, request.conf_level)


def _joint(fit: GeeFit, L: np.ndarray, request: Request) -> JointTest:
    Lambda = fit.coordinates(L)
    return f_test(fit.solution.estimate(Lambda), fit.solution.vcov(Lambda), fit.prepared.df)


def _message(sample: Sample, fit: GeeFit, answers: Answers) -> str:
    """Why there is no answer."""
    solution = fit.solution
    if solution.answered[0]:
        return "" if np.isfinite(answers.contrasts.p_value).all() else NO_SPREAD
    if not solution.outcomes.residual.any():
        return EXPLAINED
    rho, least = float(solution.correlation[0]), least_correlation(fit.prepared.model.size)
    if not rho > least:
        return (
            f"No answer: the estimated correlation within groups, {rho:.3f}, is below the least that "
            f"groups of this size can have, {least:.3f}."
        )
    return ALL_ALIKE if rho > ALIKE else NOT_CONVERGED


def _about(prepared: Any, request: Request) -> About:
    return About("precision-weighted", "Mancl-DeRouen", "groups (G - rank)")


METHODS: Mapping[str, Procedure] = {
    "gee_bias_reduced": Procedure(
        about=_about,
        prepare=prepare,
        fit=fit,
        infer=_infer,
        joint=_joint,
        message=_message,
        needs=of_kinds,
    ),
    **gee.METHODS,
}
