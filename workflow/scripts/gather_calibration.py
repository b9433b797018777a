"""Put the shares of a dataset's simulation together: how every method behaved."""

import numpy as np
import pandas as pd
from job import logged, write_json, write_table
from sample_data import read_sample

from groupwise import tidy
from groupwise.calibration.measures import measures
from groupwise.calibration.partial import gather
from groupwise.calibration.workload import NotSimulated, Options, dataset_workload


def simulated(workload, estimated, given):
    """What was simulated, for the report."""
    design = workload.scenarios[0].design
    effects = next(s.effects for s in workload.scenarios if s.name.startswith("effect"))
    icc = {"estimate": estimated.icc, "low": estimated.icc_low, "high": estimated.icc_high}
    return {
        "simulated": True,
        "message": "",
        "replicates": workload.replicates,
        "slow_replicates": workload.slow_replicates,
        "draws": workload.effort.wild_draws,
        "seed": workload.effort.seed,
        "effects": dict(zip(design.arm_labels, map(float, effects), strict=True)),
        "effects_are": given,
        "sd": float(np.sqrt(estimated.background.variance)),
        "icc": {name: value if np.isfinite(value) else None for name, value in icc.items()},
        "scenarios": [
            {
                "name": each.name,
                "icc": each.icc,
                "dgp": each.dgp,
                "effect": bool(np.any(each.effects != 0)),
            }
            for each in workload.scenarios
        ],
    }


def run(sample, options, effects_are, parts):
    """calibration.csv and .json, from the partial sums of every job."""
    try:
        workload, estimated = dataset_workload(
            sample.design, sample.y, options, conf_level=sample.conf_level
        )
    except NotSimulated as reason:
        return tidy.table("calibration", []), {"simulated": False, "message": str(reason)}
    table = measures(gather(parts), workload.scenarios)
    return table, simulated(workload, estimated, effects_are)


if __name__ == "__main__":
    wildcards, params = snakemake.wildcards, snakemake.params
    with logged(snakemake, file=params.config_file, dataset=wildcards.dataset):
        sample = read_sample(snakemake.input.data, snakemake.input.design)
        parts = [pd.read_parquet(part) for part in snakemake.input.sums]
        table, overview = run(sample, Options(**params.options), params.effects_are, parts)
        write_table(snakemake.output.calibration, table)
        write_json(snakemake.output.overview, overview)
