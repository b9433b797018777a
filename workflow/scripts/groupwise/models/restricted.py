"""A mixed model whose effects are bound to L beta = c, without another pass over the data."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy import linalg

from groupwise.models.lmm_structure import Outcome
from groupwise.models.pls import CrossProducts


def restrict(outcome: Outcome, L: np.ndarray, value: np.ndarray) -> CrossProducts:
    """Cross-products of the model in which L beta is `value` (r,); rows L (r, p) are in Q's basis.

    X loses r columns: Q K is left, K an orthonormal basis of what L does not see, and what L beta =
    `value` says is taken off y. All it takes is a product from the right.
    """
    x, p = outcome.products, outcome.products.p
    K = linalg.null_space(L)
    moved = np.linalg.pinv(L) @ ((value - L @ outcome.b) / outcome.scale)
    M = np.zeros((p + 1, K.shape[1] + 1))
    M[:p, :-1], M[:p, -1], M[p, -1] = K, -moved, 1.0
    return replace(x, B=x.B @ M, D=x.D @ M, E=M.T @ x.E @ M)
