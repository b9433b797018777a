"""Markdown and LaTeX as Quarto and Pandoc read them."""

from __future__ import annotations

import re
from collections.abc import Sequence

CITATION = re.compile(r"(\[@[A-Za-z][\w:-]*\])")


def escape(text: str) -> str:
    """A user's words, shown as they are: nothing in them is Markdown."""
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", text)


def escape_note(text: str) -> str:
    """A user's sentence; code between backticks stays code."""
    parts = text.split("`")
    if len(parts) % 2 == 0:
        return escape(text)
    return "`".join(part if j % 2 else escape(part) for j, part in enumerate(parts))


def escape_cited_note(text: str) -> str:
    """The same, and `[@key]` stays a citation."""
    parts = CITATION.split(text)
    return "".join(part if j % 2 else escape_note(part) for j, part in enumerate(parts))


def escape_latex(text: str) -> str:
    """A user's words inside a formula's text."""
    text = text.replace("\\", " ").replace("~", " ").replace("^", " ")
    return re.sub(r"([_%&#${}])", r"\\\1", text)


def table(
    headers: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    label: str,
    caption: str,
    text_columns: int = 1,
) -> str:
    """A pipe table with a numbered caption; the first columns are text, the rest numbers.

    `label` is the reference without its prefix: `@tbl-label` finds the table.
    """
    align = [":---" if j < text_columns else "---:" for j in range(len(headers))]
    lines = [headers, align, *rows]
    body = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    return f"\n{body}\n\n: {caption} {{#tbl-{label}}}\n"


def figure(path: str, *, label: str, caption: str, alt: str) -> str:
    """A numbered figure with alt text; `@fig-label` finds it."""
    alt = alt.strip().replace("\\", "").replace('"', "'").replace("\n", " ")
    return f'\n![{caption}]({path}){{#fig-{label} fig-alt="{alt}"}}\n'


def callout(kind: str, title: str, body: str) -> str:
    """A Quarto callout: note, tip, important, warning or caution."""
    return f'\n::: {{.callout-{kind} title="{title}"}}\n{body}\n:::\n'


def equation(latex: str, label: str) -> str:
    return f"\n$$\n{latex}\n$$ {{#eq-{label}}}\n"


def bullets(items: Sequence[str]) -> str:
    return "\n" + "\n".join(f"- {item}" for item in items) + "\n"
