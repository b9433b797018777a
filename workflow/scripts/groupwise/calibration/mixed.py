"""The mixed model, for every replicate."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from groupwise.calibration.replicates import Batch, Replicates
from groupwise.inference import mixed
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
    try:
        fit = mixed.mixed_model(batch.design).fit(batch.y)
    except ValueError:
        return {method: Replicates.missing(batch) for method in wanted}
    return {
        method: Replicates.of(
            batch,
            _infer(batch, fit, method),
            covers=_covers(batch, fit, method),
            singular=fit.singular,
            keep=fit.converged,
        )
        for method in wanted
    }


SIMPLE: dict[str, Callable[[mixed.MixedFit, np.ndarray, float], Inference]] = {
    "mixed_wald": mixed.wald,
    "mixed_satterthwaite": mixed.satterthwaite,
    "mixed_kenward_roger": mixed.kenward_roger,
}


def _infer(batch: Batch, fit: mixed.MixedFit, method: str) -> Inference:
    L, conf_level, each = batch.design.L, batch.conf_level, np.arange(batch.n_replicates)
    if method == "mixed_profile":
        return mixed.profile(fit, L, conf_level, limits=_searched(batch))
    if method == "mixed_bootstrap":
        n_draws, seeds = batch.effort.bootstrap_draws, batch.seed_of(0) + each
        return mixed.bootstrap(fit, L, conf_level, n_draws=n_draws, seeds=seeds)
    return SIMPLE[method](fit, L, conf_level)


def _searched(batch: Batch) -> np.ndarray:
    """(R,) whether limits are searched for: with one random intercept they always are."""
    every = mixed.has_one_intercept(batch.design)
    return every | (np.arange(batch.n_replicates) < batch.effort.inverted)


def _covers(batch: Batch, fit: mixed.MixedFit, method: str) -> np.ndarray | None:
    """Whether profile intervals whose limits are not searched for hold the truth (R, k)."""
    if method != "mixed_profile" or _searched(batch).all():
        return None
    return mixed.covers(fit, batch.design.L, batch.truth, batch.conf_level)
