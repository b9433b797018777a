"""What is imported is required, and requirements, locks and environment.yml agree."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]

# Conda's names, where they differ from pip's.
CONDA_NAMES = {"snakemake": "snakemake-minimal", "pypandoc-binary": "pypandoc"}
LOCKS = ("requirements.lock", "requirements-test.lock")
"""What reports need, and what tests and style need besides."""

PINNED = (*LOCKS, "requirements-crate.txt")
# Packages whose modules have another name.
PACKAGES = {"yaml": "pyyaml", "pypandoc": "pypandoc-binary"}
# Programs that run in an environment of their own: .venv/crate, and benchmarks/jobs.
ELSEWHERE = {"tools/archive/roc_program.py", "benchmarks/lme_python_fit.py"}
TESTS = ("tests", "tools/tests", "conftest.py")
# Where modules of the project are imported from.
FOLDERS = (
    "workflow/scripts",
    "tools",
    "tools/console",
    "tools/setup",
    "benchmarks",
    "tests",
    "tests/*",
)
# What conda installs and pip does not.
CONDA_ONLY = {"python", "git", "make", "quarto", "pandoc"}


def normalise(name: str) -> str:
    """A package name as package indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def read_requirements(name: str) -> set[str]:
    """The names in a file of direct requirements."""
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    requirements = (line.partition("#")[0].strip() for line in lines)
    return {normalise(re.split(r"[^\w.-]", line)[0]) for line in requirements if line}


FOR_REPORTS = read_requirements("requirements.in")
FOR_TESTS = read_requirements("requirements-test.in")


def read_lock(name: str) -> dict[str, str]:
    """Each package's name and the rest of its entry in a file of pinned requirements."""
    text = (ROOT / name).read_text(encoding="utf-8")
    entries = re.split(r"^(?=[\w.-]+==)", text, flags=re.MULTILINE)[1:]
    return dict(entry.split("==", maxsplit=1) for entry in entries)


def read_versions(name: str) -> dict[str, str]:
    """Each package's version in a lock."""
    return {name: entry.split()[0] for name, entry in read_lock(name).items()}


def read_conda() -> dict[str, str]:
    """Names and versions in environment.yml; an empty version where it names none."""
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    pairs = (str(line).partition("=") for line in environment["dependencies"])
    return {name: version for name, _, version in pairs}


def code_of(path: Path) -> str:
    """The Python in a file: all of it, the cells of a Quarto document, or a Snakefile's imports."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        return text
    if path.suffix == ".qmd":
        return "\n".join(re.findall(r"^```{python}\n(.*?)^```", text, re.MULTILINE | re.DOTALL))
    lines = re.findall(r"^(?:import|from) .*?(?:\(.*?\))?$", text, re.MULTILINE | re.DOTALL)
    return "\n".join(lines)


def is_test(path: Path) -> bool:
    """Whether a file is there for the tests."""
    return any(path.is_relative_to(ROOT / part) for part in TESTS)


def sources() -> Iterator[Path]:
    """Every file with Python of the project."""
    yield from (ROOT / "Snakefile", ROOT / "conftest.py")
    for part in ("workflow", "reports", "tools", "benchmarks", "tests"):
        for suffix in ("py", "qmd", "smk"):
            yield from sorted((ROOT / part).rglob(f"*.{suffix}"))


def imported(path: Path) -> Iterator[str]:
    """The first part of the name of each module that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(code_of(path))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


def packages_of(paths: list[Path]) -> dict[str, str]:
    """The packages of others that files import, each with one of the files."""
    ours = {path.stem for folder in FOLDERS for path in ROOT.glob(f"{folder}/*")}
    apart = ours | sys.stdlib_module_names
    needed = {
        PACKAGES.get(name, normalise(name)): str(path.relative_to(ROOT))
        for path in paths
        for name in imported(path)
        if name not in apart
    }
    assert needed
    return needed


