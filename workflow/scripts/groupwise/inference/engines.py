"""The engine that fits the mixed model of a design, and all that it can be asked.

(1 | group) alone goes by group sums; any other random terms by blocked Cholesky.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np

from groupwise.design import Design
from groupwise.inference.bootstrap import bootstrap_joint, draw_t, studentised
from groupwise.inference.held_sd import HeldSd, hold_effect, hold_one_intercept
from groupwise.inference.kenward_roger import KenwardRoger, kenward_roger
from groupwise.inference.lmm_bootstrap import bootstrap_joint_lmm, draw_t_lmm
from groupwise.inference.lmm_profile import (
    MaximumLikelihood,
    likelihood_ratio_lmm,
    profile_contrasts_lmm,
)
from groupwise.inference.outliers import Studentised, studentise
from groupwise.inference.profile import (
    GroupVarianceTest,
    Limits,
    group_variance_test,
    likelihood_ratio_test,
    profile_contrasts,
    profile_sd_group,
)
from groupwise.inference.random_intercept_df import SmallSample
from groupwise.inference.satterthwaite import satterthwaite, satterthwaite_joint
from groupwise.inference.variance_intervals import (
    Component,
    lmm_components,
    one_intercept_components,
)
from groupwise.inference.variance_profile import Estimate, effect_sd
from groupwise.inference.variance_test import group_variance_test_lmm
from groupwise.inference.wald import wald
from groupwise.models.lmm import LmmFit, fit_lmm
from groupwise.models.random_intercept import RandomIntercept
from groupwise.models.random_terms import RandomTerm, random_intercept
from groupwise.tidy import Inference, JointTest


@dataclass(frozen=True)
class Draws:
    """How many replicates a bootstrap has, and its seed."""

    n_draws: int
    seed: int


class Engine(Protocol):
    """A REML fit of the engine that answers by every method."""

    @property
    def singular(self) -> bool: ...
    @property
    def beta(self) -> np.ndarray: ...
    @property
    def vcov(self) -> np.ndarray: ...
    @property
    def std_dev(self) -> dict[str, float]: ...
    @property
    def loglik(self) -> float: ...
    def satterthwaite(self, L: np.ndarray, conf_level: float) -> Inference: ...
    def satterthwaite_joint(self, L: np.ndarray) -> JointTest: ...
    def kenward_roger(self, L: np.ndarray, conf_level: float) -> Inference: ...
    def kenward_roger_joint(self, L: np.ndarray) -> JointTest: ...
    def profile(self, L: np.ndarray, conf_level: float) -> Inference: ...
    def likelihood_ratio(self, L: np.ndarray) -> JointTest: ...
    def bootstrap(self, L: np.ndarray, conf_level: float, draws: Draws) -> Inference: ...
    def bootstrap_joint(self, L: np.ndarray, draws: Draws) -> JointTest: ...
    def components(self, *, reml: bool, conf_level: float) -> list[Component]: ...
    def group_variance_test(self, draws: Draws) -> GroupVarianceTest: ...
    def unusual_groups(self) -> Studentised: ...
    @property
    def group_effects(self) -> tuple[str, ...]: ...
    def sd_limits(self, effect: int, *, reml: bool, conf_level: float) -> Limits: ...
    def hold_sd(self, effect: int, sd: np.ndarray, *, reml: bool) -> HeldSd: ...
    @property
    def residual(self) -> np.ndarray: ...
    @property
    def work(self) -> int: ...


def engine(design: Design, y: np.ndarray) -> Engine:
    """The REML fit of the design's random terms.

    Raises
    ------
    ValueError
        If there is no fit, with the reason.
    """
    if has_one_intercept(design):
        return OneIntercept.of(RandomIntercept.of(design.X, design.group), y)
    fit = fit_lmm(design.X, y, random_terms(design))
    if not fit.converged:
        raise ValueError(fit.message)
    return GeneralEngine(fit)


def has_one_intercept(design: Design) -> bool:
    """Is the groups' intercept all of `random_terms`?"""
    fixed_blocks = design.block is None or design.blocks_as == "fixed"
    return design.random_slopes == "none" and design.second is None and fixed_blocks


