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
        return f"No answer: {arms}, so that a coefficient of the model is infinite."
    which = np.flatnonzero(fit.infinite_terms(0))
    terms = [sample.design.terms[j] for j in which]
    verb = "separates" if len(terms) == 1 else "together separate"
    why = f"{listing(terms)} {verb} individuals with events from others"
    return f"No answer: {_level(fit, which, terms) or why}, so that a coefficient is infinite."


def _level(fit: EventFit, which: np.ndarray, terms: list[str]) -> str:
    """The level of a factor that has no events, or nothing else; empty where it is not one level.

    The indicators `which` are columns of X: a level has one of them, the first level none.
    """
    rows, events = fit.model.rows, fit.events[0]
    columns = rows.X[:, which]
    if not len(which) or not np.isin(columns, (0, 1)).all():
        return ""
    levels = [(columns[:, j] == 1, f"in {term}") for j, term in enumerate(terms)]
    for some, label in [*levels, (~columns.any(axis=1), f"outside {listing(terms)}")]:
        if some.any() and not events[some].any():
            return f"no individual {label} has an event"
        full = (events >= rows.exposure)[some].all() and fit.model.is_logit
        if some.any() and full:
            return f"all individuals {label} have the event"
    return ""


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
