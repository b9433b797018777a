"""Numbers, nouns and names of columns as figures, reports and messages write them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

MINUS = "\u2212"


UNITS = {
    "group": "group",
    "block": "block",
    "second_group": "second group",
    "individual": "individual",
}
"""Roles of columns that tell units apart, with the word for one whose name is no noun."""

IRREGULAR = {
    "child": "children",
    "person": "people",
    "man": "men",
    "woman": "women",
    "mouse": "mice",
    "stratum": "strata",
    "half": "halves",
}
INVARIANT = {"series", "species"}

MARKS = (
    re.compile(r"^(?:id|ID|Id)[ -](?=.)"),
    re.compile(r"(?<=.)[ -](?:id|ids|code|no|nr|num|number|name|label)$", re.IGNORECASE),
    re.compile(r"(?<=[a-z])(?:ID|Id)$"),
)
"""Prefixes and suffixes that mark an identifier and are no part of its noun."""

ABBREVIATED = {"subj": "subject", "usubj": "subject", "grp": "group", "cls": "class"}

KNOWN_IDS = re.compile(
    r"(class|school|teacher|student|pupil|child|person|patient|subj|usubj|subject|clinic|hospital|"
    r"site|center|centre|cluster|group|village|household|school|ward|region|user|customer)id",
    re.IGNORECASE,
)
"""Identifiers in one word, by the noun before `id`: `valid` and `grid` are none."""

MOST_WORDS = 3
LETTER = r"[A-Za-z\u00c0-\u024f]"
VOWEL = re.compile(r"[aeiouy\u00c0-\u024f]", re.IGNORECASE)

LIKE_A_CONSONANT = re.compile(r"uni(?![mn])|us[aeiu]|ut[aeio]|eu|one\b|once\b")
SILENT_H = re.compile(r"hour|heir|hono")

OTHER_UNITS = (
    "individual measurement row member arm treatment outcome effect group code number name label"
)
"""Words by which a report calls something else, or that call nothing by its name."""

SMALL_WORDS = (
    "a about after all also an and another any are as at be because been before being between both "
    "but by can could did do does done down each either else every few for from gave get gets give "
    "given gives got had has have he her here hers him his how i id if in index into is it its just "
    "least less made make many may me might mine more most much must my nan neither no none nor not "
    "null of off on only or other our out over own same shall she should so some such take taken "
    "than that the their them then there these they this those to too took unnamed up us value "
    "variable very was we were what when where which who whom whose why will with within without "
    "would yes yet you your"
)
"""English words that are no nouns, and names that say nothing of a column."""


def capital(text: str) -> str:
    """The text with a capital at its start."""
    return text[:1].upper() + text[1:]


def contrast_label(contrast: str) -> str:
    """`B - A` with a true minus sign."""
    return contrast.replace(" - ", f" {MINUS} ")


def number(value: float, digits: int = 3) -> str:
    """A number to so many significant digits, without an exponent, with a true minus sign."""
    if not np.isfinite(value):
        return "not known"
    if value == 0:
        return "0"
    decimals = digits - 1 - int(np.floor(np.log10(abs(value))))
    return fixed(value, min(max(decimals, 0), 8))


def fixed(value: float, decimals: int) -> str:
    """A number to so many decimals, with a true minus sign and none before a zero."""
    if not np.isfinite(value):
        return "\u2013"
    text = f"{value:,.{decimals}f}"
    if float(text.replace(",", "")) == 0:
        text = text.lstrip("-")
    return text.replace("-", MINUS)


def signed(value: float) -> str:
    """A number in its shortest form, with a true minus sign: 4, 2.5, −2."""
    return f"{value:g}".replace("-", MINUS)


def decimals_for(spread: float) -> int:
    """Decimals that show two significant digits of a standard error."""
    if not np.isfinite(spread) or spread <= 0:
        return 2
    return int(np.clip(1 - np.floor(np.log10(spread)), 0, 8))


def p_value(value: float) -> str:
    """`.013`, `< .001`: three decimals, no zero before the point; `.0496` is not .050."""
    if not np.isfinite(value):
        return "\u2013"
    if value < 0.001:
        return "<\u00a0.001"
    if value < 0.05 <= round(value, 3):
        return f"{min(value, 0.0499):.4f}".lstrip("0")
    return "1.000" if value > 0.9995 else f"{value:.3f}".lstrip("0")


def equals_p(value: float) -> str:
    """`p = .013` or `p < .001`."""
    text = p_value(value)
    return f"p\u00a0{text}" if text.startswith("<") else f"p\u00a0=\u00a0{text}"


def percent(share: float) -> str:
    """A share as a whole percentage, or `less than 1%`."""
    if 0 < share < 0.01:
        return "less than 1%"
    return f"{round(100 * share)}%"


def plural(word: str) -> str:
    """The plural of an English noun; a plural is left as it is."""
    start, last = _last_word(word)
    if last in IRREGULAR:
        return start + IRREGULAR[last]
    if singular(last) != last or last in IRREGULAR.values() or last in INVARIANT:
        return word
    if last.endswith(("s", "x", "ch", "sh")):
        return f"{word}es"
    if last.endswith("y") and last[-2:-1] not in tuple("aeiou"):
        return f"{word[:-1]}ies"
    return f"{word}s"


def singular(word: str) -> str:
    """The singular of an English noun; a word that is no plural is left as it is."""
    start, last = _last_word(word)
    ones = {many: one for one, many in IRREGULAR.items()}
    if last in ones:
        return start + ones[last]
    if (
        not last.endswith("s")
        or last.endswith(("ss", "us", "is", "as"))
        or last in {*INVARIANT, "lens"}
    ):
        return word
    if last.endswith("ies") and len(last) > 4:
        return f"{word[:-3]}y"
    if last.endswith(("sses", "uses", "xes", "ches", "shes")):
        return word[:-2]
    return word[:-1] if len(last) > 3 else word


def _last_word(text: str) -> tuple[str, str]:
    """The text before the last word, and the last word."""
    start, space, last = text.rpartition(" ")
    return start + space, last


def count(n: int, word: str) -> str:
    """`1 group`, `15 groups`, `5,871 individuals`."""
    return f"{n:,} {word if n == 1 else plural(word)}"


def listing(items: list[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} and {items[-1]}"


def noun(column: str) -> str:
    """A column's name as it is shown: `class_type` is a class type."""
    return column.replace("_", " ")


