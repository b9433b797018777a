"""Groupwise: inference about treatment effects when the data come in groups.

Arrays and tables in, tables out: nothing in this package knows a file path, a configuration or
Snakemake. Imports go one way: catalogue -> tidy, data -> design -> models -> inference ->
specifications -> simulation -> verdict, planning, diagnostics, figures, report -> analysis.

From a notebook, `analyse` gives the tables and figures of a report for a data frame, `simulate` draws
one, and `InputError`, a ValueError, is what both raise for a mistake in what they are given.
"""

import importlib
from typing import Any

_PUBLIC = {
    "analyse": "groupwise.analysis",
    "Analysis": "groupwise.analysis",
    "simulate": "groupwise.analysis",
    "InputError": "groupwise.data.errors",
}
"""Loaded when they are asked for: every job of the workflow imports this package."""

__all__ = sorted(_PUBLIC)


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'groupwise' has no attribute '{name}'")
    return getattr(importlib.import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_PUBLIC})
