"""Rows of cells, as a sheet shows them: which hold the names of columns, and which are data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from groupwise.data.errors import InputError
from raw_table.wanted import EMPTY

Row = Sequence[Any]
Numbered = tuple[int, Row]
"""A row and its number: the first row of a file is 1, and rows without anything count."""


@dataclass(frozen=True)
class Layout:
    """Rows that hold names, rows to leave out, and how many to leave out at the end."""

    header: tuple[int, ...] = ()
    skip: frozenset[int] = frozenset()
    skip_last: int = 0

    @classmethod
    def of(cls, form: Mapping[str, Any]) -> Layout:
        header = form.get("header", ())
        rows = tuple(sorted({header} if isinstance(header, int) else set(header)))
        layout = cls(rows, frozenset(form.get("skip", ())), form.get("skip_last", 0))
        if both := layout.skip & set(rows):
            problem = f"row {min(both)} is one of the header"
            raise InputError("format.skip", problem, "take it out of one of them")
        return layout

    @property
    def is_plain(self) -> bool:
        return self == Layout()

    def note(self) -> str:
        """What of the file is not data, as a sentence."""
        parts = []
        if self.header:
            several = "s" if len(self.header) > 1 else ""
            parts.append(f"names in row{several} {', '.join(map(str, self.header))}")
        if self.skip:
            parts.append(f"without row{'s' if len(self.skip) > 1 else ''} {_listed(self.skip)}")
        if self.skip_last:
            rows = "row" if self.skip_last == 1 else f"{self.skip_last} rows"
            parts.append(f"without the last {rows}")
        return f"Read as told: {'; '.join(parts)}."


def lay_out(rows: Iterable[Numbered], layout: Layout) -> tuple[list[Row], list[Numbered]]:
    """The rows of the header, and the rows of data; those without anything are neither."""
    there = list(rows)
    last = there[-1][0] if there else 0
    for key, numbers in (("header", layout.header), ("skip", layout.skip)):
        for number in numbers:
            if number > last:
                problem, fix = f"the file has no row {number}", f"its last row is row {last}"
                raise InputError(f"format.{key}", problem, fix)
    filled = [(number, row) for number, row in there if not is_blank(row)]
    filled = [(number, row) for number, row in filled if number not in layout.skip]
    header = layout.header or (filled[0][0] if filled else 0,)
    heads = [row for number, row in filled if number in header]
    if not filled or (layout.header and not heads):
        raise (
            InputError("file", *EMPTY)
            if not filled
            else InputError(
                "format.header",
                f"nothing stands in row {header[0]}",
                f"write the number of the row with the names, such as {_after(header[0], filled)}",
            )
        )
    body = [(number, row) for number, row in filled if number > header[-1]]
    if layout.skip_last and layout.skip_last >= len(body):
        problem = f"there are {len(body)} rows of data, and {layout.skip_last} of them to leave out"
        raise InputError("format.skip_last", problem, "write a smaller number")
    return heads, body[: len(body) - layout.skip_last]


def _after(number: int, filled: Sequence[Numbered]) -> int:
    """The first row below in which something stands, or else the first of all."""
    return next((each for each, _ in filled if each > number), filled[0][0])


def names_of(heads: Sequence[Row]) -> list[str]:
    """The name of each column: what stands in it in all rows of the header, with a space between.

    A heading of several columns stands in the first of them, and is meant for the empty ones to its
    right that have a name of their own below.
    """
    width = max(map(len, heads), default=0)
    texts = [[*map(_text, row), *[""] * (width - len(row))] for row in heads]
    for above, lower in zip(texts, range(1, len(texts) + 1), strict=True):
        has_name = [any(row[i] for row in texts[lower:]) for i in range(width)]
        for i in range(1, width):
            if not above[i] and has_name[i] and has_name[i - 1]:
                above[i] = above[i - 1]
    return [" ".join(filter(None, column)) for column in zip(*texts, strict=True)]


def fill_down(cells: Iterable[Any]) -> list[Any]:
    """Cells with the one above in place of an empty one."""
    filled, last = [], None
    for cell in cells:
        last = last if is_empty(cell) else cell
        filled.append(last)
    return filled


def is_empty(cell: Any) -> bool:
    return cell is None or (isinstance(cell, str) and not cell.strip())


def is_blank(row: Row) -> bool:
    return all(map(is_empty, row))


def column(rows: Sequence[Numbered], i: int) -> list[Any]:
    """The cells of a column; rows may end with their last cell."""
    return [row[i] if i < len(row) else None for _, row in rows]


def _text(cell: Any) -> str:
    return "" if cell is None else str(cell).strip()


def _listed(numbers: Iterable[int]) -> str:
    return ", ".join(map(str, sorted(numbers)))
