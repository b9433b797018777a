"""Generalised estimating equations with a linear mean and exchangeable errors, from group sums.

The correlation and its divisors are those of statsmodels' `Exchangeable`; the covariance is that of
Mancl and DeRouen (2001), Biometrics 57, 126-134, in which residuals are divided by I - H_gg before
they enter the sandwich. With errors exchangeable within groups V_g^-1 = (I - c_g J) / (1 - rho),
c_g = rho / (1 + (n_g - 1) rho). In an orthonormal basis Q, with gamma the GLS effects less the OLS ones
and P_g orthonormal rows, as many as Q_g has rank, for which P_g Q_g'Q_g P_g' = diag(square_g),

    B^-1 = sum_g P_g' a_g P_g,   a_g = (diag(square_g) - c_g t_g t_g') / (1 - rho),   t_g = P_g Q_g'1

and group g contributes L B P_g' (I - a_g P_g B P_g')^-1 d_g, d_g = P_g Q_g' V_g^-1 e_g, to L beta: that
is (I - H_gg)^-1 pulled through X_g' V_g^-1. Nothing has the size of a group, and outcomes of any number
are fitted together.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import sparse

from groupwise.algebra import Bordered, products, solved
from groupwise.models.clusters import Clusters, Projected

TOLERANCE = 1e-13
"""Changes of the correlation that end the iterations."""

MOST_STEPS = 200

STEADY = 0.5
"""Steps that shorten to less than this share of the one before are extrapolated."""

MOST_NUMBERS = 2**18
"""Numbers, over outcomes, groups and columns, that are worked on at a time: they stay in the cache."""

NOTHING = 1e-10
"""An eigenvalue of Q_g'Q_g below this share of the largest is 0."""

ALIKE = 1 - 1e-6
"""A correlation above this leaves nothing to weight the members of a group by."""


def least_correlation(size: np.ndarray) -> float:
    """The correlation below which the largest of groups of these sizes has no covariance matrix."""
    return -1 / max(int(size.max()) - 1, 1)


def pairs_of_members(size: np.ndarray, frequency: np.ndarray | float = 1.0) -> int:
    """Pairs within groups of these sizes, which the correlation is estimated from."""
    return int(np.rint((frequency * size * (size - 1)).sum())) // 2


