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
    return pd.DataFrame(rows, columns=columns).astype({"p_value": float})


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
        ({"rates": (0.05, 0.06)}, "holds"),  # exactly at the allowance
        ({"rates": (0.05, 0.0601)}, "liberal"),  # 10,000 replicates: 4.6 standard errors
        ({"rates": (0.05, 0.0601), "n": 2000}, "holds"),  # 2.1 standard errors: within the noise
        ({"rates": (0.05, 0.0601), "n": 476}, "holds"),  # the noise is just below the allowance
        ({"rates": (0.05, 0.0601), "n": 475}, "undecided"),
        ({"rates": (0.05, 0.06), "n": 475}, "holds"),
        ({"rates": (0.05, 0.3), "n": 100}, "liberal"),
        ({"rates": (0.03, 0.05)}, "holds"),  # exactly at the threshold of careful
        ({"rates": (0.0299, 0.05)}, "careful"),
        ({"rates": (0.0299, 0.05), "n": 100}, "holds"),  # too few to tell
        ({"failed": 500}, "holds"),  # exactly 5%
        ({"failed": 501}, "fails"),
        ({"cover": 0.94}, "holds"),
        ({"cover": 0.9399}, "liberal"),
        ({"rates": (0.02, 0.0601)}, "liberal"),  # careful at one ICC does not make up for another
    ],
)
def test_thresholds(given: dict[str, Any], expected: str) -> None:
    assert judge(**given) == expected


def test_rules_are_configurable() -> None:
    lenient = Rules(allowance=0.03)
    assert judge(lenient, rates=(0.05, 0.08)) == "holds"
    assert judge(replace(lenient, most_failed=0.0), failed=1) == "fails"


def test_a_level_that_was_not_measured_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"level 0\.1 were not measured"):
        judge(Rules(level=0.1))


def test_departures_are_judged_where_the_rules_say_so() -> None:
    table = calibration({"ols_cr2": {}})
    skewed = calibration({"ols_cr2": {"rates": (0.2, 0.2), "dgp": "skewed_groups"}})
    skewed["scenario"] = "skewed, " + skewed["scenario"]
    both = pd.concat([table, skewed], ignore_index=True)
    for dgps, holds in ((("normal",), True), (("normal", "skewed_groups"), False)):
        found = verdict(both, estimates(ols_cr2=0.2), Rules(dgps=dgps))
        assert bool(found.methods["holds"].iloc[0]) is holds


METHODS: dict[str, dict[str, Any]] = {
    "ols_classical": {"rates": (0.05, 0.44), "power": 0.95},
    "ols_cr2": {"power": 0.60},
    "group_means": {"power": 0.70},
    "mixed_wald": {"rates": (0.05, 0.075), "power": 0.80},
    "mixed_kenward_roger": {"power": 0.705},
}


def decide(**options: Any) -> Verdict:
    p_values = dict.fromkeys(METHODS, 0.2)
    return verdict(calibration(METHODS), estimates(**p_values), **options)


def test_headline_is_the_most_powerful_that_holds_its_level() -> None:
    found = decide()
    assert found.headline == "mixed_kenward_roger" and not found.chosen
    assert found.most_powerful == ("group_means", "mixed_kenward_roger")  # within 0.01
    assert found.sentences[-1] == (
        "It finds 70.5% of the assumed effects; no method that holds its level finds more, "
        "and the t test of group means finds about as many."
    )


def test_preference_decides_between_equals_only() -> None:
    first = Rules(preference=("ols_cr2", "group_means"))
    assert decide(rules=first).headline == "group_means"
    assert decide(rules=replace(first, as_powerful=0.2)).headline == "ols_cr2"
    # A hundredth of the replicates, and powers have ten times the error.
    few = calibration({m: v | {"n": 100} for m, v in METHODS.items()})
    found = verdict(few, estimates(**dict.fromkeys(METHODS, 0.2)))
    assert "ols_cr2" in found.most_powerful


@pytest.mark.parametrize("method", METHODS)
def test_a_method_chosen_beforehand_stays(method: str) -> None:
    found = decide(chosen=method)
    assert found.headline == method and found.chosen
    assert "chosen beforehand" in found.sentences[0]
    said = " ".join(found.sentences)
    if method == "ols_classical":
        assert "44.0%" in said and "does not hold its level" in said and "0.20" in said
        assert said.endswith("holds its level, and finds 70.5% of the assumed effects.")
    if method == "ols_cr2":
        assert "60.0%" in said and "70.5%" in said


def test_a_chosen_method_that_was_not_calibrated_is_said_so() -> None:
    assert "not calibrated" in decide(chosen="dummy").sentences[0]


def test_methods_without_an_answer_to_the_data_are_no_headline() -> None:
    p_values = dict.fromkeys(METHODS, 0.2) | {"mixed_kenward_roger": np.nan}
    assert verdict(calibration(METHODS), estimates(**p_values)).headline == "group_means"


def test_nothing_that_holds_is_nothing_recommended() -> None:
    found = verdict(calibration({"ols_classical": METHODS["ols_classical"]}), estimates())
    assert found.headline is None and "none is recommended" in found.sentences[0]
    alone = calibration({"ols_classical": METHODS["ols_classical"]})
    found = verdict(alone, estimates(ols_classical=0.2), chosen="ols_classical")
    assert found.sentences[-1] == "No other method holds its level either."


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
    assert found.sentence.startswith("B − A: 1 of 2 methods finds it significant. Not one of these")
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


def test_some_method_leads_where_none_holds_its_level() -> None:
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
        "If group effects are skewed (exponential), 1 of 2 methods hold their level. The mixed model "
        "with Kenward-Roger df does not hold its level: it rejects a true null 20.0% of the time where "
        "the intraclass correlation is 0.00.",
    )
    assert found.methods.groupby("dgp").size().to_dict() == {"normal": 2, "skewed_groups": 2}
