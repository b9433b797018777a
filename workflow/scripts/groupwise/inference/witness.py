"""Where statsmodels and the engine both speak: what each says, and how far they are apart."""

from __future__ import annotations

from typing import Any

import numpy as np

from groupwise.design import Design
from groupwise.inference.mixed import MixedFit
from groupwise.models.linear import LinearFit

ALARM = 1e-4
"""A difference above this is an alarm, unless a variance lies on the boundary."""


def compare_mixed(
    design: Design, said_beta: np.ndarray, said_std_dev: dict[str, float], found: MixedFit
) -> list[dict[str, Any]]:
    """Effects (differences in standard errors) and standard deviations (relative differences)."""
    std_error = np.sqrt(np.einsum("ij,jk,ik->i", design.L, found.vcov, design.L))
    effects = zip(
        design.contrast_labels, design.L @ said_beta, design.L @ found.beta, std_error, strict=True
    )
    singular = bool(found.singular)
    rows = [_row(label, ours, theirs, unit, singular) for label, theirs, ours, unit in effects]
    for name, ours in found.std_dev.items():
        unit = ours if ours > 0 else found.std_dev["residual"]
        row = _row(f"sd of {name}", float(ours), said_std_dev[name], float(unit), singular)
        rows.append(row)
    return rows


def compare_ols(design: Design, said: LinearFit, ours: LinearFit) -> list[dict[str, Any]]:
    """Effects and their standard errors, in standard errors, and the residual sd, relatively."""
    L = design.L
    theirs, own = (np.sqrt(np.einsum("ij,jk,ik->i", L, fit.vcov, L)) for fit in (said, ours))
    rows = []
    for i, label in enumerate(design.contrast_labels):
        rows.append(_row(label, L[i] @ ours.beta, L[i] @ said.beta, own[i], False))
    for i, label in enumerate(design.contrast_labels):
        rows.append(_row(f"std. error of {label}", own[i], theirs[i], own[i], False))
    sd = float(np.sqrt(ours.variance))
    return [*rows, _row("sd of residual", sd, float(np.sqrt(said.variance)), sd, False)]


def _row(quantity: str, ours: float, theirs: float, unit: float, singular: bool) -> dict[str, Any]:
    difference = abs(theirs - ours) / unit
    return {
        "quantity": quantity,
        "statsmodels": float(theirs),
        "groupwise": float(ours),
        "difference": round(float(difference), 9),
        "alarm": bool(not singular and not difference <= ALARM),
    }
