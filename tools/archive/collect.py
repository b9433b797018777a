"""Everything that goes into the archive, by its name there."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from archive import citation, codebook, crate, environment, exhibits, readme, runtimes, sbom
from archive.checkout import Checkout, read_checkout
from archive.container import SUMS, Content, sha256, sums_of
from archive.errors import ArchiveError
from archive.plan import Plan
from archive.run import this_python
from archive.sharing import Sharing, read_sharing

STATEMENT = "archive.json"
SOURCE = "source/"
RECORD = ".source.json"
TOLERANCES = "tools/archive/tolerances.yaml"
AT_THE_TOP = {
    "LICENSE": "LICENSE",
    "CITATION.cff": "CITATION.cff",
    ".zenodo.json": ".zenodo.json",
    "requirements.lock": "environment/requirements.lock",
    "environment.yml": "environment/environment.yml",
    TOLERANCES: "tolerances.yaml",
}
"""Files of the source that stand in the archive's own folders too."""


@dataclass(frozen=True)
class Collected:
    """The archive's entries, what the workflow made that stays out, and hints for its maker."""

    entries: dict[str, Content]
    checkout: Checkout
    kept_out: Mapping[str, str]
    hints: tuple[str, ...]


@dataclass(frozen=True)
class _Project:
    """What was read of the project, before anything is written about it."""

    folder: Path
    plan: Plan
    checkout: Checkout
    sharing: Sharing
    kept_out: Mapping[str, str]
    exhibits: list[exhibits.Exhibit]
    runtimes: list[runtimes.Runtime]
    raw: Mapping[str, Any]
    citation: Mapping[str, Any]
    environment: Mapping[str, Any]
    bill: bytes | None
    page: str

    @property
    def withheld(self) -> dict[str, str]:
        """The sum of each raw file that is not shared."""
        return {name: self.raw[name]["sha256"] for name in sorted(self.sharing.files)}


def collect(folder: Path, plan: Plan, *, dirty: bool) -> Collected:
    """Read the project and make every entry of its archive.

    Raises
    ------
    ArchiveError
        For what is missing, unfinished, changed, or lies outside the project.
    """
    _check_finished(folder, plan)
    project = _read(folder, plan, dirty=dirty)
    entries: dict[str, Content] = dict(_source(project))
    entries |= _top(entries)
    entries |= {
        each.file: folder / each.file for each in project.exhibits if each.archived == "yes"
    }
    entries |= _about(project)
    outputs = sorted(each.file for each in project.exhibits if each.archived == "yes")
    size = sum(len(c) if isinstance(c, bytes) else c.stat().st_size for c in entries.values())
    entries["README.md"] = readme.write_readme(_facts(project, size))
    entries[crate.NAME] = _crate(project, entries, outputs)
    entries[SUMS] = sums_of(entries)
    return Collected(entries, project.checkout, project.kept_out, tuple(_hints(project)))


def check_inside(plan: Plan) -> None:
    """Files outside the project would put a path of this machine into the archive: an ArchiveError."""
    named = [(f"datasets.{name}.file", file) for name, file in plan.raw_files.items()]
    named += [("--configfile", file) for file in plan.config_files]
    for key, name in named:
        if Path(name).is_absolute() or ".." in Path(name).parts:
            problem = f"'{name}' lies outside the project, where an archive cannot take it from"
            raise ArchiveError(key, problem, "copy it into the project, and name it there")


def _check_finished(folder: Path, plan: Plan) -> None:
    for job in plan.jobs:
        gone = [name for name in job.outputs if not (folder / name).exists()]
        if job.missing or gone:
            name = (gone or list(job.outputs))[0]
            raise ArchiveError(name, "it is not made, or not up to date", "run `make report` first")


def _read(folder: Path, plan: Plan, *, dirty: bool) -> _Project:
    sharing = read_sharing(plan)
    checkout = read_checkout(folder, dirty=dirty, besides=sharing.files)
    for name in AT_THE_TOP:
        if name not in checkout.files:
            raise ArchiveError(name, "the source has no such file", "bring it back and commit it")
    outputs = [name for job in plan.jobs for name in job.outputs]
    reasons = {name: sharing.why_out(folder, name, plan) for name in outputs}
    kept_out = {name: reason for name, reason in sorted(reasons.items()) if reason}
    return _Project(
        folder=folder,
        plan=plan,
        checkout=checkout,
        sharing=sharing,
        kept_out=kept_out,
        exhibits=exhibits.list_exhibits(plan, folder, kept_out),
        runtimes=runtimes.read_runtimes(folder, plan),
        raw=codebook.describe_raw(folder, plan),
        citation=citation.read_citation(_text(checkout.files["CITATION.cff"])),
        environment=environment.describe(plan.quarto),
        bill=sbom.bill_of_materials(this_python(), checkout.moment),
        page=_text(checkout.files.get(codebook.PAGE, b"")),
    )


