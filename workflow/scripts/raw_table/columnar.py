"""Parquet and Feather (Arrow files): only the columns in use are read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
from pyarrow import dataset

from groupwise.data.errors import InputError
from raw_table.columns import to_pandas
from raw_table.wanted import Wanted


def read_columnar(
    path: Path, wanted: Wanted, form: Mapping[str, Any]
) -> tuple[pd.DataFrame, list[str]]:
    kind = "Parquet" if path.suffix.lower() == ".parquet" else "Feather"
    try:
        file = dataset.dataset(path, format=kind.lower())
        columns = wanted.among(file.schema.names)
        # One row is enough to say that a column is not there.
        few = wanted.missing_from(file.schema.names)
        table = file.head(1) if few else file.to_table(columns=columns)
    except (pa.ArrowException, OSError) as error:
        if isinstance(error, PermissionError):
            raise
        fix = "write it anew, or name a CSV file `.csv`"
        raise InputError("file", f"the file is not {kind}, or it is damaged", fix) from error
    return to_pandas(table, wanted), [f"Read as {kind}."]
