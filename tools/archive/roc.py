"""The full validation of the crate, by roc-validator, where it is installed.

It has an environment of its own, .venv/crate, because the workflow needs none of its packages.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

from archive.run import INSTALL, python_of_tools

PROGRAM = Path(__file__).with_name("roc_program.py")


def validate(folder: Path, say: Callable[[str], None]) -> list[str]:
    """Issues of severity REQUIRED, one sentence each."""
    python = python_of_tools()
    if python is None:
        say(f"  Profiles: not validated, because roc-validator is not installed ({INSTALL}).")
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
