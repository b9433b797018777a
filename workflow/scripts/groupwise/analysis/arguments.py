"""Checks of what `analyse` and `simulate` are given; each failure names the argument."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, fields
from itertools import combinations
from typing import Any

import pandas as pd

from groupwise.catalogue.methods import METHODS
from groupwise.data.declared_kind import contradictions
from groupwise.data.errors import InputError, nearest
from groupwise.data.simulate import Recipe
from groupwise.data.validate import IDENTIFIERS, ROLES, Roles, check_effects
from groupwise.data.values import NUMBER
from groupwise.design import Design
from groupwise.effect_words import NOUNS
from groupwise.methods import concerning, method_of
from groupwise.response import FAMILIES, SCALES, Response
from groupwise.words import listing, plural

CHOICES: dict[str, tuple[Any, ...]] = {
    "outcome_kind": FAMILIES,
    "effect_as": SCALES,
    "outcome_as": ("raw", "log", "standardized"),
    "blocks_as": ("fixed", "random"),
    "random_slopes": (True, False, "diagonal"),
    "rank_deficient": ("drop", "error"),
    "singletons": ("keep", "drop"),
    "one_arm_blocks": ("keep", "drop"),
    "missing": ("drop", "error"),
    "ungrouped": ("drop", "own_group"),
    "assigned": ("individual", "group", "group_period", "sequence"),
}
IF_GIVEN = ("assigned", "outcome_kind", "effect_as")
"""Choices that may be left open."""
CONDITIONS = ("min", "max", "not", "missing")
LEAST = {
    "seed": 0,
    "wild_draws": 99,
    "bootstrap_draws": 99,
    "randomization_draws": 99,
    "max_assignments": 1,
}
"""The smallest value of each setting of `resampling`."""

READING = (
    *("missing", "missing_codes", "where", "recode", "baseline", "ungrouped", "outcome_as"),
    *("singletons", "one_arm_blocks", "most_dropped", "reference", "levels", "periods"),
    *("untreated_periods", "outcome_kind", "event", "effect_as"),
)
MODELLING = ("blocks_as", "random_slopes", "rank_deficient")
PLACES = {"file": "table", "roles": "table"}
"""Arguments for keys of a configuration that are no arguments."""


SETTING = re.compile(r"`(\w+): ([^`]+)`")
"""A setting in the fix of a message, as config.yaml has it."""
SCALAR = re.compile(r"""'(?:[^']|'')*'|"[^"]*"|[^\s,:{}\[\]'"][^,:{}\[\]]*""")

LITERALS = {"null": "None", "true": "True", "false": "False"}
"""Scalars of YAML that Python writes otherwise."""


@contextlib.contextmanager
def named() -> Iterator[None]:
    """Mistakes in a dataset's block of a configuration, said of the arguments of the same names."""
    try:
        yield
    except InputError as error:
        key = error.key.removeprefix("roles.").removeprefix("simulate.")
        fix = re.sub(SETTING, _as_argument, error.fix.replace(" under `roles`", ""))
        problem, fix = (re.sub(r"\broles\.(?=\w)", "", part) for part in (error.problem, fix))
        raise InputError(PLACES.get(key, key), problem, fix) from None


def _as_argument(setting: re.Match[str]) -> str:
    """A setting as an argument: `where: {arm: {not: b}}` is `where={'arm': {'not': 'b'}}`."""
    if setting[1] == "format":
        return "`table`, by making numbers of that column"
    return f"`{setting[1]}={SCALAR.sub(_as_literal, setting[2])}`"


def _as_literal(scalar: re.Match[str]) -> str:
    text = scalar[0].strip()
    if text[0] == '"' or NUMBER.fullmatch(text):
        return text
    if text in LITERALS:
        return LITERALS[text]
    text = text[1:-1].replace("''", "'") if text[0] == "'" else text
    return repr(text) if set(text) & set('"\\') else f'"{text}"'


def check(arguments: Mapping[str, Any]) -> None:
    """What a schema says of the same settings in a configuration."""
    _check_table(arguments["table"])
    for role in ROLES:
        _check_names(role, arguments[role])
    for key in ("covariates", "categorical", "numeric"):
        for name in several(arguments[key]):
            _check_name(key, name)
    for key, allowed in CHOICES.items():
        if key in IF_GIVEN and arguments[key] is None:
            continue
        if not any(arguments[key] is each or arguments[key] == each for each in allowed):
            raise InputError(key, f"{arguments[key]!r} is no choice", _one_of(allowed))
    level = arguments["conf_level"]
    if not isinstance(level, float) or not 0 < level < 1:
        raise InputError("conf_level", f"{level!r} is no level", "give a number such as 0.95")
    share = arguments["most_dropped"]
    if not isinstance(share, int | float) or not 0 <= share <= 1:
        raise InputError("most_dropped", f"{share!r} is no share", "give a number from 0 to 1")
    effect = arguments["effect_to_find"]
    if not (effect is None or (isinstance(effect, int | float) and effect > 0)):
        fix = "give a difference in units of the outcome, above 0"
        raise InputError("effect_to_find", f"{effect!r} is no difference", fix)
    if arguments["reference"] is None and arguments["levels"] is None:
        fix = "name an arm, or give `levels`, the arms in order"
        raise InputError("reference", "nothing says what the arms are compared with", fix)
    for key in ("where", "baseline"):
        _check_conditions(key, arguments[key] or {})
    named_roles = {role: arguments[role] for role in ROLES}
    for path, problem, fix in contradictions({**arguments, "roles": named_roles}):
        raise InputError(".".join(path), problem, fix)


