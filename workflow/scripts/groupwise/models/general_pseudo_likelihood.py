"""Restricted pseudo-likelihood with any random intercepts: nested, crossed, of cells, of individuals.

As `pseudo_likelihood`, whose model and convention these are. The working model is a linear mixed model
of sqrt(w) z on sqrt(w) X and sqrt(w) Z with residual variance 1, which is held: its likelihood and
derivatives are those of `lmm_likelihood`, a function of the standard deviations theta of the random
effects. Weights differ from outcome to outcome, and so outcomes are fitted one by one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from groupwise.design import Design
from groupwise.models.blups import predict
from groupwise.models.cross_products import Outcomes
from groupwise.models.event_rows import EventRows
from groupwise.models.glm import EventFit, EventModel
from groupwise.models.information import Information, KnownScale, for_last_combinations
from groupwise.models.lmm import INVISIBLE, of_combinations
from groupwise.models.lmm_likelihood import (
    Curves,
    Eliminated,
    Gls,
    Weighted,
    curves,
    eliminate,
    in_theta,
    solve_gls,
    weigh,
)
from groupwise.models.lmm_structure import LmmStructure
from groupwise.models.newton import Slopes, minimise
from groupwise.models.pseudo_likelihood import (
    FURTHEST,
    MOST_ITERATIONS,
    RUNAWAY,
    regression_of,
)
from groupwise.models.random_terms import RandomTerm
from groupwise.rows import Rows

CLOSE = 1e-10
"""Largest change of a linear predictor, and of a standard deviation, in the last iteration."""

LEAST_WEIGHT = 1e-100
"""A row with a smaller weight has no working response."""

STARTS = (0.1, 0.4, 1.0)
"""Standard deviations among which the best is where the first search begins."""

SMALL = 0.01
"""A standard deviation below this is put at 0 where that is no worse."""


@dataclass(frozen=True)
class GeneralPseudoLikelihood:
    """A design of events with random intercepts: all that does not depend on outcomes.

    Attributes
    ----------
    rows : m rows of individuals who are alike
    regression : the model without random effects
    to_beta : (p, p) effects of the basis of `regression` times this are effects of X
    terms : random intercepts, with the codes (m,) of the rows
    """

    rows: EventRows
    regression: EventModel
    to_beta: np.ndarray
    terms: tuple[RandomTerm, ...]

    @classmethod
    def of(cls, design: Design, terms: Sequence[RandomTerm]) -> GeneralPseudoLikelihood:
        """The model of a design with the random intercepts `terms` of its rows.

        Raises
        ------
        ValueError
            If columns of X depend on each other, or a term has one level.
        """
        rows = EventRows.of(design)
        regression = regression_of(design, rows, np.arange(len(rows.trials)))
        of_rows = tuple(
            RandomTerm(
                each.codes[rows.first],
                np.ones((len(rows.first), 1)),
                name=each.name,
                labels=each.labels,
            )
            for each in terms
        )
        model = cls(rows, regression, np.linalg.inv(regression.basis.R), of_rows)
        model.structure(np.ones(len(rows.trials)))
        return model

    def structure(self, root: np.ndarray) -> LmmStructure:
        """The working model with weights root^2 (m,)."""
        terms = [replace(term, Zcols=root[:, None]) for term in self.terms]
        rows = replace(Rows.individuals(len(root)), n_obs=int(self.rows.trials.sum()))
        return LmmStructure.of(root[:, None] * self.regression.Z, terms, rows)

    def fit(self, y: np.ndarray) -> GeneralPseudoFit:
        """Fits of outcomes y (R, n) of individuals, or of numbers of events (R, m)."""
        pooled = self.regression.fit(self.rows.events(np.asarray(y, dtype=float)))
        fits = [
            _fit_one(self, pooled.events[i], pooled.gamma[i]) if pooled.is_finite[i] else None
            for i in range(len(pooled.events))
        ]
        return _stacked(self, pooled, fits)


@dataclass(frozen=True)
class _One:
    """The fit of one outcome: theta (k,) in the order of the structure's terms, gamma (p,)."""

    theta: np.ndarray
    gamma: np.ndarray
    information: KnownScale


def _fit_one(model: GeneralPseudoLikelihood, events: np.ndarray, gamma: np.ndarray) -> _One | None:
    """The fit of one outcome, events (m,), from its pooled regression; None where there is none."""
    eta, theta = model.regression.Z @ gamma, None
    for _ in range(MOST_ITERATIONS):
        mu, w = (each[0] for each in model.regression.moments(eta[None]))
        if not w.min() > LEAST_WEIGHT:
            return None
        root = np.sqrt(w)
        structure = model.structure(root)
        sums = _unscaled(structure, root * eta + (events - mu) / root)
        scale = structure.parameters.scale
        new = _maximised(sums, None if theta is None else theta * scale)
        (e, gls, w_sums), _ = _weighted(sums, new)
        gamma = structure.R_inverse @ (sums.b + gls.beta)[0]
        shift = predict(structure, e, w_sums, gls.Phi[0], 1.0, 1.0)[1] / root
        step = model.regression.Z @ gamma + shift - eta
        largest = np.abs(step).max()
        moved = np.inf if theta is None else np.abs(new / scale - theta).max()
        theta = new / scale
        if not largest < np.inf or theta.max() ** 2 > RUNAWAY:
            return None
        if max(largest, moved) < CLOSE:
            return _One(theta, gamma, _information(structure, sums, new))
        eta = eta + step * (FURTHEST / max(largest, FURTHEST))
    return None


