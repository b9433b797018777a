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
from typing import Any

import numpy as np

from groupwise import tidy
from groupwise.design import Design
from groupwise.inference.sandwich import (
    Clusters,
    design_clusters,
    make_contrasts,
    robust,
    unknown,
)
from groupwise.inference.wald import wald_statistic
from groupwise.models.least_squares import sum_by

ENUMERATE = 2**16
"""At most so many sign vectors are enumerated."""

BLOCK = 512
"""Draws with a seed of their own, so that no result depends on how draws are spread."""

MOST_WEIGHTS = 2**24
"""A block has fewer draws where there are so many groups that it would have more weights."""

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
    """All sign vectors of so many groups, or so many Webb draws.

    `replicate` separates the draws of one outcome from those of another under the same seed.
    """

    n_groups: int
    draws: int = 9999
    seed: int = 0
    replicate: int = 0
    enumerate_up_to: int = ENUMERATE

    @property
    def enumerated(self) -> bool:
        return 2**self.n_groups <= self.enumerate_up_to

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
            points = rng.integers(6, size=(rows, self.n_groups))[: self.draws - start]
            yield np.concatenate([WEBB, -WEBB])[points]

    def p_value(self, extreme: Any) -> Any:
        """From the number, or array of numbers, of weight vectors as extreme as the data."""
        if self.enumerated:
            return extreme / 2 ** (self.n_groups - 1)
        return (1 + extreme) / (1 + self.draws)

    def describe(self) -> str:
        if self.enumerated:
            return f"wild cluster bootstrap-t, all 2^{self.n_groups} sign vectors"
        return f"wild cluster bootstrap-t, {self.draws} Webb draws, seed {self.seed}"


