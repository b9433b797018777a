"""What `share: false` keeps out of the archive: the raw file, and whatever shows single individuals."""

from __future__ import annotations

import ast
import html
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from archive.plan import Plan
from groupwise.data.validate import Roles

ROW = "row"  # the column of a table with a row per individual
PROCESSED = "data/processed/"
DRAWINGS = (".svg", ".png", ".pdf")
MARK = "SHOWS_INDIVIDUALS"
FIGURES = "workflow/scripts/groupwise/figures"


@dataclass(frozen=True)
class Sharing:
    """Raw files that may not be passed on, and how each dataset that needs one is known."""

    files: frozenset[str]
    datasets: Mapping[str, Mapping[str, Any]]

    def why_out(self, folder: Path, name: str, plan: Plan) -> str:
        """Why a file that the workflow made stays out, in words; empty where it may go in."""
        if not plan.needs(name) & self.files:
            return ""
        path = folder / name
        if name.startswith(PROCESSED):
            return "a processed copy of the data"
        if path.suffix in (".csv", ".parquet") and self._is_data(path):
            return "a table with a row per individual"
        if path.suffix in DRAWINGS and path.stem in drawn_individuals(folder):
            return "a figure that draws individuals"
        if path.suffix == ".html" and self._shows(folder, path, plan):
            return "a page with a figure that draws individuals"
        if path.suffix == ".json" and self._is_long(folder, path):
            return "a list as long as the data"
        return ""

    def _is_data(self, path: Path) -> bool:
        """A row for each individual, by the number of the row or by the data's own columns."""
        columns = _columns(path)
        roles = [Roles.from_settings(block["roles"]) for block in self.datasets.values()]
        identifying = [{role.outcome, role.group} for role in roles]
        return ROW in columns or any(names <= columns for names in identifying)

    def _shows(self, folder: Path, page: Path, plan: Plan) -> bool:
        """A page shows a figure if the figure's alternative text is in it."""
        text = _words(page.read_text(encoding="utf-8"))
        hidden = drawn_individuals(folder)
        job = plan.makers[page.relative_to(folder).as_posix()]
        for name in job.inputs:
            alt = Path(name)
            if alt.suffix == ".txt" and alt.stem in hidden and plan.needs(name) & self.files:
                alternative = _words((folder / alt).read_text(encoding="utf-8"))
                if not alternative or alternative in text:
                    return True
        return False

    def _is_long(self, folder: Path, path: Path) -> bool:
        longest = _longest(json.loads(path.read_text(encoding="utf-8")))
        sizes = []
        for dataset in self.datasets:
            design = folder / "results" / dataset / "design.json"
            if design.is_file():
                sizes.append(json.loads(design.read_text(encoding="utf-8"))["n_obs"])
        return longest >= min(sizes, default=1)


def read_sharing(plan: Plan) -> Sharing:
    """What is not shared; a file that one dataset does not share is shared by none."""
    blocks = plan.config["datasets"]
    closed = {block["file"] for block in blocks.values() if _is_closed(block)}
    held = {name: block for name, block in blocks.items() if block.get("file") in closed}
    return Sharing(files=frozenset(closed), datasets=held)


def drawn_individuals(folder: Path) -> frozenset[str]:
    """Figures whose module says `SHOWS_INDIVIDUALS = True`."""
    return frozenset(
        path.stem for path in (folder / FIGURES).glob("*.py") if _is_marked(path.read_text("utf-8"))
    )


def _is_closed(block: Mapping[str, Any]) -> bool:
    return "file" in block and not block["share"]


def _is_marked(code: str) -> bool:
    for node in ast.parse(code).body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
            names = [target.id for target in node.targets if isinstance(target, ast.Name)]
            if MARK in names and node.value.value is True:
                return True
    return False


def _columns(path: Path) -> set[str]:
    if path.suffix == ".parquet":
        import pyarrow.parquet as pq

        return set(pq.read_schema(path).names)
    return set(pd.read_csv(path, nrows=0).columns)


def _words(text: str) -> str:
    return re.sub(r"\s+", " ", html.unescape(text)).strip()


def _longest(value: Any) -> int:
    """The length of the longest list in what JSON holds."""
    if isinstance(value, dict):
        return max((_longest(each) for each in value.values()), default=0)
    if isinstance(value, list):
        return max([len(value), *(_longest(each) for each in value)])
    return 0
