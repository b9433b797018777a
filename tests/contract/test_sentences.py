"""What pages call rows and units, what they say first, and what they say was assigned."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache
from typing import Any

import hard_cases
import pytest

from groupwise import figures
from groupwise.report import (
    answer,
    calibration,
    overview,
    periods,
    prose,
    quotable,
    sensitivity,
    tables,
    teaching,
    understood,
)
from groupwise.report.facts import Facts

WORDS = {"repeated": "measurement", "rows": "row", "usual": "individual"}
ANY_ROW = r"(individual|measurement|row)s?\b"


@cache
def facts_of(case: str) -> Facts:
    made = hard_cases.make(case)
    known = {"design": made.design, "results": made.results, "truth": made.truth, "alt": {}}
    return Facts(**known, provenance={}, verdict=made.verdict, calibration=made.calibration)


def facts(case: str, **design: Any) -> Facts:
    """The facts of a hard case whose design.json says something else besides."""
    known = facts_of(case)
    return replace(known, design=known.design | design)


def plain(markdown: str) -> str:
    return re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", markdown)


def words_of_page(known: Facts) -> str:
    """Every sentence that counts or compares rows."""
    parts = [prose.design, prose.picture, prose.effects, prose.correlation, prose.ignored]
    parts += [prose.trap, prose.nested_alternative, prose.shrinkage, prose.pooled_model]
    parts += [understood.estimands, sensitivity.split, sensitivity.randomization]
    parts += [quotable.sentences, teaching.picture, teaching.pooled, teaching.correlation]
    return plain("\n".join(part(known) for part in parts)).replace("Individual effect", "")


def alts(case: str) -> str:
    made = hard_cases.make(case)
    shown = figures.Tables(made.data, made.design, made.results, "mixed_wald", made.truth)
    names = ("scores_by_group", "residuals_fitted", "variance_split", "shrinkage", "leave_one_out")
    return "\n".join(figures.draw(name, shown).alt for name in names)


@pytest.mark.parametrize("case", WORDS)
def test_rows_are_called_what_they_are(case: str) -> None:
    text = words_of_page(facts_of(case)) + alts(case)
    text = text.replace("individual effect", "")  # of the lecture: a concept, and no count
    text = re.sub(r"All \d+ rows of the data|deviations of the rows used", "", text)
    assert set(re.findall(ANY_ROW, text)) == {WORDS[case]}


def test_measurements_are_counted_with_their_individuals() -> None:
    known = facts_of("repeated")
    assert "The data hold 72 measurements of 36 pupils in 12 groups, 6 measurements each" in plain(
        prose.design(known)
    )
    assert "The math score of 72 measurements of 36 pupils in 12 classes" in plain(
        quotable.sentences(known)
    )
    assert "72 measurements of 36 pupils in 12 groups (class), 2 arms" in plain(entry(known))
    assert "for 72 measurements of 36 pupils in 12 groups (class)" in alts("repeated")
    assert re.search(r"^\| programme \| classes \| measurements \|$", tables.arms(known), re.M)


def entry(known: Facts) -> str:
    return overview.entry(replace(known, alt={"answer": "An answer."}))


# ---- alerts --------------------------------------------------------------------------------------


def test_alerts_stand_before_any_number_of_the_answer() -> None:
    text = plain(answer.answer(facts_of("repeated")))
    first = re.search(r"::: \{\.callout-(\w+) title=\"[^\"\d]+\"\}\n(.*?)\n:::\n", text, re.DOTALL)
    assert first and first[1] == "warning"
    assert hard_cases.ALERT in first[2] and "Ids restart." in first[2]
    assert not re.search(r"\d", text[: first.start(2)])
    assert text.index(".callout-important") > first.end(2)


def test_without_alerts_the_answer_comes_first() -> None:
    for design in ({}, {"alerts": []}):
        text = answer.answer(facts("usual", **design))
        assert text.lstrip().startswith('::: {.callout-important title="The answer"}')
        assert "Warning" not in entry(facts("usual", **design))


@pytest.mark.parametrize(
    ("column", "start"),
    [
        ("math_score", "Mean math score was "),
        ("y", "The mean of the outcome “y” was "),
        ("x1", "The mean of the outcome “x1” was "),
    ],
)
def test_effects_are_sentences_whatever_the_outcome_is_called(column: str, start: str) -> None:
    known = facts_of("repeated")
    text = plain(
        answer.answer(facts("repeated", roles=known.design["roles"] | {"outcome": column}))
    )
    assert f"- {start}" in text


@pytest.mark.parametrize(
    ("standard_errors", "size"),
    [
        (0.0, r"neither higher nor lower"),
        (1e-6, r"less than 0\.0*1 higher"),
        (-1e-6, r"less than 0\.0*1 lower"),
        (-1.0, r"[0-9.]*[1-9][0-9.]* lower"),
    ],
)
def test_an_effect_that_rounds_to_nothing_is_not_a_number_of_zeros(
    standard_errors: float, size: str
) -> None:
    known = facts_of("usual")
    rows = known.estimates(known.headline)
    row = rows.iloc[0].copy()
    row["estimate"] = standard_errors * row["std_error"]
    text = answer.sentence(known, str(rows.index[0]), row)
    assert re.search(rf" was {size} with \*\*", text)


def test_alerts_stand_before_an_answer_that_there_is_none() -> None:
    text = answer.answer(facts("failed", alerts=["Look *here*."]))
    assert text.index("Look \\*here\\*\\.") < text.index("gives no answer here")


def test_index_marks_a_report_with_a_warning() -> None:
    known = facts_of("repeated")
    assert plain(entry(known)).split("\n\n")[1] == f"**Warning** (and 1 more): {hard_cases.ALERT}"
    one = facts("repeated", alerts=["Ids restart."])
    assert plain(entry(one)).split("\n\n")[1] == "**Warning**: Ids restart."
    marked = re.findall(r"^\| \[.*?\) \(\*\*warning\*\*\) \|", overview.summary([known]), re.M)
    assert len(marked) == 1 and "warning" not in overview.summary([facts_of("usual")])


# ---- assignment ----------------------------------------------------------------------------------

MEASURED = {"simulated": False}


@pytest.mark.parametrize(
    ("assigned", "source", "said"),
    [
        (
            None,
            MEASURED,
            "of a professor; so what was assigned is taken to be professors. Precision",
        ),
        (None, {"simulated": True}, "of a professor: it was given to professors. Precision"),
        ("group", MEASURED, "of a professor: it was given to professors. Precision"),
    ],
)
def test_between_groups_only_what_is_known_was_given(
    assigned: str | None, source: dict[str, bool], said: str
) -> None:
    known = facts("usual", assigned=assigned, source=source)
    assert said in prose.design(known)


@pytest.mark.parametrize(
    ("case", "design", "said"),
    [
        ("usual", {"source": {"simulated": True}}, "that keep the design. The shaded"),
        ("usual", {"assigned": "group", "source": MEASURED}, "that keep the design. The shaded"),
        ("usual", {"source": MEASURED}, "the design, with professors dealt to arms anew. The"),
        (
            "within",
            {"source": MEASURED},
            "It takes individuals as assigned within professors; config.yaml does not say so "
            "(`assigned`).",
        ),
        (
            "within",
            {"assigned": "individual"},
            "anew within professors. The shaded tails are the p",
        ),
    ],
)
def test_randomisation_says_what_it_takes_for_granted(
    case: str, design: dict[str, Any], said: str
) -> None:
    text = sensitivity.randomization(facts(case, **design))
    assert said in text
    assert ("It takes" in text) == ("takes" in said or "config" in said)


def test_a_treatment_that_goes_with_a_period_compares_no_individuals_of_one_group() -> None:
    unit = {"unit": "unknown", "bearer": "row"}
    text = prose.design(facts("within", assigned_with="period", unit=unit))
    assert (
        "varies within every professor, and goes with “period” there: what was assigned is not known."
        in text
    )
    assert "can be compared" not in text


@pytest.mark.parametrize(
    ("individual", "n_individuals", "said"),
    [
        (None, None, "Nothing says who was measured again"),
        ("patient", 144, "Each patient was measured once."),
        ("clinic", 9, None),
    ],
)
def test_who_was_measured_again(
    individual: str | None, n_individuals: int | None, said: str | None
) -> None:
    roles = facts("stepped_wedge").design["roles"] | {"individual": individual}
    known = facts("stepped_wedge", roles=roles, n_individuals=n_individuals)
    assert known.design["n_obs"] == 144 and known.design["n_groups"] == 9
    text = periods.layout(known)
    assert "measured" not in text if said is None else said in text


def test_effects_that_seem_to_change_do_so_by_a_p_value() -> None:
    known = facts_of("stepped_wedge")
    p = known.statistic("mixed_exposure", "equal_effects_p")
    text = periods.exposure(known)
    assert ("seems to change with the time" in text) == (p < 0.05)
    assert ("do not show that the effect changes" in text) == (p >= 0.05)


def test_individuals_who_were_assigned_are_not_their_measurements() -> None:
    text = sensitivity.randomization(facts("rows", assigned="individual"))
    assert text.endswith("It takes rows as assigned one by one, though individuals were.")


def test_what_chance_could_have_made_is_said_where_the_assignment_is_known() -> None:
    known = facts("within", source=MEASURED)
    assert "chance could have made" not in sensitivity.assignments(known)
    assert "chance could have made" in sensitivity.assignments(
        facts("within", assigned="individual")
    )
    assert "chance could have made" in sensitivity.assignments(facts_of("usual"))
    otherwise = facts("usual", assigned="individual")
    assert "chance could have made" not in sensitivity.assignments(otherwise)


# ---- names ---------------------------------------------------------------------------------------


def test_names_that_are_no_nouns_are_named_and_not_used() -> None:
    known = facts_of("odd_names")
    assert plain(prose.question(known)).startswith(
        "Does the treatment, **any**, change the outcome, **got**?"
    )
    design = plain(prose.design(known))
    assert "groups are told apart by the column “g_id”. The treatment" in design
    assert "The groups lie in" in design
    assert "16 groups (told apart by “g_id”)" in plain(entry(known))
    assert "- The outcome “got” of 96 individuals in 16 groups was" in plain(
        quotable.sentences(known)
    )
    assert "A second grouping, 4 levels of the column “%”, is crossed" in plain(
        understood.settings(known)
    )


def test_no_sentence_takes_an_odd_name_for_a_noun() -> None:
    known = facts_of("odd_names")
    text = words_of_page(known) + plain(answer.answer(known) + tables.omnibus(known))
    taken = r"\b(?:[Tt]he|an?|each|every|of|within|in) (?:any|got|does|g_id|g id)\b"
    assert re.findall(taken, text) == []


def test_simulations_of_an_outcome_that_has_two_values_are_of_a_normal_one() -> None:
    said = calibration.simulated(facts("usual", outcome={"as": "raw", "two_values": True}))
    assert "Simulated outcomes are normal, and score has two values only" in plain(said)
    assert "two values" not in calibration.simulated(facts("usual"))
