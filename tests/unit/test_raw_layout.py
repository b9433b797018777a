"""Files as people lay them out: header rows, rows that are no data, merged cells, units, codes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pandas as pd
import pytest
import yaml
from configuration import SCHEMA, load_schema
from raw_table import FORMATS, OTHER, Raw, read_raw
from snakemake.utils import validate
from test_raw_formats import ROLES, TABLE, WRITERS

from groupwise.data.errors import InputError
from groupwise.data.prepare import identifier
from groupwise.data.validate import Roles

FEW = Roles("score", "arm", "class")
Rows = Sequence[Sequence[Any]]

# Every setting for every kind of file ---------------------------------------------------------------

SETTINGS: dict[str, list[Any]] = {
    "header": [1, [1]],
    "skip": [[3]],
    "skip_last": [1],
    "fill_down": [["class", "arm"]],
    "thousands": ["'", " "],
    "units": [{"score": "kg", "mood": "%"}],
    "sheet": ["Sheet"],
    "labels": [True, False],
}
DELIMITERS = {
    "semicolon": ";",
    "german": ";",
    "tab": "\t",
    "bar": "|",
    "space": " ",
    "utf16.tsv": "\t",
}
ENCODINGS = {"utf16": "utf-16", "utf32": "utf-32", "bom": "utf-8-sig"}
LEFT_OUT = {"skip": 1, "skip_last": 7}


def known(name: str) -> tuple[str, ...]:
    return FORMATS.get(Path(name).suffix.lower(), OTHER)[1]


def values_of(setting: str, name: str) -> list[Any]:
    """What may be written for a setting of this file."""
    written = {
        "delimiter": next((v for k, v in DELIMITERS.items() if name.startswith(k)), ","),
        "decimal": "," if name in ("german.csv", "tab_comma.txt") else ".",
        "encoding": next((v for k, v in ENCODINGS.items() if name.startswith(k)), "utf-8"),
    }
    return SETTINGS.get(setting) or [written[setting]]


def as_the_workflow_does(form: dict[str, Any]) -> dict[str, Any]:
    """`format` of a dataset's block after Snakemake has filled in the defaults of the schema."""
    return filled_in(yaml.safe_dump(form))


@cache
def filled_in(form: str) -> dict[str, Any]:
    block = {
        "title": "A file",
        "file": "data/raw/a.csv",
        "format": yaml.safe_load(form),
        "roles": {"outcome": "score", "treatment": "arm", "group": "class"},
        "reference": "0",
    }
    config: dict[str, Any] = {"datasets": {"a": block}}
    validate(config, SCHEMA)
    filled: dict[str, Any] = config["datasets"]["a"]["format"]
    return filled


@pytest.mark.parametrize(
    ("name", "setting", "value"),
    [
        pytest.param(name, setting, value, id=f"{name}-{setting}-{value}")
        for name in WRITERS
        for setting in known(name)
        for value in values_of(setting, name)
    ],
)
def test_every_setting_reads_every_kind_of_file_it_is_for(
    tmp_path: Path, name: str, setting: str, value: Any
) -> None:
    WRITERS[name](tmp_path / name)
    found = read_raw(tmp_path / name, ROLES, form=as_the_workflow_does({setting: value})).table
    expected = TABLE.drop(index=LEFT_OUT[setting]) if setting in LEFT_OUT else TABLE
    assert list(identifier(found["class"])) == list(expected["class"])
    np.testing.assert_array_equal(found["score"].astype(float), expected["score"])
    np.testing.assert_array_equal(found["mood"], expected["mood"])


def test_schema_and_readers_know_the_same_settings() -> None:
    schema = load_schema()["$defs"]["dataset"]["properties"]["format"]["properties"]
    assert set(schema) == {key for name in WRITERS for key in known(name)}
    assert not [key for key, node in schema.items() if "default" in node], (
        "Snakemake would write it into the format of every kind of file"
    )


