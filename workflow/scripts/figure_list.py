"""Which figures a dataset has: a module each, but for those that need a role its data do not play.

A module that says `NEEDS_ROLE = "period"` is drawn only for datasets whose roles name such a column.
Modules are read and not loaded: Snakemake reads the rules again in every job.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from configuration import modules

FOLDER = Path(__file__).parent / "groupwise" / "figures"
NEEDS_ROLE = re.compile(r'^NEEDS_ROLE = "(\w+)"$', re.MULTILINE)


def needed_roles() -> dict[str, str]:
    """By the name of every figure: the role that it needs, or nothing."""
    return {name: _needed(name) for name in modules(FOLDER, besides=["style"])}


def figures_for(roles: Mapping[str, Any], needed: Mapping[str, str]) -> list[str]:
    """Names of the figures of a dataset with these roles."""
    return [name for name, role in needed.items() if not role or roles.get(role)]


def _needed(name: str) -> str:
    match = NEEDS_ROLE.search((FOLDER / f"{name}.py").read_text(encoding="utf-8"))
    return match[1] if match else ""
