"""Raw files by their columns, and the pages of data/README.md that describe them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from raw_table import read_raw

from archive.container import sha256
from archive.plan import Plan

PAGE = "data/README.md"


def describe_raw(folder: Path, plan: Plan) -> dict[str, Any]:
    """Sum, size, rows and columns of each raw file, and the datasets that are read from it."""
    files: dict[str, Any] = {}
    for dataset, name in plan.raw_files.items():
        if name not in files:
            form = plan.config["datasets"][dataset].get("format")
            files[name] = {"datasets": []} | _described(folder / name, form)
        files[name]["datasets"].append(dataset)
    return files


def section(page: str, name: str) -> str:
    """The section of data/README.md about a file, without its heading; empty where there is none."""
    parts = re.split(r"^## (.+)$", page, flags=re.MULTILINE)
    sections = dict(zip((title.strip() for title in parts[1::2]), parts[2::2], strict=True))
    return sections.get(Path(name).name, "").strip()


def _described(path: Path, form: Mapping[str, Any] | None) -> dict[str, Any]:
    table = read_raw(path, None, form=form).table
    return {
        "sha256": sha256(path),
        "bytes": path.stat().st_size,
        "rows": len(table),
        "columns": [_column(name, table[name]) for name in table.columns],
    }


def _column(name: str, values: pd.Series) -> dict[str, Any]:
    """Type and counts of a column, and none of its values."""
    return {
        "name": str(name),
        "type": _kind(values),
        "missing": int(values.isna().sum()),
        "distinct": int(values.nunique()),
    }


def _kind(values: pd.Series) -> str:
    if pd.api.types.is_bool_dtype(values):
        return "truth value"
    if pd.api.types.is_integer_dtype(values):
        return "integer"
    if pd.api.types.is_numeric_dtype(values):
        whole = values.dropna()
        return "integer" if len(whole) and not (whole % 1).any() else "number"
    return "text"
