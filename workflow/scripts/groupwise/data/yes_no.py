"""Which of two values says that something happened."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from groupwise.data import vocabulary as say


def no_and_yes(values: Sequence[str]) -> tuple[str, str] | None:
    """Two values with the one for no first; None where they do not say which is which."""
    first, second = values
    for no, yes in ((first, second), (second, first)):
        if (_is(no, say.NO) and _is(yes, say.YES)) or _negates(no, yes):
            return no, yes
    return None


def says_yes_or_no(value: str) -> bool:
    """Whether a value says that something happened, or did not: it is none that is missing."""
    return _is(value, say.NO) or _is(value, say.YES)


def respelled(values: Sequence[str], counts: Mapping[str, int]) -> dict[str, str] | None:
    """Labels that differ from a more frequent one in case or blanks alone, each with that one.

    None where there are none, or where what is left is not two labels.
    """
    spellings: dict[str, list[str]] = {}
    for value in values:
        spellings.setdefault("".join(value.casefold().split()), []).append(value)
    if len(spellings) != 2 or len(values) == 2:
        return None
    usual = {key: max(each, key=lambda one: counts[one]) for key, each in spellings.items()}
    return {v: usual[key] for key, each in spellings.items() for v in each if v != usual[key]}


def _is(value: str, vocabulary: frozenset[str]) -> bool:
    return re.sub(r"[\W_]+", "_", say.folded(value)) in vocabulary


def _negates(no: str, yes: str) -> bool:
    no, yes = say.folded(no), say.folded(yes)
    return bool(re.fullmatch(rf"(no|not|non|un|in|nicht|kein|keine)[ _-]?{re.escape(yes)}", no))
