"""Linear mixed models with a random intercept per group, and per block where blocks are random.

    y = X beta + u_group (+ u_block) + e,   V = s2_e I + s2_u J_group (+ s2_b J_block)

The reported fit is statsmodels' MixedLM. Beside it stands `gls`: effects, likelihood and BLUPs at
given variances, from group sums and never an n x n matrix, and `maximise_reml` built on it. They
are the witness every fit by statsmodels is checked against.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
import statsmodels
from scipy import optimize
from statsmodels.regression.mixed_linear_model import MixedLM, VCSpec

from groupwise.models.linear import MANY_ROWS, fit_ols

SOFTWARE = f"statsmodels {statsmodels.__version__}"

BOUNDARY = 1e-6
"""A variance below this share of the residual variance is reported as the boundary, 0."""

BOUNDARY_NOTE = "A variance is estimated as 0, the boundary of its range."

AGREEMENT = 1e-4
"""How far statsmodels' effects may lie from GLS at its variances, in standard errors."""

LIKELIHOOD_GAP = 1e-5
"""How far below the REML optimum statsmodels may stop."""

START_GRID = (0.0, 0.05, 0.1, 0.2, 0.4, 0.7, 1.0, 2.0, 5.0)
"""Relative sds among which the search for the REML optimum starts; from far off it can end at 0."""


@dataclass(frozen=True)
class Levels:
    """Who is in which group and, where blocks are random, in which block.

    `group` (n,) and `block` (n,) are codes from 0; groups are nested in blocks.
    """

    group: np.ndarray
    block: np.ndarray | None = None


@dataclass(frozen=True)
class Variances:
    """Variances of group, residual and (0 without random blocks) block, squared outcome units."""

    group: float
    residual: float
    block: float = 0.0

    def scaled(self, factor: float) -> Variances:
        return Variances(self.group * factor, self.residual * factor, self.block * factor)


@dataclass(frozen=True)
class Gls:
    """Generalised least squares at given variances.

    `beta` (p,), `vcov` (p, p); `blup_group` (G,) and `blup_block` (B,) with their conditional
    standard deviations given the data and the variances; log-likelihoods full and restricted.
    """

    beta: np.ndarray
    vcov: np.ndarray
    loglik_ml: float
    loglik_reml: float
    blup_group: np.ndarray
    sd_blup_group: np.ndarray
    blup_block: np.ndarray
    sd_blup_block: np.ndarray


