"""The software bill of materials of an environment: packages and the licences they declare."""

from __future__ import annotations

import subprocess
from datetime import datetime

from archive.errors import ArchiveError
from archive.run import INSTALL, outside_make, python_of_tools

OPTIONS = ("--output-reproducible", "--short-PURLs", "--gather-license-texts")
MISSING = f"cyclonedx-py was not installed where the package was made (`{INSTALL}`)"


def bill_of_materials(python: str, moment: datetime) -> bytes | None:
    """CycloneDX JSON for the environment of `python`, dated `moment`; None without cyclonedx-py.

    The same packages and the same date give the same bytes.

    Raises
    ------
    ArchiveError
        Where cyclonedx-py fails.
    """
    tools = python_of_tools()
    if tools is None:
        return None
    done = subprocess.run(
        [tools, "-m", "cyclonedx_py", "environment", *OPTIONS, python],
        env=outside_make() | {"SOURCE_DATE_EPOCH": str(int(moment.timestamp()))},
        capture_output=True,
        check=False,
    )
    if done.returncode != 0:
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
        problem = f"cyclonedx-py did not run ({lines[-1] if lines else 'without a message'})"
        raise ArchiveError("sbom.cdx.json", problem, f"install it again by `{INSTALL}`")
    return done.stdout
