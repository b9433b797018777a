"""The fixed part of an experiment: who is in which group, arm and block, and what is compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from groupwise.algebra import independent_columns, pivoted_rank, sum_by
from groupwise.data.declared_kind import event_contradictions
from groupwise.data.errors import InputError
from groupwise.data.labels import combined, labels
from groupwise.data.validate import Roles
from groupwise.response import CONTINUOUS, Response
from groupwise.rows import Rows
from groupwise.sequences import PARALLEL, Sequences, cohort, written

FEW_GROUPS = 5
"""An arm with fewer groups has a warning."""

MANY_PERIODS = 20
"""Of so many periods that most groups miss a warning says that they may be dates."""

GROUPINGS = ("block", "second", "period", "individual")
"""Groupings of rows beside groups and arms, which a design may have: attributes of `Design`."""

PERIODS = "periods"
"""The kind of a design in which whole groups change their arm from period to period."""


@dataclass(frozen=True)
class Assignment:
    """What chance assigned to arms.

    Attributes
    ----------
    unit
        `group`; `sequence`, the arms that a group or an individual goes through; `group_period`, a
        group in one period; `individual`; `row`, a row of the data; `unknown`.
    bearer : whose arms these are: `group`, `cell`, `individual`, `row`
    """

    unit: str
    bearer: str


@dataclass(frozen=True)
class Design:
    """n individuals in G groups, J arms, p fixed-effect columns.

    Attributes
    ----------
    X : (n, p)
        Intercept, one indicator per arm but the reference, periods, blocks, covariates.
    rows : what the n rows are: individuals, unless the design is compressed (see `compression`)
    terms : p names
    role : p of intercept, treatment, period, block, covariate
    arm, group, block, second, period, individual : (n,)
        Integer codes, periods in their order; None for what a design does not have. Individuals,
        who have several rows, lie in groups: one id in two groups has two codes.
    L : (k, p)
        One row per pair of arms, those against the reference first.
    contrasts : k pairs (B, A), read B - A
    random_slopes
        Whether groups also differ in the effect of the treatment: "none", or with a covariance that
        is "unstructured" or "diagonal".
    aliased : covariate and block terms left out of X because the others say the same
    assigned_with
        The column that the treatment goes with inside groups, where rows were not assigned one by
        one; then nothing is known of what was.
    assigned
        What chance assigned to arms, as the configuration has it: individual, group, group_period,
        sequence; None where nothing says so.
    response : what outcomes are, and the scale of effects
    exposure : (n,)
        Time at risk, or another measure of the opportunity for events; None where it is 1 for all.
    L_means : (J, p)
        Reference grid: numeric covariates at their mean, blocks and categories equally weighted.
    """

    X: np.ndarray
    rows: Rows
    terms: tuple[str, ...]
    role: tuple[str, ...]
    arm: np.ndarray
    arm_labels: tuple[str, ...]
    group: np.ndarray
    group_labels: tuple[str, ...]
    block: np.ndarray | None
    block_labels: tuple[str, ...]
    blocks_as: str
    L: np.ndarray
    L_means: np.ndarray
    contrasts: tuple[tuple[str, str], ...]
    second: np.ndarray | None = None
    second_labels: tuple[str, ...] = ()
    period: np.ndarray | None = None
    period_labels: tuple[str, ...] = ()
    individual: np.ndarray | None = None
    individual_labels: tuple[str, ...] = ()
    random_slopes: str = "none"
    aliased: tuple[str, ...] = ()
    assigned_with: str | None = None
    assigned: str | None = None
    response: Response = CONTINUOUS
    exposure: np.ndarray | None = None

    @property
    def n_obs(self) -> int:
        return self.rows.n_obs

    @cached_property
    def n_groups(self) -> int:
        """Groups there are, which in a compressed design are more than the codes."""
        frequency = self.rows.frequencies(self.group, len(self.group_labels))
        return int(np.rint(frequency.sum()))

    @cached_property
    def group_size(self) -> np.ndarray:
        """(G,) number of individuals."""
        return self.rows.sizes(self.group, len(self.group_labels))

    @cached_property
    def first_of_group(self) -> np.ndarray:
        """(G,) index of one row of each group."""
        first = np.empty(len(self.group_labels), dtype=int)
        first[self.group[::-1]] = np.arange(len(self.group))[::-1]  # of several the last one stays
        return first

    @cached_property
    def constant_in_groups(self) -> np.ndarray:
        """(p,) mask of the columns of X that have one value in every group."""
        means = self.group_means(self.X.T).T
        return np.isclose(self.X, means[self.group] * self.rows.ones[:, None]).all(axis=0)

    @cached_property
    def arm_of_group(self) -> np.ndarray:
        """(G,) arm of each group, -1 where its members are in several arms."""
        arm = self.arm[self.first_of_group]
        spread = np.bincount(self.group, weights=self.arm != arm[self.group])
        return np.where(spread == 0, arm, -1)

    @cached_property
    def kind(self) -> str:
        """`between`, `blocked`, `periods`, `within`, or `mixed` if only some groups hold several arms.

        With `periods` the treatment is constant in a group's period and changes from one to another.
        """
        constant = self.arm_of_group >= 0
        if constant.all():
            return "between" if self.block is None else "blocked"
        if self.group_sequences is not None:
            return PERIODS
        return "mixed" if constant.any() else "within"

    @property
    def contrast_labels(self) -> tuple[str, ...]:
        return tuple(f"{b} - {a}" for b, a in self.contrasts)

    @property
    def omnibus(self) -> np.ndarray:
        """(J - 1, p): every arm against the reference."""
        return self.L[: len(self.arm_labels) - 1]

    @property
    def assigns_groups(self) -> bool:
        """Whether the treatment is constant in every group."""
        return self.kind in ("between", "blocked")

    @cached_property
    def nesting_block(self) -> np.ndarray | None:
        """The codes (n,) of blocks whose indicators X has, if each group lies in one; else None."""
        if self.block is None or not self.columns("block").size:
            return None
        nested = (self.block == self.block[self.first_of_group][self.group]).all()
        return self.block if nested else None

    @property
    def has_one_intercept(self) -> bool:
        """Is the groups' intercept all that is random in the mixed model?"""
        fixed_blocks = self.block is None or self.blocks_as == "fixed"
        one = self.second is None and self.individual is None and not self.has_cells
        return self.random_slopes == "none" and fixed_blocks and one

    @property
    def n_periods(self) -> int:
        """Periods; 1 where nothing says when a row was measured."""
        return max(len(self.period_labels), 1)

    @cached_property
    def cell(self) -> np.ndarray:
        """(n,) codes of groups by periods, those that have rows, in the order of the groups."""
        period = np.zeros_like(self.group) if self.period is None else self.period
        cells = np.unique(self.group * self.n_periods + period, return_inverse=True)[1]
        return np.asarray(cells.reshape(-1))

    @cached_property
    def cell_size(self) -> np.ndarray:
        """(C,) rows of individuals in each cell."""
        return self.rows.sizes(self.cell, int(self.cell.max()) + 1)

    @cached_property
    def first_of_cell(self) -> np.ndarray:
        """(C,) index of one row of each cell."""
        return np.unique(self.cell, return_index=True)[1]

    @cached_property
    def has_cells(self) -> bool:
        """Whether the mixed model has an effect of each group in each period.

        There have to be groups of several periods, and cells of several rows.
        """
        n_cells = len(self.cell_size)
        return self.n_periods > 1 and len(self.group_labels) < n_cells < self.n_obs

    @cached_property
    def cell_labels(self) -> tuple[str, ...]:
        """Group and period of each cell."""
        first = self.first_of_cell
        assert self.period is not None
        return tuple(
            f"{self.group_labels[g]} / {self.period_labels[t]}"
            for g, t in zip(self.group[first], self.period[first], strict=True)
        )

    def grouping(self, name: str) -> tuple[np.ndarray | None, tuple[str, ...]]:
        """Codes (n,) and labels of `group`, `block`, `second`, `cell` or `individual`."""
        if name == "cell":
            return self.cell, self.cell_labels
        return getattr(self, name), getattr(self, f"{name}_labels")

    def codes_of(self, name: str) -> np.ndarray:
        """Codes (n,) of a grouping that the design has."""
        codes, _ = self.grouping(name)
        assert codes is not None
        return codes

    @cached_property
    def group_sequences(self) -> Sequences | None:
        """The arms of groups by period; None without periods, or where a cell holds several arms."""
        if self.period is None or self.n_periods == 1:
            return None
        return Sequences.of(self.arm, self.group, self.period, self.n_periods)

    @cached_property
    def individual_sequences(self) -> Sequences | None:
        """The arms of individuals by period, who lie in groups; None as for groups."""
        if self.period is None or self.n_periods == 1 or self.individual is None:
            return None
        return Sequences.of(self.arm, self.individual, self.period, self.n_periods)

    @cached_property
    def assignment(self) -> Assignment:
        """What was assigned to arms: as it was declared, else as the data have it."""
        return _assignment(self)

    def group_means(self, values: np.ndarray) -> np.ndarray:
        """Means (..., G) over the members of each group of values (..., n)."""
        return sum_by(values * self.rows.ones, self.group, len(self.group_labels)) / self.group_size

    def measured(self, y: np.ndarray) -> np.ndarray:
        """Outcomes (..., n) as methods for means take them: events are divided by their exposure."""
        return y if self.exposure is None else y / self.exposure

    def columns(self, *roles: str) -> np.ndarray:
        """Indices of the columns of X that play one of these roles."""
        return np.flatnonzero(np.isin(self.role, roles))


