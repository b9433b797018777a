"""Text with a column per field: what separates the fields, and the decimals."""

from __future__ import annotations

import contextlib
import csv
import gzip
import io
import zlib
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow_csv

from groupwise.data.codes import ColumnCodes as Codes
from groupwise.data.codes import check_codes, drop_codes
from groupwise.data.errors import InputError
from groupwise.data.names import plain_name
from raw_table import spelling, suspicions
from raw_table.columns import cleaned, from_text, has_decimal_commas
from raw_table.encoding import SAVE_AS_CSV, find_encoding, open_bytes
from raw_table.form import filled_down, named_columns
from raw_table.grid import Layout, Numbered, column, is_blank, lay_out, names_of
from raw_table.wanted import EMPTY, SHOWN, Found, Wanted, renamed

DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars", " ": "spaces"}
SIGNS = {",": "a comma", ";": "a semicolon", "\t": "a tab", "|": "a bar", " ": "a space"}
BLOCK = 1 << 24  # bytes; a line that is longer is refused
SAMPLE = 1 << 18


@dataclass(frozen=True)
class Form:
    """How a file is written; `quoted` if there are quotes in it."""

    encoding: str
    delimiter: str
    quoted: bool


@dataclass(frozen=True)
class Fields:
    """The columns that are wanted, as text, and all names that the file has."""

    names: list[str]
    columns: list[pa.Array]
    header: list[str]
    notes: list[str] = field(default_factory=list)
    suspicions: list[str] = field(default_factory=list)


def read_text(path: Path, wanted: Wanted, form: Mapping[str, Any]) -> Found:
    """The table below the header, which is the first row unless `format` names another."""
    layout, declared = Layout.of(form), spelling.decimal_of(form)
    try:
        encoding, quoted, characters = find_encoding(path, form.get("encoding"))
        delimiter, sample = _delimiter(path, encoding, form.get("delimiter"), layout)
        how = Form(encoding, delimiter, quoted)
        fields = _fields(path, wanted, how, sample, layout)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        problem = "the compressed file is damaged or cut off"
        raise InputError("file", problem, "compress it anew with gzip") from error
    named_columns(form, fields.header)
    if wanted.missing_from(fields.header):  # a check further on says which column, first of all
        wanted, form = Wanted(), {}
    columns, met = _values(fields, wanted, form)
    numbers = [name not in wanted.labels for name in fields.names]
    decimal = declared or _decimal(fields.names, columns, numbers, delimiter)
    frame = _frame(fields.names, columns, numbers, decimal)
    frame, later = drop_codes(frame, wanted.codes)
    check_codes(frame, wanted.codes, met | later, fields.header)
    kind = DELIMITERS.get(delimiter, f"'{delimiter}'")
    sign = "commas" if decimal == "," else "points"
    notes = [f"Read as text: {kind} between columns, decimal {sign}, {characters}."]
    blocks = suspicions.block_sentences(_filled(fields, frame, wanted, form))
    return Found(frame, notes + fields.notes, fields.suspicions + blocks)


def _fields(
    path: Path, wanted: Wanted, how: Form, sample: Sequence[Numbered], layout: Layout
) -> Fields:
    """The columns in use as text; by Arrow where the whole file is a header and its rows."""
    if not layout.is_plain:
        return _laid_out(path, wanted, how, layout)
    title = _title(path, how, sample, sure=_agreement(sample, ())[1] > 1)
    written = [name.strip() for name in sample[0][1]] if sample else []
    if not any(written):
        raise InputError("file", *EMPTY)
    header = [plain_name(name) for name in written]
    if title and suspicions.hides_names(header, wanted):
        raise InputError("file", *suspicions.header_sentence(title))
    try:
        fields = _plain(path, wanted, how, header)
    except InputError as error:
        title = title or _title(path, how, sample, sure=False)
        if not title:
            raise
        raise InputError("file", *suspicions.header_sentence(title)) from error
    first, below = sample[0][0], sample[1:]
    odd = suspicions.second_header(header, below, first)
    if title:
        odd = [suspicions.title_sentence(title)]
    return replace(
        fields,
        notes=renamed(written, header),
        suspicions=odd + suspicions.tail_sentences(_last_rows(fields.columns)),
    )


