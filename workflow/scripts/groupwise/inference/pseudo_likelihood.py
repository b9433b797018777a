"""Mixed models of events by restricted pseudo-likelihood: the model of a design, its variances.

Inference for effects is that of linear mixed models (`inference.small_sample`) on the working model at
convergence, with the residual variances known.
"""

from __future__ import annotations

from groupwise.design import Design
from groupwise.inference.mixed import random_terms
from groupwise.models.general_pseudo_likelihood import GeneralPseudoFit, GeneralPseudoLikelihood
from groupwise.models.pseudo_likelihood import PseudoFit, PseudoLikelihood

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
