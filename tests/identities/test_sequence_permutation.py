"""The permutation of sequences against brute force: dense matrices, a loop over assignments."""

from itertools import permutations

import numpy as np
import pandas as pd
import pytest

from groupwise.data.validate import Roles
from groupwise.design import make_design
from groupwise.inference.assignments import Assignments
from groupwise.inference.randomised import units_of
from groupwise.methods import Request, answer, fit_tables, method_of
from groupwise.methods.randomization import METHODS
from groupwise.sample import Resampling, Sample

ROLES = Roles("y", "arm", "group", period="time")
EVERY = Request(resampling=Resampling(max_assignments=10**7))


def trial(sequences, *, seed=1, missing=(), sizes=(1, 6), periods=None):
    """Rows of groups that go through these sequences, a text of arms each."""
    rng = np.random.default_rng(seed)
    rows = []
    for g, sequence in enumerate(sequences):
        u = rng.normal()
        for t, arm in enumerate(sequence):
            if (g, t) in missing:
                continue
            for _ in range(rng.integers(*sizes)):
                rows.append((f"g{g}", t, arm, t + u + rng.normal() + (arm == "b")))
    table = pd.DataFrame(rows, columns=["group", "time", "arm", "y"])
    table["arm"] = pd.Categorical(table["arm"], sorted(table["arm"].unique()))
    table["time"] = pd.Categorical(
        table["time"].astype(str), sorted(table["time"].astype(str).unique())
    )
    return table


def dense(cells, arms, made):
    """tau and t of one assignment: GLS of the cells' means with a dense working covariance."""
    V = 0.5 * np.eye(len(cells)) + 0.5 * (
        cells["group"].to_numpy()[:, None] == cells["group"].to_numpy()
    )
    W = np.linalg.inv(V)
    X0 = pd.get_dummies(cells["time"]).to_numpy(float)
    d = np.array(
        [arms[made[g]][int(t)] == "b" for g, t in zip(cells["group"], cells["time"], strict=True)],
        float,
    )
    X = np.column_stack([X0, d])
    inverse = np.linalg.inv(X.T @ W @ X)
    beta = inverse @ X.T @ W @ cells["y"].to_numpy()
    c = (inverse @ X.T @ W)[-1]
    scores = (
        pd.Series(c * (cells["y"].to_numpy() - X @ beta)).groupby(cells["group"].to_numpy()).sum()
    )
    return beta[-1], beta[-1] / np.sqrt((scores**2).sum())


@pytest.mark.parametrize(
    ("sequences", "missing"),
    [
        (["abbb", "abbb", "aabb", "aabb", "aaab", "aaab"], ()),
        (["ab", "ab", "ab", "ba", "ba", "ba"], ()),
        (["aa", "aa", "aa", "ab", "ab", "ab"], ()),
        (["abbb", "abbb", "aabb", "aabb", "aaab", "aaab"], ((0, 3), (2, 0), (4, 1))),
    ],
)  # fmt: skip
def test_p_value_is_the_share_of_assignments_as_extreme(sequences, missing):
    table = trial(sequences, missing=missing)
    design = make_design(table, ROLES)
    cells = table.groupby(["group", "time"], observed=True)["y"].mean().reset_index()
    groups = sorted(cells["group"].unique())
    arms = dict(enumerate(sorted(set(sequences))))
    number = {text: k for k, text in arms.items()}
    made = [number[each] for each in sequences]
    tau, t = dense(cells, arms, dict(zip(groups, made, strict=True)))
    every = set(permutations(made))
    all_t = np.array(
        [dense(cells, arms, dict(zip(groups, each, strict=True)))[1] for each in every]
    )
    expected = (np.abs(all_t) >= abs(t) * (1 - 1e-9)).mean()
    replicates = answer(design, table["y"].to_numpy(float)[None], ["randomization"], request=EVERY)
    rows = replicates["randomization"].inference
    assert rows.estimate[0, 0] == pytest.approx(tau, rel=1e-10)
    assert rows.statistic[0, 0] == pytest.approx(t, rel=1e-10)
    assert rows.p_value[0, 0] == pytest.approx(expected, abs=1e-12)
    about = METHODS["randomization"].about(method_of("randomization").prepare(design), EVERY)
    assert f"{len(every)} assignments" in about.df_method


