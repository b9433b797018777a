"""The results tables of a dataset, put together from those of its specifications."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pandas as pd

from groupwise import tidy


def combined(name: str, parts: Iterable[pd.DataFrame], methods: Sequence[str]) -> pd.DataFrame:
    """One table, its methods in the order of `methods`; within a method the rows keep theirs."""
    table = tidy.concat(name, parts)
    place = {method: i for i, method in enumerate(methods)}
    return table.sort_values("method", key=lambda m: m.map(place), kind="stable", ignore_index=True)


def as_written(table: pd.DataFrame) -> pd.DataFrame:
    """The numbers that come back when a table was written with `tidy.FLOAT_FORMAT`."""
    floats = table.select_dtypes("float").columns
    return table.assign(
        **{name: [float(tidy.FLOAT_FORMAT % value) for value in table[name]] for name in floats}
    )
