"""Reading a raw file: the only place that knows formats.

Files are data: nothing in them is run, and no format that could hold a program is read. Labels stay
as they are written, but for spaces around them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from configuration import read_sums

from groupwise.data.errors import InputError, nearest
from groupwise.data.validate import Roles
from raw_table.columnar import read_columnar
from raw_table.statistical import READERS, read_statistical
from raw_table.text import read_text
from raw_table.wanted import EMPTY, Wanted
from raw_table.workbook import read_workbook

SAVE_AS = "save the table as CSV, Parquet or .xlsx"
FORMATS = {
    ".parquet": (read_columnar, ()),
    ".feather": (read_columnar, ()),
    ".arrow": (read_columnar, ()),
    ".xlsx": (read_workbook, ("sheet",)),
    ".xlsm": (read_workbook, ("sheet",)),
    **dict.fromkeys(READERS, (read_statistical, ("labels", "encoding"))),
}
"""What reads a file by the end of its name, and the keys of `format` that it knows."""
TEXT = (read_text, ("delimiter", "decimal", "encoding"))
"""The same for any other name."""
REFUSED = {
    ".xls": "an old Excel workbook",
    ".ods": "an OpenDocument spreadsheet",
    ".pkl": "a pickle, which can hold a program and is not read",
    ".pickle": "a pickle, which can hold a program and is not read",
    ".rds": "a file of R's own, which can hold a program and is not read",
    ".rda": "a file of R's own, which can hold a program and is not read",
    ".rdata": "a file of R's own, which can hold a program and is not read",
}


@dataclass(frozen=True)
class Raw:
    """The columns in use, or all of them, and sentences on how the file was understood."""

    table: pd.DataFrame
    notes: list[str]


def read_raw(
    path: Path,
    roles: Roles | None,
    *,
    form: Mapping[str, Any] | None = None,
    also: Sequence[str] = (),
) -> Raw:
    """A file as a table.

    Identifiers of a text file are read as text, so that 07 stays 07; so is any other column
    with leading zeros. Dates become text.

    Parameters
    ----------
    path
        The end of its name says the format; what is not known is text, gzipped or not.
    roles
        Columns in use; None reads all columns. If one of them is not there, all are read.
    form
        `delimiter`, `decimal`, `encoding`, `sheet`, `labels`; found in the file where not given.
    also
        Further columns in use.

    Raises
    ------
    InputError
        For a file that cannot be read, or can be read in two ways.
    """
    reader, known = FORMATS.get(path.suffix.lower(), TEXT)
    form = {key: value for key, value in (form or {}).items() if value is not None}
    for key in form.keys() - set(known):
        fix = nearest(key, known) if known else "remove it"
        raise InputError(f"format.{key}", f"a file like '{path.name}' has no such setting", fix)
    for key, value in form.items():
        if not isinstance(value, bool if key == "labels" else str):
            kind = "true or false" if key == "labels" else "a text, in quotes"
            raise InputError(f"format.{key}", f"{value!r} does not fit", f"write {kind}")
    try:
        if path.stat().st_size == 0:
            raise InputError("file", *EMPTY)
        if path.suffix.lower() in REFUSED:
            raise InputError("file", f"the file is {REFUSED[path.suffix.lower()]}", SAVE_AS)
        table, notes = reader(path, Wanted.of(roles, also), form)
    except OSError as error:
        problem = f"the file cannot be read ({error.strerror or error})"
        raise InputError("file", problem, "make it readable for you") from error
    return Raw(table, notes)


def also_read(settings: Mapping[str, Any]) -> list[str]:
    """Columns that a dataset's `where` and `recode` name besides those with roles."""
    return [*(settings["ingest"]["where"] or ()), *(settings["ingest"]["recode"] or ())]


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
