"""The analysis table of a dataset, as what is fitted and simulated."""

import pandas as pd
from job import read_json

from groupwise.data.validate import Roles
from groupwise.design import make_design
from groupwise.specifications import Resampling, Sample


def read_sample(data, design, resampling=None):
    """The sample of the files `{dataset}.parquet` and `design.json`."""
    return sample_of(pd.read_parquet(data), read_json(design), resampling or {})


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
