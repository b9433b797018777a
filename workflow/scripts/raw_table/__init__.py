"""Reading a raw file: the only place that knows formats.

Files are data: nothing in them is run, and no format that could hold a program is read. Labels stay
as they are written, but for spaces around them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
from checksums import listed_sum, read_sums

from groupwise.data.codes import Codes
from groupwise.data.errors import InputError
from groupwise.data.validate import Roles
from raw_table.columnar import read_columnar
from raw_table.form import STATISTICAL, TEXT, WORKBOOK, checked_form
from raw_table.statistical import READERS, read_statistical
from raw_table.text import read_text
from raw_table.wanted import EMPTY, Wanted
from raw_table.workbook import read_workbook

SAVE_AS = "save the table as CSV, Parquet or .xlsx"
FORMATS = {
    ".parquet": (read_columnar, ()),
    ".feather": (read_columnar, ()),
    ".arrow": (read_columnar, ()),
    ".xlsx": (read_workbook, WORKBOOK),
    ".xlsm": (read_workbook, WORKBOOK),
    **dict.fromkeys(READERS, (read_statistical, STATISTICAL)),
}
"""What reads a file by the end of its name, and the keys of `format` that it knows."""
OTHER = (read_text, TEXT)
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


CONDITIONS = ("where", "recode", "baseline")
"""Settings that name columns besides those with roles."""
HUGE = 300_000_000
"""Bytes; of a larger file only the columns in use are looked at."""


@dataclass(frozen=True)
class Raw:
    """The columns in use, or all of them, and sentences on how the file was understood.

    `suspicions` are sentences on what its layout suggests, such as totals in the last row: nothing
    was read differently because of it, and each names the setting that would.
    """

    table: pd.DataFrame
    notes: list[str]
    suspicions: list[str] = field(default_factory=list)


def read_raw(
    path: Path,
    roles: Roles | None,
    *,
    form: Mapping[str, Any] | None = None,
    also: Sequence[str] = (),
    missing_codes: Codes | None = None,
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
        The settings of `format` in config.yaml; found in the file, or not needed, where not given.
    also
        Further columns in use.
    missing_codes
        Values that mean missing, for every column; or lists of them by column.

    Raises
    ------
    InputError
        For a file that cannot be read, or can be read in two ways.
    """
    reader, form_keys = FORMATS.get(path.suffix.lower(), OTHER)
    form = checked_form(form, form_keys, path.name)
    try:
        if path.stat().st_size == 0:
            raise InputError("file", *EMPTY)
        if path.suffix.lower() in REFUSED:
            raise InputError("file", f"the file is {REFUSED[path.suffix.lower()]}", SAVE_AS)
        parts = reader(path, Wanted.of(roles, also, missing_codes), form)
    except OSError as error:
        problem = f"the file cannot be read ({error.strerror or error})"
        raise InputError("file", problem, "make it readable for you") from error
    return Raw(*parts)


def read_dataset(path: Path, settings: Mapping[str, Any]) -> Raw:
    """The columns that a dataset's settings name, which are those of `settings.Settings.ingest`."""
    asked = settings["ingest"]
    return read_raw(
        path,
        Roles.from_settings(settings["roles"]),
        form=settings["form"],
        also=[column for key in CONDITIONS for column in asked.get(key) or ()],
        missing_codes=asked.get("missing_codes"),
    )


def read_all(path: Path, settings: Mapping[str, Any]) -> tuple[pd.DataFrame | None, str]:
    """All columns, to look for what the configuration does not say; or None, and why not."""
    if path.stat().st_size > HUGE:
        return (
            None,
            f"Columns without a role are not looked at in files of more than {HUGE:.0e} bytes.",
        )
    codes = settings["ingest"].get("missing_codes")
    try:
        return read_raw(path, None, form=settings["form"], missing_codes=codes).table, ""
    except InputError as error:
        return None, f"Columns without a role were not looked at ({error.problem})."


def sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def check_sum(path: Path, sums: Path | None) -> str:
    """The file's sha256, after comparing it with the one listed for it in SHA256SUMS, if any."""
    digest = sha256(path)
    if sums is None:
        return digest
    listed = listed_sum(path, sums, read_sums(str(sums)))
    if listed is not None and listed != digest:
        problem = f"its sha256 is {digest[:12]}..., but {sums} lists {listed[:12]}..."
        fix = "restore the file, or if the change is meant, write the new sum there"
        raise InputError("file", f"the file has changed: {problem}", fix)
    return digest
