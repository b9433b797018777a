"""Random-effects terms, the grouping factors they share, and the parameters of their covariances.

A term says which columns Z vary over the levels of a grouping factor, u_level ~ N(0, s2 Lambda
Lambda'), with one lower-triangular Lambda a term (diagonal where effects are uncorrelated).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from groupwise.algebra import semidefinite_cholesky


@dataclass(frozen=True)
class RandomTerm:
    """(columns | group): effects of `Zcols` that vary over the levels of a grouping factor.

    Attributes
    ----------
    codes : (n,)
        Level of each row, from 0; every level up to the largest has a row.
    Zcols : (n, q)
        A column of ones for an intercept, a covariate for a slope.
    correlated : bool
        Unstructured covariance of the q effects, or (False) diagonal: lme4's `||`.
    decay : bool
        The q columns are successive periods: their effects have one variance, and the correlation
        r^lag (discrete-time decay: Kasza, Hemming, Hooper, Matthews and Forbes 2019), 0 <= r <= 1.
    name, labels, colnames
        Of the grouping factor, its L levels and the q columns; numbered where left empty.
    """

    codes: np.ndarray
    Zcols: np.ndarray
    correlated: bool = True
    decay: bool = field(default=False, kw_only=True)
    name: str = "group"
    labels: tuple[str, ...] = ()
    colnames: tuple[str, ...] = ()
    n_levels: int = field(init=False)

    def __post_init__(self) -> None:
        codes = np.asarray(self.codes)
        if codes.size == 0 or codes.min() < 0 or np.any(np.bincount(codes) == 0):
            raise ValueError(f"The levels of '{self.name}' must be coded 0, 1, ... without gaps.")
        if np.shape(self.Zcols) != (len(codes), np.shape(self.Zcols)[-1]):
            raise ValueError(f"The columns of '{self.name}' must have a row for each code.")
        levels, q = int(codes.max()) + 1, np.shape(self.Zcols)[1]
        if self.labels and len(self.labels) != levels:
            raise ValueError(f"'{self.name}' has {levels} levels and {len(self.labels)} labels.")
        attributes = {
            "n_levels": levels,
            "labels": self.labels or tuple(map(str, range(levels))),
            "colnames": self.colnames or ("Intercept", *(f"slope{j}" for j in range(1, q)))[:q],
        }
        for name, value in attributes.items():
            object.__setattr__(self, name, value)

    @property
    def q(self) -> int:
        return int(np.shape(self.Zcols)[1])

    @property
    def entries(self) -> list[tuple[int, int]]:
        """(row, column) of the free entries of Lambda, column by column; of decay: sd, and r."""
        if self.decay:
            return [(0, 0), (1, 0)]
        if not self.correlated:
            return [(i, i) for i in range(self.q)]
        return [(i, j) for j in range(self.q) for i in range(j, self.q)]


def random_intercept(
    codes: np.ndarray, *, name: str = "group", labels: tuple[str, ...] = ()
) -> RandomTerm:
    """(1 | name)."""
    return RandomTerm(codes, np.ones((len(codes), 1)), name=name, labels=labels)


def lme4_order(terms: Sequence[RandomTerm]) -> tuple[RandomTerm, ...]:
    """Terms as lme4 orders them: those with more levels first, ties then in reverse."""
    levels = np.array([term.n_levels for term in terms])
    if np.all(np.diff(levels) <= 0):
        return tuple(terms)
    return tuple(terms[t] for t in np.argsort(levels, kind="stable")[::-1])


@dataclass(frozen=True)
class Factor:
    """A grouping factor with all random effects that vary over it, whatever term they are from.

    `codes` (n,); `Z` (n, q) with columns of mean square 1, which `scale` (q,) undoes; `terms`
    are the indices of its terms and `offset` the first of their columns.
    """

    codes: np.ndarray
    Z: np.ndarray
    scale: np.ndarray
    n_levels: int
    terms: tuple[int, ...]
    offset: tuple[int, ...]

    @property
    def q(self) -> int:
        return self.Z.shape[1]

    @property
    def n_effects(self) -> int:
        return self.n_levels * self.q


def factors_of(terms: Sequence[RandomTerm], n_obs: int) -> tuple[Factor, ...]:
    """Terms with the same codes share a factor; mean squares are over n_obs individuals."""
    members: list[list[int]] = []
    for t, term in enumerate(terms):
        same = [m for m in members if np.array_equal(terms[m[0]].codes, term.codes)]
        if same:
            same[0].append(t)
        else:
            members.append([t])
    return tuple(_factor(terms, tuple(m), n_obs) for m in members)


def _factor(terms: Sequence[RandomTerm], members: tuple[int, ...], n_obs: int) -> Factor:
    Z = np.hstack([np.asarray(terms[t].Zcols, dtype=float) for t in members])
    scale = np.sqrt(np.square(Z).sum(axis=0) / n_obs)
    if np.any(scale == 0):
        raise ValueError(f"A random effect of '{terms[members[0]].name}' has a column of zeros.")
    widths = [terms[t].q for t in members]
    offset = tuple(int(o) for o in np.cumsum([0, *widths[:-1]]))
    first = terms[members[0]]
    return Factor(first.codes, Z / scale, scale, first.n_levels, members, offset)


@dataclass(frozen=True)
class Parameters:
    """The k free entries theta of all Lambda, and the k entries omega of all Lambda Lambda'.

    V / s2 = I + sum_r omega_r G_r is linear in omega, and omega_r = theta' T_r theta / 2.

    Attributes
    ----------
    term, factor, row, column : (k,)
        Term and factor of an entry, and its place in the Lambda of its term.
    pattern : k arrays (q_f, q_f)
        E_r: G_r is Z_f (I kron E_r) Z_f'.
    T : (k, k, k)
    scale : (k,)
        theta in units of the scaled columns of Z = theta in units of the data x scale.
    widths : q_f of each factor
    """

    term: np.ndarray
    factor: np.ndarray
    row: np.ndarray
    column: np.ndarray
    pattern: tuple[np.ndarray, ...]
    T: np.ndarray
    scale: np.ndarray
    widths: tuple[int, ...]

    @property
    def k(self) -> int:
        """Number of parameters theta."""
        return len(self.term)

    @property
    def n_omega(self) -> int:
        """Number of entries omega."""
        return len(self.pattern)

    @property
    def angles(self) -> np.ndarray:
        """(k,) mask of the parameters that are no entries of a Lambda."""
        return np.zeros(self.k, dtype=bool)

    @property
    def diagonal(self) -> np.ndarray:
        """(k,) mask of the entries that are standard deviations where others in the row are 0."""
        return self.row == self.column

    def omega(self, theta: np.ndarray) -> np.ndarray:
        """(..., k) entries of Lambda Lambda' at theta (..., k)."""
        return 0.5 * np.einsum("...ra,...a->...r", self.jacobian(theta), theta)

    def jacobian(self, theta: np.ndarray) -> np.ndarray:
        """(..., k, k): d omega_r / d theta_m."""
        return np.tensordot(theta, self.T, (-1, 2))

    def second(self, theta: np.ndarray, gradient: np.ndarray) -> np.ndarray:
        """(..., k, k): sums over r of gradient_r times the second derivatives of omega_r in theta."""
        return np.asarray(np.tensordot(gradient, self.T, 1))

    def natural(self, theta: np.ndarray) -> np.ndarray | None:
        """(..., n_omega, k): derivatives of omega in variances and correlations; None: omega itself."""
        return None

    def covariance(self, omega: np.ndarray) -> list[np.ndarray]:
        """Relative covariance (..., q_f, q_f) of the effects of each factor."""
        G = [np.zeros((*omega.shape[:-1], width, width)) for width in self.widths]
        for r, pattern in enumerate(self.pattern):
            G[self.factor[r]] += omega[..., r, None, None] * pattern
        return G


