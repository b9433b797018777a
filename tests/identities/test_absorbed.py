"""A parameter per group answers as indicator columns do, and blocks of rows as all of them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from experiments import KINDS, draw, fit_all, only, sample_of
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from groupwise import algebra
from groupwise.data.errors import InputError
from groupwise.methods import dummy
from groupwise.models import least_squares
from groupwise.models.least_squares import orthonormal_basis
from groupwise.sample import Sample

CONVENTIONS = ("drop_last", "drop_first", "minimum_norm")


def indicators(sample: Sample) -> np.ndarray:
    """X and an indicator of every group but the first."""
    design = sample.design
    return np.hstack([design.X, design.group[:, None] == np.arange(1, design.n_groups)])


def regression(
    X: np.ndarray, y: np.ndarray, L: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """L beta, its standard errors, and which rows the columns identify, by the pseudo-inverse."""
    inverse = np.linalg.pinv(X, rcond=1e-10)
    residual = y - X @ (inverse @ y)
    df = len(y) - np.linalg.matrix_rank(X, tol=1e-8 * np.linalg.norm(X, 2))
    variance = float(residual @ residual) / df
    along = L @ inverse
    identified = np.abs(along @ X - L).max(axis=1) < 1e-6
    return along @ y, np.sqrt(variance * (along**2).sum(axis=1)), identified


def assert_is_regression(rows: pd.DataFrame, X: np.ndarray, y: np.ndarray, L: np.ndarray) -> None:
    """Numbers of the regression where it identifies them, and NaN elsewhere."""
    estimate, std_error, identified = regression(X, y, L)
    assert (rows["estimate"].notna() == identified).all()
    known = rows[identified]
    size = max(1.0, float(np.abs(y).max()))
    assert_allclose(known["estimate"], estimate[identified], rtol=1e-7, atol=1e-8 * size)
    assert_allclose(known["std_error"], std_error[identified], rtol=1e-6, atol=1e-9 * size)


def kept(X: np.ndarray, order: np.ndarray) -> np.ndarray:
    """The columns that a program keeps which takes them in this order, by ranks."""
    chosen: list[int] = []
    for j in order:
        some = X[:, [*chosen, j]] / np.linalg.norm(X[:, [*chosen, j]], axis=0)
        if np.linalg.matrix_rank(some, tol=1e-7) > len(chosen):
            chosen.append(int(j))
    return np.isin(np.arange(X.shape[1]), chosen)


def printed(X: np.ndarray, y: np.ndarray, convention: str) -> np.ndarray:
    """The coefficients (p,) of a convention, NaN for dropped columns."""
    p = X.shape[1]
    if convention == "minimum_norm":
        return np.linalg.pinv(X, rcond=1e-10) @ y
    order = np.arange(p) if convention == "drop_last" else np.append(0, np.arange(p)[:0:-1])
    beta, columns = np.full(p, np.nan), kept(X, order)
    beta[columns] = np.linalg.lstsq(X[:, columns], y, rcond=None)[0]
    return beta


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
    X, y, design = indicators(sample), sample.y, sample.design
    residual = y - X @ (np.linalg.pinv(X, rcond=1e-10) @ y)
    assume(np.linalg.norm(residual) > 1e-6)  # some residual is left
    tables = fit_all(sample, ["dummy"])
    L = np.hstack([design.L, np.zeros((len(design.L), design.n_groups - 1))])
    assert_is_regression(only(tables["estimates"], method="dummy"), X, y, L)
    coefficients = only(tables["coefficients"], method="dummy")
    assert_is_regression(coefficients, X, y, np.eye(X.shape[1]))
    for convention in CONVENTIONS:
        estimate = only(tables["aliasing"], convention=convention)["estimate"]
        assert_allclose(estimate, printed(X, y, convention), rtol=1e-6, atol=1e-6)
    shown = tables["residuals"]["residual"]
    assert_allclose(shown, residual, atol=1e-8)


def test_where_groups_are_very_many_only_the_terms_of_the_design_are_listed() -> None:
    sample = sample_of(draw("within", covariates=("x",)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dummy, "MOST_CELLS", 0)
        tables = fit_all(sample, ["dummy"])
    rows = only(tables["coefficients"], method="dummy")
    assert tuple(rows["term"]) == sample.design.terms
    assert "the coefficients of groups are not listed" in rows["message"].iloc[0]
    assert set(tables["aliasing"]["term"]) == set(sample.design.terms)


def test_an_outcome_without_noise_has_no_answers() -> None:
    table = draw("between").assign(y=lambda t: t["g"] * 1.0)
    estimates = fit_all(sample_of(table), ["dummy"])["estimates"]
    assert not np.isfinite(estimates["estimate"]).any()
    nested = only(estimates, method="dummy_nested")
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
