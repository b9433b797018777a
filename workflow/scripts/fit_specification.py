"""Fit one specification to one dataset: every table its methods fill."""

import pandas as pd
from job import logged, read_json, write_table

from groupwise.data.validate import Roles
from groupwise.design import make_design
from groupwise.specifications import Resampling, Sample, fit_tables


def sample_of(table, design, resampling):
    """What a specification is fitted to; `design` is the content of design.json."""
    roles = Roles.from_settings(design["roles"])
    return Sample(
        design=make_design(
            table,
            roles,
            blocks_as=design["blocks_as"] or "fixed",
            random_slopes=design["random_slopes"],
            rank_deficient=design["rank_deficient"],
        ),
        y=table[roles.outcome].to_numpy(dtype=float),
        dataset=design["dataset"],
        group_name=roles.group,
        block_name=roles.block,
        conf_level=design["conf_level"],
        second_name=roles.second_group,
        resampling=Resampling(**resampling),
    )


if __name__ == "__main__":
    with logged(snakemake):
        sample = sample_of(
            pd.read_parquet(snakemake.input.data),
            read_json(snakemake.input.design),
            snakemake.params.resampling,
        )
        tables = fit_tables(snakemake.wildcards.specification, sample)
        for name, path in snakemake.output.items():
            write_table(path, tables[name])
