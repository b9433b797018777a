"""Published simulation studies, repeated: their numbers beside ours (published.json, published.py)."""

from __future__ import annotations

import re

import numpy as np
import pytest
from published import PAGE, STUDIES, Rates, cells, difference, load, page
from scipy import stats

PUBLISHED = load()
WITH_NUMBERS = [name for name, study in PUBLISHED.items() if "published_replicates" in study]

REPLICATES = {
    "few_clusters": 1500,
    "cluster_robust": 3000,
    "kenward_roger": 10_000,
    "unequal_groups": 20,  # of each of 126 designs
    "small_sample_df": 3000,
    "clustered_counts": 400,
    "few_clusters_binary": 800,
}
"""A few seconds in all: enough for the committed rates to be missed by what matters."""


LIMIT = 2.75
"""Monte Carlo errors of both sides: chance takes one number in 170 further."""


@pytest.fixture(scope="module")
def found(request: pytest.FixtureRequest) -> tuple[str, Rates]:
    name = request.param
    return name, STUDIES[name](REPLICATES[name], seed=11)


@pytest.mark.parametrize("name", WITH_NUMBERS)
def test_our_rates_are_the_published_ones(name: str) -> None:
    """Each within LIMIT, and columns as wholes no worse than chance where rows are runs of their own."""
    study = PUBLISHED[name]
    excused = [tuple(pair) for pair in study.get("not_asked_for", [])]
    z: dict[str, list[float]] = {}
    for row, column, cell in cells(study):
        if (row, column) not in excused:
            z.setdefault(column, []).append(difference(study, cell))
            assert abs(z[column][-1]) < LIMIT, (row, column, cell)
    if name == "cluster_robust":
        for column, each in z.items():
            assert np.square(each).sum() < stats.chi2.isf(0.001, len(each)), column


def test_what_is_excused_is_off_by_more_than_chance() -> None:
    """An excuse that is not needed any more is to go."""
    for study in PUBLISHED.values():
        for row, column in study.get("not_asked_for", []):
            assert abs(difference(study, study["rates"][row][column])) > LIMIT


@pytest.mark.parametrize("found", list(STUDIES), indirect=True)
def test_committed_rates_are_those_of_the_engine(found: tuple[str, Rates]) -> None:
    """A new run with another seed, within four Monte Carlo errors: 1 in 16,000 a cell."""
    name, rates = found
    study = PUBLISHED[name]
    assert list(rates) == list(study["rates"])
    n = REPLICATES[name] * (126 if name == "unequal_groups" else 1)
    for row, column, cell in cells(study):
        p = cell["groupwise"]
        error = np.sqrt(p * (1 - p) * (1 / n + 1 / study["groupwise_replicates"]))
        assert rates[row][column] == pytest.approx(p, abs=4 * error + 5e-5), (row, column)


def test_every_study_says_where_it_was_read_and_what_made_our_numbers() -> None:
    assert list(PUBLISHED) and set(PUBLISHED) == set(STUDIES)
    for name, study in PUBLISHED.items():
        assert all(study[key] for key in ("title", "source", "read_from", "design"))
        assert study["groupwise_made_by"].startswith(f"{name}(")
        (size,) = re.findall(r"\(([\d_]+),", study["groupwise_made_by"])
        times = 126 if name == "unequal_groups" else 1
        assert int(size) * times == study["groupwise_replicates"]


def test_the_page_is_what_published_json_says() -> None:
    fix = "run `PYTHONPATH=workflow/scripts python tests/reference/published.py --page`"
    assert PAGE.read_text(encoding="utf-8") == page(PUBLISHED), fix


# ---- what the numbers are about ------------------------------------------------------------------


def test_findings_of_nugent_and_kleinman_are_in_our_numbers() -> None:
    rates = PUBLISHED["small_sample_df"]["rates"].values()
    few, fewer, small = ({m: each["groupwise"] for m, each in row.items()} for row in rates)
    assert 0.05 < few["mixed_profile"] < fewer["mixed_profile"]
    assert max(each["mixed_satterthwaite"] for each in (few, fewer, small)) <= 0.055
    assert small["mixed_satterthwaite"] < 0.04


def test_findings_of_thompson_and_colleagues_are_in_our_numbers() -> None:
    """What controls the type I error rate with few clusters, and that z does not."""
    for case, row in PUBLISHED["few_clusters_binary"]["rates"].items():
        rates = {name: each["groupwise"] for name, each in row.items()}
        assert max(rates["group_logs"], rates["glmm_groups"], rates["gee_fay_graubard"]) <= 0.06
        if int(case.split()[0]) <= 10:
            assert min(rates["glmm_likelihood"], rates["gee_kauermann_carroll, z"]) > 0.075


def test_findings_of_li_and_redden_are_in_our_numbers() -> None:
    """Kauermann and Carroll's correction with ten clusters, and where these vary much in size."""
    rows = PUBLISHED["few_clusters_binary"]["rates"]
    for case, row in rows.items():
        kc, fg = (row[f"gee_{name}"]["groupwise"] for name in ("kauermann_carroll", "fay_graubard"))
        if "vary" in case:
            assert kc > 0.07 > fg
        else:
            assert 0.04 < kc < 0.055


def test_the_published_rates_of_exact_tests_are_five_per_cent() -> None:
    """Whoever simulated: CR2 with equal arms, group means and Kenward-Roger in balance, by theory."""
    exact = [
        (PUBLISHED["cluster_robust"], row, "ols_cr2")
        for row in PUBLISHED["cluster_robust"]["rates"]
        if int(row.split()[0]) % 2 == 0
    ]
    exact += [(PUBLISHED["kenward_roger"], row, ".05") for row in ("means_f", "kenward_roger")]
    for study, row, column in exact:
        for side in ("published", "groupwise"):
            n, p = study[f"{side}_replicates"], study["rates"][row][column][side]
            assert abs(p - 0.05) < 3.5 * np.sqrt(0.05 * 0.95 / n) + 5e-4, (row, side)


@pytest.mark.parametrize(("row", "size"), [("4 groups of 3", 3), ("10 groups of 30", 30)])
def test_the_published_rates_of_cr1_are_those_of_theory(row: str, size: int) -> None:
    """With equal arms CR1's t is the exact t of group means, but for a factor and its df."""
    study = PUBLISHED["cluster_robust"]
    G = int(row.split()[0])
    n = G * size
    factor = G / (G - 1) * (n - 1) / (n - 2) * (G - 2) / G
    wanted = 2 * stats.t.sf(stats.t.isf(0.025, G - 1) * np.sqrt(factor), G - 2)
    for side in ("published", "groupwise"):
        error = np.sqrt(wanted * (1 - wanted) / study[f"{side}_replicates"])
        assert study["rates"][row]["ols_cr1"][side] == pytest.approx(wanted, abs=3.5 * error)
