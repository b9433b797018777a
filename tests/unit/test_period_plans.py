"""The table and the sentences on what a trial with periods can find."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from groupwise import tidy
from groupwise.planning.layouts import (
    LAYOUTS,
    baseline,
    crossover,
    measured,
    parallel,
    stepped_wedge,
)
from groupwise.planning.period_tables import COLUMNS, plan_periods, planned_from
from groupwise.report import period_plans
from groupwise.report.facts import Facts
from groupwise.report.period_plans import LAYOUT_NAMES, period_plan_sentences
from groupwise.words import percent

STD_DEV = {"group": 0.3, "cell": 0.2, "residual": 1.0}


def table_of(
    sequences: np.ndarray | None = None,
    groups: int | list[int] = 4,
    std_dev: dict[str, float] = STD_DEV,
    **options: Any,
) -> pd.DataFrame:
    arms = stepped_wedge(4) if sequences is None else sequences
    given = {"cell_size": 20, "effects": [0, 0.4], "conf_level": 0.95} | options
    return plan_periods(arms, np.broadcast_to(groups, len(arms)), std_dev=std_dev, **given)


def rows(table: pd.DataFrame, question: str, scenario: str = "estimate") -> pd.DataFrame:
    return table[(table["question"] == question) & (table["scenario"] == scenario)]


# ---- the table -----------------------------------------------------------------------------------


def test_columns_and_questions() -> None:
    table = table_of()
    assert {name: table[name].dtype for name in COLUMNS} == table.dtypes.to_dict()
    assert list(table.columns) == list(COLUMNS)
    questions = {
        *("at_hand", "more_groups", "larger_cells", "groups_needed", "size_needed"),
        *("design", "design_needed", "sequences"),
    }
    assert set(table["question"]) == questions
    assert set(table["scenario"]) == {"estimate", "one", "half", "decay"}
    by_question = {name: set(part["scenario"]) for name, part in table.groupby("question")}
    assert by_question["sequences"] == {"estimate"} and len(by_question["design"]) == 4
    pd.testing.assert_frame_equal(table, tidy.table("planning_periods", table))


@pytest.mark.parametrize("individual", [0.0, 0.7])
@pytest.mark.parametrize("cell", [0.0, 0.4])
@pytest.mark.parametrize("group", [0.0, 0.5])
def test_correlations_are_those_of_the_random_terms(
    group: float, cell: float, individual: float
) -> None:
    std_dev = {"group": group, "cell": cell, "individual": individual, "residual": 0.9}
    plan = planned_from(stepped_wedge(4), np.full(3, 2), 8, std_dev)
    shared, alone = group**2 + individual**2 / 8, cell**2 + 0.9**2 / 8
    assert_allclose(plan.cell_cov, shared * np.ones((4, 4)) + alone * np.eye(4), rtol=1e-12)


def test_random_terms_that_the_model_lacks_are_none() -> None:
    plan = planned_from(stepped_wedge(4), np.full(3, 2), 8, {"group": 0.5, "residual": 0.9})
    assert plan.cac == 1 and plan.iac == 0
    with pytest.raises(ValueError, match=r"random terms block, group: new\."):
        planned_from(stepped_wedge(4), np.full(3, 2), 8, STD_DEV | {"group: new": 1, "block": 1})


def test_the_design_at_hand_is_its_plan() -> None:
    (row,) = rows(table_of(), "at_hand").to_dict("records")
    plan = planned_from(stepped_wedge(4), np.full(3, 4), 20, STD_DEV)
    assert row["power"] == plan.power(0.4) and row["detectable"] == plan.detectable()
    assert row["df"] == 10 and row["n_groups"] == 12 and row["groups_per_sequence"] == 4
    assert row["design"] == "stepped_wedge" and row["correlation"] == "exchangeable"
    assert row["power_model"] > row["power"] and row["df_model"] > row["df"]
    assert row["nominal_level"] == 0.05 and row["wanted_power"] == 0.8 and row["effect"] == 0.4


def test_level_and_wanted_power_are_those_asked_for() -> None:
    table = table_of(conf_level=0.9, power=0.9)
    plan = planned_from(stepped_wedge(4), np.full(3, 4), 20, STD_DEV)
    (row,) = rows(table, "at_hand").to_dict("records")
    assert row["power"] == plan.power(0.4, level=0.1)
    assert (rows(table, "groups_needed")["power"] >= 0.9).all()


def test_scenarios_differ() -> None:
    no_change = table_of(std_dev={"group": 0.3, "residual": 1.0})
    assert set(no_change["scenario"]) == {"estimate", "half"}
    no_groups = table_of(std_dev={"group": 0.0, "cell": 0.0, "residual": 1.0})
    assert set(no_groups["scenario"]) == {"estimate"}
    two_periods = table_of(crossover(2))
    assert set(two_periods["scenario"]) == {"estimate", "one", "half"}
    table = table_of()
    decaying = table[table["scenario"] == "decay"]
    assert set(decaying["correlation"]) == {"decay"}
    power = {name: rows(table, "at_hand", name)["power"].item() for name in set(table["scenario"])}
    assert power["half"] < power["decay"] < power["estimate"] < power["one"]


def test_more_is_more() -> None:
    table = table_of()
    here = rows(table, "at_hand")["power"].item()
    for question in ("more_groups", "larger_cells"):
        assert (
            here < rows(table, question)["power"].iloc[0] < rows(table, question)["power"].iloc[1]
        )
    assert rows(table, "more_groups")["n_groups"].tolist() == [18, 24]
    assert rows(table, "larger_cells")["cell_size"].tolist() == [40, 80]


def test_what_is_needed_has_the_power() -> None:
    table = table_of()
    for question in ("groups_needed", "size_needed"):
        enough = table[(table["question"] == question) & (table["message"] == "")]
        assert (enough["power"] >= 0.8).all() and len(enough)
    out_of_reach = rows(table, "size_needed", "half").iloc[0]
    assert np.isnan(out_of_reach["cell_size"]) and "not even 2,000" in out_of_reach["message"]
    none = table_of(effects=[0, 1e-4])
    needed = rows(none, "groups_needed").iloc[0]
    assert np.isnan(needed["n_groups"]) and "Not even 2,000" in needed["message"]


def test_other_designs_have_as_many_groups_periods_and_individuals() -> None:
    others = rows(table_of(), "design")
    assert set(others["design"]) == set(LAYOUTS) - {"stepped_wedge"}
    assert (others[["n_groups", "n_periods", "cell_size"]] == [12, 4, 20]).all(axis=None)
    uneven = rows(table_of(crossover(4), [3, 4]), "design").set_index("design")
    assert uneven.loc["stepped_wedge", "n_groups"] == 7
    assert "do not divide evenly" in uneven.loc["stepped_wedge", "message"]
    few = rows(table_of(crossover(5), [1, 2]), "design").set_index("design")
    assert np.isnan(few.loc["stepped_wedge", "power"])
    assert few.loc["stepped_wedge", "message"] == "3 groups are too few for 4 sequences."
    # Smallest ones of each layout are looked for all the same.
    few_needed = rows(table_of(crossover(5), [1, 2]), "design_needed").set_index("design")
    assert set(few_needed.index) == set(few.index)
    assert few_needed.loc["stepped_wedge", "power"] >= 0.8
    # With two periods a stepped wedge has one sequence.
    assert "stepped_wedge" not in set(table_of(parallel(2))["design"])


def test_numbers_of_sequences_share_the_individuals() -> None:
    table = rows(table_of(), "sequences")
    assert table["n_sequences"].tolist() == [2, 3, 4, 6, 12]
    assert_allclose(table["n_periods"] * table["cell_size"], 80)
    assert "sequences" not in set(table_of(crossover(4))["question"])


def test_cells_that_are_left_out_hold_no_individuals() -> None:
    arms = stepped_wedge(4)
    arms[0, 3] = arms[2, 0] = -1
    table = table_of(arms, [2, 4, 6])
    here = rows(table, "at_hand").iloc[0]
    assert here["n_cells"] == 2 * 3 + 4 * 4 + 6 * 3 and here["n_groups"] == 12
    of_a_group = rows(table, "sequences").eval("n_periods * cell_size")
    assert_allclose(of_a_group, 20 * here["n_cells"] / 12)
    assert (rows(table, "design")["n_cells"] == 48).all()
    text = " ".join(period_plan_sentences(table))
    assert "as many individuals in every cell, none left out, the power would be" in text


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"effects": [0, 1, 2]}, "more than two arms"),
        ({"effects": [0, 0]}, "nothing to find"),
        ({"sequences": parallel(1)}, "only one"),
        ({"std_dev": {"group": 1.0, "residual": 0.0}}, "icc and iac"),
    ],
)
def test_what_is_not_planned_for(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        table_of(**change)


def test_cells_of_a_sequence_are_measured_where_some_group_is() -> None:
    present = np.ones((4, 3), dtype=bool)
    present[0, 2] = present[3, 0] = present[2, 0] = False
    arms = measured(stepped_wedge(3), np.array([0, 0, 1, 1]), present)
    assert arms.tolist() == [[0, 1, 1], [-1, 0, 1]]


# ---- sentences -----------------------------------------------------------------------------------


def test_sentences_say_what_the_table_does() -> None:
    table = table_of()
    text = period_plan_sentences(table)
    here = rows(table, "at_hand").iloc[0]
    assert text[0] == (
        "This stepped wedge, 12 groups in 3 sequences and 4 periods with 20 individuals per cell (a "
        "group in one period), finds a difference of 0.4 with a power of "
        f"{percent(here['power'])}, and one of {here['detectable']:.3f} with a power of 80% (the "
        "minimum detectable effect)."
    )
    assert "correlation of 0.12 and a cluster autocorrelation of 0.69, as estimated" in text[1]
    assert (
        "10 degrees of freedom, the number of groups less 2. The mixed model has 39 if" in text[1]
    )
    powers = [percent(rows(table, "at_hand", name)["power"].item()) for name in ("one", "half")]
    assert f"{powers[0]} if it were 1 (groups do not change over time), {powers[1]} if" in text[2]
    assert "A power of 80% takes 6 groups in every sequence, 18 in all; there are 12." in text
    assert "With as many groups as now, 51 individuals per cell would do." in text
    assert text[-2].startswith(
        "With as many groups and periods, and as many individuals in every cell, the power would be "
        "46% in"
    )
    assert "and 99% in a crossover." in text[-2]
    assert text[-1].endswith("49% with 2, 64% with 3, 72% with 4, 79% with 6 and 86% with 12.")


def test_units_have_their_nouns() -> None:
    text = " ".join(period_plan_sentences(table_of(), group="clinic", individual="patient"))
    assert "12 clinics in 3 sequences" in text and "20 patients per cell (a clinic in" in text
    assert "group" not in text.replace("groups do not change over time", "")
    assert "individual" not in text


def test_a_crossover_of_two_periods() -> None:
    table = table_of(crossover(2), [5, 6], {"group": 0.3, "cell": 0.2, "residual": 1.0})
    text = " ".join(period_plan_sentences(table))
    assert "This crossover, 11 groups in 2 sequences and 2 periods" in text
    assert (
        "9 degrees of freedom, the number of groups less 2, which are those of the mixed model"
        in text
    )
    assert "stepped wedge" not in text and "fell with the time" not in text


def test_cells_that_cannot_be_large_enough() -> None:
    text = " ".join(period_plan_sentences(table_of(effects=[0, 0.2])))
    assert (
        "Larger cells would not suffice: with 2 times as many individuals in each the power is"
        in text
    )
    text = " ".join(period_plan_sentences(table_of(effects=[0, 1e-4])))
    assert (
        "A power of 80% is out of reach with these periods: not even 2,000 groups in every" in text
    )


def test_enough_power_needs_no_larger_cells() -> None:
    text = " ".join(period_plan_sentences(table_of(effects=[0, 1.0])))
    assert "per cell would do" not in text and "Larger cells" not in text
    assert "takes 2 groups in every sequence, 6 in all; there are 12." in text


def test_variation_that_is_not_there_is_not_named() -> None:
    text = " ".join(period_plan_sentences(table_of(std_dev={"group": 0.0, "residual": 1.0})))
    assert "autocorrelation" not in text
    cohort = {"group": 0.3, "individual": 0.5, "residual": 0.8}
    assert (
        "an individual autocorrelation of 0.28"
        in period_plan_sentences(table_of(std_dev=cohort))[1]
    )


@pytest.mark.parametrize(
    ("arms", "groups", "reason"),
    [
        (np.array([[0, 1]]), 4, "two arms never meet in a period"),
        (crossover(3), 1, "too few groups"),
    ],
)
def test_designs_without_an_answer(arms: np.ndarray, groups: int, reason: str) -> None:
    text = period_plan_sentences(table_of(arms, groups))
    assert text == [f"No power is computed for this design: {reason}."]


def test_no_table_no_sentences() -> None:
    assert period_plan_sentences(table_of().iloc[:0]) == []


@pytest.mark.parametrize("arms", [*(make(4) for make in LAYOUTS.values()), baseline(2)])
def test_sentences_are_sentences(arms: np.ndarray) -> None:
    for sentence in period_plan_sentences(table_of(arms)):
        assert sentence[0].isupper() and sentence.endswith(".")
        assert "nan" not in sentence and "  " not in sentence and "not known" not in sentence


def test_every_layout_has_a_name() -> None:
    assert set(LAYOUT_NAMES) == {*LAYOUTS, ""}


# ---- in a report ---------------------------------------------------------------------------------


def facts_of(table: pd.DataFrame) -> Facts:
    """Facts that know the plan, and what units are called."""
    roles = {"outcome": "y", "treatment": "arm", "group": "clinic_id", "individual": None}
    design = {"dataset": "wards", "roles": roles, "row": "measurement"}
    nothing: dict[str, Any] = {}
    return Facts(design, {"planning_periods": table}, nothing, {}, nothing, nothing)


def test_report_has_two_paragraphs_and_a_table() -> None:
    facts = facts_of(table_of())
    assert period_plans.applies(facts)
    here, others = period_plans.paragraphs(facts).split("\n\n")
    assert here.startswith("This stepped wedge, 12 clinics in") and "seldom well known" in here
    assert others.startswith("A power of 80% takes 6 clinics in every sequence")
    text = period_plans.designs(facts)
    lines = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("|")]
    assert lines[0] == ["design", "sequences", "std. error", "power", "clinics needed"]
    assert [line[0] for line in lines[2:]] == [
        "parallel design",
        "parallel design with a baseline period",
        "stepped wedge (at hand)",
        "crossover",
    ]
    at_hand = lines[4]
    assert at_hand[1] == "3" and at_hand[4] == "18"
    assert "as many measurements in every cell, at the" in text and "A dash" not in text
    assert "#tbl-period-designs" in text and "planning_periods.csv" in text


def test_report_says_what_there_is_no_plan_of() -> None:
    few = period_plans.designs(facts_of(table_of(crossover(5), [1, 2])))
    assert "| stepped wedge | 4 | – | – | " in few and "A dash: there are too few" in few
    mixed = period_plans.designs(facts_of(table_of(np.array([[0, 1, 1], [1, 1, 0]]))))
    assert "| design (at hand) | 2 |" in mixed and "| crossover | 2 |" in mixed
    none = facts_of(table_of(np.array([[0, 1, 1], [0, 1, 1]])))
    assert period_plans.designs(none) == ""
    assert "two arms never meet" in period_plans.paragraphs(none)


def test_report_of_other_designs_has_nothing_of_it() -> None:
    facts = facts_of(tidy.table("planning_periods", []))
    assert not period_plans.applies(facts) and period_plans.paragraphs(facts) == ""
