"""What the rows of a design are: individuals, or fewer numbers that say as much of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Rows:
    """The m rows of a model matrix, in orthonormal coordinates of n individuals.

    Least squares and normal mixed models need of outcomes only inner products with the columns of X,
    with indicators, and with themselves: these are the same in any such coordinates.

    Attributes
    ----------
    ones : (m,)
        Coordinates of the vector of ones: a group's sum is the sum of `ones` y over its rows.
    n_obs : individuals
    remainder
        The last row holds the length of what is in no other: X and `ones` are 0 there, and its square
        has so many degrees of freedom. 0 where there is no such row.
    """

    ones: np.ndarray
    n_obs: int
    remainder: int = 0

    @classmethod
    def individuals(cls, n: int) -> Rows:
        """n rows that are n individuals."""
        return cls(np.ones(n), n)

    def sizes(self, codes: np.ndarray, levels: int) -> np.ndarray:
        """(levels,) individuals of each level of a factor with codes (m,)."""
        return np.rint(np.bincount(codes, self.ones**2, levels)).astype(int)
