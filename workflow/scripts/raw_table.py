"""Reading a raw file: the only place that knows formats. Labels stay as they are written."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pandas as pd

from groupwise.data.errors import InputError
from groupwise.data.validate import Roles

MISSING = ["", "NA", "N/A", "NaN", "nan", "null", "NULL", "."]


def read_raw(path: Path, roles: Roles) -> pd.DataFrame:
    """The file as a table; identifiers of a CSV are read as text, so that 07 stays 07."""
    if path.stat().st_size == 0:
        raise InputError("file", "the file is empty", "put the data in it, with a header line")
    try:
        if path.suffix == ".parquet":
            return pd.read_parquet(path)
        labels = [column for column in (roles.treatment, roles.group, roles.block) if column]
        return pd.read_csv(
            path,
            dtype=dict.fromkeys(labels, str),
            keep_default_na=False,
            na_values=MISSING,
            encoding="utf-8-sig",
        )
    except (ValueError, OSError) as error:
        # pandas' and pyarrow's parse errors are ValueErrors; the first line says which line.
        reason = str(error).strip().splitlines()[0]
        fix = "save it as CSV with commas and a header, or as Parquet"
        raise InputError("file", f"the file cannot be read ({reason})", fix) from error


def sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def check_sum(path: Path, sums: Path) -> str:
    """The file's sha256, after comparing it with the one listed for it in SHA256SUMS, if any."""
    found = sha256(path)
    listed = dict(
        reversed(line.split(maxsplit=1)) for line in sums.read_text().splitlines() if line.strip()
    )
    expected = listed.get(path.name)
    if expected is not None and expected != found:
        problem = f"its sha256 is {found[:12]}..., but {sums} lists {expected[:12]}..."
        fix = "restore the file, or if the change is meant, write the new sum there"
        raise InputError("file", f"the file has changed: {problem}", fix)
    return found
