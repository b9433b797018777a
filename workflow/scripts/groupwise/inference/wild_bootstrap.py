"""Wild cluster bootstrap-t with the null imposed: p-values, joint tests and confidence sets.

The restricted residuals of a null hypothesis are multiplied by one random weight per group, and
the t statistic (CR1) of the data is compared with those of the samples made so (Cameron, Gelbach
and Miller 2008, Review of Economics and Statistics 90, 414-427; MacKinnon, Nielsen and Webb 2023,
Journal of Econometrics 232, 272-299). Tests are symmetric. With up to 16 groups every vector of signs is
used, the identity, which reproduces the data, among them; with more groups, Webb's six-point
weights from a seed, and the data count as one draw more.

No sample is ever fitted. In the coordinates of `models.least_squares` a sample with weights v has

    estimate - null = Lambda's(v),   s(v) = sum_g v_g q_g,   q_g = z_g + K_g Lambda x / |Lambda|^2
    contribution of group g to its variance = v_g Lambda'q_g - (K_g Lambda)'s(v)

where z_g = Q_g' e_g and x is the estimate less its value under the null. Both are linear in x: five
numbers per v say whether it is as extreme as the data at every null at once, so that a confidence
set costs no more sampling than a p-value.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from groupwise.algebra import sum_by
from groupwise.inference.assignments import sharing
from groupwise.inference.sandwich import make_contrasts, robust
from groupwise.inference.wald import wald_statistic
from groupwise.models.clusters import Clusters, Projected
from groupwise.tidy import Inference, JointTest

ENUMERATE = 2**16
"""At most so many sign vectors are enumerated."""

BLOCK = 512
"""Draws with a seed of their own, so that no result depends on how draws are spread."""

MOST_WEIGHTS = 2**24
"""A block has fewer draws where there are so many groups that it would have more weights."""

MOST_DRAWN, LEAST_DRAWS = 200_000_000, 999
"""So many weights of groups are drawn at most in all, but never fewer draws than the latter."""

AT_A_TIME = 2**20
"""Products of weights that are worked on at a time."""

SIGNS = np.array([1.0, -1.0])

WEBB = np.sqrt(np.array([0.5, 1.0, 1.5]))
"""Webb's (2014) weights are these with either sign, equally likely."""

TIE = 1e-9
"""Statistics that differ relatively by less than this are equal."""

ZERO = 1e-20
"""A squared statistic below this is rounding: the estimate is 0, and nothing is less extreme."""

GRID = np.concatenate([np.linspace(0.25, 12, 48), np.geomspace(12, 1e6, 24)[1:]])
"""Distances from the estimate, in CR0 standard errors, at which a confidence set is looked for."""


@dataclass(frozen=True)
class Weights:
    """Sign vectors of few groups, all of them or so many draws; of more groups so many Webb draws.

    Attributes
    ----------
    replicate : separates the draws of one outcome from those of another under the same seed
    signs_up_to : numbers of sign vectors up to which there are no other weights
    enumerate_up_to : numbers of sign vectors, up to sign, up to which all are gone through
    """

    n_groups: int
    draws: int = 9999
    seed: int = 0
    replicate: int = 0
    enumerate_up_to: int = ENUMERATE
    signs_up_to: int = ENUMERATE

    def of_outcome(self, i: int) -> Weights:
        """The weights of outcome i of a batch that begins with this replicate."""
        return replace(self, replicate=self.replicate + i)

    @cached_property
    def enumerated(self) -> bool:
        return self.signs and 2 ** (self.n_groups - 1) <= self.enumerate_up_to

    @property
    def signs(self) -> bool:
        """Whether weights are 1 and -1."""
        return 2**self.n_groups <= self.signs_up_to

    def blocks(self) -> Iterator[np.ndarray]:
        """Weights v, shape (S, G). Of two opposite sign vectors, which always tie, only one."""
        if self.enumerated:
            total = 2 ** (self.n_groups - 1)
            for start in range(0, total, BLOCK):
                codes = np.arange(start, min(start + BLOCK, total))
                yield 1.0 - 2.0 * (codes[:, None] >> np.arange(self.n_groups) & 1)
            return
        rows = max(1, min(BLOCK, MOST_WEIGHTS // self.n_groups))
        for block, start in enumerate(range(0, self.draws, rows)):
            key = (self.replicate, block)
            rng = np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=key))
            size = (min(rows, self.draws - start), self.n_groups)
            values = SIGNS if self.signs else np.concatenate([WEBB, -WEBB])
            yield values[rng.integers(len(values), size=size)]

    def p_value(self, extreme: Any) -> Any:
        """From the number, or array of numbers, of weight vectors as extreme as the data."""
        if self.enumerated:
            return extreme / 2 ** (self.n_groups - 1)
        return (1 + extreme) / (1 + self.draws)

    def describe(self) -> str:
        if self.enumerated:
            return f"wild cluster bootstrap-t, all 2^{self.n_groups} sign vectors"
        kind = "sign vectors" if self.signs else "Webb draws"
        return f"wild cluster bootstrap-t, {self.draws} {kind}, seed {self.seed}"


