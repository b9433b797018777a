"""`groupwise.analyse`: the configuration's options by name, its answers, and its sentences."""

from __future__ import annotations

import inspect
import subprocess
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from experiments import ROOT, draw
from plotnine import ggplot, labs

import groupwise
from groupwise import tidy
from groupwise.analysis import arguments
from groupwise.analysis.studies import FEWEST_DRAWS
from groupwise.catalogue.methods import METHODS
from groupwise.catalogue.tables import MODEL_TABLES
from groupwise.data.simulate import Recipe
from groupwise.sample import Resampling
from groupwise.verdict.judgement import rules_for

SCHEMA = yaml.safe_load((ROOT / "workflow/schemas/config.schema.yaml").read_text("utf-8"))
DATASET, ROLES = (SCHEMA["$defs"][name]["properties"] for name in ("dataset", "roles"))
PARAMETERS = inspect.signature(groupwise.analyse).parameters
COLUMNS = {"outcome": "y", "treatment": "arm", "group": "g", "reference": "A"}
QUICK = ("ols_classical", "mixed_kenward_roger")


def analyse(table: pd.DataFrame | None = None, **changes: Any) -> groupwise.Analysis:
    given = {"methods": QUICK} | COLUMNS | changes
    return groupwise.analyse(draw() if table is None else table, **given)


@pytest.fixture(scope="module")
def result() -> groupwise.Analysis:
    return analyse(methods=None)


# ---- the same words as the configuration ---------------------------------------------------------


def test_arguments_are_the_keys_of_a_dataset() -> None:
    elsewhere = {"title", "note", "simulate", "file", "format", "roles", "family", "subsets"}
    elsewhere |= {"teaching", "share"}
    own = {"table", "formula", "methods", "resampling", "true_effects", "dataset"}
    assert set(PARAMETERS) - own == (set(DATASET) | set(ROLES)) - elsewhere


@pytest.mark.parametrize("key", sorted((DATASET | ROLES).keys() & PARAMETERS.keys()))
def test_default_and_choices_are_those_of_the_configuration(key: str) -> None:
    # A dataset without a headline has the one for all.
    node = (DATASET | ROLES)[key] if key != "headline" else SCHEMA["properties"]["headline"]
    default = PARAMETERS[key].default
    default = [] if default == () else None if default is inspect.Parameter.empty else default
    assert node.get("default") == default
    if "enum" in node:
        assert set(node["enum"]) == set(arguments.CHOICES[key])


def test_what_is_simulated_is_that_of_the_configuration() -> None:
    settings = SCHEMA["properties"]["calibration"]["properties"]
    given = inspect.signature(groupwise.Analysis.calibrate).parameters
    assert set(given) == (set(settings) | {"self", "assumed_effects"}) - {"jobs"}
    for key in ("replicates", "draws", "most_outcomes", "seed"):
        assert given[key].default == settings[key]["default"]
    assert settings["draws"]["minimum"] == FEWEST_DRAWS
    power = inspect.signature(groupwise.Analysis.plan).parameters["power"]
    assert power.default == SCHEMA["properties"]["planning"]["properties"]["power"]["default"]
    nodes = SCHEMA["properties"]["verdict"]["properties"].items()
    rules = {key: node["default"] for key, node in nodes if "default" in node}
    assert rules_for(0.95, "within", rules) == rules_for(0.95, "within")


def test_resampling_is_that_of_the_configuration() -> None:
    settings = SCHEMA["properties"]["resampling"]["properties"]
    assert {key: node["minimum"] for key, node in settings.items()} == arguments.LEAST
    assert set(arguments.LEAST) == set(Resampling.__dataclass_fields__)
    where = SCHEMA["$defs"]["where"]["additionalProperties"]["anyOf"]
    words = next(node["properties"] for node in where if "properties" in node)
    assert set(words) == set(arguments.CONDITIONS)


