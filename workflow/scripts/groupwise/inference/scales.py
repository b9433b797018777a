"""From the scale on which methods infer to the scale on which effects are reported.

Effects that are ratios are inferred as differences of logarithms, or of log odds: estimates and limits
are their exponentials, and standard errors, statistics and p-values stay those of the logarithm. Means
of arms become risks or rates. Where these were inferred as they are, from 0 and 1 or from counts, their
limits are those of the log odds or of the logarithm by the delta method, so that they stay in range.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from scipy import special

from groupwise.response import Response
from groupwise.tidy import Answers, Inference

FURTHEST = 50.0
"""Limits of means that are so far off on the log odds or the logarithm are those of the mean."""


def as_reported(answers: Answers, response: Response) -> Answers:
    """Contrasts as differences or ratios, means as risks or rates; coefficients stay as they are."""
    if response.link == "identity":
        return replace(answers, means=_in_range(answers.means, response.family))
    inverse = special.expit if response.link == "logit" else np.exp
    return replace(
        answers,
        contrasts=ratios(answers.contrasts),
        means=_mapped(answers.means, inverse),
    )


def ratios(inference: Inference) -> Inference:
    """Estimates and limits of ratios, from those of their logarithms."""
    return _mapped(inference, np.exp)


def _mapped(inference: Inference, function: Callable[[np.ndarray], np.ndarray]) -> Inference:
    with np.errstate(over="ignore"):  # an infinite limit of a logarithm is one of the ratio
        return replace(
            inference,
            estimate=function(inference.estimate),
            conf_low=function(inference.conf_low),
            conf_high=function(inference.conf_high),
        )


def _in_range(means: Inference, family: str) -> Inference:
    """Means with limits between 0 and 1, or above 0."""
    if family == "continuous":
        return means
    most = 1.0 if family == "binary" else np.inf
    mean = means.estimate
    inside = (mean > 0) & (mean < most)
    p = np.where(inside, mean, 0.5)
    # The derivative of the log odds, or of the logarithm, at the mean.
    slope = 1 / (p * (1 - p)) if family == "binary" else 1 / p
    inside &= ~(slope * (means.conf_high - mean) > FURTHEST)  # a mean that is 0 but for rounding
    link, inverse = (special.logit, special.expit) if family == "binary" else (np.log, np.exp)
    limits = {}
    for name in ("conf_low", "conf_high"):
        limit = getattr(means, name)
        limits[name] = np.clip(limit, 0, most)
        distance = slope[inside] * (limit - mean)[inside]
        limits[name][inside] = inverse(link(p[inside]) + distance)
    return replace(means, **limits)
