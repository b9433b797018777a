"""The one error a user's data or settings can raise: what is wrong, where, and what to do."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable


def sentence(*parts: str) -> str:
    """`where: problem; fix.`, in one line, with one mark at the end."""
    *where, problem, fix = parts
    text = ": ".join([*where, f"{problem}; {fix}"]).rstrip(".")
    return re.sub(r"[\r\n\t\v\f\x85\u2028\u2029]+", " ", text) + ("" if fix.endswith("?") else ".")


def dotted(path: Iterable[object]) -> str:
    """A key as messages write it: datasets.star.roles.covariates[0]."""
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return "".join(parts).removeprefix(".")


class InputError(ValueError):
    """A mistake in the data or in the settings that describe them.

    Parameters
    ----------
    key
        The setting the mistake is about, as a path below the dataset's block, e.g. `roles.outcome`.
    problem, fix
        Half-sentences: what is wrong, and what the user can do about it. A setting stands in the fix
        as in config.yaml, between back quotes.
    """

    def __init__(self, key: str, problem: str, fix: str) -> None:
        super().__init__(sentence(key, problem, fix))
        self.key = key
        self.problem = problem
        self.fix = fix


def nearest(word: str, choices: Iterable[object]) -> str:
    """A hint for a misspelled word: the nearest of the choices, or a list of them."""
    names = [str(name) for name in choices]
    folded = {name.casefold(): name for name in names}
    close = difflib.get_close_matches(word.casefold(), folded, n=1, cutoff=0.6)
    if close:
        return f"did you mean '{folded[close[0]]}'?"
    return "there are: " + (
        ", ".join(names[:20]) + (", and more" if len(names) > 20 else "") or "none"
    )
