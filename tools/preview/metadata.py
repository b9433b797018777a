"""Merge project, document and command-line metadata as Quarto does."""

import json
import os
import re
from pathlib import Path
from typing import Any

from preview.errors import PreviewError, warn
from preview.source import parse_yaml

EXECUTE = {
    "eval": True,
    "echo": True,
    "output": True,
    "warning": True,
    "include": True,
    "error": False,
}
PATHS = ("bibliography", "csl", "filters", "include-after-body")
# These would make the page depend on the day it was made.
MOVING_DATES = ("today", "now", "last-modified")


def page_metadata(qmd: Path, front: dict[str, Any], overrides: dict[str, str]) -> dict[str, Any]:
    """Metadata of the page: project, then document, then ``-M`` style overrides.

    Parameters
    ----------
    qmd : Path
        The document; ``_quarto.yml`` is looked for in its folder and the folders above.
    front : dict
        Front matter of the document.
    overrides : dict
        What Quarto takes as ``-M key:value``.
    """
    # Within a layer an option of the format wins; between layers the document does.
    merged = _merge(_with_html_options(_project(qmd.resolve().parent)), _with_html_options(front))
    merged = _merge(merged, {key: scalar(value) for key, value in overrides.items()})
    if str(merged.get("date")) in MOVING_DATES:
        warn(f"date: {merged.pop('date')} is left out; a preview carries no date of its own")
    merged["author"] = _authors(merged)
    _refuse_remote_references(merged, qmd)
    return merged


def execute_defaults(metadata: dict[str, Any]) -> dict[str, Any]:
    """Options of every cell, unless the cell says otherwise."""
    chosen = metadata.get("execute")
    return {**EXECUTE, **(chosen if isinstance(chosen, dict) else {})}


def scalar(text: str) -> Any:
    """Read a command-line value as Quarto does: a number or true, false, null; else a string."""

    def refuse(constant: str) -> Any:
        raise ValueError(constant)

    try:
        return json.loads(text, parse_constant=refuse)
    except ValueError:
        return text


def as_list(value: Any) -> list[Any]:
    """A YAML value that may be one item or a list of them, as a list."""
    if value is None:
        return []
    return list(value) if isinstance(value, list) else [value]


def _merge(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        both = isinstance(merged.get(key), dict) and isinstance(value, dict)
        merged[key] = _merge(merged[key], value) if both else value
    return merged


def _with_html_options(metadata: dict[str, Any]) -> dict[str, Any]:
    formats = metadata.get("format")
    options = formats.get("html") if isinstance(formats, dict) else None
    return _merge(metadata, options) if isinstance(options, dict) else metadata


def _project(folder: Path) -> dict[str, Any]:
    for parent in (folder, *folder.parents):
        path = parent / "_quarto.yml"
        if path.is_file():
            project = parse_yaml(path.read_text(encoding="utf-8"), path.name)
            return _rebase(project, os.path.relpath(parent, folder))
    return {}


def _rebase(project: dict[str, Any], prefix: str) -> dict[str, Any]:
    # Paths in the project file are relative to it, while Pandoc runs in the document's folder.
    def moved(path: Any) -> Any:
        if isinstance(path, dict):
            return {**path, "path": moved(path["path"])}
        return os.path.normpath(f"{prefix}/{path}")

    for settings in (project, (project.get("format") or {}).get("html")):
        for key in PATHS:
            if isinstance(settings, dict) and key in settings:
                settings[key] = [moved(path) for path in as_list(settings[key])]
    return project


def _authors(metadata: dict[str, Any]) -> list[str]:
    names = []
    for author in as_list(metadata.get("author")):
        name = author.get("name", "") if isinstance(author, dict) else author
        parts = name.values() if isinstance(name, dict) else [name]
        names.append(" ".join(str(part) for part in parts))
    return names


def _refuse_remote_references(metadata: dict[str, Any], qmd: Path) -> None:
    for key in ("bibliography", "csl"):
        for path in as_list(metadata.get(key)):
            if re.match(r"\w+://", str(path)):
                raise PreviewError(f"{qmd.name}: {key} {path} is on the network; use a local file.")
