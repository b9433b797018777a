"""What ran: Python and packages, BLAS and its threads, the platform; nothing that names the machine.

    python -m archive.environment

prints it as JSON.
"""

from __future__ import annotations

import ctypes
import json
import os
import platform
import re
import subprocess
from collections.abc import Iterator, Mapping
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

PREVIEW = "preview renderer"
THREADS = (
    *("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"),
    *("VECLIB_MAXIMUM_THREADS", "NUMEXPR_NUM_THREADS"),
)
SAME = ("system", "machine", "libc", "python", "blas", "renderer", "packages")
"""Where all of these agree, figures and pages are expected to have the same bytes."""


def describe(quarto: str | None) -> dict[str, Any]:
    """The environment as it is archived; `quarto` is the executable that renders, or None."""
    return {
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "system": platform.system(),
        "machine": platform.machine(),
        "libc": " ".join(platform.libc_ver()).strip(),
        "cores": os.cpu_count(),
        "blas": _blas(),
        "threads": {name: os.environ[name] for name in THREADS if name in os.environ},
        "renderer": _renderer(quarto),
        "packages": dict(sorted(_packages())),
    }


def differences(archived: Mapping[str, Any], here: Mapping[str, Any], lock: str) -> list[str]:
    """In which respects two environments are not the same platform, in words.

    Of packages, those named in `lock`, the text of requirements.lock, count; no other is ever loaded.
    """
    locked = {canonicalize_name(name) for name in re.findall(r"^([\w.-]+)==", lock, re.MULTILINE)}
    different = []
    for key in SAME:
        if archived.get(key) == here.get(key):
            continue
        if key == "packages":
            names = sorted(dict(archived[key].items() ^ here[key].items()).keys() & locked)
            if not names:
                continue
            different.append(
                f"packages ({', '.join(names[:5])}{', ...' if len(names) > 5 else ''})"
            )
        else:
            different.append(f"{key} ({archived.get(key)}; here {here.get(key)})")
    return different


def _packages() -> Iterator[tuple[str, str]]:
    for each in distributions():
        if each.metadata["Name"]:
            yield canonicalize_name(each.metadata["Name"]), each.version


def _renderer(quarto: str | None) -> str:
    if quarto is None:
        return PREVIEW
    done = subprocess.run([quarto, "--version"], capture_output=True, text=True, check=False)
    return f"Quarto {done.stdout.strip()}"


def _blas() -> dict[str, str]:
    """The library numpy was built with, and the processor's kernel that it chose here."""
    import numpy as np

    built = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    return {
        "library": f"{built.get('name', 'unknown')} {built.get('version', '')}".strip(),
        "kernel": _kernel(Path(np.__file__).parent),
    }


def _kernel(numpy: Path) -> str:
    """OpenBLAS's own word for the processor, from the library that numpy's wheel brings."""
    folders = (numpy.parent / "numpy.libs", numpy / ".dylibs")
    for path in (path for folder in folders for path in sorted(folder.glob("*openblas*"))):
        library = ctypes.CDLL(str(path))
        for name in ("scipy_openblas_get_corename64_", "scipy_openblas_get_corename"):
            if hasattr(library, name):
                corename = getattr(library, name)
                corename.restype = ctypes.c_char_p
                return re.sub(r"\W", "", corename().decode("ascii", "replace"))
    return "unknown"


if __name__ == "__main__":
    import shutil

    print(json.dumps(describe(shutil.which("quarto")), indent=2))
