"""A copy of the project with two tiny datasets, and the two ways in which a user runs it."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")
ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "tests" / "config"
PARTS = (
    *(
        "Snakefile",
        "Makefile",
        "environment.yml",
        "requirements.lock",
        "workflow",
        "tools",
        "profiles",
    ),
    *("reports", "LICENSE", "CITATION.cff", ".zenodo.json", ".gitignore"),
)
GENERATED = ("results", "data/processed", "reports/rendered")
TINY_CSV = "data/raw/tiny.csv"
# Of the caller's environment: what `make test` sets for its own, and Quarto's installation.
OURS = (
    *("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "ARGS", "CONFIG", "CORES", "PROFILE", "PYTHON", "STUDY"),
    "GROUPWISE",
)
MARK = "groupwise: "
PLAN = re.compile(r"^ *(\w+) +(\d+) {2}(.*?)(?: {2}\(.*\))?$", re.MULTILINE)


@dataclass(frozen=True)
class Elsewhere:
    """One thing that may not change any result: where, how, and with which variables a run is made."""

    folder: str = "project"
    cores: int = 2
    env: Mapping[str, str] = field(default_factory=dict)


ELSEWHERE = {
    "cores": Elsewhere(cores=1),
    "folder": Elsewhere(folder="a folder, with a space"),
    "locale": Elsewhere(env={"LANG": "C", "LC_ALL": "C"}),
    "time zone": Elsewhere(env={"TZ": "Pacific/Auckland"}),
    "hash seed": Elsewhere(env={"PYTHONHASHSEED": "7"}),
    "threads of BLAS": Elsewhere(
        env={"OPENBLAS_NUM_THREADS": "2", "OMP_NUM_THREADS": "2", "MKL_NUM_THREADS": "2"}
    ),
    "width of the console": Elsewhere(env={"COLUMNS": "60"}),
}

MADE_ELSEWHERE = (
    *("reports/rendered/drawn.html", "reports/rendered/drawn.json"),
    *("reports/rendered/drawn_tables.docx", "reports/rendered/drawn_tables.tex"),
    *("results/measured/estimates.csv", "results/families.csv"),
)


@dataclass(frozen=True)
class Run:
    """How a run ended, and all that it wrote to the console."""

    code: int
    console: str

    @property
    def sentences(self) -> list[str]:
        """What the console says of the user's mistakes."""
        lines = (line.strip() for line in self.console.splitlines())
        return [line.removeprefix(MARK) for line in lines if line.startswith(MARK)]

    @property
    def plan(self) -> dict[str, set[str]]:
        """Of a dry run under `make report`: the wildcards of each rule's jobs."""
        assert self.code == 0, self.console
        return {rule: set(filter(None, jobs.split(", "))) for rule, _, jobs in self.lines}

    @property
    def lines(self) -> list[tuple[str, str, str]]:
        found: list[tuple[str, str, str]] = PLAN.findall(self.console)
        return found


