"""The checks of the configuration; tests/workflow has the sentences a user reads."""

from __future__ import annotations

import copy
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from checksums import listed_sum, read_sums
from configuration import (
    ConfigError,
    check_configuration,
    check_file,
    dotted,
    expand_datasets,
    file_with,
    from_here,
    modules,
)
from settings import Settings

TINY = Path(__file__).parents[1] / "config" / "tiny.yaml"
CONFIG = yaml.safe_load(TINY.read_text(encoding="utf-8"))


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory of a run, with the tiny dataset's file."""
    (tmp_path / "data" / "raw").mkdir(parents=True)
    (tmp_path / "data" / "raw" / "tiny.csv").touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def changed(dataset: str, **values: Any) -> dict[str, Any]:
    """The tiny configuration with other values in one block; None takes a key out."""
    config = copy.deepcopy(CONFIG)
    block = config["datasets"][dataset] | values
    config["datasets"][dataset] = {k: v for k, v in block.items() if v is not None}
    return config


def simulated(**values: Any) -> dict[str, Any]:
    """The tiny configuration with other values in its `simulate` block."""
    return changed("drawn", simulate=CONFIG["datasets"]["drawn"]["simulate"] | values)


PERIODS: dict[str, Any] = {
    "seed": 1,
    "sequences": [
        {"arms": ["control", "treated", "treated"], "groups": 3},
        {"arms": ["control", "-", "treated"], "groups": 2},
        {"arms": ["control", "control", "control"], "groups": 2},
    ],
    "group_size": 4,
    "mean": 50,
    "effects": {"treated": 4},
    "sd_group": 3,
    "sd_residual": 6,
}
TIMED = CONFIG["datasets"]["drawn"]["roles"] | {"period": "month"}


def in_periods(roles: dict[str, Any] = TIMED, **values: Any) -> dict[str, Any]:
    """The tiny configuration with a simulation of sequences; None takes a key out."""
    recipe = {k: v for k, v in (PERIODS | values).items() if v is not None}
    return changed("drawn", simulate=recipe, roles=roles)


EVENTS = {"seed": 1, "groups_per_arm": {"control": 3, "treated": 3}, "group_size": 5}
RATES = {
    "rates": {"control": 0.3, "treated": 0.6},
    "icc": 0.1,
    "exposure": {"min": 2, "max": 4},
}
AT_RISK = CONFIG["datasets"]["drawn"]["roles"] | {"exposure": "days"}


def of_events(recipe: dict[str, Any], **values: Any) -> dict[str, Any]:
    """The tiny configuration with a simulation of events."""
    return changed("drawn", simulate=EVENTS | recipe, **values)


@pytest.mark.parametrize(
    ("recipe", "values", "effect"),
    [
        ({"risks": {"control": 0.4, "treated": 0.2}, "icc": 0.1}, {}, -0.2),
        ({"risks": {"control": 0.4, "treated": 0.2}, "icc": 0.1}, {"effect_as": "ratio"}, 0.5),
        (RATES, {"outcome_kind": "count", "roles": AT_RISK}, 2.0),
    ],
)
def test_true_effects_of_events_are_on_the_scale_of_effects(
    recipe: dict[str, Any], values: dict[str, Any], effect: float
) -> None:
    config = of_events(recipe, **values)
    config["calibration"] = {}
    settings = Settings(config, []).calibration(SimpleNamespace(dataset="drawn"))
    assert settings["effects"] == {"treated": pytest.approx(effect)}


def test_a_setting_of_a_dataset_is_looked_up_by_its_keys_with_a_default_if_one_is_given() -> None:
    settings = Settings({"datasets": {"drawn": {"title": "T", "simulate": {"seed": 3}}}}, [])
    drawn, index = (SimpleNamespace(dataset=name) for name in ("drawn", "index"))
    assert settings.value("title")(drawn) == "T"
    assert settings.value("simulate", "seed", default=None)(drawn) == 3
    assert settings.value("simulate", "seed", default=None)(index) is None
    assert settings.value("note", default="")(drawn) == ""
    with pytest.raises(KeyError):
        settings.value("title")(index)


def sentence_for(config: Any) -> str:
    """What is said of a configuration, written to config.yaml."""
    Path("config.yaml").write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        check_configuration(config, ["config.yaml"])
    return str(caught.value)


