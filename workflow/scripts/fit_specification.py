"""Fit one specification to one dataset: every table its methods fill."""

import pandas as pd
from job import logged, read_json, write_table

from groupwise.specifications import fit_tables, sample_of

if __name__ == "__main__":
    with logged(snakemake):
        sample = sample_of(
            pd.read_parquet(snakemake.input.data),
            read_json(snakemake.input.design),
            snakemake.params.resampling,
        )
        tables = fit_tables(snakemake.wildcards.specification, sample)
        for name, path in snakemake.output.items():
            write_table(path, tables[name])
