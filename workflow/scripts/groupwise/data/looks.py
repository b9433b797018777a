"""What the columns without a role tell of the rows: who is a row, and what was assigned to arms."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from groupwise.data import suspect
from groupwise.data.labels import labels
from groupwise.data.names import PERSON, TIME, UNIT, sounds
from groupwise.data.validate import Roles
from groupwise.data.values import in_yaml

MOST_CELLS = 50_000_000
"""Of tables with more cells only the columns in use are looked at."""
SHARED = 1.3
"""With so many rows to an id on average, ids are shared."""
EVIDENCE = 10
"""So many rows must agree with another one in their arm, if that is to be no play of chance."""


@dataclass(frozen=True)
class Looks:
    """What was seen of the rows that are analysed.

    Attributes
    ----------
    row : what a row is called: individual, measurement (of an individual), or row (not known)
    assigned_with : the column that the treatment goes with inside groups, if there is one
    alerts, warnings : sentences, the first to be read before any result
    """

    row: str = "individual"
    assigned_with: str | None = None
    alerts: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def look(table: pd.DataFrame, roles: Roles, assigned: str | None = None) -> Looks:
    """Look at all columns of the rows to analyse (see `ingest.chosen`).

    Parameters
    ----------
    assigned
        What the configuration says was assigned: `individual`, `group`, or nothing.
    """
    used = {*roles.columns, *roles.columns_read}
    others = [str(column) for column in table.columns if column not in used]
    group = _codes(table[roles.group])
    shared = shared_id(table, group, others) if roles.individual is None else None
    row, warnings = _row(table, roles, group, shared)
    alerts: list[str] = []
    goes_with = None
    if assigned != "individual":
        goes_with = treatment_goes_with(table, roles, [*roles.covariates, *others])
        if goes_with is not None:
            nested = _is_function(_codes(table[goes_with]), group)
            alerts.append(_goes_with(roles, goes_with, nested=nested))
    if goes_with is None and (outer := restarts_in(table, roles.group, others)):
        alerts.append(_restarts(roles, outer))
    warnings += suspect.copied_rows(table)
    return Looks(row, goes_with, tuple(alerts), tuple(warnings))


def shared_id(table: pd.DataFrame, group: np.ndarray, columns: Iterable[str]) -> str | None:
    """A column that names persons, inside the groups, with several rows to each."""
    for column in columns:
        if not sounds(column, PERSON):
            continue
        values = table[column]
        pairs = _n_levels(_pairs(group, _codes(values)))
        if pairs > group.max() + 1 and int(values.notna().sum()) > SHARED * pairs:
            return column
    return None


def treatment_goes_with(table: pd.DataFrame, roles: Roles, columns: Iterable[str]) -> str | None:
    """The column whose values share an arm inside each group, though groups hold several arms.

    Then rows were not assigned one by one. Of several such columns one that names times comes
    first, then one that names larger units, then persons; any other must have several levels in
    each arm.
    """
    arm, group = _codes(table[roles.treatment]), _codes(table[roles.group])
    if _is_function(group, arm):
        return None
    found = []
    for column in columns:
        values = table[column]
        if not _may_name(values):
            continue
        code = _codes(values)
        pairs = _pairs(group, code)
        kind = [sounds(column, words) for words in (TIME, UNIT, PERSON)]
        if not _is_function(pairs, arm) or _agreeing(pairs, arm) < EVIDENCE:
            continue
        if any(kind) or _levels_by_arm(code, arm).min() >= 2:
            found.append((not kind[0], not kind[1], not kind[2], _n_levels(pairs), column))
    return min(found)[-1] if found else None


def restarts_in(table: pd.DataFrame, name: str, columns: Iterable[str]) -> str | None:
    """The column of larger units in each of which the labels of `name` begin anew."""
    if name not in table.columns or not _begins_at_one(table[name]):
        return None
    code = _codes(table[name])
    for column in columns:
        if not sounds(column, UNIT) or sounds(column, TIME) or not _may_name(table[column]):
            continue
        outer = _codes(table[column])
        pairs = _n_levels(_pairs(outer, code))
        n_outer, n_inner = _n_levels(outer), _n_levels(code)
        anew = table.groupby(outer)[name].nunique()
        if n_outer > 1 and pairs >= 1.5 * n_inner and anew.min() > 1 and pairs < len(table):
            return column
    return None


def _row(
    table: pd.DataFrame, roles: Roles, group: np.ndarray, shared: str | None
) -> tuple[str, list[str]]:
    """What a row is called, and a sentence where that is in doubt."""
    if roles.individual is not None:
        pairs = _n_levels(_pairs(group, _codes(table[roles.individual])))
        return ("measurement" if pairs < len(table) else "individual"), []
    if shared is not None:
        n = _n_levels(_pairs(group, _codes(table[shared])))
        said = (
            f"Several rows have the same value of '{shared}' ({len(table):,} rows, {n:,} values), so a "
            f"row may be a measurement and not an individual: `individual: {in_yaml(shared)}` under "
            "`roles` says so, and individuals are then counted as such."
        )
        return "row", [said]
    name = dict(roles.parts).get(roles.group, (roles.group,))[-1]
    return ("measurement" if sounds(name, PERSON) else "individual"), []


def _goes_with(roles: Roles, column: str, *, nested: bool) -> str:
    """What it means that the treatment goes with a column inside groups, and what to write.

    `nested` says that each of its values is in one group.
    """
    group, treatment = roles.group, roles.treatment
    start = (
        f"The treatment '{treatment}' varies within '{group}', but not within '{group}' and '{column}' "
        "together: rows were not assigned to arms one by one"
    )
    if sounds(column, TIME):
        return f"{start}. {_with_time(roles, column)} The randomisation test gives no answer."
    block = "" if roles.block else f" and `block: {in_yaml(group)}`"
    what = (
        f"If '{column}' names what was assigned, write `group: {in_yaml([group, column])}`{block}"
    )
    if sounds(column, UNIT) and not nested:
        what = (
            f"If the labels of '{group}' begin anew in each '{column}', write "
            f"`group: {in_yaml([column, group])}`"
        )
    return (
        f"{start}, and every p-value here may be far too small. {what} under `roles`; if rows were "
        "assigned one by one, write `assigned: individual`."
    )


def _with_time(roles: Roles, column: str) -> str:
    """What to do about a treatment that changes with time."""
    if column in roles.covariates:
        return (
            f"'{column}' is adjusted for; what else the members of one '{roles.group}' share at one "
            "time is not."
        )
    return (
        f"It changes with time, and '{column}' has to be adjusted for: "
        f"`covariates: {in_yaml([column])}` under `roles`, and `categorical: {in_yaml([column])}`."
    )


def _restarts(roles: Roles, outer: str) -> str:
    pair = in_yaml([outer, roles.group])
    return (
        f"The labels of '{roles.group}' begin anew in each '{outer}', so rows of different groups may "
        f"be taken for one group: `group: {pair}` under `roles` tells them apart."
    )


def _codes(values: pd.Series) -> np.ndarray:
    """Integer codes (n,), -1 where the value is missing."""
    if isinstance(values.dtype, pd.CategoricalDtype):
        return values.cat.codes.to_numpy().astype(np.int64)
    return pd.factorize(values)[0].astype(np.int64)


def _pairs(outer: np.ndarray, inner: np.ndarray) -> np.ndarray:
    """A code for each pair of codes, -1 where one is missing."""
    pair = outer * (inner.max(initial=0) + 1) + inner
    found = np.unique(np.where((outer < 0) | (inner < 0), -1, pair), return_inverse=True)
    return found[1] - int((found[0] == -1).any())


def _n_levels(codes: np.ndarray) -> int:
    return len(np.unique(codes[codes >= 0]))


def _is_function(outer: np.ndarray, inner: np.ndarray) -> bool:
    """Whether codes of `inner` follow from those of `outer`; -1 is missing."""
    known = (outer >= 0) & (inner >= 0)
    outer, inner = outer[known], inner[known]
    one = np.full(outer.max(initial=-1) + 1, -1)
    one[outer] = inner
    return bool((one[outer] == inner).all())


def _agreeing(pairs: np.ndarray, arm: np.ndarray) -> int:
    """Rows that could have had another arm than the first row of their pair."""
    known = (pairs >= 0) & (arm >= 0)
    return int(known.sum()) - _n_levels(pairs[known])


def _levels_by_arm(code: np.ndarray, arm: np.ndarray) -> np.ndarray:
    """How many levels occur in each arm."""
    known = (code >= 0) & (arm >= 0)
    cells = np.unique(np.column_stack([arm[known], code[known]]), axis=0)
    return np.bincount(cells[:, 0])


def _may_name(values: pd.Series) -> bool:
    """Whether values can be names: texts and whole numbers, not measurements."""
    if pd.api.types.is_float_dtype(values):
        return bool((values.dropna() % 1 == 0).all()) and values.notna().any()
    return bool(values.notna().any())


def _begins_at_one(values: pd.Series) -> bool:
    """Whether labels are numbers or letters from the first on: 1, 2, 3 or A, B, C."""
    found = list(labels(values).cat.categories)
    numbers = [str(i) for i in range(1, len(found) + 1)]
    letters = [chr(ord("a") + i) for i in range(len(found))]
    return found in (numbers, [str(i - 1) for i in range(1, len(found) + 1)]) or (
        len(found) <= 26 and [each.casefold() for each in found] == letters
    )
