"""What is said of a file: its columns, what nests in what, guessed roles, and a valid draft."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from configuration import check_configuration
from describe_file import describe, mapping, run
from hypothesis import given, settings
from hypothesis import strategies as st

from groupwise.data.drafting import WHICH
from groupwise.data.guess import Guess, covariates, guess_layout, guess_reference
from groupwise.data.ingest import ingest
from groupwise.data.names import plain_name
from groupwise.data.outcomes import measured_before
from groupwise.data.profile import constant_within, groupings, nesting, profile
from groupwise.data.structure import Key, Structure
from groupwise.data.validate import Roles

ROOT = Path(__file__).parents[2]
FORMATS = Path(__file__).parent / "fixtures" / "formats"
STAR = ROOT / "data" / "raw" / "star_kindergarten.csv"


@st.composite
def tables(draw: st.DrawFn, missing: bool = False) -> pd.DataFrame:
    """Up to six columns of few levels, some made from others, so that things nest."""
    n = draw(st.integers(1, 30))
    seed = draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    columns = [rng.integers(0, draw(st.integers(1, 8)), n).astype(float)]
    for _ in range(draw(st.integers(0, 5))):
        base = columns[draw(st.integers(0, len(columns) - 1))]
        how = draw(st.sampled_from(["new", "coarser", "finer", "same"]))
        columns.append(
            {
                "new": rng.integers(0, 5, n).astype(float),
                "coarser": base // 2,
                "finer": base * 10 + rng.integers(0, 3, n),
                "same": 7 - base,
            }[how]
        )
    table = pd.DataFrame({f"c{i}": column for i, column in enumerate(columns)})
    return table.mask(rng.random(table.shape) < 0.2) if missing else table


def brute(table: pd.DataFrame, outer: str, inner: str) -> bool:
    known = table[[outer, inner]].dropna()
    return all(len(set(values)) == 1 for _, values in known.groupby(outer)[inner])


# Nesting ------------------------------------------------------------------------------------------


@given(tables(missing=True))
def test_constant_within_is_what_a_count_by_level_says(table: pd.DataFrame) -> None:
    found = constant_within(table, list(table))
    for outer in table:
        for inner in set(table) - {outer}:
            fewer = table[inner].nunique() <= table[outer].nunique()
            assert (inner in found[outer]) == (brute(table, outer, inner) and fewer)


@given(tables())
def test_nesting_is_a_preorder(table: pd.DataFrame) -> None:
    found = constant_within(table, list(table))
    for a in found:
        for b in found[a]:
            assert found[b] <= found[a] | {a}, "transitive"
            if a in found[b]:
                assert (
                    len(table.drop_duplicates([a, b])) == table[a].nunique() == table[b].nunique()
                )


@given(tables())
def test_short_list_says_all_of_it_and_nothing_twice(table: pd.DataFrame) -> None:
    found = constant_within(table, list(table))
    lines = nesting(found)
    edges = {(a, b) for same, inner in lines for a in same for b in [*same, *inner] if a != b}
    closed = set(edges)
    while more := {(a, d) for a, b in closed for c, d in closed if b == c and a != d} - closed:
        closed |= more
    assert closed == {(a, b) for a in found for b in found[a]}
    for same, inner in lines:
        rest = edges - {(a, b) for a in same for b in inner}
        assert len(inner) == len(set(inner))
        for b in inner:
            assert not any((c, b) in rest for c in inner), "said already by way of another"


def test_what_differs_late_in_a_long_table_is_seen() -> None:
    table = pd.DataFrame({"g": np.arange(60_000) // 100})
    table["arm"] = table["g"] % 2
    assert "arm" in constant_within(table, ["g", "arm"])["g"]
    table.loc[59_999, "arm"] = 0
    assert "arm" not in constant_within(table, ["g", "arm"])["g"]


def test_profile_counts_what_a_reader_wants_to_know() -> None:
    table = pd.DataFrame(
        {
            "id": [1, 2, 3, 4],
            "x": [1.5, None, 1.5, 2],
            "flag": [True, False, None, True],
            "name": ["a", "a", "b", None],
            "none": [None] * 4,
        }
    )
    found = {column.name: column for column in profile(table)}
    assert [each.kind for each in found.values()] == [
        "whole number", "number", "true/false", "text", "empty"
    ]  # fmt: skip
    assert [each.missing for each in found.values()] == [0, 1, 1, 1, 4]
    assert [each.levels for each in found.values()] == [4, 2, 2, 2, 0]
    assert found["id"].is_key and not found["name"].is_key
    assert found["id"].examples == ("1", "2", "3", "4") and found["name"].examples == ("a", "b")


# Guesses ------------------------------------------------------------------------------------------


def flat(keys: Iterable[Any]) -> set[str]:
    """The columns of identifiers, which may be made of several."""
    lists = (key if isinstance(key, list | tuple) else [key] for key in keys if key)
    return {str(name) for names in lists for name in names}


def roles_of(table: pd.DataFrame) -> dict[str, Guess]:
    return dict(guess_layout(table).roles)


def names(guesses: dict[str, Guess]) -> dict[str, Key | None]:
    return {role: guess.name for role, guess in guesses.items()}


@pytest.mark.parametrize(
    ("file", "roles", "reference"),
    [
        (
            "data/raw/star_kindergarten.csv",
            {
                "outcome": "reading",
                "treatment": "class_type",
                "group": "teacher",
                "block": "school",
            },
            "regular",
        ),
        (
            "tests/config/tiny.csv",
            {"outcome": "score", "treatment": "arm", "group": "class"},
            "control",
        ),
    ],
)
def test_roles_of_known_data_are_guessed(file: str, roles: dict[str, str], reference: str) -> None:
    table = pd.read_csv(ROOT / file)
    guesses = roles_of(table)
    assert names(guesses) == roles
    assert all(guess.why for guess in guesses.values())
    assert guess_reference(table[roles["treatment"]]).name == reference
    assert not set(covariates(profile(table), guesses)) & {"pupil", *roles.values()}


def cluster_trial(**renamed: str) -> pd.DataFrame:
    """Arms of whole villages in two regions; four households of three people each."""
    rng = np.random.default_rng(1)
    person = np.arange(240)
    table = pd.DataFrame(
        {
            "id": person,
            "u": person // 3,
            "v": person // 12,
            "w": (person // 12) % 2,
            "r": person // 120,
            "sex": rng.integers(0, 2, 240),
            "z": rng.normal(size=240).round(3),
        }
    )
    return table.rename(columns=renamed)


def test_group_is_the_coarsest_unit_that_was_assigned_whatever_its_name() -> None:
    found = names(roles_of(cluster_trial()))
    assert (found["treatment"], found["group"], found["outcome"]) == ("w", "v", "z")
    assert names(roles_of(cluster_trial(r="region")))["block"] == "region"


def test_treatment_within_groups_has_no_block() -> None:
    table = pd.DataFrame(
        {
            "subject": np.repeat(np.arange(8), 6),
            "condition": ["a", "b", "c"] * 16,
            "time": np.random.default_rng(0).normal(size=48),
        }
    )
    found = roles_of(table)
    assert names(found) == {"outcome": "time", "treatment": "condition", "group": "subject"}
    assert "varies within groups" in found["treatment"].why


def test_what_cannot_be_guessed_says_so() -> None:
    found = roles_of(pd.DataFrame({"x": ["a", "b"]}))
    assert set(names(found).values()) == {None}


@given(tables(missing=True))
def test_each_role_has_a_column_of_its_own(table: pd.DataFrame) -> None:
    found = names(roles_of(table))
    taken = [found[role] for role in ("outcome", "treatment", "group", "block") if found.get(role)]
    assert len(taken) == len(set(taken)) and flat(found.values()) <= set(table)


@pytest.mark.parametrize(
    ("outcome", "others", "found"),
    [
        ("posttest", ["pretest", "age"], "pretest"),
        ("post_score", ["pre_score"], "pre_score"),
        ("pain_12wk", ["pain_bl", "age_bl"], "pain_bl"),
        ("math_post", ["reading_pre"], None),
        ("score", ["pretest"], None),
        ("bdi_post", ["bdi_pre", "bdi_baseline"], None),
    ],
)
def test_the_same_measurement_from_before_is_found(
    outcome: str, others: list[str], found: str | None
) -> None:
    table = pd.DataFrame({name: np.arange(12) * 1.5 for name in [*others, outcome]})
    assert measured_before(Structure(table), outcome) == found


# The page -----------------------------------------------------------------------------------------


def block_of(page: str) -> dict[str, Any]:
    """The draft, read as YAML."""
    draft: dict[str, Any] = yaml.safe_load(page[page.index("\ndatasets:") :])
    return draft


AWKWARD = st.one_of(
    st.sampled_from(
        ["no", "007", "1e3", "a: b", "# x", "- a", "{x}", "*a", "a\nb", "\x1b[31m", "<script>", "=1",
         "score~1", "C(x)", "a b", "'", '"', "null", "2026-01-31", "\u00e9", "\u200b", "%", "@"]
    ),
    st.text(st.characters(blacklist_categories=("Cs",)), min_size=1, max_size=8),
)  # fmt: skip


@settings(max_examples=60)
@given(table=tables(), labels=st.lists(AWKWARD, min_size=8, max_size=8, unique_by=plain_name))
def test_draft_is_a_configuration_that_passes_whatever_the_names(
    tmp_path_factory: pytest.TempPathFactory, table: pd.DataFrame, labels: list[str]
) -> None:
    folder = tmp_path_factory.mktemp("draft")
    table = table.set_axis(labels[: table.shape[1]], axis="columns")
    first = table.columns[0]
    table[first] = [labels[int(i) % 8] for i in table[first]]
    table.to_parquet(folder / "a file.parquet")
    page = describe(str(folder / "a file.parquet"), {})
    (folder / "config.yaml").write_text(page[page.index("\ndatasets:") :], encoding="utf-8")
    config = block_of(page)
    check_configuration(config, [str(folder / "config.yaml")])
    assert list(config["datasets"]) == ["a_file"]
    used = flat(config["datasets"]["a_file"]["roles"].values())
    assert {name for name in used if not name.startswith("FILL IN")} <= {*map(plain_name, table)}
    assert all(line.isprintable() for line in page.split("\n"))


def test_page_on_the_projects_own_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    page = describe(str(STAR), {})
    for words in (
        "data/raw/star_kindergarten.csv: 6325 rows, 15 columns\n",
        "\nclass_type             text                 0         3  small, regular, regular with",
        "\n  within each school: school_type\n",
        "\nA value of its own in each row: pupil\n",
        "\n      outcome: reading  # guess: ",
        "\n      covariates: []\n      # could be: math, sex, ",
    ):
        assert words in page
    assert max(map(len, page.splitlines())) <= 100
    block = block_of(page)["datasets"]["star_kindergarten"]
    table = pd.read_csv(STAR)
    settings = block["roles"] | {"covariates": ()}
    assert len(ingest(table, Roles(**settings), reference=block["reference"]).table) == 5789


@pytest.mark.parametrize("name", ["a.csv.gz", "a.parquet", "a.feather", "a.xlsx", "a.sav", "a.dta",
                                  "a.sas7bdat"])  # fmt: skip
def test_page_on_every_format(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name in ("a.sav", "a.dta", "a.sas7bdat"):
        shutil.copy(FORMATS / f"pupils{path.suffix}", path)
    else:
        table = pd.read_csv(ROOT / "tests" / "config" / "tiny.csv")
        write = {"gz": table.to_csv, "parquet": table.to_parquet, "xlsx": table.to_excel}
        suffix = path.suffix[1:]
        write[suffix](path, index=False) if suffix in write else table.to_feather(path)
    roles = block_of(describe(str(path), {}))["datasets"]["a"]["roles"]
    assert roles == {"outcome": "score", "treatment": "arm", "group": "class", "covariates": []}


def test_form_that_is_declared_stands_in_the_draft(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("arm;class;score\n0;a;1,234\n1;b;2,345\n", encoding="utf-8")
    page = describe(str(path), {"decimal": ","})
    assert block_of(page)["datasets"]["a"]["format"] == {"decimal": ","}


def test_numbered_arms_come_with_a_hint(tmp_path: Path) -> None:
    path = tmp_path / "2026 trial.csv"
    cluster_trial(w="arm", v="village").to_csv(path, index=False)
    page = describe(str(path), {})
    assert "    # levels: {0: name of 0, 1: name of 1}" in page
    assert block_of(page)["datasets"]["data_2026_trial"]["reference"] == "0"


@pytest.mark.parametrize(
    ("content", "form", "says"),
    [
        (None, "", "there is no such file; correct the path."),
        ("", "", "the file is empty; put the data in it, with a header line."),
        ("a,b\n", "", "the data have a header but no rows; add the data."),
        (
            "a,b\n1,2\n",
            "{b",
            "FORMAT='{b' is no mapping; write it so: FORMAT='{encoding: cp1252}'.",
        ),
        ("a,b\n1,2\n", "{shet: x}", "format.shet: a file like 'a.csv' has no such setting; "),
        ("a,b\n1,2\n", "{decimal: 1}", 'format.decimal: 1 does not fit; write "." or ",".'),
    ],
)
def test_mistake_is_one_sentence(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    content: str | None,
    form: str,
    says: str,
) -> None:
    path = tmp_path / "a.csv"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    with pytest.raises(SystemExit) as ended:
        run(str(path), form)
    assert ended.value.code == 1
    out, err = capsys.readouterr()
    assert out == "" and err.startswith(f"groupwise: {path}: {says}") and err.count("\n") == 1


def test_groupings_leave_out_numbers_keys_and_constants() -> None:
    table = pd.DataFrame({"id": range(8), "x": [0.5, 1] * 4, "one": 1, "g": list("aabbccdd")})
    assert groupings(profile(table)) == ["g"]


def test_draft_of_a_stepped_wedge_has_its_periods(tmp_path: Path) -> None:
    cluster, period = np.repeat(np.arange(1, 13), 20), np.tile(np.repeat(np.arange(1, 5), 5), 12)
    score = np.random.default_rng(4).normal(50, 9, 240).round(1)
    table = pd.DataFrame({"cluster": cluster, "period": period, "score": score})
    table["intervention"] = (period > 1 + (cluster - 1) // 4).astype(int)
    page = described(table, tmp_path)
    roles = block_of(page)["datasets"]["a"]["roles"]
    assert roles["period"] == "period" and not roles["covariates"] and "second_group" not in roles
    assert "whole groups change their arm with it; each period has its own mean" in page
    assert "what changes over time must not count as an effect" in " ".join(
        page.replace("#", "").split()
    )
    alone = table.groupby(["cluster", "period"], as_index=False).first()
    assert block_of(described(alone, tmp_path))["datasets"]["a"]["roles"]["period"] == "period"


def test_draft_of_a_cohort_in_a_stepped_wedge_has_wards_as_groups(tmp_path: Path) -> None:
    patient, month = np.repeat(np.arange(1, 61), 4), np.tile(np.arange(1, 5), 60)
    table = pd.DataFrame({"ward": (patient - 1) // 5, "patient": patient, "month": month})
    table["intervention"] = (month > 1 + table["ward"] // 4).astype(int)
    table["score"] = np.random.default_rng(4).normal(50, 9, 240).round(1)
    roles = block_of(described(table, tmp_path))["datasets"]["a"]["roles"]
    assert (roles["group"], roles["individual"], roles["period"]) == ("ward", "patient", "month")


def before_and_after(first: Any, second: Any, name: str = "time") -> pd.DataFrame:
    """12 practices, ten patients of each before and other ten after; whole practices are treated."""
    practice = np.repeat(np.arange(1, 13), 20)
    table = pd.DataFrame({"practice": practice, "arm": np.array(["usual", "new"])[practice % 2]})
    table[name] = np.tile(np.repeat(np.array([first, second], dtype=object), 10), 12)
    table["score"] = np.random.default_rng(4).normal(50, 9, 240).round(1)
    return table.infer_objects()


@pytest.mark.parametrize(
    ("first", "second", "name"), [("pre", "post", "time"), (0, 1, "wave"), ("T0", "T1", "time")]
)
def test_draft_of_groups_measured_before_and_after_has_untreated_periods(
    tmp_path: Path, first: Any, second: Any, name: str
) -> None:
    page = described(before_and_after(first, second, name), tmp_path)
    block = block_of(page)["datasets"]["a"]
    assert block["roles"]["period"] == name and block["untreated_periods"] == [first]
    assert f"at {name} {first} no group had its treatment yet" in " ".join(page.split())


def test_first_of_two_periods_is_untreated_only_if_it_says_so(tmp_path: Path) -> None:
    """Sessions 1 and 2 may both be under the treatment."""
    block = block_of(described(before_and_after(1, 2, "session"), tmp_path))["datasets"]["a"]
    assert "untreated_periods" not in block and "period" not in block["roles"]


def described(table: pd.DataFrame, folder: Path) -> str:
    table.to_csv(folder / "a.csv", index=False)
    page: str = describe(str(folder / "a.csv"), {})
    return page


def test_draft_of_merged_cells_says_what_to_type_and_it_leads_on(tmp_path: Path) -> None:
    size, n = 8, 10
    first = np.arange(n * size) % size == 0
    classes = pd.Series([f"Class {i // size + 1}" for i in range(n * size)])
    arm = pd.Series(["Control", "Training"])[np.arange(n * size) // size % 2].reset_index(drop=True)
    score = np.random.default_rng(4).normal(50, 9, n * size).round(1)
    table = pd.DataFrame({"Class": classes.where(first), "Arm": arm.where(first), "Score": score})
    path = tmp_path / "a file.xlsx"
    table.to_excel(path, index=False)
    page = describe(str(path), {})
    assert block_of(page)["datasets"]["a_file"]["roles"]["group"] == "FILL IN the group"
    (typed,) = re.findall("    # (make describe .*)", page[page.index("\ndatasets:") :])
    _, _, file, form = shlex.split(typed)
    assert file == f"FILE={path}"
    again = describe(str(path), mapping(form.removeprefix("FORMAT=")))
    assert block_of(again)["datasets"]["a_file"]["roles"]["group"] == "Class"
    assert "make describe" not in again


def pupils_of_classes(n: int = 10, size: int = 12, seed: int = 3) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    classes = np.repeat(np.arange(n), size)
    return pd.DataFrame(
        {
            "class": [f"{5 + i % 3}{'abcd'[i % 4]}" for i in classes],
            "nr": np.tile(np.arange(1, size + 1), n),
            "condition": rng.choice(["EG", "KG"], n * size),
            "score": (50 + classes + rng.normal(0, 8, n * size)).round(1),
        }
    )


@pytest.mark.parametrize("number", ["nr", "pupil", "lfdNr", "Schueler"])
def test_number_within_a_class_is_the_pupil_and_no_group(number: str) -> None:
    roles = roles_of(pupils_of_classes().rename(columns={"nr": number}))
    assert roles["group"].name == "class" and roles["treatment"].name == "condition"


def visits(name: str, *values: Any) -> pd.DataFrame:
    rng = np.random.default_rng(5)
    patient, times = np.repeat(np.arange(96), len(values)), np.tile(np.arange(len(values)), 96)
    return pd.DataFrame(
        {
            "patient": patient + 1,
            "clinic": patient // 8 + 1,
            "arm": np.array(["TAU", "CBT"])[patient // 8 % 2],
            name: np.array(values, dtype=object)[times],
            "bdi": (rng.normal(20, 5, 96)[patient] + rng.normal(0, 3, len(patient))).round(1),
        }
    ).infer_objects()


@pytest.mark.parametrize(
    ("name", "values", "first"),
    [
        ("time", ("pre", "post", "follow-up"), "pre"),
        ("t", ("T0", "T1", "T2"), "T0"),
        ("visit", (0, 1, 2), 0),
        ("visit", ("baseline", "3 months", "6 months"), "baseline"),
        ("visit", (1, 2, 3, 4), None),
        ("dose", ("T1", "T2", "T3"), None),
    ],
)
def test_first_of_several_times_is_a_baseline_if_it_says_so(
    tmp_path: Path, name: str, values: tuple[Any, ...], first: object
) -> None:
    block = block_of(described(visits(name, *values), tmp_path))["datasets"]["a"]
    assert block.get("baseline") == (None if first is None else {name: first})


def test_code_among_arms_is_set_aside_before_nesting_is_judged(tmp_path: Path) -> None:
    table = pd.DataFrame({"practice": np.repeat(np.arange(1, 13), 10)})
    table["trt"] = table["practice"] % 2
    table["sbp"] = np.random.default_rng(1).normal(130, 15, 120).round(1)
    table.loc[[3, 90], "trt"] = -9
    page = described(table, tmp_path)
    block = block_of(page)["datasets"]["a"]
    assert block["missing_codes"] == {"trt": [-9]}
    assert "# levels: {0: name of 0, 1: name of 1}" in page
    assert "2 levels, constant within practice" in page


@pytest.mark.parametrize("none", ["none", 0])
def test_word_in_place_of_a_group_is_no_group(tmp_path: Path, none: Any) -> None:
    groups = [i if none == 0 else f"G{i}" for i in range(1, 11)]
    rows = [(g, "therapy") for g in groups for _ in range(8)] + [(none, "waitlist")] * 80
    table = pd.DataFrame(rows, columns=["therapy_group", "condition"])
    table["wellbeing"] = np.random.default_rng(1).normal(50, 9, 160).round(1)
    block = block_of(described(table, tmp_path))["datasets"]["a"]
    assert block["recode"] == {"therapy_group": {none: None}}
    assert block["ungrouped"] == "own_group" and block["roles"]["group"] == "therapy_group"


def test_villages_that_may_start_again_in_each_district_are_left_open(tmp_path: Path) -> None:
    district, village = np.repeat(np.arange(4), 48), np.tile(np.repeat(np.arange(1, 7), 8), 4)
    table = pd.DataFrame({"district": np.array(list("NSEW"))[district], "village": village})
    table["arm"] = np.array(["control", "transfer"])[village % 2]
    table["food_score"] = np.random.default_rng(1).normal(50, 9, 192).round(1)
    page = described(table, tmp_path)
    assert block_of(page)["datasets"]["a"]["roles"]["group"] == "FILL IN the group"
    assert "# [district, village]: if the labels of village start again in each district" in page


def test_numbers_with_signs_are_named_and_could_be_the_outcome(tmp_path: Path) -> None:
    table = pupils_of_classes()
    table["code"] = [f"k{i}" for i in range(len(table))]
    table["score"] = [f"{value}%" for value in table["score"]]
    page = described(table, tmp_path)
    assert page.count("numbers with a unit") == 1
    assert """write FORMAT='{"units": {"score": "%"}}'""" in " ".join(page.split())
    assert "it could be score, once it is read as numbers" in page
    again = describe(str(tmp_path / "a.csv"), {"units": {"score": "%"}})
    assert "numbers with a unit" not in again
    assert block_of(again)["datasets"]["a"]["roles"]["outcome"] == "score"


def test_only_column_that_can_be_the_outcome_is_taken() -> None:
    table = pd.DataFrame({"clinic": np.repeat(np.arange(1, 17), 20)})
    table["arm"] = np.array(["usual", "reminder"])[table["clinic"] % 2]
    table["attended"] = np.random.default_rng(1).random(320) < 0.6
    assert roles_of(table)["outcome"].name == "attended"
    table["returned"] = np.random.default_rng(2).random(320) < 0.6
    assert roles_of(table)["outcome"].name is None


@pytest.mark.parametrize(
    ("values", "event"),
    [
        ([True, False], "True"),
        ([0, 1], 1),
        (["yes", "no"], "yes"),
        (["died", "alive"], "died"),
        (["first", "second"], WHICH),
    ],
)
def test_outcome_of_two_values_is_drafted_as_binary(
    tmp_path: Path, values: list[Any], event: Any
) -> None:
    table = pupils_of_classes()
    table["outcome"] = np.array(values, dtype=object)[np.arange(len(table)) % 2]
    block = block_of(described(table.drop(columns="score"), tmp_path))["datasets"]["a"]
    assert block["roles"]["outcome"] == "outcome"
    assert (block["outcome_kind"], block["event"]) == ("binary", event)
    assert "recode" not in block


def test_counts_are_an_alternative_that_is_not_taken(tmp_path: Path) -> None:
    table = pupils_of_classes().drop(columns="score")
    rng = np.random.default_rng(3)
    table["errors"] = rng.poisson(2, len(table))
    table["days_at_risk"] = rng.integers(10, 40, len(table))
    page = described(table, tmp_path)
    block = block_of(page)["datasets"]["a"]
    assert block["roles"]["outcome"] == "errors" and "outcome_kind" not in block
    assert "\n    # outcome_kind: count  # if errors counts events\n" in page
    assert "\n    # exposure: days_at_risk  # below roles, if it is how long they could" in page
    assert "outcome_kind" not in described(pupils_of_classes(), tmp_path)


def test_later_measurement_is_not_named_among_covariates(tmp_path: Path) -> None:
    table = pupils_of_classes().drop(columns="score")
    for i in range(3):
        table[f"BDI_T{i}"] = np.random.default_rng(i).normal(20, 5, len(table)).round(1)
    page = described(table, tmp_path)
    assert "# could be: BDI_T0\n" in page
    assert "measured after the treatment: BDI_T1" in page


def test_spaces_of_any_kind_are_spaces(tmp_path: Path) -> None:
    table = pupils_of_classes()
    table["note"] = "a\u00a0b\u202fc"
    assert "a b c" in described(table, tmp_path)


def test_draft_of_a_crossover_of_persons_has_the_period(tmp_path: Path) -> None:
    rows = [
        (f"S{i:02}", f"Visit {visit + 1}", "AB"[(i + visit) % 2], 400 + 7 * i % 31 + visit)
        for i in range(24)
        for visit in range(2)
    ]
    table = pd.DataFrame(rows, columns=["subject", "visit", "treatment", "pef"])
    roles = block_of(described(table, tmp_path))["datasets"]["a"]["roles"]
    assert (roles["group"], roles["period"]) == ("subject", "visit")


def test_draft_of_a_crossover_of_wards_has_no_patients_as_groups(tmp_path: Path) -> None:
    """Patients are numbered anew in each ward; a ward changes its policy as a whole."""
    draw = np.random.default_rng(3)
    rows = [
        (f"ICU {i + 1}", t + 1, ["liberal", "restricted"][(i + t) % 2], p, draw.normal(10, 3))
        for i in range(10)
        for t in range(2)
        for p in range(1, 13)
    ]
    table = pd.DataFrame(rows, columns=["icu", "period", "policy", "patient", "days"]).round(1)
    roles = block_of(described(table, tmp_path))["datasets"]["a"]["roles"]
    assert (roles["group"], roles["period"]) == ("icu", "period")