@dataclass(frozen=True)
class MixedFit:
    """A REML fit; `agreement` is statsmodels' largest distance from GLS, in standard errors.

    It is NaN where statsmodels failed. `said_beta` (p,) and `said_variances` are statsmodels' own,
    also where others are reported; `said_beta` is None where it was not asked.
    """

    said_beta: np.ndarray | None
    said_variances: Variances
    gls: Gls
    beta: np.ndarray
    variances: Variances
    fitted: np.ndarray
    residual: np.ndarray
    converged: bool
    singular: bool
    agreement: float
    likelihood_gap: float
    message: str
    software: str

    @property
    def vcov(self) -> np.ndarray:
        return self.gls.vcov

    @property
    def loglik(self) -> float:
        return self.gls.loglik_reml

    @property
    def said_std_dev(self) -> dict[str, float]:
        """By level, where the model has it."""
        said = self.said_variances
        levels = {"group": said.group, "block": said.block, "residual": said.residual}
        if not len(self.gls.blup_block):
            del levels["block"]
        return {name: float(np.sqrt(variance)) for name, variance in levels.items()}

    @property
    def effects(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Predictions (L, 1) and their conditional sds, by level."""
        fit = self.gls
        found = {"group": (fit.blup_group[:, None], fit.sd_blup_group[:, None])}
        if len(fit.blup_block):
            found["block"] = (fit.blup_block[:, None], fit.sd_blup_block[:, None])
        return found


@dataclass(frozen=True)
class GroupSums:
    """Cross-products of A = [X, y], shape (n, q): all a random-intercept model needs of the data.

    Within a group V^-1 = (I - c_g J) / s2_e with c_g = s2_u / (s2_e + n_g s2_u). Random blocks
    subtract one rank-one term per block more: h_b = s2_b / (1 + s2_b w_b), where w_b is the sum
    of the elements of V^-1 without the blocks.
    """

    n: int
    AtA: np.ndarray
    sums: np.ndarray
    size: np.ndarray
    block: np.ndarray | None

    @classmethod
    def of(cls, X: np.ndarray, y: np.ndarray, levels: Levels) -> GroupSums:
        A = np.column_stack([X, y])
        block = levels.block
        if block is not None:
            block = block[np.unique(levels.group, return_index=True)[1]]
        sums = _sum_by(A, levels.group)
        return cls(len(y), A.T @ A, sums, np.bincount(levels.group), block)

    def weighted(self, variances: Variances) -> tuple[np.ndarray, float]:
        """A' V^-1 A, shape (q, q), and log |V|."""
        total = variances.residual + self.size * variances.group
        shrink = variances.group / total
        cross = (self.AtA - (self.sums * shrink[:, None]).T @ self.sums) / variances.residual
        logdet = float(((self.size - 1) * np.log(variances.residual) + np.log(total)).sum())
        if self.block is not None:
            w = np.bincount(self.block, weights=self.size / total)
            t = _sum_by(self.sums / total[:, None], self.block)
            cross = cross - (t * (variances.block / (1 + variances.block * w))[:, None]).T @ t
            logdet += float(np.log1p(variances.block * w).sum())
        return cross, logdet

    def blups(
        self, beta: np.ndarray, variances: Variances
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Predicted effects of groups and of blocks, each with its conditional sd."""
        residual = self.sums[:, -1] - self.sums[:, :-1] @ beta
        total = variances.residual + self.size * variances.group
        shrink = variances.group / total
        if self.block is None:
            empty = np.zeros(0)
            return shrink * residual, np.sqrt(variances.residual * shrink), empty, empty
        w = np.bincount(self.block, weights=self.size / total)
        h = variances.block / (1 + variances.block * w)
        blup_block = h * np.bincount(self.block, weights=residual / total)
        blup = shrink * (residual - self.size * blup_block[self.block])
        variance = variances.residual * shrink + (shrink * self.size) ** 2 * h[self.block]
        return blup, np.sqrt(variance), blup_block, np.sqrt(h)


def gls(sums: GroupSums, variances: Variances) -> Gls:
    """Effects, likelihoods and BLUPs at given variances; the residual one must be positive."""
    if not variances.residual > 0:
        raise ValueError("the residual variance must be positive")
    cross, logdet = sums.weighted(variances)
    XtX, Xty = cross[:-1, :-1], cross[:-1, -1]
    beta = np.linalg.solve(XtX, Xty)
    quadratic = cross[-1, -1] - beta @ Xty
    ml = -0.5 * (sums.n * np.log(2 * np.pi) + logdet + quadratic)
    reml = ml + 0.5 * (len(beta) * np.log(2 * np.pi) - np.linalg.slogdet(XtX)[1])
    return Gls(beta, np.linalg.inv(XtX), ml, reml, *sums.blups(beta, variances))


def profiled_reml(sums: GroupSums, theta: np.ndarray) -> tuple[float, float]:
    """REML criterion (-2 log-likelihood) with the residual variance profiled out, and that variance.

    `theta` holds the sds of group (and block) relative to the residual sd, as in lme4 (Bates,
    Maechler, Bolker and Walker 2015, eq. 42).
    """
    relative = np.zeros(2)
    relative[: len(theta)] = np.square(theta)
    cross, logdet = sums.weighted(Variances(relative[0], 1.0, relative[1]))
    XtX, Xty = cross[:-1, :-1], cross[:-1, -1]
    quadratic = cross[-1, -1] - Xty @ np.linalg.solve(XtX, Xty)
    df = sums.n - len(Xty)
    criterion = logdet + np.linalg.slogdet(XtX)[1] + df * (1 + np.log(2 * np.pi * quadratic / df))
    return float(criterion), float(quadratic / df)


def maximise_reml(sums: GroupSums, start: Variances) -> Variances:
    """The REML variances; one that belongs on the boundary is exactly 0."""
    k = 1 if sums.block is None else 2
    first = np.sqrt(np.array([start.group, start.block])[:k] / start.residual)

    def criterion(theta: np.ndarray) -> float:
        return profiled_reml(sums, theta)[0]

    starts = [np.array(theta) for theta in product(*((*START_GRID, t) for t in first))]
    theta = min(starts, key=criterion)
    options = {"xatol": 1e-9, "fatol": 1e-8, "maxiter": 2000}
    for _ in range(2):  # the second simplex starts afresh where the first has stopped
        theta = optimize.minimize(
            criterion, np.maximum(theta, 0.02), method="Nelder-Mead", bounds=[(0, None)] * k,
            options=options,
        ).x  # fmt: skip
    for j in range(k):
        on_boundary = np.where(np.arange(k) == j, 0.0, theta)
        if criterion(on_boundary) <= criterion(theta) + 1e-9:
            theta = on_boundary
    residual = profiled_reml(sums, theta)[1]
    relative = np.append(np.square(theta), 0.0)
    return Variances(residual * relative[0], residual, residual * relative[1])


MANY_GROUPS = 5_000
NOT_ASKED = (
    f"By Groupwise's own REML: statsmodels is asked up to {MANY_ROWS:,} rows and "
    f"{MANY_GROUPS:,} groups."
)
"""MixedLM goes through the groups in Python: beyond this it takes many minutes."""


def fit_reml(X: np.ndarray, y: np.ndarray, levels: Levels) -> MixedFit:
    """REML by statsmodels' MixedLM, checked against the REML optimum and GLS.

    MixedLM is known to return effects of exactly 0 for group-level terms when the group variance
    is near 0 (statsmodels#10239), to meet a singular matrix there, and to stop early. Where it
    fails, its variances miss the optimum, or its effects are not those of GLS at its variances,
    the values of `gls` are reported in their place, and `message` and `software` say so. Of very
    many rows or groups statsmodels is not asked.

    Raises
    ------
    ValueError
        If the two variances cannot be told apart, or nothing is left for one of them.
    """
    beta_ols = _least_squares(X, y)
    left = y - X @ beta_ols
    scale = float(np.sqrt((left**2).sum() / max(len(y) - X.shape[1], 1)))
    _check_spread(y, levels, scale)
    # MixedLM's stopping rules know no units: it sees what OLS leaves, in units of its own sd.
    sums = GroupSums.of(X, left / scale, levels)
    asked = len(y) <= MANY_ROWS and sums.size.size <= MANY_GROUPS
    if asked:
        found, converged, effects = _statsmodels(X, left / scale, levels)
        best = maximise_reml(sums, found)
    else:
        found = best = maximise_reml(sums, Variances(1.0, 1.0, 1.0))
        converged, effects = True, gls(sums, best).beta
    gap = gls(sums, best).loglik_reml - gls(sums, found).loglik_reml
    at_optimum = gap <= LIKELIHOOD_GAP
    variances = (found if at_optimum else best).scaled(scale**2)
    # Of the residuals too: the squares of outcomes far from 0 would drown them.
    witness = gls(GroupSums.of(X, left, levels), variances)
    witness = replace(witness, beta=beta_ols + witness.beta)
    own = gls(sums, found)
    agreement = float(np.max(np.abs(effects - own.beta) / np.sqrt(np.diag(own.vcov))))
    trusted = at_optimum and agreement <= AGREEMENT
    beta = beta_ols + scale * effects if trusted else witness.beta
    singular = variances.group == 0 or (levels.block is not None and variances.block == 0)
    fitted = X @ beta + witness.blup_group[levels.group]
    if levels.block is not None:
        fitted = fitted + witness.blup_block[levels.block]
    return MixedFit(
        said_beta=beta_ols + scale * effects if asked else None,
        said_variances=found.scaled(scale**2),
        gls=witness,
        beta=beta,
        variances=variances,
        fitted=fitted,
        residual=y - fitted,
        converged=converged or not trusted,
        singular=singular,
        agreement=agreement,
        likelihood_gap=float(gap),
        message=_message(asked=asked, singular=singular, agreement=agreement, gap=gap),
        software=_software(asked=asked, trusted=trusted),
    )


def _least_squares(X: np.ndarray, y: np.ndarray) -> np.ndarray:
    """OLS coefficients (p,); of very many rows without copies of X."""
    if len(y) > MANY_ROWS:
        return fit_ols(X, y).beta
    beta: np.ndarray = np.linalg.lstsq(X, y, rcond=None)[0]
    return beta


def _message(*, asked: bool, singular: bool, agreement: float, gap: float) -> str:
    said = ("" if asked else NOT_ASKED, BOUNDARY_NOTE if singular else "")
    return " ".join(filter(None, (*said, disagreement(agreement, gap))))


def _software(*, asked: bool, trusted: bool) -> str:
    if not asked:
        return "groupwise"
    return SOFTWARE if trusted else f"groupwise GLS (not {SOFTWARE})"


def _check_spread(y: np.ndarray, levels: Levels, scale: float) -> None:
    """Refuse what has no answer; `scale` is the residual sd of OLS."""
    if not scale > 1e-12 * np.abs(y).max():
        raise ValueError("The fixed effects explain the outcome completely.")
    size = np.bincount(levels.group)
    if size.max() == 1:
        raise ValueError(
            "Every group has one member: its own variance and its member's cannot be told apart."
        )
    within = y - (np.bincount(levels.group, weights=y) / size)[levels.group]
    if np.abs(within).max() <= 1e-9 * scale:
        raise ValueError("All members of a group have one outcome: nothing varies within groups.")


def disagreement(agreement: float, gap: float) -> str:
    """Where statsmodels went wrong, and what is shown instead; nothing where it did not."""
    said = []
    if np.isnan(agreement):
        said.append("statsmodels met a singular matrix; the fit shown is groupwise's own.")
    elif gap > LIKELIHOOD_GAP:
        said.append(f"statsmodels stopped {gap:.2g} below the REML optimum; the optimum is shown.")
    if agreement > AGREEMENT:
        said.append(
            "statsmodels returned effects that are not the GLS solution at its own variances "
            f"({agreement:.2g} standard errors away); the GLS effects are shown."
        )
    return " ".join(said)


def _statsmodels(
    X: np.ndarray, y: np.ndarray, levels: Levels
) -> tuple[Variances, bool, np.ndarray]:
    """Variances (exactly 0 at the boundary), convergence and effects, as MixedLM says.

    Where it fails: no group variance, and effects NaN.
    """
    if levels.block is None:
        model = MixedLM(y, X, groups=levels.group)
    else:
        ones = np.ones((len(y), 1))
        model = MixedLM(y, X, groups=levels.block, exog_re=ones, exog_vc=_nested(levels))
    with warnings.catch_warnings():
        # Boundary and convergence warnings: both conditions are read off the fit and reported.
        warnings.simplefilter("ignore")
        try:
            fit = model.fit(reml=True, method=["bfgs", "lbfgs", "cg"], gtol=1e-8)
        except np.linalg.LinAlgError:
            return Variances(0.0, 1.0), False, np.full(X.shape[1], np.nan)
    residual = float(fit.scale)
    found = [float(np.asarray(fit.cov_re)[0, 0]), *map(float, fit.vcomp)]
    outer, *inner = (v if v > BOUNDARY * residual else 0.0 for v in found)
    variances = Variances(inner[0], residual, outer) if inner else Variances(outer, residual)
    return variances, bool(fit.converged), np.asarray(fit.fe_params)


def _nested(levels: Levels) -> VCSpec:
    """statsmodels' description of groups nested in blocks: an indicator matrix per block."""
    assert levels.block is not None
    names, matrices = [], []
    for block in range(levels.block.max() + 1):
        members = levels.group[levels.block == block]
        groups = np.unique(members)
        names.append([str(g) for g in groups])
        matrices.append((members[:, None] == groups).astype(float))
    return VCSpec(["group"], [names], [matrices])


def _sum_by(A: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Column sums of A, shape (n, q), by code: shape (k, q)."""
    return np.column_stack([np.bincount(codes, weights=a) for a in A.T])
