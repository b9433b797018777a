"""The words of the field in what the package writes: docs/writing.md has them."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "workflow" / "scripts" / "groupwise"
WRITES = ("report", "verdict", "figures", "catalogue", "diagnostics", "planning")
FILES = sorted(path for part in WRITES for path in (PACKAGE / part).rglob("*.py"))
MANNERED = re.compile(
    r"holds? (?:its|their) level|careful side|about as many|true null|promise|wrong rejections|"
    r"would not do it|tell as much",
    re.IGNORECASE,
)


def texts(path: Path) -> list[str]:
    """All strings of a module but its docstrings, those of one expression in one piece."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    docs = {ast.get_docstring(node, clean=False) for node in ast.walk(tree) if _has_docstring(node)}
    constants = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    return [text for text in constants if isinstance(text, str) and text not in docs]


def _has_docstring(node: ast.AST) -> bool:
    return isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_sentence_is_mannered(path: Path) -> None:
    assert [text for text in texts(path) if MANNERED.search(text)] == []


def test_mannered_sentences_are_found(tmp_path: Path) -> None:
    file = tmp_path / "x.py"
    file.write_text('"""It holds its level."""\nX = f"It {1} errs on the careful side"\n', "utf-8")
    assert [bool(MANNERED.search(text)) for text in texts(file)].count(True) == 1


def test_the_words_are_explained() -> None:
    page = (ROOT / "docs" / "writing.md").read_text(encoding="utf-8")
    for word in ("type I error rate", "nominal level", "power", "coverage", "conservative"):
        assert f"| {word} |" in page