def test_interval_holds_the_effects_that_are_not_rejected():
    table = trial(["abbb", "abbb", "aabb", "aabb", "aaab", "aaab"], seed=4)
    design = make_design(table, ROLES)
    y, treated = table["y"].to_numpy(float), (table["arm"] == "b").to_numpy(float)
    rows = answer(design, y[None], ["randomization"], request=EVERY)["randomization"].inference
    low, high = rows.conf_low[0, 0], rows.conf_high[0, 0]
    for effect, inside in (
        (low - 1e-6, False),
        (low + 1e-6, True),
        (high - 1e-6, True),
        (high + 1e-6, False),
    ):
        shifted = answer(design, (y - effect * treated)[None], ["randomization"], request=EVERY)
        p = shifted["randomization"].inference.p_value[0, 0]
        assert (p > 0.05 - 1e-12) == inside, effect


def test_sequences_of_individuals_are_permuted_in_their_groups():
    """An individually randomised crossover: 2 groups of 4, hence 36 assignments."""
    rng = np.random.default_rng(3)
    rows = [
        (f"g{i // 4}", f"p{i}", t, "ab"[(t + i) % 2], rng.normal() + i)
        for i in range(8) for t in range(2)
    ]  # fmt: skip
    table = pd.DataFrame(rows, columns=["group", "person", "time", "arm", "y"])
    table["arm"] = pd.Categorical(table["arm"])
    table["time"] = pd.Categorical(table["time"].astype(str))
    design = make_design(table, Roles("y", "arm", "group", period="time", individual="person"))
    assert vars(design.assignment) == {"unit": "sequence", "bearer": "individual"}
    units = units_of(design)
    assert units.comparison((0, 1)).assignments.total == 36


def test_three_arms_permute_what_two_of_them_leave_in_place():
    """Of the six orders of three arms those with the third in one period are exchanged."""
    orders = ["abc", "bac", "acb", "bca", "cab", "cba"]
    design = make_design(trial(orders * 2, sizes=(1, 2)), ROLES)
    comparison = units_of(design).comparison((0, 1))
    assert comparison.assignments.total == 6**3 and not comparison.problem
    latin = make_design(trial(["abc", "bca", "cab"] * 3, sizes=(1, 2)), ROLES)
    assert "No two units" in units_of(latin).comparison((0, 1)).problem
    assert not units_of(latin).comparison((0, 1, 2)).problem


def test_more_sequences_than_a_byte_holds_are_enumerated() -> None:
    """150 units of one sequence each in blocks of their own, and a block of two that exchange theirs."""
    arm, block = np.r_[np.arange(150), 150, 151], np.r_[np.arange(150), 150, 150]
    labels = Assignments(arm, block).enumerated(0, 2)
    assert (labels[:, :150] == arm[:150]).all()
    assert sorted(labels[:, 150:].tolist()) == [[150, 151], [151, 150]]


def test_the_test_says_where_it_is_approximate() -> None:
    complete = trial(["abb", "abb", "aab", "aab"] * 2)
    assert "approximate" not in remark(complete)
    gone = trial(["abbbb", "aaabb"] * 4, missing=[(g, 1 + 2 * (g % 2)) for g in range(8)])
    assert "goes with the sequence" in remark(gone)
    one = trial(["abb", "aab"] * 4, missing=[(0, 1)])
    assert "The sequence of 1 of 8 units" in remark(one)


def remark(table):
    design = make_design(table, ROLES)
    sample = Sample(
        design, table["y"].to_numpy(float), "d", "group", None, methods=("randomization",)
    )
    return fit_tables("randomization", sample)["estimates"]["message"].iloc[0]
