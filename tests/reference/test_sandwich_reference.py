"""The sandwich gives what clubSandwich gives, and group means what lm gives (inference.R).

Everything here is a closed form, so differences are rounding: those of the data's condition.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from experiments import answers_by, cr_answers, robust_of, sample_of
from scipy import stats

from groupwise.data.validate import Roles
from groupwise.inference.sandwich import (
    Clusters,
    cluster_design,
    degrees_of_freedom,
    joint_tests,
    make_contrasts,
    satterthwaite_df,
)
from groupwise.sample import Sample

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
CLOSED_FORM = 1e-9
KINDS = {"CR0": "CR0", "CR1": "CR1S", "CR2": "CR2", "CR3": "CR3"}
"""Our names, and clubSandwich's."""


@cache
def reference(name: str) -> dict[str, Any]:
    path = HERE / "inference" / f"{name}.json"
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


@cache
def table(name: str) -> pd.DataFrame:
    about = reference(name)["dataset"]
    data = pd.read_csv(ROOT / about["file"])
    return data[data[about["outcome"]].notna()].reset_index(drop=True)


NAMES = sorted(path.stem for path in (HERE / "inference").glob("*.json"))
MODELS = [(name, model) for name in NAMES for model in reference(name)["sandwich"] or ()]
# The school means of hsb82's centred covariate are rounding, on which lm regresses all the same.
DESIGNS = [name for name in NAMES if reference(name)["group_means"] and name != "hsb82"]
each_model = pytest.mark.parametrize(("name", "model"), MODELS)
each_kind = pytest.mark.parametrize("kind", KINDS)


def indicators(values: pd.Series, levels: list[Any], prefix: str = "") -> pd.DataFrame:
    columns = {f"{prefix}{level}": (values == level).astype(float) for level in levels[1:]}
    return pd.DataFrame(columns, index=values.index)


@cache
def columns(name: str, model: str) -> pd.DataFrame:
    """The model's columns under the names of the reference; centred ones without an intercept."""
    about, data = reference(name)["dataset"], table(name)
    given = reference(name)["sandwich"][model]
    words = given["formula"].split(" ~ ")[1].split(" + ")
    parts = []
    if not given["centred_in_clusters"]:
        parts.append(pd.DataFrame({"intercept": np.ones(len(data))}))
    if about["treatment"]:
        parts.append(indicators(data[about["treatment"]], about["levels"]))
    factors = {term.split("=")[0] for term in given["coefficients"] if "=" in term}
    for word in words:
        prefix = "block=" if word == about["block"] else f"{word}="
        if prefix[:-1] not in factors:
            continue
        parts.append(indicators(data[word], sorted(data[word].unique()), prefix))
    parts += [data[[word]].astype(float) for word in about["covariates"] if word in words]
    return pd.concat(parts, axis=1)


def fixed_factor(name: str, model: str) -> str | None:
    """The factor whose indicators the model has, which may be absorbed."""
    about, given = reference(name)["dataset"], reference(name)["sandwich"][model]
    words = given["formula"].split(" ~ ")[1].split(" + ")
    if given["centred_in_clusters"]:
        return str(given["cluster"])
    found = [word for word in (about["block"], given["cluster"]) if word in words]
    return found[0] if found else None


@cache
def clusters(name: str, model: str, absorbed: bool) -> Clusters:
    given, data = reference(name)["sandwich"][model], table(name)
    factor = fixed_factor(name, model)
    level = data[factor].to_numpy() if absorbed and factor else None
    return cluster_design(columns(name, model).to_numpy(), data[given["cluster"]].to_numpy(), level)


def rows_of(name: str, names: list[str]) -> list[str]:
    """The arms among the names of columns."""
    return [arm for arm in reference(name)["dataset"]["levels"][1:] if arm in names]


def check_rows(name: str, model: str, kind: str, *, absorbed: bool) -> None:
    given = reference(name)["sandwich"][model][KINDS[kind]]
    X, data = columns(name, model), table(name)
    y = data[reference(name)["dataset"]["outcome"]].to_numpy(dtype=float)
    wanted = [row for row in given["coefficients"] if row["term"] in X]
    rows = pd.DataFrame([*wanted, *(given.get("contrasts") or [])])
    L = np.array([coefficients(X, *row) for row in zip(rows["term"], contrast(rows), strict=True)])
    prepared = make_contrasts(clusters(name, model, absorbed), L, kind)
    found, known = robust_of(prepared, y), prepared.has_variance
    # With the blocks as clusters each has its own coefficient to itself.
    assert known[~rows["term"].fillna("").str.contains("intercept|=")].all()
    spread = rows["std_error"].to_numpy()
    np.testing.assert_allclose(found.estimate / spread, rows["statistic"], rtol=0, atol=1e-9)
    np.testing.assert_allclose(found.std_error[known], spread[known], rtol=CLOSED_FORM)
    df = satterthwaite_df(prepared)
    np.testing.assert_allclose(df[known], rows["df"][known], rtol=CLOSED_FORM)
    check_joint(name, given, kind, clusters(name, model, absorbed), X, y)


def check_joint(
    name: str, given: dict[str, Any], kind: str, cut: Clusters, X: pd.DataFrame, y: np.ndarray
) -> None:
    arms = rows_of(name, list(X))
    if not arms:
        return
    joint = make_contrasts(cut, np.array([X.columns == arm for arm in arms], dtype=float), kind)
    tests = joint_tests(joint, robust_of(joint, y))
    expected = given["omnibus_htz" if kind == "CR2" else "omnibus_naive_f"]
    values = [tests.statistic, tests.df_num, tests.df_den]
    wanted = [expected[key] for key in ("statistic", "df_num", "df_den")]
    np.testing.assert_allclose(values, wanted, rtol=CLOSED_FORM)
    np.testing.assert_allclose(tests.p_value, expected["p_value"], rtol=1e-8)


