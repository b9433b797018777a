"""Fit all specifications to one dataset: every table that models fill."""

from job import logged, write_table
from sample_data import read_sample

from groupwise.methods import fitted_tables

if __name__ == "__main__":
    with logged(snakemake):
        sample = read_sample(
            snakemake.input.data, snakemake.input.design, snakemake.params.resampling
        )
        tables = fitted_tables(sample, snakemake.params.methods)
        for name, path in snakemake.output.items():
            write_table(path, tables[name])
