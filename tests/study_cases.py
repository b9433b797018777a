"""Tables of small general studies whose outcome is known, for tests of sentences and figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from groupwise import tidy
from groupwise.catalogue.methods import METHODS

GROUPS, SIZES, IMBALANCES, ICCS = (3, 5, 10), (5, 25), (0.0, 0.6), (0.0, 0.2)
OVERVIEW: dict[str, Any] = {
    "arms": 3,
    "effect": 0.5,
    "replicates": 1000,
    "slow_replicates": 200,
    "draws": 199,
    "seed": 1,
    "power_of": "C - A",
    "example": {"groups_per_arm": 5, "size": 25, "imbalance": 0.0, "icc": 0.2},
    "example_is_lecture": True,
    "rules": {
        "level": 0.05,
        "allowance": 0.01,
        "tolerance": 0.025,
        "invalid_above": 0.06,
        "valid_below": 0.075,
        "error": 0.001,
        "most_failed": 0.05,
    },
    "python": "3.12.0",
    "packages": {"numpy": "2.0"},
    "code": {"commit": "0" * 40, "changed": True},
}

OF_NUMBERS = tuple(name for name, method in METHODS.items() if not method.of_events)
"""Methods of outcomes that are numbers, as the general study draws them."""

Rate = Callable[[Mapping[str, Any], str], tuple[float, str]]
"""Of a design and a method: the rate of wrong rejections and its judgement."""


def as_usual(cell: Mapping[str, Any], method: str) -> tuple[float, str]:
    """Three methods fail: everywhere with a correlation, with few groups, in one design."""
    few = cell["groups_per_arm"] <= 5
    once = cell["groups_per_arm"] == 3 and cell["imbalance"] and cell["size"] == 5 and cell["icc"]
    if method == "dummy":
        return np.nan, "no answer"
    if method == "ols_classical" and cell["icc"]:
        return 0.4 + cell["size"] / 1000, "invalid"
    if (method == "ols_cr1" and few) or (method == "mixed_bootstrap" and once):
        return 0.1 - cell["groups_per_arm"] / 1000, "invalid"
    if method == "gee_bias_reduced" and once:
        return 0.04, "fails"
    if method == "randomization" and cell["groups_per_arm"] == 3:
        return 0.0, "conservative"
    return 0.05, "valid"


def nothing_fails(cell: Mapping[str, Any], method: str) -> tuple[float, str]:
    return 0.05, "valid"


def everything_fails(cell: Mapping[str, Any], method: str) -> tuple[float, str]:
    return 0.3, "invalid"


def no_answer(cell: Mapping[str, Any], method: str) -> tuple[float, str]:
    return np.nan, "no answer"


def rates(
    rate: Rate = as_usual,
    *,
    groups: tuple[int, ...] = GROUPS,
    sizes: tuple[int, ...] = SIZES,
    imbalances: tuple[float, ...] = IMBALANCES,
    iccs: tuple[float, ...] = ICCS,
    methods: tuple[str, ...] = OF_NUMBERS,
) -> pd.DataFrame:
    """Table `study_rates`; power rises with the number of groups and with the level."""
    rows = []
    grid = [
        (g, s, b, c, e)
        for g in groups
        for s in sizes
        for b in imbalances
        for c in iccs
        for e in (0, 0.5)
    ]
    for values in grid:
        cell = dict(
            zip(("groups_per_arm", "size", "imbalance", "icc", "effect"), values, strict=True)
        )
        for method in methods:
            share, judgement = rate(cell, method)
            wrong = share
            if cell["effect"]:
                share, judgement = min(0.99, share + 0.08 * cell["groups_per_arm"]), ""
            rows.append(
                {"scenario": str(values)}
                | cell
                | {
                    "method": method,
                    "rate": share,
                    "mcse": np.sqrt(share * (1 - share) / 1000),
                    "coverage": 1 - wrong,
                    "n_replicates": 1000,
                    "n_failed": 100 if judgement == "fails" else 0,
                    "judgement": judgement,
                }
            )
    return tidy.table("study_rates", rows)


def one_design() -> dict[str, Any]:
    """A study of a single design and one method."""
    table = rates(
        nothing_fails,
        groups=(5,),
        sizes=(25,),
        imbalances=(0.0,),
        iccs=(0.2,),
        methods=("group_means",),
    )
    return {"rates": table, "overview": OVERVIEW}


STUDIES: dict[str, Callable[[], dict[str, Any]]] = {
    "usual": lambda: {"rates": rates(), "overview": OVERVIEW},
    "nothing fails": lambda: {"rates": rates(nothing_fails), "overview": OVERVIEW},
    "everything fails": lambda: {"rates": rates(everything_fails), "overview": OVERVIEW},
    "no answer": lambda: {"rates": rates(no_answer), "overview": OVERVIEW},
    "one design": one_design,
    "many sizes": lambda: {"rates": rates(sizes=(5, 10, 25, 50, 100)), "overview": OVERVIEW},
    "not the lecture": lambda: {
        "rates": rates(iccs=(0.1,)),
        "overview": OVERVIEW
        | {"example": OVERVIEW["example"] | {"icc": 0.1}, "example_is_lecture": False},
    },
}
"""Studies by name: their rates and study.json."""