@dataclass(frozen=True)
class Pieces:
    """Contributions of groups to k combinations of coefficients, in the coordinates of each group.

    Attributes
    ----------
    Lambda, K_Lambda : (k, G, w)
        The combinations as each group sees them, and K_g times that.
    k_g : (k, G, w)
        K_g Lambda / |Lambda|^2: what a distance of 1 from the null adds to Q_g'(residuals).
    """

    clusters: Clusters
    Lambda: np.ndarray
    K_Lambda: np.ndarray
    k_g: np.ndarray

    @classmethod
    def of(cls, clusters: Clusters, Lambda: np.ndarray) -> Pieces:
        """The pieces of combinations with coordinates Lambda (k, B + r); rows of 0 give 0."""
        x = clusters.local(Lambda)
        length = np.maximum((Lambda**2).sum(axis=1), np.finfo(float).tiny)[:, None, None]
        local, K_Lambda = np.moveaxis(x, 1, 0), np.moveaxis(clusters.leverages(x), 1, 0)
        return cls(clusters, local, K_Lambda, K_Lambda / length)

    def along(self, c: int, q: np.ndarray) -> np.ndarray:
        """Lambda'q_g of combination c for q (G, w): (G,)."""
        return np.einsum("gw,gw->g", self.Lambda[c], q)

    def contributions(self, c: int, v: np.ndarray, q: np.ndarray) -> np.ndarray:
        """v_g Lambda'q_g - (K_g Lambda)'s(v) of combination c for weights v (S, G): (S, G)."""
        level, B, K_Lambda = self.clusters.level, len(self.clusters.basis.size), self.K_Lambda[c]
        shared = 0 if level is None else 1
        out = v * self.along(c, q) - (v @ q[:, shared:]) @ K_Lambda[:, shared:].T
        if level is not None:
            out -= sum_by(v * q[:, 0], level, B)[:, level] * K_Lambda[:, 0]
        return np.asarray(out)


@dataclass(frozen=True)
class Curve:
    """The bootstrap's p-value as a function of the null.

    At a null that is x standard errors (CR0) from the estimate the sample of weight vector v has
    estimate a + b x and variance A + B x + C x^2; the data have x and 1. Arrays of shape (S,).
    """

    a: np.ndarray
    b: np.ndarray
    A: np.ndarray
    B: np.ndarray
    C: np.ndarray
    weights: Weights

    def p_value(self, x: float | np.ndarray) -> np.ndarray:
        """At one null, or (g,) at nulls (g, 1)."""
        left = (self.a + self.b * x) ** 2
        square = x * x * (x * x > ZERO)
        right = square * (self.A + x * (self.B + x * self.C))
        as_far = left >= (1 - TIE) * right
        # With an axis, numpy's count takes ten times as long.
        extreme = np.count_nonzero(as_far) if as_far.ndim == 1 else as_far.sum(axis=-1)
        return np.asarray(self.weights.p_value(extreme))

    def p_at_infinity(self) -> float:
        """The limit of the p-value for nulls far from the estimate, on either side."""
        return float(self.weights.p_value(np.count_nonzero(np.sqrt(self.C) <= TIE * abs(self.b))))


@dataclass(frozen=True)
class ConfidenceSet:
    """The nulls that are not rejected, as distances from the estimate: its hull, and if it has gaps."""

    low: float
    high: float
    gaps: bool


