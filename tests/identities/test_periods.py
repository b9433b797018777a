"""Designs in which the treatment goes with time: what must not change an answer, and what is drawn."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from groupwise.compression import DesignForms
from groupwise.data.validate import Roles
from groupwise.design import Design, make_design
from groupwise.inference.period_models import with_decay
from groupwise.methods import Replicates, Request, all_methods, answer, concerning, method_of
from groupwise.rows import GROUPS, INDIVIDUALS
from groupwise.sample import Resampling
from groupwise.simulation.estimation import estimate_process
from groupwise.simulation.processes import PROCESSES, EstimatedProcess, dataset_cases
from groupwise.simulation.scenarios import Background, Scenario, outcomes

REQUEST = Request(resampling=Resampling(1, 39, 19, 199, 500))
COLUMNS = ("estimate", "std_error", "statistic", "df", "p_value", "conf_low", "conf_high")
WEDGE = ("abbb", "aabb", "aaab")
DESIGNS: dict[str, dict[str, Any]] = {
    "stepped wedge": {"sequences": WEDGE * 3},
    "incomplete": {"sequences": WEDGE * 3, "missing": ((0, 1), (4, 2), (8, 0))},
    "crossover": {"sequences": ("ab", "ba") * 5},
    "three arms": {"sequences": ("abc", "bca", "cab", "acb") * 3},
    "baseline": {"sequences": ("aa", "ab") * 5},
    "parallel": {"sequences": ("aaa", "bbb") * 5},
    "cohort": {"sequences": WEDGE * 3, "cohort": True},
    "covariates": {"sequences": WEDGE * 4, "covariates": ("x",)},
    "blocks": {"sequences": ("ab", "ba", "ab", "ba") * 3, "blocks": True},
}


def trial(
    sequences: tuple[str, ...],
    *,
    missing: tuple[tuple[int, int], ...] = (),
    cohort: bool = False,
    covariates: tuple[str, ...] = (),
    blocks: bool = False,
    seed: int = 1,
) -> tuple[pd.DataFrame, Roles]:
    """Rows of groups that go through these sequences, a letter for the arm in each period."""
    rng = np.random.default_rng(seed)
    rows = []
    for g, sequence in enumerate(sequences):
        size, u = int(rng.integers(3, 8)), rng.normal()
        persons = rng.normal(size=size)
        for t, arm in enumerate(sequence):
            w = 0.5 * rng.normal()
            if (g, t) in missing:
                continue
            for i in range(size if cohort else int(rng.integers(2, 8))):
                if cohort and rng.random() < 0.2:
                    continue
                y = 10 + t**2 + u + w + (persons[i] if cohort else 0) + rng.normal()
                rows.append((f"g{g:02}", t + 1, arm, f"{g}.{i}", f"b{g // 4}", rng.normal(), y))
    table = pd.DataFrame(rows, columns=["g", "t", "arm", "person", "block", "x", "y"])
    table["arm"] = pd.Categorical(table["arm"])
    table["t"] = ordered(table["t"].astype(str))
    roles = Roles(
        "y", "arm", "g", "block" if blocks else None, covariates,
        period="t", individual="person" if cohort else None,
    )  # fmt: skip
    return table, roles


def ordered(labels: pd.Series) -> pd.Series:
    return labels.astype(pd.CategoricalDtype(list(dict.fromkeys(sorted(labels, key=float)))))


def replicates(table: pd.DataFrame, roles: Roles) -> dict[str, Replicates]:
    design = make_design(table, roles)
    names = concerning(design, all_methods())
    return answer(design, table["y"].to_numpy(float)[None], names, request=REQUEST)


def assert_same(a: dict[str, Replicates], b: dict[str, Replicates], tolerance: float) -> None:
    assert list(a) == list(b)
    for name in a:
        for column in COLUMNS:
            one, other = (getattr(each[name].inference, column) for each in (a, b))
            np.testing.assert_allclose(
                one, other, rtol=tolerance, atol=tolerance, err_msg=f"{name} {column}"
            )


def searched(names: dict[str, Replicates]) -> dict[str, Replicates]:
    """Without what draws at random: draws follow the order of rows."""
    return {k: v for k, v in names.items() if k not in ("mixed_bootstrap", "ols_wild_bootstrap")}


@pytest.mark.parametrize("name", DESIGNS)
def test_a_trend_of_all_groups_changes_no_answer(name: str) -> None:
    table, roles = trial(**DESIGNS[name])
    trend = {"1": 0.0, "2": -7.0, "3": 11.0, "4": 2.5}
    changed = table.assign(y=table["y"] + table["t"].astype(str).map(trend).astype(float))
    before, after = replicates(table, roles), replicates(changed, roles)
    for each in (before, after):
        each.pop("mixed_no_periods", None)
    if name == "parallel":  # means over all periods weight these by where rows are
        for each in (before, after):
            del each["group_means_weighted"]
    assert_same(before, after, 1e-6)


@pytest.mark.parametrize("name", DESIGNS)
def test_names_and_the_order_of_rows_change_no_answer(name: str) -> None:
    table, roles = trial(**DESIGNS[name])
    rng = np.random.default_rng(5)
    groups = sorted(table["g"].unique())
    new = dict(zip(groups, rng.permutation([f"h{i}" for i in range(len(groups))]), strict=True))
    dates = {"1": "2020-01-05", "2": "2020-02-01", "3": "2021-07-01", "4": "2030-01-01"}
    other = table.assign(g=table["g"].map(new), t=table["t"].cat.rename_categories(dates.get))
    other = other.iloc[rng.permutation(len(other))].reset_index(drop=True)
    assert_same(searched(replicates(table, roles)), searched(replicates(other, roles)), 1e-6)


def test_one_period_is_the_parallel_analysis() -> None:
    table, roles = trial(("a", "b") * 6)
    without = replace(roles, period=None)
    design = make_design(table, roles)
    assert design.period is None and design.kind == "between"
    assert_same(replicates(table, roles), replicates(table, without), 0.0)


@pytest.mark.parametrize("name", DESIGNS)
def test_sums_answer_as_individuals_do(name: str) -> None:
    table, roles = trial(**DESIGNS[name])
    design, y = make_design(table, roles), table["y"].to_numpy(float)[None]
    forms = DesignForms.of(design)
    names = [n for n in concerning(design, all_methods()) if n != "mixed_bootstrap"]
    assert all(method_of(n).needs(design) != INDIVIDUALS for n in names), "cells are enough"
    fewer = forms.compressed(y, INDIVIDUALS)[GROUPS]
    whole = answer(design, y, names, request=REQUEST)
    assert_same(whole, answer(forms.design[GROUPS], fewer, names, request=REQUEST), 1e-8)


def test_decay_that_does_not_decay_is_the_model_of_groups_alone() -> None:
    """At r = 1 a group's effects in all periods are one."""
    table, roles = trial(WEDGE * 3)
    design, y = make_design(table, roles), table["y"].to_numpy(float)
    model = with_decay(design).model
    at_one = model.fit(y, theta=np.array([0.7, 0.0]))
    alone = make_design(
        table.assign(t=table["t"].astype(str)), replace(roles, period=None, covariates=("t",))
    )
    from groupwise.inference.mixed import mixed_model

    plain = mixed_model(alone).fit(y, theta=np.array(0.7))
    assert at_one.criterion == pytest.approx(plain.criterion, rel=1e-10)


