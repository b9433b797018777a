"""Put the shares of a dataset's simulation together: how every method behaved."""

import pandas as pd
from job import logged, write_json, write_table
from sample_data import read_sample

from groupwise.simulation.gathering import gathered
from groupwise.simulation.workload import Options

if __name__ == "__main__":
    wildcards, params = snakemake.wildcards, snakemake.params
    with logged(snakemake, file=params.config_file, dataset=wildcards.dataset):
        sample = read_sample(snakemake.input.data, snakemake.input.design)
        parts = [pd.read_parquet(part) for part in snakemake.input.sums]
        table, overview = gathered(sample, Options(**params.options), params.effects_are, parts)
        write_table(snakemake.output.calibration, table)
        write_json(snakemake.output.overview, overview)
