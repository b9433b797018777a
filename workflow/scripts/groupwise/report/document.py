"""All results of one dataset as one JSON document, and the JSON Schema of that document.

A table is a list of records, or where it may be long an object of columns. Numbers that are not
known are null; infinity, which JSON has not, is the text "Inf" or "-Inf", as R's jsonlite writes and
reads it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from groupwise.catalogue.methods import NAMES, method_label
from groupwise.catalogue.tables import AS_RECORDS, IN_JSON, TABLES

if TYPE_CHECKING:
    import pandas as pd

VERSION = "2.1"
"""The first number changes when a reader has to change, the second when something is added."""

TYPES = {"f": "number", "i": "integer", "b": "boolean"}
"""By the kind of a column; any other is a string."""


def document(
    tables: Mapping[str, pd.DataFrame], parts: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """The JSON document of one dataset's results.

    Parameters
    ----------
    tables : results tables by name, see `catalogue.tables`
    parts
        The contents of JSON files by name: `design`, `process`, `verdict`, `calibration`,
        `provenance`, for simulated data `truth`, others.
    """
    design = dict(parts["design"])
    head = {name: design.pop(name) for name in ("dataset", "title", "note")}
    design.pop("source", None)  # also in the provenance
    methods = dict.fromkeys(tables["estimates"]["method"])
    contents: dict[str, Any] = {"truth": None} | dict(parts) | {"design": design}
    return {
        "schema_version": VERSION,
        **head,
        "headline": parts["verdict"]["lead"],
        "methods": {method: method_label(method) for method in methods},
        **{name: _plain(contents[name]) for name in sorted(contents)},
        "columns": {name: _types(table) for name, table in tables.items()},
        "tables": {name: encoded(name, table) for name, table in tables.items()},
    }


def encoded(name: str, table: pd.DataFrame) -> list[dict[str, Any]] | dict[str, list[Any]]:
    """A results table as JSON: a list of records, or an object of columns if it may be long."""
    columns = {column: [_plain(value) for value in table[column].tolist()] for column in table}
    if name not in AS_RECORDS:
        return columns
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def text(contents: Mapping[str, Any]) -> str:
    """The document as text, the same bytes each time: a line for each part, record and column."""
    rest = {name: value for name, value in contents.items() if name != "tables"}
    lines = [f"{_dumped(name)}: {_dumped(value)}" for name, value in rest.items()]
    tables = [f"{_dumped(name)}: {_lines(table)}" for name, table in contents["tables"].items()]
    inside = ",\n".join(tables)
    return "{\n" + ",\n".join([*lines, f'"tables": {{\n{inside}\n}}']) + "\n}\n"


def schema() -> dict[str, Any]:
    """The JSON Schema of the document, from the columns of the results tables."""
    properties = _head_schemas() | {
        "columns": _described(
            "Of each table, the type of each column.",
            type="object",
            additionalProperties={
                "type": "object",
                "additionalProperties": {"enum": [*TYPES.values(), "string"]},
            },
        ),
        "tables": _described(
            "The results tables: lists of records, or objects of columns.",
            type="object",
            required=list(IN_JSON),
            properties={name: _table_schema(name) for name in IN_JSON},
            additionalProperties={"type": ["array", "object"]},
        ),
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Groupwise: the results of one dataset",
        "description": (
            'Null is a number that is not known; the texts "Inf" and "-Inf" are infinite. Further '
            "parts and tables may come in within one major version."
        ),
        "type": "object",
        "required": list(properties),
        "properties": properties,
        "additionalProperties": {"type": ["object", "array", "null"]},
        "$defs": {
            "number": {"anyOf": [{"type": ["number", "null"]}, {"enum": ["Inf", "-Inf"]}]},
            "integer": {"type": "integer"},
            "boolean": {"type": "boolean"},
            "string": {"type": "string"},
        },
    }


def _head_schemas() -> dict[str, Any]:
    """Schemas of the parts of the document that are not tables."""
    return {
        "schema_version": _described("Version of this schema: major.minor.", const=VERSION),
        "dataset": _described("The dataset's name, also in the column `dataset`.", type="string"),
        "title": _described("The report's title.", type="string"),
        "note": _described("The user's sentences about the data, or nothing.", type="string"),
        "headline": _described("The method the report leads with.", enum=list(NAMES)),
        "methods": _described(
            "The methods that were asked, in order, with the labels that reports show.",
            type="object",
            propertyNames={"enum": list(NAMES)},
            additionalProperties={"type": "string"},
        ),
        "design": _described(
            "What was understood of the experiment, as in design.json.", type="object"
        ),
        "verdict": _verdict_schema(),
        "calibration": _described(
            "What was simulated for the verdict, as in calibration.json; or why nothing was.",
            type="object",
            required=["simulated", "message"],
            properties={"simulated": {"type": "boolean"}, "message": {"type": "string"}},
        ),
        "process": _described(
            "The process that was simulated and planned from, as in process.json; or why there is none.",
            type="object",
            required=["estimated", "message"],
            properties={"estimated": {"type": "boolean"}, "message": {"type": "string"}},
        ),
        "provenance": _described(
            "The source and its sha256, seed, versions, commit.", type="object"
        ),
        "truth": _described(
            "True values of simulated data, null for others.", type=["object", "null"]
        ),
    }


def _verdict_schema() -> dict[str, Any]:
    """Schema of verdict.json."""
    sentences = {"type": "array", "items": {"type": "string"}}
    properties = {
        "headline": _described("Null: every method is shown to be invalid.", enum=[*NAMES, None]),
        "lead": _described("What is shown first all the same.", enum=list(NAMES)),
        "chosen": _described("Was it chosen beforehand?", type="boolean"),
        "calibrated": _described("Was there a simulation to judge by?", type="boolean"),
        "most_powerful": {"type": "array", "items": {"enum": list(NAMES)}},
        "sentences": sentences,
        "departures": sentences,
        "disagreements": {"type": "array", "items": {"type": "object"}},
        "rules": {"type": "object"},
    }
    return _described(
        "Why this method leads, as in verdict.json; the table `verdict` says it of every method.",
        type="object",
        required=list(properties),
        properties=properties,
    )


def _table_schema(name: str) -> dict[str, Any]:
    """Exactly the columns of one results table."""
    kinds = {float: "number", int: "integer", bool: "boolean", str: "string"}
    columns: dict[str, Any] = {
        column: {"$ref": f"#/$defs/{kinds[kind]}"} for column, kind in TABLES[name].columns.items()
    }
    if name not in AS_RECORDS:
        columns = {column: {"type": "array", "items": each} for column, each in columns.items()}
    record = {
        "type": "object",
        "required": list(columns),
        "properties": columns,
        "additionalProperties": False,
    }
    return {"type": "array", "items": record} if name in AS_RECORDS else record


def _described(description: str, **rules: Any) -> dict[str, Any]:
    return {"description": description, **rules}


def _types(table: pd.DataFrame) -> dict[str, str]:
    return {str(column): TYPES.get(table[column].dtype.kind, "string") for column in table}


def _plain(value: Any) -> Any:
    """A value as JSON can hold it, nested ones too: NaN as null, infinities as text."""
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if not isinstance(value, float) or math.isfinite(value):
        return value
    if math.isnan(value):
        return None
    return "Inf" if value > 0 else "-Inf"


def _dumped(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _lines(table: list[dict[str, Any]] | dict[str, list[Any]]) -> str:
    """The text of an encoded table, a record or a column in each line."""
    if isinstance(table, list):
        return "[" + ",".join(f"\n{_dumped(record)}" for record in table) + "\n]"
    columns = (f"\n{_dumped(name)}: {_dumped(values)}" for name, values in table.items())
    return "{" + ",".join(columns) + "\n}"