@dataclass(frozen=True)
class Project:
    """A folder with Groupwise in it."""

    folder: Path

    def snakemake(self, *arguments: str, env: Mapping[str, str] | None = None) -> Run:
        """Plain `snakemake`, with its default profile."""
        return self.run([sys.executable, "-m", "snakemake", *arguments], env)

    def make_report(self, arguments: str = "", env: Mapping[str, str] | None = None) -> Run:
        """`make report`, as the Makefile has it, in the environment of these tests."""
        return self.run(self.make_command(arguments), env)

    def both_ways(self) -> Iterator[Run]:
        """`make report`, then plain `snakemake`."""
        yield self.make_report()
        yield self.snakemake("--cores", "2")

    def make(self, *arguments: str, env: Mapping[str, str] | None = None) -> Run:
        """`make` with another target."""
        return self.run([*self.ready_make(), *arguments, "CORES=2"], env)

    def make_study(self, arguments: str = "", config: str = "", cores: int = 2) -> Run:
        """`make study`, with a configuration file to add."""
        command = [*self.make_command(arguments, cores), f"CONFIG={config}"]
        return self.run(["study" if each == "report" else each for each in command])

    def make_command(self, arguments: str = "", cores: int = 2) -> list[str]:
        """The command of `make report`."""
        return [*self.ready_make(), "report", f"CORES={cores}", f"ARGS={arguments}"]

    def ready_make(self) -> list[str]:
        """`make`, whose .venv is the environment of these tests, ready to use."""
        venv = self.folder / ".venv"
        if not venv.exists():
            venv.symlink_to(sys.prefix)
        return ["make", "-o", ".venv/.lock-stamp"]

    def run(self, command: list[str], env: Mapping[str, str] | None = None) -> Run:
        """Run a command in the project's folder."""
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment(env),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            check=False,
        )
        return Run(done.returncode, done.stdout)

    def environment(self, changed: Mapping[str, str] | None = None) -> dict[str, str]:
        """The caller's environment variables, but for those of a make around these tests."""
        kept = {key: value for key, value in os.environ.items() if key not in OURS}
        path = f"{Path(sys.executable).parent}{os.pathsep}{kept.get('PATH', os.defpath)}"
        return kept | {"PATH": path, "GROUPWISE_QUARTO": "off"} | dict(changed or {})

    def read(self, name: str) -> str:
        return (self.folder / name).read_text(encoding="utf-8")

    def write(self, name: str, content: str | bytes) -> None:
        data = content if isinstance(content, bytes) else content.encode("utf-8")
        (self.folder / name).write_bytes(data)

    def edit(self, name: str, old: str, new: str) -> None:
        """Replace a text that stands once in a file."""
        text = self.read(name)
        assert text.count(old) == 1, f"{name} has {old!r} {text.count(old)} times"
        self.write(name, text.replace(old, new))

    def copy(self, folder: Path) -> Project:
        """A copy that keeps the times of the files, which are what Snakemake looks at."""
        shutil.copytree(self.folder, folder, symlinks=True)
        return Project(folder)

    def made(self) -> dict[str, bytes]:
        """Digest of each generated file."""
        return self._each_made(lambda path: hashlib.sha256(path.read_bytes()).digest())

    def times(self) -> dict[str, int]:
        """When each generated file was written, in nanoseconds."""
        return self._each_made(lambda path: path.stat().st_mtime_ns)

    def _each_made(self, of: Callable[[Path], T]) -> dict[str, T]:
        """Something of each generated file, but for the notes of the data's check."""
        found = [path for part in GENERATED for path in (self.folder / part).rglob("*")]
        return {
            str(path.relative_to(self.folder)): of(path)
            for path in sorted(found)
            if path.is_file() and path.parent.name != "checked"
        }


def make_project(folder: Path) -> Project:
    """What is needed to run, as in a fresh clone, with the tiny datasets as its own."""
    project = make_data(folder)
    ignored = shutil.ignore_patterns("__pycache__", "rendered", ".quarto", "tests")
    for part in PARTS:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, folder / part, ignore=ignored)
        else:
            shutil.copy2(source, folder / part)
    return project


def make_data(folder: Path) -> Project:
    """The tiny datasets and their configuration, without the workflow."""
    (folder / "data" / "raw").mkdir(parents=True)
    shutil.copy2(CONFIG / "tiny.yaml", folder / "config.yaml")
    shutil.copy2(CONFIG / "tiny.csv", folder / TINY_CSV)
    (folder / "data" / "raw" / "SHA256SUMS").touch()
    return Project(folder)


def commit_all(folder: Path) -> None:
    """Make the folder a repository; the commit of the same files is the same on any machine."""
    who = {"NAME": "Nobody", "EMAIL": "nobody@example.org", "DATE": "2026-01-02T03:04:05+00:00"}
    env = {f"GIT_{role}_{key}": who[key] for role in ("AUTHOR", "COMMITTER") for key in who}
    env |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-q", "--allow-empty", "-m", "Tiny"]):
        subprocess.run(["git", *command], cwd=folder, env=os.environ | env, check=True)
