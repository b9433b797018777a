"""Negative binomial counts with a normal random intercept: what varies beyond Poisson's has a parameter.

The variance of a count with mean mu is mu + mu^2 / shape (NB2). Where the likelihood of the Poisson
model does not rise with 1 / shape at 0, nothing varies beyond Poisson's: the shape is infinite, and the
estimates are those of the Poisson model.
"""

from __future__ import annotations

import numpy as np

from groupwise.models.event_densities import NegativeBinomial, Poisson
from groupwise.models.quadrature import ESTIMATES, Likelihood, QuadratureFit, QuadratureModel


def fit_negative_binomial(model: QuadratureModel, y: np.ndarray) -> QuadratureFit:
    """Maximum likelihood of counts of individuals y (B, m), from the Poisson model of the same rows.

    The last parameter is the logarithm of the shape; infinite where nothing varies beyond Poisson's,
    which counts as `singular`.
    """
    density = model.frame.density
    assert isinstance(density, Poisson)
    poisson = model.fit(y)
    larger = model.with_density(NegativeBinomial(density.exposure))
    fit = QuadratureFit.missing(larger, y)
    slope, square = _beyond_poisson(poisson)
    over = np.flatnonzero(poisson.converged & (slope > 0))
    equal = np.flatnonzero(poisson.converged & (slope <= 0))
    P = larger.frame.n_parameters
    vcov = np.zeros((len(equal), P, P))
    vcov[:, :-1, :-1] = poisson.vcov[equal]
    infinite = np.column_stack([poisson.parameters[equal], np.full(len(equal), np.inf)])
    yes = np.ones(len(equal), dtype=bool)
    fit.put(equal, infinite, vcov, poisson.deviance[equal], yes, yes)
    if len(over):
        share = np.clip(2 * slope[over] / square[over], 0.02, 10.0)
        start = np.column_stack([poisson.parameters[over], -np.log(share)])
        start[:, model.p] = np.maximum(start[:, model.p], 0.1)
        fitted = larger.fit(y[over], start=start)
        fit.put(over, *(getattr(fitted, name) for name in ESTIMATES))
    return fit


def _beyond_poisson(fit: QuadratureFit) -> tuple[np.ndarray, np.ndarray]:
    """Derivatives (B,) of log-likelihoods by 1 / shape at 0, and sums of squared expected counts."""
    slope, square = np.full((2, len(fit.y)), np.nan)
    which = np.flatnonzero(fit.converged)
    step = fit.model.at_a_time
    for i in range(0, len(which), step):
        some = which[i : i + step]
        likelihood = Likelihood.of(fit.model.frame, fit.y[some])
        at = likelihood.integrals(np.arange(len(some)), fit.parameters[some])
        share = at.probability[fit.model.frame.group]
        excess = at.at.residual**2 - likelihood.y[..., None]
        slope[some] = (share * excess).sum(axis=(0, 2)) / 2
        square[some] = (share * at.at.weight**2).sum(axis=(0, 2))
    return slope, square