def test_reports_import_only_what_is_installed_for_them() -> None:
    paths = [path for path in sources() if not is_test(path)]
    needed = packages_of([path for path in paths if str(path.relative_to(ROOT)) not in ELSEWHERE])
    locked = read_lock("requirements.lock")
    assert {name: path for name, path in needed.items() if name not in locked} == {}
    assert {"numpy", "pyarrow", "pypandoc-binary", "snakemake", "nbclient"} <= set(needed)


def test_tests_import_only_what_is_installed_for_them() -> None:
    needed = packages_of([path for path in sources() if is_test(path)])
    locked = {name for lock in LOCKS for name in read_lock(lock)}
    assert {name: path for name, path in needed.items() if name not in locked} == {}
    assert {"pytest", "hypothesis", "numpy"} <= set(needed)


def test_reports_install_nothing_of_the_tests() -> None:
    assert FOR_TESTS.isdisjoint(FOR_REPORTS)
    assert FOR_TESTS.isdisjoint(read_lock("requirements.lock"))


def test_package_in_both_locks_has_one_version() -> None:
    reports, tests = (read_versions(lock) for lock in LOCKS)
    both = reports.keys() & tests.keys()
    assert both, "the tests share packages with the reports"
    assert {name for name in both if reports[name] != tests[name]} == set(), "run `make lock`"


@pytest.mark.parametrize(
    ("name", "lock"),
    [(name, LOCKS[0]) for name in sorted(FOR_REPORTS)]
    + [(name, LOCKS[1]) for name in sorted(FOR_TESTS)],
)
def test_requirement_has_one_version_for_pip_and_conda(name: str, lock: str) -> None:
    locked = read_versions(lock)
    assert name in locked, "run `make lock`"
    assert read_conda().get(CONDA_NAMES.get(name, name)) == locked[name]


def test_conda_has_nothing_unexplained() -> None:
    explained = {CONDA_NAMES.get(name, name) for name in FOR_REPORTS | FOR_TESTS} | CONDA_ONLY
    assert set(read_conda()) == explained


def test_conda_takes_no_default_channel() -> None:
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    assert environment["channels"] == ["conda-forge", "bioconda", "nodefaults"]


@pytest.mark.parametrize("lock", LOCKS)
def test_lock_has_each_package_once(lock: str) -> None:
    text = (ROOT / lock).read_text(encoding="utf-8")
    names = re.findall(r"^([\w.-]+)==", text, flags=re.MULTILINE)
    assert sorted(names) == sorted(set(names))
    assert set(names) > (FOR_REPORTS if lock == LOCKS[0] else FOR_TESTS)


@pytest.mark.parametrize("path", PINNED)
def test_every_locked_package_has_hashes(path: str) -> None:
    bare = [name for name, entry in read_lock(path).items() if "--hash=sha256:" not in entry]
    assert bare == []


def test_tools_of_the_archive_are_pinned() -> None:
    assert {"roc-validator", "cyclonedx-bom"} <= set(read_lock("requirements-crate.txt"))


@pytest.mark.parametrize("path", [*PINNED, "requirements-quarto.txt"])
def test_pins_name_no_address(path: str) -> None:
    text = (ROOT / path).read_text(encoding="utf-8")
    assert not re.search(
        r"://|--(extra-)?index-url|--find-links|^\s*-[if]\s| @ ", text, re.MULTILINE
    )


@pytest.mark.parametrize("lock", LOCKS)
def test_lock_is_for_linux_and_macos_only(lock: str) -> None:
    text = (ROOT / lock).read_text(encoding="utf-8")
    assert set(re.findall(r"sys_platform == '(\w+)'", text)) == {"linux", "darwin"}


def test_quarto_is_one_series_for_pip_and_conda() -> None:
    text = (ROOT / "requirements-quarto.txt").read_text(encoding="utf-8")
    pinned = re.search(r"^quarto-cli==(\d+\.\d+)\.\d+ ", text, re.MULTILINE)
    assert pinned is not None
    assert read_conda()["quarto"] == f"{pinned[1]}.*"
    assert "--hash=sha256:" in text
