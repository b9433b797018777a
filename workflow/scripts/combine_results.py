"""Put the tables of all specifications under one another, methods in the order of the report."""

from job import logged, read_result, write_table

from groupwise.results import combined

if __name__ == "__main__":
    with logged(snakemake):
        for name, path in snakemake.output.items():
            parts = [read_result(part, name) for part in snakemake.input[name]]
            write_table(path, combined(name, parts, snakemake.params.methods))
