"""Draw events and counts: risks or rates of arms, and groups that differ on the scale of the link.

    log odds of a risk, or logarithm of a rate: eta_i = eta(arm_i) + u_i, u_i ~ N(0, sd_group^2)

eta(arm) is such that the mean over all groups is the risk or the rate of the arm. A binary outcome is a
Bernoulli draw, a count a Poisson draw whose mean is the rate times the exposure. The ICC of the outcome
is the share of its variance that lies between groups: Var(p) / (pi (1 - pi)) of risks p with mean pi;
of counts t^2 Var(r) / (t^2 Var(r) + t lambda) of rates r with mean lambda at an exposure of t.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from groupwise.data.simulated_kind import FAMILY, means_key
from groupwise.data.simulated_sequences import arms_of

NODES = 120
"""Of integrals over normal effects of groups."""
LARGEST_SD = 50.0
"""Beyond this standard deviation of log odds nearly every risk is 0 or 1."""


@dataclass(frozen=True)
class EventProcess:
    """How events of a simulation come about.

    Attributes
    ----------
    family : `binary` or `count`
    means : the risk or the rate of each arm, over all groups
    sd_group : of groups, on the scale of the link
    exposure : of each individual; as `min` and `max` drawn from a range; None where there is none
    """

    family: str
    means: Mapping[str, float]
    sd_group: float
    exposure: float | Mapping[str, float] | None = None

    @classmethod
    def of(cls, recipe: Mapping[str, Any]) -> EventProcess | None:
        """That of a recipe's settings; None where it draws numbers."""
        key = means_key(recipe)
        if key is None:
            return None
        exposure = recipe.get("exposure")
        means = {arm: float(recipe[key][arm]) for arm in arms_of(recipe)}
        process = cls(FAMILY[key], means, float(recipe.get("sd_group") or 0.0), exposure)
        icc = recipe.get("icc")
        if icc is None:
            return process
        first = next(iter(means.values()))
        sd = sd_for(float(icc), first, process.family, process.mean_exposure)
        return cls(process.family, means, sd, exposure)

    @property
    def mean_exposure(self) -> float:
        if isinstance(self.exposure, Mapping):
            return (self.exposure["min"] + self.exposure["max"]) / 2
        return 1.0 if self.exposure is None else float(self.exposure)

    @property
    def icc(self) -> float:
        """Of the outcome, in the arm that is listed first."""
        first = next(iter(self.means.values()))
        return icc_of(self.sd_group, first, self.family, self.mean_exposure)

    def level(self, arm: str) -> float:
        """eta(arm), on the scale of the link."""
        return level_for(self.means[arm], self.sd_group, self.family)

    def outcomes(
        self, rng: np.random.Generator, eta: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Events (n,) of individuals with these log odds or logarithms of rates; their exposures."""
        if self.family == "binary":
            from scipy import special  # slow to load, and not needed by other outcomes

            return rng.binomial(1, special.expit(eta)), None
        exposure = self._exposures(rng, eta.size)
        return rng.poisson(np.exp(eta) * (1.0 if exposure is None else exposure)), exposure

    def _exposures(self, rng: np.random.Generator, n: int) -> np.ndarray | None:
        """(n,) whole numbers where both ends of the range are."""
        if self.exposure is None:
            return None
        if not isinstance(self.exposure, Mapping):
            return np.full(n, self.exposure)
        low, high = self.exposure["min"], self.exposure["max"]
        if float(low).is_integer() and float(high).is_integer():
            return rng.integers(int(low), int(high), endpoint=True, size=n)
        return rng.uniform(low, high, n)


def level_for(mean: float, sd: float, family: str) -> float:
    """The log odds, or the logarithm of the rate, of a group without effect, for a mean over all."""
    if family == "count":
        return float(np.log(mean)) - sd**2 / 2
    from scipy import optimize, special

    if sd == 0:
        return float(special.logit(mean))
    z, weight = _nodes()
    middle = float(special.logit(mean)) * np.sqrt(1 + sd**2)
    gap = lambda eta: float(special.expit(eta + sd * z) @ weight) - mean  # noqa: E731
    return float(optimize.brentq(gap, middle - 5 - 5 * sd, middle + 5 + 5 * sd, xtol=1e-12))


def icc_of(sd: float, mean: float, family: str, exposure: float = 1.0) -> float:
    """The ICC of an outcome whose groups have this standard deviation on the scale of the link."""
    if family == "count":
        between = exposure * mean * float(np.expm1(sd**2))
        return between / (between + 1)
    from scipy import special

    z, weight = _nodes()
    risk = special.expit(level_for(mean, sd, family) + sd * z)
    return float((risk - mean) ** 2 @ weight) / (mean * (1 - mean))


def sd_for(icc: float, mean: float, family: str, exposure: float = 1.0) -> float:
    """The standard deviation on the scale of the link that gives an outcome this ICC."""
    if family == "count":
        return float(np.sqrt(np.log1p(icc / ((1 - icc) * exposure * mean))))
    if icc == 0:
        return 0.0
    from scipy import optimize

    gap = lambda sd: icc_of(sd, mean, family) - icc  # noqa: E731
    return float(optimize.brentq(gap, 0.0, LARGEST_SD, xtol=1e-10))


def _nodes() -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights of expectations over a standard normal variable."""
    from scipy import special

    z, weight = special.roots_hermitenorm(NODES)
    return z, weight / np.sqrt(2 * np.pi)
