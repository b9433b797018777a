"""One suite for every specification there is: what any method must put into the results tables."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import pytest
from experiments import KINDS, draw, sample_of

from groupwise import tidy
from groupwise.catalogue.methods import METHODS
from groupwise.catalogue.tables import MODEL_TABLES
from groupwise.methods import fit_tables, specifications
from groupwise.sample import Sample

RAGGED = [1, 2, 3, 4, 5, 6, 7, 8, 9]


def with_outcome(value: float) -> Sample:
    """One value for everybody, which the ingest refuses."""
    sample = sample_of(draw())
    return replace(sample, y=np.full(sample.y.shape, value))


def blocks_within() -> pd.DataFrame:
    """A treatment that varies within groups, and blocks of unequal numbers of groups."""
    table = draw("within", arms=2, groups=6, sizes=6)
    return table.assign(b=np.where(table["g"] <= 2, "north", "south"))


def without_noise(keep: float) -> pd.DataFrame:
    table = draw()
    return table.assign(y=table["arm"].map({"A": 1.0, "B": 2.0, "C": 4.0}) + keep * table["y"])


SAMPLES: dict[str, Callable[[], Sample]] = {
    **{kind: (lambda kind=kind: sample_of(draw(kind))) for kind in KINDS},
    "ragged": lambda: sample_of(draw(sizes=RAGGED)),
    "two arms": lambda: sample_of(draw(arms=2, groups=4)),
    "five arms": lambda: sample_of(draw(arms=5, groups=15)),
    "covariates": lambda: sample_of(draw(sizes=6, covariates=["x", "w", "c"])),
    "random blocks": lambda: sample_of(draw("blocked"), blocks_as="random"),
    "blocks and covariates": lambda: sample_of(draw("blocked", sizes=RAGGED, covariates=["x"])),
    "blocks, within": lambda: sample_of(blocks_within()),
    "random blocks, within": lambda: sample_of(blocks_within(), blocks_as="random"),
    "one member": lambda: sample_of(draw(sizes=1)),
    "group covariate, within": lambda: sample_of(draw("within", sizes=6, covariates=["w"])),
    "no group effect": lambda: sample_of(draw(sd_group=0, seed=4)),
    "groups as one": lambda: sample_of(draw(sd_group=1e3)),
    "constant": lambda: with_outcome(3.0),
    "zero": lambda: with_outcome(0.0),
    "explained": lambda: sample_of(without_noise(keep=0)),
    "explained within": lambda: sample_of(
        draw("within").assign(y=lambda t: 1.0 * (t["arm"] == "B"))
    ),
    "an arm without spread": lambda: sample_of(
        draw().assign(y=lambda t: t["y"].where(t["arm"] != "B", 7.0))
    ),
    "members alike": lambda: sample_of(
        draw(sizes=2).assign(y=lambda t: t.groupby("g")["y"].transform("first"))
    ),
    "far from zero": lambda: sample_of(draw(sizes=RAGGED).assign(y=lambda t: 1e9 + t["y"])),
    "no degree of freedom": lambda: sample_of(
        draw(arms=2, groups=4, sizes=1, covariates=["x", "x2"])
    ),
    "names like code": lambda: sample_of(
        draw(arms=2).assign(arm=lambda t: t["arm"].map({"A": 'a, "b"', "B": "-1"}))
    ),
}

CASES = [
    pytest.param(specification, kind, id=f"{specification}-{kind}")
    for specification in specifications()
    for kind in SAMPLES
]
each_case = pytest.mark.parametrize(("specification", "kind"), CASES)


@cache
def fitted(specification: str, kind: str) -> tuple[Sample, dict[str, pd.DataFrame]]:
    sample = SAMPLES[kind]()
    return sample, fit_tables(specification, sample)


@each_case
def test_tables_have_the_columns_and_types_of_the_schema(specification: str, kind: str) -> None:
    _, tables = fitted(specification, kind)
    assert set(tables) == set(MODEL_TABLES)
    for name, table in tables.items():
        assert list(table.columns) == list(tidy.TABLES[name]), name
        pd.testing.assert_series_equal(table.dtypes, tidy.table(name, []).dtypes, obj=name)
        text = [column for column, kind in tidy.TABLES[name].items() if kind is str]
        assert (
            not table[text].isna().any().any() and not table[text].isin(["None", "nan"]).any().any()
        )
        assert (table["dataset"] == "test").all() and (
            table["specification"] == specification
        ).all()


@each_case
def test_every_method_has_words_and_a_row_per_question(specification: str, kind: str) -> None:
    sample, tables = fitted(specification, kind)
    design = sample.design
    rows = {"estimates": "contrast", "marginal_means": "arm"}
    asked = {"estimates": design.contrast_labels, "marginal_means": design.arm_labels}
    methods = list(tables["omnibus"]["method"])
    assert methods and len(set(methods)) == len(methods) and set(methods) <= set(METHODS)
    for name, column in rows.items():
        found = {method: tuple(part[column]) for method, part in tables[name].groupby("method")}
        assert found == dict.fromkeys(methods, asked[name])
        assert (tables[name]["n_obs"] == design.n_obs).all()
        assert (tables[name]["n_groups"] == design.n_groups).all()
    for table in tables.values():
        assert set(table["method"]) <= set(methods)
    assert not tables["coefficients"].duplicated(["method", "term"]).any()


@each_case
def test_rows_without_an_answer_say_why(specification: str, kind: str) -> None:
    _, tables = fitted(specification, kind)
    for name in ("estimates", "marginal_means"):
        empty = tables[name][tables[name]["estimate"].isna()]
        assert not empty["converged"].any(), name
        assert empty["message"].str.len().gt(10).all(), name
        rest = ["std_error", "statistic", "df", "p_value", "conf_low", "conf_high"]
        assert empty[rest].isna().all().all()
    said = tables["estimates"]["message"]
    assert all(text == "" or (text[0].isupper() or text[0].islower()) for text in said)
    assert said[said != ""].str.endswith(".").all()
    assert not said.str.contains("Error|array|None|nan", regex=True).any()


RESAMPLING = ("ols_wild_bootstrap", "mixed_bootstrap", "randomization")
"""Methods without degrees of freedom, whose intervals may be open."""


@each_case
def test_answers_are_complete_and_in_range(specification: str, kind: str) -> None:
    _, tables = fitted(specification, kind)
    for name in ("estimates", "marginal_means", "coefficients"):
        rows = tables[name].dropna(subset=["estimate"])
        usual = rows[~rows["method"].isin(RESAMPLING)]
        ends = ["estimate", "std_error", "conf_low", "conf_high"]
        assert np.isfinite(usual[ends]).all().all()
        assert (usual["std_error"] >= 0).all() and (usual["df"] > 0).all()
        assert usual["p_value"].notna().all()
        assert rows["p_value"].dropna().between(0, 1).all()
        assert not (rows["conf_low"] > rows["estimate"]).any()
        assert not (rows["estimate"] > rows["conf_high"]).any()
        assert (tables[name]["conf_level"] == 0.95).all()
    omnibus = tables["omnibus"].dropna(subset=["statistic"])
    assert omnibus["p_value"].between(0, 1).all() and (omnibus["statistic"] >= 0).all()
    assert not (omnibus[["df_num", "df_den"]] <= 0).any().any()
    unknown = tables["omnibus"]["statistic"].isna()
    assert tables["omnibus"].loc[unknown, "message"].str.len().gt(10).all()


@each_case
def test_omnibus_and_contrasts_are_of_one_mind(specification: str, kind: str) -> None:
    sample, tables = fitted(specification, kind)
    if len(sample.design.arm_labels) == 2:
        one = tables["estimates"].set_index("method")
        joint = tables["omnibus"].set_index("method").loc[one.index]
        np.testing.assert_allclose(joint["statistic"], one["statistic"] ** 2, rtol=1e-8)
        np.testing.assert_allclose(joint["p_value"], one["p_value"], rtol=1e-6, atol=1e-12)


@each_case
def test_residuals_and_components_add_up(specification: str, kind: str) -> None:
    sample, tables = fitted(specification, kind)
    for _, part in tables["residuals"].groupby("method"):
        assert list(part["row"]) == list(range(sample.design.n_obs))
        np.testing.assert_allclose(part["fitted"] + part["residual"], sample.y, atol=1e-6)
        # A fit with an intercept, shrunken or not, leaves nothing on average.
        size = np.abs(sample.y).max()
        assert (
            abs(part["residual"].mean())
            < 1e-6 * max(sample.y.std(), 1e-9 * size, 1e-12) + 1e-9 * size
        )
    components = tables["variance_components"]
    for _, part in components.groupby(["method", "estimator"]):
        parts = part[~part["group"].str.contains("+", regex=False)]  # less their sum
        assert parts["icc"].sum() == pytest.approx(1) and part["icc"].between(0, 1).all()
        np.testing.assert_allclose(part["std_dev"] ** 2, part["variance"])
        ends = part.dropna(subset=["conf_low"])
        assert (ends["conf_low"] <= ends["std_dev"]).all()
        assert (ends["std_dev"] <= ends["conf_high"]).all()
    effects = tables["random_effects"]
    for (_, group), part in effects.groupby(["method", "group"]):
        assert part["n_obs"].sum() == sample.design.n_obs
        assert set(part["level"]) <= {*sample.design.group_labels, *sample.design.block_labels}
        if group == "g" and sample.design.block is None:
            # Shrunken towards 0, never beyond it.
            assert (
                part["estimate"].abs() <= part["raw"].abs() + 1e-6 * part["raw"].abs().max()
            ).all()
            assert (part["estimate"] * part["raw"] >= -1e-9).all()


def test_specifications_are_found_by_their_file_names() -> None:
    assert {"pooled", "dummy", "mixed"} <= set(specifications())
