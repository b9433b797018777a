"""Reading a raw file: the only place that knows formats.

Labels stay as they are written, but for spaces around them.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from configuration import read_sums

from groupwise.data.errors import InputError
from groupwise.data.validate import Roles

MISSING = ["", "NA", "N/A", "NaN", "nan", "null", "NULL", "."]
SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars"}
# The first bytes of what is often taken for a CSV file.
SIGNATURES = {
    b"PK\x03\x04": "a spreadsheet or an archive",
    b"\xd0\xcf\x11\xe0": "a spreadsheet",
    b"\x1f\x8b": "a compressed file",
    b"PAR1": "a Parquet file without `.parquet` at the end of its name",
}
SAVE_AS_CSV = "save it as CSV in UTF-8, with commas and a header line"


def read_raw(path: Path, roles: Roles) -> pd.DataFrame:
    """The file as a table; identifiers of a CSV are read as text, so that 07 stays 07."""
    if path.stat().st_size == 0:
        raise InputError("file", "the file is empty", "put the data in it, with a header line")
    try:
        return _read_parquet(path) if path.suffix == ".parquet" else _read_csv(path, roles)
    except UnicodeDecodeError as error:
        raise InputError("file", "the file is not text in UTF-8", SAVE_AS_CSV) from error
    except OSError as error:
        problem = f"the file cannot be read ({error.strerror or error})"
        raise InputError("file", problem, "make it readable for you") from error


def _read_parquet(path: Path) -> pd.DataFrame:
    try:
        return pd.read_parquet(path)
    except ValueError as error:  # pyarrow's errors are ValueErrors
        fix = "write it anew, or name a CSV file `.csv`"
        raise InputError("file", "the file is not Parquet, or it is damaged", fix) from error


def _read_csv(path: Path, roles: Roles) -> pd.DataFrame:
    header = _check_csv(path, roles.columns)
    labels = [column for column in (roles.treatment, roles.group, roles.block) if column]
    table = pd.read_csv(
        path,
        names=range(len(header)),
        header=0,
        dtype={header.index(label): str for label in labels if label in header},
        keep_default_na=False,
        na_values=MISSING,
        encoding="utf-8-sig",
        index_col=False,
        low_memory=False,
    )
    for column in table:
        table[column] = _stripped(table[column])
    return table.set_axis(header, axis="columns")


def _stripped(values: pd.Series) -> pd.Series:
    """Text without the spaces around it; what is a sign for a missing value then is missing."""
    if not pd.api.types.is_string_dtype(values):
        return values
    text = values.str.strip()
    return text.mask(text.isin(MISSING))


def _check_csv(path: Path, used: Sequence[str]) -> list[str]:
    """The names in the header, once the file is known to have the form of a table."""
    with path.open("rb") as stream:
        first = stream.read(4)
    for signature, kind in SIGNATURES.items():
        if first.startswith(signature):
            raise InputError("file", f"the file is {kind}, not CSV", SAVE_AS_CSV)
    with path.open(encoding="utf-8-sig", newline="") as stream:
        lines = csv.reader(stream, strict=True)
        try:
            header = [name.strip() for name in next(filter(None, lines), [])]
            _check_header(header, used)
            for fields in filter(None, lines):
                if len(fields) != len(header):
                    n, k = len(fields), len(header)
                    problem = f"line {lines.line_num} has {n} fields, but the header has {k}"
                    fix = "correct the line, and put a text that holds a comma in quotes"
                    raise InputError("file", problem, fix)
        except csv.Error as error:
            problem = f"line {lines.line_num} cannot be read ({error})"
            raise InputError("file", problem, "look for a quote that is not closed") from error
    return header


def _check_header(header: Sequence[str], used: Sequence[str]) -> None:
    if not header:
        raise InputError("file", "the file is empty", "put the data in it, with a header line")
    for name in used:
        if header.count(name) > 1:
            problem = f"the header has the column '{name}' {header.count(name)} times"
            raise InputError("file", problem, "rename all but one")
    for separator, kind in SEPARATORS.items():
        if len(header) == 1 and separator in header[0]:
            fix = "save it with commas between columns and points in decimals"
            raise InputError("file", f"the columns are separated by {kind}", fix)


def sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def check_sum(path: Path, sums: Path) -> str:
    """The file's sha256, after comparing it with the one listed for it in SHA256SUMS, if any."""
    found, listed = sha256(path), read_sums(str(sums)).get(path.name)
    if listed is not None and listed != found:
        problem = f"its sha256 is {found[:12]}..., but {sums} lists {listed[:12]}..."
        fix = "restore the file, or if the change is meant, write the new sum there"
        raise InputError("file", f"the file has changed: {problem}", fix)
    return found