def test_importing_the_package_loads_nothing_else() -> None:
    code = "import sys, groupwise; print({'numpy', 'pandas', 'plotnine'} & set(sys.modules))"
    command = [sys.executable, "-c", code]
    scripts = ROOT / "workflow" / "scripts"
    done = subprocess.run(command, cwd=scripts, capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
    assert set(groupwise.__all__) <= set(dir(groupwise))
    with pytest.raises(AttributeError, match="no attribute 'analyze'"):
        groupwise.analyze  # noqa: B018


OF_PERIODS = {"mixed_decay", "mixed_exposure", "mixed_no_periods"}
OF_EVERY_DESIGN = [
    name for name in METHODS if name not in OF_PERIODS and not METHODS[name].of_events
]
"""Methods that a report lists of a number where nothing says when a row was measured."""

# ---- answers -------------------------------------------------------------------------------------


def test_result_has_every_table_of_the_schema(result: groupwise.Analysis) -> None:
    refits = {"influence", "sensitivity", "profile"}
    judged = {"agreement", "diagnostics", "verdict"}
    assert set(result.tables) == {*MODEL_TABLES, *judged, *refits}
    assert len(result.tables) == len(set(result.tables)) and "families" not in result.tables
    for name, table in result.tables.items():
        assert list(table.columns) == list(tidy.TABLES[name])
        pd.testing.assert_series_equal(table.dtypes, tidy.table(name, []).dtypes)
    assert list(dict.fromkeys(result.estimates["method"])) == OF_EVERY_DESIGN


def test_methods_that_are_asked_answer_as_they_do_among_others(result: groupwise.Analysis) -> None:
    some = analyse(methods=["mixed_profile", "ols_cr2"])
    for name in ("estimates", "omnibus", "marginal_means", "coefficients", "adjusted"):
        full = result.tables[name]
        expected = full[full["method"].isin(["mixed_profile", "ols_cr2"])].reset_index(drop=True)
        pd.testing.assert_frame_equal(some.tables[name], expected, check_exact=True)
    for name in ("variance_components", "random_effects", "diagnostics", "aliasing"):
        pd.testing.assert_frame_equal(some.tables[name], result.tables[name], check_exact=True)
    assert some.headline == "ols_cr2"


def test_the_users_table_is_not_changed() -> None:
    table = draw("blocked", covariates=["x", "c"]).astype({"arm": "category"})
    before = table.copy(deep=True)
    analyse(table, block="b", covariates=["x", "c"], outcome_as="log", recode={"b": {"north": "N"}})
    pd.testing.assert_frame_equal(table, before)


@pytest.mark.parametrize("kind", ["nullable", "text", "categories", "other index"])
def test_kinds_of_columns_make_no_difference(kind: str) -> None:
    table = draw(sizes=[3, 4, 5, 4, 3, 4, 5, 4, 3])
    changed = {
        "nullable": lambda: table.convert_dtypes(),
        "text": lambda: table.astype({"g": str, "y": str}),
        "categories": lambda: table.astype({"g": "category", "arm": "category"}),
        "other index": lambda: table.set_axis(np.arange(len(table))[::-1] + 7),
    }[kind]()
    expected, found = analyse(table), analyse(changed)
    for name in MODEL_TABLES:
        pd.testing.assert_frame_equal(found.tables[name], expected.tables[name])


def test_missing_values_are_dropped_and_counted() -> None:
    table = draw().convert_dtypes()
    table.loc[[0, 5], "y"] = pd.NA
    found = analyse(table)
    assert found.design["dropped"] == {"y missing": 2} and found.design["n_obs"] == 34


UNKNOWN = {"calibration_rates", "power_curves"}


@pytest.mark.parametrize("name", sorted(set(groupwise.analysis.result.names({})) - UNKNOWN))
def test_figure_displays_itself_and_takes_more_layers(
    result: groupwise.Analysis, name: str
) -> None:
    figure = result.figure(name)
    assert isinstance(figure, ggplot) and len(result.alt_text(name)) > 20
    data, _ = (figure + labs(title="a $ and a $"))._repr_mimebundle_()
    assert "image/png" in data


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("calibration_rates", "calibration: nothing is simulated yet; call `calibrate()` first."),
        ("power_curves", "planning: nothing is planned yet; call `plan()` first."),
        ("randomization_distribution", "name: the figure 'randomization_distribution' is of a"),
        (
            "design_periods",
            "name: the figure 'design_periods' is of data with a column of the role `period`; name it "
            "as `period`.",
        ),
    ],
)
def test_figure_of_what_is_not_computed_says_what_to_call(name: str, said: str) -> None:
    with pytest.raises(ValueError) as caught:
        analyse().figure(name)
    assert str(caught.value).startswith(said)


