"""Which column may play which role: guesses from names, levels and what is constant in what."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from groupwise.data.prepare import identifier
from groupwise.data.profile import Column, constant_within, groupings, profile

MAX_ARMS = 10
WORDS = {
    "outcome": "outcome response score result grade mark test exam math maths reading y value "
    "yield weight pressure time rate",
    "treatment": "treatment treat treated trt arm condition intervention style exposure program "
    "programme group_type class_type allocation assignment dose variety",
    "group": "group class classroom teacher professor school clinic practice hospital site centre "
    "center cluster village region ward subject patient person household family",
    "block": "block stratum strata school site pair wave cohort region district replicate",
}
CONTROL = "control placebo usual regular standard none no untreated baseline reference 0 false"


@dataclass(frozen=True)
class Guess:
    """A column, or a level, and why; None where nothing fits, and why not."""

    name: str | None
    why: str


def guess_roles(table: pd.DataFrame) -> dict[str, Guess]:
    """A guess for `outcome`, `treatment`, `group` and `block` (left out if there is none)."""
    columns = {column.name: column for column in profile(table)}
    constant = constant_within(table, groupings(list(columns.values())))
    treatment, group, block = _assignment(table, columns, constant)
    taken = {each.name for each in (treatment, group, block)}
    outcome = _outcome(columns, constant, group.name, taken)
    found = {"outcome": outcome, "treatment": treatment, "group": group}
    return found if block.name is None else found | {"block": block}


def guess_reference(values: pd.Series) -> Guess:
    """The arm that sounds like a control, else the first in the alphabet."""
    arms = sorted(identifier(values).dropna().unique(), key=lambda arm: (len(arm), arm))
    for arm in arms:
        if _sounds(arm, CONTROL):
            return Guess(arm, "it sounds like the arm to compare with")
    return Guess(min(arms), "no arm sounds like a control: this is the first in the alphabet")


def covariates(columns: Sequence[Column], roles: Mapping[str, Guess]) -> list[str]:
    """Columns that are left and could be adjusted for."""
    taken = {guess.name for guess in roles.values()}
    return [
        column.name
        for column in columns
        if column.name not in taken and column.levels > 1 and not column.is_key
    ]


def _assignment(
    table: pd.DataFrame, columns: Mapping[str, Column], constant: Mapping[str, set[str]]
) -> tuple[Guess, Guess, Guess]:
    """Treatment, group and block: the candidates that fit together best."""
    none = Guess(None, "no column fits")
    best, best_score = (none, none, none), -1.0
    for treatment in (columns[name] for name in constant if 2 <= columns[name].levels <= MAX_ARMS):
        group = _group(treatment, columns, constant)
        block = _block(treatment.name, group.name, columns, constant)
        shares = table[treatment.name].value_counts(normalize=True)
        balance = float(shares.min()) * treatment.levels
        between = group.name is not None and treatment.name in constant[group.name]
        named = _sounds(treatment.name, WORDS["treatment"])
        score = 3 * named + 2 * between + balance + (group.name is not None) * 1.0
        score += 1.0 * (block.name is not None and between)
        if score > best_score:
            where = f"constant within {group.name}" if between else "it varies within groups"
            reasons = [f"{treatment.levels} levels", where if group.name else ""]
            reasons += ["the name sounds like it"] if named else []
            best = (Guess(treatment.name, ", ".join(filter(None, reasons))), group, block)
            best_score = score
    return best


def _group(
    treatment: Column, columns: Mapping[str, Column], constant: Mapping[str, set[str]]
) -> Guess:
    """The coarsest column that determines the treatment; else the one that sounds most like it."""
    many = [
        columns[name]
        for name in constant
        if name != treatment.name and columns[name].levels >= 2 * treatment.levels
    ]
    whole = [column for column in many if treatment.name in constant[column.name]]
    if whole:
        named = [column for column in whole if _sounds(column.name, WORDS["group"])]
        found = min(named or whole, key=lambda column: column.levels)
        return Guess(found.name, f"{found.levels} levels, each with one {treatment.name}")
    if not many:
        return Guess(None, "no column has enough levels with several rows each")
    found = max(many, key=lambda column: (_sounds(column.name, WORDS["group"]), column.levels))
    return Guess(found.name, f"{found.levels} levels with {found.per_level:.0f} rows on average")


def _block(
    treatment: str,
    group: str | None,
    columns: Mapping[str, Column],
    constant: Mapping[str, set[str]],
) -> Guess:
    """What holds whole groups, and more than one arm: the finest, or what sounds like it."""
    held = [
        columns[name]
        for name in (constant[group] if group else ())
        if name != treatment
        and treatment not in constant[name]
        and group not in constant[name]
        and treatment in constant[str(group)]
        and (_sounds(name, WORDS["block"]) or columns[name].levels > MAX_ARMS)
    ]
    if not held:
        return Guess(None, "no column holds whole groups of several arms")
    found = max(held, key=lambda column: (_sounds(column.name, WORDS["block"]), column.levels))
    why = f"{found.levels} levels that hold whole levels of {group}, and several arms"
    return Guess(found.name, why)


def _outcome(
    columns: Mapping[str, Column],
    constant: Mapping[str, set[str]],
    group: str | None,
    taken: set[str | None],
) -> Guess:
    """The number with most values that varies within groups."""
    fixed = constant.get(str(group), set())
    numbers = [
        column
        for column in columns.values()
        if column.kind in ("number", "whole number")
        and column.levels > 2
        and not (column.is_key and not _sounds(column.name, WORDS["outcome"]))
        and column.name not in taken | fixed
    ]
    if not numbers:
        return Guess(None, "no numeric column varies within groups")
    found = max(numbers, key=lambda column: (_sounds(column.name, WORDS["outcome"]), column.levels))
    named = ", the name sounds like it" if _sounds(found.name, WORDS["outcome"]) else ""
    return Guess(found.name, f"a number with {found.levels} values{named}")


def _sounds(name: str, words: str) -> bool:
    """Whether one of the words stands in a name, or is the name."""
    known = set(words.split())
    parts = re.split(r"[\W_]+", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).casefold())
    return name.casefold() in known or not known.isdisjoint(parts)