def random_terms(design: Design) -> list[RandomTerm]:
    """`group` with an intercept (and the arms' effects where there are slopes), `block`, `second`.

    Blocks have a term where they are random, a second grouping where there is one.
    """
    Z, names = np.ones((design.n_obs, 1)), design.arm_labels[:0]
    if design.random_slopes != "none":
        Z = np.hstack([Z, design.arm[:, None] == np.arange(1, len(design.arm_labels))])
        names = design.arm_labels[1:]
    correlated = design.random_slopes != "diagonal"
    terms = [
        RandomTerm(design.group, Z, correlated, "group", design.group_labels, ("Intercept", *names))
    ]
    if design.block is not None and design.blocks_as == "random":
        terms.append(random_intercept(design.block, name="block", labels=design.block_labels))
    if design.second is not None:
        terms.append(random_intercept(design.second, name="second", labels=design.second_labels))
    return terms


@dataclass(frozen=True)
class OneIntercept:
    """One random intercept, from group sums."""

    y: np.ndarray
    small: SmallSample

    @classmethod
    def of(cls, model: RandomIntercept, y: np.ndarray) -> OneIntercept:
        """The fit; ValueError where there is none."""
        fit = model.fit(y)
        if not fit.converged:
            raise ValueError("The mixed model could not be fitted to these values.")
        return cls(y, SmallSample(fit))

    @property
    def model(self) -> RandomIntercept:
        return self.small.fit.model

    @property
    def singular(self) -> bool:
        return bool(self.small.fit.singular)

    @property
    def beta(self) -> np.ndarray:
        return self.small.fit.beta

    @property
    def vcov(self) -> np.ndarray:
        return self.small.fit.vcov

    @property
    def std_dev(self) -> dict[str, float]:
        fit = self.small.fit
        return {"group": float(fit.var_group) ** 0.5, "residual": float(fit.var_residual) ** 0.5}

    @property
    def loglik(self) -> float:
        return float(self.small.fit.loglik)

    def satterthwaite(self, L: np.ndarray, conf_level: float) -> Inference:
        return self.small.satterthwaite(L, conf_level=conf_level)

    def satterthwaite_joint(self, L: np.ndarray) -> JointTest:
        return self.small.satterthwaite_joint(L).single()

    def kenward_roger(self, L: np.ndarray, conf_level: float) -> Inference:
        return self.small.kenward_roger(L, conf_level=conf_level)

    def kenward_roger_joint(self, L: np.ndarray) -> JointTest:
        return self.small.kenward_roger_joint(L).single()

    def profile(self, L: np.ndarray, conf_level: float) -> Inference:
        return profile_contrasts(self.model, self.y, L, conf_level=conf_level)

    def likelihood_ratio(self, L: np.ndarray) -> JointTest:
        return likelihood_ratio_test(self.model, self.y, L).single()

    def bootstrap(self, L: np.ndarray, conf_level: float, draws: Draws) -> Inference:
        fit = self.small.fit
        drawn = draw_t(fit.model, float(fit.theta), L, **vars(draws))
        found = wald(L, fit.beta, fit.vcov, df=np.inf, conf_level=conf_level)
        return studentised(found, drawn)

    def bootstrap_joint(self, L: np.ndarray, draws: Draws) -> JointTest:
        return bootstrap_joint(self.small.fit, self.y, L, **vars(draws))

    def components(self, *, reml: bool, conf_level: float) -> list[Component]:
        return one_intercept_components(self.model, self.y, reml=reml, conf_level=conf_level)

    def group_variance_test(self, draws: Draws) -> GroupVarianceTest:
        return group_variance_test(self.model, self.y, seed=draws.seed)

    def unusual_groups(self) -> Studentised:
        fit, model = self.small.fit, self.model
        blup, conditional = fit.blups()
        known = float(fit.var_group) - conditional**2
        weight = float(fit.theta) ** 2 / (1 + float(fit.theta) ** 2 * model.group_size)
        leverage = np.einsum("gi,ij,gj->g", model.S, fit.F, model.S)
        variance = known - float(fit.var_residual) * weight**2 * leverage
        return studentise(blup, *(np.sqrt(np.maximum(each, 0)) for each in (known, variance)))

    @property
    def group_effects(self) -> tuple[str, ...]:
        """What differs between groups: the intercept, and with random slopes the arms' effects."""
        return ("Intercept",)

    def sd_limits(self, effect: int, *, reml: bool, conf_level: float) -> Limits:
        """Profile interval (1,) of the sd of one of the `group_effects`."""
        return profile_sd_group(self.model, self.y[None], reml=reml, conf_level=conf_level)

    def hold_sd(self, effect: int, sd: np.ndarray, *, reml: bool) -> HeldSd:
        """The model with that sd held at `sd` (m,)."""
        return hold_one_intercept(self.model, self.y, sd, reml=reml)

    @property
    def residual(self) -> np.ndarray:
        """(n,) what effects and predicted group effects leave."""
        blup, _ = self.small.fit.blups()
        left: np.ndarray = self.y - self.model.X @ self.beta - blup[self.model.group]
        return left

    @property
    def work(self) -> int:
        """What a fit costs beyond a pass over the data, in products of random effects."""
        return 0


