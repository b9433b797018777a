"""Excel workbooks: the values that are stored in them; no formula is computed."""

from __future__ import annotations

import contextlib
import datetime
import warnings
import zipfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa

from groupwise.data.codes import check_codes, drop_codes
from groupwise.data.errors import InputError, nearest
from groupwise.data.names import plain_name
from raw_table import spelling, suspicions
from raw_table.columns import from_text, has_decimal_commas
from raw_table.form import filled_down, named_columns
from raw_table.grid import (
    Layout,
    Numbered,
    Row,
    column,
    fill_down,
    is_blank,
    is_empty,
    lay_out,
    names_of,
)
from raw_table.wanted import EMPTY, MISSING, SHOWN, Found, Wanted, renamed

if TYPE_CHECKING:
    import openpyxl

LARGEST = 2**32
"""Bytes of an unpacked workbook; one that claims more is refused."""
OLD = b"\xd0\xcf\x11\xe0"


def read_workbook(path: Path, wanted: Wanted, form: Mapping[str, Any]) -> Found:
    """The table that starts with the first row of a sheet in which something stands."""
    layout, decimal = Layout.of(form), spelling.decimal_of(form)
    sheet = _sheet(path, form.get("sheet"))
    with _opened(path) as book:
        rows = [each for each in enumerate(_rows(book, sheet), start=1) if not is_blank(each[1])]
    heads, body = lay_out(rows, layout)
    written = names_of(heads)
    names = list(map(plain_name, written))
    odd = _suspicions(rows, names, body, wanted, layout)
    columns = _columns(names, body, wanted)
    named_columns(form, names)
    if any(is_empty(cell) for cells in columns.values() for cell in cells):
        _check_formulas(path, sheet, columns, body, layout)
    odd += suspicions.block_sentences(_filled(names, columns, body, wanted, form))
    if wanted.missing_from(names):  # a check further on says which column, first of all
        wanted, form = Wanted(), {}
    frame = _frame(names, columns, wanted, form, decimal)
    notes = [f"Read as Excel, sheet '{sheet}'.", *renamed(written, names)]
    return Found(frame, notes + ([] if layout.is_plain else [layout.note()]), odd)


def _suspicions(
    rows: Sequence[Numbered],
    names: Sequence[str],
    body: Sequence[Numbered],
    wanted: Wanted,
    layout: Layout,
) -> list[str]:
    """What the rows suggest; an InputError if without it the table cannot be read as is wanted."""
    title = () if layout.header else suspicions.guessed_header(rows[:SHOWN])
    if title and suspicions.hides_names(names, wanted):
        raise InputError("file", *suspicions.header_sentence(title))
    odd = [suspicions.title_sentence(title)] if title else []
    if not title:
        first = (
            max(layout.header)
            if layout.header
            else next(n for n, _ in rows if n not in layout.skip)
        )
        odd += suspicions.second_header(names, body[:SHOWN], first)
    return odd + suspicions.tail_sentences(body[-SHOWN:], layout.skip_last)


def _columns(
    names: Sequence[str], body: Sequence[Numbered], wanted: Wanted
) -> dict[int, list[Any]]:
    """The cells of the wanted columns by their places; one without a name if something stands in it."""
    every = wanted.used is None or wanted.missing_from(names)
    kept = set(wanted.among([name for name in names if name]))
    columns = {
        i: column(body, i) for i, name in enumerate(names) if (name in kept if name else every)
    }
    columns = {
        i: cells for i, cells in columns.items() if names[i] or not all(map(is_empty, cells))
    }
    nameless = [i + 1 for i in columns if not names[i]]
    if len(nameless) > 1:
        problem = f"the columns {', '.join(map(str, nameless))} have no name"
        raise InputError("file", problem, "name them in the header")
    if not columns:
        raise InputError("file", *EMPTY)
    return columns


def _frame(
    names: Sequence[str],
    columns: Mapping[int, Sequence[Any]],
    wanted: Wanted,
    form: Mapping[str, Any],
    decimal: str | None,
) -> pd.DataFrame:
    """The cells as they are stored, but for codes, units and the spelling of numbers in text."""
    down = filled_down(form)
    filled = {i: fill_down(cells) if names[i] in down else cells for i, cells in columns.items()}
    columns_of_values = {
        i: _values(cells, label=names[i] in wanted.labels) for i, cells in filled.items()
    }
    frame = pd.DataFrame(columns_of_values, index=pd.RangeIndex(len(next(iter(columns.values())))))
    frame = frame.set_axis(pd.Index([names[i] for i in columns], dtype=object), axis="columns")
    frame, met = drop_codes(frame, wanted.codes)
    if {"units", "thousands", "decimal"} & form.keys():
        for name in frame:
            frame[name] = _spelled(frame[name], wanted, form, decimal)
        frame, later = drop_codes(frame, wanted.codes)
        met |= later
    check_codes(frame, wanted.codes, met, names)
    return frame