def _unscaled(structure: LmmStructure, y: np.ndarray) -> Outcomes:
    """Cross-products of one outcome y (m,) whose unit is that of the residuals, of variance 1."""
    b = y @ structure.Q
    residual = y - structure.Q @ b
    step = residual @ structure.Q  # removes the rounding errors of the first projection
    residual, b = residual - structure.Q @ step, b + step
    lead, rest = structure.between(residual[:, None])
    return Outcomes(
        x=structure.products,
        lead=lead[None, ..., 0],
        rest=rest[None, ..., 0],
        square=np.array([residual @ residual]),
        b=b[None],
        scale=np.ones(1),
    )


def _weighted(sums: Outcomes, theta: np.ndarray) -> tuple[tuple[Eliminated, Gls, Weighted], Curves]:
    """All that is weighted by V^-1 at theta (k,) of scaled columns, and derivatives in variances."""
    e = eliminate(sums, theta[None])
    gls = solve_gls(e.cross)
    w = weigh(sums.x, e, gls)
    return (e, gls, w), curves(sums.x, e, w, gls, True)


def _slopes(sums: Outcomes, theta: np.ndarray) -> Slopes:
    """-2 log restricted likelihood with residual variance 1, and derivatives, at theta (1, k)."""
    (e, gls, _), c = _weighted(sums, theta[0])
    value = e.log_det_V + gls.log_det_XVX + gls.rss
    return Slopes(value, *in_theta(sums.x, theta, c.trace - c.u, 2 * c.u2 - c.trace2))


def _maximised(sums: Outcomes, near: np.ndarray | None) -> np.ndarray:
    """theta (k,) of scaled columns where the restricted likelihood is largest, 0 included."""
    scale = sums.x.parameters.scale
    starts = [c * scale for c in STARTS] if near is None else [near]
    values = [_slopes(sums, start[None]).value[0] for start in starts]
    best = starts[int(np.argmin(values))]
    minima = minimise(lambda which, theta: _slopes(sums, theta), best[None])
    theta, value = np.abs(minima.x[0]), minima.value[0]
    for j in np.flatnonzero((theta > 0) & (theta < SMALL * scale)):
        without = np.where(np.arange(len(theta)) == j, 0.0, theta)
        if _slopes(sums, without[None]).value[0] <= value + 1e-12 * (1 + np.abs(value)):
            theta = without
    return np.where(theta < INVISIBLE, 0.0, theta)


def _information(structure: LmmStructure, sums: Outcomes, theta: np.ndarray) -> KnownScale:
    """Of all effects of the basis, at theta (k,) of scaled columns; arrays lead with (1,)."""
    state, c = _weighted(sums, theta)
    vcov, slopes, curvature = of_combinations(sums.x, state, c, structure.R_inverse)
    gradient, hessian = c.trace - c.u, 2 * c.u2 - c.trace2
    return KnownScale(
        vcov=vcov,
        slopes=slopes,
        curvature=curvature,
        expected=c.trace2,
        observed=in_theta(sums.x, theta[None], gradient, hessian)[1],
        chain=sums.x.parameters.jacobian(theta[None]),
    )


@dataclass(frozen=True)
class GeneralPseudoFit:
    """Fits of B outcomes by restricted pseudo-likelihood; NaN without an answer.

    Attributes
    ----------
    names : k random terms
    theta : (B, k) standard deviations of their effects, on the link scale
    gamma : (B, p) effects of the basis
    of_basis : their variances and information
    converged : (B,)
    pooled : the regression without random effects
    """

    model: GeneralPseudoLikelihood
    names: tuple[str, ...]
    theta: np.ndarray
    gamma: np.ndarray
    of_basis: KnownScale
    converged: np.ndarray
    pooled: EventFit

    @property
    def beta(self) -> np.ndarray:
        """(B, p)"""
        return np.asarray(self.gamma @ self.model.to_beta.T)

    @property
    def singular(self) -> np.ndarray:
        """(B,) is a variance estimated as 0?"""
        return np.asarray((self.theta == 0).any(axis=-1))

    @property
    def std_dev(self) -> dict[str, np.ndarray]:
        """(B,) by random term."""
        return dict(zip(self.names, self.theta.T, strict=True))

    def covariance(self, L: np.ndarray) -> np.ndarray:
        """(B, k, k) of L beta, L (k, p), with the variances taken as known."""
        rows = L @ self.model.to_beta
        return np.asarray(rows @ self.of_basis.vcov @ rows.T)

    @for_last_combinations
    def information(self, L: np.ndarray) -> Information:
        """Variances of L beta, L (k, p), and information on the variances of the random effects."""
        return self.of_basis.combined(L @ self.model.to_beta)


def _stacked(
    model: GeneralPseudoLikelihood, pooled: EventFit, fits: Sequence[_One | None]
) -> GeneralPseudoFit:
    structure = model.structure(np.ones(len(model.rows.trials)))
    k, p = len(model.terms), model.regression.Z.shape[1]
    shapes = ((p, p), (k, p, p), (k, k, p, p), (k, k), (k, k), (k, k))
    nothing = _One(
        np.full(k, np.nan),
        np.full(p, np.nan),
        KnownScale(*(np.full((1, *s), np.nan) for s in shapes)),
    )
    every = [nothing if each is None else each for each in fits]
    return GeneralPseudoFit(
        model=model,
        names=tuple(term.name for term in structure.terms),
        theta=np.array([each.theta for each in every]),
        gamma=np.array([each.gamma for each in every]),
        of_basis=KnownScale.joined([each.information for each in every]),
        converged=np.array([each is not None for each in fits]),
        pooled=pooled,
    )
