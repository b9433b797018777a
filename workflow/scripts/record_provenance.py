"""Record what made the results of a dataset: versions, commit, seed, input hash."""

import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

from job import logged, read_json, write_json
from places import ROOT, is_study

ARCHIVED = ".source.json"  # in an unpacked archive: the commit that it holds
PACKAGES = ("numpy", "scipy", "pandas", "pyarrow", "statsmodels", "plotnine", "snakemake")


def commit(folder=ROOT):
    """The commit of the code, and whether files were changed since; None outside a checkout."""
    if (folder / ARCHIVED).is_file():
        archived = read_json(folder / ARCHIVED)
        return {"commit": archived["commit"], "changed": archived["changed"]}
    try:
        if Path(_git(folder, "rev-parse", "--show-toplevel")).resolve() != folder.resolve():
            return {"commit": None, "changed": None}  # a repository around us is not ours
        head = _git(folder, "rev-parse", "HEAD")
        return {"commit": head, "changed": bool(_git(folder, "status", "--porcelain"))}
    except (OSError, subprocess.CalledProcessError):
        return {"commit": None, "changed": None}


def _git(folder, *arguments):
    return subprocess.run(
        ["git", *arguments], cwd=folder, check=True, capture_output=True, text=True
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
        if is_study():
            made["study"] = commit(Path.cwd())
        write_json(snakemake.output.provenance, made)
