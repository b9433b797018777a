"""requirements.in, the pinned requirements and environment.yml agree."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]

# Conda's names, where they differ from pip's.
CONDA_NAMES = {"snakemake": "snakemake-minimal", "pypandoc-binary": "pypandoc"}
# What conda installs and pip does not.
CONDA_ONLY = {"python", "git", "make", "quarto", "pandoc"}


def normalise(name: str) -> str:
    """A package name as package indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def read_requirements() -> set[str]:
    """The names in requirements.in."""
    lines = (ROOT / "requirements.in").read_text(encoding="utf-8").splitlines()
    requirements = (line.partition("#")[0].strip() for line in lines)
    return {normalise(re.split(r"[^\w.-]", line)[0]) for line in requirements if line}


def read_lock(name: str = "requirements.lock") -> dict[str, str]:
    """Each package's name and the rest of its entry in a file of pinned requirements."""
    text = (ROOT / name).read_text(encoding="utf-8")
    entries = re.split(r"^(?=[\w.-]+==)", text, flags=re.MULTILINE)[1:]
    return dict(entry.split("==", maxsplit=1) for entry in entries)


def read_locked_versions() -> dict[str, str]:
    """Each package's version in requirements.lock."""
    return {name: entry.split()[0] for name, entry in read_lock().items()}


def read_conda() -> dict[str, str]:
    """Names and versions in environment.yml; an empty version where it names none."""
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    pairs = (str(line).partition("=") for line in environment["dependencies"])
    return {name: version for name, _, version in pairs}


@pytest.mark.parametrize("name", sorted(read_requirements()))
def test_requirement_has_one_version_for_pip_and_conda(name: str) -> None:
    locked = read_locked_versions()
    assert name in locked, "run `make lock`"
    assert read_conda().get(CONDA_NAMES.get(name, name)) == locked[name]


def test_conda_has_nothing_unexplained() -> None:
    explained = {CONDA_NAMES.get(name, name) for name in read_requirements()} | CONDA_ONLY
    assert set(read_conda()) == explained


def test_conda_takes_no_default_channel() -> None:
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    assert environment["channels"] == ["conda-forge", "bioconda", "nodefaults"]


def test_lock_has_each_package_once() -> None:
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    names = re.findall(r"^([\w.-]+)==", text, flags=re.MULTILINE)
    assert sorted(names) == sorted(set(names))
    assert len(names) > len(read_requirements())


@pytest.mark.parametrize("path", ["requirements.lock", "requirements-crate.txt"])
def test_every_locked_package_has_hashes(path: str) -> None:
    bare = [name for name, entry in read_lock(path).items() if "--hash=sha256:" not in entry]
    assert bare == []


def test_tools_of_the_archive_are_pinned() -> None:
    assert {"roc-validator", "cyclonedx-bom"} <= set(read_lock("requirements-crate.txt"))


@pytest.mark.parametrize(
    "path", ["requirements.lock", "requirements-crate.txt", "requirements-quarto.txt"]
)
def test_pins_name_no_address(path: str) -> None:
    text = (ROOT / path).read_text(encoding="utf-8")
    assert not re.search(
        r"://|--(extra-)?index-url|--find-links|^\s*-[if]\s| @ ", text, re.MULTILINE
    )


def test_lock_is_for_linux_and_macos_only() -> None:
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert set(re.findall(r"sys_platform == '(\w+)'", text)) == {"linux", "darwin"}


def test_quarto_is_one_series_for_pip_and_conda() -> None:
    text = (ROOT / "requirements-quarto.txt").read_text(encoding="utf-8")
    pinned = re.search(r"^quarto-cli==(\d+\.\d+)\.\d+ ", text, re.MULTILINE)
    assert pinned is not None
    assert read_conda()["quarto"] == f"{pinned[1]}.*"
    assert "--hash=sha256:" in text
