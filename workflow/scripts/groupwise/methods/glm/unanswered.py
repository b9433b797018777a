"""Sentences on outcomes that a regression of events cannot answer."""

from __future__ import annotations

import numpy as np

from groupwise.design import Design
from groupwise.models.glm import EventFit
from groupwise.sample import Sample
from groupwise.tidy import Answers
from groupwise.words import listing


def arms_without_spread(labels: tuple[str, ...], extreme: np.ndarray) -> str:
    """What arms (J,) have: -1 no event, 1 nothing else; empty where all have some of both."""
    none = [label for label, each in zip(labels, extreme, strict=True) if each < 0]
    full = [label for label, each in zip(labels, extreme, strict=True) if each > 0]
    parts = []
    if none:
        parts.append(f"no events in {listing(none)}")
    if full:
        parts.append(f"nothing but events in {listing(full)}")
    return f"there are {' and '.join(parts)}" if parts else ""


def infinite(sample: Sample, fit: EventFit) -> str:
    """Why the first outcome has no finite coefficients; empty where it has."""
    if fit.is_finite[0]:
        return ""
    arms = arms_without_spread(
        sample.design.arm_labels, fit.model.without_spread(fit.events[:1])[0]
    )
    if arms:
        return f"No answer: {arms}, so that the estimate is infinite."
    infinite = fit.infinite_terms(0)
    terms = [term for term, each in zip(sample.design.terms, infinite, strict=True) if each]
    verb = "separates" if len(terms) == 1 else "together separate"
    return (
        f"No answer: {listing(terms)} {verb} individuals with events from others, so that the "
        "estimate is infinite."
    )


def no_std_error(design: Design, answers: Answers) -> str:
    """Which comparisons and means have no standard error; empty where all have one."""
    means = [f"mean of {arm}" for arm in design.arm_labels]
    labels = np.array([*design.contrast_labels, *means], dtype=object)
    missing = np.isnan([*answers.contrasts.std_error, *answers.means.std_error])
    if not missing.any():
        return ""
    return (
        "No standard error for "
        + ", ".join(labels[missing])
        + ": one group alone determines it at least in part, or the model explains the outcome "
        "of all groups completely."
    )
