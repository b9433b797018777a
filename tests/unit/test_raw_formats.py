"""One small table in every format; and what is found out, or refused, of a text file."""

from __future__ import annotations

import datetime
import gzip
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st
from raw_table import Raw, read_raw

from groupwise.data.errors import InputError
from groupwise.data.prepare import identifier
from groupwise.data.validate import Roles

ROLES = Roles("score", "arm", "class", covariates=("mood",))
FIXTURES = Path(__file__).parent / "fixtures" / "formats"
CLASS = ["01", "01", "1", "1", "02", "02", "=3", "=3"]
SCORE = [1.5, np.nan, -2, 3.25, 4, 5, 6, 7.125]
TABLE = pd.DataFrame(
    {
        "pupil": range(1, 9),
        "class": CLASS,
        "arm": [0, 0, 1, 1] * 2,
        "score": SCORE,
        "mood": [1, 2, 3, 1, 2, 3, 1, 9],
        "day": [datetime.date(2026, 1, 31) + datetime.timedelta(i) for i in range(8)],
    }
)
CSV = TABLE.to_csv(index=False)


def to_workbook(path: Path) -> None:
    book = openpyxl.Workbook()
    for row in [list(TABLE), *TABLE.astype(object).replace({np.nan: None}).values.tolist()]:
        book.active.append(row)
    for cell in book.active["B"]:
        cell.data_type = "s"  # `=3` is text here
    book.create_sheet("empty")
    book.save(path)


def to_r(path: Path) -> None:
    shutil.copy(FIXTURES / f"pupils{path.suffix}", path)


def to_text(encoding: str = "utf-8", **form: Any) -> Callable[[Path], None]:
    return lambda path: path.write_bytes(TABLE.to_csv(index=False, **form).encode(encoding))


WRITERS: dict[str, Callable[[Path], None]] = {
    "comma.csv": to_text(),
    "bom.csv": to_text("utf-8-sig"),
    "utf16.csv": to_text("utf-16"),
    "utf32.csv": to_text("utf-32"),
    "semicolon.csv": to_text(sep=";"),
    "german.csv": to_text(sep=";", decimal=","),
    "tab.tsv": to_text(sep="\t"),
    "tab_comma.txt": to_text(sep="\t", decimal=","),
    "bar.dat": to_text(sep="|"),
    "space.txt": to_text(sep=" ", na_rep="NA"),
    "quoted.csv": to_text(quoting=1),
    "comma.csv.gz": lambda path: path.write_bytes(gzip.compress(CSV.encode())),
    "utf16.tsv.gz": lambda path: path.write_bytes(
        gzip.compress(TABLE.to_csv(index=False, sep="\t").encode("utf-16"))
    ),
    "a.parquet": lambda path: TABLE.to_parquet(path),
    "a.PARQUET": lambda path: TABLE.to_parquet(path),
    "indexed.parquet": lambda path: TABLE.set_index("class").to_parquet(path),
    "categories.parquet": lambda path: TABLE.astype({"class": "category"}).to_parquet(path),
    "a.feather": lambda path: TABLE.to_feather(path),
    "a.xlsx": to_workbook,
    "a.dta": to_r,
    "a.sav": to_r,
    "a.sas7bdat": to_r,
}


def read(path: Path, content: str | bytes, roles: Roles | None = ROLES, **form: Any) -> Raw:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_raw(path, roles, form=form)


def refused(path: Path, content: str | bytes, **form: Any) -> InputError:
    with pytest.raises(InputError) as caught:
        read(path, content, **form)
    said = str(caught.value)
    assert "\n" not in said and said.endswith((".", "?")), said
    return caught.value


