"""A standard deviation between groups held at given values: the likelihood, and the effects given it.

All other variances are at their optimum given the one that is held, so that at the estimate the
effects and their covariance are those of the fit itself, and at 0 those of a model without it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from groupwise.inference.one_intercept_profile import GivenGroup
from groupwise.inference.variance_profile import Estimate, Held, OwnSd, own_sd
from groupwise.models.lmm import LmmFit
from groupwise.models.lmm_likelihood import eliminate, solve_gls
from groupwise.models.random_intercept import Profiled, RandomIntercept, deviance_at, minimise


@dataclass(frozen=True)
class HeldSd:
    """What the model says with the sd held at m values.

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


def hold_one_intercept(
    model: RandomIntercept, y: np.ndarray, sd: np.ndarray, *, reml: bool
) -> HeldSd:
    """The sd of the groups held at `sd` (m,) for one random intercept and one outcome y (n,)."""
    sums = model.sums(y[None])
    whole, same = model.profile(sums, reml=reml), np.zeros(len(sd), dtype=int)
    least = deviance_at(whole, minimise(whole, Profiled(whole.df)).lam)
    profile, inside = whole.take(same), sd > 0
    given = GivenGroup(np.where(inside, sd, 1.0) ** 2, profile.df)
    lam = np.where(inside, minimise(profile, given).lam, 0.0)
    logdet, q = profile.value(lam)
    fit = model.fit_sums(sums.take(same), reml=reml, theta=np.sqrt(lam))
    with np.errstate(divide="ignore", invalid="ignore"):
        residual = np.where(inside, sd**2 / lam, q / profile.df)
        value = np.where(inside, given.value(lam, logdet, q), deviance_at(profile, lam))
    vcov = fit.vcov * (residual / fit.var_residual)[:, None, None]
    return HeldSd(sd, np.maximum(value - least, 0), lam / (1 + lam), fit.beta, vcov)


def hold_effect(fit: LmmFit, name: str, i: int, sd: np.ndarray, *, reml: bool) -> HeldSd:
    """The sd of effect i of the term of this name held at `sd` (m,), for any random terms."""
    t = next(t for t, term in enumerate(fit.model.terms) if term.name == name)
    own = own_sd(Estimate.of(fit, reml=reml), t, i)
    known = {own.estimate: own.at.without(own.r)}
    rows = {}
    # From the estimate outwards: each search begins where the nearest one ended.
    for value in sorted(map(float, sd), key=lambda value: abs(value - own.estimate)):
        nearest = min(known, key=lambda seen: abs(seen - value))
        least, known[value] = own.least(value, known[nearest])
        deviance = max(least - own.at.deviance, 0.0)
        rows[value] = (deviance, *_effects(own, own.hold(value)(known[value])))
    columns = zip(*(rows[float(value)] for value in sd), strict=True)
    return HeldSd(np.asarray(sd), *(np.array(column) for column in columns))


def _effects(own: OwnSd, held: Held) -> tuple[float, np.ndarray, np.ndarray]:
    """The share of theta_r, effects (p,) and their covariance (p, p) at phi."""
    at, theta, variance = own.at, held.phi[:-1], np.exp(2 * held.phi[-1])
    gls, root = solve_gls(eliminate(at.sums, theta[None]).cross), at.model.to_beta
    beta = root @ (at.sums.b[0] + at.scale * gls.beta[0])
    vcov = at.scale**2 * variance * root @ gls.Phi[0] @ root.T
    intercepts = all(term.q == 1 and np.all(term.Zcols == 1) for term in at.model.terms)
    icc = float(theta[own.r] ** 2 / (1 + theta @ theta)) if intercepts else np.nan
    return icc, beta, vcov
