"""statsmodels as a witness: the same models fitted to the same data, beside what is reported.

It fits pooled least squares, the dummy model, the mixed model and the estimating equations, within
the sizes that it can. Nothing that it says is reported as ours: the table `agreement` shows both.
Where MixedLM goes wrong by its own standard (effects that are not those of its own variances, as in
statsmodels#10239, or a likelihood below the optimum), a sentence says so.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from statsmodels.genmod import families
from statsmodels.genmod.cov_struct import Exchangeable
from statsmodels.genmod.generalized_estimating_equations import GEE
from statsmodels.genmod.generalized_linear_model import GLM
from statsmodels.regression.linear_model import OLS
from statsmodels.regression.mixed_linear_model import MixedLM, VCSpec
from statsmodels.tools.sm_exceptions import (
    ConvergenceWarning,
    DomainWarning,
    HessianInversionWarning,
    IterationLimitWarning,
    PerfectSeparationError,
    PerfectSeparationWarning,
    SingularMatrixWarning,
)

from groupwise import tidy
from groupwise.catalogue.tables import MANY_GROUPS, MANY_ROWS
from groupwise.design import Design
from groupwise.inference.mixed import MixedModel, mixed_model, random_terms
from groupwise.models.random_terms import RandomTerm, lme4_order
from groupwise.response import Response
from groupwise.sample import Sample

ALARM = 1e-4
"""A difference above this is an alarm, unless a variance lies on the boundary or a sentence says why."""

BOUNDARY = 1e-6
"""A variance below this share of the residual variance is the boundary, 0."""

AGREEMENT = 1e-4
"""How far MixedLM's effects may lie from those of its own variances, in standard errors."""

LIKELIHOOD_GAP = 1e-5
"""How far below the REML optimum MixedLM may stop."""

MOST_CELLS = 20_000_000
"""statsmodels writes dummies down."""

LARGEST_GROUP, MOST_WORK = 4_000, 1e11
"""Of GEE: it solves a system of the size of every group, one after the other."""


@dataclass(frozen=True)
class WitnessFit:
    """statsmodels' fit: values and standard errors of contrasts, (k,), further numbers by name."""

    method: str
    estimate: np.ndarray
    std_error: np.ndarray | None = None
    std_dev: Mapping[str, float] | None = None
    message: str = ""


