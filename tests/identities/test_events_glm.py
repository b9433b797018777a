"""What has to hold for every regression of events, whatever the data: no reference values here."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from experiments import answers_by, draw, fit_all, only, sample_of_events

from groupwise.design import Design
from groupwise.inference.event_sandwich import bias_reduced, event_sandwich, through_complement
from groupwise.methods import Fits, Replicates, answer, method_of
from groupwise.models.event_rows import EventRows
from groupwise.models.glm import EventModel
from groupwise.response import Response
from groupwise.rows import Rows
from groupwise.sample import Sample
from groupwise.tidy import Inference

POOLED = ("glm_wald", "glm_cr1", "glm_cr2", "glm_cr3")
GEE = ("gee_mancl_derouen", "gee_kauermann_carroll", "gee_fay_graubard")
ALL = (*POOLED, "group_logs", *GEE)
KINDS = ("between", "blocked", "within", "mixed")
RESPONSES = (
    ("binary", "odds_ratio"),
    ("binary", "ratio"),
    ("count", "ratio"),
    ("binary", "difference"),
    ("count", "difference"),
)
each_method = pytest.mark.parametrize("method", ALL)
each_response = pytest.mark.parametrize(("family", "scale"), RESPONSES)


def events_table(
    kind: str = "between",
    family: str = "binary",
    *,
    arms: int = 2,
    groups: int = 12,
    sizes: int | list[int] = 14,
    covariates: tuple[str, ...] = (),
    seed: int = 1,
) -> pd.DataFrame:
    """`experiments.draw` with events in place of means, and exposures for counts."""
    table = draw(kind, arms=arms, groups=groups, sizes=sizes, covariates=covariates, seed=seed)
    rng = np.random.default_rng(seed + 100)
    score = (table["y"] - table["y"].mean()) / table["y"].std()
    risk = 1 / (1 + np.exp(0.4 - 0.5 * score))
    if family == "count":
        table["exposure"] = rng.choice([0.5, 1.0, 2.5], size=len(table))
        table["y"] = rng.poisson(table["exposure"] * (0.3 + risk))
    else:
        table["y"] = rng.binomial(1, risk)
    return table


def sample(kind: str, family: str, scale: str, **more: object) -> Sample:
    return sample_of_events(events_table(kind, family, **more), family, scale)  # type: ignore[arg-type]


def rows_of(methods: tuple[str, ...], case: Sample, y: np.ndarray) -> dict[str, Replicates]:
    listed = [name for name in methods if method_of(name).is_listed(case.design)]
    return answer(case.design, y, listed)


def same(a: Inference, b: Inference, tolerance: float = 1e-9) -> None:
    for name in ("estimate", "std_error", "df", "p_value"):
        np.testing.assert_allclose(
            getattr(a, name), getattr(b, name), rtol=tolerance, atol=1e-10, err_msg=name
        )


def counted(design: Design) -> Design:
    """The design whose rows are individuals who are alike."""
    rows = EventRows.of(design, by_exposure=True)
    first = rows.first
    codes = {
        name: None if (each := getattr(design, name)) is None else each[first]
        for name in ("group", "arm", "block")
    }
    exposure = None if design.exposure is None else rows.exposure
    return replace(
        design, X=design.X[first], rows=Rows.events(rows.trials), exposure=exposure, **codes
    )


# ---- tables of 2 x 2 -----------------------------------------------------------------------------


def two_by_two(a: int, b: int, c: int, d: int) -> pd.DataFrame:
    """a events and b others in arm B, c and d in arm A, each individual a group."""
    arm = np.repeat(["B", "B", "A", "A"], [a, b, c, d])
    y = np.repeat([1, 0, 1, 0], [a, b, c, d])
    return pd.DataFrame({"g": np.arange(len(arm)), "arm": arm, "y": y})


def test_a_table_gives_the_textbook_odds_ratio() -> None:
    a, b, c, d = 17, 23, 9, 41
    case = sample_of_events(two_by_two(a, b, c, d), "binary", "odds_ratio")
    row = answers_by("glm_wald", case.design, case.y).contrasts
    assert row.estimate[0] == pytest.approx(np.log(a * d / (b * c)), rel=1e-12)
    assert row.std_error[0] == pytest.approx(np.sqrt(1 / a + 1 / b + 1 / c + 1 / d), rel=1e-12)


def test_a_table_gives_the_textbook_risk_ratio() -> None:
    """Zou's sandwich of individuals is the delta method's variance of a log risk ratio."""
    a, b, c, d = 17, 23, 9, 41
    case = sample_of_events(two_by_two(a, b, c, d), "binary", "ratio")
    row = answers_by("glm_wald", case.design, case.y).contrasts
    assert row.estimate[0] == pytest.approx(np.log(a / (a + b) / (c / (c + d))), rel=1e-12)
    variance = 1 / a - 1 / (a + b) + 1 / c - 1 / (c + d)
    assert row.std_error[0] == pytest.approx(np.sqrt(variance), rel=1e-12)


def test_counts_give_the_textbook_rate_ratio() -> None:
    case = sample("between", "count", "ratio")
    row = answers_by("glm_wald", case.design, case.y).contrasts
    assert case.design.exposure is not None
    events = np.bincount(case.design.arm, case.y)
    rate = events / np.bincount(case.design.arm, case.design.exposure)
    assert row.estimate[0] == pytest.approx(np.log(rate[1] / rate[0]), rel=1e-12)
    assert row.std_error[0] == pytest.approx(np.sqrt((1 / events).sum()), rel=1e-12)


# ---- symmetries ----------------------------------------------------------------------------------


@each_method
@pytest.mark.parametrize("kind", KINDS)
def test_swapping_events_and_others_inverts_odds_ratios(kind: str, method: str) -> None:
    case = sample(kind, "binary", "odds_ratio", covariates=("x",), sizes=[9, 14, 20] * 4)
    one, other = (rows_of((method,), case, y[None]) for y in (case.y, 1 - case.y))
    a, b = one[method].inference, other[method].inference
    same(a, replace(b, estimate=-b.estimate))


@each_method
@each_response
def test_order_of_rows_and_names_of_groups_do_not_matter(
    family: str, scale: str, method: str
) -> None:
    table = events_table("between", family, covariates=("x",), sizes=[9, 14, 20] * 4)
    shuffled = table.sample(frac=1, random_state=3)
    shuffled["g"] = 100 - shuffled["g"]
    one, other = (sample_of_events(each, family, scale) for each in (table, shuffled))
    if method_of(method).is_listed(one.design):
        a, b = (answers_by(method, each.design, each.y) for each in (one, other))
        same(a.contrasts, b.contrasts)
        same(a.means, b.means)


@each_method
@each_response
def test_units_of_covariates_do_not_matter(family: str, scale: str, method: str) -> None:
    table = events_table("between", family, covariates=("x",))
    one, other = (
        sample_of_events(each, family, scale) for each in (table, table.assign(x=1e4 * table["x"]))
    )
    if method_of(method).is_listed(one.design):
        a, b = (answers_by(method, each.design, each.y) for each in (one, other))
        same(a.contrasts, b.contrasts)
        assert b.coefficients.estimate[-1] * 1e4 == pytest.approx(
            a.coefficients.estimate[-1], rel=1e-8
        )


@pytest.mark.parametrize("method", GEE)
@each_response
def test_where_covariates_are_measured_from_does_not_matter(
    family: str, scale: str, method: str
) -> None:
    table = events_table("within", family, covariates=("x",))
    one, other = (
        sample_of_events(each, family, scale) for each in (table, table.assign(x=table["x"] + 2000))
    )
    a, b = (answers_by(method, each.design, each.y) for each in (one, other))
    assert np.isfinite(a.contrasts.std_error).all()
    same(a.contrasts, b.contrasts, 1e-7)
    same(a.means, b.means, 1e-7)


# ---- batches and aggregated designs --------------------------------------------------------------


@each_response
@pytest.mark.parametrize("kind", ["between", "within"])
def test_an_outcome_answers_alone_as_in_a_batch(kind: str, family: str, scale: str) -> None:
    case = sample(kind, family, scale, sizes=[9, 14, 20] * 4)
    rng = np.random.default_rng(5)
    y = np.stack([case.y, *(rng.permutation(case.y) for _ in range(2)), np.zeros(len(case.y))])
    for method, rows in rows_of(ALL, case, y).items():
        for i in range(len(y)):
            alone = rows_of((method,), case, y[i : i + 1])[method].inference
            same(alone.outcome(0), rows.inference.outcome(i), 1e-12)
        assert np.isnan(rows.inference.estimate[-1]).all()
        if kind == "between" and method not in GEE:
            assert np.isfinite(rows.inference.estimate[:-1]).all()


@each_response
@pytest.mark.parametrize("kind", KINDS)
def test_numbers_of_events_answer_as_individuals_do(kind: str, family: str, scale: str) -> None:
    case = sample(kind, family, scale, sizes=[9, 14, 20] * 4)
    compressed = counted(case.design)
    events = EventRows.of(case.design, by_exposure=True).events(case.y[None])
    for method, rows in rows_of(ALL, case, case.y[None]).items():
        if family == "count" and method in GEE:
            with pytest.raises(ValueError, match="counts of individuals"):
                answer(compressed, events, [method])
            continue
        same(answer(compressed, events, [method])[method].inference, rows.inference, 1e-10)


# ---- independence, and designs that are balanced ------------------------------------------------


@pytest.mark.parametrize("scale", ["odds_ratio", "ratio"])
def test_a_group_per_individual_is_independence(scale: str) -> None:
    """Then CR1 is the sandwich of individuals but for its factor, and GEE has no pairs."""
    case = sample("between", "binary", scale, groups=80, sizes=1, covariates=("x",))
    n, p = case.design.X.shape
    model = EventModel.of(case.design)
    fit = model.fit(model.rows.events(case.y[None]))
    X, expected = model.rows.X, fit.expected[0]
    bread = np.linalg.inv(X.T @ (fit.weight[0][:, None] * X))
    meat = X.T @ ((model.rows.events(case.y[None])[0] - expected)[:, None] ** 2 * X)
    hc0 = np.sqrt(np.diag(bread @ meat @ bread))
    rows = answers_by("glm_cr1", case.design, case.y).coefficients
    np.testing.assert_allclose(rows.std_error, hc0 * np.sqrt(n / (n - p)), rtol=1e-10)
    if scale == "ratio":
        zou = answers_by("glm_wald", case.design, case.y).coefficients
        np.testing.assert_allclose(zou.std_error, hc0, rtol=1e-10)
    for gee, sandwich in (("gee_mancl_derouen", "glm_cr3"), ("gee_kauermann_carroll", "glm_cr2")):
        a, b = (answers_by(each, case.design, case.y).coefficients for each in (gee, sandwich))
        np.testing.assert_allclose(a.estimate, b.estimate, rtol=1e-10)
        np.testing.assert_allclose(a.std_error, b.std_error, rtol=1e-10)


@pytest.mark.parametrize("family", ["binary", "count"])
def test_with_equal_sizes_the_difference_of_gee_is_that_of_group_means(family: str) -> None:
    """And Kauermann and Carroll's standard error, of equally large arms, is the t test's."""
    table = events_table("between", family)
    if family == "count":
        table["exposure"] = 2.0
    case = sample_of_events(table, family, "difference")
    values = case.design.measured(case.y)
    means = answers_by("group_means", case.design, case.y).contrasts
    for method in GEE:
        row = answers_by(method, case.design, case.y).contrasts
        assert row.estimate[0] == pytest.approx(means.estimate[0], rel=1e-10)
    row = answers_by("gee_kauermann_carroll", case.design, case.y).contrasts
    G = case.design.n_groups
    between = case.design.group_means(values)
    arm = case.design.arm_of_group
    variance = sum(between[arm == j].var(ddof=1) / (G / 2) for j in (0, 1))
    assert row.std_error[0] == pytest.approx(np.sqrt(variance), rel=1e-10)


def test_rare_events_have_odds_ratios_that_are_risk_ratios() -> None:
    """With shares of 1e-6 the two regressions are one."""
    design = sample("between", "binary", "ratio").design
    size = np.full(design.n_groups, 10_000_000.0)
    rows = counted(design)
    events = np.random.default_rng(2).poisson(12, size=(1, design.n_groups)).astype(float)
    for method in POOLED:
        both = [
            answer(
                replace(rows, rows=Rows.events(size), response=Response("binary", scale)),
                events,
                [method],
            )[method].inference
            for scale in ("ratio", "odds_ratio")
        ]
        same(*both, 1e-4)


def test_the_same_logarithm_in_equal_groups_of_an_arm() -> None:
    """Group logs are least squares of logarithms: their difference is that of arms' means of logs."""
    case = sample("between", "binary", "odds_ratio", sizes=40)
    share = case.design.group_means(case.y)
    log_odds = np.log(share / (1 - share))
    arm = case.design.arm_of_group
    difference = log_odds[arm == 1].mean() - log_odds[arm == 0].mean()
    row = answers_by("group_logs", case.design, case.y).contrasts
    assert row.estimate[0] == pytest.approx(difference, rel=1e-12)
    assert row.df[0] == case.design.n_groups - 2


