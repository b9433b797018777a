"""Advice is followed: what docs/, the schema and messages say to write is written, and leads on.

Every message that names a setting is raised here, its setting is put into config.yaml as it is
written, and the file then is read: see `test_every_setting_that_a_message_names_was_followed`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pandas as pd
import pytest
import yaml
from configuration import ConfigError, load_schema
from one_dataset import Read, advised, led_on, read_dataset_of

from groupwise.data.errors import InputError

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "workflow" / "scripts"
RNG = np.random.default_rng(5)
ROLES = {"outcome": "score", "treatment": "arm", "group": "class"}


def classes(n_groups: int = 8, size: int = 6, **columns: Any) -> pd.DataFrame:
    """Arms of whole classes."""
    c = np.repeat(np.arange(n_groups), size)
    table: dict[str, Any] = {"class": [f"c{i}" for i in c], "arm": np.where(c % 2, "new", "old")}
    table["score"] = RNG.normal(50, 9, c.size).round(1)
    return pd.DataFrame(table | columns)


def csv(folder: Path, table: pd.DataFrame, **form: Any) -> dict[str, Any]:
    """A text file of the table, and the block that describes it."""
    path = folder / "a.csv"
    path.write_text(table.to_csv(index=False, **form), encoding="utf-8")
    return block_of(path)


def workbook(folder: Path, rows: list[list[Any]]) -> dict[str, Any]:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    book.save(folder / "a.xlsx")
    return block_of(folder / "a.xlsx")


def block_of(path: Path, **settings: Any) -> dict[str, Any]:
    return {"title": "A", "file": str(path), "roles": dict(ROLES), "reference": "old"} | settings


def rows_of(table: pd.DataFrame) -> list[list[Any]]:
    return [list(table), *table.astype(object).replace({np.nan: None}).values.tolist()]


# Refusals, from the first to a table --------------------------------------------------------------


def thousands(folder: Path) -> dict[str, Any]:
    table = classes(score=[f"{1000 + i}.{i % 10}" for i in range(48)])
    return csv(folder, table.assign(score=[f"1.{i:03},{i % 10}0" for i in range(48)]), sep=";")


def units(folder: Path) -> dict[str, Any]:
    return csv(folder, classes(score=[f"{i},5 %" for i in range(48)]), sep=";")


def units_in_a_workbook(folder: Path) -> dict[str, Any]:
    return workbook(folder, rows_of(classes(score=[f"{i}.5 kg" for i in range(48)])))


def codes_in_text(folder: Path) -> dict[str, Any]:
    scores = [f"{i % 30 + 20}" for i in range(46)]
    return csv(folder, classes(score=["-99", "k.A.", *scores]))


def codes_in_a_workbook(folder: Path) -> dict[str, Any]:
    scores: list[Any] = [i % 30 + 20.5 for i in range(46)]
    return workbook(folder, rows_of(classes(score=[-99, "absent", *scores])))


def codes_in_numbers(folder: Path) -> dict[str, Any]:
    return csv(folder, classes(score=[-99, *np.arange(20, 67)]))


def yes_and_no(folder: Path) -> dict[str, Any]:
    return csv(folder, classes(score=["yes", "no", "no"] * 16))


def true_and_false(folder: Path) -> dict[str, Any]:
    return csv(folder, classes(score=[True, False, False] * 16))


def ratings(folder: Path) -> dict[str, Any]:
    return csv(folder, classes(score=["Agree", "Disagree", "Neutral", "Strongly agree"] * 12))


def labels_without_yes(folder: Path) -> dict[str, Any]:
    return csv(folder, classes(score=["heads", "tails", "tails"] * 16))


def codes_without_yes(folder: Path) -> dict[str, Any]:
    return csv(folder, classes(score=[1, 2, 2] * 16))


def three_values(folder: Path) -> dict[str, Any]:
    return csv(folder, classes(score=[1, 0, 0, 2] * 12)) | {"outcome_kind": "binary"}


def visits(folder: Path) -> dict[str, Any]:
    block = csv(folder, classes(score=[0, 4, 2, 1] * 12, days=[1, 2, 3] * 16))
    return block | {"roles": ROLES | {"exposure": "days"}}


def an_exposure_alone(folder: Path) -> dict[str, Any]:
    return visits(folder)


def nothing_at_risk(folder: Path) -> dict[str, Any]:
    block = csv(folder, classes(score=[0, 4, 2, 1] * 12, days=range(48)))
    return block | {"roles": ROLES | {"exposure": "days"}, "outcome_kind": "count"}


def parts_of_events(folder: Path) -> dict[str, Any]:
    return csv(folder, classes(score=np.arange(48) + 0.5)) | {"outcome_kind": "count"}


def a_standardized_event(folder: Path) -> dict[str, Any]:
    return csv(folder, classes(score=[1, 0, 0] * 16)) | {"outcome_as": "standardized"}


def odds_of_counts(folder: Path) -> dict[str, Any]:
    return visits(folder) | {"outcome_kind": "count", "effect_as": "odds_ratio"}


def unclear_commas(folder: Path) -> dict[str, Any]:
    return csv(folder, classes(score=["1,234", "2,345", "1,345"] * 16), sep=";")


def quoted_commas(folder: Path) -> dict[str, Any]:
    return csv(folder, classes(score=[f"{i},5" for i in range(48)]))


def a_title(folder: Path) -> dict[str, Any]:
    return workbook(folder, [["Trial XYZ, final", None, None], *rows_of(classes())])


def merged_cells(folder: Path) -> dict[str, Any]:
    table = classes()
    first = ~table["class"].duplicated()
    return workbook(folder, rows_of(table.assign(arm=table["arm"].where(first), **{
        "class": table["class"].where(first)})))  # fmt: skip


def several_sheets(folder: Path) -> dict[str, Any]:
    block = workbook(folder, rows_of(classes()))
    book = openpyxl.load_workbook(block["file"])
    book.create_sheet("Codebook")["A1"] = "score: points"
    book.save(block["file"])
    return block


def another_encoding(folder: Path) -> dict[str, Any]:
    path = folder / "a.csv"
    text = classes(ward="“Süd”").to_csv(index=False)
    path.write_bytes(text.encode("cp1252"))
    return block_of(path)


def many_lost(folder: Path) -> dict[str, Any]:
    table = classes(age=np.arange(48.0))
    table.loc[:20, "age"] = np.nan
    block = csv(folder, table)
    return block | {"roles": ROLES | {"covariates": ["age"]}}


def controls_in_no_group(folder: Path) -> dict[str, Any]:
    table = classes()
    return csv(folder, table.assign(**{"class": table["class"].where(table["arm"] == "new")}))


def a_survey_tool(folder: Path) -> dict[str, Any]:
    table = rows_of(classes())
    ids = ['{"ImportId":"QID1"}'] * 3
    rows = [table[0], ["Which class?", "Which arm?", "How many points?"], ids, *table[1:]]
    frame = pd.DataFrame(rows[1:], columns=rows[0])
    return csv(folder, frame)


def controls_in_a_group_of_that_name(folder: Path) -> dict[str, Any]:
    table = classes()
    return csv(
        folder, table.assign(**{"class": table["class"].where(table["arm"] == "new", "none")})
    )


def an_arm_of_one_group(folder: Path) -> dict[str, Any]:
    table = classes(9)
    return csv(folder, table.assign(arm=table["arm"].where(table["class"] != "c8", "third")))


def said_twice(folder: Path) -> dict[str, Any]:
    block = csv(folder, classes(age=np.arange(48), months=12 * np.arange(48)))
    return block | {"roles": ROLES | {"covariates": ["age", "months"]}}


def group_that_was_not_assigned(folder: Path) -> dict[str, Any]:
    table = classes().assign(arm=["old", "new"] * 24)
    return csv(folder, table) | {"assigned": "group"}


def individuals_that_were_not_assigned(folder: Path) -> dict[str, Any]:
    return csv(folder, classes()) | {"assigned": "individual"}


def periods_without_an_order(folder: Path) -> dict[str, Any]:
    block = a_stepped_wedge(folder)
    names = {1: "Spring", 2: "Summer", 3: "Autumn", 4: "Winter"}
    table = pd.read_csv(block["file"]).assign(season=lambda t: t["period"].map(names))
    return csv(folder, table) | {"roles": block["roles"] | {"period": "season"}}


def members_of_a_stepped_wedge(folder: Path) -> dict[str, Any]:
    return a_stepped_wedge(folder) | {"assigned": "individual"}


def a_logarithm_of_nothing(folder: Path) -> dict[str, Any]:
    return csv(folder, classes(score=np.arange(48))) | {"outcome_as": "log"}


def missing_as_an_error(folder: Path) -> dict[str, Any]:
    table = classes()
    table.loc[3, "score"] = np.nan
    return csv(folder, table) | {"missing": "error"}


def labels_of_one_name(folder: Path) -> dict[str, Any]:
    import pyreadstat

    table = classes(age=[1.0, 2.0, 3.0] * 16)
    path = folder / "a.sav"
    same = {"age": {1.0: "young", 2.0: "young", 3.0: "old"}}
    pyreadstat.write_sav(table, str(path), variable_value_labels=same)
    return block_of(path, roles=ROLES | {"covariates": ["age"]})


REFUSED: dict[Callable[[Path], dict[str, Any]], tuple[list[str], Callable[[Read], Any]]] = {
    thousands: (["`format: {thousands: "], lambda r: r.table["score"].between(1000, 1100).all()),
    units: (["`format: {units: "], lambda r: r.table["score"].max() == 47.5),
    units_in_a_workbook: (["`format: {units: "], lambda r: r.table["score"].max() == 47.5),
    codes_in_text: (["`missing_codes: "], lambda r: len(r.table) == 46),
    codes_in_a_workbook: (["`missing_codes: "], lambda r: len(r.table) == 46),
    codes_in_numbers: (["`missing_codes: "], lambda r: len(r.table) == 47),
    labels_without_yes: (["`event: "], lambda r: r.design["event"] == "tails"),
    codes_without_yes: (["`event: "], lambda r: r.design["event"] == "2"),
    three_values: (["`recode: "], lambda r: len(r.table) == 36),
    an_exposure_alone: (["`outcome_kind: count`"], lambda r: r.table["days"].max() == 3),
    nothing_at_risk: (["`where: "], lambda r: len(r.table) == 47),
    parts_of_events: (["`outcome_kind: continuous`"], lambda r: r.table["score"].max() == 47.5),
    a_standardized_event: (["`outcome_kind: "], lambda r: r.design["outcome"]["two_values"]),
    odds_of_counts: (
        ["`effect_as: ratio`"],
        lambda r: r.design["response"] == {"family": "count", "scale": "ratio"},
    ),
    ratings: (["`recode: "], lambda r: sorted(set(r.table["score"])) == [2, 3, 4, 5]),
    unclear_commas: (["`format: {decimal: "], lambda r: r.table["score"].max() == 2.345),
    quoted_commas: (["`format: {decimal: "], lambda r: r.table["score"].max() == 47.5),
    a_title: (["`format: {header: 2}`"], lambda r: len(r.table) == 48),
    merged_cells: (["`format: {fill_down: "], lambda r: len(r.table) == 48),
    several_sheets: (["`format: {sheet: Sheet}`"], lambda r: len(r.table) == 48),
    another_encoding: (["`format: {encoding: cp1252}`"], lambda r: len(r.table) == 48),
    many_lost: (["`most_dropped: "], lambda r: len(r.table) == 27 and len(r.design["alerts"]) == 1),
    controls_in_no_group: (["`ungrouped: own_group`"], lambda r: r.design["n_groups"] == 28),
    a_survey_tool: (["`format: {skip: [2, 3]}`"], lambda r: len(r.table) == 48),
    an_arm_of_one_group: (["`where: "], lambda r: list(r.design["arms"]) == ["old", "new"]),
    said_twice: (["`rank_deficient: drop`"], lambda r: r.design["left_out"] == ["months"]),
    group_that_was_not_assigned: (["`assigned: individual`"], lambda r: r.design["assigned"]),
    individuals_that_were_not_assigned: (["`assigned: group`"], lambda r: r.design["assigned"]),
    periods_without_an_order: (["`periods: "], lambda r: r.design["periods"]["n_cells"] == 48),
    members_of_a_stepped_wedge: (
        ["`period: period`", "`assigned: sequence`"],
        lambda r: r.design["unit"]["unit"] == "sequence",
    ),
    a_logarithm_of_nothing: (["`outcome_as: raw`"], lambda r: r.design["outcome"]["as"] == "raw"),
    missing_as_an_error: (["`missing: drop`"], lambda r: r.design["dropped"]),
    labels_of_one_name: (["`format: {labels: false}`"], lambda r: len(r.table) == 48),
}


@pytest.mark.parametrize("make", REFUSED, ids=[make.__name__ for make in REFUSED])
def test_doing_what_a_refusal_says_leads_to_the_table(
    tmp_path: Path, make: Callable[[Path], dict[str, Any]]
) -> None:
    named, right = REFUSED[make]
    read, said = led_on(tmp_path, make(tmp_path))
    assert len(said) == len(named), said
    assert all(setting in text for setting, text in zip(named, said, strict=True)), said
    assert right(read)


def test_two_values_that_say_yes_and_no_are_read(tmp_path: Path) -> None:
    for make in (yes_and_no, true_and_false):
        read = read_dataset_of(tmp_path, make(tmp_path))
        assert set(read.table["score"]) == {0, 1}, make.__name__
        assert read.design["event"] in ("yes", "passed", "True", "true")


SECOND: dict[Callable[[Path], dict[str, Any]], tuple[int, Callable[[Read], Any]]] = {
    codes_in_numbers: (1, lambda r: r.table["score"].min() == -99),
    unclear_commas: (1, lambda r: r.table["score"].max() == 2345),
    codes_without_yes: (2, lambda r: r.table["score"].max() == 2),
}


@pytest.mark.parametrize("make", SECOND, ids=[make.__name__ for make in SECOND])
def test_the_other_way_out_leads_on_too(
    tmp_path: Path, make: Callable[[Path], dict[str, Any]]
) -> None:
    which, right = SECOND[make]
    block = make(tmp_path)
    with pytest.raises(InputError) as caught:
        read_dataset_of(tmp_path, block)
    assert right(read_dataset_of(tmp_path, advised(block, str(caught.value), which)))


def test_members_of_no_group_may_be_in_one_by_name(tmp_path: Path) -> None:
    block = controls_in_a_group_of_that_name(tmp_path)
    with pytest.raises(InputError) as caught:
        read_dataset_of(tmp_path, block)
    read = read_dataset_of(tmp_path, advised(block, str(caught.value), 0, 1))
    assert read.design["n_groups"] == 28


def test_a_setting_is_added_to_those_that_are_given(tmp_path: Path) -> None:
    """What a message names can be written in place of what stands there."""
    block = csv(tmp_path, classes(score=[f"{i},5 %" for i in range(48)]), sep=";")
    block["format"] = {"delimiter": ";", "decimal": ","}
    with pytest.raises(InputError) as caught:
        read_dataset_of(tmp_path, block)
    (setting,) = re.findall(r"`(format: [^`]+)`", str(caught.value))
    assert yaml.safe_load(setting)["format"] == {
        "delimiter": ";", "decimal": ",", "units": {"score": "%"}
    }  # fmt: skip
    assert read_dataset_of(tmp_path, block | yaml.safe_load(setting)).table["score"].max() == 47.5


def test_a_period_takes_the_place_of_a_covariate(tmp_path: Path) -> None:
    block = a_stepped_wedge(tmp_path)
    block["roles"]["covariates"] = ["period"]
    said = " ".join(read_dataset_of(tmp_path, block).design["alerts"])
    assert "`period: period` under `roles` in place of the covariate." in said
    after = advised(block, said, 0)
    with pytest.raises(ConfigError, match=r"column 'period' already is roles\.period"):
        read_dataset_of(tmp_path, after)
    del after["roles"]["covariates"]
    assert not read_dataset_of(tmp_path, after).design["alerts"]


# Alerts and warnings, until there are none --------------------------------------------------------


def pupils_twice(folder: Path) -> dict[str, Any]:
    """Each pupil before and after."""
    table = classes().loc[lambda t: t.index.repeat(2)].reset_index(drop=True)
    table["pupil"], table["time"] = np.repeat(np.arange(48), 2), ["pre", "post"] * 48
    return csv(folder, table.assign(score=RNG.normal(50, 9, 96).round(2)))


def pupils_of_many_days(folder: Path) -> dict[str, Any]:
    table = classes().loc[lambda t: t.index.repeat(3)].reset_index(drop=True)
    table["pupil"] = np.repeat(np.arange(48), 3)
    return csv(folder, table.assign(score=RNG.normal(50, 9, 144).round(2)))


def a_stepped_wedge(folder: Path) -> dict[str, Any]:
    cluster, period = np.repeat(np.arange(12), 20), np.tile(np.repeat(np.arange(1, 5), 5), 12)
    on = np.where(period > 1 + cluster // 4, "new", "old")
    table = {"cluster": cluster, "period": period, "arm": on, "score": RNG.normal(size=240)}
    roles = ROLES | {"group": "cluster"}
    return csv(folder, pd.DataFrame(table)) | {"roles": roles}


def classes_before_and_after(folder: Path) -> dict[str, Any]:
    """Cross-sections of classes, the arm written beside rows from before the treatment too."""
    table = classes().loc[lambda t: t.index.repeat(2)].reset_index(drop=True)
    return csv(folder, table.assign(survey=["baseline", "endline"] * 48))


def patients_that_restart(folder: Path) -> dict[str, Any]:
    center, patient = np.repeat([1, 2], 80), np.tile(np.repeat(np.arange(1, 21), 4), 2)
    arm = RNG.permutation(np.repeat(["old", "new"], 20))[(center - 1) * 20 + patient - 1]
    table = {"center": center, "patient": patient, "arm": arm, "score": RNG.normal(size=160)}
    return csv(folder, pd.DataFrame(table)) | {"roles": ROLES | {"group": "patient"}}


def classes_in_schools(folder: Path) -> dict[str, Any]:
    """The school is named as the group, and its classes were assigned."""
    table = classes(16, 6, school=np.repeat(np.arange(4), 24))
    return csv(folder, table) | {"roles": ROLES | {"group": "school"}}


def a_last_row_of_means(folder: Path) -> dict[str, Any]:
    table = classes(pupil=np.arange(48))
    return workbook(folder, [*rows_of(table), ["Mean", "old", table["score"].mean(), None]])


def a_second_header(folder: Path) -> dict[str, Any]:
    table = rows_of(classes(age=np.arange(48.0)))
    return workbook(folder, [table[0], [None, None, "points", "years"], *table[1:]])


def an_arm_that_is_a_code(folder: Path) -> dict[str, Any]:
    table = classes(12)
    arm = np.where(table["class"].isin(["c10", "c11"]), -9, np.where(table["arm"] == "old", 1, 2))
    return csv(folder, table.assign(arm=arm)) | {"reference": 1}


def a_group_in_two_spellings(folder: Path) -> dict[str, Any]:
    table = classes()
    table.loc[0, "class"] = "C0"
    return csv(folder, table)


NOTICED: dict[Callable[[Path], dict[str, Any]], tuple[str, tuple[int, ...], str]] = {
    pupils_twice: ("alerts", (0, 1), "individual baseline"),
    pupils_of_many_days: ("warnings", (0,), "individual"),
    a_stepped_wedge: ("alerts", (0,), "period"),
    classes_before_and_after: ("alerts", (0, 1), "period untreated_periods"),
    patients_that_restart: ("alerts", (0,), "group"),
    classes_in_schools: ("alerts", (0, 1), "group block"),
    a_last_row_of_means: ("alerts", (0,), "format.skip_last"),
    an_arm_that_is_a_code: ("alerts", (0,), "missing_codes"),
    a_group_in_two_spellings: ("alerts", (0,), "recode"),
}


@pytest.mark.parametrize("make", NOTICED, ids=[make.__name__ for make in NOTICED])
def test_doing_what_an_alert_says_makes_an_end_of_it(
    tmp_path: Path, make: Callable[[Path], dict[str, Any]]
) -> None:
    where, which, settings = NOTICED[make]
    block = make(tmp_path)
    before = read_dataset_of(tmp_path, block).design[where]
    said = " ".join(before)
    assert re.findall(r"`(\w+): ", said)[: len(which)] == [
        name.partition(".")[0] for name in settings.split()
    ]
    after = read_dataset_of(tmp_path, advised(block, said, *which)).design
    left = {sentence for sentence in before if "`" in sentence}
    assert left and not left & {*after["alerts"], *after["warnings"]}
    assert not after["alerts"] or make is an_arm_that_is_a_code, "rows without an arm are told"


@pytest.mark.parametrize("which", [0, 1])
def test_a_second_header_is_left_out_or_made_part_of_the_names(tmp_path: Path, which: int) -> None:
    block = a_second_header(tmp_path)
    with pytest.raises(InputError) as caught:
        read_dataset_of(tmp_path, block)
    block = advised(block, str(caught.value), which)
    if which == 1:
        block["roles"] = block["roles"] | {"outcome": "score points"}
    assert len(read_dataset_of(tmp_path, block).table) == 48


def test_rows_that_were_assigned_one_by_one_are_said_to_be(tmp_path: Path) -> None:
    block = classes_in_schools(tmp_path)
    said = " ".join(read_dataset_of(tmp_path, block).design["alerts"])
    assert not read_dataset_of(tmp_path, advised(block, said, 2)).design["alerts"]


# Nothing is left out ------------------------------------------------------------------------------


WRITTEN = re.compile(r"`(?:(format): \{+)?(\w+): ")
MODULES = [
    *(PACKAGE / "raw_table").glob("*.py"),
    *(PACKAGE / "groupwise" / "data").glob("*.py"),
    PACKAGE / "groupwise" / "design.py",
]
DOCSTRING = re.compile(r'"""(?:.|\n)*?"""')


def test_every_setting_that_a_message_names_was_followed() -> None:
    named = set()
    for path in MODULES:
        for of_file, key in WRITTEN.findall(DOCSTRING.sub("", path.read_text(encoding="utf-8"))):
            named.add(f"{of_file}.{key}" if of_file else key)
    followed = {name for _, _, names in NOTICED.values() for name in names.split()}
    said = " ".join(text for texts, _ in REFUSED.values() for text in texts)
    followed |= {f"{a}.{b}" if a else b for a, b in WRITTEN.findall(said)}
    followed |= {"format.skip", "format.thousands"}  # a second header; unclear commas
    named.discard("format")  # what is looked for in a message
    assert named <= followed, named - followed


DATASET = load_schema()["$defs"]["dataset"]["properties"]
SETTINGS: dict[str, tuple[str, Callable[[Read], Any]]] = {
    "title": ("Another", lambda r: True),
    "note": ("'See [@morris2019].'", lambda r: True),
    "headline": ("ols_cr2", lambda r: True),
    "teaching": ("true", lambda r: True),
    "assumed_effects": ("{new: 3}", lambda r: True),
    "effect_to_find": ("2.5", lambda r: True),
    "family": ("two", lambda r: True),
    "share": ("false", lambda r: True),
    "subsets": ("{girls: {sex: f}}", lambda r: len(r.table) == 24),
    "where": ("{age: {min: 10}, sex: {not: m}}", lambda r: r.table["score"].size == 24),
    "recode": ("{arm: {new: better}}", lambda r: "better" in r.design["arms"]),
    "missing_codes": ("{score: [999]}", lambda r: r.design["dropped"] == {"score missing": 1}),
    "baseline": ("{time: pre}", lambda r: "score_baseline" in r.table),
    "outcome_kind": ("count", lambda r: r.design["response"]["family"] == "count"),
    "event": ("late", lambda r: (r.design["event"], r.table["score"].mean()) == ("late", 0.5)),
    "effect_as": ("odds_ratio", lambda r: r.design["response"]["scale"] == "odds_ratio"),
    "outcome_as": ("log", lambda r: r.table["score"].max() < 7),
    "categorical": ("[stage]", lambda r: str(r.table["stage"].dtype) == "category"),
    "numeric": ("[stage]", lambda r: r.table["stage"].dtype == float),
    "reference": ("new", lambda r: r.design["reference"] == "new"),
    "levels": ("[new, old]", lambda r: list(r.design["arms"]) == ["old", "new"]),
    "blocks_as": ("random", lambda r: r.design["blocks_as"] == "random"),
    "random_slopes": ("true", lambda r: r.design["random_slopes"] == "unstructured"),
    "rank_deficient": ("drop", lambda r: r.design["left_out"] == ["months"]),
    "assigned": ("group", lambda r: r.design["assigned"] == "group"),
    "periods": ("[3, 1, 2]", lambda r: r.design["periods"]["labels"] == ["3", "1", "2"]),
    "untreated_periods": ("[1]", lambda r: r.design["arms"]["new"]["n_obs"] == 16),
    "ungrouped": ("own_group", lambda r: r.design["n_groups"] == 9),
    "singletons": ("drop", lambda r: r.design["dropped"] == {"in groups of one member": 1}),
    "one_arm_blocks": ("drop", lambda r: r.design["dropped"] == {"in blocks with one arm": 6}),
    "missing": ("error", lambda r: True),
    "most_dropped": ("0", lambda r: True),
    "conf_level": ("0.9", lambda r: r.design["conf_level"] == 0.9),
}
"""Of each key of a dataset, a value as YAML, and what shows that it was understood.

