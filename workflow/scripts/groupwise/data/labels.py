"""Labels of groups, arms and categories as categoricals: text stored once, a code for each row."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np
import pandas as pd

WHOLE = re.compile(r"(-?(?:0|[1-9]\d*))(?:[.,]0+)?")
"""A whole number as text, with or without decimals: programs write the code 1 as 1.0 or 1,00."""
JOINT = " / "
"""Stands between the parts of a label that several columns make."""


def labels(values: pd.Series) -> pd.Series:
    """Labels as a categorical of texts: 7, 7.0, '7' and '7,0' are one label, '07' is another.

    The categories are those that occur, in natural order: 2 before 10. Missing stays missing.
    """
    codes, distinct = _codes(values)
    whole = pd.api.types.is_float_dtype(distinct) and (distinct.dropna() % 1 == 0).all()
    text = (distinct.astype("Int64") if whole else distinct).astype("string").astype(object)
    return _categorical(values, codes, _without_decimals(text))


def in_order(values: pd.Series) -> list[str]:
    """The labels of a categorical that occur, in natural order."""
    return sorted(map(str, values.dropna().unique()), key=natural)


def combined(parts: list[pd.Series]) -> pd.Series:
    """One label for each combination of labels, `1 / 7`; missing where a part is."""
    labelled = [labels(part) for part in parts]
    codes = np.column_stack([each.cat.codes.to_numpy() for each in labelled])
    complete = np.asarray((codes >= 0).all(axis=1))
    pairs, code = np.unique(codes[complete], axis=0, return_inverse=True)
    names = [each.cat.categories for each in labelled]
    text = [JOINT.join(name[i] for name, i in zip(names, pair, strict=True)) for pair in pairs]
    of_row = np.full(len(complete), -1)
    of_row[complete] = code.ravel()
    dtype = pd.CategoricalDtype(pd.Index(text, dtype=object))
    return pd.Series(pd.Categorical.from_codes(of_row, dtype=dtype), index=parts[0].index)


def relabelled(values: pd.Series, new: Mapping[str, str | None]) -> pd.Series:
    """Labels (see `labels`) renamed; several may get one name, and None makes a label missing."""
    text = values.cat.categories.astype(object)
    return _categorical(
        values, values.cat.codes.to_numpy(), text.map(lambda each: new.get(each, each))
    )


def natural(label: str) -> tuple[tuple[int, float, str], ...]:
    """A key by which labels are in natural order, and those of several parts by their parts."""
    return tuple(_natural(part) for part in label.split(JOINT))


def _natural(label: str) -> tuple[int, float, str]:
    try:
        return (0, float(label), label)
    except ValueError:
        return (1, 0.0, label)


def _without_decimals(text: pd.Index) -> pd.Index:
    """Texts without decimals, `1` for `1.0`, if all are whole numbers; else unchanged."""
    present = [str(each) for each in text if not pd.isna(each)]
    if not any("." in each or "," in each for each in present):
        return text
    whole = [None if pd.isna(each) else WHOLE.fullmatch(str(each)) for each in text]
    if sum(each is not None for each in whole) < len(present):
        return text
    return pd.Index([each and each[1] for each in whole], dtype=object)


def _codes(values: pd.Series) -> tuple[np.ndarray, pd.Index]:
    """Integer codes of the rows, -1 where the value is missing, and the distinct values."""
    if isinstance(values.dtype, pd.CategoricalDtype):
        return values.cat.codes.to_numpy(), values.cat.categories
    if values.dtype == object:  # as objects 1 and True would be the same
        values = values.astype("string").where(values.notna(), None)
    codes, distinct = pd.factorize(values)
    return codes, pd.Index(distinct)


def _categorical(values: pd.Series, codes: np.ndarray, text: pd.Index) -> pd.Series:
    """The categorical of `text[codes]`, where `text` may have duplicates or unused labels."""
    occurs = np.zeros(len(text) + 1, dtype=bool)
    occurs[codes] = True
    names = sorted({str(each) for each in text[occurs[:-1]] if not pd.isna(each)}, key=natural)
    place = pd.Index(names, dtype=object).get_indexer(text) if names else np.full(len(text), -1)
    place = np.append(np.where(occurs[:-1], place, -1), -1)
    dtype = pd.CategoricalDtype(pd.Index(names, dtype=object))
    return pd.Series(
        pd.Categorical.from_codes(place[codes], dtype=dtype), index=values.index, name=values.name
    )
