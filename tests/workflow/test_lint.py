"""The tools that `make lint` runs have nothing to say."""

from __future__ import annotations

import subprocess
import sys

import pytest
from tiny_project import ROOT, Project

pytestmark = pytest.mark.slow
TOOLS = {
    "ruff check": ["ruff", "check", "--no-cache", "."],
    "ruff format": ["ruff", "format", "--no-cache", "--check", "."],
    "mypy": ["mypy"],
    "snakefmt": ["snakefmt", "--check", "Snakefile", "workflow/rules"],
}


@pytest.mark.parametrize("tool", TOOLS)
def test_tool_is_content(tool: str) -> None:
    command = [sys.executable, "-m", *TOOLS[tool]]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_snakemake_lint_is_content(fresh: Project) -> None:
    run = fresh.snakemake("--workflow-profile", "none", "--lint")
    assert run.code == 0, run.console
    assert "Congratulations, your workflow is in a good condition!" in run.console


def test_make_lint_runs_every_tool() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    recipe = makefile.partition("\nlint:")[2].partition("\n\n")[0]
    assert all(f"python -m {tool}" in recipe for tool in (*TOOLS, "snakemake"))
    assert "--lint" in recipe
