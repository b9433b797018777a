"""Put the shares of the general study together: how every method behaved in every design."""

import platform
from importlib.metadata import version

import pandas as pd
from job import logged, write_json, write_table
from record_provenance import PACKAGES, commit
from simulate_study import grid, workload

from groupwise.simulation.grid import LECTURE, Grid, example_cell, study_axes
from groupwise.simulation.measures import measures
from groupwise.simulation.sums import gather
from groupwise.verdict.judgement import rules_for
from groupwise.verdict.study_rates import study_rates


def overview(options, work, rules):
    """study.json: what was simulated, how it was judged, and with what."""
    shown = example_cell(grid(options))
    design = work.scenarios[0].design
    return {
        "arms": options["arms"],
        "effect": options["effect"],
        "replicates": options["replicates"],
        "slow_replicates": min(options["slow_replicates"], options["replicates"]),
        "draws": options["draws"],
        "seed": options["seed"],
        "power_of": design.contrast_labels[options["arms"] - 2],
        "example": shown,
        "example_is_lecture": shown == LECTURE and options["arms"] == Grid.arms,
        "rules": rules.content(),
        "python": platform.python_version(),
        "packages": {name: version(name) for name in PACKAGES},
        "code": commit(),
    }


if __name__ == "__main__":
    options = snakemake.params.options
    with logged(snakemake):
        work, axes = workload(options, snakemake.params.methods), study_axes(grid(options))
        rules = rules_for(work.request.conf_level, "between", snakemake.params.rules)
        sums = gather(pd.read_parquet(part) for part in snakemake.input.sums)
        settings = [scenario.setting for scenario in work.scenarios]
        table = measures(sums, settings, methods=tuple(work.methods))
        write_table(snakemake.output.calibration, table)
        write_table(snakemake.output.axes, axes)
        write_table(snakemake.output.rates, study_rates(table, axes, rules))
        write_json(snakemake.output.overview, overview(options, work, rules))