def make_design(
    table: pd.DataFrame,
    roles: Roles,
    *,
    blocks_as: str = "fixed",
    random_slopes: bool | str = False,
    rank_deficient: str = "error",
    assigned_with: str | None = None,
    assigned: str | None = None,
    response: Response = CONTINUOUS,
) -> Design:
    """The design of an ingested table (see `data.ingest`); its columns must be complete.

    Parameters
    ----------
    blocks_as
        `fixed` indicators in X, or `random`: left to the mixed model.
    random_slopes
        True (or "unstructured") or "diagonal": groups differ in the effect of the treatment.
    rank_deficient
        `error` refuses terms that others already say; `drop` leaves them out, the later first.
    assigned_with, assigned, response
        See `Design`.

    Raises
    ------
    InputError
        For terms that cannot be told apart, and for slopes without arms that meet in groups.
    """
    arm_labels = tuple(str(arm) for arm in table[roles.treatment].cat.categories)
    arm = table[roles.treatment].cat.codes.to_numpy(dtype=int)
    group, group_labels = _codes(table[roles.group])
    block, block_labels = _codes_if_any(table, roles.block)
    indicated = block if blocks_as == "fixed" else None
    others = _other_groupings(table, roles)
    period, period_labels = others["period"], others["period_labels"]
    _check_periods(arm, arm_labels, group, period, others["second"], roles)

    parts = [
        _Part.intercept(len(table)),
        _Part.factor("treatment", arm, arm_labels),
        *_Part.if_any("period", period, period_labels, prefix=f"{roles.period}: "),
        *_Part.if_any("block", indicated, block_labels, prefix=f"{roles.block}: "),
        *(_covariate(table[name]) for name in roles.covariates),
    ]
    design = _of_parts(
        parts,
        drop=rank_deficient == "drop",
        arm=arm,
        arm_labels=arm_labels,
        group=group,
        group_labels=group_labels,
        block=block,
        block_labels=block_labels,
        blocks_as=blocks_as,
        **others,
        random_slopes=_slopes(random_slopes),
        assigned_with=assigned_with,
        assigned=assigned,
        response=response,
    )
    _check_slopes(design)
    return design


