"""Fit the models again: without each group, with other settings, with the group variance held."""

import pandas as pd
from job import logged, read_json, write_table

from groupwise.diagnostics.influence import influence
from groupwise.diagnostics.profile import profile_table
from groupwise.diagnostics.refit import Dataset
from groupwise.diagnostics.sensitivity import sensitivity
from groupwise.sample import sample_of

if __name__ == "__main__":
    with logged(snakemake):
        dataset = Dataset(
            table=pd.read_parquet(snakemake.input.data),
            settings=read_json(snakemake.input.design),
            build=sample_of,
        )
        write_table(snakemake.output.influence, influence(dataset))
        write_table(snakemake.output.sensitivity, sensitivity(dataset))
        write_table(snakemake.output.profile, profile_table(dataset))
