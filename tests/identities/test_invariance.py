"""What must not change an answer does not; what must change it does so by a known amount."""

from __future__ import annotations

import itertools
from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import pytest
from experiments import KINDS, draw, sample_of
from experiments import fit_all as fit_some
from numpy.testing import assert_allclose

from groupwise.sample import Resampling, Sample

CASES = [(kind, "fixed") for kind in KINDS] + [("blocked", "random")]
each_case = pytest.mark.parametrize(("kind", "blocks_as"), CASES)

SPECIFICATIONS = ("dummy", "mixed", "pooled")
SIZES = [3, 5, 4, 7, 3, 6, 4, 5, 8]
FEW_DRAWS = Resampling(bootstrap_draws=199)
# Of a REML fit; two optimisers' paths end within this of one another.
FITTED = 2e-4

LOCATION, SPREAD = ("estimate", "conf_low", "conf_high"), ("std_error",)
SAME = ("statistic", "df", "p_value")


def table_of(kind: str, seed: int = 1) -> pd.DataFrame:
    return draw(kind, sizes=SIZES, sd_group=2, covariates=["x"], seed=seed)


def fit_all(sample: Sample) -> dict[str, pd.DataFrame]:
    return fit_some(replace(sample, resampling=FEW_DRAWS), SPECIFICATIONS)


@cache
def fitted(kind: str, blocks_as: str) -> dict[str, pd.DataFrame]:
    return fit_all(sample_of(table_of(kind), blocks_as=blocks_as))


def without_draws(table: pd.DataFrame) -> pd.DataFrame:
    """Bootstrap draws belong to groups by their place, so that other names give other draws."""
    return table[table["method"] != "mixed_bootstrap"]


def compare(found: pd.DataFrame, expected: pd.DataFrame, columns: tuple[str, ...]) -> None:
    scale = expected["std_error"].fillna(1).to_numpy()
    for column in columns:
        unit = scale if column in LOCATION + SPREAD else 1
        a, b = found[column].to_numpy() / unit, expected[column].to_numpy() / unit
        assert_allclose(a, b, rtol=FITTED, atol=FITTED, err_msg=column)


@pytest.mark.parametrize(("a", "b"), [(-3.0, 0.01), (1e7, -250.0)])
@each_case
def test_a_plus_b_y_moves_every_estimate_by_a_and_b(
    kind: str, blocks_as: str, a: float, b: float
) -> None:
    table = table_of(kind)
    before = fitted(kind, blocks_as)
    after = fit_all(sample_of(table.assign(y=a + b * table["y"]), blocks_as=blocks_as))
    for name, shift in (("estimates", 0.0), ("marginal_means", a)):
        expected = before[name].copy()
        ends = ["conf_low", "conf_high"]
        if b < 0:
            expected[ends] = expected[ends[::-1]].to_numpy()
        expected[list(LOCATION)] = shift + b * expected[list(LOCATION)]
        expected["std_error"] *= abs(b)
        compare(after[name], expected, LOCATION + SPREAD)
        assert (after[name]["converged"] == expected["converged"]).all()
    assert_allclose(
        after["estimates"]["statistic"],
        np.sign(b) * before["estimates"]["statistic"],
        rtol=FITTED,
        atol=FITTED,
    )
    assert_allclose(
        after["variance_components"]["icc"],
        before["variance_components"]["icc"],
        rtol=FITTED,
        atol=FITTED,
    )
    compare(
        after["omnibus"].assign(std_error=1.0),
        before["omnibus"].assign(std_error=1.0),
        ("statistic", "p_value"),
    )
    assert_allclose(gain(before), gain(after), atol=1e-4)


def gain(tables: dict[str, pd.DataFrame]) -> float:
    """What the group level adds to the restricted log-likelihood: it has no units."""
    values = tables["fit_statistics"].set_index(["method", "statistic"])["value"]
    gained: float = values["mixed_wald", "loglik"] - values["mixed_wald", "loglik_without_groups"]
    return gained


@each_case
def test_order_of_rows_and_names_of_groups_change_nothing(kind: str, blocks_as: str) -> None:
    table = table_of(kind)
    rng = np.random.default_rng(3)
    names = dict(zip(table["g"].unique(), rng.permutation(list("klmnopqrs")), strict=True))
    other = table.sample(frac=1, random_state=4).assign(g=lambda t: t["g"].map(names))
    before = fitted(kind, blocks_as)
    after = fit_all(sample_of(other, blocks_as=blocks_as))
    for name in ("estimates", "marginal_means"):
        pair = without_draws(after[name]), without_draws(before[name])
        compare(*pair, LOCATION + SPREAD + SAME)
    renamed = {str(old): new for old, new in names.items()}
    blups = before["random_effects"].assign(level=lambda t: t["level"].replace(renamed))
    again = after["random_effects"].set_index("level").loc[blups["level"]]
    for column in ("estimate", "std_error", "raw", "n_obs"):
        assert_allclose(again[column], blups[column], rtol=1e-3, atol=1e-3)


@each_case
def test_another_reference_flips_signs_only(kind: str, blocks_as: str) -> None:
    table = table_of(kind)
    before = without_draws(fitted(kind, blocks_as)["estimates"])
    for reference in ("B", "C"):
        tables = fit_all(sample_of(table, blocks_as=blocks_as, reference=reference))
        after = tables["estimates"].set_index(["method", "contrast"])
        assert [c.endswith(f" - {reference}") for c in tables["estimates"]["contrast"][:3]] == [
            True,
            True,
            False,
        ]
        for row in before.itertuples():
            b, a = row.contrast.split(" - ")
            same = (row.method, row.contrast) in after.index
            other = after.loc[(row.method, row.contrast if same else f"{a} - {b}")]
            sign = 1 if same else -1
            ends = [other["conf_low"], other["conf_high"]]
            low, high = sorted(sign * end for end in ends) if row.converged else ends
            assert_allclose(
                [sign * other["estimate"], other["std_error"], other["p_value"], low, high],
                [row.estimate, row.std_error, row.p_value, row.conf_low, row.conf_high],
                rtol=FITTED,
                atol=FITTED * 10,
            )


@pytest.mark.parametrize("conf_level", [0.5, 0.95])
@each_case
def test_p_below_one_minus_level_exactly_when_the_interval_excludes_zero(
    kind: str, blocks_as: str, conf_level: float
) -> None:
    sample = sample_of(table_of(kind, seed=2), blocks_as=blocks_as, conf_level=conf_level)
    rows = fit_all(sample)["estimates"].dropna(subset=["estimate"])
    excludes = (rows["conf_low"] > 0) | (rows["conf_high"] < 0)
    assert ((rows["p_value"] < 1 - conf_level) == excludes).all()
    assert (rows["conf_level"] == conf_level).all()


def test_contrasts_add_up_to_one_another() -> None:
    rows = fitted("between", "fixed")["estimates"].set_index(["method", "contrast"])
    for method in ("ols_classical", "dummy_nested", "mixed_wald"):
        estimate = rows.loc[method]["estimate"]
        for a, b, c in itertools.permutations("ABC"):
            if {f"{b} - {a}", f"{c} - {b}", f"{c} - {a}"} <= set(estimate.index):
                total = estimate[f"{b} - {a}"] + estimate[f"{c} - {b}"]
                assert_allclose(total, estimate[f"{c} - {a}"])
