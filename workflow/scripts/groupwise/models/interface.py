"""What inference asks of a mixed model and its fits: the closed form and the general one have it.

`sums` are what a model needs of outcomes, `OutcomeSums` or `Outcomes`: each knows its length, takes
some of its outcomes (`take`), and joins batches (`joined`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol, Self

import numpy as np

from groupwise.models.information import Information

FEWEST_DRAWS, MOST_DRAWS = 10, 160
"""Outcomes that are drawn together: at first, then as many as there are, up to the latter."""


def parts_of_draws(n_draws: int) -> Iterator[range]:
    """Draws by number, in parts; all but the last are the same whatever `n_draws`."""
    made = 0
    while made < n_draws:
        part = range(made, made + min(max(FEWEST_DRAWS, made), MOST_DRAWS))
        yield part
        made = part.stop


class Informed(Protocol):
    """What Satterthwaite's and Kenward-Roger's methods ask of fits by restricted likelihood."""

    @property
    def beta(self) -> np.ndarray:
        """(..., p)"""

    def information(self, L: np.ndarray) -> Information:
        """Variances of L beta, L (k, p), and information matrices of the variance parameters."""


class Maximum(Protocol):
    """Fits whose likelihood can be profiled along effects."""

    @property
    def model(self) -> Likelihoods: ...
    @property
    def sums(self) -> Any: ...
    @property
    def shape(self) -> tuple[int, ...]:
        """The leading axes, (...)."""

    @property
    def theta(self) -> np.ndarray:
        """(...) for one intercept, else (..., k)."""

    @property
    def beta(self) -> np.ndarray:
        """(..., p)"""

    def covariance(self, L: np.ndarray) -> np.ndarray:
        """(..., k, k) of L beta, L (k, p)."""

    @property
    def criterion(self) -> np.ndarray:
        """(...) -2 log-likelihood, restricted for REML fits."""

    @property
    def converged(self) -> np.ndarray: ...

    @property
    def maximum_likelihood(self) -> Maximum:
        """The ML fits (B,) to the same outcomes."""


class Fit(Maximum, Protocol):
    """Fits of a linear mixed model to outcomes (...), or to B of them."""

    @property
    def model(self) -> Model: ...

    @property
    def maximum_likelihood(self) -> Fit:
        """The ML fits (B,) to the same outcomes."""

    @property
    def std_dev(self) -> dict[str, np.ndarray]:
        """(...) of random effects by term, and of the `residual`."""

    def combination(self, L: np.ndarray) -> np.ndarray:
        """(..., k): L beta, L (k, p)."""

    def shift(self, L: np.ndarray, theta: np.ndarray) -> np.ndarray:
        """(B, k): L beta of B fits, less what it is at `theta` (B, ...) in place of the optimum."""

    def reshape(self, shape: tuple[int, ...]) -> Self:
        """The fits with leading axes of this shape in place of B."""

    def information(self, L: np.ndarray) -> Information:
        """Variances of L beta, L (k, p), and the information matrices of a REML fit."""


class Likelihoods(Protocol):
    """A design with its random terms, and what restrictions of effects need of its likelihood."""

    @property
    def to_beta(self) -> np.ndarray:
        """(p, p0): effects in the orthonormal basis Q times this are effects of X."""

    def least_deviance(
        self, sums: Any, near: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """-2 log-likelihood (B,), full and maximised, and theta there."""

    def effects_of(self, sums: Any) -> np.ndarray:
        """(B, p): OLS effects in the basis Q."""

    def restricted(self, K: np.ndarray) -> Self:
        """The model of Q K in place of Q; K (p, p0) has orthonormal columns."""

    def restricted_sums(self, sums: Any, smaller: Any, K: np.ndarray, offset: np.ndarray) -> Any:
        """Sums for `smaller`, of Q K, of outcomes less Q `offset`, (B, p); K'`offset` is 0."""


class Model(Likelihoods, Protocol):
    """A linear mixed model of a design: all that does not depend on outcomes."""

    @property
    def at_a_time(self) -> int:
        """Number of outcomes that are fitted together."""

    def fit_sums(
        self,
        sums: Any,
        *,
        reml: bool = True,
        theta: np.ndarray | None = None,
        near: np.ndarray | None = None,
    ) -> Fit:
        """Fits (B,), at `theta` where it is given, else sought also from `near`."""

    def draw(self, theta: np.ndarray, *, n_draws: int, seed: int) -> Iterator[Any]:
        """Sums of outcomes with beta = 0 and residual variance 1, some at a time, of one random stream.

        The first are the same whatever their number.
        """
