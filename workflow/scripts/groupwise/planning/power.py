"""Power, true level and minimum detectable effects of a design, by noncentral t and F."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from groupwise.planning.experiments import Experiment
from groupwise.planning.least_squares import QuadraticTest
from groupwise.planning.moments import Precision
from groupwise.planning.noncentral import beta_nodes, critical_f, noncentral_f_sf
from groupwise.planning.precision import (
    JOINT_METHODS,
    METHODS,
    MIXED,
    QUADRATIC,
    joint_precision,
    precision,
)
from groupwise.planning.quadratic_forms import QuadraticForm

EXACT_UP_TO = 400
"""Groups; beyond, the two moments of SE^2 are enough, and much faster."""

LARGEST_NONCENTRALITY = 1e7

TYPICAL = 2.2
"""About where tests reach a power of one half, as the root of the noncentrality."""

FAR = 8.0
"""Probits beyond which a power is 0 or 1."""

SIMULATE = "there is no formula for its distribution; the calibration simulates it."

REASONS = {
    "dummy_nested": "Not planned for: it answers for the groups at hand, and there are none yet.",
}
"""Why there is no formula for the power of a method; of others it was not derived."""

GROUP_LEVEL = ("group_means", "group_means_weighted", "randomization")

APPROXIMATE = {
    "randomization": "The power is that of the t test of group means, to which this method is close.",
}
"""What to know of a number that is given."""


@dataclass(frozen=True)
class NoncentralF:
    """P(F > threshold) of F(df_num, df) by noncentrality; covariates leave Beta(*loss) of that."""

    threshold: float
    df_num: float
    df: float
    loss: tuple[float, float] = (1.0, 0.0)

    def __call__(self, noncentrality: float) -> float:
        """The probability; NaN where there is no test."""
        if not np.isfinite([self.threshold, noncentrality]).all() or not self.df > 0:
            return np.nan
        share, weight = beta_nodes(*self.loss)
        values = [
            noncentral_f_sf(self.threshold, self.df_num, self.df, noncentrality * each)
            for each in share
        ]
        return float(weight @ values)


@dataclass(frozen=True)
class Exact:
    """P(reject) of a quadratic test by noncentrality effect^2 / variance."""

    form: QuadraticForm
    variance: float

    def __call__(self, noncentrality: float) -> float:
        return self.form.positive(float(np.sqrt(noncentrality * self.variance)))


Curve = Callable[[float], float]
"""P(reject) as a function of a test's noncentrality, effect^2 / variance."""


def why_not(experiment: Experiment, method: str) -> str:
    """Why there is no power of this method here; empty where there is."""
    if method not in METHODS:
        return REASONS.get(method, f"Not planned for: {SIMULATE}")
    design, variation = experiment.design, experiment.variation
    between = design.kind in ("between", "blocked")
    random_blocks = design.block is not None and design.blocks_as == "random"
    if random_blocks or design.second is not None:
        return "Not planned for: random blocks and second groupings; fixed blocks are."
    if between and method == "dummy":
        return "Not identified: the treatment is constant within groups."
    if not between and method in GROUP_LEVEL:
        return "Does not apply: the treatment varies within groups."
    slopes = design.random_slopes != "none"
    if slopes != (variation.sd_effect > 0) and method in MIXED:
        return (
            "Not planned for: effects vary by group in the model, or in the plan, but not in both."
        )
    if variation.group_covariates and between and method not in (*GROUP_LEVEL, *MIXED):
        return "Not planned for: its level depends on what the covariates of the groups will be."
    return _not_identified(experiment) if method in MIXED else ""


def _not_identified(experiment: Experiment) -> str:
    """What keeps the mixed model from being fitted, in its own words; empty where nothing does."""
    try:
        experiment.mixed_fit  # noqa: B018
    except ValueError as error:
        return str(error)
    return ""


def curves(
    experiment: Experiment, method: str, L: np.ndarray, *, level: float
) -> tuple[list[Curve], np.ndarray]:
    """The power curve of every row of L (k, p), and the variances (k,) of the estimates.

    Exact where standard errors are quadratic forms, there are no planned covariates and no more than
    `EXACT_UP_TO` groups.
    """
    if _is_exact(experiment, method):
        return _exact_curves(QUADRATIC[method](experiment, L), level)
    precision_ = precision(experiment, method, L)
    return noncentral_curves(precision_, lost_df(experiment, method), level=level)


def noncentral_curves(
    precision_: Precision, lost: int, *, level: float
) -> tuple[list[Curve], np.ndarray]:
    """Power curves and variances (k,) of k contrasts, from the moments of their noncentral t tests.

    `lost` degrees of freedom go to covariates; the level is that of a two-sided test.
    """
    df_true = precision_.df_true - lost
    df = precision_.df if np.isinf(precision_.df).all() else precision_.df - lost
    power_curves: list[Curve] = []
    for ratio, df_contrast, true in zip(precision_.ratio, df, df_true, strict=True):
        threshold = (
            ratio * critical_f(level, 1, df_contrast) if df_contrast > 0 and true > 0 else np.nan
        )
        power_curves.append(NoncentralF(threshold, 1.0, float(true), _loss(true, 1, lost)))
    return power_curves, precision_.variance