Those that say nothing of the table have to be accepted; other tests read what they do.
"""
BESIDES = {"simulate", "file", "format", "roles"}
NEEDS: dict[str, Mapping[str, Any]] = {
    "baseline": {"individual": "pupil"},
    "categorical": {"covariates": ["stage"]},
    "numeric": {"covariates": ["stage"]},
    "periods": {"period": "stage"},
    "untreated_periods": {"period": "stage"},
    "rank_deficient": {"covariates": ["age", "months"]},
    "blocks_as": {"block": "school"},
    "one_arm_blocks": {"block": "school"},
}
"""The roles that a setting needs."""


KINDS = {"outcome_kind": [0, 1], "event": ["early", "late"], "effect_as": ["no", "yes"]}
"""Outcomes of which a setting can be."""


def everything(key: str) -> pd.DataFrame:
    """A table in which each setting has something to do."""
    table = classes(sex=["f", "m"] * 24, age=np.arange(10, 58), stage=["1", "2", "3"] * 16)
    table["months"], table["school"] = 12 * table["age"], np.repeat(["n", "s"], 24)
    if key in KINDS:
        table["score"] = KINDS[key] * 24
    if key == "missing_codes":
        table.loc[0, "score"] = 999
    if key == "baseline":
        table = table.loc[lambda t: t.index.repeat(2)].reset_index(drop=True)
        table["pupil"], table["time"] = np.repeat(np.arange(48), 2), ["pre", "post"] * 48
    if key == "random_slopes":
        table["arm"] = ["old", "new"] * 24
    if key in ("ungrouped", "singletons"):
        table.loc[48] = table.loc[47]
        table.loc[48, "class"] = None if key == "ungrouped" else "alone"
    if key == "one_arm_blocks":
        table.loc[42:, "school"] = "alone"
    return table


def test_each_key_of_a_dataset_is_tried_here() -> None:
    assert set(SETTINGS) == set(DATASET) - BESIDES


@pytest.mark.parametrize("key", SETTINGS)
def test_each_key_of_a_dataset_does_what_it_says(tmp_path: Path, key: str) -> None:
    written, right = SETTINGS[key]
    block = csv(tmp_path, everything(key)) | {key: yaml.safe_load(written)}
    block["roles"] = block["roles"] | NEEDS.get(key, {})
    assert right(read_dataset_of(tmp_path, block))


ROLES_TRIED: dict[str, tuple[Any, Callable[[Read], Any]]] = {
    "outcome": ("age", lambda r: r.table["age"].max() == 57),
    "treatment": ("sex", lambda r: list(r.design["arms"]) == ["f", "m"]),
    "group": (["school", "class"], lambda r: r.design["n_groups"] == 8),
    "block": (["school"], lambda r: r.design["n_blocks"] == 2),
    "second_group": (["school", "stage"], lambda r: r.design["second_group"]["n_levels"] == 6),
    "period": ("stage", lambda r: r.design["periods"]["labels"] == ["1", "2", "3"]),
    "individual": ("age", lambda r: r.design["n_individuals"] == 48),
    "exposure": ("age", lambda r: r.table["age"].dtype == float),
    "covariates": (["age"], lambda r: "age" in r.table),
}


@pytest.mark.parametrize("role", load_schema()["$defs"]["roles"]["properties"])
def test_each_role_does_what_it_says(tmp_path: Path, role: str) -> None:
    columns, right = ROLES_TRIED[role]
    block = csv(tmp_path, everything(role))
    block["roles"] = block["roles"] | {role: columns}
    if role == "exposure":
        block["outcome_kind"] = "count"
        block["roles"]["outcome"] = "months"
    block["reference"] = "f" if role == "treatment" else "old"
    assert right(read_dataset_of(tmp_path, block))


# docs/data.md -------------------------------------------------------------------------------------


def shown(start: str, end: str) -> list[dict[str, Any]]:
    """The settings that docs/data.md shows between two texts, each with its lines."""
    text = (ROOT / "docs" / "data.md").read_text(encoding="utf-8")
    part = text[text.index(start) : text.index(end)]
    entries = re.findall(r"^ {8}\w+:.*\n(?: {9,}.*\n)*", part, flags=re.MULTILINE)
    return [yaml.safe_load(entry) for entry in entries]


FORMS = shown("`format` in its block says", "The report states what was understood")
SHOWN = shown("The report states what was understood", "Several outcomes or subsets make")


def clinics(setting: Mapping[str, Any]) -> pd.DataFrame:
    """Patients of clinics with every column that docs/data.md names."""
    table = classes(12, 10).rename(columns={"class": "clinic", "score": "pressure"})
    n, c = len(table), np.repeat(np.arange(12), 10)
    table["arm"] = np.where(c % 2, 1, 2)
    table = table.assign(
        year=2018 + c % 4, ward=["ICU", "A", "B", "A", "B"] * 24, region=c // 4, nurse=c % 5,
        systolic=table["pressure"], diastolic=table["pressure"] / 2, age=RNG.integers(20, 80, n),
        stage=[1, 2, 3] * 40, month=["spring", "summer", "autumn"] * 40, sex=["f", "m"] * 60,
        patient=np.tile(np.repeat(np.arange(1, 31), 2), 2), visit=[0, 1] * 60, center=c // 6,
    )  # fmt: skip
    if "recode" in setting:
        table.loc[c > 9, "arm"] = 9
    if "missing_codes" in setting:
        table["pressure"] = table["pressure"].astype(object)
        table.loc[[0, 1], "pressure"] = [-99, "absent"]
    if setting.keys() & {"outcome_kind", "event", "effect_as"}:
        table["pressure"] = ["infected", "healthy", "healthy"] * 40
    if "random_slopes" in setting:
        table["arm"] = [1, 2] * 60
    if "ungrouped" in setting:
        table["clinic"] = table["clinic"].where(table["arm"] == 1)
    if "group" in setting.get("roles", {}) and isinstance(setting["roles"]["group"], list):
        table["arm"] = np.where(table["patient"] % 2, 1, 2)
    return table


def test_readme_shows_every_kind_of_setting() -> None:
    assert len(SHOWN) == 21 and [*FORMS[0]] == ["format"]


@pytest.mark.parametrize(
    "setting", SHOWN, ids=[f"{i}: {next(iter(s))}" for i, s in enumerate(SHOWN)]
)
def test_what_readme_shows_is_read(tmp_path: Path, setting: dict[str, Any]) -> None:
    block = csv(tmp_path, clinics(setting)) | {"reference": 1}
    block["roles"] = {"outcome": "pressure", "treatment": "arm", "group": "clinic"}
    if "categorical" in setting:
        block["roles"]["covariates"] = ["stage"]
    if {"periods", "untreated_periods"} & {*setting}:
        block["roles"]["period"] = "month"
    if "baseline" in setting:
        block["roles"]["individual"] = ["center", "patient"]
    block |= setting
    if "period" in block["roles"]:
        block["periods"] = ["spring", "summer", "autumn"]  # shown below the role
    if "levels" in setting:
        block["reference"] = "usual care"
    read = read_dataset_of(tmp_path, block)
    assert read.design["n_obs"] == len(read.table) > 0
    assert read.table.shape[0] >= 24


def test_format_as_readme_shows_it_is_read(tmp_path: Path) -> None:
    (form,) = FORMS
    wards = [f"{['w0', '', 'w1', '', 'w2', '', 'w3', ''][i % 8]}" for i in range(16)]
    rows = ["A trial;;;;", "ward;arm;score;share;weight", ";;(points);;", "-;-;-;-;-"]
    for i, ward in enumerate(wards):
        arm = "" if not ward else ["old", "new"][i // 2 % 2]
        rows.append(f"{ward};{arm};1.{700 + i},5;{10 + i},6 %;{50 + i % 5} kg")
    rows += ["Mean;;1.708,0;;", "* all wards;;;;"]
    (tmp_path / "a.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    block = block_of(tmp_path / "a.csv", format=form["format"])
    block["roles"] = {
        "outcome": "score (points)",
        "treatment": "arm",
        "group": "ward",
        "covariates": ["share", "weight"],
    }
    read = read_dataset_of(tmp_path, block)
    assert read.design["n_obs"] == 16 and read.design["n_groups"] == 4
    assert read.table["score (points)"].min() == 1700.5 and read.table["share"].max() == 25.6