@dataclass(frozen=True)
class Pieces:
    """What groups contribute to k combinations of coefficients, in their own coordinates.

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
        """Of coordinates Lambda (k, B + r); rows of 0 give 0."""
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

    def p_value(self, x: float) -> float:
        left = (self.a + self.b * x) ** 2
        square = x * x if x * x > ZERO else 0.0
        right = square * (self.A + x * (self.B + x * self.C))
        return float(self.weights.p_value(np.count_nonzero(left >= (1 - TIE) * right)))

    def p_at_infinity(self) -> float:
        """The limit of the p-value for nulls far from the estimate, on either side."""
        return float(self.weights.p_value(np.count_nonzero(np.sqrt(self.C) <= TIE * abs(self.b))))


@dataclass(frozen=True)
class ConfidenceSet:
    """The nulls that are not rejected, as distances from the estimate: its hull, and if it has gaps."""

    low: float
    high: float
    gaps: bool


def p_curves(pieces: Pieces, z: np.ndarray, unit: np.ndarray, weights: Weights) -> list[Curve]:
    """One curve per combination, from scores z (G, w) and CR0 standard errors `unit` (k,)."""
    parts = [
        [_five(pieces, c, v, z / scale) for c, scale in enumerate(unit)] for v in weights.blocks()
    ]
    if not len(unit):
        return []
    a, b, A, B, C = np.moveaxis(np.concatenate(parts, axis=-1), 1, 0)
    return [Curve(a[c], b[c], A[c], B[c], C[c], weights) for c in range(len(unit))]


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
    inside = np.array([curve.p_value(sign * x) >= alpha for x in grid])
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


def wild_p_values(
    clusters: Clusters,
    y: np.ndarray,
    L: np.ndarray,
    *,
    draws: int = 999,
    seed: int = 0,
    first: int = 0,
    enumerate_up_to: int = ENUMERATE,
) -> np.ndarray:
    """p-values (R, k) that each row of L beta is 0 for outcomes y (R, n).

    Outcome i has its draws from (seed, first + i), so that results do not depend on how outcomes
    are spread over calls.
    """
    contrasts = make_contrasts(clusters, L, "CR1")
    found, scores = robust(contrasts, y), clusters.scores(clusters.basis.project(y)[1])
    pieces = Pieces.of(clusters, np.where(contrasts.known[:, None], contrasts.Lambda, 0))
    extreme = np.full(found.estimate.shape, np.nan)
    weights = Weights(clusters.n_groups, draws, seed, 0, enumerate_up_to)
    for i, z in enumerate(scores):
        own = replace(weights, replicate=first + i)
        for c in np.flatnonzero(np.isfinite(found.std_error[i])):
            extreme[i, c] = _count_extreme(pieces, int(c), z, found.estimate[i, c], own)
    return np.asarray(weights.p_value(extreme))


def _count_extreme(pieces: Pieces, c: int, z: np.ndarray, estimate: float, weights: Weights) -> int:
    """How many weight vectors are as extreme as the data under the null of 0."""
    q = z + estimate * pieces.k_g[c]
    limit = _square(estimate**2 / (pieces.along(c, z) ** 2).sum())
    total = 0
    for v in weights.blocks():
        contributions = pieces.contributions(c, v, q)
        variance = np.einsum("vg,vg->v", contributions, contributions)
        as_far = (v @ pieces.along(c, q)) ** 2 >= (1 - TIE) * limit * variance
        total += int(np.count_nonzero(as_far))
    return total


def wild_joint_p_values(
    clusters: Clusters,
    y: np.ndarray,
    L: np.ndarray,
    *,
    draws: int = 999,
    seed: int = 0,
    first: int = 0,
    enumerate_up_to: int = ENUMERATE,
) -> np.ndarray:
    """p-values (R,) that L beta is 0 altogether, by the Wald statistic, for outcomes y (R, n)."""
    contrasts, p_value = make_contrasts(clusters, L, "CR1"), np.full(len(y), np.nan)
    if not (contrasts.known.all() and np.linalg.matrix_rank(contrasts.Lambda) == len(L)):
        return p_value
    # The statistic depends on the span of the rows only: an orthonormal basis serves.
    U = np.linalg.qr(contrasts.Lambda.T)[0].T
    pieces = Pieces.of(clusters, U)
    found = robust(contrasts, y)
    observed = wald_statistic(found.estimate, found.vcov) * contrasts.factor
    coordinates, residual = clusters.basis.project(y)
    distance, scores = coordinates @ U.T, clusters.scores(residual)
    for i in np.flatnonzero(np.isfinite(observed)):
        q = scores[i] + np.einsum("c,cgw->gw", distance[i], pieces.k_g)
        weights = Weights(clusters.n_groups, draws, seed, first + int(i), enumerate_up_to)
        samples = np.concatenate([_samples(pieces, v, q) for v in weights.blocks()])
        p_value[i] = weights.p_value(np.count_nonzero(samples >= (1 - TIE) * _square(observed[i])))
    return p_value


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


UNBOUNDED = "The test rejects no distant value, so the interval is unbounded"
GAPS = "The confidence set has gaps, which the interval spans"


def wild_inference(
    clusters: Clusters,
    y: np.ndarray,
    L: np.ndarray,
    weights: Weights,
    conf_level: float,
    tested: np.ndarray | None = None,
) -> tuple[tidy.Inference, list[str]]:
    """Tests and intervals of every row of L beta for one outcome y (n,), with a note on each.

    Estimates and CR1 standard errors as in the sandwich; there are no degrees of freedom. Rows
    that are not `tested`, a mask (k,), are NaN, as are those without a variance.
    """
    contrasts = make_contrasts(clusters, L, "CR1")
    found, z = robust(contrasts, y), clusters.scores(clusters.basis.project(y)[1])
    usable = np.isfinite(found.std_error) & (True if tested is None else tested)
    unit = found.std_error[usable] / np.sqrt(contrasts.factor)
    curves = p_curves(Pieces.of(clusters, contrasts.Lambda[usable]), z, unit, weights)
    p_value, low, high = np.full((3, len(L)), np.nan)
    notes = [""] * len(L)
    for c, scale, curve in zip(np.flatnonzero(usable), unit, curves, strict=True):
        x = found.estimate[c] / scale
        p_value[c] = curve.p_value(x)
        kept = confidence_set(curve, 1 - conf_level, also=x)
        low[c], high[c] = found.estimate[c] - scale * np.array([kept.high, kept.low])
        notes[c] = GAPS if kept.gaps else "" if np.isfinite([low[c], high[c]]).all() else UNBOUNDED
    statistic, df = found.estimate / found.std_error, np.full(len(L), np.nan)
    inference = tidy.Inference(
        found.estimate, found.std_error, statistic, df, p_value, low, high, conf_level
    )
    return inference.mask(usable), notes


def wild_answers(
    design: Design,
    y: np.ndarray,
    conf_level: float,
    *,
    draws: int = 9999,
    seed: int = 0,
    clusters: Clusters | None = None,
) -> tuple[tidy.Answers, str]:
    """Every question of a design answered for one outcome y (n,), and what is odd about the answers.

    The coefficients of blocks, of which there can be many, are not tested.
    """
    clusters = clusters or design_clusters(design)
    weights = Weights(clusters.n_groups, draws, seed)
    rows = np.vstack([design.L, design.L_means, np.eye(len(design.terms))])
    cuts = np.cumsum([len(design.L), len(design.L_means)])
    _, first, place = np.unique(rows.round(12), axis=0, return_index=True, return_inverse=True)
    place = place.reshape(-1)
    tested = ~np.isin(first, cuts[1] + design.columns("block"))
    found, notes = wild_inference(clusters, y, rows[first], weights, conf_level, tested)
    contrasts, means, coefficients = (_take(found, i) for i in np.split(place, cuts))
    labels = [*design.contrast_labels, *(f"mean of {arm}" for arm in design.arm_labels)]
    message = _message({label: notes[i] for label, i in zip(labels, place, strict=False)})
    omnibus = _omnibus(clusters, y, design.omnibus, weights)
    answers = tidy.Answers(contrasts, means, coefficients, omnibus)
    return answers, " ".join(filter(None, (unknown(design, answers), message)))


def _take(found: tidy.Inference, rows: np.ndarray) -> tidy.Inference:
    columns = {k: v[rows] for k, v in found.columns().items() if k != "conf_level"}
    return tidy.Inference(**columns, conf_level=found.conf_level)


def _omnibus(clusters: Clusters, y: np.ndarray, L: np.ndarray, weights: Weights) -> tidy.JointTest:
    """The Wald statistic (CR1) over its rows, with the bootstrap's p-value."""
    found = robust(make_contrasts(clusters, L, "CR1"), y)
    statistic = float(wald_statistic(found.estimate, found.vcov)) / len(L)
    p_value = wild_joint_p_values(clusters, y[None], L, draws=weights.draws, seed=weights.seed)
    return tidy.JointTest(statistic, float(len(L)), np.nan, float(p_value[0]))


def _message(notes: dict[str, str]) -> str:
    """One sentence per kind of note, with the answers it is about."""
    kinds = dict.fromkeys(note for note in notes.values() if note)
    about = {kind: [label for label, note in notes.items() if note == kind] for kind in kinds}
    return " ".join(f"{kind}: {', '.join(labels)}." for kind, labels in about.items())
