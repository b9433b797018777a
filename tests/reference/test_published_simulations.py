"""Published simulation studies, repeated: their numbers beside ours (published.json)."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from groupwise.calibration.analyse import analyse
from groupwise.calibration.partial import blocks
from groupwise.calibration.scenario import Background, Process, Scenario, simulate
from groupwise.calibration.study import between_design
from groupwise.inference.sandwich import cluster_design, make_contrasts, robust
from groupwise.models.least_squares import fit_least_squares

PUBLISHED = json.loads((Path(__file__).parent / "published.json").read_text(encoding="utf-8"))
NORMAL = stats.norm.ppf(0.975)


def few_clusters(replicates: int, seed: int) -> dict[str, float]:
    """Cameron, Gelbach and Miller's column: their CR1 and CR3 have factors of their own."""
    rng = np.random.default_rng(seed)
    group, n, L = np.repeat(np.arange(5), 30), 150, np.array([[0.0, 1.0]])
    rejected = np.zeros(3)
    for _ in range(replicates):
        x, y = (rng.standard_normal(5)[group] + rng.standard_normal(n) for _ in range(2))
        X = np.column_stack([np.ones(n), x])
        clusters = cluster_design(X, group)
        cr0, cr3 = (robust(make_contrasts(clusters, L, kind), y) for kind in ("CR0", "CR3"))
        variance = fit_least_squares(clusters.basis, y).variance
        iid = np.sqrt(variance * np.linalg.inv(X.T @ X)[1, 1])
        errors = [iid, cr0.std_error[0] * np.sqrt(5 / 4), cr3.std_error[0] * np.sqrt(4 / 5)]
        rejected += abs(cr0.estimate[0]) > NORMAL * np.array(errors)
    return dict(zip(("iid", "cluster_robust", "cr3"), rejected / replicates, strict=True))


def test_few_clusters_as_cameron_gelbach_and_miller() -> None:
    """Within Monte Carlo error of theirs and of the replication, both of 1,000 replicates.

    But for the iid errors: the published .426 is three Monte Carlo errors below the .474 here and
    the .477 of the replication. It is listed, and not asked for.
    """
    study, replicates = PUBLISHED["few_clusters"], 1500
    found = few_clusters(replicates, seed=11)
    for name, rates in study["rates"].items():
        p = rates["groupwise"]
        error = np.sqrt(p * (1 - p))
        theirs = error * np.sqrt(
            1 / study["published_replicates"] + 1 / study["groupwise_replicates"]
        )
        assert abs(rates["replication"] - p) < 2 * theirs, name
        assert abs(rates["published"] - p) < 2 * theirs or name == "iid", name
        ours = error * np.sqrt(1 / replicates + 1 / study["groupwise_replicates"])
        assert abs(found[name] - p) < 3.5 * ours, name


CASES = {
    "10 clusters of 50, ICC .1": (5, 50, 0.1),
    "6 clusters of 50, ICC .2": (3, 50, 0.2),
    "10 clusters of 5, ICC .01": (5, 5, 0.01),
}


def small_sample_rates(case: str, replicates: int, seed: int) -> dict[str, float]:
    groups, size, icc = CASES[case]
    design = between_design(2, groups, size)
    background = Background.plain(design)
    made = Scenario(case, design, background, np.zeros(2), icc, Process(), "normal", seed)
    y = np.concatenate(
        [simulate(made, block.number, block.size) for block in blocks(replicates, 0)]
    )
    found = analyse(design, y, methods=tuple(PUBLISHED["small_sample_df"]["rates"][case]))
    assert not any(answers.failed.any() for answers in found.values())
    return {method: float((answers.p_value < 0.05).mean()) for method, answers in found.items()}


@pytest.mark.parametrize("case", CASES)
def test_small_sample_df_is_what_was_committed(case: str) -> None:
    study, replicates = PUBLISHED["small_sample_df"], 3000
    found = small_sample_rates(case, replicates, seed=65)
    for method, p in study["rates"][case].items():
        error = np.sqrt(p * (1 - p) * (1 / replicates + 1 / study["groupwise_replicates"]))
        assert found[method] == pytest.approx(p, abs=3.5 * error + 5e-4)


def test_findings_of_nugent_and_kleinman_are_in_our_numbers() -> None:
    few, fewer, small = (PUBLISHED["small_sample_df"]["rates"][case] for case in CASES)
    assert 0.05 < few["mixed_profile"] < fewer["mixed_profile"]
    assert max(each["mixed_satterthwaite"] for each in (few, fewer, small)) <= 0.055
    assert small["mixed_satterthwaite"] < 0.04
