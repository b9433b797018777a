"""The list of sha256 sums of raw files, as `sha256sum` writes it."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from configuration_error import ConfigError

SUM = re.compile(r"(?P<sum>[0-9a-fA-F]{64}) [ *](?P<name>\S.*)")


def read_sums(file: str) -> dict[str, str]:
    """The sha256 listed for each raw file, by its path, in a file as `sha256sum` writes it."""
    try:
        lines = Path(file).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        fix = "bring it back (it may be empty)"
        raise ConfigError(file, "", "there is no such list of checksums", fix) from None
    sums = {}
    for number, line in enumerate(lines, start=1):
        entry = SUM.fullmatch(line.strip())
        if entry is None and line.strip():
            fix = "write it as `sha256sum` does"
            raise ConfigError(file, f"line {number}", "this is no sum with a file's name", fix)
        if entry is not None:
            sums[os.path.normpath(entry["name"])] = entry["sum"].lower()
    return sums


def listed_sum(raw: str | Path, file: str | Path, sums: Mapping[str, str]) -> str | None:
    """The sum of a raw file, if one is listed.

    A path in the list is meant from the list's own folder, where `sha256sum` is called, or if there
    is no such file, from the project's. A file of the same name elsewhere is another one.
    """
    folder = Path(file).absolute().parent
    for name, listed in sums.items():
        meant = folder / name if (folder / name).exists() else Path(name)
        if os.path.abspath(meant) == os.path.abspath(raw):
            return listed
    return None
