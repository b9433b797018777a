"""Small experiments of every kind of design, and short ways to fit them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from groupwise import tidy
from groupwise.algebra import pairwise_differences
from groupwise.catalogue.methods import NAMES
from groupwise.data.ingest import ingest
from groupwise.data.validate import Roles
from groupwise.design import Design, make_design
from groupwise.inference.mixed import MixedFit, MixedModel
from groupwise.inference.sandwich import (
    Contrasts,
    Robust,
    cr_inference,
    cr_joint,
    design_clusters,
    robust,
)
from groupwise.methods import (
    Fits,
    Replicates,
    Request,
    answer,
    answers_of,
    concerning,
    fit_tables,
    method_of,
)
from groupwise.methods import specifications as all_of_them
from groupwise.models.clusters import Projected
from groupwise.models.lmm import LinearMixedModel, LmmFit
from groupwise.models.random_intercept import RandomIntercept
from groupwise.models.random_terms import random_intercept
from groupwise.response import CONTINUOUS, Response
from groupwise.sample import Resampling, Sample
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
    **kind: Any,
) -> Sample:
    """The path of the pipeline from a raw table to what a specification is fitted to.

    `kind` declares an outcome of events, see `data.declared_kind`.
    """
    roles = roles or roles_of(table)
    taken = ingest(table, roles, reference=reference, levels=levels, **kind)
    data = taken.table
    return Sample(
        design=make_design(
            data,
            roles,
            blocks_as=blocks_as,
            random_slopes=random_slopes,
            rank_deficient=rank_deficient,
            response=taken.kind.response if kind else CONTINUOUS,
        ),
        y=data[roles.outcome].to_numpy(dtype=float),
        dataset=dataset,
        group_name=roles.group,
        block_name=roles.block,
        conf_level=conf_level,
        second_name=roles.second_group,
    )


def sample_of_events(
    table: pd.DataFrame,
    family: str,
    scale: str,
    *,
    group: str = "g",
    block: str = "b",
    outcome: str = "y",
) -> Sample:
    """The sample of a table with columns arm and, if it has them, exposure, blocks, and covariates.

    `family` and `scale` are those of `response.Response`.
    """
    covariates = (name for name in table if name not in (group, block, outcome, "arm", "exposure"))
    roles = Roles(
        outcome,
        "arm",
        group,
        block if block in table else None,
        tuple(covariates),
        exposure="exposure" if "exposure" in table else None,
    )
    data = ingest(table, roles, outcome_kind=family, effect_as=scale).table
    return Sample(
        design=make_design(data, roles, response=Response(family, scale)),
        y=data[outcome].to_numpy(dtype=float),
        dataset="test",
        group_name=group,
        block_name=roles.block,
    )


def fit_all(sample: Sample, specifications: Sequence[str] = ()) -> dict[str, pd.DataFrame]:
    """The tables of these specifications, or of all there are, one under the other."""
    parts = [fit_tables(name, sample) for name in specifications or all_of_them()]
    return {name: tidy.concat(name, [part[name] for part in parts]) for name in parts[0]}


def robust_of(contrasts: Contrasts, y: np.ndarray) -> Robust:
    """Estimates and sandwich covariances of outcomes y (..., n)."""
    return robust(contrasts, Projected.of(contrasts.clusters, y))


def cr_answers(design: Design, y: np.ndarray, kind: str, conf_level: float = 0.95) -> tidy.Answers:
    """Every question of a design answered by one kind of sandwich, for one outcome y (n,)."""
    outcome = Projected.of(design_clusters(design), y)
    contrasts, means, coefficients = (
        cr_inference(outcome, L, kind, conf_level)
        for L in (design.L, design.L_means, np.eye(len(design.terms)))
    )
    return tidy.Answers(contrasts, means, coefficients, cr_joint(outcome, design.omnibus, kind))


def answers_by(
    method: str, design: Design, y: np.ndarray, conf_level: float = 0.95
) -> tidy.Answers:
    """Every question of a design answered by a method, for one outcome y (n,)."""
    procedure, fits = method_of(method), Fits(design, y[None])
    request = Request(conf_level)
    return answers_of(procedure, fits.of(procedure), design, request).outcome(0)


def request_for(draws: int = 199, *, first: int = 0, searched: int = 0, **more: int) -> Request:
    """What simulations ask: every method that draws makes `draws`, intervals are not searched."""
    effort = {"max_assignments": 10_000} | more
    resampling = Resampling(1, draws, draws, draws, **effort)
    return Request(resampling=resampling, first=first, searched=searched)


def analyse(
    design: Design,
    y: np.ndarray,
    *,
    methods: Sequence[str] = NAMES,
    effects: np.ndarray | None = None,
    request: Request | None = None,
) -> dict[str, Replicates]:
    """What methods that the design lists say of outcomes y (R, n), where arms have these effects."""
    listed = concerning(design, methods)
    truth = None if effects is None else pairwise_differences(np.asarray(effects))
    return answer(design, y, listed, truth=truth, request=request or request_for())


def beside_statsmodels(sample: Sample, specifications: Sequence[str]) -> pd.DataFrame:
    """Table `agreement` of these specifications."""
    return agreement(sample, fit_all(sample, specifications))


def mixed_by_codes(X: np.ndarray, group: np.ndarray, block: np.ndarray | None) -> MixedModel:
    """The mixed model of groups, in random blocks or not."""
    if block is None:
        return RandomIntercept.of(X, group)
    return LinearMixedModel.of(X, [random_intercept(group), random_intercept(block, name="block")])


def theta_for(model: MixedModel, **relative: float) -> np.ndarray:
    """theta of the standard deviations of `group` and `block` relative to the residual's."""
    if isinstance(model, RandomIntercept):
        return np.array(relative["group"])
    return np.array([relative[term.name] for term in model.terms])


def predictions(fit: MixedFit) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Predicted random intercepts of one outcome and their conditional sds, by name."""
    if isinstance(fit, LmmFit):
        return {e.name: (e.estimate[:, 0], e.std_error[:, 0]) for e in fit.random_effects}
    return {"group": fit.blups()}


def only(table: pd.DataFrame, **values: object) -> pd.DataFrame:
    """The rows that have these values."""
    for column, value in values.items():
        table = table[table[column] == value]
    return table.reset_index(drop=True)
