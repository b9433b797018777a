"""What each mixed-model method answers to a design: one random intercept, or groups in blocks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol

import numpy as np

from groupwise.design import Design
from groupwise.inference.bootstrap import (
    bootstrap_joint,
    critical_values,
    draw_t,
    exceedance,
)
from groupwise.inference.kenward_roger import KenwardRoger, kenward_roger
from groupwise.inference.profile import likelihood_ratio_test, profile_contrasts
from groupwise.inference.random_intercept_df import SmallSample
from groupwise.inference.satterthwaite import satterthwaite, satterthwaite_joint
from groupwise.inference.wald import wald
from groupwise.models.lmm import LmmFit, fit_lmm
from groupwise.models.random_intercept import RandomIntercept, RandomInterceptFit
from groupwise.models.random_terms import RandomTerm
from groupwise.tidy import Answers, Inference, JointTest

BOOTSTRAP_DRAWS, BOOTSTRAP_SEED = 1999, 1
"""1,999 draws: with 2,000 the quantiles of a 95% interval fall on draws."""


class Engine(Protocol):
    """A REML fit of the engine that answers by both small-sample methods."""

    @property
    def singular(self) -> bool: ...
    @property
    def beta(self) -> np.ndarray: ...
    @property
    def std_dev(self) -> dict[str, float]: ...
    @property
    def loglik(self) -> float: ...
    def satterthwaite(self, L: np.ndarray, conf_level: float) -> Inference: ...
    def satterthwaite_joint(self, L: np.ndarray) -> JointTest: ...
    def kenward_roger(self, L: np.ndarray, conf_level: float) -> Inference: ...
    def kenward_roger_joint(self, L: np.ndarray) -> JointTest: ...


def engine(design: Design, y: np.ndarray) -> Engine:
    """The REML fit of (1 | group), or of (1 | block/group) where blocks are random.

    Raises
    ------
    ValueError
        If there is no fit, with the reason.
    """
    if design.block is not None and design.blocks_as == "random":
        block = RandomTerm(design.block, np.ones((design.n_obs, 1)), name="block")
        group = RandomTerm(design.group, np.ones((design.n_obs, 1)), name="group")
        return GeneralEngine(fit_lmm(design.X, y, [group, block]))
    return OneIntercept(RandomIntercept.of(design.X, design.group), y)


@dataclass(frozen=True)
class OneIntercept:
    """One random intercept, from group sums."""

    model: RandomIntercept
    y: np.ndarray

    @cached_property
    def small(self) -> SmallSample:
        fit = self.model.fit(self.y)
        if not fit.converged:
            raise ValueError("The mixed model could not be fitted to these values.")
        return SmallSample(fit)

    @property
    def singular(self) -> bool:
        return bool(self.small.fit.singular)

    @property
    def beta(self) -> np.ndarray:
        return self.small.fit.beta

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


@dataclass(frozen=True)
class GeneralEngine:
    """Any random terms, by blocked Cholesky."""

    fit: LmmFit

    @cached_property
    def adjusted(self) -> KenwardRoger:
        return kenward_roger(self.fit)

    @property
    def singular(self) -> bool:
        return self.fit.singular

    @property
    def beta(self) -> np.ndarray:
        return self.fit.beta

    @property
    def std_dev(self) -> dict[str, float]:
        found = {each.name: float(each.std_dev[0]) for each in self.fit.components}
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


def answers_by(
    design: Design, infer: Callable[[np.ndarray], Inference], joint: JointTest
) -> Answers:
    """Every question of a design put to one function of rows L."""
    return Answers(infer(design.L), infer(design.L_means), infer(np.eye(len(design.terms))), joint)


def satterthwaite_answers(design: Design, fit: Engine, conf_level: float) -> Answers:
    joint = fit.satterthwaite_joint(design.omnibus)
    return answers_by(design, lambda L: fit.satterthwaite(L, conf_level), joint)


def kenward_roger_answers(design: Design, fit: Engine, conf_level: float) -> Answers:
    joint = fit.kenward_roger_joint(design.omnibus)
    return answers_by(design, lambda L: fit.kenward_roger(L, conf_level), joint)


def profile_answers(design: Design, fit: OneIntercept, conf_level: float) -> Answers:
    """ML profile likelihood; the omnibus is the likelihood-ratio test. No profiles of blocks."""
    joint = likelihood_ratio_test(fit.model, fit.y, design.omnibus).single()

    def infer(L: np.ndarray) -> Inference:
        return profile_contrasts(fit.model, fit.y, L, conf_level=conf_level)

    return _without_blocks(design, infer, joint)


def bootstrap_answers(design: Design, fit: OneIntercept, conf_level: float) -> Answers:
    """Studentised parametric bootstrap; the coefficients of blocks are not bootstrapped.

    One set of draws serves every row, and the p-values are those of the intervals: below
    1 - conf_level exactly when the interval excludes 0.
    """
    small = fit.small.fit
    if len(design.omnibus) == 1:  # two arms: one question, one p-value
        one = _studentised(small, design.omnibus, conf_level)
        joint = JointTest(float(one.statistic[0]) ** 2, 1.0, np.nan, float(one.p_value[0]))
    else:
        draws = {"n_draws": BOOTSTRAP_DRAWS, "seed": BOOTSTRAP_SEED}
        joint = bootstrap_joint(small, fit.y, design.omnibus, **draws)
    return _without_blocks(design, lambda L: _studentised(small, L, conf_level), joint)


def _without_blocks(
    design: Design, infer: Callable[[np.ndarray], Inference], joint: JointTest
) -> Answers:
    """Every question but the coefficients of blocks, in one call: rows can be costly."""
    k = len(design.terms)
    wanted = np.setdiff1d(np.arange(k), design.columns("block"))
    found = infer(np.vstack([design.L, design.L_means, np.eye(k)[wanted]]))
    contrasts, means, terms = _split(found, len(design.L), len(design.L_means))
    return Answers(contrasts, means, _spread(terms, wanted, k), joint)


def _studentised(fit: RandomInterceptFit, L: np.ndarray, conf_level: float) -> Inference:
    drawn = draw_t(fit.model, float(fit.theta), L, n_draws=BOOTSTRAP_DRAWS, seed=BOOTSTRAP_SEED)
    found = wald(L, fit.beta, fit.vcov, df=np.inf, conf_level=conf_level)
    half = critical_values(drawn, conf_level) * found.std_error
    return replace(
        found,
        df=np.full(len(L), np.nan),
        p_value=exceedance(drawn, found.statistic),
        conf_low=found.estimate - half,
        conf_high=found.estimate + half,
    )


def _split(found: Inference, *sizes: int) -> list[Inference]:
    """Consecutive rows as answers of their own; the last takes what is left."""
    cuts = np.split(np.arange(len(found.estimate)), np.cumsum(sizes))
    return [_rows(found, rows) for rows in cuts]


def _rows(found: Inference, rows: np.ndarray) -> Inference:
    arrays = {k: v[rows] for k, v in found.columns().items() if k != "conf_level"}
    return Inference(**arrays, conf_level=found.conf_level)


def _spread(found: Inference, wanted: np.ndarray, k: int) -> Inference:
    """The same rows at their places among k, NaN elsewhere."""
    place = np.zeros(k, dtype=int)
    place[wanted] = np.arange(len(wanted))
    return _rows(found, place).mask(np.isin(np.arange(k), wanted))
