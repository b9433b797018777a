"""Group effects on the scale of log odds or logarithms that give the wanted risks and correlation.

A risk in a group is expit(eta + u), a rate exp(eta + u), with the effect u of the group. The standard
deviation of u is such that the outcome has the intraclass correlation of a scenario, the share of the
variance of risks between groups in p (1 - p), or of that of rates; eta is such that the mean over u,
and over the individuals of the design, is the risk or rate of an arm. Both are found by quadrature, so
any correlation from 0 up to nearly 1 and any risk can be asked for. (The correlation of 0 and 1:
Eldridge, Ukoumunne and Carlin 2009, International Statistical Review 77, 378-394.)
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import special

from groupwise.simulation.event_moments import EventMoments
from groupwise.simulation.processes import Process

NODES, REACH = 401, 8.0
"""Of the trapezoid rule for normal effects, which reach so many standard deviations. Effects of another
distribution have its quantiles at the probabilities of these nodes."""

LARGEST_SD = 200.0
"""Of effects of groups: risks are then 0 or 1 in nearly all of them."""

SMALLEST = 1e-300

MANY_OFFSETS = 200


@dataclass(frozen=True)
class GroupDistribution:
    """Group effects with mean 0 and variance 1, and what scales them.

    Attributes
    ----------
    z, weight : (N,) nodes and weights of a quadrature
    sd : on the scale of the link
    beta : parameters of the distribution of risks (two) or of relative rates (one), if it is theirs
    """

    z: np.ndarray
    weight: np.ndarray
    sd: float
    beta: tuple[float, ...] = ()

    def draw(self, rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        """Standardised logits of beta distributed risks, or logarithms of gamma distributed rates."""
        if len(self.beta) == 2:
            p = rng.beta(*self.beta, shape)
            return self._standardised(_logit(p))
        relative = rng.gamma(self.beta[0], 1 / self.beta[0], shape)
        return self._standardised(np.log(np.maximum(relative, SMALLEST)))

    def _standardised(self, effect: np.ndarray) -> np.ndarray:
        return np.asarray((effect - _mean(self.beta)) / self.sd)


def _logit(p: np.ndarray) -> np.ndarray:
    return np.asarray(special.logit(np.clip(p, SMALLEST, 1 - 1e-16)))


def _mean(beta: tuple[float, ...]) -> float:
    """Mean of the logit of a beta variable, or of the logarithm of a gamma variable with mean 1."""
    first, *second = beta
    return float(special.digamma(first) - (special.digamma(second[0]) if second else np.log(first)))


def normal_nodes() -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights (N,) for a standard normal variable."""
    z = np.linspace(-REACH, REACH, NODES)
    weight = np.exp(-(z**2) / 2)
    return z, weight / weight.sum()


