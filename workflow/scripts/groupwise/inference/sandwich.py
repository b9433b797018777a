"""Cluster-robust inference after least squares: CR0 to CR3, Bell-McCaffrey df and the HTZ test.

With H_gg = X_g (X'X)^- X_g' and residuals e_g, the covariance of the coefficients is

    (X'X)^- [ sum_g X_g' A_g e_g e_g' A_g' X_g ] (X'X)^-

    CR0  A_g = I
    CR1  A_g = I, the whole times G/(G - 1) (n - 1)/(n - rank): Stata's; clubSandwich calls it CR1S
    CR2  A_g = (I - H_gg)^(-1/2), symmetric: unbiased when errors are independent, of one variance
    CR3  A_g = (I - H_gg)^(-1): the cluster jackknife, without its factor (G - 1)/G

with the Moore-Penrose inverse where I - H_gg is singular.

References: Bell and McCaffrey (2002), Survey Methodology 28, 169-181; Pustejovsky and Tipton
(2018), Journal of Business & Economic Statistics 36, 672-683.

In the orthonormal basis of `models.least_squares` H_gg = Q_g Q_g', and Q_g' f(I - H_gg) =
f(I - K_g) Q_g' with K_g = Q_g' Q_g. So one eigenproblem of the smaller of n_g and r columns per
group is enough, and everything else works on G x r pieces. An absorbed factor that holds the
groups costs one column more, since a group touches one of its indicators only; that is exact, for
every A_g above, because it is the full dummy model in other coordinates.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from groupwise import tidy
from groupwise.algebra import sum_by
from groupwise.design import Design
from groupwise.inference.wald import f_test, t_inference
from groupwise.models.clusters import Clusters, Projected, cluster_design

KINDS = ("CR0", "CR1", "CR2", "CR3")

SINGULAR = 1e-10
"""An eigenvalue of I - H_gg below this is taken for 0."""

LOST = 1e-8
"""Share of a variance under independent errors that no residual reflects, above which it is unknown."""


ROUNDING = 1e-20
"""A variance this small, relative to what independent errors would give, is rounding."""


def adjusted(clusters: Clusters, x: np.ndarray, kind: str) -> np.ndarray:
    """f(I - K_g) x_g for x (G, k, w), where f(I - H_gg) = A_g."""
    out = np.array(x)
    if kind in ("CR0", "CR1"):
        return out
    for stack in clusters.stacks:
        weight = adjustment(stack.leverage, kind)[:, None, :]
        part = (x[stack.member] @ stack.D) * weight
        out[stack.member] += part @ stack.D.transpose(0, 2, 1)
    return out


def lost(clusters: Clusters, x: np.ndarray) -> np.ndarray:
    """Squared length (k,) of the part of x (G, k, w) that single groups alone determine."""
    total = np.zeros(x.shape[1])
    for stack in clusters.stacks:
        alone = 1 - stack.leverage < SINGULAR
        if alone.any():
            part = (x[stack.member] @ stack.D) * alone[:, None, :]
            total += clusters.frequency[stack.member] @ (part**2).sum(axis=2)
    return total


def adjustment(leverage: np.ndarray, kind: str) -> np.ndarray:
    """phi with f(I - K) = I + D phi D' for K = D D' of these eigenvalues, f that of CR2 or CR3.

    phi(x) = (f(1 - x) - 1) / x, written without cancellation.
    """
    alone = 1 - leverage < SINGULAR
    rest = np.sqrt(np.where(alone, 1, 1 - leverage))
    phi = 1 / (rest * (1 + rest)) if kind == "CR2" else 1 / rest**2
    return np.where(alone, -1 / np.maximum(leverage, 0.5), phi)


@dataclass(frozen=True)
class Contrasts:
    """k combinations of coefficients as the groups see them, for one kind of sandwich.

    The contribution of group g to combination c is a_gc' Q_g' e_g, its variance the sum of their
    squares times `factor`. Under independent errors of variance 1 the contributions have the
    covariance diag(a_g' w_g) - w_g' w_h.

    Attributes
    ----------
    kind : str
    Lambda : (k, B + r)
        Coordinates; NaN where not estimable.
    has_variance : (k,)
        Whether the combination is estimable, with groups enough for a variance.
    a, w : (G, k, w)
        f(I - K_g) Lambda and K_g times it; 0 without a variance.
    factor : float
        1, but for CR1.
    """

    clusters: Clusters
    kind: str
    Lambda: np.ndarray
    has_variance: np.ndarray
    a: np.ndarray
    w: np.ndarray
    factor: float


def make_contrasts(clusters: Clusters, L: np.ndarray, kind: str) -> Contrasts:
    """Prepare the combinations L beta, shape (k, p), for one kind of sandwich.

    A combination that one group alone determines, if only in part, has no variance from a
    sandwich: no residual reflects that part. It has `has_variance` false.
    """
    if kind not in KINDS:
        raise ValueError(f"{kind} is not one of {', '.join(KINDS)}")
    Lambda, estimable = clusters.basis.coordinates(L)
    x = clusters.local(np.where(estimable[:, None], Lambda, 0))
    length = (np.where(estimable[:, None], Lambda, 0) ** 2).sum(axis=1)
    reflected = (lost(clusters, x) <= LOST * length) & (length > 0)
    has_variance = estimable & reflected & (clusters.n_groups > 1)
    a = adjusted(clusters, x, kind) * has_variance[:, None]
    G, n, rank = clusters.n_groups, clusters.n_obs, clusters.basis.rank
    factor = 1.0
    if kind == "CR1":
        factor = G / (G - 1) * (n - 1) / (n - rank) if G > 1 and n > rank else np.nan
    return Contrasts(clusters, kind, Lambda, has_variance, a, clusters.leverages(a), factor)


def working_variance(contrasts: Contrasts) -> np.ndarray:
    """Expected covariance (k, k) of the combinations when errors are independent, of variance 1.

    For CR2 it is the true one, Lambda Lambda': the identity that defines CR2.
    """
    a, w = contrasts.a, contrasts.w
    frequency = contrasts.clusters.frequency
    return contrasts.factor * np.einsum("g,gsi,gti->st", frequency, a - w, w, optimize=True)


def satterthwaite_df(contrasts: Contrasts) -> np.ndarray:
    """Bell and McCaffrey's degrees of freedom (k,), twice squared mean over variance.

    Under independent errors of one variance, from cross-products of w: cost G r^2, never G^2.
    """
    a, w = contrasts.a, contrasts.w
    mean = contrasts.clusters.frequency @ ((a - w) * w).sum(axis=2)
    variance = _variance_of_products(contrasts.clusters, (a, w), (a, w))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(contrasts.has_variance, 2 * mean**2 / variance, np.nan)


def hotelling_df(contrasts: Contrasts) -> float:
    """eta of the approximate Hotelling T^2 test of all combinations (HTZ); NaN if they are dependent.

    Pustejovsky and Tipton (2018), section 3: q (q + 1) over the summed variances of the elements
    of the covariance, standardised by its expectation.
    """
    clusters, q = contrasts.clusters, len(contrasts.has_variance)
    values, vectors = np.linalg.eigh(working_variance(contrasts) / contrasts.factor)
    if not (contrasts.has_variance.all() and values[0] > 1e-12 * values[-1]):
        return np.nan
    root = vectors / np.sqrt(values)
    a = np.einsum("gsi,st->gti", contrasts.a, root)
    w = np.einsum("gsi,st->gti", contrasts.w, root)
    s, t = np.divmod(np.arange(q * q), q)
    variances = _variance_of_products(clusters, (a[:, s], w[:, s]), (a[:, t], w[:, t]))
    return float(q * (q + 1) / variances.sum())


def _variance_of_products(
    clusters: Clusters,
    s: tuple[np.ndarray, np.ndarray],
    t: tuple[np.ndarray, np.ndarray],
) -> np.ndarray:
    """Variance (k,) of sum_g s_g t_g for contributions of combinations s and t, each (a, w).

    With P_st = diag(a_s'w_t) - W_s W_t' the sum over g, h of P_ss P_tt + P_st P_ts; squares of
    G x G products are products of (B + r) x (B + r) ones.
    """
    (a_s, w_s), (a_t, w_t) = s, t
    d_ss, d_tt, d_st = ((x * y).sum(axis=-1) for x, y in ((a_s, w_s), (a_t, w_t), (a_s, w_t)))
    l_ss, l_tt, l_st = ((x * y).sum(axis=-1) for x, y in ((w_s, w_s), (w_t, w_t), (w_s, w_t)))
    diagonal = diagonal_part((d_ss, d_tt, d_st), (l_ss, l_tt, l_st))
    return clusters.frequency @ diagonal + _squared_product(clusters, w_s, w_t)


Products = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Products of combinations s and t by group: s with itself, t with itself, s with t."""


def diagonal_part(d: Products, products: Products) -> np.ndarray:
    """What P_ss P_tt + P_st P_ts has by group, P_st = diag(d_st) - W_s W_t', without their squares.

    `products` are those of the rows of W.
    """
    (d_ss, d_tt, d_st), (l_ss, l_tt, l_st) = d, products
    return np.asarray(d_ss * d_tt - d_ss * l_tt - d_tt * l_ss + d_st**2 - 2 * d_st * l_st)


def _squared_product(clusters: Clusters, U: np.ndarray, V: np.ndarray) -> np.ndarray:
    """|N|^2 + tr(N N) for N = U'V, summed over groups (G, k, w) in all B + r coordinates: (k,)."""
    U = U * clusters.frequency[:, None, None]
    if clusters.level is None:
        return norm_and_trace(U, V)
    own_u, own_v, U, V = U[..., 0], V[..., 0], U[..., 1:], V[..., 1:]
    B = len(clusters.basis.size)

    def by_level(x: np.ndarray) -> np.ndarray:
        assert clusters.level is not None
        return sum_by(np.moveaxis(x, 0, -1), clusters.level, B)

    corner = by_level(own_u * own_v)
    right = by_level(own_u[..., None] * V)
    below = by_level(own_v[..., None] * U)
    edges = right**2 + below**2 + 2 * right * below
    total = 2 * (corner**2).sum(axis=-1) + edges.sum(axis=(-2, -1))
    return np.asarray(total + norm_and_trace(U, V))


def norm_and_trace(U: np.ndarray, V: np.ndarray) -> np.ndarray:
    """|N|^2 + tr(N N) for N = U'V, summed over groups: (..., k) of (..., G, k, w)."""
    N = np.moveaxis(U, -3, -1) @ np.swapaxes(V, -3, -2)
    return np.asarray((N * (N + np.swapaxes(N, -1, -2))).sum(axis=(-2, -1)))


@dataclass(frozen=True)
class Robust:
    """Estimates (..., k), contributions of the groups (..., G, k) and covariance (..., k, k).

    NaN where the combination is not estimable or its variance is not known.
    """

    estimate: np.ndarray
    contribution: np.ndarray
    vcov: np.ndarray

    @property
    def std_error(self) -> np.ndarray:
        return np.sqrt(np.diagonal(self.vcov, axis1=-2, axis2=-1))


def robust(contrasts: Contrasts, outcomes: Projected) -> Robust:
    """Estimates and sandwich covariances of outcomes (...) for one kind of sandwich."""
    contribution = np.einsum("...gw,gkw->...gk", outcomes.scores, contrasts.a, optimize=True)
    vcov = contrasts.factor * (np.swapaxes(contribution, -1, -2) @ contribution)
    mean_square = (outcomes.residual**2).sum(axis=-1) / outcomes.clusters.n_obs
    expected = mean_square[..., None] * np.diag(working_variance(contrasts))
    defined = contrasts.has_variance & (np.diagonal(vcov, axis1=-2, axis2=-1) > ROUNDING * expected)
    both = defined[..., :, None] & defined[..., None, :]
    estimate = outcomes.coordinates @ contrasts.Lambda.T
    return Robust(estimate, contribution, np.where(both, vcov, np.nan))


def degrees_of_freedom(contrasts: Contrasts) -> np.ndarray:
    """(k,): Bell and McCaffrey's for CR2, G - 1 for the others."""
    if contrasts.kind == "CR2":
        return satterthwaite_df(contrasts)
    return np.where(contrasts.has_variance, contrasts.clusters.n_groups - 1.0, np.nan)


def joint_tests(contrasts: Contrasts, fit: Robust) -> tidy.JointTest:
    """F tests (...) that all combinations are 0: HTZ for CR2; for the others df are G - 1."""
    q = len(contrasts.has_variance)
    if contrasts.kind != "CR2":
        return f_test(fit.estimate, fit.vcov, contrasts.clusters.n_groups - 1.0)
    eta = hotelling_df(contrasts)
    df = eta - q + 1
    return f_test(fit.estimate, fit.vcov, df if df > 0 else np.nan, scale=df / eta)


def design_clusters(design: Design) -> Clusters:
    """The clusters of a design: its groups; fixed blocks that hold them are absorbed."""
    return cluster_design(design.X, design.group, design.nesting_block, design.rows)


def cr_inference(
    outcomes: Projected, L: np.ndarray, kind: str, conf_level: float
) -> tidy.Inference:
    """t tests (..., k) of every row of L beta, L (k, p), by one kind of sandwich."""
    contrasts = make_contrasts(outcomes.clusters, L, kind)
    fit = robust(contrasts, outcomes)
    return t_inference(fit.estimate, fit.std_error, degrees_of_freedom(contrasts), conf_level)


def cr_joint(outcomes: Projected, L: np.ndarray, kind: str) -> tidy.JointTest:
    """F tests (...) that all rows of L beta are 0, by one kind of sandwich."""
    contrasts = make_contrasts(outcomes.clusters, L, kind)
    return joint_tests(contrasts, robust(contrasts, outcomes))
