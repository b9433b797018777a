"""Put the shares of a dataset's simulation together: how every method behaved."""

import pandas as pd
from job import logged, read_json, write_json, write_table

from groupwise.simulation.gathering import gathered
from groupwise.simulation.options import Options
from groupwise.simulation.processes import read_process

if __name__ == "__main__":
    wildcards, params = snakemake.wildcards, snakemake.params
    with logged(snakemake, file=params.config_file, dataset=wildcards.dataset):
        table, overview = gathered(
            read_json(snakemake.input.design),
            read_process(read_json(snakemake.input.process)),
            Options(**params.options),
            params.effects_are,
            [pd.read_parquet(part) for part in snakemake.input.sums],
            methods=params.methods,
        )
        write_table(snakemake.output.calibration, table)
        write_json(snakemake.output.overview, overview)