def test_decay_has_exact_derivatives() -> None:
    table, roles = trial(WEDGE * 3, cohort=True, missing=((0, 1),))
    design, y = make_design(table, roles), table["y"].to_numpy(float)
    from groupwise.models.lmm_likelihood import objective, slopes

    model = with_decay(design).model
    sums = model.sums(y[None])
    theta = np.array([[0.8, 0.5, 0.6]]) * model.parameters.scale
    at, step = slopes(sums, theta, True), 1e-5
    for j in range(theta.shape[1]):
        moved = np.eye(theta.shape[1])[j] * step
        up, down = (objective(sums, theta + sign * moved, True) for sign in (1, -1))
        assert at.gradient[0, j] == pytest.approx((up - down)[0] / (2 * step), rel=1e-5, abs=1e-6)
        up, down = (slopes(sums, theta + sign * moved, True).gradient[0] for sign in (1, -1))
        np.testing.assert_allclose(at.hessian[0, j], (up - down) / (2 * step), rtol=1e-5, atol=1e-5)


# ---- what is simulated ----------------------------------------------------------------------------


def scenario(design: Design, dgp: str = "normal", **background: float) -> Scenario:
    plain = replace(Background.plain(design, 4.0), **background)
    effects = np.zeros(len(design.arm_labels))
    return Scenario("s", design, plain, effects, 0.5, PROCESSES[dgp], dgp, 1)


