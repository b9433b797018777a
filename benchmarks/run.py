"""Times Groupwise beside other software and against its targets, and prints one table.

    python benchmarks/run.py [--quick] [--write]

One core throughout. Costs are processor seconds, which other work on a machine disturbs less than the
clock, and the least of several runs; the clock stands beside them. Rows of R and lme-python appear
where they are or can be installed. `--write` also writes docs/benchmarks.md and docs/cost.svg.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
from collections.abc import Iterator
from datetime import date
from importlib.metadata import version
from pathlib import Path

for library in ("OMP", "OPENBLAS", "MKL", "POLARS_MAX", "RAYON"):  # read when they are loaded
    name = f"{library}_THREADS" if library == "POLARS_MAX" else f"{library}_NUM_THREADS"
    os.environ[name] = "1"
ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "workflow" / "scripts"))

import calibration  # noqa: E402
import cost  # noqa: E402
import events  # noqa: E402
import mixed  # noqa: E402
import pandas as pd  # noqa: E402
import randomization  # noqa: E402
import report_cost  # noqa: E402
import robust  # noqa: E402
from rivals import LME_PYTHON, R, r_versions  # noqa: E402
from sizes import FULL, QUICK, TINY, Sizes  # noqa: E402
from timing import HEADER, Row, quantity  # noqa: E402

from groupwise.figures import Figure  # noqa: E402

PYTHON_PACKAGES = ("numpy", "scipy", "pyarrow", "pandas", "statsmodels")


def main() -> None:
    options = arguments()
    sizes = TINY if options.tiny else QUICK if options.quick else FULL
    print(machine(), flush=True)
    if not sizes.targets:
        print("Small sizes: most targets are about larger ones and are left out.")
    table = []
    for row in measured(sizes, R.find(not options.no_r)):
        print(line(row), flush=True)
        table.append(row)
    costs = cost.measure(sizes.cost, sizes.cost_runs)
    curve = cost_lines(costs)
    print("\n" + "\n".join(curve))
    missed = [row for row in table if row.met == "NO"]
    print(f"\n{len(missed)} of {sum(row.met in ('yes', 'NO') for row in table)} targets missed.")
    if options.write:
        write(ROOT / "docs", table, curve, cost.draw(costs))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small sizes, in about a minute")
    parser.add_argument("--tiny", action="store_true", help="sizes for a test of this program")
    parser.add_argument("--no-r", action="store_true", help="leave out R")
    parser.add_argument(
        "--write", action="store_true", help="write docs/benchmarks.md, docs/cost.svg"
    )
    return parser.parse_args()


def measured(sizes: Sizes, r: R) -> Iterator[Row]:
    for part in (mixed, events, robust, randomization, calibration):
        yield from part.rows(sizes, r)


def line(row: Row) -> str:
    task, target, ours, wall, rival, theirs, ratio, met = row.cells()
    beside = f"{rival} {theirs}: {ratio}" if ratio else ""
    return f"{task:84} {ours:>9} ({wall or '-':>7})  {beside:44} {target:>8} {met}".rstrip()


def machine() -> str:
    """Processor, system, versions and date, on one line."""
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        named = [row for row in info.read_text().splitlines() if row.startswith("model name")]
        cpu = named[0].partition(":")[2].strip() if named else cpu
    python = [f"Python {platform.python_version()}"]
    python += [f"{name} {version(name)}" for name in PYTHON_PACKAGES]
    others = [f"{name} {each}" for name, each in r_versions().items()] or ["no R"]
    parts = [cpu, f"{platform.system()}", ", ".join(python), ", ".join(others)]
    return f"{'; '.join([*parts, f'lme-python {LME_PYTHON}'])}; {date.today().isoformat()}."


def cost_lines(costs: pd.DataFrame) -> list[str]:
    """A Markdown table of the curve of costs, exponents last."""
    wide = costs.pivot_table(index="rows", columns=["panel", "series"], values="value")
    columns = [(cost.SECONDS, name) for name in cost.SERIES] + [(cost.MEMORY, cost.SERIES[0])]
    lines = [
        f"| rows | {' | '.join([*cost.SERIES, 'peak memory'])} |",
        "|---:|" + "---:|" * len(columns),
    ]
    for n, row in wide.iterrows():
        cells = [quantity(row[c], "MB" if c[0] == cost.MEMORY else "s") for c in columns]
        lines.append(f"| {n:,} | {' | '.join(cells)} |")
    power = cost.exponents(costs)
    return [*lines, f"| grows as rows^ | {' | '.join(f'{power[c]:.2f}' for c in columns)} |"]


def write(folder: Path, table: list[Row], curve: list[str], figure: Figure) -> None:
    """The page of measurements."""
    cost.write(figure, folder / "cost.svg")
    lines = [
        "# Measured costs",
        "",
        "Written by `make bench ARGS=--write`. One core; processor seconds (user and system), the",
        "least of several runs; the clock's beside them. A ratio says how many times as long the other",
        "program takes. Targets are those of the project; a row without one is there to be seen.",
        "",
        machine(),
        "",
        f"| {' | '.join(HEADER)} |",
        "|" + "---|" * len(HEADER),
        *(f"| {' | '.join(row.cells())} |" for row in table),
        "",
        "## Growth",
        "",
        "Fifty rows to a group, three arms, one covariate; processor seconds. The last line is the",
        f"power of the number of rows that a cost grows with between the {cost.LAST} largest sizes.",
        "",
        *curve,
        "",
        f"![{figure.alt}](cost.svg)",
    ]
    page = folder / "benchmarks.md"
    of_reports = report_cost.tables_in(page.read_text("utf-8")) if page.is_file() else ""
    page.write_text("\n".join(lines) + "\n" + of_reports, encoding="utf-8")


if __name__ == "__main__":
    main()
