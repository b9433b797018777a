"""Fit one specification to one dataset: every table its methods fill."""

import pandas as pd
from job import logged, read_json, write_table

from groupwise.data.validate import Roles
from groupwise.design import make_design
from groupwise.specifications import Sample, fit_tables


def run(specification, table, design):
    """The tables of one specification; `design` is the content of design.json."""
    roles = Roles.from_settings(design["roles"])
    sample = Sample(
        design=make_design(table, roles, blocks_as=design["blocks_as"] or "fixed"),
        y=table[roles.outcome].to_numpy(dtype=float),
        dataset=design["dataset"],
        group_name=roles.group,
        block_name=roles.block,
        conf_level=design["conf_level"],
    )
    return fit_tables(specification, sample)


if __name__ == "__main__":
    with logged(snakemake):
        tables = run(
            snakemake.wildcards.specification,
            pd.read_parquet(snakemake.input.data),
            read_json(snakemake.input.design),
        )
        for name, path in snakemake.output.items():
            write_table(path, tables[name])
