"""What programs read: the JSON beside each report, and the same tables from a data frame."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import pandas as pd
import pytest
import yaml
from job import read_json, read_result
from jsonschema import Draft202012Validator
from test_end_to_end import DATASETS, FIGURES, TABLES
from tiny_project import TINY_CSV, Project

import groupwise
from groupwise import figures, tidy
from groupwise.report.document import schema

SCHEMA = schema()

PLANNED = ["mixed_kenward_roger"]
"""Planning for every method takes long."""

each_dataset = pytest.mark.parametrize("dataset", DATASETS)


@cache
def analysed(project: Project, dataset: str) -> groupwise.Analysis:
    """A dataset of the tiny project, in memory: analysed once for its tables and its figures."""
    block = yaml.safe_load(project.read("config.yaml"))["datasets"][dataset]
    given: dict[str, Any] = block["roles"] | {"reference": block["reference"], "dataset": dataset}
    if "file" in block:
        table = pd.read_csv(project.folder / TINY_CSV)
    else:
        roles = {name: given[name] for name in ("outcome", "treatment", "group")}
        table = groupwise.simulate(**roles, **block["simulate"])
        # The workflow writes what it simulates.
        exact = table[roles["outcome"]].map(lambda score: float(tidy.FLOAT_FORMAT % score))
        table = table.assign(**{roles["outcome"]: exact})
        given["true_effects"] = block["simulate"]["effects"]
    config = yaml.safe_load(project.read("config.yaml"))
    found = groupwise.analyse(table, **given, headline=config["headline"])
    found.calibrate(**{key: value for key, value in config["calibration"].items() if key != "jobs"})
    found.plan(methods=PLANNED)
    return found


@each_dataset
def test_json_keeps_its_schema_and_holds_every_table(finished: Project, dataset: str) -> None:
    made = json.loads(finished.read(f"reports/rendered/{dataset}.json"))
    assert [error.message for error in Draft202012Validator(SCHEMA).iter_errors(made)] == []
    assert set(made["tables"]) == set(TABLES)
    for name, rows in made["tables"].items():
        kinds = {"number": float, "integer": int, "boolean": bool, "string": str}
        told = {column: kinds[kind] for column, kind in made["columns"][name].items()}
        found = pd.DataFrame(rows, columns=list(told)).astype(told)
        expected = read_result(finished.folder / f"results/{dataset}/{name}.csv", name)
        pd.testing.assert_frame_equal(found, expected, check_exact=True)


@each_dataset
def test_json_says_where_it_is_from(finished: Project, dataset: str) -> None:
    made = json.loads(finished.read(f"reports/rendered/{dataset}.json"))
    block = yaml.safe_load(finished.read("config.yaml"))["datasets"][dataset]
    folder = finished.folder / "results" / dataset
    assert (made["dataset"], made["title"]) == (dataset, block["title"])
    assert made["headline"] == "mixed_wald" and "mixed_wald" in made["methods"]
    assert made["provenance"] == read_json(folder / "provenance.json")
    for part in ("verdict", "calibration", "process"):
        assert made[part] == read_json(folder / f"{part}.json")
    assert made["verdict"]["lead"] == "mixed_wald" and made["calibration"]["simulated"]
    truth = folder / "truth.json"
    assert made["truth"] == (read_json(truth) if truth.is_file() else None)


@each_dataset
def test_a_data_frame_gives_the_same_tables_to_the_last_digit(
    finished: Project, dataset: str
) -> None:
    found, folder = analysed(finished, dataset), finished.folder / "results" / dataset
    assert set(found.tables) == {*TABLES, "residuals"}
    for name, table in found.tables.items():
        file = f"{name}.parquet" if name == "residuals" else f"{name}.csv"
        expected = read_result(folder / file, name)
        if name == "planning":
            own = expected["method"].isin(PLANNED)
            expected = expected[own].reset_index(drop=True)
        pd.testing.assert_frame_equal(table, expected, check_exact=True, obj=name)
    judged = json.loads(json.dumps([found._judged.content, found._judged.overview]))
    assert judged == [read_json(folder / f"{name}.json") for name in ("verdict", "calibration")]
    written = read_json(folder / "design.json")
    assert found.design == {key: value for key, value in written.items() if key != "source"} | {
        "title": dataset,
        "note": "",
    }


@each_dataset
def test_a_data_frame_gives_the_same_figures(finished: Project, dataset: str) -> None:
    found, folder = analysed(finished, dataset), finished.folder / "results" / dataset / "figures"
    for name in FIGURES:
        figure = found._drawn(name)
        assert figures.render(figure, "svg") == (folder / f"{name}.svg").read_bytes(), name
        assert f"{found.alt_text(name)}\n" == (folder / f"{name}.txt").read_text("utf-8"), name
