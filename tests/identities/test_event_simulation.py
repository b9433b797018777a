"""Simulated events: their risks and correlation are those stated, and all forms answer alike."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import special, stats

from groupwise.catalogue.methods import NAMES, costs
from groupwise.compression import DesignForms
from groupwise.data.validate import Roles
from groupwise.design import Design, make_design
from groupwise.methods import Request, all_methods, answer, concerning, method_of
from groupwise.planning.event_plans import EventGoal
from groupwise.response import Response
from groupwise.rows import EVENTS, GROUPS, INDIVIDUALS, KINDS
from groupwise.sample import Resampling
from groupwise.simulation.estimation import estimate_process
from groupwise.simulation.event_moments import EventMoments
from groupwise.simulation.gathering import gathered
from groupwise.simulation.grid import between_design
from groupwise.simulation.link_scale import group_distribution, logit_intercept
from groupwise.simulation.options import NotSimulated, Options
from groupwise.simulation.processes import (
    PROCESSES,
    Case,
    EstimatedProcess,
    Process,
    detectable,
    outline,
    read_process,
)
from groupwise.simulation.scenarios import Scenario, dataset_scenarios, outcomes, simulate
from groupwise.simulation.sums import gather
from groupwise.simulation.workload import Workload, dataset_workload

REQUEST = Request(resampling=Resampling(1, 39, 19, 39, 200))
COLUMNS = ("estimate", "std_error", "statistic", "df", "p_value", "conf_low", "conf_high")
FAST = [name for name in all_methods() if costs([name])[name][0] == "fast"]
OF_EVENTS = ("t_groups", "skewed_groups", "beta_binomial", "rare_events", "unequal_sizes")


def made(kind: str, covariates: tuple[str, ...], response: Response, seed: int = 1) -> Design:
    """Fourteen groups of 2 to 12 in two arms; x is a covariate of individuals, w of groups."""
    rng = np.random.default_rng(seed)
    size = rng.integers(2, 13, 14)
    group = np.repeat(np.arange(14), size)
    n = len(group)
    arm = group % 2 if kind == "between" else rng.integers(0, 2, n)
    table = pd.DataFrame(
        {
            "g": group,
            "a": pd.Categorical.from_codes(arm, ["A", "B"]),
            "x": rng.normal(50, 10, n),
            "s": rng.choice(["m", "f"], n),
            "w": rng.normal(size=14)[group],
            "t": rng.uniform(0.5, 2.0, n),
        }
    )
    exposure = "t" if response.family == "count" else None
    roles = Roles("y", "a", "g", None, covariates, exposure=exposure)
    return make_design(table, roles, response=response)


def outcome(design: Design, seed: int = 2) -> np.ndarray:
    """One outcome of a design, with groups that differ."""
    rng = np.random.default_rng(seed)
    value = rng.normal(-0.4, 0.7, len(design.group_labels))[design.group]
    if design.response.family == "binary":
        return (rng.random(design.n_obs) < special.expit(value)).astype(float)
    assert design.exposure is not None
    return rng.poisson(design.exposure * np.exp(value)).astype(float)


def estimated(design: Design) -> EstimatedProcess:
    process = estimate_process(design, outcome(design))
    assert isinstance(process, EstimatedProcess)
    return process


def scenario(design: Design, case: Case, **changes: Any) -> Scenario:
    process = replace(estimated(design), **changes)
    (drawn,) = dataset_scenarios(design, process, [case])
    return drawn


BINARY, COUNT = Response("binary", "odds_ratio"), Response("count", "ratio")
NONE = np.zeros(2)


# ---- the stated moments ---------------------------------------------------------------------------


@pytest.mark.parametrize("dgp", ["normal", *OF_EVENTS])
@pytest.mark.parametrize("family", ["binary", "count"])
@pytest.mark.parametrize("form", [EVENTS, INDIVIDUALS])
def test_drawn_outcomes_have_the_risk_and_the_correlation(family: str, dgp: str, form: str) -> None:
    design = replace(between_design(2, 10, 12), response=BINARY if family == "binary" else COUNT)
    moments = EventMoments(design.response, 0.3, np.array([0.3, 0.3]))
    if family == "count" and dgp in ("t_groups", "skewed_groups"):
        assert not PROCESSES[dgp].concerns_outcome(moments)
        return
    process = replace(estimated(made("between", (), design.response)), terms=design.terms)
    std_dev = {"group": 0.2, "residual": 0.5}  # which events are not drawn from
    changed = replace(process, events=moments, coefficients=np.zeros(2), std_dev=std_dev)
    (drawn,) = dataset_scenarios(design, changed, [Case("s", 0.15, NONE, dgp)])
    means, shares = [], []
    for block in range(4):
        individuals = 500 if form == INDIVIDUALS else 0
        for batch in outcomes(drawn, block, individuals=individuals):
            y, rows = batch.y[EVENTS], drawn.forms.events
            assert rows is not None
            risk = drawn.link_scale.means[0]
            trials = rows.design.rows.trials
            assert trials is not None
            means.append(y.sum(axis=1) / trials.sum())
            deviation = y - risk * trials
            # Of pairs of members the squares of the members themselves are left out.
            if family == "binary":
                within = y * (1 - risk) ** 2 + (trials - y) * risk**2
            else:
                within = np.broadcast_to(trials * drawn.moments.within(risk) / (1 - 0.15), y.shape)
            pairs = (deviation**2 - within).sum(axis=1) / (trials * (trials - 1)).sum()
            total = risk * (1 - risk) if family == "binary" else drawn.moments.within(risk) / 0.85
            shares.append(pairs / total)
    for values, expected in ((means, drawn.link_scale.means[0]), (shares, 0.15)):
        each = np.concatenate(values)
        error = each.std() / np.sqrt(len(each))
        assert abs(each.mean() - expected) < 4 * error + 0.002


@pytest.mark.parametrize("risk", [0.02, 0.3, 0.9])
@pytest.mark.parametrize("icc", [0.001, 0.05, 0.3, 0.9])
@pytest.mark.parametrize("dgp", ["normal", "skewed_groups", "t_groups", "beta_binomial"])
def test_quadrature_gives_the_risk_and_the_correlation(risk: float, icc: float, dgp: str) -> None:
    """Against many more quantiles of the same distribution."""
    moments = EventMoments(BINARY, risk, np.array([risk, risk]))
    groups = group_distribution(moments, PROCESSES[dgp], mean=risk, icc=icc)
    eta = logit_intercept(risk, groups.sd * groups.z, groups.weight)
    q = (np.arange(400_000) + 0.5) / 400_000
    if dgp == "beta_binomial":
        p = stats.beta.ppf(q[::20], *groups.beta)
    else:
        shapes = {"normal": stats.norm.ppf(q), "skewed_groups": stats.expon.ppf(q) - 1}
        z = shapes.get(dgp, stats.t.ppf(q, 3) / np.sqrt(3))
        p = special.expit(eta + groups.sd * z)
    assert p.mean() == pytest.approx(risk, rel=0.01)
    assert p.var() / (risk * (1 - risk)) == pytest.approx(icc, rel=0.02)


def test_counts_vary_beyond_poisson_as_much_as_those_of_the_data() -> None:
    design = replace(between_design(2, 12, 20), response=COUNT)
    rng = np.random.default_rng(3)
    relative = rng.gamma(2.0, 0.5, design.n_obs)  # variance 1/2
    y = rng.poisson(2 * relative * np.exp(rng.normal(0, 0.3, 24)[design.group]))
    process = estimate_process(design, y.astype(float))
    assert isinstance(process, EstimatedProcess) and process.events is not None
    assert process.events.excess == pytest.approx(0.55, abs=0.2)
    (drawn,) = dataset_scenarios(design, process, [Case("s", process.icc, NONE)])
    assert drawn.draws_individuals
    within = np.concatenate([_within(drawn, simulate(drawn, block, 200)) for block in range(3)])
    assert within.mean() == pytest.approx(process.std_dev["residual"] ** 2, rel=0.05)


def _within(drawn: Scenario, y: np.ndarray) -> np.ndarray:
    """(R,) variances of individuals within groups."""
    left = y - drawn.design.group_means(y)[:, drawn.design.group]
    return np.asarray((left**2).sum(axis=1) / (drawn.design.n_obs - drawn.design.n_groups))


# ---- forms ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("covariates", [(), ("s", "w"), ("x",)], ids=str)
@pytest.mark.parametrize("kind", ["between", "within"])
@pytest.mark.parametrize("scale", ["difference", "ratio", "odds_ratio"])
def test_numbers_of_events_answer_as_individuals_do(
    kind: str, covariates: tuple[str, ...], scale: str
) -> None:
    design = made(kind, covariates, Response("binary", scale))
    forms = DesignForms.of(design)
    y = np.stack([outcome(design, seed) for seed in (2, 3)])
    assert forms.events is not None
    events = forms.events.rows.events(y)
    from_events = forms.compressed(events, EVENTS)
    from_individuals = forms.compressed(y, INDIVIDUALS)
    for form in (GROUPS, KINDS):
        np.testing.assert_allclose(from_events[form], from_individuals[form], atol=1e-7)
    for form in (EVENTS, GROUPS):
        names = [n for n in concerning(design, FAST) if method_of(n).needs(design) in _less(form)]
        assert names or (form, scale) not in ((EVENTS, "odds_ratio"), (GROUPS, "difference"))
        whole = answer(design, y, names, request=REQUEST)
        parts = answer(forms.design[form], from_events[form], names, request=REQUEST)
        for name in names:
            for column in COLUMNS:
                value, expected = (getattr(each[name].inference, column) for each in (parts, whole))
                np.testing.assert_allclose(
                    value, expected, rtol=1e-6, atol=1e-8, err_msg=f"{form} {name} {column}"
                )


def _less(form: str) -> tuple[str, ...]:
    """Needs that are met by a form."""
    return (EVENTS,) if form == EVENTS else (GROUPS, KINDS)


@pytest.mark.parametrize("response", [COUNT, Response("count", "difference")], ids=str)
def test_sums_of_counts_answer_as_individuals_do(response: Response) -> None:
    design = made("between", (), response)
    forms = DesignForms.of(design)
    y = outcome(design)[None]
    compressed = forms.compressed(y, INDIVIDUALS)
    for name in concerning(design, FAST):
        form = method_of(name).needs(design)
        whole = answer(design, y, [name], request=REQUEST)[name].inference
        part = answer(forms.design[form], compressed[form], [name], request=REQUEST)[name].inference
        np.testing.assert_allclose(part.p_value, whole.p_value, rtol=1e-6, err_msg=name)


# ---- what is true ---------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", ["difference", "ratio", "odds_ratio"])
def test_true_values_of_the_population_are_those_of_the_risks(scale: str) -> None:
    design = made("between", (), Response("binary", scale))
    drawn = scenario(design, Case("effect", 0.2, np.array([0.0, 1.2])))
    first, second = drawn.link_scale.means
    expected = {
        "difference": second - first,
        "ratio": np.log(second / first),
        "odds_ratio": special.logit(second) - special.logit(first),
    }
    np.testing.assert_allclose(drawn.truth_of("gee_fay_graubard"), [expected[scale]], rtol=1e-7)


def test_conditional_odds_ratios_are_further_from_one() -> None:
    design = made("between", (), BINARY)
    drawn = scenario(design, Case("effect", 0.2, np.array([0.0, 1.2])))
    assert drawn.truth_of("glmm_kenward_roger") > drawn.truth_of("glm_cr2") > 1.19
    null = scenario(design, Case("null", 0.2, NONE))
    assert not null.truth_of("glmm_kenward_roger").any() and not null.truth_of("glm_cr2").any()
    alone = scenario(design, Case("effect", 0.0, np.array([0.0, 1.2])))
    np.testing.assert_allclose(
        alone.truth_of("glmm_kenward_roger"), alone.truth_of("glm_cr2"), rtol=1e-7
    )


def test_rate_ratios_are_the_same_given_the_group() -> None:
    drawn = scenario(made("between", (), COUNT), Case("effect", 0.2, np.array([0.0, 0.5])))
    for method in ("glmm_kenward_roger", "glm_cr2"):
        np.testing.assert_allclose(drawn.truth_of(method), [0.5], rtol=1e-7)


def test_true_values_with_covariates_are_what_estimates_tend_to() -> None:
    design = made("between", ("x",), BINARY)
    process = replace(estimated(design), coefficients=np.array([0.0, 0.0, 0.02]))
    (drawn,) = dataset_scenarios(design, process, [Case("effect", 0.1, np.array([0.0, 1.0]))])
    assert abs(drawn.truth_of("glm_cr2")[0] - 1) > 0.01
    y = simulate(drawn, 0, 500).mean(axis=0)
    expected = drawn.link_scale.expected(design.arm, drawn.offset(design))
    assert np.abs(y - expected).max() < 5 * 0.5 / np.sqrt(500)
    overall = drawn.link_scale.expected(np.zeros(design.n_obs, dtype=int), drawn.offset(design))
    assert overall.mean() == pytest.approx(drawn.link_scale.means[0], abs=1e-3)


# ---- what is simulated of a dataset ---------------------------------------------------------------


def work(design: Design, **options: Any) -> Workload:
    asked = {"replicates": 600, "slow_replicates": 0, "departures": tuple(PROCESSES)} | options
    names = ("ols_cr2", "glm_cr2", "glmm_groups", "group_means")
    return dataset_workload(design, estimated(design), Options(**asked), methods=costs(names))


@pytest.mark.parametrize("response", [BINARY, Response("binary", "difference"), COUNT], ids=str)
def test_numbers_do_not_depend_on_the_jobs(response: Response) -> None:
    workload = work(made("between", (), response), departures=("beta_binomial",))
    whole = workload.run_share(1, 1)
    parts = [workload.run_share(chunk, 3) for chunk in (3, 1, 2)]
    pd.testing.assert_frame_equal(gather(parts), whole, check_exact=True)
    assert (whole["failed"] < whole["n"]).any()


def test_departures_of_other_families_are_passed_over() -> None:
    binary, count = (
        {each.dgp for each in work(made("between", (), response)).scenarios}
        for response in (BINARY, COUNT)
    )
    assert "t_residuals" not in binary | count
    assert binary - count == {"t_groups", "skewed_groups"}
    assert {"beta_binomial", "rare_events", "unequal_sizes"} <= count


def test_groups_are_given_other_sizes() -> None:
    design = replace(between_design(2, 8, 20), response=BINARY)
    plan = [each for each in work(design).scenarios if each.dgp == "unequal_sizes"]
    (resized,) = plan
    sizes = resized.design.group_size
    assert sizes.std() / sizes.mean() == pytest.approx(0.8, abs=0.15)
    assert resized.design.n_groups == 16 and resized.design.n_obs == design.n_obs
    assert sizes.reshape(2, 8).sum(axis=1).tolist() == [160, 160]


def test_process_is_read_as_it_is_written() -> None:
    process = estimated(made("between", ("x",), COUNT))
    content = json.loads(json.dumps(process.content()))
    again = read_process(content)
    assert again.content() == process.content()


def test_bootstraps_of_events_are_asked_less_often() -> None:
    """Each of their draws is fitted by quadrature."""
    plan = outline(estimated(made("between", (), BINARY)), Options(), arms=("A", "B"))
    assert {budget.most.slowest for budget in plan.budgets} == {100}
    assert min(budget.most.slow for budget in plan.budgets) > 100


def test_effects_are_assumed_on_their_scale() -> None:
    design = made("between", (), Response("binary", "difference"))
    process = estimated(design)
    assert process.events is not None
    plan = outline(process, Options(effects={"B": 0.1}), arms=("A", "B"))
    effect = next(case for case in plan.cases if not case.null)
    risk = process.events.means[0]
    expected = special.logit(risk + 0.1) - special.logit(risk)
    np.testing.assert_allclose(effect.effects, [0, expected])
    with pytest.raises(NotSimulated, match="no risk of 'B'"):
        outline(process, Options(effects={"B": 0.9}), arms=("A", "B"))
    odds = estimated(made("between", (), BINARY))
    plan = outline(odds, Options(effects={"B": 1.0}), arms=("A", "B"))
    assert all(case.null for case in plan.cases)


def test_overview_has_effects_as_they_are_reported() -> None:
    design = made("between", (), BINARY)
    workload = work(design, effects={"B": 2.0}, departures=())
    understood = {"n_obs": design.n_obs, "n_groups": 14, "arms": ["A", "B"], "contrasts": ["B - A"]}
    options = Options(replicates=600, slow_replicates=0, effects={"B": 2.0})
    sums = [workload.run_share(1, 1)]
    table, overview = gathered(
        understood, estimated(design), options, "assumed", sums, methods=NAMES
    )
    assert overview["effects"]["A"] == 1 and overview["effects"]["B"] == pytest.approx(2)
    truth = table[table["measure"] == "truth"].set_index(["scenario", "method"])["value"]
    assert truth["effect, icc 0.000"].to_dict() == pytest.approx(
        {"glm_cr2": np.log(2), "glmm_groups": np.log(2)}
    )


# ---- planning -------------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", ["difference", "ratio", "odds_ratio"])
def test_variances_are_those_of_donner_and_klar(scale: str) -> None:
    """p (1 - p) of both risks, divided by the squares of the derivatives."""
    moments = EventMoments(Response("binary", scale), 0.25, np.array([0.2, 0.3]))
    goal = EventGoal.of(moments, moments.means)
    variance = goal.spread**2 * 0.25 * 0.75
    p = np.array([0.2, 0.3])
    derivative = {"difference": 1.0, "ratio": p, "odds_ratio": p * (1 - p)}[scale]
    assert variance == pytest.approx((p * (1 - p) / derivative**2).mean())


@pytest.mark.parametrize(
    ("scale", "method"),
    [("difference", "group_means"), ("odds_ratio", "glmm_groups"), ("ratio", "glm_cr2")],
)
def test_planned_power_is_that_of_simulations(scale: str, method: str) -> None:
    from groupwise.planning.outlook import planned

    design = replace(between_design(2, 10, 30), response=Response("binary", scale))
    process = replace(estimated(made("between", (), design.response)), terms=design.terms)
    moments = EventMoments(design.response, 0.35, np.array([0.25, 0.45]))
    sd = np.sqrt(0.35 * 0.65)
    std_dev = {"group": sd * np.sqrt(0.06), "residual": sd * np.sqrt(0.94)}
    changed = replace(process, events=moments, coefficients=np.zeros(2), std_dev=std_dev, icc=0.06)
    effect = moments.effects(moments.means)[1]
    table = planned(
        design, changed, Options(), effect=effect, power=0.8, methods=[method], curves=[]
    )
    at_hand = table[(table["question"] == "at_hand") & (table["scenario"] == "estimate")]
    case = Case("effect", 0.06, np.array([0.0, special.logit(0.45) - special.logit(0.25)]))
    (drawn,) = dataset_scenarios(design, changed, [case])
    y = simulate(drawn, 0, 500), simulate(drawn, 1, 500)
    p = answer(design, np.concatenate(y), [method], request=REQUEST)[method].inference.p_value
    assert (p < 0.05).mean() == pytest.approx(at_hand["power"].iloc[0], abs=0.05)
    assert at_hand["effect"].iloc[0] == pytest.approx(effect)


def test_processes_have_one_shape_each() -> None:
    """Beta distributed risks are drawn as they are, whatever the quadrature."""
    moments = EventMoments(BINARY, 0.2, np.array([0.2, 0.2]))
    groups = group_distribution(moments, Process(conjugate=True), mean=0.2, icc=0.1)
    rng = np.random.default_rng(1)
    z = groups.draw(rng, (20_000,))
    assert z.mean() == pytest.approx(0, abs=0.03) and z.std() == pytest.approx(1, abs=0.03)
    a, b = groups.beta
    eta = special.digamma(a) - special.digamma(b)
    p = special.expit(eta + groups.sd * z)
    assert stats.kstest(p, stats.beta(a, b).cdf).pvalue > 0.001


def test_effects_that_are_simulated_lead_away_from_the_nearer_end_of_risks() -> None:
    """Named the other way round, the event has the same simulations with the opposite sign."""
    design = made("between", (), Response("binary", "odds_ratio"))
    y = outcome(design)
    here, swapped = (estimate_process(design, each) for each in (y, 1 - y))
    assert isinstance(here, EstimatedProcess) and isinstance(swapped, EstimatedProcess)
    for process in (here, swapped):
        assert process.events is not None
        assert (detectable(process)[-1] < 0) == (process.events.means[0] > 0.5)
    assert np.allclose(detectable(swapped), -detectable(here), rtol=1e-6)
