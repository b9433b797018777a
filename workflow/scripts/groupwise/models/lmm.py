"""Linear mixed models with any number of random-effects terms: nested, crossed, with slopes.

    y = X beta + sum_t Z_t u_t + e,   u_t ~ N(0, s2 Lambda_t Lambda_t' per level),   e ~ N(0, s2 I)

beta and s2 are profiled out; what is left is a function of theta, the entries of the Lambda_t, that
is minimised by Newton's method with exact derivatives (`lmm_likelihood`), for all outcomes together.
The function does not change with the signs of a column of Lambda, so it is smooth across a variance
of 0: the boundary of the variances is in the interior here, and theta = 0 is found as any other
minimum.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from groupwise.models.blups import RandomEffects, predict
from groupwise.models.cross_products import (
    CrossProducts,
    Outcomes,
    over_levels,
    restrict,
)
from groupwise.models.information import Information, bordered, for_last_combinations
from groupwise.models.interface import parts_of_draws
from groupwise.models.lmm_likelihood import (
    Curves,
    Eliminated,
    Gls,
    Weighted,
    curves,
    eliminate,
    forms,
    in_theta,
    objective,
    profiled_hessian,
    slopes,
    solve_gls,
    weigh,
)
from groupwise.models.lmm_structure import LmmStructure
from groupwise.models.newton import Minima, Slopes, minimise, relative_curvature
from groupwise.models.random_terms import (
    DecayParameters,
    Parameters,
    RandomTerm,
    factor_of_covariance,
)
from groupwise.rows import Rows

STARTS = (0.05, 0.25, 1.0, 4.0)
"""Multiples of the identity among which the best Lambda is where the search begins."""

ANGLES = (0.3, 0.9)
"""With decay, angles among which it begins: correlations of .91 and .39."""

INVISIBLE = 1e-9
"""Relative sds below this add nothing to 1 in double precision when squared: they are 0."""

SINGULAR = 1e-4
"""A relative sd below this is the boundary, as lme4's isSingular has it."""

FLAT = 1e-6
"""Least curvature of the criterion in the logarithm of a sd; a group of two rows has about 1."""

NEAR_ZERO = 0.01
"""Relative variances below this are judged by the curvature that they have there."""

RUNAWAY = 1e5
"""The search ends at a relative sd of this size: the residual variance goes to 0."""