def p_curves(pieces: Pieces, z: np.ndarray, unit: np.ndarray, weights: Weights) -> dict[int, Curve]:
    """The curves of the combinations that have a variance, from the scores z (G, w) of one outcome.

    `unit` (k,) are their CR0 standard errors, NaN where there is none.
    """
    usable = [int(c) for c in np.flatnonzero(np.isfinite(unit))]
    parts = [[_five(pieces, c, v, z / unit[c]) for c in usable] for v in weights.blocks()]
    if not usable:
        return {}
    five = np.concatenate(parts, axis=-1)
    curves = {}
    for j, c in enumerate(usable):
        a, b, A, B, C = five[j]
        curves[c] = Curve(a, b, A, B, C, weights)
    return curves


def _five(pieces: Pieces, c: int, v: np.ndarray, z: np.ndarray) -> np.ndarray:
    """a, b, A, B, C of one combination: (5, S)."""
    k = pieces.k_g[c]
    by_z, by_k = pieces.contributions(c, v, z), pieces.contributions(c, v, k)
    pairs = ((by_z, by_z, 1), (by_z, by_k, 2), (by_k, by_k, 1))
    squares = [times * np.einsum("vg,vg->v", x, y) for x, y, times in pairs]
    return np.stack([v @ pieces.along(c, z), v @ pieces.along(c, k), *squares])


def confidence_set(curve: Curve, alpha: float, also: float = 0.0) -> ConfidenceSet:
    """Invert the test: the nulls with a p-value of at least `alpha`.

    Looks outwards over a grid, to which `also` is added, and then closes in by bisection on the
    outermost step of the p-value across `alpha`, on each side.
    """
    unbounded = curve.p_at_infinity() >= alpha
    sides = [_outermost(curve, alpha, sign, abs(also), unbounded) for sign in (-1, 1)]
    (low, gaps_below), (high, gaps_above) = sides
    return ConfidenceSet(low, high, gaps_below or gaps_above)


def _outermost(
    curve: Curve, alpha: float, sign: int, also: float, unbounded: bool
) -> tuple[float, bool]:
    grid = np.concatenate([[0.0], np.sort(np.append(GRID, also))])
    inside = curve.p_value(sign * grid[:, None]) >= alpha
    inside[0] = True
    last = int(np.flatnonzero(inside)[-1])
    gaps = not inside[: last + 1].all()
    if unbounded or last == len(grid) - 1:
        return sign * np.inf, gaps or (unbounded and not inside.all())
    low, high = grid[last], grid[last + 1]
    while low < (middle := 0.5 * (low + high)) < high:
        if curve.p_value(sign * middle) >= alpha:
            low = middle
        else:
            high = middle
    return sign * low, gaps


