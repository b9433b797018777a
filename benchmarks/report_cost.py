"""What `make report` costs, rule by rule, beside another checkout where one is named: `make cost`.

    python benchmarks/report_cost.py [--base PATH] [--parts default examples new] [--runs N] [--write]

Each checkout's workflow runs in a scratch folder with nothing in it yet, by the same Python; of several
runs, in turn with those of the other checkout, the one with the least seconds counts. What counts is the
whole process of each script in processor seconds (user and system), which other work on a machine
disturbs less than the clock, and the peak of memory of the largest job of a rule; the last column is
the ratio to the other checkout. `--write` puts the tables into docs/benchmarks.md, in the place of
earlier ones.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "benchmarks.md"
HEADING = "## What a report costs"

for library in ("OMP", "OPENBLAS", "MKL"):  # read when they are loaded
    os.environ[f"{library}_NUM_THREADS"] = "1"

import pandas as pd  # noqa: E402
import yaml  # noqa: E402
from timing import process  # noqa: E402

PARTS = ("Snakefile", "environment.yml", "config.yaml", "workflow", "tools", "reports", "examples")
TITLES = {
    "default": "the default report",
    "examples": "the examples that both have",
    "new": "a new dataset of 375 rows",
}
NEW = {
    "title": "New",
    "file": "data/raw/new.csv",
    "roles": {"outcome": "score", "treatment": "style", "group": "professor"},
    "reference": "No flip",
}
SIMULATED = "data/processed/simulated/flipped_classroom.csv"
ALL, START = "all jobs", "Snakemake itself"
RENAMED = {  # rules of earlier checkouts, beside what does their work now
    "draw_figure": "draw_figures",
    "draw_period_figure": "draw_period_figures",
    "fit_specification": "fit_models",
    "combine_results": "fit_models",
    "ask_statsmodels": "check_model",
    "gather_calibration": "judge_methods",
    "write_json": "write_exports",
    "write_tables": "write_exports",
    "estimate_process": "fit_models",
}


@dataclass(frozen=True)
class Run:
    """A checkout's run: processor seconds and peak of memory (MB) by rule, of its largest job; by the
    clock, to the first page and to the end."""

    cpu: pd.Series
    peak: pd.Series
    first_page: float
    wall: float


def main() -> None:
    options = arguments()
    lines = [HEADING, "", *introduction(options.cores, options.runs)]
    roots = [root for root in (ROOT, options.base) if root]
    examples = shared_examples(roots)
    for part in options.parts:
        turns = [
            [measured(root, part, options.cores, examples) for root in roots]
            for _ in range(options.runs)
        ]
        runs = [min(of_root, key=lambda run: run.cpu[ALL]) for of_root in zip(*turns, strict=True)]
        lines += printed(table(f"{TITLES[part]}, processor seconds", cpus(runs), clock(runs)))
        lines += printed(table(f"{TITLES[part]}, peak memory in MB", [run.peak for run in runs]))
    imports = [import_times(root) for root in roots]
    lines += printed(table("imports of a script, processor seconds", imports))
    if options.write:
        write(lines)


def printed(lines: Iterator[str]) -> list[str]:
    """The lines, which are on the console as soon as they are measured."""
    rows = list(lines)
    print("\n".join(rows), flush=True)
    return rows


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--base", type=Path, help="another checkout, to be measured beside this one"
    )
    parser.add_argument("--parts", nargs="*", choices=TITLES, default=list(TITLES))
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--runs", type=int, default=1, help="of each checkout; the least counts")
    parser.add_argument("--write", action="store_true", help="write into docs/benchmarks.md")
    return parser.parse_args()


def introduction(cores: int, runs: int) -> list[str]:
    least = f", the least of {runs} runs in turn" if runs > 1 else ""
    return [
        f"Written by `make cost ARGS=--write`. Every job from nothing, on {cores} cores{least};",
        "the whole process of each script, start and imports included. Ratios are to the other",
        "checkout.",
        "",
    ]


# Runs -----------------------------------------------------------------------------------------------


def shared_examples(roots: Sequence[Path]) -> list[str]:
    """Names of the examples that all checkouts have."""
    names = [{path.stem for path in (root / "examples").glob("*.yaml")} for root in roots]
    return sorted(set.intersection(*names))


def measured(root: Path, part: str, cores: int, examples: Sequence[str]) -> Run:
    """One run of a part in a folder of its own."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        targets = project(root, folder, part, examples)
        account = folder / "account.jsonl"
        command = [sys.executable, str(ROOT / "benchmarks" / "timed_jobs.py"), str(account)]
        where = ["--directory", str(folder), "--snakefile", str(folder / "Snakefile")]
        how = ["--workflow-profile", "none", "--cores", str(cores), "--quiet", "all"]
        console = {"PYTHONPATH": str(folder / "tools" / "console")}
        before = time.time()
        cost, _ = process([*command, *where, *how, *targets], console)
        jobs = pd.DataFrame(json.loads(line) for line in account.read_text("utf-8").splitlines())
        by_rule = jobs.groupby(jobs["rule"].replace(RENAMED))
        cpu = by_rule["cpu"].sum().sort_values(ascending=False)
        cpu[START] = cost.cpu - cpu.sum()  # the operating system adds up what ended below it
        cpu[ALL] = cost.cpu
        pages = (folder / "reports" / "rendered").glob("*.html")
        first = min(page.stat().st_mtime for page in pages) - before
    return Run(cpu, by_rule["peak_mb"].max(), first, cost.wall)


