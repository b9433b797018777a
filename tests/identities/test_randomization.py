"""Randomisation tests: exact by brute force, true to the design, intervals that invert the test."""

from __future__ import annotations

from itertools import permutations, product
from math import factorial, prod

import numpy as np
import pytest
import statsmodels.api as sm
from experiments import draw, fit_all, only, sample_of
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from groupwise.inference.assignments import AssignmentPlan, Assignments, Effort
from groupwise.inference.randomization import (
    Comparison,
    Units,
    _outermost,
    compare_all,
    compare_pair,
    shift_curve,
)
from groupwise.rows import Rows

ALL = Effort()
DRAWN = Effort(max_assignments=1, draws=4_000)

UNBLOCKED = (np.array([0, 1, 1, 0, 1, 0, 1]), np.zeros(7, dtype=int))
BLOCKED = (np.array([0, 1, 0, 1, 0, 0, 1, 1, 0]), np.array([0, 0, 0, 1, 1, 1, 2, 2, 2]))
THREE_ARMS = (np.array([0, 1, 2, 0, 1, 2, 0, 1]), np.array([0, 0, 0, 0, 0, 0, 1, 1]))


def units_of(arm: np.ndarray, block: np.ndarray, n_covariates: int = 0, seed: int = 0) -> Units:
    """Units of one individual each, with random covariates."""
    C = np.random.default_rng(seed).normal(size=(len(arm), n_covariates))
    rows = Rows.individuals(len(arm))
    return Units(np.asarray(arm), np.asarray(block), C, np.arange(len(arm)), rows)


def outcome(n: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=n)


def keeping_counts(arm: np.ndarray, block: np.ndarray) -> list[np.ndarray]:
    """Every distinct assignment that keeps the counts of every block, by itertools."""
    members = [np.flatnonzero(block == b) for b in np.unique(block)]
    found = []
    for parts in product(*(sorted(set(permutations(arm[index]))) for index in members)):
        labels = np.empty_like(arm)
        for index, part in zip(members, parts, strict=True):
            labels[index] = part
        found.append(labels)
    return found


def hc2_wald(y: np.ndarray, arm: np.ndarray, block: np.ndarray, C: np.ndarray) -> float:
    """F of the arms in a regression by statsmodels on indicators of arms and blocks, and C."""
    arms = (arm[:, None] == np.unique(arm)[1:]).astype(float)
    fit = sm.OLS(y, np.hstack([arms, block[:, None] == np.unique(block), C])).fit(cov_type="HC2")
    q = arms.shape[1]
    return float(fit.params[:q] @ np.linalg.solve(fit.cov_params()[:q, :q], fit.params[:q])) / q


def share_as_large(made: float, found: np.ndarray) -> float:
    return float(np.mean(found >= made * (1 - 1e-9)))


@pytest.mark.parametrize("n_covariates", [0, 1])
@pytest.mark.parametrize("design", [UNBLOCKED, BLOCKED], ids=["unblocked", "blocked"])
def test_pair_by_brute_force(design: tuple[np.ndarray, np.ndarray], n_covariates: int) -> None:
    units, y = units_of(*design, n_covariates), outcome(len(design[0]))
    found = compare_pair(units, y, (0, 1), effort=ALL)
    made = hc2_wald(y, *design, units.covariates)
    every = [hc2_wald(y, d, design[1], units.covariates) for d in keeping_counts(*design)]
    assert found.statistic**2 == pytest.approx(made)
    assert found.p_value == pytest.approx(share_as_large(made, np.array(every)), abs=1e-12)


@pytest.mark.parametrize("n_covariates", [0, 1])
def test_omnibus_by_brute_force(n_covariates: int) -> None:
    units, y = units_of(*THREE_ARMS, n_covariates), outcome(8)
    found = compare_all(units, y, effort=ALL)
    made = hc2_wald(y, *THREE_ARMS, units.covariates)
    block, C = THREE_ARMS[1], units.covariates
    every = [hc2_wald(y, d, block, C) for d in keeping_counts(*THREE_ARMS)]
    assert found.statistic == pytest.approx(made)
    assert found.p_value == pytest.approx(share_as_large(made, np.array(every)), abs=1e-12)


