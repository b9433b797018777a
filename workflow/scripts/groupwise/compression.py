"""A design in fewer rows: what least squares and normal mixed models need of its individuals.

Individuals alike in group, arm, period and every other grouping form a cell. In each cell an
orthonormal basis U_c of the vector of ones and of the columns of X that vary there takes the place of
individuals: X becomes U'X, an outcome U'y, and one more row holds the length of what U leaves of it.
Every inner product of outcomes, columns of X and indicators is what it was, so every method that needs
nothing else has the same answer. Without covariates of individuals a cell is one row.

Where each group is one row, groups with the same row of X are of one kind. What is quadratic in the
outcomes of groups needs the mean and the sum of squares of each kind: two groups that stand for half of
them each, at the mean plus and minus the standard deviation, have both.

Of events the numbers among individuals who are alike say all. Where an outcome is 0 or 1 its square is
itself, so the coordinates U'y and what they leave follow from these numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import sparse

from groupwise.algebra import RANK_TOLERANCE, sum_by
from groupwise.design import GROUPINGS, Design
from groupwise.models.event_rows import EventRows
from groupwise.rows import EVENTS, GROUPS, INDIVIDUALS, KINDS, Rows

AT_A_TIME = 2**22
"""Outcomes that are compressed at a time."""


@dataclass(frozen=True)
class Compression:
    """A design in m rows, and the way there.

    Attributes
    ----------
    design : of m rows
    U : (n, m) or, where a row for the remainder follows, (n, m - 1): orthonormal columns
    remaining : (J,) degrees of freedom that U leaves of the individuals of each arm
    """

    design: Design
    U: sparse.csr_array
    remaining: np.ndarray

    @classmethod
    def of(cls, design: Design) -> Compression:
        """The compressed form of a design of individuals."""
        cell, first = _cells(design)
        U, cell_of = _basis(design.X, cell)
        codes: dict[str, Any] = {
            name: None if each is None else each[first][cell_of]
            for name, each in _codes(design).items()
        }
        used = np.bincount(codes["arm"], minlength=len(design.arm_labels))
        remaining = np.bincount(design.arm, minlength=len(design.arm_labels)) - used
        X, ones = U.T @ design.X, U.T @ np.ones(len(cell))
        if remaining.sum():
            X, ones = np.vstack([X, np.zeros(X.shape[1])]), np.append(ones, 0.0)
            codes = {name: _with_first(each) for name, each in codes.items()}
        rows = Rows(ones, design.n_obs, np.ones(len(ones)), int(remaining.sum()))
        return cls(replace(design, X=X, rows=rows, exposure=None, **codes), U, remaining)

    def compress(self, y: np.ndarray) -> np.ndarray:
        """Outcomes (R, m) of the rows, from outcomes (R, n) of individuals as they are measured."""
        step = max(1, AT_A_TIME // y.shape[-1])
        parts = [self._compress(y[start : start + step]) for start in range(0, len(y), step)]
        return np.concatenate(parts)

    def _compress(self, y: np.ndarray) -> np.ndarray:
        z = np.asarray(y @ self.U)
        if not self.design.rows.remainder:
            return z
        length = np.linalg.norm(y - np.asarray(z @ self.U.T), axis=-1)
        return np.column_stack([z, length])


def repeated(design: Design, members: np.ndarray) -> Design:
    """The compressed form of a design each of whose rows is `members` (m,) individuals who are alike."""
    remainder, ones = int(members.sum()) - len(members), np.sqrt(members)
    X, codes = design.X * ones[:, None], _codes(design)
    if remainder:
        X, ones = np.vstack([X, np.zeros(X.shape[1])]), np.append(ones, 0.0)
        codes = {name: _with_first(each) for name, each in codes.items()}
    rows = Rows(ones, int(members.sum()), np.ones(len(ones)), remainder)
    return replace(design, X=X, rows=rows, **codes)


def individuals(design: Design, members: np.ndarray) -> Design:
    """The same as rows of individuals, those of each row of the design together."""
    row = np.repeat(np.arange(len(members)), members)
    codes: dict[str, Any] = {
        name: None if each is None else each[row] for name, each in _codes(design).items()
    }
    return replace(design, X=design.X[row], rows=Rows.individuals(len(row)), **codes)


def _codes(design: Design) -> dict[str, Any]:
    """Codes (n,) of the groupings of a design; None for those that it does not have."""
    return {name: getattr(design, name) for name in ("group", "arm", *GROUPINGS)}


def _with_first(codes: np.ndarray | None) -> np.ndarray | None:
    """Codes with one more, for the row of the remainder, which lies anywhere."""
    return None if codes is None else np.append(codes, codes[0])


def _cells(design: Design) -> tuple[np.ndarray, np.ndarray]:
    """The cell of each individual (n,), and one individual of each cell."""
    cell = np.zeros(design.n_obs, dtype=int)
    first = cell[:1]
    for codes in filter(lambda each: each is not None, _codes(design).values()):
        number = cell * (codes.max() + 1) + codes
        _, first, cell = np.unique(number, return_index=True, return_inverse=True)
    return cell, first


def _basis(X: np.ndarray, cell: np.ndarray) -> tuple[sparse.csr_array, np.ndarray]:
    """U (n, m), and the cell of each of its columns: first those of the vector of ones, by cell."""
    n, size = len(cell), np.bincount(cell)
    order = np.argsort(cell, kind="stable")
    starts = np.cumsum(size) - size
    means = np.add.reduceat(X[order], starts) / size[:, None]
    centred = X - means[cell]
    scale = np.maximum(np.abs(X).max(axis=0), np.finfo(float).tiny)
    varies = np.abs(centred).max(axis=0) > RANK_TOLERANCE * scale
    rows, columns, values = [np.arange(n)], [cell], [1 / np.sqrt(size[cell])]
    cell_of = [np.arange(len(size))]
    width = len(size)
    for n_c in np.unique(size[size > 1]) if varies.any() else ():
        which = np.flatnonzero(size == n_c)
        member = order[starts[which][:, None] + np.arange(n_c)]
        left, s, _ = np.linalg.svd(
            centred[member][:, :, varies] / scale[varies], full_matrices=False
        )
        left -= left.mean(axis=1, keepdims=True)  # of columns that hardly vary this is left
        c, j = np.nonzero(s > RANK_TOLERANCE * np.sqrt(n_c))
        rows.append(member[c].ravel())
        columns.append(np.repeat(width + np.arange(len(c)), n_c))
        values.append(left[c, :, j].ravel())
        cell_of.append(which[c])
        width += len(c)
    where = (np.concatenate(rows), np.concatenate(columns))
    U = sparse.csr_array((np.concatenate(values), where), shape=(n, width))
    return U, np.concatenate(cell_of)


@dataclass(frozen=True)
class Kinds:
    """Groups of one kind taken together: a design of two rows a kind.

    Attributes
    ----------
    design : of these rows, and the remainder's
    kind : (G,) of each group, which is a row of the compressed design
    first : (K,) one group of each kind
    count : (K,) groups of each kind
    row_of : (m,) the kind of each row of the design but the remainder's
    sign : (m,) on which side of the mean the row lies, times the root of what it stands for
    """

    design: Design
    kind: np.ndarray
    first: np.ndarray
    count: np.ndarray
    row_of: np.ndarray
    sign: np.ndarray

    @classmethod
    def of(cls, compressed: Design) -> Kinds | None:
        """The kinds of a compressed design; None where groups are not single rows, or few alike."""
        G = len(compressed.group_labels)
        n_rows = len(compressed.X) - (compressed.rows.remainder > 0)
        if n_rows > G or not (compressed.assigns_groups and compressed.has_one_intercept):
            return None
        kind, first, count = _kinds(compressed, G)
        if 2 * len(count) > G / 2:
            return None
        row_of = np.repeat(np.arange(len(count)), np.minimum(count, 2))
        frequency = (count / np.minimum(count, 2))[row_of]
        sign = np.where(np.diff(row_of, prepend=-1) > 0, 1.0, -1.0)
        used = first[row_of]
        X = compressed.X[used] * np.sqrt(frequency)[:, None]
        ones, remainder = compressed.rows.ones[used], compressed.rows.remainder
        codes: dict[str, Any] = {
            name: None if each is None else each[used] for name, each in _codes(compressed).items()
        }
        codes["group"] = np.arange(len(used))
        if remainder:
            X, ones = np.vstack([X, compressed.X[-1:]]), np.append(ones, 0.0)
            frequency = np.append(frequency, 1.0)
            codes = {name: _with_first(each) for name, each in codes.items()}
        rows = Rows(ones, compressed.n_obs, frequency, remainder)
        labels = ("",) * len(used)
        design = replace(compressed, X=X, rows=rows, group_labels=labels, **codes)
        return cls(design, kind, first, count, row_of, sign)

    def compress(self, y: np.ndarray) -> np.ndarray:
        """Outcomes (R, m) of the rows, from (R, G) of the groups, or with a remainder."""
        G = len(self.kind)
        mean = sum_by(y[:, :G], self.kind, len(self.count)) / self.count
        squares = sum_by((y[:, :G] - mean[:, self.kind]) ** 2, self.kind, len(self.count))
        return self.rows(mean, squares, y[:, G:])

    def rows(self, mean: np.ndarray, squares: np.ndarray, remainder: np.ndarray) -> np.ndarray:
        """Outcomes of the rows, from means (R, K) and sums of squares (R, K) about them."""
        spread = np.sqrt(squares / self.count)
        n = len(self.row_of)
        y = mean[:, self.row_of] + self.sign * spread[:, self.row_of]
        y *= np.sqrt(self.design.rows.frequency[:n])
        return np.concatenate([y, remainder], axis=1)


def _kinds(design: Design, G: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Kind of each group (G,), one group of each, and how many there are."""
    scale = np.maximum(np.abs(design.X).max(axis=0), np.finfo(float).tiny)
    codes = [
        each[:G] for name, each in _codes(design).items() if name != "group" and each is not None
    ]
    columns = np.column_stack([(design.X[:G] / scale).round(12), design.rows.ones[:G], *codes])
    _, first, kind, count = np.unique(
        columns, axis=0, return_index=True, return_inverse=True, return_counts=True
    )
    return kind.reshape(-1), first, count