def project(root: Path, folder: Path, part: str, examples: Sequence[str]) -> list[str]:
    """Copy a checkout's workflow and data into a folder; Snakemake's arguments for a part."""
    ignored = shutil.ignore_patterns("__pycache__", "rendered", ".quarto")
    for each in PARTS:
        if (root / each).is_dir():
            shutil.copytree(root / each, folder / each, ignore=ignored)
        elif (root / each).exists():  # earlier checkouts have no tools
            shutil.copy2(root / each, folder / each)
    shutil.copytree(root / "data" / "raw", folder / "data" / "raw")
    if part == "examples":
        files = [str(folder / "examples" / f"{name}.yaml") for name in examples]
        return [
            "--configfile",
            *files,
            "--",
            *(f"reports/rendered/{name}.html" for name in examples),
        ]
    if part == "new":
        command = [sys.executable, "-m", "snakemake", "--workflow-profile", "none", "--cores", "1"]
        where = ["--directory", str(folder), "--snakefile", str(folder / "Snakefile")]
        process([*command, *where, "--quiet", "all", "--", SIMULATED])
        shutil.copy2(folder / SIMULATED, folder / NEW["file"])
        config = {"datasets": {"new": NEW}}
        (folder / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    return []


def import_times(root: Path) -> pd.Series:
    """Of each rule's script: the least of two times of Python's start and what it imports."""
    scripts = root / "workflow" / "scripts"
    text = "".join(path.read_text("utf-8") for path in (root / "workflow/rules").glob("*.smk"))
    names = [path.stem for path in sorted(scripts.glob("*.py")) if f"scripts/{path.name}" in text]
    code = "import sys; sys.path.insert(0, sys.argv[1]); __import__(sys.argv[2])"
    command = [sys.executable, "-c", code, str(scripts)]
    return pd.Series(
        {name: min(process([*command, name])[0].cpu for _ in range(2)) for name in names}
    ).sort_values(ascending=False)


# Tables ---------------------------------------------------------------------------------------------


def table(title: str, costs: Sequence[pd.Series], more: Sequence[str] = ()) -> Iterator[str]:
    """A row per rule: its cost here, and in the other checkout with the ratio where there is one."""
    beside = pd.concat(costs, axis=1, keys=range(len(costs))).reindex(costs[0].index)
    yield f"| {title} | here |" + (" other checkout | ratio |" if len(costs) > 1 else "")
    yield "|---|---:|" + "---:|---:|" * (len(costs) > 1)
    for name, row in beside.iterrows():
        yield line(str(name), list(row))
    yield from more
    yield ""


def cpus(runs: Sequence[Run]) -> list[pd.Series]:
    return [run.cpu for run in runs]


def clock(runs: Sequence[Run]) -> list[str]:
    return [
        line("by the clock: the first page", [run.first_page for run in runs]),
        line("by the clock: everything", [run.wall for run in runs]),
    ]


def line(name: str, seconds: Sequence[float]) -> str:
    """Seconds, and the ratio of the first to the second; a dash for what only one of them has."""
    cells = ["–" if pd.isna(each) else f"{each:.2f}" for each in seconds]
    if len(seconds) > 1:
        ratio = seconds[0] / seconds[1]
        cells.append("–" if pd.isna(ratio) else f"{ratio:.2f}")
    return f"| {name} | {' | '.join(cells)} |"


def write(lines: Sequence[str]) -> None:
    """Put the tables at the end of docs/benchmarks.md."""
    PAGE.write_text(kept(PAGE.read_text("utf-8")) + "\n".join(lines) + "\n", encoding="utf-8")


def tables_in(page: str) -> str:
    """What these tables are on the page, with an empty line before them; nothing where they are not."""
    _, heading, tables = page.partition(HEADING)
    return f"\n{heading}{tables}" if heading else ""


def kept(page: str) -> str:
    """The page without these tables, with an empty line at its end."""
    return page.partition(HEADING)[0].rstrip("\n") + "\n\n"


if __name__ == "__main__":
    main()
