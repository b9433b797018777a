"""`make verify`: the archive is whole, and the workflow in it gives the same numbers here.

Sums, crate, an empty folder, the environment from the lock, the run, the comparison, a report.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from archive import container, crate, environment, roc
from archive.collect import SOURCE, STATEMENT
from archive.compare import Comparison, Tolerances, compare_file
from archive.errors import ArchiveError
from archive.exhibits import Exhibit, read_exhibits
from archive.run import make_environment, output_of, run_workflow, this_python

PROVED, FAILED, IN_PART = 0, 1, 3
LAST_LINE = {
    PROVED: "PROVED: the archive is whole, and the workflow gives the same results here.",
    FAILED: "FAILED: see above.",
    IN_PART: "PROVED IN PART: all that could be compared agrees; some data were not there (see above).",
}


@dataclass(frozen=True)
class Request:
    """What the user asks for: `here` takes the present environment, `data` holds unshared files."""

    archive: Path
    cores: str = "all"
    here: bool = False
    data: Path | None = None
    keep: Path | None = None
    python: str = "python3"


@dataclass
class Report:
    """The lines of the report, printed as they come."""

    lines: list[str] = field(default_factory=list)

    def say(self, line: str) -> None:
        """One line."""
        self.lines.append(line)
        print(line, flush=True)

    def head(self, text: str) -> None:
        """The heading of a step."""
        self.say(f"\n{text}\n{'-' * len(text)}")


@dataclass(frozen=True)
class _Unpacked:
    """The archive in its folder, and what it says of itself."""

    folder: Path
    statement: dict[str, Any]
    exhibits: list[Exhibit]
    tolerances: Tolerances
    environment: dict[str, Any]

    @property
    def source(self) -> Path:
        return self.folder / SOURCE


def verify(request: Request, report: Report) -> int:
    """Every step in turn; PROVED, FAILED or IN_PART.

    Raises
    ------
    ArchiveError
        For what is no archive, or cannot be unpacked safely.
    """
    report.say(f"Archive: {request.archive.name}")
    with _scratch(request.keep) as folder:
        if not _is_whole(request.archive, folder, report):
            return FAILED
        unpacked = _unpack(request.archive, folder / "package")
        if not _crate_is_valid(unpacked, report):
            return FAILED
        missing = _bring_data(unpacked, request, report)
        python = _environment(unpacked, request, report)
        targets = [each for each in unpacked.exhibits if not set(each.needs.split()) & missing]
        if not _run(unpacked, request, python, targets, missing, report):
            return FAILED
        comparisons = _compare(unpacked, python, targets, report)
        if any(each.failed for each in comparisons) or not comparisons:
            return FAILED
        return IN_PART if missing else PROVED


@contextlib.contextmanager
def _scratch(keep: Path | None) -> Iterator[Path]:
    """The folder that the user wants to keep, or one that is removed afterwards."""
    if keep is None:
        with tempfile.TemporaryDirectory(
            prefix="groupwise-verify-", ignore_cleanup_errors=True
        ) as folder:
            yield Path(folder)
        return
    if keep.exists() and any(keep.iterdir()):
        raise ArchiveError(
            str(keep), "the folder is not empty", "name an empty or a new one as KEEP"
        )
    keep.mkdir(parents=True, exist_ok=True)
    yield keep


def _is_whole(path: Path, scratch: Path, report: Report) -> bool:
    report.head("1. Sums")
    wrong = container.find_damage(path, scratch)
    for sentence in wrong:
        report.say(f"  {sentence}.")
    names = container.read_names(path) if not wrong else []
    if names:
        report.say(f"  {len(names)} files, every byte as it was written.")
    return not wrong


def _unpack(path: Path, folder: Path) -> _Unpacked:
    container.unpack(path, folder)
    try:
        return _Unpacked(
            folder=folder,
            statement=_json(folder / STATEMENT),
            exhibits=read_exhibits((folder / "exhibits.csv").read_bytes()),
            tolerances=Tolerances.from_mapping(
                yaml.safe_load((folder / "tolerances.yaml").read_text(encoding="utf-8"))
            ),
            environment=_json(folder / "environment" / "environment.json"),
        )
    except FileNotFoundError as error:
        name = Path(str(error.filename)).name
        fix = "verify what `make archive` made"
        raise ArchiveError(path.name, f"it is no archive of Groupwise's: no {name}", fix) from None


def _crate_is_valid(unpacked: _Unpacked, report: Report) -> bool:
    report.head("2. RO-Crate")
    content = (unpacked.folder / crate.NAME).read_bytes()
    names = (each.relative_to(unpacked.folder).as_posix() for each in unpacked.folder.rglob("*"))
    wrong = crate.check_crate(content, names)
    if not wrong:
        report.say("  Structure: the workflow, its run, and every file that is listed are there.")
        wrong = roc.validate(unpacked.folder, report.say)
    for sentence in wrong:
        report.say(f"  {sentence}.")
    return not wrong


def _bring_data(unpacked: _Unpacked, request: Request, report: Report) -> set[str]:
    """Put the files that are not shared in their places; those that are still missing."""
    missing = set()
    for name, entry in unpacked.statement["not_shared"].items():
        source = _given(name, entry["sha256"], request.data)
        if source is None:
            missing.add(name)
            report.say(
                f"\nNot shared: {name} (datasets {', '.join(entry['datasets'])}; sha256 "
                f"{entry['sha256']}). To verify these too, put the file into a folder and name it: "
                f"make verify ARCHIVE=... DATA=that/folder"
            )
        else:
            target = unpacked.source / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
    if missing:
        _leave_out(unpacked, missing)
    return missing


def _given(name: str, listed: str, data: Path | None) -> Path | None:
    """The user's copy of a file, by its path or its name below the folder `data`."""
    for path in (data / name, data / Path(name).name) if data else ():
        if path.is_file():
            if container.sha256(path) != listed:
                fix = f"bring the file whose sha256 is {listed}"
                raise ArchiveError(str(path), "it is not the file that was analysed", fix)
            return path
    return None