def test_true_effects_are_drawn(result: groupwise.Analysis) -> None:
    found = analyse(true_effects={"B": 1.0, "C": 3})
    assert found.truth == {"effects": {"B - A": 1.0, "C - A": 3.0, "C - B": 2.0}}
    assert "true effects" in found.alt_text("effects_forest")
    assert "true effects" not in result.alt_text("effects_forest")


def test_summary_leads_with_the_headline(result: groupwise.Analysis) -> None:
    assert "Mixed model, Kenward-Roger" in repr(result) and "36 individuals in 9 groups" in repr(
        result
    )
    assert "**B − A**" in result._repr_markdown_() and "- B − A: " in repr(result)
    row = result.estimates.query("method == 'mixed_kenward_roger' and contrast == 'B - A'").iloc[0]
    assert f"{row['estimate']:.1f}" in repr(result)
    assert "\\" not in repr(result) and "*" not in repr(result)
    odd = analyse(draw().replace({"arm": {"B": "a*b_c"}}))
    assert "a\\*b\\_c" in odd.summary and "a*b_c − A" in repr(odd)


def test_summary_begins_with_the_first_alert(result: groupwise.Analysis) -> None:
    assert "Warning" not in repr(result)
    warned = replace(result, design=result.design | {"alerts": ["Most *rows* are gone.", "More."]})
    assert repr(warned).startswith(
        "Warning: Most *rows* are gone. (The first of 2 in `design['alerts']`.)\n\nDifferences"
    )
    one = replace(result, design=result.design | {"alerts": ["Ids restart."]})
    assert repr(one).startswith("Warning: Ids restart.\n\nDifferences")


def test_summary_calls_rows_and_columns_what_they_are(result: groupwise.Analysis) -> None:
    known = repr(replace(result, design=result.design | {"row": "row"}))
    assert "Differences in the outcome “y” with" in known
    assert "36 rows in 9 groups (told apart by “g”)." in known


def test_headline_without_an_answer_says_why() -> None:
    assert "gives no answer here. Not identified" in repr(analyse(methods="dummy"))


def test_simulation_is_that_of_the_workflow() -> None:
    block = yaml.safe_load((ROOT / "config.yaml").read_text("utf-8"))["datasets"]
    settings = block["flipped_classroom"]["simulate"]
    drawn = groupwise.simulate(outcome="score", treatment="style", group="professor", **settings)
    kept = pd.read_csv(ROOT / "tests/reference/data/flipped_classroom.csv")
    pd.testing.assert_frame_equal(drawn[kept.columns], kept, check_dtype=False)
    assert set(settings) <= set(Recipe.__dataclass_fields__)


# ---- studies -------------------------------------------------------------------------------------


def test_calibration_is_of_this_design_and_these_methods(result: groupwise.Analysis) -> None:
    few = analyse()
    found, again = (few.calibrate(replicates=40, seed=3) for _ in range(2))
    pd.testing.assert_frame_equal(found.calibration, again.calibration)
    assert set(found.calibration["method"]) == set(QUICK)
    assert (found.calibration["n_groups"] == 9).all()
    assert "pooled OLS is valid for this design is open" in repr(found)
    assert len(few.figure("calibration_rates").data)


def test_headline_is_the_preferred_methods_until_the_verdict_leads() -> None:
    given = {"methods": ["ols_classical", "ols_cr2", "group_means"], "table": draw(sd_group=2)}
    auto, chosen = analyse(**given), analyse(**given, headline="ols_classical")
    assert auto.headline == "group_means" and chosen.headline == "ols_classical"
    assert "Call calibrate() to simulate it" in repr(auto) and "by default" in repr(auto)
    found = auto.calibrate()
    assert found.verdict.calibrated and not found.verdict.chosen
    assert auto.headline == found.verdict.headline == found.content["lead"]
    judged = auto.verdict.set_index("method")["judgement"]
    assert judged["ols_classical"] == "invalid" and judged[auto.headline] == "valid"
    assert found.verdict.sentences[0] in repr(auto) and "by default" not in repr(auto)
    assert {"calibration", "verdict"} <= set(auto.tables)
    assert chosen.calibrate(replicates=500).verdict.chosen and chosen.headline == "ols_classical"


