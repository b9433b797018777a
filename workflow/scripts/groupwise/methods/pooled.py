"""Pooled: no group effect in the mean; classical, sandwich and wild bootstrap standard errors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from groupwise.inference import wild_bootstrap as wild
from groupwise.inference.classical import classical_f, classical_t
from groupwise.inference.sandwich import cr_inference, cr_joint, design_clusters
from groupwise.methods import About, Fits, Procedure, Request, of_groups, of_kinds
from groupwise.methods.glm import pooled
from groupwise.methods.glm.unanswered import no_std_error
from groupwise.models.clusters import Clusters, Projected
from groupwise.models.least_squares import normal_loglik, without_rounding
from groupwise.sample import Sample, fit_statistics, residual_table
from groupwise.tidy import Answers, Inference, JointTest

CR1 = "CR1 (Stata): G/(G-1) (n-1)/(n-p)"

EXPLAINED = "Does not apply: the model explains the outcome completely."

UNBOUNDED = "The test rejects no distant value, so the interval is unbounded"
GAPS = "The confidence set has gaps, which the interval spans"

INDIVIDUALS = "individual-average"


@dataclass(frozen=True)
class PooledFit:
    """Least squares of outcomes y (R, n): their projection, residual sums of squares (R,), n - rank."""

    projected: Projected
    squares: np.ndarray
    df: int

    @property
    def clusters(self) -> Clusters:
        return self.projected.clusters

    @property
    def variance(self) -> np.ndarray:
        """Residual variance (R,); NaN where no degree of freedom is left."""
        return self.squares / self.df if self.df > 0 else np.full(len(self.squares), np.nan)


def fit(clusters: Clusters, y: np.ndarray) -> PooledFit:
    """Ordinary least squares of outcomes y (R, n)."""
    projected = Projected.of(clusters, y)
    squares = without_rounding(np.einsum("ri,ri->r", projected.residual, projected.residual), y)
    return PooledFit(projected, squares, clusters.n_obs - clusters.basis.rank)


def _classical(fit: PooledFit, L: np.ndarray, request: Request) -> Inference:
    """Classical t tests with n - rank df, as if all individuals were independent."""
    basis, coordinates = fit.clusters.basis, fit.projected.coordinates
    return classical_t(basis, coordinates, fit.variance, fit.df, L, request.conf_level)


def _classical_joint(fit: PooledFit, L: np.ndarray, request: Request) -> JointTest:
    return classical_f(fit.clusters.basis, fit.projected.coordinates, fit.variance, fit.df, L)


def _sandwich(fit: PooledFit, L: np.ndarray, request: Request, *, kind: str) -> Inference:
    return cr_inference(fit.projected, L, kind, request.conf_level)


def _sandwich_joint(fit: PooledFit, L: np.ndarray, request: Request, *, kind: str) -> JointTest:
    return cr_joint(fit.projected, L, kind)


# ---- wild cluster bootstrap ----------------------------------------------------------------------


def _weights(clusters: Clusters, request: Request) -> wild.Weights:
    effort = request.resampling
    draws = wild.affordable(effort.wild_draws, clusters.n_groups)
    return wild.Weights(
        clusters.n_groups,
        draws,
        effort.seed,
        request.first,
        enumerate_up_to=effort.max_assignments,
    )


def _wild(fit: PooledFit, L: np.ndarray, request: Request) -> Inference:
    """CR1 standard errors; p-values, and for some outcomes intervals, of the wild bootstrap.

    An interval holds the values that the test does not reject.
    """
    weights = _weights(fit.clusters, request)
    searched = request.n_searched(len(fit.squares))
    rows = wild.inference(fit.projected, L, weights, request.conf_level, searched)
    if request.truth is None:
        return rows
    p_value = rows.p_value
    if request.truth.any():
        p_value = wild.p_values(fit.projected, L, weights, null=request.truth)
    covers = np.where(np.isnan(p_value), np.nan, p_value >= 1 - request.conf_level)
    return replace(rows, covers=covers)


def _wild_joint(fit: PooledFit, L: np.ndarray, request: Request) -> JointTest:
    return wild.joint(fit.projected, L, _weights(fit.clusters, request))


# ---- what the rows say ---------------------------------------------------------------------------


def _about(vcov_type: str, df_method: str) -> Callable[[Any, Request], About]:
    return lambda clusters, request: About(INDIVIDUALS, vcov_type, df_method)


def _about_wild(clusters: Clusters, request: Request) -> About:
    return About(INDIVIDUALS, CR1, _weights(clusters, request).describe())


def _explained(sample: Sample, fit: PooledFit, answers: Answers) -> str:
    return "" if fit.variance[0] > 0 and fit.projected.residual.any() else EXPLAINED


def _message(sample: Sample, fit: PooledFit, answers: Answers) -> str:
    """The message that the model explains the outcome, or which comparisons have no standard error."""
    return _explained(sample, fit, answers) or no_std_error(sample.design, answers)


def _wild_message(sample: Sample, fit: PooledFit, answers: Answers) -> str:
    message = _message(sample, fit, answers)
    if message == EXPLAINED:
        return message
    weights = _weights(fit.clusters, Request(resampling=sample.resampling))
    notes, asked = [message, *_oddities(sample, answers)], sample.resampling.wild_draws
    if not weights.enumerated and weights.draws < asked:
        fewer = f"{weights.draws:,} draws in place of {asked:,}, because there are so many groups."
        notes.append(fewer)
    return " ".join(filter(None, notes))


def _oddities(sample: Sample, answers: Answers) -> list[str]:
    """Sentences on unusual intervals, each with the answers it is about."""
    design, both = sample.design, (answers.contrasts, answers.means)
    labels = [*design.contrast_labels, *(f"mean of {arm}" for arm in design.arm_labels)]
    gaps = np.concatenate([each.gaps for each in both])
    endless = np.concatenate([np.isinf(each.conf_low) | np.isinf(each.conf_high) for each in both])
    about = {
        GAPS: [label for label, gap in zip(labels, gaps, strict=True) if gap],
        UNBOUNDED: [label for label, end in zip(labels, endless & ~gaps, strict=True) if end],
    }
    return [f"{sentence}: {', '.join(named)}." for sentence, named in about.items() if named]


def _cr(kind: str, name: str, df_method: str) -> Procedure:
    return replace(
        CLASSICAL,
        about=_about(name, df_method),
        infer=partial(_sandwich, kind=kind),
        joint=partial(_sandwich_joint, kind=kind),
        message=_message,
    )


CLASSICAL = Procedure(
    about=_about("classical", "residual (n - p)"),
    prepare=design_clusters,
    fit=fit,
    infer=_classical,
    joint=_classical_joint,
    message=_explained,
    needs=of_kinds,
)

METHODS: Mapping[str, Procedure] = {
    "ols_classical": CLASSICAL,
    "ols_cr1": _cr("CR1", CR1, "G - 1"),
    "ols_cr2": _cr("CR2", "CR2 (bias-reduced linearisation)", "Bell-McCaffrey (Satterthwaite)"),
    "ols_cr3": _cr("CR3", "CR3 (cluster jackknife)", "G - 1"),
    "ols_wild_bootstrap": replace(
        CLASSICAL,
        about=_about_wild,
        infer=_wild,
        joint=_wild_joint,
        message=_wild_message,
        skips_blocks=True,
        needs=of_groups,
    ),
    **pooled.METHODS,
}


def tables(sample: Sample, fits: Fits) -> dict[str, pd.DataFrame]:
    """Log-likelihood, residual standard deviation, residuals."""
    fitted: PooledFit = fits.of(CLASSICAL)
    who, residual = ("pooled", "ols_classical"), fitted.projected.residual[0]
    statistics = {
        "loglik": normal_loglik(float(fitted.squares[0]), sample.design.n_obs),
        "sd_residual": float(np.sqrt(fitted.variance[0])),
    }
    return {
        "fit_statistics": fit_statistics(sample, *who, statistics),
        "residuals": residual_table(sample, *who, sample.values - residual, residual),
    }
