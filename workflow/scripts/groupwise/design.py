"""The fixed part of an experiment: who is in which group, arm and block, and what is compared."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from groupwise.algebra import pivoted_rank
from groupwise.data.errors import InputError
from groupwise.data.validate import Roles


@dataclass(frozen=True)
class Design:
    """n individuals in G groups, J arms, p fixed-effect columns.

    Attributes
    ----------
    X : (n, p)
        Intercept, one indicator per arm but the reference, blocks, covariates.
    terms : p names
    role : p of intercept, treatment, block, covariate
    arm, group, block : (n,) integer codes; `block` is None without blocks
    L : (k, p)
        One row per pair of arms, those against the reference first.
    contrasts : k pairs (B, A), read B - A
    L_means : (J, p)
        Reference grid: numeric covariates at their mean, blocks and categories equally weighted.
    """

    X: np.ndarray
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

    @property
    def n_obs(self) -> int:
        return self.X.shape[0]

    @property
    def n_groups(self) -> int:
        return len(self.group_labels)

    @cached_property
    def group_size(self) -> np.ndarray:
        """(G,) number of individuals."""
        return np.bincount(self.group, minlength=self.n_groups)

    @cached_property
    def first_of_group(self) -> np.ndarray:
        """(G,) index of one row of each group."""
        return np.unique(self.group, return_index=True)[1]

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

    def columns(self, *roles: str) -> np.ndarray:
        """Indices of the columns of X that play one of these roles."""
        return np.flatnonzero(np.isin(self.role, roles))


def make_design(table: pd.DataFrame, roles: Roles, *, blocks_as: str = "fixed") -> Design:
    """The design of an ingested table (see `data.ingest`); its columns must be complete."""
    treatment = table[roles.treatment]
    arm_labels = tuple(str(arm) for arm in treatment.cat.categories)
    arm = treatment.cat.codes.to_numpy(dtype=int)
    group, group_labels = _codes(table[roles.group])
    block, block_labels = (None, ()) if roles.block is None else _codes(table[roles.block])

    parts = [_Part.intercept(len(table)), _Part.factor("treatment", arm, arm_labels)]
    if block is not None and blocks_as == "fixed":
        parts.append(_Part.factor("block", block, block_labels, prefix=f"{roles.block}: "))
    parts += [_covariate(table[name]) for name in roles.covariates]
    terms = tuple(term for part in parts for term in part.terms)
    role = tuple(part.role for part in parts for _ in part.terms)
    X = np.hstack([part.X for part in parts])
    _check_rank(X, terms)

    pairs = list(combinations(range(len(arm_labels)), 2))
    L_means = _reference_grid(parts, len(arm_labels))
    return Design(
        X=X,
        terms=terms,
        role=role,
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
    )


def describe(design: Design) -> dict[str, Any]:
    """What was understood of the experiment, in the words of design.json."""
    size = design.group_size
    arms = {}
    for j, label in enumerate(design.arm_labels):
        rows = design.arm == j
        n_groups = np.unique(design.group[rows]).size
        arms[label] = {"n_groups": int(n_groups), "n_obs": int(rows.sum())}
    return {
        "kind": design.kind,
        "n_obs": design.n_obs,
        "n_groups": design.n_groups,
        "n_blocks": len(design.block_labels),
        "blocks_as": design.blocks_as if design.block is not None else None,
        "arms": arms,
        "contrasts": list(design.contrast_labels),
        "group_size": {
            "min": int(size.min()),
            "median": float(np.median(size)),
            "mean": float(size.mean()),
            "max": int(size.max()),
        },
        "balanced": bool(np.ptp(size) == 0 and len({v["n_groups"] for v in arms.values()}) == 1),
        "n_parameters": {"fixed": design.X.shape[1], "dummy_groups": design.n_groups - 1},
        "warnings": _warnings(design),
    }


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
    """Integer codes and labels, in natural order: 2 before 10."""
    labels = sorted(values.astype(str).unique(), key=_natural)
    codes = pd.Categorical(values.astype(str), categories=labels).codes
    return np.asarray(codes, dtype=int), tuple(labels)


def _natural(label: str) -> tuple[int, float, str]:
    try:
        return (0, float(label), label)
    except ValueError:
        return (1, 0.0, label)


def _reference_grid(parts: list[_Part], n_arms: int) -> np.ndarray:
    rows = []
    for arm in range(n_arms):
        grid = [
            (np.arange(1, n_arms) == arm).astype(float) if part.role == "treatment" else part.grid
            for part in parts
        ]
        rows.append(np.concatenate(grid))
    return np.array(rows)


def _check_rank(X: np.ndarray, terms: tuple[str, ...]) -> None:
    rank, pivot = pivoted_rank(X)
    if rank < X.shape[1]:
        names = ", ".join(f"'{terms[j]}'" for j in sorted(pivot[rank:]))
        problem = f"{names} cannot be told apart from the other terms of the model"
        raise InputError("roles", problem, "leave out covariates or blocks that say the same")


def _warnings(design: Design) -> list[str]:
    found = []
    groups = [np.unique(design.group[design.arm == j]).size for j in range(len(design.arm_labels))]
    for label, n in zip(design.arm_labels, groups, strict=True):
        if n < 5:
            found.append(
                f"The arm '{label}' has {n} groups only: inference rests on very few units."
            )
    singles = int((design.group_size == 1).sum())
    if singles:
        verb = "has" if singles == 1 else "have"
        found.append(f"{singles} of {design.n_groups} groups {verb} one member only.")
    if design.block is not None:
        arms = np.zeros((len(design.block_labels), len(design.arm_labels)), dtype=bool)
        arms[design.block, design.arm] = True
        partial = int((arms.sum(axis=1) < arms.shape[1]).sum())
        if partial:
            verb = "does" if partial == 1 else "do"
            found.append(f"{partial} of {len(arms)} blocks {verb} not hold every arm.")
    return found