@dataclass(frozen=True)
class DecayParameters(Parameters):
    """Parameters of which two are of a term with decay: theta_s^2 is its relative variance, and
    r = cos^2 theta_a the correlation of neighbours.

    omega of that term are its covariances by lag, theta_s^2 r^lag; the cosine makes r = 0 and r = 1
    interior points, as the square does a variance of 0.

    Attributes
    ----------
    sd, angle : which of the k they are
    lags : (T,) places of its covariances among omega
    simple : (m, 2) pairs (omega, theta) of all others, omega = theta^2
    """

    sd: int
    angle: int
    lags: np.ndarray
    simple: np.ndarray

    @property
    def angles(self) -> np.ndarray:
        return np.arange(self.k) == self.angle

    def correlation(self, theta: np.ndarray) -> np.ndarray:
        """(...) r at theta (..., k)."""
        return np.asarray(np.cos(theta[..., self.angle]) ** 2)

    def _powers(self, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """r^lag (..., T) and its first two derivatives in r."""
        r, lag = self.correlation(theta)[..., None], np.arange(len(self.lags))
        first = lag * r ** np.maximum(lag - 1, 0)
        second = lag * (lag - 1) * r ** np.maximum(lag - 2, 0)
        return r**lag, first, second

    def omega(self, theta: np.ndarray) -> np.ndarray:
        omega = np.empty((*theta.shape[:-1], self.n_omega))
        omega[..., self.simple[:, 0]] = theta[..., self.simple[:, 1]] ** 2
        omega[..., self.lags] = theta[..., self.sd, None] ** 2 * self._powers(theta)[0]
        return omega

    def jacobian(self, theta: np.ndarray) -> np.ndarray:
        J = np.zeros((*theta.shape[:-1], self.n_omega, self.k))
        J[..., self.simple[:, 0], self.simple[:, 1]] = 2 * theta[..., self.simple[:, 1]]
        (power, first, _), s = self._powers(theta), theta[..., self.sd, None]
        J[..., self.lags, self.sd] = 2 * s * power
        J[..., self.lags, self.angle] = s**2 * first * self._slope(theta)[0][..., None]
        return J

    def _slope(self, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(...) first two derivatives of r in its angle."""
        twice = 2 * theta[..., self.angle]
        return -np.sin(twice), -2 * np.cos(twice)

    def second(self, theta: np.ndarray, gradient: np.ndarray) -> np.ndarray:
        H = np.zeros((*theta.shape[:-1], self.k, self.k))
        H[..., self.simple[:, 1], self.simple[:, 1]] = 2 * gradient[..., self.simple[:, 0]]
        power, first, second = self._powers(theta)
        slope, curve = (each[..., None] for each in self._slope(theta))
        g, s = gradient[..., self.lags], theta[..., self.sd, None]
        H[..., self.sd, self.sd] = (2 * g * power).sum(axis=-1)
        mixed = (2 * g * s * first * slope).sum(axis=-1)
        H[..., self.sd, self.angle] = H[..., self.angle, self.sd] = mixed
        bend = second * slope**2 + first * curve
        H[..., self.angle, self.angle] = (g * s**2 * bend).sum(axis=-1)
        return H

    def natural(self, theta: np.ndarray) -> np.ndarray | None:
        J = np.zeros((*theta.shape[:-1], self.n_omega, self.k))
        J[..., self.simple[:, 0], self.simple[:, 1]] = 1
        power, first, _ = self._powers(theta)
        J[..., self.lags, self.sd] = power
        J[..., self.lags, self.angle] = theta[..., self.sd, None] ** 2 * first
        return J


def parameters_of(terms: Sequence[RandomTerm], factors: Sequence[Factor]) -> Parameters:
    """The parameters of terms in this order, column by column within each: lme4's theta.

    Raises
    ------
    ValueError
        For a term with decay beside another, or beside terms with several effects.
    """
    if any(term.decay for term in terms):
        return _with_decay(terms, factors)
    place = {
        t: (f, offset)
        for f, factor in enumerate(factors)
        for t, offset in zip(factor.terms, factor.offset, strict=True)
    }
    entries = [(t, i, j) for t, term in enumerate(terms) for i, j in term.entries]
    patterns, scale = [], []
    for t, i, j in entries:
        f, offset = place[t]
        pattern = np.zeros((factors[f].q, factors[f].q))
        pattern[offset + i, offset + j] = pattern[offset + j, offset + i] = 1.0
        patterns.append(pattern)
        scale.append(factors[f].scale[offset + i])
    return Parameters(
        term=np.array([t for t, _, _ in entries]),
        factor=np.array([place[t][0] for t, _, _ in entries]),
        row=np.array([i for _, i, _ in entries]),
        column=np.array([j for _, _, j in entries]),
        pattern=tuple(patterns),
        T=_second_derivatives(entries),
        scale=np.array(scale),
        widths=tuple(factor.q for factor in factors),
    )


def _with_decay(terms: Sequence[RandomTerm], factors: Sequence[Factor]) -> DecayParameters:
    """The parameters of one term with decay and of intercepts."""
    if sum(term.decay for term in terms) > 1 or any(t.q > 1 and not t.decay for t in terms):
        raise ValueError("A term with decay can stand beside random intercepts only.")
    place = {t: f for f, factor in enumerate(factors) for t in factor.terms}
    if len(set(place.values())) < len(terms):
        raise ValueError("A term with decay needs a grouping factor that no other term has.")
    theta: list[tuple[int, int, int, float]] = []
    patterns: list[np.ndarray] = []
    factor_of: list[int] = []
    simple: list[tuple[int, int]] = []
    for t, term in enumerate(terms):
        factor = factors[place[t]]
        if term.decay:
            sd, lags = len(theta), np.arange(term.q) + len(patterns)
            theta += [(t, 0, 0, 1.0), (t, 1, 0, 1.0)]
            apart = np.abs(np.subtract.outer(np.arange(term.q), np.arange(term.q)))
            units = np.outer(factor.scale, factor.scale)
            patterns += [(apart == lag) * units for lag in range(term.q)]
            factor_of += [place[t]] * term.q
        else:
            simple.append((len(patterns), len(theta)))
            theta.append((t, 0, 0, float(factor.scale[0])))
            patterns.append(np.ones((1, 1)))
            factor_of.append(place[t])
    term_of, row, column, scale = (np.array(each) for each in zip(*theta, strict=True))
    return DecayParameters(
        term=term_of,
        factor=np.array(factor_of),
        row=row,
        column=column,
        pattern=tuple(patterns),
        T=np.zeros((0, 0, 0)),
        scale=scale,
        widths=tuple(factor.q for factor in factors),
        sd=sd,
        angle=sd + 1,
        lags=lags,
        simple=np.array(simple, dtype=int).reshape(-1, 2),
    )


def _second_derivatives(entries: list[tuple[int, int, int]]) -> np.ndarray:
    """T: (Lambda Lambda')_ij = sum_l Lambda_il Lambda_jl, so T_(ij),(il),(jl) is 1 (2 if i = j)."""
    index = {entry: r for r, entry in enumerate(entries)}
    T = np.zeros((len(entries),) * 3)
    for (t, i, j), r in index.items():
        for column in range(j + 1):
            a, b = index.get((t, i, column)), index.get((t, j, column))
            if a is not None and b is not None:
                T[r, a, b] += 1
                T[r, b, a] += 1
    return T


def factor_of_covariance(parameters: Parameters, theta: np.ndarray) -> np.ndarray:
    """Thetas (B, k) with no negative diagonal and the same Lambda Lambda': columns change sign.

    A column whose diagonal is 0 with entries below is folded into the later ones, so that
    theta is unique.
    """
    theta = theta.copy()
    for t in np.unique(parameters.term):
        mine = np.flatnonzero((parameters.term == t) & ~parameters.angles)
        i, j = parameters.row[mine], parameters.column[mine]
        diagonal = mine[i == j]  # one a column, in order
        theta[:, mine] *= np.where(theta[:, diagonal] < 0, -1.0, 1.0)[:, j]
        below = (theta[:, mine] != 0) & (i != j) & (theta[:, diagonal] == 0)[:, j]
        for b in np.flatnonzero(below.any(axis=1)):
            Lambda = np.zeros((len(diagonal), len(diagonal)))
            Lambda[i, j] = theta[b, mine]
            theta[b, mine] = semidefinite_cholesky(Lambda @ Lambda.T)[i, j]
    return theta
