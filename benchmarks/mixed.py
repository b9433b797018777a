"""The mixed model: a million rows, HSB, and batches of small experiments."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from experiments import Experiment, experiment, write_parquet
from rivals import HERE, R, lme_python_seconds, statsmodels_fit
from sizes import Sizes
from timing import Cost, Row, best, process

from groupwise.inference.small_sample import kenward_roger, satterthwaite
from groupwise.models.random_intercept import RandomIntercept

LEVEL = 0.95
ROLES = ["--outcome=outcome", "--treatment=arm", "--group=clinic", "--covariates", "x"]


def rows(sizes: Sizes, r: R) -> Iterator[Row]:
    yield from million(sizes, r)
    yield from hsb(sizes, r)
    yield from batches(sizes, r)


def fit(some: Experiment) -> None:
    RandomIntercept.of(some.X, some.group).fit(some.y[0])


def analyse(some: Experiment, y: np.ndarray, L: np.ndarray) -> None:
    """Design, fits, Satterthwaite's and Kenward and Roger's tests and intervals of every row of L."""
    fit = RandomIntercept.of(some.X, some.group).fit(y)
    satterthwaite(fit, L, LEVEL)
    kenward_roger(fit, L, LEVEL)


def million(sizes: Sizes, r: R) -> Iterator[Row]:
    """From a Parquet file to Kenward-Roger p-values, and the fit alone."""
    n = sizes.large
    some = experiment(n, n // 50, covariate=True, balanced=False)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "experiment.parquet"
        write_parquet(path, some)
        whole = from_parquet(path, sizes.processes)
        frames = best(partial(with_frames, path), 1)
        rust = lme_python_seconds(path) if sizes.install else None
    theirs = r.seconds("million", some)
    both = theirs["fit"] + theirs["kenward_roger"] if theirs else None
    label = f"{n:,} rows, {n // 50:,} groups"
    task = f"{label}: Parquet to Kenward-Roger p-values, whole process"
    measured = whole.total.cpu, whole.total.wall
    large = sizes.targets
    yield Row(task, *measured, "lme4, fit alone", theirs.get("fit"), at_least=8 if large else None)
    yield Row(task, *measured, "lme4 + pbkrtest", both, at_least=100 if large else None)
    memory = theirs.get("peak_mb")
    limit = 1000 if large else None
    yield Row(
        "the same: peak memory", whole.peak_mb, None, "lme4 + pbkrtest", memory, None, limit, "MB"
    )
    inside = whole.inside
    yield Row(
        "the same, once the program is loaded",
        inside.cpu,
        inside.wall,
        "lme4, fit alone",
        theirs.get("fit"),
    )
    yield Row("the same, through pandas and make_design, loaded", frames.cpu, frames.wall)
    alone = best(partial(fit, some), sizes.repeats)
    task = f"{label}: fit alone, in memory"
    yield Row(task, alone.cpu, alone.wall, "lme-python, fit", rust, at_least=1 if large else None)


@dataclass(frozen=True)
class WholeProcess:
    """Costs of `parquet_to_p_values.py`: from outside, from its first line on, and by step."""

    total: Cost
    inside: Cost
    steps: dict[str, float]
    peak_mb: float


def from_parquet(path: Path, times: int) -> WholeProcess:
    """The least of several processes, each figure by itself."""
    log = path.with_suffix(".json")
    command = [sys.executable, str(HERE / "parquet_to_p_values.py"), str(path), *ROLES]
    totals, inside, steps, peaks = [], [], [], []
    for _ in range(times):
        cost, _ = process([*command, "--timings", str(log)])
        said = json.loads(log.read_text(encoding="utf-8"))
        totals.append((cost.cpu, cost.wall))
        inside.append([sum(s[kind] for s in said["steps"].values()) for kind in ("cpu", "wall")])
        steps.append({name: each["cpu"] for name, each in said["steps"].items()})
        peaks.append(said["peak_mb"])
    return WholeProcess(
        total=Cost(*np.min(totals, axis=0)),
        inside=Cost(*np.min(inside, axis=0)),
        steps={name: min(each[name] for each in steps) for name in steps[0]},
        peak_mb=min(peaks),
    )


def with_frames(path: Path) -> None:
    """The same by the pipeline's own steps: its table, its design, its contrasts."""
    import pandas as pd

    from groupwise.data.validate import Roles
    from groupwise.design import make_design

    columns = ["outcome", "arm", "clinic", "x"]
    table = pd.read_parquet(path, columns=columns)
    design = make_design(table, Roles("outcome", "arm", "clinic", covariates=("x",)))
    model = RandomIntercept.of(design.X, design.group)
    kenward_roger(model.fit(table["outcome"].to_numpy()), design.L, LEVEL)


def hsb(sizes: Sizes, r: R) -> Iterator[Row]:
    """High School and Beyond: 7,185 pupils in 160 schools, effect of the sector."""
    import pandas as pd

    data = pd.read_csv(HERE.parent / "tests" / "reference" / "data" / "hsb82.csv")
    catholic = (data["sector"] == "Catholic").to_numpy()
    X = np.column_stack([np.ones(len(data)), catholic, data["cses"]]).astype(float)
    some = Experiment(X, pd.factorize(data["school"])[0], data["mAch"].to_numpy()[None])
    cost = best(partial(analyse, some, some.y[0], np.array([[0.0, 1, 0]])), 20)
    theirs = r.seconds("small_sample", some).get("each")
    task = "HSB, 7,185 rows, 160 groups: fit, Satterthwaite, Kenward-Roger"
    yield Row(task, cost.cpu, cost.wall, "lmerTest + pbkrtest", theirs, at_most=0.020)
    if sizes.repeats > 1:
        slow = best(partial(statsmodels_fit, some, some.y[0]), 1)
        yield Row("the same", cost.cpu, cost.wall, "statsmodels, fit alone", slow.cpu)


def batches(sizes: Sizes, r: R) -> Iterator[Row]:
    """Time for each of many outcomes of one design: 375 rows, 15 groups, every pair of arms."""
    for label, balanced in (("balanced", True), ("unbalanced, with a covariate", False)):
        some = experiment(
            375, 15, covariate=not balanced, balanced=balanced, replicates=sizes.replicates
        )
        few = Experiment(some.X, some.group, some.y[: sizes.few])
        cost = each(best(partial(analyse, some, some.y, some.L), sizes.repeats), len(some.y))
        theirs = r.seconds("small_sample", few).get("each")
        task = f"375 rows, 15 groups, {label}: a replicate, Satterthwaite and Kenward-Roger"
        yield Row(
            task, *cost, "lmerTest + pbkrtest", theirs, at_least=500 if sizes.targets else None
        )
        slow = each(best(partial(loop_statsmodels, few), 1), len(few.y))
        yield Row("the same", *cost, "statsmodels, fit alone", slow[0])
        alone = each(best(partial(one_by_one, few), sizes.repeats), len(few.y))
        yield Row("the same, one call for each outcome", *alone, "lmerTest + pbkrtest", theirs)


def each(cost: Cost, number: int) -> tuple[float, float]:
    return cost.cpu / number, cost.wall / number


def one_by_one(some: Experiment) -> None:
    for y in some.y:
        analyse(some, y, some.L)


def loop_statsmodels(some: Experiment) -> None:
    for y in some.y:
        statsmodels_fit(some, y)
