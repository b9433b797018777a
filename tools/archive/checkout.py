"""The source as git has it: the files of the commit, or of a changed checkout if that is wanted."""

from __future__ import annotations

import io
import subprocess
import tarfile
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from archive.container import Content
from archive.errors import ArchiveError


@dataclass(frozen=True)
class Checkout:
    """A commit, what was changed since, and the files as they are archived.

    `files` maps names relative to the project to contents; `moment` is the commit's, in UTC.
    """

    commit: str
    moment: datetime
    changed: tuple[str, ...]
    files: dict[str, Content]

    @property
    def record(self) -> dict[str, object]:
        """What stands in .source.json: a copy without .git knows its commit by it."""
        return {
            "commit": self.commit,
            "date": self.moment.isoformat(),
            "changed": bool(self.changed),
            "files": list(self.changed),
        }


def read_checkout(folder: Path, *, dirty: bool, besides: Collection[str] = ()) -> Checkout:
    """The project's source; `besides` are files that stay out, and count as unchanged.

    Raises
    ------
    ArchiveError
        Outside a git repository of the project's own, and for changes where `dirty` is false.
    """
    _check_repository(folder)
    seconds = int(_git(folder, "show", "-s", "--format=%ct", "HEAD"))
    changed = tuple(name for name in _changed(folder) if name not in besides)
    if changed and not dirty:
        names = ", ".join(changed[:3]) + (", ..." if len(changed) > 3 else "")
        fix = "commit or undo them, or record them with DIRTY=1"
        raise ArchiveError("git", f"files were changed since the commit ({names})", fix)
    files = _working_files(folder) if changed else _committed_files(folder)
    return Checkout(
        commit=_git(folder, "rev-parse", "HEAD").strip(),
        moment=datetime.fromtimestamp(seconds, UTC),
        changed=changed,
        files={name: content for name, content in files.items() if name not in besides},
    )


def _check_repository(folder: Path) -> None:
    try:
        top = _git(folder, "rev-parse", "--show-toplevel").strip()
        _git(folder, "rev-parse", "--verify", "HEAD")
    except (OSError, subprocess.CalledProcessError):
        top = ""
    if not top or Path(top).resolve() != folder.resolve():
        fix = "run `git init && git add . && git commit` in it, or archive from a clone"
        raise ArchiveError("git", "the project's folder is no git repository with a commit", fix)


def _changed(folder: Path) -> list[str]:
    """Changed, added, removed and untracked files, in order."""
    status = _git(folder, "status", "--porcelain=v1", "-z", "--no-renames", "--untracked-files=all")
    return sorted(entry[3:] for entry in status.split("\0") if entry)


def _committed_files(folder: Path) -> dict[str, Content]:
    done = subprocess.run(
        ["git", "archive", "--format=tar", "HEAD"], cwd=folder, check=True, capture_output=True
    )
    files: dict[str, Content] = {}
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as tar:
        for member in tar:
            if member.issym() or member.islnk():
                _refuse_link(member.name)
            stream = tar.extractfile(member)
            if stream is not None:
                files[member.name] = stream.read()
    return files


def _working_files(folder: Path) -> dict[str, Content]:
    """Tracked and new files as they lie there; what git ignores stays out."""
    listed = _git(folder, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    files: dict[str, Content] = {}
    for name in sorted(set(filter(None, listed.split("\0")))):
        if (folder / name).is_symlink():
            _refuse_link(name)
        if (folder / name).is_file():
            files[name] = folder / name
    return files


def _refuse_link(name: str) -> None:
    fix = "put the file itself in its place"
    raise ArchiveError(name, "it is a symbolic link, which an archive cannot hold", fix)


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True)
    return done.stdout.decode("utf-8")
