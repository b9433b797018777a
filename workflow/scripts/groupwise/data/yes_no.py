"""Which of two values says that something happened."""

from __future__ import annotations

import re
from collections.abc import Sequence

from groupwise.data import vocabulary as say


def no_and_yes(values: Sequence[str]) -> tuple[str, str] | None:
    """Two values with the one for no first; None where they do not say which is which."""
    first, second = values
    for no, yes in ((first, second), (second, first)):
        if (_is(no, say.NO) and _is(yes, say.YES)) or _negates(no, yes):
            return no, yes
    return None


def _is(value: str, vocabulary: frozenset[str]) -> bool:
    return re.sub(r"[\W_]+", "_", say.folded(value)) in vocabulary


def _negates(no: str, yes: str) -> bool:
    no, yes = say.folded(no), say.folded(yes)
    return bool(re.fullmatch(rf"(no|not|non|un|in|nicht|kein|keine)[ _-]?{re.escape(yes)}", no))
