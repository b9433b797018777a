"""The mixed model of a design: how to fit it, and all that a fit can be asked.

    model = mixed_model(design)                     # ValueError with the reason where there is none
    fit = model.fit(y)                              # y (..., n); one outcome is a batch of one
    fit.beta, fit.vcov, fit.theta, fit.loglik, fit.singular, fit.converged, fit.std_dev
    satterthwaite(fit, L, 0.95)                     # tidy.Inference, (..., k) for rows L (k, p)
    kenward_roger_joint(fit, L)                     # tidy.JointTest, (...)
    bootstrap(fit, L, 0.95, n_draws=1999, seeds=1)

An outcome without a fit is NaN, and not `converged`; `fit.message` of a single outcome says why.
(1 | group) alone goes by group sums (`models.random_intercept`), any other random terms by blocked
elimination (`models.lmm`). Inference for effects is one code for both; it asks of a model

    sums(y), fit_sums(sums, reml, theta, near), least_deviance(sums, near), draw(theta, n_draws, seed)
    restricted(K), restricted_sums(sums, smaller, K, offset), effects_of(sums), to_beta, at_a_time

and of a fit its arrays, `sums`, `information(L)` and `maximum_likelihood`.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from groupwise.design import Design
from groupwise.inference import wald as normal
from groupwise.inference.bootstrap import bootstrap, bootstrap_decisions, bootstrap_joint
from groupwise.inference.limits import Limits
from groupwise.inference.one_intercept_profile import OneInterceptVariances
from groupwise.inference.outliers import Studentised, studentise
from groupwise.inference.profile import likelihood_ratio, profile
from groupwise.inference.small_sample import (
    kenward_roger,
    kenward_roger_joint,
    satterthwaite,
    satterthwaite_joint,
)
from groupwise.inference.variance_intervals import (
    Component,
    HeldSd,
    Variances,
    components_of,
)
from groupwise.inference.variance_profile import GeneralVariances
from groupwise.inference.variance_test import group_variance_test
from groupwise.models.blups import RandomEffects
from groupwise.models.lmm import LinearMixedModel, LmmFit
from groupwise.models.random_intercept import RandomIntercept, RandomInterceptFit
from groupwise.models.random_terms import RandomTerm
from groupwise.tidy import Inference, JointTest

__all__ = [
    "bootstrap",
    "bootstrap_decisions",
    "bootstrap_joint",
    "group_variance_test",
    "kenward_roger",
    "kenward_roger_joint",
    "likelihood_ratio",
    "profile",
    "satterthwaite",
    "satterthwaite_joint",
]

MixedModel = RandomIntercept | LinearMixedModel
MixedFit = RandomInterceptFit | LmmFit


def mixed_model(design: Design) -> MixedModel:
    """The model of the design's random terms: all that does not depend on outcomes.

    Raises
    ------
    ValueError
        If it cannot be fitted to any outcome, with the reason.
    """
    if design.has_one_intercept:
        return RandomIntercept.of(design.X, design.group, design.rows, design.nesting_block)
    return LinearMixedModel.of(design.X, random_terms(design), design.rows)


def fit_one(design: Design, y: np.ndarray) -> MixedFit:
    """The REML fit to one outcome y (n,).

    Raises
    ------
    ValueError
        If there is none, with the reason.
    """
    fit = mixed_model(design).fit(y)
    if not fit.converged:
        raise ValueError(fit.message)
    return fit


def random_terms(design: Design) -> list[RandomTerm]:
    """`group` with an intercept (and the arms' effects where there are slopes), and further groupings.

    `cell` is of groups by periods, `individual` of individuals with several rows; blocks have a term
    where they are random, a second grouping where there is one.
    """
    ones = design.rows.ones[:, None]
    Z, names = ones, design.arm_labels[:0]
    if design.random_slopes != "none":
        in_arm = design.arm[:, None] == np.arange(1, len(design.arm_labels))
        Z = np.hstack([ones, ones * in_arm])
        names = design.arm_labels[1:]
    correlated = design.random_slopes != "diagonal"
    terms = [
        RandomTerm(design.group, Z, correlated, "group", design.group_labels, ("Intercept", *names))
    ]
    if design.block is not None and design.blocks_as == "random":
        terms.append(RandomTerm(design.block, ones, name="block", labels=design.block_labels))
    if design.second is not None:
        terms.append(RandomTerm(design.second, ones, name="second", labels=design.second_labels))
    if design.has_cells:
        terms.append(RandomTerm(design.cell, ones, name="cell", labels=design.cell_labels))
    if design.individual is not None:
        labels = design.individual_labels
        terms.append(RandomTerm(design.individual, ones, name="individual", labels=labels))
    return terms


def single(fit: MixedFit) -> MixedFit:
    """The fit of the one outcome of a batch of one, without leading axes."""
    assert fit.y is not None and len(fit.y) == 1
    return replace(fit.reshape(()), y=fit.y[0])


def correlations(fit: MixedFit) -> dict[tuple[str, str], float]:
    """Correlations of the random effects of one term, by their names; NaN with a variance of 0."""
    pairs: dict[tuple[str, str], float] = {}
    for each in fit.components if isinstance(fit, LmmFit) else ():
        for j, row in enumerate(each.colnames if each.correlated else ()):
            for i, column in enumerate(each.colnames[:j]):
                scale = float(each.std_dev[i] * each.std_dev[j])
                covariance = float(each.covariance[i, j])
                pairs[column, row] = covariance / scale if scale > 0 else np.nan
    return pairs


def wald(fit: MixedFit, L: np.ndarray, conf_level: float) -> Inference:
    """Normal-theory (z) tests of the rows of L beta, L (k, p): (..., k)."""
    return normal.wald_of_fit(fit, L, np.inf, conf_level)


def wald_joint(fit: MixedFit, L: np.ndarray) -> JointTest:
    """Chi-squared test (...) that every row of L beta is zero."""
    return normal.f_test(fit.beta @ L.T, fit.covariance(L), np.inf)


# ---- what is asked of a single outcome ---------------------------------------------------------------


def variances(fit: MixedFit, *, reml: bool) -> Variances:
    """The variance parameters of a single outcome, by REML or ML, for profiles."""
    if isinstance(fit, LmmFit):
        return GeneralVariances.of(fit, reml=reml)
    return OneInterceptVariances.of(fit, reml=reml)


def components(fit: MixedFit, *, reml: bool, conf_level: float) -> list[Component]:
    """Variance components with profile intervals, the residual last."""
    return components_of(variances(fit, reml=reml), conf_level)


def group_effects(model: MixedModel) -> tuple[str, ...]:
    """Names of the groups' random effects: the intercept, and with random slopes the arms."""
    if isinstance(model, RandomIntercept):
        return ("Intercept",)
    return next(term.colnames for term in model.terms if term.name == "group")


def sd_limits(fit: MixedFit, effect: int, *, reml: bool, conf_level: float) -> Limits:
    """Profile interval (1,) of the sd of one of the `group_effects`."""
    at = variances(fit, reml=reml)
    return at.effect_sd(_group_term(at), effect).limits(conf_level)


def hold_sd(fit: MixedFit, effect: int, sd: np.ndarray, *, reml: bool) -> HeldSd:
    """The model with the sd of one of the `group_effects` held at `sd` (m,)."""
    at = variances(fit, reml=reml)
    return at.hold_sd(_group_term(at), effect, sd)


def random_effects(fit: MixedFit, design: Design) -> tuple[RandomEffects, ...]:
    """Predictions with their covariances and spreads, one set a random term."""
    if isinstance(fit, LmmFit):
        return fit.random_effects
    blup, conditional = fit.blups()
    blup_variance = float(fit.var_group) - conditional**2
    weight = float(fit.theta) ** 2 / (1 + float(fit.theta) ** 2 * fit.model.group_size)
    leverage = np.einsum("gi,ij,gj->g", fit.model.S, fit.F, fit.model.S)
    variance = blup_variance - float(fit.var_residual) * weight**2 * leverage
    return (
        RandomEffects(
            name="group",
            labels=design.group_labels,
            colnames=("Intercept",),
            estimate=blup[:, None],
            covariance=conditional[:, None, None] ** 2,
            spread=np.sqrt(np.maximum(variance, 0))[:, None],
        ),
    )


def unusual_groups(fit: MixedFit, design: Design) -> Studentised:
    """Externally studentised predictions of the groups' first effect, which is the intercept."""
    effects = next(each for each in random_effects(fit, design) if each.name == "group")
    variance = float(fit.std_dev["group"]) ** 2
    sd_given_beta = np.sqrt(np.maximum(variance - effects.covariance[:, 0, 0], 0))
    return studentise(effects.estimate[:, 0], sd_given_beta, effects.spread[:, 0])


def residual(fit: MixedFit) -> np.ndarray:
    """Residuals (n,): outcome less fixed and predicted random effects."""
    if isinstance(fit, LmmFit):
        return fit.residual
    residuals: np.ndarray = _outcome(fit) - fit.model.X @ fit.beta - fit.blups()[0][fit.model.group]
    return residuals


def work(model: MixedModel) -> int:
    """Operations of a fit beyond a pass over the data, up to a constant factor.

    Products of the effects of the factor that is eliminated first with all others, squared.
    """
    if isinstance(model, RandomIntercept):
        return 0
    G, q, m = model.products.C.shape
    return int(G * q * max(q, m) ** 2)


def _group_term(at: Variances) -> int:
    return [term.name for term in at.terms].index("group")


def _outcome(fit: MixedFit) -> np.ndarray:
    assert fit.y is not None
    return fit.y
