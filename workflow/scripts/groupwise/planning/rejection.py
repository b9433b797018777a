"""How often a test rejects, by conditional Monte Carlo: near exact, and the same for every effect.

Under normality GLS at the true variances is independent of every contrast of the errors, on which
alone standard errors, df and the difference of any other linear estimate from it depend. Given
those, the probability to reject is a normal one. Averaged over draws of the errors it has a small
error, which quasi-random group means make smaller still (Sobol', scrambled).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special

from groupwise.algebra import sum_by
from groupwise.inference.wald import t_quantile
from groupwise.methods import Fits, Request, method_of
from groupwise.planning.experiments import Experiment
from groupwise.planning.power import Curve, curves, how_computed, lost_df, why_not
from groupwise.planning.precision import MIXED

N_DRAWS = 4096
"""A power of 2, as Sobol' sequences want it."""

DRAWN_UP_TO = 200

DRAWN = (
    *("ols_classical", "ols_cr1", "ols_cr2", "ols_cr3"),
    *("group_means", "group_means_weighted"),
    *("mixed_wald", "mixed_satterthwaite", "mixed_kenward_roger"),
)
"""Methods whose tests compare an estimate with a t distribution."""

BATCH = 2**22
"""Numbers of outcomes that are held at a time."""


@dataclass(frozen=True)
class Tests:
    """B tests of k combinations: estimates less those of GLS, standard errors, df: (B, k)."""

    shift: np.ndarray
    std_error: np.ndarray
    df: np.ndarray


@dataclass(frozen=True)
class Drawn:
    """P(reject) of one test by noncentrality effect^2 / variance, the mean over B draws.

    In units of the sd of GLS: `shift` (B,) of the estimate; `half` (B,), what it has to exceed,
    infinite where there is no standard error; `relative`, sd of the estimate.
    """

    shift: np.ndarray
    half: np.ndarray
    relative: float

    def __call__(self, noncentrality: float) -> float:
        return float(self._each(noncentrality).mean())

    def mcse(self, noncentrality: float) -> float:
        """The error of independent draws; quasi-random ones do better."""
        return float(self._each(noncentrality).std(ddof=1) / np.sqrt(len(self.shift)))

    def _each(self, noncentrality: float) -> np.ndarray:
        centre = np.sqrt(noncentrality) * self.relative + self.shift
        p: np.ndarray = special.ndtr(centre - self.half) + special.ndtr(-centre - self.half)
        return p


def drawn_curves(
    experiment: Experiment,
    methods: Sequence[str],
    *,
    level: float = 0.05,
    n_draws: int = N_DRAWS,
    seed: int = 0,
) -> dict[str, tuple[list[Drawn], np.ndarray]]:
    """As `power.curves`, by method: curves and variances (k,) of every contrast of the design.

    All methods see the same draws.

    Raises
    ------
    ValueError
        For designs and methods that are not drawn; see `why_not_drawn`.
    """
    for method in methods:
        if reason := why_not_drawn(experiment, method):
            raise ValueError(f"{method}: {reason}")
    L = experiment.design.L
    prepared: dict[Any, Any] = {}
    parts: dict[str, list[Tests]] = {method: [] for method in methods}
    for y in draw_errors(experiment, n_draws=n_draws, seed=seed):
        gls = experiment.model.fit(y, theta=np.sqrt(experiment.ratio)).beta @ L.T
        fits = Fits(experiment.design, y, prepared)
        for name in methods:
            procedure = method_of(name)
            rows = procedure.infer(fits.of(procedure), L, Request(searched=0))
            parts[name].append(Tests(rows.estimate - gls, rows.std_error, rows.df))
    sd = np.sqrt(np.diag(experiment.mixed_information(L).vcov))
    return {method: _curves(parts[method], sd, level) for method in methods}


def best_curves(
    experiment: Experiment,
    methods: Sequence[str],
    *,
    level: float = 0.05,
    n_draws: int = N_DRAWS,
) -> dict[str, tuple[Sequence[Curve], np.ndarray, str]]:
    """Curves, variances (k,) and the calculation behind them, by method: the best there is.

    Mixed models are drawn where they can be: a variance that is estimated as 0, or unequal sizes, make
    noncentral t too optimistic. It is not with more than `DRAWN_UP_TO` groups; `n_draws` 0 uses it
    throughout.
    """
    few = experiment.design.n_groups <= DRAWN_UP_TO
    drawn = [
        method
        for method in methods
        if method in MIXED and few and n_draws and not why_not_drawn(experiment, method)
    ]
    of_method: dict[str, tuple[Sequence[Curve], np.ndarray, str]] = {}
    if drawn:
        by_draws = drawn_curves(experiment, drawn, level=level, n_draws=n_draws)
        of_method = {method: (*each, "conditional draws") for method, each in by_draws.items()}
    for method in set(methods) - set(drawn):
        curves_and_variance = curves(experiment, method, experiment.design.L, level=level)
        of_method[method] = (*curves_and_variance, how_computed(experiment, method))
    return of_method


def why_not_drawn(experiment: Experiment, method: str) -> str:
    """Why rejections of this method are not drawn here; empty where they are."""
    if method not in DRAWN:
        return why_not(experiment, method) or "Not drawn."
    if experiment.variation.sd_effect or lost_df(experiment, method):
        return "Effects that vary by group and covariates that are only planned are not drawn."
    return why_not(experiment, method)


def draw_errors(experiment: Experiment, *, n_draws: int, seed: int) -> Iterator[np.ndarray]:
    """Outcomes (n_draws, n) with mean 0 and the experiment's V, in batches.

    Group means are quasi-random where there are Sobol' sequences of so many dimensions.
    """
    from scipy.stats import qmc  # slow to load, and needed by few

    design, variation = experiment.design, experiment.variation
    rng = np.random.default_rng(seed)
    G, size = design.n_groups, design.group_size
    sobol = qmc.Sobol(G, rng=rng) if qmc.Sobol.MAXDIM >= G else None
    sd = np.sqrt(variation.var_group + variation.var_residual / size)
    batch = 1 << int(np.log2(max(2, BATCH // design.n_obs)))
    for start in range(0, n_draws, batch):
        B = min(batch, n_draws - start)
        normal = special.ndtri(sobol.random(B)) if sobol else rng.normal(size=(B, G))
        e = rng.normal(size=(B, design.n_obs)) * np.sqrt(variation.var_residual)
        means = sum_by(e, design.group, G) / size
        yield e + (normal * sd - means)[:, design.group]


def _curves(parts: list[Tests], sd: np.ndarray, level: float) -> tuple[list[Drawn], np.ndarray]:
    shift, std_error, df = (
        np.concatenate(each) for each in zip(*(vars(part).values() for part in parts), strict=True)
    )
    finite = np.isfinite(std_error) & (df > 0)
    half = t_quantile(1 - level / 2, np.where(finite, df, 1.0)) * std_error / sd
    half, shift = np.where(finite, half, np.inf), np.where(finite, shift / sd, 0.0)
    # The estimate is GLS and an independent shift.
    relative = np.sqrt(1 + (shift**2).mean(axis=0))
    power_curves = [Drawn(shift[:, c], half[:, c], float(relative[c])) for c in range(len(sd))]
    return power_curves, (sd * relative) ** 2
