"""Sizes of groups that differ by as much as is wanted."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from scipy import special

from groupwise.design import GROUPINGS, Design
from groupwise.rows import Rows


def with_sizes(design: Design, cv: float) -> Design:
    """The design with sizes of groups of this coefficient of variation; 0 leaves them as they are.

    The mean size of an arm's groups stays. Rows of a group are repeated or left out, each about as often
    as the others.
    """
    if cv == 0:
        return design
    sizes = np.zeros(design.n_groups, dtype=int)
    for arm in np.unique(design.arm_of_group):
        members = np.flatnonzero(design.arm_of_group == arm)
        mean = round(design.group_size[members].mean())
        quantiles = group_sizes(len(members), mean, cv)
        spread = np.argsort(np.argsort(np.arange(len(members)) * (np.sqrt(5) - 1) / 2 % 1))
        sizes[members] = quantiles[spread]  # in no order that blocks follow
    order = np.argsort(design.group, kind="stable")
    start = np.cumsum(design.group_size) - design.group_size
    parts = zip(start, sizes, design.group_size, strict=True)
    rows = np.concatenate([order[first + np.arange(n) * old // n] for first, n, old in parts])
    names = ("group", "arm", *GROUPINGS, "exposure")
    changed: dict[str, Any] = {}
    for name in names:
        codes = getattr(design, name)
        changed[name] = None if codes is None else codes[rows]
    return replace(design, X=design.X[rows], rows=Rows.individuals(len(rows)), **changed)


def group_sizes(groups: int, mean: int, imbalance: float) -> np.ndarray:
    """(groups,) sizes at the quantiles of a gamma distribution with this coefficient of variation.

    They sum to groups * mean; each is 2 at least.
    """
    if imbalance == 0:
        return np.full(groups, mean)
    shape = 1 / imbalance**2
    share = special.gammaincinv(shape, (np.arange(groups) + 0.5) / groups)
    exact = np.cumsum(share / share.sum() * groups * mean)
    sizes = np.maximum(np.diff(np.round(exact), prepend=0).astype(int), 2)
    sizes[-1] += max(groups * mean - sizes.sum(), 0)
    while sizes.sum() > groups * mean:
        sizes[groups - 1 - np.argmax(sizes[::-1])] -= 1
    return sizes