@pytest.mark.parametrize("name", WRITERS)
def test_table_is_the_same_in_every_format(tmp_path: Path, name: str) -> None:
    WRITERS[name](tmp_path / name)
    found = read_raw(
        tmp_path / name, ROLES, form={"labels": False} if name[-3:] in LABELLED else {}
    )
    assert sorted(found.table) == ["arm", "class", "mood", "score"]
    assert list(identifier(found.table["class"])) == CLASS
    assert list(identifier(found.table["arm"])) == ["0", "0", "1", "1"] * 2
    np.testing.assert_array_equal(found.table["score"].astype(float), SCORE)
    np.testing.assert_array_equal(found.table["mood"], TABLE["mood"])
    assert found.notes and all(note.endswith(".") for note in found.notes)


LABELLED = ("dta", "sav")


@pytest.mark.parametrize("suffix", LABELLED)
def test_labels_stand_for_codes_of_identifiers(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    to_r(path)
    found = read_raw(path, ROLES)
    assert list(found.table["arm"]) == ["usual care", "usual care", "new", "new"] * 2
    assert list(found.table["mood"]) == list(TABLE["mood"]), "9 has no label: these are numbers"
    assert "'arm'" in found.notes[1] and "mood" not in found.notes[1]
    by_mood = read_raw(path, Roles("score", "arm", "mood")).table["mood"]
    assert list(by_mood) == ["low", "2", "high", "low", "2", "high", "low", "9"]
    assert read_raw(path, Roles("arm", "mood", "class")).table["arm"].tolist() == [0, 0, 1, 1] * 2


def test_codes_that_share_a_label_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.dta"
    table = TABLE[["score", "arm", "mood", "pupil"]]
    table.to_stata(path, write_index=False, value_labels={"arm": {0: "same", 1: "same"}})
    with pytest.raises(InputError, match="codes 0 and 1 of 'arm' share the label 'same'"):
        read_raw(path, Roles("score", "arm", "pupil"))
    found = read_raw(path, Roles("score", "arm", "pupil"), form={"labels": False})
    assert set(found.table["arm"]) == {0, 1}


@pytest.mark.parametrize("name", ["a.csv", "a.parquet", "a.xlsx", "a.sav"])
def test_dates_are_text_when_all_columns_are_read(tmp_path: Path, name: str) -> None:
    WRITERS.get(name, to_text())(tmp_path / name)
    found = read_raw(tmp_path / name, None).table
    assert list(found) == list(TABLE)
    assert found["day"].tolist()[:2] == ["2026-01-31", "2026-02-01"]


@pytest.mark.parametrize("name", ["a.csv", "a.parquet", "a.xlsx", "a.sav"])
def test_column_that_is_not_there_brings_the_names_of_all(tmp_path: Path, name: str) -> None:
    WRITERS.get(name, to_text())(tmp_path / name)
    found = read_raw(tmp_path / name, Roles("scores", "arm", "class")).table
    assert list(found) == list(TABLE) and len(found) > 0


@pytest.mark.parametrize("name", ["a.csv", "a.parquet", "a.xlsx", "a.sav"])
def test_columns_of_conditions_are_read_too(tmp_path: Path, name: str) -> None:
    WRITERS.get(name, to_text())(tmp_path / name)
    found = read_raw(tmp_path / name, Roles("score", "arm", "class"), also=["pupil"]).table
    assert set(found) == {"score", "arm", "class", "pupil"}


# Text ---------------------------------------------------------------------------------------------


def columns(text: str, values: list[str], delimiter: str = ";") -> str:
    """A file of text with `values` as scores."""
    rows = [f"{i},{i % 2},{value}".replace(",", delimiter, 2) for i, value in enumerate(values)]
    return "\n".join([f"class,arm,{text}".replace(",", delimiter), *rows]) + "\n"


FEW = Roles("score", "arm", "class")


@pytest.mark.parametrize(
    ("values", "numbers"),
    [
        (["1,5", "2,25", "-3"], [1.5, 2.25, -3]),
        (["1,500", "0,250", "3"], [1.5, 0.25, 3]),
        ([",5", "1e3", "+2,5E-1"], [0.5, 1000, 0.25]),
        (["1.5", "2.250", "3"], [1.5, 2.25, 3]),
        (["1.234", "5.678", ""], [1.234, 5.678, np.nan]),
        ([" 1,5 ", "NA", "2"], [1.5, np.nan, 2]),
    ],
)
def test_decimal_sign_is_found(tmp_path: Path, values: list[str], numbers: list[float]) -> None:
    for delimiter in ";\t|":
        found = read(tmp_path / "a.csv", columns("score", values, delimiter), FEW).table
        np.testing.assert_array_equal(found["score"], numbers)


def test_commas_that_may_separate_thousands_are_refused_or_declared(tmp_path: Path) -> None:
    text = columns("score", ["1,234", "12,500", "7"])
    error = refused(tmp_path / "a.csv", text.replace("class;arm", "class;arm"), roles=FEW)
    assert "the commas in the numbers of column 'score' may be decimal or not" in str(error)
    found = read(tmp_path / "a.csv", text, FEW, decimal=",").table
    assert found["score"].tolist() == [1.234, 12.5, 7]


def test_another_column_can_say_what_the_commas_are(tmp_path: Path) -> None:
    text = "class;arm;score;mood\n1;a;1,234;1,5\n2;b;2,345;2,5\n"
    assert read(tmp_path / "a.csv", text).table["score"].tolist() == [1.234, 2.345]


@pytest.mark.parametrize("value", ["1.234,5", "1,234.5", "1 234", "1'234"])
def test_numbers_with_thousands_stay_text_that_is_refused_later(tmp_path: Path, value: str) -> None:
    found = read(tmp_path / "a.csv", columns("score", [value, "2", "3"]), FEW).table
    assert found["score"].tolist()[0] == value


def test_word_among_decimal_commas_is_what_stays_text(tmp_path: Path) -> None:
    found = read(tmp_path / "a.csv", columns("score", ["1,5", "absent", "2,5", "3,5"]), FEW).table
    assert found["score"].tolist() == ["1.5", "absent", "2.5", "3.5"]


def test_label_keeps_its_commas_and_zeros(tmp_path: Path) -> None:
    text = "class;arm;score\n0,5;007;1,5\n0,50;7;2,5\n"
    found = read(tmp_path / "a.csv", text, FEW).table
    assert found["class"].tolist() == ["0,5", "0,50"] and found["arm"].tolist() == ["007", "7"]


def test_column_with_leading_zeros_stays_text(tmp_path: Path) -> None:
    text = "class,arm,score,zip\n1,a,1,01\n2,b,0,1\n"
    found = read(tmp_path / "a.csv", text, None).table
    assert found["zip"].tolist() == ["01", "1"] and found["score"].tolist() == [1, 0]


@pytest.mark.parametrize("cell", ["=1+1", "=cmd|' /C calc'!A0", "@SUM(A1)", "+1+1"])
def test_cell_that_looks_like_a_formula_is_text(tmp_path: Path, cell: str) -> None:
    found = read(tmp_path / "a.csv", f"class,arm,score\n{cell},a,1\n2,b,2\n", FEW).table
    assert found["class"].tolist() == [cell, "2"]


@pytest.mark.parametrize(
    ("text", "width"),
    [
        ("class;arm;score\na, b;c, d;1\ne;f;2\n", 3),
        ("class,arm,score\na b c,d,1\ne f c,d,1\n", 3),
        ("class,arm,score\na;b,c,1\nd,e;f,2\n", 3),
        ('"class";"arm";"score, total"\na;b;1\n', 3),
        ("class\tarm\tscore\tmood 1\na\tb\t1\t2,5\n", 4),
        ("class, arm, score\na, b, 1\nc, d, 2\n", 3),
        ("score\n1\n2\n", 1),
    ],
)
def test_delimiter_is_the_one_that_most_lines_agree_on(
    tmp_path: Path, text: str, width: int
) -> None:
    assert read(tmp_path / "a.csv", text, None).table.shape[1] == width


def test_declared_form_goes_first(tmp_path: Path) -> None:
    text = "class!arm!score\n1!a!1,5\n2!b!2,5\n"
    found = read(tmp_path / "a.csv", text, FEW, delimiter="!", decimal=",", encoding="latin-1")
    assert found.table["score"].tolist() == [1.5, 2.5]
    assert found.notes == ["Read as text: '!' between columns, decimal commas, iso8859-1."]


@pytest.mark.parametrize("label", ["trait\u00e9", "M\u00fcller", "gro\u00df"])
def test_windows_text_is_read_where_it_is_clear(tmp_path: Path, label: str) -> None:
    text = f"class,arm,score\n1,{label},1\n2,b,2\n"
    found = read(tmp_path / "a.csv", text.encode("cp1252"), FEW)
    assert found.table["arm"].tolist() == [label, "b"]
    assert found.notes[0].endswith("Windows-1252 (the file is not UTF-8).")


@pytest.mark.parametrize(
    ("label", "encoding"),
    [
        ("ma\u00f1ana", "cp1252"),  # a Polish letter in cp1250
        ("\u0142\u00f3d\u017a", "cp1250"),
        ("\u0448\u043a\u043e\u043b\u0430", "cp1251"),
        ("\u00e9t\u00e9", "cp850"),
        ("\u5b66\u6821", "shift_jis"),
        ("\u20ac 5", "cp1252"),
    ],
)
def test_other_text_is_refused_until_it_is_declared(
    tmp_path: Path, label: str, encoding: str
) -> None:
    text = f"class,arm,score\n1,{label},1\n2,b,2\n".encode(encoding)
    assert "not text in UTF-8" in str(refused(tmp_path / "a.csv", text, roles=FEW))
    found = read(tmp_path / "a.csv", text, FEW, encoding=encoding)
    assert found.table["arm"].tolist() == [label, "b"]


@given(
    st.lists(
        st.lists(
            st.text(
                st.characters(blacklist_categories=("Cs", "Cc"), max_codepoint=0x2FFF), max_size=6
            ),
            min_size=3,
            max_size=3,
        ),
        min_size=1,
        max_size=8,
    ),
    st.sampled_from(",;\t|"),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
)
def test_labels_come_back_as_they_were_written(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]], delimiter: str, encoding: str
) -> None:
    path = tmp_path_factory.mktemp("labels") / "a.csv"
    table = pd.DataFrame(rows, columns=["class", "arm", "score"])
    table.to_csv(path, index=False, sep=delimiter, encoding=encoding, quoting=1)
    found = read_raw(path, Roles("x", "arm", "class"), form={"delimiter": delimiter}).table
    for column in ("class", "arm"):
        for old, new in zip(table[column], found[column], strict=True):
            assert new == old.strip() or (pd.isna(new) and old.strip() in GONE)


