"""The files of the package that a rule runs: they follow from the imports of its script.

A rule has a digest of them among its parameters, which Snakemake compares with the one it recorded, so
that an edit reruns what uses it and nothing else. Only contents count. (As inputs these files were a
third of what a plan costs.) Imports are read, never executed; those inside functions count too.
Snakemake reads rules again in every job: files are read once a process, and only for the jobs that are
looked at.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from places import ROOT, of_tool

SCRIPTS = Path(__file__).parent
FOLDER = "workflow/scripts"
"""The folder of the scripts, from the tool's own."""

PACKAGES = ("groupwise", "raw_table")
"""Packages whose files count; scripts beside them are looked through."""

IMPORT = re.compile(
    r"^[ \t]*(?:from[ \t]+(?P<module>[\w.]+)[ \t]+import[ \t]+(?:\((?P<many>[^)]*)\)|(?P<few>[^\n#]+))"
    r"|import[ \t]+(?P<plain>[^\n#]+))",
    re.MULTILINE,
)
CELL = re.compile(r"^```\{python\}\n(.*?)^```", re.MULTILINE | re.DOTALL)


class PackageDigest:
    """A parameter of a rule: the digest of the files of the package that its script loads.

    Parameters
    ----------
    script : the script's name, which is that of the rule
    modules : what it loads by name, such as "groupwise.figures.{figure}"
    qmd : a document whose Python cells it runs, by its path from the tool's folder
    """

    def __init__(self, script: str, *modules: str, qmd: str = "") -> None:
        self.modules = (script, *modules)
        self.qmd = qmd

    def __call__(self, wildcards: Any) -> str:
        """What Snakemake records, as of any function among a rule's parameters."""
        return digest(*self._named(wildcards), qmd=self.qmd)

    def files(self, wildcards: Any) -> list[str]:
        """The files themselves, by their paths from the folder in which Snakemake works."""
        folder = of_tool(FOLDER)
        return [f"{folder}/{path}" for path in closure(*self._named(wildcards), qmd=self.qmd)]

    def _named(self, wildcards: Any) -> list[str]:
        return [module.format(**dict(wildcards.items())) for module in self.modules]


@cache
def digest(script: str, *modules: str, qmd: str = "") -> str:
    """The sha256 of the files of `closure`: of their paths from `FOLDER` and of what is in them."""
    whole = hashlib.sha256()
    for path in closure(script, *modules, qmd=qmd):
        whole.update(f"{path} {hashlib.sha256(content(path)).hexdigest()}\n".encode())
    return whole.hexdigest()


@cache
def closure(script: str, *modules: str, qmd: str = "") -> list[str]:
    """Files of `PACKAGES` that a script, further modules and a document load: sorted, from `FOLDER`."""
    waiting = [script, *modules, *(_imported(_cells(qmd)) if qmd else ())]
    seen: set[str] = set()
    while waiting:
        parts = waiting.pop().split(".")
        for k in range(1, len(parts) + 1):  # packages are loaded before what is in them
            name = ".".join(parts[:k])
            if name not in seen:
                seen.add(name)
                waiting += imports_of(name)
    paths = filter(None, map(file_of, seen))
    return sorted(path for path in paths if path.partition("/")[0] in PACKAGES)


@cache
def file_of(name: str) -> str:
    """The file of a module beside the scripts, relative to them; empty for modules of others."""
    stem = name.replace(".", "/")
    files = (f"{stem}.py", f"{stem}/__init__.py")
    return next((file for file in files if (SCRIPTS / file).is_file()), "")


@cache
def imports_of(name: str) -> tuple[str, ...]:
    """What a module imports, anywhere in it; nothing for modules of others."""
    file = file_of(name)
    return tuple(_imported(content(file).decode("utf-8"))) if file else ()


@cache
def content(file: str) -> bytes:
    """A file beside the scripts, read once."""
    return (SCRIPTS / file).read_bytes()


def _imported(code: str) -> Iterator[str]:
    """Dotted names; `from a import b` gives a and a.b, which may be a module too."""
    for statement in IMPORT.finditer(code):
        if statement["plain"]:
            yield from (each.split(" as ")[0].strip() for each in statement["plain"].split(","))
            continue
        yield statement["module"]
        names = re.sub(r"#.*", "", statement["many"] or statement["few"]).split(",")
        plain = (each.split(" as ")[0].strip() for each in names)
        yield from (f"{statement['module']}.{each}" for each in plain if each)


def _cells(qmd: str) -> str:
    return "\n".join(CELL.findall((ROOT / qmd).read_text(encoding="utf-8")))
