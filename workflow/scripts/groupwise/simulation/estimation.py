"""The process that data are taken to come from: their mixed model, fitted by REML."""

from __future__ import annotations

import numpy as np

from groupwise.compression import DesignForms
from groupwise.design import Design
from groupwise.inference.mixed import components, fit_one
from groupwise.rows import GROUPS, INDIVIDUALS
from groupwise.simulation.processes import EstimatedProcess, NoProcess


def estimate_process(
    design: Design, y: np.ndarray, *, conf_level: float = 0.95
) -> EstimatedProcess | NoProcess:
    """The design's mixed model fitted to outcomes y (n,), or why it has no fit."""
    try:
        fit = fit_one(design, y)
        group = next(
            each
            for each in components(fit, reml=True, conf_level=conf_level)
            if (each.level, each.term) == ("group", "Intercept")
        )
    except ValueError as reason:
        return NoProcess(str(reason))
    sd = {term: float(value) for term, value in fit.std_dev.items()}
    ends = np.array([group.std_dev.conf_low.item(), group.std_dev.conf_high.item()])
    low, high = ends**2 / (ends**2 + sd["residual"] ** 2)
    if design.has_one_intercept:
        low, high = group.icc.conf_low.item(), group.icc.conf_high.item()
    forms, treatment = DesignForms.of(design), design.columns("treatment")
    return EstimatedProcess(
        arms=design.arm_labels,
        terms=design.terms,
        coefficients=fit.beta,
        effects=np.concatenate([[0.0], fit.beta[treatment]]),
        std_dev=sd,
        icc=sd["group"] ** 2 / (sd["group"] ** 2 + sd["residual"] ** 2),
        icc_low=float(low),
        icc_high=float(high),
        conf_level=conf_level,
        std_error=np.sqrt(np.diag(fit.vcov)[treatment]),
        numbers={form: len(each.X) for form, each in forms.design.items()},
        slow_form=GROUPS if design.assigns_groups else INDIVIDUALS,
    )