def test_statistic_is_welch_and_paired_t() -> None:
    y = outcome(11)
    found = compare_pair(
        units_of(np.repeat([0, 1], [4, 7]), np.zeros(11, int)), y, (0, 1), effort=ALL
    )
    welch = stats.ttest_ind(y[4:], y[:4], equal_var=False)
    assert found.statistic == pytest.approx(welch.statistic)
    pairs = compare_pair(
        units_of(np.tile([0, 1], 5), np.arange(10) // 2), y[:10], (0, 1), effort=ALL
    )
    assert pairs.statistic == pytest.approx(stats.ttest_rel(y[1:10:2], y[:10:2]).statistic)
    assert pairs.plan is not None and pairs.plan.size == 2**5


def test_only_the_two_arms_are_permuted() -> None:
    """A third arm, whatever its outcomes, changes nothing of a pair."""
    arm, y = np.repeat([0, 1, 2], [3, 4, 5]), outcome(12)
    alone = compare_pair(units_of(arm[:7], np.zeros(7, int)), y[:7], (0, 1), effort=ALL)
    among = compare_pair(units_of(arm, np.zeros(12, int)), y, (0, 1), effort=ALL)
    assert among.plan is not None and among.plan.size == 35
    assert (among.p_value, among.conf_low) == (alone.p_value, alone.conf_low)


@given(st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=5), min_size=1, max_size=3))
def test_enumeration_is_complete_and_keeps_blocks(labels: list[list[int]]) -> None:
    arm = np.concatenate([np.array(each) for each in labels])
    block = np.repeat(np.arange(len(labels)), [len(each) for each in labels])
    assignments = Assignments(arm, block)
    every = assignments.enumerated(0, int(assignments.total))
    counts = [[each.count(j) for j in range(3)] for each in labels]
    assert assignments.total == prod(
        factorial(sum(each)) // prod(factorial(n) for n in each) for each in counts
    )
    assert len(np.unique(every, axis=0)) == assignments.total
    assert_counts_kept(every, assignments)


def assert_counts_kept(labels: np.ndarray, assignments: Assignments) -> None:
    for b, counts in enumerate(assignments.counts):
        inside = labels[:, assignments.block == b]
        for j, count in enumerate(counts):
            assert ((inside == j).sum(axis=1) == count).all()


def test_the_lecture_has_756756_assignments() -> None:
    arm = np.repeat([0, 1, 2], 5)
    plan = AssignmentPlan.of(Assignments(arm, np.zeros(15, int)), ALL)
    assert plan.exact and plan.size == 756_756
    assert sum(len(labels) for labels in plan.chunks()) == 756_756


def test_draws_keep_blocks_and_are_uniform() -> None:
    assignments = Assignments(*BLOCKED)
    labels = assignments.drawn(27_000, np.random.default_rng(0))
    assert_counts_kept(labels, assignments)
    count = np.unique(labels, axis=0, return_counts=True)[1]
    assert len(count) == assignments.total == 27
    assert stats.chisquare(count).pvalue > 0.001


@pytest.mark.parametrize("design", [UNBLOCKED, BLOCKED], ids=["unblocked", "blocked"])
def test_exact_under_the_sharp_null(design: tuple[np.ndarray, np.ndarray]) -> None:
    """Over every assignment the design could have made, P(p <= alpha) is alpha where p can be it."""
    y = outcome(len(design[0]))
    p = np.array([
        compare_pair(units_of(d, design[1]), y, (0, 1), effort=ALL, conf_level=None).p_value
        for d in keeping_counts(*design)
    ])  # fmt: skip
    for alpha in np.unique(p):
        assert np.mean(p <= alpha + 1e-12) == pytest.approx(alpha, abs=1e-12)


def test_omnibus_exact_under_the_sharp_null() -> None:
    y = outcome(6)
    arm, block = np.repeat([0, 1, 2], 2), np.zeros(6, int)
    every = keeping_counts(arm, block)
    p = np.array([compare_all(units_of(d, block), y, effort=ALL).p_value for d in every])
    for alpha in np.unique(p):
        assert np.mean(p <= alpha + 1e-12) == pytest.approx(alpha, abs=1e-12)