def coded_design(
    arm: np.ndarray,
    group: np.ndarray,
    arm_labels: tuple[str, ...],
    *,
    block: np.ndarray | None = None,
    random_slopes: bool = False,
) -> Design:
    """The design of codes (n,) of arms, groups and fixed blocks, which run from 0 without gaps.

    Raises
    ------
    InputError
        As `make_design`.
    """
    block_labels = _numbers(block)
    design = _of_parts(
        [
            _Part.intercept(len(arm)),
            _Part.factor("treatment", arm, arm_labels),
            *_Part.if_any("block", block, block_labels, prefix="block: "),
        ],
        drop=False,
        arm=arm,
        arm_labels=arm_labels,
        group=group,
        group_labels=_numbers(group),
        block=block,
        block_labels=block_labels,
        blocks_as="fixed",
        random_slopes=_slopes(random_slopes),
    )
    _check_slopes(design)
    return design


def _numbers(codes: np.ndarray | None) -> tuple[str, ...]:
    """Labels of codes that have no other; none where there are no codes."""
    return () if codes is None else tuple(map(str, range(int(codes.max()) + 1)))


def _of_parts(
    parts: list[_Part], *, drop: bool, arm_labels: tuple[str, ...], **fields: Any
) -> Design:
    """The design whose X these parts make, of individuals, with its other `fields`."""
    X, terms, role = _columns(parts)
    kept = _independent(_fewer_rows(X, parts), terms, role, drop=drop)
    pairs = list(combinations(range(len(arm_labels)), 2))
    L_means = _reference_grid(parts, len(arm_labels))[:, kept]
    return Design(
        X=X if kept.all() else X[:, kept],
        rows=Rows.individuals(len(X)),
        terms=tuple(np.array(terms, dtype=object)[kept]),
        role=tuple(np.array(role, dtype=object)[kept]),
        arm_labels=arm_labels,
        L=np.array([L_means[b] - L_means[a] for a, b in pairs]),
        L_means=L_means,
        contrasts=tuple((arm_labels[b], arm_labels[a]) for a, b in pairs),
        aliased=tuple(np.array(terms, dtype=object)[~kept]),
        **fields,
    )