def affordable(draws: int, n_groups: int) -> int:
    """Number of draws: `draws`, or fewer where there are very many groups."""
    return min(draws, max(MOST_DRAWN // n_groups, LEAST_DRAWS))


def p_values(
    outcomes: Projected, L: np.ndarray, weights: Weights, *, null: np.ndarray | float = 0.0
) -> np.ndarray:
    """p-values (R, k) that each row of L beta, L (k, p), is `null` (k,), for R outcomes.

    Where weights are drawn some outcomes share them (`assignments.sharing`); where every sign vector
    is used, all do.
    """
    contrasts = make_contrasts(outcomes.clusters, L, "CR1")
    fit = robust(contrasts, outcomes)
    pieces = Pieces.of(
        outcomes.clusters, np.where(contrasts.has_variance[:, None], contrasts.Lambda, 0)
    )
    distance, scores = fit.estimate - null, outcomes.scores
    extreme = np.zeros(distance.shape)
    for batch, batch_weights in _batches(weights, len(scores)):
        for c in np.flatnonzero(contrasts.has_variance):
            extreme[batch, c] = _count_extreme(
                pieces, int(c), scores[batch], distance[batch, c], batch_weights
            )
    return np.where(np.isfinite(fit.std_error), weights.p_value(extreme), np.nan)


def _batches(weights: Weights, n_outcomes: int) -> list[tuple[slice, Weights]]:
    """Outcomes that share their weights."""
    if weights.enumerated:
        return [(slice(n_outcomes), weights)]
    return [
        (some, replace(weights, replicate=number))
        for some, number in sharing(weights.replicate, n_outcomes)
    ]


def _count_extreme(
    pieces: Pieces, c: int, z: np.ndarray, distance: np.ndarray, weights: Weights
) -> np.ndarray:
    """(R,) weight vectors as extreme as the data, for scores z (R, G, w) and distances (R,).

    With weights v_g the variance, sum_g (v_g a_g - K_g's)^2, is sum (v_g a_g)^2 - 2 s'sum v_g a_g K_g
    + s'(sum K_g K_g')s: matrix products of the weights, and a few operations on what they give.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        limit = distance**2 / (np.einsum("gw,rgw->rg", pieces.Lambda[c], z) ** 2).sum(axis=1)
    limit = np.where(np.isfinite(limit) & (limit > ZERO), limit, 0.0)
    q = z + distance[:, None, None] * pieces.k_g[c]
    count = _in_levels if pieces.clusters.level is not None else _in_products
    w = z.shape[2]
    step = max(1, AT_A_TIME // (BLOCK * (2 * w + 1)))
    starts = range(0, len(z), step)
    parts = [count(pieces, c, q[i : i + step], limit[i : i + step], weights) for i in starts]
    return np.concatenate(parts)


def _in_products(
    pieces: Pieces, c: int, q: np.ndarray, limit: np.ndarray, weights: Weights
) -> np.ndarray:
    """`_count_extreme` for q (R, G, w), without an absorbed factor."""
    K, (R, G, w) = pieces.K_Lambda[c], q.shape
    a = np.einsum("gw,rgw->rg", pieces.Lambda[c], q)
    right = np.concatenate([q, a[..., None] * K, a[..., None]], axis=2)
    right, squares = right.transpose(1, 2, 0).reshape(G, -1), (a**2).T
    KK, total = K.T @ K, np.zeros(R, dtype=int)
    for v in weights.blocks():
        product = (v @ right).reshape(len(v), 2 * w + 1, R)
        s, by_a, along = product[:, :w], product[:, w : 2 * w], product[:, 2 * w]
        fixed = squares.sum(axis=0) if weights.enumerated else v**2 @ squares
        variance = fixed + ((np.einsum("ij,vjr->vir", KK, s) - 2 * by_a) * s).sum(axis=1)
        total += (along**2 >= (1 - TIE) * limit * variance).sum(axis=0)
    return total


def _in_levels(
    pieces: Pieces, c: int, q: np.ndarray, limit: np.ndarray, weights: Weights
) -> np.ndarray:
    """`_count_extreme` with an absorbed factor: sums are over the groups of each of its levels.

    What a group loses to its level's sum T of v q is K T, beside what it loses to the others' s.
    """
    level = pieces.clusters.level
    assert level is not None
    # The groups of each level stand together, so that sums over them are products of slices.
    order, size = np.argsort(level, kind="stable"), np.bincount(level)
    level, ends = level[order], np.cumsum(size)
    q, x = q[:, order], pieces.K_Lambda[c][order]
    K, k, first = x[:, 0], x[:, 1:], q[..., 0]
    a = np.einsum("gw,rgw->rg", pieces.Lambda[c][order], q)
    KK, Kk = (sum_by(each, level, len(size)).T[level] for each in (K**2, K * k.T))
    within = KK * first - 2 * a * K
    across = _by_column(2 * (first[..., None] * Kk - a[..., None] * k))
    shared, kk, total = _by_column(q[..., 1:]), k.T @ k, np.zeros(len(q), dtype=int)
    for v in (np.ascontiguousarray(block.T[order]) for block in weights.blocks()):
        s, pulled = ((x @ v).reshape(len(q), k.shape[1], v.shape[1]) for x in (shared, across))
        variance = a**2 @ v**2 + ((kk @ s + pulled) * s).sum(axis=1)
        for each in map(slice, ends - size, ends):
            variance += (first[:, each] @ v[each]) * (within[:, each] @ v[each])
        as_far = (a @ v) ** 2 >= (1 - TIE) * limit[:, None] * variance
        total += np.count_nonzero(as_far, axis=1)
    return total


def _by_column(values: np.ndarray) -> np.ndarray:
    """(R, G, w) as rows (R * w, G) of which a matrix product makes one call."""
    return np.ascontiguousarray(values.swapaxes(1, 2)).reshape(-1, values.shape[1])


def joint(outcomes: Projected, L: np.ndarray, weights: Weights) -> JointTest:
    """Tests (R,) that L beta is 0 altogether: the CR1 Wald statistic over q, by the bootstrap."""
    contrasts = make_contrasts(outcomes.clusters, L, "CR1")
    fit = robust(contrasts, outcomes)
    statistic, p_value = wald_statistic(fit.estimate, fit.vcov), np.full(len(fit.vcov), np.nan)
    unknown = np.full(len(p_value), np.nan)
    if not (contrasts.has_variance.all() and np.linalg.matrix_rank(contrasts.Lambda) == len(L)):
        return JointTest(statistic / len(L), float(len(L)), unknown, p_value)
    # The statistic depends on the span of the rows only: an orthonormal basis serves.
    U = np.linalg.qr(contrasts.Lambda.T)[0].T
    pieces, distance = Pieces.of(outcomes.clusters, U), outcomes.coordinates @ U.T
    for i in np.flatnonzero(np.isfinite(statistic)):
        q = outcomes.scores[i] + np.einsum("c,cgw->gw", distance[i], pieces.k_g)
        outcome_weights = weights.of_outcome(int(i))
        samples = np.concatenate([_samples(pieces, v, q) for v in outcome_weights.blocks()])
        limit = _square(statistic[i] * contrasts.factor)
        p_value[i] = outcome_weights.p_value(np.count_nonzero(samples >= (1 - TIE) * limit))
    return JointTest(statistic / len(L), float(len(L)), unknown, p_value)


def _square(value: float) -> float:
    """A squared statistic, without what is only rounding."""
    return float(value) if value > ZERO else 0.0


def _samples(pieces: Pieces, v: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Wald statistics (S,), with CR0, of the samples with weights v (S, G)."""
    combinations = range(len(pieces.Lambda))
    estimate = np.stack([v @ pieces.along(c, q) for c in combinations], axis=-1)
    by_group = np.stack([pieces.contributions(c, v, q) for c in combinations], axis=-2)
    return _wald(estimate, by_group @ np.swapaxes(by_group, -1, -2))


def _wald(estimate: np.ndarray, vcov: np.ndarray) -> np.ndarray:
    """Wald statistics; infinite where the estimate leaves the span of a singular covariance."""
    values, vectors = np.linalg.eigh(vcov)
    rotated = np.einsum("...i,...ij->...j", estimate, vectors) ** 2
    size = np.maximum(values[..., -1:], np.finfo(float).tiny)
    singular = values <= 1e-13 * size
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = np.where(singular, np.where(rotated > 1e-13 * size, np.inf, 0), rotated / values)
    return np.asarray(parts.sum(axis=-1))


def inference(
    outcomes: Projected, L: np.ndarray, weights: Weights, conf_level: float, searched: int
) -> Inference:
    """Tests (R, k) of every row of L beta, and for the first `searched` outcomes intervals.

    Estimates and CR1 standard errors are those of the sandwich; there are no degrees of freedom.
    """
    contrasts = make_contrasts(outcomes.clusters, L, "CR1")
    fit = robust(contrasts, outcomes)
    pieces = Pieces.of(
        outcomes.clusters, np.where(contrasts.has_variance[:, None], contrasts.Lambda, 0)
    )
    low, high = np.full((2, *fit.estimate.shape), np.nan)
    gaps = np.zeros(fit.estimate.shape, dtype=bool)
    for i in range(searched):
        unit = fit.std_error[i] / np.sqrt(contrasts.factor)
        curves = p_curves(pieces, outcomes.scores[i], unit, weights.of_outcome(i))
        for c, curve in curves.items():
            x = fit.estimate[i, c] / unit[c]
            limits = confidence_set(curve, 1 - conf_level, also=x)
            low[i, c] = fit.estimate[i, c] - unit[c] * limits.high
            high[i, c] = fit.estimate[i, c] - unit[c] * limits.low
            gaps[i, c] = limits.gaps
    with np.errstate(invalid="ignore"):
        statistic = fit.estimate / fit.std_error
    p_value = p_values(outcomes, L, weights)
    rows = Inference(
        estimate=fit.estimate,
        std_error=fit.std_error,
        statistic=statistic,
        df=np.full(statistic.shape, np.nan),
        p_value=p_value,
        conf_low=low,
        conf_high=high,
        conf_level=conf_level,
        gaps=gaps,
    )
    return rows.mask(np.isfinite(fit.std_error))
