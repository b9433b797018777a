"""Pooled: no group effect in the mean; classical, sandwich and wild bootstrap standard errors."""

from __future__ import annotations

import numpy as np

from groupwise import tidy
from groupwise.inference.sandwich import Clusters, cr_answers, design_clusters, unknown
from groupwise.inference.wald import wald_answers
from groupwise.inference.wild_bootstrap import Weights, wild_answers
from groupwise.inference.witness import compare_ols
from groupwise.models.linear import MANY_ROWS, SOFTWARE, LinearFit, fit_engine, fit_ols
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

MOST_WEIGHTS, LEAST_DRAWS = 200_000_000, 999
"""The wild bootstrap draws this many weights of groups at most, but never fewer draws than that."""

ENGINE = f"By Groupwise's least squares: statsmodels is asked up to {MANY_ROWS:,} rows."
EXPLAINED = "Does not apply: the model explains the outcome completely."


def fit(sample: Sample) -> SpecificationFit:
    """Ordinary least squares, the same estimates under every kind of standard error."""
    model = fit_ols(sample.design.X, sample.y)
    clusters = design_clusters(sample.design)
    agreement = []
    if model.variance > 0 and clusters.basis.project(sample.y)[1].any():
        if model.software == SOFTWARE:
            agreement = compare_ols(sample.design, model, fit_engine(sample.design.X, sample.y))
        methods = [_classical(sample, model), *_robust(sample, clusters)]
    else:
        nothing = sample.no_answers()
        how = HOW | {"ols_classical": _how_classical(model)}
        methods = [_method(sample, name, nothing, *said, EXPLAINED) for name, said in how.items()]
    who = ("pooled", "ols_classical")
    tables = {
        "agreement": tidy.table("agreement", [sample.who(*who) | row for row in agreement]),
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
    note = "" if model.software == SOFTWARE else ENGINE
    return _method(sample, "ols_classical", answers, *_how_classical(model), note)


def _how_classical(model: LinearFit) -> tuple[str, str, str]:
    vcov_type, df_method, _ = HOW["ols_classical"]
    return vcov_type, df_method, model.software


def _robust(sample: Sample, clusters: Clusters) -> list[tidy.MethodResult]:
    methods = []
    for kind, name in SANDWICHES.items():
        answers = cr_answers(sample.design, sample.y, kind, sample.conf_level, clusters)
        methods.append(_method(sample, name, answers, *HOW[name], unknown(sample.design, answers)))
    if sample.asks("ols_wild_bootstrap"):
        methods.append(_wild(sample, clusters))
    return methods


def _wild(sample: Sample, clusters: Clusters) -> tidy.MethodResult:
    asked, most = sample.resampling.wild_draws, MOST_WEIGHTS // clusters.n_groups
    effort = {"draws": min(asked, max(most, LEAST_DRAWS)), "seed": sample.resampling.seed}
    answers, note = wild_answers(
        sample.design, sample.y, sample.conf_level, clusters=clusters, **effort
    )
    weights = Weights(clusters.n_groups, **effort)
    if not weights.enumerated and weights.draws < asked:
        fewer = f"{weights.draws:,} draws in place of {asked:,}, because there are so many groups."
        note = " ".join(filter(None, (note, fewer)))
    draws = weights.describe()
    return _method(sample, "ols_wild_bootstrap", answers, CR1, draws, "groupwise", note)


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
