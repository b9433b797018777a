"""What small-sample inference needs of a REML fit of a mixed model, whatever its random effects."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Information:
    """Variances and information of k combinations L beta, with r variance parameters beside s2.

    V = s2 (I + sum_r omega_r G_r); omega is a function of theta, the square roots of variances.
    Derivatives are taken at the estimates; arrays lead with the replicates, (...).

    Attributes
    ----------
    vcov : (..., k, k) of L beta, the variances taken as known
    slopes : (..., r, k, k)
        Derivatives of `vcov` with respect to omega at a fixed s2; that in log s2 is `vcov` itself.
    curvature : (..., r, r, k, k)
        L Phi (Q_rs - P_r Phi P_s) Phi L' of Kenward and Roger (1997), G_r in units of s2.
    expected, observed : (..., r + 1, r + 1)
        Twice the expected information on (omega, log s2), and the Hessian of the deviance in
        (theta, log s2).
    chain : (..., r, r)
        d omega / d theta: 0 where a variance is estimated as 0.
    """

    vcov: np.ndarray
    slopes: np.ndarray
    curvature: np.ndarray
    expected: np.ndarray
    observed: np.ndarray
    chain: np.ndarray

    def reshape(self, shape: tuple[int, ...]) -> Information:
        """The arrays with leading axes of this shape in place of one."""
        return Information(*(v.reshape((*shape, *v.shape[1:])) for v in vars(self).values()))

    def where(self, fitted: np.ndarray) -> Information:
        """The arrays of a batch (B, ...) with NaN where `fitted` (B,) is false."""

        def kept(values: np.ndarray) -> np.ndarray:
            return np.where(fitted.reshape(-1, *(1,) * (values.ndim - 1)), values, np.nan)

        return self if fitted.all() else Information(*map(kept, vars(self).values()))

    @classmethod
    def joined(cls, parts: list[Information]) -> Information:
        """The batches `parts`, concatenated along the first axis."""
        if len(parts) == 1:
            return parts[0]
        names = vars(parts[0])
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def bordered(inner: np.ndarray, edge: np.ndarray, corner: float) -> np.ndarray:
    """[[inner, edge], [edge', corner]], of (..., r, r) and (..., r)."""
    r = edge.shape[-1]
    whole = np.empty((*edge.shape[:-1], r + 1, r + 1))
    whole[..., :r, :r], whole[..., r, r] = inner, corner
    whole[..., :r, r] = whole[..., r, :r] = edge
    return whole
