"""How pages are read and rendered by the tests of all of them."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from preview.source import Chunk, read_qmd

REPORTS = Path(__file__).parents[2] / "reports"
REFERENCE = re.compile(r"(?<![\w\\])@((?:fig|tbl|eq|sec|lst)-[\w-]+)")
LABEL = re.compile(r"\{#((?:fig|tbl|eq|sec|lst)-[^\s}]+)")
SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><rect width="9" height="9"/></svg>'
LOADS = re.compile(
    r"<(?:script|link|img|iframe|source)\b[^>]*\b(?:src|href)\s*=\s*[\"']?(?:https?:)?//[^>]*"
    r"|url\(\s*[\"']?(?:https?:)?//[^)]*|@import\s[^;]*",
)


HIDDEN = re.compile(r"<(script|style)\b[^>]*>.*?</\1\s*>|<!--.*?-->", re.DOTALL | re.IGNORECASE)


def visible(html: str) -> str:
    """What a reader can see of a page: scripts, which Quarto embeds, and style sheets apart."""
    return HIDDEN.sub(" ", html)


@cache
def source(name: str) -> tuple[dict[str, object], list[Chunk]]:
    return read_qmd(REPORTS / name)


def prose(markdown: str) -> str:
    """Without code, formulas and the values of attributes."""
    markdown = re.sub(r"\\.", "  ", markdown)
    return re.sub(r"\$\$.*?\$\$|`[^`\n]*`|\$[^$\n]+\$|\"[^\"\n]*\"", " ", markdown, flags=re.DOTALL)


def bibliography() -> dict[str, tuple[str, str]]:
    """Key: (type, the rest of the entry)."""
    text = (REPORTS / "references.bib").read_text(encoding="utf-8")
    entries = re.split(r"^@", text, flags=re.MULTILINE)[1:]
    found = [re.match(r"(\w+)\{([\w:-]+),(.*)", entry, re.DOTALL) for entry in entries]
    return {match[2]: (match[1].lower(), match[3]) for match in found if match}
