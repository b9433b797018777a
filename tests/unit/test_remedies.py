"""The setting that mends a column of text; pasted into config.yaml, it has to work."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from raw_table import read_raw

from groupwise.data.errors import InputError
from groupwise.data.remedies import in_yaml, why_text
from groupwise.data.validate import Roles


def settings_in(fix: str) -> list[dict[str, Any]]:
    """The settings that a fix names, as YAML reads them."""
    return [yaml.safe_load("{" + part + "}") for part in fix.split("`")[1::2]]


SIGN = "a sign between thousands, as in"
CAUSES: dict[str, tuple[list[Any], str, list[dict[str, Any]]]] = {
    "per cent": (["65,6 %", "3 %"], "a unit, as in '65,6 %'", [{"format": {"units": {"Q: 1": "%"}}}]),
    "unit in a workbook": (["46.8 kg", 12.5], "a unit", [{"format": {"units": {"Q: 1": "kg"}}}]),
    "currency": (["$12.50", "-$3"], "a unit", [{"format": {"units": {"Q: 1": "$"}}}]),
    "currency code": (["EUR 12", "EUR 3"], "a unit", [{"format": {"units": {"Q: 1": "EUR"}}}]),
    "two units": (["46.8 kg", "12 g"], "several units: kg (1), g (1)", []),
    "points": (["1.707,91", "3,5", "12.000"], SIGN, [{"format": {"thousands": "."}}]),
    "commas": (["1,707.91", "3.5"], SIGN, [{"format": {"thousands": ","}}]),
    "commas only": (["1,707", "3.5"], SIGN, [{"format": {"thousands": ","}}]),
    "unclear commas": (
        ["1,707", "12"], "may be decimal or not",
        [{"format": {"thousands": ","}}, {"format": {"decimal": ","}}]),
    "spaces": (
        ["1\u202f707,5", "3"], SIGN, [{"format": {"thousands": " ", "decimal": ","}}]),
    "apostrophes": (["1'707.5", "3"], SIGN, [{"format": {"thousands": "'"}}]),
    "decimal commas": (["1,5", "12,25", "3"], "a decimal comma", [{"format": {"decimal": ","}}]),
    "decimal commas in thousandths": (
        ["1,500", "0,250"], "a decimal comma", [{"format": {"decimal": ","}}]),
    "a text": (
        [1.5, "absent", "absent", 3], "a text among its numbers: 'absent' (2)",
        [{"missing_codes": {"Q: 1": ["absent"]}}]),
    "several texts": (
        ["1", "k.A.", "-", "n/a", "-", "2", "3"], "texts among its numbers: 'k.A.' (1), '-' (2)",
        [{"missing_codes": {"Q: 1": ["k.A.", "-", "n/a"]}}]),
    "text among labels": (
        ["yes", "no", "n/a", "yes"], "may mean missing: 'n/a' (1)",
        [{"missing_codes": {"Q: 1": ["n/a"]}}]),
    "yes and no": (
        ["yes", "no", "yes"], "two labels, 'no' and 'yes'",
        [{"recode": {"Q: 1": {"no": 0, "yes": 1}}}]),
    "true and false": (
        [True, False], "two labels, 'false' and 'true'",
        [{"recode": {"Q: 1": {"false": 0, "true": 1}}}]),
    "German truth": (
        ["WAHR", "FALSCH"], "two labels", [{"recode": {"Q: 1": {"FALSCH": 0, "WAHR": 1}}}]),
    "agreement": (
        ["Agree", "Strongly disagree", "Neutral", "Agree"], "labels in an order",
        [{"recode": {"Q: 1": {"Strongly disagree": 1, "Neutral": 3, "Agree": 4}}}]),
    "frequency": (
        ["often", "never", "sometimes"], "labels in an order",
        [{"recode": {"Q: 1": {"never": 1, "sometimes": 3, "often": 4}}}]),
    "three labels": (["Ja", "Nein", "weiss", "Ja"], "holds 3 labels",
        [{"recode": {"Q: 1": {"Nein": 0, "Ja": 1, "weiss": None}}}]),
    "colours": (["red", "green", "blue"], "holds 3 labels, not numbers: 'blue', 'green', 'red'", []),
    "two signs": (["46.7", "47,1", "48.2"], "a comma as in '47,1' (1), and a point", []),
    "brackets": (["(12.5)", "3"], "'(12.5)' (1)", []),
    "limits": (["<0.5", "3"], "'<0.5' (1)", []),
    "many texts": (
        [*range(20), *"abcdefghi"], "9 different texts", [{"missing_codes": {"Q: 1": ["a"]}}]),
}  # fmt: skip


@pytest.mark.parametrize("name", CAUSES)
def test_cause_is_named_with_its_setting(name: str) -> None:
    values, words, settings = CAUSES[name]
    found = why_text(pd.Series(values, name="Q: 1"))
    assert found is not None
    problem, fix = found
    assert problem.startswith("column 'Q: 1' ") and words in problem
    assert settings_in(fix) == settings


@pytest.mark.parametrize(
    "values",
    [[1, 2], [1.5, None], ["1.5", "2"], [*"abcdefgh"], [None]],
)
def test_nothing_is_said_without_a_cause(values: list[Any]) -> None:
    assert why_text(pd.Series(values, name="x")) is None


@given(st.one_of(st.text(max_size=12), st.sampled_from(["no", "~", "-", "1e3", "0x1", "1:2", "="])))
def test_text_in_yaml_is_read_back(text: str) -> None:
    assert yaml.safe_load(f"{{{in_yaml(text)}: [{in_yaml(text)}]}}") == {text: [text]}
    assert "\n" not in in_yaml(text)


@pytest.mark.parametrize("sign", [";", "\t", ","])
def test_doing_what_the_sentences_say_reads_a_file_with_many_mistakes(
    tmp_path: Path, sign: str
) -> None:
    costs = ["1.707,91", "12,5", "k.A.", "1.200", "-99"]
    shares = ["65,6 %", "7 %", "", "100 %", "k.A."]
    rows = [["clinic", "arm", "costs", "share"]]
    rows += [
        [f"c{i}", "ab"[i % 2], *pair] for i, pair in enumerate(zip(costs, shares, strict=True))
    ]
    path = tmp_path / "a.csv"
    path.write_text(
        "\n".join(sign.join(f'"{cell}"' for cell in row) for row in rows), encoding="utf-8"
    )
    roles = Roles("costs", "arm", "clinic", covariates=("share",))
    form: dict[str, Any] = {}
    codes: dict[str, list[Any]] = {}
    for _ in range(8):
        try:
            table = read_raw(path, roles, form=form, missing_codes=codes).table
            found = why_text(table["costs"]) or why_text(table["share"])
        except InputError as error:
            found = (error.problem, error.fix)
        if found is None:
            break
        setting = settings_in(found[1])[0]
        for key, value in setting.get("format", {}).items():
            form[key] = value
        for column, texts in setting.get("missing_codes", {}).items():
            codes[column] = codes.get(column, []) + texts
    assert table["costs"].dropna().tolist() == [1707.91, 12.5, 1200]
    assert table["share"].dropna().tolist() == [65.6, 7, 100]
    assert form == {"thousands": ".", "units": {"share": "%"}}
    assert codes == {"costs": ["k.A.", -99], "share": ["k.A."]}
