"""Read a .qmd: front matter, Markdown and Python cells, each with its line number."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped, unused-ignore]

from preview.errors import PreviewError

FENCE = re.compile(r"^(?P<indent>\s*)(?P<ticks>`{3,}|~{3,})(?P<info>[^`]*)$")
CELL = re.compile(r"^\s*\{python(?: *[ ,].*)?\}\s*$")
OPTION = re.compile(r"^#\|\s?(.*)$")


@dataclass(frozen=True)
class Chunk:
    """A run of Markdown, or one Python cell.

    Attributes
    ----------
    text : str
        Markdown, or the code without its option lines.
    line : int
        Line of the file (from 1) on which `text` starts.
    is_code : bool
    options : dict
        The cell's ``#| key: value`` lines.
    indent : str
        Indentation of a cell inside a list; its output is indented likewise.
    """

    text: str
    line: int
    is_code: bool = False
    options: dict[str, Any] = field(default_factory=dict)
    indent: str = ""


def read_qmd(qmd: Path) -> tuple[dict[str, Any], list[Chunk]]:
    """Split a document into its front matter and its chunks, in order.

    Raises
    ------
    PreviewError
        If the file is missing, its YAML is not valid, or a cell is never closed.
    """
    try:
        lines = qmd.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise PreviewError(f"{qmd} cannot be read: {error.strerror}.") from error
    body = _front_matter_length(lines)
    front = parse_yaml("\n".join(lines[1 : max(body - 1, 1)]), f"{qmd.name}: the front matter")
    return front, _chunks(lines, start=body, name=qmd.name)


def parse_yaml(text: str, where: str) -> dict[str, Any]:
    """Parse a YAML mapping; empty text is an empty mapping."""
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        reason = " ".join(str(error).split())
        raise PreviewError(f"{where} is not valid YAML: {reason}.") from error
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise PreviewError(f"{where} should be a mapping of keys to values.")
    return value


def _front_matter_length(lines: list[str]) -> int:
    if not lines or lines[0].rstrip() != "---":
        return 0
    for number, line in enumerate(lines[1:], start=2):
        if line.rstrip() in ("---", "..."):
            return number
    return 0


def _chunks(lines: list[str], start: int, name: str) -> list[Chunk]:
    chunks: list[Chunk] = []
    position = start
    while position < len(lines):
        fence = FENCE.match(lines[position])
        if fence is None:
            position += 1
            continue
        end = _closing_line(lines, position, fence["ticks"])
        # Fences that are not cells are skipped whole, so that a cell quoted in one is not run.
        if CELL.match(fence["info"]):
            if end == len(lines):
                raise PreviewError(f"{name}: the cell at line {position + 1} is never closed.")
            chunks += _markdown(lines, start, position)
            chunks.append(_cell(lines[position + 1 : end], position + 2, fence["indent"], name))
            start = end + 1
        position = end + 1
    return chunks + _markdown(lines, start, len(lines))


def _closing_line(lines: list[str], position: int, ticks: str) -> int:
    closing = re.compile(rf"^\s*{re.escape(ticks[0])}{{{len(ticks)},}}\s*$")
    for number in range(position + 1, len(lines)):
        if closing.match(lines[number]):
            return number
    return len(lines)


def _markdown(lines: list[str], start: int, end: int) -> list[Chunk]:
    if start >= end:
        return []
    return [Chunk(text="\n".join(lines[start:end]), line=start + 1)]


def _cell(lines: list[str], line: int, indent: str, name: str) -> Chunk:
    lines = [text.removeprefix(indent) for text in lines]
    n_options = 0
    while n_options < len(lines) and OPTION.match(lines[n_options]):
        n_options += 1
    yaml_text = "\n".join(OPTION.sub(r"\1", text) for text in lines[:n_options])
    return Chunk(
        text="\n".join(lines[n_options:]),
        line=line + n_options,
        is_code=True,
        options=parse_yaml(yaml_text, f"{name}: the options of the cell at line {line - 1}"),
        indent=indent,
    )
