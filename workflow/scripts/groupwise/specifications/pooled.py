"""Pooled: no group effect at all; what the naive analysis prints."""

from __future__ import annotations

import numpy as np

from groupwise import tidy
from groupwise.inference.wald import wald, wald_joint
from groupwise.models.linear import SOFTWARE, fit_ols
from groupwise.specifications import Sample, SpecificationFit, fit_statistics, residual_table


def fit(sample: Sample) -> SpecificationFit:
    """Ordinary least squares with the classical covariance; t with n - p degrees of freedom."""
    design, level = sample.design, sample.conf_level
    model = fit_ols(design.X, sample.y)
    given = {"beta": model.beta, "vcov": model.vcov, "df": model.df_resid}
    method = tidy.MethodResult(
        specification="pooled",
        method="ols_classical",
        contrasts=wald(design.L, **given, conf_level=level),
        means=wald(design.L_means, **given, conf_level=level),
        coefficients=wald(np.eye(len(model.beta)), **given, conf_level=level),
        terms=design.terms,
        omnibus=wald_joint(design.omnibus, **given),
        estimand="individual-average",
        vcov_type="classical",
        df_method="residual (n - p)",
        software=SOFTWARE,
        converged=True,
    )
    who = ("pooled", "ols_classical")
    tables = {
        "fit_statistics": fit_statistics(
            sample, *who, loglik=model.loglik, sd_residual=np.sqrt(model.variance)
        ),
        "residuals": residual_table(sample, *who, model.fitted, model.residual),
    }
    return SpecificationFit([method], tables)
