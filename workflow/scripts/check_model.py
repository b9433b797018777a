"""Check what the mixed model assumes, what the missing values may do, and what statsmodels fits."""

import pandas as pd
from job import logged, read_results, write_table
from sample_data import read_sample

from groupwise.diagnostics.checks import run_checks
from groupwise.diagnostics.missingness import differential_missingness
from groupwise.results import as_written
from groupwise.witness import agreement

if __name__ == "__main__":
    with logged(snakemake):
        tables = read_results(snakemake.input)
        missing = pd.read_parquet(snakemake.input.missing)
        further = {"differential_missingness": differential_missingness(missing)}
        sample = read_sample(snakemake.input.data, snakemake.input.design)
        tables["agreement"] = as_written(agreement(sample, tables))
        checks = run_checks(snakemake.wildcards.dataset, tables, further, sample)
        write_table(snakemake.output.agreement, tables["agreement"])
        write_table(snakemake.output.diagnostics, checks)
