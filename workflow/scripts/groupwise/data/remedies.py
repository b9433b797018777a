"""Why a column is text that should be numeric, and which setting fixes it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

from groupwise.data.suspect import ABSENT, column_codes
from groupwise.data.values import in_yaml
from groupwise.data.yes_no import respelled, says_yes_or_no

Remedy = tuple[str, str]
"""(problem, fix): the half-sentences of an InputError."""

SPACES = " \u00a0\u2007\u2009\u202f"
APOSTROPHES = "'\u2019"
PLAIN = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?")
COMMA = re.compile(r"[+-]?\d*,\d+(?:[eE][+-]?\d+)?")
UNCLEAR = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}")
GROUPED = {
    ".": re.compile(r"[+-]?[1-9]\d{0,2}(?:\.\d{3})+(?:,\d*)?"),
    ",": re.compile(r"[+-]?[1-9]\d{0,2}(?:,\d{3})+(?:\.\d*)?"),
    " ": re.compile(rf"[+-]?[1-9]\d{{0,2}}(?:[{SPACES}]\d{{3}})+(?:[.,]\d*)?"),
    "'": re.compile(rf"[+-]?[1-9]\d{{0,2}}(?:[{APOSTROPHES}]\d{{3}})+(?:[.,]\d*)?"),
}
"""Numbers with a sign between thousands."""
CURRENCY = r"[\u20ac$\u00a3\u00a5\u20b9\u20bd\u20ba\u20a9]|[A-Z]{1,2}\$|[A-Z]{3}|kr\.?|Fr\.?|Rs\.?"
"""What stands before a number as its unit."""
UNIT = r"A-Za-z\u00b5\u00c0-\u00ff\u0370-\u04ff%\u2030\u00b0\u20ac$\u00a3\u00a5/"
"""What a unit after a number begins with; a mark such as * is no unit."""
WITH_UNIT = re.compile(
    rf"(?P<sign>[+-]?)(?P<before>{CURRENCY})?\s*"
    rf"(?P<number>[+-]?\d[\d.,{SPACES}{APOSTROPHES}]*?)\s*(?P<after>[{UNIT}][^\d]{{0,11}})?"
)
FEW = 6
"""So many texts among numbers may stand for missing values; more are no codes."""
ABSENT_MEASUREMENT = ABSENT | {
    *(
        "unknown",
        "unbekannt",
        "none",
        "nil",
        "x",
        "*",
        "**",
        "/",
        "#",
        "()",
        "ns",
        "dnf",
        "entf\u00e4llt",
    ),
    *("ill", "sick", "krank", "withdrawn", "dropout"),
}
"""`ABSENT`, and texts that mean missing among measurements, but may name an arm."""
FIRST = {"no", "false", "nein", "falsch", "non", "faux", "fail", "failed", "absent", "negative"}
FIRST |= {"n", "f", "never", "incorrect", "wrong", "nee", "nej", "not", "none", "off", "0"}
"""Of two labels, what is 0."""
SCALES = (
    ("strongly disagree", "disagree", "neutral|neither agree nor disagree|neither|undecided|"
     "neither disagree nor agree|not sure", "agree", "strongly agree"),
    ("strongly disagree", "disagree", "somewhat disagree|slightly disagree", "neutral|"
     "neither agree nor disagree|undecided", "somewhat agree|slightly agree", "agree",
     "strongly agree"),
    ("completely disagree|totally disagree|fully disagree", "disagree", "neutral|undecided|"
     "neither agree nor disagree", "agree", "completely agree|totally agree|fully agree"),
    ("never", "rarely|seldom", "sometimes|occasionally", "often|frequently", "always"),
    ("never", "rarely|seldom", "sometimes|occasionally", "often|frequently|usually",
     "very often|almost always", "always"),
    ("very poor|very bad", "poor|bad", "fair|average|ok|neutral|acceptable", "good", "very good"),
    ("poor", "fair", "good", "very good", "excellent"),
    ("very dissatisfied|very unsatisfied", "dissatisfied|unsatisfied", "neutral|neither|"
     "neither satisfied nor dissatisfied", "satisfied", "very satisfied"),
    ("very unlikely", "unlikely", "neutral|neither|undecided", "likely", "very likely"),
    ("not at all", "slightly|a little|a little bit|a bit", "moderately|somewhat", "very|quite a bit|"
     "quite", "extremely|very much|a great deal"),
    ("none", "mild", "moderate", "severe", "very severe"),
    ("very low", "low", "medium|moderate|middle|average", "high", "very high"),
    ("very easy", "easy", "neutral|medium|neither", "difficult|hard", "very difficult|very hard"),
    ("stimme \u00fcberhaupt nicht zu|stimme gar nicht zu", "stimme nicht zu|stimme eher nicht zu",
     "teils/teils|teils teils|neutral|weder noch|unentschieden", "stimme zu|stimme eher zu",
     "stimme voll zu|stimme v\u00f6llig zu|stimme voll und ganz zu"),
    ("trifft \u00fcberhaupt nicht zu|trifft gar nicht zu|trifft nicht zu", "trifft eher nicht zu",
     "teils/teils|teils teils|neutral|weder noch", "trifft eher zu",
     "trifft zu|trifft voll zu|trifft voll und ganz zu"),
    ("nie", "selten", "manchmal", "oft|h\u00e4ufig", "immer"),
    ("sehr schlecht", "schlecht", "mittel|mittelm\u00e4\u00dfig|neutral", "gut", "sehr gut"),
    ("sehr unzufrieden", "unzufrieden", "neutral|teils/teils", "zufrieden", "sehr zufrieden"),
)  # fmt: skip
"""Labels in order; | between those that mean the same."""


def why_text(values: pd.Series) -> Remedy | None:
    """Why a column that should be numeric is text, and the fix; None if no cause fits.

    Only the first cause is reported: once it is fixed, the next one is.
    """
    if pd.api.types.is_bool_dtype(values):
        return _two_labels(str(values.name), ("false", "true"))
    if pd.api.types.is_numeric_dtype(values):
        return None
    name, counts = str(values.name), _counts(values)
    texts = Counter({text: n for text, n in counts.items() if not PLAIN.fullmatch(text)})
    if not texts:
        return None
    return (
        _units(name, texts, counts.total())
        or _thousands(name, texts, counts)
        or _commas(name, texts, counts)
        or _absent(name, texts, counts.total(), column_codes(values))
        or _scale(name, list(texts), counts)
        or _pair(name, list(texts), counts)
    )


def suspects(name: str, texts: Mapping[str, int], codes: Mapping[str, int] | None = None) -> Remedy:
    """The remedy for texts among numbers: without digits they, and `codes`, may mean missing."""
    odd = {text: n for text, n in texts.items() if re.search(r"\d", text)}
    listed = ", ".join(f"'{_short(text)}' ({n})" for text, n in (odd or texts).items())
    what = "a text" if len(odd or texts) == 1 else "texts"
    problem = f"column '{name}' has {what} among its numbers: {listed}"
    if odd:
        return problem, _correction(odd)
    listed = ", ".join(f"'{code}' ({n})" for code, n in (codes or {}).items())
    problem += f", and far from the other numbers {listed}" if codes else ""
    missing_codes = {name: [*texts, *(float(code) for code in codes or ())]}
    setting = f"`missing_codes: {in_yaml(missing_codes)}`"
    return problem, f"write {setting} if that means missing, or else correct it in the file"


def _correction(texts: Iterable[str]) -> str:
    """What to do about numbers that are written in a way that no setting reads."""
    if all(re.fullmatch(r"\(.*\)", text) for text in texts):
        return "write negative numbers with a minus, in the file"
    if all(text.startswith("\u2212") for text in texts):
        return "write a plain hyphen for the minus, in the file"
    return "write a number in its place, in the file, or leave it empty if it is missing"


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 40 else f"{line[:37]}..."


def _counts(values: pd.Series) -> Counter[str]:
    """The number of rows of each value, in order of first occurrence."""
    left = values.dropna().astype(str).str.strip()
    return Counter({str(text): int(n) for text, n in left.value_counts(sort=False).items()})


def is_number(text: str) -> bool:
    """Whether a text is a number in any spelling."""
    spelled = (PLAIN, COMMA, *GROUPED.values())
    return any(pattern.fullmatch(text) for pattern in spelled)


def unit_of(text: str) -> str | None:
    """The unit before or after a number in a text; None if there is none."""
    match = WITH_UNIT.fullmatch(text)
    if (
        match is None
        or not is_number(match["number"].strip())
        or (match["before"] and match["after"])
    ):
        return None
    return (match["before"] or match["after"] or "").strip() or None


def _units(name: str, texts: Counter[str], total: int) -> Remedy | None:
    units: Counter[str] = Counter()
    example: dict[str, str] = {}
    for text, n in texts.items():
        if (unit := unit_of(text)) is not None:
            units[unit] += n
            example.setdefault(unit, text)
    numbers = units.total() + sum(n for text, n in texts.items() if is_number(text))
    numbers += total - texts.total()
    if not units or len(units) > FEW or 2 * numbers < total:
        return None
    if len(units) > 1:
        listed = ", ".join(f"{unit} ({n})" for unit, n in units.most_common(FEW))
        problem = f"column '{name}' has numbers with several units: {listed}"
        return problem, "write all its numbers in one unit, in the file"
    (unit,) = units
    problem = f"column '{name}' has numbers with a unit, as in '{example[unit]}'"
    setting = f"`format: {{units: {{{in_yaml(name)}: {in_yaml(unit)}}}}}`"
    return problem, f"write {setting}, and the numbers are taken in that unit"


def _thousands(name: str, texts: Counter[str], counts: Counter[str]) -> Remedy | None:
    for sign, pattern in GROUPED.items():
        grouped = [text for text in texts if pattern.fullmatch(text)]
        # 1.234 is a number in its own right.
        grouped += [t for t in counts if sign == "." and grouped and GROUPED["."].fullmatch(t)]
        if not grouped:
            continue
        if sign == "," and all(UNCLEAR.fullmatch(text) for text in texts if is_number(text)):
            if any("." in text for text in counts if PLAIN.fullmatch(text)):
                break
            problem = f"column '{name}' has commas that may be decimal or not, as in '{grouped[0]}'"
            fix = 'write `format: {thousands: ","}` if they separate thousands, '
            return problem, fix + 'or `format: {decimal: ","}`'
        if sign == "," and any(COMMA.fullmatch(t) and not pattern.fullmatch(t) for t in texts):
            return None
        decimal = ', decimal: ","' if sign in " '" and any("," in t for t in grouped) else ""
        problem = f"column '{name}' has numbers with a sign between thousands, as in '{grouped[0]}'"
        return problem, f'write `format: {{thousands: "{sign}"{decimal}}}`'
    else:
        return None
    problem = f"column '{name}' has numbers with a sign between thousands, as in '{grouped[0]}'"
    return problem, 'write `format: {thousands: ","}`'


def _commas(name: str, texts: Counter[str], counts: Counter[str]) -> Remedy | None:
    commas = [text for text in texts if COMMA.fullmatch(text)]
    if not commas:
        return None
    points = {text: n for text, n in counts.items() if PLAIN.fullmatch(text) and "." in text}
    if points:
        n_commas, n_points = sum(texts[text] for text in commas), sum(points.values())
        problem = (
            f"column '{name}' has two decimal signs: a comma as in '{commas[0]}' ({n_commas:,}), and a "
            f"point as in '{next(iter(points))}' ({n_points:,})"
        )
        return problem, "write all its numbers in one way, in the file"
    problem = f"column '{name}' has numbers with a decimal comma, as in '{commas[0]}'"
    return problem, 'write `format: {decimal: ","}`'


def _absent(
    name: str, texts: Counter[str], total: int, suspected: Mapping[str, int]
) -> Remedy | None:
    """Few texts among numbers; among labels only those that mean missing wherever they are met."""
    numbers = total - texts.total()
    if numbers and (len(texts) <= FEW or numbers >= texts.total()):
        codes = {code: n for code, n in suspected.items() if code not in texts}
        return suspects(name, texts, codes) if len(texts) <= FEW else _too_many(name, texts)
    absent = {text: n for text, n in texts.items() if text.casefold() in ABSENT_MEASUREMENT}
    if not absent or len(absent) == len(texts) or len(texts) - len(absent) < 2:
        return None
    problem, fix = suspects(name, absent)
    return problem.replace("among its numbers", "that may mean missing"), fix


def _too_many(name: str, texts: Counter[str]) -> Remedy:
    listed = ", ".join(f"'{_short(text)}'" for text in list(texts)[:3])
    problem = f"column '{name}' has {len(texts)} different texts among its numbers, as {listed}"
    fix = "correct them in the file, or name those that mean missing "
    return problem, fix + f"as `missing_codes: {{{in_yaml(name)}: [{in_yaml(next(iter(texts)))}]}}`"


def _scale(name: str, texts: Sequence[str], counts: Counter[str]) -> Remedy | None:
    if len(counts) > len(texts) or len(texts) < 3:
        return None
    for steps in SCALES:
        place = {word: i + 1 for i, step in enumerate(steps) for word in step.split("|")}
        ranks = {text: place.get(" ".join(text.casefold().split())) for text in texts}
        if None not in ranks.values() and len(set(ranks.values())) == len(texts):
            order = sorted(texts, key=lambda text: ranks[text] or 0)
            codes = ", ".join(f"{in_yaml(text)}: {ranks[text]}" for text in order)
            problem = f"column '{name}' holds labels in an order, not numbers"
            fix = (
                f"write `recode: {{{in_yaml(name)}: {{{codes}}}}}` to take their places for numbers"
            )
            return problem, fix
    return None


def _pair(name: str, texts: Sequence[str], counts: Counter[str]) -> Remedy | None:
    """Two labels as 0 and 1; of three the rarest may mean missing; more are no outcome."""
    if len(counts) != len(texts) or len(texts) > FEW:
        return None
    ordered = sorted(texts, key=lambda text: (text.casefold() not in FIRST, text.casefold()))
    low = ordered[0]
    if len(texts) == 2:
        return _two_labels(name, (low, ordered[1]))
    listed = ", ".join(f"'{_short(text)}'" for text in ordered)
    labels = "1 label, not a number" if len(texts) == 1 else f"{len(texts)} labels, not numbers"
    problem = f"column '{name}' holds {labels}: {listed}"
    if (spelled := respelled(ordered, counts)) is not None:
        return problem, f"write `recode: {in_yaml({name: spelled})}`, for these are one value"
    if len(texts) == 3 and low.casefold() in FIRST:
        high, other = sorted(ordered[1:], key=lambda text: -counts[text])
        if says_yes_or_no(other):
            return problem, "name a column of numbers, or recode each label as one"
        codes = {name: {low: 0, high: 1, other: None}}
        return problem, f"write `recode: {in_yaml(codes)}` if '{other}' means a missing value"
    return problem, "name a column of numbers, or recode each label as one"


def _two_labels(name: str, labels: tuple[str, str]) -> Remedy:
    low, high = labels
    problem = f"column '{name}' holds two labels, '{low}' and '{high}', not numbers"
    codes = f"{in_yaml(low)}: 0, {in_yaml(high)}: 1"
    return problem, f"write `recode: {{{in_yaml(name)}: {{{codes}}}}}`"
