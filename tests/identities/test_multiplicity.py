"""Adjustments for several comparisons: special cases, order, inverses."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.multitest import multipletests

from groupwise.inference.multiplicity import (
    ADJUSTMENTS,
    adjust,
    adjusted,
    holm,
    range_isf,
    range_sf,
)
from groupwise.tidy import Inference

DF = np.array([1, 1.5, 2, 3.7, 8, 12, 30.5, 200, 5e3, 1e6, 1e9, np.inf])
Q = np.geomspace(0.01, 80, 60)


def inference(t: np.ndarray, df: np.ndarray | float, conf_level: float = 0.95) -> Inference:
    """Estimates with standard error 2 and these t statistics."""
    t, df = np.asarray(t, dtype=float), np.broadcast_to(np.asarray(df, dtype=float), np.shape(t))
    half = 2 * stats.t.isf((1 - conf_level) / 2, df)
    p = 2 * stats.t.sf(np.abs(t), df)
    return Inference(2 * t, np.full(t.shape, 2.0), t, df, p, 2 * t - half, 2 * t + half, conf_level)


@pytest.mark.parametrize("df", DF)
def test_range_of_two_is_t(df: float) -> None:
    found = range_sf(Q, 2, df)
    np.testing.assert_allclose(found, 2 * stats.t.sf(Q / np.sqrt(2), df), atol=1e-9)


def test_range_of_two_is_t_below_one_df() -> None:
    np.testing.assert_allclose(range_sf(Q, 2, 0.8), 2 * stats.t.sf(Q / np.sqrt(2), 0.8), atol=1e-7)


@pytest.mark.parametrize(("k", "df"), [(3, 2.0), (3, 9.5), (5, 4.0), (10, 60.0), (20, 3.0)])
def test_range_against_scipy(k: int, df: float) -> None:
    for q in (1.0, 3.5, 8.0):
        assert range_sf(q, k, df) == pytest.approx(stats.studentized_range.sf(q, k, df), abs=1e-8)


@pytest.mark.parametrize("k", [2, 3, 10, 50])
def test_range_limits(k: int) -> None:
    """0 at infinity, 1 at 0, and for small tails the sum over pairs."""
    assert range_sf(0.0, k, np.inf) == pytest.approx(1)
    assert range_sf(np.inf, k, 5.0) == pytest.approx(0, abs=1e-12)
    pairs = k * (k - 1) / 2 * 2 * stats.norm.sf(8 / np.sqrt(2))
    assert range_sf(8.0, k, np.inf) == pytest.approx(pairs, rel=0.05)


@pytest.mark.parametrize("k", [2, 3, 4, 7, 10, 30])
@pytest.mark.parametrize("p", [0.2, 0.05, 0.001])
def test_critical_value_inverts(k: int, p: float) -> None:
    critical = range_isf(p, k, DF)
    np.testing.assert_allclose(range_sf(critical, k, DF), p, rtol=1e-9)
    assert (np.diff(critical) <= 1e-9).all()


def test_missing_df_is_missing() -> None:
    assert np.isnan(range_sf(3.0, 3, np.nan)) and np.isnan(range_isf(0.05, 3, np.array([np.nan])))
    assert np.isnan(range_sf(np.nan, 3, 5.0))


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_against_statsmodels(p: list[float]) -> None:
    np.testing.assert_allclose(holm(np.array(p)), multipletests(p, method="holm")[1], atol=1e-15)


def test_holm_leaves_out_missing() -> None:
    p = np.array([0.01, np.nan, 0.03])
    np.testing.assert_array_equal(holm(p), [0.02, np.nan, 0.03])
    batch = np.array([[0.01, np.nan, 0.03], [0.5, 0.2, 0.04]])
    np.testing.assert_array_equal(holm(batch), [holm(row) for row in batch])


@given(st.lists(st.floats(-6, 6), min_size=3, max_size=3), st.sampled_from([2.3, 12.0, np.inf]))
def test_adjustments_are_ordered_and_agree(t: list[float], df: float) -> None:
    """p: none <= Holm <= Bonferroni, none <= Tukey <= Bonferroni; p < alpha where 0 is outside."""
    given_ = inference(np.array(t), df)
    by = adjust(given_, 3)
    bonferroni = np.minimum(3 * given_.p_value, 1) + 1e-9
    for name in ("holm", "tukey"):
        assert (given_.p_value <= by[name].p_value + 1e-9).all()
        assert (by[name].p_value <= bonferroni).all()
        assert (by[name].conf_low <= given_.conf_low).all()
    outside = (by["tukey"].conf_low > 0) | (by["tukey"].conf_high < 0)
    assert (outside == (by["tukey"].p_value < 0.05)).all()
    assert (by["tukey"].conf_low >= by["holm"].conf_low - 1e-9).all()


def test_two_arms_need_no_adjustment() -> None:
    given_ = inference(np.array([2.2]), 7.3)
    for found in adjust(given_, 2).values():
        assert found.p_value == pytest.approx(given_.p_value, abs=1e-10)
        assert found.conf_low == pytest.approx(given_.conf_low, abs=1e-8)


def test_each_contrast_has_its_df() -> None:
    together = adjust(inference(np.array([2.0, 1.5, 3.0]), np.array([4.0, 9.5, np.inf])), 3)[
        "tukey"
    ]
    for i, (t, df) in enumerate([(2.0, 4.0), (1.5, 9.5), (3.0, np.inf)]):
        alone = adjust(inference(np.array([t]), df), 3)["tukey"]
        assert together.p_value[i] == pytest.approx(alone.p_value[0])
        assert together.conf_high[i] == pytest.approx(alone.conf_high[0])


def test_without_df_only_holm() -> None:
    p = np.array([0.01, 0.2, 0.04])
    found = adjusted(Inference(p, p, p, np.full(3, np.nan), p, -p, p, 0.95), 3)
    holm_rows = found[found["adjustment"] == "holm"]
    assert holm_rows["p_value"].tolist() == pytest.approx([0.03, 0.2, 0.08])
    assert holm_rows["conf_low"].isna().all()
    tukey = found[found["adjustment"] == "tukey"]
    assert tukey[["p_value", "conf_low", "conf_high"]].isna().all(axis=None)


def test_batch_is_a_loop() -> None:
    rng = np.random.default_rng(0)
    t, df = rng.normal(size=(5, 3)), rng.uniform(2, 30, size=(5, 3))
    together = adjust(inference(t, df), 3)
    for name in ADJUSTMENTS:
        for i in range(5):
            alone = adjust(inference(t[i], df[i]), 3)[name]
            np.testing.assert_allclose(together[name].p_value[i], alone.p_value, rtol=1e-9)
            np.testing.assert_allclose(together[name].conf_low[i], alone.conf_low, rtol=1e-9)
