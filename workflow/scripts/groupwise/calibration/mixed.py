"""The mixed model, for every replicate: in batches from group sums, or one by one."""

from __future__ import annotations

import numpy as np

from groupwise.calibration.replicates import Batch, Replicates, inside, stacked
from groupwise.inference.bootstrap import draw_t, studentised
from groupwise.inference.engines import Draws, GeneralEngine, engine, has_one_intercept
from groupwise.inference.lmm_profile import covered_lmm, profile_contrasts_lmm
from groupwise.inference.profile import profile_contrasts
from groupwise.inference.random_intercept_df import SmallSample
from groupwise.inference.wald import wald
from groupwise.models.random_intercept import RandomIntercept, RandomInterceptFit
from groupwise.tidy import Inference

METHODS = (
    "mixed_wald",
    "mixed_satterthwaite",
    "mixed_kenward_roger",
    "mixed_profile",
    "mixed_bootstrap",
)


def answers(batch: Batch, wanted: frozenset[str]) -> dict[str, Replicates]:
    """Answers by the methods of `METHODS` that are wanted; none where the design has no fit."""
    if not has_one_intercept(batch.design):
        return _one_by_one(batch, wanted)
    try:
        model = RandomIntercept.of(batch.design.X, batch.design.group)
    except ValueError:
        return {method: Replicates.missing(batch) for method in wanted}
    small = SmallSample(model.fit(batch.y))
    return {method: _batched(batch, small, method) for method in wanted}


def _batched(batch: Batch, small: SmallSample, method: str) -> Replicates:
    L, conf_level, fit = batch.design.L, batch.conf_level, small.fit
    if method == "mixed_wald":
        found = wald(L, fit.beta, fit.vcov, df=np.inf, conf_level=conf_level)
    elif method == "mixed_satterthwaite":
        found = small.satterthwaite(L, conf_level=conf_level)
    elif method == "mixed_kenward_roger":
        found = small.kenward_roger(L, conf_level=conf_level)
    elif method == "mixed_profile":
        found = profile_contrasts(fit.model, batch.y, L, conf_level=conf_level)
    else:
        found = _bootstrap(batch, fit)
    return Replicates.of(batch, found, singular=fit.singular, keep=fit.converged)


def _bootstrap(batch: Batch, fit: RandomInterceptFit) -> Inference:
    L, conf_level = batch.design.L, batch.conf_level
    rows = []
    for i, theta in enumerate(fit.theta):
        if not fit.converged[i]:
            rows.append(Inference.missing(len(L), conf_level))
            continue
        draws = {"n_draws": batch.effort.bootstrap_draws, "seed": batch.seed_of(i)}
        drawn = draw_t(fit.model, float(theta), L, **draws)
        found = wald(L, fit.beta[i], fit.vcov[i], df=np.inf, conf_level=conf_level)
        rows.append(studentised(found, drawn))
    return stacked(rows, conf_level)


def _one_by_one(batch: Batch, wanted: frozenset[str]) -> dict[str, Replicates]:
    """Other random terms than one intercept: a fit at a time, which all methods share."""
    rows: dict[str, list[Inference]] = {method: [] for method in wanted}
    covers: dict[str, list[np.ndarray]] = {method: [] for method in wanted}
    singular = np.zeros(batch.n_replicates, dtype=bool)
    for i, y in enumerate(batch.y):
        fit = _fit_or_none(batch, y)
        singular[i] = fit is not None and fit.singular
        for method in wanted:
            found, held = _ask_or_miss(batch, fit, method, i)
            rows[method].append(found)
            covers[method].append(held)
    return {
        method: Replicates.of(
            batch,
            stacked(rows[method], batch.conf_level),
            covers=np.array(covers[method]),
            singular=singular,
        )
        for method in wanted
    }


def _fit_or_none(batch: Batch, y: np.ndarray) -> GeneralEngine | None:
    try:
        fit = engine(batch.design, y)
    except (ValueError, np.linalg.LinAlgError):
        return None
    assert isinstance(fit, GeneralEngine)
    return fit


def _ask_or_miss(
    batch: Batch, fit: GeneralEngine | None, method: str, i: int
) -> tuple[Inference, np.ndarray]:
    """Inference and whether intervals hold the truth (k,).

    NaN where there is no fit, or the method fails for it: counted, as every failure is.
    """
    L, conf_level = batch.design.L, batch.conf_level
    if fit is not None:
        try:
            if method == "mixed_profile" and i >= batch.effort.inverted:
                found = profile_contrasts_lmm(fit.ml, L, conf_level=conf_level, limits=False)
                return found, covered_lmm(fit.ml, L, batch.truth, conf_level=conf_level)
            found = _ask(batch, fit, method, i)
            return found, inside(found.conf_low, batch.truth, found.conf_high)
        except (ValueError, np.linalg.LinAlgError):
            pass
    return Inference.missing(len(L), conf_level), np.full(len(L), np.nan)


def _ask(batch: Batch, fit: GeneralEngine, method: str, i: int) -> Inference:
    L, conf_level = batch.design.L, batch.conf_level
    if method == "mixed_wald":
        return wald(L, fit.beta, fit.vcov, df=np.inf, conf_level=conf_level)
    if method == "mixed_satterthwaite":
        return fit.satterthwaite(L, conf_level)
    if method == "mixed_kenward_roger":
        return fit.kenward_roger(L, conf_level)
    if method == "mixed_profile":
        return fit.profile(L, conf_level)
    return fit.bootstrap(L, conf_level, Draws(batch.effort.bootstrap_draws, batch.seed_of(i)))
