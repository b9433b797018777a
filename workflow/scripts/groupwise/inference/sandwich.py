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
from groupwise.design import Design
from groupwise.inference.wald import f_test, t_inference
from groupwise.models.least_squares import Basis, orthonormal_basis, sum_by

KINDS = ("CR0", "CR1", "CR2", "CR3")

SINGULAR = 1e-10
"""An eigenvalue of I - H_gg below this is taken for 0."""

LOST = 1e-8
"""Share of a variance under independent errors that no residual reflects, above which it is unknown."""


ROUNDING = 1e-20
"""A variance this small, relative to what independent errors would give, is rounding."""


@dataclass(frozen=True)
class Stack:
    """Groups of one size: K_g = D_g D_g', H_gg with these eigenvalues.

    member (b,) codes of the groups; D (b, w, m); leverage (b, m).
    """

    member: np.ndarray
    D: np.ndarray
    leverage: np.ndarray


@dataclass(frozen=True)
class Clusters:
    """What every sandwich of a design shares: its basis, cut by groups.

    Attributes
    ----------
    basis : Basis
        Of all n rows.
    order, starts : (n,), (G,)
        Rows sorted by group, and where each group starts among them.
    Q : (n, w)
        Sorted rows; the columns of the basis a group can touch: with an absorbed factor its own
        indicator comes first.
    level : (G,) or None
        The level of the absorbed factor each group lies in.
    stacks : tuple of Stack
    """

    basis: Basis
    order: np.ndarray
    starts: np.ndarray
    Q: np.ndarray
    level: np.ndarray | None
    stacks: tuple[Stack, ...]

    @property
    def n_obs(self) -> int:
        return len(self.order)

    @property
    def n_groups(self) -> int:
        return len(self.starts)

    def local(self, Lambda: np.ndarray) -> np.ndarray:
        """Coordinates (k, B + r) as each group sees them: (G, k, w)."""
        B = len(self.basis.size)
        shared = np.broadcast_to(Lambda[:, B:], (self.n_groups, *Lambda[:, B:].shape))
        if self.level is None:
            return shared
        return np.concatenate([Lambda.T[self.level][..., None], shared], axis=-1)

    def scores(self, residual: np.ndarray) -> np.ndarray:
        """Q_g' e_g of residuals (..., n): (..., G, w)."""
        e = residual[..., self.order]
        columns = [np.add.reduceat(e * q, self.starts, axis=-1) for q in self.Q.T]
        return np.stack(columns, axis=-1)

    def leverages(self, x: np.ndarray) -> np.ndarray:
        """K_g x_g for x (G, k, w)."""
        out = np.empty(x.shape)
        for stack in self.stacks:
            out[stack.member] = (x[stack.member] @ stack.D) @ stack.D.transpose(0, 2, 1)
        return out

    def adjusted(self, x: np.ndarray, kind: str) -> np.ndarray:
        """f(I - K_g) x_g for x (G, k, w), where f(I - H_gg) = A_g."""
        out = np.array(x)
        if kind in ("CR0", "CR1"):
            return out
        for stack in self.stacks:
            weight = _adjustment(stack.leverage, kind)[:, None, :]
            part = (x[stack.member] @ stack.D) * weight
            out[stack.member] += part @ stack.D.transpose(0, 2, 1)
        return out

    def lost(self, x: np.ndarray) -> np.ndarray:
        """Squared length (k,) of the part of x (G, k, w) that single groups alone determine."""
        total = np.zeros(x.shape[1])
        for stack in self.stacks:
            alone = 1 - stack.leverage < SINGULAR
            if alone.any():
                part = (x[stack.member] @ stack.D) * alone[:, None, :]
                total += (part**2).sum(axis=(0, 2))
        return total


def cluster_design(X: np.ndarray, group: np.ndarray, absorb: np.ndarray | None = None) -> Clusters:
    """Cut a design by groups, once for all outcomes.

    Parameters
    ----------
    X : (n, p)
        May be rank-deficient; only estimable combinations then have answers.
    group : (n,)
        Labels of the clusters.
    absorb : (n,), optional
        Labels of a factor whose indicators belong to the model, whether X has them or not (see
        `Basis.coordinates`). It has to hold the groups: each within one level.

    Raises
    ------
    ValueError
        If a group lies in several levels of the absorbed factor.
    """
    codes, starts, order = _sorted_codes(group)
    levels = None if absorb is None else np.unique(absorb, return_inverse=True)[1]
    basis = orthonormal_basis(X, levels)
    Q, level = basis.Q[order], None
    if levels is not None:
        level = levels[order][starts]
        if (levels != level[codes]).any():
            raise ValueError("a group lies in several levels of the absorbed factor")
        Q = np.column_stack([1 / np.sqrt(basis.size[levels[order]]), Q])
    return Clusters(basis, order, starts, Q, level, _stacks(Q, starts))


