"""Covariances of estimating equations for events, corrected for few groups.

The covariance is B (sum u_g u_g') B, B = (sum I_g)^-1 (see `models.event_equations`), with scores u_g:

    Mancl-DeRouen       (I - I_g B)^-1 U_g: residuals (I - H_gg)^-1 e (2001, Biometrics 57, 126-134)
    Kauermann-Carroll   (I - I_g B)^(-1/2) U_g, the principal root: residuals (I - H_gg)^(-1/2) e
                        (2001, Journal of the American Statistical Association 96, 1387-1396)
    Fay-Graubard        diag(1 - min(3/4, (I_g B)_jj))^(-1/2) U_g, for the coefficients of X
                        (2001, Biometrics 57, 1198-1206)

The last depends on the columns of X: arms are indicators against the reference, and numeric covariates
are measured from their means over individuals (`centred`), so that their origin does not matter: years
as they stand would make the share of a group in the intercept, and in the slope, more than 1.

With C C' = B and D_g D_g' = C' I_g C the others are those of CR3 and CR2, f(I - D_g D_g') C'U_g: D_g has
a column for each row of alike individuals, for I - c J has the root I - k J with
k = (1 - sqrt(1 - c n_g)) / n_g.
"""

from __future__ import annotations

import numpy as np

from groupwise.inference.event_sandwich import through_complement
from groupwise.models.event_equations import EquationsFit, EventEquations, EventSums
from groupwise.models.glm import MOST_NUMBERS

MANCL_DEROUEN, KAUERMANN_CARROLL, FAY_GRAUBARD = (
    "Mancl-DeRouen",
    "Kauermann-Carroll",
    "Fay-Graubard",
)
KINDS = {MANCL_DEROUEN: "CR3", KAUERMANN_CARROLL: "CR2"}
"""The kind of sandwich with the same function of I - D D'."""

BOUND = 0.75
"""The largest share of a coefficient's information in one group, in Fay and Graubard's correction."""


def corrected_covariance(fit: EquationsFit, Lambda: np.ndarray, correction: str) -> np.ndarray:
    """(R, k, k) of combinations with coordinates Lambda (k, r); NaN without an answer."""
    rows = fit.equations.model.rows
    R, (k, r) = len(fit.gamma), Lambda.shape
    vcov = np.full((R, k, k), np.nan)
    which = np.flatnonzero(fit.answered)
    groups = rows.n_groups * r if correction == FAY_GRAUBARD else 0
    step = max(1, MOST_NUMBERS // max(len(rows.trials) * r, groups * r))
    for start in range(0, len(which), step):
        some = which[start : start + step]
        contribution = _contributions(fit.take(some), Lambda, correction)
        vcov[some] = np.swapaxes(contribution, 1, 2) @ contribution
    return vcov


def _contributions(fit: EquationsFit, Lambda: np.ndarray, correction: str) -> np.ndarray:
    """(R, G, k) what groups contribute to the combinations."""
    equations, sums = fit.equations, fit.sums()
    c = equations.shrinkage(fit.correlation)
    C = np.linalg.cholesky(np.linalg.inv(equations.information(sums, c)))
    scores = equations.model.sums_by_group(sums.scores)
    scores = scores - (c * sums.residual)[..., None] * sums.of_q
    if correction == FAY_GRAUBARD:
        return _by_coefficient(equations, sums, c, C, scores) @ Lambda.T
    rotated = scores @ C
    adjusted = _through_leverage(equations, sums, c, C, rotated, KINDS[correction])
    return np.asarray(adjusted @ (np.swapaxes(C, 1, 2) @ Lambda.T))


def _through_leverage(
    equations: EventEquations,
    sums: EventSums,
    c: np.ndarray,
    C: np.ndarray,
    rotated: np.ndarray,
    kind: str,
) -> np.ndarray:
    """f(I - D_g D_g') of C'U_g, both (R, G, r)."""
    rows, size = equations.model.rows, equations.size
    share = (1 - np.sqrt(1 - c * size)) / size
    of_row = sums.q @ C
    of_row = of_row - (share[..., None] * (sums.of_q @ C))[:, rows.group]
    of_row = np.sqrt(rows.trials)[:, None] * of_row
    adjusted = np.empty_like(rotated)
    for member, cut in rows.cuts:
        D = np.swapaxes(of_row[:, cut], -1, -2)
        adjusted[:, member] = through_complement(D, rotated[:, member, :, None], kind)[..., 0]
    return adjusted


def _by_coefficient(
    equations: EventEquations, sums: EventSums, c: np.ndarray, C: np.ndarray, scores: np.ndarray
) -> np.ndarray:
    """B times Fay and Graubard's scores (R, G, r); T are the coordinates of centred X, which is Z T."""
    model, rows = equations.model, equations.model.rows
    T = model.basis.R @ centred(rows.X, rows.trials)
    T_inverse, CC = np.linalg.inv(T), C @ np.swapaxes(C, 1, 2)
    # (I_g B)_jj for X is (T' I_g B T'^-1)_jj: products of rows' q T and q B T'^-1.
    left = np.stack([sums.q @ T, sums.q @ (CC @ T_inverse.T)])
    groups = np.stack([sums.of_q @ T, sums.of_q @ (CC @ T_inverse.T)])
    share = model.sums_by_group(model.rows.trials[:, None] * left[0] * left[1])
    share = share - c[..., None] * groups[0] * groups[1]
    corrected = (scores @ T) / np.sqrt(1 - np.minimum(BOUND, share))
    return np.asarray(corrected @ T_inverse @ CC)


def centred(X: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """A (p, p) such that X A has numeric columns less their weighted means.

    The first column of X is the intercept; indicators, of 0 and 1, stay as they are.
    """
    A = np.eye(X.shape[1])
    numeric = ~np.isin(X, (0, 1)).all(axis=0)
    A[0, numeric] = -(weight @ X[:, numeric]) / weight.sum()
    return A
