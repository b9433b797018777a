"""Variance components of a mixed model with intervals: sds, shares of the variance, design effects.

Intervals are of the profile likelihood, full for ML estimates (lme4's confint), restricted for
REML's. They exist on the boundary, and a limit there is exactly 0. With random slopes the variance
between groups differs from arm to arm: there is no one share, and no design effect.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from groupwise.inference.limits import Limits, Parameter

UNDEFINED = Limits(*np.full((3, 1), np.nan))
TOTAL, RESIDUAL = "total", "residual"


@dataclass(frozen=True)
class Component:
    """One effect of one level; `level` is a term's name, `TOTAL` or `RESIDUAL`; arrays (1,).

    `icc` is its share of the variance, `design_effect` 1 + (m - 1) icc. `TOTAL` stands for all random
    intercepts together; its sd has no interval.
    """

    level: str
    term: str
    std_dev: Limits
    icc: Limits
    design_effect: Limits


@dataclass(frozen=True)
class HeldSd:
    """The fits of a model with one standard deviation held at m values.

    All other variances are at their optimum given the one that is held, so that at the estimate the
    effects and their covariance are those of the fit itself, and at 0 those of a model without it.

    Attributes
    ----------
    sd : (m,)
    deviance : (m,) twice what the log-likelihood is below its maximum
    icc : (m,) share of the groups in the variance; NaN where there is no one share
    beta, vcov : (m, p), (m, p, p)
    """

    sd: np.ndarray
    deviance: np.ndarray
    icc: np.ndarray
    beta: np.ndarray
    vcov: np.ndarray

    def covariance(self, L: np.ndarray) -> np.ndarray:
        """(m, k, k) of L beta, L (k, p)."""
        return np.asarray(L @ self.vcov @ L.T)


@dataclass(frozen=True)
class Level:
    """A random term: its name, its q columns, and how many rows each of its levels has, (L,)."""

    name: str
    colnames: tuple[str, ...]
    size: np.ndarray


class Variances(Protocol):
    """The variance parameters of a fit, by REML or ML, each with its profile deviance."""

    @property
    def terms(self) -> list[Level]:
        """In the order of the model."""

    @property
    def intercepts_only(self) -> bool:
        """Whether every term is a random intercept."""

    def effect_sd(self, t: int, i: int) -> Parameter:
        """The standard deviation of column i of term t."""

    def residual_sd(self) -> Parameter: ...

    def share(self, t: int | None) -> Parameter:
        """Share of the variance that is term t's, or (None) all random terms'."""

    def hold_sd(self, t: int, i: int, sd: np.ndarray) -> HeldSd:
        """The model with the sd of column i of term t held at `sd` (m,)."""


def components_of(variances: Variances, conf_level: float) -> list[Component]:
    """Every random effect of a single outcome; the residual is last."""
    shared, terms = variances.intercepts_only, variances.terms
    parts = []
    for t, term in enumerate(terms):
        icc = variances.share(t).limits(conf_level) if shared else UNDEFINED
        inflation = design_effect(icc, term.size)
        for i, name in enumerate(term.colnames):
            sd = variances.effect_sd(t, i).limits(conf_level)
            parts.append(Component(term.name, name, sd, icc, inflation))
    total = parts[0].icc
    if shared and len(terms) > 1:
        total = variances.share(None).limits(conf_level)
        parts.append(_together(parts, total))
    residual = variances.residual_sd().limits(conf_level)
    return [*parts, Component(RESIDUAL, "", residual, _residual_share(total), UNDEFINED)]


def design_effect(icc: Limits, group_size: np.ndarray) -> Limits:
    """1 + (m - 1) icc with m = sum n_g^2 / n (Kish 1965): how groups inflate a mean's variance.

    It increases with the icc, so the limits carry over.
    """
    m = float((group_size.astype(float) ** 2).sum() / group_size.sum())
    return icc.mapped(lambda share: 1 + (m - 1) * share)


def _together(parts: list[Component], icc: Limits) -> Component:
    """All random intercepts; only their share has an interval."""
    sd = np.sqrt(sum(each.std_dev.estimate**2 for each in parts))
    inflation = 1 + sum(each.design_effect.estimate - 1 for each in parts)
    no_limits = np.full((2, 1), np.nan)
    return Component(
        TOTAL, "Intercept", Limits(sd, *no_limits), icc, Limits(np.asarray(inflation), *no_limits)
    )


def _residual_share(icc: Limits) -> Limits:
    """The residual's share."""
    return Limits(1 - icc.estimate, 1 - icc.conf_high, 1 - icc.conf_low)