def _other_groupings(table: pd.DataFrame, roles: Roles) -> dict[str, Any]:
    """Second group, period and individuals, codes and labels, and exposure, as fields of `Design`."""
    groupings = {
        "second": _codes_if_any(table, roles.second_group),
        "period": _periods(table, roles),
        "individual": _individuals(table, roles),
    }
    fields: dict[str, Any] = {"exposure": _exposure(table, roles)}
    for name, (codes, labelled) in groupings.items():
        fields |= {name: codes, f"{name}_labels": labelled}
    return fields


def _exposure(table: pd.DataFrame, roles: Roles) -> np.ndarray | None:
    """Time at risk (n,), where the table has it."""
    return None if roles.exposure is None else table[roles.exposure].to_numpy(dtype=float)


def _periods(table: pd.DataFrame, roles: Roles) -> tuple[np.ndarray | None, tuple[str, ...]]:
    """Codes and labels of the periods, which the table has in order; None for one period only."""
    if roles.period is None or len(table[roles.period].cat.categories) < 2:
        return None, ()
    period = table[roles.period].cat
    return period.codes.to_numpy(dtype=int), tuple(map(str, period.categories))


def _individuals(table: pd.DataFrame, roles: Roles) -> tuple[np.ndarray | None, tuple[str, ...]]:
    """Codes and labels of individuals in groups; None where they are the groups, or each has one row."""
    if roles.individual is None or roles.individual == roles.group:
        return None, ()
    ids, group = table[roles.individual], table[roles.group]
    alone, labels_alone = _codes(ids)
    together = combined([group, ids])
    several = len(together.cat.categories) > len(labels_alone)
    codes, names = _codes(together) if several else (alone, labels_alone)
    return (
        (None, ()) if len(names) in (len(table), table[roles.group].nunique()) else (codes, names)
    )


def _check_periods(
    arm: np.ndarray,
    arm_labels: Sequence[str],
    group: np.ndarray,
    period: np.ndarray | None,
    second: np.ndarray | None,
    roles: Roles,
) -> None:
    """Periods tell the treatment from time, and no second group says what they say."""
    if period is None:
        return
    _check_meeting(arm, period, arm_labels, roles)
    if second is not None:
        _check_second(second, group, period, roles)


