"""docs/scaling.md and docs/scaling.svg, from the measurements in docs/scaling.csv."""

from __future__ import annotations

import platform
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
from plotnine import (
    aes,
    geom_line,
    geom_point,
    geom_text,
    ggplot,
    labs,
    scale_color_manual,
    scale_x_log10,
    scale_y_log10,
    theme,
)
from timing import quantity

from groupwise.figures import Figure, render
from groupwise.figures.style import OKABE_ITO, look
from groupwise.simulation.scenarios import BLOCK

STAGES = {
    "check_data": "check the file",
    "ingest_data": "read the data",
    "fit_models": "fit: all specifications",
    "check_model": "diagnostics, statsmodels",
    "check_sensitivity": "sensitivity",
    "simulate_calibration": "calibration",
    "judge_methods": "verdict",
    "plan_experiment": "planning",
    "record_provenance": "provenance",
    "draw_figures": "figures, all of them",
    "render_report": "report (preview)",
    "write_exports": "JSON, tables for a paper",
}
IN_PARTS = ("draw_figures", "simulate_calibration")
"""Rules with several jobs for a dataset, of which the page shows the sum."""
LIMITS = {
    "check the file, read the data": """decoding and cleaning columns of text, finding and sorting
        labels, one column after another; the whole table is in memory, which sets the peak""",
    "fit: all specifications": """passes of sums by group over every column, which take the group
        parameters out where there are dummies (no matrix of them is ever made), again for the profile of
        each contrast; then the draws of the wild and the parametric bootstrap and 9,999 assignments,
        whose cost is that of groups, not of rows""",
    "diagnostics, statsmodels": """statsmodels' mixed model, which solves for every group at every step,
        and its loop over groups in Python for GEE; asked up to 5,000 groups and a million rows. Figures
        and checks use a sample of more than 200,000 residuals""",
    "sensitivity": """fitting all of the rows again without a group, 200 times at most and of very
        many rows less often, and with other covariates and blocks""",
    "calibration": """outcomes are drawn as the sums that methods need, so that groups count, not rows,
        and are rationed (`calibration.most_outcomes`, forty million numbers in a scenario)""",
    "report": "starting a notebook's kernel; it reads tables only",
}
SMALLEST = 0.3
"""Seconds: where a cost has grown by less, its growth is not told from that of other work."""

CLOSE = 0.11
"""Powers of ten between the names of lines."""

FAST_METHODS = 8  # of "fast methods", see calibration.FAST


@dataclass(frozen=True)
class Study:
    """A simulation study; slow methods draw or enumerate for every replicate."""

    scenarios: int = 10_000
    replicates: int = 100_000
    slow_replicates: int = 10_000
    contrasts: int = 3
    cores: int = 1000
    minutes: int = 5  # of one job


FAST = ("fast methods", "dummy_nested", "gee_bias_reduced", "mixed_profile")
SLOW = ("ols_wild_bootstrap", "randomization", "mixed_bootstrap")


def write(table: pd.DataFrame, path: Path) -> None:
    """The page, with its figure beside it."""
    stages = by_stage(table)
    runs = table[table["part"] == "rows"].groupby("size")["runs"].max().fillna(1).astype(int)
    figure = draw(stages)
    path.with_suffix(".svg").write_bytes(render(figure, "svg"))
    lines = [
        *introduction(table),
        *rows(stages, runs),
        *limits(),
        f"![{figure.alt}](scaling.svg)",
        "",
    ]
    lines += [*replicates(table), *study(table, Study())]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def wrapped(text: str) -> Iterator[str]:
    """Lines of a paragraph, or of a point of a list, and an empty line after a paragraph."""
    text = " ".join(text.split())
    point = text.startswith("- ")
    yield from textwrap.wrap(
        text, 100, subsequent_indent="  " if point else "", break_on_hyphens=False
    )
    if not point:
        yield ""


