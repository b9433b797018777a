"""A zip file whose bytes depend on its contents alone, and a reader that trusts nothing in it.

Entries are sorted and stored without compression, because versions of zlib differ in their bytes; every
one has the same time and the same mode. So a reader can write the file again and compare: not only the
contents, but each byte between them is accounted for.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import shutil
import stat
import tempfile
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath, PureWindowsPath

from archive.errors import ArchiveError

Content = bytes | Path
"""What an entry holds: the bytes, or the file that has them."""

SUMS = "SHA256SUMS"
MODE = stat.S_IFREG | 0o644
CHUNK = 1 << 20
UNIX = 3  # the system that a zip's modes belong to
UNREADABLE = (zipfile.BadZipFile, UnicodeDecodeError, NotImplementedError)
"""What zipfile raises as it opens a file, the last of them for an entry of a later version of zip: none
is written here, so that a byte is wrong."""
DAMAGED = "the archive is damaged"
AGAIN = "fetch it again from where it was deposited"


def sha256(content: Content) -> str:
    """The digest of an entry, in hexadecimal."""
    with _opened(content) as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def sums_of(entries: Mapping[str, Content]) -> bytes:
    """SHA256SUMS as `sha256sum` writes it, names in order."""
    lines = (f"{sha256(entries[name])}  {name}\n" for name in sorted(entries))
    return "".join(lines).encode("utf-8")


def write_zip(target: Path, entries: Mapping[str, Content], moment: datetime) -> None:
    """Write the file whole or not at all; an earlier one stays until the new one is complete."""
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    target.parent.mkdir(parents=True, exist_ok=True)
    _remove_left_behind(target)
    try:
        with zipfile.ZipFile(partial, "w", zipfile.ZIP_STORED) as archive:
            for name in sorted(entries):
                with _opened(entries[name]) as source:
                    info = _info(name, _size(entries[name]), moment)
                    with archive.open(info, "w") as sink:
                        shutil.copyfileobj(source, sink, CHUNK)
        os.replace(partial, target)
    finally:
        partial.unlink(missing_ok=True)


def read_names(path: Path) -> list[str]:
    """The entries of a zip, every one of them safe to unpack.

    Raises
    ------
    ArchiveError
        For what is no zip, and for names that lead out of the folder they are unpacked in, or clash.
    """
    with _reader(path) as archive:
        names = [_safe(path, info) for info in archive.infolist()]
    twice = [name for name, times in Counter(names).items() if times > 1]
    if twice:
        raise ArchiveError(str(path), f"it holds '{twice[0]}' twice", "do not use it")
    folders = {str(folder) for name in names for folder in PurePosixPath(name).parents}
    both = [name for name in names if name in folders]
    if both:
        problem = f"it holds '{both[0]}' as a file and as a folder"
        raise ArchiveError(str(path), problem, "do not use it")
    return names


def find_damage(path: Path, scratch: Path) -> list[str]:
    """A sentence for each entry that is not what its sum says, and for any byte besides.

    Parameters
    ----------
    scratch
        A folder with room for a second copy of the file.
    """
    names = read_names(path)
    with _reader(path) as archive:
        digests = {name: _digest(archive, name) for name in names}
        listed = _listed_sums(archive) if digests.get(SUMS) else {}
    wrong = [f"{name}: its bytes are damaged" for name in names if digests[name] is None]
    if not listed:
        return [*wrong, f"{SUMS}: the list of sums is missing or cannot be read"]
    for name in sorted({*names, *listed} - {SUMS}):
        if name not in digests:
            wrong.append(f"{name}: it is listed in {SUMS} and is not there")
        elif name not in listed:
            wrong.append(f"{name}: it is not listed in {SUMS}")
        elif digests[name] is not None and digests[name] != listed[name]:
            wrong.append(f"{name}: it does not have the sum listed in {SUMS}")
    return wrong or _other_bytes(path, scratch)


def unpack(path: Path, folder: Path) -> None:
    """Every entry as a file below `folder`."""
    with _reader(path) as archive:
        for name in read_names(path):
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(name) as source, target.open("xb") as sink:
                shutil.copyfileobj(source, sink, CHUNK)


def _remove_left_behind(target: Path) -> None:
    """Remove what killed processes left of this file; those of living ones stay."""
    for path in target.parent.glob(f".{target.name}.*.partial"):
        number = path.name.split(".")[-2]
        if number.isdigit() and not _is_alive(int(number)):
            path.unlink(missing_ok=True)


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _info(name: str, size: int, moment: datetime) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, moment.astimezone(UTC).timetuple()[:6])
    info.create_system = UNIX
    info.external_attr = MODE << 16
    info.file_size = size
    return info


def _size(content: Content) -> int:
    return len(content) if isinstance(content, bytes) else content.stat().st_size


def _opened(content: Content) -> io.BytesIO | io.BufferedReader:
    return io.BytesIO(content) if isinstance(content, bytes) else content.open("rb")


@contextlib.contextmanager
def _reader(path: Path) -> Iterator[zipfile.ZipFile]:
    """The opened zip; what is none, or cannot be read as one, is damaged."""
    with _open(path) as archive:
        try:
            yield archive
        except zipfile.BadZipFile as error:
            raise _damaged(path, error) from None


def _open(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except FileNotFoundError:
        fix = "name the file: make verify ARCHIVE=archive/groupwise-....zip"
        raise ArchiveError(str(path), "there is no such archive", fix) from None
    except (IsADirectoryError, PermissionError) as error:
        raise ArchiveError(str(path), f"it cannot be read ({error.strerror})", AGAIN) from None
    except UNREADABLE as error:
        raise _damaged(path, error) from None


def _damaged(path: Path, error: Exception) -> ArchiveError:
    return ArchiveError(str(path), f"{DAMAGED}: {error}".rstrip("."), AGAIN)


def _safe(path: Path, info: zipfile.ZipInfo) -> str:
    """The entry's name, if it is a plain file that stays below the folder it is unpacked in."""
    name = info.orig_filename
    kind = stat.S_IFMT(info.external_attr >> 16)
    outside = (
        "\\" in name
        or "\0" in name
        or PurePosixPath(name).is_absolute()
        or bool(PureWindowsPath(name).drive)
        or ".." in name.split("/")
    )
    if outside:
        raise ArchiveError(
            str(path), f"the name {name!r} leads out of the archive", "do not use it"
        )
    if name.endswith("/") or kind not in (0, stat.S_IFREG) or "" in name.split("/"):
        raise ArchiveError(str(path), f"{name!r} is not a plain file", "do not use it")
    return name


