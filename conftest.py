"""Settings that every test shares, those of the package and of the workflow in tests/, and of tools/."""

from __future__ import annotations

import os

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
