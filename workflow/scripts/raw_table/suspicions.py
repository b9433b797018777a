"""What a file's layout suggests but does not say: titles, totals, footnotes, merged cells.

Nothing is read differently because of it; sentences name the setting that would.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping, Sequence

import numpy as np

from groupwise.data.errors import sentence
from groupwise.data.remedies import is_number
from groupwise.data.values import in_yaml
from raw_table.grid import Numbered, Row, is_blank, is_empty
from raw_table.wanted import MISSING, Wanted

FIRST_ROWS = 60
"""So many rows say where a table starts."""
LAST_ROWS = 12
"""So many rows say where it ends."""
TITLES = 10
"""A header is looked for in so many rows."""
TOTALS = re.compile(
    r"(?i)(?:grand |overall |column )?(?:means?|averages?|avg|totals?|sums?|subtotals?|sd|std|st\.? ?dev"
    r"|std\.? dev|standard deviation|medians?|count|n|mittelwerte?|mittel|gesamt|summen?|durchschnitt"
    r"|standardabweichung|anzahl|moyennes?|totaux|somme|media|promedio|suma|gemiddelde|totaal"
    r"|medelv\u00e4rde|gjennomsnitt|gennemsnit)\b[\s.:=\d(),%-]*(?:n\s*=\s*\d+\)?)?"
)


# Headers ------------------------------------------------------------------------------------------


def guessed_header(rows: Sequence[Numbered]) -> tuple[int, ...]:
    """The rows in which the names seem to stand below a title; () where the first row has them.

    That is the first row of text with a name for every column, if the first row has few cells.
    """
    filled = [(number, row) for number, row in rows if not is_blank(row)][:FIRST_ROWS]
    width = max((_n_filled(row) for _, row in filled), default=0)
    if len(filled) < 3 or width < 2 or _n_filled(filled[0][1]) > max(1, width // 2):
        return ()
    for k, (number, row) in enumerate(filled[1:TITLES], start=1):
        if _n_filled(row) == width and _is_heading(row):
            below = filled[k + 1 :]
            return (number, *_lower_headers(below, width)) if below else ()
    return ()


def _lower_headers(rows: Sequence[Numbered], width: int) -> list[int]:
    """Rows below the names that go on with them, such as units: text where numbers follow."""
    numbers: list[int] = []
    for k, (number, row) in enumerate(rows[:2]):
        if _n_filled(row) < width and _is_heading(row) and _above_numbers(row, rows[k + 1 :]):
            numbers.append(number)
        else:
            break
    return numbers


def header_sentence(header: Sequence[int]) -> tuple[str, str]:
    """Problem and fix for a title above the names."""
    value = str(header[0]) if len(header) == 1 else str(list(header))
    problem = "the first row looks like a title, and the names of the columns seem to stand in "
    problem += f"row {header[0]}" if len(header) == 1 else f"rows {_listed(header)}"
    return problem, f"write `format: {{header: {value}}}`"


def hides_names(names: Sequence[str], wanted: Wanted) -> bool:
    """Whether a title stands where the names should be: the columns that are wanted have none."""
    few = sum(map(bool, names)) < 2 or names.count("") > 1
    return wanted.missing_from(names) or (wanted.used is None and few)


def title_sentence(header: Sequence[int]) -> str:
    """The same as a sentence of its own."""
    text = sentence(*header_sentence(header))
    return text[0].upper() + text[1:]


def second_header(names: Sequence[str], rows: Sequence[Numbered], header: int) -> list[str]:
    """A sentence if the rows after the header are text where numbers follow, in several columns."""
    there = [(number, row) for number, row in rows if not is_blank(row)]
    if survey := _survey_rows(there):
        return [
            f"Rows {_listed(survey)} are no data: they hold the questions and ids that a survey tool "
            f"writes below the names; leave them out by `format: {{skip: {survey}}}`."
        ]
    odd: list[int] = []
    for k, (number, row) in enumerate(there[:3]):
        columns = _above_numbers(row, there[k + 1 :]) if _is_heading(row) else []
        if len(columns) < 2:
            break
        odd.append(number)
    if not odd:
        return []
    i = _above_numbers(there[0][1], there[len(odd) :])[0]
    where = f"Row {odd[0]} looks" if len(odd) == 1 else f"Rows {_listed(odd)} look"
    text, name = str(there[0][1][i]).strip(), names[i] if i < len(names) else ""
    return [
        f"{where} like a further header: column '{name}' has '{_short(text)}' there, and numbers "
        f"below; leave it out by `format: {{skip: {odd}}}`, or make it part of the names by "
        f"`format: {{header: {[header, *odd]}}}`."
    ]


def _survey_rows(rows: Sequence[Numbered]) -> list[int]:
    """Rows down to the one in which a survey tool writes its ids of the questions."""
    for k, (_, row) in enumerate(rows[:3]):
        ids = [str(cell).lstrip().startswith('{"ImportId"') for cell in row if not is_empty(cell)]
        if ids and sum(ids) > len(ids) / 2 and k > 0:
            return [number for number, _ in rows[: k + 1]]
    return []


def _above_numbers(row: Row, below: Sequence[Numbered]) -> list[int]:
    """Columns that have text in this row and numbers in nearly all rows below."""
    places = []
    for i, cell in enumerate(row):
        cells = [each[i] for _, each in below if i < len(each) and not _is_missing(each[i])]
        numbers = sum(map(_is_numeric, cells))
        if not is_empty(cell) and len(cells) >= 3 and numbers >= 0.8 * len(cells):
            places.append(i)
    return places


# Ends ---------------------------------------------------------------------------------------------


def tail(rows: Sequence[Numbered]) -> list[Numbered]:
    """The last rows of a table that seem to be no data: totals and footnotes, in a row."""
    filled = [(number, row) for number, row in rows if not is_blank(row)]
    width = max((len([c for c in row if not is_empty(c)]) for _, row in filled), default=0)
    width = max(width, _columns_filled(row for _, row in filled[:-LAST_ROWS] or filled))
    headers: list[Numbered] = []
    for number, row in reversed(filled[-LAST_ROWS:]):
        if width < 3 or not (_is_footnote(row) or _is_total(row, width)):
            break
        headers.insert(0, (number, row))
    return headers if len(headers) < len(filled) - 1 else []


def tail_sentences(rows: Sequence[Numbered], skipped: int = 0) -> list[str]:
    """A sentence for the last rows if they seem to be no data, besides those left out already."""
    odd = tail(rows)
    if not odd:
        return []
    first = next(str(cell).strip() for cell in odd[0][1] if not is_empty(cell))
    what = "The last row looks" if len(odd) == 1 else f"The last {len(odd)} rows look"
    return [
        f"{what} like totals or remarks, not data ('{_short(first)}'); leave "
        f"{'it' if len(odd) == 1 else 'them'} out by `format: {{skip_last: {skipped + len(odd)}}}`."
    ]


def _is_footnote(row: Row) -> bool:
    """Only the first cell is filled, with a text."""
    return not is_empty(row[0]) and _n_filled(row) == 1 and not _is_numeric(row[0])


def _is_total(row: Row, width: int) -> bool:
    labels = [cell for cell in row if isinstance(cell, str) and TOTALS.fullmatch(cell.strip())]
    return bool(labels) and _n_filled(row) < width


# Blocks -------------------------------------------------------------------------------------------


def block_sentences(filled: Mapping[str, np.ndarray]) -> list[str]:
    """A sentence if columns are filled at the start of each block of rows only.

    Parameters
    ----------
    filled
        Of each column of labels, which rows (n,) have a value.
    """
    starts = {name: np.flatnonzero(there) for name, there in filled.items()}
    n = max((len(there) for there in filled.values()), default=0)
    block_columns = {name for name, at in starts.items() if _are_blocks(at, n)}
    inside = {row for name in block_columns for row in starts[name].tolist()}
    # A column of larger blocks may have two of them only: they start where smaller ones do.
    block_columns |= {
        name
        for name, at in starts.items()
        if block_columns and 2 <= len(at) < n / 2 and at[0] == 0 and inside >= set(at.tolist())
    }
    if not block_columns:
        return []
    listed = ", ".join(in_yaml(name) for name in starts if name in block_columns)
    several = "Columns" if len(block_columns) > 1 else "Column"
    names = ", ".join(f"'{name}'" for name in starts if name in block_columns)
    verb = "are" if len(block_columns) > 1 else "is"
    return [
        f"{several} {names} {verb} filled only at the start of each block of rows, as merged cells "
        f"are; fill the rows below by `format: {{fill_down: [{listed}]}}`."
    ]


def _are_blocks(at: np.ndarray, n: int) -> bool:
    """Whether every filled row is followed by a run of empty ones, all of similar length."""
    if len(at) < 3 or at[0] != 0:
        return False
    sizes = np.diff(np.append(at, n))
    return bool(sizes[:-1].min() >= 2 and sizes.max() <= 4 * np.median(sizes))


# Cells --------------------------------------------------------------------------------------------


def _n_filled(row: Row) -> int:
    return sum(not is_empty(cell) for cell in row)


def _columns_filled(rows: object) -> int:
    return len({i for row in rows for i, cell in enumerate(row) if not is_empty(cell)})  # type: ignore[attr-defined]


def _is_missing(cell: object) -> bool:
    return is_empty(cell) or str(cell).strip() in MISSING


def _is_numeric(cell: object) -> bool:
    if isinstance(cell, bool | int | float | datetime.date | datetime.time):
        return True
    return is_number(str(cell).strip())


def _is_heading(row: Row) -> bool:
    """Whether all that stands in a row is text that no cell of data is likely to be."""
    cells = [cell for cell in row if not is_empty(cell)]
    return all(isinstance(cell, str) and not _is_numeric(cell) for cell in cells)


def _listed(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers[:-1])) + f" and {numbers[-1]}"


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 40 else f"{line[:37]}..."
