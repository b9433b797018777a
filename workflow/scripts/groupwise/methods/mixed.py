"""Mixed: a random intercept per group, slopes, random blocks, a second grouping; REML."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from groupwise import tidy
from groupwise.design import Design
from groupwise.inference import mixed, period_models
from groupwise.inference.mixed import MixedFit, MixedModel
from groupwise.inference.period_models import PeriodFit, PeriodModel
from groupwise.inference.variance_intervals import RESIDUAL, TOTAL, Component
from groupwise.methods import About, Fits, Procedure, Request, of_kinds
from groupwise.methods.glm import likelihood, pseudo
from groupwise.models.blups import RandomEffects
from groupwise.models.random_intercept import RandomInterceptFit
from groupwise.sample import Sample, fit_statistics, residual_table
from groupwise.tidy import Answers, Inference, JointTest

WHO = ("mixed", "mixed_wald")
ESTIMAND = "precision-weighted"

BOUNDARY_NOTES = {
    "mixed_wald": "A variance is estimated as 0, the boundary of its range.",
    "mixed_satterthwaite": (
        "The group variance is estimated as 0; Satterthwaite's df then count individuals, not "
        "groups, as in lmerTest."
    ),
    "mixed_kenward_roger": "The group variance is estimated as 0; the df still count groups.",
    "mixed_profile": "The group variance is estimated as 0.",
    "mixed_bootstrap": "The group variance is estimated as 0, and the draws have none either.",
}
GENERAL_NOTES = {
    "mixed_wald": "",
    "mixed_satterthwaite": "Satterthwaite's df take it as known, as lmerTest's do.",
    "mixed_kenward_roger": "Kenward-Roger's df do not take it as known.",
    "mixed_profile": "",
    "mixed_bootstrap": "The draws have it there too.",
}
INTERVAL_NOTES = {"reml": "Profile restricted likelihood.", "ml": "Profile likelihood."}
NO_SHARE = "With random slopes the share of the variance differs between arms: there is no one ICC."


def prepare(design: Design) -> MixedModel:
    """The random terms of a design; ValueError where the design cannot tell its variances apart."""
    return mixed.mixed_model(design)


def fit(model: MixedModel, y: np.ndarray) -> MixedFit:
    """REML fits of outcomes y (R, n)."""
    return model.fit(y)


InferenceFunction = Callable[[MixedFit, np.ndarray, float], Inference]


def _by(function: InferenceFunction) -> Callable[[MixedFit, np.ndarray, Request], Inference]:
    """Rows by a function of fits, rows L and the confidence level."""
    return lambda fit, L, request: function(fit, L, request.conf_level)


def _joint_by(
    function: Callable[[MixedFit, np.ndarray], JointTest],
) -> Callable[[MixedFit, np.ndarray, Request], JointTest]:
    return lambda fit, L, request: function(fit, L)


def _profile(fit: MixedFit, L: np.ndarray, request: Request) -> Inference:
    """ML profile likelihood, with limits of the first outcomes.

    An interval holds the values that the likelihood-ratio test does not reject.
    """
    n = len(fit.converged)
    if request.n_searched(n) == n:
        return mixed.profile(fit, L, request.conf_level)
    limits = np.arange(n) < request.n_searched(n)
    return mixed.profile(fit, L, request.conf_level, limits=limits, truth=request.truth)


def _seeds(fit: MixedFit, request: Request) -> np.ndarray:
    return request.seed(0) + np.arange(len(fit.converged))


def _bootstrap(fit: MixedFit, L: np.ndarray, request: Request) -> Inference:
    """Studentised parametric bootstrap; one set of draws serves every row of an outcome."""
    draws, seeds, n = request.resampling.bootstrap_draws, _seeds(fit, request), len(fit.converged)
    if request.levels is None or request.n_searched(n) == n:
        return mixed.bootstrap(fit, L, request.conf_level, n_draws=draws, seeds=seeds)
    return mixed.bootstrap_decisions(
        fit,
        L,
        request.conf_level,
        n_draws=draws,
        seeds=seeds,
        searched=request.n_searched(n),
        truth=np.zeros(len(L)) if request.truth is None else request.truth,
        levels=request.levels,
    )


def _bootstrap_joint(fit: MixedFit, L: np.ndarray, request: Request) -> JointTest:
    """Bootstrap test that all rows of L beta are 0; with two arms that of the one contrast."""
    if len(L) > 1:
        draws, seeds = request.resampling.bootstrap_draws, _seeds(fit, request)
        return mixed.bootstrap_joint(fit, L, n_draws=draws, seeds=seeds)
    row = _bootstrap(fit, L, request)
    no_df = np.full(len(fit.converged), np.nan)
    return JointTest(row.statistic[:, 0] ** 2, 1.0, no_df, row.p_value[:, 0])


# ---- what the rows say ----------------------------------------------------------------------------


def _about(vcov_type: str, df_method: str) -> Callable[[Any, Request], About]:
    return lambda model, request: About(ESTIMAND, vcov_type, df_method)


def _about_bootstrap(model: Any, request: Request) -> About:
    draws = f"{request.resampling.bootstrap_draws:,} draws (seed {request.resampling.seed})"
    return About(ESTIMAND, "REML, model-based", f"studentised bootstrap, {draws}")


def _message(name: str) -> Callable[[Sample, MixedFit, Answers], str]:
    """Why there is no fit, or what a variance on the boundary means for a method."""

    def message(sample: Sample, fit: MixedFit, answers: Answers) -> str:
        if not fit.converged[0]:
            return mixed.single(fit).message
        if not fit.singular[0]:
            return ""
        if isinstance(fit, RandomInterceptFit):
            return BOUNDARY_NOTES[name]
        return f"{_named(sample, mixed.single(fit).message)} {GENERAL_NOTES[name]}".strip()

    return message


def _named(sample: Sample, message: str) -> str:
    """A message with the columns of the data for groups in periods, and for individuals."""
    for name in ("cell", "individual"):
        message = message.replace(f" by {name}", f" by {sample.level_name(name)}")
    return message


def _singular(fit: MixedFit) -> np.ndarray:
    return fit.singular


def _method(
    name: str,
    about: Callable[[Any, Request], About],
    infer: Callable[[MixedFit, np.ndarray, Request], Inference],
    joint: Callable[[MixedFit, np.ndarray, Request], JointTest],
    *,
    skips_blocks: bool = False,
) -> Procedure:
    return Procedure(
        about=about,
        prepare=prepare,
        fit=fit,
        infer=infer,
        joint=joint,
        singular=_singular,
        message=_message(name),
        skips_blocks=skips_blocks,
        needs=of_kinds,
    )


EDGE = 1e-6
"""A correlation this close to 0 or 1 is estimated there."""


# ---- further models of designs with periods --------------------------------------------------------


def fit_periods(prepared: PeriodModel, y: np.ndarray) -> PeriodFit:
    """REML fits of outcomes y (R, n)."""
    return prepared.fit(y)


def _infer_periods(fit: PeriodFit, L: np.ndarray, request: Request) -> Inference:
    return fit.kenward_roger(L, request.conf_level)


def _joint_periods(fit: PeriodFit, L: np.ndarray, request: Request) -> JointTest:
    return fit.kenward_roger_joint(L)


def _message_periods(sample: Sample, fit: PeriodFit, answers: Answers) -> str:
    single = mixed.single(fit.fitted)
    odd = not single.converged or single.singular
    parts = [_named(sample, single.message) if odd else ""]
    r = np.nan if fit.correlation is None else float(fit.correlation[0])
    if np.isfinite(r):
        edge = " (the boundary)" if min(r, 1 - r) < EDGE else ""
        parts.append(
            f"Effects of one {sample.group_name} in neighbouring periods: correlation {r:.3f}{edge}."
        )
    return " ".join(filter(None, parts))


def _singular_periods(fit: PeriodFit) -> np.ndarray:
    return fit.singular


def _period_method(
    prepare: Callable[[Design], PeriodModel],
    estimand: str,
    concerns: Callable[[Design], bool],
) -> Procedure:
    return Procedure(
        about=lambda model, request: About(
            estimand, "REML, Kenward-Roger adjusted", "Kenward-Roger"
        ),
        prepare=prepare,
        fit=fit_periods,
        infer=_infer_periods,
        joint=_joint_periods,
        singular=_singular_periods,
        message=_message_periods,
        needs=of_kinds,
        concerns=concerns,
    )


MODEL_BASED = "REML, model-based"
DECAY, EXPOSURE = "mixed_decay", "mixed_exposure"

METHODS: Mapping[str, Procedure] = {
    "mixed_wald": _method(
        "mixed_wald",
        _about(MODEL_BASED, "none (normal)"),
        _by(mixed.wald),
        _joint_by(mixed.wald_joint),
    ),
    "mixed_satterthwaite": _method(
        "mixed_satterthwaite",
        _about(MODEL_BASED, "Satterthwaite"),
        _by(mixed.satterthwaite),
        _joint_by(mixed.satterthwaite_joint),
    ),
    "mixed_kenward_roger": _method(
        "mixed_kenward_roger",
        _about("REML, Kenward-Roger adjusted", "Kenward-Roger"),
        _by(mixed.kenward_roger),
        _joint_by(mixed.kenward_roger_joint),
    ),
    "mixed_profile": _method(
        "mixed_profile",
        _about("ML, model-based", "profile likelihood, chi-squared"),
        _profile,
        _joint_by(mixed.likelihood_ratio),
        skips_blocks=True,
    ),
    "mixed_bootstrap": _method(
        "mixed_bootstrap", _about_bootstrap, _bootstrap, _bootstrap_joint, skips_blocks=True
    ),
    DECAY: _period_method(period_models.with_decay, ESTIMAND, period_models.has_periods),
    EXPOSURE: _period_method(
        period_models.by_exposure, "average over exposure times", period_models.leaves_reference
    ),
    "mixed_no_periods": _period_method(
        period_models.without_periods, ESTIMAND, period_models.has_periods
    ),
    **pseudo.METHODS,
    **likelihood.METHODS,
}


# ---- tables --------------------------------------------------------------------------------------


def tables(sample: Sample, fits: Fits) -> dict[str, pd.DataFrame]:
    """Variance components, random effects, residuals and fit statistics of REML; effects by exposure.

    Nothing without a fit.
    """
    exposure, of_periods = _of_periods(sample, fits)
    return _tables_of_reml(sample, fits, of_periods) | {"exposure": exposure}


def _tables_of_reml(
    sample: Sample, fits: Fits, of_periods: pd.DataFrame
) -> dict[str, pd.DataFrame]:
    try:
        fit = mixed.single(fits.of(METHODS["mixed_wald"]))
    except (ValueError, np.linalg.LinAlgError):
        return {}
    if not fit.converged:
        return {}
    statistics = {"loglik": float(fit.loglik)} | _statistics(sample, fit)
    residual = mixed.residual(fit)
    return {
        "variance_components": _variance_components(sample, fit),
        "random_effects": _random_effects(sample, fit),
        "residuals": residual_table(sample, *WHO, sample.values - residual, residual),
        "fit_statistics": tidy.concat(
            "fit_statistics", [fit_statistics(sample, *WHO, statistics), of_periods]
        ),
    }


def _of_periods(sample: Sample, fits: Fits) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Effects by exposure time with their average, and statistics of the models of periods."""
    statistics = []
    if decay := _period_fit(sample, fits, DECAY):
        named = {f"sd: {name}": float(sd[0]) for name, sd in decay.std_dev.items()}
        assert decay.correlation is not None
        named |= {"correlation of neighbouring periods": float(decay.correlation[0])}
        statistics.append(fit_statistics(sample, "mixed", DECAY, named))
    exposure = _period_fit(sample, fits, EXPOSURE)
    if exposure is None:
        return tidy.table("exposure", []), tidy.concat("fit_statistics", statistics)
    model, fit = exposure.prepared, exposure.fitted
    rows = np.vstack([model.each_time.mean(axis=0), model.each_time])
    effects = mixed.kenward_roger(fit, rows, sample.conf_level).outcome(0)
    design = sample.design
    first = design.first_of_cell
    cells = period_models.exposures(design)[first]
    times = [0, *map(int, model.times)]
    table = sample.who("mixed", EXPOSURE) | {
        "exposure_time": times,
        "n_cells": [int((cells > 0).sum()), *(int((cells == t).sum()) for t in model.times)],
    }
    columns = {k: v for k, v in effects.columns().items() if k != "statistic"}
    equal = model.all_equal(fit).outcome(0)
    named = {
        "equal_effects_f": float(equal.statistic),
        "equal_effects_df_num": float(equal.df_num),
        "equal_effects_df_den": float(equal.df_den),
        "equal_effects_p": float(equal.p_value),
    }
    statistics.append(fit_statistics(sample, "mixed", EXPOSURE, named))
    return tidy.table("exposure", table | columns), tidy.concat("fit_statistics", statistics)