@dataclass(frozen=True)
class EventForm:
    """Individuals who are alike as one row, with their number of events.

    Attributes
    ----------
    design : of m rows
    rows : how individuals lie in them
    U : (m, m') the coordinates of a compression, for one individual of each row
    cells : (m') which of these are of the vectors of ones of its cells
    size : (C,) individuals in each cell
    remainder : whether one more coordinate holds the length of what is left
    """

    design: Design
    rows: EventRows
    U: sparse.csr_array
    cells: np.ndarray
    size: np.ndarray
    remainder: bool

    @classmethod
    def of(cls, design: Design, compression: Compression) -> EventForm:
        """The rows of a design of individuals, and the way to its compression."""
        rows = EventRows.of(design)
        exposure = None if design.exposure is None else rows.exposure
        codes = {
            name: None if each is None else each[rows.first]
            for name, each in _codes(design).items()
        }
        changed: dict[str, Any] = codes | {"X": rows.X, "exposure": exposure}
        events = replace(design, rows=Rows.events(rows.trials), **changed)
        ones = compression.design.rows.ones[: compression.U.shape[1]]
        cells = ones > 0.5  # columns orthogonal to the vector of ones have 0
        return cls(
            design=events,
            rows=rows,
            U=compression.U[rows.first],
            cells=cells,
            size=np.rint(ones[cells] ** 2),
            remainder=compression.design.rows.remainder > 0,
        )

    def to_groups(self, events: np.ndarray) -> np.ndarray:
        """Outcomes (R, m') of the compressed design, from numbers (R, m) of 1 among 0 and 1."""
        z = np.asarray(events @ self.U)
        if not self.remainder:
            return z
        sums = np.rint(z[:, self.cells] * np.sqrt(self.size))
        squares = (sums - sums**2 / self.size).sum(axis=1) - (z[:, ~self.cells] ** 2).sum(axis=1)
        return np.column_stack([z, np.sqrt(np.maximum(squares, 0))])


