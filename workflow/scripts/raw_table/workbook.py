"""Excel workbooks: the values that are stored in them; no formula is computed."""

from __future__ import annotations

import contextlib
import datetime
import warnings
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd

from groupwise.data.errors import InputError, nearest
from raw_table.wanted import EMPTY, MISSING, Wanted

LARGEST = 2**32
"""Bytes of an unpacked workbook; one that claims more is refused."""
OLD = b"\xd0\xcf\x11\xe0"
Row = Sequence[Any]


def read_workbook(
    path: Path, wanted: Wanted, form: Mapping[str, Any]
) -> tuple[pd.DataFrame, list[str]]:
    """The table that starts with the first row of a sheet in which something stands."""
    sheet = _sheet(path, form.get("sheet"))
    with _opened(path) as book:
        rows = [row for row in _rows(book, sheet) if not _is_blank(row)]
    header, body = _header(rows[0] if rows else ()), rows[1:]
    columns = [i for i, name in enumerate(header) if name or not _is_blank(_column(body, i))]
    names = wanted.among([header[i] for i in columns])
    columns = [i for i in columns if header[i] in names]
    if not columns:
        raise InputError("file", *EMPTY)
    if any(value is None for i in columns for value in _column(body, i)):
        _check_formulas(path, sheet, columns)
    found = {i: _values(_column(body, i), label=header[i] in wanted.labels) for i in columns}
    frame = pd.DataFrame(found, index=pd.RangeIndex(len(body)))
    labels = pd.Index([header[i] for i in columns], dtype=object)
    return frame.set_axis(labels, axis="columns"), [f"Read as Excel, sheet '{sheet}'."]


@contextlib.contextmanager
def _opened(path: Path, *, formulas: bool = False) -> Iterator[openpyxl.Workbook]:
    """The workbook, read row by row, its cells as stored values or as formulas."""
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
        filled = [name for name in shown if not all(map(_is_blank, _rows(book, name)))]
    if named is not None:
        return str(named)
    if len(filled) > 1:
        problem = f"the workbook has {len(filled)} sheets in which something stands"
        raise InputError("file", problem, f"name one as `format: {{sheet: {filled[0]}}}`")
    if not filled:
        raise InputError("file", *EMPTY)
    return filled[0]


def _rows(book: openpyxl.Workbook, sheet: str, *, cells: bool = False) -> Iterator[Row]:
    found = book[sheet]
    found.reset_dimensions()  # what a file says of them may be wrong
    yield from found.iter_rows(values_only=not cells)


def _header(row: Row) -> list[str]:
    return ["" if name is None else str(name).strip() for name in row]


def _is_blank(row: Row) -> bool:
    return all(value is None for value in row)


def _column(rows: Sequence[Row], i: int) -> list[Any]:
    """The cells of a column; rows end with their last cell."""
    return [row[i] if i < len(row) else None for row in rows]


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


def _check_formulas(path: Path, sheet: str, columns: Sequence[int]) -> None:
    """A formula whose value was never computed is no missing value."""
    with _opened(path) as values, _opened(path, formulas=True) as formulas:
        pairs = zip(
            _rows(values, sheet, cells=True), _rows(formulas, sheet, cells=True), strict=True
        )
        for stored, written in pairs:
            for i in columns:
                if i < len(written) and written[i].data_type == "f" and _is_unknown(stored[i]):
                    problem = f"cell {written[i].coordinate} is a formula without a stored value"
                    fix = "open the workbook in a spreadsheet program and save it"
                    raise InputError("file", problem, fix)


def _is_unknown(cell: Any) -> bool:
    """Without a value; a formula whose value is an empty text has the type `str`."""
    return cell.value is None and cell.data_type != "str"