@pytest.mark.parametrize(
    "config",
    [
        CONFIG,
        changed("measured", levels=["treated", "control"]),
        changed("measured", levels={0: "control", "1": "treated"}),
        changed("measured", levels={0.5: "control", True: "2"}, reference=2.0),
        changed("measured", levels={"a": "control", "b": "treated"}, missing="error"),
        changed("drawn", levels=["control", "treated"]),
        simulated(group_size=[4, 5, 6, 7, 8, 9]),
        simulated(group_size={"min": 4, "max": 4}),
        simulated(effects={}, sd_group=0, decimals=0),
        simulated(sd_residual={"control": 5, "treated": 6.5}),
        simulated(noise={"distribution": "t", "df": 3}),
        of_events({"risks": {"control": 0.3, "treated": 0.2}, "sd_group": 0.5}),
        of_events({"risks": {"control": 0.3, "treated": 0.2}, "icc": 0.05}, effect_as="odds_ratio"),
        of_events(RATES, roles=AT_RISK, outcome_kind="count"),
        in_periods(),
        in_periods(cac=0.8, decay=True, trend=0.5, group_size=[3, 4, 5, 6, 7, 8, 9]),
        in_periods(trend=[0, 1, 1], sd_individual=0, cohort=False),
        in_periods(TIMED | {"individual": "patient"}, cac=0, cohort=True, sd_individual=4),
        changed("drawn", roles=TIMED | {"period": None, "individual": "class"}),
        changed(
            "drawn",
            simulate=CONFIG["datasets"]["drawn"]["simulate"]
            | {"group_covariate": {"name": "size", "slope": 0.5}},
            roles={"outcome": "y", "treatment": "t", "group": "g", "covariates": ["size"]},
        ),
        changed(
            "measured",
            roles={"outcome": "y", "treatment": "t", "group": "g", "block": None, "covariates": []},
        ),
    ],
)
def test_right_configuration_passes(config: dict[str, Any]) -> None:
    Path("config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    check_configuration(config, ["config.yaml"])


@pytest.mark.parametrize(
    ("config", "key"),
    [
        ({}, "datasets"),
        ({"datasets": None}, "datasets"),
        ({"datasets": "data/raw/tiny.csv"}, "datasets"),
        ({"datasets": {"a": None}}, "datasets.a"),
        ({"datasets": {"a b": {}}}, "datasets.a b"),
        ({"datasets": {"": {}}}, "datasets."),
        ({"datasets": {2: {}}}, "datasets.2"),
        (changed("measured", reference=None), "datasets.measured.reference"),
        (changed("measured", reference=["control"]), "datasets.measured.reference"),
        (changed("measured", reference={"control": 1}), "datasets.measured.reference"),
        (changed("measured", levels=["control"]), "datasets.measured.levels"),
        (changed("measured", levels=[]), "datasets.measured.levels"),
        (changed("measured", levels="control"), "datasets.measured.levels"),
        (changed("measured", levels=["a", ["b"]]), "datasets.measured.levels[1]"),
        (changed("measured", levels={1: "a", 2: 3}), "datasets.measured.levels[2]"),
        (CONFIG | {"verdict": {"allowance": 0.03, "tolerance": 0.03}}, "verdict.tolerance"),
        (CONFIG | {"verdict": {"allowance": 0.03}}, "verdict.tolerance"),
        (CONFIG | {"verdict": {"tolerance": 0.005}}, "verdict.tolerance"),
        (changed("measured", conf_level=1), "datasets.measured.conf_level"),
        (changed("measured", conf_level="0,95"), "datasets.measured.conf_level"),
        (changed("measured", file=7), "datasets.measured.file"),
        (changed("measured", file=""), "datasets.measured.file"),
        (changed("measured", missing="ignore"), "datasets.measured.missing"),
        (changed("drawn", levels=["control", "new"]), "datasets.drawn.levels"),
        (simulated(groups_per_arm={"control": 3}), "datasets.drawn.simulate.groups_per_arm"),
        (simulated(seed=-1), "datasets.drawn.simulate.seed"),
        (simulated(seed=1.5), "datasets.drawn.simulate.seed"),
        (simulated(seed=True), "datasets.drawn.simulate.seed"),
        (simulated(sd_residual=0), "datasets.drawn.simulate.sd_residual"),
        (simulated(sd_residual={"control": -1}), "datasets.drawn.simulate.sd_residual.control"),
        (simulated(sd_residual={"control": 1}), "datasets.drawn.simulate.sd_residual"),
        (simulated(noise={"distribution": "tt"}), "datasets.drawn.simulate.noise.distribution"),
        (
            simulated(noise={"distribution": "t", "df": 2}),
            "datasets.drawn.simulate.noise.df",
        ),
        (simulated(effects={"control": 1, "new": 2}), "datasets.drawn.simulate.effects"),
        (
            simulated(individual_covariate={"name": "arm", "slope": 1}),
            "datasets.drawn.simulate.individual_covariate.name",
        ),
    ],
)
def test_mistake_names_file_and_key(config: dict[str, Any], key: str) -> None:
    said = sentence_for(config)
    assert said.startswith(f"config.yaml: {key}: ")
    assert said.endswith((".", "?"))
    assert "; " in said
    assert "\n" not in said


IN_PERIODS: list[tuple[dict[str, Any], str]] = [
    (
        in_periods(sequences=None),
        "simulate.groups_per_arm: nothing says how many groups there are in each arm; add the key, "
        "or `sequences` if arms change from period to period.",
    ),
    (
        in_periods(groups_per_arm={"control": 3, "treated": 3}),
        "simulate.sequences: `groups_per_arm` says already which groups there are; remove one of "
        "the two.",
    ),
    (
        simulated(cac=0.5),
        "simulate.cac: it is for periods, and this simulation has none; remove it, or describe "
        "`sequences`.",
    ),
    (
        in_periods(sequences=[]),
        "simulate.sequences: it has no value; this key holds: in place of `groups_per_arm`, the "
        "arms that groups go through from period to period (1, 2, ...), a list of mappings with "
        '`arms`, a list of one for each period, `"-"` where a group is not measured, and '
        "`groups`, how many go through them; `group_size` and `sd_group` are then of a group in one "
        "period.",
    ),
    (
        in_periods(sequences=[{"arms": ["control", "treated"], "group": 4}]),
        "simulate.sequences[0].group: unknown key; did you mean 'groups'?",
    ),
    (
        in_periods(sequences=[{"arms": ["control", "treated"]}]),
        "simulate.sequences[0].groups: this key is missing; add it: how many groups go through "
        "these arms, a whole number, 1 or more.",
    ),
    (
        in_periods(sequences=[{"arms": ["control", False], "groups": 4}]),
        "simulate.sequences[0].arms[1]: YAML reads false as false, not as a text; put it in "
        "quotes: 'false'.",
    ),
    (
        in_periods(sequences=[{"arms": ["control"], "groups": 4}]),
        "simulate.sequences[0].arms: a list does not fit; this key holds: the arm in each of two "
        'periods or more, a list, with "-" where a group is not measured.',
    ),
    (
        in_periods(sequences=[{"arms": ["control", "treated"], "groups": 0}]),
        "simulate.sequences[0].groups: 0 does not fit; this key holds: how many groups go through "
        "these arms, a whole number, 1 or more.",
    ),
    (
        in_periods(sequences=[*PERIODS["sequences"], {"arms": ["control"] * 2, "groups": 4}]),
        "simulate.sequences[3].arms: it has 2 periods, and the first has 3; list one arm for each "
        "period, '-' where a group is not measured.",
    ),
    (
        in_periods(sequences=PERIODS["sequences"][:1]),
        "simulate.sequences: no period holds two arms, so that effects cannot be told from changes "
        "over time; let some groups be in another arm at the same time.",
    ),
    (in_periods(cac=1.5), "simulate.cac: 1.5 does not fit; this key holds: cluster autocorr"),
    (in_periods(decay="no"), "simulate.decay: 'no' does not fit; this key holds: whether corr"),
    (
        in_periods(decay=True),
        "simulate.decay: nothing decays while `cac` is 1, as it is if left out; give `cac` too, or "
        "remove the key.",
    ),
    (in_periods(trend="up"), "simulate.trend: 'up' does not fit; this key holds: what is added"),
    (
        in_periods(trend=[0, 1]),
        "simulate.trend: 2 numbers are listed for 3 periods; list one number for each period, or "
        "give one, the rise from period to period.",
    ),
    (in_periods(cohort=1), "simulate.cohort: 1 does not fit; this key holds: whether the same"),
    (in_periods(sd_individual=-1), "simulate.sd_individual: -1 does not fit; this key holds: "),
    (
        in_periods(sd_individual=4),
        "simulate.sd_individual: every individual is measured once, so that nothing of individuals "
        "lasts; make a `cohort`, or remove the key.",
    ),
    (
        in_periods(TIMED | {"period": None}),
        "roles.period: the simulation has periods, and no column is named for them; name one as "
        "`period` under `roles`.",
    ),
    (
        changed("drawn", roles=TIMED),
        "roles.period: the simulation has no periods; remove the role, or describe "
        "`simulate.sequences`.",
    ),
    (
        in_periods(cohort=True),
        "roles.individual: the individuals of a cohort need a column of their own; name one as "
        "`individual` under `roles`.",
    ),
    (
        in_periods(TIMED | {"individual": "class"}, cohort=True),
        "roles.individual: the individuals of a cohort need a column of their own; name one as "
        "`individual` under `roles`.",
    ),
    (
        in_periods(TIMED | {"individual": "patient"}),
        "roles.individual: the simulation measures each individual once; remove the role, or make "
        "a cohort by `simulate.sequences` and `simulate.cohort`.",
    ),
    (
        in_periods(TIMED | {"period": "class"}),
        "roles.period: column 'class' already is roles.group; give each role a column of its own.",
    ),
    (
        in_periods(effects={"treatd": 1}),
        "simulate.effects: 'treatd' is not an arm of the sequences; did you mean 'treated'?",
    ),
    (
        in_periods(effects={"-": 1}),
        "simulate.effects: '-' is not an arm of the sequences; there are: control, treated.",
    ),
    (
        in_periods(sd_residual={"control": 6}),
        "simulate.sd_residual: it has no value for the arm 'treated'; add one.",
    ),
    (
        in_periods(group_size=[4, 5]),
        "simulate.group_size: 2 sizes are listed for 7 groups; list one size per group, or give "
        "one size for all.",
    ),
]


@pytest.mark.parametrize(("config", "says"), IN_PERIODS)
def test_mistake_in_sequences_is_one_sentence(config: dict[str, Any], says: str) -> None:
    said = sentence_for(config)
    assert said.startswith(f"config.yaml: datasets.drawn.{says}"), said
    assert said == f"config.yaml: datasets.drawn.{says}" or "this key holds" in says


def test_first_mistake_is_the_outermost() -> None:
    config = simulated(seed="one") | {"headlin": "mixed_wald"}
    assert sentence_for(config).startswith("config.yaml: headlin: unknown key")


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("no", "false"),
        ("off", "false"),
        ("Yes", "true"),
        ("false", None),
        ("True", None),
        ("1", None),
        ("007", "a number"),
        ("0x1F", "a number"),
        ("1_000", "a number"),
        ("12:30", "a number"),
        ("1e3", None),
        ("1.50", None),
        ("-99.0", None),
        ("2026-01-31", "a date"),
    ],
)
def test_label_is_quoted_as_it_is_written(text: str, read: str | None) -> None:
    written = TINY.read_text(encoding="utf-8").replace("reference: control", f"reference: {text}")
    Path("config.yaml").write_text(written, encoding="utf-8")
    config = yaml.safe_load(written)
    del config["datasets"]["drawn"]
    if read is None:
        check_configuration(config, ["config.yaml"])
        return
    with pytest.raises(ConfigError) as caught:
        check_configuration(config, ["config.yaml"])
    said = f"YAML reads {text} as {read}, not as a text; put it in quotes: '{text}'."
    assert str(caught.value) == f"config.yaml: datasets.measured.reference: {said}"


