"""Fit one specification to one dataset: every table its methods fill."""

from job import logged, write_table
from sample_data import read_sample

from groupwise.methods import fit_tables

if __name__ == "__main__":
    with logged(snakemake):
        sample = read_sample(
            snakemake.input.data, snakemake.input.design, snakemake.params.resampling
        )
        tables = fit_tables(snakemake.wildcards.specification, sample)
        for name, path in snakemake.output.items():
            write_table(path, tables[name])
