"""Draw a grouped experiment: treatments, or sequences of them, assigned to whole groups at random.

    y_ij = mean + effect(arm_i) + d_i + slope_g (w_i - mean_w) + slope_x (x_ij - mean_x) + u_i + e_ij

with u_i ~ N(0, sd_group^2); d_i ~ N(0, sd_effect^2) in every arm but the reference (effects that
vary by group); e_ij normal or t, scaled to the standard deviation of its arm.

With periods t the arm is that of the group in the period, trend_t is added, a group's effects u_it
in two periods have the correlation `cac`, or with `decay` `cac` to the power of their distance, and
individuals of a cohort add a_ij ~ N(0, sd_individual^2), the same in all periods.

Where `risks` or `rates` describe events, all but the noise is added on the scale of the link, see
`simulated_events`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from groupwise.algebra import autoregressive
from groupwise.data.errors import InputError, dotted, nearest
from groupwise.data.simulated_events import EventProcess
from groupwise.data.simulated_kind import first_mistake, simulated_response, true_effect
from groupwise.data.simulated_sequences import (
    UNMEASURED,
    arms_of,
    planned,
    where_arms_are,
)


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

    `sequences` stand in place of `groups_per_arm`: {"arms": one per period, "-" where a group is not
    measured, "groups": their number}. Then sizes are those in each period, `sd_group` is that in one
    period, `cac` the share of its variance that lasts, `trend` one number per period or the rise
    between two, and `sd_individual` that of what lasts of the individuals of a cohort.

    `risks` or `rates` of arms stand in place of `mean`, `effects` and `sd_residual`. Then `sd_group`,
    slopes and `trend` are on the scale of the link, and `icc` may stand in place of `sd_group`.
    """

    seed: int
    group_size: int | Sequence[int] | Mapping[str, int]
    mean: float = 0.0
    effects: Mapping[str, float] = field(default_factory=dict)
    sd_group: float = 0.0
    sd_residual: float | Mapping[str, float] = 1.0
    risks: Mapping[str, float] | None = None
    rates: Mapping[str, float] | None = None
    icc: float | None = None
    exposure: float | Mapping[str, float] | None = None
    groups_per_arm: Mapping[str, int] = field(default_factory=dict)
    sequences: Sequence[Mapping[str, Any]] | None = None
    cac: float = 1.0
    decay: bool = False
    trend: float | Sequence[float] = 0.0
    cohort: bool = False
    sd_individual: float = 0.0
    sd_effect: float = 0.0
    noise: Mapping[str, Any] = field(default_factory=lambda: {"distribution": "normal"})
    group_covariate: Covariate | None = None
    individual_covariate: Covariate | None = None
    decimals: int | None = None

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> Recipe:
        """A recipe from the `simulate` block of a dataset's settings."""
        if mistake := first_mistake(settings):
            key, problem, fix = mistake
            raise InputError(f"simulate.{dotted(key)}", problem, fix)
        fields = dict(settings)
        for name in ("group_covariate", "individual_covariate"):
            if fields.get(name):
                fields[name] = Covariate(**fields[name])
        recipe = cls(**fields)
        if (events := recipe.events) is not None:
            recipe = replace(recipe, sd_group=events.sd_group)
        for name in ("effects", "sd_residual"):
            value = getattr(recipe, name)
            for arm in value if isinstance(value, Mapping) else ():
                if arm not in recipe.arms:
                    problem = f"'{arm}' is not an arm of {where_arms_are(settings)}"
                    raise InputError(f"simulate.{name}", problem, nearest(arm, recipe.arms))
        return recipe

    @property
    def plan(self) -> list[tuple[tuple[str, ...], int]]:
        """(the arm in each of T periods, number of groups) of each sequence; T = 1 without periods."""
        return planned(vars(self))

    @property
    def arms(self) -> list[str]:
        """All arms, in the order in which they are listed first."""
        return arms_of(vars(self))

    @property
    def n_groups(self) -> int:
        return sum(groups for _, groups in self.plan)

    @property
    def trends(self) -> np.ndarray:
        """(T,) what is added in each period."""
        trend = np.asarray(self.trend, dtype=float)
        return trend if trend.ndim else trend * np.arange(len(self.plan[0][0]))

    @property
    def events(self) -> EventProcess | None:
        """How events come about; None where outcomes are numbers."""
        return EventProcess.of(vars(self))

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


