"""Check what the mixed model assumes, and what the missing values may do."""

import pandas as pd
from job import logged, read_json, read_results, write_table

from groupwise.diagnostics.checks import run_checks
from groupwise.diagnostics.missingness import differential_missingness
from groupwise.sample import sample_of

if __name__ == "__main__":
    with logged(snakemake):
        tables = read_results(snakemake.input)
        missing = pd.read_parquet(snakemake.input.missing)
        further = {"differential_missingness": differential_missingness(missing)}
        sample = sample_of(pd.read_parquet(snakemake.input.data), read_json(snakemake.input.design))
        checks = run_checks(snakemake.wildcards.dataset, tables, further, sample)
        write_table(snakemake.output.diagnostics, checks)
