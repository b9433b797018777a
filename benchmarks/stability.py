"""How often the verdict depends on the seed of its simulations, in six designs.

    python benchmarks/stability.py [--seeds 200] [--drawn 20] [--designs NAME ...] [--write]

For every seed the scenarios that judgements are made from are simulated anew: all without an effect,
and the one with effects in which powers are compared. Methods that draw at random take most of the
time; they are asked for the first `--drawn` seeds. Results are kept in benchmarks/jobs/ as they
come, and seeds that are there already are not run again.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any

for library in ("OMP", "OPENBLAS", "MKL"):  # read when they are loaded
    os.environ[f"{library}_NUM_THREADS"] = "1"
ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "workflow" / "scripts"))

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
import yaml  # noqa: E402
from calibration import customers  # noqa: E402

import groupwise  # noqa: E402
from groupwise.analysis.result import Analysis  # noqa: E402
from groupwise.catalogue.methods import METHODS, costs, method_label  # noqa: E402
from groupwise.methods import Request  # noqa: E402
from groupwise.simulation.measures import measures  # noqa: E402
from groupwise.simulation.options import Options  # noqa: E402
from groupwise.simulation.processes import icc_grid  # noqa: E402
from groupwise.simulation.workload import Workload, dataset_workload  # noqa: E402
from groupwise.verdict.decision import verdict  # noqa: E402
from groupwise.verdict.judgement import rules_for  # noqa: E402

KEPT = ROOT / "benchmarks" / "jobs" / "stability.csv.gz"
PAGE = ROOT / "docs" / "stability.md"
QUICK = {
    "wild_draws": 199,
    "bootstrap_draws": 199,
    "randomization_draws": 199,
    "max_assignments": 199,
}
FAST = tuple(name for name, method in METHODS.items() if method.cost == "fast")


# Designs ------------------------------------------------------------------------------------------


def grouped(
    sizes: Sequence[int], arms: Sequence[str], *, icc: float, seed: int, within: bool = False
) -> pd.DataFrame:
    """Groups of these sizes; their arms in turn, or of their members if `within`; no effect."""
    rng = np.random.default_rng(seed)
    group = np.repeat(np.arange(len(sizes)), sizes)
    arm = np.arange(len(group)) if within else group
    u, e = rng.standard_normal(len(sizes)), rng.standard_normal(len(group))
    y = 100 + 20 * (np.sqrt(icc) * u[group] + np.sqrt(1 - icc) * e)
    return pd.DataFrame({"y": y, "group": group, "arm": np.array(arms)[arm % len(arms)]})


def orders() -> pd.DataFrame:
    """10,000 orders of 2,892 customers."""
    return grouped(np.bincount(customers()["group"]), ["old", "new"], icc=0.19, seed=5)


def lecture() -> pd.DataFrame:
    """The simulated classrooms of config.yaml."""
    config = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
    recipe = config["datasets"]["flipped_classroom"]["simulate"]
    return groupwise.simulate(outcome="score", treatment="style", group="professor", **recipe)


def shipped(name: str) -> pd.DataFrame:
    return pd.read_csv(ROOT / "data" / "raw" / name)


Y = {"outcome": "y", "treatment": "arm", "group": "group"}
STAR = {
    "outcome": "math",
    "treatment": "class_type",
    "group": "teacher",
    "block": "school",
    "reference": "regular",
}
OATS = {
    "outcome": "yield",
    "treatment": "variety",
    "group": "plot",
    "block": "block",
    "covariates": ["nitrogen"],
    "reference": "Golden Rain",
}
DESIGNS: dict[str, tuple[Callable[[], pd.DataFrame], dict[str, Any]]] = {
    "the lecture's, 15 classes of 25": (
        lecture,
        {"outcome": "score", "treatment": "style", "group": "professor", "reference": "No flip"},
    ),
    "3 + 3 groups of 3": (
        partial(grouped, [3] * 6, ["A", "B"], icc=0.2, seed=2),
        Y | {"reference": "A"},
    ),
    "20 pairs": (
        partial(grouped, [2] * 20, ["A", "B"], icc=0.3, seed=3, within=True),
        Y | {"reference": "A"},
    ),
    "split plot (oats)": (
        partial(shipped, "oats.csv"),
        OATS,
    ),
    "STAR, mathematics": (partial(shipped, "star_kindergarten.csv"), STAR),
    "10,000 orders of 2,892 customers": (orders, Y | {"reference": "old"}),
}


@cache
def analysed(design: str) -> Analysis:
    make, options = DESIGNS[design]
    return groupwise.analyse(make(), resampling=QUICK, **options)


# Verdicts -----------------------------------------------------------------------------------------


def judged(design: str, seed: int, drawn: bool, replicates: int) -> pd.DataFrame:
    """A row per method: its judgement with this seed, and the lead."""
    analysis = analysed(design)
    sample, process = analysis.sample, analysis._process
    names = [name for name in analysis.estimates["method"].unique() if drawn or name in FAST]
    workload = dataset_workload(
        sample.design,
        process,
        Options(replicates=replicates, seed=seed),
        conf_level=sample.conf_level,
        methods=costs(names),
    )
    workload = relevant(workload, process.icc)
    table = measures(
        workload.run_share(1, 1),
        [scenario.setting for scenario in workload.scenarios],
        methods=names,
    )
    estimates = analysis.estimates[analysis.estimates["method"].isin(names)]
    rules = rules_for(sample.conf_level, sample.design.kind, {})
    result = verdict(table, estimates, rules, icc=process.icc)
    rows = result.methods[["method", "judgement", "rate_low", "rate_high"]]
    return rows.assign(design=design, seed=seed, lead=str(result.headline), drawn=drawn)


def relevant(workload: Workload, icc: float) -> Workload:
    """Without the scenarios in which effects are simulated but powers are not compared."""
    middle = icc_grid((icc,))[-1]
    kept = [i for i, each in enumerate(workload.scenarios) if each.null or each.icc == middle]
    return replace(
        workload,
        scenarios=tuple(workload.scenarios[i] for i in kept),
        budgets=tuple(workload.budgets[i] for i in kept),
        rates=tuple(workload.rates[i] for i in kept),
        request=Request(workload.request.conf_level, workload.request.resampling, searched=0),
    )


def tasks(designs: Sequence[str], seeds: int, drawn: int) -> Iterator[tuple[str, int, bool]]:
    """Every seed of all designs before the next, those with all methods first."""
    return ((name, seed, seed <= drawn) for seed in range(1, seeds + 1) for name in designs)


def run(options: argparse.Namespace) -> pd.DataFrame:
    options.kept.parent.mkdir(exist_ok=True)
    kept = pd.read_csv(options.kept) if options.kept.exists() else pd.DataFrame()
    done = set(zip(kept["design"], kept["seed"], strict=True)) if len(kept) else set()
    wanted = [
        task
        for task in tasks(options.designs, options.seeds, options.drawn)
        if task[:2] not in done
    ]
    with ProcessPoolExecutor(options.processes) as pool:
        futures = [pool.submit(judged, *task, options.replicates) for task in wanted]
        for future in futures:
            kept = pd.concat([kept, future.result()], ignore_index=True)
            kept.to_csv(options.kept, index=False)
    return kept[kept["design"].isin(options.designs)]


# The table ----------------------------------------------------------------------------------------


def summary(rows: pd.DataFrame) -> pd.DataFrame:
    """A row per design: seeds, how often the lead is another than usual, and so for judgements."""
    found = []
    for design, each in rows.groupby("design", sort=False):
        lead = each.drop_duplicates("seed")["lead"]
        usual = lead.mode()[0]
        found.append(
            {
                "design": design,
                "seeds": len(lead),
                "lead": method_label(usual),
                "another lead": int((lead != usual).sum()),
                "judgements that differ": _differ(each),
            }
        )
    return pd.DataFrame(found)


def _differ(rows: pd.DataFrame) -> str:
    """Methods whose judgement is not that of most seeds, with what it is how often."""
    parts = []
    for method, each in rows.groupby("method", sort=False):
        counts = each["judgement"].value_counts()
        if len(counts) > 1:
            named = ", ".join(f"{name} {n}" for name, n in counts.items())
            parts.append(f"{method_label(method)}: {named}")
    return "; ".join(parts) or "none"


def judgements(rows: pd.DataFrame) -> pd.DataFrame:
    """A row per method: its judgement in most seeds, by design."""
    usual = rows.groupby(["method", "design"], sort=False)["judgement"].agg(
        lambda each: f"{each.mode()[0]} ({(each == each.mode()[0]).sum()}/{len(each)})"
    )
    names = [name for name in METHODS if name in usual.index]
    wide = usual.unstack("design").reindex(names)  # noqa: PD010 - a pivot of a Series
    return wide[list(rows["design"].unique())].fillna("").rename(index=method_label).reset_index()


def markdown(table: pd.DataFrame) -> str:
    lines = ["| " + " | ".join(table.columns) + " |", "|---" * len(table.columns) + "|"]
    lines += ["| " + " | ".join(map(str, row)) + " |" for row in table.to_numpy()]
    return "\n".join(lines)


TEXT = """# Does the verdict depend on the seed?

Written by `make stability ARGS=--write`. For every seed all scenarios without an effect, and the one in
which powers are compared, were simulated anew with default settings, and judged by the rules of
docs/verdict.md. Methods that draw at random were asked in the first {drawn} seeds of a design; none of
them is among the first four that lead, and an open method takes no other's place.

{summary}

What each method is called in most seeds, in how many of those in which it was asked:

{judgements}
"""


def main() -> None:
    options = arguments()
    rows = run(options)
    drawn = int(rows.loc[rows["drawn"], "seed"].max()) if rows["drawn"].any() else 0
    text = TEXT.format(
        drawn=drawn, summary=markdown(summary(rows)), judgements=markdown(judgements(rows))
    )
    print(text)
    if options.write:
        PAGE.write_text(text, encoding="utf-8")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--drawn", type=int, default=20, help="seeds with methods that draw")
    parser.add_argument("--replicates", type=int, default=10_000)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--designs", nargs="+", choices=list(DESIGNS), default=list(DESIGNS))
    parser.add_argument("--kept", type=Path, default=KEPT)
    parser.add_argument("--write", action="store_true", help="also docs/stability.md")
    return parser.parse_args()


if __name__ == "__main__":
    main()