def test_pair_exact_given_the_third_arm() -> None:
    """The pair is exact also when the third arm has an effect of its own."""
    arm, y = np.repeat([0, 1, 2], [3, 3, 4]), outcome(10)
    y[6:] += 100
    p = np.array([
        compare_pair(units_of(np.append(d, arm[6:]), 0 * arm), y, (0, 1), effort=ALL).p_value
        for d in keeping_counts(arm[:6], np.zeros(6, int))
    ])  # fmt: skip
    assert all(np.mean(p <= alpha) <= alpha + 1e-12 for alpha in np.arange(0.05, 1, 0.05))


@pytest.mark.parametrize("seed", range(4))
def test_draws_agree_with_enumeration(seed: int) -> None:
    units, y = units_of(np.repeat([0, 1], 6), np.zeros(12, int)), outcome(12, seed)
    every = compare_pair(units, y, (0, 1), effort=ALL)
    drawn = compare_pair(units, y, (0, 1), effort=DRAWN)
    error = np.sqrt(every.p_value * (1 - every.p_value) / DRAWN.draws) + 1 / DRAWN.draws
    assert abs(drawn.p_value - every.p_value) < 4 * error
    assert drawn.p_low < drawn.p_value < drawn.p_high
    assert drawn.conf_low == pytest.approx(every.conf_low, abs=0.1 * every.std_error)


def test_draws_count_the_assignment_made() -> None:
    units, y = units_of(np.repeat([0, 1], 10), np.zeros(20, int)), np.arange(20.0)
    found = compare_pair(units, y, (0, 1), effort=Effort(max_assignments=1, draws=99))
    assert found.p_value == pytest.approx(1 / 100)
    assert found.p_low == 0 and found.p_high == pytest.approx(1 - 0.025 ** (1 / 99))


@pytest.mark.parametrize("effort", [ALL, DRAWN], ids=["all", "drawn"])
@pytest.mark.parametrize("n_covariates", [0, 2])
@pytest.mark.parametrize("seed", range(3))
def test_interval_inverts_the_test(effort: Effort, n_covariates: int, seed: int) -> None:
    """An effect is inside exactly when its p-value, of y less the effect, is alpha or more."""
    arm, block = np.array([0, 1] * 7), np.repeat([0, 1], [6, 8])
    units, y = units_of(arm, block, n_covariates, seed), outcome(14, seed)
    found = compare_pair(units, y, (0, 1), effort=effort, conf_level=0.9)
    assert not found.gaps
    low, high, width = found.conf_low, found.conf_high, found.conf_high - found.conf_low
    inside = [low + 1e-6 * width, *np.linspace(low, high, 9)[1:-1], high - 1e-6 * width]
    outside = [low - width, low - 1e-6 * width, high + 1e-6 * width, high + width]
    for effect in [*inside, *outside]:
        shifted = compare_pair(units, y - effect * arm, (0, 1), effort=effort, conf_level=None)
        assert (shifted.p_value >= 0.1) == (effect in inside)


@pytest.mark.parametrize("size", [2_000, 20_000])
def test_curve_is_the_statistic_of_shifted_outcomes(size: int) -> None:
    """One pass serves every tested effect; intervals of many assignments skip only idle roots."""
    units, y = units_of(np.repeat([0, 1], 12), np.zeros(24, int)), outcome(24)
    effort = Effort(max_assignments=1, draws=size)
    curve = shift_curve(Comparison.of(units, (0, 1)), y[None], effort)
    low, high, _ = curve.intervals(0.95)
    for end, sign in ((low, 1), (high, -1)):
        assert curve.p_value(end + sign * 1e-7) >= 0.05 > curve.p_value(end - sign * 1e-7)
    shifted = shift_curve(Comparison.of(units, (0, 1)), y[None] - 0.7 * units.arm, effort)
    np.testing.assert_allclose(shifted.statistics()[1], curve.statistics(0.7)[1], atol=1e-9)