def _leave_out(unpacked: _Unpacked, missing: set[str]) -> None:
    """Take datasets whose file is not there out of every configuration file."""
    for name in unpacked.statement["config_files"]:
        path = unpacked.source / name
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
        datasets = config.get("datasets", {})
        kept = {key: block for key, block in datasets.items() if block.get("file") not in missing}
        if kept != datasets:
            text = yaml.safe_dump(config | {"datasets": kept}, sort_keys=False, allow_unicode=True)
            path.write_text(text, encoding="utf-8")


def _environment(unpacked: _Unpacked, request: Request, report: Report) -> str:
    """The Python to run with."""
    report.head("3. Environment")
    if request.here:
        report.say("  The present one (ENV=here); it was not made from the archive's lock.")
        return this_python()
    if make_environment(unpacked.source, request.python) != 0:
        fix = "see above; ENV=here verifies with the present environment"
        raise ArchiveError("requirements.lock", "the environment could not be made", fix)
    report.say("  Made from the archive's lock.")
    return str(unpacked.source.resolve() / ".venv" / "bin" / "python")


def _run(
    unpacked: _Unpacked,
    request: Request,
    python: str,
    exhibits: Sequence[Exhibit],
    missing: set[str],
    report: Report,
) -> bool:
    report.head("4. Run")
    if not exhibits:
        report.say("  There is nothing that can be made without the data that are not shared.")
        return False
    # Without data that are missing, what is made of all datasets cannot be asked for.
    targets = [each.file for each in exhibits] if missing else []
    code = run_workflow(
        unpacked.source,
        python,
        cores=request.cores,
        config_files=unpacked.statement["config_files"],
        targets=targets,
        quarto=unpacked.environment["renderer"] != environment.PREVIEW,
    )
    report.say("  The workflow ran to its end." if code == 0 else "  The workflow failed.")
    return code == 0


def _compare(
    unpacked: _Unpacked, python: str, exhibits: Sequence[Exhibit], report: Report
) -> list[Comparison]:
    report.head("5. Comparison")
    here = json.loads(output_of(unpacked.source, python, "-m", "archive.environment"))
    lock = (unpacked.source / "requirements.lock").read_text(encoding="utf-8")
    other = environment.differences(unpacked.environment, here, lock)
    elsewhere = f"another platform: {'; '.join(other)}" if other else ""
    if elsewhere:
        report.say(f"  Figures, pages and texts are not compared: {elsewhere}.")
    again = {each.file for each in exhibits}
    comparisons = [
        compare_file(
            each.file,
            unpacked.folder / each.file,
            unpacked.source / each.file,
            unpacked.tolerances,
            elsewhere=elsewhere,
        )
        for each in unpacked.exhibits
        if each.archived == "yes" and each.file in again
    ]
    for line in _summary(comparisons, unpacked, again):
        report.say(f"  {line}")
    return comparisons


def _summary(
    comparisons: Sequence[Comparison], unpacked: _Unpacked, again: set[str]
) -> Iterator[str]:
    """A line for each kind of file, then each difference, then what was not compared."""
    kinds = {each.file: each.kind for each in unpacked.exhibits}
    counts = Counter((kinds[each.file], each.outcome) for each in comparisons)
    words = {"close": "equal within the tolerances", "equal": "equal byte for byte"}
    for (kind, outcome), number in sorted(counts.items()):
        yield f"{kind:8} {number:5} {words.get(outcome, outcome)}"
    for each in comparisons:
        if each.failed:
            yield from (f"{detail}." for detail in each.details)
    left = [each for each in unpacked.exhibits if each.file not in again]
    if left:
        yield f"not run again: {len(left)} files that need data that are not shared"
    out = [each for each in unpacked.exhibits if each.archived != "yes" and each.file in again]
    if out:
        yield f"made again, but not in the archive to compare with: {len(out)} files"


def _json(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content