@pytest.mark.parametrize(
    ("given", "source", "effect"),
    [
        ({}, "detectable", None),
        ({"true_effects": {"B": 1}}, "true", 1.0),
        ({"true_effects": {"B": 1}, "assumed_effects": {"B": 3}}, "assumed", 3.0),
    ],
)
def test_power_is_for_assumed_effects_else_true_ones_else_such_as_the_design_should_find(
    given: dict[str, Any], source: str, effect: float | None
) -> None:
    overview = analyse(**given).calibrate(replicates=10).overview
    assert overview["effects_are"] == source
    assert effect is None or overview["effects"]["B"] == effect


def test_design_that_is_too_large_is_not_simulated() -> None:
    found = analyse()
    judged = found.calibrate(most_outcomes=100)
    assert not judged.verdict.calibrated and "100 replicates of 10 numbers" in repr(judged)
    assert "100 replicates of 10 numbers" in repr(found)


def test_plan_says_what_this_design_detects() -> None:
    one = {"methods": ["mixed_kenward_roger"]}
    result = analyse(assumed_effects={"B": 2.0})
    found = result.plan(**one)
    here = found.query("question == 'at_hand'")
    assert (here["effect"] == 2).all() and set(found["method"]) == set(one["methods"])
    least = here["minimum_detectable_effect"].max()
    more = result.plan(effect=float(least), **one).query("question == 'at_hand'")
    assert more["power"].min() == pytest.approx(0.8, abs=0.01)
    assert result.planning is result.tables["planning"] and len(result.figure("power_curves").data)
    assert (analyse(effect_to_find=3).plan(**one)["effect"] == 3).all()


def test_plan_of_a_design_with_periods_is_a_table_of_its_own() -> None:
    table = pd.read_csv(ROOT / "tests" / "reference" / "periods" / "data" / "sw_complete.csv")
    roles = {"group": "cluster", "period": "period", "reference": "control"}
    result = analyse(
        table, methods=["mixed_kenward_roger"], assumed_effects={"treatment": 3}, **roles
    )
    assert "planning_periods" not in result.tables
    with pytest.raises(ValueError, match="nothing is planned yet"):
        _ = result.planning_periods
    ordinary = result.plan()
    assert ordinary["power"].isna().all() and "9 groups" in result.alt_text("power_curves")
    here = result.tables["planning_periods"].iloc[0]
    assert here["design"] == "stepped_wedge" and here["effect"] == 3 and here["power"] > 0.3
    assert list(result.planning_periods.columns) == list(tidy.TABLES["planning_periods"])
    result.plan(effect=2, power=0.9)
    assert (result.planning_periods[["effect", "wanted_power"]] == [2, 0.9]).all(axis=None)
    plain = analyse(methods=["mixed_kenward_roger"])
    plain.plan()
    assert plain.planning_periods.empty and len(plain.planning)


# ---- mistakes ------------------------------------------------------------------------------------


