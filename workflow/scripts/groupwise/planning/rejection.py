"""How often a test rejects, by conditional Monte Carlo: near exact, and the same for every effect.

Under normality GLS at the true variances is independent of every contrast of the errors, on which
alone standard errors, df and the difference of any other linear estimate from it depend. Given
those, the probability to reject is a normal one. Averaged over draws of the errors it has a small
error, which quasi-random group means make smaller still (Sobol', scrambled).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import special

from groupwise.algebra import sum_by
from groupwise.inference.wald import t_quantile
from groupwise.methods import Fits, Request, method_of
from groupwise.planning.experiments import DesignFrame, Experiment
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
    tests = _drawn_tests(experiment, methods, n_draws, seed)
    sd = np.sqrt(np.diag(experiment.mixed_information(experiment.design.L).vcov))
    return {method: _curves(tests[method], sd, level) for method in methods}


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


def _drawn_tests(
    experiment: Experiment, methods: Sequence[str], n_draws: int, seed: int
) -> dict[str, Tests]:
    """Tests by methods; those of all mixed models are made together, as they share draws and fits."""
    kept: dict[str, Tests] = experiment.drawn.setdefault((n_draws, seed), {})
    wanted = [name for name in dict.fromkeys((*methods, *MIXED)) if name not in kept]
    if not set(wanted).isdisjoint(methods):
        L, reml = experiment.design.L, method_of("mixed_wald")
        y = draw_outcomes(experiment, n_draws=n_draws, seed=seed)
        fits = Fits(experiment.design, y, {reml.prepare: experiment.model})
        at = np.full(n_draws, np.sqrt(experiment.ratio))
        gls = experiment.model.fit_sums(fits.of(reml).sums, theta=at).beta @ L.T
        for name in wanted:
            procedure = method_of(name)
            rows = procedure.infer(fits.of(procedure), L, Request(searched=0))
            kept[name] = Tests(rows.estimate - gls, rows.std_error, rows.df)
    return kept


def draw_outcomes(experiment: Experiment, *, n_draws: int, seed: int) -> np.ndarray:
    """Outcomes (n_draws, m) of the rows of the design, with mean 0 and the experiment's V."""
    design, variation = experiment.design, experiment.variation
    standard = _standard_errors(experiment.frame, n_draws, seed)
    sd = np.sqrt(variation.var_group + variation.var_residual / design.group_size)
    sd_residual = np.sqrt(variation.var_residual)
    m = standard.within.shape[1]
    between = (standard.means * sd)[:, design.group[:m]] * design.rows.ones[:m]
    y = sd_residual * standard.within + between
    if not design.rows.remainder:
        return np.asarray(y)
    return np.column_stack([y, sd_residual * standard.length])


@dataclass(frozen=True)
class Standard:
    """Normal errors of B outcomes: `means` (B, G) of groups, each of variance 1; `within` (B, m'), what
    groups vary by in their rows, and `length` (B,) of what is in no row, of errors of variance 1.
    """

    means: np.ndarray
    within: np.ndarray
    length: np.ndarray


@lru_cache(maxsize=1)
def _standard_errors(frame: DesignFrame, n_draws: int, seed: int) -> Standard:
    """Errors in the rows of the design, which are orthonormal: normal, and chi-squared what is left.

    Group means and what is left are quasi-random where there are Sobol' sequences of so many
    dimensions. The last errors are kept.
    """
    from scipy.stats import qmc  # slow to load, and needed by few

    design, rng = frame.design, np.random.default_rng(seed)
    rows, G, left = design.rows, design.n_groups, design.rows.remainder
    m = len(design.X) - bool(left)
    if qmc.Sobol.MAXDIM > G:
        uniform = qmc.Sobol(G + 1, rng=rng).random(n_draws)
    else:
        uniform = rng.uniform(size=(n_draws, G + 1))
    ones, group = rows.ones[:m], design.group[:m]
    z = rng.normal(size=(n_draws, m))
    z -= (sum_by(z * ones, group, G) / design.group_size)[:, group] * ones
    squares = special.gammaincinv(left / 2, uniform[:, G]) * 2 if left else np.zeros(n_draws)
    return Standard(special.ndtri(uniform[:, :G]), z, np.sqrt(squares))


def _curves(tests: Tests, sd: np.ndarray, level: float) -> tuple[list[Drawn], np.ndarray]:
    finite = np.isfinite(tests.std_error) & (tests.df > 0)
    half = t_quantile(1 - level / 2, np.where(finite, tests.df, 1.0)) * tests.std_error / sd
    half, shift = np.where(finite, half, np.inf), np.where(finite, tests.shift / sd, 0.0)
    # The estimate is GLS and an independent shift.
    relative = np.sqrt(1 + (shift**2).mean(axis=0))
    power_curves = [Drawn(shift[:, c], half[:, c], float(relative[c])) for c in range(len(sd))]
    return power_curves, (sd * relative) ** 2
