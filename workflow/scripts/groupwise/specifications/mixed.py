"""Mixed: a random intercept per group, and per block where blocks are random; REML."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from groupwise import tidy
from groupwise.inference.mixed_answers import (
    BOOTSTRAP_DRAWS,
    BOOTSTRAP_SEED,
    Engine,
    OneIntercept,
    bootstrap_answers,
    engine,
    kenward_roger_answers,
    profile_answers,
    satterthwaite_answers,
)
from groupwise.inference.variance_intervals import sd_intervals
from groupwise.inference.wald import wald_answers
from groupwise.inference.witness import compare_mixed
from groupwise.models.mixed import (
    GroupSums,
    Levels,
    MixedFit,
    Variances,
    fit_reml,
    gls,
    maximise_reml,
    profiled_reml,
)
from groupwise.specifications import Sample, SpecificationFit, fit_statistics, residual_table

WHO = ("mixed", "mixed_wald")

ANSWERS: dict[str, Callable[..., tidy.Answers]] = {
    "mixed_satterthwaite": satterthwaite_answers,
    "mixed_kenward_roger": kenward_roger_answers,
    "mixed_profile": profile_answers,
    "mixed_bootstrap": bootstrap_answers,
}
ONE_INTERCEPT_ONLY = ("mixed_profile", "mixed_bootstrap")
NO_NESTED = "Does not apply: profile and bootstrap are for groups without random blocks so far."
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
    "mixed_bootstrap": f"studentised bootstrap, {BOOTSTRAP_DRAWS:,} draws (seed {BOOTSTRAP_SEED})",
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


def fit(sample: Sample) -> SpecificationFit:
    """The reported REML fit by statsmodels, then every method of the engine."""
    design = sample.design
    random_blocks = design.block is not None and design.blocks_as == "random"
    levels = Levels(design.group, design.block if random_blocks else None)
    wald, tables, model = _statsmodels(sample, levels)
    try:
        found = engine(design, sample.y)
        found.singular  # noqa: B018  (fits now, so that a failure is caught here)
    except (ValueError, np.linalg.LinAlgError) as error:
        failed = [_method(sample, name, None, message=str(error)) for name in ANSWERS]
        return SpecificationFit([wald, *failed], tables)
    if model is not None:
        rows = compare_mixed(design, model, found)
        tables["agreement"] = tidy.table("agreement", [sample.who(*WHO) | row for row in rows])
    return SpecificationFit([wald, *_engine_methods(sample, found)], tables)


def _statsmodels(
    sample: Sample, levels: Levels
) -> tuple[tidy.MethodResult, dict[str, pd.DataFrame], MixedFit | None]:
    """REML with normal-theory (z) tests: what most Python prints."""
    design = sample.design
    try:
        model = fit_reml(design.X, sample.y, levels)
    except (ValueError, np.linalg.LinAlgError) as error:
        return _method(sample, "mixed_wald", None, message=str(error)), {}, None
    answers = wald_answers(
        design, model.beta, model.gls.vcov, df=np.inf, conf_level=sample.conf_level
    )
    method = _method(
        sample,
        "mixed_wald",
        answers,
        software=model.software,
        converged=model.converged,
        singular=model.singular,
        message=model.message,
    )
    tables = {
        "variance_components": _variance_components(sample, model, levels),
        "random_effects": _random_effects(sample, model, levels),
        "fit_statistics": fit_statistics(
            sample,
            *WHO,
            loglik=model.gls.loglik_reml,
            loglik_without_groups=_without_groups(sample, model, levels),
            statsmodels_agreement=round(model.agreement, 9),
            statsmodels_likelihood_gap=round(model.likelihood_gap, 9),
        ),
        "residuals": residual_table(sample, *WHO, model.fitted, model.residual),
    }
    return method, tables, model


def _engine_methods(sample: Sample, fitted: Engine) -> list[tidy.MethodResult]:
    """Small-sample, likelihood and bootstrap methods from one engine fit."""
    singular = fitted.singular
    methods = []
    for name, answer in ANSWERS.items():
        if name in ONE_INTERCEPT_ONLY and not isinstance(fitted, OneIntercept):
            methods.append(_method(sample, name, None, message=NO_NESTED))
            continue
        answers = answer(sample.design, fitted, sample.conf_level)
        note = BOUNDARY_NOTES.get(name, "") if singular else ""
        methods.append(
            _method(
                sample,
                name,
                answers,
                message=note,
                software="groupwise",
                converged=True,
                singular=singular,
            )
        )
    return methods


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
        df_method=DF[method],
        software=software,
        converged=converged,
        singular=singular,
        message=message,
    )


def _variance_components(sample: Sample, model: MixedFit, levels: Levels) -> pd.DataFrame:
    """One row per level and one for the residual; `icc` is the level's share of the total."""
    variances = model.variances
    sums = GroupSums.of(sample.design.X, _left(sample, model), levels)
    intervals = sd_intervals(sums, variances, conf_level=sample.conf_level)
    names = {"group": sample.group_name, "residual": "Residual"}
    if levels.block is not None:
        names = {"block": str(sample.block_name)} | names
    total = variances.group + variances.block + variances.residual
    rows = []
    for name, label in names.items():
        variance = getattr(variances, name)
        low, high = intervals[name]
        rows.append(
            sample.who(*WHO)
            | {
                "estimator": "reml",
                "group": label,
                "term": "" if name == "residual" else "Intercept",
                "variance": variance,
                "std_dev": np.sqrt(variance),
                "conf_low": low,
                "conf_high": high,
                "conf_level": sample.conf_level,
                "icc": variance / total,
            }
        )
    return tidy.table("variance_components", rows)


def _left(sample: Sample, model: MixedFit) -> np.ndarray:
    """What the fixed effects leave of y: it has y's restricted likelihood, but no large mean."""
    left: np.ndarray = sample.y - sample.design.X @ model.beta
    return left


def _without_groups(sample: Sample, model: MixedFit, levels: Levels) -> float:
    """The REML log-likelihood of the model without the group level."""
    X, y = sample.design.X, _left(sample, model)
    if levels.block is None:
        return -0.5 * profiled_reml(GroupSums.of(X, y, levels), np.zeros(1))[0]
    sums = GroupSums.of(X, y, Levels(levels.block))
    return gls(sums, maximise_reml(sums, Variances(1.0, 1.0))).loglik_reml


def _random_effects(sample: Sample, model: MixedFit, levels: Levels) -> pd.DataFrame:
    """BLUPs beside the raw deviation: the mean of what the fixed effects leave, unshrunken."""
    design, fit = sample.design, model.gls
    left = _left(sample, model)
    arm = np.array([*design.arm_labels, ""], dtype=object)[design.arm_of_group]
    parts = [
        _level(sample, design.group, left, design.group_labels, arm)
        | {"group": sample.group_name, "estimate": fit.blup_group, "std_error": fit.sd_blup_group}
    ]
    if levels.block is not None:
        parts.append(
            _level(sample, levels.block, left, design.block_labels, "")
            | {
                "group": sample.block_name,
                "estimate": fit.blup_block,
                "std_error": fit.sd_blup_block,
            }
        )
    return tidy.concat("random_effects", [tidy.table("random_effects", part) for part in parts])


def _level(
    sample: Sample,
    codes: np.ndarray,
    left: np.ndarray,
    labels: tuple[str, ...],
    arm: np.ndarray | str,
) -> dict[str, object]:
    size = np.bincount(codes)
    return sample.who(*WHO) | {
        "level": list(labels),
        "arm": arm,
        "term": "Intercept",
        "raw": np.bincount(codes, weights=left) / size,
        "n_obs": size,
    }