def test_interval_reaches_over_gaps() -> None:
    """Positive on (3, 4) and below 2 only: the hull ends at 4; two such polynomials need 2 votes."""
    quartic = -np.poly([4.0, 3.0, 2.0, -1.0])[None]
    assert _outermost(quartic, base=0, needed=1) == (pytest.approx(4), True)
    lower = -np.poly([3.5, 1 + 1j, 1 - 1j, -1.0]).real[None]
    both = np.concatenate([quartic, lower])
    assert _outermost(lower, base=0, needed=1) == (pytest.approx(3.5), False)
    assert _outermost(both, base=0, needed=2) == (pytest.approx(3.5), True)
    assert _outermost(both, base=1, needed=2) == (pytest.approx(4), False)
    assert _outermost(both, base=2, needed=2) == (np.inf, False)


def test_few_assignments_have_no_interval() -> None:
    units, y = units_of(np.repeat([0, 1], 3), np.zeros(6, int)), np.arange(6.0)
    found = compare_pair(units, y, (0, 1), effort=ALL)
    assert found.p_value == pytest.approx(2 / 20)
    assert (found.conf_low, found.conf_high) == (-np.inf, np.inf)
    wide = compare_pair(units, y, (0, 1), effort=ALL, conf_level=0.85)
    assert np.isfinite([wide.conf_low, wide.conf_high]).all()


@given(st.floats(-1e3, 1e3), st.sampled_from([1e-9, 0.3, -2.0, 1e9]))
def test_shift_and_scale(a: float, b: float) -> None:
    units, y = units_of(*BLOCKED, 1), outcome(9)
    plain = compare_pair(units, y, (0, 1), effort=ALL, conf_level=0.7)
    moved = compare_pair(units, a * abs(b) + b * y, (0, 1), effort=ALL, conf_level=0.7)
    ends = [plain.conf_low, plain.conf_high][:: 1 if b > 0 else -1]
    assert moved.p_value == pytest.approx(plain.p_value, abs=1e-12)
    assert moved.estimate == pytest.approx(b * plain.estimate, rel=1e-6)
    np.testing.assert_allclose([moved.conf_low, moved.conf_high], b * np.array(ends), rtol=1e-6)


def test_batch_is_a_loop() -> None:
    units, Y = units_of(*THREE_ARMS), np.random.default_rng(5).normal(size=(2, 3, 8))
    pairs = compare_pair(units, Y, (0, 1), effort=ALL, conf_level=0.6)
    omnibus = compare_all(units, Y, effort=ALL)
    for i in np.ndindex(2, 3):
        one = compare_pair(units, Y[i], (0, 1), effort=ALL, conf_level=0.6)
        for name in ("estimate", "std_error", "p_value", "conf_low", "conf_high"):
            assert getattr(pairs, name)[i] == pytest.approx(getattr(one, name))
        assert omnibus.p_value[i] == compare_all(units, Y[i], effort=ALL).p_value


def test_draws_repeat_and_streams_differ() -> None:
    assignments = Assignments(np.repeat([0, 1], 15), np.zeros(30, int))
    first, again, other = (
        np.concatenate(list(AssignmentPlan.of(assignments, Effort(draws=500, stream=key)).chunks()))
        for key in ((1, 2), (1, 2), (1, 3))
    )
    assert (first == again).all() and (first != other).any()


def test_blocks_without_one_of_the_arms_are_left_out() -> None:
    arm, block = np.array([0, 1, 0, 1, 0, 0, 1]), np.array([0, 0, 1, 1, 2, 2, 3])
    units, y = units_of(arm, block), outcome(7)
    found = compare_pair(units, y, (0, 1), effort=ALL)
    alone = compare_pair(units_of(arm[:4], block[:4]), y[:4], (0, 1), effort=ALL)
    assert found.plan is not None and found.plan.size == 4
    assert (found.estimate, found.p_value) == (alone.estimate, alone.p_value)
    apart = compare_pair(units_of(arm[4:], block[4:]), y[4:], (0, 1), effort=ALL)
    assert np.isnan(apart.p_value) and "block" in apart.problem


