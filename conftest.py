"""Settings that every test shares, those of the package and of the workflow in tests/, and of tools/."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

# Before numpy is loaded: several test processes with several threads each slow one another down.
for library in ("OPENBLAS", "OMP", "MKL"):
    os.environ.setdefault(f"{library}_NUM_THREADS", "1")

from hypothesis import settings  # noqa: E402

pytest_plugins = ["project_fixtures"]

# The same examples on every machine, and no files left behind.
settings.register_profile(
    "groupwise", derandomize=True, deadline=None, database=None, max_examples=20
)
settings.load_profile("groupwise")

LONG = ("workflow", "contract", "browser", "identities", "reference", "unit")
"""Folders of tests, those whose files take longest first: a long file that starts last is waited for."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: _rank(item.path))


def _rank(path: Path) -> int:
    folder = path.parent.name
    return LONG.index(folder) if folder in LONG else 0
