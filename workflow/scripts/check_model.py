"""Check what the mixed model assumes, and what the missing values may do."""

import pandas as pd
from job import logged, read_result, write_table

from groupwise.diagnostics.checks import run_checks
from groupwise.diagnostics.missingness import differential_missingness

TABLES = ("estimates", "fit_statistics", "random_effects", "residuals", "variance_components")

if __name__ == "__main__":
    with logged(snakemake):
        tables = {name: read_result(snakemake.input[name], name) for name in TABLES}
        missing = pd.read_parquet(snakemake.input.missing)
        further = {"differential_missingness": differential_missingness(missing)}
        checks = run_checks(snakemake.wildcards.dataset, tables, further)
        write_table(snakemake.output.diagnostics, checks)
