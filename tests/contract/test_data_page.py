"""data/README.md says what data/raw/ holds, number by number."""

from __future__ import annotations

import hashlib
import re
import subprocess
from functools import cache
from pathlib import Path

import pandas as pd
import pytest

RAW = Path(__file__).parents[2] / "data" / "raw"
PAGE = (RAW.parent / "README.md").read_text(encoding="utf-8")
FILE = "star_kindergarten.csv"


def ours() -> list[str]:
    """The raw files of the project: those in git, where there is git, not what else a user put there."""
    listed = ["git", "-C", str(RAW), "ls-files", "*.csv"]
    done = subprocess.run(listed, capture_output=True, text=True, check=False)
    return sorted(done.stdout.split() or (path.name for path in RAW.glob("*.csv")))


FILES = ours()


@cache
def raw(name: str) -> pd.DataFrame:
    """Every field as it is written; an empty one is missing."""
    return pd.read_csv(RAW / name, dtype=str, keep_default_na=False, na_values=[""])


def star() -> pd.DataFrame:
    return raw(FILE)


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


def codebook(name: str) -> list[dict[str, str]]:
    return table_below("### Codebook" if name == FILE else f"### Codebook of {name}", "column")


each_column = pytest.mark.parametrize(
    ("name", "row"),
    [pytest.param(n, row, id=f"{n}-{row['column']}") for n in FILES for row in codebook(n)],
)


def sums() -> dict[str, str]:
    lines = (RAW / "SHA256SUMS").read_text(encoding="utf-8").split()
    return dict(zip(lines[1::2], lines[::2], strict=True))


@pytest.mark.parametrize("name", FILES)
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


@pytest.mark.parametrize("name", FILES)
def test_section_counts_the_rows(name: str) -> None:
    row = table_below(f"## {name}", "file")[0]
    assert (row["file"], row["rows"]) == (name, str(len(raw(name))))


@pytest.mark.parametrize("name", FILES)
def test_codebook_has_the_columns_in_their_order(name: str) -> None:
    assert [row["column"] for row in codebook(name)] == list(raw(name).columns)


@each_column
def test_codebook_counts_missing_values(name: str, row: dict[str, str]) -> None:
    assert int(row["missing"]) == int(raw(name)[row["column"]].isna().sum())


@each_column
def test_codebook_lists_the_values(name: str, row: dict[str, str]) -> None:
    values = raw(name)[row["column"]].dropna()
    if ";" in row["values"]:
        assert set(row["values"].split("; ")) == set(values)
    elif "such as" in row["values"]:
        count, example = row["values"].split(" names, such as ")
        assert int(count) == values.nunique() and example in set(values)
    else:
        low, high = map(float, row["values"].split(" to "))
        numbers = values.astype(float)
        assert (numbers.min(), numbers.max()) == (low, high)
        assert row["type"] in ("identifier", "integer", "number")
        assert row["type"] == "number" or not (numbers % 1).any()


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


@pytest.mark.parametrize(
    ("name", "group", "inside", "arms", "sizes"),
    [
        ("machines.csv", "worker", None, ("machine", 3), {9}),
        ("oats.csv", "plot", "block", ("variety", 1), {4}),
        ("kiwi_shading.csv", "plot", "block", ("shade", 1), {4}),
    ],
)
def test_examples_are_laid_out_as_their_page_says(
    name: str, group: str, inside: str | None, arms: tuple[str, int], sizes: set[int]
) -> None:
    """Runs of workers on all machines; plots of one arm, and one of each arm in every block."""
    table, (treatment, held) = raw(name), arms
    groups = table.groupby(group)
    assert set(groups.size()) == sizes
    assert set(groups[treatment].nunique()) == {held}
    if inside is None:
        assert set(table.groupby([group, treatment]).size()) == {3}
    else:
        assert set(groups[inside].nunique()) == {1}
        assert set(table.groupby([inside, treatment])[group].nunique()) == {1}


def test_subplots_of_oats_have_each_amount_of_nitrogen_once() -> None:
    table = raw("oats.csv")
    assert (table.groupby(["plot", "nitrogen"]).size() == 1).all()
    assert table["nitrogen"].nunique() == 4


def test_signs_went_up_at_one_site_of_each_pair_after_the_first_period() -> None:
    cells = raw("speeding_signs.csv").groupby(["pair", "site", "period"])["sign"]
    assert cells.ngroups == 84 and set(cells.nunique()) == {1}
    sequences = cells.first().groupby(["pair", "site"]).agg(tuple)
    without, then_with = ("no sign",) * 3, ("no sign", "sign", "sign")
    assert sequences.value_counts().to_dict() == {without: 14, then_with: 14}
    for pair, site in sequences.index:
        expected = {f"{pair} signed": then_with, f"{pair} unsigned": without}
        assert sequences[pair, site] == expected[site]


def test_cells_of_speeding_signs_are_as_large_as_the_page_says() -> None:
    sizes = raw("speeding_signs.csv").groupby(["period", "site"]).size()
    odd = sizes[sizes != 100]
    assert set(odd.index.get_level_values("period")) == {"3"}
    assert sorted(odd) == [82, 83, 85, 90, 97, 200]
    assert odd.idxmax() == ("3", "11 unsigned")
    assert "(82, 83, 85, 90 and 97), and one has 200: site `11 unsigned`" in PAGE


def test_every_patient_of_inhaler_leaflets_used_both_devices_in_one_order() -> None:
    table = raw("inhaler_leaflets.csv").sort_values(["patient", "period"], kind="stable")
    assert (table.groupby(["patient", "period"]).size() == 1).all()
    patients = table.groupby("patient").agg(
        {"sequence": "unique", "device": tuple, "period": tuple}
    )
    assert set(patients["period"]) == {("1", "2")}
    for sequence, devices in zip(patients["sequence"], patients["device"], strict=True):
        assert " then ".join(device.split()[1] for device in devices) == sequence.item()
    counts = patients["device"].value_counts()
    assert counts["device A", "device B"] == 142 and counts["device B", "device A"] == 144


def test_ratings_of_inhaler_leaflets_are_the_printed_counts() -> None:
    table = raw("inhaler_leaflets.csv").sort_values(["patient", "period"], kind="stable")
    pairs = table.groupby(["patient", "sequence"])["rating"].agg("".join).reset_index()
    counts = pairs.groupby(["sequence", "rating"]).size()
    for row in table_below("### Design of inhaler_leaflets.csv", "rated in period 1"):
        for second in "1234":
            a_first, b_first = (
                int(counts.get((order, row["rated in period 1"] + second), 0))
                for order in ("A then B", "B then A")
            )
            assert row[f"{second} in period 2"] == f"{a_first} ({b_first})"
    assert f"{table['rating'].isin(['1', '2']).sum()} of {len(table)} ratings are 1 or 2" in PAGE