def _sorted_codes(group: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    codes = np.unique(group, return_inverse=True)[1]
    order = np.argsort(codes, kind="stable")
    return codes, np.searchsorted(codes[order], np.arange(codes.max() + 1)), order


def _stacks(Q: np.ndarray, starts: np.ndarray) -> tuple[Stack, ...]:
    """Eigenvalues of H_gg from the smaller of Q_g Q_g' and Q_g' Q_g, groups of one size together."""
    size, w = np.diff(np.append(starts, len(Q))), Q.shape[1]
    stacks = []
    for n_g in np.unique(size):
        member = np.flatnonzero(size == n_g)
        Q_g = Q[starts[member][:, None] + np.arange(n_g)]
        across = Q_g.transpose(0, 2, 1)
        leverage, V = np.linalg.eigh(Q_g @ across if n_g <= w else across @ Q_g)
        leverage = np.clip(leverage, 0, 1)
        D = across @ V if n_g <= w else V * np.sqrt(leverage)[:, None, :]
        stacks.append(Stack(member, D, leverage))
    return tuple(stacks)


def _adjustment(leverage: np.ndarray, kind: str) -> np.ndarray:
    """phi with f(I - K) = I + D phi D': phi(x) = (f(1 - x) - 1) / x, written without cancellation."""
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
    known : (k,)
        Whether estimable, with groups enough for a variance.
    a, w : (G, k, w)
        f(I - K_g) Lambda and K_g times it; 0 where not known.
    factor : float
        1, but for CR1.
    """

    clusters: Clusters
    kind: str
    Lambda: np.ndarray
    known: np.ndarray
    a: np.ndarray
    w: np.ndarray
    factor: float


def make_contrasts(clusters: Clusters, L: np.ndarray, kind: str) -> Contrasts:
    """Prepare the combinations L beta, shape (k, p), for one kind of sandwich.

    A combination that one group alone determines, if only in part, has no variance from a
    sandwich: no residual reflects that part. It is marked as not known.
    """
    if kind not in KINDS:
        raise ValueError(f"{kind} is not one of {', '.join(KINDS)}")
    Lambda, known = clusters.basis.coordinates(L)
    x = clusters.local(np.where(known[:, None], Lambda, 0))
    length = (np.where(known[:, None], Lambda, 0) ** 2).sum(axis=1)
    known = known & (clusters.lost(x) <= LOST * length) & (length > 0) & (clusters.n_groups > 1)
    a = clusters.adjusted(x, kind) * known[:, None]
    G, n, rank = clusters.n_groups, clusters.n_obs, clusters.basis.rank
    factor = 1.0
    if kind == "CR1":
        factor = G / (G - 1) * (n - 1) / (n - rank) if G > 1 and n > rank else np.nan
    return Contrasts(clusters, kind, Lambda, known, a, clusters.leverages(a), factor)


def working_variance(contrasts: Contrasts) -> np.ndarray:
    """Expected covariance (k, k) of the combinations when errors are independent, of variance 1.

    For CR2 it is the true one, Lambda Lambda': the identity that defines CR2.
    """
    a, w = contrasts.a, contrasts.w
    return contrasts.factor * np.einsum("gsi,gti->st", a - w, w, optimize=True)


def satterthwaite_df(contrasts: Contrasts) -> np.ndarray:
    """Bell and McCaffrey's degrees of freedom (k,), twice squared mean over variance.

    Under independent errors of one variance, from cross-products of w: cost G r^2, never G^2.
    """
    a, w = contrasts.a, contrasts.w
    mean = ((a - w) * w).sum(axis=(0, 2))
    variance = _variance_of_products(contrasts.clusters, (a, w), (a, w))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(contrasts.known, 2 * mean**2 / variance, np.nan)


def hotelling_df(contrasts: Contrasts) -> float:
    """eta of the approximate Hotelling T^2 test of all combinations (HTZ); NaN if they are dependent.

    Pustejovsky and Tipton (2018), section 3: q (q + 1) over the summed variances of the elements
    of the covariance, standardised by its expectation.
    """
    clusters, q = contrasts.clusters, len(contrasts.known)
    values, vectors = np.linalg.eigh(working_variance(contrasts) / contrasts.factor)
    if not (contrasts.known.all() and values[0] > 1e-12 * values[-1]):
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
    diagonal = d_ss * d_tt - d_ss * l_tt - d_tt * l_ss + d_st**2 - 2 * d_st * l_st
    return diagonal.sum(axis=0) + _squared_product(clusters, w_s, w_t)


def _squared_product(clusters: Clusters, U: np.ndarray, V: np.ndarray) -> np.ndarray:
    """|N|^2 + tr(N N) for N = U'V, summed over groups (G, k, w) in all B + r coordinates: (k,)."""
    if clusters.level is None:
        return _norm_and_trace(U, V)
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
    return np.asarray(total + _norm_and_trace(U, V))


def _norm_and_trace(U: np.ndarray, V: np.ndarray) -> np.ndarray:
    N = U.transpose(1, 2, 0) @ V.transpose(1, 0, 2)
    return np.asarray((N * (N + N.transpose(0, 2, 1))).sum(axis=(1, 2)))


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


def robust(contrasts: Contrasts, y: np.ndarray) -> Robust:
    """Estimates and sandwich of every outcome in y, shape (..., n)."""
    coordinates, residual = contrasts.clusters.basis.project(y)
    z = contrasts.clusters.scores(residual)
    contribution = np.einsum("...gw,gkw->...gk", z, contrasts.a, optimize=True)
    vcov = contrasts.factor * (np.swapaxes(contribution, -1, -2) @ contribution)
    expected = (residual**2).mean(axis=-1)[..., None] * np.diag(working_variance(contrasts))
    known = contrasts.known & (np.diagonal(vcov, axis1=-2, axis2=-1) > ROUNDING * expected)
    both = known[..., :, None] & known[..., None, :]
    return Robust(coordinates @ contrasts.Lambda.T, contribution, np.where(both, vcov, np.nan))


def degrees_of_freedom(contrasts: Contrasts) -> np.ndarray:
    """(k,): Bell and McCaffrey's for CR2, G - 1 for the others."""
    if contrasts.kind == "CR2":
        return satterthwaite_df(contrasts)
    return np.where(contrasts.known, contrasts.clusters.n_groups - 1.0, np.nan)


def joint_tests(contrasts: Contrasts, fit: Robust) -> tidy.JointTest:
    """F tests (...) that all combinations are 0: HTZ for CR2; for the others df are G - 1."""
    q = len(contrasts.known)
    if contrasts.kind != "CR2":
        return f_test(fit.estimate, fit.vcov, contrasts.clusters.n_groups - 1.0)
    eta = hotelling_df(contrasts)
    df = eta - q + 1
    return f_test(fit.estimate, fit.vcov, df if df > 0 else np.nan, scale=df / eta)


def design_clusters(design: Design) -> Clusters:
    """The clusters of a design: its groups; fixed blocks that hold them are absorbed."""
    absorb = None
    if design.columns("block").size and design.block is not None:
        block = design.block
        nested = (block == block[design.first_of_group][design.group]).all()
        absorb = block if nested else None
    return cluster_design(design.X, design.group, absorb)


def cr_answers(
    design: Design,
    y: np.ndarray,
    kind: str,
    conf_level: float,
    clusters: Clusters | None = None,
) -> tidy.Answers:
    """Every question of a design answered by one kind of sandwich, for one outcome y (n,).

    `clusters`, from `design_clusters`, saves time when several kinds are asked for.
    """
    clusters = clusters or design_clusters(design)

    def infer(L: np.ndarray) -> tidy.Inference:
        return cr_inference(clusters, L, y, kind, conf_level)

    joint = make_contrasts(clusters, design.omnibus, kind)
    return tidy.Answers(
        contrasts=infer(design.L),
        means=infer(design.L_means),
        coefficients=infer(np.eye(len(design.terms))),
        omnibus=joint_tests(joint, robust(joint, y)),
    )


def cr_inference(
    clusters: Clusters, L: np.ndarray, y: np.ndarray, kind: str, conf_level: float
) -> tidy.Inference:
    """t tests of every row of L beta, L (k, p), by one kind of sandwich, for one outcome y (n,)."""
    contrasts = make_contrasts(clusters, L, kind)
    found = robust(contrasts, y)
    df = degrees_of_freedom(contrasts)
    return t_inference(found.estimate, found.std_error, df, conf_level)


def unknown(design: Design, answers: tidy.Answers) -> str:
    """A sentence that names the comparisons and arm means without a standard error, if any."""
    means = [f"mean of {arm}" for arm in design.arm_labels]
    labels = np.array([*design.contrast_labels, *means], dtype=object)
    missing = np.isnan([*answers.contrasts.std_error, *answers.means.std_error])
    if not missing.any():
        return ""
    return (
        "No standard error for "
        + ", ".join(labels[missing])
        + ": one group alone determines it at least in part, or the model explains the outcome "
        "of all groups completely."
    )
