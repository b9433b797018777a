"""A design with the way its outcome varies, in the coordinates that variances are computed in."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property

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


@dataclass(frozen=True)
class Experiment:
    """n individuals in G groups whose outcome has V = var_residual I + sum_g Z_g Omega Z_g'.

    `design` may be that of data at hand, with their covariates in X; `variation` is then what
    they leave, and names no planned covariates.
    """

    design: Design
    variation: Variation
    any_outcome: np.ndarray = field(init=False, repr=False)

    def __post_init__(self) -> None:
        # Fits at given variances want an outcome, though nothing that is used depends on it.
        values = np.random.default_rng(0).normal(size=self.design.n_obs)
        object.__setattr__(self, "any_outcome", values)

    @property
    def n_arms(self) -> int:
        return len(self.design.arm_labels)

    @property
    def ratio(self) -> float:
        """var_group / var_residual."""
        return self.variation.var_group / self.variation.var_residual

    @cached_property
    def root(self) -> sparse.csr_array:
        """Z Omega^(1/2), shape (n, G q): q is 1, or J where effects vary by group.

        The columns of a group stand together.
        """
        design, n = self.design, self.design.n_obs
        if self.variation.sd_effect == 0:
            values = np.full((n, 1), np.sqrt(self.variation.var_group))
        else:
            cov, vectors = np.linalg.eigh(self.variation.effects_covariance(self.n_arms))
            values = (vectors * np.sqrt(np.maximum(cov, 0)))[design.arm]
        q = values.shape[1]
        columns = design.group[:, None] * q + np.arange(q)
        rows = np.repeat(np.arange(n), q)
        shape = (n, design.n_groups * q)
        return sparse.csr_array((values.ravel(), (rows, columns.ravel())), shape=shape)

    @cached_property
    def clusters(self) -> Clusters:
        return cluster_design(self.design.X, self.design.group)

    @property
    def basis(self) -> Basis:
        return self.clusters.basis

    @cached_property
    def model(self) -> RandomIntercept:
        return RandomIntercept.of(self.design.X, self.design.group)

    @cached_property
    def mixed_fit(self) -> MixedFit:
        """The mixed model at the planned variances."""
        if self.design.random_slopes == "none":
            return self.model.fit(self.any_outcome, theta=np.sqrt(self.ratio))
        (term,) = random_terms(self.design)
        J = self.n_arms
        to_slopes = np.eye(J)
        to_slopes[1:, 0] = -1
        omega = to_slopes @ self.variation.effects_covariance(J) @ to_slopes.T
        Lambda = np.linalg.cholesky(omega / self.variation.var_residual)
        theta = np.array([Lambda[i, j] for i, j in term.entries])
        return LinearMixedModel.of(self.design.X, [term]).fit(self.any_outcome, theta=theta)

    def mixed_information(self, L: np.ndarray) -> Information:
        """What small-sample inference needs to know of L beta, L (k, p), at the planned variances."""
        at = self.mixed_fit.information(L)
        scale = self.variation.var_residual / float(self.mixed_fit.std_dev["residual"]) ** 2
        parts = {name: scale * getattr(at, name) for name in ("vcov", "slopes", "curvature")}
        return replace(at, **parts)

    @cached_property
    def centred(self) -> tuple[Basis, sparse.csr_array]:
        """X and `root` less their group means: the model with a parameter per group."""
        group, size = self.design.group, self.design.group_size
        basis = orthonormal_basis(self.design.X, group)
        n, G = self.design.n_obs, self.design.n_groups
        Z = sparse.csr_array((np.ones(n), (np.arange(n), group)), shape=(n, G))
        means = sparse.diags_array(1 / size) @ (Z.T @ self.root)
        return basis, (self.root - Z @ means).tocsr()


def plan_experiment(plan: Plan, variation: Variation) -> Experiment:
    """The experiment a plan describes."""
    return Experiment(plan.design, variation)
