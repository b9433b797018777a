"""Formulas say what arguments say, or are refused in a sentence."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from experiments import draw

import groupwise
from groupwise.analysis.formula import first_level, parsed
from groupwise.data.errors import InputError

PLAIN = {"outcome": "score", "treatment": "style", "group": "professor"}
SEVERAL = "score ~ pretest + style + (1 | professor)"


@pytest.mark.parametrize(
    ("formula", "more"),
    [
        ("score ~ style + (1 | professor)", {}),
        ("score~style+(1|professor)", {}),
        ("score ~ 1 + style + (1 | professor)", {}),
        ("score ~ (1 | professor) + style", {}),
        ("score ~ style + pretest + age + (1 | professor)", {"covariates": ("pretest", "age")}),
        ("score ~ style + age + age + (1 | professor)", {"covariates": ("age",)}),
        ("score ~ style + (1 | school/professor)", {"block": "school", "blocks_as": "random"}),
        ("score ~ style + (1 + style | professor)", {"random_slopes": True}),
        ("score ~ style + (style | professor)", {"random_slopes": True}),
        ("score ~ style + (1 + style || professor)", {"random_slopes": "diagonal"}),
        ("score ~ style + `age (years)` + (1 | professor)", {"covariates": ("age (years)",)}),
        ("score ~ style + class.size + größe + (1 | professor)",
         {"covariates": ("class.size", "größe")}),
        ("score ~ style + `a + b | c` + (1 | professor)", {"covariates": ("a + b | c",)}),
    ],
)  # fmt: skip
def test_formula_says_what_arguments_say(formula: str, more: dict[str, Any]) -> None:
    assert parsed(formula) == PLAIN | more


def test_treatment_is_the_term_that_is_named_so() -> None:
    assert parsed(SEVERAL, "style") == PLAIN | {"covariates": ("pretest",)}
    assert parsed(SEVERAL)["treatment"] == "pretest"


@pytest.mark.parametrize(
    ("formula", "sentence"),
    [
        ("score", "formula: an outcome stands on the left of one sign ~; write "),
        ("a ~ b ~ c", "formula: an outcome stands on the left of one sign ~; write "),
        ("score ~ (1 | g)", "formula: it has no term for the treatment; "),
        ("score ~ style * age + (1 | g)", "formula: 'style * age' cannot be analysed, as inter"),
        ("score ~ style:age + (1 | g)", "formula: 'style:age' cannot be analysed, as interactions"),
        ("score ~ style + age^2 + (1 | g)", "formula: 'age^2' cannot be analysed, as interactions"),
        (
            "score ~ style + log(age) + (1 | g)",
            "formula: 'log(age)' cannot be analysed, as columns",
        ),
        ("log(score) ~ style + (1 | g)", "formula: 'log(score)' cannot be analysed, as columns"),
        ("score ~ C(style) + (1 | g)", "formula: 'C(style)' cannot be analysed, as columns are"),
        ("score ~ style - 1 + (1 | g)", "formula: 'style - 1' cannot be analysed, as an intercept"),
        ("score ~ 0 + style + (1 | g)", "formula: '0' cannot be analysed, as an intercept"),
        ("score ~ . + (1 | g)", "formula: '.' cannot be analysed, as the columns have to be named"),
        ("score ~ style + + (1 | g)", "formula: a term is missing beside a +; write "),
        ("score ~ style + 2 + (1 | g)", "formula: '2' cannot be analysed, as it is no column"),
        ("score ~ style + 1 | g", "formula: '1 | g' cannot be analysed, as random terms stand in"),
        ("score ~ style + (1 | g", "formula: a parenthesis has no other one; "),
        ("score ~ style + 1 | g)", "formula: a parenthesis has no other one; "),
        ("score ~ style + `age + (1 | g)", "formula: a back quote has no other one; "),
        ("score ~ style + (1 | g) + (1 | h)", "formula: (1 | g) and (1 | h) are several random te"),
        ("score ~ style + (1 | a/b/c)", "formula: (1 | a/b/c) has more than two levels; "),
        ("score ~ style + (1 | a:b)", "formula: 'a:b' cannot be analysed, as interactions"),
        ("score ~ style + (1 | g | h)", "formula: '1 | g | h' cannot be analysed, as random terms"),
        ("score ~ style + (0 + style | g)", "formula: '0' cannot be analysed, as an intercept"),
        ("score ~ style + age + (age | g)", "formula: in (age | g), only the intercept and the t"),
        ("score ~ style + (style | a/b)", "formula: in (style | a/b), the treatment would vary ov"),
    ],
)
def test_what_cannot_be_done_is_refused_in_one_sentence(formula: str, sentence: str) -> None:
    with pytest.raises(InputError) as refused:
        parsed(formula)
    assert str(refused.value).startswith(sentence)
    assert str(refused.value).endswith(".") and "\n" not in str(refused.value)


def test_treatment_that_is_no_term_is_refused() -> None:
    with pytest.raises(InputError, match=r"treatment: 'dose' is no term of the formula; "):
        parsed(SEVERAL, "dose")


@pytest.mark.parametrize(
    ("values", "level"),
    [
        (["b", "a", None], "a"),
        ([2, 1, 1], 1),
        ([True, False], False),
        (pd.Categorical(["b", "a"], categories=["c", "b", "a"]), "b"),
        ([None, None], None),
    ],
)
def test_first_level_is_that_of_a_factor(values: Any, level: Any) -> None:
    first = first_level(pd.DataFrame({"arm": values}), "arm")
    assert first == level and not isinstance(first, np.generic)
    assert first_level(pd.DataFrame({"arm": values}), "style") is None


QUICK = ("ols_classical", "mixed_kenward_roger")


def test_analysis_of_a_formula_is_that_of_its_arguments() -> None:
    table = draw()
    table["x"] = np.arange(len(table)) % 7
    named = {"outcome": "y", "treatment": "arm", "group": "g", "covariates": ["x"]}
    one = groupwise.analyse(table, "y ~ arm + x + (1 | g)", methods=QUICK)
    other = groupwise.analyse(table, reference="A", methods=QUICK, **named)
    pd.testing.assert_frame_equal(one.estimates, other.estimates)
    assert one.design == other.design


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"group": "g"}, "group: the formula says 'g' already; leave the argument out"),
        ({"covariates": ["x"]}, "covariates: the formula says ('x',) already; "),
        ({"formula": "y ~ arm + x"}, "formula: nothing says which rows make a group; add (1 | g"),
        ({"formula": 3}, "formula: 3 is no formula; write "),
        ({"formula": "y ~ arm + (1 | h)"}, "group: "),
        ({"formula": None}, "outcome: None is no column's name; "),
    ],
)
def test_mistakes_beside_a_formula_are_sentences(arguments: dict[str, Any], sentence: str) -> None:
    given = {"formula": "y ~ arm + x + (1 | g)"} | arguments
    table = draw().assign(x=1.0)
    with pytest.raises(InputError) as refused:
        groupwise.analyse(table, **given)
    assert str(refused.value).startswith(sentence)
