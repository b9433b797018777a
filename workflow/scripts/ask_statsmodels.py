"""Fit the same models to the same data with statsmodels, beside what is reported."""

from job import logged, read_result, write_table
from sample_data import read_sample

from groupwise.witness import agreement

TABLES = ("estimates", "fit_statistics", "variance_components")

if __name__ == "__main__":
    with logged(snakemake):
        sample = read_sample(snakemake.input.data, snakemake.input.design)
        tables = {name: read_result(snakemake.input[name], name) for name in TABLES}
        write_table(snakemake.output.agreement, agreement(sample, tables))
