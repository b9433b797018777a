"""A program: reads a file of Stata, SPSS or SAS, and writes an Arrow stream.

Standard input holds, as JSON, `path`, `reader` (a function of pyreadstat), `encoding` and `columns`
(null for all). Where one of these is not there, the first row of all columns comes instead. The
labels of codes and the names of all columns are in the stream's metadata.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import pyarrow as pa
import pyreadstat


def read(path: str, reader: str, encoding: str | None, columns: list[str] | None) -> pa.Table:
    """The columns as an Arrow table."""
    parse = getattr(pyreadstat, reader)
    names = parse(path, encoding=encoding, metadataonly=True)[1].column_names
    wanted: dict[str, Any] = {}
    if columns is not None:
        there = set(columns) <= set(names)
        wanted = {"usecols": columns} if there else {"row_limit": 1}
    frame, meta = parse(path, encoding=encoding, **wanted)
    labels = {
        name: {code(value): str(label).strip() for value, label in pairs.items()}
        for name, pairs in meta.variable_value_labels.items()
    }
    table = pa.Table.from_pandas(frame, preserve_index=False)
    return table.replace_schema_metadata({"labels": json.dumps(labels), "names": json.dumps(names)})


def code(value: object) -> str:
    """A code as text, a whole number without a point."""
    return str(int(value) if isinstance(value, float) and value.is_integer() else value)


if __name__ == "__main__":
    table = read(**json.load(sys.stdin))
    with pa.ipc.new_stream(sys.stdout.buffer, table.schema) as stream:
        stream.write_table(table)
