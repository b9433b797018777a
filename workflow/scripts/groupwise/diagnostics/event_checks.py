"""Checks of outcomes that are events or counts: is there enough to tell of, and too much that varies?

Residuals of 0 and 1 are not normal and have no spread of their own, so that checks of these are left
out (`checks.OF_MEANS`).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import special

from groupwise.diagnostics.finding import Check
from groupwise.sample import Sample
from groupwise.words import count, fixed, listing

FEW_EVENTS = 10
"""Fewer events for each parameter are few (Peduzzi et al. 1996, J Clin Epidemiol 49:1373)."""

LARGE_DISPERSION = 1.5
"""Counts that vary so many times as much as Poisson counts are looked at."""

MOST_NAMED = 4


def event_checks(sample: Sample) -> dict[str, Check]:
    """Every check of events, by name; none for other outcomes."""
    if not sample.response.has_events:
        return {}
    checks = OF_EVENTS | (OF_COUNTS if sample.response.family == "count" else {})
    return {name: check(sample) for name, check in checks.items()}


def events_for_parameters(sample: Sample) -> Check:
    """Events, or what is rarer, for each coefficient of the model."""
    events, p = float(sample.y.sum()), sample.design.X.shape[1]
    what, rarer = "events", events
    if sample.response.family == "binary" and events > len(sample.y) / 2:
        what, rarer = "individuals without the event", len(sample.y) - events
    each = rarer / p
    message = (
        f"There are {rarer:,.0f} {what} for {count(p, 'coefficient')}, {fixed(each, 1)} for each"
    )
    if each >= FEW_EVENTS:
        return Check(each, np.nan, "ok", f"{message}.")
    return Check(
        each,
        np.nan,
        "look",
        f"{message}: with fewer than {FEW_EVENTS}, ratios are biased away from 1 and limits are rough.",
    )


def mixed_groups(sample: Sample) -> Check:
    """Groups without any event, or in which it happened to all."""
    design, y = sample.design, sample.y
    n_groups, size = len(design.group_labels), np.bincount(design.group)
    events = np.bincount(design.group, y, n_groups)
    none = int((events == 0).sum())
    every = int((events == size).sum()) if sample.response.family == "binary" else 0
    parts = [f"{none:,} without any event"] if none else []
    parts += [f"{every:,} in which it happened to everyone"] if every else []
    share = (none + every) / n_groups
    if not parts:
        return Check(share, np.nan, "ok", "Every group has members with and without events.")
    verb = "is" if (none or every) == 1 else "are"
    message = f"Of {count(n_groups, 'group')} there {verb} {listing(parts)}."
    if sample.response.is_ratio:
        message += (
            " Logarithms of single groups need a correction there, and a parameter of its own for such "
            "a group is infinite; other methods take it as it is."
        )
    return Check(share, np.nan, "look" if share > 0.1 else "ok", message)


def separation(sample: Sample) -> Check:
    """Arms and covariates at which there are no events, or nothing else: a ratio is infinite."""
    design = sample.design
    places = [
        f"the arm '{label}'" for j, label in enumerate(design.arm_labels) if _alike(sample, j)
    ]
    places += [f"'{design.terms[j]}'" for j in design.columns("covariate") if _separates(sample, j)]
    if not places:
        return Check(
            0.0, np.nan, "ok", "Events, and their absence, are found at all arms and covariates."
        )
    named = listing(places[:MOST_NAMED])
    message = f"There are no events, or nothing else, at a value of {named}"
    if sample.response.is_ratio:
        message += ": ratios are infinite there, and methods that estimate them give no answer"
        return Check(len(places), np.nan, "problem", f"{message}.")
    return Check(len(places), np.nan, "look", f"{message}: what varies there is estimated as 0.")


def _alike(sample: Sample, arm: int) -> bool:
    """Whether an arm has no events, or of a binary outcome nothing else."""
    y = sample.y[sample.design.arm == arm]
    return not y.any() or (sample.response.family == "binary" and bool(y.all()))


def _separates(sample: Sample, column: int) -> bool:
    """Whether a column of X alone tells those with events from those without."""
    x, happened = sample.design.X[:, column], sample.y > 0
    if happened.all() or not happened.any():
        return False
    with_events, without = x[happened], x[~happened]
    if (
        sample.response.family == "count"
    ):  # 0 is one count of many: only a value without events does
        return len(np.unique(x)) == 2 and len(np.unique(with_events)) == 1
    return bool(with_events.max() <= without.min() or with_events.min() >= without.max())


def dispersion(sample: Sample) -> Check:
    """Pearson's statistic of counts about the rate of their group and arm, over its df."""
    design, y = sample.design, sample.y
    exposure = np.ones(len(y)) if design.exposure is None else design.exposure
    cell = np.unique(design.group * len(design.arm_labels) + design.arm, return_inverse=True)[1]
    rate = np.bincount(cell, y) / np.bincount(cell, exposure)
    expected = (rate[cell] * exposure)[rate[cell] > 0]
    df = len(expected) - int((rate > 0).sum())
    if df < 1:
        return Check(np.nan, np.nan, "unknown", "No group has several counts.")
    pearson = float(((y[rate[cell] > 0] - expected) ** 2 / expected).sum())
    ratio, p_value = pearson / df, float(special.chdtrc(df, pearson))
    message = f"Within groups, counts vary {fixed(ratio, 2)} times as much as Poisson counts would"
    if ratio <= LARGE_DISPERSION:
        return Check(ratio, p_value, "ok", f"{message}.")
    return Check(
        ratio,
        p_value,
        "look",
        f"{message}: standard errors that take them as Poisson counts are too small; the negative "
        "binomial model and those that count groups allow for it.",
    )


OF_EVENTS: dict[str, Callable[[Sample], Check]] = {
    "events_for_parameters": events_for_parameters,
    "mixed_groups": mixed_groups,
    "separation": separation,
}
OF_COUNTS: dict[str, Callable[[Sample], Check]] = {"dispersion": dispersion}
