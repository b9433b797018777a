"""Regression of events with a parameter for each group, estimated or conditioned away.

The parameters of groups are never in a matrix. Three log-likelihoods of the coefficients of what varies
within groups are left, each a sum over groups: of Poisson counts given the group's number of events, a
multinomial, which is what estimated parameters leave as well; of binary outcomes with the group's
parameter at its maximum (the unconditional one); and of binary outcomes given the group's number of
events (the conditional one).

The conditional likelihood has a sum over all sets of so many members, an elementary symmetric function
of their odds. It and its derivatives come from a recursion over the rows of a group (Gail, Lubin and
Rubinstein 1981, Biometrika 68, 703), here with members who are alike in one row. Odds are multiplied by
a factor that gives the group its number of events in expectation: it cancels, and then nothing in the
recursion is too large or too small for a float, whatever the size of a group.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import special

from groupwise.algebra import RANK_TOLERANCE, row_space
from groupwise.models.event_rows import EventRows
from groupwise.models.newton import Minima, Slopes, minimise, newton_steps

CONSTANT = 1e-9
"""A column whose spread within groups is this small, relative to it, is constant within groups."""

FLAT = 1e-9
"""A direction with this little information, relative to the largest, is not identified."""

INFINITE = 1e-7
"""A maximum is infinite where information in some direction is this little, relative to that at 0."""

MOVING = 1e-3
"""It is infinite, too, where a further step still moves a linear predictor so far."""

NUMBERS_AT_A_TIME = 2**22
"""Numbers in the largest array of the recursion that is worked on at a time."""

LIKELIHOODS = ("poisson", "unconditional", "conditional")


@dataclass(frozen=True)
class WithinRows:
    """The rows of G groups beside each other, J at most, those that are lacking first.

    Attributes
    ----------
    trials, exposure : (G, J) 0 where there is no row
    x : (G, J, r)
        Coordinates of what varies within groups, less the group's mean.
    basis : (r, p) orthonormal; eta = x basis (scale beta), up to the parameter of the group
    scale : (p,) lengths of the columns of X within groups; 1 where they are constant
    means : (G, p) of X in the groups; 0 in columns that are constant within groups
    place : (m,) of each row among the G J
    varies : (p,) mask of the columns that vary within groups
    likelihood : one of LIKELIHOODS
    """

    trials: np.ndarray
    exposure: np.ndarray
    x: np.ndarray
    basis: np.ndarray
    scale: np.ndarray
    means: np.ndarray
    place: np.ndarray
    varies: np.ndarray
    likelihood: str

    @classmethod
    def of(cls, rows: EventRows, likelihood: str) -> WithinRows:
        """The rows of a design; the row of most members is a group's last, which the recursion likes."""
        weight = rows.exposure if likelihood == "poisson" else rows.trials
        G, m = rows.n_groups, len(rows.trials)
        means = rows.by_group(rows.X.T * weight).T / rows.by_group(weight)[:, None]
        spread = rows.X - means[rows.group]
        varies = np.abs(spread).max(axis=0) > CONSTANT * np.abs(rows.X).max(axis=0)
        spread, means = np.where(varies, spread, 0.0), np.where(varies, means, 0.0)
        scale = np.where(varies, np.linalg.norm(spread, axis=0), 1.0)
        basis = row_space(spread / scale) if varies.any() else np.zeros((0, len(scale)))
        count = np.bincount(rows.group, minlength=G)
        J = int(count.max())
        order = np.lexsort((rows.trials, rows.group))
        in_group = np.arange(m) - np.repeat(np.cumsum(count) - count, count)
        place = np.empty(m, dtype=int)
        place[order] = rows.group[order] * J + J - count[rows.group[order]] + in_group
        padded = [np.zeros(G * J), np.zeros(G * J), np.zeros((G * J, len(basis)))]
        for into, values in zip(
            padded, (rows.trials, rows.exposure, spread / scale @ basis.T), strict=True
        ):
            into[place] = values
        trials, exposure, x = (each.reshape(G, J, *each.shape[1:]) for each in padded)
        return cls(trials, exposure, x, basis, scale, means, place, varies, likelihood)

    @cached_property
    def size(self) -> np.ndarray:
        """(G,) members."""
        return np.asarray(self.trials.sum(axis=1))

    @cached_property
    def spreads(self) -> np.ndarray:
        """(G,) whether members of a group differ in what varies within groups."""
        return np.asarray(np.abs(self.x).max(axis=(1, 2), initial=0) > CONSTANT)

    def events(self, events: np.ndarray) -> np.ndarray:
        """(R, G, J) numbers of events, from those of the rows (R, m)."""
        G, J = self.trials.shape
        padded = np.zeros((len(events), G * J))
        padded[:, self.place] = events
        return padded.reshape(-1, G, J)

    def coordinates(self, L: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(..., r) coordinates of L beta for L (..., p), and (...) whether they say all of it."""
        scaled = L / self.scale
        inner = scaled @ self.basis.T
        outside = np.linalg.norm(scaled - inner @ self.basis, axis=-1)
        return inner, outside <= 1e-7 * np.maximum(np.linalg.norm(scaled, axis=-1), 1e-300)


@dataclass(frozen=True)
class WithinLikelihood:
    """The log-likelihood of R outcomes, by coordinates gamma (r,) of the coefficients.

    Attributes
    ----------
    rows
    events : (R, G, J)
    """

    rows: WithinRows
    events: np.ndarray

    @cached_property
    def total(self) -> np.ndarray:
        """(R, G) events of the groups."""
        return np.asarray(self.events.sum(axis=2))

    @cached_property
    def informative(self) -> np.ndarray:
        """(R, G) groups that say something of the coefficients."""
        some = (self.total > 0) & self.rows.spreads
        if self.rows.likelihood == "poisson":
            return some
        return some & (self.total < self.rows.size)

    def slopes(self, index: np.ndarray, gamma: np.ndarray) -> Slopes:
        """Negative log-likelihoods of the outcomes with these indices at gamma (b, r)."""
        G, J, r = self.rows.x.shape
        numbers = G * J * (1 + r)
        if self.rows.likelihood == "conditional":
            numbers = G * (int(self.total.max(initial=0)) + 1) * (1 + r + r * r)
        step = max(1, NUMBERS_AT_A_TIME // max(numbers, 1))
        parts = [
            self._some(index[start : start + step], gamma[start : start + step])
            for start in range(0, len(index), step)
        ]
        names = ("value", "gradient", "hessian")
        return Slopes(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))

    def _some(self, index: np.ndarray, gamma: np.ndarray) -> Slopes:
        informative, events = self.informative[index], self.events[index]
        eta = np.einsum("gjr,br->bgj", self.rows.x, gamma)
        if self.rows.likelihood == "conditional":
            return self._conditional(informative, events, eta, self.total[index])
        level, mean, weight = self.moments(index, gamma)
        if self.rows.likelihood == "poisson":
            value = (events * (eta + level[..., None])).sum(axis=2)
        else:
            a = eta + level[..., None]
            value = (events * a - self.rows.trials * np.logaddexp(0, a)).sum(axis=2)
        residual = np.where(informative[..., None], events - mean, 0.0)
        gradient = np.einsum("bgj,gjr->br", residual, self.rows.x)
        weight = np.where(informative[..., None], weight, 0.0)
        return Slopes(
            -np.where(informative, value, 0.0).sum(axis=1), -gradient, self.information(weight)
        )

    def information(self, weight: np.ndarray) -> np.ndarray:
        """(b, r, r) within groups, of rows with these weights (b, G, J)."""
        z = self.deviations(weight)
        return np.einsum("bgjr,bgj,bgjs->brs", z, weight, z, optimize=True)

    def deviations(self, weight: np.ndarray) -> np.ndarray:
        """(b, G, J, r) x less the groups' means with these weights (b, G, J)."""
        x = self.rows.x
        sums = np.maximum(weight.sum(axis=2), 1e-300)
        mean = np.einsum("bgj,gjr->bgr", weight, x) / sums[..., None]
        return np.asarray(x - mean[:, :, None])

    def moments(
        self, index: np.ndarray, gamma: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Parameters of groups (b, G), expected events and their variances (b, G, J), given gamma."""
        eta, total = np.einsum("gjr,br->bgj", self.rows.x, gamma), self.total[index]
        if self.rows.likelihood == "poisson":
            with np.errstate(divide="ignore"):
                log_share = eta + np.log(self.rows.exposure)
            level = np.log(np.maximum(total, 1e-300)) - special.logsumexp(log_share, axis=2)
            mean = np.exp(log_share + level[..., None])
            return level, mean, mean
        level = self._levels(self.informative[index], total, eta)
        p = special.expit(eta + level[..., None])
        return level, self.rows.trials * p, self.rows.trials * p * (1 - p)

    def _levels(self, informative: np.ndarray, total: np.ndarray, eta: np.ndarray) -> np.ndarray:
        """(b, G) parameters that give groups their numbers of events: Newton's method in brackets."""
        n, present = self.rows.trials, self.rows.trials > 0
        share = np.where(informative, total, 0.5 * self.rows.size) / self.rows.size
        target = share * self.rows.size
        centre = special.logit(share)
        low = centre - np.where(present, eta, -np.inf).max(axis=2)
        high = centre - np.where(present, eta, np.inf).min(axis=2)
        level = 0.5 * (low + high)
        for _ in range(60):
            p = special.expit(eta + level[..., None])
            excess = (n * p).sum(axis=2) - target
            low, high = np.where(excess < 0, level, low), np.where(excess > 0, level, high)
            step = excess / np.maximum((n * p * (1 - p)).sum(axis=2), 1e-300)
            new = level - step
            new = np.where((new > low) & (new < high), new, 0.5 * (low + high))
            moved = np.abs(new - level).max(initial=0)
            level = new
            if moved < 1e-12:
                break
        return np.asarray(level)

    def _conditional(
        self, informative: np.ndarray, events: np.ndarray, eta: np.ndarray, total: np.ndarray
    ) -> Slopes:
        rows, level = self.rows, self._levels(informative, total, eta)
        a = eta + level[..., None]
        d = np.where(informative, total, 0).astype(int)
        moments = _given_total(rows.trials.astype(int), a, rows.x, d)
        probability, mean, square = moments
        mean, square = mean / probability[..., None], square / probability[..., None, None]
        covariance = square - mean[..., :, None] * mean[..., None, :]
        value = (events * a - rows.trials * np.logaddexp(0, a)).sum(axis=2) - np.log(probability)
        gradient = np.einsum("bgj,gjr->bgr", events, rows.x) - mean
        keep = informative.astype(float)
        return Slopes(
            -(np.where(informative, value, 0.0)).sum(axis=1),
            -np.einsum("bg,bgr->br", keep, gradient),
            np.einsum("bg,bgrs->brs", keep, covariance),
        )


def _binomial(n: np.ndarray, a: np.ndarray, k: int) -> np.ndarray:
    """(b, G) probabilities of k of n (G,) events with log odds a (b, G); 0 where k is above n."""
    rest = np.maximum(n - k, 0)
    ways = special.gammaln(n + 1) - special.gammaln(k + 1) - special.gammaln(rest + 1)
    log_p = ways + k * a - n * np.logaddexp(0, a)
    return np.where(n >= k, np.exp(log_p), 0.0)


def _given_total(
    trials: np.ndarray, a: np.ndarray, x: np.ndarray, d: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Moments of S, the sum over events of x, where a group has d (b, G) events.

    Events are independent, with log odds a (b, G, J), of `trials` (G, J) members at x (G, J, r).

    Returns
    -------
    tuple
        P(D = d) (b, G), E[S; D = d] (b, G, r) and E[S S'; D = d] (b, G, r, r).
    """
    b, G, J = a.shape
    r, most = x.shape[2], int(d.max(initial=0))
    P = np.zeros((b, G, most + 1))
    M, Q = np.zeros((*P.shape, r)), np.zeros((*P.shape, r, r))
    P[..., 0] = 1
    for j in range(J - 1):
        P, M, Q = _with_row(P, M, Q, trials[:, j], a[..., j], x[:, j])
    j, at = J - 1, np.zeros((b, G))
    zero, first, second = (at, at, at)
    M0, M1 = np.zeros((b, G, r)), np.zeros((b, G, r))
    Q0 = np.zeros((b, G, r, r))
    for k in range(min(int(trials[:, j].max()), most) + 1):
        place = np.maximum(d - k, 0)
        w = np.where(d >= k, _binomial(trials[:, j], a[..., j], k), 0.0)
        p = w * np.take_along_axis(P, place[..., None], axis=2)[..., 0]
        zero, first, second = zero + p, first + k * p, second + k * k * p
        mean = w[..., None] * np.take_along_axis(M, place[..., None, None], axis=2)[:, :, 0]
        M0, M1 = M0 + mean, M1 + k * mean
        index = place[..., None, None, None]
        Q0 = Q0 + w[..., None, None] * np.take_along_axis(Q, index, axis=2)[:, :, 0]
    return _joined(zero, first, second, M0, M1, Q0, x[:, j])


def _with_row(
    P: np.ndarray, M: np.ndarray, Q: np.ndarray, n: np.ndarray, a: np.ndarray, x: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The same moments, by every number of events, with a further row of n (G,) members at x (G, r)."""
    zero, first, second = np.zeros_like(P), np.zeros_like(P), np.zeros_like(P)
    M0, M1, Q0 = np.zeros_like(M), np.zeros_like(M), np.zeros_like(Q)
    for k in range(min(int(n.max()), P.shape[2] - 1) + 1):
        w, upto = _binomial(n, a, k)[..., None], P.shape[2] - k
        p = w * P[:, :, :upto]
        zero[:, :, k:] += p
        mean = w[..., None] * M[:, :, :upto]
        M0[:, :, k:] += mean
        Q0[:, :, k:] += w[..., None, None] * Q[:, :, :upto]
        if k:
            first[:, :, k:] += k * p
            second[:, :, k:] += k * k * p
            M1[:, :, k:] += k * mean
    return _joined(zero, first, second, M0, M1, Q0, x[:, None])


def _joined(
    zero: np.ndarray,
    first: np.ndarray,
    second: np.ndarray,
    M0: np.ndarray,
    M1: np.ndarray,
    Q0: np.ndarray,
    x: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Moments of S + k x from those of S that k^0, k^1 and k^2 multiply."""
    mean = M0 + first[..., None] * x
    cross = x[..., :, None] * M1[..., None, :]
    square = Q0 + cross + cross.swapaxes(-1, -2)
    square = square + second[..., None, None] * (x[..., :, None] * x[..., None, :])
    return zero, mean, square


# ---- maxima --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class WithinFit:
    """Where the log-likelihoods of R outcomes are largest.

    Attributes
    ----------
    likelihood
    gamma : (R, r) coordinates of the coefficients; NaN where they are infinite, or nothing is identified
    root : (R, r, r)
        Coordinates whose information at gamma = 0 is the identity; columns of 0 for what is not
        identified. gamma lies in its columns.
    vcov : (R, r, r) inverse information
    infinite : (R,) whether there is no maximum
    drift : (R, r) where there is none, the direction in which coordinates leave
    """

    likelihood: WithinLikelihood
    gamma: np.ndarray
    root: np.ndarray
    vcov: np.ndarray
    infinite: np.ndarray
    drift: np.ndarray

    def estimable(self, inner: np.ndarray) -> np.ndarray:
        """(R, k) whether informative groups identify combinations with coordinates ([R,] k, r)."""
        part = inner @ self.projector - inner
        small = np.linalg.norm(part, axis=-1) <= 1e-6 * np.linalg.norm(inner, axis=-1)
        return np.asarray(small & ~self.infinite[:, None])

    @cached_property
    def projector(self) -> np.ndarray:
        """(R, r, r) onto the coordinates that are identified."""
        return np.asarray(self.root @ np.linalg.pinv(self.root))


def fit_within(rows: WithinRows, events: np.ndarray) -> WithinFit:
    """Maxima of the log-likelihoods of outcomes (R, m), by Newton's method for all at once."""
    likelihood = WithinLikelihood(rows, rows.events(events))
    R, r = len(events), len(rows.basis)
    if r == 0:
        nothing, empty = np.zeros((R, 0)), np.zeros((R, 0, 0))
        return WithinFit(likelihood, nothing, empty, empty, np.zeros(R, dtype=bool), nothing)
    start = likelihood.slopes(np.arange(R), np.zeros((R, r))).hessian
    values, vectors = np.linalg.eigh(start)
    identified = values > FLAT * np.maximum(values[:, -1:], RANK_TOLERANCE)
    root = vectors * np.where(identified, 1 / np.sqrt(np.where(identified, values, 1)), 0)[:, None]

    def function(index: np.ndarray, delta: np.ndarray) -> Slopes:
        turn = root[index]
        at = likelihood.slopes(index, np.einsum("brs,bs->br", turn, delta))
        gradient = np.einsum("brs,br->bs", turn, at.gradient)
        return Slopes(at.value, gradient, turn.swapaxes(-1, -2) @ at.hessian @ turn)

    minima = minimise(function, np.zeros((R, r)))
    return _finished(likelihood, minima, root, identified)


def _finished(
    likelihood: WithinLikelihood, minima: Minima, root: np.ndarray, identified: np.ndarray
) -> WithinFit:
    """The fit from its minima; what is not identified has information 1 here, and no covariance."""
    hessian = minima.at.hessian + np.eye(root.shape[-1]) * ~identified[:, None]
    smallest = np.linalg.eigvalsh(hessian)[:, 0]
    step = np.einsum("brs,bs->br", root, newton_steps(minima.x, minima.at))
    moved = np.abs(np.einsum("gjr,br->bgj", likelihood.rows.x, step)).max(axis=(1, 2))
    infinite = (smallest < INFINITE) | (moved > MOVING) | ~minima.converged
    safe = np.where(infinite[:, None, None], np.eye(root.shape[-1]), hessian)
    vcov = root @ np.linalg.inv(safe) @ root.swapaxes(-1, -2)
    gamma = np.einsum("brs,bs->br", root, minima.x)
    return WithinFit(
        likelihood=likelihood,
        gamma=np.where(infinite[:, None], np.nan, gamma),
        root=root,
        vcov=np.where(infinite[:, None, None], np.nan, vcov),
        infinite=infinite,
        drift=np.where(infinite[:, None], gamma, 0.0),
    )