@pytest.mark.parametrize("name", ["comma.csv", "a.xlsx", "a.dta", "a.parquet"])
def test_setting_of_another_kind_of_file_brings_those_of_this_one(
    tmp_path: Path, name: str
) -> None:
    WRITERS[name](tmp_path / name)
    every = {key for each in WRITERS for key in known(each)}
    for setting in sorted(every - set(known(name))):
        form = as_the_workflow_does({setting: values_of(setting, name)[0]})
        with pytest.raises(InputError, match=f"a file like '{name}' has no such setting") as caught:
            read_raw(tmp_path / name, ROLES, form=form)
        assert caught.value.key == f"format.{setting}"
        fix = f"its settings are: {', '.join(known(name))}"
        assert caught.value.fix == (fix if known(name) else "remove it: it has none")


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"header": 0}, "write the number of the row with the names"),
        ({"header": True}, "write the number of the row"),
        ({"header": []}, "or a list of several"),
        ({"skip": 4}, "write a list of row numbers"),
        ({"skip_last": "2"}, "write how many rows"),
        ({"fill_down": "class"}, "write a list of columns"),
        ({"thousands": ";"}, """write ".", ",", " " or "'", in quotes"""),
        ({"units": ["kg"]}, "write a unit for each column"),
        ({"units": {"score": " "}}, "write a unit for each column"),
        ({"decimal": ",", "thousands": ","}, "cannot be the decimal sign too"),
        ({"header": 2, "skip": [2]}, "row 2 is one of the header"),
        ({"fill_down": ["clas"]}, "no column 'clas'; did you mean 'class'?"),
        ({"units": {"scor": "kg"}}, "no column 'scor'; did you mean 'score'?"),
        ({"skip": [90]}, "the file has no row 90; its last row is row 9"),
        ({"header": 90}, "the file has no row 90; its last row is row 9"),
        ({"skip_last": 8}, "8 rows of data, and 8 of them to leave out; write a smaller number"),
    ],
)
@pytest.mark.parametrize("name", ["comma.csv", "a.xlsx"])
def test_setting_that_does_not_fit_is_refused(
    tmp_path: Path, name: str, form: dict[str, Any], words: str
) -> None:
    WRITERS[name](tmp_path / name)
    with pytest.raises(InputError) as caught:
        read_raw(tmp_path / name, ROLES, form=form)
    assert words in str(caught.value) and caught.value.key.startswith("format.")


# The same rows as text and as a workbook -------------------------------------------------------------


def as_text(path: Path, rows: Rows) -> Path:
    """Semicolons between fields; blank rows have none, and short rows are short."""
    lines = (";".join("" if cell is None else f'"{cell}"' for cell in row) for row in rows)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def as_padded_text(path: Path, rows: Rows) -> Path:
    """As a spreadsheet exports it: as many fields in every row."""
    width = max(map(len, rows))
    return as_text(path, [[*row, *[None] * (width - len(row))] for row in rows])


def as_workbook(path: Path, rows: Rows) -> Path:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    book.save(path.with_suffix(".xlsx"))
    return path.with_suffix(".xlsx")


