"""GEE with exchangeable errors and Mancl and DeRouen's covariance, for every replicate.

The specification takes one dataset at a time, by statsmodels where it can; this is the same
estimator from sums by group, for many outcomes of a design, and agrees with it. With errors
exchangeable within groups, V_g^-1 = (I - c_g J) / (1 - rho), c_g = rho / (1 + (n_g - 1) rho). In an
orthonormal basis Q, with gamma the GLS effects less the OLS ones, z_g = T_g'e_g and Q_g = T_g P_g
(P_g of orthonormal rows, as many as Q_g has rank),

    B^-1 = sum_g P_g' a_g P_g,   a_g = (T_g'T_g - c_g t_g t_g') / (1 - rho),   t_g = T_g'1

and group g contributes L B P_g' (I - a_g P_g B P_g')^-1 d_g, d_g = T_g' V_g^-1 e_g, to L beta: that
is Mancl and DeRouen's (I - H_gg)^-1 pulled through X_g' V_g^-1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from groupwise.calibration.replicates import Batch, Replicates
from groupwise.inference.sandwich import cluster_design, make_contrasts
from groupwise.inference.wald import t_inference
from groupwise.models.exchangeable import (
    ALIKE,
    has_too_few_pairs,
    least_correlation,
    pairs_of_members,
)
from groupwise.models.random_intercept import invert

METHODS = ("gee_bias_reduced",)

TOLERANCE = 1e-13
"""Changes of the correlation that end the iterations."""

MOST_STEPS = 200

MOST_NUMBERS = 2**22
"""Numbers, over replicates, groups and columns, that are worked on at a time."""


@dataclass(frozen=True)
class GroupBasis:
    """Q_g = T_g P_g for all groups, r the largest rank; smaller ones are filled with zeros.

    P (G, r, p), square (G, r): diagonal of T_g'T_g, t (G, r); T (n, r) of rows sorted by group.
    """

    P: np.ndarray
    square: np.ndarray
    t: np.ndarray
    T: np.ndarray

    @classmethod
    def of(cls, Q: np.ndarray, starts: np.ndarray) -> GroupBasis:
        """Q (n, p) with rows sorted by group, groups starting at `starts` (G,)."""
        parts = [_factor(rows) for rows in np.split(Q, starts[1:])]
        r = max(len(P) for _, P in parts)
        P = np.zeros((len(parts), r, Q.shape[1]))
        T = np.zeros((len(Q), r))
        for g, (left, right) in enumerate(parts):
            P[g, : len(right)] = right
            T[starts[g] : starts[g] + len(left), : len(right)] = left
        square = np.add.reduceat(T**2, starts, axis=0)
        return cls(P, square, np.add.reduceat(T, starts, axis=0), T)


def _factor(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """T (m, r) with orthogonal columns and P (r, p) with orthonormal rows, their product `rows`."""
    U, s, Vt = np.linalg.svd(rows, full_matrices=False)
    kept = s > 1e-10 * max(s[0], 1e-300)
    return U[:, kept] * s[kept], Vt[kept]


@dataclass(frozen=True)
class Sums:
    """R outcomes as the model sees them: OLS coordinates gamma (R, p), residual sums by group.

    z (R, G, r), total (R, G), rss (R,).
    """

    gamma: np.ndarray
    z: np.ndarray
    total: np.ndarray
    rss: np.ndarray


@dataclass(frozen=True)
class Exchangeable:
    """A design for GEE: what does not depend on outcomes. S (G, p) are the group sums of Q."""

    basis: GroupBasis
    S: np.ndarray
    size: np.ndarray
    n_obs: int

    def correlation(self, sums: Sums, gamma: np.ndarray) -> np.ndarray:
        """The moment estimate (R,) of statsmodels' `Exchangeable`, p taken off rows and pairs."""
        p = self.S.shape[1]
        ssr = sums.rss + (gamma**2).sum(axis=1)
        group = sums.total - gamma @ self.S.T
        scale = ssr / (self.n_obs - p)
        products = ((group**2).sum(axis=1) - ssr) / 2
        with np.errstate(divide="ignore", invalid="ignore"):
            found: np.ndarray = products / scale / (pairs_of_members(self.size) - p)
        return found

    def shrinkage(self, rho: np.ndarray) -> np.ndarray:
        """c_g, shape (R, G)."""
        with np.errstate(divide="ignore", invalid="ignore"):
            c: np.ndarray = rho[:, None] / (1 + (self.size - 1) * rho[:, None])
        return c

    def bread(self, c: np.ndarray) -> np.ndarray:
        """(Q'V^-1 Q)^-1 without its factor 1 - rho, shape (R, p, p)."""
        G, p = self.S.shape
        outer = (self.S[:, :, None] * self.S[:, None, :]).reshape(G, p * p)
        return invert(np.eye(p) - (c @ outer).reshape(-1, p, p))

    def solve(self, sums: Sums) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Correlation (R,), gamma (R, p), and which replicates have converged."""
        gamma = np.zeros(sums.gamma.shape)
        rho = self.correlation(sums, gamma)
        active = np.flatnonzero(np.isfinite(rho))
        for _ in range(MOST_STEPS):
            if not len(active):
                break
            some = Sums(*(each[active] for each in vars(sums).values()))
            c = self.shrinkage(rho[active])
            right = (c * some.total) @ self.S
            gamma[active] = -np.einsum("rij,rj->ri", self.bread(c), right)
            new = self.correlation(some, gamma[active])
            moved = np.abs(new - rho[active]) > TOLERANCE
            rho[active] = new
            active = active[moved & np.isfinite(new)]
        done = np.isfinite(rho)
        done[active] = False
        return rho, gamma, done & (rho > least_correlation(self.size)) & (rho <= ALIKE)

    def variances(
        self, sums: Sums, rho: np.ndarray, gamma: np.ndarray, Lambda: np.ndarray
    ) -> np.ndarray:
        """(R, k) of Lambda gamma, some replicates at a time."""
        step = max(1, MOST_NUMBERS // self.basis.P.size)
        parts = []
        for start in range(0, len(rho), step):
            own = slice(start, start + step)
            some = Sums(*(each[own] for each in vars(sums).values()))
            parts.append(self._variances(some, rho[own], gamma[own], Lambda))
        return np.concatenate(parts)

    def _variances(
        self, sums: Sums, rho: np.ndarray, gamma: np.ndarray, Lambda: np.ndarray
    ) -> np.ndarray:
        """Its factor 1 - rho cancels between bread and meat."""
        b, c = self.basis, self.shrinkage(rho)
        group = sums.total - gamma @ self.S.T
        z = sums.z - b.square * np.einsum("grp,xp->xgr", b.P, gamma, optimize=True)
        d = z - (c * group)[..., None] * b.t
        BP = np.einsum("xij,grj->xgir", self.bread(c), b.P, optimize=True)
        PBP = np.einsum("gsi,xgir->xgsr", b.P, BP, optimize=True)
        diagonal = np.eye(b.t.shape[1])
        a = b.square[..., None] * diagonal
        a = a - c[..., None, None] * (b.t[:, :, None] * b.t[:, None, :])
        v = np.linalg.solve(diagonal - a @ PBP, d[..., None])[..., 0]
        contribution = np.einsum("ki,xgir,xgr->xgk", Lambda, BP, v, optimize=True)
        return np.asarray((contribution**2).sum(axis=1))


def answers(batch: Batch, wanted: frozenset[str]) -> dict[str, Replicates]:
    """The one method of GEE."""
    design = batch.design
    df = design.n_groups - design.X.shape[1]
    clusters = cluster_design(design.X, design.group)
    known = make_contrasts(clusters, design.L, "CR2").known.all()
    if df <= 0 or not known or has_too_few_pairs(design.group_size, design.X.shape[1]):
        return {METHODS[0]: Replicates.missing(batch)}
    basis = GroupBasis.of(clusters.Q, clusters.starts)
    sizes = design.group_size[np.unique(design.group)]
    S = np.add.reduceat(clusters.Q, clusters.starts, axis=0)
    model = Exchangeable(basis, S, sizes, design.n_obs)
    coordinates, residual = clusters.basis.project(batch.y)
    e = residual[:, clusters.order]
    z = np.stack([np.add.reduceat(e * t, clusters.starts, axis=1) for t in basis.T.T], axis=-1)
    total = np.add.reduceat(e, clusters.starts, axis=1)
    sums = Sums(coordinates, z, total, np.einsum("ri,ri->r", e, e))
    rho, gamma, done = model.solve(sums)
    Lambda, _ = clusters.basis.coordinates(design.L)
    variance = model.variances(sums, np.where(done, rho, 0.0), gamma, Lambda)
    estimate = (coordinates + gamma) @ Lambda.T
    degrees = np.full(len(Lambda), float(df))
    found = t_inference(estimate, np.sqrt(variance), degrees, batch.conf_level)
    return {METHODS[0]: Replicates.of(batch, found, keep=done)}
