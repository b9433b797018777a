"""Pooled: no group effect at all; what the naive analysis prints."""

from __future__ import annotations

import numpy as np

from groupwise import tidy
from groupwise.inference.wald import wald_answers
from groupwise.models.linear import SOFTWARE, fit_ols
from groupwise.specifications import Sample, SpecificationFit, fit_statistics, residual_table


def fit(sample: Sample) -> SpecificationFit:
    """Ordinary least squares with the classical covariance; t with n - p degrees of freedom."""
    design = sample.design
    model = fit_ols(design.X, sample.y)
    answers, message = sample.no_answers(), ""
    if model.variance > 0:
        answers = wald_answers(
            design, model.beta, model.vcov, df=model.df_resid, conf_level=sample.conf_level
        )
    else:
        message = "Does not apply: the model explains the outcome completely."
    method = tidy.MethodResult(
        specification="pooled",
        method="ols_classical",
        answers=answers,
        terms=design.terms,
        estimand="individual-average",
        vcov_type="classical",
        df_method="residual (n - p)",
        software=SOFTWARE,
        converged=not message,
        message=message,
    )
    who = ("pooled", "ols_classical")
    tables = {
        "fit_statistics": fit_statistics(
            sample, *who, loglik=model.loglik, sd_residual=np.sqrt(model.variance)
        ),
        "residuals": residual_table(sample, *who, model.fitted, model.residual),
    }
    return SpecificationFit([method], tables)
