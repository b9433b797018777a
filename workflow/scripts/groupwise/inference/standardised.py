"""Risks of arms averaged over the groups and the members of a design, from the logistic mixed model.

    risk_a = (1/n) sum_i E expit(x_i(a)'beta + sigma u),  u ~ N(0, 1)

where x_i(a) is the row of member i with the arm set to a. Expectations are trapezoidal sums over equally
spaced u: for these integrands the error falls exponentially with the number of nodes (Trefethen and
Weideman 2014, SIAM Review 56:385). Standard errors by the delta method.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

from groupwise.design import Design
from groupwise.inference.wald import f_test, t_inference
from groupwise.models.quadrature import QuadratureFit, QuadratureModel
from groupwise.tidy import Inference, JointTest

SPACING, REACH = 0.125, 9.0
"""Distance of nodes u, and the largest of them."""

AT_A_TIME = 2**20
"""Numbers, over outcomes, rows and nodes, that are worked on at a time."""


@dataclass(frozen=True)
class Standardised:
    """What of a design standardised risks need.

    Attributes
    ----------
    X : (J, d, p) distinct rows of members with the arm set to each of J arms, in the model's columns
    weight : (d,) share of the members with these rows
    contrasts : (k, J), and `L` (k, p) the same as combinations of coefficients
    L_means : (J, p)
    is_ratio : whether effects are differences of logarithms of risks
    """

    X: np.ndarray
    weight: np.ndarray
    contrasts: np.ndarray
    L: np.ndarray
    L_means: np.ndarray
    is_ratio: bool

    @classmethod
    def of(cls, design: Design, model: QuadratureModel) -> Standardised:
        """The design's arms with its members."""
        rows, treatment = model.pooled.rows, design.columns("treatment")
        others = rows.X.copy()
        others[:, treatment] = 0
        distinct, place = np.unique(others, axis=0, return_inverse=True)
        weight = np.bincount(place.reshape(-1), rows.trials)
        X = np.tile(distinct, (len(design.arm_labels), 1, 1))
        X[:, :, treatment] = design.L_means[:, None, treatment]
        arms = list(design.arm_labels)
        identity = np.eye(len(arms))
        contrasts = np.array(
            [identity[arms.index(b)] - identity[arms.index(a)] for b, a in design.contrasts]
        )
        return cls(
            X=X @ model.to_beta,
            weight=weight / weight.sum(),
            contrasts=contrasts,
            L=design.L,
            L_means=design.L_means,
            is_ratio=design.response.is_ratio,
        )

    def combinations(self, L: np.ndarray) -> np.ndarray:
        """(k, J) what rows L (k, p) are of arms; NaN for neither a contrast nor a mean of arms."""
        J = len(self.L_means)
        rows = np.vstack([self.L, self.L_means])
        combinations = np.vstack([self.contrasts, np.eye(J)])
        same = np.isclose(L[:, None], rows).all(axis=-1)
        return np.where(same.any(axis=1)[:, None], combinations[same.argmax(axis=1)], np.nan)

    def risks(self, fit: QuadratureFit) -> tuple[np.ndarray, np.ndarray]:
        """Risks (B, J) of arms, and their derivatives (B, J, p + 1) by the parameters."""
        B, (J, d, p) = len(fit.parameters), self.X.shape
        risk, slope = np.empty((B, J)), np.empty((B, J, p + 1))
        u = np.arange(-REACH, REACH + SPACING / 2, SPACING)
        density = np.exp(-(u**2) / 2) * SPACING / np.sqrt(2 * np.pi)
        step = max(1, AT_A_TIME // (d * len(u)))
        for i in range(0, B, step):
            some = slice(i, i + step)
            beta, sigma = fit.parameters[some, :p], fit.parameters[some, p]
            for j in range(J):
                eta = beta @ self.X[j].T
                each = special.expit(eta[..., None] + sigma[:, None, None] * u)
                risk[some, j] = (each @ density) @ self.weight
                change = each * (1 - each)
                slope[some, j, :p] = ((change @ density) * self.weight) @ self.X[j]
                slope[some, j, p] = (change @ (density * u)) @ self.weight
        return risk, slope

    def estimates(self, fit: QuadratureFit, C: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Combinations C (k, J) of risks, or of their logarithms, and their covariance.

        (B, k) and (B, k, k), NaN without a fit and in rows of C that are NaN.
        """
        risk, slope = self.risks(fit)
        value = np.log(risk) if self.is_ratio else risk
        if self.is_ratio:
            slope = slope / risk[..., None]
        by_row = C @ slope
        return value @ C.T, by_row @ fit.vcov @ by_row.swapaxes(1, 2)

    def wald(self, fit: QuadratureFit, L: np.ndarray, conf_level: float) -> Inference:
        """Normal-theory (z) inference (B, k) on what rows L (k, p) compare, or average."""
        estimate, vcov = self.estimates(fit, self.combinations(L))
        variance = np.diagonal(vcov, axis1=1, axis2=2)
        return t_inference(estimate, np.sqrt(variance), np.inf, conf_level)

    def wald_joint(self, fit: QuadratureFit, L: np.ndarray) -> JointTest:
        """Chi-squared test (B,) that every comparison of L (k, p) is zero."""
        return f_test(*self.estimates(fit, self.combinations(L)), np.inf)
