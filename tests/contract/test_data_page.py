"""data/README.md says what data/raw/ holds, number by number."""

from __future__ import annotations

import hashlib
import re
from functools import cache
from pathlib import Path

import pandas as pd
import pytest

RAW = Path(__file__).parents[2] / "data" / "raw"
PAGE = (RAW.parent / "README.md").read_text(encoding="utf-8")
FILE = "star_kindergarten.csv"


@cache
def star() -> pd.DataFrame:
    """Every field as it is written; an empty one is missing."""
    return pd.read_csv(RAW / FILE, dtype=str, keep_default_na=False, na_values=[""])


def table_below(heading: str, first: str) -> list[dict[str, str]]:
    """The rows of the first table below a heading whose header starts with a word."""
    section = PAGE[PAGE.index(heading) :]
    lines = iter(section[section.index(f"| {first} |") :].splitlines())
    rows = []
    for line in lines:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return [dict(zip(rows[0], row, strict=True)) for row in rows[2:]]


CODEBOOK = table_below("### Codebook", "column")
each_column = pytest.mark.parametrize("row", CODEBOOK, ids=[row["column"] for row in CODEBOOK])


def sums() -> dict[str, str]:
    lines = (RAW / "SHA256SUMS").read_text(encoding="utf-8").split()
    return dict(zip(lines[1::2], lines[::2], strict=True))


@pytest.mark.parametrize("name", sorted(path.name for path in RAW.glob("*.csv")))
def test_every_raw_file_has_its_sum_and_its_section(name: str) -> None:
    found = hashlib.sha256((RAW / name).read_bytes()).hexdigest()
    assert sums()[name] == found
    assert f"## {name}" in PAGE and f"| {found} |" in PAGE


def test_sums_list_no_file_that_is_not_there() -> None:
    assert all((RAW / name).is_file() for name in sums())


def test_star_has_its_pupils_teachers_schools_and_gaps() -> None:
    table = star()
    assert len(table) == 6325 and table["pupil"].is_unique
    assert (table["teacher"].nunique(), table["school"].nunique()) == (339, 79)
    assert int(table["math"].isna().sum()) == 454
    row = table_below(f"## {FILE}", "file")[0]
    assert (row["file"], row["rows"]) == (FILE, "6325")


def test_codebook_has_the_columns_in_their_order() -> None:
    assert [row["column"] for row in CODEBOOK] == list(star().columns)


@each_column
def test_codebook_counts_missing_values(row: dict[str, str]) -> None:
    assert int(row["missing"]) == int(star()[row["column"]].isna().sum())


@each_column
def test_codebook_lists_the_values(row: dict[str, str]) -> None:
    values = star()[row["column"]].dropna()
    if ";" in row["values"]:
        assert set(row["values"].split("; ")) == set(values)
    else:
        low, high = map(int, row["values"].split(" to "))
        numbers = values.astype(int)
        assert (numbers.min(), numbers.max()) == (low, high)
        assert row["type"] in ("identifier", "integer")


COUNTS = table_below("### Design", "count")


@pytest.mark.parametrize("row", COUNTS, ids=[row["count"] for row in COUNTS])
def test_counts_by_class_type_are_those_of_the_file(row: dict[str, str]) -> None:
    table, what = star(), row["count"]
    if "mathematics" in what:
        table = table.dropna(subset=["math"])
    if "reading" in what:
        table = table.dropna(subset=["reading"])
    unit = {"pupils": "pupil", "teachers": "teacher", "schools": "school"}[what.split()[0]]
    for arm in ("small", "regular", "regular with aide"):
        assert int(row[arm]) == table.loc[table["class_type"] == arm, unit].nunique()
    assert int(row["all"]) == table[unit].nunique()


@pytest.mark.parametrize(
    ("words", "count"),
    [
        (r"(\d+) without mathematics", lambda t: t["math"].isna().sum()),
        (r"(\d+) without reading", lambda t: t["reading"].isna().sum()),
        (r"(\d+) in mathematics", lambda t: t["math"].nunique()),
        (r"(\d+) in reading", lambda t: t["reading"].nunique()),
    ],
)
def test_numbers_in_sentences_are_those_of_the_file(words: str, count: object) -> None:
    found = re.search(words, PAGE)
    assert found is not None and callable(count)
    assert int(found[1]) == int(count(star()))


def test_treatment_is_constant_in_classes_and_classes_lie_in_one_school() -> None:
    within = star().groupby("teacher")[
        ["class_type", "school", *(c for c in star().columns if c.startswith("teacher_"))]
    ]
    assert within.nunique(dropna=False).max().max() == 1
    assert star().groupby("school")["school_type"].nunique(dropna=False).max() == 1
    arms = star().groupby("school")["class_type"].unique()
    assert [school for school, held in arms.items() if len(held) < 3] == ["14"]
    assert "School 14 has no regular class" in PAGE