def agreement(sample: Sample, tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Table `agreement`: what statsmodels says beside what is reported, a row per quantity.

    Parameters
    ----------
    tables : `estimates`, `fit_statistics` and `variance_components` as they are reported

    Differences of effects are in standard errors, those of standard deviations and standard errors
    relative. A model beyond what statsmodels can fit, or that it fails at, has no rows.
    """
    rows: list[dict[str, Any]] = []
    for specification, ask in WITNESSES.items():
        for fit in ask(sample):
            rows += _rows(sample, specification, fit, tables)
    return tidy.table("agreement", rows)


def _rows(
    sample: Sample, specification: str, fit: WitnessFit, tables: Mapping[str, pd.DataFrame]
) -> Iterator[dict[str, Any]]:
    """A row per contrast, standard error and standard deviation that both have."""
    estimates = tables["estimates"]
    rows = estimates[estimates["method"] == fit.method].set_index("contrast")
    if rows.empty:
        return
    who = sample.who(specification, fit.method) | {"message": fit.message}
    excused = bool(rows["singular"].any()) or bool(fit.message)

    def row(quantity: str, theirs: float, ours: float, unit: float) -> dict[str, Any]:
        difference = round(abs(theirs - ours) / (unit if unit > 0 else 1.0), 9)
        values = {"statsmodels": theirs, "groupwise": ours, "difference": difference}
        return who | {"quantity": quantity, "alarm": not (excused or difference <= ALARM)} | values

    for c, label in enumerate(sample.design.contrast_labels):
        estimate, std_error = (
            float(rows.loc[label, "estimate"]),
            float(rows.loc[label, "std_error"]),
        )
        if not np.isfinite([estimate, std_error]).all():
            continue
        yield row(label, float(fit.estimate[c]), estimate, _unit(sample, estimate, std_error))
        if fit.std_error is not None:
            theirs = float(fit.std_error[c])
            yield row(f"std. error of {label}", theirs, std_error, std_error)
    reported = _std_dev(sample, specification, tables)
    for level, theirs in (fit.std_dev or {}).items():
        if level in reported:
            unit = reported[level] if reported[level] > 0 else reported["residual"]
            yield row(f"sd of {level}", theirs, reported[level], unit)


def _unit(sample: Sample, estimate: float, std_error: float) -> float:
    """A standard error in the units of the estimate: of ratios by the delta method."""
    return estimate * std_error if sample.response.is_ratio else std_error


def _std_dev(
    sample: Sample, specification: str, tables: Mapping[str, pd.DataFrame]
) -> dict[str, float]:
    """The standard deviations that are reported: of the residuals, and of random effects by name."""
    if specification != "mixed":
        table = tables["fit_statistics"]
        rows = table[
            (table["specification"] == specification) & (table["statistic"] == "sd_residual")
        ]
        return {"residual": float(rows["value"].iloc[0])} if len(rows) else {}
    table = tables["variance_components"]
    names = {sample.group_name: "group", "Residual": "residual"}
    names |= {sample.level_name(each): each for each in ("block", "second", "cell", "individual")}
    reml = table[(table["estimator"] == "reml") & table["group"].isin(list(names))]
    return {
        names[group] + (f": {term}" if term not in ("", "Intercept") else ""): float(value)
        for group, term, value in zip(reml["group"], reml["term"], reml["std_dev"], strict=True)
    }


# ---- least squares -------------------------------------------------------------------------------


def _pooled(sample: Sample) -> list[WitnessFit]:
    """Ordinary least squares; where effects are ratios, a regression of events."""
    design = sample.design
    if design.n_obs > MANY_ROWS:
        return []
    if design.response.is_ratio:
        return _regression_of_events(sample)
    return [_least_squares("ols_classical", design.X, sample.values, design.L)]


def _dummies(sample: Sample) -> list[WitnessFit]:
    """The same with an indicator for every group but the first, by a pseudo-inverse."""
    design = sample.design
    if design.response.is_ratio:
        return []
    if design.n_obs * (design.X.shape[1] + design.n_groups) > MOST_CELLS:
        return []
    indicators = (design.group[:, None] == np.arange(1, design.n_groups)).astype(float)
    kept = np.ones(design.X.shape[1], dtype=bool)
    if not design.assigns_groups:  # columns that the indicators say as well make it inaccurate
        kept = ~design.constant_in_groups
        kept[0] = True
    L = np.hstack([design.L[:, kept], np.zeros((len(design.L), design.n_groups - 1))])
    return [_least_squares("dummy", np.hstack([design.X[:, kept], indicators]), sample.values, L)]


def _least_squares(method: str, X: np.ndarray, y: np.ndarray, L: np.ndarray) -> WitnessFit:
    with warnings.catch_warnings():
        # Dependent columns are expected of the dummy model.
        warnings.simplefilter("ignore", SingularMatrixWarning)
        fit = OLS(y, X).fit()
    variance = float(fit.ssr) / float(fit.df_resid) if fit.df_resid > 0 else np.nan
    vcov = variance * fit.normalized_cov_params
    std_error = np.sqrt(np.maximum(np.einsum("ki,ij,kj->k", L, vcov, L), 0))
    return WitnessFit(method, L @ fit.params, std_error, {"residual": float(np.sqrt(variance))})


GEE_WARNINGS = (
    ConvergenceWarning,
    IterationLimitWarning,
    DomainWarning,
    PerfectSeparationWarning,
)
"""All say that the iterations did not end well, which the fit says too."""

GLM_WARNINGS = (*GEE_WARNINGS, HessianInversionWarning, RuntimeWarning)
"""The same of generalised linear models; overflow is of infinite estimates."""


OVERFLOWS: dict[str, Any] = {"over": "ignore", "invalid": "ignore", "divide": "ignore"}
"""statsmodels goes on with coefficients that are infinite until its numbers overflow."""


# ---- estimating equations ------------------------------------------------------------------------


def _gee(sample: Sample) -> list[WitnessFit]:
    """Exchangeable errors, bias-reduced covariance; nothing where the iterations do not end well."""
    design = sample.design
    size = design.group_size.astype(float)
    if design.n_obs > MANY_ROWS or design.n_groups > MANY_GROUPS or size.max() > LARGEST_GROUP:
        return []
    if (size**3).sum() > MOST_WORK:
        return []
    of_means = [] if design.response.is_ratio else _gee_of_means(sample)
    return of_means + (_gee_of_events(sample) if design.response.has_events else [])


def _gee_of_means(sample: Sample) -> list[WitnessFit]:
    """Stopping rules know no units: it sees what least squares leaves, in units of its own sd."""
    design = sample.design
    beta, left, scale = _left(design, sample.values)
    if not scale > 0:
        return []
    fit = _equations_fit(left / scale, design)
    if fit is None:
        return []
    L, vcov = design.L, scale**2 * fit.cov_params()
    variance = np.einsum("ki,ij,kj->k", L, vcov, L)
    if not (variance >= 0).all():
        return []
    return [WitnessFit("gee_bias_reduced", L @ (beta + scale * fit.params), np.sqrt(variance))]


def _equations_fit(
    y: np.ndarray, design: Design, settings: Mapping[str, Any] | None = None, **fitted: Any
) -> Any:
    """Exchangeable equations with a bias-reduced covariance; None where they do not converge."""
    with warnings.catch_warnings(), np.errstate(**OVERFLOWS):
        for category in GEE_WARNINGS:
            warnings.simplefilter("ignore", category)
        try:
            structure = Exchangeable()
            model = GEE(y, design.X, design.group, cov_struct=structure, **(settings or {}))
            fit = model.fit(cov_type="bias_reduced", maxiter=200, ctol=1e-10, **fitted)
        except (ValueError, np.linalg.LinAlgError):
            return None
    return fit if fit.converged else None


# ---- events --------------------------------------------------------------------------------------


def _family(response: Response) -> families.Family:
    """The distribution with the link of the effects."""
    links = families.links
    link = {"identity": links.Identity(), "log": links.Log(), "logit": links.Logit()}[response.link]
    family = families.Binomial if response.family == "binary" else families.Poisson
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DomainWarning)  # a link that can leave the range of means
        return family(link=link)


def _exposed(design: Design) -> dict[str, np.ndarray]:
    """The exposure as an argument, where the link is the logarithm and there is one."""
    if design.exposure is None or design.response.link != "log":
        return {}
    return {"exposure": design.exposure}


def _regression_of_events(sample: Sample) -> list[WitnessFit]:
    """A generalised linear model, with its own covariance and with CR1.

    Ratios of risks by the score of Poisson regression, with the sandwich of individuals (Zou 2004).
    """
    design, response = sample.design, sample.response
    of_risks = response == Response("binary", "ratio")
    family = families.Poisson() if of_risks else _family(response)
    model = GLM(sample.y, design.X, family=family, **_exposed(design))
    plain = {"cov_type": "HC0"} if of_risks else {}
    groups = {"cov_type": "cluster", "cov_kwds": {"groups": design.group}}
    fits = []
    with warnings.catch_warnings(), np.errstate(**OVERFLOWS):
        for category in GLM_WARNINGS:
            warnings.simplefilter("ignore", category)
        for method, covariance in (("glm_wald", plain), ("glm_cr1", groups)):
            try:
                fit = model.fit(tol=1e-12, maxiter=100, **covariance)
            except (ValueError, np.linalg.LinAlgError, PerfectSeparationError):
                return []
            if fit.converged:
                fits.append(_linked(sample, method, fit))
    return fits


def _gee_of_events(sample: Sample) -> list[WitnessFit]:
    """Equations of events; the correlation is a mean over pairs, not divided by fewer.

    Rates with an exposure are left out where effects are differences: statsmodels has no such variance.
    """
    design, response = sample.design, sample.response
    if design.exposure is not None and response.link == "identity":
        return []
    settings = {"family": _family(response)} | _exposed(design)
    fit = _equations_fit(sample.y, design, settings, ddof_scale=0)
    return [] if fit is None else [_linked(sample, "gee_mancl_derouen", fit)]


def _linked(sample: Sample, method: str, fit: Any) -> WitnessFit:
    """Contrasts of a fit, as they are reported: of ratios the ratios, with errors of the logarithm."""
    L, vcov = sample.design.L, np.asarray(fit.cov_params())
    estimate = L @ np.asarray(fit.params)
    std_error = np.sqrt(np.einsum("ki,ij,kj->k", L, vcov, L))
    return WitnessFit(method, np.exp(estimate) if sample.response.is_ratio else estimate, std_error)


# ---- mixed models --------------------------------------------------------------------------------


def _mixed(sample: Sample) -> list[WitnessFit]:
    """REML by MixedLM, which has effects of one grouping, or groups in blocks."""
    design = sample.design
    if design.n_obs > MANY_ROWS or design.n_groups > MANY_GROUPS or design.second is not None:
        return []
    if design.response.is_ratio:
        return []
    beta, left, scale = _left(design, sample.values)
    try:
        model = mixed_model(design)
    except ValueError:
        return []
    terms = random_terms(design)
    if len(terms) > 1 and design.random_slopes != "none":
        return []
    theirs = _mixed_lm(design, left / scale, terms)
    if theirs is None:
        failed = "statsmodels met a singular matrix and gives no fit."
        return [WitnessFit("mixed_wald", np.full(len(design.L), np.nan), message=failed)]
    effects, std_dev, theta = theirs
    return [
        WitnessFit(
            method="mixed_wald",
            estimate=design.L @ (beta + scale * effects),
            std_dev={name: scale * value for name, value in std_dev.items()},
            message=_trap(model, left / scale, effects, theta),
        )
    ]


def _left(design: Design, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Coefficients and residuals of least squares, and the residual standard deviation."""
    beta: np.ndarray = np.linalg.lstsq(design.X, y, rcond=None)[0]
    left = y - design.X @ beta
    return beta, left, float(np.sqrt((left**2).sum() / max(len(y) - design.X.shape[1], 1)))


def _trap(model: MixedModel, y: np.ndarray, effects: np.ndarray, theta: np.ndarray) -> str:
    """Where MixedLM went wrong by its own standard; nothing where it did not."""
    at, best = model.fit(y, theta=theta), model.fit(y)
    gap = 0.5 * float(at.criterion - best.criterion)
    distance = float(np.max(np.abs(effects - at.beta) / np.sqrt(np.diag(at.vcov))))
    sentences = []
    if gap > LIKELIHOOD_GAP:
        sentences.append(f"statsmodels stopped {gap:.2g} below the REML optimum.")
    if distance > AGREEMENT:
        sentences.append(
            "statsmodels returned effects that are not the GLS solution at its own variances "
            f"({distance:.2g} standard errors away)."
        )
    return " ".join(sentences)


def _mixed_lm(
    design: Design, y: np.ndarray, terms: list[RandomTerm]
) -> tuple[np.ndarray, dict[str, float], np.ndarray] | None:
    """Effects (p,), standard deviations by name, and theta in the order of our terms."""
    term = terms[0]
    outer, inner = term, terms[1:]
    if len(terms) > 1:
        ones = np.ones((design.n_obs, 1))
        outer = next((each for each in terms if each.name == "block"), term)
        inner = [each for each in terms if each is not outer]
        nested = _nested([(each.name, each.codes) for each in inner], outer.codes)
        model = MixedLM(y, design.X, groups=outer.codes, exog_re=ones, exog_vc=nested)
    elif term.correlated:
        model = MixedLM(y, design.X, groups=term.codes, exog_re=term.Zcols)
    else:
        model = MixedLM(y, design.X, groups=term.codes, exog_vc=_independent(term))
    with warnings.catch_warnings():
        # Boundary and convergence warnings: both are read off the fit.
        warnings.simplefilter("ignore")
        try:
            fit = model.fit(reml=True, method=["bfgs", "lbfgs", "cg"], gtol=1e-8)
        except (np.linalg.LinAlgError, ValueError):
            return None
    residual, effects = float(fit.scale), np.asarray(fit.fe_params)
    if len(terms) > 1:
        variances = dict(zip([each.name for each in inner], map(float, fit.vcomp), strict=True))
        variances[outer.name] = float(np.asarray(fit.cov_re)[0, 0])
        cov = None
    else:
        cov = np.asarray(fit.cov_re) if term.correlated else np.diag(fit.vcomp)
        names = [term.name, *(f"{term.name}: {column}" for column in term.colnames[1:])]
        variances = dict(zip(names, map(float, np.diag(cov)), strict=True))
    variances = {k: v if v > BOUNDARY * residual else 0.0 for k, v in variances.items()}
    std_dev = {k: float(np.sqrt(v)) for k, v in (variances | {"residual": residual}).items()}
    return effects, std_dev, _theta(terms, variances, cov, residual)


def _theta(
    terms: list[RandomTerm], variances: Mapping[str, float], cov: np.ndarray | None, residual: float
) -> np.ndarray:
    """theta of these variances, in the order in which our model has its terms."""
    if cov is not None and len(cov) > 1:
        return _factor(terms[0], cov / residual)
    ordered = lme4_order(terms)
    values = np.array([np.sqrt(variances[term.name] / residual) for term in ordered])
    return values if len(values) > 1 else values[0]


def _factor(term: RandomTerm, relative: np.ndarray) -> np.ndarray:
    """theta of a relative covariance matrix (q, q), which may be singular."""
    if not term.correlated:
        return np.sqrt(np.diag(relative))
    values, vectors = np.linalg.eigh(relative)
    root = np.sqrt(np.maximum(values, 0))[:, None] * vectors.T
    Lambda = np.asarray(np.linalg.qr(root, mode="r")).T
    Lambda = Lambda * np.where(np.diag(Lambda) < 0, -1.0, 1.0)
    return np.array([Lambda[i, j] for i, j in term.entries])


def _nested(inner: list[tuple[str, np.ndarray]], outer: np.ndarray) -> VCSpec:
    """statsmodels' description of groupings nested in an outer one: an indicator matrix per level."""
    rows = [np.flatnonzero(outer == each) for each in range(outer.max() + 1)]
    names, matrices = [], []
    for _, codes in inner:
        members = [codes[some] for some in rows]
        levels = [np.unique(each) for each in members]
        names.append([list(map(str, each)) for each in levels])
        matrices.append(
            [(m[:, None] == each).astype(float) for m, each in zip(members, levels, strict=True)]
        )
    return VCSpec([name for name, _ in inner], names, matrices)


def _independent(term: RandomTerm) -> VCSpec:
    """statsmodels' description of independent effects: each group's rows of every column."""
    rows = [np.flatnonzero(term.codes == level) for level in range(term.n_levels)]
    names = [f"{j}" for j in range(term.q)]
    matrices = [[term.Zcols[r, j : j + 1] for r in rows] for j in range(term.q)]
    labels = [[[name] for _ in rows] for name in names]
    return VCSpec(names, labels, matrices)


WITNESSES: Mapping[str, Callable[[Sample], list[WitnessFit]]] = {
    "pooled": _pooled,
    "dummy": _dummies,
    "mixed": _mixed,
    "gee": _gee,
}
"""Of each specification that statsmodels has."""
