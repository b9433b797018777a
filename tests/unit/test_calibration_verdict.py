"""The rules of the verdict, at their edges."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from groupwise.tidy import TABLES
from groupwise.verdict.decision import Verdict, answering, uncalibrated, verdict
from groupwise.verdict.disagreements import SOURCES
from groupwise.verdict.rules import JUDGEMENTS, Rules

N = 10_000
NULLS = ("null, icc 0.000", "null, icc 0.200")


def calibration(methods: dict[str, dict[str, Any]]) -> pd.DataFrame:
    """Two null scenarios and one with an effect, of one contrast; the numbers of each method.

    `rates` are the rejection rates of the nulls, `power` that of the effect.
    """
    rows = []
    for method, given in methods.items():
        numbers = {"rates": (0.05, 0.05), "power": 0.8, "n": N, "failed": 0, "cover": 0.95} | given
        rates = zip(
            (*NULLS, "effect, icc 0.200"), (*numbers["rates"], numbers["power"]), strict=True
        )
        for scenario, rate in rates:
            effect = scenario.startswith("effect")
            values = {
                "truth": 0.5 if effect else 0.0,
                "rejection_05": rate,
                "coverage": numbers["cover"] if effect else 1 - rate,
                "failed": numbers["failed"] / numbers["n"],
            }
            for measure, value in values.items():
                rows.append(
                    {
                        "scenario": scenario,
                        "icc": float(scenario[-5:]),
                        "n_groups": 15,
                        "group_size": 25.0,
                        "dgp": given.get("dgp", "normal"),
                        "method": method,
                        "contrast": "B - A",
                        "measure": measure,
                        "value": value,
                        "mcse": 0.0,
                        "n_replicates": numbers["n"],
                        "n_failed": numbers["failed"],
                    }
                )
    return pd.DataFrame(rows).astype(TABLES["calibration"])


def estimates(**p_values: float) -> pd.DataFrame:
    """One contrast, all methods with the estimate 1 and the standard error 0.4."""
    rows = [
        {"method": m, "contrast": "B - A", "estimate": 1.0, "std_error": 0.4, "p_value": p}
        for m, p in p_values.items()
    ]
    columns = ["method", "contrast", "estimate", "std_error", "p_value"]
    table = pd.DataFrame(rows, columns=columns).astype({"p_value": float})
    return table.assign(scale="difference")


def judge(rules: Rules | None = None, **given: Any) -> str:
    found = verdict(calibration({"ols_cr2": given}), estimates(ols_cr2=0.2), rules)
    return str(found.methods["judgement"].iloc[0])


def test_every_judgement_can_be_reached() -> None:
    reached = {
        judge(),
        judge(rates=(0.05, 0.12)),
        judge(rates=(0.05, 0.08), n=100),
        judge(rates=(0.02, 0.05)),
        judge(failed=900),
        judge(rates=(np.nan, np.nan), power=np.nan, cover=np.nan, failed=N),
    }
    assert reached == {name for name, *_ in JUDGEMENTS}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        # With 10,000 replicates the bounds of a rate are some .01 apart from it.
        ({"rates": (0.05, 0.0638)}, "valid"),
        ({"rates": (0.05, 0.0639)}, "open"),
        ({"rates": (0.05, 0.0704)}, "open"),
        ({"rates": (0.05, 0.0705)}, "invalid"),
        # With fewer they are further apart, and what is not shown is open.
        ({"rates": (0.05, 0.0445), "n": 1000}, "open"),
        ({"rates": (0.044, 0.044), "n": 1000}, "valid"),
        ({"rates": (0.05, 0.094), "n": 1000}, "open"),
        ({"rates": (0.05, 0.095), "n": 1000}, "invalid"),
        ({"rates": (0.05, 0.05), "n": 100}, "open"),
        ({"rates": (0.05, 0.3), "n": 100}, "invalid"),
        ({"rates": (0.023, 0.05)}, "conservative"),
        ({"rates": (0.0231, 0.05)}, "valid"),
        ({"rates": (0.01, 0.01), "n": 500}, "valid"),  # too few to tell how far below
        ({"failed": 500}, "valid"),  # 5%
        ({"failed": 560}, "valid"),  # not shown to be more
        ({"failed": 700}, "fails"),
        (
            {"rates": (0.02, 0.0705)},
            "invalid",
        ),  # conservative at one ICC does not make up for another
    ],
)
def test_thresholds(given: dict[str, Any], expected: str) -> None:
    assert judge(**given) == expected


def test_rules_are_configurable() -> None:
    assert judge(Rules(allowance=0.03), rates=(0.05, 0.08)) == "open"
    assert judge(Rules(tolerance=0.05), rates=(0.05, 0.08)) == "invalid"
    assert judge(Rules(allowance=0.03, tolerance=0.05), rates=(0.05, 0.08)) == "valid"
    assert judge(Rules(error=1e-9), rates=(0.05, 0.0705)) == "open"
    assert judge(Rules(most_failed=0.0), failed=5) == "fails"


def test_more_rates_need_more_evidence_against_a_method() -> None:
    """A second scenario with a rate that is right makes the bounds of the first wider."""
    table = calibration({"ols_cr2": {"rates": (0.0703, 0.0703)}})
    one = table[table["scenario"] != NULLS[0]]
    for rows, expected in ((one, "invalid"), (table, "open")):
        found = verdict(rows, estimates(ols_cr2=0.2)).methods
        assert found["judgement"].iloc[0] == expected


def test_scenarios_with_an_effect_do_not_count() -> None:
    """Also where two of their arms have the same: no replicates are added there to settle a rate."""
    table = calibration({"ols_cr2": {}})
    same = table[table["scenario"].str.startswith("effect")].assign(contrast="C - B")
    same.loc[same["measure"] == "truth", "value"] = 0.0
    both = pd.concat([table, same.assign(value=same["value"])], ignore_index=True)
    found = verdict(both, estimates(ols_cr2=0.2)).methods
    assert found["judgement"].iloc[0] == "valid" and found["highest"].iloc[0] == 0.05


def test_a_level_that_was_not_measured_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"level 0\.1 were not measured"):
        judge(Rules(level=0.1))


def test_departures_are_judged_where_the_rules_say_so() -> None:
    table = calibration({"ols_cr2": {}})
    skewed = calibration({"ols_cr2": {"rates": (0.2, 0.2), "dgp": "skewed_groups"}})
    skewed["scenario"] = "skewed, " + skewed["scenario"]
    both = pd.concat([table, skewed], ignore_index=True)
    for dgps, expected in ((("normal",), "valid"), (("normal", "skewed_groups"), "invalid")):
        found = verdict(both, estimates(ols_cr2=0.2), Rules(dgps=dgps))
        assert found.methods["judgement"].iloc[0] == expected


METHODS: dict[str, dict[str, Any]] = {
    "ols_classical": {"rates": (0.05, 0.44), "power": 0.95},
    "ols_cr2": {"power": 0.60},
    "group_means": {"power": 0.70},
    "mixed_wald": {"rates": (0.05, 0.08), "power": 0.80},
    "mixed_kenward_roger": {"power": 0.705},
}


def decide(**options: Any) -> Verdict:
    p_values = dict.fromkeys(METHODS, 0.2)
    return verdict(calibration(METHODS), estimates(**p_values), **options)


def test_the_first_of_the_preference_leads() -> None:
    found = decide()
    assert found.headline == "mixed_kenward_roger" and not found.chosen
    assert set(found.most_powerful) == {"group_means", "mixed_kenward_roger"}
    assert found.sentences == (
        "The mixed model with Kenward-Roger df is valid for this design: in the worst scenario its type "
        "I error rate is between 4.1% and 6.0% (nominal: 5.0%).",
        "Its power to find the simulated effects is 70.5%; no valid method is shown to have more.",
    )


def test_it_gives_way_only_to_more_power_beyond_doubt() -> None:
    first = Rules(preference=("ols_cr2", "group_means"))
    found = decide(rules=first)
    assert found.headline == "group_means"
    assert found.sentences[1] == (
        "Pooled OLS with CR2 usually leads for designs of this kind; here its power is 60.0%, and that "
        "of the t test of group means 70.0%."
    )
    assert decide(rules=replace(first, as_powerful=0.2)).headline == "ols_cr2"
    # A hundredth of the replicates, and nothing is shown.
    few = calibration({m: v | {"n": 100} for m, v in METHODS.items()})
    found = verdict(few, estimates(**dict.fromkeys(METHODS, 0.2)), first)
    assert found.headline == "ols_cr2" and found.most_powerful == ()


def test_more_power_does_not_help_a_method_that_is_not_shown_to_be_valid() -> None:
    doubtful = METHODS | {"mixed_kenward_roger": {"power": 0.99, "rates": (0.05, 0.066)}}
    rules = Rules(preference=("ols_cr2",))
    answered = estimates(**dict.fromkeys(METHODS, 0.2))
    assert verdict(calibration(doubtful), answered, rules).headline == "group_means"
    shown = doubtful | {"mixed_kenward_roger": {"power": 0.99}}
    assert verdict(calibration(shown), answered, rules).headline == "mixed_kenward_roger"


def test_an_open_judgement_never_counts_against_a_method() -> None:
    doubtful = METHODS | {"mixed_kenward_roger": {"power": 0.705, "rates": (0.05, 0.066)}}
    answered = estimates(**dict.fromkeys(METHODS, 0.2))
    found = verdict(calibration(doubtful), answered)
    assert found.headline == "mixed_kenward_roger"
    assert found.sentences[0].startswith("Whether the mixed model with Kenward-Roger df is valid")
    shown = METHODS | {"mixed_kenward_roger": {"power": 0.705, "rates": (0.05, 0.08)}}
    found = verdict(calibration(shown), answered)
    assert found.headline == "group_means"
    assert found.sentences[1].startswith(
        "The mixed model with Kenward-Roger df usually leads for designs of this kind. "
        "The mixed model with Kenward-Roger df is not valid for this design: "
    )


@pytest.mark.parametrize("p_value", [1e-9, 0.04, 0.9])
def test_neither_estimates_nor_p_values_enter(p_value: float) -> None:
    answered = estimates(**dict.fromkeys(METHODS, p_value)).assign(estimate=-7.0)
    found, other = verdict(calibration(METHODS), answered), decide()
    assert (found.headline, found.sentences) == (other.headline, other.sentences)


@pytest.mark.parametrize("method", METHODS)
def test_a_method_chosen_beforehand_stays(method: str) -> None:
    found = decide(chosen=method)
    assert found.headline == method and found.chosen
    assert "chosen beforehand" in found.sentences[0]
    text = " ".join(found.sentences)
    if method == "ols_classical":
        assert " and 48.9% (" in text and "not valid" in text and "of 0.20)" in text
    if method == "ols_cr2":
        assert text.endswith("is 60.0%, that of the mixed model with Kenward-Roger df 70.5%.")


def test_a_chosen_method_that_was_not_simulated_is_said_so() -> None:
    assert "not simulated" in decide(chosen="dummy").sentences[0]


def test_methods_without_an_answer_to_the_data_are_no_headline() -> None:
    p_values = dict.fromkeys(METHODS, 0.2) | {"mixed_kenward_roger": np.nan}
    found = verdict(calibration(METHODS), estimates(**p_values))
    assert found.headline == "group_means"
    assert found.sentences[1].endswith("it has no answer to these data.")


def test_where_all_are_invalid_none_is_recommended() -> None:
    found = verdict(calibration({"ols_classical": METHODS["ols_classical"]}), estimates())
    assert found.headline is None and "No method is recommended" in found.sentences[0]


def test_a_valid_method_leads_before_an_open_one_where_the_whole_preference_is_invalid() -> None:
    """Not the one that tables begin with."""
    rates = {
        "ols_classical": {"rates": (0.05, 0.066)},
        "ols_cr2": {"rates": (0.2, 0.2)},
        "gee_bias_reduced": {},
    }
    answered = estimates(**dict.fromkeys(rates, 0.2))
    found = verdict(calibration(rates), answered, Rules(preference=("ols_cr2",)))
    assert found.headline == "gee_bias_reduced"


def test_a_method_that_was_not_simulated_is_not_passed_over() -> None:
    answered = estimates(mixed_kenward_roger=0.3, ols_cr2=0.3)
    found = verdict(calibration({"ols_cr2": {}}), answered)
    assert found.headline == "mixed_kenward_roger"
    assert found.sentences == (
        "The mixed model with Kenward-Roger df usually leads for designs of this kind; it was not "
        "simulated.",
    )


def test_power_is_compared_with_every_valid_method() -> None:
    """Also where the one with most power has so few replicates that nothing is shown of it."""
    powers = {
        "group_means": {"power": 0.50},
        "mixed_kenward_roger": {"power": 0.57},
        "ols_cr2": {"power": 0.574, "n": 100},
    }
    answered = estimates(**dict.fromkeys(powers, 0.2))
    found = verdict(calibration(powers), answered, chosen="group_means")
    assert found.sentences[-1].endswith("that of the mixed model with Kenward-Roger df 57.0%.")


def test_without_effects_preference_decides() -> None:
    table = calibration({m: v | {"power": 0.05} for m, v in METHODS.items()})
    table.loc[table["measure"] == "truth", "value"] = 0.0
    found = verdict(table, estimates(**dict.fromkeys(METHODS, 0.2)))
    assert found.headline == "mixed_kenward_roger"
    assert len(found.sentences) == 1


def test_power_is_compared_at_the_icc_asked_for() -> None:
    other = calibration({"group_means": {"power": 0.99}, "mixed_kenward_roger": {"power": 0.5}})
    other = other[other["scenario"].str.startswith("effect")]
    other = other.assign(scenario="effect, icc 0.000", icc=0.0)
    both = pd.concat([calibration(METHODS), other], ignore_index=True)
    answered = estimates(**dict.fromkeys(METHODS, 0.2))
    assert verdict(both, answered, icc=0.21).headline == "mixed_kenward_roger"
    assert verdict(both, answered, icc=0.01).headline == "group_means"


def test_methods_that_agree_leave_nothing_to_explain() -> None:
    for p in (0.01, 0.2):
        answered = estimates(**dict.fromkeys(METHODS, p))
        assert verdict(calibration(METHODS), answered).disagreements == ()


def source(table: pd.DataFrame) -> tuple[str, ...]:
    found = verdict(calibration(METHODS), table).disagreements
    assert len(found) == 1
    assert set(found[0].significant) | set(found[0].not_significant) == set(table["method"])
    return found[0].sources


def test_sources_of_disagreement() -> None:
    liberal = estimates(ols_classical=0.001, ols_cr2=0.3)
    liberal.loc[0, "std_error"] = 0.2
    assert source(liberal) == ("level",)
    assert source(estimates(group_means=0.001, mixed_kenward_roger=0.4)) == ("reference",)
    close = estimates(group_means=0.04, ols_cr2=0.06)
    close.loc[0, "std_error"] = 0.39
    assert source(close) == ("threshold",)
    apart = estimates(group_means=0.001, ols_cr2=0.4)
    apart.loc[1, "estimate"] = 0.2
    assert source(apart) == ("estimate",)
    neither = estimates(group_means=0.001, ols_cr2=0.4)
    neither.loc[1, "std_error"] = 0.8
    assert source(neither) == ("standard_error",)
    assert set(SOURCES) == {"level", "reference", "threshold", "estimate", "standard_error"}


def test_a_disagreement_is_said_in_a_sentence() -> None:
    found = verdict(
        calibration(METHODS), estimates(ols_classical=0.009, mixed_kenward_roger=0.39)
    ).disagreements[0]
    assert found.sentence.startswith("B − A: 1 of 2 methods finds it significant. All of these are")
    assert found.sentence.endswith("The headline has p\u00a0=\u00a0.390.")
    assert found.significant == ("ols_classical",)


# ---- without a simulation, and under departures --------------------------------------------------


def test_without_a_simulation_nothing_is_judged_and_the_preferred_method_leads() -> None:
    rows = estimates(ols_cr2=0.2, group_means=0.3, ols_classical=0.01)
    found = uncalibrated(rows, "Too large.")
    assert not found.calibrated and found.methods.empty and found.headline == "group_means"
    assert found.sentences[1:] == ("Too large.", "The t test of group means leads by default.")
    assert "level" not in found.disagreements[0].sources
    chosen = uncalibrated(rows, "Too large.", chosen="ols_cr2")
    assert chosen.headline == "ols_cr2" and chosen.chosen
    assert chosen.sentences == (*found.sentences[:1], "Too large.")


def test_some_method_leads_where_all_are_invalid() -> None:
    rates = {"mixed_wald": {"rates": (0.2, 0.2)}, "ols_cr2": {"rates": (0.2, 0.2)}}
    answered = estimates(mixed_wald=0.1, ols_cr2=0.1)
    found = verdict(calibration(rates), answered)
    assert found.headline is None
    assert found.lead(answered, Rules()) == "ols_cr2"
    assert found.lead(answered.assign(p_value=np.nan), Rules()) == "mixed_wald"


def test_methods_that_answer_some_comparisons_only_do_not_lead() -> None:
    rows = estimates(group_means=0.3, ols_cr2=0.2)
    part = rows.assign(contrast="C - A", p_value=np.where(rows["method"] == "ols_cr2", 0.2, np.nan))
    assert answering(pd.concat([rows, part])) == ("ols_cr2",)


def test_departures_are_judged_and_do_not_count() -> None:
    usual = {"mixed_kenward_roger": {}, "ols_cr2": {"power": 0.5}}
    departed = {
        "mixed_kenward_roger": {"rates": (0.2, 0.2), "dgp": "skewed_groups"},
        "ols_cr2": {"dgp": "skewed_groups"},
    }
    other = calibration(departed)
    other["scenario"] = "departed " + other["scenario"]
    both = pd.concat([calibration(usual), other], ignore_index=True)
    found = verdict(both, estimates(mixed_kenward_roger=0.3, ols_cr2=0.3))
    assert found.headline == "mixed_kenward_roger"
    assert found.departures == (
        "If group effects are skewed (exponential), 1 of 2 methods is shown to be invalid. The mixed "
        "model with Kenward-Roger df is not valid for this design: in the worst scenario its type I "
        "error rate is between 18.3% and 22.6% (nominal: 5.0%; simulated highest at an intraclass "
        "correlation of 0.00).",
    )
    assert found.methods.groupby("dgp").size().to_dict() == {"normal": 2, "skewed_groups": 2}
