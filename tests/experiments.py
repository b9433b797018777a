"""Small experiments of every kind of design, and short ways to fit them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from groupwise import tidy
from groupwise.data.ingest import ingest
from groupwise.data.validate import Roles
from groupwise.design import make_design
from groupwise.methods import fit_tables
from groupwise.methods import specifications as all_of_them
from groupwise.sample import Sample
from groupwise.witness import agreement

ROOT = Path(__file__).parents[1]

KINDS = ("between", "blocked", "within", "mixed")
"""Every kind of design; see `design.Design.kind`."""


def draw(
    kind: str = "between",
    *,
    arms: int = 3,
    groups: int = 9,
    sizes: int | Sequence[int] = 4,
    sd_group: float = 1.0,
    covariates: Sequence[str] = (),
    seed: int = 0,
) -> pd.DataFrame:
    """A table with columns g, arm, y, for blocked designs b, and covariates.

    A covariate whose name starts with `w` has one value per group, one with `c` is a category,
    any other a number per individual.
    """
    rng = np.random.default_rng(seed)
    g = np.repeat(np.arange(groups), sizes)
    place = np.concatenate([np.arange(n) for n in np.bincount(g)])
    code = {
        "between": g % arms,
        "blocked": g % arms,
        "within": place % arms,
        "mixed": np.where(g < groups // 3, place, g) % arms,
    }[kind]
    y = 10 + code + sd_group * rng.normal(size=groups)[g] + rng.normal(size=g.size)
    table = pd.DataFrame({"g": g + 1, "arm": np.array(list("ABCDEFG"))[code], "y": y})
    if kind == "blocked":
        table["b"] = np.where(g < groups // 2, "north", "south")
    for name in covariates:
        table[name] = _covariate(name, rng, g)
        table["y"] += 0.5 * pd.factorize(table[name], sort=True)[0] / len(table)
    return table


def _covariate(name: str, rng: np.random.Generator, g: np.ndarray) -> np.ndarray:
    if name.startswith("w"):
        return rng.normal(size=g.max() + 1)[g]
    if name.startswith("c"):
        return np.array(["red", "green", "blue"])[rng.integers(0, 3, size=g.size)]
    return rng.normal(size=g.size)


def roles_of(table: pd.DataFrame) -> Roles:
    """The roles of a table made by `draw`."""
    covariates = tuple(name for name in table if name not in ("g", "arm", "y", "b"))
    return Roles("y", "arm", "g", "b" if "b" in table else None, covariates)


def sample_of(
    table: pd.DataFrame,
    roles: Roles | None = None,
    *,
    blocks_as: str = "fixed",
    conf_level: float = 0.95,
    reference: str | None = None,
    levels: Sequence[str] | Mapping[str, str] | None = None,
    dataset: str = "test",
    random_slopes: bool | str = False,
    rank_deficient: str = "error",
) -> Sample:
    """The path of the pipeline from a raw table to what a specification is fitted to."""
    roles = roles or roles_of(table)
    data = ingest(table, roles, reference=reference, levels=levels).table
    return Sample(
        design=make_design(
            data,
            roles,
            blocks_as=blocks_as,
            random_slopes=random_slopes,
            rank_deficient=rank_deficient,
        ),
        y=data[roles.outcome].to_numpy(dtype=float),
        dataset=dataset,
        group_name=roles.group,
        block_name=roles.block,
        conf_level=conf_level,
        second_name=roles.second_group,
    )


def fit_all(sample: Sample, specifications: Sequence[str] = ()) -> dict[str, pd.DataFrame]:
    """The tables of these specifications, or of all there are, one under the other."""
    parts = [fit_tables(name, sample) for name in specifications or all_of_them()]
    return {name: tidy.concat(name, [part[name] for part in parts]) for name in parts[0]}


def beside_statsmodels(sample: Sample, specifications: Sequence[str]) -> pd.DataFrame:
    """Table `agreement` of these specifications."""
    return agreement(sample, fit_all(sample, specifications))


def only(table: pd.DataFrame, **values: object) -> pd.DataFrame:
    """The rows that have these values."""
    for column, value in values.items():
        table = table[table[column] == value]
    return table.reset_index(drop=True)
