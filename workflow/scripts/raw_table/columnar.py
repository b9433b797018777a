"""Parquet and Feather (Arrow files): only the columns in use are read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import dataset

from groupwise.data.codes import check_codes, drop_codes
from groupwise.data.errors import InputError
from groupwise.data.names import plain_name
from raw_table.columns import to_pandas
from raw_table.wanted import Found, Wanted, renamed


def read_columnar(path: Path, wanted: Wanted, form: Mapping[str, Any]) -> Found:
    kind = "Parquet" if path.suffix.lower() == ".parquet" else "Feather"
    try:
        file = dataset.dataset(path, format=kind.lower())
        written = file.schema.names
        names = [plain_name(name) for name in written]
        kept = set(wanted.among(names))
        # One row is enough to say that a column is not there.
        few = wanted.missing_from(names)
        columns = [old for old, new in zip(written, names, strict=True) if new in kept]
        table = file.head(1) if few else file.to_table(columns=columns)
    except (pa.ArrowException, OSError) as error:
        if isinstance(error, PermissionError):
            raise
        fix = "write it anew, or name a CSV file `.csv`"
        raise InputError("file", f"the file is not {kind}, or it is damaged", fix) from error
    table = table.rename_columns([plain_name(name) for name in table.column_names])
    frame, met = drop_codes(to_pandas(table, wanted), None if few else wanted.codes)
    check_codes(frame, None if few else wanted.codes, met, names)
    return Found(frame, [f"Read as {kind}.", *renamed(written, names)], [])
