"""Inline expressions in Markdown, `` `{python} expr` ``, as Quarto 1.7 evaluates them."""

import re
from collections.abc import Callable, Iterator
from typing import Any

from preview.source import FENCE

EXPRESSION = re.compile(r"(^|[^`])`\{python\}[ \t]([^`]+)`")
# The characters Quarto escapes; "+-." is a range there, hence the comma.
MARKUP = re.compile(r"([\\`*_{}\[\]()>#+,\-.!])")


def expressions(markdown: str) -> list[tuple[int, str]]:
    """Inline expressions outside code blocks, as (line from 0, code)."""
    return [
        (number, match[2].strip())
        for number, line in _prose(markdown)
        for match in EXPRESSION.finditer(line)
    ]


def substitute(markdown: str, value_of: Callable[[int, str], str]) -> str:
    """Replace every inline expression by its value in Markdown.

    An empty value leaves the expression as it stands, which is what Quarto does.
    """
    lines = markdown.split("\n")
    for number, line in _prose(markdown):

        def replace(match: re.Match[str], number: int = number) -> str:
            value = value_of(number, match[2].strip())
            return f"{match[1]}{value}" if value else match[0]

        lines[number] = EXPRESSION.sub(replace, line)
    return "\n".join(lines)


def as_markdown(data: dict[str, Any]) -> str:
    """Markdown of a displayed object: HTML and Markdown raw, else its plain repr."""
    if "text/html" in data:
        return f"`{data['text/html']}`{{=html}}"
    if "text/markdown" in data:
        return str(data["text/markdown"])
    return escape(str(data.get("text/plain", "")))


def escape(plain: str) -> str:
    """Drop the quotes of a string's repr and escape its markup; other reprs pass as they are."""
    if not (plain[:1] in ("'", '"') and plain[-1:] == plain[:1]):
        return plain
    return MARKUP.sub(r"\\\1", plain[1:-1].replace("\\", "\\\\"))


def _prose(markdown: str) -> Iterator[tuple[int, str]]:
    closing = None
    for number, line in enumerate(markdown.split("\n")):
        fence = FENCE.match(line)
        if closing is not None:
            if fence and fence["ticks"].startswith(closing) and not fence["info"].strip():
                closing = None
        elif fence:
            closing = fence["ticks"]
        else:
            yield number, line
