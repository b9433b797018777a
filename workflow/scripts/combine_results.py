"""Put the tables of all specifications under one another, methods in the order of the report."""

from job import logged, read_result, write_table

from groupwise import tidy
from groupwise.words import method_order


def run(name, parts):
    """One results table; within a method the rows keep their order."""
    table = tidy.concat(name, parts)
    return table.sort_values("method", key=lambda m: m.map(method_order), kind="stable")


if __name__ == "__main__":
    with logged(snakemake):
        for name, path in snakemake.output.items():
            write_table(
                path, run(name, [read_result(part, name) for part in snakemake.input[name]])
            )