def _check_meeting(arm: np.ndarray, period: np.ndarray, arms: Sequence[str], roles: Roles) -> None:
    """Arms meet in periods, one by way of another: else nothing tells the treatment from time."""
    meet = np.zeros((int(period.max()) + 1, len(arms)), dtype=bool)
    meet[period, arm] = True
    with_first = np.arange(len(arms)) == 0
    for _ in arms:
        with_first |= meet[meet[:, with_first].any(axis=1)].any(axis=0)
    if with_first.all():
        return
    problem = f"no '{roles.period}' holds two arms"
    if (meet.sum(axis=1) > 1).any():
        alone = arms[int(np.flatnonzero(~with_first)[0])]
        problem = f"no '{roles.period}' holds '{alone}' and an arm that leads to '{arms[0]}'"
    problem += ", so an effect of the treatment and a change over time are one"
    fix = (
        "no analysis can tell them apart without groups that are in different arms at one time: add "
        "such groups, or name another column of periods"
    )
    raise InputError("roles.period", problem, fix)


def _check_second(second: np.ndarray, group: np.ndarray, period: np.ndarray, roles: Roles) -> None:
    """The second group is not a group in a period, of which there is an effect anyway."""
    cell = group * (int(period.max()) + 1) + period
    n_pairs = len(np.unique(np.column_stack([second, cell]), axis=0))
    if n_pairs == len(np.unique(second)) == len(np.unique(cell)):
        problem = (
            f"it is each '{roles.group}' in each '{roles.period}', which have an effect of their own "
            "in any case"
        )
        raise InputError("roles.second_group", problem, "remove it")


def _assignment(design: Design) -> Assignment:
    """See `Design.assignment`; `check_assigned` holds what is declared against the data."""
    if design.assigns_groups:
        return Assignment("group", "group")
    if design.kind == PERIODS:
        if design.assigned == "group_period":
            return Assignment("group_period", "cell")
        return Assignment("sequence", "group")
    if design.individual is not None:
        if _constant(design.arm, design.individual):
            return Assignment("individual", "individual")
        if design.individual_sequences is not None:
            return Assignment("sequence", "individual")
    if design.assigned_with is not None:
        return Assignment("unknown", "row")
    return Assignment("individual", "row")


def _constant(arm: np.ndarray, unit: np.ndarray) -> bool:
    """Whether each unit, by codes (n,), is in one arm."""
    some = np.zeros(int(unit.max()) + 1, dtype=int)
    some[unit] = arm
    return bool((some[unit] == arm).all())


def describe(design: Design) -> dict[str, Any]:
    """What was understood of the experiment, in the words of design.json."""
    size = design.group_size
    arms = {}
    for j, label in enumerate(design.arm_labels):
        sizes = np.bincount(design.group[design.arm == j])
        arms[label] = {
            "n_groups": int((sizes > 0).sum()),
            "n_obs": int(sizes.sum()),
            "group_size": _sizes(sizes[sizes > 0]),
        }
    return {
        "kind": design.kind,
        "n_obs": design.n_obs,
        "n_groups": design.n_groups,
        "n_blocks": len(design.block_labels),
        "blocks_as": design.blocks_as if design.block is not None else None,
        "arms": arms,
        "contrasts": list(design.contrast_labels),
        "group_size": _sizes(size),
        "groups_in_several_arms": int((design.arm_of_group < 0).sum()),
        "constant_within_groups": _constant_within_groups(design),
        "second_group": _second_group(design),
        "unit": vars(design.assignment),
        "periods": _described_periods(design),
        "individual_level": design.individual is not None,
        "random_slopes": design.random_slopes,
        "left_out": list(design.aliased),
        "balanced": bool(np.ptp(size) == 0 and len({v["n_groups"] for v in arms.values()}) == 1),
        "n_parameters": {"fixed": design.X.shape[1], "dummy_groups": design.n_groups - 1},
        "warnings": _warnings(design),
    }


def _sizes(size: np.ndarray) -> dict[str, float]:
    return {
        "min": int(size.min()),
        "median": float(np.median(size)),
        "mean": float(size.mean()),
        "max": int(size.max()),
    }


def _constant_within_groups(design: Design) -> list[str]:
    """The covariate terms that have one value in each group."""
    return [design.terms[j] for j in design.columns("covariate") if design.constant_in_groups[j]]


