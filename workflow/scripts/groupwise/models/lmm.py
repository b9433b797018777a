"""Linear mixed models with any number of random-effects terms: nested, crossed, with slopes.

    y = X beta + sum_t Z_t u_t + e,   u_t ~ N(0, s2 Lambda_t Lambda_t' per level),   e ~ N(0, s2 I)

beta and s2 are profiled out; what is left is a function of theta, the entries of the Lambda_t, that
is minimised by Newton's method with exact derivatives (`pls`, `pls_moments`). The function does not
change with the signs of a column of Lambda, so it is smooth across a variance of 0: the boundary
of the variances is in the interior here, and theta = 0 is found as any other minimum.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from groupwise.models.blups import RandomEffects, predict
from groupwise.models.lmm_structure import LmmStructure, Outcome
from groupwise.models.newton import Minimum, minimise
from groupwise.models.pls import CrossProducts, eliminate, objective, solve_gls
from groupwise.models.pls_moments import Slopes, slopes, weighted
from groupwise.models.random_terms import RandomTerm, factor_of_covariance

SOFTWARE = "groupwise"
STARTS = (0.05, 0.25, 1.0, 4.0)
"""Multiples of the identity among which the best Lambda is where the search begins."""

SINGULAR = 1e-4
"""A relative sd below this is the boundary, as lme4's isSingular has it."""

FLAT = 1e-6
"""Least curvature of the criterion in the logarithm of a sd; a group of two rows has about 1."""

RUNAWAY = 1e5
"""The search ends at a relative sd of this size: the residual variance goes to 0."""


@dataclass(frozen=True)
class VarianceComponent:
    """Covariance matrix (q, q) of the effects of one term, in units of the outcome."""

    name: str
    colnames: tuple[str, ...]
    covariance: np.ndarray
    correlated: bool

    @property
    def std_dev(self) -> np.ndarray:
        return np.sqrt(np.diag(self.covariance))


@dataclass(frozen=True)
class LmmFit:
    """A REML or ML fit of n rows, p fixed effects and k variance parameters beside sigma.

    Attributes
    ----------
    theta : (k,)
        Relative covariance factors, in lme4's order and units.
    beta, vcov : (p,), (p, p)
    criterion : -2 log-likelihood, restricted or full
    components, random_effects : one a term, in the order of `structure.terms`
    fitted, residual : (n,)
    gradient_norm : largest derivative of the criterion, in theta of columns of Z of mean square 1
    min_curvature : smallest eigenvalue of its Hessian, relative to the largest
    """

    structure: LmmStructure
    outcome: Outcome
    reml: bool
    theta: np.ndarray
    sigma: float
    beta: np.ndarray
    vcov: np.ndarray
    criterion: float
    components: tuple[VarianceComponent, ...]
    random_effects: tuple[RandomEffects, ...]
    fitted: np.ndarray
    residual: np.ndarray
    converged: bool
    gradient_norm: float
    min_curvature: float
    iterations: int
    singular: bool
    message: str
    software: str = SOFTWARE

    @property
    def loglik(self) -> float:
        return -0.5 * self.criterion

    @property
    def n_obs(self) -> int:
        return len(self.fitted)

    @property
    def products(self) -> CrossProducts:
        return self.outcome.products

    @property
    def scaled_theta(self) -> np.ndarray:
        """theta of columns of Z of mean square 1: what `pls` and `pls_moments` work in."""
        return self.theta * self.structure.parameters.scale

    def in_Q(self, L: np.ndarray) -> np.ndarray:
        """Rows L (k, p) on beta as rows on the effects of the orthonormal columns of `products`."""
        return np.atleast_2d(L) @ self.structure.R_inverse


def fit_lmm(
    X: np.ndarray, y: np.ndarray, terms: Sequence[RandomTerm], *, reml: bool = True
) -> LmmFit:
    """Fit by REML or maximum likelihood.

    Parameters
    ----------
    X : (n, p)
    y : (n,)
    terms
        `random_terms.RandomTerm`, in any order: the fit keeps lme4's.

    Raises
    ------
    ValueError
        If X is rank-deficient, X explains y completely, or there are as many random effects as
        rows.
    """
    return fit_structure(LmmStructure.of(X, terms), y, reml=reml)


def fit_structure(structure: LmmStructure, y: np.ndarray, *, reml: bool = True) -> LmmFit:
    """`fit_lmm` for another outcome of the same design."""
    outcome = structure.cross_products(np.asarray(y, dtype=float))
    return assemble(structure, outcome, search(outcome.products, reml), reml)


def fit_at(
    structure: LmmStructure, y: np.ndarray, theta: np.ndarray, *, reml: bool = True
) -> LmmFit:
    """The fit with theta given in lme4's units: nothing is optimised."""
    outcome = structure.cross_products(np.asarray(y, dtype=float))
    scaled = np.asarray(theta) * structure.parameters.scale
    at = slopes(outcome.products, scaled, reml)
    given = Minimum(scaled, at.value, at.gradient, at.hessian, 0.0, 0)
    return assemble(structure, outcome, given, reml)


