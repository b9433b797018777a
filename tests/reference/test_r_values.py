"""The package gives what R gives, for six datasets; README.md here says how the values were made.

Tolerances are relative to the larger of a value and its standard error. EXACT is for closed forms.
FITTED is for what follows an optimiser: 1e-7 was reached everywhere, with ten times that allowed for
other machines; closer than that the two optimisers stop at different points of a flat top. NLME is
for intervals from second derivatives: ours do not change with the step, nlme's are the coarser.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from experiments import ROOT, fit_all, mixed_by_codes, only, predictions, sample_of, theta_for
from raw_table import read_raw

from groupwise.data.simulate import Recipe, simulate
from groupwise.data.validate import Roles
from groupwise.inference.mixed import MixedFit, MixedModel
from groupwise.sample import Sample

HERE = Path(__file__).parent
DATASETS = ["blocked", "boundary", "flipped_classroom", "star_math", "star_reading", "unbalanced"]
BLOCKED = ["blocked", "star_math", "star_reading"]

EXACT = 1e-9
FITTED = 1e-6
NLME = 1e-2
ROW = ("estimate", "std_error", "statistic", "df", "p_value", "conf_low", "conf_high")
MEAN = ("estimate", "std_error", "df", "conf_low", "conf_high")

each_dataset = pytest.mark.parametrize("name", DATASETS)
each_mixed = pytest.mark.parametrize(
    ("name", "model"),
    [(name, "reml") for name in DATASETS]
    + [
        pytest.param(
            *(name, "reml_nested"), marks=[pytest.mark.slow] if name.startswith("star") else []
        )
        for name in BLOCKED
    ],
)


@cache
def reference(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((HERE / f"{name}.json").read_text(encoding="utf-8"))
    return content


@cache
def sample(name: str, blocks_as: str = "fixed") -> Sample:
    """The dataset as the pipeline reads and ingests it."""
    about = reference(name)["dataset"]
    settings = {key: about[key] for key in ("outcome", "treatment", "group", "block", "covariates")}
    roles = Roles.from_settings(settings)
    return sample_of(
        read_raw(ROOT / about["file"], roles).table,
        roles,
        levels=about["levels"],
        blocks_as=blocks_as,
        dataset=name,
    )


MODELS = {
    "ols": ("pooled", "ols_classical"),
    "dummy": ("dummy", "dummy"),
    "dummy_nested": ("dummy", "dummy_nested"),
    "reml": ("mixed", "mixed_wald"),
    "reml_nested": ("mixed", "mixed_wald"),
}
"""Specification and method that answer a model of the reference."""


@cache
def tables(name: str, blocks_as: str, specification: str) -> dict[str, pd.DataFrame]:
    return fit_all(sample(name, blocks_as), [specification])


def blocks_in(model: str) -> str:
    return "random" if model == "reml_nested" else "fixed"


def of_model(name: str, model: str, table: str) -> pd.DataFrame:
    """The rows of a results table that answer a model of the reference."""
    specification, method = MODELS[model]
    return only(tables(name, blocks_in(model), specification)[table], method=method)


def term_of(name: str, key: str) -> str:
    """R's name of a coefficient in the words of the results tables."""
    about = reference(name)["dataset"]
    role, _, level = key.partition("=")
    return f"{about[role]}: {level}" if level else {"intercept": "Intercept"}.get(key, key)


def by_term(name: str, values: Mapping[str, float]) -> pd.Series:
    return pd.Series({term_of(name, key): value for key, value in values.items()}, dtype=float)