# ---- the sandwich --------------------------------------------------------------------------------


@pytest.mark.parametrize(("rows", "columns"), [(5, 2), (2, 5), (1, 3), (4, 4)])
@pytest.mark.parametrize(("kind", "power"), [("CR2", -0.5), ("CR3", -1.0)])
def test_powers_of_complements(rows: int, columns: int, kind: str, power: float) -> None:
    rng = np.random.default_rng(rows)
    D, x = rng.normal(size=(3, rows, columns)) / 4, rng.normal(size=(3, rows, 2))
    values, vectors = np.linalg.eigh(np.eye(rows) - D @ D.transpose(0, 2, 1))
    dense = vectors @ (values[..., None] ** power * (vectors.transpose(0, 2, 1) @ x))
    np.testing.assert_allclose(through_complement(D, x, kind), dense, rtol=1e-10)


@pytest.mark.parametrize("spread", [1.5, 1e4])
def test_quadrature_gives_the_root_of_large_groups(spread: float) -> None:
    rng = np.random.default_rng(1)
    V = np.exp(rng.uniform(-np.log(spread), 0, size=(2, 90))) / 4
    Q, x = rng.normal(size=(2, 90, 3)) / 30, rng.normal(size=(2, 90, 2))
    B = V[..., None] * (np.eye(90) - Q @ Q.transpose(0, 2, 1)) * V[:, None, :]
    values, vectors = np.linalg.eigh(B)
    dense = V[..., None] * (
        vectors @ (values[..., None] ** -0.5 * (vectors.transpose(0, 2, 1) @ x))
    )
    np.testing.assert_allclose(bias_reduced(V, Q, x), dense, rtol=1e-8, atol=1e-10)


