"""Where statsmodels and the engine both speak: what each says, and how far they are apart."""

from __future__ import annotations

from typing import Any

import numpy as np

from groupwise.design import Design
from groupwise.inference.mixed_answers import Engine
from groupwise.models.mixed import MixedFit

ALARM = 1e-4
"""A difference above this is an alarm, unless a variance lies on the boundary."""


def compare_mixed(design: Design, said: MixedFit, found: Engine) -> list[dict[str, Any]]:
    """Effects (differences in standard errors) and standard deviations (relative differences)."""
    std_error = np.sqrt(np.einsum("ij,jk,ik->i", design.L, said.gls.vcov, design.L))
    rows = [
        _row(label, ours, theirs, std_error[k], found.singular)
        for k, (label, theirs, ours) in enumerate(
            zip(
                design.contrast_labels,
                design.L @ said.said_beta,
                design.L @ found.beta,
                strict=True,
            )
        )
    ]
    for name, ours in found.std_dev.items():
        theirs = getattr(said.said_variances, name) ** 0.5
        unit = ours if ours > 0 else found.std_dev["residual"]
        rows.append(_row(f"sd of {name}", ours, theirs, unit, found.singular))
    return rows


def _row(quantity: str, ours: float, theirs: float, unit: float, singular: bool) -> dict[str, Any]:
    difference = abs(theirs - ours) / unit
    return {
        "quantity": quantity,
        "statsmodels": float(theirs),
        "groupwise": float(ours),
        "difference": round(float(difference), 9),
        "alarm": bool(not singular and not difference <= ALARM),
    }
