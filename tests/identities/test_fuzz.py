"""Whatever the data: an answer that holds together, or a row that says why there is none.

Outcomes come from pools that break naive code (constants, ties, one wild value, no residual
variance, 1e-12 and 1e12), on designs of every kind, ragged, with aliased covariates. A mistake of the
user is an InputError; any other exception or warning fails, and so does an answer that changes
when the outcome is measured in other units.
"""

from __future__ import annotations

import os

import numpy as np
import pandas as pd
import pytest
from experiments import KINDS, draw, sample_of
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from groupwise.data.errors import InputError
from groupwise.methods import fit_tables, specifications
from groupwise.sample import Resampling, Sample

FEW = Resampling(wild_draws=99, bootstrap_draws=99, randomization_draws=99, max_assignments=200)
EXAMPLES = int(os.environ.get("GROUPWISE_FUZZ", "12"))
"""How many experiments each specification gets; GROUPWISE_FUZZ=1000 looks harder."""

SCALES = (1e-12, 1e-3, 1.0, 1e12)


@st.composite
def tables(draws: st.DrawFn) -> pd.DataFrame:
    """An experiment with odd outcomes."""
    arms = draws(st.integers(2, 4))
    groups = draws(st.integers(2 * arms, 10))
    sizes = draws(st.lists(st.integers(1, 6), min_size=groups, max_size=groups))
    covariates = draws(st.sampled_from([[], ["x"], ["w"], ["c"], ["x", "w"]]))
    table = draw(
        draws(st.sampled_from(KINDS)),
        arms=arms,
        groups=groups,
        sizes=sizes,
        sd_group=draws(st.sampled_from([0.0, 0.1, 1.0, 100.0])),
        covariates=covariates,
        seed=draws(st.integers(0, 99)),
    )
    table["y"] = draws(st.sampled_from(sorted(OUTCOMES)).map(OUTCOMES.__getitem__))(table)
    return table


OUTCOMES = {
    "as drawn": lambda t: t["y"],
    "constant": lambda t: 0 * t["y"] + 3,
    "ties": lambda t: t["y"].round().clip(9, 11),
    "rare": lambda t: 1.0 * (np.arange(len(t)) == 0),
    "wild": lambda t: t["y"].where(np.arange(len(t)) > 0, 1e6),
    "groups alone": lambda t: t.groupby("g")["y"].transform("mean"),
    "arms alone": lambda t: t.groupby("arm")["y"].transform("mean"),
    "far away": lambda t: 1e6 + t["y"],
}


def sample_or_none(table: pd.DataFrame) -> Sample | None:
    try:
        found = sample_of(table, rank_deficient="drop")
    except InputError as error:
        assert str(error).endswith((".", "?")) and len(str(error)) < 400
        return None
    return Sample(**vars(found) | {"resampling": FEW})


@pytest.mark.parametrize("specification", specifications())
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=True,
)
@given(table=tables(), scale=st.sampled_from(SCALES))
def test_an_answer_that_holds_together_or_a_reason(
    specification: str, table: pd.DataFrame, scale: float
) -> None:
    sample = sample_or_none(table)
    assume(sample is not None)
    assert sample is not None
    found = fit_tables(specification, sample)
    for name in ("estimates", "marginal_means"):
        rows = found[name]
        silent = rows["estimate"].isna() & ~(rows["message"].str.len() > 10)
        assert not silent.any(), rows.loc[silent, "method"].tolist()
        known = rows[rows["p_value"].notna()]
        assert known["p_value"].between(0, 1).all()
        # A randomisation test also answers where nothing varies.
        assert (known["std_error"] > (-1 if specification == "randomization" else 0)).all()
        assert np.isfinite(known["estimate"]).all()
        inside = known.dropna(subset=["conf_low", "conf_high"])
        slack = 1e-9 * (inside["std_error"] + inside["estimate"].abs())
        assert (inside["conf_low"] <= inside["estimate"] + slack).all()
        assert (inside["conf_high"] >= inside["estimate"] - slack).all()
    _same_in_other_units(sample, found["estimates"], scale)


def _same_in_other_units(sample: Sample, before: pd.DataFrame, scale: float) -> None:
    """Estimates scale with the outcome, p-values and reasons stay."""
    changed = Sample(**vars(sample) | {"y": sample.y * scale})
    after = fit_tables(before["specification"].iloc[0], changed)["estimates"]
    size = np.abs(sample.y).max()
    assert_allclose(after["estimate"] / scale, before["estimate"], rtol=1e-5, atol=1e-7 * size)
    clear = before["std_error"].to_numpy() > 1e-6 * size
    assert (after["p_value"].isna() == before["p_value"].isna())[clear].all()
    assert_allclose(after["p_value"][clear], before["p_value"][clear], rtol=1e-4, atol=1e-6)