def _period_fit(sample: Sample, fits: Fits, name: str) -> PeriodFit | None:
    """The fit of a model of periods; None where it was not asked, or has no answer."""
    method = METHODS[name]
    if not (sample.asks(name) and method.is_listed(sample.design)):
        return None
    try:
        fit: PeriodFit = fits.of(method)
    except (ValueError, np.linalg.LinAlgError):
        return None
    return fit if fit.fitted.converged[0] else None


def _statistics(sample: Sample, fit: MixedFit) -> dict[str, float]:
    """The test of the group variance, the most unusual group, correlations of random effects."""
    effort = sample.resampling
    test = mixed.group_variance_test(fit, n_refits=effort.bootstrap_draws, seed=effort.seed)
    unusual = mixed.unusual_groups(fit, sample.design)
    worst = int(np.argmax(np.abs(unusual.t))) if np.isfinite(unusual.t).all() else -1
    return {
        "loglik_without_groups": float(fit.loglik) - 0.5 * float(test.statistic),
        "group_variance_statistic": float(test.statistic),
        "group_variance_p_mixture": float(test.p_mixture),
        f"group_variance_p_{test.null}": float(test.p_drawn),
        "group_variance_draws": test.n_draws,
        "unusual_group": worst,
        "unusual_group_t": float(unusual.t[worst]),
        "unusual_group_df": unusual.df,
    } | {
        f"correlation: {column}, {row}": value
        for (column, row), value in mixed.correlations(fit).items()
    }


