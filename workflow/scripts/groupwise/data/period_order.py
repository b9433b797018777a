"""The order of periods, from their labels: numbers, dates, months, numbered and named stages."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise

from groupwise.data import vocabulary as say
from groupwise.data.errors import InputError, nearest
from groupwise.data.labels import natural
from groupwise.data.units import is_start
from groupwise.data.values import in_yaml, matching

MOST_PERIODS = 120
"""A column of more values than this says when a row was measured, and not in which period."""

DATE_FORMS = (
    *("%Y-%m-%d", "%Y-%m", "%Y/%m/%d", "%Y/%m"),
    *("%d.%m.%Y", "%d.%m.%y", "%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%m/%Y"),
    *("%d/%m/%y", "%m/%d/%y", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M"),
    *("%b %Y", "%B %Y", "%b-%Y", "%b-%y", "%Y-%b", "%d %B %Y", "%d %b %Y"),
)
"""Ways of writing dates, as `strptime` names them."""

MONTHS = (
    *("january", "february", "march", "april", "may", "june", "july"),
    *("august", "september", "october", "november", "december"),
)

BETWEEN = frozenset(["mid", "middle", "midline", "midterm", "during", "interim"])
LATER = re.compile(r"fup?|follow[ _-]?up|catamnesis|katamnese")
"""Words for stages between before and after, and after that."""

MONTH_AND_YEAR = re.compile(r"(0?[1-9]|1[0-2])\.((?:19|20)\d\d?)")

QUARTER = re.compile(r"(\d{4})[ /-]?[Qq]([1-4])|[Qq]([1-4])[ /-]?(\d{4})")

NUMBERED = re.compile(r"(.*?)[ _-]?(\d+(?:\.\d+)?)[ ._-]?(\D*)")


def ordered_periods(labels: Sequence[str], levels: Sequence[object] | None = None) -> list[str]:
    """The labels of periods, the earliest first.

    Parameters
    ----------
    labels : those that occur
    levels : all of them in order, where the configuration lists them

    Raises
    ------
    InputError
        For labels whose order cannot be told, for more labels than periods there can be, and for
        `levels` that are not the labels.
    """
    if levels is not None:
        return _listed(labels, levels)
    if len(labels) > MOST_PERIODS:
        problem = f"it has {len(labels):,} values, which are no periods"
        fix = "name a column that says in which week, month or wave a row was measured"
        raise InputError("roles.period", problem, fix)
    for order in (_numbers, _quarters, _dates, _months, _numbered, _stages):
        keys = order(labels)
        if keys is not None and len(set(keys)) == len(labels):
            return [label for _, label in sorted(zip(keys, labels, strict=True))]
    problem = f"the order of the periods {_some(labels)} cannot be told from their labels"
    fix = f"put these in order of time: `periods: {in_yaml(sorted(labels, key=natural))}`"
    raise InputError("roles.period", problem, fix)


def moments(labels: Sequence[str]) -> list[tuple[float, ...]] | None:
    """What numbers and dates sort by; None for other labels."""
    return next((keys for order in (_numbers, _dates) if (keys := order(labels))), None)


def _some(labels: Sequence[str]) -> str:
    return ", ".join(f"'{each}'" for each in labels[:4]) + (", ..." if len(labels) > 4 else "")


def labels_of(key: str, periods: Sequence[object], labels: Sequence[str]) -> list[str]:
    """The label of each of the `periods` that a setting lists.

    Raises
    ------
    InputError
        For a period that no label stands for, and for one that is listed twice.
    """
    listed: list[str] = []
    for period in periods:
        label = matching(period, labels)
        if label is None:
            problem = f"no row has the period '{period}'"
            raise InputError(key, problem, nearest(str(period), labels))
        if label in listed:
            raise InputError(key, f"'{label}' is listed twice", "list each period once")
        listed.append(label)
    return listed


def _listed(labels: Sequence[str], levels: Sequence[object]) -> list[str]:
    listed = labels_of("periods", levels, labels)
    for label in labels:
        if label not in listed:
            problem = f"the data have a period '{label}' that is not listed"
            raise InputError("periods", problem, "list every period, or leave `periods` out")
    return listed


Keys = list[tuple[float, ...]] | None


def _numbers(labels: Sequence[str]) -> Keys:
    months = [MONTH_AND_YEAR.fullmatch(label) for label in labels]
    if all(months):  # also 2.202, which is what becomes of 02.2020 as a number
        return [(float(each[2].ljust(4, "0")), float(each[1])) for each in months if each]
    try:
        return [(float(label),) for label in labels]
    except ValueError:
        return None


def _dates(labels: Sequence[str]) -> Keys:
    """Dates in one form; None where two forms fit and give different orders."""
    fitting: list[list[tuple[float, ...]]] = []
    for form in DATE_FORMS:
        try:
            dates = [datetime.strptime(label, form) for label in labels]
        except ValueError:
            continue
        fitting.append([(float(each.toordinal()), *_clock(each)) for each in dates])
    orders = {tuple(sorted(range(len(labels)), key=keys.__getitem__)) for keys in fitting}
    return fitting[0] if len(orders) == 1 else None


def _clock(each: datetime) -> tuple[float, float, float]:
    return float(each.hour), float(each.minute), float(each.second)


def _quarters(labels: Sequence[str]) -> Keys:
    """Quarters of years: 2021Q1, Q1 2021."""
    matches = [QUARTER.fullmatch(label.strip()) for label in labels]
    keys: list[tuple[float, ...]] = []
    for match in matches:
        if match is None:
            return None
        keys.append((float(match[1] or match[4]), float(match[2] or match[3])))
    return keys


def _months(labels: Sequence[str]) -> Keys:
    """Months of one year; None where a longer gap than that at its end may be where they begin."""
    places: list[tuple[float, ...]] = []
    for label in labels:
        text = label.strip().casefold().removesuffix(".")
        fits = [i for i, month in enumerate(MONTHS) if len(text) >= 3 and month.startswith(text)]
        if len(fits) != 1:
            return None
        places.append((float(fits[0]),))
    order = sorted(place for (place,) in places)
    gaps = [later - earlier for earlier, later in pairwise(order)]
    return places if max(gaps, default=0) <= order[0] + len(MONTHS) - order[-1] else None


def _numbered(labels: Sequence[str]) -> Keys:
    """Labels that differ in one number: T1, week 10, 3 months; one may say that it is the start."""
    keys: list[tuple[float, ...]] = []
    around = set()
    for label in labels:
        match = NUMBERED.fullmatch(label.strip())
        if match:
            around.add((match[1].casefold().strip(), _singular(match[3])))
            keys.append((float(match[2]),))
        elif is_start(label):
            keys.append((-1.0,))
        else:
            return None
    return keys if len(around) == 1 else None


def _singular(word: str) -> str:
    return word.casefold().strip().removesuffix("s")


def _stages(labels: Sequence[str]) -> Keys:
    """Before, between, after and later, or false and true: whether it is after."""
    keys: list[tuple[float, ...]] = []
    for label in labels:
        text = say.folded(label)
        if is_start(label) or text == "false":
            keys.append((0.0,))
        elif text in BETWEEN:
            keys.append((1.0,))
        elif LATER.fullmatch(text):
            keys.append((3.0,))
        elif text in say.AFTER_VALUES or text == "true":
            keys.append((2.0,))
        else:
            return None
    return keys
