"""Mixed: a random intercept per group, slopes, random blocks, a second grouping; REML."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from groupwise import tidy
from groupwise.inference import mixed
from groupwise.inference.mixed import MixedFit as Fit
from groupwise.inference.mixed import random_terms
from groupwise.inference.mixed_answers import (
    bootstrap_answers,
    kenward_roger_answers,
    profile_answers,
    satterthwaite_answers,
)
from groupwise.inference.variance_intervals import RESIDUAL, TOTAL, Component
from groupwise.inference.wald import wald_answers
from groupwise.inference.witness import compare_mixed
from groupwise.models.lmm import LmmFit
from groupwise.models.mixed import Levels, MixedFit, fit_reml
from groupwise.models.mixed_terms import TermsFit, fit_terms
from groupwise.specifications import Sample, SpecificationFit, fit_statistics, residual_table

WHO = ("mixed", "mixed_wald")
Reported = MixedFit | TermsFit

ANSWERS: dict[str, Callable[..., tidy.Answers]] = {
    "mixed_satterthwaite": satterthwaite_answers,
    "mixed_kenward_roger": kenward_roger_answers,
    "mixed_profile": profile_answers,
    "mixed_bootstrap": bootstrap_answers,
}
VCOV = {
    "mixed_wald": "REML, model-based",
    "mixed_satterthwaite": "REML, model-based",
    "mixed_kenward_roger": "REML, Kenward-Roger adjusted",
    "mixed_profile": "ML, model-based",
    "mixed_bootstrap": "REML, model-based",
}
DF = {
    "mixed_wald": "none (normal)",
    "mixed_satterthwaite": "Satterthwaite",
    "mixed_kenward_roger": "Kenward-Roger",
    "mixed_profile": "profile likelihood, chi-squared",
    "mixed_bootstrap": "studentised bootstrap, {n_draws:,} draws (seed {seed})",
}
BOUNDARY_NOTES = {
    "mixed_satterthwaite": (
        "The group variance is estimated as 0; Satterthwaite's df then count individuals, not "
        "groups, as in lmerTest."
    ),
    "mixed_kenward_roger": "The group variance is estimated as 0; the df still count groups.",
    "mixed_profile": "The group variance is estimated as 0.",
    "mixed_bootstrap": "The group variance is estimated as 0, and the draws have none either.",
}
GENERAL_NOTES = {
    "mixed_satterthwaite": "Satterthwaite's df take it as known, as lmerTest's do.",
    "mixed_kenward_roger": "Kenward-Roger's df do not take it as known.",
    "mixed_profile": "",
    "mixed_bootstrap": "The draws have it there too.",
}
INTERVAL_NOTES = {"reml": "Profile restricted likelihood.", "ml": "Profile likelihood."}
NO_SHARE = "With random slopes the share of the variance differs between arms: there is no one ICC."


def fit(sample: Sample) -> SpecificationFit:
    """The reported REML fit by statsmodels, then every method of the engine."""
    wald, model = _reported(sample)
    tables: dict[str, pd.DataFrame] = {} if model is None else _tables_of(sample, model)
    try:
        found = mixed.fit_one(sample.design, sample.y)
    except (ValueError, np.linalg.LinAlgError) as error:
        failed = [_method(sample, name, None, message=str(error)) for name in ANSWERS]
        return SpecificationFit([wald, *failed], tables)
    tables["variance_components"] = _variance_components(sample, found)
    if model is not None:
        statistics = _statistics_of(sample, found)
        more = fit_statistics(sample, WHO[0], WHO[1], **statistics)
        tables["fit_statistics"] = tidy.concat("fit_statistics", [tables["fit_statistics"], more])
        tables["agreement"] = _agreement(sample, model, found)
    asked = [_answer(sample, found, name) for name in ANSWERS if sample.asks(name)]
    return SpecificationFit([wald, *asked], tables)


def _reported(sample: Sample) -> tuple[tidy.MethodResult, Reported | None]:
    """REML with normal-theory (z) tests: what most Python prints."""
    design = sample.design
    try:
        model = _fit_reported(sample)
    except (ValueError, np.linalg.LinAlgError) as error:
        return _method(sample, "mixed_wald", None, message=str(error)), None
    answers = wald_answers(design, model.beta, model.vcov, df=np.inf, conf_level=sample.conf_level)
    method = _method(
        sample,
        "mixed_wald",
        answers,
        software=model.software,
        converged=model.converged,
        singular=model.singular,
        message=model.message,
    )
    return method, model


def _fit_reported(sample: Sample) -> Reported:
    """Intercepts of groups, in blocks or not, have a closed form to check statsmodels by."""
    design = sample.design
    if design.random_slopes != "none" or design.second is not None:
        return fit_terms(design.X, sample.y, random_terms(design))
    block = design.block if design.blocks_as == "random" else None
    return fit_reml(design.X, sample.y, Levels(design.group, block))


def _answer(sample: Sample, fitted: Fit, name: str) -> tidy.MethodResult:
    """One method of the engine; a failure of its own is a row that says so."""
    settings = _draws(sample) if name == "mixed_bootstrap" else {}
    try:
        answers = ANSWERS[name](sample.design, fitted, sample.conf_level, **settings)
    except (ValueError, np.linalg.LinAlgError) as error:
        return _method(sample, name, None, message=f"No answer: {error}.", software="groupwise")
    return _method(
        sample,
        name,
        answers,
        message=_boundary_note(name, fitted) if fitted.singular else "",
        software="groupwise",
        converged=True,
        singular=bool(fitted.singular),
    )


def _boundary_note(name: str, fitted: Fit) -> str:
    if isinstance(fitted, LmmFit):
        return f"{fitted.message} {GENERAL_NOTES[name]}".strip()
    return BOUNDARY_NOTES[name]


def _draws(sample: Sample) -> dict[str, int]:
    return {"n_draws": sample.resampling.bootstrap_draws, "seed": sample.resampling.seed}


def _method(
    sample: Sample,
    method: str,
    answers: tidy.Answers | None,
    *,
    message: str,
    software: str = "",
    converged: bool = False,
    singular: bool = False,
) -> tidy.MethodResult:
    """A result; without `answers` its rows are NaN."""
    return tidy.MethodResult(
        specification="mixed",
        method=method,
        answers=sample.no_answers() if answers is None else answers,
        terms=sample.design.terms,
        estimand="precision-weighted",
        vcov_type=VCOV[method],
        df_method=DF[method].format(**_draws(sample)),
        software=software,
        converged=converged,
        singular=singular,
        message=message,
    )


# ---- tables --------------------------------------------------------------------------------------


def _tables_of(sample: Sample, model: Reported) -> dict[str, pd.DataFrame]:
    """What the reported fit says of groups and individuals."""
    return {
        "random_effects": _random_effects(sample, model),
        "residuals": residual_table(sample, *WHO, model.fitted, model.residual),
        "fit_statistics": fit_statistics(
            sample,
            *WHO,
            loglik=model.loglik,
            statsmodels_agreement=round(model.agreement, 9),
            statsmodels_likelihood_gap=round(model.likelihood_gap, 9),
        ),
    }


def _statistics_of(sample: Sample, found: Fit) -> dict[str, float]:
    """The test of the group variance, the most unusual group, correlations of random effects."""
    draws = sample.resampling
    test = mixed.group_variance_test(found, n_refits=draws.bootstrap_draws, seed=draws.seed)
    unusual = mixed.unusual_groups(found, sample.design)
    worst = int(np.argmax(np.abs(unusual.t))) if np.isfinite(unusual.t).all() else -1
    statistics = {
        "loglik_without_groups": float(found.loglik) - 0.5 * float(test.statistic),
        "group_variance_statistic": float(test.statistic),
        "group_variance_p_mixture": float(test.p_mixture),
        f"group_variance_p_{test.null}": float(test.p_drawn),
        "group_variance_draws": test.n_draws,
        "unusual_group": worst,
        "unusual_group_t": float(unusual.t[worst]),
        "unusual_group_df": unusual.df,
    }
    return statistics | _correlations(found)


def _correlations(found: Fit) -> dict[str, float]:
    """Of the random effects of one term: `correlation: Intercept, small`; NaN with a variance of 0."""
    said = {}
    for each in found.components if isinstance(found, LmmFit) else ():
        if not each.correlated:
            continue
        for j, row in enumerate(each.colnames):
            for i, column in enumerate(each.colnames[:j]):
                scale = each.std_dev[i] * each.std_dev[j]
                value = each.covariance[i, j] / scale if scale > 0 else np.nan
                said[f"correlation: {column}, {row}"] = float(value)
    return said


def _agreement(sample: Sample, model: Reported, found: Fit) -> pd.DataFrame:
    """No rows where statsmodels was not asked."""
    if model.said_beta is None:
        return tidy.table("agreement", [])
    rows = compare_mixed(sample.design, model.said_beta, model.said_std_dev, found)
    return tidy.table("agreement", [sample.who(*WHO) | row for row in rows])


def _variance_components(sample: Sample, found: Fit) -> pd.DataFrame:
    """A row per effect and estimator, REML's first; `icc` is its share of the variance."""
    rows = []
    for estimator in ("reml", "ml"):
        parts = mixed.components(found, reml=estimator == "reml", conf_level=sample.conf_level)
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
        low, high = (
            ("conf_low", "conf_high") if name == "std_dev" else (f"{name}_low", f"{name}_high")
        )
        row |= {name: limits.estimate.item()}
        row |= {low: limits.conf_low.item(), high: limits.conf_high.item()}
    return row