def _second_group(design: Design) -> dict[str, Any] | None:
    """How the second grouping lies to the groups."""
    if design.second is None:
        return None
    pairs = np.unique(np.column_stack([design.group, design.second]), axis=0)
    n_second = len(design.second_labels)
    relation = "crossed with the groups"
    if len(pairs) == n_second:
        relation = "nested in the groups"
    elif len(pairs) == design.n_groups:
        relation = "holds the groups"
    return {"n_levels": n_second, "relation": relation}


def _described_periods(design: Design) -> dict[str, Any] | None:
    """Periods, sequences and cells; None without periods."""
    if design.period is None:
        return None
    content: dict[str, Any] = {
        "labels": list(design.period_labels),
        "n_cells": len(design.cell_size),
        "cell_size": _sizes(design.cell_size),
        "cohort": cohort(design.individual, design.group, design.period),
        "cell_effects": design.has_cells,
    }
    sequences = design.group_sequences
    bearer = "group"
    if sequences is None or sequences.layout == PARALLEL:
        of_individuals = design.individual_sequences
        if design.assignment.bearer == "individual" and of_individuals is not None:
            sequences, bearer = of_individuals, "individual"
    if sequences is None:
        return content | {"layout": None, "bearer": None, "complete": None, "sequences": []}
    return content | {
        "layout": sequences.layout,
        "bearer": bearer,
        "complete": sequences.complete,
        "sequences": [
            {
                "arms": [
                    design.arm_labels[arm] if measured else None
                    for arm, measured in zip(arms, there, strict=True)
                ],
                "n_units": int(n),
            }
            for arms, n, there in zip(
                sequences.arms, sequences.n_units, sequences.measured, strict=True
            )
        ],
    }


@dataclass(frozen=True)
class _Part:
    """Some columns of X that belong together, and their row of the reference grid.

    `codes` (n,) say which rows are equal; None of a number, of which most differ.
    """

    role: str
    terms: tuple[str, ...]
    X: np.ndarray
    grid: np.ndarray
    codes: np.ndarray | None = None

    @classmethod
    def intercept(cls, n: int) -> _Part:
        return cls("intercept", ("Intercept",), np.ones((n, 1)), np.ones(1), np.zeros(n, dtype=int))

    @classmethod
    def numeric(cls, name: str, values: np.ndarray) -> _Part:
        return cls("covariate", (name,), values[:, None], np.array([values.mean()]))

    @classmethod
    def factor(
        cls, role: str, codes: np.ndarray, labels: tuple[str, ...], *, prefix: str = ""
    ) -> _Part:
        """Indicators of every level but the first, equally weighted in the reference grid."""
        X = (codes[:, None] == np.arange(1, len(labels))).astype(float)
        terms = tuple(prefix + label for label in labels[1:])
        return cls(role, terms, X, np.full(len(terms), 1 / len(labels)), codes)

    @classmethod
    def if_any(
        cls, role: str, codes: np.ndarray | None, labels: tuple[str, ...], *, prefix: str
    ) -> list[_Part]:
        return [] if codes is None else [cls.factor(role, codes, labels, prefix=prefix)]


def _covariate(values: pd.Series) -> _Part:
    if pd.api.types.is_numeric_dtype(values):
        return _Part.numeric(str(values.name), values.to_numpy(dtype=float))
    codes, labels = _codes(values)
    return _Part.factor("covariate", codes, labels, prefix=f"{values.name}: ")


def _codes(values: pd.Series) -> tuple[np.ndarray, tuple[str, ...]]:
    """Integer codes and labels, in natural order."""
    categorical = labels(values).cat
    return categorical.codes.to_numpy(dtype=int), tuple(categorical.categories)


def _codes_if_any(
    table: pd.DataFrame, column: str | None
) -> tuple[np.ndarray | None, tuple[str, ...]]:
    """As `_codes`, for a column that a design may have."""
    return (None, ()) if column is None else _codes(table[column])


def _columns(parts: list[_Part]) -> tuple[np.ndarray, tuple[str, ...], tuple[str, ...]]:
    """The matrix that parts make, and the name and the role of each column."""
    terms = tuple(term for part in parts for term in part.terms)
    role = tuple(part.role for part in parts for _ in part.terms)
    return np.hstack([part.X for part in parts]), terms, role


