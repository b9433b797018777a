"""Which rule and which script made every table, figure and page: exhibits.csv."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass, fields
from pathlib import Path, PurePosixPath

from archive.plan import Job, Plan

KINDS = {
    ".csv": "table",
    ".parquet": "table",
    ".svg": "figure",
    ".png": "figure",
    ".pdf": "figure",
    ".html": "page",
    ".txt": "text",
    ".json": "facts",
}
PARTS = ("results/", "reports/rendered/", "data/processed/")
"""Where the workflow puts what it makes."""


@dataclass(frozen=True)
class Exhibit:
    """One file that the workflow made. `needs` are raw files; `archived` is yes, or why not."""

    file: str
    kind: str
    dataset: str
    rule: str
    script: str
    code: str
    needs: str
    archived: str


def list_exhibits(plan: Plan, folder: Path, kept_out: Mapping[str, str]) -> list[Exhibit]:
    """Every file that a job makes, with those inside a folder that a job makes."""
    exhibits = []
    for output, job in plan.makers.items():
        for name in _files(folder, output):
            exhibits.append(
                Exhibit(
                    file=name,
                    kind=KINDS.get(PurePosixPath(name).suffix, "file"),
                    dataset=job.wildcards.get("dataset", ""),
                    rule=job.rule,
                    script=job.script,
                    code=_code(job, name),
                    needs=" ".join(sorted(plan.needs(output))),
                    archived=kept_out.get(output, "yes"),
                )
            )
    return sorted(exhibits, key=lambda each: each.file)


def write_exhibits(exhibits: Iterable[Exhibit]) -> bytes:
    """exhibits.csv."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([field.name for field in fields(Exhibit)])
    writer.writerows(astuple(each) for each in exhibits)
    return text.getvalue().encode("utf-8")


def read_exhibits(content: bytes) -> list[Exhibit]:
    """exhibits.csv, read."""
    rows = csv.DictReader(io.StringIO(content.decode("utf-8")))
    return [Exhibit(**row) for row in rows]


def _files(folder: Path, output: str) -> list[str]:
    path = folder / output
    if not path.is_dir():
        return [output]
    inside = (each for each in path.rglob("*") if each.is_file())
    return [each.relative_to(folder).as_posix() for each in inside]


def _code(job: Job, output: str) -> str:
    """The document a page is rendered from, or the module that a wildcard or the output names."""
    documents = [name for name in job.inputs if name.endswith(".qmd")]
    named = {*job.wildcards.values(), PurePosixPath(output).stem}
    modules = [name for name in job.code if PurePosixPath(name).stem in named]
    return " ".join([*documents, *modules])