def how_computed(experiment: Experiment, method: str) -> str:
    """The calculation behind `curves`."""
    return "exact" if _is_exact(experiment, method) else "noncentral t"


def _is_exact(experiment: Experiment, method: str) -> bool:
    lost = lost_df(experiment, method)
    return method in QUADRATIC and not lost and experiment.design.n_groups <= EXACT_UP_TO


def _exact_curves(test: QuadraticTest, level: float) -> tuple[list[Curve], np.ndarray]:
    power_curves: list[Curve] = []
    for c, (df, variance) in enumerate(zip(test.df, test.variance, strict=True)):
        if df > 0 and np.isfinite(variance):
            critical = float(np.sqrt(critical_f(level, 1, df)))
            power_curves.append(Exact(test.form(c, critical), float(variance)))
        else:
            power_curves.append(NoncentralF(np.nan, 1.0, np.nan))
    return power_curves, test.variance


def power(experiment: Experiment, method: str, effect: float, *, level: float = 0.05) -> np.ndarray:
    """P(reject) of each of the design's contrasts (k,) where its true value is `effect`.

    With `effect` 0 it is the method's true level. NaN where the method has no answer.
    """
    L = experiment.design.L
    if why_not(experiment, method):
        return np.full(len(L), np.nan)
    power_curves, variance = curves(experiment, method, L, level=level)
    return np.array([curve(effect**2 / v) for curve, v in zip(power_curves, variance, strict=True)])


def omnibus_power(
    experiment: Experiment, method: str, effects: np.ndarray, *, level: float = 0.05
) -> float:
    """P(reject "no effect at all") for the effects (J - 1,) of the arms against the reference."""
    if why_not(experiment, method) or method not in JOINT_METHODS:
        return np.nan
    precision_ = joint_precision(experiment, method, experiment.design.omnibus)
    lost, q = lost_df(experiment, method), len(effects)
    df_true = precision_.df_true - lost
    df = precision_.df if np.isinf(precision_.df) else precision_.df - lost
    if not (df > 0 and df_true > 0):
        return np.nan
    threshold = precision_.factor * critical_f(level, q, df)
    curve = NoncentralF(threshold, float(q), df_true, _loss(df_true, q, lost))
    return curve(float(effects @ np.linalg.solve(precision_.vcov, effects)))


def minimum_detectable_effect(
    experiment: Experiment, method: str, *, power: float = 0.8, level: float = 0.05
) -> np.ndarray:
    """The effects (k,), in units of the outcome, that contrasts find with this probability.

    NaN where the method has no answer, or rejects so often where there is no effect.
    """
    L = experiment.design.L
    if why_not(experiment, method):
        return np.full(len(L), np.nan)
    power_curves, variance = curves(experiment, method, L, level=level)
    return detectable(power_curves, variance, power)


def detectable(power_curves: Sequence[Curve], variance: np.ndarray, power: float) -> np.ndarray:
    """The effects (k,) at which the curves of k tests reach `power`."""
    noncentralities = [noncentrality_for(curve, power) for curve in power_curves]
    return np.asarray(np.sqrt(np.array(noncentralities) * variance))


def noncentrality_for(curve: Curve, power: float) -> float:
    """Where a curve reaches `power`; NaN where it does not, is above it at 0 or is not known."""
    if not curve(0.0) < power < 1:
        return np.nan
    from scipy import optimize  # slow to load, and needed by searches alone

    target = special.ndtri(power)

    def above(shift: float) -> float:
        """Probits of power are almost linear in the root of the noncentrality."""
        return float(np.clip(special.ndtri(curve(shift**2)), -FAR, FAR)) - target

    low, high = 0.0, max(target + TYPICAL, 1.0)
    while above(high) < 0:
        low, high = high, 1.25 * high
        if high**2 > LARGEST_NONCENTRALITY:
            return np.nan
    root = optimize.brentq(above, low, high, xtol=1e-14, rtol=1e-14)
    return float(root) ** 2


def lost_df(experiment: Experiment, method: str) -> int:
    """Dimensions between groups that planned covariates take.

    A covariate of individuals takes one only from methods that see nothing but group means.
    """
    variation = experiment.variation
    if experiment.design.kind not in ("between", "blocked"):
        return 0
    return variation.planned_covariates if method in GROUP_LEVEL else variation.group_covariates


def _loss(df: float, df_num: int, lost: int) -> tuple[float, float]:
    """The distribution of what `lost` normal covariates leave of the noncentrality.

    It is 1 - R^2 of a fixed direction on so many random ones, in df + df_num + lost dimensions: all
    but those of blocks and of other contrasts. Exact for the means of equal groups.
    """
    return (df + df_num) / 2, lost / 2
