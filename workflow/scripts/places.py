"""Where the tool is, for rules: its own files as paths from the folder in which Snakemake works.

That folder is the project itself, or a study of its own that uses the workflow as a module. What is
analysed and made (config.yaml, data/, results/, reports/rendered/) lies there in both cases.
"""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).parents[2]
"""The folder of the tool's Snakefile."""


REFERENCES = "references.bib"
"""What a study cites, in its folder."""


def of_tool(file: str) -> str:
    """A file of the tool, by its path from ROOT: `reports/x.qmd`, or `../groupwise/reports/x.qmd`."""
    return os.path.relpath(ROOT / file)


def is_study() -> bool:
    """Whether the tool stands elsewhere, so that this folder holds a study and nothing else."""
    return Path.cwd().resolve() != ROOT.resolve()
