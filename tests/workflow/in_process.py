"""The checks of a run without Snakemake around them: what its Snakefile calls, then its jobs' scripts.

Starting Snakemake takes seconds, and these checks milliseconds. That both say the same is held by a few
mistakes of each kind, which test_bad_config.py and test_bad_data.py make in a real run too.
"""

from __future__ import annotations

import contextlib
import logging
import runpy
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from checksums import read_sums
from configuration import (
    SCHEMA,
    ConfigError,
    check_configuration,
    check_file,
    expand_datasets,
)
from settings import Settings
from snakemake.common.configfile import load_configfile
from snakemake.utils import validate
from tiny_project import MARK, ROOT, Project, Run

CONFIG = "config.yaml"
SUMS = "data/raw/SHA256SUMS"
LOG = "job.log"


def check(project: Project) -> Run:
    """What a run says before it removes or makes anything but `data/processed/checked/`."""
    return _run(project, "check_data")


def ingest(project: Project) -> Run:
    """The same, and the analysis tables in `data/processed/`."""
    return _run(project, "check_data", "ingest_data")


def _run(project: Project, *scripts: str) -> Run:
    """Check the configuration, then run these scripts for each dataset that is read from a file."""
    with contextlib.chdir(project.folder):
        try:
            settings = _checked_settings()
        except ConfigError as error:
            return Run(1, f"{MARK}{error}\n")
        read = [name for name, block in settings.datasets.items() if "file" in block]
        for dataset in read:
            for script in scripts:
                code = _run_script(script, _job(settings, dataset))
                if code != 0:
                    return Run(code, Path(LOG).read_text(encoding="utf-8"))
    return Run(0, "")


def _checked_settings() -> Settings:
    """The configuration as workflow/rules/syntax.smk and common.smk check and complete it."""
    check_file(CONFIG)
    config = load_configfile(CONFIG)
    check_configuration(config, [Path.cwd() / CONFIG])
    config["datasets"] = expand_datasets(config["datasets"])
    read_sums(SUMS)
    validate(config, SCHEMA)
    return Settings(config, [CONFIG])


def _job(settings: Settings, dataset: str) -> SimpleNamespace:
    """What Snakemake gives to the scripts of workflow/rules/data.smk."""
    wildcards = SimpleNamespace(dataset=dataset)
    processed = Path("data/processed")
    checked = str(processed / "checked" / f"{dataset}.json")
    return SimpleNamespace(
        wildcards=wildcards,
        log=[LOG],
        input=SimpleNamespace(raw=settings.raw_file(wildcards), sums=SUMS, checked=checked),
        output=SimpleNamespace(
            checked=checked,
            data=str(processed / f"{dataset}.parquet"),
            missing=str(processed / "missing" / f"{dataset}.parquet"),
            design=f"results/{dataset}/design.json",
        ),
        params=SimpleNamespace(
            settings=settings.ingest(wildcards), title=dataset, note="", simulated=False
        ),
    )


def _run_script(name: str, job: Any) -> int:
    """The exit status of a job's script."""
    path = ROOT / "workflow" / "scripts" / f"{name}.py"
    with _logging_restored():
        try:
            runpy.run_path(str(path), {"snakemake": job}, "__main__")
        except SystemExit as end:
            return int(end.code or 0)
    return 0


@contextlib.contextmanager
def _logging_restored() -> Iterator[None]:
    """Scripts send logging and warnings to their log, and close the handlers that were there."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers.clear()
    try:
        yield
    finally:
        logging.captureWarnings(False)
        root.handlers[:] = handlers
        root.setLevel(level)
