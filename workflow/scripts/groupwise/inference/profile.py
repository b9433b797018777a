"""Profile likelihood of effects in mixed models: intervals and likelihood-ratio tests.

An effect is profiled by fixing l'beta = delta. Q loses one column, delta z is an offset, which in linear
models is taken from y, and the smaller model is fitted by the engine. That takes the sums of y for the
whole model, and no other pass over the data.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import numpy as np
from scipy import linalg, special

from groupwise.inference.limits import both_sides
from groupwise.inference.wald import f_tail
from groupwise.models.interface import Likelihoods, Maximum
from groupwise.tidy import Inference, JointTest

Restrictable = TypeVar("Restrictable", bound=Likelihoods)


@dataclass(frozen=True)
class Restriction(Generic[Restrictable]):
    """The model `whole` with L beta at given values.

    rows (r, p): L in the basis Q; K (p, p - r): an orthonormal basis of what L does not see.
    """

    whole: Restrictable
    smaller: Restrictable
    rows: np.ndarray
    K: np.ndarray

    @classmethod
    def of(cls, model: Restrictable, L: np.ndarray) -> Restriction[Restrictable]:
        """L (r, p)."""
        rows = L @ model.to_beta
        K = linalg.null_space(rows)
        return cls(model, model.restricted(K), rows, K)

    @property
    def df(self) -> int:
        """Number of parameters that the restriction removes: the rank of L."""
        return int(self.K.shape[0] - self.K.shape[1])

    def sums(self, sums: Any, value: np.ndarray) -> Any:
        """Sums for `smaller` of B outcomes; value (B, r) or (r,) of L beta."""
        offset = (value - self.whole.effects_of(sums) @ self.rows.T) @ np.linalg.pinv(self.rows).T
        return self.whole.restricted_sums(sums, self.smaller, self.K, offset)


@dataclass(frozen=True)
class _Row:
    """The ML deviance of B outcomes when l'beta is fixed, as a function of its value.

    `minimum` (B,) is the deviance where it is not; `near` (2B, ...) theta where the last search of
    an outcome ended, on either side of its estimate.
    """

    restriction: Restriction[Likelihoods]
    sums: Any
    minimum: np.ndarray
    near: np.ndarray = field(repr=False)

    @classmethod
    def of(cls, fit: Maximum, ml: Maximum, which: np.ndarray, row: np.ndarray) -> _Row:
        """The deviance for the outcomes `which` (B,) of `fit`; row (p,) is l."""
        restriction, theta = Restriction.of(fit.model, row[None, :]), ml.theta[which]
        near = np.concatenate([theta, theta])
        return cls(restriction, fit.sums.take(which), ml.criterion[which], near)

    def __call__(self, value: np.ndarray, which: np.ndarray) -> np.ndarray:
        sums = self.sums.take(which % len(self.sums))
        restricted = self.restriction.sums(sums, value[:, None])
        least, self.near[which] = self.restriction.smaller.least_deviance(
            restricted, self.near[which]
        )
        return np.asarray(least)

    def rise(self, value: np.ndarray) -> np.ndarray:
        """(B,) what the deviance rises to `value` (B,)."""
        return np.asarray(self(value, np.arange(len(value))) - self.minimum)


def profile(
    fit: Maximum,
    L: np.ndarray,
    conf_level: float,
    *,
    limits: bool | np.ndarray = True,
    truth: np.ndarray | None = None,
) -> Inference:
    """Profile-likelihood inference for the rows of L beta, L (k, p): (..., k).

    Estimates and standard errors are those of ML. `statistic` is the signed root of the likelihood
    ratio, its reference the normal: the p-value is below 1 - conf_level exactly when the interval
    excludes 0.

    Parameters
    ----------
    fit : REML fits (...)
    limits : broadcasts to (...)
        Where limits, which take most of the time, are wanted; they are NaN elsewhere.
    truth : broadcasts to (..., k), optional
        Values of L beta; `covers` says which of them the intervals hold. What an interval holds is what
        the likelihood-ratio test does not reject: its ends need not be known.
    """
    ml, fitted = _maximum(fit)
    wanted = np.flatnonzero(np.broadcast_to(limits, fit.shape).ravel()[fitted])
    estimate = ml.beta[fitted] @ L.T
    std_error = np.sqrt(np.diagonal(ml.covariance(L)[fitted], axis1=-2, axis2=-1))
    step = special.ndtri(0.5 + conf_level / 2) * std_error
    ratio, low, high = np.full((3, *estimate.shape), np.nan)
    value = np.zeros(1) if truth is None else truth
    value = np.broadcast_to(value, (*fit.shape, len(L))).reshape(-1, len(L))[fitted]
    at_value = np.full(estimate.shape, np.nan)
    for j, row in enumerate(L):
        rise = _Row.of(fit, ml, fitted, row).rise
        ratio[:, j] = rise(np.zeros(len(fitted)))
        at_value[:, j] = rise(value[:, j]) if value[:, j].any() else ratio[:, j]
        if not len(wanted):
            continue
        deviance = _Row.of(fit, ml, fitted[wanted], row)
        some = (estimate[wanted, j], step[wanted, j], deviance.minimum)
        low[wanted, j], high[wanted, j] = both_sides(deviance, *some, conf_level)
    root = np.sign(estimate) * np.sqrt(np.maximum(ratio, 0))
    rows = Inference(
        estimate=estimate,
        std_error=std_error,
        statistic=root,
        df=np.full(root.shape, np.inf),
        p_value=2 * special.ndtr(-np.abs(root)),
        conf_low=low,
        conf_high=high,
        conf_level=conf_level,
        covers=None if truth is None else at_value <= special.chdtri(1, 1 - conf_level),
    )
    return _spread(rows, fitted, fit.shape)


def _maximum(fit: Maximum) -> tuple[Maximum, np.ndarray]:
    """The ML fits (B,), and the indices of the outcomes that have one and a REML fit."""
    ml = fit.maximum_likelihood
    return ml, np.flatnonzero(ml.converged & fit.converged.ravel())


def _spread(rows: Inference, fitted: np.ndarray, shape: tuple[int, ...]) -> Inference:
    """Inference of the outcomes `fitted` at their places in (..., k), NaN elsewhere."""
    k, B = rows.estimate.shape[1], int(np.prod(shape))

    def placed(values: np.ndarray) -> np.ndarray:
        every = np.full((B, k), np.nan)
        every[fitted] = values
        return every.reshape(*shape, k) if shape else every[0]

    columns = {name: placed(v) for name, v in rows.columns().items() if name != "conf_level"}
    covers = None if rows.covers is None else placed(rows.covers)
    return Inference(**columns, conf_level=rows.conf_level, covers=covers)


def likelihood_ratio(fit: Maximum, L: np.ndarray) -> JointTest:
    """ML likelihood-ratio test (...) that every row of L beta is zero: chi-squared over its df."""
    ml, fitted = _maximum(fit)
    restriction = Restriction.of(fit.model, L)
    smaller = restriction.sums(fit.sums.take(fitted), np.zeros(len(L)))
    deviance, _ = restriction.smaller.least_deviance(smaller, ml.theta[fitted])
    gain = np.full(len(ml.criterion), np.nan)
    gain[fitted] = np.maximum(deviance - ml.criterion[fitted], 0)
    return f_tail(gain.reshape(fit.shape) / restriction.df, restriction.df, np.inf)
