"""What small-sample inference needs of a REML fit of a mixed model, whatever its random effects."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import cached_property, wraps
from typing import Any, Self

import numpy as np

from groupwise.algebra import sweep

UNIDENTIFIED = 1e-10
"""Eigenvalues of an information matrix below this share of the largest carry no information."""

WELL_CONDITIONED = 1e-3
"""A correlation matrix whose pivots are all above this is inverted without its eigenvectors."""


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

    @cached_property
    def expected_inverse(self) -> np.ndarray:
        return inverse(self.expected)

    @cached_property
    def observed_inverse(self) -> np.ndarray:
        return inverse(self.observed)

    def reshape(self, shape: tuple[int, ...]) -> Self:
        """The arrays with leading axes of this shape in place of one."""
        return type(self)(*(v.reshape((*shape, *v.shape[1:])) for v in self._arrays()))

    def where(self, fitted: np.ndarray) -> Self:
        """The arrays of a batch (B, ...) with NaN where `fitted` (B,) is false."""

        def kept(values: np.ndarray) -> np.ndarray:
            return np.where(fitted.reshape(-1, *(1,) * (values.ndim - 1)), values, np.nan)

        return self if fitted.all() else type(self)(*map(kept, self._arrays()))

    def _arrays(self) -> list[np.ndarray]:
        return [getattr(self, field.name) for field in fields(self)]

    @classmethod
    def joined(cls, parts: list[Self]) -> Self:
        """The batches `parts`, concatenated along the first axis."""
        if len(parts) == 1:
            return parts[0]
        return cls(*map(np.concatenate, zip(*(part._arrays() for part in parts), strict=True)))


class KnownScale(Information):
    """The same where the residual variances are known, so that omega are all parameters there are.

    `expected` and `observed` are (..., r, r). Their inverses have a border of 0 for the scale, whose
    estimate does not vary.
    """

    @cached_property
    def expected_inverse(self) -> np.ndarray:
        return _without_scale(inverse(self.expected))

    @cached_property
    def observed_inverse(self) -> np.ndarray:
        return _without_scale(inverse(self.observed))


def _without_scale(inner: np.ndarray) -> np.ndarray:
    return bordered(inner, np.zeros(inner.shape[:-1]), 0.0)


def bordered(inner: np.ndarray, edge: np.ndarray, corner: float) -> np.ndarray:
    """[[inner, edge], [edge', corner]], of (..., r, r) and (..., r)."""
    r = edge.shape[-1]
    whole = np.empty((*edge.shape[:-1], r + 1, r + 1))
    whole[..., :r, :r], whole[..., r, r] = inner, corner
    whole[..., :r, r] = whole[..., r, :r] = edge
    return whole


def inverse(information: np.ndarray) -> np.ndarray:
    """Inverses (..., r, r) over eigenvectors of positive curvature; NaN where one is not finite.

    That leaves out what the data do not tell, as lmerTest does with a flat deviance.
    """
    shape, r = information.shape, information.shape[-1]
    information = information.reshape(-1, r, r)
    ok = np.isfinite(information).all(axis=(-1, -2))[:, None, None]
    information = np.where(ok, information, np.eye(r))
    diagonal = np.diagonal(information, axis1=-2, axis2=-1)
    scale = np.where(diagonal > 0, 1 / np.sqrt(np.where(diagonal > 0, diagonal, 1.0)), 1.0)
    scale = scale[:, :, None] * scale[:, None, :]
    with np.errstate(divide="ignore", invalid="ignore"):
        inverses, pivots = sweep(information * scale)
    rest = ~(pivots > WELL_CONDITIONED).all(axis=-1)
    inverses[rest] = _over_eigenvectors((information * scale)[rest])
    return np.where(ok, inverses * scale, np.nan).reshape(shape)


def _over_eigenvectors(matrices: np.ndarray) -> np.ndarray:
    """Inverses (B, r, r) of symmetric matrices over the eigenvectors of eigenvalues above 0."""
    values, vectors = np.linalg.eigh(matrices)
    keep = values > UNIDENTIFIED * values[:, -1:]
    root = np.where(keep, 1 / np.sqrt(np.where(keep, values, 1.0)), 0.0)[:, None, :] * vectors
    return np.asarray(root @ root.swapaxes(-1, -2))


def for_last_combinations(
    compute: Callable[[Any, np.ndarray], Information],
) -> Callable[[Any, np.ndarray], Information]:
    """`compute(fit, L)` that keeps its last answer: several tests of the same L beta ask for it."""

    @wraps(compute)
    def information(fit: Any, L: np.ndarray) -> Information:
        last = vars(fit).get("_last_information")
        if last is None or not np.array_equal(last[0], L):
            last = vars(fit)["_last_information"] = (L.copy(), compute(fit, L))
        at: Information = last[1]
        return at

    return information
