"""The fixed part of an experiment: who is in which group, arm and block, and what is compared."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from groupwise.algebra import independent_columns, pivoted_rank, sum_by
from groupwise.data.errors import InputError
from groupwise.data.labels import labels
from groupwise.data.validate import Roles
from groupwise.rows import Rows

FEW_GROUPS = 5
"""An arm with fewer groups has a warning."""


@dataclass(frozen=True)
class Design:
    """n individuals in G groups, J arms, p fixed-effect columns.

    Attributes
    ----------
    X : (n, p)
        Intercept, one indicator per arm but the reference, blocks, covariates.
    rows : what the n rows are: individuals, unless the design is compressed (see `compression`)
    terms : p names
    role : p of intercept, treatment, block, covariate
    arm, group, block, second : (n,) integer codes; None where there are no blocks, no second group
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
    random_slopes: str = "none"
    aliased: tuple[str, ...] = ()
    assigned_with: str | None = None

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
        """`between`, `blocked`, `within`, or `mixed` when only some groups hold several arms."""
        constant = self.arm_of_group >= 0
        if constant.all():
            return "between" if self.block is None else "blocked"
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
        return self.random_slopes == "none" and self.second is None and fixed_blocks

    def group_means(self, values: np.ndarray) -> np.ndarray:
        """Means (..., G) over the members of each group of values (..., n)."""
        return sum_by(values * self.rows.ones, self.group, len(self.group_labels)) / self.group_size

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
    assigned_with
        See `Design`.

    Raises
    ------
    InputError
        For terms that cannot be told apart, and for slopes without arms that meet in groups.
    """
    treatment = table[roles.treatment]
    arm_labels = tuple(str(arm) for arm in treatment.cat.categories)
    arm = treatment.cat.codes.to_numpy(dtype=int)
    group, group_labels = _codes(table[roles.group])
    block, block_labels = (None, ()) if roles.block is None else _codes(table[roles.block])
    second, second_labels = (
        (None, ()) if roles.second_group is None else _codes(table[roles.second_group])
    )

    parts = [_Part.intercept(len(table)), _Part.factor("treatment", arm, arm_labels)]
    if block is not None and blocks_as == "fixed":
        parts.append(_Part.factor("block", block, block_labels, prefix=f"{roles.block}: "))
    parts += [_covariate(table[name]) for name in roles.covariates]
    terms = tuple(term for part in parts for term in part.terms)
    role = tuple(part.role for part in parts for _ in part.terms)
    X = np.hstack([part.X for part in parts])
    kept = _independent(X, terms, role, drop=rank_deficient == "drop")

    pairs = list(combinations(range(len(arm_labels)), 2))
    L_means = _reference_grid(parts, len(arm_labels))[:, kept]
    design = Design(
        X=X if kept.all() else X[:, kept],
        rows=Rows.individuals(len(X)),
        terms=tuple(np.array(terms, dtype=object)[kept]),
        role=tuple(np.array(role, dtype=object)[kept]),
        arm=arm,
        arm_labels=arm_labels,
        group=group,
        group_labels=group_labels,
        block=block,
        block_labels=block_labels,
        blocks_as=blocks_as,
        L=np.array([L_means[b] - L_means[a] for a, b in pairs]),
        L_means=L_means,
        contrasts=tuple((arm_labels[b], arm_labels[a]) for a, b in pairs),
        second=second,
        second_labels=second_labels,
        random_slopes=_slopes(random_slopes),
        aliased=tuple(np.array(terms, dtype=object)[~kept]),
        assigned_with=assigned_with,
    )
    _check_slopes(design)
    return design


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


@dataclass(frozen=True)
class _Part:
    """Some columns of X that belong together, and their row of the reference grid."""

    role: str
    terms: tuple[str, ...]
    X: np.ndarray
    grid: np.ndarray

    @classmethod
    def intercept(cls, n: int) -> _Part:
        return cls("intercept", ("Intercept",), np.ones((n, 1)), np.ones(1))

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
        return cls(role, terms, X, np.full(len(terms), 1 / len(labels)))


def _covariate(values: pd.Series) -> _Part:
    if pd.api.types.is_numeric_dtype(values):
        return _Part.numeric(str(values.name), values.to_numpy(dtype=float))
    codes, labels = _codes(values)
    return _Part.factor("covariate", codes, labels, prefix=f"{values.name}: ")


def _codes(values: pd.Series) -> tuple[np.ndarray, tuple[str, ...]]:
    """Integer codes and labels, in natural order."""
    categorical = labels(values).cat
    return categorical.codes.to_numpy(dtype=int), tuple(categorical.categories)


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
    if design.random_slopes != "none" and design.kind in ("between", "blocked"):
        problem = "the treatment is constant within every group, so no group shows an effect"
        raise InputError("random_slopes", problem, "remove it: it is for treatments within groups")


def check_assigned(design: Design, assigned: str | None) -> None:
    """What is said to have been assigned can be reconciled with the data.

    Raises
    ------
    InputError
        For groups in which the treatment varies though groups were assigned, and for individuals
        that were assigned though all of a group are in one arm.
    """
    whole = design.kind in ("between", "blocked")
    if assigned == "group" and not whole:
        g = int(np.flatnonzero(design.arm_of_group < 0)[0])
        problem = (
            f"group '{design.group_labels[g]}' holds several arms, so groups were not assigned"
        )
        raise InputError("assigned", problem, "write `assigned: individual`, or name another group")
    if assigned == "individual" and whole:
        problem = "every group holds one arm, so individuals were not assigned within groups"
        raise InputError("assigned", problem, "write `assigned: group`, or name another group")


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
