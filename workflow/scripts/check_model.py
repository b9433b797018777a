"""Check what the mixed model assumes."""

from job import logged, read_result, write_table

from groupwise.diagnostics.checks import run_checks

TABLES = ("estimates", "fit_statistics", "random_effects", "residuals", "variance_components")

if __name__ == "__main__":
    with logged(snakemake):
        tables = {name: read_result(snakemake.input[name], name) for name in TABLES}
        write_table(snakemake.output.diagnostics, run_checks(snakemake.wildcards.dataset, tables))
