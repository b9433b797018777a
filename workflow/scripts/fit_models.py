"""Fit all specifications to one dataset, and estimate the process that it is taken to come from."""

from job import logged, write_json, write_table
from sample_data import read_sample

from groupwise.methods import fitted_tables
from groupwise.simulation.estimation import estimate_process

if __name__ == "__main__":
    with logged(snakemake):
        sample = read_sample(
            snakemake.input.data, snakemake.input.design, snakemake.params.resampling
        )
        tables = fitted_tables(sample, snakemake.params.methods)
        for name, table in tables.items():
            write_table(snakemake.output[name], table)
        process = estimate_process(sample.design, sample.y, conf_level=sample.conf_level)
        write_json(snakemake.output.process, process.content())