def _spelled(
    values: pd.Series, wanted: Wanted, form: Mapping[str, Any], decimal: str | None
) -> pd.Series:
    """A column with its cells of text as numbers, if they all are."""
    name = str(values.name)
    are_text = values.map(lambda value: isinstance(value, str)).astype(bool)
    if not are_text.any():
        return values
    text = spelling.without_unit(pa.array(values[are_text], pa.large_string()), name, form)
    if name not in wanted.labels:
        if sign := form.get("thousands"):
            in_use = wanted.used is not None
            text = spelling.without_thousands(text, name, sign, strict=in_use)
        text = from_text(text, decimal or ("," if has_decimal_commas(text) else "."))
    new = values.astype(object)
    new[are_text] = text.to_pylist()
    return new.infer_objects()


def _filled(
    names: Sequence[str],
    columns: Mapping[int, Sequence[Any]],
    body: Sequence[Numbered],
    wanted: Wanted,
    form: Mapping[str, Any],
) -> dict[str, np.ndarray]:
    """Of the columns that may be labels, which rows have a value, but for rows that are no data."""
    done, end = filled_down(form), len(body) - len(suspicions.tail(body[-SHOWN:]))
    return {
        names[i]: np.array([not is_empty(cell) for cell in cells[:end]], dtype=bool)
        for i, cells in columns.items()
        if names[i] not in done and wanted.may_be_labels(names[i], _values(cells, label=False))
    }


@contextlib.contextmanager
def _opened(path: Path, *, formulas: bool = False) -> Iterator[openpyxl.Workbook]:
    """The workbook, read row by row, its cells as stored values or as formulas."""
    import openpyxl  # slow to load, and needed for workbooks alone

    problem, fix = "the file is not an Excel workbook, or it is damaged", "save it anew as .xlsx"
    with path.open("rb") as stream, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # on styles and validation, which nobody asks for
        if stream.read(4) == OLD:
            problem = "the file is an old Excel workbook, or one with a password"
        try:
            with zipfile.ZipFile(stream) as parts:
                size = sum(part.file_size for part in parts.infolist())
            if size > LARGEST:
                problem, fix = f"the workbook unpacks to {size >> 30} GB", "save it as CSV"
                raise ValueError(size)
            book = openpyxl.load_workbook(stream, read_only=True, data_only=not formulas)
            yield book
            book.close()
        except InputError:
            raise
        except Exception as error:  # a damaged workbook raises all sorts of them
            raise InputError("file", problem, fix) from error


def _sheet(path: Path, named: object) -> str:
    """The sheet that is named, or the only visible one in which something stands."""
    with _opened(path) as book:
        names = [each.title for each in book.worksheets]
        if named is not None and str(named) not in names:
            problem = f"the workbook has no sheet '{named}'"
            raise InputError("format.sheet", problem, nearest(str(named), names))
        shown = [each.title for each in book.worksheets if each.sheet_state == "visible"]
        filled = [name for name in shown if not all(map(is_blank, _rows(book, name)))]
    if named is not None:
        return str(named)
    if len(filled) > 1:
        problem = f"the workbook has {len(filled)} sheets in which something stands"
        raise InputError("file", problem, f"name one as `format: {{sheet: {filled[0]}}}`")
    if not filled:
        raise InputError("file", *EMPTY)
    return filled[0]


def _rows(book: openpyxl.Workbook, sheet: str, *, cells: bool = False) -> Iterator[Row]:
    worksheet = book[sheet]
    worksheet.reset_dimensions()  # what a file says of them may be wrong
    yield from worksheet.iter_rows(values_only=not cells)


def _values(cells: Sequence[Any], *, label: bool) -> pd.Series:
    """Cells as they are stored: text without spaces around it, dates as text."""
    values = [_value(cell, label=label) for cell in cells]
    if all(value is None for value in values):
        return pd.Series(values, dtype=object if label else float)
    return pd.Series(values, dtype=object).infer_objects()


def _value(cell: Any, *, label: bool) -> Any:
    if isinstance(cell, str):
        text = cell.strip()
        return None if text in MISSING else text
    if isinstance(cell, datetime.datetime) and cell.time() == datetime.time():
        cell = cell.date()
    if isinstance(cell, datetime.date | datetime.time | datetime.timedelta):
        return str(cell)
    if label and cell is not None:
        return str(int(cell) if isinstance(cell, float) and cell.is_integer() else cell)
    return cell


def _check_formulas(
    path: Path, sheet: str, columns: Collection[int], body: Sequence[Numbered], layout: Layout
) -> None:
    """A formula whose value was never computed is no missing value."""
    numbers, last = {number for number, _ in body}, suspicions.tail(body[-SHOWN:])
    with _opened(path) as values, _opened(path, formulas=True) as formulas:
        pairs = zip(
            _rows(values, sheet, cells=True), _rows(formulas, sheet, cells=True), strict=True
        )
        for number, (stored, written) in enumerate(pairs, start=1):
            for i in columns if number in numbers else ():
                if i < len(written) and written[i].data_type == "f" and _is_unknown(stored[i]):
                    problem = f"cell {written[i].coordinate} is a formula without a stored value"
                    fix = "open the workbook in a spreadsheet program and save it"
                    if number in [row for row, _ in last]:
                        n = layout.skip_last + len(last)
                        fix = (
                            f"if the last {n} rows are no data, write `format: {{skip_last: {n}}}`"
                        )
                    raise InputError("file", problem, fix)


def _is_unknown(cell: Any) -> bool:
    """Without a value; a formula whose value is an empty text has the type `str`."""
    return cell.value is None and cell.data_type != "str"
