"""Who is in the analysis: groups and rows of each arm at each stage, and covariates by arm."""

from __future__ import annotations

from typing import Any

import pandas as pd

from groupwise.data.validate import Roles

Sizes = dict[str, dict[str, int]]
"""Arm -> `n_groups` and `n_obs`."""


def flow(counted: pd.DataFrame) -> dict[str, Sizes]:
    """Groups and rows by arm: with an arm and a group, and with a value in every column in use.

    `counted` is `data.ingest.missing_counts`; its role `any` counts rows that miss some value.
    """
    rows = counted[counted["role"] == "any"]
    complete = rows.assign(n=rows["n"] - rows["n_missing"])
    return {"labelled": _by_arm(rows), "complete": _by_arm(complete)}


def _by_arm(rows: pd.DataFrame) -> Sizes:
    """Groups that have rows, and their rows."""
    return {
        str(arm): {"n_groups": int((part["n"] > 0).sum()), "n_obs": int(part["n"].sum())}
        for arm, part in rows.groupby("arm", sort=False, observed=True)
    }


def characteristics(table: pd.DataFrame, roles: Roles) -> list[dict[str, Any]]:
    """Mean and standard deviation of numeric covariates by arm, and counts of every category.

    Returns
    -------
    list of {column, level, arms}
        `level` is None for a number, whose arms have `mean` and `sd` (n - 1; None for one row);
        those of a category have `n`. `share` is of the rows of the arm.
    """
    arms = dict(list(table.groupby(roles.treatment, sort=True, observed=True)))
    described: list[dict[str, Any]] = []
    for column in roles.covariates:
        if isinstance(table[column].dtype, pd.CategoricalDtype):
            described += [
                {"column": column, "level": str(level)} | {"arms": _share(arms, column, level)}
                for level in table[column].cat.categories
            ]
            continue
        spread = {str(arm): _moments(part[column]) for arm, part in arms.items()}
        described.append({"column": column, "level": None, "arms": spread})
    return described


def _share(arms: dict[Any, pd.DataFrame], column: str, level: Any) -> dict[str, Any]:
    counts = {}
    for arm, part in arms.items():
        n = int((part[column] == level).sum())
        counts[str(arm)] = {"n": n, "share": n / len(part)}
    return counts


def _moments(values: pd.Series) -> dict[str, float | None]:
    sd = float(values.std()) if len(values) > 1 else None
    return {"mean": float(values.mean()), "sd": sd}
