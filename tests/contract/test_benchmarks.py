"""Every benchmark runs, at sizes that say nothing about speed, and the table has its parts."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from groupwise.data.ingest import ingest
from groupwise.data.validate import Roles
from groupwise.design import make_design
from groupwise.inference.small_sample import kenward_roger
from groupwise.models.random_intercept import RandomIntercept

ROOT = Path(__file__).parents[2]
BENCHMARKS = ROOT / "benchmarks"
COLUMNS = ["estimate", "std_error", "statistic", "df", "p_value", "conf_low", "conf_high"]


def run(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(BENCHMARKS / script), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_every_benchmark_runs_and_prints_its_rows() -> None:
    done = run("run.py", "--tiny", "--no-r")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    for task in (
        "Parquet to Kenward-Roger p-values, whole process",
        "peak memory",
        "fit alone, in memory",
        "HSB, 7,185 rows",
        "375 rows, 15 groups, balanced",
        "375 rows, 15 groups, unbalanced",
        "15 groups of 25, events",
        "CR2, Bell-McCaffrey, HTZ",
        "wild bootstrap, 375 rows, 2^15 sign vectors",
        "randomisation",
        "| grows as rows^ |",
    ):
        assert task in done.stdout
    assert re.search(r"\d+ of \d+ targets missed\.", done.stdout)


def test_stability_counts_verdicts_that_differ(tmp_path: Path) -> None:
    """Again it reads what it kept."""
    few = ["--seeds", "3", "--drawn", "1", "--replicates", "100", "--designs", "20 pairs"]
    first, again = (run("stability.py", *few, "--kept", str(tmp_path / "kept.csv")) for _ in "ab")
    assert first.returncode == 0, first.stderr
    assert re.search(r"\| 20 pairs \| 3 \| .+ \| [0-3] \| .+ \|", first.stdout)
    assert "| Mixed model, bootstrap | open (1/1) |" in first.stdout
    assert again.stdout == first.stdout
    kept = pd.read_csv(tmp_path / "kept.csv")
    assert len(kept) == kept.groupby(["seed", "method"]).ngroups > 3 * 10


# The command from Parquet to p-values ---------------------------------------------------------------


@pytest.fixture(scope="module")
def clinics() -> pd.DataFrame:
    """240 rows in 24 groups of unequal size; labels neither sorted nor all in use."""
    rng = np.random.default_rng(3)
    group = rng.permutation(np.repeat(np.arange(24), np.resize([4, 10, 16], 24)))
    arm = np.array(["usual", "new", "both"])[group % 3]
    y = rng.normal(size=24)[group] + 2 * rng.normal(size=len(group))
    labels = np.array([f"clinic {g}" for g in group])
    table = {"y": y, "arm": arm, "clinic": labels, "age": rng.integers(20, 60, len(group))}
    return pd.DataFrame(table)


def expected(table: pd.DataFrame, reference: str) -> pd.DataFrame:
    """What the pipeline's own steps say of the same table."""
    roles = Roles("y", "arm", "clinic", covariates=("age",))
    clean = ingest(table.astype({"clinic": str}), roles, reference=reference).table
    design = make_design(clean, roles)
    model = RandomIntercept.of(design.X, design.group)
    answer = kenward_roger(model.fit(clean["y"].to_numpy()), design.L, 0.9)
    rows = {name: getattr(answer, name) for name in COLUMNS}
    return pd.DataFrame(rows, index=list(design.contrast_labels))


@pytest.mark.parametrize("labels", ["text", "categories", "numbers"])
def test_parquet_to_p_values_agrees_with_the_pipeline(
    clinics: pd.DataFrame, labels: str, tmp_path: Path
) -> None:
    table = clinics
    if labels == "categories":
        levels = ["nowhere", *sorted(set(clinics["clinic"]))]
        table = clinics.assign(clinic=pd.Categorical(clinics["clinic"], categories=levels))
    if labels == "numbers":
        table = clinics.assign(clinic=clinics["clinic"].str.removeprefix("clinic ").astype(int))
    path, timings = tmp_path / "clinics.parquet", tmp_path / "timings.json"
    table.to_parquet(path, row_group_size=100)
    roles = ["--outcome=y", "--treatment=arm", "--group=clinic", "--covariates", "age"]
    more = ["--reference=usual", "--conf-level=0.9", f"--timings={timings}"]
    done = run("parquet_to_p_values.py", str(path), *roles, *more)
    assert done.returncode == 0, done.stderr
    lines = [line.split(",") for line in done.stdout.splitlines()]
    found = pd.DataFrame([line[1:] for line in lines[1:]], columns=lines[0][1:]).astype(float)
    found.index = pd.Index([line[0] for line in lines[1:]])
    wanted = expected(clinics, "usual")
    assert sorted(found.index) == sorted(wanted.index)
    pd.testing.assert_frame_equal(found.loc[wanted.index], wanted, rtol=1e-9, atol=1e-11)
    assert set(json.loads(timings.read_text())["steps"]) == {"read", "fit", "kenward_roger"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (["--outcome=score"], "there is no column 'score'"),
        (["--reference=old"], "there is no arm 'old'"),
        (["--covariates=hole"], "column 'hole' has missing values"),
    ],
)
def test_parquet_to_p_values_says_what_is_wrong(
    clinics: pd.DataFrame, change: list[str], said: str, tmp_path: Path
) -> None:
    path = tmp_path / "clinics.parquet"
    clinics.assign(hole=clinics["y"].where(clinics["y"] > 0)).to_parquet(path)
    roles = ["--outcome=y", "--treatment=arm", "--group=clinic"]
    done = run("parquet_to_p_values.py", str(path), *roles, *change)
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr
