"""The schema of config.yaml describes every key, and the table of docs/settings.md is made from it."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from configuration import check_configuration, load_schema
from jsonschema import Draft202012Validator

from groupwise.catalogue.methods import DESIGN_KINDS, NAMES, PREFERENCES
from groupwise.catalogue.processes import PROCESSES
from groupwise.data.simulate import Covariate, Recipe
from groupwise.data.validate import Roles
from groupwise.simulation.grid import Grid
from groupwise.simulation.options import Options
from groupwise.simulation.processes import PROCESSES as DGPS
from groupwise.verdict.rules import Rules

ROOT = Path(__file__).parents[2]
CONFIGS = [ROOT / "config.yaml", ROOT / "tests" / "config" / "tiny.yaml"]
SCHEMA = load_schema()
SCRIPT = ROOT / "tools" / "setup" / "config_table.py"


def load_script() -> Any:
    spec = importlib.util.spec_from_file_location("config_table", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


config_table = load_script()


def nodes(node: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every schema in the schema that says something of its own."""
    if isinstance(node, list):
        for i, child in enumerate(node):
            yield from nodes(child, f"{path}[{i}]")
    elif isinstance(node, dict):
        yield path, node
        for name, child in node.items():
            yield from nodes(child, f"{path}/{name}")


def properties() -> Iterator[tuple[str, dict[str, Any]]]:
    for path, node in nodes(SCHEMA):
        for name, child in (node.get("properties") or {}).items():
            if isinstance(child, dict):
                yield f"{path}/{name}", config_table.resolve(child, SCHEMA)


def keys_of(config: Any, schema: dict[str, Any]) -> Iterator[str]:
    """Every key of a configuration that the schema does not name, where the user has no choice."""
    schema = config_table.resolve(schema, SCHEMA)
    if not isinstance(config, dict) or "properties" not in schema:
        entries = schema.get("additionalProperties")
        for child in config.values() if isinstance(config, dict) and entries else ():
            yield from keys_of(child, entries)
        return
    for key, child in config.items():
        if key not in schema["properties"]:
            yield key
        else:
            yield from keys_of(child, schema["properties"][key])


def test_schema_is_one() -> None:
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_every_key_in_use_is_in_the_schema(path: Path) -> None:
    config = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert list(keys_of(config, SCHEMA)) == []


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_configuration_passes(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data" / "raw").mkdir(parents=True)
    config = yaml.safe_load(path.read_text(encoding="utf-8"))
    for block in config["datasets"].values():
        if "file" in block:
            (tmp_path / block["file"]).touch()
    monkeypatch.chdir(tmp_path)
    check_configuration(config, [path])


@pytest.mark.parametrize(("path", "node"), list(properties()), ids=lambda value: str(value)[:60])
def test_property_is_described(path: str, node: dict[str, Any]) -> None:
    assert node.get("description", "").endswith("."), path
    assert "  " not in node["description"]


def test_user_sees_no_property_that_is_not_closed() -> None:
    open_ones = [
        path
        for path, node in nodes(SCHEMA)
        if node.get("type") == "object"
        and "properties" in node
        and node.get("additionalProperties") not in (False,)
    ]
    assert open_ones == []


def test_defaults_are_valid() -> None:
    defaults = [(path, node) for path, node in properties() if "default" in node]
    assert len(defaults) > 5
    for path, node in defaults:
        schema = {"$defs": SCHEMA["$defs"]} | node
        assert Draft202012Validator(schema).is_valid(node["default"]), path


def test_defaults_are_those_of_the_code() -> None:
    recipe = SCHEMA["$defs"]["simulate"]["properties"]
    assert recipe["sd_effect"]["default"] == Recipe.sd_effect
    covariate = SCHEMA["$defs"]["covariate"]["properties"]
    assert {name: covariate[name]["default"] for name in ("mean", "sd")} == {
        "mean": Covariate.mean,
        "sd": Covariate.sd,
    }


def test_schema_has_the_keys_of_the_code() -> None:
    assert set(SCHEMA["$defs"]["simulate"]["properties"]) == set(Recipe.__dataclass_fields__)
    assert set(SCHEMA["$defs"]["covariate"]["properties"]) == set(Covariate.__dataclass_fields__)
    assert set(SCHEMA["$defs"]["roles"]["properties"]) == set(Roles.__dataclass_fields__) - {
        "parts"
    }


def test_headline_is_any_method_of_the_catalogue() -> None:
    defined = SCHEMA["$defs"]
    assert defined["method"]["enum"] == list(NAMES)
    assert defined["headline"]["enum"] == ["auto", *NAMES]


def test_calibration_is_what_the_code_has() -> None:
    given = SCHEMA["properties"]["calibration"]["properties"]
    assert set(given) - {"jobs"} == set(Options.__dataclass_fields__) - {"effects"}
    small = {"departures"}  # none in the code: what is simulated by default is a choice of config
    assert all(
        given[name]["default"] == getattr(Options, name, None) or name in {*small, "iccs"}
        for name in set(given) - {"jobs"}
    )
    assert (
        set(given["departures"]["items"]["enum"])
        == set(PROCESSES) - {"normal"}
        == set(DGPS) - {"normal"}
    )


def test_rules_and_study_are_what_the_code_has() -> None:
    rules = SCHEMA["properties"]["verdict"]["properties"]
    assert set(rules) == set(Rules.__dataclass_fields__) - {"level", "conf_level", "dgps"}
    for name in set(rules) - {"preference"}:
        assert rules[name]["default"] == getattr(Rules, name)
    kinds = SCHEMA["$defs"]["preference"]["anyOf"][1]["properties"]
    assert tuple(kinds) == DESIGN_KINDS == tuple(PREFERENCES)
    grid = SCHEMA["properties"]["study"]["properties"]
    assert set(grid) >= set(Grid.__dataclass_fields__)
    for name in Grid.__dataclass_fields__:
        default = grid[name]["default"]
        assert (tuple(default) if isinstance(default, list) else default) == getattr(Grid, name)


def test_table_names_every_key_once() -> None:
    keys = [path for path, _, _ in config_table.keys(SCHEMA)]
    assert len(keys) == len(set(keys))
    for config in (yaml.safe_load(path.read_text(encoding="utf-8")) for path in CONFIGS):
        for block in config["datasets"].values():
            assert {f"datasets.NAME.{key}" for key in block} <= set(keys)


def test_table_is_written_between_its_marks() -> None:
    page = f"Before.\n{config_table.BEGIN}\nold | table\n{config_table.END}\nAfter.\n"
    new = config_table.replaced(page, "new\n")
    assert new == f"Before.\n{config_table.BEGIN}\nnew\n{config_table.END}\nAfter.\n"
    assert config_table.replaced(new, "new\n") == new


def test_page_without_marks_is_refused() -> None:
    with pytest.raises(ValueError, match="config table: begin"):
        config_table.replaced("No table here.\n", "new\n")


def test_docs_have_the_table_of_the_schema() -> None:
    text = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    fix = "run `python tools/setup/config_table.py --write docs/settings.md`"
    written = yaml.safe_load(config_table.SCHEMA.read_text(encoding="utf-8"))
    assert config_table.replaced(text, config_table.table(written)) == text, fix
