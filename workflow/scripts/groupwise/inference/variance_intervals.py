"""Variance components of a mixed model with intervals: sds, shares of the variance, design effects.

Intervals are of the profile likelihood, full for ML estimates (lme4's confint), restricted for
REML's. They exist on the boundary, and a limit there is exactly 0. With random slopes the variance
between groups differs from arm to arm: there is no one share, and no design effect.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from groupwise.inference.limits import Limits
from groupwise.inference.one_intercept_profile import (
    design_effect,
    profile_icc,
    profile_sd_group,
    profile_sd_residual,
)
from groupwise.inference.variance_profile import Estimate, effect_sd, residual_sd, share
from groupwise.models.lmm import LmmFit
from groupwise.models.random_intercept import RandomIntercept

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


def one_intercept_components(
    model: RandomIntercept, y: np.ndarray, *, reml: bool, conf_level: float
) -> list[Component]:
    """Of (1 | group), for one outcome y (n,)."""
    group, residual, icc = (
        profile(model, y[None, :], reml=reml, conf_level=conf_level)
        for profile in (profile_sd_group, profile_sd_residual, profile_icc)
    )
    return [
        Component("group", "Intercept", group, icc, design_effect(icc, model.group_size)),
        Component(RESIDUAL, "", residual, _what_is_left(icc), UNDEFINED),
    ]


def lmm_components(fit: LmmFit, *, reml: bool, conf_level: float) -> list[Component]:
    """Of any random terms, in the order of the fit; the residual is last."""
    at, terms = Estimate.of(fit, reml=reml), fit.model.terms
    intercepts = all(term.q == 1 and np.all(term.Zcols == 1) for term in terms)
    found = []
    for t, term in enumerate(terms):
        icc = share(at, t, conf_level=conf_level) if intercepts else UNDEFINED
        inflation = design_effect(icc, np.bincount(term.codes))
        for i, name in enumerate(term.colnames):
            sd = effect_sd(at, t, i, conf_level=conf_level)
            found.append(Component(term.name, name, sd, icc, inflation))
    total = share(at, None, conf_level=conf_level) if intercepts else UNDEFINED
    if intercepts and len(terms) > 1:
        found.append(_together(found, total))
    residual = residual_sd(at, conf_level=conf_level)
    return [*found, Component(RESIDUAL, "", residual, _what_is_left(total), UNDEFINED)]


def _together(parts: list[Component], icc: Limits) -> Component:
    """All random intercepts; only their share has an interval."""
    sd = np.sqrt(sum(each.std_dev.estimate**2 for each in parts))
    inflation = 1 + sum(each.design_effect.estimate - 1 for each in parts)
    nothing = np.full((2, 1), np.nan)
    return Component(
        TOTAL, "Intercept", Limits(sd, *nothing), icc, Limits(np.asarray(inflation), *nothing)
    )


def _what_is_left(icc: Limits) -> Limits:
    """The residual's share."""
    return Limits(1 - icc.estimate, 1 - icc.conf_high, 1 - icc.conf_low)