def _level_name(sample: Sample, level: str) -> str:
    """The column that a random term is of; for all together their names with a plus."""
    names = {"group": sample.group_name}
    if sample.design.block is not None and sample.design.blocks_as == "random":
        names["block"] = str(sample.block_name)
    if sample.design.second is not None:
        names["second"] = str(sample.second_name)
    return (names | {RESIDUAL: "Residual", TOTAL: " + ".join(names.values())})[level]


def _random_effects(sample: Sample, model: Reported) -> pd.DataFrame:
    """BLUPs beside the raw deviation: what the fixed effects leave, unshrunken; groups first."""
    left = sample.y - sample.design.X @ model.beta
    names = sorted(model.effects, key=["group", "block", "second"].index)
    return tidy.concat("random_effects", [_level(sample, model, left, name) for name in names])


def _level(sample: Sample, model: Reported, left: np.ndarray, name: str) -> pd.DataFrame:
    """The effects of one grouping: all levels of a term, then the next term."""
    design, (estimate, std_error) = sample.design, model.effects[name]
    codes = {"group": design.group, "block": design.block, "second": design.second}[name]
    labels = {
        "group": design.group_labels,
        "block": design.block_labels,
        "second": design.second_labels,
    }[name]
    assert codes is not None
    arm = np.array([*design.arm_labels, ""], dtype=object)[design.arm_of_group]
    q, size = estimate.shape[1], np.bincount(codes)
    raw = _raw_slopes(sample, left) if q > 1 else (np.bincount(codes, weights=left) / size)[:, None]
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


def _raw_slopes(sample: Sample, left: np.ndarray) -> np.ndarray:
    """(G, J): mean of a group's reference arm, and other arms less it; NaN without such members."""
    design = sample.design
    cell, shape = design.group * len(design.arm_labels) + design.arm, (design.n_groups, -1)
    n_cells = design.n_groups * len(design.arm_labels)
    with np.errstate(invalid="ignore"):
        mean = np.bincount(cell, left, n_cells) / np.bincount(cell, minlength=n_cells)
    mean = mean.reshape(shape)
    return np.hstack([mean[:, :1], mean[:, 1:] - mean[:, :1]])
