"""Record what made the results of a dataset: versions, commit, seed, input hash."""

import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

from job import logged, read_json, write_json

ARCHIVED = Path(".source.json")  # in an unpacked archive: the commit that it holds
PACKAGES = ("numpy", "scipy", "pandas", "pyarrow", "statsmodels", "plotnine", "snakemake")


def commit():
    """The commit of the code, and whether files were changed since; None outside a checkout."""
    if ARCHIVED.is_file():
        archived = read_json(ARCHIVED)
        return {"commit": archived["commit"], "changed": archived["changed"]}
    try:
        if Path(_git("rev-parse", "--show-toplevel")).resolve() != Path.cwd().resolve():
            return {"commit": None, "changed": None}  # a repository around us is not ours
        head = _git("rev-parse", "HEAD")
        return {"commit": head, "changed": bool(_git("status", "--porcelain"))}
    except (OSError, subprocess.CalledProcessError):
        return {"commit": None, "changed": None}


def _git(*arguments):
    return subprocess.run(
        ["git", *arguments], check=True, capture_output=True, text=True
    ).stdout.strip()


if __name__ == "__main__":
    with logged(snakemake):
        made = {
            "source": read_json(snakemake.input.design)["source"],
            "seed": snakemake.params.seed,
            "python": platform.python_version(),
            "packages": {name: version(name) for name in PACKAGES},
            "code": commit(),
        }
        write_json(snakemake.output.provenance, made)
