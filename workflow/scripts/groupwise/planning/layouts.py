"""Standard layouts of trials in which groups are measured in several periods: arms by sequence."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from groupwise.sequences import BASELINE, CROSSOVER, PARALLEL, STEPPED_WEDGE


def parallel(n_periods: int) -> np.ndarray:
    """(2, T): groups stay in one arm."""
    return np.repeat([[0], [1]], n_periods, axis=1)


def baseline(n_periods: int) -> np.ndarray:
    """(2, T): all begin in the reference; after the first period half change."""
    arms = parallel(n_periods)
    arms[:, 0] = 0
    return arms


def stepped_wedge(n_periods: int) -> np.ndarray:
    """(T - 1, T): a sequence changes to the treatment before each period but the first."""
    return np.triu(np.ones((n_periods - 1, n_periods), dtype=int), k=1)


def crossover(n_periods: int) -> np.ndarray:
    """(2, T): arms change with every period, in opposite directions."""
    return (np.arange(n_periods) + np.array([[0], [1]])) % 2


LAYOUTS: dict[str, Callable[[int], np.ndarray]] = {
    PARALLEL: parallel,
    BASELINE: baseline,
    STEPPED_WEDGE: stepped_wedge,
    CROSSOVER: crossover,
}
"""Arms (S, T) for T periods, at least 2, by name."""


def layout_of(sequences: np.ndarray) -> str:
    """The name of the layout (S, T) of arms, unmeasured cells below 0; empty where it is none.

    Sequences may be missing, or have any order, and be unmeasured in some periods.
    """
    rows = np.asarray(sequences)
    n_periods = rows.shape[1]
    for name, make in LAYOUTS.items():
        standard = make(n_periods)
        fits = ((rows[:, None, :] == standard) | (rows[:, None, :] < 0)).all(axis=2)
        if fits.any(axis=1).all() and len(np.unique(fits.argmax(axis=1))) > 1:
            return name
    return ""


def share_out(n_groups: int, n_sequences: int) -> np.ndarray:
    """(S,) groups of each sequence, as equal as can be: the outer sequences have more.

    Raises
    ------
    ValueError
        If there are fewer groups than sequences.
    """
    if n_groups < n_sequences:
        raise ValueError(f"{n_groups} groups are too few for {n_sequences} sequences.")
    groups = np.full(n_sequences, n_groups // n_sequences)
    # First, last, second, last but one: what is informative in a stepped wedge is at its ends.
    order = np.argsort(
        np.minimum(np.arange(n_sequences), np.arange(n_sequences)[::-1]), kind="stable"
    )
    groups[order[: n_groups % n_sequences]] += 1
    return groups


def measured(arms: np.ndarray, sequence: np.ndarray, present: np.ndarray) -> np.ndarray:
    """(S, T) arms, -1 in periods in which no group of a sequence is measured.

    Parameters
    ----------
    arms : (S, T) of each sequence
    sequence : (G,) of each group
    present : (G, T) whether a group is measured in a period
    """
    groups = np.zeros(arms.shape, dtype=int)
    np.add.at(groups, sequence, present)
    return np.where(groups > 0, arms, -1)
