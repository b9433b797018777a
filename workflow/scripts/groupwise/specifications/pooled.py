"""Pooled: no group effect in the mean; classical, sandwich and wild bootstrap standard errors."""

from __future__ import annotations

import numpy as np

from groupwise import tidy
from groupwise.inference.sandwich import Clusters, cr_answers, design_clusters, unknown
from groupwise.inference.wald import wald_answers
from groupwise.inference.wild_bootstrap import Weights, wild_answers
from groupwise.models.linear import SOFTWARE, LinearFit, fit_ols
from groupwise.specifications import Sample, SpecificationFit, fit_statistics, residual_table

CR1 = "CR1 (Stata): G/(G-1) (n-1)/(n-p)"

HOW = {
    "ols_classical": ("classical", "residual (n - p)", SOFTWARE),
    "ols_cr1": (CR1, "G - 1", "groupwise"),
    "ols_cr2": ("CR2 (bias-reduced linearisation)", "Bell-McCaffrey (Satterthwaite)", "groupwise"),
    "ols_cr3": ("CR3 (cluster jackknife)", "G - 1", "groupwise"),
    "ols_wild_bootstrap": (CR1, "wild cluster bootstrap-t", "groupwise"),
}
"""Of each method: kind of covariance, reference distribution, software."""

SANDWICHES = {"CR1": "ols_cr1", "CR2": "ols_cr2", "CR3": "ols_cr3"}

WILD_DRAWS, WILD_SEED = 9999, 1

EXPLAINED = "Does not apply: the model explains the outcome completely."


def fit(sample: Sample) -> SpecificationFit:
    """Ordinary least squares, the same estimates under every kind of standard error."""
    model = fit_ols(sample.design.X, sample.y)
    clusters = design_clusters(sample.design)
    if model.variance > 0 and clusters.basis.project(sample.y)[1].any():
        methods = [_classical(sample, model), *_robust(sample, clusters)]
    else:
        nothing = sample.no_answers()
        methods = [_method(sample, name, nothing, *how, EXPLAINED) for name, how in HOW.items()]
    who = ("pooled", "ols_classical")
    tables = {
        "fit_statistics": fit_statistics(
            sample, *who, loglik=model.loglik, sd_residual=np.sqrt(model.variance)
        ),
        "residuals": residual_table(sample, *who, model.fitted, model.residual),
    }
    return SpecificationFit(methods, tables)


def _classical(sample: Sample, model: LinearFit) -> tidy.MethodResult:
    answers = wald_answers(
        sample.design, model.beta, model.vcov, df=model.df_resid, conf_level=sample.conf_level
    )
    return _method(sample, "ols_classical", answers, *HOW["ols_classical"])


def _robust(sample: Sample, clusters: Clusters) -> list[tidy.MethodResult]:
    methods = []
    for kind, name in SANDWICHES.items():
        answers = cr_answers(sample.design, sample.y, kind, sample.conf_level, clusters)
        methods.append(_method(sample, name, answers, *HOW[name], unknown(sample.design, answers)))
    answers, note = wild_answers(
        sample.design,
        sample.y,
        sample.conf_level,
        draws=WILD_DRAWS,
        seed=WILD_SEED,
        clusters=clusters,
    )
    draws = Weights(clusters.n_groups, WILD_DRAWS, WILD_SEED).describe()
    wild = _method(sample, "ols_wild_bootstrap", answers, CR1, draws, "groupwise", note)
    return [*methods, wild]


def _method(
    sample: Sample,
    method: str,
    answers: tidy.Answers,
    vcov_type: str,
    df_method: str,
    software: str,
    message: str = "",
) -> tidy.MethodResult:
    known = [answers.contrasts.p_value, answers.means.std_error]
    return tidy.MethodResult(
        specification="pooled",
        method=method,
        answers=answers,
        terms=sample.design.terms,
        estimand="individual-average",
        vcov_type=vcov_type,
        df_method=df_method,
        software=software,
        converged=bool(np.isfinite(np.concatenate(known)).all()),
        message=message,
    )
