"""Mixed models of events by restricted pseudo-likelihood: the model of a design, its variances.

Inference for effects is that of linear mixed models (`inference.small_sample`) on the working model at
convergence, with the residual variances known.
"""

from __future__ import annotations

import numpy as np

from groupwise.design import Design
from groupwise.inference.limits import Limits, from_zero
from groupwise.inference.mixed import random_terms
from groupwise.inference.variance_intervals import UNDEFINED, Component
from groupwise.models.general_pseudo_likelihood import GeneralPseudoFit, GeneralPseudoLikelihood
from groupwise.models.pseudo_likelihood import PseudoFit, PseudoLikelihood, deviance

PseudoModel = PseudoLikelihood | GeneralPseudoLikelihood
PseudoModelFit = PseudoFit | GeneralPseudoFit


def pseudo_model(design: Design) -> PseudoModel:
    """The model of the design's random terms: all that does not depend on outcomes.

    Raises
    ------
    ValueError
        If it cannot be fitted to any outcome, with the reason.
    """
    if design.random_slopes != "none":
        raise ValueError(
            "Effects of the treatment that vary between groups are not in the mixed models of events."
        )
    if design.has_one_intercept:
        return PseudoLikelihood.of(design)
    return GeneralPseudoLikelihood.of(design, random_terms(design))


def components(fit: PseudoModelFit, conf_level: float) -> list[Component]:
    """Standard deviations of random effects, on the link scale, of the first outcome.

    With one random intercept the interval is of the profile of the restricted likelihood of the working
    model at convergence; with several there is none. Shares of the variance are not of this scale.
    """
    if isinstance(fit, GeneralPseudoFit):
        nothing = np.full((2, 1), np.nan)
        return [
            Component(name, "Intercept", Limits(sd[:1], *nothing), UNDEFINED, UNDEFINED)
            for name, sd in fit.std_dev.items()
        ]
    return [Component("group", "Intercept", _limits(fit, conf_level), UNDEFINED, UNDEFINED)]


def _limits(fit: PseudoFit, conf_level: float) -> Limits:
    at, estimate = fit.working.take(np.arange(1)), np.sqrt(fit.tau2[:1])

    def profile(sd: np.ndarray, which: np.ndarray) -> np.ndarray:
        return deviance(at.take(which), sd**2)

    if not fit.converged[0]:
        return UNDEFINED
    unit = 1 / np.sqrt(at.a.mean(axis=-1))
    return from_zero(profile, estimate, unit, deviance(at, estimate**2), conf_level)
