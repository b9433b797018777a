"""Profile likelihood of effects in mixed models with any random-effects terms.

As `profile` for one random intercept: l'beta is fixed, and the smaller model is fitted by the
engine. Here one deviance is evaluated at a time, each the minimum of a search over theta.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import stats

from groupwise.inference.profile import Deviance, LikelihoodRatio, both_sides
from groupwise.models.lmm import LmmFit, search
from groupwise.models.newton import Minimum
from groupwise.models.pls import eliminate, solve_gls
from groupwise.models.restricted import restrict
from groupwise.tidy import Inference


@dataclass(frozen=True)
class MaximumLikelihood:
    """The ML fit of the model that `fit` is of: what profiles of effects start from."""

    fit: LmmFit

    @cached_property
    def found(self) -> Minimum:
        """theta (of scaled columns) and the least deviance."""
        return search(self.fit.products, False, near=self.fit.scaled_theta)

    @cached_property
    def estimates(self) -> tuple[np.ndarray, np.ndarray]:
        """Effects (p,) of Q, and their covariance (p, p)."""
        outcome, x = self.fit.outcome, self.fit.products
        gls = solve_gls(eliminate(x, x.parameters.omega(self.found.x)).cross)
        variance = outcome.scale**2 * gls.rss / x.df(reml=False)
        return outcome.b + outcome.scale * gls.beta, variance * gls.Phi

    def bound(self, L: np.ndarray, value: np.ndarray, near: np.ndarray | None = None) -> Minimum:
        """The least deviance where L beta, rows L (r, p) in Q's basis, is `value` (r,)."""
        products = restrict(self.fit.outcome, L, value)
        return search(products, False, near=self.found.x if near is None else near)


def profile_contrasts_lmm(
    ml: MaximumLikelihood, L: np.ndarray, *, conf_level: float, limits: bool = True
) -> Inference:
    """Profile-likelihood inference for the rows of L beta, shape (k, p).

    Estimates and standard errors are those of ML; `statistic` is the signed root of the likelihood
    ratio, as in `profile.profile_contrasts`. Without `limits`, which take most of the time, they are
    NaN.
    """
    beta, vcov = ml.estimates
    rows = ml.fit.in_Q(L)
    estimate = rows @ beta
    std_error = np.sqrt(np.einsum("ij,jk,ik->i", rows, vcov, rows))
    found = [
        _profile_row(ml, row, float(at), float(se), conf_level, limits=limits)
        for row, at, se in zip(rows, estimate, std_error, strict=True)
    ]
    low, high, ratio = np.array(found).reshape(-1, 3).T
    root = np.sign(estimate) * np.sqrt(np.maximum(ratio, 0))
    return Inference(
        estimate=estimate,
        std_error=std_error,
        statistic=root,
        df=np.full(len(rows), np.inf),
        p_value=2 * stats.norm.sf(np.abs(root)),
        conf_low=low,
        conf_high=high,
        conf_level=conf_level,
    )


def covered_lmm(
    ml: MaximumLikelihood, L: np.ndarray, value: np.ndarray, *, conf_level: float
) -> np.ndarray:
    """(k,) whether the profile interval of each row of L beta (k, p) holds its `value` (k,).

    Without finding its ends: what it holds is what the likelihood-ratio test does not reject.
    """
    most = stats.chi2.ppf(conf_level, 1)
    rows = ml.fit.in_Q(L)
    deviances = [ml.bound(row[None], v[None]).value for row, v in zip(rows, value, strict=True)]
    return np.array(deviances) - ml.found.value <= most


def _profile_row(
    ml: MaximumLikelihood,
    row: np.ndarray,
    estimate: float,
    std_error: float,
    conf_level: float,
    *,
    limits: bool,
) -> tuple[float, float, float]:
    """Lower and upper limits, and the likelihood ratio of l'beta = 0."""

    def least(delta: float, near: np.ndarray) -> Minimum:
        return ml.bound(row[None, :], np.array([delta]), near)

    if not limits:
        return np.nan, np.nan, least(0.0, ml.found.x).value - ml.found.value
    deviance = followed(least, estimate, ml.found.x)
    step = stats.norm.ppf(0.5 + conf_level / 2) * std_error
    low, high = both_sides(
        deviance,
        np.array([estimate]),
        np.array([step]),
        np.array([ml.found.value]),
        conf_level,
    )
    return float(low[0]), float(high[0]), least(0.0, ml.found.x).value - ml.found.value


def likelihood_ratio_lmm(ml: MaximumLikelihood, L: np.ndarray) -> LikelihoodRatio:
    """ML likelihood-ratio test that every row of L beta is zero."""
    rows = ml.fit.in_Q(L)
    df = int(np.linalg.matrix_rank(rows))
    statistic = np.maximum(ml.bound(rows, np.zeros(len(rows))).value - ml.found.value, 0)
    return LikelihoodRatio(statistic, df, stats.chi2.sf(statistic, df))


def followed(
    least: Callable[[float, np.ndarray], Minimum], value: float, start: np.ndarray
) -> Deviance:
    """A profile deviance for root-finding from one that is sought from a start, value by value.

    `start` is where the minimum is at `value`; each search begins where the nearest one so far ended.
    """
    known = {value: start}

    def one(x: float) -> float:
        found = least(x, known[min(known, key=lambda seen: abs(seen - x))])
        known[x] = found.x
        return found.value

    return lambda x, which: np.array([one(float(each)) for each in x])
