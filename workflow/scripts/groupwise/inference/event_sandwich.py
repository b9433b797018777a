"""Cluster-robust inference after regressions of events: CR0 to CR3, Satterthwaite df and the HTZ test.

As `inference.sandwich` does after least squares, with weights that depend on the outcome. In rows that
are divided by the root of the working variance, H = Q Q' and Q = W^(1/2) Z C, C C' = (Z'W Z)^-1. Group g
contributes t_g' e_g to a combination Lambda gamma, e_g the Pearson residuals, x_g = Q_g C'Lambda', and

    CR0, CR1  t_g = x_g; CR1 times G/(G - 1) (n - 1)/(n - p), clubSandwich's CR1S
    CR2       t_g = V_g B_g^(-1/2) x_g,  B_g = V_g (I - H_gg) V_g, the symmetric root
    CR3       t_g = (I - H_gg)^-1 x_g

with V_g the working variances of individuals. So does clubSandwich define CR2 of a `glm`, with working
variances as the target: where V_g is constant in groups it is (I - H_gg)^(-1/2). Individuals who are
alike count together: B_g maps what is constant in rows to itself.

References: Bell and McCaffrey (2002), Survey Methodology 28, 169-181; Pustejovsky and Tipton (2018),
Journal of Business & Economic Statistics 36, 672-683.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import special

from groupwise import tidy
from groupwise.inference.sandwich import (
    ROUNDING,
    SINGULAR,
    adjustment,
    diagonal_part,
    make_contrasts,
    norm_and_trace,
)
from groupwise.inference.wald import f_test, t_inference
from groupwise.models.clusters import cluster_design
from groupwise.models.glm import MOST_NUMBERS, EventFit, EventModel

MANY_ROWS = 64
"""Groups of more rows have the root of B_g by quadrature, which does not cost the cube of their size."""

NODES = 32
"""Nodes of the quadrature: relative errors are exp(-2 pi^2 NODES / (3 + log condition))."""

NOTHING = 1e-13
"""An eigenvalue of B_g below this share of the largest is 0."""


@dataclass(frozen=True)
class EventSandwich:
    """k combinations of the coefficients of R regressions, all finite, and one kind of sandwich.

    Attributes
    ----------
    model : EventModel
    vcov : (R, k, k); NaN where there is no variance
    t : (R, m, k)
    w : (R, G, k, r)
        Q_g' t_g. Under the working variances the contributions of groups g and h to combinations s and
        t have the covariance t_gs' t_gt (g = h) - w_gs' w_ht.
    """

    model: EventModel
    vcov: np.ndarray
    t: np.ndarray
    w: np.ndarray

    def rotated(self, rotation: np.ndarray) -> EventSandwich:
        """Other combinations, (R, k, k) of these."""
        across = np.swapaxes(rotation, 1, 2)
        return EventSandwich(
            model=self.model,
            vcov=across @ self.vcov @ rotation,
            t=self.t @ rotation,
            w=across[:, None] @ self.w,
        )

    def squares(self, s: np.ndarray, t: np.ndarray) -> np.ndarray:
        """(R, G, c) products t_gs' t_gt of pairs of combinations s (c,) and t (c,)."""
        return self.model.sums_by_group(self.t[..., s] * self.t[..., t])

    def products(self, s: np.ndarray, t: np.ndarray) -> np.ndarray:
        """(R, G, c) products w_gs' w_gt."""
        return np.einsum("...i,...i->...", self.w[:, :, s], self.w[:, :, t])

    def expectation(self) -> np.ndarray:
        """(R, k, k) of the covariance under the working variances, for CR0, CR2 and CR3."""
        k = self.t.shape[-1]
        s, t = np.divmod(np.arange(k * k), k)
        mean = (self.squares(s, t) - self.products(s, t)).sum(axis=1)
        return np.asarray(mean.reshape(-1, k, k))

    def satterthwaite_df(self) -> np.ndarray:
        """(R, k): twice the squared mean of each variance over its own variance."""
        each = np.arange(self.t.shape[-1])
        d, products = self.squares(each, each), self.products(each, each)
        mean = (d - products).sum(axis=1)
        diagonal = diagonal_part((d, d, d), (products, products, products)).sum(axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(2 * mean**2 / (diagonal + norm_and_trace(self.w, self.w)))

    def variances(self, s: np.ndarray, t: np.ndarray) -> np.ndarray:
        """(R, c) variances of the elements (s, t) of the covariance under the working variances."""
        pairs = ((s, s), (t, t), (s, t))
        d, products = ([each(*pair) for pair in pairs] for each in (self.squares, self.products))
        diagonal = diagonal_part((d[0], d[1], d[2]), (products[0], products[1], products[2]))
        return np.asarray(diagonal.sum(axis=1) + norm_and_trace(self.w[:, :, s], self.w[:, :, t]))


def event_sandwich(fit: EventFit, Lambda: np.ndarray, kind: str) -> EventSandwich:
    """One kind of sandwich for combinations with coordinates Lambda (k, r), of finite regressions."""
    model, weight = fit.model, fit.weight
    C = np.linalg.cholesky(fit.inverse_information)
    Q = np.sqrt(weight)[..., None] * (model.Z @ C)
    x = Q @ (np.swapaxes(C, 1, 2) @ Lambda.T)
    t = x if kind in ("CR0", "CR1") else _adjusted(model, weight, Q, x, kind)
    residual = (fit.events - fit.expected) / np.sqrt(weight)
    contribution = model.sums_by_group(t * residual[..., None])
    vcov = _factor(model, kind) * (np.swapaxes(contribution, 1, 2) @ contribution)
    # A variance this small, relative to that of independent individuals, is rounding.
    positive = np.diagonal(vcov, axis1=1, axis2=2) > ROUNDING * (x**2).sum(axis=1)
    vcov = np.where(positive[:, :, None] & positive[:, None, :], vcov, np.nan)
    r = Q.shape[-1]
    w = np.stack([model.sums_by_group(t * Q[..., j : j + 1]) for j in range(r)], axis=-1)
    return EventSandwich(model, vcov, t, w)


def _factor(model: EventModel, kind: str) -> float:
    G, n, rank = model.rows.n_groups, model.n_obs, model.basis.rank
    if kind != "CR1":
        return 1.0
    return G / (G - 1) * (n - 1) / (n - rank) if G > 1 and n > rank else np.nan


def _adjusted(
    model: EventModel, weight: np.ndarray, Q: np.ndarray, x: np.ndarray, kind: str
) -> np.ndarray:
    """t (R, m, k) of CR2 or CR3 from Q (R, m, r) and x (R, m, k)."""
    t = np.empty_like(x)
    for _, rows in model.rows.cuts:
        V = (weight / model.rows.trials)[:, rows]
        if kind == "CR2" and rows.shape[1] > 1 and not _constant(V):
            t[:, rows] = bias_reduced(V, Q[:, rows], x[:, rows])
        else:
            t[:, rows] = through_complement(Q[:, rows], x[:, rows], kind)
    return t


def _constant(V: np.ndarray) -> bool:
    return bool((np.ptp(V, axis=-1) <= 1e-12 * V.max(axis=-1)).all())


def bias_reduced(V: np.ndarray, Q: np.ndarray, x: np.ndarray) -> np.ndarray:
    """V B^(-1/2) x for B = V (I - Q Q') V, V (..., k) on the diagonal; Moore-Penrose where singular."""
    VQ = V[..., None] * Q
    if V.shape[-1] > MANY_ROWS:
        leverage = np.linalg.eigvalsh(np.swapaxes(Q, -1, -2) @ Q)[..., -1]
        if (1 - leverage > SINGULAR).all():
            least = V.min(axis=-1) ** 2 * (1 - leverage)
            return V[..., None] * _inverse_root(V**2, VQ, least, V.max(axis=-1) ** 2, x)
    B = V[..., :, None] ** 2 * np.eye(V.shape[-1]) - VQ @ np.swapaxes(VQ, -1, -2)
    values, vectors = np.linalg.eigh(B)
    positive = values > NOTHING * values[..., -1:]
    power = np.where(positive, 1 / np.sqrt(np.where(positive, values, 1.0)), 0.0)
    rotated = np.swapaxes(vectors, -1, -2) @ x
    return np.asarray(V[..., None] * (vectors @ (power[..., None] * rotated)))


def _inverse_root(
    diagonal: np.ndarray, U: np.ndarray, least: np.ndarray, most: np.ndarray, x: np.ndarray
) -> np.ndarray:
    """B^(-1/2) x for B = diag(diagonal) - U U', eigenvalues of which lie from `least` to `most`, (...).

    A sum of shifted inverses, each of which has the form of B. Source: Hale, Higham and Trefethen
    (2008), SIAM Journal on Numerical Analysis 46, 2505-2523, section 4.
    """
    ratio = (least / most)[..., None]
    period = special.ellipkm1(ratio)
    sn, cn, dn, _ = special.ellipj((np.arange(NODES) + 0.5) * period / NODES, 1 - ratio)
    shift, weight = least[..., None] * (sn / cn) ** 2, dn / cn**2
    weight = weight * 2 * period * np.sqrt(least)[..., None] / (np.pi * NODES)
    total, across, one = np.zeros_like(x), np.swapaxes(U, -1, -2), np.eye(U.shape[-1])
    for j in range(NODES):
        inverse = (1 / (diagonal + shift[..., j : j + 1]))[..., None]
        first = inverse * x
        second = np.linalg.solve(one - across @ (inverse * U), across @ first)
        total += weight[..., j, None, None] * (first + inverse * (U @ second))
    return total


def through_complement(D: np.ndarray, x: np.ndarray, kind: str) -> np.ndarray:
    """f(I - D D') x for D (..., a, b) and x (..., a, k), where f is that of CR2 or CR3.

    From the eigenproblem of the smaller of a and b; Moore-Penrose where I - D D' is singular.
    """
    across = np.swapaxes(D, -1, -2)
    wide = D.shape[-2] <= D.shape[-1]
    product = D @ across if wide else across @ D
    leverage, vectors = (product[..., 0], np.ones_like(product))
    if product.shape[-1] > 1:
        leverage, vectors = np.linalg.eigh(product)
    leverage = np.clip(leverage, 0, 1)
    U = vectors * np.sqrt(leverage)[..., None, :] if wide else D @ vectors
    phi = adjustment(leverage, kind)
    return np.asarray(x + U @ (phi[..., None] * (np.swapaxes(U, -1, -2) @ x)))


# ---- tests and intervals -------------------------------------------------------------------------


def _coordinates(model: EventModel, L: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Coordinates (k, r) of rows L (k, p), 0 where not estimable; estimable, with a variance (k,)."""
    Lambda, estimable = model.basis.coordinates(L)
    clusters = cluster_design(model.rows.X, model.rows.group)
    has_variance = make_contrasts(clusters, L, "CR2").has_variance
    return np.where(estimable[:, None], Lambda, 0.0), estimable, has_variance


def _parts(fit: EventFit, k: int) -> Iterator[np.ndarray]:
    """Outcomes whose coefficients are finite, some at a time."""
    which = np.flatnonzero(fit.is_finite)
    width = max(k, fit.model.Z.shape[1], max(rows.shape[1] for _, rows in fit.model.rows.cuts))
    step = max(1, MOST_NUMBERS // (len(fit.model.Z) * width))
    for start in range(0, len(which), step):
        yield which[start : start + step]


def event_inference(fit: EventFit, L: np.ndarray, kind: str, conf_level: float) -> tidy.Inference:
    """t tests (R, k) of every row of L beta, L (k, p), by one kind of sandwich."""
    Lambda, estimable, has_variance = _coordinates(fit.model, L)
    R, k = len(fit.events), len(L)
    variance, df = np.full((R, k), np.nan), np.full((R, k), fit.model.rows.n_groups - 1.0)
    for which in _parts(fit, k):
        sandwich = event_sandwich(fit.take(which), Lambda, kind)
        variance[which] = np.diagonal(sandwich.vcov, axis1=1, axis2=2)
        if kind == "CR2":
            df[which] = sandwich.satterthwaite_df()
    variance[:, ~has_variance] = np.nan
    estimate = np.where(estimable, fit.estimate(Lambda), np.nan)
    return t_inference(estimate, np.sqrt(variance), df, conf_level)


def event_joint(fit: EventFit, L: np.ndarray, kind: str) -> tidy.JointTest:
    """F tests (R,) that all rows of L beta are 0: HTZ for CR2; for the others df are G - 1."""
    Lambda, _, has_variance = _coordinates(fit.model, L)
    R, q = len(fit.events), len(L)
    if not has_variance.all():
        return tidy.JointTest.missing(R)
    vcov, eta = np.full((R, q, q), np.nan), np.full(R, np.nan)
    for which in _parts(fit, q):
        sandwich = event_sandwich(fit.take(which), Lambda, kind)
        vcov[which] = sandwich.vcov
        if kind == "CR2":
            eta[which] = _hotelling(sandwich)
    if kind != "CR2":
        return f_test(fit.estimate(Lambda), vcov, fit.model.rows.n_groups - 1.0)
    df = np.where(eta - q + 1 > 0, eta - q + 1, np.nan)
    return f_test(fit.estimate(Lambda), vcov, df, scale=df / eta)


def _hotelling(sandwich: EventSandwich) -> np.ndarray:
    """eta (R,) of the approximate Hotelling T^2 test, as `sandwich.hotelling_df`."""
    values, vectors = np.linalg.eigh(sandwich.expectation())
    q = values.shape[1]
    usable = values[:, 0] > 1e-12 * values[:, -1]
    root = vectors / np.sqrt(np.where(usable[:, None], values, 1.0))[:, None, :]
    s, t = np.divmod(np.arange(q * q), q)
    total = sandwich.rotated(root).variances(s, t).sum(axis=1)
    return np.where(usable, q * (q + 1) / np.where(usable, total, 1.0), np.nan)