def _source(project: _Project) -> dict[str, Content]:
    """The checkout, with what the run needed besides: raw and configuration files git leaves out."""
    files = dict(project.checkout.files)
    for name in (*project.plan.raw_files.values(), *project.plan.config_files):
        if name not in project.sharing.files:
            files.setdefault(name, project.folder / name)
    files[RECORD] = _json(project.checkout.record)
    return {SOURCE + name: content for name, content in files.items()}


def _top(entries: Mapping[str, Content]) -> dict[str, Content]:
    return {target: entries[SOURCE + name] for name, target in AT_THE_TOP.items()}


def _about(project: _Project) -> dict[str, Content]:
    """What is written about data, environment, configuration and run."""
    raw_sums = "".join(
        f"{entry['sha256']}  {name}\n" for name, entry in sorted(project.raw.items())
    )
    made: dict[str, Content] = {
        "config.resolved.yaml": _yaml(project.plan.config),
        "data/codebook.json": _json(project.raw),
        "data/SHA256SUMS": raw_sums.encode("utf-8"),
        "environment/environment.json": _json(project.environment),
        "exhibits.csv": exhibits.write_exhibits(project.exhibits),
        "runtimes.csv": runtimes.write_runtimes(project.runtimes),
        STATEMENT: _json(_statement(project)),
    }
    if project.bill is not None:
        made["environment/sbom.cdx.json"] = project.bill
    if project.page:
        made[codebook.PAGE] = project.page.encode("utf-8")
    if project.checkout.changed:
        made["changes.patch"] = _patch(project)
    return made


def _statement(project: _Project) -> dict[str, Any]:
    """What `verify` has to know before it runs anything."""
    return {
        "commit": project.checkout.commit,
        "date": project.checkout.moment.isoformat(),
        "changed": list(project.checkout.changed),
        "config_files": list(project.plan.config_files),
        "not_shared": {
            name: {"sha256": sum_, "datasets": project.raw[name]["datasets"]}
            for name, sum_ in project.withheld.items()
        },
        "kept_out": dict(project.kept_out),
    }


def _patch(project: _Project) -> bytes:
    closed = [f":(exclude){name}" for name in sorted(project.sharing.files)]
    command = ["git", "diff", "--binary", "--no-ext-diff", "--no-color", "HEAD", "--", ".", *closed]
    return subprocess.run(command, cwd=project.folder, check=True, capture_output=True).stdout


def _facts(project: _Project, size: int) -> readme.Facts:
    return readme.Facts(
        citation=project.citation,
        commit=project.checkout.commit,
        moment=project.checkout.moment,
        changed=project.checkout.changed,
        config=project.plan.config,
        config_files=project.plan.config_files,
        environment=project.environment,
        has_bill=project.bill is not None,
        exhibits=project.exhibits,
        runtimes=project.runtimes,
        raw=project.raw,
        page=project.page,
        withheld=project.withheld,
        size=size,
    )


def _crate(project: _Project, entries: Mapping[str, Content], outputs: list[str]) -> bytes:
    sizes = {
        name: len(content) if isinstance(content, bytes) else content.stat().st_size
        for name, content in sorted(entries.items())
    }
    inputs = [*sorted(set(project.plan.raw_files.values()) - project.sharing.files)]
    inputs += [name for name in project.plan.config_files if name not in inputs]
    scripts = sorted({each.script for each in project.exhibits if each.script})
    return crate.write_crate(
        crate.Described(
            citation=project.citation,
            commit=project.checkout.commit,
            moment=project.checkout.moment,
            snakemake=project.environment["packages"]["snakemake"],
            sizes=sizes,
            inputs=[SOURCE + name for name in inputs],
            outputs=outputs,
            scripts=[SOURCE + name for name in scripts],
            withheld=project.withheld,
        )
    )


def _hints(project: _Project) -> list[str]:
    """What a data editor would ask for."""
    hints = [
        f"{codebook.PAGE} has no section '## {Path(name).name}': say there where the data come from, "
        "the rights in them, and what each column means."
        for name in project.raw
        if not codebook.section(project.page, name)
    ]
    if project.bill is None:
        hints.append(f"no bill of materials: {sbom.MISSING}.")
    if project.kept_out:
        datasets = ", ".join(project.sharing.datasets)
        hints.append(
            f"share: false ({datasets}): {len(project.kept_out)} files stay out; "
            "exhibits.csv says which and why."
        )
    return hints


def _text(content: Content) -> str:
    return (content if isinstance(content, bytes) else content.read_bytes()).decode("utf-8")


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode("utf-8")


def _yaml(value: Any) -> bytes:
    text = yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=100)
    return f"# The whole configuration, defaults filled in.\n{text}".encode()


def digest_of_results(entries: Mapping[str, Content]) -> str:
    """One sum over everything the workflow made: the same wherever the results are the same."""
    made = {name: entries[name] for name in entries if name.startswith(exhibits.PARTS)}
    return sha256(sums_of(made))