def roles(arguments: Mapping[str, Any]) -> Roles:
    named = {role: arguments[role] for role in ROLES}
    return Roles.from_settings(named | {"covariates": several(arguments["covariates"])})


def reading(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """How the table is read: settings of `data.ingest.ingest`."""
    settings = {key: arguments[key] for key in READING}
    settings |= {key: several(arguments[key]) for key in ("categorical", "numeric")}
    return settings | {"levels": _levels(arguments["levels"])}


def modelling(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """What models are like: settings of `design.make_design`."""
    return {key: arguments[key] for key in MODELLING}


def methods(asked: Sequence[str] | None) -> tuple[str, ...]:
    """Those that are asked, in the order of tables."""
    if asked is None:
        return tuple(METHODS)
    for method in several(asked):
        if method not in METHODS:
            raise InputError("methods", f"there is no method '{method}'", _near(method, METHODS))
    if not several(asked):
        raise InputError("methods", "no method is asked", "name some, or leave the argument out")
    return tuple(method for method in METHODS if method in several(asked))


def headline(chosen: str, methods: tuple[str, ...]) -> str:
    """The method that was chosen to lead, or `auto`."""
    if chosen not in ("auto", *methods):
        what = "is not asked" if chosen in METHODS else "is no method"
        raise InputError("headline", f"'{chosen}' {what}", _near(chosen, ["auto", *methods]))
    return chosen


def check_listed(asked: Sequence[str] | None, chosen: str, design: Design) -> None:
    """Methods that are named, and the headline, answer for effects on the scale of the design.

    Raises
    ------
    InputError
        For a method of other outcomes or effects.
    """
    listed = concerning(design, METHODS)
    response = design.response
    effects = plural(NOUNS[response.family, response.scale])
    names = [("methods", each) for each in several(asked)]
    for key, name in [*names, *([] if chosen == "auto" else [("headline", chosen)])]:
        method = method_of(name)
        if response.family not in method.families or response.scale not in method.scales:
            fix = f"for these there are: {', '.join(listed)}"
            raise InputError(key, f"'{name}' is not for {effects}", fix)


def check_resampling(settings: Mapping[str, int] | None) -> None:
    """Seed and effort of methods that draw."""
    for key, value in (settings or {}).items():
        if key not in LEAST:
            problem = f"there is no setting '{key}'"
            raise InputError("resampling", problem, _near(key, LEAST))
        if not isinstance(value, int) or isinstance(value, bool) or value < LEAST[key]:
            fix = f"give a whole number, {LEAST[key]} or more"
            raise InputError(f"resampling[{key!r}]", f"{value!r} is too little or no number", fix)


def truth(
    effects: Mapping[str, float] | None, arms: list[str], response: Response
) -> dict[str, Any] | None:
    """The true effect of every contrast, where those of the arms are known."""
    check_effects("true_effects", effects or {}, arms, response)
    if effects is None:
        return None
    none = 1.0 if response.is_ratio else 0.0
    of = {arm: float(effects.get(arm, none)) for arm in arms}
    return {
        "effects": {
            f"{b} - {a}": of[b] / of[a] if response.is_ratio else of[b] - of[a]
            for a, b in combinations(arms, 2)
        }
    }


def recipe(settings: Mapping[str, Any]) -> Recipe:
    """A recipe that has all it needs."""
    recipe_fields = {each.name: each for each in fields(Recipe)}
    for key in settings:
        if key not in recipe_fields:
            raise InputError(key, "simulations have no such setting", _near(key, recipe_fields))
    for key, each in recipe_fields.items():
        no_default = each.default is MISSING and each.default_factory is MISSING
        if no_default and key not in settings:
            raise InputError(key, "a simulation needs it", "see `simulate` in config.yaml")
    return Recipe.from_settings(settings)


def several(names: Any) -> tuple[Any, ...]:
    """Names as a tuple; one alone may stand for itself."""
    return (names,) if isinstance(names, str) else tuple(names or ())


def _check_table(table: Any) -> None:
    if not isinstance(table, pd.DataFrame):
        problem = f"a pandas DataFrame is needed, and this is a {type(table).__name__}"
        raise InputError("table", problem, "make one of it, a row per individual")
    if table.columns.nlevels > 1 or not table.columns.is_unique:
        problem = "columns have several levels of names, or several have one name"
        raise InputError("table", problem, "give each column one name of its own")


def _check_name(key: str, name: Any, *, optional: bool = False) -> None:
    if not (isinstance(name, str) or (optional and name is None)):
        raise InputError(key, f"{name!r} is no column's name", "give the name of a column, a text")


def _check_names(role: str, name: Any) -> None:
    """One column, or of an identifier several."""
    if role in IDENTIFIERS and isinstance(name, list | tuple) and name:
        for each in name:
            _check_name(role, each)
    else:
        _check_name(role, name, optional=role not in ("outcome", "treatment", "group"))


def _check_conditions(key: str, conditions: Mapping[str, Any]) -> None:
    for column, condition in conditions.items():
        for word in condition if isinstance(condition, Mapping) else ():
            if word not in CONDITIONS:
                problem = f"there is no condition '{word}'"
                raise InputError(f"{key}[{column!r}]", problem, _one_of(CONDITIONS))


def _levels(levels: Any) -> Any:
    """Labels are texts, as the data's are read."""
    if levels is None:
        return None
    if isinstance(levels, Mapping):
        return {old: str(new) for old, new in levels.items()}
    return list(several(levels))


def _near(word: object, choices: Any) -> str:
    return nearest(str(word), choices)


def _one_of(allowed: Sequence[Any]) -> str:
    return f"one of them is wanted: {listing([repr(each) for each in allowed])}"