def nodes(process: Process) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights (N,) for the standardised group effects of a process."""
    z, weight = normal_nodes()
    if process.skewed_groups:
        z = -special.log_ndtr(-z) - 1
    elif np.isfinite(process.group_df):
        tail = -special.stdtrit(process.group_df, special.ndtr(-np.abs(z)))
        z = np.sign(z) * tail / np.sqrt(process.group_df / (process.group_df - 2))
    return z, weight


def group_distribution(
    moments: EventMoments, process: Process, *, mean: float, icc: float
) -> GroupDistribution:
    """Effects of groups for which an outcome with this mean has this intraclass correlation."""
    if icc <= 0:
        return GroupDistribution(*normal_nodes(), 0.0)
    if process.conjugate:
        return _conjugate(moments, mean, icc)
    z, weight = nodes(process)
    if moments.is_binary:
        return GroupDistribution(z, weight, _sd_of_logits(mean, icc, z, weight))
    return GroupDistribution(z, weight, float(np.sqrt(np.log1p(_relative(moments, mean, icc)))))


def _relative(moments: EventMoments, mean: float, icc: float) -> float:
    """Variance of rates between groups over the square of their mean."""
    return icc / (1 - icc) * moments.within(mean) / mean**2


def _conjugate(moments: EventMoments, mean: float, icc: float) -> GroupDistribution:
    """Beta distributed risks, or gamma distributed rates."""
    x, weight = normal_nodes()
    q = special.ndtr(x)
    if moments.is_binary:
        total = (1 - icc) / icc
        beta: tuple[float, ...] = (mean * total, (1 - mean) * total)
        effect = _logit(special.betaincinv(*beta, q))
    else:
        beta = (1 / _relative(moments, mean, icc),)
        effect = np.log(np.maximum(special.gammaincinv(beta[0], q) / beta[0], SMALLEST))
    sd = float(np.sqrt(sum(special.polygamma(1, each) for each in beta)))
    z = (effect - _mean(beta)) / sd
    return GroupDistribution(z, weight, sd, beta)


def _sd_of_logits(mean: float, icc: float, z: np.ndarray, weight: np.ndarray) -> float:
    """The standard deviation at which risks with this mean have this share of p (1 - p)."""
    from scipy import optimize  # slow to load, and needed by searches alone

    def beyond(log_sd: float) -> float:
        effects = np.exp(log_sd) * z
        p = special.expit(logit_intercept(mean, effects, weight) + effects)
        return float(weight @ p**2 - mean**2 - icc * mean * (1 - mean))

    low, high = np.log(1e-4), np.log(LARGEST_SD)
    if beyond(high) <= 0:
        return LARGEST_SD
    return float(np.exp(optimize.brentq(beyond, low, high, xtol=1e-10)))


def logit_intercept(
    mean: float,
    effects: np.ndarray,
    weight: np.ndarray,
    offset: np.ndarray | None = None,
    share: np.ndarray | None = None,
) -> float:
    """eta at which the mean of expit(eta + offset + effect) over both is `mean`.

    Effects have the weights (N,), offsets the shares (m,); without any offset is 0.
    """
    from scipy import optimize

    offset = np.zeros(1) if offset is None else offset
    share = np.ones(1) if share is None else share
    reach = np.abs(effects[weight > 0]).max() + np.abs(offset).max() + 1

    def beyond(eta: float) -> float:
        p = special.expit(eta + offset[:, None] + effects)
        return float(share @ p @ weight - mean)

    centre = float(special.logit(mean))
    return float(optimize.brentq(beyond, centre - reach, centre + reach, xtol=1e-12))


@dataclass(frozen=True)
class LinkScale:
    """The linear predictors of a scenario: what outcomes of events are drawn from.

    Attributes
    ----------
    moments
    means : (J,) risks or rates of the arms, over all groups and individuals
    groups : distribution of group effects
    spread : (J,) standard deviation of group effects by arm, over that of the reference
    sd_others : (J,) of what else is random, normal and on the scale of the link
    offset, share
        (m,) what covariates, periods and blocks add for some of the individuals, and their share
    """

    moments: EventMoments
    means: np.ndarray
    groups: GroupDistribution
    spread: np.ndarray
    sd_others: np.ndarray
    offset: np.ndarray
    share: np.ndarray

    @cached_property
    def eta(self) -> np.ndarray:
        """(J,) intercepts of the arms."""
        arms = zip(self.means, self.spread * self.groups.sd, self.sd_others, strict=True)
        return np.array([self._intercept(*arm) for arm in arms])

    @cached_property
    def overdispersion(self) -> float:
        """Variance of the relative rates of individuals in a group, of counts beyond Poisson.

        What individuals vary by is that of the outcome at any correlation, so it is less where groups
        differ more.
        """
        v = 1 / self.groups.beta[0] if self.groups.beta else np.expm1(self.groups.sd**2)
        return float(self.moments.excess / (1 + v))

    def _intercept(self, mean: float, sd: float, sd_others: float) -> float:
        effects, weight = self._effects(sd, sd_others)
        if self.moments.is_binary:
            return logit_intercept(mean, effects, weight, self.offset, self.share)
        average = self.share @ np.exp(self.offset)
        beta = self.groups.beta
        log_mean = -_mean(beta) if beta else sd**2 / 2
        return float(np.log(mean / average) - log_mean - sd_others**2 / 2)

    def _effects(self, sd: float, sd_others: float) -> tuple[np.ndarray, np.ndarray]:
        """Nodes and weights of all that is random; its shape is that of the group effects."""
        if sd == 0:
            z, weight = normal_nodes()
            return sd_others * z, weight
        return np.hypot(sd, sd_others) * self.groups.z, self.groups.weight

    def expected(self, arm: np.ndarray, offset: np.ndarray) -> np.ndarray:
        """(m,) risks or rates of individuals in arms (m,), over all group effects."""
        out = np.empty(len(arm))
        for j, (sd, others) in enumerate(
            zip(self.spread * self.groups.sd, self.sd_others, strict=True)
        ):
            of_arm = arm == j
            distinct, place = np.unique(offset[of_arm], return_inverse=True)
            if self.moments.is_binary:
                effects, weight = self._effects(sd, others)
                p = special.expit(self.eta[j] + distinct[:, None] + effects) @ weight
            else:
                p = self.means[j] * np.exp(distinct) / (self.share @ np.exp(self.offset))
            out[of_arm] = p[place]
        return out


def distinct_offsets(offset: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distinct offsets and their shares of a total weight; many are rounded to hundredths."""
    values, place = np.unique(offset.round(10), return_inverse=True)
    if len(values) > MANY_OFFSETS:
        values, place = np.unique(offset.round(2), return_inverse=True)
    total = np.bincount(place.reshape(-1), weight)
    return values, total / total.sum()
