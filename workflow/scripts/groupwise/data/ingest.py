"""From a raw table to the analysis table: typed, complete, arms ordered with the reference first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from groupwise.data import prepare, suspect
from groupwise.data.codes import Codes
from groupwise.data.declared_kind import DeclaredKind
from groupwise.data.errors import InputError
from groupwise.data.labels import labels, relabelled
from groupwise.data.losses import Losses, check_losses
from groupwise.data.outcome_kind import OutcomeKind, as_numbers, remarks, settled
from groupwise.data.period_order import labels_of, ordered_periods
from groupwise.data.undeclared import check_undeclared
from groupwise.data.validate import (
    Roles,
    arm_order,
    check_columns,
    check_groups,
    check_numeric,
    composed,
)
from groupwise.data.values import matching

MANY_LEVELS = 20
"""A category with more levels than this may well be a number with a typing error in it."""

NO_PERIOD = (
    "nothing says in which period a row was measured",
    "name the column as `period` under `roles`",
)
"""Problem and fix of a setting of periods, where there are none."""


@dataclass(frozen=True)
class Ingested:
    """The analysis table, and what was done to get it.

    Attributes
    ----------
    table : rows that are analysed, columns in the order of the roles, labels as categoricals
    roles : the roles of the columns, with the covariate that a baseline adds
    n_read : rows in the file
    dropped : rows dropped, by reason
    missing : one row per column in use, arm and group: how many rows, how many of them missing
    outcome : how the outcome was transformed (`as`), with the mean and sd that undo it
    kind : what the outcome is; a binary one is 1 where the event happened and 0 where not
    warnings : sentences a reader of the results should know
    alerts : sentences that a reader must see before any result
    """

    table: pd.DataFrame
    roles: Roles
    n_read: int
    dropped: Mapping[str, int]
    missing: pd.DataFrame
    outcome: Mapping[str, Any] = field(default_factory=lambda: {"as": "raw"})
    kind: OutcomeKind = field(default_factory=OutcomeKind)
    warnings: Sequence[str] = ()
    alerts: Sequence[str] = ()


def ingest(
    raw: pd.DataFrame,
    roles: Roles,
    *,
    reference: str | None = None,
    levels: Sequence[str] | Mapping[str, str] | None = None,
    periods: Sequence[object] | None = None,
    untreated_periods: Sequence[object] = (),
    missing: str = "drop",
    missing_codes: Codes | None = None,
    where: Mapping[str, Any] | None = None,
    recode: Mapping[str, Mapping[Any, Any]] | None = None,
    baseline: Mapping[str, Any] | None = None,
    ungrouped: str = "drop",
    outcome_kind: str | None = None,
    event: Any = None,
    effect_as: str | None = None,
    outcome_as: str = "raw",
    categorical: Sequence[str] = (),
    numeric: Sequence[str] = (),
    singletons: str = "keep",
    one_arm_blocks: str = "keep",
    most_dropped: float = 0.3,
) -> Ingested:
    """Check and type the columns in use; drop incomplete rows, or refuse them.

    Parameters
    ----------
    raw
        One row per individual, or per measurement of one. Values that `missing_codes` names are
        missing in it already (see `codes.without_codes`).
    reference
        The arm the others are compared with; the first of `levels` by default.
    levels
        The arms in order, or a mapping from the values in the data to labels.
    periods
        The labels of the periods in order, where these do not tell it.
    untreated_periods
        Periods in which no group had its treatment yet: their rows are in the reference arm.
    missing
        `drop` drops rows with a missing value in any role; `error` refuses them.
    missing_codes
        Values that mean missing; None where none are declared, and suspected ones are refused.
    where, recode, baseline
        See `prepare`; values are recoded first.
    ungrouped
        `drop` rows without a group, or make each its `own_group`.
    outcome_kind, event, effect_as
        See `declared_kind.DeclaredKind`; two values are a binary outcome where nothing is declared.
    outcome_as
        `raw`; `log`, the natural logarithm; or `standardized`, in sds of the rows analysed.
    categorical, numeric
        Covariates to take as categories, or as numbers, whatever they look like.
    singletons, one_arm_blocks
        `keep`, or `drop` groups of one member, and blocks that hold one arm.
    most_dropped
        The largest share of the rows that may be dropped for other reasons than a missing outcome.

    Raises
    ------
    InputError
        For every mistake in the data or the settings, with the setting to change.
    """
    n_read = len(raw)
    table, roles, dropped = chosen(raw, roles, where=where, recode=recode, baseline=baseline)
    declared = DeclaredKind(outcome_kind, event, effect_as)
    values, pair = as_numbers(table[roles.outcome], declared)
    table = table[roles.columns].assign(**{roles.outcome: values})
    table, warnings = _typed(table, roles, categorical, numeric)
    if ungrouped == "own_group":
        table, remark = prepare.group_ungrouped(table, roles)
        warnings += remark
    if isinstance(levels, Mapping):
        table[roles.treatment], levels = _relabel(table[roles.treatment], levels)

    counted = missing_counts(table, roles)
    alerts = check_undeclared(table, roles, missing_codes)
    incomplete = _missing(table, roles, missing)
    losses = Losses.of(table, roles, incomplete)
    if incomplete:
        table = table.dropna(ignore_index=True)
    alerts += check_losses(losses, roles, most_dropped)
    for reason, n in incomplete.items():
        dropped[reason] = dropped.get(reason, 0) + n
    table = _set_aside(table, roles, dropped, singletons=singletons, one_arm_blocks=one_arm_blocks)
    if table.empty:
        problem = "no row has a value in every column in use"
        raise InputError("roles", problem, "look for a column that is always missing")
    order = arm_order(table[roles.treatment], levels=levels, reference=reference)
    table[roles.treatment] = table[roles.treatment].cat.set_categories(order, ordered=True)
    for column in table.columns[table.dtypes == "category"].drop(roles.treatment):
        table[column] = table[column].cat.remove_unused_categories()
    warnings += _set_periods(table, roles, periods, untreated_periods)
    check_groups(table, roles)
    table[roles.outcome], kind = settled(table, roles, declared, pair, outcome_as)
    warnings += remarks(table[roles.outcome], kind)
    measured = [] if kind.response.has_events else [roles.outcome]  # events may be rare
    warnings += suspect.steady_columns(table[[*measured, *roles.covariates]])
    table[roles.outcome], outcome = _transformed(table[roles.outcome], outcome_as)
    if kind.response.family == "continuous" and table[roles.outcome].nunique() == 2:
        outcome["two_values"] = True
    dropped = {reason: n for reason, n in dropped.items() if n}
    return Ingested(table, roles, n_read, dropped, counted, outcome, kind, warnings, alerts)


def _set_periods(
    table: pd.DataFrame,
    roles: Roles,
    periods: Sequence[object] | None,
    untreated: Sequence[object],
) -> list[str]:
    """Put periods in order, in place, and rows from before the treatment in the reference arm.

    A warning if there is one period only.
    """
    if roles.period is None:
        for key, setting in (("periods", periods), ("untreated_periods", untreated)):
            if setting:
                raise InputError(key, *NO_PERIOD)
        return []
    order = ordered_periods(list(table[roles.period].cat.categories), periods)
    table[roles.period] = table[roles.period].cat.set_categories(order, ordered=True)
    if untreated:
        before = _untreated(table, roles, untreated)
        table.loc[before, roles.treatment] = table[roles.treatment].cat.categories[0]
    if len(order) > 1:
        return []
    return [f"All rows are of one '{roles.period}', '{order[0]}': nothing changes over time here."]


def _untreated(table: pd.DataFrame, roles: Roles, periods: Sequence[object]) -> pd.Series:
    """Which rows are from before the treatment."""
    assert roles.period is not None
    labelled = list(table[roles.period].cat.categories)
    early = labels_of("untreated_periods", periods, labelled)
    if len(early) == len(labelled):
        problem = "every period is listed, so no row would have a treatment"
        raise InputError("untreated_periods", problem, "list those before the treatment only")
    before = table[roles.period].isin(early)
    _check_untreated(table, roles, before)
    return before


def _check_untreated(table: pd.DataFrame, roles: Roles, before: pd.Series) -> None:
    """No row from before the treatment is in another arm, if groups change their arm with time."""
    arm, group, period = table[roles.treatment], table[roles.group], table[roles.period]
    if arm.groupby([group, period], observed=True).nunique().max() > 1:
        return
    changing = arm.groupby(group, observed=True).transform("nunique") > 1
    odd = before & changing & (arm != arm.cat.categories[0])
    if odd.any():
        problem = (
            f"in '{period[odd].iloc[0]}' the group '{group[odd].iloc[0]}' is in the arm "
            f"'{arm[odd].iloc[0]}', and groups change their arm with time in the data"
        )
        fix = "remove the period from the list, or correct the arm in the file"
        raise InputError("untreated_periods", problem, fix)


def chosen(
    raw: pd.DataFrame,
    roles: Roles,
    *,
    where: Mapping[str, Any] | None,
    recode: Mapping[str, Mapping[Any, Any]] | None,
    baseline: Mapping[str, Any] | None,
) -> tuple[pd.DataFrame, Roles, dict[str, int]]:
    """Rows to analyse, recoded, with joint identifiers; the roles; rows left out, by reason."""
    check_columns(raw, roles)
    table, left_out = prepare.recode(raw, recode) if recode else raw, {}
    if where:
        meets = prepare.where(table, where)
        left_out["left out by the conditions"] = int((~meets).sum())
        table = table[meets]
    if recode:  # an arm that is recoded as missing is left out, not lost
        emptied = table[roles.treatment].isna() & raw.loc[table.index, roles.treatment].notna()
        left_out[f"{roles.treatment} missing"] = int(emptied.sum())
        table = table[~emptied]
    table = composed(table, roles)
    if baseline:
        n = len(table)
        table, roles = prepare.with_baseline(table, roles, baseline)
        left_out["that are the baseline of others"] = n - len(table)
    return table.reset_index(drop=True), roles, left_out


def missing_counts(table: pd.DataFrame, roles: Roles) -> pd.DataFrame:
    """Counts of rows and of missing values by role, arm and group, of rows with an arm and a group.

    The role `any` counts the rows that miss a value in some column.
    """
    labelled = (table[roles.treatment].notna() & table[roles.group].notna()).to_numpy()
    arm, group = table[roles.treatment].cat, table[roles.group].cat
    k = len(group.categories)
    cell = arm.codes.to_numpy(dtype=np.int64)[labelled] * k + group.codes.to_numpy()[labelled]
    n = np.bincount(cell, minlength=1)
    occupied = np.flatnonzero(n)
    columns = {key.removeprefix("roles."): column for key, column in roles.items()}
    missing = {
        role: table[column].isna().to_numpy()[labelled]
        for role, column in columns.items()
        if role not in ("treatment", "group")
    }
    missing["any"] = np.any([*missing.values()], axis=0)
    parts = {
        "role": np.repeat(list(missing), len(occupied)),
        "column": np.repeat([columns.get(role, "") for role in missing], len(occupied)),
        "arm": np.tile(arm.categories[occupied // k], len(missing)),
        "group": np.tile(group.categories[occupied % k], len(missing)),
        "n": np.tile(n[occupied], len(missing)),
        "n_missing": np.concatenate(
            [np.bincount(cell[gone], minlength=len(n))[occupied] for gone in missing.values()]
        ),
    }
    return pd.DataFrame(parts)


def missing_by_arm(counts: pd.DataFrame) -> list[dict[str, Any]]:
    """The number of missing values in each arm, of each column that has any, for design.json."""
    kept = counts[counts["role"] != "any"]
    sums = kept.groupby(["role", "column", "arm"], sort=False)[["n", "n_missing"]].sum()
    rows = []
    for (role, column), part in sums.groupby(level=[0, 1], sort=False):
        if part["n_missing"].any():
            arms: Mapping[str, int] = part["n_missing"].droplevel([0, 1]).to_dict()
            rows.append(
                {"role": role, "column": column, "arms": {arm: int(n) for arm, n in arms.items()}}
            )
    return rows


def _typed(
    table: pd.DataFrame, roles: Roles, categorical: Sequence[str], numeric: Sequence[str]
) -> tuple[pd.DataFrame, list[str]]:
    """Exposure as floats, labels as categoricals, covariates as declared or as they look."""
    for key, names in (("categorical", categorical), ("numeric", numeric)):
        for i, column in enumerate(names):
            if column not in roles.covariates:
                problem = f"'{column}' is none of the covariates"
                raise InputError(f"{key}[{i}]", problem, "add it to roles.covariates, or remove it")
    warnings: list[str] = []
    table = table.copy()
    for key, column in roles.items():
        if key.startswith("roles.covariates"):
            table[column], remark = _covariate(
                table[column], key, category=column in categorical, number=column in numeric
            )
            warnings += remark
        elif column == roles.exposure:
            table[column] = check_numeric(table[column], key)
        elif column != roles.outcome:
            table[column] = labels(table[column])
    return table, warnings


def _covariate(
    values: pd.Series, key: str, *, category: bool, number: bool
) -> tuple[pd.Series, list[str]]:
    """A covariate as floats if numeric, else as categories, with a warning if these are many."""
    text = pd.api.types.is_bool_dtype(values) or not pd.api.types.is_numeric_dtype(values)
    if number and text and not pd.api.types.is_bool_dtype(values):
        return check_numeric(values, key), []
    if not (category or text):
        return check_numeric(values, key), []
    labelled = labels(values)
    levels = labelled.cat.categories
    if category or len(levels) <= MANY_LEVELS:
        return labelled, []
    odd = labelled[labelled.isin(levels[pd.to_numeric(levels, errors="coerce").isna()])].iloc[0]
    return labelled, [
        f"The covariate '{values.name}' is taken as a category with {len(levels)} levels, because it "
        f"has values such as '{odd}'; list it under `numeric` or `categorical` to decide."
    ]


def _set_aside(
    table: pd.DataFrame,
    roles: Roles,
    dropped: dict[str, int],
    *,
    singletons: str,
    one_arm_blocks: str,
) -> pd.DataFrame:
    """The table without singleton groups and one-arm blocks; their rows are added to `dropped`."""
    if singletons == "drop":
        alone = table.groupby(roles.group)[roles.group].transform("size") == 1
        dropped["in groups of one member"] = int(alone.sum())
        table = table[~alone]
    if one_arm_blocks == "drop":
        if roles.block is None:
            problem = "there are no blocks to drop"
            raise InputError("one_arm_blocks", problem, "remove it, or name roles.block")
        lone = table.groupby(roles.block)[roles.treatment].transform("nunique") == 1
        dropped["in blocks with one arm"] = int(lone.sum())
        table = table[~lone]
    return table.reset_index(drop=True)


def _transformed(values: pd.Series, outcome_as: str) -> tuple[pd.Series, dict[str, Any]]:
    """The outcome on the scale of the analysis, and the mean and sd that transform it back."""
    if outcome_as == "raw":
        return values, {"as": "raw"}
    if outcome_as == "log":
        if (values <= 0).any():
            problem = f"column '{values.name}' has the value {values[values <= 0].iloc[0]:g}"
            fix = "a logarithm needs values above 0: set `outcome_as: raw`"
            raise InputError("outcome_as", problem, fix)
        return np.log(values), {"as": "log"}
    mean, sd = float(values.mean()), float(values.std())
    return (values - mean) / sd, {"as": "standardized", "mean": mean, "sd": sd}


def _relabel(values: pd.Series, names: Mapping[Any, str]) -> tuple[pd.Series, list[str]]:
    """The treatment with its arms renamed, and the new names in order."""
    arms = list(values.cat.categories)
    new = {matching(value, arms): str(label) for value, label in names.items()}
    unknown = [arm for arm in arms if arm not in new]
    if unknown:
        problem = f"the data have a treatment '{unknown[0]}' that has no label"
        raise InputError("levels", problem, "give every value a label")
    new.pop(None, None)
    return relabelled(values, new), list(dict.fromkeys(map(str, names.values())))  # type: ignore[arg-type]


def _missing(table: pd.DataFrame, roles: Roles, missing: str) -> dict[str, int]:
    """Rows lost to each column, counting a row for the first column that misses it."""
    counts, gone = {}, pd.Series(False, index=table.index)
    for key, column in roles.items():
        new = table[column].isna() & ~gone
        gone |= new
        if new.any():
            if missing == "error":
                n = int(table[column].isna().sum())
                problem = f"column '{column}' has {n} missing value{'' if n == 1 else 's'}"
                fix = "complete them, or set `missing: drop` to analyse the complete rows"
                raise InputError(key, problem, fix)
            counts[f"{column} missing"] = int(new.sum())
    return counts