def _variance_components(sample: Sample, fit: MixedFit) -> pd.DataFrame:
    """A row per effect and estimator, REML's first; `icc` is its share of the variance."""
    rows = []
    for estimator in ("reml", "ml"):
        parts = mixed.components(fit, reml=estimator == "reml", conf_level=sample.conf_level)
        rows += [_component_row(sample, each, estimator) for each in parts]
    return tidy.table("variance_components", rows)


def _component_row(sample: Sample, each: Component, estimator: str) -> dict[str, Any]:
    note = INTERVAL_NOTES[estimator]
    row: dict[str, Any] = sample.who(*WHO) | {
        "estimator": estimator,
        "group": _level_name(sample, each.level),
        "term": each.term,
        "variance": each.std_dev.estimate.item() ** 2,
        "conf_level": sample.conf_level,
        "message": f"{note} {NO_SHARE}" if sample.design.random_slopes != "none" else note,
    }
    columns = {"std_dev": each.std_dev, "icc": each.icc, "design_effect": each.design_effect}
    for name, limits in columns.items():
        prefix = "" if name == "std_dev" else f"{name}_"
        low, high = ("conf_low", "conf_high") if not prefix else (f"{prefix}low", f"{prefix}high")
        row |= {name: limits.estimate.item()}
        row |= {low: limits.conf_low.item(), high: limits.conf_high.item()}
    return row