def _fewer_rows(X: np.ndarray, parts: list[_Part]) -> np.ndarray:
    """Rows with the same X'X: each different one, times the root of how often it occurs."""
    codes = [part.codes for part in parts if part.codes is not None]
    if len(codes) < len(parts):
        return X
    key = codes[0]
    for each in codes[1:]:
        # What has occurred is numbered anew each time: no product of levels gets too large.
        key = np.unique(key * (each.max() + 1) + each, return_inverse=True)[1]
    _, first, count = np.unique(key, return_index=True, return_counts=True)
    return np.asarray(X[first] * np.sqrt(count)[:, None])


def _reference_grid(parts: list[_Part], n_arms: int) -> np.ndarray:
    rows = []
    for arm in range(n_arms):
        grid = [
            (np.arange(1, n_arms) == arm).astype(float) if part.role == "treatment" else part.grid
            for part in parts
        ]
        rows.append(np.concatenate(grid))
    return np.array(rows)


def _independent(
    X: np.ndarray, terms: tuple[str, ...], role: tuple[str, ...], *, drop: bool
) -> np.ndarray:
    """Which columns of X to keep, a mask of shape (p,): all, or those the earlier do not say."""
    if pivoted_rank(X)[0] == X.shape[1]:
        return np.ones(X.shape[1], dtype=bool)
    kept = independent_columns(X, np.arange(X.shape[1]))
    design_itself = np.isin(role, ("intercept", "treatment"))
    if drop and kept[design_itself].all():
        return kept
    names = ", ".join(f"'{terms[j]}'" for j in np.flatnonzero(~kept))
    problem = f"{names} cannot be told apart from the other terms of the model"
    fix = "leave out covariates or blocks that say the same, or set `rank_deficient: drop`"
    raise InputError("roles", problem, fix)


def _slopes(setting: bool | str) -> str:
    if isinstance(setting, str):
        return setting
    return "unstructured" if setting else "none"


def _check_slopes(design: Design) -> None:
    settings = {"random_slopes": design.random_slopes != "none"}
    for _, problem, fix in event_contradictions(settings, design.response.scale):
        raise InputError("random_slopes", problem, fix)
    if design.random_slopes != "none" and design.kind in ("between", "blocked"):
        problem = "the treatment is constant within every group, so no group shows an effect"
        raise InputError("random_slopes", problem, "remove it: it is for treatments within groups")


def check_assigned(design: Design, period: str | None = None) -> None:
    """What is said to have been assigned can be reconciled with the data.

    `period` is the name of the column of periods, for messages.

    Raises
    ------
    InputError
        For groups in which the treatment varies though groups were assigned; for individuals that
        were assigned though all of a group, or of a group's period, are in one arm; for sequences and
        group-periods without periods, or where these hold several arms.
    """
    assigned, whole = design.assigned, design.assigns_groups
    if assigned is None:
        return
    if assigned in ("group_period", "sequence") and design.period is None:
        problem = "nothing says in which period a row was measured"
        raise InputError("assigned", problem, "name the column as `period` under `roles`")
    if assigned == "group" and not whole:
        g = int(np.flatnonzero(design.arm_of_group < 0)[0])
        problem = (
            f"group '{design.group_labels[g]}' holds several arms, so groups were not assigned"
        )
        fix = "write `assigned: individual`, or name another group"
        if design.kind == PERIODS:
            fix = f"its arm changes with '{period}': write `assigned: sequence`"
        raise InputError("assigned", problem, fix)
    if assigned == "individual":
        if whole:
            problem = "every group holds one arm, so individuals were not assigned within groups"
            raise InputError("assigned", problem, "write `assigned: group`, or name another group")
        if design.kind == PERIODS:
            problem = (
                f"all of a group in one '{period}' are in one arm, so individuals were not assigned "
                "within groups"
            )
            fix = "write `assigned: sequence`, or `assigned: group_period`"
            raise InputError("assigned", problem, fix)
        if design.assignment.unit == "sequence":
            problem = f"individuals change their arm with '{period}'"
            raise InputError("assigned", problem, "write `assigned: sequence`")
    if assigned in ("sequence", "group_period") and whole:
        problem = "every group is in one arm in all periods, so there are no sequences of arms"
        raise InputError("assigned", problem, "write `assigned: group`, or leave it out")
    if assigned == "sequence" and design.assignment == Assignment("individual", "individual"):
        problem = "every individual is in one arm in all periods, so there are no sequences of arms"
        raise InputError("assigned", problem, "write `assigned: individual`, or leave it out")
    if assigned in ("group_period", "sequence") and not whole:
        of_individuals = assigned == "sequence" and design.individual_sequences is not None
        if design.kind != PERIODS and not of_individuals:
            problem = f"{_mixed_cell(design)} holds several arms"
            unit = "sequence" if design.assignment.unit == "sequence" else "individual"
            fix = f"write `assigned: {unit}`, or name another column of periods"
            raise InputError("assigned", problem, fix)


