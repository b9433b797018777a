"""Generalised estimating equations for events, exchangeable within groups, from sums over groups.

In rows that are divided by the root of the working variance, q = d z / sqrt(v) with d the derivative of
the mean, and e the Pearson residuals, the working covariance of a group is (1 - rho) I + rho J, whose
inverse is (I - c_g J) / (1 - rho), c_g = rho / (1 + (n_g - 1) rho). Hence

    information  I_g = sum q q' - c_g (sum q)(sum q)'       scores  U_g = sum q e - c_g (sum q)(sum e)

both over 1 - rho, which cancels. Scale and correlation are moments, as in geepack's `geeglm`: the mean
square of the Pearson residuals, and their mean product over all pairs of members over that. The
variance is binomial for odds ratios and differences of risks, and Poisson's for rates and for ratios of
risks (Zou and Donner 2013, Statistical Methods in Medical Research 22, 661-670).

Nothing has the size of a group.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from groupwise.models.exchangeable import ALIKE, least_correlation, pairs_of_members
from groupwise.models.glm import MOST_NUMBERS, EventModel

MOST_STEPS = 300
MOST_HALVINGS = 30

FAR = 20.0
"""Log odds, log risks or log rates that are so far from where they start have no solution near."""

LONGEST = 5.0
"""No step changes these by more."""

CLOSE = 1e-11
"""Changes of linear predictors, relative to the largest, and of the correlation that end the steps."""


@dataclass(frozen=True)
class EventSums:
    """What the equations need of R outcomes at some coefficients; q and Pearson residuals e.

    Attributes
    ----------
    q : (R, m, r) of each individual of a row
    of_q : (R, G, r) sums over groups
    scores : (R, m, r) sums of q e over rows
    residual : (R, G) sums of e over groups
    squares : (R,) sums of e^2
    """

    q: np.ndarray
    of_q: np.ndarray
    scores: np.ndarray
    residual: np.ndarray
    squares: np.ndarray


@dataclass(frozen=True)
class EventEquations:
    """The estimating equations of a design.

    Attributes
    ----------
    model : EventModel
    size : (G,) individuals
    pairs : pairs of individuals within groups
    """

    model: EventModel
    size: np.ndarray
    pairs: int

    @classmethod
    def of(cls, model: EventModel) -> EventEquations:
        """The equations of a model of events."""
        size = model.rows.by_group(model.rows.trials)
        return cls(model, size, pairs_of_members(size))

    @property
    def is_binomial(self) -> bool:
        """Whether the variance is binomial, not Poisson's."""
        response = self.model.rows.response
        return response.family == "binary" and response.link != "log"

    def inside(self, gamma: np.ndarray) -> np.ndarray:
        """(R,) whether all means have a variance at coefficients gamma (R, r)."""
        response = self.model.rows.response
        if response.link != "identity":
            return np.ones(len(gamma), dtype=bool)
        eta = gamma @ self.model.Z.T
        highest = 1.0 if response.family == "binary" else np.inf
        return np.asarray(((eta > 0) & (eta < highest)).all(axis=1))

    def sums(self, events: np.ndarray, squares: np.ndarray, gamma: np.ndarray) -> EventSums:
        """Sums at gamma (R, r), of numbers of events (R, m) and sums of squares (R, m)."""
        model, trials = self.model, self.model.rows.trials
        mean, slope, variance = individual_moments(model, gamma @ model.Z.T)
        root = np.sqrt(variance)
        residual = (events - trials * mean) / root
        q = (slope / root)[..., None] * model.Z
        squared = (squares - 2 * mean * events + trials * mean**2) / variance
        return EventSums(
            q=q,
            of_q=model.sums_by_group(trials[:, None] * q),
            scores=residual[..., None] * q,
            residual=model.rows.by_group(residual),
            squares=squared.sum(axis=1),
        )

    def correlation(self, sums: EventSums) -> np.ndarray:
        """(R,) the mean product of two Pearson residuals of a group over their mean square."""
        if not self.pairs:
            return np.zeros(len(sums.squares))
        products = ((sums.residual**2).sum(axis=1) - sums.squares) / 2 / self.pairs
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(products / (sums.squares / self.model.n_obs))

    def shrinkage(self, rho: np.ndarray) -> np.ndarray:
        """c_g (R, G)."""
        return np.asarray(rho[:, None] / (1 + (self.size - 1) * rho[:, None]))

    def possible(self, rho: np.ndarray) -> np.ndarray:
        """(R,) whether groups of these sizes can have the correlation."""
        if not self.pairs:
            return np.ones(len(rho), dtype=bool)
        return np.asarray((rho > least_correlation(self.size)) & (rho <= ALIKE))

    def information(self, sums: EventSums, c: np.ndarray) -> np.ndarray:
        """(R, r, r): the sum of I_g."""
        weighted = self.model.rows.trials[:, None] * sums.q
        total = np.swapaxes(weighted, 1, 2) @ sums.q
        return np.asarray(total - np.swapaxes(c[..., None] * sums.of_q, 1, 2) @ sums.of_q)

    def step(self, sums: EventSums, rho: np.ndarray) -> np.ndarray:
        """(R, r): the change of the coefficients that solves the equations to first order."""
        c = self.shrinkage(rho)
        across = (c * sums.residual)[..., None] * sums.of_q
        score = sums.scores.sum(axis=1) - across.sum(axis=1)
        return np.asarray(np.linalg.solve(self.information(sums, c), score[..., None])[..., 0])

    def start(self, events: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Coefficients (R, r) and which outcomes have any (R,).

        Of independent individuals for a log or logit link, a common mean for differences.
        """
        model = self.model
        if model.rows.response.link != "identity":
            independent = model.fit(events)
            return independent.gamma, independent.is_finite
        mean = events.sum(axis=1) / model.rows.exposure.sum()
        ones = np.sqrt(model.rows.trials) @ model.basis.Q
        return mean[:, None] * ones, np.asarray(~model.without_spread(events).any(axis=1))

    def fit(self, events: np.ndarray, squares: np.ndarray) -> EquationsFit:
        """Alternate between coefficients and correlation until both stay."""
        gamma, is_finite = self.start(events)
        rho, converged = np.full(len(events), np.nan), np.zeros(len(events), dtype=bool)
        width = self.model.Z.size
        count = max(1, MOST_NUMBERS // width)
        solvable = np.flatnonzero(is_finite)
        for start in range(0, len(solvable), count):
            some = solvable[start : start + count]
            solution = _solve(self, events[some], squares[some], gamma[some])
            gamma[some], rho[some], converged[some] = solution
        return EquationsFit(self, events, squares, gamma, rho, is_finite, converged)


def individual_moments(
    model: EventModel, eta: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean, its derivative, and the variance of the events of one individual of each row, (R, m)."""
    response, exposure = model.rows.response, model.rows.exposure / model.rows.trials
    if response.link != "identity":
        expected, variance = model.moments(eta)
        variance = variance / model.rows.trials
        return expected / model.rows.trials, variance, variance
    mean = exposure * eta
    variance = mean * (1 - mean) if response.family == "binary" else mean
    return mean, np.broadcast_to(exposure, mean.shape), variance


def _solve(
    equations: EventEquations, events: np.ndarray, squares: np.ndarray, gamma: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Coefficients (R, r), correlations (R,), and whether both stay (R,).

    With exposures that differ much the equations can have no solution: steps then go to infinity.
    """
    Z, first, gamma = equations.model.Z, gamma, gamma.copy()
    rho = equations.correlation(equations.sums(events, squares, gamma))
    converged = np.zeros(len(events), dtype=bool)
    active = np.flatnonzero(np.isfinite(rho))
    for _ in range(MOST_STEPS):
        if not len(active):
            break
        y, y2 = events[active], squares[active]
        before, at = rho[active], gamma[active]
        usable = _within(equations, before)
        step = equations.step(equations.sums(y, y2, at), usable)
        step = _capped(equations, step)
        gamma[active] = _inside(equations, at, step)
        rho[active] = after = equations.correlation(equations.sums(y, y2, gamma[active]))
        moved = np.abs(step @ Z.T).max(axis=1) / np.abs(at @ Z.T).max(axis=1)
        near = (moved <= CLOSE) & (np.abs(after - before) <= CLOSE)
        converged[active[near]] = True
        lost = np.abs((gamma[active] - first[active]) @ Z.T).max(axis=1) > FAR
        active = active[~near & ~lost & np.isfinite(after)]
    return gamma, rho, converged


def _capped(equations: EventEquations, step: np.ndarray) -> np.ndarray:
    """Steps (R, r) that change no log odds, log risk or log rate by more than `LONGEST`."""
    if equations.model.rows.response.link == "identity":
        return step
    length = np.abs(step @ equations.model.Z.T).max(axis=1, keepdims=True)
    return np.asarray(step / np.maximum(1.0, length / LONGEST))


def _within(equations: EventEquations, rho: np.ndarray) -> np.ndarray:
    """Correlations that give groups a covariance matrix, as near as can be."""
    least = least_correlation(equations.size)
    return np.clip(rho, least * (1 - 1e-6), ALIKE) if equations.pairs else rho


def _inside(equations: EventEquations, gamma: np.ndarray, step: np.ndarray) -> np.ndarray:
    """gamma + step (R, r), the step halved until all means have a variance."""
    reached, share = gamma + step, 1.0
    left = np.flatnonzero(~equations.inside(reached))
    for _ in range(MOST_HALVINGS):
        if not len(left):
            break
        share /= 2
        reached[left] = gamma[left] + share * step[left]
        left = left[~equations.inside(reached[left])]
    reached[left] = gamma[left]
    return reached


@dataclass(frozen=True)
class EquationsFit:
    """Solutions for R outcomes.

    Attributes
    ----------
    events, squares : (R, m) of the individuals of rows
    gamma : (R, r) coefficients in the coordinates of the basis
    correlation : (R,)
    is_finite : (R,) whether the coefficients are finite, and arms have a variance
    converged : (R,)
    """

    equations: EventEquations
    events: np.ndarray
    squares: np.ndarray
    gamma: np.ndarray
    correlation: np.ndarray
    is_finite: np.ndarray
    converged: np.ndarray

    @property
    def answered(self) -> np.ndarray:
        """(R,) whether the steps ended at a correlation that groups of these sizes can have."""
        return np.asarray(self.converged & self.equations.possible(self.correlation))

    def take(self, which: np.ndarray) -> EquationsFit:
        """The solutions for some outcomes."""
        arrays = [value[which] for name, value in vars(self).items() if name != "equations"]
        return EquationsFit(self.equations, *arrays)

    def sums(self) -> EventSums:
        """Sums over rows and groups at the solutions."""
        return self.equations.sums(self.events, self.squares, self.gamma)

    def estimate(self, Lambda: np.ndarray) -> np.ndarray:
        """(R, k) of combinations with coordinates Lambda (k, r); NaN without an answer."""
        return np.where(self.answered[:, None], self.gamma @ Lambda.T, np.nan)
