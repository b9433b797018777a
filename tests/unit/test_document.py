"""The JSON of a dataset: what is in it, how numbers are written, and that its schema is kept."""

from __future__ import annotations

import importlib.util
import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from experiments import ROOT, draw, fit_all, sample_of
from jsonschema import Draft202012Validator

from groupwise import tidy
from groupwise.catalogue.tables import AS_RECORDS, IN_JSON
from groupwise.report.document import document, encoded, schema, text

SCHEMA_FILE = ROOT / "workflow" / "schemas" / "results.schema.json"
VALIDATOR = Draft202012Validator(json.loads(SCHEMA_FILE.read_text(encoding="utf-8")))
PARTS: dict[str, dict[str, Any]] = {
    "design": {"dataset": "test", "title": "“Tést”", "note": "", "source": {}, "arms": {"A": 1}},
    "process": {"estimated": False, "message": "Nothing varies."},
    "provenance": {"seed": None},
    "calibration": {"simulated": False, "message": "None is asked for."},
    "verdict": {
        "headline": None,
        "lead": "mixed_wald",
        "chosen": False,
        "calibrated": False,
        "most_powerful": [],
        "sentences": ["None is recommended."],
        "departures": [],
        "disagreements": [{"contrast": "B - A"}],
        "rules": {"level": 0.05},
    },
}


@pytest.fixture(scope="module")
def tables() -> dict[str, pd.DataFrame]:
    fitted = fit_all(sample_of(draw(arms=2, groups=6)), ["pooled", "dummy", "mixed"])
    checks = [("test", "one", np.nan, np.inf, "ok", "")]
    fitted["diagnostics"] = pd.DataFrame(checks, columns=list(tidy.TABLES["diagnostics"]))
    return {name: fitted.get(name, tidy.table(name, [])) for name in IN_JSON}


@pytest.fixture(scope="module")
def made(tables: dict[str, pd.DataFrame]) -> dict[str, Any]:
    return document(tables, PARTS)


def test_numbers_that_json_does_not_have() -> None:
    values = [1.5, np.nan, np.inf, -np.inf, 0.1 + 0.2]
    found = encoded("further", pd.DataFrame({"x": values, "n": range(5), "s": list("abcde")}))
    assert isinstance(found, dict)
    assert found["x"] == [1.5, None, "Inf", "-Inf", 0.1 + 0.2]
    assert found["n"] == [0, 1, 2, 3, 4] and found["s"] == list("abcde")


def test_document_keeps_its_schema(made: dict[str, Any]) -> None:
    read = json.loads(text(made))
    assert read == made
    assert [error.message for error in VALIDATOR.iter_errors(read)] == []


def test_every_table_comes_back_from_its_json(
    tables: dict[str, pd.DataFrame], made: dict[str, Any]
) -> None:
    assert list(made["tables"]) == list(tables)
    for name, table in tables.items():
        told = made["columns"][name]
        kinds = {"number": float, "integer": int, "boolean": bool, "string": str}
        read = pd.DataFrame(made["tables"][name], columns=list(told))
        read = read.astype({column: kinds[kind] for column, kind in told.items()})
        expected = table.reset_index(drop=True).astype(tidy.TABLES[name])
        pd.testing.assert_frame_equal(read, expected, check_exact=True)


def test_there_is_a_line_for_each_record_and_column(made: dict[str, Any]) -> None:
    lines = text(made).partition('"tables": {\n')[2].splitlines()
    for name, table in made["tables"].items():
        first = lines.index(next(line for line in lines if line.startswith(f'"{name}": ')))
        inside = lines[first + 1 : first + 1 + len(table)]
        assert all(line[0] == ("{" if name in AS_RECORDS else '"') for line in inside)
        assert lines[first + 1 + len(table)].strip(",") in ("]", "}")
    assert "“Tést”" in text(made) and text(made).endswith("}\n")


def test_what_is_said_twice_is_left_out(made: dict[str, Any]) -> None:
    assert made["design"] == {"arms": {"A": 1}} and made["title"] == "“Tést”"
    assert made["truth"] is None


def test_rows_of_individuals_are_not_in_it() -> None:
    assert "residuals" not in schema()["properties"]["tables"]["properties"]
    assert set(AS_RECORDS) <= set(IN_JSON)


def test_headline_is_what_the_verdict_leads_with(made: dict[str, Any]) -> None:
    assert made["headline"] == made["verdict"]["lead"] == "mixed_wald"
    assert made["verdict"] == PARTS["verdict"] and made["calibration"] == PARTS["calibration"]
    wrong = json.loads(text(made))
    del wrong["verdict"]["calibrated"]
    assert not VALIDATOR.is_valid(wrong)


def test_further_tables_and_parts_are_taken_in(tables: dict[str, pd.DataFrame]) -> None:
    more = tables | {"further": pd.DataFrame({"left_out": ["1"], "estimate": [np.inf]})}
    found = document(more, PARTS | {"another": {"power": np.nan}})
    assert found["tables"]["further"] == {"left_out": ["1"], "estimate": ["Inf"]}
    assert found["columns"]["further"] == {"left_out": "string", "estimate": "number"}
    assert found["another"] == {"power": None}
    assert VALIDATOR.is_valid(json.loads(text(found)))


@pytest.mark.parametrize(
    ("table", "column", "value"),
    [
        ("estimates", "p_value", "much"),
        ("estimates", "n_obs", 1.5),
        ("estimates", "stars", 1.0),
        ("coefficients", "estimate", ["much"]),
    ],
)
def test_schema_refuses_what_is_wrong(
    made: dict[str, Any], table: str, column: str, value: Any
) -> None:
    wrong = json.loads(text(made))
    rows = wrong["tables"][table]
    (rows if isinstance(rows, dict) else rows[0])[column] = value
    assert not VALIDATOR.is_valid(wrong)


@pytest.mark.parametrize(
    "key", ["schema_version", "headline", "provenance", "verdict", "calibration", "tables"]
)
def test_schema_misses_what_is_missing(made: dict[str, Any], key: str) -> None:
    assert not VALIDATOR.is_valid({name: each for name, each in made.items() if name != key})


def test_committed_schema_is_that_of_the_tables() -> None:
    path = ROOT / "workflow" / "scripts" / "setup" / "results_schema.py"
    spec = importlib.util.spec_from_file_location("results_schema", path)
    assert spec is not None and spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    Draft202012Validator.check_schema(schema())
    assert SCHEMA_FILE.read_text(encoding="utf-8") == script.written(), (
        "run: .venv/bin/python workflow/scripts/setup/results_schema.py --write"
    )