def _level_name(sample: Sample, level: str) -> str:
    """The column that a random term is of; for all together their names with a plus."""
    design = sample.design
    there = {
        "group": True,
        "block": design.block is not None and design.blocks_as == "random",
        "second": design.second is not None,
        "cell": design.has_cells,
        "individual": design.individual is not None,
    }
    names = {name: sample.level_name(name) for name, is_there in there.items() if is_there}
    return (names | {RESIDUAL: "Residual", TOTAL: " + ".join(names.values())})[level]


def _random_effects(sample: Sample, fit: MixedFit) -> pd.DataFrame:
    """BLUPs beside the raw deviation: what the fixed effects leave, unshrunken; groups first."""
    residual = sample.values - sample.design.X @ fit.beta
    order = ["group", "block", "second", "cell", "individual"].index
    effects = sorted(mixed.random_effects(fit, sample.design), key=lambda each: order(each.name))
    parts = [_level(sample, each, residual) for each in effects]
    return tidy.concat("random_effects", parts)


def _level(sample: Sample, effects: RandomEffects, residual: np.ndarray) -> pd.DataFrame:
    """The effects of one grouping: all levels of a term, then the next term."""
    design, name = sample.design, effects.name
    estimate, std_error = effects.estimate, effects.std_error
    codes, labels = design.grouping(name)
    assert codes is not None
    arm = np.array([*design.arm_labels, ""], dtype=object)[design.arm_of_group]
    q, size = estimate.shape[1], np.bincount(codes)
    raw = (np.bincount(codes, weights=residual) / size)[:, None]
    if q > 1:
        raw = _raw_slopes(sample, residual)
    rows = sample.who(*WHO) | {
        "group": _level_name(sample, name),
        "level": list(labels) * q,
        "arm": np.tile(arm, q) if name == "group" else "",
        "term": np.repeat(
            np.array(["Intercept", *design.arm_labels[1:]], dtype=object)[:q], len(size)
        ),
        "estimate": estimate.T.ravel(),
        "std_error": std_error.T.ravel(),
        "raw": raw.T.ravel(),
        "n_obs": np.tile(size, q),
    }
    return tidy.table("random_effects", rows)


def _raw_slopes(sample: Sample, residual: np.ndarray) -> np.ndarray:
    """(G, J): mean of a group's reference arm, and other arms less it; NaN without such members."""
    design = sample.design
    cell, shape = design.group * len(design.arm_labels) + design.arm, (design.n_groups, -1)
    n_cells = design.n_groups * len(design.arm_labels)
    with np.errstate(invalid="ignore"):
        mean = np.bincount(cell, residual, n_cells) / np.bincount(cell, minlength=n_cells)
    mean = mean.reshape(shape)
    return np.hstack([mean[:, :1], mean[:, 1:] - mean[:, :1]])