def _mixed_cell(design: Design) -> str:
    """A group in a period, of which rows are in several arms."""
    mixed = np.flatnonzero(design.arm != design.arm[design.first_of_cell][design.cell])
    label = design.cell_labels[design.cell[mixed[0]]]
    return f"'{label}', a group in a period,"


def _warnings(design: Design) -> list[str]:
    sentences = []
    n_groups = [
        int(np.count_nonzero(np.bincount(design.group[design.arm == j])))
        for j in range(len(design.arm_labels))
    ]
    few = {label: n for label, n in zip(design.arm_labels, n_groups, strict=True) if n < FEW_GROUPS}
    if len(few) == len(n_groups) and len(set(n_groups)) == 1:
        sentences.append(
            f"Every arm has only {n_groups[0]} groups: inference rests on very few units."
        )
    elif few:
        named = ", ".join(f"{n} in '{label}'" for label, n in few.items())
        sentences.append(f"There are few groups, {named}: inference rests on very few units.")
    singles = int((design.group_size == 1).sum())
    if singles:
        verb = "has" if singles == 1 else "have"
        sentences.append(f"{singles} of {design.n_groups} groups {verb} one member only.")
    if design.aliased:
        names = ", ".join(f"'{name}'" for name in design.aliased)
        sentences.append(f"Left out, because other terms of the model already say it: {names}.")
    sentences += _on_periods(design)
    if design.kind == "mixed":
        n = int((design.arm_of_group < 0).sum())
        sentences.append(f"{n} of {design.n_groups} groups hold several arms, the others one.")
    if design.block is not None:
        arms = np.zeros((len(design.block_labels), len(design.arm_labels)), dtype=bool)
        arms[design.block, design.arm] = True
        partial = int((arms.sum(axis=1) < arms.shape[1]).sum())
        if partial:
            verb = "does" if partial == 1 else "do"
            sentences.append(f"{partial} of {len(arms)} blocks {verb} not hold every arm.")
    return sentences


def _on_periods(design: Design) -> list[str]:
    """Sentences on sequences that go back, and cells without rows."""
    sentences: list[str] = []
    sequences = design.group_sequences
    if sequences is None:
        return sentences
    empty = int((~sequences.present).sum())
    if empty:
        verb = "has" if empty == 1 else "have"
        sentence = (
            f"{empty} of {sequences.present.size} cells of a group and a period {verb} no rows"
        )
        if design.n_periods > MANY_PERIODS and 2 * empty > sequences.present.size:
            sentence += (
                f": if the {design.n_periods} periods are dates, a column of weeks, months or waves "
                "says more about changes over time"
            )
        sentences.append(f"{sentence}.")
    arms = sequences.arms
    back = (np.diff((arms != 0).astype(int), axis=1) < 0).any(axis=1)
    forth = (np.diff((arms != 0).astype(int), axis=1) > 0).any(axis=1)
    n = int(sequences.n_units[back].sum())
    if len(design.arm_labels) == 2 and forth.any() and 0 < n <= 0.2 * len(sequences.sequence):
        some = np.flatnonzero(np.isin(sequences.sequence, np.flatnonzero(back)))[0]
        verb = "goes" if n == 1 else "go"
        sentences.append(
            f"{n} of {design.n_groups} groups {verb} back to '{design.arm_labels[0]}' "
            f"('{design.group_labels[some]}': "
            f"{written(arms[sequences.sequence[some]], design.arm_labels)}): if that is an error, "
            "correct the file."
        )
    return sentences
