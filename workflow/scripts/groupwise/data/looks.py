"""What all columns show of the rows: the unit of a row, and the unit assigned to arms."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from groupwise.data import suspect
from groupwise.data import vocabulary as say
from groupwise.data.errors import InputError
from groupwise.data.labels import labels
from groupwise.data.period_order import moments
from groupwise.data.prepare import baseline_name
from groupwise.data.repeats import before, measured_before_treatment, restarted, whole_unit
from groupwise.data.structure import Key, Structure
from groupwise.data.units import DATE, is_time, rank
from groupwise.data.validate import Roles
from groupwise.data.values import as_plain, in_yaml
from groupwise.data.vocabulary import says

SHARED = 1.3
"""With so many rows to an id on average, ids are shared."""
STRAY, STRAY_GROUPS = 0.02, 0.2
"""So small a share of rows, in so small a share of groups, may be in the wrong arm by an error."""
EVIDENCE = 10
"""So many rows must agree with another one in their arm, if that is to be no play of chance."""
FEW_CHANGES = 0.4
"""Arms that change over time less than this share of what chance gives were not drawn row by row."""


@dataclass(frozen=True)
class Looks:
    """Findings on the rows that are analysed.

    Attributes
    ----------
    row : what a row is called: individual, measurement (of an individual), or row (if undecided)
    assigned_with : the column that the treatment goes with inside groups, if there is one
    alerts, warnings : sentences, the first to be read before any result
    """

    row: str = "individual"
    assigned_with: str | None = None
    alerts: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def look(
    table: pd.DataFrame, roles: Roles, assigned: str | None = None, *, untreated: bool = False
) -> Looks:
    """Check the design against all columns of the rows to analyse (see `ingest.chosen`).

    Parameters
    ----------
    assigned
        What the configuration says was assigned, or nothing.
    untreated
        Whether it says in which periods no group had its treatment yet.

    Raises
    ------
    InputError
        For individuals that were assigned, it says, where all of a group at one time are in one arm.
    """
    structure = Structure(table)
    used = {*roles.columns, *roles.columns_read}
    others = [str(column) for column in table.columns if column not in used]
    person = _individual(structure, roles, others)
    row, warnings = _row(structure, roles, person)
    warnings += _in_several_groups(structure, roles)
    alerts = [] if untreated else _before_and_after(structure, roles, person, others)
    goes_with = None
    if not _is_explained(structure, roles):
        goes_with = treatment_goes_with(structure, roles, [*roles.covariates, *others])
    if goes_with is not None and assigned == "individual":
        if is_time(structure, goes_with):
            raise InputError("assigned", *_contradiction(roles, goes_with))
        goes_with = None
    partly = _partly_together(structure, roles)
    if goes_with is not None:
        alerts.append(_goes_with(structure, roles, goes_with))
    elif partly is not None and assigned != "individual":
        goes_with = roles.period
        alerts.append(partly)
    elif assigned is None and (larger := _larger_unit(structure, roles, others)):
        alerts.append(larger)
    elif assigned is None and (runs := _in_runs(structure, roles, [*roles.covariates, *others])):
        goes_with, alert = runs
        alerts.append(alert)
    elif exchanged := _exchanged(structure, roles):
        alerts.append(exchanged)
    elif outer := restarts_in(structure, roles.group, others):
        alerts.append(_restarts(roles, outer))
    alerts += [*_spellings(table, roles), *_strays(structure, roles)]
    warnings += suspect.copied_rows(table)
    return Looks(row, goes_with, tuple(alerts), tuple(warnings))


def _is_explained(structure: Structure, roles: Roles) -> bool:
    """Whether roles say what was assigned: a group in a period, an individual, or one in a period."""
    arm, group, period, person = roles.treatment, roles.group, roles.period, roles.individual
    units: list[tuple[str, ...]] = []
    if period is not None:
        units.append((group, period))
    if person is not None and person != group:
        units.append((group, person))
        units += [(group, person, period)] if period is not None else []
    return any(_repeats(structure, unit) and structure.follows(unit, arm) for unit in units)


def _repeats(structure: Structure, unit: tuple[str, ...]) -> bool:
    """Whether some unit has several rows, or it is an individual in a period."""
    return len(unit) > 2 or structure.n_levels(unit) < int((structure.codes(unit) >= 0).sum())


def _partly_together(structure: Structure, roles: Roles) -> str | None:
    """An alert if most groups are in one arm in a period, more than by chance, and some are not."""
    group, period = roles.group, roles.period
    if period is None or _is_explained(structure, roles):
        return None
    cells = structure.crossed((group, period), roles.treatment)
    if cells is None or not cells.any() or structure.follows(group, roles.treatment):
        return None
    size = cells.sum(axis=1)
    one = cells.max(axis=1) == size
    several = size > 1
    shares = cells.sum(axis=0) / cells.sum()
    by_chance = (shares ** size[several, None]).sum(axis=1).mean() if several.any() else 1.0
    mixed, n = int((~one).sum()), int(several.sum())
    if not 0 < mixed <= n * (1 - by_chance) / 2 or (size[one] - 1).sum() < EVIDENCE:
        return None
    first = int(np.flatnonzero(structure.codes((group, period)) == np.argmin(one))[0])
    some = [as_plain(structure.table[name].iloc[first]) for name in (group, period)]
    return (
        f"In {n - mixed} of {n} cases all rows of a '{group}' that have one '{period}' are in one arm, "
        f"and in {mixed} in several (first '{some[0]}' in '{some[1]}'): rows were not assigned to arms "
        "one by one, and every p-value here may be far too small. Correct the arms if that is an error, "
        "leave out rows of a transition by `where`, or name shorter periods; if rows were assigned one "
        "by one, write `assigned: individual`."
    )


def _larger_unit(structure: Structure, roles: Roles, others: list[str]) -> str | None:
    """An alert if the groups of larger units are all in one arm in each period."""
    group, period = roles.group, roles.period
    if period is None or structure.follows(group, roles.treatment):
        return None
    blocks = [] if roles.block is None else [roles.block]
    parts = dict(roles.parts).get(group, ())  # columns of which the group is put together
    unit = whole_unit(structure, roles.treatment, group, period, [*blocks, *parts, *others])
    if unit is None:
        return None
    written = f"`group: {_together(roles, unit)}` under `roles`"
    written += " in place of the block" if unit == roles.block else ""
    if _repeats(structure, (group,)):
        written += f" and `individual: {_together(roles, group)}` under `roles`"
    return (
        f"In each '{period}' all of one '{unit}' are in one arm. If each '{unit}' was assigned as a "
        f"whole, every p-value here is too small: write {written}; if each '{group}' was assigned by "
        "itself, write `assigned: sequence`."
    )


def _in_runs(structure: Structure, roles: Roles, columns: Iterable[str]) -> tuple[str, str] | None:
    """A time in the order of which groups have one arm after the other, and an alert of it.

    The time of a row is not that of many others, as it is in a period.
    """
    group, arm = roles.group, roles.treatment
    if roles.period is not None or structure.follows(group, arm):
        return None
    for column in columns:
        place = _places(structure, group, column)
        if place is None:
            continue
        changes, by_chance = _changes(structure, roles, place)
        if by_chance >= EVIDENCE and changes <= FEW_CHANGES * by_chance:
            return column, (
                f"In order of '{column}' a '{group}' has one arm after the other: the arm changes "
                f"{changes:,} times, and would about {by_chance:,.0f} times if rows had been "
                "assigned one by one. What changes over time counts as an effect here: add a column "
                "to the file that says in which week, month or wave a row was measured, and name it "
                "as `period` under `roles`; if rows were assigned one by one, write "
                "`assigned: individual`."
            )
    return None


def _changes(structure: Structure, roles: Roles, place: np.ndarray) -> tuple[int, float]:
    """How often the arm changes from row to row of a group in order of places, and would by chance."""
    g, a = structure.codes(roles.group), structure.codes(roles.treatment)
    rows = np.lexsort((place, g))
    rows = rows[(g[rows] >= 0) & (a[rows] >= 0) & (place[rows] >= 0)]
    changes = (np.diff(g[rows]) == 0) & (np.diff(a[rows]) != 0)
    counts = np.zeros((structure.n_levels(roles.group), structure.n_levels(roles.treatment)))
    np.add.at(counts, (g[rows], a[rows]), 1)
    size = counts.sum(axis=1)
    by_chance = size - (counts**2).sum(axis=1) / np.maximum(size, 1)
    return int(changes.sum()), float(by_chance.sum())


def _places(structure: Structure, group: str, column: str) -> np.ndarray | None:
    """The place in time of each row, -1 where missing; None if a column is no time of single rows."""
    profiled = structure.columns[column]
    dated = all(DATE.fullmatch(each) for each in profiled.examples) and profiled.examples
    named = says(column, say.TIME) and not says(column, say.TREATMENT | say.OUTCOME | say.TRAIT)
    if (
        not (dated or named)
        or rank(column)
        or structure.n_levels((group, column)) < len(structure.table) / 2
    ):
        return None
    labelled = labels(structure.table[column]).cat
    keys = moments(list(labelled.categories))
    if keys is None:
        return None
    order = np.empty(len(keys) + 1, dtype=int)
    order[sorted(range(len(keys)), key=keys.__getitem__)] = np.arange(len(keys))
    order[-1] = -1
    return order[labelled.codes.to_numpy()]


def _exchanged(structure: Structure, roles: Roles) -> str | None:
    """An alert if the group is a time, and the period is none."""
    period = roles.period
    if period is None or is_time(structure, period) or not is_time(structure, roles.group):
        return None
    return (
        f"'{period}' is the period and the group is '{roles.group}', which looks like a time. "
        f"{_group_is_time(roles, period)}"
    )


def _group_is_time(roles: Roles, column: str) -> str:
    """What to write where a time is the group, and a column the unit."""
    return (
        f"'{roles.group}' says when a row was measured and is no group: write `group: "
        f"{_together(roles, column)}` under `roles` and `period: {in_yaml(roles.group)}` under `roles`."
    )


def _in_several_groups(structure: Structure, roles: Roles) -> list[str]:
    """A warning on few individuals who are in several groups, where most are in one."""
    person, group = roles.individual, roles.group
    if person is None or person == group or structure.follows(person, group):
        return []
    pairs = structure.table[[person, group]].dropna().drop_duplicates()
    groups = pairs.groupby(person, observed=True)[group].agg(["size", "first", "last"])
    several = groups[groups["size"] > 1]
    if not 0 < len(several) <= len(groups) / 2:
        return []
    some = several.iloc[0]
    verb = "is" if len(several) == 1 else "are"
    return [
        f"{len(several):,} of {len(groups):,} values of '{person}' {verb} in several groups "
        f"('{as_plain(several.index[0])}' in '{as_plain(some['first'])}' and "
        f"'{as_plain(some['last'])}'), and counted as another "
        "individual in each: correct the file if that is an error."
    ]


def shared_id(structure: Structure, group: str, columns: Iterable[str]) -> Key | None:
    """A column that names persons, or is an id, inside the groups, with several rows to each."""
    for column in columns:
        if not (rank(column) == 1 or _is_plain_id(column)):
            continue
        if structure.columns[column].kind in ("number", "empty"):
            continue
        key: Key = column if structure.follows(column, group) else (group, column)
        n_labelled = int((structure.codes(key) >= 0).sum())
        if structure.n_levels(key) > structure.n_levels(
            group
        ) and n_labelled > SHARED * structure.n_levels(key):
            return key
    return None


def treatment_goes_with(structure: Structure, roles: Roles, columns: Iterable[str]) -> str | None:
    """The column whose values share an arm inside each group, though groups hold several arms.

    Then rows were not assigned one by one. Of several such columns one that names times comes
    first, then one that names larger units, then persons; any other, and one that tells the arm by
    itself, must have several levels in each arm.
    """
    arm, group = roles.treatment, roles.group
    if structure.follows(group, arm):
        return None
    fitting = []
    for column in columns:
        if structure.columns[column].kind in ("number", "empty"):
            continue
        pairs = (group, column)
        together = int((structure.codes(pairs) >= 0).sum()) - structure.n_levels(pairs)
        if together < EVIDENCE or not structure.follows(pairs, arm):
            continue
        # What tells the arm by itself is a smaller unit, or a dose.
        alone = structure.follows(column, arm)
        named = is_time(structure, column) and not alone, rank(column)
        if (any(named) and not alone) or _levels_by_arm(structure, column, arm).min() >= 2:
            fitting.append((not named[0], -named[1], structure.n_levels(pairs), column))
    return min(fitting)[-1] if fitting else None


def restarts_in(structure: Structure, group: str, columns: Iterable[str]) -> str | None:
    """The column of larger units in which the labels of the group restart, if there is one."""
    if not _begins_at_one(structure.table[group]):
        return None
    for column in columns:
        cells = structure.crossed(column, group) if restarted(structure, group, column) else None
        if (
            cells is not None
            and structure.n_levels(column) > 1
            and (cells > 0).sum(axis=1).min() > 1
        ):
            return column
    return None


def _individual(structure: Structure, roles: Roles, others: list[str]) -> Key | None:
    """The identifier of individuals: the role, or a column of persons with several rows each."""
    if roles.individual is None:
        return shared_id(structure, roles.group, others)
    return roles.individual if roles.individual == roles.group else (roles.group, roles.individual)


def _row(structure: Structure, roles: Roles, person: Key | None) -> tuple[str, list[str]]:
    """What a row is called (see `Looks.row`), and a warning if that is in doubt."""
    n = len(structure.table)
    if roles.individual is not None and person is not None:
        return ("measurement" if structure.n_levels(person) < n else "individual"), []
    if person is not None:
        name = _last(person)
        sentence = (
            f"Several rows have the same value of '{name}' ({n:,} rows, {structure.n_levels(person):,} "
            f"values), so a row may be a measurement and not an individual: `individual: "
            f"{in_yaml(name)}` under `roles` says so, and individuals are then counted as such."
        )
        return "row", [sentence]
    column = dict(roles.parts).get(roles.group, (roles.group,))[-1]
    if _is_plain_id(column):
        return "row", []
    return ("measurement" if rank(column) == 1 else "individual"), []


def _is_plain_id(name: str) -> bool:
    """Whether a name says that it identifies, and not what."""
    return name.casefold() in ("id", "ids", "ident", "identifier")


def _before_and_after(
    structure: Structure, roles: Roles, person: Key | None, others: list[str]
) -> list[str]:
    """An alert if an individual, or a group, in one arm may have rows from before the treatment."""
    if baseline_name(roles) in roles.covariates:
        return []
    times = [*([roles.period] if roles.period else []), *roles.covariates, *others]
    if person is None or not structure.follows(person, roles.treatment):
        return _groups_before(structure, roles, times)
    for time in times:
        if not is_time(structure, time) or not structure.tells_apart(person, time):
            continue
        first = before(structure, time)
        if first is not None:
            name = _last(person)
            role = "" if roles.individual else f"`individual: {in_yaml(name)}` under `roles` and "
            setting = f"`baseline: {in_yaml({time: as_plain(first)})}`"
            return [
                f"Each '{name}' has rows of several times ('{time}'). If the first is from before the "
                f"treatment, an average over all mixes the effect with the time before it: write {role}"
                f"{setting}, and what was measured then is adjusted for, and no outcome."
            ]
    return []


def _groups_before(structure: Structure, roles: Roles, columns: list[str]) -> list[str]:
    """An alert if groups in one arm each were measured at a time that says it is before."""
    if not structure.follows(roles.group, roles.treatment):
        return []
    times = [each for each in columns if is_time(structure, each)]
    early = measured_before_treatment(structure, roles.group, times)
    if early is None:
        return []
    time, first = early
    role = "" if roles.period == time else f"`period: {in_yaml(time)}` under `roles` and "
    return [
        f"Each '{roles.group}' was measured at several times ('{time}'). If '{first}' is from before "
        f"the treatment, an average over all mixes the effect with the time before it: write {role}"
        f"`untreated_periods: {in_yaml([as_plain(first)])}`."
    ]


def _last(key: Key) -> str:
    return key[-1] if isinstance(key, tuple) else key


def _goes_with(structure: Structure, roles: Roles, column: str) -> str:
    """The alert that the treatment varies with a column within groups, and how to declare that."""
    group, treatment = roles.group, roles.treatment
    start = (
        f"The treatment '{treatment}' varies within '{group}', but not within '{group}' and '{column}' "
        "together: rows were not assigned to arms one by one"
    )
    if is_time(structure, column):
        return f"{start}. {_with_time(roles, column)}"
    if is_time(structure, group):
        return f"{start}. {_group_is_time(roles, column)}"
    if rank(column) > rank(group) and not structure.follows(column, group):
        what = f"the labels of '{group}' begin anew in each '{column}'"
        roles_are = f"`group: {_together(roles, column, group)}` under `roles`"
    else:
        what = f"'{column}' names what was assigned"
        roles_are = f"`group: {_together(roles, group, column)}` under `roles`"
        roles_are += "" if roles.block else f" and `block: {_together(roles, group)}` under `roles`"
    otherwise = "; if rows were assigned one by one, write `assigned: individual`"
    return (
        f"{start}, and every p-value here may be far too small. If {what}, write {roles_are}"
        f"{'' if column == roles.individual else otherwise}."
    )


def _spellings(table: pd.DataFrame, roles: Roles) -> list[str]:
    """Alerts on labels of one column that differ only in case and spaces."""
    sentences = []
    for column in dict.fromkeys(roles.columns_read):
        if column in (roles.outcome, roles.treatment, *roles.covariates):
            continue
        counts = labels(table[column]).value_counts()
        spelling: dict[str, str] = {}
        for label in counts.index:  # the most frequent first
            spelling.setdefault(_folded(label), str(label))
        changed = {str(label): spelling[_folded(label)] for label in counts.index}
        changed = {old: new for old, new in changed.items() if old != new}
        if changed:
            old, new = next(iter(changed.items()))
            sentences.append(
                f"'{old}' and '{new}' in column '{column}' differ in case or spaces only, and count as "
                f"two: `recode: {in_yaml({column: changed})}` makes one of them."
            )
    return sentences


def _folded(label: object) -> str:
    return " ".join(str(label).casefold().split())


def _strays(structure: Structure, roles: Roles) -> list[str]:
    """An alert if few rows are in another arm than the rest of their group: perhaps errors."""
    cells = structure.crossed(roles.group, roles.treatment)
    if cells is None:
        return []
    stray = cells.sum(axis=1) - cells.max(axis=1)
    apart = np.flatnonzero(stray)
    n = int(stray.sum())
    if not n or n > STRAY * cells.sum() or len(apart) > max(1, STRAY_GROUPS * len(cells)):
        return []
    group = structure.table[roles.group].iloc[
        np.flatnonzero(structure.codes(roles.group) == apart[0])[0]
    ]
    rows = "1 row is" if n == 1 else f"{n:,} rows are"
    others = " and others" if len(apart) > 1 else ""
    return [
        f"{rows} in another arm than all others of the same '{roles.group}' ('{group}'{others}): if "
        "that is an error, correct the file. As it is, the treatment counts as one that varies within "
        "groups."
    ]


def _together(roles: Roles, *names: str) -> str:
    """The columns of one identifier, or the only one, written as in config.yaml."""
    parts = dict(roles.parts)
    columns = list(dict.fromkeys(each for name in names for each in parts.get(name, (name,))))
    return in_yaml(columns if len(columns) > 1 else columns[0])


def _with_time(roles: Roles, column: str) -> str:
    """The advice on a treatment that changes with time."""
    instead = " in place of the covariate" if column in roles.covariates else ""
    return (
        f"It changes with time, and what changes over time counts as an effect here: write "
        f"`period: {in_yaml(column)}` under `roles`{instead}. Then each '{column}' has its own mean, "
        f"members of one '{roles.group}' share more at one time, and what is randomised again is which "
        f"'{roles.group}' went through which arms."
    )


def _contradiction(roles: Roles, column: str) -> tuple[str, str]:
    """What contradicts that individuals were assigned, and the fix."""
    problem = (
        f"all rows of a '{roles.group}' that have one '{column}' are in one arm, so individuals were "
        "not assigned"
    )
    return problem, f"write `period: {in_yaml(column)}` under `roles` and `assigned: sequence`"


def _restarts(roles: Roles, outer: str) -> str:
    pair = _together(roles, outer, roles.group)
    return (
        f"The labels of '{roles.group}' begin anew in each '{outer}', so rows of different groups may "
        f"be taken for one group: `group: {pair}` under `roles` tells them apart."
    )


def _levels_by_arm(structure: Structure, column: str, arm: str) -> np.ndarray:
    """The number of levels of a column that occur in each arm, shape (n_arms,)."""
    cells = structure.crossed(arm, column)
    return np.zeros(1) if cells is None else (cells > 0).sum(axis=1)


def _begins_at_one(values: pd.Series) -> bool:
    """Whether labels are numbers or letters from the first on: 1, 2, 3 or A, B, C."""
    categories = list(labels(values).cat.categories)
    numbers = [str(i) for i in range(1, len(categories) + 1)]
    letters = [chr(ord("a") + i) for i in range(len(categories))]
    return categories in (numbers, [str(i - 1) for i in range(1, len(categories) + 1)]) or (
        len(categories) <= 26 and [each.casefold() for each in categories] == letters
    )