def _plain(path: Path, wanted: Wanted, how: Form, header: Sequence[str]) -> Fields:
    """The wanted columns of a file whose first row is its header."""
    names = set(wanted.among([name for name in header if name]))
    every = wanted.used is None or wanted.missing_from(header)
    kept = [i for i, name in enumerate(header) if (name in names if name else every)]
    table = _table(path, how, len(header), kept)
    columns = dict(zip(kept, [each.combine_chunks() for each in table.columns], strict=True))
    return _named(header, columns)


def _laid_out(path: Path, wanted: Wanted, how: Form, layout: Layout) -> Fields:
    """The same for a file whose header, or whose rows of data, are named in `format`."""
    heads, body = lay_out(_every_row(path, how), layout)
    written = names_of(heads)
    header = list(map(plain_name, written))
    if not any(header):
        raise InputError("file", *EMPTY)
    _check_widths(body, len(header), how)
    names = set(wanted.among([name for name in header if name]))
    every = wanted.used is None or wanted.missing_from(header)
    columns = {
        i: pa.array(column(body, i), pa.large_string())
        for i, name in enumerate(header)
        if (name in names if name else every)
    }
    odd = suspicions.second_header(header, body[:SHOWN], max(layout.header, default=1))
    odd += suspicions.tail_sentences(body[-SHOWN:], layout.skip_last)
    return replace(
        _named(header, columns), notes=[*renamed(written, header), layout.note()], suspicions=odd
    )


def _named(header: Sequence[str], columns: Mapping[int, pa.Array]) -> Fields:
    """Columns with their names; one without a name only if something stands in it."""
    kept = {i: text for i, text in columns.items() if header[i] or pc.any(_stands(text)).as_py()}
    nameless = [i + 1 for i in kept if not header[i]]
    if len(nameless) > 1:
        problem = f"the columns {', '.join(map(str, nameless))} have no name"
        raise InputError("file", problem, "name them in the header")
    return Fields([header[i] for i in kept], list(kept.values()), list(header))


# Values -------------------------------------------------------------------------------------------


def _values(
    fields: Fields, wanted: Wanted, form: Mapping[str, Any]
) -> tuple[list[pa.Array], Codes]:
    """The columns without codes, units and signs between thousands, still as text."""
    met: Codes = set()
    columns = []
    for name, text in zip(fields.names, fields.columns, strict=True):
        filled = _fill_down(text) if name in filled_down(form) else text
        values, codes = spelling.without_codes(cleaned(filled), name, wanted.codes)
        values = spelling.without_unit(values, name, form)
        if "thousands" in form and name not in wanted.labels:
            in_use = wanted.used is not None
            values = spelling.without_thousands(values, name, form["thousands"], strict=in_use)
        columns.append(values)
        met |= codes
    return columns, met


def _frame(
    names: Sequence[str], columns: Sequence[pa.Array], numbers: Sequence[bool], decimal: str
) -> pd.DataFrame:
    read = {
        i: (from_text(text, decimal) if is_number else text).to_pandas()
        for i, (text, is_number) in enumerate(zip(columns, numbers, strict=True))
    }
    frame = pd.DataFrame(read, index=pd.RangeIndex(len(columns[0]) if columns else 0))
    return frame.set_axis(pd.Index(names, dtype=object), axis="columns")


def _fill_down(text: pa.Array) -> pa.Array:
    """A column with the value above in place of an empty one."""
    return pc.fill_null_forward(pc.if_else(_stands(text), text, pa.scalar(None, text.type)))


def _stands(text: pa.Array) -> pa.Array:
    """Where something stands in a column."""
    return pc.fill_null(pc.not_equal(pc.utf8_trim_whitespace(text), ""), False)