def covariances(design: Design, y: np.ndarray) -> dict[str, float]:
    """Mean products of outcomes of pairs of rows: one period, neighbours, further apart, one person."""
    same = design.group[:, None] == design.group
    lag = np.abs(design.period[:, None] - design.period)
    person = np.arange(len(design.group)) if design.individual is None else design.individual
    one = person[:, None] == person
    S = y.T @ y / len(y)
    pairs = {
        "variance": np.eye(len(S), dtype=bool),
        "one period": same & (lag == 0) & ~one,
        "neighbours": same & (lag == 1) & ~one,
        "apart": same & (lag == 2) & ~one,
        "one person": one & (lag > 0),
    }
    return {name: float(S[some].mean()) for name, some in pairs.items() if some.any()}


@pytest.mark.parametrize("individuals", [True, False])
@pytest.mark.parametrize(
    ("dgp", "expected"),
    [
        ("normal", {"one period": 2.0, "neighbours": 1.2, "apart": 1.2, "one person": 1.8}),
        ("lasting_groups", {"one period": 2.0, "neighbours": 2.0, "apart": 2.0}),
        ("changing_groups", {"one period": 2.0, "neighbours": 1.0, "apart": 1.0}),
        ("decay", {"one period": 2.0, "neighbours": 1.4, "apart": 0.98}),
    ],
)
def test_moments_of_what_is_drawn(dgp: str, expected: dict[str, float], individuals: bool) -> None:
    """Variance 4, ICC .5, CAC .6, decay .7; of what varies in groups .3 is of individuals."""
    table, roles = trial(WEDGE * 2, cohort=True)
    design = make_design(table, roles)
    drawn = scenario(design, dgp, cac=0.6, decay=0.7, iac=0.3)
    R = 4000
    batches = outcomes(drawn, 0, 500, individuals=500 if individuals else 0, groups=500)
    y = []
    for block in range(R // 500):
        batches = outcomes(drawn, block, 500, individuals=500 if individuals else 0, groups=500)
        y += [batch.y[INDIVIDUALS if individuals else GROUPS] for batch in batches]
    values = np.concatenate(y)
    if individuals:
        found = covariances(design, values)
        assert found["variance"] == pytest.approx(4.0, abs=0.15)
        for name, value in expected.items():
            assert found[name] == pytest.approx(value, abs=0.15), name
        return
    forms = DesignForms.of(design)
    ones = forms.design[GROUPS].rows.ones
    sums = values * ones  # of rows: one individual in one period each
    assert np.mean(sums[:, ones > 0] ** 2) == pytest.approx(4.0, abs=0.15)


def test_the_process_is_estimated_with_its_autocorrelations() -> None:
    table, roles = trial(WEDGE * 8, cohort=True, seed=3)
    design = make_design(table, roles)
    process = estimate_process(design, table["y"].to_numpy(float))
    assert isinstance(process, EstimatedProcess)
    assert set(process.std_dev) == {"group", "cell", "individual", "residual"}
    assert process.cac == pytest.approx(0.8, abs=0.15) and process.iac == pytest.approx(
        0.5, abs=0.15
    )
    assert process.icc == pytest.approx(1.25 / 3.25, abs=0.15)
    assert process.icc_low < process.icc < process.icc_high
    cases = {case.dgp for case in dataset_cases(process, processes=tuple(PROCESSES))}
    assert {"changing_groups", "decay"} <= cases and "lasting_groups" not in cases


def test_leaving_periods_out_is_seen_to_fail() -> None:
    """A trend and no effect: without periods nearly every outcome shows one."""
    table, roles = trial(WEDGE * 4)
    design = make_design(table, roles)
    process = estimate_process(design, table["y"].to_numpy(float))
    assert isinstance(process, EstimatedProcess)
    background = Background.estimated(design, process)
    drawn = replace(scenario(design), background=background, icc=process.icc)
    (batch,) = outcomes(drawn, 0, 200, individuals=0, groups=200)
    names = ["mixed_no_periods", "mixed_kenward_roger"]
    form = DesignForms.of(design).design[GROUPS]
    answers = answer(form, batch.y[GROUPS], names, request=Request(searched=0))
    wrong = {name: np.mean(answers[name].inference.p_value < 0.05) for name in names}
    assert wrong["mixed_no_periods"] > 0.9 and wrong["mixed_kenward_roger"] < 0.12