def _digest(archive: zipfile.ZipFile, name: str) -> str | None:
    """The digest of an entry, or None where its bytes or its header are damaged."""
    try:
        with archive.open(name) as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()  # type: ignore[arg-type]
    except Exception:  # zlib, struct, EOF, encryption: whatever a wrong byte makes of the header
        return None


def _listed_sums(archive: zipfile.ZipFile) -> dict[str, str]:
    """Sums by name; none where the list is no text."""
    try:
        lines = archive.read(SUMS).decode("utf-8").splitlines()
    except UnicodeDecodeError:
        return {}
    return {name: listed for listed, _, name in (line.partition("  ") for line in lines)}


def _other_bytes(path: Path, scratch: Path) -> list[str]:
    """What differs from the zip as it is written from its own contents, by the entry concerned."""
    with _reader(path) as archive, tempfile.TemporaryDirectory(dir=scratch) as folder:
        infos = archive.infolist()
        try:
            moment = datetime(*_usual_time(infos), tzinfo=UTC)
        except ValueError:
            return ["the zip's directory: the time of its entries is none"]
        contents, again = Path(folder) / "contents", Path(folder) / "again.zip"
        unpack(path, contents)
        entries: dict[str, Content] = {info.filename: contents / info.filename for info in infos}
        write_zip(again, entries, moment)
        offset = _first_difference(path, again)
        if offset is None:
            return []
        before = [info for info in infos if info.header_offset <= offset]
        inside = offset < archive.start_dir and before
        place = f"the zip's header of {before[-1].filename}" if inside else "the zip's directory"
    return [f"{place}: byte {offset} is not what was written"]


def _usual_time(infos: Sequence[zipfile.ZipInfo]) -> tuple[int, int, int, int, int, int]:
    """What most entries have as year to second; all of them, where no byte is wrong."""
    return Counter(info.date_time for info in infos).most_common(1)[0][0]


def _first_difference(one: Path, other: Path) -> int | None:
    """The place of the first byte in which two files differ."""
    place = 0
    with one.open("rb") as left, other.open("rb") as right:
        while True:
            a, b = left.read(CHUNK), right.read(CHUNK)
            if a != b:
                pairs = enumerate(zip(a, b, strict=False))
                return place + next((i for i, (x, y) in pairs if x != y), min(len(a), len(b)))
            if not a:
                return None
            place += len(a)