def frame(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> np.ndarray:
    """The reference's rows as numbers; \"inf\" is infinity."""
    return np.array([[float(row[column]) for column in columns] for row in rows])


def assert_close(found: Any, expected: Any, rtol: float, scale: Any = 0.0) -> None:
    found, expected = np.asarray(found, dtype=float), np.asarray(expected, dtype=float)
    known = np.isfinite(expected)
    assert np.array_equal(found[~known], expected[~known], equal_nan=True)
    size = np.maximum(np.abs(expected), np.asarray(scale))[known]
    error = np.abs(found[known] - expected[known]) / np.maximum(size, 1e-300)
    worst = np.max(error, initial=0.0)
    assert worst <= rtol, f"{worst:.2g} from R, {rtol:.0e} is allowed"


def assert_rows(
    found: pd.DataFrame, rows: Sequence[Mapping[str, Any]], columns: Sequence[str], rtol: float
) -> None:
    """Rows of estimates: all columns close, in units of the standard error where that is larger."""
    expected = frame(rows, columns)
    scale = np.zeros_like(expected)
    for j, column in enumerate(columns):
        if column in ("estimate", "conf_low", "conf_high"):
            scale[:, j] = expected[:, columns.index("std_error")]
        if column == "statistic":
            scale[:, j] = 1
    assert_close(found[list(columns)], expected, rtol, scale)


def model_of(name: str, model: str) -> MixedModel:
    design = sample(name, blocks_in(model)).design
    return mixed_by_codes(design.X, design.group, design.block if model == "reml_nested" else None)


def at_variances_of(
    name: str, model: str, fit: Mapping[str, Any], *, reml: bool = True
) -> MixedFit:
    """The fit at the variances of another one."""
    made, residual = model_of(name, model), fit["sd_residual"]
    relative = {"group": fit["sd_group"] / residual, "block": fit.get("sd_block", 0.0) / residual}
    return made.fit(sample(name, blocks_in(model)).y, theta=theta_for(made, **relative), reml=reml)


# Is the reference the reference of these data? ----------------------------------------------------


@each_dataset
def test_reference_was_made_from_the_data_as_they_are(name: str) -> None:
    about = reference(name)["dataset"]
    content = (ROOT / about["file"]).read_bytes()
    assert hashlib.md5(content, usedforsecurity=False).hexdigest() == about["md5"]


@each_dataset
def test_pipeline_analyses_the_rows_that_r_analyses(name: str) -> None:
    about, design = reference(name)["dataset"], sample(name).design
    assert (design.n_obs, design.n_groups) == (about["n_obs"], about["n_groups"])
    assert len(design.block_labels) == about["n_blocks"]
    assert list(design.arm_labels) == about["levels"]


def test_lecture_recipe_still_draws_the_reference_data() -> None:
    recipe = Recipe(
        seed=279,
        groups_per_arm={"No flip": 5, "Some flip": 5, "Fully flipped": 5},
        group_size=25,
        mean=70,
        effects={"Some flip": 4, "Fully flipped": 2},
        sd_group=5,
        sd_residual=8,
        decimals=1,
    )
    table = simulate(recipe, outcome="score", treatment="style", group="professor")
    kept = (HERE / "data" / "flipped_classroom.csv").read_text(encoding="utf-8")
    assert table.to_csv(index=False, float_format="%.12g", lineterminator="\n") == kept


# Closed forms -------------------------------------------------------------------------------------


@each_dataset
@pytest.mark.parametrize("model", ["ols", "dummy_nested"])
def test_least_squares_coefficients(name: str, model: str) -> None:
    expected = reference(name)[model]
    std_errors = by_term(name, expected["std_errors"])
    found = of_model(name, model, "coefficients").set_index("term").loc[std_errors.index]
    estimates = by_term(name, expected["coefficients"])
    assert_close(found["estimate"], estimates, EXACT, std_errors)
    assert_close(found["std_error"], std_errors, EXACT)
    assert (found["df"] == expected["df_residual"]).all()


@each_dataset
@pytest.mark.parametrize("model", ["ols", "dummy_nested"])
def test_least_squares_contrasts(name: str, model: str) -> None:
    expected = reference(name)[model]["contrasts"]
    found = of_model(name, model, "estimates")
    assert list(found["contrast"]) == [row["contrast"] for row in expected]
    assert_rows(found, expected, ROW, 1e-8)  # p-values far out lose a digit


@each_dataset
@pytest.mark.parametrize("model", ["ols", "dummy_nested"])
def test_least_squares_omnibus(name: str, model: str) -> None:
    expected = reference(name)[model]["omnibus"]
    columns = ("statistic", "df_num", "df_den", "p_value")
    assert_close(of_model(name, model, "omnibus")[list(columns)], frame([expected], columns), 1e-8)


@each_dataset
def test_least_squares_means(name: str) -> None:
    expected = reference(name)["ols"]["marginal_means"]
    found = of_model(name, "ols", "marginal_means")
    assert list(found["arm"]) == [row["arm"] for row in expected]
    assert_rows(found, expected, MEAN, EXACT)


@each_dataset
def test_least_squares_fit(name: str) -> None:
    found = of_model(name, "ols", "fit_statistics").set_index("statistic")["value"]
    expected = reference(name)["ols"]
    values = [expected["loglik"], expected["sigma"]]
    assert_close(found[["loglik", "sd_residual"]], values, EXACT)
    dummy = of_model(name, "dummy", "fit_statistics").set_index("statistic")["value"]
    assert_close(dummy["sd_residual"], reference(name)["dummy"]["sigma"], EXACT)


# The dummy trap -----------------------------------------------------------------------------------


@each_dataset
def test_dummy_model_has_the_rank_and_the_aliased_columns_of_lm(name: str) -> None:
    dummy = reference(name)["dummy"]
    expected = dummy.get("with_block", dummy)
    found = of_model(name, "dummy", "fit_statistics").set_index("statistic")["value"]
    assert (found["columns"], found["rank"]) == (expected["n_columns"], expected["rank"])
    dropped = only(of_model(name, "dummy", "aliasing"), convention="drop_last", aliased=True)
    assert list(dropped["term"]) == [term_of(name, key) for key in expected["aliased"]]


@each_dataset
def test_dummy_model_is_not_identified(name: str) -> None:
    rows = of_model(name, "dummy", "estimates")
    assert rows["estimate"].isna().all() and not rows["converged"].any()
    assert rows["message"].str.startswith("Not identified. The treatment is constant").all()


@pytest.mark.parametrize(
    ("name", "convention", "key"),
    [
        *((name, "drop_last", None) for name in ("boundary", "flipped_classroom", "unbalanced")),
        *((name, "minimum_norm", None) for name in ("boundary", "flipped_classroom", "unbalanced")),
        *((name, "drop_first", "groups_first") for name in DATASETS if "star" not in name),
    ],
)
def test_conventions_print_what_r_prints(name: str, convention: str, key: str | None) -> None:
    dummy = reference(name)["dummy"]
    printed = dummy[key]["coefficients"] if key else dummy["coefficients"]
    if convention == "minimum_norm":
        printed = dummy["minimum_norm"]
    expected = by_term(name, printed)
    found = only(of_model(name, "dummy", "aliasing"), convention=convention, aliased=False)
    assert set(found["term"]) == set(expected.index)
    values = found.set_index("term")["estimate"][expected.index]
    assert_close(values, expected, EXACT, dummy["sigma"])


# The engine at given variances: no optimiser ------------------------------------------------------


@each_mixed
def test_reml_criterion_at_fixed_theta(name: str, model: str) -> None:
    for each in reference(name)[model]["criterion_at"]:
        made = model_of(name, model)
        relative = dict(zip(("group", "block"), np.atleast_1d(each["theta"]), strict=False))
        fit = made.fit(sample(name, blocks_in(model)).y, theta=theta_for(made, **relative))
        assert float(fit.criterion) == pytest.approx(each["reml_criterion"], rel=1e-11)


@each_mixed
def test_gls_at_the_variances_of_lme4(name: str, model: str) -> None:
    expected = reference(name)[model]
    found = at_variances_of(name, model, expected)
    terms = sample(name, blocks_in(model)).design.terms
    std_errors = by_term(name, expected["std_errors"])[list(terms)]
    assert_close(np.sqrt(np.diag(found.vcov)), std_errors, 1e-9)
    beta = by_term(name, expected["coefficients"])[list(terms)]
    assert_close(found.beta, beta, 1e-9, std_errors)
    assert float(found.loglik) == pytest.approx(expected["loglik"], rel=1e-11)
    core = [terms.index(term_of(name, key)) for key in expected["vcov"]["names"]]
    assert_close(found.vcov[np.ix_(core, core)], expected["vcov"]["values"], 1e-8)


@each_mixed
def test_blups_at_the_variances_of_lme4(name: str, model: str) -> None:
    expected, design = reference(name)[model], sample(name).design
    found = at_variances_of(name, model, expected)
    random = expected["random"] if model == "reml_nested" else {"group": expected["random"]}
    for level, values in random.items():
        labels = list(getattr(design, f"{level}_labels"))
        blup = [values["blup"][label] for label in labels]
        scale = expected[f"sd_{level}"]
        estimate, conditional = predictions(found)[level]
        assert_close(estimate, blup, 1e-8, scale)
        sd = [values["blup_sd"][label] for label in labels]
        assert_close(conditional, sd, 1e-8)


@each_dataset
def test_maximum_likelihood_at_the_variances_of_lme4(name: str) -> None:
    expected = reference(name)["ml"]
    found = at_variances_of(name, "ml", expected, reml=False)
    assert float(found.loglik) == pytest.approx(expected["loglik"], rel=1e-11)


@each_mixed
def test_engine_reaches_the_optimum_of_lme4(name: str, model: str) -> None:
    expected = reference(name)[model]
    fit = model_of(name, model).fit(sample(name, blocks_in(model)).y)
    # Where the criterion is flat to rounding, theta is known to half its digits.
    for part in fit.std_dev:
        assert fit.std_dev[part] ** 2 == pytest.approx(expected[f"sd_{part}"] ** 2, rel=1e-5)
    assert float(fit.criterion) == pytest.approx(expected["reml_criterion"], rel=1e-12)


# What the results tables say ----------------------------------------------------------------------


@each_mixed
def test_mixed_coefficients(name: str, model: str) -> None:
    expected = reference(name)[model]
    std_errors = by_term(name, expected["std_errors"])
    found = of_model(name, model, "coefficients").set_index("term").loc[std_errors.index]
    assert_close(found["std_error"], std_errors, FITTED)
    assert_close(found["estimate"], by_term(name, expected["coefficients"]), FITTED, std_errors)
    assert np.isinf(found["df"]).all()


@each_mixed
def test_mixed_contrasts(name: str, model: str) -> None:
    expected, found = reference(name)[model]["contrasts"], of_model(name, model, "estimates")
    assert list(found["contrast"]) == [row["contrast"] for row in expected]
    assert found["converged"].all()
    columns = tuple(column for column in ROW if column != "p_value")
    assert_rows(found, expected, columns, FITTED)
    assert_close(found["p_value"], frame(expected, ["p_value"])[:, 0], FITTED, 1.0)


@each_mixed
def test_mixed_omnibus(name: str, model: str) -> None:
    expected = dict(reference(name)[model]["omnibus"])
    expected["statistic"] /= expected["df_num"]  # the reference holds chi-squared itself
    columns = ["statistic", "df_num", "df_den", "p_value"]
    found = of_model(name, model, "omnibus")[columns]
    assert_close(found, frame([expected], columns), FITTED, np.array([1.0, 0, 0, 1]))


@each_mixed
def test_mixed_means(name: str, model: str) -> None:
    expected = reference(name)[model]["marginal_means"]
    assert_rows(of_model(name, model, "marginal_means"), expected, MEAN, FITTED)


@each_mixed
def test_mixed_variances_and_likelihood(name: str, model: str) -> None:
    about, expected = reference(name)["dataset"], reference(name)[model]
    found = only(of_model(name, model, "variance_components"), estimator="reml").set_index("group")
    names = {"sd_group": about["group"], "sd_residual": "Residual", "sd_block": about["block"]}
    sds = {label: expected[key] for key, label in names.items() if key in expected}
    assert_close(found["std_dev"][list(sds)], list(sds.values()), FITTED)
    total = sum(sd**2 for sd in sds.values())
    assert_close(found["icc"][list(sds)], [sd**2 / total for sd in sds.values()], 2 * FITTED)
    assert of_model(name, model, "estimates")["singular"].eq(expected["is_singular"]).all()
    statistics = of_model(name, model, "fit_statistics").set_index("statistic")["value"]
    assert statistics["loglik"] == pytest.approx(expected["loglik"], rel=1e-11)


@each_mixed
def test_mixed_random_effects(name: str, model: str) -> None:
    about, expected = reference(name)["dataset"], reference(name)[model]
    random = expected["random"] if model == "reml_nested" else {"group": expected["random"]}
    for level, values in random.items():
        found = only(of_model(name, model, "random_effects"), group=about[level])
        assert set(found["level"]) == set(values["blup"])
        blup = [values["blup"][label] for label in found["level"]]
        sd = [values["blup_sd"][label] for label in found["level"]]
        assert_close(found["estimate"], blup, 2 * FITTED, expected[f"sd_{level}"])
        assert_close(found["std_error"], sd, 2 * FITTED)


@each_dataset
def test_intervals_of_the_sds_are_near_those_of_nlme(name: str) -> None:
    """nlme's are normal on the log scale, ours of the profile: close where there are many rows."""
    expected = reference(name)["reml"]["sd_intervals_nlme"]
    found = only(of_model(name, "reml", "variance_components"), estimator="reml").set_index("group")
    assert found["conf_high"].notna().all()
    if expected is None:
        assert found.loc[reference(name)["dataset"]["group"], "conf_low"] == 0
        return
    ends = [expected["sd_residual"]["conf_low"], expected["sd_residual"]["conf_high"]]
    assert_close(found.loc["Residual", ["conf_low", "conf_high"]], ends, NLME)


# Live ---------------------------------------------------------------------------------------------


def missing_r() -> str:
    """Why R cannot be asked, or nothing."""
    if shutil.which("Rscript") is None:
        return "Rscript was not found"
    code = "for (p in c('lme4', 'nlme', 'emmeans', 'numDeriv')) library(p, character.only = TRUE)"
    done = subprocess.run(["Rscript", "-e", code], capture_output=True, text=True, check=False)
    lines = [line for line in done.stderr.splitlines() if "no package" in line]
    return "" if done.returncode == 0 else f"R lacks a package: {' '.join(lines)}"


@pytest.mark.r
@pytest.mark.slow
def test_r_gives_the_committed_values_again(tmp_path: Path) -> None:
    if why := missing_r():
        pytest.skip(why)
    (tmp_path / "tests" / "reference").mkdir(parents=True)
    shutil.copy(HERE / "reference.R", tmp_path / "tests" / "reference")
    shutil.copytree(HERE / "data", tmp_path / "tests" / "reference" / "data")
    (tmp_path / "data" / "raw").mkdir(parents=True)
    shutil.copy(ROOT / "data" / "raw" / "star_kindergarten.csv", tmp_path / "data" / "raw")
    subprocess.run(
        ["Rscript", "tests/reference/reference.R"],
        cwd=tmp_path,
        env=os.environ | {"LC_ALL": "C.UTF-8"},
        check=True,
        capture_output=True,
    )
    for name in DATASETS:
        again = json.loads((tmp_path / "tests" / "reference" / f"{name}.json").read_text())
        kept = {key: value for key, value in reference(name).items() if key != "versions"}
        assert_same(again, kept, name)


def assert_same(found: Any, expected: Any, where: str) -> None:
    """Equal in shape and words; numbers to what another version's optimiser may change."""
    if isinstance(expected, dict):
        for key, value in expected.items():
            assert_same(found[key], value, f"{where}.{key}")
    elif isinstance(expected, list):
        assert len(found) == len(expected), where
        for i, value in enumerate(expected):
            assert_same(found[i], value, f"{where}[{i}]")
    elif isinstance(expected, float) and "theta_lme4" not in where:
        assert found == pytest.approx(expected, rel=1e-4, abs=1e-5), where
    elif not isinstance(expected, float):
        assert found == expected, where