def named(column: str, role: str) -> str:
    """A column's name within a sentence, or `the outcome “x1”` where that is no noun."""
    text = noun(column)
    return text if _is_noun(text) else f"the {role} “{column}”"


def unit(column: str) -> str:
    """The noun for one of the units that a column tells apart; empty where its name is none.

    `class_id` tells classes apart, and so does `classes`; of `x1`, `any` and `Q1: class?` there is
    nothing to be said but that it is a column.
    """
    text = " ".join(column.replace("_", " ").replace(".", " ").split())
    for mark in MARKS:
        text = mark.sub("", text)
    match = KNOWN_IDS.fullmatch(text)
    text = match[1] if match else text
    text = text.lower() if text.isupper() else text
    text = ABBREVIATED.get(text.lower(), text)
    one = singular(text)
    return one if _is_noun(text) and one.lower() not in OTHER_UNITS.split() else ""


def _is_noun(text: str) -> bool:
    """Whether a name can stand as a noun in a sentence: a few words, none of them a small one."""
    parts = text.split(" ")
    if not re.fullmatch(rf"{LETTER}+(?:[ '-]{LETTER}+)*", text) or len(parts) > MOST_WORDS:
        return False
    return not any(
        len(part) < 2 or part.lower() in SMALL_WORDS.split() or not VOWEL.search(part)
        for part in parts
    ) and (len(text) > 2)


def role_word(roles: Mapping[str, Any], role: str) -> str:
    """What plays a role, as a word: of units a noun, of other columns the name that is shown."""
    column = roles.get(role)
    if role not in UNITS:
        return noun(str(column))
    word = _unit_word(roles, column)
    same_as_group = (
        role != "group" and column != roles["group"] and word == _unit_word(roles, roles["group"])
    )
    return UNITS[role] if same_as_group or not word else word


def _unit_word(roles: Mapping[str, Any], column: str | None) -> str:
    """The noun in a column's name; of an identifier of several columns that of the last one."""
    return unit(str(roles.get("parts", {}).get(column, [column])[-1])) if column else ""


def has_word(roles: Mapping[str, Any], role: str) -> bool:
    """Whether the column that tells units apart lends them its name."""
    return bool(roles.get(role)) and role_word(roles, role) != UNITS[role]


def row_word(design: Mapping[str, Any]) -> str:
    """What a row of the data is: an individual, a measurement, or nothing but a row."""
    return str(design.get("row", "individual"))


def sized(design: Mapping[str, Any]) -> str:
    """`375 individuals`, `590 measurements of 295 pupils`, `590 rows`."""
    roles, text = design["roles"], count(design["n_obs"], row_word(design))
    n, who = design.get("n_individuals"), roles.get("individual")
    if row_word(design) == "individual" or n is None or not who or who == roles["group"]:
        return text
    return f"{text} of {count(n, role_word(roles, 'individual'))}"


def grouped(design: Mapping[str, Any]) -> str:
    """`15 groups (professor)`, or `15 groups (told apart by “g_id”)` where the name is no noun."""
    roles = design["roles"]
    is_noun = has_word(roles, "group")
    unit_name = role_word(roles, "group") if is_noun else f"told apart by “{roles['group']}”"
    return f"{count(design['n_groups'], 'group')} ({unit_name})"


def article(word: str) -> str:
    """The word with `a` or `an` before it."""
    start = word.lower()
    vowel = start[:1] in tuple("aeiou") and not LIKE_A_CONSONANT.match(start)
    return f"{'an' if vowel or SILENT_H.match(start) else 'a'} {word}"


def span(low: str, high: str) -> str:
    """`low to high`, kept on one line."""
    return f"{low}\u00a0to\u00a0{high}"
