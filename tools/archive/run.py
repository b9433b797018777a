"""Running the workflow, and making an environment for it, from `make archive` and `make verify`."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

RUNNER = "tools/console/run_snakemake.py"
PYTHON_OF_TOOLS = "GROUPWISE_VALIDATOR"  # an environment variable
INSTALL = "make validator"
"""The command that installs roc-validator and cyclonedx-py, in .venv/crate."""


def run_workflow(
    folder: Path,
    python: str,
    *,
    cores: str,
    config_files: Sequence[str] = (),
    options: Sequence[str] = (),
    targets: Sequence[str] = (),
    quarto: bool = True,
) -> int:
    """Snakemake as `make report` runs it, in a folder; its exit status."""
    further = [name for name in config_files if name != "config.yaml"]
    command = [python, RUNNER, "--workflow-profile", "none", "--keep-going", "--rerun-incomplete"]
    command += ["--logger", "groupwise", "--cores", cores, *options]
    command += ["--configfile", *further] if further else []
    command += ["--", *targets] if targets else []
    env = _environment(python) | ({} if quarto else {"GROUPWISE_QUARTO": "off"})
    return subprocess.run(command, cwd=folder, env=env, check=False).returncode


def make_environment(folder: Path, python: str) -> int:
    """`make env` in a folder: .venv from its lock."""
    command = ["make", "env", f"PYTHON={python}"]
    return subprocess.run(command, cwd=folder, env=outside_make(), check=False).returncode


def output_of(folder: Path, python: str, *arguments: str) -> str:
    """What a module of these scripts prints, run by another Python."""
    env = _environment(python) | {"PYTHONPATH": "tools:workflow/scripts"}
    done = subprocess.run(
        [python, *arguments], cwd=folder, env=env, check=True, capture_output=True, text=True
    )
    return done.stdout


def outside_make() -> dict[str, str]:
    """The environment without what a make around us set for itself."""
    ours = ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "ARGS", "CONFIG", "PYTHON", "PYTHONPATH")
    return {key: value for key, value in os.environ.items() if key not in ours}


def _environment(python: str) -> dict[str, str]:
    """The environment's own programs come first, as `make report` has it."""
    kept = outside_make()
    path = os.pathsep.join([str(Path(python).parent), kept.get("PATH", os.defpath)])
    return kept | {"PATH": path, "QUARTO_PYTHON": python}


def python_of_tools() -> str | None:
    """The Python with roc-validator and cyclonedx-py: as the variable names it, or of .venv/crate."""
    named = os.environ.get(PYTHON_OF_TOOLS)
    python = Path(named) if named else Path(sys.prefix) / "crate" / "bin" / "python"
    return str(python) if python.is_file() else None


def this_python() -> str:
    """The Python that runs us."""
    return sys.executable
