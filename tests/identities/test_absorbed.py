"""Ways for very many rows or groups give the numbers of the usual ways."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from experiments import KINDS, draw, sample_of
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from groupwise import algebra
from groupwise.data.errors import InputError
from groupwise.methods import dummy, fit_tables, gee
from groupwise.models import least_squares, linear
from groupwise.models.least_squares import orthonormal_basis
from groupwise.sample import Sample

TABLES = ("estimates", "marginal_means", "coefficients", "omnibus", "aliasing", "fit_statistics")
KEYS = ["method", "contrast", "arm", "term", "convention", "statistic"]


def both_ways(sample: Sample) -> tuple[dict[str, pd.DataFrame], dict[str, pd.DataFrame]]:
    """The tables of the dummy specification, with a column per group and without."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dummy, "MOST_CELLS", np.inf)
        dense = fit_tables("dummy", sample)
        patch.setattr(dummy, "MOST_CELLS", 0)
        return dense, fit_tables("dummy", sample)


def assert_same(dense: pd.DataFrame, absorbed: pd.DataFrame) -> None:
    """Each row of the second table stands in the first, with the same numbers and the same NaN."""
    words = [key for key in KEYS if key in dense and dense[key].dtype.kind != "f"]
    numbers = list(dense.select_dtypes("number"))
    found = absorbed.merge(dense, on=words, how="left", suffixes=("", "_dense"), indicator=True)
    assert len(found) == len(absorbed) and (found["_merge"] == "both").all()
    for name in numbers:
        wanted = found[f"{name}_dense"].to_numpy(dtype=float)
        size = np.nanmax(np.abs(wanted[np.isfinite(wanted)]), initial=1)
        assert_allclose(found[name], wanted, rtol=1e-7, atol=1e-9 * size, err_msg=name)


@settings(max_examples=30, deadline=None)
@given(
    kind=st.sampled_from(KINDS),
    arms=st.integers(2, 3),
    groups=st.integers(6, 14),
    sizes=st.data(),
    covariates=st.sampled_from([(), ("x",), ("w",), ("c",), ("x", "w", "c"), ("x", "z")]),
    seed=st.integers(0, 1000),
)
def test_absorbed_groups_answer_as_indicators_do(
    kind: str, arms: int, groups: int, sizes: st.DataObject, covariates: tuple[str, ...], seed: int
) -> None:
    size = sizes.draw(st.lists(st.integers(1, 6), min_size=groups, max_size=groups))
    table = draw(kind, arms=arms, groups=groups, sizes=size, covariates=covariates, seed=seed)
    try:
        sample = sample_of(table)
    except InputError:
        assume(False)
    dense, absorbed = both_ways(sample)
    loglik = dense["fit_statistics"].set_index("statistic")["value"]["loglik"]
    assume(np.isfinite(loglik))  # some residual is left
    for name in TABLES:
        assert_same(dense[name], absorbed[name])
    assert set(absorbed["estimates"]["software"]) == {"groupwise"}
    shown = absorbed["residuals"][["fitted", "residual"]]
    assert_allclose(shown, dense["residuals"][["fitted", "residual"]], rtol=1e-9, atol=1e-9)


def test_only_the_terms_of_the_design_are_listed_and_the_message_says_so() -> None:
    sample = sample_of(draw("within", covariates=("x",)))
    _, absorbed = both_ways(sample)
    dummy_rows = absorbed["coefficients"].query("method == 'dummy'")
    assert tuple(dummy_rows["term"]) == sample.design.terms
    assert "the coefficients of groups are not listed" in dummy_rows["message"].iloc[0]
    assert set(absorbed["aliasing"]["term"]) == set(sample.design.terms)


def test_an_outcome_without_noise_has_no_answers() -> None:
    table = draw("between").assign(y=lambda t: t["g"] * 1.0)
    _, absorbed = both_ways(sample_of(table))
    assert not np.isfinite(absorbed["estimates"]["estimate"]).any()
    nested = absorbed["estimates"].query("method == 'dummy_nested'")
    assert nested["message"].str.contains("nothing varies within groups").all()