both = pytest.mark.parametrize("write", [as_text, as_padded_text, as_workbook])
Write = Callable[[Path, Rows], Path]
DATA = [[f"k{i // 4}", "AB"[i // 4 % 2], i + 0.5, i] for i in range(16)]
NAMES = ["class", "arm", "score", "age"]
END = [[], ["Mean", None, 8.0], ["* absent = was ill"], []]
TWO_ROWS = [
    ["Trial XYZ"],
    ["Design", None, "Measures"],
    ["class", "arm", "score", "age"],
    [None, None, "(points)", "(years)"],
    *DATA,
    *END,
]


def read(write: Write, folder: Path, rows: Rows, roles: Roles | None = FEW, **form: Any) -> Raw:
    return read_raw(write(folder / "a.csv", rows), roles, form=form)


def refusal(write: Write, folder: Path, rows: Rows, roles: Roles | None, **form: Any) -> str:
    with pytest.raises(InputError) as caught:
        read(write, folder, rows, roles, **form)
    return str(caught.value)


@both
@pytest.mark.parametrize(
    ("header", "names"),
    [
        (3, ["class", "arm", "score", "age"]),
        ([3, 4], ["class", "arm", "score (points)", "age (years)"]),
        ([2, 3], ["Design class", "Design arm", "Measures score", "Measures age"]),
        (
            [4, 2, 3],
            ["Design class", "Design arm", "Measures score (points)", "Measures age (years)"],
        ),
    ],
)
def test_header_stands_in_the_rows_that_are_named(
    tmp_path: Path, write: Write, header: int | list[int], names: list[str]
) -> None:
    # (A blank row of text has no fields, or only empty ones: neither is a row of data.)
    skip = {"skip": [4]} if header in (3, [2, 3]) else {}
    found = read(write, tmp_path, TWO_ROWS, None, header=header, skip_last=2, **skip)
    assert list(found.table) == names
    assert found.table.iloc[:, 2].tolist() == [row[2] for row in DATA]
    assert found.notes[1].startswith("Read as told: names in row")
    assert not found.suspicions


@both
def test_heading_is_not_spread_over_names_that_have_none_above(
    tmp_path: Path, write: Write
) -> None:
    rows = [["class", "arm", "Measures", None], [None, None, "score", "age"], *DATA]
    found = read(write, tmp_path, rows, None, header=[1, 2])
    assert list(found.table) == ["class", "arm", "Measures score", "Measures age"]


@both
def test_blank_rows_count_for_row_numbers_and_are_no_data(tmp_path: Path, write: Write) -> None:
    rows = [[], NAMES, [], *DATA[:3], [], *DATA[3:], [], []]
    found = read(write, tmp_path, rows, None, header=2, skip=[4, 8], skip_last=1)
    assert found.table["age"].tolist() == [1, 2, *range(4, 15)]
    assert "nothing stands in row 3; write the number of the row with the names, such as 4" in (
        refusal(write, tmp_path, rows, None, header=3)
    )


@both
def test_following_the_refusals_of_a_title_and_totals_reads_the_file(
    tmp_path: Path, write: Write
) -> None:
    form: dict[str, Any] = {}
    for _ in range(4):
        try:
            found = read(write, tmp_path, TWO_ROWS, None, **form)
        except InputError as error:
            form |= settings_in(str(error))["format"]
            continue
        if not found.suspicions:
            break
        for sentence in found.suspicions:
            form |= settings_in(sentence)["format"]
    assert form == {"header": [3, 4], "skip_last": 2}
    assert list(found.table) == ["class", "arm", "score (points)", "age (years)"]
    assert found.table["score (points)"].tolist() == [row[2] for row in DATA]


def settings_in(sentence: str) -> dict[str, Any]:
    """The first setting that a sentence names, as YAML reads it."""
    read: dict[str, Any] = yaml.safe_load("{" + sentence.split("`")[1] + "}")
    return read


@pytest.mark.parametrize(
    "title", ["Trial XYZ", "Trial XYZ, final", "Trial XYZ; final", "Trial | a, b", "Trial XYZ\n"]
)
@pytest.mark.parametrize("sign", [",", ";", "\t"])
@pytest.mark.parametrize("roles", [FEW, None])
def test_title_is_named_whatever_it_holds(
    tmp_path: Path, title: str, sign: str, roles: Roles | None
) -> None:
    path = tmp_path / "a.csv"
    lines = [sign.join(map(str, row)) for row in [NAMES, *DATA]]
    path.write_text("\n".join([title, *lines]) + "\n", encoding="utf-8")
    with pytest.raises(InputError, match="the first row looks like a title") as caught:
        read_raw(path, roles)
    form = settings_in(str(caught.value))["format"]
    assert read_raw(path, roles, form=form).table["score"].tolist() == [row[2] for row in DATA]


@both
def test_plain_table_has_no_suspicions(tmp_path: Path, write: Write) -> None:
    rows = [NAMES, *DATA, [], ["k4", "A", 3.5, None], ["k4", None, None, None]]
    for roles in (FEW, None):
        assert read(write, tmp_path, [NAMES, *DATA], roles).suspicions == []
        assert read(write, tmp_path, [*rows, ["k4", "A", 1, 2]], roles).suspicions == []


@both
def test_further_header_is_named_with_both_settings(tmp_path: Path, write: Write) -> None:
    rows = [NAMES, ["Which class?", "Which arm?", "How much?", "How old?"], *DATA]
    (sentence,) = read(write, tmp_path, rows, None).suspicions
    assert "Row 2 looks like a further header" in sentence
    assert "`format: {skip: [2]}`" in sentence and "`format: {header: [1, 2]}`" in sentence
    assert read(write, tmp_path, rows, skip=[2]).table["score"].dtype == float
    joined = read(write, tmp_path, rows, None, header=[1, 2]).table
    assert joined["score How much?"].dtype == float


def test_row_of_codes_is_no_further_header(tmp_path: Path) -> None:
    rows = [NAMES, ["k0", "A", "absent", 3], *DATA]
    assert read(as_workbook, tmp_path, rows).suspicions == []


@both
@pytest.mark.parametrize(
    ("end", "n"),
    [
        ([["Mean", None, 8.0, None]], 1),
        ([["Gesamt:", None, 128, None]], 1),
        ([["Total (n = 16)", None, None, 3]], 1),
        ([[], ["Mean", None, 8], ["SD", None, 4.6], ["Source: register"], []], 3),
        ([["Exported by LimeSurvey"]], 1),
    ],
)
def test_last_rows_that_are_no_data_are_counted(
    tmp_path: Path, write: Write, end: list[list[Any]], n: int
) -> None:
    rows = [NAMES, *DATA, *end]
    try:
        (sentence,) = read(write, tmp_path, rows, None).suspicions
    except InputError as error:  # text with fewer fields in its last lines
        sentence = str(error)
    assert settings_in(sentence) == {"format": {"skip_last": n}}
    found = read(write, tmp_path, rows, None, skip_last=n)
    assert len(found.table) == 16 and found.suspicions == []


@both
def test_arm_that_is_called_mean_is_data(tmp_path: Path, write: Write) -> None:
    rows = [NAMES, *DATA, ["Mean", "A", 1.5, 2]]
    assert read(write, tmp_path, rows, None).suspicions == []


@both
def test_cells_at_the_start_of_blocks_are_named_and_filled(tmp_path: Path, write: Write) -> None:
    merged = [
        [row[0] if i % 4 == 0 else None, row[1] if i % 4 == 0 else None, *row[2:]]
        for i, row in enumerate(DATA)
    ]
    rows = [NAMES, *merged, *END]
    for roles in (FEW, None):
        found = read(write, tmp_path, rows, roles, skip_last=2)
        (sentence,) = found.suspicions
        assert settings_in(sentence) == {"format": {"fill_down": ["class", "arm"]}}
        again = read(write, tmp_path, rows, roles, skip_last=2, fill_down=["class", "arm"])
        assert again.suspicions == []
        assert again.table["class"].tolist() == [row[0] for row in DATA]
        assert again.table["arm"].tolist() == [row[1] for row in DATA]


def test_sparse_column_is_no_merged_one(tmp_path: Path) -> None:
    remarks = [[*row, "late" if i in (0, 1, 9) else None] for i, row in enumerate(DATA)]
    assert read(as_padded_text, tmp_path, [[*NAMES, "remark"], *remarks], None).suspicions == []


@both
def test_value_that_is_missing_is_not_filled_down(tmp_path: Path, write: Write) -> None:
    rows = [NAMES, ["k0", "A", 1, 2], ["NA", "A", 1, 2], [None, "A", 1, 2], ["k1", "B", 2, 3]]
    found = read(write, tmp_path, rows, fill_down=["class"]).table["class"]
    assert found.isna().tolist() == [False, True, True, False]


# Numbers ------------------------------------------------------------------------------------------


@both
@pytest.mark.parametrize(
    ("values", "form", "numbers"),
    [
        (["1.707,91", "12", "3,5"], {"thousands": "."}, [1707.91, 12, 3.5]),
        (["1.707", "12.345.678", "3"], {"thousands": "."}, [1707, 12345678, 3]),
        (["1,707.91", "12", "-3.5"], {"thousands": ","}, [1707.91, 12, -3.5]),
        (["1,707", "12,345", "3"], {"thousands": ","}, [1707, 12345, 3]),
        (["1 707,91", "12\u00a0345", "1\u202f000"], {"thousands": " "}, [1707.91, 12345, 1000]),
        (["1\u2009707", "12", "3"], {"thousands": " ", "decimal": "."}, [1707, 12, 3]),
        (["1'707.91", "12\u2019345", "3"], {"thousands": "'"}, [1707.91, 12345, 3]),
        (["65,6 %", "7%", "8\u00a0%"], {"units": {"score": "%"}}, [65.6, 7, 8]),
        (["46.8 kg", "-12kg", "3"], {"units": {"score": "kg"}}, [46.8, -12, 3]),
        (["\u20ac 1.200,50", "\u20ac12", "-\u20ac 3"],
         {"units": {"score": "\u20ac"}, "thousands": "."}, [1200.5, 12, -3]),
        (["$12.50", "$1,250.00", "-$3"],
         {"units": {"score": "$"}, "thousands": ","}, [12.5, 1250, -3]),
        (["3 mg / l", "4 mg / l", "5 mg / l"], {"units": {"score": "mg / l"}}, [3, 4, 5]),
        (["0,5", "1,25", ""], {"decimal": ","}, [0.5, 1.25, np.nan]),
    ],
)  # fmt: skip
def test_numbers_are_read_as_they_are_written(
    tmp_path: Path, write: Write, values: list[str], form: dict[str, Any], numbers: list[float]
) -> None:
    rows = [NAMES, *([f"0{i}", "A", value, i] for i, value in enumerate(values))]
    found = read(write, tmp_path, rows, **form).table
    np.testing.assert_array_equal(found["score"], numbers)
    assert found["class"].tolist() == ["00", "01", "02"], "labels stay as they are written"


@both
def test_cells_that_are_numbers_stay_so_beside_text(tmp_path: Path, write: Write) -> None:
    rows = [NAMES, ["a", "A", 46.5, 1], ["b", "B", "12.5 kg", 2], ["c", "B", None, 3]]
    found = read(write, tmp_path, rows, units={"score": "kg"}).table["score"]
    np.testing.assert_array_equal(found, [46.5, 12.5, np.nan])


@both
def test_label_may_have_its_unit_taken_off_but_stays_text(tmp_path: Path, write: Write) -> None:
    rows = [NAMES, ["a", "10 mg", 1, 1], ["b", "020 mg", 2, 2]]
    found = read(write, tmp_path, rows, units={"arm": "mg"}, thousands=".").table
    assert found["arm"].tolist() == ["10", "020"]


@both
@pytest.mark.parametrize(
    ("values", "form", "words"),
    [
        (["46 kg", "12 g", "7"], {"units": {"score": "kg"}},
         "format.units.score: column 'score' has '12 g', which is no number with or without 'kg'"),
        (["46 kg", "absent", "7"], {"units": {"score": "kg"}},
         "write `missing_codes: {score: [absent]}` if that means missing"),
        (["12.5", "1.234", "7"], {"thousands": "."},
         "in '12.5' of column 'score' the sign '.' separates no thousands"),
        (["0,5", "1,234", "7"], {"thousands": ","}, "the sign ',' separates no thousands"),
    ],
)  # fmt: skip
def test_number_that_does_not_fit_its_setting_is_named(
    tmp_path: Path, write: Write, values: list[str], form: dict[str, Any], words: str
) -> None:
    rows = [NAMES, *([f"k{i}", "A", value, i] for i, value in enumerate(values))]
    assert words in refusal(write, tmp_path, rows, FEW, **form)


# Names --------------------------------------------------------------------------------------------


@both
def test_line_break_in_a_name_is_a_space(tmp_path: Path, write: Write) -> None:
    rows = [["class", "arm", "score\n (in\u00a0EUR)", "age"], *DATA]
    roles = Roles("score (in EUR)", "arm", "class")
    found = read(write, tmp_path, rows, roles)
    assert found.table["score (in EUR)"].tolist() == [row[2] for row in DATA]
    assert found.notes[1] == "Line breaks in names of columns count as spaces: 'score (in EUR)'."
    as_written = Roles("score\n (in\u00a0EUR)", "arm", "class")
    assert list(read(write, tmp_path, rows, as_written).table) == list(found.table)


@both
def test_names_that_become_the_same_are_refused(tmp_path: Path, write: Write) -> None:
    rows = [["class", "arm", "my\nscore", "my score"], *DATA]
    said = refusal(write, tmp_path, rows, Roles("my score", "arm", "class"))
    assert "the header has the column 'my score' 2 times; rename all but one" in said


def test_line_break_in_a_name_of_a_parquet_file(tmp_path: Path) -> None:
    pd.DataFrame({"class": ["a"], "arm": ["b"], "my\tscore": [1.5]}).to_parquet(
        tmp_path / "a.parquet"
    )
    found = read_raw(tmp_path / "a.parquet", Roles("my score", "arm", "class"))
    assert found.table["my score"].tolist() == [1.5] and "'my score'" in found.notes[1]


@both
def test_columns_without_a_name_are_left_out_if_nothing_stands_in_them(
    tmp_path: Path, write: Write
) -> None:
    rows = [[*NAMES, None, None], *([*row, None, None] for row in DATA)]
    assert list(read(write, tmp_path, rows, None).table) == NAMES
    rows = [[*NAMES, " ", " "], *([*row, 1, 2] for row in DATA)]
    assert "the columns 5, 6 have no name" in refusal(write, tmp_path, rows, None)


# Codes of missing values --------------------------------------------------------------------------


@both
@pytest.mark.parametrize("codes", [[-99, "absent"], {"score": ["-99.0", "absent"]}])
def test_codes_become_missing_before_columns_become_numbers(
    tmp_path: Path, write: Write, codes: Any
) -> None:
    rows = [NAMES, ["a", "A", 1.5, 1], ["b", "B", "absent", 2], ["c", "B", -99, 3]]
    found = read_raw(write(tmp_path / "a.csv", rows), FEW, missing_codes=codes).table
    np.testing.assert_array_equal(found["score"], [1.5, np.nan, np.nan])


@both
def test_codes_are_found_beside_units_and_thousands(tmp_path: Path, write: Write) -> None:
    rows = [
        NAMES,
        *([f"k{i}", "A", v, i] for i, v in enumerate(["1.707,91 kg", "-9.999 kg", "k.A."])),
    ]
    form = {"units": {"score": "kg"}, "thousands": "."}
    path = write(tmp_path / "a.csv", rows)
    found = read_raw(path, FEW, form=form, missing_codes=[-9999, "k.A."]).table
    np.testing.assert_array_equal(found["score"], [1707.91, np.nan, np.nan])


def test_codes_of_every_kind_of_file(tmp_path: Path) -> None:
    for name, write in WRITERS.items():
        write(tmp_path / name)
        form = {"labels": False} if "labels" in known(name) else {}
        path = tmp_path / name
        found = read_raw(path, ROLES, form=form, missing_codes={"mood": [9], "score": [-2]}).table
        assert found["mood"].isna().tolist() == [False] * 7 + [True], name
        assert found["score"].isna().tolist() == [False, True, True, *[False] * 5], name
        with pytest.raises(InputError, match="no row has the value '8' in column 'mood'") as caught:
            read_raw(path, ROLES, form=form, missing_codes={"mood": [8]})
        assert caught.value.key == "missing_codes.mood"
        with pytest.raises(InputError, match="no column in use has the value 'absent'"):
            read_raw(path, ROLES, form=form, missing_codes=["absent"])
        with pytest.raises(InputError, match="no column 'mod'; did you mean 'mood'"):
            read_raw(path, ROLES, form=form, missing_codes={"mod": [8]})
        read_raw(path, ROLES, form=form, missing_codes={"pupil": [99]})  # not in use


def test_code_may_be_named_by_its_value_label(tmp_path: Path) -> None:
    WRITERS["a.dta"](tmp_path / "a.dta")
    roles = Roles("score", "arm", "mood")
    for code in (1, "low"):
        found = read_raw(tmp_path / "a.dta", roles, missing_codes={"mood": [code]}).table["mood"]
        assert found.isna().tolist() == [True, False, False] * 2 + [True, False]