def _filled(
    fields: Fields, frame: pd.DataFrame, wanted: Wanted, form: Mapping[str, Any]
) -> dict[str, np.ndarray]:
    """Of the columns that may be labels, which rows have a value, but for rows that are no data."""
    done = filled_down(form)
    end = len(frame) - len(suspicions.tail(_last_rows(fields.columns)))
    return {
        name: _stands(text).to_numpy(zero_copy_only=False)[:end]
        for i, (name, text) in enumerate(zip(fields.names, fields.columns, strict=True))
        if name not in done and wanted.may_be_labels(name, frame.iloc[:, i])
    }


# Fields -------------------------------------------------------------------------------------------


def _lines(path: Path, encoding: str) -> TextIO:
    """The file as text with its line ends, for Python's csv."""
    text = io.TextIOWrapper(open_bytes(path), encoding=encoding, newline="")
    if text.read(1) != "\ufeff":
        text.seek(0)
    return text


def _delimiter(
    path: Path, encoding: str, declared: str | None, layout: Layout
) -> tuple[str, list[Numbered]]:
    """What separates the fields, as declared or as most lines agree; and the first rows."""
    if declared is not None and (len(declared) != 1 or declared in '"\r\n'):
        fix = 'use one character, a tab as "\\t"'
        raise InputError("format.delimiter", f"'{declared}' separates no fields", fix)
    with _lines(path, encoding) as stream:
        sample = stream.read(SAMPLE)
    best, best_score = declared or ",", (0.0, 0)
    for delimiter in DELIMITERS if declared is None else ():
        score = _agreement(_rows(sample, delimiter), layout.header)
        if score[1] < 2 or (delimiter == " " and best_score[1]):
            continue
        if score > best_score:
            best, best_score = delimiter, score
    return best, list(_rows(sample, best))


def _agreement(rows: Iterable[Numbered], header: Sequence[int]) -> tuple[float, int]:
    """The share of rows that are as wide as the header, and its width."""
    widths = [(number, len(fields)) for number, fields in rows]
    widths = [each for each in widths if each[0] >= min(header, default=0)]
    if not widths:
        return 0.0, 0
    width = max((each for number, each in widths if number in header), default=widths[0][1])
    return sum(each == width for _, each in widths) / len(widths), width


def _title(path: Path, how: Form, sample: Sequence[Numbered], *, sure: bool) -> tuple[int, ...]:
    """The rows in which the names seem to stand below a title.

    Where it is not sure what separates the fields, it may have been found from the title alone.
    """
    if sure:
        return suspicions.guessed_header(sample)
    with _lines(path, how.encoding) as stream:
        text = stream.read(SAMPLE)
    split = [list(_rows(text, delimiter)) for delimiter in DELIMITERS if delimiter != " "]
    titles = [(rows, suspicions.guessed_header(rows)) for rows in (sample, *split)]
    scores = [(_agreement(rows, title), title) for rows, title in titles if title]
    return max(scores)[1] if scores else ()


def _rows(sample: str, delimiter: str) -> Iterator[Numbered]:
    """Rows of the sample as far as they can be read; the last one may be cut off."""
    every = enumerate(csv.reader(io.StringIO(sample, newline=""), delimiter=delimiter), start=1)
    rows = (each for each in every if each[1])
    whole = len(sample) < SAMPLE
    with contextlib.suppress(csv.Error, StopIteration):
        last = next(rows)
        for row in rows:
            yield last
            last = row
        if whole:
            yield last


