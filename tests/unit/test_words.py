"""Numbers and nouns as a reader sees them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groupwise import words

NAN, INF = float("nan"), float("inf")
finite = st.floats(-1e9, 1e9)


def plain(text: str) -> str:
    """With ordinary spaces: where lines may not break is not the matter here."""
    return text.replace("\u00a0", " ")


@pytest.mark.parametrize(
    ("value", "decimals", "text"),
    [
        (1234.567, 1, "1,234.6"),
        (-2.5, 1, "−2.5"),
        (-0.004, 2, "0.00"),
        (-0.0, 0, "0"),
        (0.005, 2, "0.01"),
        (-1234.5, 0, "−1,234"),
        (NAN, 2, "–"),
        (INF, 2, "–"),
    ],
)
def test_fixed_has_so_many_decimals(value: float, decimals: int, text: str) -> None:
    assert words.fixed(value, decimals) == text


@given(finite, st.integers(0, 6))
def test_fixed_never_has_a_minus_before_zero_nor_a_hyphen(value: float, decimals: int) -> None:
    text = words.fixed(value, decimals)
    back = float(text.replace(",", "").replace("−", "-"))
    assert abs(back - value) <= 0.5 * 10**-decimals * (1 + 1e-9) + 1e-9 * abs(value)
    assert "-" not in text and (back != 0 or "−" not in text)


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (0, 3, "0"),
        (-0.0, 3, "0"),
        (1234.5, 3, "1,234"),
        (12.345, 3, "12.3"),
        (-0.0012345, 3, "−0.00123"),
        (8.0, 2, "8.0"),
        (NAN, 3, "not known"),
    ],
)
def test_number_has_so_many_significant_digits(value: float, digits: int, text: str) -> None:
    assert words.number(value, digits) == text


@given(finite)
def test_number_has_no_exponent(value: float) -> None:
    assert "e" not in words.number(value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "< .001"),
        (0.00099, "< .001"),
        (0.001, ".001"),
        (0.0134, ".013"),
        (0.05, ".050"),
        (0.5, ".500"),
        (0.99949, ".999"),
        (0.9996, "1.000"),
        (1.0, "1.000"),
        (NAN, "–"),
    ],
)
def test_p_values_have_three_decimals_and_no_leading_zero(value: float, text: str) -> None:
    assert plain(words.p_value(value)) == text


@given(st.floats(0, 1))
def test_p_value_is_below_05_in_print_only_if_it_rounds_there(p: float) -> None:
    text = plain(words.p_value(p))
    shown = 0.0 if text.startswith("<") else float(text)
    assert abs(shown - p) <= 0.001
    assert plain(words.equals_p(p)) == (f"p {text}" if text.startswith("<") else f"p = {text}")


@pytest.mark.parametrize(
    ("share", "text"),
    [(0, "0%"), (0.004, "less than 1%"), (0.01, "1%"), (0.1411, "14%"), (1.0, "100%")],
)
def test_percent(share: float, text: str) -> None:
    assert words.percent(share) == text


@pytest.mark.parametrize(
    ("one", "many"),
    [
        ("group", "groups"),
        ("class", "classes"),
        ("box", "boxes"),
        ("church", "churches"),
        ("city", "cities"),
        ("day", "days"),
        ("professor", "professors"),
        ("child", "children"),
        ("school class", "school classes"),
        ("campus", "campuses"),
        ("series", "series"),
    ],
)
def test_plural(one: str, many: str) -> None:
    assert words.plural(one) == many
    assert [words.count(n, one) for n in (0, 1, 5871)] == [f"0 {many}", f"1 {one}", f"5,871 {many}"]


@pytest.mark.parametrize(
    "word", ["classes", "students", "boxes", "churches", "cities", "schools", "children", "strata"]
)
def test_plural_leaves_a_plural_alone(word: str) -> None:
    assert words.plural(word) == word
    assert words.plural(words.singular(word)) == word != words.singular(word)


@pytest.mark.parametrize("word", ["class", "campus", "bus", "basis", "gas", "day", "lens"])
def test_singular_leaves_what_is_no_plural_alone(word: str) -> None:
    assert words.singular(word) == word


@pytest.mark.parametrize(
    ("column", "noun"),
    [
        ("professor", "professor"),
        ("classes", "class"),
        ("class_id", "class"),
        ("ClassID", "Class"),
        ("SITEID", "site"),
        ("schoolid", "school"),
        ("teacher_no", "teacher"),
        ("clinic.nr", "clinic"),
        ("class code", "class"),
        ("id_school", "school"),
        ("school_class", "school class"),
        ("grid", "grid"),
        ("valid", "valid"),
    ],
)
def test_a_name_that_is_a_noun_is_the_word_for_units(column: str, noun: str) -> None:
    assert words.unit(column) == noun
    assert words.role_word({"group": column}, "group") == noun
    assert words.has_word({"group": column}, "group")


@pytest.mark.parametrize(
    "column",
    ["id", "ID", "g_id", "y", "x1", "any", "got", "does", "The", "%", "7", "TRT01P", "group", "GRP",
     "Q1: which class?", "class (old)", "Kosten (in \u20ac)", "which of these is your class",
     "\u73ed\u7ea7",
     "measurement", "code"],
)  # fmt: skip
def test_a_name_that_is_no_noun_leaves_the_word_of_the_role(column: str) -> None:
    assert words.unit(column) == ""
    for role, word in words.UNITS.items():
        assert words.role_word({"group": "class"} | {role: column}, role) == word
    assert not words.has_word({"group": column}, "group")


def test_two_kinds_of_units_do_not_have_one_word() -> None:
    roles = {"group": "class", "block": "class_id", "individual": None}
    assert [words.role_word(roles, role) for role in ("group", "block")] == ["class", "block"]
    assert words.role_word(roles, "individual") == "individual"


@pytest.mark.parametrize(
    ("column", "text"),
    [
        ("score", "score"),
        ("exam_score", "exam score"),
        ("got", "the outcome \u201cgot\u201d"),
        ("y", "the outcome \u201cy\u201d"),
        ("Q1: I feel safe", "the outcome \u201cQ1: I feel safe\u201d"),
        ("score (points)", "the outcome \u201cscore (points)\u201d"),
    ],
)
def test_a_name_that_is_no_noun_is_named_as_what_it_is(column: str, text: str) -> None:
    assert words.named(column, "outcome") == text


ROWS = {"n_obs": 590, "n_groups": 12, "roles": {"group": "class", "individual": "pupil_id"}}


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({}, "590 individuals"),
        ({"row": "individual", "n_individuals": 590}, "590 individuals"),
        ({"row": "measurement", "n_individuals": 295}, "590 measurements of 295 pupils"),
        ({"row": "row", "n_individuals": None}, "590 rows"),
        (
            {"row": "measurement", "n_individuals": 12, "roles": {"group": "p", "individual": "p"}},
            "590 measurements",
        ),
    ],
)
def test_rows_are_called_what_they_are(more: dict[str, object], text: str) -> None:
    assert words.sized(ROWS | more) == text


def test_groups_are_named_or_the_column_that_tells_them_apart() -> None:
    assert words.grouped(ROWS) == "12 groups (class)"
    assert words.grouped(ROWS | {"roles": {"group": "g_id"}}) == (
        "12 groups (told apart by \u201cg_id\u201d)"
    )


@pytest.mark.parametrize(
    ("word", "text"),
    [("class", "a class"), ("office", "an office"), ("user", "a user"), ("unit", "a unit"),
     ("hour", "an hour"), ("uncle", "an uncle"), ("unimportant one", "an unimportant one")],
)  # fmt: skip
def test_article(word: str, text: str) -> None:
    assert words.article(word) == text


@pytest.mark.parametrize(
    ("items", "text"),
    [([], ""), (["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c")],
)
def test_listing(items: list[str], text: str) -> None:
    assert words.listing(items) == text


@pytest.mark.parametrize(
    ("spread", "decimals"), [(123.0, 0), (12.0, 0), (3.25, 1), (0.0325, 3), (0.0, 2), (NAN, 2)]
)
def test_decimals_show_two_digits_of_a_standard_error(spread: float, decimals: int) -> None:
    assert words.decimals_for(spread) == decimals


def test_names_of_contrasts_and_columns() -> None:
    assert words.contrast_label("B - A") == "B − A"
    assert words.noun("class_type") == "class type"
