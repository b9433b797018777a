"""Groups left out, variances held, histograms: each equals what it says it is, by another way."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
from experiments import answers_by, draw, fit_all, only, roles_of, sample_of

from groupwise import tidy
from groupwise.data.ingest import ingest
from groupwise.data.validate import Roles
from groupwise.design import describe, make_design
from groupwise.diagnostics import influence as influence_module
from groupwise.diagnostics.influence import influence, one_step
from groupwise.diagnostics.profile_curves import profile_table
from groupwise.diagnostics.refit import METHODS, SHOWN, Dataset
from groupwise.diagnostics.sensitivity import sensitivity
from groupwise.inference.mixed import fit_one, random_terms
from groupwise.methods import fit_tables
from groupwise.sample import Resampling, Sample

RAGGED = [2, 3, 4, 5, 6, 7, 8, 9, 10]
FEW_DRAWS = Resampling(wild_draws=99, bootstrap_draws=39, randomization_draws=99)
NUMBERS = list(SHOWN)


def build(table: pd.DataFrame, settings: Mapping[str, Any]) -> Sample:
    """A sample of an ingested table, as `fit_models` makes it."""
    roles = Roles.from_settings(settings["roles"])
    design = make_design(
        table,
        roles,
        blocks_as=settings["blocks_as"],
        random_slopes=settings["random_slopes"],
        rank_deficient=settings["rank_deficient"],
    )
    y = table[roles.outcome].to_numpy(dtype=float)
    names = (roles.group, roles.block, 0.95, roles.second_group, FEW_DRAWS)
    return Sample(design, y, "test", *names)


def experiment(
    table: pd.DataFrame,
    *,
    blocks_as: str = "fixed",
    slopes: str = "none",
    second: str | None = None,
) -> Dataset:
    roles = roles_of(table.drop(columns=[second] if second else []))
    settings = {
        "roles": vars(roles) | {"covariates": list(roles.covariates), "second_group": second},
        "blocks_as": blocks_as,
        "random_slopes": slopes,
        "rank_deficient": "error",
    }
    return Dataset(ingest(table, Roles.from_settings(settings["roles"])).table, settings, build)


def crossed() -> pd.DataFrame:
    table = draw("within", arms=2, groups=6, sizes=8, seed=3)
    return table.assign(h=[f"h{i % 5}" for i in range(len(table))])


EXPERIMENTS = {
    "between": lambda: experiment(draw(sizes=RAGGED)),
    "two arms": lambda: experiment(draw(arms=2, groups=6)),
    "covariates": lambda: experiment(draw(sizes=RAGGED, covariates=["x", "w", "c"])),
    "blocked": lambda: experiment(draw("blocked", sizes=RAGGED, groups=9)),
    "random blocks": lambda: experiment(draw("blocked", groups=12), blocks_as="random"),
    "within": lambda: experiment(draw("within", sizes=6)),
    "slopes": lambda: experiment(draw("within", arms=2, groups=8, sizes=8), slopes="unstructured"),
    "mixed": lambda: experiment(draw("mixed", sizes=6)),
    "crossed": lambda: experiment(crossed(), second="h"),
    "boundary": lambda: experiment(draw(sd_group=0, seed=4)),
}
each = pytest.mark.parametrize("name", EXPERIMENTS)


@cache
def made(name: str) -> tuple[Dataset, dict[str, pd.DataFrame]]:
    one = EXPERIMENTS[name]()
    tables = {
        "influence": influence(one),
        "sensitivity": sensitivity(one),
        "profile": profile_table(one),
    }
    return one, tables


@cache
def fitted(name: str) -> dict[str, pd.DataFrame]:
    """What the specifications say of the whole."""
    return fit_all(made(name)[0].whole, ["mixed", "pooled"])


def by_specification(method: str, sample: Sample) -> tidy.Inference:
    """Every contrast by a method, as it answers for data."""
    return answers_by(method, sample.design, sample.y, sample.conf_level).contrasts


# Groups left out ------------------------------------------------------------------------------------


@each
def test_leaving_a_group_out_is_fitting_the_others(name: str) -> None:
    one, tables = made(name)
    found, design = tables["influence"], one.whole.design
    assert set(found["left_out"]) == set(design.group_labels)
    for label in (design.group_labels[0], design.group_labels[-1]):
        group = one.settings["roles"]["group"]
        kept = one.table[one.table[group].astype(str) != label]
        sample = build(kept, dict(one.settings) | {"rank_deficient": "drop"})
        for method in dict.fromkeys(found["method"]):
            ours = only(found, left_out=label, method=method)
            theirs = by_specification(method, sample)
            assert tuple(ours["contrast"]) == sample.design.contrast_labels
            for column in NUMBERS:
                expected = getattr(theirs, column)
                np.testing.assert_allclose(ours[column], expected, rtol=1e-8, atol=1e-12)
            assert set(ours["n_obs"]) == {len(kept)}


@each
def test_every_row_without_an_answer_says_why(name: str) -> None:
    for table in ("influence", "sensitivity"):
        rows = made(name)[1][table]
        silent = rows[rows["estimate"].isna()]
        assert silent["message"].str.len().gt(10).all()
        assert rows.loc[rows["message"] != "", "message"].str.endswith(".").all()
        assert silent[NUMBERS].isna().all().all()


def test_an_arm_and_a_block_that_vanish() -> None:
    table = draw("blocked", arms=3, groups=9, sizes=4)
    table = table[(table["arm"] != "C") | (table["g"] == 3)]
    table["b"] = np.where(table["g"] == 9, "alone", table["b"])
    table.loc[table["g"] == 1, "b"] = "first"
    table["arm"] = pd.Categorical(table["arm"])
    settings = {
        "roles": vars(Roles("y", "arm", "g", "b")),
        "blocks_as": "fixed",
        "random_slopes": "none",
        "rank_deficient": "drop",
    }
    found = influence(Dataset(table, settings, build))
    gone = only(found, left_out="3", method="ols_cr2").set_index("contrast")
    assert gone["estimate"].notna().to_dict() == {"B - A": True, "C - A": False, "C - B": False}
    assert gone.loc["C - A", "message"].startswith("Nobody is left in C.")
    lost = only(found, left_out="1", method="mixed_kenward_roger")
    assert lost["message"].str.startswith("Nobody is left in block first.").all()
    two = table[table["arm"] != "C"].assign(arm=lambda t: t["arm"].cat.remove_unused_categories())
    two = two[(two["arm"] != "B") | (two["g"] == 2)]
    rows = only(influence(Dataset(two, settings, build)), left_out="2")
    assert rows["estimate"].isna().all() and set(rows["message"]) == {"Nobody is left in B."}


def test_of_many_groups_the_most_influential_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(influence_module, "MOST_GROUPS", 6)
    one = experiment(draw(groups=24, sizes=5, sd_group=2.0, seed=7))
    found = influence(one)
    assert found["left_out"].nunique() == 6
    assert found["message"].str.contains("One of 6 of 24 groups").all()
    monkeypatch.setattr(influence_module, "MOST_GROUPS", 24)
    every = only(influence(one), method="mixed_kenward_roger")
    fit = fit_one(one.whole.design, one.whole.y)
    L = one.whole.design.L
    size = np.sqrt(np.einsum("kp,pq,kq->k", L, fit.vcov, L))
    k = every["contrast"].map(one.whole.design.contrast_labels.index).to_numpy()
    moved = ((every["estimate"] - (L @ fit.beta)[k]) / size[k]).abs()
    exact = moved.groupby(every["left_out"], sort=False).max()
    largest = exact.sort_values(ascending=False).index
    assert set(largest[:4]) <= set(found["left_out"])
    # One step has the size and the order of what a refit gives.
    step = pd.Series(one_step(one), one.whole.design.group_labels).loc[exact.index]
    assert np.corrcoef(step, exact)[0, 1] > 0.95


def test_one_step_is_the_derivative_in_the_weight_of_a_group() -> None:
    """By weighted GLS with the variances held, the weight of one group 1e-6 less."""
    one = EXPERIMENTS["random blocks"]()
    design, y = one.whole.design, one.whole.y
    fit = fit_one(design, y)
    sds = fit.std_dev
    V = sds["residual"] ** 2 * np.eye(design.n_obs)
    for term in random_terms(design):
        Z = (term.codes[:, None] == np.arange(term.n_levels)).astype(float)
        V += sds[term.name] ** 2 * Z @ Z.T
    inverse, g, h = np.linalg.inv(V), 4, 1e-6
    e = y - design.X @ fit.beta
    # The estimating equation of a group: X_g' (V^-1 e)_g.
    score = design.X.T @ np.where(design.group == g, inverse @ e, 0)
    beta = np.linalg.solve(design.X.T @ inverse @ design.X, design.X.T @ inverse @ y - h * score)
    moved = np.abs(design.L @ (beta - fit.beta)) / h
    size = np.sqrt(np.einsum("kp,pq,kq->k", design.L, fit.vcov, design.L))
    np.testing.assert_allclose(one_step(one)[g], (moved / size).max(), rtol=1e-4)


# Variances held -------------------------------------------------------------------------------------


def held(name: str) -> pd.DataFrame:
    return only(made(name)[1]["sensitivity"], kind="group_variance")


@each
def test_held_at_the_estimate_it_is_the_fit_itself(name: str) -> None:
    expected = only(fitted(name)["estimates"], method="mixed_wald")
    rows = held(name)
    rows = rows[rows["variant"].str.endswith("estimate")]
    for _, found in rows.groupby("variant"):
        np.testing.assert_allclose(found[NUMBERS], expected[NUMBERS], rtol=2e-4, atol=1e-6)


@pytest.mark.parametrize("name", ["between", "covariates", "blocked", "within", "boundary"])
def test_held_at_0_it_is_least_squares(name: str) -> None:
    expected = only(fitted(name)["estimates"], method="ols_classical")
    found = only(held(name), variant="0")
    columns = ["estimate", "std_error"]
    np.testing.assert_allclose(found[columns], expected[columns], rtol=1e-9)


@each
def test_values_held_span_the_interval(name: str) -> None:
    _, tables = made(name)
    components = fitted(name)["variance_components"]
    intercept = only(components, estimator="reml", group="g", term="Intercept").iloc[0]
    if name != "slopes":
        first = held(name).drop_duplicates("variant").set_index("variant")["value"]
        for variant, column in (("lower limit", "conf_low"), ("upper limit", "conf_high")):
            assert first[variant] == pytest.approx(intercept[column], rel=1e-7, abs=1e-9)
    curve = only(tables["profile"], estimator="reml", term="Intercept")
    for column in ("conf_low", "conf_high"):
        assert curve[column].iloc[0] == pytest.approx(intercept[column], rel=1e-7, abs=1e-9)


def test_covariates_and_blocks_are_those_of_other_settings() -> None:
    rows = only(made("covariates")[1]["sensitivity"], kind="covariates")
    table = draw(sizes=RAGGED, covariates=["x", "w", "c"])
    bare = fit_all(sample_of(table[["g", "arm", "y"]]), ["mixed", "pooled", "group_means"])[
        "estimates"
    ]
    for method in METHODS:
        ours = only(rows, variant="without covariates", method=method)
        np.testing.assert_allclose(ours[NUMBERS], only(bare, method=method)[NUMBERS], rtol=1e-8)
    rows = only(made("blocked")[1]["sensitivity"], kind="blocks")
    for way in ("fixed", "random"):
        sample = sample_of(draw("blocked", sizes=RAGGED, groups=9), blocks_as=way)
        theirs = by_specification("mixed_kenward_roger", sample)
        ours = only(rows, variant=f"{way} blocks")
        for column in NUMBERS:
            np.testing.assert_allclose(ours[column], getattr(theirs, column), rtol=1e-8)


def test_no_rows_of_what_there_is_not() -> None:
    kinds = {name: set(made(name)[1]["sensitivity"]["kind"]) for name in EXPERIMENTS}
    assert kinds["between"] == {"group_variance"}
    assert kinds["covariates"] == {"group_variance", "covariates"}
    assert kinds["random blocks"] == {"group_variance", "blocks"}


# Profiles ---------------------------------------------------------------------------------------------


@each
def test_deviance_is_0_at_the_optimum_and_the_cut_at_the_limits(name: str) -> None:
    curves = made(name)[1]["profile"]
    assert set(curves["estimator"]) == {"reml", "ml"}
    assert (curves["deviance"] >= 0).all()
    for _, part in curves.groupby(["estimator", "term"]):
        at = part.drop_duplicates("sd_group").set_index("sd_group")["deviance"]
        assert at.index.is_monotonic_increasing and at.index[0] == 0
        assert at[part["estimate"].iloc[0]] == pytest.approx(0, abs=1e-7)
        for end in (part["conf_low"].iloc[0], part["conf_high"].iloc[0]):
            if end > 0:
                assert at[end] == pytest.approx(part["cutoff"].iloc[0], rel=1e-6)
        inside = at.index.to_series().between(part["conf_low"].iloc[0], part["conf_high"].iloc[0])
        assert ((at <= part["cutoff"].iloc[0] * (1 + 1e-6)) == inside).all()


@pytest.mark.parametrize("name", ["between", "boundary", "random blocks"])
@pytest.mark.parametrize("estimator", ["reml", "ml"])
def test_deviance_is_that_of_the_dense_likelihood(name: str, estimator: str) -> None:
    one, tables = made(name)
    design, y, reml = one.whole.design, one.whole.y, estimator == "reml"
    Z = {
        term.name: (term.codes[:, None] == np.arange(term.n_levels)) * 1.0
        for term in random_terms(design)
    }

    def deviance(sd: float, others: np.ndarray) -> float:
        """-2 log-likelihood at variances of the residual and, where there are, of blocks."""
        V = others[0] * np.eye(len(y)) + sd**2 * Z["group"] @ Z["group"].T
        if "block" in Z:
            V = V + others[1] * Z["block"] @ Z["block"].T
        inverse = np.linalg.inv(V)
        XVX = design.X.T @ inverse @ design.X
        e = y - design.X @ np.linalg.solve(XVX, design.X.T @ inverse @ y)
        value = np.linalg.slogdet(V)[1] + e @ inverse @ e
        return float(value + (np.linalg.slogdet(XVX)[1] if reml else 0))

    curve = only(tables["profile"], estimator=estimator)
    sds = curve["sd_group"].to_numpy()[[3, -1]]
    best = [_least(lambda others, sd=sd: deviance(sd, others), len(Z)) for sd in sds]
    least = _least(lambda all_: deviance(np.sqrt(all_[-1]), all_[:-1]), len(Z) + 1)
    np.testing.assert_allclose(
        curve["deviance"].to_numpy()[[3, -1]], np.array(best) - least, rtol=1e-5, atol=1e-6
    )


def _least(function: Any, k: int) -> float:
    """The least value over k variances, by Nelder-Mead on their roots from several starts."""
    from scipy import optimize

    options = {"xatol": 1e-9, "fatol": 1e-11, "maxiter": 20_000, "maxfev": 20_000}
    found = []
    for start in (0.3, 1.0):
        x = np.full(k, start)
        for _ in range(3):
            x = optimize.minimize(
                lambda s: function(np.square(s)), x, method="Nelder-Mead", options=options
            ).x
        found.append(function(np.square(x)))
    return min(found)


def test_share_is_that_of_the_variance_components() -> None:
    for name in ("between", "random blocks", "crossed"):
        _, tables = made(name)
        components = fitted(name)["variance_components"]
        row = only(components, estimator="reml", group="g").iloc[0]
        curve = only(tables["profile"], estimator="reml")
        at = curve.loc[(curve["sd_group"] - row["std_dev"]).abs().idxmin()]
        assert at["icc"] == pytest.approx(row["icc"], rel=1e-5, abs=1e-9)


# Randomisation ----------------------------------------------------------------------------------------

DRAWN = Resampling(max_assignments=1, randomization_draws=400)


@each
@pytest.mark.parametrize("drawn", [False, True])
def test_histogram_holds_every_assignment_and_the_p_value(name: str, drawn: bool) -> None:
    sample = made(name)[0].whole
    resampling = DRAWN if drawn else Resampling(max_assignments=100_000, randomization_draws=999)
    sample = Sample(**vars(sample) | {"resampling": resampling})
    tables = fit_tables("randomization", sample)
    estimates = tables["estimates"].set_index("contrast")
    assert set(tables["randomization"]["contrast"]) == set(estimates.index)
    for contrast, bins in tables["randomization"].groupby("contrast"):
        if bins["p_value"].isna().all():  # no test, and why
            assert np.isnan(estimates.loc[contrast, "p_value"]) and bins["message"].all()
            continue
        n, exact = int(bins["n_assignments"].iloc[0]), bool(bins["exact"].iloc[0])
        assert bins["count"].sum() == n
        extreme = bins.loc[bins["extreme"], "count"].sum()
        p_value = (extreme + (not exact)) / (n + (not exact))
        row = estimates.loc[contrast]
        assert p_value == pytest.approx(row["p_value"], rel=1e-12)
        assert bins["p_value"].iloc[0] == row["p_value"]
        assert bins["statistic"].iloc[0] == row["statistic"]
        np.testing.assert_allclose(bins["bin_high"].iloc[:-1], bins["bin_low"].iloc[1:])
        beyond = bins["bin_low"].to_numpy() >= abs(row["statistic"]) * (1 - 1e-12)
        before = bins["bin_high"].to_numpy() <= -abs(row["statistic"]) * (1 - 1e-12)
        assert (bins["extreme"].to_numpy() == (beyond | before)).all()


def test_histogram_of_a_test_that_cannot_be_made_is_one_row() -> None:
    table = draw(arms=2, groups=4, sizes=1, covariates=["x", "x2"])
    bins = fit_tables("randomization", sample_of(table))["randomization"]
    assert len(bins) == 1 and np.isnan(bins["bin_low"].iloc[0])
    assert bins["count"].iloc[0] == 0 and bins["message"].iloc[0].endswith(".")


# What changes nothing -----------------------------------------------------------------------------


def relabelled(table: pd.DataFrame) -> pd.DataFrame:
    """Other names for groups, in another order, and rows in another order."""
    names = {g: f"{97 * g % 31:02d}" for g in table["g"].unique()}
    return table.assign(g=table["g"].map(names)).sample(frac=1, random_state=1)


@pytest.mark.parametrize("slopes", ["none", "unstructured"])
def test_names_and_units_do_not_matter(slopes: str) -> None:
    table = draw("within", arms=2, groups=7, sizes=[6, 7, 8, 9, 6, 7, 8], covariates=["x"])
    names = {str(g): f"{97 * g % 31:02d}" for g in table["g"].unique()}
    tables = {}
    for key, data, scale in (
        ("usual", table, 1.0),
        ("other", relabelled(table).assign(y=lambda t: 300 - 2.5 * t["y"]), -2.5),
    ):
        one = experiment(data, slopes=slopes)
        tables[key] = (scale, influence(one), sensitivity(one), profile_table(one))
    (_, *usual), (b, *other) = tables["usual"], tables["other"]
    keys = ["method", "left_out", "contrast"]
    first = usual[0].assign(left_out=usual[0]["left_out"].map(names)).set_index(keys)
    second = other[0].set_index(keys).loc[first.index]
    np.testing.assert_allclose(second["estimate"], b * first["estimate"], rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(second["p_value"], first["p_value"], rtol=1e-5)
    np.testing.assert_allclose(second["conf_low"], b * first["conf_high"], rtol=1e-5, atol=1e-6)
    for column, factor in (("value", 2.5), ("estimate", b), ("std_error", 2.5), ("p_value", 1)):
        found = other[1][column].to_numpy()
        np.testing.assert_allclose(found, factor * usual[1][column], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(
        other[2]["sd_group"], 2.5 * usual[2]["sd_group"], rtol=1e-4, atol=1e-6
    )
    np.testing.assert_allclose(other[2]["deviance"], usual[2]["deviance"], rtol=1e-4, atol=1e-5)


def test_tables_have_their_schema() -> None:
    for name in EXPERIMENTS:
        for key, table in made(name)[1].items():
            assert list(table.columns) == list(tidy.TABLES[key])
            pd.testing.assert_series_equal(table.dtypes, tidy.table(key, []).dtypes, obj=key)


def test_describe_says_what_an_experiment_is_built_from() -> None:
    """The settings of these tests are keys of design.json."""
    known = set(describe(made("between")[0].whole.design))
    assert {"blocks_as", "random_slopes"} <= known