@pytest.mark.parametrize("merge", ["<<: *one", "<<: [*one]"])
def test_label_that_comes_by_a_merge_is_found(merge: str) -> None:
    text = (
        "datasets:\n"
        "  one: &one\n"
        "    {title: One, file: data/raw/tiny.csv, reference: 0x1F,\n"
        "     roles: {outcome: y, treatment: t, group: g}}\n"
        f"  two: {{{merge}, title: Two}}\n"
    )
    Path("config.yaml").write_text(text, encoding="utf-8")
    config = yaml.safe_load(text)
    del config["datasets"]["one"]
    with pytest.raises(ConfigError, match=r"two\.reference: YAML reads 0x1F as a number"):
        check_configuration(config, ["config.yaml"])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "config.yaml: the file is empty; "),
        ("# nothing\n", "config.yaml: the file is empty; "),
        ("text\n", "config.yaml: the file holds no keys; "),
        ("a: 1\nb: 2\na: 3\n", "config.yaml: a: the key appears twice (again in line 3); "),
        ("a: {b: 1, c: {d: 1, d: 2}}\n", "config.yaml: a.c.d: the key appears twice "),
        ("a:\n\tb: 1\n", "config.yaml: line 2: a tab stands where YAML wants spaces; "),
        ("a: b: c\n", "config.yaml: line 1: a colon stands where none can be; "),
        ("a: *b\n", "config.yaml: line 1: found undefined alias 'b'; "),
        ("a: [1, 2\n", "config.yaml: line 2: this is not valid YAML "),
        ("a: 'b\n", "config.yaml: line 2: this is not valid YAML "),
        ("a: %b\n", "config.yaml: line 1: this is not valid YAML "),
    ],
)
def test_file_that_is_no_configuration(text: str, says: str) -> None:
    Path("config.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        check_file("config.yaml")
    assert str(caught.value).startswith(says)


def test_file_that_is_not_there() -> None:
    with pytest.raises(ConfigError, match="there is no such configuration file"):
        check_file("config.yaml")


def test_file_that_holds_the_key_is_named() -> None:
    Path("one.yaml").write_text("datasets: {a: {title: A}, b: {title: B}}\n", encoding="utf-8")
    Path("two.yaml").write_text("datasets: {b: {title: C}}\n", encoding="utf-8")
    files = ["one.yaml", "two.yaml"]
    assert file_with(("datasets", "a", "title"), files) == "one.yaml"
    assert file_with(("datasets", "b", "title"), files) == "two.yaml"
    assert file_with(("datasets", "b", "file"), files) == "two.yaml"
    assert file_with(("headline",), files) == "two.yaml"


def test_key_is_written_with_dots_and_places() -> None:
    assert dotted(("datasets", "a", "levels", 0)) == "datasets.a.levels[0]"
    assert dotted(()) == ""


def test_modules_are_named_by_their_files(folder: Path) -> None:
    for name in ("__init__.py", "b.py", "a.py", "style.py", "notes.txt"):
        (folder / name).touch()
    assert modules(folder, besides=["style"]) == ["a", "b"]


def test_sums_are_read_as_sha256sum_writes_them(folder: Path) -> None:
    one, two = "a1" * 32, "B2" * 32
    (folder / "SUMS").write_text(f"{one}  a file.csv\n\n{two} *./b.csv\n", encoding="utf-8")
    assert read_sums("SUMS") == {"a file.csv": one, "b.csv": two.lower()}


def test_sum_is_that_of_a_path_not_of_a_name(folder: Path) -> None:
    lines = [f"{'1' * 64}  a.csv", f"{'2' * 64}  sub/a.csv", f"{'3' * 64}  ./data/b.csv"]
    for file in ("data/a.csv", "data/b.csv", "data/sub/a.csv", "a.csv", "sub/a.csv", "b.csv"):
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).touch()
    (folder / "data" / "SUMS").write_text("\n".join(lines), encoding="utf-8")
    sums = read_sums("data/SUMS")
    for raw in ("data/a.csv", folder / "data" / "a.csv", "data/sub/../a.csv"):
        assert listed_sum(raw, "data/SUMS", sums) == "1" * 64
    assert listed_sum("data/sub/a.csv", "data/SUMS", sums) == "2" * 64
    assert listed_sum("data/b.csv", "data/SUMS", sums) == "3" * 64, "from the project's folder"
    for elsewhere in ("a.csv", "sub/a.csv", "b.csv", "/elsewhere/data/a.csv"):
        assert listed_sum(elsewhere, "data/SUMS", sums) is None


