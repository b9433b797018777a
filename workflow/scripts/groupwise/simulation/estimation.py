"""The process that data are taken to come from: their mixed model, fitted by REML."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from groupwise.compression import DesignForms
from groupwise.design import Design
from groupwise.inference.mixed import components, fit_one
from groupwise.inference.variance_intervals import TOTAL, Component
from groupwise.rows import GROUPS, INDIVIDUALS
from groupwise.simulation.event_moments import EventMoments
from groupwise.simulation.processes import EstimatedProcess, NoProcess


def estimate_process(
    design: Design, y: np.ndarray, *, conf_level: float = 0.95
) -> EstimatedProcess | NoProcess:
    """The design's mixed model fitted to outcomes y (n,), or why it has no fit.

    Of counts it is fitted to rates.
    """
    try:
        fit = fit_one(design, design.measured(y))
        parts = components(fit, reml=True, conf_level=conf_level)
    except ValueError as reason:
        return NoProcess(str(reason))
    sd = {term: float(value) for term, value in fit.std_dev.items()}
    low, high = _icc_limits(design, parts, sd)
    within = sd.get("individual", 0.0) ** 2 + sd["residual"] ** 2
    forms, treatment = DesignForms.of(design), design.columns("treatment")
    estimated = EstimatedProcess(
        arms=design.arm_labels,
        terms=design.terms,
        coefficients=fit.beta,
        effects=np.concatenate([[0.0], fit.beta[treatment]]),
        std_dev=sd,
        icc=np.nan,
        icc_low=low,
        icc_high=high,
        conf_level=conf_level,
        std_error=np.sqrt(np.diag(fit.vcov)[treatment]),
        numbers={form: len(each.X) for form, each in forms.design.items()},
        slow_form=INDIVIDUALS if design.assignment.bearer == "row" else GROUPS,
        n_periods=design.n_periods,
        events=EventMoments.of(design, y, within) if design.response.has_events else None,
    )
    return replace(estimated, icc=estimated.variance_between / estimated.variance)


def _icc_limits(
    design: Design, parts: list[Component], sd: Mapping[str, float]
) -> tuple[float, float]:
    """Limits of the variance between groups in a period over that of groups and individuals.

    Profile limits of the share, or where it has none those of the groups' sd, all others at their
    estimates.
    """
    at = {(each.level, each.term): each for each in parts}
    group = at["group", "Intercept"]
    if design.has_one_intercept:
        return group.icc.conf_low.item(), group.icc.conf_high.item()
    if set(sd) == {"group", "cell", "residual"}:
        both = at[TOTAL, "Intercept"].icc
        return both.conf_low.item(), both.conf_high.item()
    ends = np.array([group.std_dev.conf_low.item(), group.std_dev.conf_high.item()]) ** 2
    between = ends + sd.get("cell", 0.0) ** 2
    low, high = between / (between + sd.get("individual", 0.0) ** 2 + sd["residual"] ** 2)
    return float(low), float(high)
