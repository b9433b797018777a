"""Which column may play which role: guesses from names, values, nesting and constancy together."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from groupwise.data import vocabulary as say
from groupwise.data.arms import Reading, any_group, one_arm_each, readings
from groupwise.data.aside import empty_group, without_groups
from groupwise.data.labels import natural
from groupwise.data.outcomes import Candidate, candidates, measured_before, only_one
from groupwise.data.prepare import identifier
from groupwise.data.profile import Column
from groupwise.data.repeats import (
    Individual,
    before,
    individual,
    measured_before_treatment,
    of_group,
    period_of_treatment,
    whole_unit,
)
from groupwise.data.structure import Key, Structure
from groupwise.data.units import is_time, name_marks
from groupwise.data.vocabulary import says

CLOSE = 0.75
"""Readings whose marks differ by less are both reported, and neither is chosen."""
CLOSE_UNNAMED = 1.75
"""The same for treatments where neither the name nor an arm says that they are."""
CLOSE_MEASURES = 2.6
"""The same for outcomes whose names do not say that they are: other measurements may be meant."""
LEAST_TREATMENT = 2.0
LEAST_OUTCOME = 0.7
MOST_LETTERS = 3
"""Arms that are letters stand for words where they are few."""
LEAST_TWO_VALUED = 1.0


@dataclass(frozen=True)
class Guess:
    """A column (or several that make one identifier, or a level), and why; None where nothing fits.

    `either` lists close alternatives, each with its reason: if `name` is None, the user has to choose
    one of them; else they are other outcomes that fit as well.
    """

    name: Key | None
    why: str
    either: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class GuessedLayout:
    """What a table seems to be.

    Attributes
    ----------
    roles : a guess for each role
    times : columns that look like periods
    individual : the rows that share one, where rows are measurements or may be
    baseline : the time and its value before the treatment, if rows of that time are a pretest
    empty_group : the column of groups and its label for rows without one, as `none`
    period : the time with which whole groups change their arm
    untreated : the time and its value before the treatment, where groups were measured at both
    ungrouped : whether the rows of whole arms have no group
    pretest : the column with the outcome as it was before the treatment
    """

    roles: Mapping[str, Guess]
    times: Sequence[str] = ()
    individual: Individual | None = None
    baseline: tuple[str, object] | None = None
    period: str | None = None
    untreated: tuple[str, object] | None = None
    ungrouped: bool = False
    pretest: str | None = None
    empty_group: tuple[str, str] | None = None


def guess_layout(table: pd.DataFrame, columns: Sequence[Column] | None = None) -> GuessedLayout:
    """Guess the roles of columns, and the other settings of a draft configuration."""
    structure = Structure(table, columns)
    empty = empty_group(structure)
    if empty is not None:
        structure = Structure(without_groups(table, empty))
    times = tuple(name for name in structure.columns if is_time(structure, name))
    possible = readings(structure, times)
    treatment, group, block, ungrouped = _assignment(possible)
    if not possible:
        group = _group_guess(*any_group(structure, times))
    group = _whole_unit(structure, treatment.name, group.name, times) or group
    block = Guess(None, "") if block.name == group.name else block
    used = _columns(treatment.name, group.name, block.name)
    who = individual(structure, group.name, used, times)
    who = who or of_group(structure, group.name, times)
    sure = who is not None and who.sure
    units = [each for each in (group.name, who.key if who and sure else None) if each is not None]
    used |= _columns(who.key) if who and sure else set()
    units += [treatment.name] if treatment.name is not None else []
    possible_outcomes = candidates(structure, used, units, times)
    outcome = _outcome(possible_outcomes, only_one(structure, possible_outcomes, {*used, *times}))
    roles = {"outcome": outcome, "treatment": treatment, "group": group}
    roles |= {"block": block} if block.name is not None else {}
    if who is not None and sure:
        roles["individual"] = Guess(who.key, f"each has {rows_each(who)}")
    period = _period(structure, treatment.name, group.name, times)
    untreated = None
    if period is None:
        untreated = _untreated(structure, treatment.name, group.name, who, times)
    roles |= _period_role(period, untreated)
    return GuessedLayout(
        roles=roles,
        times=times,
        individual=who,
        baseline=_baseline(structure, treatment.name, who),
        period=period,
        untreated=untreated,
        ungrouped=ungrouped,
        pretest=_pretest(structure, outcome.name, roles),
        empty_group=empty if ungrouped and empty and empty[0] == group.name else None,
    )


def _pretest(structure: Structure, outcome: Key | None, roles: Mapping[str, Guess]) -> str | None:
    """The outcome as it was before, if no other role has the column."""
    if not isinstance(outcome, str):
        return None
    before = measured_before(structure, outcome)
    return None if before in _columns(*(guess.name for guess in roles.values())) else before


def rows_each(who: Individual) -> str:
    """`2 rows`, `about 3.4 rows`."""
    whole = abs(who.per - round(who.per)) < 0.005
    return f"{who.per:.0f} rows" if whole else f"about {who.per:.1f} rows"


def guess_reference(values: pd.Series) -> Guess:
    """The arm that sounds most like a control, else the first in natural order."""
    arms = sorted(identifier(values).dropna().unique(), key=natural)
    for vocabulary in (say.CONTROL, say.BARE):
        fitting = [arm for arm in arms if says(arm, vocabulary) and not _adds_to(arm, arms)]
        if fitting and len(fitting) < len(arms):
            return Guess(min(fitting, key=len), "it sounds like the arm to compare with")
    doing = (say.TREATED | say.YES) - {"1"}
    treated = [arm for arm in arms if say.folded(arm) in doing]
    if len(arms) == 2 and len(treated) == 1:
        (other,) = [arm for arm in arms if arm not in treated]
        return Guess(other, "the other arm sounds like the one that was treated")
    letter = _control_letter(arms)
    if letter is not None:
        return Guess(letter, "its letter is that of an arm to compare with")
    return Guess(arms[0], "no arm sounds like a control: this is the first in order")


def _control_letter(arms: Sequence[str]) -> str | None:
    """Of arms that are letters, but not A, B, C: P for placebo, C for control, N for no."""
    letters = {say.folded(arm): arm for arm in arms}
    if len(arms) > MOST_LETTERS or any(len(each) != 1 or not each.isalpha() for each in letters):
        return None
    places = sorted(map(ord, letters))
    if places == list(range(places[0], places[0] + len(places))) or len(letters) != len(arms):
        return None
    return next((letters[each] for each in "pcn" if each in letters), None)


def covariates(columns: Sequence[Column], roles: Mapping[str, Guess]) -> list[str]:
    """Columns that are left and could be adjusted for."""
    used = _columns(*(guess.name for guess in roles.values()))
    return [
        column.name
        for column in columns
        if column.name not in used
        and column.levels > 1
        and not column.is_key
        and name_marks(column.name) <= 0
    ]


def _columns(*keys: Key | None) -> set[str]:
    """The names of the columns of these identifiers."""
    flat = (key if isinstance(key, tuple) else (key,) for key in keys if key is not None)
    return {name for names in flat for name in names}


def _adds_to(arm: str, arms: Sequence[str]) -> bool:
    """Whether an arm adds to another: usual care plus, CBT + TAU beside CBT."""
    words = say.parts(arm)
    if words & {"plus", "enhanced", "and", "with", "non"}:
        return True
    joined = "+" in arm or "&" in arm
    return joined and any(say.parts(each) < words for each in arms if each != arm)


def _assignment(possible: Sequence[Reading]) -> tuple[Guess, Guess, Guess, bool]:
    """Treatment, group and block: of the reading that fits best, if none comes close."""
    none = Guess(None, "no column fits")
    if not possible:
        return none, none, none, False
    best = possible[0]
    margin = CLOSE if best.named else CLOSE_UNNAMED
    near = [each for each in possible if best.marks - each.marks < margin]
    group = _group_guess(best.group, best.group_why, best.close)
    block = Guess(best.block, best.block_why)
    if best.marks < LEAST_TREATMENT or not (best.named or best.dealt):
        return Guess(None, f"no column stands out; the likeliest is '{best.treatment}'"), \
            group, Guess(None, ""), False  # fmt: skip
    if len(near) == 1:
        return Guess(best.treatment, best.why), group, block, best.ungrouped
    both = tuple((each.treatment, each.why) for each in near[:4])
    if len({each.group for each in near}) > 1:
        group = Guess(None, "it depends on the treatment", _either_group(near))
    shared = {each.block for each in near}
    block = block if len(shared) == 1 else Guess(None, "")
    names = " or ".join(each.treatment for each in near[:4])
    return Guess(None, f"it could be {names}", both), group, block, False


def _group_guess(group: Key | None, why: str, close: Sequence[Key]) -> Guess:
    """The group, or what could be it just as well."""
    if not close:
        return Guess(group, why)
    either = [(_written(each), _reading_of(each, group, close)) for each in (group, *close) if each]
    return Guess(None, f"it could be {' or '.join(name for name, _ in either)}", tuple(either))


def _written(key: Key) -> str:
    return f"[{', '.join(key)}]" if isinstance(key, tuple) else key


def _reading_of(key: Key, group: Key | None, close: Sequence[Key]) -> str:
    """When one of several keys is the group."""
    pairs = [each for each in close if isinstance(each, tuple)]
    if isinstance(key, tuple):
        return f"if the labels of {key[-1]} start again in each {key[0]}"
    if pairs and key == group:
        return f"if a label of {key} means the same {key} in each {pairs[0][0]}"
    return "several rows in each level, several arms"


def _either_group(near: Sequence[Reading]) -> tuple[tuple[str, str], ...]:
    return tuple(
        (str(each.group), f"if the treatment is {each.treatment}")
        for each in near[:4]
        if each.group is not None
    )


def _outcome(ranked: Sequence[Candidate], only: Candidate | None) -> Guess:
    """The best candidate; what has to be read as numbers first is to be filled in."""
    guess = _best_outcome(ranked, only)
    hidden = [each for each in ranked if each.kind == "signs" and each.name == guess.name]
    if not hidden:
        return guess
    (best,) = hidden
    return Guess(None, f"it could be {best.name}, once it is read as numbers (see above)")


def _best_outcome(ranked: Sequence[Candidate], only: Candidate | None) -> Guess:
    """The candidate with most marks; of several named as outcomes, that with most levels."""
    if not ranked:
        return Guess(None, "no column is a number, or yes and no, that varies within groups")
    if only is not None:
        left = "" if only.named else ", and no other column can be it"
        return Guess(only.name, f"{only.why}{left}")
    best = ranked[0]
    least = LEAST_TWO_VALUED if best.levels == 2 else LEAST_OUTCOME
    if best.marks < least:
        return Guess(None, f"no column stands out; the likeliest is '{best.name}'")
    near = [each for each in ranked if best.marks - each.marks < _margin(best, each)]
    if len(near) == 1:
        return Guess(best.name, best.why)
    if _are_alike(near):
        as_good = [each for each in near if best.marks - each.marks < CLOSE]
        best = max(as_good, key=lambda each: each.levels)
        others = tuple((each.name, each.why) for each in near[:4] if each is not best)
        return Guess(best.name, best.why, others)
    names = " or ".join(each.name for each in near[:4])
    return Guess(None, f"it could be {names}", tuple((each.name, each.why) for each in near[:4]))


def _are_alike(near: Sequence[Candidate]) -> bool:
    """Whether measurements of one kind, all named so, stand side by side or came late."""
    if not all(each.named for each in near) or len({each.kind == "two" for each in near}) > 1:
        return False
    if all(each.is_late for each in near):
        return True
    places = sorted(each.place for each in near)
    side_by_side = places[-1] - places[0] < len(places)
    return all(each.is_plain for each in near) and side_by_side


def _margin(best: Candidate, other: Candidate) -> float:
    """The difference in marks from which another candidate is not close to the best."""
    if best.sure:
        return CLOSE
    # Outcomes mostly stand to the right of what was measured before.
    is_later = other.place > best.place and other.marks >= 0
    return math.inf if is_later else CLOSE_MEASURES


def _baseline(
    structure: Structure, treatment: Key | None, who: Individual | None
) -> tuple[str, object] | None:
    """The time before the treatment, where individuals are in one arm and measured before and after."""
    if who is None or not who.sure or who.time is None or not isinstance(treatment, str):
        return None
    if not one_arm_each(structure, who.key, treatment):
        return None
    early = before(structure, who.time)
    if early is None or structure.n_rows_most(who.key, who.time, early) > 1:
        return None
    return who.time, early


def _period(
    structure: Structure, treatment: Key | None, group: Key | None, times: Sequence[str]
) -> str | None:
    if not isinstance(treatment, str) or group is None:
        return None
    return period_of_treatment(structure, treatment, group, times)


def _period_role(period: str | None, untreated: tuple[str, object] | None) -> dict[str, Guess]:
    if period is not None:
        why = "whole groups change their arm with it; each period has its own mean"
        return {"period": Guess(period, why)}
    if untreated is not None:
        why = "groups were measured before the treatment and after"
        return {"period": Guess(untreated[0], why)}
    return {}


def _whole_unit(
    structure: Structure, treatment: Key | None, group: Key | None, times: Sequence[str]
) -> Guess | None:
    """The unit whose groups all change their arm together, in place of the group; None without one."""
    period = _period(structure, treatment, group, times)
    if period is None or group is None or not isinstance(treatment, str):
        return None
    unit = whole_unit(structure, treatment, group, period, structure.repeated)
    if unit is None:
        return None
    return Guess(unit, f"in each {period} all of one {unit} are in one arm")


def _untreated(
    structure: Structure,
    treatment: Key | None,
    group: Key | None,
    who: Individual | None,
    times: Sequence[str],
) -> tuple[str, object] | None:
    """The time and its value before the treatment, where groups in one arm each were measured at both.

    The value must say that it is before: all of the sessions 1 and 2 may be under the treatment. Where
    individuals are known it is a covariate instead (`_baseline`).
    """
    if not isinstance(treatment, str) or group is None or (who is not None and who.sure):
        return None
    if not one_arm_each(structure, group, treatment):
        return None
    return measured_before_treatment(structure, group, times)