def contrast(rows: pd.DataFrame) -> pd.Series:
    return rows.get("contrast", pd.Series(np.nan, index=rows.index))


def coefficients(X: pd.DataFrame, term: Any, pair: Any) -> np.ndarray:
    """A row of L for a term, or for a pair of arms."""
    if isinstance(term, str):
        return np.asarray(X.columns == term, dtype=float)
    plus, minus = pair.split(" - ")
    return np.asarray(X.columns == plus, dtype=float) - (X.columns == minus)


@each_kind
@each_model
def test_clubsandwich(name: str, model: str, kind: str) -> None:
    given = reference(name)["sandwich"][model]
    if "note" in given[KINDS[kind]]:
        pytest.skip("clubSandwich has no CR3 where I - H_gg is singular")
    if given["centred_in_clusters"] and kind == "CR1":
        pytest.skip("centring in clusters costs clubSandwich's CR1S no degrees of freedom")
    if not given["centred_in_clusters"]:
        check_rows(name, model, kind, absorbed=False)
    if fixed_factor(name, model):
        check_rows(name, model, kind, absorbed=True)


@pytest.mark.parametrize(("name", "dummy", "centred"), [
    ("within", "dummy", "absorbed"), ("blocked", "blocked_by_block", "absorbed_by_block"),
    ("star_math", "blocked_by_block", "absorbed_by_block"),
])  # fmt: skip
def test_generalised_cr3_is_that_of_centred_data(name: str, dummy: str, centred: str) -> None:
    X, data = columns(name, dummy), table(name)
    y = data[reference(name)["dataset"]["outcome"]].to_numpy(dtype=float)
    L = np.array([X.columns == arm for arm in rows_of(name, list(X))], dtype=float)
    found = robust_of(make_contrasts(clusters(name, dummy, False), L, "CR3"), y)
    expected = [
        row["std_error"] for row in reference(name)["sandwich"][centred]["CR3"]["coefficients"]
    ]
    np.testing.assert_allclose(found.std_error, expected, rtol=CLOSED_FORM)


@cache
def sample(name: str) -> Sample:
    about = reference(name)["dataset"]
    data = table(name)
    keys = ("outcome", "treatment", "group", "block")
    roles = Roles(*(about[key] for key in keys), tuple(about["covariates"]))
    return sample_of(
        data[roles.columns], roles, reference=about["levels"][0], levels=about["levels"]
    )


@pytest.mark.parametrize("weighted", [False, True], ids=["unweighted", "weighted"])
@pytest.mark.parametrize("name", DESIGNS)
def test_group_means_are_lm_on_means(name: str, weighted: bool) -> None:
    given = reference(name)["group_means"]["weighted" if weighted else "unweighted"]
    one = sample(name)
    answers = answers_by("group_means" + "_weighted" * weighted, one.design, one.y)
    found, rows = answers.contrasts, pd.DataFrame(given["contrasts"])
    assert list(rows["contrast"]) == list(one.design.contrast_labels)
    for column in ("estimate", "std_error", "df", "conf_low", "conf_high"):
        spread = rows["std_error"] if column != "df" else rows["df"]
        difference = (getattr(found, column) - rows[column]) / spread
        np.testing.assert_allclose(difference, 0, atol=CLOSED_FORM)
    joint, expected = answers.omnibus, given["omnibus"]
    values = [joint.statistic, joint.df_den, joint.p_value]
    wanted = [expected[key] for key in ("statistic", "df_den", "p_value")]
    np.testing.assert_allclose(values, wanted, rtol=1e-8)


def test_a_covariate_that_is_centred_in_groups_leaves_the_means_alone() -> None:
    one = sample("hsb82")
    found = answers_by("group_means", one.design, one.y).contrasts
    means = table("hsb82").groupby(["sector", "school"], observed=True)["mAch"].mean()
    expected = stats.ttest_ind(means["Catholic"], means["Public"])
    assert found.statistic[0] == pytest.approx(expected.statistic, rel=CLOSED_FORM)
    assert found.df[0] == expected.df


@pytest.mark.parametrize("kind", ["CR1", "CR2", "CR3"])
@pytest.mark.parametrize("name", ["flipped_classroom", "unbalanced", "blocked", "star_math"])
def test_answers_of_a_design(name: str, kind: str) -> None:
    """The path of the pipeline: contrasts of the design, blocks absorbed."""
    one, models = sample(name), reference(name)["sandwich"]
    model = models.get("blocked", models["plain"])[KINDS[kind]]
    answers, rows = cr_answers(one.design, one.y, kind), pd.DataFrame(model["contrasts"])
    np.testing.assert_allclose(answers.contrasts.std_error, rows["std_error"], rtol=CLOSED_FORM)
    if kind == "CR2":
        np.testing.assert_allclose(answers.contrasts.df, rows["df"], rtol=CLOSED_FORM)
        np.testing.assert_allclose(answers.contrasts.p_value, rows["p_value"], rtol=1e-8)
        np.testing.assert_allclose(answers.contrasts.conf_low, rows["conf_low"], rtol=CLOSED_FORM)
    else:
        assert (answers.contrasts.df == one.design.n_groups - 1).all()


def test_degrees_of_freedom_are_those_of_the_kind() -> None:
    cut = clusters("unbalanced", "plain", False)
    L = np.eye(4)[1:2]
    assert degrees_of_freedom(make_contrasts(cut, L, "CR3")) == 13
    assert degrees_of_freedom(make_contrasts(cut, L, "CR2")) == pytest.approx(4.651590086279262)
