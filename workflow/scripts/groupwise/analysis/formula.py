"""A mixed model as a formula, in place of arguments that name columns: `score ~ style + (1 | class)`.

The grammar is that part of Wilkinson and Rogers (1973) and of lme4 (Bates et al. 2015) for which there
are arguments: names joined by +, and one random term. Anything else is refused, never left out in
silence. Names with other signs than letters, digits, _ and . stand between back quotes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from groupwise.data.errors import InputError
from groupwise.words import listing

NAME = re.compile(r"`([^`]+)`|((?:[^\W\d]|\.(?!\d))[\w.]*)")
RANDOM = re.compile(r"\((?P<effects>[^|]*)(?P<bar>\|\|?)(?P<groups>[^|]*)\)")
SYNTAX = "write `outcome ~ treatment + covariate + (1 | group)`"
SAME_SETTINGS = {"covariates": (), "random_slopes": False, "blocks_as": "fixed"}
"""What arguments are that say nothing beside a formula; of all others None."""

REASONS = (
    (r"\|", "random terms stand in parentheses, with one bar", "write (1 | group)"),
    (r"\(", "columns are not transformed in a formula", "make a column of it, and name that"),
    (r"[:*^/%]", "interactions are not modelled", "analyse each part of the rows by `where`"),
    (r"-|^0$", "an intercept is always in the model", "leave this out"),
    (r"^\.$", "the columns have to be named", "list them, joined by +"),
    (r"^$", "a term is missing beside a +", SYNTAX),
    (r"", "it is no column's name", "put a name with other signs between back quotes"),
)
"""Why a term is refused, the first whose pattern is in it; and what to do."""


def with_formula(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of `analyse`, those that its formula speaks of in place of their defaults.

    Raises
    ------
    InputError
        Where the formula says what cannot be done, or an argument says it too.
    """
    formula = arguments["formula"]
    if formula is None:
        return dict(arguments)
    if not isinstance(formula, str):
        raise InputError("formula", f"{formula!r} is no formula", f"{SYNTAX}, a text")
    meant = parsed(formula, arguments["treatment"])
    for key, value in meant.items():
        given = arguments[key]
        if key != "treatment" and given is not None and given != SAME_SETTINGS.get(key):
            problem = f"the formula says {value!r} already"
            raise InputError(key, problem, "leave the argument out, or that term of the formula")
    merged = {**arguments, **meant}
    if merged["group"] is None:
        problem = "nothing says which rows make a group"
        raise InputError("formula", problem, "add (1 | group), or name it by `group`")
    if merged["reference"] is None and merged["levels"] is None:
        merged["reference"] = first_level(merged["table"], merged["treatment"])
    return merged


def parsed(formula: str, treatment: str | None = None) -> dict[str, Any]:
    """What a formula says, by the names of arguments; the treatment is the first term if not given."""
    sides = _split(formula, "~")
    if len(sides) != 2:
        raise InputError("formula", "an outcome stands on the left of one sign ~", SYNTAX)
    terms = _split(sides[1], "+")
    random = [term for term in terms if term.startswith("(") and "|" in term]
    fixed = [_name(term) for term in terms if term not in (*random, "1")]
    if len(random) > 1:
        problem = f"{listing(random)} are several random terms"
        fix = "write (1 | block/group), or name a further grouping by `second_group`"
        raise InputError("formula", problem, fix)
    if treatment is not None and treatment not in fixed:
        fix = "name the column of the treatment, or leave the argument out: it is the first then"
        raise InputError("treatment", f"{treatment!r} is no term of the formula", fix)
    if not fixed:
        raise InputError("formula", "it has no term for the treatment", SYNTAX)
    treatment = fixed[0] if treatment is None else treatment
    named: dict[str, Any] = {"outcome": _name(sides[0]), "treatment": treatment}
    if covariates := tuple(name for name in dict.fromkeys(fixed) if name != treatment):
        named["covariates"] = covariates
    return named | (_grouping(random[0], treatment) if random else {})


def first_level(table: Any, treatment: str) -> Any:
    """The arm that others are compared with where nothing says it: the first, as in R's formulas.

    It is None where there is no such column: the check of columns says so.
    """
    if not isinstance(table, pd.DataFrame) or treatment not in table.columns:
        return None
    values = table[treatment].dropna()
    if isinstance(values.dtype, pd.CategoricalDtype):
        values = values.cat.remove_unused_categories()
        levels = list(values.cat.categories)
    else:
        levels = sorted(values.unique(), key=lambda each: (isinstance(each, str), each))
    if not levels:
        return None
    return levels[0].item() if isinstance(levels[0], np.generic) else levels[0]


def _grouping(term: str, treatment: str) -> dict[str, Any]:
    """What a random term says: groups, blocks that hold them, whether the treatment varies in them."""
    match = RANDOM.fullmatch(term)
    if match is None:
        raise _refused(term.strip("()"))
    names = [_name(each) for each in _split(match["groups"], "/")]
    effects = _split(match["effects"], "+")
    slopes = [_name(each) for each in effects if each != "1"]
    if len(names) > 2:
        raise InputError("formula", f"{term} has more than two levels", "write (1 | block/group)")
    if slopes not in ([], [treatment]):
        problem = f"in {term}, only the intercept and the treatment may vary over groups"
        raise InputError("formula", problem, f"write (1 + {treatment} | group)")
    if slopes and len(names) == 2:
        problem = f"in {term}, the treatment would vary over blocks as well as over groups"
        raise InputError("formula", problem, f"write (1 + {treatment} | group), and name `block`")
    named: dict[str, Any] = {"group": names[-1]}
    if len(names) == 2:
        named |= {"block": names[0], "blocks_as": "random"}
    if slopes:
        named["random_slopes"] = "diagonal" if match["bar"] == "||" else True
    return named


def _split(text: str, sign: str) -> list[str]:
    """The parts between signs that stand outside parentheses and back quotes, without spaces around."""
    parts, depth, quoted = [""], 0, False
    for each in text:
        quoted ^= each == "`"
        depth += 0 if quoted else (each == "(") - (each == ")")
        if depth < 0:
            break
        if each == sign and depth == 0 and not quoted:
            parts.append("")
        else:
            parts[-1] += each
    if depth != 0 or quoted:
        what = "a back quote" if quoted else "a parenthesis"
        raise InputError("formula", f"{what} has no other one", SYNTAX)
    return [part.strip() for part in parts]


def _name(term: str) -> str:
    """The column that a term names, or the reason why it is none."""
    match = NAME.fullmatch(term)
    if match is None or term == ".":
        raise _refused(term)
    return str(match[1] or match[2])


def _refused(term: str) -> InputError:
    unquoted = NAME.sub("x", term)  # a name's signs are no operators
    text = term if term == "." else unquoted
    _, reason, fix = next(each for each in REASONS if re.search(each[0], text))
    return InputError(
        "formula", f"'{term}' cannot be analysed, as {reason}" if term else reason, fix
    )