MISTAKES: dict[str, tuple[dict[str, Any], str]] = {
    "column": ({"outcome": "Y"}, "outcome: the data have no column 'Y'; did you mean 'y'?"),
    "covariate": ({"covariates": ["x"]}, "covariates[0]: the data have no column 'x'; "),
    "twice": ({"block": "g"}, "block: column 'g' already is group; "),
    "name": ({"group": 3}, "group: 3 is no column's name; give the name of a column, a text."),
    "reference": ({"reference": "a"}, "reference: column 'arm' has no level 'a'; did you mean"),
    "no reference": (
        {"reference": None},
        "reference: nothing says what the arms are compared with",
    ),
    "levels": (
        {"levels": ["A", "B"]},
        "levels: the data have a treatment 'C' that is not listed; ",
    ),
    "choice": (
        {"missing": "ignore"},
        "missing: 'ignore' is no choice; one of them is wanted: 'drop'",
    ),
    "level": ({"conf_level": 95}, "conf_level: 95 is no level; give a number such as 0.95."),
    "method": ({"methods": ["ols_cr4"]}, "methods: there is no method 'ols_cr4'; did you mean"),
    "no method": ({"methods": []}, "methods: no method is asked; "),
    "headline": ({"headline": "ols_cr2"}, "headline: 'ols_cr2' is not asked; "),
    "draws": ({"resampling": {"draws": 9}}, "resampling: there is no setting 'draws'; "),
    "few draws": ({"resampling": {"wild_draws": 9}}, "resampling['wild_draws']: 9 is too little"),
    "condition": ({"where": {"g": {"mn": 3}}}, "where['g']: there is no condition 'mn'; "),
    "where": ({"where": {"g": 99}}, "where.g: no row has the value '99' in column 'g'; "),
    "assumed": ({"assumed_effects": {"D": 1}}, "assumed_effects: 'D' is not an arm; "),
    "to find": ({"effect_to_find": -1}, "effect_to_find: -1 is no difference; "),
    "effects": ({"true_effects": {"D": 1}}, "true_effects: 'D' is not an arm; "),
    "slopes": ({"random_slopes": True}, "random_slopes: the treatment is constant within every"),
    "blocks": ({"one_arm_blocks": "drop"}, "one_arm_blocks: there are no blocks to drop; "),
    "numeric": ({"categorical": ["g"]}, "categorical[0]: 'g' is none of the covariates; "),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_mistake_is_one_sentence_that_names_the_argument(case: str) -> None:
    changes, said = MISTAKES[case]
    with pytest.raises(ValueError) as caught:
        analyse(**changes)
    message = str(caught.value)
    assert message.startswith(said), message
    assert message.endswith((".", "?")) and "\n" not in message


def test_table_that_is_none_is_named() -> None:
    for wrong in ([1, 2], {"y": [1]}, None):
        with pytest.raises(ValueError, match=r"^table: a pandas DataFrame is needed"):
            groupwise.analyse(wrong, **COLUMNS)  # type: ignore[arg-type]
    twice = draw().rename(columns={"g": "y"})
    with pytest.raises(ValueError, match=r"^table: .*several have one name"):
        analyse(twice)
    with pytest.raises(ValueError, match=r"^table: the data have a header but no rows"):
        analyse(draw().iloc[:0])


def test_fix_is_written_as_python() -> None:
    table = draw(covariates=["x"]).assign(x2=lambda t: 2 * t["x"])
    with pytest.raises(ValueError, match=r'`rank_deficient="drop"`\.$'):
        analyse(table, covariates=["x", "x2"])
    assert analyse(table, covariates=["x", "x2"], rank_deficient="drop").design["left_out"] == [
        "x2"
    ]


def test_studies_and_figures_refuse_what_makes_no_sense(result: groupwise.Analysis) -> None:
    with pytest.raises(ValueError, match=r"^name: there is no figure 'forest'; did you mean"):
        result.figure("forest")
    with pytest.raises(ValueError, match=r"^departures: there is no process 'cauchy'"):
        result.calibrate(departures=["cauchy"])
    with pytest.raises(ValueError, match=r"^draws: 9 is too little"):
        result.calibrate(draws=9)
    with pytest.raises(ValueError, match=r"^assumed_effects: 'D' is not an arm"):
        result.calibrate(assumed_effects={"D": 1})
    with pytest.raises(ValueError, match=r"^methods: 'ols_cr4' was not asked; did you mean"):
        result.plan(methods=["ols_cr4"])
    with pytest.raises(ValueError, match=r"^replicates: 10 replicates, and 20 for methods"):
        result.calibrate(replicates=10, slow_replicates=20)
    with pytest.raises(ValueError, match=r"^effect: 0 is no effect"):
        result.plan(effect=0)
    with pytest.raises(ValueError, match=r"^seed: a simulation needs it"):
        groupwise.simulate(groups_per_arm={"A": 2, "B": 2})
    with pytest.raises(
        ValueError, match=r"^sd_grup: simulations have no such setting; did you mean"
    ):
        groupwise.simulate(sd_grup=1)