@dataclass(frozen=True)
class GeneralEngine:
    """Any random terms, by blocked Cholesky."""

    fit: LmmFit

    @cached_property
    def adjusted(self) -> KenwardRoger:
        return kenward_roger(self.fit)

    @cached_property
    def ml(self) -> MaximumLikelihood:
        return MaximumLikelihood(self.fit)

    @property
    def singular(self) -> bool:
        return self.fit.singular

    @property
    def beta(self) -> np.ndarray:
        return self.fit.beta

    @property
    def vcov(self) -> np.ndarray:
        return self.fit.vcov

    @property
    def std_dev(self) -> dict[str, float]:
        """By term; effects of a term that has several are named after it: `group: small`."""
        found: dict[str, float] = {}
        for each in self.fit.components:
            names = [each.name, *(f"{each.name}: {column}" for column in each.colnames[1:])]
            found |= dict(zip(names, map(float, each.std_dev), strict=True))
        return found | {"residual": self.fit.sigma}

    @property
    def loglik(self) -> float:
        return self.fit.loglik

    def satterthwaite(self, L: np.ndarray, conf_level: float) -> Inference:
        df = satterthwaite(self.fit, L)
        return wald(L, self.fit.beta, self.fit.vcov, df=df, conf_level=conf_level)

    def satterthwaite_joint(self, L: np.ndarray) -> JointTest:
        return satterthwaite_joint(self.fit, L)

    def kenward_roger(self, L: np.ndarray, conf_level: float) -> Inference:
        found = self.adjusted
        return wald(L, found.beta, found.vcov_adjusted, df=found.df(L), conf_level=conf_level)

    def kenward_roger_joint(self, L: np.ndarray) -> JointTest:
        return self.adjusted.joint(L)

    def profile(self, L: np.ndarray, conf_level: float) -> Inference:
        return profile_contrasts_lmm(self.ml, L, conf_level=conf_level)

    def likelihood_ratio(self, L: np.ndarray) -> JointTest:
        return likelihood_ratio_lmm(self.ml, L).single()

    def bootstrap(self, L: np.ndarray, conf_level: float, draws: Draws) -> Inference:
        drawn = draw_t_lmm(self.fit, L, **vars(draws))
        found = wald(L, self.fit.beta, self.fit.vcov, df=np.inf, conf_level=conf_level)
        return studentised(found, drawn)

    def bootstrap_joint(self, L: np.ndarray, draws: Draws) -> JointTest:
        return bootstrap_joint_lmm(self.fit, L, **vars(draws))

    def components(self, *, reml: bool, conf_level: float) -> list[Component]:
        return lmm_components(self.fit, reml=reml, conf_level=conf_level)

    def group_variance_test(self, draws: Draws) -> GroupVarianceTest:
        return group_variance_test_lmm(self.fit, n_refits=draws.n_draws, seed=draws.seed)

    def unusual_groups(self) -> Studentised:
        """By the first effect, which is the intercept."""
        effects = next(each for each in self.fit.random_effects if each.name == "group")
        own = next(each for each in self.fit.components if each.name == "group")
        known = own.covariance[0, 0] - effects.std_error[:, 0] ** 2
        known = np.sqrt(np.maximum(known, 0))
        return studentise(effects.estimate[:, 0], known, effects.spread[:, 0])

    @property
    def group_effects(self) -> tuple[str, ...]:
        return next(term.colnames for term in self.fit.structure.terms if term.name == "group")

    def sd_limits(self, effect: int, *, reml: bool, conf_level: float) -> Limits:
        names = [term.name for term in self.fit.structure.terms]
        at = Estimate.of(self.fit, reml=reml)
        return effect_sd(at, names.index("group"), effect, conf_level=conf_level)

    def hold_sd(self, effect: int, sd: np.ndarray, *, reml: bool) -> HeldSd:
        return hold_effect(self.fit, "group", effect, sd, reml=reml)

    @property
    def residual(self) -> np.ndarray:
        return self.fit.residual

    @property
    def work(self) -> int:
        """Products of the effects of the factor that is eliminated first with all others, squared."""
        G, q, m = self.fit.products.C.shape
        return int(G * q * max(q, m) ** 2)