GONE = ("", "NA", "N/A", "NaN", "nan", "null", "NULL", ".", "#N/A")


# Mistakes -----------------------------------------------------------------------------------------

GOOD = "class,arm,score\n1,a,1\n2,b,2\n"
MISTAKES: dict[str, tuple[str, str | bytes, dict[str, Any], str]] = {
    "short line": ("a.csv", GOOD + "3,a\n", {}, "line 4 has 2 fields, but the header has 3"),
    "long line": ("a.csv", GOOD + "\n3,a,1,2\n", {}, "line 5 has 4 fields"),
    "long line among quotes": ("a.csv", GOOD + '"3","a\nb",1,2\n', {}, "line 5 has 4 fields"),
    "long line with semicolons": (
        "a.csv", (GOOD + "3,a,1,2\n").replace(",", ";"), {}, "a text that holds a semicolon"),
    "open quote at the end": ("a.csv", GOOD + '3,a,"1\n', {}, "a quote that is not closed"),
    "text after a quote": ("a.csv", GOOD + '"3"x,a,1\n', {}, "line 4 cannot be read"),
    "column twice": ("a.csv", "class,arm,score,arm\n1,a,1,a\n", {}, "the column 'arm' 2 times"),
    "blank": ("a.csv", "\n\n", {}, "the file is empty"),
    "zeros": ("a.csv", b"class,arm\0,score\n", {}, "zero bytes"),
    "utf-16 without its mark": ("a.csv", GOOD.encode("utf-16-le"), {}, "zero bytes"),
    "wrong encoding": (
        "a.csv", b"class,arm,score\n1,\x81,1\n", {"encoding": "cp1252"}, "not text in CP1252"),
    "unknown encoding": ("a.csv", GOOD, {"encoding": "utf-99"}, "'utf-99' is no encoding"),
    "no encoding of text": ("a.csv", GOOD, {"encoding": "rot13"}, "'rot13' is no encoding"),
    "decimal sign": ("a.csv", GOOD, {"decimal": "'"}, "use . or ,"),
    "two characters": ("a.csv", GOOD, {"delimiter": "::"}, "'::' separates no fields"),
    "setting of another format": ("a.csv", GOOD, {"sheet": "a"}, "no such setting"),
    "setting of no use": ("a.parquet", b"PAR1", {"encoding": "utf-8"}, "remove it"),
    "cut off": ("a.csv.gz", gzip.compress(GOOD.encode())[:-9], {}, "damaged or cut off"),
    "gzip changed": (
        "a.csv.gz", gzip.compress(GOOD.encode())[:-8] + bytes(8), {}, "damaged or cut off"),
    "compressed twice": (
        "a.gz", gzip.compress(gzip.compress(GOOD.encode())), {}, "compressed twice"),
    "bzip2": ("a.csv", b"BZh91AY", {}, "not by gzip"),
    "workbook as CSV": ("a.csv", b"PK\x03\x04", {}, "is a spreadsheet or an archive"),
    "Parquet as CSV": ("a.csv", b"PAR1" * 9, {}, "a Parquet file without `.parquet`"),
    "CSV as Parquet": ("a.parquet", GOOD, {}, "not Parquet, or it is damaged"),
    "CSV as Feather": ("a.feather", GOOD, {}, "not Feather, or it is damaged"),
    "CSV as Excel": ("a.xlsx", GOOD, {}, "not an Excel workbook"),
    "archive as Excel": ("a.xlsx", b"PK\x05\x06" + bytes(18), {}, "not an Excel workbook"),
    "password": ("a.xlsx", b"\xd0\xcf\x11\xe0" * 9, {}, "one with a password"),
    "old Excel": ("a.xls", b"\xd0\xcf\x11\xe0", {}, "an old Excel workbook; save the table"),
    "pickle": ("a.pkl", b"\x80\x04.", {}, "a pickle, which can hold a program and is not read"),
    "pickle as CSV": ("a.csv", b"\x80\x04.", {}, "not text in UTF-8"),
    "R": ("a.RData", b"RDX2", {}, "which can hold a program"),
    "CSV as SPSS": ("a.sav", GOOD, {}, "not a file of SPSS, or it is damaged"),
    "CSV as Stata": ("a.dta", GOOD, {}, "not a file of Stata, or it is damaged"),
    "CSV as SAS": ("a.sas7bdat", GOOD, {}, "not a file of SAS, or it is damaged"),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_file_is_refused_in_one_sentence(tmp_path: Path, name: str) -> None:
    file, content, form, words = MISTAKES[name]
    assert words in str(refused(tmp_path / file, content, roles=FEW, **form))


def test_label_of_many_columns_may_be_named_twice_if_not_in_use(tmp_path: Path) -> None:
    found = read(tmp_path / "a.csv", "class,arm,score,x,x\n1,a,1,2,3\n", FEW).table
    assert list(found) == ["class", "arm", "score"]


@pytest.mark.parametrize("seed", range(4))
def test_damaged_file_of_spss_never_ends_the_run(tmp_path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    content = bytearray((FIXTURES / "pupils.sav").read_bytes())
    for i in rng.integers(0, len(content), 30):
        content[i] = rng.integers(256)
    (tmp_path / "a.sav").write_bytes(content)
    try:
        read_raw(tmp_path / "a.sav", ROLES)
    except InputError as error:
        assert error.key in ("file", "format.labels")


def test_reader_that_crashes_is_a_damaged_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("raw_table.statistical.COMMAND", ["sh", "-c", "kill -SEGV $$"])
    assert "or it is damaged" in str(refused(tmp_path / "a.sav", b"$FL2"))


def test_nested_values_are_refused(tmp_path: Path) -> None:
    table = TABLE.drop(columns="score").assign(score=[[1]] * 8)
    table.to_parquet(tmp_path / "a.parquet")
    with pytest.raises(InputError, match="column 'score' holds list"):
        read_raw(tmp_path / "a.parquet", FEW)


def test_long_numbers_that_are_labels_keep_their_digits(tmp_path: Path) -> None:
    long = [2**60 + i for i in range(8)]
    table = TABLE.assign(**{"class": pd.array([*long[:7], None], "Int64")})
    table.to_parquet(tmp_path / "a.parquet")
    found = identifier(read_raw(tmp_path / "a.parquet", FEW).table["class"])
    assert list(found[:7]) == [str(i) for i in long[:7]] and found.isna().tolist()[7]


def test_parquet_of_other_types_becomes_numbers_and_text(tmp_path: Path) -> None:
    table = pa.table(
        {
            "class": pa.array(["a ", "NA"]).dictionary_encode(),
            "arm": pa.array([True, None]),
            "score": pa.array([1, 2]).cast(pa.decimal128(30, 2)),
        }
    )
    parquet.write_table(table, tmp_path / "a.parquet")
    found = read_raw(tmp_path / "a.parquet", FEW).table
    assert found["score"].tolist() == [1.0, 2.0] and found["class"][0] == "a"
    assert found["class"].isna().tolist() == [False, True]


# Workbooks ----------------------------------------------------------------------------------------


def make_book(path: Path, sheets: dict[str, list[list[Any]]]) -> openpyxl.Workbook:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    book.save(path)
    return book


ROWS = [["class", "arm", "score"], ["01", 1, 1.5], [2, 2.0, 2]]


def test_workbook_may_start_below_and_have_gaps(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    rows = [[], [None, *ROWS[0]], [None, *ROWS[1]], [], [None, *ROWS[2], None]]
    make_book(path, {"data": rows, "notes": []})
    found = read_raw(path, None)
    assert found.notes == ["Read as Excel, sheet 'data'."]
    assert list(found.table) == ROWS[0] and found.table["score"].tolist() == [1.5, 2]
    labels = read_raw(path, FEW).table
    assert labels["class"].tolist() == ["01", "2"] and labels["arm"].tolist() == ["1", "2"]


def test_sheet_is_named_where_there_are_several(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    make_book(path, {"notes": [["made by hand"]], "data": ROWS})
    with pytest.raises(InputError, match="2 sheets in which something stands; name one"):
        read_raw(path, FEW)
    with pytest.raises(InputError, match="no sheet 'dat'; did you mean 'data'"):
        read_raw(path, FEW, form={"sheet": "dat"})
    assert len(read_raw(path, FEW, form={"sheet": "data"}).table) == 2


def test_formula_gives_its_stored_value_and_is_never_computed(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    make_book(path, {"data": [*ROWS, [3, 1, "=1+1"]]})
    with pytest.raises(InputError, match="cell C4 is a formula without a stored value"):
        read_raw(path, FEW)
    sheet = "xl/worksheets/sheet1.xml"
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(tmp_path / "b.xlsx", "w") as new:
        for name in old.namelist():
            text = old.read(name)
            if name == sheet:
                text = text.replace(b"<f>1+1</f><v />", b"<f>1+1</f><v>7</v>")
                assert b"<v>7</v>" in text
            new.writestr(name, text)
    assert read_raw(tmp_path / "b.xlsx", FEW).table["score"].tolist() == [1.5, 2, 7]


def test_workbook_that_unpacks_to_too_much_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_book(tmp_path / "a.xlsx", {"data": ROWS})
    monkeypatch.setattr("raw_table.workbook.LARGEST", 100)
    with pytest.raises(InputError, match="the workbook unpacks to"):
        read_raw(tmp_path / "a.xlsx", FEW)
