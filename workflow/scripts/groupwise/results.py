"""The results tables of a dataset, put together from those of its specifications."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from groupwise import tidy
from groupwise.words import method_order


def combined(name: str, parts: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """One table, methods in the order of the report; within a method the rows keep their order."""
    table = tidy.concat(name, parts)
    return table.sort_values(
        "method", key=lambda m: m.map(method_order), kind="stable", ignore_index=True
    )


def as_written(table: pd.DataFrame) -> pd.DataFrame:
    """The numbers that come back when a table was written with `tidy.FLOAT_FORMAT`."""
    floats = table.select_dtypes("float").columns
    return table.assign(
        **{name: [float(tidy.FLOAT_FORMAT % value) for value in table[name]] for name in floats}
    )