def _table(path: Path, form: Form, width: int, kept: Sequence[int]) -> pa.Table:
    """The columns at these places as text, without the header.

    Arrow is fast, and checks the number of fields; it is lax about quotes, and names no lines.
    """
    if form.quoted:
        _check_lines(path, form, width)
    columns = [str(i) for i in range(width)]
    try:
        with open_bytes(path) as stream:
            table = arrow_csv.read_csv(
                stream,
                arrow_csv.ReadOptions(
                    column_names=columns, block_size=BLOCK, encoding=form.encoding
                ),
                arrow_csv.ParseOptions(delimiter=form.delimiter, newlines_in_values=form.quoted),
                arrow_csv.ConvertOptions(
                    column_types=dict.fromkeys(columns, pa.large_string()),
                    include_columns=[columns[i] for i in kept],
                ),
            )
    except pa.ArrowInvalid as error:
        _check_lines(path, form, width)
        raise InputError("file", f"the file cannot be read ({error})", SAVE_AS_CSV) from error
    return table.slice(1)


def _last_rows(columns: Sequence[pa.Array]) -> list[Numbered]:
    """The last rows of the columns that were read; their numbers are not those of the file."""
    cells = [text.slice(max(len(text) - SHOWN, 0)).to_pylist() for text in columns]
    return list(enumerate(zip(*cells, strict=True)))


def _every_row(path: Path, form: Form) -> Iterator[Numbered]:
    """All rows of the file, those without anything too."""
    with _lines(path, form.encoding) as stream:
        lines = csv.reader(stream, delimiter=form.delimiter, strict=True)
        try:
            yield from enumerate(lines, start=1)
        except csv.Error as error:
            problem = f"line {lines.line_num} cannot be read ({error})"
            raise InputError("file", problem, "look for a quote that is not closed") from error


def _check_lines(path: Path, form: Form, width: int) -> None:
    """Every line has the fields of the header, and every quote that is opened is closed."""
    with _lines(path, form.encoding) as stream:
        lines = csv.reader(stream, delimiter=form.delimiter, strict=True)
        numbered = ((lines.line_num, fields) for fields in lines if fields)
        try:
            _check_widths(numbered, width, form)
        except csv.Error as error:
            problem = f"line {lines.line_num} cannot be read ({error})"
            raise InputError("file", problem, "look for a quote that is not closed") from error


def _check_widths(rows: Iterable[Numbered], width: int, form: Form) -> None:
    """Every row has as many fields as the header."""
    before: deque[Numbered] = deque(maxlen=SHOWN)
    there = iter(rows)
    for number, fields in there:
        if len(fields) != width:
            rest = [(number, fields), *islice(there, SHOWN)]
            several = "field" if len(fields) == 1 else "fields"
            problem = f"line {number} has {len(fields)} {several}, but the header has {width}"
            raise InputError("file", problem, _width_fix([*before, *rest], len(rest), form))
        before.append((number, fields))


def _width_fix(rows: Sequence[Numbered], n_odd: int, form: Form) -> str:
    """What to do about a line that is too short or too long: maybe it and those below are no data."""
    last = suspicions.tail(rows)
    if len(last) >= sum(not is_blank(row) for _, row in rows[-n_odd:]):
        return f"if it is no data, write `format: {{skip_last: {len(last)}}}`, or else correct it"
    sign = SIGNS.get(form.delimiter, f"'{form.delimiter}'")
    return f"correct the line, and put a text that holds {sign} in quotes"


# Numbers ------------------------------------------------------------------------------------------


def _decimal(
    names: Sequence[str], columns: Sequence[pa.Array], numbers: Sequence[bool], delimiter: str
) -> str:
    """The decimal sign: a comma if numbers have one that separates no columns."""
    if delimiter == ",":
        return "."
    uses_comma = {
        name: has_decimal_commas(text)
        for name, text, is_number in zip(names, columns, numbers, strict=True)
        if is_number
    }
    unclear = [name for name, commas in uses_comma.items() if commas is None]
    if unclear and True not in uses_comma.values():
        problem = f"the commas in the numbers of column '{unclear[0]}' may be decimal or not"
        fix = 'write `format: {decimal: ","}`, or `format: {thousands: ","}`'
        raise InputError("file", problem, f"{fix} if they separate thousands")
    return "," if True in uses_comma.values() else "."
