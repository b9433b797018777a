"""The assignments of units to arms that a design could have made: counted, enumerated, drawn.

The assignment that was made fixes how many units of each block go to each arm; every way of
keeping these counts is equally likely.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, combinations
from math import comb, prod

import numpy as np
from scipy.special import gammaln

CHUNK = 2**16
"""Labels handled at a time (assignments times units); what is drawn depends on it, too."""

TOGETHER = 50
"""Outcomes of a batch that share their draws: few, so that their errors hardly go together."""

LEAST_DRAWS = 999
"""Draws that are made also where there are very many units."""

LOG_COUNTABLE = 34.5
"""Logarithm of the number of assignments above which they are not counted."""

MAX_LABELS = 30_000_000
"""Labels to enumerate or draw at most; draws are cut to that, but not below `LEAST_DRAWS`."""


def sharing(first: int, n: int) -> Iterator[tuple[slice, int]]:
    """Which of n outcomes share their draws, and the number of the first of all that do.

    `first` is the number of the first of the n: what is shared does not depend on how outcomes are
    divided among calls.
    """
    start = first // TOGETHER * TOGETHER
    for number in range(start, first + n, TOGETHER):
        yield slice(max(number - first, 0), number + TOGETHER - first), number


@dataclass(frozen=True)
class Effort:
    """When to enumerate, and what to draw otherwise.

    Attributes
    ----------
    max_assignments : enumerate when there are no more assignments than this
    draws : random assignments otherwise, besides the one that was made
    seed : of the draws
    stream : which of the independent streams of the seed, such as (scenario, block of replicates)
    """

    max_assignments: int = 1_000_000
    draws: int = 9_999
    seed: int = 279
    stream: tuple[int, ...] = ()

    def apart(self, *stream: int) -> Effort:
        """The same effort with a separate stream of random numbers."""
        return Effort(self.max_assignments, self.draws, self.seed, (*self.stream, *stream))


@dataclass(frozen=True)
class Assignments:
    """Every permutation of `arm` (n,), codes from 0, that stays inside `block` (n,), codes from 0."""

    arm: np.ndarray
    block: np.ndarray

    @cached_property
    def counts(self) -> np.ndarray:
        """(n_blocks, n_arms) units of each arm in each block."""
        counts = np.zeros((self.block.max() + 1, self.arm.max() + 1), dtype=int)
        np.add.at(counts, (self.block, self.arm), 1)
        return counts

    @cached_property
    def total(self) -> float:
        """Number of assignments: the product over blocks of multinomial coefficients.

        An int below about 1e15, infinity above: nobody counts so far.
        """
        log_total = gammaln(self.counts.sum(axis=1) + 1).sum() - gammaln(self.counts + 1).sum()
        if log_total > LOG_COUNTABLE:
            return float("inf")
        return prod(_multinomial(counts) for counts in self.counts)

    @cached_property
    def _members(self) -> list[np.ndarray]:
        order = np.argsort(self.block, kind="stable")
        return np.split(order, np.cumsum(self.counts.sum(axis=1))[:-1])

    @cached_property
    def _tables(self) -> list[np.ndarray]:
        kinds, kind = np.unique(self.counts, axis=0, return_inverse=True)
        tables = [_arrangements(counts) for counts in kinds]
        return [tables[k] for k in kind]

    def enumerated(self, start: int, stop: int) -> np.ndarray:
        """The assignments number start to stop - 1, (stop - start, n), in the shortest integers."""
        rank = np.arange(start, stop)
        labels = np.empty((len(rank), len(self.arm)), dtype=_shortest(self.counts.shape[1]))
        for table, members in zip(self._tables, self._members, strict=True):
            rank, within = np.divmod(rank, len(table))
            labels[:, members] = table[within]
        return labels

    def drawn(self, m: int, rng: np.random.Generator) -> np.ndarray:
        """m assignments at random, of shape (m, n), in the shortest integers that hold the labels."""
        order = np.argsort(rng.random((m, len(self.arm))) + self.block, axis=1)
        template = self.arm[np.lexsort((self.arm, self.block))]
        template = template.astype(_shortest(self.counts.shape[1]))
        labels = np.empty(order.shape, dtype=template.dtype)
        np.put_along_axis(labels, order, np.broadcast_to(template, order.shape), axis=1)
        return labels


@dataclass(frozen=True)
class AssignmentPlan:
    """The assignments a test goes through: every one, or the one made and `size` random ones."""

    assignments: Assignments
    size: int
    exact: bool
    effort: Effort

    @classmethod
    def of(cls, assignments: Assignments, effort: Effort) -> AssignmentPlan:
        affordable = MAX_LABELS // len(assignments.arm)
        if assignments.total <= min(effort.max_assignments, affordable):
            return cls(assignments, int(assignments.total), True, effort)
        affordable = max(affordable, LEAST_DRAWS)
        return cls(assignments, min(effort.draws, affordable), False, effort)

    @property
    def count(self) -> int:
        """Assignments that a p-value is a share of; among draws the one made counts as one more."""
        return self.size if self.exact else self.size + 1

    def chunks(self) -> Iterator[np.ndarray]:
        """Labels, int8 of shape (m, n), in chunks; each chunk of draws has its own random stream."""
        step = max(1, CHUNK // len(self.assignments.arm))
        for number, start in enumerate(range(0, self.size, step)):
            stop = min(start + step, self.size)
            if self.exact:
                yield self.assignments.enumerated(start, stop)
            else:
                key = (*self.effort.stream, number)
                rng = np.random.default_rng(np.random.SeedSequence(self.effort.seed, spawn_key=key))
                yield self.assignments.drawn(stop - start, rng)

    def __str__(self) -> str:
        if self.exact:
            return f"{self.size:,} assignment{'' if self.size == 1 else 's'}"
        return f"{self.size:,} draws (seed {self.effort.seed})"


def _multinomial(counts: np.ndarray) -> int:
    """Ways of giving out so many labels of each kind."""
    sizes = [int(count) for count in counts]
    return prod(comb(sum(sizes[: j + 1]), sizes[j]) for j in range(len(sizes)))


def _shortest(n_labels: int) -> np.dtype:
    """The shortest signed integers that hold labels from 0 to n_labels - 1."""
    return np.min_scalar_type(-n_labels)


def _arrangements(counts: np.ndarray) -> np.ndarray:
    """Every way to give out label j counts[j] times: shape (multinomial, counts.sum())."""
    labels = np.flatnonzero(counts)
    return np.asarray(labels.astype(_shortest(len(counts)))[_arranged(counts[labels])])


def _arranged(counts: np.ndarray) -> np.ndarray:
    """The same of labels that all are given out, few enough to be gone through, as int8.

    Label 0 takes one of the combinations of places; the others are arranged in what is left.
    """
    n, first = int(counts.sum()), int(counts[0])
    if n == first:
        return np.zeros((1, n), dtype=np.int8)
    places = np.fromiter(chain.from_iterable(combinations(range(n), first)), dtype=int)
    has_first = np.zeros((comb(n, first), n), dtype=bool)
    np.put_along_axis(has_first, places.reshape(len(has_first), first), True, axis=1)
    if len(counts) == 2:
        return (~has_first).astype(np.int8)
    others = np.pad(_arranged(counts[1:]) + np.int8(1), ((0, 0), (0, 1)))
    source = np.where(has_first, n - first, np.cumsum(~has_first, axis=1) - 1)
    return others[:, source].reshape(-1, n)