@dataclass(frozen=True)
class Exchangeable:
    """A design for GEE: what does not depend on outcomes. G groups, w columns that each touches.

    Attributes
    ----------
    S : (G, w) sums of Q_g, scaled as outcomes are
    P : (G, r, w) orthonormal rows, of groups of smaller rank than r filled with zeros
    square, t : (G, r)
    root : (G,) of the number of groups that each stands for
    size : (G,)
    level, n_levels
        (G,) the absorbed indicator that each group touches, and how many there are: its column stands
        first in S and P. Without any, None and 0.
    n_obs, pairs : individuals, and pairs of them within groups
    """

    S: np.ndarray
    P: np.ndarray
    square: np.ndarray
    t: np.ndarray
    root: np.ndarray
    size: np.ndarray
    level: np.ndarray | None
    n_levels: int
    n_obs: int
    pairs: int

    @classmethod
    def of(cls, clusters: Clusters) -> Exchangeable:
        """The model of the clusters of a design."""
        G, w = len(clusters.starts), clusters.Q.shape[1]
        r = max(stack.leverage.shape[1] for stack in clusters.stacks)
        P, square = np.zeros((G, r, w)), np.zeros((G, r))
        for stack in clusters.stacks:
            most = np.maximum(stack.leverage.max(axis=1, keepdims=True), 1e-300)
            values = np.where(stack.leverage > NOTHING * most, stack.leverage, 0.0)
            root = np.where(values > 0, np.sqrt(values), np.inf)
            k = values.shape[1]
            # From the largest on, so that what is 0 stands last in every group.
            P[stack.member, :k] = (stack.D.transpose(0, 2, 1) / root[..., None])[:, ::-1]
            square[stack.member, :k] = values[:, ::-1]
        r = int(square.any(axis=0).sum())
        P, square = np.ascontiguousarray(P[:, :r]), square[:, :r]
        ones, root = clusters.basis.rows.ones[clusters.order], np.sqrt(clusters.frequency)
        of_one = np.add.reduceat(clusters.Q * ones[:, None], clusters.starts)
        return cls(
            S=of_one * root[:, None],
            P=P,
            square=square,
            t=np.einsum("grw,gw->gr", P, of_one),
            root=root,
            size=clusters.size,
            level=clusters.level,
            n_levels=len(clusters.basis.size),
            n_obs=clusters.n_obs,
            pairs=pairs_of_members(clusters.size, clusters.frequency),
        )

    @property
    def p(self) -> int:
        """Columns of the model matrix."""
        return self.n_levels + self.shared.shape[1]

    @property
    def shared(self) -> np.ndarray:
        """(G, p - n_levels): S of the columns that are not absorbed."""
        return self.S if self.level is None else self.S[:, 1:]

    @cached_property
    def absorbed(self) -> sparse.csr_array:
        """(G, n_levels): S of the absorbed indicators."""
        assert self.level is not None
        where = (np.arange(len(self.S)), self.level)
        return sparse.csr_array((self.S[:, 0], where), shape=(len(self.S), self.n_levels))

    @cached_property
    def products(self) -> sparse.csr_array:
        """(G, n_levels * w): S of the absorbed indicators times S, by level."""
        assert self.level is not None
        G, w = self.S.shape
        values = (self.S[:, :1] * self.S).ravel()
        where = (np.repeat(np.arange(G), w), (w * self.level[:, None] + np.arange(w)).ravel())
        return sparse.csr_array((values, where), shape=(G, w * self.n_levels))

    def local(self, values: np.ndarray) -> np.ndarray:
        """Coordinates (R, p) as each group sees them: (R, G, w)."""
        rest = values[:, None, self.n_levels :]
        if self.level is None:
            return rest
        rest = np.broadcast_to(rest, (len(values), len(self.S), rest.shape[-1]))
        return np.concatenate([values[:, self.level, None], rest], axis=-1)

    def along(self, of_group: np.ndarray) -> np.ndarray:
        """(R, G, r): vectors (R, G, w), or (R, 1, w) of all groups, along P."""
        return np.einsum("grw,xgw->xgr", self.P, of_group)

    def fitted(self, gamma: np.ndarray) -> np.ndarray:
        """(R, G): group sums at effects gamma (R, p)."""
        sums = gamma[:, self.n_levels :] @ self.shared.T
        if self.level is not None:
            sums += gamma[:, self.level] * self.S[:, 0]
        return np.asarray(sums)

    def project(self, sums: np.ndarray) -> np.ndarray:
        """(R, p): the sums (R, G) of groups, times S."""
        shared = sums @ self.shared
        if self.level is None:
            return np.asarray(shared)
        levels = sums @ self.absorbed
        return np.concatenate([levels, shared], axis=-1)

    def fit(self, outcomes: Projected) -> ExchangeableFit:
        """Alternate between correlation and coefficients, from least squares, until both stay.

        What a step makes of a correlation is nearly linear in it: from two steps it is known where the
        next ones lead (Wegstein 1958, Communications of the ACM 1 (6), 9-13).
        """
        total = outcomes.clusters.sums(outcomes.residual)
        squares = np.einsum("ri,ri->r", outcomes.residual, outcomes.residual)
        gamma = np.zeros((len(total), self.p))
        rho = self._correlation(total, squares, gamma)
        active, before = np.flatnonzero(np.isfinite(rho)), np.full((2, len(rho)), np.nan)
        for _ in range(MOST_STEPS):
            if not len(active):
                break
            now = rho[active]
            c = self._shrinkage(now)
            right = self.project(c * total[active])
            gamma[active] = -self._inverse_bread(c).solve(right[..., None])[..., 0]
            new = self._correlation(total[active], squares[active], gamma[active])
            changed = np.abs(new - now) > TOLERANCE
            rho[active] = np.where(changed, _ahead(now, new, *before[:, active]), new)
            before[:, active] = now, new
            active = active[changed & np.isfinite(new)]
        converged = np.isfinite(rho)
        converged[active] = False
        return ExchangeableFit(self, outcomes, total, gamma, rho, converged)

    def _correlation(self, total: np.ndarray, squares: np.ndarray, gamma: np.ndarray) -> np.ndarray:
        """Mean product of two residuals of a group over their mean square, p taken off both counts."""
        n, p = self.n_obs, self.p
        ssr = squares + (gamma**2).sum(axis=1)
        products = (((total - self.fitted(gamma)) ** 2).sum(axis=1) - ssr) / 2
        with np.errstate(divide="ignore", invalid="ignore"):
            rho: np.ndarray = products / (ssr / (n - p)) / (self.pairs - p)
        return rho

    def _shrinkage(self, rho: np.ndarray) -> np.ndarray:
        """c_g, shape (R, G)."""
        with np.errstate(divide="ignore", invalid="ignore"):
            c: np.ndarray = rho[:, None] / (1 + (self.size - 1) * rho[:, None])
        return c

    def _inverse_bread(self, c: np.ndarray) -> Bordered:
        """Q'V^-1 Q, times 1 - rho, of R outcomes."""
        G, q = self.shared.shape
        outer = (self.shared[:, :, None] * self.shared[:, None, :]).reshape(G, q * q)
        rest = np.eye(q) - (c @ outer).reshape(-1, q, q)
        if self.level is None:
            return Bordered(np.empty((len(c), 0)), np.empty((len(c), 0, q)), rest)
        edge = np.ascontiguousarray(c @ self.products).reshape(len(c), self.n_levels, 1 + q)
        return Bordered(1 - edge[..., 0], -edge[..., 1:], rest)