def simulate(
    recipe: Recipe,
    *,
    outcome: str,
    treatment: str,
    group: str,
    period: str = "period",
    individual: str = "individual",
    exposure: str = "exposure",
) -> pd.DataFrame:
    """One dataset drawn by the recipe: columns group, treatment, outcome, then covariates.

    Groups are labelled 1, 2, ... and arms are assigned to them by a random permutation, so that
    arm sizes are exactly those of the recipe. With sequences a column of periods 1, 2, ... follows
    the group, and in a cohort one of individuals 1, 2, ...; exposures follow the outcome.
    """
    rng = np.random.default_rng(np.random.SeedSequence(recipe.seed))
    arms, groups = zip(*recipe.plan, strict=True)
    arm = np.array(arms)[rng.permutation(np.repeat(np.arange(len(arms)), groups))]  # (G, T)
    G, T = arm.shape
    sizes = _group_sizes(recipe, rng)
    between = _group_effects(recipe, rng, arm)
    index = np.repeat(np.arange(arm.size), np.where(arm == UNMEASURED, 0, sizes[:, None]).ravel())
    person = _individuals(index, sizes, T) if recipe.cohort else np.arange(index.size)

    linear, covariates = _covariates(recipe, rng, index // T, person)
    if recipe.sd_individual:
        linear = linear + recipe.sd_individual * rng.standard_normal(sizes.sum())[person]
    arm_of_row = arm.ravel()[index]
    shift = (between + recipe.trends).ravel()[index]
    score, at_risk = _outcomes(recipe, rng, arm_of_row, shift, linear)
    columns = {group: np.arange(1, G + 1)[index // T]}
    if recipe.sequences:
        columns[period] = 1 + index % T
    if recipe.cohort:
        columns[individual] = 1 + person
    columns |= {treatment: arm_of_row, outcome: score}
    if at_risk is not None:
        columns[exposure] = at_risk
    return pd.DataFrame(columns | covariates)


def _outcomes(
    recipe: Recipe,
    rng: np.random.Generator,
    arm: np.ndarray,
    shift: np.ndarray,
    linear: np.ndarray,
) -> tuple[np.ndarray, np.ndarray | None]:
    """Outcomes (n,) of individuals in these arms, and exposures if any.

    `shift` is of groups and periods, `linear` of covariates and lasting individuals.
    """
    if (events := recipe.events) is not None:
        levels = {each: events.level(each) for each in recipe.arms}
        return events.outcomes(rng, _by_arm(levels, arm) + shift + linear)
    effect = _by_arm({each: recipe.effect(each) for each in recipe.arms}, arm)
    score = recipe.mean + (effect + shift) + linear
    sd = _by_arm({each: recipe.residual_sd(each) for each in recipe.arms}, arm)
    score = score + sd * _noise(recipe, rng, arm.size)
    return score if recipe.decimals is None else np.round(score, recipe.decimals), None


def _by_arm(values: Mapping[str, float], arm: np.ndarray) -> np.ndarray:
    """(n,) the value of each individual's arm."""
    out = np.zeros(arm.size)
    for each, value in values.items():
        out[arm == each] = value
    return out


def truth(
    recipe: Recipe, contrasts: Sequence[tuple[str, str]], scale: str | None = None
) -> dict[str, Any]:
    """The true values beside a simulated dataset: effect by contrast (B, A), spread and ICC.

    With periods means are those over all of them, and the ICC is that of a group in one period. Effects
    on events are those on risks or rates over all groups, on the scale that is asked for.
    """
    if (events := recipe.events) is not None:
        return _truth_of_events(recipe, events, contrasts, scale)
    arms = recipe.arms
    residual = np.mean([recipe.residual_sd(arm) ** 2 for arm in arms]) + recipe.sd_individual**2
    between = recipe.sd_group**2
    average = recipe.mean + float(recipe.trends.mean())
    values = {
        "mean": recipe.mean,
        "effects": {f"{b} - {a}": recipe.effect(b) - recipe.effect(a) for b, a in contrasts},
        "arm_means": {arm: average + recipe.effect(arm) for arm in arms},
        "sd_group": recipe.sd_group,
        "sd_residual": {arm: recipe.residual_sd(arm) for arm in arms},
        "sd_effect": recipe.sd_effect,
        "icc": between / (between + residual) if between + residual > 0 else 0.0,
        "seed": recipe.seed,
    }
    return values | _truth_of_periods(recipe)


def _truth_of_periods(recipe: Recipe) -> dict[str, Any]:
    if not recipe.sequences:
        return {}
    return {
        "cac": recipe.cac,
        "decay": recipe.decay,
        "trend": recipe.trends.tolist(),
        "sd_individual": recipe.sd_individual,
    }


def _truth_of_events(
    recipe: Recipe,
    events: EventProcess,
    contrasts: Sequence[tuple[str, str]],
    scale: str | None,
) -> dict[str, Any]:
    """Effects over all groups, and ratios of odds or rates of one and the same group."""
    scale = simulated_response(vars(recipe), scale).scale
    level = {arm: events.level(arm) for arm in recipe.arms}
    return {
        "scale": scale,
        "effects": {f"{b} - {a}": true_effect(vars(recipe), b, a, scale) for b, a in contrasts},
        "effects_within_groups": {
            f"{b} - {a}": float(np.exp(level[b] - level[a])) for b, a in contrasts
        },
        "arm_means": dict(events.means),
        "sd_group": events.sd_group,
        "icc": events.icc,
        "seed": recipe.seed,
    } | _truth_of_periods(recipe)


def _group_effects(recipe: Recipe, rng: np.random.Generator, arm: np.ndarray) -> np.ndarray:
    """(G, T) effects of groups in periods, those included by which effects of arms vary."""
    u = rng.standard_normal((len(arm), 1))
    deviation = _effect_deviations(recipe, rng, arm)
    if recipe.cac < 1:
        v = rng.standard_normal(arm.shape)
        if recipe.decay:
            u = autoregressive(np.concatenate([u, v[:, 1:]], axis=1), recipe.cac)
        else:
            u = np.sqrt(recipe.cac) * u + np.sqrt(1 - recipe.cac) * v
    effects: np.ndarray = recipe.sd_group * u + recipe.sd_effect * deviation
    return effects


def _effect_deviations(recipe: Recipe, rng: np.random.Generator, arm: np.ndarray) -> np.ndarray:
    """(G, T) by how much effects of groups' arms differ from the mean, in sds; lasting in an arm.

    One number is drawn for each group, and more where groups go through several arms with effects.
    """
    G = len(arm)
    met = np.array([(arm == each).any(axis=1) for each in recipe.effects]).reshape(-1, G)
    place = np.cumsum(met, axis=0) - 1  # which of a group's numbers is that of an arm
    z = rng.standard_normal((G, max(1, int(met.sum(axis=0).max()))))
    deviation = np.zeros(arm.shape)
    for each, at in zip(recipe.effects, place, strict=True):
        deviation += (arm == each) * z[np.arange(G), at][:, None]
    return deviation


def _individuals(index: np.ndarray, sizes: np.ndarray, T: int) -> np.ndarray:
    """(n,) numbers of the individuals of a cohort from 0, for rows in cells `index` (n,)."""
    rows = np.bincount(index)
    member = np.arange(index.size) - (np.cumsum(rows) - rows)[index]
    individual: np.ndarray = (np.cumsum(sizes) - sizes)[index // T] + member
    return individual


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
    recipe: Recipe, rng: np.random.Generator, group: np.ndarray, individual: np.ndarray
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """The covariates' part of the linear predictor, shape (n,), and their columns.

    `group` and `individual` are numbers (n,) from 0.
    """
    linear, columns = np.zeros(group.size), {}
    if (w := recipe.group_covariate) is not None:
        z = rng.standard_normal(recipe.n_groups)[group]
        columns[w.name], linear = w.mean + w.sd * z, linear + w.slope * w.sd * z
    if (x := recipe.individual_covariate) is not None:
        z = rng.standard_normal(individual.max() + 1)[individual]
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
