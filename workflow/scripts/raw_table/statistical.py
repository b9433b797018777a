"""Files of Stata, SPSS and SAS, with value labels."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from groupwise.data.codes import check_codes, drop_codes
from groupwise.data.errors import InputError
from groupwise.data.prepare import identifier
from raw_table.columns import to_pandas
from raw_table.wanted import Found, Wanted

READERS = {
    ".dta": ("Stata", "read_dta"),
    ".sav": ("SPSS", "read_sav"),
    ".zsav": ("SPSS", "read_sav"),
    ".sas7bdat": ("SAS", "read_sas7bdat"),
}
PROGRAM = Path(__file__).with_name("statistical_program.py")
# A process of its own, because a damaged file can crash the library that reads it.
COMMAND = [sys.executable, "-I", str(PROGRAM)]


def read_statistical(path: Path, wanted: Wanted, form: Mapping[str, Any]) -> Found:
    """The table, labels in place of codes: in identifiers, and where every value has one."""
    program = READERS[path.suffix.lower()][0]
    table, labels, names = _read(path, wanted, form)
    codes = None if wanted.missing_from(names) else wanted.codes
    frame, met = drop_codes(to_pandas(table, wanted), codes)
    replaced: list[str] = []
    for name in frame if form.get("labels", True) else ():
        if name in labels and name != wanted.outcome:
            new = _labelled(frame[name], labels[name], complete=name not in wanted.labels)
            if new is not None:
                frame[name] = new
                replaced.append(f"'{name}'")
    frame, later = drop_codes(frame, codes)  # a code may be named by its label
    check_codes(frame, codes, met | later, names)
    notes = [f"Read as a file of {program}."]
    if replaced:
        notes += [
            f"Labels stand for the codes of {', '.join(replaced)} "
            "(`format: {labels: false}` keeps the codes)."
        ]
    return Found(frame, notes, [])


def _read(
    path: Path, wanted: Wanted, form: Mapping[str, Any]
) -> tuple[pa.Table, dict[str, dict[str, str]], list[str]]:
    """The columns in use, for each column with labels the label of each code, and all names."""
    with path.open("rb"):  # a file that may not be read is no damaged one
        pass
    program, reader = READERS[path.suffix.lower()]
    order = {
        "path": str(path),
        "reader": reader,
        "encoding": form.get("encoding"),
        "columns": wanted.used,
    }
    done = subprocess.run(COMMAND, input=json.dumps(order).encode(), capture_output=True)
    if done.returncode == 0:
        table = pa.ipc.open_stream(done.stdout).read_all()
        about = table.schema.metadata
        labels, names = json.loads(about[b"labels"]), json.loads(about[b"names"])
        return table.replace_schema_metadata(), labels, names
    if b"encoding" in done.stderr and "encoding" in form:
        problem = f"the file cannot be read as '{form['encoding']}'"
        raise InputError("format.encoding", problem, "use another name, such as cp1252")
    problem = f"the file is not a file of {program}, or it is damaged"
    raise InputError("file", problem, f"write it anew in {program}, or save it as CSV")


def _labelled(values: pd.Series, labels: Mapping[str, str], *, complete: bool) -> pd.Series | None:
    """Labels for codes; None if no code has one, or, with `complete`, if a code has none."""
    codes = identifier(values)
    distinct = sorted(set(codes.dropna()))
    labelled = labels.keys() & set(distinct)
    if not labelled or (complete and len(labelled) < len(distinct)):
        return None
    seen: dict[str, str] = {}
    for code in distinct:
        twin = seen.setdefault(labels.get(code, code), code)
        if twin != code:
            problem = f"the codes {twin} and {code} of '{values.name}' share the label "
            problem += f"'{labels.get(code, code)}'"
            raise InputError("format.labels", problem, "set `format: {labels: false}` to use codes")
    return codes.map(lambda code: labels.get(code, code), na_action="ignore")
