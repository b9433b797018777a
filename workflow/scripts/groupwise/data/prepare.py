"""Preparation of a table before its columns take roles: recoded values, filtered rows, baselines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from groupwise.data.errors import InputError, nearest
from groupwise.data.labels import in_order, labels, relabelled
from groupwise.data.validate import Roles, check_numeric
from groupwise.data.values import matching


def identifier(values: pd.Series) -> pd.Series:
    """Labels (see `labels`) as text, a text for each row; missing is None."""
    return labels(values).astype(object).where(values.notna(), None)


def recode(table: pd.DataFrame, recodes: Mapping[str, Mapping[Any, Any]]) -> pd.DataFrame:
    """The table with values replaced; values not listed stay, and None makes a value missing.

    Raises
    ------
    InputError
        For a column or a value that the data do not have.
    """
    table = table.copy()
    for column, pairs in recodes.items():
        values = labels(_column(table, column, f"recode.{column}"))
        new = {
            _label(old, values, f"recode.{column}"): None if value is None else _text(value)
            for old, value in pairs.items()
        }
        table[column] = _as_before(relabelled(values, new), table[column])
    return table


def where(table: pd.DataFrame, conditions: Mapping[str, Any], setting: str = "where") -> pd.Series:
    """The mask of the rows that meet every condition, shape (n_rows,).

    A condition is a value, a list of values, or a mapping with some of `min` and `max` (numbers,
    included), `not` (a value or a list) and `missing` (true or false). A missing value meets no
    other condition than `missing: true`.
    """
    mask = pd.Series(True, index=table.index)
    for column, condition in conditions.items():
        key = f"{setting}.{column}"
        mask &= _meets(_column(table, column, key), condition, key)
    if not mask.any():
        problem = f"no row of {len(table)} meets the conditions"
        raise InputError(setting, problem, "check the values they ask for")
    return mask


def baseline_name(roles: Roles) -> str:
    """The name of the covariate that holds the outcome at baseline."""
    return f"{roles.outcome}_baseline"


def with_baseline(
    table: pd.DataFrame, roles: Roles, conditions: Mapping[str, Any]
) -> tuple[pd.DataFrame, Roles]:
    """The rows after the baseline, with the outcome at the baseline of their individual.

    Returns
    -------
    The rows that do not meet the conditions, with a covariate `{outcome}_baseline`; and the roles
    with it.

    Raises
    ------
    InputError
        Without individuals; for an individual with several rows that meet the conditions.
    """
    if roles.individual is None:
        problem = "nothing says which rows are of one individual"
        fix = "name the column of the individuals' ids as `individual` under `roles`"
        raise InputError("baseline", problem, fix)
    name = baseline_name(roles)
    before = where(table, conditions, "baseline")
    if before.all():
        fix = "name the rows of one point in time"
        raise InputError("baseline", "every row meets the conditions, so nothing is left", fix)
    if name in roles.columns:
        problem = f"the baseline makes a column '{name}', and there is one"
        raise InputError("baseline", problem, "rename that column")
    first = table.loc[before].set_index(labels(table.loc[before, roles.individual]).astype(object))
    first = first.loc[first.index.notna(), roles.outcome]
    twice = first.index[first.index.duplicated()]
    if len(twice):
        problem = f"'{roles.individual}' {twice[0]} has several rows that meet the conditions"
        fix = "narrow the conditions to one row of each individual"
        raise InputError("baseline", problem, fix)
    after = table.loc[~before]
    values = identifier(after[roles.individual]).map(first)
    return after.assign(**{name: values}), replace(roles, covariates=(*roles.covariates, name))


def group_ungrouped(table: pd.DataFrame, roles: Roles) -> tuple[pd.DataFrame, list[str]]:
    """The table with each ungrouped row, or individual, as its own group; and a warning.

    `table` has its labels as categoricals, and rows numbered from 0.
    """
    alone = table[roles.group].isna()
    if not alone.any():
        problem = f"every row has a value in column '{roles.group}'"
        raise InputError("ungrouped", problem, "remove the setting")
    row = pd.Series(np.arange(1, len(table) + 1), index=table.index)
    of = "row" if roles.individual is None else roles.individual
    who = row if roles.individual is None else table[roles.individual].astype(object)
    name = who.map(lambda each: f"{of} {each}", na_action="ignore")
    group = table[roles.group].astype(object).where(~alone, name)
    n = int(name[alone].nunique())
    arms = " and ".join(f"'{arm}'" for arm in in_order(table.loc[alone, roles.treatment]))
    who = f"{n:,} {of} of {arms} is" if n == 1 else f"{n:,} {of}s of {arms} are"
    sentence = (
        f"{who} in no '{roles.group}', and each is taken as a group by itself. This assumes that they "
        "are independent of each other; mixed models and group means assume besides that they vary as "
        "the groups of the other arm do, which CR2 does not."
    )
    return table.assign(**{roles.group: labels(group)}), [sentence]


def _meets(values: pd.Series, condition: Any, key: str) -> pd.Series:
    if not isinstance(condition, Mapping):
        return _is_one_of(values, condition, key)
    mask = pd.Series(True, index=values.index)
    if "min" in condition or "max" in condition:
        numbers = check_numeric(values, key)
        mask &= numbers.ge(condition.get("min", -np.inf)) & numbers.le(condition.get("max", np.inf))
    if "not" in condition:
        mask &= ~_is_one_of(values, condition["not"], f"{key}.not") & values.notna()
    if "missing" in condition:
        mask &= values.isna() == condition["missing"]
    return mask


def _is_one_of(values: pd.Series, wanted: Any, key: str) -> pd.Series:
    """Rows with one of these values, each of which some row has."""
    wanted = wanted if isinstance(wanted, list) else [wanted]
    texts = labels(values)
    mask: pd.Series = texts.isin([_label(each, texts, key) for each in wanted])
    return mask


def _label(value: Any, values: pd.Series, key: str) -> str:
    """The label, of a categorical, that a value of the settings means."""
    categories = list(values.cat.categories)
    label = matching(value, categories)
    if label is None:
        problem = f"no row has the value '{_text(value)}' in column '{values.name}'"
        raise InputError(key, problem, nearest(_text(value), categories))
    return label


def _column(table: pd.DataFrame, column: str, key: str) -> pd.Series:
    if column not in table.columns:
        raise InputError(key, f"the data have no column '{column}'", nearest(column, table))
    return table[column]


def _text(value: Any) -> str:
    """A value of the configuration as `identifier` writes the same value of the data."""
    return str(int(value) if isinstance(value, float) and value.is_integer() else value)


def _as_before(values: pd.Series, old: pd.Series) -> pd.Series:
    """Labels as numbers again, where the column was numeric and still can be."""
    if pd.api.types.is_numeric_dtype(old) and not pd.api.types.is_bool_dtype(old):
        numbers = pd.to_numeric(values.cat.categories, errors="coerce")
        if numbers.notna().all():
            by_code = numbers.to_numpy() if values.notna().all() else np.append(numbers, np.nan)
            return pd.Series(by_code[values.cat.codes], index=old.index, name=old.name)
    return values.astype(object).where(values.notna(), None)
