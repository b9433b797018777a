"""The licences of every locked package, and whether each lets our source be distributed under MIT.

    python -m archive.licences --write docs/licences.md

Each licence comes from the installed package's own metadata, or from the licence text it brings. What
the lock has for other systems or other Pythons, and is not installed here, is listed below by hand.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from importlib.metadata import Distribution, distributions
from pathlib import Path

from archive.lock import Locked, normalise, read_lock
from archive.output import print_or_write

LOCK = "requirements.lock"

COMPATIBLE = {
    **dict.fromkeys(
        ("MIT", "MIT-0", "MIT-CMU", "BSD-2-Clause", "BSD-3-Clause", "0BSD", "ISC", "Apache-2.0"),
        "permissive",
    ),
    **dict.fromkeys(("PSF-2.0", "Zlib", "CC0-1.0"), "permissive"),
    "MPL-2.0": "copyleft of its own files only, none of which is here",
}
"""Licences whose packages may be imported, or run, by source under MIT that contains none of them."""

ELSEWHERE = {
    "aiohappyeyeballs": "PSF-2.0",
    "aiohttp": "Apache-2.0 AND MIT",
    "aiosignal": "Apache-2.0",
    "appnope": "BSD-2-Clause",
    "cffi": "MIT-0",
    "frozenlist": "Apache-2.0",
    "multidict": "Apache-2.0",
    "propcache": "Apache-2.0",
    "pycparser": "BSD-3-Clause",
    "yarl": "Apache-2.0",
}
"""Packages for other systems and Pythons, read from the metadata of their wheels."""

CHOSEN = {
    "docutils": "BSD-2-Clause",  # public domain, some files BSD and PSF; what is GPL is not in the wheel
    "matplotlib": "PSF-2.0",  # its own licence, modelled on Python's
    "packaging": "Apache-2.0 OR BSD-2-Clause",
}
"""Where the metadata name several licences or a family of them: what the licence file says."""

BRINGS = {
    "numpy": "OpenBLAS (BSD-3-Clause) and GCC's runtime (GPL-3.0-or-later WITH GCC-exception-3.1)",
    "scipy": "OpenBLAS (BSD-3-Clause) and GCC's runtime (GPL-3.0-or-later WITH GCC-exception-3.1)",
    "pypandoc-binary": "Pandoc (GPL-2.0-or-later), run as a program of its own",
    "pulp": "CBC (EPL-2.0), run as a program of its own",
    "shfmt-py": "shfmt (BSD-3-Clause), run as a program of its own",
}
"""What wheels carry besides their own code."""

WRITTEN = {
    r"mit( license)?|the mit license.*": "MIT",
    r"mit license\s+copyright.*": "MIT",
    r"bsd[- ]3[- ]clause.*": "BSD-3-Clause",
    r"bsd[- ]2[- ]clause.*|2-clause bsd|simplified bsd": "BSD-2-Clause",
    r"apache(-| )?(license,? )?(version )?2(\.0)?|apache software license": "Apache-2.0",
    r"mpl[- ]2\.0|mozilla public license 2\.0.*": "MPL-2.0",
    r"isc( license)?.*": "ISC",
    r"psf-2\.0|python software foundation license": "PSF-2.0",
    r"mpl-2\.0 and mit": "MPL-2.0 AND MIT",
}
"""Ways of writing a licence, as patterns, and its identifier."""

PAGE = """\
# Licences of the locked packages

Made by `python -m archive.licences` from requirements.lock and the packages' own metadata; a test
keeps it in step. Groupwise's source is under MIT and contains no file of these packages: they are
installed beside it, and imported or run. All of these licences allow that; none of them changes the
licence of the source. Who passes on a whole environment (a container, say) passes on the packages,
and then each licence below applies to its package.

| package | version | licence | kind | brings |
|---|---|---|---|---|
"""


class UnknownLicenceError(ValueError):
    """A package whose licence is not known, or not known to be compatible."""


def licence_of(name: str, installed: Distribution | None) -> str:
    """The SPDX expression of a package's licence.

    Raises
    ------
    UnknownLicenceError
        Where neither metadata nor licence text name one that is known here.
    """
    if name in CHOSEN:
        return CHOSEN[name]
    if installed is None:
        if name in ELSEWHERE:
            return ELSEWHERE[name]
        raise UnknownLicenceError(f"{name}: not installed here; add its licence to ELSEWHERE")
    if expression := field(installed, "License-Expression"):
        return expression
    for said in _said(installed):
        for pattern, identifier in WRITTEN.items():
            if re.fullmatch(pattern, " ".join(said.split()).lower(), re.DOTALL):
                return identifier
    raise UnknownLicenceError(f"{name}: its metadata name no known licence; read its licence text")


def kinds(expression: str) -> list[str]:
    """What each licence of an expression asks for; an unknown one is an error."""
    named = re.findall(r"[A-Za-z0-9.+-]+", re.sub(r"\b(AND|OR)\b|[()]", " ", expression))
    unknown = [each for each in named if each not in COMPATIBLE]
    if unknown:
        problem = f"'{unknown[0]}' is not known to be compatible with MIT: read it, then add it"
        raise UnknownLicenceError(problem)
    return sorted({COMPATIBLE[each] for each in named})


def rows(lock: str) -> Iterator[tuple[Locked, str]]:
    """Each locked package with its licence."""
    installed = {normalise(each.metadata["Name"] or ""): each for each in distributions()}
    for name, locked in read_lock(lock).items():
        yield locked, licence_of(name, installed.get(name))


def page(found: Iterable[tuple[Locked, str]]) -> str:
    """docs/licences.md."""
    lines = []
    for locked, licence in found:
        kind = "; ".join(kinds(licence))
        brings = BRINGS.get(locked.name, "")
        lines.append(f"| {locked.name} | {locked.version} | {licence} | {kind} | {brings} |\n")
    return PAGE + "".join(lines).replace("|  |", "| |")


def field(installed: Distribution, name: str) -> str:
    """A field of a package's metadata, empty where it has none."""
    return str(installed.metadata[name] or "") if name in installed.metadata else ""


def _said(installed: Distribution) -> Iterator[str]:
    """What metadata and licence texts say of the licence, the most definite first."""
    written = field(installed, "License")
    if written and len(written) < 60:
        yield written
    for classifier in installed.metadata.get_all("Classifier") or []:
        if classifier.startswith("License :: OSI Approved :: "):
            yield classifier.rpartition(" :: ")[2]
    texts = [
        written,
        *(file.read_text() for file in installed.files or () if _is_licence(file.name)),
    ]
    for text in texts:
        whole = " ".join((text or "").split()).lower()
        opening = whole[:600]
        if "permission is hereby granted, free of charge" in opening or opening.startswith(
            "mit lic"
        ):
            yield "MIT"
        elif "redistribution and use in source and binary forms" in opening:
            yield "BSD-3-Clause" if "neither the name" in whole else "BSD-2-Clause"


def _is_licence(name: str) -> bool:
    return name.upper().startswith(("LICENSE", "LICENCE", "COPYING"))


def main() -> None:
    """Print the page, or write it into a file."""
    try:
        text = page(rows(Path(LOCK).read_text(encoding="utf-8")))
    except UnknownLicenceError as error:
        raise SystemExit(f"{LOCK}: {error}.") from None
    print_or_write(text, __doc__)


if __name__ == "__main__":
    main()