def introduction(table: pd.DataFrame) -> Iterator[str]:
    yield from ("# How the cost grows", "")
    yield from wrapped(
        """
        Written by `make scaling ARGS=--write`, from docs/scaling.csv. The workflow itself runs on
        tables made by benchmarks/make_large.py: three arms, fifty rows to a group up to 20,000
        groups, one covariate, text labels, a Parquet file. What counts is the whole process of each
        job's script, start and imports included, in processor seconds (user and system) on one core,
        the least of several runs where there were several; an empty cell was not measured. Cells are
        replaced as they are measured again, the table of replicates less often. Other work on
        a machine is felt by processor seconds too, if less than by the clock: small steps between
        neighbouring sizes may be nothing else.
        """
    )
    by_part = table.groupby("part")["machine"].unique()
    rows_on, replicates_on = (" and ".join(by_part[part]) for part in ("rows", "replicates"))
    python = f"Python {platform.python_version()}; {date.today().isoformat()}"
    yield from wrapped(f"Rows: {rows_on}. Replicates: {replicates_on}. {python}.")


def processor() -> str:
    """The machine's own name for its processor."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.machine()


# Rows -----------------------------------------------------------------------------------------------


def by_stage(table: pd.DataFrame) -> pd.DataFrame:
    """Columns stage, size, cpu, peak_mb, jobs: the stages of the page, several jobs of a rule as one."""
    some = table[table["part"] == "rows"].copy()
    rule = some["stage"].str.split().str[0]
    some["stage"] = some["stage"].where(~rule.isin(IN_PARTS), rule).map(STAGES)
    jobs = some.groupby(["stage", "size"])
    parts = jobs.agg(cpu=("cpu", "sum"), peak_mb=("peak_mb", "max"), jobs=("cpu", "size"))
    all_of_them = jobs.size().groupby("stage").transform("max")  # an unfinished run has fewer
    parts = parts[jobs.size() == all_of_them]
    order = pd.CategoricalDtype(list(STAGES.values()), ordered=True)
    return parts.reset_index().astype({"stage": order}).sort_values(["stage", "size"])


def exponent(costs: pd.Series) -> float:
    """The power of the size with which a cost grows between the two largest sizes.

    What the smallest size costs, which is starting a process and loading the program, is taken off.
    NaN where the cost hardly grows.
    """
    costs = costs.sort_index().dropna()
    grown = (costs - costs.iloc[0]).iloc[-2:]
    if (grown < SMALLEST).any():
        return np.nan
    return float(np.log(grown.iloc[1] / grown.iloc[0]) / np.log(grown.index[1] / grown.index[0]))


def cell(value: float, unit: str = "s") -> str:
    """A quantity, or nothing where it was not measured."""
    return "" if np.isnan(value) else quantity(value, unit)


def power(value: float) -> str:
    return "-" if np.isnan(value) else f"{value:.2f}"


def rows(stages: pd.DataFrame, runs: pd.Series) -> Iterator[str]:
    """Tables of seconds and of memory."""
    seconds = stages.pivot_table(index="stage", columns="size", values="cpu", observed=True)
    memory = stages.pivot_table(index="stage", columns="size", values="peak_mb", observed=True)
    sizes = [f"{size:,}" for size in seconds]
    yield from ("## By the number of rows", "")
    yield from wrapped(
        """
        Processor seconds. The last column is the power of the number of rows with which the cost,
        less that of a thousand rows, grows between the two largest sizes; - where it hardly grows.
        """
    )
    yield f"| stage | {' | '.join(sizes)} | grows as rows^ |"
    yield "|---|" + "---:|" * (len(sizes) + 1)
    for stage, line in seconds.iterrows():
        cells = [cell(value) for value in line]
        yield f"| {stage} | {' | '.join(cells)} | {power(exponent(line))} |"
    total = seconds.sum(skipna=False)
    cells = [cell(value) for value in total]
    yield f"| together | {' | '.join(cells)} | {power(exponent(total))} |"
    jobs = stages.pivot_table(index="stage", columns="size", values="jobs", observed=True)
    cells = [cell(value) for value in longest_chain(seconds, jobs)]
    yield f"| the longest chain, all else side by side | {' | '.join(cells)} | |"
    yield f"| *runs* | {' | '.join(f'*{n}*' for n in runs)} | |"
    yield ""
    yield "Peak memory of the process:"
    yield ""
    yield f"| stage | {' | '.join(sizes)} |"
    yield "|---|" + "---:|" * len(sizes)
    for stage, line in memory.iterrows():
        yield f"| {stage} | {' | '.join(cell(value, 'MB') for value in line)} |"
    yield ""


def longest_chain(seconds: pd.DataFrame, jobs: pd.DataFrame) -> pd.Series:
    """Seconds of stages that wait for one another, where all others run beside them.

    Estimates, refits and simulations do not wait for each other; the parts of a simulation are jobs of
    their own.
    """
    one = seconds / jobs

    def chain(*names: str) -> pd.Series:
        return one.loc[list(names)].sum(skipna=False)

    side_by_side = [
        chain("fit: all specifications", "diagnostics, statsmodels"),
        chain("sensitivity"),
        chain("fit: all specifications", "calibration", "verdict"),
        chain("fit: all specifications", "planning"),
    ]
    middle = pd.concat(side_by_side, axis=1).max(axis=1, skipna=False)
    read = chain("check the file", "read the data")
    return read + middle + chain("figures, all of them", "report (preview)")


def limits() -> Iterator[str]:
    yield "What limits each stage for many rows, as seen by a sampling profiler:"
    yield ""
    for stage, why in LIMITS.items():
        yield from wrapped(f"- **{stage}**: {why}.")
    yield ""


def draw(stages: pd.DataFrame) -> Figure:
    """Seconds against rows: the costliest stages, named at their ends."""
    most = stages.groupby("stage", observed=True)["cpu"].max().nlargest(len(OKABE_ITO))
    frame = stages[stages["stage"].isin(most.index)]
    frame = frame.assign(stage=frame["stage"].astype(str))
    ends = apart(frame.sort_values("size").groupby("stage").tail(1))
    colours = {name: OKABE_ITO[i] for i, name in enumerate(ends["stage"])}
    smallest, largest = frame["size"].min(), frame["size"].max()
    plot = (
        ggplot(frame, aes("size", "cpu", color="stage"))
        + geom_line(size=0.8)
        + geom_point(size=2)
        + geom_text(aes(y="place", label="stage"), ends, ha="left", size=10, nudge_x=0.12)
        + scale_x_log10(
            breaks=sorted(set(frame["size"])),
            labels=lambda breaks: [ten_to(b) for b in breaks],
            limits=(smallest, largest * (largest / smallest) ** 0.75),
        )
        + scale_y_log10(labels=lambda breaks: [f"{b:,.4g}" for b in breaks])
        + scale_color_manual(values=colours)
        + labs(x="Rows", y="Processor seconds")
        + look()
        + theme(legend_position="none")
    )
    return Figure(plot, 7.5, 4.6, describe(frame))


def apart(ends: pd.DataFrame) -> pd.DataFrame:
    """Column `place`: where names stand that would be too close to one another at their values."""
    ends = ends.sort_values("cpu")
    place = np.log10(ends["cpu"].to_numpy())
    for i in range(1, len(place)):
        place[i] = max(place[i], place[i - 1] + CLOSE)
    return ends.assign(place=10**place)


def ten_to(value: float) -> str:
    return "10" + str(round(np.log10(value))).translate(str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹"))


def describe(stages: pd.DataFrame) -> str:
    """The alternative text."""
    last = stages[stages["size"] == stages["size"].max()].set_index("stage")["cpu"]
    most, least = last.idxmax(), last.idxmin()
    return (
        f"Processor seconds of each stage against the number of rows, both on logarithmic scales, from "
        f"{stages['size'].min():,} to {stages['size'].max():,} rows: lines that rise little at first, "
        f"then towards proportion. At the right end {last.max():,.0f} for '{most}', the most, and "
        f"{last.min():.1f} for '{least}', the least."
    )


# Replicates -----------------------------------------------------------------------------------------


def replicates(table: pd.DataFrame) -> Iterator[str]:
    """The table of simulated and analysed replicates."""
    some = table[table["part"] == "replicates"]
    seconds = some.pivot_table(index="stage", columns="size", values="cpu").loc[[*FAST, *SLOW]]
    yield from ("## By the number of replicates", "")
    yield from wrapped(
        f"""
        Fifteen groups of 25, three arms: simulated and analysed, processor seconds once the program
        is loaded. The {FAST_METHODS} fast methods (pooled, group means, mixed with every df) are
        analysed together; the last three methods draw 999 times, or go through all 2^15 sign vectors,
        for each replicate, so that a million of them were not run. Memory does not grow: blocks of
        {BLOCK} replicates come one after another, and only their sums are kept.
        """
    )
    sizes = [f"{size:,}" for size in seconds]
    yield f"| methods | {' | '.join(sizes)} | for one | grows as replicates^ |"
    yield "|---|" + "---:|" * (len(sizes) + 2)
    for stage, line in seconds.iterrows():
        cells = [cell(value) for value in line]
        known = line.dropna()
        last = known.iloc[-2:]
        slope = np.log(last.iloc[1] / last.iloc[0]) / np.log(last.index[1] / last.index[0])
        each = quantity(each_of(table, str(stage)), "s")
        yield f"| {stage} | {' | '.join(cells)} | {each} | {slope:.2f} |"
    yield ""


def each_of(table: pd.DataFrame, stage: str) -> float:
    """Seconds for one replicate, or for one row, at the largest size."""
    last = table[table["stage"] == stage].nlargest(1, "size").iloc[0]
    return float(last["cpu"] / last["size"])


# A study --------------------------------------------------------------------------------------------


def study(table: pd.DataFrame, wanted: Study) -> Iterator[str]:
    """What a large study takes, with the arithmetic shown."""
    fast = {name: each_of(table, name) for name in FAST}
    slow = {name: each_of(table, name) for name in SLOW}
    each = sum(fast.values()) * wanted.replicates + sum(slow.values()) * wanted.slow_replicates
    total, length, cores = each * wanted.scenarios, 60 * wanted.minutes, wanted.cores
    start = table[table["part"] == "start"]["cpu"].median()
    loading = loading_seconds(table)
    overhead = 2 * start + loading
    jobs = int(np.ceil(total / length))
    rounds = int(np.ceil(jobs / cores))
    methods = FAST_METHODS + len(FAST) - 1
    analysed = methods * wanted.replicates + len(SLOW) * wanted.slow_replicates
    sums = wanted.scenarios * wanted.contrasts * analysed // BLOCK
    one_sum = each_of(table, "rows of partial sums")
    gathering = one_sum * sums
    clock = rounds * (length + overhead) + gathering
    yield from (f"## A study on {cores:,} cores", "")
    yield from wrapped(
        f"""
        {wanted.scenarios:,} scenarios the size of the one above, {wanted.replicates:,} replicates of
        each by the methods that do not draw, {wanted.slow_replicates:,} by the three that do. Computed
        from the rates measured here, not run:
        """
    )
    points = f"""
        - One replicate by the {methods} methods that do not draw: {plus(fast)} = {seconds(fast)}.
        - One replicate by those that draw: {plus(slow)} = {seconds(slow)}.
        - One scenario: {wanted.replicates:,} x {seconds(fast)} +
          {wanted.slow_replicates:,} x {seconds(slow)} = {each:,.0f} s.
        - All: {wanted.scenarios:,} x {each:,.0f} s = {total / 3600:,.0f} core-hours; on {cores:,} cores
          at best {total / cores / 60:,.1f} minutes by the clock.
        - In jobs of {wanted.minutes} minutes: {jobs:,} of them. Each also starts Snakemake twice (the
          submission and its step, {quantity(start, "s")} each) and loads the program
          ({quantity(loading, "s")}): {overhead:.1f} s, {100 * overhead / length:.1f}% of the job.
        - Gathering: {sums:,} rows of partial sums (a block of {BLOCK} replicates, a method, a contrast)
          at {quantity(one_sum, "s")} each = {gathering / 60:.1f} minutes, on one core.
        - By the clock: {jobs:,} jobs on {cores:,} cores are {rounds:,} rounds; with overhead and
          gathering {clock / 60:,.0f} minutes, {100 * total / cores / clock:.0f}% of the best.
    """
    for point in points.split("\n        - ")[1:]:
        yield from wrapped(f"- {point}")
    yield ""
    yield from wrapped(
        """
        What this leaves out: waiting in the queue, a shared file system slower than a local disk, the
        scheduler's own limits (`jobs` in profiles/slurm is 100: ask for more), and that Snakemake
        looks every 20 seconds or more whether jobs have ended. The last round is seldom full; smaller
        jobs fill it better and cost more overhead. Nothing is exchanged between jobs, and every block
        of replicates has a seed of its own, so that results do not depend on any of this.
        """
    )


def loading_seconds(table: pd.DataFrame) -> float:
    """A process that loads the program and does little with it."""
    some = table[table["stage"] == "judge_methods"]
    return float(some.nsmallest(1, "size")["cpu"].iloc[0])


def seconds(costs: Mapping[str, float]) -> str:
    return quantity(sum(costs.values()), "s")


def plus(costs: Mapping[str, float]) -> str:
    return " + ".join(f"{quantity(value, 's')} ({name})" for name, value in costs.items())
