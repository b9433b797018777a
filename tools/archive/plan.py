"""What the workflow makes, from what and by which script, as Snakemake itself plans it."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from archive.errors import ArchiveError

MARK = "groupwise: "
RAW = "raw"  # the input of a rule that reads a file from outside the workflow


@dataclass(frozen=True)
class Job:
    """One job: its rule and script, its wildcards, and its files relative to the project.

    `code` are the files of the package that the script loads, of which the rule has a digest.
    """

    rule: str
    script: str
    wildcards: Mapping[str, str]
    inputs: tuple[str, ...]
    code: tuple[str, ...]
    outputs: tuple[str, ...]
    benchmark: str
    missing: bool


@dataclass(frozen=True)
class Plan:
    """The checked configuration with its defaults, the files it came from, and every job."""

    config: Mapping[str, Any]
    config_files: tuple[str, ...]
    jobs: tuple[Job, ...]
    quarto: str | None

    @cached_property
    def makers(self) -> dict[str, Job]:
        """The job that makes each file."""
        return {name: job for job in self.jobs for name in job.outputs}

    @cached_property
    def raw_files(self) -> dict[str, str]:
        """The raw file of each dataset that is read from one."""
        datasets = self.config["datasets"]
        return {name: block["file"] for name, block in datasets.items() if "file" in block}

    def needs(self, name: str) -> frozenset[str]:
        """The raw files without which a file cannot be made."""
        return self._needed[name]

    @cached_property
    def _needed(self) -> dict[str, frozenset[str]]:
        raw = set(self.raw_files.values())
        needed: dict[str, frozenset[str]] = {}

        def find(name: str) -> frozenset[str]:
            if name not in needed:
                job = self.makers.get(name)
                inputs = job.inputs if job else ()
                below = [find(each) for each in inputs if each in self.makers]
                needed[name] = frozenset(raw.intersection(inputs)).union(*below)
            return needed[name]

        for each in self.makers:
            find(each)
        return needed


def read_plan(folder: Path, config_files: Sequence[str] = ()) -> Plan:
    """The plan of `rule all` under config.yaml and further configuration files.

    Raises
    ------
    ArchiveError
        With the workflow's own sentence where the configuration has a mistake.
    """
    from snakemake.exceptions import WorkflowError

    try:
        with _in_folder(folder), _quiet():
            return _planned(folder, config_files)
    except WorkflowError as error:
        sentences = [line for line in str(error).splitlines() if MARK in line]
        problem = sentences[0].partition(MARK)[2] if sentences else " ".join(str(error).split())
        raise ArchiveError("workflow", problem.rstrip("."), "mend it, then run again") from None


def _planned(folder: Path, config_files: Sequence[str]) -> Plan:
    from snakemake.api import SnakemakeApi
    from snakemake.settings.types import ConfigSettings, OutputSettings, Quietness, ResourceSettings

    with SnakemakeApi(OutputSettings(quiet={Quietness.ALL})) as api:
        workflow_api = api.workflow(
            resource_settings=ResourceSettings(cores=1),
            config_settings=ConfigSettings(configfiles=[Path(name) for name in config_files]),
            snakefile=folder / "Snakefile",
        )
        workflow_api.dag().summary(detailed=True)  # the public call that builds the jobs
        workflow = workflow_api._workflow
        here = Path(workflow.overwrite_workdir or folder).resolve()
        jobs = [_job(job, workflow.dag, here) for job in workflow.dag.jobs if not job.is_norun]
        return Plan(
            config=_plain(workflow.globals["config"]),
            config_files=tuple(_relative(name, here) for name in workflow.configfiles),
            jobs=tuple(sorted(jobs, key=lambda job: job.outputs)),
            quarto=workflow.globals.get("QUARTO"),
        )


def _job(job: Any, dag: Any, here: Path) -> Job:
    script = job.rule.script
    path = (Path(str(job.rule.basedir)) / str(script)) if script else None
    return Job(
        rule=job.rule.name,
        script=_relative(os.path.normpath(path), here) if path else "",
        wildcards=dict(job.wildcards_dict),
        inputs=tuple(_relative(name, here) for name in job.input),
        code=tuple(job.rule.params.code.files(job.wildcards)) if script else (),
        outputs=tuple(_relative(name, here) for name in job.output),
        benchmark=_relative(job.benchmark, here) if job.benchmark else "",
        missing=bool(dag.needrun(job)),
    )


def _relative(name: object, here: Path) -> str:
    path = Path(str(name))
    return path.relative_to(here).as_posix() if path.is_relative_to(here) else path.as_posix()


def _plain(value: Any) -> Any:
    """Mappings and lists of any kind as Python's own, in the order they have."""
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value


@contextlib.contextmanager
def _in_folder(folder: Path) -> Iterator[None]:
    """Snakemake works where it is started, and its files put their folders on sys.path."""
    before, path = Path.cwd(), list(sys.path)
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
        sys.path[:] = path


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        yield
