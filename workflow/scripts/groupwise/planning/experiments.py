"""A design with the way its outcome varies, in the coordinates that variances are computed in."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from scipy import sparse

from groupwise.design import Design
from groupwise.inference.mixed import MixedFit, random_terms
from groupwise.inference.sandwich import Clusters, cluster_design
from groupwise.models.information import Information
from groupwise.models.least_squares import Basis, orthonormal_basis
from groupwise.models.lmm import LinearMixedModel
from groupwise.models.random_intercept import RandomIntercept
from groupwise.planning.plans import Plan, Variation

KEPT = 64
"""Experiments that are kept: searches of several methods come by the same plans."""


@dataclass(frozen=True, eq=False)
class DesignFrame:
    """A design, compressed or of individuals, and what follows from it however its outcome varies."""

    design: Design

    @cached_property
    def any_outcome(self) -> np.ndarray:
        """(m,): fits at given variances want an outcome, though nothing that is used depends on it."""
        values: np.ndarray = np.random.default_rng(0).normal(size=len(self.design.X))
        return values

    @cached_property
    def clusters(self) -> Clusters:
        return cluster_design(self.design.X, self.design.group, rows=self.design.rows)

    @cached_property
    def model(self) -> RandomIntercept:
        design = self.design
        return RandomIntercept.of(design.X, design.group, design.rows, design.nesting_block)

    @cached_property
    def centred(self) -> Basis:
        """X less its group means: the model with a parameter per group."""
        return orthonormal_basis(self.design.X, self.design.group, self.design.rows)


@dataclass(frozen=True)
class Experiment:
    """n individuals in G groups whose outcome has V = var_residual I + sum_g Z_g Omega Z_g'.

    Its design may be that of data at hand, with their covariates in X; `variation` is then what
    they leave, and names no planned covariates. `drawn` keeps tests of drawn outcomes, see `rejection`.
    """

    frame: DesignFrame
    variation: Variation
    drawn: dict[Any, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def design(self) -> Design:
        return self.frame.design

    @property
    def n_arms(self) -> int:
        return len(self.design.arm_labels)

    @property
    def ratio(self) -> float:
        """var_group / var_residual."""
        return self.variation.var_group / self.variation.var_residual

    @cached_property
    def root(self) -> sparse.csr_array:
        """Z Omega^(1/2), shape (m, G q): q is 1, or J where effects vary by group.

        The columns of a group stand together.
        """
        design, m = self.design, len(self.design.X)
        if self.variation.sd_effect == 0:
            values = np.full((m, 1), np.sqrt(self.variation.var_group))
        else:
            cov, vectors = np.linalg.eigh(self.variation.effects_covariance(self.n_arms))
            values = (vectors * np.sqrt(np.maximum(cov, 0)))[design.arm]
        values = values * design.rows.ones[:, None]
        q = values.shape[1]
        columns = design.group[:, None] * q + np.arange(q)
        rows = np.repeat(np.arange(m), q)
        shape = (m, design.n_groups * q)
        return sparse.csr_array((values.ravel(), (rows, columns.ravel())), shape=shape)

    @property
    def clusters(self) -> Clusters:
        return self.frame.clusters

    @property
    def basis(self) -> Basis:
        return self.clusters.basis

    @property
    def model(self) -> RandomIntercept:
        return self.frame.model

    @cached_property
    def mixed_fit(self) -> MixedFit:
        """The mixed model at the planned variances."""
        if self.design.random_slopes == "none":
            return self.model.fit(self.frame.any_outcome, theta=np.sqrt(self.ratio))
        (term,) = random_terms(self.design)
        J = self.n_arms
        to_slopes = np.eye(J)
        to_slopes[1:, 0] = -1
        omega = to_slopes @ self.variation.effects_covariance(J) @ to_slopes.T
        Lambda = np.linalg.cholesky(omega / self.variation.var_residual)
        theta = np.array([Lambda[i, j] for i, j in term.entries])
        model = LinearMixedModel.of(self.design.X, [term], self.design.rows)
        return model.fit(self.frame.any_outcome, theta=theta)

    def mixed_information(self, L: np.ndarray) -> Information:
        """What small-sample inference needs to know of L beta, L (k, p), at the planned variances."""
        at = self.mixed_fit.information(L)
        scale = self.variation.var_residual / float(self.mixed_fit.std_dev["residual"]) ** 2
        parts = {name: scale * getattr(at, name) for name in ("vcov", "slopes", "curvature")}
        return replace(at, **parts)

    @cached_property
    def centred(self) -> tuple[Basis, sparse.csr_array]:
        """X and `root` less their group means: the model with a parameter per group."""
        design, m = self.design, len(self.design.X)
        ones, G = design.rows.ones, design.n_groups
        Z = sparse.csr_array((ones, (np.arange(m), design.group)), shape=(m, G))
        means = sparse.diags_array(1 / design.group_size) @ (Z.T @ self.root)
        return self.frame.centred, (self.root - Z @ means).tocsr()


@lru_cache(maxsize=KEPT)
def plan_experiment(plan: Plan, variation: Variation) -> Experiment:
    """The experiment a plan describes."""
    return Experiment(_frame(plan), variation)


@lru_cache(maxsize=KEPT)
def _frame(plan: Plan) -> DesignFrame:
    return DesignFrame(plan.compressed)
