"""The full validation of the crate, by roc-validator, where it is installed.

It has an environment of its own, .venv/crate, because nothing else needs its packages: `make validator`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

TOOLS = "GROUPWISE_VALIDATOR"
PROGRAM = Path(__file__).with_name("roc_program.py")
HOW = "make validator"


def python_with_validator() -> str | None:
    """A Python that has roc-validator: named by the environment variable, or in .venv/crate."""
    named = os.environ.get(TOOLS)
    found = Path(named) if named else Path(sys.prefix) / "crate" / "bin" / "python"
    return str(found) if found.is_file() else None


def validate(folder: Path, say: Callable[[str], None]) -> list[str]:
    """Issues of severity REQUIRED, one sentence each."""
    python = python_with_validator()
    if python is None:
        say(f"  Profiles: not validated, because roc-validator is not installed ({HOW}).")
        return []
    done = subprocess.run(
        [python, str(PROGRAM), str(folder)], capture_output=True, text=True, check=False
    )
    if done.returncode not in (0, 1):
        return [f"roc-validator did not run: {(done.stderr.strip().splitlines() or [''])[-1]}"]
    lines = done.stdout.splitlines()
    for line in lines if done.returncode == 0 else ():
        say(f"  {line}")
    return lines if done.returncode else []
