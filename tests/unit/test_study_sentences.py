"""What the page of the general study says: computed, in the singular and the plural."""

from __future__ import annotations

import re
from typing import Any

import pytest
from study_cases import OF_NUMBERS, OVERVIEW, STUDIES, everything_fails, nothing_fails, rates

from groupwise.catalogue.methods import LARGE_SAMPLE, method_phrase
from groupwise.report import study
from groupwise.report.study import StudyFacts


def facts(case: str = "usual", **overview: Any) -> StudyFacts:
    made = STUDIES[case]()
    return StudyFacts(made["rates"], made["overview"] | overview, alt={})


def facts_of(table: Any) -> StudyFacts:
    return StudyFacts(table, OVERVIEW, alt={})


def test_answer_names_who_holds_and_the_worst_of_the_others() -> None:
    said = study.answer(facts())
    assert said.startswith(
        "**Pooled OLS with CR2, pooled OLS with CR3, the wild cluster bootstrap, "
    )
    assert (
        "keep the nominal level of 5% in all 24 designs, as far as these simulations show.**"
        in said
    )
    assert "Of the others 3 do not and 1 has too often no answer in some design." in said
    assert said.endswith(
        "The highest type I error rate is that of pooled OLS: 42.5% (3 groups of 25 an arm, ICC 0.2)."
    )


def test_answer_where_all_or_none_hold() -> None:
    assert study.answer(facts("nothing fails")).endswith("No method fails.")
    assert study.answer(facts("everything fails")).startswith(
        "**No method keeps the nominal level of 5% in all 24 designs.** The highest"
    )
    assert study.answer(facts("no answer")) == "No method gave an answer."
    assert study.answer(facts("one design")) == (
        "**The t test of group means keeps the nominal level of 5% in the one design simulated, as far "
        "as these simulations show.** No method fails."
    )


def test_answer_where_one_method_fails() -> None:
    table = rates(
        lambda cell, method: (everything_fails if method == "dummy" else nothing_fails)(
            cell, method
        )
    )
    said = study.answer(facts_of(table))
    assert (
        "Of the others 1 does not. The highest type I error rate is that of the dummy model" in said
    )


def test_failing_says_where_and_how_far() -> None:
    said = study.failing(facts())
    assert (
        "- Pooled OLS fails in 12 of 24 designs, with an ICC of 0.2, also with 10 groups an arm; "
        in said
    )
    assert (
        "- Pooled OLS with CR1 fails in 16 of 24 designs, whatever the ICC and up to 5 groups an arm; "
        "at worst 9.7% (3 groups of 5 an arm, ICC 0)."
    ) in said
    assert (
        "- The bootstrap of the mixed model fails in 1 of 24 designs: 9.7% (3 groups of 5 an arm, sizes "
        "varying by 0.6, ICC 0.2)."
    ) in said
    assert (
        "- Bias-reduced GEE: too often no answer in 1 design, for 10.0% of experiments at worst "
        in said
    )
    assert study.failing(facts("nothing fails")) == ""


def test_failing_names_exactly_the_methods_that_are_not_sound() -> None:
    known = facts()
    named = [line for line in study.failing(known).splitlines() if line.startswith("- ")]
    unsound = [method for method in known.methods if method not in known.sound]
    assert len(named) == len(unsound) == 4
    for line, method in zip(named, unsound, strict=True):
        assert line[2:].casefold().startswith(method_phrase(method).casefold())


def test_how_few_groups_are_too_few() -> None:
    said = study.few_groups(facts())
    assert (
        "- Pooled OLS with CR1 exceeds the nominal level with 5 groups an arm: 9.5% at worst (5 groups "
        "of 5 an arm, ICC 0). With 10 it does not."
    ) in said
    assert (
        "- The mixed model with z keeps the nominal level in every design, also with 3 groups an arm."
        in said
    )
    failing = facts("everything fails")
    few = study.few_groups(failing)
    assert (
        few.count("and more were not simulated.") == len({*LARGE_SAMPLE} & {*failing.methods}) > 2
    )
    assert study.few_groups(facts("one design")) == ""


def test_power_lost_by_the_careful() -> None:
    said = study.power(facts())
    assert "the randomisation test 1.7." in said
    assert (
        "the randomisation test's: it finds 24.0% where the best finds 29.0% (3 groups of 5 "
        in said
    )
    nobody = (
        "There are no two methods that keep the nominal level everywhere, whose power to compare."
    )
    assert study.power(facts("everything fails")) == study.power(facts("one design")) == nobody


def test_simulated_says_how_often() -> None:
    said = study.simulated(facts())
    assert "3, 5 and 10 groups an arm" in said and "24 designs" in said
    assert "1,000 times for each (methods that draw at random: 200, with 199 draws each)" in said
    assert "0.7 points at the level (1.5 for methods that draw)" in said
    said = study.simulated(facts("one design", slow_replicates=1000))
    assert "1 design," in said and "methods that draw" not in said


def test_failures_are_counted() -> None:
    said = study.failures(facts())
    assert said == (
        "The dummy model has no answer in any of these designs. Bias-reduced GEE had none for 100 of "
        "48,000 simulated experiments. Every other answer was given."
    )
    assert study.failures(facts("nothing fails")) == "Every method answered always."
    assert " have no answer in any " in study.failures(facts("no answer"))


def test_coverage_is_said_to_mirror_the_level_where_it_does() -> None:
    assert "for every method and design here" in study.coverage(facts())
    table = rates()
    table.loc[table["method"] == "mixed_profile", "coverage"] -= 0.02
    assert "2.0 points apart at most (the profile likelihood of the mixed model;" in study.coverage(
        facts_of(table)
    )
    assert study.coverage(facts("no answer")) == ""


def test_the_example_has_a_row_for_every_method_that_answers() -> None:
    lines = [line for line in study.example(facts()).splitlines() if line.startswith("| ")]
    assert len(lines) == 2 + len(OF_NUMBERS) - 1
    assert "| Pooled OLS | no | 42.5% | 1.6 | 57.5% | 82.5% | 1,000 | 0 |" in lines
    assert study.example_title(facts()) == "The lecture's design"
    assert study.example_title(facts("not the lecture")) == "One design"


@pytest.mark.parametrize("case", STUDIES)
def test_nothing_is_missing_in_words(case: str) -> None:
    known = facts(case)
    for said in (
        *(study.answer, study.simulated, study.failing, study.everywhere, study.coverage),
        *(study.few_groups, study.power, study.example, study.failures, study.provenance),
    ):
        text = said(known)
        assert not re.search(r"\b(?:nan|NaN|None|inf)\b|np\.", text), said.__name__
        assert not re.search(r"\b1 (?:designs|arms|groups)\b|  ", text), said.__name__
