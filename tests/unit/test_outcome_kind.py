"""What an outcome is: declared or seen in its values, and every contradiction in one sentence."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import groupwise
from groupwise.data.declared_kind import contradictions
from groupwise.data.errors import InputError
from groupwise.data.ingest import Ingested, ingest
from groupwise.data.validate import Roles, check_effects
from groupwise.intake import take_in
from groupwise.response import FAMILIES, SCALES, SCALES_OF, Response
from groupwise.sample import sample_of

ROLES = Roles("y", "arm", "g")
RATES = Roles("y", "arm", "g", exposure="days")
ZEROS_AND_ONES = [0.0, 1, 1, 0, 1, 0, 0, 1]
COUNTS = [0, 3, 1, 0, 2, 0, 5, 1]


def trial(y: Any, **columns: Any) -> pd.DataFrame:
    """Eight members of four groups in two arms."""
    g = np.repeat([1, 2, 3, 4], 2)
    return pd.DataFrame({"g": g, "arm": np.where(g % 2, "a", "b"), "y": y} | columns)


def taken(y: Any, roles: Roles = ROLES, *, days: Any = None, **settings: Any) -> Ingested:
    return ingest(trial(y, **({} if days is None else {"days": days})), roles, **settings)


def refusal(*given: Any, **settings: Any) -> str:
    with pytest.raises(InputError) as caught:
        taken(*given, **settings)
    return str(caught.value)


@pytest.mark.parametrize(
    ("no", "yes"),
    [
        (0, 1),
        ("0", "1"),
        ("no", "yes"),
        ("nein", "ja"),
        ("alive", "died"),
        ("not infected", "infected"),
        (False, True),
    ],
)
def test_two_values_that_tell_which_is_yes_are_binary_and_the_report_says_so(
    no: Any, yes: Any
) -> None:
    result = taken([no, yes, yes, no, yes, no, no, yes])
    assert result.table["y"].tolist() == ZEROS_AND_ONES
    assert result.kind.response == Response("binary", "difference")
    assert (result.kind.no_event, result.kind.event) == (str(no), str(yes))
    assert not result.kind.declared
    assert any(f"'{yes}' counts" in each for each in result.warnings)


def test_what_is_declared_is_not_remarked() -> None:
    result = taken(ZEROS_AND_ONES, outcome_kind="binary")
    assert result.kind.declared and not any("counts" in each for each in result.warnings)


@pytest.mark.parametrize("event", ["b", 2])
def test_the_event_that_is_named_counts(event: Any) -> None:
    other = "a" if event == "b" else 1
    values = [other, event, event, other, event, other, other, event]
    result = taken(values, event=event)
    assert result.table["y"].tolist() == ZEROS_AND_ONES
    swapped = taken(values, event=other)
    assert swapped.table["y"].tolist() == [1 - each for each in ZEROS_AND_ONES]
    assert (swapped.kind.event, swapped.kind.no_event) == (str(other), str(event))


def test_values_missing_of_two_stay_missing() -> None:
    result = taken(["no", "yes", None, "no", "yes", "no", "no", "yes"])
    assert result.dropped == {"y missing": 1} and set(result.table["y"]) == {0.0, 1.0}


def test_two_values_may_be_numbers() -> None:
    result = taken([2.5, 4, 4, 2.5, 4, 4, 2.5, 2.5], outcome_kind="continuous")
    assert set(result.table["y"]) == {2.5, 4.0} and result.outcome["two_values"]
    assert result.kind.response.family == "continuous"
    assert any("is analysed as a number" in each for each in result.warnings)


@pytest.mark.parametrize("values", [COUNTS, ZEROS_AND_ONES])
def test_counts_are_counts_only_where_it_is_declared(values: list[float]) -> None:
    assert taken(values).kind.response.family != "count"
    result = taken(values, outcome_kind="count")
    assert result.kind.response == Response("count", "ratio")
    assert result.table["y"].tolist() == values


def test_exposures_are_numbers_of_the_table() -> None:
    days = [1, 2, 3, 4, 5, 6.5, 7, 8]
    result = taken(COUNTS, RATES, days=days, outcome_kind="count")
    assert result.table["days"].tolist() == days
    gap = taken(COUNTS, RATES, days=[*days[:-1], None], outcome_kind="count")
    assert gap.dropped == {"days missing": 1}


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("scale", [None, *SCALES])
def test_a_family_has_its_scales(family: str, scale: str | None) -> None:
    values = COUNTS if family != "binary" else ZEROS_AND_ONES
    settings = {"outcome_kind": family, "effect_as": scale}
    there = list(contradictions(settings))
    if scale in (None, *SCALES_OF[family]):
        expected = scale or SCALES_OF[family][0]
        assert not there and taken(values, **settings).kind.response.scale == expected
    else:
        assert [key for key, _, _ in there] == [("effect_as",)]
        assert f"effects on a {family} outcome are no" in refusal(values, **settings)


def test_a_design_has_the_response_and_the_exposure() -> None:
    table = trial(COUNTS, days=np.arange(1.0, 9))
    read = take_in(
        table,
        RATES,
        conf_level=0.95,
        reading={"outcome_kind": "count", "effect_as": "difference"},
        modelling={"blocks_as": "fixed", "random_slopes": False, "rank_deficient": "error"},
    )
    assert read.understood["response"] == {"family": "count", "scale": "difference"}
    assert (read.understood["event"], read.understood["declared"]) == (None, True)
    sample = sample_of(read.table, read.understood | {"dataset": "mine"})
    assert sample.response == Response("count", "difference")
    assert sample.values == pytest.approx(np.array(COUNTS) / np.arange(1.0, 9))


@pytest.mark.parametrize(
    ("values", "settings", "says"),
    [
        (
            ["no", "yes", "maybe", "no", "yes", "no", "no", "yes"],
            {"outcome_kind": "binary"},
            "outcome_kind: column 'y' has 3 values ('maybe', 'no', 'yes'), and a binary outcome has "
            "two; write `recode: {y: {maybe: null}}` if 'maybe' means a missing value, or merge two of "
            "them, as by `recode: {y: {maybe: 'no'}}`.",
        ),
        (
            [0, 1, 2, 0, 1, 0, 0, 1],
            {"outcome_kind": "binary"},
            "outcome_kind: column 'y' has 3 values ('0', '1', '2'), and a binary outcome has two; "
            "write `recode: {y: {2: null}}` if '2' means a missing value, or merge two of them, as by "
            "`recode: {y: {2: 0}}`, or `outcome_kind: count` if these are numbers of events.",
        ),
        (
            range(8),
            {"event": 1},
            "outcome_kind: column 'y' has 8 values ('0', '1', '2', '3', '4' and more), and a binary "
            "outcome has two; name an outcome of two values, or write `outcome_kind: continuous`.",
        ),
        (
            ["no"] * 8,
            {"outcome_kind": "binary"},
            "roles.outcome: column 'y' has the value 'no' in every row; name an outcome that varies.",
        ),
        (
            [1, 2, 2, 1, 2, 1, 1, 2],
            {},
            "event: column 'y' has two values, '1' and '2', and neither says that it happened; write "
            "`event: 2` if that counts, or `event: 1`; `outcome_kind: continuous` takes them as "
            "numbers.",
        ),
        (
            ["a", "b", "b", "a", "b", "a", "a", "b"],
            {},
            "event: column 'y' has two values, 'a' and 'b', and neither says that it happened; write "
            "`event: b` if that counts, or `event: a`.",
        ),
        (
            ["no", "yes", "yes", "no", "yes", "no", "no", "yes"],
            {"event": "yess"},
            "event: no row has the value 'yess' in column 'y'; did you mean 'yes'?",
        ),
        (
            [0, 3, 1.5, 0, 2, 0, 5, 1],
            {"outcome_kind": "count"},
            "outcome_kind: column 'y' has the value 1.5, which is no whole number; numbers of events "
            "are 0, 1, 2 and so on: correct it in the file, or write `outcome_kind: continuous`.",
        ),
        (
            [0, 3, -1, 0, 2, 0, 5, 1],
            {"outcome_kind": "count", "missing_codes": []},
            "outcome_kind: column 'y' has the value -1, which is below 0; numbers of events are 0, 1, 2 "
            "and so on: correct it in the file, or write `outcome_kind: continuous`.",
        ),
        (
            ZEROS_AND_ONES,
            {"outcome_as": "standardized"},
            "outcome_as: events are counted, and have no standardized scale; remove it, or write "
            "`outcome_kind: continuous` to take the outcome as a number.",
        ),
        (
            COUNTS,
            {"effect_as": "ratio"},
            "effect_as: effects on a continuous outcome are no ratios; write `outcome_kind: count` if "
            "it counts events, or remove the setting.",
        ),
    ],
)
def test_a_mistake_is_one_sentence(values: Any, settings: dict[str, Any], says: str) -> None:
    assert refusal(values, **settings) == says


@pytest.mark.parametrize(
    ("days", "settings", "says"),
    [
        (
            [0, 2, 3, 4, 0, 6, 7, 8],
            {"outcome_kind": "count"},
            "roles.exposure: column 'days' is 0 in 2 rows, and an exposure is above 0; correct it in "
            "the file, or leave such rows out by `where: {days: {not: [0]}}`.",
        ),
        (
            [-5, 2, 3, 4, 5, 6, 7, 8],
            {"outcome_kind": "count"},
            "roles.exposure: column 'days' has the value -5, and an exposure is above 0; correct it in "
            "the file, or leave such rows out by `where: {days: {not: [-5]}}`.",
        ),
        (
            range(1, 9),
            {},
            "roles.exposure: an exposure is for numbers of events, and nothing says that the outcome "
            "counts events; write `outcome_kind: count`, or remove the role.",
        ),
        (
            range(1, 9),
            {"outcome_kind": "continuous"},
            "roles.exposure: an exposure is for numbers of events, and the outcome is continuous; "
            "write `outcome_kind: count`, or remove the role.",
        ),
        (
            ["week", *range(2, 9)],
            {"outcome_kind": "count"},
            "roles.exposure: column 'days' has a text among its numbers: 'week' (1); write "
            "`missing_codes: {days: [week]}` if that means missing, or else correct it in the file.",
        ),
    ],
)
def test_a_mistaken_exposure_is_one_sentence(
    days: Any, settings: dict[str, Any], says: str
) -> None:
    assert refusal(COUNTS, RATES, days=days, **settings) == says


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ({"outcome_kind": "count", "event": 1}, ("event",)),
        ({"outcome_kind": "binary", "roles": {"exposure": "days"}}, ("roles", "exposure")),
        ({"event": "yes", "outcome_as": "log"}, ("outcome_as",)),
        ({"outcome_kind": "count", "random_slopes": True}, ("random_slopes",)),
        (
            {"outcome_kind": "binary", "effect_as": "odds_ratio", "random_slopes": "diagonal"},
            ("random_slopes",),
        ),
    ],
)
def test_settings_that_cannot_go_together_are_seen_without_data(
    settings: dict[str, Any], key: tuple[str, ...]
) -> None:
    assert [each for each, _, _ in contradictions(settings)] == [key]


def test_slopes_go_with_differences_of_risks() -> None:
    assert not list(contradictions({"outcome_kind": "binary", "random_slopes": True}))


@pytest.mark.parametrize(
    ("response", "effects", "says"),
    [
        (Response.of("binary"), {"b": 0.05}, None),
        (Response.of("binary"), {"b": 5}, "effects.b: 5 is no difference of two risks"),
        (Response.of("binary", "odds_ratio"), {"b": 5}, None),
        (Response.of("count"), {"b": 0}, "effects.b: 0 is no ratio"),
        (Response.of("count", "difference"), {"b": -5}, None),
        (Response.of("continuous"), {"c": 5}, "effects: 'c' is not an arm"),
    ],
)
def test_assumed_effects_can_be_effects(
    response: Response, effects: dict[str, float], says: str | None
) -> None:
    if says is None:
        check_effects("effects", effects, ["a", "b"], response)
        return
    with pytest.raises(InputError) as caught:
        check_effects("effects", effects, ["a", "b"], response)
    assert str(caught.value).startswith(says)


def test_analyse_takes_the_same_arguments() -> None:
    table = trial(COUNTS, days=np.arange(1.0, 9))
    named: dict[str, Any] = {"outcome": "y", "treatment": "arm", "group": "g", "reference": "a"}
    settings = {"outcome_kind": "count", "effect_as": "difference", "exposure": "days"}
    result = groupwise.analyse(
        table, **named, **settings, methods=["ols_cr2"], true_effects={"b": 0.2}
    )
    assert result.design["response"] == {"family": "count", "scale": "difference"}
    assert set(result.estimates["scale"]) == {"difference"}
    rates = table.assign(rate=table["y"] / table["days"]).groupby("arm")["rate"].mean()
    (estimate,) = result.estimates["estimate"]
    assert estimate == pytest.approx(rates["b"] - rates["a"])
    for wrong, says in (
        ({"outcome_kind": "counts"}, r"^outcome_kind: 'counts' is no choice"),
        ({"outcome_kind": "binary"}, r"^exposure: an exposure is for numbers of events"),
        ({"effect_as": "odds_ratio"}, r"^effect_as: effects on a count outcome are no odds"),
    ):
        with pytest.raises(InputError, match=says):
            groupwise.analyse(table, **named, **(settings | wrong))


def test_simulate_draws_events() -> None:
    table = groupwise.simulate(
        seed=1,
        groups_per_arm={"a": 3, "b": 3},
        group_size=4,
        rates={"a": 0.5, "b": 1},
        icc=0.1,
        exposure=2,
    )
    assert list(table.columns) == ["group", "arm", "outcome", "exposure"]
    with pytest.raises(InputError, match=r"^rates: it has no value for the arm 'b'; add one\."):
        groupwise.simulate(
            seed=1, groups_per_arm={"a": 3, "b": 3}, group_size=4, rates={"a": 1}, icc=0
        )


# ---- advice that can be followed -----------------------------------------------------------------


def test_labels_that_differ_in_case_are_merged_not_set_to_missing() -> None:
    for settings in ({}, {"outcome_kind": "binary"}):
        text = refusal(["yes", "Yes", "no", "yes", "no", "yes", "no", "no"], **settings)
        assert "recode: {y: {'Yes': 'yes'}}" in text and "missing" not in text


def test_fractions_and_counts_are_advised_as_what_they_are() -> None:
    fractions = refusal([0, 0.25, 0.5, 1, 0, 1, 0.5, 0.25], outcome_kind="binary")
    assert "outcome_kind: continuous" in fractions and "missing" not in fractions
    assert "outcome_kind: count" in refusal([0, 1, 2, 1, 0, 1, 2, 0], outcome_kind="binary")


def test_many_exposures_below_0_are_left_out_by_a_range() -> None:
    days = [-1.5, -2, -3, -4, -5, 2.5, 3, 4]
    text = refusal(COUNTS, RATES, days=days, outcome_kind="count")
    assert "where: {days: {min: 2.5}}" in text and "not" not in text.split("where")[1]