@given(seed=st.integers(0, 1000), p=st.integers(1, 6), redundant=st.booleans())
@settings(max_examples=25, deadline=None)
def test_blocks_of_rows_give_the_same_basis(seed: int, p: int, redundant: bool) -> None:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(50, p)) * 10.0 ** rng.integers(-4, 5, size=p)
    if redundant:
        X = np.column_stack([X, X @ rng.normal(size=p)])
    level, y = rng.integers(0, 4, size=50), rng.normal(size=50)
    level[:4] = range(4)
    for absorb in (None, level):
        usual = orthonormal_basis(X, absorb)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(least_squares, "ROWS_AT_A_TIME", 7)
            patch.setattr(algebra, "ROWS_AT_A_TIME", 7)
            blocks = orthonormal_basis(X, absorb)
            assert algebra.pivoted_rank(X)[0] == p
        assert blocks.rank == usual.rank
        assert_allclose(blocks.Q.T @ blocks.Q, np.eye(blocks.Q.shape[1]), atol=1e-14)
        assert_allclose(blocks.project(y)[1], usual.project(y)[1], atol=1e-12)
        beta, expected = (
            basis.coordinates(np.eye(X.shape[1]))[0] @ basis.project(y)[0]
            for basis in (blocks, usual)
        )
        assert_allclose(beta, expected, rtol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_least_squares_of_very_many_rows_is_that_of_statsmodels(kind: str) -> None:
    sample = sample_of(draw(kind, covariates=("x", "w")))
    usual = fit_tables("pooled", sample)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(linear, "MANY_ROWS", 1)
        engine = fit_tables("pooled", sample)
    for name in ("estimates", "marginal_means", "coefficients", "omnibus", "fit_statistics"):
        numbers = usual[name].select_dtypes("number").columns
        assert_allclose(engine[name][numbers], usual[name][numbers], rtol=1e-9)
    classical = engine["estimates"].query("method == 'ols_classical'")
    assert set(classical["software"]) == {"groupwise"}
    assert classical["message"].str.contains("statsmodels is asked up to 1,000,000 rows").all()


@settings(max_examples=25, deadline=None)
@given(
    kind=st.sampled_from(KINDS),
    sizes=st.lists(st.integers(1, 7), min_size=9, max_size=15),
    sd_group=st.sampled_from([0.0, 1.0, 5.0]),
    covariates=st.sampled_from([(), ("x",), ("w",)]),
    seed=st.integers(0, 1000),
)
def test_estimating_equations_from_group_sums_are_those_of_statsmodels(
    kind: str, sizes: list[int], sd_group: float, covariates: tuple[str, ...], seed: int
) -> None:
    table = draw(
        kind, groups=len(sizes), sizes=sizes, sd_group=sd_group, covariates=covariates, seed=seed
    )
    try:
        design = (sample := sample_of(table)).design
        usual = gee.fit_gee(design.X, sample.y, design.group)
    except ValueError:
        assume(False)
    assume(usual.converged and np.isfinite(usual.vcov).all())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gee, "MOST_WORK", 0)
        sums = gee.fit_gee(design.X, sample.y, design.group)
    assert sums.software == "groupwise" and sums.converged
    assert_allclose(sums.correlation, usual.correlation, rtol=1e-6, atol=1e-8)
    assert_allclose(sums.beta, usual.beta, rtol=1e-6, atol=1e-7)
    assert_allclose(sums.vcov, usual.vcov, rtol=1e-5, atol=1e-7 * np.abs(usual.vcov).max())


def test_a_row_by_group_sums_says_so() -> None:
    sample = sample_of(draw("between", groups=12))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gee, "MOST_WORK", 0)
        rows = fit_tables("gee", sample)["estimates"]
    assert set(rows["software"]) == {"groupwise"} and rows["converged"].all()
    assert rows["message"].str.startswith("By Groupwise's own estimating equations").all()