@dataclass(frozen=True)
class LinearMixedModel:
    """A design with random-effects terms: everything that does not depend on outcomes.

    Attributes
    ----------
    structure : X and terms
    products : of Q = X R^-1, or of Q K where L beta is restricted
    to_beta : (p, p0)
        Effects of the columns of `products` times this are effects of X.
    """

    structure: LmmStructure
    products: CrossProducts
    to_beta: np.ndarray

    @classmethod
    def of(
        cls, X: np.ndarray, terms: Sequence[RandomTerm], rows: Rows | None = None
    ) -> LinearMixedModel:
        """The model of X (n, p) and random terms, in any order: the model keeps lme4's.

        Rows are individuals unless `rows` says otherwise.

        Raises
        ------
        ValueError
            If X is rank-deficient or not finite, a term has one level or as many random effects as
            there are rows, or crossed factors are too large.
        """
        structure = LmmStructure.of(X, terms, rows)
        return cls(structure, structure.products, structure.R_inverse)

    @property
    def n_obs(self) -> int:
        return self.products.n

    @property
    def at_a_time(self) -> int:
        """Number of outcomes that are fitted together."""
        return self.products.at_a_time

    @property
    def terms(self) -> tuple[RandomTerm, ...]:
        return self.structure.terms

    @property
    def parameters(self) -> Parameters:
        return self.structure.parameters

    def sums(self, y: np.ndarray) -> Outcomes:
        """Cross-products of outcomes y, shape (B, n), with X and Z."""
        return self.structure.outcomes(y)

    def fit(self, y: np.ndarray, *, reml: bool = True, theta: np.ndarray | None = None) -> LmmFit:
        """Fits to outcomes y, shape (..., n), all replicates together.

        A replicate that cannot be fitted is NaN and not `converged`; `message` says why.

        Parameters
        ----------
        theta : broadcasts to (..., k), optional
            In lme4's order and units: evaluates there in place of the optimum.
        """
        y = np.asarray(y, dtype=float)
        shape = y.shape[:-1]
        if theta is not None:
            theta = np.broadcast_to(theta, (*shape, self.parameters.k)).reshape(
                -1, self.parameters.k
            )
        sums = self.sums(y.reshape(-1, y.shape[-1]))
        return replace(self.fit_sums(sums, reml=reml, theta=theta).reshape(shape), y=y)

    def fit_sums(
        self,
        sums: Outcomes,
        *,
        reml: bool = True,
        theta: np.ndarray | None = None,
        near: np.ndarray | None = None,
    ) -> LmmFit:
        """Fits by REML or ML from the cross-products of B outcomes; every array starts with B.

        `near`, a theta (k,) or (B, k) of a like problem, is one more starting value.
        """
        if near is not None:
            near = np.broadcast_to(near * self.parameters.scale, (len(sums), self.parameters.k))
        if theta is None:
            minima = search(sums, reml, near)
        else:
            minima = criterion_at(
                sums, np.asarray(theta, dtype=float) * self.parameters.scale, reml
            )
        return _assemble(self, sums, minima, reml, searched=theta is None)

    def least_deviance(
        self, sums: Outcomes, near: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Minimum of -2 log-likelihood (B,), full, and theta (B, k) there; `near`: one more start."""
        scale = self.parameters.scale
        minima = search(sums, False, None if near is None else near * scale)
        return minima.value, minima.x / scale

    def restricted(self, K: np.ndarray) -> LinearMixedModel:
        """The model of Q K in place of Q; K (p, p0) has orthonormal columns."""
        return LinearMixedModel(self.structure, restrict(self.products, K), self.to_beta @ K)

    def restricted_sums(
        self, sums: Outcomes, smaller: LinearMixedModel, K: np.ndarray, offset: np.ndarray
    ) -> Outcomes:
        """Cross-products for `smaller`, of Q K, of outcomes less Q `offset`, (B, p); K'`offset` is 0."""
        offset = offset / sums.scale[:, None]
        return Outcomes(
            x=smaller.products,
            lead=sums.lead - np.tensordot(offset, sums.x.B, (1, 2)),
            rest=sums.rest - np.tensordot(offset, sums.x.D, (1, 2)),
            square=sums.square + np.einsum("bp,bp->b", offset, offset),
            b=sums.b @ K,
            scale=sums.scale,
        )

    def effects_of(self, sums: Outcomes) -> np.ndarray:
        """(B, p): OLS effects in the basis Q."""
        return sums.b

    def draw(self, theta: np.ndarray, *, n_draws: int, seed: int) -> Iterator[Outcomes]:
        """Cross-products of n_draws outcomes drawn at beta = 0, sigma = 1 and this theta (k,)."""
        return map(self.sums, self.draw_outcomes(theta, n_draws=n_draws, seed=seed))

    def draw_outcomes(self, theta: np.ndarray, *, n_draws: int, seed: int) -> Iterator[np.ndarray]:
        """Outcomes (b, n) with beta = 0, sigma = 1 and this theta (k,), some at a time.

        Each has a random stream of its own.
        """
        for part in parts_of_draws(n_draws):
            numbers = (number for number in part if number < n_draws)
            seeds = (np.random.SeedSequence(seed, spawn_key=(0, number)) for number in numbers)
            yield self.simulate(theta, map(np.random.default_rng, seeds))

    def simulate(self, theta: np.ndarray, streams: Iterable[np.random.Generator]) -> np.ndarray:
        """Outcomes (B, n) with beta = 0, sigma = 1 and this theta (k,), one from each stream."""
        layout, parameters = self.structure.layout, self.parameters
        omega = parameters.omega(np.asarray(theta) * parameters.scale)
        roots = [_root(G) for G in parameters.covariance(omega)]
        normals = [self._normal(stream) for stream in streams]
        residual, lead, *rest = (np.array(each) for each in zip(*normals, strict=True))
        B, (Z, Z_rest) = len(residual), self.structure.Z
        u = np.zeros((B, layout.n_components, layout.m))
        for segment, effects in zip(layout.segments, rest, strict=True):
            u[:, :, segment.slots] = (effects @ roots[segment.factor]).reshape(*u.shape[:2], -1)
        y = residual + (Z @ (lead @ roots[layout.lead]).reshape(B, -1).T).T
        return np.asarray(y + (Z_rest @ u.reshape(B, -1).T).T)

    def _normal(self, rng: np.random.Generator) -> list[np.ndarray]:
        """Standard normal residuals (n,), effects (G, q) of the lead, and (K levels, q) of others."""
        layout = self.structure.layout
        q = self.structure.factors[layout.lead].q
        others = [(layout.n_components * s.levels, s.q) for s in layout.segments]
        shapes = [(len(self.structure.X),), (len(layout.component), q), *others]
        residual, *effects = (rng.standard_normal(shape) for shape in shapes)
        rows = self.structure.rows
        if rows.remainder:
            residual[-1] = np.sqrt(rng.chisquare(rows.remainder))
        return [residual, *effects]


def _root(G: np.ndarray) -> np.ndarray:
    """A matrix R with R'R = G, which may be singular."""
    values, vectors = np.linalg.eigh(G)
    root: np.ndarray = np.sqrt(np.maximum(values, 0))[:, None] * vectors.T
    return root


# ---- the search --------------------------------------------------------------------------------------


def search(sums: Outcomes, reml: bool, near: np.ndarray | None = None) -> Minima:
    """The thetas (of scaled columns) that minimise the criterion of each outcome, boundary included.

    `near` (B, k), a theta of a like problem, is one more starting value.
    """
    parts = [
        _search(sums.take(some), reml, None if near is None else near[some])
        for some in sums.chunks()
    ]
    return Minima.joined(parts)


def _search(y: Outcomes, reml: bool, near: np.ndarray | None) -> Minima:
    parameters, B = y.x.parameters, len(y)
    angles = ANGLES if parameters.angles.any() else (0.0,)
    starts = [
        np.tile(c * parameters.diagonal + a * parameters.angles, (B, 1))
        for c in STARTS
        for a in angles
    ]
    starts = starts if near is None else [near, *starts]
    best = np.argmin([objective(y, theta, reml) for theta in starts], axis=0)
    minima = minimise(_within_reach(y, reml), np.array(starts)[best, np.arange(B)])
    for j in map(int, np.flatnonzero(parameters.diagonal)):
        _try_zero(y, minima, j, reml)
    theta = factor_of_covariance(parameters, minima.x)
    theta[np.abs(theta) < INVISIBLE] = 0.0
    if isinstance(parameters, DecayParameters):  # effects of variance 0 have no correlation
        theta[theta[:, parameters.sd] == 0, parameters.angle] = 0.0
    changed = np.flatnonzero((theta != minima.x).any(axis=1))
    if len(changed):
        minima.x[changed] = theta[changed]
        minima.at.put(changed, slopes(y.take(changed), theta[changed], reml))
    return minima


def criterion_at(y: Outcomes, theta: np.ndarray, reml: bool) -> Minima:
    """The criterion at theta (B, k), of scaled columns, without a search."""
    at = [slopes(y.take(some), theta[some], reml) for some in y.chunks()]
    zeros = np.zeros(len(y))
    parts = zip(y.chunks(), at, strict=True)
    return Minima.joined(
        [Minima(theta[s].copy(), each, zeros[s], zeros[s].astype(int)) for s, each in parts]
    )


def _within_reach(y: Outcomes, reml: bool) -> Any:
    """The criterion as a function to minimise; infinite from `RUNAWAY` on."""

    def function(which: np.ndarray, theta: np.ndarray) -> Slopes:
        far = np.abs(theta).max(axis=1) >= RUNAWAY
        at = slopes(y.take(which), np.where(far[:, None], 1.0, theta), reml)
        at.value[far] = np.inf
        return at

    return function


def _try_zero(y: Outcomes, minima: Minima, j: int, reml: bool) -> None:
    """Puts theta_j exactly at 0 where that is no worse, and a minimum.

    Where 0 is better by far, the search had ended in another minimum, and starts again nearby.
    """
    which = np.flatnonzero((minima.x[:, j] != 0) & np.isfinite(minima.value))
    theta = minima.x[which]
    theta[:, j] = 0.0
    value = objective(y.take(which), theta, reml)
    no_worse = value <= minima.value[which] + 1e-14 * (y.x.n + np.abs(value))
    far = no_worse & (np.abs(minima.x[which, j]) > 0.05)
    near = no_worse & ~far
    if far.any():
        theta[far, j] = 0.01
        restarted = minimise(_within_reach(y.take(which[far]), reml), theta[far])
        minima.put(which[far], restarted)
    if near.any():
        at = slopes(y.take(which[near]), theta[near], reml)
        least = relative_curvature(at.hessian) >= -1e-9
        zero = which[near][least]
        minima.x[zero] = theta[near][least]
        minima.at.put(zero, at.take(least))


# ---- fits --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class VarianceComponent:
    """Covariance matrices (..., q, q) of the effects of one term, in units of the outcome."""

    name: str
    colnames: tuple[str, ...]
    covariance: np.ndarray
    correlated: bool

    @property
    def std_dev(self) -> np.ndarray:
        """(..., q)"""
        return np.sqrt(np.diagonal(self.covariance, axis1=-2, axis2=-1))


@dataclass(frozen=True)
class LmmFit:
    """REML or ML fits, B or with leading axes `...`; k variance parameters beside sigma.

    Attributes
    ----------
    sums : of the B outcomes; y : (..., n), where the fit is of outcomes
    theta : (..., k)
        Relative covariance factors, in lme4's order and units.
    sigma, criterion : (...)
        `criterion` is -2 log-likelihood, restricted if `reml`.
    beta, vcov : (..., p), (..., p, p)
    gradient_norm : largest derivative of the criterion, in theta of columns of Z of mean square 1
    min_curvature : smallest eigenvalue of its Hessian, relative to the largest
    converged, singular, runaway, flat, iterations : (...)
        `runaway`: there is no residual variance; `flat`: the data do not identify a variance.
    """

    model: LinearMixedModel
    sums: Outcomes
    reml: bool
    theta: np.ndarray
    sigma: np.ndarray
    criterion: np.ndarray
    beta: np.ndarray
    vcov: np.ndarray
    gradient_norm: np.ndarray
    min_curvature: np.ndarray
    iterations: np.ndarray
    converged: np.ndarray
    singular: np.ndarray
    runaway: np.ndarray
    flat: np.ndarray
    y: np.ndarray | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """The leading axes."""
        return self.converged.shape

    def combination(self, L: np.ndarray) -> np.ndarray:
        """(..., k): L beta, L (k, p)."""
        return np.asarray(self.beta @ L.T)

    def shift(self, L: np.ndarray, theta: np.ndarray) -> np.ndarray:
        """(B, k): L beta of B fits, less what it is at `theta` (B, k) in place of the optimum."""
        scaled = theta * self.model.parameters.scale
        chunks = self.sums.chunks()
        there = [_effects(self.sums.take(some), scaled[some], self.reml)[0] for some in chunks]
        return np.asarray((self.beta - np.concatenate(there) @ self.model.to_beta.T) @ L.T)

    def covariance(self, L: np.ndarray) -> np.ndarray:
        """(..., k, k) of L beta, L (k, p)."""
        return np.asarray(L @ self.vcov @ L.T)

    @property
    def loglik(self) -> np.ndarray:
        return -0.5 * self.criterion

    @property
    def scaled_theta(self) -> np.ndarray:
        """(B, k): theta of columns of Z of mean square 1, which `lmm_likelihood` works in.

        0 where there is no fit.
        """
        k = self.model.parameters.k
        return np.nan_to_num(self.theta.reshape(-1, k)) * self.model.parameters.scale

    def reshape(self, shape: tuple[int, ...]) -> LmmFit:
        """The fits with leading axes of this shape in place of B."""
        lead = len(self.shape)
        arrays: dict[str, Any] = {
            name: v.reshape((*shape, *v.shape[lead:]))
            for name, v in vars(self).items()
            if isinstance(v, np.ndarray) and name != "y"
        }
        return replace(self, **arrays)

    @cached_property
    def maximum_likelihood(self) -> LmmFit:
        """The ML fits (B,) to the same outcomes."""
        near = self.scaled_theta / self.model.parameters.scale
        return self.model.fit_sums(self.sums, reml=False, near=near)

    @cached_property
    def components(self) -> tuple[VarianceComponent, ...]:
        """Variance components, one for each random term, in the order of the model's terms."""
        structure, parts = self.model.structure, {}
        omega = self.model.parameters.omega(self.theta * self.model.parameters.scale)
        for factor, G in zip(
            structure.factors, self.model.parameters.covariance(omega), strict=True
        ):
            covariance = self.sigma[..., None, None] ** 2 * G / np.outer(factor.scale, factor.scale)
            for t, start in zip(factor.terms, factor.offset, strict=True):
                term = structure.terms[t]
                mine = slice(start, start + term.q)
                parts[t] = VarianceComponent(
                    term.name, term.colnames, covariance[..., mine, mine], term.correlated
                )
        return tuple(parts[t] for t in range(len(structure.terms)))

    @property
    def std_dev(self) -> dict[str, np.ndarray]:
        """(...) by term; effects of a term that has several are named after it: `group: small`."""
        by_name: dict[str, np.ndarray] = {}
        for each in self.components:
            names = [each.name, *(f"{each.name}: {column}" for column in each.colnames[1:])]
            by_name |= dict(zip(names, np.moveaxis(each.std_dev, -1, 0), strict=True))
        return by_name | {"residual": self.sigma}

    # ---- of a single outcome ---------------------------------------------------------------------

    @cached_property
    def _state(self) -> tuple[Eliminated, Gls, Weighted]:
        """All that is weighted by V^-1 at theta, of one batch that is worked on together."""
        e = eliminate(self.sums, self.scaled_theta)
        gls = solve_gls(e.cross)
        return e, gls, weigh(self.sums.x, e, gls)

    @cached_property
    def _predictions(self) -> tuple[tuple[RandomEffects, ...], np.ndarray]:
        e, gls, w = self._state
        scale, sigma = float(self.sums.scale[0]), float(self.sigma)
        return predict(self.model.structure, e, w, gls.Phi[0], scale, sigma)

    @property
    def random_effects(self) -> tuple[RandomEffects, ...]:
        """BLUPs of each random term, for a single outcome."""
        return self._predictions[0]

    @property
    def fitted(self) -> np.ndarray:
        """(n,) with predicted random effects, of a single outcome."""
        return np.asarray(self.model.structure.X @ self.beta + self._predictions[1])

    @property
    def residual(self) -> np.ndarray:
        """(n,), of a single outcome."""
        assert self.y is not None
        return np.asarray(self.y - self.fitted)

    @property
    def message(self) -> str:
        """Why a single outcome has no fit, or which variances are on the boundary; empty otherwise."""
        if np.isnan(self.sums.scale).any():
            if self.y is not None and not np.isfinite(self.y).all():
                return "The outcome has missing or infinite values."
            return "The fixed effects explain the outcome completely."
        parts = []
        if self.singular:
            parts.append("A variance is estimated as 0, or a correlation as 1: the boundary.")
            parts[0] += f" It is of {self._on_the_boundary()}."
        if self.runaway:
            parts.append("The random effects explain the outcome completely: no residual variance.")
        elif self.flat:
            parts.append("The data do not identify a variance: the likelihood is flat.")
        elif not self.converged:
            parts.append(f"The search stopped after {self.iterations} steps short of a minimum.")
        return " ".join(parts)

    def _on_the_boundary(self) -> str:
        """Names of the effects whose relative sd, given the earlier ones of the term, is 0."""
        parameters, names = self.model.parameters, []
        for r in np.flatnonzero(parameters.diagonal & (self.scaled_theta[0] < SINGULAR)):
            term = self.model.terms[parameters.term[r]]
            names.append(f"{term.colnames[parameters.row[r]]} by {term.name}")
        return ", ".join(names)

    # ---- what small samples need -----------------------------------------------------------------

    @for_last_combinations
    def information(self, L: np.ndarray) -> Information:
        """Variances of L beta, L (k, p), their derivatives, and the information matrices of a REML fit.

        Raises
        ------
        ValueError
            If the fit is not REML.
        """
        if not self.reml:
            raise ValueError("Satterthwaite and Kenward-Roger are defined for REML fits.")
        rows, chunks = L @ self.model.to_beta, self.sums.chunks()
        parts, fitted = [], np.isfinite(self.criterion).reshape(-1)
        if len(chunks) == 1:
            parts.append(
                _information(self.sums, self.scaled_theta, rows, self._state, self._curves)
            )
            chunks = []
        for some in chunks:
            sums, theta = self.sums.take(some), self.scaled_theta[some]
            e = eliminate(sums, theta)
            gls = solve_gls(e.cross)
            w = weigh(sums.x, e, gls)
            c = curves(sums.x, e, w, gls, True)
            parts.append(_information(sums, theta, rows, (e, gls, w), c))
        return Information.joined(parts).where(fitted).reshape(self.shape)

    @cached_property
    def _curves(self) -> Curves:
        e, gls, w = self._state
        return curves(self.sums.x, e, w, gls, self.reml)


def _information(
    sums: Outcomes,
    theta: np.ndarray,
    rows: np.ndarray,
    state: tuple[Eliminated, Gls, Weighted],
    c: Curves,
) -> Information:
    """`LmmFit.information` of rows (k, p) in the basis Q."""
    (e, gls, w), x = state, sums.x
    N = float(x.df(reml=True))
    relative = gls.rss / N
    s2 = (sums.scale**2 * relative)[:, None, None]
    turned = rows @ gls.root.swapaxes(-1, -2)
    columns = (gls.root.swapaxes(-1, -2) @ turned.swapaxes(-1, -2))[:, None]
    FL = (w.F[..., :-1] @ columns, w.FR[..., :-1] @ columns)
    P, Q = forms(x, e, w, FL, over_levels)
    half = turned[:, None] @ c.P
    PP = np.einsum("brip,bsjp->brsij", half, half, optimize=True)
    gradient = c.trace - c.u / relative[:, None]
    _, hessian = in_theta(x, theta, gradient, 2 * c.u2 / relative[:, None, None] - c.trace2)
    chain = x.parameters.jacobian(theta)
    edge = (chain.swapaxes(-1, -2) @ (c.u / relative[:, None])[..., None])[..., 0]
    at = Information(
        vcov=s2 * (turned @ turned.swapaxes(-1, -2)),
        slopes=s2[:, None] * P,
        curvature=s2[:, None, None] * (Q - PP),
        expected=bordered(c.trace2, c.trace, N),
        observed=bordered(hessian, edge, N),
        chain=chain,
    )
    natural = x.parameters.natural(theta)
    return at if natural is None else _in_fewer(at, natural)


def _in_fewer(at: Information, J: np.ndarray) -> Information:
    """The same in variances and correlations, of which omega is a function with derivatives J.

    Second derivatives of V are left out of the curvature, as by SAS's DDFM=KR(FIRSTORDER): with them
    the adjusted covariance would depend on which functions of the variances are the parameters.
    """
    Jt, r = J.swapaxes(-1, -2), J.shape[-1]
    inner = Jt @ at.expected[..., :-1, :-1] @ J
    edge = (Jt @ at.expected[..., :-1, -1:])[..., 0]
    # d omega / d theta = J times this, by least squares: columns that are 0 in J are 0 here.
    chain = np.linalg.pinv(J) @ at.chain
    return Information(
        vcov=at.vcov,
        slopes=np.einsum("...rm,...rij->...mij", J, at.slopes),
        curvature=np.einsum("...rm,...rsij,...sn->...mnij", J, at.curvature, J),
        expected=bordered(inner, edge, 0.0) + at.expected[..., -1:, -1:] * _corner(r),
        observed=at.observed,
        chain=chain,
    )


def _corner(r: int) -> np.ndarray:
    """(r + 1, r + 1): 1 in the last place."""
    corner = np.zeros((r + 1, r + 1))
    corner[-1, -1] = 1
    return corner


def _assemble(
    model: LinearMixedModel, sums: Outcomes, minima: Minima, reml: bool, *, searched: bool
) -> LmmFit:
    """The fit (B,) at the minima, whose theta is that of scaled columns."""
    parts = [_effects(sums.take(some), minima.x[some], reml) for some in sums.chunks()]
    beta, Phi, sigma = (np.concatenate(each) for each in zip(*parts, strict=True))
    parameters, to_beta = model.parameters, model.to_beta
    usable = np.isfinite(minima.value)
    singular = usable & (minima.x[:, parameters.diagonal].min(axis=1) < SINGULAR)
    runaway = usable & (np.abs(minima.x).max(axis=1) > 0.1 * RUNAWAY)
    flat = usable & ~singular & ~runaway
    flat[flat] = _is_flat(sums.take(flat), minima.x[flat], minima.at.hessian[flat], reml)
    converged = minima.converged & ~runaway & ~flat
    reported = converged if searched else usable
    mask = np.where(reported, 1.0, np.nan)
    return LmmFit(
        model=model,
        sums=sums,
        reml=reml,
        theta=minima.x / parameters.scale * mask[:, None],
        sigma=sigma * mask,
        criterion=minima.value * mask,
        beta=beta @ to_beta.T * mask[:, None],
        vcov=(to_beta @ Phi @ to_beta.T) * (sigma**2 * mask)[:, None, None],
        gradient_norm=np.abs(minima.at.gradient).max(axis=1),
        min_curvature=minima.min_curvature,
        iterations=minima.iterations,
        converged=converged,
        singular=singular,
        runaway=runaway,
        flat=flat,
    )


def _effects(
    y: Outcomes, theta: np.ndarray, reml: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Effects (B, p) of the columns of `y.x`, their covariance over sigma^2, and sigma (B,)."""
    gls = solve_gls(eliminate(y, theta).cross)
    sigma = y.scale * np.sqrt(np.maximum(gls.rss, 0) / y.x.df(reml))
    return y.b + y.scale[:, None] * gls.beta, gls.Phi, sigma


def _is_flat(sums: Outcomes, theta: np.ndarray, hessian: np.ndarray, reml: bool) -> np.ndarray:
    """(B,) whether the data do not identify a variance: its groups are in X, or in another term.

    A criterion that is flat in the logarithm of a sd is so too next to a variance of 0, where only
    curvature in the variance tells: what seems flat is looked at again.
    """
    if sums.x.parameters.angles.any():
        return np.zeros(len(theta), dtype=bool)
    variance = _variances(sums.x.parameters, theta)
    flat = np.asarray(_least_curvature(hessian, np.sqrt(variance)) < FLAT)
    for i in map(int, np.flatnonzero(flat)):
        some, at = sums.take([i]), theta[[i]]
        e = eliminate(some, at)
        gls = solve_gls(e.cross)
        c = curves(sums.x, e, weigh(sums.x, e, gls), gls, reml)
        in_variances = profiled_hessian(sums.x, c, gls, reml)
        scale = 2 * np.maximum(variance[[i]], NEAR_ZERO)
        flat[i] = _least_curvature(in_variances, scale)[0] < FLAT
    return flat


def _variances(parameters: Parameters, theta: np.ndarray) -> np.ndarray:
    """(B, k) the largest relative variance of the effects that a parameter is of."""
    G = parameters.covariance(parameters.omega(theta))
    largest = []
    for f, E in zip(parameters.factor, parameters.pattern, strict=True):
        (rows,) = np.nonzero(E.any(axis=1))
        largest.append(np.maximum(G[f][:, rows[:, None], rows].max(axis=(1, 2)), 0))
    return np.array(largest).T


def _least_curvature(hessian: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """(B,) smallest eigenvalues of Hessians in units of `scale` (B, k); 1 where there is none."""
    scaled = hessian * scale[:, :, None] * scale[:, None, :]
    ok = np.isfinite(scaled).all(axis=(1, 2), keepdims=True)
    return np.asarray(np.linalg.eigvalsh(np.where(ok, scaled, np.eye(scale.shape[1])))[:, 0])
