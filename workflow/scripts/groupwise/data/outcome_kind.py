"""What an outcome is: a number, an event that happened or did not, or a number of events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from groupwise.data.declared_kind import (
    DeclaredKind,
    event_contradictions,
    no_such_scale,
    without_counts,
)
from groupwise.data.errors import InputError, nearest
from groupwise.data.labels import in_order, labels
from groupwise.data.remedies import is_number, unit_of
from groupwise.data.suspect import ABSENT
from groupwise.data.validate import Roles, check_numeric
from groupwise.data.values import NUMBER, as_plain, in_yaml, matching
from groupwise.data.yes_no import no_and_yes, respelled, says_yes_or_no
from groupwise.response import CONTINUOUS, SCALES_OF, Response

MOST_LEFT_OUT = 3
"""So many values are listed in a condition; more are left out by their range."""
FEW = 5
"""So many values of an outcome are listed in a message; of more, the first ones."""


@dataclass(frozen=True)
class OutcomeKind:
    """What an outcome is, and how that was seen.

    Attributes
    ----------
    response
    event, no_event : labels of the two values of a binary outcome, the one that counts first
    declared : whether settings say the kind; else the data do
    """

    response: Response = CONTINUOUS
    event: str | None = None
    no_event: str | None = None
    declared: bool = False

    @property
    def understood(self) -> dict[str, Any]:
        """As design.json has it."""
        return {
            "response": {"family": self.response.family, "scale": self.response.scale},
            "event": self.event,
            "no_event": self.no_event,
            "declared": self.declared,
        }


def as_numbers(values: pd.Series, kind: DeclaredKind) -> tuple[pd.Series, tuple[str, str] | None]:
    """The outcome as floats; of two texts, or truth values, 0 and 1 with the labels of both.

    Raises
    ------
    InputError
        For text where a number is wanted; for two texts neither of which says that it counts.
    """
    if kind.family in ("continuous", "count") or not _is_text(values):
        return check_numeric(values, "roles.outcome"), None
    labelled = labels(values)
    present = in_order(labelled)
    numbers = any(is_number(each) or unit_of(each) for each in present)
    if kind.family is None and (len(present) != 2 or numbers):
        return check_numeric(values, "roles.outcome"), None
    if len(present) != 2:
        raise _not_two(labelled, present)
    no, yes = _pair(str(values.name), present, kind)
    return _coded(labelled, yes), (no, yes)


def settled(
    table: pd.DataFrame,
    roles: Roles,
    kind: DeclaredKind,
    pair: tuple[str, str] | None,
    outcome_as: str = "raw",
) -> tuple[pd.Series, OutcomeKind]:
    """The outcome of the rows that are analysed, of 0 and 1 if it is binary; and what it is.

    `pair` has the labels of an outcome that is coded by 0 and 1 already.

    Raises
    ------
    InputError
        For values, an exposure, a scale or a transformation that the kind of outcome cannot have.
    """
    values = table[roles.outcome]
    if values.nunique() < 2:
        raise _one_value(values, pair)
    declared = kind.family is not None
    if pair is None and (kind.family == "binary" or (not declared and values.nunique() == 2)):
        labelled = labels(values)
        present = in_order(labelled)
        if len(present) != 2:
            raise _not_two(labelled, present)
        pair = _pair(str(values.name), present, kind)
        values = _coded(labelled, pair[1])
    family = kind.family or ("continuous" if pair is None else "binary")
    if roles.exposure is not None and family != "count":
        raise InputError("roles.exposure", *without_counts(kind.family))
    if family == "count":
        check_counts(values)
        check_exposure(table, roles)
    no, yes = pair or (None, None)
    response = Response(family, _scale(kind, family))
    for key, problem, fix in event_contradictions({"outcome_as": outcome_as}, response.scale):
        if response.has_events:
            raise InputError(".".join(key), problem, fix)
    return values, OutcomeKind(response, yes, no, declared)


def _scale(kind: DeclaredKind, family: str) -> str:
    """The scale of effects that is asked for, or that of the family."""
    scale = kind.effect_as or SCALES_OF[family][0]
    if scale not in SCALES_OF[family]:
        problem, fix = no_such_scale(scale, family)
        if kind.family is None:
            fix = "write `outcome_kind: count` if it counts events, or remove the setting"
            if scale == "odds_ratio":
                fix = "name an outcome of two values, or remove the setting"
        raise InputError("effect_as", problem, fix)
    return scale


def check_counts(values: pd.Series) -> None:
    """Numbers of events are whole, and none is below 0."""
    odd = values[(values < 0) | (values % 1 != 0)]
    if odd.empty:
        return
    first = odd.iloc[0]
    what = "below 0" if first < 0 else "no whole number"
    problem = f"column '{values.name}' has the value {first:g}, which is {what}"
    fix = (
        "numbers of events are 0, 1, 2 and so on: correct it in the file, or write "
        "`outcome_kind: continuous`"
    )
    raise InputError("outcome_kind", problem, fix)


def check_exposure(table: pd.DataFrame, roles: Roles) -> None:
    """Every time at risk is above 0."""
    if roles.exposure is None:
        return
    values = table[roles.exposure]
    none = values[values <= 0]
    if none.empty:
        return
    which = f"has the value {none.min():g}"
    if none.min() == 0:
        which = f"is 0 in {len(none):,} {'row' if len(none) == 1 else 'rows'}"
    problem = f"column '{values.name}' {which}, and an exposure is above 0"
    condition: dict[str, Any] = {"not": [as_plain(each) for each in sorted(set(none))]}
    if len(condition["not"]) > MOST_LEFT_OUT:
        condition = {"min": float(values[values > 0].min())}
    left_out = in_yaml({str(values.name): condition})
    fix = f"correct it in the file, or leave such rows out by `where: {left_out}`"
    if not (values > 0).any():
        fix = "correct it in the file, or name another column"
    raise InputError("roles.exposure", problem, fix)


def remarks(values: pd.Series, kind: OutcomeKind) -> list[str]:
    """What a reader should know of an outcome whose kind nobody declared, or that is odd."""
    if kind.response.family == "binary" and not kind.declared:
        pair = (str(kind.no_event), str(kind.event))
        numeric = ""
        if all(NUMBER.fullmatch(each) for each in pair):
            numeric = " `outcome_kind: continuous` takes it as a number."
        return [
            f"The outcome '{values.name}' has two values, '{kind.no_event}' and '{kind.event}', and is "
            f"taken as an event that happened or did not: '{kind.event}' counts.{numeric}"
        ]
    if kind.response.family != "continuous" or values.nunique() > 2:
        return []
    levels = sorted(values.unique())
    return [
        f"The outcome '{values.name}' has two values, {levels[0]:g} and {levels[1]:g}, and is analysed "
        "as a number. The simulations that judge the methods draw it from a normal distribution, "
        "which it does not have."
    ]


def _is_text(values: pd.Series) -> bool:
    """Whether a column holds texts, or truth values, that are no numbers."""
    if pd.api.types.is_bool_dtype(values):
        return True
    numbers = pd.to_numeric(values, errors="coerce")
    return bool((numbers.isna() & values.notna()).any())


def _coded(labelled: pd.Series, yes: str) -> pd.Series:
    """1 for a label and 0 for others, as floats; missing stays missing."""
    return (labelled == yes).astype(float).where(labelled.notna(), np.nan).rename(labelled.name)


def _pair(name: str, present: Sequence[str], kind: DeclaredKind) -> tuple[str, str]:
    """The labels of a binary outcome, that of the event last."""
    if kind.event is not None:
        yes = matching(kind.event, present)
        if yes is None:
            problem = f"no row has the value '{kind.event}' in column '{name}'"
            raise InputError("event", problem, nearest(str(kind.event), present))
        return next(each for each in present if each != yes), yes
    pair = no_and_yes(present)
    if pair is None:
        first, second = present
        problem = (
            f"column '{name}' has two values, '{first}' and '{second}', and neither says that it "
            "happened"
        )
        fix = f"write `event: {in_yaml(as_plain(second))}` if that counts, or "
        fix += f"`event: {in_yaml(as_plain(first))}`"
        if kind.family is None and all(NUMBER.fullmatch(each) for each in present):
            fix += "; `outcome_kind: continuous` takes them as numbers"
        raise InputError("event", problem, fix)
    return pair


def _one_value(values: pd.Series, pair: tuple[str, str] | None) -> InputError:
    """For an outcome that is the same in all rows."""
    value = f"{values.iloc[0]:g}" if pair is None else f"'{pair[int(values.iloc[0])]}'"
    problem = f"column '{values.name}' has the value {value} in every row in use"
    return InputError("roles.outcome", problem, "name an outcome that varies")


def _not_two(values: pd.Series, present: Sequence[str]) -> InputError:
    """For a binary outcome with one value, or with more than two."""
    name = str(values.name)
    if len(present) < 2:
        problem = f"column '{name}' has the value '{present[0]}' in every row"
        if not present:
            problem = f"column '{name}' has no value in any row"
        return InputError("roles.outcome", problem, "name an outcome that varies")
    shown = ", ".join(f"'{each}'" for each in present[:FEW])
    more = f"{shown} and more" if len(present) > FEW else shown
    problem = f"column '{name}' has {len(present)} values ({more}), and a binary outcome has two"
    return InputError("outcome_kind", problem, _two_of_them(name, values, present))


def _two_of_them(name: str, values: pd.Series, present: Sequence[str]) -> str:
    """What to do about more than two values of a binary outcome."""
    counts: Mapping[str, int] = values.value_counts().to_dict()
    numeric = all(NUMBER.fullmatch(each) for each in present)
    if numeric and any(float(each) % 1 for each in present):
        return "name an outcome of two values, or write `outcome_kind: continuous`"
    if (spelled := respelled(present, counts)) is not None:
        return f"write `recode: {in_yaml({name: spelled})}`, for these are one value"
    if len(present) > FEW:
        return "name an outcome of two values, or write `outcome_kind: continuous`"
    rarest = min(
        reversed(present),
        key=lambda each: (each.casefold() not in ABSENT, says_yes_or_no(each), counts[each]),
    )
    emptied = in_yaml({name: {as_plain(rarest): None}})
    others = next(each for each in present if each != rarest)
    merged = in_yaml({name: {as_plain(rarest): as_plain(others)}})
    return (
        f"write `recode: {emptied}` if '{rarest}' means a missing value, or merge two of them, as by "
        f"`recode: {merged}`{_counts_instead(present)}"
    )


def _counts_instead(present: Sequence[str]) -> str:
    """That 0, 1, 2 may be numbers of events; else nothing."""
    whole = all(NUMBER.fullmatch(each) and float(each) % 1 == 0 <= float(each) for each in present)
    return ", or `outcome_kind: count` if these are numbers of events" if whole else ""
