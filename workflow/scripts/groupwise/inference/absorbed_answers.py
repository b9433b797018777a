"""What least squares with absorbed groups answers to a design: the dummy methods for many groups."""

from __future__ import annotations

import numpy as np

from groupwise import tidy
from groupwise.design import Design
from groupwise.inference.wald import f_test, t_inference, wald_answers
from groupwise.models.absorbed import Absorbed


def dummy_answers(
    design: Design, fit: Absorbed, grid: np.ndarray, conf_level: float
) -> tidy.Answers:
    """Answers with NaN for what is not identified; `grid` (J, p) are the arms' rows of X.

    Means of the arms weight groups equally. The coefficients are those of the design's terms.
    """
    p, G = design.X.shape[1], design.n_groups

    def infer(L: np.ndarray, w: np.ndarray) -> tidy.Inference:
        estimate, std_error, _ = fit.combine(L, w)
        return t_inference(estimate, std_error, np.full(len(L), fit.df_resid), conf_level)

    contrasts = infer(design.L, np.zeros((len(design.L), G)))
    means = infer(grid, np.full((len(grid), G), 1 / G))
    first = np.zeros((p, G))
    first[0, 0] = 1  # the intercept is that of the first group, whose own parameter is 0
    omnibus = tidy.NO_TEST
    if np.isfinite(contrasts.estimate).all():
        q = len(design.omnibus)
        vcov = fit.vcov(design.omnibus)
        omnibus = f_test(contrasts.estimate[:q], vcov, fit.df_resid)
    return tidy.Answers(contrasts, means, infer(np.eye(p), first), omnibus)


def nested_answers(
    design: Design, fit: Absorbed, group_level: np.ndarray, conf_level: float
) -> tidy.Answers | None:
    """Answers for group effects orthogonal to the columns of X that are `group_level`, a mask (p,).

    The coefficients of these columns are those of least squares on the group means, groups counting
    equally. None where the other columns cannot be told apart within groups.
    """
    p, inner = len(group_level), ~group_level
    Lambda, known = fit.basis.within(np.eye(p)[inner])
    if not known.all():
        return None
    P = np.linalg.pinv(fit.X[:, group_level])
    A, V = P @ fit.X[:, inner], Lambda @ Lambda.T
    beta, vcov = np.empty(p), np.empty((p, p))
    beta[inner] = Lambda @ fit.within
    beta[group_level] = P @ fit.y - A @ beta[inner]
    vcov[np.ix_(inner, inner)] = V
    vcov[np.ix_(group_level, inner)] = -A @ V
    vcov[np.ix_(inner, group_level)] = -(A @ V).T
    vcov[np.ix_(group_level, group_level)] = (P / fit.size) @ P.T + A @ V @ A.T
    return wald_answers(design, beta, fit.variance * vcov, df=fit.df_resid, conf_level=conf_level)
