"""Labels of groups, arms and categories: text that is held once, and a code for each row."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd


def labels(values: pd.Series) -> pd.Series:
    """Labels as a categorical of texts: 7, 7.0 and '7' are one label, '07' is another.

    The categories are those that occur, in natural order: 2 before 10. Missing stays missing.
    """
    codes, found = _codes(values)
    whole = pd.api.types.is_float_dtype(found) and (found.dropna() % 1 == 0).all()
    text = (found.astype("Int64") if whole else found).astype("string").astype(object)
    return _categorical(values, codes, text)


def relabelled(values: pd.Series, new: Mapping[str, str | None]) -> pd.Series:
    """Labels (see `labels`) under new names, which several may share; None makes them missing."""
    text = values.cat.categories.astype(object)
    return _categorical(
        values, values.cat.codes.to_numpy(), text.map(lambda each: new.get(each, each))
    )


def natural(label: str) -> tuple[int, float, str]:
    """A key by which labels are in natural order."""
    try:
        return (0, float(label), label)
    except ValueError:
        return (1, 0.0, label)


def _codes(values: pd.Series) -> tuple[np.ndarray, pd.Index]:
    """A code for each row, -1 where the value is missing, and the values."""
    if isinstance(values.dtype, pd.CategoricalDtype):
        return values.cat.codes.to_numpy(), values.cat.categories
    if values.dtype == object:  # as objects 1 and True would be the same
        values = values.astype("string").where(values.notna(), None)
    codes, found = pd.factorize(values)
    return codes, pd.Index(found)


def _categorical(values: pd.Series, codes: np.ndarray, text: pd.Index) -> pd.Series:
    """The series of these texts: `text` may name one label twice, or one that does not occur."""
    occurs = np.zeros(len(text) + 1, dtype=bool)
    occurs[codes] = True
    names = sorted({str(each) for each in text[occurs[:-1]] if not pd.isna(each)}, key=natural)
    place = pd.Index(names, dtype=object).get_indexer(text) if names else np.full(len(text), -1)
    place = np.append(np.where(occurs[:-1], place, -1), -1)
    dtype = pd.CategoricalDtype(pd.Index(names, dtype=object))
    return pd.Series(
        pd.Categorical.from_codes(place[codes], dtype=dtype), index=values.index, name=values.name
    )
