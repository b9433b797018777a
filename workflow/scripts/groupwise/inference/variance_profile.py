"""Profile likelihood of variance components in mixed models: standard deviations, their shares.

The deviance, full or restricted, is a function of phi = (theta, log sigma), beta profiled out. A
parameter is held at a value by writing phi as a function of what stays free; the rest is minimised
by Newton's method with exact derivatives. An effect that is not the first of its term has no theta of
its own: the columns of the term are put in another order, which leaves the model as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from groupwise.inference.limits import Deviance, Parameter, as_it_is, as_share
from groupwise.inference.variance_intervals import HeldSd, Level
from groupwise.models.cross_products import Outcomes
from groupwise.models.lmm import LinearMixedModel, LmmFit, search
from groupwise.models.lmm_likelihood import curves, eliminate, in_theta, solve_gls, weigh
from groupwise.models.newton import Slopes, minimise
from groupwise.models.random_terms import RandomTerm

FAR = 1e6
"""Relative sds beyond this are not tried: the residual variance would be rounding error."""


@dataclass(frozen=True)
class Held:
    """phi (k + 1,) as a function of the m free parameters, with derivatives of both orders.

    `jacobian` (k + 1, m) and `curvature` (k + 1, m, m).
    """

    phi: np.ndarray
    jacobian: np.ndarray
    curvature: np.ndarray


Hold = Callable[[np.ndarray], Held]


def hold_residual(log_sigma: float, k: int) -> Hold:
    """log sigma is fixed; theta (k,) is free."""
    jacobian, curvature = np.eye(k + 1, k), np.zeros((k + 1, k, k))
    return lambda free: Held(np.append(free, log_sigma), jacobian, curvature)


def hold_sd(r: int, sd: float, k: int) -> Hold:
    """theta_r sigma is fixed: free are the other thetas and log sigma."""

    def held(free: np.ndarray) -> Held:
        theta_r = sd * np.exp(-free[-1])
        jacobian, curvature = np.delete(np.eye(k + 1), r, axis=1), np.zeros((k + 1, k, k))
        jacobian[r, -1], curvature[r, -1, -1] = -theta_r, theta_r
        return Held(np.insert(free, r, theta_r), jacobian, curvature)

    return held


def hold_share(r: int, share: float, k: int) -> Hold:
    """theta_r^2 = odds (1 + sum of the other theta^2), odds = share / (1 - share)."""
    root = np.sqrt(share / (1 - share))
    where = np.arange(k) < k - 1  # log sigma, the last that is free, has no part in it

    def held(free: np.ndarray) -> Held:
        others = np.where(where, free, 0.0)
        length = np.sqrt(1 + others @ others)
        jacobian, curvature = np.delete(np.eye(k + 1), r, axis=1), np.zeros((k + 1, k, k))
        jacobian[r] = root * others / length
        curvature[r] = root * (np.diag(where / length) - np.outer(others, others) / length**3)
        return Held(np.insert(free, r, root * length), jacobian, curvature)

    return held


def hold_total(share: float, k: int) -> Hold:
    """sum of theta^2 = share / (1 - share); the length of the first k free numbers is arbitrary."""
    radius = np.sqrt(share / (1 - share))

    def held(free: np.ndarray) -> Held:
        length = np.linalg.norm(free[:k])
        u, unit = free[:k] / length, np.eye(k)
        jacobian, curvature = np.zeros((k + 1, k + 1)), np.zeros((k + 1, k + 1, k + 1))
        jacobian[:k, :k] = radius / length * (unit - np.outer(u, u))
        jacobian[k, k] = 1.0
        cross = np.einsum("ij,l->ijl", unit, u)
        curvature[:k, :k, :k] = (
            3 * np.einsum("i,j,l->ijl", u, u, u)
            - cross
            - cross.transpose(0, 2, 1)
            - cross.transpose(2, 0, 1)
        ) * (radius / length**2)
        return Held(np.append(radius * u, free[k]), jacobian, curvature)

    return held


def deviance_slopes(sums: Outcomes, phi: np.ndarray, reml: bool) -> Slopes:
    """-2 log-likelihood, full or restricted, at phi (B, k + 1): theta, log sigma in sds of y."""
    theta, log_sigma, x = phi[:, :-1], phi[:, -1], sums.x
    far = np.abs(theta).max(axis=1) > FAR
    theta = np.where(far[:, None], 1.0, theta)
    e = eliminate(sums, theta)
    gls = solve_gls(e.cross)
    c = curves(x, e, weigh(x, e, gls), gls, reml)
    df, s2, k = x.df(reml), np.exp(2 * log_sigma), theta.shape[1]
    value = e.log_det_V + df * (np.log(2 * np.pi) + 2 * log_sigma) + gls.rss / s2
    value += (gls.log_det_XVX + x.log_det_X if reml else 0.0) + 2 * df * np.log(sums.scale)
    u, gradient, hessian = c.u / s2[:, None], np.empty_like(phi), np.empty((*phi.shape, k + 1))
    gradient[:, :k], hessian[:, :k, :k] = in_theta(
        x, theta, c.trace - u, 2 * c.u2 / s2[:, None, None] - c.trace2
    )
    edge = 2 * np.einsum("brm,br->bm", x.parameters.jacobian(theta), u)
    hessian[:, :k, k] = hessian[:, k, :k] = edge
    gradient[:, k], hessian[:, k, k] = 2 * df - 2 * gls.rss / s2, 4 * gls.rss / s2
    return Slopes(np.where(far, np.inf, value), gradient, hessian)


Least = tuple[float, np.ndarray]
"""A deviance, and where it is least over what is free."""


@dataclass(frozen=True)
class GeneralVariances:
    """The variance parameters of a fit with any random terms, to one outcome.

    `phi` (k + 1,) with log sigma in sds of y, and its deviance: where profiles start from.

    `sums` are of the one outcome y (n,).
    """

    model: LinearMixedModel
    y: np.ndarray
    sums: Outcomes
    reml: bool
    phi: np.ndarray
    deviance: float

    @classmethod
    def of(cls, fit: LmmFit, *, reml: bool) -> GeneralVariances:
        """The REML or ML optimum for the outcome of a single fit, from whose theta it is searched."""
        assert fit.y is not None
        return cls.at_optimum(fit.model, fit.y, fit.sums, reml, near=fit.scaled_theta)

    @classmethod
    def at_optimum(
        cls,
        model: LinearMixedModel,
        y: np.ndarray,
        sums: Outcomes,
        reml: bool,
        near: np.ndarray | None = None,
    ) -> GeneralVariances:
        """The optimum; `near` (1, k) is a theta of scaled columns close to it."""
        best = search(sums, reml, near)
        (rss,) = solve_gls(eliminate(sums, best.x).cross).rss
        log_sigma = 0.5 * np.log(rss / sums.x.df(reml))
        return cls(model, y, sums, reml, np.append(best.x[0], log_sigma), float(best.value[0]))

    @property
    def k(self) -> int:
        return len(self.phi) - 1

    @property
    def scale(self) -> float:
        return float(self.sums.scale[0])

    @property
    def sigma(self) -> float:
        return float(self.scale * np.exp(self.phi[-1]))

    def least(self, hold: Hold, start: np.ndarray) -> Least:
        """The least deviance over what `hold` leaves free, sought from `start` (m,).

        A theta of 0 is no way out of 0: the search then also starts away from it.
        """
        starts = [start]
        if np.any(np.abs(start) < 1e-3):
            starts.append(np.where(np.abs(start) < 1e-3, 0.25, start))
        minima = minimise(
            lambda _, free: self._slopes([hold(each) for each in free]), np.array(starts)
        )
        best = int(np.argmin(minima.value))
        return float(minima.value[best]), minima.x[best]

    def _slopes(self, held: Sequence[Held]) -> Slopes:
        phi, J, curvature = (
            np.array([getattr(each, name) for each in held])
            for name in ("phi", "jacobian", "curvature")
        )
        at = deviance_slopes(self.sums.take(np.zeros(len(phi), dtype=int)), phi, self.reml)
        Jt = J.swapaxes(-1, -2)
        hessian = Jt @ at.hessian @ J + np.einsum("br,brij->bij", at.gradient, curvature)
        return Slopes(at.value, (Jt @ at.gradient[..., None])[..., 0], hessian)

    def without(self, r: int) -> np.ndarray:
        """phi less its element r: where searches with theta_r held begin."""
        return np.delete(self.phi, r)

    # ---- what is profiled ------------------------------------------------------------------------

    @property
    def terms(self) -> list[Level]:
        return [
            Level(term.name, term.colnames, np.bincount(term.codes)) for term in self.model.terms
        ]

    @property
    def intercepts_only(self) -> bool:
        """Whether every term is a random intercept: only then is there one share of each."""
        return all(term.q == 1 and np.all(term.Zcols == 1) for term in self.model.terms)

    @property
    def minimum(self) -> np.ndarray:
        return np.array([self.deviance])

    def residual_sd(self) -> Parameter:
        """The residual standard deviation, followed as its logarithm."""
        log_scale = np.log(self.scale)

        def least(log_sd: float, start: np.ndarray) -> Least:
            return self.least(hold_residual(log_sd - log_scale, self.k), start)

        estimate = np.log(np.array([self.sigma]))
        deviance = followed(least, float(estimate[0]), self.phi[:-1])
        step = np.array([2 / np.sqrt(2 * self.sums.x.df(self.reml))])
        return Parameter(deviance, estimate, step, self.minimum, False, np.exp)

    def effect_sd(self, t: int, i: int) -> Parameter:
        """The sd of column i of term t."""
        effect = parametrised_sd(self, t, i)
        at, estimate = effect.at, np.array([effect.estimate])
        deviance = followed(effect.least, effect.estimate, at.without(effect.r))
        step = np.maximum(0.25 * estimate, 0.05 * effect.unit * np.exp(at.phi[-1]))
        return Parameter(deviance, estimate, step, at.minimum, True, as_it_is)

    def share(self, t: int | None) -> Parameter:
        """The share of the variance of term t, or (None) of all random effects: intercepts only."""
        k, omega = self.k, self.phi[:-1] ** 2

        def least(theta: float, start: np.ndarray) -> Least:
            value = theta**2 / (1 + theta**2)
            return self.least(hold_total(value, k) if t is None else hold_share(t, value, k), start)

        omega_t = omega.sum() if t is None else omega[t]
        theta = np.sqrt(omega_t / (1 + omega.sum() - omega_t))
        start = self.phi if t is None else self.without(t)
        if (
            t is None and omega_t == 0
        ):  # where all thetas are 0 they have no direction, which a start has
            start = np.append(np.ones(k), self.phi[k])
        step = np.array([max(0.25 * theta, 0.05)])
        deviance = followed(least, float(theta), start)
        return Parameter(deviance, np.array([theta]), step, self.minimum, True, as_share)

    def hold_sd(self, t: int, i: int, sd: np.ndarray) -> HeldSd:
        """The sd of column i of term t held at `sd` (m,)."""
        effect = parametrised_sd(self, t, i)
        optima = {effect.estimate: effect.at.without(effect.r)}
        rows = {}
        # From the estimate outwards: each search begins where the nearest one ended.
        for value in sorted(map(float, sd), key=lambda value: abs(value - effect.estimate)):
            nearest = min(optima, key=lambda x: abs(x - value))
            least, optima[value] = effect.least(value, optima[nearest])
            rise = max(least - effect.at.deviance, 0.0)
            rows[value] = (rise, *effect.effects(effect.hold(value)(optima[value])))
        columns = zip(*(rows[float(value)] for value in sd), strict=True)
        return HeldSd(np.asarray(sd), *(np.array(column) for column in columns))


@dataclass(frozen=True)
class ParametrisedSd:
    """The sd of a random effect that one theta of a fit parametrises: `unit` theta_r sigma."""

    at: GeneralVariances
    r: int

    @property
    def unit(self) -> float:
        return float(self.at.scale / self.at.model.parameters.scale[self.r])

    @property
    def estimate(self) -> float:
        return float(self.at.phi[self.r] * np.exp(self.at.phi[-1]) * self.unit)

    def least(self, sd: float, start: np.ndarray) -> Least:
        """The least deviance where it is `sd`, sought from `start` (k,)."""
        return self.at.least(self.hold(sd), start)

    def hold(self, sd: float) -> Hold:
        return hold_sd(self.r, sd / self.unit, self.at.k)

    def effects(self, held: Held) -> tuple[float, np.ndarray, np.ndarray]:
        """The share of theta_r, effects (p,) and their covariance (p, p) at phi."""
        at, theta, variance = self.at, held.phi[:-1], np.exp(2 * held.phi[-1])
        gls, root = solve_gls(eliminate(at.sums, theta[None]).cross), at.model.to_beta
        beta = root @ (at.sums.b[0] + at.scale * gls.beta[0])
        vcov = at.scale**2 * variance * root @ gls.Phi[0] @ root.T
        icc = float(theta[self.r] ** 2 / (1 + theta @ theta)) if at.intercepts_only else np.nan
        return icc, beta, vcov


def parametrised_sd(at: GeneralVariances, t: int, i: int) -> ParametrisedSd:
    """The sd of column i of term t, in a fit in which one theta parametrises it."""
    if _has_theta(at, t, i):
        return ParametrisedSd(at, _parameter(at, t, i))
    first = _first(at, t, i)
    return ParametrisedSd(first, _parameter(first, t, 0))


def _has_theta(at: GeneralVariances, t: int, i: int) -> bool:
    return i == 0 or not at.model.terms[t].correlated


def _parameter(at: GeneralVariances, t: int, i: int) -> int:
    """Index of the theta on the diagonal of row i of term t."""
    p = at.model.parameters
    return int(np.flatnonzero((p.term == t) & (p.row == i) & (p.column == i))[0])


def _first(at: GeneralVariances, t: int, i: int) -> GeneralVariances:
    """The optimum with column i of term t put first, which leaves the model as it is."""
    terms = list(at.model.terms)
    order = [i, *(j for j in range(terms[t].q) if j != i)]
    terms[t] = _reordered(terms[t], order)
    model = LinearMixedModel.of(at.model.structure.X, terms, at.model.structure.rows)
    return GeneralVariances.at_optimum(model, at.y, model.sums(at.y[None]), at.reml)


def _reordered(term: RandomTerm, order: Sequence[int]) -> RandomTerm:
    names = tuple(term.colnames[j] for j in order)
    return RandomTerm(term.codes, term.Zcols[:, order], True, term.name, term.labels, names)


def followed(
    least: Callable[[float, np.ndarray], Least], value: float, start: np.ndarray
) -> Deviance:
    """A profile deviance for root-finding from one that is minimised from a start, value by value.

    `start` is where the minimum is at `value`; each search begins where the nearest one so far ended.
    """
    optima = {value: start}

    def deviance_at(x: float) -> float:
        deviance, optima[x] = least(x, optima[min(optima, key=lambda nearby: abs(nearby - x))])
        return deviance

    return lambda x, which: np.array([deviance_at(float(each)) for each in x])
