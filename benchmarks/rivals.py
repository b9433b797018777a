"""The programs that are timed beside Groupwise: R's packages, lme-python and statsmodels."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import venv
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from experiments import Experiment
from timing import process

HERE = Path(__file__).resolve().parent
LME_PYTHON = "0.2.7"
VENV = HERE / "jobs" / "lme-python"
R_PACKAGES = ("lme4", "lmerTest", "pbkrtest", "clubSandwich")


@dataclass(frozen=True)
class R:
    """R's side; where it is not wanted or not installed, nothing is measured."""

    present: bool

    @classmethod
    def find(cls, wanted: bool) -> R:
        return cls(wanted and bool(r_versions()))

    def seconds(self, task: str, some: Experiment | None = None) -> dict[str, float]:
        """Processor seconds by name, and `peak_mb`; empty without R."""
        if not self.present:
            return {}
        with tempfile.TemporaryDirectory() as folder:
            files = [] if some is None else [str(write_csv(Path(folder) / "data.csv", some))]
            cost, said = process(["Rscript", str(HERE / "rivals.R"), task, *files])
        lines = (line.split() for line in said.splitlines())
        found = {line[0]: float(line[1]) for line in lines if len(line) == 2}
        return found | {"peak_mb": float(cost.peak_mb or 0)}


def r_versions() -> dict[str, str]:
    """Versions of the R packages; empty where Rscript or one of them is missing."""
    if shutil.which("Rscript") is None:
        return {}
    command = ["Rscript", str(HERE / "rivals.R"), "versions", *R_PACKAGES]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    pairs = (line.split() for line in done.stdout.splitlines())
    return dict(pairs) if done.returncode == 0 else {}


def write_csv(path: Path, some: Experiment) -> Path:
    """Columns arm, group, perhaps x, and y1, y2, ...; arm is 0 and 1 if X has no third column of it."""
    import pandas as pd

    two_arms = not np.isin(some.X[:, 2], (0, 1)).all()
    table = {"arm": some.X[:, 1] if two_arms else some.arm, "group": some.group}
    if two_arms or some.X.shape[1] == 4:
        table["x"] = some.X[:, -1]
    table |= {f"y{j}": each for j, each in enumerate(some.y, 1)}
    pd.DataFrame(table).to_csv(path, index=False)
    return path


def lme_python_seconds(parquet: Path) -> float | None:
    """Processor seconds of its fit, data in memory; None where it cannot be installed.

    It is installed on demand into an environment of its own below benchmarks/jobs.
    """
    python = VENV / "bin" / "python"
    if not python.exists():
        venv.create(VENV, with_pip=True)
    install = [str(python), "-m", "pip", "install", "--quiet", f"lme-python=={LME_PYTHON}"]
    try:
        process(install)
        _, said = process([str(python), str(HERE / "lme_python_fit.py"), str(parquet)])
    except RuntimeError as error:
        print(f"lme-python is left out: {error}", file=sys.stderr)
        return None
    return float(json.loads(said.splitlines()[-1])[0])


def statsmodels_fit(some: Experiment, y: np.ndarray) -> None:
    """Its mixed model, without any small-sample inference."""
    from statsmodels.regression.mixed_linear_model import MixedLM

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        MixedLM(y, some.X, groups=some.group).fit(reml=True)
