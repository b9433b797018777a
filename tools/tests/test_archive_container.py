"""The archive's file: the same bytes for the same contents, and no wrong byte that goes unnoticed."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from archive import container
from archive.container import SUMS, Content, find_damage, read_names, sums_of, unpack, write_zip
from archive.errors import ArchiveError

MOMENT = datetime(2026, 1, 2, 3, 4, 6, tzinfo=UTC)
FILES: dict[str, Content] = {
    "README.md": b"A package.\n",
    "results/one/estimates.csv": b"method,estimate\nmixed,1.25\n",
    "results/one/figures/a picture.svg": b"<svg/>",
    "empty.txt": b"",
}


def summed(files: Mapping[str, Content]) -> dict[str, Content]:
    return {**files, SUMS: sums_of(files)}


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "archive.zip"
    write_zip(path, summed(FILES), MOMENT)
    return path


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    folder = tmp_path / "scratch"
    folder.mkdir()
    return folder


def test_bytes_depend_on_contents_alone(archive: Path, tmp_path: Path) -> None:
    files: dict[str, Content] = {}
    for name, content in reversed(list(summed(FILES).items())):
        assert isinstance(content, bytes)
        files[name] = tmp_path / "on disk" / name
        files[name].parent.mkdir(parents=True, exist_ok=True)
        files[name].write_bytes(content)
        files[name].chmod(0o755)
        os.utime(files[name], (1e9, 1e9))
    write_zip(tmp_path / "again.zip", files, MOMENT.astimezone())
    assert (tmp_path / "again.zip").read_bytes() == archive.read_bytes()


def test_whole_archive_has_no_damage(archive: Path, scratch: Path) -> None:
    assert find_damage(archive, scratch) == []
    assert list(scratch.iterdir()) == []
    assert read_names(archive) == sorted(summed(FILES))


def test_unpacking_gives_the_contents_back(archive: Path, tmp_path: Path) -> None:
    unpack(archive, tmp_path / "unpacked")
    for name, content in FILES.items():
        assert (tmp_path / "unpacked" / name).read_bytes() == content


def test_every_flipped_byte_is_found(archive: Path, scratch: Path) -> None:
    write_zip(archive, summed({"a.csv": b"x\n1\n", "b": b""}), MOMENT)
    whole = archive.read_bytes()
    unnoticed = []
    for place in range(len(whole)):
        wrong = bytearray(whole)
        wrong[place] ^= 1 << (place % 8)
        archive.write_bytes(bytes(wrong))
        try:
            said = find_damage(archive, scratch)
        except ArchiveError as error:
            said = [str(error)]
        if not said or not all(said):
            unnoticed.append(place)
    assert unnoticed == []


def test_entry_of_a_later_version_is_a_damage(archive: Path, scratch: Path) -> None:
    """zipfile opens none, and says so by another error than of a file that is no zip."""
    whole = bytearray(archive.read_bytes())
    whole[whole.index(b"PK\x01\x02") + 6] = (
        64  # of the directory's first entry, one past zipfile's own
    )
    archive.write_bytes(bytes(whole))
    with pytest.raises(ArchiveError, match=r"the archive is damaged: zip file version 6\.4; fetch"):
        find_damage(archive, scratch)


@pytest.mark.parametrize("field", ["hour", "month"])
def test_time_that_is_none_is_a_damage(field: str, archive: Path, scratch: Path) -> None:
    """In all entries: the time of the archive is read off them."""
    whole = bytearray(archive.read_bytes())
    offset, value = {"hour": (13, 0xF8), "month": (14, 0x00)}[field]
    place = whole.find(b"PK\x01\x02")
    while place >= 0:
        whole[place + offset] = value
        place = whole.find(b"PK\x01\x02", place + 1)
    archive.write_bytes(bytes(whole))
    assert find_damage(archive, scratch) == ["the zip's directory: the time of its entries is none"]
    assert list(scratch.iterdir()) == []


def test_name_of_a_file_and_of_a_folder_is_refused(tmp_path: Path, scratch: Path) -> None:
    write_zip(tmp_path / "bad.zip", summed({"a": b"1", "a/b": b"2"}), MOMENT)
    with pytest.raises(
        ArchiveError, match=r"it holds 'a' as a file and as a folder; do not use it"
    ):
        find_damage(tmp_path / "bad.zip", scratch)


@pytest.mark.parametrize("name", [name for name, content in FILES.items() if content])
def test_file_with_a_flipped_byte_is_named(name: str, archive: Path, scratch: Path) -> None:
    content = FILES[name]
    assert isinstance(content, bytes)
    whole = archive.read_bytes()
    place = whole.index(content) + len(content) // 2
    archive.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
    assert find_damage(archive, scratch) == [f"{name}: its bytes are damaged"]


def test_header_with_a_flipped_byte_is_named(archive: Path, scratch: Path) -> None:
    whole = bytearray(archive.read_bytes())
    with zipfile.ZipFile(archive) as opened:
        start = opened.getinfo("empty.txt").header_offset
    whole[start + 10] ^= 1  # its time
    archive.write_bytes(bytes(whole))
    assert find_damage(archive, scratch) == [
        f"the zip's header of empty.txt: byte {start + 10} is not what was written"
    ]


@pytest.mark.parametrize("change", ["cut", "longer"])
def test_other_length_is_found(archive: Path, scratch: Path, change: str) -> None:
    whole = archive.read_bytes()
    archive.write_bytes(whole[:-7] if change == "cut" else whole + b"x")
    try:
        assert find_damage(archive, scratch) != []
    except ArchiveError as error:
        assert "the archive is damaged" in str(error)


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({**FILES, SUMS: sums_of(FILES), "more.txt": b"?"}, "more.txt: it is not listed in"),
        (
            {**{k: v for k, v in FILES.items() if k != "empty.txt"}, SUMS: sums_of(FILES)},
            f"empty.txt: it is listed in {SUMS} and is not there",
        ),
        (
            {**FILES, "README.md": b"Other.\n", SUMS: sums_of(FILES)},
            f"README.md: it does not have the sum listed in {SUMS}",
        ),
        (FILES, f"{SUMS}: the list of sums is missing"),
    ],
    ids=["more", "fewer", "other", "no sums"],
)
def test_contents_that_do_not_fit_the_sums_are_named(
    files: dict[str, Content], says: str, tmp_path: Path, scratch: Path
) -> None:
    write_zip(tmp_path / "odd.zip", files, MOMENT)
    (found,) = find_damage(tmp_path / "odd.zip", scratch)
    assert found.startswith(says)


@pytest.mark.parametrize(
    "name",
    [
        "../outside",
        "a/../../outside",
        "/etc/outside",
        "C:/outside",
        "..\\outside",
        "a//b",
        "folder/",
    ],
)
def test_name_that_leads_out_is_refused(name: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(zipfile.ZipInfo(name), b"")
    for read in (read_names, lambda each: unpack(each, tmp_path / "unpacked")):
        with pytest.raises(ArchiveError, match=r"leads out of the archive|is not a plain file"):
            read(path)
    assert not (tmp_path / "unpacked").exists() and not (tmp_path / "outside").exists()


def test_link_is_refused(tmp_path: Path) -> None:
    info = zipfile.ZipInfo("link")
    info.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as archive:
        archive.writestr(info, b"/etc/passwd")
    with pytest.raises(ArchiveError, match="'link' is not a plain file"):
        read_names(tmp_path / "bad.zip")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_name_that_stands_twice_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as archive:
        for content in (b"one", b"two"):
            archive.writestr("twice.txt", content)
    with pytest.raises(ArchiveError, match=r"'twice\.txt' twice"):
        read_names(tmp_path / "bad.zip")


@pytest.mark.parametrize("content", [b"", b"PK", b"no zip at all" * 50])
def test_what_is_no_zip_is_one_sentence(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "bad.zip").write_bytes(content)
    with pytest.raises(ArchiveError, match="the archive is damaged: File is not a zip file; fetch"):
        read_names(tmp_path / "bad.zip")
    with pytest.raises(ArchiveError, match="there is no such archive"):
        read_names(tmp_path / "none.zip")


def test_earlier_archive_stays_until_the_new_one_is_whole(
    archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = archive.read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(container.shutil, "copyfileobj", full)
    with pytest.raises(OSError, match="No space"):
        write_zip(archive, summed(FILES), MOMENT)
    assert archive.read_bytes() == before
    assert [path.name for path in archive.parent.iterdir()] == [archive.name]
