"""Mixed models with random slopes or a second grouping: statsmodels' fit beside the engine's.

statsmodels' MixedLM is asked where it has the model: effects of one grouping, unstructured or
independent. Its fit is reported where it is the optimum and its effects are those of GLS at its own
variances; else the engine's is, and the message says why.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from statsmodels.regression.mixed_linear_model import MixedLM, VCSpec

from groupwise.models import mixed
from groupwise.models.lmm import SOFTWARE, LinearMixedModel, LmmFit
from groupwise.models.random_terms import RandomTerm

NOT_ASKED = "statsmodels has no such combination of random effects; the fit is groupwise's own."


@dataclass(frozen=True)
class TermsFit:
    """The fit that is reported, and what statsmodels said: see `mixed.MixedFit`.

    `said_beta` is None where statsmodels was not asked; `said_std_dev` names the sds as the
    engine does: `group`, `group: small`.
    """

    shown: LmmFit
    beta: np.ndarray
    said_beta: np.ndarray | None
    said_std_dev: dict[str, float]
    agreement: float
    likelihood_gap: float
    message: str
    software: str
    converged: bool

    @property
    def vcov(self) -> np.ndarray:
        return self.shown.vcov

    @property
    def loglik(self) -> float:
        return float(self.shown.loglik)

    @property
    def singular(self) -> bool:
        return bool(self.shown.singular)

    @property
    def fitted(self) -> np.ndarray:
        return self.shown.fitted

    @property
    def residual(self) -> np.ndarray:
        return self.shown.residual

    @property
    def effects(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Predictions (L, q) and their conditional sds, by name of the term."""
        return {each.name: (each.estimate, each.std_error) for each in self.shown.random_effects}


def fit_terms(X: np.ndarray, y: np.ndarray, terms: Sequence[RandomTerm]) -> TermsFit:
    """REML, by statsmodels where it can and is right, by the engine in any case.

    Raises
    ------
    ValueError
        If there is no fit, with the reason.
    """
    model = LinearMixedModel.of(X, terms)
    best = model.fit(y)
    if not best.converged:
        raise ValueError(best.message)
    if len(terms) > 1:
        note = " ".join(filter(None, (_boundary(best), NOT_ASKED)))
        return TermsFit(
            shown=best,
            beta=best.beta,
            said_beta=None,
            said_std_dev={},
            agreement=np.nan,
            likelihood_gap=np.nan,
            message=note,
            software=SOFTWARE,
            converged=True,
        )
    return _checked(model, y, best)


def _checked(model: LinearMixedModel, y: np.ndarray, best: LmmFit) -> TermsFit:
    """What statsmodels says, beside the engine's fit at its variances and at the optimum."""
    # MixedLM's stopping rules know no units: it sees what OLS leaves, in units of its own sd.
    (ols_in_Q,), (scale,), structure = best.sums.b, best.sums.scale, model.structure
    ols = model.to_beta @ ols_in_Q
    left = (y - structure.X @ ols) / scale
    cov, residual, converged, effects = _statsmodels(structure.X, left, structure.terms[0])
    said_beta = ols + scale * effects
    at = model.fit(y, theta=_theta(structure.terms[0], cov / residual))
    gap = 0.5 * float(at.criterion - best.criterion)
    agreement = float(np.max(np.abs(said_beta - at.beta) / np.sqrt(np.diag(at.vcov))))
    trusted = gap <= mixed.LIKELIHOOD_GAP and agreement <= mixed.AGREEMENT
    shown = at if gap <= mixed.LIKELIHOOD_GAP else best
    sds = np.append(np.sqrt(np.diag(cov)), np.sqrt(residual)) * scale
    notes = (_boundary(best), mixed.disagreement(agreement, gap))
    return TermsFit(
        shown=shown,
        beta=said_beta if trusted else shown.beta,
        said_beta=said_beta,
        said_std_dev=dict(zip(_names(structure.terms[0]), map(float, sds), strict=True)),
        agreement=agreement,
        likelihood_gap=gap,
        message=" ".join(filter(None, notes)),
        software=mixed.SOFTWARE if trusted else f"groupwise GLS (not {mixed.SOFTWARE})",
        converged=converged or not trusted,
    )


def _boundary(fit: LmmFit) -> str:
    return fit.message if fit.singular else ""


def _names(term: RandomTerm) -> list[str]:
    return [term.name, *(f"{term.name}: {column}" for column in term.colnames[1:]), "residual"]


def _theta(term: RandomTerm, relative: np.ndarray) -> np.ndarray:
    """theta of a relative covariance matrix (q, q), which may be singular."""
    if not term.correlated:
        return np.sqrt(np.diag(relative))
    values, vectors = np.linalg.eigh(relative)
    root = np.sqrt(np.maximum(values, 0))[:, None] * vectors.T
    Lambda = np.asarray(np.linalg.qr(root, mode="r")).T
    Lambda = Lambda * np.where(np.diag(Lambda) < 0, -1.0, 1.0)
    return np.array([Lambda[i, j] for i, j in term.entries])


def _statsmodels(
    X: np.ndarray, y: np.ndarray, term: RandomTerm
) -> tuple[np.ndarray, float, bool, np.ndarray]:
    """Covariance (q, q) of the effects, residual variance, convergence and effects (p,).

    Where MixedLM fails: no variances, and effects NaN.
    """
    if term.correlated:
        model = MixedLM(y, X, groups=term.codes, exog_re=term.Zcols)
    else:
        model = MixedLM(y, X, groups=term.codes, exog_vc=_independent(term))
    with warnings.catch_warnings():
        # Boundary and convergence warnings: both conditions are read off the fit and reported.
        warnings.simplefilter("ignore")
        try:
            fit = model.fit(reml=True, method=["bfgs", "lbfgs", "cg"], gtol=1e-8)
        except (np.linalg.LinAlgError, ValueError):
            return np.zeros((term.q, term.q)), 1.0, False, np.full(X.shape[1], np.nan)
    cov = np.asarray(fit.cov_re) if term.correlated else np.diag(fit.vcomp)
    return cov, float(fit.scale), bool(fit.converged), np.asarray(fit.fe_params)


def _independent(term: RandomTerm) -> VCSpec:
    """statsmodels' description of independent effects: each group's rows of every column."""
    rows = [np.flatnonzero(term.codes == level) for level in range(term.n_levels)]
    names = [f"{j}" for j in range(term.q)]
    matrices = [[term.Zcols[r, j : j + 1] for r in rows] for j in range(term.q)]
    labels = [[[name] for _ in rows] for name in names]
    return VCSpec(names, labels, matrices)