@pytest.mark.parametrize("line", ["tiny.csv", "12ab  tiny.csv", "a1" * 32])
def test_line_that_is_no_sum_is_named(folder: Path, line: str) -> None:
    (folder / "SUMS").write_text(f"\n{line}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"^SUMS: line 2: this is no sum"):
        read_sums("SUMS")


def test_path_is_shown_from_the_working_directory(folder: Path) -> None:
    assert from_here(folder / "more.yaml") == "more.yaml"
    assert from_here("config.yaml") == "config.yaml"
    assert from_here("/elsewhere/config.yaml") == "/elsewhere/config.yaml"


# Several outcomes or subsets of one file ------------------------------------------------------------

SEVERAL = {
    "title": "A trial",
    "file": "data/raw/tiny.csv",
    "roles": {"outcome": ["score", "mood (1-5)"], "treatment": "arm", "group": "class"},
    "subsets": {"girls": {"sex": "f"}, "old": {"age": {"min": 7}}},
    "where": {"grade": "K"},
    "reference": "control",
}


def test_outcomes_times_subsets_are_datasets_of_one_family() -> None:
    found = expand_datasets({"trial": SEVERAL})
    assert list(found) == [
        "trial_score_girls",
        "trial_score_old",
        "trial_mood_1_5_girls",
        "trial_mood_1_5_old",
    ]
    one = found["trial_mood_1_5_old"]
    assert one["title"] == "A trial, mood (1-5), old" and one["family"] == "trial"
    assert one["roles"]["outcome"] == "mood (1-5)" and "subsets" not in one
    assert one["where"] == {"grade": "K", "age": {"min": 7}}
    check_configuration({"datasets": {"trial": SEVERAL}}, [])


def test_a_dataset_of_one_outcome_stays_as_it_is() -> None:
    assert expand_datasets(CONFIG["datasets"]) == CONFIG["datasets"]
    one = expand_datasets({"t": SEVERAL | {"subsets": {"all": {}}, "family": "mine"}})
    assert {block["family"] for block in one.values()} == {"mine"}


def test_names_made_from_outcomes_do_not_clash() -> None:
    listed = SEVERAL["roles"] | {"outcome": ["a b", "a-b"]}  # type: ignore[operator]
    clash = {"trial": {k: v for k, v in SEVERAL.items() if k != "subsets"} | {"roles": listed}}
    said = sentence_for({"datasets": clash})
    assert said.startswith("config.yaml: datasets.trial: its dataset 'trial_a_b' clashes")


def test_weights_are_refused_in_words() -> None:
    said = sentence_for(
        changed("measured", roles=CONFIG["datasets"]["measured"]["roles"] | {"weights": "w"})
    )
    assert said.startswith(
        "config.yaml: datasets.measured.roles.weights: individuals cannot be weighted"
    )
    assert sentence_for(changed("measured", weight="w")).startswith(
        "config.yaml: datasets.measured.weight: individuals cannot be weighted"
    )


def test_relative_paths_stay_in_the_project() -> None:
    said = sentence_for(changed("measured", file="../secret.csv"))
    assert "may lead out of the project's folder" in said and "absolute path" in said


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"where": {"age": {"least": 3}}}, "datasets.measured.where.age.least: unknown key"),
        ({"where": {"age": []}}, "datasets.measured.where.age: it has no value"),
        ({"where": {"age": None}}, "datasets.measured.where.age"),
        ({"missing_codes": "absent"}, "datasets.measured.missing_codes: 'absent' does not fit"),
        ({"missing_codes": {"age": -99}}, "datasets.measured.missing_codes.age: -99 does not fit"),
        ({"most_dropped": 30}, "datasets.measured.most_dropped: 30 does not fit"),
        ({"assigned": "groups"}, "datasets.measured.assigned: 'groups' is not one of the choices"),
        ({"ungrouped": "keep"}, "datasets.measured.ungrouped: 'keep' is not one of the choices"),
        (
            {"baseline": {"age": 1}},
            "datasets.measured.baseline: nothing says which rows are of one",
        ),
        ({"recode": {"arm": {"a": [1]}}}, "datasets.measured.recode.arm.a: a list does not fit"),
        ({"random_slopes": "yes please"}, "datasets.measured.random_slopes: 'yes please' is not"),
        ({"outcome_as": "logg"}, "datasets.measured.outcome_as: 'logg' is not one of the choices"),
        ({"singletons": "remove"}, "datasets.measured.singletons: 'remove' is not one of"),
    ],
)
def test_mistakes_in_what_is_declared_of_the_rows(values: dict[str, Any], said: str) -> None:
    assert sentence_for(changed("measured", **values)).startswith(f"config.yaml: {said}")


def test_mistakes_in_resampling() -> None:
    said = sentence_for(CONFIG | {"resampling": {"bootstrap_draws": 10}})
    assert said.startswith("config.yaml: resampling.bootstrap_draws: 10 does not fit")