def test_outcomes_without_spread() -> None:
    units = units_of(np.repeat([0, 1, 2], 4), np.zeros(12, int))
    constant = compare_pair(units, np.full(12, 0.1), (0, 1), effort=ALL)
    assert (constant.estimate, constant.std_error, constant.p_value) == (0, 0, 1)
    apart = compare_pair(units, 0.1 + units.arm / 3, (0, 1), effort=ALL)
    assert apart.p_value == pytest.approx(2 / 70)
    assert apart.conf_low == apart.conf_high == pytest.approx(1 / 3)
    assert compare_all(units, 0.1 + units.arm / 3, effort=ALL).p_value == pytest.approx(6 / 34_650)


def test_permuting_individuals_would_be_wrong() -> None:
    """Groups differ and arms do not: individuals as units find an effect where there is none."""
    table = draw("between", arms=2, groups=10, sizes=30, sd_group=3.0, seed=4)
    design = sample_of(table).design
    units = Units.of(design)
    rng = np.random.default_rng(0)
    Y = 3 * rng.normal(size=(200, 10))[:, design.group] + rng.normal(size=(200, 300))
    rows = units_of(design.arm, np.zeros(300, int))
    right = compare_pair(units, units.values(Y), (0, 1), effort=ALL, conf_level=None)
    wrong = compare_pair(rows, Y, (0, 1), effort=Effort(draws=199), conf_level=None)
    assert np.mean(right.p_value <= 0.05) < 0.09
    assert np.mean(wrong.p_value <= 0.05) > 0.5


def test_what_is_randomised_follows_the_design() -> None:
    between = Units.of(sample_of(draw("between")).design)
    blocked = Units.of(sample_of(draw("blocked")).design)
    within = sample_of(draw("within")).design
    assert len(between.arm) == 9 and not between.block.any()
    assert len(blocked.arm) == 9 and len(np.unique(blocked.block)) == 2
    assert (Units.of(within).block == within.group).all() and len(Units.of(within).arm) == 36


@pytest.mark.parametrize("kind", ["between", "blocked", "within"])
def test_rows_and_labels_do_not_matter(kind: str) -> None:
    """Not even for random draws."""
    table = draw(kind, groups=12, sizes=[3, 4, 5] * 4, covariates=["w"])
    if kind == "within":
        table = table.drop(columns="w")
    mixed = table.sample(frac=1, random_state=3).assign(g=lambda t: "g" + (97 - t["g"]).astype(str))
    first, second = (
        fit_all(sample_of(t, conf_level=0.6), ["randomization"]) for t in (table, mixed)
    )
    for name in ("estimates", "omnibus", "marginal_means"):
        numbers = first[name].select_dtypes("float").columns
        np.testing.assert_allclose(first[name][numbers], second[name][numbers], rtol=1e-9)


def test_other_reference_other_sign() -> None:
    table = draw("between", arms=2, groups=10)
    a, b = (
        only(fit_all(sample_of(table, reference=arm), ["randomization"])["estimates"]).iloc[0]
        for arm in "AB"
    )
    assert a["p_value"] == b["p_value"] and a["estimate"] == pytest.approx(-b["estimate"])
    assert a["conf_low"] == pytest.approx(-b["conf_high"])


def test_rows_say_how_they_were_made() -> None:
    enumerated = fit_all(sample_of(draw("between", groups=6)), ["randomization"])["estimates"]
    assert (
        enumerated["df_method"].iloc[0] == "randomization, 6 assignments (all arms: 90 assignments)"
    )
    assert "has no end" not in enumerated["estimand"].iloc[0]
    assert enumerated["message"].str.contains("interval has no end").all()
    assert enumerated["df"].isna().all() and enumerated["p_value"].notna().all()
    drawn = fit_all(sample_of(draw("between", arms=2, groups=30)), ["randomization"])["estimates"]
    assert drawn["df_method"].iloc[0] == "randomization, 9,999 draws (seed 1)"
    assert "Random draws leave" in drawn["message"].iloc[0]
