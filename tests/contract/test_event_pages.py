"""What pages say and figures show of events and counts: risks in per cent, ratios beside 1."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache
from typing import Any

import hard_cases
import numpy as np
import pandas as pd
import pytest
from experiments import fit_all, sample_of_events
from scipy import stats

from groupwise import figures
from groupwise.diagnostics import refit
from groupwise.diagnostics.event_checks import event_checks
from groupwise.effect_words import EffectWords, needed_to_treat, ratio
from groupwise.figures.events.by_group import chance_limits, events_by_group
from groupwise.figures.style import drawable, ratio_breaks
from groupwise.report import (
    answer,
    calibration,
    equations,
    events,
    overview,
    prose,
    quotable,
    sensitivity,
    tables,
)
from groupwise.report.facts import Facts
from groupwise.response import FAMILIES, SCALES_OF, Response
from groupwise.sample import Sample, sample_of
from groupwise.witness import agreement

CASES = ("risks", "odds", "odds_within", "rates")
RATIOS = ("odds", "odds_within", "rates")


@cache
def facts_of(case: str) -> Facts:
    made = hard_cases.make(case)
    told: dict[str, Any] = {"design": made.design, "results": made.results, "truth": made.truth}
    return Facts(**told, alt={}, provenance={}, verdict=made.verdict, calibration=made.calibration)


@cache
def sample_in(case: str) -> Sample:
    made = hard_cases.make(case)
    return sample_of(made.data, made.design, {"bootstrap_draws": 99, "randomization_draws": 99})


def plain(markdown: str) -> str:
    return re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", markdown).replace("\u00a0", " ")


def with_interval(facts: Facts, low: float, estimate: float, high: float) -> Facts:
    """The facts with another answer of the headline."""
    table = facts.results["estimates"].copy()
    own = table["method"] == facts.headline
    table.loc[own, ["conf_low", "estimate", "conf_high"]] = [low, estimate, high]
    return replace(facts, results=dict(facts.results) | {"estimates": table})


def drawn(case: str, name: str) -> figures.Figure:
    made = hard_cases.make(case)
    shown = figures.Tables(made.data, made.design, made.results, made.verdict["lead"], made.truth)
    return figures.draw(name, shown)


# ---- sentences -----------------------------------------------------------------------------------


def test_risks_are_in_per_cent_and_their_difference_in_percentage_points() -> None:
    text = plain(answer.answer(facts_of("risks")))
    number = r"−?\d+\.\d"
    assert re.search(
        rf"The risk of recovered = yes was {number} percentage points (?:higher|lower) with "
        rf"\*\*[^*]+\*\* than with \*\*[^*]+\*\* \(95% interval {number} to {number}; p [=<] \S+\): "
        rf"{number}% against {number}%",
        text,
    )


@pytest.mark.parametrize(
    ("ends", "said"),
    [
        ((0.05, 0.1, 0.2), "number needed to treat for one event more: 10 (5.0 to 20)"),
        ((-0.2, -0.1, -0.05), "number needed to treat for one event fewer: 10 (5.0 to 20)"),
        ((-0.02, 0.1, 0.2), None),
        ((0.0, 0.1, 0.2), None),
    ],
)
def test_number_needed_to_treat_is_told_where_the_interval_leaves_out_0(
    ends: tuple[float, float, float], said: str | None
) -> None:
    text = plain(answer.answer(with_interval(facts_of("risks"), *ends)))
    assert ("needed to treat" in text) == (said is not None)
    assert said is None or said in text


@pytest.mark.parametrize("case", RATIOS)
def test_ratios_are_named_compared_as_ratios_and_have_no_number_needed_to_treat(case: str) -> None:
    facts = facts_of(case)
    text = plain(answer.answer(facts))
    assert re.search(rf"\d times as high with \*\*[^*]+\*\* as with \*\*{facts.arms[0]}\*\*", text)
    assert "−" not in text
    assert "needed to treat" not in plain(answer.answer(with_interval(facts, 1.2, 2.0, 3.0)))


@pytest.mark.parametrize("case", RATIOS)
def test_no_sentence_about_noise_that_events_do_not_have(case: str) -> None:
    facts = facts_of(case)
    parts = (prose.effects, prose.why_methods_differ, prose.noise, prose.noise_caption)
    text = plain(" ".join(part(facts) for part in parts)).lower()
    assert "residuals to look at one by one" in text
    assert not re.search(r"normal distribution|band of even width|their standard deviation", text)
    assert r"\varepsilon" not in equations.pooled(facts) + equations.mixed(facts)


def test_both_kinds_of_odds_ratios_are_told_apart_and_neither_is_wrong() -> None:
    text = plain(events.estimand(facts_of("odds")))
    assert "**conditional**" in text and "**population-averaged**" in text
    assert "neither is wrong" in text
    assert "unlike odds ratios" in plain(events.estimand(facts_of("rates")))
    assert events.estimand(facts_of("risks")) == events.estimand(facts_of("usual")) == ""


def test_true_odds_ratios_are_said_to_be_of_which_kind() -> None:
    """Where they were simulated: over all groups, and of one and the same group."""
    facts = facts_of("odds")
    (*_, contrast) = facts.contrasts
    truth = {"effects": {contrast: 1.69}, "effects_within_groups": {contrast: 1.75}}
    text = plain(prose.effects(replace(facts, truth=truth)))
    assert "1.69. These are population-averaged odds ratios; conditional on the" in text
    assert text.index("1.69") < text.index("1.75") and "are known" in text
    assert facts.words.true_effect == "true population-averaged odds ratio"
    rates = plain(prose.effects(replace(facts_of("rates"), truth=truth)))
    assert "1.69" in rates and "1.75" not in rates
    assert facts_of("rates").words.true_effect == "true effect"


@pytest.mark.parametrize("case", CASES)
def test_outcomes_are_said_to_be_simulated_as_events(case: str) -> None:
    scale = "logarithm of their rate" if case == "rates" else "log odds"
    text = plain(calibration.simulated(facts_of(case)))
    assert (
        "were drawn as events, with effects of " in text and f" on the {scale}, and every" in text
    )
    assert "by the mixed model" not in text


def test_models_of_the_witness_are_told_apart() -> None:
    """A least squares GEE and one of events of the same risks."""
    assert {"GEE", "GEE of events"} <= set(
        re.findall(r"GEE(?: of events)?", tables.agreement(facts_of("risks")))
    )


def test_the_value_that_counts_and_the_unit_of_rates_are_said() -> None:
    assert "“yes” counts, “no” does not" in plain(prose.question(facts_of("odds")))
    assert "events per person year, and" in plain(prose.question(facts_of("rates")))
    assert "per person year" in plain(answer.answer(facts_of("rates")))


@pytest.mark.parametrize("case", CASES)
def test_icc_is_said_to_be_that_of_the_outcome_with_its_interval(case: str) -> None:
    text = plain(prose.correlation(facts_of(case)))
    assert re.search(r"The ICC \(95% interval 0\.\d\d to 0\.\d\d\) is that of the", text)
    of_rates = "is that of the rates per person year, each individual counting once"
    assert (of_rates in text) == (case == "rates")
    assert ("variance is, at the same person years," in plain(prose.effects(facts_of(case)))) == (
        case == "rates"
    )


def test_a_ratio_that_is_known_well_has_the_decimals_for_it() -> None:
    words = EffectWords(Response("count", "ratio"), "falls")
    assert words.effect(0.9970, words.decimals(0.004)) == "0.997"
    assert words.effect(0.774, words.decimals(0.2)) == "0.77"


def test_mean_log_odds_of_groups_are_of_the_conditional_kind() -> None:
    conditional, _, averaged = plain(events.estimand(facts_of("odds"))).partition("**population")
    assert "mean log odds of" in conditional and "as units" not in averaged


def test_dummies_of_events_have_a_trap_of_their_own() -> None:
    between, within = (
        plain(prose.trap(facts_of("odds"))),
        plain(prose.trap(facts_of("odds_within"))),
    )
    assert "is infinite" in between and "with pairs it squares them" in within
    assert prose.nested_alternative(facts_of("odds")) == ""


@pytest.mark.parametrize("case", CASES)
def test_sentences_to_copy_have_the_symbol_of_the_effect(case: str) -> None:
    symbol = {"risks": "*RD* = ", "rates": "*IRR* = "}.get(case, "*OR* = ")
    facts = facts_of(case)
    if facts.headline in facts.answering:
        assert symbol in quotable.sentences(facts)


@pytest.mark.parametrize("case", RATIOS)
def test_tables_of_ratios_say_whose_standard_errors_they_have(case: str) -> None:
    text = tables.estimates(facts_of(case))
    assert "std. error of log" in text and "Differences" not in text
    assert "width of intervals (logarithm)" in calibration.methods(facts_of(case))


def test_index_says_what_an_estimate_is() -> None:
    text = plain(overview.summary([facts_of("odds"), facts_of("risks"), facts_of("usual")]))
    assert "| odds ratio " in text and "percentage points |" in text


@pytest.mark.parametrize("case", RATIOS)
def test_moves_of_ratios_are_measured_on_the_scale_of_logarithms(case: str) -> None:
    words = facts_of(case).words
    assert words.steps(2.0, 1.0, 0.5) == pytest.approx(np.log(2) / 0.5)
    assert words.steps(0.5, 1.0, 0.5) == -words.steps(2.0, 1.0, 0.5)
    assert "standard errors" in sensitivity.leave_one_out(facts_of(case))


# ---- numbers -------------------------------------------------------------------------------------


def test_number_needed_to_treat_is_one_over_the_difference_and_turns_its_interval() -> None:
    draw = np.random.default_rng(1)
    for low, estimate, high in np.sort(draw.uniform(0.01, 1, (50, 3)), axis=1):
        found = needed_to_treat(low, estimate, high)
        assert found is not None and found[0] <= found[1] <= found[2]
        assert np.allclose(np.array(found) * [high, estimate, low], 1)
        assert found == needed_to_treat(-high, -estimate, -low)
    assert needed_to_treat(-0.1, 0.1, 0.3) is None


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (1.8, "1.80"),
        (0.0412, "0.041"),
        (12.34, "12.3"),
        (250.4, "250"),
        (np.inf, "∞"),
        (np.nan, "–"),
    ],
)
def test_ratios_have_as_many_decimals_as_mean_something(value: float, said: str) -> None:
    assert ratio(value) == said


def test_every_family_and_scale_has_its_words() -> None:
    for family in FAMILIES:
        for scale in SCALES_OF[family]:
            words = EffectWords(Response(family, scale), "y")
            assert words.noun and words.regression
            assert words.null == (1 if words.response.is_ratio else 0)
            assert not words.excludes_null(words.null, 2) and words.excludes_null(
                words.null + 0.1, 2
            )


@pytest.mark.parametrize(("low", "high"), [(0.3, 4), (0.9, 1.2), (0.001, 800), (0.05, 0.2)])
def test_breaks_of_ratios_are_few_ascending_and_hold_1_where_the_axis_does(
    low: float, high: float
) -> None:
    breaks = ratio_breaks(low, high)
    assert 2 <= len(breaks) <= 9 and breaks == sorted(set(breaks))
    assert (1 in breaks) == (low <= 1 <= high)


def test_limits_that_cannot_be_drawn_are_cut() -> None:
    words = EffectWords(Response("binary", "odds_ratio"), "y")
    rows = pd.DataFrame({"estimate": [0.5, 2], "conf_low": [0, 1.5], "conf_high": [np.inf, 3]})
    cut = drawable(words, rows)
    assert (cut["conf_low"] > 0).all() and np.isfinite(cut["conf_high"]).all()
    assert cut.loc[1].equals(rows.loc[1])


# ---- figures -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["answer", "effects_forest", "leave_one_out"])
@pytest.mark.parametrize("case", ["odds", "risks"])
def test_the_line_of_no_effect_is_at_1_on_a_logarithmic_axis_for_ratios(
    name: str, case: str
) -> None:
    figure = drawn(case, name)
    lines = [
        layer.geom for layer in figure.plot.layers if type(layer.geom).__name__ == "geom_vline"
    ]
    values = [
        float(g.data["xintercept"].iloc[0])
        for g in lines
        if "xintercept" in (g.data if g.data is not None else {})
    ]
    assert facts_of(case).words.null in values
    scales = {type(scale).__name__ for scale in figure.plot.scales}
    assert ("scale_x_log10" in scales) == (case == "odds")
    assert ("dds ratio" in figure.alt) == (case == "odds")


@pytest.mark.parametrize("case", CASES)
def test_alt_texts_of_events_have_risks_in_per_cent_and_rates_by_their_unit(case: str) -> None:
    alt = drawn(case, "scores_by_group").alt
    assert ("per person year by group" in alt) == (case == "rates")
    assert (re.search(r"between \d[\d.]*% and", alt) is not None) == (case != "rates")
    assert "Residuals" not in drawn(case, "residuals_fitted").alt
    assert "residuals" not in drawn(case, "qq_plots").alt


@pytest.mark.parametrize("case", CASES)
def test_events_by_group_add_up(case: str) -> None:
    made = hard_cases.make(case)
    shown = figures.Tables(made.data, made.design, made.results, "ols_cr2")
    groups = events_by_group(shown)
    assert groups["events"].sum() == made.data[made.design["roles"]["outcome"]].sum()
    assert groups["members"].sum() == len(made.data)


@pytest.mark.parametrize("case", ["odds", "rates"])
def test_limits_of_chance_hold_what_chance_gives(case: str) -> None:
    words = facts_of(case).words
    groups = pd.DataFrame({"members": [5, 20, 60], "exposure": [4.0, 15.0, 70.0]})
    expected = pd.Series([0.3, 0.5, 0.1])
    low, high = chance_limits(words, groups, expected, 0.95)
    size = groups["members"] if case == "odds" else groups["exposure"]
    if case == "odds":
        law = stats.binom(groups["members"], expected)
    else:
        law = stats.poisson(expected * groups["exposure"])
    first, last = np.rint(low * size), np.rint(high * size)
    assert (law.cdf(last) - law.cdf(first - 1) >= 0.95).all()
    assert (law.cdf(last - 1) < 0.975).all() and (law.sf(first) < 0.975).all()


# ---- checks, refits ------------------------------------------------------------------------------


def test_checks_of_residuals_are_not_made_of_events() -> None:
    for case in CASES:
        checks = set(facts_of(case).results["diagnostics"]["check"])
        assert not checks & {"normal_residuals", "equal_spread"}
        assert {"events_for_parameters", "mixed_groups", "separation"} <= checks
        assert ("dispersion" in checks) == (case == "rates")
    assert event_checks(sample_in("usual")) == {}


def test_an_arm_without_events_is_named_and_is_a_problem_for_ratios() -> None:
    sample = sample_in("odds")
    emptied = replace(sample, y=np.where(sample.design.arm == 1, 0.0, sample.y))
    check = event_checks(emptied)["separation"]
    assert check.verdict == "problem" and "'new care'" in check.message
    assert event_checks(sample)["separation"].verdict == "ok"


def test_dispersion_is_the_variance_over_the_mean_within_groups() -> None:
    sample = sample_in("rates")
    design = replace(sample.design, exposure=None)
    check = event_checks(replace(sample, design=design))["dispersion"]
    parts = [sample.y[design.group == g] for g in range(design.n_groups)]
    squares = sum(((part - part.mean()) ** 2).sum() / part.mean() for part in parts)
    assert check.statistic == pytest.approx(squares / (len(sample.y) - len(parts)))


@pytest.mark.parametrize("case", RATIOS)
def test_refits_answer_as_the_methods_do_on_the_scale_that_is_reported(case: str) -> None:
    sample, facts = sample_in(case), facts_of(case)
    methods = refit.methods_for(sample.design)
    assert methods and set(methods) <= set(facts.methods)
    for method in methods:
        found = refit.Refit(sample).answer(method).inference
        rows = facts.estimates(method)
        for name in ("estimate", "std_error", "conf_low", "conf_high"):
            assert np.allclose(getattr(found, name), rows[name], equal_nan=True)
    influence = facts.results["influence"]["estimate"].dropna()
    assert len(influence) and (influence > 0).all()


@pytest.mark.parametrize("case", CASES)
def test_statsmodels_agrees(case: str) -> None:
    table = facts_of(case).results["agreement"]
    assert "gee_mancl_derouen" in set(table["method"])
    assert ({"glm_wald", "glm_cr1"} <= set(table["method"])) == (case in RATIOS)
    assert not table["alarm"].any() and (table["difference"] < 1e-6).all()


@pytest.mark.parametrize("scale", SCALES_OF["binary"])
def test_statsmodels_is_quiet_about_infinite_coefficients(scale: str) -> None:
    """Here warnings are errors; a covariate that separates events makes it overflow."""
    x = np.random.default_rng(0).normal(size=200)
    group = np.repeat(np.arange(10), 20)
    table = pd.DataFrame({"g": group, "arm": np.where(group < 5, "A", "B"), "x": x})
    sample = sample_of_events(table.assign(y=np.where(x > 0, 1, 0)), "binary", scale)
    rows = agreement(sample, fit_all(sample, ["pooled", "gee"]))
    assert not rows["alarm"].any()