def test_cr2_is_unbiased_under_the_working_variance() -> None:
    """The defining identity: sum_g t_g t_g' less what the fit takes is the model's covariance."""
    case = sample("between", "binary", "odds_ratio", covariates=("x",), sizes=[9, 14, 20] * 4)
    model = EventModel.of(case.design)
    fit = model.fit(model.rows.events(case.y[None]))
    Lambda, _ = model.basis.coordinates(np.eye(case.design.X.shape[1]))
    sandwich = event_sandwich(fit, Lambda, "CR2")
    expected = Lambda @ fit.inverse_information[0] @ Lambda.T
    # Exact where the working variance is one number in each group: without the covariate.
    constant = sample("between", "binary", "odds_ratio", sizes=[9, 14, 20] * 4)
    other = EventModel.of(constant.design)
    alone = other.fit(other.rows.events(constant.y[None]))
    Lambda, _ = other.basis.coordinates(np.eye(2))
    exact = Lambda @ alone.inverse_information[0] @ Lambda.T
    unbiased = event_sandwich(alone, Lambda, "CR2").expectation()[0]
    np.testing.assert_allclose(unbiased, exact, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(np.diag(sandwich.expectation()[0]), np.diag(expected), rtol=0.05)


# ---- no answer -----------------------------------------------------------------------------------


def message_of(case: Sample, method: str) -> str:
    specification = {"gl": "pooled", "gr": "group_means", "ge": "gee"}[method[:2]]
    estimates = only(fit_all(case, [specification])["estimates"], method=method)
    assert estimates["estimate"].isna().all() and not estimates["converged"].any()
    return str(estimates["message"].iloc[0])


@pytest.mark.parametrize("method", ["glm_wald", "glm_cr2", "group_logs", "gee_fay_graubard"])
@pytest.mark.parametrize(("outcome", "what"), [(0, "no events"), (1, "nothing but events")])
def test_an_arm_without_spread_has_no_odds_ratio(method: str, outcome: int, what: str) -> None:
    table = events_table("between")
    table.loc[table["arm"] == "B", "y"] = outcome
    message = message_of(sample_of_events(table, "binary", "odds_ratio"), method)
    assert f"{what} in B" in message and "infinite" in message


@pytest.mark.parametrize("method", ["glm_wald", "glm_cr3", "gee_mancl_derouen"])
def test_a_covariate_that_separates_is_named(method: str) -> None:
    table = events_table("between", covariates=("x", "z"))
    table["y"] = (table["x"] > 0.1).astype(int)
    message = message_of(sample_of_events(table, "binary", "odds_ratio"), method)
    assert message == (
        "No answer: x separates individuals with events from others, so that a coefficient is infinite."
    )


@pytest.mark.parametrize(
    ("levels", "outcome", "why"),
    [
        (("rare", "usual"), 1, "all individuals outside z: usual have the event"),
        (("usual", "very rare"), 1, "all individuals in z: very rare have the event"),
        (("rare", "usual"), 0, "no individual outside z: usual has an event"),
    ],
)
def test_the_level_of_a_factor_without_spread_is_named(
    levels: tuple[str, str], outcome: int, why: str
) -> None:
    table = events_table("between")
    odd = table.index % 7 == 0
    rare = next(each for each in levels if "rare" in each)
    table["z"] = np.where(odd, rare, "usual")
    table.loc[odd, "y"] = outcome
    message = message_of(sample_of_events(table, "binary", "odds_ratio"), "glm_cr2")
    assert message == f"No answer: {why}, so that a coefficient is infinite."


def test_a_block_without_events_is_named() -> None:
    table = events_table("blocked")
    table.loc[table["b"] == "south", "y"] = 0
    message = message_of(sample_of_events(table, "binary", "ratio"), "glm_cr1")
    assert "south" in message and "infinite" in message


def test_a_large_effect_is_not_infinite() -> None:
    """One event among very many in an arm: far from 0, but finite."""
    arm = np.repeat(["A", "B"], 5000)
    y = (np.arange(10_000) < 2500).astype(int)
    y[9999] = 1
    table = pd.DataFrame({"g": np.arange(10_000) % 20 + 20 * (arm == "B"), "arm": arm, "y": y})
    case = sample_of_events(table, "binary", "odds_ratio")
    row = answers_by("glm_wald", case.design, case.y).contrasts
    assert row.estimate[0] == pytest.approx(np.log(1 / 4999), rel=1e-12)


def test_an_outlying_member_does_not_make_an_estimate_infinite() -> None:
    table = events_table("between", covariates=("x",))
    table.loc[0, "x"] = 400.0 if table.loc[0, "y"] else -400.0
    case = sample_of_events(table, "binary", "odds_ratio")
    model = EventModel.of(case.design)
    fit = model.fit(model.rows.events(case.y[None]))
    assert fit.is_finite[0]
    score = (fit.events - fit.expected) @ model.rows.X
    np.testing.assert_allclose(score / np.abs(model.rows.X).sum(axis=0), 0, atol=1e-12)


def test_an_arm_without_events_has_no_difference_by_gee() -> None:
    table = events_table("between")
    table.loc[table["arm"] == "A", "y"] = 0
    case = sample_of_events(table, "binary", "difference")
    assert "variance of the model is 0" in message_of(case, "gee_mancl_derouen")


def test_a_half_is_added_in_words() -> None:
    table = events_table("between")
    table.loc[table["g"] == 3, "y"] = 0
    case = sample_of_events(table, "binary", "odds_ratio")
    estimates = only(fit_all(case, ["group_means"])["estimates"], method="group_logs")
    assert np.isfinite(estimates["estimate"]).all()
    assert "1/2 is added" in estimates["message"].iloc[0]


def test_treatments_within_groups_have_no_logarithms_of_groups() -> None:
    assert "varies within groups" in message_of(
        sample("within", "binary", "odds_ratio"), "group_logs"
    )


def test_fay_and_graubard_bound_the_share_of_a_group() -> None:
    """Against dense matrices of groups, where one group has most of the information."""
    case = sample("between", "binary", "odds_ratio", groups=6, sizes=[4, 70, 60, 5, 6, 4], seed=3)
    fit = Fits(case.design, case.y[None]).of(method_of("gee_fay_graubard"))
    X, rho = case.design.X, fit.correlation[0]
    beta = fit.gamma @ fit.equations.model.basis.coordinates(np.eye(2))[0].T
    mean = 1 / (1 + np.exp(-X @ beta[0]))
    root = np.sqrt(mean * (1 - mean))
    information, scores = [], []
    for g in range(6):
        i = case.design.group == g
        R = np.full((i.sum(), i.sum()), rho) + (1 - rho) * np.eye(i.sum())
        q = root[i, None] * X[i]
        information.append(q.T @ np.linalg.solve(R, q))
        scores.append(q.T @ np.linalg.solve(R, ((case.y - mean) / root)[i]))
    B = np.linalg.inv(np.sum(information, axis=0))
    shares = np.array([np.diag(each @ B) for each in information])
    assert (shares > 0.75).any()
    corrected = np.array(scores) / np.sqrt(1 - np.minimum(0.75, shares))
    dense = np.sqrt(np.diag(B @ corrected.T @ corrected @ B))
    row = answers_by("gee_fay_graubard", case.design, case.y).coefficients
    np.testing.assert_allclose(row.std_error, dense, rtol=1e-9)


def test_groups_without_pairs_have_correlation_0() -> None:
    case = sample("between", "binary", "odds_ratio", groups=60, sizes=1)
    fit = Fits(case.design, case.y[None]).of(method_of("gee_fay_graubard"))
    assert fit.correlation[0] == 0 and fit.answered[0]
