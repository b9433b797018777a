"""What every script needs around its one function: a log, and a user's mistake in one sentence."""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import os
import re
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from groupwise import tidy
from groupwise.data.errors import InputError

if TYPE_CHECKING:  # loading it takes longer than what some scripts do
    import pandas as pd

NO_PLACE = {
    errno.ENOSPC: "the disk is full; make room",
    errno.EDQUOT: "your share of the disk is full; make room",
    errno.EFBIG: "the file is larger than may be written here; raise the limit (ulimit -f)",
    errno.EROFS: "the disk can only be read; work in a folder that can be written to",
    errno.EACCES: "it may not be written; give yourself write access to its folder",
    errno.EPERM: "it may not be written; give yourself write access to its folder",
}
"""Why a file could not be written, where that is not for the code to mend."""


@contextlib.contextmanager
def logged(snakemake: Any, *, file: str = "", dataset: str = "") -> Iterator[None]:
    """Send what is printed and warned to the job's log, and end a failing job quietly.

    A user's mistake, an InputError, leaves one line in the log that starts with `groupwise: ` and
    names file, key and fix; anything else is a defect of ours and leaves its traceback. Snakemake
    shows the log of a failed job (profiles/default), and `make report` shows just the line.
    """
    with (
        Path(str(snakemake.log[0])).open("w", encoding="utf-8") as log,
        contextlib.redirect_stdout(log),
        contextlib.redirect_stderr(log),
    ):
        logging.basicConfig(stream=log, level=logging.WARNING, force=True)
        logging.captureWarnings(True)
        try:
            yield
            return
        except InputError as error:
            print(f"groupwise: {file}: datasets.{dataset}.{error}", file=log)
        except OSError as error:
            if error.errno not in NO_PLACE:
                traceback.print_exc(file=log)
            else:
                print(f"groupwise: {_no_place(error, snakemake)}", file=log)
        except Exception:  # the outermost frame of a job: nothing goes on, it exits with 1 below
            traceback.print_exc(file=log)
    sys.exit(1)


def _no_place(error: OSError, snakemake: Any) -> str:
    name = error.filename or snakemake.output[0]
    return f"{_visible(Path(str(name)))}: {NO_PLACE[error.errno or 0]}, then run again."


def _visible(partial: Path) -> Path:
    """The file that a hidden one was going to be."""
    hidden = re.fullmatch(r"\.(.+)\.\d+", partial.name)
    return partial.with_name(hidden[1]) if hidden else partial


@contextlib.contextmanager
def whole(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A hidden file to write to, which takes its place in one step, or is removed."""
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        yield partial
        os.replace(partial, target)
    except OSError as error:
        error.filename = error.filename or str(target)
        raise
    finally:
        partial.unlink(missing_ok=True)


def write_text(path: str | os.PathLike[str], text: str | bytes) -> None:
    """Write whole or not at all."""
    with whole(path) as partial:
        partial.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8"))


def write_json(path: str | os.PathLike[str], content: Any) -> None:
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def read_json(path: str | os.PathLike[str]) -> Any:
    return json.loads(Path(path).read_text(encoding="utf-8"))


def write_table(path: str | os.PathLike[str], table: pd.DataFrame) -> None:
    """CSV, see `csv_text`, or Parquet by the file's name."""
    if str(path).endswith(".parquet"):
        with whole(path) as partial:
            table.to_parquet(partial, index=False)
    else:
        write_text(path, csv_text(table))


def csv_text(table: pd.DataFrame) -> str:
    """CSV with 12 significant digits."""
    text: str = table.to_csv(index=False, float_format=tidy.FLOAT_FORMAT)
    return text


def read_result(path: str | os.PathLike[str], name: str) -> pd.DataFrame:
    """A results table with the types of its schema."""
    import pandas as pd

    if str(path).endswith(".parquet"):
        return pd.read_parquet(path)
    text = [column for column, kind in tidy.TABLES[name].items() if kind is str]
    table = pd.read_csv(
        path,
        dtype=dict.fromkeys(text, str),
        keep_default_na=False,
        na_values={column: [""] for column, kind in tidy.TABLES[name].items() if kind is float},
    )
    return tidy.table(name, table) if len(table) else tidy.table(name, [])


def read_results(files: Any) -> dict[str, pd.DataFrame]:
    """The results tables among a rule's named inputs, by name."""
    return {name: read_result(path, name) for name, path in files.items() if name in tidy.TABLES}
