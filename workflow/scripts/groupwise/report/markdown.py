"""Markdown and LaTeX as Quarto and Pandoc read them."""

from __future__ import annotations

import base64
import csv
import io
import re
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # what renders a page needs `escape` alone
    import pandas as pd

MOST_DATA = 64_000
"""Largest CSV in bytes that is embedded in a page; of a larger one the page says the path."""

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
    """A user's sentence; code stays code, and `[@key]` stays a citation."""
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
    text_columns: int | Collection[int] = 1,
    data: pd.DataFrame | None = None,
    path: str = "",
) -> str:
    """A pipe table with a numbered caption; the first columns, or those named, are text.

    The others are numbers, which stand at the right. `label` is the reference without its prefix:
    `@tbl-label` finds the table. `data` are its source, from the file at `path`: see `data_link`.
    """
    text = range(text_columns) if isinstance(text_columns, int) else text_columns
    align = [":---" if j in text else "---:" for j in range(len(headers))]
    lines = [headers, align, *rows]
    body = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    return f"\n{body}\n\n: {caption} {{#tbl-{label}}}\n{data_link(data, path)}"


def figure(
    image: str,
    *,
    label: str,
    caption: str,
    alt: str,
    data: pd.DataFrame | None = None,
    path: str = "",
) -> str:
    """A numbered figure with alt text; `@fig-label` finds it. `data` and `path` as of a table."""
    alt = alt.strip().replace("\\", "").replace('"', "'").replace("\n", " ")
    picture = f'\n![{caption}]({image}){{#fig-{label} fig-alt="{alt}"}}\n'
    return picture + data_link(data, path)


def data_link(data: pd.DataFrame | None, path: str) -> str:
    """A link in the page that saves `data` as CSV, under the last name of `path`.

    More than `MOST_DATA` bytes are not put into the page: it says `path` then. Without `data`
    and without `path` there is nothing to say.
    """
    if data is None and not path:
        return ""
    content = b"" if data is None else _csv(data).encode()
    if not content or len(content) > MOST_DATA:
        return f"\n::: {{.data-link}}\nData: `{path}`\n:::\n"
    address = f"data:text/csv;charset=utf-8;base64,{base64.b64encode(content).decode()}"
    name = path.rpartition("/")[2]
    link = f'<p class="data-link">Data: <a download="{name}" href="{address}">{name}</a></p>'
    return f"\n```{{=html}}\n{link}\n```\n"


def _csv(data: pd.DataFrame) -> str:
    """What is missing is empty, and numbers have all their digits."""
    buffer = io.StringIO()
    table = csv.writer(buffer, lineterminator="\n")
    table.writerow(data.columns)
    table.writerows(data.astype(object).where(data.notna(), "").itertuples(index=False))
    return buffer.getvalue()


def callout(kind: str, title: str, body: str, *, folded: bool = False) -> str:
    """A Quarto callout: note, tip, important, warning or caution; folded, a click opens it."""
    title = re.sub(r'(?<!\\)"', r"\"", title)
    fold = ' collapse="true"' if folded else ""
    return f'\n::: {{.callout-{kind} title="{title}"{fold}}}\n{body}\n:::\n'


def tabset(tabs: Sequence[tuple[str, str]]) -> str:
    """Tabs with their titles; where there are no tabs, one after another."""
    body = "\n".join(f"\n#### {title}\n\n{content}\n" for title, content in tabs)
    return f"\n::: {{.panel-tabset}}\n{body}\n:::\n"


def answer(body: str) -> str:
    """The box at the top of a report."""
    return f"\n::: {{.answer}}\n{body}\n:::\n"


def methods_note(body: str) -> str:
    """A block in small type, for methodologists."""
    return f"\n::: {{.methods-note}}\n{body}\n:::\n"


def explained(label: str, meaning: str) -> str:
    """A label with its meaning as a tooltip; the page must also say it in a note or a table."""
    meaning = re.sub(r'(?<!\\)"', r"\"", " ".join(meaning.split()))
    return f'[{label}]{{.term title="{meaning}"}}'


def definitions(pairs: Sequence[tuple[str, str]]) -> str:
    """A list of terms, each with what it means."""
    return "\n" + "\n".join(f"{term}\n:   {meaning}\n" for term, meaning in pairs)


def equation(latex: str, label: str) -> str:
    return f"\n$$\n{latex}\n$$ {{#eq-{label}}}\n"


def bullets(items: Sequence[str]) -> str:
    return "\n" + "\n".join(f"- {item}" for item in items) + "\n"
