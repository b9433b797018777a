"""Bounds of simulated rates: what they decide, and how often they are wrong."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from groupwise.simulation.rates import (
    PRIOR,
    Criterion,
    criterion_at,
    evidence_above,
    evidence_below,
)

CRITERION = Criterion()
BLOCKS = 500 * np.arange(1, 21)
RUNS = 10_000


def counted(rate: float, seed: int) -> np.ndarray:
    """(runs, looks) events after each block, up to 10,000 replicates."""
    rng = np.random.default_rng(seed)
    return rng.binomial(500, rate, (RUNS, len(BLOCKS))).cumsum(axis=1)


@pytest.mark.parametrize("rate", [0.02, 0.05, 0.06])
def test_a_rate_that_is_allowed_is_hardly_ever_called_too_high(rate: float) -> None:
    """However often one looks: in no more than 1 of 1,000 runs."""
    wrong = CRITERION.too_high(counted(rate, 1), BLOCKS, rates=1).any(axis=1).sum()
    assert wrong <= stats.binom.ppf(1 - 1e-6, RUNS, CRITERION.error)


@pytest.mark.parametrize("rate", [0.075, 0.1, 0.3])
def test_a_rate_that_is_too_high_is_hardly_ever_called_acceptable(rate: float) -> None:
    wrong = CRITERION.acceptable(counted(rate, 2), BLOCKS).any(axis=1).sum()
    assert wrong <= stats.binom.ppf(1 - 1e-6, RUNS, CRITERION.error)


@pytest.mark.parametrize("rate", [0.01, 0.05, 0.09])
def test_bounds_hold_for_all_numbers_of_replicates_together(rate: float) -> None:
    counts = counted(rate, 3)[:2000]
    low, high = CRITERION.bounds(counts, np.broadcast_to(BLOCKS, counts.shape), 1)
    for wrong in ((low > rate).any(axis=1), (high < rate).any(axis=1)):
        assert wrong.sum() <= stats.binom.ppf(1 - 1e-6, len(counts), CRITERION.error)


@pytest.mark.parametrize(
    ("rate", "expected"), [(0.04, "acceptable"), (0.05, "acceptable"), (0.09, "too high")]
)
def test_ten_thousand_replicates_settle_what_is_clear(rate: float, expected: str) -> None:
    counts = counted(rate, 4)[:, -1]
    shown = {
        "acceptable": CRITERION.acceptable(counts, BLOCKS[-1]),
        "too high": CRITERION.too_high(counts, BLOCKS[-1], rates=12),
    }
    assert shown[expected].mean() > 0.9995


@given(
    n=st.integers(1, 3000),
    share=st.floats(0, 1),
    rate=st.floats(0.01, 0.3),
    level=st.sampled_from([0.01, 0.05, 0.1]),
)
def test_evidence_is_the_mean_likelihood_of_the_rates_beyond(
    n: int, share: float, rate: float, level: float
) -> None:
    count = int(share * n)
    prior = stats.beta(PRIOR * level, PRIOR * (1 - level))

    def likelihood(each: float) -> float:
        at, of = (stats.binom.logpmf(count, n, r) for r in (each, rate))
        return float(np.exp(np.clip(at - of, -700, 700)) * prior.pdf(each))

    for evidence, ends, mass in (
        (evidence_below, (0, rate), prior.cdf(rate)),
        (evidence_above, (rate, 1), prior.sf(rate)),
    ):
        value = float(evidence(np.array(count), np.array(n), rate, level))
        if not -30 < value < 30:
            continue
        mode = np.clip((PRIOR * level + count) / (PRIOR + n), *ends)
        near = (np.clip(mode + width, *ends) for width in (-0.02, 0.0, 0.02))
        pieces = pairwise(sorted({*ends, *near}))
        mean = sum(integrate.quad(likelihood, *each, epsrel=1e-10)[0] for each in pieces) / mass
        assert value == pytest.approx(np.log(mean), abs=1e-6)


@given(n=st.integers(1, 20_000), share=st.floats(0, 1), rates=st.integers(1, 60))
def test_judgements_are_those_of_the_bounds(n: int, share: float, rates: int) -> None:
    count, of = np.array([int(share * n)]), np.array([n])
    low, high = CRITERION.bounds(count, of, rates)
    assert low <= count / of <= high
    for shown, bound, limit in (
        (CRITERION.too_high(count, of, rates), -low, -0.06),
        (CRITERION.acceptable(count, of), high, 0.075),
    ):
        assert shown[0] == (bound[0] < limit) or bound[0] == pytest.approx(limit, abs=1e-9)


def test_a_scenario_is_settled_by_one_rate_that_is_too_high_or_by_all_that_are_not() -> None:
    n = np.full(3, 10_000)
    assert CRITERION.settled(np.array([500, 500, 500]), n, 3)
    assert CRITERION.settled(np.array([500, 670, 900]), n, 3)
    assert not CRITERION.settled(np.array([500, 500, 670]), n, 3)
    assert CRITERION.settled(np.zeros(0), np.zeros(0), 3)


def test_a_rate_far_below_the_level_is_simulated_until_it_is_shown_to_be() -> None:
    """So that a method is not called conservative by luck."""
    n = np.full(1, 1000)
    assert not CRITERION.settled(np.array([25]), n, 4)
    assert CRITERION.settled(np.array([5]), n, 4) and CRITERION.settled(np.array([90]), 2 * n, 4)
    assert CRITERION.conservative(np.array([5]), n, 4).all()
    assert not CRITERION.not_conservative(np.array([25]), n).any()


@pytest.mark.parametrize(("level", "valid"), [(0.1, 0.15), (0.05, 0.075), (0.01, 0.015)])
def test_thresholds_are_in_proportion_to_the_level(level: float, valid: float) -> None:
    criterion = criterion_at(level)
    assert criterion.least_invalid == pytest.approx(valid)
    assert criterion.most_valid == pytest.approx(1.2 * level)
    assert criterion.conservative_below == pytest.approx(0.6 * level)
