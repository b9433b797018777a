"""The experiments of hard_cases.py are made once for all processes of pytest-xdist."""

from __future__ import annotations

from collections.abc import Iterator

import hard_cases
import pytest


@pytest.fixture(scope="session", autouse=True)
def shared_cases(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[None]:
    folder = tmp_path_factory.getbasetemp()
    folder = folder.parent if hasattr(request.config, "workerinput") else folder
    hard_cases.SHARED = folder / "hard_cases"
    hard_cases.SHARED.mkdir(exist_ok=True)
    yield
    hard_cases.SHARED = None
