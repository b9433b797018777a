"""The analysis table of a dataset, as what is fitted and simulated."""

import pandas as pd
from job import read_json

from groupwise.sample import sample_of


def read_sample(data, design, resampling=None):
    """The sample of the files `{dataset}.parquet` and `design.json`."""
    return sample_of(pd.read_parquet(data), read_json(design), resampling or {})
