"""Draw a grouped experiment: treatments assigned to whole groups at random.

    y_ij = mean + effect(arm_i) + d_i + slope_g (w_i - mean_w) + slope_x (x_ij - mean_x) + u_i + e_ij

with u_i ~ N(0, sd_group^2); d_i ~ N(0, sd_effect^2) in every arm but the reference (effects that
vary by group); e_ij normal or t, scaled to the standard deviation of its arm.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from groupwise.data.errors import InputError, nearest


@dataclass(frozen=True)
class Covariate:
    """A normal covariate with its slope: one value per group, or one per individual."""

    name: str
    slope: float
    mean: float = 0.0
    sd: float = 1.0


@dataclass(frozen=True)
class Recipe:
    """Every parameter of the data-generating process, in the units of the outcome.

    `group_size` is one size, a list of one size per group, or {"min": a, "max": b} to draw sizes
    uniformly. `sd_residual` is one value or one per arm. An arm with no effect listed has effect 0;
    `decimals` rounds the outcome as an exam would.
    """

    seed: int
    groups_per_arm: Mapping[str, int]
    group_size: int | Sequence[int] | Mapping[str, int]
    mean: float
    effects: Mapping[str, float]
    sd_group: float
    sd_residual: float | Mapping[str, float]
    sd_effect: float = 0.0
    noise: Mapping[str, Any] = field(default_factory=lambda: {"distribution": "normal"})
    group_covariate: Covariate | None = None
    individual_covariate: Covariate | None = None
    decimals: int | None = None

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> Recipe:
        """A recipe from the `simulate` block of a dataset's settings."""
        fields = dict(settings)
        for name in ("group_covariate", "individual_covariate"):
            if fields.get(name):
                fields[name] = Covariate(**fields[name])
        recipe = cls(**fields)
        for name in ("effects", "sd_residual"):
            value = getattr(recipe, name)
            for arm in value if isinstance(value, Mapping) else ():
                if arm not in recipe.groups_per_arm:
                    hint = nearest(arm, recipe.groups_per_arm)
                    raise InputError(
                        f"simulate.{name}", f"'{arm}' is not an arm of groups_per_arm", hint
                    )
        return recipe

    @property
    def n_groups(self) -> int:
        return sum(self.groups_per_arm.values())

    def effect(self, arm: str) -> float:
        return float(self.effects.get(arm, 0.0))

    def residual_sd(self, arm: str) -> float:
        if not isinstance(self.sd_residual, Mapping):
            return float(self.sd_residual)
        if arm not in self.sd_residual:
            raise InputError(
                "simulate.sd_residual", f"no value for the arm '{arm}'", "give one for every arm"
            )
        return float(self.sd_residual[arm])


def simulate(recipe: Recipe, *, outcome: str, treatment: str, group: str) -> pd.DataFrame:
    """One dataset drawn by the recipe: columns group, treatment, outcome, then covariates.

    Groups are labelled 1, 2, ... and arms are assigned to them by a random permutation, so that
    arm sizes are exactly those of the recipe.
    """
    rng = np.random.default_rng(np.random.SeedSequence(recipe.seed))
    arms = np.repeat(list(recipe.groups_per_arm), list(recipe.groups_per_arm.values()))
    arm_of_group = rng.permutation(arms)
    sizes = _group_sizes(recipe, rng)
    group_effect = recipe.sd_group * rng.standard_normal(recipe.n_groups)
    treated = np.array([arm in recipe.effects for arm in arm_of_group])
    group_effect += treated * recipe.sd_effect * rng.standard_normal(recipe.n_groups)
    index = np.repeat(np.arange(recipe.n_groups), sizes)

    linear, covariates = _covariates(recipe, rng, index)
    effect = np.array([recipe.effect(arm) for arm in arm_of_group])
    sd = np.array([recipe.residual_sd(arm) for arm in arm_of_group])
    score = recipe.mean + (effect + group_effect)[index] + linear
    score += sd[index] * _noise(recipe, rng, index.size)
    if recipe.decimals is not None:
        score = np.round(score, recipe.decimals)
    labels = np.arange(1, recipe.n_groups + 1)
    columns = {group: labels[index], treatment: arm_of_group[index], outcome: score}
    return pd.DataFrame(columns | covariates)


def truth(recipe: Recipe, contrasts: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """The true values beside a simulated dataset: effect by contrast (B, A), spread and ICC."""
    arms = list(recipe.groups_per_arm)
    residual = np.mean([recipe.residual_sd(arm) ** 2 for arm in arms])
    between = recipe.sd_group**2
    return {
        "mean": recipe.mean,
        "effects": {f"{b} - {a}": recipe.effect(b) - recipe.effect(a) for b, a in contrasts},
        "arm_means": {arm: recipe.mean + recipe.effect(arm) for arm in arms},
        "sd_group": recipe.sd_group,
        "sd_residual": {arm: recipe.residual_sd(arm) for arm in arms},
        "sd_effect": recipe.sd_effect,
        "icc": between / (between + residual) if between + residual > 0 else 0.0,
        "seed": recipe.seed,
    }


def _group_sizes(recipe: Recipe, rng: np.random.Generator) -> np.ndarray:
    size = recipe.group_size
    if isinstance(size, Mapping):
        if size["min"] > size["max"]:
            raise InputError("simulate.group_size", "min is larger than max", "exchange them")
        return rng.integers(size["min"], size["max"], endpoint=True, size=recipe.n_groups)
    if isinstance(size, Sequence):
        if len(size) != recipe.n_groups:
            problem = f"{len(size)} sizes are listed for {recipe.n_groups} groups"
            raise InputError("simulate.group_size", problem, "list one size per group")
        return np.asarray(size, dtype=int)
    return np.full(recipe.n_groups, size, dtype=int)


def _covariates(
    recipe: Recipe, rng: np.random.Generator, index: np.ndarray
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """The covariates' part of the linear predictor, shape (n,), and their columns."""
    linear, columns = np.zeros(index.size), {}
    if (w := recipe.group_covariate) is not None:
        z = rng.standard_normal(recipe.n_groups)[index]
        columns[w.name], linear = w.mean + w.sd * z, linear + w.slope * w.sd * z
    if (x := recipe.individual_covariate) is not None:
        z = rng.standard_normal(index.size)
        columns[x.name], linear = x.mean + x.sd * z, linear + x.slope * x.sd * z
    return linear, columns


def _noise(recipe: Recipe, rng: np.random.Generator, n: int) -> np.ndarray:
    """n draws with mean 0 and standard deviation 1."""
    if recipe.noise["distribution"] == "normal":
        return rng.standard_normal(n)
    df = recipe.noise.get("df", 5)
    if df <= 2:
        raise InputError("simulate.noise.df", "t noise has no variance", "use more than 2")
    return rng.standard_t(df, n) / np.sqrt(df / (df - 2))
