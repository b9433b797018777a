"""Simulate one job's share of the general study, and let every method answer."""

from job import logged, write_table
from simulate_calibration import run

from groupwise.simulation.grid import Grid, study_workload

AMOUNTS = ("replicates", "slow_replicates", "draws", "seed")


def grid(options):
    """The designs that are crossed, from the section `study` of the configuration."""
    values = {name: options[name] for name in Grid.__dataclass_fields__}
    lists = {name: tuple(each) for name, each in values.items() if isinstance(each, list)}
    return Grid(**values | lists)


def workload(options, methods):
    """What the study simulates; `methods` says what a replicate of each costs."""
    amounts = {name: options[name] for name in AMOUNTS}
    return study_workload(grid(options), **amounts, methods=methods)


if __name__ == "__main__":
    wildcards = snakemake.wildcards
    with logged(snakemake):
        work = workload(snakemake.params.options, snakemake.params.methods)
        write_table(snakemake.output.sums, run(work, int(wildcards.chunk), int(wildcards.chunks)))