def search(products: CrossProducts, reml: bool, near: np.ndarray | None = None) -> Minimum:
    """The theta (of scaled columns) that minimises the criterion, boundary included.

    `near` (k,), a theta of a like problem, is one more place where the search may begin.
    """
    diagonal = products.parameters.diagonal.astype(float)
    starts = [*([] if near is None else [near]), *(c * diagonal for c in STARTS)]
    start = min(starts, key=lambda theta: objective(products, theta, reml))
    found = _minimise(products, start, reml)
    for j in map(int, np.flatnonzero(diagonal)):
        found = _try_zero(products, found, j, reml)
    theta = factor_of_covariance(products.parameters, found.x)
    if np.array_equal(theta, found.x):
        return found
    at = slopes(products, theta, reml)
    return Minimum(theta, at.value, at.gradient, at.hessian, found.decrement, found.iterations)


def _minimise(products: CrossProducts, start: np.ndarray, reml: bool) -> Minimum:
    def within_reach(theta: np.ndarray) -> Slopes:
        if np.abs(theta).max() < RUNAWAY:
            return slopes(products, theta, reml)
        return Slopes(np.inf, np.zeros_like(theta), np.zeros((len(theta),) * 2))

    return minimise(within_reach, start)


def _try_zero(products: CrossProducts, found: Minimum, j: int, reml: bool) -> Minimum:
    """The same with theta_j exactly 0 where that is no worse, and a minimum.

    Where 0 is better by far, the search had ended in another minimum, and starts again nearby.
    """
    theta = np.where(np.arange(len(found.x)) == j, 0.0, found.x)
    value = objective(products, theta, reml)
    rounding = 1e-14 * (products.n + abs(value))
    if found.x[j] == 0 or value > found.value + rounding:
        return found
    if abs(found.x[j]) > 0.05:
        theta[j] = 0.01
        return _minimise(products, theta, reml)
    at = slopes(products, theta, reml)
    zero = Minimum(theta, at.value, at.gradient, at.hessian, found.decrement, found.iterations)
    return zero if zero.min_curvature >= -1e-9 else found


def assemble(structure: LmmStructure, outcome: Outcome, found: Minimum, reml: bool) -> LmmFit:
    """Everything a fit holds, from theta."""
    x, parameters = outcome.products, structure.parameters
    omega = parameters.omega(found.x)
    e = eliminate(x, omega)
    gls = solve_gls(e.cross)
    sigma = outcome.scale * float(np.sqrt(gls.rss / x.df(reml)))
    root = structure.R_inverse
    beta = root @ (outcome.b + outcome.scale * gls.beta)
    G = parameters.covariance(omega)
    effects, shift = predict(structure, e, weighted(x, e, gls), G, gls.Phi, outcome.scale, sigma)
    fitted = structure.X @ beta + shift
    diagonal = found.x[parameters.diagonal]
    singular, runaway = bool(diagonal.min() < SINGULAR), bool(np.abs(found.x).max() > 0.1 * RUNAWAY)
    flat = not singular and not runaway and _is_flat(structure, found)
    return LmmFit(
        structure=structure,
        outcome=outcome,
        reml=reml,
        theta=found.x / parameters.scale,
        sigma=sigma,
        beta=beta,
        vcov=sigma**2 * root @ gls.Phi @ root.T,
        criterion=found.value,
        components=_components(structure, G, sigma),
        random_effects=effects,
        fitted=fitted,
        residual=outcome.y - fitted,
        converged=found.converged and not runaway and not flat,
        gradient_norm=float(np.abs(found.gradient).max()),
        min_curvature=found.min_curvature,
        iterations=found.iterations,
        singular=singular,
        message=_message(structure, found, singular=singular, runaway=runaway, flat=flat),
    )


def _components(
    structure: LmmStructure, G: list[np.ndarray], sigma: float
) -> tuple[VarianceComponent, ...]:
    parts = {}
    for f, factor in enumerate(structure.factors):
        relative = G[f] / np.outer(factor.scale, factor.scale)
        for t, start in zip(factor.terms, factor.offset, strict=True):
            term = structure.terms[t]
            own = slice(start, start + term.q)
            parts[t] = VarianceComponent(
                term.name, term.colnames, sigma**2 * relative[own, own], term.correlated
            )
    return tuple(parts[t] for t in range(len(structure.terms)))


def _is_flat(structure: LmmStructure, found: Minimum) -> bool:
    """Whether the criterion does not tell some variance: its groups are in X, or in another term."""
    parameters = structure.parameters
    G = parameters.covariance(parameters.omega(found.x))
    sd = [
        np.sqrt(G[f][E.any(axis=1)][:, E.any(axis=1)].max())
        for f, E in zip(parameters.factor, parameters.pattern, strict=True)
    ]
    return bool(np.linalg.eigvalsh(found.hessian * np.outer(sd, sd))[0] < FLAT)


def _message(
    structure: LmmStructure, found: Minimum, *, singular: bool, runaway: bool, flat: bool
) -> str:
    said = []
    if singular:
        said.append("A variance is estimated as 0, or a correlation as 1: the boundary.")
        said[0] += f" It is of {_who(structure, found.x)}."
    if runaway:
        said.append("The random effects explain the outcome completely: no residual variance.")
    elif flat:
        said.append("The data do not identify a variance: the likelihood is flat.")
    elif not found.converged:
        said.append(f"The search stopped after {found.iterations} steps short of a minimum.")
    return " ".join(said)


def _who(structure: LmmStructure, theta: np.ndarray) -> str:
    """Names of the effects whose relative sd, given the earlier ones of the term, is 0."""
    parameters, names = structure.parameters, []
    for r in np.flatnonzero(parameters.diagonal & (theta < SINGULAR)):
        term = structure.terms[parameters.term[r]]
        names.append(f"{term.colnames[parameters.row[r]]} by {term.name}")
    return ", ".join(names)
