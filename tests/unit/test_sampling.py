"""Samples of rows: all of few, the same of many, and said where they are shown."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from experiments import draw, fit_all, sample_of

from groupwise import sample as samples
from groupwise.data.sampling import counted, sampled_rows
from groupwise.figures import style


def test_few_rows_are_all_there_in_order() -> None:
    assert list(sampled_rows(5, most=5)) == [0, 1, 2, 3, 4]


def test_a_sample_is_the_same_every_time_in_order_and_without_doubles() -> None:
    first, second = sampled_rows(10_000, most=100), sampled_rows(10_000, most=100)
    assert np.array_equal(first, second)
    assert len(first) == 100 and (np.diff(first) > 0).all()
    assert first.min() < 1_000 and first.max() > 9_000


def test_a_sample_represents_the_rows() -> None:
    shown = sampled_rows(1_000_000) / 1_000_000
    assert shown.mean() == pytest.approx(0.5, abs=0.005)
    assert shown.std() == pytest.approx(np.sqrt(1 / 12), abs=0.005)


def test_words_say_whether_it_is_a_sample() -> None:
    assert counted(375, 375, "rows") == "375 rows"
    said = counted(200_000, 10_000_000, "rows")
    assert said == "a sample of 200,000 of 10,000,000 rows"
    assert style.drawn(375, 375, "rows") == ""
    assert style.drawn(10, 375, "rows") == "Drawn: a sample of 10 of 375 rows."


def test_a_figure_draws_rows_of_the_table() -> None:
    table = pd.DataFrame({"x": np.arange(50)})
    assert style.sample(table, 50) is table
    part = style.sample(table, 20)
    assert len(part) == 20 and part["x"].is_monotonic_increasing


def test_samples_keep_residuals_of_the_same_sampled_rows() -> None:
    sample = sample_of(draw("between", groups=9, sizes=6))
    every = fit_all(sample)["residuals"].set_index(["method", "row"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(samples, "sampled_rows", lambda n: sampled_rows(n, most=10))
        some = fit_all(sample)["residuals"].set_index(["method", "row"])
    assert set(some.index) == {
        (method, row) for method in every.index.levels[0] for row in sampled_rows(54, most=10)
    }
    pd.testing.assert_frame_equal(some, every.loc[some.index])
