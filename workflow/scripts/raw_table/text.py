"""Text with a column per field: what separates the fields, and the decimals."""

from __future__ import annotations

import contextlib
import csv
import gzip
import io
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import pandas as pd
import pyarrow as pa
from pyarrow import csv as arrow_csv

from groupwise.data.errors import InputError
from raw_table.columns import cleaned, from_text, has_decimal_commas
from raw_table.encoding import SAVE_AS_CSV, find_encoding, open_bytes
from raw_table.wanted import EMPTY, Wanted

DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars", " ": "spaces"}
SIGNS = {",": "a comma", ";": "a semicolon", "\t": "a tab", "|": "a bar", " ": "a space"}
BLOCK = 1 << 24  # bytes; a line that is longer is refused
SAMPLE = 1 << 18


@dataclass(frozen=True)
class Form:
    """How a file is written; `quoted` if there are quotes in it."""

    encoding: str
    delimiter: str
    header: Sequence[str]
    quoted: bool


def read_text(
    path: Path, wanted: Wanted, form: Mapping[str, Any]
) -> tuple[pd.DataFrame, list[str]]:
    try:
        encoding, quoted, characters = find_encoding(path, form.get("encoding"))
        delimiter, header = _delimiter(path, encoding, form.get("delimiter"))
        names = wanted.among(header)
        table = _table(path, Form(encoding, delimiter, header, quoted), names)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        problem = "the compressed file is damaged or cut off"
        raise InputError("file", problem, "compress it anew with gzip") from error
    columns = [cleaned(column.combine_chunks()) for column in table.columns]
    numbers = {
        name: column
        for name, column in zip(names, columns, strict=True)
        if name not in wanted.labels
    }
    decimal = _decimal(numbers, delimiter, form.get("decimal"))
    read = {
        i: (from_text(column, decimal) if name in numbers else column).to_pandas()
        for i, (name, column) in enumerate(zip(names, columns, strict=True))
    }
    frame = pd.DataFrame(read, index=pd.RangeIndex(table.num_rows))
    kind = DELIMITERS.get(delimiter, f"'{delimiter}'")
    sign = "commas" if decimal == "," else "points"
    notes = [f"Read as text: {kind} between columns, decimal {sign}, {characters}."]
    return frame.set_axis(pd.Index(names, dtype=object), axis="columns"), notes


# Fields -------------------------------------------------------------------------------------------


def _lines(path: Path, encoding: str) -> TextIO:
    """The file as text with its line ends, for Python's csv."""
    text = io.TextIOWrapper(open_bytes(path), encoding=encoding, newline="")
    if text.read(1) != "\ufeff":
        text.seek(0)
    return text


def _delimiter(path: Path, encoding: str, declared: str | None) -> tuple[str, list[str]]:
    """What separates the fields, and the header: as declared, or as most lines agree."""
    if declared is not None and (len(declared) != 1 or declared in '"\r\n'):
        fix = 'use one character, a tab as "\\t"'
        raise InputError("format.delimiter", f"'{declared}' separates no fields", fix)
    with _lines(path, encoding) as stream:
        sample = stream.read(SAMPLE)
    best, best_score = declared or ",", (0.0, 0)
    for delimiter in DELIMITERS if declared is None else ():
        widths = [len(fields) for fields in _rows(sample, delimiter)]
        if not widths or widths[0] < 2 or (delimiter == " " and best_score[1]):
            continue
        score = (sum(width == widths[0] for width in widths) / len(widths), widths[0])
        if score > best_score:
            best, best_score = delimiter, score
    header = [name.strip() for name in next(_rows(sample, best), [])]
    if not any(header):
        raise InputError("file", *EMPTY)
    return best, header


def _rows(sample: str, delimiter: str) -> Iterator[list[str]]:
    """Rows of the sample as far as they can be read; the last one may be cut off."""
    rows = filter(None, csv.reader(io.StringIO(sample, newline=""), delimiter=delimiter))
    whole = len(sample) < SAMPLE
    with contextlib.suppress(csv.Error, StopIteration):
        last = next(rows)
        for row in rows:
            yield last
            last = row
        if whole:
            yield last


def _table(path: Path, form: Form, names: Sequence[str]) -> pa.Table:
    """The columns of these names as text.

    Arrow is fast, and checks the number of fields; it is lax about quotes, and names no lines.
    """
    if form.quoted:
        _check_lines(path, form)
    columns = [str(i) for i in range(len(form.header))]
    kept = [str(i) for i, name in enumerate(form.header) if name in set(names)]
    try:
        with open_bytes(path) as stream:
            table = arrow_csv.read_csv(
                stream,
                arrow_csv.ReadOptions(
                    column_names=columns, block_size=BLOCK, encoding=form.encoding
                ),
                arrow_csv.ParseOptions(delimiter=form.delimiter, newlines_in_values=form.quoted),
                arrow_csv.ConvertOptions(
                    column_types=dict.fromkeys(columns, pa.large_string()), include_columns=kept
                ),
            )
    except pa.ArrowInvalid as error:
        _check_lines(path, form)
        raise InputError("file", f"the file cannot be read ({error})", SAVE_AS_CSV) from error
    return table.slice(1)  # without the header


def _check_lines(path: Path, form: Form) -> None:
    """Every line has the fields of the header, and every quote that is opened is closed."""
    with _lines(path, form.encoding) as stream:
        lines = csv.reader(stream, delimiter=form.delimiter, strict=True)
        try:
            for fields in filter(None, lines):
                if len(fields) != len(form.header):
                    n, k = len(fields), len(form.header)
                    problem = f"line {lines.line_num} has {n} fields, but the header has {k}"
                    sign = SIGNS.get(form.delimiter, f"'{form.delimiter}'")
                    fix = f"correct the line, and put a text that holds {sign} in quotes"
                    raise InputError("file", problem, fix)
        except csv.Error as error:
            problem = f"line {lines.line_num} cannot be read ({error})"
            raise InputError("file", problem, "look for a quote that is not closed") from error


# Numbers ------------------------------------------------------------------------------------------


def _decimal(columns: Mapping[str, pa.Array], delimiter: str, declared: str | None) -> str:
    """The decimal sign: as declared; a comma if numbers have one that separates no columns."""
    if declared is not None:
        if declared not in (".", ","):
            raise InputError("format.decimal", f"'{declared}' is no decimal sign", "use . or ,")
        return declared
    if delimiter == ",":
        return "."
    found = {name: has_decimal_commas(column) for name, column in columns.items()}
    unclear = [name for name, commas in found.items() if commas is None]
    if unclear and True not in found.values():
        problem = f"the commas in the numbers of column '{unclear[0]}' may be decimal or not"
        fix = 'write `format: {decimal: ","}`, or take them out if they separate thousands'
        raise InputError("file", problem, fix)
    return "," if True in found.values() else "."
