"""Regression of events by maximum likelihood: R outcomes of one design together.

Logistic regression for binary outcomes and odds ratios; for ratios of risks or rates a log link with the
score of Poisson regression, which for binary outcomes is the modified Poisson regression of Zou (2004),
American Journal of Epidemiology 159, 702-706. Both links are canonical: the score is
Z'(events - expected), the information Z'W Z with W the variance of the events of a row.

Fisher scoring in an orthonormal basis of X, individuals counting once, so that units of covariates do
not matter. The log-likelihood is concave: it has no finite maximum exactly where a direction separates
outcomes (Albert and Anderson 1984, Biometrika 71, 1-10). Steps then never shorten, whereas what they
gain goes to 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import special

from groupwise.design import Design
from groupwise.models.event_rows import EventRows
from groupwise.models.least_squares import Basis, coefficients, orthonormal_basis

MOST_STEPS = 100
MOST_HALVINGS = 30

CLOSE = 1e-8
"""A step that moves no linear predictor further, relative to its size, is the last: convergence is
quadratic."""

NO_GAIN = 1e-10
"""Steps that promise less log-likelihood are near the maximum, ..."""

LONG = 0.1
"""... and where they move a linear predictor by so much, that is infinitely far."""

INVOLVED = 1e-3
"""Coefficients that take this share of a step, times their column, go to infinity with it."""

MOST_NUMBERS = 2**21
"""Numbers, over outcomes, rows and columns, that are worked on at a time."""


@dataclass(frozen=True)
class EventModel:
    """The regression of events of a design.

    Attributes
    ----------
    rows : EventRows
    arm : (m,) codes of arms
    arms : number of arms
    basis : Basis
        Of X, rows times the root of their number of individuals.
    Z : (m, r)
        X in the coordinates of the basis: X = Z R, L beta = Lambda gamma.
    """

    rows: EventRows
    arm: np.ndarray
    arms: int
    basis: Basis
    Z: np.ndarray

    @classmethod
    def of(cls, design: Design, rows: EventRows | None = None) -> EventModel:
        """The model of a design whose outcomes are events; `rows` are of one exposure unless given."""
        rows = EventRows.of(design, by_exposure=True) if rows is None else rows
        root = np.sqrt(rows.trials)[:, None]
        basis = orthonormal_basis(rows.X * root)
        arm = design.arm[rows.first]
        return cls(rows, arm, len(design.arm_labels), basis, basis.Q / root)

    @property
    def is_logit(self) -> bool:
        return self.rows.response.link == "logit"

    @property
    def n_obs(self) -> int:
        return int(np.rint(self.rows.trials.sum()))

    def moments(self, eta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Expectations and variances (R, m) of the events of rows at linear predictors (R, m)."""
        if not self.is_logit:
            expected = self.rows.exposure * _exp(eta)
            return expected, expected
        mean = special.expit(eta)
        return self.rows.exposure * mean, self.rows.exposure * mean * special.expit(-eta)

    def loglik(self, events: np.ndarray, gamma: np.ndarray) -> np.ndarray:
        """Log-likelihoods (R,), without constants."""
        eta = gamma @ self.Z.T
        normaliser = np.logaddexp(0, eta) if self.is_logit else _exp(eta)
        return np.asarray((events * eta - self.rows.exposure * normaliser).sum(axis=-1))

    def information(self, weight: np.ndarray) -> np.ndarray:
        """Z'W Z (R, r, r)."""
        return np.asarray((weight[:, None, :] * self.Z.T) @ self.Z)

    def start(self, events: np.ndarray) -> np.ndarray:
        """Weighted least squares of smoothed log odds or log rates."""
        mean = (events + 0.5) / (self.rows.exposure * (1 + 1 / self.rows.trials))
        eta = special.logit(mean) if self.is_logit else np.log(mean)
        _, weight = self.moments(eta)
        right = (weight * eta) @ self.Z
        return np.asarray(np.linalg.solve(self.information(weight), right[..., None])[..., 0])

    def sums_by_group(self, values: np.ndarray) -> np.ndarray:
        """Sums (R, G, k) over the rows of groups, of values (R, m, k)."""
        return np.moveaxis(self.rows.by_group(np.moveaxis(values, -1, 1)), 1, -1)

    def without_spread(self, events: np.ndarray) -> np.ndarray:
        """(R, J) arms without events: -1; with nothing else, where that has no variance: 1; else 0."""
        return without_spread(self.rows, self.arm, self.arms, events)

    def fit(self, events: np.ndarray) -> EventFit:
        """Maximum likelihood for numbers of events (R, m)."""
        R, r = len(events), self.Z.shape[1]
        fits = EventFit(
            model=self,
            events=events,
            gamma=np.full((R, r), np.nan),
            direction=np.zeros((R, r)),
            is_finite=np.asarray(~self.without_spread(events).any(axis=1)),
        )
        step = max(1, MOST_NUMBERS // (len(self.Z) * r))
        for start in range(0, R, step):
            some = slice(start, start + step)
            which = start + np.flatnonzero(fits.is_finite[some])
            if len(which):
                gamma, direction = _maximise(self, events[which])
                fits.gamma[which], fits.direction[which] = gamma, direction
                fits.is_finite[which] = ~direction.any(axis=1)
        fits.gamma[~fits.is_finite] = np.nan
        return fits


def without_spread(rows: EventRows, arm: np.ndarray, arms: int, events: np.ndarray) -> np.ndarray:
    """As `EventModel.without_spread`, of rows with codes of arms (m,)."""
    by_arm = np.eye(arms)[arm]
    total, response = events @ by_arm, rows.response
    bounded = response.family == "binary" and response.link != "log"
    full = (total >= rows.exposure @ by_arm) & bounded
    return np.where(total == 0, -1, np.where(full, 1, 0))


def _exp(eta: np.ndarray) -> np.ndarray:
    return np.exp(np.minimum(eta, 500.0))  # of a step too far, which is halved


def _maximise(model: EventModel, events: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients (R, r), and directions (R, r) in which they are infinite: 0 where they are not.

    Outcomes whose steps neither end nor are of no gain count as infinite in their last direction.
    """
    gamma = model.start(events)
    value = model.loglik(events, gamma)
    direction = np.zeros_like(gamma)
    active = np.arange(len(events))
    for _ in range(MOST_STEPS):
        at, y = gamma[active], events[active]
        eta = at @ model.Z.T
        expected, weight = model.moments(eta)
        gradient = (y - expected) @ model.Z
        step = np.linalg.solve(model.information(weight), gradient[..., None])[..., 0]
        gain = (step * gradient).sum(axis=1) / 2
        moved = np.abs(step @ model.Z.T).max(axis=1)
        far = (gain < NO_GAIN) & (moved > LONG)
        gamma[active], value[active] = _uphill(model, y, at, step, value[active])
        direction[active] = step
        near = moved <= CLOSE * (1 + np.abs(eta).max(axis=1))
        direction[active[near]] = 0
        active = active[~(near | far)]
        if not len(active):
            break
    return gamma, direction


def _uphill(
    model: EventModel, events: np.ndarray, x: np.ndarray, step: np.ndarray, value: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """x + step, halved as often as it takes not to lose, and the log-likelihoods there."""
    reached, values = x + step, np.empty(len(x))
    left, share = np.arange(len(x)), 1.0
    for _ in range(MOST_HALVINGS):
        reached[left] = x[left] + share * step[left]
        values[left] = model.loglik(events[left], reached[left])
        left = left[~(values[left] >= value[left] - 1e-12 * (1 + np.abs(value[left])))]
        share /= 2
        if not len(left):
            break
    return reached, values


@dataclass(frozen=True)
class EventFit:
    """Regressions of R outcomes.

    Attributes
    ----------
    events : (R, m)
    gamma : (R, r) coefficients in the coordinates of the basis; NaN where any is infinite
    direction : (R, r) in which they are infinite; 0 where they are finite, or an arm is without spread
    is_finite : (R,)
    """

    model: EventModel
    events: np.ndarray
    gamma: np.ndarray
    direction: np.ndarray
    is_finite: np.ndarray

    def take(self, which: slice | np.ndarray) -> EventFit:
        """The fits of some outcomes."""
        arrays = (self.events, self.gamma, self.direction, self.is_finite)
        return EventFit(self.model, *(each[which] for each in arrays))

    @cached_property
    def _moments(self) -> tuple[np.ndarray, np.ndarray]:
        return self.model.moments(self.gamma @ self.model.Z.T)

    @property
    def expected(self) -> np.ndarray:
        """(R, m) expected events."""
        return self._moments[0]

    @property
    def weight(self) -> np.ndarray:
        """(R, m) variances of the events of rows, which are their weights."""
        return self._moments[1]

    @cached_property
    def inverse_information(self) -> np.ndarray:
        """(R, r, r); NaN where a coefficient is infinite."""
        information = self.model.information(self.weight)
        finite = self.is_finite[:, None, None]
        inverse = np.linalg.inv(np.where(finite, information, np.eye(self.gamma.shape[1])))
        return np.where(finite, inverse, np.nan)

    def estimate(self, Lambda: np.ndarray) -> np.ndarray:
        """(R, k) of combinations with coordinates Lambda (k, r)."""
        return np.asarray(self.gamma @ Lambda.T)

    def infinite_terms(self, i: int) -> np.ndarray:
        """(p,) coefficients of outcome i go to infinity; of columns that separate alone, if any."""
        alone = _separates(self.model, self.events[i])
        if alone.any():
            return alone
        beta = coefficients(self.model.basis, self.direction[i])
        size = np.abs(beta) * np.ptp(self.model.rows.X, axis=0)
        return np.asarray(size > INVOLVED * max(size.max(), 1e-300))


def _separates(model: EventModel, events: np.ndarray) -> np.ndarray:
    """(p,) which columns of X separate rows with events from others, beside an intercept.

    With a log link only what is constant over rows with events has a direction to go.
    """
    X, some = model.rows.X, events > 0
    others = events < model.rows.exposure if model.is_logit else ~some
    if not some.any() or not others.any():
        return np.zeros(X.shape[1], dtype=bool)
    low, high = X[some].min(axis=0), X[some].max(axis=0)
    below, above = X[others].max(axis=0) <= low, X[others].min(axis=0) >= high
    usable = np.ptp(X, axis=0) > 0
    if not model.is_logit:
        usable &= low == high
    return np.asarray((below | above) & usable)