def _ahead(now: np.ndarray, new: np.ndarray, before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Where steps lead that make `new` of `now` and made `after` of `before`, all (R,).

    That is `new` where there was no earlier step, or steps do not get shorter soon.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = (new - after) / (now - before)
        limit = now + (new - now) / (1 - slope)
    return np.where(np.abs(slope) < STEADY, limit, new)


@dataclass(frozen=True)
class ExchangeableFit:
    """Fits of R outcomes: gamma (R, p), correlation (R,), which of them converged (R,).

    `total` (R, G) are sums of least-squares residuals by group.
    """

    model: Exchangeable
    outcomes: Projected
    total: np.ndarray
    gamma: np.ndarray
    correlation: np.ndarray
    converged: np.ndarray

    @property
    def answered(self) -> np.ndarray:
        """(R,) whether the iterations ended at a correlation that groups of this size can have."""
        possible = self.correlation > least_correlation(self.model.size)
        return np.asarray(self.converged & possible & (self.correlation <= ALIKE))

    def estimate(self, Lambda: np.ndarray) -> np.ndarray:
        """(R, k) of combinations with coordinates Lambda (k, p)."""
        return np.asarray((self.outcomes.coordinates + self.gamma) @ Lambda.T)

    def vcov(self, Lambda: np.ndarray) -> np.ndarray:
        """Their bias-reduced covariances (R, k, k), some outcomes at a time; NaN without an answer."""
        G, r, w = self.model.P.shape
        step = max(1, MOST_NUMBERS // max(G * w * max(w, r), 1))
        parts = [
            self._vcov(slice(start, start + step), Lambda)
            for start in range(0, len(self.correlation), step)
        ]
        return np.where(self.answered[:, None, None], np.concatenate(parts), np.nan)

    def _vcov(self, some: slice, Lambda: np.ndarray) -> np.ndarray:
        """The factor 1 - rho cancels between bread and meat."""
        model, gamma = self.model, self.gamma[some]
        c = model._shrinkage(np.where(self.answered, self.correlation, 0.0)[some])
        group = self.total[some] - model.fitted(gamma)
        scores = self.outcomes.scores[some]
        z, fitted = model.along(scores), model.along(model.local(gamma))
        z = z - model.square * model.root[:, None] * fitted
        d = z - (c * group)[..., None] * model.t
        inverse = model._inverse_bread(c)
        if model.level is None:
            of_group = inverse.inner[:, None]
        else:
            of_group = inverse.inverse_by_row()[:, model.level]
        PBP = products(model.P, products(of_group, model.P.swapaxes(-1, -2)))
        diagonal = np.eye(model.t.shape[1])
        a = model.square[..., None] * diagonal
        a = a - c[..., None, None] * (model.t[:, :, None] * model.t[:, None, :])
        v = solved(diagonal - a @ PBP, d)
        LB = inverse.solve(Lambda.T).swapaxes(-1, -2)
        along = np.stack([model.along(model.local(row)) for row in LB.swapaxes(0, 1)], axis=1)
        contribution = np.einsum("xkgr,xgr->xkg", along, v)
        vcov: np.ndarray = contribution @ np.swapaxes(contribution, 1, 2)
        return vcov
