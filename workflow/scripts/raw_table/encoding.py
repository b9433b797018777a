"""How the characters of a text file are written, and whether it is a text file at all."""

from __future__ import annotations

import codecs
import gzip
import re
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast

from groupwise.data.errors import InputError

GZIP = b"\x1f\x8b"
# The first bytes of what is often taken for a CSV file.
SIGNATURES = {
    b"PK\x03\x04": "a spreadsheet or an archive",
    b"\xd0\xcf\x11\xe0": "a spreadsheet",
    b"\x1f\x8b": "compressed twice",
    b"BZh": "compressed, but not by gzip",
    b"\xfd7zXZ": "compressed, but not by gzip",
    b"\x28\xb5\x2f\xfd": "compressed, but not by gzip",
    b"PAR1": "a Parquet file without `.parquet` at the end of its name",
    b"ARROW1": "a Feather file without `.feather` at the end of its name",
    b"$FL2": "a file of SPSS without `.sav` at the end of its name",
}
MARKS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32",  # (begins as UTF-16's)
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
ONE_BYTE = ("cp1252", "iso8859-15", "cp1250", "cp1254")
"""Encodings of Europe's languages in Latin letters; text that is the same in all is clear."""
SAVE_AS_CSV = "save it as CSV in UTF-8, with commas and a header line"


def open_bytes(path: Path) -> IO[bytes]:
    """The file's bytes, unpacked if it is gzipped, whatever its name."""
    with path.open("rb") as stream:
        packed = stream.read(2) == GZIP
    return cast(IO[bytes], gzip.open(path)) if packed else path.open("rb")


def _chunks(path: Path) -> Iterator[bytes]:
    with open_bytes(path) as stream:
        while chunk := stream.read(1 << 20):
            yield chunk


def find_encoding(path: Path, declared: str | None) -> tuple[str, bool, str]:
    """The encoding; whether there are quotes; and the encoding in words."""
    with open_bytes(path) as stream:
        first = stream.read(8)
    for signature, kind in SIGNATURES.items():
        if first.startswith(signature):
            raise InputError("file", f"the file is {kind}, not CSV", SAVE_AS_CSV)
    if declared is not None:
        encoding = _known(declared)
        return encoding, _decodes(path, encoding), encoding
    encoding = next((each for mark, each in MARKS.items() if first.startswith(mark)), "utf-8")
    try:
        return encoding, _decodes(path, encoding), encoding.upper()
    except InputError:
        if encoding != "utf-8" or not _is_western(path):
            raise
    return "cp1252", _decodes(path, "cp1252"), "Windows-1252 (the file is not UTF-8)"


def _known(declared: str) -> str:
    try:
        "".encode(declared)  # refuses codecs that are no encodings, too
        return codecs.lookup(declared).name
    except LookupError as error:
        problem = f"'{declared}' is no encoding"
        fix = "use the usual name, such as utf-8, utf-16 or cp1252"
        raise InputError("format.encoding", problem, fix) from error


def _decodes(path: Path, encoding: str) -> bool:
    """Whether there are quotes in the file; an InputError if it is not text in this encoding."""
    decoder, quoted = codecs.getincrementaldecoder(encoding)(), False
    fix = SAVE_AS_CSV + ", or name its encoding as `format: {encoding: cp1252}`"
    try:
        for chunk in _chunks(path):
            text = decoder.decode(chunk)
            quoted |= '"' in text
            if "\0" in text:
                problem = "the file holds zero bytes, so it is no text"
                raise InputError("file", problem, SAVE_AS_CSV)
        decoder.decode(b"", final=True)
    except UnicodeError as error:
        problem = f"the file is not text in {encoding.upper()}"
        raise InputError("file", problem, fix) from error
    return quoted


def _is_western(path: Path) -> bool:
    """Whether single accented letters stand among plain ones, the same in all of `ONE_BYTE`.

    A text in another script has such bytes in rows.
    """
    for chunk in _chunks(path):
        odd = re.findall(rb"[\x80-\xff]+", chunk)
        if any(len(each) > 1 for each in odd):
            return False
        for byte in set(odd):
            try:
                letters = {byte.decode(encoding) for encoding in ONE_BYTE}
            except UnicodeDecodeError:
                return False
            if len(letters) > 1 or not letters.pop().isalpha():
                return False
        if re.search(rb"(?<![A-Za-z])[\x80-\xff](?![A-Za-z])", chunk):
            return False
    return True