@dataclass(frozen=True)
class DesignForms:
    """All forms of a design, by what of its outcomes they keep.

    Attributes
    ----------
    compression : of individuals to groups
    kinds : of groups; None where they are not compressed further
    events : of individuals to numbers of events; None for continuous outcomes
    """

    compression: Compression
    kinds: Kinds | None
    events: EventForm | None
    design: Mapping[str, Design]

    @classmethod
    def of(cls, design: Design) -> DesignForms:
        """The forms of a design of individuals."""
        compression = Compression.of(design)
        kinds = Kinds.of(compression.design)
        last = compression.design if kinds is None else kinds.design
        designs = {INDIVIDUALS: design, GROUPS: compression.design, KINDS: last}
        if not design.response.has_events:
            return cls(compression, kinds, None, designs)
        events = EventForm.of(design, compression)
        return cls(compression, kinds, events, designs | {EVENTS: events.design})

    def compressed(self, y: np.ndarray, form: str) -> dict[str, np.ndarray]:
        """Outcomes (R, m) of a form, in this and in all that keep less.

        Numbers of events that are counts keep too little for sums of rates and their squares.
        """
        forms = {form: y}
        if form == INDIVIDUALS:
            forms[GROUPS] = self.compression.compress(self.design[form].measured(y))
            if self.events is not None:
                forms[EVENTS] = self.events.rows.events(y)
        if form == EVENTS:
            assert self.events is not None
            if self.events.design.response.family == "count":
                return forms
            forms[GROUPS] = self.events.to_groups(y)
        groups = forms[GROUPS]
        return forms | {KINDS: groups if self.kinds is None else self.kinds.compress(groups)}
